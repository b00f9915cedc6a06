/*
 * The control thread's event loop: descriptors (epoll), timers and signals. There is one, and only
 * the thread that called loop_open() may call anything here. Callbacks run one at a time and may
 * add and remove whatever they like, themselves included.
 */
#ifndef VS_LOOP_H
#define VS_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct loop_watch;
struct loop_timer;

/* events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. */
typedef void (*loop_fd_fn)(int fd, uint32_t events, void *arg);
typedef void (*loop_timer_fn)(void *arg);
typedef void (*loop_signal_fn)(int signo, void *arg);

/* 0, or -1 with errno. */
int loop_open(void);

/* Removes all watches and timers; closes no descriptor but its own. */
void loop_close(void);

/* Watches fd, which stays the caller's. Remove the watch before closing fd. NULL with errno. */
struct loop_watch *loop_add(int fd, uint32_t events, loop_fd_fn fn, void *arg);

/* 0, or -1 with errno. */
int loop_modify(struct loop_watch *watch, uint32_t events);

/* NULL is allowed. */
void loop_remove(struct loop_watch *watch);

/* Calls fn once after ms milliseconds, or every ms. NULL with errno. */
struct loop_timer *loop_after(uint64_t ms, loop_timer_fn fn, void *arg);
struct loop_timer *loop_every(uint64_t ms, loop_timer_fn fn, void *arg);

/* NULL is allowed. A timer of loop_after() is gone once its callback has been called. */
void loop_cancel(struct loop_timer *timer);

/*
 * Blocks the n signals in the calling thread and hands them to fn instead. Call it before any other
 * thread is made, so that they inherit the mask. Once per loop. 0, or -1 with errno.
 */
int loop_signals(const int *signos, unsigned n, loop_signal_fn fn, void *arg);

/* Until loop_stop(), which also ends a later loop_run() at once. 0, or -1 with errno. */
int loop_run(void);
void loop_stop(void);

/* One round: waits for at most timeout_ms (-1: without limit) and runs what is due. */
int loop_run_once(int timeout_ms);

/* Milliseconds on the monotonic clock. */
uint64_t loop_now_ms(void);

#endif
