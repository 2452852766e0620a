#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_doctor.sh - `podctl doctor` prints its whole table on hosts that are a little different, as
# root and as an ordinary user, and pods land where they belong: each in a private mount namespace.
# shellcheck disable=SC1091,SC2154,SC2016,SC2164 # the commands are for other shells
set -u
. "${0%/*}/lib.sh"

chmod 755 "$tmp"
cp "$podctl" "$tmp/podctl"
bin=$tmp/podctl
export bin root pins tmp

# inside COMMANDS: runs them in a mount namespace of its own
inside() {
	timeout 60 unshare -m --propagation private bash -ec "$1" > "$tmp/out" 2> "$tmp/err" ||
		wrong "$1: status $?: $(cat "$tmp/out" "$tmp/err")"
	out=$(cat "$tmp/out")
}
doctor='"$bin" doctor --probe --root "$root" --pin-dir "$pins"'
user='setpriv --reuid=65534 --regid=65534 --clear-groups '
prints() { grep -Eq -- "$1" "$tmp/out" || wrong "no line \"$1\" in: $out"; }
# The table is whole: each controller twice, what was tried, and every failure has its words.
whole() {
	local name
	for name in cpu memory pids cpuset devices freezer; do
		prints "^$name +(v1|v2|--) "
		prints "^controller.$name +(ok|missing|--) "
	done
	for name in create limit.memory limit.pids stat.cpu.usage freeze cgroup2.tree; do
		prints "^$name +(ok|missing|--)"
	done
	prints '^bpf'
	! grep -E '^[a-z0-9._]+ +(missing|--) *$' "$tmp/out" || wrong "no reason in: $out"
	[ ! -s "$tmp/err" ] || wrong "stderr: $(cat "$tmp/err")"
}
# The mount point of a controller that is on v1 here.
v1() { awk -v c="$1" '$(NF - 2) == "cgroup" && index("," $NF ",", "," c ",") { print $5; exit }' /proc/self/mountinfo; }
# What reading could change: the directories and files of our root, and the pins.
state() {
	find /sys/fs/cgroup -path "*$root*" -printf '%p %C@\n' 2>/dev/null
	find "$pins" -printf '%p %C@\n' 2>/dev/null
}
need_v1() {
	as_root
	at=$(v1 "$1")
	[ -n "$at" ] || { echo "$1 is not on v1 here"; exit 77; }
	export at
}

t_whole_for_root_and_for_a_user() {
	as_root
	inside "$doctor"; whole; prints '^create +ok'
	inside "$user $doctor"; whole; prints '^create +missing +.*Permission denied'
	prints '^ +run as root, or give --root'
	clean
}

# Without --probe nothing changes, as root and as an ordinary user, and the table is whole.
t_reading_changes_nothing() {
	as_root
	local read='"$bin" doctor --root "$root" --pin-dir "$pins"' before
	before=$(state)
	inside "mount -t tmpfs none /run; $read; find /run -mindepth 1 | grep . && exit 1; true"
	whole; prints '^create +-- +not tried'; prints 'doctor --probe'
	inside "$user $read"; whole; prints '^create +-- +not tried'
	[ "$(state)" = "$before" ] || wrong "it was $before, it is $(state)"
	"$bin" --no-agent create a --root "$root" --pin-dir "$pins" > /dev/null
	before=$(state)
	inside "$read"; whole; prints '^bpf'
	[ "$(state)" = "$before" ] || wrong "it was $before, it is $(state)"
	"$bin" --no-agent rm a --root "$root" --pin-dir "$pins" > /dev/null
	clean
}

t_read_only_mounts() {
	as_root
	local mounts read='"$bin" doctor --root "$root" --pin-dir "$pins"' all='for m in $(awk "\$5 ~ \"^/sys/fs/cgroup\" { print \$5 }" /proc/self/mountinfo); do
		mount -o remount,bind,ro "$m"; done;'
	inside "$all $doctor"; whole; prints '^create +missing +.*Read-only'; prints 'remount,bind,rw'
	inside "$all $user $doctor"; whole
	# Reading alone shows it.
	inside "$all $read"; whole; prints '^controller.* +missing +.*read-only'; prints 'remount,bind,rw'
	mounts=$(v1 memory)
	if [ -n "$mounts" ]; then
		inside "mount -o remount,bind,ro $mounts; $doctor"; whole; prints '^create +ok'
		prints '^controller.memory +missing +.*read-only'; prints 'remount,bind,rw'
		inside "mount -o remount,bind,ro $mounts; $read"; whole; prints '^controller.pids +ok'
		prints '^controller.memory +missing +.*read-only'; prints 'remount,bind,rw'
		inside "mount -o remount,bind,ro $mounts; $user $doctor"; whole
	fi
	clean
}

