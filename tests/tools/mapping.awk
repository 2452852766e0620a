# SPDX-License-Identifier: MIT
#
# mapping.awk - the control files that C sources name: VERSION FILE, a line each.
#
# VERSION is v1 or v2 below a line "/* -- v1 -- */", and "any" elsewhere.  A conversion in a name
# ("hugetlb.%.16s.%s") becomes *.  What stands in a call of cgfs_err_set() is words, not a file.

function names(s,    name) {
	while (match(s, /"(cpu|cpuacct|cpuset|memory|pids|io|blkio|devices|freezer|hugetlb|rdma|misc|net_cls|net_prio|cgroup)\.[^" ]+"|"tasks"/)) {
		name = substr(s, RSTART + 1, RLENGTH - 2)
		s = substr(s, RSTART + RLENGTH)
		gsub(/%[.0-9]*[a-z]+/, "*", name)
		if (name !~ /\\/)
			print version, name
	}
}

FNR == 1 { version = "any"; in_error = 0 }
/^#include/ { next }
/^\/\* -- v[12] / { version = $3 }
/^\/\* -- / && !/^\/\* -- v[12] / { version = "any" }
/^[ \t]*(\/\*|\*)/ { next }
in_error || /(cgfs_err_set|err_why)\(/ {
	if (!in_error)
		names(substr($0, 1, match($0, "(cgfs_err_set|err_why)\\(")))
	in_error = !/;[ \t]*(\/\*.*)?$/
	next
}
{ names($0) }
