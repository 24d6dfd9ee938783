/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_OPTION_H
#define MUSES_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The table of a plugin's configuration keys.
 *
 * One row is the only place where a key's name, type, range, default, unit and
 * help stand: the core parses the JSON object with it, words the errors with
 * it, prints `muses plugins NAME` and the manual page's table from it.  A
 * plugin's open() receives a filled struct and contains no parsing.
 *
 * Everything the struct points to belongs to the core, is constant, and lives
 * until the layer's close() has returned.
 */
enum muses_option_type {
	MUSES_TYPE_END = 0,
	MUSES_TYPE_BOOL,   /* bool */
	MUSES_TYPE_UINT32, /* uint32_t, from least to most */
	MUSES_TYPE_UINT64, /* uint64_t, from least to most */
	MUSES_TYPE_REAL,   /* double, from least_real to most_real */
	MUSES_TYPE_STRING, /* const char *, UTF-8 without zero bytes; NULL: not given */
	MUSES_TYPE_CHOICE, /* uint32_t: index of the string in choices */
	MUSES_TYPE_LIST,   /* struct muses_list: strings; one string is a list of one */
	MUSES_TYPE_MAP,    /* struct muses_map: name -> strings */
	MUSES_TYPE_FILE,   /* struct muses_file: opened, checked and read by the core */
	MUSES_TYPE_LAYER,  /* struct muses_inner: a nested { "plugin": ... } object of
	                    * the same kind, for a layer that wraps another */
};

struct muses_list {
	size_t count;
	const char *const *item;
};

struct muses_map_entry {
	const char *name;
	struct muses_list values; /* A plain string is a list of one. */
};

struct muses_map {
	size_t count;
	const struct muses_map_entry *entry; /* In the order of the file. */
};

/* A file the core has opened, checked and read whole, at most MUSES_FILE_MAX
 * bytes.  path is absolute.  data ends in a zero byte that size does not count;
 * NULL: not given.  After a reload (SIGHUP) a file row with MUSES_OPTION_RELOAD
 * holds the new contents when the layer's reload() is called. */
struct muses_file {
	const char *path;
	const char *data;
	size_t size;
};
#define MUSES_FILE_MAX (1u << 20)

/* A nested layer; the core opens and closes it.  NULL: not given. */
struct muses_inner {
	struct muses_layer *layer;
};

enum muses_option_flags {
	MUSES_OPTION_REQUIRED = 1 << 0, /* The key must be there. */
	MUSES_OPTION_SECRET = 1 << 1,   /* FILE: mode 0600 or stricter, owned by us or
	                                 * root, not a link; cleansed when freed. */
	MUSES_OPTION_RELOAD = 1 << 2,   /* FILE: read again on SIGHUP. */
	MUSES_OPTION_ADDRESS = 1 << 3,  /* STRING, LIST, MAP: checked by the transport's
	                                 * address() operation. */
	MUSES_OPTION_SCALAR = 1 << 4,   /* MAP: one string a name, lists refused. */
};

struct muses_option {
	const char *name; /* [a-z][a-z0-9_]* */
	const char *help; /* One sentence, with capital and full stop. */
	const char *unit; /* "ms", "packets"; NULL: none. */
	enum muses_option_type type;
	uint32_t flags;
	size_t offset; /* In the plugin's config struct. */
	uint64_t least, most, preset;
	double least_real, most_real, preset_real;
	const char *preset_text;    /* STRING; NULL: none. */
	const char *const *choices; /* CHOICE: ends with NULL; preset is an index. */
};

#define MUSES_OPTION_AT(config, member) .name = #member, .offset = offsetof(struct config, member)

#define MUSES_BOOL(config, member, value, text)                                      \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_BOOL, .most = 1,       \
	  .preset = (value), .help = (text) }
#define MUSES_UINT32(config, member, value, low, high, measure, text)                \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_UINT32, .least = (low),\
	  .most = (high), .preset = (value), .unit = (measure), .help = (text) }
#define MUSES_UINT64(config, member, value, low, high, measure, text)                \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_UINT64, .least = (low),\
	  .most = (high), .preset = (value), .unit = (measure), .help = (text) }
#define MUSES_REAL(config, member, value, low, high, measure, text)                  \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_REAL,                  \
	  .least_real = (low), .most_real = (high), .preset_real = (value),          \
	  .unit = (measure), .help = (text) }
#define MUSES_STRING(config, member, value, how, text)                               \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_STRING,                \
	  .preset_text = (value), .flags = (how), .help = (text) }
#define MUSES_CHOICE(config, member, value, words, text)                             \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_CHOICE,                \
	  .preset = (value), .choices = (words), .help = (text) }
#define MUSES_LIST(config, member, how, text)                                        \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_LIST, .flags = (how),  \
	  .help = (text) }
#define MUSES_MAP(config, member, how, text)                                         \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_MAP, .flags = (how),   \
	  .help = (text) }
#define MUSES_FILE(config, member, how, text)                                        \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_FILE, .flags = (how),  \
	  .help = (text) }
#define MUSES_INNER(config, member, how, text)                                       \
	{ MUSES_OPTION_AT(config, member), .type = MUSES_TYPE_LAYER, .flags = (how), \
	  .help = (text) }
#define MUSES_OPTIONS_END { .type = MUSES_TYPE_END }

#endif
