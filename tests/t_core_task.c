/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the tasks of core/loop.c. */
#include "tests/tap.h"

#include "core/loop.h"

#include <string.h>

#define BEGIN MUSES_S

static char story[256];

static void tell(char letter)
{
	size_t length = strlen(story);

	if (length + 1 < sizeof(story)) {
		story[length] = letter;
		story[length + 1] = '\0';
	}
}

struct worker {
	struct muses_task task;
	char letter;
	unsigned times, most; /* Queues itself anew until it ran that often. */
	struct worker *queues, *cancels;
};

static void worker_run(struct muses_task *t)
{
	struct worker *w = muses_container(t, struct worker, task);

	tell(w->letter);
	if (++w->times < w->most)
		muses_task_queue(t);
	if (w->queues != NULL)
		muses_task_queue(&w->queues->task);
	if (w->cancels != NULL)
		muses_task_cancel(&w->cancels->task);
}

static struct core_loop *open_workshop(struct worker *w, size_t count)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_VIRTUAL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	story[0] = '\0';
	memset(w, 0, count * sizeof(*w));
	for (size_t i = 0; i < count; i++) {
		w[i].letter = (char)('a' + i);
		core_task_init(loop, &w[i].task, worker_run);
	}
	return loop;
}

static void tasks_run_once_in_order(void)
{
	struct worker w[4];
	struct core_loop *loop = open_workshop(w, 4);

	muses_task_queue(&w[1].task);
	muses_task_queue(&w[0].task);
	muses_task_queue(&w[1].task); /* Queued already: keeps its place. */
	muses_task_queue(&w[2].task);
	muses_task_queue(&w[3].task);
	muses_task_cancel(&w[2].task);
	muses_task_cancel(&w[2].task);
	w[1].cancels = &w[3];
	w[0].queues = &w[2];
	CU_ASSERT_EQUAL(core_loop_next(loop), core_loop_now(loop));
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "bac");
	CU_ASSERT_EQUAL(core_loop_next(loop), UINT64_MAX);
	CU_ASSERT_EQUAL(core_loop_now(loop), BEGIN);
	core_loop_close(loop);
}

static void tasks_have_sixteen_rounds(void)
{
	struct worker w[1];
	struct core_loop *loop = open_workshop(w, 1);

	w[0].most = 20;
	muses_task_queue(&w[0].task);
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_EQUAL(w[0].times, 16);
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_EQUAL(w[0].times, 20);
	core_loop_close(loop);
}

static void timer_fire(struct muses_timer *t)
{
	(void)t;
	tell('t');
}

static void tasks_follow_timers_in_the_same_turn(void)
{
	struct worker w[1];
	struct muses_timer timer;
	struct core_loop *loop = open_workshop(w, 1);

	core_timer_init(loop, &timer, timer_fire);
	muses_timer_after(&timer, 0);
	muses_task_queue(&w[0].task);
	core_loop_turn(loop, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(story, "ta");
	core_loop_close(loop);
	CU_ASSERT_PTR_NULL(w[0].task.link);
}

static void closing_cancels_tasks(void)
{
	struct worker w[2];
	struct core_loop *loop = open_workshop(w, 2);

	muses_task_queue(&w[0].task);
	muses_task_queue(&w[1].task);
	w[1].task.layer = (struct muses_layer *)story;
	CU_ASSERT_EQUAL(core_loop_forget(loop, w[1].task.layer), 1);
	core_loop_close(loop);
	muses_task_cancel(&w[0].task);
	CU_ASSERT_PTR_NULL(w[0].task.link);
}

static const struct tap_test tests[] = {
	{ "tasks run once, in the order they were queued", tasks_run_once_in_order },
	{ "tasks that queue tasks get sixteen rounds a turn", tasks_have_sixteen_rounds },
	{ "tasks run after the timers of the same turn",
	  tasks_follow_timers_in_the_same_turn },
	{ "closing the loop cancels its tasks", closing_cancels_tasks },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "task", tests);
}
