# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# tap.sh - TAP for the checks that are scripts: source it, call pass/fail/skip, end with finish.

number=0 failures=0

pass() { number=$((number + 1)); echo "ok $number - $1"; }
skip() { number=$((number + 1)); echo "ok $number - $1 # SKIP $2"; }

# fail NAME [TEXT]: TEXT becomes comment lines
fail() {
	number=$((number + 1)) failures=$((failures + 1))
	echo "not ok $number - $1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
}

# empty NAME TEXT: passes when TEXT is empty, which is the list of what is wrong
empty() { if [ -z "$2" ]; then pass "$1"; else fail "$1" "$2"; fi; }

# closing: for a script that is not run by tests/run, the line that tests/run would print
closing() { echo "$((number - failures)) passed, $failures failed"; }

finish() { echo "1..$number"; [ $failures = 0 ]; exit; }
