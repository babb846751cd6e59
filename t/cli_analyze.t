#!/usr/bin/perl

# expctl analyze, against an independent count of the same lines.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Compress::Gzip qw(gzip $GzipError);
use JSON::PP qw(decode_json);
use List::Util qw(shuffle sum0);
use POSIX ();
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $expctl = ($ENV{EDGE_BUILD} // "$top/build") . '/expctl';
my $dir = File::Temp::tempdir('edge-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $reg = "$dir/edge";

plan skip_all => "no '$expctl': run make first" unless -x $expctl;


sub spew {
    my ($name, @lines) = @_;
    open my $f, '>', "$dir/$name" or die "$name: $!";
    binmode $f;
    print $f @lines;
    close $f or die "$name: $!";
    return "$dir/$name";
}

# ($exit, $stdout, $stderr); $in is what stdin gives.

sub expctl {
    my ($args, $in) = @_;
    my $stdin = spew('stdin', $in // '');
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', $stdin or POSIX::_exit(127);
        open STDOUT, '>', "$dir/stdout" or POSIX::_exit(127);
        open STDERR, '>', "$dir/stderr" or POSIX::_exit(127);
        $ENV{EXPCTL_REGISTRY} = $reg;
        exec $expctl, @$args or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    my @text = map { local (@ARGV, $/) = "$dir/$_"; scalar(<>) // '' }
               'stdout', 'stderr';
    return ($? & 127 ? "signal $?" : $? >> 8, @text);
}

sub analyze {
    my ($files, @options) = @_;
    my ($rc, $out, $err) = expctl(['analyze', 'tone', @$files, '-o', 'json',
                                   @options]);
    my $r = eval { decode_json($out) };
    return ($rc, $r, $err, $out);
}

sub must {
    my ($rc, $out, $err) = expctl(\@_);
    $rc == 0 or BAIL_OUT("expctl @_: exit $rc: $err");
}


# A unit's id and its arm are made up, by a small generator of our own.

my $seed = 20261120;

sub draw {
    my ($n) = @_;
    $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
    return ($seed >> 8) % $n;
}

my $id = 0;

sub stamp {
    my ($s) = @_;
    return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime(1795165200 + int $s))
        . sprintf('.%06dZ', ($s - int $s) * 1e6);
}

# DESIGN's fields, in its order.

sub line {
    my (%o) = @_;
    my $e = '';

    if ($o{reason}) {
        my $on = $o{reason} eq 'assigned';
        my $unit = !exists $o{unit} ? ''
            : sprintf ',"unit":"%032x","unit_type":"conversation"'
                . ',"unit_source":0,"p":%s', $o{unit} + 0x1000, $o{p} // 0.5;

        $e = sprintf '{"name":"%s","phase":%d,"revision":1,"stage":"ab",'
            . '"variant":"%s","exposed":%s,"reason":"%s"%s}',
            $o{name} // 'tone', $o{phase} // 1, $o{variant} // 'control',
            $on ? 'true' : 'false', $o{reason}, $unit;
    }

    return sprintf '{"kind":"%s","id":"%032x","time":"%s","seq":%d,'
        . '"worker":"edge-1/5f0c9a71","key_id":"%s","registry":812,'
        . '"head":"a1b2c3d4e5f60718","role":"%s","method":"POST",'
        . '"uri":"/v1/chat/completions","status":%d%s,"upstream":"pool",'
        . '"upstream_status":%d,"upstream_ms":1.5,"bytes_in":2114,'
        . '"bytes_out":5120,"step":"default","dialect":"openai_chat",'
        . '"body":"edited","experiments":[%s%s],'
        . '"gen_ai.request.model":"gpt-4o"}' . "\n",
        $o{kind} // 'request', $o{id} // ++$id, stamp($o{at} // 0), $id,
        $o{key} // '9a3f01c2', $o{role} // 'live', $o{status} // 200,
        defined $o{ms} ? ",\"response_ms\":$o{ms}" : '',
        $o{upstream_status} // $o{status} // 200,
        $o{before} ? '{"name":"other","reason":"off","exposed":false},' : '',
        $e;
}


# What the table should say, counted the slow way: %o is the phase asked for.

sub count {
    my ($records, $phase, $since, $until) = @_;
    my (%arm, %first, %in, %row);

    for my $o (sort { $a->{at} <=> $b->{at} } @$records) {
        next unless defined $o->{unit};
        $first{$o->{unit}} //= $o->{phase};
        next if $o->{phase} != $phase || $o->{at} < $since
            || $o->{at} >= $until;
        $arm{$o->{unit}} //= $o->{variant} if $o->{reason} eq 'assigned';
        $in{$o->{unit}} = 1
            if $o->{reason} =~ /^(?:assigned|not_exposed)$/;
    }

    for my $o (@$records) {
        next if $o->{phase} != $phase || $o->{at} < $since
            || $o->{at} >= $until;
        my $name = $o->{reason} eq 'assigned' ? $o->{variant}
            : $o->{reason} eq 'not_exposed' ? '' : next;
        my $r = $row{$name} //= { requests => 0, errors => 0, ms => [] };
        $r->{requests}++;
        $r->{errors}++ if $o->{status} >= 500
            || ($o->{upstream_status} // 0) == 429;
        push @{$r->{ms}}, $o->{ms} if defined $o->{ms};
    }

    for my $u (keys %in) {
        $row{$arm{$u} // ''}{units}++;
        $row{$arm{$u}}{firsts}++ if defined $arm{$u} && $first{$u} == $phase;
    }

    return \%row;
}

# A quantile by the nearest rank, of exact values.

sub quantile {
    my ($p, @v) = @_;
    @v = sort { $a <=> $b } @v;
    my $rank = POSIX::ceil($p * @v - 1e-9);
    return $v[$rank < 1 ? 0 : $rank - 1];
}

sub near {
    my ($got, $want, $rel) = @_;
    return defined $got && abs($got - $want) <= $rel * abs($want) + 1e-12;
}

sub agrees {
    my ($r, $row, $what) = @_;

    for my $v (@{$r->{variants}}) {
        my $w = $row->{$v->{name}};
        my $m = $v->{metrics}{response_ms};
        my @ms = @{$w->{ms}};
        my $sum = sum0(map { int($_ * 1000 + 0.5) } @ms);
        my $mean = $sum / 1000 / @ms;
        my $var = sum0(map { ($_ - $mean) ** 2 } @ms) / (@ms - 1);

        is_deeply([@$v{qw(requests units errors)}],
                  [@$w{qw(requests units errors)}],
                  "$what - $v->{name}: requests, units, errors");
        ok(near($v->{error_rate}, $w->{errors} / $w->{requests}, 1e-12),
           "$what - $v->{name}: error rate");
        is($m->{n}, scalar @ms, "$what - $v->{name}: n");
        ok(near($m->{mean}, $mean, 1e-12), "$what - $v->{name}: mean");
        ok(near($m->{variance}, $var, 1e-9), "$what - $v->{name}: variance");
        is($m->{total}, $sum / 1000, "$what - $v->{name}: total");

        for my $p (50, 95, 99) {
            ok(near($m->{"p$p"}, quantile($p / 100, @ms), 0.01),
               "$what - $v->{name}: p$p within 1 %");
        }
    }

    is_deeply($r->{not_exposed}, { units => $row->{''}{units} // 0,
                                   requests => $row->{''}{requests} // 0 },
              "$what - not exposed");
}


my $group = getgrgid((split / /, $))[0]);

mkdir $reg;
must('init', '--group', $group, '--log', "$dir/glob*.log");
must('apply', '-f', spew('tone.json', <<'EOD'));
{"name":"tone","unit":"header:X-Conversation-Id","variants":[
  {"name":"control"},
  {"name":"concise","overrides":{"default":{"system":"Be concise."}}}]}
EOD

my ($rc, $r, $err, $out) = analyze([spew('none.log')]);
is($rc, 1, 'never live - exit 1');
like($err, qr/never live/, 'never live - said so');
is_deeply([@$r{qw(experiment why next)}],
          ['tone', ['never_live'], 'expctl stage tone ab'],
          'never live - JSON');

must('stage', 'tone', 'ab', '--exposure', '50%');

($rc, undef, $err) = analyze([spew('none.log')]);
is($rc, 1, 'no data - exit 1');
like($err, qr/^next: expctl doctor$/m, 'no data - what to type');

for my $missing ("$dir/nosuch.log", "$dir/nosuch*.log", $dir) {
    is((analyze([$missing]))[0], 2, 'missing input - exit 2');
}

($rc, undef, $err) = analyze([spew('none.log')], '--phase', 99);
is($rc, 2, 'no such phase - exit 2');
like($err, qr/no phase 99: it was live in phase 1\n/,
    'no such phase - those that there are');
like($err, qr/^next: expctl analyze tone --phase 1$/m,
    'no such phase - what to type');


# 600 units: a third in each arm, a third not exposed.

my @records;

for my $i (0 .. 5999) {
    my $unit = draw(600);
    my $arm = $unit % 3;
    my %o = (
        unit => $unit, phase => 1, at => $i / 7, before => $i % 5 == 0,
        status => draw(50) ? 200 : 502, upstream_status => 200,
        ms => sprintf('%.3f', exp(draw(1000) / 90)),
        variant => $arm == 1 ? 'concise' : 'control',
        reason => $arm == 2 ? 'not_exposed' : 'assigned',
    );
    $o{upstream_status} = 429 if draw(40) == 0;
    delete $o{ms} if draw(30) == 0;

    # exposure was lower at first
    $o{reason} = 'not_exposed', $o{variant} = 'control'
        if $i < 1500 && $unit % 6 > 2;

    push @records, \%o;
}

my @lines = map { line(%$_) } @records;
my $log = spew('a.log', @lines);
my $row = count(\@records, 1, -1, 1e9);

($rc, $r, $err, $out) = analyze([$log]);

is($rc, 0, 'plain file - exit 0');
is($err, '', 'plain file - nothing to say');
agrees($r, $row, 'plain file');
is_deeply($r->{inputs}, [{ path => $log, lines => 6000, bad => 0,
                           duplicates => 0 }], 'plain file - inputs');
is($r->{experiment}, 'tone', 'plain file - experiment');
is($r->{phase}, 1, 'plain file - phase');
is_deeply($r->{why}, [], 'plain file - why');
ok(!exists $r->{left_out}, 'plain file - nothing left out');
unlike($out, qr/"(?:mean|variance|p50|error_rate)":null/,
       'plain file - what is not known is absent');
like($out, qr/^\{"experiment":.*"phase":.*"window":.*"inputs":.*"quality":
              .*"variants":.*"not_exposed":.*"comparisons":\[\],
              "decision":null,"why":\[\]\}\n\z/x, 'plain file - order');

my ($o1, $o2) = map { $row->{$_}{firsts} } 'control', 'concise';
my $chi2 = ($o1 - $o2) ** 2 / ($o1 + $o2);
ok(near($r->{quality}{srm}{chi2}, $chi2, 1e-9), 'sample ratio - chi2');
ok(near($r->{quality}{srm}{p}, POSIX::erfc(sqrt($chi2 / 2)), 1e-9),
   'sample ratio - p');
is($r->{quality}{srm}{df}, 1, 'sample ratio - df');
is($r->{quality}{srm}{method}, 'chi-square', 'sample ratio - method');

# all that follows is compared with this, but for the inputs

sub same {
    my ($got, $what) = @_;
    my %got = (%{$got || {}}, inputs => 0);
    is_deeply(\%got, { %$r, inputs => 0 }, $what);
}

my ($got, @rest);

gzip($log => "$dir/a.gz") or die $GzipError;
($rc, $got) = analyze(["$dir/a.gz"]);
same($got, 'gzip');
is($got->{inputs}[0]{lines}, 6000, 'gzip - lines');

my ($x, $y) = (spew('x.log', @lines[0 .. 2000]),
               spew('y.log', @lines[2001 .. 5999]));
gzip($y => "$dir/y.gz") or die $GzipError;
($rc, $got) = analyze([$x, "$dir/y.gz"]);
same($got, 'two files');
($rc, $got) = analyze(["$dir/y.gz", $x]);
same($got, 'two files - in the other order');
($rc, $got) = analyze(["$dir/[xy].log"]);
same($got, 'a pattern');
is(@{$got->{inputs}}, 2, 'a pattern - two inputs');

gzip($x => "$dir/x.gz") or die $GzipError;
my $members = spew('members.gz', map { local (@ARGV, $/) = "$dir/$_"; <> }
                                 'x.gz', 'y.gz');
($rc, $got) = analyze([$members]);
same($got, 'gzip of two members');

($rc, $out) = expctl(['analyze', 'tone', '-', '-o', 'json'], join '', @lines);
same(decode_json($out), 'stdin');
($rc, $out) = expctl(['analyze', 'tone', '-', '-o', 'json'],
                     do { local (@ARGV, $/) = "$dir/a.gz"; <> });
same(decode_json($out), 'stdin, gzip');

srand 1;
($rc, $got) = analyze([spew('shuffled.log', shuffle @lines)]);
same($got, 'shuffled lines');

($rc, $got) = analyze([spew('crlf.log', map { s/\n/\r\n/r } @lines)]);
same($got, 'lines end in CR LF');
chomp(my @chomped = @lines);
($rc, $got) = analyze([spew('open.log', join "\n", @chomped)]);
same($got, 'no newline at the end');

($rc, $got) = analyze([$log, $x, $log]);
same($got, 'duplicates');
is_deeply([map { $_->{duplicates} } @{$got->{inputs}}], [0, 2001, 6000],
          'duplicates - counted');

$out = (expctl(['analyze', 'tone'], ''))[2];
like($out, qr/no file matches '.*glob\*\.log'/, 'default - files of init');
rename $x, "$dir/glob1.log";
rename $y, "$dir/glob2.log";
($rc, $got) = analyze([]);
same($got, 'default - read');


# Bad lines stand in the way of nothing.

my @bad = (
    "\n", "GET / HTTP/1.1\n", substr($lines[0], 0, 300) . "\n",
    line(reason => 'assigned', unit => 1, name => "to\\u006ee"),
    line(reason => 'assigned', unit => 1, variant => "\\u001b[31mred"),
    line(reason => 'assigned', unit => 1, variant => "con\x1b[31m"),
    line(reason => 'assigned', unit => 1, variant => "\xff\xfe"),
    line(reason => 'assigned', unit => 1, name => 'tone","name":"tone'),
    "\0" x 10 . "\n", '[' x 5000 . "\n",
    '"' . 'x' x 1_100_000 . "\"\n", '{"a":"' . 'y' x 3_000_000 . "\"}\n",
    '{\x22kind\x22:\x22request\x22}' . "\n", '{"kind":"request"}' x 2 . "\n",
    $lines[7] =~ s/\}\n/} 0.125\n/r, '10.0.0.1 ' . $lines[8],
);

for my $i (0 .. $#bad) {
    ($rc, $got, $err) = analyze([spew('bad.log', @lines[0 .. 9], $bad[$i],
                                      @lines[10 .. 5999])]);
    same($got, "bad line $i - the rest counts");
    is_deeply([@{$got->{inputs}[0]}{qw(lines bad)}], [6001, 1],
              "bad line $i - counted");
    like($err, qr/bad\.log:11: bad line: \w/, "bad line $i - where");
    like($err, $i > 11 ? qr/escape=none/ : qr/\A[^\n]*\n\z/,
         "bad line $i - what to do");
    unlike($err, qr/[^\n\x20-\x7e]/, "bad line $i - made safe");
}

($rc, $got, $err) = analyze([spew('bad.log', @lines, @bad)]);
is($got->{inputs}[0]{bad}, @bad, 'bad lines - all counted');
is(() = $err =~ /bad line/g, 1, 'bad lines - the first is shown');


# What is not this experiment, or no exposure.

($rc, $got) = analyze([spew('more.log', @lines,
    line(), line(name => 'other', reason => 'assigned', unit => 5),
    line(kind => 'feedback', reason => 'assigned', unit => 9001),
    line(role => 'shadow', reason => 'assigned', unit => 9002))]);
same($got, 'no entry, feedback, shadow - not counted');

my @out = map { line(reason => $_, at => 1) }
          qw(paused paused paused no_unit outside_window whatever);
($rc, $got) = analyze([spew('out.log', @lines, @out)]);
is_deeply(delete $got->{left_out},
          { paused => 3, no_unit => 1, outside_window => 1, other => 1 },
          'left out - by reason');
same($got, 'left out - in no row');
($rc, $out) = expctl(['analyze', 'tone', "$dir/out.log"]);
like($out, qr/^left out: paused 3, outside_window 1, no_unit 1, other 1$/m,
     'left out - one line');

($rc, $got) = analyze([spew('unknown.log', @lines,
    line(reason => 'assigned', unit => 1, variant => 'ghost'))]);
is_deeply($got->{left_out}, { unknown_variant => 1 },
          'a variant that the document has not');


# The window is part of what is asked for; first seen is not.

my $since = stamp(200);
my $until = stamp(500);
($rc, $got) = analyze([$log], '--since', $since, '--until', $until);
agrees($got, count(\@records, 1, 200, 500), 'window');
is_deeply($got->{window}, ['2026-11-20T09:03:20Z', '2026-11-20T09:08:20Z'],
          'window - said');
is((analyze([$log], '--since', 'noon'))[0], 2, 'window - not a time');
is((analyze([$log], '--since', $until, '--until', $since))[0], 2,
   'window - backwards');


# Data quality.

my @tilted = map { line(reason => 'assigned', unit => $_, at => $_,
                        variant => $_ % 5 < 3 ? 'control' : 'concise') }
             1 .. 1000;
($rc, $got) = analyze([spew('tilted.log', @tilted)]);
is($rc, 1, 'sample ratio 600 : 400 - exit 1');
is_deeply($got->{why}, ['srm'], 'sample ratio 600 : 400 - why');
ok(near($got->{quality}{srm}{chi2}, 40, 1e-9), 'sample ratio - chi2 is 40');
($rc, $out) = expctl(['analyze', 'tone', "$dir/tilted.log"]);
is($rc, 1, 'sample ratio, table - exit 1');
like($out, qr/^FAIL  sample ratio  600 : 400, expected 1 : 1, p = 2.5e-10 /m,
     'sample ratio, table');
like($out, qr/^      next: /m, 'sample ratio, table - what to do');
($rc, $out, $err) = expctl(['analyze', 'tone', "$dir/tilted.log",
                            '-o', 'csv']);
is($rc, 1, 'sample ratio, csv - exit 1');
like($err, qr/sample ratio mismatch/, 'sample ratio, csv - said on stderr');

($rc, $got) = analyze([spew('few.log', @tilted[0 .. 7])]);
is($got->{quality}{srm}{method}, 'exact multinomial', 'few units - method');

# 5 of 8: all of the 2^8 sequences but the 70 of 4 and 4 are as improbable
ok(near($got->{quality}{srm}{p}, 186 / 256, 1e-9), 'few units - p');

my @twice = (
    line(reason => 'assigned', unit => 1, variant => 'concise', at => 5),
    line(reason => 'assigned', unit => 1, variant => 'control', at => 6),
    line(reason => 'not_exposed', unit => 2, at => 1),
);
for my $order ([0, 1, 2], [2, 1, 0]) {
    ($rc, $got) = analyze([spew('twice.log', @twice[@$order])]);
    is_deeply([map { $_->{units} } @{$got->{variants}}], [0, 1],
              "two variants - the first one's (@$order)");
    is_deeply([map { $_->{requests} } @{$got->{variants}}], [1, 1],
              "two variants - requests by line (@$order)");
    is($got->{quality}{two_variant_units}, 1,
       "two variants - counted (@$order)");
}
($rc, $out) = expctl(['analyze', 'tone', "$dir/twice.log"]);
like($out, qr/^warn  two variants  1 of 2 units/m, 'two variants - warned');

($rc, $got, $err) = analyze([$log, spew('key.log',
    line(reason => 'assigned', unit => 1, key => 'deadbeef'))]);
is($rc, 2, 'two keys - exit 2');
like($err, qr/key\.log:1: .*two keys, '9a3f01c2' and 'deadbeef'/,
     'two keys - named');

($rc, $got, $err) = analyze([spew('paused.log', @out)]);
is($rc, 1, 'no data - exit 1');
is_deeply($got->{why}, ['no_data'], 'no data - why');
ok(!exists $got->{quality}{srm}, 'no data - no sample ratio');
is_deeply($got->{variants}[0], { name => 'control', requests => 0, units => 0,
                                 errors => 0, error_rate => undef,
                                 metrics => {} },
          'no data - a rate of nothing is null, metrics are absent');


# What cannot be read.

is((analyze(["$dir/not there"]))[0], 2, 'no such file - exit 2');
is((analyze([$dir]))[0], 2, 'a folder - exit 2');
($rc, $got, $err) = analyze([spew('cut.gz',
    substr do { local (@ARGV, $/) = "$dir/a.gz"; <> }, 0, 20000)]);
is($rc, 3, 'gzip cut short - exit 3');
like($err, qr/unexpected end/, 'gzip cut short - said');
is((expctl(['analyze', 'nope', $log]))[0], 2, 'unknown experiment - exit 2');
is((analyze([$log], '--phase', 9))[0], 2, 'unknown phase - exit 2');
is((analyze([$log], '--phase', '1x'))[0], 2, 'phase is no number - exit 2');

($rc, $got, $err) = analyze([spew("\x1b[31mevil.log", "bad\n", @lines)]);
same($got, 'hostile file name');
like($err, qr/\\x1b\[31mevil/, 'hostile file name - made safe');

($rc, $got, $err, $out) = analyze([spew("a\xe2\x80\xaeb.log", @lines)]);
same($got, 'bidi in a file name');
like($out, qr/a\\u202eb\.log/, 'bidi in a file name - escaped in JSON');
unlike($out, qr/[^\x20-\x7e\n]/, 'bidi in a file name - no raw byte');

my $packed = do { local (@ARGV, $/) = "$dir/a.gz"; <> };

($rc, $got) = analyze([spew('padded.gz', $packed, "\0" x 1000)]);
same($got, 'gzip padded with zeros');

for my $tail ($lines[0], 'x', "\0\0" . $lines[0], $lines[0] x 2000) {
    ($rc, $got, $err) = analyze([spew('tail.gz', $packed, $tail)]);
    is($rc, 3, 'bytes behind gzip data - exit 3');
    like($err, qr/tail\.gz': what follows its gzip data is no gzip/,
         'bytes behind gzip data - said');
}

substr $packed, -6, 1, chr(255 ^ ord substr $packed, -6, 1);
($rc, $got, $err) = analyze([spew('corrupt.gz', $packed)]);
is($rc, 3, 'corrupt gzip - exit 3');
like($err, qr/corrupt\.gz': incorrect data check/, 'corrupt gzip - named');


# Outside the histogram: exact bounds in JSON, words in the table.

for my $c ([86_400_000, '> 3,600 s'], [0, '< 0.1 ms'], [0.001, '< 0.1 ms']) {
    my $far = spew('far.log', map {
        line(reason => 'assigned', unit => $_, ms => $c->[0]) } 1 .. 8);
    ($rc, $got) = analyze([$far]);
    is_deeply([@{$got->{variants}[0]{metrics}{response_ms}}{qw(p50 p99)}],
              [$c->[0], $c->[0]], "$c->[0] ms - quantiles are clamped");
    ($rc, $out) = expctl(['analyze', 'tone', $far]);
    like($out, qr/^control .*(?:  +\Q$c->[1]\E){3}$/m,
         "$c->[0] ms - a bound in the table");
}


# Lines of no sense.

($rc, $got) = analyze([spew('status.log', @lines,
                            line(status => 2_000_000_000_000))]);
is($got->{inputs}[0]{bad}, 1, 'a status beyond 999 - a bad line');

($rc, $got) = analyze([spew('year0.log',
    line(reason => 'assigned', unit => 1) =~ s/"2026-11-20T/"0000-01-01T/r)]);
like($got->{window}[0], qr/^0000-01-01T/, 'year 0 - four digits');


# The table, as OUTPUT shows it.

($rc, $out, $err) = expctl(['analyze', 'tone', $log]);
my ($reqs, $units) = map { my $k = $_; sum0(map { $_->{$k} // 0 }
                           values %$row) } 'requests', 'units';
1 while $reqs =~ s/^(\d+)(\d{3})/$1,$2/;
my @table = split /\n/, $out;
like($table[0], qr/^tone  phase 1, ab, 20.* to 20.*, 1 file$/, 'table - head');
is($table[1], "$reqs requests, $units units, 0 bad lines, 0 duplicates",
   'table - counts');
like($table[2], qr/^ok  sample ratio  \d+ : \d+, expected 1 : 1, p = [01]\./,
     'table - sample ratio');
like($table[2], qr/ \(chi-square\)$/, 'table - method');
is($table[3], '', 'table - a blank line');
like($table[4], qr/^VARIANT +UNITS +SHARE +REQUESTS +ERRORS +P50 +P95 +P99$/,
     'table - heads');
like($table[5], qr/^control +\d+ +[\d.]+ % +[\d,]+ +[\d.]+ %/,
     'table - a row');
like($table[5], qr/(?: +[\d.,]+ m?s){3}$/, 'table - three quantiles');
like($table[7], qr/^not exposed /, 'table - the last row');
like($table[8], qr/within 1 %; differences not tested$/, 'table - bounds');
is(@table, 9, 'table - that is all');
ok(!grep({ length > 80 } @table), 'table - 80 columns');

($rc, $out) = expctl(['analyze', 'tone', $log, '-o', 'csv']);
like($out, qr/^variant,units,requests,errors,error_rate,response_ms\.p50,/,
     'csv - heads');
is(() = $out =~ /\n/g, 4, 'csv - a line a row');


# A second phase of other weights: SRM by the phase in which a unit came.

must('apply', '--new-phase', '-f', spew('tone2.json', <<'EOD'));
{"name":"tone","unit":"header:X-Conversation-Id","variants":[
  {"name":"control","weight":0.8},
  {"name":"concise","weight":0.2,
   "overrides":{"default":{"system":"Be concise."}}}]}
EOD

my @second;

for my $i (0 .. 3999) {
    my $unit = $i % 1200;
    my $concise = $unit < 600 ? $unit % 3 == 1     # 1 : 2, from phase 1
                              : $unit % 5 == 0;    # 1 : 4, new
    push @second, {
        unit => $unit, phase => 2, at => 2000 + $i, status => 200,
        upstream_status => 200, ms => 100 + $i, reason => 'assigned',
        variant => $concise ? 'concise' : 'control',
    };
}

my $both = spew('both.log', shuffle @lines, map { line(%$_) } @second);
my @all = (@records, @second);
($rc, $got) = analyze([$both]);
is($got->{phase}, 2, 'second phase - the default');
is($rc, 0, 'second phase - passes, for only new units are tested');
agrees($got, count(\@all, 2, -1, 1e9), 'second phase');
is_deeply($got->{quality}{srm}{observed}, [480, 120],
          'second phase - units first seen in it');
is($got->{quality}{srm}{chi2}, 0, 'second phase - by its weights');
($rc, $out) = expctl(['analyze', 'tone', $both]);
like($out, qr/480 : 120, expected 4 : 1, p = 1\.00 /, 'second phase - table');

($rc, $got) = analyze([$both], '--phase', 1);
agrees($got, count(\@all, 1, -1, 1e9), 'first phase');
is($got->{quality}{srm}{df}, 1, 'first phase - its own weights');
ok(near($got->{quality}{srm}{chi2}, $chi2, 1e-9), 'first phase - chi2');


# A phase that begins under a pause, and one with one arm.

must('pause', 'tone');
must('apply', '--new-phase', '-f', "$dir/tone.json");
($rc, $out) = expctl(['analyze', 'tone', $log]);
like($out, qr/^tone  phase 3, ab, /, 'a phase begun under a pause - its stage');

must('resume', 'tone');
must('stage', 'tone', 'rollout', '--variant', 'concise');
($rc, $out) = expctl(['analyze', 'tone', spew('rollout.log', map {
    line(reason => 'assigned', unit => $_, phase => 4, variant => 'concise')
} 1 .. 20)]);
is($rc, 0, 'rollout - exit 0');
like($out, qr/^ok  sample ratio  one arm, nothing to test$/m,
     'rollout - no sample ratio');

done_testing();
