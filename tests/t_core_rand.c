/* SPDX-License-Identifier: Apache-2.0 */
/* Tests core/rand.c. */
#include "tests/tap.h"

#include "core/rand.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct core_rand *open_rand(uint64_t seed)
{
	struct core_rand *r = core_rand_open(seed);

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	return r;
}

static void same_seed_same_life(void)
{
	struct core_rand *a = open_rand(42);
	struct core_rand *b = open_rand(42);
	uint8_t from_a[3000] = { 0 };
	uint8_t from_b[3000] = { 0 };
	size_t at = 0;

	/* In one piece, and in pieces of every size with jitter drawn in between. */
	CU_ASSERT_EQUAL(core_rand_bytes(a, from_a, sizeof(from_a)), 0);
	for (size_t size = 0; at < sizeof(from_b); size++) {
		if (size > sizeof(from_b) - at)
			size = sizeof(from_b) - at;
		CU_ASSERT_EQUAL(core_rand_bytes(b, from_b + at, size), 0);
		at += size;
		(void)core_rand_below(b, 10);
	}
	CU_ASSERT_EQUAL(memcmp(from_a, from_b, sizeof(from_a)), 0);
	core_rand_close(a);
	core_rand_close(b);

	a = open_rand(42);
	b = open_rand(42);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(core_rand_below(a, 1000), core_rand_below(b, 1000));
	core_rand_close(a);
	core_rand_close(b);
}

static void other_seed_other_life(void)
{
	static const uint64_t seed[] = { 1, 2, UINT64_C(1) << 63, UINT64_MAX };
	uint8_t bytes[4][32];
	uint64_t below[4];

	for (size_t i = 0; i < 4; i++) {
		struct core_rand *r = open_rand(seed[i]);

		CU_ASSERT_EQUAL(core_rand_bytes(r, bytes[i], 32), 0);
		below[i] = core_rand_below(r, UINT64_MAX);
		for (size_t j = 0; j < i; j++) {
			CU_ASSERT_NOT_EQUAL(memcmp(bytes[i], bytes[j], 32), 0);
			CU_ASSERT_NOT_EQUAL(below[i], below[j]);
		}
		core_rand_close(r);
	}
}

/* So that recorded histories stay what they are. */
static void the_seeded_stream_is_fixed(void)
{
	struct core_rand *r = open_rand(1);
	uint8_t bytes[8];

	/* ChaCha20, key 01 00 ..., counter and nonce 0, from byte 8 on: the first 8
	 * seeded the jitter.  Computed with openssl enc. */
	static const uint8_t expected[8] = { 0x78, 0xc8, 0x4f, 0x48,
		                             0x7d, 0x77, 0x5a, 0x85 };

	CU_ASSERT_EQUAL(core_rand_bytes(r, bytes, 8), 0);
	CU_ASSERT_EQUAL(memcmp(bytes, expected, 8), 0);
	core_rand_close(r);
}

static void real_bytes_differ(void)
{
	struct core_rand *a = open_rand(0);
	struct core_rand *b = open_rand(0);
	uint8_t seen[64][32];
	uint8_t one[2][2048];
	unsigned set = 0;

	for (size_t i = 0; i < 64; i++) {
		CU_ASSERT_EQUAL(core_rand_bytes(i % 2 ? a : b, seen[i], 32), 0);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_NOT_EQUAL(memcmp(seen[i], seen[j], 32), 0);
	}
	/* More than a block at once, and no half of it empty. */
	memset(one, 0, sizeof(one));
	CU_ASSERT_EQUAL(core_rand_bytes(a, one[0], 2048), 0);
	CU_ASSERT_EQUAL(core_rand_bytes(a, one[1], 2048), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(one[0], one[1], 2048), 0);
	for (size_t i = 0; i < 2048; i++)
		set += (unsigned)__builtin_popcount(one[0][i]);
	/* 16384 coins: 64 a standard deviation, ten of them either way. */
	CU_ASSERT_TRUE(set > 8192 - 640 && set < 8192 + 640);
	core_rand_close(a);
	core_rand_close(b);
}

static void children_do_not_repeat_their_parent(void)
{
	struct core_rand *r = open_rand(0);
	uint8_t parent[40] = { 0 };
	uint8_t child[40] = { 0 };
	uint64_t below;
	int fd[2];
	pid_t pid;

	CU_ASSERT_EQUAL(core_rand_bytes(r, parent, 16), 0); /* The block is begun. */
	CU_ASSERT_EQUAL_FATAL(pipe(fd), 0);
	pid = fork();
	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0) {
		if (core_rand_bytes(r, child, 32) != 0)
			_exit(1);
		below = core_rand_below(r, UINT64_MAX);
		memcpy(child + 32, &below, 8);
		_exit(write(fd[1], child, sizeof(child)) == sizeof(child) ? 0 : 1);
	}
	CU_ASSERT_EQUAL(core_rand_bytes(r, parent, 32), 0);
	below = core_rand_below(r, UINT64_MAX);
	memcpy(parent + 32, &below, 8);
	CU_ASSERT_EQUAL(read(fd[0], child, sizeof(child)), sizeof(child));
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	CU_ASSERT_NOT_EQUAL(memcmp(parent, child, 32), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(parent + 32, child + 32, 8), 0);
	close(fd[0]);
	close(fd[1]);
	core_rand_close(r);
}

static void below_is_below_and_even(void)
{
	static const uint64_t bound[] = { 1,
		                          2,
		                          3,
		                          7,
		                          8,
		                          9,
		                          1000,
		                          UINT64_C(1) << 32,
		                          (UINT64_C(1) << 63) + 1,
		                          UINT64_MAX };
	struct core_rand *r = open_rand(7);
	unsigned hits[6] = { 0 };

	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++)
		for (int n = 0; n < 200; n++)
			CU_ASSERT_TRUE(core_rand_below(r, bound[i]) < bound[i]);
	CU_ASSERT_EQUAL(core_rand_below(r, 0), 0);
	for (int n = 0; n < 60000; n++)
		hits[core_rand_below(r, 6)]++;
	/* 91 a standard deviation. */
	for (int i = 0; i < 6; i++)
		CU_ASSERT_TRUE(hits[i] > 9500 && hits[i] < 10500);
	core_rand_close(r);
	core_rand_close(NULL);
}

static const struct tap_test tests[] = {
	{ "the same seed lives the same life, however the bytes are drawn",
	  same_seed_same_life },
	{ "another seed lives another life", other_seed_other_life },
	{ "the seeded stream is ChaCha20 of the seed", the_seeded_stream_is_fixed },
	{ "real bytes do not repeat, between sources or within one", real_bytes_differ },
	{ "a child after fork does not repeat its parent",
	  children_do_not_repeat_their_parent },
	{ "a number below a bound is below it, and all are equally likely",
	  below_is_below_and_even },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "rand", tests);
}
