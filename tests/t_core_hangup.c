/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/poll.c: how the end of a stream is told. */
#include "tests/pair.h"
#include "tests/tap.h"

static void the_end_is_not_lost(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, MUSES_READABLE);

	/* Data and end are one event, and the read falls short of what it asked. */
	b.bite = 100;
	say(&a, 10);
	CU_ASSERT_EQUAL(shutdown(a.fd, SHUT_WR), 0);
	turn(loop);
	CU_ASSERT_EQUAL(b.got, 10);
	CU_ASSERT_FALSE(b.ended);
	turn(loop);
	CU_ASSERT_TRUE(b.ended);
	CU_ASSERT_EQUAL(b.fired, 2);
	turn(loop);
	CU_ASSERT_EQUAL(b.fired, 2); /* Not wanted any more: quiet. */
	close_pair(loop, &a, &b);
}

static void hang_up_is_always_wanted(void)
{
	struct end a, b;
	struct core_loop *loop = open_pair(&a, &b, 0);

	end_close(&a);
	turn(loop);
	CU_ASSERT_EQUAL(b.fired, 1);
	CU_ASSERT_EQUAL(b.ready, MUSES_HUNG);
	b.drains = MUSES_HUNG;
	turn(loop);
	turn(loop);
	CU_ASSERT_EQUAL(b.fired, 2);
	end_close(&b);
	core_loop_close(loop);
}

static void pipes_end_too(void)
{
	struct core_loop *loop = core_loop_open(CORE_CLOCK_REAL);
	struct end in, out;
	int fd[2];

	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	CU_ASSERT_EQUAL_FATAL(pipe2(fd, O_NONBLOCK), 0);
	end_open(loop, &in, fd[0], MUSES_READABLE);
	end_open(loop, &out, fd[1], 0);
	in.bite = 100;
	say(&out, 7);
	turn(loop);
	CU_ASSERT_EQUAL(in.got, 7);
	/* A pipe tells its end as a hang-up alone; a reader wants to read it ... */
	end_close(&out);
	turn(loop);
	CU_ASSERT_TRUE(in.ended);
	end_close(&in);

	/* ... also when it came with data and the read fell short. */
	CU_ASSERT_EQUAL_FATAL(pipe2(fd, O_NONBLOCK), 0);
	end_open(loop, &in, fd[0], MUSES_READABLE);
	in.bite = 100;
	CU_ASSERT_EQUAL(write(fd[1], "1234567", 7), 7);
	close(fd[1]);
	turn(loop);
	CU_ASSERT_EQUAL(in.got, 7);
	turn(loop);
	CU_ASSERT_TRUE(in.ended);
	end_close(&in);
	core_loop_close(loop);
}

static const struct tap_test tests[] = {
	{ "the end of a stream is told even when it came with the last data",
	  the_end_is_not_lost },
	{ "a hang-up is told whatever is wanted", hang_up_is_always_wanted },
	{ "the end of a pipe can be read", pipes_end_too },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "hangup", tests);
}
