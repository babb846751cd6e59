package Edge::Browser;

# A headless Chromium for one test, spoken to through a pair of pipes in its
# own protocol (Chrome DevTools Protocol): no port, and no driver.
#
#     use Edge::Browser;
#     plan skip_all => $_ for Edge::Browser->missing // ();
#     my $b = Edge::Browser->new;
#     $b->open('http://127.0.0.1:8080/');
#     my $title = $b->eval('document.title');
#
# EDGE_BROWSER names the binary.  In Debian it is in chromium-headless-shell,
# or in chromium.

use strict;
use warnings;

use Fcntl qw(F_DUPFD);
use File::Temp ();
use IO::Handle;
use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->allow_nonref;


# The binary, or undef.

sub binary {
    return $ENV{EDGE_BROWSER} if defined $ENV{EDGE_BROWSER};

    for my $name ('chromium-headless-shell', 'chromium') {
        for my $dir (split /:/, $ENV{PATH}) {
            return "$dir/$name" if -x "$dir/$name";
        }
    }

    return undef;
}


# Why there is none: a browser is large, and nothing but one test needs it.

sub missing {
    return defined binary() ? undef
        : "no Chromium: apt-get install chromium-headless-shell";
}


sub new {
    my ($class) = @_;
    my $dir = File::Temp->newdir('browser-XXXXXX', TMPDIR => 1);

    pipe my $from_us, my $to_it or die "pipe: $!\n";
    pipe my $from_it, my $to_us or die "pipe: $!\n";

    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        # it reads descriptor 3 and writes 4
        my ($in, $out) = map { fcntl $_, F_DUPFD, 10 }
            $from_us, $to_us;
        POSIX::dup2($in, 3);
        POSIX::dup2($out, 4);
        $ENV{HOME} = "$dir";
        setpgrp 0, 0;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/log";
        open STDERR, '>&', \*STDOUT;
        exec 'setpriv', '--pdeathsig', 'TERM', binary(), '--headless',
            '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
            '--no-first-run', '--no-proxy-server', '--hide-scrollbars',
            '--disable-background-networking', '--remote-debugging-pipe',
            "--user-data-dir=$dir/profile", 'about:blank'
            or POSIX::_exit(127);
    }

    close $from_us;
    close $to_us;
    $to_it->autoflush(1);
    binmode $_ for $from_it, $to_it;

    my $self = bless { dir => $dir, pid => $pid, in => $from_it,
                       out => $to_it, buf => '', id => 0, said => [] },
        $class;

    my ($page) = grep { $_->{type} eq 'page' }
        @{ $self->call('Target.getTargets')->{targetInfos} };

    $self->{session} = $self->call('Target.attachToTarget',
        { targetId => $page->{targetId}, flatten => JSON::PP::true })
        ->{sessionId};

    $self->call($_) for qw(Page.enable Runtime.enable Log.enable
                           Network.enable);
    return $self;
}


# One message more in $self->{said}, or what answers $id.

