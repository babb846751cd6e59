#!/usr/bin/perl

# Tests for expctl init, apply, get, list, tree: what is meant.

use warnings;
use strict;

use lib 't/lib';

use Edge::Cli;
use Fcntl qw/ :DEFAULT :mode /;
use JSON::PP;
use POSIX qw/ mkfifo /;
use Test::More;

###############################################################################

my $dir = folder();
my $reg = registry();
my ($rc, $out, $err);

# a registry that is not there

($rc, $out, $err) = expctl('list');
is("$rc $out", '3 ', 'no registry - exit status');
is($err, "expctl: there is no registry in '$reg'\n"
    . "next: expctl init, or --registry DIR\n", 'no registry - told');

# init

$out = init_registry();

like($out, qr!^\Q$reg\E  0750  \w+:\S+
  registry +0700  \w+
  serving  +0750  \w+:\S+
  keys     +0600  \w+  +key [0-9a-f]{8}
\z!, 'init - what it made');

sub mode { sprintf '%04o', S_IMODE((stat $_[0])[2] // 0) }

my @modes = map { mode("$reg$_") } '', qw(/registry /registry/data.mdb
    /registry/lock.mdb /serving /serving/current /serving/generation /keys);
is("@modes", '0750 0700 0600 0600 0750 0640 0640 0600', 'init - modes');
is(mode("$dir/log"), '0750', 'init - log folder');

like(slurp("$reg/keys"), qr/\A[0-9a-f]{8} [0-9a-f]{64}\n\z/, 'init - a key');

my $keys = slurp("$reg/keys");
chmod 0700, $reg;
chmod 0755, "$reg/registry", "$reg/serving";
chmod 0644, "$reg/keys", "$reg/registry/data.mdb";
unlink "$reg/serving/generation";

($rc, $out) = expctl('init');
is($rc, 0, 'init - again');

@modes = map { mode("$reg$_") } '', qw(/registry /registry/data.mdb /serving
    /serving/generation /keys);
is("@modes", '0750 0700 0600 0750 0640 0600', 'init - modes repaired');
is(slurp("$reg/keys"), $keys, 'init - key kept');

($rc, $out) = expctl('init', '-o', 'json');
is(decode_json($out)->{path}, $reg, 'init - json');

($rc, $out) = expctl('init', '-o', 'csv');
like($out, qr/^registry,0700,.*\nserving,0750,.*\nkeys,0600,/m,
    'init - csv, not indented');
($rc, $out) = expctl('init', '--dry-run', '-o', 'csv');
unlike($out, qr/^dry run/m, 'init - csv, no prose');

($rc, $out, $err) = expctl('init', '--group', 'no-such-group');
is($rc, 2, 'init - unknown group');
like($err, qr/there is no group 'no-such-group'/, 'init - unknown group told');

($rc, $out) = expctl('init', '--dry-run', '--registry', "$dir/other");
is($rc, 0, 'init - dry run');
ok(!-e "$dir/other", 'init - dry run makes nothing');

symlink $reg, "$dir/link";
($rc, $out, $err) = expctl('init', '--registry', "$dir/link");
is($rc, 3, 'init - symlink refused');
($rc, $out, $err) = expctl('list', '--registry', "$dir/link/");
is($rc, 3, 'list - symlink refused');

($rc, $out, $err) = expctl('init', '--log', 'a.log');
is($rc, 2, 'init - relative log');

# apply

my $tone = document('tone', '"layer":"chat","description":"one"');

($rc, $out, $err) = expctl('apply', '-f', $tone);
like($out, qr/\Atone: created, revision 1, phase 1, off, registry \d+\n\z/,
    'apply - created');
is("$rc $err", '0 ', 'apply - exit status');

($rc, $out) = expctl('apply', '-f', $tone);
is("$rc $out", "0 tone: unchanged, revision 1\n", 'apply - unchanged');

document('tone', '"layer":"chat","description":"two"');

my $current = slurp("$reg/serving/current");
($rc, $out) = expctl('apply', '-f', $tone, '--dry-run');
is("$rc $out", "0 tone: revision 1 -> 2, phase 1, dry run\n",
    'apply - dry run');
is(slurp("$reg/serving/current"), $current, 'apply - dry run changes nothing');

($rc, $out) = expctl('apply', '-f', $tone);
like($out, qr/\Atone: revision 1 -> 2, phase 1, registry \d+\n\z/,
    'apply - updated');

my ($id) = $out =~ /registry (\d+)/;
is(decode_json(slurp("$reg/serving/current"))->{txn}, $id,
    'apply - published');

# the same document in another spelling is unchanged

spew('tone.json', slurp($tone) =~ s/,/ , /gr);
($rc, $out) = expctl('apply', '-f', $tone);
is($out, "tone: unchanged, revision 2\n", 'apply - white space');

# all or none

my $good = document('good');
my $bad = document('bad', '"description":1');

($rc, $out, $err) = expctl('apply', '-f', $good, '-f', $bad);
is("$rc $out", '2 ', 'apply - one fault');
like($err, qr/1 fault, nothing was changed/, 'apply - one fault told');
($rc, $out, $err) = expctl('get', 'good');
is($rc, 2, 'apply - nothing of it');

my $taken = document('Tone');
($rc, $out, $err) = expctl('apply', '-f', $good, '-f', $taken);
is($rc, 2, 'apply - name that equals another');
like($err, qr/the name 'Tone' equals 'tone' in \$experiment_variant_NAME/,
    'apply - name told');
($rc) = expctl('get', 'good');
is($rc, 2, 'apply - nothing of it, either');

# folders, more files, stdin

mkdir "$dir/docs";
spew("$dir/docs/b.json", slurp($good));
spew("$dir/docs/a.json", slurp($tone));
spew("$dir/docs/c.txt", 'no');

($rc, $out) = expctl('apply', '-f', "$dir/docs");
like($out, qr/\Atone: unchanged.*\ngood: created.*\n\z/, 'apply - folder');

spew("$dir/docs/d.json", slurp($good));
($rc, $out, $err) = expctl('apply', '-f', "$dir/docs");
is($rc, 2, 'apply - one name twice in a folder');
like($err, qr/'good' is in .*b\.json' and in .*d\.json'/, 'apply - both told');

my $third = document('third');
($rc, $out) = expctl('apply', '-f', $good, $third);
like($out, qr/good: unchanged.*\nthird: created/, 'apply - two behind one -f');

($rc, $out) = expctl_in('apply', '-f', '-', slurp(document('fourth')));
like($out, qr/\Afourth: created/, 'apply - stdin');

($rc, $out, $err) = expctl('apply');
is($rc, 2, 'apply - without -f');

# what clients can choose is warned of, and is no fault

for my $row (
    [ '"header:X-Id"', '"route": {"upstream": "u"}',
      q{clients choose header:X-Id, and with it a route, by variant 'b'; if }
      . q{that is meant, say "trust": "client" in unit}, 'a route' ],
    [ '{"sources": ["var:u", "cookie:u"]}', '"tools": {"deny": ["x"]}',
      q{clients choose cookie:u, and with it tools, by variant 'b'; if that }
      . q{is meant, say "trust": "client" in unit}, 'tools' ],
    [ '{"sources": ["cookie:u"], "trust": "client"}',
      '"tools": {"deny": ["x"]}', undef, 'tools, acknowledged' ],
    [ '"jwt:sub", "steps": ["a", "b"]', '"overrides": {"a": {"top_p": 1}}',
      "no variant changes anything on step 'b', and none is assigned there "
      . '(step_not_in_scope); for an A/A test set a header that nobody reads',
      'a step' ],
    [ '"jwt:sub"', '"headers": {"request": {"set": {"X-AA": "b"}}}', undef, 'A/A' ],
    [ '"jwt:sub", "ofrep": {"members": ["model"]}', '"allow_many": true', undef,
      'no change, but a flag' ],
    [ '"jwt:sub"', '"route": {"upstream": "u"}', undef,
      'a source that nginx.conf may trust' ],
    [ '"header:X-Id"', '"overrides": {"default": {"top_p": 1}}', undef,
      'a parameter' ],
    [ '{"sources": ["arg:a", "header:X-Id", "jwt:sub"], "trust": "client"}',
      '"route": {"upstream": "u"}',
      'arg:a, which clients choose, stands before jwt:sub; where they differ, '
      . 'the one that nginx.conf trusts counts', 'the order of sources' ])
{
    my ($unit, $change, $want, $name) = @$row;
    my $path = "$dir/warned.json";

    spew($path, qq({"name": "warned", "unit": $unit, "variants": [)
         . qq({"name": "control"}, {"name": "b", $change}]}));
    ($rc, $out, $err) = expctl('apply', '-f', $path);
    is($err, defined $want ? "expctl: $path: warning: $want\n" : '',
        "apply - warned of $name");
    is($rc, 0, "apply - $name, exit status");
    like($out, qr/\Awarned: /, "apply - $name, applied");
}

($rc, $out, $err) = expctl('apply', '-q', '-f', "$dir/warned.json");
is("$rc $err", '0 ', 'apply - quiet');

mkdir "$dir/empty";
($rc, $out, $err) = expctl('apply', '-f', "$dir/empty");
is($rc, 2, 'apply - empty folder');

# revisions

($rc, $out, $err) = expctl('apply', '-f', $tone, '--if-revision', 1);
is($rc, 1, 'apply - other revision');
is($err, "expctl: tone has revision 2, --if-revision is 1\n"
    . "next: expctl get tone\n", 'apply - other revision told');

($rc, $out, $err) = expctl('apply', '-f', $tone, '--if-revision', 1, '-o',
    'json');
is_deeply(decode_json($out)->{why}, ['revision'], 'apply - why');

($rc) = expctl('apply', '-f', $tone, '--if-revision', 2);
is($rc, 0, 'apply - right revision');

($rc) = expctl('apply', '-f', document('fifth'), '--if-revision', 0);
is($rc, 0, 'apply - revision 0 creates');

($rc, $out, $err) = expctl('apply', '-f', $tone, '--if-revision', 'x');
is($rc, 2, 'apply - no revision');

($rc, $out, $err) = expctl('apply', '-f', $tone, $good, '--if-revision', 2);
is($rc, 2, 'apply - revision of two documents');

# the document's stage counts at creation

my $live = document('live', '"layer":{"name":"x","range":[0,0.5]},'
    . '"stage":{"name":"canary","exposure":0.1}');
($rc, $out) = expctl('apply', '-f', $live);
like($out, qr/\Alive: created, revision 1, phase 1, canary, exposure 10 %,/,
    'apply - live at once');
like($out, qr/live: 5 % join, nobody changes variant/, 'apply - share');

expctl('pause', 'live');
($rc, $out) = expctl('apply', '-f', $live);
is($out, "live: unchanged, revision 1\nlive: stage in file is canary, "
    . "the experiment is paused: state is left alone\n",
    'apply - paused stays paused');

($rc, $out) = expctl('get', 'live', '--state', '-o', 'json');
is(decode_json($out)->{stage}, 'paused', 'apply - really');

expctl('resume', 'live');

# what a unit gets changes in a new phase only

document('live', '"layer":{"name":"x","range":[0,0.5]},"description":"d",'
    . '"stage":{"name":"canary","exposure":0.1}');
($rc, $out) = expctl('apply', '-f', $live);
like($out, qr/\Alive: revision 1 -> 2, phase 1/, 'apply - description');

spew('live.json', slurp($live) =~ s/0\.5\}\}/0.7}}/r);
($rc, $out, $err) = expctl('apply', '-f', $live);
is("$rc $out", '1 ', 'apply - needs a phase');
like($err, qr/\Aexpctl: live is canary, and the new document changes .+
next: expctl apply -f FILE --new-phase\n\z/,
    'apply - needs a phase told');

