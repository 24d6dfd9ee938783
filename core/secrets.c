/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of shared secrets: JSON, read by a scanner of our own that leaves no
 * copy of a secret behind (see muses/identity.h).
 */
#include "core/say.h"

#include <muses/identity.h>
#include <muses/noise.h>
#include <muses/plugin.h>

#include <stdlib.h>

#define SECRET_SIZE 32
#define TEXT_MAX    127 /* Of a string: more than a name or a secret has. */

struct secret {
	char name[MUSES_NAME_MAX + 1];
	uint8_t bytes[SECRET_SIZE];
	unsigned line;
};

struct muses_secrets {
	bool has_group;
	struct secret group; /* Its name is "group", which a peer may have too. */
	size_t room, count;
	struct secret *peer;
	const struct secret **by_name;
	const char *shared[2]; /* NULL: none. */
};

/* ---- the scanner -------------------------------------------------------------- */

struct scan {
	const char *at, *end;
	unsigned line;
	char *why;
	size_t why_size;
};

/* What stands in a name's place, for a message: not, if it may be a secret. */
static const char *shown(const char *text)
{
	return strlen(text) < 40 ? text : "(a long text)";
}

static int wrong(struct scan *s, const char *what)
{
	return core_say(s->why, s->why_size, MUSES_ECONFIG, "line %u: %s", s->line, what);
}

/* The next character that is not white space; 0 at the end (and for a zero byte,
 * which nothing expects). */
static char peek(struct scan *s)
{
	for (; s->at < s->end; s->at++) {
		if (*s->at == '\n')
			s->line++;
		else if (*s->at != ' ' && *s->at != '\t' && *s->at != '\r')
			return *s->at;
	}
	return '\0';
}

static bool take(struct scan *s, char c)
{
	if (s->at >= s->end || peek(s) != c || s->at >= s->end)
		return false;
	s->at++;
	return true;
}

static int read_string(struct scan *s, const char *what, char text[static TEXT_MAX + 1])
{
	size_t length = 0;

	if (!take(s, '"'))
		return wrong(s, what);
	for (; s->at < s->end && *s->at != '"'; s->at++) {
		if ((unsigned char)*s->at < 0x20)
			return wrong(s, "a string does not end on its line");
		if (*s->at == '\\')
			return wrong(s, "want strings without '\\'");
		if (length == TEXT_MAX)
			return wrong(s, "a string is too long");
		text[length++] = *s->at;
	}
	text[length] = '\0';
	return take(s, '"') ? 0 : wrong(s, "a string does not end");
}

/* Behind a member: is there another?  end is '}'. */
static int read_more(struct scan *s, bool *more)
{
	*more = take(s, ',');
	if (!*more && !take(s, '}'))
		return wrong(s, "want ',' or '}'");
	return 0;
}

static int read_secret(struct scan *s, const char *name, uint8_t *bytes)
{
	static const uint8_t zero[SECRET_SIZE];
	char text[TEXT_MAX + 1];
	int err = take(s, ':') ? 0 : wrong(s, "want ':'");

	if (err == 0)
		err = read_string(s, "want a secret in quotation marks", text);
	if (err == 0 && !muses_base64_parse(text, bytes, SECRET_SIZE))
		err = core_say(
			s->why, s->why_size, MUSES_ECONFIG,
			"line %u: the secret of '%s' has to be 44 characters of base64, "
			"as 'muses genpsk' makes it (32 bytes)",
			s->line, name);
	if (err == 0 && muses_equal_secret(bytes, zero, SECRET_SIZE))
		err = core_say(s->why, s->why_size, MUSES_ECONFIG,
		               "line %u: the secret of '%s' is all zero", s->line, name);
	muses_cleanse(text, sizeof(text));
	return err;
}

/* ---- the file --------------------------------------------------------------------- */

static int read_peer(struct scan *s, struct muses_secrets *secrets, const char *name)
{
	struct secret *p = &secrets->peer[secrets->count];
	struct muses_id id;

	if (!muses_name_valid(name) || muses_id_parse(name, &id))
		return core_say(
			s->why, s->why_size, MUSES_ECONFIG,
			"line %u: '%s' is not a name: want at most %d letters, digits, "
			"'.', '_', '-', the first a letter or digit",
			s->line, shown(name), MUSES_NAME_MAX);
	if (secrets->count == secrets->room)
		return wrong(s, "too many peers"); /* Cannot be: room counts colons. */
	strcpy(p->name, name);
	p->line = s->line;
	secrets->by_name[secrets->count++] = p;
	return read_secret(s, name, p->bytes);
}

static int read_peers(struct scan *s, struct muses_secrets *secrets)
{
	char name[TEXT_MAX + 1];
	bool more = true;
	int err;

	if (!take(s, ':') || !take(s, '{'))
		return wrong(s, "want \"peers\": { \"NAME\": \"SECRET\" }");
	if (take(s, '}'))
		return 0;
	do {
		err = read_string(s, "want a peer's name in quotation marks", name);
		if (err == 0)
			err = read_peer(s, secrets, name);
		if (err == 0)
			err = read_more(s, &more);
	} while (err == 0 && more);
	return err;
}

