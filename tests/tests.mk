# SPDX-License-Identifier: MIT
#
# tests.mk - test programs, benchmarks, fuzzers, and the targets that run them.  Included by the
# Makefile at the top, which has the flags, the libraries and the rules for objects.

# --- what is built from what ------------------------------------------------------------------

fake_src    := $(call sources,tests/fake/*.c)
kit_src     := $(call sources,tests/kit/*.c)
tap_src     := $(call sources,tests/tap.c tests/tap_main.c)
unit_src    := $(call sources,tests/unit/*.c)
conf_src    := $(call sources,tests/conformance/*.c)
tbpf_src    := $(if $(filter 1,$(bpf)),$(call sources,tests/bpf/*.c))
tagent_src  := $(call sources,tests/agent/*.c)
tpodctl_src := $(call sources,tests/podctl/*.c)
oci_src     := $(call sources,tests/oci/*.c)
scen_src    := $(call sources,tests/scenario/*.c)
bench_src   := $(call sources,tests/bench/*.c)
fuzz_src    := $(call sources,tests/fuzz/*.c)

libfake     := $(if $(fake_src),$(O)/obj/libfake.a)
libkit      := $(if $(kit_src),$(O)/obj/libkit.a)
libtap      := $(if $(tap_src),$(O)/obj/libtap.a)

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

# --- rules ------------------------------------------------------------------------------------

$(call obj,$(tbpf_src)): | $(skels)
$(libfake): $(call obj,$(fake_src))
$(libkit): $(call obj,$(kit_src))
$(libtap): $(call obj,$(tap_src))

# Test programs: own object, the folder's helpers, then the libraries they may need; libtap first,
# so that main() is that of tests/tap_main.c and not that of the agent or of podctl.
test_libs := $(libkit) $(libtap) $(libfake) $(libbpf) $(libcgfs)
link_test  = $(link) $(wrap) -o $@ $(filter %.o %.a,$^) $(bpf_libs) $(lib_libs) -lcmocka
helpers    = $(call obj,$(filter-out tests/$(1)/test_%,$(call sources,tests/$(1)/*.c)))

$(unit_prog): $(O)/%: $(O)/obj/%.o $(call helpers,unit) $(test_libs)
$(O)/tests/unit/test_events: wrap := -Wl,--wrap=malloc
$(tbpf_prog): $(O)/%: $(O)/obj/%.o $(call helpers,bpf) $(test_libs)
$(O)/tests/bpf/test_admission: wrap := -Wl,--wrap=bpf_prog_attach -Wl,--wrap=epoll_ctl \
	-Wl,--wrap=bpf_map_delete_elem
$(tagent_prog): $(O)/%: $(O)/obj/%.o $(call helpers,agent) $(libkit) $(libtap) $(libagent) $(test_libs)
$(tpodctl_prog): $(O)/%: $(O)/obj/%.o $(call helpers,podctl) $(libtap) $(libpodctl) $(test_libs)
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

.PHONY: tests fakes check check-built check-all check-all-built check-fresh check-fakes check-root
.PHONY: check-guest check-guest-built guest-shell guest-image admit-table check-image check-image-built bench bench-built bench-guest bench-guest-built
.PHONY: check-build check-cross check-cross-built check-headers check-abi check-docs check-compat
.PHONY: check-mapping check-kernels check-guide check-bpf check-tree check-layers check-install check-san
.PHONY: lives lives-built fuzz fuzz-built lint lint-built tidy format compile_commands.json check-transcripts transcripts
## tests: every test program and benchmark, without running them
tests: $(test_progs) $(scen_prog) $(bench_prog)
	$(bpf_note)

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
		$(bench_guest:%=%:600)

# --- tests ------------------------------------------------------------------------------------

root    := $(shell [ "$$(id -u)" = 0 ] && echo 1)
# Those that only read and compile, and what waits for most of its time, run beside others.
checks  := $(foreach c,build headers abi docs compat mapping kernels bpf tree layers, \
		     '&tests/check-$(c).sh') \
	   $(foreach c,install guide transcripts,tests/check-$(c).sh)
waits   := $(patsubst %,$(O)/tests/agent/test_%,stream transcripts adopt bounds made)
# What tests the runner itself waits for time to pass: beside others, in check-all.
patience := tests/unit/test_patience.sh
scripts := $(filter-out $(patience),$(call sources,tests/unit/test_*.sh tests/agent/test_*.sh tests/podctl/test_*.sh tests/guest/selftest))
# Tests of the kernel side need root, all of them; elsewhere a test that needs it says so.
plain   := $(waits:%='&%') $(filter-out $(waits),$(unit_prog) $(tagent_prog) $(tpodctl_prog)) $(scripts)
as_root := $(if $(root),$(tbpf_prog) $(call sources,tests/bpf/test_*.sh) \
	   '$(conf_prog) live/* !live/watch_*' '&$(conf_prog) live/watch_*' '$(oci_prog) live/*')
# The same once more with sanitizers, as far as no kernel is involved.  Without -Werror: the
# sanitizers make gcc see overflows that are not there.
san_prog := $(patsubst $(O)/%,$(O)/san/%,$(unit_prog) $(tagent_prog) $(tpodctl_prog))
# on_fakes FOLDER[,GLOB]: the suites on all fakes, side by side.
on_fakes  = $(foreach l,v1 hybrid mixed v2,'&$(1)/tests/conformance fake-$(l)/* $(2)') \
	    '&$(1)/tests/oci !live/*'
# The same in a few seconds: the fault sweeps, which are nearly all of the time, on two kernels only.
quick_fakes = $(foreach l,v1 hybrid mixed v2,'&$(conf_prog) fake-$(l)/* !*/fault_*') \
	      '&$(conf_prog) fake-v1-6.1/fault_*' '&$(conf_prog) fake-v2-7.2/fault_*' \
	      '&$(O)/tests/oci !live/*'
# 6.12 sweeps every errno in three varieties, which takes ten times as long under sanitizers; of 6.1
# and 7.2, which visit the same places, one for each layout.
on_san    = $(call on_fakes,$(O)/san,!fake-*-6.12/fault_* !fake-v1-7.2/fault_* !fake-hybrid-7.2/fault_* \
	    !fake-mixed-6.1/fault_* !fake-v2-6.1/fault_*)
# The agent's figures are for a machine, not for an emulated one.
bench_guest = $(filter-out %/agent,$(bench_prog))
# What runs in a guest, and for how long at most; /bin has the programs, /tests the tests.
guest_prog = -a $(agent_bin)=/bin/cgfs-agent -a $(podctl_bin)=/bin/podctl \
	     $(conf_prog):600 $(tbpf_prog:%=%:600) $(tagent_live:%=%:600) \
	     $(foreach t,$(wildcard tests/agent/transcripts/*.json),-a $t=/$t)
guest_oci  = $(foreach c,$(wildcard tests/oci/cases/*.json),-a $(c)=/oci/$(notdir $(c))) \
	     $(oci_prog):600
# OOM kills in three of the cells: 10 ms of processor time each.
STORM ?= 10000
guest_storm = -a $(O)/storm=/storm tests/guest/storm.sh:1500
# The image of docs/guest-image.md, with the agent as process 1, on each kernel and ended in each way.
guest_image = tests/guest/test_image
guest_images = $(guest_image) 7.2/v2/poweroff 7.2/error 6.12/mixed/INT 6.1/v1/TERM
tagent_live = $(filter-out %/test_parts %/test_loop %/test_dial %/test_bridge,$(tagent_prog))
export O SAN CC CLANG BPFTOOL WERROR

# What `check` leaves out, and says so: each takes minutes of processor time.
left_out := the fault sweeps of the other ten simulated kernels, everything simulated under sanitizers, \
	    the guests with 6.1 and 6.12 and the slower half of that with 7.2
not_root := not root: tests/bpf, the suite on this kernel and containers are left out, too

## check: install what is missing, build, run what finds most in five minutes
check:
	$(call need,$(deps_run) $(deps_check))
	$(again) check-built
check-built: all tests
	@JOBS=$$(($$(nproc) + 2)) CGFS_STORM_EXECS=$${CGFS_STORM_EXECS:-50} \
		tests/run -o $(O)/tests/result \
		-n 'left out: $(left_out); make check-all runs them$(if $(root),,; $(not_root))' \
		'&tests/guest/matrix --tap --quick --kernel 7.2 --layout v2 $(guest_prog)' \
		$(checks) $(plain) $(as_root) '&$(guest_image) 7.2/v2/poweroff' $(quick_fakes)
	$(bpf_note)

## check-all: run every test that this machine can run, and three guests (GUESTS=0: none)
check-all:
	$(call need,$(deps_run) $(deps_check))
	$(again) check-all-built
check-all-built: all tests
	$(again) O=$(O)/san SAN=1 WERROR=0 CFLAGS='-O1 -g' fakes
	@tests/run -o $(O)/tests/result $(if $(root),,-n '$(not_root)') \
		$(checks) $(plain) $(as_root) '&$(patience)' $(call on_fakes,$(O)) $(san_prog) $(on_san) \
		$(if $(filter 0,$(GUESTS)),,'tests/guest/matrix --tap --quick $(guest_prog)' \
		'&$(guest_images)')
	$(bpf_note)

## check-fresh: each command of README.md on a bare Debian with only git and make (root)
check-fresh:
	$(call need,$(deps_fresh))
	@tests/check-fresh.sh

fakes: $(unit_prog) $(tagent_prog) $(tpodctl_prog) $(conf_prog) $(oci_prog)

## check-fakes: only the tests that need no kernel (BUT=!GLOB leaves some out)
check-fakes: all fakes
	@tests/run $(unit_prog) $(tagent_prog) $(tpodctl_prog) $(call on_fakes,$(O),$(BUT))

## check-root: only the tests on this machine's kernel (root)
check-root: all tests
	@tests/run $(tagent_prog) $(as_root)

## check-san: the tests that need no kernel, with address and undefined-behaviour sanitizer
check-san:
	$(again) O=$(O)/san SAN=1 WERROR=0 CFLAGS='-O1 -g' fakes
	@tests/run $(san_prog) $(on_san)

## check-build: what one make finds out does not bind the next; BPF=, CC= and CLANG= do what they say
## check-headers: each public header compiles alone, as C11 and as C++
## check-abi: headers, version script and library agree
## check-docs: every function of the API has a comment; the manual pages are whole
## check-compat: every row of docs/gcs-compat.md names tests that exist
## check-mapping: docs/mapping.md and the sources name the same
## check-kernels: docs/kernels.md and what was recorded on kernels say the same
## check-guide: the code of docs/guide.md compiles, and as root runs
## check-transcripts: every transcript of README.md and docs/ is what its commands print; root
## check-bpf: names of maps and programs fit, maps are typed
## check-tree: licence lines, sizes, names
## check-layers: folders use each other in the order of tests/layers only
## check-install: installs into $(O)/stage, compiles docs/example.c against it, uninstalls
## check-cross: all sources compile for aarch64, for a 32-bit processor and against musl
check-cross:
	$(call need,$(deps_run) $(deps_cross))
	$(again) check-cross-built
check-cross-built: $(skels)
	@tests/run tests/check-cross.sh

check-build check-headers check-docs check-compat check-mapping check-kernels check-tree:
	@tests/run tests/$@.sh
check-abi check-bpf check-layers check-install check-guide check-transcripts: all
	@tests/run tests/$@.sh

## transcripts: write anew what the commands of README.md and docs/ print; root
transcripts: all
	tests/check-transcripts.sh --write

## check-guest: the tests on real kernels 6.1, 6.12 and 7.2 in QEMU (K=, L=, T= choose)
check-guest:
	$(call need,$(deps_run) $(deps_check))
	$(again) check-guest-built
check-guest-built: all tests
	@echo $(STORM) > $(O)/storm
	@tests/guest/matrix --seconds 1200 $(guest_flags) $(guest_prog) $(guest_oci) $(guest_storm)

## check-image: the guest image, on each kernel and ended in each way
check-image:
	$(call need,$(deps_run) $(deps_check))
	$(again) check-image-built
check-image-built: all
	@tests/run '$(guest_images)'

## guest-image: an initramfs with the agent as process 1, and how to boot it (K=7.2)
guest-image: all
	@tests/guest/image/build $(or $(K),7.2)

## admit-table: the table of docs/memory.md, made in a guest (K=7.2 L=v2)
admit-table: all tests
	@tests/guest/admit-table $(or $(K),7.2) $(or $(L),v2)

## guest-shell: a shell in a guest (K=7.2 L=v2), tests in /tests, agent and podctl on the path
guest-shell: all tests
	@tests/guest/shell $(or $(K),7.2) $(or $(L),v2) $(guest_prog)

## lives: random lives of pods with the agent killed between them (MINUTES=10 SEED=)
lives:
	$(call need,$(deps_run) $(deps_check))
	$(again) lives-built
lives-built: $(O)/tests/agent/test_lives
	@CGFS_LIVES_SECONDS=$$(($(or $(MINUTES),10) * 60)) \
		CGFS_LIVES_SEED=$(or $(SEED),$$$$) $< 'random_lives*'

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

## lint: clang-format, clang-tidy, shellcheck
lint:
	$(call need,$(deps_run) $(deps_lint))
	$(again) lint-built
lint-built: $(skels)
	@tests/run tests/check-format.sh tests/check-tidy.sh tests/check-shell.sh

## tidy: clang-tidy alone
tidy: $(skels)
	@tests/run tests/check-tidy.sh

## format: rewrite the C sources as .clang-format says
format:
	clang-format -i $(all_c)

all_c = $(sort $(wildcard $(addsuffix /*.[ch],include/cgfs include/cgfs/* cgfs/* cgfs/*/* bpf/* \
	agent/* agent/podctl/* agent/podctl/*/* tests tests/* docs)))
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
