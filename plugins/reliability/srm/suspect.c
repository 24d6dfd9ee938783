/* SPDX-License-Identifier: Apache-2.0 */
/* From silence to suspicion to suspension.  The one surprise: steps are counted
 * from when the step before was really taken, not from when it was due.  A
 * machine that slept for an hour wakes with every deadline past, and its network
 * deserves the same patience as any other day. */
#include "suspect.h"

#include <muses/plugin.h>

#include <string.h>

#define PATIENCE_LEAST MUSES_S

void srm_suspect_init(struct suspect *s, uint32_t rehello_ms, uint32_t rehello_max_ms)
{
	memset(s, 0, sizeof(*s));
	s->due_ns = UINT64_MAX;
	srm_rehello_init(&s->rehello, rehello_ms, rehello_max_ms);
}

/* How long a Re-Hello may stay without an answer before the keys go. */
static uint64_t patience(uint64_t pto_ns)
{
	return 5 * pto_ns > PATIENCE_LEAST ? 5 * pto_ns : PATIENCE_LEAST;
}

static void restart(struct suspect *s, uint64_t now, uint64_t pto_ns)
{
	s->probes = 0;
	s->quiet_ns = now;
	if (s->phase == MUSES_ESTABLISHED)
		s->due_ns = s->waiting ? now + pto_ns : UINT64_MAX;
	else if (s->phase == MUSES_SUSPECTED)
		s->due_ns = now + patience(pto_ns);
}

void srm_suspect_waiting(struct suspect *s, uint64_t now, uint64_t pto_ns)
{
	s->waiting = true;
	/* While suspected the clock runs already, and sending is no sign of life. */
	if (s->phase == MUSES_ESTABLISHED)
		restart(s, now, pto_ns);
}

void srm_suspect_progress(struct suspect *s, uint64_t now, uint64_t pto_ns)
{
	restart(s, now, pto_ns);
}

void srm_suspect_answered(struct suspect *s, uint64_t now, uint64_t pto_ns)
{
	s->waiting = false;
	restart(s, now, pto_ns);
}

void srm_suspect_path(struct suspect *s, uint64_t now, enum muses_path event)
{
	if (event == MUSES_PATH_DOWN) {
		s->down = true;
		return;
	}
	s->down = false;
	if (event == MUSES_PATH_MOVED && s->phase == MUSES_ESTABLISHED)
		s->moved = true;
	/* A path that is merely new does not touch a session that is well; one whose
	 * probes stay without answer takes the chance. */
	else if (s->phase == MUSES_ESTABLISHED && s->probes > 0)
		s->moved = true;
	else if (s->phase != MUSES_ESTABLISHED)
		srm_rehello_hurry(&s->rehello, now);
}

static void enter_suspected(struct suspect *s, uint64_t now, uint64_t pto_ns)
{
	s->phase = MUSES_SUSPECTED;
	s->moved = false;
	s->due_ns = now + patience(pto_ns);
	srm_rehello_begin(&s->rehello, now);
}

static void enter_suspended(struct suspect *s, uint64_t now)
{
	s->phase = MUSES_SUSPENDED;
	s->moved = false;
	s->due_ns = UINT64_MAX;
	s->suspended_ns = now;
	srm_rehello_begin(&s->rehello, now);
}

void srm_suspect_phase(struct suspect *s, uint64_t now, uint64_t pto_ns,
                       enum muses_phase phase)
{
	switch (phase) {
	case MUSES_ESTABLISHED:
		s->phase = phase;
		s->down = false;
		s->moved = false;
		srm_rehello_stop(&s->rehello);
		restart(s, now, pto_ns);
		break;
	case MUSES_SUSPECTED:
		if (s->phase != phase)
			enter_suspected(s, now, pto_ns);
		break;
	case MUSES_SUSPENDED:
		if (s->phase != phase)
			enter_suspended(s, now);
		break;
	}
}

static enum muses_verdict attempt(struct suspect *s, const struct suspect_now *at)
{
	srm_rehello_attempted(&s->rehello, at->now, at->jitter);
	return MUSES_REHELLO;
}

static enum muses_verdict ask_established(struct suspect *s,
                                          const struct suspect_config *c,
                                          const struct suspect_now *at)
{
	unsigned most = at->lossy ? SUSPECT_PROBES_LOSSY : SUSPECT_PROBES;
	uint64_t floor;

	if (s->moved) {
		enter_suspected(s, at->now, at->pto_ns);
		srm_rehello_hurry(&s->rehello, at->now);
		/* Only a path that moves all the time has to wait for its turn. */
		return s->rehello.due_ns > at->now ? MUSES_WAIT : attempt(s, at);
	}
	if (at->now < s->due_ns)
		return MUSES_WAIT;
	if (s->probes < most) {
		s->probes++;
		s->due_ns = at->now + (at->pto_ns << s->probes);
		floor = s->quiet_ns + c->suspect_ms * MUSES_MS;
		if (s->probes == most && s->due_ns < floor)
			s->due_ns = floor;
		return MUSES_SEND;
	}
	enter_suspected(s, at->now, at->pto_ns);
	return attempt(s, at);
}

static bool out_of_patience(const struct suspect *s, const struct suspect_config *c,
                            uint64_t now)
{
	return c->give_up_s != 0 && now >= s->suspended_ns + c->give_up_s * MUSES_S;
}

enum muses_verdict srm_suspect_ask(struct suspect *s, const struct suspect_config *c,
                                   const struct suspect_now *at)
{
	if (s->phase == MUSES_SUSPENDED) {
		if (out_of_patience(s, c, at->now))
			return MUSES_GIVE_UP;
	} else if (s->down) {
		enter_suspended(s, at->now);
		return MUSES_SUSPEND;
	} else if (s->phase == MUSES_ESTABLISHED) {
		return ask_established(s, c, at);
	} else if (at->now >= s->due_ns) {
		enter_suspended(s, at->now);
		return MUSES_SUSPEND;
	}
	return at->now >= s->rehello.due_ns ? attempt(s, at) : MUSES_WAIT;
}

uint64_t srm_suspect_due(const struct suspect *s, const struct suspect_config *c)
{
	uint64_t due = s->due_ns;

	if (s->phase == MUSES_SUSPENDED && c->give_up_s != 0)
		due = s->suspended_ns + c->give_up_s * MUSES_S;
	if (s->phase != MUSES_ESTABLISHED && s->rehello.due_ns < due)
		due = s->rehello.due_ns;
	return due;
}
