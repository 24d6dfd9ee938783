/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written beside and renamed, so that a reader finds the old file or the new one.
 * No fsync(): the loop must not wait for a disk, and what a power failure costs is
 * one challenge a peer.
 */
#include "core/state.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION   1
#define READ_MOST 4096

struct core_state {
	struct core_env *env;
	char *path, *fresh; /* fresh: where the next one is written. */
	char id[MUSES_ID_LENGTH + 1];
	uint64_t found; /* As it stood there. */
	uint64_t limit; /* Reserved, and in the file. */
	bool complained;
};

/* ---- reading -------------------------------------------------------------- */

/* 0, or an errno; ENOENT is a first start. */
static int read_text(const char *path, char text[static READ_MOST], size_t *size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t got = -1;
	int system = errno;

	*size = 0;
	if (fd < 0)
		return system;
	system = EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < READ_MOST) {
		got = read(fd, text, READ_MOST);
		system = errno;
	}
	close(fd);
	*size = got > 0 ? (size_t)got : 0;
	return got < 0 ? system : 0;
}

/* NULL, or what is wrong with it. */
static const char *understand(struct core_state *s, const char *text, size_t size)
{
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *time = json_object_get(root, "hello_time");
	const char *node = json_string_value(json_object_get(root, "node"));
	const char *wrong = NULL;

	if (root == NULL)
		wrong = "it is damaged";
	else if (json_integer_value(json_object_get(root, "muses_state")) != VERSION)
		wrong = "it is none of this version";
	else if (node == NULL || strcmp(node, s->id) != 0)
		wrong = "it is another node's";
	else if (!json_is_integer(time) || json_integer_value(time) < 0)
		wrong = "it has no time";
	else
		s->found = (uint64_t)json_integer_value(time);
	json_decref(root);
	return wrong;
}

static void read_state(struct core_state *s)
{
	char text[READ_MOST], aside[4200];
	const char *wrong;
	size_t size;
	int system = read_text(s->path, text, &size);

	if (system == ENOENT)
		return;
	wrong = system == 0       ? understand(s, text, size)
	        : system == ELOOP ? "it is a link"
	                          : "it cannot be read";
	if (wrong == NULL)
		return;
	snprintf(aside, sizeof(aside), "%s.bad", s->path);
	core_log(s->env->log, MUSES_WARN, "state", "%s is not used: %s%s", s->path, wrong,
	         rename(s->path, aside) == 0 ? "; moved aside" : "");
}

struct core_state *core_state_open(struct core_env *env, const char *path,
                                   const struct muses_id *id)
{
	struct core_state *s = muses_zalloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->env = env;
	s->path = core_strdup(path);
	s->fresh = core_format("%s.new", path);
	if (s->path == NULL || s->fresh == NULL) {
		core_state_close(s);
		return NULL;
	}
	muses_id_text(id, s->id);
	read_state(s);
	s->limit = s->found;
	return s;
}

void core_state_close(struct core_state *s)
{
	if (s == NULL)
		return;
	muses_free(s->path);
	muses_free(s->fresh);
	muses_free(s);
}

uint64_t core_state_time(const struct core_state *s)
{
	return s->found;
}

/* ---- writing -------------------------------------------------------------- */

/* 0, or an errno. */
static int write_text(const struct core_state *s, const char *text, size_t size)
{
	int fd, system = 0;

	/* What stands there is of a node that died while it wrote. */
	if (unlink(s->fresh) != 0 && errno != ENOENT)
		return errno;
	fd = open(s->fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	errno = EIO;
	if (write(fd, text, size) != (ssize_t)size)
		system = errno;
	close(fd);
	if (system == 0 && rename(s->fresh, s->path) != 0)
		system = errno;
	if (system != 0)
		unlink(s->fresh);
	return system;
}

void core_state_used(struct core_state *s, uint64_t time_ns)
{
	uint64_t limit = time_ns + CORE_STATE_RESERVE_NS;
	char text[256];
	int size, system;

	if (time_ns + CORE_STATE_RESERVE_NS / 2 <= s->limit)
		return;
	size = snprintf(
		text, sizeof(text),
		"{ \"muses_state\": %d, \"node\": \"%s\", \"hello_time\": %llu }\n",
		VERSION, s->id, (unsigned long long)limit);
	system = write_text(s, text, (size_t)size);
	if (system == 0) {
		s->limit = limit;
	} else if (!s->complained) {
		core_log(s->env->log, MUSES_WARN, "state",
		         "cannot write %s: %s; peers may ask for one more round trip "
		         "after a "
		         "restart",
		         s->path, strerror(system));
	}
	s->complained = system != 0;
}
