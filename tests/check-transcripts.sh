#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2015,SC2016,SC2086,SC2317 # notes: what another shell expands, functions of traps
#
# check-transcripts [--write] - every transcript of README.md and docs/ is what commands print.  The
# lines of a page that begin with "$ " in its blocks of `console` are run word for word and in one
# shell, and what they print is compared with what stands below them.  Numbers may differ, with
# their units.  With --write the pages get what was printed.  Needs root, busybox and a runtime.
set -u
cd "${0%/*}/.." || exit 2
. tests/tools/tap.sh

O=$(realpath -m "${O:-build}")
tmp=$(mktemp -d)
# Each is followed by what its shell knows before.  The README is read with the default root, which
# is not for a test.
pages=(docs/tutorial.md README.md)
declare -A prelude=(
	[docs/tutorial.md]=''
	[README.md]='podctl() {
		local verb=$1
		shift
		command podctl "$verb" --no-agent --root /transcripts --pin-dir /sys/fs/bpf/transcripts "$@" 2>&1 |
			sed "s,/transcripts,/pods,"
	}
	unset CGFS_AGENT'
)

# --- every block ----------------------------------------------------------------------------------

# docs/bpftool.md is made and run by tests/conformance/test_bpftool.c, in guests.
empty "every block has a language, and transcripts are of pages that are run" "$(
	for page in README.md CONTRIBUTING.md SECURITY.md bpf/README.md docs/*.md; do
		[ -e "$page" ] || continue
		case " ${pages[*]} docs/bpftool.md " in *" $page "*) made=1 ;; *) made=0 ;; esac
		awk -v made=$made '
			/^ *```/ && !block {
				block = 1; language = $0; sub(/^ *```/, "", language)
				if (language == "") print FILENAME ":" FNR ": a block without a language"
				if (language == "console" && !made)
					print FILENAME ":" FNR ": a transcript that no command makes"
				next
			}
			/^ *```/ { block = 0; next }
			block && language != "console" && language != "c" &&
			(/^([a-z0-9]+ #|\$) / || /^POD +CONTAINER/) {
				print FILENAME ":" FNR ": part of a transcript, in a block of " language
			}
		' "$page"
	done)"

# --- the pages ------------------------------------------------------------------------------------

skipped() { skip "the transcripts" "$1"; rm -rf "$tmp"; finish; }
[ "$(id -u)" = 0 ] || skipped "needs root"
[ -x "$O/cgfs-agent" ] && [ -x "$O/podctl" ] || skipped "the programs are not built"
[ -e "$O/libcgfs-bpf.a" ] || skipped "built without BPF"
[ -x /bin/busybox ] || skipped "busybox-static is missing"
command -v crun > /dev/null || command -v runc > /dev/null || skipped "an OCI runtime is missing"
[ ! -e /run/tutorial ] || skipped "/run/tutorial is there: the tutorial is being followed"

end() {
	local name
	PATH=$O:$PATH podctl rm --all --agent unix:/run/tutorial/sock > /dev/null 2>&1
	[ ! -s "$tmp/agents" ] || xargs kill < "$tmp/agents" 2> /dev/null
	sleep 0.2
	for name in tutorial transcripts; do
		PATH=$O:$PATH podctl rm --all --no-agent --root /$name --pin-dir /sys/fs/bpf/$name > /dev/null 2>&1
	done
	awk '$5 ~ "^/run/tutorial/" { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf /run/tutorial "$tmp"
}
trap end EXIT

# made PAGE: the page with what was printed, in $tmp/page
made() {
	# One shell runs all lines; before each a mark says which one it is.
	{
		printf 'set -u\n%s\n' "${prelude[$1]}"
		awk '/^```console$/ { block = 1; next } /^```$/ { block = 0 }
			block && /^\$ / { printf "echo \"@@%d\"; jobs -p > %s/agents\n%s\n", FNR, tmp, substr($0, 3) }' \
			tmp="$tmp" "$1"
	} > "$tmp/script"
	# Its jobs have numbers, as those of an interactive shell have.
	LC_ALL=C PATH=$O:$PATH bash "$tmp/script" > "$tmp/out" 2>&1 < /dev/null || return 1
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
		!block' "$1" > "$tmp/page"
}
# Without figures: numbers, their units, bars, and the blanks that make room for them.
plain() {
	sed -E 's/[0-9]+(\.[0-9]+)?( ?([KMGT]iB|[KMGTB]|us|ms|s)\b)?/N/g; s/N(:N)+/N/g
		s/\[[| ]*\]/[]/g; s/ +/ /g' "$1"
}

for page in "${pages[@]}"; do
	made "$page" || { fail "$page runs" "$(tail -n 5 "$tmp/out")"; continue; }
	if [ "${1:-}" = --write ]; then
		cat "$tmp/page" > "$page"
		continue
	fi
	plain "$page" > "$tmp/stands"
	plain "$tmp/page" > "$tmp/prints"
	empty "$page prints what it says" "$(diff "$tmp/stands" "$tmp/prints")"
	empty "nothing is left of $page" "$(find /sys/fs/cgroup /sys/fs/bpf \( -path '*/tutorial*' -o -path '*/transcripts*' \) 2> /dev/null
		ls -d /run/tutorial 2> /dev/null)"
done
finish
