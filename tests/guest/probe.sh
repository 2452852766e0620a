#!/bin/sh
# SPDX-License-Identifier: MIT
#
# probe.sh - the guest is what the cell's name promises.  Prints TAP.  Runs first in every cell, so
# that a test of the project that fails there is not chased when it is the guest that is wrong.
#
# After the TAP lines, as comments: the mounts, the controllers and the control files of this kernel
# and layout, from which docs/kernels.md is written.

n=0 failed=0
layout=$CGFS_TEST_LAYOUT variant=$CGFS_TEST_VARIANT
cg=/sys/fs/cgroup

[ "$1" != --list ] || { grep -o '^check guest_[a-z_]*' "$0" | cut -d' ' -f2; exit 0; }
check() {	# check NAME COMMAND...
	name=$1
	shift
	if [ -n "$globs" ]; then
		hit=
		for g in $globs; do
			# shellcheck disable=SC2254
			case $name in $g) hit=1 ;; esac
		done
		[ -n "$hit" ] || return 0
	fi
	n=$((n + 1))
	if "$@" > /tmp/probe.out 2>&1; then
		echo "ok $n - $name"
	else
		failed=1
		sed 's/^/# /' /tmp/probe.out
		echo "not ok $n - $name"
	fi
}
globs=
for g; do
	case $g in
	!*) ;; # everything but some tests of others
	*) globs="$globs $g" ;;
	esac
done
set -f
echo "TAP version 13"

has_v1() { [ -d $cg/"$1"/ ] && grep -q " $cg/$1 cgroup .*\b$1\b" /proc/mounts; }
unified() { sed -n 's/^[^ ]* \([^ ]*\) cgroup2 .*/\1/p' /proc/mounts | head -1; }
has_v2() { grep -qw "$1" "$(unified)/cgroup.controllers"; }

# 6.1 has v1 memory and cpuset, the others do not: for them "v1" means partial, and "hybrid" mixed.
v1_memory() { case $CGFS_TEST_KERNEL in 6.1.*) true ;; *) false ;; esac; }

layout_is_as_asked() (
	set -x
	case $layout in
	v2)
		[ "$(unified)" = $cg ] || exit 1
		! grep -q ' cgroup ' /proc/mounts || exit 1
		for c in cpu cpuset pids io; do has_v2 $c || exit 1; done
		[ "$variant" = nomem ] || has_v2 memory ;;
	v1)
		[ -z "$(unified)" ] || exit 1
		for c in cpu cpuacct pids devices freezer blkio; do has_v1 $c || exit 1; done
		if v1_memory; then has_v1 memory && has_v1 cpuset
		else ! has_v1 memory && ! has_v1 cpuset
		fi ;;
	hybrid|mixed)
		[ "$(unified)" = $cg/unified ] || exit 1
		for c in cpu cpuacct pids devices freezer blkio; do has_v1 $c || exit 1; done
		if [ $layout = hybrid ] && v1_memory; then has_v1 memory && ! has_v2 memory
		else has_v2 memory && has_v2 cpuset && ! has_v1 memory
		fi ;;
	esac
)

variant_is_as_asked() (
	set -x
	case $variant in
	'')        true ;;
	nobpflsm)  ! grep -qw bpf /sys/kernel/security/lsm ;;
	nomem)     ! has_v2 memory ;;
	dynmods)   grep -q ' cgroup2 .*favordynmods' /proc/mounts && grep -q zram0 /proc/swaps ;;
	jitharden) [ "$(cat /proc/sys/net/core/bpf_jit_harden)" = 2 ] ;;
	*)         false ;;
	esac
)

mounts_are_there() {
	for m in /proc /sys /dev /dev/pts /run /tmp /sys/fs/bpf /sys/kernel/security; do
		grep -q " $m " /proc/mounts || { echo "$m is not mounted"; return 1; }
	done
	[ -e /sys/kernel/btf/vmlinux ] && [ -b /dev/nullb0 ] && [ -e /dev/vsock ] &&
		[ -b /dev/zram0 ] && grep -qw overlay /proc/filesystems
}

