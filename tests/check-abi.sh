#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-abi - headers, version script, shared library and archives name the same symbols, neither
# library drags in what the other one is for, and callers of another version run: today's with a
# library whose structures have grown, and a later one's with today's library.
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
version=$(sed -n 's/^#define CGFS_VERSION "\([0-9]*\.[0-9]*\)\..*/\1/p' include/cgfs/base.h)

# library NAME MAP NODE HEADER...: headers, version script and shared library agree
library() {
	local name=$1 map=$2 node=$3
	shift 3
	api "$@" > "$tmp/headers"
	sed -n 's/^[ \t]*\([a-z_][a-z0-9_]*\);.*/\1/p' "$map" > "$tmp/map"
	nm -D --defined-only --with-symbol-versions "$O/$name.so.0" |
		awk '$2 != "A" { print $3 }' > "$tmp/versioned"
	sed 's/@.*//' "$tmp/versioned" | sort > "$tmp/$name"
	readelf -dW "$O/$name.so.0" > "$tmp/$name.dynamic"
	empty "$map is sorted and has no name twice" "$(sort -u "$tmp/map" | diff "$tmp/map" -)"
	empty "$map and the headers agree" "$(differ headers "$tmp/headers" map "$tmp/map")"
	empty "$map and $name.so agree" "$(differ map "$tmp/map" library "$tmp/$name")"
	empty "$map has a node of this release" "$(grep -q "^${node}_$version {" "$map" ||
		echo "no ${node}_$version")"
	empty "every symbol of $name.so has a version" \
		"$(grep -v "@@${node}_[0-9.]*\$" "$tmp/versioned")"
	empty "the soname is $name.so.0" "$(grep -q "SONAME.*\[$name.so.0\]" "$tmp/$name.dynamic" ||
		grep SONAME "$tmp/$name.dynamic" || echo none)"
}
# shellcheck disable=SC2086 # a list
library libcgfs cgfs/libcgfs.map CGFS $core
empty "libcgfs does not need libbpf" "$(grep 'NEEDED.*\(libbpf\|libelf\)' "$tmp/libcgfs.dynamic")"

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
	library libcgfs-bpf bpf/libcgfs-bpf.map CGFS_BPF include/cgfs/bpf.h
	empty "libcgfs-bpf.a needs nothing hidden in libcgfs" "$(nm -u "$O/libcgfs-bpf.a" |
		awk '/ U cgfs_/ { print $2 }' | sort -u | comm -23 - "$tmp/libcgfs")"
else
	skip "libcgfs-bpf.a" "built without BPF"
fi

# --- callers of other versions ----------------------------------------------------------------

# A tree whose headers are those of a later version; what is in it is built by the same Makefile.
grown=$O/abi/grown
rm -rf "$O/abi"
mkdir -p "$grown/tests/tools"
cp -a Makefile cgfs include "$grown/"
cp -a tests/fake "$grown/tests/"
find tests docs -maxdepth 1 -name "*.mk" -exec cp --parents -t "$grown" {} +
cp -a tests/tools/api.awk "$grown/tests/tools/"
for h in include/cgfs/*.h; do
	awk -f tests/tools/grow.awk "$h" > "$grown/$h"
done
empty "no structure ends with padding" "$({ echo '#include <cgfs/cgfs.h>'
	echo '#include <cgfs/bpf.h>'
	awk -v padding=1 -f tests/tools/grow.awk include/cgfs/*.h
} | ${CC:-cc} -Iinclude -fsyntax-only -x c - 2>&1)"
empty "what the library fills or receives begins with its size" "$(
	awk '/^struct [a-z_]+ \{/ { name = $2; getline; if ($0 !~ /^\tsize_t sz;/) print name }' \
		include/cgfs/*.h | sort | comm -23 - <(sed -n 's/^| `struct \([a-z_]*\)`.*fixed.*/\1/p' \
			docs/abi.md | sort))"

# caller DIR TREE FLAGS...: against the headers of TREE, with its fake host
caller() {
	local dir=$1 src=$2
	shift 2
	mkdir -p "$dir"
	# shellcheck disable=SC2086 # flags
	${CC:-cc} -g -O0 -std=gnu11 -D_GNU_SOURCE "$@" -I"$src/include" -I"$src" \
		tests/abi/caller.c "$src"/tests/fake/*.c -o "$dir/caller" \
		-L"$O" -lcgfs 2>&1
}
run() { LD_LIBRARY_PATH=$1 "$2" 2>&1 || echo "exit status $?"; }

later() {
	make -C "$grown" O=build BPF=0 WERROR=0 CFLAGS='-O0 -g' build/libcgfs.so.0 \
		> "$tmp/later" 2>&1 || tail -n 20 "$tmp/later"
}
empty "the library builds with the headers of a later version" "$(later)"
empty "a caller compiles against today's headers" "$(caller "$O/abi/today" .)"
empty "a caller compiles against a later version's" "$(caller "$O/abi/later" "$grown" -DGROWN)"
empty "it runs with its own library" "$(run "$O" "$O/abi/today/caller")"
empty "an older caller runs with a later library" "$(run "$grown/build" "$O/abi/today/caller")"
empty "a later caller runs with an older library" "$(run "$O" "$O/abi/later/caller")"

# The check itself: a library that fills the whole of its own structure must be found.
sed -i '/void sized_out(/,/^}/s/if (sz > own)$/if (sz != own)/' "$(find "$grown/cgfs" -name sized.h)"
empty "the library builds with a mistake" "$(later)"
case $(run "$grown/build" "$O/abi/today/caller") in
*overwritten*) pass "a library that writes behind a caller's structure is found" ;;
*) fail "a library that writes behind a caller's structure is found" "it was not" ;;
esac
finish
