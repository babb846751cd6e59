#!/usr/bin/perl
# expctl explain and try: what they print, and that try gives what nginx
# sends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Test::More;

use Edge;

my $e = Edge->new;
my $json = JSON::PP->new->utf8;

$e->upstream(reply => sub { return { body => '{}' } });
$e->init;
$e->apply(<<'EOD', <<'EOD');
{"name":"tone","unit":"header:X-Conversation-Id","layer":"chat",
 "variants":[{"name":"control"},
  {"name":"concise","overrides":{"default":{"system":"You are a concise assistant."}}}]}
EOD
{"name":"help","unit":"header:X-Conversation-Id",
 "steps":["classify","answer"],"layer":{"name":"help","range":[0,0.5]},
 "targeting":[{"attribute":"header:X-Tenant","op":"in","value":["acme","globex"]},
              {"attribute":"json:/metadata/beta","op":"exists","value":false}],
 "windows":[{"from":"2026-01-01T00:00:00Z","to":"2096-01-01T00:00:00Z"}],
 "variants":[{"name":"control"},
  {"name":"short","overrides":{"answer":{"temperature":0.2}}},
  {"name":"long","parent":"short","allow_many":true,
   "overrides":{"answer":{"system":"A \"b\"\n","max_tokens":{"value":400,"when":"absent"},
                          "verbosity":"low"},
                "classify":{"model":"small"}},
   "headers":{"request":{"set":{"X-Prompt":"v2"},"remove":["X-Old"]},
              "response":{"set":{"X-R":"1"}}}}]}
EOD
$e->stage('tone', 'ab', '--exposure', '20%');


# explain: OUTPUT 3 and 4

is($e->must('explain', 'tone', 'conv-1'), <<'EOT', 'explain');
tone  revision 1, phase 1, ab, exposure 20 %, no window, no targeting
layer   chat, position 0.42376270005479455 in [0, 1)
bucket  0.5106575842946768 from sha256("tone:conv-1")
ranges  control [0, 0.1)  concise [0.5, 0.6)
concise, assigned
default.system  "You are a concise assistant."  from concise
EOT

is($e->must('explain', 'tone', 'conv-1', '-o', 'json'),
    '{"experiment":"tone","unit":"conv-1","variant":"concise","exposed":true,'
    . '"reason":"assigned","bucket":0.5106575842946768,"phase":1,'
    . '"window":null,"targeting":[],"layer":{"name":"chat",'
    . '"position":0.42376270005479455,"range":[0,1]},"ranges":['
    . '{"variant":"control","from":0,"to":0.1},'
    . '{"variant":"concise","from":0.5,"to":0.6}],"effective":{"default":'
    . '{"system":{"value":"You are a concise assistant.",'
    . '"from":"concise"}}},"found":null}' . "\n", 'explain - json');

like($e->must('explain', 'tone', 'conv-2'), qr/\ncontrol, not_exposed\n\z/,
    'explain - not exposed');

$e->change('pause', 'tone');
is($e->must('explain', 'tone', 'conv-1'), <<'EOT', 'explain - paused');
tone  revision 1, phase 1, paused, no window, no targeting
layer   chat, position 0.42376270005479455 in [0, 1)
bucket  0.5106575842946768 from sha256("tone:conv-1")
ranges  none, paused
control, paused
EOT
$e->change('resume', 'tone');

$e->stage('help', 'ab', '--exposure', '1');
my ($in, $out) = units();

is($e->must('explain', 'help', $in, '--header', 'X-Tenant: acme'),
    <<"EOT", 'explain - conditions, windows, inherited values');
help  revision 1, phase 1, ab, exposure 100 %, 1 window, 2 conditions
window  2026-01-01T00:00:00Z to 2096-01-01T00:00:00Z  holds
target  header:X-Tenant in ["acme","globex"]  holds, found "acme"
target  json:/metadata/beta exists false  holds, not there
@{[ layer_and_bucket($in) ]}
ranges  control [0, 0.3333333333333333)
        short [0.3333333333333333, 0.6666666666666666)
        long [0.6666666666666666, 1)
