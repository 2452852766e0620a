#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # what containers expand is not for us to expand
# shellcheck disable=SC2086,SC2317 # notes: numbers without quotes, functions that `expect` calls
#
# test_podctl_agent [--list | NAME...] - podctl by way of an agent that each test starts for
# itself, with real containers on a busybox root file system.  Needs root.
set -u
. "${0%/*}/lib.sh"

t_agent_run_exits_as_its_command() {
	with_agent
	expect 0 r --pod t -- true
	expect 7 r --pod t -- sh -c 'exit 7'
	expect 137 r --pod t -- sh -c 'sh -c "kill -9 \$\$"; exit $?'
	expect 127 r --pod t -- /bin/none; says "/bin/none"
	[ "$(grep -c 'not found\|o such file' "$tmp/err")" = 1 ] || wrong "said twice: $err"
	expect 127 r --pod t -- none
	: > "$tmp/rootfs/bin/file"
	expect 126 r --pod t -- /bin/file
	expect 126 r --pod t -- /bin
	expect 125 p run --pod t -- true; says "--rootfs"
	expect 125 p run --pod t --rootfs "$tmp/none" -- true; says "$tmp/none"
	end_agent
}

t_agent_run_passes_streams() {
	with_agent
	out=$(echo in | r --pod t -- sh -c 'cat; echo "$1|$2" >&2' sh 'a b' '' 2> "$tmp/err")
	[ "$out" = in ] || wrong "stdout: $out"
	[ "$(cat "$tmp/err")" = 'a b|' ] || wrong "stderr: $(cat "$tmp/err")"
	end_agent
}

t_agent_run_passes_signals_on() {
	with_agent
	"$podctl" run --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" --pod t -- \
		sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done' > "$tmp/up" &
	local pid=$! status=0
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill -USR1 $pid
	wait $pid || status=$?
	[ $status = 9 ] || wrong "status $status"
	end_agent
}

t_agent_run_is_in_every_hierarchy_and_under_its_limits() {
	with_agent
	expect 0 p create t --memory 32M --pids 8
	expect 0 r --pod t --name c1 --memory 16M -- cat /proc/self/cgroup
	grep -v name= "$tmp/out" | grep -v "$root/t/c1$" && wrong "outside of the container: $out"
	expect 0 r --pod t --name c1 --detach --memory 16M --cpus 0.5 -- sleep 1000
	json 0 '.stats.memory.max' 16777216 p stat --json t/c1
	json 0 '.stats.cpu.quota' 50000 p stat --json t/c1
	json 0 '.stats.memory.max' 33554432 p stat --json t
	json 0 '.stats.pids.max' 8 p stat --json t
	json 0 '.stats.limits.pids_max' 8 p stat --json t
	json 0 '.stats.native["pids.events"].max' 0 p stat --json t
	json 0 '.pods[0].containers[0].state' running p ls --json
	expect 0 p rm t/c1
	json 0 '.pods[0].containers' '[]' p ls --json
	expect 0 p rm t
	[ -z "$(find "$tmp/bundles" -type f 2> /dev/null)" ] || wrong "a bundle is left"
	end_agent
}

t_agent_run_says_what_went_wrong_inside() {
	with_agent
	expect 137 r --pod t --name c2 --memory 16M -- dd if=/dev/zero of=/dev/null bs=200M count=1
	says "t/c2: killed for lack of memory: pid "
	says "at the container's memory limit of 16.0 MiB"
	expect 1 r --pod t --name c1 -- sh -c 'mknod /dev/kmsg c 1 11; cat /dev/kmsg'
	says "Operation not permitted"
	says "t/c1: device denied: char 1:11 read, pid "
	# No driver has it: without the rule it is EPERM, with it ENXIO or ENODEV.
	expect 1 r --pod t -- sh -c 'mknod /dev/x c 10 99; exec 3< /dev/x'
	says "Operation not permitted"
	expect 1 r --pod t --device 'c 10:99 r' -- sh -c 'mknod /dev/x c 10 99; exec 3< /dev/x'
	says "No such device"
	end_agent
}

