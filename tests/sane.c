/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sane.h"

#include "tests/tap.h"

void assert_sane_buf(const struct muses_buf *b)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->block);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->data);
	/* The largest block there is. */
	CU_ASSERT_TRUE((uint64_t)b->head + b->size + b->tail <= 66 * 1024);
}

void assert_sane_bufs(struct muses_buf *const *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t *begin = b[i]->data - b[i]->head;
		const uint8_t *end = b[i]->data + b[i]->size + b[i]->tail;

		assert_sane_buf(b[i]);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_TRUE(end <= b[j]->data - b[j]->head ||
			               begin >= b[j]->data + b[j]->size + b[j]->tail);
	}
}

void assert_sane_queue(const struct muses_queue *q)
{
	size_t count = 0;
	size_t bytes = 0;

	for (const struct muses_buf *b = q->first; b != NULL; b = b->next) {
		assert_sane_buf(b);
		count++;
		bytes += b->size;
		CU_ASSERT_TRUE((b->next == NULL) == (b == q->last));
	}
	CU_ASSERT_EQUAL(count, q->count);
	CU_ASSERT_EQUAL(bytes, q->bytes);
	CU_ASSERT_TRUE(q->count > 0 || (q->first == NULL && q->last == NULL));
}
