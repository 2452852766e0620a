#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-compat.sh - every row of the tables in docs/gcs-compat.md names tests that exist; that they
# pass is for the suite to say, which runs them.
set -u
# shellcheck source=tests/tools/tap.sh
. "${0%/*}/tools/tap.sh"

doc=docs/gcs-compat.md
tick=$'\x60'
rows=$(sed '/^## Decisions/,$d' $doc | grep '^|' | grep -v '^|---' |
	grep -v '^| \(message\|what\|reference\) |')
known=$(
	grep -oh '^[A-Z]*_TEST([a-z0-9_]*' tests/agent/test_*.c | sed 's/.*(//'
	basename -s .json -a tests/agent/transcripts/*.json
)

one="${tick}[a-z0-9_]*$tick"
empty "there are rows" "$([ -n "$rows" ] || echo "none in $doc")"
empty "every row names a test" "$(grep -v "| $one\\(, $one\\)* |\$" <<< "$rows")"
empty "every test that is named exists" "$(awk -F'|' '{ print $(NF - 1) }' <<< "$rows" |
	grep -o "$one" | tr -d "$tick" | sort -u | grep -vxF "$known")"
finish
