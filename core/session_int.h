/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SESSION_INT_H
#define CORE_SESSION_INT_H

/*
 * What the files of the session engine share; nobody else includes this.
 *
 *   session.c     the table, states, timers, what the node asks
 *   handshake.c hello_initiator.c hello_responder.c   Hello, Retry, Finished
 *   rehello.c     Re-Hello, generations, suspend and resume, KEYSTEP
 *   keystep.c     fresh X25519 shares, mixed in on the way
 *   send.c        from what is due to sealed packets
 *   sent.c        what was in each packet, and its fate
 *   receive.c     from sealed packets to frames, and what frames mean
 *   stream.c      the streams' life and their users
 *   stream_send.c stream_receive.c   the two halves of a stream
 *
 * One packet number space a generation, as one "current" generation: packets of
 * another live generation are opened and obeyed, but not acknowledged; what was
 * under way when the generation changed is settled by POSITION frames.
 */
#include "core/frame.h"
#include "core/hash.h"
#include "core/hello.h"
#include "core/mem.h"
#include "core/ranges.h"
#include "core/resume.h"
#include "core/session.h"
#include "core/spans.h"
#include "core/traffic.h"

#include <muses/noise.h>

#include <inttypes.h>

/* ---- streams ------------------------------------------------------------- */

/* Frames that a stream has to send, besides data. */
enum core_due {
	CORE_DUE_OPEN = 1 << 0,
	CORE_DUE_RESET = 1 << 1,
	CORE_DUE_WINDOW = 1 << 2,
	CORE_DUE_POSITION = 1 << 3,
	CORE_DUE_DATA = 1 << 4, /* Bytes, or the end, may be there to send. */
};

enum core_stream_news {
	CORE_NEWS_READABLE = 1 << 0,
	CORE_NEWS_WRITABLE = 1 << 1,
	CORE_NEWS_RESET = 1 << 2,
	CORE_NEWS_SUSPENDED = 1 << 3,
	CORE_NEWS_RESUMED = 1 << 4,
};

/*
 * Sending: positions  base <= next <= high <= written.
 *   [0, base)        acknowledged and freed
 *   [base, written)  held in the chain of buffers
 *   next             first byte that was not (or is to be again) sent
 *   high             highest byte ever sent: what flow control counts
 */
struct core_stream_send {
	struct muses_buf *first, *last;    /* From position `start` on. */
	struct muses_buf *cursor;          /* The buffer that holds next, or NULL. */
	uint64_t start;                    /* Position of first's first byte; <= base. */
	uint64_t cursor_start;             /* Position of cursor's first byte. */
	uint64_t base, next, high, written;
	uint64_t limit;                    /* The peer's window: highest position allowed. */
	struct core_spans acked, lost;
	struct muses_buf *reserved[4];     /* What reserve() handed out, unfilled. */
	uint8_t reserved_count;
	bool finish;                       /* The user wrote its last byte. */
	bool end_sent, end_acked;
	bool reset_acked;
};

/*
 * Receiving: consumed <= contiguous <= highest <= limit.  Buffers from consumed
 * to contiguous stand in order in first..last; later ones, sorted, in apart.
 * A buffer's mark is the low half of its position.
 */
struct core_stream_receive {
	struct muses_buf *first, *last;
	struct muses_buf *apart;
	uint64_t consumed, contiguous, highest;
	uint64_t limit;  /* Advertised. */
	uint64_t final;  /* Where it ends; UINT64_MAX: not known. */
	uint32_t apart_count;
	bool reset;      /* The peer gave up its half. */
};

struct core_stream {
	struct core_hash_node node; /* key = id */
	struct core_session *session;
	const struct core_stream_user *user; /* NULL: not accepted yet, or let go. */
	void *data;
	struct core_stream *ready_next, **ready_link; /* In session->ready when due. */
	struct core_stream *news_next, **news_link;   /* In table->news. */
	struct core_stream_send send;
	struct core_stream_receive receive;
	uint16_t source_port, destination_port;
	uint8_t due, news;
	uint8_t reason;        /* Of our RESET, or of what ended it. */
	bool ours;             /* We opened it. */
	bool opened;           /* OPEN was acknowledged, or is the peer's. */
	bool open_sent;
	bool heard;            /* The peer has named it at least once. */
	bool resetting;        /* RESET is due, under way or acknowledged. */
	bool rejecting;        /* ... as REJECT. */
	bool abandoned;        /* The user has let go. */
	bool waiting;          /* For its POSITION after a resume. */
	bool position_out;     /* Our POSITION is due or under way. */
	bool wants_space, wants_flush;
	char *service;
};

