/* SPDX-License-Identifier: Apache-2.0 */
/* muses plugins: what there is, and what it can be told. */
#include "apps/app.h"
#include "core/options.h"

#include <getopt.h>
#include <stdio.h>

static void each(void *user, const char *name, const char *path,
                 const struct muses_plugin *plugin, const char *why)
{
	bool *refused = user;

	if (plugin != NULL) {
		printf("%-18s %-12s %s\n", name, muses_kind_name(plugin->kind),
		       plugin->summary);
		return;
	}
	*refused = true;
	fflush(stdout);
	fprintf(stderr, "muses plugins: %s (%s): %s\n", name,
	        path != NULL ? path : "built in", why);
}

static int show(const struct app *app, struct core_loader *loader, const char *name)
{
	char why[512];
	const struct muses_plugin *plugin =
		core_loader_find(loader, name, MUSES_KINDS, why, sizeof(why));

	if (plugin == NULL)
		return app_fail(app, APP_FAILED, "%s", why);
	printf("%s (%s): %s\n", plugin->name, muses_kind_name(plugin->kind),
	       plugin->summary);
	if (plugin->options == NULL || plugin->options->type == MUSES_TYPE_END) {
		printf("no options\n");
		return APP_OK;
	}
	putchar('\n');
	core_options_print(plugin->options, stdout);
	return APP_OK;
}

int app_plugins(struct app *app, int argc, char **argv)
{
	static const struct option options[] = { APP_OPTIONS, { NULL, 0, NULL, 0 } };
	struct core_loader *loader;
	bool refused = false;
	int option, code;

	while ((option = getopt_long(argc, argv, APP_LETTERS, options, NULL)) != -1)
		if (!app_option(app, option, &code))
			return code;
	if (argc - optind > 1)
		return app_usage(app, "want one NAME, or none");
	loader = app_loader(app);
	if (loader == NULL)
		return APP_FAILED;
	if (optind < argc) {
		code = show(app, loader, argv[optind]);
	} else {
		core_loader_each(loader, each, &refused);
		code = refused ? APP_FAILED : APP_OK;
	}
	core_loader_close(loader);
	return code;
}
