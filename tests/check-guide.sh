#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-guide - the code of docs/guide.md, put together, compiles against the build, and as root does
# on this kernel what the guide says: in a pods root and a pin directory of its own, both gone
# afterwards.
set -u
. "${0%/*}/tools/tap.sh"

O=${O:-build}
if [ ! -e "$O/libcgfs-bpf.a" ]; then
	skip "the guide" "built without BPF"
	finish
fi
id=cgfs-guide-$$
root=/$id pins=/sys/fs/bpf/$id
tmp=$(mktemp -d)

# What the library would remove, without it: processes and directories in each hierarchy, pins.
directories() {
	while read -r _ at type _; do
		case $type in cgroup|cgroup2) [ -d "$at$root" ] && echo "$at$root" ;; esac
	done < /proc/mounts
	[ ! -d "$pins" ] || echo "$pins"
}
sweep() {
	local at
	for at in $(directories); do
		[ "$at" != "$pins" ] || continue
		find "$at" -name cgroup.procs -exec cat {} + 2>/dev/null |
			while read -r pid; do kill -9 "$pid" 2>/dev/null; done
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			find "$at" -depth -type d -exec rmdir {} + 2>/dev/null
			[ -d "$at" ] || break
			sleep 0.1
		done
	done
	rm -rf "$pins" "$tmp"
}
trap sweep EXIT

awk '/^```c$/ { code = 1; printf "#line %d \"docs/guide.md\"\n", FNR + 1; next }
	/^```$/ { code = 0 }
	code' docs/guide.md > "$tmp/guide.c"
log=$(${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -Iinclude -o "$tmp/guide" "$tmp/guide.c" \
	"$O/libcgfs-bpf.a" "$O/libcgfs.a" -lbpf -lelf -lz -lcgroup -ljansson 2>&1)
empty "the guide compiles" "$log"
if [ -n "$log" ] || [ "$(id -u)" != 0 ]; then
	[ -n "$log" ] || skip "the guide runs" "needs root"
	finish
fi

"$tmp/guide" "$root" "$pins" > "$tmp/out" 2> "$tmp/err"
status=$?
left=$(directories)
empty "the guide runs" "$([ $status = 0 ] || echo "status $status"; cat "$tmp/err"
	[ $status = 0 ] || cat "$tmp/out")"
empty "it leaves nothing" "$left"

# said NAME PATTERN: a line of its output
said() { empty "$1" "$(grep -qE "$2" "$tmp/out" || echo "no line with $2")"; }
said "it finds the layout" '^layout (v1|hybrid|mixed|v2)$'
said "a device is denied" '^kmsg is denied$'
said "and allowed by a new list" '^kmsg is open$'
quota=$(find /sys/fs/cgroup -maxdepth 2 \( -name cpu.max -o -name cpu.cfs_quota_us \) 2>/dev/null | head -n 1)
if [ -n "$quota" ]; then
	said "the limits in force are read back" '^quota 400000 us$'
	said "by the names by which they are set" '"limits":\{.*"cpu_quota_us":400000,'
else
	skip "the limits in force are read back" "no cpu controller with a quota"
fi
without=$(sed '/^layout/q' "$tmp/out" | grep '^without eBPF')
if [ -n "$without" ]; then
	skip "a denial is reported" "$without"
else
	said "a denial is reported" '"device_denied".*"web".*"c2"'
fi
if grep -q '^memory: ' "$tmp/out"; then
	said "a threshold is reported" '"memory_threshold".*"web".*"threshold_bytes":33554432'
	said "an OOM kill is reported" '"oom_kill".*"web".*"c2"'
else
	skip "a threshold and an OOM kill are reported" "no memory controller"
fi
said "after a restart the pod is found" '^found web$'
said "with its containers" '^found c2$'
said "and its process" "^1 processes in $root/web/c1$"
said "a removal is reported" '"removed".*"web".*"c1"'
finish
