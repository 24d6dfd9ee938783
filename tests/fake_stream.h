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
#define core_stream_finish   fake_stream_finish
#define core_stream_open     fake_stream_open
#define core_stream_peek     fake_stream_peek
#define core_stream_reject   fake_stream_reject
#define core_stream_reserve  fake_stream_reserve
#define core_stream_reset    fake_stream_reset
#define core_stream_service  fake_stream_service
#define core_stream_session  fake_stream_session
#define core_stream_space    fake_stream_space

#endif
