#!/usr/bin/perl
# Assignment: nginx and expctl agree, sources, targeting, steps, layers, and a
# log line for each reason.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $true = JSON::PP::true;
my $e = Edge->new;

$e->upstream(reply => sub { return { body => '{}' } });
$e->init;


sub doc {
    my ($name, $layer, $value, %more) = @_;

    return {
        name => $name, unit => 'header:X-Id', layer => $layer,
        variants => [
            { name => 'control' },
            { name => 'b', headers => { request => {
                set => { "X-$value" => $name } } } },
        ],
        %more,
    };
}


sub three {
    my ($name, $layer, $value, %more) = @_;
    my $doc = doc($name, $layer, $value, %more);

    push @{ $doc->{variants} }, { name => 'c', headers => { request => {
        set => { "X-$value" => "$name-c" } } } };
    return $doc;
}

# Three experiments in two layers, one with odd weights.
my $odd = three('odd', { name => 'one', range => [ 0, 0.37 ] }, 'One');
$odd->{variants}[$_]{weight} = (0.123456789, 0.543210987, 0.333332224)[$_]
    for 0 .. 2;
$e->apply($odd,
          three('even', { name => 'one', range => [ 0.37, 1 ] }, 'One',
                hash => { salt => 'pepper' }),
          doc('other', 'two', 'Two'));