($rc, $out) = expctl('apply', '-f', $live, '--new-phase');
like($out, qr/\Alive: revision 2 -> 3, phase 1 -> 2, registry \d+
live: nobody changes variant\n\z/, 'apply - new phase');

# 50:50 to 80:20 at exposure 1 moves 30 % (STATISTICS 2)

my $w = spew('w.json', '{"name":"w","unit":"header:X","layer":"w",'
    . '"stage":{"name":"ab"},'
    . '"variants":[{"name":"a"},{"name":"b"}]}');
expctl('apply', '-f', $w);
spew('w.json', '{"name":"w","unit":"header:X","layer":"w",'
    . '"stage":{"name":"ab"},'
    . '"variants":[{"name":"a","weight":0.8},{"name":"b","weight":0.2}]}');
($rc, $out, $err) = expctl('apply', '-f', $w);
like($err, qr/changes weights/, 'apply - weights');
($rc, $out) = expctl('apply', '-f', $w, '--new-phase');
like($out, qr/w: 30 % change variant/, 'apply - share that moves');

# get

($rc, $out) = expctl('get', 'tone', '-o', 'json');
is($out, '{"description":"two","layer":"chat","name":"tone",'
    . '"unit":"header:X-Id","variants":[{"name":"control"},'
    . '{"name":"concise","overrides":{"default":{"temperature":0.5}}}]}'
    . "\n", 'get - canonical');

