/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges a plugin by its constant record alone.  A record that is longer than
 * ours comes from a newer MUSEs: one of the members we do not know may be the
 * one that makes it safe, so it is refused; a shorter one is filled with zeros.
 */
#include "core/record.h"
#include "core/options.h"
#include "core/say.h"

#include <string.h>

/* The record as it was when MUSES_ABI became 1: no plugin can have less. */
#define RECORD_SIZE_LEAST \
	(offsetof(struct muses_plugin, close) + sizeof(((struct muses_plugin *)0)->close))

/* An operation that must be there; all are pointers. */
struct entry {
	const char *name;
	size_t offset;
	bool wrapper_may_lack; /* The core asks the wrapped transport. */
};
#define ENTRY(kind, member)                                                 \
	{                                                                   \
#member, offsetof(struct muses_##kind##_ops, member), false \
	}
#define ENTRY_OF_INNERMOST(kind, member)                                   \
	{                                                                  \
#member, offsetof(struct muses_##kind##_ops, member), true \
	}

static const struct entry keys_entries[] = {
	ENTRY(keys, identity), ENTRY(keys, resolve),  ENTRY(keys, petname),
	ENTRY(keys, known),    ENTRY(keys, distinct), ENTRY(keys, begin),
	ENTRY(keys, write),    ENTRY(keys, read),     ENTRY(keys, peer),
	ENTRY(keys, finish),   ENTRY(keys, end),      ENTRY(keys, prove),
	ENTRY(keys, verify),   ENTRY(keys, may_link), { 0 },
};

static const struct entry security_entries[] = {
	ENTRY(security, suite),
	ENTRY(security, offers),
	{ 0 },
};

static const struct entry reliability_entries[] = {
	ENTRY(reliability, session_open),
	ENTRY(reliability, session_close),
	ENTRY(reliability, sendable),
	ENTRY(reliability, sent),
	ENTRY(reliability, received),
	ENTRY(reliability, ack_due),
	ENTRY(reliability, ack_sent),
	ENTRY(reliability, acked),
	ENTRY(reliability, path),
	ENTRY(reliability, phase),
	ENTRY(reliability, rehello_sent),
	ENTRY(reliability, rehello_answered),
	ENTRY(reliability, timer),
	ENTRY(reliability, info),
	{ 0 },
};

static const struct entry overlay_entries[] = {
	ENTRY(overlay, send),
	ENTRY(overlay, writable),
	ENTRY(overlay, reachable),
	ENTRY(overlay, mtu),
	ENTRY(overlay, link_up),
	ENTRY(overlay, link_down),
	ENTRY(overlay, link_writable),
	ENTRY(overlay, packet),
	ENTRY(overlay, control),
	ENTRY(overlay, info),
	{ 0 },
};

static const struct entry transport_entries[] = {
	ENTRY_OF_INNERMOST(transport, address),
	ENTRY_OF_INNERMOST(transport, local),
	ENTRY(transport, dial),
	ENTRY(transport, send),
	ENTRY(transport, queued),
	ENTRY(transport, close),
	{ 0 },
};

static const struct {
	const struct entry *entries;
	size_t size; /* Of the table as we know it. */
} tables[MUSES_KINDS] = {
	[MUSES_KEYS] = { keys_entries, sizeof(struct muses_keys_ops) },
	[MUSES_SECURITY] = { security_entries, sizeof(struct muses_security_ops) },
	[MUSES_RELIABILITY] = { reliability_entries,
	                        sizeof(struct muses_reliability_ops) },
	[MUSES_OVERLAY] = { overlay_entries, sizeof(struct muses_overlay_ops) },
	[MUSES_TRANSPORT] = { transport_entries, sizeof(struct muses_transport_ops) },
};

bool core_record_wraps(const struct muses_plugin *plugin)
{
	const struct muses_option *o = plugin->options;

	for (; o != NULL && o->type != MUSES_TYPE_END; o++)
		if (o->type == MUSES_TYPE_LAYER)
			return true;
	return false;
}

/* Member by member: each may only be read once the one before has been found
 * right. */
