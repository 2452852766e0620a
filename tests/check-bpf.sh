#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-bpf - what an operator sees with bpftool: names of maps and programs fit the kernel's 15
# characters, object names the 8 that leave room for .rodata, and maps dump by field name.
# Read from the objects; nothing is loaded.
set -u
. "${0%/*}/tools/tap.sh"

O=${O:-build}
for object in "$O"/bpf/*/*.bpf.o; do
	[ -e "$object" ] || break
	name=${object##*/} name=${name%.bpf.o}
	empty "$name: the name fits" "$([ ${#name} -le 8 ] || echo "${#name} characters, 8 fit")"
	empty "$name: maps" "$("${BPFTOOL:-bpftool}" btf dump file "$object" |
		awk -f tests/tools/maps.awk)"

	# Programs: global functions in a section of their own.
	programs=$(readelf -SW "$object" | sed 's/^ *\[ *\([0-9]*\)\] /\1 /' | awk '
		FNR == NR { if ($2 == ".text") text = $1; next }
		$4 == "FUNC" && $5 == "GLOBAL" && $7 != text { print $8 }
		' - <(readelf -sW "$object"))
	empty "$name: programs begin with cgfs_" "$(grep -v '^cgfs_' <<< "$programs")"
	empty "$name: programs differ in 15 characters" \
		"$(cut -c1-15 <<< "$programs" | sort | uniq -d)"
	empty "$name: licence" "$(strings -a "$object" | grep -qx 'Dual MIT/GPL' ||
		echo "is not Dual MIT/GPL")"
done
[ $number -gt 0 ] || skip "objects" "built without BPF"
finish
