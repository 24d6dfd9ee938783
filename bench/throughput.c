/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What MUSEs costs for bulk data: source -> bob -> relay -> alice -> sink, all on
 * loopback, against a chain of plain splice() relays with as many hops, in the same
 * run.  A table, or with --json one object.
 *
 * What the figures are: MiB/s is what arrived at the sink, from the first byte sent
 * to the end of the last stream.  "CPU s/GiB" is the processor time, user and system,
 * of the three processes of the chain; source and sink, which check each byte, are
 * not in it, but need a processor too, so with few cores MiB/s says less than CPU.
 * Rounds take all chains in turn; each figure is the median over the rounds, and a
 * ratio is the median of ratios within a round.
 */
#include "bench/chain.h"
#include "bench/flow.h"

#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MIB (1024.0 * 1024.0)

enum { ROUNDS_MAX = 99, PINGS = 4000, START_S = 30, IDLE_MS = 2500 };

/* What is carried through which chain. */
struct job {
	const char *suite; /* NULL: splice. */
	const char *security;
	int streams;
	enum flow_way way;
};

#define GCM_256 "{ \"plugin\": \"aes_gcm\", \"bits\": 256 }"

static const struct job jobs[] = {
	{ NULL, NULL, 1, FLOW_OUT }, /* Of each round the first: others are compared. */
	{ "aes_gcm 256", GCM_256, 1, FLOW_OUT },
	{ "aes_gcm 256", GCM_256, 1, FLOW_BACK },
	{ "aes_gcm 256", GCM_256, 8, FLOW_OUT },
	{ "aes_gcm 128", "{ \"plugin\": \"aes_gcm\", \"bits\": 128 }", 1, FLOW_OUT },
	{ "chacha20_poly1305", "{ \"plugin\": \"chacha20_poly1305\" }", 1, FLOW_OUT },
	{ "aes_hmac ctr sha256",
	  "{ \"plugin\": \"aes_hmac\", \"mode\": \"ctr\", \"mac\": \"sha256\" }", 1,
	  FLOW_OUT },
	{ "null", "{ \"plugin\": \"null\", \"insecure\": true }", 1, FLOW_OUT },
};
enum { JOBS = sizeof(jobs) / sizeof(jobs[0]) };

struct result {
	double mib_s, cpu, hop_cpu[CHAIN_HOPS]; /* Seconds per GiB. */
	double speed_ratio, cpu_ratio;          /* To splice in the same round. */
};

static struct {
	double gib;
	int rounds;
	bool json, trace;
	const char *only; /* Suites that begin like this. */
	const char *muses, *splice;
} options = { .gib = 1, .rounds = 5 };

static struct chain chains[JOBS];
static struct result results[JOBS][ROUNDS_MAX];
static uint64_t pings[JOBS][PINGS];
static long idle_kib[JOBS][CHAIN_HOPS];
static double calls[JOBS][CHAIN_HOPS];
static int listener, listener_port;

static bool wanted(int i)
{
	return jobs[i].suite == NULL || options.only == NULL ||
	       strncmp(jobs[i].suite, options.only, strlen(options.only)) == 0;
}

/* ---- one job --------------------------------------------------------------------- */

/* Jobs with one suite share a chain. */
static struct chain *chain_of(int i)
{
	int first = i;

	while (first > 0 && jobs[first - 1].suite != NULL && jobs[i].suite != NULL &&
	       strcmp(jobs[first - 1].suite, jobs[i].suite) == 0)
		first--;
	return &chains[first];
}

static void carry(int i, double gib, struct result *r)
{
	struct chain *c = chain_of(i);
	uint64_t before[CHAIN_HOPS];
	uint64_t size = (uint64_t)(gib * 1024 * MIB) / (uint64_t)jobs[i].streams;
	double seconds, whole = (double)size * jobs[i].streams / MIB / 1024;
	struct flow f;

	flow_open(&f, jobs[i].streams, c->entry, listener, START_S);
	for (int k = 0; k < CHAIN_HOPS; k++)
		before[k] = chain_cpu_ns(c, k);
	seconds = flow_carry(&f, jobs[i].way, size);
	flow_close(&f);
	poll(NULL, 0, 50); /* The last acknowledgements belong to it, too. */
	r->mib_s = whole * 1024 / seconds;
	r->cpu = 0;
	for (int k = 0; k < CHAIN_HOPS; k++) {
		r->hop_cpu[k] = (double)(chain_cpu_ns(c, k) - before[k]) / 1e9 / whole;
		r->cpu += r->hop_cpu[k];
	}
}

static void ping(int i)
{
	uint64_t warm[PINGS / 10];
	struct flow f;

	flow_open(&f, 1, chain_of(i)->entry, listener, START_S);
	flow_ping(&f, PINGS / 10, warm);
	flow_ping(&f, PINGS, pings[i]);
	flow_close(&f);
}

