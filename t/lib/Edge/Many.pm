package Edge::Many;

# Many live experiments: of four variants, each with a prompt of 1 KB of its
# own, 64 in a layer, each layer on a step of its own.
#
#     my @names = Edge::Many::documents($e->dir . '/many', 10000);
#     Edge::Many::document($n, $text)      one of them, as JSON
#     Edge::Many::layers(10000)            how many layers that makes
#
# locations() is the nginx configuration that binds each layer at /LAYER.

use strict;
use warnings;

use POSIX ();

our $per_layer = 64;


sub name { return sprintf 'e%05d', $_[0] }
sub layer { return sprintf 'l%03d', $_[0] }
sub step { return sprintf 's%03d', $_[0] }
sub layers { return POSIX::ceil($_[0] / $per_layer) }


# With another text it is another document.

sub document {
    my ($n, $text) = @_;
    my $layer = int $n / $per_layer;
    my $at = $n % $per_layer;
    my ($name, $l, $s) = (name($n), layer($layer), step($layer));
    my ($from, $to) = map { $_ / $per_layer } $at, $at + 1;

    $text //= 'You are a careful assistant';

    my @variants = map {
        my $prompt = substr "$name v$_: " . "$text number $n. " x 64, 0, 1024;
        qq({"name":"v$_","overrides":{"$s":{"system":"$prompt"}}})
    } 0 .. 3;

    return qq({"name":"$name","stage":{"name":"ab","exposure":1},)
        . qq("unit":"header:X-Id","steps":["$s"],)
        . qq("layer":{"name":"$l","range":[$from,$to]},)
        . '"variants":[' . join(',', @variants) . "]}\n";
}


sub documents {
    my ($dir, $count) = @_;

    mkdir $dir or die "cannot make '$dir': $!\n";

    for my $n (0 .. $count - 1) {
        open my $f, '>', "$dir/" . name($n) . '.json'
            or die "cannot open a document: $!\n";
        print $f document($n);
        close $f or die "cannot write a document: $!\n";
    }

    return map { name($_) } 0 .. $count - 1;
}


sub locations {
    my ($count, $proxy) = @_;

    return join '', map {
        my ($l, $s) = (layer($_), step($_));
        "location = /$l { experiment layer=$l; experiment_step $s; $proxy }\n"
    } 0 .. layers($count) - 1;
}


1;
