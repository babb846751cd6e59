package Edge::Upstream;

# A small HTTP/1.1 server that records what it received, byte for byte, and
# answers what it is told to.  By itself it speaks OpenAI chat, as JSON and as
# an event stream.
#
# A reply is a hash:
#   status   => 200
#   headers  => [ Name => 'value', ... ]     Content-Length is added
#   body     => bytes                        or
#   pieces   => [ [ SECONDS, bytes ], ... ]  sent chunked, each after a pause
#   delay    => SECONDS                      before the first byte
#   cut      => N                            close after N bytes of the answer
#   bare     => "..."                        in place of all of it, no HTTP
#   close    => 1                            close after the answer
#   broken   => 1                            close where pieces ought to end
#
# reply => sub ($req) is called when a request is complete, early => sub
# ($req) when its head is: if that returns a number, the connection is closed
# once so many bytes of the body have come.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 decode_base64);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my %reason = (
    200 => 'OK', 201 => 'Created', 204 => 'No Content', 302 => 'Found',
    304 => 'Not Modified', 400 => 'Bad Request', 404 => 'Not Found',
    429 => 'Too Many Requests', 500 => 'Internal Server Error',
    502 => 'Bad Gateway', 503 => 'Service Unavailable',
);

my $json = JSON::PP->new->canonical->latin1;


# start(socket => LISTENING, record => FILE, reply => sub, early => sub)
# forks; the child serves until it is killed.

sub start {
    my ($class, %o) = @_;

    open my $touch, '>>', $o{record} or die "cannot open '$o{record}': $!\n";
    close $touch;

    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        my $ok = eval { $class->serve(%o); 1 };
        print STDERR "upstream: $@" unless $ok;
        require POSIX;
        POSIX::_exit(1);
    }

    return bless { pid => $pid, record => $o{record}, at => 0 }, $class;
}


# The requests that were recorded since the last call.

sub received {
    my ($self) = @_;
    my @requests;

    open my $f, '<', $self->{record}
        or die "cannot open '$self->{record}': $!\n";
    seek $f, $self->{at}, 0;

    while (my $line = <$f>) {
        last unless $line =~ /\n\z/;
        $self->{at} += length $line;
        my ($body, $rest) = split / /, $line, 2;
        my $r = $json->decode($rest);
        $r->{body} = decode_base64($body);
        push @requests, bless $r, 'Edge::Upstream::Request';
    }

    return @requests;
}


sub serve {
    my ($class, %o) = @_;
    my $parent = getppid();

    open my $record, '>>', $o{record}
        or die "cannot open '$o{record}': $!\n";
    $record->autoflush(1);

    my $self = bless {
        %o, record => $record, conns => {}, count => 0, nconns => 0,
        in => IO::Select->new($o{socket}), out => IO::Select->new,
    }, $class;

    $o{socket}->blocking(0);

    for ( ;; ) {
        my ($r, $w) = IO::Select->select($self->{in}, $self->{out}, undef,
                                         $self->next_timer);

        for my $s (@{ $r || [] }) {
            if ($s == $o{socket}) {
                $self->accept_all;

            } elsif (my $c = $self->{conns}{$s}) {
                $self->read_some($c);
            }
        }

        for my $s (@{ $w || [] }) {
            my $c = $self->{conns}{$s};
            $self->write_some($c) if $c;
        }

        $self->run_timers;

        # A test that was killed leaves nobody behind.
        return if getppid() != $parent;
    }
}


sub next_timer {
    my ($self) = @_;
    my $next = 1;
    my $now = time;

    for my $c (values %{ $self->{conns} }) {
        my $p = $c->{pending}[0] or next;
        my $left = $p->[0] - $now;
        $next = $left < 0 ? 0 : $left if $left < $next;
    }

    return $next;
}


sub run_timers {
    my ($self) = @_;
    my $now = time;

    for my $c (values %{ $self->{conns} }) {
        my $due = 0;

        while ($c->{pending}[0] && $c->{pending}[0][0] <= $now) {
            my $p = shift @{ $c->{pending} };
            $c->{out} .= $p->[1];
            $c->{closing} = 1 if $p->[2];
            $due = 1;
        }

        next unless $due;
        $self->write_some($c);

        if (!@{ $c->{pending} } && $self->{conns}{ $c->{s} }) {
            $c->{busy} = 0;
            $self->parse($c);
        }
    }
}


sub accept_all {
    my ($self) = @_;

    while (my $s = $self->{socket}->accept) {
        $s->blocking(0);
        setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
        $self->{conns}{$s} = {
            s => $s, in => '', out => '', pending => [], busy => 0,
            n => ++$self->{nconns},
        };
        $self->{in}->add($s);
    }
}


