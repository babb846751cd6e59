#!/usr/bin/perl

# expctl analyze: what came back (times, tokens, cost) and outcomes that came
# by feedback, against figures that were worked out by hand.

use strict;
use warnings;

use lib 't/lib';

use Edge::Cli;
use JSON::PP qw(decode_json);
use List::Util qw(shuffle);
use POSIX ();
use Test::More;

plan skip_all => 'no build/expctl: run make first'
    unless -x ($ENV{EXPCTL} || 'build/expctl');


sub must {
    my ($rc, $out, $err) = expctl(@_);
    $rc == 0 or BAIL_OUT("expctl @_: exit $rc: $err");
}

sub lines { return spew('lines.log', join '', map { "$_\n" } @_) }

# The report of some lines; metrics by variant.

sub analyze {
    my ($lines, @options) = @_;
    my ($rc, $out, $err) = expctl('analyze', 'tone', lines(@$lines),
                                  '-o', 'json', @options);
    my $r = eval { decode_json($out) };
    my ($a, $b) = map { $_->{metrics} } @{$r->{variants} || []};
    return ($a, $b, $r, $err, $rc);
}

sub stamp {
    my ($s) = @_;
    return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(1795165200 + $s));
}

my $id = 0;

# A request of a unit, which is in an arm by its number; $more is JSON.

sub request {
    my ($unit, $at, $more, %o) = @_;
    my $arm = $o{arm} // ($unit % 2 ? 'concise' : 'control');

    return sprintf '{"kind":"request","id":"%032x","time":"%s",'
        . '"key_id":"9a3f01c2","role":"live","status":%d,"experiments":'
        . '[{"name":"tone","phase":1,"revision":1,"stage":"ab",'
        . '"variant":"%s","exposed":%s,"reason":"%s","unit":"%032x"}]%s}',
        $o{id} // ++$id, stamp($at), $o{status} // 200, $arm,
        $o{reason} ? 'false' : 'true', $o{reason} // 'assigned', $unit,
        $more ? ",$more" : '';
}

sub feedback {
    my ($who, $at, $metric, $value, %o) = @_;
    my $by = $who =~ /^\d+$/ ? sprintf '"unit":"%032x"', $who : $who;

    return sprintf '{"kind":"feedback","id":"%032x","time":"%s",'
        . '"key_id":"%s","role":"live","n":%d,"experiment":"%s",'
        . '"metric":"%s","value":%s,%s%s}',
        $o{id} // ++$id, stamp($at), $o{key} // '9a3f01c2', $o{n} // 0,
        $o{experiment} // 'tone', $metric, $value, $by,
        exists $o{trust} ? ($o{trust} ? ",\"trust\":\"$o{trust}\"" : '')
                         : ',"trust":"key"';
}

