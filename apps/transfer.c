/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the file transfer, to and from bytes.  No input, no output. */
#include "apps/transfer.h"

#include <muses/wire.h>

#include <stdio.h>
#include <string.h>

/* ---- names ---------------------------------------------------------------- */

/* Bytes of the character of UTF-8 at s, 0: not one, or a control character. */
static size_t character(const uint8_t *s, size_t left)
{
	size_t size = s[0] < 0x80   ? 1
	              : s[0] < 0xc2 ? 0
	              : s[0] < 0xe0 ? 2
	              : s[0] < 0xf0 ? 3
	              : s[0] < 0xf5 ? 4
	                            : 0;

	if (size == 0 || size > left || s[0] < 0x20 || s[0] == 0x7f)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xc2 && s[1] < 0xa0) ||  /* Control characters beyond ASCII. */
	    (s[0] == 0xe0 && s[1] < 0xa0) ||  /* Longer than needed ... */
	    (s[0] == 0xed && s[1] >= 0xa0) || /* ... half a pair ... */
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90) ||
	    /* ... and what turns the direction of writing round, to look harmless. */
	    (s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
	    (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9))
		return 0;
	return size;
}

bool transfer_name_valid(const char *name, size_t size)
{
	static const char part[] = ".part";
	const size_t part_size = sizeof(part) - 1;

	if (size == 0 || size > TRANSFER_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	if (size >= part_size && memcmp(name + size - part_size, part, part_size) == 0)
		return false;
	for (size_t i = 0, step; i < size; i += step) {
		step = character((const uint8_t *)name + i, size - i);
		if (step == 0 || name[i] == '/')
			return false;
	}
	return true;
}

/* Words of the peer's, for our terminal. */
static void printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

/* ---- reading -------------------------------------------------------------- */

bool transfer_read_head(const uint8_t head[static TRANSFER_HEAD], size_t *body_size)
{
	struct muses_reader r = muses_reader(head, TRANSFER_HEAD);
	uint8_t type = muses_read_u8(&r);

	*body_size = muses_read_u16(&r);
	return type >= TRANSFER_OFFER && type <= TRANSFER_RESULT &&
	       *body_size <= TRANSFER_BODY_MAX;
}

static bool read_text(struct muses_reader *r, char *text, size_t most)
{
	size_t size = muses_left(r);

	if (size > most)
		return false;
	muses_read_to(r, text, size);
	text[size] = '\0';
	return memchr(text, '\0', size) == NULL;
}

static bool read_body(struct muses_reader *r, struct transfer_message *m)
{
	switch (m->type) {
	case TRANSFER_OFFER:
		if (muses_read_u8(r) != TRANSFER_VERSION)
			return false;
		m->size = muses_read_u64(r);
		return m->size <= TRANSFER_SIZE_MAX &&
		       read_text(r, m->text, TRANSFER_NAME_MAX) &&
		       transfer_name_valid(m->text, strlen(m->text));
	case TRANSFER_READY:
		m->offset = muses_read_u64(r);
		muses_read_to(r, m->hash, sizeof(m->hash));
		return true;
	case TRANSFER_START:
		m->offset = muses_read_u64(r);
		return true;
	case TRANSFER_DIGEST:
		muses_read_to(r, m->hash, sizeof(m->hash));
		return true;
	case TRANSFER_RESULT:
		m->status = muses_read_u8(r);
		if (m->status > TRANSFER_FAILED || !read_text(r, m->text, TRANSFER_WORDS))
			return false;
		printable(m->text);
		return true;
	default:
		return false;
	}
}

bool transfer_read(const uint8_t *data, size_t size, struct transfer_message *m)
{
	struct muses_reader r = muses_reader(data, size);
	size_t body_size;

	memset(m, 0, sizeof(*m));
	if (size < TRANSFER_HEAD || !transfer_read_head(data, &body_size) ||
	    body_size != size - TRANSFER_HEAD)
		return false;
	m->type = muses_read_u8(&r);
	muses_read_u16(&r);
	return read_body(&r, m) && muses_read_finished(&r);
}

/* ---- writing -------------------------------------------------------------- */

size_t transfer_write(const struct transfer_message *m,
                      uint8_t out[static TRANSFER_HEAD + TRANSFER_BODY_MAX])
{
	struct muses_writer w = muses_writer(out, TRANSFER_HEAD + TRANSFER_BODY_MAX);
	uint8_t *size_at;

	muses_write_u8(&w, (uint8_t)m->type);
	size_at = muses_write_space(&w, 2);
	switch (m->type) {
	case TRANSFER_OFFER:
		muses_write_u8(&w, TRANSFER_VERSION);
		muses_write_u64(&w, m->size);
		muses_write(&w, m->text, strnlen(m->text, TRANSFER_NAME_MAX));
		break;
	case TRANSFER_READY:
		muses_write_u64(&w, m->offset);
		muses_write(&w, m->hash, sizeof(m->hash));
		break;
	case TRANSFER_START:
		muses_write_u64(&w, m->offset);
		break;
	case TRANSFER_DIGEST:
		muses_write(&w, m->hash, sizeof(m->hash));
		break;
	case TRANSFER_RESULT:
		muses_write_u8(&w, (uint8_t)m->status);
		muses_write(&w, m->text, strnlen(m->text, TRANSFER_WORDS));
		break;
	}
	size_at[0] = (uint8_t)((muses_written(&w) - TRANSFER_HEAD) >> 8);
	size_at[1] = (uint8_t)(muses_written(&w) - TRANSFER_HEAD);
	return muses_written(&w);
}
