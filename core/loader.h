/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOADER_H
#define CORE_LOADER_H

#include <muses/plugin.h>

/*
 * Finds, checks and closes plugin files; the only user of libltdl.  No code of a
 * plugin runs here.
 *
 * Search order: records built in (static build, tests), then the folders given
 * with core_loader_path() in order (--plugin-path, then MUSES_PLUGIN_PATH unless
 * we run set-uid), then the installed folder.  A folder or file that others can
 * write, or that neither root nor we own, is refused; so are a name that is not
 * [a-z][a-z0-9_]*, a wrong ABI, a record longer than ours, a wrong name, an
 * unknown kind, an operations table with a required entry missing, an option
 * table that is not well-formed, and a suite with a wrong known answer: each with
 * its own sentence.
 */
struct core_loader;

struct core_loader *core_loader_open(void);
void core_loader_close(struct core_loader *loader);
/* Add folders, separated by ':'.  0 or MUSES_ENOMEM. */
int core_loader_path(struct core_loader *loader, const char *folders);
/* Add a built-in record (a test's).  Constant, outlives the loader. */
int core_loader_add(struct core_loader *loader, const struct muses_plugin *plugin);
/* The checked record called name, of that kind (MUSES_KINDS: any).  Owned by the
 * loader; also found a second time at no cost.  NULL: why holds one sentence. */
const struct muses_plugin *core_loader_find(struct core_loader *loader, const char *name,
                                            enum muses_kind kind, char *why,
                                            size_t why_size);
/* Its operations, zero-filled to the size the core knows. */
const void *core_loader_ops(struct core_loader *loader, const struct muses_plugin *plugin);
/* Call each for every plugin that can be found, by name; record NULL and why set
 * for one that is refused. */
typedef void core_loader_each_fn(void *user, const char *name, const char *path,
                                 const struct muses_plugin *plugin, const char *why);
void core_loader_each(struct core_loader *loader, core_loader_each_fn *each, void *user);

#endif
