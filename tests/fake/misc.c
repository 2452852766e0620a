// SPDX-License-Identifier: MIT
/*
 * misc.c - hugetlb, and the controllers that a machine seldom has resources for: rdma and misc.
 */
#include "host.h"

/* -- hugetlb: two page sizes; pages of the first can be had
 * ---------------------------------------- */

#define HUGE_PAGE 2097152ull

static size_t size_of(const struct open_file *file)
{
	return strstr(file->type->name, ".1GB.") != NULL;
}

static int store_huge(const struct open_file *file, char *text)
{
	uint64_t page = size_of(file) ? 1ull << 30 : HUGE_PAGE, v;
	const char *max = file->node->h->version == CGFS_V2 ? "max" : "-1";
	int r = fake_parse_bytes(file->node->host, fake_strip(text), max, &v);

	if (r < 0)
		return r;
	*fake_field(file->node, file->type) = v == FAKE_NONE ? v : v / page * page;
	return 0;
}

/* v1: no limit is the most that a counter holds, in whole huge pages. */
static int show_huge_limit(const struct open_file *file, FILE *out)
{
	uint64_t page = size_of(file) ? 1ull << 30 : HUGE_PAGE;
	uint64_t v = *fake_field(file->node, file->type), most = INT64_MAX / 4096 * 4096;

	fprintf(out, "%llu\n", (unsigned long long)(v == FAKE_NONE ? most / page * page : v));
	return 0;
}

/* Everything that v1 writes 0 to: what was counted starts again. */
static int store_huge_reset(const struct open_file *file, char *text)
{
	*fake_field(file->node, file->type) = 0;
	return 0;
}

static int show_huge_events(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;
	size_t i = size_of(file);

	fprintf(out, "max %llu\n",
		(unsigned long long)(strstr(file->type->name, ".local") ? n->huge_events_local[i]
									: n->huge_events[i]));
	return 0;
}

static int show_huge_numa(const struct open_file *file, FILE *out)
{
	uint64_t v = file->node->huge_usage[size_of(file)];

	fprintf(out, "total=%llu N0=%llu\n", (unsigned long long)v, (unsigned long long)v);
	return 0;
}

/* One counter of the way up; what it counted below when it is refused is given back. */
static int charge_huge(struct node *n, bool reserve, uint64_t bytes)
{
	struct node *at;

	for (at = n; at->parent; at = at->parent) {
		uint64_t *usage = reserve ? at->huge_rsvd : at->huge_usage;
		uint64_t *peak = reserve ? at->huge_rsvd_peak : at->huge_peak;

		if (*usage + bytes > (reserve ? at->huge_rsvd_max : at->huge_max)[0])
			break;
		*usage += bytes;
		*peak = *usage > *peak ? *usage : *peak;
	}
	if (!at->parent)
		return 0;
	(reserve ? at->huge_rsvd_fail : at->huge_fail)[0]++;
	n->huge_events_local[0]++;
	for (struct node *up = n; up->parent; up = up->parent)
		up->huge_events[0]++;
	for (struct node *back = n; back != at; back = back->parent)
		(reserve ? back->huge_rsvd : back->huge_usage)[0] -= bytes;
	return -ENOMEM;
}

static void uncharge_huge(struct node *n, uint64_t bytes)
{
	for (; n->parent; n = n->parent) {
		n->huge_usage[0] -= bytes;
		n->huge_rsvd[0] -= bytes;
	}
}

int fake_huge(struct fake *f, pid_t pid, uint64_t bytes)
{
	struct hierarchy *h = fake_hierarchy(f, CGFS_HUGETLB);
	struct process *p = fake_process(f, pid);
	struct node *n = p && h ? fake_node_of(p, h) : NULL;
	int r;

	if (!n || p->huge)
		return -EINVAL;
	while (n->parent && !(n->enabled & (1u << CGFS_HUGETLB)))
		n = n->parent;
	r = charge_huge(n, true, bytes);
	if (r == 0 && charge_huge(n, false, bytes) < 0) {
		/* mapped, but the first touch is a SIGBUS */
		for (; n->parent; n = n->parent)
			n->huge_rsvd[0] -= bytes;
		fake_kill_process(f, p);
		return -ENOMEM;
	}
	if (r < 0)
		return r;
	p->huge = bytes;
	p->huge_in = n;
	return 0;
}

void fake_huge_release(struct process *p)
{
	if (p->huge)
		uncharge_huge(p->huge_in, p->huge);
	p->huge = 0;
}

/* What is left in a cgroup that goes is counted by the one above it alone. */
static void huge_offline(struct node *n)
{
	for (struct process *p = n->host->procs; p; p = p->next) {
		if (p->huge && p->huge_in == n)
			p->huge_in = n->parent;
	}
}

