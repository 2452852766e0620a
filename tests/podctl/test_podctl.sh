#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # what containers expand is not for us to expand
# shellcheck disable=SC2015,SC2086,SC2317 # notes: `a && b || wrong`, numbers without quotes, functions that `expect` calls
#
# test_podctl [--list | NAME...] - podctl as a person or a script meets it: usage, errors, JSON,
# and, as root, real pods without an agent, in a root and a pin directory of their own.
set -u
. "${0%/*}/lib.sh"

# --- usage: needs no privilege ----------------------------------------------------------------

verbs() { "$podctl" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'; }
# The options in a help text.
options() { sed -nE 's/^  (-[a-zA-Z],|   ) (--[a-z-]+)( .*)?$/\2/p'; }

narrow() { ! expand "$tmp/out" | grep -E '.{95}| $' || wrong "lines of $1 --help are too long, or end with a blank"; }

t_help_of_each_verb() {
	local verb
	expect 0 p --help
	for verb in run create apply ls stat events rm doctor; do
		verbs | grep -qx $verb || wrong "--help does not list $verb"
	done
	for verb in $(verbs); do
		expect 0 p "$verb" --help
		[[ $out == "usage: podctl $verb"* ]] || wrong "$out"
		[[ $out == *"Exit status: "* ]] || wrong "$verb --help does not name exit statuses"
		! options < "$tmp/out" | grep -x -e --root -e --json || wrong "$verb: options of every verb"
		narrow "$verb"
	done
	p --help; narrow podctl
	"$O/cgfs-agent" --help > "$tmp/out"; narrow cgfs-agent
}

# Every option has its paragraph in the manual, and no other has one.
t_man_page_and_help_agree() {
	local verb all
	all=$({ "$podctl" --help; for verb in $(verbs); do "$podctl" "$verb" --help; done; } |
		options | sort -u)
	diff <(printf '%s\n' "$all") <(sed 's/\\-/-/g' docs/man/podctl.1 | grep -A 1 '^\.TP' |
		grep -oE -e '--[a-z-]+' | sort -u) || wrong "podctl.1 and --help differ"
	for verb in $(verbs); do
		grep -q "^\.SS $verb\$" docs/man/podctl.1 || wrong "podctl.1 has no section $verb"
	done
}

# What bash is offered after "podctl VERB --" is what the option tables have.
t_completion_and_help_agree() {
	local verb
	# shellcheck disable=SC2317 # the completion calls both
	podctl() { "$podctl" "$@"; }
	# shellcheck disable=SC2317
	compopt() { :; }
	. docs/completion/podctl
	offered() { COMP_WORDS=(podctl "$@") COMP_CWORD=$#; _podctl; printf '%s\n' "${COMPREPLY[@]}" | sort; }
	diff <(offered '') <(verbs | sort) || wrong "verbs differ"
	for verb in $(verbs); do
		diff <(offered "$verb" --) <({ p --help; p "$verb" --help; } | options | sort) ||
			wrong "options of $verb differ"
	done
	[ -z "$(offered run --memory '')" ] || wrong "a size is completed to something"
	[[ $(offered run --rootfs /us) == */usr* ]] || wrong "a directory is not completed"
}

# docs/podman.md: each verb is there, and takes the options that stand beside it.
t_podman_page_is_true() {
	local line words verb help word n=0
	while read -r line; do
		read -ra words <<< "$line"
		verb=${words[1]:-}
		[[ $verb =~ ^[a-z]+$ ]] || continue
		help=$(p "$verb" --help) || wrong "$line: no such verb"
		help+=$'\n'$(p --help)
		for word in "${words[@]:2}"; do
			[ "$word" != -- ] || break
			case $word in
			--*) grep -qE -- "^  .{4}$word( |\$)" <<< "$help" || wrong "$line: $word" ;;
			-??*) for ((i = 1; i < ${#word}; i++)); do
					grep -q -- "^  -${word:i:1}," <<< "$help" || wrong "$line: $word"
				done ;;
			-?) grep -q -- "^  $word," <<< "$help" || wrong "$line: $word" ;;
			esac
		done
		n=$((n + 1))
	done < <(grep -o '`podctl [^`]*`' docs/podman.md | tr -d '`')
	[ $n -gt 25 ] || wrong "only $n commands were found"
}

t_version() {
	expect 0 p run --version; local of_run=$out
	expect 0 p --version
	[ "$out" = "$of_run" ] || wrong "run --version: $of_run"
	[[ $out =~ ^podctl\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || wrong "$out"
}

t_wrong_usage_is_2_and_names_the_word() {
	expect 2 p; says "verb is missing"; one_line
	expect 2 p fly; says '"fly": unknown verb'; one_line
	expect 2 p create t --memory 1K; says '--memory: "1024": a limit is at least one page'; one_line
	expect 2 p set t --pids 99999999999; says '--pids: "99999999999": '; one_line
	expect 2 p pause; says 'podctl has `freeze` for it'; one_line
	expect 2 p help; says '`--help`'; one_line
	expect 2 p --fly ls; says '"--fly": unknown option'; one_line
	expect 2 p doctor now; says '"now": unexpected operand'; one_line
	expect 2 p stat; says "is missing"; one_line
	expect 2 p rm; says "is missing"
	expect 2 p rm --all web; says "cannot be combined"
	expect 125 p run -- true; says "--pod is missing"
	expect 125 d run --pod web; says "COMMAND is missing"
	expect 125 d run --pod web --rootfs / -- true; says "needs an agent"
	expect 2 d create web --rootfs /; says "needs an agent"
	expect 2 p ls --agent tcp:1; says "must be unix:PATH or vsock:CID:PORT"
	expect 2 p ls --agent vsock:x:1; says "must be unix:PATH or vsock:CID:PORT"
	for verb in "exec x true" "logs x" ps "wait x" "attach x" "resize x 80 24" "explain x"; do
		set -- $verb
		verb=$1
		shift
		got=2
		case $verb in exec | attach) got=125 ;; esac
		expect $got p "$verb" --agent vsock:1:9 "$@"; says "another machine"; one_line
	done
	expect 125 p run --agent vsock:1:9 --pod web --bundle / -- true; says "over vsock"; one_line
	expect 125 p run --agent vsock:1:9 --pod web --rootfs . -- true; says "over vsock"; one_line
	expect 2 p poweroff; says "which machine"; one_line
	expect 2 p poweroff --agent unix:/x web; one_line
	expect 2 p ls --agent unix:/x --root /y; says "cannot be combined"
	CGFS_AGENT=nonsense expect 2 p ls; says "CGFS_AGENT"
	expect 2 p ls --root pods; says '--root: "pods": must be an absolute path'; one_line
}

t_wrong_values_are_2_and_name_option_and_value() {
	local option value
	while read -r option value; do
		expect 2 d create web "$option" "$value"
		says "$option"; says "\"$value\""; one_line
		expect 125 d run --pod web "$option" "$value" -- true
		says "$option"; says "\"$value\""; one_line
	done <<- 'end'
		--memory 64Q
		--memory 64MB
		--memory -1
		--memory 0
		--memory 99999999999999999999
		--cpus half
		--cpus 0
		--cpus -0.5
		--cpus 0.000001
		--cpu-weight 0
		--cpu-weight 10001
		--pids -1
		--pids 0
		--pids 1.5
		--device x
		--device c 1:3
		--device c 1:3 q
		--device u 1:3 r
		--device c 99999:3 r
	end
	clean
}

t_wrong_ids_change_nothing() {
	local bad long
	long=$(printf 'a%.0s' {1..300})
	for bad in a/b .. . ../x /abs 'a b' $'a\nb' -x cgroup.procs "$long"; do
		[ "$bad" = -x ] || { expect 2 d create "$bad"; says 'create pod'; one_line; }
		expect 125 d run --pod="$bad" -- true; says 'run --pod'; one_line
		expect 2 d events --pod="$bad" --timeout 0; says 'events --pod'; one_line
		expect 125 d run --pod=web --name="$bad" -- true; one_line
	done
	for bad in .. a/b/c a/.. web/ /web "$long" "web/$long"; do
		expect 2 d stat "$bad"; says 'stat "'; one_line
	done
	expect 2 d create ''; says 'create pod'; one_line
	expect 125 d run --pod '' -- true; says '--pod'; one_line
	expect 2 d stat ''; one_line
	clean
}

t_an_agent_that_is_not_there_is_1() {
	expect 1 p ls --agent "unix:$tmp/none"; says "$tmp/none"; one_line
	CGFS_AGENT=unix:$tmp/none expect 1 p ls; says "$tmp/none"
	expect 125 p run --agent "unix:$tmp/none" --pod web -- true; says "--rootfs"
	expect 125 p run --agent "unix:$tmp/none" --pod web --rootfs / -- true; says "$tmp/none"
	expect 2 p create --agent "unix:$tmp/none" --no-default-devices --rootfs / web; says "OCI"
}

t_full_disk_is_reported() {
	[ -w /dev/full ] || { echo "/dev/full cannot be written"; exit 77; }
	"$podctl" --help > /dev/full 2> "$tmp/err" && wrong "writing to /dev/full succeeded"
	err=$(cat "$tmp/err")
	says "No space left"
}

# --- without an agent, for real ---------------------------------------------------------------

t_run_exits_as_its_command() {
	as_root
	expect 0 d run --pod t -- true
	expect 7 d run --pod t -- sh -c 'exit 7'
	expect 137 d run --pod t -- sh -c 'kill -9 $$'
	expect 127 d run --pod t -- "$tmp/none"; says "No such file"
	expect 126 d run --pod t -- "$tmp"; says "Permission denied"
	expect 125 d run --pod t --pids 99999999999 -- true; says pids; says 99999999999
	expect 5 d run --pod t sh -c 'exit $1' sh 5
	clean
}

t_run_puts_the_command_into_every_hierarchy() {
	as_root
	expect 0 d run --pod t --name c1 -- cat /proc/self/cgroup
	grep -v name= "$tmp/out" > "$tmp/lines"
	[ -s "$tmp/lines" ] || wrong "no lines: $out"
	grep -v "$root/t/c1$" "$tmp/lines" && wrong "outside of the container"
	clean
}

t_run_passes_streams_and_arguments() {
	as_root
	out=$(echo in | d run --pod t -- sh -c 'cat; echo "$1|$2" >&2' sh 'a b' '' 2> "$tmp/err")
	[ "$out" = in ] || wrong "stdout: $out"
	[ "$(cat "$tmp/err")" = 'a b|' ] || wrong "stderr: $(cat "$tmp/err")"
	clean
}

t_run_passes_no_other_descriptor() {
	as_root
	exec 9< "$0"
	out=$(d run --pod t -- sh -c 'ls /proc/$$/fd' 9< "$0" | tr '\n' ' ')
	exec 9<&-
	[ "$out" = '0 1 2 ' ] || wrong "open in the container: $out"
	clean
}

t_run_knows_the_status_though_children_are_ignored() {
	as_root
	expect 7 sh -c 'trap "" CHLD; exec "$@"' sh "$podctl" run --root "$root" --pin-dir "$pins" \
		--pod t -- sh -c 'exit 7'
	clean
}

t_run_passes_signals_on() {
	as_root
	"$podctl" run --root "$root" --pin-dir "$pins" --pod t -- sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done' \
		> "$tmp/up" &
	local pid=$! status=0
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill -USR1 $pid
	wait $pid || status=$?
	[ $status = 9 ] || wrong "status $status"

	"$podctl" run --root "$root" --pin-dir "$pins" --pod t -- sh -c 'echo up; exec sleep 1000' > "$tmp/up" &
	pid=$! status=0
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill $pid
	wait $pid || status=$?
	[ $status = 143 ] || wrong "status $status"
	clean
}

t_run_ends_what_its_command_left() {
	as_root
	expect 0 d run --pod t -- sh -c 'setsid sleep 1000 > /dev/null 2>&1 < /dev/null &'
	clean
}

t_run_says_that_memory_ran_out() {
	as_root
	expect 137 d run --pod t --name c1 --memory 16M -- dd if=/dev/zero of=/dev/null bs=200M count=1
	says "t/c1: killed for lack of memory: pid "
	says "(dd), at the container's memory limit of 16.0 MiB"
	clean
}

t_run_says_that_a_device_was_denied() {
	as_root
	expect 1 d run --pod t --name c1 -- sh -c 'echo x > /dev/null && cat /dev/kmsg'
	says "Operation not permitted"
	says "t/c1: device denied: char 1:11 read, pid "
	says "(cat)"
	expect 0 d run --pod t --device 'c 1:11 r' -- sh -c 'exec 3< /dev/kmsg'
	expect 2 d run --pod t --no-default-devices -- sh -c 'echo x > /dev/null'
	says "device denied: char 1:3 write"
	clean
}

t_run_reports_as_json_on_stderr() {
	as_root
	expect 3 d run --json --pod t --name c1 -- sh -c 'echo mine; cat /dev/kmsg 2> /dev/null; exit 3'
	[ "$out" = mine ] || wrong "stdout: $out"
	jq -e '.pod == "t" and .container == "c1" and .status == 3 and
		.oom_kills == 0 and .device_denied >= 1 and
		(.events[0] | .type == "device_denied" and .comm == "cat" and
			.device.major == 1 and .device.minor == 11)' \
		"$tmp/err" > "$tmp/jq" || wrong "$err"
	clean
}

t_limits_are_what_was_asked() {
	as_root
	expect 0 d create t --memory 64MiB --cpus 0.29 --cpu-weight 300 --pids 32
	json 0 '.stats.memory.max' 67108864 d stat --json t
	json 0 '.stats.cpu.quota' 29000 d stat --json t
	json 0 '.stats.cpu.period' 100000 d stat --json t
	json 0 '.stats.cpu.weight' 300 d stat --json t
	json 0 '.stats.pids.max' 32 d stat --json t
	json 0 '.stats.limits.memory_max_bytes' 67108864 d stat --json t
	json 0 '.stats.limits.cpu_quota_us' 29000 d stat --json t
	json 0 '.stats.native["pids.events"].max' 0 d stat --json t
	expect 0 d stat t
	grep -Eq '^memory.max +64.0 MiB$' "$tmp/out" || wrong "$out"
	grep -Eq '^limits.memory_max_bytes +64.0 MiB$' "$tmp/out" || wrong "$out"
	grep -Eq '^limits.cpu_idle +no$' "$tmp/out" || wrong "$out"
	expect 1 d create t --memory 1M; says 'create pod "t"'; one_line
	json 0 '.stats.memory.max' 67108864 d stat --json t
	expect 0 d rm t
	clean
}

t_pids_limit_holds() {
	as_root
	expect 2 d run --pod t --pids 2 -- sh -c '(sleep 10; :) & (sleep 10; :) & wait'
	says "fork"
	expect 0 d run --pod t --pids 5 -- sh -c '(sleep 0.2; :) & (sleep 0.2; :) & wait'
	clean
}

t_ls_shows_pods_and_containers() {
	as_root
	json 0 '.pods' '[]' d ls --json
	expect 0 d create t --memory 64M
	expect 0 d run --pod t --name c1 --detach -- sleep 1000
	[ "$(cat "/proc/$out/comm")" = sleep ] || wrong "no such process: $out"
	json 0 '[.pods[].id]' '["t"]' d ls --json
	json 0 '.pods[0].containers[0].id' c1 d ls --json
	json 0 '.pods[0].containers[0].state' running d ls --json
	json 0 '.pods[0].containers[0].stats.pids.current' 1 d ls --json
	local freeze
	freeze=$(find /sys/fs/cgroup -path "*$root/t/cgroup.freeze" 2> /dev/null | head -n 1)
	if [ -n "$freeze" ]; then
		echo 1 > "$freeze"
		until grep -q 'frozen 1' "${freeze%freeze}events"; do sleep 0.05; done
		json 0 '.pods[0].containers[0].state' frozen d ls --json
		json 0 '.state' frozen d stat --json t
		echo 0 > "$freeze"
	fi
	expect 0 d ls
	grep -Eq '^POD +CONTAINER +STATE +PIDS +MEMORY +LIMIT +CPU +DENIED +OOM$' "$tmp/out" || wrong "$out"
	grep -Eq '^t +running +1 .* 64.0 MiB ' "$tmp/out" || wrong "$out"
	grep -Eq '^t +c1 +running +1 .* max ' "$tmp/out" || wrong "$out"
	expect 1 d create t; says 'create pod "t"'
	expect 125 d run --pod t --name c1 -- true; says 'c1'
	expect 0 d rm t/c1
	json 0 '.pods[0].containers' '[]' d ls --json
	expect 0 d rm t
	clean
}

t_run_in_a_pod_leaves_the_pod() {
	as_root
	expect 0 d create t
	expect 0 d run --pod t -- true
	json 0 '.pods | length' 1 d ls --json
	expect 0 d run --pod t --keep --name k -- true
	json 0 '.pods[0].containers[0].state' empty d ls --json
	expect 0 d rm --all
	clean
}

# No run owns the pod: the last one removes it.
t_runs_in_one_pod_take_it_along() {
	as_root
	mkfifo "$tmp/in1" "$tmp/in2"
	d run --pod t --name a -- cat < "$tmp/in1" > /dev/null & local first=$!
	exec 7> "$tmp/in1"
	until d ls --json | grep -q '"id": "a"'; do sleep 0.02; done
	d run --pod t --name b -- cat < "$tmp/in2" > /dev/null 7>&- & local second=$!
	exec 8> "$tmp/in2"
	until d ls --json | grep -q '"id": "b"'; do sleep 0.02; done
	exec 7>&-
	wait $first || wrong "the first run: $?"
	d ls --json | grep -q '"id": "b"' || wrong "the maker took the pod from the other"
	exec 8>&-
	wait $second || wrong "the second run: $?"
	clean
}

t_rm_does_what_it_can() {
	as_root
	expect 0 d create t1
	expect 0 d create t2
	expect 1 d rm t1 none t2; says 'remove "none": there is no pod "none"'; one_line
	[ "$out" = $'removed t1\nremoved t2' ] || wrong "$out"
	json 1 '.failed[0].target' none d rm --json none
	json 0 '.removed' '[]' d rm --json --all
	clean
}

t_set_changes_what_is_given() {
	as_root
	expect 0 d create t --memory 64M --pids 20
	expect 0 d run --pod t --name c1 --detach -- sleep 1000
	expect 0 d set --memory 32M t t/c1
	[ "$out" = $'set t\nset t/c1' ] || wrong "$out"
	json 0 '[.stats.memory.max, .stats.pids.max]' '[33554432,20]' d stat --json t
	json 0 '.stats.memory.max' 33554432 d stat --json t/c1
	expect 0 d set t/c1 --memory max --cpus 0.5 --cpu-weight 300 --pids 7 --device 'c 1:11 r'
	json 0 '[.stats.memory.max, .stats.cpu.quota, .stats.cpu.weight, .stats.pids.max]' \
		'["max",50000,300,7]' d stat --json t/c1
	json 0 '.stats.limits.devices | map(select(test("1:11 r$"))) | length' 1 d stat --json t/c1
	# What cannot be done leaves the others alone, and is said.
	json 1 '[.set, (.failed | map(.target))]' '[["t"],["none"]]' d set --json --pids 9 none t
	says 'set limits of "none": there is no pod "none"'; one_line
	expect 2 d set t; says "no limit is given"
	expect 2 d set t --memory 0; says "--memory"
	expect 2 d set --pids 3; says "is missing"
	json 0 '.stats.pids.max' 9 d stat --json t
	expect 0 d rm t
	clean
}

t_kill_and_wait() {
	as_root
	expect 0 d create t
	expect 1 d kill t; says 'kill "t": it has no process'; one_line
	expect 0 d wait t; [ "$out" = - ] || wrong "$out"
	expect 0 d run --pod t --name c1 --detach -- sh -c 'trap "exit 3" USR1; while :; do sleep 0.1; done'
	expect 0 d run --pod t --name c2 --detach -- sleep 1000
	expect 1 d wait --timeout 0.3 t/c1; says 'wait for "t/c1": it has not ended'; one_line
	# A signal to one container does not reach another.
	until expect 0 d kill -s SIGUSR1 t/c1 && d wait --timeout 1 t/c1 > "$tmp/out" 2>&1; do :; done
	json 0 '[.pods[0].containers[].state]' '["empty","running"]' d ls --json
	json 0 .signalled '["t"]' d kill --json --signal 9 t
	json 0 '[.target, .exit_code]' '["t",null]' d wait --json t
	expect 2 d kill -s NONE t; says '"NONE"'
	expect 2 d kill -s 0 t; says '"0"'
	expect 1 d wait none; says 'there is no pod "none"'; one_line
	expect 0 d rm t
	clean
}

t_ps_shows_processes_with_their_container() {
	as_root
	expect 0 d create t
	expect 0 d run --pod t --name c1 --detach -- sleep 1000; local c1=$out
	expect 0 d run --pod t --name c2 --detach -- sh -c 'sleep 1001; :'; local c2=$out
	until d ps t/c2 | grep -q 'sleep 1001'; do sleep 0.05; done
	expect 0 d ps
	grep -Eq '^POD +CONTAINER +PID +PPID +STATE +CPU +MEMORY +COMMAND$' "$tmp/out" || wrong "$out"
	grep -Eq "^t +c1 +$c1 +1 +S .* sleep 1000\$" "$tmp/out" || wrong "$out"
	[ "$(grep -c . "$tmp/out")" = 4 ] || wrong "$out"
	json 0 '[.processes[] | .ppid] | contains(['"$c2"'])' true d ps --json t/c2
	json 0 '[.processes[] | select(.memory_bytes < 4096 or .memory_bytes > 100000000)]' '[]' d ps --json
	expect 0 d ps --no-headers t/c1; [ "$(wc -l < "$tmp/out")" = 1 ] || wrong "$out"
	expect 1 d ps none; says 'there is no pod "none"'; one_line
	expect 0 d rm t
	clean
}

t_inspect_has_everything() {
	as_root
	expect 0 d create t --memory 64M
	expect 0 d run --pod t --name c1 --detach -- sleep 1000
	json 0 '[.pods[] | .id, .containers[].id, .stats.limits.memory_max_bytes]' '["t","c1",67108864]' \
		d inspect t
	json 0 '[.pods[] | .path, (.stats.native | length > 0)]' "[\"$root/t/c1\",true]" d inspect t/c1
	expect 2 d inspect; says "is missing"
	expect 1 d inspect t/none; says 'there is no container "none" in pod "t"'; one_line
	expect 0 d rm t
	clean
}

t_freeze_and_thaw() {
	as_root
	expect 0 d create t
	expect 0 d run --pod t --name c1 --detach -- sleep 1000
	expect 0 d freeze t/c1
	json 0 '.pods[0].containers[0].state' frozen d ls --json
	expect 0 d thaw t/c1
	json 0 '.pods[0].containers[0].state' running d ls --json
	json 1 '[.frozen, .failed[].target]' '[["t"],"none"]' d freeze --json none t
	json 0 '.pods[0] | .state, .containers[0].state' $'frozen\nfrozen' d ls --json
	expect 0 d rm t
	# It has no process, and refuses the first one: "empty" would not say why.
	expect 0 d create t
	expect 0 d freeze t
	json 0 '.pods[0].state' frozen d ls --json
	expect 0 d thaw t
	json 0 '.pods[0].state' empty d ls --json
	expect 0 d rm t
	clean
}

t_ls_prints_what_is_chosen() {
	as_root
	local i
	for i in 3 1 2; do expect 0 d create t$i --memory ${i}6M; done
	expect 0 d run --pod t2 --name c1 --detach -- sleep 1000
	expect 0 d ls -o pod,limit,memory.peak t1 t3
	[ "$(awk '{ print $1, $2 }' "$tmp/out")" = $'POD LIMIT\nt1 16.0\nt3 36.0' ] || wrong "$out"
	expect 0 d ls -q --sort -limit; [ "$out" = $'t2/c1\nt3\nt2\nt1' ] || wrong "$out"
	expect 0 d ls -q --sort limit; [ "$out" = $'t1\nt2\nt3\nt2/c1' ] || wrong "$out"
	expect 0 d ls --no-headers -o name; [ "$out" = $'t1\nt2\nt2/c1\nt3' ] || wrong "$out"
	expect 0 d ls -q t2/c1; [ "$out" = t2/c1 ] || wrong "$out"
	expect 0 d ls -q --state empty; [ "$out" = $'t1\nt3' ] || wrong "$out"
	expect 0 d freeze t2/c1
	expect 0 d ls -q --state frozen t2/c1; [ "$out" = t2/c1 ] || wrong "$out"
	expect 0 d thaw t2/c1
	expect 2 d ls --state gone; says '"gone"'
	expect 2 d ls -o pod,colour; says '"colour"'
	expect 2 d ls --sort colour; says '"colour"'
	expect 2 d ls --json -q; says "--json"
	expect 1 d ls none; says 'ls "none": there is no pod "none"'; one_line
	expect 0 d rm --all
	clean
}

# apply takes a whole path: no --root
a() { "$podctl" apply --pin-dir "$pins" "$@"; }

t_apply_shows_what_became_of_each_field() {
	as_root
	echo '{"memory":{"limit":67108864},"cpu":{"shares":512},"pids":{"limit":32},"color":1}' > "$tmp/r.json"
	json 0 .cgroup "$root/x/y" a "$tmp/r.json" "$root/x/y"
	jq -e '([.applied[] | .asked | keys[]] | sort) == ["cpu.shares", "memory.limit", "pids.limit"] and
		(.applied | map(select(.asked["memory.limit"] == 67108864 and .written == "67108864" and
			.reads == "67108864")) | length) == 1 and
		.ignored == ["color"] and (.devices.rules | length) > 8 and
		all(.hierarchies[]; .path | endswith("/x/y"))' "$tmp/out" > "$tmp/jq" || wrong "$out"
	while IFS= read -r path; do
		[ -d "$path" ] || wrong "no $path"
	done < <(jq -r '.hierarchies[].path' "$tmp/out")
	expect 1 a "$tmp/r.json" "$root/x/y"; says y; says "in use"; one_line
	json 0 '.removed[0]' "$root/x/y" a --remove "${root#/}//x/y/"
	expect 1 a --remove "$root/x/y"; says "there is none"
	clean
}

t_apply_takes_a_whole_config_or_says_why_not() {
	as_root
	echo '{"ociVersion":"1.0.2","process":{"args":["sh"]},"linux":{"namespaces":[],"resources":
		{"pids":{"limit":7.0},"color":1}}}' > "$tmp/config.json"
	json 0 '[.applied[] | .asked["pids.limit"], .reads]' '[7,"7"]' a "$tmp/config.json" "$root/x"
	jq -e '.ignored == ["color"]' "$tmp/out" > "$tmp/jq" || wrong "$out"
	expect 0 a --remove "$root/x"
	expect 1 a - "$root/x" < <(echo '{"ociVersion":"1.0.2","linux":{"namespaces":[]}}')
	says 'linux.resources: this OCI specification has none'; one_line
	expect 1 a - "$root/x" < <(echo '{"ociVersion":"1.0.2"}'); says 'has none'; one_line
	expect 1 a - "$root/x" < <(echo '{"linux":{"resources":{"pids":{"limit":9223372036854775808}}}}')
	says 'pids.limit: "9223372036854775808"'; one_line
	expect 1 a - "$root/x" < <(echo '{"Memory":{"limit":1},"hostname":"a"}')
	says '"Memory, hostname": no member is known'; one_line
	clean
}

t_apply_shows_large_numbers_as_they_stand() {
	as_root
	echo '{"cpu":{"shares":18446744073709551615},"pids":{"limit":5}}' > "$tmp/r.json"
	expect 0 a --no-bpf "$tmp/r.json" "$root/x"
	grep -q '"cpu.shares": 18446744073709551615$' "$tmp/out" || wrong "$out"
	expect 0 a --no-bpf --remove "$root/x"
	expect 1 a --no-bpf - "$root/x" < <(echo '{"memory":{"limit":9223372036854775808}}')
	says 'memory.limit: "9223372036854775808": it does not fit'; one_line
	clean
}

t_apply_from_standard_input_at_the_top() {
	as_root
	expect 0 a - "$root" < <(echo '{"pids":{"limit":7}}')
	jq -e '.applied[0].reads == "7"' "$tmp/out" > "$tmp/jq" || wrong "$out"
	# A process can live there, in every hierarchy, cpuset included.
	jq -r '.hierarchies[].path' "$tmp/out" > "$tmp/paths"
	sh -c 'while read -r path; do echo 0 > "$path/cgroup.procs" || exit 1; done < "$1"
		exec cat /proc/self/cgroup' sh "$tmp/paths" > "$tmp/cgroup" || wrong "cannot join"
	grep -v name= "$tmp/cgroup" | grep -v "$root$" && wrong "outside"
	expect 0 a --remove "$root"
	clean
}

t_apply_policy_stays_when_podctl_is_gone() {
	as_root
	echo '{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}' > "$tmp/r.json"
	expect 0 a "$tmp/r.json" "$root/x"
	jq -r '.hierarchies[].path' "$tmp/out" > "$tmp/paths"
	mknod "$tmp/kmsg" c 1 11
	sh -c 'while read -r path; do echo 0 > "$path/cgroup.procs"; done < "$1"
		! (: > "$2") 2> /dev/null && : < "$2"' sh "$tmp/paths" "$tmp/kmsg" || wrong "rules do not hold"
	expect 0 a --remove "$root/x"
	clean
}

t_apply_tidies_up_after_rmdir() {
	as_root
	expect 0 a - "$root/x" < <(echo '{}')
	jq -r '.hierarchies[].path' "$tmp/out" | while IFS= read -r path; do
		rmdir "$path" "${path%/x}" || exit 1
	done || wrong "cannot rmdir"
	expect 1 a --remove "$root/x"; says "there is none"
	clean
}

t_apply_remove_of_nothing_removes_nothing() {
	as_root
	local path
	expect 0 a - "$root/y" < <(echo '{}')
	path=$(jq -r '.hierarchies[0].path' "$tmp/out")
	expect 0 a --remove "$root/y"
	mkdir "${path%/y}"
	expect 1 a --remove "$root/x"; says "there is none"
	[ -d "${path%/y}" ] || wrong "the parent is gone"
	rmdir "${path%/y}"
	clean
}

t_apply_refuses_whole() {
	as_root
	echo '{"pids":{"limit":7},"memory":{"limit":-5}}' > "$tmp/r.json"
	expect 1 a "$tmp/r.json" "$root/x"; says memory.limit; says '"-5"'; one_line
	[ -z "$out" ] || wrong "$out"
	clean
	# The kernel refuses, after other files were written; what was there stays.
	mkdir "$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2* .*/\1/p' /proc/mounts | head -n 1)$root"
	echo '{"pids":{"limit":7},"blockIO":{"throttleReadBpsDevice":[{"major":259,"minor":77777,"rate":5}]}}' > "$tmp/r.json"
	expect 1 a "$tmp/r.json" "$root/x/y"; says 259:77777; one_line
	[ "$(leftovers | wc -l)" = 1 ] || wrong "left: $(leftovers)"
	find /sys/fs/cgroup -maxdepth 3 -depth -type d -path "*$root" -exec rmdir {} \;
	clean
}

t_apply_that_cannot_be_told_is_undone() {
	as_root
	[ -w /dev/full ] || { echo "/dev/full cannot be written"; exit 77; }
	echo '{"pids":{"limit":7}}' > "$tmp/r.json"
	a "$tmp/r.json" "$root/x" > /dev/full 2> "$tmp/err" && wrong "writing to /dev/full succeeded"
	err=$(cat "$tmp/err")
	says "standard output"; one_line
	clean
}

# Found only when the policy is loaded already: its pins go, too.
t_apply_refuses_a_path() {
	as_root
	local long
	long=$(printf 'abcdefghi/%.0s' {1..110})
	echo '{}' > "$tmp/r.json"
	expect 1 a "$tmp/r.json" "$root/../x"; says '".." is not'; one_line; clean
	expect 1 a "$tmp/r.json" "$root/./x"; says '"." is not'; clean
	expect 1 a "$tmp/r.json" "$root/$long"; says "longer than"; clean
	expect 2 a "$tmp/r.json" "$root/.."; says "begins with"; clean
	long=$(printf 'abcdefghi/%.0s' {1..90})x
	json 0 .cgroup "$root/$long" a "$tmp/r.json" "$root/$long/"
	expect 0 a --remove "$root/$long"
	clean
}

t_apply_leaves_what_was_there() {
	as_root
	local there
	there=$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2* .*\bpids\b.*/\1/p' /proc/mounts | head -n 1)
	[ -n "$there" ] || there=$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2 .*/\1/p' /proc/mounts | head -n 1)
	echo '{"pids":{"limit":7}}' > "$tmp/good.json"
	echo '{"pids":{"limit":7},"unified":{"pids.max":"nonsense"}}' > "$tmp/bad.json"
	# A cgroup of another program, in one hierarchy only, and a cgroup in it that fails.
	mkdir "$there$root"
	expect 1 a "$tmp/good.json" "$root"; says "in use"; one_line
	expect 1 a "$tmp/bad.json" "$root/x"; says "unified.pids.max"; one_line
	[ "$(leftovers)" = "$there$root" ] || wrong "left: $(leftovers)"
	# Limits work in it.  A path that begins at nothing, or has more slashes, is the same path.
	json 0 .cgroup "$root/x" a "$tmp/good.json" "${root#/}//x/"
	[ "$(cat "$there$root/x/pids.max")" = 7 ] || wrong "no limit"
	expect 0 a --remove "$root/x"
	[ "$(leftovers)" = "$there$root" ] || wrong "left: $(leftovers)"
	rmdir "$there$root"
	clean
}

# In every hierarchy a directory of a user of no name.
t_apply_without_privilege() {
	as_root
	local mounts m user=54321 on=''
	command -v setpriv > /dev/null || { echo "setpriv is missing"; exit 77; }
	mounts=$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2* .*/\1/p' /proc/mounts)
	cp "$podctl" "$tmp/podctl"; chmod 755 "$tmp" "$tmp/podctl"
	for m in $mounts; do
		mkdir "$m$root"
		if grep -qsw pids "$m/cgroup.controllers" && ! grep -qw pids "$m/cgroup.subtree_control"; then
			echo +pids > "$m/cgroup.subtree_control"
			on=$m/cgroup.subtree_control
		fi
		[ ! -e "$m/cpuset.cpus" ] || { cat "$m/cpuset.cpus" > "$m$root/cpuset.cpus"; cat "$m/cpuset.mems" > "$m$root/cpuset.mems"; }
		chown $user:$user "$m$root" "$m$root"/{cgroup.procs,tasks,cgroup.subtree_control} 2> /dev/null || true
	done
	u() { setpriv --reuid $user --regid $user --clear-groups "$tmp/podctl" apply --no-bpf "$@"; }
	# alone COMMAND...: the same with a /run of its own, in which root did COMMAND
	alone() {
		local first=$1
		shift
		unshare --mount sh -c 'mount -t tmpfs none /run && eval "$1" && shift && exec timeout 60 "$@"' sh \
			"$first" setpriv --reuid $user --regid $user --clear-groups "$tmp/podctl" apply --no-bpf "$@"
	}
	unset XDG_RUNTIME_DIR
	json 0 '.applied[0].reads + " " + (.devices.rules | length | tostring)' '7 0' u - "$root/x" \
		< <(echo '{"pids":{"limit":7}}')
	expect 1 u - "$root/x" < <(echo '{}'); says "in use"; one_line
	# The session of another user, none, and the user's own.
	for XDG_RUNTIME_DIR in /root/x "$tmp/none" "$tmp/own"; do
		export XDG_RUNTIME_DIR
		mkdir -p "$tmp/own"; chown $user "$tmp/own"
		expect 1 u - "$root/x" < <(echo '{}'); says "in use"; one_line
	done
	[ -d "$tmp/own/cgfs" ] || wrong "there is no lock"
	expect 1 u - "$root/y" < <(echo '{"devices":[{"allow":true,"access":"rwm"}]}'); says devices
	expect 0 u --remove "$root/x"
	[ "$(leftovers | sort)" = "$(for m in $mounts; do echo "$m$root"; done | sort)" ] || wrong "left: $(leftovers)"
	# No record of an agent is in the way: one that ran before, runs now, or never ran.
	for m in 'true' 'mkdir /run/cgfs' 'mkdir -p /run/cgfs/roots' 'mkdir -m 700 /run/cgfs'; do
		expect 0 alone "$m" - "$root/z" < <(echo '{}')
		expect 0 alone "$m" --remove "$root/z"
	done
	expect 1 alone 'ln -s none /run/cgfs' - "$root/z" < <(echo '{}'); says /run/cgfs; one_line
	for m in $mounts; do rmdir "$m$root"; done
	[ -z "$on" ] || echo -pids > "$on"
	clean
}

t_apply_wrong_usage() {
	expect 2 p apply; says "is missing"; one_line
	expect 2 p apply x.json; says "CGROUP is missing"; one_line
	expect 2 p apply x.json //; says "whole machine"
	expect 2 p apply x.json ''; says "whole machine"
	expect 2 p apply x.json /a/cgroup.procs; says "control file"
	expect 2 p apply --remove x.json /a; says "takes one CGROUP"
	expect 2 p apply --root /r x.json /a; says "whole path"
	expect 1 p apply "$tmp/none.json" /a; says "$tmp/none.json"
}

t_stat_of_nothing_is_1() {
	as_root
	expect 1 d stat none; says 'stat "none": there is no pod "none"'; one_line
	[ -z "$out" ] || wrong "$out"
	expect 0 d create t
	expect 1 d stat t/c9; says 'there is no container "c9" in pod "t"'; one_line
	expect 0 d rm t
	clean
}

t_looking_makes_nothing() {
	as_root
	expect 0 d ls
	[ -z "$(tail -n +2 "$tmp/out")" ] || wrong "$out"
	expect 0 d events --timeout 0
	expect 1 d stat none
	clean
}

# A device program of somebody else on a pod's cgroup
t_stat_names_foreign_programs() {
	as_root
	expect 0 d create t
	expect 0 d run --pod t --name c1 --detach -- sleep 1000
	json 0 '.stats.foreign_programs' '[]' d stat --json t
	expect 0 d stat t
	[[ $out != *foreign* ]] || wrong "$out"
	attach_foreign t
	json 0 '.stats.foreign_programs' "[{\"program_id\":$stranger,\"name\":\"stranger\"}]" d stat --json t
	json 0 '.stats.foreign_programs' '[]' d stat --json t/c1
	expect 0 d stat t
	grep -Eq "^foreign_programs\[stranger\]\.program_id +$stranger\$" "$tmp/out" || wrong "$out"
	expect 0 d rm t
	clean
}

t_events_reports_both() {
	as_root
	expect 0 d create t --memory 16M
	expect 0 d run --pod t --name c1 --detach -- sh -c \
		'cat /dev/kmsg; dd if=/dev/zero of=/dev/null bs=200M count=1'
	expect 0 d events --json --pod t --count 2 --timeout 120
	jq -se 'sort_by(.type) | length == 2 and
		(.[0] | .type == "device_denied" and .container == "c1" and .comm == "cat" and
			.pid > 1 and .device.access == "r") and
		(.[1] | .type == "oom_kill" and .pod == "t")' "$tmp/out" > "$tmp/jq" || wrong "$out"
	expect 1 d events --count 1 --timeout 0
	expect 0 d rm t
	clean
}

# What happened is there for podctl's that come later; each filter leaves out the rest.
t_events_are_filtered() {
	local types
	expect 2 d events --type oom_kill,x --timeout 0; says '"x"'; says 'oom_kill, device_denied'; one_line
	types=$(sed -n 's/.*the types are: \(.*\) (.*/\1/p' "$tmp/err")
	expect 0 p events --help
	[ "$(tr '\n' ' ' < "$tmp/out" | sed 's/.*Types: //; s/\..*//')" = "$types" ] ||
		wrong "the help has other types than $types"
	expect 2 d events --container a/b --timeout 0; says 'events --container'; one_line
	expect 2 d events --since soon --timeout 0; says '--since'; one_line
	as_root
	! p explain --root "$root" --pin-dir "$pins" none 2>&1 | grep -q "without eBPF" ||
		{ echo "built without eBPF"; exit 77; }
	expect 0 d create t
	expect 1 d run --pod t --name c1 --keep -- sh -c 'cat /dev/kmsg; cat /dev/kmsg'
	expect 137 d run --pod t --name c2 --keep --memory 16M -- tail /dev/zero
	expect 0 d events --timeout 0
	[ -z "$out" ] || wrong "the runs left events: $out"
	expect 0 d events --since 1h --timeout 0
	[ "$(wc -l < "$tmp/out")" = 2 ] || wrong "not two: $out"
	[[ $out == *device_denied*t/c1*"2 times"*oom_kill*t/c2* ]] || wrong "$out"
	json 0 '[.container, .count, .device.access]' '["c1",2,"r"]' \
		d events --json --since 1h --timeout 0 --container c1
	json 0 '[.container, .type]' '["c2","oom_kill"]' \
		d events --json --since 1h --timeout 0 --type removed,oom_kill
	expect 0 d events --since 1h --timeout 0 --type lost
	[ -z "$out" ] || wrong "$out"
	expect 0 d events --since 2100-01-01T00:00:00Z --timeout 0
	[ -z "$out" ] || wrong "$out"
	# What is still queued of a pod that has gone comes, too, but no older one, and nothing twice.
	local tree n=2
	tree=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	for pod in gone t; do
		[ -n "$tree" ] || continue
		[ "$pod" = t ] || expect 0 d create gone
		mkdir "$tree$root/$pod/x"
		sh -c 'echo $$ > "$0/cgroup.procs"; ! cat /dev/kmsg 2> /dev/null' "$tree$root/$pod/x" ||
			wrong "/dev/kmsg can be read"
		rmdir "$tree$root/$pod/x"
		[ "$pod" = t ] || expect 0 d rm gone
	done
	if [ -n "$tree" ]; then
		expect 0 d events --json --since 1h --timeout 0
		[ "$(jq -s 'map([.type, .pod, .container, .count])' -c "$tmp/out")" = \
			'[["device_denied","t","c1",2],["oom_kill","t","c2",1],["device_denied","t",null,null],["device_denied",null,null,null]]' ] ||
			wrong "$out"
		n=3
	fi
	# One that the policy does not know hides nothing of the others.
	for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ ! -d "$tree$root" ] || mkdir "$tree$root/stray"
	done
	expect 0 d events --since 1h --timeout 0
	[ "$(wc -l < "$tmp/out")" = $n ] || wrong "not $n: $out"
	expect 0 d rm --all
	clean
}

