#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-tidy - clang-tidy finds nothing (.clang-tidy has its checks).
set -u
. "${0%/*}/tools/tap.sh"

O=${O:-build}
if ! command -v clang-tidy >/dev/null; then
	skip "clang-tidy" "no clang-tidy"
	finish
fi
tidy() {
	local out
	out=$(clang-tidy --quiet "$1" -- -std=gnu11 -D_GNU_SOURCE -DCGFS_WITH_BPF="${CGFS_WITH_BPF:-0}" \
		-Iinclude -I. -I"$O" 2>/dev/null | grep ' error: ')
	printf '%s\n' "$out" > "$2"
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
for f in ${all_c?is the list of sources}; do
	case $f in *.bpf.c|*.h) continue ;; esac
	n=$((n + 1))
	tidy "$f" "$tmp/$n" &
	[ $((n % $(nproc))) != 0 ] || wait
done
wait
n=0
for f in $all_c; do
	case $f in *.bpf.c|*.h) continue ;; esac
	n=$((n + 1))
	empty "$f" "$(cat "$tmp/$n")"
done
finish
