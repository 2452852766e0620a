/* SPDX-License-Identifier: MIT */
/*
 * test_parts.c - the pure parts: header codec, tables, JSON access, options, OCI rewriting,
 * the log's quoting.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "agent/base/hash.h"
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/daemon/options.h"
#include "agent/runtime/spec.h"
#include "agent/service/message.h"
#include "cgfs/base/util.h"
#include "tests/tap.h"

/* --- frame ---------------------------------------------------------------------------------- */

TAP_TEST(frame_is_little_endian)
{
	static const uint8_t want[] = { 0x01, 0x0b, 0x10, 0x10, 0xa0, 0, 0, 0,
					0x08, 7,    6,	  5,	4,    3, 2, 1 };
	struct frame_header h = { MSG_NEGOTIATE, 160, 0x0102030405060708 }, back;
	uint8_t raw[FRAME_HEADER_SIZE];

	frame_encode(&h, raw);
	CHECK(memcmp(raw, want, sizeof(raw)) == 0);
	CHECK_INT(frame_decode(raw, &back), 0);
	CHECK_INT(back.type, h.type);
	CHECK_INT(back.size, h.size);
	CHECK_INT(back.id, h.id);
}

TAP_TEST(frame_size_has_bounds)
{
	static const struct {
		uint32_t size;
		int r;
	} rows[] = { { 0, -EBADMSG }, { 15, -EBADMSG },	      { 16, 0 },
		     { 0x10000, 0 },  { 0x10001, -EMSGSIZE }, { 0xffffffff, -EMSGSIZE } };
	struct frame_header back;
	uint8_t raw[FRAME_HEADER_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		frame_encode(&(struct frame_header){ 1, rows[i].size, 1 }, raw);
		CHECK_INT(frame_decode(raw, &back), rows[i].r);
		CHECK_INT(back.size, rows[i].size);
	}
}

TAP_TEST(answer_type_is_derived)
{
	CHECK_INT(PROTOCOL_RESPONSE(MSG_CREATE), 0x20100101);
	CHECK_INT(PROTOCOL_RESPONSE(MSG_EXT_LIST_PODS), 0x2cf00101);
	CHECK_INT(PROTOCOL_RESPONSE(0xffffffffu), 0x2fffffff);
	CHECK_STR(protocol_name(MSG_CREATE), "ComputeSystemCreateV1");
	CHECK(!protocol_name(0x10100e01));
}

TAP_TEST(hresults_and_errnos_agree)
{
	static const int codes[] = { -EINVAL, -ESRCH, -EEXIST, -ETIMEDOUT };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		CHECK_INT(protocol_errno_from_hresult(protocol_hresult_from_errno(codes[i])),
			  codes[i]);
	CHECK_INT(protocol_hresult_from_errno(-EIO), HR_FAIL);
	CHECK_INT((int32_t)HR_SYSTEM_NOT_FOUND, -1070137074);
}

/* --- JSON ----------------------------------------------------------------------------------- */

TAP_TEST(json_members_in_any_case_null_is_absent)
{
	static const char text[] = "{\"processid\":4294967295,\"A\":null,\"S\":\"x\"}";
	char why[JSON_WHY_MAX];
	json_t *j = json_parse_object(text, strlen(text), why);
	const char *s;
	uint32_t n;

	CHECK(j);
	CHECK(json_get_u32(j, "ProcessId", &n, why));
	CHECK_INT(n, UINT32_MAX);
	CHECK(json_get_u32(j, "A", &n, why));
	CHECK_INT(n, 0);
	CHECK(json_get_string(j, "Missing", &s, why));
	CHECK_STR(s, "");
	CHECK(!json_get_u32(j, "S", &n, why));
	CHECK(strstr(why, "S is not an integer"));
	json_decref(j);
}

