/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAKE_STREAM_H
#define TESTS_FAKE_STREAM_H

/*
 * Stands in for core/stream.c and core/session.c where LCM is tested alone:
 * included before anything else, it turns their functions into the test's own.
 */
#define core_reason_text     fake_reason_text
#define core_session_peer    fake_session_peer
#define core_session_state   fake_session_state
#define core_stream_accept   fake_stream_accept
#define core_stream_close    fake_stream_close
#define core_stream_commit   fake_stream_commit
#define core_stream_consume  fake_stream_consume
#define core_stream_ended    fake_stream_ended
#define core_stream_flushed  fake_stream_flushed
#define core_stream_finish   fake_stream_finish
#define core_stream_open     fake_stream_open
#define core_stream_peek     fake_stream_peek
#define core_stream_reject   fake_stream_reject
#define core_stream_reserve  fake_stream_reserve
#define core_stream_reset    fake_stream_reset
#define core_stream_service  fake_stream_service
#define core_stream_session  fake_stream_session
#define core_stream_space    fake_stream_space

#include "core/session.h"

#define FAKE_ROOM (512 * 1024)

struct core_session {
	struct muses_id peer;
	enum core_session_state state;
};

struct core_stream {
	const struct core_stream_user *user;
	void *data;
	struct core_session *session;
	char service[64];
	uint16_t port;
	uint8_t sent[FAKE_ROOM]; /* What the application said. */
	size_t sent_size, window;
	uint8_t inbox[FAKE_ROOM]; /* What the peer said. */
	size_t inbox_size, inbox_at;
	bool peer_finished, finished, flushed, closed, accepted;
	enum core_reason rejected, was_reset;
	struct core_stream *before; /* The one opened before it. */
};

extern struct core_stream *fake_opened; /* The last. */
extern unsigned fake_opened_count, fake_space_asked;
extern bool fake_may_open;

/* Called for each that is opened and for what is committed; NULL: nothing. */
extern void (*fake_on_open)(struct core_stream *s);
extern void (*fake_on_commit)(struct core_stream *s);

/* From the loop, never from inside a call of LCM's. */
void fake_peer_says(struct core_stream *s, const char *text);
void fake_peer_finishes(struct core_stream *s);
void fake_streams_free(void);

#endif
