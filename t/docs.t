#!/usr/bin/perl
# The documentation: what it describes is what there is, its configurations
# are valid, its links lead somewhere.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find qw(find);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Edge;

my $top = abs_path("$FindBin::Bin/..");
my @files = tree();
my @pages = grep { /\.md\z/ } @files;

my $e = Edge->new;
$e->init;

directives();
words();
commands();
manual();
configurations();
links();
paths();

$e->done;


sub text {
    my ($name) = @_;

    return $e->read_file("$top/$name");
}


# What is in git, or would be; where git is not installed, or does not trust
# the tree, all but build/ and .git.

sub tree {
    my @names;

    if (-e "$top/.git") {
        @names = split /\0/,
            `git -C '$top' ls-files -z -co --exclude-standard 2>/dev/null`;
        return grep { -f "$top/$_" } @names if @names;
    }

    find({ no_chdir => 1, wanted => sub {
        return $File::Find::prune = 1 if /\A\Q$top\E\/(?:build|\.git)\z/;
        push @names, substr $_, length("$top/") if -f $_;
    } }, $top);

    return @names;
}


sub same {
    my ($got, $want, $name) = @_;

    is_deeply([ sort @$got ], [ sort @$want ], $name);
}


# Names in the module's tables.

sub module_names {
    my $c = text('ngx_module/ngx_http_experiment_module.c');
    my $v = join '', map { text("ngx_module/ngx_http_experiment_$_.c") }
        qw(variables answer_variables);

    ($c) = $c =~ /ngx_command_t\s+\w+commands\[\] = \{(.*?)\n\};/s;
    $v = join '', $v =~ /ngx_http_variable_t\s+\w+vars\[\] = \{(.*?)\n\};/sg;

    my @variables = $v =~ /ngx_string\("(\w+)"\)/g;

    return ([ $c =~ /ngx_string\("(\w+)"\)/g ],
            [ map { s/_\z/_NAME/r } @variables ]);
}


