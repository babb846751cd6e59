#!/usr/bin/perl
# experiment_status: what it tells is what the log has, whatever happens to
# workers and the zone; and who may ask.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use IO::Uncompress::Gunzip ();
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

use Edge;
use Edge::H2;
use Edge::Load;
use Edge::Status;

my $json = JSON::PP->new->canonical->utf8;

my $usage = '"usage":{"prompt_tokens":20,"completion_tokens":5,'
    . '"prompt_tokens_details":{"cached_tokens":8},'
    . '"completion_tokens_details":{"reasoning_tokens":2}}';
my $delta = sub { "data: {\"choices\":[{\"delta\":{\"content\":\"$_[0]\"}}]}\n\n" };
my @stream = ($delta->(''), map({ $delta->($_) } 'a' .. 'd'),
              "data: {\"model\":\"gpt-4o\",\"choices\":[],$usage}\n\n",
              "data: [DONE]\n\n");
my %reply = (
    ok => { body => "{\"model\":\"gpt-4o-mini\",$usage,\"choices\":[]}" },
    silent => { body => '{"model":"gpt-4o-mini","choices":[]}' },
    unpriced => { body => "{\"model\":\"other\",$usage,\"choices\":[]}" },
    euro => { body => "{\"model\":\"mistral\",$usage,\"choices\":[]}" },
    plain => { type => 'text/plain', body => 'x' },
    garbage => { body => 'x' },
    encoded => { headers => [ 'Content-Encoding', 'gzip' ], body => 'x' },
    500 => { status => 500, body => '{}' },
    429 => { status => 429, body => '{}' },
    stream => { type => 'text/event-stream',
                pieces => [ map { [ 0.003, $_ ] } @stream ] },
    broken => { type => 'text/event-stream', broken => 1,
                pieces => [ map { [ 0.001, $_ ] } @stream[ 0 .. 2 ] ] },
    slow => { type => 'text/event-stream', pieces =>
              [ [ 0, $stream[0] . $stream[1] ], [ 600, $stream[2] ] ] },
    late => { delay => 0.05, body => '{"choices":[]}' },
);

