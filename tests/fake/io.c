// SPDX-License-Identifier: MIT
/*
 * io.c - v1's blkio and cgroup2's io, on a machine whose only disk is 8:0.  Limits are kept, no
 * I/O happens.  BFQ's weights are as on 6.1 and 7.2; iocost's and io.latency follow
 * block/blk-iocost.c and block/blk-iolatency.c.
 */
#include "host.h"

static int parse_device(const char **text)
{
	unsigned int major, minor;
	int used = 0;

	if (sscanf(*text, "%u:%u%n", &major, &minor, &used) != 2)
		return -EINVAL;
	*text += used;
	if (**text != ' ')
		return -EINVAL;
	return major == 8 && minor == 0 ? 0 : -ENODEV;
}

/* "DEVICE NUMBER"; 0 takes the limit away.  Operations are cut to 32 bits, of which all set is
 * no limit. */
static int store_throttle(const struct open_file *file, char *text)
{
	const char *p = fake_strip(text);
	uint64_t v;
	int r = parse_device(&p);

	if (r < 0)
		return r;
	if (fake_parse_u64(p + 1, &v) < 0)
		return -EINVAL;
	if (!v)
		v = FAKE_NONE;
	else if (strstr(file->type->name, "iops"))
		v = (uint32_t)v == UINT32_MAX ? FAKE_NONE : (uint32_t)v;
	*fake_field(file->node, file->type) = v;
	return 0;
}

static int show_throttle(const struct open_file *file, FILE *out)
{
	uint64_t v = *fake_field(file->node, file->type);

	if (v != FAKE_NONE)
		fprintf(out, "8:0 %llu\n", (unsigned long long)v);
	return 0;
}

static int show_total(const struct open_file *file, FILE *out)
{
	fputs("Total 0\n", out);
	return 0;
}

static int store_reset(const struct open_file *file, char *text)
{
	uint64_t v;

	return fake_parse_u64(text, &v);
}

/* -- v2 --------------------------------------------------------------------------------------- */

static void show_limit(const char *key, uint64_t v, FILE *out)
{
	if (v == FAKE_NONE)
		fprintf(out, " %s=max", key);
	else
		fprintf(out, " %s=%llu", key, (unsigned long long)v);
}

static int show_max(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	if (n->rbps == FAKE_NONE && n->wbps == FAKE_NONE && n->riops == FAKE_NONE &&
	    n->wiops == FAKE_NONE)
		return 0;
	fputs("8:0", out);
	show_limit("rbps", n->rbps, out);
	show_limit("wbps", n->wbps, out);
	show_limit("riops", n->riops, out);
	show_limit("wiops", n->wiops, out);
	fputc('\n', out);
	return 0;
}

