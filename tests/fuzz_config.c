/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a node's file: an answer, and everything given back. */
#include "core/config.h"
#include "core/mem.h"
#include "core/say.h"
#include "tests/toys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sane(const char *why)
{
	if (why[0] == '\0' || strlen(why) >= CORE_SAY_MAX)
		abort();
	for (; *why != '\0'; why++)
		if ((unsigned char)*why < 0x20 || *why == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct core_loader *loader;
	char why[CORE_SAY_MAX] = "";
	struct core_config *config;
	uint64_t before;

	if (loader == NULL)
		loader = toys_loader();
	if (loader == NULL)
		abort();
	/* Twice: the first time the loader remembers the plugins that are named. */
	for (int i = 0; i < 2; i++) {
		before = core_mem_count();
		toys_forget();
		if (core_config_parse(&config, (const char *)data, size, "/nonexistent",
		                      loader, why, sizeof(why)) != 0) {
			sane(why);
		} else {
			if (core_config_check_open(config, NULL, why, sizeof(why)) != 0)
				sane(why);
			core_config_free(config);
		}
		if (i == 1 && core_mem_count() != before)
			abort();
	}
	return 0;
}
