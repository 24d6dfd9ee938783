/* SPDX-License-Identifier: Apache-2.0 */
/* The main() of a fuzzer in a build without libFuzzer: runs it on each file of its
 * corpus, tests/corpus/NAME in the source tree, or on the files named. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int count;

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, room = 0;
	int failed = 1;

	if (file == NULL)
		goto out;
	do {
		if (size == room) {
			uint8_t *more = realloc(data, room += 65536);

			if (more == NULL)
				goto out;
			data = more;
		}
		size += fread(data + size, 1, room - size, file);
	} while (!feof(file) && !ferror(file));
	if (ferror(file))
		goto out;
	/* In memory of exactly its size, so that reading past the end shows. */
	if (size > 0) {
		uint8_t *exact = realloc(data, size);

		if (exact != NULL)
			data = exact;
	}
	LLVMFuzzerTestOneInput(data, size);
	failed = 0;
out:
	printf("%s %u - %s\n", failed ? "not ok" : "ok", ++count, path);
	if (file != NULL)
		fclose(file);
	free(data);
	return failed;
}

static int is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
	struct dirent **entries;
	int failed = 0, found = scandir(folder, &entries, is_input, alphasort);

	for (int i = 0; i < found; i++) {
		char *path;

		if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0)
			abort();
		failed |= run_file(path);
		free(path);
		free(entries[i]);
	}
	if (found >= 0)
		free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *source = getenv("srcdir");
	const char *name = slash == NULL ? argv[0] : slash + 1;
	char *folder;
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* libtool runs uninstalled programs as lt-NAME. */
	if (strncmp(name, "lt-", 3) == 0)
		name += 3;
	if (asprintf(&folder, "%s/tests/corpus/%s", source == NULL ? "." : source, name) <
	    0)
		abort();
	for (int i = 1; i < argc; i++)
		failed |= run_file(argv[i]);
	if (argc == 1)
		failed = run_folder(folder);
	free(folder);
	printf("1..%u%s\n", count, count == 0 ? " # SKIP the corpus is empty" : "");
	return failed;
}
