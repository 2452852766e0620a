#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-layers - folders use each other in the order of tests/layers only: by the symbols of their
# objects, and by the lines that include a header.
#
# check-layers [TREE] looks at the files of one tree.
set -u
. "${0%/*}/tools/tap.sh"
O=${O:-build}

# "FILE defines SYMBOL" of every object, "FILE uses SYMBOL", then "FILE includes HEADER".
facts() {
	find cgfs bpf agent -name '*.c' ! -name '*.bpf.c' | sed "s,^,$O/obj/,; s,c\$,o," | sort |
		xargs nm -A -P | awk -v O="$O/obj/" '{
			file = substr($1, length(O) + 1)
			sub(/o:$/, "c", file)
			if ($3 ~ /^[BDRTVW]$/) print file, "defines", $2
			if ($3 == "U") print file, "uses", $2 }' | sort -k2,2
	find cgfs bpf agent -name '*.[ch]' | sort | xargs grep -nE '^#include "' |
		sed -nE 's/^([^:]*):[0-9]+:#include "([^"]*)".*/\1 includes \2/p'
}
facts=$(facts)
public=$({ sed -n 's/^[ \t]*\([a-z_][a-z0-9_]*\);.*/\1/p' cgfs/libcgfs.map
	awk -f tests/tools/api.awk include/cgfs/bpf.h | awk '{ print $2 }'; } | sort -u)
upward() {
	{ printf '%s\n' "$public" | sed 's/^/public /'
		grep -v '^#' tests/layers | sed -e ':a' -e '/\\$/{N;s/\\\n *//;ba' -e '}' -e 's/^/layer /'; printf '%s\n' "$facts"; } |
		awk -v only="${1-}" -f tests/tools/layers.awk
}
empty "objects and headers were looked at" "$(printf '%s\n' "$facts" | awk '{ n[$2]++ }
	END { if (n["uses"] < 100 || n["includes"] < 100) print "too few facts" }')"
empty "no folder uses a higher one" "$(upward "${1-}")"
finish
