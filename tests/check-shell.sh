#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-shell - shellcheck has no warning about any shell script of the tree (notes are matters of taste).
set -u
. "${0%/*}/tools/tap.sh"

if ! command -v shellcheck >/dev/null; then
	skip "shellcheck" "no shellcheck"
	finish
fi
# Scripts are files that begin like one, and those that are marked as sourced by one.
scripts=$(find . \( -name .git -o -path ./build -o -path ./tests/fuzz/corpus \) -prune -o -type f -print |
	while IFS= read -r f; do
		head -n 3 "$f" | grep -aqE '^#!/bin/(ba)?sh|^# shellcheck shell=' && printf '%s\n' "${f#./}"
	done | sort)
for f in $scripts; do
	empty "$f" "$(shellcheck --external-sources --source-path=SCRIPTDIR --severity=warning --format=gcc "$f" 2>&1)"
done
[ -n "$scripts" ] || fail "scripts" "none was found"
finish