cgroup_can_be_used() {
	d=$(unified)
	[ -n "$d" ] || d=$cg/pids
	mkdir "$d/probe" || return 1
	sleep 10 &
	echo $! > "$d/probe/cgroup.procs" && grep -qx $! "$d/probe/cgroup.procs"
	r=$?
	kill $!
	wait $! 2>/dev/null
	rmdir "$d/probe" && return $r
}

bpftool_runs() { bpftool prog list && bpftool btf dump id 1 | head -1 | grep -q '^\[1\]'; }

bpffs_pins() {
	bpftool map create /sys/fs/bpf/probe type array key 4 value 4 entries 1 name probe &&
		bpftool map dump pinned /sys/fs/bpf/probe && rm /sys/fs/bpf/probe
}

# crun as the agent uses it: all cgroups are the caller's business.
crun_runs_a_container() {
	b=/tmp/bundle
	mkdir -p $b/rootfs/bin $b/rootfs/proc $b/rootfs/sys $b/rootfs/dev
	cp /bin/busybox $b/rootfs/bin
	ln -sf busybox $b/rootfs/bin/sh
	(cd $b && crun spec) || return 1
	sed -i -e 's/"terminal": true/"terminal": false/' \
		-e 's/^\(\t*\)"sh"/\1"sh", "-c", "echo in a container as process $$"/' $b/config.json
	# With hybrid and mixed, crun 1.8.1 wants no cgroup2 in sight (it may see several anywhere).
	[ $layout = v2 ] || [ -z "$(unified)" ] || umount "$(unified)"
	out=$(crun --cgroup-manager=disabled run -b $b probe 2>&1)
	echo "$out"
	[ "$out" = "in a container as process 1" ]
}

check guest_layout_is_as_asked layout_is_as_asked
check guest_variant_is_as_asked variant_is_as_asked
check guest_mounts_are_there mounts_are_there
check guest_cgroup_can_be_used cgroup_can_be_used
check guest_bpftool_runs bpftool_runs
check guest_bpffs_pins bpffs_pins

# Facts, while the unified tree is still mounted.
facts() {
	uname -a
	cat /proc/cmdline
	echo "lsm: $(cat /sys/kernel/security/lsm)"
	cat /proc/cgroups
	grep cgroup /proc/mounts
	d=$(unified)
	if [ -n "$d" ]; then
		echo "cgroup.controllers: $(cat "$d/cgroup.controllers")"
		for c in $(cat "$d/cgroup.controllers"); do echo "+$c" > "$d/cgroup.subtree_control"; done
		echo "subtree_control: $(cat "$d/cgroup.subtree_control")"
		mkdir "$d/probe"
		echo "v2 files: $(ls "$d/probe" | tr '\n' ' ')"
		rmdir "$d/probe"
		for c in $(cat "$d/cgroup.controllers"); do echo "-$c" > "$d/cgroup.subtree_control"; done
	fi
	set +f
	for d in $cg/*/; do
		d=${d%/}
		grep -q " $d cgroup " /proc/mounts || continue
		mkdir "$d/probe"
		echo "v1 ${d##*/} files: $(find "$d/probe" -type f -exec basename {} \; | sort | grep -v -e '^notify' -e '^tasks' \
			-e '^cgroup\.' | tr '\n' ' ')"
		rmdir "$d/probe"
	done
	set -f
	echo "jit: enable=$(cat /proc/sys/net/core/bpf_jit_enable)" \
		"harden=$(cat /proc/sys/net/core/bpf_jit_harden)" \
		"unprivileged=$(cat /proc/sys/kernel/unprivileged_bpf_disabled)"
	echo "psi: $(cat /proc/pressure/memory 2>&1 | head -1)"
}
[ -n "$globs" ] || facts 2>&1 | sed 's/^/# /'

check guest_crun_runs_a_container crun_runs_a_container

echo "1..$n"
exit $failed
