#!/usr/bin/perl

# Tests for expctl log show: rows, filters, formats, following.

use warnings;
use strict;

use lib 't/lib';

use Digest::SHA qw/ hmac_sha256 hmac_sha256_hex /;
use Edge::Cli;
use Encode ();
use IO::Compress::Gzip qw/ gzip /;
use JSON::PP;
use Test::More;
use Time::HiRes qw/ sleep time /;

###############################################################################

my $dir = folder();
my ($rc, $out, $err);

init_registry();

mkdir "$dir/log";

# As the module makes ids: HMAC under HKDF(key, "unit").

my ($kid, $hex) = slurp(registry() . '/keys') =~ /^(\w{8}) (\w{64})$/m;

sub id_of {
    my ($type, $unit) = @_;
    my $prk = hmac_sha256(pack('H*', $hex), "\0" x 32);

    return substr hmac_sha256_hex("$type\0$unit",
        hmac_sha256("nxe/v1/unit\x01", $prk)), 0, 32;
}

sub entry {
    my ($name, $variant, $reason, $type, $unit) = @_;

    return qq({"name":"$name","phase":1,"variant":"$variant","reason":"$reason")
        . (defined $unit ? qq(,"unit":") . id_of($type, $unit)
                           . qq(","unit_type":"$type") : '') . '}';
}

sub request {
    my ($time, $entries, $more) = @_;

    return qq({"kind":"request","id":"1","time":"$time","key_id":"$kid",)
        . qq("status":200,"response_ms":812.412,"experiments":[$entries])
        . ($more // '') . "}\n";
}

my $usage = ',"ttft_ms":95.3,"gen_ai.response.model":"gpt-4o",'
    . '"gen_ai.usage.input_tokens":1512,"gen_ai.usage.output_tokens":212,'
    . '"cost":0.00525,"currency":"USD"';

my @lines = (
    request('2026-11-20T09:00:00.123456Z',
        entry(qw/ tone concise assigned conversation u-1 /), $usage),
    request('2026-11-20T09:00:01.000000Z',
        entry(qw/ tone control not_exposed conversation u-2 /) . ','
        . entry(qw/ help a paused user u-1 /),
        ',"stream":true,"gen_ai.response.model":"gpt-4o"'),
    request('2026-11-21T00:00:00.000000Z', ''),
    qq({"kind":"feedback","time":"2026-11-21T00:00:01.000000Z",)
        . qq("experiment":"tone","metric":"resolved","value":1,"unit":")
        . id_of('conversation', 'u-1') . qq("}\n),
    qq({"kind":"ofrep","time":"2026-11-21T00:00:02.000000Z","status":200,)
        . '"experiments":[' . entry(qw/ tone concise assigned user u-3 /)
        . "]}\n",
    qq({"kind":"tool","time":"2026-11-21T00:00:03.000000Z"}\n),
);

spew('log/edge.log', join '', @lines);

sub show { expctl('log', 'show', @_) }

# the table

($rc, $out, $err) = show();
is($out, <<'END', 'rows - of the default log');
TIME      CODE  RESPONSE     TTFT    TOKENS         COST  EXPERIMENT
2026-11-20 UTC
09:00:00   200    812 ms  95.3 ms  1512/212  0.00525 USD  tone/concise
09:00:01   200    812 ms        -         -            -  tone/control not_exposed, help/a paused
2026-11-21 UTC
00:00:00   200    812 ms        -         -            -  -
00:00:01     -         -        -         -            -  tone resolved=1
00:00:02   200         -        -         -            -  ofrep tone/concise
END
is("$rc $err", '0 ', 'rows - exit status');

($rc, $out) = show('-o', 'json');
is($out, join('', @lines[0 .. 4]), 'json - lines as they are');

($rc, $out) = show('-o', 'csv');
is($out, <<'END', 'csv');
TIME,KIND,STATUS,RESPONSE_MS,TTFT_MS,INPUT_TOKENS,OUTPUT_TOKENS,COST,CURRENCY,MODEL,EXPERIMENT,ABORTED,STREAM_ERROR,UNMETERED
2026-11-20T09:00:00.123456Z,request,200,812.412,95.3,1512,212,0.00525,USD,gpt-4o,tone/concise assigned,,,
2026-11-20T09:00:01.000000Z,request,200,812.412,,,,,,gpt-4o,"tone/control not_exposed, help/a paused",,,
2026-11-21T00:00:00.000000Z,request,200,812.412,,,,,,,,,,
2026-11-21T00:00:01.000000Z,feedback,,,,,,,,,feedback tone resolved=1,,,
2026-11-21T00:00:02.000000Z,ofrep,200,,,,,,,,ofrep tone/concise assigned,,,
END

# filters

($rc, $out) = show('-o', 'json', '--unit', 'u-1');
is($out, join('', @lines[0, 1, 3]), 'unit - raw, of each type, and feedback');
($rc, $out) = show('-o', 'json', '--unit', 'u-3');
is($out, $lines[4], 'unit - of one line');
($rc, $out) = show('-o', 'json', '--unit', id_of('user', 'u-1'));
is($out, $lines[1], 'unit - an id');
($rc, $out) = show('-o', 'json', '--unit', 'nobody');
is("$rc $out", '0 ', 'unit - of no line');
($rc, $out) = show('--unit', 'nobody');
is($out, "TIME      CODE  RESPONSE     TTFT    TOKENS         COST  "
    . "EXPERIMENT\n", 'table - heads without a row');
($rc, $out) = show('-o', 'csv', '--unit', 'nobody');
like($out, qr/\ATIME,KIND,[^\n]*\n\z/, 'csv - heads without a row');

rename registry() . '/keys', "$dir/keys";
($rc, $out, $err) = show('-o', 'json', '--unit', id_of('user', 'u-1'));
is("$rc $out", "0 $lines[1]", 'unit - an id needs no key');
($rc, $out, $err) = show('--unit', 'u-1', "$dir/log/edge.log");
is("$rc $out", '3 ', 'unit - without the key file');
like($err, qr/cannot read '.*keys'.*\nnext: /, 'unit - told');
rename "$dir/keys", registry() . '/keys';

($rc, $out) = show('-o', 'json', '--missing', 'usage');
is($out, $lines[1], 'missing usage');

for my $with ('"ttft_ms":1.5', '"empty":true', '"stream":true',
    '"gen_ai.response.model":"m"', '"unmetered":"encoded"')
{
    my $line = request('2026-11-20T09:00:00Z', '', ",$with");
    ($rc, $out) = expctl_in('log', 'show', '-', '-o', 'json', '--missing',
        'usage', $line);
    is($out, $line, "missing usage - $with");
}

($rc, $out) = expctl_in('log', 'show', '-', '--missing', 'usage', '-o',
    'json', request('2026-11-20T09:00:00Z', '',
    ',"stream":true,"gen_ai.usage.output_tokens":0'));
is($out, '', 'missing usage - none are known');

# files

gzip(\$lines[0] => "$dir/old.log.gz");
($rc, $out) = show('-o', 'json', "$dir/old.log.gz", "$dir/log/edge.log");
is($out, join('', @lines[0, 0 .. 4]), 'gzip, in the order given');

# feedback of which nothing was taken

my $refused = join '', map {
    qq({"kind":"feedback","id":"1","time":"2026-11-20T09:00:00.000000Z",)
        . qq("status":$_->[0],"refused":"$_->[1]"}\n)
} [401, 'token:expired'], [202, 'duplicate'];

($rc, $out) = expctl_in('log', 'show', '-', $refused);
is($out, <<'END', 'refused - why');
TIME      CODE  RESPONSE     TTFT    TOKENS         COST  EXPERIMENT
2026-11-20 UTC
09:00:00   401         -        -         -            -  feedback token:expired
09:00:00   202         -        -         -            -  feedback duplicate
END
($rc, $out) = expctl_in('log', 'show', '-', '-o', 'csv', $refused);
like($out, qr/,401,.*,feedback token:expired,,,\n.*,202,.*,feedback duplicate,,,\n/,
    'refused - csv');

# answers of which the status says nothing

my $cut = join '', map { request('2026-11-20T09:00:00Z',
    entry('t', 'c', 'assigned'), $_) } ',"aborted":true',
    ',"stream_error":"incomplete","aborted":true', ',"unmetered":"encoded"',
    ',"aborted":false', ',"aborted":"true\u001b"',
    ',"stream_error":null,"unmetered":false';

($rc, $out) = expctl_in('log', 'show', '-', $cut);
is_deeply([ $out =~ /  -  (\S.*)/g ], [ 'aborted, t/c',
    'aborted, stream_error:incomplete, t/c', 'unmetered:encoded, t/c',
    't/c', 't/c', 't/c' ], 'answers - what went wrong stands in front');
($rc, $out) = expctl_in('log', 'show', '-', '-o', 'csv', $cut);
is_deeply([ $out =~ /t\/c assigned(.*)/g ], [ ',true,,',
    ',true,incomplete,', ',,,encoded', ',,,', ',,,', ',,null,false' ],
    'answers - csv');

# costs as they deserve it, and rows as wide as they may be

for my $row (['0.004000000', '0.00400 USD'], ['12.345678901', '12.35 USD'],
    ['0.000000001', '0.000000001 USD'], ['0', '0.00 USD'],
    ['1511.9', '1,512 USD'], ['"x"', '-'])
{
    my ($cost, $text) = @$row;

    ($rc, $out) = expctl_in('log', 'show', '-', request(
        '2026-11-20T09:00:00Z', '', qq(,"cost":$cost,"currency":"USD")));
    like($out, qr/  \Q$text\E  -\n/, "cost - $cost");
}

spew('wide.log', request('2026-11-20T09:00:00Z',
    entry('n' x 64, 'v' x 64, 'assigned'), ',"cost":0.000000001,"currency":'
    . '"' . 'C' x 90 . '","gen_ai.usage.input_tokens":123456789')
    . request('2026-11-20T09:00:00Z', entry('t', "\xc3\xa9" x 64, 'assigned')));

SKIP: {
    skip 'no script', 2 unless grep { -x "$_/script" } split /:/, $ENV{PATH};

    for my $columns (80, 120) {
        $out = tty("log show $dir/wide.log", "COLUMNS=$columns");
        is_deeply([ map { length } split /\n/, Encode::decode_utf8($out) ],
            [ 68, 14, $columns, $columns ],
            "rows end with the terminal, at $columns");
    }
}
($rc, $out) = show("$dir/wide.log");
unlike($out, qr/\.\.\./, 'rows are whole in a pipe');

# hostile, bad

my $evil = request('2026-11-20T09:00:00.000000Z', entry('t', 'c', 'assigned'),
    ",\"currency\":\"\\u001b[2J\xe2\x80\xae\",\"cost\":1,"
    . '"gen_ai.response.model":"=cmd()"');
($rc, $out) = expctl_in('log', 'show', '-', $evil);
like($out, qr/1\.00 \\x1b\[2J\\u\{202e\}/, 'hostile bytes - table');
unlike($out, qr/\x1b|\xe2\x80\xae/, 'hostile bytes - none');
($rc, $out) = expctl_in('log', 'show', '-', '-o', 'csv', $evil);
like($out, qr/"'=cmd\(\)"/, 'hostile bytes - csv');
($rc, $out) = expctl_in('log', 'show', '-', '-o', 'json', $evil);
unlike($out, qr/\x1b|\xe2\x80\xae/, 'hostile bytes - json');
is_deeply(decode_json($out), decode_json($evil), 'hostile bytes - same json');

($rc, $out, $err) = expctl_in('log', 'show', '-',
    "garbage\n{\"a\":1}\n" . ('x' x 1100000) . "\n$lines[0]" . '{"kind":"re');
like($out, qr/tone\/concise\n\z/, 'bad lines - passed');
is("$rc $err", "0 expctl: -:1: bad line: not one JSON object\n",
    'bad lines - the first is told');
($rc, $out, $err) = expctl_in('log', 'show', '-', '{"kind":"request"}');
like($err, qr/bad line: no "time"/, 'bad lines - no time');
($rc, $out, $err) = expctl_in('log', 'show', '-', $lines[0]
    =~ s/"status":200/"status":200,"status":500/r);
like($err, qr/bad line: a member that occurs twice/, 'bad lines - twice');
($rc, $out, $err) = expctl_in('log', 'show', '-', $lines[0]
    =~ s/"variant":"concise"/"variant":"control","variant":"concise"/r);
like($out, qr/  -\n\z/, 'bad lines - twice in an entry, which is none');
($rc, $out, $err) = show("$dir/none.log");
is("$rc $out", '2 ', 'no file - no heads');

# usage

for my $row (
    [['log'], 2, 'log needs a word: show'],
    [['log', 'verify'], 2, "unknown word 'verify', expected show"],
    [['log', 'show', '--missing', 'cost'], 2, "expected usage"],
    [['log', 'show', '--unit', ''], 2, "option '--unit' needs a value"],
    [['log', 'show', '--follow', '-'], 2, '--follow needs a log file'],
    [['log', 'show', '--follow', "$dir/old.log.gz"], 2, '--follow needs'],
    [['log', 'show', "$dir/none"], 2, 'cannot open'],
    [['log', 'show', '--registry', "$dir/none"], 3, 'no registry'],
) {
    ($rc, $out, $err) = expctl(@{$row->[0]});
    is($rc, $row->[1], "refused - $row->[2]");
    like($err, qr/\Q$row->[2]\E/, "told - $row->[2]");
}

# follow

sub append {
    my ($file, $text) = @_;

    open my $f, '>>', $file or die "$file: $!";
    syswrite $f, $text;
    close $f;
}

sub shown {
    my ($text, $name) = @_;
    my $until = time() + 20;

    sleep 0.05 while slurp("$dir/followed") ne $text && time() < $until;
    is(slurp("$dir/followed"), $text, $name);
}

my $pid = fork() // die "fork: $!";

if ($pid == 0) {
    open STDOUT, '>', "$dir/followed" or die;
    exec $ENV{EXPCTL} || 'build/expctl', 'log', 'show', '--follow', '-o',
        'json', '--unit', 'u-1' or die;
}

# lines before its start are not its: it has begun when one comes

my $file = "$dir/log/edge.log";
my $until = time() + 20;

while (slurp("$dir/followed") eq '' && time() < $until) {
    append($file, $lines[0]);
    sleep 0.1;
}

append($file, $lines[3]);
sleep 0.05
    while slurp("$dir/followed") !~ /"feedback".*\n\z/ && time() < $until;

my $seen = slurp("$dir/followed");
like($seen, qr/\A(?:\Q$lines[0]\E)+\Q$lines[3]\E\z/,
    'follow - what comes after its start');

append($file, $lines[4]);
append($file, $lines[1]);
shown($seen .= $lines[1], 'follow - filtered');

append($file, substr $lines[3], 0, 40);
append($file, substr $lines[3], 40);
shown($seen .= $lines[3], 'follow - a line in two writes');

rename $file, "$file.1";
append("$file.1", $lines[1]);
shown($seen .= $lines[1], 'follow - renamed, written on');

append($file, $lines[0]);
shown($seen .= $lines[0], 'follow - the new file');
append("$file.1", $lines[3]);
shown($seen .= $lines[3], 'follow - a late line of the old one');

truncate $file, 0;
append($file, $lines[3]);
shown($seen .= $lines[3], 'follow - cut');

kill 'TERM', $pid;
waitpid $pid, 0;

done_testing();