t_agent_tells_every_subscriber() {
	with_agent
	p events --json --count 1 --timeout 120 > "$tmp/e1" &
	local one=$!
	p events --json --count 1 --timeout 120 > "$tmp/e2" &
	local two=$!
	# A subscription cannot be seen from outside: repeat until both have received one.
	while kill -0 $one 2> /dev/null || kill -0 $two 2> /dev/null; do
		r --pod t -- sh -c 'mknod /dev/kmsg c 1 11; cat /dev/kmsg' > /dev/null 2>&1
	done
	wait $one || wrong "the first received nothing"
	wait $two || wrong "the second received nothing"
	grep -q '"type":"device_denied"' "$tmp/e1" || wrong "$(cat "$tmp/e1")"
	grep -q '"type":"device_denied"' "$tmp/e2" || wrong "$(cat "$tmp/e2")"
	end_agent
}

t_agent_pods_have_host_names() {
	with_agent
	expect 0 r --pod t --hostname box.example -- cat /proc/sys/kernel/hostname
	[ "$out" = box.example ] || wrong "$out"
	expect 0 p create t --hostname box
	expect 125 r --pod t --hostname other -- true; says 'pod "t" is there'; one_line
	# The next agent gives it as well.
	kill -9 $agent; wait $agent 2> /dev/null
	rm "$tmp/sock"
	with_agent
	expect 0 r --pod t -- cat /proc/sys/kernel/hostname
	[ "$out" = box ] || wrong "$out"
	expect 2 p create u --hostname -x; says '--hostname'; one_line
	expect 2 d create u --no-agent --hostname x; says "needs an agent"; one_line
	expect 0 p rm --all
	end_agent
}

t_agent_keeps_events() {
	with_agent
	expect 1 r --pod t --name c1 -- sh -c 'mknod /dev/kmsg c 1 11; cat /dev/kmsg'
	expect 137 r --pod t --name c2 --memory 16M -- dd if=/dev/zero of=/dev/null bs=200M count=1
	expect 0 p events --timeout 0
	[ -z "$out" ] || wrong "$out"
	json 0 '[.container, .device.access]' '["c1","r"]' \
		p events --json --since 1h --timeout 0 --type device_denied
	json 0 '[.type, .container]' '["oom_kill","c2"]' \
		p events --json --since 1h --timeout 0 --type oom_kill,pressure --container c2
	expect 0 p events --since 1h --timeout 0
	[[ $out == *device_denied*t/c1*removed*t/c1*oom_kill*t/c2* ]] || wrong "$out"
	expect 0 p events --since 2100-01-01T00:00:00Z --timeout 0
	[ -z "$out" ] || wrong "$out"
	expect 1 p events --since 1h --timeout 0 --pod none --count 1
	end_agent
}

t_agent_sandbox_waits_until_removed() {
	! ldd "$podctl" 2> /dev/null | grep -q "=>" || { echo "podctl is not static"; exit 77; }
	with_agent
	expect 0 p create t --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" --memory 32M
	json 0 '.state' running p stat --json t/t
	json 0 '.stats.memory.max' 33554432 p stat --json t
	expect 1 p create t; says 'create pod "t"'; one_line
	expect 0 r --pod t --name c1 -- true
	expect 0 p rm t
	expect 0 p create u --rootfs "$tmp/rootfs" --bundle-dir "$tmp/bundles" -- sleep 1000
	# Started means that the runtime may go on: exec may be a moment away.
	pid=$(p ls --json | jq '.pods[0].containers[0].pid')
	for _ in $(seq 1200); do
		grep -qs sleep "/proc/$pid/cmdline" && break
		sleep 0.1
	done
	grep -qs sleep "/proc/$pid/cmdline" || wrong "no sleep in process $pid"
	expect 0 p rm u
	end_agent
}

