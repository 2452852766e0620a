#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-abi - headers, version script, shared library and archives name the same symbols, and
# neither library drags in what the other one is for.
set -u
. "${0%/*}/tools/tap.sh"
export LC_ALL=C

O=${O:-build}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# differ WHAT A WHAT B: lines of only one of two sorted files
differ() { comm -23 "$2" "$4" | sed "s/^/only $1: /"; comm -13 "$2" "$4" | sed "s/^/only $3: /"; }
api() { awk -f tests/tools/api.awk "$@" | awk '{ print $2 }' | sort; }

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

# offers ARCHIVE HEADER...: differences between what it defines for others and its API
offers() {
	local archive=$1
	shift
	api "$@" > "$tmp/api"
	readelf -sW "$O/$archive" 2>/dev/null | awk '
		$5 ~ /GLOBAL|WEAK/ && $7 != "UND" && NF == 8 { print $8 }' | sort -u > "$tmp/$archive"
	differ headers "$tmp/api" $archive "$tmp/$archive"
}
# shellcheck disable=SC2086 # a list
empty "headers and libcgfs.a agree" "$(offers libcgfs.a $core)"
if [ -e "$O/libcgfs-bpf.a" ]; then
	empty "bpf.h and libcgfs-bpf.a agree" "$(offers libcgfs-bpf.a include/cgfs/bpf.h)"
	empty "libcgfs-bpf.a needs nothing hidden in libcgfs" "$(nm -u "$O/libcgfs-bpf.a" |
		awk '/ U cgfs_/ { print $2 }' | sort -u | comm -23 - "$tmp/library")"
else
	skip "libcgfs-bpf.a" "built without BPF"
fi
finish
