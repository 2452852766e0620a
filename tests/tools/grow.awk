# SPDX-License-Identifier: MIT
#
# grow.awk - a header of the API as a later version may have it: two more members at the end of
# each structure that begins with its size, more entries in the arrays that end the others, four
# more figures.  With -v padding=1 a C program instead, which compiles when no such structure has
# padding at its end, where a later member would be taken for set in an older caller's.
/^struct [a-z_]+ \{/ { name = $2; inside = 1; sized = 0; last = "" }
inside && /^\tsize_t sz;/ { sized = 1 }
inside && /^\t[a-z].*;/ {
	line = $0
	sub(/;.*/, "", line)
	sub(/\[.*/, "", line)
	last = line ~ /[()]/ ? "" : line
	sub(/.*[ \t*]/, "", last)
}
inside && /^};/ {
	inside = 0
	if (sized && padding && last != "")
		printf "_Static_assert(sizeof(struct %s) == offsetof(struct %s, %s) + " \
			"sizeof(((struct %s *)0)->%s), \"struct %s ends with padding\");\n", \
			name, name, last, name, last, name
	if (sized && last !~ /^(figure|mount|cap)$/ && !padding)
		print "\tuint64_t grown_a, grown_b;"
}
/^#define CGFS_(MOUNTS|CAPABILITIES)_MAX / { $3 += 5 }
/^\tX\(ADMIT_EXEMPT,/ {
	$0 = $0 " \\"
	for (i = 1; i <= 4; i++)
		$0 = $0 sprintf("\n\tX(GROWN_%d, \"grown.%d\", \"count\")%s", i, i, i < 4 ? " \\" : "")
}
!padding