t_agent_without_v4_is_named() {
	with_agent v3
	expect 1 "$podctl" ls
	one_line
	says "started without -v4"
	end_agent
}
t_agent_errors_are_one_line() {
	with_agent
	expect 1 p rm none; says 'remove "none": there is no pod "none"'; one_line
	expect 1 p rm none/c1; says 'remove "none/c1"'; one_line
	expect 1 p stat none; says 'there is no pod "none"'; one_line
	expect 0 p create t
	expect 1 p stat t/c1; says 'there is no container "c1" in pod "t"'; one_line
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	expect 125 r --pod t --name c1 -- true; says "t/c1"; one_line
	expect 2 p create a/b; says 'a/b'; one_line
	expect 0 p rm --all
	end_agent
}

t_agent_containers_of_a_pod_share_namespaces() {
	with_agent
	expect 0 p create t
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	expect 0 r --pod t --name c2 -- sh -c 'for n in net ipc uts; do readlink /proc/self/ns/$n; done; cat /proc/sys/kernel/hostname'
	local pid want
	pid=$(p inspect t/c1 | jq '.pods[0].pid')
	want=$(for n in net ipc uts; do readlink "/proc/$pid/ns/$n"; done; echo t)
	[ "$out" = "$want" ] || wrong "$out, not $want"
	json 0 '.pods[0].containers[0].shared_namespaces' '["network","ipc","uts"]' p inspect t
	json 0 '.shared_namespaces' '[]' p stat --json t
	expect 0 p stat t/c1
	head -1 <<< "$out" | grep -q "shares network, ipc, uts" || wrong "$out"
	expect 0 p rm --all
	end_agent
}
t_agent_that_dies_is_noticed() {
	with_agent
	local status=0
	r --pod t --keep -- sh -c 'echo up; exec sleep 1000' > "$tmp/up" 2> "$tmp/err" &
	local pid=$!
	until grep -q up "$tmp/up"; do sleep 0.05; done
	kill -9 $agent
	wait $pid || status=$?
	err=$(cat "$tmp/err")
	[ $status = 125 ] || wrong "status $status: $err"
	says "agent"
	wait $agent 2> /dev/null
	trap - EXIT
	rm -f "$tmp/sock"
	unset CGFS_AGENT
	# What it has left, podctl removes without it.
	expect 0 d rm --all
	awk -v t="$tmp/" 'index($5, t) { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf "$tmp/state" "$tmp/bundles"
	clean
}

# One agent has the root; state, pins or spelling of another one do not change that; podctl finds it.
t_agent_owns_its_root() {
	local other=("$O/cgfs-agent" -v4 -listen "unix:$tmp/sock2" -state-dir "$tmp/state2") owner
	with_agent
	unset CGFS_AGENT
	owner="process $agent"
	# Its socket is there before it has the root.
	for _ in {1..200}; do
		! grep -q "msg=cgfs-agent" "$tmp/log" || break
		sleep 0.05
	done
	expect 1 timeout 30 "${other[@]}" -root "$root" -pin-dir "$pins-2"; says "$owner"; one_line
	expect 1 timeout 30 "${other[@]}" -root "$root" -no-bpf; says "$owner"
	[ ! -e "$pins-2" ] || wrong "the agent that was refused has pinned its programs"
	# Not another root.
	expect 0 p create t --root "$root"
	expect 0 p --json ls --root "$root"
	[ "$(jq -r '.pods[].id' <<< "$out")" = t ] || wrong "$out"
	grep -q "pod created.*pod=t" "$tmp/log" || wrong "the agent was not asked: $(cat "$tmp/log")"
	# Without the agent: reading is possible, no verb that writes is, and the pod is as before.
	expect 0 d ls --no-agent
	[[ $out == *t* ]] || wrong "$out"
	expect 1 d rm --no-agent t; says "$owner"; says "--agent unix:$tmp/sock"; one_line
	expect 1 d create --no-agent u; says "$owner"
	expect 125 d run --no-agent --pod u -- true; says "$owner"
	# Pins of its own are no way around the owner.
	expect 0 p create v --root "$root" --pin-dir "$pins-2"
	grep -q "pod created.*pod=v" "$tmp/log" || wrong "the agent was not asked: $(cat "$tmp/log")"
	expect 0 p rm v --root "$root" --pin-dir "$pins-2"
	# The same state, and another root.
	expect 1 timeout 30 "$O/cgfs-agent" -v4 -listen "unix:$tmp/sock2" -state-dir "$tmp/state" \
		-root "$root-2" -pin-dir "$pins-2"
	says "$owner"; one_line
	expect 125 p run --no-agent --root "$root" --pin-dir "$pins-2" --pod u -- true; says "$owner"
	[ ! -e "$pins-2" ] || rmdir "$pins-2/links" "$pins-2/events" "$pins-2" 2> /dev/null ||
		wrong "podctl has pinned its programs"
	expect 0 p rm t --root "$root"
	end_agent
	expect 0 d run --pod u -- true
	clean
}

