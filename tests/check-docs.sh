#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-docs - every function of the API has a comment, and kernel-doc comments speak of the
# function that they stand above.
set -u
. "${0%/*}/tools/tap.sh"

for header in include/cgfs/*.h; do
	empty "${header#include/}" "$(awk -f tests/tools/api.awk "$header" | grep ' .* ')"
done
count=$(awk -f tests/tools/api.awk include/cgfs/*.h | wc -l)
declared=$(cat include/cgfs/*.h | grep -c '^CGFS_API')
empty "every CGFS_API was read" "$([ "$count" = "$declared" ] || echo "$count of $declared")"
empty "CGFS_API begins its line" "$(grep -n '[^#].*CGFS_API' include/cgfs/*.h |
	grep -v ':#define\|: \*' | grep -v ':CGFS_API')"
finish
