/* SPDX-License-Identifier: MIT */
/*
 * test_list.c - ListPods page by page: every message fits, and the pages together have every pod
 * and container once, in order.  Without a kernel: the pods are tables of the agent alone.
 */
#include <stdio.h>

#include "agent/base/hash.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/service/message.h"
#include "cgfs/base/util.h"
#include "tests/tap.h"

#define PODS	   3000 /* more than one page looks at */
#define CONTAINERS 2
#define CROWD	   1500 /* containers of one pod */

struct fixture {
	struct agent a;
	struct pod pods[PODS + 1];
	struct container *c;
	size_t n;
};

static char *long_id(char letter, size_t n)
{
	char *id = NULL;

	/* Sixty-four digits, as runtimes name pods; an order that is not that of creation. */
	CHECK(asprintf(&id, "%016zx%047zx%c", n * 0x9e3779b97f4a7c15u, n, letter) > 0);
	return id;
}

static void add_pod(struct fixture *f, size_t at, size_t containers)
{
	struct pod *p = &f->pods[at];

	p->id = long_id('a', at);
	CHECK_INT(hash_add(&f->a.pods, &p->node, p->id), 0);
	for (size_t i = 0; i < containers; i++) {
		struct container *c = &f->c[f->n++];

		c->id = long_id('c', f->n);
		c->pod = p;
		c->pod_next = p->containers;
		p->containers = c;
		p->n++;
		CHECK_INT(hash_add(&f->a.containers, &c->node, c->id), 0);
	}
}

static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	CHECK(f);
	f->c = calloc((size_t)PODS * CONTAINERS + CROWD + 1, sizeof(*f->c));
	CHECK(f->c);
	return f;
}

static void fixture_free(struct fixture *f)
{
	for (size_t i = 0; i <= PODS; i++)
		free(f->pods[i].id);
	for (size_t i = 0; i < f->n; i++)
		free(f->c[i].id);
	hash_free(&f->a.pods);
	hash_free(&f->a.containers);
	free(f->c);
	free(f);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

struct walk {
	size_t pages, pods, containers, standalone;
	char last_pod[300], last_ctr[300];
};

static void count_pod(struct walk *w, const json_t *pod)
{
	const json_t *ctr;
	int order = strcmp(text_of(pod, "Id"), w->last_pod);
	size_t i;

	CHECK(order >= 0);
	if (order > 0) {
		w->pods++;
		w->standalone += json_is_true(json_object_get(pod, "Standalone"));
		w->last_ctr[0] = '\0';
	}
	snprintf(w->last_pod, sizeof(w->last_pod), "%s", text_of(pod, "Id"));
	json_array_foreach(json_object_get(pod, "Containers"), i, ctr)
	{
		CHECK(strcmp(text_of(ctr, "Id"), w->last_ctr) > 0);
		snprintf(w->last_ctr, sizeof(w->last_ctr), "%s", text_of(ctr, "Id"));
		w->containers++;
	}
}

static json_t *page_of(struct fixture *f, const char *after, const char *pod)
{
	struct list_query q = { .after = after, .pod = pod };
	auto_free char *text = NULL;
	struct json_out o;
	json_t *page;

	CHECK_INT(json_out_open(&o), 0);
	json_out_object(&o, NULL);
	CHECK(extension_page(&f->a, &q, &o));
	json_out_end(&o);
	CHECK_INT(json_out_close(&o, &text), 0);
	CHECK(strlen(text) < FRAME_SIZE_MAX - FRAME_HEADER_SIZE - 1024);
	page = json_loads(text, 0, NULL);
	CHECK(page);
	return page;
}

static struct walk walk(struct fixture *f)
{
	struct walk w = { 0 };
	char after[600] = "";
	json_t *page, *pod;
	bool more = true;
	size_t i;

	while (more) {
		page = page_of(f, after, "");
		json_array_foreach(json_object_get(page, "Pods"), i, pod) count_pod(&w, pod);
		more = json_object_get(page, "Next") != NULL;
		if (more) {
			CHECK(strcmp(text_of(page, "Next"), after) > 0);
			snprintf(after, sizeof(after), "%s", text_of(page, "Next"));
		}
		json_decref(page);
		w.pages++;
		CHECK(w.pages < 100);
	}
	return w;
}

TAP_TEST(pages_have_every_pod_once_and_in_order)
{
	struct fixture *f = fixture_new();
	struct walk w;

	for (size_t i = 0; i < PODS; i++)
		add_pod(f, i, CONTAINERS);
	w = walk(f);
	CHECK_INT(w.pods, PODS);
	CHECK_INT(w.containers, PODS * CONTAINERS);
	CHECK(w.pages > 1);
	fixture_free(f);
}

TAP_TEST(one_pod_may_need_many_pages)
{
	struct fixture *f = fixture_new();
	struct walk w;

	add_pod(f, 0, 1);
	add_pod(f, 1, CROWD);
	add_pod(f, 2, 0);
	f->c[f->n].id = long_id('s', 77); /* in no pod */
	CHECK_INT(hash_add(&f->a.containers, &f->c[f->n].node, f->c[f->n].id), 0);
	f->n++;
	w = walk(f);
	CHECK_INT(w.pods, 4);
	CHECK_INT(w.standalone, 1);
	CHECK_INT(w.containers, CROWD + 2);
	CHECK(w.pages > 1);
	fixture_free(f);
}

TAP_TEST(page_goes_on_from_what_is_gone)
{
	struct fixture *f = fixture_new();
	json_t *page;

	add_pod(f, 0, 0);
	page = page_of(f, "zzz/zzz", "");
	CHECK_INT(json_array_size(json_object_get(page, "Pods")), 0);
	CHECK(!json_object_get(page, "Next"));
	json_decref(page);
	page = page_of(f, "!/c", "");
	CHECK_INT(json_array_size(json_object_get(page, "Pods")), 1);
	json_decref(page);
	fixture_free(f);
}

TAP_TEST(one_pod_alone_is_listed_when_it_is_named)
{
	struct fixture *f = fixture_new();
	json_t *page, *pods;

	for (size_t i = 0; i < PODS; i++)
		add_pod(f, i, CONTAINERS);
	page = page_of(f, "", f->pods[7].id);
	pods = json_object_get(page, "Pods");
	CHECK_INT(json_array_size(pods), 1);
	CHECK_STR(text_of(json_array_get(pods, 0), "Id"), f->pods[7].id);
	CHECK_INT(json_array_size(json_object_get(json_array_get(pods, 0), "Containers")),
		  CONTAINERS);
	CHECK(!json_object_get(page, "Next"));
	json_decref(page);
	page = page_of(f, "", "no such pod");
	CHECK_INT(json_array_size(json_object_get(page, "Pods")), 0);
	json_decref(page);
	fixture_free(f);
}

/* There may be 10,000: what only a few need at a time, such as the text of an error, is not in
 * them. */
TAP_TEST(pods_and_containers_are_small)
{
	CHECK(sizeof(struct pod) <= 640);
	CHECK(sizeof(struct container) <= 1024);
}
