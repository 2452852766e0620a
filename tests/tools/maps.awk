# SPDX-License-Identifier: MIT
#
# maps.awk - what is wrong with the maps of an eBPF object, from `bpftool btf dump file OBJECT`:
#	MAP PROBLEM
# A map is a variable of the section .maps; its members are pointers, and the integers among
# them are lengths of arrays.

match($0, /^\[[0-9]+\]/) {
	id = substr($0, 2, RLENGTH - 2)
	kind[id] = $2
	section = $2 == "DATASEC" && $3 == "'.maps'"
	name[id] = $3
	gsub(/'/, "", name[id])
	if (match($0, /type_id=[0-9]+/))
		target[id] = substr($0, RSTART + 8, RLENGTH - 8)
	if (match($0, /nr_elems=[0-9]+/))
		length_of[id] = substr($0, RSTART + 9, RLENGTH - 9)
	next
}
section && /VAR/ && match($0, /type_id=[0-9]+/) { maps[++n] = substr($0, RSTART + 8, RLENGTH - 8) }
/^\t'/ && match($0, /type_id=[0-9]+/) {
	field = $1
	gsub(/'/, "", field)
	member[id, field] = substr($0, RSTART + 8, RLENGTH - 8)
}

function resolve(t) { while (kind[t] == "TYPEDEF") t = target[t]; return t }

END {
	if (n == 0)
		print "- no map found"
	for (i = 1; i <= n; i++) {
		map = name[maps[i]]
		type = target[maps[i]]
		if (length(map) > 15)
			print map " has " length(map) " characters, the kernel keeps 15"
		if (map !~ /^cgfs_/)
			print map " does not begin with cgfs_"
		number = length_of[target[member[type, "type"]]]
		if (number == 27)	# BPF_MAP_TYPE_RINGBUF has no entries
			continue
		# Maps of descriptors: perf event and program arrays, arrays and hashes of maps.
		if (number == 3 || number == 4 || number == 12 || number == 13)
			continue
		if (!((type, "value") in member) || !((type, "key") in member))
			print map " has no typed key and value: bpftool would dump hex"
		# An enum as the key of an array makes the kernel refuse the BTF, silently.
		if ((number == 2 || number == 6) && kind[resolve(target[member[type, "key"]])] != "INT")
			print map " is an array, its key must be __u32"
	}
}
