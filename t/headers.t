#!/usr/bin/perl
# Header overrides: request and response, set and remove.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $e = Edge->new;

$e->upstream(reply => sub {
    my ($r) = @_;

    return { body => '{"ok":true}', headers => [
        'X-Up', 'one', 'X-Up', 'two', 'X-Keep', 'kept', 'Server', 'model',
        'Content-Type', 'application/json', 'ETag', '"e"',
        'Last-Modified', 'Sat, 21 Nov 2026 09:00:00 GMT' ] };
});
$e->init;
$e->apply(<<'EOD', <<'EOD');
{"name": "h", "unit": "header:X-Id", "steps": ["default", "other", "zip"],
 "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true, "headers": [
    {"request": {"set": {"X-Prompt": "v2", "User-Agent": "edge/1",
                         "accept": "text/plain", "X-Empty": ""},
                 "remove": ["X-Old", "Referer"]},
     "response": {"set": {"X-Model": "b", "X-Up": "ours"},
                  "remove": ["ETag", "X-Gone"]}},
    {"step": "other", "request": {"set": {"X-Step": "other"}}},
    {"step": "zip", "request": {"set": {"Accept-Encoding": "gzip"}},
     "response": {"remove": ["Server", "Last-Modified"]}}]}]}
EOD
{"name": "base", "layer": "base", "unit": "header:X-Id", "variants": [
  {"name": "control", "headers": {"request": {"set": {"X-Base": "all"}}}},
  {"name": "b", "headers": {"request": {"set": {"X-Arm": "b"}}}}]}