#define HUGE(size, i)                                                                              \
	CTL("hugetlb." size ".current", CHILD, fake_show_u64, NULL, FIELD(huge_usage[i])),         \
		CTL("hugetlb." size ".events", CHILD, show_huge_events, NULL),                     \
		CTL("hugetlb." size ".events.local", CHILD, show_huge_events, NULL),               \
		CTL("hugetlb." size ".max", CHILD, fake_show_max, store_huge, FIELD(huge_max[i]),  \
		    .init = FAKE_NONE),                                                            \
		CTL("hugetlb." size ".numa_stat", CHILD, show_huge_numa, NULL),                    \
		CTL("hugetlb." size ".rsvd.current", CHILD, fake_show_u64, NULL,                   \
		    FIELD(huge_rsvd[i])),                                                          \
		CTL("hugetlb." size ".rsvd.max", CHILD, fake_show_max, store_huge,                 \
		    FIELD(huge_rsvd_max[i]), .init = FAKE_NONE)

/* NOLINTBEGIN(bugprone-macro-parentheses): names of members */
#define HUGE_V1(size, what, i, usage, peak, fail, max)                                             \
	CTL("hugetlb." size what ".usage_in_bytes", BOTH, fake_show_u64, NULL, FIELD(usage[i])),   \
		CTL("hugetlb." size what ".max_usage_in_bytes", BOTH, fake_show_u64,               \
		    store_huge_reset, FIELD(peak[i])),                                             \
		CTL("hugetlb." size what ".failcnt", BOTH, fake_show_u64, store_huge_reset,        \
		    FIELD(fail[i])),                                                               \
		CTL("hugetlb." size what ".limit_in_bytes", BOTH, show_huge_limit, store_huge,     \
		    FIELD(max[i]), .init = FAKE_NONE)
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct ctl_file hugetlb_v1[] = {
	HUGE_V1("2MB", "", 0, huge_usage, huge_peak, huge_fail, huge_max),
	HUGE_V1("2MB", ".rsvd", 0, huge_rsvd, huge_rsvd_peak, huge_rsvd_fail, huge_rsvd_max),
	HUGE_V1("1GB", "", 1, huge_usage, huge_peak, huge_fail, huge_max),
	HUGE_V1("1GB", ".rsvd", 1, huge_rsvd, huge_rsvd_peak, huge_rsvd_fail, huge_rsvd_max),
	CTL("hugetlb.2MB.numa_stat", BOTH, show_huge_numa, NULL),
	CTL("hugetlb.1GB.numa_stat", BOTH, show_huge_numa, NULL),
	{ .name = NULL },
};

static const struct ctl_file hugetlb_v2[] = {
	HUGE("2MB", 0),
	HUGE("1GB", 1),
	{ .name = NULL },
};

const struct controller fake_hugetlb = { .v1_name = "hugetlb",
					 .v1 = hugetlb_v1,
					 .v2_name = "hugetlb",
					 .v2 = hugetlb_v2,
					 .offline = huge_offline };

/* -- rdma and misc: nothing, until a test puts something into this machine
 * -------------------------- */

#define RDMA_DEVICE "mlx5_0"
#define MISC_NAME   "res_a"

void fake_add_hardware(struct fake *f)
{
	f->hardware = true;
}

/* What the controllers count is set by the test: no simulated process uses any of it. */
int fake_use_hardware(struct fake *f, enum cgfs_controller ctl, const char *path, uint64_t handles,
		      uint64_t objects)
{
	struct node *n = fake_find(f, ctl, path);

	if (!n || !f->hardware)
		return -ENODEV;
	if (ctl == CGFS_MISC && handles > n->misc_max) {
		for (; n->parent; n = n->parent)
			n->misc_events++;
		return -EBUSY;
	}
	if (ctl == CGFS_RDMA && (handles > n->rdma_max[0] || objects > n->rdma_max[1])) {
		bool object = handles <= n->rdma_max[0];

		for (; n->parent; n = n->parent)
			n->rdma_events[object]++;
		return -EBUSY;
	}
	for (; n->parent; n = n->parent) {
		if (ctl == CGFS_RDMA) {
			const uint64_t used[] = { handles, objects };

			for (size_t i = 0; i < 2; i++) {
				n->rdma[i] = used[i];
				n->rdma_peak[i] =
					n->rdma_peak[i] > used[i] ? n->rdma_peak[i] : used[i];
			}
		} else {
			n->misc = handles;
			n->misc_peak = n->misc_peak > handles ? n->misc_peak : handles;
		}
	}
	return 0;
}

