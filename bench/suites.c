/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sealing and opening a packet costs, per suite: a table, or with --json
 * one object.  Packets are gathered from a frame header and data, as the core
 * does; the best of several rounds counts, since everything else on the machine
 * can only add.
 */
#include "tests/suites.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, ROUND_NS = 20000000, HEADER_SIZE = 12, AAD_SIZE = 66 };

static const size_t sizes[] = { 64, 1400, 60000 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static uint8_t plain[MUSES_PACKET_MAX], sealed[MUSES_PACKET_MAX], work[MUSES_PACKET_MAX];
static uint8_t aad[AAD_SIZE];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct job {
	const struct muses_suite *suite;
	void *key;
	uint64_t seq;
	size_t size, sealed_size;
};

static int seal(struct job *j)
{
	struct iovec iov[2] = {
		{ plain, HEADER_SIZE },
		{ plain + HEADER_SIZE, j->size - HEADER_SIZE },
	};

	return j->suite->seal(j->key, j->seq++, aad, sizeof(aad), iov, 2, sealed,
	                      &j->sealed_size);
}

/* Opening is in place, so each packet is copied first; copying alone is timed too
 * and taken off. */
static int copy(struct job *j)
{
	memcpy(work, sealed, j->sealed_size);
	return 0;
}

static int open_copy(struct job *j)
{
	size_t size;

	memcpy(work, sealed, j->sealed_size);
	return j->suite->open(j->key, j->seq, aad, sizeof(aad), work, j->sealed_size,
	                      &size);
}

/* Nanoseconds of one run, the best of all rounds; negative if it fails. */
static double best_ns(struct job *j, int (*run)(struct job *))
{
	double best = -1;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), end;
		uint64_t count = 0;

		do {
			for (int i = 0; i < 16; i++, count++)
				if (run(j) != 0)
					return -1;
			end = now_ns();
		} while (end - start < ROUND_NS);
		if (best < 0 || (double)(end - start) / (double)count < best)
			best = (double)(end - start) / (double)count;
	}
	return best;
}

struct cost {
	double seal_ns, open_ns;
};

static struct cost measure(const struct muses_suite *suite, size_t size)
{
	struct job j = {
		.suite = suite,
		.key = suites_key(suite, MUSES_SEALING, 1),
		.size = size,
	};
	struct cost c;
	double copy_ns;

	suites_fill(plain, size, 1);
	c.seal_ns = best_ns(&j, seal);
	suite->key_close(j.key);
	j.seq--; /* Of the packet that is in sealed. */
	j.key = suites_key(suite, MUSES_OPENING, 1);
	copy_ns = best_ns(&j, copy);
	c.open_ns = best_ns(&j, open_copy) - copy_ns;
	suite->key_close(j.key);
	return c;
}

static double mib_per_s(size_t size, double ns)
{
	/* null opens by doing nothing. */
	return ns > 5 ? (double)size * 1e9 / ns / (1 << 20) : 0;
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	const struct muses_suite *s;

	if (argc > 2 || (argc > 1 && !json)) {
		fprintf(stderr, "usage: %s [--json]\n", argv[0]);
		return 2;
	}
	if (json)
		printf("{ \"suites\": [");
	else
		printf("%-24s %21s %21s %21s\n%-24s %10s %10s %10s %10s %10s %10s\n", "",
		       "64 bytes, ns", "1400 bytes, ns", "60000 bytes, MiB/s", "suite",
		       "seal", "open", "seal", "open", "seal", "open");
	for (size_t i = 0; (s = suites_at(i)) != NULL; i++) {
		struct cost c[SIZES];

		for (size_t k = 0; k < SIZES; k++)
			c[k] = measure(s, sizes[k]);
		if (!json) {
			printf("%-24s %10.0f %10.0f %10.0f %10.0f %10.0f %10.0f\n",
			       s->name, c[0].seal_ns, c[0].open_ns, c[1].seal_ns,
			       c[1].open_ns, mib_per_s(sizes[2], c[2].seal_ns),
			       mib_per_s(sizes[2], c[2].open_ns));
			fflush(stdout);
			continue;
		}
		printf("%s\n  { \"name\": \"%s\", \"packets\": [", i > 0 ? "," : "",
		       s->name);
		for (size_t k = 0; k < SIZES; k++)
			printf("%s { \"bytes\": %zu, \"seal_ns\": %.0f, \"open_ns\": "
			       "%.0f }",
			       k > 0 ? "," : "", sizes[k], c[k].seal_ns, c[k].open_ns);
		printf(" ] }");
	}
	if (json)
		printf("\n] }\n");
	return 0;
}
