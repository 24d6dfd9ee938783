/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON value -> one member of a plugin's struct.  Every sentence begins with
 * the JSON path of the value and says what would be right.
 */
#include "core/reading.h"
#include "core/mem.h"
#include "core/say.h"
#include "core/trust.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LENGTH_MAX 4096
#define SHOWN_LENGTH    40

static int keep(struct core_options *options, void *bytes, size_t secret_size)
{
	struct core_options_block *block =
		bytes == NULL ? NULL : muses_zalloc(sizeof(*block));

	if (block == NULL) {
		muses_free_secret(bytes, secret_size);
		return MUSES_ENOMEM;
	}
	block->bytes = bytes;
	block->secret_size = secret_size;
	block->next = options->block;
	options->block = block;
	return 0;
}

static int no_memory(const struct core_reading *r)
{
	return core_say(r->why, r->why_size, MUSES_ENOMEM, "%s%s%s: out of memory",
	                r->place->path, r->dot, r->option->name);
}

/* ---- sentences ------------------------------------------------------------- */

/* value as people would write it, short. */
static void show(const json_t *value, char shown[static SHOWN_LENGTH + 1])
{
	char *text;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		core_say(shown, SHOWN_LENGTH + 1, 0, "an object");
		return;
	case JSON_ARRAY:
		core_say(shown, SHOWN_LENGTH + 1, 0, "a list");
		return;
	default:
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
		core_say(shown, SHOWN_LENGTH + 1, 0, "%s", text == NULL ? "that" : text);
		free(text);
	}
}

/* "pipeline.keys.file: want A, not B"; part: "", "[3]" or ".alice". */
static int want(const struct core_reading *r, const char *part, const json_t *value,
                const char *wanted)
{
	char shown[SHOWN_LENGTH + 1];

	show(value, shown);
	return core_say(r->why, r->why_size, MUSES_ECONFIG, "%s%s%s%s: want %s, not %s",
	                r->place->path, r->dot, r->option->name, part, wanted, shown);
}

static int want_number(const struct core_reading *r, const json_t *value)
{
	const struct muses_option *o = r->option;
	char wanted[160];

	if (o->type == MUSES_TYPE_REAL)
		core_say(wanted, sizeof(wanted), 0, "a number from %g to %g%s%s%s",
		         o->least_real, o->most_real, o->unit == NULL ? "" : " (",
		         o->unit == NULL ? "" : o->unit, o->unit == NULL ? "" : ")");
	else
		core_say(wanted, sizeof(wanted), 0,
		         "a whole number from %" PRIu64 " to %" PRIu64 "%s%s%s", o->least,
		         o->most, o->unit == NULL ? "" : " (",
		         o->unit == NULL ? "" : o->unit, o->unit == NULL ? "" : ")");
	return want(r, "", value, wanted);
}

static int want_choice(const struct core_reading *r, const json_t *value)
{
	char wanted[256] = "";
	size_t used = 0;

	for (const char *const *c = r->option->choices; *c != NULL; c++) {
		const char *between = c == r->option->choices ? ""
		                      : c[1] == NULL          ? " or "
		                                              : ", ";

		core_say(wanted + used, sizeof(wanted) - used, 0, "%s%s", between, *c);
		used += strlen(wanted + used);
	}
	return want(r, "", value, wanted);
}

/* ---- values ---------------------------------------------------------------- */

static void put(const struct core_reading *r, const void *value, size_t size)
{
	memcpy(r->config + r->option->offset, value, size);
}

static int read_number(const struct core_reading *r, const json_t *value)
{
	const struct muses_option *o = r->option;
	json_int_t number;
	uint64_t wide;
	uint32_t narrow;

	if (!json_is_integer(value))
		return want_number(r, value);
	number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < o->least || (uint64_t)number > o->most)
		return want_number(r, value);
	wide = (uint64_t)number;
	narrow = (uint32_t)number;
	if (o->type == MUSES_TYPE_UINT32)
		put(r, &narrow, sizeof(narrow));
	else
		put(r, &wide, sizeof(wide));
	return 0;
}

static int read_real(const struct core_reading *r, const json_t *value)
{
	double number = json_number_value(value);

	if (!json_is_number(value) || !isfinite(number) ||
	    number < r->option->least_real || number > r->option->most_real)
		return want_number(r, value);
	put(r, &number, sizeof(number));
	return 0;
}

