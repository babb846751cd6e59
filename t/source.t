#!/usr/bin/perl
# Sources of units: what each yields, what none yields (SECURITY 2, Form), and
# which one counts where nginx.conf says that somebody has verified it.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Test::More;

use Edge;

my $e = Edge->new;

# The upstream is also the one that auth_request asks: it knows who X-Login is.

$e->upstream(reply => sub {
    my ($r) = @_;
    my $login = $r->header('X-Login');

    return { body => '{}', headers => [
        defined $login ? ('X-Auth-User', $login) : () ] };
});
$e->init;


sub doc {
    my ($name, $unit, %more) = @_;

    return {
        name => $name, unit => $unit, layer => $name,
        variants => [ { name => 'control' },
                      { name => 'b', headers => { response => {
                          set => { "X-$name" => 'b' } } } } ],
        %more,
    };
}

my %source = (
    header => 'header:X-U', cookie => 'cookie:u', arg => 'arg:u',
    var => 'var:from_login', json => 'json:/u', jwt => 'jwt:u', auth => 'auth:',
);

my @sources = map { doc("s-$_", $source{$_}) } sort keys %source;

$e->apply(@sources,
    doc('plain', 'header:X-Id'),
    doc('trust', { sources => [ 'header:X-U', 'jwt:sub', 'var:auth_user' ] }),
    doc('risk', { sources => [ 'jwt:sub', 'var:auth_user' ] },
        risk => 'high'),
    doc('known', { sources => [ 'jwt:sub', 'header:X-U' ],
                   trust => 'client' }, risk => 'high'),
    doc('body', { sources => [ 'json:/u', 'jwt:sub' ] }),
    doc('ours', { sources => [ 'header:X-Experiment-U' ] }),
    doc('low', 'jwt:sub', layer => { name => 'pair', range => [ 0, 0.5 ] }),
    doc('high', 'jwt:sub', layer => { name => 'pair', range => [ 0.5, 1 ] },
        risk => 'high'),
    doc('target', 'header:X-Id', targeting => [
        { attribute => 'jwt:tenant', op => 'eq', value => 'acme' } ],
        segments => { tenant => { source => 'jwt:tenant',
                                  values => [ 'acme' ] } }),
    doc('wait.a', 'json:/u',
        layer => { name => 'wait', range => [ 0, 0.5 ] },
        variants => [ { name => 'control' },
                      { name => 'b', route => { upstream => 'up' } } ]),
    doc('wait.b', 'json:/u',
        layer => { name => 'wait', range => [ 0.5, 1 ] }),
    doc('login', 'header:X-Id', targeting => [
        { attribute => 'var:auth_user', op => 'prefix', value => 'a' } ],
        segments => { who => { source => 'var:auth_user',
                               values => [ 'abe' ] } }),
);

