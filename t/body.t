#!/usr/bin/perl
# Body overrides: what is changed, and that nothing else is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $e = Edge->new;

$e->upstream(reply => sub { return { body => '{"ok":true}' } });
$e->upstream(name => 'DYING', early => sub { return 1 });
$e->init;
$e->apply(<<'EOD', <<'EOD', <<'EOD', <<'EOD', <<'EOD');
{"name": "chat", "layer": "chat", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true, "overrides": {"default": {
     "system": "Be \"brief\".\n\u00fc\u2028", "temperature": 0.20,
     "max_tokens": 400, "model": "small"}}}]}
EOD
{"name": "absent", "layer": "absent", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true, "overrides": {"default": {
     "max_tokens": {"value": 400, "when": "absent"},
     "top_p": {"value": 0.5, "when": "absent"},
     "system": {"value": "S", "when": "absent"}}}}]}
EOD
{"name": "plain", "layer": "plain", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true, "overrides": {"default": {
     "temperature": 0.2, "system": "S", "verbosity": "low"}}}]}
EOD
{"name": "one", "layer": "one", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "overrides": {"default": {"temperature": 0.2}}}]}
EOD
{"name": "two", "layer": "two", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "overrides": {"default": {"top_p": 0.3}}}]}
EOD

# Those that touch the same parameter must not be live together: each is on
# while its tests run.
my $live = '';

