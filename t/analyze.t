#!/usr/bin/perl
# What the module logs of answers is what expctl analyze reads.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $json = JSON::PP->new;

sub chunk { return 'data: ' . $json->encode({ model => 'm', @_ }) . "\n\n" }

my $usage = { prompt_tokens => 20, completion_tokens => 5,
              prompt_tokens_details => { cached_tokens => 8 } };
my $stream = join '', map({ chunk(choices => [ { delta =>
    { content => $_ } } ]) } 'a', 'b'),
    chunk(choices => [], usage => $usage), "data: [DONE]\n\n";

my %reply = (
    json => { body => $json->encode({ model => 'm', usage => $usage,
        choices => [ { finish_reason => 'length', message =>
                       { content => 'Hi' } } ] }) },
    stream => { type => 'text/event-stream', body => $stream },
    mute => { body => '{"model":"m","choices":[{"message":'
              . '{"content":"Hi"}}]}' },
    encoded => { headers => [ 'Content-Encoding', 'gzip' ], body => 'zzz' },
);

my $e = Edge->new;

$e->upstream(reply => sub {
    return $reply{$_[0]->header('X-Reply') // ''} // { body => '{}' };
});
$e->init;
$e->apply({ name => 'tone', unit => 'header:X-Id',
            stage => { name => 'ab', exposure => 1 },
            variants => [ { name => 'a' }, { name => 'b',
                overrides => { default => { temperature => 0.5 } } } ] });
$e->must('price', 'set', 'm', '--input', '2', '--output', '10', '--cached',
         '0.5', '--currency', 'USD');
$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        experiment on;
        location / { proxy_pass http://up; }
    }
}
EOC

# two streams and a JSON answer of one unit, answers without usage of another
my ($a, $b) = map { $e->unit('tone', variant => $_) } 'a', 'b';

for ([ $a, 'stream' ], [ $a, 'stream' ], [ $a, 'json' ], [ $b, 'mute' ],
     [ $b, 'encoded' ])
{
    $e->post('/chat/completions', '{"model":"m","messages":[]}',
             'Content-Type' => 'application/json', 'X-Id' => $_->[0],
             'X-Reply' => $_->[1]);
}

my @lines = $e->log_next(5);
my $ttft = 0;
$ttft += $_->{ttft_ms} // 0 for @lines;

my $r = $json->decode($e->must('analyze', 'tone', '-o', 'json'));
my ($of_a, $of_b) = map { $_->{metrics} } @{ $r->{variants} };

is($r->{inputs}[0]{bad}, 0, 'no line is bad');
is_deeply([ map { $of_a->{$_}{total} } qw(input_tokens output_tokens
            output_tokens.unit truncated_rate no_usage_rate) ],
          [ 60, 15, 15, 1, 0 ], 'tokens and rates');
is($of_a->{cached_share}{mean}, 0.4, 'cached share');
is($of_a->{ttft_ms}{n}, 2, 'times of both streams');
is($of_a->{ttft_ms}{total}, 0 + sprintf('%.3f', $ttft),
   'to the microsecond');
# a request: 12 at 2, 8 at 0.5, 5 at 10, of a million
is($of_a->{cost}{total}, 3 * 0.000078, 'cost, exact');
is($r->{currency}, 'USD', 'its currency');
is($of_a->{'response_ms.cold'}{n}, 3, 'connections that were new');
is_deeply($r->{quality}{missing_usage},
          { observed => [ 0, 2 ], requests => [ 3, 2 ],
            causes => { absent => [ 0, 1 ], encoded => [ 0, 1 ] } },
          'usage missing, by arm and cause');
ok(!exists $of_b->{output_tokens}, 'what was not measured is absent');

$e->done;
