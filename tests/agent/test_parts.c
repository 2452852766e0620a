/* SPDX-License-Identifier: MIT */
/*
 * test_parts.c - the pure parts: header codec, tables, JSON access, options, OCI rewriting,
 * timers, the log's quoting.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../agent/agent.h"
#include "../../agent/json.h"
#include "../../agent/oci.h"
#include "../../cgfs/internal.h"
#include "../tap.h"

/* --- frame ---------------------------------------------------------------------------------- */

static void frame_is_little_endian(void **state)
{
	static const uint8_t want[] = { 0x01, 0x0b, 0x10, 0x10, 0xa0, 0, 0, 0,
					0x08, 7,    6,	  5,	4,    3, 2, 1 };
	struct frame_header h = { MSG_NEGOTIATE, 160, 0x0102030405060708 }, back;
	uint8_t raw[FRAME_HEADER_SIZE];

	(void)state;
	frame_encode(&h, raw);
	assert_memory_equal(raw, want, sizeof(raw));
	assert_int_equal(frame_decode(raw, &back), 0);
	assert_int_equal(back.type, h.type);
	assert_int_equal(back.size, h.size);
	assert_int_equal(back.id, h.id);
}

static void frame_size_has_bounds(void **state)
{
	static const struct {
		uint32_t size;
		int r;
	} rows[] = { { 0, -EBADMSG }, { 15, -EBADMSG },	      { 16, 0 },
		     { 0x10000, 0 },  { 0x10001, -EMSGSIZE }, { 0xffffffff, -EMSGSIZE } };
	struct frame_header back;
	uint8_t raw[FRAME_HEADER_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		frame_encode(&(struct frame_header){ 1, rows[i].size, 1 }, raw);
		assert_int_equal(frame_decode(raw, &back), rows[i].r);
		assert_int_equal(back.size, rows[i].size);
	}
}

static void answer_type_is_derived(void **state)
{
	(void)state;
	assert_int_equal(PROTOCOL_RESPONSE(MSG_CREATE), 0x20100101);
	assert_int_equal(PROTOCOL_RESPONSE(MSG_EXT_LIST_PODS), 0x2cf00101);
	assert_int_equal(PROTOCOL_RESPONSE(0xffffffffu), 0x2fffffff);
	assert_string_equal(protocol_name(MSG_CREATE), "ComputeSystemCreateV1");
	assert_null(protocol_name(0x10100e01));
}

