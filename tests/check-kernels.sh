#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-kernels - docs/kernels.md against the transcripts of real kernels, and the tests it names.
set -u
. "${0%/*}/tools/tap.sh"
export LC_ALL=C

doc=docs/kernels.md
recorded=tests/fake/recorded
kernels="6.1 6.12 7.2"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# rows HEADING: the rows of the tables whose first column is called so, cells separated by tabs
rows() {
	awk -F' *\\| *' -v heading="$1" '
		!/^\|/ { inside = 0; next }
		$2 == heading { inside = 1; next }
		inside && !/^\|-/ {
			for (i = 2; i < NF; i++)
				printf "%s%s", $i, i < NF - 1 ? "\t" : "\n"
		}' $doc
}

# files HEADING VERSION: yes and no are right for each file and kernel
files() {
	local file cells n=0 kernel have want
	while IFS=$'\t' read -r file cells; do
		n=$((n + 1)) file=${file//\`/}
		for kernel in $kernels; do
			want=${cells%%$'\t'*} cells=${cells#*$'\t'} have=no
			cat "$recorded/$2"-*-"$kernel.txt" | grep '^ls ' | tr ' ' '\n' | grep -qxF "$file" && have=yes
			[ "$have" = "$want" ] || echo "$file on $kernel: $want, recorded is $have"
		done
	done < <(rows "$1")
	[ $n -gt 8 ] || echo "only $n rows"
}
empty "files of cgroup2" "$(files file v2)"
empty "files of v1" "$(files "v1 file" v1)"

# Answers: the commands stand in the transcript one after the other, and the last has this answer.
answers() {
	local commands name cells n=0 kernel want
	while IFS=$'\t' read -r commands cells; do
		n=$((n + 1)) commands=${commands#\`} commands=${commands%%\`*} name=${cells##*$'\t'}
		for kernel in $kernels; do
			want=${cells%%$'\t'*} cells=${cells#*$'\t'} want=${want//\`/}
			COMMANDS=$commands WANT=$want awk '
				BEGIN { n = split(ENVIRON["COMMANDS"], want, "; ") }
				{
					at = index($0, " => ")
					if (!at)
						next
					for (i = 1; i < n; i++)
						last[i] = last[i + 1]
					last[n] = substr($0, 1, at - 1)
					for (i = 1; i <= n && last[i] == want[i]; i++)
						;
					if (i > n && substr($0, at + 4) == ENVIRON["WANT"])
						found = 1
				}
				END { exit !found }' "$recorded/$name-$kernel.txt" ||
				echo "$kernel: $commands: not $want"
		done
	done < <(rows commands)
	[ $n -gt 8 ] || echo "only $n rows"
}
empty "answers" "$(answers)"

# Tests: in backquotes, with a name of a test's form, in the last column or the text.
{
	sh tests/guest/probe.sh --list
	sed -nE 's/^[[:blank:]]*[A-Z]+_TEST\((fault##_)?([a-z0-9_]+).*/\2/p' \
		tests/{conformance,bpf,agent}/test_*.c
} | sort > "$tmp/tests"
# shellcheck disable=SC2016 # backquotes of the document
named=$(sed 's/^|.*| \([^|]*\) |$/\1/' $doc | grep -oE '`[a-z0-9]+(_[a-z0-9]+){2,}`' | tr -d '`' |
	grep -vE '_(bytes|us|group|writeback)$' | sort -u)
empty "tests that are named exist" "$(comm -23 <(echo "$named") "$tmp/tests")"
empty "tests are named" "$([ "$(wc -l <<< "$named")" -gt 15 ] || echo "$named")"
finish
