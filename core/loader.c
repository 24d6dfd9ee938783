/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds plugins by name and keeps the records that passed core/record.c.
 *
 * libltdl opens the files, but neither searches (it would take "../x" for a
 * name) nor explains (it says "file not found" for everything): we resolve a
 * name to one real file, check who can write it, and open exactly that file
 * through the descriptor that was checked.
 */
#include <config.h> /* Not core/config.h. */

#include "core/loader.h"
#include "core/builtin.h"
#include "core/find.h"
#include "core/mem.h"
#include "core/record.h"
#include "core/say.h"
#include "core/trust.h"

#include <dlfcn.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct found {
	struct found *next;
	char *name;
	char *path; /* NULL: built in. */
	struct core_record record;
	lt_dlhandle file; /* NULL: built in. */
	void *bound;      /* dlopen()'s handle of the same file. */
	int fd;           /* -1: built in. */
	char *opened_as;  /* Its name for the dynamic linker. */
};

struct built_in {
	struct built_in *next;
	const struct muses_plugin *plugin;
};

struct core_loader {
	struct core_find find;
	struct built_in *built_in;
	struct found *found;
};

struct core_loader *core_loader_open(void)
{
	struct core_loader *loader = muses_zalloc(sizeof(*loader));
	const struct muses_plugin *plugin;
	size_t place = 0;

	if (loader == NULL)
		return NULL;
	if (lt_dlinit() != 0) {
		muses_free(loader);
		return NULL;
	}
	if (core_find_init(&loader->find) != 0)
		goto fail;
	while ((plugin = core_builtin_next(&place)) != NULL)
		if (core_loader_add(loader, plugin) != 0)
			goto fail;
	return loader;
fail:
	core_loader_close(loader);
	return NULL;
}

#ifdef MUSES_INSTRUMENTED
/* A trace through a plugin that is gone has no names. */
static void unload(struct found *f)
{
	(void)f;
}
#else
static void unload(struct found *f)
{
	void *stays;

	if (f->file != NULL)
		lt_dlclose(f->file);
	if (f->bound != NULL)
		dlclose(f->bound);
	/* The dynamic linker knows the file by the number of our descriptor.  If it
	 * keeps the file (an object may ask for that), the number must not come to
	 * mean another one. */
	stays = f->opened_as == NULL ? NULL
	                             : dlopen(f->opened_as, RTLD_LAZY | RTLD_NOLOAD);
	if (stays != NULL)
		dlclose(stays);
	else if (f->fd >= 0)
		close(f->fd);
}
#endif

static void found_free(struct found *f)
{
	if (f == NULL)
		return;
	unload(f);
	muses_free(f->name);
	muses_free(f->path);
	muses_free(f->opened_as);
	muses_free(f);
}

void core_loader_close(struct core_loader *loader)
{
	if (loader == NULL)
		return;
	for (struct found *f = loader->found, *next; f != NULL; f = next) {
		next = f->next;
		found_free(f);
	}
	for (struct built_in *b = loader->built_in, *next; b != NULL; b = next) {
		next = b->next;
		muses_free(b);
	}
	core_find_release(&loader->find);
	muses_free(loader);
#ifndef MUSES_INSTRUMENTED
	lt_dlexit();
#endif
}

int core_loader_path(struct core_loader *loader, const char *folders)
{
	return core_find_add(&loader->find, folders);
}

int core_loader_add(struct core_loader *loader, const struct muses_plugin *plugin)
{
	struct built_in *b = muses_zalloc(sizeof(*b)), **end = &loader->built_in;

	if (b == NULL)
		return MUSES_ENOMEM;
	b->plugin = plugin;
	while (*end != NULL)
		end = &(*end)->next;
	*end = b;
	return 0;
}

/* dlopen() first: it binds every symbol now, whatever the plugin was linked
 * with, and its message is exact.  Then libltdl, for the same file. */
static bool open_file(struct found *f, char *why, size_t why_size)
{
	f->fd = core_trust_plugin(f->path, why, why_size);
	if (f->fd < 0)
		return false;
	f->opened_as = core_format("/proc/%ld/fd/%d", (long)getpid(), f->fd);
	if (f->opened_as != NULL && access(f->opened_as, R_OK) != 0) {
		/* No /proc: the name will do, since only root and we could change it. */
		muses_free(f->opened_as);
		f->opened_as = core_strdup(f->path);
	}
	if (f->opened_as == NULL) {
		core_say(why, why_size, 0, "out of memory");
		return false;
	}
	f->bound = dlopen(f->opened_as, RTLD_NOW | RTLD_LOCAL);
	if (f->bound == NULL) {
		const char *message = dlerror();
		size_t length = strlen(f->opened_as);

		/* The message begins with the name, and ours means nothing to people. */
		if (message != NULL && strncmp(message, f->opened_as, length) == 0)
			message += length + strspn(message + length, ": ");
		core_say(why, why_size, 0, "%s: %s", f->path,
		         message == NULL ? "cannot be opened" : message);
		return false;
	}
	f->file = lt_dlopen(f->opened_as);
	if (f->file == NULL) {
		core_say(why, why_size, 0, "%s: libltdl cannot open it: %s", f->path,
		         lt_dlerror());
		return false;
	}
	return true;
}

