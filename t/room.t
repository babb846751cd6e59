#!/usr/bin/perl
# What a worker makes of documents has a bound: what was used least lately
# makes room for what is asked for, and is made again when it is.  What a
# request uses stays, whatever is made meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

# Some 90 KB each, so that half of them would fill the six megabytes.
my ($layers, $per_layer, $steps, $variants) = (3, 44, 8, 64);
my $units = 264;
my $asked = 0;
my $json = JSON::PP->new->canonical;
my $e = Edge->new;

$e->upstream(reply => sub { return { body => '{}' } });
$e->init;
mkdir $e->dir . '/many' or die "mkdir: $!\n";
write_document($_, 'first') for 0 .. $layers * $per_layer - 1;
$e->must('apply', '-f', $e->dir . '/many');

my $locations = join '', map { <<"EOL" } 0 .. $layers - 1;
    location = /ask/$_ {
        experiment layer=l$_;
        experiment_step l${_}s0;
        return 200 "\$experiment_reason \$experiment_assignments";
    }
    location = /edit/$_ {
        experiment layer=l$_;
        experiment_step l${_}s1;
        experiment_dialect json;
        proxy_pass http://up;
    }
EOL

$e->run(<<"EOC");
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; }
    server { listen 127.0.0.1:%%PORT%%; keepalive_requests 100000; $locations }
}
EOC

my ($worker) = $e->workers;

my $first = all();
my $kb = private_kb();

is(scalar keys %{ exposed($first) }, $layers * $per_layer - 1,
   'all experiments but one are in use');

my ($wrong, $checked) = (0, 0);
for my $unit (grep { /7 \d$/ } sort keys %$first) {
    my ($name, $variant) = $first->{$unit} =~ m{^assigned (\S+)/(\S+)} or next;
    my $id = $unit =~ s/ .*//r;

    my $is = $json->decode($e->must('assign', $name, $id, '-o', 'json'));
    $wrong++ if $is->{variant} ne $variant;
    $checked++;
}
cmp_ok($checked, '>', 50, 'assignments were compared with those of expctl');
is($wrong, 0, 'and are the same');

# Requests that hold an experiment each, from before the others are asked for.
my @held = map { hold($_) } grep { $first->{$_} =~ /^assigned/ }
    map { "h$_ " . $_ % $layers } 0 .. 19;
@held = grep { defined } @held;

is_deeply(all(), $first, 'asked for again, each answers as before');
is_deeply(all(), $first, 'and again');

write_document(5, 'second');
$e->must('apply', '--new-phase', '-f', $e->dir . '/many/e005.json');
$e->sync;

my $second = all();
delete @$_{ grep { $first->{$_} =~ m{ e005/} } keys %$first } for $second;
is_deeply($second, { map { $_ => $first->{$_} }
                     grep { $first->{$_} !~ m{ e005/} } keys %$first },
          'a new copy - but for what changed');

SKIP: {
    skip 'sanitizers and valgrind keep what is freed', 2
        if $ENV{EDGE_STATIC} || $ENV{EDGE_VALGRIND};

    my $now = private_kb();

    cmp_ok($now, '<', 11_000, "private memory, kB, of $kb at first");
    cmp_ok($now, '<', 1.25 * $kb + 512, 'which does not grow');
}

# A line is written after its answer: those of all that was asked, and no more.
$e->log_next($asked);
cmp_ok(scalar @held, '>', 15, 'requests were held all the while');
my @bad = grep { !release($_) } @held;
is(scalar @bad, 0, 'and went on as they had begun') or diag($bad[0]{why});

my @faults = $e->error_log =~ /(experiment "e003" is off)/g;
is(scalar @faults, 1, 'a fault is told once, however often it is met');

$e->done;


# A document of its layer; the fourth routes to where nobody may.

sub write_document {
    my ($n, $word) = @_;
    my ($layer, $at) = (int $n / $per_layer, $n % $per_layer);
    my $name = sprintf 'e%03d', $n;
    my @steps = map { "l${layer}s$_" } 0 .. $steps - 1;

    my @variants = map {
        my $v = $_;
        { name => "v$v", allow_many => JSON::PP::true(),
          overrides => { map { $_ => { system => "$word $name v$v $_" } }
                         @steps },
          $n == 3 && $v == 1 ? (route => { upstream => 'nowhere' }) : () }
    } 0 .. $variants - 1;

    $e->file("many/$name.json", $json->encode({
        name => $name, unit => 'header:X-Id', steps => \@steps,
        layer => { name => "l$layer", range => [ range($at), range($at + 1) ] },
        stage => { name => 'ab', exposure => 1 }, variants => \@variants,
    }));
}


sub range { return 0 + sprintf '%.9f', $_[0] / $per_layer }


# What each unit is answered, on one connection, in an order of its own.

sub all {
    my %got;
    my $c = $e->client;

    for my $i (map { $_ * 7 % $units } 0 .. $units - 1) {
        for my $layer (0 .. $layers - 1) {
            for my $id ("u$i", "h$i") {
                $c->send(Edge::Client->request('GET', "/ask/$layer", undef,
                                               'X-Id', $id));
                $got{"$id $layer"} = $c->response->{body};
                $asked++;
            }
        }
    }

    return \%got;
}


sub exposed {
    my ($got) = @_;

    return { map { m{ (\S+)/} ? ($1 => 1) : () } values %$got };
}


# A request that lacks the last byte of its body.

sub hold {
    my ($key) = @_;
    my ($id, $layer) = split / /, $key;
    my ($name, $variant) = $first->{$key} =~ m{ (\S+)/(\S+)};
    my $c = $e->client;

    $c->send(Edge::Client->request('POST', "/edit/$layer", '{"system":"x"',
                                   'X-Id', $id, 'Content-Length', 14,
                                   'Content-Type', 'application/json'));

    return { client => $c, name => $name, variant => $variant,
             system => "first $name $variant l${layer}s1" };
}


sub release {
    my ($h) = @_;

    $h->{client}->send('}');
    my $r = $h->{client}->response or return !($h->{why} = 'no answer');
    my $line = $e->log_next;
    my $got = $e->received->{body};
    my $x = $line->{experiments}[0];

    $h->{why} = $json->encode({ status => $r->{status}, body => $got, %$x });

    return $r->{status} == 200 && $got eq "{\"system\":\"$h->{system}\"}"
        && $x->{name} eq $h->{name} && $x->{variant} eq $h->{variant}
        && ($x->{applied}{system} // '') eq 'applied';
}


sub private_kb {
    my ($kb) = $e->read_file("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m;

    return $kb;
}
