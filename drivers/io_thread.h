/*
 * The one thread that makes system calls on behalf of ports, so that workers need not. It runs the
 * work() of its clients, one a kernel port or an uplink's interface, in turns, and sleeps in epoll
 * between.
 *
 * Ownership: the control thread starts and stops it and adds and removes clients. Any thread may
 * kick a client. What work() touches belongs to the I/O thread from io_thread_add() on until
 * io_thread_remove() has returned.
 *
 * No wake-up is lost, and no system call is made while the thread is awake. Both sides write,
 * fence, then read what the other one writes (Dekker), so at least one of them sees the other:
 *
 *   kicker:     put work in the client's own ring; queued := true (stop if it was true);
 *               put the client in `ready`; fence; if `sleeping`, write the eventfd
 *   I/O thread: take the client out of `ready`; queued := false; take the work, and
 *               before it sleeps: sleeping := true; fence; look at `ready` once more; epoll_wait
 *
 * Descriptors are watched edge-triggered: a client reads until EAGAIN, or remembers that it did
 * not, as one does that has nowhere to put what it would read.
 */
#ifndef VS_IO_THREAD_H
#define VS_IO_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define IO_THREAD_CLIENTS_MAX 1024

struct io_client {
	/* Set by the owner before io_thread_add(). */
	int fd;

	/*
	 * Does a bounded amount of work; events are the EPOLL* bits since the last call, 0 after a
	 * kick alone. Returns true where some is left, and is called again after the other
	 * clients have had their turn. I/O thread.
	 */
	bool (*work)(struct io_client *client, uint32_t events);

	/* Private to the I/O thread's module. */
	_Atomic bool queued; /* in the ready ring; any thread */
	bool running; /* in the run list */
	uint32_t events; /* not yet handed to work() */
	TAILQ_ENTRY(io_client) entry;
};

/*
 * Starts the thread, or counts one user more of the running one. 0, or -1 with a message in err.
 * Each success needs one io_thread_stop().
 */
int io_thread_start(char *err, size_t err_len);

/* Ends the thread with its last user. All its clients must have been removed. */
void io_thread_stop(void);

/* Takes client in, with its fd, from now on watched for input. 0, or -1 with a message in err. */
int io_thread_add(struct io_client *client, char *err, size_t err_len);

/*
 * Returns when the I/O thread will not touch client any more. Nobody may kick it any more either.
 * Its fd is still open.
 */
void io_thread_remove(struct io_client *client);

/* Has client's work() called soon. Any thread; no lock, a system call only if the thread sleeps. */
void io_thread_kick(struct io_client *client);

#endif
