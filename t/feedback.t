#!/usr/bin/perl
# experiment_feedback: outcomes that are taken, each with a line in the log,
# and those that are not: forged, replayed, from elsewhere, out of range.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;

use Edge;
use Edge::Client;
use Edge::H2;
use Edge::Status;

# Two workers, so that a replay often meets the other one.

my $e = Edge->new(workers => 2);
my $json = JSON::PP->new->utf8->canonical;
my $page = 'https://app.example';
my $fresh = 0;

$e->upstream(reply => sub { return { body => '{}' } });
$e->init;
$e->file('app.keys', "# of the application\nsecret-of-the-app-1\n"
         . "secret-of-the-app-2\n", 0600);

# Variants that differ, else nobody is exposed.

sub arms {
    my ($name) = @_;

    return [ { name => 'a' }, { name => 'b', headers => { request => {
        set => { "X-Arm-$name" => 'b' } } } } ];
}

$e->apply(
    { name => 'tone', layer => 'tone',
      unit => { type => 'conversation', sources => [ 'header:X-Id' ] },
      variants => arms('tone'),
      metrics => {
          primary => { name => 'resolved', kind => 'binary',
                       direction => 'up' },
          secondary => [ 'output_tokens.mean',
              { name => 'rating', kind => 'mean', direction => 'up',
                min => 1, max => 5 },
              { name => 'edits', kind => 'count', direction => 'down' },
              { name => 'reading', kind => 'duration', direction => 'down' },
              { name => 'cost', kind => 'mean', direction => 'down' } ] } },
    { name => 'depth', layer => 'depth', unit => 'header:X-Id',
      variants => arms('depth'),
      metrics => { secondary => [
          { name => 'edits', kind => 'mean', direction => 'down' },
          { name => 'turns', kind => 'count', direction => 'down' } ] } },
    { name => 'half', layer => 'half', unit => 'header:X-Id',
      variants => arms('half') },
    { name => 'idle', layer => 'idle', unit => 'header:X-Id',
      variants => arms('idle'),
      metrics => { primary => { name => 'done', kind => 'binary',
                                direction => 'up' } } },
);
$e->must('stage', $_, 'ab', '--exposure', '1') for 'tone', 'depth';
# More than a request may name, each with its own slice of a layer.

$e->apply(map { { name => "m$_", unit => 'header:X-Id',
                  layer => { name => $_ < 51 ? 'many' : 'more',
                             range => [ ($_ - 1) / 100, $_ / 100 ] },
                  variants => arms("m$_"),
                  metrics => { primary => { name => "done$_",
                      kind => 'binary', direction => 'up' } } } } 1 .. 66);
$e->must('stage', "m$_", 'ab') for 1 .. 66;

$e->must('stage', 'half', 'canary', '--exposure', '0.5');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    experiment tone depth half idle;

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;

        location / {
            add_header X-Token $experiment_feedback_token;
            proxy_pass http://up;
        }
        location /half {
            experiment half;
            add_header X-Token "[$experiment_feedback_token]";
            proxy_pass http://up;
        }
        location /key { experiment_feedback key=app.keys; }
        location /on { experiment on; experiment_feedback open; }
        location /kept {
            experiment_strip_headers off;
            experiment_feedback key=app.keys;
        }
        location /small {
            client_body_buffer_size 1k;
            experiment_feedback key=app.keys;
        }
        location /token { experiment_feedback token; }
        location = /status { access_log off; experiment_status open; }
        location = /metrics {
            access_log off;
            experiment_status prometheus open;
        }
        location /tone {
            experiment tone;
            experiment_feedback open;
        }
        location /layer {
            experiment layer=depth;
            experiment_feedback token;
        }
        location /page {
            experiment_feedback token origin=https://app.example
                                      origin=http://127.0.0.1:8080;
        }
        location /many {
            experiment layer=many layer=more;
            experiment_feedback open;
        }
        location /asked {
            auth_request /check;
            experiment_feedback key=app.keys;
        }
        location /check {
            internal;
            experiment off;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://up;
        }
        location /error {
            error_page 401 403 415 = @plain;
            experiment_feedback key=app.keys;
        }
        location @plain { return 418; }
        location /sub {
            auth_request /tone;
            proxy_pass http://up;
        }
    }
}
EOC


# An answer and the lines that it left.

sub ask {
    my ($uri, $body, %h) = @_;
    my $lines = delete $h{lines} // 1;
    my $r = $e->post($uri, ref $body ? $json->encode($body) : $body, %h);
    my @new = $lines ? $e->log_next($lines) : ();

    return ($r, @new);
}