TAP_TEST(json_depth_is_bounded)
{
	char why[JSON_WHY_MAX], text[3 * JSON_DEPTH_MAX] = "{\"a\":";
	size_t n = 5;
	json_t *j;

	memset(text + n, '[', JSON_DEPTH_MAX - 1);
	memset(text + n + JSON_DEPTH_MAX - 1, ']', JSON_DEPTH_MAX - 1);
	n += 2 * (JSON_DEPTH_MAX - 1);
	text[n++] = '}';
	j = json_parse_object(text, n, why);
	CHECK(j);
	json_decref(j);

	memset(text + 5, '[', JSON_DEPTH_MAX);
	CHECK(!json_parse_object(text, n, why));
	CHECK(strstr(why, "deep"));
	/* Brackets within strings are no depth. */
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":\"\\\"", 8);	   /* NOLINT: no string */
	memcpy(text + sizeof(text) - 2, "\"}", 2); /* NOLINT: no string */
	j = json_parse_object(text, sizeof(text), why);
	CHECK(j);
	json_decref(j);
}

TAP_TEST(words_are_split_as_a_shell_does)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "", "[]" },
		{ "  a  b ", "[\"a\",\"b\"]" },
		{ "/bin/sh -c \"exit 4\"", "[\"/bin/sh\",\"-c\",\"exit 4\"]" },
		{ "a'b c'd \"\" '\\'", "[\"ab cd\",\"\",\"\\\\\"]" },
		{ "a\\ b \"c\\\"d\"", "[\"a b\",\"c\\\"d\"]" },
		{ "\"open", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *j = json_split_words(rows[i].line);
		auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

		json_decref(j);
		if (rows[i].want)
			CHECK_STR(text, rows[i].want);
		else
			CHECK(!text);
	}
}

/* --- options -------------------------------------------------------------------------------- */

static int parse(struct options *o, char why[OPTIONS_WHY_MAX], const char *line)
{
	static char buf[256];
	char *argv[16] = { (char *)"cgfs-agent" };
	int argc = 1;

	snprintf(buf, sizeof(buf), "%s", line);
	for (char *p = strtok(buf, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	return options_parse(o, argc, argv, why);
}

TAP_TEST(options_in_the_style_of_go)
{
	char why[OPTIONS_WHY_MAX];
	struct options o;

	CHECK_INT(parse(&o, why,
			"-v4 --use-inouterr -loglevel=debug -log-format json "
			"--root /x -root-mem-reserve-bytes 0x100 -scrub-logs=false"),
		  0);
	CHECK(o.v4 && o.use_inouterr && !o.scrub_logs);
	CHECK_STR(o.log_level, "debug");
	CHECK_STR(o.log_format, "json");
	CHECK_STR(o.root, "/x");
	CHECK_INT(o.root_mem_reserve_bytes, 0x100);
}

TAP_TEST(wrong_options_are_named)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "-v4 -use-inouterr -bogus", "-bogus" },
		{ "-v4 -use-inouterr extra", "unexpected operand \"extra\"" },
		{ "-use-inouterr -root", "-root needs a value" },
		{ "-use-inouterr -v4=maybe", "\"maybe\" is not true or false" },
		{ "-use-inouterr -kmsgLogLevel four", "\"four\" is not a whole number" },
		{ "-use-inouterr -loglevel loud", "loud" },
		{ "-listen /a/socket", "/a/socket" },
		{ "-use-inouterr -initial-policy-stance deny", "deny" },
		{ "-v4 --dial here", "here" },
		{ "-v4 --root pods", "-root \"pods\" is not an absolute path" },
		{ "-v4 --listen vsock:1:2:3", "vsock:1:2:3" },
		{ "-v4 -core-dump-location /1234567890/1234567890/1234567890/1234567890/1234567890/"
		  "1234567890/1234567890/1234567890/1234567890/1234567890/1234567890/1234567",
		  "127 bytes" },
		{ "-v4 -cgroups v3", "\"v3\" is not v1, hybrid, mixed or v2" },
	};
	char why[OPTIONS_WHY_MAX];
	struct options o;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_INT(parse(&o, why, rows[i].line), -EINVAL);
		CHECK(strstr(why, rows[i].says));
	}
}

/* --- OCI ------------------------------------------------------------------------------------ */

