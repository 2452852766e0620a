#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-format - the C sources are as .clang-format wants them (`make format` does it).
set -u
. "${0%/*}/tools/tap.sh"

if ! command -v clang-format >/dev/null; then
	skip "format" "no clang-format"
	finish
fi
for f in ${all_c?is the list of sources}; do
	empty "$f" "$(clang-format --dry-run -Werror "$f" 2>&1 | grep -E ' (error|warning): ')"
done
finish
