/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugins of a static build.  libtool's -dlpreopen makes a table of their
 * symbols in the program; we are a library under that program, so the reference
 * is weak: a program linked without plugins has none.
 */
#include <config.h> /* Not core/config.h. */

#include "core/builtin.h"

#ifdef MUSES_BUILT_IN

#include <ltdl.h>
#include <string.h>

extern const lt_dlsymlist lt__PROGRAM__LTX_preloaded_symbols[] __attribute__((weak));

static const char suffix[] = "_LTX_muses_plugin";

static int is_record(const lt_dlsymlist *symbol)
{
	size_t length = strlen(symbol->name);

	return symbol->address != NULL && length > sizeof(suffix) - 1 &&
	       strcmp(symbol->name + length - (sizeof(suffix) - 1), suffix) == 0;
}

const struct muses_plugin *core_builtin_next(size_t *place)
{
	const lt_dlsymlist *table = lt__PROGRAM__LTX_preloaded_symbols;

	if (table == NULL)
		return NULL;
	while (table[*place].name != NULL) {
		const lt_dlsymlist *symbol = &table[(*place)++];

		if (is_record(symbol))
			return symbol->address;
	}
	return NULL;
}

#else

const struct muses_plugin *core_builtin_next(size_t *place)
{
	(void)place;
	return NULL;
}

#endif