sub directives {
    my ($directives, $variables) = module_names();
    my $doc = text('docs/directives.md');
    my @sections = split /^(?=#{1,3} )/m, $doc;

    same([ $doc =~ /^### (experiment\w*)$/mg ], $directives,
         'directives - those in the code');
    same([ $doc =~ /^### `\$(\w+)`$/mg ], $variables,
         'variables - those in the code');

    for my $name (@$directives) {
        my ($s) = grep { /^### $name$/m } @sections;

        like($s // '', qr/^- \*\*Syntax:\*\* `$name [^`]*;`\n- \*\*Default:/m,
             "$name - syntax, default");
        like($s // '', qr/^- \*\*Context:\*\* `(?:http|server|location)/m,
             "$name - context");
        like($s // '', qr/^\*Cost\.\*/m, "$name - cost");
        like($s // '', qr/^```nginx\n(?s:.*?)\b$name /m, "$name - example");
        like($s // '', qr/^\*When it fails\.\*/m, "$name - failure");
    }
}


# Nothing that is written as a directive or variable is without code.

sub words {
    my ($directives, $variables) = module_names();
    my %known = map { $_ => 1 } @$directives, @$variables, 'experiment_NAME';

    for my $page (grep { m{^(?:README\.md|CHANGES|docs/)} } @files) {
        my %unknown = map { $_ => 1 }
            grep { !$known{$_} && !/^experiment_variant_/ }
            text($page) =~ /(?<![\w.\/])\$?(experiment_\w+)/g;

        is(join(' ', sort keys %unknown), '', "$page - no other directives");
    }
}


# The options of a command as its help prints them.

sub help {
    my ($command) = @_;
    my $out = $e->must('help', $command);
    my ($options) = $out =~ /^options:\n(.*)\z/ms;

    return $options =~ /^  (?:-\w, )?(--[\w-]+)/mg;
}


sub command_names {
    my $out = $e->must('help');

    return $out =~ /^  ([a-z]+)  +\S/mg;
}


sub commands {
    my $doc = text('docs/expctl.md');
    my ($part) = $doc =~ /^## Commands$(.*?)(?:^## |\z)/ms;
    my %section = $part =~ /^### (\w+)\n(.*?)(?=^### |\z)/msg;
    my @names = command_names();

    same([ keys %section ], \@names, 'commands - those in the code');

    for my $name (@names) {
        my $s = $section{$name} // '';
        my @own = $s =~ /^\| (?:`-\w` )?`(--[\w-]+)[^`]*` \|/mg;
        my ($common) = $s =~ /^Common options: (.*?)\.$/ms;
        my @common = ($common // '') =~ /`(--[\w-]+)`/g;

        same([ @own, @common, '--quiet', '--no-color', '--help' ],
             [ help($name) ], "$name - options");
    }

    my ($codes) = $doc =~ /^## Exit codes$(.*?)^## /ms;
    like($codes // '', qr/^\| $_ \|/m, "exit code $_") for 0 .. 3;
}


sub manual {
    my $man = text('cli/expctl.1') =~ s/\\-/-/gr =~ s/\\f(?:.|\(..)//gr;
    my %option = map { $_ => 1 } map { help($_) } command_names();
    my %there = map { $_ => 1 } $man =~ /(?<![\w-])(--[a-z][\w-]*)/g;

    isnt($man, '', 'manual - is there');

    for my $name (command_names()) {
        like($man, qr/^.*\b$name\b/m, "manual - $name");
    }

    same([ keys %there ], [ keys %option ], 'manual - options');
}


# Every fenced block of nginx, and README's diffs as they are with "+".

sub configurations {
    $e->file('ofrep.keys', "a-key-of-these-pages\n", 0600);

    for my $page ('README.md', grep { m{^docs/} } @pages) {
        my $md = text($page);
        my $n = 0;

        while ($md =~ /^```(nginx|diff)\n(.*?)^```$/msg) {
            my ($kind, $block) = ($1, $2);

            if ($kind eq 'diff') {
                $block =~ s/^-.*\n//mg;
                $block =~ s/^[ +]//mg;
                $block .= '}' x (($block =~ tr/{//) - ($block =~ tr/}//));
            }

            my ($rc, $err) = $e->test_conf(whole($block));
            is($rc, 0, "$page - $kind " . ++$n) or diag($err);
        }
    }
}


# A block with what it needs around it, and paths of this test.

sub whole {
    my ($block) = @_;
    my $http = '%%TEMP%%';
    my $d = $e->dir;
    my $registry = $e->registry;

    $block =~ s{/var/lib/nginx-experiment}{$registry}g;
    $block =~ s{/var/log/nginx/experiment}{$d/log}g;
    $block =~ s{(?<=127\.0\.0\.1:)\d+}{%%PORT%%}g;
    $block =~ s{^(\s*server \{)(?!.*listen)}
               {$1 listen 127.0.0.1:%%PORT%%;}mg unless $block =~ /listen/;

    if ($block =~ /^\s*location /m && $block !~ /^\s*server \{/m) {
        $block = "server { listen 127.0.0.1:%%PORT%%; $block }";
    }

    $http .= ' experiment_registry "%%REGISTRY%%"; '
             . 'experiment_keys "%%KEYS%%";'
        unless $block =~ /experiment_registry /;

    $http .= ' access_log off;';

    my %pools = map { $_ => 1 } $block =~ m{\b(\w+_pool)\b}g;
    for my $pool (sort keys %pools) {
        $http .= " upstream $pool { server 127.0.0.1:%%PORT_UP%%; }"
            unless $block =~ /upstream $pool \{/;
    }

    $block = "http { $block }" unless $block =~ /^\s*http \{/m;
    $block =~ s/http \{/http { $http/;

    return "%%MAIN%% $block";
}


sub links {
    for my $page (@pages) {
        my @broken;
        my $md = text($page) =~ s/^```.*?^```$//msgr;

        while ($md =~ /\]\(([^)\s]+)\)/g) {
            my $to = $1;

            next if $to =~ /^[a-z]+:/;

            my ($file, $anchor) = $to =~ /^([^#]*)(?:#(.*))?\z/;
            my $path = $file eq '' ? $page : dirname($page) . "/$file";

            if (!-e "$top/$path") {
                push @broken, $to;

            } elsif (defined $anchor
                     && !grep { $_ eq $anchor } anchors(text($path)))
            {
                push @broken, $to;
            }
        }

        is(join(' ', @broken), '', "$page - links");
    }
}


sub anchors {
    my ($md) = @_;

    return map { lc =~ s/[^\w\- ]//gr =~ tr/ /-/r } $md =~ /^#+ (.*)$/mg;
}


sub paths {
    my $pattern = join '|', map { "/$_/" } qw(work root);
    my @with;

    for my $name (@files) {
        push @with, $name
            if text($name) =~ m{(?<![\w.])(?:$pattern)};
    }

    is(join(' ', @with), '', 'no path of a machine');
}
