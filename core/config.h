/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "core/link.h"
#include "core/pipeline.h"
#include "core/session.h"

#include <stdio.h>

/*
 * A node's JSON file as a whole: read, checked, ready to open.  Strict: an
 * unknown or duplicate key, a wrong type or a value out of range is one sentence
 * that begins with the JSON path.  Syntax errors give line and column.  At most
 * 1 MiB and 64 levels deep.  Everything here is what `muses check` checks.
 */
struct core_forward {
	const char *listen;  /* "127.0.0.1:2222", "[::1]:2222" or "unix:PATH" */
	const char *to;      /* Name of the peer. */
	const char *service;
};

struct core_service {
	const char *name;
	const char *connect; /* Address, as above. */
	struct muses_list allow; /* Names, or "*"; empty: nobody. */
};

struct core_config {
	const char *path;   /* Of the file, absolute. */
	const char *folder; /* Relative paths start here. */
	const char *name;
	const char *control; /* Path of the control socket; NULL: none. */
	const char *state;   /* Path of the state file; NULL: none. */
	struct core_forward *forward;
	size_t forward_count;
	struct core_service *service;
	size_t service_count;
	struct core_links_config links;
	struct core_sessions_config sessions;
	enum muses_level log_level;
	enum core_log_form log_form;
	size_t memory_bytes; /* Bound of the buffer pool. */
	struct core_pipeline *pipeline; /* Checked, not open. */
	struct json_t *root; /* As read: for core_config_reloadable(). */
	/* What works but may not be meant, for the log: "services.ssh.allow ...". */
	struct muses_list warnings;
};

/* 0; MUSES_ECONFIG, MUSES_EPLUGIN, MUSES_ESYSTEM, MUSES_ENOMEM with why. */
int core_config_read(struct core_config **config, const char *path,
                     struct core_loader *loader, char *why, size_t why_size);
/* The same from memory, for tests and fuzzing; folder as if the file stood there. */
int core_config_parse(struct core_config **config, const char *text, size_t size,
                      const char *folder, struct core_loader *loader, char *why,
                      size_t why_size);
void core_config_free(struct core_config *config);

/* Show the keys of a part of the file as core_options_print() or _print_man() does:
 * "node" (those that are no objects), "log", "links", "sessions", "forward",
 * "services".  false: there is no such part, or no memory. */
bool core_config_show(const char *part, bool as_mdoc, FILE *file);

/* What can only be told by layers that are open: a dry run.  Opens them in a world
 * of its own (open() does no I/O), checks the suites and the names, and closes
 * them again.  What the layers warn of goes to log (NULL: nowhere).  `muses check`
 * and `muses node` and a reload call it, so that they agree. */
int core_config_check_open(struct core_config *config, struct core_log *log, char *why,
                           size_t why_size);
/* Are these two the same but for services, forwards, log and reloadable files?
 * Else false, and why names the first key that differs. */
bool core_config_reloadable(const struct core_config *old, const struct core_config *fresh,
                            char *why, size_t why_size);

#endif