/* A choice of numbers ("128", "256") is written as a number. */
static int read_choice(const struct core_reading *r, const json_t *value)
{
	char number[24];
	const char *word = json_string_value(value);

	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		         json_integer_value(value));
		word = number;
	}
	for (uint32_t i = 0; word != NULL && r->option->choices[i] != NULL; i++) {
		if (strcmp(word, r->option->choices[i]) == 0) {
			put(r, &i, sizeof(i));
			return 0;
		}
	}
	return want_choice(r, value);
}

static bool text_clean(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return length > 0 && length <= TEXT_LENGTH_MAX;
}

/* A copy that lives as long as the struct. */
static int take_text(const struct core_reading *r, const char *part, const json_t *value,
                     const char **text)
{
	char reason[CORE_SAY_MAX];
	char *copy;

	if (!json_is_string(value))
		return want(r, part, value, "a text");
	if (!text_clean(json_string_value(value), json_string_length(value)))
		return core_say(r->why, r->why_size, MUSES_ECONFIG,
		                "%s%s%s%s: want a text of 1 to %d bytes without control "
		                "characters",
		                r->place->path, r->dot, r->option->name, part,
		                TEXT_LENGTH_MAX);
	if ((r->option->flags & MUSES_OPTION_ADDRESS) != 0 && r->place->address != NULL &&
	    !r->place->address(r->place->user, json_string_value(value), reason,
	                       sizeof(reason)))
		return core_say(r->why, r->why_size, MUSES_ECONFIG, "%s%s%s%s: %s",
		                r->place->path, r->dot, r->option->name, part, reason);
	copy = core_strdup(json_string_value(value));
	if (copy == NULL || keep(r->options, copy, 0) != 0)
		return no_memory(r);
	*text = copy;
	return 0;
}

/* A text, or a list of texts; part is where it stands. */
static int take_list(const struct core_reading *r, const char *part, const json_t *value,
                     struct muses_list *list)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;
	const char **item = muses_zalloc((count + 1) * sizeof(*item));
	int err = 0;

	if (item == NULL || keep(r->options, item, 0) != 0)
		return no_memory(r);
	if (!json_is_array(value)) {
		err = json_is_string(value)
		              ? take_text(r, part, value, &item[0])
		              : want(r, part, value, "a text or a list of texts");
	} else {
		for (size_t i = 0; i < count && err == 0; i++) {
			char deeper[160];

			core_say(deeper, sizeof(deeper), 0, "%s[%zu]", part, i);
			err = take_text(r, deeper, json_array_get(value, i), &item[i]);
		}
	}
	list->count = count;
	list->item = item;
	return err;
}

static int read_list(const struct core_reading *r, const json_t *value)
{
	struct muses_list list = { 0 };
	int err = take_list(r, "", value, &list);

	if (err == 0)
		put(r, &list, sizeof(list));
	return err;
}

/* "*" is everybody, where it makes sense: nobody can be dialled by it. */
static bool map_name_right(const struct muses_option *o, const char *name)
{
	if (strcmp(name, "*") == 0)
		return (o->flags & MUSES_OPTION_ADDRESS) == 0;
	return muses_name_valid(name);
}

static int read_map(const struct core_reading *r, json_t *value)
{
	const struct muses_option *o = r->option;
	struct muses_map_entry *entry;
	struct muses_map map = { 0 };
	const char *name;
	json_t *item;
	int err;

	if (!json_is_object(value))
		return want(r, "", value, "an object of names");
	entry = muses_zalloc((json_object_size(value) + 1) * sizeof(*entry));
	if (entry == NULL || keep(r->options, entry, 0) != 0)
		return no_memory(r);
	map.entry = entry;
	json_object_foreach (value, name, item) {
		char part[MUSES_NAME_MAX + 2];
		char *copy;

		if (!map_name_right(o, name))
			return core_say(
				r->why, r->why_size, MUSES_ECONFIG,
				"%s%s%s: '%.64s' is not a name; want 1 to %d letters, "
				"digits, '.', '_' and '-'%s",
				r->place->path, r->dot, o->name, name, MUSES_NAME_MAX,
				(o->flags & MUSES_OPTION_ADDRESS) != 0 ? ""
								       : ", or \"*\"");
		snprintf(part, sizeof(part), ".%s", name);
		copy = core_strdup(name);
		if (copy == NULL || keep(r->options, copy, 0) != 0)
			return no_memory(r);
		entry[map.count].name = copy;
		if ((o->flags & MUSES_OPTION_SCALAR) != 0 && !json_is_string(item))
			return want(r, part, item, "a text");
		err = take_list(r, part, item, &entry[map.count++].values);
		if (err != 0)
			return err;
	}
	put(r, &map, sizeof(map));
	return 0;
}

