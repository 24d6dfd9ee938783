/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources and sinks, a thread each, with blocking sockets.  The bytes are those of
 * one random block, whose first eight are the stream's number and the block's: so a
 * byte that is missing, doubled, or in another stream does not go unseen, and
 * comparing costs a memcmp().
 */
#include "bench/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024, READ_BYTES = 256 * 1024, STUCK_S = 60 };

static uint8_t pattern[BLOCK_BYTES];

void flow_die(const char *format, ...)
{
	va_list args;

	fputs("throughput: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

uint64_t flow_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- connections ---------------------------------------------------------------- */

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons((uint16_t)port),
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int flow_listen(int *port)
{
	struct sockaddr_in at = loopback(0);
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) != 0 ||
	    listen(fd, FLOW_STREAMS_MAX) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &size) != 0)
		flow_die("cannot listen: %s", strerror(errno));
	*port = ntohs(at.sin_port);
	return fd;
}

/* A stuck chain must not hang the benchmark, and a small answer must not wait. */
static void prepare(int fd)
{
	struct timeval stuck = { .tv_sec = STUCK_S };
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &stuck, sizeof(stuck));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stuck, sizeof(stuck));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int connect_until(int port, uint64_t deadline_ns)
{
	struct sockaddr_in at = loopback(port);

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
			return fd;
		if (flow_now_ns() > deadline_ns)
			flow_die("cannot connect to port %d: %s", port, strerror(errno));
		close(fd);
		poll(NULL, 0, 20);
	}
}

