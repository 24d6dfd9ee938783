/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiver's half of the transfer.  NAME.part holds what came so far; it is
 * locked while somebody fills it, outlives us if we are cut off, and becomes NAME
 * when its hash is right.
 */
#include "apps/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (256 * 1024)

struct part {
	char name[TRANSFER_NAME_MAX + sizeof(".part")];
	int fd;
	uint64_t size; /* Bytes in it that count. */
	EVP_MD_CTX *hash;
	uint8_t *block;
};

static bool answer(struct incoming *in, enum transfer_status status, const char *words)
{
	struct transfer_message m = { .type = TRANSFER_RESULT, .status = status };

	snprintf(m.text, TRANSFER_WORDS, "%s", words);
	return wire_send(&in->wire, &m);
}

/* ---- the part file -------------------------------------------------------- */

static bool exists(const struct incoming *in, const char *name)
{
	struct stat st;

	return fstatat(in->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Hash what an earlier transfer left; what is beyond the file that is offered, or
 * cannot be read, does not count. */
static bool part_hash(struct part *p, uint64_t most)
{
	struct stat st;

	if (EVP_DigestInit_ex(p->hash, EVP_sha256(), NULL) != 1 || fstat(p->fd, &st) != 0)
		return false;
	if ((uint64_t)st.st_size > most)
		return true; /* Of another file: from the start. */
	while (p->size < (uint64_t)st.st_size) {
		ssize_t got = pread(p->fd, p->block, BLOCK, (off_t)p->size);

		if (got <= 0)
			return false;
		EVP_DigestUpdate(p->hash, p->block, (size_t)got);
		p->size += (uint64_t)got;
	}
	return true;
}

/* NULL, or why not. */
static const char *part_open(struct incoming *in, struct part *p,
                             const struct transfer_message *offer)
{
	struct stat st;

	if (exists(in, offer->text) && !in->force)
		return "there is a file of that name already";
	snprintf(p->name, sizeof(p->name), "%s.part", offer->text);
	p->fd = openat(in->folder, p->name,
	               O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
	               0600);
	if (p->fd < 0)
		return errno == ELOOP ? "its part file is a link" : strerror(errno);
	if (fstat(p->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return "its part file is not a regular file";
	if (flock(p->fd, LOCK_EX | LOCK_NB) != 0)
		return "it is being received already";
	p->hash = EVP_MD_CTX_new();
	p->block = malloc(BLOCK);
	if (p->hash == NULL || p->block == NULL)
		return "out of memory";
	return part_hash(p, offer->size) ? NULL : "its part file cannot be read";
}

static void part_close(struct part *p)
{
	if (p->fd >= 0)
		close(p->fd);
	EVP_MD_CTX_free(p->hash);
	free(p->block);
}

/* The hash of the p->size bytes so far. */
static bool part_digest(const struct part *p, uint8_t digest[static TRANSFER_HASH])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	bool done = copy != NULL && EVP_MD_CTX_copy_ex(copy, p->hash) == 1 &&
	            EVP_DigestFinal_ex(copy, digest, NULL) == 1;

	EVP_MD_CTX_free(copy);
	return done;
}

/* ---- one file ------------------------------------------------------------- */

/* Tell what we have, and hear where the sender starts.  False: it is over. */
static bool agree(struct incoming *in, struct part *p)
{
	struct transfer_message m = { .type = TRANSFER_READY, .offset = p->size };

	if (!part_digest(p, m.hash) || !wire_send(&in->wire, &m) ||
	    !wire_receive(&in->wire, &m) || m.type != TRANSFER_START ||
	    (m.offset != 0 && m.offset != p->size))
		return false;
	if (m.offset == 0) {
		p->size = 0;
		EVP_DigestInit_ex(p->hash, EVP_sha256(), NULL);
	}
	return ftruncate(p->fd, (off_t)p->size) == 0;
}

/* The bytes.  False: over; *why then says what to tell the sender, if anything. */
static bool fill(struct incoming *in, struct part *p, uint64_t size, const char **why)
{
	*why = NULL;
	while (p->size < size) {
		size_t want = size - p->size < BLOCK ? (size_t)(size - p->size) : BLOCK;

		if (!wire_get(&in->wire, p->block, want))
			return false;
		EVP_DigestUpdate(p->hash, p->block, want);
		for (size_t done = 0; done < want;) {
			ssize_t put = pwrite(p->fd, p->block + done, want - done,
			                     (off_t)(p->size + done));

			if (put < 0 && errno != EINTR) {
				*why = strerror(errno);
				return false;
			}
			done += put > 0 ? (size_t)put : 0;
		}
		p->size += want;
		if (in->app != NULL)
			progress_at(&in->progress, p->size);
	}
	return true;
}

/* All is right: the part becomes the file.  NULL, or why not. */
static const char *put_in_place(struct incoming *in, const struct part *p,
                                const char *name)
{
	unsigned flags = in->force ? 0 : RENAME_NOREPLACE;

	if (fsync(p->fd) != 0)
		return strerror(errno);
	if (renameat2(in->folder, p->name, in->folder, name, flags) == 0)
		return NULL;
	/* A file system that does not know the flag. */
	if (errno == EINVAL && flags != 0 &&
	    linkat(in->folder, p->name, in->folder, name, 0) == 0)
		return unlinkat(in->folder, p->name, 0) == 0 ? NULL : strerror(errno);
	return errno == EEXIST ? "there is a file of that name already" : strerror(errno);
}

/* After all bytes: compare, keep, answer.  An exit code. */
static int conclude(struct incoming *in, struct part *p, const char *name)
{
	uint8_t digest[TRANSFER_HASH];
	struct transfer_message m;
	const char *why;

	if (!wire_receive(&in->wire, &m) || m.type != TRANSFER_DIGEST ||
	    !part_digest(p, digest))
		return APP_FAILED;
	if (memcmp(digest, m.hash, sizeof(digest)) != 0) {
		unlinkat(in->folder, p->name, 0);
		answer(in, TRANSFER_DAMAGED,
		       "its SHA-256 is not that of what arrived; removed");
		return APP_FAILED;
	}
	why = put_in_place(in, p, name);
	if (why != NULL) {
		answer(in, TRANSFER_FAILED, why);
		return APP_FAILED;
	}
	if (in->app != NULL) {
		progress_end(&in->progress);
		fprintf(stderr, "%s: received from %s, SHA-256 verified\n", name,
		        in->peer);
	}
	answer(in, TRANSFER_DONE, "");
	if (in->report >= 0)
		(void)!write(in->report, ".", 1);
	return APP_OK;
}

static int one(struct incoming *in, const struct transfer_message *offer)
{
	struct part p = { .fd = -1 };
	const char *why = part_open(in, &p, offer);
	int code = APP_FAILED;

	if (why != NULL) {
		/* The next file may fare better. */
		code = answer(in, TRANSFER_REFUSED, why) ? APP_OK : APP_FAILED;
		if (in->app != NULL)
			app_fail(in->app, 0, "%s from %s: %s", offer->text, in->peer,
			         why);
		goto out;
	}
	if (!agree(in, &p))
		goto out;
	if (in->app != NULL)
		progress_begin(&in->progress, offer->text, offer->size, p.size);
	if (fill(in, &p, offer->size, &why))
		code = conclude(in, &p, offer->text);
	else if (why != NULL)
		answer(in, TRANSFER_FAILED, why);
	if (code != APP_OK && in->app != NULL) {
		progress_end(&in->progress);
		app_fail(in->app, 0, "%s from %s: %s; what came is kept in %s",
		         offer->text, in->peer, why != NULL ? why : "cut off", p.name);
	}
out:
	part_close(&p);
	return code;
}

int incoming_all(struct incoming *in)
{
	struct transfer_message m;
	int code = APP_OK;

	while (code == APP_OK && wire_more(&in->wire)) {
		if (!wire_receive(&in->wire, &m) || m.type != TRANSFER_OFFER) {
			answer(in, TRANSFER_REFUSED,
			       "that is not an offer of a file, or its name is not "
			       "allowed");
			return APP_FAILED;
		}
		code = one(in, &m);
	}
	return code;
}
