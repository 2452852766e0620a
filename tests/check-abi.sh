#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-abi - headers, version script and shared library name the same symbols; the archives
# leak no name without our prefix; neither library drags in what the other one is for.
set -u
. "${0%/*}/tools/tap.sh"
export LC_ALL=C

O=${O:-build}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# differ WHAT A WHAT B: lines of only one of two sorted files
differ() { comm -23 "$2" "$4" | sed "s/^/only $1: /"; comm -13 "$2" "$4" | sed "s/^/only $3: /"; }
api() { awk -f tests/tools/api.awk "$@" | awk '{ print $2 }' | sort; }
symbols() {	# symbols VISIBILITY FILE: what an archive defines for others
	readelf -sW "$2" 2>/dev/null | awk -v v="$1" '
		$5 ~ /GLOBAL|WEAK/ && $6 ~ v && $7 != "UND" { print $8 }' | sort -u
}

core=$(printf '%s\n' include/cgfs/*.h | grep -v /bpf.h)
# shellcheck disable=SC2086 # a list
api $core > "$tmp/headers"
sed -n 's/^[ \t]*\([a-z_][a-z0-9_]*\);.*/\1/p' cgfs/libcgfs.map > "$tmp/map"
nm -D --defined-only --with-symbol-versions "$O/libcgfs.so.0" |
	awk '$2 != "A" { print $3 }' > "$tmp/versioned"
sed 's/@.*//' "$tmp/versioned" | sort > "$tmp/library"

empty "the map is sorted and has no name twice" "$(sort -u "$tmp/map" | diff "$tmp/map" -)"
empty "headers and map agree" "$(differ headers "$tmp/headers" map "$tmp/map")"
empty "map and library agree" "$(differ map "$tmp/map" library "$tmp/library")"

version=$(sed -n 's/^#define CGFS_VERSION "\([0-9]*\.[0-9]*\)\..*/\1/p' include/cgfs/base.h)
empty "the map has a node of this release" "$(grep -q "^CGFS_$version {" cgfs/libcgfs.map ||
	echo "no CGFS_$version")"
empty "every symbol has a version" "$(grep -v '@@CGFS_[0-9.]*$' "$tmp/versioned")"

readelf -dW "$O/libcgfs.so.0" > "$tmp/dynamic"
empty "the soname is libcgfs.so.0" "$(grep -q 'SONAME.*\[libcgfs.so.0\]' "$tmp/dynamic" ||
	grep SONAME "$tmp/dynamic" || echo none)"
empty "libcgfs does not need libbpf" "$(grep 'NEEDED.*\(libbpf\|libelf\)' "$tmp/dynamic")"

# A sanitizer adds names of its own.
foreign='^(cgfs_|__odr_asan|_?_asan|__asan|asan\.|__start_|__stop_)'
empty "libcgfs.a: every name begins with cgfs_" "$(symbols . "$O/libcgfs.a" | grep -vE "$foreign")"

if [ -e "$O/libcgfs-bpf.a" ]; then
	api include/cgfs/bpf.h > "$tmp/bpf-header"
	symbols DEFAULT "$O/libcgfs-bpf.a" | grep '^cgfs_' > "$tmp/bpf-all"
	# Shared with libcgfs and in both: what errors are made of.
	comm -23 "$tmp/bpf-all" "$tmp/map" > "$tmp/bpf-library"
	empty "bpf.h and libcgfs-bpf.a agree" \
		"$(differ header "$tmp/bpf-header" library "$tmp/bpf-library")"
	empty "libcgfs-bpf.a: every name begins with cgfs_" \
		"$(symbols . "$O/libcgfs-bpf.a" | grep -vE "$foreign")"

	# A program that uses both, with libcgfs.so, must find everything.
	symbols . "$O/libcgfs-bpf.a" | sort -u - "$tmp/library" > "$tmp/offered"
	nm -u "$O/libcgfs-bpf.a" | awk '/ U cgfs_/ { print $2 }' | sort -u > "$tmp/wanted"
	empty "libcgfs-bpf.a needs nothing hidden from libcgfs" \
		"$(comm -23 "$tmp/wanted" "$tmp/offered")"
else
	skip "libcgfs-bpf.a" "built without BPF"
fi
finish