static void hresults_and_errnos_agree(void **state)
{
	static const int codes[] = { -EINVAL, -ESRCH, -EEXIST, -ETIMEDOUT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		assert_int_equal(protocol_errno_from_hresult(protocol_hresult_from_errno(codes[i])),
				 codes[i]);
	assert_int_equal(protocol_hresult_from_errno(-EIO), HR_FAIL);
	assert_int_equal((int32_t)HR_SYSTEM_NOT_FOUND, -1070137074);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void json_members_in_any_case_null_is_absent(void **state)
{
	static const char text[] = "{\"processid\":4294967295,\"A\":null,\"S\":\"x\"}";
	char why[JSON_WHY_MAX];
	json_t *j = json_parse_object(text, strlen(text), why);
	const char *s;
	uint32_t n;

	(void)state;
	assert_non_null(j);
	assert_true(json_get_u32(j, "ProcessId", &n, why));
	assert_int_equal(n, UINT32_MAX);
	assert_true(json_get_u32(j, "A", &n, why));
	assert_int_equal(n, 0);
	assert_true(json_get_string(j, "Missing", &s, why));
	assert_string_equal(s, "");
	assert_false(json_get_u32(j, "S", &n, why));
	assert_non_null(strstr(why, "S is not an integer"));
	json_decref(j);
}

static void json_depth_is_bounded(void **state)
{
	char why[JSON_WHY_MAX], text[3 * JSON_DEPTH_MAX] = "{\"a\":";
	size_t n = 5;
	json_t *j;

	(void)state;
	memset(text + n, '[', JSON_DEPTH_MAX - 1);
	memset(text + n + JSON_DEPTH_MAX - 1, ']', JSON_DEPTH_MAX - 1);
	n += 2 * (JSON_DEPTH_MAX - 1);
	text[n++] = '}';
	j = json_parse_object(text, n, why);
	assert_non_null(j);
	json_decref(j);

	memset(text + 5, '[', JSON_DEPTH_MAX);
	assert_null(json_parse_object(text, n, why));
	assert_non_null(strstr(why, "deep"));
	/* Brackets within strings are no depth. */
	memset(text, '[', sizeof(text));
	memcpy(text, "{\"a\":\"\\\"", 8);	   /* NOLINT: no string */
	memcpy(text + sizeof(text) - 2, "\"}", 2); /* NOLINT: no string */
	j = json_parse_object(text, sizeof(text), why);
	assert_non_null(j);
	json_decref(j);
}

static void words_are_split_as_a_shell_does(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *j = json_split_words(rows[i].line);
		auto_free char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

		json_decref(j);
		if (rows[i].want)
			assert_string_equal(text, rows[i].want);
		else
			assert_null(text);
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

static void options_in_the_style_of_go(void **state)
{
	char why[OPTIONS_WHY_MAX];
	struct options o;

	(void)state;
	assert_int_equal(parse(&o, why,
			       "-v4 --use-inouterr -loglevel=debug -log-format json "
			       "--root /x -root-mem-reserve-bytes 0x100 -scrub-logs=false"),
			 0);
	assert_true(o.v4 && o.use_inouterr && !o.scrub_logs);
	assert_string_equal(o.log_level, "debug");
	assert_string_equal(o.log_format, "json");
	assert_string_equal(o.root, "/x");
	assert_int_equal(o.root_mem_reserve_bytes, 0x100);
}

static void wrong_options_are_named(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "-v4 -use-inouterr -bogus", "-bogus" },
		{ "-v4 -use-inouterr extra", "extra" },
		{ "-use-inouterr -root", "root" },
		{ "-use-inouterr -v4=maybe", "maybe" },
		{ "-use-inouterr -kmsgLogLevel four", "four" },
		{ "-use-inouterr -loglevel loud", "loud" },
		{ "-listen /a/socket", "/a/socket" },
		{ "-use-inouterr -initial-policy-stance deny", "deny" },
		{ "-v4", "nothing to serve" },
	};
	char why[OPTIONS_WHY_MAX];
	struct options o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse(&o, why, rows[i].line), -EINVAL);
		assert_non_null(strstr(why, rows[i].says));
	}
}

/* --- OCI ------------------------------------------------------------------------------------ */

static void place_follows_the_annotations(void **state)
{
	static const struct {
		const char *type, *pod, *vpod;
		uint32_t hr;
		enum oci_kind kind;
		const char *want;
	} rows[] = {
		{ NULL, NULL, NULL, HR_OK, OCI_STANDALONE, "" },
		{ "sandbox", "id", NULL, HR_OK, OCI_SANDBOX, "id" },
		{ "container", "p", NULL, HR_OK, OCI_WORKLOAD, "p" },
		{ "container", NULL, NULL, HR_FAIL, 0, "" },
		{ "container", "", NULL, HR_FAIL, 0, "" },
		{ "bogus", "p", NULL, HR_FAIL, 0, "" },
		{ "", "p", NULL, HR_FAIL, 0, "" },
		{ "container", "x", "id", HR_OK, OCI_SANDBOX, "id" },
		{ NULL, NULL, "id", HR_OK, OCI_SANDBOX, "id" },
		{ "container", "p", "v", HR_OK, OCI_WORKLOAD, "v" },
		{ "sandbox", "id", "v", HR_FAIL, 0, "" },
		{ "container", "p", "", HR_OK, OCI_WORKLOAD, "p" },
	};
	char why[OCI_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *spec = json_pack("{s:{s:s*, s:s*, s:s*}}", "annotations",
					 "io.kubernetes.cri.container-type", rows[i].type,
					 "io.kubernetes.cri.sandbox-id", rows[i].pod,
					 "io.microsoft.cri.virtual-pod-id", rows[i].vpod);
		struct oci_place place;

		assert_int_equal(oci_place(spec, "id", &place, why), rows[i].hr);
		if (rows[i].hr == HR_OK) {
			assert_int_equal(place.kind, rows[i].kind);
			assert_string_equal(place.pod, rows[i].want);
		}
		json_decref(spec);
	}
}

