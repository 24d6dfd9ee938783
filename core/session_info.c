/* SPDX-License-Identifier: Apache-2.0 */
/* What `muses status` shows of sessions and streams. */
#include "core/session_int.h"

static void set_count(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *stream_info(const struct core_stream *st)
{
	json_t *o = json_object();

	set_count(o, "id", core_stream_id(st));
	json_object_set_new(o, "service", json_string(st->service));
	json_object_set_new(o, "opened_by", json_string(st->ours ? "us" : "peer"));
	set_count(o, "sent_bytes", st->send.high);
	set_count(o, "unacked_bytes", st->send.written - st->send.base);
	set_count(o, "received_bytes", st->receive.contiguous);
	set_count(o, "unread_bytes", st->receive.contiguous - st->receive.consumed);
	return o;
}

static json_t *session_info(struct core_session *s)
{
	char text[MUSES_NAME_MAX + 1];
	json_t *o = json_object(), *streams = json_array();
	const struct core_traffic *t = s->traffic[0];
	struct core_hash_node *n;
	size_t place = 0;

	json_object_set_new(o, "name", json_string(core_session_label(s, text)));
	muses_id_text(&s->peer, text);
	json_object_set_new(o, "peer", json_string(text));
	json_object_set_new(o, "state", json_string(core_session_state_name(s->state)));
	json_object_set_new(o, "suite",
	                    s->suite != NULL ? json_string(s->suite->name) : json_null());
	set_count(o, "generation", s->resume.current);
	set_count(o, "epoch", t != NULL ? t->send.step : 0);
	set_count(o, "secret", s->resume.committed.number);
	set_count(o, "resumes", s->resumes);
	set_count(o, "bytes_sent", s->bytes_sent);
	set_count(o, "bytes_received", s->bytes_received);
	set_count(o, "rehello_bytes", s->rehello_bytes);
	set_count(o, "unacked_bytes", s->send_held);
	set_count(o, "mtu", s->mtu);
	set_count(o, "suspended_ms",
	          s->suspended_ns != 0
	                  ? (core_session_now(s) - s->suspended_ns) / MUSES_MS
	                  : 0);
	if (s->reliability != NULL) {
		json_t *info = json_object();

		s->table->reliability_ops->info(s->reliability, info);
		json_object_update_missing(o, info);
		json_decref(info);
	}
	for (n = core_hash_next(&s->streams, &place, NULL); n != NULL;
	     n = core_hash_next(&s->streams, &place, n))
		json_array_append_new(streams, stream_info(muses_container(
						       n, struct core_stream, node)));
	json_object_set_new(o, "streams", streams);
	return o;
}

json_t *core_sessions_info(const struct core_sessions *table)
{
	json_t *array = json_array();
	struct core_hash_node *n;
	size_t place = 0;

	for (n = core_hash_next(&table->by_peer, &place, NULL); n != NULL;
	     n = core_hash_next(&table->by_peer, &place, n))
		json_array_append_new(array, session_info(muses_container(
						     n, struct core_session, by_peer)));
	return array;
}