TAP_TEST(place_follows_the_annotations)
{
	static const struct {
		const char *type, *pod, *vpod;
		uint32_t hr;
		enum spec_kind kind;
		const char *want;
	} rows[] = {
		{ NULL, NULL, NULL, HR_OK, SPEC_STANDALONE, "" },
		{ "sandbox", "id", NULL, HR_OK, SPEC_SANDBOX, "id" },
		{ "container", "p", NULL, HR_OK, SPEC_WORKLOAD, "p" },
		{ "container", NULL, NULL, HR_FAIL, 0, "" },
		{ "container", "", NULL, HR_FAIL, 0, "" },
		{ "bogus", "p", NULL, HR_FAIL, 0, "" },
		{ "", "p", NULL, HR_FAIL, 0, "" },
		{ "container", "x", "id", HR_OK, SPEC_SANDBOX, "id" },
		{ NULL, NULL, "id", HR_OK, SPEC_SANDBOX, "id" },
		{ "container", "p", "v", HR_OK, SPEC_WORKLOAD, "v" },
		{ "sandbox", "id", "v", HR_FAIL, 0, "" },
		{ "container", "p", "", HR_OK, SPEC_WORKLOAD, "p" },
	};
	char why[SPEC_WHY_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *spec = json_pack("{s:{s:s*, s:s*, s:s*}}", "annotations",
					 "io.kubernetes.cri.container-type", rows[i].type,
					 "io.kubernetes.cri.sandbox-id", rows[i].pod,
					 "io.microsoft.cri.virtual-pod-id", rows[i].vpod);
		struct spec s = spec_read(spec);
		struct spec_place place;

		CHECK_INT(spec_place(&s, "id", &place, why), rows[i].hr);
		if (rows[i].hr == HR_OK) {
			CHECK_INT(place.kind, rows[i].kind);
			CHECK_STR(place.pod, rows[i].want);
		}
		json_decref(spec);
	}
}

TAP_TEST(rewriting_leaves_the_runtime_its_business)
{
	json_t *spec = json_loads(
		"{\"root\":{\"path\":\"rootfs\"},\"Windows\":{},\"linux\":{\"resources\":{\"pids\":"
		"{\"limit\":1}},\"CgroupsPath\":\"/x\",\"namespaces\":[{\"type\":\"pid\"}]},"
		"\"mounts\":[{\"destination\":\"/a\",\"source\":\"a\",\"options\":[\"rbind\"]},"
		"{\"destination\":\"/b\",\"source\":\"tmpfs\",\"type\":\"tmpfs\"},"
		"{\"destination\":\"/c\",\"source\":\"/c\",\"type\":\"bind\"}]}",
		0, NULL);
	json_t *want =
		json_loads("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"/b/x/"
			   "rootfs\"},\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]},"
			   "\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b/x/"
			   "a\",\"options\":[\"rbind\"]},"
			   "{\"destination\":\"/b\",\"source\":\"tmpfs\",\"type\":\"tmpfs\"},"
			   "{\"destination\":\"/c\",\"source\":\"/c\",\"type\":\"bind\"}]}",
			   0, NULL);
	struct spec s = spec_read(spec);
	auto_free char *resources = json_dumps(s.resources, JSON_COMPACT);
	auto_free char *text = NULL;
	json_t *got;

	CHECK_STR(resources, "{\"pids\":{\"limit\":1}}");
	CHECK(spec_own_pidns(&s));
	text = spec_text(&s, "/b/x");
	got = json_loads(text, 0, NULL);
	CHECK(json_equal(got, want));
	json_decref(got);
	json_decref(spec);
	json_decref(want);
}

TAP_TEST(what_cannot_be_run_is_named)
{
	static const struct {
		const char *process, *says;
	} rows[] = {
		{ "{\"args\":[],\"cwd\":\"/\"}", "process.args" },
		{ "{\"args\":[1],\"cwd\":\"/\"}", "process.args" },
		{ "{\"args\":[\"a\"],\"cwd\":\"x\"}", "process.cwd" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[1]}", "process.env" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"username\":7}}", "username" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"terminal\":true}", "terminal" },
	};
	char why[SPEC_WHY_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *j = json_loads(rows[i].process, 0, NULL);

		CHECK(spec_check_process(j, false, why) != HR_OK);
		CHECK(strstr(why, rows[i].says));
		json_decref(j);
	}
}

/* --- properties ----------------------------------------------------------------------------- */

