#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-mapping - docs/mapping.md and the sources name the same control files, OCI fields, members
# and figures, none more and none less.
set -u
. "${0%/*}/tools/tap.sh"
export LC_ALL=C

doc=docs/mapping.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# differ WHAT A WHAT B: lines of only one of two sorted files
differ() { comm -23 "$2" "$4" | sed "s,^,only in $1: ,"; comm -13 "$2" "$4" | sed "s,^,only in $3: ,"; }

# column HEADING [SECTION]: what stands in backquotes in the columns of that heading
column() {
	awk -F'|' -v heading="$1" -v section="${2:-}" '
		/^## / { here = section == "" || index($0, section); next }
		!/^\|/ { at = 0; next }
		!at {
			for (i = 2; i < NF; i++) {
				name = $i
				gsub(/^ +| +$/, "", name)
				if (name == heading)
					at = i
			}
			at = at ? at : -1
			next
		}
		here && at > 0 {
			while (match($at, /`[^`]*`/)) {
				print substr($at, RSTART + 1, RLENGTH - 2)
				$at = substr($at, RSTART + RLENGTH)
			}
		}' $doc | sort -u
}

# -- control files ---------------------------------------------------------------------------------

column "v1 file" > "$tmp/doc.v1"
{ column "v2 file"; column entry; } | sort -u > "$tmp/doc.v2"
for source in cgfs/controller/*.[ch] cgfs/controller/*/*.[ch]; do
	awk -f tests/tools/mapping.awk "$source"
done | sort -u > "$tmp/source"
empty "control files were found" "$([ "$(wc -l < "$tmp/source")" -gt 50 ] || cat "$tmp/source")"

# has VERSION PATTERN: is it in the column, or, for any, in one of them?
has() {
	local version=$1 pattern=$2 file
	while IFS= read -r file; do
		# shellcheck disable=SC2254 # a pattern
		case $file in $pattern) return 0 ;; esac
	done < <(case $version in any) cat "$tmp/doc.v1" "$tmp/doc.v2" ;; *) cat "$tmp/doc.$version" ;; esac)
	return 1
}
empty "every control file of the sources is in $doc" "$(
	while read -r version pattern; do
		has $version "$pattern" || echo "$version: $pattern"
	done < "$tmp/source")"

# in_source VERSION FILE
in_source() {
	local version pattern
	while read -r version pattern; do
		# shellcheck disable=SC2254 # a pattern
		case $2 in $pattern) [ $version = any ] || [ $version = "$1" ] && return 0 ;; esac
	done < "$tmp/source"
	return 1
}
for version in v1 v2; do
	empty "every file of column $version is in the sources" "$(
		while IFS= read -r file; do
			in_source $version "$file" || echo "$file"
		done < "$tmp/doc.$version")"
	cat tests/fake/recorded/$version-*.txt | sed -n 's/^ls [^ ]* => //p' | tr ' ' '\n' |
		grep -v '^cgroup\.' | sed 's/^hugetlb\.[0-9]*[KMG]B\./hugetlb.SIZE./' | sort -u > "$tmp/kernel.$version"
done
# What recorded kernels have in the other version alone, of controllers recorded in both.
for version in v1 v2; do
	[ $version = v1 ] && other=v2 || other=v1
	sed 's/\..*/./' "$tmp/kernel.$version" | sort -u > "$tmp/recorded"
	empty "no file of $other alone is in column $version" "$(comm -13 "$tmp/kernel.$version" \
		"$tmp/kernel.$other" | grep -F -f "$tmp/recorded" | comm -12 - "$tmp/doc.$version")"
done

# What `unified` has a counterpart for.
sed -n '/^} counterparts\[\] = {/,/^};/s/^\t{ "\([^"]*\)".*/\1/p' cgfs/controller/unified_plan.c |
	sort -u > "$tmp/unified"
column entry | sed 's/^hugetlb\.SIZE\..*/hugetlb.*.max/' | sort -u > "$tmp/doc.unified"
empty "entries of unified that v1 has" "$([ -s "$tmp/unified" ] || echo none
	differ $doc "$tmp/doc.unified" unified_plan.c "$tmp/unified")"

# -- fields, members, figures ------------------------------------------------------------------------

awk '
	/^static const struct field [a-z_]*_fields\[\]/ {
		section = $5
		sub(/_fields.*/, "", section)
		sub(/block_io/, "blockIO", section)
		section = section == "root" ? "" : section "."
	}
	/^};/ { section = "none" }
	/^\t\{ "/ && section != "none" && !/take_section/ {
		split($0, part, "\"")
		print section part[2]
	}' cgfs/request/oci_fields.c | sort -u > "$tmp/oci"
column "OCI field" > "$tmp/doc.oci"
empty "OCI fields" "$([ -s "$tmp/oci" ] || echo none; differ $doc "$tmp/doc.oci" cgfs/request/oci_fields.c "$tmp/oci")"

awk '
	/^struct cgfs_resources \{/ { inside = 1; next }
	/^};/ { inside = 0 }
	inside { text = text " " $0 }
	END {
		gsub(/\/\*([^*]|\*[^\/])*\*\//, "", text)
		n = split(text, line, ";")
		for (i = 1; i < n; i++) {
			sub(/.*[ \t*]/, "", line[i])
			if (line[i] !~ /^(sz|set|n_.*|reserved.*)$/)
				print line[i]
		}
	}' include/cgfs/resources.h | sort -u > "$tmp/members"
column "member" > "$tmp/doc.members"
empty "members of struct cgfs_resources" "$([ -s "$tmp/members" ] || echo none
	differ $doc "$tmp/doc.members" resources.h "$tmp/members")"

sed -n 's/^\tX([A-Z0-9_]*, "\([a-z0-9_.]*\)".*/\1/p' include/cgfs/stats.h | sort -u > "$tmp/figures"
# {a,b} is both
column "figure" | grep -x '[a-z0-9_.{},]*' | while IFS= read -r name; do
	eval "printf '%s\n' $name"
done | sort -u > "$tmp/doc.figures"
empty "figures" "$([ -s "$tmp/figures" ] || echo none; differ $doc "$tmp/doc.figures" stats.h "$tmp/figures")"
finish
