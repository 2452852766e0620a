# SPDX-License-Identifier: MIT
#
# The whole build in one file.  Sources are found by folder, objects live under $(O) only, and
# every object depends on its headers (-MMD) and on the flags it was compiled with ($(O)/flags).
# `make help` lists the targets.

O       ?= build
V       ?= 0
SAN     ?= 0
WERROR  ?= 0
FUZZ    ?= 0
PREFIX  ?= /usr/local
DESTDIR ?=
SECONDS ?= 60

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG    ?= clang
BPFTOOL  ?= bpftool
STRIP    ?= strip
OBJCOPY  ?= objcopy
PKGCONF  ?= pkg-config
CFLAGS   ?= -O2 -g

# Tools that Debian keeps where an unprivileged user does not look.
export PATH := $(PATH):/usr/sbin:/sbin

# BPF=0 builds library, agent and tests without clang; by default it is what the machine can do.
BPF ?= $(shell command -v $(CLANG) >/dev/null && command -v $(BPFTOOL) >/dev/null && \
	       $(PKGCONF) --exists libbpf 2>/dev/null && echo 1 || echo 0)
BPF := $(BPF)

Q    := $(if $(filter 1,$(V)),,@)
say   = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

# --- flags ------------------------------------------------------------------------------------

version := $(shell sed -n 's/^\#define CGFS_VERSION "\(.*\)"/\1/p' include/cgfs/base.h)

warnings := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	    -Wundef -Wpointer-arith $(if $(filter 1,$(WERROR)),-Werror)
ifeq ($(SAN),1)
sanitize := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
ifeq ($(FUZZ),1)
sanitize += -fsanitize=fuzzer-no-link
endif
cppflags := -Iinclude -I. -I$(O)/bpf -D_GNU_SOURCE -DCGFS_WITH_BPF=$(BPF)
cflags   := -std=gnu11 $(warnings) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
	    $(sanitize)
ldflags  := -Wl,--gc-sections $(sanitize)

