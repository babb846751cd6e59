package Bench::Sides;

# The sides that are compared: each a server of an nginx of one worker on the
# edge's core, before one upstream on the load's core.
#
#     my $s = Bench::Sides->new(sides => [ 'plain', 'override' ],
#                               edge => CORE, load => CORE);
#     $s->verify('/v1/chat/completions', BODY);
#     $s->verify_answers('/answer/v1/chat/completions', BODY, ANSWER);
#     $s->port('plain'); $s->worker('plain');
#     $s->finish;

use strict;
use warnings;

use JSON::PP ();
use POSIX ();

use Edge;

# Those that differ in what they do to requests, and to answers.
our @requests = qw(plain split assign override lua);
our @answers = qw(plain off meter inject);

our %text = (
    plain => 'proxy_pass alone, module not loaded',
    split => 'split_clients and a header with the arm, module not loaded',
    assign => 'the module assigns and logs',
    override => 'the module sets system, temperature, model, max_tokens',
    lua => 'Lua sets the same four: cjson decodes and encodes',
    off => 'the module assigns and logs, experiment_meter off',
    meter => 'the module meters, usage is asked for by the client',
    inject => 'the module meters, and asks for the usage itself',
);

our %override = (
    system => 'You are a concise assistant. Answer in one paragraph.',
    temperature => 0.2, model => 'gpt-4o-mini', max_tokens => 400,
);

# Which nginx a side is a server of.
my %edge_of = (plain => 'bare', split => 'bare', assign => 'module',
               override => 'module', lua => 'lua', off => 'module',
               meter => 'module', inject => 'module');

# What the provider of bench/stream.c and bench/upstream.c says it wrote.
my $tokens = 496;

my $json = JSON::PP->new->canonical->utf8;

# What every side has alike.
my $alike = q{
    error_log "%%DIR%%/error.log" error;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    upstream model {
        server 127.0.0.1:%%PORT_MODEL%%;
        keepalive 128;
        keepalive_requests 100000000;
    }
    upstream stream {
        server 127.0.0.1:%%PORT_STREAM%%;
        keepalive 1024;
        keepalive_requests 100000000;
    }
};

my $limits = q{
    client_body_buffer_size 1m;
    client_max_body_size 16m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
};


sub new {
    my ($class, %o) = @_;
    my @sides = @{ $o{sides} };
    my $self = bless { sides => \@sides, edge => $o{edge},
                       load => $o{load} }, $class;

    my %used = map { $edge_of{$_} => 1 } @sides;

    $self->start_upstream;
    $self->start_bare if $used{bare};
    $self->start_module if $used{module};
    $self->start_lua if $used{lua};

    return $self;
}


# Why a side cannot run here, or nothing.

sub missing {
    my ($side) = @_;

    return unless $side eq 'lua';
    return 'the Lua module fits Debian\'s nginx, not NGINX_BIN'
        if $ENV{NGINX_BIN};
    return 'there is no build/nginx-lua: make build/nginx-lua'
        unless lua_module('ngx_http_lua_module.so');
    return;
}


sub lua_dir { return "$Edge::build/nginx-lua" }


sub lua_module {
    my ($name) = @_;
    my ($path) = glob lua_dir() . "/usr/lib/nginx/modules/$name";

    return defined $path && -e $path ? $path : undef;
}


# The upstream that is measured with, and one that records what it is sent.

sub start_upstream {
    my ($self) = @_;
    my $up = $self->{up} = Edge->new;

    pipe my $read, my $write or die "cannot make a pipe: $!\n";
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        POSIX::dup2(fileno $write, 1);
        exec 'setpriv', '--pdeathsig', 'TERM', 'taskset', '-c',
            $self->{load}, "$Edge::build/bench-upstream"
            or POSIX::_exit(127);
    }

    # finish() stops both
    push @{ $up->{procs} }, $pid;
    $up->upstream;

    close $write;
    ($self->{model}) = (<$read> // '') =~ /^(\d+)$/
        or die "bench-upstream did not start\n";
}


sub edge {
    my ($self, $name, @wrap) = @_;
    my $edge = Edge->new(wrap => [ 'taskset', '-c', $self->{edge}, @wrap ],
                         poll => '250ms', connections => 4096);

    $edge->{vars}{PORT_MODEL} = $self->{model};
    $edge->{vars}{PORT_RECORD} = $self->{up}->port('PORT_UP');
    $edge->{vars}{PORT_STREAM} = $self->provider;

    return $self->{$name} = $edge;
}


# A server for a side; what $conf says holds in each of its locations.