/* ---- what was sent --------------------------------------------------------- */

enum core_sent_kind {
	CORE_SENT_DATA = 0, /* stream, position, size; end */
	CORE_SENT_OPEN,
	CORE_SENT_RESET,
	CORE_SENT_WINDOW,
	CORE_SENT_POSITION,
	CORE_SENT_POSITIONS,
	CORE_SENT_WINDOWS,
	CORE_SENT_FINISHED,
	CORE_SENT_KEYSTEP,
	CORE_SENT_LOCATOR,
};

struct core_sent_item {
	struct core_sent_item *next;
	uint64_t stream;
	uint64_t position;
	uint32_t size;
	uint8_t kind;
	bool end;
};

struct core_sent_packet {
	uint64_t sequence;
	struct core_sent_item *items; /* NULL with done: fate known. */
	bool done;
};

/* Sorted by number; a ring that grows, and shrinks to nothing when idle. */
struct core_sent {
	struct core_sent_packet *ring;
	uint32_t room, first, count;
};

/* ---- sessions --------------------------------------------------------------- */

/* Session-wide frames that are due. */
enum core_session_due {
	CORE_DUE_PING = 1 << 0,
	CORE_DUE_PONG = 1 << 1,
	CORE_DUE_WINDOWS = 1 << 2,
	CORE_DUE_FINISHED = 1 << 3,
	CORE_DUE_POSITIONS = 1 << 4,
	CORE_DUE_KEYSTEP = 1 << 5,
	CORE_DUE_LOCATOR = 1 << 6,
	CORE_DUE_ACK = 1 << 7,
};

#define CORE_GENERATIONS_MAX 3

struct core_handshake;
struct core_keystep;

struct core_session {
	struct core_hash_node by_index; /* key: our partial session id. */
	struct core_hash_node by_peer;  /* key: first 8 bytes of the peer's id. */
	struct core_sessions *table;
	struct muses_id peer;
	char name[MUSES_NAME_MAX + 1];  /* What the peer calls itself; "" before. */
	enum core_session_state state;
	bool indexed;

	/* From the handshake. */
	bool keyed;                     /* Ever finished one, perhaps only on our side. */
	bool lived;                     /* The peer has confirmed one: streams have a past. */
	enum muses_role role;           /* In the last handshake. */
	uint8_t session_id[CORE_SESSID_SIZE];
	uint8_t lineage[CORE_LINEAGE_SIZE]; /* The same over all handshakes. */
	uint64_t index, peer_index;
	const struct muses_suite *suite;
	struct core_resume resume;
	struct core_traffic *traffic[CORE_GENERATIONS_MAX]; /* [0] is the current one. */
	bool confirmed;                 /* The peer's FINISHED was good. */
	bool finished_out;              /* Our FINISHED was not acknowledged yet. */
	uint8_t finished_flags;         /* Of ours. */
	uint8_t finished[32];           /* Our MAC ... */
	uint8_t expected[2][32];        /* ... and the peer's, without and with GOES_ON. */
	bool tentative;                 /* Keyed anew; does the peer know the session? */
	uint8_t *third;                 /* FINISHED packet with message 3, until confirmed. */
	uint16_t third_size;
	struct core_handshake *handshake; /* Ours, under way; NULL: none. */
	uint64_t hello_wait_ns;         /* Pause after an attempt that nobody answered. */
	unsigned unanswered;            /* Re-Hellos since the last answer. */

	/* Flow control over all streams. */
	uint64_t send_limit, send_total;          /* Of high positions. */
	uint64_t receive_limit, receive_total, receive_consumed;
	uint32_t peer_stream_window, peer_session_window;
	uint64_t send_held;                       /* Bytes in all send buffers. */

