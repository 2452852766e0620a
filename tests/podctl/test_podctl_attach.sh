#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # what containers expand is not for us to expand
# shellcheck disable=SC2086,SC2317 # notes: numbers without quotes, functions that `expect` calls
#
# test_podctl_attach [--list | NAME...] - back to detached commands, with and without an agent; and
# the remedy for an ordinary user.  Needs root.
set -u
. "${0%/*}/lib.sh"

session() { # session NAME COMMAND...: a podctl with its own keys, descriptor 9
	local name=$1
	shift
	rm -f "$tmp/keys"
	mkfifo "$tmp/keys"
	exec 9<> "$tmp/keys"
	# What another test has left there is not on this one's screen.
	: > "$tmp/$name"
	"$@" < "$tmp/keys" > "$tmp/$name" 2> "$tmp/$name.err" &
	session=$!
}
shows() { # shows NAME TEXT
	until tr -d '\r' < "$tmp/$1" | grep -qaF -- "$2"; do
		kill -0 "$session" 2> /dev/null || wrong "it has ended: $(cat "$tmp/$1" "$tmp/$1.err")"
		sleep 0.05
	done
}
ends() { # ends STATUS
	local got=0
	wait "$session" || got=$?
	exec 9>&-
	[ $got = "$1" ] || wrong "status $got, not $1"
}

# The same with and without an agent.
lines='echo up; while read line; do echo "got $line"; [ "$line" != end ] || exit 7; done'
session_is_kept() { # session_is_kept STATUS [OPTIONS]: of t/c1, which runs $lines
	local status=$1 kept
	shift
	kept=/run/cgfs/terminal-$(p ls --json "$@" t/c1 | grep -o '"cgroup_id": [0-9]*' | grep -o '[0-9]*$')
	[ -S "$kept" ] || wrong "there is no $kept"
	session one "$podctl" attach "$@" t/c1
	printf 'first\n' >&9
	shows one 'got first'
	# One at a time
	expect 125 p attach "$@" t; says "another podctl is attached"; one_line
	expect 1 p resize "$@" t/c1 20 30; says "another podctl is attached"
	printf '\020\021' >&9
	ends 0
	expect 0 p resize "$@" t/c1 44 33
	# One that is killed gives it back
	session two "$podctl" attach "$@" t
	printf 'second\n' >&9
	shows two 'got second'
	kill -9 "$session"
	wait "$session" 2> /dev/null
	exec 9>&-
	session three "$podctl" attach "$@" --detach-keys ctrl-a,d t/c1
	printf 'end\n' >&9
	ends "$status"
	grep -qaF 'got end' "$tmp/three" || wrong "$(cat "$tmp/three")"
	# The process that kept it goes with it
	while [ -e "$kept" ]; do sleep 0.05; done
	expect 125 p attach "$@" t/c1; one_line
}

t_attach_wrong_usage_is_125() {
	expect 125 d attach; says "is missing"; one_line
	expect 125 d attach a/b/c; says "a/b/c"; one_line
	expect 125 d attach --fly t; says '"--fly": unknown option'
	expect 2 d resize t 1; says "is missing"
	expect 2 d resize t 0 10; says "COLUMNS"; one_line
	expect 2 d resize t 10 65536; says "ROWS"; one_line
	as_root
	expect 125 d attach none; says 'there is no pod "none"'; one_line
	expect 1 d resize none 1 1; says 'there is no pod "none"'; one_line
}

t_attach_finds_the_terminal_again() {
	as_root
	expect 0 d run -dt --pod t --name c1 -- sh -c "$lines"
	# Only its parent knows the status of a process.
	session_is_kept 0 --root "$root" --pin-dir "$pins"
	expect 0 d rm --all
	clean
}

t_attach_after_detach_keys() {
	as_root
	session run "$podctl" run --root "$root" --pin-dir "$pins" -it --pod t --name c1 -- sh -c "$lines"
	shows run up
	printf '\020\021' >&9
	ends 0
	grep -q 't/c1 goes on: `podctl attach`' "$tmp/run.err" || wrong "$(cat "$tmp/run.err")"
	session_is_kept 0 --root "$root" --pin-dir "$pins"
	expect 0 d rm --all
	clean
}

