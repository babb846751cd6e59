#!/usr/bin/perl
# $experiment_* before and after the handler: in if, set, map, headers, logs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

my $e = Edge->new;

$e->upstream(reply => sub { return { body => '{"ok":true}' } });
$e->upstream(name => 'AUTH', reply => sub {
    my ($r) = @_;
    return { status => 204, headers => [ 'X-User', $r->header('X-Name') ] };
});
$e->init;
$e->apply(<<'EOD', <<'EOD', <<'EOD');
{"name": "by-header", "layer": "h", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "overrides": {"default": {"temperature": 0.2}}}]}
EOD
{"name": "by-body", "layer": "j", "unit": "json:/user", "variants": [
  {"name": "control"},
  {"name": "b", "overrides": {"default": {"model": "small"}}}]}
EOD
{"name": "by-auth", "layer": "v", "unit": "var:user", "variants": [
  {"name": "control"},
  {"name": "b", "headers": {"request": {"set": {"X-Arm": "b"}}}}]}
EOD
$e->must('stage', $_, 'ab', '--exposure', '1')
    for 'by-header', 'by-body', 'by-auth';

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    log_format all escape=json '{"on":"$experiment_on",'
        '"h":"$experiment_variant_by_header",'
        '"j":"$experiment_variant_by_body",'
        '"all":"$experiment_assignments","model":"$experiment_model",'
        '"applied":"$experiment_applied"}';
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    upstream auth { server 127.0.0.1:%%PORT_AUTH%%; }
    proxy_set_header Connection "";

    map $experiment_variant_by_header $h_once { default -; b B; control C; }
    map $experiment_variant_by_body $j_once { default -; b B; control C; }
    map $experiment_variant_by_body $j_again {
        volatile;
        default -;
        b B;
        control C;
    }
    map $experiment_model $model_again { volatile; default -; ~(?<m>.+) $m; }

    server {
        listen 127.0.0.1:%%PORT%%;
        experiment by-header by-body;
        access_log "%%DIR%%/log/experiment.log" experiment if=$experiment_on;
        access_log "%%DIR%%/log/all.log" all;

        location /set/ {
            set $h $experiment_variant_by_header;
            set $j $experiment_variant_by_body;
            set $m $experiment_model;
            set $a $experiment_assignments;
            proxy_set_header X-Early-H "[$h]";
            proxy_set_header X-Early-J "[$j]";
            proxy_set_header X-Early-M "[$m]";
            proxy_set_header X-Early-A "[$a]";
            proxy_set_header X-H "[$experiment_variant_by_header]";
            proxy_set_header X-J "[$experiment_variant_by_body]";
            proxy_set_header X-M "[$experiment_model]";
            proxy_set_header X-A "[$experiment_assignments]";
            add_header X-J "[$experiment_variant_by_body]";
            add_header X-M "[$experiment_model]";
            proxy_pass http://up;
        }

        # A map that was read early keeps what it had, but for a volatile one.
        location /map/ {
            set $read "$h_once$j_once$j_again$model_again";
            proxy_set_header X-Read $read;
            proxy_set_header X-Now "$h_once$j_once$j_again$model_again";
            add_header X-Now "$h_once$j_once$j_again$model_again";
            proxy_pass http://up;
        }
        location /map-late/ {
            proxy_set_header X-Now "$h_once$j_once$j_again$model_again";
            proxy_pass http://up;
        }

        location /if/ {
            set $arm other;
            if ($experiment_variant_by_header = b) { set $arm b; }
            if ($experiment_variant_by_body) { set $arm body; }
            proxy_set_header X-Arm $arm;
            proxy_pass http://up;
        }
        location /if-return/ {
            if ($experiment_variant_by_header = b) { return 200 "for b"; }
            return 200 "for others";
        }
        location /if-rewrite/ {
            if ($experiment_variant_by_header = b) {
                rewrite ^/if-rewrite/(.*) /set/$1 last;
            }
            proxy_pass http://up;
        }

        location = /check {
            internal;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://auth;
        }
        location /auth/ {
            experiment by-auth;
            auth_request /check;
            auth_request_set $user $upstream_http_x_user;
            proxy_set_header X-Late "[$experiment_variant_by_auth]";
            proxy_pass http://up;
        }
        location /auth-early/ {
            experiment by-auth;
            auth_request /check;
            auth_request_set $user $upstream_http_x_user;
            set $early $experiment_variant_by_auth;
            proxy_set_header X-Early "[$early]";
            proxy_set_header X-Late "[$experiment_variant_by_auth]";
            proxy_pass http://up;
        }

        location /off/ {
            experiment off;
            set $h "$experiment_variant_by_header$experiment_assignments";
            proxy_set_header X-Early-H "[$h]";
            proxy_set_header X-J "[$experiment_variant_by_body]";
            proxy_set_header X-All "[$experiment_json$experiment_on]";
            proxy_pass http://up;
        }

        location /logs/ {
            access_log "%%DIR%%/log/one.log" experiment if=$experiment_on;
            access_log "%%DIR%%/log/two.log" experiment if=$experiment_on;
            proxy_set_header X-Line $experiment_json;
            proxy_pass http://up;
        }
        location /logs-off/ {
            experiment off;
            access_log "%%DIR%%/log/one.log" experiment if=$experiment_on;
            proxy_pass http://up;
        }
    }
}
EOC

my %unit = map {
    my $v = $_;
    $v => { map { $_ => $e->unit("by-$_", variant => $v) }
            'header', 'body', 'auth' };
} 'b', 'control';
my %letter = (b => 'B', control => 'C');


# Posts as one arm of both experiments.

