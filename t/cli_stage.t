#!/usr/bin/perl

# Tests for expctl stage, pause, resume, rollback: what happens.

use warnings;
use strict;

use lib 't/lib';

use Edge::Cli;
use JSON::PP;
use Test::More;

###############################################################################

my $dir = folder();
my ($rc, $out, $err);

init_registry();
expctl('apply', '-f', document('tone', '"layer":"chat"'));

sub state_of {
    my (undef, $text) = expctl('get', $_[0], '--state', '-o', 'json');
    return decode_json($text);
}

# as OUTPUT 3 shows it

($rc, $out, $err) = expctl('stage', 'tone', 'canary', '-m', 'first light');
like($out, qr/\Atone: off -> canary, exposure 5 %, phase 1, registry \d+\n/,
    'canary - 5 % unless told');
is("$rc $err", '0 ', 'canary - exit status');

($rc, $out, $err) = expctl('stage', 'tone', 'ab', '--share', 'concise=10%',
    '-m', 'canary clean, 48 h');
$out =~ s/registry \d+/registry N/;
is($out, <<'EOF', 'ab - share');
tone: canary -> ab, exposure 5 % -> 20 %, phase 1, registry N
             BEFORE  AFTER
control       2.5 %   10 %
concise       2.5 %   10 %
not exposed    95 %   80 %   15 % join, nobody changes variant
EOF

my $s = state_of('tone');
is(join(' ', @$s{qw/ stage exposure phase revision reason /}),
    'ab 0.2 1 1 canary clean, 48 h', 'state');
like($s->{by}, qr/^[^@]+@[^@]+$/, 'state - actor');

($rc, $out) = expctl('list');
like($out, qr/^tone  ab +20 % +2  chat   - .* canary clean, 48 h$/m,
    'list - note');

# nothing to do

my $current = slurp(registry() . '/serving/current');
($rc, $out) = expctl('stage', 'tone', 'ab', '--exposure', '0.2');
is("$rc $out", "0 tone: stays ab, exposure 20 %, phase 1\n", 'stays');
is(slurp(registry() . '/serving/current'), $current, 'stays - not written');

# exposures and shares

($rc, $out) = expctl('stage', 'tone', 'ab');
like($out, qr/exposure 20 % -> 100 %/, 'ab - 100 % unless told');

($rc, $out) = expctl('stage', '--exposure=12.3456789%', 'tone', 'ab');
is($rc, 0, 'exposure - nine digits');
like($out, qr/exposure 100 % -> 12.3456789 %/, 'exposure - printed whole');

($rc, $out) = expctl('--exposure', '10%', 'stage', 'tone', 'ab');
is($rc, 0, 'options anywhere');

for my $bad ('11', '-1%', 'x', '', '101%', '0.1234567891') {
    ($rc, $out, $err) = expctl('stage', 'tone', 'ab', "--exposure=$bad");
    is($rc, 2, "exposure '$bad' - refused");
}

for my $bad ('concise', 'concise=', '=10%', 'concise=60%', 'nobody=1%') {
    ($rc, $out, $err) = expctl('stage', 'tone', 'ab', '--share', $bad);
    is($rc, 2, "share '$bad' - refused");
}

($rc, $out, $err) = expctl('stage', 'tone', 'ab', '--share', 'concise=60%');
like($err, qr/variant 'concise' can have at most 50 % of the layer/,
    'share - at most');

($rc, $out, $err) = expctl('stage', 'tone', 'ab', '--share', 'concse=1%');
like($err, qr/tone has no variant 'concse', only control, concise, near: c/,
    'share - variants told');
like($err, qr/concise\nnext: expctl tree tone\n\z/, 'share - near and next');

($rc, $out, $err) = expctl('stage', 'tone', 'ab', '--share', 'concise=60%');
my ($next) = $err =~ /^next: expctl (.*)$/m;
is($next, 'stage tone ab --share concise=50%', 'share - what to type');
is((expctl(split(/ /, $next), '--dry-run'))[0], 0, 'share - it is taken');

