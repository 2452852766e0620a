#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_podctl_metrics [--list | NAME...] - `podctl metrics` against the grammar of OpenMetrics, line
# by line, and against the figures of `podctl stat --json`.  Needs root.
set -u
. "${0%/*}/lib.sh"

# Every line of $tmp/out; prints "FAMILY POD/CONTAINER VALUE" for each sample.
parse() {
	awk '
	function bad(why) { print FILENAME ":" FNR ": " why ": " $0 > "/dev/stderr"; failed = 1; exit 1 }
	over { bad("a line after # EOF") }
	/^# EOF$/ { over = 1; next }
	/^# TYPE / {
		if (NF != 4 || $3 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/) bad("no name")
		if ($4 != "counter" && $4 != "gauge") bad("no type")
		if ($3 in type) bad("a family twice")
		if ($3 ~ /_(total|created|count|sum|bucket|info)$/) bad("a name with a reserved end")
		if (family != "" && !samples) bad("no sample of the family before")
		family = $3; type[family] = $4; unit = ""; samples = helps = 0
		next
	}
	/^# UNIT / {
		if (NF != 4 || $3 != family || unit != "" || samples || helps) bad("misplaced")
		if ($4 !~ /^(bytes|seconds|ratio)$/) bad("no base unit")
		unit = $4
		if (family !~ "_" unit "$") bad("the name does not end with the unit")
		next
	}
	/^# HELP / {
		if ($3 != family || samples || helps++) bad("misplaced")
		if ($0 ~ /\\([^\\n"]|$)/) bad("an escape")
		next
	}
	/^#/ || /^$/ { bad("neither a sample nor known") }
	{
		name = $0; sub(/[{].*/, "", name)
		if (name != family (type[family] == "counter" ? "_total" : "")) bad("not of this family")
		rest = substr($0, length(name) + 1)
		if (rest !~ /^[{]pod="([^"\\]|\\[\\n"])+",container="([^"\\]|\\[\\n"])*"[}] [^ ]+$/)
			bad("no sample")
		value = rest; sub(/.* /, "", value); labels = substr(rest, 1, length(rest) - length(value) - 1)
		if (value !~ /^([0-9]+([.][0-9]+)?|[+]Inf)$/) bad("no number")
		if (value == "+Inf" && type[family] == "counter") bad("a counter without end")
		if (!helps) bad("no help")
		if ((name labels) in seen) bad("a sample twice")
		seen[name labels]; samples++
		gsub(/[{]pod="|"[}]/, "", labels); sub(/",container="/, "/", labels)
		print family, labels, value
	}
	END { if (!failed && !over) { print "no # EOF" > "/dev/stderr"; exit 1 } }' "$tmp/out" > "$tmp/samples" ||
		wrong "not OpenMetrics"
}

# The figures that do not change by themselves are those of `stat --json` of POD[/CONTAINER].
same_as_stat() {
	local target=$1 figure sample got
	shift
	"$@" --json "$target" > "$tmp/stat" || wrong "stat $target"
	for figure in memory.max memory.swap.max memory.events.oom_kill cpu.weight pids.max pids.current \
		pids.events.max io.read_bytes io.write_ops oom_kills device.denied cgroup.descendants cgroup.frozen; do
		sample=cgfs_$(printf '%s' "$figure" | tr . _)
		case $figure in
		memory.*max) sample=${sample}_bytes ;;
		esac
		got=$(awk -v name="$sample" -v of="$target" '$1 == name && ($2 == of || $2 == of "/") { print $3 }' \
			"$tmp/samples")
		[ "$(jq -r ".stats.$figure | if . == \"max\" then \"+Inf\" elif . == null then \"\" else . end" \
			"$tmp/stat")" = "$got" ] || wrong "$target: $figure is \"$got\" in $(grep "$sample" "$tmp/samples")"
	done
	# In other units
	got=$(awk -v of="$target" '$1 == "cgfs_cpu_quota_seconds" && ($2 == of || $2 == of "/") { print $3 }' "$tmp/samples")
	[ "$(jq -r '.stats.cpu.quota | if . == "max" then "+Inf" elif . == null then "" else . / 1000000 end' "$tmp/stat")" = \
		"$(printf '%s' "$got" | sed '/[.]/s/0*$//')" ] || wrong "$target: the quota is $got"
}
with_jq() { command -v jq > /dev/null || { echo "jq is not installed"; exit 77; }; }

t_metrics_of_no_pod() {
	as_root
	expect 0 d metrics
	[ "$out" = '# EOF' ] || wrong "$out"
	expect 1 d metrics none; says 'metrics "none"'; one_line
	[ -z "$out" ] || wrong "half a text: $out"
	expect 2 d metrics --json; says 'podctl inspect'; one_line
	clean
}

t_metrics_are_what_stat_says() {
	as_root
	with_jq
	expect 0 d create web --memory 64M --pids 100 --cpus 0.25
	expect 0 d run --pod web --name c1 --keep --memory 16M -- true
	expect 1 d run --pod web --name c2 --keep -- cat /dev/kmsg
	expect 0 d create db --label tier=back
	expect 0 d metrics; parse
	[ "$(awk '{ print $2 }' "$tmp/samples" | sort -u | tr '\n' ' ')" = "db/ web/ web/c1 web/c2 " ] ||
		wrong "$(awk '{ print $2 }' "$tmp/samples" | sort -u)"
	grep -q '^cgfs_cpu_usage_seconds web/c1 [0-9]*[.][0-9]\{6\}$' "$tmp/samples" || wrong "no CPU time"
	! grep -q '^cgfs_device_denied' "$tmp/samples" ||
		grep -q '^cgfs_device_denied web/c2 [1-9]' "$tmp/samples" || wrong "$(grep denied "$tmp/samples")"
	for target in web web/c1 web/c2 db; do
		same_as_stat $target d stat
	done
	# Named twice, counted once
	expect 0 d metrics web/c1 web web; parse
	[ "$(awk '{ print $2 }' "$tmp/samples" | sort -u | tr '\n' ' ')" = "web/ web/c1 web/c2 " ] || wrong "$out"
	expect 0 d metrics --label tier=back; parse
	[ "$(awk '{ print $2 }' "$tmp/samples" | sort -u)" = db/ ] || wrong "$out"
	[ "$(d metrics 2>&1 > /dev/full; echo $?)" != 0 ] || wrong "success on /dev/full"
	expect 0 d rm --all
	clean
}

# More than fit into one message, and the same text with and without it.
t_agent_metrics_in_pages() {
	local i
	with_agent
	with_jq
	for i in $(seq 150); do p create "pod$i" --pids "$i" > /dev/null || wrong "pod$i"; done
	expect 0 r --pod pod7 --name c1 --detach --memory 16M -- sleep 1000
	expect 0 p metrics; parse
	[ "$(awk '$1 == "cgfs_pids_max"' "$tmp/samples" | wc -l)" = 151 ] || wrong "not all: $out"
	[ "$(awk '$1 == "cgfs_pids_max" && $2 ~ "/$" && $2 != "pod" $3 "/"' "$tmp/samples")" = "" ] || wrong "$out"
	same_as_stat pod150 p stat
	same_as_stat pod7/c1 p stat
	grep ' pod150/ ' "$tmp/samples" > "$tmp/by-agent"
	CGFS_AGENT='' expect 0 d metrics --no-agent pod150; parse
	grep -v '_pressure_' "$tmp/samples" > "$tmp/direct"
	grep -v '_pressure_' "$tmp/by-agent" | diff - "$tmp/direct" || wrong "the agent has other figures"
	expect 0 p rm --all
	end_agent
}

run_tests "$@"