static void start(int i)
{
	struct result warm;

	if (chain_of(i) == &chains[i]) {
		if (jobs[i].suite == NULL)
			chain_open_splice(&chains[i], options.splice, listener_port);
		else
			chain_open_nodes(&chains[i], options.muses, jobs[i].security,
			                 listener_port);
	}
	carry(i, 0.0625, &warm);
}

static void trace(int i)
{
	FILE *out = options.json ? stderr : stdout;
	struct chain_trace t;
	struct flow f;
	uint64_t size = (uint64_t)(options.gib * 1024 * MIB) / (uint64_t)jobs[i].streams;

	fprintf(out, "%s, %d stream%s%s:\n", jobs[i].suite, jobs[i].streams,
	        jobs[i].streams > 1 ? "s" : "", jobs[i].way == FLOW_BACK ? ", back" : "");
	flow_open(&f, jobs[i].streams, chain_of(i)->entry, listener, START_S);
	chain_trace_begin(chain_of(i), &t);
	flow_carry(&f, jobs[i].way, size);
	flow_close(&f);
	chain_trace_end(&t, options.gib * 1024, calls[i], out);
}

/* ---- what came out ------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median over the rounds of the member at offset. */
static double median(int i, size_t offset)
{
	double value[ROUNDS_MAX];

	for (int k = 0; k < options.rounds; k++)
		memcpy(&value[k], (const char *)&results[i][k] + offset, sizeof(double));
	qsort(value, (size_t)options.rounds, sizeof(double), compare);
	return (value[(options.rounds - 1) / 2] + value[options.rounds / 2]) / 2;
}
#define MEDIAN(i, member) median(i, offsetof(struct result, member))

static double percentile_us(int i, int percent)
{
	return (double)pings[i][(PINGS - 1) * percent / 100] / 1000;
}

static const char *name_of(int i)
{
	return jobs[i].suite != NULL ? jobs[i].suite : "splice";
}

/* "model name" of the first processor. */
static void processor(char *text, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256], *colon;

	snprintf(text, size, "unknown");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "model name", 10) != 0 ||
		    (colon = strchr(line, ':')) == NULL)
			continue;
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(text, size, "%.80s", colon + 2);
		break;
	}
	if (file != NULL)
		fclose(file);
}

static double load_average(void)
{
	double load = 0;

	return getloadavg(&load, 1) == 1 ? load : -1;
}

static void print_table(const char *model, const struct utsname *u, double load)
{
	printf("%.3g GiB a transfer, median of %d rounds; %s, %ld processors, %s %s, "
	       "load "
	       "%.1f before\n\n",
	       options.gib, options.rounds, model, sysconf(_SC_NPROCESSORS_ONLN),
	       u->sysname, u->release, load);
	printf("%-20s %7s %4s %7s %8s %7s %7s %7s %9s %9s\n", "", "streams", "way",
	       "MiB/s", "CPU s/GiB", "bob", "relay", "alice", "x MiB/s", "x CPU");
	for (int i = 0; i < JOBS; i++)
		if (wanted(i))
			printf("%-20s %7d %4s %7.0f %8.2f %7.2f %7.2f %7.2f %9.2f "
			       "%9.2f\n",
			       name_of(i), jobs[i].streams,
			       jobs[i].way == FLOW_BACK ? "back" : "out",
			       MEDIAN(i, mib_s), MEDIAN(i, cpu), MEDIAN(i, hop_cpu[0]),
			       MEDIAN(i, hop_cpu[1]), MEDIAN(i, hop_cpu[2]),
			       MEDIAN(i, speed_ratio), MEDIAN(i, cpu_ratio));
	printf("\n(x: as a multiple of the splice chain, in the same round)\n\n");
	printf("%-20s %10s %10s %8s   %s\n", "one byte and back", "p50 us", "p99 us",
	       "x p50", "idle memory, MiB: bob, relay, alice");
	for (int i = 0; i < JOBS; i++) {
		if (!wanted(i) || chain_of(i) != &chains[i])
			continue;
		printf("%-20s %10.0f %10.0f %8.2f  ", name_of(i), percentile_us(i, 50),
		       percentile_us(i, 99), percentile_us(i, 50) / percentile_us(0, 50));
		for (int k = 0; k < CHAIN_HOPS; k++)
			printf(" %5.1f", (double)idle_kib[i][k] / 1024);
		printf("\n");
	}
}

static json_t *triple(const double value[CHAIN_HOPS])
{
	return json_pack("{s:f, s:f, s:f}", chain_hop_name[0], value[0],
	                 chain_hop_name[1], value[1], chain_hop_name[2], value[2]);
}

