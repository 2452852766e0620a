#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # what containers expand is not for us to expand
# shellcheck disable=SC2086,SC2119,SC2317 # notes: numbers without quotes, functions that `expect` calls
#
# test_podctl_exec [--list | NAME...] - added commands and terminals, with and without an agent.
# Where a test needs a terminal of its own, an outer `podctl exec -t` is that.  Needs root.
set -u
. "${0%/*}/lib.sh"

# A pod with an empty container, without an agent.
with_container() {
	rm -f "$tmp/up"
	as_root
	expect 0 d run --pod t --name c1 --keep -- true
}
end_container() {
	expect 0 d rm --all
	clean
}
await_file() { until [ -e "$1" ]; do sleep 0.05; done; }

t_exec_wrong_usage_is_2() {
	expect 125 d exec t; says "COMMAND"; one_line
	expect 125 d exec t --; says "COMMAND is missing"; one_line
	expect 125 d exec a/b/c true; says "a/b/c"; one_line
	expect 125 d exec -x t true; says '"-x": unknown option'
	expect 125 d exec -ix t true; says '"-ix": unknown option'
	expect 125 d exec -iu t true; says 'needs a value'
	expect 125 d exec --env =x t true; says '"=x"'
	expect 125 d exec --env CGFS_NOT_SET t true; says 'no such variable'
	expect 125 d exec --user bin t true; says 'is not UID[:GID]'
	expect 125 d exec --user 1: t true; says '--user'
	expect 125 d exec --workdir x t true; says 'not an absolute path'
	expect 125 d exec -di t true; says 'does not go with --detach'
	clean
}

t_exec_is_in_all_cgroups_and_exits_as_its_command() {
	with_container
	expect 0 d exec t/c1 cat /proc/self/cgroup
	grep -v name= "$tmp/out" | grep -v "$root/t/c1$" | grep -v '^0::/' &&
		wrong "outside of the container: $out"
	grep -q "$root/t/c1$" "$tmp/out" || wrong "nowhere: $out"
	expect 7 d exec t -- sh -c 'exit 7'
	expect 143 d exec t sh -c 'kill $$'
	expect 127 d exec t /none; says '/none'; one_line
	expect 126 d exec t "$tmp"; one_line
	expect 125 d exec none true; says 'there is no pod "none"'; one_line
	expect 125 d exec t/none true; says 'there is no container "none"'; one_line
	expect 0 d run --pod t --name c2 --keep -- true
	expect 125 d exec t true; says "has 2 containers"; one_line
	expect 0 d exec t/c2 true
	expect 0 d create u
	expect 125 d exec u true; says "has no container"; one_line
	end_container
}

t_exec_has_its_streams() {
	with_container
	[ "$(echo in | d exec t cat)" = "" ] || wrong "stdin without -i"
	[ "$(echo in | d exec -i t cat)" = in ] || wrong "no stdin with -i"
	expect 0 d exec t sh -c 'echo out; echo err >&2'
	[ "$out/$err" = out/err ] || wrong "$out/$err"
	A=1 expect 0 d exec -e A -e B='2 3' -w / -u 12:34 t sh -c 'echo "$A $B $PWD $(id -u) $(id -g)"'
	[ "$out" = "1 2 3 / 12 34" ] || wrong "$out"
	expect 125 d exec -w /none t true; says "/none"; one_line
	end_container
}

t_exec_detached_goes_on() {
	with_container
	json 0 '.container' c1 d exec --json -d t sleep 1000
	expect 0 d exec -d t sleep 1000
	kill -0 "$out" || wrong "it has ended"
	json 0 '.processes | length' 2 d ps --json t
	end_container
}

t_exec_in_a_frozen_container_is_refused() {
	with_container
	expect 0 d exec -d t sleep 1000
	expect 0 d freeze t/c1
	expect 125 d exec t true; says "frozen"; one_line
	expect 0 d thaw t/c1
	expect 0 d exec t true
	end_container
}

