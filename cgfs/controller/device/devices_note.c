/* SPDX-License-Identifier: MIT */
/*
 * devices_note.c - what a successor of this process must know of a group's devices on cgroup v1,
 * and can read: the list that the group has of its own, which is kept as an extended attribute
 * of the directory because v1 itself knows only what the pod leaves of it, and devices.list.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/device/devices_v1.h"
#include "cgfs/request/device.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

/* Not "user.": a process in the container could change that, and v1 may not have it. */
#define NOTE "trusted.cgfs.devices"

/* The first letter says which of both follows. */
#define OWN	'o'
#define FOLLOWS 'p'

/* One rule: six bits a letter, so that the longest list is less than an attribute can hold. */
#define LETTERS	 7
#define FIRST	 '0'
#define NOTE_MAX (CGFS_DEVICE_RULES_MAX * LETTERS + 2)

static void pack(const struct cgfs_device_rule *rule, char *at)
{
	uint64_t major = rule->major == CGFS_DEVICE_ANY ? CGFS_DEVICE_MAJOR_MAX + 1 : rule->major;
	uint64_t minor = rule->minor == CGFS_DEVICE_ANY ? CGFS_DEVICE_MINOR_MAX + 1 : rule->minor;
	uint64_t type = rule->type == CGFS_DEVICE_ALL ? 0 : rule->type == CGFS_DEVICE_BLOCK ? 1 : 2;
	uint64_t bits = (major << 21 | minor) << 6 | rule->access << 3 | type << 1 | rule->allow;

	for (size_t i = 0; i < LETTERS; i++, bits >>= 6)
		at[i] = (char)(FIRST + (bits & 63));
}

static int unpack(const char *at, struct cgfs_device_rule *ret)
{
	static const enum cgfs_device_type types[] = { CGFS_DEVICE_ALL, CGFS_DEVICE_BLOCK,
						       CGFS_DEVICE_CHAR, 0 };
	uint64_t bits = 0, major, minor;

	for (size_t i = LETTERS; i-- > 0;) {
		if (at[i] < FIRST || at[i] > FIRST + 63)
			return -EINVAL;
		bits = bits << 6 | (uint64_t)(at[i] - FIRST);
	}
	minor = bits >> 6 & ((1u << 21) - 1);
	major = bits >> 27;
	*ret = (struct cgfs_device_rule){
		.type = types[bits >> 1 & 3],
		.major = major > CGFS_DEVICE_MAJOR_MAX ? CGFS_DEVICE_ANY : (int32_t)major,
		.minor = minor > CGFS_DEVICE_MINOR_MAX ? CGFS_DEVICE_ANY : (int32_t)minor,
		.access = bits >> 3 & CGFS_ACCESS_ALL,
		.allow = bits & 1,
	};
	return cgfs_device_rule_check(ret, NULL);
}

int devices_note(struct cgfs *c, int dirfd, const struct cgfs_device_rule *rules, size_t n,
		 struct cgfs_err *reterr)
{
	auto_free char *text = malloc(n * LETTERS + 2);
	int r;

	if (!text)
		return err_file(reterr, -ENOMEM, "note", "devices");
	text[0] = rules ? OWN : FOLLOWS;
	for (size_t i = 0; i < n && rules; i++)
		pack(&rules[i], text + 1 + i * LETTERS);
	text[1 + (rules ? n : 0) * LETTERS] = '\0';
	r = c->fs->ops->note(c->fs->ctx, dirfd, NOTE, text);
	if (r < 0)
		return err_why(reterr, r, "set", NOTE,
			       "the device list could not be kept with the cgroup");
	return 0;
}

int devices_noted(struct cgfs *c, int dirfd, struct own_list *ret, struct cgfs_err *reterr)
{
	auto_free char *text = malloc(NOTE_MAX);
	struct cgfs_device_rule *rules;
	ssize_t len;
	size_t n;

	*ret = (struct own_list){ NULL, 0 };
	if (!text)
		return err_file(reterr, -ENOMEM, "read", NOTE);
	len = c->fs->ops->noted(c->fs->ctx, dirfd, NOTE, text, NOTE_MAX);
	/* A process without CAP_SYS_ADMIN sees no such attribute, and may change no list. */
	if (len == -ENODATA || len == 0)
		return -ENODATA;
	if (len < 0)
		return err_file(reterr, (int)len, "read", NOTE);
	if (len == 1 && text[0] == FOLLOWS)
		return 0;
	n = (size_t)(len - 1) / LETTERS;
	if (text[0] != OWN || (size_t)(len - 1) % LETTERS || n > CGFS_DEVICE_RULES_MAX)
		return -ENODATA; /* of another version */
	/* One more than needed: an empty list is a list, and is not NULL. */
	rules = calloc(n + 1, sizeof(*rules));
	if (!rules)
		return err_file(reterr, -ENOMEM, "read", NOTE);
	for (size_t i = 0; i < n; i++) {
		if (unpack(text + 1 + i * LETTERS, &rules[i]) < 0) {
			free(rules);
			return -ENODATA;
		}
	}
	*ret = (struct own_list){ rules, n };
	return 0;
}

int devices_shown(struct cgfs *c, int dirfd, struct cgfs_devices_v1 *ret, struct cgfs_err *reterr)
{
	struct cgfs_device_rule *rules = NULL;
	auto_free char *big = NULL;
	char small[1024], *text, *save = NULL;
	size_t n = 0, size = 0;
	ssize_t len = fs_read_long(c, dirfd, V1_LIST, small, sizeof(small), &big, &text);
	int r = 0;

	*ret = (struct cgfs_devices_v1)CGFS_DEVICES_V1_INIT;
	if (len < 0)
		return err_file(reterr, (int)len, "read", V1_LIST);
	if (text[0] == 'a') {
		ret->allow = true;
		return 0;
	}
	for (const char *at = text; *at; at++)
		size += *at == '\n';
	rules = calloc(size + 2, sizeof(*rules));
	if (!rules)
		return err_file(reterr, -ENOMEM, "read", V1_LIST);
	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save))
		r = cgfs_device_parse(line, &rules[n++], reterr);
	if (r < 0) {
		free(rules);
		return r;
	}
	qsort(rules, n, sizeof(*rules), cgfs_device_order);
	*ret = (struct cgfs_devices_v1){ .exceptions = rules, .n = n };
	return 0;
}

int shown_list(const struct cgfs_devices_v1 *shown, struct own_list *ret, struct cgfs_err *reterr)
{
	static const struct cgfs_device_rule all = { CGFS_DEVICE_ALL, CGFS_DEVICE_ANY,
						     CGFS_DEVICE_ANY, CGFS_ACCESS_ALL, true };

	ret->n = 0;
	ret->rules = calloc(shown->n + 1, sizeof(*ret->rules));
	if (!ret->rules)
		return err_file(reterr, -ENOMEM, "read", V1_LIST);
	if (shown->allow) {
		ret->rules[ret->n++] = all;
		return 0;
	}
	for (size_t i = 0; i < shown->n && ret->n < CGFS_DEVICE_RULES_MAX; i++) {
		ret->rules[ret->n] = shown->exceptions[i];
		ret->rules[ret->n++].allow = true;
	}
	return 0;
}
