/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <stddef.h>

/* A folder of its own for each test, below TMPDIR, gone with all in it at
 * folder_close().  Mode 0700. */
struct folder {
	char path[256];
};

void folder_open(struct folder *f);
void folder_close(struct folder *f);
/* The path of name in it; valid until the eighth call from now. */
const char *folder_path(const struct folder *f, const char *name);
/* Make or replace a file with that mode, whatever the umask. */
void folder_write(const struct folder *f, const char *name, const void *data, size_t size,
                  unsigned mode);
void folder_text(const struct folder *f, const char *name, const char *text, unsigned mode);
/* Copy the file at from to name. */
void folder_copy(const struct folder *f, const char *name, const char *from, unsigned mode);

#endif
