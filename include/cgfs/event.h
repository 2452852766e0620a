/* SPDX-License-Identifier: MIT */
/*
 * cgfs/event.h - what happens to pods, through one descriptor.
 *
 * A `struct cgfs` has one descriptor for all of its pods: poll it, then call cgfs_event_read()
 * until it returns 0.  Calling it is also what drives operations that complete later, such as
 * cgfs_group_remove().
 */
#ifndef CGFS_EVENT_H
#define CGFS_EVENT_H

#include <cgfs/base.h>
#include <cgfs/device.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs;
struct cgfs_group;

enum cgfs_event_type {
	CGFS_EVENT_NONE = 0,
	CGFS_EVENT_OOM_KILL,	     /* the OOM killer ended a process of the group */
	CGFS_EVENT_DEVICE_DENIED,    /* the device policy refused an open or mknod */
	CGFS_EVENT_REMOVED,	     /* cgfs_group_remove() is complete; `error` says how it went */
	CGFS_EVENT_LOST,	     /* `count` events found no room or memory; they are missing */
	CGFS_EVENT_MEMORY_THRESHOLD, /* usage went over a line; see cgfs_group_watch_memory() */
	CGFS_EVENT_PRESSURE,	     /* processes stalled; see cgfs_group_watch_pressure() */
	CGFS_EVENT_EMPTY,	     /* the last process is gone; see cgfs_group_watch_empty() */
};

/* What processes wait for, as in the names of the *.pressure files. */
enum cgfs_pressure { CGFS_PRESSURE_CPU, CGFS_PRESSURE_MEMORY, CGFS_PRESSURE_IO };

struct cgfs_event {
	enum cgfs_event_type type;
	uint64_t time_ns;   /* CLOCK_BOOTTIME where the kernel says when; else when it was read */
	uint64_t cgroup_id; /* of the container, else of the pod; 0 when unknown */
	char pod[CGFS_ID_MAX + 1];
	char container[CGFS_ID_MAX + 1]; /* empty when the event is the pod's own */
	pid_t pid;     /* process id as the library's caller sees it; 0 when unknown */
	char comm[16]; /* empty when unknown */
	/* DEVICE_DENIED */
	enum cgfs_device_type device_type;
	uint32_t major, minor;
	uint32_t access; /* CGFS_ACCESS_* bits that were asked for */
	uint32_t rule;	 /* 1-based position of the rule that decided; 0: no rule matched */
	/* OOM_KILL without a pid: how many kills this event stands for.  LOST: how many.  REMOVED:
	 * how many removed cgroups the kernel still keeps beside this one, below the pod or the
	 * pods root; CGFS_MAX: not known. */
	uint64_t count;
	/* MEMORY_THRESHOLD: what was watched for, and the usage when it was noticed.  PRESSURE:
	 * the stall in microseconds that was watched for, and the window. */
	uint64_t threshold, value;
	/* PRESSURE: which. */
	enum cgfs_pressure pressure;
	/* REMOVED: 0, or the negative errno; `message` then says what could not be removed.  With
	 * 0 it says why memory was not reclaimed, if that was asked for. */
	int error;
	char message[256];
};

/**
 * cgfs_event_fd() - the descriptor to poll
 * @c: borrowed
 *
 * Readable when cgfs_event_read() has something to do, and until it has done it, however often it
 * is polled.  It belongs to @c: add it to a poll or epoll set, never read or close it.  One inotify
 * instance is behind it, whatever the number of groups; v1 needs an eventfd for each container
 * whose OOM kills are watched, and for each memory threshold.
 *
 * Return: the descriptor.
 */
CGFS_API int cgfs_event_fd(struct cgfs *c);

