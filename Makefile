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
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
DESTDIR    ?=
SECONDS ?= 60

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG    ?= clang
BPFTOOL  ?= bpftool
PKGCONF  ?= pkg-config
CFLAGS   ?= -O2 -g
# Those of the machine that $(CC) compiles for: a native objcopy does not read its objects.
tool_of   = $(or $(shell $(CC) -print-prog-name=$(1) 2>/dev/null),$(1))
ifndef STRIP
STRIP   := $(call tool_of,strip)
endif
ifndef OBJCOPY
OBJCOPY := $(call tool_of,objcopy)
endif

# Tools that Debian keeps where an unprivileged user does not look.  Recipes get this; $(shell) gets
# what make was called with (until GNU make 4.4).
export PATH := $(PATH)$(if $(filter %:/usr/sbin:/sbin,$(PATH)),,:/usr/sbin:/sbin)

# BPF=1 and BPF=0 are the user's decision.  Without it there is eBPF when the machine has the tools.
# The result has a name of its own and BPF is never assigned nor exported: what this make finds
# before `deps` has installed anything must not look like a decision to the make that follows.
ifneq ($(filter-out 0 1,$(BPF)),)
$(error BPF is 0 or 1, not "$(BPF)")
endif
ifneq ($(BPF),0)
bpf_lacks := $(strip $(shell PATH='$(PATH)'; \
	$(CLANG) --version > /dev/null 2>&1 || echo $(CLANG); \
	$(BPFTOOL) version > /dev/null 2>&1 || echo $(BPFTOOL); \
	$(PKGCONF) --exists libbpf > /dev/null 2>&1 || echo libbpf-dev))
endif
bpf := $(or $(BPF),$(if $(bpf_lacks),0,1))
export CGFS_WITH_BPF := $(bpf)
# The last goal of the command line that builds everything ends with a line about it.
bpf_note = $(if $(and $(filter 0,$(bpf)),$(bpf_lacks),$(filter $@,$(lastword \
	$(filter all bpf agent tests install %-built,$(or $(MAKECMDGOALS),all))))),\
	@echo 'built without eBPF: $(bpf_lacks) missing; "make deps" as root installs what it needs')
bpf_error = $(if $(and $(filter 1,$(bpf)),$(bpf_lacks)),$(error \
	BPF=1, but $(bpf_lacks) missing: "make deps" as root installs what it needs))

Q    := $(if $(filter 1,$(V)),,@)
say   = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

# --- flags ------------------------------------------------------------------------------------

version := $(shell sed -n 's/^\#define CGFS_VERSION "\(.*\)"/\1/p' include/cgfs/base.h)

# What a table of functions is called with is not needed by each of them: an unused parameter is no
# mistake.
warnings := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	    -Wundef -Wpointer-arith -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
ifeq ($(SAN),1)
sanitize := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
ifeq ($(FUZZ),1)
sanitize += -fsanitize=fuzzer-no-link
endif
cppflags := -Iinclude -I. -I$(O) -D_GNU_SOURCE -DCGFS_WITH_BPF=$(bpf)
cflags   := -std=gnu11 $(warnings) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
	    $(sanitize)
ldflags  := -Wl,--gc-sections $(sanitize)

compile   = $(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) $(extra_cflags)
link      = $(CC) $(sanitize) $(CFLAGS) $(ldflags) $(LDFLAGS)

# The eBPF programs are for the machine that $(CC) compiles for: its name as libbpf writes it, its
# byte order, and the directory where its compiler finds <asm/types.h>.
hash        := \#
ifeq ($(bpf),1)
target_arch := $(shell $(CC) -dumpmachine 2>/dev/null | sed -E 's/-.*//; s/^(x86_64|i.86)$$/x86/; \
	s/^aarch64.*/arm64/; s/^arm($$|[^6].*)/arm/; s/^(ppc|powerpc).*/powerpc/; s/^s390x$$/s390/; \
	s/^(mips|riscv|loongarch|sparc).*/\1/')
target_end  := $(shell $(CC) -dM -E -x c /dev/null 2>/dev/null | \
	grep -q '__BYTE_ORDER__ __ORDER_BIG' && echo eb || echo el)
target_inc  := $(shell echo '$(hash)include <asm/types.h>' | $(CC) -E -x c - 2>/dev/null | \
	sed -n 's,^$(hash) [0-9]* "\(.*\)/asm/types\.h".*,\1,p' | head -n 1)
