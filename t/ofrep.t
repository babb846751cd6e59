#!/usr/bin/perl
# experiment_ofrep: what a flag's evaluation says, and that it says the same
# as the path that is proxied.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $e = Edge->new;
my $json = JSON::PP->new->utf8->canonical;
my $flags = '/api/ofrep/v1/evaluate/flags';

$e->upstream(reply => sub { return { body => '{}' } });
$e->init;

$e->file('keys.ofrep', "# who may ask\n\nsecret-of-the-app-1\n"
         . "secret-of-the-app-2 # the next one\r\n", 0600);


# On a step of its own, since no two may edit the same.

sub doc {
    my ($name, %more) = @_;
    my $step = delete $more{step} // $name;

    return {
        name => $name, unit => 'header:X-Id', layer => $name,
        steps => [ $step ],
        ofrep => { members => [ 'model', 'temperature' ] },
        variants => [
            { name => 'control' },
            { name => 'warm', allow_many => JSON::PP::true,
              overrides => { $step => {
                  temperature => 0.7, model => "m\x{e9}\"1",
                  system => 'You are not to be told.' } } },
        ],
        %more,
    };
}

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT%%;
        keepalive_requests 100000;
        large_client_header_buffers 4 16k;

        location /api/ { experiment on; experiment_ofrep open; }
        location /keyed/ { experiment on; experiment_ofrep key=keys.ofrep; }
        location /named/ { experiment tone off1; experiment_ofrep open; }
        location /layer/ { experiment layer=split; experiment_ofrep open; }
        location /unbound/ { experiment none; experiment_ofrep open; }
        location /step/ {
            experiment on;
            experiment_step answer;
            experiment_ofrep open;
        }

        location /tone {
            experiment tone;
            add_header X-Said "$experiment_reason/$experiment_variant_tone";
            proxy_pass http://up;
        }
        location /split {
            experiment layer=split;
            experiment_step split;
            add_header X-Said $experiment_assignments;
            proxy_pass http://up;
        }
        location /sub {
            experiment on;
            auth_request /api/ofrep/v1/evaluate/flags;
            proxy_pass http://up;
        }
    }
}
EOC


# One evaluation: (the answer, what is in it).

