/* SPDX-License-Identifier: Apache-2.0 */
/* muses: one program, many verbs.  A verb is a row of the table and a function. */
#include "apps/app.h"

#include "core/loader.h"

#include <config.h>
#include <errno.h>
#include <getopt.h>
#include <muses/client.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct app_verb verbs[] = {
	{ "node", "FILE", "run a node",
	  "Runs the node that FILE describes, in the foreground, until SIGTERM or SIGINT.\n"
	  "SIGHUP reads FILE again: services, forwards, log and peers may change, and no\n"
	  "session notices.  Log lines go to stderr.\n",
	  app_node },
	{ "check", "FILE", "check a node's configuration",
	  "Says what `muses node FILE` would refuse, and exits with 1; or nothing, and 0.\n",
	  app_check },
	{ "plugins", "[NAME]", "list the plugins, or the options of one",
	  "Without NAME, lists every plugin that is found, and says why one is refused.\n"
	  "With NAME, shows its options: type, unit, range, default and help.\n",
	  app_plugins },
	{ "options", "[NAME]", "list what may stand in a configuration",
	  "NAME is a part of the file (node, log, links, sessions, forward, services) or a\n"
	  "plugin; without it, all parts of the file that are no plugins are shown.\n"
	  "  -m, --mdoc   as in the manual page\n",
	  app_options },
	{ "genkey", "", "make an identity",
	  "Writes a new identity to stdout: who has that file is the node.\n"
	  "    (umask 077; muses genkey > bob.key)\n",
	  app_genkey },
	{ "pubkey", "FILE [NAME]", "show the line that peers need to know a node",
	  "Reads the identity in FILE (-: stdin) and writes the line that others put into\n"
	  "their peers file.  NAME is what they will call the node; without it, FILE's\n"
	  "name without its ending.\n",
	  app_pubkey },
	{ "genpsk", "", "make a secret for two nodes or a group",
	  "Writes 32 random bytes in base64, for the secrets file of the psk plugin.\n",
	  app_genpsk },
	{ "init", "[NAME]", "make the files of a new node",
	  "Writes NAME.json, NAME.key and NAME.peers (NAME: this machine's name), and says\n"
	  "what to do next.  Never overwrites anything.\n"
	  "  -d, --directory DIR   write them there instead of here\n",
	  app_init },
	{ "status", "", "show a node's sessions, links and counters",
	  "  -j, --json   everything, as JSON\n",
	  app_status },
	{ "reload", "", "let a node read its file again",
	  "As SIGHUP, but says what was wrong, if something was.\n",
	  app_reload },
	{ "nc", "NAME SERVICE", "connect stdin and stdout to a service",
	  "Usable as ssh's ProxyCommand: ssh -o ProxyCommand='muses nc %h ssh' alice\n"
	  "  -w, --wait SECONDS   give up if there is no session after so long (default 0:\n"
	  "                       wait as long as it takes)\n"
	  "Exits with 255 if the connection was refused or lost, 4 if the peer cannot be\n"
	  "reached, 124 if it did not answer in time.\n",
	  app_nc },
	{ "send", "FILE... NAME", "send files to whoever runs `muses receive` at NAME",
	  "  -s, --service NAME   the receiver's service (default: files)\n"
	  "  -w, --wait SECONDS   give up if there is no session after so long (default 0:\n"
	  "                       wait as long as it takes)\n"
	  "Interrupted, and started again, it goes on where it was.\n",
	  app_send },
	{ "receive", "DIR", "receive files into a folder",
	  "  -1, --once           leave after the first file\n"
	  "  -n, --count N        leave after N files\n"
	  "  -f, --from NAME      from this peer alone (may be given several times;\n"
	  "                       default: from everybody who can have a session)\n"
	  "      --force          replace files that are there\n"
	  "  -s, --service NAME   the service (default: files)\n",
	  app_receive },
};
/* clang-format on */
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* ---- help ----------------------------------------------------------------- */

static void help(void)
{
	printf("usage: muses [-c SOCKET] VERB ...\n\n"
	       "Sessions between names, which survive every change of network.\n\n");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-8s %-13s %s\n", verbs[i].name, verbs[i].arguments,
		       verbs[i].summary);
	printf("\n"
	       "  -c, --control SOCKET     the node's control socket (default: "
	       "MUSES_CONTROL)\n"
	       "      --plugin-path DIRS   look for plugins there first, before\n"
	       "                           MUSES_PLUGIN_PATH and the installed folder\n"
	       "  -h, --help               this, or the help of a verb\n"
	       "      --version\n"
	       "\n"
	       "exit codes: 0 done, 1 failed, 2 wrong arguments, 3 the "
	       "node\n"
	       "does not answer, 4 the peer cannot be reached, 124 time-out, 255 "
	       "connection "
	       "lost\n");
}

