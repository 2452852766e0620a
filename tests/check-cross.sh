#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-cross - everything compiles, without a warning, for another 64-bit processor, for one of 32
# bits, and against musl.  Compiles only: the libraries that it needs are here for one architecture,
# but their headers are the same for all.
set -u
. "${0%/*}/tools/tap.sh"

O=${O:-build}
dir=$O/cross
rm -rf "$dir"
mkdir -p "$dir/include"
for h in jansson.h jansson_config.h libcgroup.h libcgroup bpf libelf.h gelf.h; do
	for from in /usr/include "/usr/include/$(uname -m)-linux-gnu"; do
		[ ! -e "$from/$h" ] || ln -sfn "$from/$h" "$dir/include/$h"
	done
done
# The kernel's, which musl does not bring.
mkdir -p "$dir/musl"
for h in linux asm-generic "$(uname -m)-linux-gnu/asm"; do
	ln -sfn "/usr/include/$h" "$dir/musl/${h##*/}"
done

flags="-std=gnu11 -D_GNU_SOURCE -O1 -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes"
flags="$flags -Wmissing-prototypes -Wvla -Wundef -Wpointer-arith -Wno-unused-parameter -Werror -fPIC -Iinclude -I."
flags="$flags -DCGFS_WITH_BPF=1 -I$O"

# compile NAME COMPILER FLAGS...: every source of the product, what the compiler says
compile() {
	local name=$1 cc=$2
	shift 2
	if ! command -v "$cc" > /dev/null; then
		skip "$name" "no $cc"
		return
	fi
	mkdir -p "$dir/$name"
	# shellcheck disable=SC2086 # flags
	empty "$name" "$(find cgfs agent bpf -name '*.c' ! -name '*.bpf.c' | sort |
		xargs -P "$(nproc)" -I{} sh -c \
			"$cc $flags $* -c {} -o $dir/$name/\$(echo {} | tr / _).o 2>&1")"
}
compile aarch64 aarch64-linux-gnu-gcc "-idirafter $dir/include"
compile armhf arm-linux-gnueabihf-gcc "-idirafter $dir/include"
compile musl musl-gcc "-idirafter $dir/include -idirafter $dir/musl"
finish
