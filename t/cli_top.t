#!/usr/bin/perl

# Tests for expctl top: figures since the start and of a window, hostile
# answers, a terminal.  The server gives what the test wrote last.

use warnings;
use strict;

use lib 't/lib';

use Edge::Cli;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw/ sleep time /;

###############################################################################

my $dir = folder();
my ($rc, $out, $err);

$ENV{http_proxy} = $ENV{HTTP_PROXY} = 'http://127.0.0.1:9/';
delete $ENV{no_proxy};
delete $ENV{NO_PROXY};

my $server = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1',
    ReuseAddr => 1) or die "socket: $!";
my $url = 'http://127.0.0.1:' . $server->sockport . '/experiment_status';

answer('{}');

my $pid = fork() // die "fork: $!";
serve() if $pid == 0;
close $server;

END {
    my $code = $?;

    if ($pid) {
        kill TERM => $pid;
        waitpid $pid, 0;
    }

    $? = $code;
}

# Every request gets the file "answer", is noted in "asked", and then the file
# "next", if there is one, becomes the answer.

sub serve {
    local $SIG{PIPE} = 'IGNORE';
    while (my $c = $server->accept) {
        my $head = '';
        while ($head !~ /\r\n\r\n/) { sysread $c, $head, 4096, length $head
            or last }
        open my $f, '>>', "$dir/asked";
        print $f $head =~ s/\r\n.*//sr, "\n";
        close $f;
        print $c slurp("$dir/answer");
        close $c;
        rename "$dir/next", "$dir/answer";
    }
    POSIX::_exit(0);
}