static json_t *json_of(int i)
{
	double cpu[CHAIN_HOPS] = { MEDIAN(i, hop_cpu[0]), MEDIAN(i, hop_cpu[1]),
		                   MEDIAN(i, hop_cpu[2]) };
	json_t *o = json_pack("{s:s, s:i, s:s, s:f, s:f, s:o, s:f, s:f}", "chain",
	                      name_of(i), "streams", jobs[i].streams, "way",
	                      jobs[i].way == FLOW_BACK ? "back" : "out", "mib_per_s",
	                      MEDIAN(i, mib_s), "cpu_s_per_gib", MEDIAN(i, cpu),
	                      "hop_cpu_s_per_gib", triple(cpu), "speed_ratio",
	                      MEDIAN(i, speed_ratio), "cpu_ratio", MEDIAN(i, cpu_ratio));

	if (chain_of(i) == &chains[i]) {
		double kib[CHAIN_HOPS] = { (double)idle_kib[i][0], (double)idle_kib[i][1],
			                   (double)idle_kib[i][2] };

		json_object_set_new(o, "ping_p50_us", json_real(percentile_us(i, 50)));
		json_object_set_new(o, "ping_p99_us", json_real(percentile_us(i, 99)));
		json_object_set_new(o, "idle_kib", triple(kib));
	}
	if (options.trace && jobs[i].suite != NULL)
		json_object_set_new(o, "calls_per_mib", triple(calls[i]));
	return o;
}

static void print_json(const char *model, const struct utsname *u, double load)
{
	json_t *array = json_array(), *o;

	for (int i = 0; i < JOBS; i++)
		if (wanted(i))
			json_array_append_new(array, json_of(i));
	o = json_pack("{s:s, s:s, s:i, s:f, s:f, s:i, s:o}", "processor", model, "kernel",
	              u->release, "processors", (int)sysconf(_SC_NPROCESSORS_ONLN),
	              "load", load, "gib", options.gib, "rounds", options.rounds,
	              "results", array);
	json_dumpf(o, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(5));
	printf("\n");
	json_decref(o);
}

/* ---- the whole ------------------------------------------------------------------------
 */

static void run(void)
{
	listener = flow_listen(&listener_port);
	for (int i = 0; i < JOBS; i++)
		if (wanted(i))
			start(i);
	for (int round = 0; round < options.rounds; round++)
		for (int i = 0; i < JOBS; i++) {
			struct result *r = &results[i][round],
				      *plain = &results[0][round];

			if (!wanted(i))
				continue;
			carry(i, options.gib, r);
			r->speed_ratio = r->mib_s / plain->mib_s;
			r->cpu_ratio = r->cpu / plain->cpu;
			if (!options.json && isatty(STDERR_FILENO))
				fprintf(stderr, "round %d, %s: %.0f MiB/s\033[K\r",
				        round + 1, name_of(i), r->mib_s);
		}
	poll(NULL, 0, IDLE_MS);
	for (int i = 0; i < JOBS; i++)
		if (wanted(i) && chain_of(i) == &chains[i]) {
			for (int k = 0; k < CHAIN_HOPS; k++)
				idle_kib[i][k] = chain_rss_kib(&chains[i], k);
			ping(i);
		}
	for (int i = 0; i < JOBS; i++)
		if (options.trace && wanted(i) && jobs[i].suite != NULL)
			trace(i);
}

static void usage(void)
{
	fputs("usage: throughput [--gib N] [--rounds N] [--only SUITE] [--trace] "
	      "[--json]\n"
	      "  --gib N       GiB a transfer (1)\n"
	      "  --rounds N    rounds over all chains (5)\n"
	      "  --only SUITE  suites whose names begin so, and splice\n"
	      "  --trace       count system calls per MiB with strace, too, after the "
	      "rest\n"
	      "MUSES and SPLICE in the environment are the programs to run.\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "gib", required_argument, NULL, 'g' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "only", required_argument, NULL, 'o' },
		{ "trace", no_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	double load = load_average();
	char model[96];
	struct utsname u;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 'g':
			options.gib = atof(optarg);
			break;
		case 'r':
			options.rounds = atoi(optarg);
			break;
		case 'o':
			options.only = optarg;
			break;
		case 't':
			options.trace = true;
			break;
		case 'j':
			options.json = true;
			break;
		default:
			usage();
		}
	if (optind != argc || options.gib <= 0 || options.rounds < 1 ||
	    options.rounds > ROUNDS_MAX)
		usage();
	options.muses = getenv("MUSES") != NULL ? getenv("MUSES") : "muses";
	options.splice = getenv("SPLICE") != NULL ? getenv("SPLICE") : "bench/splice";
	uname(&u);
	processor(model, sizeof(model));
	run();
	if (options.json)
		print_json(model, &u, load);
	else
		print_table(model, &u, load);
	return 0;
}
