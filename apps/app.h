/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_APP_H
#define APPS_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the verbs of `muses` have in common: exit codes, options, complaints. */
enum app_exit {
	APP_OK = 0,
	APP_FAILED = 1,
	APP_USAGE = 2,   /* Wrong arguments. */
	APP_NO_NODE = 3, /* The node's control socket does not answer. */
	APP_NO_PEER = 4, /* The peer cannot be reached. */
	APP_TIMEOUT = 124,
	APP_TRANSPORT = 255, /* nc: the connection was lost or refused; as ssh. */
};

struct app {
	const char *control;     /* -c; NULL: MUSES_CONTROL. */
	const char *plugin_path; /* --plugin-path */
	const struct app_verb *verb;
};

struct app_verb {
	const char *name;
	const char *arguments; /* "NAME SERVICE" */
	const char *summary;   /* For the list: no capital, no full stop. */
	const char *help;      /* Options and what to know; ends in a newline. */
	int (*run)(struct app *app, int argc, char **argv); /* The exit code. */
};

int app_node(struct app *app, int argc, char **argv);
int app_check(struct app *app, int argc, char **argv);
int app_plugins(struct app *app, int argc, char **argv);
int app_options(struct app *app, int argc, char **argv);
int app_genkey(struct app *app, int argc, char **argv);
int app_pubkey(struct app *app, int argc, char **argv);
int app_genpsk(struct app *app, int argc, char **argv);
int app_init(struct app *app, int argc, char **argv);
int app_status(struct app *app, int argc, char **argv);
int app_reload(struct app *app, int argc, char **argv);
int app_nc(struct app *app, int argc, char **argv);
int app_send(struct app *app, int argc, char **argv);
int app_receive(struct app *app, int argc, char **argv);

/* ---- options -------------------------------------------------------------- */

/* What every verb takes; letters "c:h" go to the front of its own. */
#define APP_LETTERS "+c:h"
/* clang-format off */
#define APP_OPTIONS                                                                  \
	{ "control", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' }, \
	{ "plugin-path", required_argument, NULL, 'P' }
/* clang-format on */

/* An option that is not the verb's own.  True: go on; false: leave with *code. */
bool app_option(struct app *app, int option, int *code);
/* The number in text, from least to most; false: said what was wrong. */
bool app_number(const struct app *app, const char *option, const char *text, uint32_t least,
                uint32_t most, uint32_t *value);

/* ---- saying --------------------------------------------------------------- */

/* "muses nc: ..." on stderr; returns code, so that it can be a return. */
int app_fail(const struct app *app, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, with the usage line; APP_USAGE. */
int app_usage(const struct app *app, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- the node ------------------------------------------------------------- */

struct muses_client;
struct core_loader;

/* Connect to the node; *code is the exit code on false. */
bool app_client(const struct app *app, struct muses_client **client, int *code);
/* What an error of the client API means as an exit code; transport: of a
 * connection that was there. */
int app_exit_code(int err, bool transport);
/* With --plugin-path and MUSES_PLUGIN_PATH; NULL: said so. */
struct core_loader *app_loader(const struct app *app);

#endif