$e->must('stage', 'odd', 'ab', '--exposure', '0.77');
$e->must('stage', 'even', 'ab', '--exposure', '1');
$e->must('stage', 'other', 'canary');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    map $http_x_task $task { default default; Classify classify; }

    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;

        location = /what {
            access_log off;
            experiment on;
            return 200 "$experiment_assignments";
        }

        location /on { experiment on; proxy_pass http://up; }
        location /one { experiment layer=one; proxy_pass http://up; }
        location /both { experiment layer=two layer=one; proxy_pass http://up; }
        location /named { experiment odd; proxy_pass http://up; }
        location /names { experiment odd nobody other; proxy_pass http://up; }
        location /nobody { experiment nobody; proxy_pass http://up; }
        location /off { experiment off; proxy_pass http://up; }
        location /src {
            set $from_conf $arg_v;
            experiment src;
            proxy_pass http://up;
        }
        location /tgt { experiment tgt; proxy_pass http://up; }
        location /steps { experiment steps; proxy_pass http://up; }
        location /steps/literal {
            experiment steps;
            experiment_step classify;
            proxy_pass http://up;
        }
        location /steps/var {
            experiment steps;
            experiment_step $task;
            proxy_pass http://up;
        }
        location /why { experiment why; proxy_pass http://up; }
    }
}
EOC


# 10,000 units: what expctl says and what nginx does.

my @units = map { "unit-$_" } 1 .. 10000;
my %want = map { $_ => [] } @units;

for my $name ('even', 'odd', 'other') {
    my $out = $e->must({ stdin => join "\n", @units, '' }, 'assign', $name,
                       '-o', 'json');
    for my $line (split /\n/, $out) {
        my ($unit, $variant) = $line =~ /"unit":"([^"]*)","variant":"([^"]*)"/;
        push @{ $want{$unit} }, "$name/$variant"
            if $line =~ /"exposed":true/;
    }
}

my ($agree, $exposed, $c) = (0, 0, $e->client);

for (my $i = 0; $i < @units; $i += 100) {
    my @some = @units[ $i .. $i + 99 ];
    $c->send(join '', map { Edge::Client->request('GET', '/what', undef,
                                                  'X-Id', $_) } @some);
    for my $unit (@some) {
        my $got = $c->response->{body};
        my $want = join ',', @{ $want{$unit} };
        $exposed++ if $want ne '';
        $agree++ if $got eq $want;
    }
}
$c->close;

is($agree, 10000, 'agreement - nginx and expctl on 10,000 units');
cmp_ok($exposed, '>', 5000, 'agreement - most of them are exposed');


# The two ids of the design.

$e->apply({ name => 'ticket', unit => 'header:X-Id', layer => 'tickets',
            hash => { salt => '' }, baseline => 'control',
            variants => [ { name => 'treatment', weight => 0.1,
                            headers => { request => {
                                set => { 'X-Ticket' => 't' } } } },
                          { name => 'control', weight => 0.9 } ] });
$e->stage('ticket', 'ab', '--exposure', '1');

my %bucket = ('return-ticket-48291' => '0.3766325677279383',
              'delivery-ticket-48292' => '0.6927851503714919');

for my $id (sort keys %bucket) {
    my $out = $e->must('assign', 'ticket', $id, '-o', 'json');
    like($out, qr/"variant":"control","exposed":true/, "$id - control");
    like($out, qr/"bucket":\Q$bucket{$id}\E[,}]/, "$id - bucket");
    like($e->get('/what', 'X-Id', $id)->{body}, qr{ticket/control},
         "$id - in nginx too");
}


# Binding.

sub entries {
    my ($uri, @headers) = @_;

    is($e->get($uri, @headers)->{status}, 200, "$uri - answered")
        or return;
    my $line = $e->log_next;
    return ($line, map { $_->{name} => $_ } @{ $line->{experiments} });
}

my ($line, %x) = entries('/on', 'X-Id', 'unit-1');
is(scalar keys %x, 3, 'on - one experiment of each layer');
is($line->{layer_excluded}, 1, 'on - the other of its layer is counted');

($line, %x) = entries('/one', 'X-Id', 'unit-1');
is(scalar keys %x, 1, 'layer= - one experiment of the layer');

($line, %x) = entries('/both', 'X-Id', 'unit-1');
is(scalar keys %x, 2, 'layer= - two layers');
is_deeply([ map { $_->{name} } @{ $line->{experiments} } ],
          [ sort { ($a eq 'other') <=> ($b eq 'other') } keys %x ],
          'entries stand in the order of their layers');

($line, %x) = entries('/one');
is(join(' ', keys %x), 'even', 'no unit - the first by name');
is($x{even}{reason}, 'no_unit', 'no unit - reason');

my $even = $e->unit('even', reason => 'assigned');
($line, %x) = entries('/named', 'X-Id', $even);
is($x{odd}{reason}, 'layer_excluded', 'NAME - an entry in another layer too');
is($x{odd}{variant}, 'control', 'NAME - the baseline there');
ok(!$x{odd}{exposed}, 'NAME - not exposed there');
ok(!exists $line->{layer_excluded}, 'NAME - not counted as well');

($line, %x) = entries('/names', 'X-Id', 'unit-1');
is(join(' ', sort keys %x), 'odd other', 'NAME - an unknown one binds nothing');

($line, %x) = entries('/nobody', 'X-Id', 'unit-1');
is_deeply($line->{experiments}, [], 'NAME - only unknown: an empty list');

$e->get('/off', 'X-Id', 'unit-1');
($line) = entries('/nobody', 'X-Id', 'unit-2');
is($line->{uri}, '/nobody', 'off - no line');


# Raising exposure moves nobody between variants.

my %before = map { $_ => what($_) } @units[ 0 .. 299 ];
$e->stage('odd', 'ab', '--exposure', '1');
$e->stage('other', 'ab', '--exposure', '1');
my ($moved, $joined) = (0, 0);
for my $unit (keys %before) {
    my $after = what($unit);
    for my $one (split /,/, $before{$unit}) {
        $moved++ if ",$after," !~ /,\Q$one\E,/;
    }
    $joined++ if $after ne $before{$unit};
}
is($moved, 0, 'exposure - raising it moves nobody');
cmp_ok($joined, '>', 50, 'exposure - raising it lets units join');


sub what {
    my ($unit) = @_;

    return $e->get('/what', 'X-Id', $unit)->{body};
}


# Sources, in order; the first that yields a value.

$e->apply({ name => 'src', layer => 'src',
    unit => { type => 'conversation', sources => [
        'header:X-Src', 'cookie:cid', 'arg:cid', 'var:from_conf',
        'json:/metadata/id' ] },
    variants => [ { name => 'control' },
                  { name => 'b', headers => { request => {
                      set => { 'X-Src-B' => 'b' } } } } ] });
$e->stage('src', 'ab', '--exposure', '1');

my $long = 'x' x 257;
my $fits = 'x' x 256;

# [ what, uri, headers, body, index of the source or undef ]
my @sources = (
    [ 'header', '/src', [ 'X-Src', 'a' ], undef, 0 ],
    [ 'header - of 256 bytes', '/src', [ 'X-Src', $fits ], undef, 0 ],
    [ 'header - of 257 bytes', '/src', [ 'X-Src', $long ], undef, undef ],
    [ 'header - empty', '/src', [ 'X-Src', '' ], undef, undef ],
    [ 'header - twice', '/src', [ 'X-Src', 'a', 'x-src', 'a' ], undef,
      undef ],
    [ 'header - twice, then the cookie', '/src',
      [ 'X-Src', 'a', 'X-Src', 'b', 'Cookie', 'cid=c' ], undef, 1 ],
    [ 'cookie', '/src', [ 'Cookie', 'a=1; cid=c; b=2' ], undef, 1 ],
    [ 'cookie - not a suffix of a name', '/src', [ 'Cookie', 'xcid=c' ],
      undef, undef ],
    [ 'cookie - twice', '/src', [ 'Cookie', 'cid=c; cid=c' ], undef, undef ],
    [ 'cookie - twice in two lines', '/src',
      [ 'Cookie', 'cid=c', 'Cookie', 'cid=c' ], undef, undef ],
    [ 'arg', '/src?a=1&cid=c', [], undef, 2 ],
    [ 'arg - twice', '/src?cid=c&cid=c', [], undef, undef ],
    [ 'arg - empty', '/src?cid=', [], undef, undef ],
    [ 'var', '/src?v=w', [], undef, 3 ],
    [ 'json - string', '/src', [], '{"metadata":{"id":"j"}}', 4 ],
    [ 'json - escaped', '/src', [], '{"metadata":{"\u0069d":"\u006a"}}', 4 ],
    [ 'json - integer', '/src', [], '{"metadata":{"id":123456789012345678}}',
      4 ],
    [ 'json - 19 digits', '/src', [],
      '{"metadata":{"id":1234567890123456789}}', undef ],
    [ 'json - fraction', '/src', [], '{"metadata":{"id":1.5}}', undef ],
    [ 'json - exponent', '/src', [], '{"metadata":{"id":1e3}}', undef ],
    [ 'json - true', '/src', [], '{"metadata":{"id":true}}', undef ],
    [ 'json - null', '/src', [], '{"metadata":{"id":null}}', undef ],
    [ 'json - object', '/src', [], '{"metadata":{"id":{}}}', undef ],
    [ 'json - twice', '/src', [],
      '{"metadata":{"id":"a","id":"a"}}', undef ],
    [ 'json - empty string', '/src', [], '{"metadata":{"id":""}}', undef ],
    [ 'json - malformed', '/src', [], '{"metadata":{"id":"a"}', undef ],
    [ 'json - after the header', '/src', [ 'X-Src', 'h' ],
      '{"metadata":{"id":"a"}}', 0 ],
    [ 'nothing', '/src', [], '{}', undef ],
);

for my $row (@sources) {
    my ($text, $uri, $headers, $body, $index) = @$row;

    defined $body ? $e->post($uri, $body, @$headers)
                  : $e->get($uri, @$headers);
    my ($entry) = @{ $e->log_next->{experiments} };

    is($entry->{unit_source}, $index, "source: $text");
    is($entry->{reason}, defined $index ? 'assigned' : 'no_unit',
       "source: $text - reason");
}

# The same value is the same unit, wherever it came from and however spelled.
my %id;
$e->get('/src', 'X-Src', 'same');
$e->get('/src', 'Cookie', 'cid=same');
$e->get('/src?cid=same');
$e->post('/src', '{"metadata":{"id":"\u0073ame"}}');
$id{ $_->{experiments}[0]{unit} }++ for $e->log_next(4);
is(join(' ', values %id), '4', 'source - one value, one unit');

# Arguments and cookies are not decoded.
%id = ();
$e->get('/src?cid=a%20b');
$e->get('/src', 'X-Src', 'a%20b');
$e->get('/src', 'Cookie', 'cid=a%20b');
$e->get('/src', 'X-Src', 'a b');
$id{ $_->{experiments}[0]{unit} }++ for $e->log_next(4);
is(join(' ', sort values %id), '1 3', 'source - not decoded');


# Targeting.

my @targets = (
    [ 'eq', 'acme', { acme => 1, Acme => 0, 'acme ' => 1, x => 0 }, 0 ],
    [ 'ne', 'acme', { acme => 0, x => 1 }, 0 ],
    [ 'in', [ 'a', 'b' ], { a => 1, b => 1, c => 0, ab => 0 }, 0 ],
    [ 'prefix', 'ac', { acme => 1, ac => 1, a => 0, xac => 0 }, 0 ],
    [ 'suffix', 'me', { acme => 1, me => 1, e => 0, mex => 0 }, 0 ],
    [ 'exists', $true, { acme => 1 }, 0 ],
    [ 'exists', JSON::PP::false, { acme => 0 }, 1 ],
);

my $phase = 0;
for my $row (@targets) {
    my ($op, $value, $cases, $absent) = @$row;

    $e->apply(doc('tgt', 'tgt', 'Tgt', targeting => [
        { attribute => 'header:X-Tenant', op => $op, value => $value } ]),
        [ $phase ? '--new-phase' : () ]);
    $e->stage('tgt', 'ab', '--exposure', '1') unless $phase++;

    my $text = 'targeting: ' . $op . (ref $value eq 'JSON::PP::Boolean'
                                      ? $value ? ' true' : ' false' : '');
    for my $tenant (sort keys %$cases) {
        is(reason('/tgt', 'X-Id', 'u', 'X-Tenant', $tenant),
           $cases->{$tenant} ? 'assigned' : 'not_targeted',
           "$text - '$tenant'");
    }
    is(reason('/tgt', 'X-Id', 'u'), $absent ? 'assigned' : 'not_targeted',
       "$text - absent");
}

$e->apply(doc('tgt', 'tgt', 'Tgt', targeting => [
    { attribute => 'header:X-Tenant', op => 'eq', value => 'acme' },
    { attribute => 'arg:beta', op => 'eq', value => '1' },
    { attribute => 'json:/tier', op => 'prefix', value => 'gold' } ]),
    [ '--new-phase' ]);

my @all = ('X-Id', 'u', 'X-Tenant', 'acme');
$e->post('/tgt?beta=1', '{"tier":"gold-2"}', @all);
is($e->log_next->{experiments}[0]{reason}, 'assigned',
   'targeting - all of header, arg, json hold');
$e->post('/tgt?beta=0', '{"tier":"gold-2"}', @all);
is($e->log_next->{experiments}[0]{reason}, 'not_targeted',
   'targeting - one does not hold');
$e->post('/tgt?beta=1', '{"tier":"silver"}', @all);
is($e->log_next->{experiments}[0]{reason}, 'not_targeted',
   'targeting - that of the body does not hold');


sub reason {
    my ($uri, @headers) = @_;

    $e->get($uri, @headers);
    return $e->log_next->{experiments}[0]{reason};
}


# Steps.

$e->apply(doc('steps', 'steps', 'Steps', steps => [ 'classify', 'answer' ],
    variants => [ { name => 'control' },
                  { name => 'b', headers => { step => 'classify',
                      request => { set => { 'X-Steps' => 'b' } } } } ]));
$e->stage('steps', 'ab', '--exposure', '1');

my @steps = (
    [ 'header', '/steps', [ 'X-Inference-Step', 'classify' ], 'classify',
      'assigned' ],
    [ 'header - a step that no variant changes', '/steps',
      [ 'X-Inference-Step', 'answer' ], 'answer', 'step_not_in_scope' ],
    [ 'header - another', '/steps', [ 'X-Inference-Step', 'else' ], 'else',
      'step_not_in_scope' ],
    [ 'no header', '/steps', [], 'default', 'step_not_in_scope' ],
    [ 'literal wins over the header', '/steps/literal',
      [ 'X-Inference-Step', 'answer' ], 'classify', 'assigned' ],
    [ 'variable', '/steps/var', [ 'X-Task', 'Classify' ], 'classify',
      'assigned' ],
    [ 'variable - default', '/steps/var', [], 'default',
      'step_not_in_scope' ],
);

for my $row (@steps) {
    my ($text, $uri, $headers, $step, $reason) = @$row;

    $e->get($uri, 'X-Id', 'u', @$headers);
    my $line = $e->log_next;
    is($line->{step}, $step, "step: $text");
    is($line->{experiments}[0]{reason}, $reason, "step: $text - reason");
}


# A request and its line, for each reason.

my $why = doc('why', { name => 'why', range => [ 0, 0.5 ] }, 'Why',
    targeting => [ { attribute => 'header:X-Tenant', op => 'eq',
                     value => 'acme' } ]);
$e->apply($why);
is(reason('/why', 'X-Id', 'u', 'X-Tenant', 'acme'), 'off', 'reason - off');

$e->stage('why', 'ab', '--exposure', '0.5');
my $in = $e->unit('why', variant => 'b', exposed => 1);
my $control = $e->unit('why', variant => 'control', exposed => 1);
my $out = $e->unit('why', reason => 'not_exposed');
my $else = $e->unit('why', reason => 'layer_excluded');
my @acme = ('X-Tenant', 'acme');

sub entry {
    my (@headers) = @_;

    $e->get('/why', @headers);
    return $e->log_next->{experiments}[0];
}

my $x = entry('X-Id', $in, @acme);
is($x->{reason}, 'assigned', 'reason - assigned');
is($x->{variant}, 'b', 'assigned - variant');
is($x->{exposed}, $true, 'assigned - exposed');
is($x->{p}, 0.5, 'assigned - p given exposure');
is($x->{stage}, 'ab', 'assigned - stage');
is($x->{phase}, 1, 'assigned - phase');
is($x->{revision}, 1, 'assigned - revision');
like($x->{unit}, qr/^[0-9a-f]{32}$/, 'assigned - unit');

$x = entry('X-Id', $control, @acme);
is($x->{reason}, 'assigned', 'reason - assigned, the baseline arm');
is($x->{variant}, 'control', 'baseline arm - variant');
is($x->{exposed}, $true, 'baseline arm - exposed');

my @rows = (
    [ 'not_exposed', 1, 'X-Id', $out, @acme ],
    [ 'layer_excluded', 1, 'X-Id', $else, @acme ],
    [ 'layer_excluded', 1, 'X-Id', $else ],
    [ 'not_targeted', 1, 'X-Id', $in ],
    [ 'not_targeted', 1, 'X-Id', $out ],
    [ 'no_unit', 0, @acme ],
    [ 'no_unit', 0 ],
    [ 'step_not_in_scope', 1, 'X-Id', $in, @acme, 'X-Inference-Step', 'x' ],
    [ 'step_not_in_scope', 0, 'X-Inference-Step', 'x' ],
);

sub baseline {
    my ($reason, $unit, @headers) = @_;
    my $x = entry(@headers);
    my $text = "reason - $reason" . ($unit ? '' : ', no unit');

    is($x->{reason}, $reason, $text);
    is($x->{variant}, 'control', "$text - the baseline");
    is($x->{exposed}, JSON::PP::false, "$text - not exposed");
    is(exists $x->{unit} ? 1 : 0, $unit, "$text - unit logged or not");
    return $x;
}

baseline(@$_) for @rows;

$e->change('pause', 'why', '-m', 'test');
$x = baseline('paused', 1, 'X-Id', $in, @acme);
is($x->{stage}, 'paused', 'paused - stage');
baseline('paused', 0, @acme);

$e->change('resume', 'why');
is(entry('X-Id', $in, @acme)->{reason}, 'assigned', 'resume - as before');

# The window is shut, then open; it comes before step and unit.
my $year = (gmtime)[5] + 1900;
$why->{windows} = [ { from => ($year + 1) . '-01-01T00:00:00Z',
                      to => ($year + 2) . '-01-01T00:00:00Z' } ];
$e->apply($why, [ '--new-phase' ]);
baseline('outside_window', 1, 'X-Id', $in, @acme);
baseline('outside_window', 0, 'X-Inference-Step', 'x');

$why->{windows}[0]{from} = '2020-01-01T00:00:00Z';
$e->apply($why, [ '--new-phase' ]);
is(entry('X-Id', $in, @acme)->{reason}, 'assigned', 'window - open');

$e->change('rollback', 'why', '-m', 'test');
baseline('rolled_back', 1, 'X-Id', $in, @acme);

$e->stage('why', 'off');
$x = entry('X-Id', $in, @acme);
is($x->{reason}, 'off', 'reason - off again');
ok(!exists $x->{unit}, 'off - no unit');

# rollout: p is 1 for the variant.
$e->stage('why', 'rollout', '--variant', 'b');
$x = entry('X-Id', $control, @acme);
is($x->{variant}, 'b', 'rollout - everyone gets the variant');
is($x->{reason}, 'assigned', 'rollout - reason');
is($x->{p}, 1, 'rollout - p');
my ($phase_now) = $e->must('get', 'why', '--state', '-o', 'json') =~ /"phase":(\d+)/;
is($x->{phase}, $phase_now, 'rollout - the phase of the state');
cmp_ok($x->{phase}, '>', 1, 'rollout - a phase of its own');

$e->done;
