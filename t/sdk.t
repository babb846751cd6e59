#!/usr/bin/perl
# The real clients of OpenAI and Anthropic: each call gives the same results,
# object by object and event by event, through the module as directly, in both
# arms, with the meter on, passive and off, and what is known of the recorded
# answers; the log has their tokens and times.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;
use Edge::Api;
use Edge::Npm;
use Edge::Sdk;

binmode $_, ':utf8' for Test::More->builder->output,
    Test::More->builder->failure_output;

Edge::Npm->plan;

my $json = JSON::PP->new->canonical->utf8;
my $e = Edge->new;

$e->upstream(reply => \&Edge::Api::answer);
$e->init;
$e->apply(<<'EOD');
{"name": "arm", "unit": "header:X-Conversation-Id", "variants": [
  {"name": "control"},
  {"name": "treatment", "headers": {"request": {"set": {"X-Arm": "t"}}}}]}
EOD
$e->stage('arm', 'ab', '--exposure', '1');

# Per million tokens: input, output, read from a cache, written to one.
my %price = ('gpt-4o' => [ 2.5, 10, 1.25, 2.5 ], 'gpt-4.1' => [ 2, 8, 0.5, 2 ],
             'claude-sonnet-4' => [ 3, 15, 0.3, 3.75 ]);

for my $model (sort keys %price) {
    my %p;

    @p{qw(--input --output --cached --cache-write)} = @{ $price{$model} };
    $e->must('price', 'set', $model, %p, '--currency', 'USD');
}

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT%%;
        experiment arm;
        location / { proxy_pass http://up; proxy_buffering off; }
        location /buffered/ { proxy_pass http://up; }
        location /passive/ {
            experiment_meter passive;
            proxy_pass http://up;
        }
        location /off/ {
            experiment_meter off;
            proxy_pass http://up;
            proxy_buffering off;
        }
    }
}
EOC

my %unit = map { $_ => $e->unit('arm', variant => $_, exposed => 1) }
    qw(control treatment);
my $edge = 'http://127.0.0.1:' . $e->port;

my @targets = (
    { name => 'direct', unit => 'u',
      url => 'http://127.0.0.1:' . $e->port('PORT_UP') },
    { name => 'control', unit => $unit{control}, url => $edge },
    { name => 'treatment', unit => $unit{treatment}, url => $edge },
    map { { name => $_, unit => $unit{control}, url => "$edge/$_" } }
        qw(buffered passive off),
);

my (@calls, %result);

for my $line (Edge::Npm->run('sdk.mjs', $json->encode(\@targets))) {
    my $call = $line->{call};

    push @calls, $call unless $result{$call};
    $result{$call}{ $line->{target} } = $line->{result};
}

cmp_ok(scalar @calls, '>', 90, 'there are calls');

# What each answer has in t/data/api: text, refusal, tool calls, how it ended,
# and tokens by the names of the API.
my %text = (
    text => 'Your order “48291” was delivered' . "\n"
        . '- Friday 📦, signed for by \\"A. M.\\".',
    length => 'Your order “48291', reasoning => '42', refusal => '',
    tools => '',
);
my %ends = (
    chat => { text => 'stop', length => 'length', reasoning => 'stop',
              refusal => 'stop', tools => 'tool_calls' },
    responses => { text => 'completed', length => 'max_output_tokens',
                   reasoning => 'completed', refusal => 'completed',
                   tools => 'completed' },
    messages => { text => 'end_turn', length => 'max_tokens',
                  reasoning => 'end_turn', refusal => 'refusal',
                  tools => 'tool_use' },
);
my %tokens = (
    chat => { text => [2006, 19], length => [2006, 5],
              reasoning => [24, 210], refusal => [81, 11],
              tools => [182, 38] },
    responses => { text => [2006, 19], length => [2006, 16],
                   reasoning => [24, 210], refusal => [81, 11],
                   tools => [182, 38] },
    messages => { text => [86, 19], length => [2006, 5],
                  reasoning => [24, 210], refusal => [81, 4],
                  tools => [472, 89] },
);
my @tool_calls = (get_order => { order_id => '48291' },
                  get_weather => { city => 'Zürich' });
my %fault = (400 => qr/^BadRequestError$/, 429 => qr/^RateLimitError$/,
             529 => qr/^(?:InternalServer|Overloaded)Error$/);

my %dialect = (chat => 'openai_chat', responses => 'openai_responses',
               messages => 'anthropic');

