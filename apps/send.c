/* SPDX-License-Identifier: Apache-2.0 */
/* muses send: files to whoever runs `muses receive` at a name. */
#include "apps/app.h"
#include "apps/progress.h"
#include "apps/wire.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <muses/client.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK (256 * 1024)

struct sending {
	const struct app *app;
	struct muses_client *client;
	struct wire wire;
	struct progress progress;
	const char *peer;
	uint64_t suspended_ns;
	struct muses_event ended; /* kind ENDED and err, once it has. */
	bool over;
	uint8_t block[BLOCK];
};

/* ---- what happens meanwhile ----------------------------------------------- */

static void sending_idle(void *user)
{
	struct sending *s = user;
	struct muses_event e;
	int got;

	while (!s->over && (got = muses_client_event(s->client, &e)) != 0) {
		if (got < 0 || e.kind == MUSES_EVENT_ENDED) {
			s->over = true;
			s->wire.also = -1;
			s->ended = e;
			if (got < 0) {
				s->ended.err = MUSES_ECLOSED;
				snprintf(s->ended.why, sizeof(s->ended.why),
				         "the node has gone");
			}
		} else if (e.kind == MUSES_EVENT_SUSPENDED) {
			s->suspended_ns = core_clock_now();
			progress_say(&s->progress,
			             "suspended: no path to %s; nothing is lost, waiting",
			             s->peer);
			progress_waiting(&s->progress, true);
		} else if (e.kind == MUSES_EVENT_RESUMED && s->suspended_ns != 0) {
			progress_say(&s->progress, "resumed after %.1f s",
			             (double)(core_clock_now() - s->suspended_ns) / 1e9);
			s->suspended_ns = 0;
			progress_waiting(&s->progress, false);
		}
	}
	progress_at(&s->progress, s->progress.done);
}

/* The stream has ended under us: why?  An exit code. */
static int lost(struct sending *s)
{
	for (int i = 0; i < 4 && !s->over; i++) {
		struct pollfd p = { .fd = s->wire.also, .events = POLLIN };

		poll(&p, 1, 250);
		sending_idle(s);
	}
	progress_end(&s->progress);
	if (s->over && s->ended.err != 0)
		return app_fail(s->app, app_exit_code(s->ended.err, false), "%s: %s",
		                s->peer, s->ended.why);
	return app_fail(s->app, APP_FAILED,
	                "%s ended the transfer; send again to go on where it stopped",
	                s->peer);
}

/* ---- one file ------------------------------------------------------------- */

/* Feed the first size bytes of fd to hash; false: they are not there. */
static bool hash_prefix(struct sending *s, int fd, EVP_MD_CTX *hash, uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
		ssize_t got = pread(fd, s->block, want, (off_t)at);

		if (got <= 0 || EVP_DigestUpdate(hash, s->block, (size_t)got) != 1)
			return false;
		at += (uint64_t)got;
	}
	return true;
}

/* Where may we start?  The receiver's offset, if what it has is ours. */
static uint64_t agree(struct sending *s, int fd, EVP_MD_CTX *hash, uint64_t size,
                      const struct transfer_message *ready)
{
	uint8_t digest[TRANSFER_HASH];
	EVP_MD_CTX *prefix = EVP_MD_CTX_new();
	bool same = ready->offset > 0 && ready->offset <= size && prefix != NULL &&
	            hash_prefix(s, fd, hash, ready->offset) &&
	            EVP_MD_CTX_copy_ex(prefix, hash) == 1 &&
	            EVP_DigestFinal_ex(prefix, digest, NULL) == 1 &&
	            memcmp(digest, ready->hash, sizeof(digest)) == 0;

	EVP_MD_CTX_free(prefix);
	if (same)
		return ready->offset;
	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	return 0;
}

static int send_bytes(struct sending *s, const char *name, int fd, EVP_MD_CTX *hash,
                      uint64_t at, uint64_t size)
{
	while (at < size) {
		size_t want = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
		ssize_t got = pread(fd, s->block, want, (off_t)at);

		if (got <= 0) {
			progress_end(&s->progress);
			return app_fail(s->app, APP_FAILED, "%s: %s", name,
			                got == 0 ? "became shorter while it was sent"
			                         : strerror(errno));
		}
		EVP_DigestUpdate(hash, s->block, (size_t)got);
		if (!wire_put(&s->wire, s->block, (size_t)got))
			return lost(s);
		at += (uint64_t)got;
		progress_at(&s->progress, at);
	}
	return APP_OK;
}

