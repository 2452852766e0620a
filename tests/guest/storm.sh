#!/bin/sh
# SPDX-License-Identifier: MIT
#
# storm.sh - 10,000 OOM kills (STORM= of make) in short-lived containers give 10,000 events: by the
# policy in 7.2 v2; a twentieth of it by control files alone, and both ways in 6.1 v1.  All of it
# everywhere would take longer than everything else.  60 kills each way are part of the conformance
# suite in every whole cell, and 200 natively.  T= without the word "storm" leaves it out.

case $#:$* in
0:*|*storm*) ;;
*) echo 1..0; exit 0 ;;
esac
[ -n "$CGFS_TEST_THOROUGH" ] ||
	{ echo '1..0 # SKIP the long storm is for 6.1 v1 and 7.2 v2'; exit 0; }
# The kernel's words about each kill, on a serial line, take longer than the kill.  Its complaints
# still have to come to the console, where `collect` looks for them.
dmesg -n 2
while :; do cat /dev/kmsg; done 2> /dev/null |
	awk '/WARNING: |BUG: |Oops|refcount_t: |rcu: INFO: / {
		sub(/^[^;]*;/, "[storm] ")
		print > "/dev/console"
		fflush("/dev/console")
	}' &
echo 0 > /proc/sys/vm/oom_dump_tasks
read -r n < /storm
few=$((n / 20))
[ $few -ge 20 ] || few=20
case $CGFS_TEST_KERNEL in
7.2*) CGFS_TEST_STORM=$n,$few ;;
*) CGFS_TEST_STORM=$few,$few ;;
esac
export CGFS_TEST_STORM CGFS_TEST_HANG=1400
exec /tests/conformance --world live 'storm_by_*'
