/* SPDX-License-Identifier: MIT */
/*
 * cgfs/event.h - events of pods and containers, through one descriptor.
 *
 * A `struct cgfs` has one descriptor for all of its pods: poll it, then call cgfs_event_read()
 * until it returns 0.  These calls also continue operations that complete later, such as
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
	CGFS_EVENT_REMOVED,	     /* cgfs_group_remove() is complete; see `error` */
	CGFS_EVENT_LOST,	     /* `count` events were dropped for lack of room */
	CGFS_EVENT_MEMORY_THRESHOLD, /* usage exceeded a threshold; cgfs_group_watch_memory() */
	CGFS_EVENT_PRESSURE,	     /* processes stalled; see cgfs_group_watch_pressure() */
	CGFS_EVENT_EMPTY,	     /* the last process has exited; cgfs_group_watch_empty() */
	CGFS_EVENT_PINS_RESTORED, /* the policy's pins were removed, and are back; `count` groups */
	CGFS_EVENT_MEMORY_REFUSED,  /* the group has used its budget (memory_admit_bytes), and a
				       process asked for more; at most 16 of a group per second are
				       reported, the others are LOST */
	CGFS_EVENT_FOREIGN_PROGRAM, /* a device program of another was found on the cgroup when the
				       group was added or its list was set: once per program */
};

/* What processes wait for, as in the names of the *.pressure files. */
enum cgfs_pressure { CGFS_PRESSURE_CPU, CGFS_PRESSURE_MEMORY, CGFS_PRESSURE_IO };

/* What a budget refused: mmap, brk, mremap, or mprotect of memory that had no access, and an exec,
 * with ENOMEM; fork with EAGAIN. */
enum cgfs_refused { CGFS_MAP_REFUSED, CGFS_EXEC_REFUSED, CGFS_FORK_REFUSED };

struct cgfs_event {
	size_t sz;
	enum cgfs_event_type type;
	uint64_t time_ns;   /* CLOCK_BOOTTIME, of the event where the kernel has it, else of its
			       reading */
	uint64_t cgroup_id; /* of the container, else of the pod; 0 when unknown */
	char pod[CGFS_ID_MAX + 1];
	char container[CGFS_ID_MAX + 1]; /* empty when the event is the pod's own */
	pid_t pid;			 /* in the caller's pid namespace; 0 when unknown */
	char comm[16];			 /* empty when unknown */
	/* DEVICE_DENIED */
	enum cgfs_device_type device_type;
	uint32_t major, minor;
	uint32_t access; /* CGFS_ACCESS_* bits that were requested */
	uint32_t rule;	 /* 1-based position of the rule that decided; 0: no rule matched */
	/* OOM_KILL without a pid: how many kills this event stands for.  LOST: how many.  REMOVED:
	 * how many removed cgroups the kernel still keeps beside this one, below the pod or the
	 * pods root; CGFS_MAX: not known. */
	uint64_t count;
	/* MEMORY_THRESHOLD: the threshold, and the usage when it was noticed, in bytes.
	 * MEMORY_REFUSED: the budget, and the usage.  FOREIGN_PROGRAM: value is the number of the
	 * program, which `message` names.  PRESSURE: the stall that was watched for, and its
	 * window, in microseconds. */
	uint64_t threshold, value;
	/* PRESSURE: which. */
	enum cgfs_pressure pressure;
	/* REMOVED: 0, or a negative errno, with a `message` that names what could not be removed.
	 * With 0, `message` is the reason why memory was not reclaimed, if that was requested. */
	int error;
	char message[256];
	/* MEMORY_REFUSED: what. */
	enum cgfs_refused refused;
	bool reserved[4]; /* false */
};

#define CGFS_EVENT_INIT CGFS_SIZED(struct cgfs_event)

/**
 * cgfs_event_fd() - the descriptor to poll
 * @c: borrowed
 *
 * Readable (level-triggered) as long as cgfs_event_read() has work.  It belongs to @c: add it to a
 * poll or epoll set, and leave reading and closing to the library.  It uses one inotify instance
 * for any number of groups; v1 needs an eventfd for each container whose OOM kills are watched, and
 * for each memory threshold.
 *
 * Return: the descriptor.
 */
CGFS_API int cgfs_event_fd(struct cgfs *c);

