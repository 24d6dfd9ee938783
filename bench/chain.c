/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of processes: their files, their start, and what they cost. */
#include "bench/chain.h"

#include "bench/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHAINS_MAX = 16 };

const char *const chain_hop_name[CHAIN_HOPS] = { "bob", "relay", "alice" };

/* All that were opened, for exit(). */
static struct chain *opened[CHAINS_MAX];

/* ---- processes ------------------------------------------------------------------ */

static void close_all(void)
{
	for (int i = 0; i < CHAINS_MAX; i++)
		if (opened[i] != NULL)
			chain_close(opened[i]);
}

static void on_signal(int number)
{
	(void)number;
	exit(1);
}

static void remember(struct chain *c)
{
	static bool registered;
	int i = 0;

	memset(c, 0, sizeof(*c));
	if (!registered) {
		registered = true;
		atexit(close_all);
		signal(SIGINT, on_signal);
		signal(SIGTERM, on_signal);
	}
	while (i < CHAINS_MAX && opened[i] != NULL)
		i++;
	if (i == CHAINS_MAX)
		flow_die("more than %d chains", CHAINS_MAX);
	opened[i] = c;
}

/* out: where its standard output goes, or -1; quiet: its standard error nowhere. */
static pid_t start(const char *const argv[], int out, bool quiet)
{
	pid_t pid = fork();

	if (pid < 0)
		flow_die("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (quiet) {
		int nowhere = open("/dev/null", O_WRONLY);

		dup2(nowhere, STDERR_FILENO);
	}
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	fprintf(stderr, "throughput: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

void chain_close(struct chain *c)
{
	static const char *const ending[] = { ".json", ".sock" };
	char path[128];

	for (int i = 0; i < CHAIN_HOPS; i++)
		if (c->pid[i] > 0)
			kill(c->pid[i], SIGTERM);
	for (int i = 0; i < CHAIN_HOPS; i++)
		if (c->pid[i] > 0)
			waitpid(c->pid[i], NULL, 0);
	for (int i = 0; c->folder[0] != '\0' && i < CHAIN_HOPS; i++)
		for (int k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "%s/%s%s", c->folder,
			         chain_hop_name[i], ending[k]);
			unlink(path);
		}
	if (c->folder[0] != '\0') {
		snprintf(path, sizeof(path), "%s/psk.json", c->folder);
		unlink(path);
		rmdir(c->folder);
	}
	for (int i = 0; i < CHAINS_MAX; i++)
		if (opened[i] == c)
			opened[i] = NULL;
	memset(c, 0, sizeof(*c));
}

/* ---- nodes ---------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
put_file(const struct chain *c, const char *name, const char *format, ...)
{
	char path[128];
	va_list args;
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.json", c->folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file == NULL)
		flow_die("cannot write %s: %s", path, strerror(errno));
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	if (fclose(file) != 0)
		flow_die("cannot write %s: %s", path, strerror(errno));
}

/* 32 random bytes in base64: an alphabet of 64 letters, each of six random bits, but
 * the last, which has four and two zeros. */
static void put_secret(const struct chain *c)
{
	static const char letter[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t random[43];
	char text[45];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		flow_die("no random bytes");
	for (size_t i = 0; i < 43; i++)
		text[i] = letter[random[i] & (i == 42 ? 60 : 63)];
	memcpy(text + 43, "=", 2);
	put_file(c, "psk", "{ \"group\": \"%s\" }\n", text);
}

/* A port that was free just now. */
static int free_port(void)
{
	int port, fd = flow_listen(&port);

	close(fd);
	return port;
}

static void put_node(const struct chain *c, int hop, const char *security,
                     const char *overlay, const char *transport, const char *rest)
{
	put_file(c, chain_hop_name[hop],
	         "{ \"name\": \"%s\",\n"
	         "  \"pipeline\": {\n"
	         "    \"keys\": { \"plugin\": \"psk\", \"file\": \"psk.json\" },\n"
	         "    \"security\": [ %s ],\n"
	         "    \"reliability\": { \"plugin\": \"srm\" },\n"
	         "    \"overlay\": { \"plugin\": \"cloak_static\"%s },\n"
	         "    \"transport\": [ { \"plugin\": \"tcp\", %s } ] },\n"
	         "  \"control\": \"%s.sock\",\n"
	         "  \"log\": { \"level\": \"warn\" }%s }\n",
	         chain_hop_name[hop], security, overlay, transport, chain_hop_name[hop],
	         rest);
}

void chain_open_nodes(struct chain *c, const char *muses, const char *security, int port)
{
	const char *tmp = getenv("TMPDIR");
	int relay = free_port();
	char dial[80], listening[80], rest[160];

	remember(c);
	snprintf(c->folder, sizeof(c->folder), "%.40s/throughput-XXXXXX",
	         tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(c->folder) == NULL)
		flow_die("cannot make the folder %s: %s", c->folder, strerror(errno));
	c->entry = free_port();
	put_secret(c);
	snprintf(dial, sizeof(dial), "\"dial\": { \"relay\": \"127.0.0.1:%d\" }", relay);
	snprintf(listening, sizeof(listening), "\"listen\": [ \"127.0.0.1:%d\" ]", relay);
	snprintf(rest, sizeof(rest),
	         ",\n  \"forward\": [ { \"listen\": \"127.0.0.1:%d\", \"to\": \"alice\", "
	         "\"service\": \"sink\" } ]",
	         c->entry);
	put_node(c, 0, security, ", \"routes\": { \"alice\": [ \"relay\" ] }", dial,
	         rest);
	put_node(c, 1, security, "", listening, "");
	snprintf(rest, sizeof(rest),
	         ",\n  \"services\": { \"sink\": { \"connect\": \"127.0.0.1:%d\", "
	         "\"allow\": [ \"*\" ] } }",
	         port);
	put_node(c, 2, security, ", \"routes\": { \"bob\": [ \"relay\" ] }", dial, rest);
	for (int i = 0; i < CHAIN_HOPS; i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s.json", c->folder, chain_hop_name[i]);
		c->pid[i] =
			start((const char *[]){ muses, "node", path, NULL }, -1, false);
	}
}

void chain_open_splice(struct chain *c, const char *splice, int port)
{
	remember(c);
	for (int i = CHAIN_HOPS; i-- > 0;) {
		char to[16], line[16] = "";
		int fd[2];
		FILE *out;

		snprintf(to, sizeof(to), "%d", port);
		if (pipe2(fd, O_CLOEXEC) != 0)
			flow_die("pipe: %s", strerror(errno));
		c->pid[i] = start((const char *[]){ splice, to, NULL }, fd[1], false);
		close(fd[1]);
		out = fdopen(fd[0], "r");
		if (out == NULL || fgets(line, sizeof(line), out) == NULL)
			flow_die("%s does not say where it listens", splice);
		fclose(out);
		port = atoi(line);
	}
	c->entry = port;
}

/* ---- what they cost ------------------------------------------------------------- */

uint64_t chain_cpu_ns(const struct chain *c, int hop)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(c->pid[hop], &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		flow_die("%s is gone", chain_hop_name[hop]);
	return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

long chain_rss_kib(const struct chain *c, int hop)
{
	char path[40], line[128];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)c->pid[hop]);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return kib;
}

/* ---- system calls --------------------------------------------------------------- */

void chain_trace_begin(const struct chain *c, struct chain_trace *t)
{
	for (int i = 0; i < CHAIN_HOPS; i++) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)c->pid[i]);
		snprintf(t->file[i], sizeof(t->file[i]), "%s/%s.calls", c->folder,
		         chain_hop_name[i]);
		t->pid[i] = start((const char *[]){ "strace", "-c", "-f", "-o",
		                                    t->file[i], "-p", pid, NULL },
		                  -1, true);
	}
	poll(NULL, 0, 1000); /* Until all are attached. */
}

void chain_trace_end(struct chain_trace *t, double mib, double calls[CHAIN_HOPS],
                     FILE *out)
{
	for (int i = 0; i < CHAIN_HOPS; i++) {
		char line[160], name[40];
		unsigned long count;
		FILE *file;

		calls[i] = 0;
		kill(t->pid[i], SIGINT);
		waitpid(t->pid[i], NULL, 0);
		file = fopen(t->file[i], "r");
		if (file == NULL)
			flow_die("strace counted nothing: is it installed, and allowed?");
		/* % time, seconds, usecs/call, calls, errors (or nothing), name. */
		while (fgets(line, sizeof(line), file) != NULL) {
			if (sscanf(line, "%*f %*f %*u %lu %*u %39[a-z_0-9]", &count,
			           name) != 2 &&
			    sscanf(line, "%*f %*f %*u %lu %39[a-z_0-9]", &count, name) !=
			            2)
				continue;
			if (strcmp(name, "total") == 0)
				continue;
			calls[i] += (double)count / mib;
			if ((double)count / mib >= 0.01)
				fprintf(out, "  %-6s %-14s %8.2f calls per MiB\n",
				        chain_hop_name[i], name, (double)count / mib);
		}
		fclose(file);
		unlink(t->file[i]);
	}
}