my $e = Edge->new(workers => 2);
$e->upstream(reply => sub {
    my ($req) = @_;
    return $reply{ $req->header('X-Reply') // 'late' };
});
$e->init;

sub variant { return { name => $_[0], $_[1] ? (overrides => {
    default => { temperature => $_[1] } }) : () } }

$e->apply(
    { name => 'tone', unit => 'header:X-Id', layer => { name => 'one' },
      stage => { name => 'ab', exposure => 0.5 },
      variants => [ variant('a'), variant('b', 0.3) ] },
    { name => 'silence', unit => 'header:X-Other', layer => { name => 'two' },
      steps => [ 'elsewhere' ], stage => { name => 'canary', exposure => 1 },
      variants => [ variant('a'), { name => 'b', overrides => {
          elsewhere => { temperature => 0.3 } } } ] },
    { name => 'asleep', unit => 'header:X-Id',
      variants => [ variant('a'), variant('b', 0.4) ] });
$e->must('price', 'set', 'gpt-4o', '--input', '2.5', '--output', '10',
         '--cached', '1.25', '--currency', 'USD');
$e->must('price', 'set', 'mistral', '--input', '1', '--output', '3',
         '--currency', 'EUR');

my $conf = <<'EOC';
%%MAIN%%
http {
    %%HTTP%%
    %%ZONE%%
    %%REALIP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 8; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name edge.test *.wild.test .dot.test tail.* ~^re;
        experiment on;
        location / { proxy_pass http://up; }
        location /reject/ {
            experiment_body_error reject;
            experiment_dialect openai_chat;
            proxy_pass http://up;
        }
        location = /status { experiment_status; }
        location = /metrics { experiment_status prometheus; }
        location = /slow { experiment_status; limit_rate 40k; }
        location = /tiny { experiment_status; output_buffers 1 1k;
                           postpone_output 100000; sendfile_max_chunk 1k; }
        location = /zipped { experiment_status; gzip on; gzip_types *; }
        location = /open { experiment_status json open; }
        location = /page { experiment off; ssi on; ssi_types *; root %%DIR%%/html; }
    }
    server {
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name edge.test;
        location = /status { experiment_status; }
    }
    %%SERVER%%
}
EOC

$e->{vars}{$_} = '' for qw(ZONE REALIP SERVER);
$e->file('html/page', 'before <!--# include virtual="/open" --> after');
$e->run($conf);

sub status { return $json->decode($e->get('/status', @_)->{body}) }

# A line is written, and counted, when its request ends, perhaps after its
# answer was read: until the counters say as many as the log.

sub settled {
    my ($want) = @_;
    my $status;

    $e->wait_for(sub {
        $status = status();
        my $sum = 0;
        $sum += $_->{requests} for values %{ Edge::Status::rows($status) };
        my @lines = $e->log_lines;
        return $sum == 2 * $want && @lines == $want;
    });

    return $status;
}


# Before anything happened.

my $status = status();
my %of = map { $_->{name} => $_ } @{ $status->{experiments} };

is(join(' ', sort keys %of), 'silence tone', 'live ones without rows are told');
is_deeply($of{silence}, {
    name => 'silence', stage => 'canary', exposure => 1, phase => 1,
    revision => 1, layer => 'two', baseline => 'a', error => JSON::PP::false,
    variants => [ 'a', 'b' ], feedback => 0, rows => [],
}, 'what is told of an experiment') or diag(explain($of{silence}));
like($status->{worker}, qr{^[^/]+/[0-9a-f]{8}$}, 'worker');
like($status->{$_}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/, $_)
    for qw(now started);
is($status->{registry}{transaction}, $e->published, 'transaction');
like($status->{registry}{head}, qr/^[0-9a-f]{16}$/, 'head');
cmp_ok($status->{registry}{age_s}, '<', 60, 'age');
is_deeply([ @{ $status->{zone} }{qw(rows rows_max blocks dropped)} ],
          [ 0, 2048, 0, 0 ], 'an empty zone of 16m');


# Every outcome, of many units, counted as it is logged.

my $sent = 0;
srand 7;

sub ask {
    my ($reply, $body, @more) = @_;

    $sent++;
    return $e->post('/v1/chat/completions', $body // '{"stream":true}',
                    'X-Reply', $reply, 'X-Id', 'u-' . int(rand 80), @more);
}

for my $n (1 .. 25) {
    ask($_) for qw(ok ok stream stream unpriced silent plain 500 429 broken
                   garbage encoded);
}
ask('ok', $_) for '{', "{\"a\":\"\xff\"}", '[]', '{"temperature":1,'
    . '"temperature":2}', '[' x 600;
ask('ok', '{"temperature":1}', 'Content-Encoding', 'gzip');
ask('late') for 1 .. 10;
ask('ok', undef, 'X-Inference-Step', 'default');
ask('euro');

# a stream of a dialect that tells nothing of itself

$e->post('/v1/json', '{}', 'X-Reply', 'stream', 'X-Id', "u-$_") for 1 .. 9;
$sent += 9;

for my $path ('/reject/chat/completions') {
    for my $n (1 .. 6) {
        $e->post($path, '{', 'X-Id', "u-$n", 'X-Reply', 'ok');
        $sent++;
    }
}

for my $n (1 .. 3) {
    my $c = $e->client;
    $c->send($c->request('POST', '/v1/chat/completions', '{"stream":true}',
                         'X-Reply', 'slow', 'X-Id', "u-$n"));
    $c->until(sub { $_[0] =~ /"a"/ });
    $c->close;
    $sent++;
}

$status = settled($sent);
same_as_log($status, 'all outcomes');
unlike($json->encode($status), qr/\bu-\d|[0-9a-f]{32}|temperature/,
       'neither units nor hashes nor what variants say');

# What analysis takes for missing usage is what is counted as either.

{
    my $got = Edge::Status::rows($status);
    my $log = $e->file('one-currency.log', join '', grep { !/"EUR"/ }
        split /^/, $e->read_file($e->dir . '/log/experiment.log'));
    my $usage = $json->decode($e->must('analyze', 'tone', $log, '-o', 'json'))
        ->{quality}{missing_usage};
    my @told = map { my $v = $_; my $n = 0;
        $n += $_->{no_usage} + $_->{unmetered}
            for map { $got->{$_} } grep { /^tone 1 $v / } keys %$got;
        $n } 'a', 'b';

    is_deeply(\@told, $usage->{observed}, 'no usage - as analyze has it');
    is_deeply([ sort keys %{ $usage->{causes} } ],
              [ qw(absent encoded malformed type) ], 'no usage - of any cause');
}

my ($b) = grep { /^tone 1 b / } keys %{ Edge::Status::rows($status) };
my $row = Edge::Status::rows($status)->{$b};
is($row->{errors}{$_} > 0, 1, "b has $_") for @Edge::Status::errors;


sub same_as_log {
    my ($status, $what) = @_;
    my $want = Edge::Status::of_log($e->log_lines);
    my $got = Edge::Status::rows($status);

    # of a step that the document has not, there is none in the zone
    for my $k (keys %$want) {
        next if $k !~ /^silence/;
        my $to = $k =~ s/ default$/ other/r;
        $want->{$to} = delete $want->{$k} if $to ne $k;
    }

    is(join("\n", sort keys %$got), join("\n", sort keys %$want),
       "$what - the rows");

    for my $k (sort keys %$want) {
        my ($g, $w) = ($got->{$k} // {}, $want->{$k});

        for my $m (qw(requests errors bypassed tokens), @Edge::Status::plain) {
            is_deeply($g->{$m}, $w->{$m}, "$what, $k - $m")
                or diag($json->encode($g));
        }

        is(sprintf('%.0f', ($g->{cost} // 0) * 1e9), $w->{nano},
           "$what, $k - cost");

        my $units = keys %{ $w->{units} };
        cmp_ok(abs($g->{units} - $units), '<=', 0.08 * $units + 1,
               "$what, $k - $units units");

        same_times($g->{$_}, $w->{$_}, "$what, $k - $_")
            for @Edge::Status::times;
    }
}


sub same_times {
    my ($got, $want, $what) = @_;

    if (!@$want) {
        is($got, undef, "$what - absent");
        return;
    }

    my ($sum, $count) = (0, 0);
    $sum += $_ for @$want;
    $count += $_ for values %{ $got->{bins} };

    is($got->{count}, @$want, "$what - count");
    is($count, @$want, "$what - bins");
    cmp_ok(abs($got->{sum} - $sum), '<=', 1e-6 * $sum + 0.01 * @$want,
           "$what - sum");

    for my $p (50, 95, 99) {
        my $q = Edge::Status::quantile($p / 100, @$want);
        cmp_ok(abs($got->{"p$p"} - $q), '<=', 0.011 * $q + 0.01,
               "$what - p$p") or diag("got $got->{\"p$p\"}, want $q");
    }
}


# The same as Prometheus wants it.

my $r = $e->get('/metrics');
is($r->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8',
   'prometheus - its type');
my ($sample) = Edge::Status::samples($r->{body});
my $rows = Edge::Status::rows(status());

for my $k (sort keys %$rows) {
    my ($name, $phase, $variant, $step) = split / /, $k;
    my $labels = qq(experiment="$name",phase="$phase",variant="$variant",)
        . qq(step="$step");
    my $row = $rows->{$k};
    my $of = sub { $sample->{"nginx_experiment_$_[0]\{$labels" . ($_[1] // '')
                             . '}'} };

    is($of->("${_}_total"), $row->{$_}, "prometheus, $k - $_")
        for 'requests', @Edge::Status::plain;
    is($of->('units'), $row->{units}, "prometheus, $k - units");
    is($of->('errors_total', qq(,class="$_")), $row->{errors}{$_},
       "prometheus, $k - $_") for @Edge::Status::errors;
    is($of->('bypassed_total', qq(,cause="$_")), $row->{bypassed}{$_},
       "prometheus, $k - $_") for @Edge::Status::causes;
    is($of->('tokens_total', qq(,type="$_")), $row->{tokens}{$_},
       "prometheus, $k - $_") for keys %Edge::Status::tokens;
    cmp_ok($of->('cost_total', qq(,currency="$row->{currency}")), '==',
           $row->{cost}, "prometheus, $k - cost") if defined $row->{cost};

    for my $t (qw(response ttft tpot)) {
        my $h = $row->{"${t}_ms"};
        my $count = $of->("${t}_seconds_count");

        is($count, $h && $h->{count}, "prometheus, $k - $t count");
        next unless $h;

        is($of->("${t}_seconds_bucket", ',le="+Inf"'), $count,
           "prometheus, $k - $t, +Inf");
        cmp_ok(abs($of->("${t}_seconds_sum") - $h->{sum} / 1000), '<', 1e-9,
               "prometheus, $k - $t sum");

        # of the values themselves, but for those within 1 % of the edge
        my $values = Edge::Status::of_log($e->log_lines)->{
            $k =~ s/ other$/ default/r }{"${t}_ms"};
        my ($least, $n) = $t eq 'tpot' ? (0.001, 13) : (0.01, 14);
        my @wrong = grep {
            my $edge = $least * 2 ** $_;
            my $got = $of->("${t}_seconds_bucket", qq(,le="$edge")) // -1;
            $got < grep({ $_ / 1000 <= 0.99 * $edge } @$values)
                || $got > grep({ $_ / 1000 <= 1.01 * $edge } @$values);
        } 0 .. $n - 1;
        is("@wrong", '', "prometheus, $k - $t buckets");
    }
}

is($sample->{nginx_experiment_registry_transaction}, $e->published,
   'prometheus - transaction');
cmp_ok($sample->{nginx_experiment_registry_age_seconds}, '<', 60,
       'prometheus - age');


# Who may ask.

for my $host (qw(localhost LOCALHOST localhost:8080 127.0.0.1 127.9.9.9:80
                 [::1] [::1]:8080 edge.test EDGE.test a.wild.test
                 a.b.wild.test dot.test a.dot.test))
{
    is($e->get('/status', Host => $host)->{status}, 200, "$host - may");
}

for my $host (qw(evil.test wild.test xwild.test xdot.test tail.test re.test
                 127.0.0.1.evil.test 10.0.0.1 [::2] localhost.evil.test
                 edge.test.evil.test))
{
    is($e->get('/status', Host => $host)->{status}, 403, "$host - may not");
    is($e->get('/open', Host => $host)->{status}, 200, "$host - where open");
}

my $c = $e->client;
$c->send("GET /status HTTP/1.0\r\n\r\n");
is($c->response->{status}, 403, 'no Host - may not');
like($e->error_log, qr/asked for as "evil\.test", which is neither loopback nor in "server_name"/,
     'the log says why');

$r = $e->ask('HEAD', '/status');
is($r->{status}, 200, 'HEAD');
cmp_ok($r->header('Content-Length'), '>', 1000, 'HEAD - a length');
is($r->header('Cache-Control'), 'no-store', 'nobody keeps it');
for my $method (qw(POST PUT DELETE OPTIONS)) {
    $r = $e->ask($method, '/status', $method =~ /^P/ ? '{}' : undef);
    is($r->{status}, 405, "$method - refused");
    is($r->header('Allow'), 'GET, HEAD', "$method - what is allowed");
}

unlike($e->get('/page')->{body}, qr/transaction/, 'no page includes it');
like($e->get('/page')->{body}, qr/^before /, 'no page includes it - it is there');
is_deeply(status()->{zone}, $status->{zone}, 'asking is not counted');


# An address of this machine that is not loopback, if it has one: what the
# client says of itself changes nothing.

my $probe = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '192.0.2.1',
                                  PeerPort => 9);
my $address = $probe ? $probe->sockhost : '127.0.0.1';

SKIP: {
    skip 'this machine has loopback alone', 5 if $address =~ /^127\./;

    my $port = $e->port('PORT_OUTSIDE');
    $e->{vars}{REALIP} = "set_real_ip_from $address; "
        . 'set_real_ip_from 127.0.0.1; real_ip_header X-Real;';
    $e->{vars}{SERVER} = "server { listen $address:$port; "
        . 'location = /status { experiment_status; } '
        . 'location = /open { experiment_status open; } }';
    ok($e->reload($conf), 'reload');

    is(ask_from('/status'), 403, 'from outside');
    is(ask_from('/status', '127.0.0.1'), 403,
       'from outside, said to be loopback');
    is(ask_from('/open'), 200, 'from outside, open');
    is($e->get('/status', 'X-Real', '192.0.2.7')->{status}, 403,
       'through a proxy on this machine, for another');
}

sub ask_from {
    my ($uri, $real) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => $address,
                                  PeerPort => $e->port('PORT_OUTSIDE'))
        or die "cannot connect to $address: $!\n";
    my $c = Edge::Client->over($s);
    $c->send(Edge::Client->request('GET', $uri, undef, 'Host', 'localhost',
        'Connection', 'close', $real ? ('X-Real', $real) : ()));
    return $c->response->{status};
}


# Over reloads.

$e->{vars}{REALIP} = $e->{vars}{SERVER} = '';
my $before = settled($sent);
ok($e->reload($conf), 'reload - of the same size');
$status = status();
is_deeply(Edge::Status::rows($status), Edge::Status::rows($before),
          'reload - of the same size: all is there');
is($status->{started}, $before->{started}, 'reload - it began when it did');

$e->stage('tone', 'off');
$status = status();
%of = map { $_->{name} => $_ } @{ $status->{experiments} };
is($of{tone}{stage}, 'off', 'off - still told of while it has rows');
is(scalar @{ $of{tone}{rows} }, grep({ /^tone / }
   keys %{ Edge::Status::rows($before) }), 'off - all its rows');
$e->stage('tone', 'ab', '--exposure', '1');
$e->change('pause', 'silence');
$status = status();
%of = map { $_->{name} => $_ } @{ $status->{experiments} };
is($of{silence}{stage}, 'paused', 'paused');
ok(!exists $of{silence}{exposure}, 'paused - no exposure');
is($of{tone}{phase}, 2, 'a new phase');
is($of{tone}{rows}[0]{phase}, 1, 'a new phase - the rows of the old one');

ask('ok') for 1 .. 40;
same_as_log(settled($sent), 'two phases');

$e->{vars}{ZONE} = 'experiment_zone 2m;';
ok($e->reload($conf), 'reload - of another size');
$status = status();
is($status->{zone}{rows}, 0, 'reload - of another size: it begins anew');


# Both workers at once, one experiment: nothing is lost.

sub load {
    my (%o) = @_;
    my $n = 0;

    return Edge::Load->start($e, clients => 4, %o, requests => sub {
        $n++;
        return Edge::Client->request('POST', '/v1/chat/completions',
            '{"stream":true}', 'X-Reply', 'ok', 'X-Id', "u-$$-$n",
            $o{close} ? ('Connection', 'close') : ());
    });
}

sub requests {
    my ($status, $name) = @_;
    my $sum = 0;

    for my $x (grep { $_->{name} eq $name } @{ $status->{experiments} }) {
        $sum += $_->{requests} for @{ $x->{rows} };
    }
    return $sum;
}

my $load = load();
$e->wait_for(sub { requests(status(), 'tone') > 1500 });
my $got = $load->stop;
is($got->{failed} + $got->{wrong}, 0, 'two workers - every request served')
    or diag($got->{why});
$e->wait_for(sub { requests(status(), 'tone') >= $got->{sent} });
$status = status();
is(requests($status, 'tone'), $got->{sent}, 'two workers - exact');
my ($tokens, $units, $times, $nano) = (0, 0, 0, 0);
for my $x (grep { $_->{name} eq 'tone' } @{ $status->{experiments} }) {
    for my $row (@{ $x->{rows} }) {
        $times += $row->{response_ms}{count};
        $units += $row->{units};
        $tokens += $row->{tokens}{input};
        $nano += sprintf '%.0f', 1e9 * $row->{cost};
    }
}
is($times, $got->{sent}, 'two workers - a time each');
is($tokens, 20 * $got->{sent}, 'two workers - tokens');
is($nano, 90_000 * $got->{sent}, 'two workers - cost');
cmp_ok(abs($units - $got->{sent}), '<=', 0.07 * $got->{sent},
       'two workers - a unit each') or diag("$units of $got->{sent}");


# A worker is killed in the middle of it, again and again.

$before = $status;
$load = load(close => 1);
my ($last, $down, $kills) = (requests($before, 'tone'), 0, 0);

for (1 .. 5) {
    my $to = $last + 150;
    $e->wait_for(sub {
        my $s = eval { status() } or return 0;
        my $now = requests($s, 'tone');
        $down++ if $now < $last;
        $last = $now;
        return $now >= $to;
    });

    my ($pid) = $e->workers;
    kill KILL => $pid;
    $kills++;
    $e->wait_for(sub { my @w = $e->workers;
                       @w == 2 && !grep { $_ == $pid } @w });
}

$got = $load->stop;
is($down, 0, 'kill -9 - counts never go down');
my $answered = $got->{sent} - $got->{failed} - $got->{wrong};
my $counted;
$e->wait_for(sub {
    $counted = requests(status(), 'tone') - requests($before, 'tone');
    return $counted >= $answered;
}, 2);
cmp_ok($counted, '<=', $got->{sent}, 'kill -9 - none twice');
cmp_ok($counted, '>=', $answered - 4 * $kills,
       'kill -9 - none lost but those at hand')
    or diag("counted $counted, answered $answered of $got->{sent}");
is($e->get('/metrics')->{status}, 200, 'kill -9 - it is told all the same');


# Nobody publishes: it is told, and counted once a worker.

my $errors = status()->{snapshot_errors};
is($errors, 0, 'no errors so far');
rename $e->registry . '/serving/generation', $e->registry . '/serving/gone';
$e->wait_for(sub { status()->{snapshot_errors} == 2 });
is(status()->{snapshot_errors}, 2, 'the copy is gone - an error a worker');
is(status()->{registry}{loaded}, JSON::PP::true,
   'the copy is gone - the last good one serves');
$e->must('init', '--group', $e->{group}, '--log', $e->dir . '/log/*.log*');
$e->sync;


# More experiments than a small zone has room for, and than are listed.

$e->{vars}{ZONE} = 'experiment_zone 256k;';
my @many = map {
    my $name = sprintf 'm%03d', $_;
    $json->encode({
        name => $name, unit => 'header:X-Id', steps => [ $name ],
        layer => { name => "l$name" }, stage => { name => 'ab', exposure => 1 },
        variants => [ variant('a'), { name => 'b', overrides => {
            $name => { temperature => 0.5 } } } ] }) . "\n";
} 1 .. 520;
$e->file(sprintf('many/%03d.json', $_), $many[$_]) for 0 .. $#many;
$e->must('apply', '-f', $e->dir . '/many');
ok($e->reload($conf), 'reload - a small zone');
$e->sync;

$status = status();
my $listed = @{ $status->{experiments} };
is($listed, 500, 'many - 500 are listed');
is($status->{more}, 22, 'many - how many are not');
is($status->{experiments}[0]{name}, 'm001', 'many - by name');

# It comes in pieces, which a client takes as it likes.

my $whole = $json->encode($status);
my $same = sub {
    my $got = eval { $json->decode($_[0]) } // {};
    $got->{$_} = $status->{$_} for qw(now worker);
    $got->{registry}{age_s} = $status->{registry}{age_s};
    return $json->encode($got) eq $whole;
};

cmp_ok(length $whole, '>', 65_000, 'pieces - more than one');

$c = $e->client;
for my $n (1 .. 3) {
    $c->send(Edge::Client->request('GET', '/status'));
    $r = $c->response;
    ok($same->($r->{body}), "pieces - answer $n of a connection");
    is($r->header('Content-Length'), undef, 'pieces - no length is known');
    is($c->{in}, '', 'pieces - nothing behind it');
}

$c = $e->client;
$c->send("GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n");
ok($same->($c->response->{body}), 'pieces - HTTP/1.0');

for my $where (qw(slow tiny)) {
    $c = $e->client;
    setsockopt $c->{s}, SOL_SOCKET, SO_RCVBUF, 4096;
    $c->send(Edge::Client->request('GET', "/$where", undef,
                                   'Connection', 'close'));
    $e->wait_for(sub { $c->fill; length $c->{in} > 10_000 });
    ok($same->($c->response->{body}), "pieces - /$where");
}

$r = $e->get('/zipped', 'Accept-Encoding', 'gzip');
is($r->header('Content-Encoding'), 'gzip', 'pieces - gzip');
my $unzipped;
IO::Uncompress::Gunzip::gunzip(\$r->{body} => \$unzipped);
ok($same->($unzipped), 'pieces - gzip, the same');

my $h2 = Edge::H2->new($e->port('PORT_H2'));
my $id = $h2->open('GET', '/status', 'end');
$r = $h2->answer($id);
ok($same->($r->{body}), 'pieces - HTTP/2');
$h2->close;

for my $n (1 .. 5) {
    $c = $e->client;
    $c->send(Edge::Client->request('GET', '/slow'));
    $c->until(sub { length $_[0] > 5000 });
    $c->close;
}
is($e->ask('HEAD', '/status')->{status}, 200, 'pieces - HEAD');
is($e->get('/status')->{status}, 200, 'pieces - clients that leave');


my $served = 0;
for my $n (1 .. 20) {
    my $r = ask('ok', undef, 'X-Inference-Step', sprintf 'm%03d', $n);
    $served++ if $r->{status} == 200;
}
is($served, 20, 'a full zone - every request is served');
$e->wait_for(sub { status()->{zone}{dropped} >= 20 * 450 });
$status = status();
cmp_ok($status->{zone}{dropped}, '>=', 20 * 450, 'a full zone - says so');
cmp_ok($status->{zone}{rows}, '<=', $status->{zone}{rows_max},
       'a full zone - rows');
is($status->{zone}{blocks}, $status->{zone}{blocks_max},
   'a full zone - all blocks are used');
my $counts = 0;
$counts += @{ $_->{rows} } for @{ $status->{experiments} };
is($counts, $status->{zone}{rows}, 'a full zone - what has a row is told');
($sample) = Edge::Status::samples($e->get('/metrics')->{body});
is($sample->{nginx_experiment_zone_dropped_total}, $status->{zone}{dropped},
   'a full zone - for Prometheus, too');


# Refused configurations.

for my $row (
    [ 'experiment_status xml;', qr/invalid parameter "xml", expected/ ],
    [ 'experiment_status json json;', qr/invalid parameter "json"/ ],
    [ 'experiment_status json prometheus;',
      qr/invalid parameter "prometheus"/ ],
    [ 'experiment_status open open;', qr/invalid parameter "open"/ ],
    [ 'experiment_status json open more;', qr/invalid number of arguments/ ],
    [ 'experiment_status; experiment_status;',
      qr/has "experiment_status" already/ ],
    [ 'experiment_status; experiment_ofrep open;',
      qr/"experiment_ofrep" in a location that has "experiment_status"/ ],
    (map { [ $_, qr/where another directive answers, too/ ] }
     'experiment_status; proxy_pass http://127.0.0.1:1;',
     'proxy_pass http://127.0.0.1:1; experiment_status;'),
) {
    my ($line, $want) = @$row;
    my ($rc, $err) = $e->test_conf("%%MAIN%% http { %%HTTP%% server { "
        . "listen 127.0.0.1:%%PORT%%; location = /s { $line } } }");

    is($rc, 1, "$line - refused");
    like($err, $want, "$line - says why");
}

$e->{alerts} = qr/setpriv|exited on signal 9/;
$e->done;