static void put_limit(FILE *out, uint64_t v)
{
	if (v == FAKE_NONE)
		fputs("max", out);
	else
		fprintf(out, "%llu", (unsigned long long)v);
}

static int show_rdma(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;
	const char *name = file->type->name;
	const uint64_t *v = strstr(name, ".max")    ? n->rdma_max
			    : strstr(name, ".peak") ? n->rdma_peak
						    : n->rdma;

	if (!n->host->hardware)
		return 0;
	fputs(RDMA_DEVICE " hca_handle=", out);
	put_limit(out, v[0]);
	fputs(" hca_object=", out);
	put_limit(out, v[1]);
	fputs("\n", out);
	return 0;
}

/* As cgroup-v2.rst has it; no recorded host had such a device. */
static int show_rdma_events(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	if (n->host->hardware)
		fprintf(out,
			RDMA_DEVICE " hca_handle.max=%llu hca_handle.alloc_fail=0 "
				    "hca_object.max=%llu hca_object.alloc_fail=0\n",
			(unsigned long long)n->rdma_events[0],
			(unsigned long long)n->rdma_events[1]);
	return 0;
}

/* "mlx5_0 hca_handle=2 hca_object=max" */
static int store_rdma(const struct open_file *file, char *text)
{
	char *save = NULL, *word;

	word = strtok_r(fake_strip(text), " ", &save);
	if (!file->node->host->hardware || !word || strcmp(word, RDMA_DEVICE) != 0)
		return -ENODEV;
	while ((word = strtok_r(NULL, " ", &save))) {
		bool object = strncmp(word, "hca_object=", 11) == 0;
		uint64_t v = FAKE_NONE;

		if (!object && strncmp(word, "hca_handle=", 11) != 0)
			return -EINVAL;
		if (strcmp(word + 11, "max") != 0 && fake_parse_u64(word + 11, &v) < 0)
			return -EINVAL;
		file->node->rdma_max[object] = v;
	}
	return 0;
}

static void rdma_online(struct node *n)
{
	n->rdma_max[0] = n->rdma_max[1] = FAKE_NONE;
	n->rdma_peak[0] = n->rdma_peak[1] = n->rdma_events[0] = n->rdma_events[1] = 0;
}

static int show_misc(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;
	const char *name = file->type->name;

	if (!n->host->hardware)
		return 0;
	if (strstr(name, ".events")) {
		fprintf(out, MISC_NAME ".max %llu\n", (unsigned long long)n->misc_events);
		return 0;
	}
	fputs(MISC_NAME " ", out);
	put_limit(out, strstr(name, ".capacity") ? 50
		       : strstr(name, ".max")	 ? n->misc_max
		       : strstr(name, ".peak")	 ? n->misc_peak
						 : n->misc);
	fputs("\n", out);
	return 0;
}

static int store_misc(const struct open_file *file, char *text)
{
	uint64_t v = FAKE_NONE;

	text = fake_strip(text);
	if (!file->node->host->hardware || strncmp(text, MISC_NAME " ", strlen(MISC_NAME) + 1) != 0)
		return -EINVAL;
	text += strlen(MISC_NAME) + 1;
	if (strcmp(text, "max") != 0 && fake_parse_u64(text, &v) < 0)
		return -EINVAL;
	file->node->misc_max = v;
	return 0;
}

static void misc_online(struct node *n)
{
	n->misc_max = FAKE_NONE;
}

static const struct ctl_file rdma_v2[] = {
	CTL("rdma.current", CHILD, show_rdma, NULL),
	CTL("rdma.events", CHILD, show_rdma_events, NULL, SINCE(7, 2)),
	CTL("rdma.max", CHILD, show_rdma, store_rdma),
	CTL("rdma.peak", CHILD, show_rdma, NULL, SINCE(7, 2)),
	{ .name = NULL },
};

const struct controller fake_rdma = { .v2_name = "rdma", .v2 = rdma_v2, .online = rdma_online };

static const struct ctl_file misc_v2[] = {
	CTL("misc.capacity", ROOT, show_misc, NULL),
	CTL("misc.current", CHILD, show_misc, NULL),
	CTL("misc.current", ROOT, show_misc, NULL, SINCE(6, 12)),
	CTL("misc.events", CHILD, show_misc, NULL),
	CTL("misc.events.local", CHILD, show_misc, NULL, SINCE(6, 12)),
	CTL("misc.max", CHILD, show_misc, store_misc),
	CTL("misc.peak", BOTH, show_misc, NULL, SINCE(6, 12)),
	{ .name = NULL },
};

const struct controller fake_misc = { .v2_name = "misc", .v2 = misc_v2, .online = misc_online };