sub with_key {
    my ($body, %h) = @_;

    return ask('/key', $body, 'X-Experiment-Feedback-Key',
               'secret-of-the-app-1', %h);
}

sub with_token {
    my ($uri, $token, $body, %h) = @_;

    return ask($uri, $body, 'X-Experiment-Feedback-Token', $token, %h);
}

# Refused with a status, and one line without an outcome that says why.

sub refused {
    my ($text, $status, $cause, $r, @lines) = @_;
    my $line = $lines[0];

    is($r->{status}, $status, "$text - $status");
    is($line->{kind}, 'feedback', "$text - logged as feedback");
    is($line->{status}, $status, "$text - with its status");
    is($line->{refused}, $cause, "$text - and its cause");
    ok(!exists $line->{metric} && !exists $line->{value},
       "$text - and no outcome");

    # what is refused before the registry is asked

    if ($status =~ /^4(?!00)/) {
        ok(!exists $line->{registry} && !exists $line->{head},
           "$text - and no registry");
    }
}

sub at {
    my ($text, $pointer, $expected, $r, @lines) = @_;

    refused($text, 400, 'body', $r, @lines);

    my $error = $json->decode($r->{body})->{errors}[0];

    is($error->{pointer}, $pointer, "$text - where");
    like($error->{expected}, $expected, "$text - what was expected");
}

sub fresh { return { unit => 'u-' . ++$fresh, @_ } }


# ---- with a key

{
    my ($r, $line) = with_key({ unit => "z\x{fc}rich 7", experiment => 'tone',
                                metric => 'resolved',
                                value => JSON::PP::true });

    is($r->{status}, 202, 'an item - taken');
    is($r->{body}, '{"accepted":1,"duplicates":0}', 'an item - counted');
    is($r->header('Cache-Control'), 'no-store', 'an item - kept by nobody');
    like($line->{id}, qr/^[0-9a-f]{32}$/, 'an item - id of the request');
    like($line->{time}, qr/^20..-..-..T..:..:..\.\d{6}Z$/, 'an item - time');
    like($line->{key_id}, qr/^[0-9a-f]{8}$/, 'an item - key id');
    ok($line->{registry} > 0 && $line->{head} =~ /^[0-9a-f]{16}$/,
       'an item - registry');

    $e->get('/', 'X-Id', "z\xc3\xbcrich 7");
    my ($request) = $e->log_next;
    my ($entry) = grep { $_->{name} eq 'tone' } @{ $request->{experiments} };

    delete @$line{qw(id time seq worker key_id registry head)};
    is_deeply($line, {
        kind => 'feedback', role => 'live', n => 0, experiment => 'tone',
        phase => $entry->{phase}, revision => $entry->{revision},
        metric => 'resolved', value => 1, unit => $entry->{unit},
        unit_type => 'conversation', trust => 'key',
    }, 'an item - its line, with the unit that a request has');

    my $raw = $e->read_file('log/experiment.log');
    unlike($raw, qr/rich/, 'an item - its raw unit is nowhere');
    like($raw, qr/^\{"kind":"feedback","id":"[0-9a-f]{32}","time":"[^"]*",
                  "seq":\d+,"worker":"[^"]*","key_id":"\w+","registry":\d+,
                  "head":"\w+","role":"live","n":0,"experiment":"tone",
                  "phase":\d+,"revision":\d+,"metric":"resolved","value":1,
                  "unit":"\w+","unit_type":"conversation","trust":"key"\}$/mx,
         'an item - in this order');
}

{
    my $id = '0123456789abcdef' x 2;
    my ($r, @lines) = ask('/key', [
        fresh(metric => 'rating', value => 4.5, idempotency_key => 'k"1'),
        { unit_hash => $id, metric => 'turns', value => 3 },
        { request_id => $id, metric => 'edits', value => 0,
          experiment => 'tone' },
        { unit => 42, metric => 'reading', value => 1200.25 },
    ], 'X-Experiment-Feedback-Key', 'secret-of-the-app-2', lines => 4);

    is($r->{body}, '{"accepted":4,"duplicates":0}', 'items - taken');
    is(join(' ', map { $_->{n} } @lines), '0 1 2 3', 'items - a line each');
    is(join(' ', map { $_->{seq} - $lines[0]{seq} } @lines), '0 1 2 3',
       'items - each with its own number');
    is(scalar(grep { $_->{id} eq $lines[0]{id} } @lines), 4,
       'items - of one request');
    is(join(' ', map { $_->{experiment} } @lines), 'tone depth tone tone',
       'items - the experiment that declares the metric');
    is($lines[0]{idempotency_key}, 'k"1', 'items - key logged');
    is($lines[1]{unit}, $id, 'items - a hash is the unit');
    is($lines[2]{request_id}, $id, 'items - a request');
    ok(!exists $lines[2]{unit} && !exists $lines[2]{unit_type},
       'items - which has no unit');
    is($lines[3]{value}, 1200.25, 'items - values as they are');
}

