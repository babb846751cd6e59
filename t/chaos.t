#!/usr/bin/perl
# Everything that can go wrong with a registry and its nginx, under load whose
# every failed request is counted: only those of a killed worker may fail, and
# no commit may be lost.
#
# Here with a few experiments and repetitions; CHAOS=full takes 10,000 live
# experiments and the whole list, for some hours, and prints a table.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

# What is mounted here is seen by this test and its children alone.
my $mounts = $ENV{CHAOS_MOUNTS} // do {
    my $may = $> == 0 && system('unshare -m true 2>/dev/null') == 0;
    $ENV{CHAOS_MOUNTS} = $may ? 1 : 0;
    exec 'unshare', '-m', $^X, $0, @ARGV if $may;
    0;
};

use Edge;
use Edge::Load;
use Edge::Many;

my $full = ($ENV{CHAOS} // '') eq 'full';
my %n = $full
    ? (experiments => 10000, changes => 1000, workers => 100, expctl => 200,
       damage => 5, reloads => 100, upgrades => 10, containers => 50,
       clients => 8)
    : (experiments => 192, changes => 12, workers => 3, expctl => 12,
       damage => 1, reloads => 5, upgrades => 1, containers => 3,
       clients => 3);

$n{$_} = $ENV{"CHAOS_\U$_"} // $n{$_} for keys %n;
my %only = map { $_ => 1 } split /,/, $ENV{CHAOS_ONLY} // '';

my @table;
my $json = JSON::PP->new->canonical;
my $e = Edge->new(workers => 2, alerts => qr{exited on signal 9|setpriv});
my $registry = $e->registry;
my $serving = "$registry/serving";
my $text = 0;

# The commits that expctl said it made, by experiment, as revisions.
my %revision;

$e->upstream(reply => \&reply);

# A folder where something is mounted cannot be removed.
END {
    my $rc = $?;
    if ($mounts && $e && $e->{pid} == $$) {
        $e->finish;
        1 while system("umount -l $registry 2>/dev/null") == 0;
    }
    $? = $rc;
}

if ($mounts) {
    mkdir $registry, 0755;
    system('mount', '--make-rprivate', '/') == 0 or die "mount: $?\n";
    system('mount', '-t', 'tmpfs', '-o', 'size=' . ($full ? '2g' : '96m')
           . ',mode=0755', 'chaos', $registry) == 0 or die "mount: $?\n";
}

$e->init;
Edge::Many::documents($e->dir . '/many', $n{experiments});
$e->must('apply', '-f', $e->dir . '/many');
$revision{$_} = 1 for map { Edge::Many::name($_) } 0 .. $n{experiments} - 1;

my $conf = conf();
$e->run($conf);


scenario('changes', \&changes);
scenario('kill -9 of a worker', \&kill_workers);
scenario('kill -9 of expctl', \&kill_expctl);
scenario('folders and files', \&damage);
scenario('disk full', \&disk_full) if $mounts;
scenario('read-only', \&read_only) if $mounts;
scenario('reload', \&reload);
scenario('upgrade', \&upgrade);
scenario('two nginx', \&two_nginx);
scenario('the clock', \&clock);
scenario('containers', \&containers) if $mounts;
scenario('one process', \&one_process);

SKIP: {
    skip 'mounts: not permitted here', 1 if !$mounts;
    pass('mounts were tried');
}

print '# ', join(' | ', @$_), "\n"
    for [ 'what', 'times', 'requests', 'failed', 'lost commits' ], @table;

$e->done;


# The body of an upstream's answer; /stream goes on for a long time.

sub reply {
    my ($req) = @_;

    return { body => '{}' } if $req->{uri} !~ /stream/;
    return { type => 'text/event-stream',
             pieces => [ map { [ 0.05, "data: $_\n\n" ] } 1 .. 20000 ] };
}


sub conf {
    my $proxy = 'return 200 "$experiment_assignments";';

    return "%%MAIN%% http { %%HTTP%%
        upstream up { server 127.0.0.1:%%PORT_UP%%; keepalive 16; }
        server {
            listen 127.0.0.1:%%PORT%%;
            keepalive_requests 100000000;
            location = /on { experiment on; return 200; }
            location = /edit {
                experiment layer=l000;
                experiment_step s000;
                proxy_pass http://up;
            }
            location = /stream {
                experiment layer=l000;
                proxy_buffering off;
                proxy_pass http://up;
            }
            " . Edge::Many::locations($n{experiments}, $proxy) . "
        }
    }";
}


