/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/layer.c and core/env.c: what the core does for a layer. */
#include "tests/tap.h"

#include "core/layer.h"
#include "core/mem.h"
#include "core/pipeline.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	struct core_loop *loop;
	struct core_env env;
	struct muses_layer layer;
	char line[4][200];
	unsigned lines;
} world;

static void hear(void *user, enum muses_level level, const char *who, const char *message)
{
	(void)user;
	if (world.lines < 4)
		snprintf(world.line[world.lines], sizeof(world.line[0]), "%d %s %s",
		         level, who, message);
	world.lines++;
}

static void open_world(void)
{
	memset(&world, 0, sizeof(world));
	world.loop = core_loop_open(CORE_CLOCK_VIRTUAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(world.loop);
	CU_ASSERT_EQUAL_FATAL(core_env_open(&world.env, world.loop, 1), 0);
	core_log_set_sink(world.env.log, hear, NULL);
	world.layer.env = &world.env;
	snprintf(world.layer.label, sizeof(world.layer.label), "tcp");
}

static size_t close_world(void)
{
	size_t left = core_env_close(&world.env);

	core_loop_close(world.loop);
	return left;
}

static void kinds_have_words(void)
{
	static const char *const word[] = { "keys", "security", "reliability", "overlay",
		                            "transport" };

	for (int kind = 0; kind < MUSES_KINDS; kind++)
		CU_ASSERT_STRING_EQUAL(muses_kind_name((enum muses_kind)kind),
		                       word[kind]);
	CU_ASSERT_STRING_EQUAL(muses_kind_name(MUSES_KINDS), "unknown");
	CU_ASSERT_STRING_EQUAL(muses_kind_name((enum muses_kind) - 1), "unknown");
}

static void layers_know_themselves(void)
{
	static const struct muses_id id = { { 7 } };
	int state;

	open_world();
	world.layer.node_id = &id;
	world.layer.node_name = "bob";
	CU_ASSERT_PTR_NULL(muses_self(&world.layer));
	muses_set_self(&world.layer, &state);
	CU_ASSERT_PTR_EQUAL(muses_self(&world.layer), &state);
	CU_ASSERT_PTR_EQUAL(muses_node_id(&world.layer), &id);
	CU_ASSERT_STRING_EQUAL(muses_node_name(&world.layer), "bob");
	CU_ASSERT_EQUAL(close_world(), 0);
}

static void services_are_found_by_kind(void)
{
	static const int ops[MUSES_KINDS]; /* Addresses to tell apart. */
	struct muses_layer layer[MUSES_KINDS + 2] = { { 0 } };
	struct core_pipeline pipeline = {
		.keys = &layer[MUSES_KEYS],
		.security = { &layer[MUSES_SECURITY], &layer[MUSES_KINDS] },
		.security_count = 2,
		.reliability = &layer[MUSES_RELIABILITY],
		.overlay = &layer[MUSES_OVERLAY],
		.transport = { &layer[MUSES_TRANSPORT], &layer[MUSES_KINDS + 1] },
		.transport_count = 2,
	};
	struct muses_layer *owner;

	for (int kind = 0; kind < MUSES_KINDS; kind++)
		layer[kind].ops = &ops[kind];
	open_world();
	CU_ASSERT_PTR_NULL(muses_service(&world.layer, MUSES_KEYS, &owner));
	CU_ASSERT_PTR_NULL(owner);
	world.layer.pipeline = &pipeline;
	for (int kind = 0; kind < MUSES_KINDS; kind++) {
		CU_ASSERT_PTR_EQUAL(
			muses_service(&world.layer, (enum muses_kind)kind, &owner),
			&ops[kind]);
		CU_ASSERT_PTR_EQUAL(owner, &layer[kind]);
	}
	CU_ASSERT_PTR_NULL(muses_service(&world.layer, MUSES_KINDS, &owner));
	memset(&pipeline, 0, sizeof(pipeline));
	for (int kind = 0; kind < MUSES_KINDS; kind++)
		CU_ASSERT_PTR_NULL(
			muses_service(&world.layer, (enum muses_kind)kind, &owner));
	CU_ASSERT_EQUAL(close_world(), 0);
}

static struct fired {
	struct muses_timer timer;
	struct muses_task task;
	struct muses_watch watch;
	unsigned timers, tasks, watches;
} fired;

static void timer_fired(struct muses_timer *t)
{
	muses_container(t, struct fired, timer)->timers++;
}

static void task_ran(struct muses_task *t)
{
	muses_container(t, struct fired, task)->tasks++;
}

static void watch_fired(struct muses_watch *w, uint32_t ready)
{
	(void)ready;
	muses_container(w, struct fired, watch)->watches++;
}

static void what_a_layer_armed_is_its_own(void)
{
	struct muses_layer *l = &world.layer;
	struct muses_layer other;
	int fd[2];

	open_world();
	memset(&fired, 0, sizeof(fired));
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	muses_timer_init(l, &fired.timer, timer_fired);
	muses_task_init(l, &fired.task, task_ran);
	CU_ASSERT_EQUAL(
		muses_watch_open(l, &fired.watch, fd[0], MUSES_WRITABLE, watch_fired), 0);
	muses_timer_after(&fired.timer, 5);
	muses_task_queue(&fired.task);
	core_loop_advance(world.loop, 5);
	CU_ASSERT_EQUAL(fired.timers, 1);
	CU_ASSERT_EQUAL(fired.tasks, 1);
	CU_ASSERT_TRUE(fired.watches > 0);
	muses_timer_after(&fired.timer, 5);
	muses_task_queue(&fired.task);
	CU_ASSERT_EQUAL(core_loop_forget(world.loop, &other), 0);
	CU_ASSERT_EQUAL(core_loop_forget(world.loop, l), 3);
	core_loop_advance(world.loop, 50);
	CU_ASSERT_EQUAL(fired.timers, 1);
	CU_ASSERT_EQUAL(fired.tasks, 1);
	close(fd[0]);
	close(fd[1]);
	CU_ASSERT_EQUAL(close_world(), 0);
}

static void time_and_chance_come_from_the_env(void)
{
	struct muses_layer *l = &world.layer;
	uint8_t first[16], again[16];
	uint64_t below;

	open_world();
	CU_ASSERT_EQUAL(muses_now(l), core_loop_now(world.loop));
	CU_ASSERT_EQUAL(muses_wall_clock(l), core_loop_wall_clock(world.loop));
	CU_ASSERT_EQUAL(muses_random(l, first, sizeof(first)), 0);
	below = muses_random_below(l, 1000000);
	CU_ASSERT_TRUE(below < 1000000);
	CU_ASSERT_EQUAL(close_world(), 0);
	open_world(); /* The same seed. */
	CU_ASSERT_EQUAL(muses_random(l, again, sizeof(again)), 0);
	CU_ASSERT_EQUAL(memcmp(first, again, sizeof(first)), 0);
	CU_ASSERT_EQUAL(muses_random_below(l, 1000000), below);
	CU_ASSERT_EQUAL(close_world(), 0);
}

static void buffers_left_are_told(void)
{
	struct muses_buf *b, *copy;

	open_world();
	b = muses_buf_new(&world.layer, 10, 100);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	memcpy(muses_buf_append(b, 3), "abc", 3);
	copy = muses_buf_copy(&world.layer, b, 5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	CU_ASSERT_EQUAL(memcmp(copy->data, "abc", 3), 0);
	muses_buf_free(b);
	CU_ASSERT_EQUAL(close_world(), 1);
	CU_ASSERT_EQUAL(world.lines, 1);
	CU_ASSERT_STRING_EQUAL(world.line[0],
	                       "1 pool buffers were not given back: count=1");
}

static void counts_are_logged_sparingly(void)
{
	open_world();
	for (int i = 0; i < 3; i++)
		muses_count(&world.layer, "replayed");
	CU_ASSERT_EQUAL(world.lines, 0); /* Only at debug level. */
	core_log_set_level(world.env.log, MUSES_DEBUG);
	for (int i = 0; i < 100; i++)
		muses_count(&world.layer, "replayed");
	core_env_count(&world.env, "session", "replayed");
	CU_ASSERT_EQUAL(world.lines, 2);
	CU_ASSERT_STRING_EQUAL(world.line[0], "3 tcp replayed: times=4");
	CU_ASSERT_STRING_EQUAL(world.line[1], "3 session replayed: times=1");
	core_loop_advance(world.loop, MUSES_S);
	muses_count(&world.layer, "replayed");
	CU_ASSERT_EQUAL(world.lines, 3);
	CU_ASSERT_STRING_EQUAL(world.line[2], "3 tcp replayed: times=100");
	CU_ASSERT_EQUAL(core_stats_get(world.env.stats, "tcp", "replayed"), 104);
	CU_ASSERT_EQUAL(close_world(), 0);
}

static void lines_name_the_layer(void)
{
	open_world();
	muses_log(&world.layer, MUSES_DEBUG, "not this");
	muses_log(&world.layer, MUSES_INFO, "listens on port=%d", 7003);
	CU_ASSERT_EQUAL(
		muses_fail(&world.layer, MUSES_ESYSTEM, "cannot listen: %s", "no"),
		MUSES_ESYSTEM);
	CU_ASSERT_EQUAL(world.lines, 2);
	CU_ASSERT_STRING_EQUAL(world.line[0], "2 tcp listens on port=7003");
	CU_ASSERT_STRING_EQUAL(world.line[1], "0 tcp cannot listen: no");
	CU_ASSERT_EQUAL(close_world(), 0);
}

static const struct tap_test tests[] = {
	{ "every kind has its word", kinds_have_words },
	{ "a layer knows its state, its node's id and name", layers_know_themselves },
	{ "a service is the first layer of its kind, or none",
	  services_are_found_by_kind },
	{ "timers, tasks and watches of a layer work and are forgotten together",
	  what_a_layer_armed_is_its_own },
	{ "time and chance come from the layer's env",
	  time_and_chance_come_from_the_env },
	{ "buffers that were not given back are told at the end", buffers_left_are_told },
	{ "counts are logged at debug level, once a second for each reason",
	  counts_are_logged_sparingly },
	{ "a line in the log names the layer", lines_name_the_layer },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "layer", tests);
}