# What its start had pinned goes with an agent that never began to serve.
t_failed_start_leaves_no_pins() {
	as_root
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	expect 1 timeout 60 "$O/cgfs-agent" -v4 -listen "unix:$tmp/sock" -state-dir "$tmp/state" \
		-root /pods/.. -pin-dir "$pins"
	[ ! -e "$pins" ] || wrong "left: $(find "$pins")"
	# Pins that were there stay.
	expect 0 d create t
	expect 1 timeout 60 "$O/cgfs-agent" -v4 -listen "unix:$tmp/sock" -state-dir "$tmp/state" \
		-root /pods/.. -pin-dir "$pins"
	[ -e "$pins/links" ] || wrong "the pins of another are gone"
	expect 0 d rm t
	rm -rf "$tmp/state"
	clean
}

# Without a record, nothing keeps a second agent away: it says so.
t_owner_without_a_record_is_said() {
	as_root
	local agent
	unshare -m sh -c 'mount -t tmpfs -o ro tmpfs /run && exec "$@"' sh \
		"$O/cgfs-agent" -v4 -listen "unix:$tmp/sock" -state-dir "$tmp/state" -root "$root" \
		-no-bpf -delete-on-exit -logfile "$tmp/log2" > /dev/null 2>&1 &
	agent=$!
	for _ in {1..200}; do
		! grep -qs "msg=cgfs-agent" "$tmp/log2" || break
		sleep 0.05
	done
	kill $agent
	wait $agent || wrong "the agent ended with $?: $(cat "$tmp/log2")"
	grep -q 'has no owner.*root=' "$tmp/log2" || wrong "$(cat "$tmp/log2")"
	clean
}

# An agent that a host starts on stdin and stdout is found, too; one that is killed is not.
t_agent_on_stdin_is_found() {
	with_agent
	kill $agent; wait $agent
	unset CGFS_AGENT
	mkfifo "$tmp/in"
	local options=(-v4 -use-inouterr -root "$root" -pin-dir "$pins" -state-dir "$tmp/state")
	sleep 300 > "$tmp/in" & local writer=$!
	rm -f "$tmp/log" # what an earlier agent wrote is not what is waited for
	"$O/cgfs-agent" "${options[@]}" < "$tmp/in" > /dev/null 2> "$tmp/log" & agent=$!
	trap 'kill $agent $writer 2> /dev/null; wait' EXIT
	local tries=200
	until grep -qs "msg=cgfs-agent" "$tmp/log"; do
		tries=$((tries - 1)); [ $tries -gt 0 ] || wrong "$(cat "$tmp/log")"; sleep 0.05
	done
	expect 0 p create t --root "$root"
	grep -q "pod created.*pod=t" "$tmp/log" || wrong "the agent was not asked: $(cat "$tmp/log")"
	kill -9 $agent; wait $agent 2> /dev/null
	expect 0 d ls
	rm -f "$tmp/log"
	"$O/cgfs-agent" "${options[@]}" -delete-on-exit < "$tmp/in" > /dev/null 2> "$tmp/log" & agent=$!
	tries=200
	until grep -qs "msg=cgfs-agent" "$tmp/log"; do
		tries=$((tries - 1)); [ $tries -gt 0 ] || wrong "$(cat "$tmp/log")"; sleep 0.05
	done
	expect 0 p rm t --root "$root"
	kill $writer
	wait $agent
	! grep -q "level=error\|cannot reach" "$tmp/log" || wrong "$(cat "$tmp/log")"
	trap - EXIT
	d rm --all
	clean
}