for my $args ([qw/ tone /], [qw/ tone on /], [qw/ tone ab x /],
    [qw/ tone paused /], [qw/ tone rollout /],
    [qw/ tone ab --variant concise /], [qw/ tone off --exposure 1 /],
    [qw/ tone ab --exposure 1 --share concise=1% /], [qw/ nobody ab /])
{
    ($rc, $out, $err) = expctl('stage', @$args);
    is($rc, 2, "stage @$args - refused");
}

($rc, $out, $err) = expctl('stage', 'tone', 'canray');
like($err, qr/unknown stage 'canray', near: canary\n/, 'stage - near');

($rc, $out, $err) = expctl('stage', 'tone', 'canary', '-m', 'x' x 4097);
is($rc, 2, 'message - too long');
($rc) = expctl('stage', 'tone', 'canary', '-m', "\x01" x 4096);
is($rc, 0, 'message - longest');
is(state_of('tone')->{reason}, "\x01" x 4096, 'message - read again');
expctl('stage', 'tone', 'ab', '--exposure', '10%');

# dry run

($rc, $out) = expctl('stage', 'tone', 'off', '--dry-run');
like($out, qr/\Atone: ab -> off, phase 1, dry run\n/, 'dry run');
is(state_of('tone')->{stage}, 'ab', 'dry run - nothing changed');

# pause and resume

expctl('stage', 'tone', 'ab', '--exposure', '20%');
($rc, $out) = expctl('pause', 'tone', '-m', 'p95 over 3 s');
like($out, qr/\Atone: ab -> paused, phase 1, registry \d+\n/, 'pause');

$s = state_of('tone');
is_deeply([@$s{qw/ stage exposure phase former /}],
    ['paused', undef, 1, { stage => 'ab', exposure => 0.2,
        variant => undef }], 'pause - former kept');

($rc, $out) = expctl('list', '-o', 'json');
is(decode_json($out)->{note}, 'p95 over 3 s', 'pause - note');

($rc, $out) = expctl('pause', 'tone');
is($rc, 0, 'pause - again');
($rc, $out) = expctl('resume', 'tone');
like($out, qr/\Atone: paused -> ab, exposure 20 %, phase 1/, 'resume');

($rc, $out) = expctl('stage', 'tone', 'ab', '--exposure', '20%', '-o', 'csv');
like($out, qr/\A,BEFORE,AFTER,\ncontrol,0.1,0.1,\n/,
    'csv - rows where nothing changes');

($rc, $out) = expctl('pause', '--all', '-o', 'csv');
is($out, "NAME,BEFORE,AFTER,PHASE\ntone,ab,paused,1\n", 'pause --all - csv');
($rc, $out) = expctl('pause', '--all', '-o', 'csv');
is($out, "NAME,BEFORE,AFTER,PHASE\n", 'pause --all - csv of nothing');
expctl('resume', 'tone');

($rc, $out) = expctl('pause', '--all', '-o', 'json');
like(decode_json($out)->{registry}, qr/^\d+$/, 'pause --all - registry');
($rc, $out) = expctl('rollback', '--all', '--dry-run', '-o', 'json');
is(decode_json($out)->{registry}, undef, 'rollback --all, dry run - null');
ok(exists decode_json($out)->{registry}, 'rollback --all - registry');
expctl('resume', 'tone');

for my $args ([qw/ -f - -f - /], [qw/ -f - - /]) {
    ($rc, $out, $err) = expctl('apply', @$args);
    is($rc, 2, "apply @$args - exit status");
    like($err, qr/stdin \(-\) can be read only once/, "apply @$args - told");
}
($rc, $out, $err) = expctl('resume', 'tone');
is("$rc $err", "1 expctl: tone is ab, there is nothing to resume\n",
    'resume - not paused');

# rollout and rollback

($rc, $out) = expctl('stage', 'tone', 'rollout', '--variant', 'concise');
like($out, qr/\Atone: ab -> rollout concise, .*, phase 2,/, 'rollout');
like($out, qr/concise +10 % +100 %/, 'rollout - all');
like($out, qr/10 % change variant/, 'rollout - who changes');

