#!/usr/bin/perl
# Runs the unit tests of lib/ and folds their TAP: a subtest for each binary.
#
# EDGE_VALGRIND=1 runs those that have no sanitizer inside, under valgrind, but
# for those that allocate nothing, or little, and would count for minutes.

use strict;
use warnings;

use FindBin;
use Test::More;

my $build = $ENV{EDGE_BUILD} // "$FindBin::Bin/../build";
my $unit = $ENV{EDGE_VALGRIND} ? "$build/unit-bare" : "$build/unit";
my @wrap = $ENV{EDGE_VALGRIND}
    ? qw(valgrind --quiet --leak-check=full --error-exitcode=99) : ();
my %built = map { m{([^/]+)\z} => $_ } grep { -x } glob "$unit/test_*";
my @wanted = map { m{([^/]+)\.c\z} } glob "$FindBin::Bin/unit/test_*.c";
@wanted = grep { !/\Atest_(?:frac|bucket|growth)\z/ } @wanted
    if $ENV{EDGE_VALGRIND};

$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
$ENV{ASAN_OPTIONS} //= 'detect_leaks=1:abort_on_error=0';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1:halt_on_error=1';

ok(scalar @wanted, 'there are unit tests');

# While the first is read the next one runs.
my %running;

for my $i (0 .. $#wanted) {
    for my $name (grep { defined } @wanted[ $i, $i + 1 ]) {
        $running{$name} //= start($name) if $built{$name};
    }

    subtest $wanted[$i] => sub { fold($wanted[$i]) };
}

done_testing();


sub start {
    my ($name) = @_;
    my $pid = open my $out, '-|';

    die "cannot fork: $!\n" unless defined $pid;
    return $out if $pid;

    open STDERR, '>&', \*STDOUT;
    exec @wrap, $built{$name} or exit 127;
}


sub fold {
    my ($name) = @_;

    if (!$built{$name}) {
        fail("$name is built");
        return;
    }

    my $out = delete $running{$name};
    my ($plan, $n, $failed, @rest) = (undef, 0, 0);

    # What cmocka has to say about a failed test comes after it.
    while (my $line = <$out>) {
        chomp $line;

        if ($line =~ /^1\.\.(\d+)/) {
            $plan += $1;

        } elsif ($line =~ /^(not )?ok \d+(?:\s*-)?\s*(.*)/) {
            my $text = $2;
            $failed = defined $1;
            $n++;
            ok(!$failed, $text);
            @rest = ();

        } elsif ($failed) {
            diag($line);

        } else {
            push @rest, $line;
        }
    }

    close $out;
    my $status = $?;

    is($n, $plan, 'as many tests as planned');
    is($status, 0, 'exit') or $failed or diag(join "\n", @rest);
}
