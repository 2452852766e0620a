# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # variables are for those who source it
#
# lib.sh - what the tests of podctl share: a place of their own, expectations, and the loop that
# runs each function t_NAME.  Source it, define the tests, call run_tests "$@".

. "${0%/*}/../tools/tap.sh"

O=$(realpath -m "${O:-build}")
podctl=$O/podctl
id=cgfs-test-podctl-$$
root=/$id
pins=/sys/fs/bpf/$id
tmp=$(mktemp -d)
unset CGFS_AGENT

p() { "$podctl" "$@"; }
# Without an agent, in our own place.
d() {
	local verb=$1
	shift
	"$podctl" "$verb" --root "$root" --pin-dir "$pins" "$@"
}

leftovers() {
	find /sys/fs/cgroup -depth -type d -path "*$root*" 2>/dev/null
	find "$pins" 2>/dev/null
	# A process that is dead but not yet reaped by its new parent is gone for us.
	for f in $(grep -sl "$root/" /proc/[0-9]*/cgroup); do
		grep -qs '^State:.[^ZX]' "${f%cgroup}status" && echo "process ${f%/cgroup}"
	done
}

after_failure() {
	[ "$(id -u)" != 0 ] || [ -z "$(leftovers)" ] || d rm --all > /dev/null 2>&1
}
cleanup() {
	trap - EXIT
	trap '' INT TERM
	after_failure
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wrong() { printf '%s\n' "$*"; exit 1; }
as_root() { [ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }; }
clean() { [ -z "$(leftovers)" ] || wrong "left behind: $(leftovers)"; }

# expect STATUS COMMAND...: runs it; $out and $err are what it printed
expect() {
	local want=$1 got=0
	shift
	"$@" > "$tmp/out" 2> "$tmp/err" || got=$?
	out=$(cat "$tmp/out") err=$(cat "$tmp/err")
	[ $got = "$want" ] || wrong "$*: status $got, not $want; stdout: $out; stderr: $err"
}
says() { [[ $err == *"$1"* ]] || wrong "stderr is \"$err\", and does not say \"$1\""; }
one_line() { [ "$(wc -l < "$tmp/err")" = 1 ] || wrong "not one line: $err"; }
# json STATUS FILTER WANT COMMAND...: its stdout is one JSON document of which FILTER is WANT
json() {
	local status=$1 filter=$2 want=$3 got
	shift 3
	expect "$status" "$@"
	got=$(printf '%s\n' "$out" | jq -rc "$filter") || wrong "not JSON: $out"
	[ "$got" = "$want" ] || wrong "$*: $filter is $got, not $want, in $out"
}

# Every process that a test starts ends with it, also after a failure.
with_agent() {	# with_agent [v3] [OPTIONS]: one without -v4
	local version=-v4
	[ "${1:-}" != v3 ] || { version=; shift; }
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
		-state-dir "$tmp/state" -delete-on-exit "$@" 2> "$tmp/log" &
	agent=$!
	trap 'kill $agent 2> /dev/null; wait' EXIT
	local tries=2400
	# Bound, and listened to (__SO_ACCEPTCON)
	until grep -q "00010000 .* $tmp/sock\$" /proc/net/unix; do
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

# attach_foreign POD: a device program named "stranger" is put on its cgroup, in place of the one
# before; $stranger is its number
stranger=
attach_foreign() {
	local mount pin
	PATH=$PATH:/usr/sbin:/sbin
	command -v clang bpftool > /dev/null || { echo "clang or bpftool is not installed"; exit 77; }
	mount=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	[ -d "$mount$root/$1" ] || { echo "no device policy by eBPF here"; exit 77; }
	mountpoint -q /sys/fs/bpf || wrong "no bpffs"
	pin=/sys/fs/bpf/$id-stranger
	echo '__attribute__((section("cgroup/dev"), used)) int stranger(void *ctx) { return 1; }
		__attribute__((section("license"), used)) char terms[] = "GPL";' |
		clang -O2 --target=bpf -x c -c - -o "$tmp/stranger.o" || wrong "clang fails"
	bpftool prog load "$tmp/stranger.o" "$pin" type cgroup/dev || wrong "it cannot be loaded"
	[ -z "$stranger" ] || bpftool cgroup detach "$mount$root/$1" device id "$stranger"
	stranger=$(bpftool -j prog show pinned "$pin" | jq .id)
	bpftool cgroup attach "$mount$root/$1" device pinned "$pin" multi
	rm "$pin"
	[ -n "$stranger" ] || wrong "it has no number"
}

run_tests() {
	local all name glob chosen status text
	all=$(declare -F | sed -n 's/^declare -f t_//p')
	if [ "${1:-}" = --list ]; then
		printf '%s\n' "$all"
		exit 0
	fi
	for name in $all; do
		chosen=$([ $# = 0 ] && echo y)
		for glob in "$@"; do
			# shellcheck disable=SC2053 # a glob is meant
			[[ $name == $glob ]] && chosen=y
		done
		[ "$chosen" = y ] || continue
		status=0
		text=$(trap - EXIT; "t_$name" 2>&1) || status=$?
		case $status in
		0) pass "$name" ;;
		77) skip "$name" "$text" ;;
		*) fail "$name" "$text"; after_failure ;;
		esac
	done
	finish
}
