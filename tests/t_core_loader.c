/* SPDX-License-Identifier: Apache-2.0 */
/* Which plugins are refused, and in which words (doc/SECURITY: plugins). */
#include <config.h>

#include "core/loader.h"
#include "core/mem.h"
#include "core/say.h"
#include "core/trust.h"
#include "tests/folder.h"
#include "tests/tap.h"

#include <muses/security.h>
#include <muses/transport.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct core_loader *loader;
static char why[CORE_SAY_MAX];

/* The folder with the plugins of tests/plugins; NULL: a static build. */
static const char *broken_folder(void)
{
#ifdef MUSES_BUILT_IN
	tap_skip("a static build loads no files");
	return NULL;
#else
	static char path[1024];
	const char *build = getenv("builddir");

	snprintf(path, sizeof(path), "%s/tests/plugins", build == NULL ? "." : build);
	return path;
#endif
}

static void open_loader(const char *folders)
{
	unsetenv("MUSES_PLUGIN_PATH");
	why[0] = '\0';
	loader = core_loader_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	if (folders != NULL)
		CU_ASSERT_EQUAL(core_loader_path(loader, folders), 0);
}

static const struct muses_plugin *find(const char *name)
{
	return core_loader_find(loader, name, MUSES_KINDS, why, sizeof(why));
}

static void close_loader(void)
{
	core_loader_close(loader);
	loader = NULL;
}

/* ---- the record ------------------------------------------------------------ */

static void refuses_broken_records(void)
{
	char record[200], short_record[200], ops[200];
	const struct {
		const char *name;
		const char *sentence;
		const char *reason;
	} row[] = {
		{ "wrong_abi", "plugin 'wrong_abi' has ABI 2; this core has ABI 1",
		  "members mean something else there" },
		{ "too_long", record,
		  "a member we do not know may be what makes it safe" },
		{ "too_short", short_record, "there never was such a record" },
		{ "wrong_name", "plugin 'wrong_name' calls itself 'somebody_else'",
		  "two plugins would go by one name" },
		{ "unknown_kind", "plugin 'unknown_kind' is of kind 5, which is unknown",
		  "there is no place for it in a pipeline" },
		{ "unknown_need",
		  "plugin 'unknown_need' needs kinds that are unknown (0x80000000)",
		  "nothing could satisfy it" },
		{ "small_ops", "plugin 'small_ops' lacks the operation dial",
		  "the table ends in the middle" },
		{ "long_ops", ops, "an operation we do not know may be needed" },
		{ "missing_op", "plugin 'missing_op' lacks the operation send",
		  "the core would call NULL" },
		{ "no_ops", "plugin 'no_ops' has no operations",
		  "the core would call NULL" },
		{ "no_open", "plugin 'no_open' has no open()",
		  "the core would call NULL" },
		{ "bad_option",
		  "plugin 'bad_option': option 0 ('number') has a default out of its "
		  "range",
		  "its table would lie in the manual" },
		{ "bad_answer",
		  "plugin 'bad_answer': suite 'toy': known answer 0 (by hand) comes out "
		  "wrong "
		  "when sealing",
		  "it would seal what nobody opens" },
		{ "forgets_tag",
		  "plugin 'forgets_tag': suite 'toy': known answer 0 (by hand) opens "
		  "although a "
		  "bit was flipped",
		  "it would let forgeries in" },
		{ "long_tag",
		  "plugin 'long_tag': suite 'toy' has a tag longer than its overhead",
		  "buffers are made from these numbers" },
		{ "no_answer", "plugin 'no_answer': suite 'toy' has no known answer",
		  "nobody could tell whether it works" },
	};
	const char *folder = broken_folder();

	if (folder == NULL)
		return;
	snprintf(record, sizeof(record),
	         "plugin 'too_long' has a record of %zu bytes; this core knows %zu: it "
	         "was built "
	         "for a newer MUSEs",
	         sizeof(struct muses_plugin) + 8, sizeof(struct muses_plugin));
	snprintf(short_record, sizeof(short_record),
	         "plugin 'too_short' has a record of %zu bytes; the shortest that ever "
	         "was has "
	         "%zu",
	         sizeof(struct muses_plugin) - 8, sizeof(struct muses_plugin));
	snprintf(ops, sizeof(ops),
	         "plugin 'long_ops' has %zu bytes of operations; this core knows %zu: it "
	         "was "
	         "built for a newer MUSEs",
	         sizeof(struct muses_transport_ops) + 8,
	         sizeof(struct muses_transport_ops));
	open_loader(folder);
	for (size_t i = 0; i < COUNT(row); i++) {
		const struct muses_plugin *plugin = find(row[i].name);

		TAP_NOTE_IF(plugin != NULL || strcmp(why, row[i].sentence) != 0,
		            "%s: '%s' (%s)", row[i].name, why, row[i].reason);
		CU_ASSERT_PTR_NULL(plugin);
		CU_ASSERT_STRING_EQUAL(why, row[i].sentence);
	}
	close_loader();
}

