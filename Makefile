# make            the module and expctl, under build/
# make check      gets what is missing, builds and runs every test
# make demo       a private nginx, traffic, and the table that comes of it
# make bench      what the module costs against plain proxy_pass and Lua
#
# make check-matrix   the tests that use nginx, with Debian 13's nginx
# make asan           the same in an nginx with ASan and UBSan
# make valgrind       unit tests, then the same under valgrind (long)
# make fuzz           each fuzzer for FUZZ_SECONDS
#
# NGX_SRC=DIR builds the module against an nginx source tree; else against
# the headers of Debian's nginx-dev, which is unpacked, not installed.

# prove's last line is the last line of "make check"
MAKEFLAGS += --no-print-directory

B        = build
CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
PROVE   ?= prove

WARN     = -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion \
           -Wstrict-prototypes -Wmissing-prototypes
NXE_CFLAGS = -std=gnu11 -fPIC -Iinclude -I. $(WARN)
LIBS     = -llmdb -lcjson -lpcre2-8 -lcrypto -lm
CLI_LIBS = -lcurl -lgsl -lgslcblas -lz
SAN      = -fsanitize=address,undefined -fno-sanitize-recover=all \
           -fno-omit-frame-pointer

HEADERS  = $(wildcard include/nxe/*.h lib/*.h)
LIB_SRC  = $(wildcard lib/*.c)
CLI_SRC  = $(wildcard cli/*.c)
UNIT_SRC = $(wildcard t/unit/test_*.c)
FUZZ_SRC = $(wildcard t/fuzz/fuzz_*.c)
BENCH    = $B/bench-micro $B/bench-latency $B/bench-stream $B/bench-upstream

LIB_OBJ  = $(LIB_SRC:lib/%.c=$B/obj/lib/%.o)
CLI_OBJ  = $(CLI_SRC:cli/%.c=$B/obj/cli/%.o)
SAN_OBJ  = $(LIB_SRC:lib/%.c=$B/obj/san/%.o)
UNIT_BIN = $(UNIT_SRC:t/unit/%.c=$B/unit/%)
BARE_BIN = $(UNIT_SRC:t/unit/%.c=$B/unit-bare/%)
FUZZ_BIN = $(FUZZ_SRC:t/fuzz/%.c=$B/fuzz/%)

MODULE   = $B/ngx_http_experiment_module.so
NGX_DEB  = $B/nginx-debian
NGX_BIN  = $(NGX_DEB)/usr/sbin/nginx

.PHONY: all module expctl check check-matrix unit asan valgrind valgrind-unit \
        fuzz bench bench-micro bench-live demo lint install clean deps tests \
        clients prometheus

all: module expctl

module: $(MODULE)

expctl: $B/expctl

# A phony file cannot be the target of a rule that knows what changed, so the
# module's rule is by its sources.
MODULE_SRC = config $(wildcard ngx_module/*.[ch] ngx_module/page/*) $(LIB_SRC) \
             $(HEADERS)

$(MODULE): $(MODULE_SRC) t/tools/build-module | $(if $(NGX_SRC),,$(NGX_BIN))
	+t/tools/build-module $B "$(NGX_SRC)" "$(CC)"

$(NGX_BIN): | t/tools/get-nginx
	t/tools/get-nginx $(NGX_DEB)

$B/expctl: $(CLI_OBJ) $B/libnxe.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CLI_OBJ) $B/libnxe.a $(LIBS) $(CLI_LIBS)

$B/libnxe.a: $(LIB_OBJ)
	rm -f $@
	ar rcs $@ $(LIB_OBJ)

$B/obj/lib/%.o: lib/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -c -o $@ $<

$B/obj/cli/%.o: cli/%.c $(HEADERS) $(wildcard cli/*.h)
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -c -o $@ $<

$B/obj/san/%.o: lib/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(SAN) -O1 -g -c -o $@ $<

$B/libnxe-san.a: $(SAN_OBJ)
	rm -f $@
	ar rcs $@ $(SAN_OBJ)

$B/unit/%: t/unit/%.c $(wildcard t/unit/*.h) $B/libnxe-san.a
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) -Wno-conversion $(SAN) -O1 -g -o $@ $< \
	    $B/libnxe-san.a $(LIBS) $(CLI_LIBS) -lcmocka

unit: $(UNIT_BIN)

$B/obj/fuzz/%.o: lib/%.c $(HEADERS)
	@mkdir -p $(@D)
	clang $(NXE_CFLAGS) -fsanitize=fuzzer-no-link $(SAN) -O1 -g -c -o $@ $<

$B/libnxe-fuzz.a: $(LIB_SRC:lib/%.c=$B/obj/fuzz/%.o)
	rm -f $@
	ar rcs $@ $^

$B/fuzz/%: t/fuzz/%.c $(wildcard t/fuzz/*.h) $B/libnxe-fuzz.a
	@mkdir -p $(@D)
	clang $(NXE_CFLAGS) -Wno-conversion -fsanitize=fuzzer $(SAN) -O1 -g \
	    -o $@ $< $B/libnxe-fuzz.a $(LIBS) $(CLI_LIBS)

fuzz: $(FUZZ_BIN)
	t/tools/fuzz $B/fuzz

deps:
	t/tools/install-deps

# The clients that tests run: from npm, with a node to run them, and a browser,
# without which t/status_html.t looks at no page, and says so.
clients: deps
	t/tools/get-npm $B/npm
	t/tools/install-deps chromium-headless-shell \
	    || echo "no browser: part of t/status_html.t will be skipped"

# Prometheus, which a test has scrape a real nginx.
prometheus: deps
	t/tools/get-prometheus $B/prometheus

tests: all unit $(BENCH) $B/clock.so
	$(PROVE) -j2 --timer t/unit.t t

check: clients prometheus
	$(MAKE) tests

demo: deps
	$(MAKE) all
	t/tools/demo

# bench/run's arguments: make bench RUN='--only micro --quick'
bench: deps
	$(MAKE) all $(BENCH) $B/nginx-lua
	bench/run $(RUN)

bench-micro: $B/bench-micro

# bench/live's arguments: make bench-live RUN='--experiments 1000'
bench-live: deps
	$(MAKE) all $(BENCH) $B/bench-turns.so
	bench/live $(RUN)

MICRO_SRC = bench/micro.c bench/micro_calls.c bench/corpus.c

$B/bench-micro: $(MICRO_SRC) bench/micro.h bench/corpus.h $B/libnxe.a
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -o $@ $(MICRO_SRC) $B/libnxe.a $(LIBS)

# What is preloaded: the bench's probe, and a clock for the tests.

$B/bench-turns.so: bench/turns.c
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -shared -o $@ $<

$B/clock.so: t/tools/clock.c
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -shared -o $@ $<

BENCH_LIB = bench/common.c bench/corpus.c bench/events.c

$B/bench-stream: bench/stream.c bench/stream_ends.c bench/stream.h \
                 $(BENCH_LIB) $(BENCH_LIB:.c=.h)
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -o $@ $(filter %.c,$^)

$B/bench-%: bench/%.c $(BENCH_LIB) $(BENCH_LIB:.c=.h)
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) $(CFLAGS) -o $@ $< $(BENCH_LIB)

$B/nginx-lua: | bench/get-lua
	bench/get-lua $@

# Every test file that starts nginx: none is named here, none is forgotten.
NGINX_T = $(filter-out t/chaos.t,$(shell grep -l '^use Edge;' t/*.t))

# Another Debian's nginx, unpacked and built against below build/MATRIX.  It is
# fetched anew where it does not run: its loader is an absolute path.
MATRIX ?= trixie
M        = $B/$(MATRIX)

check-matrix: clients prometheus
	$(MAKE) all
	@mkdir -p $M
	$M/nginx-debian/usr/sbin/nginx -v \
	    || t/tools/get-nginx $M/nginx-debian $(MATRIX)
	$(MAKE) B=$M NGX_SRC= module
	ln -sfn ../expctl $M/expctl
	EDGE_BUILD=$(CURDIR)/$M $(PROVE) -j2 --timer $(NGINX_T) t/build.t

asan: clients prometheus
	$(MAKE) all
	t/tools/debug-nginx $B asan
	EDGE_STATIC=1 NGINX_BIN=$(CURDIR)/$B/asan-nginx/objs/nginx \
	    $(PROVE) -j2 --timer $(NGINX_T)

$B/unit-bare/%: t/unit/%.c $(wildcard t/unit/*.h) $B/libnxe.a
	@mkdir -p $(@D)
	$(CC) $(NXE_CFLAGS) -Wno-conversion -O1 -g -o $@ $< \
	    $B/libnxe.a $(LIBS) $(CLI_LIBS) -lcmocka

valgrind-unit: $(BARE_BIN)
	EDGE_VALGRIND=1 $(PROVE) --timer t/unit.t

valgrind: clients prometheus
	$(MAKE) all valgrind-unit
	t/tools/debug-nginx $B valgrind
	EDGE_VALGRIND=1 EDGE_STATIC=1 NXE_CPU=portable \
	    NGINX_BIN=$(CURDIR)/$B/valgrind-nginx/objs/nginx \
	    $(PROVE) -j2 --timer $(NGINX_T)

lint:
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	    --enable=warning,portability -Iinclude lib cli

install: all
	t/tools/install-edge "$B" "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf $B