static int read_file(struct scan *s, struct muses_secrets *secrets)
{
	char key[TEXT_MAX + 1];
	bool more, has_peers = false;
	int err = 0;

	if (!take(s, '{'))
		return wrong(s, "want '{' first");
	more = !take(s, '}');
	while (err == 0 && more) {
		err = read_string(s, "want \"group\" or \"peers\"", key);
		if (err != 0)
			return err;
		if (strcmp(key, "group") == 0 && !secrets->has_group) {
			secrets->has_group = true;
			strcpy(secrets->group.name, key);
			err = read_secret(s, key, secrets->group.bytes);
		} else if (strcmp(key, "peers") == 0 && !has_peers) {
			has_peers = true;
			err = read_peers(s, secrets);
		} else {
			err = core_say(
				s->why, s->why_size, MUSES_ECONFIG,
				strcmp(key, "group") == 0 || strcmp(key, "peers") == 0
					? "line %u: '%s' stands there twice"
					: "line %u: '%s' is not known: want \"group\" or "
					  "\"peers\"",
				s->line, shown(key));
		}
		if (err == 0)
			err = read_more(s, &more);
	}
	if (err == 0 && (peek(s) != '\0' || s->at < s->end))
		err = wrong(s, "want nothing behind the last '}'");
	return err;
}

/* ---- what holds for all of it -------------------------------------------------------
 */

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct secret *const *)a)->name,
	              (*(const struct secret *const *)b)->name);
}

static int compare_secrets(const void *a, const void *b)
{
	return memcmp((*(const struct secret *const *)a)->bytes,
	              (*(const struct secret *const *)b)->bytes, SECRET_SIZE);
}

static int check_twice(const struct muses_secrets *secrets, char *why, size_t why_size)
{
	for (size_t i = 1; i < secrets->count; i++) {
		const struct secret *a = secrets->by_name[i - 1],
				    *b = secrets->by_name[i];

		if (strcmp(a->name, b->name) == 0)
			return core_say(why, why_size, MUSES_ECONFIG,
			                "line %u: '%s' stands there twice",
			                a->line > b->line ? a->line : b->line, a->name);
	}
	return 0;
}

/* Sorted by the secrets themselves (pointers to them: sorting makes no copies),
 * equal ones are neighbours. */
static void find_shared(struct muses_secrets *secrets)
{
	const struct secret **sorted = secrets->by_name;
	size_t count = secrets->count;

	if (secrets->has_group)
		sorted[count++] = &secrets->group;
	qsort(sorted, count, sizeof(const void *), compare_secrets);
	for (size_t i = 1; i < count; i++) {
		if (compare_secrets(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		secrets->shared[0] = sorted[i - 1]->name;
		secrets->shared[1] = sorted[i]->name;
	}
	for (size_t i = 0; i < secrets->count; i++)
		sorted[i] = &secrets->peer[i];
}

static struct muses_secrets *new_secrets(const char *text, size_t size)
{
	struct muses_secrets *secrets = muses_zalloc(sizeof(*secrets));

	if (secrets == NULL)
		return NULL;
	for (size_t i = 0; i < size; i++)
		secrets->room += text[i] == ':';
	secrets->peer = muses_zalloc(secrets->room * sizeof(*secrets->peer));
	secrets->by_name = muses_zalloc((secrets->room + 1) * sizeof(const void *));
	if (secrets->peer != NULL && secrets->by_name != NULL)
		return secrets;
	muses_secrets_free(secrets);
	return NULL;
}

void muses_secrets_free(struct muses_secrets *secrets)
{
	if (secrets == NULL)
		return;
	muses_free(secrets->by_name);
	muses_free_secret(secrets->peer, secrets->room * sizeof(*secrets->peer));
	muses_free_secret(secrets, sizeof(*secrets));
}

int muses_secrets_parse(struct muses_secrets **out, const char *text, size_t size,
                        char *why, size_t why_size)
{
	struct muses_secrets *secrets = new_secrets(text, size);
	struct scan s = { text, size > 0 ? text + size : text, 1, why, why_size };
	int err;

	if (secrets == NULL)
		return core_say(why, why_size, MUSES_ENOMEM, "out of memory");
	err = read_file(&s, secrets);
	if (err == 0) {
		find_shared(secrets);
		qsort(secrets->by_name, secrets->count, sizeof(const void *),
		      compare_names);
		err = check_twice(secrets, why, why_size);
	}
	if (err != 0) {
		muses_secrets_free(secrets);
		return err;
	}
	*out = secrets;
	return 0;
}

const uint8_t *muses_secrets_group(const struct muses_secrets *secrets)
{
	return secrets->has_group ? secrets->group.bytes : NULL;
}

const uint8_t *muses_secrets_named(const struct muses_secrets *secrets, const char *name)
{
	size_t low = 0, high = secrets->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, secrets->by_name[middle]->name);

		if (order == 0)
			return secrets->by_name[middle]->bytes;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

size_t muses_secrets_count(const struct muses_secrets *secrets)
{
	return secrets->count;
}

const char *muses_secrets_name(const struct muses_secrets *secrets, size_t index)
{
	return secrets->peer[index].name;
}

bool muses_secrets_shared(const struct muses_secrets *secrets, const char **first,
                          const char **second)
{
	*first = secrets->shared[0];
	*second = secrets->shared[1];
	return *first != NULL;
}