sub live {
    for my $name (split / /, $live) {
        $e->must('stage', $name, 'off');
    }
    $live = "@_";
    $e->must('stage', $_, 'ab', '--exposure', '0.9') for @_;
    $e->sync;
}

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    upstream retry {
        server 127.0.0.1:%%PORT_DYING%% weight=1000 max_fails=0;
        server 127.0.0.1:%%PORT_UP%% backup max_fails=0;
    }
    proxy_next_upstream error timeout non_idempotent;

    server {
        listen 127.0.0.1:%%PORT%%;
        experiment on;

        location / { proxy_pass http://up; }

        location /small/ {
            client_body_buffer_size 1k;
            proxy_pass http://up;
        }

        location /retry/ { proxy_pass http://retry; }

        location /retry-small/ {
            client_body_buffer_size 1k;
            proxy_pass http://retry;
        }

        location /stream/ {
            proxy_request_buffering off;
            proxy_pass http://up;
        }

        location /json/ { experiment_dialect json; proxy_pass http://up; }
        location /chat/ {
            experiment_dialect openai_chat;
            proxy_pass http://up;
        }
        location /keep/ { experiment_body off; proxy_pass http://up; }
        location /limit/ { client_max_body_size 1k; proxy_pass http://up; }
    }
}
EOC

my $uri = '/v1/chat/completions';
my %unit = map { my $v = $_; $v => common($v) } 'b', 'control';


# A unit that is in the same arm of every experiment.

sub common {
    my ($variant) = @_;
    my %n;

    for my $name ('chat', 'absent', 'plain', 'one', 'two') {
        live($name);
        my $out = $e->must({ stdin => join '', map { "u-$_\n" } 1 .. 500 },
                           'assign', $name, '-o', 'json');
        for my $line (split /\n/, $out) {
            $n{$1}++ if $line =~
                /"unit":"(u-\d+)","variant":"$variant","exposed":true/;
        }
    }

    my ($unit) = sort grep { $n{$_} == 5 } keys %n;
    live('chat');
    return $unit // die "no unit is in all arms '$variant'\n";
}


# A body of the arm b and the one that goes upstream; %S is the system prompt
# as a JSON string, of which only the value is compared.
sub edited {
    my ($text, $in, $want, %applied) = @_;

    is($e->post($uri, $in, 'X-Id', $unit{b})->{status}, 200,
       "$text - answered");
    my $got = $e->received;
    my $line = $e->log_next;
    my $body = $got->{body};

    # Which escapes the prompt has is the publisher's affair.
    $body =~ s/"Be (?:[^"\\]|\\.)*"/%S/g;
    is($body, $want, "$text - body");
    is($got->header('Content-Length'), length $got->{body},
       "$text - Content-Length");
    is(scalar(() = $got->header('Transfer-Encoding')), 0,
       "$text - not chunked");
    is($line->{body}, $in eq $got->{body} ? 'unchanged' : 'edited',
       "$text - logged");
    is_deeply($line->{experiments}[0]{applied}, { %applied },
              "$text - applied") if %applied;
}


my %all = map { $_ => 'applied' } qw(system temperature max_tokens model);

edited('everything present',
    '{"model":"large","messages":[{"role":"system","content":"Old"},'
    . '{"role":"user","content":"Hi"}],"temperature":1,"max_tokens":9}',
    '{"model":"small","messages":[{"role":"system","content":%S},'
    . '{"role":"user","content":"Hi"}],"temperature":0.20,"max_tokens":400}',
    %all);
edited('developer is a system prompt',
    '{"model":"a","messages":[{"role":"developer","content":"Old"}],'
    . '"temperature":1,"max_tokens":9}',
    '{"model":"small","messages":[{"role":"developer","content":%S}],'
    . '"temperature":0.20,"max_tokens":400}', %all);
edited('content before role, an array as content',
    '{"model":"a","messages":[{"content":[{"type":"text","text":"x"}],'
    . '"role":"system","name":"n"}],"temperature":1,"max_tokens":9}',
    '{"model":"small","messages":[{"content":%S,'
    . '"role":"system","name":"n"}],"temperature":0.20,"max_tokens":400}',
    %all);
edited('an escaped role',
    '{"model":"a","messages":[{"role":"\u0073ystem","content":"Old"}],'
    . '"temperature":1,"max_tokens":9}',
    '{"model":"small","messages":[{"role":"\u0073ystem","content":%S}],'
    . '"temperature":0.20,"max_tokens":400}', %all);
edited('no system prompt: inserted in front',
    '{"model":"a","messages":[{"role":"user","content":"Hi"}],'
    . '"temperature":1,"max_tokens":9}',
    '{"model":"small","messages":[{"role":"system","content":%S},'
    . '{"role":"user","content":"Hi"}],"temperature":0.20,"max_tokens":400}',
    %all);
edited('no messages at all',
    '{"model":"a","messages":[],"temperature":1,"max_tokens":9}',
    '{"model":"small","messages":[{"role":"system","content":%S}],'
    . '"temperature":0.20,"max_tokens":400}', %all);
edited('no messages array: unsupported',
    '{"model":"a","messages":"x","temperature":1,"max_tokens":9}',
    '{"model":"small","messages":"x","temperature":0.20,"max_tokens":400}',
    %all, system => 'unsupported');
edited('null counts as present',
    '{"model":null,"messages":[{"role":"user"}],"temperature":null,'
    . '"max_tokens":null}',
    '{"model":"small","messages":[{"role":"system","content":%S},'
    . '{"role":"user"}],"temperature":0.20,"max_tokens":400}', %all);
edited('max_completion_tokens keeps its name',
    '{"model":"a","messages":0,"temperature":1,"max_completion_tokens":9}',
    '{"model":"small","messages":0,"temperature":0.20,'
    . '"max_completion_tokens":400}', %all, system => 'unsupported');
edited('both names of max_tokens',
    '{"max_completion_tokens":7,"model":"a","temperature":1,"max_tokens":9}',
    '{"max_completion_tokens":400,"model":"small","temperature":0.20,'
    . '"max_tokens":400}', %all, system => 'unsupported');
edited('equal stays as it is spelled',
    '{"model":"\u0073mall","messages":0,"temperature":2.0e-1,'
    . '"max_tokens":4e2}',
    '{"model":"\u0073mall","messages":0,"temperature":2.0e-1,'
    . '"max_tokens":4e2}', model => 'equal', temperature => 'equal',
    max_tokens => 'equal', system => 'unsupported');
edited('near is not equal',
    '{"model":"smalL","temperature":0.20000000000000000001,'
    . '"max_tokens":400.5}',
    '{"model":"small","temperature":0.20,"max_tokens":400}', %all,
    system => 'unsupported');
edited('all other bytes stay',
    "\r\n{ \"n\" : 9007199254740993, \"f\":1.0, \"z\" : -0.0e+1 ,\t"
    . "\"model\" : \"a\" , \"u\":\"\\u00fc\\/\xc3\xbc\", \"temperature\"\n:\n"
    . "1, \"max_tokens\":9, \"o\":{\"model\":\"x\",\"temperature\":5}}\n ",
    "\r\n{ \"n\" : 9007199254740993, \"f\":1.0, \"z\" : -0.0e+1 ,\t"
    . "\"model\" : \"small\" , \"u\":\"\\u00fc\\/\xc3\xbc\", "
    . "\"temperature\"\n:\n0.20, \"max_tokens\":400, "
    . "\"o\":{\"model\":\"x\",\"temperature\":5}}\n ");
edited('an escaped key is the key',
    '{"mod\u0065l":"a","messages":0,"temper\u0061ture":1,"max_tokens":9}',
    '{"mod\u0065l":"small","messages":0,"temper\u0061ture":0.20,'
    . '"max_tokens":400}');

# Appended members come in some order; their values are looked at.
for my $in ('{}', '{ }', '{"a":1}', '{"a":[{}] } ', '{"messages":[]}') {
    $e->post($uri, $in, 'X-Id', $unit{b});
    my $got = $e->received;
    my $j = $got->json;
    my $head = $in =~ s/\s*\}\s*\z//r;

    is("$j->{model} $j->{temperature} $j->{max_tokens}", 'small 0.2 400',
       "appended to '$in'");
    like($got->{body}, qr/"temperature":0\.20\b/,
         "appended to '$in' - spelled as in the document");
    is(substr($got->{body}, 0, length $head), $head,
       "appended to '$in' - what was there stays") if $in !~ /messages/;
    is($got->header('Content-Length'), length $got->{body},
       "appended to '$in' - Content-Length");
}
$e->log_next(5);

# The prompt's own bytes.
$e->post($uri, '{"messages":[]}', 'X-Id', $unit{b});
is($e->received->json->{messages}[0]{content}, "Be \"brief\".\n\x{fc}\x{2028}",
   'the prompt arrives as it was applied');
$e->log_next;


# The other arm, and units that are not exposed: byte for byte.

my $body = "{\"model\" : \"a\",\t\"messages\":[],\"temperature\":1.50 }\n";
my $out = $e->unit('chat', reason => 'not_exposed');

for my $id ($unit{control}, $out) {
    $e->post($uri, $body, 'X-Id', $id);
    is($e->received->{body}, $body, "baseline, $id - byte for byte");
    my $line = $e->log_next;
    is($line->{body}, $id eq $out ? undef : 'unchanged',
       "baseline, $id - logged");
    ok(!exists $line->{experiments}[0]{applied},
       "baseline, $id - nothing applied");
}


# A body that cannot be edited goes on as it is, in every arm.

my @bypass = (
    [ 'text behind the value', '{"model":"a"} x', 'malformed' ],
    [ 'two values', '{"model":"a"}{}', 'malformed' ],
    [ 'cut', '{"model":"a"', 'malformed' ],
    [ 'empty', '', undef ],
    [ 'white space', '  ', 'malformed' ],
    [ 'a leading zero', '{"n":01}', 'malformed' ],
    [ 'NaN', '{"n":NaN}', 'malformed' ],
    [ 'a control in a string', "{\"n\":\"\x01\"}", 'malformed' ],
    [ 'a trailing comma', '{"n":1,}', 'malformed' ],
    [ 'a comment', '{"n":1}//', 'malformed' ],
    [ 'invalid UTF-8', "{\"n\":\"\xff\"}", 'utf8' ],
    [ 'an encoded surrogate', "{\"n\":\"\xed\xa0\x80\"}", 'utf8' ],
    [ 'overlong UTF-8', "{\"n\":\"\xc0\xaf\"}", 'utf8' ],
    [ 'a byte order mark', "\xef\xbb\xbf{\"n\":1}", 'utf8' ],
    [ 'a NUL byte', "{\"n\":1}\0", 'utf8' ],
    [ 'UTF-16', "{\0\"\0n\0\"\0:\0001\0}\0", 'utf8' ],
    [ 'an array', '[{"model":"a"}]', 'root' ],
    [ 'a string', '"model"', 'root' ],
    [ 'null', 'null', 'root' ],
    [ 'deep', '{"a":' . '[' x 512 . ']' x 512 . '}', 'depth' ],
    [ 'a target twice', '{"model":"a","model":"b"}', 'duplicate' ],
    [ 'a target twice, once escaped', '{"model":"a","mod\u0065l":"b"}',
      'duplicate' ],
);

for my $row (@bypass) {
    my ($text, $in, $cause) = @$row;

    for my $arm ('b', 'control') {
        my $r = $e->post($uri, $in, 'X-Id', $unit{$arm});
        is($r->{status}, 200, "bypass: $text, $arm - served");
        is($e->received->{body}, $in, "bypass: $text, $arm - byte for byte");
        my $line = $e->log_next;
        next unless defined $cause;
        is($line->{body}, "bypass:$cause", "bypass: $text, $arm - logged");
        is_deeply($line->{experiments}[0]{applied},
                  $arm eq 'b' ? { map { $_ => 'bypassed' } keys %all } : undef,
                  "bypass: $text, $arm - applied");
    }
}

my $deep = '{"model":"a","d":' . '[' x 511 . ']' x 511 . '}';
$e->post($uri, $deep, 'X-Id', $unit{b});
is($e->received->json->{model}, 'small', 'depth 512 is edited');
$e->log_next;

# Encoded bodies.
for my $arm ('b', 'control') {
    $e->post($uri, '{"model":"a"}', 'X-Id', $unit{$arm}, 'Content-Encoding',
             'gzip');
    is($e->received->{body}, '{"model":"a"}', "encoded, $arm - untouched");
    is($e->log_next->{body}, 'bypass:encoded', "encoded, $arm - logged");
}
$e->post($uri, '{"model":"a"}', 'X-Id', $unit{b}, 'Content-Encoding',
         'identity');
is($e->received->json->{model}, 'small', 'encoding identity is edited');
$e->log_next;


# What is not JSON by type is not read.

my @types = (
    [ 'application/json', 1 ], [ 'Application/JSON', 1 ],
    [ 'application/json; charset=utf-8', 1 ], [ 'application/ld+json', 1 ],
    [ 'application/json; charset="utf-8"', 1 ],
    [ 'application/json; charset=utf-8x', 0 ],
    [ 'application/grpc+json', 0 ],
    [ 'text/plain', 0 ], [ 'application/jsonp', 0 ],
    [ 'multipart/form-data; boundary=x', 0 ], [ 'application/octet-stream', 0 ],
);

for my $row (@types) {
    my ($type, $read) = @$row;

    $e->post($uri, '{"model":"a"}', 'X-Id', $unit{b}, 'Content-Type', $type);
    is($e->received->json->{model}, $read ? 'small' : 'a',
       "type: $type - " . ($read ? 'edited' : 'left alone'));
    my $line = $e->log_next;
    is($line->{experiments}[0]{applied}{model}, $read ? 'applied' : 'not_sent',
       "type: $type - applied");
    is($line->{body}, $read ? 'edited' : 'not_sent', "type: $type - logged")
        if $read;
}

$e->get($uri, 'X-Id', $unit{b});
is($e->log_next->{experiments}[0]{applied}{model}, 'not_sent',
   'GET - nothing to edit');
$e->received;

$e->post('/keep/', '{"model":"a"}', 'X-Id', $unit{b});
is($e->received->{body}, '{"model":"a"}', 'experiment_body off - untouched');
is($e->log_next->{experiments}[0]{applied}{model}, 'not_sent',
   'experiment_body off - logged');


# Forms of a body: each form, at several sizes, gives the same bytes.

sub big {
    my ($size) = @_;
    my $text = join ' ', map { "word-$_ \\u00e9 \xc3\xa9" } 1 .. $size / 18;

    return '{"messages":[{"role":"user","content":"' . $text
        . '"}],"model":"large","temperature":1, "max_tokens": 9 }';
}


sub expected {
    my ($in) = @_;

    $in =~ s/"large"/"small"/;
    $in =~ s/"temperature":1,/"temperature":0.20,/;
    $in =~ s/"max_tokens": 9/"max_tokens": 400/;
    $in =~ s/"messages":\[/"messages":[{"role":"system","content":%S},/;
    return $in;
}


sub form {
    my ($text, $path, $in, @pieces) = @_;
    my $c = $e->client;

    $c->send(@pieces);
    my $r = $c->response;
    is($r && $r->{status}, 200, "$text - answered");

    my @got = $e->received;
    my $got = $got[-1];
    my $line = $e->log_next;
    my $body = $got->{body} =~ s/"Be (?:[^"\\]|\\.)*"/%S/r;

    ok($body eq expected($in), "$text - edited, all other bytes alike")
        or diag(length $body, ' ', substr($body, 0, 200));
    is($got->header('Content-Length'), length $got->{body},
       "$text - Content-Length");
    is($line->{body}, 'edited', "$text - logged");

    # The connection is still good.
    $c->send(Edge::Client->request('GET', '/again', undef));
    is($c->response->{status}, 200, "$text - keep-alive");
    $e->received;
    $e->log_next;
    $c->close;
}


my @json = ('X-Id', $unit{b}, 'Content-Type', 'application/json');

for my $size (200, 20_000, 300_000) {
    my $in = big($size);

    for my $where ('', '/small', '/stream') {
        my $path = "$where/chat/completions";
        my $req = Edge::Client->request('POST', $path, $in, @json);
        my $head = length($req) - length $in;
        my $text = "$size bytes" . ($where ? ", $where" : '');

        form("$text, at once", $path, $in, $req);
        form("$text, head first", $path, $in, substr($req, 0, $head),
             substr($req, $head));
        form("$text, in pieces", $path, $in,
             unpack '(a' . (int(length($req) / 7) + 1) . ')*', $req);
        form("$text, chunked", $path, $in, Edge::Client->request('POST', $path,
             Edge::Client->chunked($in, 1000), @json, 'Transfer-Encoding',
             'chunked'));
    }
}

my $in = big(200);
my $req = Edge::Client->request('POST', $uri, $in, @json);
form('a byte at a time', $uri, $in, split //, $req);
form('chunks of one byte', $uri, $in, Edge::Client->request('POST', $uri,
     Edge::Client->chunked($in, 1), @json, 'Transfer-Encoding', 'chunked'));
form('Expect: 100-continue', $uri, $in, Edge::Client->request('POST', $uri,
     $in, @json, 'Expect', '100-continue'));


# A second upstream gets the same bytes after the first died.

for my $where ('/retry', '/retry-small') {
    for my $size (200, 40_000) {
        my $in = big($size);
        my $path = "$where/chat/completions";

        form("retry, $where, $size bytes", $path, $in,
             Edge::Client->request('POST', $path, $in, @json));
        cmp_ok(scalar($e->{upstreams}{DYING}->received), '>', 0,
               "retry, $where, $size bytes - the first upstream was tried");
    }
}

$e->post('/limit/chat/completions', big(20_000), @json[ 0, 1 ]);
is($e->log_next->{status}, 413, 'too large for nginx: 413');


# Dialects.

$e->post('/json/x', '{"messages":[],"model":"a"}', 'X-Id', $unit{b});
my $j = $e->received->json;
is(ref $j->{messages} && @{ $j->{messages} }, 0,
   'json - messages are left alone');
is($j->{system}, "Be \"brief\".\n\x{fc}\x{2028}", 'json - system is a member');
is($e->log_next->{dialect}, 'json', 'json - logged');

$e->post('/chat/x', '{"messages":[]}', 'X-Id', $unit{b});
is(scalar @{ $e->received->json->{messages} }, 1, 'openai_chat - by directive');
is($e->log_next->{dialect}, 'openai_chat', 'openai_chat - logged');

for my $row ([ '/x/chat/completions', 'openai_chat', 'applied' ],
             [ '/x', 'json', 'applied' ],
             [ '/v1/responses', 'openai_responses', 'applied' ],
             [ '/v1/messages', 'anthropic', 'applied' ],
             [ '/mcp', 'mcp', 'unsupported' ])
{
    my ($path, $dialect, $code) = @$row;

    $e->post($path, '{"messages":[],"model":"a"}', 'X-Id', $unit{b});
    is($e->received->json->{model}, $code eq 'applied' ? 'small' : 'a',
       "auto: $path");
    my $line = $e->log_next;
    is($line->{dialect}, $dialect, "auto: $path - dialect");
    is($line->{experiments}[0]{applied}{model}, $code, "auto: $path - code");
}


# "when": "absent".

live('absent');

$e->post($uri, '{"max_tokens":9,"top_p":1,"messages":[{"role":"system",'
         . '"content":"x"}]}', 'X-Id', $unit{b});
is($e->received->{body}, '{"max_tokens":9,"top_p":1,"messages":[{"role":'
   . '"system","content":"x"}]}', 'when absent - what is there is kept');
is_deeply($e->log_next->{experiments}[0]{applied},
          { max_tokens => 'kept', top_p => 'kept', system => 'kept' },
          'when absent - kept is logged');

$e->post($uri, '{"max_completion_tokens":9,"top_p":null,"messages":[]}',
         'X-Id', $unit{b});
$j = $e->received->json;
ok(!exists $j->{max_tokens}, 'when absent - the other name counts');
is($j->{top_p}, undef, 'when absent - null is there');
is($j->{messages}[0]{content}, 'S', 'when absent - no system prompt');
is_deeply($e->log_next->{experiments}[0]{applied},
          { max_tokens => 'kept', top_p => 'kept', system => 'applied' },
          'when absent - logged');

$e->post($uri, '{"messages":[]}', 'X-Id', $unit{b});
$j = $e->received->json;
is($j->{max_tokens}, 400, 'when absent - set where nothing is');
is($j->{top_p}, 0.5, 'when absent - set where nothing is, top_p');
$e->log_next;


# The plain dialect.

live('plain');

$e->post('/x', '{"temperature":1,"a":"b"}', 'X-Id', $unit{b});
$j = $e->received->json;
is("$j->{temperature} $j->{system} $j->{verbosity} $j->{a}", '0.2 S low b',
   'json - each parameter is the member of its name');
$e->log_next;


# Two experiments on one request.

live('one', 'two');

$e->post($uri, '{"temperature":1,"x":0}', 'X-Id', $unit{b});
$j = $e->received->json;
is("$j->{temperature} $j->{top_p} $j->{x}", '0.2 0.3 0', 'two experiments');
my %by = map { $_->{name} => $_ } @{ $e->log_next->{experiments} };
is($by{one}{applied}{temperature}, 'applied', 'two experiments - the first');
is($by{two}{applied}{top_p}, 'applied', 'two experiments - the second');

# A target of one that occurs twice stops both.
$e->post($uri, '{"temperature":1,"top_p":1,"top_p":2}', 'X-Id', $unit{b});
is($e->received->{body}, '{"temperature":1,"top_p":1,"top_p":2}',
   'two experiments - never half-edited');
%by = map { $_->{name} => $_ } @{ $e->log_next->{experiments} };
is($by{one}{applied}{temperature}, 'bypassed',
   'two experiments - both bypassed');

$e->done;
