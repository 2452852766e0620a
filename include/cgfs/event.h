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

enum cgfs_event_type {
	CGFS_EVENT_NONE = 0,
	CGFS_EVENT_OOM_KILL,	  /* the OOM killer ended a process of the group */
	CGFS_EVENT_DEVICE_DENIED, /* the device policy refused an open or mknod */
	CGFS_EVENT_REMOVED,	  /* cgfs_group_remove() is complete; `error` says how it went */
	CGFS_EVENT_LOST,	  /* `count` events could not be recorded and are missing here */
};

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
	/* OOM_KILL without a pid: how many kills this event stands for.  LOST: how many. */
	uint64_t count;
	/* REMOVED: 0, or the negative errno; `message` then says what could not be removed. */
	int error;
	char message[256];
};

/**
 * cgfs_event_fd() - the descriptor to poll
 * @c: borrowed
 *
 * Readable when cgfs_event_read() has something to do.  It belongs to @c: add it to a poll or
 * epoll set, never read or close it.
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
 * Never blocks.  Events are delivered in the order in which the library learnt of them.
 *
 * Context: does the work of pending operations; call it whenever cgfs_event_fd() is readable.
 *
 * Return: 1 with an event, 0 when there is none now, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_event_read(struct cgfs *c, struct cgfs_event *ret_event,
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
