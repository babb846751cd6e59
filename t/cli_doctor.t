#!/usr/bin/perl
# expctl doctor: what it finds on a host, fault by fault.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $e = Edge->new;
my $dir = $e->dir;
my $json = JSON::PP->new->utf8;

$e->upstream(reply => sub { return { body => '{}' } });


# before init

my ($rc, $out) = $e->expctl('doctor', '--nginx', "$dir/none");
$out = unbroken($out);
is($rc, 1, 'no registry - FAIL');
like($out, qr/^registry  FAIL  .*\n                next: expctl init/m,
    'no registry - what to do');
like($out, qr/^nginx     FAIL  cannot run '/m, 'no such nginx');

$e->init;
$e->apply(<<'EOD', <<'EOD');
{"name":"tone","unit":"header:X-Id","layer":"chat","variants":[
  {"name":"control"},{"name":"b","headers":{"request":{"set":{"X-B":"1"}}}}]}
EOD
{"name":"triage","unit":"header:X-Id","layer":"triage","variants":[
  {"name":"control"},{"name":"small","route":{"upstream":"gpt4o_pool"}}]}
EOD
$e->stage($_, 'ab', '--exposure', '0.3') for qw(tone triage);


# no nginx in PATH is no failure

($rc, $out) = $e->expctl({ env => { PATH => "$dir/html" } }, 'doctor')
    unless -x '/usr/sbin/nginx' || -x '/usr/local/sbin/nginx';

SKIP: {
    skip 'an nginx is installed', 2 if -x '/usr/sbin/nginx'
        || -x '/usr/local/sbin/nginx' || -x '/sbin/nginx';
    is($rc, 0, 'no nginx at hand - no FAIL');
    like($out, qr/^nginx     warn  there is no nginx in PATH\n/m,
        'no nginx at hand - said');
}


my $conf = <<'EOC';
%%MAIN%%
http {
    %%HTTP%%
    # log_format in a comment { ;
    map $host $word { default a; experiment nobody; "x;{" 'y}'; }
    upstream gpt4o_pool { server 127.0.0.1:%%PORT_UP%%; }
    upstream other { server 127.0.0.1:%%PORT_UP%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        location /named { experiment triage; return 204; }
        location ~ "^/v{1}1/" {
            experiment layer=chat layer=triage;
            experiment_upstream other gpt4o_pool;
            add_header X-Odd "experiment none; \" }";
            proxy_pass http://$experiment_upstream;
        }
    }
}
EOC

# Lines that were broken to fit, as they are with a long folder, are put
# together again.

sub unbroken {
    my ($said) = @_;

    return $said =~ s/\n {16}(?: {6})?(?=\S)(?!next:)/ /gr;
}

# The harness has a location that binds a name of nobody.

sub doctor {
    my ($text, @options) = @_;

    $e->conf($text);
    my ($code, $said) = $e->expctl('doctor', '--nginx', Edge::nginx_bin(),
                                   '--conf', "$dir/nginx.conf", @options);
    return "$code " . unbroken($said) =~ s/\Q$dir\E/DIR/gr;
}

sub check {
    my ($text, $want, $name) = @_;

    like(doctor($text, '-q'), $want, $name);
}

$e->run($conf);
$e->post('/v1/x', '{}', 'X-Id', 'u');
$e->log_next;

my $user = $> == 0 ? $e->{user} : getpwuid $>;
my ($kid) = $e->read_file($e->registry . '/keys') =~ /^(\w{8}) /;
my $txn = $e->published;

my $well = doctor($conf);
like($well, qr/\A0 registry  ok    format 1, 2 experiments, history whole\n/,
    'registry');
like($well, qr/^serving   ok    $txn, hash as published, $user can read it\n/m,
    'serving');
like($well, qr/^keys      ok    0600, $kid, the same in the log\n/m, 'keys');
my $fits = $ENV{EDGE_STATIC} ? 'the module is built in'
                             : "the module's signature fits";
like($well, qr/^nginx     ok    \d+\.\d+\.\d+, $fits\n/m, 'nginx');
like($well, qr/^log       ok    last line \d+ s old, escape=none, nothing /m,
    'log');
like($well, qr/^          warn  experiment none\.of\.the\.tests in .* binds/m,
    'a binding of nobody - warn');
like($well, qr/\n5 ok, 1 warning, 0 failures\n\z/, 'the closing line');

my ($binary) = Edge::nginx_bin();
check($conf =~ s/%%HTTP%%/no_such;/r,
    qr/\n {16}next: \Q$binary\E -t -c DIR\/nginx\.conf\n/,
    'refused - the same binary and file');

# without --conf and an absolute path, by nginx's own rules

$e->conf($conf);
($rc, $out) = $e->expctl('doctor', '--nginx', $binary, '--prefix', $dir,
                         '--conf', 'nginx.conf');
is($rc, 0, 'prefix');
($rc, $out) = $e->expctl('doctor', '--nginx', $binary, '--prefix', "$dir/log",
                         '--conf', 'nginx.conf');
like($out =~ s/\n +/ /gr,
    qr/ next: \Q$binary\E -t -c nginx\.conf -p \Q$dir\E\/log\n/,
    'prefix - another');

my $j = $json->decode(doctor($conf, '-o', 'json') =~ s/^0 //r);
is_deeply([ @$j{qw(ok warn fail why)} ], [ 5, 1, 0, [] ], 'json - counts');
is_deeply([ map { $_->{area} } @{ $j->{checks} } ],
    [ qw(registry serving keys nginx nginx log) ], 'json - areas');
is_deeply([ sort keys %{ $j->{checks}[0] } ], [ qw(area level next text) ],
    'json - members');


# a window that is over

my $windows = '{"name":"past","unit":"header:X-Id","layer":"past","variants":['
    . '{"name":"control"},{"name":"b","headers":{"request":{"set":{"X-P":"1"}}}'
    . '}],"windows":[%s]}';
my $over = '{"from":"2020-01-01T00:00:00Z","to":"2020-02-01T01:00:00+01:00"}';
my $open = '{"from":"2020-01-01T00:00:00Z","to":"9999-01-01T00:00:00Z"}';

$e->apply(sprintf $windows, $over);
unlike(doctor($conf), qr/its last window/, 'window - off, nothing to say');
$e->stage('past', 'ab', '--exposure', '0.1');
check($conf, qr/^ {10}warn  past is ab, and its last window shut at 2020-02-01/m,
    'window - over');
check($conf, qr/T00:00:00Z\n {16}next: expctl stage past off, or apply another/,
    'window - what to do');
$e->change('pause', 'past');
unlike(doctor($conf), qr/its last window/, 'window - paused');
$e->change('resume', 'past');
$e->apply(sprintf $windows, "$open,$over");
unlike(doctor($conf), qr/its last window/, 'window - another is open');
$e->stage('past', 'off');


# nginx.conf

$e->apply('{"name":"wrong","unit":"header:X-Id","layer":"wrong","variants":['
    . '{"name":"control"},{"name":"b","route":{"upstream":"gpt4o_poll"}}]}');
$e->stage('triage', 'off');
$e->stage('wrong', 'ab', '--exposure', '0.3');

check($conf, qr/\A1 .*FAIL  wrong routes to gpt4o_poll, not in experiment_up/s,
    'a route to nowhere - FAIL');
check($conf, qr/\n {16}next: gpt4o_pool\? correct it, expctl apply -f FILE\n/,
    'a route to nowhere');
check($conf, qr/warn  wrong is live, and no location binds it\n/,
    'live and bound by nobody');
is_deeply($json->decode(doctor($conf, '-o', 'json') =~ s/^1 //r)->{why},
    [ 'nginx' ], 'json - why');

$e->stage('wrong', 'off');
$e->stage('triage', 'ab', '--exposure', '0.3');

check($conf =~ s/layer=chat/layer=chta/r,
    qr/warn  experiment layer=chta in .*\n.*next: layer=chat\? correct it/s,
    'a layer of nobody');
check($conf =~ s/ triage;/ triaeg;/r,
    qr/warn  experiment triaeg in .*\n.*next: triage\? correct it/s,
    'an experiment of nobody');


# a high risk, and who verifies its unit

$e->apply({ name => 'risky', risk => 'high', layer => 'risky',
    unit => { sources => [ 'jwt:sub', 'var:user' ] }, variants => [
    { name => 'control' },
    { name => 'b', overrides => { default => { top_p => 0.1 } } } ] },
    { name => 'known', risk => 'high', layer => 'known',
    unit => { sources => [ 'jwt:sub' ], trust => 'client' }, variants => [
    { name => 'control' },
    { name => 'b', overrides => { default => { temperature => 0.1 } } } ] });
$e->stage($_, 'ab') for qw(risky known);
$e->file('snippets/auth.conf', "experiment_trusted auth;\n");
$e->file('snippets/both.conf', "experiment_trusted \$user auth;\n");
$e->file('sites/a.conf', "location /site { experiment risky known;\n"
    . " include $dir/snippets/auth.conf; }\n");

my $none = qr/FAIL  risky, risk high, has no unit in location/;
my $some = qr/warn  risky, risk high, does not take all units in location/;
my $at = qr!DIR/nginx\.conf:\d+!;

for my $case (
    [ 'experiment known;', undef, 'a document that says that it knows' ],
    [ 'location /x { experiment risky; }',
      qr/$none \/x, $at: jwt:sub, var:user not in experiment_trusted\n/,
      'nobody' ],
    [ 'location /x { experiment risky; }',
      qr/\n {16}next: experiment_trusted there, where an access-phase /,
      'what to do' ],
    [ 'location ~ "^/v{1}" { experiment layer=risky; }',
      qr/$none ~ \^\/v\{1\}, $at: /, 'by its layer' ],
    [ 'location /x { experiment on; }', qr/$none \/x, /, 'by on' ],
    [ 'location /x { experiment risky; experiment_trusted auth; }',
      qr/$some \/x, $at: var:user not in /, 'auth alone' ],
    [ 'location /x { experiment_trusted $USER; experiment risky; }',
      qr/$some \/x, $at: jwt:sub not in /, 'a variable alone' ],
    [ 'location /x { experiment risky; experiment_trusted auth user; }',
      undef, 'both' ],
    [ 'location /x { experiment risky; } experiment_trusted auth user;',
      undef, 'inherited from what stands behind it' ],
    [ 'experiment_trusted auth user;
       location /x { experiment risky; experiment_trusted other; }',
      qr/$none \/x, /, 'a list replaces the inherited one' ],
    [ 'experiment risky; location /x { }
       location /y { experiment off; location /y/z { experiment_step a; } }
       location /v { }',
      qr/$none \/x, $at and \d more: /, 'inherited, off where it says so' ],
    [ 'location /x { location /x/y { experiment risky; } }',
      qr/$none \/x\/y, /, 'a location in a location' ],
    [ 'location /x { experiment risky; experiment_ofrep open; }', undef,
      'a location that answers by itself' ],
    [ 'location /x { experiment risky; experiment_feedback open; }', undef,
      'one of feedback' ],
    [ 'location /x { experiment risky; experiment_ofrep open;
                     location /x/y { experiment_step a; } }',
      qr/$none \/x\/y, /, 'what is inside it' ],
    [ 'location /x { experiment risky; include %%DIR%%/snippets/both.conf; }',
      undef, 'an included directive' ],
    [ 'location /x { experiment risky; include snippets/both.conf; }
       location /y { experiment risky; include snippets/*uth.conf; }',
      qr/$some \/y, $at: var:user not/, 'a file that two locations include' ],
    [ 'include %%DIR%%/sites/*.conf;',
      qr!$some /site, DIR/sites/a\.conf:1: var:user not!,
      'an included location' ])
{
    my ($text, $want, $name) = @$case;
    my $said = doctor($conf =~ s/(listen 127\.0\.0\.1:%%PORT%%;)/$1 $text/r,
                      '-q');

    if (defined $want) {
        like($said, $want, "high risk - $name");

    } else {
        unlike($said, qr/risk high/, "high risk - $name");
    }
}


# a location that sends another body than the one that is edited

for my $case (
    [ 'location /x { experiment known; proxy_set_body "{}"; }',
      qr/warn  known edits bodies, and location \/x, $at sends another \(proxy_set_body\): its edits are logged as not_sent\n {16}next: take proxy_set_body out there, or experiment_body off/,
      'proxy_set_body' ],
    [ 'proxy_pass_request_body off; location /x { experiment known; }',
      qr/location \/x, .* another \(proxy_pass_request_body off\)/,
      'inherited' ],
    [ 'location /x { experiment known; proxy_pass_request_body on; }', undef,
      'on' ],
    [ 'location /x { experiment known; proxy_set_body "{}"; }
       location /y { experiment known; proxy_set_body "{}"; }',
      qr/location \/x, $at and 1 more send another /, 'two locations' ],
    [ 'location /x { experiment known; proxy_set_body "{}";
       experiment_body off; }', undef, 'no edits are made there' ],
    [ 'experiment_body off; proxy_set_body "{}";
       location /x { experiment known; }', undef, 'nor inherited ones' ],
    [ 'experiment_body off; proxy_set_body "{}";
       location /x { experiment known; experiment_body apply; }',
      qr/location \/x, $at sends another /, 'edits are made there again' ],
    [ 'location /x { experiment triage; proxy_set_body "{}"; }', undef,
      'an experiment that edits no body' ])
{
    my ($text, $want, $name) = @$case;
    my $said = doctor($conf =~ s/(listen 127\.0\.0\.1:%%PORT%%;)/$1 $text/r,
                      '-q');

    if (defined $want) {
        like($said, $want, "another body - $name");

    } else {
        unlike($said, qr/sends? another/, "another body - $name");
    }
}


# where nobody is assigned nobody lacks a unit

my $risky = $conf =~ s/(%%PORT%%;)/$1 location \/x { experiment risky; }/r;

$e->change('pause', 'risky');
my $paused = doctor($risky, '-q');
like($paused, qr/warn  risky, risk high, has no unit/, 'high risk - paused');
unlike($paused, $none, 'high risk - paused, no FAIL');
$e->change('rollback', 'risky');
unlike(doctor($risky, '-q'), qr/risk high/, 'high risk - rolled back');

$e->stage($_, 'off') for qw(risky known);

mkdir "$dir/elsewhere";
check($conf =~ s/%%HTTP%%/plain()/er,
    qr/\A1 .*FAIL  experiment_registry is 'DIR\/elsewhere'/s,
    'another registry');

SKIP: {
    skip 'the module is built in', 1 if $ENV{EDGE_STATIC};
    check($conf =~ s/load_module//r =~ s/%%MAIN%%/%%BARE%%/r,
        qr/\A1 .* refuses its configuration: unknown directive "experiment_re/s,
        'no module - what nginx says');
}

check('%%BARE%% http { %%TEMP%% }',
    qr/\A1 .*nginx     FAIL  \S+ does not load the module\n/s,
    'nginx without the module');

SKIP: {
    skip 'the module is built in', 1 if $ENV{EDGE_STATIC};
    my $so = $e->read_file(Edge::module());
    $so =~ s/(\d+,\d+,\d+,[01]{20,})([01])\0/$1 . (1 - $2) . "\0"/e
        or die "no signature in the module\n";
    my $bad = $e->file('ngx_http_experiment_module.so', $so);
    check($conf =~ s/%%MAIN%%/load_module "$bad"; %%BARE%%/r,
        qr/\A1 .*FAIL .*is\s+not\s+binary\s+compatible/s,
        'a module for another nginx');
}


# the log

my @formats = (
    [ q{escape=none}, q{escape=json},
      qr/ log_format experiment in .* has escape=json/,
      'another escape' ],
    [ q{escape=none '}, q{'},
      qr/ log_format experiment in .* has escape=default/,
      'no escape' ],
    [ q{'$experiment_json'}, q{'$http_x $experiment_json'},
      qr/FAIL  log_format experiment in .* has more in it/,
      'more in the line' ],
    [ q{experiment if=$experiment_on}, q{combined},
      qr/FAIL  no access_log writes \$experiment_json\n/, 'nobody writes it' ],
);

for my $case (@formats) {
    my ($from, $to, $want, $name) = @$case;
    my $text = $e->fill($conf);

    $text =~ s/\Q$from\E/$to/ or die "no $from\n";
    check($text, qr/\A1 .*$want/s, "log - $name");
}

check($e->fill($conf) =~ s!/log/experiment\.log!/html/x.log!r,
    qr/warn  access_log 'DIR\/html\/x\.log' is not among/,
    'log - not where analyze reads');

my $log = "$dir/log/experiment.log";
my $line = $e->read_file($log);

for my $case (
    [ $line =~ s/"/\\x22/gr, qr/FAIL  the last line of .* is escaped/,
      'escaped' ],
    [ "10.0.0.1 $line", qr/FAIL  the last line of .* has more/, 'more' ],
    [ $line =~ s/"status":/"status":x/r,
      qr/FAIL  the last line of .* cannot be read/, 'broken' ],
    [ $line =~ s/"key_id":"$kid"/"key_id":"00000000"/r,
      qr/^keys      FAIL  $kid, but the last line of the log has 00000000/m,
      'another key' ],
    [ $line . '{"kind":"requ', qr/^log       ok /m, 'half a line behind it' ],
    [ '', qr/^log       warn  there is no line/m, 'empty' ])
{
    my ($text, $want, $name) = @$case;

    $e->file($log, $text);
    check($conf, $want, "log - $name");
}

$e->file($log, $line);


# modes, the serving copy, the keys

my $keys = $e->registry . '/keys';
chmod 0644, $keys;
check($conf, qr/\A1 .*^keys      FAIL  'DIR\/edge\/keys' is 0644/ms,
    'keys that others read');
chmod 0600, $keys;

my $current = $e->registry . '/serving/current';
my $old = $e->read_file($current);
chmod 0660, $current;
check($conf, qr/\A1 .*^serving   FAIL  .* that others cannot write/ms,
    'a serving copy that others write');
chmod 0600, $current;

SKIP: {
    skip 'root alone knows another user', 1 if $> != 0;
    check($conf, qr/^serving   FAIL  $user cannot read it/m,
        'a serving copy that workers cannot read');
}

chmod 0640, $current;

# without a line user the workers are whoever nginx was built for

my $built = `$binary -V 2>&1` =~ /--user=([^\s']+)/ ? $1 : 'nobody';

SKIP: {
    skip 'root alone knows another user', 2 if $> != 0;
    skip "the registry is for $built", 2 if $built eq $user;

    my $no_user = $e->fill($conf) =~ s/\buser \Q$user\E [^;]*;//r;

    check($no_user,
        qr/^serving   FAIL  $built \(nginx\.conf has no user line\) cannot/m,
        'no line user - the user of nginx -V');
    check($no_user, qr/\n {16}next: user NAME; in nginx\.conf, or expctl init /,
        'no line user - what to do');
}

$e->file($current, $old =~ s/"txn":\d+/"txn":1/r);
check($conf, qr/^serving   FAIL  .*\n +next: expctl init\n/m,
    'a serving copy that is not the last');

my ($file) = $old =~ /"file":"([^"]+)"/;
$e->file($current, $old);
my $copy = $e->registry . "/serving/$file";
my $bytes = $e->read_file($copy);
$e->file($copy, $bytes =~ s/control/contrul/r);
check($conf, qr/^serving   FAIL  .* has not the published SHA-256/m,
    'a serving copy that was changed');
$e->file($copy, $bytes);

$e->conf($conf);
is((doctor($conf) =~ /\A(\d)/)[0], 0, 'all is put back');

$e->done;


# The harness's http block with another registry.

sub plain {
    my $text = $e->fill('%%HTTP%%');
    my $registry = $e->registry;

    $text =~ s!registry "\Q$registry\E"!registry "$dir/elsewhere"!;
    return $text;
}