# One hierarchy that is read-only is as one that belongs to another; the failure of all is one line,
# and at once.
t_read_only_mounts_and_pods() {
	as_root
	local run='"$bin" --no-agent run --root "$root" --pin-dir "$pins" --pod' started
	local all='for m in $(awk "\$5 ~ \"^/sys/fs/cgroup\" { print \$5 }" /proc/self/mountinfo); do
		mount -o remount,bind,ro "$m"; done;'
	"$bin" --no-agent create a --root "$root" --pin-dir "$pins" > /dev/null
	started=$SECONDS
	inside "$all ! $run b -- true 2>&1"
	prints 'mkdir .*/b: Read-only file system'; [ "$(wc -l < "$tmp/out")" = 1 ] || wrong "$out"
	inside "$all"' ! "$bin" --no-agent rm a --root "$root" --pin-dir "$pins" 2>&1'
	prints 'remove "a": .*Read-only file system'; [ "$(wc -l < "$tmp/out")" = 1 ] || wrong "$out"
	[ $((SECONDS - started)) -lt 8 ] || wrong "it took $((SECONDS - started)) s"
	"$bin" --no-agent rm a --root "$root" --pin-dir "$pins" > /dev/null
	clean
	at=$(v1 memory)
	[ -n "$at" ] || return 0
	export at
	inside "mount -o remount,bind,ro $at; $run a -- cat /proc/self/cgroup"
	prints ":pids:$root/a/"; ! grep ":memory:$root" "$tmp/out" || wrong "$out"
	inside "mount -o remount,bind,ro $at; ! $run a --memory 64M -- true 2>&1"
	prints 'the hierarchy of the memory controller is mounted read-only'
	clean
}

# Neither a lock nor a record can be had there, nor a mount point for a cgroup2 tree.
t_read_only_run() {
	as_root
	local pod='--root "$root" --pin-dir "$pins"' u
	inside 'mount -t tmpfs -o ro none /run; "$bin" run --pod a '"$pod"' -- echo ran
		"$bin" create b '"$pod"'; "$bin" ls '"$pod"'; "$bin" rm b '"$pod"'
		echo {} | "$bin" apply --pin-dir "$pins" - "$root/c" > /dev/null
		"$bin" apply --remove "$root/c" --pin-dir "$pins"; '"$doctor"
	prints '^ran'; prints '^create +ok'; whole
	u=$(awk '$(NF - 2) == "cgroup2" { print $5; exit }' /proc/self/mountinfo)
	if [ -n "$u" ] && [ -n "$(v1 devices)" ]; then
		inside "umount $u"'; mount -t tmpfs -o ro none /run; "$bin" run --pod a '"$pod"' -- echo ran 2>&1'
		prints '^ran'
	fi
	clean
}

t_no_cgroups_at_all() {
	as_root
	inside "umount -R /sys/fs/cgroup; $doctor"
	prints '^layout +none'; prints '^cgroups +missing +.*none is mounted'; prints '^memory +--'
	prints '^ +mount -t cgroup2'
	inside "mount -t tmpfs none /sys/fs/cgroup; $doctor"
	prints '^mount +missing +.*another file system is mounted over it'
	clean
}

t_a_mount_that_is_covered_is_left_out() {
	need_v1 memory
	inside "mount -t tmpfs none $at; $doctor"; whole
	prints "^mount +missing +$at: another file system is mounted over it"
	prints '^create +ok'; prints '^limit.pids +ok'
	inside "mount -t tmpfs none $at; $user $doctor"; whole
	inside "mount -t tmpfs none $at; "'"$bin" --no-agent create a --root "$root" --pin-dir "$pins"
		! "$bin" --no-agent create b --memory 64M --root "$root" --pin-dir "$pins" 2>&1
		"$bin" --no-agent rm --all --root "$root" --pin-dir "$pins"'
	prints 'the memory controller cannot be used: .*another file system is mounted over it'
	clean
}

