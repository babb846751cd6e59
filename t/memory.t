#!/usr/bin/perl
# What a worker keeps does not grow: neither with requests and answers of any
# kind, nor with changes of the registry.
#
# EDGE_MEMORY_REQUESTS (100,000) and EDGE_MEMORY_CHANGES (40) make it longer:
# 10,000,000 and 1,000 are what a release is held against.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

plan skip_all => 'sanitizers and valgrind keep what is freed'
    if $ENV{EDGE_STATIC} || $ENV{EDGE_VALGRIND};
plan skip_all => 'no wrk' unless `which wrk`;

my $requests = $ENV{EDGE_MEMORY_REQUESTS} // 100_000;
my $changes = $ENV{EDGE_MEMORY_CHANGES} // 40;
my ($rounds, $kinds) = (4, 16);
my $seconds = $requests > 1_000_000 ? 10 : 1;
my $seed = 0;

# What the APIs answer, whole and as a stream.
my %answer = (
    '/chat/completions' => [
        '{"model":"gpt-4o","choices":[{"message":{"content":"Hi \\n you"},'
            . '"finish_reason":"stop"}],"usage":{"prompt_tokens":20,'
            . '"completion_tokens":5}}',
        map { "data: $_\n\n" }
        map({ '{"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"'
              . $_ . '"}}],"usage":null}' } 'Hi', ' you', 'x' x 500, '.'),
        '{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":20,'
            . '"completion_tokens":5}}', '[DONE]' ],
    '/responses' => [
        '{"model":"gpt-4.1","status":"completed","output":[{"type":"message",'
            . '"content":[{"type":"output_text","text":"Hi"}]}],'
            . '"usage":{"input_tokens":9,"output_tokens":5}}',
        map { "data: $_\n\n" }
        map({ '{"type":"response.output_text.delta","delta":"' . $_ . '"}' }
            'Hi', ' you', 'x' x 500),
        '{"type":"response.completed","response":{"status":"completed",'
            . '"usage":{"input_tokens":9,"output_tokens":5}}}' ],
    '/messages' => [
        '{"type":"message","model":"claude-x","stop_reason":"end_turn",'
            . '"content":[{"type":"text","text":"Hi"}],'
            . '"usage":{"input_tokens":10,"output_tokens":5}}',
        map { "event: x\ndata: $_\n\n" }
        '{"type":"message_start","message":{"model":"claude-x","usage":'
            . '{"input_tokens":10,"output_tokens":1}}}',
        map({ '{"type":"content_block_delta","index":0,"delta":{"type":'
              . '"text_delta","text":"' . $_ . '"}}' } 'Hi', 'x' x 500),
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},'
            . '"usage":{"output_tokens":5}}', '{"type":"message_stop"}' ],
);

my $up = Edge->new;
my $port = $up->port;

$up->{vars}{ANSWERS} = join '', map {
    my ($whole, @events) = map { s/\\/\\\\/gr } @{ $answer{$_} };
    "location = /whole$_ { return 200 '$whole'; }
     location = /stream$_ {
         default_type text/event-stream;
         return 200 '@{[ join '', @events ]}';
     }"
} sort keys %answer;

$up->run(<<'EOC');
%%BARE%%
http {
    %%TEMP%%
    access_log off;
    client_max_body_size 16m;
    keepalive_requests 100000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { add_header X-Up a; return 200 '{"choices":[]}'; }
        default_type application/json;
        %%ANSWERS%%
    }
}
EOC

my $e = Edge->new(workers => 1);
my $doc = {
    name => 'tone', unit => 'header:X-Id', layer => 'chat', variants => [
        { name => 'control' },
        { name => 'b', allow_many => JSON::PP::true(),
          overrides => { default => { temperature => 0.2, system => 'x' } },
          headers => { request => { set => { 'X-Variant' => 'b' },
                                    remove => [ 'X-Away' ] },
                       response => { set => { 'X-Served' => 'b' } } } } ],
};

# malloc gives nothing back to the system, so that what it has is the most
# that was ever in use.
$ENV{GLIBC_TUNABLES} = 'glibc.malloc.mmap_threshold=16777216:'
    . 'glibc.malloc.trim_threshold=1073741824';

$e->init;
$e->apply($doc);
$e->stage('tone', 'ab', '--exposure', '1');