endif
# A directory that is not there: lines of source would be a sixth of each object.
bpfflags  = -g -fdebug-compilation-dir=/- -O2 --target=bpf$(target_end) -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) \
	    -Iinclude -I. $(if $(target_inc),-I$(target_inc)) -D__TARGET_ARCH_$(target_arch)

lib_libs := -lcgroup -ljansson -lm
bpf_libs := $(if $(filter 1,$(bpf)),-lbpf -lelf -lz)

# --- what is built from what ------------------------------------------------------------------

obj      = $(patsubst %.c,$(O)/obj/%.o,$(1))
sources  = $(sort $(wildcard $(1)))
# Of a folder's files, those that define main() are programs; the others are linked into each.
open    := (
programs = $(if $(1),$(sort $(shell grep -lF 'int main$(open)' $(1) /dev/null)))

lib_src     := $(call sources,cgfs/*/*.c cgfs/*/*/*.c)
bpf_prog    := $(if $(filter 1,$(bpf)),$(call sources,bpf/*/*.bpf.c))
bpf_src     := $(if $(filter 1,$(bpf)),$(filter-out %.bpf.c,$(call sources,bpf/*/*.c)))
wire_src    := $(call sources,agent/wire/*.c)
podctl_src  := $(call sources,agent/podctl/*/*.c agent/podctl/*/*/*.c)
agent_src   := $(filter-out $(wire_src),$(call sources,agent/*/*.c))

skels       := $(patsubst bpf/%.bpf.c,$(O)/bpf/%.skel.h,$(bpf_prog))

# For users: the API and nothing else.  For us, below obj/: every function.
public      := $(if $(lib_src),$(O)/libcgfs.a) $(if $(bpf_src),$(O)/libcgfs-bpf.a)
shared      := $(if $(lib_src),$(O)/libcgfs.so.0) $(if $(bpf_src),$(O)/libcgfs-bpf.so.0)
libcgfs     := $(if $(lib_src),$(O)/obj/libcgfs.a)
libbpf      := $(if $(bpf_src),$(O)/obj/libcgfs-bpf.a)
libagent    := $(if $(agent_src),$(O)/obj/libagent.a)
libpodctl   := $(if $(podctl_src),$(O)/obj/libpodctl.a)

headers     := $(filter-out $(if $(bpf_src),,%/bpf.h),$(call sources,include/cgfs/*.h))

agent_bin   := $(if $(agent_src),$(O)/cgfs-agent)
podctl_bin  := $(if $(podctl_src),$(O)/podctl)

core_h      := $(filter-out %/bpf.h,$(wildcard include/cgfs/*.h))

# --- main targets -----------------------------------------------------------------------------

.PHONY: all lib bpf agent clean help FORCE

## all: library, eBPF objects, agent, podctl, manual pages (the default)
all: lib bpf agent man
	$(bpf_note)

## lib: libcgfs.a and libcgfs.so.0
lib: $(filter %/libcgfs.a,$(public)) $(filter %/libcgfs.so.0,$(shared))

## bpf: the eBPF objects, their skeletons and libcgfs-bpf
bpf: $(skels) $(filter %-bpf.a,$(public)) $(filter %-bpf.so.0,$(shared))
	$(bpf_note)

## agent: cgfs-agent and podctl, linked statically
agent: $(agent_bin) $(podctl_bin)
	$(bpf_note)

## clean: remove what was built
clean:
	rm -rf $(O) compile_commands.json

## help: this list
help:
	@cat Makefile docs/docs.mk tests/tests.mk | while IFS= read -r l; do case $$l in \
	'## '*) l=$${l#??}; printf '  %-22s %s\n' "$${l%%: *}" "$${l#*: }" ;; \
	esac; done

# --- rules ------------------------------------------------------------------------------------

flag_text = $(compile) | $(link) $(static) | $(CLANG) $(bpfflags) | $(BPFTOOL)
$(O)/flags: FORCE
	$(bpf_error)
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flag_text))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(flag_text))' > $@
FORCE:

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(compile) -MMD -MP -c $< -o $@

# Without DWARF, which no loader reads and which would be half of it.
$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(bpfflags) -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@.dwarf
	$(Q)$(BPFTOOL) gen object $@ $@.dwarf && rm $@.dwarf

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F) > $@

# The skeletons must be there before the first compile; after it the .d files know better.
$(call obj,$(bpf_src)): | $(skels)
# The programs' size matters more than their speed.
$(call obj,$(agent_src) $(podctl_src) $(wire_src)): extra_cflags := -Os

$(O)/obj/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^ $(weaken)

# A test that links a program's archive brings a main() of its own.
$(libagent) $(libpodctl): weaken = && $(OBJCOPY) --weaken-symbol=main $@
$(libcgfs): $(call obj,$(lib_src))
$(libbpf): $(call obj,$(bpf_src))
$(libagent): $(call obj,$(agent_src) $(wire_src))
$(libpodctl): $(call obj,$(podctl_src) $(wire_src))

# One object each, in which only the API is global: internal names cannot clash with a user's.
# libcgfs-bpf has a copy of its own of what libcgfs does not offer: errors, checks of rules.
$(O)/libcgfs.a: $(call obj,$(lib_src)) $(core_h)
bpf_obj := $(call obj,$(bpf_src) cgfs/base/err.c cgfs/base/text.c cgfs/request/device.c)
$(O)/libcgfs-bpf.a: $(bpf_obj) include/cgfs/bpf.h
$(public): tests/tools/api.awk $(O)/flags
	$(call say,AR,$@)
	$(Q)$(CC) -r -nostdlib -o $(@:.a=.o) $(filter %.o,$^)
	$(Q)awk -f tests/tools/api.awk $(filter %.h,$^) | awk '{ print $$2 }' > $@.api
	$(Q)$(OBJCOPY) --keep-global-symbols=$@.api $(@:.a=.o)
	$(Q)rm -f $@ && $(AR) rcsD $@ $(@:.a=.o)
	$(Q)rm -f $(@:.a=.o) $@.api

$(O)/libcgfs.so.0: $(call obj,$(lib_src)) cgfs/libcgfs.map
$(O)/libcgfs.so.0: so_libs = $(lib_libs)
$(O)/libcgfs-bpf.so.0: $(bpf_obj) bpf/libcgfs-bpf.map $(O)/libcgfs.so.0
$(O)/libcgfs-bpf.so.0: so_libs = -L$(O) -lcgfs -lbpf
$(shared): $(O)/flags
	$(call say,LD,$@)
	$(Q)$(link) -shared -Wl,-soname,$(@F) -Wl,--version-script=$(filter %.map,$^) \
		-Wl,-z,defs -o $@ $(filter %.o,$^) $(so_libs)
	@ln -sf $(@F) $(@:.0=)

# Static programs.  A sanitizer cannot be linked statically.
static = $(if $(filter 1,$(SAN)),,-static-pie $(relr))
# Relative relocations of a position-independent program in a tenth of the room, where the linker and
# the C library know that form.
relr  := $(shell echo 'int main(void) { return 0; }' | $(CC) -x c - -static-pie -o /dev/null \
	-Wl,-z,pack-relative-relocs -Wl,--fatal-warnings 2>/dev/null && \
	echo '-Wl,-z,pack-relative-relocs')

$(agent_bin): $(call obj,$(agent_src) $(wire_src)) $(libbpf) $(libcgfs)
$(podctl_bin): $(call obj,$(podctl_src) $(wire_src)) $(libbpf) $(libcgfs)
$(agent_bin) $(podctl_bin): $(O)/flags
	$(call say,LD,$@)
	$(Q)$(link) $(static) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs)

# --- packages ---------------------------------------------------------------------------------

deps_run   := gcc libc6-dev make pkg-config clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev \
	      libcgroup-dev libjansson-dev crun runc busybox-static jq
deps_check := libcmocka-dev g++ qemu-system-x86 cpio mandoc
deps_lint  := clang-format clang-tidy shellcheck
deps_fresh := git debootstrap debian-archive-keyring
deps_cross := gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf \
	      libc6-dev-armhf-cross musl-tools
deps_fuzz  := libclang-rt-14-dev
DEPS       ?= .ci/deps
need        = @$(DEPS) $(1)

.PHONY: deps run run-built install uninstall dist distclean

## deps: install the Debian packages that `run` and `check` need (root), or name them
deps:
	$(call need,$(deps_run) $(deps_check))

include docs/docs.mk
include tests/tests.mk

all_src     := $(lib_src) $(bpf_src) $(wire_src) $(podctl_src) $(agent_src) $(fake_src) \
	       $(kit_src) $(tap_src) $(unit_src) $(conf_src) $(tbpf_src) $(tagent_src) $(tpodctl_src) \
	       $(oci_src) $(scen_src) $(bench_src)
all_obj     := $(call obj,$(all_src) $(fuzz_src))
-include $(all_obj:.o=.d) $(patsubst bpf/%.c,$(O)/bpf/%.d,$(bpf_prog))

# --- running ----------------------------------------------------------------------------------

# What follows `deps` is a second make, which sees what `deps` has installed.
again = +@$(MAKE) --no-print-directory

## run: install what is missing, build, and show one pod through every layer
run:
	$(call need,$(deps_run))
	$(again) run-built
run-built: all $(scen_prog)
	@O=$(O) tests/scenario/run
	$(bpf_note)

# --- release ----------------------------------------------------------------------------------

# libcgfs.so.0 is installed as libcgfs.so.VERSION, with a link of each shorter name.
so_name  = $(notdir $(shared:.0=))
abi_h    = $(wildcard include/cgfs/abi/*.h)
# Every file that `install` makes.
installed = $(addprefix $(INCLUDEDIR)/,$(patsubst include/%,%,$(headers) $(abi_h))) \
	    $(addprefix $(LIBDIR)/,$(notdir $(public)) $(foreach s,$(so_name),$s $s.0 $s.$(version)) \
		$(addprefix pkgconfig/,$(pc))) \
	    $(addprefix $(BINDIR)/,$(notdir $(agent_bin) $(podctl_bin))) \
	    $(foreach m,$(notdir $(man)),$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(m)) \
	    $(foreach l,$(man_link),$(MANDIR)/man3/$(firstword $(subst =, ,$(l)))) \
	    $(addprefix $(DATADIR)/,$(complete))
pc        = libcgfs.pc $(if $(bpf_src),libcgfs-bpf.pc)
to        = $(DESTDIR)$(1)

## install: into $(DESTDIR)$(PREFIX); BINDIR, LIBDIR, INCLUDEDIR, DATADIR, MANDIR go elsewhere
install: all
	install -d $(sort $(dir $(addprefix $(DESTDIR),$(installed))))
	install -m 644 $(headers) $(call to,$(INCLUDEDIR))/cgfs
	$(if $(abi_h),install -m 644 $(abi_h) $(call to,$(INCLUDEDIR))/cgfs/abi)
	install -m 644 $(public) $(call to,$(LIBDIR))
	for s in $(so_name); do \
		install -m 755 $(O)/$$s.0 $(call to,$(LIBDIR))/$$s.$(version) && \
		ln -sf $$s.$(version) $(call to,$(LIBDIR))/$$s.0 && \
		ln -sf $$s.0 $(call to,$(LIBDIR))/$$s || exit 1; done
	umask 022; for pc in $(pc); do \
		sed -e 's,@PREFIX@,$(PREFIX),; s,@LIBDIR@,$(LIBDIR),; s,@VERSION@,$(version),' \
			-e 's,@INCLUDEDIR@,$(INCLUDEDIR),' cgfs/$$pc.in \
			> $(call to,$(LIBDIR))/pkgconfig/$$pc || exit 1; done
	for b in $(agent_bin) $(podctl_bin); do \
		install -m 755 $$b $(call to,$(BINDIR)) && \
		$(STRIP) $(call to,$(BINDIR))/$${b##*/} || exit 1; done
	for m in $(man); do install -m 644 $$m $(call to,$(MANDIR))/man$${m##*.} || exit 1; done
	umask 022; for l in $(man_link); do echo ".so man3/$${l#*=}" > $(call to,$(MANDIR))/man3/$${l%=*} || \
		exit 1; done
	for c in $(complete); do \
		install -m 644 docs/completion/$${c##*/} $(call to,$(DATADIR))/$$c || exit 1; done

## uninstall: removes exactly what `install` made
uninstall:
	rm -f $(addprefix $(DESTDIR),$(installed))
	rmdir $(call to,$(INCLUDEDIR))/cgfs/abi $(call to,$(INCLUDEDIR))/cgfs 2>/dev/null || true

## dist: $(O)/cgfs-VERSION.tar.gz of what is committed
dist:
	@mkdir -p $(O)
	git archive --prefix=cgfs-$(version)/ -o $(O)/cgfs-$(version).tar.gz HEAD
	@echo $(O)/cgfs-$(version).tar.gz

## distclean: the same as clean
distclean: clean