t_doctor_has_reasons_and_leaves_nothing() {
	as_root
	json 0 'all(.capabilities[]; .ok or .detail != "")' true d doctor --probe --json
	json 0 '[.controllers[] | select(.version and .mount != "")] | length > 3' true \
		d doctor --probe --json
	expect 0 d doctor --probe
	grep -Eq '^CONTROLLER +VERSION +MOUNT$' "$tmp/out" || wrong "$out"
	grep -Eq '^limit.memory +ok +' "$tmp/out" || wrong "$out"
	clean
	mountpoint -q /sys/fs/bpf && had=y || had=n
	expect 0 d doctor --probe
	[ $had = y ] || ! mountpoint -q /sys/fs/bpf || wrong "bpffs stays mounted"
}

# A pod that was made without a device policy, and what runs in it, keep their devices when podctl
# opens it for writing.
t_pod_without_policy_keeps_its_devices() {
	as_root
	local tree pid
	expect 0 d create other
	for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ ! -d "$tree$root/other" ] || mkdir -p "$tree$root/t/c0" || wrong "mkdir"
	done
	for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ ! -d "$tree$root/t/c0" ] || echo "$tree$root/t/c0/cgroup.procs"
	done > "$tmp/trees"
	# shellcheck disable=SC2016 # $$ is that shell's own
	sh -c 'for f in $(cat "$1"); do echo $$ > "$f"; done
		while [ -e "$1" ]; do
			if : < /dev/kmsg && : > /dev/null; then echo yes; else echo no; fi
			sleep 0.02
		done' sh "$tmp/trees" > "$tmp/can" 2> /dev/null &
	pid=$!
	until [ -s "$tmp/can" ]; do sleep 0.02; done
	expect 0 d run --pod t --name c2 -- true
	expect 0 d events --pod t --timeout 0
	expect 0 d stat t
	sleep 0.2
	! grep -q no "$tmp/can" || wrong "its devices were taken away: $(uniq -c "$tmp/can")"
	rm "$tmp/trees"
	wait $pid
	expect 0 d rm --all
	clean
}

