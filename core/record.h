/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <muses/keys.h>
#include <muses/overlay.h>
#include <muses/reliability.h>
#include <muses/security.h>
#include <muses/transport.h>

/*
 * A plugin's record and operations, checked, and copied into memory of ours
 * that is zero behind what the plugin knew when it was compiled.
 */
struct core_record {
	struct muses_plugin plugin;
	union {
		struct muses_keys_ops keys;
		struct muses_security_ops security;
		struct muses_reliability_ops reliability;
		struct muses_overlay_ops overlay;
		struct muses_transport_ops transport;
	} ops;
};

/* theirs is what lay under the symbol of the file called name.  Nothing of the
 * plugin runs, but for the known answers of a security plugin, last.  false:
 * why is one sentence. */
bool core_record_take(struct core_record *record, const struct muses_plugin *theirs,
                      const char *name, char *why, size_t why_size);

/* Does this transport wrap another?  (It has an option of type LAYER.) */
bool core_record_wraps(const struct muses_plugin *plugin);

/* Does every suite give its known answers, and refuse every one of them with a
 * bit flipped?  core/answers.c. */
bool core_answers_right(const struct muses_security_ops *ops, char *why, size_t why_size);

#endif
