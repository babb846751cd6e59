#!/usr/bin/perl
# The meter: what is logged of an answer, and the bytes that the client gets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use Edge;

my $json = JSON::PP->new->canonical;
my %reply;      # by the request's X-Reply

sub chunk { return 'data: ' . $json->encode({
    id => 'c', object => 'chat.completion.chunk', model => 'gpt-4o-mini', @_
}) . "\n\n" }
sub delta { return chunk(choices => [ { index => 0, delta => $_[0],
                                        finish_reason => $_[1] } ],
                         @_[2 .. $#_]) }
sub event { my ($type, %m) = @_;
    return "event: $type\r\ndata: " . $json->encode({ type => $type, %m })
        . "\r\n\r\n" }

my $usage = { prompt_tokens => 20, completion_tokens => 5,
              prompt_tokens_details => { cached_tokens => 8 },
              completion_tokens_details => { reasoning_tokens => 2 } };
my @null = (usage => undef);

# Each a list of pieces: an event, or more than one.
my %stream = (
    chat => [
        delta({ role => 'assistant', content => '' }, undef),
        delta({ content => 'Hel' }, undef), ": keep-alive\n\n",
        delta({ content => "lo \x{e9}" }, undef),
        delta({ tool_calls => [ { index => 0, id => 'call_1',
            function => { name => 'f', arguments => '' } } ] }, undef),
        delta({ tool_calls => [ { index => 0,
            function => { arguments => '{}' } } ] }, undef),
        delta({}, 'tool_calls'), "data: [DONE]\n\n",
    ],
    usage => [
        delta({ role => 'assistant', content => '' }, undef, @null),
        delta({ content => 'a' }, undef, @null),
        delta({ content => 'b' }, undef, @null),
        delta({}, 'length', @null),
        chunk(choices => [], usage => $usage), "data: [DONE]\n\n",
    ],
    responses => [
        event('response.created', response => { model => 'gpt-4.1',
                                                status => 'in_progress' }),
        event('response.output_text.delta', delta => 'Hi'),
        event('response.output_text.delta', delta => ' you'),
        event('response.completed', response => { model => 'gpt-4.1',
            status => 'completed', usage => { input_tokens => 9,
                output_tokens => 4, input_tokens_details =>
                { cached_tokens => 3 } } }),
    ],
    anthropic => [
        event('message_start', message => { model => 'claude-x',
            usage => { input_tokens => 10, cache_read_input_tokens => 5,
                       cache_creation_input_tokens => 1,
                       output_tokens => 1 } }),
        event('ping'),
        event('content_block_start', index => 0, content_block =>
              { type => 'text', text => '' }),
        event('content_block_delta', index => 0, delta =>
              { type => 'text_delta', text => 'Hi' }),
        event('content_block_delta', index => 0, delta =>
              { type => 'text_delta', text => '!' }),
        event('message_delta', delta => { stop_reason => 'end_turn' },
              usage => { output_tokens => 3 }),
        event('message_delta', delta => {}, usage => { output_tokens => 7 }),
        event('message_stop'),
    ],
);

my %uri = (chat => '/chat/completions', usage => '/chat/completions',
           responses => '/responses', anthropic => '/messages');

my %body = (
    chat => { model => 'gpt-4o-mini', usage => $usage, choices => [
        { index => 0, finish_reason => 'stop', message =>
          { role => 'assistant', content => 'Hi' x 40_000 } } ] },
    responses => { model => 'gpt-4.1', status => 'incomplete',
        incomplete_details => { reason => 'max_output_tokens' },
        output => [ { type => 'message', content => [
            { type => 'output_text', text => 'Hi' } ] },
            { type => 'function_call', name => 'f' } ],
        usage => { input_tokens => 9, output_tokens => 4 } },
    anthropic => { type => 'message', model => 'claude-x',
        stop_reason => 'refusal', content => [],
        usage => { input_tokens => 10, cache_read_input_tokens => 5,
                   output_tokens => 3 } },
);

my %said = (
    chat => { 'gen_ai.response.model' => 'gpt-4o-mini', tool_calls => 1,
        'gen_ai.response.finish_reasons' => [ 'tool_calls' ] },
    usage => { 'gen_ai.response.model' => 'gpt-4o-mini', tool_calls => 0,
        'gen_ai.response.finish_reasons' => [ 'length' ],
        truncated => JSON::PP::true,
        'gen_ai.usage.input_tokens' => 20, 'gen_ai.usage.output_tokens' => 5,
        'gen_ai.usage.cache_read.input_tokens' => 8,
        'gen_ai.usage.reasoning.output_tokens' => 2 },
    responses => { 'gen_ai.response.model' => 'gpt-4.1', tool_calls => 0,
        'gen_ai.response.finish_reasons' => [ 'completed' ],
        'gen_ai.usage.input_tokens' => 9, 'gen_ai.usage.output_tokens' => 4,
        'gen_ai.usage.cache_read.input_tokens' => 3 },
    anthropic => { 'gen_ai.response.model' => 'claude-x', tool_calls => 0,
        'gen_ai.response.finish_reasons' => [ 'end_turn' ],
        'gen_ai.usage.input_tokens' => 16, 'gen_ai.usage.output_tokens' => 7,
        'gen_ai.usage.cache_read.input_tokens' => 5,
        'gen_ai.usage.cache_creation.input_tokens' => 1 },
);

my @said = qw(gen_ai.response.model gen_ai.response.finish_reasons
    gen_ai.usage.input_tokens gen_ai.usage.output_tokens
    gen_ai.usage.cache_read.input_tokens
    gen_ai.usage.cache_creation.input_tokens
    gen_ai.usage.reasoning.output_tokens tool_calls refusal truncated empty
    unmetered stream_error aborted);
my @times = qw(ttft_ms tpot_ms itl_max_ms);

for my $s (values %said) {
    $s->{$_} //= JSON::PP::false for qw(refusal truncated empty);
}

# Streams whole, by event, a byte at a time.
for my $name (keys %stream) {
    my $all = join '', @{ $stream{$name} };
    my %s = (type => 'text/event-stream; charset=utf-8');

    $reply{"$name-whole"} = { %s, body => $all };
    $reply{"$name-events"} = { %s, pieces =>
        [ map { [ 0.01, $_ ] } @{ $stream{$name} } ] };
    $reply{"$name-bytes"} = { %s, pieces =>
        [ map { [ 0.0002, $_ ] } split //, $all ] };
    $reply{"$name-died"} = { %s, pieces => [ [ 0, $all ] ],
        cut => int(200 + 0.7 * length $all) };
    $reply{"$name-slow"} = { %s, pieces => [ [ 0, substr $all, 0, -3 ],
                                             [ 600, substr $all, -3 ] ] };
}
for my $name (keys %body) {
    $reply{"$name-json"} = { body => $json->encode($body{$name}) };
}

my $chat = join '', @{ $stream{usage} };
%reply = (
    %reply,
    plain => { type => 'text/plain', body => 'garbage' },
    garbage => { body => '{"choices":[' },
    bare => { bare => "\x01\x02 nonsense\r\n\r\n" },
    short => { headers => [ 'Content-Length', 4_000 ], close => 1,
               body => '{"model":"gpt-4o","choices":[' },
    'short-text' => { type => 'text/plain', body => 'garbage', close => 1,
                      headers => [ 'Content-Length', 4_000 ] },
    'short-chunk' => { pieces => [ [ 0, '{"model":' ] ], broken => 1,
                       body => '{"model":' },
    another => { body => '{"model":"gpt-4o","usage":{"prompt_tokens":1,'
                 . '"completion_tokens":1}}' },
    'garbage-stream' => { type => 'text/event-stream',
                          body => "data: {\n\ndata: \xff\n\n" },
    encoded => { headers => [ 'Content-Encoding', 'gzip' ], body => 'zzz' },
    crlf => { type => 'text/event-stream', pieces => [
        map({ [ 0.01, "data: {\"choices\":[{\"delta\":{\"content\":\"$_\"}}]}"
                      . "\r\n\r\n" ] } 'a', 'b'),
        [ 600, "data: [DONE]\r\n\r\n" ] ] },
    'encoded-stream' => { type => 'text/event-stream', body => 'zzz',
                          headers => [ 'Content-Encoding', 'br' ] },
    identity => { type => 'text/event-stream', body => $chat,
                  headers => [ 'Content-Encoding', 'identity' ] },
    none => { status => 204, headers => [ 'Content-Type', 'text/plain' ] },
    error => { status => 429, body => '{"error":{"message":"slow down"}}' },
    failed => { type => 'text/event-stream', body =>
        "data: {\"error\":{\"message\":\"overloaded\"}}\n\n" },
    cut => { type => 'text/event-stream', close => 1,
             headers => [ 'X-Cut', 1 ],
             body => $stream{usage}[0] . $stream{usage}[1] },
    large => { body => '{"usage":{"prompt_tokens":1},"choices":[],"a":"'
               . 'x' x 1_200_000 . '"}' },
    'large-event' => { type => 'text/event-stream', body =>
        'data: {"choices":[{"delta":{"content":"' . 'x' x 1_200_000
        . "\"}}]}\n\ndata: [DONE]\n\n" },
    empty => { body => '{"model":"m","choices":[{"message":{"content":""},'
               . '"finish_reason":"stop"}]}' },
);

# More than sockets hold.
my $flood = (join '', map { delta({ content => "word $_ " . 'x' x 200 },
                                  undef, @null) } 1 .. 20_000)
    . chunk(choices => [], usage => $usage) . "data: [DONE]\n\n";
$reply{flood} = { type => 'text/event-stream', body => $flood };

my $e = Edge->new;
$e->upstream(reply => sub {
    my ($req) = @_;
    my $name = $req->header('X-Reply') // '';
    return $reply{$name} // { body => '{}' };
});
$e->init;
$e->apply({ name => 'tone', unit => 'header:X-Id',
            stage => { name => 'ab', exposure => 1 },
            variants => [ { name => 'a' }, { name => 'b', headers =>
                { request => { set => { 'X-Arm' => 'b' } } } } ] });
$e->must('price', 'set', 'gpt-4o', '--input', '2.5', '--output', '10',
         '--cached', '1.25', '--currency', 'USD');
$e->must('price', 'set', 'claude', '--input', '3', '--output', '15',
         '--cached', '0.3', '--cache-write', '3.75', '--currency', 'USD');
$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    log_format vars '$experiment_ttft $experiment_tpot $experiment_cost '
                    '$experiment_input_tokens $experiment_output_tokens';
    proxy_cache_path %%DIR%%/tmp/cache keys_zone=c:1m;
    upstream up { server 127.0.0.1:%%PORT_UP%%; }
    upstream warm { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT%%;
        experiment on;
        location /on/ { proxy_pass http://warm; }
        location /passive/ { experiment_meter passive; proxy_pass http://up; }
        location /off/ { experiment_meter off; proxy_pass http://up; }
        location /vars/ {
            access_log "%%DIR%%/log/vars.log" vars;
            add_header X-Early "<$experiment_ttft$experiment_cost>" always;
            proxy_pass http://up;
        }
        location /limited/ { limit_rate 10m; proxy_pass http://up; }
        location /set/ {
            proxy_set_body '{"stream":true,"stream_options":{"include_usage":true}}';
            proxy_pass http://up;
        }
        location /none/ { experiment off; proxy_pass http://up; }
        location /buffered/ {
            experiment_stream_unbuffered off;
            proxy_buffers 4 4k;
            proxy_busy_buffers_size 4k;
            proxy_pass http://up;
        }
        location /cached/ {
            experiment_meter passive;
            proxy_cache c;
            proxy_cache_valid 1m;
            proxy_cache_methods POST GET;
            proxy_cache_key $uri$http_x_reply;
            proxy_pass http://up;
        }
        location /nobody/ { experiment_body off; proxy_pass http://up; }
        location /cold/ { experiment_warm_after 0; proxy_pass http://warm; }
        location /json/ { experiment_dialect json; proxy_pass http://up; }
    }
}
EOC

my $unit = $e->unit('tone', exposed => 1);
my $asks = '{"stream":true,"stream_options":{"include_usage":true}}';

sub ask {
    my ($where, $reply, $body, @headers) = @_;
    my ($name) = $reply =~ /^([a-z]+)/;

    return $e->post("/$where" . ($uri{$name} // '/chat/completions'),
                    $body // $asks, 'X-Reply', $reply, 'X-Id', $unit,
                    @headers);
}

sub said {
    my ($line) = @_;
    return { map { $_ => $line->{$_} } grep { exists $line->{$_} } @said };
}


# Every way to cut a stream gives the same figures, and every byte passes.

for my $where (qw(on passive)) {
    for my $name (sort keys %stream) {
        for my $how (qw(whole events bytes)) {
            my $what = "$where, $name, $how";
            my $r = ask($where, "$name-$how");
            my $line = $e->log_next;

            is($r->{body}, join('', @{ $stream{$name} }),
               "$what - the bytes are the upstream's");
            is_deeply(said($line), $said{$name}, "$what - logged")
                or diag(explain($line));
            is($line->{stream}, JSON::PP::true, "$what - a stream");

            my @known = grep { exists $line->{$_} } @times;
            my @want = defined $said{$name}{'gen_ai.usage.output_tokens'}
                ? @times : grep { $_ ne 'tpot_ms' } @times;
            is("@known", "@want", "$what - its times");

            next if $how ne 'events';

            # pieces come 10 ms apart, the first one holds no content
            my $at = $name eq 'anthropic' ? 3 : 1;
            cmp_ok($line->{ttft_ms}, '>=', $line->{first_byte_ms} + 10 * $at
                   - 8, "$what - TTFT is no first byte");
            cmp_ok($line->{ttft_ms}, '<=', $line->{response_ms},
                   "$what - nor the end");
            cmp_ok($line->{itl_max_ms}, '>', 0, "$what - a gap");
        }
    }
}

# A body is read as it is.
for my $name (sort keys %body) {
    my $r = ask('on', "$name-json", '{}');
    my $line = $e->log_next;
    is($r->{body}, $reply{"$name-json"}{body}, "$name, JSON - the same bytes");
    ok(!exists $line->{stream} && !grep({ exists $line->{$_} } @times),
       "$name, JSON - is no stream");
    my %want = (
        chat => { %{ $said{usage} }, truncated => JSON::PP::false,
                  'gen_ai.response.finish_reasons' => [ 'stop' ] },
        responses => { 'gen_ai.response.model' => 'gpt-4.1', tool_calls => 1,
            'gen_ai.response.finish_reasons' => [ 'max_output_tokens' ],
            truncated => JSON::PP::true, refusal => JSON::PP::false,
            empty => JSON::PP::false, 'gen_ai.usage.input_tokens' => 9,
            'gen_ai.usage.output_tokens' => 4 },
        anthropic => { 'gen_ai.response.model' => 'claude-x', tool_calls => 0,
            'gen_ai.response.finish_reasons' => [ 'refusal' ],
            truncated => JSON::PP::false, refusal => JSON::PP::true,
            empty => JSON::PP::true, 'gen_ai.usage.input_tokens' => 15,
            'gen_ai.usage.output_tokens' => 3,
            'gen_ai.usage.cache_read.input_tokens' => 5 },
    );
    is_deeply(said($line), $want{$name}, "$name, JSON - logged")
        or diag(explain(said($line)));
}


# Usage is asked for where the client does not, and taken out again.

my $stripped = $chat;
$stripped =~ s/,"usage":null//g;
$stripped =~ s/data: \{[^\n]*"usage":\{[^\n]*\n\n//;
unlike($stripped, qr/usage/, 'what the client gets has no usage');

$e->received;

for my $how (qw(whole events bytes)) {
    for my $row (
        [ '{"stream":true}',
          '{"stream":true,"stream_options":{"include_usage":true}}' ],
        [ '{"stream" : true, "stream_options" : {"include_obfuscation":false}}',
          '{"stream" : true, "stream_options" : {"include_obfuscation":false,'
          . '"include_usage":true}}' ],
        [ '{"stream_options":{"include_usage":false},"stream":true}',
          '{"stream_options":{"include_usage":true},"stream":true}' ],
        [ '{"stream_options":null,"stream":true}',
          '{"stream_options":{"include_usage":true},"stream":true}' ],
    ) {
        my $what = "asked for, $how, $row->[0]";
        my $r = ask('on', "usage-$how", $row->[0]);
        my $line = $e->log_next;
        is($e->received->{body}, $row->[1], "$what - upstream");
        is($r->{body}, $stripped, "$what - the client");
        is($line->{body}, 'edited', "$what - says so");
        is_deeply(said($line), $said{usage}, "$what - logged");
    }
}

for my $row (
    [ 'on', $asks ], [ 'on', '{}' ], [ 'on', '{"stream":false}' ],
    [ 'on', '{"stream":"true"}' ], [ 'on', '{"stream":true,"stream":true}' ],
    [ 'on', '{"stream":true,"stream_options":[]}' ],
    [ 'on', '{"stream":true,"stream_options":{},"stream_options":{}}' ],
    [ 'on', '{"stream":true,' ], [ 'passive', '{"stream":true}' ],
    [ 'off', '{"stream":true}' ], [ 'none', '{"stream":true}' ],
    [ 'nobody', '{"stream":true}' ],
) {
    my ($where, $body) = @$row;
    my $r = ask($where, 'usage-events', $body);
    is($e->received->{body}, $body, "$where, $body - nothing is asked for");
    is($r->{body}, $chat, "$where, $body - nothing is taken out");
    $e->log_next if $where ne 'none';
}

# The body of a unit that is not exposed is nobody's.
$e->post('/on/chat/completions', '{"stream":true}', 'X-Reply', 'usage-whole');
is($e->received->{body}, '{"stream":true}', 'no unit - nothing is asked for');
is($e->log_next->{body}, undef, 'no unit - nothing is read');

# An upstream that does not know the option.
my $r = ask('on', 'chat-events', '{"stream":true}');
is($r->{body}, join('', @{ $stream{chat} }), 'no usage - the same bytes');
is_deeply(said($e->log_next), $said{chat}, 'no usage - absent, not 0');


# A client that reads slowly holds back the upstream, not nginx's memory.

sub private {
    my ($pid) = $e->workers;
    my $kb = 0;
    my $map = $e->read_file("/proc/$pid/smaps_rollup");
    $kb += $1 while $map =~ /^Private_\w+:\s+(\d+) kB/mg;
    return $kb;
}

for my $where (qw(on passive)) {
    my $before = private();
    my $most = 0;
    my $c = $e->client;
    $c->send($c->request('POST', "/$where/chat/completions",
                         '{"stream":true}', 'X-Reply', 'flood', 'X-Id', $unit,
                         'Content-Type', 'application/json',
                         'Connection', 'close'));

    # it reads 64 KB, and waits until the edge has written all that it can
    my $want = 0;
    for my $i (1 .. 40) {
        $want += 65536;
        $c->until(sub { length $_[0] >= $want });
        my $now = private() - $before;
        $most = $now if $now > $most;
    }

    my $r = $c->response;
    my $body = $flood;
    if ($where eq 'on') {
        $body =~ s/,"usage":null//g;
        $body =~ s/data: \{[^\n]*"usage":\{[^\n]*\n\n//;
    }
    ok($r->{body} eq $body, "$where, a slow client - gets all of it");
    cmp_ok($most, '<', 1024, "$where, a slow client - memory stays")
        unless $ENV{EDGE_VALGRIND} || $ENV{EDGE_STATIC};
    is($e->log_next->{'gen_ai.usage.output_tokens'}, 5,
       "$where, a slow client - logged");
}


# Buffered: what is said is known, when it was said is not.

for my $body ($asks, '{"stream":true}') {
    $r = ask('buffered', 'usage-events', $body);
    my $line = $e->log_next;
    is($r->{body}, $body eq $asks ? $chat : $stripped, "buffered, $body");
    is_deeply(said($line), $said{usage}, "buffered, $body - logged");
    is(scalar(grep { exists $line->{$_} } @times), 0,
       "buffered, $body - no times");
}

# A limit holds: nginx would lift it from what is not buffered.
$r = ask('limited', 'usage-events', '{"stream":true}');
is($r->{body}, $stripped, 'limit_rate - the bytes');
is(scalar(grep { exists $_->{ttft_ms} } $e->log_next), 0,
   'limit_rate - is not timed');

# The operator's own question is nobody else's to take out.
$r = ask('set', 'usage-events', '{"stream":true}');
is($r->{body}, $chat, 'proxy_set_body - nothing is taken out');
is_deeply(said($e->log_next), $said{usage}, 'proxy_set_body - logged');

# Of a unit that is not exposed: another's answer must not come from a cache.
$e->post('/cached/chat/completions', '{}', 'X-Reply', 'usage-events')
    for 1 .. 2;
my @cached = ($e->log_next, $e->log_next);
is_deeply(said($cached[0]), $said{usage}, 'to be cached - logged');
is(scalar(grep { exists $cached[0]{$_} } @times), 0,
   'to be cached - no times');
is_deeply(said($cached[1]), {}, 'from the cache - nothing is read');


# What is not measured, and why.

for my $row (
    [ 'plain', { unmetered => 'type' } ],
    [ 'garbage', { unmetered => 'malformed' } ],
    [ 'another', { unmetered => 'malformed' } ],
    [ 'short', { unmetered => 'malformed', stream_error => 'upstream' } ],
    [ 'short-chunk', { unmetered => 'malformed', stream_error => 'upstream' } ],
    [ 'short-text', { unmetered => 'type', stream_error => 'upstream' } ],
    [ 'garbage-stream', { unmetered => 'malformed',
                          stream_error => 'incomplete' } ],
    [ 'encoded', { unmetered => 'encoded' } ],
    [ 'encoded-stream', { unmetered => 'encoded' } ],
    [ 'large', { 'gen_ai.usage.input_tokens' => 1, tool_calls => 0,
                 truncated => JSON::PP::false, refusal => JSON::PP::false,
                 empty => JSON::PP::true } ],
    [ 'large-event', { unmetered => 'size' } ],
    [ 'identity', $said{usage} ],
    [ 'none', {} ], [ 'error', {} ],
    [ 'failed', { stream_error => 'api', tool_calls => 0,
                  truncated => JSON::PP::false, refusal => JSON::PP::false } ],
    [ 'cut', { stream_error => 'incomplete', tool_calls => 0,
               'gen_ai.response.model' => 'gpt-4o-mini',
               truncated => JSON::PP::false, refusal => JSON::PP::false } ],
    [ 'empty', { 'gen_ai.response.model' => 'm', tool_calls => 0,
                 'gen_ai.response.finish_reasons' => [ 'stop' ],
                 truncated => JSON::PP::false, refusal => JSON::PP::false,
                 empty => JSON::PP::true } ],
) {
    my ($name, $want) = @$row;
    my $r = ask('on', $name);
    my $line = $e->log_next;
    is_deeply(said($line), $want, "$name - logged")
        or diag(explain($line));
    is($r->{body}, $reply{$name}{body} // '', "$name - the same bytes");
    ok(exists $line->{first_byte_ms}, "$name - first byte");
}

for my $name (qw(off json)) {
    ask($name, 'usage-events', $asks);
    my $line = $e->log_next;
    is_deeply(said($line), {}, "$name - nothing is read");
    is($line->{stream}, $name eq 'off' ? undef : JSON::PP::true,
       "$name - a stream");
}

$e->ask('HEAD', '/on/chat/completions', undef, 'X-Reply', 'chat-json',
        'X-Id', $unit);
is_deeply(said($e->log_next), {}, 'HEAD - nothing is read');


# Compression is not asked for.
$e->received;
ask('on', 'chat-json', '{}', 'Accept-Encoding', 'gzip, br');
is($e->received->header('Accept-Encoding'), undef, 'on - Accept-Encoding');
ask('off', 'chat-json', '{}', 'Accept-Encoding', 'gzip, br');
is($e->received->header('Accept-Encoding'), 'gzip, br',
   'off - Accept-Encoding');
ask('json', 'chat-json', '{}', 'Accept-Encoding', 'gzip');
is($e->received->header('Accept-Encoding'), 'gzip',
   'json - Accept-Encoding');
$e->log_next(3);


# Warm and cold.
ask('on', 'chat-json', '{}');
ask('on', 'chat-json', '{}');
ask('passive', 'chat-json', '{}');
is(join(' ', map { $_->{cold} ? 'cold' : 'warm' } ($e->log_next)[0],
        $e->log_next, $e->log_next), 'warm warm cold',
   'a connection kept alive is warm, a new one cold');


# Costs, and the variables.
my %cost = (usage => 0.00009, anthropic => 10 * 3e-6 + 5 * 0.3e-6
            + 1 * 3.75e-6 + 7 * 15e-6, chat => undef, responses => undef);

for my $name (sort keys %stream) {
    ask('on', "$name-whole");
    my $line = $e->log_next;
    my $cost = $cost{$name};
    is($line->{cost}, $cost && sprintf('%.9f', $cost) + 0, "$name - cost");
    is($line->{currency}, $cost && 'USD', "$name - currency");
}

$r = ask('vars', 'usage-events');
is($r->header('X-Early'), '<>', 'variables - nothing before the end');
$e->wait_for(sub { -s $e->dir . '/log/vars.log' });
like($e->read_file('log/vars.log'),
     qr/^\d+\.\d{3} \d+\.\d{3} 0\.000090000 20 5$/, 'variables - at the end');
ask('vars', 'chat-whole', '{}');


# No HTTP: nginx passes it on, as what HTTP/0.9 was.
{
    my $c = $e->client;
    $c->send($c->request('POST', '/on/chat/completions', '{}', 'X-Reply',
                         'bare', 'Content-Type', 'application/json',
                         'X-Id', $unit));
    ok($c->until(sub { $_[0] =~ /nonsense/ }), 'no HTTP - the client has it');
    $c->close;
    my $line = $e->log_next;
    is($line->{stream_error}, 'upstream', 'no HTTP - an error');
    is($line->{status}, 9, 'no HTTP - its status');
}

# An event leaves with all of the empty line that ends it.
{
    my $c = $e->client;
    $c->send($c->request('POST', '/on/chat/completions', '{"stream":true}',
                         'X-Reply', 'crlf', 'X-Id', $unit,
                         'Content-Type', 'application/json'));
    ok($c->until(sub { $_[0] =~ /"b"[^\n]*\r\n\r\n/ }),
       'CR LF - whole at once');
    $c->close;
    $e->log_next;
}


# Ends in the middle.
for my $where (qw(on passive)) {
    $r = ask($where, 'usage-died', '{"stream":true}');
    my $line = $e->log_next;
    is($line->{stream_error}, 'upstream', "$where, the upstream dies - logged")
        or diag(explain($line));
    is($line->{status}, 200, "$where, the upstream dies - after its 200");
    ok(!exists $line->{aborted}, "$where, the upstream dies - no abort");
}

for my $where (qw(on passive)) {
    my $c = $e->client;
    $c->send($c->request('POST', "/$where/chat/completions",
                         '{"stream":true}', 'X-Reply', 'usage-slow',
                         'Content-Type', 'application/json',
                         'X-Id', $unit));
    ok($c->until(sub { $_[0] =~ /"b"/ }), "$where, the client leaves - after some events");
    $c->close;
    my $line = $e->log_next;
    is($line->{aborted}, JSON::PP::true, "$where, the client leaves - logged");
    ok(!exists $line->{stream_error}, "$where, the client leaves - no error");
    ok(exists $line->{ttft_ms}, "$where, the client leaves - TTFT is known");
    ok(!exists $line->{empty}, "$where, the client leaves - nothing is empty");
}

is($e->get('/on/x')->{status}, 200, 'nginx goes on');

$e->done;
