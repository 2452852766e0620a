#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_podctl_label [--list | NAME...] - labels of pods and containers, with and without an agent,
# which keeps them when it is killed.  Needs root.
set -u
. "${0%/*}/lib.sh"

t_label_wrong_usage() {
	expect 2 d create web --label app; says 'is not NAME=VALUE'; one_line
	expect 2 d create web -l =x; says 'label ""'; one_line
	expect 2 d create web -l 'a b=x'; says 'label "a b"'; one_line
	expect 2 d create web -l -a=x; says 'label "-a"'; one_line
	expect 2 d create web -l "$(printf 'a%.0s' {1..64})=x"; says "1 to 63"; one_line
	expect 2 d create web -l "a=$(printf 'a%.0s' {1..256})"; says "at most 255"; one_line
	expect 2 d create web -l $'a=\e[2J'; says "control character"; one_line
	expect 125 d run --pod t -l $'a=\xff' -- true; says "UTF-8"; one_line
	local many=() i
	for i in {1..9}; do many+=(-l "l$i=$(printf 'a%.0s' {1..250})"); done
	expect 2 d create web "${many[@]}"; says "longer than 2048"; one_line
	expect 2 d ls -l 'a b'; says 'label "a b"'; one_line
	expect 2 d ls --sort labels; says "has no order"; one_line
	as_root
	clean
}

# The same with and without an agent: labels are given, shown, and looked for.
are_found() { # are_found [OPTIONS]
	expect 0 p ls "$@" -o name,labels --no-headers
	[ "$(tr -s ' ' < "$tmp/out")" = "other -
web app=shop,tier=front
web/c1 tier=back" ] || wrong "$out"
	expect 0 p ls "$@" -q --label app; [ "$out" = $'web\nweb/c1' ] || wrong "$out"
	expect 0 p ls "$@" -q -l app=shop -l tier=front; [ "$out" = web ] || wrong "$out"
	expect 0 p ls "$@" -q -l tier=back; [ "$out" = web/c1 ] || wrong "$out"
	expect 0 p ls "$@" -q -l app=other; [ -z "$out" ] || wrong "$out"
	json 0 '[.pods[] | [.id, .labels.app, .containers[].labels.tier]]' '[["web","shop","back"]]' \
		p ls --json "$@" -l app
	json 0 '.pods[0].labels' '{"app":"shop","tier":"front"}' p inspect "$@" web
	json 0 '.labels' '{}' p stat --json "$@" other
	expect 0 p stat "$@" web; [[ $out == *"app=shop,tier=front"* ]] || wrong "$out"
	expect 0 p top "$@" -b -n 1 -l app
	[[ $out == *"web "*"c1 "* && $out != *other* ]] || wrong "$out"
}

t_labels_without_an_agent() {
	as_root
	expect 0 d create web -l app=shop --label tier=front
	expect 0 d create other
	expect 0 d run -d --pod web --name c1 -l tier=back -- sleep 1000
	are_found --root "$root" --pin-dir "$pins"
	expect 0 d rm --all
	clean
}

t_agent_labels_outlive_it() {
	with_agent
	expect 0 p create web -l app=shop --label tier=front
	expect 0 p create other
	expect 0 r -d --pod web --name c1 -l tier=back -- sleep 1000
	are_found
	kill -9 $agent
	wait $agent 2> /dev/null
	rm -f "$tmp/sock"
	with_agent
	are_found
	expect 0 p create sandbox --rootfs "$tmp/rootfs" -l app=other -- sleep 1000
	expect 0 p ls -q -l app=other; [[ $out == sandbox* ]] || wrong "$out"
	expect 0 p rm --all
	end_agent
}

run_tests "$@"