sub http {
    my ($body, $status, $more) = @_;

    $status //= '200 OK';
    $more //= 'Content-Type: application/json';

    return "HTTP/1.1 $status\r\n$more\r\nConnection: close\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}

sub put {
    my ($name, $text) = @_;

    spew("$name.new", $text);
    rename "$dir/$name.new", "$dir/$name" or die "rename: $!";
}

sub answer { put('answer', http(@_)) }

sub next_answer { put('next', http(@_)) }

sub bins {
    my %bins = @_;
    my $n = 0;

    $n += $_ for values %bins;

    return { count => $n, sum => 1, p50 => 1, p95 => 1, p99 => 1,
        bins => \%bins };
}

# What a bin stands for in ms, by the formula of include/nxe/hist.h.

sub bin {
    my ($i) = @_;
    my $g = 1.01 / 0.99;

    return sprintf('%.3f', 2 * 0.1 * $g ** ($i + 1) / (1 + $g)) + 0;
}

sub row {
    my ($variant, $requests, %more) = @_;

    return { phase => 1, variant => $variant, step => 'default',
        requests => $requests, units => 5, aborted => 0,
        errors => { '5xx' => 0, 429 => 0, stream => 0 },
        tokens => { input => 0, output => 0 }, %more };
}

sub status {
    my ($rows, %more) = @_;
    my $e = delete $more{experiment} // {};

    return JSON::PP->new->utf8->canonical->encode({
        worker => 'edge-1/5f0c9a71', now => '2026-11-20T09:10:00.000Z',
        started => '2026-11-20T09:00:00Z', snapshot_errors => 0,
        feedback_refused => 0, registry => { transaction => 812,
        head => '0123456789abcdef', age_s => 852.3, loaded => JSON::PP::true },
        zone => { rows => 3, rows_max => 2048, blocks => 4,
        blocks_max => 3500, dropped => 0 }, experiments => [ { name => 'tone',
        stage => 'ab', exposure => 0.2, phase => 1, revision => 3,
        layer => 'chat', baseline => 'control', error => JSON::PP::false,
        variants => [ 'control', 'concise' ], rows => $rows, %$e } ], %more });
}

sub top { expctl('top', '--url', $url, @_) }

# since the start: 600 s, 90 requests of which 20 are slow

my @rows = (
    row('concise', 90, units => 45, aborted => 2,
        errors => { '5xx' => 2, 429 => 1, stream => 0 },
        cost => 0.000000001, currency => 'USD',
        tokens => { input => 9, output => 3 },
        response_ms => bins(312 => 70, 400 => 20),
        ttft_ms => bins(100 => 90)),
    row('control', 1512),
    row('_not_exposed', 800), row('_paused', 12),
    row('_paused', 3, step => 'other'),
    row('concise', 7, phase => 0),
);

answer(status(\@rows));

($rc, $out, $err) = top();
is("$rc $err", '0 ', 'once in a pipe, past the proxy');
is($out, <<'END', 'table');
2026-11-20T09:10:00.000Z  edge-1/5f0c9a71
ok    registry 812, published 14 min ago, snapshot errors 0
ok    rows 3 of 2,048, requests not counted 0
since 2026-11-20T09:00:00Z; units within 1.6 % (standard error)

tone  ab, exposure 20 %, phase 1, revision 3, layer chat
VARIANT  UNITS  REQUESTS  REQ/S  ERRORS      P50     P95     P99  TTFT P95
control      5     1,512   2.52     0 %        -       -       -         -
concise     45        90   0.15  3.33 %  51.8 ms  301 ms  301 ms   0.75 ms
left out: not_exposed 800, paused 15, other phases 7
END

($rc, $out) = top('-o', 'json');
my @json = map { decode_json($_) } split /\n/, $out;
is(scalar @json, 6, 'json - a row a line');
is_deeply($json[0], { experiment => 'tone', stage => 'ab', exposure => 0.2,
    phase => 1, revision => 3, feedback => 0, variant => 'concise',
    step => 'default', window => 'start', window_s => 600, units => 45, requests => 90,
    errors => 3, error_rate => 3 / 90, aborted => 2, input_tokens => 9,
    output_tokens => 3, cost => 1e-9, currency => 'USD',
    response_ms => { n => 90, p50 => bin(312), p95 => bin(400), p99 => bin(400) },
    ttft_ms => { n => 90, p50 => bin(100), p95 => bin(100), p99 => bin(100) },
    tpot_ms => { n => 0, p50 => undef, p95 => undef, p99 => undef } },
    'json - figures');

($rc, $out) = top('-o', 'csv');
is((split /\n/, $out)[1], 'tone,ab,1,concise,default,start,600,45,90,2,1,0,2,'
    . join(',', map { bin($_) } 312, 400, 400, 100) . ',0', 'csv');

# a window

my @later = map { { %$_ } } @rows;
$later[0] = row("concise", 100, units => 50, aborted => 2,
    tokens => { input => 9, output => 3 }, ttft_ms => bins(100 => 90),
    errors => { '5xx' => 3, 429 => 1, stream => 0 }, cost => 0.5,
    currency => 'USD', response_ms => bins(312 => 70, 400 => 20, 200 => 10));
push @later, row('concise', 4, step => 'new', response_ms => bins(9 => 4));

next_answer(status(\@later));
($rc, $out) = top('--count', 2, '--interval', '0.5s', '-o', 'json');
@json = map { decode_json($_) } split /\n/, $out;
is("$rc " . @json, '0 13', 'window - both pictures');
is($json[6]{window}, 'last', 'window - is one');
ok($json[6]{window_s} >= 0.5 && $json[6]{window_s} < 10, 'window - seconds');
is("@{$json[6]}{qw/ requests errors units /}", '10 1 50',
    'window - counts are differences, units are not');
is_deeply($json[6]{response_ms}, { n => 10, p50 => bin(200), p95 => bin(200),
    p99 => bin(200) }, 'window - bins are differences');
is($json[6]{cost}, 0.499999999, 'window - cost is exact');
is($json[12]{requests}, 4, 'window - a row that is new');
is($json[7]{error_rate}, undef, 'window - no requests, no rate');

answer(status(\@rows));
next_answer(status(\@later));
($rc, $out) = top('--count', 2, '--interval', '0.2');
like($out, qr/^requests, errors, times of the last 0\.\d s; units since 2026-/m,
    'window - said');
like($out, qr/^VARIANT  STEP     UNITS .*^concise  new          5         4 /ms,
    'steps - a column') or diag($out);

# counters that began anew, or of another host, are not subtracted; one that
# fell is not known

for (
    ['zone made anew', started => '2026-11-20T09:09:00Z'],
    ['another host', worker => 'edge-2/5f0c9a71'],
) {
    my ($name, %more) = @$_;

    answer(status(\@rows));
    next_answer(status(\@later, %more));
    ($rc, $out) = top('--count', 2, '--interval', '0.2', '-o', 'json');
    is(decode_json((split /\n/, $out)[6])->{window}, 'start', $name);
}

answer(status(\@rows));
next_answer(status(\@later, worker => 'edge-1/00000000'));
($rc, $out) = top('--count', 2, '--interval', '0.2', '-o', 'json');
is(decode_json((split /\n/, $out)[6])->{window}, 'last',
    'another worker of the host');

answer(status(\@later));
next_answer(status([ $rows[0] ]));
($rc, $out) = top('--count', 2, '--interval', '0.2');
like($out, qr/^concise +45 +- +- +- +- +- +- +-\n\z/m, 'fewer than before');

# what is asked for

answer(status(\@rows));
($rc, $out) = top('tone');
like($out, qr/^tone  ab/m, 'NAME');

for my $o ([], ['-o', 'json'], ['-o', 'csv'], ['tone']) {
    ($rc, $out, $err) = top('other', @$o);
    is("$rc $out", '2 ', "NAME - none of that name @$o");
    is($err, "expctl: the edge counts no experiment 'other'\n"
        . "next: expctl top, expctl list\n", "NAME - told @$o");
}

($rc, $out, $err) = top('tune');
like($err, qr/\Aexpctl: .* no experiment 'tune', near: tone\n/, 'NAME - near');

answer(status(\@rows, more => 3));
($rc, $out) = top('other');
is($rc, 0, 'NAME - perhaps one that is not listed');
like($out, qr/^no experiment of those named has counts\n/m,
    'NAME - perhaps, told');

answer(status(\@rows));
next_answer(status(\@rows, experiments => []));
($rc, $out) = top('tone', '--count', 2, '--interval', '0.2');
is($rc, 0, 'NAME - gone later');

# warnings, errors, what is not there

answer(status([], snapshot_errors => 2));
($rc, $out) = top();
like($out, qr/^warn  registry 812, .*, snapshot errors 2\n      next: /m, 'snapshot errors');
like($out, qr/^control      -         0      0       -    -    -    -         -\n/m,
    'a variant without a row') or diag($out);

answer(status([], zone => { dropped => 7 }, experiment => {
    error => JSON::PP::true }));
($rc, $out) = top();
like($out, qr/^warn  .*not counted 7\n      next: .*experiment_zone/m,
    'rows dropped');
like($out, qr/^FAIL  its document/m, 'a document that cannot be used');

answer('{"started":"2026-11-20T09:00:00Z","experiments":[],"new":[{}]}');
($rc, $out, $err) = top();
is("$rc $err", '0 ', 'members that are not there, or new');
like($out, qr/^warn  no registry,.*\n      next: .*no experiment is live/ms, 'nothing there');

answer('{"started":"x","experiments":[{"name":"gone","rows":['
    . '{"variant":"a","phase":3,"step":"default","requests":4},'
    . '{"variant":"a","phase":2,"step":"default","requests":5}]}]}');
($rc, $out) = top();
like($out, qr/^gone  off, phase 3\n.*\na +- +4 +- .*\nleft out: other phases 5/m,
    'rows of one that is off');

# hostile bytes

answer('{"started":"x","worker":"w\u001b[2J\u202e","experiments":[{"name":'
    . '"n\u0007\\\\","stage":"\u001b]0;x","layer":"\u009b","rows":['
    . '{"variant":"v\u001b[31m","step":"s\u200b","requests":4}]}]}');
for my $o ([], ['-o', 'csv'], ['-o', 'json']) {
    ($rc, $out, $err) = top(@$o);
    is("$rc $err", '0 ', "hostile @$o - taken");
    unlike($out, qr/[^\x20-\x7e\n]/, "hostile @$o - printed safely");
    like($out, qr/n\\x07\\\\|n\\u0007\\\\/, "hostile @$o - told");
}

# feedback is of the experiment, not of a row

answer(status(\@rows, experiment => { feedback => 1234 }));
($rc, $out) = top();
like($out, qr/^tone  ab, .*, layer chat, feedback 1,234\n/m, 'feedback');
($rc, $out) = top('-o', 'json');
is_deeply([ map { decode_json($_)->{feedback} } split /\n/, $out ],
    [ (1234) x 6 ], 'feedback - json');
($rc, $out) = top('-o', 'csv');
like($out, qr/,TTFT_P95_MS,FEEDBACK\n.*,1234\n/, 'feedback - csv');

answer('{"started":"x","experiments":[{"name":"gone","feedback":3,'
    . '"rows":[]}]}');
($rc, $out) = top();
like($out, qr/^gone  off, feedback 3\n/m, 'feedback - of one without rows');

# what is no status

my $good = '"started":"x","experiments":[{"name":"a","rows":[{"variant":"v"';

for (
    ['', 'no JSON, at byte 0: expected a value'],
    ['{"a":1,}', 'no JSON, at byte 7: expected'],
    ['{"a":1,"a":2}', 'no JSON, at byte 7: expected'],
    ["{\"a\":\"\xff\"}", 'no JSON, at byte 6: expected'],
    ['[' x 600, 'no JSON'],
    ['[]', ': found an array, expected an object'],
    ['{}', '/started: found nothing, expected a time'],
    ['{"started":"x"}', '/experiments: found nothing, expected an array'],
    ['{"started":1,"experiments":[]}',
        '/started: found 1, expected a string'],
    ['{"started":"x","experiments":{}}',
        '/experiments: found an object, expected an array'],
    ['{"started":"x","experiments":[1]}',
        '/experiments/0: found 1, expected an object'],
    ['{"started":"x","experiments":[{}]}',
        '/experiments/0/name: found nothing, expected a name'],
    ["{$good,\"requests\":-1}]}]}",
        '/experiments/0/rows/0/requests: found -1, expected a whole number'],
    ["{$good,\"requests\":1e3}]}]}", 'requests: found 1e3'],
    ["{$good,\"requests\":9007199254740992}]}]}", 'requests: found 9007'],
    ["{$good,\"requests\":99999999999999999999999}]}]}",
        'requests: found 9999'],
    ["{$good,\"units\":\"5\"}]}]}", 'units: found a string'],
    ["{$good,\"response_ms\":{\"bins\":{\"870\":1}}}]}]}",
        'response_ms: found 1, expected bins of 0 to 869'],
    ["{$good,\"response_ms\":{\"bins\":{\"-1\":1}}}]}]}", 'bins of 0 to 869'],
    ["{$good,\"response_ms\":{\"bins\":{\"1\":-1}}}]}]}", 'found -1'],
    ["{$good,\"response_ms\":{\"bins\":[]}}]}]}",
        'bins: found an array, expected an object'],
    ["{$good,\"response_ms\":[]}]}]}", undef],
) {
    my ($body, $text) = @$_;
    my $name = length $body > 60 ? substr($body, -50) : $body;

    $name =~ s/[^ -~]/?/g;
    answer($body);
    ($rc, $out, $err) = top();

    if (!defined $text) {
        is($rc, 0, "taken: $name");
        next;
    }

    is("$rc $out", '3 ', "refused: $name");
    like($err, qr/\Aexpctl: \Q$url\E is not experiment_status: .*\Q$text\E.*\nnext: .*\n\z/,
        "refused: $name - told");
}

for (
    ['404 Not Found', "$url answered 404, expected 200",
        'experiment_status in a location'],
    ['403 Forbidden', 'answered 403, expected 200', 'ask from this host'],
    ['302 Found', 'answered 302, expected 200', 'its URL'],
) {
    my ($status, $text, $next) = @$_;

    answer('{}', $status, 'Location: /other');
    ($rc, $out, $err) = top();
    is("$rc $out", '3 ', "$status - refused");
    like($err, qr/\Aexpctl: .*\Q$text\E\nnext: .*\Q$next\E/, "$status - told");
}

answer('<!doctype html>', undef, 'Content-Type: text/html');
($rc, $out, $err) = top();
like($err, qr/\nnext: .*\?json/, 'a page of html - told');

put('answer', "nonsense\r\n\r\n");
($rc, $out, $err) = top();
is("$rc $out", '3 ', 'no HTTP');

put('answer', "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    . ' ' x (17 << 20));
($rc, $out, $err) = top();
is("$rc $out", '3 ', 'an answer without end');
like($err, qr/longer than 16 MB\n/, 'an answer without end - told');

# usage

for (
    ['--url', 'ftp://127.0.0.1/', "'ftp://127.0.0.1/' is no URL of http"],
    ['--url', 'file:///etc/passwd', 'is no URL of http or https'],
    ['--url', ':::', "':::' is no URL"],
    ['--count', '0', "--count '0', expected 1 or more"],
    ['--count', '1x', "--count '1x'"],
    ['--interval', '0', "--interval '0', expected 0.2 to 300 seconds"],
    ['--interval', '1m', "--interval '1m'"],
    ['--interval', 'nan', "--interval 'nan'"],
) {
    my ($option, $value, $text) = @$_;

    ($rc, $out, $err) = expctl('top', $option, $value);
    is("$rc $out", '2 ', "$option $value");
    like($err, qr/\Aexpctl: .*\Q$text\E/, "$option $value - told");
}

# a port where nobody is

my $free = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0)
    or die "socket: $!";
my $nobody = '127.0.0.1:' . $free->sockport;

($rc, $out, $err) = expctl('top', '--url', "http://me:secret\@$nobody/s");
is("$rc $out", '3 ', 'nobody there');
like($err, qr!\Aexpctl: cannot get http://\Q$nobody\E/s: .*\nnext: is nginx!,
    'nobody there - told without the password');

# a terminal: what happens is drawn anew, q ends it, and it is as it was

SKIP: {
    skip 'no script', 15 unless grep { -x "$_/script" } split /:/, $ENV{PATH};

    answer(status(\@rows));
    unlink "$dir/asked";

    my $t = terminal("--interval 0.2s");
    ok($t->{until}->(sub { $t->{out} =~ /\e\[H\e\[J.*\e\[H\e\[J/s }),
        'terminal - drawn anew');

    put('answer', http(status(\@later)));
    ok($t->{until}->(sub { $t->{out} =~ /new +5 +4/ }),
        'terminal - new figures');

    put('answer', http('{}', '500 Error'));
    ok($t->{until}->(sub { $t->{out} =~ /warn.*answered 500/ }),
        'terminal - trouble is told');
    like((split /\e\[H\e\[J/, $t->{out})[-1], qr/concise/,
        'terminal - and the figures stay');

    put('answer', http(status(\@later)));
    $t->{out} = '';
    ok($t->{until}->(sub { $t->{out} =~ /\e\[H\e\[J(?!.*answered 500).*left/s }),
        'terminal - and it is over');

    $t->{key}->('xq');
    is($t->{end}->(), 0, 'terminal - q ends it');
    is(slurp("$dir/after"), slurp("$dir/before"), 'terminal - as it was');
    isnt(slurp("$dir/before"), '', 'terminal - it was something');

    $t = terminal("--interval 60s");
    ok($t->{until}->(sub { $t->{out} =~ /left/ }), 'terminal - drawn');
    $t->{key}->("\cC");
    is($t->{end}->(), 0, 'terminal - Ctrl-C ends it');
    is(slurp("$dir/after"), slurp("$dir/before"),
        'terminal - Ctrl-C, as it was');

    my $wide = "v" . "x" x 40;

    answer(status([ map { row("$wide$_", 1234567, step => "s$_" x 20) }
        1 .. 40 ], worker => "h" x 60 . "/1"));
    $t = terminal('--interval 60s');
    ok($t->{until}->(sub { $t->{out} =~ /^\.\.\. \d+ more rows\r$/m }),
        'terminal - as many rows as there is room for');
    $t->{key}->('q');
    $t->{end}->();

    my @lines = split /\r\n/, $t->{out} =~ s/\A.*\e\[H\e\[J//sr;
    cmp_ok(scalar @lines, '<', 24, 'terminal - lines');
    is_deeply([ grep { length > 80 } @lines ], [], 'terminal - columns');

    $t = terminal('-o json');
    is($t->{end}->(), 0, 'terminal - json is printed once');
}

done_testing();

###############################################################################

# expctl top in a terminal of 80 columns and 24 lines, whose settings before
# and after are in files.

sub terminal {
    my ($args) = @_;
    my $expctl = $ENV{EXPCTL} || 'build/expctl';
    my $t = { out => '' };

    unlink "$dir/before", "$dir/after";

    pipe my $in, my $to or die "pipe: $!";
    pipe my $from, my $o or die "pipe: $!";

    my $child = fork() // die "fork: $!";

    if ($child == 0) {
        open STDIN, '<&', $in or die;
        open STDOUT, '>&', $o or die;
        close $_ for $to, $from;
        $ENV{TERM} = 'xterm';
        # Ctrl-C reaches the shell as well: it is to see the end
        $ENV{SHELL} = '/bin/sh';
        exec 'script', '-qec', 'trap : INT; stty rows 24 cols 80; '
            . "stty -g > $dir/before; $expctl top --url $url $args; rc=\$?; "
            . "stty -g > $dir/after; exit \$rc", '/dev/null' or die;
    }

    close $_ for $in, $o;

    my $more = sub {
        return IO::Select->new($from)->can_read(0.1)
            ? sysread($from, $t->{out}, 65536, length $t->{out}) : 1;
    };

    $t->{until} = sub {
        my ($true) = @_;
        my $end = time() + 20;

        while (time() < $end) {
            return 1 if $true->();
            $more->() or return $true->();
        }

        diag($t->{out});
        return 0;
    };

    $t->{key} = sub { syswrite $to, $_[0] };

    $t->{end} = sub {
        my $end = time() + 20;

        1 while time() < $end && $more->();
        kill KILL => $child if time() >= $end;
        waitpid $child, 0;
        return $? >> 8;
    };

    return $t;
}
