#!/usr/bin/perl
# Prometheus: what it makes of experiment_status, and of docs/alerts.yml.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;
use Edge::Status;

my $bin = "$Edge::top/build/prometheus/usr/bin";
die "no '$bin/promtool': run make prometheus first\n"
    unless -x "$bin/promtool";

my $json = JSON::PP->new->utf8;
my $e = Edge->new(workers => 2);

# A program's exit code and all that it said.

sub run {
    my ($in, @command) = @_;
    my $file = $e->file('in', $in);

    my $pid = open(my $out, '-|') // die "cannot fork: $!\n";
    if ($pid == 0) {
        chdir $e->dir;
        open STDIN, '<', $file;
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    local $/;
    my $said = <$out> // '';
    close $out;
    return ($? >> 8, $said);
}


# The alerts, as they stand and on series that are made up.

for my $file ("docs/alerts.yml", "t/data/prometheus/alerts_test.yml") {
    $e->file($file =~ s{.*/}{}r, $e->read_file("$Edge::top/$file"));
}

my ($rc, $said) = run('', "$bin/promtool", 'check', 'rules', 'alerts.yml');
is($rc, 0, 'alerts - promtool check rules') or diag($said);
($rc, $said) = run('', "$bin/promtool", 'test', 'rules', 'alerts_test.yml');
is($rc, 0, 'alerts - each fires, and only then') or diag($said);

my %names = map { $_ => 1 }
    $e->read_file('alerts.yml') =~ /\b(nginx_experiment_\w+)/g;


# A real server, with answers of every kind.

my $usage = '"usage":{"prompt_tokens":20,"completion_tokens":5}';
my $event = sub { "data: {\"model\":\"gpt-4o\",$_[0]}\n\n" };
my %reply = (
    json => { body => "{\"model\":\"gpt-4o\",$usage,\"choices\":[]}" },
    bad => { status => 502, body => '{}' },
    stream => { type => 'text/event-stream', pieces => [
        map({ [ 0.002, $event->(
            "\"choices\":[{\"delta\":{\"content\":\"$_\"}}]") ] } qw(a b c)),
        [ 0.002, $event->("\"choices\":[],$usage") ],
        [ 0, "data: [DONE]\n\n" ] ] },
);

$e->upstream(reply => sub { $reply{ $_[0]->header('X-Reply') } });
$e->init;
$e->apply({ name => 'tone', unit => 'header:X-Id',
            stage => { name => 'ab', exposure => 0.8 },
            variants => [ { name => 'a' }, { name => 'b', overrides =>
                { default => { temperature => 0.5 } } } ] });
$e->must('price', 'set', 'gpt-4o', '--input', '2.5', '--output', '10',
         '--currency', 'USD');
$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name edge.test;
        experiment on;
        location / { proxy_pass http://up; }
        location = /metrics { experiment_status prometheus; }
    }
}
EOC

for my $when ('no row', 'rows') {
    my $r = $e->get('/metrics');
    my ($rc, $said) = run($r->{body}, "$bin/promtool", 'check', 'metrics');

    is($rc, 0, "$when - promtool check metrics");
    is($said, '', "$when - it has nothing to say");
    next if $when eq 'rows';

    for my $n (1 .. 120) {
        my $how = (qw(json stream json bad))[ $n % 4 ];
        $e->post('/chat/completions', '{"stream":true}', 'X-Id', "u-$n",
                 'X-Reply', $how);
    }
    $e->log_next(120);
    $e->wait_for(sub {
        my ($s) = Edge::Status::samples($e->get('/metrics')->{body});
        my $sum = 0;
        $sum += $s->{$_} for grep { /requests_total/ } keys %$s;
        return $sum == 120;
    });
}

my ($samples, $order) = Edge::Status::samples($e->get('/metrics')->{body});
my (%seen, $last);
for my $name (map { s/(?:_bucket|_sum|_count)?\{.*//r } @$order) {
    $seen{$name}++ if ($last // '') ne $name;
    $last = $name;
}
is(join(' ', grep { $seen{$_} > 1 } keys %seen), '',
   'a family stands together');

my @rows = grep { /^nginx_experiment_requests_total/ } @$order;
my @labelled = grep { /\{/ } @$order;
is(@rows, 3, 'three rows');
cmp_ok(@labelled, '<=', 73 * @rows, 'at most 73 series a row');
is(join(' ', grep { !exists $seen{$_} } keys %names), '',
   'alerts - of what there is');


# A real Prometheus scrapes it and is asked.

my $port = $e->port('PORT_PROM');
my $target = '127.0.0.1:' . $e->port;

$e->file('prometheus.yml', <<"EOC");
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [ alerts.yml ]
scrape_configs:
  - job_name: nginx
    static_configs: [ { targets: [ "$target" ] } ]
EOC

my $pid = fork() // die "cannot fork: $!\n";
if ($pid == 0) {
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', $e->dir . '/prometheus.out';
    open STDERR, '>&', \*STDOUT;
    $ENV{GOMAXPROCS} = 1;
    exec 'setpriv', '--pdeathsig', 'TERM', "$bin/prometheus",
        '--config.file', $e->dir . '/prometheus.yml',
        '--storage.tsdb.path', $e->dir . '/prometheus',
        '--web.listen-address', "127.0.0.1:$port"
        or POSIX::_exit(127);
}
push @{ $e->{procs} }, $pid;

# { "label=value ..." => value } of a query, undef if there is no answer.

sub query {
    my ($q) = @_;
    my $r = eval { $e->get("/api/v1/query?query=$q", port => $port) };
    my $got = eval { $json->decode($r->{body}) } or return undef;

    return { map {
        my $m = $_->{metric};
        join(' ', map { $m->{$_} // () } qw(variant class type currency))
            => $_->{value}[1];
    } @{ $got->{data}{result} } };
}

my $up = $e->wait_for(sub { (query('up') // {})->{''} }, 60);
is($up, 1, 'it scrapes') or diag($e->read_file('prometheus.out'));

my $want = Edge::Status::of_log($e->log_lines);
my %of = map { (split / /)[2] => $want->{$_} } keys %$want;
my $by = sub { my ($f) = @_; return { map { $_ => $f->($of{$_}) } keys %of } };

is_deeply(query('nginx_experiment_requests_total'),
          $by->(sub { $_[0]{requests} }), 'its answer - requests');
is_deeply(query('nginx_experiment_response_seconds_count'),
          $by->(sub { scalar @{ $_[0]{response_ms} } }),
          'its answer - times');
is_deeply(query('sum+by+(variant)(nginx_experiment_errors_total)'),
          $by->(sub { my $n = 0; $n += $_ for values %{ $_[0]{errors} }; $n }),
          'its answer - errors');
is_deeply(query('nginx_experiment_tokens_total{type="output"}'),
          { map { ("$_ output" => $of{$_}{tokens}{output}) } keys %of },
          'its answer - tokens');

my $cost = query('nginx_experiment_cost_total');
is(sprintf('%.0f', 1e9 * ($cost->{"$_ USD"} // 0)), $of{$_}{nano},
   "its answer - cost of $_") for sort keys %of;

my $ttft = query('histogram_quantile(0.5,nginx_experiment_ttft_seconds_bucket)');
cmp_ok($ttft->{$_}, '>', 0, "its answer - TTFT of $_") for sort keys %of;

is_deeply(query('nginx_experiment_registry_transaction'),
          { '' => $e->published }, 'its answer - transaction');
is_deeply(query('ALERTS{alertstate="firing"}'), {}, 'it has no alarm');

$e->done;
