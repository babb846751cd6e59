#!/usr/bin/perl

# Tests for expctl price: what models cost, set, listed, published.

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

sub current {
    return decode_json(slurp(registry() . '/serving/current'));
}

sub copy {
    return slurp(registry() . '/serving/' . current()->{file});
}

($rc, $out, $err) = expctl('price', 'list', '-o', 'json');
is("$rc $out$err", '0 ', 'list - none');
unlike(copy(), qr/"currency"/, 'none - none published');

# set

my $before = current();
($rc, $out, $err) = expctl('price', 'set', 'gpt-4o', '--input', '2.5',
    '--output', '10.0', '--cached', '1.25', '--currency', 'USD', '-m', 'list');
like($out, qr/\Agpt-4o: input 2.5, output 10, cached 1.25, cache write 2.5 USD, registry \d+\n\z/,
    'set - cache-write is input unless told');
is("$rc $err", '0 ', 'set - exit status');
isnt(current()->{txn}, $before->{txn}, 'set - a new copy');
isnt(current()->{head}, $before->{head}, 'set - a new entry of history');
like(copy(), qr/\{"model":"gpt-4o","input":2.5,"output":10,"cached":1.25,"cache_write":2.5,"currency":"USD"\}/,
    'set - published');
is(current()->{format}, 1, 'set - the format stays');

($rc, $out) = expctl('price', 'set', 'claude "x" \\', '-o', 'json',
    '--input=0.000000001', '--output=1000000', '--cached=0',
    '--cache-write=0.1', '--currency=EUR');
my $json = decode_json($out);
ok(delete $json->{registry}, 'set json - the transaction');
is_deeply($json, { model => 'claude "x" \\', input => 1e-9, output => 1000000,
    cached => 0, cache_write => 0.1, currency => 'EUR' }, 'set json');

($rc, $out) = expctl('price', 'list');
is($out, <<'END', 'list - by model');
MODEL                INPUT   OUTPUT  CACHED  CACHE_WRITE  CURRENCY
claude "x" \\  0.000000001  1000000       0          0.1  EUR
gpt-4o                 2.5       10    1.25          2.5  USD
END

($rc, $out) = expctl('price', 'list', '--format', 'csv');
is($out, <<'END', 'list csv');
MODEL,INPUT,OUTPUT,CACHED,CACHE_WRITE,CURRENCY
"claude ""x"" \\",0.000000001,1000000,0,0.1,EUR
gpt-4o,2.5,10,1.25,2.5,USD
END

($rc, $out) = expctl('price', 'list', '-o', 'json');
is($out, <<'END', 'list json');
{"model":"claude \"x\" \\","input":0.000000001,"output":1000000,"cached":0,"cache_write":0.1,"currency":"EUR"}
{"model":"gpt-4o","input":2.5,"output":10,"cached":1.25,"cache_write":2.5,"currency":"USD"}
END

# nothing to do, and a change

$before = current();
($rc, $out) = expctl('price', 'set', 'gpt-4o', '--input', '2.50', '--output',
    '10', '--cached', '1.25', '--currency', 'USD');
is("$rc $out", "0 gpt-4o: unchanged\n", 'unchanged');
is_deeply(current(), $before, 'unchanged - nothing written');

($rc, $out) = expctl('price', 'set', 'gpt-4o', '--input', '3', '--output',
    '10', '--currency', 'USD', '--dry-run');
like($out, qr/\Agpt-4o: input 3, .*, dry run\n\z/, 'dry run');
is_deeply(current(), $before, 'dry run - nothing written');

($rc, $out) = expctl('price', 'set', 'gpt-4o', '--input', '3', '--output',
    '10', '--currency', 'USD');
($rc, $out) = expctl('price', 'list', '-o', 'json');
is(() = $out =~ /"gpt-4o"/g, 1, 'set again - one price');
like($out, qr/"gpt-4o","input":3,"output":10,"cached":3,"cache_write":3/,
    'set again - whole');

# experiments are published with it, and are not its history's

expctl('apply', '-f', document('tone'));
expctl('stage', 'tone', 'ab');
expctl('price', 'set', 'tone', '--input', '1', '--output', '1', '--currency',
    'USD');
($rc, $out, $err) = expctl('get', 'tone', '--state', '-o', 'json');
is("$rc $err", '0 ', 'a model named as an experiment');
($rc, $out, $err) = expctl('analyze', 'tone', '/dev/null');
unlike($err, qr/history|state/, 'its phases are read');
like(copy(), qr/"temperature":/, 'experiments stay published');

# away

($rc, $out) = expctl('price', 'set', 'tone', '--none');
like($out, qr/\Atone: no price, registry \d+\n\z/, 'none');
unlike(copy(), qr/"model":"tone"/, 'none - published');
($rc, $out, $err) = expctl('price', 'set', 'tone', '--none');
is("$rc $out$err", "2 expctl: there is no price of 'tone'\n"
    . "next: expctl price list\n", 'none - of one that is not there');

# usage

my @good = ('--input', 1, '--output', 1, '--currency', 'USD');

for my $row (
    [['price'], 'price needs a word: set or list'],
    [['price', 'get'], "unknown word 'get', expected set or list"],
    [['price', 'set'], 'price needs set/list'],
    [['price', 'list', 'x'], "unexpected argument 'x'"],
    [['price', 'set', 'm', 'n', @good], "unexpected argument 'n'"],
    [['price', 'set', 'm', '--output', 1, '--currency', 'USD'],
        'price set needs --input P'],
    [['price', 'set', 'm', '--input', 1, '--currency', 'USD'],
        'price set needs --output P'],
    [['price', 'set', 'm', '--input', 1, '--output', 1],
        'price set needs --currency CUR'],
    [['price', 'set', 'm', '--input', 1, '--output', 1, '--currency', 'usd'],
        "--currency 'usd' is no currency"],
    [['price', 'set', '', @good], "'' is no model"],
    [['price', 'set', 'x' x 65, @good], 'expected 1 to 64 bytes'],
    [['price', 'set', "a\nb", @good], "'a\\x0ab' is no model"],
    [['price', 'set', "a\xff", @good], "'a\\xff' is no model"],
    [['price', 'set', 'm', '--none', @good],
        '--none and --input exclude each other'],
    (map { [['price', 'set', 'm', '--input', $_, '--output', 1, '--currency',
        'USD'],
        "--input '$_' is no price, expected a decimal from 0 to 1000000"] }
        '-1', '.5', '1,5', '1000000.1', '0.0000000001', '', '10%', '0x1',
        '1e400', 'nan', '1e3', '2.5E0', '1e-1'),
) {
    ($rc, $out, $err) = expctl(@{$row->[0]});
    is("$rc $out", '2 ', "refused - $row->[1]");
    like($err, qr/\Q$row->[1]\E/, "told - $row->[1]");
}

($rc, $out, $err) = expctl('price', 'list', '--registry', "$dir/none");
is($rc, 3, 'no registry');

# doctor

($rc, $out) = expctl('doctor', '--nginx', '/bin/false');
like($out, qr/^prices +warn +2 models, in EUR and USD: /m,
    'doctor - currencies');
expctl('price', 'set', 'claude "x" \\', '--none');
($rc, $out) = expctl('doctor', '--nginx', '/bin/false');
like($out, qr/^prices +ok +1 model, USD$/m, 'doctor - one currency');

done_testing();
