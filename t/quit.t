#!/usr/bin/perl
# A body that is half read: the client goes away or falls silent, the worker
# is told to leave.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

my $e = Edge->new(vars => {
    SERVER => q{
        http {
            %%HTTP%%
            log_format status '{"status":$status}';
            experiment_dialect openai_chat;
            upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 4; }
            upstream own { server 127.0.0.1:%%PORT_OWN%%; }

            server {
                listen 127.0.0.1:%%PORT%%;
                listen 127.0.0.1:%%PORT_H2%% http2;
                experiment chat;

                location / { proxy_pass http://up; }
                location /small/ {
                    client_body_buffer_size 64;
                    proxy_pass http://up;
                }
                location /own/ { proxy_pass http://own; }
                location /impatient/ {
                    client_body_timeout 150ms;
                    proxy_pass http://up;
                }
                location /impatient-small/ {
                    client_body_buffer_size 64;
                    client_body_timeout 150ms;
                    proxy_pass http://up;
                }
                location /off/ {
                    experiment off;
                    client_body_timeout 150ms;
                    access_log "%%DIR%%/log/off.log" status;
                    proxy_pass http://up;
                }
            }
        }
    },
});

$e->upstream(reply => sub { return { body => '{"ok":true}' } });
my $own = $e->origin('OWN');

$e->init;
$e->apply(<<'EOD');
{"name": "chat", "layer": "chat", "unit": "header:X-Id", "variants": [
  {"name": "control"},
  {"name": "b", "allow_many": true,
   "headers": {"request": {"set": {"X-Arm": "b"}}},
   "overrides": {"default": {"temperature": 0.25}}}]}
EOD
$e->must('stage', 'chat', 'ab', '--exposure', '1');

my $conf = "%%MAIN%%\n%%SERVER%%\n";
$e->run($conf);

my %unit = map { $_ => $e->unit('chat', variant => $_) } 'b', 'control';
my %none = map { $_ => 'not_sent' } 'temperature', 'header:X-Arm';
my $in = '{"model":"large","temperature":1,"messages":["' . 'x' x 500 . '"]}';

sub wanted {
    return $_[0] eq 'b' ? $in =~ s/"temperature":1/"temperature":0.25/r : $in;
}


# Half of a request, so that the body is in the middle.  Forms: length,
# chunked, h2.  The rest is what send_rest sends.

sub half {
    my ($form, $uri, $arm) = @_;
    my @h = ('X-Id', $unit{$arm}, 'Content-Type', 'application/json');

    if ($form eq 'h2') {
        my $c = Edge::H2->new($e->port('PORT_H2'));
        $c->{id} = $c->open('POST', $uri, @h);
        $c->data($c->{id}, substr $in, 0, 250);
        $c->{rest} = substr $in, 250;
        return $c;
    }

    my $raw = $form eq 'chunked'
        ? Edge::Client->request('POST', $uri, Edge::Client->chunked($in, 40),
              @h, 'Transfer-Encoding', 'chunked')
        : Edge::Client->request('POST', $uri, $in, @h);
    my $at = index($raw, "\r\n\r\n") + 250;
    my $c = $e->client;
    $c->send(substr $raw, 0, $at);
    $c->{rest} = substr $raw, $at;
    return $c;
}


# Sends the rest, gives the answer and closes: a worker that leaves logs when
# it does not linger any more.

sub rest {
    my ($c) = @_;
    my $r;

    if ($c->{id}) {
        $c->data($c->{id}, $c->{rest}, end => 1);
        $r = $c->answer($c->{id});

    } else {
        $c->send($c->{rest});
        $r = $c->response;
    }

    $c->close;
    return $r;
}


# nginx has read what was sent: it serves one connection after another.

sub between {
    $e->get('/between', 'X-Id', $unit{control});
    $e->log_next;
    is($e->received->{uri}, '/between', "$_[0] - meanwhile others are served");
}


sub nothing_done {
    my ($text, $arm, $status) = @_;
    my $line = $e->log_next;

    is($line->{status}, $status, "$text - status");
    is($line->{body}, undef, "$text - body");
    is_deeply($line->{experiments}[0]{applied},
              $arm eq 'b' ? \%none : undef, "$text - applied");
    is(scalar(() = $e->received), 0, "$text - nothing goes upstream");
}


sub edited {
    my ($text, $arm, $r) = @_;
    my @got = $e->received;

    is($r && $r->{status}, 200, "$text - answered") or return;
    my $line = $e->log_next;
    is(scalar @got, 1, "$text - one request upstream");
    is($got[0] && $got[0]{body}, wanted($arm), "$text - body");
    is($line->{body}, $arm eq 'b' ? 'edited' : 'unchanged', "$text - logged");
}


# The client goes away in the middle of its body.

for my $path ('', '/small') {
    for my $form ('length', 'chunked', 'h2', 'h2, reset') {
        for my $arm ('b', 'control') {
            my $text = "gone in the body, '$path', $form, $arm";
            my $c = half($form =~ s/,.*//r, "$path/x", $arm);

            between($text);
            $form =~ /reset/ ? $c->reset($c->{id}) : $c->close;
            nothing_done($text, $arm, $form =~ /h2/ ? 499 : 400);
            $c->close;
        }
    }
}

# While nginx waits for the upstream.
for my $form ('length', 'chunked', 'h2') {
    for my $arm ('b', 'control') {
        my $text = "gone while waiting, $form, $arm";
        my $c = half($form, '/own/x', $arm);
        my $s;

        if ($c->{id}) {
            $c->data($c->{id}, $c->{rest}, end => 1);

        } else {
            $c->send($c->{rest});
        }

        $s = $e->accepted($own);
        ok($s->until(sub { index($_[0], wanted($arm)) > 0 }),
           "$text - upstream has it");
        $c->close;
        ok($s->closed, "$text - the upstream's connection is closed");
        $s->close;

        my $line = $e->log_next;
        is("$line->{status} $line->{body}",
           '499 ' . ($arm eq 'b' ? 'edited' : 'unchanged'),
           "$text - logged");
    }
}

# The client falls silent.
for my $path ('/impatient', '/impatient-small') {
    for my $form ('length', 'chunked', 'h2') {
        for my $arm ('b', 'control') {
            my $text = "silent, '$path', $form, $arm";
            my $c = half($form, "$path/x", $arm);

            nothing_done($text, $arm, 408);
            $c->close;
        }
    }
}

# That all is as it is without us.
for my $form ('length', 'chunked', 'h2') {
    my $c = half($form, '/off/x', 'b');
    is($e->log_next(1, 'off.log')->{status}, 408, "silent, off, $form");
    $c->close;

    $c = half($form, '/off/x', 'b');
    $c->close;
    is($e->log_next(1, 'off.log')->{status}, $form eq 'h2' ? 499 : 400,
       "gone in the body, off, $form");
}


# A change of the registry in the middle of a body is for the next request.
{
    my $c = half('length', '/small/x', 'b');
    between('stage off');
    $e->stage('chat', 'off');
    edited('stage off', 'b', rest($c));

    $e->post('/small/x', $in, 'X-Id', $unit{b});
    is($e->received->{body}, $in, 'stage off - for the next');
    $e->log_next;
    $e->stage('chat', 'ab', '--exposure', '1');
}


# A worker that is told to leave finishes what it has begun.

sub reload {
    my ($text) = @_;
    my %old = map { $_ => 1 } $e->workers;

    $e->conf($text);
    kill HUP => $e->{nginx};

    # The old one accepts no more once it has said so.
    $e->wait_for(sub {
        my $log = $e->error_log;
        return !grep { $log !~ /\b$_#\d+: gracefully/ } keys %old;
    }) or die "workers @{[ %old ]} stay\n";
    return %old;
}


for my $path ('', '/small') {
    my @open = map { my $f = $_; map { [ $f, $_, half($f, "$path/x", $_) ] }
                     'b', 'control' } 'length', 'chunked';
    between("reload, '$path'");
    my %old = reload($conf);

    for my $o (@open) {
        my ($form, $arm, $c) = @$o;
        edited("reload, '$path', $form, $arm", $arm, rest($c));
    }
    ok($e->wait_for(sub { !grep { $old{$_} } $e->workers }),
       "reload, '$path' - the old worker is gone");
}

{
    my $c = half('h2', '/small/x', 'b');
    between('reload, h2');
    my %old = reload($conf);
    edited('reload, h2', 'b', rest($c));
    ok($e->wait_for(sub { !grep { $old{$_} } $e->workers }),
       'reload, h2 - the old worker is gone');
}

# Or is cut off where it may not wait.
reload("worker_shutdown_timeout 100ms;\n$conf");
for my $form ('length', 'chunked', 'h2') {
    my $c = half($form, '/small/x', 'b');
    between("shutdown timeout, $form");
    my %old = reload("worker_shutdown_timeout 100ms;\n$conf");

    ok($c->closed, "shutdown timeout, $form - the connection is closed");
    ok($e->wait_for(sub { !grep { $old{$_} } $e->workers }),
       "shutdown timeout, $form - the old worker is gone");
    $c->close;
    $e->log_next;
    is(scalar(() = $e->received), 0,
       "shutdown timeout, $form - nothing goes upstream");
}
reload($conf);

# The master is told to quit.
{
    my @open = map { half($_, '/small/x', 'b') } 'length', 'chunked';
    between('quit');
    my ($worker) = $e->workers;
    kill QUIT => $e->{nginx};
    $e->wait_for(sub { $e->error_log =~ /\b$worker#\d+: gracefully/ });

    edited('quit', 'b', rest($_)) for @open;
    my $pid = delete $e->{nginx};
    ok($e->wait_for(sub { waitpid($pid, 1) != 0 }), 'quit - nginx is gone');
}

# Or to stop at once.
{
    $e->run;
    my @open = map { half($_, '/small/x', 'b') } 'length', 'chunked', 'h2';
    between('stop');
    kill TERM => $e->{nginx};
    ok($_->closed, 'stop - the connection is closed') for @open;
    $_->close for @open;
    my $pid = delete $e->{nginx};
    ok($e->wait_for(sub { waitpid($pid, 1) != 0 }), 'stop - nginx is gone');
}

$e->done;
