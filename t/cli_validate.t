#!/usr/bin/perl

# Tests for expctl validate: every fault is shown at its place, with what was
# expected.  t/data/docs/refused holds a document and what is printed for it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Temp qw/ tempdir /;
use FindBin;
use Test::More;

###############################################################################

my $root = abs_path("$FindBin::Bin/..");
my $expctl = abs_path($ENV{EXPCTL} || "$root/build/expctl");
my $docs = "$root/t/data/docs";

my @refused = map { s/\.json$//r } glob "$docs/refused/*.json";
my $dir = tempdir(CLEANUP => 1);

cmp_ok(scalar @refused, '>=', 40, 'at least 40 faults');

for my $path (@refused) {
    my ($name) = $path =~ m!([^/]+)$!;

    chdir "$docs/refused" or die;

    my ($rc, $out, $err) = run("validate $name.json");

    is($err, slurp("$path.txt"), "$name - shown");
    is("$rc $out", '2 ', "$name - exit status");

    my @long = grep { length > 80 } split /\n/, decode($err);
    is("@long", '', "$name - 80 columns");
}

chdir "$docs/good" or die;

is(join('|', run('validate tone.json help.json support-prompt.json '
                 . 'verified.json')),
    "0|tone.json: ok\nhelp.json: ok\nsupport-prompt.json: ok\n"
    . "verified.json: ok\n|", 'good documents');

is(join('|', run('validate .')), "0|./help.json: ok\n"
    . "./support-prompt.json: ok\n./tone.json: ok\n./verified.json: ok\n|",
    'a folder');

is(join('|', run('validate -', slurp('tone.json'))), "0|-: ok\n|", 'stdin');

is(join('|', run('validate -o json tone.json help.json')),
    '0|{"file":"tone.json","ok":true}' . "\n"
    . '{"file":"help.json","ok":true}' . "\n|", 'good documents, json');

is((run('validate -o csv tone.json ../refused/required.json'))[1],
    "FILE,OK\ntone.json,true\n../refused/required.json,false\n", 'csv');

like((run('validate - -', slurp('tone.json')))[2], qr/read only once/,
    'stdin twice');

# JSON

chdir "$docs/refused" or die;

my ($rc, $out, $err) = run('validate -o json step-unknown.json');

is($out, '{"file":"step-unknown.json","line":5,"column":31,'
    . '"pointer":"/variants/1/overrides/answr","found":"\"answr\"",'
    . '"expected":"a step in scope","near":"answer"}' . "\n", 'json');
is("$rc $err", '2 ', 'json - nothing on stderr');

(undef, $out) = run('validate -o json required.json');

is((split /\n/, $out)[1], '{"file":"required.json","line":1,"column":1,'
    . '"pointer":"/unit","found":null,"expected":"\"unit\", which is '
    . 'required","near":null}', 'json - what is not there');

(undef, $out) = run('validate -o json syntax-comma.json');

is($out, '{"file":"syntax-comma.json","line":3,"column":2,"pointer":null,'
    . '"found":null,"expected":"\",\" or \"}\"","near":null}' . "\n",
    'json - syntax');

# several files

($rc, $out, $err) =
    run('validate name-on.json ../good/tone.json layer-name.json');

is($out, "../good/tone.json: ok\n", 'several - the good one');
is($rc, 2, 'several - exit status');
like($err, qr/^expctl: name-on.json: 1 fault\n.*^expctl: layer-name.json: 1/ms,
    'several - all shown');

# files that strings are taken from

chdir $dir or die;

my $system = '{"name": "tone", "unit": "header:X", "variants": [{"name": "a"},'
    . "\n" . ' {"name": "b", "overrides": {"default": {"system":' . "\n"
    . '  {"file": "%s"}}}}]}' . "\n";

spew('good.txt', "One\n");
spew('long.txt', 'x' x (1024 * 1024 + 1));
spew('most.txt', 'x' x (1024 * 1024));
spew('latin.txt', "caf\xe9");
spew('nul.txt', "a\0b");
mkdir 'sub' or die;
spew('sub/in.txt', 'In');
symlink 'good.txt', 'link.txt' or die;
symlink 'sub', 'linked' or die;
symlink '/etc', 'etc' or die;

taken('good.txt', undef, 'file');
taken('sub/in.txt', undef, 'file in a folder');
taken('./good.txt', undef, 'file with a dot');
taken('most.txt', undef, 'file of 1 MB');
taken('long.txt', 'a file of at most 1 MB', 'file too long');
taken('latin.txt', 'a file of UTF-8 without NUL bytes', 'file not UTF-8');
taken('nul.txt', 'a file of UTF-8 without NUL bytes', 'file with NUL');
taken('link.txt', 'a path without symlinks', 'symlink');
taken('linked/in.txt', 'a path without symlinks', 'symlink to a folder');
taken('etc/passwd', 'a path without symlinks', 'symlink to elsewhere');
taken('sub', 'a regular file', 'folder as a file');
taken('sub/../good.txt', 'a path below the document\'s folder, without ".."',
    'dots');
taken('/etc/passwd', 'a path below the document\'s folder', 'absolute');
taken('', 'a path below the document\'s folder', 'empty');

($rc, $out, $err) = run('validate -', sprintf $system, 'good.txt');
like($err, qr/expected a string: from stdin there is no folder/,
    'file - stdin');

# the environment

($rc, $out, $err) = run('validate none.json');
is("$rc $err", "2 expctl: cannot read 'none.json': No such file or directory\n",
    'no such document');

spew('big.json', '"' . 'x' x (4 * 1024 * 1024) . '"');
($rc, $out, $err) = run('validate big.json');
is("$rc $err", "2 expctl: big.json: longer than 4 MB\n", 'document too long');

mkdir 'empty' or die;
($rc, $out, $err) = run('validate empty');
is("$rc $err", "2 expctl: empty: no *.json in it\n",
    'folder without documents');

spew('many.json', '{"name": "tone", "unit": "header:X", "variants": [{"name":'
    . ' "a"}, {"name": "b"}],' . join(',', map { "\n\"x$_\": 1" } 1 .. 100)
    . '}');
($rc, $out, $err) = run('validate many.json');
like($err, qr/^expctl: many.json: 100 faults\n/, 'many faults - counted');
like($err, qr/\n36 more\n$/, 'many faults - not all shown');

# hostile text

spew("e\x1b[31m.json", '{}');
($rc, $out, $err) = run("validate 'e\x1b[31m.json'");
unlike($err, qr/\x1b/, 'name of a file made safe');

done_testing();

###############################################################################

sub taken {
    my ($path, $expected, $name) = @_;

    spew('doc.json', sprintf $system, $path);

    my ($rc, $out, $err) = run('validate -o json doc.json');

    if (!defined $expected) {
        is("$rc $out$err", '0 {"file":"doc.json","ok":true}' . "\n",
            "$name - taken");
        return;
    }

    $expected =~ s/"/\\"/g;

    is("$rc $out", '2 {"file":"doc.json","line":3,"column":12,"pointer":'
        . '"/variants/1/overrides/default/system/file","found":null,'
        . "\"expected\":\"$expected\",\"near\":null}\n", "$name - refused");
}

sub run {
    my ($args, $stdin) = @_;

    spew("$dir/.in", defined $stdin ? $stdin : '');

    my $out = `'$expctl' $args < $dir/.in 2> $dir/.err`;

    return ($? >> 8, $out, slurp("$dir/.err"));
}

sub slurp {
    my ($name) = @_;

    local $/;
    open my $f, '<', $name or die "$name: $!";
    binmode $f;

    my $text = <$f>;
    return defined $text ? $text : '';
}

sub spew {
    my ($name, $text) = @_;

    open my $f, '>', $name or die "$name: $!";
    binmode $f;
    print $f $text;
    close $f or die;
}

sub decode {
    my ($text) = @_;

    utf8::decode($text);
    return $text;
}

###############################################################################
