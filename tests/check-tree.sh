#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-tree - rules of the source tree that no compiler knows: licences, sizes, layers, links.
set -u
. "${0%/*}/tools/tap.sh"

# Where git does not serve (no git, or another user's clone) the names must look the same.
files() {
	git ls-files -co --exclude-standard -- "$@" 2>/dev/null ||
		find "$@" -type f | sed 's,^\./,,'
}
existing() { while IFS= read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done; }
text=$(files . | existing | grep -vE '^(\./)?(build/|\.git/|LICENSE|tests/fuzz/corpus/)' |
	grep -E '\.(c|h|sh|awk|map|in|py)$|(^|/)(Makefile|\.clang-[a-z]*)$|^\.ci/|^tests/.*/[a-z-]+$|^tests/run$')
c=$(grep -E '\.[ch]$' <<< "$text")
code=$(grep -v '^tests/' <<< "$c")

empty "every source has its SPDX line" "$(
	while IFS= read -r f; do
		head -n 2 "$f" | grep -q 'SPDX-License-Identifier: ' || echo "$f"
	done <<< "$text")"
empty "the licence is MIT; that of eBPF programs and what they include is both" "$(
	while IFS= read -r f; do
		both='(MIT OR GPL-2.0-only)'
		case $f in
		*.bpf.c)  want=$both ;;
		*bpf/*.h) want="\\(MIT\\|$both\\)\\( \\*/\\)\\?\$" ;;
		*)        want='MIT\( \*/\)\?$' ;;
		esac
		head -n 2 "$f" | grep -q "SPDX-License-Identifier: $want" || echo "$f"
	done <<< "$text")"
empty "no .c file is over 600 lines" "$(
	xargs wc -l <<< "$c" | awk '$2 != "total" && $1 > 600 { print $2, $1 }')"
empty "no line is over 100 columns" "$(
	while IFS= read -r f; do
		expand "$f" | awk -v f="$f" 'length > 100 { print f ":" FNR }'
	done <<< "$c")"
empty "no blank at the end of a line" "$(xargs grep -nE '[ 	]+$' <<< "$c")"

# Knowledge of v1 and v2 is in the library, of BPF in bpf/.
control='memory\.(max|high|low|min|events|stat|limit_in_bytes|usage_in_bytes|oom_control|swap\.)'
control="$control|cpu\.(max|weight|shares|cfs_|stat)|pids\.max|io\.(max|stat|weight)|blkio\.[a-z]"
control="$control|cgroup\.(procs|kill|freeze|events|subtree)|freezer\.state|devices\.(allow|deny)"
empty "agent/ names no control file" "$(grep '^agent/' <<< "$c" |
	xargs -r grep -nE "\"[^\"]*($control)")"
# Within the library both are in cgfs/controller/.  Beside it an id must not look like a control
# file (id.c), `unified` is written in their names (request/), a mount names what it carries
# (discover.c), every cgroup has a cgroup.procs (dir.c), and cgroup.kill is what the probe calls the
# ability.  The table of what is mounted where is made from versions (open.c, and tree/).
name='(cgroup|memory|cpu|cpuacct|cpuset|pids|io|blkio|freezer|devices|hugetlb|rdma|misc|net_cls)'
name="\"([^\"]*/)?($name\\.[a-z0-9_.]+|tasks)(\\\\n[^\"]*)?\""
empty "only cgfs/controller/ names control files" "$(grep '^cgfs/' <<< "$c" |
	grep -vE '^cgfs/(controller/|base/id\.c|request/(members|unified)\.c)' |
	grep -vE '^cgfs/(tree/(discover|dir)|group/probe)\.c' |
	xargs -r grep -nE "$name" | grep -vE ':#include |/\*.*\*/$')"
empty "only cgfs/controller/ asks for v1 or v2" "$(grep '^cgfs/' <<< "$c" |
	grep -vE '^cgfs/(controller/|tree/(discover|mounts|names|place)\.c|group/open\.c)' |
	xargs -r grep -nE '\<CGFS_V[12]\>')"
empty "cgfs/ knows neither libbpf nor the agent" "$(grep -E '^(cgfs|include)/' <<< "$c" |
	xargs -r grep -nE '#include [<"](bpf/|agent/|linux/bpf)')"
empty "bpf/ does not know the agent" "$(grep '^bpf/' <<< "$c" |
	xargs -r grep -nE '#include [<"]agent/')"
empty "podctl's verbs do not ask which source they have" "$(grep '^agent/podctl/verb/' <<< "$c" |
	grep -vE '/(apply|doctor)[.]c$' | xargs grep -nE 'args_agent|source/(agent|direct)[.]h')"
empty "JSON is parsed and printed in cgfs/base/json.c only" "$(grep -v '^cgfs/base/' <<< "$code" |
	xargs -r grep -nE '\<json_(load|dump)[a-z]*\(')"
empty "of the agent's model, the state's files alone know members of JSON" "$(
	grep '^agent/model/' <<< "$c" | grep -vE '/(state|adopt)\.c$' |
		xargs -r grep -nE '\<json_(member|pack|object_[gs]et|get_[a-z0-9]*)[a-z_]*\(')"
empty "the agent's bridge knows no message" "$(grep '^agent/bridge/' <<< "$c" |
	xargs -r grep -nE '\<MSG_' | grep -vE '\<MSG_(NOSIGNAL|DONTWAIT|CTRUNC|CMSG_CLOEXEC)\>')"
empty "the library prints nothing and does not exit" "$(grep -E '^(cgfs|bpf)/' <<< "$c" |
	grep -v '\.bpf\.c$' | xargs -r grep -nwE '(printf|puts|perror|exit|_exit|abort)\(' )"
empty "no room has more than 18 files of code" "$(grep -E '^(cgfs|bpf|agent)/.*\.c$' <<< "$c" |
	sed 's,/[^/]*$,,' | sort | uniq -c | awk '$1 > 18')"
empty "strings are compared with streq()" "$(grep -v 'cgfs/base/util.h$' <<< "$code" |
	xargs -r grep -nE '!strcmp\(|strcmp\(.*\) *(==|!=|&&|\|\||\))')"
empty "nothing is left for later" "$(grep -v 'check-tree' <<< "$text" |
	xargs grep -nwE 'TODO|FIXME|XXX')"
empty "no file has two versions of one place" "$(files . | existing |
	grep -E '\.(md|[ch]|sh|mk|awk|json|[1-8])$|Makefile$' | xargs grep -nE '^(<<<<<<<|>>>>>>>) ')"

empty "links in the documents lead somewhere" "$(
	for f in *.md docs/*.md; do
		[ -e "$f" ] || continue
		grep -oE '\]\([^)#: ]+' "$f" | sed 's/^](//' | while IFS= read -r to; do
			[ -e "${f%/*}/$to" ] || [ -e "$to" ] || echo "$f: $to"
		done
	done)"
finish
