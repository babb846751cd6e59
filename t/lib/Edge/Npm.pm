package Edge::Npm;

# The packages that t/tools/get-npm installed, and the node that runs scripts
# of t/npm with them.
#
#     use Edge::Npm;
#     Edge::Npm->plan;        # skips the test where there was no registry
#     my @events = Edge::Npm->run('sdk.mjs', { env => {...} }, ARG, ...);
#
# EDGE_NPM names another folder than build/npm.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP ();
use Test::More ();

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $json = JSON::PP->new->utf8;


sub dir { return $ENV{EDGE_NPM} // "$top/build/npm" }
sub node { return dir() . '/node' }


# Skips the whole test if get-npm said that it reaches no registry, and dies
# if it was not run.

sub plan {
    return if -x node() && -e dir() . '/stamp';

    if (open my $f, '<', dir() . '/unreachable') {
        chomp(my $why = <$f> // '');
        Test::More::plan(skip_all => $why) unless $ENV{CI};
    }

    die "no '@{[ node() ]}': run make clients first\n";
}


# The version of a package that is installed.

sub version {
    my ($class, $name) = @_;
    my $path = dir() . "/node_modules/$name/package.json";

    open my $f, '<', $path or die "cannot open '$path': $!\n";
    local $/;
    return $json->decode(scalar <$f>)->{version};
}


# Runs a script of t/npm; gives what it printed, a value of JSON a line.  Dies
# with what it said if it fails, or does not end in a minute, under valgrind
# in ten.

sub run {
    my ($class, $script, @args) = @_;
    my $o = ref $args[0] eq 'HASH' ? shift @args : {};

    local %ENV = (%ENV, EDGE_NPM => dir(), %{ $o->{env} || {} });

    my $seconds = $ENV{EDGE_VALGRIND} ? 600 : 60;

    open my $out, '-|', 'timeout', $seconds, node(), "$top/t/npm/$script",
         @args
        or die "cannot run '@{[ node() ]}': $!\n";
    my @lines = <$out>;
    close $out or die "$script: status $?\n@lines";

    return map { $json->decode($_) } @lines;
}


1;
