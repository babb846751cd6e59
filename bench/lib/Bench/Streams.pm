package Bench::Streams;

# Event streams through the sides, by bench-stream, and their tables.
#
#     my $s = Bench::Streams->new(servers => SIDES, cores => 'EDGE,LOAD',
#                                 events => 500,
#                                 cpu => sub { seconds of a process },
#                                 output => sub { what a command prints });
#     my $got = $s->load('plain', '-s', 1);

use strict;
use warnings;

use List::Util qw(max sum);

use Bench::Stats qw(median commas ratio);

our %text = (
    chat => 'Chat Completions', responses => 'Responses',
    messages => 'Messages',
);

# What times() gives, and what it is of.
our @times = (
    [ 'first', 'first event with content' ],
    [ 'event', 'every event' ],
);


sub new {
    my ($class, %o) = @_;

    return bless { events => 500, %o }, $class;
}


sub run {
    my ($self, $sides, @options) = @_;

    return $self->{output}->(
        "$Edge::build/bench-stream", @options, '-l',
        $self->{servers}->provider,
        map { $self->{servers}->stream($_) } @$sides);
}


# One block of one side.

sub load {
    my ($self, $side, @options) = @_;
    my $worker = $self->{servers}->worker($side);
    my $before = $self->{cpu}->($worker);
    my $out = $self->run([ $side ], '-e', $self->{events}, @options);
    my $used = $self->{cpu}->($worker) - $before;
    my %got;

    @got{qw(streams events ns lost stalled gap first50 first99 event50
            event99)} = $out =~ /^\Q$side\E((?: \d+){10})$/m
        ? split ' ', $1 : die "bench: bench-stream printed\n$out";
    $got{seconds} = $got{ns} / 1e9;

    $self->{servers}->forget($side);
    return { %got, rate => $got{events} / $got{seconds},
             cpu => $used / $got{events} * 1e6,
             busy => $used / $got{seconds} };
}


sub table {
    my ($self, $title, $sides, $got) = @_;
    my $format = "%-6s %8s %9s %8s %5s  %-20s  %s\n";
    my $plain = $got->{plain};
    my @added;

    print "\n$title, $self->{events} events each\n";
    printf $format, 'SIDE', 'EVENTS/S', 'STREAMS/S', 'US/EVENT', 'BUSY',
        'EVENTS/S RATIO', 'US/EVENT RATIO';

    for my $side (@$sides) {
        my @g = @{ $got->{$side} };
        my @ratio = $side eq 'plain' ? ('1', '1') : !$plain ? ('-', '-')
            : map { ratio('%.3f', pairs($got, $side, $_,
                                        sub { $_[0] / $_[1] })) }
                  'rate', 'cpu';

        push @added, "$side " . ratio('%.2f', pairs($got, $side, 'cpu',
                                                    sub { $_[0] - $_[1] }))
            if $plain && $side ne 'plain';

        printf $format, $side, commas(sprintf '%.0f', median_of('rate', @g)),
            commas(sprintf '%.0f', median_of('rate', @g)
                           / $self->{events}),
            sprintf('%.2f', median_of('cpu', @g)),
            sprintf('%.0f %%', 100 * median_of('busy', @g)), @ratio;
    }

    print 'added, microseconds an event: ', join(', ', @added), "\n" if @added;
}


# What $of gives of a side and plain, in pairs.

sub pairs {
    my ($got, $side, $key, $of) = @_;

    return map { $of->($got->{$side}[$_]{$key}, $got->{plain}[$_]{$key}) }
        0 .. $#{ $got->{$side} };
}


sub median_of {
    my ($key, @g) = @_;

    return median(map { $_->{$key} } @g);
}


# Of one stream at a time: rounds by side of quantiles, and all of a side; in
# microseconds.  The streams are short: what is asked is when their first
# content comes.

sub times {
    my ($self, $sides, $rounds, $streams) = @_;
    my %got = (streams => $streams);
    my $out = $self->run($sides, '-i', $self->{cores}, '-c', 1, '-e', 16,
                         '-r', $rounds, '-n', $streams);

    for my $line (split /\n/, $out) {
        my ($side, @v) = split ' ', $line;

        if (grep { $_->[0] eq $side } @times) {
            my ($name, undef, @ns) = @v;
            $got{$side}{all}{$name} = [ map { $_ / 1000 } @ns ];

        } else {
            push @{ $got{first}{rounds}{$side} },
                { p50 => $v[6] / 1000, p99 => $v[7] / 1000 };
            push @{ $got{event}{rounds}{$side} },
                { p50 => $v[8] / 1000, p99 => $v[9] / 1000 };
        }
    }

    $self->{servers}->forget($_) for @$sides;
    return \%got;
}


sub crowd_table {
    my ($self, $sides, $got) = @_;
    my $format = "%-6s  %7s  %5s  %7s  %9s  %9s  %9s  %9s\n";

    print "\n512 streams at once, $self->{events} events each, milliseconds\n";
    printf $format, 'SIDE', 'STREAMS', 'LOST', 'STALLED', 'EVENTS/S',
        'EVENT P50', 'EVENT P99', 'GAP';

    for my $side (@$sides) {
        my @g = @{ $got->{$side} };

        printf $format, $side,
            map({ my $key = $_; commas(sum map { $_->{$key} } @g) }
                'streams', 'lost', 'stalled'),
            commas(sprintf '%.0f', median_of('rate', @g)),
            map({ sprintf '%.2f', $_ / 1e6 } median_of('event50', @g),
                median_of('event99', @g), max map { $_->{gap} } @g);
    }
}


1;
