/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches over epoll.
 *
 * A descriptor is registered once, edge-triggered, for everything; wanting and
 * not wanting is our own business and costs no system call.  Events are only
 * noted while they are collected, and looked up by descriptor; callbacks come
 * afterwards, from the list of ready watches.  So any callback may close any
 * watch.
 *
 * The trap of edges: data and end of stream may come as one event.  An owner who
 * reads less than it asked for says "drained" and would never hear of the end.
 * So once the end is known, READABLE stays.
 */
#include "core/poll.h"

#include "core/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_TURN 256
#define ALL           (MUSES_READABLE | MUSES_WRITABLE | MUSES_HUNG)

/* Kept in muses_watch.ready beside enum muses_ready. */
enum {
	ENDED = 1 << 8,  /* The other side will send no more. */
	ALWAYS = 1 << 9, /* epoll refuses it: a regular file, ready at all times. */
};

/* ---- the list of ready ones ----------------------------------------------- */

static void append(struct core_poll *p, struct muses_watch *w)
{
	w->next = NULL;
	w->link = p->last;
	*p->last = w;
	p->last = &w->next;
}

static void unlink_watch(struct core_poll *p, struct muses_watch *w)
{
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	else
		p->last = w->link;
	w->next = NULL;
	w->link = NULL;
}

static uint32_t pending(const struct muses_watch *w)
{
	return w->ready & (w->wanted | MUSES_HUNG) & ALL;
}

/* ready or wanted may have changed. */
static void sort_in(struct core_poll *p, struct muses_watch *w)
{
	if (pending(w) != 0 && w->link == NULL)
		append(p, w);
	else if (pending(w) == 0 && w->link != NULL)
		unlink_watch(p, w);
}

/* ---- watches -------------------------------------------------------------- */

static bool make_room(struct core_poll *p, size_t fd)
{
	size_t room = p->room > 0 ? p->room : 64;
	struct muses_watch **watch;

	if (fd < p->room)
		return true;
	while (room <= fd)
		room *= 2;
	watch = core_realloc(p->watch, p->room, room, sizeof(struct muses_watch *));
	if (watch == NULL)
		return false;
	p->watch = watch;
	p->room = room;
	return true;
}

int core_poll_add(struct core_poll *p, struct muses_watch *w)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.fd = w->fd,
	};

	if (w->fd < 0)
		return MUSES_EUSAGE;
	if (!make_room(p, (size_t)w->fd))
		return MUSES_ENOMEM;
	if (p->watch[w->fd] != NULL)
		return MUSES_EUSAGE;
	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, w->fd, &event) == 0)
		w->ready = 0;
	else if (errno == EPERM)
		w->ready = ALWAYS | MUSES_READABLE | MUSES_WRITABLE;
	else
		return errno == ENOMEM ? MUSES_ENOMEM : MUSES_ESYSTEM;
	p->watch[w->fd] = w;
	p->count++;
	w->loop = p;
	w->next = NULL;
	w->link = NULL;
	sort_in(p, w);
	return 0;
}

void muses_watch_want(struct muses_watch *w, uint32_t wanted)
{
	if (w->loop == NULL)
		return;
	w->wanted = wanted;
	sort_in(w->loop, w);
}

void muses_watch_drained(struct muses_watch *w, uint32_t ready)
{
	if (w->loop == NULL || (w->ready & ALWAYS) != 0)
		return;
	if ((w->ready & ENDED) != 0)
		ready &= ~(uint32_t)MUSES_READABLE;
	w->ready &= ~(ready & ALL);
	sort_in(w->loop, w);
}

void muses_watch_close(struct muses_watch *w)
{
	struct core_poll *p = w->loop;

	if (p == NULL)
		return;
	if (w->link != NULL)
		unlink_watch(p, w);
	if ((w->ready & ALWAYS) == 0)
		(void)epoll_ctl(p->fd, EPOLL_CTL_DEL, w->fd, NULL);
	p->watch[w->fd] = NULL;
	p->count--;
	w->loop = NULL;
	w->fd = -1;
}