gone() { # gone [OPTIONS]: with its pod, by no verb
	until [ "$(p ls -q "$@")" = "" ]; do sleep 0.05; done
}
removed_at_its_end() { # removed_at_its_end COMMAND...: a run --rm -it of t/c1, and of t/c2 with -d
	local options=() status
	[ -n "${CGFS_AGENT:-}" ] || options=(--root "$root" --pin-dir "$pins")
	session run "$@" --rm -it --pod t --name c1 -- sh -c "$lines"
	shows run up
	printf '\020\021' >&9
	ends 0
	grep -q 'its end removes it' "$tmp/run.err" || wrong "$(cat "$tmp/run.err")"
	[ "$(p ls -q "${options[@]}" t/c1)" = t/c1 ] || wrong "it is gone already"
	status=$([ -n "${CGFS_AGENT:-}" ] && echo 7 || echo 0)
	session again "$podctl" attach "${options[@]}" t/c1
	printf 'end\n' >&9
	ends "$status"
	gone "${options[@]}"
	expect 0 "$@" --rm -d --pod t --name c2 -- sleep 0.2
	gone "${options[@]}"
	# The pod was there before
	expect 0 p create "${options[@]}" t
	expect 0 "$@" --rm -d --pod t --name c3 -- true
	until [ "$(p ls -q "${options[@]}")" = t ]; do sleep 0.05; done
	expect 0 p rm "${options[@]}" t
}

t_run_rm_removes_also_after_detaching() {
	as_root
	removed_at_its_end "$podctl" run --root "$root" --pin-dir "$pins"
	clean
}

# A command does not wait for a podctl that is stopped.
t_attach_stopped_holds_nothing_up() {
	as_root
	expect 0 d run -dt --pod t --name c1 -- sh -c 'echo up; read line
		i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i + 1)); done
		: > "$0"; read line; exit 7' "$tmp/all"
	session one "$podctl" attach --root "$root" --pin-dir "$pins" t/c1
	printf '\n' >&9
	shows one 'line 1'
	kill -STOP "$session"
	# What it has read is not all: the rest is more than a terminal holds.
	until [ -e "$tmp/all" ]; do sleep 0.05; done
	kill -CONT "$session"
	printf '\n' >&9
	ends 0
	expect 0 d rm --all
	clean
}

