/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/nomem.h"

#include "tests/tap.h"

#include "core/mem.h"

#include <fcntl.h>

/* More than any scenario allocates: this one does not come to an end. */
#define MOST 100000
/* Descriptors looked at. */
#define DESCRIPTORS 256

static int descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

unsigned nomem_run(nomem_fn *scenario, void *user)
{
	unsigned failed = 0;
	bool blown = true;

	/* What is made once a process (fetched algorithms) is made here. */
	CU_ASSERT_TRUE(scenario(user));
	while (blown && failed < MOST) {
		uint64_t before = core_mem_count();
		int open_before = descriptors();
		bool done;

		core_mem_fuse(failed + 1);
		done = scenario(user);
		blown = core_mem_blown();
		core_mem_fuse(0);
		if (core_mem_count() != before)
			tap_note("allocation %u failed, and %lld were not given back",
			         failed + 1, (long long)(core_mem_count() - before));
		CU_ASSERT_EQUAL(core_mem_count(), before);
		CU_ASSERT_EQUAL(descriptors(), open_before);
		if (blown)
			failed++;
		else
			CU_ASSERT_TRUE(done);
	}
	CU_ASSERT_TRUE(failed < MOST);
	return failed;
}