sub ask {
    my ($uri, $context, @o) = @_;
    my $body = ref $context ? $json->encode({ context => $context })
                            : $context;
    my $r = $e->post($uri, $body, @o);

    return ($r, $r->{body} =~ /^\{/ ? $json->decode($r->{body}) : {});
}

sub flag {
    my ($key, $unit, %context) = @_;

    return (ask("$flags/$key", { targetingKey => $unit, %context }))[1];
}

sub context { return { targetingKey => 'u', @_ } }


$e->apply(doc('tone', step => 'default'),
          doc('plain', ofrep => { members => [] }), doc('off1'), doc('none', ofrep => {}));
$e->stage('tone', 'ab', '--exposure', '0.8');
$e->stage('plain', 'ab', '--exposure', '1');

my $warm = $e->unit('tone', variant => 'warm', exposed => 1);
my $control = $e->unit('tone', variant => 'control', exposed => 1);
my $out = $e->unit('tone', exposed => 0);


# One flag.

my ($r, $a) = ask("$flags/tone", { targetingKey => $warm });
my $txn = $e->published;

is($r->{status}, 200, 'single - 200');
is_deeply($a, { key => 'tone', reason => 'SPLIT', variant => 'warm',
                value => { temperature => 0.7, model => "m\x{e9}\"1" },
                metadata => { experiment => 'tone', phase => 1,
                              revision => 1, registry => $txn } },
          'single - the members that may be told, and no other');
is($r->header('content-type'), 'application/json', 'single - type');
is($r->header('cache-control'), 'no-store', 'single - not stored');
is($r->header('x-content-type-options'), 'nosniff', 'single - not sniffed');

my ($l) = $e->log_next;

is($l->{kind}, 'ofrep', 'log - its kind');
is_deeply($l->{flags}, [ 'tone' ], 'log - the flags');
is($l->{registry}, $txn, 'log - the registry');
is($l->{role}, 'live', 'log - the role');
is($l->{status}, 200, 'log - the status');
is(join(',', map { $_ // '-' } @{ $l->{experiments}[0] }
        {qw(name variant reason unit_type unit_source p)}),
   'tone,warm,assigned,unit,-,-', 'log - the entry of a flag');
ok(!$l->{experiments}[0]{exposed}, 'log - no exposure');

$e->get('/tone', 'X-Id', $warm);
my $edited = $e->log_next;
is($l->{experiments}[0]{unit}, $edited->{experiments}[0]{unit},
   'log - the unit of the proxied request');
ok($edited->{experiments}[0]{exposed}, 'log - which is an exposure');
cmp_ok($edited->{seq}, '>', $l->{seq}, 'log - one sequence');

is_deeply([ @{ flag('tone', $control) }{qw(reason variant value)} ],
          [ 'SPLIT', 'control', {} ], 'control - an object, too');
is_deeply([ @{ flag('tone', $out) }{qw(reason variant value)} ],
          [ 'STATIC', 'control', undef ], 'not exposed - what the code has');
is((ask("$flags/tone:default", context()))[0]{status}, 200, 'step - by name');
is(flag('tone:default', $warm)->{variant}, 'warm', 'step - the same');
is((ask("$flags/t%6fne", { targetingKey => $warm }))[1]{variant}, 'warm',
   'key - percent-decoded');


# What is wrong, and what it is called.

my $long = 'x' x 256;
my @wrong = (
    [ 'nope', context(), 404, 'FLAG_NOT_FOUND' ],
    [ 'plain', context(), 404, 'FLAG_NOT_FOUND' ],
    [ 'none', context(), 404, 'FLAG_NOT_FOUND' ],
    [ 'tone:other', context(), 404, 'FLAG_NOT_FOUND' ],
    [ 'tone:', context(), 404, 'FLAG_NOT_FOUND' ],
    [ 'tone%00', context(), 400, undef ],
    [ '%22%0a', context(), 404, 'FLAG_NOT_FOUND' ],
    [ 'tone', '', 400, 'PARSE_ERROR' ],
    [ 'tone', '{', 400, 'PARSE_ERROR' ],
    [ 'tone', '[]', 400, 'PARSE_ERROR' ],
    [ 'tone', '{"context":{"targetingKey":"u",'
      . join(',', map { qq("arg:a$_":1) } 1 .. 256) . '}}', 400,
      'INVALID_CONTEXT' ],
    [ 'tone', "{\"context\":{\"targetingKey\":\"\xff\"}}", 400,
      'PARSE_ERROR' ],
    [ 'tone', '{"context":{"targetingKey":"u"}} x', 400, 'PARSE_ERROR' ],
    [ 'tone', '{"a":' x 600, 400, 'PARSE_ERROR' ],
    [ 'tone', '{}', 400, 'INVALID_CONTEXT' ],
    [ 'tone', '{"context":[]}', 400, 'INVALID_CONTEXT' ],
    [ 'tone', '{"context":null}', 400, 'INVALID_CONTEXT' ],
    [ 'tone', '{"context":{"targetingKey":"u"},"context":{}}', 400,
      'INVALID_CONTEXT' ],
    [ 'tone', {}, 400, 'TARGETING_KEY_MISSING' ],
    [ 'tone', { targetingKey => '' }, 400, 'TARGETING_KEY_MISSING' ],
    [ 'tone', { targetingKey => undef }, 400, 'TARGETING_KEY_MISSING' ],
    [ 'tone', { targetingKey => 7 }, 400, 'INVALID_CONTEXT' ],
    [ 'tone', { targetingKey => "x$long" }, 400, 'INVALID_CONTEXT' ],
    [ 'tone', '{"context":{"targetingKey":"\ud800"}}', 400,
      'INVALID_CONTEXT' ],
    [ 'tone', '{"context":{"targetingKey":"u","targetingKey":"u"}}', 400,
      'INVALID_CONTEXT' ],
);

for my $row (@wrong) {
    my ($key, $context, $status, $code) = @$row;
    my $shown = substr ref $context ? $json->encode($context) : $context,
        0, 40;
    my ($answer, $said) = ask("$flags/$key", $context);

    is($answer->{status}, $status, "$key $shown - $status");
    next unless defined $code;
    is($said->{errorCode}, $code, "$key $shown - $code");
    like($said->{errorDetails} // '', qr/\w \w/, "$key $shown - says why");
    ok(exists $said->{key}, "$key $shown - of that key");
}

is((ask($flags, '{}'))[1]{errorCode}, 'INVALID_CONTEXT', 'bulk - its errors');
ok(!exists((ask($flags, '{}'))[1]{key}), 'bulk - which have no key');
is((ask("$flags/tone", { targetingKey => $long }))[0]{status}, 200,
   'unit - of 256 bytes');

for my $type ('text/plain', 'application/x+json', 'application/jsonx',
    'application/json; charset=latin1')
{
    is((ask("$flags/tone", context(), 'Content-Type', $type))[0]{status}, 415,
       "type - $type");
}

is((ask("$flags/tone", context(), 'Content-Type',
        'application/json; charset=utf-8'))[0]{status}, 200,
   'type - with a charset');
is((ask("$flags/tone", context(), 'Content-Encoding', 'gzip'))[0]{status},
   415, 'encoding - none is taken');
is((ask("$flags/tone", context(x => 'x' x 65536)))[0]{status}, 413,
   'size - above 64 KB');
is((ask("$flags/tone", context(x => 'x' x 60000)))[0]{status}, 200,
   'size - below');

my $chunked = $e->client;
my $big = $json->encode({ context => context(x => 'x' x 65536) });
$chunked->send("POST $flags/tone HTTP/1.1\r\nHost: x\r\n"
    . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    . sprintf("%x\r\n%s\r\n0\r\n\r\n", length $big, $big));
is($chunked->response->{status}, 413, 'size - chunked');

$r = $e->get("$flags/tone");
is($r->{status}, 405, 'method - only POST');
is($r->header('allow'), 'POST', 'method - as Allow says');
is((ask("$flags/", context()))[0]{status}, 404, 'path - no key');
is((ask('/api/ofrep/v1/evaluate', context()))[0]{status}, 404,
   'path - another');
is((ask("$flags/tone/x", context()))[0]{status}, 404, 'path - no such key');
is($e->post('/sub', '{}')->{status}, 403, 'subrequest - refused');

is(scalar(grep { $_->{kind} eq 'ofrep' && $_->{status} != 200 }
          $e->log_lines), 0, 'log - what was refused is no evaluation');
is(scalar(grep { ($_->{uri} // '') =~ /ofrep/ } $e->log_lines), 0,
   'log - nor a request that has a treatment');


# Who may ask.

my $keyed = '/keyed/ofrep/v1/evaluate/flags';
my $one = 'secret-of-the-app-1';

for my $row (
    [ 'no key', 401 ],
    [ 'Bearer', 200, 'Authorization', "Bearer $one" ],
    [ 'bearer, the second key', 200, 'Authorization',
      'bearer secret-of-the-app-2' ],
    [ 'X-API-Key', 200, 'X-API-Key', $one ],
    [ 'one of both', 200, 'Authorization', 'Bearer other', 'X-API-Key', $one ],
    [ 'a wrong one', 401, 'Authorization', 'Bearer secret-of-the-app-3' ],
    [ 'the start of one', 401, 'X-API-Key', 'secret-of-the-app-' ],
    [ 'one and more', 401, 'X-API-Key', "${one}1" ],
    [ 'a comment', 401, 'X-API-Key', 'who may ask' ],
    [ 'empty', 401, 'X-API-Key', '' ],
    [ 'twice', 401, 'X-API-Key', $one, 'X-API-Key', $one ],
    [ 'Basic', 401, 'Authorization', "Basic $one" ])
{
    my ($what, $status, @headers) = @$row;
    my ($answer) = ask("$keyed/tone", context(), @headers);

    is($answer->{status}, $status, "key - $what");
    is($answer->header('www-authenticate'), 'Bearer',
       "key - $what, the scheme") if $status == 401;
}

is((ask("$keyed/nope", '{', 'Content-Type', 'x'))[0]{status}, 401,
   'key - asked for first');
unlike($e->error_log, qr/secret-of-the-app/, 'key - not in the error log');


# All flags, and the tag.

$e->apply({ name => 'plan', unit => 'header:X-Id', layer => 'plan',
            steps => [ 'draft', 'answer' ],
            ofrep => { members => [ 'model' ] },
            variants => [ { name => 'a' },
                { name => 'b', overrides => { answer => { model => 'b' } } } ],
          });
$e->stage('plan', 'ab', '--exposure', '1');

($r, $a) = ask($flags, { targetingKey => $warm });
is($r->{status}, 200, 'bulk - 200');
is(join(' ', map { $_->{key} } @{ $a->{flags} }),
   'plan:draft plan:answer tone', 'bulk - each, by step where there are more');
is($a->{flags}[0]{reason}, 'STATIC', 'bulk - a step that nobody changes');
is_deeply($a->{flags}[2], flag('tone', $warm), 'bulk - as one by one');
is($a->{metadata}{registry}, $e->published, 'bulk - the registry');

my $bulk = $e->wait_for(sub {
    return (grep { @{ $_->{flags} // [] } == 3 } $e->log_lines)[0] });
is_deeply($bulk->{flags}, [ 'plan:draft', 'plan:answer', 'tone' ],
          'bulk - one line');
is(join(' ', map { $_->{name} } @{ $bulk->{experiments} }), 'plan plan tone',
   'bulk - an entry each');

is(flag('plan', 'u')->{reason}, 'STATIC', 'step - default is in no scope');
is((ask('/step/ofrep/v1/evaluate/flags/plan', context()))[1]{reason}, 'SPLIT',
   "step - the location's");
is((ask("$flags/plan", context(), 'X-Inference-Step', 'answer'))[1]{reason},
   'SPLIT', 'step - by its header');

my $tag = $r->header('etag');
like($tag, qr/^"[0-9a-f]{32}"$/, 'tag - quoted');

sub again {
    my ($match, $context) = @_;

    return (ask($flags, $context // { targetingKey => $warm },
                'If-None-Match', $match))[0];
}

(my $bare = $tag) =~ s/"//g;
my $same = again($tag);

is($same->{status}, 304, 'tag - 304');
is($same->{body}, '', 'tag - no body');
is($same->header('etag'), $tag, 'tag - again');
is(again($bare)->{status}, 304, 'tag - without quotes');
is(again("W/$tag")->{status}, 304, 'tag - weak');
is(again("\"x\", $tag")->{status}, 304, 'tag - in a list');
is(again('*')->{status}, 200, 'tag - "*" is none');
is(again("\"${bare}0\"")->{status}, 200, 'tag - another');
is(again($tag, { targetingKey => $warm, plan => 'pro' })->{status}, 200,
   'tag - another context');
is(again($tag, { targetingKey => $control })->{status}, 200,
   'tag - another unit');
is((ask("$flags/tone", { targetingKey => $warm }, 'If-None-Match', '*'))[0]
   {status}, 200, 'tag - not of one flag');

$e->stage('tone', 'ab', '--exposure', '0.9');
is(again($tag)->{status}, 200, 'tag - another registry');


# Where it is bound.

my $named = '/named/ofrep/v1/evaluate/flags';

is((ask("$named/tone", { targetingKey => $warm }))[1]{variant}, 'warm',
   'bind - by name');
is((ask("$named/plan", context()))[0]{status}, 404, 'bind - not that name');
is_deeply([ @{ (ask("$named/off1", context()))[1] }
            {qw(reason variant value)} ],
          [ 'DISABLED', 'control', undef ], 'off - disabled');
is(join(' ', map { "$_->{key}=$_->{reason}" }
        @{ (ask($named, { targetingKey => $warm }))[1]{flags} }),
   'off1=DISABLED tone=SPLIT', 'bind - bulk of names');
is((ask('/layer/ofrep/v1/evaluate/flags/tone', context()))[0]{status}, 404,
   'bind - another layer');
is((ask('/unbound/ofrep/v1/evaluate/flags/tone', context()))[0]{status}, 404,
   'bind - nothing');
is_deeply((ask('/unbound/ofrep/v1/evaluate/flags', context()))[1]{flags}, [],
          'bind - nothing, bulk');


# A thousand units: as they are proxied.

sub many {
    my ($uri, $make, $get) = @_;
    my @got;

    for (my $i = 1; $i <= 1000; $i += 50) {
        my $c = $e->client;

        $c->send(join '', map { $make->($uri, "u-$_") } $i .. $i + 49);
        push @got, map { $get->($c->response) } 1 .. 50;
    }

    return @got;
}

sub evaluated {
    my ($uri) = @_;

    return many($uri, sub {
        return Edge::Client->request('POST', $_[0],
            qq({"context":{"targetingKey":"$_[1]"}}), 'Content-Type',
            'application/json');
    }, sub { return $json->decode($_[0]{body}) });
}

sub proxied {
    my ($uri) = @_;

    return many($uri, sub {
        return Edge::Client->request('GET', $_[0], undef, 'X-Id', $_[1]);
    }, sub { return $_[0]->header('X-Said') // '' });
}

my %reasons = (SPLIT => 'assigned', STATIC => 'not_exposed');
is_deeply([ map { "$reasons{ $_->{reason} }/$_->{variant}" }
            evaluated("$flags/tone") ],
          [ proxied('/tone') ], 'units - the same for 1,000');

$e->apply(doc('left', step => 'split',
              layer => { name => 'split', range => [ 0, 0.4 ] }),
          doc('right', step => 'split',
              layer => { name => 'split', range => [ 0.4, 0.9 ] }));
$e->stage($_, 'ab', '--exposure', '1') for 'left', 'right';

my @left = evaluated("$flags/left");
my @right = evaluated('/layer/ofrep/v1/evaluate/flags/right');
my @either = map {
    $left[$_]{reason} eq 'SPLIT' ? "left/$left[$_]{variant}"
    : $right[$_]{reason} eq 'SPLIT' ? "right/$right[$_]{variant}" : ''
} 0 .. 999;

is_deeply(\@either, [ proxied('/split') ], 'layers - the same for 1,000');
is(scalar(grep { $left[$_]{reason} eq 'SPLIT'
                 && $right[$_]{reason} eq 'SPLIT' } 0 .. 999), 0,
   'layers - never both');
is(scalar(grep { !exists $_->{value} && $_->{reason} ne 'STATIC' } @left), 0,
   'layers - STATIC in the other one');


# Targeting and segments come from the context.

$e->apply(doc('aim', targeting => [
        { attribute => 'header:X-Tenant', op => 'eq', value => 'acme' },
        { attribute => 'json:/user/tier', op => 'gt', value => '2' },
        { attribute => 'arg:beta', op => 'exists', value => JSON::PP::true } ],
    segments => { tenant => 'header:X-Tenant', tier => 'json:/user/tier' }));
$e->stage('aim', 'ab', '--exposure', '1');

my %hit = ('header:X-Tenant' => 'acme', user => { tier => 3 },
           'arg:beta' => 'yes');

is(flag('aim', 'u', %hit)->{reason}, 'SPLIT', 'targeting - met');
my $aimed = $e->wait_for(sub {
    return (grep { ($_->{flags}[0] // '') eq 'aim' } $e->log_lines)[0] });
is_deeply($aimed->{experiments}[0]{segments}, { tenant => 'acme', tier => 3 },
          'segments - logged');

for my $row (
    [ 'another value', 'header:X-Tenant' => 'globex' ],
    [ 'another pointer', user => { level => 3 } ],
    [ 'no integer', user => { tier => 3.5 } ],
    [ 'no string', 'arg:beta' => [ 1 ] ],
    [ 'an empty string', 'arg:beta' => '' ],
    [ 'a long one', 'arg:beta' => "x$long" ],
    [ 'of another name', 'arg:beta' => undef, 'arg:Beta' => 'yes' ])
{
    my ($what, %other) = @$row;
    is(flag('aim', 'u', %hit, %other)->{reason}, 'STATIC',
       "targeting - $what");
}

is((ask("$flags/aim", '{"context":{"targetingKey":"u","arg:beta":"1",'
        . '"user":{"tier":9},"header:x-TENANT":"acme"}}'))[1]{reason},
   'SPLIT', 'targeting - a header in any case');
is((ask("$flags/aim", '{"context":{"targetingKey":"u","arg:beta":"1",'
        . '"user":{"tier":9},"header:X-Tenant":"acme",'
        . '"header:x-tenant":"acme"}}'))[1]{reason},
   'STATIC', 'targeting - not twice');
is((ask("$flags/aim", '{"context":{"targetingKey":"u","arg:beta":"1",'
        . '"user":{"tier":9}},"header:X-Tenant":"acme"}', 'X-Tenant',
        'acme'))[1]{reason},
   'STATIC', "targeting - not the request's own");


# States.

$e->apply(doc('base', ofrep => { members => [ 'model' ] },
    windows => [ { from => '2026-01-01T00:00:00Z',
                   to => '2026-01-02T00:00:00Z' } ],
    variants => [ { name => 'a', overrides => { base => { model => 'a' } } },
        { name => 'b', overrides => { base => { model => 'b' } } } ]));
$e->stage('base', 'ab', '--exposure', '1');
is_deeply([ @{ flag('base', 'u') }{qw(reason variant value)} ],
          [ 'DISABLED', 'a', { model => 'a' } ],
          "window - the baseline's object");

$e->change('pause', 'tone');
is(flag('tone', $warm)->{reason}, 'DISABLED', 'paused - disabled');
is(flag('tone', $warm)->{variant}, 'control', 'paused - the baseline');
$e->change('resume', 'tone');
is(flag('tone', $warm)->{reason}, 'SPLIT', 'resumed');
$e->stage('tone', 'off');
is(flag('tone', $warm)->{reason}, 'DISABLED', 'off - still a flag');

$e->apply(doc('risky', risk => 'high', unit => 'var:user'));
$e->stage('risky', 'ab', '--exposure', '1');
is(flag('risky', 'u')->{reason}, 'STATIC', 'high risk - not for anybody');
is((ask("$keyed/risky", context(), 'X-API-Key', $one))[1]{reason}, 'SPLIT',
   'high risk - who has a key answers for the unit');


# Exposure.

$e->apply(doc('counts', ofrep => { members => [ 'model' ],
                                   exposure => JSON::PP::true }));
$e->stage('counts', 'ab', '--exposure', '1');
flag('counts', 'u');
my $counted = $e->wait_for(sub {
    return (grep { ($_->{flags}[0] // '') eq 'counts' } $e->log_lines)[0] });
ok($counted->{experiments}[0]{exposed}, 'exposure - where it says so');
is($counted->{experiments}[0]{p}, 0.5, 'exposure - with its probability');
ask($flags, context(marker => 1));
my $all = $e->wait_for(sub {
    return (grep { @{ $_->{flags} // [] } > 4 } $e->log_lines)[-1] });
is(scalar(grep { $_->{exposed} } @{ $all->{experiments} }), 0,
   'exposure - never of bulk');


# Many documents that nobody has asked for yet: more than one turn may take.

my $before = @{ (ask($flags, context()))[1]{flags} };

$e->must({ stdin => $json->encode(doc("m$_", step => 'many',
    layer => { name => 'many', range => [ ($_ - 1) / 50, $_ / 50 ] })) },
    'apply', '-f', '-') for 1 .. 50;
$e->must('stage', "m$_", 'ab', '--exposure', '1') for 1 .. 50;
$e->sync;

my @at_once = map { $e->client } 1 .. 4;
$_->send(Edge::Client->request('POST', $flags, $json->encode({ context =>
    context() }), 'Content-Type', 'application/json')) for @at_once;
my @all = map { $json->decode($_->response->{body}) } @at_once;

is_deeply([ map { scalar @{ $_->{flags} } } @all ], [ ($before + 50) x 4 ],
          'many - each flag, for whoever asks at once');
is_deeply([ map { $_->{key} } grep { $_->{key} =~ /^m\d/ && $_->{reason} eq
            'SPLIT' } @{ $all[0]{flags} } ],
          [ map { "m$_" } grep { flag("m$_", 'u')->{reason} eq 'SPLIT' }
            1 .. 50 ], 'many - as one by one');

$e->apply({ name => "steps$_", unit => 'header:X-Id', layer => 'steps',
            steps => [ map { "s$_" } 1 .. 60 ],
            layer => { name => 'steps', range => [ $_ / 4, ($_ + 1) / 4 ] },
            ofrep => { members => [ 'model' ] },
            variants => [ { name => 'a' },
                { name => 'b', overrides => { s1 => { model => 'b' } } } ] })
    for 0 .. 3;
$e->stage("steps$_", 'ab') for 0 .. 3;

($r, $a) = ask($flags, context());
is($r->{status}, 413, 'many - more than 200 at once');
is($a->{errorCode}, 'GENERAL', 'many - as an error');
is(flag('steps0:s60', 'u')->{reason}, 'STATIC', 'many - one by one');
$e->stage("steps$_", 'off') for 0 .. 3;

# What reads the log takes these lines for no requests.

my ($rc, $table, $notes) = $e->expctl('analyze', 'tone', '-o', 'json');
my $figures = eval { $json->decode($table) } // {};
my $proxied = grep { $_->{kind} eq 'request'
                     && ($_->{experiments}[0]{name} // '') eq 'tone'
                     && $_->{experiments}[0]{phase} == 1
                     && $_->{experiments}[0]{exposed} } $e->log_lines;

is(eval { my $n = 0; $n += $_->{requests} for @{ $figures->{variants} }; $n },
   $proxied, 'analyze - requests are those that were proxied') or diag($notes);
unlike($notes, qr/unreadable|bad line|no line of/i, 'analyze - no bad line');


# Without a registry there is nothing to say, and no flag is made up.

my $empty = Edge->new;
$empty->init;
unlink $empty->registry . '/serving/current' or die "unlink: $!\n";
$empty->{has_registry} = 0;
$empty->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { experiment on; experiment_ofrep open; }
    }
}
EOC
for my $uri ("$flags/tone", $flags) {
    $r = $empty->post($uri, $json->encode({ context => context() }));
    is($r->{status}, 500, "no registry - $uri");
    is($json->decode($r->{body})->{errorCode}, 'GENERAL',
       "no registry - $uri, as an error");
}
$empty->finish;


# The SDK that applications have: what it sends, and what it makes of answers.

SKIP: {
    my $npm = "$Edge::build/npm";

    skip $e->read_file("$npm/unreachable") || "no '$npm': make clients", 1
        unless -e "$npm/node";

    $e->stage('tone', 'ab', '--exposure', '0.8');

    my %units = map { $_ => 1 } $warm, $control, $out;
    my $said = sdk($npm, units => [ sort keys %units ]);

    for my $unit (sort keys %units) {
        my $flag = flag('tone', $unit);
        my $got = $said->{units}{$unit};

        if (exists $flag->{value}) {
            is_deeply($got, { flagKey => 'tone', flagMetadata =>
                $flag->{metadata}, value => $flag->{value}, variant =>
                $flag->{variant}, reason => $flag->{reason} },
                "SDK - $unit, $flag->{variant}");

        } else {
            is_deeply([ @$got{qw(value reason)} ],
                      [ { model => 'mine' }, 'ERROR' ],
                      "SDK - $unit, what the code has");
        }
    }

    is($said->{targeted}{reason}, 'SPLIT', 'SDK - attributes of the context');
    is($said->{key}{errorCode}, undef, 'SDK - a key');
    is($said->{key}{variant}, 'warm', 'SDK - a key, and the variant');
    is_deeply($said->{wrong_key}{value}, { model => 'mine' },
              'SDK - a wrong key, what the code has');
    is($said->{missing}{errorCode}, 'FLAG_NOT_FOUND', 'SDK - no such flag');
    is($said->{no_unit}{errorCode}, 'TARGETING_KEY_MISSING',
       'SDK - no targetingKey');
    is($said->{bulk}{status}, 200, 'SDK - bulk');
    is_deeply([ sort map { $_->{key} } @{ $said->{bulk}{flags} } ],
              [ sort map { $_->{key} } @{ (ask($flags,
                  { targetingKey => $warm }))[1]{flags} } ],
              'SDK - bulk, each flag');
    is($said->{again}{status}, 304, 'SDK - bulk, with its tag');
}

$e->done;


sub sdk {
    my ($npm, %in) = @_;
    my $base = 'http://127.0.0.1:' . $e->port;

    $e->file('in.json', $json->encode({ %in, open => "$base/api",
        keyed => "$base/keyed", secret => $one, warm => $warm,
        aim => { targetingKey => 'u', %hit } }));

    my $dir = $e->dir;
    my $out = qx($npm/node $FindBin::Bin/npm/ofrep.mjs $npm $dir/in.json);
    return eval { $json->decode($out) } // die "no answer of the SDK: $out\n";
}
