/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_INCOMING_H
#define APPS_INCOMING_H

#include "apps/app.h"
#include "apps/progress.h"
#include "apps/wire.h"

/* Files that one peer sends us, one after the other, into one folder. */
struct incoming {
	const struct app *app; /* NULL in tests: says nothing. */
	struct wire wire;
	struct progress progress;
	const char *peer;
	int folder; /* A descriptor. */
	bool force; /* Replace what is there. */
	int report; /* Gets a byte for each file that is complete; -1: nobody asks. */
};

/* Until the peer has finished; an exit code. */
int incoming_all(struct incoming *in);

#endif