static char *metrics(const struct cgfs_stats *s, const struct cgfs_hugetlb_stat *huge, size_t n)
{
	struct json_out o;
	char *text = NULL;

	CHECK_INT(json_out_open(&o), 0);
	json_out_object(&o, NULL);
	properties_metrics(&o, s, huge, n, CGFS_MAX);
	json_out_end(&o);
	CHECK_INT(json_out_close(&o, &text), 0);
	return text;
}

TAP_TEST(metrics_are_v1_figures)
{
	struct cgfs_stats s = CGFS_STATS_INIT;
	const struct cgfs_hugetlb_stat huge[] = {
		{ .sz = sizeof(huge[0]), .page_size = "2MB", .max_bytes = CGFS_MAX },
		{ .sz = sizeof(huge[0]),
		  .page_size = "1GB",
		  .current_bytes = 1 << 30,
		  .max_bytes = 5,
		  .failed = 3 },
	};
	auto_free char *text = NULL;
	static const struct {
		enum cgfs_stat stat;
		uint64_t value;
	} set[] = {
		{ CGFS_STAT_MEMORY_CURRENT, 100 },    { CGFS_STAT_MEMORY_MAX, CGFS_MAX },
		{ CGFS_STAT_MEMORY_SWAP_CURRENT, 7 }, { CGFS_STAT_MEMORY_SWAP_MAX, 50 },
		{ CGFS_STAT_CPU_USAGE, 3 },	      { CGFS_STAT_MEMORY_ANON, 60 },
		{ CGFS_STAT_OOM_KILLS, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		s.figure[set[i].stat].value = set[i].value;
		s.figure[set[i].stat].available = true;
	}
	text = metrics(&s, huge, ARRAY_SIZE(huge));
	/* Nanoseconds; swap includes memory; no limit stays no limit; zero is left out. */
	CHECK(strstr(text, "\"cpu\":{\"usage\":{\"total\":3000},\"throttling\":{}}"));
	CHECK(strstr(text, "\"swap\":{\"limit\":18446744073709551615,\"usage\":107}"));
	CHECK(strstr(text, "\"rss\":60,"));
	CHECK(strstr(text, "{\"hugetlb\":[{\"max\":18446744073709551615,\"pagesize\":\"2MB\"},"
			   "{\"usage\":1073741824,\"max\":5,\"failcnt\":3,"
			   "\"pagesize\":\"1GB\"}],\"pids\":{}"));
	CHECK(strstr(text, "\"total_rss\":60,"));
	CHECK(strstr(text, "\"memory_oom_control\":{\"oom_kill\":2}"));
	CHECK(strstr(text, "\"pids\":{}"));
}

TAP_TEST(metrics_fit_with_the_largest_figures)
{
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct cgfs_hugetlb_stat huge[100]; /* more than a buffer of any fixed size has room for */
	auto_free char *text = NULL;
	json_t *j;

	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		s.figure[i].value = CGFS_MAX;
		s.figure[i].available = true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(huge); i++)
		huge[i] = (struct cgfs_hugetlb_stat){ .sz = sizeof(huge[i]),
						      .current_bytes = CGFS_MAX,
						      .max_bytes = CGFS_MAX,
						      .failed = CGFS_MAX,
						      .page_size = "1024KB" };
	text = metrics(&s, huge, ARRAY_SIZE(huge));
	j = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
	CHECK(j);
	CHECK_INT(json_array_size(json_object_get(j, "hugetlb")), ARRAY_SIZE(huge));
	CHECK(json_object_get(j, "memory_oom_control"));
	json_decref(j);
}

/* --- table, log ----------------------------------------------------------------------------- */

TAP_TEST(table_finds_what_is_in_it)
{
	enum { N = 500 };
	static struct hash_node nodes[N];
	static char names[N][8];
	struct hash t = { 0 };
	size_t seen = 0;

	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		CHECK_INT(hash_add(&t, &nodes[i], names[i]), 0);
	}
	CHECK_INT(hash_add(&t, &(struct hash_node){ 0 }, "n7"), -EEXIST);
	for (size_t i = 0; i < N; i += 3)
		hash_remove(&t, &nodes[i]);
	for (size_t i = 0; i < N; i++)
		CHECK(hash_find(&t, names[i]) == (i % 3 ? &nodes[i] : NULL));
	for (struct hash_node *n = hash_next(&t, NULL); n; n = hash_next(&t, n))
		seen++;
	CHECK_INT(seen, t.n);
	hash_free(&t);
}

