#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define ROUND_EVENTS 64

struct loop_watch {
	int fd;
	bool removed;
	loop_fd_fn fn;
	void *arg;
	LIST_ENTRY(loop_watch) entry;
};

struct loop_timer {
	uint64_t due_ms;
	uint64_t every_ms; /* 0: once */
	bool removed;
	loop_timer_fn fn;
	void *arg;
	LIST_ENTRY(loop_timer) entry;
};

LIST_HEAD(watch_list, loop_watch);
LIST_HEAD(timer_list, loop_timer);

/*
 * What is removed during a round is only marked, and freed after it: the round may still hold an
 * event or an iterator that points to it.
 */
static struct {
	int epoll_fd;
	int signal_fd;
	bool stop;
	struct watch_list watches;
	struct timer_list timers;
	struct loop_watch *signal_watch;
	loop_signal_fn signal_fn;
	void *signal_arg;
} loop = {.epoll_fd = -1, .signal_fd = -1};

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int loop_open(void)
{
	loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop.epoll_fd < 0)
		return -1;
	LIST_INIT(&loop.watches);
	LIST_INIT(&loop.timers);
	loop.stop = false;
	return 0;
}

static void sweep(bool all)
{
	struct loop_watch *watch = LIST_FIRST(&loop.watches);
	struct loop_timer *timer = LIST_FIRST(&loop.timers);

	while (watch != NULL) {
		struct loop_watch *next = LIST_NEXT(watch, entry);

		if (all || watch->removed) {
			LIST_REMOVE(watch, entry);
			free(watch);
		}
		watch = next;
	}
	while (timer != NULL) {
		struct loop_timer *next = LIST_NEXT(timer, entry);

		if (all || timer->removed) {
			LIST_REMOVE(timer, entry);
			free(timer);
		}
		timer = next;
	}
}

void loop_close(void)
{
	if (loop.epoll_fd < 0)
		return;
	sweep(true);
	if (loop.signal_fd >= 0)
		close(loop.signal_fd);
	close(loop.epoll_fd);
	loop.epoll_fd = -1;
	loop.signal_fd = -1;
	loop.signal_watch = NULL;
}

struct loop_watch *loop_add(int fd, uint32_t events, loop_fd_fn fn, void *arg)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (watch == NULL)
		return NULL;
	watch->fd = fd;
	watch->fn = fn;
	watch->arg = arg;
	if (epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(watch);
		return NULL;
	}
	LIST_INSERT_HEAD(&loop.watches, watch, entry);
	return watch;
}

int loop_modify(struct loop_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(loop.epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_remove(struct loop_watch *watch)
{
	if (watch == NULL || watch->removed)
		return;
	epoll_ctl(loop.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->removed = true;
}

static struct loop_timer *timer_new(uint64_t ms, uint64_t every, loop_timer_fn fn, void *arg)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		return NULL;
	timer->due_ms = loop_now_ms() + ms;
	timer->every_ms = every;
	timer->fn = fn;
	timer->arg = arg;
	LIST_INSERT_HEAD(&loop.timers, timer, entry);
	return timer;
}

struct loop_timer *loop_after(uint64_t ms, loop_timer_fn fn, void *arg)
{
	return timer_new(ms, 0, fn, arg);
}

struct loop_timer *loop_every(uint64_t ms, loop_timer_fn fn, void *arg)
{
	return timer_new(ms, ms > 0 ? ms : 1, fn, arg);
}

void loop_cancel(struct loop_timer *timer)
{
	if (timer != NULL)
		timer->removed = true;
}

static void read_signals(int fd, uint32_t events, void *arg)
{
	struct signalfd_siginfo info;

	(void)events;
	(void)arg;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		loop.signal_fn((int)info.ssi_signo, loop.signal_arg);
}

int loop_signals(const int *signos, unsigned n, loop_signal_fn fn, void *arg)
{
	sigset_t set;

	if (loop.signal_fd >= 0) {
		errno = EBUSY;
		return -1;
	}
	sigemptyset(&set);
	for (unsigned i = 0; i < n; i++)
		sigaddset(&set, signos[i]);
	errno = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (errno != 0)
		return -1;
	loop.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop.signal_fd < 0)
		return -1;
	loop.signal_fn = fn;
	loop.signal_arg = arg;
	loop.signal_watch = loop_add(loop.signal_fd, EPOLLIN, read_signals, NULL);
	return loop.signal_watch == NULL ? -1 : 0;
}

static int wait_ms(int timeout_ms)
{
	uint64_t now = loop_now_ms(), wait = timeout_ms < 0 ? UINT64_MAX : (uint64_t)timeout_ms;
	struct loop_timer *timer;

	LIST_FOREACH (timer, &loop.timers, entry) {
		uint64_t left = timer->due_ms > now ? timer->due_ms - now : 0;

		if (!timer->removed && left < wait)
			wait = left;
	}
	if (wait == UINT64_MAX)
		return -1;
	return wait > 3600000 ? 3600000 : (int)wait;
}

/* A timer that is added by a callback goes to the list's head, so it is not met in this round. */
static void run_timers(void)
{
	uint64_t now = loop_now_ms();
	struct loop_timer *timer;

	LIST_FOREACH (timer, &loop.timers, entry) {
		if (timer->removed || timer->due_ms > now)
			continue;
		if (timer->every_ms == 0)
			timer->removed = true;
		else /* after a stall, once rather than once for each beat missed */
			timer->due_ms = now + timer->every_ms;
		timer->fn(timer->arg);
	}
}

int loop_run_once(int timeout_ms)
{
	struct epoll_event events[ROUND_EVENTS];
	int n = epoll_wait(loop.epoll_fd, events, ROUND_EVENTS, wait_ms(timeout_ms));

	if (n < 0 && errno != EINTR)
		return -1;
	for (int i = 0; i < n; i++) {
		struct loop_watch *watch = events[i].data.ptr;

		if (!watch->removed)
			watch->fn(watch->fd, events[i].events, watch->arg);
	}
	run_timers();
	sweep(false);
	return 0;
}

int loop_run(void)
{
	while (!loop.stop) {
		if (loop_run_once(-1) < 0)
			return -1;
	}
	return 0;
}

void loop_stop(void)
{
	loop.stop = true;
}
