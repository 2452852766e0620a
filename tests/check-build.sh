#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check-build - what a make finds out about the machine before packages are installed does not bind
# the make that follows; BPF=, CC= and CLANG= have their effect.
#
# Nothing is built: the second make is asked for its variables (-pn), the first really runs, with a
# compiler and a package installer of ours.
set -u
. "${0%/*}/tools/tap.sh"
# Neither the flags nor the variables of the make that runs this are meant.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL BPF CC CLANG BPFTOOL PKGCONF CGFS_WITH_BPF SAN WERROR

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export O=$tmp/build

# A machine on which the tools come with `deps`: they are in $tmp/bin only when it has run.
mkdir "$tmp/bin" "$tmp/later"
for tool in clang bpftool pkg-config; do
	printf '#!/bin/sh\nexit 0\n' > "$tmp/later/$tool"
	chmod +x "$tmp/later/$tool"
done
printf '#!/bin/sh\ncp %s/* %s\n' "$tmp/later" "$tmp/bin" > "$tmp/install"
printf '#!/bin/sh\n' > "$tmp/install-nothing"
chmod +x "$tmp/install" "$tmp/install-nothing"
tools="CLANG=$tmp/bin/clang BPFTOOL=$tmp/bin/bpftool PKGCONF=$tmp/bin/pkg-config"
bare() { rm -f "$tmp"/bin/*; }

# second GOAL [ASSIGNMENT...]: the variables that the second make of GOAL has
second() {
	local goal=$1
	shift
	bare
	# shellcheck disable=SC2086 # several words
	env "${environment[@]}" make $tools DEPS="$tmp/install" MAKE='make -pn' "$goal" "$@" 2>&1 | sed -n '/^# Variables/,/^# Files/p'
}
environment=(A=b)
value() { sed -n "s/^$1 :\\{0,1\\}= //p" | tail -n 1; }
is() { empty "$1" "$([ "$2" = "$3" ] || echo "is \"$2\", not \"$3\"")"; }

# Those with a recipe that installs and then calls make again.
goals=$(awk '/^[a-z-]+:/ { goal = $1; sub(":.*", "", goal); deps = 0 }
	/call need/ { deps = 1 }
	/\$\(again\)/ && deps && !/BPF=/ { print goal; deps = 0 }' Makefile tests/tests.mk)
empty "there are goals that install first" "$([ "$(wc -w <<< "$goals")" -ge 5 ] || echo "only: $goals")"
for goal in $goals; do
	is "$goal as first command has eBPF" "$(second "$goal" | value bpf)" 1
done

# No variable at all may depend on what was there before: the same make, called when all is there.
relevant() { sed -n 's/^\([A-Za-z_]* \):\{0,1\}\(= \)/\1\2/p' | grep -vE '^(MAKE[A-Z_]*|MFLAGS|DEPS|CURDIR|_|SHLVL|OLDPWD|O) ' | sort; }
second run | relevant > "$tmp/first"
# shellcheck disable=SC2086 # several words
env "${environment[@]}" make $tools DEPS="$tmp/install" -pn --no-print-directory run-built 2>&1 | sed -n '/^# Variables/,/^# Files/p' |
	relevant > "$tmp/direct"
empty "the second make knows what it would know without the first" "$(
	[ "$(wc -l < "$tmp/direct")" -gt 50 ] || echo "only $(wc -l < "$tmp/direct") variables"
	diff "$tmp/direct" "$tmp/first")"

is "BPF=0 is honoured" "$(second run BPF=0 | value bpf)" 0
environment=(BPF=0)
is "BPF=0 of the environment is honoured" "$(second run | value bpf)" 0
environment=(BPF=1)
is "BPF=1 of the environment is honoured" "$(second run | value bpf)" 1
environment=(A=b)

bare
# shellcheck disable=SC2086 # several words
build() { make $tools DEPS="$tmp/install-nothing" -n "$@" 2>&1; }
out=$(build BPF=1 all)
empty "BPF=1 without the tools is an error" "$(build BPF=1 all > /dev/null && echo "status 0")"
for tool in clang bpftool libbpf; do
	empty "which names $tool" "$(grep -q "BPF=1, but .*$tool.*missing" <<< "$out" || tail -n 1 <<< "$out")"
done
# note WANT GOAL...: how many lines, the last of them the last
note() {
	local want=$1 got
	shift
	out=$(build "$@")
	got=$(grep -c "built without eBPF: .*missing" <<< "$out")
	is "$*: $want lines say that eBPF is left out" "$got" "$want"
	[ "$want" = 0 ] || empty "$*: it is the last" "$(
		tail -n 1 <<< "$out" | grep -q 'built without eBPF' || tail -n 1 <<< "$out")"
}
note 1
note 1 all tests
note 1 run-built
note 1 check-built
note 0 BPF=0 all tests
empty "BPF=yes is refused" "$(build BPF=yes all > /dev/null && echo "status 0")"

# Debian has bpftool in /usr/sbin, which is not in the PATH of an ordinary user.
what="bpftool in /usr/sbin is found without it in PATH"
if [ -x /usr/sbin/bpftool ]; then
	empty "$what" "$(env PATH=/usr/bin:/bin make CLANG=true PKGCONF=true -n all 2>&1 | grep 'built without eBPF')"
else
	skip "$what" "it is elsewhere"
fi

# The eBPF programs are for the machine that CC compiles for.
cp "$tmp"/later/* "$tmp/bin"
# cross TRIPLET ORDER WANT END
cross() {
	cat > "$tmp/cc" <<-END
		#!/bin/sh
		case "\$*" in
		-dumpmachine) echo $1 ;;
		-print-prog-name=*) echo "/cross/$1/bin/\${1#*=}" ;;
		*-dM*) echo '#define __BYTE_ORDER__ __ORDER_$2_ENDIAN__' ;;
		*-E*) echo '# 1 "/cross/$1/include/asm/types.h" 1 3 4' ;;
		esac
	END
	chmod +x "$tmp/cc"
	out=$(build CC="$tmp/cc" "$tmp/build/libcgfs.a" V=1)
	empty "$1: objcopy is the target's" "$(grep -q "^/cross/$1/bin/objcopy " <<< "$out" ||
		grep objcopy <<< "$out" | tail -n 1)"
	out=$(build CC="$tmp/cc" "$tmp/build/bpf/device/cgfs_dev.bpf.o" V=1 | grep -F -- --target)
	empty "$1" "$(for word in "__TARGET_ARCH_$3 " "--target=bpf$4 " "-I/cross/$1/include "; do
		grep -qF -- "$word" <<< "$out" || echo "no $word in $out"
	done)"
}
cross aarch64-linux-gnu LITTLE arm64 el
cross x86_64-pc-linux-gnu LITTLE x86 el
cross i686-linux-gnu LITTLE x86 el
cross arm-linux-gnueabihf LITTLE arm el
cross armv7l-unknown-linux-gnueabihf LITTLE arm el
cross powerpc64le-linux-gnu LITTLE powerpc el
cross s390x-linux-gnu BIG s390 eb
cross riscv64-linux-gnu LITTLE riscv el
cross loongarch64-linux-gnu LITTLE loongarch el
cross mips64el-linux-gnuabi64 LITTLE mips el
finish