static int store_max(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	const char *keys[] = { "rbps", "wbps", "riops", "wiops" };
	uint64_t v[] = { n->rbps, n->wbps, n->riops, n->wiops };
	const char *p = fake_strip(text);
	char *save = NULL;
	int r = parse_device(&p);

	if (r < 0)
		return r;
	for (char *w = strtok_r((char *)p, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *value = strchr(w, '=');
		size_t i;

		if (!value)
			return -EINVAL;
		*value++ = '\0';
		for (i = 0; i < ARRAY_SIZE(keys) && strcmp(w, keys[i]) != 0; i++)
			;
		if (i == ARRAY_SIZE(keys))
			return -EINVAL;
		if (strcmp(value, "max") == 0)
			v[i] = FAKE_NONE;
		else if (fake_parse_u64(value, &v[i]) < 0)
			return -EINVAL;
		else if (v[i] == 0)
			return -ERANGE;
		else if (i >= 2 && v[i] >= UINT32_MAX)
			v[i] = FAKE_NONE; /* the most that operations can be */
	}
	n->rbps = v[0];
	n->wbps = v[1];
	n->riops = v[2];
	n->wiops = v[3];
	return 0;
}

/* -- weights: of the group, and of the disk, which "default" takes away --------------------------
 */

static int show_weights(uint64_t weight, uint64_t disk, FILE *out)
{
	fprintf(out, "default %llu\n", (unsigned long long)weight);
	if (disk)
		fprintf(out, "8:0 %llu\n", (unsigned long long)disk);
	return 0;
}

/* "8:0 WEIGHT" or "8:0 default"; a weight of 0 is out of range. */
static int store_disk_weight(char *text, uint64_t most, uint64_t *to)
{
	const char *p = text;
	uint64_t v = 0;
	int r = parse_device(&p);

	if (r < 0)
		return r;
	if (strcmp(p + 1, "default") != 0) {
		if (fake_parse_u64(p + 1, &v) < 0)
			return -EINVAL;
		if (v < 1 || v > most)
			return -ERANGE;
	}
	*to = v;
	return 0;
}

static int show_weight(const struct open_file *file, FILE *out)
{
	return show_weights(file->node->io_weight, file->node->io_weight_disk, out);
}

static int store_weight(const struct open_file *file, char *text)
{
	uint64_t v;

	text = fake_strip(text);
	if (strchr(text, ':'))
		return file->node->host->disk & FAKE_IOCOST
			       ? store_disk_weight(text, 10000, &file->node->io_weight_disk)
			       : -EOPNOTSUPP;
	if (strncmp(text, "default ", 8) == 0)
		text += 8;
	if (fake_parse_u64(text, &v) < 0 || v < 1 || v > 10000)
		return -EINVAL;
	file->node->io_weight = v;
	return 0;
}

static int show_bfq(const struct open_file *file, FILE *out)
{
	return show_weights(file->node->bfq_weight, file->node->bfq_weight_disk, out);
}

/* Of v1, and of cgroup2 without a device. */
static int store_bfq_weight(const struct open_file *file, char *text)
{
	uint64_t v;

	if (fake_parse_u64(text, &v) < 0)
		return -EINVAL;
	if (v < 1 || v > 1000)
		return -ERANGE;
	file->node->bfq_weight = v;
	return 0;
}

static int store_bfq_disk(const struct open_file *file, char *text)
{
	if (file->node->host->disk & FAKE_IOCOST)
		return -EOPNOTSUPP;
	return store_disk_weight(fake_strip(text), 1000, &file->node->bfq_weight_disk);
}

static int store_bfq(const struct open_file *file, char *text)
{
	text = fake_strip(text);
	if (strchr(text, ':'))
		return store_bfq_disk(file, text);
	return store_bfq_weight(file, text + (strncmp(text, "default ", 8) == 0 ? 8 : 0));
}

/* -- io.latency ------------------------------------------------------------------------------- */

static int show_latency(const struct open_file *file, FILE *out)
{
	if (file->node->latency)
		fprintf(out, "8:0 target=%llu\n", (unsigned long long)file->node->latency);
	return 0;
}

static int store_latency(const struct open_file *file, char *text)
{
	const char *p = fake_strip(text);
	uint64_t v = 0;
	int r = parse_device(&p);

	if (r < 0)
		return r;
	if (strncmp(p + 1, "target=", 7) != 0 ||
	    (strcmp(p + 8, "max") != 0 && fake_parse_u64(p + 8, &v) < 0))
		return -EINVAL;
	file->node->latency = v;
	return 0;
}

void fake_add_disk(struct fake *f, unsigned int features)
{
	f->disk |= features;
}

static const struct ctl_file v1[] = {
	CTL("blkio.bfq.weight", BOTH, fake_show_u64, store_bfq_weight, FIELD(bfq_weight),
	    .init = 100, NEEDS(BFQ)),
	CTL("blkio.bfq.weight_device", BOTH, show_bfq, store_bfq_disk, FIELD(bfq_weight_disk),
	    NEEDS(BFQ)),
	CTL("blkio.reset_stats", BOTH, NULL, store_reset),
	CTL("blkio.throttle.io_service_bytes", BOTH, show_total, NULL),
	CTL("blkio.throttle.io_service_bytes_recursive", BOTH, show_total, NULL),
	CTL("blkio.throttle.io_serviced", BOTH, show_total, NULL),
	CTL("blkio.throttle.io_serviced_recursive", BOTH, show_total, NULL),
	CTL("blkio.throttle.read_bps_device", BOTH, show_throttle, store_throttle, FIELD(rbps),
	    .init = FAKE_NONE),
	CTL("blkio.throttle.read_iops_device", BOTH, show_throttle, store_throttle, FIELD(riops),
	    .init = FAKE_NONE),
	CTL("blkio.throttle.write_bps_device", BOTH, show_throttle, store_throttle, FIELD(wbps),
	    .init = FAKE_NONE),
	CTL("blkio.throttle.write_iops_device", BOTH, show_throttle, store_throttle, FIELD(wiops),
	    .init = FAKE_NONE),
	{ .name = NULL },
};

static void online_v2(struct node *n)
{
	if (n->h->version == CGFS_V2)
		n->rbps = n->wbps = n->riops = n->wiops = FAKE_NONE;
}

static const struct ctl_file v2[] = {
	CTL("io.bfq.weight", CHILD, show_bfq, store_bfq, FIELD(bfq_weight), .init = 100,
	    NEEDS(BFQ)),
	CTL("io.latency", CHILD, show_latency, store_latency, FIELD(latency), NEEDS(IOLATENCY)),
	CTL("io.max", CHILD, show_max, store_max),
	CTL("io.stat", BOTH, fake_show_nothing, NULL),
	CTL("io.weight", CHILD, show_weight, store_weight, FIELD(io_weight), .init = 100),
	{ .name = NULL },
};

const struct controller fake_io = {
	.v1_name = "blkio",
	.v2_name = "io",
	.v1 = v1,
	.v2 = v2,
	.online = online_v2,
};
