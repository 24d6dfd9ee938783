/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include "core/loader.h"

#include <jansson.h>
#include <stdio.h>

/*
 * JSON object + option table -> a plugin's config struct, or one sentence.
 * Opens and reads the files that MUSES_TYPE_FILE rows name.
 */
struct core_options; /* What the struct points to: strings, lists, file contents. */

/* How a MUSES_TYPE_LAYER value becomes a layer; given by core/pipeline.c. */
typedef struct muses_layer *core_options_inner_fn(void *user, const json_t *object,
                                                  const char *path, char *why,
                                                  size_t why_size);

/* Is text an address of the layer whose options are being read? */
typedef bool core_options_address_fn(void *user, const char *text, char *why,
                                     size_t why_size);

struct core_options_place {
	const char *path;   /* "pipeline.transport[0]": for sentences. */
	const char *folder; /* Relative file names start here. */
	core_options_inner_fn *inner;     /* NULL: nested layers are refused. */
	core_options_address_fn *address; /* Called after inner; NULL: not checked. */
	void *user;
};

/* Fill a new struct of plugin->config_size bytes from object, whose "plugin" key
 * is skipped.  Every other key must be in the table.  (A section of the node's
 * own file is read likewise, by a record of kind MUSES_KINDS; nothing is
 * skipped.)  On success *options owns
 * what *config points to; free with core_options_free(), which cleanses secret
 * files.  0, MUSES_ECONFIG, MUSES_ENOMEM. */
int core_options_read(const struct muses_plugin *plugin, const json_t *object,
                      const struct core_options_place *place, void **config,
                      struct core_options **options, char *why, size_t why_size);
void core_options_free(struct core_options *options, void *config);
/* Is key the name of a file that may change while the node runs? */
bool core_options_reloads(const struct muses_option *option, const char *key);
/* Is the table well-formed?  (Names unique and valid, defaults in range, every
 * row inside the struct.)  Looks at 128 rows at most. */
bool core_options_sane(const struct muses_option *option, size_t config_size, char *why,
                       size_t why_size);
/* As rows of text for `muses plugins NAME`: key, type, range, unit, default and
 * help. */
void core_options_print(const struct muses_option *option, FILE *file);
/* The same as items of a tagged list in the language of mdoc(7), for the plugin's
 * page. */
void core_options_print_man(const struct muses_option *option, FILE *file);

#endif