sub near {
    my ($got, $want, $rel, $name) = @_;
    ok(defined $got && abs($got - $want) <= $rel * abs($want) + 1e-15, $name)
        or diag('got ' . ($got // 'nothing') . ", wanted $want");
}


init_registry();
must('apply', '-f', spew('tone.json', <<'EOD'));
{"name":"tone","unit":"header:X-Conversation-Id",
 "stage":{"name":"ab","exposure":1},"variants":[
  {"name":"control"},
  {"name":"concise","overrides":{"default":{"system":"Be concise."}}}],
 "metrics":{"primary":{"name":"resolved","kind":"binary","direction":"up"},
  "secondary":["output_tokens.mean",
   {"name":"rating","kind":"mean","direction":"up","min":1,"max":5},
   {"name":"clicks","kind":"count","direction":"up","outcome_window":"1m"},
   {"name":"wait","kind":"duration","direction":"down","missing":"zero"},
   {"name":"share","kind":"ratio","direction":"up"},
   {"name":"back","kind":"binary","direction":"up","outcome_window":"1h"},
   {"name":"tools","kind":"count","direction":"down","from":"tool_calls"},
   {"name":"strict","kind":"binary","direction":"up","missing":"exclude"}]},
 "decision":{"currency":"USD"}}
EOD


# Two units an arm: control 2 and 4, concise 1 and 3.

sub usage {
    my ($in, $out, $cost) = @_;
    return qq("gen_ai.response.model":"m","gen_ai.usage.input_tokens":$in,)
        . qq("gen_ai.usage.output_tokens":$out,"cost":$cost,"currency":"USD");
}

my @lines = (
    request(2, 0, '"response_ms":100.000,"cold":true,"stream":true,'
        . '"ttft_ms":40.000,"tpot_ms":2.000,"itl_max_ms":9.000,'
        . '"gen_ai.usage.cache_read.input_tokens":25,"tool_calls":0,'
        . '"empty":false,' . usage(100, 10, '0.000000001')),
    request(2, 10, '"response_ms":20.000,"cold":false,"ttft_ms":10.000,'
        . '"gen_ai.usage.cache_read.input_tokens":0,"tool_calls":2,'
        . '"truncated":true,' . usage(300, 30, '0.300000000')),
    request(4, 20, '"response_ms":30.000,"cold":false,"refusal":true,'
        . usage(40, 0, '5.000000000')),
    request(1, 30, '"response_ms":50.000,"stream":true,"empty":true,'
        . '"stream_error":"cut","aborted":false'),
    request(1, 40, '"unmetered":"encoded"'),
    request(3, 50, '"unmetered":"marvel","aborted":true,'
        . '"stream_error":true'),
    request(3, 60, '', status => 499),
    request(5, 70, '"gen_ai.response.model":"m","stream_error":false'),
);

my ($a, $b, $r, $err, $rc) = analyze(\@lines);

is($rc, 0, 'answers - exit 0');
is_deeply([map { $_->{errors} } @{$r->{variants}}], [0, 2],
          'answers - a stream that failed after its 200 is an error');
is_deeply($a->{input_tokens}, { n => 3, mean => 440 / 3, total => 440,
    p50 => $a->{input_tokens}{p50}, p95 => $a->{input_tokens}{p95},
    p99 => $a->{input_tokens}{p99} }, 'tokens - by request');
near($a->{input_tokens}{p50}, 100, 0.01, 'tokens - median within 1 %');
is_deeply([@{$a->{output_tokens}}{qw(p50 p95 total)}], [10, 30, 40],
          'tokens - small counts are exact, 0 too');
is_deeply($a->{'output_tokens.unit'}, { n => 2, mean => 20, total => 40,
    p50 => 0, p95 => 40, p99 => 40 }, 'tokens - by unit, exact');
is_deeply($a->{cached_share}, { n => 2, mean => 25 / 400 },
          'cached share - of the input of requests that tell it');
is_deeply($a->{'tool_calls.unit'}, { n => 2, mean => 1, total => 2,
    p50 => 0, p95 => 2, p99 => 2 }, 'tool calls - by unit');
is_deeply($a->{tool_calls}{p50}, 0, 'tool calls - none is 0');

is($a->{cost}{total}, 5.300000001, 'cost - exact to 10^-9');
is($a->{cost}{n}, 3, 'cost - requests that have one');
near($a->{cost}{p50}, 0.3, 0.01, 'cost - median');
near($a->{cost}{p99}, 5, 0.0101, 'cost - a dear one');
is($a->{'cost.unit'}{mean}, 5.300000001 / 2, 'cost - by unit');
is_deeply([@{$a->{'cost.unit'}}{qw(p50 p95)}], [0.300000001, 5],
          'cost - quantiles of units');
ok(!exists $b->{cost}, 'cost - not measured is absent');
is($r->{currency}, 'USD', 'cost - the currency');
is_deeply($a->{cost_per_success}, { n => 0, mean => undef,
    reason => 'no_successes', total => 5.300000001 },
    'cost per success - none');

is_deeply([@{$a->{ttft_ms}}{qw(n mean total)}], [2, 25, 50], 'TTFT - mean');
near($a->{ttft_ms}{p50}, 10, 0.01, 'TTFT - median');
is($a->{'ttft_ms.cold'}{mean}, 40, 'TTFT - cold');
is($a->{'ttft_ms.warm'}{mean}, 10, 'TTFT - warm');
is_deeply([@{$a->{'response_ms.warm'}}{qw(n total)}], [2, 50],
          'response time - warm');
is_deeply([@{$a->{'response_ms.cold'}}{qw(n total)}], [1, 100],
          'response time - cold');
ok(!exists $b->{'response_ms.warm'}, 'response time - neither, not known');
ok(exists $a->{response_ms}{variance} && !exists $a->{ttft_ms}{variance},
   'variance - of what had it before');
is_deeply([map { $a->{$_}{n} } 'tpot_ms', 'itl_max_ms'], [1, 1],
          'time per token, longest gap');

is_deeply($a->{refusal_rate}, { n => 3, mean => 1 / 3, total => 1 },
          'refusals - of requests');
is_deeply([map { $a->{$_}{total} } qw(abort_rate empty_rate truncated_rate
                                     no_usage_rate)], [0, 0, 1, 0],
          'rates - control');
is_deeply([map { $b->{$_}{total} } qw(abort_rate empty_rate truncated_rate
                                     no_usage_rate)], [2, 1, 0, 4],
          'rates - concise');
is_deeply($r->{quality}{missing_usage},
          { observed => [0, 4], requests => [3, 5],
            causes => { absent => [0, 2], encoded => [0, 1],
                        other => [0, 1] } },
          'usage missing - by arm and cause');
is_deeply($a->{requests}, { n => 2, mean => 1.5, total => 3, p50 => 1,
                            p95 => 2, p99 => 2 }, 'requests a unit');

my @report = ($a, $b);
($a, $b) = analyze([shuffle @lines]);
is_deeply([$a, $b], \@report, 'answers - in another order');

($a, $b) = analyze([request(2, 0), request(1, 0)]);
is_deeply([sort keys %$a], ['abort_rate', 'requests'],
          'not metered - nothing of answers');

(undef, undef, undef, $err, $rc) = analyze([@lines,
    request(2, 80, '"cost":1,"currency":"EUR"')]);
is($rc, 2, 'two currencies - exit 2');
like($err, qr/lines\.log:9: a cost in 'EUR', where the document has 'USD'/,
     'two currencies - both named');

for my $bad ('"cost":-1,"currency":"USD"', '"cost":1e400,"currency":"USD"',
             '"cost":1', '"ttft_ms":-5', '"gen_ai.usage.input_tokens":1.5',
             '"gen_ai.usage.output_tokens":"9"', '"cold":"yes"',
             '"empty":true,"empty":true', '"gen_ai.response.model":{}')
{
    my @got = analyze([@lines, request(2, 90, $bad)]);
    is_deeply([@got[0, 1], $got[2]{inputs}[0]{bad}], [@report, 1],
              "$bad - a bad line, the rest counts");
}


# Outcomes.

my @base = map { request($_, $_) } 1 .. 6;      # control 2 4 6
my $first = $id;

$id += 1000;
push @base, request(1, 0, '', id => 7, arm => 'control', reason => 'paused');

my @said = (
    feedback(2, 10, 'resolved', 'true'), feedback(2, 11, 'resolved', 0),
    feedback(4, 10, 'resolved', 0), feedback(1, 1, 'resolved', 1),
    feedback(3, 10, 'resolved', 'false'),
    feedback(sprintf('"request_id":"%032x"', $first), 10, 'strict', 1),
    feedback(4, 10, 'strict', 0),
    feedback(2, 10, 'rating', 5), feedback(2, 10, 'rating', 2),
    feedback(6, 10, 'rating', 1.1),
    feedback(1, 20, 'clicks', 2), feedback(1, 60, 'clicks', 3),
    feedback(3, 62, 'clicks', 1),
    feedback(2, 20, 'wait', 1500), feedback(4, 20, 'wait', 400.5),
    feedback(2, 20, 'share', 1), feedback(2, 20, 'share', 0.5),
    feedback(4, 20, 'share', -3),
);
my @late = (@base, @said, request(8, 64));

($a, $b, $r, $err, $rc) = analyze(\@late);
is($rc, 0, 'outcomes - exit 0');

# control: 2 4 6 8, of which 2 resolved at once and 6, 8 did not say
is_deeply($a->{resolved}, { n => 4, mean => 0.25, total => 1, missing => 2,
                            immature => 0 },
          'binary - any of its values, 0 where there is none');
is_deeply($b->{resolved}, { n => 3, mean => 1 / 3, total => 1, missing => 1,
                            immature => 0 }, 'binary - the other arm');
is_deeply($a->{strict}, { n => 2, mean => 0.5, total => 1, missing => 2,
                          immature => 0 },
          'binary, excluded - of those that said; by the request of unit 6');
is_deeply($a->{rating}, { n => 2, mean => 2.3, total => 4.6, missing => 2,
    immature => 0, p50 => 1.1, p95 => 3.5, p99 => 3.5 },
    'mean - of the means of units');
is_deeply($a->{wait}, { n => 4, mean => 475.125, total => 1900.5,
    missing => 2, immature => 0, p50 => 0, p95 => 1500, p99 => 1500 },
    'duration - zero where it is missing');
is_deeply($a->{share}, { n => 3, mean => -0.5, total => -1.5, missing => 2,
                         immature => 0 }, 'ratio - over values');

# the last line is at 64: units from 4 s on had no minute
is_deeply($b->{clicks}, { n => 2, mean => 3, total => 6, missing => 0,
    immature => 1, p50 => 1, p95 => 5, p99 => 5 },
    'window - matured units, values within it');
is_deeply($a->{clicks}, { n => 2, mean => 0, total => 0, missing => 2,
    immature => 2, p50 => 0, p95 => 0, p99 => 0 },
    'window - the last instant is outside');
is_deeply($r->{feedback}, { counted => 18, left_out => {} },
          'outcomes - all counted');

@report = ($a, $b, $r->{feedback});
($a, $b, $r) = analyze([shuffle @late]);
is_deeply([$a, $b, $r->{feedback}], \@report, 'outcomes - in another order');
($a, $b, $r) = analyze([@late, @said[0 .. 9]]);
is_deeply([$a, $b, $r->{feedback}], \@report, 'outcomes - read twice');
is($r->{inputs}[0]{duplicates}, 10, 'outcomes - duplicates by id and place');

(undef, $b, $r) = analyze([@base, feedback(3, 9, 'clicks', 1, id => 5555),
                          feedback(3, 9, 'clicks', 1, id => 5555, n => 1),
                          feedback(3, 9, 'clicks', 1, id => 5555, n => 1),
                          request(10, 99)]);
is($b->{clicks}{total}, 2, 'one POST of two - both places count, once');

my @odd = (
    ['untrusted', feedback(2, 20, 'rating', 3, trust => 'open')],
    ['untrusted', feedback(2, 20, 'rating', 3, trust => '')],
    ['untrusted', feedback(2, 20, 'rating', 3, trust => 'me')],
    ['undeclared', feedback(2, 20, 'nope', 3)],
    ['undeclared', feedback(2, 20, 'output_tokens.mean', 3)],
    ['undeclared', feedback(2, 20, 'tools', 3)],
    ['invalid', feedback(2, 20, 'rating', 6)],
    ['invalid', feedback(2, 20, 'rating', 0.999)],
    ['invalid', feedback(2, 20, 'resolved', 0.5)],
    ['invalid', feedback(2, 20, 'resolved', -1)],
    ['invalid', feedback(2, 20, 'clicks', 1.5)],
    ['invalid', feedback(2, 20, 'wait', -1)],
    ['unknown_request', feedback('"request_id":"dd"', 20, 'rating', 3)],
    ['never_exposed', feedback(77, 20, 'rating', 3)],
    ['before_exposure', feedback(6, 5, 'rating', 3)],
    ['after_window', feedback(1, 61, 'clicks', 1)],
    ['refused', '{"kind":"feedback","id":"ab","time":"' . stamp(9)
        . '","status":401,"refused":"token:none"}'],
);

for my $case (@odd) {
    my ($why, $line) = @$case;
    my ($x, $y, $got) = analyze([@late, $line]);
    my ($what) = $line =~ /("(?:metric|refused)":.*)\}/;

    is_deeply([$x, $y, $got->{feedback}],
              [@report[0, 1], { counted => 18, left_out => { $why => 1 } }],
              "$why - $what");
}

($a, undef, $r) = analyze([@late, $odd[0][1]], '--trust', 'open');
near($a->{rating}{mean}, (10 / 3 + 1.1) / 2, 1e-9,
     'open - counts when asked for');
($a, undef, $r) = analyze([@late, $odd[2][1]], '--trust', 'open');
is($r->{feedback}{left_out}{untrusted}, 1, 'a trust of no meaning - never');
is((analyze(\@late, '--trust', 'all'))[4], 2, 'trust - another word, exit 2');

($a, $b, $r) = analyze([@late, feedback(2, 20, 'rating', 3,
                                        experiment => 'other')]);
is_deeply([$a, $b, $r->{feedback}], \@report, 'another experiment - ignored');

for my $value ('1e400', '"1"', 'null', '[1]', '{}', '-1e10') {
    my @got = analyze([@late, feedback(2, 20, 'rating', $value)]);
    is_deeply([@got[0, 1], $got[2]{inputs}[0]{bad}], [@report[0, 1], 1],
              "value $value - a bad line");
}

is((analyze([@late, feedback(2, 20, 'rating', 3, key => 'deadbeef')]))[4], 2,
   'feedback under another key - exit 2');

($a, $b, $r) = analyze(\@late, '--until', stamp(64));
is($a->{resolved}{n}, 3, 'until - units before it');
is($b->{clicks}{immature}, 1, 'until - is the cut-off');
(undef, undef, $r) = analyze(\@late, '--until', stamp(20));
is($r->{feedback}{left_out}{after_window}, 8, 'until - outcomes before it');

($a, $b) = analyze([@base, feedback(2, 3601, 'back', 1),
                    feedback(4, 3604, 'back', 1), request(8, 3605)]);
is_deeply([@{$a->{back}}{qw(n total immature)}], [2, 1, 2],
          'window - of an hour');


# Cost per success: 6 USD of control's units, of which one has success.

($a, $b) = analyze([(map { request($_, $_, usage(1, 1, $_)) } 1, 2, 4),
                    feedback(2, 9, 'resolved', 1),
                    feedback(1, 9, 'resolved', 1)]);
is_deeply($a->{cost_per_success}, { n => 1, mean => 6, total => 6 },
          'cost per success - all cost, over successes');
is_deeply($b->{cost_per_success}, { n => 1, mean => 1, total => 1 },
          'cost per success - the other arm');


# The tables, and CSV.

my ($out, @table);

($rc, $out) = expctl('analyze', 'tone', lines(@lines, @said));
@table = split /\n/, $out;
ok(!grep({ length > 80 } @table), 'tables - 80 columns');
like($out, qr/^VARIANT\ +TTFT[ ]P50\ +TTFT[ ]P95\ +TPOT[ ]P50.*\n
              control\ +[\d.]+[ ]ms\ .*\nconcise\ +(?:-[ ]*){5}$/mx,
     'tables - times; not measured is -');
like($out, qr/^VARIANT +WARM P50 +WARM P95 +COLD P50/m, 'tables - cold, warm');
like($out, qr/^VARIANT +INPUT +CACHED +OUTPUT +P95 +OUTPUT\/UNIT/m,
     'tables - tokens');
like($out, qr/^tokens: .*; CACHED: share of INPUT$/m,
     'tables - what is no mean of tokens');
like($out, qr/^control +147 +6\.25 % +13\.3 +30\.0 +20\.0 +1\.00$/m,
     'tables - tokens by hand');
like($out, qr/^VARIANT +ABORTED +EMPTY +REFUSED +CUT SHORT +NO USAGE$/m,
     'tables - rates');
like($out, qr/^VARIANT +USD\/REQUEST +USD\/UNIT +USD\/SUCCESS +USD TOTAL$/m,
     'tables - cost');
like($out, qr/^control +1\.77 +2\.65 +5\.30 +5\.30$/m,
     'tables - cost by hand');
like($out, qr/^OUTCOME +VARIANT +N +MISSING +IMMATURE +MEAN +P50 +P95$/m,
     'tables - outcomes');
like($out, qr/^resolved +control +2 +1 +0 +50\.00 % +- +-$/m,
     'tables - an outcome by hand');
like($out, qr/^feedback: counted 11, left out: .*never_exposed 1/m,
     'tables - what came of feedback');

($rc, $out) = expctl('analyze', 'tone',
                     lines(@late, map { $_->[1] } @odd));
ok(!grep({ length > 80 } split /\n/, $out), 'tables - wrapped at 80');
like($out, qr/^feedback: counted 18, left out: refused 1, untrusted 3, .*,$
^  unknown_request 1, .*, after_window 1$/m, 'tables - every cause');

($rc, $out) = expctl('analyze', 'tone', '-o', 'csv',
                     lines(@lines, @said));
my ($head, @rows) = map { [split /,/, $_, -1] } split /\n/, $out;
my %row = map { $head->[$_] => $rows[0][$_] } 0 .. $#$head;
is_deeply([map { scalar @$_ } @rows], [(scalar @$head) x 3],
          'csv - rows as wide as heads');
is_deeply([@row{qw(variant cost.total cached_share resolved)}],
          ['control', 5.300000001, 0.0625, 0.5], 'csv - by hand');
near($row{'input_tokens.mean'}, 440 / 3, 1e-15, 'csv - all digits');

done_testing();
