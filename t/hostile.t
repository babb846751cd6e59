#!/usr/bin/perl
# Hostile bodies: each row of SECURITY 3, column ordinary, by every alternative
# that it names, with experiment_body_error bypass and reject, in every arm,
# for a unit that is not exposed, and in every way to cut a body.

use strict;
use warnings;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Edge;

my $max = 4096;
my $e = Edge->new(vars => { SIZE => $max });
my $json = JSON::PP->new->utf8->canonical;

$e->upstream(reply => sub { return { body => '{"ok":true}' } });
$e->init;
$e->apply(<<'EOD', <<'EOD');
{"name": "chat", "layer": "chat", "unit": "header:X-Id",
 "stage": {"name": "ab", "exposure": 0.9}, "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true, "overrides": {"default": {
     "model": "small", "temperature": 0.2}}},
  {"name": "c", "allow_many": true, "overrides": {"default": {
     "system": "S", "top_p": 0.3, "max_tokens": 400}},
   "body": [{"op": "set", "path": "/metadata/a/b", "value": "v"}]}]}
EOD
{"name": "inside", "layer": "inside", "unit": "json:/user/id",
 "stage": {"name": "ab", "exposure": 1}, "variants": [
  {"name": "control"},
  {"name": "b", "overrides": {"default": {"verbosity": "low"}}}]}
EOD

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 32; }
    large_client_header_buffers 4 32k;
    experiment_body_max_size %%SIZE%%;

    server {
        listen 127.0.0.1:%%PORT%%;

        location /bypass/ { experiment chat; proxy_pass http://up; }

        location /reject/ {
            experiment chat;
            experiment_body_error reject;
            proxy_pass http://up;
        }

        location /inside/ {
            experiment inside;
            experiment_body_error reject;
            proxy_pass http://up;
        }
    }
}
EOC

my %unit = map { $_ => $e->unit('chat', variant => $_, exposed => 1) }
    'control', 'b', 'c';
$unit{out} = $e->unit('chat', reason => 'not_exposed');

my %message = (
    malformed => 'the body is not valid JSON',
    utf8 => 'the body is not valid UTF-8 without a byte order mark',
    root => 'the body has to be a JSON object',
    depth => 'the body is nested deeper than 512 levels',
    size => 'the body is too large',
    duplicate => 'a member of the body occurs twice',
    encoded => 'the body has a content encoding',
);

my ($rows, $requests) = (0, 0);
my %client;


# A request as the pieces that are sent: with a length, at once and cut in the
# middle; in chunks of one byte, which are many buffers; in as many chunks as
# are looked at where they lie.