$e->must('stage', $_, 'ab', '--exposure', '1')
    for (map { $_->{name} } @sources), qw(plain trust risk known body ours low
                                          high target login wait.a wait.b);

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    ignore_invalid_headers off;
    large_client_header_buffers 4 32k;
    map $http_x_login $from_login { default $http_x_login; none ''; }
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT%%;
        location /s-header { experiment s-header; proxy_pass http://up; }
        location /s-cookie { experiment s-cookie; proxy_pass http://up; }
        location /s-arg { experiment s-arg; proxy_pass http://up; }
        location /s-var { experiment s-var; proxy_pass http://up; }
        location /s-json { experiment s-json; proxy_pass http://up; }
        location /s-jwt { experiment s-jwt; proxy_pass http://up; }
        location /s-auth { experiment s-auth; proxy_pass http://up; }
        location /several { experiment s-jwt s-auth risk; proxy_pass http://up; }

        location /plain { experiment plain; proxy_pass http://up; }
        location = /who { internal; proxy_pass http://up; }

        location /none { experiment trust risk; proxy_pass http://up; }
        location /auth {
            experiment trust risk known;
            experiment_trusted auth;
            proxy_pass http://up;
        }
        location /client { experiment known; proxy_pass http://up; }
        location /user {
            experiment trust risk login;
            experiment_trusted $auth_user;
            auth_request /who;
            auth_request_set $auth_user $upstream_http_x_auth_user;
            proxy_pass http://up;

            location /user/early {
                set $seen "$experiment_unit";
                set $more "$experiment_assignments";
                add_header X-Early "$seen";
                proxy_pass http://up;
            }
            location /user/other {
                experiment_trusted other auth;
                proxy_pass http://up;
            }
            location /user/denied { experiment trust; deny all; }
        }
        location /body {
            experiment body;
            proxy_pass http://up;

            location /body/auth { experiment_trusted auth; proxy_pass http://up; }
        }
        location /ours {
            experiment ours;
            proxy_pass http://up;

            location /ours/early {
                set $seen "$experiment_unit";
                proxy_pass http://up;
            }
            location /ours/keep {
                experiment_strip_headers off;
                proxy_pass http://up;
            }
        }
        location /pair {
            experiment layer=pair;
            proxy_pass http://up;

            location /pair/auth { experiment_trusted auth; proxy_pass http://up; }
        }
        location /wait { experiment layer=wait; proxy_pass http://up; }
        location /large {
            experiment body;
            client_max_body_size 16;
            error_page 413 = @large;
            proxy_pass http://up;
        }
        location @large {
            experiment body;
            experiment_upstream up;
            proxy_pass http://$experiment_upstream;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
        location /target { experiment target; proxy_pass http://up; }
    }
}
EOC


sub jwt {
    my ($payload) = @_;

    return join '.', map { encode_base64url($_) } '{"alg":"HS256"}', $payload,
        'signature';
}

sub bearer { return ('Authorization', 'Bearer ' . jwt($_[0])) }

# The keyed id of a value, as the log has it.
my %keyed;

sub keyed {
    my ($value) = @_;

    return $keyed{$value} //= do {
        $e->get('/plain', 'X-Id', $value);
        $e->log_next->{experiments}[0]{unit};
    };
}

# The entry of an experiment in the next log line, by default the first.

sub entry {
    my ($name) = @_;
    my $line = $e->log_next;

    return (grep { !defined $name || $_->{name} eq $name }
            @{ $line->{experiments} })[0];
}


# The form of a value: one row a request, undef: no unit.

my $long = 'x' x 256;
my $jwt = jwt('{"u":"a"}');

my @rows = (
    [ 'header', 'one', 'a', [ 'X-U', 'a' ] ],
    [ 'header', 'another case', 'a', [ 'x-u', 'a' ] ],
    [ 'header', 'blanks around it', 'a b', [ 'X-U', "  a b  " ] ],
    [ 'header', 'other bytes', "caf\xe9\t\x01", [ 'X-U', "caf\xe9\t\x01" ] ],
    [ 'header', '256 bytes', $long, [ 'X-U', $long ] ],
    [ 'header', '257 bytes', undef, [ 'X-U', "x$long" ] ],
    [ 'header', 'empty', undef, [ 'X-U', '' ] ],
    [ 'header', 'blanks alone', undef, [ 'X-U', '     ' ] ],
    [ 'header', 'none', undef, [] ],
    [ 'header', 'twice', undef, [ 'X-U', 'a', 'x-u', 'a' ] ],
    [ 'header', 'twice, once empty', undef, [ 'X-U', 'a', 'X-U', '' ] ],
    [ 'header', 'another name', undef, [ 'X_U', 'a', 'X-U2', 'a' ] ],

    [ 'cookie', 'one', 'a', [ 'Cookie', 'u=a' ] ],
    [ 'cookie', 'among others', 'a', [ 'Cookie', 'x=1; u=a; uu=2' ] ],
    [ 'cookie', 'not decoded', '%61=b', [ 'Cookie', 'u=%61=b' ] ],
    [ 'cookie', 'quotes are part of it', '"a"', [ 'Cookie', 'u="a"' ] ],
    [ 'cookie', '256 bytes', $long, [ 'Cookie', "u=$long" ] ],
    [ 'cookie', '257 bytes', undef, [ 'Cookie', "u=x$long" ] ],
    [ 'cookie', 'empty', undef, [ 'Cookie', 'u=' ] ],
    [ 'cookie', 'no value', undef, [ 'Cookie', 'u' ] ],
    [ 'cookie', 'another case', undef, [ 'Cookie', 'U=a' ] ],
    [ 'cookie', 'twice', undef, [ 'Cookie', 'u=a; u=a' ] ],
    [ 'cookie', 'in two headers', undef, [ 'Cookie', 'u=a', 'Cookie', 'u=a' ] ],
    [ 'cookie', 'two headers, once', 'a', [ 'Cookie', 'x=1', 'cookie', 'u=a' ] ],

    [ 'arg', 'one', 'a', [], '?u=a' ],
    [ 'arg', 'among others', 'a', [], '?x=1&u=a&uu=2' ],
    [ 'arg', 'not decoded', '%61+b', [], '?u=%61+b' ],
    [ 'arg', '256 bytes', $long, [], "?u=$long" ],
    [ 'arg', '257 bytes', undef, [], "?u=x$long" ],
    [ 'arg', 'empty', undef, [], '?u=' ],
    [ 'arg', 'no value', undef, [], '?u' ],
    [ 'arg', 'another case', undef, [], '?U=a' ],
    [ 'arg', 'an escaped name', undef, [], '?%75=a' ],
    [ 'arg', 'twice', undef, [], '?u=a&u=a' ],
    [ 'arg', 'twice, once empty', undef, [], '?u=a&u=' ],
    [ 'arg', 'in a body', undef, [ 'Content-Type',
      'application/x-www-form-urlencoded' ], '', 'u=a' ],

    [ 'var', 'one', 'a', [ 'X-Login', 'a' ] ],
    [ 'var', 'empty', undef, [ 'X-Login', 'none' ] ],
    [ 'var', '256 bytes', $long, [ 'X-Login', $long ] ],
    [ 'var', '257 bytes', undef, [ 'X-Login', "x$long" ] ],

    [ 'json', 'a string', 'a', [], '', '{"u":"a"}' ],
    [ 'json', 'unescaped', 'a/"', [], '', '{"u":"\u0061\/\""}' ],
    [ 'json', 'an integer', '-42', [], '', '{"u":-42}' ],
    [ 'json', '18 digits', '123456789012345678', [], '',
      '{"u":123456789012345678}' ],
    [ 'json', '19 digits', undef, [], '', '{"u":1234567890123456789}' ],
    [ 'json', 'a fraction', undef, [], '', '{"u":1.0}' ],
    [ 'json', 'an exponent', undef, [], '', '{"u":1e1}' ],
    [ 'json', 'true', undef, [], '', '{"u":true}' ],
    [ 'json', 'null', undef, [], '', '{"u":null}' ],
    [ 'json', 'a list', undef, [], '', '{"u":["a"]}' ],
    [ 'json', 'an object', undef, [], '', '{"u":{}}' ],
    [ 'json', 'a lone surrogate', undef, [], '', '{"u":"\ud800"}' ],
    [ 'json', '256 bytes', $long, [], '', qq({"u":"$long"}) ],
    [ 'json', '256 bytes, all escaped', $long, [], '',
      '{"u":"' . '\u0078' x 256 . '"}' ],
    [ 'json', '257 bytes', undef, [], '', qq({"u":"x$long"}) ],
    [ 'json', 'empty', undef, [], '', '{"u":""}' ],
    [ 'json', 'none', undef, [], '', '{"v":"a"}' ],
    [ 'json', 'twice', undef, [], '', '{"u":"a","u":"a"}' ],
    [ 'json', 'twice, once escaped', undef, [], '', '{"u":"a","\u0075":"a"}' ],

    [ 'jwt', 'a string', 'a', [ bearer('{"u":"a"}') ] ],
    [ 'jwt', 'an integer', '42', [ bearer('{"u":42}') ] ],
    [ 'jwt', 'the scheme ignores case', 'a', [ 'authorization',
      "BEARER  $jwt" ] ],
    [ 'jwt', '256 bytes', $long, [ bearer(qq({"u":"$long"})) ] ],
    [ 'jwt', '257 bytes', undef, [ bearer(qq({"u":"x$long"})) ] ],
    [ 'jwt', '8 KB', 'a', [ 'Authorization', "Bearer $jwt"
      . 'x' x (8192 - length $jwt) ] ],
    [ 'jwt', '8 KB and a byte', undef, [ 'Authorization', "Bearer $jwt"
      . 'x' x (8193 - length $jwt) ] ],
    [ 'jwt', 'twice', undef, [ bearer('{"u":"a","u":"a"}') ] ],
    [ 'jwt', 'true', undef, [ bearer('{"u":true}') ] ],
    [ 'jwt', 'a fraction', undef, [ bearer('{"u":1.5}') ] ],
    [ 'jwt', 'empty', undef, [ bearer('{"u":""}') ] ],
    [ 'jwt', 'another claim', undef, [ bearer('{"v":"a"}') ] ],
    [ 'jwt', 'no JSON', undef, [ bearer('{"u":"a"') ] ],
    [ 'jwt', 'no token', undef, [ 'Authorization', 'Bearer x' ] ],
    [ 'jwt', 'another scheme', undef, [ 'Authorization', "Basic $jwt" ] ],
    [ 'jwt', 'padding', undef, [ 'Authorization',
      'Bearer e30.eyJ1IjoiYSJ9Cg==.s' ] ],
    [ 'jwt', 'none', undef, [] ],
    [ 'jwt', 'in another header', undef, [ 'X-Authorization', "Bearer $jwt",
      'Proxy-Authorization', "Bearer $jwt" ] ],

    [ 'auth', 'Bearer', sha256_hex('secret'), [ 'Authorization',
      'Bearer secret' ] ],
    [ 'auth', 'Basic', sha256_hex('dTpw'), [ 'Authorization',
      'Basic   dTpw' ] ],
    [ 'auth', 'X-API-Key', sha256_hex('secret'), [ 'X-API-Key', 'secret' ] ],
    [ 'auth', 'API-Key', sha256_hex('secret'), [ 'api-key', 'secret' ] ],
    [ 'auth', 'Authorization first', sha256_hex('a'), [ 'X-API-Key', 'b',
      'Authorization', 'Bearer a' ] ],
    [ 'auth', 'a long one', sha256_hex('y' x 4000), [ 'X-API-Key',
      'y' x 4000 ] ],
    [ 'auth', 'no scheme', undef, [ 'Authorization', 'secret' ] ],
    [ 'auth', 'the scheme alone', undef, [ 'Authorization', 'Bearer ' ] ],
    [ 'auth', 'an empty Authorization', undef, [ 'Authorization', '',
      'X-API-Key', 'secret' ] ],
    [ 'auth', 'X-API-Key twice', undef, [ 'X-API-Key', 'secret', 'x-api-key',
      'secret' ] ],
    [ 'auth', 'X-API-Key and API-Key', undef, [ 'X-API-Key', 'secret',
      'API-Key', 'secret' ] ],
    [ 'auth', 'none', undef, [] ],
);

for my $row (@rows) {
    my ($type, $name, $want, $headers, $args, $body) = @$row;
    my $uri = "/s-$type" . ($args // '');

    if (defined $body) {
        $e->post($uri, $body, @$headers);

    } else {
        $e->get($uri, @$headers);
    }

    my $got = entry();
    is($got->{unit} // 'none', defined $want ? keyed($want) : 'none',
        "$type - $name");
    is($got->{reason} eq 'no_unit' ? 1 : 0, defined $want ? 0 : 1,
        "$type - $name, the reason");
}

# nginx itself refuses two of them, which the unit tests cannot show.
for my $type (qw(jwt auth)) {
    is($e->get("/s-$type", (bearer('{"u":"a"}')) x 2)->{status}, 400,
        "$type - Authorization twice");
}

# Several claims and the hash, of one token.
my $token = jwt('{"sub":"s","u":"t"}');
$e->get('/several', 'Authorization', "Bearer $token");
my %by = map { $_->{name} => $_ } @{ $e->log_next->{experiments} };
is($by{'s-jwt'}{unit}, keyed('t'), 'several - a claim');
is($by{'s-auth'}{unit}, keyed(sha256_hex($token)), 'several - the hash');

# assign knows the same.
is($e->must('assign', 's-auth', sha256_hex('secret')) =~ /(control|b) /
   && $1, do { $e->get('/s-auth', 'Authorization', 'Bearer secret');
               entry()->{variant} }, 'auth - what expctl assign says');


# Which source counts.

sub unit_of {
    my ($uri, $name, @headers) = @_;

    $e->get($uri, @headers);
    my $entry = entry($name);
    my ($who) = grep { ($entry->{unit} // '') eq $keyed{$_} } keys %keyed;

    return join ' ', $entry->{reason}, $who // '-', $entry->{unit_source} // '-';
}

keyed($_) for qw(alice bob carol);
my @all = ('X-U', 'alice', bearer('{"sub":"bob"}'), 'X-Login', 'carol');

is(unit_of('/none', 'trust', @all), 'assigned alice 0',
    'nothing is verified - the first');
is(unit_of('/auth', 'trust', @all), 'assigned bob 1',
    'auth is verified - the claim');
is(unit_of('/auth', 'trust', 'X-U', 'alice'), 'assigned alice 0',
    'auth is verified, and not there - the client\'s');
is(unit_of('/auth', 'trust', 'X-U', 'bob', bearer('{"sub":"bob"}')),
    'assigned bob 1', 'both are the same - the one that is known');
is(unit_of('/user', 'trust', @all), 'assigned carol 2',
    'a variable is verified');
is(unit_of('/user/early', 'trust', @all), 'assigned carol 2',
    'a variable is verified - and asked for before the access phase');
is(unit_of('/user/early', 'trust', 'X-U', 'alice'), 'assigned alice 0',
    '... and never there');
is(unit_of('/user/other', 'trust', @all), 'assigned bob 1',
    'a list replaces the inherited one');
is(unit_of('/user/denied', 'trust', @all), 'no_unit - -',
    'refused before anybody was verified');

is($e->get('/user/early', @all)->header('X-Early') // '', '',
    'what waits for the access phase is not found before');
$e->log_next;

is(unit_of('/user/early', 'login', 'X-Id', 'alice', 'X-Login', 'abe'),
    'assigned alice 0', 'targeting waits for the access phase');
is(unit_of('/user/early', 'login', 'X-Id', 'alice', 'X-Login', 'zoe'),
    'not_targeted alice 0', 'targeting - another value');
$e->get('/user/early', 'X-Id', 'alice', 'X-Login', 'abe');
is_deeply(entry('login')->{segments}, { who => 'abe' },
    'segments wait for the access phase');


# A high risk.

for my $row (
    [ '/none', 'risk', 'no_unit - -', 'nothing is verified' ],
    [ '/auth', 'risk', 'assigned bob 0', 'auth is verified' ],
    [ '/user', 'risk', 'assigned carol 1',
      'a variable is verified, behind a claim that is not' ],
    [ '/user/early', 'risk', 'assigned carol 1', '... asked for early' ],
    [ '/client', 'known', 'assigned bob 0', 'that says that it knows' ],
    [ '/auth', 'known', 'assigned bob 0', '... verified' ])
{
    my ($uri, $name, $want, $text) = @$row;

    is(unit_of($uri, $name, @all), $want, "high risk - $text");
}

is($e->get('/none', @all)->header('X-risk') // '', '',
    'high risk - nothing of a variant');
is($e->log_next->{experiments}[0]{variant}, 'control',
    'high risk - the baseline');

# A layer that one of each share: the unit is the same, and it is the
# document of its range that does not take it.
my ($low, $high) = map { $e->unit($_, reason => 'assigned') } qw(low high);
keyed($_) for $low, $high;

for my $row (
    [ '/pair', $low, 'low', "assigned $low 0" ],
    [ '/pair', $high, 'high', 'no_unit - -' ],
    [ '/pair/auth', $low, 'low', "assigned $low 0" ],
    [ '/pair/auth', $high, 'high', "assigned $high 0" ])
{
    my ($uri, $unit, $name, $want) = @$row;

    is(unit_of($uri, $name, bearer(qq({"sub":"$unit"}))), $want,
        "high risk - $name in $uri");
}


# A body is not waited for where a verified source knows.

$e->post('/body', '{"u":"alice"}', bearer('{"sub":"bob"}'));
my $line = $e->log_next;
is($line->{experiments}[0]{unit}, keyed('alice'), 'body - first, it counts');
is($line->{body}, 'unchanged', 'body - read');
$e->post('/body/auth', '{"u":"alice"}', bearer('{"sub":"bob"}'));
$line = $e->log_next;
is($line->{experiments}[0]{unit}, keyed('bob'), 'body - verified, behind it');
is($line->{body} // 'not read', 'not read', 'body - not needed');
$e->post('/body/auth', '{"u":"alice"}');
is($e->log_next->{experiments}[0]{unit}, keyed('alice'),
    'body - nothing verified');


# A layer whose first document is off here: the body is read for the others.

for my $row ([ 'wait.a', 'error' ], [ 'wait.b', 'assigned' ]) {
    my ($name, $want) = @$row;
    my $unit = $e->unit($name, reason => 'assigned');

    $e->post('/wait', qq({"u":"$unit"}));
    my $got = entry();
    is("$got->{name} $got->{reason}", "$name $want", "layer - $name");
}

$e->post('/wait', '{}');
is(entry()->{name}, 'wait.a', 'layer - no unit, the first by name');


# A body that is refused while it is read does not come: the baseline.

for my $at_once (0, 1) {
    my $c = $e->client;
    my @parts = (Edge::Client->request('POST', '/large', undef,
        'Content-Type', 'application/json', 'Transfer-Encoding', 'chunked'),
        Edge::Client->chunked('{"u":"alice","more":"than is taken"}', 8));

    $c->send($at_once ? join '', @parts : shift @parts);
    if (!$at_once) {
        $e->get('/plain', 'X-Id', 'between');
        $e->log_next;
        $c->send(@parts);
    }

    my $r = $c->response;
    is($r->{status}, 200, "refused body - the baseline, $at_once");
    is(entry()->{reason}, 'no_unit', "refused body - no unit, $at_once");
}


# What is stripped is no source.

for my $row ([ '/ours', 'no_unit - -' ], [ '/ours/early', 'no_unit - -' ],
    [ '/ours/keep', 'assigned alice 0' ])
{
    my ($uri, $want) = @$row;

    is(unit_of($uri, 'ours', 'X-Experiment-U', 'alice'), $want,
        "X-Experiment-U as a source - $uri");
}


# Targeting by a claim.

for my $row ([ 'acme', 'assigned' ], [ 'globex', 'not_targeted' ]) {
    my ($tenant, $want) = @$row;

    $e->get('/target', 'X-Id', 'alice', bearer(qq({"tenant":"$tenant"})));
    my $got = entry();
    is($got->{reason}, $want, "targeting - $tenant");
    is($got->{segments}{tenant}, $tenant eq 'acme' ? 'acme' : 'other',
        "segments - $tenant");
}


# No credential is written down.

# What nginx says of a header that it refuses is its own.
my $log = $e->read_file('log/experiment.log')
    . join '', grep { !/client sent/ } split /^/, $e->error_log;
my ($found) = $log =~ /(secret|eyJ|\Q${\ sha256_hex('secret') }\E)/;
is($found, undef, 'no token, no credential, no bare hash in a log');

$e->done;
