/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables themselves: are they well-formed, and how are they shown? */
#include "core/options.h"
#include "core/say.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROWS_MAX 128

static const struct {
	const char *words; /* For people. */
	size_t size;       /* In the struct. */
} types[] = {
	[MUSES_TYPE_BOOL] = { "true or false", sizeof(bool) },
	[MUSES_TYPE_UINT32] = { "number", sizeof(uint32_t) },
	[MUSES_TYPE_UINT64] = { "number", sizeof(uint64_t) },
	[MUSES_TYPE_REAL] = { "number", sizeof(double) },
	[MUSES_TYPE_STRING] = { "text", sizeof(const char *) },
	[MUSES_TYPE_CHOICE] = { "one of", sizeof(uint32_t) },
	[MUSES_TYPE_LIST] = { "list of texts", sizeof(struct muses_list) },
	[MUSES_TYPE_MAP] = { "names with texts", sizeof(struct muses_map) },
	[MUSES_TYPE_FILE] = { "file", sizeof(struct muses_file) },
	[MUSES_TYPE_LAYER] = { "object with \"plugin\"", sizeof(struct muses_inner) },
};
#define TYPES (sizeof(types) / sizeof(types[0]))

/* ---- well-formed? ---------------------------------------------------------- */

static bool name_right(const char *name)
{
	return name != NULL && name[0] >= 'a' && name[0] <= 'z' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0' &&
	       strlen(name) <= MUSES_NAME_MAX && strcmp(name, "plugin") != 0;
}

static bool flags_fit(const struct muses_option *o)
{
	uint32_t fit = MUSES_OPTION_REQUIRED;

	if (o->type == MUSES_TYPE_FILE)
		fit |= MUSES_OPTION_SECRET | MUSES_OPTION_RELOAD;
	if (o->type == MUSES_TYPE_STRING || o->type == MUSES_TYPE_LIST)
		fit |= MUSES_OPTION_ADDRESS;
	if (o->type == MUSES_TYPE_MAP)
		fit |= MUSES_OPTION_ADDRESS | MUSES_OPTION_SCALAR;
	return (o->flags & ~fit) == 0;
}

static const char *range_fault(const struct muses_option *o)
{
	size_t choices = 0;

	switch (o->type) {
	case MUSES_TYPE_BOOL:
		return o->preset > 1 ? "has a default that is neither true nor false"
		                     : NULL;
	case MUSES_TYPE_UINT32:
		if (o->most > UINT32_MAX)
			return "has a range wider than its type";
		/* fall through */
	case MUSES_TYPE_UINT64:
		if (o->least > o->most)
			return "has a range from more to less";
		return o->preset < o->least || o->preset > o->most
		               ? "has a default out of its range"
		               : NULL;
	case MUSES_TYPE_REAL:
		if (!isfinite(o->least_real) || !isfinite(o->most_real) ||
		    o->least_real > o->most_real)
			return "has a range from more to less";
		/* Turned round, so that what is not a number is out of range. */
		return !(o->preset_real >= o->least_real &&
		         o->preset_real <= o->most_real)
		               ? "has a default out of its range"
		               : NULL;
	case MUSES_TYPE_CHOICE:
		while (o->choices != NULL && choices < ROWS_MAX &&
		       o->choices[choices] != NULL)
			choices++;
		if (choices == 0 || choices == ROWS_MAX)
			return "has no choices";
		return o->preset >= choices ? "has a default out of its range" : NULL;
	default:
		return NULL;
	}
}

static const char *row_fault(const struct muses_option *table,
                             const struct muses_option *o, size_t config_size)
{
	if (!name_right(o->name))
		return "has a name that is not [a-z][a-z0-9_]*, or is \"plugin\"";
	if ((unsigned)o->type >= TYPES)
		return "is of a type this core does not know";
	if (o->offset > config_size || types[o->type].size > config_size - o->offset)
		return "lies outside of the struct";
	if (!flags_fit(o))
		return "has flags that do not go with its type";
	if (o->help == NULL || o->help[0] == '\0')
		return "has no help";
	for (const struct muses_option *before = table; before < o; before++) {
		if (strcmp(before->name, o->name) == 0)
			return "is there twice";
		if (before->type == MUSES_TYPE_LAYER && o->type == MUSES_TYPE_LAYER)
			return "is a second layer inside; one is the most";
	}
	return range_fault(o);
}

