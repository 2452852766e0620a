#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # what containers expand is not for us to expand
#
# test_podctl_logs [--list | NAME...] - what an agent keeps of what containers print.  Needs root.
set -u
. "${0%/*}/lib.sh"

detached() { expect 0 r --pod t --name c1 --detach -- "$@"; }

t_logs_wrong_usage_is_2() {
	expect 2 d logs; says "is missing"
	expect 2 d logs a/b/c; says "a/b/c"; one_line
	expect 2 d logs --tail x t; says '--tail'; one_line
	expect 2 d logs --since yesterday t; says 'yesterday'; one_line
	expect 2 d logs --since 5x t; says '5x'; one_line
	expect 2 d logs --since 2026-11-30T13:21:47 t; says '2026'; one_line
	clean
}

t_logs_without_an_agent_say_so() {
	as_root
	expect 0 d run --pod t --name c1 --detach -- sleep 1000
	expect 1 d logs t; says 'logs of "t": its output is not kept'; one_line
	expect 0 d rm --all
	clean
}

t_agent_logs_have_all_streams_and_times() {
	with_agent
	detached sh -c 'echo one; echo two >&2; printf "no end"; printf "\377\n" > /dev/stdout; exit 3'
	expect 0 p wait t/c1
	expect 0 p logs t/c1
	[ "$(tr -d '\377' < "$tmp/out")" = $'one\nno end' ] || wrong "$out"
	[ "$err" = two ] || wrong "stderr: $err"
	expect 0 p logs -t t
	grep -qxaE '20[0-9-]*T[0-9:]*\.[0-9]{9}Z one' "$tmp/out" || wrong "$out"
	expect 0 p logs --json t
	[ "$(jq -rs 'map(.stream) | unique | join(" ")' < "$tmp/out")" = "stderr stdout" ] || wrong "$out"
	[ "$(jq -rs '.[0].text' < "$tmp/out")" = one ] || wrong "$out"
	expect 0 p logs --since 2200-01-01T00:00:00Z t
	[ "$out$err" = "" ] || wrong "from the future: $out$err"
	expect 0 p logs --since 100d t
	[[ $out == one* ]] || wrong "$out"
	expect 0 p logs --tail 1 t
	[ "$(cat "$tmp/out" "$tmp/err" | wc -l)" = 1 ] || wrong "$out$err"
	expect 0 p logs --tail 0 t
	[ "$out$err" = "" ] || wrong "$out"
	expect 1 p logs none; says 'logs of "none"'; one_line
	expect 0 p rm --all
	end_agent
}

t_agent_logs_follow_to_the_end() {
	with_agent
	detached sh -c 'echo begun; until [ -e /go ]; do sleep 0.05; done; busybox seq 1000; exit 1'
	"$podctl" logs -f t > "$tmp/followed" &
	local pid=$!
	until grep -qs begun "$tmp/followed"; do sleep 0.05; done
	: > "$tmp/rootfs/go"
	wait $pid || wrong "status $?"
	rm "$tmp/rootfs/go"
	[ "$(tail -n +2 "$tmp/followed" | cksum)" = "$(seq 1000 | cksum)" ] ||
		wrong "$(tail -n 3 "$tmp/followed")"
	expect 0 p logs -f --tail 2 t
	[ "$out" = $'999\n1000' ] || wrong "$out"
	expect 0 p rm --all
	# A container without a word, removed while it is followed
	detached sleep 1000
	"$podctl" logs -f t > "$tmp/followed" &
	pid=$!
	# It has found the container when it has a descriptor of its process.
	until [ ! -d /proc/$pid ] || [ -n "$(find /proc/$pid/fd -lname '*pidfd*' 2> /dev/null)" ]; do
		sleep 0.01
	done
	expect 0 p rm t/c1
	wait $pid || wrong "status $? of a container that was removed"
	expect 0 p rm --all
	end_agent
}

t_agent_logs_are_bounded() {
	with_agent
	detached busybox seq 400000
	expect 0 p wait t/c1
	local size
	size=$(du -cb "$tmp"/state/containers/c1/output.log* | tail -n 1 | cut -f 1)
	[ "$size" -le 2300000 ] || wrong "$size bytes are kept"
	expect 0 p logs t
	[ "$(tail -n 1 "$tmp/out")" = 400000 ] || wrong "the end is $(tail -n 1 "$tmp/out")"
	# All of it is there from where it begins, which may be within a line
	local first
	first=$(sed -n 2p "$tmp/out")
	[ "$(tail -n +2 "$tmp/out" | cksum)" = "$(seq "$first" 400000 | cksum)" ] || wrong "not in order: $first"
	expect 0 p rm --all
	end_agent
}

t_agent_logs_survive_the_agent() {
	with_agent
	detached sh -c 'busybox seq 10; until [ -e /go ]; do sleep 0.05; done; busybox seq 11 20000'
	until [ "$("$podctl" logs t)" = "$(seq 10)" ]; do sleep 0.05; done
	kill -9 $agent
	wait $agent 2> /dev/null
	rm -f "$tmp/sock"
	# More than a FIFO holds, so that it waits for the next agent
	: > "$tmp/rootfs/go"
	with_agent
	expect 0 p wait t/c1
	expect 0 p logs t
	[ "$(cksum < "$tmp/out")" = "$(seq 20000 | cksum)" ] || wrong "$(wc -l < "$tmp/out") lines"
	rm "$tmp/rootfs/go"
	expect 0 p rm --all
	end_agent
}

run_tests "$@"