sub receive {
    my ($self, $id, $deadline) = @_;

    for ( ;; ) {
        while ($self->{buf} =~ s/\A([^\0]*)\0//) {
            my $message = $json->decode($1);

            return $message if defined $id && ($message->{id} // 0) == $id;
            push @{ $self->{said} }, $message if exists $message->{method};
            return undef unless defined $id;
        }

        my $left = $deadline - time;
        die "the browser says nothing\n" . $self->log if $left <= 0;

        next unless IO::Select->new($self->{in})->can_read($left);
        sysread($self->{in}, $self->{buf}, 1 << 20, length $self->{buf})
            or die "the browser is gone\n" . $self->log;
    }
}


sub log {
    my ($self) = @_;

    open my $f, '<', "$self->{dir}/log" or return '';
    local $/;
    return scalar(<$f>) // '';
}


# A command of the protocol; dies if it is refused.

sub call {
    my ($self, $method, $params) = @_;
    my $id = ++$self->{id};

    local $SIG{PIPE} = 'IGNORE';
    print { $self->{out} } $json->encode({ id => $id, method => $method,
        params => $params // {},
        (defined $self->{session} ? (sessionId => $self->{session}) : ()) }),
        "\0";

    my $answer = $self->receive($id, time + 60);
    die "$method: $answer->{error}{message}\n" if $answer->{error};

    return $answer->{result};
}


# What the page evaluates an expression to; promises are waited for.

sub eval {
    my ($self, $expression) = @_;
    my $answer = $self->call('Runtime.evaluate', { expression => $expression,
        returnByValue => JSON::PP::true, awaitPromise => JSON::PP::true });

    die "$expression: $answer->{exceptionDetails}{text} "
        . ($answer->{exceptionDetails}{exception}{description} // '') . "\n"
        if $answer->{exceptionDetails};

    return $answer->{result}{value};
}


# Waits until an expression is true; undef after $seconds, by default 20.

sub wait_for {
    my ($self, $expression, $seconds) = @_;
    my $end = time + ($seconds // ($ENV{EDGE_VALGRIND} ? 120 : 20));

    while (time < $end) {
        my $value = $self->eval($expression);
        return $value if $value;
        select undef, undef, undef, 0.05;
    }

    return undef;
}


sub open {
    my ($self, $url) = @_;
    my $answer = $self->call('Page.navigate', { url => $url });

    die "$url: $answer->{errorText}\n" if $answer->{errorText};
    return $self->wait_for('document.readyState == "complete"');
}


# A screen of so many pixels, light or dark.

sub screen {
    my ($self, $width, $height, $scheme, $mobile) = @_;

    $self->call('Emulation.setDeviceMetricsOverride', { width => $width,
        height => $height, deviceScaleFactor => 1,
        mobile => $mobile ? JSON::PP::true : JSON::PP::false });
    $self->call('Emulation.setEmulatedMedia', { features => [
        { name => 'prefers-color-scheme', value => $scheme } ] });
}


# The page as PNG, or so many pixels of it from its top.

sub shot {
    my ($self, $path, $width, $height, $y) = @_;
    my @clip = defined $width ? (clip => { x => 0, y => $y // 0, scale => 1,
        width => $width, height => $height }) : ();
    my $answer = $self->call('Page.captureScreenshot', { format => 'png',
        captureBeyondViewport => JSON::PP::true, @clip });

    CORE::open my $f, '>:raw', $path or die "cannot write '$path': $!\n";
    print $f decode_base64($answer->{data});
    close $f or die "cannot write '$path': $!\n";
}


# What went to the console, was logged by the browser (violations of a policy
# are), or was thrown; and all requests.

sub complaints {
    my ($self) = @_;
    my @all;

    $self->eval('1');

    for my $m (@{ $self->{said} }) {
        my $p = $m->{params};

        if ($m->{method} eq 'Runtime.consoleAPICalled') {
            push @all, join ' ', 'console:', $p->{type},
                map { $_->{value} // $_->{description} // '' } @{ $p->{args} };

        } elsif ($m->{method} eq 'Log.entryAdded') {
            push @all, "$p->{entry}{source}: $p->{entry}{text}";

        } elsif ($m->{method} eq 'Runtime.exceptionThrown') {
            my $d = $p->{exceptionDetails};
            push @all, "thrown: $d->{text} "
                . ($d->{exception}{description} // '');
        }
    }

    return @all;
}


sub requests {
    my ($self) = @_;

    $self->eval('1');
    return map { $_->{params}{request}{url} }
        grep { $_->{method} eq 'Network.requestWillBeSent' }
        @{ $self->{said} };
}


sub forget { $_[0]{said} = [] }


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    my $pid = delete $self->{pid} or return;

    CORE::eval { $self->call('Browser.close') };
    close $self->{out};

    for (1 .. 100) {
        return if waitpid($pid, POSIX::WNOHANG()) != 0;
        select undef, undef, undef, 0.05;
    }

    kill KILL => -$pid;
    waitpid $pid, 0;
}


1;
