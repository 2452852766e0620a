#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # what containers expand is not for us to expand
#
# test_podctl_agent [--list | NAME...] - podctl by way of an agent that each test starts for
# itself, with real containers on a busybox root file system.  Needs root.
set -u
. "${0%/*}/lib.sh"

# Every process that a test starts ends with it, whatever happens.
with_agent() {	# with_agent [v3]: one that was not told to speak version 4
	local version=-v4
	[ "${1:-}" != v3 ] || version=
	as_root
	[ -x "$O/cgfs-agent" ] || { echo "cgfs-agent is not built"; exit 77; }
	[ -x /bin/busybox ] || { echo "busybox-static is missing"; exit 77; }
	command -v crun > /dev/null || command -v runc > /dev/null ||
		{ echo "an OCI runtime is missing"; exit 77; }
	[ -d "$tmp/rootfs" ] || {
		mkdir -p "$tmp/rootfs/bin"
		cp /bin/busybox "$tmp/rootfs/bin"
		for applet in sh cat dd echo sleep kill mknod true id; do
			ln -s busybox "$tmp/rootfs/bin/$applet"
		done
	}
	"$O/cgfs-agent" $version -listen "unix:$tmp/sock" -root "$root" -pin-dir "$pins" \
		-state-dir "$tmp/state" -delete-on-exit 2> "$tmp/log" &
	agent=$!
	trap 'kill $agent 2> /dev/null; wait' EXIT
	local tries=100
	until [ -S "$tmp/sock" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || wrong "the agent does not listen: $(cat "$tmp/log")"
		sleep 0.05
	done
	export CGFS_AGENT=unix:$tmp/sock
}
end_agent() {
	trap - EXIT
	kill $agent
	wait $agent || wrong "the agent's status is $?: $(cat "$tmp/log")"
	rm -f "$tmp/sock"
	[ -z "$(grep "$tmp" /proc/self/mountinfo)" ] || wrong "a mount is left"
	clean
}
r() { "$podctl" run --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" "$@"; }

t_agent_run_exits_as_its_command() {
	with_agent
	expect 0 r --pod t -- true
	expect 7 r --pod t -- sh -c 'exit 7'
	expect 137 r --pod t -- sh -c 'sh -c "kill -9 \$\$"; exit $?'
	expect 125 r --pod t -- /bin/none; says "/bin/none"
	expect 2 p run --pod t -- true; says "--rootfs"
	expect 125 p run --pod t --rootfs "$tmp/none" -- true; says "$tmp/none"
	end_agent
}

t_agent_run_passes_streams() {
	with_agent
	out=$(echo in | r --pod t -- sh -c 'cat; echo "$1|$2" >&2' sh 'a b' '' 2> "$tmp/err")
	[ "$out" = in ] || wrong "stdout: $out"
	[ "$(cat "$tmp/err")" = 'a b|' ] || wrong "stderr: $(cat "$tmp/err")"
	end_agent
}

t_agent_run_passes_signals_on() {
	with_agent
	"$podctl" run --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" --pod t -- \
		sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done' > "$tmp/up" &
	local pid=$! status=0
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill -USR1 $pid
	wait $pid || status=$?
	[ $status = 9 ] || wrong "status $status"
	end_agent
}

t_agent_run_is_in_every_hierarchy_and_under_its_limits() {
	with_agent
	expect 0 p create t --memory 32M --pids 8
	expect 0 r --pod t --name c1 --memory 16M -- cat /proc/self/cgroup
	grep -v name= "$tmp/out" | grep -v "$root/t/c1$" && wrong "outside of the container: $out"
	expect 0 r --pod t --name c1 --detach --memory 16M --cpus 0.5 -- sleep 1000
	json 0 '.stats.memory.max' 16777216 p stat --json t/c1
	json 0 '.stats.cpu.quota' 50000 p stat --json t/c1
	json 0 '.stats.memory.max' 33554432 p stat --json t
	json 0 '.stats.pids.max' 8 p stat --json t
	json 0 '.stats.limits.pids_max' 8 p stat --json t
	json 0 '.stats.native["pids.events"].max' 0 p stat --json t
	json 0 '.pods[0].containers[0].state' running p ls --json
	expect 0 p rm t/c1
	json 0 '.pods[0].containers' '[]' p ls --json
	expect 0 p rm t
	[ -z "$(find "$tmp/bundles" -type f 2> /dev/null)" ] || wrong "a bundle is left"
	end_agent
}

t_agent_run_says_what_went_wrong_inside() {
	with_agent
	expect 137 r --pod t --name c2 --memory 16M -- dd if=/dev/zero of=/dev/null bs=200M count=1
	says "t/c2: killed for lack of memory: pid "
	says "at the container's memory limit of 16.0 MiB"
	expect 1 r --pod t --name c1 -- sh -c 'mknod /dev/kmsg c 1 11; cat /dev/kmsg'
	says "Operation not permitted"
	says "t/c1: device denied: char 1:11 read, pid "
	# No driver has it: without the rule it is EPERM, with it ENXIO or ENODEV.
	expect 1 r --pod t -- sh -c 'mknod /dev/x c 10 99; exec 3< /dev/x'
	says "Operation not permitted"
	expect 1 r --pod t --device 'c 10:99 r' -- sh -c 'mknod /dev/x c 10 99; exec 3< /dev/x'
	says "No such device"
	end_agent
}

t_agent_tells_every_subscriber() {
	with_agent
	p events --json --count 1 --timeout 10 > "$tmp/e1" &
	local one=$!
	p events --json --count 1 --timeout 10 > "$tmp/e2" &
	local two=$!
	# A subscription cannot be seen from outside: repeat until both have heard.
	while kill -0 $one 2> /dev/null || kill -0 $two 2> /dev/null; do
		r --pod t -- sh -c 'mknod /dev/kmsg c 1 11; cat /dev/kmsg' > /dev/null 2>&1
	done
	wait $one || wrong "the first heard nothing"
	wait $two || wrong "the second heard nothing"
	grep -q '"type":"device_denied"' "$tmp/e1" || wrong "$(cat "$tmp/e1")"
	grep -q '"type":"device_denied"' "$tmp/e2" || wrong "$(cat "$tmp/e2")"
	end_agent
}

t_agent_sandbox_waits_until_removed() {
	! ldd "$podctl" > /dev/null 2>&1 || { echo "podctl is not static"; exit 77; }
	with_agent
	expect 0 p create t --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" --memory 32M
	json 0 '.state' running p stat --json t/t
	json 0 '.stats.memory.max' 33554432 p stat --json t
	expect 1 p create t; says 'create pod "t"'; one_line
	expect 0 r --pod t --name c1 -- true
	expect 0 p rm t
	expect 0 p create u --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" -- sleep 1000
	# Started means that the runtime was told to go on: exec may be a moment away.
	pid=$(p ls --json | jq '.pods[0].containers[0].pid')
	for _ in $(seq 50); do
		grep -qs sleep "/proc/$pid/cmdline" && break
		sleep 0.1
	done
	grep -qs sleep "/proc/$pid/cmdline" || wrong "no sleep in process $pid"
	expect 0 p rm u
	end_agent
}

t_agent_without_v4_is_named() {
	with_agent v3
	expect 1 "$podctl" ls
	one_line
	says "started without -v4"
	end_agent
}
t_agent_errors_are_one_line() {
	with_agent
	expect 1 p rm none; says 'remove "none": there is no pod "none"'; one_line
	expect 1 p rm none/c1; says 'remove "none/c1"'; one_line
	expect 1 p stat none; says 'there is no pod "none"'; one_line
	expect 0 p create t
	expect 1 p stat t/c1; says 'there is no container "c1" in pod "t"'; one_line
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	expect 125 r --pod t --name c1 -- true; says "t/c1"; one_line
	expect 2 p create a/b; says 'a/b'; one_line
	expect 0 p rm --all
	end_agent
}

t_agent_that_dies_is_noticed() {
	with_agent
	local status=0
	r --pod t --keep -- sh -c 'echo up; exec sleep 1000' > "$tmp/up" 2> "$tmp/err" &
	local pid=$!
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill -9 $agent
	wait $pid || status=$?
	err=$(cat "$tmp/err")
	[ $status = 125 ] || wrong "status $status: $err"
	says "agent"
	wait $agent 2> /dev/null
	trap - EXIT
	rm -f "$tmp/sock"
	unset CGFS_AGENT
	# What it has left, podctl removes without it.
	expect 0 d rm --all
	awk -v t="$tmp/" 'index($5, t) { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf "$tmp/state" "$tmp/bundles"
	clean
}

run_tests "$@"
