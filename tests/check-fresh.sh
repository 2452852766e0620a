#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-fresh - each command of README.md on a bare Debian: one that has git, make and nothing else.
#
# The commands are the lines of the ```sh blocks of README.md, word for word.  Each of the first block
# is the first command in a root of its own, in a clone of HEAD; those of the other blocks come
# afterwards in the first of these roots.  A root has a mount namespace of its own; /proc, /sys and
# /dev are the machine's.  Exit status 0 when every command ended with status 0, its closing lines say
# that nothing failed, and eBPF was built and tested.
#
# Owns $O/fresh: root.tar (made by debootstrap from the suite and the mirror of the machine's own apt
# configuration; made anew when these have changed or it is 30 days old), archives (packages that apt
# has downloaded), COMMAND.log.  Removes the roots, ends what runs in them, also after Ctrl-C.
# With arguments: they are the commands, each first in a root of its own.
set -u
O=${O:-build}
. "${0%/*}/tools/tap.sh"

die() { echo "check-fresh: $*" >&2; exit 2; }
[ "$(id -u)" = 0 ] || die "needs root, for debootstrap and a mount namespace"
for tool in debootstrap git unshare pivot_root; do
	command -v $tool > /dev/null || die "$tool is missing"
done
. /etc/os-release
[ "${ID:-}" = debian ] || die "this machine is not Debian: its apt has no mirror to ask"
suite=$VERSION_CODENAME
mkdir -p "$O/fresh/archives/partial" || exit 2
fresh=$(cd "$O/fresh" && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
exec 9> "$fresh/lock"
flock -n 9 || die "another check-fresh runs in $fresh"

# --- the root ---------------------------------------------------------------------------------

# The machine's own sources, as far as they are Debian's main archive of this suite.
sources() {
	apt-get indextargets --no-release-info --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
		'Identifier: Packages' | sort -u |
	while read -r uri release component; do
		case $component/$release in
		main/"$suite"|main/"$suite"-updates|main/"$suite"-security)
			echo "deb [signed-by=$keyring] $uri $release main" ;;
		esac
	done
}
mirror() { sed -n "s,^deb [^ ]* \([^ ]*\) $suite main\$,\1,p" "$fresh/sources" | head -n 1; }

make_root() {
	local root=$fresh/base
	echo "# debootstrap of $suite"
	rm -rf "$root"
	debootstrap --variant=minbase --keyring="$keyring" "$suite" "$root" "$(mirror)" > "$fresh/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$fresh/debootstrap.log"; die "debootstrap failed"; }
	cp "$fresh/sources" "$root/etc/apt/sources.list"
	# How this machine reaches its mirror.
	apt-config dump | grep -E '^Acquire::([a-z]+::Proxy|Check-Valid-Until|Check-Date|Retries)' \
		> "$root/etc/apt/apt.conf.d/00machine"
	inside "$root" 'apt-get -qq update && apt-get -qq -y --no-install-recommends install git make &&
		apt-get clean' < /dev/null > "$fresh/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$fresh/debootstrap.log"; die "git and make cannot be installed in the root"; }
	tar -C "$root" --one-file-system -cf "$fresh/root.tar.tmp" . || die "cannot write the tarball"
	rm -rf "$root"
	cp "$fresh/key" "$fresh/root.key"
	mv "$fresh/root.tar.tmp" "$fresh/root.tar"
}

# --- running inside ---------------------------------------------------------------------------

export fresh
# inside ROOT COMMAND: as a person would who has logged in; the machine's environment stays outside,
# but for how the network is reached, and whether a failed test program runs once more
inside() {
	local root=$1 variables=() name
	for name in http_proxy https_proxy no_proxy AGAIN; do
		[ -z "${!name:-}" ] || variables+=("$name=${!name}")
	done
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null
	# shellcheck disable=SC2016 # for the shell inside
	unshare --mount --propagation private --fork --kill-child sh -c '
		set -e
		mount --bind "$1" "$1"
		for d in proc sys dev; do
			mount --rbind /$d "$1/$d"
		done
		mount --bind "$fresh/archives" "$1/var/cache/apt/archives"
		cd "$1"
		pivot_root . .
		umount -l .
		cd /root
		[ ! -d cgfs ] || cd cgfs
		shift
		exec env -i "$@"
	' sh "$root" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		TERM=dumb ${variables[@]+"${variables[@]}"} bash -c "$2"
}

