/* SPDX-License-Identifier: Apache-2.0 */
/* What `muses check` says about files with the real plugins, and which there are. */
#include "core/config.h"
#include "core/json.h"
#include "core/say.h"
#include "tests/folder.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Secrets of 32 bytes: 0 to 31, 1 to 32, 2 to 33. */
#define SECRET_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECRET_B "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
#define SECRET_C "AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="
#define ZERO     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct folder folder;
static char why[CORE_SAY_MAX];

static json_t *good(void)
{
	json_t *root = json_pack(
		"{s:s, s:{s:{ss,ss}, s:[{ss,si},{ss}], s:{ss}, s:{ss,s:{ss,ss}},"
		" s:[{ss,s:[s],s:{ss}}]}, s:[{ss,ss,ss}], s:{s:{ss,s:[s]}}, s:s}",
		"name", "bob", "pipeline", "keys", "plugin", "psk", "file", "pairs",
		"security", "plugin", "aes_gcm", "bits", 256, "plugin",
		"chacha20_poly1305", "reliability", "plugin", "srm", "overlay", "plugin",
		"cloak_static", "routes", "alice", "r1", "*", "r1", "transport", "plugin",
		"tcp", "listen", "127.0.0.1:7003", "dial", "r1", "127.0.0.1:7002",
		"forward", "listen", "127.0.0.1:2222", "to", "alice", "service", "ssh",
		"services", "ssh", "connect", "127.0.0.1:22", "allow", "carol", "control",
		"bob.sock");

	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	return root;
}

static int check(struct core_loader *loader, json_t *root)
{
	char *text = json_dumps(root, 0);
	struct core_config *config;
	int err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	err = core_config_parse(&config, text, strlen(text), folder.path, loader, why,
	                        sizeof(why));
	free(text);
	if (err != 0)
		return err;
	err = core_config_check_open(config, NULL, why, sizeof(why));
	core_config_free(config);
	return err;
}

/* Put value, JSON with ' for ", at key of the pipeline; key "/x": at the top. */
static json_t *with(const char *key, const char *value)
{
	json_t *root = good(), *v;
	char *text = strdup(value);

	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	v = json_loads(text, JSON_DECODE_ANY, NULL);
	TAP_NOTE_IF(v == NULL, "%s", value);
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	free(text);
	if (key[0] == '/')
		json_object_set_new(root, key + 1, v);
	else
		json_object_set_new(json_object_get(root, "pipeline"), key, v);
	return root;
}

static void refuses_before_the_node_would(void)
{
	static const struct {
		const char *key, *value;
		const char *sentence; /* NULL: fine.  Where it ends in ": ", the rest is
		                       * the plugin's. */
		const char *reason;
	} row[] = {
		{ "/name", "'bob'", NULL, "the sample itself" },
		{ "security", "[{'plugin':'aes_gcm','bits':192}]",
		  "pipeline.security[0].bits: want 128 or 256, not 192",
		  "no such AES for us" },
		{ "security", "[{'plugin':'aes_gcm'},{'plugin':'aes_gcm','bits':128}]",
		  NULL, "two suites of one plugin" },
		{ "security", "[{'plugin':'aes_gcm'},{'plugin':'aes_gcm'}]",
		  "pipeline.security[1]: suite aes_256_gcm is on offer already",
		  "one suite twice" },
		{ "security", "[{'plugin':'aes_gmc'}]",
		  "pipeline.security[0].plugin: there is no plugin 'aes_gmc'; did you "
		  "mean "
		  "'aes_gcm'?",
		  "misspelt" },
		{ "security", "[]",
		  "pipeline.security: want a list of 1 to 8 objects such as { "
		  "\"plugin\": \"NAME\" }",
		  "nothing would be sealed" },
		{ "cipher_suit", "1", "pipeline: there is no layer called 'cipher_suit'",
		  "misspelt" },
		{ "security", "[{'plugin':'null'}]",
		  "pipeline.security[0].insecure: ", "nobody said so" },
		{ "security", "[{'plugin':'null','insecure':true}]", NULL,
		  "said so, and all is on loopback" },
		{ "security", "[{'plugin':'aes_hmac','mac':'sha1'}]",
		  "pipeline.security[0].mac: ", "not allowed" },
		{ "transport", "[{'plugin':'aes_gcm'}]",
		  "pipeline.transport[0].plugin: 'aes_gcm' is a plugin for security, not "
		  "for "
		  "transport",
		  "a layer in the wrong place" },
		{ "transport", "[{'plugin':'tcp','listen':['localhost']}]",
		  "pipeline.transport[0].listen[0]: ", "no address" },
		{ "transport", "[{'plugin':'tcp','dial':{'r1':'127.0.0.1:0'}}]",
		  "pipeline.transport[0].dial.r1: ", "port 0" },
		{ "transport", "[{'plugin':'tcp','dial':{'r7':'127.0.0.1:7'}}]",
		  "pipeline.transport[0].dial.r7: nobody is called 'r7' in the keys "
		  "layer's files",
		  "no secret for that name" },
		{ "overlay", "{'plugin':'cloak_static','routes':{'alice':['r1','r9']}}",
		  "pipeline.overlay: nobody is called 'r9' in the keys layer's files",
		  "no secret for that name" },
		{ "overlay", "{'plugin':'cloak_static','routes':{'alice':'a b'}}",
		  "pipeline.overlay.routes.alice: ", "no name" },
		{ "reliability", "{'plugin':'srm','ack_evry':1}",
		  "pipeline.reliability: 'srm' has no option 'ack_evry'; did you mean "
		  "'ack_every'?",
		  "misspelt" },
		{ "/forward", "[{'listen':'127.0.0.1:1','to':'mallory','service':'x'}]",
		  "forward[0].to: nobody is called 'mallory' in the keys layer's files",
		  "no secret for that name" },
		{ "/services", "{'ssh':{'connect':'127.0.0.1:22','allow':['mallory']}}",
		  "services.ssh.allow[0]: nobody is called 'mallory' in the keys layer's "
		  "files",
		  "a typing error that would lock somebody out" },
		{ "keys", "{'plugin':'psk'}",
		  "pipeline.keys: 'psk' needs \"file\": ", "secrets are files" },
		{ "keys", "{'plugin':'psk','file':'group'}",
		  "services.ssh.allow[0]: 'carol' shares one secret with the whole group "
		  "and "
		  "cannot be told from the others; want \"*\", or a secret of that name",
		  "anybody of the group could say carol" },
		{ "keys", "{'plugin':'psk','file':'open'}",
		  "pipeline.keys.file: ", "others can read it" },
		{ "keys", "{'plugin':'psk','file':'short'}",
		  "pipeline.keys.file: ", "a secret of 16 bytes" },
		{ "keys", "{'plugin':'psk','file':'zero'}",
		  "pipeline.keys.file: ", "a secret that is all zero" },
	};
	struct core_loader *loader = core_loader_open();

	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	folder_open(&folder);
	folder_text(&folder, "pairs",
	            "{\"peers\":{\"alice\":\"" SECRET_A "\",\"carol\":\"" SECRET_B
	            "\",\"r1\":\"" SECRET_C "\"}}",
	            0600);
	folder_text(&folder, "group", "{\"group\":\"" SECRET_A "\"}", 0600);
	folder_text(&folder, "open", "{\"group\":\"" SECRET_A "\"}", 0644);
	folder_text(&folder, "short", "{\"group\":\"AAECAwQFBgcICQoLDA0ODw==\"}", 0600);
	folder_text(&folder, "zero", "{\"group\":\"" ZERO "\"}", 0600);
	for (size_t i = 0; i < COUNT(row); i++) {
		json_t *root = with(row[i].key, row[i].value);
		int err = check(loader, root);
		size_t length = row[i].sentence == NULL ? 0 : strlen(row[i].sentence);
		bool whole =
			length < 2 || strcmp(row[i].sentence + length - 2, ": ") != 0;
		bool right = row[i].sentence == NULL
		                     ? err == 0
		                     : err != 0 && (whole ? strcmp(why, row[i].sentence)
		                                          : strncmp(why, row[i].sentence,
		                                                    length)) == 0;

		json_decref(root);
		TAP_NOTE_IF(!right, "%s %s: '%s', want '%s' (%s)", row[i].key,
		            row[i].value, err == 0 ? "fine" : why,
		            row[i].sentence == NULL ? "fine" : row[i].sentence,
		            row[i].reason);
		CU_ASSERT_TRUE(right);
	}
	core_loader_close(loader);
	folder_close(&folder);
}

