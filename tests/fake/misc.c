// SPDX-License-Identifier: MIT
/*
 * misc.c - controllers that this machine has no resources for: hugetlb (limits only), rdma and
 * misc (no devices, so every limit is refused).
 */
#include "host.h"

/* -- hugetlb: two page sizes ------------------------------------------------------------------ */

static int store_huge(const struct open_file *file, char *text)
{
	uint64_t page = strstr(file->type->name, ".1GB.") ? 1ull << 30 : 1ull << 21, v;
	int r = fake_parse_bytes(file->node->host, fake_strip(text), "max", &v);

	if (r < 0)
		return r;
	*fake_field(file->node, file->type) = v == FAKE_NONE ? v : v / page * page;
	return 0;
}

static int show_max_zero(const struct open_file *file, FILE *out)
{
	(void)file;
	fputs("max 0\n", out);
	return 0;
}

static int show_huge_numa(const struct open_file *file, FILE *out)
{
	(void)file;
	fputs("total=0 N0=0\n", out);
	return 0;
}

#define HUGE(size, i)                                                                              \
	CTL("hugetlb." size ".current", CHILD, fake_show_zero, NULL),                              \
		CTL("hugetlb." size ".events", CHILD, show_max_zero, NULL),                        \
		CTL("hugetlb." size ".events.local", CHILD, show_max_zero, NULL),                  \
		CTL("hugetlb." size ".max", CHILD, fake_show_max, store_huge, FIELD(huge_max[i]),  \
		    .init = FAKE_NONE),                                                            \
		CTL("hugetlb." size ".numa_stat", CHILD, show_huge_numa, NULL),                    \
		CTL("hugetlb." size ".rsvd.current", CHILD, fake_show_zero, NULL),                 \
		CTL("hugetlb." size ".rsvd.max", CHILD, fake_show_max, store_huge,                 \
		    FIELD(huge_rsvd_max[i]), .init = FAKE_NONE)

static const struct ctl_file hugetlb_v2[] = {
	HUGE("2MB", 0),
	HUGE("1GB", 1),
	{ .name = NULL },
};

const struct controller fake_hugetlb = { .v2_name = "hugetlb", .v2 = hugetlb_v2 };

/* -- rdma and misc ---------------------------------------------------------------------------- */

static int store_no_device(const struct open_file *file, char *text)
{
	(void)file;
	(void)text;
	return -EINVAL;
}

static const struct ctl_file rdma_v2[] = {
	CTL("rdma.current", CHILD, fake_show_nothing, NULL),
	CTL("rdma.max", CHILD, fake_show_nothing, store_no_device),
	{ .name = NULL },
};

const struct controller fake_rdma = { .v2_name = "rdma", .v2 = rdma_v2 };

static const struct ctl_file misc_v2[] = {
	CTL("misc.capacity", ROOT, fake_show_nothing, NULL),
	CTL("misc.current", CHILD, fake_show_nothing, NULL),
	CTL("misc.current", ROOT, fake_show_nothing, NULL, SINCE(6, 12)),
	CTL("misc.events", CHILD, fake_show_nothing, NULL),
	CTL("misc.events.local", CHILD, fake_show_nothing, NULL, SINCE(6, 12)),
	CTL("misc.max", CHILD, fake_show_nothing, store_no_device),
	CTL("misc.peak", BOTH, fake_show_nothing, NULL, SINCE(6, 12)),
	{ .name = NULL },
};

const struct controller fake_misc = { .v2_name = "misc", .v2 = misc_v2 };