long, assigned
classify.model  "small"  from long
classify.header:X-Prompt  "v2"  from long
classify.header:X-Old  removed  from long
classify.response_header:X-R  "1"  from long
answer.system  "A \\\\"b\\\\"\\\\n"  from long
answer.temperature  0.2  from short
answer.max_tokens  400, when absent  from long
answer.verbosity  "low"  from long
answer.header:X-Prompt  "v2"  from long
answer.header:X-Old  removed  from long
answer.response_header:X-R  "1"  from long
EOT

sub verdict {
    my ($text) = $e->must('explain', 'help', @_) =~ /^(\w+, \w+)$/m;
    return $text;
}

sub line { return (grep /$_[0]/, split /\n/, $_[1])[0] }

is(verdict($in), 'control, not_targeted', 'no header');
like(line('X-Tenant', $e->must('explain', 'help', $in)),
    qr/does not hold, not there$/, 'no header - said');
is(verdict($in, '--header', 'x-tenant:other'), 'control, not_targeted',
    'another value');
is(verdict($in, '--header', 'x-tenant:acme', '--header', 'X-Tenant:acme'),
    'control, not_targeted', 'a header twice is not there');
is(verdict($in, '--header', 'x-tenant:acme', '--step', 'answer'),
    'long, assigned', 'step');
is(verdict($in, '--header', 'x-tenant:acme', '--step', 'other'),
    'control, step_not_in_scope', 'another step');
is(verdict($in, '--header', 'x-tenant:acme', '--header',
           'X-Inference-Step: other'), 'control, step_not_in_scope',
    'another step, by header');
is(verdict($in, '--header', 'x-tenant:acme', '--at', '2025-12-31T23:59:59Z'),
    'control, outside_window', 'before the window');
is(verdict($in, '--header', 'x-tenant:acme', '--at', '2026-01-01T00:00:00Z'),
    'long, assigned', 'at the start of the window');
is(verdict($out, '--header', 'x-tenant:acme'), 'control, layer_excluded',
    'another part of the layer');
is(verdict(''), 'control, no_unit', 'no unit');

my $j = $json->decode($e->must('explain', 'help', $in, '--header',
    'X-Tenant: acme', '--step', 'classify', '-o', 'json'));
is_deeply([ sort keys %{ $j->{effective} } ], [ 'classify' ],
    'json - the step that was asked for');
is_deeply($j->{targeting}[0], { attribute => 'header:X-Tenant', op => 'in',
    value => [ 'acme', 'globex' ], holds => JSON::PP::true,
    found => 'acme' }, 'json - a condition');
is_deeply($j->{window}, [ { from => '2026-01-01T00:00:00Z',
    to => '2096-01-01T00:00:00Z', holds => JSON::PP::true } ],
    'json - a window');

for my $bad ([ '--header', 'X' ], [ '--at', 'now' ], [ '-o', 'csv' ]) {
    my ($rc) = $e->expctl('explain', 'tone', 'conv-1', @$bad);
    is($rc, 2, "refused: @$bad");
}


# explain: what is done to a body

$e->apply(<<'EOD');
{"name":"ops","unit":"header:X-Conversation-Id","layer":"ops",
 "steps":["classify","answer"],
 "variants":[{"name":"control","weight":0},
  {"name":"base","allow_many":true,"weight":0,"body":[
   {"step":"answer","op":"set","path":"/metadata/v","value":"v1"},
   {"op":"remove","path":"/stop"}]},
  {"name":"next","parent":"base","allow_many":true,"weight":1,"body":[
   {"step":"answer","op":"set","path":"/metadata/v","value":{"a":[1]}},
   {"step":"answer","op":"set","path":"/user","value":null}]}]}