/* ---- the loop's side ------------------------------------------------------ */

int core_poll_open(struct core_poll *p)
{
	memset(p, 0, sizeof(*p));
	p->last = &p->first;
	p->fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->fd < 0)
		return MUSES_ESYSTEM;
	return 0;
}

void core_poll_close(struct core_poll *p)
{
	if (p->last == NULL)
		return; /* Not opened. */
	for (size_t fd = 0; fd < p->room; fd++)
		if (p->watch[fd] != NULL)
			muses_watch_close(p->watch[fd]);
	muses_free(p->watch);
	if (p->fd >= 0)
		close(p->fd);
	memset(p, 0, sizeof(*p));
}

static void note(struct core_poll *p, const struct epoll_event *event)
{
	struct muses_watch *w = NULL;
	uint32_t e = event->events;

	if ((size_t)event->data.fd < p->room)
		w = p->watch[event->data.fd];
	/* None: its owner closed a descriptor that a copy keeps alive. */
	if (w == NULL)
		return;
	if (e & EPOLLIN)
		w->ready |= MUSES_READABLE;
	if (e & EPOLLOUT)
		w->ready |= MUSES_WRITABLE;
	if (e & (EPOLLRDHUP | EPOLLHUP))
		w->ready |= MUSES_READABLE | ENDED;
	/* A read or a write will tell the owner what is wrong. */
	if (e & (EPOLLERR | EPOLLHUP))
		w->ready |= ALL;
	sort_in(p, w);
}

/* Nanoseconds where the kernel can, else milliseconds, rounded up so that a timer
 * is due when we wake. */
static int wait_for_events(int fd, struct epoll_event *event, int most, uint64_t wait_ns)
{
	uint64_t wait_ms = wait_ns / MUSES_MS + (wait_ns % MUSES_MS != 0);

	if (wait_ns == 0 || wait_ns == UINT64_MAX)
		return epoll_wait(fd, event, most, wait_ns == 0 ? 0 : -1);
#ifdef SYS_epoll_pwait2
	static bool missing;
	struct {
		int64_t seconds;
		int64_t nanoseconds;
	} wait = { (int64_t)(wait_ns / MUSES_S), (int64_t)(wait_ns % MUSES_S) };

	if (!missing) {
		long n = syscall(SYS_epoll_pwait2, fd, event, most, &wait, NULL, 0);

		if (n >= 0 || errno == EINTR)
			return (int)n;
		missing = true;
	}
#endif
	return epoll_wait(fd, event, most, wait_ms > 3600000 ? 3600000 : (int)wait_ms);
}

void core_poll_wait(struct core_poll *p, uint64_t wait_ns)
{
	struct epoll_event event[EVENTS_A_TURN];
	int n = wait_for_events(p->fd, event, EVENTS_A_TURN, wait_ns);

	for (int i = 0; i < n; i++)
		note(p, &event[i]);
}

size_t core_poll_fire(struct core_poll *p)
{
	struct muses_watch *w;
	size_t fired = 0;

	if (!core_poll_ready(p))
		return 0;
	append(p, &p->mark);
	while ((w = p->first) != &p->mark) {
		/* To the end of the list first: the callback may close w. */
		unlink_watch(p, w);
		append(p, w);
		fired++;
		w->fire(w, pending(w));
	}
	unlink_watch(p, &p->mark);
	return fired;
}

size_t core_poll_forget(struct core_poll *p, const struct muses_layer *layer)
{
	size_t closed = 0;

	for (size_t fd = 0; fd < p->room; fd++) {
		if (p->watch[fd] == NULL || p->watch[fd]->layer != layer)
			continue;
		muses_watch_close(p->watch[fd]);
		closed++;
	}
	return closed;
}
