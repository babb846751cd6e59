package Edge::H2;

# One end of an HTTP/2 connection without TLS, frame by frame: a client that
# knows beforehand (new), or a server over an accepted socket (over).  Header
# names and values go as plain literals; of those that come only the status
# is read.
#
#     my $h = Edge::H2->new($port);
#     my $id = $h->open('POST', '/v1', 'x-id' => 'u-1');
#     $h->data($id, $part); $h->data($id, $rest, end => 1);
#     is($h->answer($id)->{status}, 200, 'served');

use strict;
use warnings;

use Edge::Client;

our @ISA = ('Edge::Client');

use constant {
    DATA => 0, HEADERS => 1, RST => 3, SETTINGS => 4, PING => 6, GOAWAY => 7,
    WINDOW => 8, END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8,
};

my $preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
my @static = (200, 204, 206, 304, 400, 404, 500);


sub new {
    my ($class, $port, %o) = @_;
    my $self = $class->SUPER::new($port, %o)->setup(1);

    $self->send($preface . $self->frame(SETTINGS, 0, 0, ''));
    return $self;
}


# The server's end.

sub over {
    my ($class, $socket, %o) = @_;
    my $self = $class->SUPER::over($socket, %o)->setup(2);

    $self->until(sub { length $_[0] >= length $preface });
    substr $self->{in}, 0, length $preface, '';
    $self->send($self->frame(SETTINGS, 0, 0, ''));
    return $self;
}


sub setup {
    my ($self, $first) = @_;

    $self->{next} = $first;
    $self->{window} = { 0 => 65535 };
    $self->{initial} = 65535;
    $self->{streams} = {};
    return $self;
}


sub frame {
    my ($class, $type, $flags, $id, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $id) . $payload;
}


sub block {
    my ($class, @headers) = @_;
    my $out = '';

    while (my ($name, $value) = splice @headers, 0, 2) {
        $out .= "\0" . literal(lc $name) . literal($value);
    }

    return $out;
}


sub literal {
    my ($text) = @_;
    my $n = length $text;
    my $out = chr($n < 127 ? $n : 127);

    if ($n >= 127) {
        for ($n -= 127; $n >= 128; $n >>= 7) {
            $out .= chr($n & 127 | 128);
        }
        $out .= chr $n;
    }

    return $out . $text;
}


# A new stream; "end" as the first of the headers: without a body.

sub open {
    my ($self, $method, $uri, @headers) = @_;
    my $end = @headers % 2 ? shift @headers eq 'end' : 0;
    my $id = $self->{next};

    $self->{next} += 2;
    $self->send($self->frame(HEADERS, END_HEADERS | ($end ? END_STREAM : 0),
        $id, $self->block(':method', $method, ':scheme', 'http', ':path',
                          $uri, ':authority', 'edge.test', @headers)));
    return $id;
}


# Headers on a stream that is there: an answer, or trailers.

sub headers {
    my ($self, $id, $end, @headers) = @_;

    $self->send($self->frame(HEADERS, END_HEADERS | ($end ? END_STREAM : 0),
                             $id, $self->block(@headers)));
}


# A part of a body, in frames of at most "size" bytes, as the other end's
# windows allow; "pad" adds so many bytes of padding to each.

sub data {
    my ($self, $id, $bytes, %o) = @_;
    my $size = $o{size} // 16384;
    my $pad = $o{pad};
    my $at = 0;

    $size -= $pad + 1 if defined $pad && $size + $pad + 1 > 16384;

    for ( ;; ) {
        my $left = length($bytes) - $at;
        my $n = $left < $size ? $left : $size;
        my $cost = $n + (defined $pad ? $pad + 1 : 0);

        while ($n && ($cost > $self->window($id)
                      || $cost > $self->{window}{0}))
        {
            return 0 if $self->{streams}{$id}{done} || !$self->take;
        }

        my $piece = substr $bytes, $at, $n;
        my $last = $o{end} && $n == $left;
        my $flags = $last ? END_STREAM : 0;

        if (defined $pad) {
            $piece = chr($pad) . $piece . "\0" x $pad;
            $flags |= PADDED;
        }

        $self->send($self->frame(DATA, $flags, $id, $piece)) or return 0;
        $self->{window}{$_} -= $cost for $id, 0;
        $at += $n;
        return 1 if $at >= length $bytes;
    }
}


sub window {
    my ($self, $id) = @_;

    return $self->{window}{$id} //= $self->{initial};
}


sub reset {
    my ($self, $id) = @_;

    $self->send($self->frame(RST, 0, $id, pack 'N', 8));
}


# Reads one frame and does what it asks for; false when the other end has
# closed.

sub take {
    my ($self) = @_;

    while (length $self->{in} < 9) {
        $self->fill or return 0;
    }

    my ($hi, $lo, $type, $flags, $id) = unpack 'CnCCN', $self->{in};
    my $len = $hi << 16 | $lo;

    while (length $self->{in} < 9 + $len) {
        $self->fill or return 0;
    }

    my $p = substr substr($self->{in}, 0, 9 + $len, ''), 9;
    my $s = $id ? $self->{streams}{$id} //= { body => '' } : undef;

    if ($type == SETTINGS && !($flags & ACK)) {
        $self->settings($p);

    } elsif ($type == PING && !($flags & ACK)) {
        $self->send($self->frame(PING, ACK, 0, $p));

    } elsif ($type == WINDOW) {
        $self->window($id);
        $self->{window}{$id} += unpack 'N', $p;

    } elsif ($type == DATA) {
        $s->{body} .= $p;
        $self->send(join '', map { $self->frame(WINDOW, 0, $_, pack 'N', $len)
        } 0, $id) if $len && !($flags & END_STREAM);

    } elsif ($type == HEADERS) {
        $s->{status} //= status($p);
        $s->{blocks}++;

    } elsif ($type == RST) {
        $s->{reset} = unpack 'N', $p;
        $s->{done} = 1;

    } elsif ($type == GOAWAY) {
        $self->{goaway} = unpack 'x4N', $p;
    }

    $s->{done} = 1 if ($type == DATA || $type == HEADERS)
        && $flags & END_STREAM;

    return 1;
}


sub settings {
    my ($self, $p) = @_;

    while (length $p) {
        my ($key, $value) = unpack 'nN', substr $p, 0, 6, '';
        next if $key != 4;

        for my $id (grep { $_ } keys %{ $self->{window} }) {
            $self->{window}{$id} += $value - $self->{initial};
        }
        $self->{initial} = $value;
    }

    $self->send($self->frame(SETTINGS, ACK, 0, ''));
}


# The status of nginx's header block, which comes first in it.

sub status {
    my ($p) = @_;
    my $first = ord $p;

    return $static[ $first - 0x88 ] if $first >= 0x88 && $first <= 0x8e;
    return $p =~ /\A[\x08\x48]\x03(\d\d\d)/ ? $1 : 0;
}


# What has come on a stream, once it has ended; status 0: it was reset, or
# the connection was closed.

sub answer {
    my ($self, $id) = @_;

    until ($self->{streams}{$id}{done}) {
        $self->take or last;
    }

    my $s = $self->{streams}{$id};
    return bless { status => $s->{status} // 0, body => $s->{body} // '',
                   headers => [], reset => $s->{reset} }, 'Edge::Response';
}


1;