sub server {
    my ($side, $conf) = @_;
    my $port = '%%PORT_' . uc($side) . '%%';

    return <<"EOC";
    server {
        listen 127.0.0.1:$port;
        $conf
        location /v1/ { proxy_pass http://model; }
        location /spooled/ {
            client_body_buffer_size 16k;
            proxy_pass http://model;
        }
        location /stream/ {
            proxy_buffering off;
            proxy_pass http://stream;
        }
        location /answer/ {
            proxy_buffers 16 8k;
            proxy_pass http://model;
        }
        location /verify/ { proxy_pass http://127.0.0.1:%%PORT_RECORD%%; }
        location /verify/spooled/ {
            client_body_buffer_size 16k;
            proxy_pass http://127.0.0.1:%%PORT_RECORD%%;
        }
    }
EOC
}


# A log line of what the module's has, from nginx's own variables.

sub log_format {
    my ($name, $variant, $applied) = @_;

    $applied = $applied ? ',"applied":{"system":"applied","temperature":'
        . '"applied","model":"applied","max_tokens":"applied"}' : '';

    return <<"EOC";
    log_format $name escape=json
        '{"kind":"request","id":"\$request_id","time":"\$time_iso8601",'
        '"seq":\$connection_requests,"worker":"\$hostname/\$pid",'
        '"role":"live","method":"\$request_method","uri":"\$uri",'
        '"status":\$status,"response_s":\$request_time,'
        '"upstream":"\$proxy_host","upstream_status":"\$upstream_status",'
        '"upstream_s":"\$upstream_response_time",'
        '"bytes_in":\$request_length,"bytes_out":\$bytes_sent,'
        '"step":"default","dialect":"openai_chat","experiments":[{'
        '"name":"bench","phase":1,"revision":1,"stage":"ab",'
        '"variant":"$variant","exposed":true,"reason":"assigned",'
        '"unit":"\$http_x_conversation_id","unit_type":"unit"$applied}]}';
EOC
}


sub start_bare {
    my ($self) = @_;

    $self->edge('bare')->run(join '', '%%BARE%% http { %%TEMP%%', $limits,
        $alike, log_format('plain', 'control'), log_format('split', '$arm'),
        'split_clients "$http_x_conversation_id" $arm { 50% a; * b; }',
        server('plain',
               'access_log "%%DIR%%/log/experiment.log" plain;'),
        server('split',
               'access_log "%%DIR%%/log/experiment.log" split;
                proxy_set_header Connection "";
                proxy_set_header X-Variant $arm;'), '}');
}


sub start_lua {
    my ($self) = @_;
    my $dir = lua_dir();
    my ($lib) = glob "$dir/usr/lib/*/lua/5.1/cjson.so";
    my @path = grep { -d } glob "$dir/usr/lib/*-linux-gnu $dir/lib/*-linux-gnu";

    $lib =~ s/cjson\.so$/?.so/;

    my $edge = $self->edge('lua', 'env',
                           'LD_LIBRARY_PATH=' . join ':', @path);

    $edge->run(join '',
        'load_module "' . lua_module('ndk_http_module.so') . '";',
        'load_module "' . lua_module('ngx_http_lua_module.so') . '";',
        '%%BARE%% http { %%TEMP%%', $limits, $alike,
        log_format('lua', '$variant', 1),
        qq{
            lua_package_path "$dir/usr/share/lua/5.1/?.lua;%%TOP%%/bench/?.lua";
            lua_package_cpath "$lib";
            lua_code_cache on;
            init_by_lua_block { require "edit" }
        },
        server('lua', 'access_log "%%DIR%%/log/experiment.log" lua;
                       set $variant "";
                       access_by_lua_block { require("edit").access() }'),
        '}');
}


sub start_module {
    my ($self) = @_;
    my $edge = $self->edge('module');

    $edge->init;
    $edge->apply(document('assign', {
        headers => { request => { set => { 'X-Variant' => 'b' } } } }));
    $edge->apply(document('override', { allow_many => JSON::PP::true(),
        overrides => { default => { %override } } }));
    $edge->stage($_, 'ab', '--exposure', '1') for 'assign', 'override';

    # %%HTTP%% has the limits and the log.
    $edge->run(join '', '%%MAIN%% http { %%HTTP%%', $alike,
        server('assign', 'experiment assign; experiment_meter off;'),
        server('override', 'experiment override; experiment_meter off;'),
        server('off', 'experiment assign; experiment_meter off;'),
        server('meter', 'experiment assign; experiment_meter passive;'),
        server('inject', 'experiment assign;'), '}');
}


# Every unit is in one arm: the baseline where nothing is to be changed, the
# treatment where everything is.

sub document {
    my ($name, $change) = @_;
    my @weights = $name eq 'assign' ? ('0.999999999', '0.000000001')
                                    : ('0.000000001', '0.999999999');
    my $text = $json->encode({
        name => $name, layer => $name, unit => 'header:X-Conversation-Id',
        variants => [ { name => 'control', weight => 'W0' },
                      { name => 'changed', weight => 'W1', %$change } ],
    });

    $text =~ s/"W([01])"/$weights[$1]/g;
    return $text;
}


sub owner { return $_[0]{ $edge_of{ $_[1] } } }


sub port {
    my ($self, $side) = @_;

    return $self->owner($side)->port('PORT_' . uc $side);
}


# Where bench-stream has to listen, to which /stream/ of each side passes on.

sub provider { return $_[0]{up}->port('PORT_STREAM') }


# A side as bench-stream has it told.

sub stream {
    my ($self, $side) = @_;

    return "$side=" . $self->port($side) . ($side eq 'inject' ? ':strip' : '');
}


sub worker {
    my ($self, $side) = @_;
    my ($pid) = $self->owner($side)->workers;

    return $pid;
}


# Empties the log of a side.

sub forget {
    my ($self, $side) = @_;

    truncate $self->owner($side)->dir . '/log/experiment.log', 0;
}


# Those of some sides that are here.

sub among {
    my ($self, @some) = @_;
    my %here = map { $_ => 1 } @{ $self->{sides} };

    return grep { $here{$_} } @some;
}


# Asks each side once, before a recording upstream: what was to be edited is
# edited and nothing else is, what was not has the very bytes, and there is
# one line of log.  Dies of what is not so.

sub verify {
    my ($self, $path, $body) = @_;

    for my $side ($self->among(@requests)) {
        my $edge = $self->owner($side);
        my $r = $edge->post("/verify$path", $body, 'X-Conversation-Id',
                            'conversation-1', port => $self->port($side));
        my @got = $self->{up}->received;

        die "verify: $side answered $r->{status}\n" if $r->{status} != 200;
        die "verify: $side sent " . @got . " requests\n" if @got != 1;

        if ($side eq 'override' || $side eq 'lua') {
            verify_edited($side, $body, $got[0]{body});

        } elsif ($got[0]{body} ne $body) {
            die "verify: $side changed the body\n";
        }

        my $arm = $got[0]->header('X-Variant') // '';
        die "verify: $side sent no arm\n"
            if $side eq 'split' && $arm !~ /^[ab]$/;

        my $line = $edge->log_next;
        my $variant = $side eq 'split' ? $arm
            : $side eq 'plain' || $side eq 'assign' ? 'control' : 'changed';

        die "verify: $side logged no variant '$variant'\n"
            if $line->{experiments}[0]{variant} ne $variant;
    }
}


# Asks each side for an answer, and for a stream from bench-stream, which holds
# each byte against what it should be; the log has the tokens where they are
# metered.

sub verify_answers {
    my ($self, $uri, $body, $answer) = @_;

    for my $side ($self->among(@answers)) {
        my $edge = $self->owner($side);
        my $r = $edge->post($uri, $body, 'X-Conversation-Id',
                            'conversation-1', port => $self->port($side));

        die "verify: $side changed the answer\n" if $r->{body} ne $answer;
        verify_tokens($side, $edge->log_next);

        system("$Edge::build/bench-stream -c 1 -n 1 -l "
               . $self->provider . ' ' . $self->stream($side)
               . ' > /dev/null') == 0
            or die "verify: $side did not stream as it should\n";
        verify_tokens($side, $edge->log_next);
    }
}


sub verify_tokens {
    my ($side, $line) = @_;
    my $got = $line->{'gen_ai.usage.output_tokens'};
    my $want = $side eq 'meter' || $side eq 'inject' ? $tokens : 'no';

    die "verify: $side logged ${\($got // 'no')} tokens, not $want\n"
        if ($got // 'no') ne $want;
}


sub verify_edited {
    my ($side, $sent, $got) = @_;
    my $want = $json->decode($sent);

    $want->{messages}[0]{content} = $override{system};
    $want->{$_} = $override{$_} for 'temperature', 'model', 'max_tokens';

    my $is = eval { $json->decode($got) } // {};

    die "verify: $side did not send what it should\n"
        if same($want) ne same($is);
}


# The same text for the same values, however their numbers are spelled.

sub same {
    my ($v) = @_;

    return $json->encode([ map { numeric($_) } $v ]);
}


sub numeric {
    my ($v) = @_;

    return { map { $_ => numeric($v->{$_}) } keys %$v } if ref $v eq 'HASH';
    return [ map { numeric($_) } @$v ] if ref $v eq 'ARRAY';
    return "$v";
}


sub finish {
    my ($self) = @_;

    $_->finish for grep { defined } @$self{qw(bare module lua up)};
}


1;
