#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317 # notes: what fish expands, functions that `expect` calls
#
# test_completion [--list | NAME...] - what Tab does in interactive shells, on a terminal that
# `podctl run -it` makes.  A shell that is not installed is skipped.  Needs root.
set -u
. "${0%/*}/lib.sh"

# shell COMMAND...: an interactive shell; typed: written to descriptor 9, shown: $tmp/screen.
shell() {
	as_root
	command -v "$1" > /dev/null || { echo "$1 is not installed"; exit 77; }
	expect 0 d create webpod
	: > "$tmp/screen"
	rm -f "$tmp/keys"
	mkfifo "$tmp/keys"
	exec 9<> "$tmp/keys"
	PATH=$O:$PATH d run --pod shell -it -e TERM=dumb -e COLUMNS=250 -e HOME="$tmp" -- "$@" \
		< "$tmp/keys" > "$tmp/screen" 2>&1 &
	shell=$!
}
typed() { printf '%b' "$*" >&9; }
shows() {
	until tr -d '\r\b' < "$tmp/screen" | grep -qaF -- "$1"; do
		kill -0 "$shell" 2> /dev/null || wrong "it has ended: $(cat -v "$tmp/screen")"
		sleep 0.05
	done
}
# completes TYPED WANT: what stands in the line after Tab
completes() {
	typed "$1\\t"
	# Only once it stands there: keys that are typed ahead could be taken for an answer.
	shows "$2"
	typed "\\x15"
}
end_shell() {
	typed '\nexit\n'
	wait "$shell"
	exec 9>&-
	expect 0 d rm --all
	clean
}

same() {
	completes 'podctl tha' 'podctl thaw'
	completes 'podctl insp' 'podctl inspect'
	completes 'podctl ls --no-h' 'podctl ls --no-headers'
	completes "podctl rm --root $root --pin-dir $pins web" "$pins webpod"
	completes "podctl run --root $root --pod web" '--pod webpod'
	completes 'podctl events --type oom_kill,dev' '--type oom_kill,device_denied'
}

t_bash() {
	shell bash --norc --noprofile -i
	typed '. docs/completion/podctl\n'
	same
	end_shell
}

t_zsh() {
	shell zsh -f -i
	typed "unsetopt prompt_sp; fpath=(\$PWD/docs/completion \$fpath); autoload -U compinit; compinit -u -d $tmp/zcompdump; echo rea''dy\\n"
	shows ready
	same
	end_shell
}

t_fish() {
	as_root
	command -v fish > /dev/null || { echo "fish is not installed"; exit 77; }
	expect 0 d create webpod
	f() {
		PATH=$O:$PATH HOME=$tmp fish --no-config -c \
			'source docs/completion/podctl.fish; complete -C "$argv[1]"' "$1" | cut -f 1
	}
	[ "$(f 'podctl tha')" = thaw ] || wrong "a verb: $(f 'podctl tha')"
	[ "$(f 'podctl ls --no-h')" = --no-headers ] || wrong "an option: $(f 'podctl ls --no-h')"
	[ "$(f "podctl rm --root $root --pin-dir $pins web")" = webpod ] || wrong "a pod"
	[ "$(f "podctl run --root $root --pin-dir $pins --pod web")" = webpod ] || wrong "an option's pod"
	[ "$(f 'podctl events --type removed,dev')" = removed,device_denied ] || wrong "a type"
	[ -z "$(f 'podctl run --memory ')" ] || wrong "a size is completed to something"
	expect 0 d rm --all
	clean
}

run_tests "$@"
