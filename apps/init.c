/* SPDX-License-Identifier: Apache-2.0 */
/* muses init: the files of a new node, ready to run. */
#include "apps/app.h"
#include "apps/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT 7447

static const char config_text[] =
	"{\n"
	"  \"name\": \"%1$s\",\n"
	"  \"pipeline\": {\n"
	"    \"keys\":        { \"plugin\": \"noise\", \"identity\": \"%1$s.key\", "
	"\"peers\": "
	"\"%1$s.peers\" },\n"
	"    \"security\":    [ { \"plugin\": \"aes_gcm\" }, { \"plugin\": "
	"\"chacha20_poly1305\" } ],\n"
	"    \"reliability\": { \"plugin\": \"srm\" },\n"
	"    \"overlay\":     { \"plugin\": \"cloak_static\" },\n"
	"    \"transport\":   [ { \"plugin\": \"tcp\", \"listen\": [ \"0.0.0.0:%2$d\" ], "
	"\"dial\": {} } ]\n"
	"  },\n"
	"  \"forward\":  [],\n"
	"  \"services\": {},\n"
	"  \"control\":  \"%1$s.sock\",\n"
	"  \"state\":    \"%1$s.state\",\n"
	"  \"log\":      { \"level\": \"info\" }\n"
	"}\n";

static const char peers_text[] =
	"# Who may link and have sessions with %1$s: a line each, as `muses pubkey` "
	"prints\n"
	"# it on the other machine.  SIGHUP (or `muses reload`) reads this file again.\n"
	"#\n"
	"# The line that others need for %1$s:\n"
	"#\n"
	"# %2$s";

static const char next_text[] =
	"%1$s/%2$s.json    the configuration\n"
	"%1$s/%2$s.key     who has this file is %2$s: keep it\n"
	"%1$s/%2$s.peers   whom %2$s knows: nobody yet\n"
	"\n"
	"Next:\n"
	"  1. Give your peers this line for their peers files:\n"
	"       %3$s"
	"  2. Put theirs into %2$s.peers.\n"
	"  3. In %2$s.json, name what you offer and what you want:\n"
	"       \"services\": { \"ssh\": { \"connect\": \"127.0.0.1:22\", \"allow\": [ "
	"\"%5$s\" ] } }\n"
	"       \"forward\":  [ { \"listen\": \"127.0.0.1:2222\", \"to\": \"%5$s\", "
	"\"service\": \"ssh\" } ]\n"
	"     and where a neighbour is:\n"
	"       \"dial\": { \"%5$s\": \"192.0.2.7:%4$d\" }\n"
	"  4. muses check %2$s.json && muses node %2$s.json\n";

/* A new file for us alone; says so if it cannot be. */
static int write_new(const struct app *app, int folder, const char *name,
                     const char *text)
{
	size_t size = strlen(text);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written =
		fd >= 0 && write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
	int system = errno;

	if (fd >= 0)
		close(fd);
	if (written)
		return APP_OK;
	if (fd >= 0)
		unlinkat(folder, name, 0);
	return app_fail(app, APP_FAILED, "%s: %s", name,
	                fd < 0 && system == EEXIST
	                        ? "is there already, and stays as it is"
	                        : strerror(system));
}

static int write_all(const struct app *app, const char *folder_path, int folder,
                     const char *name)
{
	static const char *const ending[] = { "json", "peers", "key" };
	char text[3][4096], path[3][MUSES_NAME_MAX + 8];
	char line[MUSES_PEER_TEXT_MAX], why[256];
	uint8_t public_key[32];
	int code = APP_OK, made = 0;

	if (secret_identity(text[2]) != 0 ||
	    secret_public(text[2], strlen(text[2]), public_key, why, sizeof(why)) != 0)
		return app_fail(app, APP_FAILED, "cannot make a key: no randomness");
	muses_peer_text(name, public_key, line);
	snprintf(text[0], sizeof(text[0]), config_text, name, PORT);
	snprintf(text[1], sizeof(text[1]), peers_text, name, line);
	for (int i = 0; i < 3; i++)
		snprintf(path[i], sizeof(path[i]), "%s.%s", name, ending[i]);
	for (; made < 3 && code == APP_OK; made++)
		code = write_new(app, folder, path[made], text[made]);
	OPENSSL_cleanse(text[2], sizeof(text[2]));
	if (code == APP_OK) {
		printf(next_text, folder_path, name, line, PORT,
		       strcmp(name, "alice") == 0 ? "bob" : "alice");
		return APP_OK;
	}
	for (int i = 0; i < made - 1; i++) /* All or nothing. */
		unlinkat(folder, path[i], 0);
	return code;
}

/* This machine's name as a node's; false: it cannot be one. */
static bool machine_name(char *name, size_t size)
{
	if (gethostname(name, size) != 0)
		return false;
	name[size - 1] = '\0';
	name[strcspn(name, ".")] = '\0';
	for (char *p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return muses_name_valid(name);
}

int app_init(struct app *app, int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "directory", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	char name[MUSES_NAME_MAX + 1];
	const char *folder_path = ".";
	int option, code, folder;

	while ((option = getopt_long(argc, argv, APP_LETTERS "d:", options, NULL)) !=
	       -1) {
		if (option == 'd')
			folder_path = optarg;
		else if (!app_option(app, option, &code))
			return code;
	}
	if (argc - optind > 1)
		return app_usage(app, "want one NAME, or none");
	if (optind < argc && !muses_name_valid(argv[optind]))
		return app_usage(
			app,
			"\"%s\" is not a name: want letters, digits and . _ - and at "
			"most %d of them",
			argv[optind], MUSES_NAME_MAX);
	if (optind < argc)
		snprintf(name, sizeof(name), "%s", argv[optind]);
	else if (!machine_name(name, sizeof(name)))
		return app_usage(app, "this machine's name cannot be a node's: say NAME");
	folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return app_fail(app, APP_FAILED, "%s: %s", folder_path, strerror(errno));
	umask(077);
	code = write_all(app, folder_path, folder, name);
	close(folder);
	return code;
}
