#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-docs - every function of the API has a comment that describes its parameters; the manual
# pages made from these comments, and those written by hand, are complete and correct.
set -u
# shellcheck source=tests/tools/tap.sh
. "${0%/*}/tools/tap.sh"
export LC_ALL=C

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# -- comments ------------------------------------------------------------------------------------

for header in include/cgfs/*.h; do
	empty "${header#include/}" "$(awk -f tests/tools/api.awk "$header" | grep ' .* ')"
done
awk -f tests/tools/api.awk include/cgfs/*.h | awk '{ print $2 }' | sort > "$tmp/api"
declared=$(cat include/cgfs/*.h | grep -c '^CGFS_API')
empty "every CGFS_API was read" "$([ "$(wc -l < "$tmp/api")" = "$declared" ] ||
	echo "$(wc -l < "$tmp/api") of $declared")"
empty "CGFS_API begins its line" "$(grep -n '[^#].*CGFS_API' include/cgfs/*.h |
	grep -v ':#define\|: \*' | grep -v ':CGFS_API')"

# -- what crosses the kernel's boundary ------------------------------------------------------------

empty "docs/abi.md has the versions of include/cgfs/abi" "$(
	for header in include/cgfs/abi/*.h; do
		sed -n 's/^#define \(CGFS_[A-Z]*_ABI\) \([0-9]*\)$/\1 \2/p' "$header" |
			while read -r name version; do
				grep -q "^| \`${header##*/}\` | \`$name\` | $version | now |" docs/abi.md ||
					echo "no row for $name $version"
			done
		grep -qE '^#define CGFS_[A-Z]*_ABI [0-9]+$' "$header" || echo "no version in $header"
	done)"

# -- manual pages --------------------------------------------------------------------------------

pages=
for header in include/cgfs/*.h; do
	page=cgfs_${header##*/} page=${page%.h}
	[ "$page" != cgfs_cgfs ] || continue
	docs/man/generate "$header" > "$tmp/$page.3"
	pages="$pages $page"
	empty "$page.3: sections" "$(
		for section in NAME LIBRARY SYNOPSIS DESCRIPTION "SEE ALSO"; do
			grep -qx "\.SH $section" "$tmp/$page.3" || echo "no $section"
		done)"
done
# What each function's part of its page has: its name, then letters for what it describes.
awk '
	/^\.SS / { gsub(/[,()]/, ""); n = NF; for (i = 2; i <= NF; i++) name[i] = $i }
	/^\.S[SH] / { if (open) print open, has; open = has = "" }
	/^\.SS / { for (i = 2; i < n; i++) print name[i], "-"; open = name[n] }
	/^\.I [a-z]/ { has = has "p" }
	/^\.B Errors$/ { has = has "e" }
	/^\.B Returns$/ { has = has "r" }
	END { if (open) print open, has }' "$tmp"/cgfs_*.3 | sort > "$tmp/has"
empty "every function is on one page, once" "$(awk '{ print $1 }' "$tmp/has" | diff "$tmp/api" -)"
empty "a function whose parameters are described and that can fail has its errors, or what it returns" "$(
	awk '$2 ~ /p/ && $2 !~ /[er]/ { print $1 }' "$tmp/has" | while read -r name; do
		grep -q "^CGFS_API void $name(" include/cgfs/*.h || echo "$name"
	done)"
empty "each function has a link to its page" "$(docs/man/generate --links include/cgfs/*.h |
	sed 's/\.3=.*//' | sort | diff "$tmp/api" -)"

version=$(sed -n 's/^#define CGFS_VERSION "\(.*\)"/\1/p' include/cgfs/base.h)
for page in docs/man/*.[0-9]; do
	name=${page##*/}
	empty "$name is of this version" "$(grep -q "^\.TH .*\"cgfs $version\"" "$page" ||
		grep '^\.TH' "$page" || echo "no .TH")"
	cp "$page" "$tmp"
done
empty "cgfs.3 lists the pages" "$(
	for page in $pages; do
		grep -qx "\.BR $page (3)" docs/man/cgfs.3 || echo "not $page"
	done)"
sed -n '/^\.EX/,/^\.EE/{/^\./d; s/\\e/\\/g; s/\\-/-/g; p}' docs/man/cgfs.3 > "$tmp/example.c"
empty "the example of cgfs.3 compiles" "$(${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
	-Iinclude -fsyntax-only "$tmp/example.c" 2>&1; grep -q main "$tmp/example.c" || echo none)"

# What the table of options has and the page has not, or the other way round.
agent_options() {
	sed -n 's/^\t{ "\([a-zA-Z0-9-]*\)", \(FLAG\|TEXT\|NUMBER\|LIST\),.*/\1/p' agent/daemon/options.c |
		sort > "$tmp/options"
	sed -n '/^\.SH OPTIONS/,/^\.SH [^O]/s/^\.BI\? *"\?\\-\([a-zA-Z0-9\\-]*\).*/\1/p' \
		docs/man/cgfs-agent.8 | sed 's/\\//g; s/^-//; /^$/d' | sort > "$tmp/page"
	diff "$tmp/options" "$tmp/page"
	[ -s "$tmp/options" ] || echo "no options found"
}
if [ -e docs/man/cgfs-agent.8 ]; then
	empty "cgfs-agent.8 has the agent's options" "$(agent_options)"
fi

# With that of the two tools which is installed.
linted=
if command -v groff >/dev/null; then
	linted=1
	empty "groff finds nothing" "$(for page in "$tmp"/*.[0-9]; do
		groff -man -ww -z "$page" 2>&1; done)"
fi
if command -v mandoc >/dev/null; then
	linted=1
	empty "mandoc finds nothing" "$(mandoc -Tlint -W warning "$tmp"/*.[0-9] 2>&1)"
fi
[ -n "$linted" ] || skip "the pages are clean" "neither groff nor mandoc"
finish