/* Asked for in the middle, the order takes what comes and loses what goes. */
TAP_TEST(table_keeps_the_order_of_names)
{
	enum { N = 500 };
	static struct hash_node nodes[N];
	static char names[N][8];
	struct hash t = { 0 };
	size_t place;

	CHECK_INT(hash_from(&t, "", &place), 0);
	CHECK_INT(place, 0);
	CHECK(!hash_at(&t, 0));
	hash_free(&t);
	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "n%03zu", i * 77 % N);
		CHECK_INT(hash_add(&t, &nodes[i], names[i]), 0);
		if (i == N / 2)
			CHECK_INT(hash_from(&t, "n", &place), 0);
	}
	for (size_t i = 0; i < N; i += 3)
		hash_remove(&t, &nodes[i]);
	CHECK_INT(hash_from(&t, "", &place), 0);
	CHECK_INT(place, 0);
	for (size_t i = 1; i < t.n; i++)
		CHECK(strcmp(hash_at(&t, i - 1)->key, hash_at(&t, i)->key) < 0);
	CHECK(!hash_at(&t, t.n));
	for (size_t i = 0; i < N; i++) {
		CHECK_INT(hash_from(&t, names[i], &place), 0);
		CHECK(i % 3 == 0 || hash_at(&t, place) == &nodes[i]);
	}
	CHECK_INT(hash_from(&t, "o", &place), 0);
	CHECK_INT(place, t.n);
	hash_free(&t);
}

TAP_TEST(log_line_is_one_line_whatever_is_in_it)
{
	struct log log = { .level = LOG_INFO };
	char text[8192], big[6000];
	ssize_t n;

	log.fd = memfd_create("log", MFD_CLOEXEC);
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_write(&log, LOG_DEBUG, "not written", NULL);
	log_write(&log, LOG_WARNING, "two words", "plain", "a", "odd", "x=\"1\"\n", "none", NULL,
		  "number", LOG_NUM(-5), NULL);
	n = pread(log.fd, text, sizeof(text) - 1, 0);
	text[n] = '\0';
	CHECK_INT(strncmp(text, "<4>time=", 8), 0);
	CHECK(strstr(text, " level=warning msg=\"two words\" plain=a "
			   "odd=\"x=\\\"1\\\"\\u000a\" number=-5\n"));

	/* Bytes that are no character, and characters that steer a terminal: never as they are. */
	for (int json = 0; json < 2; json++) {
		log.json = json;
		CHECK_INT(ftruncate(log.fd, 0), 0);
		CHECK_INT(lseek(log.fd, 0, SEEK_SET), 0);
		log_write(&log, LOG_WARNING, "m", "comm",
			  "\xff\xfe\x80 \xc2\x9b \xe2\x80\xae \xf3\xa0\x80\x81 \xc3\xa4", NULL);
		n = pread(log.fd, text, sizeof(text) - 1, 0);
		text[n] = '\0';
		CHECK(strstr(text, "\\ufffd\\ufffd\\ufffd \\u009b \\u202e "
				   "\\udb40\\udc01 \xc3\xa4\""));
	}

	log.json = true;
	CHECK_INT(ftruncate(log.fd, 0), 0);
	CHECK_INT(lseek(log.fd, 0, SEEK_SET), 0);
	for (int i = 0; i < 2; i++) {
		json_t *j;

		CHECK_INT(ftruncate(log.fd, 0), 0);
		CHECK_INT(lseek(log.fd, 0, SEEK_SET), 0);
		log_write(&log, LOG_ERROR, "m", "big", big, NULL);
		n = pread(log.fd, text, sizeof(text) - 1, 0);
		text[n] = '\0';
		j = json_loads(text, 0, NULL);
		CHECK(j);
		json_decref(j);
		memset(big, 'a', sizeof(big) - 1);
	}
	close(log.fd);
}
