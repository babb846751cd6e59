#!/usr/bin/perl
# Trace linkage: traceparent passed or made, baggage, the edge's own id, the
# assignment in the answer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;
use Edge::H2;

my $trace = '0af7651916cd43dd8448eb211c80319c';
my $span = 'b7ad6b7169203331';
my $valid = "00-$trace-$span-01";
my $made = qr/^00-([0-9a-f]{32})-([0-9a-f]{16})-01\z/;

my $settled = 0;
my $e = Edge->new;

$e->upstream(reply => sub {
    my ($r) = @_;

    return { status => $r->{uri} =~ m{/(\d+)\z}, body => '' }
        if $r->{uri} =~ m{/\d+\z};
    return { body => '{}', headers => [
        'X-Experiment-Request-Id', 'forged', 'X-Experiment-Is', 'forged/a',
        'X-Is', 'forged/a', 'X-Is', 'forged/b' ] };
});
$e->upstream(name => 'BAD', reply => sub {
    return { status => 503, body => '' } });
$e->init;
$e->apply(map { { name => $_->[0], unit => 'header:X-Id',
    layer => $_->[1], variants => [
        { name => 'control' },
        { name => $_->[2], headers => { request => {
            set => { "X-$_->[1]" => 'b' } } } } ] } }
    [ 'tone', 'b-layer', 'concise' ], [ 'Size.of-it', 'a-layer', 'v_2' ]);
$e->apply(
    { name => 'sets', layer => 'd-layer', unit => 'header:X-Id', variants => [
        { name => 'control' },
        { name => 'b', allow_many => JSON::PP::true(),
          headers => { request => { set => {
            'Traceparent' => "00-$trace-0000000000000001-00",
            'Baggage' => 'mine=1' } } } } ] },
    { name => 'pending', layer => 'e-layer', unit => 'json:/id', variants => [
        { name => 'control' },
        { name => 'b', overrides => { default => { temperature => 0 } } } ] },
    { name => 'edits', layer => 'f-layer', unit => 'header:X-Id', variants => [
        { name => 'control' },
        { name => 'b', overrides => { default => { top_p => 0 } } } ] });
$e->must('stage', 'tone', 'ab', '--exposure', '0.5');
$e->must('stage', 'Size.of-it', 'ab', '--exposure', '0.5');
$e->must('stage', $_, 'ab') for 'sets', 'pending', 'edits';

