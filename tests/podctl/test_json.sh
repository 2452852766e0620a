#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_json [--list | NAME...] - docs/json.md and what podctl prints with --json have the same
# members, of the same types.  Needs root and jq.
set -u
. "${0%/*}/lib.sh"

# table SECTION: its rows as "MEMBER TYPES"; groups and events stand for their own tables.
table() {
	awk -F ' *\\| *' -v section="$1" '
		/^## / {
			here = 0
			n = split(substr($0, 4), names, ", ")
			for (i = 1; i <= n; i++)
				if (names[i] == section)
					here = 1
		}
		here && /^\| `/ { gsub(/`/, "", $2); print $2, $3 }' docs/json.md |
	while read -r member types; do
		case $types in
		group|event)
			table "$types" | while read -r inner rest; do
				printf '%s %s\n' "$member.$inner" "$rest"
			done ;;
		*) printf '%s %s\n' "$member" "$types" ;;
		esac
	done | sed 's/^\.\.//'
}

# printed: the members of the documents on stdin as "MEMBER TYPE"; figures down to their group.
printed() {
	jq -r 'paths as $p | getpath($p) | . as $v | ($p | map(if type == "number" then "[]" else . end) | join(".")
		| gsub("\\.\\[\\]"; "[]")) as $name | ($v | type) as $type
		| select(($name | test("(^|\\.)(stats\\.[a-z_]+[.\\[]|labels\\.)") | not)
			and ($type != "object" or ($name | test("(^|\\.)(stats\\.|labels$)")))
			and ($type != "array" or ($name | test("(^|\\.)stats\\."))))
		| "\($name) \($type)"' | sed 's/ number$/ integer/; s/ array$/ list/' | sort -u
}

# agrees SECTION [NAME]: the documents in $tmp/out; NAME stands for DONE of the table.
agrees() {
	local wrong=""
	table "$1" | sed "s/^DONE/${2:-DONE}/" | sort -u > "$tmp/table"
	[ -s "$tmp/table" ] || wrong "docs/json.md has no table $1"
	printed < "$tmp/out" > "$tmp/printed" || wrong "$1: not JSON: $(cat "$tmp/out")"
	[ -s "$tmp/printed" ] || wrong "$1: nothing was printed"
	while read -r member type; do
		awk -v m="$member" -v t="$type" '$1 == m { for (i = 2; i <= NF; i++) found = found || $i == t }
			END { exit !found }' "$tmp/table" || wrong="$wrong $member ($type)"
	done < "$tmp/printed"
	[ -z "$wrong" ] || wrong "$1: printed, and not in docs/json.md:$wrong"
	cut -d ' ' -f 1 "$tmp/printed" >> "$tmp/seen.$1"
}
# seen SECTION MEMBER...: is all of the table printed at least once?  Not so: MEMBER.
seen() {
	local section=$1 missing
	shift
	missing=$(comm -23 <(table "$section" | cut -d ' ' -f 1 | sort -u) <(sort -u "$tmp/seen.$section") |
		grep -vxF "$(printf '%s\n' "$@" none)")
	[ -z "$missing" ] || wrong "$section: in docs/json.md, and never printed: $missing"
}
with_jq() { command -v jq > /dev/null || { echo "jq is not installed"; exit 77; }; }
# What depends on the kernel
figures='stats.cgroup stats.foreign_programs stats.oom_kills stats.cpuset stats.hugetlb stats.io stats.io_devices stats.misc stats.rdma stats.pressure stats.device
	stats.memory_admit stats.memory_charge'

t_json_is_as_documented() {
	as_root
	with_jq
	expect 0 d create --json web --memory 64M; agrees create
	expect 0 d run --json --pod web --name c1 --detach -- sleep 1000; agrees run-detach
	expect 0 d exec --json -d web sleep 1000; agrees exec-detach
	expect 0 d ls --json; agrees ls
	expect 0 d stat --json web; agrees stat
	expect 0 d inspect web; agrees inspect
	expect 0 d ps --json; agrees ps
	seen ps
	expect 1 d set --json --pids 20 web none; agrees set set
	seen set 'DONE[]' 'set[]'
	expect 1 d freeze --json web none; agrees freeze frozen
	expect 1 d thaw --json web none; agrees thaw thawed
	sleep 1000 &
	expect 1 d add --json web $! 4194304; agrees add
	seen add
	expect 1 d kill --json -s KILL web none; agrees kill signalled
	expect 0 d wait --json web; agrees wait
	seen wait
	expect 1 d run --json --pod web -- cat /dev/kmsg
	tail -n 1 "$tmp/err" > "$tmp/out"; agrees run
	expect 137 d run --json --pod web --memory 8M -- \
		sh -c 'exec dd if=/dev/zero of=/dev/null bs=200M count=1'
	tail -n 1 "$tmp/err" > "$tmp/out"; agrees run
	expect 0 d explain --json web; agrees explain
	seen explain
	expect 0 d doctor --json; agrees doctor
	expect 1 d rm --json web none; agrees rm removed
	clean
}

t_agent_json_is_as_documented() {
	with_jq
	with_agent
	expect 0 p create --json t --memory 64M; agrees create
	expect 0 r --json --pod t --name c1 --detach -- sh -c 'echo out; echo err >&2'; agrees run-detach
	expect 0 p wait --json t/c1; agrees wait
	expect 0 p logs --json t; agrees logs
	seen logs
	expect 0 r --pod t --name c2 --detach -- sleep 1000
	expect 0 p exec --json -d t/c2 sleep 1000; agrees exec-detach
	expect 0 p ls --json; agrees ls
	expect 0 p stat --json t/c2; agrees stat
	# shellcheck disable=SC2086 # words
	seen stat $figures
	expect 0 p inspect t; agrees inspect
	# shellcheck disable=SC2046,SC2086 # words
	seen inspect 'pods[].shared_namespaces[]' $(for f in $figures; do echo "pods[].$f" "pods[].containers[].$f"; done)
	expect 0 p rm --json --all; agrees rm removed
	end_agent
}

run_tests "$@"