/**
 * cgfs_event_read() - take the next event
 * @c:         borrowed
 * @ret_event: out; written when 1 is returned
 * @reterr:    may be NULL
 *
 * Never blocks.  Events are delivered in the order in which the library learnt of them.  Nothing
 * is lost when the kernel had more to tell than it keeps (fs.inotify.max_queued_events): then
 * everything that is watched is looked at.
 *
 * Context: does the work of pending operations; call it whenever cgfs_event_fd() is readable.
 *
 * Return: 1 with an event, 0 when there is none now, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_event_read(struct cgfs *c, struct cgfs_event *ret_event,
					struct cgfs_err *reterr);

/**
 * cgfs_group_watch_memory() - an event when memory usage goes over a threshold
 * @g:                borrowed; a pod or container
 * @threshold_bytes:  0 ends the watch
 * @hysteresis_bytes: usage has to fall so far below the threshold before it can fire again
 * @reterr:           may be NULL
 *
 * v1: the kernel's own threshold notification.  v2 has none, so memory.high stands in for it:
 * it is set to the threshold, its event is awaited, and what memory.high was before is put
 * back at once; processes that allocate in that moment are slowed down by a little reclaim.
 * While usage stays above, it is looked at four times a second to see it fall.  Whoever sets
 * memory.high meanwhile is not overruled.  Closing the handle ends the watch, and memory.high is
 * put back then, too; after a process that was killed the next watch of the group does it.
 *
 * A new watch takes the place of the one before; after an error other than -EINVAL and -ENODEV
 * there is none.
 *
 * Errors:  -EINVAL  the hysteresis is not below the threshold
 *          -ENODEV  no memory controller on this host
 *          -EBUSY   v2: the group has a memory.high of its own at or below the threshold
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_watch_memory(struct cgfs_group *g, uint64_t threshold_bytes,
						uint64_t hysteresis_bytes, struct cgfs_err *reterr);

/**
 * cgfs_group_watch_pressure() - an event when processes stall (PSI)
 * @g:         borrowed; a pod or container
 * @what:      which of the pressure files
 * @full:      all processes at once, not some
 * @stall_us:  how long within the window; 0 ends the watch
 * @window_us: 500000..10000000; a multiple of 2 s without CAP_SYS_RESOURCE
 * @reterr:    may be NULL
 *
 * At most one event for each window.  Works wherever there is a cgroup2 tree, v1 has nothing of
 * the kind.  Holds one descriptor for each watch: it is the kernel's trigger.
 * Kernel: Documentation/accounting/psi.rst; triggers announce themselves through inotify since
 * 6.5, and in 6.1 as distributions have it.
 *
 * Errors:  -EOPNOTSUPP  no cgroup2 tree, a kernel without PSI, or not on a kernel at all
 *          other        the kernel's
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_watch_pressure(struct cgfs_group *g, enum cgfs_pressure what,
						  bool full, uint64_t stall_us, uint64_t window_us,
						  struct cgfs_err *reterr);

/**
 * cgfs_group_watch_empty() - an event when the last process is gone
 * @g:      borrowed; a pod or container
 * @on:     false ends the watch
 * @reterr: may be NULL
 *
 * A group that is empty now fires after it has had a process: always when the library put it
 * there (cgfs_group_spawn(), cgfs_group_add_pid(), through the handles that are watched or their
 * containers'), however short its life.  The kernel announces changes 10 ms apart, so of processes
 * that others put there the shortest-lived are known by the CPU time they used, and told 40 ms
 * later; one that comes and goes within 40 ms of an event belongs to that event.
 *
 * Errors:  -EOPNOTSUPP  no cgroup2 tree: v1 has no such event (cgroup2_mount of cgfs_open() makes
 *                       one beside v1)
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_watch_empty(struct cgfs_group *g, bool on,
					       struct cgfs_err *reterr);

/**
 * cgfs_event_json() - one event as one line of JSON
 * @event:    borrowed
 * @ret_json: out; release with free(3); no newline
 *
 * Errors:  -ENOMEM
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_event_json(const struct cgfs_event *event, char **ret_json);

/**
 * cgfs_event_name() - "oom_kill", "device_denied", ...
 * @type: of an event
 *
 * Return: a static string; "unknown" for a value that is not in the enum.
 */
CGFS_API const char *cgfs_event_name(enum cgfs_event_type type);

#ifdef __cplusplus
}
#endif
#endif
