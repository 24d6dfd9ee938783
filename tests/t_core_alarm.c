/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/alarm.c. */
#include "tests/tap.h"

#include "core/alarm.h"
#include "core/clock.h"

static void alarms_ring_no_later(void)
{
	struct core_poll poll;
	struct core_alarm alarm;
	uint64_t now = core_clock_now();

	CU_ASSERT_EQUAL_FATAL(core_poll_open(&poll), 0);
	CU_ASSERT_EQUAL_FATAL(core_alarm_open(&alarm, &poll), 0);
	CU_ASSERT_TRUE(alarm.fd >= 0);
	core_alarm_set(&alarm, now + 3600 * MUSES_S);
	core_alarm_set(&alarm, now + 7200 * MUSES_S); /* Later: not worth a call. */
	CU_ASSERT_EQUAL(alarm.due_ns, now + 3600 * MUSES_S);
	core_poll_wait(&poll, 0);
	CU_ASSERT_EQUAL(core_poll_fire(&poll), 0);
	core_alarm_set(&alarm, now);
	core_poll_wait(&poll, 3 * MUSES_S);
	CU_ASSERT_TRUE(core_clock_now() - now < 3 * MUSES_S);
	CU_ASSERT_EQUAL(core_poll_fire(&poll), 1);
	CU_ASSERT_EQUAL(alarm.due_ns, UINT64_MAX); /* To be set anew. */
	core_poll_wait(&poll, 0);
	CU_ASSERT_EQUAL(core_poll_fire(&poll), 0); /* Quiet. */
	core_alarm_set(&alarm, now + MUSES_S * 9);
	CU_ASSERT_EQUAL(alarm.due_ns, now + MUSES_S * 9);
	core_alarm_close(&alarm);
	core_poll_close(&poll);
}

static const struct tap_test tests[] = {
	{ "the alarm rings at the earliest time it was given, once",
	  alarms_ring_no_later },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "alarm", tests);
}