EOD
$e->stage('ops', 'ab');

is($e->must('explain', 'ops', 'u') =~ s/\A.*\n(?=next, )//sr, <<'EOT',
next, assigned
classify.body:/stop  removed  from base
answer.body:/metadata/v  {"a":[1]}  from next
answer.body:/stop  removed  from base
answer.body:/user  null  from next
EOT
    'explain - body operations');
is_deeply($json->decode($e->must('explain', 'ops', 'u', '-o', 'json'))
          ->{effective}, { classify => { body => [
    { op => 'remove', path => '/stop', value => undef, from => 'base' } ] },
    answer => { body => [
    { op => 'set', path => '/metadata/v', value => { a => [ 1 ] },
      from => 'next' },
    { op => 'remove', path => '/stop', value => undef, from => 'base' },
    { op => 'set', path => '/user', value => undef, from => 'next' } ] } },
    'explain - json, body operations');


# explain: whose the unit is

$e->apply(<<'EOD', <<'EOD');
{"name":"trust","layer":"trust",
 "unit":{"sources":["header:X-User","jwt:sub","var:user","auth:"]},
 "variants":[{"name":"control"},
  {"name":"b","headers":{"response":{"set":{"X-T":"b"}}}}]}
EOD
{"name":"risk","layer":"risk","risk":"high",
 "unit":{"sources":["jwt:sub","auth:"]},
 "variants":[{"name":"control"},
  {"name":"b","headers":{"response":{"set":{"X-R":"b"}}}}]}
EOD
$e->stage($_, 'ab') for qw(trust risk);

my $token = join '.', map { encode_base64url($_) } '{}', '{"sub":"alice"}',
    'sig';
my @jwt = ('--header', "Authorization: Bearer $token");
my @user = ('--header', 'X-User: bob');
my $secret = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';

# The lines of the unit and of the verdict; long ones were broken.

sub whose {
    return join '|', grep { /^unit|^\w+, / } split /\n/,
        $e->must('explain', @_) =~ s/\n {8}(?!long|short)/ /gr;
}

for my $row (
    [ [ 'trust', @jwt ], qr/^unit    alice from jwt:sub, which a client choo/,
      'a claim' ],
    [ [ 'trust', @jwt, '--trusted', 'auth' ],
      qr/^unit    alice from jwt:sub, verified\|/, 'a claim, verified' ],
    [ [ 'trust', @jwt, @user ],
      qr/^unit    bob from header:X-User, which a client chooses\|/,
      'the first source' ],
    [ [ 'trust', @jwt, @user, '--trusted', 'auth' ],
      qr/^unit    alice from jwt:sub, verified\|/, 'the verified source' ],
    [ [ 'trust', @jwt, @user, '--var', 'user=carol', '--trusted', '$user' ],
      qr/^unit    carol from var:user, verified\|/, 'a variable' ],
    [ [ 'trust', '--header', 'authorization: basic secret' ],
      qr/^unit    $secret from auth:, which a client chooses\|/,
      'a credential' ],
    [ [ 'trust', '--header', 'X-API-Key: secret', '--trusted', 'auth' ],
      qr/^unit    $secret from auth:, verified\|/, 'an API key' ],
    [ [ 'trust', 'dave' ], qr/^(?:control|b), assigned$/, 'a unit alone' ],
    [ [ 'trust', 'dave', @user ],
      qr/^unit    as given; the request has bob from header:X-User, which/,
      'another unit than the request has' ],
    [ [ 'trust', 'bob', @user ], qr/^unit    bob from header:X-User, which a/,
      'the unit that the request has' ],
    [ [ 'trust' ],
      qr/^unit    none, no source of the document is there\|control, no_unit$/,
      'no unit' ],
    [ [ 'risk', @jwt ],
      qr/ chooses: of no use, the risk is high\|control, no_unit$/,
      'a high risk' ],
    [ [ 'risk', @jwt, '--trusted', 'auth' ],
      qr/^unit    alice from jwt:sub, verified\|(?:control|b), assigned$/,
      'a high risk, verified' ],
    [ [ 'risk', 'alice' ], qr/^(?:control|b), assigned$/,
      'a high risk, a unit from nowhere' ],
    [ [ 'risk', 'alice', @jwt ], qr/no use.*\|control, no_unit$/,
      'a high risk, the unit that the request has' ])
{
    my ($args, $want, $name) = @$row;

    like(whose(@$args), $want, "explain - $name");
}