	/* Packets. */
	void *reliability;              /* The plugin's state; NULL before the first keys. */
	struct core_sent sent;
	struct core_ranges received;
	uint64_t largest_ns;            /* When the largest number of received came. */
	uint64_t marks;                 /* Congestion marks on packets received. */
	bool lossy;                     /* Packets came over a lossy hop. */
	uint32_t mtu;                   /* Largest packet we send, header included. */
	uint32_t met_mtu;               /* What the peer's packets met: for PONG. */
	uint16_t due;
	struct core_stream *ready_first, **ready_last;
	bool positions_expected;        /* Streams wait for the peer's. */
	uint32_t positions_out;         /* Streams whose POSITION is due or under way. */
	bool blocked;                   /* The overlay's queue is full. */
	bool starved;                   /* No memory, or no key, to send with: try again. */
	bool starving;                  /* A user found no memory to write to: wake it. */
	bool deaf;                      /* No memory for what the packet at hand brought:
	                                 * as if it had been lost. */
	struct core_locator peer_locator;
	struct core_keystep *keystep;   /* Under way; NULL: none. */
	uint64_t keystep_ns;            /* When the next may begin. */
	uint64_t keystep_moved;         /* Bytes moved when the last one began. */

	struct core_hash streams;
	uint64_t next_stream;           /* Ours. */
	struct core_ranges seen_streams; /* Numbers the peer has used, id / 2. */
	size_t apart_count;             /* Out-of-order buffers, all streams. */

	struct muses_timer timer;
	struct muses_task flush;
	uint64_t rehello_sent_ns;
	uint64_t suspended_ns;          /* Since when; 0: not. */
	uint64_t idle_ns;               /* Since when without streams; 0: has some. */
	uint64_t established_ns;
	uint64_t bytes_sent, bytes_received, resumes, rehello_bytes;
	bool in_poll;
	bool closing;                   /* Ends in the tell task, with ... */
	uint8_t closing_reason;         /* ... this for its streams. */
	struct core_session *dead_next; /* In table->dead. */
};

struct core_hello_record; /* Of a peer: see hello_responder.c. */

struct core_sessions {
	struct core_env *env;
	struct core_pipeline *pipeline;
	const struct muses_keys_ops *keys_ops;
	const struct muses_overlay_ops *overlay_ops;
	const struct muses_reliability_ops *reliability_ops;
	struct core_sessions_config config;
	struct muses_id self;
	char name[MUSES_NAME_MAX + 1];

	struct core_hash by_index, by_peer;
	struct core_hash handshakes;     /* By our partial id. */
	struct core_hash half_open_from; /* Those as responder, by the peer's. */
	size_t half_open;                /* Handshakes as responder. */
	size_t stream_count;
	size_t suspended_count;
	struct core_hash hello_records;  /* By the first bytes of the peer's id. */
	uint8_t cookie_secret[2][32];    /* Current, previous. */
	uint64_t cookie_turned_ns;
	uint64_t hello_second_ns;
	uint32_t hello_second_count;
	uint64_t last_hello_time;        /* Greatest CORE_PAYLOAD_TIME we sent. */

	struct core_stream *news_first, **news_last;
	size_t news_count;
	struct muses_task tell;
	struct core_sent_item *free_items;
	struct core_stream *telling;     /* Whose callbacks run; NULL if it was freed. */
	struct core_session *dead;       /* Closed; freed by the tell task. */
	bool stopping;
	uint64_t public_key_operations;  /* Handshake messages read or written, KEYSTEPs. */
};

/* FINISHED: the responder knows the session of RESUME, and streams go on. */
#define CORE_FINISHED_GOES_ON 0x01

#define CORE_SESSIONS "session" /* Who speaks, in logs and counters. */

static inline uint64_t core_session_now(const struct core_session *s)
{
	return core_loop_now(s->table->env->loop);
}

/* ---- session.c ---- */
struct core_session *core_session_new(struct core_sessions *table,
                                      const struct muses_id *peer);
