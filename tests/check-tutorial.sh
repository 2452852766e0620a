#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-tutorial [--write] - runs the lines of docs/tutorial.md that begin with "$ ", word for word and in
# one shell, and compares what they print with what stands below them.  Numbers may differ, with
# their units.  With --write the page gets what was printed.  Needs root, busybox and a runtime.
set -u
cd "${0%/*}/.." || exit 2
. tests/tools/tap.sh

O=$(realpath -m "${O:-build}")
page=docs/tutorial.md
skipped() { skip "the tutorial" "$1"; finish; }
[ "$(id -u)" = 0 ] || skipped "needs root"
[ -x "$O/cgfs-agent" ] && [ -x "$O/podctl" ] || skipped "the programs are not built"
[ -e "$O/libcgfs-bpf.a" ] || skipped "built without BPF"
[ -x /bin/busybox ] || skipped "busybox-static is missing"
command -v crun > /dev/null || command -v runc > /dev/null || skipped "an OCI runtime is missing"
[ ! -e /run/tutorial ] || skipped "/run/tutorial exists: another process follows the tutorial"

tmp=$(mktemp -d)
end() {
	PATH=$O:$PATH podctl rm --all --agent unix:/run/tutorial/sock > /dev/null 2>&1
	[ ! -s "$tmp/agents" ] || xargs kill < "$tmp/agents" 2> /dev/null
	sleep 0.2
	PATH=$O:$PATH podctl rm --all --no-agent --root /tutorial --pin-dir /sys/fs/bpf/tutorial > /dev/null 2>&1
	awk '$5 ~ "^/run/tutorial/" { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf /run/tutorial "$tmp"
}
trap end EXIT

# One shell runs all lines; before each a mark says which one it is.
{
	echo 'set -u'
	awk '/^```console$/ { block = 1; next } /^```$/ { block = 0 }
		block && /^\$ / { printf "echo \"@@%d\"; jobs -p > %s/agents\n%s\n", FNR, tmp, substr($0, 3) }' \
		tmp="$tmp" $page
} > "$tmp/script"
# Its jobs have numbers, as those of an interactive shell have.
PATH=$O:$PATH bash "$tmp/script" > "$tmp/out" 2>&1 < /dev/null
status=$?
[ $status = 0 ] || { fail "the tutorial runs" "status $status: $(tail -n 5 "$tmp/out")"; finish; }

# The page with what was printed.
awk -v out="$tmp/out" '
	BEGIN {
		while ((getline line < out) > 0) {
			if (line ~ /^@@[0-9]+$/) { at = substr(line, 3); continue }
			sub(/ +$/, "", line)
			printed[at] = printed[at] line "\n"
		}
	}
	/^```console$/ { block = 1; print; next }
	/^```$/ { block = 0 }
	block && /^\$ / { print; printf "%s", printed[FNR]; next }
	!block' "$page" > "$tmp/page"

if [ "${1:-}" = --write ]; then
	cat "$tmp/page" > "$page"
	exit 0
fi
# Without figures: numbers, their units, bars, and the blanks that make room for them.
plain() {
	sed -E 's/[0-9]+(\.[0-9]+)?( ?([KMGT]iB|[KMGTB]|us|ms|s)\b)?/N/g; s/N(:N)+/N/g
		s/\[[| ]*\]/[]/g; s/ +/ /g' "$1"
}
plain "$page" > "$tmp/stands"
plain "$tmp/page" > "$tmp/prints"
empty "the tutorial prints what it says" "$(diff "$tmp/stands" "$tmp/prints")"
empty "nothing is left of it" "$(find /sys/fs/cgroup /sys/fs/bpf -path '*/tutorial*' 2> /dev/null; ls -d /run/tutorial 2> /dev/null)"
finish
