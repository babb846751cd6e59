#!/usr/bin/perl
# The real clients of OpenAI and Anthropic: each call gives the same results,
# object by object and event by event, through the module as directly, in both
# arms, and what is known of the recorded answers.

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
    { name => 'buffered', unit => $unit{control}, url => "$edge/buffered" },
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

my %digest = (chat => \&digest_chat, responses => \&digest_responses,
              messages => \&digest_messages);

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

    my $got = $digest{$api}->($r);
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
    my %name = (chat => 'openai_chat', responses => 'openai_responses',
                messages => 'anthropic');
    my $text = Edge::Api::recorded("$name{$api}-$scenario.sse");

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


sub tool {
    my ($name, $arguments) = @_;

    return ($name, JSON::PP->new->decode($arguments));
}


sub digest_chat {
    my ($r) = @_;
    my $whole = $r->{data} // $r->{final};
    my $usage = $whole ? $whole->{usage} : $r->{events}[-1]{usage};
    my %d = (text => '', refusal => '', tools => [], ends => undef,
             tokens => [ @{ $usage // {} }{qw(prompt_tokens
                                              completion_tokens)} ]);

    if ($whole) {
        my $choice = $whole->{choices}[0];
        my $m = $choice->{message};

        $d{text} = $m->{content} // '';
        $d{refusal} = $m->{refusal} // '';
        $d{tools} = [ map { tool(@{ $_->{function} }{qw(name arguments)}) }
                      @{ $m->{tool_calls} || [] } ];
        $d{ends} = $choice->{finish_reason};
        return \%d;
    }

    for my $choice (map { @{ $_->{choices} } } @{ $r->{events} }) {
        $d{text} .= $choice->{delta}{content} // '';
        $d{refusal} .= $choice->{delta}{refusal} // '';
        $d{ends} //= $choice->{finish_reason};
    }

    return \%d;
}


sub digest_responses {
    my ($r) = @_;
    my $whole = $r->{data} // $r->{final} // $r->{events}[-1]{response};
    my %d = (text => '', refusal => '', tools => [],
             tokens => [ @{ $whole->{usage} }{qw(input_tokens
                                                 output_tokens)} ],
             ends => $whole->{incomplete_details}
                     ? $whole->{incomplete_details}{reason}
                     : $whole->{status});

    for my $item (@{ $whole->{output} }) {
        push @{ $d{tools} }, tool(@$item{qw(name arguments)})
            if $item->{type} eq 'function_call';

        next unless $item->{type} eq 'message';

        for my $part (@{ $item->{content} }) {
            $d{text} .= $part->{text} // '';
            $d{refusal} .= $part->{refusal} // '';
        }
    }

    return \%d;
}


sub digest_messages {
    my ($r) = @_;
    my $whole = $r->{data} // $r->{final} // gathered($r->{events});
    my @content = @{ $whole->{content} };

    return {
        text => join('', map { $_->{text} // '' } @content), refusal => '',
        tools => [ map { @$_{qw(name input)} }
                   grep { $_->{type} eq 'tool_use' } @content ],
        ends => $whole->{stop_reason},
        tokens => [ @{ $whole->{usage} }{qw(input_tokens output_tokens)} ],
    };
}


# A message of Anthropic's events.

sub gathered {
    my ($events) = @_;
    my %m;

    for my $ev (@$events) {
        my $delta = $ev->{delta};
        my $block = defined $ev->{index} ? $m{content}[ $ev->{index} ] //= {}
                                         : {};

        if ($ev->{type} eq 'message_start') {
            %m = %{ $ev->{message} };
            $m{content} = [];

        } elsif ($ev->{type} eq 'content_block_start') {
            %$block = (%{ $ev->{content_block} }, json => '');

        } elsif ($ev->{type} eq 'content_block_delta') {
            $block->{text} .= $delta->{text} // ''
                if $delta->{type} eq 'text_delta';
            $block->{json} .= $delta->{partial_json} // '';

        } elsif ($ev->{type} eq 'message_delta') {
            $m{stop_reason} = $delta->{stop_reason};
            $m{usage} = $ev->{usage};
        }
    }

    for my $block (grep { $_->{type} eq 'tool_use' } @{ $m{content} }) {
        $block->{input} = JSON::PP->new->decode($block->{json});
    }

    return \%m;
}


# What the upstream received: the same but for the arm's header.

sub requests {
    my @requests = $e->received;
    my %by;

    push @{ $by{ arrived($_) } }, $_ for @requests;

    my $n = @{ $by{direct} || [] };
    cmp_ok($n, '>', @calls, 'upstream - as many as calls, and second tries');

    for my $target (map { $_->{name} } @targets[ 1 .. $#targets ]) {
        my @got = @{ $by{$target} || [] };

        is(scalar @got, $n, "upstream - $target, as many requests");
        is(scalar(grep { $got[$_]{body} ne $by{direct}[$_]{body} }
                  0 .. $#got), 0, "upstream - $target, the same bodies");
        is(scalar(grep { ($_->header('X-Arm') // '-')
                         ne ($target eq 'treatment' ? 't' : '-') } @got), 0,
           "upstream - $target, the header of its arm");
    }
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
    my %dialect;

    is(scalar($e->log_lines), $n, 'log - a line a request, and a try');

    for my $line (@lines) {
        my $x = $line->{experiments}[0];

        $dialect{ $line->{dialect} }++;
        $x->{exposed} && $x->{reason} eq 'assigned'
            or fail("log - assigned: " . $json->encode($line));
    }

    is(join(' ', sort keys %dialect),
       'anthropic openai_chat openai_responses', 'log - each dialect');

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
