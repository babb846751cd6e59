#!/usr/bin/perl
# Each file of conf.examples starts as it stands, with its local files
# replaced, and carries a request.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;
use Edge::Api;

my $dir = "$FindBin::Bin/../conf.examples";
my @hosts = qw(api.openai.com api.mistral.ai api.anthropic.com);

my %run = (
    'openai.conf' => \&openai,
    'steps.conf' => \&steps,
    'providers.conf' => \&providers,
    'log.conf' => \&log_example,
    'clients.conf' => \&clients,
    'flags.conf' => \&flags,
    'feedback.conf' => \&feedback,
);

my %local = map { $_ => 1 } qw(local.conf local-http.conf local-log.conf
                               local-server.conf);
my @files = grep { !$local{$_} } map { m{([^/]+)\z} } glob "$dir/*.conf";
is(join(' ', sort @files), join(' ', sort keys %run),
   'each example is tried');

my $e = Edge->new;

$e->upstream(name => 'OPENAI');
$e->upstream(name => 'MISTRAL');
$e->upstream(name => 'ANTHROPIC', reply => \&Edge::Api::answer);
$e->init;
certificate();

# The providers of this test: TLS in front of the recording upstreams.
sub tls {
    my ($name) = @_;

    return qq{
        server {
            listen 127.0.0.1:%%PORT_TLS_$name%% ssl;
            ssl_certificate %%DIR%%/provider.crt;
            ssl_certificate_key %%DIR%%/provider.key;
            access_log off;
            proxy_buffering off;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Sni \$ssl_server_name;
            location / {
                proxy_pass http://127.0.0.1:%%PORT_$name%%;
                error_page 502 \@gone;
            }
            location \@gone { return 444; }
        }
    };
}

$e->file('flags.keys', "# of the shop\nthe-key-of-the-shop\n", 0600);
$e->file('feedback.keys', "the-key-of-the-desk\n", 0600);
$e->file('local.conf', $e->fill('%%MAIN%%'));
$e->file('local-server.conf', $e->fill('listen 127.0.0.1:%%PORT%%;'));
$e->file('local-log.conf', $e->fill(
    'access_log "%%DIR%%/log/experiment.log" experiment if=$experiment_on;'));