static int read_file(const struct core_reading *r, const json_t *value)
{
	bool secret = (r->option->flags & MUSES_OPTION_SECRET) != 0;
	char reason[CORE_SAY_MAX];
	struct muses_file file = { 0 };
	const char *name = NULL;
	char *path, *data;
	int err = json_is_string(value) ? take_text(r, "", value, &name)
	                                : want(r, "", value, "the name of a file");

	if (err != 0)
		return err;
	path = name[0] == '/' ? core_strdup(name)
	                      : core_format("%s/%s", r->place->folder, name);
	if (path == NULL || keep(r->options, path, 0) != 0)
		return no_memory(r);
	err = core_trust_read(path, secret ? CORE_TRUST_SECRET : CORE_TRUST_PLAIN,
	                      MUSES_FILE_MAX, &data, &file.size, reason, sizeof(reason));
	if (err != 0)
		return core_say(r->why, r->why_size, err, "%s%s%s: %s", r->place->path,
		                r->dot, r->option->name, reason);
	if (keep(r->options, data, file.size + 1) != 0)
		return no_memory(r);
	file.path = path;
	file.data = data;
	put(r, &file, sizeof(file));
	return 0;
}

static int read_inner(const struct core_reading *r, const json_t *value)
{
	struct muses_inner inner;
	char path[256];

	if (!json_is_object(value) || r->place->inner == NULL)
		return want(r, "", value, "an object that begins with \"plugin\"");
	core_say(path, sizeof(path), 0, "%s%s%s", r->place->path, r->dot,
	         r->option->name);
	inner.layer = r->place->inner(r->place->user, value, path, r->why, r->why_size);
	if (inner.layer == NULL)
		return MUSES_ECONFIG;
	put(r, &inner, sizeof(inner));
	return 0;
}

int core_reading_value(const struct core_reading *r, json_t *value)
{
	bool truth = json_is_true(value);
	const char *text = NULL;
	int err;

	switch (r->option->type) {
	case MUSES_TYPE_BOOL:
		if (!json_is_boolean(value))
			return want(r, "", value, "true or false");
		put(r, &truth, sizeof(truth));
		return 0;
	case MUSES_TYPE_UINT32:
	case MUSES_TYPE_UINT64:
		return read_number(r, value);
	case MUSES_TYPE_REAL:
		return read_real(r, value);
	case MUSES_TYPE_STRING:
		err = take_text(r, "", value, &text);
		if (err == 0)
			put(r, &text, sizeof(text));
		return err;
	case MUSES_TYPE_CHOICE:
		return read_choice(r, value);
	case MUSES_TYPE_LIST:
		return read_list(r, value);
	case MUSES_TYPE_MAP:
		return read_map(r, value);
	case MUSES_TYPE_FILE:
		return read_file(r, value);
	case MUSES_TYPE_LAYER:
		return read_inner(r, value);
	case MUSES_TYPE_END:
		break;
	}
	return MUSES_EUSAGE;
}

/* Lists, maps, files and layers that are not given are zero. */
void core_reading_preset(const struct core_reading *r)
{
	const struct muses_option *o = r->option;
	uint32_t narrow = (uint32_t)o->preset;
	bool truth = o->preset != 0;

	if (o->type == MUSES_TYPE_BOOL)
		put(r, &truth, sizeof(truth));
	else if (o->type == MUSES_TYPE_UINT32 || o->type == MUSES_TYPE_CHOICE)
		put(r, &narrow, sizeof(narrow));
	else if (o->type == MUSES_TYPE_UINT64)
		put(r, &o->preset, sizeof(o->preset));
	else if (o->type == MUSES_TYPE_REAL)
		put(r, &o->preset_real, sizeof(o->preset_real));
	else if (o->type == MUSES_TYPE_STRING)
		put(r, &o->preset_text, sizeof(o->preset_text));
}