# Processes whose root is one of ours: no other has its files there.
processes() {
	local p at
	for p in /proc/[0-9]*; do
		at=$(stat -L -c %D:%i "$p/root" 2>/dev/null) || continue
		[[ " ${roots[*]} " != *" $at "* ]] || echo "${p#/proc/}"
	done
}
roots=()
end_processes() {
	local i pids
	for ((i = 0; i < 50; i++)); do
		pids=$(processes)
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086 # a list
		kill -$((i < 10 ? 15 : 9)) $pids 2>/dev/null
		sleep 0.2
	done
}
job=''
cleanup() {
	trap - EXIT
	trap '' INT TERM HUP
	[ -z "$job" ] || kill "$job" 2>/dev/null
	end_processes
	rm -rf --one-file-system "$fresh"/root.?????? "$fresh/base" "$fresh/root.tar.tmp"
}
trap cleanup EXIT
trap 'echo interrupted; exit 130' INT
trap 'exit 143' TERM HUP

# --- what the README says ---------------------------------------------------------------------

# commands N: those of the Nth block, or of all after it with N+; without what follows " # "
commands() {
	awk -v want="$1" '/^```sh$/ { n++; on = 1; next } /^```/ { on = 0 }
		on && (n == want || (want ~ /\+$/ && n > want + 0)) {
			sub(/[ \t]+#.*$/, ""); if ($0 != "") print }' README.md
}

sources > "$fresh/sources"
[ -n "$(mirror)" ] || die "the machine's apt has no main archive of $suite"
{ cat "$fresh/sources"; dpkg --print-architecture; declare -f make_root inside; } > "$fresh/key"
if ! cmp -s "$fresh/key" "$fresh/root.key" || [ -n "$(find "$fresh/root.tar" -mtime +30)" ]; then
	make_root
fi
if [ -n "$(git status --porcelain 2>/dev/null)" ]; then
	echo "# the working tree has changes that are not committed: HEAD is tested, without them"
fi
if [ $# -gt 0 ]; then
	first=("$@") later=()
else
	mapfile -t first < <(commands 1)
	mapfile -t later < <(commands 1+)
	[ ${#first[@]} -ge 2 ] || fail "README.md begins with commands" "its first sh block has ${#first[@]}"
fi

new_root() {	# new_root: a fresh copy with a clone of HEAD in $root
	root=$(mktemp -d "$fresh/root.XXXXXX")
	roots+=("$(stat -c %D:%i "$root")")
	chmod 755 "$root"
	tar -C "$root" -xf "$fresh/root.tar" || die "cannot unpack the root"
	git -c safe.directory='*' clone -q --no-local . "$root/root/cgfs" || die "cannot clone"
}

run() {	# run COMMAND: in $root; its output is shown as it comes, and kept in $log
	local status
	log=$fresh/$(tr -cs 'A-Za-z0-9\n' - <<< "${1:0:40}").log
	echo "# $1"
	SECONDS=0
	inside "$root" "$1" < /dev/null > "$log" 2>&1 9>&- &
	job=$!
	tail -n +1 -f --pid=$job "$log" 9>&- | sed -u 's/^/#   /' &
	wait $job
	status=$?
	job=''
	wait
	empty "$1: ends with status 0 ($SECONDS s)" "$([ $status = 0 ] || { echo "status $status"; tail -n 30 "$log"; })"
	if grep -qE '^[0-9]+ passed, ' "$log"; then
		empty "$1: all tests passed" "$(
			grep -E '^[0-9]+ passed, ' "$log" | grep -vE '^[1-9][0-9]* passed, 0 failed')"
		empty "$1: the tests of eBPF ran" "$(
			ran=$(grep -E '^(ok|NOT OK) +tests/bpf/test_' "$log")
			[ -n "$ran" ] || echo "none"
			grep -v '^ok .*: [1-9][0-9]* passed' <<< "$ran")"
	fi
	if grep -q '^1\. ' "$log"; then
		empty "$1: every claim held" "$(
			grep -q '^done: .* every claim held' "$log" || tail -n 3 "$log"
			grep 'NOT OK' "$log"
			[ "$(grep -c '^   ok: ' "$log")" -ge 20 ] || echo "only $(grep -c '^   ok: ' "$log") claims")"
	fi
	if grep -q 'built without eBPF' "$log"; then fail "$1: builds with eBPF" "$(grep 'without eBPF' "$log")"; fi
}
built() {	# built COMMAND: the objects are there, and are in the agent
	empty "$1: eBPF was built" "$(
		for f in bpf/*/*.bpf.c; do
			[ -s "$root/root/cgfs/build/${f%.c}.o" ] || echo "no build/${f%.c}.o"
		done
		[ -s "$root/root/cgfs/build/libcgfs-bpf.a" ] || echo "no build/libcgfs-bpf.a")"
}

for command in ${first[@]+"${first[@]}"}; do
	new_root
	run "$command"
	case $command in make*) built "$command" ;; esac
	for then in ${later[@]+"${later[@]}"}; do run "$then"; done
	later=()
	end_processes
	rm -rf --one-file-system "$root"
done
closing
finish
