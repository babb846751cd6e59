#!/usr/bin/perl
# expctl assign: known buckets, reasons, forms of output, independence of
# layers, speed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $e = Edge->new;
my $json = JSON::PP->new;

$e->init;

sub doc {
    my ($name, $layer, @more) = @_;

    return { name => $name, unit => 'header:X-Id', layer => $layer,
             variants => [ { name => 'control' }, { name => 'b', headers => {
                 request => { set => { "X-$name" => 'b' } } } } ], @more };
}

$e->apply('{"name":"tone","unit":"header:X-Conversation-Id","layer":"chat",'
    . '"variants":[{"name":"control"},{"name":"concise","overrides":'
    . '{"default":{"system":"You are a concise assistant."}}}]}');


# off

is($e->must('assign', 'tone', 'conv-1', '-o', 'json'),
    '{"experiment":"tone","unit":"conv-1","variant":"control",'
    . '"exposed":false,"reason":"off","bucket":0.5106575842946768}' . "\n",
    'off - the baseline, with its bucket');

$e->stage('tone', 'ab', '--exposure', '20%');


# OUTPUT 3 and 4, to the digit

is($e->must('assign', 'tone', 'conv-1', 'conv-2'), <<'EOT', 'table');
UNIT    VARIANT  EXPOSED  REASON       BUCKET
conv-1  concise  yes      assigned     0.5106575842946768
conv-2  control  no       not_exposed  0.8681750756222755
EOT

is($e->must('assign', 'tone', 'conv-1', 'conv-2', '-o', 'json'),
    <<'EOT', 'json - a line a unit');
{"experiment":"tone","unit":"conv-1","variant":"concise","exposed":true,"reason":"assigned","bucket":0.5106575842946768}
{"experiment":"tone","unit":"conv-2","variant":"control","exposed":false,"reason":"not_exposed","bucket":0.8681750756222755}
EOT

my $csv = <<'EOT';
unit,variant,exposed,reason,bucket
conv-1,concise,yes,assigned,0.5106575842946768
conv-2,control,no,not_exposed,0.8681750756222755
EOT

is($e->must('assign', 'tone', 'conv-1', 'conv-2', '-o', 'csv'), $csv, 'csv');
is($e->must({ stdin => "conv-1\nconv-2\n" }, 'assign', 'tone'), $csv,
    'stdin - csv');
is($e->must({ stdin => "conv-1\nconv-2" }, 'assign', 'tone', '-'), $csv,
    'stdin - no newline at the end');
like($e->must({ stdin => "conv-1\n" }, 'assign', 'tone', '-o', 'table'),
    qr/\AUNIT .*\nconv-1 .*\n\z/, 'stdin - a table where it is wanted');
is($e->must({ stdin => '' }, 'assign', 'tone'),
    "unit,variant,exposed,reason,bucket\n", 'stdin - nothing');


# what is no unit

my $long = 'x' x 256;

