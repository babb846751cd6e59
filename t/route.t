#!/usr/bin/perl
# Routing: $experiment_upstream, $experiment_model, variables in maps and
# headers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

my $e = Edge->new;

$e->upstream(name => 'A', reply => sub { return { body => '{"at":"a"}' } });
$e->upstream(name => 'B', reply => sub { return { body => '{"at":"b"}' } });
$e->init;
$e->apply(<<'EOD', <<'EOD', <<'EOD', <<'EOD');
{"name": "to-b", "layer": "route", "unit": "header:X-Id", "variants": [
  {"name": "control"}, {"name": "b", "route": {"upstream": "pool_b"}}]}
EOD
{"name": "far", "layer": "far", "unit": "header:X-Id", "steps": ["far"],
 "variants": [
  {"name": "control", "headers": {"request": {"set": {"X-Far": "c"}}}},
  {"name": "b", "route": {"upstream": "pool_c"}}]}
EOD
{"name": "model", "layer": "model", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "m", "overrides": {"default": {"model": "small"}}}]}
EOD
{"name": "step.route", "layer": "steps", "unit": "header:X-Id",
 "steps": ["one", "two"], "variants": [
  {"name": "control"},
  {"name": "b", "route": {"step": "one", "upstream": "pool_b"}}]}
EOD
$e->must('stage', 'to-b', 'ab', '--exposure', '0.8');
$e->must('stage', 'model', 'ab', '--exposure', '1');

my $conf = <<'EOC';
%%MAIN%%
http {
    %%HTTP%%
    upstream pool_a { server 127.0.0.1:%%PORT_A%%; keepalive 4; }
    upstream pool_b { server 127.0.0.1:%%PORT_B%%; keepalive 4; }

    map $experiment_upstream $host_of {
        volatile;
        pool_a a.test;
        pool_b b.test;
    }
    map $experiment_variant_to_b $served { default none; b B; control C; }

    server {
        listen 127.0.0.1:%%PORT%%;

        location /r {
            experiment to-b;
            experiment_upstream pool_a pool_b;
            proxy_pass http://$experiment_upstream;
            proxy_set_header Host $host_of;
            add_header X-Served $served;
        }

        location /set {
            experiment to-b;
            experiment_upstream pool_a pool_b;
            set $u $experiment_upstream;
            proxy_pass http://$u;
        }

        location /read {
            experiment to-b;
            experiment_upstream pool_a pool_b;
            proxy_pass http://pool_a;
            add_header X-Would $experiment_upstream;
        }

        location /fallback {
            experiment to-b;
            experiment_upstream pool_a pool_b;
            try_files /nothing @fallback;
        }

        location @fallback {
            experiment_upstream pool_a;
            proxy_pass http://$experiment_upstream;
        }

        location /early {
            experiment to-b;
            experiment_upstream pool_a pool_b;
            set $early $host_of;
            proxy_pass http://$experiment_upstream;
            proxy_set_header Host $host_of;
            proxy_set_header X-Early $early;
        }

        location /bad {
            experiment far;
            experiment_step far;
            experiment_upstream pool_a pool_b;
            proxy_pass http://$experiment_upstream;
        }

        location /none {
            experiment model;
            return 200 "[$experiment_upstream]";
        }

        location /steps {
            experiment step.route;
            experiment_upstream pool_a pool_b;
            proxy_pass http://$experiment_upstream;
        }

        location /model {
            experiment model;
            proxy_pass http://pool_a;
            proxy_set_header X-Model $experiment_model;
            add_header X-Model $experiment_model;
        }

        location /vars {
            experiment to-b model;
            experiment_upstream pool_a pool_b;
            proxy_pass http://pool_a;
            proxy_set_header X-All $experiment_assignments;
            proxy_set_header X-One $experiment_variant_to_b;
            proxy_set_header X-Two $experiment_variant_model;
            proxy_set_header X-Far "[$experiment_variant_far]";
            proxy_set_header X-Step $experiment_step;
            proxy_set_header X-Reason $experiment_reason;
            proxy_set_header X-Unit $experiment_unit;
            proxy_set_header X-Applied $experiment_applied;
        }

        location /off {
            experiment_upstream pool_b;
            proxy_pass http://$experiment_upstream;
            add_header X-On "[$experiment_on]";
        }
    }
}
EOC
$e->run($conf);

my $b = $e->unit('to-b', variant => 'b', exposed => 1);
my $control = $e->unit('to-b', variant => 'control', exposed => 1);
my $out = $e->unit('to-b', reason => 'not_exposed');

my $r = $e->post('/r?x=1', '{"n": 1}', 'X-Id', $b);
is($r->json->{at}, 'b', 'route - the treatment goes to its upstream');
is($r->header('X-Served'), 'B', 'route - variant in a map');
my $got = $e->received('B');
is($got->header('Host'), 'b.test', 'route - host by a map');
is($got->{uri}, '/r?x=1', 'route - uri as the client sent it');
is($got->{body}, '{"n": 1}', 'route - body as the client sent it');
my $line = $e->log_next;
is($line->{upstream}, 'pool_b', 'route - upstream logged');
is($line->{experiments}[0]{applied}{route}, 'applied', 'route - logged');

for my $unit ($control, $out) {
    $r = $e->get('/r', 'X-Id', $unit);
    is($r->json->{at}, 'a', "route - $unit, baseline: the default");
    is($r->header('X-Served'), 'C', "route - $unit, baseline: variant served");
    is($e->received('A')->header('Host'), 'a.test',
       "route - $unit, baseline: host");
    is($e->log_next->{upstream}, 'pool_a', "route - $unit, baseline: logged");
}

