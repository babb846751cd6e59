package Edge::Cli;

# expctl on a private registry: run() gives exit status, stdout and stderr.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use Exporter qw/ import /;
use File::Temp qw/ tempdir /;

our @EXPORT = qw/ expctl expctl_in expctl_pid registry folder spew slurp
    init_registry document tty /;

my $expctl = abs_path($ENV{EXPCTL} || 'build/expctl');
my $dir = tempdir('expctl-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $n = 0;

delete $ENV{$_} for qw/ EXPCTL_REGISTRY NO_COLOR COLUMNS /;
$ENV{EXPCTL_REGISTRY} = "$dir/registry";

chmod 0755, $dir;

# The folder of this test, and the registry in it.

sub folder { $dir }

sub registry { $ENV{EXPCTL_REGISTRY} }

sub spew {
    my ($name, $text) = @_;

    my $path = $name =~ m!^/! ? $name : "$dir/$name";
    open my $f, '>:raw', $path or die "$path: $!";
    print $f $text;
    close $f or die "$path: $!";

    return $path;
}

sub slurp {
    my ($path) = @_;

    local $/;
    open my $f, '<:raw', $path or return '';

    return scalar(<$f>) // '';
}

# Runs with stdin from a text; the last argument of expctl_in().

sub expctl_in {
    my $in = pop;
    my $id = $n++;

    spew("in.$id", $in);

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', "$dir/in.$id" or die;
        open STDOUT, '>', "$dir/out.$id" or die;
        open STDERR, '>', "$dir/err.$id" or die;
        exec $expctl, @_ or die "$expctl: $!";
    }

    waitpid $pid, 0;
    my $rc = $? & 127 ? "signal " . ($? & 127) : $? >> 8;
    my @text = map { slurp("$dir/$_.$id") } qw/ out err /;

    unlink map { "$dir/$_.$id" } qw/ in out err /;

    return ($rc, @text);
}

sub expctl { expctl_in(@_, '') }

# What it prints on a terminal; environment is set for it, "COLUMNS=60".

sub tty {
    my ($args, $environment) = @_;

    my $command = ($environment // '') . " $expctl $args";
    my $text = `TERM=xterm script -qec '$command' /dev/null </dev/null`;
    $text =~ s/\r//g;

    return $text;
}

# Starts one and leaves it running.

sub expctl_pid {
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec $expctl, @_ or die;
    }

    return $pid;
}

# With one's own group: works as root and as anyone else.

sub init_registry {
    my ($gid) = split / /, $);

    my ($rc, $out, $err) = expctl('init', '--group', $gid, '--log',
        "$dir/log/*.log*", @_);
    die "init: $rc $err" if $rc ne 0;

    return $out;
}

# A document of two variants that differ in temperature; more members follow.

sub document {
    my ($name, $more) = @_;

    $more = defined $more ? ",$more" : '';

    return spew("$name.json", qq({"name":"$name","unit":"header:X-Id")
        . qq($more,"variants":[{"name":"control"},{"name":"concise",)
        . qq("overrides":{"default":{"temperature":0.5}}}]}\n));
}

1;
