/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the known answers of every suite before it is offered.  A cipher that is
 * wrong here (a miscompiled library, a CPU feature that lies, a plugin that
 * forgets the tag) must not see a session.
 */
#include "core/record.h"
#include "core/say.h"

#include <string.h>

#define ANSWER_SIZE_MAX 4096

static bool suite_sane(const struct muses_suite *s, char *why, size_t why_size)
{
	const char *fault = NULL;

	if (s->name == NULL || s->name[0] == '\0')
		fault = "has no name";
	else if (s->key_open == NULL || s->seal == NULL || s->open == NULL ||
	         s->key_close == NULL)
		fault = "lacks an operation";
	else if (s->key_size > MUSES_KEY_MAX || s->mac_size > MUSES_KEY_MAX)
		fault = "wants keys longer than there are";
	else if (s->tag_size > s->overhead)
		fault = "has a tag longer than its overhead";
	else if (s->soft_packets == 0 || s->soft_packets > s->hard_packets ||
	         s->soft_bytes == 0 || s->most_failed == 0)
		fault = "has no limits for a key";
	else if (s->answers == NULL || s->answer_count == 0)
		fault = "has no known answer";
	if (fault != NULL)
		core_say(why, why_size, 0, "suite '%s' %s",
		         s->name == NULL ? "" : s->name, fault);
	return fault == NULL;
}

/* sealed, with the byte at flip changed (size: none), must open to plain, or
 * must not open. */
static bool opens(const struct muses_suite *s, const struct muses_known_answer *a,
                  size_t flip)
{
	uint8_t data[ANSWER_SIZE_MAX];
	void *context = s->key_open(s, MUSES_OPENING, &a->material);
	size_t size = 0;
	bool right;

	if (context == NULL)
		return false;
	memcpy(data, a->sealed, a->sealed_size);
	if (flip < a->sealed_size)
		data[flip] ^= 1;
	right = s->open(context, a->seq, a->aad, a->aad_size, data, a->sealed_size,
	                &size) == 0 &&
	        size == a->plain_size && (size == 0 || memcmp(data, a->plain, size) == 0);
	s->key_close(context);
	return right;
}

static bool seals(const struct muses_suite *s, const struct muses_known_answer *a)
{
	uint8_t out[ANSWER_SIZE_MAX], empty = 0;
	const uint8_t *plain = a->plain == NULL ? &empty : a->plain;
	/* In two pieces, since seal() gathers. */
	size_t half = a->plain_size / 2, size = 0;
	struct iovec iov[2] = {
		{ .iov_base = (void *)plain, .iov_len = half },
		{ .iov_base = (void *)(plain + half), .iov_len = a->plain_size - half },
	};
	void *context = s->key_open(s, MUSES_SEALING, &a->material);
	bool right;

	if (context == NULL)
		return false;
	right = s->seal(context, a->seq, a->aad, a->aad_size, iov, 2, out, &size) == 0 &&
	        size == a->sealed_size && memcmp(out, a->sealed, size) == 0;
	s->key_close(context);
	return right;
}

static const char *answer_fault(const struct muses_suite *s,
                                const struct muses_known_answer *a)
{
	if (a->plain_size + s->overhead > ANSWER_SIZE_MAX ||
	    a->sealed_size > ANSWER_SIZE_MAX ||
	    a->sealed_size > a->plain_size + s->overhead || a->sealed == NULL ||
	    (a->plain == NULL && a->plain_size > 0))
		return "is not usable";
	if (!seals(s, a))
		return "comes out wrong when sealing";
	if (!opens(s, a, SIZE_MAX))
		return "comes out wrong when opening";
	/* A suite without a tag (null) has nothing to refuse with. */
	if (s->tag_size > 0 && (opens(s, a, 0) || opens(s, a, a->sealed_size - 1)))
		return "opens although a bit was flipped";
	return NULL;
}

bool core_answers_right(const struct muses_security_ops *ops, char *why, size_t why_size)
{
	if (ops->suite_count == 0) {
		core_say(why, why_size, 0, "there is no suite in it");
		return false;
	}
	for (size_t i = 0; i < ops->suite_count; i++) {
		const struct muses_suite *s = &ops->suite[i];

		if (!suite_sane(s, why, why_size))
			return false;
		for (size_t j = 0; j < s->answer_count; j++) {
			const char *fault = answer_fault(s, &s->answers[j]);

			if (fault == NULL)
				continue;
			core_say(why, why_size, 0, "suite '%s': known answer %zu (%s) %s",
			         s->name, j,
			         s->answers[j].source == NULL ? "no source"
			                                      : s->answers[j].source,
			         fault);
			return false;
		}
	}
	return true;
}