/* false: out of memory; then nothing finds s by its index. */
bool core_session_set_index(struct core_session *s, uint64_t index);
void core_session_set_state(struct core_session *s, enum core_session_state state);
/* Ask the reliability plugin what now, and set the timer. */
void core_session_poll(struct core_session *s);
/* Something became due: send at the end of this turn. */
void core_session_wake(struct core_session *s);
/* The peer broke the protocol: tell it, close. */
void core_session_violated(struct core_session *s, const char *reason);
void core_session_count(struct core_session *s, const char *reason);
/* For log lines: the petname or the text of the id. */
const char *core_session_label(struct core_session *s, char text[static MUSES_NAME_MAX + 1]);
/* Send raw bytes (a Hello, a Re-Hello) to destination. */
void core_sessions_send(struct core_sessions *table, const struct muses_id *destination,
                        const uint8_t *data, size_t size);
void core_sessions_hurry(struct core_sessions *table);
/* Where the overlay says we are; returns the size, 0: nothing to say. */
uint8_t core_sessions_locator(struct core_sessions *table,
                              uint8_t locator[static MUSES_LOCATOR_MAX]);
/* Free closed sessions whose streams' users have let go. */
void core_sessions_bury(struct core_sessions *table);

/* ---- handshake.c ---- */
void core_handshake_begin(struct core_session *s); /* Fine when one is under way. */
void core_handshake_cancel(struct core_session *s);
void core_handshake_path_up(struct core_session *s);
void core_handshake_free(struct core_handshake *h);
void core_handshakes_release(struct core_sessions *table);
void core_hello_received(struct core_sessions *table, struct muses_buf *b,
                         const struct core_packet *p, const struct muses_met *met);
/* A DATA packet for a half-open handshake; takes b over. */
bool core_handshake_data(struct core_sessions *table, struct muses_buf *b,
                         const struct core_packet *p, const struct muses_met *met);

/* ---- rehello.c ---- */
void core_rehello_begin(struct core_session *s, bool fresh);
void core_rehello_received(struct core_session *s, const struct core_packet *p,
                           const uint8_t *data, size_t size, const struct muses_met *met);
void core_session_suspend(struct core_session *s);
/* Install the keys of a finished handshake: takes traffic (from muses_zalloc())
 * over.  goes_on: the peer knows the session, and streams go on. */
int core_session_install(struct core_session *s, const uint8_t *secret,
                         struct core_traffic *traffic, bool goes_on);
/* The peer's FINISHED says that it does not know the session we wanted to go on
 * with: its streams end. */
void core_session_forgotten(struct core_session *s);
/* Cleanse and free every traffic key. */
void core_session_release_traffic(struct core_session *s);
struct core_traffic *core_session_traffic(struct core_session *s, uint16_t epoch);
/* After resume's current changed: make that generation traffic[0]. */
void core_session_switch(struct core_session *s);
void core_session_evidence(struct core_session *s, uint32_t generation, bool acked);

/* ---- keystep.c ---- */
void core_keystep_begin(struct core_session *s);
void core_keystep_received(struct core_session *s, struct core_traffic *t,
                           const struct core_frame *f);
void core_keystep_write(struct core_session *s, struct muses_writer *w);
void core_keystep_lost(struct core_session *s);
/* A packet came under the peer's stepped key; one of ours was acknowledged. */
void core_keystep_peer_stepped(struct core_session *s);
void core_keystep_acknowledged(struct core_session *s);
/* Begin when it is time; returns when to ask again, UINT64_MAX: not by itself. */
uint64_t core_keystep_due(struct core_session *s, uint64_t now_ns);
void core_keystep_release(struct core_session *s);

/* ---- send.c ---- */
void core_session_flush(struct muses_task *t);
void core_session_send_close(struct core_session *s, enum core_reason reason);

/* ---- sent.c ---- */
struct core_sent_item *core_sent_item_new(struct core_sessions *table);
void core_sent_items_free(struct core_sessions *table, struct core_sent_item *items);
/* Takes items over.  false: out of memory; items are still the caller's. */
bool core_sent_put(struct core_session *s, uint64_t sequence, struct core_sent_item *items);
/* What items stand for is to be sent (again); frees them. */
void core_sent_items_lost(struct core_session *s, struct core_sent_item *items);
/* A new generation: forget all numbers; what was under way is unknown. */
void core_sent_forget(struct core_session *s);