t_a_hidden_cgroup2_mount_is_left_out() {
	as_root
	mkdir "$tmp/u"
	inside 'mount -t cgroup2 a "$tmp/u"; mount --bind "$tmp/u" "$tmp/u"; '"$doctor"
	whole; prints '^create +ok'; prints "^mount +missing +$tmp/u: another cgroup mount hides it"
	clean
}

t_a_part_that_is_mounted_first_is_not_the_whole() {
	need_v1 memory
	mkdir -p "$tmp/part"
	# The whole is mounted again behind the part.
	inside 'mkdir "$at$root.part"; mount --bind "$at$root.part" "$tmp/part"; umount "$at"
		mount -t cgroup -o memory cgroup "$at"
		"$bin" --no-agent run --pod a --root "$root" --pin-dir "$pins" -- cat /proc/self/cgroup
		umount "$tmp/part"; rmdir "$at$root.part"'
	prints ":memory:$root/a/"; prints ":pids:$root/a/"
	[ "$(grep -c ":$root/a/" "$tmp/out")" = "$(grep -Fc "$root" "$tmp/out")" ] || wrong "$out"
	clean
}

t_the_root_of_a_namespace_with_processes_in_it() {
	as_root
	local u
	u=$(awk '$(NF - 2) == "cgroup2" { print $5; exit }' /proc/self/mountinfo)
	[ -n "$u" ] && grep -q . "$u/cgroup.controllers" || { echo "no cgroup2 controllers"; exit 77; }
	export u
	mkdir "$u$root.ns"
	inside 'echo $$ > "$u$root.ns/cgroup.procs"
		unshare -C -m sh -c "umount $u; mount -t cgroup2 none $u;'"${doctor//\"/\\\"}"'"'
	rmdir "$u$root.ns"
	whole
	prints '^create +missing'; prints 'move the processes of the cgroup above'
	clean
}

t_a_threaded_parent() {
	as_root
	local u long
	u=$(awk '$(NF - 2) == "cgroup2" { print $5; exit }' /proc/self/mountinfo)
	[ -n "$u" ] || { echo "no cgroup2 tree"; exit 77; }
	# The reason is there although the path is long, and the list of controllers with it.
	long=$root.$(printf '%070d' 0)
	mkdir "$u$long"
	echo threaded > "$u$long/cgroup.type"
	inside "\"\$bin\" doctor --probe --root '$long/pods' --pin-dir \"\$pins\""
	rmdir "$u$long"
	whole
	prints '^create +missing'; prints 'not threaded'; prints 'cgroup.type is "threaded"'
	# The one above a threaded cgroup.
	mkdir -p "$u$long/t"
	echo threaded > "$u$long/t/cgroup.type"
	inside "\"\$bin\" doctor --probe --root '$long/pods' --pin-dir \"\$pins\""
	rmdir "$u$long/t" "$u$long"
	whole
	prints '^create +missing'; prints 'not threaded'; prints 'cgroup.type is "domain threaded"'
	clean
}

# Where the v1 hierarchy is free, as in a guest; another one would keep its options.
t_cpuset_without_prefix_costs_cpuset_alone() {
	need_v1 cpuset
	mkdir -p "$tmp/cpuset"
	timeout 20 unshare -m --propagation private sh -c "umount $at && mount -t cgroup -o cpuset,noprefix none $tmp/cpuset &&
		[ -e $tmp/cpuset/cpus ]" 2> /dev/null || { echo "cpuset is in use"; exit 77; }
	inside 'umount "$at"; mount -t cgroup -o cpuset,noprefix none "$tmp/cpuset"; '"$doctor"'
		"$bin" --no-agent create a --memory 64M --root "$root" --pin-dir "$pins"
		! "$bin" --no-agent create b --cpuset-cpus 0 --root "$root" --pin-dir "$pins" 2>&1
		"$bin" --no-agent rm --all --root "$root" --pin-dir "$pins"'
	whole
	prints '^create +ok'; prints '^cpuset +--'; prints '^controller.cpuset +missing +.*noprefix'
	prints 'the cpuset controller cannot be used: .*noprefix'
	clean
}

run_tests "$@"
