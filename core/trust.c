/* SPDX-License-Identifier: Apache-2.0 */
/* Ownership, modes and kinds of files.  O_NONBLOCK is for what is not a plain
 * file: opening a FIFO must not wait for somebody to write. */
#include "core/trust.h"
#include "core/say.h"

#include <muses/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITABLE_BY_OTHERS (S_IWGRP | S_IWOTH)

static bool owner_trusted(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* The folder at fd is the first length characters of path. */
static bool folder_trusted(int fd, const char *path, size_t length, bool holds_plugin,
                           char *why, size_t why_size)
{
	int shown = length == 0 ? 1 : (int)length;
	struct stat st;

	if (fstat(fd, &st) != 0) {
		core_say(why, why_size, 0, "cannot look at %.*s: %s", shown, path,
		         strerror(errno));
		return false;
	}
	if (!owner_trusted(&st)) {
		core_say(why, why_size, 0,
		         "folder %.*s belongs to user %u; want root or the user who runs "
		         "this (%u)",
		         shown, path, (unsigned)st.st_uid, (unsigned)geteuid());
		return false;
	}
	if ((st.st_mode & WRITABLE_BY_OTHERS) != 0 &&
	    (holds_plugin || (st.st_mode & S_ISVTX) == 0)) {
		core_say(why, why_size, 0,
		         "others can write folder %.*s: chmod go-w %.*s", shown, path,
		         shown, path);
		return false;
	}
	return true;
}

static bool plugin_trusted(int fd, const char *path, char *why, size_t why_size)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		core_say(why, why_size, 0, "cannot look at %s: %s", path,
		         strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		core_say(why, why_size, 0, "%s is not a plain file", path);
		return false;
	}
	if (!owner_trusted(&st)) {
		core_say(
			why, why_size, 0,
			"%s belongs to user %u; want root or the user who runs this (%u)",
			path, (unsigned)st.st_uid, (unsigned)geteuid());
		return false;
	}
	if ((st.st_mode & WRITABLE_BY_OTHERS) != 0) {
		core_say(why, why_size, 0, "others can write %s: chmod go-w %s", path,
		         path);
		return false;
	}
	return true;
}

/* Walks down from the root with one descriptor at a time, so that what was
 * checked is what is opened next. */
int core_trust_plugin(const char *path, char *why, size_t why_size)
{
	char part[NAME_MAX + 1];
	const char *from = path;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0) {
		const char *to = strchrnul(from + 1, '/');
		size_t length = (size_t)(to - from) - 1;
		bool last = *to == '\0';
		int next;

		if (!folder_trusted(fd, path, (size_t)(from - path), last, why, why_size))
			break;
		if (length == 0 || length >= sizeof(part)) {
			core_say(why, why_size, 0, "%s is not a path", path);
			break;
		}
		memcpy(part, from + 1, length);
		part[length] = '\0';
		next = openat(fd, part,
		              (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY) |
		                      O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
		if (fd >= 0 && last) {
			if (plugin_trusted(fd, path, why, why_size))
				return fd;
			break;
		}
		from = to;
	}
	if (fd < 0)
		core_say(why, why_size, 0, "cannot open %s: %s", path, strerror(errno));
	else
		close(fd);
	return -1;
}

static int secret_trusted(const char *path, const struct stat *st, char *why,
                          size_t why_size)
{
	const char *slash = strrchr(path, '/');

	if (!owner_trusted(st))
		return core_say(
			why, why_size, MUSES_ECONFIG,
			"%s belongs to user %u; a secret must belong to the user who "
			"runs this (%u) or to root",
			path, (unsigned)st->st_uid, (unsigned)geteuid());
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "%s is open to others (mode %04o): chmod 600 %s", path,
		                (unsigned)st->st_mode & 07777,
		                slash == NULL ? path : slash + 1);
	return 0;
}

static int read_all(int fd, const char *path, size_t room, char **data, size_t *size,
                    char *why, size_t why_size)
{
	size_t got = 0;
	char *bytes = muses_zalloc(room + 1);
	int err = 0;

	if (bytes == NULL)
		return core_say(why, why_size, MUSES_ENOMEM, "%s: out of memory", path);
	while (err == 0) {
		/* One byte more than was there tells a file that grows. */
		ssize_t n = read(fd, bytes + got, room + 1 - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			break;
		if (n < 0)
			err = core_say(why, why_size, MUSES_ESYSTEM, "cannot read %s: %s",
			               path, strerror(errno));
		else
			got += (size_t)n;
		if (got > room)
			err = core_say(why, why_size, MUSES_ESYSTEM,
			               "%s grew while it was read", path);
	}
	if (err != 0) {
		muses_free_secret(bytes, room + 1);
		return err;
	}
	bytes[got] = '\0';
	*data = bytes;
	*size = got;
	return 0;
}

int core_trust_read(const char *path, enum core_trust_how how, size_t most, char **data,
                    size_t *size, char *why, size_t why_size)
{
	int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct stat st;
	int fd, err;

	if (how == CORE_TRUST_SECRET)
		flags |= O_NOFOLLOW;
	fd = open(path, flags);
	if (fd < 0 && errno == ELOOP && how == CORE_TRUST_SECRET)
		return core_say(why, why_size, MUSES_ECONFIG,
		                "%s is a symbolic link; a secret must be a plain file",
		                path);
	if (fd < 0 && errno == ENXIO)
		return core_say(why, why_size, MUSES_ECONFIG, "%s is not a plain file",
		                path);
	if (fd < 0)
		return core_say(why, why_size, MUSES_ESYSTEM, "cannot open %s: %s", path,
		                strerror(errno));
	if (fstat(fd, &st) != 0)
		err = core_say(why, why_size, MUSES_ESYSTEM, "cannot look at %s: %s",
		               path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		err = core_say(why, why_size, MUSES_ECONFIG, "%s is not a plain file",
		               path);
	else if (st.st_size < 0 || (uintmax_t)st.st_size > most)
		err = core_say(why, why_size, MUSES_ECONFIG,
		               "%s is larger than %zu bytes", path, most);
	else if (how == CORE_TRUST_SECRET)
		err = secret_trusted(path, &st, why, why_size);
	else
		err = 0;
	if (err == 0)
		err = read_all(fd, path, (size_t)st.st_size, data, size, why, why_size);
	close(fd);
	return err;
}
