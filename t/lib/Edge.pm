package Edge;

# A real nginx with the module, in a folder of its own, for one test.
#
#     my $e = Edge->new;
#     $e->upstream;
#     $e->init;
#     $e->apply({ name => 'tone', ... });
#     $e->run(<<'EOC');
#     %%MAIN%%
#     http {
#         %%HTTP%%
#         server { listen 127.0.0.1:%%PORT%%; ... }
#     }
#     EOC
#     is($e->post('/v1', '{}')->{status}, 200, 'body - reaches the upstream');
#     $e->done;
#
# NGINX_BIN and EDGE_BUILD name another nginx and another build folder,
# EDGE_STATIC=1 says that this nginx has the module inside, EDGE_KEEP=1 keeps
# the folder, EDGE_VALGRIND=1 runs nginx under valgrind.  NXE_CPU is passed on
# to the workers.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Scalar::Util ();
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_REUSEADDR TCP_NODELAY);
use Test::More ();
use Time::HiRes qw(time sleep);

use Edge::Client;
use Edge::H2;
use Edge::Upstream;

our $top = abs_path(dirname(__FILE__) . '/../..');
our $build = $ENV{EDGE_BUILD} // "$top/build";
our $deadline = $ENV{EDGE_DEADLINE} // ($ENV{EDGE_VALGRIND} ? 120 : 20);

# nginx and expctl leave the last of their memory to the system.
$ENV{ASAN_OPTIONS} //= 'detect_leaks=0';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';

my $json = JSON::PP->new->canonical->utf8;
my %alive;


sub nginx_bin { return $ENV{NGINX_BIN} // "$build/nginx-debian/usr/sbin/nginx" }
sub module { return "$build/ngx_http_experiment_module.so" }
sub expctl_bin { return "$build/expctl" }


sub new {
    my ($class, %o) = @_;

    for my $f (nginx_bin(), module(), expctl_bin()) {
        die "no '$f': run make first\n" unless -e $f;
    }

    my $self = bless {
        pid => $$, ports => {}, procs => [], log_at => {}, vars => {}, logs => {},
        dir => folder(), poll => '20ms', workers => 1,
        connections => 1024,
    }, $class;

    ($self->{user}, $self->{group}) = worker_user();
    $self->{$_} = $o{$_} for keys %o;

    # nginx's workers write here, and nobody else has to.
    for my $d ('tmp', 'html') {
        mkdir "$self->{dir}/$d" or die "cannot make '$d': $!\n";
    }
    if ($> == 0) {
        my ($uid, $gid) = (getpwnam $self->{user})[2, 3];
        chown $uid, $gid, "$self->{dir}/tmp";
    }
    mkdir "$self->{dir}/log";
    chmod 0755, "$self->{dir}/html", "$self->{dir}/log";

    Scalar::Util::weaken($alive{$self} = $self);
    return $self;
}


# A fresh folder that workers can reach: under build/ if they can, else under
# TMPDIR, /tmp or /var/tmp.

sub folder {
    make_path("$build/t") if -w $build || (!-e $build && -w $top);

    for my $base ("$build/t", $ENV{TMPDIR} // (), '/tmp', '/var/tmp') {
        next unless -d $base && -w _ && reachable($base);

        my $dir = File::Temp::tempdir('edge-XXXXXXXX', DIR => $base);
        chmod 0755, $dir;
        return $dir;
    }

    die "no folder that nginx's workers can reach: set TMPDIR to one\n";
}


sub reachable {
    my ($path) = @_;

    return 1 if $> != 0;

    for (my $p = $path; ; $p = dirname($p)) {
        my $mode = (stat $p)[2] // return 0;
        return 0 unless $mode & 01;
        return 1 if $p eq '/';
    }
}


sub worker_user {
    if ($> != 0) {
        return (scalar getpwuid $>, scalar getgrgid((split / /, $))[0]));
    }

    return ('www-data', 'www-data') if getpwnam 'www-data';
    return ('nobody', scalar getgrgid((getpwnam 'nobody')[3]));
}


