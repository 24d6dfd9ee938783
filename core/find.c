/* SPDX-License-Identifier: Apache-2.0 */
/* The search path of plugins.  Knows names of files; opens none but .la ones. */
#include "core/find.h"
#include "core/mem.h"
#include "core/say.h"
#include "core/trust.h"

#include <muses/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LA_SIZE_MAX 65536

bool core_plugin_name_valid(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return length > 0 && length <= CORE_PLUGIN_NAME_MAX && name[length] == '\0' &&
	       name[0] >= 'a' && name[0] <= 'z';
}

/* ---- folders --------------------------------------------------------------- */

static int insert(struct core_find *find, size_t at, const char *folder, size_t length)
{
	char **grown = core_realloc(find->folder, find->count, find->count + 1,
	                            sizeof(*find->folder));
	char *copy = core_format("%.*s", (int)length, folder);

	if (grown != NULL)
		find->folder = grown;
	if (grown == NULL || copy == NULL) {
		muses_free(copy);
		return MUSES_ENOMEM;
	}
	memmove(find->folder + at + 1, find->folder + at,
	        (find->count - at) * sizeof(*find->folder));
	find->folder[at] = copy;
	find->count++;
	return 0;
}

static int retell(struct core_find *find)
{
	char *text = core_strdup(find->count == 0 ? "" : find->folder[0]);

	for (size_t i = 1; i < find->count && text != NULL; i++) {
		char *longer =
			core_format("%s%s%s", text, i + 1 == find->count ? " or " : ", ",
		                    find->folder[i]);

		muses_free(text);
		text = longer;
	}
	if (text == NULL)
		return MUSES_ENOMEM;
	muses_free(find->text);
	find->text = text;
	return 0;
}

static int add(struct core_find *find, size_t *at, const char *folders)
{
	for (const char *from = folders, *to; *from != '\0'; from = to + (*to == ':')) {
		to = strchrnul(from, ':');
		if (to > from && insert(find, (*at)++, from, (size_t)(to - from)) != 0)
			return MUSES_ENOMEM;
	}
	return retell(find);
}

int core_find_init(struct core_find *find)
{
	const char *path = secure_getenv("MUSES_PLUGIN_PATH");
	size_t at = 0;

	*find = (struct core_find){ 0 };
	if (path != NULL && add(find, &at, path) != 0)
		return MUSES_ENOMEM;
	return add(find, &at, MUSES_PLUGIN_DIR);
}

int core_find_add(struct core_find *find, const char *folders)
{
	return add(find, &find->added, folders);
}

const char *core_find_text(const struct core_find *find)
{
	return find->text;
}

void core_find_release(struct core_find *find)
{
	for (size_t i = 0; i < find->count; i++)
		muses_free(find->folder[i]);
	muses_free(find->folder);
	muses_free(find->text);
	*find = (struct core_find){ 0 };
}

/* ---- one name -------------------------------------------------------------- */

/* realpath() with memory of ours.  NULL: errno. */
static char *resolve(const char *path)
{
	char *real = realpath(path, NULL), *ours = NULL;

	if (real != NULL) {
		ours = core_strdup(real);
		free(real);
		if (ours == NULL)
			errno = ENOMEM;
	}
	return ours;
}

/* A .la file is shell: lines "key='value'".  Its only use here is to tell that
 * libtool has not installed the plugin yet, and under which name it lies in
 * .libs; the file itself is judged like any other. */