sub post {
    my ($uri, $arm, @more) = @_;
    my $r = $e->post($uri, qq({"user":"$unit{$arm}{body}","model":"large"}),
                     'X-Id', $unit{$arm}{header}, @more);
    return ($r, scalar $e->received);
}


for my $arm ('b', 'control') {
    my ($r, $got) = post('/set/x', $arm);
    my $model = $arm eq 'b' ? 'small' : 'large';
    my $all = "by-header/$arm,by-body/$arm";

    is($got->header('X-Early-H'), "[$arm]", "$arm - set: known early");
    is($got->header('X-Early-J'), '[]', "$arm - set: needs the body");
    is($got->header('X-Early-M'), '[]', "$arm - set: the model");
    is($got->header('X-Early-A'), '[]', "$arm - set: all need the body");
    is($got->header('X-H'), "[$arm]", "$arm - after the handler: header");
    is($got->header('X-J'), "[$arm]", "$arm - after the handler: body");
    is($got->header('X-M'), "[$model]", "$arm - after the handler: model");
    is($got->header('X-A'), "[$all]", "$arm - after the handler: all");
    is($got->json->{model}, $model, "$arm - body");
    is($r->header('X-J'), "[$arm]", "$arm - add_header: body");
    is($r->header('X-M'), "[$model]", "$arm - add_header: model");

    my $line = $e->log_next;
    is(join(' ', map { "$_->{name}/$_->{variant}/$_->{reason}" }
            @{ $line->{experiments} }),
       "by-header/$arm/assigned by-body/$arm/assigned", "$arm - logged");

    my $log = $e->log_next(1, 'all.log');
    is("$log->{on} $log->{h} $log->{j} $log->{all} $log->{model}",
       "1 $arm $arm $all $model", "$arm - in another log");
    is($log->{applied}, $arm eq 'b'
       ? 'by-header.temperature=applied,by-body.model=applied' : '',
       "$arm - in another log: applied");

    my $l = $letter{$arm};
    ($r, $got) = post('/map/x', $arm);
    is($got->header('X-Read'), "$l---", "$arm - maps, early");
    is($got->header('X-Now'), "$l-$l$model", "$arm - maps, late");
    is($r->header('X-Now'), "$l-$l$model", "$arm - maps, in the answer");

    ($r, $got) = post('/map-late/x', $arm);
    is($got->header('X-Now'), "$l$l$l$model", "$arm - maps, only late");

    ($r, $got) = post('/if/x', $arm);
    is($got->header('X-Arm'), $arm eq 'b' ? 'b' : 'other',
       "$arm - if: known early, or empty");

    ($r, $got) = post('/if-return/x', $arm);
    is($r->{body}, $arm eq 'b' ? 'for b' : 'for others', "$arm - return");

    ($r, $got) = post('/if-rewrite/x', $arm);
    is($got->{uri}, $arm eq 'b' ? '/set/x' : '/if-rewrite/x',
       "$arm - rewrite by a variant");
    is($got->json->{model}, $model, "$arm - rewrite by a variant, body");
    $e->log_next(5);
    $e->log_next(5, 'all.log');

    # What auth_request has set is known to the handler, also where a
    # variable was read before.
    for my $uri ('/auth/x', '/auth-early/x') {
        ($r, $got) = post($uri, $arm, 'X-Name', $unit{$arm}{auth});
        is($got->header('X-Early'), '[control]',
           "$uri, $arm - no unit before auth_request") if $uri =~ /early/;
        is($got->header('X-Late'), "[$arm]", "$uri, $arm - the unit");
        is($got->header('X-Arm'), $arm eq 'b' ? 'b' : undef,
           "$uri, $arm - edited");
        $e->received('AUTH');

        my $entry = $e->log_next->{experiments}[0];
        is("$entry->{variant} $entry->{reason}", "$arm assigned",
           "$uri, $arm - logged");
        $e->log_next(1, 'all.log');
    }
}

# Without a body the variables that need it stay not found.
$e->get('/set/x', 'X-Id', $unit{b}{header});
my $got = $e->received;
is($got->header('X-H'), '[b]', 'no body - header');
is($got->header('X-J'), '[control]', 'no body - no unit: the baseline');
is($got->header('X-M'), '[]', 'no body - no model');
my $line = $e->log_next;
is($line->{experiments}[1]{reason}, 'no_unit', 'no body - logged');
$e->log_next(1, 'all.log');

(undef, $got) = post('/off/x', 'b');
is($got->header($_), '[]', "off - $_: empty")
    for 'X-Early-H', 'X-J', 'X-All';
is($got->json->{model}, 'large', 'off - the body is untouched');
my $log = $e->log_next(1, 'all.log');
is("$log->{on}$log->{h}$log->{j}$log->{all}$log->{model}", '', 'off - log');


# A line that two logs have, and a header had before: one sequence number.

my @lines;
for my $n (1 .. 3) {
    (undef, $got) = post('/logs/x', 'b');
    my ($one, $two) = map { $e->log_next(1, $_) } 'one.log', 'two.log';
    my $early = JSON::PP->new->decode($got->header('X-Line'));

    is($one->{seq}, $two->{seq}, "logs, $n - one seq");
    is($early->{seq}, $one->{seq}, "logs, $n - also read before the end");
    is($one->{id}, $two->{id}, "logs, $n - one id");
    is_deeply($one->{experiments}, $two->{experiments}, "logs, $n - alike");
    push @lines, $one;
    post('/logs-off/x', 'b');
}
is_deeply([ map { $_->{seq} - $lines[0]{seq} } @lines ], [ 0, 1, 2 ],
          'logs - what binds nothing leaves no gap');

$e->done;
