#!/usr/bin/perl
# Live change: the registry changes under load, is lost, comes back.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use File::Path qw(remove_tree);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

use Edge;

my $e = Edge->new(workers => 2);

$e->upstream(reply => sub { return { body => '{}' } });

my $conf = <<'EOC';
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 16; }
    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 1000000;
        location / {
            experiment on;
            proxy_pass http://up;
            add_header X-Model "$experiment_model";
        }
        location = /v { experiment tone; return 200 "$experiment_assignments"; }
    }
}
EOC
my $doc = '{"name":"tone","unit":"header:X-Id","variants":[{"name":"control"},'
    . '{"name":"b","overrides":{"default":{"temperature":0.2}}}]}';


# Without a registry: the baseline, and it is noticed when it comes.

my $keys = '0' x 64;
$e->init;
my $registry = $e->registry;
rename "$registry/serving", "$registry/away" or die "rename: $!\n";
delete $e->{has_registry};
$e->run($conf);

is($e->post('/', '{"n":1}', 'X-Id', 'u')->{status}, 200,
   'no copy at start - requests are served');
is($e->received->{body}, '{"n":1}', 'no copy at start - untouched');
is_deeply($e->log_next->{experiments}, [], 'no copy at start - logged');
is(errors(), 2, 'no copy at start - one error line a worker')
    or diag($e->error_log);

rename "$registry/away", "$registry/serving" or die "rename: $!\n";
$e->{has_registry} = 1;
$e->apply($doc);
pass('a copy that comes later is noticed without a reload');

my $required = $conf =~ s/%%HTTP%%/%%HTTP_REQUIRED%%/r;
$e->{vars}{HTTP_REQUIRED} = $e->fill('%%HTTP%%')
    =~ s/(experiment_registry [^;]*);/$1 required;/r;
is(($e->test_conf($required))[0], 0, 'required - starts with a copy');
rename "$registry/serving", "$registry/away" or die "rename: $!\n";
isnt(failed_start($required), 0, 'required - without a copy: no start');
rename "$registry/away", "$registry/serving" or die "rename: $!\n";


# Who may do what.

SKIP: {
    skip 'workers run as ourselves', 4 if $> != 0;

    for my $pid ($e->workers) {
        my ($uid) = $e->read_file("/proc/$pid/status") =~ /^Uid:\s+(\d+)/m;
        isnt($uid, 0, 'workers are not root');
    }
    is((stat "$registry/registry")[2] & 07777, 0700,
       'the registry is closed to them');
    my @loose = grep { (stat)[2] & 022 } $registry, "$registry/serving",
        glob("$registry/serving/*"), "$registry/keys";
    is("@loose", '', 'nothing there is theirs to write');
}


# A stage under load: within a second, without a failed request or a reload.

my $b;
{
    $e->must('stage', 'tone', 'ab', '--exposure', '0.5');
    $e->must('stage', 'tone', 'off');
    $e->sync;
    $e->must('stage', 'tone', 'ab', '--exposure', '1');
    $b = $e->unit('tone', variant => 'b', exposed => 1);
    $e->must('stage', 'tone', 'off');
    $e->sync;
}
$e->log_skip;
$e->received;

my $had = () = $e->log_lines;
my @before = sort $e->workers;
my ($stop_r, $stop_w);
pipe $stop_r, $stop_w or die "pipe: $!\n";
my @load = map { load() } 1 .. 4;
ok($e->wait_for(sub { scalar($e->log_lines) > 400 }), 'load - is on');

$e->must('stage', 'tone', 'ab', '--exposure', '1');
my $staged = time;
my $txn = $e->published;
ok($e->wait_for(sub { ($e->log_lines)[-1]{registry} == $txn }, 5),
   'load - the change is seen');
cmp_ok(time - $staged, '<', 1.5, 'load - within a second');
my $n = () = $e->log_lines;
$e->wait_for(sub { scalar(() = $e->log_lines) > $n + 400 });

close $stop_w;
my ($sent, $failed) = (0, 0);
for my $l (@load) {
    my ($pid, $r) = @$l;
    my ($s, $f) = split / /, <$r> // '0 1';
    $sent += $s;
    $failed += $f;
    waitpid $pid, 0;
}
cmp_ok($sent, '>', 800, 'load - requests');
ok($e->wait_for(sub { scalar(() = $e->log_lines) >= $had + $sent }),
   'load - each has its line');