static bool la_tells(const char *text, const char *key, const char *value)
{
	size_t key_length = strlen(key), value_length = strlen(value);

	for (const char *line = text; line != NULL && *line != '\0';) {
		if (strncmp(line, key, key_length) == 0 && line[key_length] == '=') {
			const char *v = line + key_length + 1;

			v += *v == '\'';
			return strncmp(v, value, value_length) == 0 &&
			       (v[value_length] == '\'' || v[value_length] == '\n' ||
			        v[value_length] == '\0');
		}
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return false;
}

static bool not_installed(const char *la, const char *name)
{
	char *text, *object = core_format("%s.so", name);
	bool tells = false;
	size_t size;

	if (object != NULL && core_trust_read(la, CORE_TRUST_PLAIN, LA_SIZE_MAX, &text,
	                                      &size, NULL, 0) == 0) {
		tells = la_tells(text, "dlname", object) &&
		        la_tells(text, "installed", "no");
		muses_free(text);
	}
	muses_free(object);
	return tells;
}

/* A link may not lead out of the folder it was found in. */
static bool inside(const char *file, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(file, folder, length) == 0 && file[length] == '/';
}

/* *path NULL: not in this folder. */
static int find_in(const char *folder, const char *name, char **path, char *why,
                   size_t why_size)
{
	char *real = resolve(folder), *file = NULL, *la = NULL;
	int err = 0;

	*path = NULL;
	if (real == NULL)
		return errno == ENOMEM ? MUSES_ENOMEM : 0; /* Not there: go on looking. */
	file = core_format("%s/%s.so", real, name);
	la = core_format("%s/%s.la", real, name);
	if (file == NULL || la == NULL) {
		err = MUSES_ENOMEM;
		goto end;
	}
	if (faccessat(AT_FDCWD, file, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
		if (access(la, F_OK) != 0)
			goto end;
		if (!not_installed(la, name)) {
			err = core_say(
				why, why_size, MUSES_EPLUGIN,
				"%s is not a libtool file of this build, and %s is not "
				"there",
				la, file);
			goto end;
		}
		muses_free(file);
		file = core_format("%s/.libs/%s.so", real, name);
		if (file == NULL) {
			err = MUSES_ENOMEM;
			goto end;
		}
	}
	*path = resolve(file);
	if (*path == NULL)
		err = core_say(why, why_size,
		               errno == ENOMEM ? MUSES_ENOMEM : MUSES_EPLUGIN,
		               "cannot find %s: %s", file, strerror(errno));
	else if (!inside(*path, real))
		err = core_say(why, why_size, MUSES_EPLUGIN,
		               "%s leads out of its folder, to %s", file, *path);
end:
	if (err == MUSES_ENOMEM)
		core_say(why, why_size, 0, "out of memory");
	if (err != 0) {
		muses_free(*path);
		*path = NULL;
	}
	muses_free(real);
	muses_free(file);
	muses_free(la);
	return err;
}

int core_find_file(const struct core_find *find, const char *name, char **path, char *why,
                   size_t why_size)
{
	*path = NULL;
	for (size_t i = 0; i < find->count; i++) {
		int err = find_in(find->folder[i], name, path, why, why_size);

		if (err != 0 || *path != NULL)
			return err;
	}
	return MUSES_EUNKNOWN;
}

/* ---- all names ------------------------------------------------------------- */

int core_find_names_add(struct core_find_names *names, const char *name)
{
	size_t at = 0;
	char **grown, *copy;

	while (at < names->count && strcmp(names->name[at], name) < 0)
		at++;
	if (at < names->count && strcmp(names->name[at], name) == 0)
		return 0;
	grown = core_realloc(names->name, names->count, names->count + 1, sizeof(*grown));
	if (grown == NULL)
		return MUSES_ENOMEM;
	names->name = grown;
	copy = core_strdup(name);
	if (copy == NULL)
		return MUSES_ENOMEM;
	memmove(grown + at + 1, grown + at, (names->count - at) * sizeof(*grown));
	grown[at] = copy;
	names->count++;
	return 0;
}

static int names_in(const char *folder, struct core_find_names *names)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int err = 0;

	if (dir == NULL)
		return 0;
	while (err == 0 && (entry = readdir(dir)) != NULL) {
		char *dot = strrchr(entry->d_name, '.');

		if (dot == NULL || (strcmp(dot, ".so") != 0 && strcmp(dot, ".la") != 0))
			continue;
		*dot = '\0';
		if (core_plugin_name_valid(entry->d_name))
			err = core_find_names_add(names, entry->d_name);
	}
	closedir(dir);
	return err;
}

int core_find_names(const struct core_find *find, struct core_find_names *names)
{
	for (size_t i = 0; i < find->count; i++)
		if (names_in(find->folder[i], names) != 0)
			return MUSES_ENOMEM;
	return 0;
}

void core_find_names_release(struct core_find_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		muses_free(names->name[i]);
	muses_free(names->name);
	*names = (struct core_find_names){ 0 };
}
