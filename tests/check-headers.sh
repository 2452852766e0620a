#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-headers - each public header compiles alone and without a warning, as C11 and as C++, every
# CGFS_..._INIT in use, with each compiler that is here; and the umbrella header has all of them
# but bpf.h (which needs another library).
set -u
. "${0%/*}/tools/tap.sh"

flags="-Wall -Wextra -Wpedantic -Wundef -Wshadow -Wconversion -Wold-style-cast -Werror -fsyntax-only -Iinclude"

# program HEADER: includes it twice and makes a variable with each initializer that it defines
program() {
	printf '#include <%s>\n#include <%s>\nextern int nothing;\n' "$1" "$1"
	sed -n 's/^#define \(CGFS_[A-Z_]*_INIT\)[ \t]*CGFS_SIZED(\(struct [a-z_]*\))$/\2 \1/p' \
		"include/$1" |
		while read -r _ type init; do
			echo "size_t size_of_$type(void); size_t size_of_$type(void)"
			echo "{ struct $type a = $init; const struct $type b = $init;"
			echo "return a.sz + b.sz; }"
		done
}

for header in include/cgfs/*.h include/cgfs/abi/*.h; do
	[ -e "$header" ] || continue
	name=${header#include/}
	for cc in "${CC:-cc}" "${CLANG:-clang}"; do
		command -v "$cc" > /dev/null || { skip "$name as C11, $cc" "not installed"; continue; }
		# shellcheck disable=SC2086 # flags
		empty "$name as C11, $cc" "$(program "$name" |
			$cc -std=c11 ${flags/-Wold-style-cast/} -x c - 2>&1)"
	done
	for cxx in "${CXX:-g++}" "${CLANGXX:-clang++}"; do
		command -v "$cxx" > /dev/null || { skip "$name as C++, $cxx" "not installed"; continue; }
		for std in 11 17 20; do
			# shellcheck disable=SC2086 # flags
			empty "$name as C++$std, $cxx" "$(program "$name" |
				$cxx -std=c++$std $flags -x c++ - 2>&1)"
		done
	done
done
missed=$(grep -hn '^#define CGFS_[A-Z_]*_INIT' include/cgfs/*.h | grep -v 'CGFS_SIZED(struct [a-z_]*)$')
empty "every initializer was tried" "$missed"

empty "cgfs.h includes every header" "$(
	for header in include/cgfs/*.h; do
		name=${header##*/}
		case $name in
		cgfs.h|bpf.h) ;;
		*) grep -qF "#include <cgfs/$name>" include/cgfs/cgfs.h || echo "$name is missing" ;;
		esac
	done)"
finish
