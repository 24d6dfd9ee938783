/* SPDX-License-Identifier: Apache-2.0 */
/* The file transfer: its messages, and the receiver's half against senders that the
 * test plays. */
#include "apps/incoming.h"
#include "apps/transfer.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int app_fail(const struct app *app, int code, const char *format, ...)
{
	(void)app;
	(void)format;
	return code;
}

/* ---- messages ------------------------------------------------------------- */

static void messages_read_as_they_were_written(void)
{
	static const struct transfer_message sample[] = {
		{ .type = TRANSFER_OFFER,
		  .size = 1234567890123,
		  .text = "holiday film.mp4" },
		{ .type = TRANSFER_OFFER, .size = 0, .text = "\xc3\xa9t\xc3\xa9" },
		{ .type = TRANSFER_READY, .offset = 77, .hash = { 1, 2, 3 } },
		{ .type = TRANSFER_START, .offset = 77 },
		{ .type = TRANSFER_DIGEST, .hash = { 9 } },
		{ .type = TRANSFER_RESULT, .status = TRANSFER_DAMAGED, .text = "why" },
		{ .type = TRANSFER_RESULT, .status = TRANSFER_DONE },
	};

	for (size_t i = 0; i < COUNT(sample); i++) {
		uint8_t out[TRANSFER_HEAD + TRANSFER_BODY_MAX];
		size_t size = transfer_write(&sample[i], out);
		struct transfer_message m;

		CU_ASSERT_TRUE(transfer_read(out, size, &m));
		CU_ASSERT_EQUAL(memcmp(&m, &sample[i], sizeof(m)), 0);
		/* Every length but the right one lies. */
		for (size_t wrong = 0; wrong < size; wrong++)
			if (transfer_read(out, wrong, &m))
				CU_FAIL("a message cut short was accepted");
		out[2]++;
		CU_ASSERT_FALSE(transfer_read(out, size, &m));
		out[2] -= 2;
		CU_ASSERT_FALSE(transfer_read(out, size, &m));
	}
}

static void the_bytes_are_those_of_the_table(void)
{
	static const uint8_t offer[] = { 1, 0, 10, 1, 0, 0, 0, 0, 0, 0, 1, 2, 'x' };
	static const struct transfer_message m = { .type = TRANSFER_OFFER,
		                                   .size = 258,
		                                   .text = "x" };
	uint8_t out[TRANSFER_HEAD + TRANSFER_BODY_MAX];

	CU_ASSERT_EQUAL(transfer_write(&m, out), sizeof(offer));
	CU_ASSERT_EQUAL(memcmp(out, offer, sizeof(offer)), 0);
}

static void wrong_messages_are_refused(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *why;
	} row[] = {
		{ "\0\0\0", 3, "type 0" },
		{ "\6\0\0", 3, "type after the last" },
		{ "\1\1\1", 3, "body too large" },
		{ "\1\0\1\2", 4, "another version" },
		{ "\1\0\11\1\0\0\0\0\0\0\0\1", 12, "no name" },
		{ "\1\0\12\1\100\0\0\0\0\0\0\0x", 13, "larger than any file" },
		{ "\1\0\13\1\0\0\0\0\0\0\0\1x\0", 14, "a zero byte in the name" },
		{ "\1\0\13\1\0\0\0\0\0\0\0\1/x", 14, "a path" },
		{ "\3\0\11\0\0\0\0\0\0\0\1\1", 12, "one byte more" },
		{ "\5\0\1\4", 4, "no such status" },
		{ "\5\0\0", 3, "no status" },
		{ "", 0, "nothing" },
	};

	for (size_t i = 0; i < COUNT(row); i++) {
		struct transfer_message m;
		bool taken =
			transfer_read((const uint8_t *)row[i].bytes, row[i].size, &m);

		TAP_NOTE_IF(taken, "row %zu: %s", i, row[i].why);
		CU_ASSERT_FALSE(taken);
	}
}

