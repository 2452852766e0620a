#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_patience - tests/tools/patience ends what stops getting on, with its whole session, and
# nothing else.
set -u
. "${0%/*}/../tools/tap.sh"

patience=${0%/*}/../tools/patience
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# is NAME STATUS TEXT ARGUMENT...: status, and what is printed (nothing, when TEXT is empty)
is() {
	local name=$1 want=$2 text=$3 out got=0
	shift 3
	out=$("$patience" "$@" 2> /dev/null) || got=$?
	empty "$name" "$([ $got = "$want" ] || echo "status $got, not $want"
		if [ -n "$text" ]; then grep -qF "$text" <<< "$out" || echo "says \"$out\""; else echo -n "$out"; fi)"
}
: > "$tmp/file"
is "the status is that of the command" 7 '' "$tmp/file" sh -c 'exit 7'
is "or of its signal" 143 '' "$tmp/file" sh -c 'kill $$'
is "one that computes without progress is ended" 124 'Bail out! no progress in 1 s of processor time' \
	-c 1 "$tmp/file" sh -c 'while :; do :; done'
is "so is one that lets others compute" 124 'of processor time' \
	-c 1 "$tmp/file" sh -c '(while :; do :; done) & wait'
is "one that waits for ever is ended" 124 'Bail out! no progress in 1 s' -w 1 "$tmp/file" sleep 1000
is "one that waits is not, before its time" 0 '' -c 1 "$tmp/file" sleep 2
is "one that gets on is not, however long it takes" 0 '' -w 3 "$tmp/file" \
	sh -c 'for i in 1 2 3 4 5; do echo >> "$1"; sleep 1; done' sh "$tmp/file"

"$patience" "$tmp/file" sh -c 'sleep 1001 & echo $! > "$1"; trap "" TERM; sleep 1002' sh "$tmp/pid" &
until [ -s "$tmp/pid" ]; do sleep 0.05; done
kill $!
wait $!
status=$?
empty "when it is ended, so is the session" "$([ $status = 143 ] || echo "status $status"
	grep -qs '^State:.[^ZX]' "/proc/$(cat "$tmp/pid")/status" && echo "the child lives")"
finish
