package Edge::Client;

# An HTTP/1.1 client over one socket that sends exactly the bytes that it is
# given, in the pieces that it is given.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);


sub new {
    my ($class, $port, %o) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                  Proto => 'tcp', Timeout => 5)
        or die "cannot connect to 127.0.0.1:$port: $@\n";
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
    binmode $s;

    return over($class, $s, %o);
}


# The same over a socket that is there, also one that was accepted.

sub over {
    my ($class, $s, %o) = @_;

    return bless { s => $s, in => '', timeout => $o{timeout}
                   // ($ENV{EDGE_VALGRIND} ? 60 : 10) }, $class;
}


# Sends pieces one after another, with a pause between them so that each is
# a read of its own at the other end.

sub send {
    my ($self, @pieces) = @_;
    my $first = 1;

    local $SIG{PIPE} = 'IGNORE';

    for my $p (@pieces) {
        sleep 0.005 unless $first;
        $first = 0;

        my $at = 0;
        while ($at < length $p) {
            my $n = syswrite $self->{s}, $p, length($p) - $at, $at;
            return 0 unless defined $n;
            $at += $n;
        }
    }

    return 1;
}


sub close {
    my ($self) = @_;

    CORE::close($self->{s}) if $self->{s};
    delete $self->{s};
}


# Ends our side; the other may still answer.

sub shutdown {
    my ($self) = @_;

    shutdown $self->{s}, 1;
}


sub fill {
    my ($self) = @_;

    die "timeout while reading an answer\n"
        unless IO::Select->new($self->{s})->can_read($self->{timeout});

    my $n = sysread $self->{s}, $self->{in}, 65536, length $self->{in};
    return $n // 0;
}


# Reads until $cond, given what has come and was not taken yet, is true; 0 if
# the other end closed before.

sub until {
    my ($self, $cond) = @_;

    until ($cond->($self->{in})) {
        return 0 unless $self->fill;
    }

    return 1;
}


# 1 once the other end has closed.

sub closed {
    my ($self) = @_;

    1 while $self->fill;
    return 1;
}


# The bytes of a request.  headers is a flat list; Host and Content-Length are
# added unless named; a name given as "-Host" leaves it out.

sub request {
    my ($class, $method, $uri, $body, @headers) = @_;
    my %has = map { lc(s/^-//r) => 1 }
        @headers[ grep { !($_ & 1) } 0 .. $#headers ];
    my $raw = "$method $uri HTTP/1.1\r\n";

    $raw .= "Host: edge.test\r\n" unless $has{host};

    while (my ($name, $value) = splice @headers, 0, 2) {
        $raw .= "$name: $value\r\n" unless $name =~ /^-/;
    }

    if (defined $body && !$has{'content-length'}
        && !$has{'transfer-encoding'})
    {
        $raw .= 'Content-Length: ' . length($body) . "\r\n";
    }

    return "$raw\r\n" . ($body // '');
}


# A body as chunks of so many bytes.

sub chunked {
    my ($class, $body, $size) = @_;
    my $out = '';

    for (my $i = 0; $i < length $body; $i += $size) {
        my $piece = substr $body, $i, $size;
        $out .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
    }

    return $out . "0\r\n\r\n";
}


# Reads one answer; head => 1 for the answer to HEAD.  undef if the other end
# closed before the first byte.

sub response {
    my ($self, %o) = @_;
    my $r;

    for ( ;; ) {
        my $end;

        while (($end = index $self->{in}, "\r\n\r\n") < 0) {
            next if $self->fill;
            return undef if $self->{in} eq '';
            return bless { status => 0, headers => [], body => '',
                           raw => $self->{in}, cut => 1 },
                         'Edge::Response';
        }

        my $head = substr $self->{in}, 0, $end + 4, '';
        my ($line, @lines) = split /\r\n/, $head;
        my (undef, $status) = split / /, $line;

        if ($status =~ /^1/ && $status != 101) {
            $self->{interim}++;
            next;
        }

        $r = bless { status => $status, raw => $head, body => '',
            headers => [ map { [ /^([^:]*):[ \t]*(.*)\z/s ] } @lines ] },
            'Edge::Response';
        last;
    }

    return $r if $o{head} || $r->{status} == 204 || $r->{status} == 304;

    my $length = $r->header('Content-Length');

    if (lc($r->header('Transfer-Encoding') // '') eq 'chunked') {
        $self->read_chunks($r);

    } elsif (defined $length) {
        while (length $self->{in} < $length) {
            next if $self->fill;
            $r->{cut} = 1;
            last;
        }
        $r->{body} = substr $self->{in}, 0, $length, '';

    } else {
        1 while $self->fill;
        $r->{body} = $self->{in};
        $self->{in} = '';
    }

    return $r;
}


sub read_chunks {
    my ($self, $r) = @_;

    for ( ;; ) {
        my ($eol, $size);

        while (($eol = index $self->{in}, "\r\n") < 0) {
            next if $self->fill;
            $r->{cut} = 1;
            return;
        }

        $size = hex substr $self->{in}, 0, $eol;

        while (length $self->{in} < $eol + 4 + $size) {
            next if $self->fill;
            $r->{cut} = 1;
            return;
        }

        $r->{body} .= substr $self->{in}, $eol + 2, $size;
        substr $self->{in}, 0, $eol + 4 + $size, '';
        return if $size == 0;
    }
}


package Edge::Response;

# All values of a header; in scalar context the first.

sub header {
    my ($self, $name) = @_;
    my @values = map { $_->[1] }
        grep { lc $_->[0] eq lc $name } @{ $self->{headers} };

    return wantarray ? @values : $values[0];
}


sub json {
    my ($self) = @_;

    require JSON::PP;
    return JSON::PP->new->utf8->decode($self->{body});
}


1;