keeper_of() { # keeper_of SOCKET: the process that has it
	local inode fd
	inode=$(awk -v p="$1" '$8 == p { print $7 }' /proc/net/unix | head -n 1)
	for fd in /proc/[0-9]*/fd/*; do
		[ "$(readlink "$fd")" = "socket:[$inode]" ] || continue
		fd=${fd#/proc/}
		echo "${fd%%/*}"
		return
	done
}

t_attach_keeper_uses_no_directory() {
	as_root
	mkdir "$tmp/cwd"
	(cd "$tmp/cwd" && "$podctl" run --root "$root" --pin-dir "$pins" -dt --pod t --name c1 -w / -- sleep 1000) > /dev/null ||
		wrong "status $?"
	local kept keeper
	kept=/run/cgfs/terminal-$(d ls --json t/c1 | grep -o '"cgroup_id": [0-9]*' | grep -o '[0-9]*$')
	keeper=$(keeper_of "$kept")
	[ -n "$keeper" ] || wrong "no process has $kept"
	until [ "$(readlink "/proc/$keeper/cwd")" = / ]; do
		kill -0 "$keeper" || wrong "it has ended"
		sleep 0.05
	done
	expect 0 d rm --all
	clean
}

t_attach_keeper_without_a_socket_says_so() {
	as_root
	grep -q ' - cgroup2 ' /proc/self/mountinfo || { echo "podctl mounts its own cgroup2 below /run/cgfs"; exit 77; }
	expect 0 d create t
	expect 0 unshare -m sh -c 'mount -t tmpfs -o ro tmpfs /run/cgfs && exec "$0" "$@"' \
		"$podctl" run --root "$root" --pin-dir "$pins" -dt --pod t --name c1 -- sleep 1000
	says "no podctl can attach to it: Read-only"; one_line
	expect 0 d rm --all
	clean
}

t_attach_without_a_terminal_needs_an_agent() {
	as_root
	expect 0 d run -d --pod t --name c1 -- sleep 1000
	expect 125 d attach t/c1; says "is not kept"; one_line
	expect 1 d resize t/c1 1 1; says "is not kept"; one_line
	expect 125 d run -di --pod t -- true; says "--interactive"; one_line
	expect 0 d rm --all
	clean
}

t_agent_attach_finds_the_terminal_again() {
	with_agent
	expect 0 r -dt --pod t --name c1 -- sh -c "$lines"
	session_is_kept 7
	expect 125 p attach t/c1; says "its command has ended"; one_line
	expect 0 p rm --all
	end_agent
}

t_agent_attach_prints_and_passes_signals() {
	with_agent
	expect 0 r -d --pod t --name c1 -- sh -c 'trap "echo over; echo err >&2; exit 5" INT
		while :; do echo tick; sleep 0.05; done'
	session one "$podctl" attach t/c1
	shows one tick
	kill -INT "$session"
	ends 5
	[ "$(tail -n 1 "$tmp/one")" = over ] || wrong "the end is $(tail -n 1 "$tmp/one")"
	[ "$(cat "$tmp/one.err")" = err ] || wrong "stderr: $(cat "$tmp/one.err")"
	expect 1 p resize t/c1 1 1; says "is not kept"; one_line
	# One whose output goes to the podctl that runs it
	"$podctl" run --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" --pod t --name c2 -- \
		sh -c 'echo up; sleep 1000' > "$tmp/run" &
	local run=$!
	until grep -q up "$tmp/run"; do sleep 0.05; done
	expect 125 p attach t/c2; says "output are not kept"; one_line
	expect 0 p kill -s KILL t/c2
	wait $run
	expect 0 p rm --all
	end_agent
}

t_agent_statuses_are_podmans() {
	with_agent
	echo > "$tmp/rootfs/bin/plain"
	expect 0 r -d --pod t --name c1 -- sleep 1000
	local how
	for how in "exec t" "exec -t t" "exec -d t"; do
		# shellcheck disable=SC2086 # words
		{
			expect 127 p $how none; says none
			expect 127 p $how /bin/none; says none
			expect 126 p $how plain; says ermission
		}
	done
	for how in --pod "-d --pod"; do
		# shellcheck disable=SC2086 # words
		{
			expect 127 r $how u -- none; says none
			expect 126 r $how u -- plain; says ermission
		}
	done
	expect 2 p exec t sh -c 'exit 2'
	expect 125 p exec -x t true
	expect 0 p rm --all
	end_agent
}

t_an_ordinary_user_gets_the_remedy() {
	as_root
	local nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
	$nobody "$podctl" --version > /dev/null 2>&1 || { echo "podctl is where nobody may run it"; exit 77; }
	unset XDG_RUNTIME_DIR
	# shellcheck disable=SC2086 # words
	{
		expect 1 $nobody "$podctl" create --root "$root" web; says "run podctl as root"; one_line
		expect 125 $nobody "$podctl" run --root "$root" --pod t -- true; says "run podctl as root"; one_line
		# What the remedy names besides; t_apply_without_privilege does the other.
		says "look with --no-agent"; says "apply --no-bpf"
		expect 0 $nobody "$podctl" ls --no-agent --root "$root"
	}
	clean
}

t_agent_local_socket_beside_listen() {
	as_root
	expect 2 "$O/cgfs-agent" -v4 -listen "unix:$tmp/sock" -local-socket "$tmp/local" -no-local-socket
	says "exclude each other"
	expect 2 "$O/cgfs-agent" -v4 -local-socket local; says "not an absolute path"
	with_agent -local-socket "$tmp/local"
	unset CGFS_AGENT
	expect 0 p create --agent "unix:$tmp/sock" one
	expect 0 p ls -q --agent "unix:$tmp/local"
	[ "$out" = one ] || wrong "$out"
	# It is the one that podctl finds.
	expect 0 p ls -q --root "$root"
	[ "$out" = one ] || wrong "$out"
	expect 0 p rm --agent "unix:$tmp/local" --all
	end_agent
	[ ! -e "$tmp/local" ] || wrong "the socket is left"
}

# What a user of podman looks for stands in --help, with the words that he knows.
t_help_alone_is_enough() {
	local verb word
	expect 0 p --help
	cp "$tmp/out" "$tmp/help"
	while read -r verb word; do
		grep -q "^  $verb .*$word" "$tmp/help" || wrong "--help has no line of $verb about $word"
		expect 0 p "$verb" --help
		[[ $out == "usage: podctl $verb "* ]] || wrong "$out"
	done <<- 'end'
		run Run a command in a container
		exec command in a container
		attach detached
		logs printed
		top live
		stat figures
		ls List
		ps processes
		events OOM
		rm Kill and remove
		kill signal
		inspect JSON
		wait exit code
	end
	# Options that fingers type
	for word in -d -i -t -e -u -w -v -m --rm --name --detach; do
		p run --help | grep -q -- "^ *\(-., \)\?${word}[, ]" || wrong "run has no $word"
	done
	for word in -d -i -t -e -u -w; do
		p exec --help | grep -q -- "^  $word," || wrong "exec has no $word"
	done
	for word in -f --tail --since -t; do
		p logs --help | grep -q -- "^ *\(-., \)\?${word}[, ]" || wrong "logs has no $word"
	done
}

t_run_rm_removes_also_after_detaching_with_agent() {
	with_agent
	removed_at_its_end "$podctl" run --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles"
	# The agent is killed meanwhile, and another one takes the container over
	expect 0 r --rm -d --pod t --name c1 -- sleep 1000
	kill -9 $agent
	wait $agent 2> /dev/null
	rm "$tmp/sock"
	with_agent
	[ "$(p ls -q t/c1)" = t/c1 ] || wrong "it is gone"
	expect 0 p kill -s KILL t/c1
	gone
	end_agent
}

run_tests "$@"