sub dir { return $_[0]{dir} }
sub registry { return $_[0]{registry} // "$_[0]{dir}/edge" }


# A port of 127.0.0.1 by a name that stays the same.  The socket that found it
# is kept, bound but not listening, so that nobody else is given the port.
# SO_REUSEADDR lets nginx take it nevertheless; set before the bind, it would
# let the kernel give the same port twice.

sub port {
    my ($self, $name) = @_;
    $name //= 'PORT';

    my $s = $self->{ports}{$name};

    if (!$s) {
        $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
                                   Proto => 'tcp')
            or die "no free port: $!\n";
        setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
        $self->{ports}{$name} = $s;
    }

    return $s->sockport;
}


# Writes a file below the folder and returns its path.

sub file {
    my ($self, $name, $content, $mode) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    make_path(dirname($path));
    open my $f, '>:raw', $path or die "cannot open '$path': $!\n";
    print $f $content // '';
    close $f or die "cannot write '$path': $!\n";
    chmod $mode, $path if defined $mode;
    return $path;
}


sub read_file {
    my ($self, $name) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $f, '<:raw', $path or return '';
    local $/;
    return scalar <$f> // '';
}


# Runs until $cond gives something true or the deadline passes; gives what
# $cond gave last.

sub wait_for {
    my ($self, $cond, $seconds) = @_;
    my $end = time + ($seconds // $deadline);

    for ( ;; ) {
        my $v = $cond->();
        return $v if $v || time > $end;
        sleep 0.01;
    }
}


# A recording upstream; its port is %%PORT_NAME%%, by default %%PORT_UP%%.

sub upstream {
    my ($self, %o) = @_;
    my $name = $o{name} // 'UP';
    my $port = $self->port("PORT_$name");
    my $held = $self->{ports}{"PORT_$name"};

    listen $held, 511 or die "cannot listen on $port: $!\n";

    my $u = Edge::Upstream->start(
        socket => $held, record => "$self->{dir}/upstream.$name",
        reply => $o{reply}, early => $o{early});

    $self->{upstreams}{$name} = $u;
    push @{ $self->{procs} }, $u->{pid};
    return $u;
}


# An upstream that the test itself is: listens on %%PORT_NAME%%.

sub origin {
    my ($self, $name) = @_;
    my $port = $self->port("PORT_$name");
    my $s = $self->{ports}{"PORT_$name"};

    listen $s, 511 or die "cannot listen on $port: $!\n";
    return $s;
}


# The next connection to an origin, as an Edge::Client or an Edge::H2; undef
# if none comes.

sub accepted {
    my ($self, $origin, $class, $seconds) = @_;

    return undef unless IO::Select->new($origin)
        ->can_read($seconds // $deadline);
    my $s = $origin->accept or die "cannot accept: $!\n";
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
    return ($class // 'Edge::Client')->over($s);
}


# What an upstream received since the last call; in scalar context the last.

sub received {
    my ($self, $name) = @_;
    my @r = $self->{upstreams}{ $name // 'UP' }->received;

    return wantarray ? @r : $r[-1];
}


# expctl(ARGS) or expctl({ stdin => TEXT, env => {} }, ARGS): (exit code,
# stdout, stderr).

sub expctl {
    my ($self, @args) = @_;
    my $o = ref $args[0] eq 'HASH' ? shift @args : {};
    my $n = ++$self->{runs};
    my ($in, $out, $err) = map { "$self->{dir}/run.$n.$_" } qw(in out err);

    $self->file($in, $o->{stdin} // '');

    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', $in;
        open STDOUT, '>', $out;
        open STDERR, '>', $err;
        $ENV{EXPCTL_REGISTRY} = $self->registry;
        $ENV{NO_COLOR} = 1;
        %ENV = (%ENV, %{ $o->{env} || {} });
        exec expctl_bin(), @args or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    my $rc = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    my @got = ($rc, $self->read_file($out), $self->read_file($err));
    unlink $in, $out, $err;

    $self->{sanitizer} .= $got[2]
        if $got[2] =~ /AddressSanitizer|runtime error:/;
    return @got;
}


# expctl that has to succeed; gives stdout.

sub must {
    my ($self, @args) = @_;
    my ($rc, $out, $err) = $self->expctl(@args);

    return $out if $rc == 0;

    @args = grep { !ref } @args;
    die "expctl @args: exit $rc\n$out$err";
}


sub init {
    my ($self) = @_;

    $self->must('init', '--group', $self->{group},
                '--log', "$self->{dir}/log/*.log*");
    $self->{has_registry} = 1;
}


# Applies documents: JSON text, or Perl data.  Options of expctl may follow
# as [ '--new-phase' ].

sub apply {
    my ($self, @docs) = @_;
    my @opts = map { @$_ } grep { ref eq 'ARRAY' } @docs;

    for my $doc (grep { ref ne 'ARRAY' } @docs) {
        my $text = ref $doc ? $json->encode($doc) : $doc;
        $self->must({ stdin => $text }, 'apply', '-f', '-', @opts);
    }

    $self->sync if $self->{nginx};
}


# stage('tone', 'ab', '--exposure', '1'), then waits until nginx serves it.

sub stage {
    my ($self, @args) = @_;

    $self->must('stage', @args);
    $self->sync if $self->{nginx};
}


# Any other command that writes, such as change('pause', 'tone').

sub change {
    my ($self, @args) = @_;

    $self->must(@args);
    $self->sync if $self->{nginx};
}


# A unit, of the form "u-N", that expctl says gets what is wanted:
# unit('tone', variant => 'concise', exposed => 1).

sub unit {
    my ($self, $experiment, %want) = @_;
    my $ids = join '', map { "u-$_\n" } 1 .. 2000;
    my $out = $self->must({ stdin => $ids }, 'assign', $experiment,
                          '-o', 'json');

    for my $line (split /\n/, $out) {
        my $a = $json->decode($line);
        $a->{exposed} = $a->{exposed} ? 1 : 0;
        return $a->{unit} unless grep { $a->{$_} ne $want{$_} } keys %want;
    }

    die "no unit of $experiment with @{[ %want ]}\n";
}


sub published {
    my ($self) = @_;
    my $text = $self->read_file($self->registry . '/serving/current');

    return $text eq '' ? undef : $json->decode($text)->{txn};
}


# Waits until each worker answers from the copy that was published last.

sub sync {
    my ($self) = @_;
    my $txn = $self->published // return;
    my %seen;

    $self->wait_for(sub {
        my @clients = map { eval { $self->client(
            $self->port('PORT_CONTROL')) } // () } 1 .. 4 * $self->{workers};
        $_->send(Edge::Client->request('GET', '/txn')) for @clients;

        for my $c (@clients) {
            my $r = eval { $c->response } or next;
            my ($pid, $got) = split / /, $r->{body};
            $seen{$pid} = $got;
        }

        my @workers = $self->workers;
        return @workers && !grep { ($seen{$_} // '') ne $txn } @workers;
    }) or die "nginx serves registry @{[ %seen ]}, not '$txn'\n"
              . $self->error_tail;
}


# Text with %%...%% replaced.

sub fill {
    my ($self, $text) = @_;
    my $d = $self->{dir};
    my $user = $> == 0 ? "user $self->{user} $self->{group};" : '';
    my $workers = $self->{workers};
    my $cpu = defined $ENV{NXE_CPU} ? 'env NXE_CPU;' : '';
    my $files = $self->{connections} > 1024
        ? "worker_rlimit_nofile @{[ 2 * $self->{connections} ]};" : '';

    my %vars = (
        DIR => $d, REGISTRY => $self->registry, MODULE => module(),
        KEYS => $self->registry . '/keys', TOP => $top,

        BARE => qq{
            $user
            $cpu
            daemon off;
            worker_processes $workers;
            pid "$d/nginx.pid";
            lock_file "$d/nginx.lock";
            error_log "$d/error.log" info;
            $files
            events { worker_connections $self->{connections}; }
        },

        MAIN => ($ENV{EDGE_STATIC} ? '' : 'load_module "' . module() . '"; ')
            . '%%BARE%%',

        TEMP => qq{
            client_body_temp_path "$d/tmp/body";
            proxy_temp_path "$d/tmp/proxy";
            fastcgi_temp_path "$d/tmp/fastcgi";
            uwsgi_temp_path "$d/tmp/uwsgi";
            scgi_temp_path "$d/tmp/scgi";
        },

        PROXY => q{
            client_body_buffer_size 1m;
            client_max_body_size 16m;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        },
        %{ $self->{vars} },
    );

    # What each test with a registry has: the log, and a server that says
    # which copy is served.
    my $control = $self->port('PORT_CONTROL');
    $vars{HTTP} = $vars{TEMP} . $vars{PROXY} . qq{
        experiment_registry "} . $self->registry . qq{";
        experiment_keys "} . $self->registry . qq{/keys";
        experiment_poll $self->{poll};
        log_format experiment escape=none '\$experiment_json';
        access_log "$d/log/experiment.log" experiment if=\$experiment_on;
        server {
            listen 127.0.0.1:$control;
            access_log off;
            location = /txn {
                experiment none.of.the.tests;
                return 200 "\$pid \$experiment_registry_txn";
            }
        }
    };

    1 while $text =~ s/%%([A-Z][A-Z0-9_]*)%%/$self->value($1, \%vars)/ge;
    return $text;
}


sub value {
    my ($self, $name, $vars) = @_;

    return $vars->{$name} if defined $vars->{$name};
    return $self->port($name) if $name =~ /^PORT/;
    die "unknown placeholder %%$name%%\n";
}


sub conf {
    my ($self, $text) = @_;

    $self->{conf_text} = $text;
    return $self->file('nginx.conf', $self->fill($text));
}


sub command {
    my ($self, @more) = @_;

    return ($self->valgrind, nginx_bin(), '-p', $self->{dir}, '-c',
            $self->{conf_path} // "$self->{dir}/nginx.conf",
            '-e', "$self->{dir}/error.log", @more);
}


# With --quiet its log is empty unless there is something to report.

sub valgrind {
    my ($self) = @_;

    return unless $ENV{EDGE_VALGRIND};
    return ('valgrind', '--quiet', "--log-file=$self->{dir}/valgrind.%p",
            '--leak-check=full', '--show-leak-kinds=definite',
            '--errors-for-leak-kinds=definite',
            "--suppressions=$top/t/tools/nginx.supp");
}


# nginx -t: (exit code, what it said).

sub test_conf {
    my ($self, $text) = @_;
    $self->file('nginx.conf', $self->fill($text)) if defined $text;

    my $err = "$self->{dir}/nginx-t.err";
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', $err;
        exec $self->command('-t') or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    return ($? >> 8, $self->read_file($err));
}


# Writes the configuration, if one is given, and starts nginx; returns when
# every port that the configuration listens on answers.

sub run {
    my ($self, $text) = @_;

    $self->conf($text) if defined $text;
    $self->start;
    $self->sync if $self->{has_registry};
    return $self;
}


sub start {
    my ($self) = @_;
    my $path = $self->{conf_path} // "$self->{dir}/nginx.conf";

    $self->{listens} = $self->listens($path);

    # In a process group of its own, so that stopping it can never meet
    # another process, and gone with us if we are killed.
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        setpgrp 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/nginx.out";
        open STDERR, '>>', "$self->{dir}/nginx.out";
        my @wrap = $self->{wrap} ? @{ $self->{wrap} } : ();
        exec 'setpriv', '--pdeathsig', 'TERM', @wrap, $self->command
            or POSIX::_exit(127);
    }

    $self->{nginx} = $pid;

    my $up = $self->wait_for(sub {
        return -1 if waitpid($pid, POSIX::WNOHANG()) == $pid;
        for my $port (@{ $self->{listens} }) {
            IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $port) or return 0;
        }
        return 1;
    });

    return if $up == 1;

    delete $self->{nginx} if $up == -1;
    die "nginx did not start\n" . $self->read_file('nginx.out')
        . $self->error_tail;
}


# The ports that a configuration listens on, with its includes.

sub listens {
    my ($self, $path) = @_;
    my $text = $self->read_file($path);
    my %ports = map { $_ => 1 }
        $text =~ /\blisten\s+127\.0\.0\.1:(\d+)/g;

    for my $file ($text =~ /^\s*include\s+([^;]+);/gm) {
        my $inc = $file =~ m{^/} ? $file : dirname($path) . "/$file";
        $ports{$_} = 1 for @{ $self->listens($inc) };
    }

    return [ sort keys %ports ];
}


# The workers' process ids.

sub workers {
    my ($self) = @_;
    my (@pids, %cache);

    # Valgrind keeps the title that nginx gives a process to itself.
    %cache = map { $_ => 1 } $self->error_log =~
        /start cache \w+ process (\d+)/g if $ENV{EDGE_VALGRIND};

    opendir my $d, '/proc' or die "no /proc: $!\n";
    for my $pid (grep { /^\d+$/ && !$cache{$_} } readdir $d) {
        my $stat = $self->read_file("/proc/$pid/stat");
        push @pids, $pid if $stat =~ /\) \w $self->{nginx} /
            && $self->read_file("/proc/$pid/cmdline") !~ /cache (?:man|load)/;
    }

    return @pids;
}


# Reloads and waits until new workers have taken over and old ones are gone.

sub reload {
    my ($self, $text) = @_;
    my %old = map { $_ => 1 } $self->workers;

    $self->conf($text) if defined $text;
    kill HUP => $self->{nginx};

    return $self->wait_for(sub {
        my @now = $self->workers;
        return @now && !grep { $old{$_} } @now;
    });
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{nginx} or return;

    kill QUIT => $pid;
    my $gone = $self->wait_for(sub {
        return waitpid($pid, POSIX::WNOHANG()) != 0;
    }, 10);

    return if $gone;

    kill TERM => $pid;
    return if $self->wait_for(sub {
        return waitpid($pid, POSIX::WNOHANG()) != 0;
    }, 5);

    kill KILL => -$pid;
    waitpid $pid, 0;
    $self->{killed} = 1;
}


sub error_log {
    my ($self) = @_;

    return $self->read_file('error.log');
}


# Its last lines, without the coming and going of connections.

sub error_tail {
    my ($self) = @_;
    my @lines = grep { !/client closed|keepalive connection/ }
        split /^/, $self->error_log;

    return join '', @lines > 12 ? @lines[ -12 .. -1 ] : @lines;
}


# get('/uri', Name => value, ...); "port => N" talks to another port.

sub get {
    my ($self, $uri, @o) = @_;

    return $self->ask('GET', $uri, undef, @o);
}


# post('/uri', BODY, Name => value, ...): JSON unless another type is given.

sub post {
    my ($self, $uri, $body, @o) = @_;
    my %has = map { lc(s/^-//r) => 1 } @o[ grep { !($_ & 1) } 0 .. $#o ];

    unshift @o, 'Content-Type', 'application/json'
        unless $has{'content-type'};
    return $self->ask('POST', $uri, $body, @o);
}


sub ask {
    my ($self, $method, $uri, $body, @o) = @_;
    my ($port, @headers) = ($self->port);

    while (my ($k, $v) = splice @o, 0, 2) {
        if ($k eq 'port') {
            $port = $v;

        } else {
            push @headers, $k, $v;
        }
    }

    my $c = Edge::Client->new($port);
    $c->send(Edge::Client->request($method, $uri, $body, 'Connection',
                                   'close', @headers));
    return $c->response(head => $method eq 'HEAD')
        // die "no answer to $method $uri\n";
}


sub client {
    my ($self, $port) = @_;

    return Edge::Client->new($port // $self->port);
}


# All lines of the experiment log, decoded.  What was read before is kept; a
# log that is another file now, or is shorter, is read anew.

sub log_lines {
    my ($self, $name) = @_;
    my $path = "$self->{dir}/log/" . ($name // 'experiment.log');

    open my $f, '<:raw', $path or return;
    my ($inode, $size) = (stat $f)[1, 7];
    my $log = $self->{logs}{$path} //= { inode => 0, at => 0, lines => [] };

    if ($log->{inode} != $inode || $log->{at} > $size) {
        $log = $self->{logs}{$path}
            = { inode => $inode, at => 0, lines => [] };
    }

    seek $f, $log->{at}, 0;
    while ($log->{at} < $size && defined(my $line = <$f>)) {
        last unless $line =~ /\n\z/;
        $log->{at} += length $line;
        push @{ $log->{lines} }, $json->decode($line);
    }

    return @{ $log->{lines} };
}


# The next lines that have not been asked for yet, waiting for as many as
# are wanted (one by default).  A line is written when its request ends,
# which may be after its answer was read.

sub log_next {
    my ($self, $n, $name) = @_;
    my $at = \$self->{log_at}{ $name // '' };
    my @new;

    $n //= 1;
    $$at //= 0;

    $self->wait_for(sub {
        my @all = $self->log_lines($name);
        @new = @all[ $$at .. $#all ];
        return @new >= $n;
    });

    if (@new < $n) {
        die "waited for $n log lines, there are " . @new . "\n"
            . $self->error_tail;
    }

    @new = @new[ 0 .. $n - 1 ];
    $$at += $n;
    return $n == 1 ? $new[0] : @new;
}


# Forgets the lines that are there.

sub log_skip {
    my ($self, $name) = @_;

    $self->{log_at}{ $name // '' } = () = $self->log_lines($name);
}


# Stops all and gives the test its last two assertions.

sub done {
    my ($self) = @_;

    $self->finish;

    my $expected = $self->{alerts} // qr/setpriv/;
    my @alerts = grep { !/$expected/ }
        $self->error_log =~ /^(.*\[alert\].*)$/gm;
    Test::More::is(join("\n", @alerts), '', 'no [alert] in the log');

    my $reports = join '', $self->{sanitizer} // '',
        map { $self->read_file($_) =~ /((?:.*(?:Sanitizer|runtime\ error:)
                                       .*\n?)+)/x ? $1 : () }
        'nginx.out', 'error.log';
    $reports .= $self->read_file($_) for glob "$self->{dir}/valgrind.*";
    Test::More::is($reports, '', 'no sanitizer report');

    $self->{killed} and Test::More::fail('nginx stops when it is told to');

    Test::More::diag("log of nginx:\n" . $self->error_log)
        if !Test::More->builder->is_passing && $ENV{EDGE_KEEP};

    Test::More::done_testing();
}


# Stops what was started.

sub finish {
    my ($self) = @_;

    return if $self->{finished} || $self->{pid} != $$;

    $self->stop;
    for my $pid (@{ $self->{procs} }) {
        kill TERM => $pid;
        waitpid $pid, 0;
    }
    $self->{procs} = [];
    $self->{finished} = 1;
}


sub clean {
    my ($self) = @_;

    return if $self->{cleaned}++ || $self->{pid} != $$;

    $self->finish;
    delete $alive{$self};

    if ($ENV{EDGE_KEEP}) {
        Test::More::diag("kept $self->{dir}");
        return;
    }

    remove_tree($self->{dir}, { safe => 0, error => \my $err });
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);
    $self->clean;
}


END {
    my $rc = $?;
    $_->clean for grep { defined } values %alive;
    $? = $rc;
}

$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);


1;
