package Bench::Stats;

# Medians and their intervals, and numbers as the tables print them.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(median interval order commas ratio);


sub median {
    my @v = sort { $a <=> $b } @_;

    return ($v[ $#v / 2 ] + $v[ @v / 2 ]) / 2;
}


# [v(k), v(n+1-k)] holds the median with probability 1 - 2 P(Bin(n,1/2) < k).

sub interval {
    my @v = sort { $a <=> $b } @_;
    my $n = @v;
    my ($k) = order($n);

    return ($v[ $k - 1 ], $v[ $n - $k ]);
}


# k and its coverage: the least of at least 95 %.  Fewer than six values reach
# that nowhere, and take their whole range for what it covers; of one, nothing.

sub order {
    my ($n) = @_;
    my ($k, $covers, $below, $c) = (1, 1 - 2 ** (1 - $n), 0, 1);

    for my $i (0 .. $n / 2 - 1) {
        $below += $c / 2 ** $n;
        last if 1 - 2 * $below < 0.95;
        ($k, $covers) = ($i + 1, 1 - 2 * $below);
        $c = $c * ($n - $i) / ($i + 1);
    }

    return ($k, $covers);
}


sub commas {
    my ($n) = @_;

    1 while $n =~ s/^(-?\d+)(\d{3})/$1,$2/;
    return $n;
}


# The median of some values with its interval; $form is the form of each.

sub ratio {
    my ($form, @v) = @_;

    return sprintf "$form [-]", @v if @v < 2;
    return sprintf "$form [$form, $form]", median(@v), interval(@v);
}


1;