static void null_stays_at_home(void)
{
	struct core_loader *loader = core_loader_open();
	json_t *root;

	folder_open(&folder);
	folder_text(&folder, "pairs",
	            "{\"peers\":{\"alice\":\"" SECRET_A "\",\"carol\":\"" SECRET_B
	            "\",\"r1\":\"" SECRET_C "\"}}",
	            0600);
	root = with("security", "[{'plugin':'null','insecure':true}]");
	json_object_set_new(
		json_array_get(
			json_object_get(json_object_get(root, "pipeline"), "transport"),
			0),
		"listen", json_string("0.0.0.0:7003"));
	CU_ASSERT_EQUAL(check(loader, root), MUSES_ECONFIG);
	CU_ASSERT_STRING_EQUAL(
		why, "pipeline.security[0]: suite null protects nothing, so every "
		     "link must stay on this machine (loopback, unix, memory)");
	json_decref(root);
	core_loader_close(loader);
	folder_close(&folder);
}

/* ---- which plugins there are -------------------------------------------------- */

struct listing {
	char text[4096];
};

static void list(void *user, const char *name, const char *path,
                 const struct muses_plugin *plugin, const char *reason)
{
	struct listing *l = user;
	size_t used = strlen(l->text);

	(void)path;
	TAP_NOTE_IF(plugin == NULL, "%s: %s", name, reason);
	snprintf(l->text + used, sizeof(l->text) - used, "%s %s\n", name,
	         plugin == NULL ? "refused" : muses_kind_name(plugin->kind));
}

static void these_plugins_are_there(void)
{
	static char expected[4096];
	struct core_loader *loader = core_loader_open();
	struct listing found = { "" };
	const char *source = getenv("srcdir");
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/plugins.expected",
	         source == NULL ? "." : source);
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
	fclose(file);
	core_loader_each(loader, list, &found);
	core_loader_close(loader);
	if (strcmp(found.text, expected) != 0) {
		tap_note("tests/plugins.expected is not what is there:");
		for (char *line = strtok(found.text, "\n"); line != NULL;
		     line = strtok(NULL, "\n"))
			tap_note("%s", line);
		CU_FAIL("see above");
	}
}

static const struct tap_test tests[] = {
	{ "check refuses what the node would refuse, with the path",
	  refuses_before_the_node_would },
	{ "a suite that protects nothing stays on this machine", null_stays_at_home },
	{ "the plugins of this tree are those of tests/plugins.expected",
	  these_plugins_are_there },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_check", tests);
}