($rc, $out) = expctl('rollback', 'tone');
like($out, qr/\Atone: rollout concise -> rolled_back, phase 2,/, 'rollback');

for my $args ([qw/ stage tone ab /], [qw/ resume tone /], [qw/ pause tone /])
{
    ($rc, $out, $err) = expctl(@$args);
    is($rc, 1, "rolled back - @$args refused");
    like($err, qr/^next: expctl stage tone off$/m, "rolled back - next");
}

($rc, $out) = expctl('stage', 'tone', 'ab', '-o', 'json');
is_deeply(decode_json($out)->{why}, ['rolled_back'], 'rolled back - why');

($rc, $out) = expctl('stage', 'tone', 'off');
is($rc, 0, 'rolled back - off');

for my $c (qw/ pause rollback resume /) {
    ($rc) = expctl($c, 'tone');
    is($rc, 1, "off - $c");
}

($rc, $out) = expctl('stage', 'tone', 'ab', '-o', 'json');
$s = decode_json($out);
is($s->{phase}, 3, 'from off - a new phase');
like($s->{registry}, qr/^\d+$/, 'json - registry');

# two experiments in one layer

expctl('apply', '-f', document('other', '"layer":"chat"'));
($rc, $out, $err) = expctl('stage', 'other', 'ab');
is($rc, 1, 'overlap - exit status');
is($err =~ s/\n.*//sr, "expctl: other wants [0, 1) of layer 'chat', "
    . 'tone holds [0, 1); free: none', 'overlap - told');
like($err, qr/^next: expctl stage tone off, or give other another "layer"$/m,
    'overlap - what to type where nothing is free');

expctl('stage', 'tone', 'off');
expctl('apply', '-f', document('tone',
    '"layer":{"name":"chat","range":[0,0.4]}'));
expctl('stage', 'tone', 'ab');
($rc, $out, $err) = expctl('stage', 'other', 'ab');
like($err, qr/free: \[0\.4, 1\)/, 'overlap - free ranges');
like($err, qr/^next: give other a free "range" in "layer"/m,
    'overlap - what to type');

expctl('apply', '-f', document('other',
    '"layer":{"name":"chat","range":[0.4,1]}'));
($rc, $out) = expctl('stage', 'other', 'ab', '--exposure', '50%');
is($rc, 0, 'disjoint');
like($out, qr/^control +0 % +15 %$/m, 'share of the layer');
like($out, qr/^not exposed +60 % +30 %   30 % join, nobody changes variant$/m,
    'share of the layer - not exposed');
like($out, qr/^outside +40 % +40 %   not in this experiment's range/m,
    'share of the layer - outside');

# the same change in two layers

expctl('apply', '-f', document('third', '"layer":"elsewhere"'));
($rc, $out, $err) = expctl('stage', 'third', 'ab');
is($rc, 1, 'conflict - exit status');
like($err, qr/other|tone/, 'conflict - names it');
like($err, qr/^next: give both one "layer", each with a "range" of its own/m,
    'conflict - what to type');

($rc, $out, $err) = expctl('apply', '-f', document('fourth',
    '"layer":"elsewhere","stage":{"name":"ab"}'));
is($rc, 1, 'apply of a live one makes the same checks');
($rc) = expctl('get', 'fourth');
is($rc, 2, 'and nothing is there');

# a key that is not built yet

expctl('apply', '-f', spew('b.json', '{"name":"b","unit":"header:X",'
    . '"layer":"b","variants":[{"name":"a"},{"name":"b","mcp":'
    . '{"server":"orders"}}]}'));
($rc, $out, $err) = expctl('stage', 'b', 'ab');
is($rc, 1, 'not built - refused');
like($err, qr/b cannot go live: "[\w.]+" is not built yet/, 'not built - told');

# everything at once

($rc, $out) = expctl('pause', '--all', '-m', 'provider is down');
like($out, qr/\Aother: ab -> paused, .*\ntone: ab -> paused, .*\n\z/,
    'pause --all');