# Another program made the parent, and perhaps the root itself: they stay as they were.
t_cgroups_of_others_stay() {
	as_root
	local tree trees=() file
	for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -e "$tree/cgroup.procs" ] && mountpoint -q "$tree" || continue
		mkdir -p "$tree$root" || wrong "mkdir $tree$root"
		trees+=("$tree$root")
		for file in memory.limit_in_bytes memory.max; do
			[ ! -e "$tree$root/$file" ] || echo 64M > "$tree$root/$file"
		done
	done
	trap 'for tree in "${trees[@]}"; do find "$tree" -depth -type d -exec rmdir {} + ; done' EXIT
	expect 0 p run --root "$root/pods" --pin-dir "$pins" --pod a -- true
	expect 0 d run --pod a -- true
	for tree in "${trees[@]}"; do
		[ -d "$tree" ] || wrong "$tree is gone"
		[ ! -d "$tree/pods" ] || wrong "$tree/pods is left"
		for file in memory.limit_in_bytes memory.max; do
			[ ! -e "$tree/$file" ] || [ "$(cat "$tree/$file")" = 67108864 ] ||
				wrong "$tree/$file: $(cat "$tree/$file")"
		done
		rmdir "$tree"
	done
	trap - EXIT
	clean
}

t_two_at_once_do_not_meet() {
	as_root
	local i pids=()
	for i in 1 2 3 4 5 6; do
		d run --pod "t$((i % 3))" --name "c$i" -- sh -c "sleep 0.$i" 2> "$tmp/err$i" &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6; do
		wait "${pids[i - 1]}" || wrong "run $i: $(cat "$tmp/err$i")"
	done
	d rm --all > /dev/null
	clean
}

t_without_privilege_the_error_names_the_file() {
	as_root
	command -v setpriv > /dev/null || { echo "setpriv is not here"; exit 77; }
	cp "$podctl" "$tmp/podctl" && chmod 755 "$tmp" "$tmp/podctl"
	expect 1 setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/podctl" create t --root "$root"
	says "/"; one_line
	clean
}

run_tests "$@"
