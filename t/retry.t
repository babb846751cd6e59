#!/usr/bin/perl
# A second upstream after the first failed: the same bytes, in each arm and
# under "experiment off".

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $json = JSON::PP->new->canonical;
my $prompt = 'Be brief, but say it all. ' x 120;
my $system = qq({"role":"system","content":"$prompt"});
my $e = Edge->new(vars => {
    LOCATIONS => q{
        location /memory/ { proxy_pass http://pair; }
        location /spooled/ {
            client_body_buffer_size 1k;
            proxy_pass http://pair;
        }
        location /tiny/ {
            client_body_buffer_size 16;
            proxy_pass http://pair;
        }
        location /file/ {
            client_body_in_file_only clean;
            proxy_pass http://pair;
        }
        location /single/ {
            client_body_in_single_buffer on;
            proxy_pass http://pair;
        }
        location /ten/ { proxy_http_version 1.0; proxy_pass http://pair; }
        location /unbuffered/ {
            proxy_request_buffering off;
            proxy_pass http://pair;
        }
        location /three/ { proxy_pass http://three; }
        location /three-spooled/ {
            client_body_buffer_size 1k;
            proxy_pass http://three;
        }
        location /never/ {
            proxy_next_upstream off;
            proxy_pass http://pair;
        }
        location /mild/ {
            proxy_next_upstream error timeout;
            proxy_pass http://pair;
        }
    },
});

# What the first upstreams do, the request's header says.
my %first = (
    early => sub { return $_[0]->header('X-Die') },
    reply => sub {
        my ($r) = @_;
        my $hang = $r->header('X-Hang');
        return {
            status => $r->header('X-Status') // 200, body => '{"at":"first"}',
            $hang ? (delay => 30) : (),
            defined $r->header('X-Cut') ? (cut => $r->header('X-Cut')) : (),
        };
    },
);

$e->upstream(name => 'A', %first);
$e->upstream(name => 'B', %first);
$e->upstream(reply => sub { return { body => '{"at":"last"}' } });

$e->init;
$e->apply($json->encode({
    name => 'chat', layer => 'chat', unit => 'header:X-Id', variants => [
        { name => 'control' },
        { name => 'b', allow_many => JSON::PP::true,
          headers => { request => { set => { 'X-Arm' => 'b' } } },
          overrides => { default => {
              system => $prompt, temperature => 0.2, max_tokens => 400,
              model => 'small' } } },
    ] }));
$e->must('stage', 'chat', 'ab', '--exposure', '0.9');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    experiment_dialect openai_chat;
    proxy_read_timeout 300ms;
    proxy_next_upstream error timeout http_500 http_502 http_503
                        non_idempotent;

    upstream pair {
        server 127.0.0.1:%%PORT_A%% max_fails=0;
        server 127.0.0.1:%%PORT_UP%% backup max_fails=0;
    }
    upstream three {
        server 127.0.0.1:%%PORT_A%% max_fails=0;
        server 127.0.0.1:%%PORT_B%% max_fails=0;
        server 127.0.0.1:%%PORT_NOBODY%% max_fails=0;
        server 127.0.0.1:%%PORT_UP%% backup max_fails=0;
    }

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        experiment on;
        %%LOCATIONS%%
    }
    server {
        listen 127.0.0.1:%%PORT_OFF%%;
        listen 127.0.0.1:%%PORT_H2_OFF%% http2;
        %%LOCATIONS%%
    }
}
EOC

my %unit = map { $_ => $e->unit('chat', variant => $_, exposed => 1) }
    'b', 'control';
$unit{off} = $unit{b};


sub chat {
    my ($size) = @_;
    my $text = join ' ', map { "word-$_ \\u00e9 \xc3\xa9" } 1 .. $size / 18;

    return '{"temperature":1,"messages":[{"role":"user","content":"' . $text
        . '"}],"model":"large", "max_tokens": 9 }';
}


sub wanted {
    my ($arm, $in) = @_;

    if ($arm eq 'b') {
        $in =~ s/"large"/"small"/;
        $in =~ s/"temperature":1,/"temperature":0.2,/;
        $in =~ s/"max_tokens": 9/"max_tokens": 400/;
        $in =~ s/"messages":\[/$&$system,/;
    }

    return $in;
}


sub ask {
    my ($form, $arm, $uri, $in, @headers) = @_;
    my $off = $arm eq 'off' ? '_OFF' : '';

    unshift @headers, 'X-Id', $unit{$arm}, 'Content-Type', 'application/json';

    if ($form eq 'h2') {
        my $c = Edge::H2->new($e->port("PORT_H2$off"));
        my $id = $c->open('POST', $uri, @headers);

        $c->data($id, $in, end => 1);
        return $c->answer($id);
    }

    my $c = $e->client($e->port("PORT$off"));

    $c->send($form eq 'chunked' ? Edge::Client->request('POST', $uri,
                 Edge::Client->chunked($in, 800), @headers,
                 'Transfer-Encoding', 'chunked')
             : Edge::Client->request('POST', $uri, $in, @headers));
    return $c->response;
}


# One failure of the first upstream; the last one gets all.

sub retried {
    my ($text, $form, $path, $size, @how) = @_;
    my $in = chat($size);
    my %head;

    for my $arm ('b', 'control', 'off') {
        my $uri = "$path/chat/completions";
        my $r = ask($form, $arm, $uri, $in, @how);
        my @first = ($e->received('A'), $e->received('B'));
        my ($got, @more) = $e->received;
        my $want = wanted($arm, $in);
        my $line = $arm eq 'off' ? undef : $e->log_next;

        my %saw = (
            answer => $r && $r->{status} == 200 ? $r->json->{at} : 'none',
            tried => scalar @first, first => 'the beginning', requests => @more
                + !!$got,
            body => $got && $got->{body} eq $want ? 'as it should be'
                : 'another',
            length => $got && join(', ', $got->header('Content-Length')),
            coding => $got && join(', ', $got->header('Transfer-Encoding')),
            arm => $got && join(', ', $got->header('X-Arm')),
            logged => $line && $line->{body},
        );

        for my $f (@first) {
            $saw{first} = 'something else'
                if $f->{body} ne substr $want, 0, length $f->{body};
        }
        $head{$arm} = $got->{head} =~ s/^Content-Length: \K\d+/N/mr
            =~ s/^X-(?:Id|Arm): [^\r]*\r\n//migr if $got;

        is_deeply(\%saw, {
            answer => 'last', tried => $path =~ /three/ ? 2 : 1,
            first => 'the beginning', requests => 1,
            body => 'as it should be', length => length $want, coding => '',
            arm => $arm eq 'b' ? 'b' : '',
            logged => $arm eq 'off' ? undef
                : $arm eq 'b' ? 'edited' : 'unchanged',
        }, "$text, $form, $path, $size bytes, $arm")
            or diag($json->encode(\%saw));
    }

    is_deeply([ @head{qw(b control)} ], [ @head{qw(off off)} ],
              "$text, $form, $path, $size bytes - heads alike");
}


my @hows = (
    [ 'gone at the head', 'X-Die', 0 ],
    [ 'gone after a byte', 'X-Die', 1 ],
    [ 'gone in the middle', 'X-Die', 'half' ],
    [ 'gone at the end', 'X-Die', 'all' ],
    [ 'gone without an answer', 'X-Cut', 0 ],
    [ 'gone within its answer', 'X-Cut', 10 ],
    [ 'answers 500', 'X-Status', 500 ],
    [ 'answers 502', 'X-Status', 502 ],
    [ 'answers 503', 'X-Status', 503 ],
);

for my $how (@hows) {
    my ($text, $name, $value) = @$how;

    for my $size (100, 60_000) {
        for my $path ('/memory', '/spooled', '/file') {
            my $n = $value eq 'half' ? int(length(chat($size)) / 2)
                : $value eq 'all' ? length chat($size) : $value;
            retried($text, 'length', $path, $size, $name, $n);
        }
    }
}

for my $form ('length', 'chunked', 'h2') {
    for my $path ('/memory', '/spooled', '/single', '/ten', '/file',
                  '/three', '/three-spooled')
    {
        for my $size (100, 60_000, 400_000) {
            my $half = int(length(chat($size)) / 2);
            retried('gone in the middle', $form, $path, $size, 'X-Die', $half);
        }
    }
    retried('gone in the middle', $form, '/tiny', 3_000, 'X-Die', 1_500);
    retried('says nothing', $form, $_, 60_000, 'X-Hang', 1)
        for '/memory', '/spooled';
    retried('answers 503', $form, '/three', 60_000, 'X-Status', 503);
}


# Without buffering nginx has nothing to send again, but for what an
# experiment made it read.

for my $form ('length', 'chunked', 'h2') {
    for my $how ([ 'X-Die', 30_000 ], [ 'X-Status', 503 ]) {
        my $in = chat(60_000);

        for my $arm ('b', 'control') {
            my $r = ask($form, $arm, '/unbuffered/chat/completions', $in,
                        @$how);
            my $text = "unbuffered, $form, $how->[0], $arm";
            my @first = $e->received('A');
            my $got = $e->received;

            is($r->{status}, 200, "$text - answered by the last");
            is($first[0]{body}, substr(wanted($arm, $in), 0,
                                       length $first[0]{body}),
               "$text - the first got the beginning");
            ok($got && $got->{body} eq wanted($arm, $in),
               "$text - the last got all");
            is($got && $got->header('Content-Length'),
               length wanted($arm, $in), "$text - Content-Length");
            $e->log_next;
        }
    }
}


# Where nginx may not try another, nothing is sent twice.

for my $row ([ '/never', 'X-Die', 30_000, 502 ],
             [ '/mild', 'X-Die', 30_000, 502 ],
             [ '/never', 'X-Status', 503, 503 ])
{
    my ($path, $name, $value, $status) = @$row;

    for my $arm ('b', 'control', 'off') {
        my $r = ask('length', $arm, "$path/chat/completions", chat(60_000),
                    $name, $value);

        is($r->{status}, $status, "$path, $name, $arm - status");
        is(scalar(() = $e->received('A')), 1, "$path, $name, $arm - one try");
        is(scalar(() = $e->received), 0, "$path, $name, $arm - not the last");

        next if $arm eq 'off';
        my $line = $e->log_next;
        is("$line->{status} $line->{body}",
           "$status " . ($arm eq 'b' ? 'edited' : 'unchanged'),
           "$path, $name, $arm - logged");
    }
}

$e->done;
