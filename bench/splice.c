/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a relay between two TCP connections can do: splice() through a
 * pipe, both ways, in blocking threads.  It is what bench/throughput compares with.
 *
 *   splice PORT     for each connection, connect to 127.0.0.1:PORT; the port that
 *                   it listens on is the only line it prints
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE_BYTES = 256 * 1024 };

struct way {
	int from, to;
};

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void *carry(void *data)
{
	struct way w = *(struct way *)data;
	int pipe_fd[2];
	ssize_t size;

	free(data);
	must(pipe(pipe_fd) == 0, "pipe");
	fcntl(pipe_fd[1], F_SETPIPE_SZ, PIPE_BYTES);
	while ((size = splice(w.from, NULL, pipe_fd[1], NULL, PIPE_BYTES,
	                      SPLICE_F_MOVE)) > 0)
		while (size > 0) {
			ssize_t put = splice(pipe_fd[0], NULL, w.to, NULL, (size_t)size,
			                     SPLICE_F_MOVE);

			if (put <= 0)
				goto out;
			size -= put;
		}
out:
	shutdown(w.to, SHUT_WR);
	shutdown(w.from, SHUT_RD);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	return NULL;
}

static void start(pthread_t *thread, int from, int to)
{
	struct way *w = malloc(sizeof(*w));

	must(w != NULL, "malloc");
	*w = (struct way){ from, to };
	must(pthread_create(thread, NULL, carry, w) == 0, "pthread_create");
}

struct pair {
	int near, port;
};

static void *serve(void *data)
{
	struct pair p = *(struct pair *)data;
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)p.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int far = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	pthread_t thread[2];

	free(data);
	must(far >= 0 && connect(far, (struct sockaddr *)&at, sizeof(at)) == 0,
	     "connect");
	setsockopt(p.near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	start(&thread[0], p.near, far);
	start(&thread[1], far, p.near);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	close(p.near);
	close(far);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int port = argc == 2 ? atoi(argv[1]) : 0;

	if (port <= 0 || port > 65535) {
		fprintf(stderr, "usage: splice PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0 &&
	             listen(fd, 64) == 0,
	     "listen");
	must(getsockname(fd, (struct sockaddr *)&at, &size) == 0, "getsockname");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		struct pair *p = malloc(sizeof(*p));
		pthread_t thread;

		must(p != NULL, "malloc");
		*p = (struct pair){ accept(fd, NULL, NULL), port };
		must(p->near >= 0, "accept");
		must(pthread_create(&thread, NULL, serve, p) == 0, "pthread_create");
		pthread_detach(thread);
	}
}