static void rewriting_leaves_the_runtime_its_business(void **state)
{
	json_t *spec = json_loads(
		"{\"root\":{\"path\":\"rootfs\"},\"Windows\":{},\"linux\":{\"resources\":{\"pids\":"
		"{\"limit\":1}},\"CgroupsPath\":\"/x\",\"namespaces\":[{\"type\":\"pid\"}]},"
		"\"mounts\":[{\"destination\":\"/a\",\"source\":\"a\",\"options\":[\"rbind\"]},"
		"{\"destination\":\"/b\",\"source\":\"tmpfs\",\"type\":\"tmpfs\"},"
		"{\"destination\":\"/c\",\"source\":\"/c\",\"type\":\"bind\"}]}",
		0, NULL);
	json_t *want =
		json_loads("{\"root\":{\"path\":\"/b/x/"
			   "rootfs\"},\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]},"
			   "\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b/x/"
			   "a\",\"options\":[\"rbind\"]},"
			   "{\"destination\":\"/b\",\"source\":\"tmpfs\",\"type\":\"tmpfs\"},"
			   "{\"destination\":\"/c\",\"source\":\"/c\",\"type\":\"bind\"}]}",
			   0, NULL);
	auto_free char *resources = oci_resources(spec);

	(void)state;
	assert_string_equal(resources, "{\"pids\":{\"limit\":1}}");
	assert_true(oci_own_pidns(spec));
	assert_int_equal(oci_rewrite(spec, "/b/x"), 0);
	assert_true(json_equal(spec, want));
	json_decref(spec);
	json_decref(want);
}

static void what_cannot_be_run_is_named(void **state)
{
	static const struct {
		const char *process, *says;
	} rows[] = {
		{ "{\"args\":[],\"cwd\":\"/\"}", "process.args" },
		{ "{\"args\":[1],\"cwd\":\"/\"}", "process.args" },
		{ "{\"args\":[\"a\"],\"cwd\":\"x\"}", "process.cwd" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[1]}", "process.env" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"username\":\"joe\"}}", "joe" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"terminal\":true}", "terminal" },
	};
	char why[OCI_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *j = json_loads(rows[i].process, 0, NULL);

		assert_int_not_equal(oci_check_process(j, why), HR_OK);
		assert_non_null(strstr(why, rows[i].says));
		json_decref(j);
	}
}

/* --- properties ----------------------------------------------------------------------------- */

static void metrics_are_v1_figures(void **state)
{
	struct cgfs_stats s = { 0 };
	const struct cgfs_hugetlb_stat huge[] = {
		{ .page_size = "2MB", .max_bytes = CGFS_MAX },
		{ .page_size = "1GB", .current_bytes = 1 << 30, .max_bytes = 5, .failed = 3 },
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(set); i++) {
		s.value[set[i].stat] = set[i].value;
		s.available[set[i].stat] = true;
	}
	text = properties_metrics(&s, huge, ARRAY_SIZE(huge));
	/* Nanoseconds; swap includes memory; no limit stays no limit; zero is left out. */
	assert_non_null(strstr(text, "\"cpu\":{\"usage\":{\"total\":3000},\"throttling\":{}}"));
	assert_non_null(strstr(text, "\"swap\":{\"limit\":18446744073709551615,\"usage\":107}"));
	assert_non_null(strstr(text, "\"rss\":60,"));
	assert_non_null(strstr(text,
			       "{\"hugetlb\":[{\"max\":18446744073709551615,\"pagesize\":\"2MB\"},"
			       "{\"usage\":1073741824,\"max\":5,\"failcnt\":3,"
			       "\"pagesize\":\"1GB\"}],\"pids\":{}"));
	assert_non_null(strstr(text, "\"total_rss\":60,"));
	assert_non_null(strstr(text, "\"memory_oom_control\":{\"oom_kill\":2}"));
	assert_non_null(strstr(text, "\"pids\":{}"));
}

