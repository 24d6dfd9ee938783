/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport that does nothing, and a security plugin that seals with exclusive
 * or: compiled many times, each time with one thing wrong (see Makefile.inc).
 * STEM is the name of the file.
 */
#include <muses/security.h>
#include <muses/transport.h>

#include <stdlib.h>

#define PASTE(stem)  MUSES_PLUGIN(stem)
#define QUOTE2(stem) #stem
#define QUOTE(stem)  QUOTE2(stem)

struct broken_config {
	uint32_t number;
	bool flag;
};

static const struct muses_option options[] = {
#ifdef BAD_OPTION
	MUSES_UINT32(broken_config, number, 200, 1, 100, "things", "How many."),
#else
	MUSES_UINT32(broken_config, number, 20, 1, 100, "things", "How many."),
#endif
	MUSES_BOOL(broken_config, flag, true, "Whether."),
	MUSES_OPTIONS_END,
};

#ifndef NO_OPEN
/* Whoever runs something of a plugin that was refused, finds out. */
static int broken_open(struct muses_layer *l, const void *config)
{
	(void)l;
	(void)config;
	abort();
}
#endif

#ifdef SECURITY

struct key {
	uint8_t byte;
};

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material)
{
	struct key *key = muses_zalloc(sizeof(*key));

	(void)suite;
	(void)direction;
	if (key != NULL)
		key->byte = material->key[0];
	return key;
}

static int seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                const struct iovec *iov, size_t iov_count, uint8_t *out,
                size_t *sealed_size)
{
	const struct key *key = context;
	uint8_t tag = (uint8_t)seq;
	size_t size = 0;

	for (size_t i = 0; i < aad_size; i++)
		tag ^= aad[i];
	for (size_t i = 0; i < iov_count; i++) {
		const uint8_t *from = iov[i].iov_base;

		for (size_t j = 0; j < iov[i].iov_len; j++) {
			tag ^= from[j];
			out[size++] = from[j] ^ key->byte;
		}
	}
	out[size++] = tag;
	*sealed_size = size;
	return 0;
}

static int unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                  uint8_t *data, size_t size, size_t *plain_size)
{
	const struct key *key = context;
	uint8_t tag = (uint8_t)seq;

	if (size == 0)
		return MUSES_EAUTH;
	for (size_t i = 0; i < aad_size; i++)
		tag ^= aad[i];
	for (size_t i = 0; i < size - 1; i++) {
		data[i] ^= key->byte;
		tag ^= data[i];
	}
	*plain_size = size - 1;
#ifdef FORGETS_TAG
	(void)tag;
	return 0;
#else
	return tag == data[size - 1] ? 0 : MUSES_EAUTH;
#endif
}

static void key_close(void *context)
{
	muses_free_secret(context, sizeof(struct key));
}

static const uint8_t plain[] = { 1, 2, 3 };
#ifdef BAD_ANSWER
static const uint8_t sealed[] = { 0x56, 0x55, 0x54, 0x08 };
#else
static const uint8_t sealed[] = { 0x56, 0x55, 0x54, 0x07 };
#endif

static const struct muses_known_answer answers[] = {
	{ .source = "by hand",
	  .material = { .key = { 0x57 } },
	  .seq = 7,
	  .plain = plain,
	  .plain_size = sizeof(plain),
	  .sealed = sealed,
	  .sealed_size = sizeof(sealed) },
};

static const struct muses_suite suites[] = {
	{ .id = 0xff01,
	  .name = "toy",
	  .key_size = 1,
#ifdef LONG_TAG
	  .overhead = 0,
#else
	  .overhead = 1,
#endif
	  .tag_size = 1,
	  .soft_packets = 100,
	  .hard_packets = 200,
	  .soft_bytes = 1000,
	  .most_failed = 10,
	  .key_open = key_open,
	  .seal = seal,
	  .open = unseal,
	  .key_close = key_close,
	  .answers = answers,
#ifdef NO_ANSWER
	  .answer_count = 0 },
#else
	  .answer_count = 1 },
#endif
};

static bool offers(struct muses_layer *l, size_t index)
{
	(void)l;
	(void)index;
	return true;
}

static const struct muses_security_ops ops = {
	.suite = suites,
	.suite_count = 1,
	.offers = offers,
};
#define KIND MUSES_SECURITY

#else

static bool address(const char *text, char *why, size_t why_size)
{
	(void)text;
	(void)why;
	(void)why_size;
	return true;
}

static bool local(const void *config)
{
	(void)config;
	return true;
}

static int dial(struct muses_layer *l, struct muses_channel *channel, const char *to)
{
	(void)l;
	(void)channel;
	(void)to;
	return MUSES_EUNREACHABLE;
}

#ifndef MISSING_OP
static void transmit(struct muses_layer *l, struct muses_channel *channel,
                     struct muses_buf *b)
{
	(void)l;
	(void)channel;
	muses_buf_free(b);
}
#endif

static size_t queued(struct muses_layer *l, struct muses_channel *channel)
{
	(void)l;
	(void)channel;
	return 0;
}

static void forget(struct muses_layer *l, struct muses_channel *channel)
{
	(void)l;
	(void)channel;
}

static void info(struct muses_layer *l, struct muses_channel *channel, json_t *object)
{
	(void)l;
	(void)channel;
	(void)object;
}

static const struct muses_transport_ops ops = {
	.mtu = 1400,
	.address = address,
	.local = local,
	.dial = dial,
#ifndef MISSING_OP
	.send = transmit,
#endif
	.queued = queued,
	.close = forget,
	.info = info,
};
#define KIND MUSES_TRANSPORT

#endif

#ifdef UNDEFINED
int nowhere_to_be_found(void);

static int broken_start(struct muses_layer *l)
{
	(void)l;
	return nowhere_to_be_found();
}
#endif

#ifdef NO_SYMBOL
#define RECORD PASTE(something_else)
#else
#define RECORD PASTE(STEM)
#endif

RECORD = {
	MUSES_STAMP,
#ifdef WRONG_ABI
	.abi = MUSES_ABI + 1,
#endif
#ifdef TOO_LONG
	.size = sizeof(struct muses_plugin) + 8,
#endif
#ifdef TOO_SHORT
	.size = sizeof(struct muses_plugin) - 8,
#endif
#ifdef WRONG_NAME
	.name = "somebody_else",
#else
	.name = QUOTE(STEM),
#endif
	.summary = "is for tests",
#ifdef UNKNOWN_KIND
	.kind = MUSES_KINDS,
#else
	.kind = KIND,
#endif
#ifdef UNKNOWN_NEED
	.needs = 1u << 31,
#endif
	.options = options,
	.config_size = sizeof(struct broken_config),
	MUSES_OPS(ops),
#ifdef SMALL_OPS
	.ops_size = offsetof(struct muses_transport_ops, dial),
#endif
#ifdef LONG_OPS
	.ops_size = sizeof(ops) + 8,
#endif
#ifdef NO_OPS
	.ops = NULL,
#endif
#ifdef NO_OPEN
	.open = NULL,
#else
	.open = broken_open,
#endif
#ifdef UNDEFINED
	.start = broken_start,
#endif
};