void flow_open(struct flow *f, int count, int port, int listener, int wait_s)
{
	uint64_t deadline_ns = flow_now_ns() + (uint64_t)wait_s * 1000000000;

	f->count = count;
	for (int i = 0; i < count; i++) {
		struct pollfd p = { .fd = listener, .events = POLLIN };

		f->near[i] = connect_until(port, deadline_ns);
		prepare(f->near[i]);
		if (poll(&p, 1, wait_s * 1000) != 1)
			flow_die("a connection did not come out of the chain in %d s",
			         wait_s);
		f->far[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (f->far[i] < 0)
			flow_die("accept: %s", strerror(errno));
		prepare(f->far[i]);
	}
}

void flow_close(struct flow *f)
{
	for (int i = 0; i < f->count; i++) {
		close(f->near[i]);
		close(f->far[i]);
	}
	f->count = 0;
}

/* ---- bulk ----------------------------------------------------------------------- */

struct end {
	pthread_t thread;
	int fd;
	uint64_t stream; /* Of a source. */
	uint64_t size;
};

/* Stream and number of the block that begins at position. */
static void stamp(uint8_t *block, uint64_t stream, uint64_t position)
{
	uint64_t word = stream << 56 | position / BLOCK_BYTES;

	memcpy(block, &word, sizeof(word));
}

static void *source(void *data)
{
	const struct end *e = data;
	uint8_t block[BLOCK_BYTES];
	uint64_t position = 0;

	memcpy(block, pattern, sizeof(block));
	while (position < e->size) {
		size_t from = position % BLOCK_BYTES, most = BLOCK_BYTES - from;
		ssize_t put;

		if (from == 0)
			stamp(block, e->stream, position);
		if (most > e->size - position)
			most = (size_t)(e->size - position);
		put = send(e->fd, block + from, most, MSG_NOSIGNAL);
		if (put <= 0)
			flow_die("source %d stopped at %llu of %llu bytes: %s",
			         (int)e->stream, (unsigned long long)position,
			         (unsigned long long)e->size, strerror(errno));
		position += (uint64_t)put;
	}
	shutdown(e->fd, SHUT_WR);
	return NULL;
}

/* Which stream begins with block? */
static uint64_t stream_of(const uint8_t *block)
{
	uint64_t word;

	memcpy(&word, block, sizeof(word));
	return word >> 56;
}

static void *sink(void *data)
{
	const struct end *e = data;
	uint8_t *bytes = malloc(READ_BYTES), expected[BLOCK_BYTES];
	uint64_t position = 0, stream = 0;
	ssize_t got;

	if (bytes == NULL)
		flow_die("out of memory");
	memcpy(expected, pattern, sizeof(expected));
	while ((got = recv(e->fd, bytes, position == 0 ? 8 : READ_BYTES,
	                   position == 0 ? MSG_WAITALL : 0)) > 0) {
		size_t at = 0;

		if (position == 0 && got == 8)
			stream = stream_of(bytes);
		while (at < (size_t)got) {
			size_t from = position % BLOCK_BYTES;
			size_t part = BLOCK_BYTES - from;

			if (from == 0)
				stamp(expected, stream, position);
			if (part > (size_t)got - at)
				part = (size_t)got - at;
			if (memcmp(bytes + at, expected + from, part) != 0)
				flow_die("stream %d: wrong bytes behind position %llu",
				         (int)stream, (unsigned long long)position);
			at += part;
			position += part;
		}
	}
	if (got < 0 || position != e->size)
		flow_die("stream %d: %llu bytes came, not %llu: %s", (int)stream,
		         (unsigned long long)position, (unsigned long long)e->size,
		         got < 0 ? strerror(errno) : "end of stream");
	free(bytes);
	return (void *)(uintptr_t)(stream + 1);
}

double flow_carry(struct flow *f, enum flow_way way, uint64_t size)
{
	struct end from[FLOW_STREAMS_MAX], to[FLOW_STREAMS_MAX];
	bool seen[FLOW_STREAMS_MAX] = { false };
	uint64_t begin_ns;

	if (pattern[8] == 0 && getrandom(pattern, sizeof(pattern), 0) < BLOCK_BYTES)
		flow_die("no random bytes");
	begin_ns = flow_now_ns();
	for (int i = 0; i < f->count; i++) {
		from[i] = (struct end){ .fd = way == FLOW_OUT ? f->near[i] : f->far[i],
			                .stream = (uint64_t)i,
			                .size = size };
		to[i] = (struct end){ .fd = way == FLOW_OUT ? f->far[i] : f->near[i],
			              .size = size };
		if (pthread_create(&to[i].thread, NULL, sink, &to[i]) != 0 ||
		    pthread_create(&from[i].thread, NULL, source, &from[i]) != 0)
			flow_die("cannot start a thread");
	}
	for (int i = 0; i < f->count; i++) {
		void *stream;

		pthread_join(from[i].thread, NULL);
		pthread_join(to[i].thread, &stream);
		if ((uintptr_t)stream > (uintptr_t)f->count ||
		    seen[(uintptr_t)stream - 1])
			flow_die("stream %d came twice", (int)(uintptr_t)stream - 1);
		seen[(uintptr_t)stream - 1] = true;
	}
	return (double)(flow_now_ns() - begin_ns) / 1e9;
}

/* ---- one byte ------------------------------------------------------------------- */

static void *echo(void *data)
{
	const struct end *e = data;
	uint8_t byte;

	for (uint64_t i = 0; i < e->size; i++)
		if (recv(e->fd, &byte, 1, 0) != 1 ||
		    send(e->fd, &byte, 1, MSG_NOSIGNAL) != 1)
			flow_die("the echo stopped: %s", strerror(errno));
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void flow_ping(struct flow *f, int count, uint64_t *took_ns)
{
	struct end e = { .fd = f->far[0], .size = (uint64_t)count };

	if (pthread_create(&e.thread, NULL, echo, &e) != 0)
		flow_die("cannot start a thread");
	for (int i = 0; i < count; i++) {
		uint8_t byte = (uint8_t)i, answer;
		uint64_t begin_ns = flow_now_ns();

		if (send(f->near[0], &byte, 1, MSG_NOSIGNAL) != 1 ||
		    recv(f->near[0], &answer, 1, 0) != 1 || answer != byte)
			flow_die("no answer to byte %d: %s", i, strerror(errno));
		took_ns[i] = flow_now_ns() - begin_ns;
	}
	pthread_join(e.thread, NULL);
	qsort(took_ns, (size_t)count, sizeof(*took_ns), compare);
}