is((ask('/kept', fresh(metric => 'resolved', value => 0),
        'X-Experiment-Feedback-Key', 'secret-of-the-app-1'))[0]{status}, 202,
   'with experiment_strip_headers off');

for my $row ([ 'no key' ],
             [ 'another key', 'X-Experiment-Feedback-Key', 'secret' ],
             [ 'a part of a key', 'X-Experiment-Feedback-Key',
               'secret-of-the-app-' ],
             [ 'a key in another header', 'X-API-Key',
               'secret-of-the-app-1' ])
{
    my ($text, @h) = @$row;
    my @got = ask('/key', fresh(metric => 'resolved', value => 1), @h);

    refused($text, 401, 'key', @got);
    is($got[0]->header('WWW-Authenticate'), 'X-Experiment-Feedback-Key',
       "$text - says what is asked for");
}

{
    my $c = $e->client;
    $c->send(Edge::Client->request('POST', '/key', '{}', 'Content-Type',
        'application/json', 'X-Experiment-Feedback-Key',
        'secret-of-the-app-1', 'X-Experiment-Feedback-Key',
        'secret-of-the-app-1'));
    refused('a key twice', 401, 'key', $c->response, $e->log_next);
}


# ---- replays

{
    my $item = fresh(metric => 'edits', experiment => 'tone', value => 1,
                     idempotency_key => 'e1');

    is((with_key($item))[0]{body}, '{"accepted":1,"duplicates":0}',
       'a key - first');

    my ($r, $line) = with_key($item);
    is($r->{status}, 202, 'a key - the second time as well');
    is($r->{body}, '{"accepted":0,"duplicates":1}', 'a key - as a duplicate');
    is($line->{refused}, 'duplicate', 'a key - which is logged as one');
    ok(!exists $line->{metric}, 'a key - and as no outcome');

    for my $other ({ metric => 'rating' }, { experiment => 'depth' },
                   { unit => 'another' }, { idempotency_key => 'e2' })
    {
        is((with_key({ %$item, %$other }))[0]{body},
           '{"accepted":1,"duplicates":0}',
           'a key - of another ' . join('', keys %$other));
    }

    is((with_key($item, 'X-Experiment-Feedback-Key',
                 'secret-of-the-app-2'))[0]{body},
       '{"accepted":1,"duplicates":0}', 'a key - of another who');

    my ($many, @lines) = with_key([
        $item, { %$item, idempotency_key => 'e3' },
        { %$item, idempotency_key => 'e3' },
        { %$item, idempotency_key => 'e4' } ], lines => 2);

    is($many->{body}, '{"accepted":2,"duplicates":2}',
       'a key - some new, some not, one of them twice');
    is(join(' ', map { $_->{n} } @lines), '1 3', 'a key - the new ones');

    delete $item->{idempotency_key};
    is((with_key($item))[0]{body}, '{"accepted":1,"duplicates":0}',
       'no key - taken') for 1, 2;
}


# ---- what is no feedback

at('JSON that is none', '', qr/malformed at byte 1/, with_key('{'));
at('an empty body', '', qr/JSON/, with_key(''));
at('hostile bytes', '', qr/not UTF-8/,
   with_key(qq({"unit":"\xff","metric":"resolved","value":1})));
at('a NUL byte', '', qr/JSON/, with_key("{}\0"));
at('deep', '', qr/too deep/, with_key('[' x 600 . ']' x 600));
at('no items', '', qr/1 to 1000 items/, with_key([]));
at('too many', '', qr/1 to 1000 items/,
   with_key([ map { fresh(metric => 'resolved', value => 1) } 0 .. 1000 ]));
at('no unit', '', qr/one of unit unit_hash request_id/,
   with_key({ metric => 'resolved', value => 1 }));