static void metrics_fit_with_the_largest_figures(void **state)
{
	struct cgfs_stats s;
	auto_free char *text = NULL;
	json_t *j;

	(void)state;
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		s.value[i] = CGFS_MAX;
		s.available[i] = true;
	}
	text = properties_metrics(&s, NULL, 0);
	j = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
	assert_non_null(j);
	json_decref(j);
}

/* --- loop, table, log ----------------------------------------------------------------------- */

struct ticks;

struct tick {
	struct ticks *all;
	struct loop_timer timer;
};

struct ticks {
	struct loop *l;
	struct tick t[40];
	uint64_t last_ms;
	size_t n;
};

static void tick(void *ctx)
{
	struct tick *t = ctx;

	assert_true(t->timer.at_ms >= t->all->last_ms);
	t->all->last_ms = t->timer.at_ms;
	t->all->n++;
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

static void timers_fire_once_and_in_order(void **state)
{
	struct ticks k = { 0 };
	struct loop_timer end = { 0 };

	(void)state;
	assert_int_equal(loop_new(&k.l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(k.t); i++) {
		struct tick *t = &k.t[i];

		t->all = &k;
		t->timer = (struct loop_timer){ .fn = tick, .ctx = t };
		assert_int_equal(loop_timer_set(k.l, &t->timer, i * 7 % 40), 0);
	}
	/* Half of them taken back, twice. */
	for (size_t i = 0; i < ARRAY_SIZE(k.t); i += 2) {
		loop_timer_clear(k.l, &k.t[i].timer);
		loop_timer_clear(k.l, &k.t[i].timer);
	}
	end = (struct loop_timer){ .fn = stop, .ctx = k.l };
	assert_int_equal(loop_timer_set(k.l, &end, 60), 0);
	assert_int_equal(loop_run(k.l), 0);
	assert_int_equal(k.n, ARRAY_SIZE(k.t) / 2);
	for (size_t i = 0; i < ARRAY_SIZE(k.t); i++)
		assert_int_equal(k.t[i].timer.index, 0);
	loop_free(k.l);
}

struct ended {
	struct loop *l;
	int status;
};

static void on_end(void *ctx, int status)
{
	struct ended *e = ctx;

	e->status = status;
	loop_stop(e->l);
}

static void orphan_that_ended_before_it_was_known_is_found(void **state)
{
	struct ended e = { 0 };
	struct loop_child child = { .fn = on_end, .ctx = &e }, late = { .fn = on_end, .ctx = &e };
	int pipefd[2], status = -1;
	pid_t pid, orphan = 0;

	(void)state;
	assert_int_equal(loop_new(&e.l), 0);
	assert_int_equal(pipe(pipefd), 0);
	loop_orphans_keep(e.l, 1);
	/* A child leaves a grandchild behind, as an OCI runtime does. */
	pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0)
			_exit(9);
		(void)!write(pipefd[1], &grandchild, sizeof(grandchild));
		/* Until it has ended, without reaping it. */
		siginfo_t si;
		waitid(P_PID, (id_t)grandchild, &si, WEXITED | WNOWAIT);
		_exit(3);
	}
	assert_int_equal(read(pipefd[0], &orphan, sizeof(orphan)), sizeof(orphan));
	assert_false(loop_child_watch(e.l, &child, pid, &status));
	assert_int_equal(loop_run(e.l), 0);
	assert_int_equal(WEXITSTATUS(e.status), 3);
	if (loop_child_watch(e.l, &late, orphan, &status)) {
		assert_int_equal(WEXITSTATUS(status), 9);
	} else {
		assert_int_equal(loop_run(e.l), 0);
		assert_int_equal(WEXITSTATUS(e.status), 9);
	}
	loop_orphans_keep(e.l, -1);
	loop_free(e.l);
	close(pipefd[0]);
	close(pipefd[1]);
}

