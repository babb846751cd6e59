#!/usr/bin/perl

# Tests for the grammar of expctl: help, options, errors, completions, and
# that the manual has every command and option.

use warnings;
use strict;

use lib 't/lib';

use Edge::Cli;
use Test::More;

###############################################################################

my $dir = folder();
my $expctl = $ENV{EXPCTL} || 'build/expctl';
my ($rc, $out, $err);

# without arguments

($rc, $out, $err) = expctl();
is("$rc $out", '2 ', 'no arguments');
like($err, qr/\Ausage: expctl COMMAND \[ARGS\] \[OPTIONS\]\n/, 'usage');

my @commands = $err =~ /^  ([a-z]+) +/mg;
is("@commands", 'init apply validate get list tree stage pause resume '
    . 'rollback assign explain try analyze log top price doctor completion '
    . 'version help',
    'all commands');

# help

($rc, $out, $err) = expctl('help');
is("$rc $err", '0 ', 'help');
is(join("\n", expctl('--help')), "0\n$out\n", '--help is the same');
is(join("\n", expctl('-h')), "0\n$out\n", '-h is the same');

my %options;

for my $c (@commands) {
    my ($rc, $out) = expctl('help', $c);

    is("$rc\n" . (expctl($c, '-h'))[1], "0\n$out", "help $c - as -h");
    is_deeply([grep { length > 80 } split /\n/, $out], [],
        "help $c - 80 columns");
    like($out, qr/\Aexpctl $c: .+\nusage: expctl $c\b.* \[OPTIONS\]$/m,
        "help $c - usage");

    is_deeply([grep { /^ +(?:\w.*\| )?expctl \w/ && !/^  \S/ }
               split /\n/, $out], [], "help $c - examples by two");

    $options{$c} = [$out =~ /^  (?:-\w, )?--([a-z-]+)/mg];
}

for (['price', 'set'], ['price', 'list'], ['log', 'show'],
     ['completion', 'zsh'])
{
    is(join("\n", expctl('help', @$_)), join("\n", expctl($_->[0], '-h')),
        "help @$_ - as -h");
}

# the manual

my $man = slurp('cli/expctl.1');
$man =~ s/\\-/-/g;

