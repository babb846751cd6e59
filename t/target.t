#!/usr/bin/perl
# Targeting, segments and windows in a real nginx, and the same answers from
# expctl explain.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

use Edge;

my $e = Edge->new;
my $json = JSON::PP->new->utf8;

$e->upstream(reply => sub { return { body => '{}' } });
$e->init;


sub doc {
    my ($name, %more) = @_;

    return {
        name => $name, unit => 'header:X-Id', layer => $name,
        variants => [
            { name => 'control' },
            { name => 'b', headers => { request => {
                set => { "X-$name" => 'b' } } } },
        ],
        %more,
    };
}

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        large_client_header_buffers 4 16k;

        location /tgt { experiment tgt; proxy_pass http://up; }
        location /seg { experiment seg; proxy_pass http://up; }
        location /early {
            experiment seg;
            add_header X-Reason $experiment_reason;
            proxy_pass http://up;
        }
        location /refused {
            experiment seg;
            if ($experiment_reason = assigned) { return 403; }
            proxy_pass http://up;
        }
        location /win { experiment win; proxy_pass http://up; }
    }
}
EOC


# Each operator: nginx and explain say the same, and it is what is wanted.

my @targets = (
    [ 'regex', '^(acme|globex)-\d+$',
      { 'acme-1' => 1, 'globex-22' => 1, 'acme-' => 0, 'xacme-1' => 0,
        'acme-1x' => 0, 'ACME-1' => 0, "acme-1\xff" => 0, "acme-\xd9\xa1" => 0,
        'a' x 256 => 0 } ],
    [ 'regex', '^caf.$', { "caf\xc3\xa9" => 1, "caf\xe9" => 0, 'cafe' => 1 } ],
    [ 'regex', '^(a|a)*$', { 'aaaa' => 1, 'a' x 255 . 'b' => 0 } ],
    [ 'gt', '9.5', { '9.5' => 0, '9.50000000000000000001' => 1, '1e1' => 1,
                     '10' => 1, '9' => 0, 'ten' => 0, '0x10' => 0, '+10' => 0,
                     '010' => 0, '-10' => 0, '1e999999999999' => 1 } ],
    [ 'lt', '9007199254740993', { '9007199254740992' => 1,
                                  '9007199254740993' => 0, 'zero' => 0,
                                  '-1' => 1, '' => 0 } ],
    [ 'cidr', '10.0.0.0/8',
      { '10.1.2.3' => 1, '11.1.2.3' => 0, '::ffff:10.1.2.3' => 1,
        '::ffff:b01:203' => 0, '10.1.2.3:80' => 0, '10.1.2.3%eth0' => 0,
        '10.1.2.3, 10.1.2.4' => 0, '010.1.2.3' => 0, '[::1]' => 0 } ],
    [ 'cidr', '2001:db8::/33',
      { '2001:db8::1' => 1, '2001:DB8:7fff::' => 1, '2001:db8:8000::' => 0,
        '::' => 0, '2001:db8::1%1' => 0, '10.1.2.3' => 0 } ],
);

my $n = 0;

for my $row (@targets) {
    my ($op, $value, $cases) = @$row;

    $e->apply(doc('tgt', targeting => [
        { attribute => 'header:X-A', op => $op, value => $value } ]),
        [ $n ? '--new-phase' : () ]);
    $e->stage('tgt', 'ab', '--exposure', '1') unless $n++;

    for my $a (sort keys %$cases) {
        my $want = $cases->{$a} ? 'assigned' : 'not_targeted';
        my $shown = length $a > 40 ? substr($a, 0, 40) . '...' : $a;
        my $said = $json->decode($e->must('explain', 'tgt', 'u', '-o', 'json',
                                          '--header', "X-A: $a"));

        $e->get('/tgt', 'X-Id', 'u', 'X-A', $a);
        is($e->log_next->{experiments}[0]{reason}, $want,
           "$op $value - '$shown'");
        is($said->{reason}, $want, "$op $value - '$shown', explained");
        is($said->{targeting}[0]{holds} ? 1 : 0, $cases->{$a},
           "$op $value - '$shown', the condition");
    }

    $e->get('/tgt', 'X-Id', 'u');
    is($e->log_next->{experiments}[0]{reason}, 'not_targeted',
       "$op $value - absent");
}

$e->apply(doc('tgt', targeting => [
    { attribute => 'var:remote_addr', op => 'cidr', value => '127.0.0.0/8' },
    { attribute => 'json:/tier', op => 'gt', value => '2' },
    { attribute => 'json:/user', op => 'regex', value => '^u\x{1F600}$' } ]),
    [ '--new-phase' ]);

for my $case ([ '{"tier":3,"user":"u\ud83d\ude00"}', 'assigned' ],
    [ '{"tier":2,"user":"u\ud83d\ude00"}', 'not_targeted' ],
    [ '{"tier":"2.5","user":"u\ud83d\ude00"}', 'assigned' ],
    [ '{"tier":3,"user":"u\u0000"}', 'not_targeted' ],
    [ '{"tier":3,"tier":3,"user":"u\ud83d\ude00"}', 'not_targeted' ])
{
    $e->post('/tgt', $case->[0], 'X-Id', 'u');
    is($e->log_next->{experiments}[0]{reason}, $case->[1],
       "address and body - $case->[0]");
}


# A pattern that clients can make backtrack into its limits: memory is flat.

$e->apply(doc('tgt', targeting => [
    { attribute => 'header:X-A', op => 'regex',
      value => '(?:(a)|b)*c|x' . '()' x 60 } ]), [ '--new-phase' ]);

sub hammer {
    my $c = $e->client;

    for (1 .. 20) {
        $c->send(join '', map { Edge::Client->request('GET', '/tgt', undef,
            'X-Id', 'u', 'X-A', 'a' x 255 . 'c') } 1 .. 10);
        $c->response for 1 .. 10;
    }
    $c->close;
}

sub private {
    my ($pid) = $e->workers;
    return $e->read_file("/proc/$pid/status") =~ /^VmData:\s+(\d+)/m ? $1 : 0;
}

hammer();
my $before = private();
hammer() for 1 .. 5;

SKIP: {
    skip 'a sanitizer keeps what was freed', 1 if $ENV{EDGE_STATIC};
    cmp_ok(private() - $before, '<=', 256,
           'pattern at its limit - memory is flat');
}
$e->log_next(6 * 200);      # all of them, before the next one is asked for
$e->get('/tgt', 'X-Id', 'u', 'X-A', 'a' x 255 . 'c');
is($e->log_next->{experiments}[0]{reason}, 'not_targeted',
   'pattern at its limit - no match');
$e->get('/tgt', 'X-Id', 'u', 'X-A', 'ac');
is($e->log_next->{experiments}[0]{reason}, 'assigned',
   'pattern - a shorter value matches');


# Segments.

my $seg = doc('seg',
    variants => [
        { name => 'control' },
        { name => 'b', headers => { request => {
            remove => [ 'X-Tenant' ] } } } ],
    segments => {
        tenant => { source => 'header:X-Tenant', values => [ 'acme', 'a"b' ],
                    critical => [ 'acme' ] },
        free => 'header:X-Free',
        plan => 'cookie:plan',
        from => 'var:remote_addr',
        tier => 'json:/tier',
        vip => { source => 'header:X-Id', values => [ 'vip-1' ] },
    });
$e->apply($seg);

is_deeply(segments('X-Id', 'u', 'X-Tenant', 'acme'), undef,
    'segments - not while it is off');

$e->stage('seg', 'ab', '--exposure', '0.5');

my $b = $e->unit('seg', variant => 'b', exposed => 1);
my $out = $e->unit('seg', reason => 'not_exposed');

sub segments {
    my (@headers) = @_;

    $e->get('/seg', @headers);
    return $e->log_next->{experiments}[0]{segments};
}

is_deeply(segments('X-Id', $b, 'X-Tenant', 'acme', 'X-Free', 'f', 'Cookie',
                   'a=1; plan=pro'),
    { tenant => 'acme', free => 'f', plan => 'pro', from => '127.0.0.1',
      vip => 'other' }, 'segments - each source, before headers are edited');
is($e->received->header('X-Tenant'), undef, '... which are edited then');

for my $unit ($b, $out) {
    is_deeply(segments('X-Id', $unit, 'X-Tenant', 'initech'),
        { tenant => 'other', from => '127.0.0.1', vip => 'other' },
        "segments - not listed is other, $unit");
}

is(segments('X-Id', $b, 'X-Tenant', 'a"b')->{tenant}, 'a"b',
    'segments - escaped, listed');
is(segments('X-Id', $b, 'X-Free', "q\"\\\x7f\xff\xe2\x80\xa8")->{free},
    "q\"\\\x7f\x{fffd}\x{2028}", 'segments - escaped, as found');
is(segments('X-Id', $b, 'X-Free', 'x' x 256)->{free}, 'x' x 256,
    'segments - 256 bytes');
ok(!exists segments('X-Id', $b, 'X-Free', $b)->{free},
   'segments - what is a unit is not logged');
ok(!exists segments('X-Id', $b, 'X-Free', 'x' x 257)->{free},
    'segments - 257 bytes are no value');
ok(!exists segments('X-Id', $b, 'X-Free', '1', 'X-Free', '1')->{free},
    'segments - a header twice is none');
is(segments('X-Id', 'vip-1')->{vip}, 'vip-1',
    "segments - a listed value of the unit's own source");
is_deeply(segments('X-Tenant', 'acme'), undef, 'segments - no unit, none');

my $raw = $e->read_file('log/experiment.log');
ok(index($raw, $b) == -1 && index($raw, $out) == -1,
    'segments - no raw unit in the log');
unlike($raw, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'segments - no control in the log');


# From the body, in every arm; a request without one has none.

for my $unit ($b, $e->unit('seg', variant => 'control', exposed => 1), $out) {
    my $body = '{"tier":"gold", "n":1.0}';

    $e->post('/seg', $body, 'X-Id', $unit);
    my $line = $e->log_next;
    is($line->{experiments}[0]{segments}{tier}, 'gold', "body - found, $unit");
    is($line->{body}, 'unchanged', "body - read, $unit");
    is($e->received->{body}, $body, "body - every byte, $unit");

    $e->post('/seg', '{"tier":["gold"]}', 'X-Id', $unit);
    ok(!exists $e->log_next->{experiments}[0]{segments}{tier},
        "body - no string, $unit");

    $e->post('/seg', '{"tier":"gold","tier":"gold"}', 'X-Id', $unit);
    $line = $e->log_next;
    ok(!exists $line->{experiments}[0]{segments}{tier},
        "body - twice, $unit");
    is($line->{body}, 'unchanged', "body - twice, and good all the same, $unit");

    $e->post('/seg', '{"tier":', 'X-Id', $unit, 'X-Tenant', 'acme');
    $line = $e->log_next;
    ok(!exists $line->{experiments}[0]{segments}{tier},
        "body - cannot be read, $unit");
    is($line->{experiments}[0]{segments}{tenant}, 'acme',
        "body - the others are there, $unit");
}

$e->post('/early', '{"tier":"gold"}', 'X-Id', $b, 'X-Tenant', 'acme');
is_deeply($e->log_next->{experiments}[0]{segments},
    { tenant => 'acme', from => '127.0.0.1', tier => 'gold',
      vip => 'other' }, 'segments - assigned early, the body later');

$e->post('/refused', '{"tier":"gold"}', 'X-Id', $b, 'X-Tenant', 'acme');
is_deeply($e->log_next->{experiments}[0]{segments},
    { tenant => 'acme', from => '127.0.0.1', vip => 'other' },
    'segments - answered before the body was read');


# They change nothing that a unit gets, so that no new phase is needed.

$seg->{segments} = { tenant => 'header:X-Tenant' };
like($e->must({ stdin => $json->encode($seg) }, 'apply', '-f', '-'),
    qr/^seg: revision 1 -> 2, phase 1,/, 'segments - no new phase');
$e->sync;
is_deeply(segments('X-Id', $b, 'X-Tenant', 'initech'),
    { tenant => 'initech' }, 'segments - changed while live');
is_deeply(segments('X-Id', $b), undef, 'segments - absent where empty');

for my $stage ([ 'pause', 'paused' ], [ 'rollback', 'rolled_back' ]) {
    $e->change($stage->[0], 'seg', '-m', 'test');
    $e->get('/seg', 'X-Id', $b, 'X-Tenant', 'acme');
    my $x = $e->log_next->{experiments}[0];
    is($x->{reason}, $stage->[1], "segments - $stage->[1]");
    is_deeply($x->{segments}, { tenant => 'acme' },
        "segments - $stage->[1], beside the unit");
}


# explain says what would be logged.

$e->apply(doc('said', segments => {
    tenant => { source => 'header:X-Tenant', values => [ 'acme' ] },
    free => 'header:X-Free' }));

my @said = ('--header', 'X-Tenant: initech', '--header', "X-Free: a\x1b");
like($e->must('explain', 'said', 'u', @said),
    qr/^segment\ free\ \ not\ logged,\ found\ "a\\x1b"\n
       segment\ tenant\ \ not\ logged,\ found\ "initech"\n/mx,
    'explain - off, not logged');

$e->stage('said', 'ab', '--exposure', '1');
like($e->must('explain', 'said', 'u', '--header', 'X-Tenant: initech'),
    qr/^segment free  not there\nsegment tenant  "other", found "initech"\n/m,
    'explain - other');
like($e->must('explain', 'said', 'u', '--header', 'X-Tenant: acme'),
    qr/^segment tenant  "acme"\n/m, 'explain - listed');

my $j = $json->decode($e->must('explain', 'said', 'u', '-o', 'json', @said));
is_deeply($j->{segments}, {
    free => { found => "a\x1b", logged => "a\x1b" },
    tenant => { found => 'initech', logged => 'other' } }, 'explain - json');
$j = $json->decode($e->must('explain', 'said', '', '-o', 'json'));
is_deeply($j->{segments}, {
    free => { found => undef, logged => undef },
    tenant => { found => undef, logged => undef } }, 'explain - json, none');


# Windows: any offset, stored in UTC; another spelling is no change.

my $win = doc('win', windows => [
    { from => '2026-11-20t10:30:00.000+01:30', to => '2026-11-20T09:00:01Z' },
    { from => '2026-11-20T23:00:00-02:00', to => '2026-11-21T02:00:00z' } ]);
$e->apply($win);
$e->stage('win', 'ab', '--exposure', '1');

my $stored = $json->decode($e->must('get', 'win'));
is_deeply($stored->{windows}, [
    { from => '2026-11-20T09:00:00Z', to => '2026-11-20T09:00:01Z' },
    { from => '2026-11-21T01:00:00Z', to => '2026-11-21T02:00:00Z' } ],
    'windows - stored in UTC');
like($e->must({ stdin => $json->encode($win) }, 'apply', '-f', '-'),
    qr/^win: unchanged, revision 1\n/, 'windows - the same file again');

for my $case ([ '2026-11-20T08:59:59Z', 0 ], [ '2026-11-20T09:00:00Z', 1 ],
    [ '2026-11-20T09:00:00.999Z', 1 ], [ '2026-11-20T10:00:00+01:00', 1 ],
    [ '2026-11-20T09:00:01Z', 0 ], [ '2026-11-21T00:59:59Z', 0 ],
    [ '2026-11-21T01:59:59Z', 1 ], [ '2026-11-21T02:00:00Z', 0 ])
{
    like($e->must('explain', 'win', 'u', '--at', $case->[0]),
        $case->[1] ? qr/, assigned$/m : qr/^control, outside_window$/m,
        "windows - at $case->[0]");
}

$j = $json->decode($e->must('explain', 'win', 'u', '--at',
                            '2026-11-21T01:30:00Z', '-o', 'json'));
is_deeply([ map { $_->{holds} ? 1 : 0 } @{ $j->{window} } ], [ 0, 1 ],
    'windows - which one holds');


# One that opens and shuts while requests come: each line is judged by its
# own time, from inclusive, to exclusive.

sub utc { return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

my (%seen, @wrong);

# A host that stands still for a second has one more try.
for (1 .. 3) {
    my $from = int(time) + 2;

    $win->{windows} = [ map { { from => utc($from + $_),
                                to => utc($from + $_ + 1) } } 0, 2 ];
    $e->apply($win);
    $e->log_skip;
    %seen = ();

    $e->wait_for(sub {
        $e->get('/win', 'X-Id', 'u');
        my $line = $e->log_next;
        my $t = substr($line->{time}, 0, 19) . 'Z';
        my $part = $t lt utc($from) ? 'before'
                 : $t lt utc($from + 1) ? 'first'
                 : $t lt utc($from + 2) ? 'between'
                 : $t lt utc($from + 3) ? 'second' : 'after';
        my $want = $part eq 'first' || $part eq 'second' ? 'assigned'
                                                         : 'outside_window';
        my $got = $line->{experiments}[0]{reason};

        push @wrong, "$line->{time} $got" if $got ne $want;
        $seen{$part}++;
        return $seen{after};
    });

    last if keys %seen == 5;
}

is(join(' ', sort keys %seen), 'after before between first second',
    'windows - seen from before to after');
is(join(' ', grep { defined } @wrong[ 0 .. 3 ]), '', 'windows - each line by its own time');
is($e->received->header('X-win'), undef,
    'windows - shut, and nothing is edited');

$e->done;