my @key = ('--header', 'X-API-Key: secret');
my $text = $e->must('explain', 'trust', @key);
like($text, qr/^unit    $secret\n {8}from auth:, which a client chooses\n/m,
    'explain - a long unit, broken');
like($text, qr/^bucket\ \ 0\.\d+\n\ {8}from\ sha256\("trust:2bb80d\w+\.\.\.
               \w+bf527a25b"\)\n/mx, 'explain - what is hashed, cut');
is($json->decode($e->must('explain', 'trust', @key, '-o', 'json'))->{unit},
    $secret, 'explain - json, a long unit is whole');

for my $unit ('u' x 256, "\xe2\x82\xac" x 85, "\xe2\x80\xae" x 85, "\x80" x 200,
              'u' x 39, 'u' x 58)
{
    my @long = grep { length > 80 } map { utf8::decode($_); $_ } split /\n/,
        $e->must('explain', 'trust', '--header', "X-User: $unit")
        . $e->must('explain', 'trust', 'x', '--header', "X-User: $unit")
        . $e->must('explain', 'trust', $unit);
    is_deeply(\@long, [], 'explain - 80 columns');
}

$j = $json->decode($e->must('explain', 'risk', @jwt, '-o', 'json'));
is_deeply([ @$j{qw(unit reason found)} ], [ 'alice', 'no_unit',
    { unit => 'alice', unit_source => 0, source => 'jwt:sub',
      verified => JSON::PP::false, taken => JSON::PP::false } ],
    'explain - json, whose the unit is');
$j = $json->decode($e->must('explain', 'risk', '-o', 'json'));
is_deeply([ @$j{qw(unit reason bucket found)} ],
    [ undef, 'no_unit', undef, undef ], 'explain - json, no unit');

for my $bad ([ '--trusted', 'jwt:sub' ], [ '--trusted', '' ]) {
    my ($rc) = $e->expctl('explain', 'trust', 'u', @$bad);
    is($rc, 2, "refused: @$bad");
}


# try: OUTPUT 3 and 4

my $body = '{"model": "gpt-4o", "messages": [{"role": "system", "content": '
    . '"Be helpful."}, {"role": "user", "content": "caf\u00e9 \ud83d\ude00"}],'
    . "\n \"n\":1.0}";

my $n = length $body;
my $m = $n + length('You are a concise assistant.') - length 'Be helpful.';

is(attempt('tone', $body, '--unit', 'conv-1'), "0 " . <<"EOT", 'try');
concise, assigned  openai_chat, step default, $n -> $m bytes
system  applied  /messages/0/content
  - "Be helpful."
  + "You are a concise assistant."
all other bytes unchanged
EOT

is(attempt('tone', $body, '--unit', 'conv-1', '-o', 'json'),
    '0 {"experiment":"tone","variant":"concise","reason":"assigned",'
    . '"dialect":"openai_chat","step":"default",'
    . "\"bytes_in\":$n,\"bytes_out\":$m,"
    . '"edits":[{"parameter":"system","result":"applied",'
    . '"path":"/messages/0/content"}]}' . "\n", 'try - json');

is(attempt('tone', $body, '--unit', 'conv-1', '--body'),
    '0 ' . $body =~ s/Be helpful\./You are a concise assistant./r,
    'try - body, the bytes and nothing else');

is(attempt('tone', $body, '--unit', 'conv-2'),
    "0 control, not_exposed  openai_chat, step default, $n -> $n bytes\n"
    . "all bytes unchanged\n", 'try - not exposed');

like(attempt('tone', '{"messages":[{"role":"user","content":"x"}]}',
             '--variant', 'concise'),
    qr{^0\ concise,\ forced\ .*\n
       system\ \ applied\ \ /messages/0/content\n
       \ \ \+\ "You\ are\ a\ concise\ assistant\."\n
       all\ other\ bytes\ unchanged\n\z}x, 'try - inserted');

like(attempt('tone', '{"messages":[{"role":"system","content":'
             . '"You are a concise\u0020assistant."}]}', '--variant',
             'concise'),
    qr/^0 .*, 78 -> 78 bytes\nsystem  equal  .*\nall bytes unchanged\n\z/,
    'try - equal');

like(attempt('tone', '{"messages":"x"}', '--variant', 'concise'),
    qr/^1 .*\nsystem  unsupported\nall bytes unchanged\n\z/,
    'try - unsupported');

like(attempt('tone', $body, '--variant', 'concise', '--dialect', 'mcp'),
    qr/^1 .*\nsystem  unsupported\n/, 'try - a dialect that is not built');

like(attempt('tone', '{"system":[{"type":"text","text":"A","cache_control":'
             . '{"type":"ephemeral"}}]}', '--variant', 'concise', '--dialect',
             'anthropic', '--body'),
    qr/^0 .*concise assistant\.","cache_control":\{"type":"ephemeral"\}\}\]\}/,
    'try - anthropic');

like(attempt('tone', '{"system":[{"type":"text","text":"A","cache_control":'
             . '{"type":"ephemeral"}}]}', '--variant', 'concise', '--dialect',
             'anthropic'), qr/^\ \ -\ \[\{"type":"text","text":"A",.*\n
       \ \ \+\ \[\{"type":"text","text":"You\ are\ a\ concise\ assistant\.","ca/xm,
    'try - anthropic, the blocks that are sent');
like(attempt('tone', '{"system":[]}', '--variant', 'concise', '--dialect',
             'anthropic'),
    qr/^  \+ \[\{"type":"text","text":"You are a concise assistant\."\}\]$/m,
    'try - anthropic, a block that is made');
like(attempt('tone', '{"system":"A"}', '--variant', 'concise', '--dialect',
             'anthropic'), qr/^  \+ "You are a concise assistant\."$/m,
    'try - anthropic, text stays text');

like(attempt('tone', '{"input":"x"}', '--variant', 'concise', '--dialect',
             'openai_responses'), qr/^0 .*\nsystem  applied  \/instructions\n/,
    'try - openai_responses');

like(attempt('tone', '{"messages":[],"messages":[]}', '--variant',
             'concise'),
    qr/^1 .*\nbody bypass:duplicate at byte 15, expected .*\nsystem  bypassed\n/,
    'try - bypass');

like(attempt('tone', '{"messages":[}', '--variant', 'concise'),
    qr/^1 .*\nbody bypass:malformed at byte 13, expected a value/,
    'try - where the body is wrong');

is(attempt('tone', '{"messages":[}', '--variant', 'concise', '--body'),
    '1 {"messages":[}', 'try - a bypassed body is passed on');

$j = $json->decode(attempt('tone', '[]', '--variant', 'concise', '-o',
                           'json') =~ s/^1 //r);
is_deeply([ @$j{qw(body offset why)} ], [ 'bypass:root', 0, [ 'system' ] ],
    'try - bypass in json');

like(attempt('tone', '', '--variant', 'concise'), qr/^1 .*\nsystem  not_sent\n/,
    'try - no body');

my $chat = '{"messages":[{"role":"user"}],"temperature":2e-1}';

is(attempt('help', $chat, '--variant', 'long', '--step', 'answer',
           '--header', 'X-Old: 1'), '0 ' . <<"EOT", 'try - many edits');
long, forced  openai_chat, step answer, 49 -> 124 bytes
system  applied  /messages/0/content
  + "A \\\\"b\\\\"\\\\n"
temperature  equal  /temperature
max_tokens  applied  /max_tokens
  + 400
verbosity  applied  /verbosity
  + "low"
header:X-Prompt  applied
  + v2
header:X-Old  applied
  - 1
response_header:X-R  applied
  + 1
all other bytes unchanged
EOT

is(length(attempt('help', $chat, '--variant', 'long', '--step', 'answer',
                  '--body')), 2 + 124, 'try - as long as it says');

is(attempt('help', $chat, '--variant', 'long', '--step', 'answer',
           '--header', 'X-Prompt: v2', '--headers'),
    "0 header:X-Prompt  equal\nheader:X-Old  equal\n"
    . "response_header:X-R  applied\n  + 1\n", 'try - headers alone');

is_deeply([ $e->expctl({ stdin => $chat }, 'try', 'tone', '--variant',
                       'concise', '--headers') ],
    [ 0, '', "concise, step default: no header is edited\n" ],
    'try - no header to show');

is(($e->expctl({ stdin => $chat }, 'try', 'tone', '--variant', 'consice'))[2],
    "expctl: --variant: there is no 'consice', only control, concise, near: "
    . "concise\nnext: expctl try -h\n", 'try - variants told');

like(attempt('help', '{"max_tokens":1,"max_completion_tokens":2}',
             '--variant', 'long', '--step', 'answer', '--dialect', 'json'),
    qr/\nmax_tokens  kept  \/max_tokens\n/, 'try - kept');

like(attempt('help', '{"messages":[{"role":"system","content":"'
             . "\xe2\x82\xac" x 70 . '"}]}', '--variant', 'long', '--step',
             'answer'), qr/^  - "(?:\xe2\x82\xac){59}\.\.\.$/m,
    'try - the first 60 code points');

like(attempt('help', $chat, '--unit', $in, '--step', 'answer', '--header',
             'X-Tenant: acme'), qr/^0 long, assigned /, 'try - targeted');
like(attempt('help', '{"metadata":{"beta":"1"}}', '--unit', $in, '--step',
             'answer', '--header', 'X-Tenant: acme'),
    qr/^0 control, not_targeted /, 'try - targeted by the body');

# try: whose the request is

$e->apply(<<'EOD', <<'EOD');
{"name":"who","layer":"who","risk":"high","unit":{"sources":["jwt:sub"]},
 "variants":[{"name":"control","weight":0},
  {"name":"b","weight":1,"overrides":{"default":{"model":"m"}}}]}
EOD
{"name":"deep","layer":"deep","unit":"json:/user",
 "variants":[{"name":"control","weight":0},
  {"name":"b","weight":1,"overrides":{"default":{"top_p":0.5}}}]}
EOD
$e->stage($_, 'ab') for qw(who deep);

for my $row (
    [ [ 'tone', '--header', 'X-Conversation-Id: conv-1' ], '0 concise, assigned',
      'a header' ],
    [ [ 'tone', '--header', 'X-Conversation-Id: conv-2' ],
      '0 control, not_exposed', 'another unit' ],
    [ [ 'tone', '--header', 'X-Other: conv-1' ], '0 control, no_unit',
      'another header' ],
    [ [ 'trust', @jwt, '--trusted', 'auth' ], qr/^0 (?:control|b), assigned/,
      'a claim' ],
    [ [ 'who', @jwt, '--trusted', 'auth' ], '0 b, assigned',
      'a high risk, verified' ],
    [ [ 'who', @jwt ], '0 control, no_unit', 'a high risk, nobody verifies' ],
    [ [ 'deep' ], '0 b, assigned', 'in the body' ],
    [ [ 'who', '--unit', 'u' ], '0 b, assigned', '--unit counts as verified' ],
    [ [ 'who', @jwt, '--trusted', 'jwt:sub' ], '2 ', 'refused: --trusted' ])
{
    my ($args, $want, $name) = @$row;
    my ($id, @options) = @$args;

    like(attempt($id, '{"messages":[],"user":"u"}', @options),
        ref $want ? $want : qr/^\Q$want\E/, "try - $name");
}

for my $bad ([ 'tone' ], [ 'tone', '--unit', 'u', '--variant', 'concise' ],
    [ 'tone', '--variant', 'consice' ], [ 'help', '--unit', 'u' ],
    [ 'help', '--variant', 'long', '--step', 'answr' ],
    [ 'tone', '--unit', 'u', '--dialect', 'auto' ],
    [ 'tone', '--unit', 'u', '--body', '-o', 'json' ])
{
    my ($rc) = $e->expctl({ stdin => $chat }, 'try', @$bad);
    is($rc, 2, "refused: @$bad");
}


# the same bytes and codes as nginx

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%%;
        location / {
            experiment help;
            proxy_pass http://127.0.0.1:%%PORT_UP%%;
        }
    }
}
EOC

for my $case ([ $chat ], [ $body ], [ '{}' ], [ '{"messages":[}' ], [ '' ],
    [ '{"messages":null,"verbosity":"low"}' ],
    [ '{"messages":[],"max_tokens":null,"max_completion_tokens":1}' ],
    [ '{"metadata":{"beta":1},"messages":[]}' ],
    [ '{"temperature":1,"temperature":1}' ],
    [ '{"model":"a"}', 'classify' ], [ $chat, 'other' ])
{
    my ($text, $step) = (@$case, 'answer');
    my @headers = ('X-Tenant', 'acme', 'X-Old', '1', 'X-Inference-Step',
                   $step);
    my @options = ('--unit', $in, '--step', $step, '--header',
                   'X-Tenant: acme', '--header', 'X-Old: 1');

    $e->log_skip;
    $e->post('/v1/chat/completions', $text, 'X-Conversation-Id', $in,
             @headers);
    my $entry = $e->log_next->{experiments}[0];
    my (undef, $bytes) = $e->expctl({ stdin => $text }, 'try', 'help',
                                    @options, '--body');
    my (undef, $said) = $e->expctl({ stdin => $text }, 'try', 'help',
                                   @options, '-o', 'json');
    my $t = $json->decode($said);

    is($bytes, $e->received->{body}, "nginx sends the same: $step $text");
    is_deeply([ @$t{qw(variant reason)},
                { map { $_->{parameter} => $_->{result} } @{ $t->{edits} } } ],
        [ @$entry{qw(variant reason)}, $entry->{applied} // {} ],
        '... and says the same');
}

$e->done;


sub attempt {
    my ($name, $stdin, @options) = @_;
    my ($rc, $text) = $e->expctl({ stdin => $stdin }, 'try', $name,
                                 @options);
    return "$rc $text";
}


# A unit of help's range whose variant is long, and one outside.

sub units {
    my %found;

    for (split /\n/, $e->must({ stdin => join "\n", map { "u-$_" } 1 .. 200 },
                              'assign', 'help'))
    {
        my ($unit, $variant, undef, $reason) = split /,/;
        $found{ $reason eq 'layer_excluded' ? 'out' : $variant } //= $unit;
    }

    return @found{qw(long out)};
}


sub layer_and_bucket {
    my ($unit) = @_;
    my $text = $e->must('explain', 'help', $unit, '-o', 'json');
    my ($bucket) = $text =~ /"bucket":([0-9.]+)/;
    my ($position) = $text =~ /"position":([0-9.]+)/;

    return "layer   help, position $position in [0, 0.5)\n"
        . "bucket  $bucket from sha256(\"help:$unit\")";
}