# Every path of a document with its type; entries of a list are all the same.  Which process is a
# container's first, and its exit code, is what an agent alone knows: a number or null; so are the
# namespaces that it shares.
shape() {
	jq -r '[paths as $p | select($p | index("shared_namespaces") | not) | [($p | map(if type == "number" then 0 else . end) | join(".")),
		(if $p[-1] == "pid" or $p[-1] == "exit_code" then "" else getpath($p) | type end)] |
			join(" ")] |
		unique[]' "$1"
}
# The two documents of one verb have the same members, and the same values of $2.
same_documents() {	# same_documents JQ-VALUES VERB...
	local values=$1
	shift
	p "$@" --json > "$tmp/with" || wrong "$* with an agent"
	d "$@" --json > "$tmp/without" || wrong "$* without an agent"
	diff <(shape "$tmp/with") <(shape "$tmp/without") || wrong "$*: members differ"
	diff <(jq "$values" "$tmp/with") <(jq "$values" "$tmp/without") || wrong "$*: values differ"
}

t_agent_documents_are_those_without_one() {
	with_agent
	expect 0 p create t --memory 32M
	expect 0 r --pod t --name c2 --detach -- sleep 1000
	expect 0 r --pod t --name c1 --detach -- sleep 1000
	local group='.id, .path, .cgroup_id, .state, .processes, .stats.oom_kills, .stats.pids'
	same_documents ".root, .layout, (.pods[] | $group, (.containers[] | $group))" ls
	same_documents "$group" stat t
	same_documents "$group" stat t/c1
	for way in p d; do
		expect 1 $way stat t/none; says 'there is no container "none" in pod "t"'
		expect 1 $way stat none; says 'there is no pod "none"'
	done
	expect 0 p rm t
	end_agent
}

t_agent_set_kill_wait_freeze() {
	with_agent
	expect 0 p create t --memory 64M
	expect 0 r --pod t --name c1 --detach -- sh -c 'trap "exit 7" USR1; while :; do sleep 0.1; done'
	expect 0 p set t/c1 --memory 32M --pids 30 --device 'c 1:11 r'
	json 0 '[.stats.memory.max, .stats.pids.max]' '[33554432,30]' p stat --json t/c1
	json 0 '.stats.limits.devices | map(select(test("1:11 r$"))) | length' 1 p stat --json t/c1
	expect 0 p set t --pids 50 --memory 48M
	json 0 '[.stats.memory.max, .stats.pids.max]' '[50331648,50]' p stat --json t
	expect 0 p set t --device 'c 1:11 r' --no-default-devices
	json 0 '.stats.limits.devices | map(select(test("allow|^c|^b")))' '["c 1:11 r"]' p stat --json t
	expect 0 p set t --device 'c 10:99 r'
	p stat --json t | jq .stats.limits.devices > "$tmp/set"
	expect 0 p create t2 --device 'c 10:99 r'
	p stat --json t2 | jq .stats.limits.devices | diff - "$tmp/set" || wrong "set is not create"
	expect 0 p rm t2
	expect 0 p freeze t
	json 0 '.state' frozen p stat --json t
	json 1 '[.thawed, .failed[0].target]' '[["t"],"none"]' p thaw --json t none
	json 0 '.state' running p stat --json t
	expect 1 p freeze t/none; says 'there is no container "none" in pod "t"'; one_line
	expect 1 p set t/none --pids 30; says 'set limits of "t/none"'; one_line
	expect 0 p freeze t/c1
	json 0 '.state' frozen p stat --json t/c1
	expect 0 p thaw t/c1
	json 0 '.state' running p stat --json t/c1
	expect 1 p freeze none; says 'there is no pod "none"'; one_line
	expect 1 p wait --timeout 0.3 t/c1; says "it has not ended"
	until expect 0 p kill -s USR1 t/c1 && p wait --timeout 1 t/c1 > "$tmp/code" 2>&1; do :; done
	[ "$(cat "$tmp/code")" = 7 ] || wrong "$(cat "$tmp/code")"
	json 0 .exit_code 7 p wait --json t/c1
	expect 0 r --pod t --name c2 --detach -- sleep 1000
	same_documents '.processes | length' ps
	same_documents '.processes | length' ps t/c2
	same_documents '.pods | map(.id, .containers[].id, .path)' inspect t
	same_documents '.pods | map(.id, .path, .state)' inspect t/c2
	[ "$(p ls -q t)" = $'t\nt/c1\nt/c2' ] || wrong "$(p ls -q t)"
	expect 1 p ls none; says 'there is no pod "none"'; one_line
	expect 0 p rm t
	end_agent
}