($rc, $out) = expctl('get', 'tone');
is_deeply(decode_json($out), decode_json(slurp($tone)), 'get - the same');

($rc, $out, $err) = expctl('get', 'tnoe');
is("$rc $err", "2 expctl: there is no experiment 'tnoe', near: tone\n",
    'get - unknown');

($rc, $out) = expctl('get', 'tone', '--state', '-o', 'json');
like($out, qr/\A\{"experiment":"tone","stage":"off","exposure":null,
    "sample":null,"variant":null,"phase":1,"weights":null,"ramp_step":null,
    "streaks":\{\},"since":"[^"]+","by":"[^"]+@[^"]+","reason":null/x,
    'get - state');

# hostile text

expctl('apply', '-f', spew('h.json', '{"name":"h","unit":"header:X",'
    . '"layer":"h","owner":"=cmd\u001b[31m\u202e",'
    . '"variants":[{"name":"a"},{"name":"b"}]}'));

($rc, $out) = expctl('list');
like($out, qr/=cmd\\x1b\[31m\\u\{202e\}/, 'list - hostile bytes');
unlike($out, qr/\e|\xe2\x80\xae/, 'list - none left');

($rc, $out) = expctl('list', '-o', 'csv');
like($out, qr/^h,off,,2,h,"'=cmd\\x1b/m, 'list - csv guard');

($rc, $out) = expctl('get', 'h');
unlike($out, qr/\e|\xe2\x80\xae/, 'get - hostile bytes');
is(decode_json($out)->{owner}, "=cmd\e[31m\x{202e}", 'get - same value');

($rc, $out, $err) = expctl('get', "\e[2J");
unlike($err, qr/\e/, 'errors - hostile bytes');

# list

($rc, $out) = expctl('list', '--layer', 'chat');
like($out, qr/\ANAME  STAGE  EXPOSURE  VARIANTS  LAYER  OWNER  SINCE  NOTE
tone  off           -         2  chat   -       *\d+ s\n\z/, 'list');

($rc, $out) = expctl('list', '--stage', 'canary', '-o', 'json');
my $line = decode_json($out);
is(join(' ', map { $_ // 'null' } @$line{qw/ name stage exposure variants
    layer owner revision phase note /}),
    'live canary 0.1 2 x null 3 2 null', 'list - json');

($rc) = expctl('list', '--stage', 'on');
is($rc, 2, 'list - unknown stage');

# tree

spew('triage.json', '{"name":"triage","unit":"header:X","layer":"triage",'
    . '"steps":["classifier"],"stage":{"name":"ab","exposure":0.3},'
    . '"variants":[{"name":"control"},{"name":"small","overrides":'
    . '{"classifier":{"model":"gpt-4o-mini"}}},{"name":"small-cold",'
    . '"parent":"small","overrides":{"classifier":{"temperature":0}}}]}');
expctl('apply', '-f', "$dir/triage.json");

($rc, $out) = expctl('tree', 'triage');
is($out, <<'EOF', 'tree');
triage  revision 1, phase 1, ab, exposure 30 %
control           10 %  baseline
`- small          10 %  classifier.model  "gpt-4o-mini"
   `- small-cold  10 %  classifier.temperature  0
EOF

spew('quarter.json', '{"name":"quarter","unit":"header:X","layer":"quarter",'
    . '"stage":{"name":"ab","exposure":1},"variants":[{"name":"a","weight":'
    . '0.75},{"name":"b","weight":0.25}]}');
expctl('apply', '-f', "$dir/quarter.json");

($rc, $out) = expctl('tree', 'quarter', '-o', 'json');
is_deeply([$out =~ /"share":([^,]*)/g], ['0.75', '0.25'],
    'tree - shares are exact');
($rc, $out) = expctl('tree', 'quarter', '-o', 'csv');
is($out, "VARIANT,SHARE,CHANGE,VALUE\na,0.75,baseline,\nb,0.25,,\n",
    'tree - csv');
($rc, $out) = expctl('list', '--layer', 'quarter', '-o', 'csv');
like($out, qr/^quarter,ab,1,2,quarter,,\d{4}-\d\d-\d\dT[\d:]{8}Z,$/m,
    'list - csv');

# a document says nothing of the stage, or another than there is

spew('quarter.json', slurp("$dir/quarter.json")
    =~ s/"stage":\{.*?\},/"owner":"ana",/r);
($rc, $out) = expctl('apply', '-f', "$dir/quarter.json");
unlike($out, qr/stage in file/, 'apply - no stage in the file');
spew('quarter.json', slurp("$dir/quarter.json")
    =~ s/"owner":"ana"/"stage":{"name":"off"}/r);
($rc, $out) = expctl('apply', '-f', "$dir/quarter.json");
like($out, qr/^quarter: stage in file is off, the experiment is ab: state is /m,
    'apply - another stage in the file');

($rc, $out) = expctl('tree', 'triage', '-o', 'json');
is(decode_json($out)->{variants}[2]{changes}[0]{key},
    'classifier.temperature', 'tree - json');

# null is a value, no removal; and when it is set is said

spew('undo.json', '{"name":"undo","unit":"header:X","layer":"undo",'
    . '"variants":[{"name":"control"},{"name":"b","allow_many":true,'
    . '"overrides":{"default":'
    . '{"max_tokens":{"value":400,"when":"absent"}}},"headers":{"request":'
    . '{"remove":["X-Old"]}},"body":[{"op":"set","path":"/user","value":null},'
    . '{"op":"remove","path":"/stop"}]}]}');
expctl('apply', '-f', "$dir/undo.json");

($rc, $out) = expctl('tree', 'undo');
is($out, <<'EOF', 'tree - removed, when absent');
undo  revision 1, phase 1, off
control  0 %  baseline
`- b     0 %  default.max_tokens  400, when absent
              header:X-Old  removed
              body:/user  null
              body:/stop  removed
EOF

($rc, $out) = expctl('tree', 'undo', '-o', 'json');
is_deeply(decode_json($out)->{variants}[1]{changes}, [
    { key => 'default.max_tokens', value => 400, when => 'absent' },
    { key => 'header:X-Old', value => undef, op => 'remove' },
    { key => 'body:/user', value => undef },
    { key => 'body:/stop', value => undef, op => 'remove' } ],
    'tree - json, removed, when absent');
($rc, $out) = expctl('tree', 'undo', '-o', 'csv');
like($out, qr/,"400, when absent"\n.*,body:\/stop,removed\n/s,
    'tree - csv, removed, when absent');

# readers write nothing, and 8 writers at once lose nothing

my @pids = map { expctl_pid('apply', '-f', document("p$_",
    qq("layer":"p$_"))) } 1 .. 8;
waitpid $_, 0 for @pids;

($rc, $out) = expctl('list');
is(scalar(() = $out =~ /^p[1-8] /mg), 8, 'writers at once');
ok(decode_json(slurp("$reg/serving/current"))->{txn} >= $id + 8,
    'writers at once - published');

my @files = glob "$reg/serving/*.mdb";
is(scalar @files, 2, 'the last two copies are kept');

# a crash between commit and publication

my $before = slurp("$reg/serving/current");
unlink "$reg/serving/current";
expctl('list');
ok(!-e "$reg/serving/current", 'list - writes nothing');
($rc) = expctl('apply', '-f', $tone);
is(slurp("$reg/serving/current") =~ s/"word":"\w+"//r,
    $before =~ s/"word":"\w+"//r, 'next command publishes');

# a copy that was changed in place, at equal size

my $copy = "$reg/serving/" . decode_json($before)->{file};
my $bytes = slurp($copy);
substr($bytes, 6000, 1) = chr(255 ^ ord substr($bytes, 6000, 1));
chmod 0600, $copy;
spew($copy, $bytes);
init_registry();
isnt(slurp($copy), $bytes, 'init - mends a copy that was changed');

# a key file that is lost

rename "$reg/keys", "$reg/keys.lost";
($rc, $out, $err) = expctl('init');
is($rc, 0, 'init - a lost key file');
like($err, qr/keys' was gone and a new key was made: unit ids/,
    'init - says that unit ids change');
rename "$reg/keys.lost", "$reg/keys";

# a registry that is lost, and what is served of it

my $served = slurp("$reg/serving/current");

for my $lose ('rename "$reg/registry", "$reg/lost"',
    'truncate "$reg/registry/data.mdb", 0')
{
    my $kept = slurp("$reg/registry/data.mdb");

    eval "$lose; 1" or die $@;
    ($rc, $out, $err) = expctl('init');
    is("$rc $out", '1 ', "init - $lose");
    like($err, qr/registry' is lost, and .*serving' still serves .*
next: bring .*registry' back from a backup; or, .* remove .*serving'\n\z/,
        'init - lost told');
    ($rc) = expctl('init', '--dry-run');
    is($rc, 1, 'init - lost, dry run');
    is(slurp("$reg/serving/current"), $served, 'init - served as before');

    rename "$reg/lost", "$reg/registry";
    spew("$reg/registry/data.mdb", $kept);
}

$ENV{EXPCTL_REGISTRY} = "$dir/empty.reg";
init_registry();
unlink glob "$dir/empty.reg/registry/*";
($rc, $out, $err) = expctl('init', '--log', "$dir/log/*.log*");
is("$rc $err", '0 ', 'init - lost, and nothing served');
$ENV{EXPCTL_REGISTRY} = $reg;

# ten at once, where there is nothing

for my $round (1 .. 4) {
    my $new = "$dir/new$round";
    my ($gid) = split / /, $);
    my $bin = $ENV{EXPCTL} || 'build/expctl';

    my @inits = map {
        my $pid = fork() // die "fork: $!";
        exec 'sh', '-c', "exec $bin init --registry $new --group $gid"
            . " --log '$new.log/*.log' >/dev/null 2>>$new.err" if $pid == 0;
        $pid;
    } 1 .. 10;

    my $bad = grep { waitpid $_, 0; $? != 0 } @inits;
    is("$bad " . slurp("$new.err"), '0 ', "init - ten at once, $round");
}

# modes of every copy, not of the one in force alone

chmod 0666, glob "$reg/serving/*.mdb";
($rc, $out, $err) = expctl('list');
is($rc, 3, 'a copy that all may write');
init_registry();
@modes = map { mode($_) } glob "$reg/serving/*.mdb";
is("@modes", '0640 0640', 'init - modes of all copies');

# options, folders, limits

for my $args (['--registry', ''], ['--registry=']) {
    ($rc, $out, $err) = expctl('list', @$args);
    is($rc, 2, "an empty @$args");
}

{
    local $ENV{EXPCTL_REGISTRY} = '';
    ($rc, $out, $err) = expctl('list');
    unlike($err, qr/needs a value/, 'an empty EXPCTL_REGISTRY');
}

mkdir "$dir/fifo";
mkfifo("$dir/fifo/x.json", 0600) or die "mkfifo: $!";
spew("$dir/fifo/y.json", slurp($tone));

my $done = eval {
    local $SIG{ALRM} = sub { die "hangs\n" };
    alarm 10;
    ($rc, $out) = expctl('apply', '-f', "$dir/fifo");
    alarm 0;
    1;
};

# lets go of one that waits
sysopen my $writer, "$dir/fifo/x.json", O_WRONLY | O_NONBLOCK;

ok($done, 'apply - a FIFO in a folder is not waited for');
like($out, qr/\Atone: unchanged/, 'apply - the files of it are taken');

my $bin = $ENV{EXPCTL} || 'build/expctl';
my $small = document('small');
system "ulimit -f 1; exec $bin apply -f $small >/dev/null 2>&1";
is($? & 127 ? 'signal' : $? >> 8, 3, 'a file that may not grow');
($rc) = expctl('get', 'small');
is($rc, 2, 'a file that may not grow - nothing of it');

# who may

chmod 0770, $reg;
($rc, $out, $err) = expctl('list');
is($rc, 3, 'group-writable registry');
like($err, qr/can be written by group or others/, 'group-writable - told');
chmod 0750, $reg;

SKIP: {
    skip 'not root', 2 if $> != 0;

    my $pid = fork();
    if ($pid == 0) {
        $) = $( = 65534;
        $> = $< = 65534;
        my $bin = $ENV{EXPCTL} || 'build/expctl';
        exit 2 unless -x $bin;
        my $text = `$bin list 2>&1 >/dev/null`;
        exit($? >> 8 == 3 && $text =~ /Permission denied|only its owner/
            ? 0 : 1);
    }
    waitpid $pid, 0;

    SKIP: {
        skip 'nobody cannot reach the binary', 1 if $? >> 8 == 2;
        is($? >> 8, 0, 'another user - refused with a word');
    }

    chown 12345, -1, "$reg/registry";
    ($rc, $out, $err) = expctl('list');
    is($rc, 3, 'other owner - refused');
    chown 0, -1, "$reg/registry";
}

($rc, $out) = expctl('list');
is($rc, 0, 'all well at the end');

done_testing();

###############################################################################