for my $c (@commands) {
    my ($section) = $man =~ /^\.SS \Q$c\E(?=[ \n])(.*?)(?=^\.S[SH])/ms;
    ok(defined $section, "manual - $c");

    my ($common) = $man =~ /^\.SH COMMON OPTIONS(.*?)(?=^\.SH)/ms;

    my $text = ($section // '') . $common;

    is_deeply([grep { $text !~ /--$_\b/ } @{ $options{$c} }], [],
        "manual - options of $c");
}

my @known = map { @$_ } values %options;
my @manual = $man =~ /--([a-z][a-z-]*)/g;
my %known = map { $_ => 1 } @known;
is_deeply([grep { !$known{$_} } @manual], [], 'manual - nothing else');

SKIP: {
    skip 'no man', 1 unless grep { -x "$_/groff" } split /:/, $ENV{PATH};
    is(`groff -man -Tascii -ww cli/expctl.1 2>&1 >/dev/null`, '',
        'manual - no warning');
}

# what is not known

for (
    [['stge'], "unknown command 'stge', near: stage", 'help'],
    [['frobnicate'], "unknown command 'frobnicate'", 'help'],
    [['help', 'lst'], "unknown command 'lst', near: list", 'help'],
    [['help', 'price', 'st'],
        "unexpected argument 'st', expected set/list [MODEL]", 'price -h'],
    [['help', 'list', 'all'], "unexpected argument 'all', expected none",
        'list -h'],
    [['help', 'try', ''], "unexpected argument '', expected NAME", 'try -h'],
    [['list', '--stag', 'x'], "unknown option '--stag', near: --stage",
        'list -h'],
    [['list', '--stag=x'], "unknown option '--stag', near: --stage",
        'list -h'],
    [['list', '-x'], "unknown option '-x'", 'list -h'],
    [['resume', '--all'], "unknown option '--all'", 'resume -h'],
    [['list', '--dry-run'], "unknown option '--dry-run'", 'list -h'],
    [['list', 'x'], "unexpected argument 'x', expected none", 'list -h'],
    [['list', '--layer'], "option '--layer' needs a value: L", 'list -h'],
    [['list', '--all=1'], "option '--all' takes no value", 'list -h'],
    [['list', '-o', 'xml'],
        "unknown output 'xml', expected table, json or csv", 'list -h'],
    [['list', '--stage', 'ab', '--stage', 'off'],
        "option '--stage' is given twice", 'list -h'],
    [['stage', 'x'], 'stage needs NAME off/canary/ab/rollout', 'stage -h'],
    [['--bogus'], "unknown option '--bogus'", 'help'],
    [['-q'], 'no command is given', 'help'],
    [['completion', 'bsh'], "unknown shell 'bsh', near: bash",
        'completion -h'],
    [["st\e[31mge"], "unknown command 'st\\x1b[31mge'", 'help'],
) {
    my ($args, $text, $next) = @$_;

    ($rc, $out, $err) = expctl(@$args);
    is("$rc $out", '2 ', "'@$args' - refused" =~ s/\e/ESC/r);
    like($err, qr/\Aexpctl: \Q$text\E.*\nnext: expctl \Q$next\E\n\z/,
        "'@$args' - told" =~ s/\e/ESC/r);
}

($rc, $out, $err) = expctl('resume', '--all');
unlike($err, qr/near/, 'a short word is near to less');

# options

init_registry();
expctl('apply', '-f', document('tone'));

my (undef, $list) = expctl('list', '-o', 'json');
my $registry = registry();

is((expctl('-o', 'json', 'list'))[1], $list, 'option before the command');
is((expctl('list', '--output=json'))[1], $list, '--opt=value');
is((expctl('list', '-ojson'))[1], $list, '-ovalue');
is((expctl('--registry', $registry, 'list', '-o', 'json'))[1], $list,
    'value before the command');
is((expctl('list', '-o', 'json', '--'))[1], $list, '-- ends options');
($rc, $out, $err) = expctl('get', '--', '--state');
like($err, qr/there is no experiment '--state'/, '-- an argument');

{
    local $ENV{EXPCTL_REGISTRY} = '/nowhere';
    ($rc) = expctl('list');
    is($rc, 3, 'EXPCTL_REGISTRY');
    is((expctl('list', '-o', 'json', '--registry', $registry))[1], $list,
        '--registry wins');
}

# version

like((expctl('version'))[1], qr/\Aexpctl \d+\.\d+\.\d+\n\z/, 'version');
is((expctl('--version'))[1], (expctl('version'))[1], '--version');
like((expctl('version', '-o', 'json'))[1], qr/\A\{"version":"[\d.]+",/,
    'version - json');

# a result that cannot be written

SKIP: {
    skip 'no /dev/full', 2 unless -w '/dev/full';

    system("$expctl list >/dev/full 2>$dir/err");
    is($? >> 8, 3, 'full - exit status');
    like(slurp("$dir/err"), qr/cannot write to stdout/, 'full - told');
}

my $data = slurp("$registry/registry/data.mdb");
system("$expctl list >&- 2>$dir/err");
is($? >> 8, 3, 'closed stdout');
system("$expctl stage tone canary >&- 2>&- <&-");
is($? >> 8, 3, 'all closed');
($rc, $out) = expctl('list');
like($out, qr/^tone  canary/m, 'all closed - the registry is whole');

# a terminal

SKIP: {
    my $script = `script --version 2>/dev/null`;
    skip 'no script(1)', 10 unless $script;

    expctl('apply', '-f', spew('long.json', '{"name":"long",'
        . '"unit":"header:X","layer":"z","variants":[{"name":"a"},'
        . '{"name":"b","overrides":{"default":{"system":"'
        . 'x' x 200 . '"}}}]}'));

    $out = tty('tree long', 'COLUMNS=60');
    like($out, qr/x{20,}\.\.\.$/m, 'terminal - last column is cut');
    is_deeply([grep { length > 60 } split /\n/, $out], [],
        'terminal - at its width');
    unlike((expctl('tree', 'long'))[1], qr/\.\.\./, 'pipe - whole');

    expctl('apply', '-f', spew('owned.json', '{"name":"long",'
        . '"owner":"' . 'o' x 120 . '","unit":"header:X","layer":"z",'
        . '"variants":[{"name":"a"},{"name":"b"}]}'));

    $out = tty('list', 'COLUMNS=80');
    like($out, qr/ z  +o{5,}\.\.\. /, 'terminal - a long owner is cut');
    is_deeply([grep { length > 80 } split /\n/, $out], [],
        'terminal - list at its width');
    like((expctl('list'))[1], qr/o{120}/, 'pipe - the owner is whole');

    like(tty('init'), qr/^next: these lines in http of nginx\.conf/m,
        'terminal - next');
    like(tty('init'), qr/^  experiment_registry \Q$registry\E;$/m,
        'terminal - lines of nginx.conf');
    unlike(tty('init -q'), qr/next:/, 'quiet - no next');
    unlike(join('', expctl('init')), qr/next:/, 'pipe - no next');
}

# completions

for my $shell (qw/ bash zsh fish /) {
    ($rc, $out) = expctl('completion', $shell);
    is($rc, 0, "completion $shell");
    spew("completion.$shell", $out);

    is_deeply([grep { $out !~ /\b\Q$_\E\b/ } @commands], [],
        "completion $shell - commands");

    my $dashes = $shell eq 'fish' ? '-l ' : '--';
    is_deeply([grep { index($out, "$dashes$_") == -1 } @known], [],
        "completion $shell - options");

    SKIP: {
        skip "no $shell", 1
            unless grep { -x "$_/$shell" } split /:/, $ENV{PATH};
        is(`$shell -n $dir/completion.$shell 2>&1`, '',
            "completion $shell - syntax");
    }
}

sub complete {
    my $words = join ' ', map { "'$_'" } @_;

    (my $bin = $expctl) =~ s!/[^/]*$!!;
    spew('call', qq(PATH="\$(cd $bin && pwd):\$PATH"\n)
        . "source $dir/completion.bash\n"
        . "COMP_WORDS=($words)\nCOMP_CWORD=\$((\${#COMP_WORDS[@]} - 1))\n"
        . "_expctl\necho \"\${COMPREPLY[*]}\"\n");

    return `bash $dir/call`;
}

is(complete('expctl', 'sta'), "stage\n", 'completes a command');
is(complete('expctl', 'stage', ''), "off canary ab rollout long tone\n",
    'completes names');
is(complete('expctl', 'stage', 'tone', 'ro'), "rollout\n", 'a stage');
is(complete('expctl', 'stage', 'tone', 'ab', '--e'), "--exposure\n",
    'an option');
is(complete('expctl', 'list', '-o', ''), "table json csv\n", 'a value');
is(complete('expctl', 'try', 'tone', '--dialect', 'o'),
    "openai_chat openai_responses\n", 'a dialect');
is(complete('expctl', '--registry', 'x', 'pau'), "pause\n",
    'behind an option with a value');

done_testing();

###############################################################################