/* After READY. */
static int send_content(struct sending *s, const char *name, int fd, uint64_t size,
                        const struct transfer_message *ready, EVP_MD_CTX *hash)
{
	struct transfer_message m = { .type = TRANSFER_START };
	int code;

	m.offset = agree(s, fd, hash, size, ready);
	if (m.offset > 0) {
		char text[16];

		progress_size(m.offset, text);
		progress_say(&s->progress,
		             "%s: %s has %s of it already, and they are right", name,
		             s->peer, text);
	}
	progress_begin(&s->progress, name, size, m.offset);
	if (!wire_send(&s->wire, &m))
		return lost(s);
	code = send_bytes(s, name, fd, hash, m.offset, size);
	if (code != APP_OK)
		return code;
	m = (struct transfer_message){ .type = TRANSFER_DIGEST };
	EVP_DigestFinal_ex(hash, m.hash, NULL);
	if (!wire_send(&s->wire, &m) || !wire_receive(&s->wire, &m) ||
	    m.type != TRANSFER_RESULT)
		return lost(s);
	progress_end(&s->progress);
	if (m.status != TRANSFER_DONE)
		return app_fail(s->app, APP_FAILED, "%s: %s", name, m.text);
	fprintf(stderr, "%s: sent, SHA-256 verified by %s\n", name, s->peer);
	return APP_OK;
}

static int send_file(struct sending *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct transfer_message m = { .type = TRANSFER_OFFER };
	const char *name = slash != NULL ? slash + 1 : path;
	EVP_MD_CTX *hash = NULL;
	struct stat st;
	int fd, code;

	if (!transfer_name_valid(name, strlen(name)))
		return app_fail(
			s->app, APP_FAILED,
			"%s: no receiver takes a file of that name: want no leading '.' "
			"or "
			"'-', no control characters, no \".part\", at most %d bytes",
			path, TRANSFER_NAME_MAX);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		code = app_fail(s->app, APP_FAILED, "%s: %s", path,
		                fd < 0 ? strerror(errno) : "is not a regular file");
		goto out;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	m.size = (uint64_t)st.st_size;
	snprintf(m.text, sizeof(m.text), "%s", name);
	code = APP_FAILED;
	hash = EVP_MD_CTX_new();
	if (hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
		app_fail(s->app, code, "out of memory");
		goto out;
	}
	if (!wire_send(&s->wire, &m) || !wire_receive(&s->wire, &m))
		code = lost(s);
	else if (m.type == TRANSFER_RESULT)
		code = app_fail(s->app, APP_FAILED, "%s: %s", path, m.text);
	else if (m.type != TRANSFER_READY)
		code = lost(s);
	else
		code = send_content(s, name, fd, (uint64_t)st.st_size, &m, hash);
out:
	EVP_MD_CTX_free(hash);
	if (fd >= 0)
		close(fd);
	return code;
}

/* ---- the verb ------------------------------------------------------------- */

static int send_all(struct sending *s, const char *service, uint32_t wait_s, char **path,
                    int count)
{
	int fd = muses_connect(s->client, s->peer, service, wait_s * 1000);
	int code = APP_OK;

	if (fd < 0)
		return app_fail(s->app, app_exit_code(fd, false), "%s",
		                muses_client_why(s->client));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	s->wire = (struct wire){
		.fd = fd,
		.idle = sending_idle,
		.user = s,
		.also = muses_client_descriptor(s->client),
	};
	for (int i = 0; i < count && !s->over; i++) {
		int one = send_file(s, path[i]);

		code = one != APP_OK ? one : code;
	}
	close(fd);
	return code;
}

int app_send(struct app *app, int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "service", required_argument, NULL, 's' },
		{ "wait", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	const char *service = TRANSFER_SERVICE;
	struct sending *s;
	uint32_t wait_s = 0;
	int option, code;

	while ((option = getopt_long(argc, argv, APP_LETTERS "s:w:", options, NULL)) !=
	       -1) {
		if (option == 's') {
			service = optarg;
		} else if (option == 'w') {
			if (!app_number(app, "--wait", optarg, 0, 1000000, &wait_s))
				return APP_USAGE;
		} else if (!app_option(app, option, &code)) {
			return code;
		}
	}
	if (argc - optind < 2)
		return app_usage(app, "want one FILE or more, and NAME");
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return app_fail(app, APP_FAILED, "out of memory");
	s->app = app;
	s->peer = argv[argc - 1];
	if (app_client(app, &s->client, &code)) {
		code = send_all(s, service, wait_s, argv + optind, argc - optind - 1);
		muses_client_close(s->client);
	}
	free(s);
	return code;
}