EOD
$e->must('stage', 'h', 'ab', '--exposure', '0.8');
$e->must('stage', 'base', 'ab', '--exposure', '0.5');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    proxy_cache_path "%%DIR%%/tmp/cache" keys_zone=c:1m;
    server {
        listen 127.0.0.1:%%PORT%%;
        location /h { experiment h; proxy_pass http://up; }
        location /base { experiment base; proxy_pass http://up; }
        location /conf {
            experiment h;
            proxy_pass http://up;
            proxy_set_header X-Prompt conf;
        }
        location /var {
            experiment h;
            proxy_pass http://up;
            add_header X-Saw "$http_x_prompt/$http_x_old";
        }
        location /gzip {
            experiment h;
            experiment_step zip;
            gzip on;
            gzip_min_length 1;
            gzip_types application/json;
            gzip_http_version 1.0;
            gzip_proxied any;
            proxy_pass http://up;
        }
        location /cache {
            experiment h;
            proxy_pass http://up;
            proxy_cache c;
            proxy_cache_key $uri;
            proxy_cache_valid any 1m;
        }
        location /named { experiment h; try_files /nothing @named; }
        location @named { proxy_pass http://up; }
    }
}
EOC

my $b = $e->unit('h', variant => 'b', exposed => 1);
my $control = $e->unit('h', variant => 'control', exposed => 1);
my $out = $e->unit('h', reason => 'not_exposed');


# Request headers.

my $r = $e->get('/h', 'X-Id', $b, 'X-Old', '1', 'x-old', '2', 'X-Prompt', 'c1',
                'X-PROMPT', 'c2', 'User-Agent', 'client', 'Accept', 'a/b',
                'Referer', 'http://r/', 'X-Other', 'kept');
my $got = $e->received;
is($r->{status}, 200, 'request - answered');
is(join('|', $got->header('X-Prompt')), 'v2',
   'request - set replaces all lines of the name');
is(join('|', $got->header('User-Agent')), 'edge/1',
   'request - set of a header that nginx knows');
is(join('|', $got->header('Accept')), 'text/plain',
   'request - names ignore case');
is(join('|', $got->header('X-Empty')), '', 'request - set to nothing');
is(scalar(() = $got->header('X-Old')), 0,
   'request - remove takes all lines');
is(scalar(() = $got->header('Referer')), 0,
   'request - remove of a header that nginx knows');
is($got->header('X-Other'), 'kept', 'request - others are left alone');
is($got->header('X-Id'), $b, 'request - the unit is left alone');
is(scalar(() = $got->header('X-Step')), 0,
   'request - the header of another step is not set');
is($e->log_next->{experiments}[0]{applied}{'header:X-Prompt'}, 'applied',
   'request - logged');

# More headers than a part of nginx's list holds.
my @many = map { ("X-Many-$_", $_, 'X-Old', $_) } 1 .. 40;
$e->get('/h', 'X-Id', $b, @many);
$got = $e->received;
is(scalar(grep { $_->[0] =~ /^X-Many/ } @{ $got->{headers} }), 40,
   'request - many headers: all others arrive');
is(scalar(() = $got->header('X-Old')), 0,
   'request - many headers: all removed');
is($got->header('X-Prompt'), 'v2', 'request - many headers: set');
$e->log_next;

$e->get('/h', 'X-Id', $b, 'X-Inference-Step', 'other');
$got = $e->received;
is($got->header('X-Step'), 'other', 'request - header of its step');
is($got->header('X-Prompt'), 'v2', 'request - no step: every step');
$e->log_next;

for my $unit ($control, $out) {
    my @headers = ('X-Id', $unit, 'X-Old', '1', 'X-Prompt', 'c');
    $r = $e->get('/h', @headers);
    $got = $e->received;
    is($got->header('X-Prompt'), 'c', "request - $unit, baseline: untouched");
    is($got->header('X-Old'), '1', "request - $unit, baseline: kept");
    is(join('|', $r->header('X-Up')), 'one|two',
       "response - $unit, baseline: untouched");
    ok(!exists $e->log_next->{experiments}[0]{applied},
       "log - $unit, baseline: nothing applied");
}

$e->get('/conf', 'X-Id', $b);
is(join('|', $e->received->header('X-Prompt')), 'conf',
   'request - proxy_set_header of the same name wins');
$e->log_next;

$r = $e->get('/var', 'X-Id', $b, 'X-Old', '1', 'X-Prompt', 'c');
is($r->header('X-Saw'), 'v2/', 'request - variables see the edited headers');
$e->received;
$e->log_next;

$r = $e->get('/named', 'X-Id', $b);
$got = $e->received;
is(join('|', $got->header('X-Prompt')), 'v2',
   'request - once, through a named location');
is(join('|', $r->header('X-Model')), 'b',
   'response - once, through a named location');
is(scalar @{ $e->log_next->{experiments} }, 1, 'log - one entry');

# Pipelined requests of different arms on one connection.
my $c = $e->client;
$c->send(join '', map { Edge::Client->request('GET', '/h', undef, 'X-Id', $_) }
         $b, $control, $b);
$c->response for 1 .. 3;
$c->close;
is(join('|', map { $_->header('X-Prompt') // '-' } $e->received), 'v2|-|v2',
   'request - keep-alive: each by its own unit');
$e->log_next(3);


# The baseline's own configuration holds for all in the layer's range.

for my $reason ('assigned', 'not_exposed') {
    my $unit = $e->unit('base', reason => $reason, variant => 'control');
    $e->get('/base', 'X-Id', $unit);
    is($e->received->header('X-Base'), 'all', "baseline's header - $reason");
}
my $arm = $e->unit('base', variant => 'b', exposed => 1);
$e->get('/base', 'X-Id', $arm);
$got = $e->received;
is($got->header('X-Base'), 'all', "baseline's header - inherited");
is($got->header('X-Arm'), 'b', "a variant's own header");
$e->log_next(3);


# Response headers.

$r = $e->get('/h', 'X-Id', $b);
is(join('|', $r->header('X-Model')), 'b', 'response - set');
is(join('|', $r->header('X-Up')), 'ours',
   'response - set replaces all lines');
is(scalar(() = $r->header('ETag')), 0, 'response - remove');
is($r->header('X-Keep'), 'kept', 'response - others are left alone');
is($r->json->{ok}, JSON::PP::true(), 'response - body is left alone');
my $applied = $e->log_next->{experiments}[0]{applied};
is($applied->{'response_header:X-Model'}, 'applied', 'response - logged');

$r = $e->ask('HEAD', '/h', undef, 'X-Id', $b);
is($r->header('X-Model'), 'b', 'response - HEAD');
$e->log_next;


# What nginx does for the client goes by what the client asked for.

$r = $e->get('/gzip', 'X-Id', $b);
is(join('|', $e->received->header('Accept-Encoding')), 'gzip',
   'slots - the upstream gets the edited header');
is(scalar(() = $r->header('Content-Encoding')), 0,
   'slots - a client that did not ask gets no gzip');
is(scalar(() = $r->header('Last-Modified')), 0,
   'response - Last-Modified is removed');
$applied = $e->log_next->{experiments}[0]{applied};
is($applied->{'response_header:Last-Modified'}, 'applied',
   'response - Last-Modified, logged');
is($applied->{'response_header:Server'}, 'unsupported',
   'response - nginx writes Server itself');


# A cache never holds an answer that depends on an experiment.

for my $unit ($b, $control) {
    $e->get('/cache/x', 'X-Id', $unit);
    $e->log_next;
    $e->received;
}
$e->get('/cache/x', 'X-Id', $out);
is(scalar(() = $e->received), 1, 'cache - exposed answers are not stored');
$e->log_next;
$e->get('/cache/x', 'X-Id', $out);
is(scalar(() = $e->received), 0, 'cache - others are');
$e->log_next;

$e->done;