t_agent_lists_any_number_of_pods() {
	with_agent
	local n=300 i
	for ((i = n; i > 0; i--)); do
		p create "$(printf %064x $i)" > /dev/null || wrong "pod $i"
	done
	json 0 '.pods | length' $n p ls --json
	json 0 '.pods | map(.id) | . == sort' true p ls --json
	same_documents '.pods | map(.id)' ls
	json 0 .state empty p stat --json "$(printf %064x $n)"
	expect 0 p create "$(printf %064x 1000)"
	expect 0 p rm --all
	json 0 '.pods' '[]' p ls --json
	end_agent
}

# A stopped agent's socket takes connections, and nothing answers.
t_agent_that_does_not_answer_is_given_up() {
	with_agent
	expect 0 p create t
	kill -STOP $agent
	trap 'kill -CONT $agent; kill $agent 2> /dev/null; wait' EXIT
	local start=$SECONDS
	expect 1 p ls --timeout 0.3; says "no answer within 300 ms"; one_line
	expect 1 p stat --timeout 0.3 t; says "no answer"
	expect 1 p create --timeout 0.3 u; says "no answer"
	expect 125 r --timeout 0.3 --pod t -- true; says "no answer"
	expect 1 p rm --timeout 1 t; says "no answer"
	expect 1 p events --timeout 1; says "no answer"
	# More connections than the agent's queue holds: connect(2) itself would wait.
	for _ in $(seq 30); do
		local callers=() caller
		for _ in $(seq 10); do
			timeout 20 "$podctl" ls --timeout 0.1 > /dev/null 2>&1 &
			callers+=($!)
		done
		for caller in "${callers[@]}"; do
			wait "$caller"
			[ $? = 1 ] || wrong "podctl hangs or succeeds"
		done
	done
	[ $((SECONDS - start)) -lt 120 ] || wrong "it took $((SECONDS - start)) s"
	kill -CONT $agent
	expect 0 p rm --all
	end_agent
}

t_agent_names_foreign_programs() {
	with_agent
	expect 0 p create t
	json 0 '.stats.foreign_programs' '[]' p stat --json t
	attach_foreign t
	json 0 '.stats.foreign_programs[0]' "{\"program_id\":$stranger,\"name\":\"stranger\"}" p stat --json t
	expect 0 p stat t
	grep -Eq "^foreign_programs\[stranger\]\.program_id +$stranger\$" "$tmp/out" || wrong "$out"
	p events --json --type foreign_program --count 1 --timeout 120 > "$tmp/events" &
	local events=$!
	until [ -s "$tmp/events" ] || ! kill -0 $events 2> /dev/null; do
		# Each is found when the list changes, and reported once; events may not be there yet.
		attach_foreign t
		expect 0 p set t --device 'c 1:11 r'
		sleep 0.2
	done
	wait $events || wrong "no event: $(cat "$tmp/events")"
	jq -e '.type == "foreign_program" and .pod == "t" and .program_id > 0 and
		(.message | contains("\"stranger\""))' "$tmp/events" > "$tmp/jq" || wrong "$(cat "$tmp/events")"
	expect 0 p rm t
	end_agent
}

t_agent_figures_have_the_unit_that_is_shown() {
	with_agent
	expect 0 p create t
	expect 0 p stat t
	if grep -q '^pressure.cpu.some.avg10' "$tmp/out"; then
		grep -Eq '^pressure\.cpu\.some\.avg10 +[0-9]+\.[0-9]{2} %$' "$tmp/out" || wrong "$out"
	fi
	expect 0 p rm t
	end_agent
}

run_tests "$@"
