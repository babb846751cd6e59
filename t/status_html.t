#!/usr/bin/perl
# experiment_status html: the page as it is sent, and as a browser shows it.
# Pictures of it are left in EDGE_SHOTS, if that names a folder.

use strict;
use warnings;

use Digest::SHA qw(sha256_base64);
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use Edge;
use Edge::Browser;

my $json = JSON::PP->new->utf8->canonical;
my $page = "$Edge::top/ngx_module/page";
my $usage = { prompt_tokens => 1200, completion_tokens => 5,
              prompt_tokens_details => { cached_tokens => 8 } };

my $e = Edge->new;

$e->upstream(reply => sub {
    my ($req) = @_;
    my $how = $req->header('X-Reply') // 'json';

    return { status => 503, body => '{}' } if $how eq 'error';
    return { type => 'text/event-stream', pieces => [
        map { [ 0.01, "data: $_\n\n" ] }
        (map { $json->encode({ model => 'gpt-4o', choices => [ { index => 0,
            delta => { content => $_ } } ] }) } 'a' .. 'c'),
        $json->encode({ model => 'gpt-4o', choices => [], usage => $usage }),
        '[DONE]' ] } if $how eq 'stream';
    return { body => $json->encode({ model => 'gpt-4o', usage => $usage,
        choices => [ { index => 0, message => { content => 'x' } } ] }) };
});

$e->init;
$e->change(qw(price set gpt-4o --input 2.5 --output 10 --currency USD));
$e->apply('{"name":"tone","unit":"header:X-Id","layer":"chat",'
    . '"variants":[{"name":"control","weight":0.5},'
    . '{"name":"concise","weight":0.5,'
    . '"overrides":{"default":{"temperature":0.5}}},'
    . '{"name":"unused","weight":0,'
    . '"overrides":{"default":{"temperature":0.1}}}],'
    . '"metrics":{"primary":{"name":"solved","kind":"binary",'
    . '"direction":"up"}}}');
$e->stage('tone', 'ab', '--exposure', '0.8');

$e->run(<<'EOC');
%%MAIN%%
http {
    %%HTTP%%
    upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name edge.test;

        location /v1/ { experiment on; proxy_pass http://up; }
        location = /feedback {
            access_log off;
            experiment on;
            experiment_feedback open;
        }
        location = /json { access_log off; experiment_status; }
        location = /status { access_log off; experiment_status html; }
        location = /open { access_log off; experiment_status html open; }
        location /in/ { access_log off; experiment_status html; }
    }
}
EOC

my $base = 'http://127.0.0.1:' . $e->port;

sent();
refused();
traffic(1, 60);

is($e->post('/feedback', '{"unit":"u-1","metric":"solved","value":1}')
   ->{status}, 202, 'feedback') for 1, 2;

top();

SKIP: {
    my $why = Edge::Browser->missing;
    skip $why, 1 if defined $why;

    shown();
}

$e->done;


sub status {
    return $json->decode($e->get('/json')->{body});
}


sub traffic {
    my ($from, $to) = @_;
    my $body = '{"model":"gpt-4o","messages":[]}';

    for my $i ($from .. $to) {
        my $how = $i % 10 == 3 ? 'error' : $i % 3 == 0 ? 'stream' : 'json';

        $e->post('/v1/chat/completions', $how eq 'stream'
            ? '{"model":"gpt-4o","stream":true,"messages":[]}' : $body,
            'X-Id', 'u-' . $i % 40, 'X-Reply', $how);
    }
}


# Headers, and that the page is what its source says.

