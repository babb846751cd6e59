#!/usr/bin/perl
# A worker that is told to leave while requests wait for a turn, in which
# documents are loaded: it stays until they are answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $json = JSON::PP->new->canonical;
my $n = 150;
my $e = Edge->new;

# Many documents whose patterns take their time.
sub put {
    my ($round) = @_;

    for my $i (1 .. $n) {
        $e->file("d/e$i.json", $json->encode({
            name => "e$i", description => "round $round", layer => "l$i",
            unit => 'header:X-Id', stage => { name => 'ab', exposure => 1 },
            ofrep => { members => [ 'temperature' ] },
            targeting => [ map { { attribute => "header:X-T$_",
                op => 'regex', value => "^(a|b|c+d*){1,9}x$i\$" } } 1 .. 6 ],
            variants => [ { name => 'a' }, { name => 'b',
                headers => { request => { set => { "X-E$i" => 'b' } } } } ],
        }));
    }

    $e->must('apply', '-f', $e->dir . '/d');
}

mkdir $e->dir . '/d';
$e->upstream(reply => sub { return { body => '{}' } });
$e->init;
put(0);
$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%%;
        experiment on;
        location / { proxy_pass http://127.0.0.1:%%PORT_UP%%; }
        location /flags/ { experiment_ofrep open; }
        location /status { experiment_status; }
    }
}
EOC

my %ask = (
    proxied => [ 'POST', '/v1/chat/completions', '{"messages":[]}',
                 'Content-Type', 'application/json', 'X-Id', 'u' ],
    flags => [ 'POST', '/flags/ofrep/v1/evaluate/flags',
               '{"context":{"targetingKey":"u"}}',
               'Content-Type', 'application/json' ],
    status => [ 'GET', '/status', undef, 'Host', 'localhost' ],
);

for my $round (1 .. 4) {
    for my $what (sort keys %ask) {
        put("$round, $what");
        $e->sync;

        my ($worker) = $e->workers;
        my $c = $e->client;
        my @before = $e->received;
        my $idle = cpu($worker);

        # told to leave when the worker has begun with it: a look at the
        # registry takes less
        $c->send($c->request(@{ $ask{$what} }));
        $e->wait_for(sub { cpu($worker) > $idle + 200_000 }, 2);
        kill QUIT => $worker;

        my $r = eval { $c->response };
        is($r && $r->{status}, 200, "$what, round $round - is answered");
        ok($r && !$r->{cut}, "$what, round $round - whole");
        $e->wait_for(sub { !kill 0 => $worker });
        $e->wait_for(sub { my ($w) = $e->workers; $w && $w != $worker });
    }
}

$e->done;


# Nanoseconds of processor time.

sub cpu {
    my ($pid) = @_;

    return (split ' ', $e->read_file("/proc/$pid/schedstat") || 0)[0];
}