sub pieces {
    my ($form, $uri, $in, $o, $id) = @_;
    my @headers = ('X-Id', $id, @{ $o->{headers} // [] });
    my $method = $o->{method} // 'POST';

    push @headers, 'Content-Type', 'application/json' unless $o->{no_type};

    if (defined $in && $form =~ /chunks/) {
        my $size = $form eq 'few chunks' ? int(length($in) / 31) + 1 : 1;

        return Edge::Client->request($method, $uri,
            Edge::Client->chunked($in, $size), @headers, 'Transfer-Encoding',
            'chunked');
    }

    my $raw = Edge::Client->request($method, $uri, $in, @headers);
    return $raw if $form ne 'halves';

    my $half = length($raw) - int(length($in // '') / 2);
    return (substr($raw, 0, $half), substr($raw, $half));
}


# One row.  in: the body; cause: why it is not edited; pass: it is not read;
# want: what goes upstream in the arm that edits, by default in with b's two
# members replaced; ambiguous, applied: in the log; arm: the arm that edits.

sub row {
    my ($text, $in, %o) = @_;
    my $arm = $o{arm} // 'b';
    my @forms = ('at once', 'halves',
                 defined $in ? ('chunks of one byte', 'few chunks') : ());
    my (@asked, %want, %got);

    $rows++;

    for my $mode ('bypass', 'reject') {
        for my $who ('control', $arm, 'out') {
            for my $form (@forms) {
                my $uri = "/$mode/$rows/$who/" . ($form =~ s/ /-/gr)
                    . '/chat/completions';
                my $slot = "$mode, $who, $form";

                push @asked, { uri => $uri, slot => $slot,
                    pieces => [ pieces($form, $uri, $in, \%o, $unit{$who}) ] };
                $want{$slot} = expected($mode, $who, $in // '', \%o);
            }
        }
    }

    ask(@asked);

    my %line = map { $_->{uri} => $_ } $e->log_next(scalar @asked);
    my %upstream = map { $_->{uri} => $_->{body} } $e->received;

    for my $a (@asked) {
        my ($line, $r) = ($line{ $a->{uri} }, $a->{response});

        $got{ $a->{slot} } = {
            status => $r->{status},
            upstream => $upstream{ $a->{uri} },
            answer => $r->{status} == 200 ? undef
                : eval { $json->decode($r->{body}) } // $r->{body},
            type => $r->header('Content-Type'),
            logged => $line->{status},
            body => $line->{body},
            ambiguous => $line->{ambiguous} ? 1 : 0,
            applied => $line->{experiments}[0]{applied},
        };
    }

    is_deeply(\%got, \%want, $text);
}


sub expected {
    my ($mode, $who, $in, $o) = @_;
    my $edits = $who ne 'control' && $who ne 'out';
    my $codes = $o->{applied} // { model => 'applied',
                                   temperature => 'applied' };
    my %w = (status => 200, logged => 200, upstream => $in, answer => undef,
             type => 'application/json', body => undef, ambiguous => 0,
             applied => undef);
    my $all = sub { return $edits ? { map { $_ => $_[0] } keys %$codes }
                                  : undef };

    return \%w if $who eq 'out';

    if ($o->{pass}) {
        $w{applied} = $all->('not_sent');

    } elsif (my $cause = $o->{cause}) {
        $w{body} = ($mode eq 'reject' ? 'rejected' : 'bypass') . ":$cause";
        $w{applied} = $all->($mode eq 'reject' ? 'not_sent' : 'bypassed');

        if ($mode eq 'reject') {
            $w{status} = $w{logged} = $cause eq 'size' ? 413 : 400;
            $w{upstream} = undef;
            $w{answer} = { error => { type => 'experiment_body',
                code => $cause, message => $message{$cause} } };
        }

    } else {
        $w{ambiguous} = $o->{ambiguous} // 0;
        $w{body} = $edits ? 'edited' : 'unchanged';
        $w{applied} = $codes if $edits;
        $w{upstream} = $o->{want} // edited($in) if $edits;
    }

    return \%w;
}


sub edited {
    my ($in) = @_;

    $in =~ s/"model":"a"/"model":"small"/ or die "no model in '$in'\n";
    $in =~ s/"temperature":1(?=[,}])/"temperature":0.2/
        or die "no temperature in '$in'\n";
    return $in;
}


# All requests of a row at once, each over the connection that its kind had
# before: what one request leaves behind would be the start of the next.

sub ask {
    my (@asked) = @_;
    my @halves = grep { @{ $_->{pieces} } > 1 } @asked;

    for my $a (@asked) {
        $a->{client} = $client{ $a->{slot} } //= $e->client;
        $a->{client}->send($a->{pieces}[0]);
    }

    # so that the first half is a read of its own
    select undef, undef, undef, 0.005 if @halves;
    $_->{client}->send($_->{pieces}[1]) for @halves;

    for my $a (@asked) {
        $requests++;
        $a->{response} = $a->{client}->response
            // die "no answer to $a->{uri}\n";
        next if lc($a->{response}->header('Connection') // '') ne 'close';
        $a->{client}->close;
        delete $client{ $a->{slot} };
    }
}


# A body with b's members, and something beside them.

sub beside {
    my ($more) = @_;

    return '{"model":"a",' . $more . ',"temperature":1}';
}


# Syntax.

row('a plain body', '{"model":"a","temperature":1}');

for my $tail ('x', '{}', ' {"model":"a"}', '}', ']', ',', '"', '0', ' null',
              '//x', '/**/', '#', ';', '\\')
{
    row("text after the value, $tail", beside('"n":1') . $tail,
        cause => 'malformed');
}

for my $value ('01', '-01', '00', '0x10', '1_000', '+1', '.5', '5.', '-', '-.5',
               '1e', '1e+', '1.e1', '1e1.5', '1.2.3', '--1', '1 2', '0b1', '1f',
               'NaN', '-NaN', 'Infinity', '-Infinity', 'inf', 'undefined',
               'True', 'TRUE', 'nul', 'nulll', 'tru', 'falsee', 'None', 'x',
               "'x'", '`x`', '"x', '"x""y"', '"x" "y"', '', ',', ':', '/',
               '[1,]', '[,1]', '[1,,2]', '[1 2]', '[', '[1', ']', '[1}', '[:]',
               '["a":1]', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a"}',
               '{"a":}', '{"a" 1}', '{"a"::1}', '{"a":1:2}', '{"a":1 "b":2}',
               '{a:1}', "{'a':1}", '{1:1}', '{null:1}', '{[]:1}', '{"a":1]',
               '{', '{"a', '{"a":', '{"a":1', '(1)', '<1>', '$', '...', '@',
               '"\\x41"', '"\\u12"', '"\\u12G4"', '"\\u 123"', '"\\uu123"',
               '"\\U0041"', '"\\\'"', '"\\a"', '"\\0"', '"\\"', '"\\', '"\\u',
               '"\\u123"', '1/*x*/', '/*x*/1', '//x', '#x')
{
    row("syntax, $value", '{"model":"a","temperature":1,"n":' . $value . '}',
        cause => 'malformed');
}

for my $c (1 .. 0x1f) {
    row(sprintf('a raw control in a string, %02x', $c),
        beside("\"n\":\"x" . chr($c) . "y\""), cause => 'malformed');
}

row('a raw control in a key', beside("\"n\x01\":1"), cause => 'malformed');
row('a raw line feed in a key', beside("\"n\n\":1"), cause => 'malformed');

for my $space ("\x0b", "\x0c", "\x1f", "\x7f", "\xc2\xa0", "\xe2\x80\xa8",
               "\xe3\x80\x80", "\xe2\x80\x8b")
{
    row('no white space, ' . unpack('H*', $space), beside("${space}\"n\":1"),
        cause => 'malformed');
}

row('white space and nothing else', " \r\n\t ", cause => 'malformed');
row('DEL in a string', beside("\"n\":\"\x7f\""));
row('the four kinds of white space', " \r\n\t{\"model\":\"a\"\t,\r\n "
    . "\"temperature\":1} \r\n\t");
row('noncharacters', beside("\"n\":\"\xef\xbf\xbf\xef\xb7\x90\xf0\x9f\xbf\xbe"
                            . '\uffff"'));


# Encoding.

my $plain = beside("\"n\":\"\xe2\x82\xac\"");
my $text = '{"model":"a","temperature":1}';

row('a byte order mark', "\xef\xbb\xbf$text", cause => 'utf8');
row('two byte order marks', "\xef\xbb\xbf\xef\xbb\xbf$text", cause => 'utf8');
row('half a byte order mark', "\xef\xbb$text", cause => 'utf8');
row('a byte order mark behind a space', " \xef\xbb\xbf$text",
    cause => 'malformed');
row('a byte order mark behind the value', "$text\xef\xbb\xbf",
    cause => 'malformed');
row('a byte order mark in a string', beside("\"n\":\"\xef\xbb\xbf\""));
row('a NUL byte behind the value', "$text\0", cause => 'utf8');
row('a NUL byte in front', "\0$text", cause => 'utf8');
row('a NUL byte between', beside("\0\"n\":1"), cause => 'utf8');
row('a NUL byte in a string', beside("\"n\":\"x\0y\""), cause => 'utf8');
row('a NUL byte in a key', beside("\"n\0\":1"), cause => 'utf8');
row('a NUL byte in a number', beside("\"n\":1\0"), cause => 'utf8');
row('a NUL byte in a literal', beside("\"n\":tr\0ue"), cause => 'utf8');
row('a NUL byte in an escape', beside("\"n\":\"\\\0\""), cause => 'utf8');
row('a NUL byte in \u', beside("\"n\":\"\\u00\0\""), cause => 'utf8');

for my $enc ('UTF-16LE', 'UTF-16BE', 'UTF-16', 'UTF-32LE', 'UTF-32BE',
             'UTF-32')
{
    row($enc, encode($enc, $text), cause => 'utf8');
}

row('UTF-16LE with a mark', "\xff\xfe" . encode('UTF-16LE', $text),
    cause => 'utf8');
row('UTF-32LE with a mark', "\xff\xfe\0\0" . encode('UTF-32LE', $text),
    cause => 'utf8');

my @invalid = (
    [ 'a continuation', "\x80" ], [ 'the last continuation', "\xbf" ],
    [ 'ff', "\xff" ], [ 'fe', "\xfe" ],
    [ 'overlong, c0', "\xc0\xaf" ], [ 'overlong, c1', "\xc1\xbf" ],
    [ 'overlong of three', "\xe0\x9f\xbf" ],
    [ 'overlong of four', "\xf0\x8f\xbf\xbf" ],
    [ 'overlong NUL', "\xc0\x80" ], [ 'overlong quote', "\xc0\xa2" ],
    [ 'a surrogate, high', "\xed\xa0\x80" ],
    [ 'a surrogate, low', "\xed\xbf\xbf" ],
    [ 'a pair of surrogates', "\xed\xa0\xbd\xed\xb8\x80" ],
    [ 'above U+10FFFF', "\xf4\x90\x80\x80" ], [ 'f5', "\xf5\x80\x80\x80" ],
    [ 'five bytes', "\xf8\x88\x80\x80\x80" ],
    [ 'six bytes', "\xfc\x84\x80\x80\x80\x80" ],
    [ 'cut after one of two', "\xc3" ], [ 'cut after one of three', "\xe2" ],
    [ 'cut after two of three', "\xe2\x82" ],
    [ 'cut after one of four', "\xf0" ],
    [ 'cut after two of four', "\xf0\x9f" ],
    [ 'cut after three of four', "\xf0\x9f\x98" ],
    [ 'one too many', "\xc3\xa9\xa9", 'malformed' ], [ 'a lead in front', "\xc3\xc3\xa9" ],
    [ 'Latin-1', "\xe9t\xe9" ],
);

# Beside strings, a character that is whole is a fault of syntax, and comes
# first.
for my $row (@invalid) {
    my ($name, $bytes, $beside) = @$row;

    row("invalid UTF-8 in a string, $name", beside("\"n\":\"x${bytes}y\""),
        cause => 'utf8');
    row("invalid UTF-8 at a string's end, $name", beside("\"n\":\"$bytes\""),
        cause => 'utf8');
    row("invalid UTF-8 far in, $name",
        beside('"n":"' . 'x' x 63 . "\xe2\x82\xac" x 40 . $bytes . 'y' x 70
               . '"'), cause => 'utf8');
    row("invalid UTF-8 in a key, $name", beside("\"n$bytes\":1"),
        cause => 'utf8');
    row("invalid UTF-8 beside strings, $name", beside("$bytes\"n\":1"),
        cause => $beside // 'utf8');
}

row('UTF-8 that is cut by the end', "$text\xe2\x82", cause => 'utf8');
row('UTF-8 of each length', beside("\"\xc3\xa9\":\"\xc2\x80\xdf\xbf\xe0\xa0\x80"
    . "\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""));


# The root.

for my $root ('[]', '[{"model":"a"}]', '"model"', '""', '0', '-1.5e3', 'true',
              'false', 'null', "\n[1]\n")
{
    row("the root, $root", $root, cause => 'root');
}

row('the root, an array that is cut', '[1', cause => 'malformed');
row('the root, a string that is no UTF-8', "\"\xff\"", cause => 'utf8');


# Depth and size.

for my $kind ([ 'arrays', '[', ']' ], [ 'objects', '{"a":', '}' ],
              [ 'both', '[{"a":', '}]' ])
{
    my ($name, $open, $close) = @$kind;
    my $step = $name eq 'both' ? 2 : 1;
    my $fits = sub {
        my ($n) = @_;
        my $rest = ($n - 1) % $step ? '[]' : '0';

        $n = int(($n - 1) / $step);
        return beside('"d":' . $open x $n . $rest . $close x $n);
    };

    row("depth 512, $name", $fits->(512));
    row("depth 513, $name", $fits->(513), cause => 'depth');
}

row('depth without an end', '{"a":' . '[' x 2000, cause => 'depth');
row('depth without an end, objects', '{"a":' x 700, cause => 'depth');
row('depth 513 and malformed further on',
    '{"a":' . '[' x 512 . ']' x 512 . '} x', cause => 'depth');

sub sized {
    my ($size) = @_;

    return beside('"n":"' . 'x' x ($size - length beside('"n":""')) . '"');
}

row('as large as may be', sized($max));
row('one byte too large', sized($max + 1), cause => 'size');
row('far too large', sized(20 * $max), cause => 'size');
row('too large and no JSON', 'x' x ($max + 1), cause => 'size');


# Members twice.

for my $in ('{"model":"a","model":"b"}', '{"model":"a","model":"a"}',
            '{"model":"a","n":1,"mod\u0065l":"b"}',
            '{"\u006d\u006F\u0064\u0065\u006c":"a","model":"b"}',
            '{"\u006dodel":1,"mode\u006c":1}',
            '{"model":{},"model":{}}', '{"model":null,"model":"a"}',
            '{"messages":[],"messages":[]}', '{"messages":1,"messages":[]}',
            '{"messages":[],"m\u0065ssages":[]}',
            '{"messages":[{"role":"user","role":"system"}]}',
            '{"messages":[{"content":"x","content":"y"}]}',
            '{"messages":[{"role":"x","r\u006fle":"system"}]}',
            '{"top_p":1,"top_p":1}', '{"top_p":1,"top\u005fp":2}',
            '{"max_tokens":1,"max_tokens":2}',
            '{"max_completion_tokens":1,"max_completion_tokens":2}',
            '{"metadata":{},"metadata":{}}', '{"metadata":1,"metadata":2}',
            '{"metadata":{"a":1,"a":2}}', '{"metadata":{"a":{"b":1,"b":2}}}',
            '{"metadata":{"a":{"b":1,"\u0062":2}}}',
            '{"metadata":{"\u0061":{},"a":{}}}')
{
    row("a target twice, $in", $in, cause => 'duplicate');
    row("a target twice, and malformed, $in", $in . 'x', cause => 'malformed');
}

for my $more ('"n":1,"n":1', '"n":1,"n":2', '"n":1,"\u006e":2', '"":1,"":2',
              '"x":{"n":1,"n":2}', '"x":[{"n":1,"n":2}]',
              '"x":[[[{"y":{"n":1,"z":0,"n":2}}]]]',
              '"x":{"model":1,"model":2}', '"x":{"messages":1,"messages":1}',
              '"metadata":{"z":1,"z":2}', '"metadata":{"a":{"c":1,"c":1}}',
              '"messages":[{},{"role":"x","role":"y"}]',
              '"messages":[{"name":"x","name":"y"}]',
              '"messages":[{"content":[{"text":"x","text":"y"}]}]',
              "\"\xc3\xa9\":1,\"\\u00e9\":2",
              "\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2",
              '"\ud800":1,"\ud800":2',
              '"x":' . '[' x 500 . '{"n":1,"n":2}' . ']' x 500,
              join(',', map { "\"k$_\":0" } 1 .. 60, 7),
              join(',', map { "\"k$_\":0" } 1 .. 60) . ',"k\u0037":1',
              '"x":{' . join(',', map { "\"k$_\":0" } 1 .. 90, 90) . '}',
              '"x":[' . join(',', map { "{\"k$_\":0}" } 1 .. 90)
                  . ',{"y":0,"y":0}]')
{
    row("another member twice, $more", beside($more), ambiguous => 1);
}

for my $more ('"x":{"n":1},"y":{"n":1}', '"x":[{"n":1},{"n":1}]',
              '"n":{"n":{"n":1}}', '"x":{"model":1},"y":{"model":2}',
              '"x":["n","n"]', '"n":1,"N":1', '"n":1,"n ":1', '"n":1,"n\u0000":1',
              join(',', map { "\"k$_\":0" } 1 .. 90),
              '"x":[' . join(',', map { "{\"k\":0}" } 1 .. 90) . ']',
              '"metadata":{"metadata":{"a":0},"b":1}')
{
    row("no member twice, $more", beside($more));
}


# Names that fold to one.

my $fold = '{"model":"a","temperature":1,';

for my $name ('Model', 'MODEL', 'mOdEl', '\u004dodel', 'Messages', 'MESSAGES',
              "me\xc5\xbf\xc5\xbfages", 'me\u017f\u017fages', 'Temperature',
              "max_to\xe2\x84\xaaens", 'max_to\u212aens', 'MAX_TOKENS',
              "me\xef\xbd\x93sages", "mode\xcc\x81l", "model\xe2\x80\x8b",
              ' model', 'model ', '')
{
    row("another member, $name", $fold . "\"$name\":[]}");
    row("another member, in metadata, $name",
        $fold . "\"metadata\":{\"$name\":[]}}");
}

row('only the folded name', '{"Model":"a","TEMPERATURE":1}',
    want => '{"Model":"a","TEMPERATURE":1,"temperature":0.2,"model":"small"}');
row('folded names of one another', $fold . '"N":1,"n":2}');


# Names and values that some cannot hold.

for my $c (0 .. 0x1f) {
    row(sprintf('U+%04X in a key', $c),
        beside(sprintf '"n\u%04x":1,"n":1', $c));
}

row("$_ in a key", beside("\"n$_\":1,\"n\":1")) for '\b', '\f', '\n', '\r',
    '\t', '\"', '\\\\', '\/';
row('U+0000 behind the name of a target', $fold . '"model\u0000":"b"}');
row('U+0000 before the name of a target', $fold . '"\u0000model":"b"}');

for my $s ('\ud800', '\udbff', '\udc00', '\udfff', '\ud800\ud800',
           '\udc00\ud800', '\ud800x', '\ud800\n', '\ud800\u0041', '\uD83D')
{
    row("a lone surrogate in a key, $s", beside("\"$s\":1"));
    row("a lone surrogate in a target's key, $s",
        $fold . "\"model$s\":1,\"${s}model\":2}");
    row("a lone surrogate in a value, $s", beside("\"n\":\"$s\""));
    row("a lone surrogate in a compared value, $s",
        "{\"model\":\"$s\",\"temperature\":1}",
        want => '{"model":"small","temperature":0.2}');
    row("a lone surrogate behind what is compared, $s",
        "{\"model\":\"small$s\",\"temperature\":1}",
        want => '{"model":"small","temperature":0.2}');
    row("a lone surrogate in a role, $s", '{"messages":[{"role":"system'
        . $s . '","content":"x"}],"top_p":0.3,"max_tokens":400,"metadata":'
        . '{"a":{"b":"v"}}}', arm => 'c',
        want => '{"messages":[{"role":"system","content":"S"},{"role":"system'
        . $s . '","content":"x"}],"top_p":0.3,"max_tokens":400,"metadata":'
        . '{"a":{"b":"v"}}}', applied => { system => 'applied',
        top_p => 'equal', max_tokens => 'equal',
        'body:/metadata/a/b' => 'equal' });
}

row('a pair of surrogates in a key', beside('"\ud83d\ude00":1'));
row('all that c edits', '{"messages":[{"role":"dev\u0065loper","content":[]}],'
    . '"max_completion_tokens":7,"metadata":{"a":{"b":[{}]}}}', arm => 'c',
    want => '{"messages":[{"role":"dev\u0065loper","content":"S"}],'
    . '"max_completion_tokens":400,"metadata":{"a":{"b":"v"}},"top_p":0.3}',
    applied => { map { $_ => 'applied' } 'system', 'top_p', 'max_tokens',
                 'body:/metadata/a/b' });


# Numbers.

for my $n ('1e400', '-1e400', '1E+99999999999999999999', '1e-400',
           '1e-99999999999999999999', '9' x 400, '-' . '9' x 400,
           '0.' . '0' x 400 . '1', '1.' . '9' x 400, '1' . '0' x 400 . 'e-400',
           '9007199254740993', '-0', '-0.0', '0e0', '0E+00',
           '18446744073709551616')
{
    row("a number, $n", beside("\"n\":$n"));
    row("numbers, $n", beside("\"n\":[$n,$n , $n]"));
    row("a number in the place of another, $n",
        "{\"model\":\"a\",\"temperature\":$n}",
        want => '{"model":"small","temperature":0.2}');
}

row('a number that is equal, in 400 digits', '{"model":"a","temperature":0.2'
    . '0' x 400 . '}', want => '{"model":"small","temperature":0.2' . '0' x 400
    . '}', applied => { model => 'applied', temperature => 'equal' });
row('a number that is equal, by its exponent', '{"model":"a","temperature":'
    . '2' . '0' x 400 . 'e-401}', want => '{"model":"small","temperature":2'
    . '0' x 400 . 'e-401}', applied => { model => 'applied',
                                         temperature => 'equal' });
row('a number that is nearly equal', '{"model":"a","temperature":0.2'
    . '0' x 400 . '1}', want => '{"model":"small","temperature":0.2}');


# Types.

my @type = (
    [ 'application/json', 1 ], [ 'APPLICATION/JSON', 1 ],
    [ 'Application/Json', 1 ], [ 'application/json;charset=utf-8', 1 ],
    [ 'application/json; charset=utf-8', 1 ],
    [ 'application/json; charset=UTF-8', 1 ],
    [ 'application/json; Charset="Utf-8"', 1 ],
    [ 'application/json ; charset=utf-8', 1 ],
    [ 'application/json; charset="utf-8"; x=y', 1 ],
    [ 'application/json; x=y', 1 ], [ 'application/json;', 1 ],
    [ 'application/json; x=y; charset=utf-8', 1 ],
    [ 'application/ld+json', 1 ], [ 'application/vnd.api+JSON', 1 ],
    [ 'application/problem+json; charset=utf-8', 1 ],
    [ 'application/json; charset=latin1', 0 ],
    [ 'application/json; charset=iso-8859-1', 0 ],
    [ 'application/json; charset="latin1"', 0 ],
    [ 'application/json; charset=utf-16', 0 ],
    [ 'application/json; charset=utf-8x', 0 ],
    [ 'application/json; charset="utf-16le"', 0 ],
    [ 'application/json; charset=', 0 ], [ 'application/json; charset=""', 0 ],
    [ 'application/json; x=y; charset=latin1', 0 ],
    [ 'application/ld+json; charset=latin1', 0 ],
    [ 'text/json', 0 ], [ 'text/plain', 0 ], [ 'application/jsonp', 0 ],
    [ 'application/json5', 0 ], [ 'application/x-json', 0 ],
    [ 'application/jsonlines', 0 ], [ 'application/x-ndjson', 0 ],
    [ 'application/json-seq', 0 ], [ 'application/+json', 0 ],
    [ 'application/json, application/json', 0 ],
    [ 'application/json, text/plain', 0 ],
    [ 'application', 0 ], [ 'json', 0 ], [ 'application/', 0 ],
    [ '/json', 0 ], [ '*/*', 0 ], [ '', 0 ], [ 'application /json', 0 ],
    [ 'xapplication/json', 0 ], [ 'application/octet-stream', 0 ],
    [ 'application/grpc+json', 0 ],
    [ 'application/x-www-form-urlencoded', 0 ],
    [ 'multipart/form-data; boundary=application/json', 0 ],
    [ 'text/plain; x=application/json', 0 ],
);

for my $row (@type) {
    my ($type, $read) = @$row;

    row("Content-Type: $type", $text, no_type => 1, pass => !$read,
        headers => [ 'Content-Type', $type ]);
}

row('no Content-Type', $text, no_type => 1, pass => 1);
row('two Content-Type', $text, pass => 1,
    headers => [ 'Content-Type', 'application/json' ]);
row('two Content-Type that differ', $text, pass => 1,
    headers => [ 'content-type', 'text/plain' ]);
row('no JSON, by a type that is not read', "\xff{", no_type => 1, pass => 1,
    headers => [ 'Content-Type', 'text/json' ]);


# Encodings, methods, what else says that it is no plain POST.

for my $enc ('gzip', 'deflate', 'br', 'GZIP', 'x', '', 'identity, gzip',
             'gzip, identity', 'identity, identity', 'identityx')
{
    row("Content-Encoding: $enc", $text, cause => 'encoded',
        headers => [ 'Content-Encoding', $enc ]);
}

row('two Content-Encoding', $text, cause => 'encoded',
    headers => [ ('Content-Encoding', 'identity') x 2 ]);
row('two Content-Encoding that differ', $text, cause => 'encoded',
    headers => [ 'Content-Encoding', 'identity', 'Content-Encoding', 'gzip' ]);
row("Content-Encoding: $_", $text, headers => [ 'Content-Encoding', $_ ])
    for 'identity', 'IDENTITY';
row('encoded, by a type that is not read', $text, no_type => 1, pass => 1,
    headers => [ 'Content-Type', 'text/plain', 'Content-Encoding', 'gzip' ]);

for my $method ('GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND',
                'POSTS')
{
    row("$method with a body", $text, method => $method, pass => 1);
    row("$method with a body that is no JSON", "{\xff", method => $method,
        pass => 1);
}

row('POST without a body', undef, pass => 1);
row('POST with an empty body', '', pass => 1);
row('GET without a body', undef, method => 'GET', pass => 1);

for my $h ([ 'Upgrade', 'websocket', 'Connection', 'Upgrade' ],
           [ 'Upgrade', 'h2c' ], [ 'X-HTTP-Method-Override', 'PUT' ],
           [ 'x-http-method-override', 'POST' ], [ 'X-HTTP-Method', 'DELETE' ],
           [ 'X-Method-Override', 'GET' ], [ 'X-METHOD-OVERRIDE', '' ])
{
    row(join(' ', @$h[ 0, 1 ]), $text, pass => 1, headers => $h);
    row(join(' ', @$h[ 0, 1 ]) . ', and no JSON', '{', pass => 1,
        headers => $h);
}

row('X-Method is no such header', $text, headers => [ 'X-Method', 'PUT' ]);


# A body that is read for the sake of a source is never refused; nothing is
# found in what is not there once, as a string or an integer, in clean JSON.

sub inside {
    my ($text, $in, %o) = @_;
    my $r = $e->post('/inside/chat/completions', $in, @{ $o{headers} // [] });
    my $line = $e->log_next;

    $rows++;
    $requests++;

    is_deeply({ status => $r->{status}, upstream => $e->received->{body},
                body => $line->{body},
                reason => $line->{experiments}[0]{reason} },
              { status => 200, upstream => $in, body => $o{body},
                reason => $o{reason} // 'no_unit' }, "a source: $text");
}

inside('malformed', '{"user":{"id":"u"}', body => 'bypass:malformed');
inside('UTF-8', "{\"user\":{\"id\":\"u\"},\"n\":\"\xff\"}",
       body => 'bypass:utf8');
inside('a byte order mark', "\xef\xbb\xbf{\"user\":{\"id\":\"u\"}}",
       body => 'bypass:utf8');
inside('the root', '["u"]', body => 'bypass:root');
inside('depth', '{"user":{"id":"u"},"n":' . '[' x 512 . ']' x 512 . '}',
       body => 'bypass:depth');
inside('size', '{"user":{"id":"u"},"n":"' . 'x' x $max . '"}',
       body => 'bypass:size');
inside('encoded', '{"user":{"id":"u"}}', body => 'bypass:encoded',
       headers => [ 'Content-Encoding', 'gzip' ]);
inside('an edited member twice', '{"user":{"id":"u"},"verbosity":1,'
       . '"verbosity":2}', body => 'bypass:duplicate');

for my $in ('{"user":{"id":"u","id":"u"}}', '{"user":{"id":"u","\u0069d":"v"}}',
            '{"user":{"id":"u"},"user":{"id":"u"}}',
            '{"user":{"id":"u"},"us\u0065r":1}',
            '{"user":{"id":"\ud800"}}', '{"user":{"id":"\udc00x"}}',
            '{"user":{"id":""}}', '{"user":{"id":null}}',
            '{"user":{"id":true}}', '{"user":{"id":["u"]}}',
            '{"user":{"id":{"u":1}}}', '{"user":{"id":1.0}}',
            '{"user":{"id":1e3}}', '{"user":{"id":1234567890123456789}}',
            '{"user":{"id":"' . 'x' x 257 . '"}}',
            '{"user":{"id":"' . '\u00e9' x 129 . '"}}', '{"user":{"ID":"u"}}',
            '{"uſer":{"id":"u"}}', '{"user":["u"]}', '{"user":"u"}', '{}')
{
    inside($in, $in, body => 'unchanged');
}

diag("hostile: $rows rows, $requests requests");

$e->done;
