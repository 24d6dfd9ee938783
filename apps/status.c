/* SPDX-License-Identifier: Apache-2.0 */
/* muses status, muses reload: what a node says of itself. */
#include "apps/app.h"
#include "apps/progress.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <muses/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value == NULL ? "-" : value;
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* "256.0 MiB", in one of four buffers. */
static const char *bytes(const json_t *object, const char *key)
{
	static char buffer[4][16];
	static unsigned turn;
	char *b = buffer[turn++ % 4];

	progress_size((uint64_t)number(object, key), b);
	return b;
}

static void span(long long ms, char out[static 32])
{
	if (ms < 10000)
		snprintf(out, 32, "%lld.%lld s", ms / 1000, ms % 1000 / 100);
	else if (ms < 120000)
		snprintf(out, 32, "%lld s", ms / 1000);
	else if (ms < 7200000)
		snprintf(out, 32, "%lld min", ms / 60000);
	else
		snprintf(out, 32, "%lld h %lld min", ms / 3600000, ms % 3600000 / 60000);
}

static void show_session(const json_t *s)
{
	const json_t *streams = json_object_get(s, "streams"), *stream;
	char since[32];
	size_t i;

	printf("session %s: %s", text(s, "name"), text(s, "state"));
	if (number(s, "suspended_ms") > 0) {
		span(number(s, "suspended_ms"), since);
		printf(" for %s", since);
	}
	printf("\n    id %s\n    suite %s, epoch %lld, generation %lld", text(s, "peer"),
	       text(s, "suite"), number(s, "epoch"), number(s, "generation"));
	if (json_is_number(json_object_get(s, "rtt_ms")))
		printf(", rtt %.1f ms", json_number_value(json_object_get(s, "rtt_ms")));
	printf("\n    sent %s, received %s, not acknowledged %s\n",
	       bytes(s, "bytes_sent"), bytes(s, "bytes_received"),
	       bytes(s, "unacked_bytes"));
	json_array_foreach (streams, i, stream)
		printf("    stream %lld %s (opened by %s): sent %s, received %s, not "
		       "acknowledged "
		       "%s\n",
		       number(stream, "id"), text(stream, "service"),
		       text(stream, "opened_by"), bytes(stream, "sent_bytes"),
		       bytes(stream, "received_bytes"), bytes(stream, "unacked_bytes"));
}

static void show_link(const json_t *l)
{
	char since[32];

	span(number(l, "for_ms"), since);
	printf("link %s: %s for %s, %s %s\n",
	       text(l, json_object_get(l, "name") != NULL ? "name" : "peer"),
	       text(l, "state"), since, text(l, "transport"), text(l, "remote"));
}

static void show_counters(json_t *all)
{
	const char *who, *reason;
	json_t *part, *count;

	json_object_foreach (all, who, part)
		json_object_foreach (part, reason, count)
			printf("counter %s, %s: %" JSON_INTEGER_FORMAT "\n", who, reason,
			       json_integer_value(count));
}

static void show(const json_t *status)
{
	const json_t *lcm = json_object_get(status, "lcm"), *item;
	char since[32];
	size_t i;

	span(number(status, "up_ms"), since);
	printf("node %s, up %s, muses %s\n    id %s\n", text(status, "name"), since,
	       text(status, "version"), text(status, "id"));
	json_array_foreach (json_object_get(status, "sessions"), i, item)
		show_session(item);
	json_array_foreach (json_object_get(status, "links"), i, item)
		show_link(item);
	json_array_foreach (json_object_get(lcm, "forwards"), i, item)
		printf("forward %s to %s at %s\n", text(item, "listen"),
		       text(item, "service"), text(item, "to"));
	json_array_foreach (json_object_get(lcm, "services"), i, item)
		printf("service %s at %s, allows %zu %s\n", text(item, "name"),
		       json_is_string(json_object_get(item, "connect"))
		               ? text(item, "connect")
		               : "a program",
		       json_array_size(json_object_get(item, "allow")),
		       json_array_size(json_object_get(item, "allow")) == 1 ? "name"
		                                                            : "names");
	show_counters(json_object_get(status, "counters"));
}

/* Ask, and set *answer on APP_OK. */
static int ask(const struct app *app, const char *request, char **answer)
{
	struct muses_client *client;
	int code, err;

	*answer = NULL;
	if (!app_client(app, &client, &code))
		return code;
	err = muses_client_request(client, request, answer);
	code = APP_OK;
	if (err == MUSES_ECLOSED || err == MUSES_ETIMEOUT)
		code = app_fail(app, APP_NO_NODE, "%s", muses_client_why(client));
	else if (err != 0)
		code = app_fail(app, APP_FAILED, "%s", muses_client_why(client));
	muses_client_close(client);
	return code;
}

int app_status(struct app *app, int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	bool as_json = false;
	int option, code;
	json_t *object;
	char *answer;

	while ((option = getopt_long(argc, argv, APP_LETTERS "j", options, NULL)) != -1) {
		if (option == 'j')
			as_json = true;
		else if (!app_option(app, option, &code))
			return code;
	}
	if (optind != argc)
		return app_usage(app, "want no arguments");
	code = ask(app, "{\"verb\": \"status\"}", &answer);
	if (code != APP_OK)
		return code;
	object = json_loads(answer, 0, NULL);
	if (as_json) {
		json_dumpf(json_object_get(object, "status"), stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		show(json_object_get(object, "status"));
	}
	json_decref(object);
	free(answer);
	return APP_OK;
}

int app_reload(struct app *app, int argc, char **argv)
{
	static const struct option options[] = { APP_OPTIONS, { NULL, 0, NULL, 0 } };
	int option, code;
	char *answer;

	while ((option = getopt_long(argc, argv, APP_LETTERS, options, NULL)) != -1)
		if (!app_option(app, option, &code))
			return code;
	if (optind != argc)
		return app_usage(app, "want no arguments");
	code = ask(app, "{\"verb\": \"reload\"}", &answer);
	free(answer);
	return code;
}
