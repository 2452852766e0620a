/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - see mounts.h.  Reads no file.
 */
#include "cgfs/tree/mounts.h"

#include "cgfs/base/util.h"
#include "cgfs/tree/names.h"
#include "cgfs/tree/proc.h"

static const struct obstacle noprefix = {
	"it is mounted with noprefix, so its files lack their usual names",
	"umount it, and mount -t cgroup -o cpuset cpuset DIR",
};
static const struct obstacle part = {
	"it shows a part of its hierarchy that the other hierarchies do not have mounted",
	"mount the whole hierarchy as well",
};

/* The path of this process below the mounted directory: "/" at it, "" outside. */
static void find_inside(const char *own_text, struct candidate *m)
{
	char own[sizeof(m->inside)];
	size_t n = strlen(m->root);

	if (cgfs_proc_cgroup(own_text, m->version == CGFS_V1 ? m->controllers : 0, own,
			     sizeof(own)) == 0 &&
	    strncmp(own, m->root, n) == 0 && (!own[n] || own[n] == '/'))
		strcpy(m->inside, own[n] ? own + n : "/");
}

/* Is @option one of "rw,cpuset,noprefix"?  The text ends with the line. */
static bool has_option(const char *options, const char *option)
{
	size_t len = strlen(option), n;

	for (const char *at = options; *at; at += n + (at[n] == ',')) {
		n = strcspn(at, ", \n");
		if (n == len && strncmp(at, option, len) == 0)
			return true;
		if (n == 0 && *at != ',')
			break;
	}
	return false;
}

bool mounts_parse(const char *line, const char *own, struct candidate *ret)
{
	struct proc_mount more;
	char type[32];

	*ret = (struct candidate){ .version = CGFS_NONE };
	if (cgfs_proc_mount(line, ret->path, sizeof(ret->path), type, sizeof(type)) < 0)
		return false;
	if (streq(type, "cgroup2"))
		ret->version = CGFS_V2;
	else if (streq(type, "cgroup"))
		ret->version = CGFS_V1;
	else
		return false;
	if (cgfs_proc_mount_more(line, &more) < 0)
		return false;
	for (int ctl = 0; ret->version == CGFS_V1 && ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const char *name = ctl_name(ctl, CGFS_V1);

		if (name && has_option(more.options, name))
			ret->controllers |= 1u << ctl;
	}
	if (ret->version == CGFS_V1 && !ret->controllers)
		return false; /* systemd's own */
	if (ret->version == CGFS_V1 && has_option(more.options, "noprefix"))
		ret->unusable = &noprefix;
	ret->id = more.id;
	ret->major = more.major;
	ret->minor = more.minor;
	ret->read_only = more.read_only || has_option(more.options, "ro");
	strcpy(ret->root, streq(more.root, "/") ? "" : more.root);
	find_inside(own, ret);
	return true;
}

static bool same_hierarchy(const struct candidate *a, const struct candidate *b)
{
	return a->version == b->version &&
	       (a->version == CGFS_V2 || (a->controllers & b->controllers));
}

/* The usable mount of the hierarchy of @of with this @root or @inside, either may be NULL: the
 * first that may be written, or the first; NULL: none. */
static struct candidate *find(struct candidate *list, size_t n, const struct candidate *of,
			      const char *root, const char *inside)
{
	struct candidate *first = NULL;

	for (size_t i = 0; i < n; i++) {
		struct candidate *m = &list[i];

		if (m->unusable || m->hierarchy != of->hierarchy ||
		    (root && !streq(m->root, root)) || (inside && !streq(m->inside, inside)))
			continue;
		if (!m->read_only)
			return m;
		first = first ? first : m;
	}
	return first;
}

/* The index of the first mount of the hierarchy of the @i-th. */
static size_t first_of_hierarchy(const struct candidate *list, size_t i)
{
	size_t first = 0;

	while (!same_hierarchy(&list[first], &list[i]))
		first++;
	return first;
}

/* In how many hierarchies is there a mount of the same directory, or with the process there? */
static size_t votes(struct candidate *list, size_t n, const char *root, const char *inside)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += list[i].hierarchy == i && find(list, n, &list[i], root, inside) != NULL;
	return count;
}

/* What most hierarchies agree on; of equals the widest view. */
static const struct candidate *best(struct candidate *list, size_t n, bool by_root,
				    size_t *ret_votes)
{
	const struct candidate *best = NULL;

	*ret_votes = 0;
	for (size_t i = 0; i < n; i++) {
		const struct candidate *m = &list[i];
		size_t count;

		if (m->unusable || (!by_root && !*m->inside))
			continue;
		if (best &&
		    streq(by_root ? m->root : m->inside, by_root ? best->root : best->inside))
			count = *ret_votes;
		else
			count = by_root ? votes(list, n, m->root, NULL)
					: votes(list, n, NULL, m->inside);
		if (count > *ret_votes ||
		    (best && count == *ret_votes && strlen(m->root) < strlen(best->root))) {
			best = m;
			*ret_votes = count;
		}
	}
	return best;
}

void mounts_choose(struct candidate *list, size_t n)
{
	size_t by_root, by_inside;
	const struct candidate *root, *inside;
	bool use_root;

	for (size_t i = 0; i < n; i++)
		list[i].hierarchy = first_of_hierarchy(list, i);
	root = best(list, n, true, &by_root);
	inside = best(list, n, false, &by_inside);
	use_root = root && (by_root >= by_inside || !*root->root);
	for (size_t i = 0; i < n; i++) {
		struct candidate *m;

		if (list[i].hierarchy != i)
			continue;
		m = use_root ? find(list, n, &list[i], root->root, NULL)
			     : find(list, n, &list[i], NULL, inside ? inside->inside : NULL);
		if (!m && use_root && *root->inside)
			m = find(list, n, &list[i], NULL, root->inside);
		if (m)
			m->chosen = true;
		for (size_t k = i; !m && k < n; k++) {
			if (!list[k].unusable && list[k].hierarchy == i)
				list[k].unusable = &part;
		}
	}
}