at('a member of another', '/0', qr/no member but/,
   with_key([ fresh(metric => 'resolved', value => 1, variant => 'b') ]));
at('a member twice', '/metric', qr/once/,
   with_key('{"unit":"u","metric":"resolved","value":1,"m\u0065tric":"x"}'));

at('out of range above', '/value', qr/^5 or less$/,
   with_key(fresh(metric => 'rating', value => 6)));
at('out of range by a hair', '/value', qr/^5 or less$/,
   with_key('{"unit":"u","metric":"rating","value":5.000000000000000001}'));
at('out of range below', '/value', qr/^1 or more$/,
   with_key(fresh(metric => 'rating', value => -1)));
at('beyond what is read', '/value', qr/between -1000000000 and/,
   with_key('{"unit":"u","metric":"rating","value":1e999}'));
at('no number', '/value', qr/a number/,
   with_key(fresh(metric => 'rating', value => 'NaN')));
at('true of what is no binary', '/value', qr/a number/,
   with_key(fresh(metric => 'rating', value => JSON::PP::true)));
at('half of a binary', '/value', qr/0, 1, true or false/,
   with_key(fresh(metric => 'resolved', value => 0.5)));
at('a part of a count', '/value', qr/an integer/,
   with_key(fresh(metric => 'turns', value => 1.5)));
at('a negative time', '/value', qr/milliseconds/,
   with_key(fresh(metric => 'reading', value => -1)));

at('an unknown experiment', '/experiment', qr/live and bound/,
   with_key(fresh(metric => 'resolved', value => 1, experiment => 'none')));
at('an experiment that is off', '/experiment', qr/live and bound/,
   with_key(fresh(metric => 'done', value => 1, experiment => 'idle')));
at('an unknown metric', '/metric', qr/declares/,
   with_key(fresh(metric => 'nothing', value => 1)));
at('a metric of another experiment', '/metric', qr/the experiment declares/,
   with_key(fresh(metric => 'turns', value => 1, experiment => 'tone')));
at('what the edge measures', '/metric', qr/does not measure/,
   with_key(fresh(metric => 'cost', value => 1, experiment => 'tone')));
at('a metric of two', '/experiment', qr/more than one/,
   with_key(fresh(metric => 'edits', value => 1)));

{
    my $good = fresh(metric => 'turns', value => 7, idempotency_key => 'g');
    my ($r, $line) = with_key([ fresh(metric => 'turns', value => -1),
                                fresh(metric => 'none', value => 1) ]);

    is(scalar @{ $json->decode($r->{body})->{errors} }, 2,
       'two faults of meaning - both are told');
    ok($line->{registry} && $line->{head},
       'two faults of meaning - logged with the registry');

    ($r, $line) = with_key([ fresh(metric => 'turns', value => -1),
                             fresh(metric => 'turns') ]);

    is_deeply([ map { $_->{pointer} }
                @{ $json->decode($r->{body})->{errors} } ], [ '/1/value' ],
              'a wrong shape - hides what its neighbours mean');
    ok(!exists $line->{registry} && !exists $line->{head},
       'a wrong shape - is found before the registry is asked');

    at('one of three', '/1/value', qr/an integer/,
       with_key([ $good, fresh(metric => 'turns', value => -1), $good ]));
    is((with_key($good))[0]{body}, '{"accepted":1,"duplicates":0}',
       'one of three - none of them was taken');

    ($r) = with_key([ map { fresh(metric => 'turns', value => -1) }
                      1 .. 25 ]);
    my $got = $json->decode($r->{body});

    is(scalar @{ $got->{errors} }, 20, 'many faults - twenty are told');
    is($got->{omitted}, 5, 'many faults - the rest is counted');
    is($got->{errors}[19]{pointer}, '/19/value', 'many faults - where');
}


# ---- types, methods, sizes

for my $type ('text/plain', 'application/json-seq', 'application/problem+json',
              'application/json; charset=latin1', 'application/x-json')
{
    refused("Content-Type $type", 415, 'type',
            with_key(fresh(metric => 'resolved', value => 1),
                     'Content-Type', $type));
}

refused('no Content-Type', 415, 'type',
        with_key(fresh(metric => 'resolved', value => 1), '-Content-Type',
                 ''));
refused('Content-Encoding', 415, 'type',
        with_key(fresh(metric => 'resolved', value => 1), 'Content-Encoding',
                 'gzip'));
refused('a body that is too large', 413, 'size',
        with_key('[' . ' ' x 1_048_576 . ']'));
