/* SPDX-License-Identifier: Apache-2.0 */
/* Streams and sessions as a test plays them; see fake_stream.h. */
#include "tests/fake_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct core_stream *fake_opened;
unsigned fake_opened_count, fake_space_asked;
bool fake_may_open = true;
void (*fake_on_open)(struct core_stream *s);
void (*fake_on_commit)(struct core_stream *s);

static struct core_stream *all;

const char *core_reason_text(enum core_reason reason)
{
	return reason == CORE_REASON_NO_SERVICE ? "no such service" : "something";
}
const struct muses_id *core_session_peer(const struct core_session *session)
{
	return &session->peer;
}
enum core_session_state core_session_state(const struct core_session *session)
{
	return session->state;
}
struct core_session *core_stream_session(const struct core_stream *s)
{
	return s->session;
}
const char *core_stream_service(const struct core_stream *s)
{
	return s->service;
}
struct core_stream *core_stream_open(struct core_session *session, const char *service,
                                     uint16_t source_port,
                                     const struct core_stream_user *user, void *data)
{
	struct core_stream *s = fake_may_open ? calloc(1, sizeof(*s)) : NULL;

	if (s == NULL)
		return NULL;
	*s = (struct core_stream){ .user = user,
		                   .data = data,
		                   .session = session,
		                   .port = source_port,
		                   .window = FAKE_ROOM };
	snprintf(s->service, sizeof(s->service), "%s", service);
	s->before = all;
	fake_opened = all = s;
	fake_opened_count++;
	if (fake_on_open != NULL)
		fake_on_open(s);
	return s;
}
void core_stream_accept(struct core_stream *s, const struct core_stream_user *user,
                        void *data)
{
	s->accepted = true;
	s->user = user;
	s->data = data;
}
void core_stream_reject(struct core_stream *s, enum core_reason reason)
{
	s->rejected = reason;
	s->closed = true;
}
size_t core_stream_space(struct core_stream *s)
{
	fake_space_asked++;
	return s->window;
}
size_t core_stream_reserve(struct core_stream *s, struct iovec *iov, size_t most,
                           size_t want)
{
	size_t count = 0, at = s->sent_size;

	for (want = want < s->window ? want : s->window; want > 0 && count < most;
	     count++) {
		size_t part = want < 5000 ? want : 5000;

		iov[count] = (struct iovec){ .iov_base = s->sent + at, .iov_len = part };
		at += part;
		want -= part;
	}
	return count;
}
void core_stream_commit(struct core_stream *s, size_t size)
{
	s->sent_size += size;
	s->window -= size;
	if (size > 0 && fake_on_commit != NULL)
		fake_on_commit(s);
}
void core_stream_finish(struct core_stream *s)
{
	s->finished = true;
}
bool core_stream_flushed(struct core_stream *s)
{
	return s->flushed;
}
size_t core_stream_peek(const struct core_stream *s, struct iovec *iov, size_t most)
{
	size_t left = s->inbox_size - s->inbox_at;

	if (left == 0 || most == 0)
		return 0;
	iov[0] = (struct iovec){ .iov_base = (void *)(s->inbox + s->inbox_at),
		                 .iov_len = left < 3000 ? left : 3000 };
	if (left <= 3000 || most == 1)
		return 1;
	iov[1] = (struct iovec){ .iov_base = (void *)(s->inbox + s->inbox_at + 3000),
		                 .iov_len = left - 3000 };
	return 2;
}
void core_stream_consume(struct core_stream *s, size_t size)
{
	s->inbox_at += size;
}
bool core_stream_ended(const struct core_stream *s)
{
	return s->peer_finished && s->inbox_at == s->inbox_size;
}
void core_stream_reset(struct core_stream *s, enum core_reason reason)
{
	s->was_reset = reason;
	s->closed = true;
}
void core_stream_close(struct core_stream *s)
{
	s->closed = true;
}

void fake_peer_says(struct core_stream *s, const char *text)
{
	memcpy(s->inbox + s->inbox_size, text, strlen(text));
	s->inbox_size += strlen(text);
	s->user->readable(s, s->data);
}

void fake_peer_finishes(struct core_stream *s)
{
	s->peer_finished = true;
	s->user->readable(s, s->data);
}

void fake_streams_free(void)
{
	for (struct core_stream *s; (s = all) != NULL;) {
		all = s->before;
		free(s);
	}
	fake_opened = NULL;
	fake_opened_count = 0;
}
