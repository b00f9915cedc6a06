# vswitch: see README.md. Targets: deps all run test unit system test-long fuzz bench bench-quick lint
# format install clean
# Everything is built into $(BUILD); SAN=1 builds with ASan and UBSan, NATIVE=1 for this CPU only.

BUILD ?= build
SAN ?= 0
FUZZ ?= 0
NATIVE ?= 0
CC ?= cc
PREFIX ?= /usr/local

# What Debian 12 must have installed; `make deps` asks apt for what is missing, by name.
BUILD_PACKAGES := gcc make pkg-config libc6-dev dpdk-dev libdpdk-dev libyaml-dev libjansson-dev \
	libpcap-dev zlib1g-dev libhyperscan-dev libpcre2-dev libcmocka-dev clang libbpf-dev bpftool \
	libxdp-dev
RUN_PACKAGES := qemu-system-x86 busybox-static cpio xz-utils kmod iproute2 socat
TEST_PACKAGES := $(RUN_PACKAGES) dpdk iputils-ping tcpdump iperf3 procps man-db groff gzip bc git jq \
	samba smbclient
LINT_PACKAGES := clang clang-format cppcheck
FUZZ_PACKAGES := clang libclang-rt-14-dev

ifneq ($(filter-out deps deps-build clean,$(or $(MAKECMDGOALS),all)),)
DPDK_CFLAGS := $(shell pkg-config --cflags libdpdk 2>/dev/null)
# What drivers offer beyond ethdev, here bonding, is not among its libraries.
DPDK_LIBS := $(shell pkg-config --libs libdpdk 2>/dev/null) -lrte_net_bond
endif

WARN := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes \
	-Wpointer-arith -Wvla -Wshadow
CFLAGS ?= -O2 -g
VS_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) -Idataplane -Idrivers -Ictl -Irules \
	-fno-strict-aliasing -fstack-protector-strong -D_FORTIFY_SOURCE=2 -MMD -MP
VS_LIBS := -lxdp -lbpf -lhs -lpcre2-8 -ljansson -lyaml -lpcap -lz -lpthread
ifeq ($(NATIVE),1)
VS_CFLAGS += -march=native
endif
ifeq ($(SAN),1)
VS_CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-U_FORTIFY_SOURCE
VS_LDFLAGS += -fsanitize=address,undefined
endif
ifeq ($(FUZZ),1)
VS_CFLAGS += -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined -U_FORTIFY_SOURCE
VS_LDFLAGS += -fsanitize=address,undefined
endif

