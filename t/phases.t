#!/usr/bin/perl
# The handler among nginx's other phases: redirects, subrequests, what ends a
# request before it or instead of the proxy.  "experiment off" is the oracle:
# an arm sees the same requests upstream, edited once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $json = JSON::PP->new->canonical;
my $e = Edge->new(vars => {
    LOCATIONS => q{
        proxy_set_header Connection "";

        location /target/ { proxy_pass http://up; }
        location @named { proxy_pass http://up; }
        location @unbound { experiment off; proxy_pass http://up; }
        location @other { experiment sub; proxy_pass http://up; }
        location /internal/ { internal; proxy_pass http://up; }

        location /rewrite/ { rewrite ^/rewrite/(.*) /target/$1 last; }
        location /rewrite-twice/ { rewrite ^/rewrite-twice/(.*) /rewrite/$1; }
        location /unbound-rewrite/ {
            experiment off;
            rewrite ^/unbound-rewrite/(.*) /target/$1 last;
        }
        location /break/ {
            rewrite ^/break/(.*) /elsewhere/$1 break;
            proxy_pass http://up;
        }
        location /418/ { error_page 418 = @named; return 418; }
        location /418-unbound/ { error_page 418 = @unbound; return 418; }

        location /dead/ { error_page 502 = @named; proxy_pass http://dead; }
        location /dead-small/ {
            client_body_buffer_size 64;
            error_page 502 = @named;
            proxy_pass http://dead;
        }
        location /dead-uri/ {
            error_page 502 = /target/after;
            proxy_pass http://dead;
        }
        location /dead-unbound/ {
            error_page 502 = @unbound;
            proxy_pass http://dead;
        }
        location /dead-other/ {
            error_page 502 = @other;
            proxy_pass http://dead;
        }
        location /intercept/ {
            proxy_intercept_errors on;
            error_page 503 = @named;
            proxy_pass http://up;
        }
        location /intercept-uri/ {
            proxy_intercept_errors on;
            error_page 503 /target/sorry;
            proxy_pass http://up;
        }

        location /try/ { try_files $uri @named; }
        location /try-uri/ { try_files $uri /target/tried; }
        location /try-unbound/ { try_files $uri @unbound; }
        location /try-other/ { try_files $uri @other; }
        location /try-nothing/ { try_files $uri =404; }
        location /try-dead/ { try_files $uri @dead; }
        location @dead { error_page 502 = @named; proxy_pass http://dead; }

        location /accel/ { proxy_pass http://up; }

        location /if/ {
            if ($http_x_id) { set $seen 1; }
            if ($http_x_no) { return 403; }
            proxy_pass http://up;
        }
        location /if-proxy/ {
            if ($http_x_id) { proxy_pass http://up; }
            proxy_pass http://dead;
        }

        location /auth/ { auth_request /check; proxy_pass http://up; }
        location /auth-off/ {
            experiment off;
            auth_request /check;
            proxy_pass http://up;
        }
        location = /check {
            internal;
            experiment sub;
            proxy_pass http://auth;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Sees "[$experiment_assignments]";
        }

        location /mirror/ { mirror /copy; proxy_pass http://up; }
        location /mirror-small/ {
            client_body_buffer_size 64;
            mirror /copy;
            mirror /copy;
            proxy_pass http://up;
        }
        location /mirror-no-body/ {
            mirror /copy-bare;
            mirror_request_body off;
            proxy_pass http://up;
        }
        location = /copy {
            internal;
            experiment sub;
            proxy_pass http://mirror;
        }
        location = /copy-bare {
            internal;
            experiment sub;
            proxy_pass http://mirror;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }

        location /page/ { ssi on; proxy_pass http://up; }
        location /page-off/ { experiment off; ssi on; proxy_pass http://up; }
        location /part/ { experiment sub; proxy_pass http://up; }
        location /add/ {
            add_before_body /part/before;
            add_after_body /part/after;
            proxy_pass http://up;
        }

        location /deny/ { deny all; proxy_pass http://up; }
        location /limited/ { limit_req zone=few; proxy_pass http://up; }
        location /limited-conn/ { limit_conn none 1; proxy_pass http://up; }
        location /return/ { return 200 "text"; }
        location /return-500/ { return 500; }
        location /moved/ { return 302 http://edge.test/; }
        location /static/ { root "%%DIR%%/html"; }

        location /set-body/ {
            proxy_set_body '{"fixed":1}';
            proxy_pass http://up;
        }
        location /no-body/ {
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_pass http://up;
        }
        location /set-body-small/ {
            client_body_buffer_size 64;
            proxy_set_body '{"fixed":1}';
            proxy_pass http://up;
        }
        location /no-body-small/ {
            client_body_buffer_size 64;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_pass http://up;
        }
        location /no-body-dead/ {
            client_body_buffer_size 64;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            error_page 502 = @named;
            proxy_pass http://dead;
        }
        location /same-body/ {
            proxy_set_body $request_body;
            proxy_pass http://up;
        }
        location /no-headers/ {
            proxy_pass_request_headers off;
            proxy_pass http://up;
        }
        location /method/ { proxy_method PUT; proxy_pass http://up; }
        location /own-header/ {
            proxy_set_header Connection "";
            proxy_set_header X-Arm admin;
            proxy_pass http://up;
        }
        location /drop-header/ {
            proxy_set_header Connection "";
            proxy_set_header X-Arm "";
            proxy_pass http://up;
        }
        location /length/ {
            proxy_set_header Connection "";
            proxy_set_header X-Length $content_length;
            proxy_pass http://up;
        }
        location /no-length/ {
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_pass http://own;
        }
    },
});

my %asked;
$e->upstream(reply => sub {
    my ($r) = @_;
    my $uri = $r->{uri};

    return { headers => [ 'X-Accel-Redirect', '/internal/accel' ] }
        if $uri eq '/accel/x';

    # a named location leaves the uri: every second one is an answer
    return { headers => [ 'X-Accel-Redirect', '@named' ] }
        if $uri eq '/accel/named' && $asked{$uri}++ % 2 == 0;
    return { status => 503, body => '{}' }
        if $uri eq '/intercept-uri/x'
            || ($uri eq '/intercept/x' && $asked{$uri}++ % 2 == 0);

    if ($uri =~ m{^/(page|add)}) {
        return { type => 'text/html', body =>
            'a<!--#include virtual="/part/one" -->b'
            . '<!--#include virtual="/part/two" -->c' };
    }

    return { body => '{"ok":true}' };
});
$e->upstream(name => 'AUTH', reply => sub {
    my ($r) = @_;
    return { status => $r->header('X-Deny') // 204 };
});
$e->upstream(name => 'MIRROR', reply => sub { return { body => '{}' } });
my $own = $e->origin('OWN');

$e->init;
$e->apply(<<'EOD', <<'EOD');
{"name": "chat", "layer": "chat", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true,
   "headers": {"request": {"set": {"X-Arm": "b"}},
               "response": {"set": {"X-Seen": "b"}}},
   "overrides": {"default": {"system": "Be brief.", "temperature": 0.2,
     "model": "small", "max_tokens": 400}}}]}
EOD
{"name": "sub", "layer": "sub", "unit": "header:X-Id", "variants": [
  {"name": "control",
   "headers": {"request": {"set": {"X-Sub": "c"}}}},
  {"name": "b", "allow_many": true,
   "headers": {"request": {"set": {"X-Sub": "b"}},
               "response": {"set": {"X-Sub-Seen": "b"}}},
   "overrides": {"default": {"top_p": 0.5}}}]}
EOD
$e->must('stage', $_, 'ab', '--exposure', '1') for 'chat', 'sub';
mkdir "$e->{dir}/html/static";
$e->file('html/static/file.txt', 'a file', 0644);
chmod 0755, "$e->{dir}/html/static";

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    experiment_dialect openai_chat;
    limit_req_zone $server_port$http_x_id zone=few:1m rate=1r/m;
    limit_conn_zone $server_port$http_x_id zone=none:1m;

    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    upstream auth { server 127.0.0.1:%%PORT_AUTH%%; }
    upstream mirror { server 127.0.0.1:%%PORT_MIRROR%%; }
    upstream dead { server 127.0.0.1:%%PORT_DEAD%%; }
    upstream own { server 127.0.0.1:%%PORT_OWN%%; }

    server {
        listen 127.0.0.1:%%PORT%%;
        experiment chat;
        %%LOCATIONS%%
    }
    server {
        listen 127.0.0.1:%%PORT_OFF%%;
        %%LOCATIONS%%
    }
}
EOC

my %unit = map { $_ => common($_) } 'b', 'control';
$unit{off} = $unit{b};

my @params = qw(system temperature model max_tokens);
my %all = map { $_ => 'applied' } @params, 'header:X-Arm',
    'response_header:X-Seen';
my %none = map { $_ => 'not_sent' } keys %all;

# max_tokens is appended and the system prompt inserted: done twice, it shows.
my $in = '{ "temperature":1,"messages":[{"role":"user","content":"'
    . 'text ' x 60 . '"}], "model":"large"}';


my $system = '{"role":"system","content":"Be brief."}';


# A unit that is in the same arm of both experiments.

sub common {
    my ($variant) = @_;
    my %n;

    for my $name ('chat', 'sub') {
        my $out = $e->must({ stdin => join '', map { "u-$_\n" } 1 .. 50 },
                           'assign', $name, '-o', 'json');
        $n{$_}++ for $out =~ /"unit":"(u-\d+)","variant":"$variant"/g;
    }

    my ($unit) = sort grep { $n{$_} == 2 } keys %n;
    return $unit // die "no unit is in both arms '$variant'\n";
}


sub wanted {
    my ($arm, $body) = @_;

    if ($arm eq 'b') {
        $body =~ s/"large"/"small","max_tokens":400/;
        $body =~ s/"temperature":1,/"temperature":0.2,/;
        $body =~ s/"messages":\[/$&$system,/;
    }

    return $body;
}


# Requests as one may compare them: the length goes by the body, and of two
# subrequests either may come first.

sub seen {
    my ($arm, @requests) = @_;

    return sort map {
        my $length = length $_->{body};
        $_->{head} =~ s/^(Content-Length): $length\r/$1: right\r/mr
            =~ s/^X-(?:Id|Sees): [^\r]*\r\n//mgr =~ s/^X-Arm: b\r\n//mgr
            . $_->{body};
    } @requests;
}


# What each upstream got, and the answer.

sub asked {
    my ($arm, $method, $uri, $body, @headers) = @_;
    my $c = $e->client($e->port($arm eq 'off' ? 'PORT_OFF' : 'PORT'));

    $c->send(Edge::Client->request($method, $uri, $body, 'Host', 'edge.test',
        'X-Id', $unit{$arm}, defined $body
        ? ('Content-Type', 'application/json') : (), @headers));
    my $r = $c->response(head => $method eq 'HEAD');
    my @up = $e->received;
    my @auth = $e->received('AUTH');

    # A copy may come after the answer.
    my $copies = !defined $body || $r->{status} != 200 ? 0
        : $uri =~ m{^/mirror-small} ? 2 : $uri =~ m{^/mirror} ? 1 : 0;
    my @mirror;
    $e->wait_for(sub {
        push @mirror, $e->received('MIRROR');
        return @mirror >= $copies;
    });
    $c->close;

    return {
        r => $r, UP => \@up, AUTH => \@auth, MIRROR => \@mirror,
        answer => join("\n", $r->{status}, $r->{body}, sort map {
            lc $_->[0] eq 'date' || $_->[0] eq 'X-Seen' ? () : "@$_"
        } @{ $r->{headers} }),
    };
}


# Each arm as "off", but edited.  Options: uri, of the log line; applied, the
# codes of the arm b; body, of the log line of both arms; oracle, where "off"
# asks; unseen => 1: not answered by us; unedited => 1: the body stays; dropped
# => 1: what was edited is not sent.

sub like_off {
    my ($text, $method, $uri, $body, %o) = @_;
    my @headers = @{ $o{headers} // [] };
    my $off = asked('off', $method, $o{oracle} // $uri, $body, @headers);

    for my $arm ('b', 'control') {
        my $on = asked($arm, $method, $uri, $body, @headers);
        my $line = $e->log_next;

        if ($o{oracle}) {
            s/\Q$uri/$o{oracle}/ for $on->{answer};
            $_->{head} =~ s/\Q$uri/$o{oracle}/ for @{ $on->{UP} };
        }

        is($on->{answer}, $off->{answer}, "$text, $arm - answer");
        is($on->{r}->header('X-Seen'), $arm eq 'b' && !$o{unseen}
           ? 'b' : undef, "$text, $arm - response header");

        for my $up (qw(UP AUTH MIRROR)) {
            my @want = seen('off', map {
                my %r = %$_;
                $r{head} =~ s/^(Content-Length): \d+/"$1: "
                    . length wanted($arm, $r{body})/me if !$o{unedited};
                $r{body} = wanted($arm, $r{body}) unless $o{unedited};
                \%r;
            } @{ $off->{$up} });

            is_deeply([ seen($arm, @{ $on->{$up} }) ], \@want,
                      "$text, $arm - $up");
        }

        is($line->{uri}, $uri =~ s/\?.*//r, "$text, $arm - uri");
        is($line->{status}, $on->{r}{status}, "$text, $arm - status");

        is($line->{body}, exists $o{body} ? $o{body}
           : $o{dropped} ? 'not_sent'
           : $arm eq 'b' ? 'edited' : 'unchanged',
           "$text, $arm - body");

        my $applied = $line->{experiments}[0]{applied};
        is_deeply($applied, $arm eq 'b' ? $o{applied} // \%all : undef,
                  "$text, $arm - applied")
            or diag($json->encode($applied // {}));
        is(join(' ', map { $_->{name} } @{ $line->{experiments} }), 'chat',
           "$text, $arm - nothing else is bound");
    }

    return $off;
}


# Redirects within nginx: one edit, wherever the request goes.

for my $uri ('/target/x', '/rewrite/x', '/rewrite-twice/x', '/break/x',
             '/418/x', '/unbound-rewrite/x', '/dead/x', '/dead-small/x',
             '/dead-uri/x', '/dead-unbound/x', '/intercept/x',
             '/intercept-uri/x', '/try/x', '/try-uri/x', '/try-unbound/x',
             '/try-dead/x', '/accel/x', '/accel/named', '/if/x',
             '/if-proxy/x')
{
    my $off = like_off($uri, 'POST', $uri, $in);
    is(scalar @{ $off->{UP} }, $uri =~ /accel|intercept/ ? 2 : 1,
       "$uri - reaches its upstream");
}

# What another location binds comes too late, unless nothing was bound before.
for my $from ('/dead', '/try') {
    like_off("$from-other/x", 'POST', "$from-other/x", $in,
             oracle => "$from/x");

    my $got = asked('off', 'POST', "$from-other/x", $in);
    is($got->{UP}[0]{body}, $in =~ s/"large"/"large","top_p":0.5/r,
       "$from-other - bound there first");
    my $line = $e->log_next;
    is("$line->{experiments}[0]{name} $line->{body}", 'sub edited',
       "$from-other - bound there first, logged");
}

for my $form ('chunked', 'in pieces') {
    for my $uri ('/dead/x', '/dead-small/x', '/try-dead/x', '/accel/x',
                 '/418/x')
    {
        my @req = ('POST', $uri, $form eq 'chunked'
            ? Edge::Client->chunked($in, 30) : $in, 'X-Id', $unit{b},
            'Content-Type', 'application/json', $form eq 'chunked'
            ? ('Transfer-Encoding', 'chunked') : ());
        my $c = $e->client;
        my $raw = Edge::Client->request(@req);

        $c->send($form eq 'chunked' ? $raw : unpack '(a150)*', $raw);
        is($c->response->{status}, 200, "$uri, $form - answered");
        for my $got ($e->received) {
            is($got->{body}, wanted('b', $in), "$uri, $form - edited once");
            is(join(', ', $got->header('Content-Length')),
               length $got->{body}, "$uri, $form - Content-Length");
        }
        is($e->log_next->{body}, 'edited', "$uri, $form - logged");
        $c->close;
    }
}

# A location that binds nothing before the handler has run: nothing is done.
for my $arm ('b', 'control') {
    my $got = asked($arm, 'POST', '/418-unbound/x', $in);
    is($got->{UP}[0]{body}, $in, "/418-unbound, $arm - untouched");
    is($got->{r}->header('X-Seen'), undef, "/418-unbound, $arm - nothing");
}


# Subrequests have nothing of their own.

for my $uri ('/auth/x', '/mirror/x', '/mirror-small/x', '/mirror-no-body/x',
             '/page/x', '/add/x')
{
    my $off = like_off($uri, 'POST', $uri, $in);
    my $own = grep { $_->{head} =~ /^X-Sub:/m } map { @{ $off->{$_} } }
        qw(UP AUTH MIRROR);
    is($own, 0, "$uri - the subrequest's location applies nothing");
    is(scalar(map { @{ $off->{$_} } } qw(UP AUTH MIRROR)),
       $uri =~ /page|add|small/ ? 3 : 2, "$uri - as many requests");
}

# "off" above binds nothing in the main request; a subrequest's location
# does not log, assign or edit for it either.
for my $uri ('/auth-off/x', '/page-off/x') {
    my $got = asked('b', 'POST', $uri, $in);
    ok(!grep({ $_->{head} =~ /^X-(?:Sub|Arm):/m } map { @{ $got->{$_} } }
             qw(UP AUTH)), "$uri - nothing is applied");
    is($got->{UP}[0]{body}, $in, "$uri - the body is untouched");
    is($got->{r}->header('X-Sub-Seen'), undef, "$uri - nor the answer");
}

# The subrequest before the handler reads the main request's state.
is(asked('b', 'POST', '/auth/x', $in)->{AUTH}[0]->header('X-Sees'),
   '[chat/b]', '/auth - a variable in the subrequest');
is($e->log_next->{experiments}[0]{variant}, 'b', '/auth - and the log');
is(asked('off', 'POST', '/auth/x', $in)->{AUTH}[0]->header('X-Sees'), '[]',
   '/auth - nothing under "experiment off"');

my $got = asked('b', 'POST', '/mirror/x', $in)->{MIRROR}[0];
is($got->{body}, wanted('b', $in), '/mirror - the copy is of the edited body');
is($got->header('X-Arm'), 'b', '/mirror - and of the edited headers');
$e->log_next;


# What ends a request before the handler.

my @early = (
    [ '/auth/x', 403, [ 'X-Deny', 403 ] ],
    [ '/auth/x', 401, [ 'X-Deny', 401 ] ],
    [ '/deny/x', 403 ], [ '/return/x', 200 ], [ '/return-500/x', 500 ],
    [ '/moved/x', 302 ], [ '/if/x', 403, [ 'X-No', 1 ] ],
);

for my $row (@early) {
    my ($uri, $status, $headers) = @$row;
    my $off = like_off("$uri, $status", 'POST', $uri, $in, body => undef,
                       headers => $headers, unseen => 1, unedited => 1,
                       applied => \%none);
    is($off->{r}{status}, $status, "$uri, $status - ends early");
    is(scalar @{ $off->{UP} }, 0, "$uri, $status - nothing goes upstream");
}

for my $arm ('b', 'control') {
    is(asked($arm, 'POST', '/limited/x', $in)->{r}{status}, 200,
       "/limited, $arm - the first passes");
    is($e->log_next->{body}, $arm eq 'b' ? 'edited' : 'unchanged',
       "/limited, $arm - the first is logged");
    my $got = asked($arm, 'POST', '/limited/x', $in);
    my $line = $e->log_next;

    is($got->{r}{status}, 503, "/limited, $arm - the second does not");
    is(scalar @{ $got->{UP} }, 0, "/limited, $arm - nothing goes upstream");
    is($line->{body}, undef, "/limited, $arm - body");
    is_deeply($line->{experiments}[0]{applied}, $arm eq 'b' ? \%none : undef,
              "/limited, $arm - applied");
    like_off("/limited-conn, $arm", 'POST', '/limited-conn/x', $in);
}


# Files, and what has no body.

my %head = ((map { $_ => 'not_sent' } @params), 'header:X-Arm' => 'applied',
            'response_header:X-Seen' => 'applied');

for my $method ('GET', 'HEAD') {
    my $off = like_off("$method of a file", $method, '/static/file.txt',
                       undef, body => undef, applied => \%head);
    is($off->{r}{body}, $method eq 'GET' ? 'a file' : '',
       "$method of a file - served");
}
like_off('GET, proxied', 'GET', '/target/x', undef, body => undef,
         applied => \%head);
like_off('DELETE, proxied', 'DELETE', '/target/x', $in, body => undef,
         applied => \%head, unedited => 1);
like_off('PUT, proxied', 'PUT', '/target/x', $in, body => undef,
         applied => \%head, unedited => 1);
like_off('no file', 'GET', '/try-nothing/x', undef, body => undef,
         applied => \%head);


# What nginx.conf puts in the place of the edited body was not sent.

my %dropped = ((map { $_ => 'not_sent' } @params), 'header:X-Arm' => 'applied',
               'response_header:X-Seen' => 'applied');

for my $uri ('/set-body/x', '/set-body-small/x', '/no-body/x',
             '/no-body-small/x')
{
    my $off = like_off($uri, 'POST', $uri, $in, dropped => 1,
                       applied => \%dropped);
    is($off->{UP}[0]{body}, $uri =~ /set/ ? '{"fixed":1}' : '',
       "$uri - what is sent");
    is($off->{UP}[0]->header('Content-Length'), $uri =~ /set/ ? 11 : undef,
       "$uri - its length");
}

# The last upstream counts, and it got the body.
like_off('no body passed, then all', 'POST', '/no-body-dead/x', $in);

like_off('POST to a file', 'POST', '/static/file.txt', $in,
         dropped => 1, applied => \%dropped);
like_off('POST to no file', 'POST', '/try-nothing/x', $in,
         dropped => 1, applied => \%dropped);

# What nginx.conf says of the request wins, and the body stays edited.

my $set = asked('b', 'POST', '/same-body/x', $in)->{UP}[0];
is($set->{body}, wanted('b', $in), 'proxy_set_body $request_body - edited');
is($set->header('Content-Length'), length $set->{body},
   'proxy_set_body $request_body - Content-Length');
$e->log_next;

$set = asked('b', 'POST', '/no-headers/x', $in)->{UP}[0];
is($set->{body}, wanted('b', $in), 'no headers passed - the body is edited');
is($set->header('Content-Length'), length $set->{body},
   'no headers passed - Content-Length');
is($set->header('X-Arm'), undef, 'no headers passed - nor ours');
$e->log_next;

$set = asked('b', 'POST', '/method/x', $in)->{UP}[0];
is("$set->{method} $set->{body}", 'PUT ' . wanted('b', $in),
   'proxy_method - the body is edited');
is($set->header('Content-Length'), length $set->{body},
   'proxy_method - Content-Length');
$e->log_next;

for my $row ([ '/own-header/x', 'admin' ], [ '/drop-header/x', '' ]) {
    my ($uri, $value) = @$row;

    $set = asked('b', 'POST', $uri, $in)->{UP}[0];
    is(join(', ', $set->header('X-Arm')), $value,
       "$uri - proxy_set_header wins, once");
    is($set->{body}, wanted('b', $in), "$uri - the body is edited");
    $e->log_next;
}

for my $arm ('b', 'control', 'off') {
    $set = asked($arm, 'POST', '/length/x', $in)->{UP}[0];
    is($set->header('X-Length'), length wanted($arm, $in),
       "\$content_length, $arm - of what goes upstream");
    $e->log_next unless $arm eq 'off';
}

for my $arm ('b', 'control', 'off') {
    my $c = $e->client($e->port($arm eq 'off' ? 'PORT_OFF' : 'PORT'));
    my $want = wanted($arm, $in);

    $c->send(Edge::Client->request('POST', '/no-length/x', $in, 'X-Id',
        $unit{$arm}, 'Content-Type', 'application/json'));
    my $s = $e->accepted($own);
    $s->until(sub { index($_[0], $want) > 0 });
    unlike($s->{in}, qr/^Content-Length/mi, "no length, $arm - none is sent");
    is($s->{in} =~ s/\A.*?\r\n\r\n//sr, $want, "no length, $arm - the body");
    $s->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    is($c->response->{status}, 200, "no length, $arm - answered");
    $_->close for $c, $s;
    $e->log_next unless $arm eq 'off';
}

my $lines = () = $e->log_lines;
is($lines, $e->{log_at}{''},
   'one line a request, and none under "experiment off"');

$e->done;
