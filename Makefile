# SPDX-License-Identifier: MIT
#
# The whole build in one file.  Sources are found by folder, objects live under $(O) only, and
# every object depends on its headers (-MMD) and on the flags it was compiled with ($(O)/flags).
# `make help` lists the targets.

O       ?= build
V       ?= 0
SAN     ?= 0
WERROR  ?= 0
PREFIX  ?= /usr/local
DESTDIR ?=
SECONDS ?= 60

ifeq ($(origin CC),default)
CC := gcc
endif
CXX      ?= g++
CLANG    ?= clang
BPFTOOL  ?= bpftool
STRIP    ?= strip
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
cppflags := -Iinclude -I. -I$(O) -D_GNU_SOURCE -DCGFS_WITH_BPF=$(BPF)
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

obj      = $(patsubst %.c,$(O)/%.o,$(1))
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
scen_src    := $(call sources,tests/scenario/*.c)
bench_src   := $(call sources,tests/bench/*.c)
fuzz_src    := $(call sources,tests/fuzz/*.c)

skels       := $(patsubst bpf/%.bpf.c,$(O)/bpf/%.skel.h,$(bpf_prog))

libcgfs     := $(if $(lib_src),$(O)/libcgfs.a)
libcgfs_so  := $(if $(lib_src),$(O)/libcgfs.so.0)
libbpf      := $(if $(bpf_src),$(O)/libcgfs-bpf.a)
libagent    := $(if $(agent_src),$(O)/libagent.a)
libpodctl   := $(if $(podctl_src),$(O)/libpodctl.a)
libfake     := $(if $(fake_src),$(O)/libfake.a)
libtap      := $(if $(tap_src),$(O)/libtap.a)

agent_bin   := $(if $(agent_src),$(O)/cgfs-agent)
podctl_bin  := $(if $(podctl_src),$(O)/podctl)

prog         = $(patsubst %.c,$(O)/%,$(1))
unit_prog   := $(call prog,$(filter tests/unit/test_%,$(unit_src)))
tbpf_prog   := $(call prog,$(filter tests/bpf/test_%,$(tbpf_src)))
tagent_prog := $(call prog,$(filter tests/agent/test_%,$(tagent_src)))
conf_prog   := $(if $(conf_src),$(O)/tests/conformance/conformance)
scen_prog   := $(if $(scen_src),$(O)/tests/scenario-fake)
bench_prog  := $(patsubst tests/bench/%.c,$(O)/bench/%,$(call programs,$(bench_src)))
fuzz_prog   := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(fuzz_src))

test_progs  := $(unit_prog) $(conf_prog) $(tbpf_prog) $(tagent_prog) $(scen_prog)

all_src     := $(lib_src) $(bpf_src) $(common_src) $(podctl_src) $(agent_src) $(fake_src) \
	       $(tap_src) $(unit_src) $(conf_src) $(tbpf_src) $(tagent_src) $(scen_src) $(bench_src)
all_obj     := $(call obj,$(all_src))

# --- main targets -----------------------------------------------------------------------------

.PHONY: all lib bpf agent tests clean help FORCE

## all: library, eBPF objects, agent and podctl (the default)
all: lib bpf agent

## lib: libcgfs.a and libcgfs.so.0
lib: $(libcgfs) $(libcgfs_so)

## bpf: the eBPF objects, their skeletons and libcgfs-bpf.a
bpf: $(skels) $(libbpf)

## agent: cgfs-agent and podctl, linked statically
agent: $(agent_bin) $(podctl_bin)

## tests: every test program and benchmark, without running them
tests: $(test_progs) $(bench_prog)

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

$(O)/%.o: %.c $(O)/flags
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

# The skeletons must be there before the first compile; after it the .d files know better.
$(call obj,$(bpf_src) $(tbpf_src)): | $(skels)
# The programs' size matters more than their speed.
$(call obj,$(agent_src) $(podctl_src) $(common_src)): extra_cflags := -Os

$(O)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(libcgfs): $(call obj,$(lib_src))
$(libbpf): $(call obj,$(bpf_src))
$(libagent): $(call obj,$(agent_src) $(common_src))
$(libpodctl): $(call obj,$(podctl_src) $(common_src))
$(libfake): $(call obj,$(fake_src))
$(libtap): $(call obj,$(tap_src))

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
quiet_getpw = 2> $@.ld; s=$$?; sed -e '/[Ii]n function .cgroup/{N;/statically linked/d}' \
	      $@.ld >&2; rm -f $@.ld; exit $$s

$(agent_bin): $(call obj,$(agent_src) $(common_src)) $(libbpf) $(libcgfs)
$(podctl_bin): $(call obj,$(podctl_src) $(common_src)) $(libbpf) $(libcgfs)
$(agent_bin) $(podctl_bin): $(O)/flags
	$(call say,LD,$@)
	$(Q)$(link) $(static) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs) $(quiet_getpw)

# Test programs: own object, the folder's helpers, then the libraries they may need.
test_libs := $(libtap) $(libfake) $(libbpf) $(libcgfs)
link_test  = $(link) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs) -lcmocka
helpers    = $(call obj,$(filter-out tests/$(1)/test_%,$(call sources,tests/$(1)/*.c)))

$(unit_prog): $(O)/%: $(O)/%.o $(call helpers,unit) $(test_libs)
$(tbpf_prog): $(O)/%: $(O)/%.o $(call helpers,bpf) $(test_libs)
$(tagent_prog): $(O)/%: $(O)/%.o $(call helpers,agent) $(libagent) $(libpodctl) $(test_libs)
$(conf_prog): $(call obj,$(conf_src)) $(test_libs)
$(scen_prog): $(call obj,$(scen_src)) $(test_libs)
$(unit_prog) $(tbpf_prog) $(tagent_prog) $(conf_prog) $(scen_prog):
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link_test)

bench_help := $(call obj,$(filter-out $(call programs,$(bench_src)),$(bench_src)))
$(bench_prog): $(O)/bench/%: $(O)/tests/bench/%.o $(bench_help) $(libfake) $(libbpf) $(libcgfs)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs)

-include $(all_obj:.o=.d) $(patsubst bpf/%.c,$(O)/bpf/%.d,$(bpf_prog))
