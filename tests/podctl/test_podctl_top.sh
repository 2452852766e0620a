#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_podctl_top [--list | NAME...] - frames and keys of `podctl top`.  Its terminal is one of an
# outer `podctl exec -t`.  Needs root.
set -u
. "${0%/*}/lib.sh"

with_pods() {
	as_root
	expect 0 d create web --memory 64M
	expect 0 d run --pod web --name c1 --keep --memory 16M -- true
	expect 0 d run --pod web --name c2 --keep -- true
	expect 0 d create db
}
end_pods() {
	expect 0 d rm --all
	clean
}
longest() { awk '{ if (length > n) n = length } END { print n + 0 }' "$tmp/out"; }

t_top_wrong_usage_is_2() {
	expect 2 d top --sort size; says 'must be one of name, cpu, memory'; one_line
	expect 2 d top --json; says 'podctl ls --json'; one_line
	expect 2 d top -d 0; says '--delay'; one_line
	expect 2 d top -n x; says '--frames'; one_line
	expect 2 d top a/b/c; says 'a/b/c'; one_line
	expect 1 d top -b -n 1 none; says 'top "none"'; one_line
	clean
}

t_top_frames_fit_every_width() {
	with_pods
	local columns
	for columns in 20 40 58 80 100 120 160 200; do
		COLUMNS=$columns expect 0 d top -b -n 1
		[ "$(longest)" -le $((columns < 33 ? 33 : columns)) ] || wrong "$columns: $out"
		[[ $out == *NAME*CPU*MEMORY* ]] || wrong "$columns: $out"
		[ "$(grep -c -- '- c[12]' "$tmp/out")" = 2 ] || wrong "$columns: $out"
		! grep -q "$(printf '\033')" "$tmp/out" || wrong "$columns: escapes in a frame"
	done
	[[ $out == *PSI*READ*DENIED*REFUSED*OOM* ]] || wrong "$out"
	COLUMNS=40 expect 0 d top -b -n 3 -d 0.1
	[ "$(grep -c NAME "$tmp/out")" = 3 ] || wrong "$out"
	end_pods
}

t_top_sorts_and_chooses() {
	with_pods
	expect 0 d top -b -n 1 --sort name
	[ "$(awk 'NR > 2 && !/[|`]-/ && NF { printf "%s ", $1 }' "$tmp/out")" = "db web " ] || wrong "$out"
	expect 0 d top -b -n 1 --sort -name
	[ "$(awk 'NR > 2 && !/[|`]-/ && NF { printf "%s ", $1 }' "$tmp/out")" = "web db " ] || wrong "$out"
	expect 0 d top -b -n 1 db
	[[ $out != *web* && $out == *db* ]] || wrong "$out"
	expect 0 d top -b -n 1 web/c2
	[[ $out != *c1* && $out == *c2* ]] || wrong "$out"
	end_pods
}

t_top_that_nobody_reads_ends() {
	with_pods
	d top -b -d 0.1 | head -n 2 > "$tmp/out"
	[ "$(wc -l < "$tmp/out")" = 2 ] || wrong "$(cat "$tmp/out")"
	end_pods
}

# frame PATTERN [not]: waits for a frame with it, or without
frame() {
	until awk -v RS= 'NF { last = whole; whole = $0 } END { print last }' "$tmp/screen" |
		grep -v pods > "$tmp/frame" &&
		{ if [ "${2:-}" ]; then ! grep -q -- "$1" "$tmp/frame"; else grep -q -- "$1" "$tmp/frame"; fi; }; do
		kill -0 "$top" || wrong "it has ended: $(cat "$tmp/screen")"
		sleep 0.05
	done
}

# Pods and containers stay open between two frames: what is new, gone or another of the same name
# is seen nevertheless.
t_top_sees_what_comes_and_goes() {
	with_pods
	COLUMNS=100 "$podctl" top -b -d 0.1 --root "$root" --pin-dir "$pins" > "$tmp/screen" &
	top=$!
	frame '- c2'
	expect 0 d create late; frame '^late'
	expect 0 d run --pod web --name c3 --keep -- true; frame '- c3'
	expect 0 d rm web/c1; frame '- c1' not
	expect 0 d rm web/c2
	expect 0 d run --pod web --name c2 --keep --memory 8M -- true; frame '- c2 .*8.0M'
	expect 0 d rm late; frame '^late' not
	expect 0 d rm web
	expect 0 d create web --memory 24M; frame '^web .*24.0M'
	! grep -q -- '- c[123]' "$tmp/frame" || wrong "$(cat "$tmp/frame")"
	expect 0 d rm web db; frame '^NAME'; frame '^db' not
	expect 0 d create db; frame '^db'
	kill $top
	wait $top
	end_pods
}

# live NO_COLOR: `podctl top` on a terminal; typed: what is written to descriptor 9.
live() {
	: > "$tmp/screen"
	rm -f "$tmp/keys"
	mkfifo "$tmp/keys"
	exec 9<> "$tmp/keys"
	d run --pod outer -it -e TERM=xterm -e COLUMNS=80 -e NO_COLOR="$1" -- "$podctl" top -d 0.1 \
		--root "$root" --pin-dir "$pins" < "$tmp/keys" > "$tmp/screen" 2>&1 &
	top=$!
}
shows() {
	until grep -qaF -- "$1" "$tmp/screen"; do
		kill -0 "$top" || wrong "it has ended: $(cat -v "$tmp/screen")"
		sleep 0.05
	done
}
end_live() {
	local status=0
	printf q >&9
	wait "$top" || status=$?
	exec 9>&-
	[ $status = 0 ] || wrong "status $status: $(cat -v "$tmp/screen")"
	tail -c 40 "$tmp/screen" | grep -qaF '[?1049l' || wrong "the screen was not given back"
}

t_top_keys() {
	with_pods
	d run --pod db --name victim -- sleep 1000 &
	local victim=$! status=0
	until [ -n "$(d ps db | grep sleep)" ]; do sleep 0.05; done
	live ''
	shows '[?1049h'; shows victim; shows "$(printf '\033[1m')"
	printf '/victim\n' >&9; shows 'only: victim'
	printf 'j' >&9
	printf 't' >&9; shows 'end every process of db/victim? (y/n)'
	printf 'n' >&9
	kill -0 $victim || wrong "killed without a yes"
	printf 'ty' >&9; shows 'SIGTERM was sent'
	wait $victim || status=$?
	[ $status = 143 ] || wrong "the victim's status is $status"
	printf '>r f<\033[A\033[B\033[5~\033[6~\033[H\033[F' >&9
	end_live
	end_pods
}

t_top_without_colours() {
	with_pods
	live 1
	shows web
	end_live
	! grep -qaE "$(printf '\033')\[(1|2|31|33)m" "$tmp/screen" || wrong "colours: $(cat -v "$tmp/screen")"
	end_pods
}

t_agent_top() {
	with_agent
	expect 0 r --pod t --name c1 --detach --memory 16M -- sleep 1000
	COLUMNS=200 expect 0 p top -b -n 2 -d 0.1
	[ "$(grep -c -- '- c1 .*16.0M' "$tmp/out")" = 2 ] || wrong "$out"
	expect 0 p rm --all
	end_agent
}

run_tests "$@"
