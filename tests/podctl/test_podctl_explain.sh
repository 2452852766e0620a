#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2086,SC2119,SC2317 # notes: what others expand, numbers, functions of `expect`
#
# test_podctl_explain [--list | NAME...] - `podctl explain`: what was refused to a pod, or killed in
# it, without an agent, with one, and after it.  Needs root.
set -u
. "${0%/*}/lib.sh"

with_policy() {
	as_root
	"$podctl" explain --root "$root" --pin-dir "$pins" none 2>&1 | grep -q "without eBPF" &&
		{ echo "built without eBPF"; exit 77; }
	[ -e "$tmp/node" ] || mknod "$tmp/node" b 8 3 || { echo "no device nodes here"; exit 77; }
}
has() { [[ $out == *"$1"* ]] || wrong "\"$1\" is not in: $out"; }
has_not() { [[ $out != *"$1"* ]] || wrong "\"$1\" is in: $out"; }

t_explain_wrong_usage() {
	expect 2 d explain; says "is missing"
	expect 2 d explain web/; says 'web/'
	expect 2 d explain --since never web; says '--since'; one_line
	expect 1 d explain none; says 'explain "none"'; one_line
	clean
}

t_explain_says_why() {
	with_policy
	expect 0 d create web
	expect 0 d explain web; has "nothing is recorded of web"
	expect 1 d run --pod web --name own --keep --device 'deny b *:* rwm' -- \
		sh -c "cat $tmp/node; cat $tmp/node"
	expect 1 d run --pod web --name bound --keep -- dd "if=$tmp/node"
	expect 137 d run --pod web --name small --keep --memory 16M -- tail /dev/zero
	expect 0 d explain web
	has "web/bound: dd (pid "
	has ") was denied reading of block device 8:3: no rule of the pod's device list allows it."
	has "to allow it, add --device 'b 8:3 r' to the device list of web."
	has "web/own: cat (pid "
	has "of the container's device list denies it; 2 times since "
	has "to the device list of web/own."
	has "web/small: tail (pid "
	has ") was killed for lack of memory: the container was at its limit of memory, 16.0 MiB."
	has "podctl set web/small --memory SIZE"
	# The container goes, and what is known of it stays.
	expect 0 d rm web/small
	expect 0 d explain web/small; has "web/small: tail"; has_not "web/own"
	expect 0 d explain --since 1h web; has "web/small: tail"
	expect 0 d explain --since 2100-01-01T00:00:00Z web; has "nothing is recorded of web"
	if command -v jq > /dev/null; then
		json 0 '[.records[] | .kind, .container, .count, .level, .device.access, .call]' \
			'["killed","small",1,"container",null,null,"denied","bound",1,"pod","r","open","denied","own",2,"container","r","open"]' \
			d explain --json web
	fi
	expect 0 d rm --all
	clean
}

t_explain_with_an_agent_and_after_it() {
	with_policy
	with_agent
	expect 0 p create t --memory 64M
	expect 137 r --pod t --name c1 --memory 8M -- dd if=/dev/zero of=/dev/null bs=200M count=1
	# These pins are not those that podctl looks at by itself.
	expect 1 p explain t; says "--pin-dir"; one_line
	expect 0 d explain t; has "t/c1: dd (pid "; has "at its limit of memory, 8.0 MiB"
	kill -9 $agent; wait $agent 2> /dev/null
	rm "$tmp/sock"
	expect 0 d explain --no-agent t; has "t/c1: dd (pid "
	with_agent
	expect 0 d explain t; has "t/c1: dd (pid "
	expect 0 p rm --all
	end_agent
}

run_tests "$@"