static const struct muses_plugin *file_record(struct found *f, char *why, size_t why_size)
{
	char symbol[CORE_PLUGIN_NAME_MAX + sizeof("_LTX_muses_plugin")];
	const struct muses_plugin *record;

	snprintf(symbol, sizeof(symbol), "%s_LTX_muses_plugin", f->name);
	record = lt_dlsym(f->file, symbol);
	if (record == NULL)
		core_say(why, why_size, 0, "%s has no symbol %s", f->path, symbol);
	return record;
}

static const struct muses_plugin *built_in_record(const struct core_loader *loader,
                                                  const char *name)
{
	for (const struct built_in *b = loader->built_in; b != NULL; b = b->next)
		if (b->plugin->name != NULL && strcmp(b->plugin->name, name) == 0)
			return b->plugin;
	return NULL;
}

/* f->path is set, or f is built in. */
static struct found *load(struct core_loader *loader, const char *name, char *path,
                          char *why, size_t why_size)
{
	const struct muses_plugin *record = built_in_record(loader, name);
	struct found *f = muses_zalloc(sizeof(*f));

	if (f == NULL) {
		muses_free(path);
		core_say(why, why_size, 0, "out of memory");
		return NULL;
	}
	f->fd = -1;
	f->path = path;
	f->name = core_strdup(name);
	if (f->name == NULL) {
		core_say(why, why_size, 0, "out of memory");
		goto fail;
	}
	if (record == NULL && !open_file(f, why, why_size))
		goto fail;
	if (record == NULL)
		record = file_record(f, why, why_size);
	if (record == NULL)
		goto fail;
	if (!core_record_take(&f->record, record, name, why, why_size))
		goto fail;
	f->next = loader->found;
	loader->found = f;
	return f;
fail:
	found_free(f);
	return NULL;
}

static struct found *found_before(const struct core_loader *loader, const char *name)
{
	for (struct found *f = loader->found; f != NULL; f = f->next)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static int all_names(const struct core_loader *loader, struct core_find_names *names)
{
	int err = core_find_names(&loader->find, names);

	for (const struct built_in *b = loader->built_in; err == 0 && b != NULL;
	     b = b->next)
		err = core_find_names_add(names, b->plugin->name);
	return err;
}

static void not_found(const struct core_loader *loader, const char *name, char *why,
                      size_t why_size)
{
	struct core_find_names names = { 0 };
	struct core_near near;

	core_near_init(&near, name);
	all_names(loader, &names);
	for (size_t i = 0; i < names.count; i++)
		core_near_try(&near, names.name[i]);
	if (near.best != NULL)
		core_say(why, why_size, 0,
		         "there is no plugin '%.64s'; did you mean '%s'?", name,
		         near.best);
	else
		core_say(why, why_size, 0, "there is no plugin '%.64s' in %s", name,
		         core_find_text(&loader->find));
	core_find_names_release(&names);
}

const struct muses_plugin *core_loader_find(struct core_loader *loader, const char *name,
                                            enum muses_kind kind, char *why,
                                            size_t why_size)
{
	struct found *f;
	char *path = NULL;

	if (!core_plugin_name_valid(name)) {
		core_say(why, why_size, 0,
		         "'%.64s' is not a plugin name; want a small letter, then small "
		         "letters, digits and '_'",
		         name);
		return NULL;
	}
	f = found_before(loader, name);
	if (f == NULL) {
		if (built_in_record(loader, name) == NULL) {
			int err =
				core_find_file(&loader->find, name, &path, why, why_size);

			if (err == MUSES_EUNKNOWN)
				not_found(loader, name, why, why_size);
			if (err != 0)
				return NULL;
		}
		f = load(loader, name, path, why, why_size);
	}
	if (f == NULL)
		return NULL;
	if (kind != MUSES_KINDS && f->record.plugin.kind != kind) {
		core_say(why, why_size, 0, "'%s' is a plugin for %s, not for %s", name,
		         muses_kind_name(f->record.plugin.kind), muses_kind_name(kind));
		return NULL;
	}
	return &f->record.plugin;
}

const void *core_loader_ops(struct core_loader *loader, const struct muses_plugin *plugin)
{
	(void)loader;
	return &muses_container(plugin, const struct core_record, plugin)->ops;
}

static void each_one(struct core_loader *loader, const char *name,
                     core_loader_each_fn *each, void *user)
{
	char why[CORE_SAY_MAX] = "", *path = NULL;
	const struct muses_plugin *plugin =
		core_loader_find(loader, name, MUSES_KINDS, why, sizeof(why));
	struct found *f = plugin == NULL ? NULL : found_before(loader, name);

	if (f == NULL)
		core_find_file(&loader->find, name, &path, NULL, 0);
	each(user, name, f == NULL ? path : f->path, plugin, plugin == NULL ? why : NULL);
	muses_free(path);
}

void core_loader_each(struct core_loader *loader, core_loader_each_fn *each, void *user)
{
	struct core_find_names names = { 0 };

	all_names(loader, &names);
	for (size_t i = 0; i < names.count; i++)
		each_one(loader, names.name[i], each, user);
	core_find_names_release(&names);
}
