#!/usr/bin/perl
# experiment_strip_headers: X-Experiment-* of clients and upstreams, and our
# members of a client's baggage, go no further.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;
use Edge::H2;

my $e = Edge->new;

$e->upstream(reply => sub {
    my ($r) = @_;

    return { status => 404, body => 'none', headers => [
        'X-Experiment-Error', '1' ] } if $r->{uri} =~ /missing/;

    return { body => '<!--#include virtual="/part" -->', headers => [
        'Content-Type', 'text/html' ] } if $r->{uri} eq '/ssi';

    return { body => '{}', headers => [
        'X-Experiment-Variant', 'b', 'x_experiment_variant', 'b',
        'X-EXPERIMENT-', 'b', 'X-Experiment', 'kept', 'X-Up', 'kept',
        map { ("X-Experiment-$_", $_, "X-Kept-$_", $_) } 1 .. 40 ] };
});
$e->init;
$e->apply({ name => 'h', unit => 'header:X-Id', variants => [
    { name => 'control' },
    { name => 'b', allow_many => JSON::PP::true(),
      headers => { request => { set => { 'X-Arm' => 'b' } },
                   response => { set => { 'X-Out' => 'b' } } } },
] });
$e->must('stage', 'h', 'ab');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    underscores_in_headers on;
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT%%;
        location /on { experiment h; proxy_pass http://up; }
        location /off { experiment off; proxy_pass http://up; }
        location /none { proxy_pass http://up; }
        location /keep {
            experiment h;
            experiment_strip_headers off;
            proxy_pass http://up;
        }
        location /auth { auth_request /check; proxy_pass http://up; }
        location = /check { internal; proxy_pass http://up; }
        location = /ssi { ssi on; proxy_pass http://up; }
        location = /part { proxy_pass http://up; }
        location /mirror { mirror /copy; proxy_pass http://up; }
        location = /copy { internal; proxy_pass http://up; }
        location /missing {
            proxy_intercept_errors on;
            error_page 404 = @named;
            proxy_pass http://up;
        }
        location @named { rewrite ^ /named break; proxy_pass http://up; }
        location /then-none {
            experiment_strip_headers off;
            error_page 418 = /none/418;
            return 418;
        }
        location /then-keep { error_page 403 = /keep/403; deny all; }
        location /early {
            experiment_strip_headers on;
            set $early "$http_x_experiment_a";
            add_header X-Experiment-Edge "edge";
            add_header X-Early "$early";
            add_header X-Late "$http_x_experiment_b";
            proxy_set_header X-Experiment-Edge "edge";
            proxy_pass http://up;
        }
        error_page 400 = /none/400;
        location /static { alias "%%DIR%%/html/"; }
    }
    server {
        listen 127.0.0.1:%%PORT_H2%% http2;
        location / { proxy_pass http://up; }
    }
}
EOC

my $b = $e->unit('h', variant => 'b');


# The names that a request's headers arrive with, but for those that nginx,
# the client of these tests and the edge always send.

sub names {
    my ($got) = @_;

    return join ' ', grep { !/^(?:host|connection|content-length)$/i
                             && $_ ne 'X-Experiment-Request-Id' }
        map { $_->[0] } @{ $got->{headers} };
}

my @hostile = (
    'X-Experiment-A', 'x-experiment-b', 'X-EXPERIMENT-C', 'X_Experiment_D',
    'x-experiment_e', 'x_EXPERIMENT-f', 'X-Experiment-', 'X_experiment_',
    'X-Experiment--', 'X-Experiment-Feedback-Token',
    'X-Experiment-' . 'long' x 20,
);
my @kept = (
    'X-Experiment', 'X-Experimental-A', 'XX-Experiment-A', 'X-Experimen-A',
    'X--Experiment-A', 'Experiment-A', 'X-Experimenta-B', 'X_Experiment',
);

my @headers = map { ($_, '1') } map { ($hostile[$_] // (), $kept[$_] // ()) }
    0 .. $#hostile;

for my $where (qw(/on /off /none)) {
    $e->get($where, @headers);
    is(names($e->received), "@kept", "$where - hostile names, others stay");
}

$e->get('/keep', @headers, 'X-Id', $b);
is(scalar(() = names($e->received) =~ /experiment[-_]./gi), 14,
    'experiment_strip_headers off - all arrive');

for my $name (@hostile) {
    $e->get('/none', $name, '1');
    is(names($e->received), '', "alone - $name");
}

$e->get('/none', 'X-A', '1', 'X-Experiment-A', '1');
is(names($e->received), 'X-A', 'the last header');
$e->get('/none', 'X-Experiment-A', '1', 'X-A', '1');
is(names($e->received), 'X-A', 'the first header');
$e->get('/none', ('X-Experiment-A', '1') x 3);
is(names($e->received), '', 'many of a name');


# More headers than a part of nginx's list holds, in every mixture.

for my $pattern ('-' x 60, '-k' x 40, '-kk' x 30, 'k' x 19 . '-' . 'k' x 40,
    'k' x 20 . '-' . 'k' x 40, '-' x 20 . 'k' x 20 . '-' x 20,
    'k' x 40 . '-' x 21, '-' x 59 . 'k')
{
    my ($n, @many, @want) = 0;

    for my $c (split //, $pattern) {
        $n++;
        push @many, $c eq 'k' ? "X-Kept-$n" : "X-Experiment-$n", $n;
        push @want, "X-Kept-$n" if $c eq 'k';
    }

    $e->get('/none', @many);
    is(names($e->received), "@want", "many headers - $pattern");
}

# What an experiment sets finds its place in such a list.
my @many = map { ("X-Experiment-$_", $_, "X-Kept-$_", $_) } 1 .. 30;
$e->get('/on', 'X-Id', $b, @many);
is(names($e->received),
    join(' ', 'X-Id', (map { "X-Kept-$_" } 1 .. 30), 'X-Arm'),
    'many headers - and one that a variant sets');

# Pipelined requests on one connection.
my $c = $e->client;
$c->send(join '', map { Edge::Client->request('GET', '/none', undef,
    "X-Experiment-$_", $_, "X-Kept-$_", $_) } 1 .. 3);
$c->response for 1 .. 3;
$c->close;
is(join('|', map { names($_) } $e->received),
    'X-Kept-1|X-Kept-2|X-Kept-3', 'pipelined');


# Subrequests: they see what the main request has left.

sub all {
    return join ' ', map { $_->{uri} . ':' . names($_) } $e->received;
}

$e->get('/auth', 'X-Experiment-A', '1', 'X-A', '1');
is(all(), '/check:X-A /auth:X-A', 'auth_request');

$e->get('/ssi', 'X-Experiment-A', '1', 'X-A', '1');
is(all(), '/ssi:X-A /part:X-A', 'ssi');

$e->get('/mirror', 'X-Experiment-A', '1', 'X-A', '1');
is(join(' ', sort split / /, $e->wait_for(sub {
    my $got = ($e->{seen} .= ' ' . all());
    return $got =~ /copy/ && $got =~ /mirror/ ? $got =~ s/^ +//r =~ s/ +/ /gr
                                              : '';
})), '/copy:X-A /mirror:X-A', 'mirror');


# Internal redirects: each location decides again.

my $r = $e->get('/missing', 'X-Experiment-A', '1', 'X-A', '1');
is(all(), '/missing:X-A /named:X-A', 'error_page, a named location');
is(scalar(() = $r->header('X-Experiment-Error')), 0,
    'error_page - the answer of the first is not passed on');
$e->get('/then-none', 'X-Experiment-A', '1', 'X-A', '1');
is(all(), '/none/418:X-A', 'off, then on');
$e->get('/then-keep', 'X-Experiment-A', '1', 'X-A', '1');
is(all(), '/keep/403:X-A', 'on, then off: what is gone is gone');

# Requests that nginx refuses before any phase.
$c = $e->client;
$c->send("GET /none HTTP/1.1\r\nHost: a\r\nX-Experiment-A: 1\r\nX-A: 1\r\n"
    . "Content-Length: x\r\nX-B: 1\r\n\r\n");
$c->response;
$c->close;
is(all(), '/none/400:X-A X-B', 'error_page 400');
$c = $e->client;
$c->send("GET /none HTTP/1.1x\r\nX-Experiment-A: 1\r\n\r\n");
$c->response;
$c->close;
is(all(), '/none/400:', 'error_page 400, before the header');


# Answers.

for my $where (qw(/on /off /none)) {
    $r = $e->get($where, 'X-Id', $b);
    my @got = map { $_->[0] } @{ $r->{headers} };
    is(join(' ', grep { /experiment/i } @got), 'X-Experiment',
        "$where - answer");
    is(scalar(grep { /^X-Kept/ } @got), 40, "$where - others stay");
}
is($e->get('/on', 'X-Id', $b)->header('X-Out'), 'b',
    'answer - what a variant sets is there');
is(scalar(grep { $_->[0] =~ /experiment[-_]/i }
    @{ $e->get('/keep')->{headers} }), 43,
    'experiment_strip_headers off - answer');
is(scalar(grep { $_->[0] =~ /experiment[-_]/i }
    @{ $e->ask('HEAD', '/none')->{headers} }), 0, 'answer - HEAD');
$e->received;

$r = $e->get('/early', 'X-Experiment-A', 'a', 'X-Experiment-B', 'b');
my $got = $e->received;
is(join('|', $r->header('X-Experiment-Edge')), 'edge',
    'add_header of nginx.conf stays');
is(join('|', $got->header('X-Experiment-Edge')), 'edge',
    'proxy_set_header of nginx.conf stays');
is(scalar(() = $got->header('X-Experiment-A')), 0, '... the client\'s not');
is($r->header('X-Early'), 'a', 'the rewrite phase is earlier');
is($r->header('X-Late') // '', '', 'variables that are read later');

is($e->get('/static/none', 'X-Experiment-A', '1')->{status}, 404,
    'a request without an upstream');


# baggage

for my $row (
    [ 'a=1', 'a=1', 'of others' ],
    [ 'experiment.tone=b', undef, 'ours alone: no header' ],
    [ 'experiment.tone=b;p=1', undef, 'with a property' ],
    [ 'experiment.=', undef, 'an empty name' ],
    [ 'a=1,experiment.t=b', 'a=1', 'ours last' ],
    [ 'a=1, experiment.t=b', 'a=1', 'ours last, a blank' ],
    [ 'a=1 ,  experiment.t=b, c=3', 'a=1 ,  c=3', 'blanks that are not ours' ],
    [ 'experiment.t=b,a=1', 'a=1', 'ours first' ],
    [ 'experiment.t=b, a=1', 'a=1', 'ours first, a blank' ],
    [ 'a=1, experiment.t=b, c = 3;p ;q=%2C', 'a=1, c = 3;p ;q=%2C',
      'ours between' ],
    [ 'a=1,experiment.t=b, c=3', 'a=1,c=3', 'the blank goes with ours' ],
    [ 'a=1,experiment.t=b,experiment.u=c,d=4', 'a=1,d=4', 'two of ours' ],
    [ 'a=1, experiment.t=b, experiment.u=c', 'a=1', 'two of ours last' ],
    [ 'experiment.t=b,a=1,experiment.u=c', 'a=1', 'first and last' ],
    [ 'experiment.t=b , experiment.u=c', undef, 'two of ours alone' ],
    [ ",experiment.t=b,\t,", undef, 'ours and empty ones' ],
    [ 'a=1,,experiment.t=b', 'a=1,', 'an empty one of others' ],
    [ 'a=1,experiment.t=b,', 'a=1,', 'a comma behind ours' ],
    [ "a=1,\t experiment.t=b,\tc=3", "a=1,\t c=3", 'tabs' ],
    [ "a=1,\x0bexperiment.t=b", 'a=1', 'other blanks before it' ],
    [ 'a=1,experiment.t', 'a=1', 'no value' ],
    [ 'a=experiment.t=b', 'a=experiment.t=b', 'in a value' ],
    [ 'a=1;experiment.t=b', 'a=1;experiment.t=b', 'in a property' ],
    [ 'experiments.t=b', 'experiments.t=b', 'a longer word' ],
    [ 'experiment=b', 'experiment=b', 'a shorter one' ],
    [ 'Experiment.t=b', 'Experiment.t=b', 'keys have a case' ],
    [ 'a="x,experiment.t=b"', 'a="x', 'quotes are no quotes there' ],
    [ "caf\xe9=1,experiment.t=b,d=\xff", "caf\xe9=1,d=\xff", 'any bytes' ])
{
    my ($sent, $want, $name) = @$row;

    $e->get('/none', 'Baggage', $sent, 'X-A', '1');
    $got = $e->received;
    is(join('|', $got->header('baggage')), $want // '', "baggage - $name");
    is(names($got), defined $want ? 'Baggage X-A' : 'X-A',
        "baggage - $name, the list");
}

$e->get('/none', 'baggage', 'a=1,experiment.t=b', 'BAGGAGE', 'experiment.u=c',
    'Baggage', 'd=4');
is(join('|', $e->received->header('baggage')), 'a=1|d=4',
    'baggage - several headers');
$e->get('/keep', 'baggage', 'a=1,experiment.t=b');
is(join('|', $e->received->header('baggage')), 'a=1,experiment.t=b',
    'baggage - experiment_strip_headers off');
$e->get('/none', 'baggage', 'experiment.t=b,' x 500 . 'a=1');
is(join('|', $e->received->header('baggage')), 'a=1', 'baggage - a long one');


# HTTP/2, where names are lower case.

is(http2('x-experiment-a', '1', 'x-a', '1', 'x_experiment_b', '1', 'baggage',
         'experiment.t=b, c=3', 'x-experiment-', '1'), 200,
    'HTTP/2 - answered');
$got = $e->received;
is(names($got), 'x-a baggage', 'HTTP/2');
is($got->header('baggage'), 'c=3', 'HTTP/2 - baggage');
http2(map { ("x-experiment-$_", $_, "x-kept-$_", $_) } 1 .. 40);
is(names($e->received), join(' ', map { "x-kept-$_" } 1 .. 40),
    'HTTP/2 - many headers');


# Without an experiment, a registry or a key anywhere.

my $plain = Edge->new;
$plain->upstream(reply => sub { return { body => '', headers => [
    'X-Experiment-A', '1', 'X-A', '1' ] } });
$plain->run(<<'EOC');
%%MAIN%%
http {
    %%TEMP%%
    access_log off;
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { proxy_pass http://127.0.0.1:%%PORT_UP%%; }
        location /keep {
            experiment_strip_headers off;
            proxy_pass http://127.0.0.1:%%PORT_UP%%;
        }
    }
}
EOC

for my $row ([ '/', 0 ], [ '/keep', 1 ]) {
    my ($uri, $n) = @$row;

    $r = $plain->get($uri, 'X-Experiment-A', '1', 'X-A', '1');
    is(scalar(() = $plain->received->header('X-Experiment-A')), $n,
        "no registry - $uri");
    is(scalar(() = $r->header('X-Experiment-A')), $n,
        "no registry - $uri, answer");
}

$plain->finish;
unlike($plain->error_log, qr/\[(?:alert|emerg|crit)\]/,
    'no registry - nothing in the log');

$e->done;


# A request over HTTP/2, on a connection of its own; its status.

sub http2 {
    my $h = Edge::H2->new($e->port('PORT_H2'));
    my $status = $h->answer($h->open('GET', '/', 'end', @_))->{status};

    $h->close;
    return $status;
}