compile   = $(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) $(extra_cflags)
link      = $(CC) $(sanitize) $(CFLAGS) $(ldflags) $(LDFLAGS)
bpfflags  = -g -O2 --target=bpf -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -Iinclude -I. \
	    -I/usr/include/$(shell uname -m)-linux-gnu \
	    -D__TARGET_ARCH_$(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

lib_libs := -lcgroup -ljansson
bpf_libs := $(if $(filter 1,$(BPF)),-lbpf -lelf -lz)

# --- what is built from what ------------------------------------------------------------------

obj      = $(patsubst %.c,$(O)/obj/%.o,$(1))
sources  = $(sort $(wildcard $(1)))
# Of a folder's files, those that define main() are programs; the others are linked into each.
open    := (
programs = $(if $(1),$(sort $(shell grep -lF 'int main$(open)' $(1) /dev/null)))

lib_src     := $(call sources,cgfs/*.c cgfs/controller/*.c)
bpf_prog    := $(if $(filter 1,$(BPF)),$(call sources,bpf/*.bpf.c))
bpf_src     := $(if $(filter 1,$(BPF)),$(filter-out %.bpf.c,$(call sources,bpf/*.c)))
common_src  := $(call sources,agent/common/*.c)
podctl_src  := $(call sources,agent/podctl*.c agent/podctl/*.c)
agent_src   := $(filter-out $(podctl_src),$(call sources,agent/*.c))
fake_src    := $(call sources,tests/fake/*.c)
tap_src     := $(call sources,tests/tap.c)
unit_src    := $(call sources,tests/unit/*.c)
conf_src    := $(call sources,tests/conformance/*.c)
tbpf_src    := $(if $(filter 1,$(BPF)),$(call sources,tests/bpf/*.c))
tagent_src  := $(call sources,tests/agent/*.c)
tpodctl_src := $(call sources,tests/podctl/*.c)
oci_src     := $(call sources,tests/oci/*.c)
scen_src    := $(call sources,tests/scenario/*.c)
bench_src   := $(call sources,tests/bench/*.c)
fuzz_src    := $(call sources,tests/fuzz/*.c)

skels       := $(patsubst bpf/%.bpf.c,$(O)/bpf/%.skel.h,$(bpf_prog))

# For users: the API and nothing else.  For us, below obj/: every function.
public      := $(if $(lib_src),$(O)/libcgfs.a) $(if $(bpf_src),$(O)/libcgfs-bpf.a)
libcgfs_so  := $(if $(lib_src),$(O)/libcgfs.so.0)
libcgfs     := $(if $(lib_src),$(O)/obj/libcgfs.a)
libbpf      := $(if $(bpf_src),$(O)/obj/libcgfs-bpf.a)
libagent    := $(if $(agent_src),$(O)/obj/libagent.a)
libpodctl   := $(if $(podctl_src),$(O)/obj/libpodctl.a)
libfake     := $(if $(fake_src),$(O)/obj/libfake.a)
libtap      := $(if $(tap_src),$(O)/obj/libtap.a)

headers     := $(filter-out $(if $(bpf_src),,%/bpf.h),$(call sources,include/cgfs/*.h))
man_made    := $(patsubst include/cgfs/%.h,$(O)/man/cgfs_%.3,$(filter-out %/cgfs.h,$(headers)))

agent_bin   := $(if $(agent_src),$(O)/cgfs-agent)
podctl_bin  := $(if $(podctl_src),$(O)/podctl)

prog         = $(patsubst %.c,$(O)/%,$(1))
unit_prog   := $(call prog,$(filter tests/unit/test_%,$(unit_src)))
tbpf_prog   := $(call prog,$(filter tests/bpf/test_%,$(tbpf_src)))
tagent_prog := $(call prog,$(filter tests/agent/test_%,$(tagent_src)))
tpodctl_prog := $(call prog,$(filter tests/podctl/test_%,$(tpodctl_src)))
conf_prog   := $(if $(conf_src),$(O)/tests/conformance)
oci_prog    := $(if $(oci_src),$(O)/tests/oci)
scen_prog   := $(if $(scen_src),$(O)/tests/scenario-fake)
bench_prog  := $(patsubst tests/bench/%.c,$(O)/bench/%,$(call programs,$(bench_src)))
fuzz_prog   := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(filter tests/fuzz/fuzz_%,$(fuzz_src)))

test_progs  := $(unit_prog) $(conf_prog) $(tbpf_prog) $(tagent_prog) $(tpodctl_prog) \
	       $(oci_prog)

core_h      := $(filter-out %/bpf.h,$(wildcard include/cgfs/*.h))

all_src     := $(lib_src) $(bpf_src) $(common_src) $(podctl_src) $(agent_src) $(fake_src) \
	       $(tap_src) $(unit_src) $(conf_src) $(tbpf_src) $(tagent_src) $(tpodctl_src) \
	       $(oci_src) $(scen_src) $(bench_src)
all_obj     := $(call obj,$(all_src) $(fuzz_src))

# --- main targets -----------------------------------------------------------------------------

.PHONY: all lib bpf agent man tests clean help FORCE

## all: library, eBPF objects, agent, podctl, manual pages (the default)
all: lib bpf agent man

## lib: libcgfs.a and libcgfs.so.0
lib: $(filter %/libcgfs.a,$(public)) $(libcgfs_so)

## bpf: the eBPF objects, their skeletons and libcgfs-bpf.a
bpf: $(skels) $(filter %-bpf.a,$(public))

## agent: cgfs-agent and podctl, linked statically
agent: $(agent_bin) $(podctl_bin)

## man: a manual page for each public header, made from its comments
man: $(man_made)

## tests: every test program and benchmark, without running them
tests: $(test_progs) $(scen_prog) $(bench_prog)

## clean: remove what was built
clean:
	rm -rf $(O) compile_commands.json

## help: this list
help:
	@while IFS= read -r l; do case $$l in \
	'## '*) l=$${l#??}; printf '  %-22s %s\n' "$${l%%: *}" "$${l#*: }" ;; \
	esac; done < Makefile

# --- rules ------------------------------------------------------------------------------------

flag_text = $(compile) | $(link) | $(CLANG) $(BPFTOOL) $(WERROR)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flag_text))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(flag_text))' > $@
FORCE:

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(compile) -MMD -MP -c $< -o $@

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(bpfflags) -MMD -MP -c $< -o $@

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

$(O)/man/cgfs_%.3: include/cgfs/%.h docs/man/generate docs/man/page.awk docs/man/cgfs.3
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)docs/man/generate $< > $@

# The skeletons must be there before the first compile; after it the .d files know better.
$(call obj,$(bpf_src) $(tbpf_src)): | $(skels)
# The programs' size matters more than their speed.
$(call obj,$(agent_src) $(podctl_src) $(common_src)): extra_cflags := -Os

$(O)/obj/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^ $(weaken)

# A test that links a program's archive brings a main() of its own.
$(libagent) $(libpodctl): weaken = && $(OBJCOPY) --weaken-symbol=main $@
$(libcgfs): $(call obj,$(lib_src))
$(libbpf): $(call obj,$(bpf_src))
$(libagent): $(call obj,$(agent_src) $(common_src))
$(libpodctl): $(call obj,$(podctl_src) $(common_src))
$(libfake): $(call obj,$(fake_src))
$(libtap): $(call obj,$(tap_src))

# One object each, in which only the API is global: internal names cannot clash with a user's.
# libcgfs-bpf has a copy of its own of what libcgfs does not offer: errors, checks of rules.
$(O)/libcgfs.a: $(call obj,$(lib_src)) $(core_h)
$(O)/libcgfs-bpf.a: $(call obj,$(bpf_src) cgfs/err.c cgfs/devices.c) include/cgfs/bpf.h
$(public): tests/tools/api.awk $(O)/flags
	$(call say,AR,$@)
	$(Q)$(CC) -r -nostdlib -o $(@:.a=.o) $(filter %.o,$^)
	$(Q)awk -f tests/tools/api.awk $(filter %.h,$^) | awk '{ print $$2 }' > $@.api
	$(Q)$(OBJCOPY) --keep-global-symbols=$@.api $(@:.a=.o)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(@:.a=.o)
	$(Q)rm -f $(@:.a=.o) $@.api

ifneq ($(lib_src),)
$(libcgfs_so): $(call obj,$(lib_src)) cgfs/libcgfs.map $(O)/flags
	$(call say,LD,$@)
	$(Q)$(link) -shared -Wl,-soname,libcgfs.so.0 -Wl,--version-script=cgfs/libcgfs.map \
		-Wl,-z,defs -o $@ $(call obj,$(lib_src)) $(lib_libs)
	@ln -sf libcgfs.so.0 $(O)/libcgfs.so
endif

# Static programs.  A sanitizer cannot be linked statically.  The linker's remark that
# libcgroup's look-ups of user names need the shared glibc is expected: we make none.
static = $(if $(filter 1,$(SAN)),,-static)
quiet_getpw = 2> $@.ld || { cat $@.ld >&2; rm -f $@.ld; exit 1; }; \
	sed -e '/libcgroup\.a(.*in function/d' -e '/Using .get[pg][wr].* in statically linked/d' \
		$@.ld >&2; rm -f $@.ld

$(agent_bin): $(call obj,$(agent_src) $(common_src)) $(libbpf) $(libcgfs)
$(podctl_bin): $(call obj,$(podctl_src) $(common_src)) $(libbpf) $(libcgfs)
$(agent_bin) $(podctl_bin): $(O)/flags
	$(call say,LD,$@)
	$(Q)$(link) $(static) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs) $(quiet_getpw)

# Test programs: own object, the folder's helpers, then the libraries they may need.
test_libs := $(libtap) $(libfake) $(libbpf) $(libcgfs)
link_test  = $(link) $(wrap) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs) -lcmocka
helpers    = $(call obj,$(filter-out tests/$(1)/test_%,$(call sources,tests/$(1)/*.c)))

$(unit_prog): $(O)/%: $(O)/obj/%.o $(call helpers,unit) $(test_libs)
$(O)/tests/unit/test_events: wrap := -Wl,--wrap=malloc
$(tbpf_prog): $(O)/%: $(O)/obj/%.o $(call helpers,bpf) $(test_libs)
$(tagent_prog): $(O)/%: $(O)/obj/%.o $(call helpers,agent) $(libagent) $(test_libs)
$(tpodctl_prog): $(O)/%: $(O)/obj/%.o $(call helpers,podctl) $(libpodctl) $(test_libs)
# The library as ever, but for calls that can be made to fail (tests/conformance/mishap.h).
$(O)/obj/libcgfs-mishap.a: $(libcgfs) tests/conformance/mishap.syms
	$(call say,AR,$@)
	$(Q)$(OBJCOPY) --redefine-syms=tests/conformance/mishap.syms $< $@
$(conf_prog): $(call obj,$(conf_src)) $(filter-out $(libcgfs),$(test_libs)) \
	       $(O)/obj/libcgfs-mishap.a
$(oci_prog): $(call obj,$(oci_src)) $(test_libs)
$(test_progs):
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link_test)

bench_help := $(call obj,$(filter-out $(call programs,$(bench_src)),$(bench_src)))
$(scen_prog): $(call obj,$(scen_src)) $(libfake) $(libbpf) $(libcgfs)
$(bench_prog): $(O)/bench/%: $(O)/obj/tests/bench/%.o $(bench_help) $(libagent) $(libfake) $(libbpf) $(libcgfs)
$(scen_prog) $(bench_prog):
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs)

# These run the agent; what of it reaches for processes and directories goes to tests/fuzz/host.c.
fuzz_agent := $(O)/fuzz/fuzz_bridge $(O)/fuzz/fuzz_state
comma := ,
$(fuzz_agent): wrap = $(addprefix -Wl$(comma)--wrap=,fork kill syscall mkdir rmdir unlink)
$(fuzz_agent): $(O)/obj/tests/fuzz/host.o
$(fuzz_prog): $(O)/fuzz/%: $(O)/obj/tests/fuzz/%.o $(libagent) $(libpodctl) $(libfake) $(libcgfs)
$(fuzz_prog):
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) $(wrap) -fsanitize=fuzzer -o $@ $(filter %.o %.a,$^) $(lib_libs)

-include $(all_obj:.o=.d) $(patsubst bpf/%.c,$(O)/bpf/%.d,$(bpf_prog))

# --- packages ---------------------------------------------------------------------------------

deps_run   := gcc libc6-dev make pkg-config clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev \
	      libcgroup-dev libjansson-dev crun runc busybox-static jq
deps_check := libcmocka-dev qemu-system-x86 cpio mandoc
deps_lint  := clang-format clang-tidy
deps_fuzz  := libclang-rt-14-dev
need        = @.ci/deps $(1)

.PHONY: deps run check check-built fakes check-fakes check-root check-guest check-guest-built
.PHONY: guest-shell bench bench-guest fuzz lint format
.PHONY: check-headers check-abi check-docs check-mapping check-kernels check-guide check-bpf check-tree
.PHONY: check-install check-san
.PHONY: fuzz-built bench-built bench-guest-built run-built install uninstall dist compile_commands.json tidy distclean

## deps: install the Debian packages that `run` and `check` need (root), or name them
deps:
	$(call need,$(deps_run) $(deps_check))

# --- running ----------------------------------------------------------------------------------

# What follows `deps` is a second make, which sees what `deps` has installed.
again = +@$(MAKE) --no-print-directory

## run: install what is missing, build, and show one pod through every layer
run:
	$(call need,$(deps_run))
	$(again) run-built
run-built: all $(scen_prog)
	@O=$(O) tests/scenario/run

## bench: build and run the benchmarks
bench:
	$(call need,$(deps_run))
	$(again) bench-built
bench-built: all $(bench_prog)
	@for b in $(bench_prog); do O=$(O) $$b || exit 1; done

## bench-guest: the benchmarks in a guest, in instructions (K=7.2 L=v2 ICOUNT=1)
bench-guest:
	$(call need,$(deps_run) $(deps_check))
	$(again) bench-guest-built
bench-guest-built: all $(bench_prog)
	@tests/bench/guest $(or $(K),7.2) $(or $(L),v2) -a $(podctl_bin)=/bin/podctl \
		$(bench_guest:%=%:300)

# --- tests ------------------------------------------------------------------------------------

root    := $(shell [ "$$(id -u)" = 0 ] && echo 1)
checks  := headers abi docs mapping kernels bpf tree install guide
scripts := $(call sources,tests/unit/test_*.sh tests/agent/test_*.sh tests/podctl/test_*.sh tests/guest/selftest)
# Tests of the kernel side need root, all of them; elsewhere a test that needs it says so.
plain   := $(unit_prog) $(tagent_prog) $(tpodctl_prog) $(scripts)
as_root := $(if $(root),$(tbpf_prog) $(call sources,tests/bpf/test_*.sh) \
	   '$(conf_prog) live/*' '$(oci_prog) live/*')
# The same once more with sanitizers, as far as no kernel is involved.  Without -Werror: the
# sanitizers make gcc see overflows that are not there.
san_prog := $(patsubst $(O)/%,$(O)/san/%,$(unit_prog) $(tagent_prog) $(tpodctl_prog))
# on_fakes FOLDER[,GLOB]: the suites on all fakes, side by side.
on_fakes  = $(foreach l,v1 hybrid mixed v2,'&$(1)/tests/conformance fake-$(l)/* $(2)') \
	    '&$(1)/tests/oci !live/*'
# 6.12 sweeps every errno in three varieties, which takes ten times as long under sanitizers; 6.1
# and 7.2 visit the same places.
on_san    = $(call on_fakes,$(O)/san,!fake-*-6.12/fault_*)
# The agent's figures are for a machine, not for an emulated one.
bench_guest = $(filter-out %/agent,$(bench_prog))
# What runs in a guest, and for how long at most; /bin has the programs, /tests the tests.
guest_prog = -a $(agent_bin)=/bin/cgfs-agent -a $(podctl_bin)=/bin/podctl \
	     $(conf_prog):600 $(tbpf_prog:%=%:200) $(tagent_live:%=%:200)
guest_oci  = $(foreach c,$(wildcard tests/oci/cases/*.json),-a $(c)=/oci/$(notdir $(c))) \
	     $(oci_prog):300
# OOM kills in three of the cells: 10 ms of processor time each.
STORM ?= 10000
guest_storm = -a $(O)/storm=/storm tests/guest/storm.sh:1500
tagent_live = $(filter-out %/test_parts %/test_bridge %/test_transcripts,$(tagent_prog))
export O SAN CC CLANG BPFTOOL BPF WERROR

## check: install what is missing, build, run every test that this machine can run
check:
	$(call need,$(deps_run) $(deps_check))
	$(again) check-built
check-built: all tests
	$(again) O=$(O)/san SAN=1 WERROR=0 CFLAGS='-O1 -g' fakes
	$(if $(root),,@echo 'not root: skipping what needs the kernel: tests/bpf, live conformance,' \
		'containers')
	@tests/run -o $(O)/tests/result $(checks:%=tests/check-%.sh) $(plain) $(as_root) \
		$(call on_fakes,$(O)) $(san_prog) $(on_san) \
		'tests/guest/matrix --tap --quick $(guest_prog)'

fakes: $(unit_prog) $(tagent_prog) $(tpodctl_prog) $(conf_prog) $(oci_prog)

## check-fakes: only the tests that need no kernel
check-fakes: all fakes
	@tests/run $(unit_prog) $(tagent_prog) $(tpodctl_prog) $(call on_fakes,$(O))

## check-root: only the tests on this machine's kernel (root)
check-root: all tests
	@tests/run $(tagent_prog) $(as_root)

## check-san: the tests that need no kernel, with address and undefined-behaviour sanitizer
check-san:
	$(again) O=$(O)/san SAN=1 WERROR=0 CFLAGS='-O1 -g' fakes
	@tests/run $(san_prog) $(on_san)

## check-headers: each public header compiles alone, as C11 and as C++
## check-abi: headers, version script and library agree
## check-docs: every function of the API has a comment; the manual pages are whole
## check-mapping: docs/mapping.md and the sources name the same
## check-kernels: docs/kernels.md and what was recorded on kernels say the same
## check-guide: the code of docs/guide.md compiles, and as root runs
## check-bpf: names of maps and programs fit, maps are typed
## check-tree: licence lines, sizes, layers
## check-install: installs into $(O)/stage, compiles docs/example.c against it, uninstalls
check-headers check-docs check-mapping check-kernels check-tree:
	@tests/run tests/$@.sh
check-abi check-bpf check-install check-guide: all
	@tests/run tests/$@.sh

## check-guest: the tests on real kernels 6.1, 6.12 and 7.2 in QEMU (K=, L=, T= choose)
check-guest:
	$(call need,$(deps_run) $(deps_check))
	$(again) check-guest-built
check-guest-built: all tests
	@echo $(STORM) > $(O)/storm
	@tests/guest/matrix --seconds 1200 $(guest_flags) $(guest_prog) $(guest_oci) $(guest_storm)

## guest-shell: a shell in a guest (K=7.2 L=v2), tests in /tests, agent and podctl on the path
guest-shell: all tests
	@tests/guest/shell $(or $(K),7.2) $(or $(L),v2) $(guest_prog)

## fuzz: run each fuzzer for SECONDS=60
fuzz:
	$(call need,$(deps_run) $(deps_fuzz))
	$(again) O=$(O)/fuzzing CC=$(CLANG) SAN=1 FUZZ=1 BPF=0 fuzz-built
fuzz-built: $(fuzz_prog)
	@for f in $(fuzz_prog); do \
		name=$${f##*/}; mkdir -p $(O)/corpus/$$name; \
		seeds=tests/fuzz/corpus/$$name; [ -d $$seeds ] || seeds=; \
		echo "fuzz $$name: $(SECONDS) s"; \
		$$f -max_total_time=$(SECONDS) -print_final_stats=1 \
			-artifact_prefix=$(O)/corpus/$$name- $(O)/corpus/$$name $$seeds \
			> $(O)/corpus/$$name.log 2>&1 < /dev/null || \
			{ tail -n 80 $(O)/corpus/$$name.log; exit 1; }; \
		grep 'executed_units' $(O)/corpus/$$name.log; \
	done

## lint: clang-format and clang-tidy
lint:
	$(call need,$(deps_lint))
	@tests/run tests/check-format.sh tests/check-tidy.sh

## tidy: clang-tidy alone
tidy:
	@tests/run tests/check-tidy.sh

## format: rewrite the C sources as .clang-format says
format:
	clang-format -i $(all_c)

all_c = $(sort $(wildcard $(addsuffix /*.[ch],include/cgfs include/cgfs/abi cgfs cgfs/controller bpf \
	agent agent/common agent/podctl tests $(wildcard tests/*) docs)))
export all_c

## compile_commands.json: for editors and clang-tidy
compile_commands.json: $(skels)
	$(call say,GEN,$@)
	@{ sep='['; for f in $(all_src) $(fuzz_src); do \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' \
			"$$sep" '$(CURDIR)' "$$f" '$(compile)' "$$f"; sep=','; \
	done; for f in $(bpf_prog); do \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s -c %s"}' \
			"$$sep" '$(CURDIR)' "$$f" '$(CLANG) $(bpfflags)' "$$f"; sep=','; \
	done; printf '\n]\n'; } > $@

# --- release ----------------------------------------------------------------------------------

root_dir = $(DESTDIR)$(PREFIX)
so_full  = libcgfs.so.$(version)
abi_h    = $(wildcard include/cgfs/abi/*.h)
man      = $(wildcard docs/man/*.[0-9]) $(man_made)
# FUNCTION.3=PAGE.3 for each function: its page under its own name.
man_link = $(shell docs/man/generate --links $(headers))
complete = $(wildcard docs/completion/*)
# Every file that `install` makes, below PREFIX.
installed = $(headers) $(abi_h) lib/libcgfs.a lib/$(so_full) lib/libcgfs.so.0 lib/libcgfs.so \
	    lib/pkgconfig/libcgfs.pc $(if $(bpf_src),lib/libcgfs-bpf.a lib/pkgconfig/libcgfs-bpf.pc) \
	    $(agent_bin:$(O)/%=bin/%) $(podctl_bin:$(O)/%=bin/%) \
	    $(foreach m,$(notdir $(man)),share/man/man$(subst .,,$(suffix $(m)))/$(m)) \
	    $(foreach l,$(man_link),share/man/man3/$(firstword $(subst =, ,$(l)))) \
	    $(addprefix share/bash-completion/completions/,$(notdir $(complete)))

## install: into $(DESTDIR)$(PREFIX); PREFIX is /usr/local
install: all
	install -d $(sort $(dir $(addprefix $(root_dir)/,$(installed))))
	install -m 644 $(headers) $(root_dir)/include/cgfs
	$(if $(abi_h),install -m 644 $(abi_h) $(root_dir)/include/cgfs/abi)
	install -m 644 $(public) $(root_dir)/lib
	install -m 755 $(libcgfs_so) $(root_dir)/lib/$(so_full)
	ln -sf $(so_full) $(root_dir)/lib/libcgfs.so.0
	ln -sf libcgfs.so.0 $(root_dir)/lib/libcgfs.so
	for pc in libcgfs $(if $(bpf_src),libcgfs-bpf); do \
		sed 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(version),' cgfs/$$pc.pc.in \
			> $(root_dir)/lib/pkgconfig/$$pc.pc || exit 1; done
	for b in $(agent_bin) $(podctl_bin); do \
		install -m 755 $$b $(root_dir)/bin && \
		$(STRIP) $(root_dir)/bin/$${b##*/} || exit 1; done
	for m in $(man); do install -m 644 $$m $(root_dir)/share/man/man$${m##*.} || exit 1; done
	for l in $(man_link); do echo ".so man3/$${l#*=}" > $(root_dir)/share/man/man3/$${l%=*} || \
		exit 1; done
	$(if $(complete),install -m 644 $(complete) $(root_dir)/share/bash-completion/completions)

## uninstall: removes exactly what `install` made
uninstall:
	rm -f $(addprefix $(root_dir)/,$(installed))
	rmdir $(root_dir)/include/cgfs/abi $(root_dir)/include/cgfs 2>/dev/null || true

## dist: $(O)/cgfs-VERSION.tar.gz of what is committed
dist:
	@mkdir -p $(O)
	git archive --prefix=cgfs-$(version)/ -o $(O)/cgfs-$(version).tar.gz HEAD
	@echo $(O)/cgfs-$(version).tar.gz

## distclean: the same as clean
distclean: clean
