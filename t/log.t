#!/usr/bin/perl
# The log line: its fields and their order, escaping, sequence, keyed units.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use Edge;

my $e = Edge->new;

$e->upstream(reply => sub {
    my ($r) = @_;

    return { status => 503, body => '{}' } if $r->{uri} =~ /fails/;
    return { body => '{}', cut => 60 } if $r->{uri} =~ /cut/;
    return { body => '{"ok":true}', delay => $r->{uri} =~ /slow/ ? 0.15 : 0 };
});
$e->init;
$e->apply(<<'EOD');
{"name": "tone", "layer": "chat",
 "unit": {"type": "conversation", "sources": ["cookie:cid", "header:X-Id"]},
 "variants": [{"name": "control"},
  {"name": "b", "allow_many": true, "headers": {"request": {"set": {"X-P": "2"}}},
   "overrides": {"default": {"temperature": 0.2}}}]}
EOD
$e->must('stage', 'tone', 'ab', '--exposure', '0.9');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    upstream dead { server 127.0.0.1:%%PORT_DEAD%%; }

    server {
        listen 127.0.0.1:%%PORT%%;
        location / { experiment on; proxy_pass http://up; }
        location /direct {
            experiment on;
            proxy_pass http://127.0.0.1:%%PORT_UP%%;
        }
        location /dead { experiment on; proxy_pass http://dead; }
        location /off { proxy_pass http://up; }
        location /quiet { experiment on; access_log off; return 204; }
        location /twice {
            experiment on;
            access_log "%%DIR%%/log/one.log" experiment;
            access_log "%%DIR%%/log/two.log" experiment;
            return 200 ok;
        }
        location /bare {
            experiment on;
            access_log "%%DIR%%/log/bare.log" experiment;
            return 200 ok;
        }
    }
}
EOC

my $b = $e->unit('tone', variant => 'b', exposed => 1);
my $before = time;
my $r = $e->post('/v1/chat/completions?key=secret',
    '{"model":"gpt-4o","messages":[],"temperature":1}', 'X-Id', $b);
my $line = $e->log_next;
my $raw = $e->read_file('log/experiment.log');

my @order = $raw =~ /[{,]"([a-z_.]+)":(?:"(?:[^"\\]|\\.)*"|[-0-9.]+|(\[)|)/g;
my @top = qw(kind id time seq worker key_id registry head role method uri
    status response_ms upstream upstream_status upstream_ms bytes_in bytes_out
    step dialect body experiments gen_ai.request.model first_byte_ms
    unmetered cold);
my @x = qw(name phase revision stage variant exposed reason unit unit_type
    unit_source p applied);

is_deeply([ sort keys %$line ], [ sort @top ], 'line - its members');
my $at = -1;
my $ordered = 1;
for my $key (@top) {
    my $i = index $raw, qq("$key":);
    $ordered = 0 if $i <= $at;
    $at = $i;
}
ok($ordered, 'line - members in their order') or diag($raw);
my ($entry_raw) = $raw =~ /"experiments":\[(\{.*?\}\})\]/;
$at = -1;
$ordered = 1;
for my $key (@x) {
    my $i = index $entry_raw // '', qq("$key":);
    $ordered = 0 if $i <= $at;
    $at = $i;
}
ok($ordered, 'entry - members in their order') or diag($raw);
like($raw, qr/\A\{"kind":"request",/, 'line - kind first');
is(($raw =~ tr/\n//), 1, 'line - one line a request');
unlike($raw, qr/[ \t]/, 'line - no white space');

is($line->{kind}, 'request', 'kind');
like($line->{id}, qr/^[0-9a-f]{32}$/, 'id');
like($line->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'time');
like($line->{worker}, qr{^[^/]+/[0-9a-f]{8}$}, 'worker');
is($line->{registry}, $e->published, 'registry');
like($line->{head}, qr/^[0-9a-f]{16}$/, 'head');
is($line->{role}, 'live', 'role');
is($line->{method}, 'POST', 'method');
is($line->{uri}, '/v1/chat/completions', 'uri - without arguments');
is($line->{status}, 200, 'status');
like($raw, qr/"response_ms":\d+\.\d{1,3}[,}]/, 'response_ms');
is($line->{upstream}, 'up', 'upstream');
is($line->{upstream_status}, 200, 'upstream_status');
like($raw, qr/"upstream_ms":\d+(?:\.\d{1,3})?,/, 'upstream_ms');
cmp_ok($line->{bytes_in}, '>', 100, 'bytes_in');
cmp_ok($line->{bytes_out}, '>', 11, 'bytes_out');
is($line->{step}, 'default', 'step');
is($line->{dialect}, 'openai_chat', 'dialect');
is($line->{body}, 'edited', 'body');
unlike($raw, qr/secret|\Q$b\E/, 'neither arguments nor raw units');
unlike($raw, qr/null/, 'nothing is null');

# The time of the line is when the request came.
my ($y, $mo, $d, $h, $mi, $s) = $line->{time} =~
    /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z/;
require Time::Local;
my $t = Time::Local::timegm(int $s, $mi, $h, $d, $mo - 1, $y)
    + ($s - int $s);
cmp_ok(abs($t - $before), '<', 2, 'time - is now, in UTC');

my $x = $line->{experiments}[0];
is($x->{unit_type}, 'conversation', 'unit_type');
is($x->{unit_source}, 1, 'unit_source - index in sources');
is_deeply($x->{applied}, { temperature => 'applied', 'header:X-P' =>
                           'applied' }, 'applied');


# The unit: HMAC under a subkey of the key file.

my ($kid, $hex) = $e->read_file('edge/keys') =~
    /^([0-9a-f]{8}) ([0-9a-f]{64})$/im;
my $key = pack 'H*', $hex;
my $prk = hmac_sha256($key, "\0" x 32);
my $subkey = hmac_sha256("nxe/v1/unit\x01", $prk);
is($line->{key_id}, substr(sha256_hex($key), 0, 8), 'key_id - of the key');
is($line->{key_id}, $kid, 'key_id - as in the file');
is($x->{unit}, substr(hmac_sha256_hex("conversation\0$b", $subkey), 0, 32),
   'unit - HMAC of type and value');


# Durations.

$e->get('/slow', 'X-Id', $b);
$line = $e->log_next;
cmp_ok($line->{response_ms}, '>=', 140, 'response_ms - holds the wait');
cmp_ok($line->{response_ms}, '<', 5000, 'response_ms - and no more');
cmp_ok($line->{upstream_ms}, '>=', 140, 'upstream_ms - holds the wait');
ok(!exists $line->{body}, 'body - absent when not read');


# Failures are lines too.

$e->get('/fails', 'X-Id', $b);
$line = $e->log_next;
is("$line->{status} $line->{upstream_status}", '503 503',
   'status - of the upstream');

$e->get('/dead', 'X-Id', $b);
$line = $e->log_next;
is("$line->{status} $line->{upstream_status}", '502 502',
   'status - no upstream');
is($line->{upstream}, 'dead', 'upstream - though it is dead');

$e->get('/direct', 'X-Id', $b);
is($e->log_next->{upstream}, '127.0.0.1:' . $e->port('PORT_UP'),
   'upstream - as given to proxy_pass');

my $c = $e->client;
$c->send(Edge::Client->request('GET', '/slow', undef, 'X-Id', $b));
$c->close;
is($e->log_next->{status}, 499, 'status - the client went away');

$e->get('/bare', 'X-Id', $b);
$line = $e->log_next(1, 'bare.log');
ok(!exists $line->{$_}, "no upstream - no $_")
    for 'upstream', 'upstream_status', 'upstream_ms';
is($line->{experiments}[0]{reason}, 'assigned',
   'answered early - assigned all the same');


# Escaping: no byte of a client gets out of its string.

my @hostile = (
    [ 'quotes', '/a%22,%22kind%22:%22x', '/a","kind":"x' ],
    [ 'backslash', '/a%5C%5C%22', '/a\\\\"' ],
    [ 'newline', '/a%0A%7B%22kind%22:%22request%22%7D', undef ],
    [ 'controls', '/a%01%1F%7F', undef ],
    [ 'line separators', "/a%E2%80%A8%E2%80%A9", "/a\x{2028}\x{2029}" ],
    [ 'UTF-8', '/%C3%BC%F0%9F%98%80', "/\x{fc}\x{1f600}" ],
    [ 'invalid UTF-8', '/a%FF%C3', undef ],
    [ 'long', '/' . 'x' x 1000, '/' . 'x' x 255 ],
);

for my $row (@hostile) {
    my ($text, $uri, $want) = @$row;

    $e->get($uri, 'X-Id', $b, 'X-Inference-Step', 'a"b\\', 'Cookie',
            "cid=\"'\x7f\xff");
    my $line = eval { $e->log_next } // {};
    is($line->{kind}, 'request', "escaping: $text - one line") or diag($@);
    next unless defined $want;

    # "uri" is the path as it came or as it was decoded, but the same one.
    my $got = $line->{uri};
    my $decoded = $got =~ s/%([0-9A-F]{2})/chr hex $1/gier;
    utf8::decode($decoded) if $got =~ /%/;
    is($decoded, $want, "escaping: $text - value") unless $text eq 'long';
    cmp_ok(length $got, '<=', 256, "escaping: $text - cut")
        if $text eq 'long';
}

$raw = $e->read_file('log/experiment.log');
unlike($raw, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'escaping - no raw control');
unlike($raw, qr/\xe2\x80[\xa8\xa9]/, 'escaping - no raw U+2028, U+2029');
ok(utf8::decode(my $copy = $raw), 'escaping - the log is UTF-8');


# Sequence numbers: one a logged request, no gap for what is not logged.

$e->log_skip;
for my $uri ('/a', '/off', '/quiet', '/b', '/twice', '/c') {
    $e->get($uri, 'X-Id', $b);
}
my @lines = $e->log_next(3);
is(join(' ', map { $_->{uri} } @lines), '/a /b /c',
   'sequence - what is off or not logged has no line');
my ($one) = $e->log_lines('one.log');
my ($two) = $e->log_lines('two.log');
is($one->{seq}, $two->{seq}, 'sequence - two logs, one number');
is(join(' ', map { $_ - $lines[0]{seq} } $lines[1]{seq}, $one->{seq},
        $lines[2]{seq}), '1 2 3', 'sequence - without gaps');

$e->done;
