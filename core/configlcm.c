/* SPDX-License-Identifier: Apache-2.0 */
/* What the local connection manager is told by the file: forwards and services. */
#include "core/configparts.h"
#include "core/address.h"
#include "core/mem.h"
#include "core/say.h"

#include <stdio.h>
#include <string.h>

#define FORWARDS_MAX 256
#define SERVICES_MAX 256

/* ---- forwards -------------------------------------------------------------- */

struct forward {
	const char *listen;
	const char *to;
	const char *service;
};

static const struct muses_option forward_options[] = {
	MUSES_STRING(forward, listen, NULL, MUSES_OPTION_REQUIRED,
	             "Where applications connect: \"127.0.0.1:2222\" or \"unix:PATH\"."),
	MUSES_STRING(forward, to, NULL, MUSES_OPTION_REQUIRED,
	             "The name of the other node."),
	MUSES_STRING(forward, service, NULL, MUSES_OPTION_REQUIRED,
	             "The name of a service over there."),
	MUSES_OPTIONS_END,
};

static int address_right(struct core_config_reader *r, const char *path, const char *key,
                         const char *text, enum core_address_use use)
{
	char reason[CORE_SAY_MAX];
	struct core_address address;

	if (core_address_parse(&address, text, use, r->whole->config.folder, reason,
	                       sizeof(reason)) == 0)
		return 0;
	return core_say(r->why, r->why_size, MUSES_ECONFIG, "%s.%s: %s", path, key,
	                reason);
}

/* Port 0 is another port each time. */
static bool fixed(const char *listen)
{
	const char *colon = strrchr(listen, ':');

	return colon == NULL || strcmp(colon, ":0") != 0;
}

static int read_forward(struct core_config_reader *r, const json_t *value, size_t index)
{
	static const struct muses_plugin section =
		CORE_CONFIG_SECTION(forward, forward_options);
	struct core_config *c = &r->whole->config;
	const struct forward *f;
	const void *values;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "forward[%zu]", index);
	err = core_config_part(r, &section, value, path, &values);
	if (err != 0)
		return err;
	f = values;
	err = address_right(r, path, "listen", f->listen, CORE_ADDRESS_LISTEN);
	if (err == 0)
		err = core_config_name(r, path, ".to", f->to);
	if (err == 0)
		err = core_config_name(r, path, ".service", f->service);
	if (err == 0 && strcmp(f->to, c->name) == 0)
		err = core_say(r->why, r->why_size, MUSES_ECONFIG,
		               "%s.to: '%s' is this node itself; want another", path,
		               f->to);
	for (size_t i = 0; i < index && err == 0; i++)
		if (strcmp(c->forward[i].listen, f->listen) == 0 && fixed(f->listen))
			err = core_say(
				r->why, r->why_size, MUSES_ECONFIG,
				"%s.listen: forward[%zu] listens on %.200s already", path,
				i, f->listen);
	c->forward[index] = (struct core_forward){ f->listen, f->to, f->service };
	return err;
}

int core_config_read_forward(struct core_config_reader *r, const json_t *value)
{
	struct core_config *c = &r->whole->config;
	size_t count = json_array_size(value);
	int err = 0;

	if (value == NULL)
		return 0;
	if (!json_is_array(value) || count > FORWARDS_MAX)
		return core_say(
			r->why, r->why_size, MUSES_ECONFIG,
			"forward: want a list of at most %d objects with listen, to and "
			"service",
			FORWARDS_MAX);
	c->forward = muses_zalloc((count + 1) * sizeof(*c->forward));
	if (c->forward == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM,
		                "forward: out of memory");
	for (size_t i = 0; i < count && err == 0; i++)
		err = read_forward(r, json_array_get(value, i), i);
	c->forward_count = count;
	return err;
}

static int warn(struct core_config_reader *r, const char *sentence, const char *name)
{
	struct core_config_whole *w = r->whole;
	char **grown = core_realloc(w->warning, w->warning_count, w->warning_count + 1,
	                            sizeof(*grown));

	if (grown != NULL) {
		w->warning = grown;
		grown[w->warning_count] = core_format("services.%s: %s", name, sentence);
	}
	if (grown == NULL || grown[w->warning_count] == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM,
		                "services: out of memory");
	w->warning_count++;
	w->config.warnings.count = w->warning_count;
	w->config.warnings.item = (const char *const *)w->warning;
	return 0;
}

/* ---- services -------------------------------------------------------------- */

struct service {
	const char *connect;
	struct muses_list allow;
};

static const struct muses_option service_options[] = {
	MUSES_STRING(service, connect, NULL, MUSES_OPTION_REQUIRED,
	             "Where the application listens: \"127.0.0.1:22\" or \"unix:PATH\"."),
	MUSES_LIST(service, allow, 0,
	           "Who may use it: names of nodes, or \"*\" for all."),
	MUSES_OPTIONS_END,
};

static int allow_right(struct core_config_reader *r, const char *path,
                       const struct muses_list *allow)
{
	int err = 0;

	for (size_t i = 0; i < allow->count && err == 0; i++) {
		char key[32];

		snprintf(key, sizeof(key), ".allow[%zu]", i);
		if (strcmp(allow->item[i], "*") != 0)
			err = core_config_name(r, path, key, allow->item[i]);
	}
	return err;
}

static int read_service(struct core_config_reader *r, const char *name,
                        const json_t *value)
{
	static const struct muses_plugin section =
		CORE_CONFIG_SECTION(service, service_options);
	struct core_config *c = &r->whole->config;
	const struct service *s;
	const void *values;
	char path[MUSES_NAME_MAX + 16], *copy;
	int err = core_config_name(r, "services", "", name);

	if (err != 0)
		return err;
	snprintf(path, sizeof(path), "services.%s", name);
	err = core_config_part(r, &section, value, path, &values);
	if (err != 0)
		return err;
	s = values;
	err = address_right(r, path, "connect", s->connect, CORE_ADDRESS_CONNECT);
	if (err == 0)
		err = allow_right(r, path, &s->allow);
	if (err == 0 && s->allow.count == 0)
		err = warn(r, "nobody may use it; name them in \"allow\", or say \"*\"",
		           name);
	if (err != 0)
		return err;
	copy = core_strdup(name);
	if (copy == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM, "%s: out of memory",
		                path);
	c->service[c->service_count++] =
		(struct core_service){ copy, s->connect, s->allow };
	return 0;
}

int core_config_read_services(struct core_config_reader *r, const json_t *value)
{
	struct core_config *c = &r->whole->config;
	const char *name;
	json_t *item;

	if (value == NULL)
		return 0;
	if (!json_is_object(value) || json_object_size(value) > SERVICES_MAX)
		return core_say(r->why, r->why_size, MUSES_ECONFIG,
		                "services: want an object of at most %d names, each with "
		                "connect and allow",
		                SERVICES_MAX);
	c->service = muses_zalloc((json_object_size(value) + 1) * sizeof(*c->service));
	if (c->service == NULL)
		return core_say(r->why, r->why_size, MUSES_ENOMEM,
		                "services: out of memory");
	json_object_foreach ((json_t *)value, name, item) {
		int err = read_service(r, name, item);

		if (err != 0)
			return err;
	}
	return 0;
}