# Asks layers in no order; now and then by all layers, or with a body.

sub requests {
    my ($close) = @_;
    my $layers = Edge::Many::layers($n{experiments});

    return sub {
        my $dice = int rand 50;
        my ($path, $body) = $dice == 0 ? '/on'
            : $dice == 1 ? ('/edit', '{"system":"s"}')
            : '/' . Edge::Many::layer(int rand $layers);

        return Edge::Client->request($body ? 'POST' : 'GET', $path, $body,
            'X-Id', 'u' . int(rand 100000),
            $body ? ('Content-Type', 'application/json') : (),
            $close ? ('Connection', 'close') : ());
    };
}


# Runs one part under load, and says what it cost.

sub scenario {
    my ($name, $code) = @_;

    return if %only && !$only{$name};

    my $close = $name =~ /^(?:reload|read-only)$/;
    my $load = Edge::Load->start($e, clients => $n{clients}, close => $close,
                                 pause => 0.001, requests => requests($close));

    my ($times, $may_fail) = eval { $code->() };
    my $error = $@;

    report($name, $times, $load->stop, $may_fail // 0);
    is($error, '', "$name - went to its end");
}


sub report {
    my ($name, $times, $got, $may_fail) = @_;
    my $lost = lost();

    cmp_ok($got->{sent}, '>', 0, "$name - requests were made");
    cmp_ok($got->{failed}, '<=', $may_fail, "$name - failed requests")
        or diag($got->{why});
    is($got->{wrong}, 0, "$name - no answer but 200") or diag($got->{why});
    is($lost, 0, "$name - no commit is lost");
    push @table, [ $name, $times // '?', $got->{sent}, $got->{failed}, $lost ];
}


# Experiments whose document is older than expctl said; the history must be
# whole, too.

sub lost {
    my ($rc, $out) = $e->expctl('list', '--all', '-o', 'json');
    my $lost = 0;

    return 'no list' if $rc != 0;

    my %is = map { $_->{name} => $_->{revision} }
        map { $json->decode($_) } split /\n/, $out;
    ($is{$_} // 0) < $revision{$_} and $lost++ for keys %revision;

    ($rc, $out) = $e->expctl('doctor', '-o', 'json');
    my ($line) = grep { /"registry"/ } split /\n/, $out;
    like($line // '', qr/history whole/, 'the history is whole');

    return $lost;
}


sub name { return Edge::Many::name(int rand $n{experiments}) }


# A new document of an experiment, in a file.

sub changed {
    my ($name, $file) = @_;
    my ($number) = $name =~ /(\d+)/;

    $text++;
    return $e->file($file // 'changed.json',
                    Edge::Many::document($number, "You are helper $text,"));
}


# A commit that has to succeed, and is seen by every worker.

sub apply {
    my ($name) = @_;

    $e->must('apply', '--new-phase', '-f', changed($name));
    $revision{$name}++;
    return $name;
}


sub revision_of {
    my ($name) = @_;

    $e->must('get', $name, '--state', '-o', 'json') =~ /"revision":(\d+)/;
    return $1;
}


# Workers that take connections: those that only end what they began do not.

sub fresh {
    my ($edge) = @_;

    return grep {
        $e->read_file("/proc/$_/cmdline") !~ /shutting down/
    } $edge->{single} ? $edge->{nginx} : $edge->workers;
}


sub served {
    my ($edge, $what) = @_;
    my $txn = $edge->published;
    my (%seen, @workers);

    my $ok = $edge->wait_for(sub {
        for (1 .. 4) {
            my $r = eval {
                $edge->get('/txn', port => $edge->port('PORT_CONTROL'));
            } or next;
            my ($pid, $got) = split / /, $r->{body};
            $seen{$pid} = $got;
        }
        @workers = fresh($edge);
        return @workers >= $edge->{workers}
            && !grep { ($seen{$_} // '') ne $txn } @workers;
    });

    die "$what: registry $txn is not served, but by worker: "
        . join(', ', map { "$_ " . ($seen{$_} // '-') } @workers) . "\n"
        if !$ok;
}


# Changes, each seen by all workers.

sub changes {
    for my $i (1 .. $n{changes}) {
        my $name = name();

        if ($i % 3 == 0) {
            $e->must('stage', $name, 'off');
            $e->must('stage', $name, 'ab', '--exposure', '1');

        } else {
            apply($name);
        }
        served($e, "change $i");
    }

    return $n{changes};
}


# Each may fail what each client had on its way, once.

sub kill_workers {
    for my $i (1 .. $n{workers}) {
        my @workers = fresh($e);
        my $writer = start('apply', '--new-phase', '-f',
                           changed(my $name = name()));

        sleep rand 0.05;
        kill KILL => $workers[ rand @workers ];
        waitpid $writer, 0;
        is($?, 0, "kill -9 of a worker - expctl knows nothing of it");
        $revision{$name}++;
        served($e, "kill $i");
    }

    return ($n{workers}, $n{workers} * $n{clients});
}


sub start {
    my (@args) = @_;
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $ENV{EXPCTL_REGISTRY} = $registry;
        exec Edge::expctl_bin(), @args or POSIX::_exit(127);
    }

    return $pid;
}


# expctl dies at any moment of a commit and its publication.  What is there
# afterwards is the old document or the new one, and the next that writes
# makes the copy good.

sub kill_expctl {
    my $name = name();
    my $began = time;
    apply($name);
    my $takes = time - $began;
    my %died;

    for my $i (1 .. $n{expctl}) {
        $name = name();
        my $pid = start('apply', '--new-phase', '-f', changed($name));
        sleep rand $takes;
        kill KILL => $pid;
        waitpid $pid, 0;

        my $done = $? == 0;
        my $is = revision_of($name);
        my $committed = $is - $revision{$name};

        die "revision $is after $revision{$name}\n"
            if $committed < 0 || $committed > 1 || ($done && !$committed);
        $died{ $done ? 'after' : !$committed ? 'before the commit'
               : 'in between or publishing' }++;
        $revision{$name} = $is;

        if ($i % 2) {
            $e->must('init', '--group', $e->{group}, '--log',
                     $e->dir . '/log/*.log*');
        } else {
            apply(name());
        }

        served($e, "kill of expctl $i");
    }

    note(join ', ', map { "$died{$_} died $_" } sort keys %died);
    return $n{expctl};
}


# What becomes of files by rename, while they are used.

sub damage {
    my $random = sub {
        open my $f, '<:raw', '/dev/urandom' or die "urandom: $!\n";
        read $f, my $bytes, $_[0];
        return $bytes;
    };
    my $current = sub {
        return $e->read_file("$serving/current") =~ /"file":"([^"]+)"/
            ? $1 : die "no current\n";
    };
    my @cases = (
        [ 'serving is removed', sub { remove_tree($serving) } ],
        [ 'serving is renamed', sub { rename $serving, "$registry/old" } ],
        [ 'serving is an empty folder', sub {
            my $gid = (stat $serving)[5];
            rename $serving, "$registry/old";
            mkdir $serving, 0750;
            chown -1, $gid, $serving;
        } ],
        [ 'the copy is cut', sub {
            put($current->(), substr $e->read_file("$serving/"
                                                   . $current->()), 0, 5000);
        } ],
        [ 'the copy is random', sub { put($current->(), $random->(65536)) } ],
        [ 'the copy is empty', sub { put($current->(), '') } ],
        [ 'the copy is removed', sub { unlink "$serving/" . $current->() } ],
        [ 'current is random', sub { put('current', $random->(300)) } ],
        [ 'current is empty', sub { put('current', '') } ],
        [ 'current is removed', sub { unlink "$serving/current" } ],
        [ 'generation is random', sub { put('generation', $random->(8)) } ],
        [ 'generation is cut', sub { put('generation', 'abc') } ],
        [ 'generation is removed', sub { unlink "$serving/generation" } ],
    );
    my $times = 0;

    for (1 .. $n{damage}) {
        for my $case (@cases) {
            my ($what, $break) = @$case;

            $break->();
            sleep 0.1;

            # a folder that is not there is made by init alone
            my $name = name();
            my ($rc) = $e->expctl('apply', '--new-phase', '-f',
                                  changed($name));
            my $is = revision_of($name);
            is($is, $revision{$name} + 1, "$what - the commit is made");
            $revision{$name} = $is;

            if ($rc != 0) {
                $e->must('init', '--group', $e->{group}, '--log',
                         $e->dir . '/log/*.log*');
            }
            served($e, $what);
            remove_tree("$registry/old");
            $times++;
        }

        $times += damage_registry($random);
    }

    return $times;
}


# The registry itself: nothing is published, and what was goes on.

sub damage_registry {
    my ($random) = @_;
    my $data = "$registry/registry/data.mdb";
    my $txn = $e->published;
    my @cases = (
        [ 'the registry is renamed', sub {
            rename "$registry/registry", "$registry/old";
        }, sub { rename "$registry/old", "$registry/registry" } ],
        [ 'the registry is random', sub {
            rename $data, "$data.old";
            $e->file($data, $random->(1 << 20), 0600);
        }, sub { rename "$data.old", $data } ],
        [ 'the registry is cut', sub {
            rename $data, "$data.old";
            $e->file($data, substr($e->read_file("$data.old"), 0, 6000),
                     0600);
        }, sub { rename "$data.old", $data } ],
        [ 'another registry in its place', sub {
            rename "$registry/registry", "$registry/old";
            mkdir "$registry/other", 0755;
            $e->must({ env => { EXPCTL_REGISTRY => "$registry/other" } },
                     'init', '--group', $e->{group}, '--log', '/tmp/*.log');
            rename "$registry/other/registry", "$registry/registry";
        }, sub {
            remove_tree("$registry/registry", "$registry/other");
            rename "$registry/old", "$registry/registry";
        } ],
    );

    for my $case (@cases) {
        my ($what, $break, $mend) = @$case;
        my $name = name();

        $break->();
        my ($rc, $out, $err) = $e->expctl('stage', $name, 'off');
        isnt($rc, 0, "$what - expctl refuses");
        is($e->get('/' . Edge::Many::layer(0))->{status}, 200,
           "$what - and nginx goes on");
        $mend->();
        apply($name);
        served($e, $what);
    }

    return scalar @cases;
}


# A file by rename, as the publisher writes it.

sub put {
    my ($name, $bytes) = @_;

    $e->file("$serving/.chaos", $bytes, 0640);
    chown 0, (stat $serving)[5], "$serving/.chaos" if $> == 0;
    rename "$serving/.chaos", "$serving/$name" or die "rename: $!\n";
}


# Room for less than a commit, than a copy, than both.

sub disk_full {
    my $size = -s "$serving/" . ($e->read_file("$serving/current")
                                 =~ /"file":"([^"]+)"/)[0];
    my $times = 0;

    for my $left (0, 8192, 65536, $size / 2, $size + 16384, $size * 2) {
        my $name = name();

        fill($left);
        my ($rc, $out, $err) = $e->expctl('apply', '--new-phase', '-f',
                                          changed($name));
        my $is = revision_of($name);
        note(sprintf '%d bytes left: exit %d, %s %s', $left, $rc,
             $is == $revision{$name} ? 'no commit' : 'a commit',
             $err =~ s/\n.*//sr);
        die "revision $is after $revision{$name}\n"
            if $is < $revision{$name} || $is > $revision{$name} + 1;
        is($rc == 0 ? 0 : 3, $rc, 'disk full - 0 or 3');
        $revision{$name} = $is;

        unlink "$registry/filler";
        $e->must('init', '--group', $e->{group}, '--log',
                 $e->dir . '/log/*.log*');
        apply(name());
        served($e, "disk full, $left bytes left");
        $times++;
    }

    return $times;
}


sub fill {
    my ($left) = @_;
    my ($free) = (split ' ', (split /\n/, `df -B1 --output=avail $registry`)[1]);
    my $want = $free - $left;

    open my $f, '>:raw', "$registry/filler" or die "filler: $!\n";
    my $block = "\0" x 65536;

    while ($want > 0) {
        my $n = $want < 65536 ? $want : 65536;
        last if !defined syswrite $f, $block, $n;
        $want -= $n;
    }
    close $f;
}


sub read_only {
    system("mount --bind $registry $registry"
           . " && mount -o remount,bind,ro $registry") == 0
        or die "mount: $?\n";

    my $name = name();
    my ($rc, $out, $err) = $e->expctl('apply', '--new-phase', '-f',
                                      changed($name));
    is($rc, 3, 'read-only - expctl cannot write') or diag($out, $err);
    is(($e->expctl('list'))[0], 0, 'read-only - and can read');
    ok($e->reload, 'read-only - nginx is reloaded');
    served($e, 'read-only');

    # workers hold what they have mapped there
    system('umount', '-l', $registry) == 0 or die "umount: $?\n";
    apply(name());
    served($e, 'writable again');

    return 1;
}


# An event stream, which must go on.

sub stream {
    my ($edge) = @_;
    my $c = $edge->client;

    $c->send(Edge::Client->request('GET', '/stream', undef, 'X-Id', 'u1'));
    $c->fill while $c->{in} !~ /data: 3\n/;
    return $c;
}


sub stream_whole {
    my ($c, $what) = @_;
    my $had = length $c->{in};

    $c->fill while length $c->{in} < $had + 100;
    my @numbers = $c->{in} =~ /data: (\d+)\n/g;
    is("@numbers", join(' ', 1 .. @numbers), "$what - the stream is whole");
    $c->close;
}


sub reload {
    my $stream = stream($e);

    for my $i (1 .. $n{reloads}) {
        my %old = map { $_ => 1 } fresh($e);

        apply(name()) if $i % 5 == 1;
        kill HUP => $e->{nginx};
        $e->wait_for(sub {
            my @now = fresh($e);
            return @now == $e->{workers} && !grep { $old{$_} } @now;
        }) or die "reload $i: no new workers\n";
        served($e, "reload $i");
    }

    stream_whole($stream, "$n{reloads} reloads");
    return $n{reloads};
}


# A new binary takes the sockets, the old one leaves.  nginx upgrades itself
# only where who started it has gone.

sub upgrade {
    my $prctl = { x86_64 => 157, aarch64 => 167 }->{ (POSIX::uname())[4] };

    # a master whose parent has gone becomes ours, to be waited for
    return 0 if !$prctl || syscall($prctl, 36, 1, 0, 0, 0) != 0;

    my $other = second();
    my $pid_file = $other->dir . '/nginx.pid';
    $other->{wrap} = [ 'sh', '-c', '"$@" & while [ ! -s ' . $pid_file
                       . ' ]; do sleep 0.01; done; sleep 1', 'sh' ];
    $other->conf($conf);
    $other->start;
    waitpid $other->{nginx}, 0;
    ($other->{nginx}) = $other->read_file($pid_file) =~ /(\d+)/;

    my $load = Edge::Load->start($other, clients => 2, close => 1,
                                 pause => 0.001, requests => requests(1));
    my $upgraded = eval { upgrade_once($other, $_) for 1 .. $n{upgrades}; 1 };
    my $error = $@;

    report('upgrade, its nginx', $n{upgrades}, $load->stop, 0);
    $other->finish;
    is($other->error_log =~ /\[alert\].*/ ? $& : '', '', 'upgrade - no alert');
    die $error if !$upgraded;
    return $n{upgrades};
}


sub upgrade_once {
    my ($other, $i) = @_;
    my $stream = stream($other);
    my $old = $other->{nginx};
    my $new;

    kill USR2 => $old;
    $other->wait_for(sub {
        ($new) = $other->read_file('nginx.pid') =~ /^(\d+)$/m;
        return $new && $new != $old && -e $other->dir . '/nginx.pid.oldbin';
    }) or die "no new binary\n" . $other->error_tail;

    $other->{nginx} = $new;
    served($other, "upgrade $i, two masters");

    kill WINCH => $old;
    apply(name());
    served($other, "upgrade $i, the old workers leave");

    kill QUIT => $old;
    apply(name());
    stream_whole($stream, 'upgrade');
    $other->wait_for(sub { waitpid($old, POSIX::WNOHANG()) != 0 })
        or die "the old master stays\n";
    served($other, "upgrade $i, done");
}


# Another nginx over the same registry.

sub second {
    my (%o) = @_;
    my $other = Edge->new(workers => 2, registry => $registry,
                          has_registry => 1, alerts => qr/setpriv/, %o);

    $other->{ports}{PORT_UP} = $e->{ports}{PORT_UP};
    return $other;
}


sub two_nginx {
    my $other = second();
    $other->run($conf);

    my $load = Edge::Load->start($other, clients => 2, pause => 0.001,
                                 requests => requests(0));
    my $times = $n{changes} < 20 ? $n{changes} : 20;

    for my $i (1 .. $times) {
        apply(name());
        served($_, "two nginx, change $i") for $e, $other;
    }

    report('two nginx, the second', $times, $load->stop, 0);
    $other->finish;
    is($other->error_log =~ /\[alert\]/, '', 'two nginx - no alert');
    return $times;
}


# The clock goes back, for nginx and for expctl.

sub clock {
    my $so = "$Edge::build/clock.so";
    return 0 if $ENV{EDGE_STATIC};
    -e $so or die "no '$so': run make $so\n";

    my $file = $e->file('clock', pack 'q', 0);
    my %env = (LD_PRELOAD => $so, CLOCK => $file);
    my $other = second(wrap => [ 'env', map { "$_=$env{$_}" } keys %env ]);
    $other->run($conf);

    my $load = Edge::Load->start($other, clients => 2, pause => 0.001,
                                 requests => requests(0));
    my @steps = (-3600, -7200, 3600, -86400, -86401, 0);

    for my $step (@steps) {
        open my $f, '+<:raw', $file or die "clock: $!\n";
        syswrite $f, pack 'q', $step;
        close $f;

        my $name = name();
        $e->must({ env => \%env }, 'apply', '--new-phase', '-f',
                 changed($name));
        $revision{$name}++;
        served($_, "the clock at $step") for $e, $other;
    }

    report('the clock, its nginx', scalar @steps, $load->stop, 0);
    $other->finish;
    return scalar @steps;
}


# Two at once, each number 1 of its own PID namespace.

sub containers {
    for my $i (1 .. $n{containers}) {
        my %pid;

        for my $k (0 .. 2) {
            my $name = Edge::Many::name(3 * int(rand $n{experiments} / 3)
                                        + $k);
            my $file = changed($name, "container.$k.json");
            my $pid = fork() // die "fork: $!\n";

            if ($pid == 0) {
                open STDOUT, '>', '/dev/null';
                $ENV{EXPCTL_REGISTRY} = $registry;
                exec 'unshare', '-pf', Edge::expctl_bin(), 'apply',
                    '--new-phase', '-f', $file or POSIX::_exit(127);
            }
            $pid{$pid} = $name;
        }

        for my $pid (keys %pid) {
            waitpid $pid, 0;
            die "expctl in a namespace: $?\n" if $? != 0;
            $revision{ $pid{$pid} }++;
        }
        served($e, "containers $i");
    }

    return 3 * $n{containers};
}


# master_process off.  nginx itself answers nothing any more after a reload of
# it, also without the module, so that there is none here.

sub one_process {
    my $other = second(workers => 1, single => 1);
    $other->{vars}{SINGLE} = 'master_process off;';
    $other->conf("%%SINGLE%%\n$conf");
    $other->start;

    my $load = Edge::Load->start($other, clients => 2, pause => 0.001,
                                 requests => requests(0));
    my $times = $n{changes} < 20 ? $n{changes} : 20;

    for (1 .. $times) {
        apply(name());
        served($other, 'one process');
    }

    report('one process, itself', $times, $load->stop, 0);
    $other->finish;
    is($other->error_log =~ /\[alert\].*/ ? $& : '', '',
       'one process - no alert');
    return $times;
}