is($failed, 0, 'load - none failed');
is(join(' ', sort $e->workers), "@before", 'load - no worker was replaced');

my $wrong = 0;
my %first;
for my $line ($e->log_lines) {
    my $x = $line->{experiments}[0] or next;
    next if $x->{name} ne 'tone' || ($x->{unit} // '') eq '';
    $wrong++ if ($line->{registry} == $txn) != ($x->{reason} eq 'assigned');
}
is($wrong, 0, 'load - each line is true to its registry');
$e->log_skip;
$e->received;


sub load {
    pipe my $r, my $w or die "pipe: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid) {
        close $w;
        return [ $pid, $r ];
    }

    $SIG{$_} = 'DEFAULT' for qw(INT TERM);
    close $stop_w;
    my $stop = IO::Select->new($stop_r);
    my ($sent, $failed) = (0, 0);
    my $c = $e->client;

    # Each waits a little, so that this test can read the log meanwhile.
    until ($stop->can_read(0.005)) {
        $sent++;
        $c->send(Edge::Client->request('POST', '/x', '{"temperature":1}',
            'X-Id', $b, 'Content-Type', 'application/json'));
        my $r = eval { $c->response };
        next if $r && $r->{status} == 200;
        $failed++;
        $c = $e->client;
    }

    syswrite $w, "$sent $failed\n";
    POSIX::_exit(0);
}


# apply of an unchanged folder switches nothing on.

$e->change('pause', 'tone', '-m', 'test');
$e->file('docs/tone.json', $doc);
my $out = $e->must('apply', '-f', $e->dir . '/docs');
is(stage_of('tone'), 'paused', 'apply - an unchanged folder leaves it paused');
$e->post('/', '{"temperature":1}', 'X-Id', $b);
is($e->log_next->{experiments}[0]{reason}, 'paused', 'apply - in nginx too');
$e->received;
$e->change('resume', 'tone');


sub stage_of {
    my ($name) = @_;

    return $e->must('get', $name, '--state', '-o', 'json') =~ /"stage":"(\w+)"/ ? $1 : '';
}


# A request keeps the snapshot that it began with.

my $c = $e->client;
my $body = '{"temperature":1,"x":"y"}';
$c->send(Edge::Client->request('POST', '/slow', undef, 'X-Id', $b,
    'Content-Type', 'application/json', 'Content-Length', length $body,
    'Expect', '100-continue'));
ok($e->wait_for(sub {
    IO::Select->new($c->{s})->can_read(0);
}), 'snapshot - the request is being read');
$e->change('pause', 'tone', '-m', 'test');
is($e->get('/v', 'X-Id', $b)->{body}, '', 'snapshot - paused for others');
$e->log_next;
$c->send($body);
is($c->response->{status}, 200, 'snapshot - answered');
my $line = $e->log_next;
is($line->{experiments}[0]{reason}, 'assigned', 'snapshot - kept');
like($e->received->{body}, qr/"temperature":0\.2/, 'snapshot - applied');
cmp_ok($line->{registry}, '<', $e->published, 'snapshot - logged');
$c->close;
$e->change('resume', 'tone');


# Damage: the last good snapshot serves, with one error line a worker, and
# the next publication is taken.

my $serving = "$registry/serving";
my %damage = (
    'current is garbage' => sub {
        $e->file("$serving/current", 'garbage');
    },
    'current is empty' => sub { $e->file("$serving/current", '') },
    'current is of a newer format' => sub {
        replace('current', sub { s/"format":1/"format":2/ });
    },
    'current names a file that is not there' => sub {
        replace('current', sub { s/"file":"\d+\.mdb"/"file":"999999.mdb"/ });
    },
    'current has another hash' => sub {
        replace('current', sub { s/"sha256":"(.)/'"sha256":"'
                                 . ($1 eq '0' ? '1' : '0')/e });
    },
    'the copy is truncated' => sub {
        copy_with(sub { substr $_, 0, length($_) / 2 });
    },
    'the copy has other bytes' => sub {
        copy_with(sub { substr($_, 5000, 8) = "\xde\xad\xbe\xef" x 2; $_ });
    },
    'the copy is no database, though its hash fits' => sub {
        copy_with(sub { 'x' x length }, 1);
    },
);

