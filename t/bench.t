#!/usr/bin/perl
# The bench: its corpora hold what they claim, its parts run, and its sides
# send what they should.  Nothing here asserts a time.

use strict;
use warnings;

use Cwd qw(abs_path);
use Encode qw(decode FB_CROAK);
use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_REUSEADDR);
use Test::More;

my $top = abs_path("$FindBin::Bin/..");
my $build = $ENV{EDGE_BUILD} // "$top/build";
my $micro = "$build/bench-micro";

chdir $top or die "cannot enter '$top': $!\n";


sub run {
    my ($command) = @_;
    my $out = `$command 2>&1`;

    return ($? >> 8, $out);
}


# The corpora, by a parser that is not ours.

for my $size (512, 1024, 5000, 16384) {
    for my $corpus ('chat', 'code', 'numbers', 'answer') {
        next if $corpus eq 'answer' && $size < 1024;

        my $body = `$micro --print $corpus $size`;

        is(length $body, $size, "$corpus, $size bytes - the size");
        is($body, `$micro --print $corpus $size`,
           "$corpus, $size bytes - the same again");
        ok(eval { JSON::PP->new->utf8->decode($body) },
           "$corpus, $size bytes - JSON") or diag($@);
    }
}

my $body = `$micro --print chat 1024`;
my $chat = JSON::PP->new->utf8->decode($body);
my $strings = () = join('', $body =~ /:"((?:[^"\\]|\\.)*)"/g) =~ /./gs;

cmp_ok($strings / length $body, '>=', 0.8,
       'chat - four fifths of the bytes in string values');
cmp_ok(scalar @{ $chat->{messages} }, '>', 2, 'chat - several turns');

$body = `$micro --print code 1024`;
like($body, qr/\\n/, 'code - escaped newlines');
like($body, qr/\\"/, 'code - escaped quotes');
like(decode('UTF-8', $body, FB_CROAK), qr/[^\x00-\x7f]/,
     'code - characters beyond ASCII');

$body = `$micro --print numbers 16384`;
my $digits = () = $body =~ /[-+.0-9]/g;

cmp_ok($digits / length $body, '>=', 0.85, 'numbers - dense');
unlike($body, qr/[^\x00-\x7f]/, 'numbers - nothing beyond ASCII');

my $answer = JSON::PP->new->utf8->decode(scalar `$micro --print answer 65536`);

cmp_ok(length $answer->{choices}[0]{message}{content}, '>', 60_000,
       'answer - a long one');
is($answer->{usage}{completion_tokens}, 496, 'answer - with its usage');

is((run("$micro --print answer 1023"))[0], 2, 'answer - no smaller one');
is((run("$micro --print words 1024"))[0], 2, 'micro - no such corpus');
is((run("$micro --sizes 16"))[0], 2, 'micro - no body is so small');


# The microbenchmarks.

my ($rc, $out) = run("$micro --quick --sizes 512,1024");
my @cells = $out =~ /(\d+\.\d+ \[\d+\.\d+, \d+\.\d+\])/g;

is($rc, 0, 'micro - runs') or diag($out);
like($out, qr/^without  +\d/m, 'micro - assignment without SHA instructions');
like($out, qr/^\Q$_\E  +\d/m, "micro - row '$_'")
    for 'scan, portable', 'scan, plan, splice', 'memcpy', 'cJSON parse, print';
cmp_ok(scalar @cells, '>=', 2 + 2 * 2 * 5, 'micro - cells have a spread');


# Streams from the provider right to the client, nothing between: they are
# whole, and what differs is seen.

my $held = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
                                 Proto => 'tcp') or die "no free port: $!\n";
setsockopt $held, SOL_SOCKET, SO_REUSEADDR, 1;

my $stream = "$build/bench-stream -l @{[ $held->sockport ]} -c 4 -n 12";
my $to = 'direct=' . $held->sockport;

for my $api ('chat', 'responses', 'messages') {
    for my $window (1, 8) {
        ($rc, $out) = run("$stream -a $api -w $window $to");

        is($rc, 0, "stream - $api, $window on the way") or diag($out);
        like($out, qr/^direct 12 6000 \d+ 0 0 /m, '- all events');
        like($out, qr/^first direct 12 /m, '- when the first content came');
    }
}

($rc, $out) = run("$stream $to:strip");
is($rc, 1, 'stream - usage that was not asked for is seen');
like($out, qr/stream \d+ is lost behind event 0 of 500/, '- where');
is((run("$stream -e 11 $to"))[0], 2, 'stream - none is so short');
is((run("$stream -a words $to"))[0], 2, 'stream - no such API');


# The sides.

my $sides = 'plain,split,assign,override'
    . (-d "$build/nginx-lua" && !$ENV{NGINX_BIN} ? ',lua' : '');

SKIP: {
    skip 'one core', 11 if `nproc` < 2;

    ($rc, $out) = run("bench/run --check --sizes 1024 --sides $sides");
    is($rc, 0, 'run - every side sends what it should') or diag($out);
    like($out, qr/^verified /m, 'run - says so');

    ($rc, $out) = run('bench/run --only latency --quick '
                      . '--sides plain,override');
    is($rc, 0, 'run - latency') or diag($out);
    like($out, qr/^override  +\d+\.\d .*\[/m, 'run - what override adds');

    ($rc, $out) = run('bench/run --check --only answer '
                      . '--sides plain,off,meter,inject');
    is($rc, 0, 'run - every client gets what it should') or diag($out);
    like($out, qr/^verified   what a client gets/m, 'run - says so');

    ($rc, $out) = run('bench/run --only stream --quick --streams 8 '
                      . '--sides plain,inject');
    is($rc, 0, 'run - streams') or diag($out);
    like($out, qr/^inject +512 +0 +0 /m, 'run - 512 at once, whole');
    like($out, qr/^added, microseconds an event: inject -?\d/m,
         'run - what inject adds');

    is((run('bench/run --only speed'))[0], 2, 'run - no such part');
    is((run('bench/run --apis words'))[0], 2, 'run - no such API');
}

done_testing();