$e->file('local-http.conf', $e->fill('
    %%TEMP%%
    experiment_registry "%%REGISTRY%%";
    experiment_keys "%%KEYS%%";
    experiment_poll 20ms;
    upstream openai_pool { server 127.0.0.1:%%PORT_TLS_OPENAI%%; keepalive 4; }
    upstream mistral_pool { server 127.0.0.1:%%PORT_TLS_MISTRAL%%; }
    upstream anthropic_pool { server 127.0.0.1:%%PORT_TLS_ANTHROPIC%%; }
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate "%%DIR%%/provider.crt";
    map "" $openai_key { default "key-of-openai"; }
    map "" $mistral_key { default "key-of-mistral"; }
    server {
        listen 127.0.0.1:%%PORT_CONTROL%%;
        access_log off;
        location = /txn {
            experiment none.of.the.tests;
            return 200 "$pid $experiment_registry_txn";
        }
    }
    ' . tls('OPENAI') . tls('MISTRAL') . tls('ANTHROPIC')));

for my $json (glob "$dir/*.json") {
    my ($rc, $out, $err) = $e->expctl('apply', '-f', $json);
    is($rc, 0, "apply $json") or diag($err);
}

for my $name (sort keys %run) {
    subtest $name => sub {
        my $text = $e->read_file("$dir/$name");

        like($text, qr/\A(?:#.*\n|\n)*include local\.conf;\n/,
             'starts with the local file');
        $e->file($name, $text);
        $e->{conf_path} = $e->dir . "/$name";
        $e->start;
        $e->sync;
        $e->log_skip;
        $run{$name}->();
        $e->stop;
    };
}

# The files that were replaced are checked too, as far as that needs neither
# root's paths nor the network.
for my $name (sort keys %local) {
    like($e->read_file("$dir/$name"), qr/\S/, "$name is there");
}

$e->done;


sub certificate {
    my $names = join ',', map { "DNS:$_" } @hosts;
    my $d = $e->dir;

    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test"
           . " -addext subjectAltName=$names -keyout $d/provider.key"
           . " -out $d/provider.crt >/dev/null 2>&1") == 0
        or die "openssl req failed\n";
}


sub chat {
    my ($unit, @headers) = @_;

    return $e->post('/v1/chat/completions',
        '{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}',
        'X-Conversation-Id', $unit, @headers);
}


# The first of a few units that expctl says gets a variant.

sub unit_of {
    my ($experiment, $variant) = @_;

    for my $i (1 .. 200) {
        my $out = $e->must('assign', $experiment, "c-$i", '-o', 'json');
        return "c-$i" if $out =~ /"variant":"$variant"/;
    }

    die "no unit of $experiment/$variant\n";
}


sub openai {
    $e->stage('tone', 'ab', '--exposure', '1');
    my $unit = unit_of('tone', 'concise');

    is(chat($unit)->{status}, 200, 'a chat is answered');

    my $got = $e->received('OPENAI');
    is($got->json->{temperature}, 0.2, 'temperature as the variant says');
    is($got->json->{messages}[0]{role}, 'system', 'system prompt in front');
    is($got->header('X-Sni'), 'api.openai.com', 'TLS with the right name');
    is($got->header('Host'), 'api.openai.com', 'Host is the provider');

    my $line = $e->log_next;
    is($line->{experiments}[0]{variant}, 'concise', 'logged');

    my $r = $e->post('/v1/chat/completions',
        '{"stream":true,"messages":[]}', 'X-Conversation-Id', $unit);
    like($r->{body}, qr/data: \[DONE\]/, 'an event stream comes through');
    $e->received('OPENAI');
}


sub steps {
    $e->stage('triage-model', 'ab', '--exposure', '1');
    $e->stage('answer-style', 'ab', '--exposure', '1');

    my $small = unit_of('triage-model', 'small');
    my $r = chat($small, 'X-Task', 'classify');
    is($r->{status}, 200, 'classifier - answered');
    is($e->received('OPENAI')->json->{model}, 'gpt-4o-mini',
       'classifier - model of the variant');
    is($e->log_next->{step}, 'classifier', 'classifier - step logged');
    like($r->header('X-Variants'), qr{triage-model/small},
         'assignments for the application');

    my $short = unit_of('answer-style', 'short');
    is(chat($short)->{status}, 200, 'answer - answered');
    my $got = $e->received('OPENAI')->json;
    is($got->{max_tokens}, 300, 'answer - max_tokens of the variant');
    is($got->{model}, 'gpt-4o', 'answer - model untouched');
    is($e->log_next->{step}, 'answer', 'answer - step logged');
}


sub providers {
    $e->stage('provider', 'ab', '--exposure', '1');

    is(chat(unit_of('provider', 'control'))->{status}, 200,
       'control - answered');
    my $got = $e->received('OPENAI');
    is($got->header('Host'), 'api.openai.com', 'control - host');
    is($got->header('Authorization'), 'Bearer key-of-openai',
       'control - key');
    is($got->header('X-Sni'), 'api.openai.com', 'control - TLS name');
    is($got->json->{model}, 'gpt-4o', 'control - model');

    is(chat(unit_of('provider', 'mistral'))->{status}, 200,
       'treatment - answered');
    $got = $e->received('MISTRAL');
    is($got->header('Host'), 'api.mistral.ai', 'treatment - host');
    is($got->header('Authorization'), 'Bearer key-of-mistral',
       'treatment - key');
    is($got->header('X-Sni'), 'api.mistral.ai', 'treatment - TLS name');
    is($got->json->{model}, 'mistral-large-latest', 'treatment - model');

    my ($control, $treatment) = $e->log_next(2);
    is($treatment->{upstream}, 'mistral_pool', 'upstream logged');
}


sub flags {
    $e->stage('reply-temperature', 'ab', '--exposure', '1');

    my $warm = unit_of('reply-temperature', 'warm');
    my @ask = ('/flags/ofrep/v1/evaluate/flags/reply-temperature',
               qq({"context":{"targetingKey":"$warm"}}));

    is($e->post(@ask)->{status}, 401, 'flag - not for everybody');

    my $r = $e->post(@ask, 'Authorization', 'Bearer the-key-of-the-shop');
    is($r->{status}, 200, 'flag - answered');
    like($r->{body}, qr/"value":\{"temperature":0\.9\},"reason":"SPLIT"/,
         'flag - the value of the variant');
    is($e->log_next->{kind}, 'ofrep', 'flag - a line of its own kind');

    chat('c-1', 'X-User-Id', $warm, 'X-Inference-Step', 'reply');
    is($e->received('OPENAI')->json->{temperature}, 0.9,
       'a request is edited to the same');
}


sub feedback {
    $e->stage('reply-length', 'ab', '--exposure', '1');

    my $short = unit_of('reply-length', 'short');
    my $r = chat($short);
    my ($request) = $e->log_next;
    my $token = $r->header('X-Feedback-Token');

    like($token, qr/^v1\./, 'feedback - a token with the answer');

    my @page = ('/feedback/page', '{"metric":"rating","value":4}',
                'X-Experiment-Feedback-Token', $token);

    is($e->post(@page, 'Origin', 'https://app.example.com')->{status}, 202,
       'feedback - of the page');
    is($e->log_next->{unit}, $request->{experiments}[0]{unit},
       'feedback - is of the unit of the request');
    is($e->post(@page, 'Origin', 'https://elsewhere.example')->{status}, 403,
       'feedback - of no other page');

    my @app = ('/feedback/app', qq({"unit":"$short","metric":"resolved",)
               . '"value":true}');

    is($e->post(@app)->{status}, 401, 'feedback - not of everybody');
    is($e->post(@app, 'X-Experiment-Feedback-Key', 'the-key-of-the-desk')
       ->{status}, 202, 'feedback - of the application');
    is(($e->log_next(3))[2]{unit}, $request->{experiments}[0]{unit},
       'feedback - of the same unit');
}


sub log_example {
    my $r = chat('c-1');

    is($e->get('/healthz')->{status}, 204, 'a location without experiments');

    my $line = $e->log_next;
    is($line->{id}, $r->header('X-Request-Id'), 'the id joins both logs');
    is($line->{uri}, '/v1/chat/completions', 'uri');

    my $raw = $e->read_file('log/experiment.log');
    unlike($raw, qr/\\x22/, 'quotes are not escaped');
    unlike($raw, qr/healthz/, 'what is bound to nothing is not logged');

    # Rotation, as logrotate does it.
    my $old = $e->dir . '/log/experiment.log';
    rename $old, "$old.1" or die "rename: $!\n";
    kill USR1 => $e->{nginx};
    ok($e->wait_for(sub { -e $old }), 'rotation - the log is reopened');
    chat('c-1');
    $e->log_skip('none');
    ok($e->wait_for(sub { $e->log_lines == 1 }), 'rotation - and written');
}


sub clients {
    $e->stage('brevity', 'ab', '--exposure', '1');
    my $brief = unit_of('brevity', 'brief');
    my $max = '{"model":"claude-sonnet-4-6","max_tokens":99,"messages":[]}';

    my $c = $e->client;
    $c->send(Edge::Client->request('POST', '/v1/chat/completions',
        '{"messages":[]}', 'Content-Type', 'application/json',
        'X-Conversation-Id', $brief));
    my $r = $c->response;
    is($r->{status}, 200, 'openai - answered');
    is($r->header('Keep-Alive'), 'timeout=60', 'openai - kept, and says so');
    my $got = $e->received('OPENAI');
    is($got->header('X-Sni'), 'api.openai.com', 'openai - TLS name');
    is($got->json->{max_tokens}, 400, 'openai - max_tokens of the variant');

    $r = $e->post('/v1/messages', $max, 'X-Conversation-Id', $brief);
    is($r->{status}, 200, 'anthropic - answered');
    $got = $e->received('ANTHROPIC');
    is($got->header('X-Sni'), 'api.anthropic.com', 'anthropic - TLS name');
    is($got->header('Host'), 'api.anthropic.com', 'anthropic - host');
    is($got->json->{max_tokens}, 99, 'anthropic - the client says how many');
    like($got->json->{system}, qr/concise/, 'anthropic - system prompt');

    my ($openai, $anthropic) = $e->log_next(2);
    is($openai->{dialect}, 'openai_chat', 'openai - dialect logged');
    is($anthropic->{dialect}, 'anthropic', 'anthropic - dialect logged');
    is($anthropic->{experiments}[0]{applied}{max_tokens}, 'kept',
       'anthropic - and what was kept');

    $r = $e->post('/v1/messages', $max, 'X-Conversation-Id', $brief,
                  'X-Scenario', 'none');
    is($r->{status}, 503, 'no answer - tried again by an SDK');
    like($r->{body}, qr/"type":"api_error"/, 'no answer - in its own words');
    $e->received('ANTHROPIC');
    is($e->log_next->{experiments}[0]{variant}, 'brief',
       'no answer - in the log, with its arm');

    # its arms would meet those of "tone"
    $e->stage('brevity', 'off');
}