sub drop {
    my ($self, $c) = @_;

    $self->{in}->remove($c->{s});
    $self->{out}->remove($c->{s});
    delete $self->{conns}{ $c->{s} };
    close $c->{s};
}


sub read_some {
    my ($self, $c) = @_;
    my $n = sysread $c->{s}, $c->{in}, 262144, length $c->{in};

    if (!defined $n) {
        return if $!{EAGAIN} || $!{EINTR};
        return $self->drop($c);
    }

    return $self->drop($c) if $n == 0;

    $self->parse($c) unless $c->{busy};
}


sub write_some {
    my ($self, $c) = @_;

    if (length $c->{out}) {
        my $n = syswrite $c->{s}, $c->{out};

        if (defined $n) {
            substr $c->{out}, 0, $n, '';

        } elsif (!$!{EAGAIN} && !$!{EINTR}) {
            return $self->drop($c);
        }
    }

    if (length $c->{out}) {
        $self->{out}->add($c->{s});
        return;
    }

    $self->{out}->remove($c->{s});
    $self->drop($c) if $c->{closing};
}


sub parse {
    my ($self, $c) = @_;

    if (!$c->{req}) {
        my $end = index $c->{in}, "\r\n\r\n";
        return if $end < 0;

        my $head = substr $c->{in}, 0, $end + 4, '';
        my ($line, @lines) = split /\r\n/, $head;
        my ($method, $uri, $version) = split / /, $line;

        # Heads are compared: the edge's id differs from request to request.
        my $same = $head =~ s/^X-Experiment-Request-Id: [0-9a-f]{32}\r\n//mr;

        my $req = bless {
            n => ++$self->{count}, conn => $c->{n}, method => $method,
            uri => $uri, version => $version, head => $same, body => '',
            headers => [ map { [ /^([^:]*):[ \t]*(.*?)[ \t]*\z/s ] } @lines ],
        }, 'Edge::Upstream::Request';

        $req->{left} = $req->header('Content-Length') // 0;
        $req->{chunked} = 1
            if lc($req->header('Transfer-Encoding') // '') eq 'chunked';

        my $cut = $self->{early} ? $self->{early}->($req) : undef;
        $c->{cut_body} = $cut;
        $c->{req} = $req;

        if (lc($req->header('Expect') // '') eq '100-continue') {
            $c->{out} .= "HTTP/1.1 100 Continue\r\n\r\n";
            $self->write_some($c);
        }
    }

    my $req = $c->{req};

    if (defined $c->{cut_body} && length $c->{in} >= $c->{cut_body}) {
        $req->{body} = $c->{in};
        $req->{cut} = 1;
        $self->note($req);
        return $self->drop($c);
    }

    if ($req->{chunked}) {
        return unless $self->parse_chunks($c, $req);

    } else {
        return if length $c->{in} < $req->{left};
        $req->{body} = substr $c->{in}, 0, $req->{left}, '';
    }

    delete $c->{req};
    $c->{busy} = 1;

    $self->note($req);
    $self->answer($c, $req, ($self->{reply} || \&chat)->($req));
}


sub parse_chunks {
    my ($self, $c, $req) = @_;
    my $at = 0;
    my $body = '';

    for ( ;; ) {
        my $eol = index $c->{in}, "\r\n", $at;
        return 0 if $eol < 0;

        my $size = hex substr $c->{in}, $at, $eol - $at;
        $at = $eol + 2;
        return 0 if length $c->{in} < $at + $size + 2;

        $body .= substr $c->{in}, $at, $size;
        $at += $size + 2;
        last if $size == 0;
    }

    substr $c->{in}, 0, $at, '';
    $req->{body} = $body;
    return 1;
}


sub note {
    my ($self, $req) = @_;
    my %r = %$req;

    # JSON::PP takes a second for a megabyte: the body stands before it.
    delete @r{qw(left body)};
    $r{time} = time;
    print { $self->{record} } encode_base64($req->{body}, ''), ' ',
        $json->encode(\%r), "\n";
}


sub answer {
    my ($self, $c, $req, $reply) = @_;
    my $status = $reply->{status} // 200;
    my @headers = @{ $reply->{headers} || [] };
    my %has = map { lc $_ => 1 } @headers[ grep { !($_ & 1) } 0 .. $#headers ];
    my $now = time + ($reply->{delay} // 0);
    my @out;

    unshift @headers, 'Content-Type', $reply->{type} // 'application/json'
        unless $has{'content-type'};

    if ($reply->{pieces}) {
        push @headers, 'Transfer-Encoding', 'chunked';

    } elsif (!$has{'content-length'} && $status != 204 && $status != 304) {
        push @headers, 'Content-Length', length($reply->{body} // '');
    }

    push @headers, 'Connection', 'close' if $reply->{close};

    my $head = "HTTP/1.1 $status " . ($reason{$status} // 'Status') . "\r\n";
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    $head .= "\r\n";

    if ($reply->{pieces}) {
        push @out, [ $now, $head ];
        for my $p (@{ $reply->{pieces} }) {
            $now += $p->[0];
            push @out, [ $now, sprintf("%x\r\n%s\r\n", length $p->[1],
                                       $p->[1]) ];
        }
        push @out, [ $now, $reply->{broken} ? '' : "0\r\n\r\n" ];

    } elsif (defined $reply->{bare}) {
        push @out, [ $now, $reply->{bare}, 1 ];

    } else {
        my $body = $req->{method} eq 'HEAD' ? '' : $reply->{body} // '';
        push @out, [ $now, $head . $body ];
    }

    if (defined $reply->{cut}) {
        my $left = $reply->{cut};
        for my $p (@out) {
            $p->[1] = substr $p->[1], 0, $left;
            $left -= length $p->[1];
        }
        $out[-1][2] = 1;
    }

    $out[-1][2] = 1 if $reply->{close} || $reply->{broken};
    $c->{pending} = \@out;
    $self->run_timers;
}


# OpenAI chat: an answer that says which system prompt and temperature came,
# in as many words as max_tokens allows, at a few words a millisecond.

sub chat {
    my ($req) = @_;
    my $in = eval { JSON::PP->new->utf8->decode($req->{body}) };

    if (ref $in ne 'HASH' || ref $in->{messages} ne 'ARRAY') {
        return { body => qq({"ok":true,"method":"$req->{method}"}) }
            if $req->{method} eq 'GET';
        return { status => 400, body => '{"error":{"type":'
            . '"invalid_request_error","message":"no messages array"}}' };
    }

    my ($first) = @{ $in->{messages} };
    my $system = ref $first eq 'HASH' && ($first->{role} // '') eq 'system'
        ? $first->{content} // '' : '';
    my $model = $in->{model} // 'stub';
    my $words = $system =~ /concise|short|brief/i ? 12 : 40;

    my $limit = $in->{max_tokens} // $in->{max_completion_tokens};
    my $cut = defined $limit && $limit < $words;
    $words = $limit if $cut;

    my @words = ('word') x $words;
    my $usage = { prompt_tokens => int(length($req->{body}) / 4),
                  completion_tokens => $words,
                  total_tokens => int(length($req->{body}) / 4) + $words };
    my %common = (id => "chatcmpl-$req->{n}", created => int(time),
                  model => $model);
    my $enc = JSON::PP->new->canonical->utf8;
    my $finish = $cut ? 'length' : 'stop';
    my $pace = 0.0001;

    if (!$in->{stream}) {
        return {
            delay => $pace * $words,
            body => $enc->encode({
                %common, object => 'chat.completion', usage => $usage,
                choices => [ { index => 0, finish_reason => $finish,
                    message => { role => 'assistant',
                                 content => join ' ', @words } } ],
            }),
        };
    }

    my $event = sub {
        my ($delta, $end) = @_;
        return 'data: ' . $enc->encode({
            %common, object => 'chat.completion.chunk',
            choices => [ { index => 0, delta => $delta,
                           finish_reason => $end } ],
        }) . "\n\n";
    };

    my @pieces = ([ 0.001, $event->({ role => 'assistant', content => '' }) ]);
    while (my @some = splice @words, 0, 4) {
        push @pieces, [ $pace * @some, $event->({ content => "@some " }) ];
    }
    push @pieces, [ 0, $event->({}, $finish) ];

    if (ref $in->{stream_options} eq 'HASH'
        && $in->{stream_options}{include_usage})
    {
        push @pieces, [ 0, 'data: ' . $enc->encode({ %common,
            object => 'chat.completion.chunk', choices => [],
            usage => $usage }) . "\n\n" ];
    }
    push @pieces, [ 0, "data: [DONE]\n\n" ];

    return { type => 'text/event-stream', pieces => \@pieces };
}


package Edge::Upstream::Request;

# All values of a header, in order of arrival; in scalar context the first.

sub header {
    my ($self, $name) = @_;
    my @values = map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{ $self->{headers} };

    return wantarray ? @values : $values[0];
}


sub json {
    my ($self) = @_;

    return JSON::PP->new->utf8->decode($self->{body});
}


1;
