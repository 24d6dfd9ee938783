/* SPDX-License-Identifier: Apache-2.0 */
/* Where the published test vectors are, if they are anywhere. */
#include "tests/vectors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[4096];

static bool found(const char *folder, const char *below, const char *file)
{
	int length;

	if (folder == NULL)
		return false;
	length = snprintf(path, sizeof(path), "%s%s/%s", folder, below, file);
	return length > 0 && (size_t)length < sizeof(path) && access(path, R_OK) == 0;
}

const char *vectors_path(const char *file)
{
	const char *source = getenv("srcdir"); /* make check sets it. */

	if (source == NULL)
		source = ".";
	if (found(getenv("MUSES_VECTORS"), "", file) ||
	    found(source, "/../shared/vectors", file) ||
	    found(source, "/tests/vectors", file))
		return path;
	return NULL;
}
