#!/usr/bin/perl
# The build: what the module exports, clang, an installation.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $top = abs_path("$FindBin::Bin/..");
my $build = $ENV{EDGE_BUILD} // "$top/build";
my $module = "$build/ngx_http_experiment_module.so";
my $tmp = tempdir(CLEANUP => 1);

chdir $top or die "cannot enter '$top': $!\n";


sub run {
    my ($command) = @_;
    my $out = `$command 2>&1`;

    return ($? >> 8, $out);
}


# nginx loads modules with RTLD_GLOBAL: any other name could meet one of
# another module.

my %exported = map { $_ => 1 } map { (split)[-1] }
    split /\n/, `nm -D --defined-only $module`;

my @tables = qw(ngx_modules ngx_module_names ngx_module_order);

ok($exported{$_}, "symbols - $_") for 'ngx_modules', 'ngx_module_names';

delete @exported{ @tables, 'ngx_http_experiment_module' };
is(join(' ', sort keys %exported), '', 'symbols - nothing else');

my $elf = `readelf -dW $module 2>/dev/null`;
like($elf, qr/BIND_NOW|FLAGS.*NOW/, 'module - relocations are read-only');
unlike($elf, qr/R(?:UN)?PATH/, 'module - no search path of the build machine');

SKIP: {
    skip 'not a git tree, or no git', 1
        if !-e '.git' || (run('git rev-parse'))[0];
    is((run('git ls-files build'))[1], '', 'tree - nothing built is in git');
}


# clang, all of it, against the same headers.

my $src = $ENV{NGX_SRC} // "$build/nginx-debian/usr/share/nginx/src";

SKIP: {
    skip 'no clang', 3 unless `which clang`;

    my ($rc, $out) = run("make B=$tmp/clang CC=clang CFLAGS=-O0 "
                         . "NGX_SRC=$src all");
    is($rc, 0, 'clang - builds without a warning') or diag($out);
    ok(-x "$tmp/clang/expctl", 'clang - expctl');
    ok(-e "$tmp/clang/ngx_http_experiment_module.so", 'clang - module');
}


# Installation: into a staging folder, with and without modules-enabled.

my $nginx = $ENV{NGINX_BIN} // "$build/nginx-debian/usr/sbin/nginx";
my ($modules) = `$nginx -V 2>&1` =~ /--modules-path=(\S+)/;
$modules //= '/usr/local/nginx/modules';

my $install = "NGINX_BIN=$nginx t/tools/install-edge $build";

my ($rc, $out) = run("$install $tmp/bare /usr/local");
is($rc, 0, 'install') or diag($out);
ok(-e "$tmp/bare$modules/ngx_http_experiment_module.so",
   'install - module where nginx looks');
ok(-x "$tmp/bare/usr/local/bin/expctl", 'install - expctl');
ok(-e "$tmp/bare/usr/local/share/man/man1/expctl.1", 'install - manual');
ok(-e "$tmp/bare/usr/local/share/bash-completion/completions/expctl",
   'install - completion');
like($out, qr{load_module $modules/ngx_http_experiment_module\.so;},
     'install - says what to write where modules-enabled is not there');

mkdir "$tmp/debian";
run("mkdir -p $tmp/debian/etc/nginx/modules-enabled");
($rc, $out) = run("$install $tmp/debian /usr");
my ($conf) = glob "$tmp/debian/etc/nginx/modules-enabled/*.conf";
ok(defined $conf, 'install - modules-enabled');
is(slurp($conf), "load_module $modules/ngx_http_experiment_module.so;\n",
   'install - load_module');

my $before = (stat "$tmp/debian/usr/bin/expctl")[1];
($rc, $out) = run("$install $tmp/debian /usr");
is($rc, 0, 'install - again');
isnt((stat "$tmp/debian/usr/bin/expctl")[1], $before,
     'install - renamed into place');
is(join(' ', glob "$tmp/debian/usr/bin/* $tmp/debian$modules/*"),
   "$tmp/debian/usr/bin/expctl "
   . "$tmp/debian$modules/ngx_http_experiment_module.so",
   'install - leaves nothing else');

done_testing();


sub slurp {
    my ($path) = @_;

    open my $f, '<', $path // '' or return '';
    local $/;
    return scalar <$f>;
}