sub sent {
    my $r = $e->get('/status');
    my $body = $r->{body};
    my ($style) = $body =~ m{<style>(.*?)</style>}s;
    my ($script) = $body =~ m{<script>(.*?)</script>}s;
    my @hashes = map { sha256_base64($_) . '=' } $style, $script;

    is($r->{status}, 200, 'page - status');
    is($r->header('Content-Type'), 'text/html; charset=utf-8', 'page - type');
    is($r->header('Content-Security-Policy'),
       "default-src 'none'; style-src 'sha256-$hashes[0]'; "
       . "script-src 'sha256-$hashes[1]'; connect-src 'self'; "
       . "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
       'page - policy, with the hashes of what is sent');
    is($r->header('X-Content-Type-Options'), 'nosniff', 'page - nosniff');
    is($r->header('Cache-Control'), 'no-store', 'page - no-store');
    is($r->header('Referrer-Policy'), 'no-referrer', 'page - no-referrer');
    is($r->header('Content-Length'), length $body, 'page - length');

    # what is inlined is the source, byte for byte

    my $source = $e->read_file("$page/status.html");
    my @scripts = $source =~ /^<script src="(.*?)"><\/script>$/mg;

    is($style, $e->read_file("$page/status.css"), 'page - its style');
    is($script, join('', map { $e->read_file("$page/$_") } @scripts),
       'page - its scripts');
    $source =~ s{^<link rel="stylesheet".*\n}{<style>$style</style>\n}m;
    $source =~ s{^(?:<script src=.*\n)+}{<script>\0</script>\n}m;
    $source =~ s{\0}{$script};
    is($body, $source, 'page - and its frame');

    unlike($body, qr{https?://(?!www\.w3\.org/2000/svg")}, 'page - no address');
    unlike($body, qr/\b(?:src|href)=/, 'page - nothing outside of it');
    unlike($body, qr/innerHTML|outerHTML|insertAdjacentHTML|document\.write/,
           'page - text is only ever text');
    unlike($body, qr/\beval\b|new Function|\sstyle=|\son[a-z]+=/,
           'page - nothing that its policy forbids');
    is(() = $script =~ m{</script|<!--}gi, 0, 'page - one script');
    unlike($body, qr/[^\n\x20-\x7e]/, 'page - ASCII');

    is($e->ask('HEAD', '/status', undef)->{status}, 200, 'page - HEAD');
    is($e->ask('HEAD', '/status', undef)->header('Content-Length'),
       length $body, 'page - HEAD has the length');
    is($e->ask('POST', '/status', '{}')->{status}, 405, 'page - POST');
    is($e->get('/open')->{body}, $body, 'page - open');
    is($e->get('/in/any')->{body}, $body, 'page - a location of a prefix');

    for my $args ('x', 'json=1', 'JSON', 'jso', 'jsonx') {
        is($e->get("/status?$args")->{body}, $body, "page - ?$args");
    }

    my $figures = $e->get('/status?json');
    is($figures->header('Content-Type'), 'application/json', 'json - type');
    is($figures->header('Content-Security-Policy'), undef,
       'json - no policy');
    is_deeply([ sort keys %{ $json->decode($figures->{body}) } ],
              [ sort keys %{ status() } ], 'json - that of the location');
}


sub refused {
    for my $uri ('/status', '/status?json') {
        is($e->get($uri, Host => 'evil.test')->{status}, 403,
           "$uri - another host");
        is($e->get($uri, Host => 'edge.test')->{status}, 200,
           "$uri - a name of the server");
    }

    is($e->get('/open?json', Host => 'evil.test')->{status}, 200,
       'open - another host');

    for my $args ('html html', 'html json', 'json html', 'page', 'html x') {
        my $conf = '%%MAIN%% http { %%HTTP%% server { '
            . 'listen 127.0.0.1:%%PORT_T%%; location / { '
            . "experiment_status $args; } } }";
        my $path = $e->file('refused.conf', $e->fill($conf));
        local $e->{conf_path} = $path;
        my ($rc, $err) = $e->test_conf;

        isnt($rc, 0, "experiment_status $args - refused");
        like($err, qr/invalid parameter "\w+", expected "json", "prometheus" or "html"/,
             "experiment_status $args - told");
    }
}


# expctl top has the figures of the JSON.

sub top {
    my $status = status();
    my @rows = map { $json->decode($_) } split /^/,
        $e->must('top', '--url', "$base/status?json", '-o', 'json');

    for my $got (@rows) {
        my $row = row_of($status, $got->{variant});
        my $times = $row->{response_ms};

        is_deeply([ @$got{qw(requests units errors aborted input_tokens cost)},
                    @{ $got->{response_ms} }{qw(n p50 p95 p99)} ],
                  [ @$row{qw(requests units)}, errors($row),
                    $row->{aborted}, $row->{tokens}{input}, $row->{cost},
                    @$times{qw(count p50 p95 p99)} ],
                  "top - $got->{variant}");
    }

    is(@rows, 3, 'top - rows');

    my ($rc, $out, $err) = $e->expctl('top', '--url', "$base/status");
    is($rc, 3, 'top - a page is no status');
    like($err, qr/^next: .*\?json/m, 'top - told');

    like($e->must('top', '--url', "$base/json"),
         qr/^tone  ab, exposure 80 %, phase 1, revision 1, layer chat, feedback 2\nVARIANT .*\ncontrol .*\nconcise .*\nunused .*\nleft out: not_exposed \d+$/m,
         'top - table');
}


# Figures as the page writes them.

sub digits {
    my ($x) = @_;

    return sprintf '%.*f', $x < 9.995 ? 2 : $x < 99.95 ? 1 : 0, $x;
}


sub number {
    my ($n) = @_;

    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
    return $n;
}


sub duration {
    my ($ms) = @_;

    return !defined $ms ? '-' : $ms < 999.5 ? digits($ms) . ' ms'
         : digits($ms / 1000) . ' s';
}


sub share {
    my ($n, $all) = @_;

    return '' if !$all;
    return $n == $all ? '100 %' : '0 %' if $n == 0 || $n == $all;

    my $p = $n / $all * 100;
    return (0 + sprintf '%.*f', $p < 1 ? 3 : $p < 10 ? 2 : 1, $p) . ' %';
}


sub errors {
    my ($row) = @_;
    my $n = 0;

    $n += $_ for values %{ $row->{errors} };
    return $n;
}


# What each cell of a row of the JSON has to say: text, and the line below.

sub expected {
    my ($row) = @_;
    my $t = $row->{tokens};
    my $all = $t->{input} + $t->{output};

    return [
        [ '~' . number($row->{units}), '' ],
        [ number($row->{requests}), '' ],
        [ number(errors($row)), share(errors($row), $row->{requests}) ],
        [ number($row->{aborted}), share($row->{aborted}, $row->{requests}) ],
        (map { [ duration($row->{response_ms}{$_}), '' ] } qw(p50 p95 p99)),
        [ duration(($row->{ttft_ms} // {})->{p95}), '' ],
        [ duration(($row->{tpot_ms} // {})->{p95}), '' ],
        $all ? [ number($t->{input}), number($t->{output}) ] : [ '-', '' ],
        [ 0 + sprintf('%.3g', $row->{cost}), 'USD' ],
    ];
}


# The cells of a row of the page, by its variant.

sub cells {
    my ($b) = @_;

    return $json->decode($b->eval(<<'EOJ'));
        JSON.stringify(Object.fromEntries([...document.querySelectorAll(
            ".experiment > .wide tbody tr")].map((tr) => [
                tr.querySelector("th span").textContent,
                [...tr.querySelectorAll("td")].map((td) => [
                    td.querySelector("span").textContent,
                    td.querySelector("small").textContent])])))
EOJ
}


# The p95 of what two rows of the JSON differ by, from their bins.

sub window_p95 {
    my ($row, $was, $what) = @_;
    my %bins = %{ $row->{$what}{bins} };
    my ($n, $seen, $g) = (0, 0, 1.01 / 0.99);

    $bins{$_} -= $was->{$what}{bins}{$_} for keys %{ $was->{$what}{bins} };
    $n += $_ for values %bins;

    for my $i (sort { $a <=> $b } keys %bins) {
        $seen += $bins{$i};
        return 0.2 * $g ** ($i + 1) / (1 + $g) if $seen >= 0.95 * $n;
    }
}


sub row_of {
    my ($status, $variant) = @_;
    my ($tone) = grep { $_->{name} eq 'tone' } @{ $status->{experiments} };

    return (grep { $_->{variant} eq $variant } @{ $tone->{rows} })[0];
}


sub looked {
    my ($b, $js) = @_;

    return $b->wait_for("views.size > 0 && ($js)");
}


sub shown {
    my $b = Edge::Browser->new;
    my $before = status();

    $b->screen(1366, 900, 'light');
    $b->open("$base/status");
    ok(looked($b, 'clock !== null'), 'browser - figures come');

    my $requests = row_of($before, 'control')->{requests};
    is(cells($b)->{control}[1][0], $requests, 'browser - at the first look');
    like(cells($b)->{control}[11][0], qr/\A(?:-|0 \/s)\z/,
         'browser - and no rate as yet');

    traffic(61, 160);
    my $after = status();
    my $n = row_of($after, 'control')->{requests} - $requests;

    ok(looked($b, qq{document.body.textContent.includes("n $n")}),
       'browser - what came since') or diag(explain(cells($b)));

    my $cells = cells($b);

    for my $variant ('control', 'concise') {
        my $row = row_of($after, $variant);
        my $was = row_of($before, $variant);
        my $done = $row->{requests} - $was->{requests};

        is_deeply([ @{ $cells->{$variant} }[0 .. 10] ], expected($row),
                  "$variant - equals the JSON");
        is($cells->{$variant}[11][1], "n $done", "$variant - window, n");
        is($cells->{$variant}[12][0],
           duration(window_p95($row, $was, 'response_ms')),
           "$variant - window, p95");
        is($cells->{$variant}[13][0],
           duration(window_p95($row, $was, 'ttft_ms')),
           "$variant - window, TTFT");
        is($cells->{$variant}[14][0],
           share(errors($row) - errors($was), $done),
           "$variant - window, errors");
    }

    is($cells->{unused}[1][0], '0', 'a variant that nobody got');
    is_deeply([ sort keys %$cells ], [ qw(concise control unused) ],
              'no row for those without a variant');

    my $out = row_of($after, '_not_exposed')->{requests};
    my $text = $b->eval('document.body.innerText');

    like($text, qr/^left out, requests: not_exposed $out$/m, 'left out');
    like($text, qr/^ab, exposure 80 %, phase 1, revision 1, layer chat, feedback 2$/m,
         'stage, exposure, phase, revision, layer, feedback');
    like($text, qr/transaction $after->{registry}{transaction}\b/,
         'transaction');
    like($text, qr/\b$after->{registry}{head}\b/, 'head');
    unlike($text, qr/winner|significant|better|NaN|undefined|Infinity/i,
           'no verdict, and nothing that is not a figure');
    is($b->eval('document.querySelectorAll("path.line, circle.dot").length')
       >= 6, 1, 'curves');

    is_deeply([ $b->complaints ], [], 'no violation, no error, no word');
    is_deeply([ grep { !m{\A\Q$base\E/status(?:\?json)?\z} } $b->requests ],
              [], 'no request but to its own location');

    looks($b);
    pauses($b);
    fails($b);
    holds($b);
}


# Nothing is wider than the screen, and all can be read.

sub looks {
    my ($b) = @_;

    $b->eval('document.querySelectorAll("details").forEach((d) => d.open = true)');

    for ([ 'desktop', 1440, 900, 'light' ], [ 'laptop', 1290, 800, 'light' ],
         [ 'tablet', 1190, 800, 'light' ], [ 'phone', 360, 740, 'light', 1 ],
         [ 'dark', 1440, 900, 'dark' ], [ 'dark-phone', 360, 740, 'dark', 1 ])
    {
        my ($name, @screen) = @$_;

        $b->screen(@screen);
        cmp_ok($b->eval('document.documentElement.scrollWidth'), '<=',
               $screen[0], "$name - no wider than the screen");
        is($b->eval('[...document.querySelectorAll(".wide")]'
                    . '.filter((w) => w.scrollWidth > w.clientWidth).length'),
           0, "$name - nor are its tables");
        cmp_ok(contrast($b), '>=', 4.5, "$name - contrast");

        my @roles = map { $_->{role}{value} // '' }
            @{ $b->call('Accessibility.getFullAXTree')->{nodes} };
        is((grep { $_ eq 'rowheader' } @roles), 6, "$name - heads of rows");
        ok((grep { $_ eq 'table' } @roles) == 2, "$name - tables");

        $b->shot("$ENV{EDGE_SHOTS}/$name.png") if $ENV{EDGE_SHOTS};
    }

    $b->screen(1366, 900, 'light');
}


# The least contrast of any text to what is behind it (WCAG 2, 1.4.3).

sub contrast {
    my ($b) = @_;

    return $b->eval(<<'EOJ');
        (() => {
            const rgb = (s) => s.match(/[\d.]+/g).map(Number);
            const light = (c) => [0.2126, 0.7152, 0.0722].reduce((l, w, i) => {
                const v = c[i] / 255;
                return l + w * (v <= 0.04045 ? v / 12.92
                                : ((v + 0.055) / 1.055) ** 2.4);
            }, 0);
            const behind = (e) => {
                for (; e; e = e.parentElement) {
                    const c = rgb(getComputedStyle(e).backgroundColor);
                    if (c.length === 3 || c[3] === 1) {
                        return c;
                    }
                }
                return [255, 255, 255];
            };
            return Math.min(...[...document.body.querySelectorAll("*")]
                .filter((e) => [...e.childNodes].some((n) =>
                    n.nodeType === 3 && n.textContent.trim() !== ""))
                .filter((e) => !["SCRIPT", "NOSCRIPT"].includes(e.tagName))
                .map((e) => {
                    const a = light(rgb(getComputedStyle(e).color));
                    const z = light(behind(e));
                    return (Math.max(a, z) + 0.05) / (Math.min(a, z) + 0.05);
                }));
        })()
EOJ
}


sub pauses {
    my ($b) = @_;

    $b->eval('Object.defineProperty(document, "hidden",'
             . ' { get: () => window.away, configurable: true });'
             . ' window.away = true');
    ok($b->wait_for('timer === null && !busy'), 'hidden - it rests');

    my $looks = $b->requests;
    my $window = cells($b)->{control}[11][1];

    # after a long pause nobody knows when in it things happened

    $b->eval('clock -= 100');
    traffic(161, 170);
    my $n = row_of(status(), 'control')->{requests};

    ok($b->eval('window.away = false; document.dispatchEvent('
                . 'new Event("visibilitychange")); busy'),
       'seen again - it looks at once');
    ok(looked($b, "document.querySelector('tbody td:nth-child(3)')"
              . ".textContent === '$n'"), 'seen again - figures');
    cmp_ok($b->requests, '>', $looks, 'seen again - new ones');
    is(cells($b)->{control}[11][1], $window, 'seen again - a hole');

    # counters that began anew, however high they are by now

    ok($b->eval("(async () => { const s = await (await fetch('?json')).json();"
        . " const was = slots.size; s.started = '2001-01-01T00:00:00Z';"
        . " remember(s, clock + 1); return was > 0 && slots.size === 0"
        . " && [...rows.values()].every((r) => r.past.size === 0) })()"),
       'another zone - a new window');
}


# Told apart from figures that are of now, and taken back.

sub fails {
    my ($b) = @_;
    my $shown = cells($b)->{control}[1];

    $e->stop;
    ok($b->wait_for('!document.getElementById("trouble").hidden'),
       'nginx is gone - told');
    like($b->eval('document.getElementById("trouble").textContent'),
         qr/^No news: .*What is below is of \d{4}-\d\d-\d\d .* UTC\./,
         'nginx is gone - and of when the figures are');
    is_deeply(cells($b)->{control}[1], $shown, 'nginx is gone - they stay');
    like($b->eval('document.title'), qr/^\(!\) /, 'nginx is gone - title');
    $b->shot("$ENV{EDGE_SHOTS}/trouble.png") if $ENV{EDGE_SHOTS};

    $e->start;
    ok($b->wait_for('document.getElementById("trouble").hidden'),
       'nginx is back');

    # its counters began anew, and so does the window

    traffic(1, 10);
    my $n = row_of(status(), 'control')->{requests};
    ok(looked($b, "document.body.textContent.includes('n $n')"
              . " && document.querySelector('tbody td:nth-child(3)')"
              . ".textContent === '$n'"), 'nginx is back - a new window');
}


# The policy is in force: what somebody would slip in does not run.

sub holds {
    my ($b) = @_;

    $b->forget;
    $b->eval('window.slipped = 0;'
             . ' const s = document.createElement("script");'
             . ' s.textContent = "window.slipped = 1";'
             . ' document.body.append(s);'
             . ' const i = document.createElement("img");'
             . ' i.src = "/x.png"; document.body.append(i);'
             . ' fetch("http://127.0.0.1:1/").catch(() => 0)');
    is($b->eval('window.slipped'), 0, 'policy - a script does not run');
    ok($b->wait_for('true') && 3 <= grep({ /Content Security Policy/ }
        $b->complaints), 'policy - the browser says why')
        or diag(join "\n", $b->complaints);
}
