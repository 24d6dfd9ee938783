/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: the only caller of malloc(), free() and mmap().
 *
 * The counters are the process's, not a node's: whoever gives memory back need
 * not know who asked for it.  One thread, so no locks.
 */
#include "core/mem.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct {
	uint64_t out;   /* Given out and not given back. */
	uint64_t total; /* Given out in all. */
	uint64_t fuse;  /* The allocation that fails, counted down; 0: none. */
	bool blown;
} mem;

/* May this allocation be made?  Burns the fuse down by one. */
static bool allowed(void)
{
	if (mem.fuse == 0 || --mem.fuse > 0)
		return true;
	mem.blown = true;
	return false;
}

static void *counted(void *p)
{
	if (p != NULL) {
		mem.out++;
		mem.total++;
	}
	return p;
}

void *muses_zalloc(size_t size)
{
	if (!allowed())
		return NULL;
	return counted(calloc(1, size > 0 ? size : 1));
}

void muses_free(void *p)
{
	if (p == NULL)
		return;
	mem.out--;
	free(p);
}

void muses_free_secret(void *p, size_t size)
{
	if (p == NULL)
		return;
	OPENSSL_cleanse(p, size);
	muses_free(p);
}

void *core_realloc(void *p, size_t old_count, size_t count, size_t item_size)
{
	size_t size;
	char *fresh;

	if (__builtin_mul_overflow(count, item_size, &size) || size > PTRDIFF_MAX)
		return NULL;
	if (!allowed())
		return NULL;
	fresh = realloc(p, size > 0 ? size : 1);
	if (fresh == NULL)
		return NULL;
	mem.total++;
	if (p == NULL)
		mem.out++;
	if (count > old_count)
		memset(fresh + old_count * item_size, 0, (count - old_count) * item_size);
	return fresh;
}

char *core_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = muses_zalloc(size);

	if (copy != NULL)
		memcpy(copy, text, size);
	return copy;
}

char *core_format(const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	text = muses_zalloc((size_t)length + 1);
	if (text == NULL)
		return NULL;
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void *core_map(size_t size)
{
	void *p;

	if (!allowed())
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return counted(p == MAP_FAILED ? NULL : p);
}

void core_unmap(void *p, size_t size)
{
	if (p == NULL)
		return;
	mem.out--;
	munmap(p, size);
}

void core_mem_fuse(uint64_t nth)
{
	mem.fuse = nth;
	if (nth > 0)
		mem.blown = false;
}

bool core_mem_blown(void)
{
	return mem.blown;
}

uint64_t core_mem_count(void)
{
	return mem.out;
}

uint64_t core_mem_total(void)
{
	return mem.total;
}
