/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIGPARTS_H
#define CORE_CONFIGPARTS_H

#include "core/config.h"
#include "core/options.h"

/* What only the files that make up core/config.h know: config.c reads the file as
 * a whole, configparts.c and configlcm.c its parts, configopen.c tries them out. */
struct core_config_whole {
	struct core_config config;
	struct core_config_part {
		struct core_config_part *next;
		struct core_options *options;
		void *values;
	} *part; /* Everything the strings of config belong to. */
	char **warning;
	size_t warning_count;
};

struct core_config_reader {
	struct core_config_whole *whole;
	char *why;
	size_t why_size;
	/* NULL: read; else show the tables there instead, and read nothing. */
	FILE *show;
	bool as_mdoc;
};

/* A table read like a plugin's, whose sentences speak of keys. */
#define CORE_CONFIG_SECTION(section, table)                                            \
	{                                                                  \
		.name = #section, .kind = MUSES_KINDS, .options = (table), \
		.config_size = sizeof(struct section)                      \
	}

/* Read object by a section's table; *values is its struct, and part of whole.  While
 * showing: MUSES_EAGAIN. */
int core_config_part(struct core_config_reader *r, const struct muses_plugin *section,
                     const json_t *object, const char *path, const void **values);
/* Is name one?  path and key, put together, are where it stands. */
int core_config_name(struct core_config_reader *r, const char *path, const char *key,
                     const char *name);

/* Each reads one key of the file; value NULL: it is not there. */
int core_config_read_top(struct core_config_reader *r, const json_t *scalars);
int core_config_read_log(struct core_config_reader *r, const json_t *value);
int core_config_read_links(struct core_config_reader *r, const json_t *value);
int core_config_read_sessions(struct core_config_reader *r, const json_t *value);
int core_config_read_forward(struct core_config_reader *r, const json_t *value);
int core_config_read_services(struct core_config_reader *r, const json_t *value);

/* Names that stand in the file and must mean somebody, with the keys layer open. */
int core_config_check_names(const struct core_config *config, char *why, size_t why_size);

#endif