static bool take_plugin(struct muses_plugin *ours, const struct muses_plugin *theirs,
                        const char *name, char *why, size_t why_size)
{
	if (theirs->abi != MUSES_ABI) {
		core_say(why, why_size, 0, "plugin '%s' has ABI %u; this core has ABI %u",
		         name, theirs->abi, MUSES_ABI);
		return false;
	}
	if (theirs->size > sizeof(*ours)) {
		core_say(why, why_size, 0,
		         "plugin '%s' has a record of %u bytes; this core knows %zu: it "
		         "was "
		         "built for a newer MUSEs",
		         name, theirs->size, sizeof(*ours));
		return false;
	}
	if (theirs->size < RECORD_SIZE_LEAST) {
		core_say(why, why_size, 0,
		         "plugin '%s' has a record of %u bytes; the shortest that ever "
		         "was "
		         "has %zu",
		         name, theirs->size, RECORD_SIZE_LEAST);
		return false;
	}
	memset(ours, 0, sizeof(*ours));
	memcpy(ours, theirs, theirs->size);
	if (ours->name == NULL || strcmp(ours->name, name) != 0) {
		core_say(why, why_size, 0, "plugin '%s' calls itself '%.64s'", name,
		         ours->name == NULL ? "" : ours->name);
		return false;
	}
	if ((unsigned)ours->kind >= MUSES_KINDS) {
		core_say(why, why_size, 0, "plugin '%s' is of kind %u, which is unknown",
		         name, (unsigned)ours->kind);
		return false;
	}
	if (ours->summary == NULL || ours->summary[0] == '\0') {
		core_say(why, why_size, 0, "plugin '%s' has no summary", name);
		return false;
	}
	if ((ours->needs & ~(MUSES_NEED(MUSES_KINDS) - 1)) != 0) {
		core_say(why, why_size, 0,
		         "plugin '%s' needs kinds that are unknown (0x%x)", name,
		         ours->needs);
		return false;
	}
	if (ours->open == NULL) {
		core_say(why, why_size, 0, "plugin '%s' has no open()", name);
		return false;
	}
	return true;
}

static bool take_options(const struct muses_plugin *ours, char *why, size_t why_size)
{
	char reason[CORE_SAY_MAX];

	if (ours->options == NULL)
		return true;
	if (!core_options_sane(ours->options, ours->config_size, reason,
	                       sizeof(reason))) {
		core_say(why, why_size, 0, "plugin '%s': option %s", ours->name, reason);
		return false;
	}
	if (core_record_wraps(ours) && ours->kind != MUSES_TRANSPORT) {
		core_say(why, why_size, 0,
		         "plugin '%s' wraps another layer, which only transports may",
		         ours->name);
		return false;
	}
	return true;
}

static bool take_ops(struct core_record *record, char *why, size_t why_size)
{
	const struct muses_plugin *ours = &record->plugin;
	bool wraps = core_record_wraps(ours);

	if (ours->ops == NULL) {
		core_say(why, why_size, 0, "plugin '%s' has no operations", ours->name);
		return false;
	}
	if (ours->ops_size > tables[ours->kind].size) {
		core_say(why, why_size, 0,
		         "plugin '%s' has %zu bytes of operations; this core knows %zu: "
		         "it was "
		         "built for a newer MUSEs",
		         ours->name, ours->ops_size, tables[ours->kind].size);
		return false;
	}
	memset(&record->ops, 0, sizeof(record->ops));
	memcpy(&record->ops, ours->ops, ours->ops_size);
	for (const struct entry *e = tables[ours->kind].entries; e->name != NULL; e++) {
		void *pointer;

		memcpy(&pointer, (const char *)&record->ops + e->offset, sizeof(pointer));
		if (pointer == NULL && !(wraps && e->wrapper_may_lack)) {
			core_say(why, why_size, 0, "plugin '%s' lacks the operation %s",
			         ours->name, e->name);
			return false;
		}
	}
	if (ours->kind == MUSES_TRANSPORT &&
	    (record->ops.transport.mtu == 0 ||
	     record->ops.transport.mtu > MUSES_PACKET_MAX)) {
		core_say(why, why_size, 0, "plugin '%s' has an MTU of %u; want 1 to %u",
		         ours->name, record->ops.transport.mtu, MUSES_PACKET_MAX);
		return false;
	}
	return true;
}

bool core_record_take(struct core_record *record, const struct muses_plugin *theirs,
                      const char *name, char *why, size_t why_size)
{
	char reason[CORE_SAY_MAX];

	if (!take_plugin(&record->plugin, theirs, name, why, why_size) ||
	    !take_options(&record->plugin, why, why_size) ||
	    !take_ops(record, why, why_size))
		return false;
	if (record->plugin.kind == MUSES_SECURITY &&
	    !core_answers_right(&record->ops.security, reason, sizeof(reason))) {
		core_say(why, why_size, 0, "plugin '%s': %s", name, reason);
		return false;
	}
	return true;
}
