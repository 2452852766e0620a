#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-install - `make install` into a stage, what a user then builds against it, `make uninstall`.
set -u
. "${0%/*}/tools/tap.sh"

O=${O:-build}
stage=$(cd "$O" && pwd)/stage
prefix=/opt/cgfs
at=$stage$prefix
rm -rf "$stage"

# The flags of the make that runs this come along in MAKEFLAGS.
make() { command "${MAKE:-make}" --no-print-directory "$@" DESTDIR="$stage" PREFIX=$prefix 2>&1; }

log=$(umask 077 && make install) || { fail "make install" "$log"; finish; }
pass "make install"
empty "everybody can read it, whatever the umask is" "$(find "$at" ! -type l ! -perm -0444)"

missing=
for header in include/cgfs/*.h include/cgfs/abi/*.h; do
	case $header in
	*/bpf.h) [ -e "$O/libcgfs-bpf.a" ] || continue ;;
	esac
	cmp -s "$header" "$at/$header" || missing="$missing $header"
done
empty "every public header" "$missing"
for so in libcgfs.so $([ ! -e "$O/libcgfs-bpf.a" ] || echo libcgfs-bpf.so); do
	empty "$so leads to the library" "$(for name in $so $so.0; do
		[ "$(readlink -f "$at/lib/$name")" = "$(echo "$at/lib/$so".0.*)" ] ||
			readlink -f "$at/lib/$name"
	done)"
done

if [ "${SAN:-0}" != 1 ]; then
	for program in "$at"/bin/*; do
		[ -e "$program" ] || break
		name=${program##*/}
		empty "$name is static" "$(readelf -lW "$program" | grep INTERP)"
		size=$(stat -c %s "$program")
		empty "$name has at most 2 MiB" "$([ "$size" -le 2097152 ] || echo "$size bytes")"
	done
fi

if ! command -v "${PKGCONF:-pkg-config}" >/dev/null; then
	skip "pkg-config" "no pkg-config"
	finish
fi
# What a user gets: the stage, and the system for libcgroup and jansson.
export PKG_CONFIG_PATH=$at/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$stage
pc() { "${PKGCONF:-pkg-config}" "$@"; }
version=$(sed -n 's/^#define CGFS_VERSION "\(.*\)"/\1/p' include/cgfs/base.h)
empty "pkg-config knows the version" "$([ "$(pc --modversion libcgfs)" = "$version" ] ||
	pc --modversion libcgfs 2>&1)"

# build WHAT LIBRARY SOURCE [-static]: compiles outside the tree
build() {
	local out=$stage/program log static=${4:-}
	# shellcheck disable=SC2046,SC2086 # flags
	log=$(${CC:-cc} -std=c11 -Wall -Wextra -Werror $static -o "$out" "$3" \
		$(pc --cflags --libs ${static:+--static} "$2") 2>&1) || { fail "$1" "$log"; return; }
	[ -n "$static" ] || log=$(LD_LIBRARY_PATH=$at/lib ldd "$out" 2>&1 | grep 'not found')
	[ -z "$static" ] || log=
	empty "$1" "$log"
}
runs() {
	empty "$1" "$(LD_LIBRARY_PATH=$at/lib "$stage/program" 2>&1 || echo "status $?")"
}

cat > "$stage/least.c" <<'END'
#include <cgfs/cgfs.h>
#include <string.h>
int main(void) { return strcmp(cgfs_version(), CGFS_VERSION) != 0; }
END
build "a program with libcgfs.so" libcgfs "$stage/least.c"
runs "it loads this version"
build "a program with libcgfs.a" libcgfs "$stage/least.c" -static
runs "it has this version"
if [ -e docs/example.c ]; then
	cp docs/example.c "$stage/example.c"
	grep -q '<cgfs/bpf.h>' docs/example.c && library=libcgfs-bpf || library=libcgfs
	build "docs/example.c with libcgfs.so" "$library" "$stage/example.c"
fi
if [ -e "$at/lib/libcgfs-bpf.a" ]; then
	cat > "$stage/bpf.c" <<'END'
#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>
int main(void)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs_bpf *bpf = NULL;

	opts.read_only = true;
	if (cgfs_id_check("..", &err) == 0)
		return 1;
	if (cgfs_bpf_open(&opts, &bpf, &err) < 0)
		return err.text[0] == '\0';
	cgfs_bpf_close(bpf);
	return 0;
}
END
	build "a program with libcgfs-bpf.so" libcgfs-bpf "$stage/bpf.c"
	runs "it opens the device policy that there is, or says why not"
	build "a program with libcgfs-bpf.a" libcgfs-bpf "$stage/bpf.c" -static
fi

log=$(make uninstall)
empty "make uninstall leaves nothing" "$(find "$at" ! -type d)"
finish