t_exec_terminal_is_one() {
	with_container
	expect 0 d exec -t t sh -c 'test -t 0 && test -t 1 && test -t 2 && tty'
	[[ $out == /dev/pts/* ]] || wrong "$out"
	# The controlling terminal, too
	expect 0 d exec -t t sh -c 'echo yes > /dev/tty'
	[[ $out == yes* ]] || wrong "$out"
	# All of what is printed before the end comes
	expect 0 d exec -t t seq 20000
	[ "$(tr -d '\r' < "$tmp/out" | cksum)" = "$(seq 20000 | cksum)" ] || wrong "$(tail -n 1 "$tmp/out")"
	# The end of a file is one there
	out=$(printf 'a\nb' | d exec -it t sh -c 'stty -echo; cat' | tr -d '\r' | tail -n 1)
	[[ $out == *b ]] || wrong "$out"
	end_container
}

t_exec_keys_are_the_commands() {
	with_container
	local status=0
	# Ignored by the caller, which must not matter
	trap '' INT
	{ await_file "$tmp/up"; printf '\003'; } |
		d exec -it t sh -c "trap 'exit 42' INT; : > $tmp/up; while :; do sleep 0.05; done" \
			> /dev/null || status=$?
	[ $status = 42 ] || wrong "status $status after ^C"
	end_container
}

t_exec_window_follows() {
	with_container
	cat > "$tmp/inner" <<- 'end'
		stty size
		: > "$1"
		until [ "$(stty size)" = "20 30" ]; do sleep 0.05; done
		echo followed
	end
	cat > "$tmp/outer" <<- 'end'
		stty rows 33 cols 44
		"$@" < /dev/tty &
		until [ -e "$up" ]; do sleep 0.05; done
		stty rows 20 cols 30
		wait
	end
	up=$tmp/up expect 0 d exec -t t sh "$tmp/outer" "$podctl" exec --root "$root" --pin-dir "$pins" \
		-it t sh "$tmp/inner" "$tmp/up"
	[[ $out == *"33 44"*followed* ]] || wrong "$out"
	end_container
}

t_exec_detach_keys_leave_it_running() {
	with_container
	local status=0
	{ await_file "$tmp/up"; printf 'x\020\021'; sleep 0.2; } |
		d exec -it t sh -c ": > $tmp/up; sleep 1000; : > $tmp/over" > /dev/null || status=$?
	[ $status = 0 ] || wrong "status $status"
	json 0 '[.processes[].command | select(. == "sleep 1000")] | length' 1 d ps --json t
	rm "$tmp/up"
	status=0
	{ await_file "$tmp/up"; printf '\001d'; sleep 0.2; } |
		d exec -it --detach-keys ctrl-a,d t sh -c ": > $tmp/up; sleep 1000" > /dev/null ||
		status=$?
	[ $status = 0 ] || wrong "status $status"
	expect 125 d exec --detach-keys ctrl-,x t true; says "--detach-keys"; one_line
	[ ! -e "$tmp/over" ] || wrong "it was hung up"
	end_container
}

t_run_terminal() {
	as_root
	expect 5 d run -t --pod t -e A=b -w / -- sh -c 'tty; echo "$A $PWD"; exit 5'
	[[ $out == /dev/pts/*"b /"* ]] || wrong "$out"
	expect 0 d run --rm -it --pod t -- true < /dev/null
	expect 125 d run --rm --keep --pod t -- true; says "--rm"
	clean
}

t_agent_exec_is_in_the_container() {
	with_agent
	expect 0 r --pod t --name c1 --detach -e IN=it -w /bin -- sleep 1000
	expect 0 p exec t/c1 cat /proc/self/cgroup
	grep -v name= "$tmp/out" | grep -v "$root/t/c1$" && wrong "outside of the container: $out"
	expect 0 p exec t sh -c 'echo "$IN $PWD $(cat /proc/1/comm)"'
	[ "$out" = "it /bin sleep" ] || wrong "$out"
	expect 0 p exec -e IN=other -w / -u 12:34 t sh -c 'echo "$IN $PWD $(id -u) $(id -g)"'
	[ "$out" = "other / 12 34" ] || wrong "$out"
	[ "$(echo in | p exec -i t cat)" = in ] || wrong "no stdin with -i"
	[ "$(echo in | p exec t cat)" = "" ] || wrong "stdin without -i"
	expect 7 p exec t sh -c 'exit 7'
	expect 137 p exec t sh -c 'kill -9 $$'
	expect 127 p exec t /none; says '/none'
	expect 126 p exec t /bin
	expect 125 p exec t/none true; says 'none'; one_line
	expect 125 p exec none true; says 'none'; one_line
	expect 0 p freeze t/c1
	expect 125 p exec t true; says "frozen"; one_line
	expect 0 p thaw t/c1
	expect 0 p exec -d t sleep 1000
	json 0 '.processes | length' 2 p ps --json t
	expect 0 p rm --all
	end_agent
}

t_agent_exec_passes_signals_on() {
	with_agent
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	"$podctl" exec t sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done' > "$tmp/up" &
	local pid=$! status=0
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill -USR1 $pid
	wait $pid || status=$?
	[ $status = 9 ] || wrong "status $status"
	expect 0 p rm --all
	end_agent
}

t_agent_terminals() {
	with_agent
	local status=0
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	expect 0 p exec -t t busybox tty
	[[ $out == /dev/pts/* ]] || wrong "$out"
	expect 0 p exec -t t busybox seq 20000
	[ "$(tr -d '\r' < "$tmp/out" | cksum)" = "$(seq 20000 | cksum)" ] || wrong "$(tail -n 1 "$tmp/out")"
	printf 'exit 9\n' | p exec -it t sh > /dev/null || status=$?
	[ $status = 9 ] || wrong "status $status"
	mkfifo "$tmp/keys"
	exec 9<> "$tmp/keys"
	"$podctl" exec -it t sh -c "trap 'exit 42' INT; echo up; while :; do sleep 0.05; done" \
		< "$tmp/keys" > "$tmp/up" &
	local pid=$!
	until grep -q up "$tmp/up"; do sleep 0.05; done
	printf '\003' >&9
	status=0
	wait $pid || status=$?
	[ $status = 42 ] || wrong "status $status after ^C"
	# The detach keys leave it running, also when the agent is another one.
	"$podctl" exec -it t sh -c 'echo up; exec sleep 999' < "$tmp/keys" > "$tmp/up" &
	pid=$!
	until grep -q up "$tmp/up"; do sleep 0.05; done
	printf '\020\021' >&9
	wait $pid || wrong "status $? after the detach keys"
	exec 9>&-
	json 0 '[.processes[].command | select(. == "sleep 999")] | length' 1 p ps --json t/c1
	expect 0 r -t --pod t --name c2 -e A=b -- sh -c 'busybox tty; echo $A'
	[[ $out == *"/dev/"*b* ]] || wrong "$out"
	expect 125 r -t --pod t --name c1 -- true; says "t/c1"
	expect 127 p exec -t t /none
	[ -z "$(ls -d /run/cgfs-console-* 2> /dev/null)" ] || wrong "a socket is left"
	# What killed processes have left is removed by the next one, and not what a live one has.
	local left=(/run/cgfs-console-left-$$ /run/cgfs-console-live-$$) dir
	for dir in "${left[@]}"; do
		mkdir -m 700 "$dir"
		perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' \
			"$dir/sock" || wrong "no socket"
	done
	exec 9< "${left[1]}"
	flock -s 9
	expect 0 p exec -t t true
	exec 9<&-
	[ ! -e "${left[0]}" ] || wrong "the socket of a killed process is left"
	[ -e "${left[1]}/sock" ] || wrong "the socket of a live process was removed"
	expect 0 p exec -t t true
	[ ! -e "${left[1]}" ] || wrong "the socket is left"
	rm -rf "${left[@]}"
	expect 0 p rm --all
	end_agent
}

t_add_moves_processes() {
	with_container
	sleep 1000 > /dev/null 2>&1 & # a failure must not leave the pipe of this test open
	local pid=$!
	expect 2 d add t; says "is missing"
	expect 2 d add t x; says '"x"'; one_line
	expect 2 d add t 0; says 'is not a process id'; one_line
	expect 2 d add t $pid 1; says 'cannot be killed'; one_line
	expect 0 d add t $pid
	[ "$out" = "added $pid" ] || wrong "$out"
	grep -v name= "/proc/$pid/cgroup" | grep -v "$root/t/c1$" | grep -v '^0::/' && wrong "not in all"
	json 0 '.processes[0].pid' $pid d ps --json t
	expect 1 d add t/c1 $pid 4194304; says "4194304"; one_line
	json 1 '[(.added | length), .failed[0].pid]' '[1,4194304]' d add --json t $pid 4194304
	expect 1 d add none $pid; says 'add to "none"'; one_line
	kill $pid
	wait $pid 2> /dev/null
	end_container
}

t_agent_add_moves_processes() {
	with_agent
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	sleep 1000 > /dev/null 2>&1 & # a failure must not leave the pipe of this test open
	local pid=$!
	expect 0 p add t $pid
	grep -v name= "/proc/$pid/cgroup" | grep -v "$root/t/c1$" | grep -v '^0::/' && wrong "not in all"
	expect 0 p rm --all
	wait $pid 2> /dev/null
	end_agent
}

t_agent_run_has_mounts() {
	with_agent
	mkdir "$tmp/data"
	echo inside > "$tmp/data/file"
	expect 1 r --pod t -v "$tmp/data:/data:ro" --mount "$tmp/data/file:/file" -- \
		sh -c 'cat /data/file /file && echo > /data/new'
	[ "$out" = $'inside\ninside' ] || wrong "$out"
	says "Read-only"
	expect 125 r --pod t -v data:/data -- true; says 'is not SOURCE:TARGET'; one_line
	expect 125 r --pod t -v /data -- true; says 'is not SOURCE:TARGET'; one_line
	expect 125 r --pod t -v /data:/x:rx -- true; says 'is not SOURCE:TARGET'; one_line
	expect 125 d run --no-agent --pod t -v /data:/x -- true; says 'needs an agent'; one_line
	end_agent
}

t_agent_run_takes_a_bundle() {
	with_agent
	cp -r "$tmp/rootfs" "$tmp/bundle-root"
	mkdir "$tmp/bundle"
	cat > "$tmp/bundle/config.json" <<- 'end'
		{"ociVersion":"1.0.2","process":{"terminal":true,"args":["sh","-c","echo $IN $PWD; exit 3"],
		"env":["IN=bundle","PATH=/bin"],"cwd":"/bin","user":{"uid":0,"gid":0}},
		"root":{"path":"../bundle-root"},"hostname":"other",
		"mounts":[{"destination":"/proc","type":"proc","source":"proc"},
		{"destination":"/dev","type":"tmpfs","source":"tmpfs"},
		{"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance","ptmxmode=0666"]}],
		"linux":{"cgroupsPath":"/elsewhere","resources":{"pids":{"limit":7}},
		"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"uts"}]}}
	end
	b() { p run --pod t --bundle "$tmp/bundle" --bundle-dir "$tmp/bundles" "$@"; }
	expect 3 b
	[ "$out" = "bundle /bin" ] || wrong "$out"
	expect 0 b -e IN=mine -w / -- sh -c 'echo $IN $PWD; cat /proc/self/cgroup'
	[[ $out == "mine /"* ]] || wrong "$out"
	grep -v name= "$tmp/out" | grep : | grep -v "$root/t/run-" && wrong "outside of the container: $out"
	expect 0 b -t -- busybox tty
	[[ $out == /dev/* ]] || wrong "$out"
	expect 0 b --detach --name c1 --memory 16M -- sleep 1000
	json 0 '.stats.pids.max' 7 p stat --json t/c1
	json 0 '.stats.memory.max' 16777216 p stat --json t/c1
	expect 125 p run --pod t --bundle "$tmp" -- true; says "$tmp/config.json"; one_line
	expect 125 p run --pod t --bundle "$tmp/bundle" --rootfs / -- true; says "cannot be combined with"; one_line
	expect 125 d run --no-agent --pod t --bundle "$tmp/bundle"; says "needs an agent"; one_line
	expect 125 p run --pod t; says "COMMAND is missing"
	expect 0 p rm --all
	end_agent
}

run_tests "$@"
