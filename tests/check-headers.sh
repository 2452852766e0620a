#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-headers - each public header compiles alone, as C11 and as C++11, and the umbrella
# header has all of them but bpf.h (which needs another library).
set -u
. "${0%/*}/tools/tap.sh"

flags="-Wall -Wextra -Wpedantic -Wundef -Werror -fsyntax-only -Iinclude"
cxx=
for c in "${CXX:-g++}" "${CLANG:-clang}"; do
	if [ -z "$cxx" ] && echo 'int i;' | $c -x c++ -fsyntax-only - 2>/dev/null; then
		cxx=$c
	fi
done

for header in include/cgfs/*.h include/cgfs/abi/*.h; do
	[ -e "$header" ] || continue
	name=${header#include/}
	program=$(printf '#include <%s>\n#include <%s>\nextern int nothing;' "$name" "$name")
	# shellcheck disable=SC2086 # flags
	empty "$name as C11" "$(echo "$program" | ${CC:-cc} -std=c11 $flags -x c - 2>&1)"
	if [ -n "$cxx" ]; then
		# shellcheck disable=SC2086 # flags
		empty "$name as C++" "$(echo "$program" | $cxx -std=c++11 $flags -x c++ - 2>&1)"
	else
		skip "$name as C++" "no C++ compiler"
	fi
done

empty "cgfs.h includes every header" "$(
	for header in include/cgfs/*.h; do
		name=${header##*/}
		case $name in
		cgfs.h|bpf.h) ;;
		*) grep -qF "#include <cgfs/$name>" include/cgfs/cgfs.h || echo "$name is missing" ;;
		esac
	done)"
finish