my @ids = $out =~ /registry (\d+)/g;
is($ids[0], $ids[1], 'pause --all - one transaction');

($rc, $out) = expctl('pause', '--all');
is("$rc $out", "0 nothing to pause\n", 'pause --all - again');

($rc, $out) = expctl('rollback', '--all');
is(scalar(() = $out =~ /paused -> rolled_back/g), 2, 'rollback --all');

($rc) = expctl('pause', '--all', 'tone');
is($rc, 2, 'all and one');
($rc) = expctl('resume', '--all');
is($rc, 2, 'resume has no --all');

# a batch is checked as it will be, not one document beside what was

sub batch {
    my (%more) = @_;

    mkdir "$dir/batch";
    spew("$dir/batch/$_.json", slurp(document($_, $more{$_}))) for keys %more;

    return expctl('apply', '-f', "$dir/batch", '--new-phase');
}

my $ab = '"stage":{"name":"ab"}';

$ENV{EXPCTL_REGISTRY} = "$dir/batches";
init_registry();

batch(left => qq("layer":{"name":"swap","range":[0,0.4]},$ab),
    right => qq("layer":{"name":"swap","range":[0.4,1]},$ab));
($rc, $out, $err) = batch(
    left => qq("layer":{"name":"swap","range":[0.6,1]},$ab),
    right => qq("layer":{"name":"swap","range":[0,0.6]},$ab));
is("$rc $err", '0 ', 'batch - ranges swapped');

spew("$dir/batch/$_.json", slurp("$dir/batch/$_.json") =~ s/X-Id/X-User/r)
    for qw/ left right /;
($rc, $out, $err) = expctl('apply', '-f', "$dir/batch", '--new-phase');
is("$rc $err", '0 ', 'batch - another unit');

($rc, $out, $err) = batch(
    left => qq("layer":{"name":"swap","range":[0.5,1]},$ab),
    right => qq("layer":{"name":"swap","range":[0,0.6]},$ab));
is($rc, 1, 'batch - overlap within it');

($rc, $out, $err) = expctl('apply', '-f', document('twice'),
    document('TWICE'));
is($rc, 2, 'batch - names that are equal within it');

# a document that cannot be read holds up nobody

$ENV{EXPCTL_REGISTRY} = "$dir/damaged";
init_registry();
expctl('apply', '-f', document('bad', qq("description":"to be damaged",)
    . qq("layer":"one",$ab)), document('fine', '"layer":"two"'));
my $data = "$dir/damaged/registry/data.mdb";
spew($data, slurp($data) =~ s/"description":"to be/!description":"to be/gr);

($rc, $out, $err) = expctl('stage', 'fine', 'ab');
is($rc, 0, 'unreadable - stage of another');
like($err, qr/'bad' is left out: .*is not JSON/, 'unreadable - named');
($rc, $out, $err) = expctl('apply', '-f', spew('more.json',
    qq({"name":"more","unit":"header:X","layer":"three","steps":["three"],)
    . qq($ab,"variants":[{"name":"a"},{"name":"b"}]})));
is($rc, 0, 'unreadable - apply of another');
like($out, qr/^more: created/, 'unreadable - applied');

# the memory that a batch takes grows with it, not with its square

$ENV{EXPCTL_REGISTRY} = "$dir/large";
init_registry();
mkdir "$dir/large.docs";
spew("$dir/large.docs/e$_.json", qq({"name":"e$_","unit":"header:X",)
    . qq("layer":"l$_","steps":["s$_"],$ab,"variants":[{"name":"a"},)
    . qq({"name":"b","overrides":{"s$_":{"system":") . 'x' x 10000
    . qq("}}}]})) for 1 .. 200;

my $limited = 'ulimit -v 300000; exec "$0" apply -f "$1"';
my $bin = $ENV{EXPCTL} || 'build/expctl';
my @lines = split /\n/, qx(sh -c '$limited' $bin $dir/large.docs 2>&1);
is("$? " . @lines, '0 400', 'a large batch') or diag($lines[0]);

done_testing();

###############################################################################
