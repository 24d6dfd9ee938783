/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration file may say about suites, and what then is offered. */
#include "tests/suites.h"

#include "core/layer.h"
#include "core/loader.h"
#include "core/options.h"
#include "tests/tap.h"

#include <stdio.h>
#include <string.h>

static const struct muses_plugin *plugin_named(const char *name)
{
	for (size_t i = 0; i < suites_plugin_count; i++)
		if (strcmp(suites_plugin[i]->name, name) == 0)
			return suites_plugin[i];
	return NULL;
}

/* The names of the suites a layer with this JSON offers, or the sentence. */
static void offered(const char *json, char *text, size_t size)
{
	json_t *object = json_loads(json, 0, NULL);
	const struct muses_plugin *plugin =
		plugin_named(json_string_value(json_object_get(object, "plugin")));
	const struct muses_security_ops *ops = plugin->ops;
	const struct core_options_place place = { .path = "security", .folder = "/" };
	struct muses_layer layer = { .plugin = plugin, .ops = ops };
	struct core_options *options = NULL;
	void *config = NULL;

	text[0] = '\0';
	if (core_options_read(plugin, object, &place, &config, &options, text, size) ==
	            0 &&
	    (plugin->check == NULL || plugin->check(config, text, size) == 0)) {
		CU_ASSERT(plugin->open == NULL || plugin->open(&layer, config) == 0);
		for (size_t i = 0; i < ops->suite_count; i++)
			if (ops->offers(&layer, i))
				snprintf(text + strlen(text), size - strlen(text), "%s%s",
				         text[0] != '\0' ? " " : "", ops->suite[i].name);
		if (plugin->close != NULL)
			plugin->close(&layer);
	}
	core_options_free(options, config);
	json_decref(object);
}

static void options_choose_the_suite(void)
{
	static const struct {
		const char *json, *suites;
	} row[] = {
		{ "{'plugin':'aes_gcm'}", "aes_256_gcm" },
		{ "{'plugin':'aes_gcm','bits':256}", "aes_256_gcm" },
		{ "{'plugin':'aes_gcm','bits':128}", "aes_128_gcm" },
		{ "{'plugin':'chacha20_poly1305'}", "chacha20_poly1305" },
		{ "{'plugin':'aes_hmac'}", "aes_256_ctr_hmac_sha256" },
		{ "{'plugin':'aes_hmac','bits':128}", "aes_128_ctr_hmac_sha256" },
		{ "{'plugin':'aes_hmac','mode':'cbc'}", "aes_256_cbc_hmac_sha256" },
		{ "{'plugin':'aes_hmac','bits':128,'mode':'cbc'}",
		  "aes_128_cbc_hmac_sha256" },
		{ "{'plugin':'aes_hmac','mac':'sha1','allow_legacy':true}",
		  "aes_256_ctr_hmac_sha1" },
		{ "{'plugin':'aes_hmac','mac':'sha1','allow_legacy':true,'bits':128}",
		  "aes_128_ctr_hmac_sha1" },
		{ "{'plugin':'aes_hmac','mac':'sha1','allow_legacy':true,'mode':'cbc'}",
		  "aes_256_cbc_hmac_sha1" },
		{ "{'plugin':'aes_hmac','mac':'sha1','allow_legacy':true,'mode':'cbc',"
		  "'bits':128}",
		  "aes_128_cbc_hmac_sha1" },
		{ "{'plugin':'aes_hmac','allow_legacy':true}",
		  "aes_256_ctr_hmac_sha256" },
		{ "{'plugin':'null','insecure':true}", "null" },
	};
	char json[200], text[300];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		snprintf(json, sizeof(json), "%s", row[i].json);
		for (char *c = json; *c != '\0'; c++)
			*c = *c == '\'' ? '"' : *c;
		offered(json, text, sizeof(text));
		TAP_NOTE_IF(strcmp(text, row[i].suites) != 0, "%s: %s", row[i].json,
		            text);
		CU_ASSERT_STRING_EQUAL(text, row[i].suites);
	}
}

static void a_wrong_option_is_refused_with_a_sentence(void)
{
	static const struct {
		const char *json, *words;
	} row[] = {
		{ "{'plugin':'aes_gcm','bits':192}", "bits: want 128 or 256, not 192" },
		{ "{'plugin':'aes_hmac','bits':129}", "bits: want 128 or 256, not 129" },
		{ "{'plugin':'aes_gcm','bits':64}", "security.bits" },
		{ "{'plugin':'aes_gcm','bits':'256'}", "security.bits" },
		{ "{'plugin':'aes_hmac','mode':'gcm'}", "security.mode" },
		{ "{'plugin':'aes_hmac','mac':'md5'}", "security.mac" },
		{ "{'plugin':'aes_hmac','mac':'sha1'}",
		  "mac: want sha256, or sha1 together with allow_legacy: true" },
		{ "{'plugin':'chacha20_poly1305','bits':256}", "has no option 'bits'" },
		{ "{'plugin':'null'}", "insecure: want true" },
		{ "{'plugin':'null','insecure':false}", "insecure: want true" },
	};
	char json[200], text[300];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		snprintf(json, sizeof(json), "%s", row[i].json);
		for (char *c = json; *c != '\0'; c++)
			*c = *c == '\'' ? '"' : *c;
		offered(json, text, sizeof(text));
		TAP_NOTE_IF(strstr(text, row[i].words) == NULL, "%s: %s", row[i].json,
		            text);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, row[i].words));
	}
}

/* Which includes: the table of options is well-formed, known answers are given. */
static void the_loader_takes_every_plugin(void)
{
	struct core_loader *loader = core_loader_open();
	char why[300] = "";

	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	for (size_t i = 0; i < suites_plugin_count; i++) {
		const char *name = suites_plugin[i]->name;
		const struct muses_plugin *found;

		CU_ASSERT_EQUAL(core_loader_add(loader, suites_plugin[i]), 0);
		found = core_loader_find(loader, name, MUSES_SECURITY, why, sizeof(why));
		TAP_NOTE_IF(found == NULL, "%s: %s", name, why);
		CU_ASSERT_PTR_NOT_NULL(found);
	}
	core_loader_close(loader);
}

static const struct tap_test tests[] = {
	{ "options choose the suite", options_choose_the_suite },
	{ "a wrong option is refused with a sentence",
	  a_wrong_option_is_refused_with_a_sentence },
	{ "the loader takes every plugin", the_loader_takes_every_plugin },
	TAP_END,
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "suites_options", tests);
}