/* ---- receive.c ---- */
/* Takes b over; its header was read into p. */
void core_session_receive(struct core_session *s, struct muses_buf *b,
                          const struct core_packet *p, const struct muses_met *met);
/* The frames of an opened packet; takes b over.  t: the generation. */
void core_session_frames(struct core_session *s, struct core_traffic *t,
                         struct muses_buf *b, uint64_t sequence,
                         const struct muses_met *met);

/* ---- stream.c ---- */
struct core_stream *core_stream_new(struct core_session *s, uint64_t id, bool ours,
                                    const char *service, size_t service_length);
struct core_stream *core_stream_find(struct core_session *s, uint64_t id);
void core_stream_tell(struct core_stream *st, uint8_t news);
void core_stream_due(struct core_stream *st, uint8_t due);
/* Did it end from outside?  Then nothing of it is sent any more. */
bool core_stream_gone(const struct core_stream *st);
/* Take it off the ready list. */
void core_stream_unready(struct core_stream *st);
/* Free it when nothing is left to do. */
void core_stream_settle(struct core_stream *st);
void core_stream_free(struct core_stream *st);
/* The stream ended from outside: the user hears reason. */
void core_stream_end(struct core_stream *st, enum core_reason reason);
void core_streams_end(struct core_session *s, enum core_reason reason);
/* A first handshake of ours was never confirmed: whatever was sent under it was
 * never obeyed, and is to be sent from the start. */
void core_streams_restart(struct core_session *s);
/* Only those that the peer may know. */
void core_streams_end_sent(struct core_session *s, enum core_reason reason);
/* What held all of them back is gone: those with something to send are due. */
void core_streams_wake(struct core_session *s);
/* Memory was short: users who wait for room may try again. */
void core_streams_feed(struct core_session *s);
/* The users are gone without a word: free all. */
void core_streams_abandon(struct core_session *s);
void core_streams_notify(struct core_session *s, uint8_t news);
void core_sessions_tell(struct muses_task *t);
/* The peer says: OPEN, RESET. */
void core_stream_opened(struct core_session *s, const struct core_frame *f);
void core_stream_peer_reset(struct core_session *s, const struct core_frame *f);
/* After a resume, or a new handshake that goes on with the streams. */
void core_streams_resumed(struct core_session *s);
/* A session that begins anew: streams that are left were never sent. */
void core_streams_unsent(struct core_session *s);
void core_stream_position(struct core_session *s, const struct core_frame *f);
void core_streams_positions_done(struct core_session *s);

/* ---- stream_send.c ---- */
/* Is there something of the stream that a packet may carry now? */
bool core_stream_sendable(const struct core_stream *st);
/* The next run of bytes: at most room of them, contiguous in position (lost ones
 * first).  Fills iov (at most *iov_count entries; set to those used), *position
 * and *end; returns the size; 0 with *end: only the end. */
size_t core_stream_gather(struct core_stream *st, size_t room, struct iovec *iov,
                          size_t *iov_count, uint64_t *position, bool *end);
/* What gather() gave was sealed. */
void core_stream_sent(struct core_stream *st, uint64_t position, size_t size, bool end);
void core_stream_acked(struct core_stream *st, uint64_t position, size_t size, bool end);
void core_stream_lost(struct core_stream *st, uint64_t position, size_t size, bool end);
/* Everything below position (and the end, if end) is there; the rest is to be sent
 * again. */
void core_stream_rewind(struct core_stream *st, uint64_t position, bool end);
void core_stream_send_release(struct core_stream *st);
bool core_stream_send_done(const struct core_stream *st);
void core_stream_limit(struct core_stream *st, uint64_t limit);

/* ---- stream_receive.c ---- */
/* slice: exactly the frame's bytes; taken over; may be NULL when size is 0. */
void core_stream_arrived(struct core_stream *st, uint64_t position, struct muses_buf *slice,
                         size_t size, bool end);
/* Count position as the peer's highest; false: it broke the windows. */
bool core_stream_reaches(struct core_stream *st, uint64_t position);
void core_stream_receive_release(struct core_stream *st);
bool core_stream_receive_done(const struct core_stream *st);
/* How far the window may go now. */
uint64_t core_stream_window(const struct core_stream *st);

#endif
