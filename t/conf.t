#!/usr/bin/perl
# Directives: what nginx -t accepts, what it refuses and what it says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

my $e = Edge->new;
$e->init;

my $registry = 'experiment_registry "%%REGISTRY%%";';
my $keys = 'experiment_keys "%%KEYS%%";';
my $both = "$registry $keys";
my $up = 'upstream a { server 127.0.0.1:1; } upstream b { server 127.0.0.1:1; }';

# [ what, http level, location level, undef or what nginx says ]
my @rows = (
    [ 'nothing of ours', '', '', undef ],
    [ 'registry and keys', $both, '', undef ],
    [ 'registry required', qq{experiment_registry "%%REGISTRY%%" required;
      $keys}, '', undef ],
    [ 'registry without keys', $registry, '', qr/experiment_keys/ ],
    [ 'experiment without registry', '', 'experiment on;',
      qr/experiment_registry/ ],
    [ 'experiment off without registry', '', 'experiment off;', undef ],
    [ 'registry twice', "$registry $both", '', qr/duplicate/ ],
    [ 'keys twice', "$both $keys", '', qr/duplicate/ ],
    [ 'registry in a location', $both, $registry, qr/not allowed here/ ],
    [ 'registry with another word', qq{experiment_registry "%%REGISTRY%%" x;
      $keys}, '', qr/experiment_registry|invalid/ ],
    [ 'keys that are not there',
      qq{$registry experiment_keys "%%DIR%%/none";}, '', qr/none/ ],
    [ 'keys that are no keys',
      qq{$registry experiment_keys "%%DIR%%/bad.keys";}, '', qr/bad\.keys/ ],
    [ 'keys that others may write',
      qq{$registry experiment_keys "%%DIR%%/open.keys";}, '',
      qr/open\.keys/ ],
    [ 'keys by a symlink',
      qq{$registry experiment_keys "%%DIR%%/link.keys";}, '',
      qr/link\.keys/ ],

    [ 'experiment_poll', "$both experiment_poll 1s;", '', undef ],
    [ 'experiment_poll no time', "$both experiment_poll x;", '',
      qr/experiment_poll/ ],
    [ 'experiment_poll twice',
      "$both experiment_poll 1s; experiment_poll 1s;", '', qr/duplicate/ ],

    [ 'experiment on', $both, 'experiment on;', undef ],
    [ 'experiment layer=', $both, 'experiment layer=chat layer=b;', undef ],
    [ 'experiment names', $both, 'experiment a b.c-d;', undef ],
    [ 'experiment without a value', $both, 'experiment;',
      qr/invalid number of arguments/ ],
    [ 'experiment on and more', $both, 'experiment on a;', qr/experiment/ ],
    [ 'experiment off and more', $both, 'experiment a off;',
      qr/experiment/ ],
    [ 'experiment of a bad name', $both, 'experiment a/b;', qr{a/b} ],
    [ 'experiment of an empty layer', $both, 'experiment layer=;',
      qr/layer=/ ],
    [ 'experiment twice', $both, 'experiment a; experiment b;',
      qr/duplicate/ ],
    [ 'experiment in if', $both, 'if ($arg_a) { experiment on; }',
      qr/not allowed here/ ],
    [ 'experiment at http and server', "$both experiment on;", '', undef ],

    [ 'experiment_step', $both, 'experiment_step answer;', undef ],
    [ 'experiment_step by a variable', $both, 'experiment_step $arg_step;',
      undef ],
    [ 'experiment_step of a bad name', $both, 'experiment_step a/b;',
      qr{a/b} ],
    [ 'experiment_step of an unknown variable', $both,
      'experiment_step $nothing_here;', qr/nothing_here/ ],
    [ 'experiment_step twice', $both,
      'experiment_step a; experiment_step b;', qr/duplicate/ ],

    [ 'experiment_dialect', $both, 'experiment_dialect openai_chat;', undef ],
    [ 'experiment_dialect auto', $both, 'experiment_dialect auto;', undef ],
    [ 'experiment_dialect json', $both, 'experiment_dialect json;', undef ],
    [ 'experiment_dialect that is not built', $both,
      'experiment_dialect mcp;', qr/mcp/ ],
    [ 'experiment_dialect anthropic', $both, 'experiment_dialect anthropic;',
      undef ],
    [ 'experiment_dialect openai_responses', $both,
      'experiment_dialect openai_responses;', undef ],
    [ 'experiment_dialect unknown', $both, 'experiment_dialect x;',
      qr/"x"/ ],

    [ 'experiment_body', $both, 'experiment_body off;', undef ],
    [ 'experiment_body_error', $both, 'experiment_body_error reject;', undef ],
    [ 'experiment_body_error bypass', $both, 'experiment_body_error bypass;',
      undef ],
    [ 'experiment_body_error unknown', $both, 'experiment_body_error fail;',
      qr/"fail"/ ],
    [ 'experiment_body_max_size', $both, 'experiment_body_max_size 64k;',
      undef ],
    [ 'experiment_body_max_size unknown', $both,
      'experiment_body_max_size big;', qr/experiment_body_max_size/ ],
    [ 'experiment_body apply', $both, 'experiment_body apply;', undef ],
    [ 'experiment_body unknown', $both, 'experiment_body on;', qr/"on"/ ],

    [ 'experiment_trusted', $both, 'experiment_trusted user_id $tenant auth;',
      undef ],
    [ 'experiment_trusted at http, server and location',
      "$both experiment_trusted auth;", 'experiment_trusted user;', undef ],
    [ 'experiment_trusted without a value', $both, 'experiment_trusted;',
      qr/invalid number of arguments/ ],
    [ 'experiment_trusted of no variable name', $both,
      'experiment_trusted jwt:sub;',
      qr/invalid parameter "jwt:sub", expected "auth" or the name of a var/ ],
    [ 'experiment_trusted of a dollar', $both, 'experiment_trusted "$";',
      qr/invalid parameter "\$"/ ],
    [ 'experiment_trusted with a name twice', $both,
      'experiment_trusted a b $A;', qr/"\$A" occurs twice/ ],
    [ 'experiment_trusted with auth twice', $both,
      'experiment_trusted auth auth;', qr/"auth" occurs twice/ ],
    [ 'experiment_trusted twice', $both,
      'experiment_trusted a; experiment_trusted b;', qr/duplicate/ ],
    [ 'experiment_trusted in if', $both, 'if ($arg_a) { experiment_trusted a; }',
      qr/not allowed here/ ],

    [ 'experiment_strip_headers', $both, 'experiment_strip_headers off;',
      undef ],
    [ 'experiment_strip_headers without a registry', '',
      'experiment_strip_headers on;', undef ],
    [ 'experiment_strip_headers unknown', $both, 'experiment_strip_headers x;',
      qr/invalid value "x"/ ],
    [ 'experiment_strip_headers twice', $both,
      'experiment_strip_headers on; experiment_strip_headers off;',
      qr/duplicate/ ],

    [ 'experiment_ofrep', $both,
      'experiment on; experiment_ofrep key=app.keys;', undef ],
    [ 'experiment_ofrep open', "$both experiment a;", 'experiment_ofrep open;',
      undef ],
    [ 'experiment_ofrep of another word', $both,
      'experiment on; experiment_ofrep x;',
      qr/invalid parameter "x", expected "key=FILE" or "open"/ ],
    [ 'experiment_ofrep of no file', $both,
      'experiment on; experiment_ofrep key=;',
      qr/expected "key=FILE"/ ],
    [ 'experiment_ofrep of a file that is not there', $both,
      'experiment on; experiment_ofrep key=none.keys;', qr/none\.keys/ ],
    [ 'experiment_ofrep of a file that others may write', $both,
      'experiment on; experiment_ofrep key=wide.keys;', qr/wide\.keys/ ],
    [ 'experiment_ofrep of a file by a symlink', $both,
      'experiment on; experiment_ofrep key=link.keys;', qr/link\.keys/ ],
    [ 'experiment_ofrep of a file without a key', $both,
      'experiment on; experiment_ofrep key=empty.keys;',
      qr/empty\.keys" has no key/ ],
    [ 'experiment_ofrep of a file with a blank in a key', $both,
      'experiment on; experiment_ofrep key=blank.keys;',
      qr/blank\.keys", line 2: found a/ ],
    [ 'experiment_ofrep of too many keys', $both,
      'experiment on; experiment_ofrep key=many.keys;',
      qr/line 65: more than 64 keys/ ],
    [ 'experiment_ofrep twice', $both,
      'experiment on; experiment_ofrep open; experiment_ofrep open;',
      qr/already/ ],
    [ 'experiment_ofrep before what would answer for it', $both,
      'experiment on; experiment_ofrep open; proxy_pass http://127.0.0.1:1;',
      qr{"experiment_ofrep" in location "/", where another} ],
    [ 'experiment_ofrep behind it', $both,
      'experiment on; proxy_pass http://127.0.0.1:1; experiment_ofrep open;',
      qr/"experiment_ofrep" in a location where another directive answers/ ],
    [ 'experiment_ofrep of what is bound nowhere', $both,
      'experiment_ofrep open;',
      qr{"experiment_ofrep" in location "/", where no experiment is bound} ],
    [ 'experiment_ofrep of what is off', "$both experiment on;",
      'experiment off; experiment_ofrep open;', qr/where no experiment/ ],
    [ 'experiment_ofrep without a registry', '',
      'experiment on; experiment_ofrep open;',
      qr/"experiment" needs "experiment_registry"/ ],
    [ 'experiment_ofrep at http', "$both experiment_ofrep open;", '',
      qr/not allowed here/ ],
    [ 'experiment_ofrep in if', $both,
      'if ($arg_a) { experiment_ofrep open; }', qr/not allowed here/ ],

    [ 'experiment_feedback', $both,
      'experiment on; experiment_feedback key=app.keys;', undef ],
    [ 'experiment_feedback token', $both,
      'experiment layer=a; experiment_feedback token;', undef ],
    [ 'experiment_feedback open', "$both experiment a;",
      'experiment_feedback open origin=https://a.b origin=http://[::1]:8080;',
      undef ],
    [ 'experiment_feedback of another word', $both,
      'experiment on; experiment_feedback keys;',
      qr/invalid parameter "keys", expected "key=FILE", "token" or "open"/ ],
    [ 'experiment_feedback of two words', $both,
      'experiment on; experiment_feedback token open;',
      qr/invalid parameter "open", expected "origin="/ ],
    [ 'experiment_feedback of a file that is not there', $both,
      'experiment on; experiment_feedback key=none.keys;',
      qr/none\.keys/ ],
    [ 'experiment_feedback of a file that others may write', $both,
      'experiment on; experiment_feedback key=wide.keys;',
      qr/wide\.keys/ ],
    (map { [ "experiment_feedback of origin $_", $both,
             "experiment on; experiment_feedback open origin=$_;",
             qr/invalid parameter "origin=\Q$_\E", expected/ ] }
     '*', 'null', 'https://', 'https://a/', 'https://A.b', 'a.b',
     'ftp://a.b', 'https://u\@a.b', 'https://a:b:c', 'https://a:', 'https://:1',
     'https://a:0', 'https://a:65536', 'https://a:080', 'https://a:8a',
     'https://[::1', 'https://[x]', 'https://[]a', 'https://a[b]',
     'https://[]', 'https://[:::::]', 'https://[1.2.3.4]', 'https://[::A]',
     'https://.a', 'https://..', 'https://a..b', 'https://.:1'),
    (map { [ "experiment_feedback of origin $_->[0]", $both,
             "experiment on; experiment_feedback open origin=$_->[0];",
             qr/"origin=\Q$_->[0]\E", where .* "origin=\Q$_->[1]\E"/ ] }
     [ 'https://a.b:443', 'https://a.b' ],
     [ 'http://[::1]:80', 'http://[::1]' ]),
    (map { [ "experiment_feedback of origin $_", $both,
             "experiment on; experiment_feedback open origin=$_;", undef ] }
     'http://localhost:3000', 'https://a.b:80', 'http://a.b:443',
     'https://a.b:8443', 'https://[::443]', 'https://a.b:65535',
     'http://[::ffff:1.2.3.4]:1', 'https://xn--a_b.c-d', 'https://a.b.:1'),
    [ 'experiment_feedback of one origin twice', $both,
      'experiment on; experiment_feedback open origin=https://a origin=https://a;',
      qr{duplicate parameter "origin=https://a"} ],
    [ 'experiment_feedback of what is bound nowhere', $both,
      'experiment_feedback open;',
      qr{"experiment_feedback" in location "/", where no experiment} ],
    [ 'experiment_feedback of what is off', "$both experiment on;",
      'experiment off; experiment_feedback open;', qr/where no experiment/ ],
    [ 'experiment_feedback twice', $both,
      'experiment on; experiment_feedback open; experiment_feedback open;',
      qr/already/ ],
    [ 'experiment_feedback beside experiment_ofrep', $both,
      'experiment on; experiment_feedback open; experiment_ofrep open;',
      qr/already/ ],
    [ 'experiment_feedback without a registry', '',
      'experiment on; experiment_feedback open;',
      qr/needs "experiment_registry"/ ],
    [ 'experiment_feedback at http',
      "$both experiment on; experiment_feedback open;", '',
      qr/not allowed here/ ],
    [ '$experiment_feedback_token', $both,
      'add_header X $experiment_feedback_token;', undef ],

    [ 'experiment_upstream', "$both $up", 'experiment_upstream a b;
      proxy_pass http://$experiment_upstream;', undef ],
    [ 'experiment_upstream of no upstream block', "$both $up",
      'experiment_upstream a c;', qr/"c"/ ],
    [ 'experiment_upstream before its upstream block', $both,
      'experiment_upstream late;', undef ],
    [ 'experiment_upstream twice', "$both $up",
      'experiment_upstream a; experiment_upstream b;', qr/duplicate/ ],
    [ '$experiment_upstream and experiment_upstream nowhere', "$both $up",
      'proxy_pass http://$experiment_upstream;', qr/experiment_upstream/ ],
    [ 'variables in maps', "$both map \$experiment_variant_tone \$m { a b; }",
      'add_header X $m$experiment_model$experiment_assignments;', undef ],
    [ 'a variable that does not exist', $both,
      'add_header X $experiment_nothing;', qr/experiment_nothing/ ],

    # What is not built does not exist.
    [ 'a directive of a later part', $both, 'experiment_scope x;',
      qr/unknown directive/ ],
);

my $key = $e->read_file('edge/keys');
$e->file('bad.keys', "not a key\n", 0600);
$e->file('open.keys', $key, 0666);
symlink $e->registry . '/keys', $e->dir . '/link.keys';
$e->file('app.keys', "# of the app\n\none-key-of-the-app\n", 0600);
$e->file('wide.keys', "one-key-of-the-app\n", 0620);
$e->file('empty.keys', "# none\n  \n", 0600);
$e->file('blank.keys', "one-key-of-the-app\none key\n", 0600);
$e->file('many.keys', join('', map { "key-of-the-app-$_\n" } 1 .. 65), 0600);

for my $row (@rows) {
    my ($text, $http, $location, $want) = @$row;
    my ($rc, $out) = $e->test_conf(<<"EOC");
%%MAIN%%
http {
    %%TEMP%%
    access_log off;
    $http
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { $location }
    }
    upstream late { server 127.0.0.1:1; }
}
EOC

    if (defined $want) {
        isnt($rc, 0, "$text - refused");
        like($out, qr/\[emerg\]/, "$text - emerg");
        like($out, $want, "$text - says what");

    } else {
        is($rc, 0, "$text - accepted") or diag($out);
    }
}

# nginx -t creates nothing.
my @left = grep { !/nginx-t\.err|nginx\.conf|error\.log|nginx\.pid/ }
    map { s{.*/}{}r } glob $e->dir . '/edge/serving/*';
my @again = map { s{.*/}{}r } glob $e->dir . '/edge/serving/*';
is("@left", "@again", 'nginx -t leaves the registry alone');

# Lists replace, they are not added to.
$e->upstream(reply => sub { return { body => '{}' } });
$e->apply(map { qq({"name":"$_","layer":"$_","unit":"header:X-Id","variants":)
    . qq([{"name":"c"},{"name":"b","headers":{"request":{"set":)
    . qq({"X-$_":"1"}}}}]}) } 'a', 'b');
$e->must('stage', $_, 'ab') for 'a', 'b';
$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    experiment a;
    upstream up { server 127.0.0.1:%%PORT_UP%%; }
    server {
        listen 127.0.0.1:%%PORT%%;
        location / { proxy_pass http://up; }
        location /b { experiment b; proxy_pass http://up; }
        location /off { experiment off; proxy_pass http://up; }
    }
}
EOC

$e->get('/', 'X-Id', 'u');
is(names(), 'a', 'inherited');
$e->get('/b', 'X-Id', 'u');
is(names(), 'b', 'replaced');
$e->get('/off', 'X-Id', 'u');
$e->get('/', 'X-Id', 'u');
is($e->log_next->{uri}, '/', 'switched off');


sub names {
    return join ' ', map { $_->{name} } @{ $e->log_next->{experiments} };
}

$e->done;