is_deeply([ map { [ @$_{qw(variant reason)}, $_->{bucket} // 'null' ] }
            map { $json->decode($_) } split /\n/,
            $e->must({ stdin => "\n$long\n${long}y\n" . 'z' x 1_000_000
                       . "\nconv-1\n" }, 'assign', 'tone', '-o', 'json') ],
    [ [ 'control', 'no_unit', 'null' ],
      [ 'control', 'not_exposed', 0.3253364213742316 ],
      [ 'control', 'no_unit', 'null' ],
      [ 'control', 'no_unit', 'null' ],
      [ 'concise', 'assigned', 0.5106575842946768 ] ],
    'empty, or longer than 256 bytes - no_unit');

is((split /\n/, $e->must('assign', 'tone', ''))[1],
    '      control  no       no_unit  -', 'an empty argument - no_unit');


# units are text from outside

my @hostile = ("=1+1", 'a,"b', "\e[31m", 'back\\slash', "\xe2\x80\xae",
               "\xff", "caf\xc3\xa9");
my $out = $e->must({ stdin => join "\n", @hostile }, 'assign', 'tone');

is_deeply([ map { /^(.*),(?:control|concise),/ } split /\n/, $out ],
    [ '"\'=1+1"', '"a,""b"', '"\\x1b[31m"', '"back\\\\slash"',
      '"\\u{202e}"', '"\\xff"', "\"caf\xc3\xa9\"" ],
    'csv - quoted, made safe, no formulas');

$out = $e->must({ stdin => join "\n", @hostile[ 0 .. 4 ] }, 'assign', 'tone',
                '-o', 'json');

is_deeply([ map { $json->utf8->decode($_)->{unit} } split /\n/, $out ],
    [ "=1+1", 'a,"b', "\e[31m", 'back\\slash', "\x{202e}" ],
    'json - reads back');
unlike($out, qr/[^\x0a\x20-\x7e]/, 'json - nothing that acts on a terminal');


# DESIGN's two ids, with an empty salt

$e->apply(doc('ticket', 'tickets', hash => { salt => '' },
    baseline => 'control', variants => [
        { name => 'treatment', weight => 0.1, headers => { request => {
            set => { 'X-T' => '1' } } } },
        { name => 'control', weight => 0.9 } ]));
$e->stage('ticket', 'ab', '--exposure', '1');

$out = $e->must('assign', 'ticket', 'return-ticket-48291',
                'delivery-ticket-48292', '-o', 'csv');

like($out, qr/^return-ticket-48291,control,yes,assigned,0.3766325677279383$/m,
    'return-ticket-48291');
like($out, qr/^delivery-ticket-48292,control,yes,assigned,0.6927851503714919$/m,
    'delivery-ticket-48292');


# states and layers

$e->change('pause', 'ticket');
is((split /\n/, $e->must('assign', 'ticket', 'return-ticket-48291'))[1],
    'return-ticket-48291  control  no       paused  0.3766325677279383',
    'paused - the bucket all the same');

$e->change('rollback', 'ticket');
like($e->must('assign', 'ticket', 'u'), qr/ control +no +rolled_back /,
    'rolled back');

$e->apply(doc('half', { name => 'two', range => [ 0, 0.5 ] }),
          doc('rest', { name => 'two', range => [ 0.5, 1 ] }));
$e->stage($_, 'ab', '--exposure', '1') for qw(half rest);

my %reasons;
for my $name (qw(half rest)) {
    for (split /\n/, $e->must({ stdin => join "\n", 1 .. 1000 },
                              'assign', $name, '-o', 'json'))
    {
        my $a = $json->decode($_);
        push @{ $reasons{ $a->{unit} } }, $a->{reason};
    }
}

is(scalar(grep { join(' ', sort @$_) eq 'assigned layer_excluded' }
          values %reasons), 1000,
    'layer - each unit is in the range of one of two');


# targeting, steps and windows count as met

$e->apply(doc('narrow', 'narrow', steps => [ 'answer' ],
    targeting => [ { attribute => 'header:X-T', op => 'eq', value => 'a' } ],
    windows => [ { from => '2020-01-01T00:00:00Z',
                   to => '2020-01-02T00:00:00Z' } ]));
$e->stage('narrow', 'ab', '--exposure', '1');
like($e->must('assign', 'narrow', 'u'), qr/ yes +assigned /,
    'targeting, step and window count as met');


# refusals

my ($rc, undef, $err) = $e->expctl('assign', 'toen', 'u');
is("$rc $err", "2 expctl: there is no experiment 'toen', near: tone\n",
    'no such experiment');
($rc, undef, $err) = $e->expctl('assign');
is($rc, 2, 'no name');


# a layer's draw says nothing about another's

sub stream {
    my ($name) = @_;

    local $ENV{EXPCTL_REGISTRY} = $e->registry;
    my $bin = Edge::expctl_bin();
    open my $f, '-|', "seq 1 1000000 | '$bin' assign $name"
        or die "cannot run: $!\n";
    scalar <$f>;
    return $f;
}

$e->apply(doc('left', 'left', variants => [
              { name => 'control', weight => 0.5 },
              map { { name => $_, weight => 0.25, headers => { request => {
                  set => { 'X-Left' => $_ } } } } } qw(a b) ]),
          doc('right', 'right'));
$e->stage('left', 'ab', '--exposure', '0.8');
$e->stage('right', 'ab', '--exposure', '0.5');

my %n;
my ($left, $right) = (stream('left'), stream('right'));

while (defined(my $l = <$left>)) {
    my $r = <$right>;
    my $i = index $l, ',';
    my $j = index $r, ',';
    $n{ substr $l, $i, index($l, ',', $i + 1) - $i + 2 }
      { substr $r, $j, index($r, ',', $j + 1) - $j + 2 }++;
}

my ($total, %row, %col) = (0);
for my $l (keys %n) {
    for my $r (keys %{ $n{$l} }) {
        $total += $n{$l}{$r};
        $row{$l} += $n{$l}{$r};
        $col{$r} += $n{$l}{$r};
    }
}

is($total, 1_000_000, 'independence - a million units');
is(join(' ', scalar keys %row, scalar keys %col), '4 3',
    'independence - all arms');

my $chi2 = 0;
for my $l (keys %row) {
    for my $r (keys %col) {
        my $want = $row{$l} * $col{$r} / $total;
        $chi2 += (($n{$l}{$r} // 0) - $want) ** 2 / $want;
    }
}

# 0.999 quantile of chi-square with (4 - 1) x (3 - 1) = 6 degrees
cmp_ok($chi2, '<', 22.458, 'independence - arm by arm');

my $arms = 0;
my %share = (',control,y' => 0.4, ',a,y' => 0.2, ',b,y' => 0.2,
             ',control,n' => 0.2);
for my $l (keys %share) {
    my $want = $share{$l} * $total;
    $arms += (($row{$l} // 0) - $want) ** 2 / $want;
}
cmp_ok($arms, '<', 16.266, 'shares are the weights');


# at least a million units a second: of processor time, since others run here

my $units = $e->file('units', join '', map { "$_\n" } 1 .. 1_000_000);
my $bin = Edge::expctl_bin();
my $before = (times)[2] + (times)[3];
{
    local $ENV{EXPCTL_REGISTRY} = $e->registry;
    system "'$bin' assign left < '$units' > /dev/null";
}
my $took = (times)[2] + (times)[3] - $before;

SKIP: {
    skip 'sanitizers are slow', 1 if `nm '$bin' 2>/dev/null` =~ /__asan_init/;
    cmp_ok($took, '<', 1, "a million units in a second ($took s)");
}

$e->done;