is((with_key(fresh(metric => 'resolved', value => 1), 'Content-Type',
             'Application/JSON; Charset=UTF-8'))[0]{status}, 202,
   'Content-Type in any case');

for my $method ('GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS') {
    my $r = $e->ask($method, '/key', undef);

    is($r->{status}, 405, "$method - 405");
    ok(!$r->{cut}, "$method - the answer has an end");
    is($r->header('Allow'), 'POST', "$method - says what is allowed");
}

is($e->get('/sub')->{status}, 403, 'a subrequest - 403');
is($e->log_next->{kind}, 'request', 'a subrequest - none of its lines');


# ---- open

{
    my ($r, $line) = ask('/tone', fresh(metric => 'edits', value => 2));

    is($r->{status}, 202, 'open - taken');
    is($line->{trust}, 'open', 'open - and said so');
    is($line->{experiment}, 'tone', 'open - of what is bound here');
    at('open - no hash', '/unit_hash', qr/without a key/,
       ask('/tone', { unit_hash => 'a' x 32, metric => 'edits',
                      value => 2 }));
    at('open - not of what is not bound', '/experiment', qr/bound here/,
       ask('/tone', fresh(metric => 'turns', value => 2,
                          experiment => 'depth')));
}


# ---- of many experiments

{
    at('many - too many to look through', '/experiment', qr/more than 64 are/,
       ask('/many', fresh(metric => 'done3', value => 1)));

    is((ask('/on', fresh(metric => 'done66', value => 1,
                         experiment => 'm66')))[0]{status}, 202,
       'many - a name finds any of them');

    my @items = map { fresh(metric => "done$_", value => 1,
                            experiment => "m$_") } 1 .. 66;
    my ($r, @lines) = ask('/many', [ @items[0 .. 63] ], lines => 64);

    is($r->{body}, '{"accepted":64,"duplicates":0}', 'many - as many as may');
    is(join(' ', map { $_->{experiment} } @lines),
       join(' ', map { "m$_" } 1 .. 64), 'many - in their order');
    at('many - one more', '/64/experiment', qr/at most 64 experiments/,
       ask('/many', \@items));
    at('many - of names that nobody has', '/0/experiment', qr/live and bound/,
       ask('/many', [ map { fresh(metric => 'x', value => 1,
                                  experiment => "n$_") } 1 .. 66 ]));
}


# ---- the key is for the edge

{
    my ($r) = ask('/asked', fresh(metric => 'resolved', value => 1),
                  'X-Experiment-Feedback-Key', 'secret-of-the-app-1');
    my $check = ($e->received)[-1];

    is($r->{status}, 202, 'auth_request - the key is read');
    is($check->{uri}, '/check', 'auth_request - before it is asked');
    ok(!grep({ $_->[0] =~ /^x-experiment/i } @{ $check->{headers} }),
       'auth_request - which does not see it');

    my @got = ask('/error', fresh(metric => 'resolved', value => 1));
    refused('error_page', 401, 'key', @got);
}


# ---- tokens

sub token {
    my ($id) = @_;
    my $r = $e->get('/', 'X-Id', $id);
    my ($line) = $e->log_next;

    return (scalar $r->header('X-Token'), $line);
}

# The same by other code: HKDF and HMAC of Perl.