static void table_finds_what_is_in_it(void **state)
{
	enum { N = 500 };
	static struct table_node nodes[N];
	static char names[N][8];
	struct table t = { 0 };
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		assert_int_equal(table_add(&t, &nodes[i], names[i]), 0);
	}
	assert_int_equal(table_add(&t, &(struct table_node){ 0 }, "n7"), -EEXIST);
	for (size_t i = 0; i < N; i += 3)
		table_remove(&t, &nodes[i]);
	for (size_t i = 0; i < N; i++)
		assert_ptr_equal(table_find(&t, names[i]), i % 3 ? &nodes[i] : NULL);
	for (struct table_node *n = table_next(&t, NULL); n; n = table_next(&t, n))
		seen++;
	assert_int_equal(seen, t.n);
	table_free(&t);
}

static void log_line_is_one_line_whatever_is_in_it(void **state)
{
	struct log log = { .level = LOG_INFO };
	char text[8192], big[6000];
	ssize_t n;

	(void)state;
	log.fd = memfd_create("log", MFD_CLOEXEC);
	memset(big, '"', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_write(&log, LOG_DEBUG, "not written", NULL);
	log_write(&log, LOG_WARNING, "two words", "plain", "a", "odd", "x=\"1\"\n", "none", NULL,
		  "number", LOG_NUM(-5), NULL);
	n = pread(log.fd, text, sizeof(text) - 1, 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, "<4>time=", 8), 0);
	assert_non_null(strstr(text, " level=warning msg=\"two words\" plain=a "
				     "odd=\"x=\\\"1\\\"\\u000a\" number=-5\n"));

	log.json = true;
	assert_int_equal(ftruncate(log.fd, 0), 0);
	assert_int_equal(lseek(log.fd, 0, SEEK_SET), 0);
	log_write(&log, LOG_ERROR, "m", "big", big, NULL);
	n = pread(log.fd, text, sizeof(text) - 1, 0);
	text[n] = '\0';
	json_t *j = json_loads(text, 0, NULL);
	assert_non_null(j);
	json_decref(j);
	close(log.fd);
}

static const struct tap_test tests[] = {
	TAP_TEST(frame_is_little_endian),
	TAP_TEST(frame_size_has_bounds),
	TAP_TEST(answer_type_is_derived),
	TAP_TEST(hresults_and_errnos_agree),
	TAP_TEST(json_members_in_any_case_null_is_absent),
	TAP_TEST(json_depth_is_bounded),
	TAP_TEST(words_are_split_as_a_shell_does),
	TAP_TEST(options_in_the_style_of_go),
	TAP_TEST(wrong_options_are_named),
	TAP_TEST(place_follows_the_annotations),
	TAP_TEST(rewriting_leaves_the_runtime_its_business),
	TAP_TEST(what_cannot_be_run_is_named),
	TAP_TEST(metrics_are_v1_figures),
	TAP_TEST(metrics_fit_with_the_largest_figures),
	TAP_TEST(timers_fire_once_and_in_order),
	TAP_TEST(orphan_that_ended_before_it_was_known_is_found),
	TAP_TEST(table_finds_what_is_in_it),
	TAP_TEST(log_line_is_one_line_whatever_is_in_it),
};

TAP_MAIN(tests)