static void usage_line(const struct app_verb *verb, FILE *to)
{
	fprintf(to, "usage: muses %s%s%s\n", verb->name,
	        *verb->arguments == '\0' ? "" : " ", verb->arguments);
}

bool app_option(struct app *app, int option, int *code)
{
	switch (option) {
	case 'c':
		app->control = optarg;
		return true;
	case 'P':
		app->plugin_path = optarg;
		return true;
	case 'h':
		usage_line(app->verb, stdout);
		printf("\n%s", app->verb->help);
		*code = APP_OK;
		return false;
	default: /* getopt_long() has said what is wrong. */
		usage_line(app->verb, stderr);
		*code = APP_USAGE;
		return false;
	}
}

bool app_number(const struct app *app, const char *option, const char *text,
                uint32_t least, uint32_t most, uint32_t *value)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9' &&
	    number >= least && number <= most) {
		*value = (uint32_t)number;
		return true;
	}
	app_usage(app, "%s %s: want a number from %u to %u", option, text,
	          (unsigned)least, (unsigned)most);
	return false;
}

/* ---- saying --------------------------------------------------------------- */

static void say(const struct app *app, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static void say(const struct app *app, const char *format, va_list arguments)
{
	fprintf(stderr, "muses%s%s: ", app->verb != NULL ? " " : "",
	        app->verb != NULL ? app->verb->name : "");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

int app_fail(const struct app *app, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(app, format, arguments);
	va_end(arguments);
	return code;
}

int app_usage(const struct app *app, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(app, format, arguments);
	va_end(arguments);
	usage_line(app->verb, stderr);
	return APP_USAGE;
}

/* ---- the node ------------------------------------------------------------- */

int app_exit_code(int err, bool transport)
{
	switch (err) {
	case 0:
		return APP_OK;
	case MUSES_EUNREACHABLE:
		return APP_NO_PEER;
	case MUSES_ETIMEOUT:
		return APP_TIMEOUT;
	case MUSES_EUNKNOWN:
	case MUSES_EUSAGE:
	case MUSES_ELIMIT:
	case MUSES_ENOMEM:
		return APP_FAILED; /* It did not come to a connection. */
	default:
		return transport ? APP_TRANSPORT : APP_FAILED;
	}
}

bool app_client(const struct app *app, struct muses_client **client, int *code)
{
	int err = muses_client_open(client, app->control);

	if (err == 0)
		return true;
	*code = err == MUSES_EUSAGE ? APP_USAGE : APP_NO_NODE;
	app_fail(app, *code, "%s", muses_client_why(*client));
	muses_client_close(*client);
	*client = NULL;
	return false;
}

struct core_loader *app_loader(const struct app *app)
{
	struct core_loader *loader = core_loader_open();
	const char *path = secure_getenv("MUSES_PLUGIN_PATH");

	if (loader != NULL &&
	    (app->plugin_path == NULL ||
	     core_loader_path(loader, app->plugin_path) == 0) &&
	    (path == NULL || core_loader_path(loader, path) == 0))
		return loader;
	core_loader_close(loader);
	app_fail(app, APP_FAILED, "out of memory");
	return NULL;
}

/* ---- main ----------------------------------------------------------------- */

static int run(struct app *app, int argc, char **argv)
{
	char name[32];

	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, argv[0]) != 0)
			continue;
		app->verb = &verbs[i];
		snprintf(name, sizeof(name), "muses %s", verbs[i].name);
		argv[0] = name; /* For what getopt_long() says. */
		optind = 0;
		return verbs[i].run(app, argc, argv);
	}
	return app_fail(app, APP_USAGE, "there is no verb \"%s\"; see muses --help",
	                argv[0]);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct app app = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, APP_LETTERS, options, NULL)) != -1) {
		switch (option) {
		case 'c':
			app.control = optarg;
			break;
		case 'P':
			app.plugin_path = optarg;
			break;
		case 'V':
			printf("muses %s\n", PACKAGE_VERSION);
			return APP_OK;
		case 'h':
			help();
			return APP_OK;
		default:
			return APP_USAGE;
		}
	}
	if (optind == argc)
		return app_fail(&app, APP_USAGE, "a verb is missing; see muses --help");
	return run(&app, argc - optind, argv + optind);
}
