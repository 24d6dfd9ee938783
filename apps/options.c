/* SPDX-License-Identifier: Apache-2.0 */
/* muses options: which keys a node's file may have, from the tables that check it. */
#include "apps/app.h"
#include "core/config.h"
#include "core/options.h"

#include <getopt.h>
#include <stdio.h>

static const char *const parts[] = { "node",     "log",     "links",
	                             "sessions", "forward", "services" };
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int all(void)
{
	for (size_t i = 0; i < PARTS; i++) {
		printf("%s%s\n", i == 0 ? "" : "\n", parts[i]);
		if (!core_config_show(parts[i], false, stdout))
			return APP_FAILED;
	}
	return APP_OK;
}

static int one(const struct app *app, const char *name, bool as_mdoc)
{
	const struct muses_plugin *plugin;
	struct core_loader *loader;
	char why[512];

	if (core_config_show(name, as_mdoc, stdout))
		return APP_OK;
	loader = app_loader(app);
	if (loader == NULL)
		return APP_FAILED;
	plugin = core_loader_find(loader, name, MUSES_KINDS, why, sizeof(why));
	if (plugin != NULL && as_mdoc)
		core_options_print_man(plugin->options, stdout);
	else if (plugin != NULL)
		core_options_print(plugin->options, stdout);
	else
		app_fail(app, APP_FAILED, "no part of the file, and %s", why);
	core_loader_close(loader);
	return plugin != NULL ? APP_OK : APP_FAILED;
}

int app_options(struct app *app, int argc, char **argv)
{
	static const struct option options[] = {
		APP_OPTIONS,
		{ "mdoc", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	bool as_mdoc = false;
	int option, code;

	while ((option = getopt_long(argc, argv, APP_LETTERS "m", options, NULL)) != -1) {
		if (option == 'm')
			as_mdoc = true;
		else if (!app_option(app, option, &code))
			return code;
	}
	if (argc - optind > 1 || (as_mdoc && optind == argc))
		return app_usage(app,
		                 as_mdoc ? "want one NAME" : "want one NAME, or none");
	return optind < argc ? one(app, argv[optind], as_mdoc) : all();
}