/**
 * cgfs_event_read() - take the next event
 * @c:         borrowed
 * @ret_event: in: CGFS_EVENT_INIT; out: written when 1 is returned
 * @reterr:    may be NULL
 *
 * Never blocks.  Events are delivered in the order in which the library noticed them.  When the
 * kernel's queue overflows (fs.inotify.max_queued_events), the library reads everything that it
 * watches, so that no event is lost.
 *
 * Errors:  -EINVAL or -E2BIG  sz is not set, or there are members unknown here
 *          other              the policy's, or the kernel's
 * Context: continues pending operations; call it whenever cgfs_event_fd() is readable
 *
 * Return: 1 with an event, 0 when there is none now, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_event_read(struct cgfs *c, struct cgfs_event *ret_event,
					struct cgfs_err *reterr);

/**
 * cgfs_group_watch_memory() - report when memory usage exceeds a threshold
 * @g:                borrowed; a pod or container
 * @threshold_bytes:  0 ends the watch
 * @hysteresis_bytes: how far usage must fall below the threshold before the next event
 * @reterr:           may be NULL
 *
 * Where the policy counts memory (cgfs_bpf_opts.memory), it reports; see
 * cgfs_group_watch_memory_lines().  Else v1 uses the kernel's threshold notification.  v2 has
 * none, so the library sets memory.high to the threshold, waits for its event, and restores the
 * previous memory.high at once; processes that allocate in that moment are slowed down by a
 * little reclaim.  While usage stays above the threshold, the library reads it four times a
 * second.  If another process sets memory.high meanwhile, that value stays.  Closing the handle
 * ends the watch and restores memory.high; after a crash the next watch of the group restores
 * it.
 *
 * A new watch replaces the previous one.  After an error other than -EINVAL and -ENODEV the group
 * has no watch.
 *
 * Errors:  -EINVAL  the hysteresis is not below the threshold
 *          -ENODEV  no memory controller on this host
 *          -EBUSY   v2: the group has a memory.high of its own at or below the threshold
 *          other    the kernel's; the group has no watch
 * Context: does not wait
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_watch_memory(struct cgfs_group *g, uint64_t threshold_bytes,
						uint64_t hysteresis_bytes, struct cgfs_err *reterr);

/* A threshold of memory usage: reported at @bytes or above, and again after usage has been lower
 * than that by @hysteresis_bytes. */
struct cgfs_memory_line {
	uint64_t bytes;
	uint64_t hysteresis_bytes;
};

/**
 * cgfs_group_watch_memory_lines() - report when memory usage exceeds any of several thresholds
 * @g:      borrowed; a pod or container
 * @lines:  copied; in any order
 * @n:      how many; 0 ends the watch
 * @reterr: may be NULL
 *
 * As cgfs_group_watch_memory(), which is the same with one.  More than one need memory accounting
 * by eBPF (cgfs_bpf_opts.memory).  With it the kernel reports a crossing at the charge that makes
 * it, with the process that charged; memory.high is left alone, no descriptor is held, and nothing
 * is read in between.  A fall is noticed at the first charge below.
 *
 * Errors:  -EINVAL      a threshold is 0 or twice in the list, or a hysteresis is not below its
 *                       threshold
 *          -EOPNOTSUPP  more than one, and memory is not counted by eBPF
 *          -E2BIG       more than 16
 *          others       as cgfs_group_watch_memory()
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_watch_memory_lines(struct cgfs_group *g,
						      const struct cgfs_memory_line *lines,
						      size_t n, struct cgfs_err *reterr);

/**
 * cgfs_group_watch_pressure() - report when processes stall (PSI)
 * @g:         borrowed; a pod or container
 * @what:      which of the pressure files
 * @full:      all processes at once, not some
 * @stall_us:  how long within the window; 0 ends the watch
 * @window_us: 500000..10000000; a multiple of 2 s without CAP_SYS_RESOURCE
 * @reterr:    may be NULL
 *
 * At most one event is reported for each window.  A cgroup2 tree is required; v1 has no pressure
 * files.  Each watch holds one descriptor, which is the kernel's trigger.
 * Kernel: Documentation/accounting/psi.rst; triggers notify through inotify since 6.5, and in the
 * 6.1 that distributions ship.
 *
 * Errors:  -EOPNOTSUPP  no cgroup2 tree, a kernel without PSI, or a simulation (struct cgfs_fs)
 *          -EINVAL      @what is not in the enum; or the kernel's, of @stall_us and @window_us
 *          other        the kernel's; the group has no watch
 * Context: does not wait
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_watch_pressure(struct cgfs_group *g, enum cgfs_pressure what,
						  bool full, uint64_t stall_us, uint64_t window_us,
						  struct cgfs_err *reterr);

/**
 * cgfs_group_watch_empty() - report when the last process has exited
 * @g:      borrowed; a pod or container
 * @on:     false ends the watch
 * @reterr: may be NULL
 *
 * A group that is empty now is reported after it has had a process.  A process that this library
 * added (cgfs_group_spawn(), cgfs_group_add_pid(), through a watched handle or its containers) is
 * always noticed.  The kernel notifies of changes at most every 10 ms, so a process that another
 * program added and that lived less than 10 ms is detected from cpu.stat, and is reported 40 ms
 * later.  If a process starts and exits within 40 ms of an event, no second event is sent.
 *
 * Errors:  -EOPNOTSUPP  no cgroup2 tree: v1 has no such event (cgroup2_mount of cgfs_open() makes
 *                       one beside v1)
 *          other        the kernel's
 * Context: does not wait
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
 * Errors:  -ENOMEM; -EINVAL or -E2BIG: sz is not set, or there are members unknown here
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_event_json(const struct cgfs_event *event, char **ret_json);

/**
 * cgfs_event_name() - "oom_kill", "device_denied", ...
 * @type: the type of an event
 *
 * Context: any thread
 *
 * Return: a static string; "unknown" for a value that is not in the enum.
 */
CGFS_API const char *cgfs_event_name(enum cgfs_event_type type);

#ifdef __cplusplus
}
#endif
#endif