for my $text (sort keys %damage) {
    my $errors = errors();
    my $good = $e->published;

    # Damage comes as a publication: the word changes last.
    $damage{$text}->();
    bump();

    ok($e->wait_for(sub { errors() >= $errors + 2 }, 5),
       "$text - an error line a worker");
    is($e->get('/v', 'X-Id', $b)->{body}, 'tone/b',
       "$text - the last good snapshot serves");
    sleep 0.2;
    is(errors(), $errors + 2, "$text - and no more lines")
        or diag(join "\n", (grep { /\[error\]|\[crit\]/ }
                            split /\n/, $e->error_log)[ -4 .. -1 ]);
    $e->log_next;

    $e->must('pause', 'tone', '-m', 'test');
    $e->must('resume', 'tone');
    eval { $e->sync; 1 } ? pass("$text - the next publication is taken")
                         : fail("$text - the next publication: $@");
    is($e->get('/v', 'X-Id', $b)->{body}, 'tone/b', "$text - and serves");
    $e->log_next;
}


# Folders that go and come.

rename $serving, "$serving.gone" or die "rename: $!\n";
sleep 0.2;
is($e->get('/v', 'X-Id', $b)->{body}, 'tone/b',
   'serving is gone - the last good snapshot serves');
$e->log_next;
rename "$serving.gone", $serving or die "rename: $!\n";
$e->change('pause', 'tone', '-m', 'test');
is($e->get('/v', 'X-Id', $b)->{body}, '',
   'serving is back - changes are seen again');
$e->log_next;
$e->change('resume', 'tone');

# The mapped word's file is replaced by another.
my $word = $e->read_file("$serving/generation");
unlink "$serving/generation";
$e->file("$serving/generation", $word, 0640);
chown 0, (stat $serving)[5], "$serving/generation" if $> == 0;
sleep 0.1;
$e->change('pause', 'tone', '-m', 'test');
is($e->get('/v', 'X-Id', $b)->{body}, '',
   'the word is another file - changes are seen');
$e->log_next;
$e->change('resume', 'tone');


# Reload: new workers begin with the copy in force.

ok($e->reload, 'reload');
is($e->get('/v', 'X-Id', $b)->{body}, 'tone/b', 'reload - serves at once');
$e->log_next;

$e->done;


sub errors {
    return scalar(() = $e->error_log =~
        /\[(?:error|crit)\].*(?:registry|serving|current|experiment)/g);
}


sub failed_start {
    my ($text) = @_;
    my $other = Edge->new(workers => 1);

    $other->{vars} = { %{ $e->{vars} } };
    $other->{vars}{HTTP_REQUIRED} = $other->fill('%%HTTP%%')
        =~ s{experiment_registry [^;]*;}{experiment_registry "$registry" required;}r
        =~ s{experiment_keys [^;]*;}{experiment_keys "$registry/keys";}r;
    $other->upstream;
    $other->conf($text);

    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec $other->command or POSIX::_exit(127);
    }

    my $status;
    $e->wait_for(sub {
        $status = $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
        return defined $status;
    }, 5);

    if (!defined $status) {
        kill TERM => $pid;
        waitpid $pid, 0;
        return 0;
    }

    return $status;
}


sub replace {
    my ($name, $edit) = @_;
    local $_ = $e->read_file("$serving/$name");

    $edit->();
    put($name, $_);
}


# A file by rename, as the publisher writes it.

sub put {
    my ($name, $bytes) = @_;

    $e->file("$serving/.$name", $bytes, 0640);
    chown 0, (stat $serving)[5], "$serving/.$name" if $> == 0;
    rename "$serving/.$name", "$serving/$name" or die "rename: $!\n";
}


# The copy in force, damaged, under a new name; true: with its own hash.

sub copy_with {
    my ($edit, $honest) = @_;
    my $current = JSON::PP->new->decode($e->read_file("$serving/current"));
    my $whole = $e->read_file("$serving/$current->{file}");
    local $_ = $whole;
    my $bytes = $edit->();

    put('888888.mdb', $bytes);
    replace('current', sub {
        s/"file":"[^"]*"/"file":"888888.mdb"/;
        if ($honest) {
            my $hash = sha256_hex($bytes);
            s/"sha256":"[^"]*"/"sha256":"$hash"/;
        }
    });
}


sub bump {
    open my $f, '+<:raw', "$serving/generation" or die "generation: $!\n";
    read $f, my $word, 8;
    seek $f, 0, 0;
    print $f pack 'Q', unpack('Q', $word) + 1;
    close $f;
}