$r = $e->get('/r');
is($r->json->{at}, 'a', 'route - no unit: the default');
$e->received('A');
$e->log_next;

$r = $e->get('/early', 'X-Id', $b);
$got = $e->received('B');
is($got->header('X-Early'), 'b.test', 'route - a map that is read early');
is($got->header('Host'), 'b.test', 'route - and again later');
$e->log_next;

$e->stage('step.route', 'ab', '--exposure', '1');
my $one = $e->unit('step.route', variant => 'b');
is($e->get('/steps', 'X-Id', $one, 'X-Inference-Step', 'one')->json->{at}, 'b',
   'route - on its step');
is($e->get('/steps', 'X-Id', $one, 'X-Inference-Step', 'two')->json->{at}, 'a',
   'route - not on another');
$e->log_next(2);
$e->received($_) for 'A', 'B';


# A route to a name that is not listed: off in every arm.

$e->stage('far', 'ab', '--exposure', '1');
for my $variant ('control', 'b') {
    my $unit = $e->unit('far', variant => $variant);

    $r = $e->get('/bad', 'X-Id', $unit);
    is($r->json->{at}, 'a', "unlisted - $variant: the default");
    is(scalar(() = $e->received('A')->header('X-Far')), 0,
       "unlisted - $variant: nothing else is done either");
    my $x = $e->log_next->{experiments}[0];
    is($x->{reason}, 'error', "unlisted - $variant: reason");
    is($x->{variant}, 'control', "unlisted - $variant: the baseline");
    ok(!exists $x->{unit}, "unlisted - $variant: no unit");
}
my @errors = $e->error_log =~ /^(.*\[error\].*pool_c.*)$/gm;
is(scalar @errors, 1, 'unlisted - one error line');
like($errors[0] // '', qr/far/, 'unlisted - which names the experiment');


# Without experiment_upstream.

is($e->get('/none', 'X-Id', $b)->{body}, '[]',
   'no experiment_upstream - not found');
$e->get('/none', 'X-Id', $b);
@errors = $e->error_log =~ /^(.*\[error\].*\$experiment_upstream.*)$/gm;
is(scalar @errors, 1, 'no experiment_upstream - one error line');
$e->log_next(2);

$r = $e->get('/off', 'X-Id', $b);
is($r->json->{at}, 'b', 'experiment off - the default upstream');
is($r->header('X-On'), '[]', 'experiment off - $experiment_on is empty');
$e->received('B');


# The model that goes upstream.

my $m = $e->unit('model', variant => 'm');
my $c = $e->unit('model', variant => 'control');

$r = $e->post('/model', '{"model":"large","messages":[]}', 'X-Id', $m);
$got = $e->received('A');
is($got->header('X-Model'), 'small', 'model - as overridden');
is($got->json->{model}, 'small', 'model - in the body too');
is($r->header('X-Model'), 'small', 'model - for the response');
is($e->log_next->{'gen_ai.request.model'}, 'small', 'model - logged');

$e->post('/model', '{"model":"lar\u0067e","messages":[]}', 'X-Id', $c);
is($e->received('A')->header('X-Model'), 'large', 'model - of the client');
is($e->log_next->{'gen_ai.request.model'}, 'large',
   "model - the client's, logged");

$e->post('/model', '{"messages":[]}', 'X-Id', $c);
is(scalar(() = $e->received('A')->header('X-Model')), 0,
   'model - absent: not found');
ok(!exists $e->log_next->{'gen_ai.request.model'},
   'model - absent in the log');


# Variables.

my ($both) = grep { $_ } map {
    my $u = $_;
    $e->must('assign', 'to-b', $u, '-o', 'json') =~ /"b","exposed":true/
        && $e->must('assign', 'model', $u, '-o', 'json') =~ /"variant":"m"/
        ? $u : ();
} map { "u-$_" } 1 .. 40;

$e->post('/vars', '{"model":"large"}', 'X-Id', $both);
$got = $e->received('A');
is($got->header('X-All'), 'model/m,to-b/b',
   '$experiment_assignments - by layer, then name');
is($got->header('X-One'), 'b', '$experiment_variant_NAME');
is($got->header('X-Two'), 'm', '$experiment_variant_NAME - another');
is($got->header('X-Far'), '[]', '$experiment_variant_NAME - no entry');
is($got->header('X-Step'), 'default', '$experiment_step');
is($got->header('X-Reason'), 'assigned', '$experiment_reason');
like($got->header('X-Applied'), qr/(?:^|,)model\.model=/,
     '$experiment_applied');

$line = $e->log_next;
is($got->header('X-Unit'), $line->{experiments}[0]{unit},
   '$experiment_unit - the keyed hash, as logged');


# "applied" says where the request went, not who read the variable.

my $routed = $e->unit('to-b', variant => 'b', exposed => 1);

for my $row ([ '/set', 'b', 'applied' ], [ '/read', 'a', 'not_sent' ],
             [ '/fallback', 'a', 'not_sent' ])
{
    my ($uri, $at, $code) = @$row;

    is($e->get($uri, 'X-Id', $routed)->json->{at}, $at, "$uri - goes to $at");
    is($e->log_next->{experiments}[0]{applied}{route}, $code,
       "$uri - route is $code");
}

$e->done;