bool core_options_sane(const struct muses_option *option, size_t config_size, char *why,
                       size_t why_size)
{
	const struct muses_option *o;

	for (o = option; o->type != MUSES_TYPE_END; o++) {
		const char *fault = o - option >= ROWS_MAX
		                            ? "is one too many"
		                            : row_fault(option, o, config_size);

		if (fault != NULL) {
			core_say(why, why_size, 0, "%zu ('%.64s') %s",
			         (size_t)(o - option), o->name == NULL ? "" : o->name,
			         fault);
			return false;
		}
	}
	return true;
}

/* ---- shown ----------------------------------------------------------------- */

/* "number, 10 to 60000 ms" */
static void show_type(const struct muses_option *o, char *text, size_t size)
{
	size_t used;

	core_say(text, size, 0, "%s", types[o->type].words);
	used = strlen(text);
	if (o->type == MUSES_TYPE_UINT32 || o->type == MUSES_TYPE_UINT64)
		core_say(text + used, size - used, 0, ", %" PRIu64 " to %" PRIu64 "%s%s",
		         o->least, o->most, o->unit == NULL ? "" : " ",
		         o->unit == NULL ? "" : o->unit);
	if (o->type == MUSES_TYPE_REAL)
		core_say(text + used, size - used, 0, ", %g to %g%s%s", o->least_real,
		         o->most_real, o->unit == NULL ? "" : " ",
		         o->unit == NULL ? "" : o->unit);
	for (const char *const *c = o->choices; c != NULL && *c != NULL; c++) {
		used = strlen(text);
		core_say(text + used, size - used, 0, "%s%s",
		         c == o->choices ? " " : ", ", *c);
	}
	if ((o->flags & MUSES_OPTION_SECRET) != 0)
		core_say(text, size, 0, "secret file (mode 0600)");
}

static void show_preset(const struct muses_option *o, char *text, size_t size)
{
	if ((o->flags & MUSES_OPTION_REQUIRED) != 0)
		core_say(text, size, 0, "required");
	else if (o->type == MUSES_TYPE_BOOL)
		core_say(text, size, 0, "%s", o->preset != 0 ? "true" : "false");
	else if (o->type == MUSES_TYPE_UINT32 || o->type == MUSES_TYPE_UINT64)
		core_say(text, size, 0, "%" PRIu64, o->preset);
	else if (o->type == MUSES_TYPE_REAL)
		core_say(text, size, 0, "%g", o->preset_real);
	else if (o->type == MUSES_TYPE_CHOICE)
		core_say(text, size, 0, "%s", o->choices[o->preset]);
	else if (o->type == MUSES_TYPE_STRING && o->preset_text != NULL)
		core_say(text, size, 0, "\"%s\"", o->preset_text);
	else
		core_say(text, size, 0, "none");
}

void core_options_print(const struct muses_option *option, FILE *file)
{
	int key_width = 0, type_width = 0, preset_width = 0;
	char type[256], preset[128];

	for (int pass = 0; pass < 2; pass++) {
		const struct muses_option *o = option;

		for (; o != NULL && o->type != MUSES_TYPE_END; o++) {
			show_type(o, type, sizeof(type));
			show_preset(o, preset, sizeof(preset));
			if (pass == 1) {
				fprintf(file, "  %-*s  %-*s  %-*s  %s\n", key_width,
				        o->name, type_width, type, preset_width, preset,
				        o->help);
				continue;
			}
			if ((int)strlen(o->name) > key_width)
				key_width = (int)strlen(o->name);
			if ((int)strlen(type) > type_width)
				type_width = (int)strlen(type);
			if ((int)strlen(preset) > preset_width)
				preset_width = (int)strlen(preset);
		}
	}
}

/* roff reads '\' anywhere, and '.' and ''' where a line begins. */
static void print_roff(const char *text, FILE *file)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", file);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", file);
		else
			fputc(*text, file);
	}
	fputc('\n', file);
}

void core_options_print_man(const struct muses_option *option, FILE *file)
{
	char line[512], type[256], preset[128];

	for (; option != NULL && option->type != MUSES_TYPE_END; option++) {
		bool required = (option->flags & MUSES_OPTION_REQUIRED) != 0;

		show_type(option, type, sizeof(type));
		show_preset(option, preset, sizeof(preset));
		core_say(line, sizeof(line), 0, "(%s; %s%s)", type,
		         required ? "" : "default ", preset);
		fprintf(file, ".It Cm %s\n", option->name);
		print_roff(option->help, file);
		print_roff(line, file);
	}
}
