/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/mem.c and core/clock.c. */
#include "tests/tap.h"

#include "core/clock.h"
#include "core/mem.h"

#include <string.h>

static void memory_is_zeroed_and_counted(void)
{
	uint64_t out = core_mem_count();
	uint64_t total = core_mem_total();
	char *p = muses_zalloc(1000);
	char *none = muses_zalloc(0);
	char *pages = core_map(8192);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_PTR_NOT_NULL(none);
	CU_ASSERT_PTR_NOT_NULL_FATAL(pages);
	for (size_t i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(p[i], 0);
	CU_ASSERT_EQUAL(pages[8191], 0);
	CU_ASSERT_EQUAL(core_mem_count(), out + 3);
	muses_free(p);
	muses_free_secret(none, 0);
	core_unmap(pages, 8192);
	muses_free(NULL);
	muses_free_secret(NULL, 10);
	core_unmap(NULL, 4096);
	CU_ASSERT_EQUAL(core_mem_count(), out);
	CU_ASSERT_EQUAL(core_mem_total(), total + 3);
}

static void arrays_grow_and_shrink(void)
{
	uint64_t out = core_mem_count();
	uint32_t *a = core_realloc(NULL, 0, 4, sizeof(*a));
	uint32_t *b;

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(a[i], 0);
		a[i] = 7;
	}
	b = core_realloc(a, 4, 4000, sizeof(*a));
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	for (size_t i = 0; i < 4000; i++)
		CU_ASSERT_EQUAL(b[i], i < 4 ? 7 : 0);
	a = core_realloc(b, 4000, 2, sizeof(*a));
	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_EQUAL(a[1], 7);
	a = core_realloc(a, 2, 0, sizeof(*a));
	CU_ASSERT_PTR_NOT_NULL(a);
	CU_ASSERT_EQUAL(core_mem_count(), out + 1);
	muses_free(a);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

static void products_that_wrap_are_refused(void)
{
	char *a = core_realloc(NULL, 0, 3, 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	a[2] = 'x';
	CU_ASSERT_PTR_NULL(core_realloc(a, 3, SIZE_MAX / 2 + 1, 2)); /* Wraps to 0. */
	CU_ASSERT_PTR_NULL(core_realloc(a, 3, SIZE_MAX / 2, 3));
	CU_ASSERT_PTR_NULL(core_realloc(a, 3, SIZE_MAX, 1));
	CU_ASSERT_EQUAL(a[2], 'x');
	muses_free(a);
}

static void strings_are_copies(void)
{
	char text[] = "bob";
	char *copy = core_strdup(text);
	char *made = core_format("%s:%d", text, 70000);

	text[0] = 'r';
	CU_ASSERT_STRING_EQUAL(copy, "bob");
	CU_ASSERT_STRING_EQUAL(made, "bob:70000");
	muses_free(copy);
	muses_free(made);
	made = core_format("%s", "");
	CU_ASSERT_STRING_EQUAL(made, "");
	muses_free(made);
}

/* The nth of the allocations below fails; how many there were before. */
static unsigned allocate(void)
{
	char *p[5] = { NULL };
	unsigned count = 0;

	p[0] = muses_zalloc(10);
	p[1] = core_realloc(NULL, 0, 5, 5);
	p[2] = core_strdup("bob");
	p[3] = core_format("%d", 1);
	p[4] = core_map(4096);
	for (size_t i = 0; i < 4; i++) {
		count += p[i] != NULL;
		muses_free(p[i]);
	}
	count += p[4] != NULL;
	core_unmap(p[4], 4096);
	return count;
}

static void the_fuse_blows_once(void)
{
	uint64_t out = core_mem_count();

	for (uint64_t nth = 1; nth <= 5; nth++) {
		core_mem_fuse(nth);
		CU_ASSERT_FALSE(core_mem_blown());
		CU_ASSERT_EQUAL(allocate(), 4);
		CU_ASSERT_TRUE(core_mem_blown());
		CU_ASSERT_EQUAL(allocate(), 5);
		core_mem_fuse(0);
		CU_ASSERT_TRUE(core_mem_blown()); /* Disarming does not forget. */
	}
	core_mem_fuse(6);
	CU_ASSERT_EQUAL(allocate(), 5);
	core_mem_fuse(0);
	CU_ASSERT_FALSE(core_mem_blown());
	CU_ASSERT_EQUAL(allocate(), 5);
	CU_ASSERT_EQUAL(core_mem_count(), out);
}

static void clocks_go_forward(void)
{
	uint64_t first = core_clock_now();

	CU_ASSERT_TRUE(first > 0);
	for (int i = 0; i < 1000; i++)
		CU_ASSERT_TRUE(core_clock_now() >= first);
	/* Between 2020 and 2100: nanoseconds since 1970. */
	CU_ASSERT_TRUE(core_clock_wall() > UINT64_C(1577836800) * MUSES_S);
	CU_ASSERT_TRUE(core_clock_wall() < UINT64_C(4102444800) * MUSES_S);
}

static const struct tap_test tests[] = {
	{ "memory is zeroed, and counted until it is given back",
	  memory_is_zeroed_and_counted },
	{ "arrays grow with zeros and keep what they hold", arrays_grow_and_shrink },
	{ "a product that wraps is refused, and the array kept",
	  products_that_wrap_are_refused },
	{ "strings are copies", strings_are_copies },
	{ "the nth allocation fails, once, whichever it is", the_fuse_blows_once },
	{ "the clocks go forward and the wall clock knows the century",
	  clocks_go_forward },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "mem", tests);
}
