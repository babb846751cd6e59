#!/usr/bin/perl
# Every form that a body comes in, in each arm and under "experiment off":
# what goes upstream, byte for byte.

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

    # behind both servers, with and without experiments
    LOCATIONS => q{
        location / { proxy_pass http://up; }
        location /small/ { client_body_buffer_size 1k; proxy_pass http://up; }
        location /tiny/ { client_body_buffer_size 16; proxy_pass http://up; }
        location /16k/ { client_body_buffer_size 16k; proxy_pass http://up; }

        location /file/ {
            client_body_in_file_only on;
            proxy_set_header Connection "";
            proxy_set_header X-File $request_body_file;
            proxy_pass http://up;
        }
        location /clean/ {
            client_body_in_file_only clean;
            proxy_set_header Connection "";
            proxy_set_header X-File $request_body_file;
            proxy_pass http://up;
        }
        location /single/ {
            client_body_in_single_buffer on;
            proxy_pass http://up;
        }
        location /single-small/ {
            client_body_in_single_buffer on;
            client_body_buffer_size 1k;
            proxy_pass http://up;
        }

        location /ten/ { proxy_http_version 1.0; proxy_pass http://up; }
        location /stream/ {
            proxy_request_buffering off;
            proxy_pass http://up;
        }
        location /stream-ten/ {
            proxy_request_buffering off;
            proxy_http_version 1.0;
            proxy_pass http://up;
        }
        location /slow/ { proxy_request_buffering off; proxy_pass http://own; }
        location /reject/ {
            experiment_body_error reject;
            experiment_body_max_size 20k;
            proxy_pass http://up;
        }
        location /reject-small/ {
            client_body_buffer_size 1k;
            experiment_body_error reject;
            experiment_body_max_size 20k;
            proxy_request_buffering off;
            proxy_pass http://up;
        }
        location /pass/ {
            client_body_buffer_size 1k;
            experiment_body_max_size 20k;
            proxy_pass http://up;
        }
        location /grpc-json/ { grpc_pass grpc://127.0.0.1:%%PORT_OTHER%%; }
        location /grpc-json-small/ {
            client_body_buffer_size 1k;
            grpc_pass grpc://127.0.0.1:%%PORT_OTHER%%;
        }
        location /grpc/ { grpc_pass grpc://own; }
        location /limit/ { client_max_body_size 1k; proxy_pass http://up; }
        location /limit-other/ {
            client_max_body_size 1k;
            error_page 413 = @other;
            proxy_pass http://up;
        }
        location @other { return 200 other; }
    },
});

$e->upstream(reply => sub {
    my ($r) = @_;
    return { body => '{"n":"' . ($r->header('X-N') // '') . '"}' };
});
my $own = $e->origin('OWN');

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
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    upstream own { server 127.0.0.1:%%PORT_OWN%%; }

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

    # grpc_pass speaks HTTP/2 to this one, which holds it to its length.
    server {
        listen 127.0.0.1:%%PORT_OTHER%% http2;
        location / { proxy_pass http://up; }
    }
}
EOC

my %unit = (
    b => $e->unit('chat', variant => 'b', exposed => 1),
    control => $e->unit('chat', variant => 'control', exposed => 1),
    out => $e->unit('chat', reason => 'not_exposed'),
);
$unit{off} = $unit{b};

my @params = qw(system temperature max_tokens model);
my %edited = map { $_ => 'applied' } @params, 'header:X-Arm';
my %empty = ((map { $_ => 'not_sent' } @params), 'header:X-Arm' => 'applied');
my %passed = ((map { $_ => 'bypassed' } @params), 'header:X-Arm' => 'applied');
my %refused = map { $_ => 'not_sent' } @params, 'header:X-Arm';


sub chat {
    my ($size) = @_;
    my $some = join ' ', map { "word-$_ \\u00e9 \xc3\xa9" } 1 .. 9_999;
    my $text = substr $some x ($size / length($some) + 1), 0, $size;

    # no character is cut in two
    $text =~ s/(?:\\[^\\]{0,5}|[\x80-\xff]+)\z//;

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


# Where two texts part, for a person to read.

sub compared {
    my ($got, $want) = @_;

    return 'as it should be' if $got eq $want;

    ($got ^ $want) =~ /\A(\0*)/;
    my $at = length $1;
    return 'of ' . length($got) . ' bytes for ' . length($want)
        . ", other from $at: " . substr($got, $at, 40);
}


# The head of a request upstream without what may differ between arms.

sub head_of {
    my ($got) = @_;

    return $got->{head} =~ s/^Content-Length: \K\d+/N/mr
        =~ s/^X-(?:Id|Arm|File): [^\r]*\r\n//migr;
}


# One body in one form: $send->($client, $path, $body, @headers) gives the
# answer.  Options: h2 => 1; own_framing => 1, where the head under "off" is
# of another form; once => 1, where the connection ends; applied => {};
# bypass => CAUSE.

sub row {
    my ($text, $path, $in, $send, %o) = @_;
    my $uri = "$path/chat/completions";
    my %head;

    for my $arm ('b', 'control', 'off') {
        my $port = ($o{h2} ? 'PORT_H2' : 'PORT')
            . ($arm eq 'off' ? '_OFF' : '');
        my $class = $o{h2} ? 'Edge::H2' : 'Edge::Client';
        my $c = $class->new($e->port($port));
        my @headers = ('X-Id', $unit{$arm}, 'Content-Type',
                       'application/json');

        my $r = $send->($c, $uri, $in, @headers);
        $c->close if $o{once};
        check("$text, $arm", $uri, $in, $arm, $r, \%head, %o);
        next if $o{once};

        # The connection is good for another.
        my $more = chat(40);
        if ($o{h2}) {
            my $id = $c->open('POST', $uri, @headers);
            $c->data($id, $more, end => 1);
            $r = $c->answer($id);

        } else {
            $c->send(Edge::Client->request('POST', $uri, $more, @headers));
            $r = $c->response;
        }
        check("$text, $arm - another", $uri, $more, $arm, $r, {},
              own_framing => $o{own_framing});
        $c->close;
    }

    my $off = delete $head{off};
    return if $o{own_framing};
    is_deeply(\%head, { map { $_ => $off } keys %head },
              "$text - heads alike");
}


sub check {
    my ($text, $uri, $in, $arm, $r, $head, %o) = @_;
    my ($got, @more) = $e->received;
    my $line = $arm eq 'off' ? undef : $e->log_next;
    my $want = $o{bypass} ? $in : wanted($arm, $in);

    my %saw = (
        status => $r ? $r->{status} : 'none', requests => @more + !!$got,
    );
    my %want = (status => 200, requests => 1);

    if ($got) {
        $head->{$arm} = head_of($got);
        my $chunked = $o{own_framing} && $arm eq 'off' && $in ne ''
            && !defined $got->header('Content-Length');

        $saw{body} = compared($got->{body}, $want);
        $saw{length} = join ', ', $got->header('Content-Length');
        $saw{coding} = join ', ', $got->header('Transfer-Encoding');
        $saw{arm} = join ', ', $got->header('X-Arm');
        @want{qw(body coding arm)} = ('as it should be',
            $chunked ? 'chunked' : '', $arm eq 'b' ? 'b' : '');
        $want{length} = $chunked || ($in eq '' && $saw{length} eq '') ? ''
            : length $want;
    }

    if ($line) {
        my $applied = $line->{experiments}[0]{applied};
        $saw{logged} = "$line->{uri} " . ($line->{body} // 'none');
        $saw{applied} = $applied ? $json->encode($applied) : '';
        $want{logged} = "$uri " . ($in eq '' ? 'none'
            : $o{bypass} ? "bypass:$o{bypass}"
            : $arm eq 'b' ? 'edited' : 'unchanged');
        $want{applied} = $arm ne 'b' ? ''
            : $json->encode($o{bypass} ? \%passed : $o{applied} // \%edited);
    }

    is_deeply(\%saw, \%want, $text)
        or diag($json->encode(\%saw), "\n", $json->encode(\%want));
}


sub at_once {
    my ($c, @request) = @_;

    $c->send(Edge::Client->request('POST', @request));
    return $c->response;
}


# Gives a sender: the body in chunks of so many bytes.

sub in_chunks {
    my ($size) = @_;

    return sub {
        my ($c, $uri, $in, @h) = @_;
        return at_once($c, $uri, Edge::Client->chunked($in, $size), @h,
                       'Transfer-Encoding', 'chunked');
    };
}


# Gives a sender: packets of so many bytes.

sub in_packets {
    my ($size) = @_;

    return sub {
        my ($c, @request) = @_;
        $c->send(unpack "(a$size)*", Edge::Client->request('POST', @request));
        return $c->response;
    };
}


# In memory, in many buffers, in files.

for my $path ('', '/small', '/tiny', '/16k', '/single', '/single-small',
              '/ten')
{
    for my $size (60, 5_000, 70_000) {
        next if $path eq '/tiny' && $size > 5_000;
        my $in = chat($size);
        my $text = "$size bytes, '$path'";

        row("$text, one packet", $path, $in, \&at_once);
        row("$text, chunked", $path, $in, in_chunks(700));
        next if $size == 60;
        row("$text, packets", $path, $in,
            in_packets(int(length($in) / 5)));
    }
}

row('a byte at a time', '', chat(0), in_packets(1));
for my $path ('/tiny', '/single-small') {
    row("a byte at a time after the head, '$path'", $path, chat(0), sub {
        my ($c, @request) = @_;
        my $req = Edge::Client->request('POST', @request);
        my $end = index($req, "\r\n\r\n") + 4;

        $c->send(substr($req, 0, $end), unpack '(a1)*', substr $req, $end);
        return $c->response;
    });
}
row('chunks of one byte', '/small', chat(3_000), in_chunks(1));
row('a megabyte', '/16k', chat(1_000_000), \&at_once);
row('a megabyte, chunked', '/16k', chat(1_000_000), in_chunks(8_000));

row('head first', '', chat(300), sub {
    my ($c, @request) = @_;
    my $req = Edge::Client->request('POST', @request);
    my $end = index($req, "\r\n\r\n") + 4;

    $c->send(substr($req, 0, $end), substr($req, $end));
    return $c->response;
});


# Chunks as the RFC allows them.

for my $path ('', '/small') {
    row("chunk extensions, leading zeros, trailers, '$path'", $path,
        chat(3_000), sub
    {
        my ($c, $uri, $in, @h) = @_;
        my $n = 0;
        my $body = join '', map {
            sprintf "%0*X%s\r\n%s\r\n", $n++ % 5 + 1, length $_,
                ('', ';a', ';a=b', ' ; a="x;y"')[$n % 4], $_
        } unpack '(a111)*', $in;

        return at_once($c, $uri, "${body}000;last\r\nX-Trailer: 1\r\n\r\n",
                       @h, 'Transfer-Encoding', 'chunked');
    });
}

row('chunks cut anywhere by packets', '/small', chat(1_500), sub {
    my ($c, $uri, $in, @h) = @_;

    $c->send(unpack '(a97)*', Edge::Client->request('POST', $uri,
        Edge::Client->chunked($in, 31), @h, 'Transfer-Encoding', 'Chunked'));
    return $c->response;
});


# Other versions and expectations.

row('HTTP/1.0', '', chat(300), sub {
    my ($c, @request) = @_;

    $c->send(Edge::Client->request('POST', @request)
             =~ s{ HTTP/1\.1\r}{ HTTP/1.0\r}r);
    return $c->response;
}, once => 1);

row('HTTP/1.0, keep-alive', '/small', chat(3_000), sub {
    my ($c, @request) = @_;

    $c->send(Edge::Client->request('POST', @request, 'Connection',
                                   'keep-alive')
             =~ s{ HTTP/1\.1\r}{ HTTP/1.0\r}r);
    return $c->response;
});

for my $path ('', '/small', '/stream') {
    for my $coding ('length', 'chunked') {
        my $asked;

        row("100-continue, $coding, '$path'", $path, chat(3_000), sub {
            my ($c, $uri, $in, @h) = @_;

            push @h, $coding eq 'length' ? ('Content-Length', length $in)
                : ('Transfer-Encoding', 'chunked');
            $c->send(Edge::Client->request('POST', $uri, undef, @h, 'Expect',
                                           '100-continue'));
            $c->until(sub { $_[0] =~ /\r\n\r\n/ });
            $c->send($coding eq 'length' ? $in
                     : Edge::Client->chunked($in, 500));

            my $r = $c->response;
            $asked .= $c->{interim} // 0;
            return $r;
        }, own_framing => $path eq '/stream');

        is($asked, '111', "100-continue, $coding, '$path' - asked for once");
    }
}


# No body.

my @nothing = (
    [ 'Content-Length: 0', sub {
        my ($c, $uri, $in, @h) = @_;
        return at_once($c, $uri, '', @h);
    } ],
    [ 'no length', sub {
        my ($c, $uri, $in, @h) = @_;
        return at_once($c, $uri, undef, @h);
    } ],
    [ 'no chunk but the last', sub {
        my ($c, $uri, $in, @h) = @_;
        return at_once($c, $uri, "0\r\n\r\n", @h, 'Transfer-Encoding',
                       'chunked');
    } ],
);

for my $row (@nothing) {
    for my $path ('', '/small', '/file', '/stream') {
        row("empty: $row->[0], '$path'", $path, '', $row->[1],
            applied => \%empty, own_framing => $path eq '/stream');
    }
}


# HTTP/2.

sub h2 {
    my (%o) = @_;

    return sub {
        my ($c, $uri, $in, @h) = @_;

        push @h, 'content-length', length $in if $o{length};
        my $id = $c->open('POST', $uri, $o{none} ? 'end' : (), @h);
        $c->data($id, $in, size => $o{size}, pad => $o{pad},
                 end => !$o{last}) unless $o{none};
        $c->data($id, '', end => 1) if $o{last};
        return $c->answer($id);
    };
}

for my $path ('', '/small', '/tiny', '/single', '/file', '/stream', '/ten') {
    for my $size (60, 5_000, 150_000) {
        next if $path eq '/tiny' && $size > 5_000;

        for my $length (0, 1) {
            my $text = "HTTP/2, $size bytes, '$path', "
                . ($length ? 'with' : 'no') . ' length';
            my %o = (h2 => 1, own_framing => $path eq '/stream');

            row($text, $path, chat($size), h2(length => $length), %o);
            row("$text, an empty frame last", $path, chat($size),
                h2(length => $length, last => 1), %o);
            row("$text, small frames, padded", $path, chat($size),
                h2(length => $length, size => 1_000, pad => 50), %o)
                if $size > 60;
        }
    }
}

row('HTTP/2, a byte a frame', '/small', chat(1_500), h2(size => 1), h2 => 1);
row('HTTP/2, no body', '', '', h2(none => 1), h2 => 1, applied => \%empty);
row('HTTP/2, an empty body', '', '', h2(), h2 => 1, applied => \%empty);
row('HTTP/2, an empty body of length 0', '/small', '', h2(length => 1),
    h2 => 1, applied => \%empty);

# Streams of one connection, interleaved.
{
    my $c = Edge::H2->new($e->port('PORT_H2'));
    my @arms = ('b', 'control', 'b', 'b', 'control');
    my (@id, @in);

    for my $i (0 .. $#arms) {
        push @in, chat(3_000 + 700 * $i);
        push @id, $c->open('POST', '/small/chat/completions', 'x-n', $i,
            'x-id', $unit{ $arms[$i] }, 'content-type', 'application/json');
    }
    for my $at (0 .. 15) {
        for my $i (0 .. $#arms) {
            my $part = int(length($in[$i]) / 16) + 1;
            $c->data($id[$i], substr($in[$i], $at * $part, $part),
                     end => $at == 15);
        }
    }
    is(join(' ', map { $c->answer($_)->{body} } @id),
       join(' ', map { qq({"n":"$_"}) } 0 .. $#arms),
       'HTTP/2, five streams - each has its answer');

    my %got = map { $_->header('X-N') => $_ } $e->received;
    for my $i (0 .. $#arms) {
        is(compared($got{$i}{body}, wanted($arms[$i], $in[$i])),
           'as it should be', "HTTP/2, five streams - $i, $arms[$i]");
    }
    is(scalar(grep { $_->{body} eq 'edited' } $e->log_next(5)), 3,
       'HTTP/2, five streams - logged');
}


# Requests that follow each other on a connection without waiting.

for my $path ('', '/small', '/file', '/stream') {
    my $c = $e->client;
    my @arms = ('b', 'control', 'b', 'out', 'b');
    my @in = map { chat($_) } 40, 400, 200, 40, 3_000;
    my $all = '';

    for my $i (0 .. $#arms) {
        my @h = ('X-Id', $unit{ $arms[$i] }, 'Content-Type',
                 'application/json', 'X-N', $i);
        my $uri = "$path/chat/completions";
        $all .= $i % 2 == 0 ? Edge::Client->request('POST', $uri, $in[$i], @h)
            : Edge::Client->request('POST', $uri,
                  Edge::Client->chunked($in[$i], 100), @h,
                  'Transfer-Encoding', 'chunked');
    }
    $c->send($all);

    for my $i (0 .. $#arms) {
        my $r = $c->response;
        is($r && $r->json->{n}, $i, "pipeline, '$path', $i - its answer");
    }
    my @got = $e->received;
    is(scalar @got, @arms, "pipeline, '$path' - as many requests");
    for my $i (0 .. $#arms) {
        is(compared($got[$i]{body}, wanted($arms[$i], $in[$i])),
           'as it should be', "pipeline, '$path', $i - $arms[$i]");
        is($got[$i]->header('Content-Length'), length $got[$i]{body},
           "pipeline, '$path', $i - length");
    }
    $e->log_next(scalar @arms);
    $c->close;
}

# One connection, many sizes.
{
    my $c = $e->client;

    for my $size (9_000, 10, 70_000, 300, 2_000) {
        my $in = chat($size);
        $c->send(Edge::Client->request('POST', '/16k/chat/completions', $in,
            'X-Id', $unit{b}, 'Content-Type', 'application/json'));
        check("kept connection, $size bytes", '/16k/chat/completions', $in,
              'b', $c->response, {});
    }
    $c->close;
}


# Files: nginx's own stays the client's.

for my $size (60, 5_000) {
    for my $arm ('b', 'control') {
        for my $path ('/file', '/clean') {
            my $in = chat($size);
            my $text = "$path, $size bytes, $arm";
            my $r = $e->post("$path/chat/completions", $in, 'X-Id',
                             $unit{$arm});
            my $got = $e->received;
            my $file = $got->header('X-File') // '';

            is(compared($got->{body}, wanted($arm, $in)), 'as it should be',
               "$text - body");
            is($got->header('Content-Length'), length $got->{body},
               "$text - length");
            like($file, qr{/tmp/body/}, "$text - has a file");
            is($e->log_next->{body}, $arm eq 'b' ? 'edited' : 'unchanged',
               "$text - logged");

            if ($path eq '/file') {
                is(compared($e->read_file($file), $in), 'as it should be',
                   "$text - which has what the client sent");
                unlink $file;

            } else {
                ok($e->wait_for(sub { !-e $file }), "$text - which is gone");
            }
        }
    }
}
row("in a file, chunked, '$_'", $_, chat(3_000), in_chunks(500))
    for '/file', '/clean';


# proxy_request_buffering off: what is edited is read whole.

for my $path ('/stream', '/stream-ten') {
    for my $size (60, 70_000) {
        my $in = chat($size);
        my $text = "unbuffered, $size bytes, '$path'";

        row("$text, one packet", $path, $in, \&at_once);
        row("$text, packets", $path, $in, in_packets(int(length($in) / 5)));
        row("$text, chunked", $path, $in, in_chunks(900), own_framing => 1);
    }
}

# What no experiment needs goes on as it comes.

my @streams = (
    [ 'off', $e->port('PORT_OFF'), 'application/json', 'b' ],
    [ 'not exposed', $e->port, 'application/json', 'out' ],
    [ 'no JSON', $e->port, 'application/octet-stream', 'b' ],
    [ 'JSON in name only', $e->port, 'application/grpc+json', 'b' ],
    [ 'PUT', $e->port, 'application/json', 'b', 'PUT' ],
);

for my $row (@streams) {
    my ($text, $port, $type, $arm, $method) = @$row;
    my $in = chat(2_000);
    my $c = $e->client($port);
    my $req = Edge::Client->request($method // 'POST',
        '/slow/chat/completions', $in, 'X-Id', $unit{$arm}, 'Content-Type',
        $type);

    my $head = length($req) - length $in;
    $c->send(substr $req, 0, $head + 1_000);
    my $s = $e->accepted($own);
    ok($s && $s->until(sub { $_[0] =~ /\r\n\r\n.{900}/s }),
       "streams: $text - the first part goes on before the second comes");
    next unless $s;

    $c->send(substr $req, $head + 1_000);
    $s->until(sub { length $_[0] >= length($in) + index $_[0], "\r\n\r\n" });
    is(compared($s->{in} =~ s/\A.*?\r\n\r\n//sr, $in), 'as it should be',
       "streams: $text - body");
    $s->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    is($c->response->{status}, 200, "streams: $text - answered");
    $s->close;
    $c->close;
    $e->log_next unless $text eq 'off';
}

# gRPC goes both ways at once, whatever is bound.
for my $type ('application/grpc', 'application/grpc+json') {
    for my $arm ('b', 'control', 'off') {
        my $text = "streams: $type, $arm";
        my ($ask, $more) = ('{"model":"large"', ',"temperature":1}');
        my $c = Edge::H2->new($e->port($arm eq 'off' ? 'PORT_H2_OFF'
                                       : 'PORT_H2'));
        my $id = $c->open('POST', '/grpc/chat/completions', 'x-id',
                          $unit{$arm}, 'content-type', $type, 'te', 'trailers');
        my $seen;

        $c->data($id, $ask);
        my $s = $e->accepted($own, 'Edge::H2');
        1 while ($s->{streams}{1}{body} // '') ne $ask && $s->take;
        is($s->{streams}{1}{body}, $ask, "$text - the first part goes on");

        $s->headers(1, 0, ':status', 200, 'content-type', $type);
        $s->data(1, 'first');
        1 while ($c->{streams}{$id}{body} // '') ne 'first' && $c->take;
        is($c->{streams}{$id}{body}, 'first', "$text - is answered meanwhile");

        $c->data($id, $more, end => 1);
        1 while !$s->{streams}{1}{done} && $s->take;
        is($s->{streams}{1}{body}, "$ask$more", "$text - untouched");

        $s->headers(1, 1, 'grpc-status', 0);
        my $r = $c->answer($id);
        is("$r->{status} $r->{body}", '200 first', "$text - to its end");
        $_->close for $c, $s;

        next if $arm eq 'off';
        my $line = $e->log_next;
        is($line->{body}, undef, "$text - not read");
        is_deeply($line->{experiments}[0]{applied},
                  $arm eq 'b' ? \%empty : undef, "$text - applied");
    }
}

# JSON through grpc_pass is read and edited as elsewhere.
for my $path ('/grpc-json', '/grpc-json-small') {
    for my $size (60, 5_000, 70_000) {
        my $in = chat($size);
        my $text = "grpc_pass of JSON, $size bytes, '$path'";

        row("$text, one packet", $path, $in, \&at_once);
        row("$text, chunked", $path, $in, in_chunks(700));
        row("$text, HTTP/2", $path, $in, h2(length => 1), h2 => 1);
        row("$text, HTTP/2, no length", $path, $in, h2(), h2 => 1);
    }
}

# And what one needs does not go on before it is whole.
{
    my $in = chat(2_000);
    my $c = $e->client;
    my $req = Edge::Client->request('POST', '/slow/chat/completions', $in,
        'X-Id', $unit{control}, 'Content-Type', 'application/json');

    $c->send(substr $req, 0, 1_000);
    $e->get('/between', 'X-Id', $unit{out}) for 1 .. 3;
    ok(!$e->accepted($own, undef, 0), 'waits: nothing goes on of a half');
    $c->send(substr $req, 1_000);
    my $s = $e->accepted($own);
    $s->until(sub { length $_[0] >= length($in) + index $_[0], "\r\n\r\n" });
    is(compared($s->{in} =~ s/\A.*?\r\n\r\n//sr, $in), 'as it should be',
       'waits: the whole then goes');
    $s->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    is($c->response->{status}, 200, 'waits: answered');
    $_->close for $s, $c;
    $e->log_next(4);
    $e->received;
}


# Too large for nginx: before us by the length, from inside the read for what
# comes in chunks.

for my $path ('/limit', '/limit-other') {
    for my $form ('length', 'chunked', 'h2', 'h2, no length') {
        for my $arm ('b', 'control', 'off') {
            my $in = chat(20_000);
            my $h2 = $form =~ /h2/;
            my $port = ($h2 ? 'PORT_H2' : 'PORT')
                . ($arm eq 'off' ? '_OFF' : '');
            my $c = ($h2 ? 'Edge::H2' : 'Edge::Client')->new($e->port($port));
            my $send = $form eq 'length' ? \&at_once
                : $form eq 'chunked' ? in_chunks(600)
                : h2(length => $form eq 'h2');
            my $r = $send->($c, "$path/chat/completions", $in, 'X-Id',
                            $unit{$arm}, 'Content-Type', 'application/json');
            my $text = "$path, $form, $arm";

            is($r && $r->{status}, $path eq '/limit' ? 413 : 200,
               "$text - status");
            is(scalar(() = $e->received), 0, "$text - nothing goes upstream");
            $c->close;

            if ($arm ne 'off') {
                my $line = $e->log_next;
                is($line->{body}, undef, "$text - body is not logged");
                is_deeply($line->{experiments}[0]{applied},
                          $arm eq 'b' ? \%refused : undef,
                          "$text - applied");
            }
        }
    }
}

# What cannot be edited, in each form: refused, or passed on in every arm.

my @faults = (
    [ 'malformed', chat(300) =~ s/\}\z//r, 400 ],
    [ 'malformed', chat(6_000) . 'x', 400 ],
    [ 'duplicate', chat(3_000) =~ s/"model"/"model":"a","model"/r, 400 ],
    [ 'root', '[' . chat(3_000) . ']', 400 ],
    [ 'utf8', chat(3_000) =~ s/word-9/word-\xff/r, 400 ],
    [ 'depth', chat(3_000) =~ s/"large"/'[' x 600 . ']' x 600/er, 400 ],
    [ 'size', chat(25_000), 413 ],
);

my %form = (
    'one packet' => \&at_once,
    packets => in_packets(2_000),
    chunked => in_chunks(250),
    h2 => h2(),
    'h2, length' => h2(length => 1, size => 900),
    '100-continue' => sub {
        my ($c, @request) = @_;
        return at_once($c, @request, 'Expect', '100-continue');
    },
);

for my $fault (@faults) {
    my ($cause, $in, $status) = @$fault;

    for my $form (sort keys %form) {
        my $h2 = $form =~ /^h2/;

        row("$cause, $form, passed on", '/pass', $in, $form{$form},
            h2 => $h2, bypass => $cause);

        for my $path ('/reject', '/reject-small') {
            for my $arm ('b', 'control') {
                refused("$cause, $form, $arm, '$path'", $h2, $path, $in,
                        $form{$form}, $arm, $cause, $status);
            }
        }
    }
}


sub refused {
    my ($text, $h2, $path, $in, $send, $arm, $cause, $status) = @_;
    my $uri = "$path/chat/completions";
    my @headers = ('X-Id', $unit{$arm}, 'Content-Type', 'application/json');
    my $c = ($h2 ? 'Edge::H2' : 'Edge::Client')
        ->new($e->port($h2 ? 'PORT_H2' : 'PORT'));
    my $r = $send->($c, $uri, $in, @headers);

    is($r && $r->{status}, $status, "$text - status");
    my $error = $r ? $r->json->{error} : {};
    is("$error->{type} $error->{code}", "experiment_body $cause",
       "$text - answer");
    is(scalar(() = $e->received), 0, "$text - nothing goes upstream");

    # Another one on the connection is served, where nginx kept it.
    my $more = chat(40);
    if ($h2) {
        my $id = $c->open('POST', $uri, @headers);
        $c->data($id, $more, end => 1);
        $r = $c->answer($id);

    } elsif (lc($r->header('Connection') // '') ne 'close') {
        $c->send(Edge::Client->request('POST', $uri, $more, @headers));
        $r = $c->response;

    } else {
        undef $r;
    }
    $c->close;

    my $line = $e->log_next;
    is("$line->{status} " . ($line->{body} // ''),
       "$status rejected:$cause", "$text - logged");
    is_deeply($line->{experiments}[0]{applied},
              $arm eq 'b' ? \%refused : undef, "$text - applied");

    if ($r) {
        check("$text - another", $uri, $more, $arm, $r, {});

    } else {
        fail("$text - the connection is closed");
    }
}

for my $arm ('out', 'off') {
    my $in = chat(3_000) . 'x';
    my $r = $e->post('/reject/chat/completions', $in, 'X-Id', $unit{$arm},
                     port => $e->port($arm eq 'off' ? 'PORT_OFF' : 'PORT'));
    is($r->{status}, 200, "not refused: $arm - served");
    is(compared($e->received->{body}, $in), 'as it should be',
       "not refused: $arm - untouched");
    $e->log_next if $arm eq 'out';
}


# Too large for us alone: untouched in every arm.
my $huge = chat(9_000_000);
for my $row ([ 'a length', \&at_once ], [ 'chunks', in_chunks(90_000) ]) {
    row("over 8m, $row->[0]", '/16k', $huge, $row->[1],
        bypass => 'size');
}


# A baseline that itself edits: refused for who is exposed, passed on for who
# is not, though for both it would have been edited.
$e->apply($json->encode({
    name => 'base', layer => 'base', unit => 'header:X-Id', steps => ['base'],
    variants => [
        { name => 'control', overrides => { base => { temperature => 0.1 } } },
        { name => 'b', overrides => { base => { temperature => 0.2 } } },
    ] }));
$e->stage('base', 'ab', '--exposure', '0.5');

for my $row ([ 1, 400, 'rejected:malformed', 'not_sent' ],
             [ 0, 200, 'bypass:malformed', 'bypassed' ])
{
    my ($exposed, $status, $body, $code) = @$row;
    my $text = 'an editing baseline, ' . ($exposed ? '' : 'not ') . 'exposed';
    my @who = ('X-Id', $e->unit('base', variant => 'control',
                                exposed => $exposed),
               'X-Inference-Step', 'base');

    my $in = chat(500);
    $e->post('/reject/chat/completions', $in, @who);
    like($e->received->{body}, qr/"temperature":0\.1\b/, "$text - edited");
    $e->log_next;

    my $r = $e->post('/reject/chat/completions', "$in}", @who);
    is($r->{status}, $status, "$text - status");
    is(join('', map { $_->{body} } $e->received), $exposed ? '' : "$in}",
       "$text - upstream");

    my $line = $e->log_next;
    my ($x) = grep { $_->{name} eq 'base' } @{ $line->{experiments} };
    is("$line->{body} $x->{applied}{temperature}", "$body $code",
       "$text - logged");
}

$e->done;
