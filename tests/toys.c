/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/toys.h"

#include "core/mem.h"

#include <muses/keys.h>
#include <muses/overlay.h>
#include <muses/reliability.h>
#include <muses/security.h>
#include <muses/transport.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char story[4096];
static const char *broken_plugin, *broken_function;
static char peers_text[256];

const char *toys_story(void)
{
	return story;
}

void toys_forget(void)
{
	story[0] = '\0';
}

void toys_break(const char *plugin, const char *function)
{
	broken_plugin = plugin;
	broken_function = function;
}

const char *toys_peers(void)
{
	return peers_text;
}

static bool happens(const char *function, const char *plugin)
{
	size_t used = strlen(story);

	snprintf(story + used, sizeof(story) - used, "%s%s(%s)", used == 0 ? "" : " ",
	         function, plugin);
	return broken_plugin != NULL && strcmp(broken_plugin, plugin) == 0 &&
	       strcmp(broken_function, function) == 0;
}

#define LIFE(toy)                                                                       \
	static int toy##_open(struct muses_layer *l, const void *config)                \
	{                                                                               \
		muses_set_self(l, (void *)config);                                      \
		if (happens("open", #toy))                                              \
			return muses_fail(l, MUSES_ECONFIG, "cannot be opened today");  \
		return 0;                                                               \
	}                                                                               \
	static int toy##_start(struct muses_layer *l)                                   \
	{                                                                               \
		if (happens("start", #toy))                                             \
			return muses_fail(l, MUSES_ESYSTEM, "cannot be started today"); \
		return 0;                                                               \
	}                                                                               \
	static void toy##_stop(struct muses_layer *l)                                   \
	{                                                                               \
		(void)l;                                                                \
		happens("stop", #toy);                                                  \
	}                                                                               \
	static void toy##_close(struct muses_layer *l)                                  \
	{                                                                               \
		(void)l;                                                                \
		happens("close", #toy);                                                 \
	}                                                                               \
	static int toy##_check(const void *config, char *why, size_t why_size)          \
	{                                                                               \
		(void)config;                                                           \
		if (!happens("check", #toy))                                            \
			return 0;                                                       \
		snprintf(why, why_size, "these options do not go together");            \
		return MUSES_ECONFIG;                                                   \
	}

#define LIVES(toy)                                                     \
	.name = #toy, .summary = "is for tests", .start = toy##_start, \
	.stop = toy##_stop, .close = toy##_close, .check = toy##_check

/* ---- keys ------------------------------------------------------------------ */

struct keys_config {
	struct muses_file peers;
	uint32_t number;
};

static const struct muses_option keys_options[] = {
	MUSES_FILE(keys_config, peers, MUSES_OPTION_RELOAD, "Who the others are."),
	MUSES_UINT32(keys_config, number, 20, 1, 100, "things", "How many."),
	MUSES_OPTIONS_END,
};

LIFE(toy_keys)

static int keys_open(struct muses_layer *l, const void *config)
{
	const struct keys_config *c = config;
	int err = toy_keys_open(l, config);

	snprintf(peers_text, sizeof(peers_text), "%s",
	         c->peers.data == NULL ? "" : c->peers.data);
	return err;
}

static void keys_reload(struct muses_layer *l, const void *config)
{
	const struct keys_config *c = config;

	muses_set_self(l, (void *)config);
	happens("reload", "toy_keys");
	snprintf(peers_text, sizeof(peers_text), "%s",
	         c->peers.data == NULL ? "" : c->peers.data);
}

static int identity(struct muses_layer *l, struct muses_id *id)
{
	(void)l;
	memset(id, 7, sizeof(*id));
	return 0;
}

static int resolve(struct muses_layer *l, const char *name, struct muses_id *id)
{
	static const char *const known[] = { "carol", "alice", "r1", "groupie" };

	(void)l;
	if (strcmp(name, "later") == 0)
		return MUSES_EAGAIN;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i], name) == 0) {
			memset(id, 0, sizeof(*id));
			id->bytes[0] = (uint8_t)i;
			return 0;
		}
	}
	return MUSES_EUNKNOWN;
}

static const char *petname(struct muses_layer *l, const struct muses_id *id)
{
	(void)l;
	(void)id;
	return NULL;
}

static bool yes(struct muses_layer *l, const struct muses_id *id)
{
	(void)l;
	(void)id;
	return true;
}

static bool distinct(struct muses_layer *l, const struct muses_id *id)
{
	(void)l;
	return id->bytes[0] != 3;
}

static int begin(struct muses_layer *l, enum muses_role role, const struct muses_id *peer,
                 uint8_t *pattern, uint8_t *messages, const uint8_t *prologue,
                 size_t prologue_size, struct muses_handshake **handshake)
{
	(void)l;
	(void)role;
	(void)peer;
	(void)pattern;
	(void)messages;
	(void)prologue;
	(void)prologue_size;
	(void)handshake;
	return MUSES_EREFUSED;
}

static int write_message(struct muses_handshake *h, const uint8_t *payload,
                         size_t payload_size, uint8_t *message, size_t room, size_t *size)
{
	(void)h;
	(void)payload;
	(void)payload_size;
	(void)message;
	(void)room;
	(void)size;
	return MUSES_EUSAGE;
}

static int read_message(struct muses_handshake *h, const uint8_t *message, size_t size,
                        uint8_t *payload, size_t *payload_size)
{
	(void)h;
	(void)message;
	(void)size;
	(void)payload;
	(void)payload_size;
	return MUSES_EUSAGE;
}

static bool peer_of(const struct muses_handshake *h, struct muses_id *id)
{
	(void)h;
	(void)id;
	return false;
}

static int finish(struct muses_handshake *h, struct muses_shared *shared)
{
	(void)h;
	(void)shared;
	return MUSES_EUSAGE;
}

static void end(struct muses_handshake *h)
{
	(void)h;
}

static int prove(struct muses_layer *l, const struct muses_id *peer,
                 const uint8_t *transcript, size_t transcript_size, uint8_t *proof,
                 size_t *proof_size)
{
	(void)l;
	(void)peer;
	(void)transcript;
	(void)transcript_size;
	(void)proof;
	(void)proof_size;
	return MUSES_EUSAGE;
}

static int verify(struct muses_layer *l, const struct muses_id *peer,
                  const uint8_t *transcript, size_t transcript_size, const uint8_t *proof,
                  size_t proof_size)
{
	(void)l;
	(void)peer;
	(void)transcript;
	(void)transcript_size;
	(void)proof;
	(void)proof_size;
	return MUSES_EAUTH;
}

static const struct muses_keys_ops keys_ops = {
	.identity = identity,
	.resolve = resolve,
	.petname = petname,
	.known = yes,
	.distinct = distinct,
	.begin = begin,
	.write = write_message,
	.read = read_message,
	.peer = peer_of,
	.finish = finish,
	.end = end,
	.prove = prove,
	.verify = verify,
	.may_link = yes,
};

static const struct muses_plugin toy_keys = {
	MUSES_STAMP,
	LIVES(toy_keys),
	.open = keys_open,
	.kind = MUSES_KEYS,
	.options = keys_options,
	.config_size = sizeof(struct keys_config),
	MUSES_OPS(keys_ops),
	.reload = keys_reload,
};

/* ---- security -------------------------------------------------------------- */

struct security_config {
	bool nothing, insecure;
};

static const struct muses_option security_options[] = {
	MUSES_BOOL(security_config, nothing, false, "Offer nothing."),
	MUSES_BOOL(security_config, insecure, false, "Offer the insecure suite too."),
	MUSES_OPTIONS_END,
};

LIFE(toy_security)

static void *key_open(const struct muses_suite *suite, enum muses_direction direction,
                      const struct muses_key_material *material)
{
	(void)suite;
	(void)direction;
	(void)material;
	return muses_zalloc(1);
}

static int seal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                const struct iovec *iov, size_t iov_count, uint8_t *out,
                size_t *sealed_size)
{
	(void)context;
	(void)seq;
	(void)aad;
	(void)aad_size;
	*sealed_size = 0;
	for (size_t i = 0; i < iov_count; i++) {
		memcpy(out + *sealed_size, iov[i].iov_base, iov[i].iov_len);
		*sealed_size += iov[i].iov_len;
	}
	return 0;
}

static int unseal(void *context, uint64_t seq, const uint8_t *aad, size_t aad_size,
                  uint8_t *data, size_t size, size_t *plain_size)
{
	(void)context;
	(void)seq;
	(void)aad;
	(void)aad_size;
	(void)data;
	*plain_size = size;
	return 0;
}

static const uint8_t sealed_byte[] = { 9 };
static const struct muses_known_answer answer = {
	.source = "nothing is done",
	.plain = sealed_byte,
	.plain_size = 1,
	.sealed = sealed_byte,
	.sealed_size = 1,
};

#define SUITE(wire_id, label, danger)                                                    \
	{                                                                                \
		.id = (wire_id), .name = (label), .insecure = (danger),                  \
		.soft_packets = 1, .hard_packets = 2, .soft_bytes = 1, .most_failed = 1, \
		.key_open = key_open, .seal = seal, .open = unseal,                      \
		.key_close = muses_free, .answers = &answer, .answer_count = 1,          \
	}
static const struct muses_suite suites[] = {
	SUITE(0xff01, "toy_one", false),
	SUITE(0xff02, "toy_two", true),
};

static bool offers(struct muses_layer *l, size_t index)
{
	const struct security_config *c = muses_self(l);

	return !c->nothing && (index == 0 || c->insecure);
}

static const struct muses_security_ops security_ops = { suites, 2, offers };

static const struct muses_plugin toy_security = {
	MUSES_STAMP,
	LIVES(toy_security),
	.open = toy_security_open,
	.kind = MUSES_SECURITY,
	.needs = MUSES_NEED(MUSES_KEYS),
	.options = security_options,
	.config_size = sizeof(struct security_config),
	MUSES_OPS(security_ops),
};

/* ---- reliability: never called, but must be there --------------------------- */

LIFE(toy_reliability)

static int session_open(struct muses_layer *l, struct muses_flow *flow, void **state)
{
	(void)l;
	(void)flow;
	(void)state;
	return MUSES_ENOMEM;
}

static void on_state(void *state)
{
	(void)state;
}

static size_t sendable(void *state)
{
	(void)state;
	return 0;
}

static int sent(void *state, uint64_t seq, size_t size, bool counts)
{
	(void)state;
	(void)seq;
	(void)size;
	(void)counts;
	return 0;
}

static void received(void *state, uint64_t seq, bool counts, bool gap, bool last,
                     bool lossy, bool congested)
{
	(void)state;
	(void)seq;
	(void)counts;
	(void)gap;
	(void)last;
	(void)lossy;
	(void)congested;
}

static uint64_t ack_due(void *state)
{
	(void)state;
	return UINT64_MAX;
}

static void acked(void *state, const struct muses_ack *ack)
{
	(void)state;
	(void)ack;
}

static void on_path(void *state, enum muses_path event)
{
	(void)state;
	(void)event;
}

static void on_phase(void *state, enum muses_phase phase)
{
	(void)state;
	(void)phase;
}

static void answered(void *state, uint64_t rtt_ns)
{
	(void)state;
	(void)rtt_ns;
}

static enum muses_verdict on_timer(void *state, uint64_t *due, const char **why)
{
	(void)state;
	(void)why;
	*due = UINT64_MAX;
	return MUSES_WAIT;
}

static void state_info(void *state, json_t *object)
{
	(void)state;
	(void)object;
}

static const struct muses_reliability_ops reliability_ops = {
	.wire_id = 0x80,
	.session_open = session_open,
	.session_close = on_state,
	.sendable = sendable,
	.sent = sent,
	.received = received,
	.ack_due = ack_due,
	.ack_sent = on_state,
	.acked = acked,
	.path = on_path,
	.phase = on_phase,
	.rehello_sent = on_state,
	.rehello_answered = answered,
	.timer = on_timer,
	.info = state_info,
};

static const struct muses_plugin toy_reliability = {
	MUSES_STAMP,
	LIVES(toy_reliability),
	.open = toy_reliability_open,
	.kind = MUSES_RELIABILITY,
	MUSES_OPS(reliability_ops),
};

/* ---- overlay --------------------------------------------------------------- */

struct overlay_config {
	struct muses_map routes;
};

static const struct muses_option overlay_options[] = {
	MUSES_MAP(overlay_config, routes, MUSES_OPTION_SCALAR, "Next hops."),
	MUSES_OPTIONS_END,
};

LIFE(toy_overlay)

static int overlay_send(struct muses_layer *l, const struct muses_id *destination,
                        struct muses_buf *b)
{
	(void)l;
	(void)destination;
	muses_buf_free(b);
	return MUSES_EUNREACHABLE;
}

static uint32_t overlay_mtu(struct muses_layer *l, const struct muses_id *destination)
{
	(void)l;
	(void)destination;
	return 1200;
}

static void on_link(struct muses_layer *l, struct muses_link *link)
{
	(void)l;
	(void)link;
}

static void on_packet(struct muses_layer *l, struct muses_link *link, struct muses_buf *b)
{
	(void)l;
	(void)link;
	muses_buf_free(b);
}

static bool neighbour(struct muses_layer *l, size_t index, const char **name)
{
	const struct overlay_config *c = muses_self(l);

	if (index >= c->routes.count)
		return false;
	*name = c->routes.entry[index].values.item[0];
	return true;
}

static void overlay_info(struct muses_layer *l, json_t *object)
{
	(void)l;
	(void)object;
}

static const struct muses_overlay_ops overlay_ops = {
	.send = overlay_send,
	.writable = yes,
	.reachable = yes,
	.mtu = overlay_mtu,
	.link_up = on_link,
	.link_down = on_link,
	.link_writable = on_link,
	.packet = on_packet,
	.control = on_packet,
	.neighbour = neighbour,
	.info = overlay_info,
};

static const struct muses_plugin toy_overlay = {
	MUSES_STAMP,
	LIVES(toy_overlay),
	.open = toy_overlay_open,
	.kind = MUSES_OVERLAY,
	.options = overlay_options,
	.config_size = sizeof(struct overlay_config),
	MUSES_OPS(overlay_ops),
};

/* ---- transports ------------------------------------------------------------ */

struct tcp_config {
	struct muses_list listen;
	struct muses_map dial;
};

static const struct muses_option tcp_options[] = {
	MUSES_LIST(tcp_config, listen, MUSES_OPTION_ADDRESS, "Where others dial us."),
	MUSES_MAP(tcp_config, dial, MUSES_OPTION_ADDRESS, "Whom we dial."),
	MUSES_OPTIONS_END,
};

LIFE(toy_tcp)

static bool address(const char *text, char *why, size_t why_size)
{
	if (strchr(text, ':') != NULL)
		return true;
	snprintf(why, why_size, "want IP:PORT, not '%.40s'", text);
	return false;
}

static bool local(const void *config)
{
	const struct tcp_config *c = config;

	for (size_t i = 0; i < c->listen.count; i++)
		if (strncmp(c->listen.item[i], "127.", 4) != 0)
			return false;
	for (size_t i = 0; i < c->dial.count; i++)
		for (size_t j = 0; j < c->dial.entry[i].values.count; j++)
			if (strncmp(c->dial.entry[i].values.item[j], "127.", 4) != 0)
				return false;
	return true;
}

static int dial(struct muses_layer *l, struct muses_channel *channel, const char *to)
{
	(void)l;
	(void)channel;
	(void)to;
	return MUSES_EUNREACHABLE;
}

static void transmit(struct muses_layer *l, struct muses_channel *channel,
                     struct muses_buf *b)
{
	(void)l;
	(void)channel;
	muses_buf_free(b);
}

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

static void channel_info(struct muses_layer *l, struct muses_channel *channel,
                         json_t *object)
{
	(void)l;
	(void)channel;
	(void)object;
}

static const struct muses_transport_ops tcp_ops = {
	.mtu = 1400,
	.address = address,
	.local = local,
	.dial = dial,
	.send = transmit,
	.queued = queued,
	.close = forget,
	.info = channel_info,
};

static const struct muses_plugin toy_tcp = {
	MUSES_STAMP,
	LIVES(toy_tcp),
	.open = toy_tcp_open,
	.kind = MUSES_TRANSPORT,
	.options = tcp_options,
	.config_size = sizeof(struct tcp_config),
	MUSES_OPS(tcp_ops),
};

struct wrap_config {
	struct muses_inner over;
	struct muses_list listen;
	struct muses_file notes;
};

static const struct muses_option wrap_options[] = {
	MUSES_LIST(wrap_config, listen, MUSES_OPTION_ADDRESS,
	           "Addresses of what is inside."),
	MUSES_INNER(wrap_config, over, 0, "What is inside."),
	MUSES_FILE(wrap_config, notes, MUSES_OPTION_RELOAD, "Anything."),
	MUSES_OPTIONS_END,
};

LIFE(toy_wrap)

static void wrap_reload(struct muses_layer *l, const void *config)
{
	const struct wrap_config *c = config, *old = muses_self(l);

	if (c->over.layer != old->over.layer)
		abort();
	muses_set_self(l, (void *)config);
	happens("reload", "toy_wrap");
}

static const struct muses_transport_ops wrap_ops = {
	.mtu = 1400,
	.dial = dial,
	.send = transmit,
	.queued = queued,
	.close = forget,
	.info = channel_info,
};

static const struct muses_plugin toy_wrap = {
	MUSES_STAMP,
	LIVES(toy_wrap),
	.open = toy_wrap_open,
	.kind = MUSES_TRANSPORT,
	.options = wrap_options,
	.config_size = sizeof(struct wrap_config),
	MUSES_OPS(wrap_ops),
	.reload = wrap_reload,
};

int toys_add(struct core_loader *loader)
{
	static const struct muses_plugin *const toys[] = {
		&toy_keys,    &toy_security, &toy_reliability,
		&toy_overlay, &toy_tcp,      &toy_wrap,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(toys) / sizeof(toys[0]) && err == 0; i++)
		err = core_loader_add(loader, toys[i]);
	return err;
}

struct core_loader *toys_loader(void)
{
	struct core_loader *loader;

	unsetenv("MUSES_PLUGIN_PATH");
	loader = core_loader_open();
	if (loader != NULL && toys_add(loader) == 0)
		return loader;
	core_loader_close(loader);
	return NULL;
}
