package Edge::Status;

# What the status of a server should say: the lines of the log, added up.
#
#     my $rows = Edge::Status::of_log($e->log_lines);
#     $rows->{'tone 1 concise default'}{requests}
#
# samples() reads Prometheus's text; rows() keys the rows of the JSON alike.

use strict;
use warnings;

use POSIX ();

our @errors = qw(5xx 429 stream);
our @causes = qw(malformed utf8 root depth size duplicate encoded);
our %tokens = (
    input => 'input_tokens', output => 'output_tokens',
    cached => 'cache_read.input_tokens',
    cache_write => 'cache_creation.input_tokens',
    reasoning => 'reasoning.output_tokens',
);
our @plain = qw(aborted rejected no_usage unmetered no_price);
our @times = qw(response_ms ttft_ms tpot_ms);


# By hand, as the reference of the log describes it, not as the module does.

sub of_log {
    my %rows;

    for my $line (@_) {
        for my $x (@{ $line->{experiments} }) {
            next if $x->{reason} eq 'off';

            my $variant = $x->{exposed} ? $x->{variant} : "_$x->{reason}";
            my $row = $rows{"$x->{name} $x->{phase} $variant $line->{step}"}
                //= empty();
            count($row, $line, $x);
        }
    }

    return \%rows;
}


sub empty {
    return {
        requests => 0, units => {}, errors => { map { $_ => 0 } @errors },
        bypassed => { map { $_ => 0 } @causes }, nano => 0, currency => '',
        tokens => { map { $_ => 0 } keys %tokens },
        (map { $_ => 0 } @plain), map { $_ => [] } @times,
    };
}


sub count {
    my ($row, $line, $x) = @_;

    $row->{requests}++;
    $row->{units}{ $x->{unit} } = 1 if defined $x->{unit};

    my $error = $line->{aborted} ? undef
        : $line->{status} >= 500 ? '5xx'
        : ($line->{upstream_status} // 0) == 429 ? '429'
        : $line->{stream_error} ? 'stream' : undef;

    $row->{errors}{$error}++ if defined $error;
    $row->{aborted}++ if $line->{aborted};

    my ($body, $cause) = split /:/, $line->{body} // '';
    $row->{bypassed}{$cause}++ if ($body // '') eq 'bypass';
    $row->{rejected}++ if ($body // '') eq 'rejected';

    for my $t (keys %tokens) {
        $row->{tokens}{$t} += $line->{"gen_ai.usage.$tokens{$t}"} // 0;
    }

    # a row has one currency, the first: another is no price
    $row->{currency} ||= $line->{currency};
    my $paid = defined $line->{cost}
        && $line->{currency} eq $row->{currency};
    $row->{nano} += POSIX::floor($line->{cost} * 1e9 + 0.5) if $paid;

    my $told = defined $line->{'gen_ai.usage.output_tokens'};
    $row->{unmetered}++ if $line->{unmetered};
    $row->{no_price}++ if $told && !$paid;
    $row->{no_usage}++ if !$told && !$line->{unmetered}
        && grep { defined $line->{$_} }
            qw(gen_ai.response.model ttft_ms empty stream);

    for my $t (@times) {
        push @{ $row->{$t} }, $line->{$t} if defined $line->{$t};
    }
}


# The ceil(p n)-th smallest.

sub quantile {
    my ($p, @values) = @_;

    @values = sort { $a <=> $b } @values;
    return $values[ POSIX::ceil($p * @values - 1e-9) - 1 ];
}


sub rows {
    my ($status) = @_;
    my %rows;

    for my $x (@{ $status->{experiments} }) {
        $rows{"$x->{name} $_->{phase} $_->{variant} $_->{step}"} = $_
            for @{ $x->{rows} };
    }

    return \%rows;
}


# { 'NAME{label="value",...}' => value }, and its order.

sub samples {
    my ($text) = @_;
    my (%samples, @order);

    for my $line (grep { !/^#/ } split /\n/, $text) {
        my ($name, $value) = $line =~ /^(\w+(?:\{.*\})?) (\S+)$/
            or die "no sample: $line\n";
        die "twice: $name\n" if exists $samples{$name};
        $samples{$name} = $value;
        push @order, $name;
    }

    return (\%samples, \@order);
}


1;
