/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int good, const char *what, const char *path)
{
	if (good)
		return;
	perror(what);
	fprintf(stderr, "path: %s\n", path);
	abort();
}

void folder_open(struct folder *f)
{
	const char *parent = getenv("TMPDIR");

	snprintf(f->path, sizeof(f->path), "%s/muses-test-XXXXXX",
	         parent == NULL || parent[0] != '/' ? "/tmp" : parent);
	must(mkdtemp(f->path) != NULL, "mkdtemp", f->path);
}

static void remove_all(const char *path)
{
	DIR *dir;
	struct dirent *entry;

	if (unlink(path) == 0)
		return;
	chmod(path, 0700);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char inner[1024];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		remove_all(inner);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

void folder_close(struct folder *f)
{
	remove_all(f->path);
}

const char *folder_path(const struct folder *f, const char *name)
{
	static char path[8][1024];
	static unsigned next;
	char *mine = path[next++ % 8];

	snprintf(mine, sizeof(path[0]), "%s/%s", f->path, name);
	return mine;
}

void folder_write(const struct folder *f, const char *name, const void *data, size_t size,
                  unsigned mode)
{
	const char *path = folder_path(f, name);
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0, "open", path);
	must(size == 0 || write(fd, data, size) == (ssize_t)size, "write", path);
	must(fchmod(fd, mode) == 0, "fchmod", path);
	close(fd);
}

void folder_text(const struct folder *f, const char *name, const char *text,
                 unsigned mode)
{
	folder_write(f, name, text, strlen(text), mode);
}

void folder_copy(const struct folder *f, const char *name, const char *from,
                 unsigned mode)
{
	FILE *file = fopen(from, "rb");
	char *data = NULL;
	long size = -1;

	must(file != NULL, "fopen", from);
	must(fseek(file, 0, SEEK_END) == 0, "fseek", from);
	size = ftell(file);
	must(size >= 0, "ftell", from);
	rewind(file);
	data = malloc((size_t)size + 1);
	must(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size, "fread",
	     from);
	fclose(file);
	folder_write(f, name, data, (size_t)size, mode);
	free(data);
}