my $locations = <<'EOC';
        location /pass { experiment tone; proxy_pass http://up; }
        location /create {
            experiment tone;
            experiment_traceparent create;
            set $early "$experiment_trace_id";
            add_header X-Trace "$experiment_trace_id";
            add_header X-Early "$early";
            proxy_pass http://up;
        }
        location /look {
            experiment tone;
            set $early "$experiment_trace_id";
            add_header X-Trace "$experiment_trace_id";
            add_header X-Early "$early";
            proxy_pass http://up;
        }
        location /off {
            experiment tone;
            experiment_traceparent off;
            add_header X-Trace "$experiment_trace_id";
            proxy_pass http://up;
        }
        location /none {
            experiment off;
            experiment_traceparent create;
            experiment_baggage on;
            experiment_response_header X-Is;
            add_header X-Trace "$experiment_trace_id";
            proxy_pass http://up;
        }
        location /keep {
            experiment tone;
            experiment_strip_headers off;
            experiment_baggage on;
            proxy_intercept_errors on;
            proxy_pass http://up;
            error_page 503 = /gone;
        }
        location /gone { experiment off; proxy_pass http://up; }
        location /conf {
            experiment tone;
            experiment_traceparent create;
            proxy_pass http://up;
            proxy_set_header traceparent "conf";
            proxy_set_header X-Experiment-Request-Id "";
        }
        location /deny {
            experiment tone;
            experiment_traceparent create;
            experiment_response_header X-Is;
            set $early "$experiment_assignments";
            deny all;
        }
        location /sets {
            experiment sets;
            experiment_baggage on;
            proxy_pass http://up;
        }
        location /baggage {
            experiment layer=a-layer layer=b-layer;
            experiment_baggage on;
            proxy_pass http://up;
        }
        location /pair {
            experiment tone;
            experiment_traceparent create;
            experiment_baggage on;
            proxy_next_upstream http_503;
            proxy_pass http://pair;
        }
        location /fallback {
            experiment tone;
            experiment_traceparent create;
            experiment_baggage on;
            experiment_response_header X-Is;
            proxy_pass http://up;
            proxy_intercept_errors on;
            error_page 502 = @none;
            error_page 404 = /none;
        }
        location @none { experiment off; proxy_pass http://pair; }
        location /answer {
            experiment tone;
            experiment_response_header X-Is;
            proxy_pass http://up;
        }
        location /ours {
            experiment layer=a-layer layer=b-layer;
            experiment_response_header X-Experiment-Is;
            proxy_pass http://up;
        }
        location /inherit {
            experiment_response_header X-Outer;
            location /inherit/off {
                experiment tone;
                experiment_response_header off;
                proxy_pass http://up;
            }
            location /inherit/on { experiment tone; proxy_pass http://up; }
        }
        location /cache {
            experiment tone;
            experiment_response_header X-Is;
            proxy_cache c;
            proxy_cache_key $uri;
            proxy_cache_valid any 1m;
            add_header X-Cache "$upstream_cache_status";
            proxy_pass http://up;
        }
        location /pending {
            experiment pending;
            experiment_baggage on;
            experiment_response_header X-Is;
            proxy_pass http://up;
        }
        location /reject {
            experiment edits;
            experiment_traceparent create;
            experiment_body_error reject;
            experiment_response_header X-Is;
            proxy_pass http://up;
        }
        location /static {
            experiment tone;
            experiment_response_header X-Is;
            alias "%%DIR%%/html/";
        }
EOC

my $conf = <<"EOC";
%%MAIN%%
http {
    %%HTTP%%
    large_client_header_buffers 4 32k;
    underscores_in_headers on;
    proxy_cache_path "%%DIR%%/tmp/cache" keys_zone=c:1m;
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    upstream pair {
        server 127.0.0.1:%%PORT_BAD%% max_fails=0;
        server 127.0.0.1:%%PORT_UP%% backup;
    }
    server { listen 127.0.0.1:%%PORT%%; $locations }
    server { listen 127.0.0.1:%%PORT_H2%% http2; $locations }
}
EOC

$e->run($conf);

my $concise = $e->unit('tone', variant => 'concise', exposed => 1);
my $control = $e->unit('tone', variant => 'control', exposed => 1);
my $out = $e->unit('tone', reason => 'not_exposed');

my @table = traceparents();


# traceparent, as it comes.

my ($r, $got);

for my $row (@table) {
    my ($sent, $id, $text) = @$row;
    my @headers = map { ('Traceparent', $_) } @$sent;

    for my $where (qw(/pass /off)) {
        $e->get($where, @headers, 'tracestate', 'a=1', 'X-Id', $concise);
        $got = $e->received;
        is_deeply([ $got->header('traceparent') ], $sent,
            "$where - $text, as it came");
        is($got->header('tracestate'), 'a=1', "$where - $text, tracestate");
        is($e->log_next->{trace_id}, $where eq '/off' ? undef : $id,
            "$where - $text, logged");
    }

    # Made, where there is none that is valid.
    $r = $e->get('/create', @headers, 'tracestate', 'a=1', 'tracestate',
                    'b=2', 'X-Id', $concise);
    $got = $e->received;
    my @got = $got->header('traceparent');
    my $line = $e->log_next;

    if (defined $id) {
        is_deeply(\@got, $sent, "/create - $text, as it came");
        is(join(' ', $got->header('tracestate')), 'a=1 b=2',
            "/create - $text, tracestate");
        is($line->{trace_id}, $id, "/create - $text, logged");
        is($r->header('X-Early'), $id, "/create - $text, before the handler");

    } else {
        is(scalar(@got), 1, "/create - $text, one");
        like($got[0], $made, "/create - $text, made");
        is(scalar(() = $got->header('tracestate')), 0,
            "/create - $text, no tracestate");
        is($line->{trace_id}, $got[0] =~ s/$made/$1/r,
            "/create - $text, logged");
        is($r->header('X-Early') // '', '',
            "/create - $text, before the handler");
    }

    is($r->header('X-Trace'), $line->{trace_id},
        "/create - $text, the variable");
}

$r = $e->get('/look', 'traceparent', $valid);
is($r->header('X-Early'), $trace, 'pass - the variable, early');
is($r->header('X-Trace'), $trace, 'pass - the variable, late');
like(raw_line(), qr/,"trace_id":"$trace"\}\z/, 'log - the last member');

$r = $e->get('/off', 'traceparent', $valid);
is($r->header('X-Trace') // '', '', 'off - the variable is not found');
unlike(raw_line(), qr/trace_id/, 'off - no member');

$r = $e->get('/none', 'traceparent', 'x', 'baggage', 'a=1', 'X-Id', $concise);
$got = ($e->received)[-1];
is($got->header('traceparent'), 'x', 'experiment off - nothing is made');
is($got->header('baggage'), 'a=1', 'experiment off - no baggage');
is(scalar(() = $got->header('X-Experiment-Request-Id')), 0,
    'experiment off - no id');
is(join(' ', $r->header('X-Is')), 'forged/a forged/b',
    'experiment off - the answer is the upstream\'s');
is($r->header('X-Trace') // '', '', 'experiment off - no variable');

$e->get('/conf', 'X-Id', $concise);
$got = $e->received;
is($got->header('traceparent'), 'conf', 'proxy_set_header wins');
is(scalar(() = $got->header('X-Experiment-Request-Id')), 0,
    'proxy_set_header - without the id');
settle();

my $sets = $e->unit('sets', variant => 'b', exposed => 1);
$e->get('/sets', 'traceparent', $valid, 'baggage', 'a=1', 'X-Id', $sets);
$got = $e->received;
is($got->header('traceparent'), "00-$trace-0000000000000001-00",
    'what a variant sets goes upstream');
is(join('|', $got->header('baggage')), 'mine=1,experiment.sets=b',
    'what a variant sets, and ours');
is($e->log_next->{trace_id}, $trace, 'what a variant sets is logged');

$r = $e->get('/deny', 'traceparent', $valid, 'X-Id', $concise);
is($r->{status}, 403, 'refused before the handler');
is($e->log_next->{trace_id}, $trace, 'refused - the client\'s is logged');
is(scalar(() = $r->header('X-Is')), 0, 'refused - no assignment');
$e->get('/deny', 'traceparent', 'x');
is($e->log_next->{trace_id}, undef, 'refused - none is made');

# No two are alike, also behind a reload.
my (%traces, %spans);
for my $round (1 .. 2) {
    $e->get('/create') for 1 .. 100;
    for my $got ($e->received) {
        my ($t, $s) = $got->header('traceparent') =~ $made;
        $traces{$t}++;
        $spans{$s}++;
    }
    $e->reload if $round == 1;
}
is(scalar(keys %traces), 200, 'made - no trace twice, also behind a reload');
is(scalar(keys %spans), 200, 'made - no span twice');
$e->log_next(200);


# The edge's own id.

for my $row ([ $concise, 'exposed' ], [ $control, 'control' ],
             [ $out, 'not exposed' ], [ '', 'no unit' ])
{
    my ($unit, $text) = @$row;

    $r = $e->get('/pass', 'X-Id', $unit, 'X-Experiment-Request-Id', 'mine',
        'x_experiment_request_id', 'mine');
    is(join('|', map { $_->[1] } grep { $_->[0] =~ /request.id/i }
        @{ $e->received->{headers} }), $e->log_next->{id},
        "request id - $text, the log's");
    is(scalar(() = $r->header('X-Experiment-Request-Id')), 0,
        "request id - $text, not back");
}

$e->get('/off', 'X-Id', $concise);
is(scalar(() = $e->received->header('X-Experiment-Request-Id')), 0,
    'request id - not with experiment_traceparent off');
$e->get('/keep', 'X-Id', $concise, 'X-Experiment-Request-Id', 'outer');
is(join('|', $e->received->header('X-Experiment-Request-Id')), 'outer',
    'request id - an outer edge\'s, where it passes');
settle();


# baggage

my $two = both('concise', 'v_2');
my $ours = 'experiment.Size.of-it=v_2,experiment.tone=concise';

for my $row (
    [ [ ], $ours, 'none of the client' ],
    [ [ 'a=1' ], "a=1,$ours", 'behind the client\'s' ],
    [ [ 'a=1;p, b = 2;q=%2C' ], "a=1;p, b = 2;q=%2C,$ours", 'byte for byte' ],
    [ [ 'a=1', 'b=2' ], "a=1,b=2,$ours", 'one line of two' ],
    [ [ '', ' , ', 'a=1' ], "a=1,$ours", 'empty ones' ],
    [ [ "caf\xe9=1" ], "caf\xe9=1,$ours", 'any bytes' ],
    [ [ 'experiment.tone=forged' ], $ours, 'a forged one' ],
    [ [ 'experiment.tone=forged,a=1' ], "a=1,$ours", 'a forged one first' ],
    [ [ members(62) ], members(62) . ",$ours", 'as many as may be' ],
    [ [ members(63) ], members(63), 'too many: ours are not there' ],
    [ [ members(40), members(22) ], members(40) . ',' . members(22) . ",$ours",
      'as many in two lines' ],
    [ [ members(40), members(23) ], members(40) . '|' . members(23),
      'too many in two lines: both as they were' ],
    [ [ long(8191 - length $ours) ], long(8191 - length $ours) . ",$ours",
      'as long as may be' ],
    [ [ long(8192 - length $ours) ], long(8192 - length $ours),
      'too long: ours are not there' ])
{
    my ($sent, $want, $text) = @$row;

    $e->get('/baggage', 'X-Id', $two, map { ('Baggage', $_) } @$sent);
    is(join('|', $e->received->header('baggage')), $want, "baggage - $text");
}

is(scalar(() = $e->error_log =~ /\[info\].*leaves no room for experiments/g),
    3, 'baggage - what was too much is told');

$e->get('/baggage', 'X-Id', both('concise', ''), 'Baggage', 'a=1');
is($e->received->header('baggage'), 'a=1,experiment.tone=concise',
    'baggage - one experiment of two');
$e->get('/pair', 'X-Id', $control);
is($e->received->header('baggage'), 'experiment.tone=control',
    'baggage - control');
$e->get('/pair', 'X-Id', $out, 'Baggage', 'a=1');
is($e->received->header('baggage'), 'a=1', 'baggage - not exposed');
$e->get('/pair', 'X-Id', $out);
is(scalar(() = $e->received->header('baggage')), 0,
    'baggage - not exposed, no header');
$e->get('/pass', 'X-Id', $concise);
is(scalar(() = $e->received->header('baggage')), 0, 'baggage - off');
settle();

# Where the unit comes with the body.
my $pending = $e->unit('pending', variant => 'b', exposed => 1);
$r = $e->post('/pending', qq({"id":"$pending"}));
is($e->received->header('baggage'), 'experiment.pending=b',
    'baggage - from the body');
is(join('|', $r->header('X-Is')), 'pending/b', 'answer - from the body');
settle();

$r = $e->post('/reject', '{', 'X-Id', 'u-1', 'traceparent', $valid);
my $line = $e->log_next;
is($r->{status}, 400, 'a refused body');
is(join('|', $r->header('X-Experiment-Request-Id')), $line->{id},
    'a refused body - the id goes back');
like($r->header('X-Is'), qr/\Aedits\/(?:control|b)\z/,
    'a refused body - the assignment');
is($line->{trace_id}, $trace, 'a refused body - logged');


# Another upstream, another location: the same.

my @forged = ('baggage', 'experiment.tone=forged,a=1',
              'X-Experiment-Request-Id', 'forged', 'tracestate', 'x=1');

for my $row ([ '/pair', 'proxy_next_upstream', 'BAD UP' ],
             [ '/fallback/502', 'a named location', 'UP BAD' ],
             [ '/fallback/404', 'an internal redirect', 'UP UP' ])
{
    my ($uri, $text, $names) = @$row;

    settle();
    $r = $e->get($uri, 'X-Id', $concise, @forged);
    $line = $e->log_next;
    my ($first, $second, @more) = arrived($names);

    is(scalar(@more), 0, "$text - two requests");
    like($first->header('traceparent'), $made, "$text - made");
    for my $name (qw(traceparent tracestate baggage
                     X-Experiment-Request-Id))
    {
        is(join('|', $second->header($name)), join('|', $first->header($name)),
            "$text - $name, the same");
    }
    is(join('|', $second->header('baggage')), 'a=1,experiment.tone=concise',
        "$text - baggage");
    is(join('|', $second->header('X-Experiment-Request-Id')), $line->{id},
        "$text - the id");
    is($line->{trace_id}, $second->header('traceparent') =~ s/$made/$1/r,
        "$text - logged");
    is(join('|', $r->header('X-Is')), $uri eq '/pair' ? 'forged/a|forged/b'
        : 'tone/concise', "$text - answer") unless $uri eq '/fallback/502';
}

$e->get('/keep/503', 'X-Id', $concise, 'baggage', 'experiment.tone=forged');
is(join('|', map { $_->header('baggage') } arrived('UP UP')),
    'experiment.tone=forged,experiment.tone=concise|experiment.tone=concise',
    'strip off, then on - what was forged goes, ours stay');
settle();


# The answer.

for my $row ([ $concise, 'tone/concise', 'exposed' ],
             [ $control, 'tone/control', 'control' ],
             [ $out, '', 'not exposed' ], [ '', '', 'no unit' ])
{
    my ($unit, $want, $text) = @$row;

    for my $where ('/answer', '/answer/404', '/answer/304', '/static/none') {
        $r = $e->get($where, 'X-Id', $unit);
        is(join('|', $r->header('X-Is')), $want, "answer - $text, $where");
        is(join('|', $r->header('X-Experiment-Request-Id')),
            $e->log_next->{id}, "answer - $text, $where, the id");
    }

    is(join('|', $e->ask('HEAD', '/answer', undef, 'X-Id', $unit)
        ->header('X-Is')), $want, "answer - $text, HEAD");
    $e->log_next;
}

$r = $e->get('/ours', 'X-Id', $two);
is(join('|', $r->header('X-Experiment-Is')), 'Size.of-it/v_2,tone/concise',
    'answer - a name of ours, two experiments');
is(join('|', $e->get('/pass', 'X-Id', $concise)->header('X-Is')),
    'forged/a|forged/b', 'answer - off by default');
$r = $e->get('/inherit/off', 'X-Id', $concise);
is(scalar(() = $r->header('X-Outer')), 0, 'answer - off within');
is($e->get('/inherit/on', 'X-Id', $concise)->header('X-Outer'), 'tone/concise',
    'answer - inherited');

# Of a cache: filled by one that is not exposed, asked for by one that is.
$e->get('/cache', 'X-Id', $out);
settle();
$r = $e->get('/cache', 'X-Id', $concise);
is($r->header('X-Cache'), 'HIT', 'cache - a hit');
is(scalar(() = $r->header('X-Is')), 0, 'cache - no assignment');
is(join('|', $r->header('X-Experiment-Request-Id')), $e->log_next->{id},
    'cache - this request\'s id');
$e->get('/cache/two', 'X-Id', $concise);
is($e->get('/cache/two', 'X-Id', $control)->header('X-Is'), 'tone/control',
    'cache - of an exposed unit nothing is stored');
$e->received;
settle();


# HTTP/2

for my $row ([ '/create', $valid, $trace, 'valid' ],
             [ '/create', " $valid", undef, 'a blank before' ],
             [ '/create', "$valid\t", undef, 'a tab behind' ],
             [ '/baggage', 'x', undef, 'none made' ])
{
    my ($uri, $sent, $id, $text) = @$row;

    http2($uri, 'traceparent', $sent, 'x-id', $two, 'baggage', 'a=1',
        'x-experiment-request-id', 'forged');
    $got = $e->received;
    $line = $e->log_next;

    if ($uri eq '/create' && !defined $id) {
        ($id) = $got->header('traceparent') =~ $made;
        ok(defined $id, "HTTP/2 - $text, made");

    } else {
        is($got->header('traceparent'), $sent, "HTTP/2 - $text, as it came");
    }

    is($line->{trace_id}, $id, "HTTP/2 - $text, logged");
    is(join('|', $got->header('X-Experiment-Request-Id')), $line->{id},
        "HTTP/2 - $text, the id");
    is(join('|', $got->header('baggage')),
        $uri eq '/baggage' ? "a=1,$ours" : 'a=1', "HTTP/2 - $text, baggage");
}


# Without a copy of the registry.

my $bare = Edge->new;
$bare->upstream(reply => sub { return { body => '' } });
$bare->init;
unlink map { $bare->registry . "/serving/$_" } 'current', 'generation';
delete $bare->{has_registry};
$bare->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%%;
        location / {
            experiment on;
            experiment_traceparent create;
            experiment_baggage on;
            experiment_response_header X-Is;
            proxy_pass http://127.0.0.1:%%PORT_UP%%;
        }
    }
}
EOC

$r = $bare->get('/', 'X-Id', 'u-1', 'baggage', 'a=1');
$got = $bare->received;
$line = $bare->log_next;
like($got->header('traceparent'), $made, 'no registry - made');
is($line->{trace_id}, $got->header('traceparent') =~ s/$made/$1/r,
    'no registry - logged');
is($got->header('baggage'), 'a=1', 'no registry - baggage');
is($got->header('X-Experiment-Request-Id'), $line->{id},
    'no registry - the id');
is(scalar(() = $r->header('X-Is')), 0, 'no registry - no assignment');
is($r->header('X-Experiment-Request-Id'), $line->{id},
    'no registry - the id, back');
$bare->finish;
is(join("\n", grep { !/setpriv/ } $bare->error_log =~ /^.*\[alert\].*$/gm), '',
    'no registry - no alert');


# nginx.conf

for my $row (
    [ 'traceparent on', qr/invalid value "on"/ ],
    [ 'traceparent pass create', qr/invalid number of arguments/ ],
    [ 'baggage maybe', qr/must be "on" or "off"/ ],
    [ 'response_header "X Y"', qr/invalid parameter "X Y", expected "off"/ ],
    [ 'response_header ""', qr/invalid parameter "", expected "off" or/ ],
    [ 'response_header X:', qr/invalid parameter "X:", expected "off" or/ ],
    [ 'response_header Set-Cookie', qr/this one is for credentials/ ],
    [ 'response_header content_length', qr/this one is for framing/ ],
    [ 'response_header Connection', qr/this one is for framing/ ],
    [ 'response_header X-Accel-Redirect', qr/this one is for nginx/ ],
    [ 'response_header x-experiment-request-id',
      qr/this one is for the request's id/ ],
    [ 'response_header X-A; experiment_response_header X-B',
      qr/is duplicate/ ],
    [ 'response_header off; experiment_response_header off',
      qr/is duplicate/ ],
    [ 'traceparent pass; experiment_traceparent pass', qr/is duplicate/ ],
    [ 'baggage on; experiment_baggage on', qr/is duplicate/ ])
{
    my ($directive, $want) = @$row;
    my ($rc, $err) = $bare->test_conf(
        "%%MAIN%% http { %%HTTP%% experiment_$directive; }");

    isnt($rc, 0, "refused - experiment_$directive");
    like($err, $want, "refused - experiment_$directive, why");
}

my ($rc, $err) = $bare->test_conf('%%MAIN%% http { %%HTTP%% '
    . 'experiment_response_header X_Experiment_Of; '
    . 'experiment_traceparent create; experiment_baggage on; }');
is($rc, 0, 'at the http level') or diag($err);

$e->done;


# Forgets what came so far: a line is written after its answer was read.

sub settle {
    my $uri = '/look/end-' . ++$settled;

    $e->get($uri);
    $e->wait_for(sub { grep { $_->{uri} eq $uri } $e->log_lines });
    $e->log_skip;
    $e->received($_) for qw(BAD UP);
}


# What a client may send, the id in it, and why.

sub traceparents {
    my $upper = uc $trace;

    return (
        [ [ ], undef, 'none' ],
        [ [ $valid ], $trace, 'valid' ],
        [ [ "00-$trace-$span-00" ], $trace, 'not sampled' ],
        [ [ "cc-$trace-$span-01-what" ], $trace, 'a higher version' ],
        [ [ "cc-$trace-$span-01.what" ], undef, 'a higher version, not' ],
        [ [ '' ], undef, 'empty' ],
        [ [ $valid, $valid ], undef, 'twice' ],
        [ [ $valid, 'x' ], undef, 'a valid one and another' ],
        [ [ "$valid,$valid" ], undef, 'two in one' ],
        [ [ "00-$upper-$span-01" ], undef, 'upper case' ],
        [ [ "ff-$trace-$span-01" ], undef, 'version ff' ],
        [ [ "00-$trace-$span-01-x" ], undef, 'version 00, longer' ],
        [ [ "00-$trace-$span-0" ], undef, 'shorter' ],
        [ [ '00-' . '0' x 32 . "-$span-01" ], undef, 'a trace of zeros' ],
        [ [ "00-$trace-" . '0' x 16 . '-01' ], undef, 'a span of zeros' ],
        [ [ "00-$trace-$span-\xff\xfe" ], undef, 'bytes' ],
        [ [ qq(00-$trace-$span-"}) ], undef, 'what would end a log line' ],
        [ [ "00-$trace-$span-01 x" ], undef, 'a blank in it' ],
        [ [ 'x' x 9000 ], undef, 'a long one' ],
    );
}


sub raw_line {
    my $want = $e->log_next->{id};
    my ($line) = grep { /"id":"$want"/ }
        split /\n/, $e->read_file($e->dir . '/log/experiment.log');

    return $line;
}


sub members {
    my ($n) = @_;

    return join ',', map { "k$_=v" } 1 .. $n;
}


sub long {
    my ($n) = @_;

    return 'a=' . 'x' x ($n - 2);
}


# A unit that gets these of two experiments.

sub both {
    my %want = ('tone', shift, 'Size.of-it', shift);
    my %n;

    for my $name (keys %want) {
        my $out = $e->must({ stdin => join '', map { "u-$_\n" } 1 .. 500 },
                           'assign', $name, '-o', 'json');

        for my $a (map { JSON::PP->new->decode($_) } split /\n/, $out) {
            my $got = $a->{exposed} ? $a->{variant} : '';
            $n{ $a->{unit} }++ if $got eq $want{$name};
        }
    }

    return (sort grep { $n{$_} == 2 } keys %n)[0] // die "no such unit\n";
}


# What came to upstreams, given that it came to these in this order.

sub arrived {
    my ($names) = @_;
    my @got = sort { $a->[0]{time} <=> $b->[0]{time} }
        map { my $n = $_; map { [ $_, $n ] } $e->received($n) } qw(BAD UP);

    is(join(' ', map { $_->[1] } @got), $names, "arrived at $names");
    return map { $_->[0] } @got;
}


sub http2 {
    my ($uri, @headers) = @_;
    my $h = Edge::H2->new($e->port('PORT_H2'));

    is($h->answer($h->open('GET', $uri, 'end', @headers))->{status}, 200,
        'HTTP/2 - answered');
    $h->close;
}
