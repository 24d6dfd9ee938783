/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FIND_H
#define CORE_FIND_H

#include <stdbool.h>
#include <stddef.h>

/*
 * From a plugin's name to the one real file that it means.
 *
 * Folders in order: those added, those of MUSES_PLUGIN_PATH (unless we run
 * set-uid), the installed one.  In a folder, NAME.so counts, and in a build tree
 * NAME.la, which says where libtool has put NAME.so.  The first found wins.
 */
#define CORE_PLUGIN_NAME_MAX 63

/* [a-z][a-z0-9_]*, at most CORE_PLUGIN_NAME_MAX characters. */
bool core_plugin_name_valid(const char *name);

struct core_find {
	char **folder;
	size_t count, added; /* The first added ones were given by the caller. */
	char *text;          /* All of them, for a sentence. */
};

/* 0 or MUSES_ENOMEM. */
int core_find_init(struct core_find *find);
void core_find_release(struct core_find *find);
/* Folders separated by ':', to come after those added before. */
int core_find_add(struct core_find *find, const char *folders);
const char *core_find_text(const struct core_find *find);

/* *path is for muses_free(): absolute, without links, in the folder (or its
 * .libs) it was found in.  0; MUSES_EUNKNOWN without a sentence; MUSES_EPLUGIN
 * or MUSES_ENOMEM with why. */
int core_find_file(const struct core_find *find, const char *name, char **path, char *why,
                   size_t why_size);

/* Every name there is something for, sorted, each once. */
struct core_find_names {
	char **name;
	size_t count;
};
int core_find_names(const struct core_find *find, struct core_find_names *names);
int core_find_names_add(struct core_find_names *names, const char *name);
void core_find_names_release(struct core_find_names *names);

#endif
