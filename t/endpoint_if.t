#!/usr/bin/perl
# An "if" or a "limit_except" in the location of an endpoint: nginx runs the
# location's handler with the configuration of the "if", and the handler of the
# "limit_except", which have to ask for as much.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

my $e = Edge->new(workers => 1);

$e->init;
$e->file('app.keys', "secret-of-the-app-1\n", 0600);
$e->apply({ name => 'tone', unit => 'header:X-Id', variants => [
    { name => 'a' },
    { name => 'b', headers => { request => { set => { 'X-Arm' => 'b' } } } } ],
    layer => 'one', metrics => { primary => {
        name => 'resolved', kind => 'binary', direction => 'up' } } });
$e->stage('tone', 'ab');

my $if = 'if ($arg_a) { set $x 1; }';

$e->run("%%MAIN%% http { %%HTTP%% server { listen 127.0.0.1:%%PORT%%;
    experiment on;
    location = /status { experiment_status; $if }
    location = /page { experiment_status html; $if }
    location = /metrics { experiment_status prometheus; $if }
    location /ofrep/ { experiment_ofrep key=app.keys; $if }
    location = /key { experiment_feedback key=app.keys; $if }
    location = /token { experiment_feedback token; $if }
    location = /open {
        experiment_feedback open origin=https://app.example; $if
    }
    location = /limited/status { experiment_status;
        limit_except POST { deny 127.0.0.2; } }
    location = /limited/key { experiment_feedback key=app.keys;
        limit_except GET { deny 127.0.0.2; } }
    location /limited/ofrep/ { experiment_ofrep key=app.keys;
        limit_except GET { deny 127.0.0.2; } }
} }");

my $item = '{"unit":"u","experiment":"tone","metric":"resolved","value":1}';
my @rows = (
    [ GET => '/status', [ Host => '127.0.0.1' ], '', 200, 'application/json' ],
    [ GET => '/status', [ Host => 'evil.example' ], '', 403 ],
    [ GET => '/page', [ Host => '127.0.0.1' ], '', 200, 'text/html' ],
    [ GET => '/page', [ Host => 'evil.example' ], '', 403 ],
    [ GET => '/metrics', [ Host => '127.0.0.1' ], '', 200, 'text/plain' ],
    [ POST => '/ofrep/v1/evaluate/flags', [],
      '{"context":{"targetingKey":"u"}}', 401 ],
    [ POST => '/key', [], $item, 401 ],
    [ POST => '/key', [ 'X-Experiment-Feedback-Key', 'secret-of-the-app-1' ],
      $item, 202 ],
    [ POST => '/token', [], $item, 401 ],
    [ GET => '/limited/status', [ Host => '127.0.0.1' ], '', 200,
      'application/json' ],
    [ GET => '/limited/status', [ Host => 'evil.example' ], '', 403 ],
    [ POST => '/limited/key', [], $item, 401 ],
    [ POST => '/limited/key', [ 'X-Experiment-Feedback-Key',
      'secret-of-the-app-1' ], $item, 202 ],
    [ POST => '/limited/ofrep/ofrep/v1/evaluate/flags', [],
      '{"context":{"targetingKey":"u"}}', 401 ],
    [ POST => '/open', [], $item, 202 ],
    [ POST => '/open', [ Origin => 'https://evil.example' ], $item, 403 ],
);

for my $row (@rows) {
    my ($method, $uri, $headers, $body, $status, $type) = @$row;

    for my $args ('', '?a=1') {
        my $r = $e->ask($method, "$uri$args", $body, @$headers,
                            $method eq 'POST'
                            ? ('Content-Type', 'application/json') : ());
        my $name = "$method $uri$args @$headers";

        is($r->{status}, $status, $name);
        like($r->header('Content-Type') // '', qr{^\Q$type\E}, "$name - type")
            if $type;
    }
}

$e->{alerts} = qr/experiment_status is asked for as/;
$e->done;
