package Edge::Load;

# Clients that ask without a pause while something else happens, and count
# what failed.
#
#     my $load = Edge::Load->start($e, clients => 4, requests => sub { ... });
#     ...
#     my $got = $load->stop;      # { sent, failed, wrong, why }
#
# requests gives the bytes of the next request.  "failed" are connections that
# ended before an answer was whole, "wrong" are answers other than 200; "why"
# is the first of either.  With close => 1 each request has a connection of
# its own: a kept one may be closed by a worker that leaves at the very moment
# that it is used, which is nobody's failure.

use strict;
use warnings;

use IO::Select;
use POSIX ();
use Time::HiRes qw(time);

use Edge::Client;


sub start {
    my ($class, $e, %o) = @_;

    pipe my $stop_r, my $stop_w or die "pipe: $!\n";

    my $self = bless { stop => $stop_w, clients => [] }, $class;

    for my $n (1 .. $o{clients} // 2) {
        pipe my $r, my $w or die "pipe: $!\n";
        my $pid = fork() // die "fork: $!\n";

        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            $SIG{PIPE} = 'IGNORE';
            close $stop_w;
            close $r;
            srand $n;
            my $got = ask($o{port} // $e->port, IO::Select->new($stop_r), %o);
            syswrite $w, join("\t", @$got{qw(sent failed wrong why)}) . "\n";
            POSIX::_exit(0);
        }

        close $w;
        push @{ $self->{clients} }, [ $pid, $r ];
    }

    return $self;
}


sub ask {
    my ($port, $stop, %o) = @_;
    my %got = (sent => 0, failed => 0, wrong => 0, why => '');
    my $c;

    # on a busy machine all may be over before the first request

    while (!$got{sent} || !$stop->can_read($o{pause} // 0)) {

        my $r = eval {
            $c //= Edge::Client->new($port, timeout => 20);
            $c->send($o{requests}->());
            $c->response;
        };
        my $error = $@;

        $got{sent}++;

        if (!$r || $r->{cut}) {
            $got{failed}++;
            $got{why} ||= $error || 'closed without a whole answer';

        } elsif ($r->{status} != 200) {
            $got{wrong}++;
            $got{why} ||= "status $r->{status}";
        }

        if (!$r || $r->{cut} || $o{close}) {
            $c->close if $c;
            undef $c;
        }
    }

    $got{why} =~ s/\s+/ /g;
    return \%got;
}


sub stop {
    my ($self) = @_;
    my %sum = (sent => 0, failed => 0, wrong => 0, why => '');

    close delete $self->{stop};

    for my $client (@{ $self->{clients} }) {
        my ($pid, $r) = @$client;
        my $line = <$r> // "0\t1\t0\ta client died";
        chomp $line;
        my ($sent, $failed, $wrong, $why) = split /\t/, $line, 4;

        $sum{sent} += $sent;
        $sum{failed} += $failed;
        $sum{wrong} += $wrong;
        $sum{why} ||= $why;
        waitpid $pid, 0;
    }

    return \%sum;
}


1;