DATAPLANE := $(filter-out dataplane/main.c,$(wildcard dataplane/*.c))
# The XDP program is for the kernel: built apart, into a header that its loader includes.
DRIVERS := $(filter-out %.bpf.c,$(wildcard drivers/*.c))
RULES := $(wildcard rules/*.c)
CTL := $(filter-out ctl/main.c,$(wildcard ctl/*.c))
# What vswitch-ctl shares with vswitchd: the configuration modules, which know no DPDK.
CONFIG := $(wildcard dataplane/config*.c dataplane/state_file.c dataplane/addr.c)
# For `config check` also what finds rule files.
CONFIG += dataplane/inspect_store_files.c
# For `explain --config` also what decides on packets: none of it calls DPDK's libraries either.
DECIDE := $(wildcard dataplane/policy*.c) $(addprefix dataplane/,bit_pages.c classifier.c \
	conn_key.c conn_opening.c decision.c drop.c explain.c explain_frame.c \
	explain_rules.c guard.c packet.c rule_sets.c service.c set_index.c span_map.c)
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# Which of them `make fuzz` runs.
FUZZ_TARGETS ?= $(FUZZERS:fuzz_%=%)
TOOLS := $(patsubst tests/tools/%.c,%,$(wildcard tests/tools/*.c))
BENCHES := $(patsubst bench/%.c,%,$(wildcard bench/*_bench.c))
# What they share.
BENCH_PARTS := bench/setup.c bench/smb_source.c bench/source.c
PKTGEN := $(filter-out bench/pktgen_main.c,$(wildcard bench/pktgen_*.c))

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)" $(patsubst $(BUILD)/%,%,$@))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

.PHONY: all deps deps-build deps-run deps-test deps-suricata deps-lint deps-fuzz run test unit system test-long fuzz bench lint format install clean
all: deps-build
	+@$(MAKE) --no-print-directory programs

.PHONY: programs tests fuzzers benches
programs: $(BUILD)/vswitchd $(BUILD)/vswitch-ctl $(BUILD)/vswitch-ctl.1 $(BUILD)/vswitch-pktgen
tests: programs $(UNIT:%=$(BUILD)/tests/%) $(TOOLS:%=$(BUILD)/tests/tools/%) \
	$(FUZZERS:fuzz_%=$(BUILD)/tests/seeds_%)
fuzzers: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz_%) $(BUILD)/tests/tools/capture_seeds
benches: programs $(BENCHES:%=$(BUILD)/bench/%) $(BUILD)/bench/smb_capture $(BUILD)/bench/core_distance

$(BUILD)/vswitchd: $(call obj,dataplane/main.c) $(BUILD)/libvswitch.a
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS)

$(BUILD)/vswitch-ctl: $(call obj,ctl/main.c $(CTL) $(CONFIG) $(DECIDE) $(wildcard rules/rule*.c))
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ -ljansson -lyaml -lhs -lpcre2-8

# Where `make install` puts the rules that come with the switch; what knows it is built anew when PREFIX
# is another.
RULES_DIR := $(PREFIX)/share/vswitch/rules
KNOW_RULES_DIR := $(call obj,dataplane/config_fields.c tests/unit/test_config.c)
$(KNOW_RULES_DIR): VS_CFLAGS += -DVS_RULES_DIR='"$(RULES_DIR)"'
$(KNOW_RULES_DIR): $(BUILD)/rules_dir
.PHONY: FORCE
$(BUILD)/rules_dir: FORCE
	@mkdir -p $(@D)
	@echo '$(RULES_DIR)' | cmp -s - $@ || echo '$(RULES_DIR)' >$@

# The program as the kernel takes it, and as a skeleton (bpftool-gen(8)). clang is the only compiler for
# it, whatever CC is. Debian has asm/ by architecture, where -target bpf does not look.
BPF_CLANG ?= clang
BPFTOOL ?= PATH="$$PATH:/usr/sbin:/sbin" bpftool
BPF_INCLUDE := /usr/include/$(shell uname -m)-linux-gnu
XDP_EDGE := $(BUILD)/skeleton/xdp_edge
$(XDP_EDGE).bpf.o: drivers/xdp_edge.bpf.c drivers/xdp_edge.h
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(BPF_CLANG) -target bpf -O2 -g -Wall -Wextra -Werror -I$(BPF_INCLUDE) -Idrivers -c -o $@ $<
$(XDP_EDGE).skel.h: $(XDP_EDGE).bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name xdp_edge >$@.tmp && mv $@.tmp $@

KNOW_SKELETON := $(call obj,drivers/xdp_program.c tests/unit/test_xdp_edge.c)
$(KNOW_SKELETON): $(XDP_EDGE).skel.h
$(KNOW_SKELETON): VS_CFLAGS += -isystem $(BUILD)/skeleton

# Out of the table of commands, so that it cannot drift from it.
$(BUILD)/vswitch-ctl.1: $(BUILD)/vswitch-ctl
	$(Q)$< help --man >$@.tmp && mv $@.tmp $@

# ctl/command.c: the table of commands, which both programs share.
$(BUILD)/libvswitch.a: $(call obj,$(DATAPLANE) $(DRIVERS) $(RULES) ctl/command.c)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/tests/test_%: $(BUILD)/obj/tests/unit/test_%.o $(call obj,$(wildcard tests/vhost_master.c)) \
		$(BUILD)/libctl.a $(BUILD)/libvswitch.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS) -lcmocka

# A fuzz target with libFuzzer (make fuzz), and with a main of our own that runs it on its seeds.
$(BUILD)/tests/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(call obj,tests/vhost_master.c) $(BUILD)/libctl.a $(BUILD)/libvswitch.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS)

$(BUILD)/tests/seeds_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/seeds.o \
		$(call obj,tests/vhost_master.c) $(BUILD)/libctl.a $(BUILD)/libvswitch.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS)

# Those that know rules.
RULE_TOOLS := $(addprefix $(BUILD)/tests/tools/,rule_traffic rule_alerts)
$(RULE_TOOLS): $(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o \
		$(call obj,$(wildcard tests/traffic/*.c)) $(BUILD)/libvswitch.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS)

$(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^

.PRECIOUS: $(BUILD)/obj/bench/%.o
$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(call obj,$(BENCH_PARTS)) \
		$(BUILD)/libpktgen.a $(BUILD)/libvswitch.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS) -lm

$(BUILD)/bench/core_distance: $(call obj,bench/core_distance.c)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

$(BUILD)/bench/smb_capture: $(call obj,bench/smb_capture.c tests/traffic/session.c) \
		$(BUILD)/libpktgen.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ -lpcap

$(BUILD)/vswitch-pktgen: $(call obj,bench/pktgen_main.c) $(BUILD)/libpktgen.a
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) -ljansson -lpcap -lm

$(BUILD)/libpktgen.a: $(call obj,$(PKTGEN))
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/tests/test_pktgen_%: $(BUILD)/obj/tests/unit/test_pktgen_%.o $(BUILD)/libpktgen.a \
		$(BUILD)/libvswitch.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(VS_LDFLAGS) $(LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(VS_LIBS) -lm -lcmocka

$(BUILD)/libctl.a: $(call obj,$(CTL))
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/obj/dataplane/%.o $(BUILD)/obj/drivers/%.o $(BUILD)/obj/tests/%.o $(BUILD)/obj/bench/%.o: VS_CFLAGS += $(DPDK_CFLAGS) -Itests -Ibench
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(VS_CFLAGS) $(CFLAGS) -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# Each asks apt for what is missing, and only for that.
deps: deps-build deps-test deps-suricata
deps-build:
	@tests/deps.sh $(BUILD_PACKAGES)
deps-run: deps-build
	@tests/deps.sh $(RUN_PACKAGES)
deps-test: deps-build
	@tests/deps.sh $(TEST_PACKAGES)
# For one test, which is skipped without it.
deps-suricata: deps-test
	@tests/deps_suricata.sh
deps-lint: deps-build
	@tests/deps.sh $(LINT_PACKAGES)
deps-fuzz: deps-build
	@tests/deps.sh $(FUZZ_PACKAGES)

run: deps-run
	+@$(MAKE) --no-print-directory -j2 programs
	@tests/quickstart.sh $(BUILD)

test: deps-test deps-suricata deps-lint
	@BUILD=$(BUILD) MAKE="$(MAKE)" tests/run.sh

unit: deps-test
	@BUILD=$(BUILD) MAKE="$(MAKE)" tests/run.sh unit

system: deps-test deps-suricata
	@BUILD=$(BUILD) MAKE="$(MAKE)" tests/run.sh system

# What takes minutes or gigabytes: no part of `make test`.
test-long: deps-test
	@BUILD=$(BUILD) MAKE="$(MAKE)" tests/run.sh long

# FUZZ_SECONDS for each of FUZZ_TARGETS (all, unless said otherwise), two at a time; what one found
# stays in $(BUILD)/fuzz.
FUZZ_SECONDS ?= 30
fuzz: deps-fuzz
	+@$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/fuzz FUZZ=1 CC=clang CFLAGS="-O1 -g" fuzzers
	@tests/fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# One program at a time: they share a machine's caches. See bench/README.md.
.PHONY: deps-peers bench-quick
deps-peers: deps-test deps-suricata
	@bench/deps_peers.sh
bench: deps-peers
	+@$(MAKE) --no-print-directory -j2 benches
	@$(BUILD)/bench/switch_bench
	@echo
	@$(BUILD)/bench/workers_bench
	@echo
	@$(BUILD)/bench/conn_bench
	@echo
	@$(BUILD)/bench/stream_bench
	@echo
	@$(BUILD)/bench/detect_bench
	@echo
	@$(BUILD)/bench/inspect_bench
	@echo
	@bench/firewall.sh $(BUILD)
	@echo
	@BUILD=$(BUILD) bench/peers.sh

# The first rows beside the peers in less than two minutes; no figures of use, but what has become far worse.
bench-quick: deps-peers
	+@$(MAKE) --no-print-directory -j2 benches
	@BUILD=$(BUILD) bench/peers.sh --quick

lint: deps-lint
	@tests/lint.sh

format: deps-lint
	clang-format -i $(filter-out %.def,$(shell git ls-files '*.c' '*.h'))

MAN := $(DESTDIR)$(PREFIX)/share/man
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(MAN)/man1 $(MAN)/man5 $(MAN)/man8 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(RULES_DIR) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install $(BUILD)/vswitchd $(DESTDIR)$(PREFIX)/sbin
	install $(BUILD)/vswitch-ctl $(BUILD)/vswitch-pktgen $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/vswitch-ctl.1 bench/vswitch-pktgen.1 $(MAN)/man1
	sed 's|/usr/local/share|$(PREFIX)/share|' dataplane/vswitchd.yaml.5 >$(BUILD)/vswitchd.yaml.5
	install -m 644 $(BUILD)/vswitchd.yaml.5 $(MAN)/man5
	install -m 644 dataplane/vswitchd.8 $(MAN)/man8
	install -m 644 $(wildcard rules/*.rules) rules/classification.config $(DESTDIR)$(RULES_DIR)
	sed 's|^ExecStart=|&$(PREFIX)/sbin/|' dataplane/vswitchd.service >$(BUILD)/vswitchd.service
	install -m 644 $(BUILD)/vswitchd.service $(DESTDIR)$(PREFIX)/lib/systemd/system
	$(BUILD)/vswitch-ctl completion bash \
		>$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vswitch-ctl

clean:
	rm -rf $(BUILD)