static void a_peer_may_not_choose_every_name(void)
{
	static const struct {
		const char *name;
		bool valid;
		const char *why;
	} row[] = {
		{ "a", true, "one letter" },
		{ "holiday film (1).mp4", true, "spaces and brackets" },
		{ "\xe6\x9d\xb1\xe4\xba\xac.txt", true, "other scripts" },
		{ "a..b", true, "dots inside" },
		{ "", false, "nothing" },
		{ ".", false, "this folder" },
		{ "..", false, "the folder above" },
		{ ".bashrc", false, "hidden, and read by programs" },
		{ "a/b", false, "a path" },
		{ "/etc/passwd", false, "an absolute path" },
		{ "../x", false, "a path upwards" },
		{ "-rf", false, "looks like an option" },
		{ "a\nb", false, "a line end" },
		{ "a\x1b[2J", false, "clears the terminal" },
		{ "a\x7f", false, "delete" },
		{ "a\xc2\x9b", false, "a control character beyond ASCII" },
		{ "a\xe2\x80\xaegpj.exe", false, "turns the writing round" },
		{ "a\xe2\x81\xa7x", false, "isolates a direction" },
		{ "a\xff", false, "not UTF-8" },
		{ "a\xc3", false, "half a character" },
		{ "a\xc0\xaf", false, "a slash in a long form" },
		{ "a\xe0\x80\xaf", false, "a slash in a longer form" },
		{ "a\xed\xa0\x80", false, "half a pair" },
		{ "a\xf4\x90\x80\x80", false, "beyond Unicode" },
		{ "x.part", false, "ours" },
		{ ".part", false, "ours, and hidden" },
		{ "x.party", true, "not ours" },
	};
	char longest[TRANSFER_NAME_MAX + 1];

	for (size_t i = 0; i < COUNT(row); i++) {
		bool valid = transfer_name_valid(row[i].name, strlen(row[i].name));

		TAP_NOTE_IF(valid != row[i].valid, "row %zu: %s", i, row[i].why);
		CU_ASSERT_EQUAL(valid, row[i].valid);
	}
	memset(longest, 'a', sizeof(longest));
	CU_ASSERT_TRUE(transfer_name_valid(longest, TRANSFER_NAME_MAX));
	CU_ASSERT_FALSE(transfer_name_valid(longest, TRANSFER_NAME_MAX + 1));
}

static void words_of_the_peer_cannot_play_with_the_terminal(void)
{
	static const struct transfer_message sent = { .type = TRANSFER_RESULT,
		                                      .text = "no\x1b[31m\xe2\x80\xae" };
	uint8_t out[TRANSFER_HEAD + TRANSFER_BODY_MAX];
	struct transfer_message m;

	CU_ASSERT_TRUE(transfer_read(out, transfer_write(&sent, out), &m));
	CU_ASSERT_STRING_EQUAL(m.text, "no?[31m???");
}

/* ---- the receiver --------------------------------------------------------- */

static char folder[] = "/tmp/t_apps_transfer.XXXXXX";

static const char *path(const char *name)
{
	static char text[4][400];
	static unsigned turn;
	char *p = text[turn++ % 4];

	snprintf(p, sizeof(text[0]), "%s/%s", folder, name);
	return p;
}

static void put(const char *name, const char *content)
{
	FILE *f = fopen(path(name), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(content, f);
	fclose(f);
}

/* "(none)" if it is not there. */
static const char *content(const char *name)
{
	static char text[256];
	FILE *f = fopen(path(name), "r");
	size_t size;

	if (f == NULL)
		return "(none)";
	size = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[size] = '\0';
	return text;
}

static void hash_of(const char *text, uint8_t hash[static TRANSFER_HASH])
{
	EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
}

static pid_t receiver;
static struct wire to_receiver;

static void begin(bool force)
{
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
		0);
	receiver = fork();
	if (receiver == 0) {
		struct incoming in = {
			.wire = { .fd = pair[1], .also = -1 },
			.peer = "bob",
			.folder = open(folder, O_RDONLY | O_DIRECTORY),
			.force = force,
			.report = -1,
		};

		close(pair[0]);
		_exit(incoming_all(&in));
	}
	close(pair[1]);
	to_receiver = (struct wire){ .fd = pair[0], .also = -1 };
}