static void says_what_the_linker_said(void)
{
	char path[PATH_MAX], sentence[PATH_MAX + 200];
	const char *folder = broken_folder();

	if (folder == NULL)
		return;
	open_loader(folder);
	CU_ASSERT_PTR_NULL(find("undefined"));
	CU_ASSERT_PTR_NOT_NULL(realpath(folder, path));
	snprintf(sentence, sizeof(sentence),
	         "%s/.libs/undefined.so: undefined symbol: nowhere_to_be_found", path);
	CU_ASSERT_STRING_EQUAL(why, sentence);

	CU_ASSERT_PTR_NULL(find("no_symbol"));
	snprintf(sentence, sizeof(sentence),
	         "%s/.libs/no_symbol.so has no symbol no_symbol_LTX_muses_plugin", path);
	CU_ASSERT_STRING_EQUAL(why, sentence);
	close_loader();
}

static void finds_the_good_ones(void)
{
	const char *folder = broken_folder();
	const struct muses_plugin *plugin;
	const struct muses_transport_ops *ops;

	if (folder == NULL)
		return;
	open_loader(folder);
	plugin = find("good");
	TAP_NOTE_IF(plugin == NULL, "%s", why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(plugin);
	CU_ASSERT_STRING_EQUAL(plugin->name, "good");
	CU_ASSERT_EQUAL(plugin->kind, MUSES_TRANSPORT);
	ops = core_loader_ops(loader, plugin);
	CU_ASSERT_EQUAL(ops->mtu, 1400);
	CU_ASSERT_PTR_NULL(ops->inner_packet);
	CU_ASSERT_PTR_EQUAL(find("good"), plugin);
	plugin = find("good_suite");
	TAP_NOTE_IF(plugin == NULL, "%s", why);
	CU_ASSERT_PTR_NOT_NULL(plugin);

	CU_ASSERT_PTR_NULL(
		core_loader_find(loader, "good", MUSES_SECURITY, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(why, "'good' is a plugin for transport, not for security");
	close_loader();
}

static void fills_a_short_table_with_zeros(void)
{
	static struct muses_transport_ops longer;
	const struct muses_transport_ops *ops;
	const struct muses_plugin *good;
	struct muses_plugin shorter;
	const char *folder = broken_folder();

	if (folder == NULL)
		return;
	open_loader(folder);
	good = find("good");
	CU_ASSERT_PTR_NOT_NULL_FATAL(good);
	longer = *(const struct muses_transport_ops *)core_loader_ops(loader, good);
	longer.inner_down = (void (*)(struct muses_layer *, struct muses_channel *,
	                              const char *))(void (*)(void))abort;
	shorter = *good;
	shorter.name = "shorter";
	shorter.ops = &longer;
	shorter.ops_size = offsetof(struct muses_transport_ops, alive);
	CU_ASSERT_EQUAL(core_loader_add(loader, &shorter), 0);
	ops = core_loader_ops(loader, find("shorter"));
	CU_ASSERT_PTR_NOT_NULL(ops->info);
	CU_ASSERT_PTR_NULL(ops->inner_down);
	close_loader();
}

/* ---- the name -------------------------------------------------------------- */

static void refuses_names_that_are_paths(void)
{
	static const struct {
		const char *name;
		const char *reason;
	} row[] = {
		{ "../../x", "leads out" },
		{ "/tmp/x", "absolute" },
		{ "x.so", "has a dot" },
		{ "", "empty" },
		{ "Srm", "begins with a capital" },
		{ "7up", "begins with a digit" },
		{ "a b", "has a space" },
		{ "a\nb", "has a line in it" },
		{ "a234567890123456789012345678901234567890123456789012345678901234",
		  "64 characters" },
	};

	open_loader("/");
	for (size_t i = 0; i < COUNT(row); i++) {
		char sentence[300];

		CU_ASSERT_PTR_NULL(find(row[i].name));
		core_say(sentence, sizeof(sentence), 0,
		         "'%s' is not a plugin name; want a small letter, then small "
		         "letters, "
		         "digits and '_'",
		         row[i].name);
		TAP_NOTE_IF(strcmp(why, sentence) != 0, "%s: '%s'", row[i].reason, why);
		CU_ASSERT_STRING_EQUAL(why, sentence);
		CU_ASSERT_PTR_NULL(strchr(why, '\n'));
	}
	close_loader();
}

static void asks_whether_another_was_meant(void)
{
	const char *folder = broken_folder();
	char sentence[2048];

	if (folder == NULL)
		return;
	open_loader(folder);
	CU_ASSERT_PTR_NULL(find("godo"));
	CU_ASSERT_STRING_EQUAL(why, "there is no plugin 'godo'; did you mean 'good'?");
	CU_ASSERT_PTR_NULL(find("zzzzzzzz"));
	snprintf(sentence, sizeof(sentence), "there is no plugin 'zzzzzzzz' in %s or %s",
	         folder, MUSES_PLUGIN_DIR);
	CU_ASSERT_STRING_EQUAL(why, sentence);
	close_loader();
}

/* ---- the file -------------------------------------------------------------- */

/* A folder with a copy of the good plugin in it. */
static bool good_copy(struct folder *f)
{
	const char *folder = broken_folder();
	char from[1100];

	if (folder == NULL)
		return false;
	snprintf(from, sizeof(from), "%s/.libs/good.so", folder);
	folder_open(f);
	folder_copy(f, "good.so", from, 0644);
	open_loader(f->path);
	return true;
}

static void expect(const char *what, const char *format, const char *path)
{
	char sentence[2048];
	const struct muses_plugin *plugin = find("good");

	if (format == NULL) {
		TAP_NOTE_IF(plugin == NULL, "%s: %s", what, why);
		CU_ASSERT_PTR_NOT_NULL(plugin);
		return;
	}
	core_say(sentence, sizeof(sentence), 0, "others can write %s%s: chmod go-w %s",
	         format, path, path);
	TAP_NOTE_IF(strcmp(why, sentence) != 0, "%s: '%s', want '%s'", what, why,
	            sentence);
	CU_ASSERT_PTR_NULL(plugin);
	CU_ASSERT_STRING_EQUAL(why, sentence);
}

static void refuses_what_others_can_write(void)
{
	struct folder f;
	char parent[512], inner[600], path[700];

	if (!good_copy(&f))
		return;
	snprintf(parent, sizeof(parent), "%s", f.path);
	chmod(folder_path(&f, "good.so"), 0664);
	expect("the group may write the file", "", folder_path(&f, "good.so"));
	chmod(folder_path(&f, "good.so"), 0646);
	expect("others may write the file", "", folder_path(&f, "good.so"));
	chmod(folder_path(&f, "good.so"), 0644);
	chmod(parent, 0770);
	expect("the group may write the folder", "folder ", parent);
	chmod(parent, 01777);
	expect("a sticky bit does not save the folder itself", "folder ", parent);

	snprintf(inner, sizeof(inner), "%s/inner", parent);
	CU_ASSERT_EQUAL(mkdir(inner, 0755), 0);
	snprintf(path, sizeof(path), "%s/good.so", inner);
	CU_ASSERT_EQUAL(rename(folder_path(&f, "good.so"), path), 0);
	close_loader();
	open_loader(inner);
	chmod(parent, 0777);
	expect("others could replace the folder", "folder ", parent);
	chmod(parent, 01777);
	expect("with the sticky bit they cannot", NULL, NULL);
	close_loader();
	chmod(parent, 0700);
	folder_close(&f);
}

static void refuses_what_others_own(void)
{
	struct folder f;
	char sentence[1200];

	if (geteuid() != 0) {
		tap_skip("only root can give files away");
		return;
	}
	if (!good_copy(&f))
		return;
	CU_ASSERT_EQUAL(chown(folder_path(&f, "good.so"), 4242, (gid_t)-1), 0);
	CU_ASSERT_PTR_NULL(find("good"));
	snprintf(sentence, sizeof(sentence),
	         "%s belongs to user 4242; want root or the user who runs this (0)",
	         folder_path(&f, "good.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);

	CU_ASSERT_EQUAL(chown(folder_path(&f, "good.so"), 0, (gid_t)-1), 0);
	CU_ASSERT_EQUAL(chown(f.path, 4242, (gid_t)-1), 0);
	CU_ASSERT_PTR_NULL(find("good"));
	snprintf(
		sentence, sizeof(sentence),
		"folder %s belongs to user 4242; want root or the user who runs this (0)",
		f.path);
	CU_ASSERT_STRING_EQUAL(why, sentence);
	CU_ASSERT_EQUAL(chown(f.path, 0, (gid_t)-1), 0);
	close_loader();
	folder_close(&f);
}

static void refuses_what_is_no_plugin_file(void)
{
	struct folder f, other;
	char sentence[2048];

	if (!good_copy(&f))
		return;
	folder_text(&f, "text.so",
	            "This is not a shared object, but it is long enough for a "
	            "header, since the linker reads 64 bytes or more of it.\n",
	            0644);
	CU_ASSERT_PTR_NULL(find("text"));
	snprintf(sentence, sizeof(sentence), "%s: invalid ELF header",
	         folder_path(&f, "text.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);

	CU_ASSERT_EQUAL(mkdir(folder_path(&f, "directory.so"), 0755), 0);
	CU_ASSERT_PTR_NULL(find("directory"));
	snprintf(sentence, sizeof(sentence), "%s is not a plain file",
	         folder_path(&f, "directory.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);

	CU_ASSERT_EQUAL(mkfifo(folder_path(&f, "fifo.so"), 0644), 0);
	CU_ASSERT_PTR_NULL(find("fifo"));
	snprintf(sentence, sizeof(sentence), "%s is not a plain file",
	         folder_path(&f, "fifo.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);

	folder_open(&other);
	folder_copy(&other, "elsewhere.so", folder_path(&f, "good.so"), 0644);
	CU_ASSERT_EQUAL(symlink(folder_path(&other, "elsewhere.so"),
	                        folder_path(&f, "elsewhere.so")),
	                0);
	CU_ASSERT_PTR_NULL(find("elsewhere"));
	snprintf(sentence, sizeof(sentence), "%s leads out of its folder, to %s",
	         folder_path(&f, "elsewhere.so"), folder_path(&other, "elsewhere.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);
	folder_close(&other);

	folder_text(&f, "installed.la", "dlname='installed.so'\ninstalled=yes\n", 0644);
	CU_ASSERT_PTR_NULL(find("installed"));
	snprintf(sentence, sizeof(sentence),
	         "%s is not a libtool file of this build, and %s is not there",
	         folder_path(&f, "installed.la"), folder_path(&f, "installed.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);

	folder_text(&f, "other.la", "dlname='../../../tmp/other.so'\ninstalled=no\n",
	            0644);
	CU_ASSERT_PTR_NULL(find("other"));
	snprintf(sentence, sizeof(sentence),
	         "%s is not a libtool file of this build, and %s is not there",
	         folder_path(&f, "other.la"), folder_path(&f, "other.so"));
	CU_ASSERT_STRING_EQUAL(why, sentence);
	close_loader();
	folder_close(&f);
}

static void opens_what_was_checked(void)
{
	char path[800], link[700], name[64], expected[1200];
	struct folder f, inner;
	void *handle;
	int fd;

	if (!good_copy(&f))
		return;
	close_loader();
	snprintf(path, sizeof(path), "%s", folder_path(&f, "good.so"));
	fd = core_trust_plugin(path, why, sizeof(why));
	CU_ASSERT_FATAL(fd >= 0);
	/* Somebody is quick: the name means another file now, the descriptor does not. */
	folder_text(&f, "good.so", "another file\n", 0644);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(handle);
	CU_ASSERT_PTR_NOT_NULL(dlsym(handle, "good_LTX_muses_plugin"));
	dlclose(handle);
	close(fd);

	/* A link anywhere on the way is refused: what it means could change. */
	folder_open(&inner);
	snprintf(link, sizeof(link), "%s/link", inner.path);
	CU_ASSERT_EQUAL(symlink(f.path, link), 0);
	snprintf(path, sizeof(path), "%s/good.so", link);
	CU_ASSERT_EQUAL(core_trust_plugin(path, why, sizeof(why)), -1);
	snprintf(expected, sizeof(expected), "cannot open %s: Not a directory", path);
	CU_ASSERT_STRING_EQUAL(why, expected);
	folder_close(&inner);
	folder_close(&f);
}

static void the_first_folder_wins(void)
{
	struct folder f;
	char both[2048];

	if (!good_copy(&f))
		return;
	close_loader();
	/* A broken one in front is not passed over: somebody put it there. */
	folder_text(&f, "good.so",
	            "broken, and long enough to hold what a header of an ELF "
	            "file would have to hold\n",
	            0644);
	snprintf(both, sizeof(both), "%s:%s", f.path, broken_folder());
	open_loader(both);
	CU_ASSERT_PTR_NULL(find("good"));
	close_loader();
	snprintf(both, sizeof(both), "%s:%s", broken_folder(), f.path);
	open_loader(both);
	CU_ASSERT_PTR_NOT_NULL(find("good"));
	close_loader();
	folder_close(&f);
}

static void the_environment_comes_after_the_options(void)
{
	struct folder f;

	if (!good_copy(&f))
		return;
	close_loader();
	setenv("MUSES_PLUGIN_PATH", broken_folder(), 1);
	loader = core_loader_open();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loader);
	folder_text(&f, "good.so",
	            "broken, and long enough to hold what a header of an ELF "
	            "file would have to hold\n",
	            0644);
	CU_ASSERT_EQUAL(core_loader_path(loader, f.path), 0);
	CU_ASSERT_PTR_NULL(find("good"));
	CU_ASSERT_PTR_NOT_NULL(find("good_suite"));
	close_loader();
	unsetenv("MUSES_PLUGIN_PATH");
	folder_close(&f);
}

static void two_loaders_do_not_disturb_each_other(void)
{
	const char *folder = broken_folder();
	struct core_loader *other;

	if (folder == NULL)
		return;
	open_loader(folder);
	CU_ASSERT_PTR_NOT_NULL(find("good"));
	other = loader;
	open_loader(folder);
	CU_ASSERT_PTR_NOT_NULL(find("good_suite"));
	CU_ASSERT_PTR_NOT_NULL(find("good"));
	close_loader();
	loader = other;
	/* The descriptors that the first loader closes are used again by now. */
	CU_ASSERT_PTR_NOT_NULL(find("good_suite"));
	CU_ASSERT_STRING_EQUAL(find("good")->name, "good");
	close_loader();
	for (int i = 0; i < 3; i++) {
		open_loader(folder);
		CU_ASSERT_PTR_NOT_NULL(find(i % 2 == 0 ? "good" : "good_suite"));
		close_loader();
	}
}

/* ---- lists ----------------------------------------------------------------- */

struct seen {
	unsigned good, refused;
	char last[64];
	bool sorted;
};

static void see(void *user, const char *name, const char *path,
                const struct muses_plugin *plugin, const char *reason)
{
	struct seen *seen = user;

	seen->good += plugin != NULL;
	seen->refused += plugin == NULL && reason != NULL && path != NULL;
	seen->sorted = seen->sorted && strcmp(seen->last, name) < 0;
	snprintf(seen->last, sizeof(seen->last), "%s", name);
}

static void lists_good_and_refused_ones_by_name(void)
{
	struct seen seen = { .sorted = true };
	const char *folder = broken_folder();

	if (folder == NULL)
		return;
	open_loader(folder);
	core_loader_each(loader, see, &seen);
	CU_ASSERT_EQUAL(seen.good, 2);
	CU_ASSERT_EQUAL(seen.refused, 18);
	CU_ASSERT_TRUE(seen.sorted);
	close_loader();
}

#ifndef MUSES_INSTRUMENTED
static unsigned descriptors_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}
#endif

static void gives_everything_back(void)
{
	uint64_t before = core_mem_count();
	const char *folder = broken_folder();
	unsigned descriptors;

	if (folder == NULL)
		return;
	open_loader(folder);
	find("good");
	find("bad_answer");
	find("nobody");
	close_loader();
	CU_ASSERT_EQUAL(core_mem_count(), before);
#ifndef MUSES_INSTRUMENTED /* There, plugins stay for the sake of traces. */
	descriptors = descriptors_open();
	open_loader(folder);
	find("good");
	find("undefined");
	find("wrong_name");
	close_loader();
	CU_ASSERT_EQUAL(descriptors_open(), descriptors);
#else
	(void)descriptors;
#endif
}

static const struct tap_test tests[] = {
	{ "a record that is not right is refused in its own words",
	  refuses_broken_records },
	{ "what the dynamic linker refuses is said exactly", says_what_the_linker_said },
	{ "a good plugin is found, once", finds_the_good_ones },
	{ "operations that a plugin does not know are NULL",
	  fills_a_short_table_with_zeros },
	{ "a name that could be a path is no plugin name", refuses_names_that_are_paths },
	{ "a misspelt name brings the nearest one to mind",
	  asks_whether_another_was_meant },
	{ "a plugin that others can write is refused", refuses_what_others_can_write },
	{ "a plugin that somebody else owns is refused", refuses_what_others_own },
	{ "what is no shared object of this folder is refused",
	  refuses_what_is_no_plugin_file },
	{ "the file that was checked is the file that is opened",
	  opens_what_was_checked },
	{ "the first folder on the path wins", the_first_folder_wins },
	{ "folders of the command line come before the environment",
	  the_environment_comes_after_the_options },
	{ "two loaders do not disturb each other",
	  two_loaders_do_not_disturb_each_other },
	{ "all plugins are listed by name, refused ones with the reason",
	  lists_good_and_refused_ones_by_name },
	{ "a loader gives everything back", gives_everything_back },
	TAP_END
};

int main(int argc, char **argv)
{
	return tap_main(argc, argv, "core_loader", tests);
}