for my $call (@calls) {
    my ($api, $how, $scenario) = $call =~ /^(\w+): ([^,]+), (\w+)/;
    my $direct = $result{$call}{direct};

    expected($call, $api, $how, $scenario, $direct);
    same($call, $direct, $result{$call}{ $_->{name} }, $_->{name})
        for @targets[ 1 .. $#targets ];
}

requests();
logged();
facts();

$e->done;


# What went wrong in both ways would be the same, too.

sub expected {
    my ($call, $api, $how, $scenario, $r) = @_;

    if ($fault{$scenario}) {
        like($r->{failure}{error} // '', $fault{$scenario}, "$call - error");
        is($r->{failure}{status}, $scenario, "$call - status");
        like($r->{failure}{requestID} // '', qr/^req_/, "$call - request id");
        return;
    }

    if ($scenario eq 'error' || $scenario eq 'cut') {
        ok($r->{failure}, "$call - fails");
        cmp_ok(scalar @{ $r->{events} }, '>', 2, "$call - after events");
        return;
    }

    # the stream is whole; what it says is that the model failed
    if ($scenario eq 'failed') {
        is($r->{events}[-1]{type}, 'response.failed', "$call - said so")
            if $how eq 'iterate';
        return;
    }

    is($r->{failure}, undef, "$call - succeeds")
        or diag($json->encode($r->{failure}));

    if ($how eq 'run') {
        is($r->{final}, '{"got":{"city":"Zürich"}}', "$call - tools called");
        return;
    }

    my $got = Edge::Sdk::digest($api, $r);
    my $text = $text{$scenario};
    my %want = (text => $text, ends => $ends{$api}{$scenario}, refusal => '',
                tools => [ $scenario eq 'tools' ? @tool_calls : () ],
                tokens => $tokens{$api}{$scenario});

    $want{refusal} = 'I\'m sorry, I can’t help with that.'
        if $scenario eq 'refusal' && $api ne 'messages';
    $want{text} = $scenario eq 'refusal' ? 'I'
                : $scenario eq 'tools' ? 'I’ll look that up.' : $text
        if $api eq 'messages';

    # nobody asked for it
    $want{tokens} = [ undef, undef ]
        if $call =~ /^chat: (?:iterate|helper with tools)/;

    is_deeply($got, \%want, "$call - what was recorded");

    if ($r->{events} && $how =~ /^(?:iterate|usage)/) {
        is(scalar @{ $r->{events} }, recorded_events($api, $how, $scenario),
           "$call - each event");
    }
}


# How many the file has; the clients keep pings and the end to themselves.

sub recorded_events {
    my ($api, $how, $scenario) = @_;
    my $text = Edge::Api::recorded("$dialect{$api}-$scenario.sse");

    my $n = () = $text =~ /^data: \{(?!"type":"ping")/mg;
    return $n - ($api eq 'chat' && $how eq 'iterate');
}


# Event by event, so that what differs is named.

sub same {
    my ($call, $want, $got, $target) = @_;
    my $name = "$call - $target";

    if (ref $want->{events} eq 'ARRAY') {
        my @want = @{ $want->{events} };
        my @got = @{ $got->{events} || [] };

        is(scalar @got, scalar @want, "$name, as many events");

        for my $i (grep { $json->encode([ $want[$_] ])
                          ne $json->encode([ $got[$_] ]) } 0 .. $#want) {
            is_deeply($got[$i], $want[$i], "$name, event $i");
            last;
        }
    }

    is_deeply($got, $want, "$name, the same");
}


# What the upstream received: the same but for the arm's header, and for the
# usage that the meter asks for where the client did not.

sub requests {
    my @requests = $e->received;
    my %by;

    push @{ $by{ arrived($_) } }, $_ for @requests;

    my $n = @{ $by{direct} || [] };
    cmp_ok($n, '>', @calls, 'upstream - as many as calls, and second tries');

    for my $target (map { $_->{name} } @targets[ 1 .. $#targets ]) {
        my @got = @{ $by{$target} || [] };

        is(scalar @got, $n, "upstream - $target, as many requests");

        my @asked = grep { $got[$_]{body} ne $by{direct}[$_]{body} }
            0 .. $#got;

        is(scalar(grep { !asks_for_usage($got[$_], $by{direct}[$_]) } @asked),
           0, "upstream - $target, the same bodies");
        is(@asked > 0, $target !~ /passive|off/,
           "upstream - $target, who asks for usage");
        is(scalar(grep { ($_->header('X-Arm') // '-')
                         ne ($target eq 'treatment' ? 't' : '-') } @got), 0,
           "upstream - $target, the header of its arm");
    }
}


sub asks_for_usage {
    my ($got, $want) = map { $_->json } @_;
    my $options = delete $got->{stream_options};

    return $json->encode($options) eq '{"include_usage":true}'
        && $json->encode($got) eq $json->encode($want);
}


# Which target a request was made to: the path says it, or the unit.

sub arrived {
    my ($r) = @_;
    my ($prefix) = $r->{uri} =~ m{^/(\w+)/v1/};
    my %of = (u => 'direct', $unit{control} => 'control',
              $unit{treatment} => 'treatment');

    return $prefix // $of{ $r->header('X-Conversation-Id') };
}


sub logged {
    my $tries = grep { /X-Try-Again/ } @calls;
    my $n = ($#targets) * (@calls + $tries);
    my @lines = $e->log_next($n);
    my %seen;

    is(scalar($e->log_lines), $n, 'log - a line a request, and a try');

    for my $line (@lines) {
        my $x = $line->{experiments}[0];

        $seen{ $line->{dialect} }++;
        $x->{exposed} && $x->{reason} eq 'assigned'
            or fail("log - assigned: " . $json->encode($line));
    }

    is(join(' ', sort keys %seen),
       'anthropic openai_chat openai_responses', 'log - each dialect');

    metered(@lines);

    # The two tries of a call are of one unit, in one arm.
    my @first = grep { $lines[$_]{status} == 429
        && $lines[$_]{uri} eq $lines[ $_ + 1 ]{uri}
        && $lines[ $_ + 1 ]{status} == 200 } 0 .. $#lines - 1;
    my @pairs = grep { pair(@lines[ $_, $_ + 1 ]) } @first;

    cmp_ok(scalar @pairs, '>=', $#targets * $tries,
           'log - a second try has the unit and the arm of its first');
}


sub pair {
    my ($first, $second) = map { $_->{experiments}[0] } @_;

    return $first->{unit} eq $second->{unit}
        && $first->{variant} eq $second->{variant};
}


# The lines of a target are in the order of the calls; a second try has two.

sub metered {
    my %of;

    for my $line (@_) {
        my ($prefix) = $line->{uri} =~ m{^/(\w+)/v1/};
        push @{ $of{ $prefix // $line->{experiments}[0]{variant} } }, $line;
    }

    for my $target (map { $_->{name} } @targets[ 1 .. $#targets ]) {
        for my $call (@calls) {
            my $line = shift @{ $of{$target} };

            if ($call =~ /X-Try-Again/) {
                is($line->{status}, 429, "log - $call - $target, first try");
                $line = shift @{ $of{$target} };
            }

            figures("log - $call - $target", $call, $target, $line);
        }
    }
}


sub figures {
    my ($name, $call, $target, $line) = @_;
    my ($api, $how, $scenario) = $call =~ /^(\w+): ([^,]+), (\w+)/;
    my $stream = $how !~ /^json/ && !$fault{$scenario};

    if ($target eq 'off') {
        is(join(' ', grep { /^gen_ai\.(?!request)|_ms$|^stream/
                            && !/^(?:response|upstream)_ms$/ } keys %$line),
           '', "$name, nothing is measured");
        return;
    }

    is($line->{stream} ? 1 : 0, $stream ? 1 : 0, "$name, stream");
    return if $fault{$scenario};

    if ($scenario =~ /^(?:error|cut|failed)$/) {
        ok($line->{stream_error}, "$name, failed after its 200");
        return;
    }

    my $whole = JSON::PP->new->utf8->decode(Edge::Api::recorded(
        "$dialect{$api}-$scenario.json"));
    my %tokens = logged_tokens($api, $whole->{usage});

    # nobody asked for it
    %tokens = () if $target eq 'passive' && $api eq 'chat'
        && $how =~ /^(?:iterate|helper with tools)$/;

    my %got = map { s/^gen_ai\.usage\.//r => $line->{$_} }
        grep { /^gen_ai\.usage\./ } keys %$line;
    is_deeply(\%got, \%tokens, "$name, tokens");

    is($line->{'gen_ai.response.model'}, $whole->{model}, "$name, model");
    is_deeply($line->{'gen_ai.response.finish_reasons'},
              [ $ends{$api}{$scenario} ], "$name, how it ended");
    is($line->{tool_calls}, $scenario eq 'tools' ? 2 : 0, "$name, tools");
    is($line->{cost}, cost($whole->{model}, %tokens), "$name, cost");
    is($line->{currency}, defined $line->{cost} ? 'USD' : undef,
       "$name, currency");

    is(join(' ', grep { $line->{$_} } qw(refusal truncated empty aborted
                                         stream_error)),
       { refusal => 'refusal', length => 'truncated' }->{$scenario} // '',
       "$name, what is true of it");

    timed($name, $api, $scenario, $line, $call =~ /X-Pace$/ ? 10 : 1, $stream)
        if $call !~ /X-Chunk/;
}


# All with the tokens read from a cache and written to one.

sub logged_tokens {
    my ($api, $u) = @_;

    return ('input_tokens' => $u->{prompt_tokens},
            'output_tokens' => $u->{completion_tokens},
            'cache_read.input_tokens' =>
                $u->{prompt_tokens_details}{cached_tokens},
            'reasoning.output_tokens' =>
                $u->{completion_tokens_details}{reasoning_tokens})
        if $api eq 'chat';

    return ('input_tokens' => $u->{input_tokens},
            'output_tokens' => $u->{output_tokens},
            'cache_read.input_tokens' =>
                $u->{input_tokens_details}{cached_tokens},
            'reasoning.output_tokens' =>
                $u->{output_tokens_details}{reasoning_tokens})
        if $api eq 'responses';

    my ($read, $write) = @$u{qw(cache_read_input_tokens
                                cache_creation_input_tokens)};

    return ('input_tokens' => $u->{input_tokens} + $read + $write,
            'output_tokens' => $u->{output_tokens},
            'cache_read.input_tokens' => $read,
            'cache_creation.input_tokens' => $write);
}


# By the price whose name the model begins with; the reasoning model has none.
# In units of 10^-9, which are whole numbers here.

sub cost {
    my ($model, %t) = @_;
    my ($p) = map { $price{$_} } grep { $model =~ /^\Q$_\E/ } keys %price;

    return undef if !$p || !defined $t{output_tokens};

    my $read = $t{'cache_read.input_tokens'} // 0;
    my $write = $t{'cache_creation.input_tokens'} // 0;
    my @n = ($t{input_tokens} - $read - $write, $t{output_tokens}, $read,
             $write);
    my $nano = 0;

    $nano += $n[$_] * sprintf('%d', $p->[$_] * 1000) for 0 .. 3;
    return $nano / 1e9;
}


# The upstream sends event after event, each at its own time; the first with
# content is never the first of all.

sub timed {
    my ($name, $api, $scenario, $line, $pace, $stream) = @_;
    my ($first, $ttft, $all) = @$line{qw(first_byte_ms ttft_ms response_ms)};

    if (!$stream) {
        is(join(' ', grep { exists $line->{$_} } qw(ttft_ms tpot_ms
                                                    itl_max_ms)),
           '', "$name, no times of a stream");
        return;
    }

    # Its place in the file, from 1.
    my @events = split /\n\n/, Edge::Api::recorded(
        "$dialect{$api}-$scenario.sse");
    my $content = qr/"(?:content|refusal)":"[^"]|"tool_calls"
                    |"type":"response\.[a-z_]+\.delta"
                    |"(?:text|partial_json|thinking)":"[^"]/x;
    my ($at) = grep { $events[ $_ - 1 ] =~ $content
                      && $events[ $_ - 1 ] !~ /"type":"response\.created/ }
        1 .. @events;

    cmp_ok($ttft, '>=', $at * $pace, "$name, no content before event $at");
    cmp_ok($ttft, '<=', $all, "$name, content before the end");
    cmp_ok($first, '<=', $ttft, "$name, the first byte before it");
}


# What docs/clients.md says of the clients, as the sources that are installed
# say it: openai's and Anthropic's client.js.  Who updates them reads the
# failure, then the page.

sub facts {
    my $openai = source('openai/client.js');
    my $anthropic = source('@anthropic-ai/sdk/client.js');
    my $page = $e->read_file("$Edge::top/docs/clients.md");

    for my $name ('openai', '@anthropic-ai/sdk') {
        my $version = Edge::Npm->version($name);
        like($page, qr/`\Q$name\E` \Q$version\E/, "docs - of $name $version");
    }

    for my $pair ([ 'openai', $openai ], [ 'anthropic', $anthropic ]) {
        my ($name, $js) = @$pair;

        like($js, qr/DEFAULT_TIMEOUT = 600000;/, "$name - ten minutes");
        like($js, qr/'X-Stainless-Retry-Count': String\(retryCount\)/,
             "$name - says which try it is");
        like($js, qr/headers\.get\('x-should-retry'\)/,
             "$name - the answer may say whether to try again");
        like($js, qr/status === $_\b/, "$name - $_ is tried again")
            for 408, 409, 429;
        like($js, qr/status >= 500/, "$name - 5xx is tried again");
        like($js, qr/initialRetryDelay = 0\.5;\s+const maxRetryDelay = 8\.0;/,
             "$name - waits half a second to eight");
    }

    like($openai, qr/readEnv\)?\('OPENAI_BASE_URL'\)/, 'openai - base URL');
    like($anthropic, qr/readEnv\)?\('ANTHROPIC_BASE_URL'\)/,
         'anthropic - base URL');
    like($openai, qr/normalizeRetries\(value\) \{\s+return typeof.* : 2;/,
         'openai - two more tries');
    like($anthropic, qr/maxRetries \?\? 2/, 'anthropic - two more tries');
    like($anthropic, qr/expectedTime = \(maxTime \* maxTokens\) \/ 128000/,
         'anthropic - long answers have to be streams');
}


sub source {
    my ($name) = @_;

    return $e->read_file(Edge::Npm->dir . "/node_modules/$name");
}