/* The receiver's exit code. */
static int finish(void)
{
	int status;

	close(to_receiver.fd);
	CU_ASSERT_EQUAL(waitpid(receiver, &status, 0), receiver);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void clean(void)
{
	static const char *const name[] = { "f", "f.part", "g", "g.part", "target" };

	for (size_t i = 0; i < COUNT(name); i++)
		unlink(path(name[i]));
}

static struct transfer_message answer(void)
{
	struct transfer_message m = { 0 };

	CU_ASSERT_TRUE(wire_receive(&to_receiver, &m));
	return m;
}

static struct transfer_message offer(const char *name, size_t size)
{
	struct transfer_message m = { .type = TRANSFER_OFFER, .size = size };

	snprintf(m.text, sizeof(m.text), "%s", name);
	CU_ASSERT_TRUE(wire_send(&to_receiver, &m));
	return answer();
}

/* START at offset, the rest of text, and DIGEST of claimed. */
static void give(uint64_t offset, const char *text, const char *claimed)
{
	struct transfer_message m = { .type = TRANSFER_START, .offset = offset };

	CU_ASSERT_TRUE(wire_send(&to_receiver, &m));
	CU_ASSERT_TRUE(wire_put(&to_receiver, text + offset, strlen(text) - offset));
	m = (struct transfer_message){ .type = TRANSFER_DIGEST };
	hash_of(claimed, m.hash);
	CU_ASSERT_TRUE(wire_send(&to_receiver, &m));
}

static void files_arrive_one_after_the_other(void)
{
	struct transfer_message m;
	uint8_t nothing[TRANSFER_HASH];
	struct stat st;

	hash_of("", nothing);
	begin(false);
	m = offer("f", 5);
	CU_ASSERT_EQUAL(m.type, TRANSFER_READY);
	CU_ASSERT_EQUAL(m.offset, 0);
	CU_ASSERT_EQUAL(memcmp(m.hash, nothing, sizeof(nothing)), 0);
	give(0, "first", "first");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(offer("g", 0).type, TRANSFER_READY);
	give(0, "", "");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	CU_ASSERT_STRING_EQUAL(content("f"), "first");
	CU_ASSERT_STRING_EQUAL(content("g"), "");
	CU_ASSERT_STRING_EQUAL(content("f.part"), "(none)");
	CU_ASSERT_EQUAL(stat(path("f"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	clean();
}

static void a_file_that_was_cut_off_goes_on(void)
{
	struct transfer_message m = { .type = TRANSFER_START };
	uint8_t hash[TRANSFER_HASH];

	begin(false);
	CU_ASSERT_EQUAL(offer("f", 10).type, TRANSFER_READY);
	CU_ASSERT_TRUE(wire_send(&to_receiver, &m));
	CU_ASSERT_TRUE(wire_put(&to_receiver, "0123", 4));
	CU_ASSERT_EQUAL(finish(), APP_FAILED);
	CU_ASSERT_STRING_EQUAL(content("f"), "(none)");

	put("f.part", "0123"); /* Whole blocks are written; make it a part of one. */
	begin(false);
	m = offer("f", 10);
	CU_ASSERT_EQUAL(m.offset, 4);
	hash_of("0123", hash);
	CU_ASSERT_EQUAL(memcmp(m.hash, hash, sizeof(hash)), 0);
	give(4, "0123456789", "0123456789");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	CU_ASSERT_STRING_EQUAL(content("f"), "0123456789");
	clean();
}

static void a_part_of_another_file_does_not_count(void)
{
	begin(false);
	put("f.part", "what is this");
	CU_ASSERT_EQUAL(offer("f", 20).offset, 12);
	give(0, "another text of twen",
	     "another text of twen"); /* The hash was not ours. */
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	put("g.part", "longer than what is offered");
	CU_ASSERT_EQUAL(offer("g", 5).offset, 0);
	give(0, "short", "short");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	CU_ASSERT_STRING_EQUAL(content("f"), "another text of twen");
	CU_ASSERT_STRING_EQUAL(content("g"), "short");
	clean();
}

static void what_is_not_what_was_sent_is_not_kept(void)
{
	begin(false);
	CU_ASSERT_EQUAL(offer("f", 5).type, TRANSFER_READY);
	give(0, "wrong", "right");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DAMAGED);
	CU_ASSERT_EQUAL(finish(), APP_FAILED);
	CU_ASSERT_STRING_EQUAL(content("f"), "(none)");
	CU_ASSERT_STRING_EQUAL(content("f.part"), "(none)");
	clean();
}

static void what_is_there_stays_unless_forced(void)
{
	struct transfer_message m;

	put("f", "mine");
	begin(false);
	m = offer("f", 5);
	CU_ASSERT_EQUAL(m.type, TRANSFER_RESULT);
	CU_ASSERT_EQUAL(m.status, TRANSFER_REFUSED);
	CU_ASSERT_PTR_NOT_NULL(strstr(m.text, "already"));
	CU_ASSERT_EQUAL(offer("g", 5).type, TRANSFER_READY); /* The next fares better. */
	put("g", "came meanwhile");
	give(0, "yours", "yours");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_FAILED);
	finish();
	CU_ASSERT_STRING_EQUAL(content("f"), "mine");
	CU_ASSERT_STRING_EQUAL(content("g"), "came meanwhile");
	begin(true);
	CU_ASSERT_EQUAL(offer("f", 5).type, TRANSFER_READY);
	give(0, "yours", "yours");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	CU_ASSERT_STRING_EQUAL(content("f"), "yours");
	clean();
}

static void nothing_is_written_through_a_link(void)
{
	struct transfer_message m;

	put("target", "precious");
	CU_ASSERT_EQUAL(symlink("target", path("f.part")), 0);
	CU_ASSERT_EQUAL(link(path("target"), path("g.part")), 0);
	begin(true);
	m = offer("f", 5);
	CU_ASSERT_EQUAL(m.type, TRANSFER_RESULT);
	CU_ASSERT_PTR_NOT_NULL(strstr(m.text, "link"));
	m = offer("g", 5);
	CU_ASSERT_EQUAL(m.type, TRANSFER_RESULT);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	clean();
	CU_ASSERT_EQUAL(mkfifo(path("f.part"), 0600), 0);
	put("target", "precious");
	CU_ASSERT_EQUAL(symlink("target", path("g")), 0);
	begin(true);
	CU_ASSERT_EQUAL(offer("f", 5).type, TRANSFER_RESULT);
	CU_ASSERT_EQUAL(offer("g", 5).type, TRANSFER_READY);
	give(0, "yours", "yours");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	CU_ASSERT_STRING_EQUAL(content("target"), "precious");
	CU_ASSERT_STRING_EQUAL(content("g"), "yours"); /* The link itself was replaced. */
	clean();
}

static void a_file_is_received_once_at_a_time(void)
{
	struct wire first;
	pid_t other;

	begin(false);
	CU_ASSERT_EQUAL(offer("f", 5).type, TRANSFER_READY);
	first = to_receiver;
	other = receiver;
	begin(false);
	CU_ASSERT_PTR_NOT_NULL(strstr(offer("f", 5).text, "being received"));
	CU_ASSERT_EQUAL(finish(), APP_OK);
	to_receiver = first;
	receiver = other;
	give(0, "whole", "whole");
	CU_ASSERT_EQUAL(answer().status, TRANSFER_DONE);
	CU_ASSERT_EQUAL(finish(), APP_OK);
	clean();
}

static void a_sender_out_of_step_is_left(void)
{
	struct transfer_message m = { .type = TRANSFER_START, .offset = 3 };

	begin(false);
	CU_ASSERT_EQUAL(offer("f", 5).offset, 0);
	CU_ASSERT_TRUE(wire_send(&to_receiver, &m)); /* We have nothing to go on from. */
	CU_ASSERT_EQUAL(finish(), APP_FAILED);
	begin(false);
	m.type = TRANSFER_DIGEST;
	CU_ASSERT_TRUE(wire_send(&to_receiver, &m));
	CU_ASSERT_EQUAL(answer().status, TRANSFER_REFUSED);
	CU_ASSERT_EQUAL(finish(), APP_FAILED);
	begin(false);
	CU_ASSERT_TRUE(wire_put(&to_receiver, "GET / HTTP/1.1\r\n\r\n", 18));
	CU_ASSERT_EQUAL(answer().status, TRANSFER_REFUSED);
	CU_ASSERT_EQUAL(finish(), APP_FAILED);
	begin(false);
	CU_ASSERT_EQUAL(finish(), APP_OK); /* Came, and had nothing. */
	clean();
}

static const struct tap_test tests[] = {
	{ "messages read as they were written, and no shorter",
	  messages_read_as_they_were_written },
	{ "the bytes are those of the table", the_bytes_are_those_of_the_table },
	{ "wrong messages are refused", wrong_messages_are_refused },
	{ "a peer may not choose every name", a_peer_may_not_choose_every_name },
	{ "words of the peer cannot play with the terminal",
	  words_of_the_peer_cannot_play_with_the_terminal },
	{ "files arrive one after the other", files_arrive_one_after_the_other },
	{ "a file that was cut off goes on where it was",
	  a_file_that_was_cut_off_goes_on },
	{ "a part of another file does not count",
	  a_part_of_another_file_does_not_count },
	{ "what is not what was sent is not kept",
	  what_is_not_what_was_sent_is_not_kept },
	{ "what is there stays, unless forced", what_is_there_stays_unless_forced },
	{ "nothing is written through a link", nothing_is_written_through_a_link },
	{ "a file is received once at a time", a_file_is_received_once_at_a_time },
	{ "a sender out of step is left", a_sender_out_of_step_is_left },
	TAP_END
};

int main(int argc, char **argv)
{
	int result;

	if (mkdtemp(folder) == NULL)
		return 99;
	result = tap_main(argc, argv, "apps_transfer", tests);
	rmdir(folder);
	return result;
}