$e->run(<<"EOC");
%%MAIN%%
http {
    %%HTTP%%
    upstream up {
        server 127.0.0.1:$port;
        keepalive 64;
        keepalive_requests 100000000;
    }
    keepalive_requests 100000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        experiment on;
        access_log /dev/null experiment;
        access_log "%%DIR%%/log/experiment.log" experiment
                   if=\$http_x_logged;
        error_log "%%DIR%%/error.log" crit;
        client_max_body_size 100k;
        location / { proxy_pass http://up; }
        location /variables { return 200 "\$experiment_assignments"; }
        location /spooled {
            client_body_buffer_size 4k;
            proxy_pass http://up;
        }
        location /named { try_files /none \@named; }
        location \@named { proxy_pass http://up; }
        location /auth { auth_request /variables; proxy_pass http://up; }
        location /page { error_page 405 = /other; return 405; }
        location /mirror { mirror /mirrored; proxy_pass http://up; }
        location /mirrored { internal; proxy_pass http://up; }
        location /stream/ {
            proxy_buffer_size 1k;
            proxy_pass http://up;
        }
    }
}
EOC

# What is measured below is metered.
for my $api (sort keys %answer) {
    for my $form ('whole', 'stream') {
        my $r = $e->post("/$form$api", $form eq 'stream' ? '{"stream":true}'
                                                         : '{}',
                         'X-Id', 'u-1', 'X-Logged', 1);
        my $line = $e->log_next;

        is($line->{'gen_ai.usage.output_tokens'}, 5, "$form$api - metered");
        unlike($r->{body}, qr/"usage"/, "$form$api - usage taken out again")
            if "$form$api" eq 'stream/chat/completions';
    }
}

my ($worker) = $e->workers;
my $script = $e->file('load.lua', script());

my ($done, @bad) = (0);

# Each round brings its share of the changes while its requests run.  The
# first one is for the warmth.
round();
my $before = private_kb();
$done = 0;

# What leaks is there in each later round, what is only in use is not.
my $least;

for my $i (1 .. $rounds) {
    round();
    my $now = private_kb();
    $least = $now if $i > $rounds / 2 && $now < ($least // $now + 1);
    diag("$done requests: $now kB, at first $before kB")
        if $ENV{EDGE_MEMORY_REQUESTS};
}

cmp_ok($done, '>=', $requests, 'requests');
is(scalar @bad, 0, 'each was answered as it should be')
    or diag(join "\n", @bad);
is(join(' ', $e->workers), $worker, 'by one worker');

# 512 kB are requests that happened to meet, since what malloc has is the most
# that was ever in use: a leak of the least that it gives, 16 bytes a request,
# is a megabyte and a half by now.
cmp_ok($least, '<=', $before * 1.02 + 512,
       "private memory, at first $before kB");

$up->finish;
$e->done;


# What is the worker's alone.  The zone of the counters is shared memory of a
# fixed size, and its pages come as phases do.

sub private_kb {
    $e->sync;
    my ($kb, $private) = (0, 0);

    for (split /\n/, $e->read_file("/proc/$worker/smaps")) {
        $private = $1 eq 'p' if /^[0-9a-f]+-[0-9a-f]+ \S{3}(\S) /;
        $kb += $1 if $private && /^Private_(?:Clean|Dirty):\s+(\d+)/;
    }

    return $kb;
}


sub round {
    my ($sent, $changed) = (0, 0);

    until ($sent >= $requests / $rounds && $changed >= $changes / $rounds) {
        my $end = time + $seconds;
        open my $wrk, '-|', 'wrk', '-t1', '-c16', "-d${seconds}s",
            '--timeout', '60s', '-s', $script, 'http://127.0.0.1:' . $e->port or die "wrk: $!\n";

        while ($changed < $changes / $rounds && time < $end) {
            change();
            $changed++;
        }

        my ($n, $refused, $sockets, $late) = join('', <$wrk>)
            =~ /^RESULT (\d+) (\d+) (\d+) (\d+)/m or die "wrk failed\n";
        close $wrk;

        # One kind of all is too large, and is to be refused.  An answer that
        # wrk did not wait for is the machine's load.
        my $too_large = sprintf '%.0f', $n / $kinds;
        push @bad, "$sockets of $n requests met an error of the socket"
            if $sockets;
        push @bad, "$refused of $n requests were refused, not $too_large"
            if abs($refused - $too_large) > 64;
        diag("wrk did not wait for $late of $n answers") if $late;
        $sent += $n;
    }

    $done += $sent;
}


# Another prompt, of another length, or another stage.

sub change {
    my $n = ++$seed;

    if ($n % 2) {
        $doc->{variants}[1]{overrides}{default}{system} = 'x' x ($n % 7 * 500);
        $e->must({ stdin => JSON::PP->new->encode($doc) }, 'apply', '-f', '-',
                 '--new-phase');

    } else {
        $e->must('stage', 'tone', 'ab', '--exposure', $n % 4 ? '0.9' : '1');
    }
}


# What wrk sends: each kind in turn, with 64 units.

sub script {
    return <<'EOL';
local chat = '{"model":"gpt-4o","temperature":0.7,"messages":[' ..
    '{"role":"system","content":"Be helpful."},' ..
    '{"role":"user","content":"' .. string.rep("parcel ", 100) .. '"}]}'
local long = '{"temperature":0.7,"messages":[{"role":"user","content":"' ..
    string.rep("parcel ", 5000) .. '"}]}'
local stream = '{"stream":true,' .. chat:sub(2)
local large = string.rep("x", 120 * 1024)
local all, n = {}, 0

local function head(uri, i, more)
    return "POST " .. uri .. " HTTP/1.1\r\nHost: edge\r\nX-Id: u-" .. i ..
        "\r\nX-Away: 1\r\nContent-Type: application/json\r\n" .. more ..
        "\r\n\r\n"
end

local function post(uri, i, body)
    return head(uri, i, "Content-Length: " .. #body) .. body
end

local function chunked(uri, i, body)
    local half = math.floor(#body / 2)
    return head(uri, i, "Transfer-Encoding: chunked") ..
        string.format("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half,
            body:sub(1, half), #body - half, body:sub(half + 1))
end

function init(args)
    for i = 1, 64 do
        for _, r in ipairs({
            post("/", i, chat),
            chunked("/", i, chat),
            post("/", i, chat:sub(1, -2)),
            "GET /variables HTTP/1.1\r\nHost: edge\r\nX-Id: u-" .. i ..
                "\r\n\r\n",
            post("/spooled", i, long),
            post("/named", i, chat),
            post("/auth", i, chat),
            post("/page", i, chat),
            post("/mirror", i, chat),
            post("/large", i, large),
            post("/whole/chat/completions", i, chat),
            post("/whole/responses", i, chat),
            post("/whole/messages", i, chat),
            post("/stream/chat/completions", i, stream),
            post("/stream/responses", i, stream),
            post("/stream/messages", i, stream)
        }) do
            all[#all + 1] = r
        end
    end
end

function request()
    n = n % #all + 1
    return all[n]
end

function done(summary)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %d %d\n", summary.requests,
        e.status, e.connect + e.read + e.write, e.timeout))
end
EOL
}