sub mint {
    my ($from, $to, $rest, %o) = @_;
    my ($kid, $hex) = split / /, (grep { !/^#/ } split /\n/,
                                  $e->read_file('edge/keys'))[0];
    my $prk = hmac_sha256(pack('H*', $hex), "\0" x 32);
    my $key = hmac_sha256('nxe/v1/' . ($o{purpose} // 'feedback') . "\x01",
                          $prk);
    my $head = "v1.$kid." . encode_base64url(pack('Q>Q>', $from, $to)
                                             . $rest);

    return "$head." . encode_base64url(hmac_sha256($head, $key));
}

{
    my ($token, $request) = token('t-1');
    my ($first) = grep { $_->{exposed} } @{ $request->{experiments} };
    my $rest = substr decode_base64url((split /\./, $token)[2]), 16;

    like($token, qr/^v1\.[0-9a-f]{8}\.[\w-]+\.[\w-]{43}$/, 'token - form');
    ok(length $token <= 512, 'token - length');
    is($first->{name}, 'depth', 'token - of the first that is exposed');

    my ($r, $line) = with_token('/token', $token,
                                { metric => 'turns', value => 3 });

    is($r->{body}, '{"accepted":1,"duplicates":0}', 'token - taken');
    delete @$line{qw(id time seq worker key_id registry head)};
    is_deeply($line, {
        kind => 'feedback', role => 'live', n => 0, experiment => 'depth',
        (map { $_ => $first->{$_} } qw(phase revision unit unit_type
                                       variant)),
        metric => 'turns', value => 3, trust => 'token',
    }, 'token - its line');

    my @again = with_token('/token', $token,
                           { metric => 'turns', value => 900 });
    is($again[0]{body}, '{"accepted":0,"duplicates":1}',
       'token - replayed, it says nothing more');
    is($again[1]{refused}, 'duplicate', 'token - and that is logged');
    is((with_token('/token', $token, { metric => 'edits', value => 1 }))[0]
       {body}, '{"accepted":1,"duplicates":0}', 'token - another metric');
    is((with_token('/token', $token, { metric => 'turns', value => 1,
                                       idempotency_key => 'second' }))[0]
       {body}, '{"accepted":1,"duplicates":0}', 'token - with a key');

    at('token - another experiment', '/experiment', qr/the token's/,
       with_token('/token', $token, { metric => 'edits', value => 1,
                                      experiment => 'tone' }));
    at('token - another request', '/request_id', qr/the token's/,
       with_token('/token', $token, { metric => 'edits', value => 1,
                                      request_id => 'a' x 32 }));
    at('token - another unit', '/unit', qr/the token has it/,
       with_token('/token', $token, fresh(metric => 'edits', value => 1)));
    at('token - another hash', '/unit_hash', qr/without a key/,
       with_token('/token', $token, { metric => 'edits', value => 1,
                                      unit_hash => 'a' x 32 }));

    my ($mine) = with_token('/token', $token, {
        metric => 'edits', value => 1, experiment => 'depth',
        request_id => $request->{id}, idempotency_key => 'named' });
    is($mine->{status}, 202, 'token - what it has may be named');

    # forged
    my $now = time;
    my $item = { metric => 'turns', value => 1 };

    is((with_token('/token', mint($now, $now + 86400, $rest), {
        %$item, idempotency_key => 'minted' }))[0]{status}, 202,
       'token - as the edge makes it');

    my %bad = (
        'no token' => [ '', 'none' ],
        'no form' => [ 'v1', 'form' ],
        'another version' => [ $token =~ s/^v1/v2/r, 'form' ],
        'another unit' => [ join('.', map { $_ } (split /\./, $token)[0, 1],
            encode_base64url(pack('Q>Q>', $now, $now + 86400)
                             . $rest =~ s/[0-9a-f]{32}/'f' x 32/er),
            (split /\./, $token)[3]), 'forged' ],
        'another MAC' => [ $token =~ s/\.[^.]{4}([^.]*)\z/.AAAA$1/r,
                           'forged' ],
        'no MAC' => [ $token =~ s/[^.]*\z//r, 'form' ],
        'padding' => [ "$token=", 'form' ],
        'a blank' => [ "$token x", 'form' ],
        'another key' => [ $token =~ s/^v1\.\w{8}/v1.00000000/r, 'key' ],
        'too long' => [ mint($now, $now + 86400, $rest . 'x' x 300),
                        'form' ],
        'of another purpose' => [ mint($now, $now + 86400, $rest,
                                       purpose => 'preview'), 'forged' ],
        'expired' => [ mint($now - 86500, $now - 61, $rest), 'expired' ],
        'of the future' => [ mint($now + 75, $now + 86400, $rest), 'early' ],
        'of other contents' => [ mint($now, $now + 86400, 'x' x 90),
                                 'form' ],
    );

    for my $text (sort keys %bad) {
        my ($t, $cause) = @{ $bad{$text} };
        my @got = with_token('/token', $t, $item);

        refused("token - $text", 401, "token:$cause", @got);
        is($got[0]->header('WWW-Authenticate'),
           'X-Experiment-Feedback-Token', "token - $text: what is asked for");
    }

    is((with_token('/token', mint($now - 86400, $now - 30, $rest), {
        %$item, idempotency_key => 'skew' }))[0]{status}, 202,
       'token - within the skew');
    at('token - without what a page may name', '', qr/an object/,
       with_token('/token', $token, '1'));

    refused('token - no key where a token is asked for', 401, 'token:none',
            ask('/token', $item, 'X-Experiment-Feedback-Key',
                'secret-of-the-app-1'));
    refused('token - no token where a key is asked for', 401, 'key',
            with_token('/key', $token, $item));

    # bound elsewhere
    is((with_token('/layer', $token, { %$item, idempotency_key => 'l' }))[0]
       {status}, 202, 'token - where its layer is bound');
    my $tone = $rest =~ s/\x05depth/\x04tone/r;
    at('token - where its experiment is not bound', '', qr/bound here/,
       with_token('/layer', mint($now, $now + 86400, $tone),
                  { metric => 'resolved', value => 1 }));

    # what happened to the experiment since
    $e->change('pause', 'depth');
    is((with_token('/token', $token, { %$item, idempotency_key => 'p' }))[0]
       {status}, 202, 'token - of what is paused');
    $e->change('resume', 'depth');
}

{
    my $in = $e->unit('half', exposed => 1);
    my $out = $e->unit('half', exposed => 0);
    my $r = $e->get('/half', 'X-Id', $in);

    like($r->header('X-Token'), qr/^\[v1\./, 'token - of the exposed');
    is($e->get('/half', 'X-Id', $out)->header('X-Token'), '[]',
       'token - empty for who is not');
    is($e->get('/half')->header('X-Token'), '[]',
       'token - empty without a unit');
    $e->log_next(3);
}


# ---- from a page

{
    my ($token) = token('p-1');
    my $item = { metric => 'turns', value => 1 };
    my ($r) = with_token('/page', $token, $item, 'Origin', $page);

    is($r->{status}, 202, 'page - a listed origin');
    is($r->header('Access-Control-Allow-Origin'), $page, 'page - may read');
    is($r->header('Vary'), 'Origin', 'page - for caches');
    is((with_token('/page', $token, $item))[0]{status}, 202,
       'page - no origin');

    for my $origin ('https://app.example.evil', 'http://app.example',
                    'https://APP.example', 'https://app.example:443', 'null',
                    '')
    {
        my @got = with_token('/page', $token, $item, 'Origin', $origin);

        refused("page - origin '$origin'", 403, 'origin', @got);
        is($got[0]->header('Access-Control-Allow-Origin'), undef,
           "page - origin '$origin' may not read");
    }

    my $c = $e->client;
    $c->send(Edge::Client->request('POST', '/page', '{}', 'Content-Type',
        'application/json', 'Origin', $page, 'Origin', $page));
    refused('page - two origins', 403, 'origin', $c->response, $e->log_next);

    refused('page - none is listed', 403, 'origin',
            with_token('/token', $token, $item, 'Origin', $page));

    my ($bad) = with_token('/page', 'x', $item, 'Origin',
                           'http://127.0.0.1:8080');
    is($bad->{status}, 401, 'page - a refusal');
    is($bad->header('Access-Control-Allow-Origin'), 'http://127.0.0.1:8080',
       'page - can be read, too');

    my $pre = $e->ask('OPTIONS', '/page', undef, 'Origin', $page,
        'Access-Control-Request-Method', 'POST',
        'Access-Control-Request-Headers', 'x-experiment-feedback-token');

    is($pre->{status}, 204, 'preflight - 204');
    is($pre->{body}, '', 'preflight - without a body');
    is($pre->header('Access-Control-Allow-Origin'), $page,
       'preflight - origin');
    is($pre->header('Access-Control-Allow-Methods'), 'POST',
       'preflight - methods');
    is($pre->header('Access-Control-Allow-Headers'),
       'Content-Type, X-Experiment-Feedback-Token', 'preflight - headers');
    is($pre->header('Access-Control-Allow-Credentials'), undef,
       'preflight - no cookies');

    is($e->ask('OPTIONS', '/page', undef, 'Origin', 'https://x.example')
       ->{status}, 403, 'preflight - another origin');
    is($e->ask('OPTIONS', '/page', undef)->{status}, 405,
       'preflight - of nobody');
    is($e->ask('OPTIONS', '/token', undef, 'Origin', $page)->{status}, 403,
       'preflight - none is listed');
}


# ---- however it comes

{
    my $body = $json->encode([ map { fresh(metric => 'turns', value => $_) }
                               1 .. 100 ]);
    my @h = ('Content-Type', 'application/json', 'X-Experiment-Feedback-Key',
             'secret-of-the-app-1');

    for my $path ('/key', '/small') {
        my $c = $e->client;
        my $raw = Edge::Client->request('POST', $path, $body, @h);
        $c->send(unpack '(a700)*', $raw);
        is($c->response->{body}, '{"accepted":100,"duplicates":0}',
           "$path - in pieces");
        is(scalar(my @l = $e->log_next(100)), 100, "$path - a line each");

        $c->send(Edge::Client->request('POST', $path,
            Edge::Client->chunked($body, 333), @h, 'Transfer-Encoding',
            'chunked'));
        is($c->response->{body}, '{"accepted":100,"duplicates":0}',
           "$path - chunked, on the same connection");
        $e->log_next(100);

        my $h2 = Edge::H2->new($e->port('PORT_H2'));
        my $id = $h2->open('POST', $path, @h);
        $h2->data($id, $body, size => 500, end => 1);
        is($h2->answer($id)->{body}, '{"accepted":100,"duplicates":0}',
           "$path - HTTP/2");
        $e->log_next(100);
    }

    my $c = $e->client;
    $c->send(Edge::Client->request('POST', '/key', '[' . ' ' x 1_048_576
        . ']', @h, 'Transfer-Encoding', 'chunked', '-Content-Length', ''));
    $c->close;
    is($e->log_next->{kind}, 'feedback', 'a body that is no body - logged');
}

{
    my ($r, @lines) = with_key([ map { fresh(metric => 'turns',
                                             value => $_) } 1 .. 1000 ],
                               lines => 1000);

    is($r->{body}, '{"accepted":1000,"duplicates":0}', 'a thousand - taken');
    is($lines[999]{n}, 999, 'a thousand - a line each');
    is($lines[999]{seq} - $lines[0]{seq}, 999,
       'a thousand - each with its number');
}

# ---- a reload

{
    my $item = fresh(metric => 'turns', value => 1, idempotency_key => 'r');
    my ($token) = token('r-1');

    with_key($item);
    ok($e->reload, 'reload');
    $e->sync;
    is((with_key($item))[0]{body}, '{"accepted":0,"duplicates":1}',
       'reload - a replay is known');
    is((with_token('/token', $token, { metric => 'turns', value => 1 }))[0]
       {body}, '{"accepted":1,"duplicates":0}', 'reload - a token holds');
}


# ---- what the status counts: by experiment, in no row

{
    my %taken;
    $taken{ $_->{experiment} }++
        for grep { $_->{kind} eq 'feedback' && defined $_->{metric} }
            $e->log_lines;

    my $status = $json->decode($e->get('/status')->{body});
    my %told = map { $_->{name} => $_->{feedback} }
        @{ $status->{experiments} };
    my $rows = Edge::Status::rows($status);

    is_deeply({ map { $_ => $told{$_} } grep { $told{$_} } keys %told },
              \%taken, 'status - what was accepted, by experiment');
    ok($told{depth} > 1 && $told{tone} > 1, 'status - with keys and tokens');
    is(join(' ', grep { / _feedback | $/ } keys %$rows), '',
       'status - in no row');
    is(join(' ', grep { exists $rows->{$_}{feedback} } keys %$rows), '',
       'status - and of none');

    my ($sample) = Edge::Status::samples($e->get('/metrics')->{body});
    is_deeply({ map { /feedback_total\{experiment="(.*?)",phase="1"\}$/
                          ? ($1 => $sample->{$_}) : () } keys %$sample },
              \%taken, 'status - prometheus, by experiment and phase');
    is(join(' ', grep { /step=""|_feedback"|feedback_total\{.*variant/ }
            keys %$sample), '', 'status - prometheus, in no other series');
}


# ---- what analyze makes of the log

{
    my $log = $e->dir . '/log/experiment.log';
    my $out = $json->decode($e->must('analyze', 'depth', $log,
                                     '-o', 'json'));

    is($out->{inputs}[0]{bad}, 0, 'analyze - reads every line');
    ok($out->{feedback}{counted} > 0, 'analyze - outcomes of units it knows');
}


# ---- without a registry

my $bare = Edge->new;

$bare->init;
unlink $bare->registry . '/serving/current';
delete $bare->{has_registry};
$bare->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { experiment on; experiment_feedback open; }
    }
}
EOC

{
    my $r = $bare->post('/', $json->encode(fresh(metric => 'resolved',
                                                 value => 1)));
    my ($line) = $bare->log_next;

    is($r->{status}, 503, 'no registry - 503');
    like($r->{body}, qr/a registry, but none is loaded/,
         'no registry - says so');
    is($line->{refused}, 'registry', 'no registry - logged');
    ok(!exists $line->{registry}, 'no registry - has no number');
}

$bare->finish;
$e->done;
