#include "io_thread.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_ring.h>

#define IO_EVENTS     64
#define IO_READY_SIZE (2 * IO_THREAD_CLIENTS_MAX) /* a ring holds one less than its size */

/* What the control thread wants done between two passes; it waits for done. */
struct io_request {
	struct io_client *remove; /* NULL: end the thread */
	sem_t done;
};

static struct {
	/* Control thread. */
	unsigned users;
	unsigned clients;
	pthread_t thread;

	/* Constant while the thread runs. */
	int epoll_fd;
	int event_fd;
	struct rte_ring *ready; /* of struct io_client, each in it once at the most */

	_Atomic bool sleeping;
	_Atomic(struct io_request *) request;

	/* I/O thread. */
	TAILQ_HEAD(io_run_list, io_client) run;
} io;

static void io_wake(void)
{
	const uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&io.sleeping, memory_order_relaxed))
		return;
	if (!atomic_exchange_explicit(&io.sleeping, false, memory_order_relaxed))
		return;
	/* It can only fail where the count is at its end, and then the thread is woken anyway. */
	if (write(io.event_fd, &one, sizeof(one)) < 0)
		return;
}

void io_thread_kick(struct io_client *client)
{
	if (atomic_exchange_explicit(&client->queued, true, memory_order_seq_cst))
		return;
	/* There is room: the ring is larger than the number of clients. */
	rte_ring_enqueue(io.ready, client);
	io_wake();
}

static void io_run(struct io_client *client, uint32_t events)
{
	client->events |= events;
	if (client->running)
		return;
	client->running = true;
	TAILQ_INSERT_TAIL(&io.run, client, entry);
}

static void io_collect(void)
{
	struct io_client *client;

	for (unsigned i = 0; i < IO_THREAD_CLIENTS_MAX; i++) {
		if (rte_ring_dequeue(io.ready, (void **)&client) != 0)
			return;
		/* Before it looks for the work: what comes after this brings a new kick. */
		atomic_exchange_explicit(&client->queued, false, memory_order_seq_cst);
		io_run(client, 0);
	}
}

/* One turn for each that was in the list; those with work left go to its end. */
static void io_pass(void)
{
	struct io_run_list pass = TAILQ_HEAD_INITIALIZER(pass);
	struct io_client *client;

	TAILQ_CONCAT(&pass, &io.run, entry);
	while ((client = TAILQ_FIRST(&pass)) != NULL) {
		uint32_t events = client->events;

		TAILQ_REMOVE(&pass, client, entry);
		client->running = false;
		client->events = 0;
		if (client->work(client, events))
			io_run(client, 0);
	}
}

static void io_wait(void)
{
	struct epoll_event events[IO_EVENTS];
	int timeout = 0;
	int n;

	if (TAILQ_EMPTY(&io.run)) {
		atomic_store_explicit(&io.sleeping, true, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		if (rte_ring_empty(io.ready) && atomic_load(&io.request) == NULL)
			timeout = -1;
	}
	n = epoll_wait(io.epoll_fd, events, IO_EVENTS, timeout);
	atomic_store_explicit(&io.sleeping, false, memory_order_relaxed);
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr != NULL)
			io_run(events[i].data.ptr, events[i].events);
	}
}

/*
 * Here no event of epoll_wait() is left unread, and the control thread has taken the descriptor
 * out of epoll: the lists alone may still name the client. Returns true at the end.
 */
static bool io_serve_request(void)
{
	struct io_request *request = atomic_exchange(&io.request, NULL);
	struct io_client *client;
	bool end;

	if (request == NULL)
		return false;
	client = request->remove;
	end = client == NULL;
	io_collect();
	if (!end && client->running) {
		TAILQ_REMOVE(&io.run, client, entry);
		client->running = false;
	}
	sem_post(&request->done);
	return end;
}

static void *io_main(void *arg)
{
	/* An lcore id brings the packet pool's cache; without one left, all works, more slowly. */
	bool registered = rte_thread_register() == 0;

	while (!io_serve_request()) {
		io_collect();
		io_wait();
		io_collect();
		io_pass();
	}
	if (registered)
		rte_thread_unregister();
	return NULL;
}

static void io_request(struct io_client *remove)
{
	struct io_request request = {.remove = remove};

	sem_init(&request.done, 0, 0);
	atomic_store(&io.request, &request);
	io_wake();
	while (sem_wait(&request.done) != 0 && errno == EINTR)
		;
	sem_destroy(&request.done);
}

static int io_spawn(void)
{
	pthread_attr_t attr;
	sigset_t all;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &all);
	rc = pthread_create(&io.thread, &attr, io_main, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_setname_np(io.thread, "vs-io");
	return rc;
}

static int io_watch(int op, int fd, struct io_client *client)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};

	return epoll_ctl(io.epoll_fd, op, fd, &event);
}

static void io_release(void)
{
	if (io.epoll_fd >= 0)
		close(io.epoll_fd);
	if (io.event_fd >= 0)
		close(io.event_fd);
	free(io.ready);
	io.ready = NULL;
}

/* Kept off the heap of EAL and its table of zones: a ring of our own needs neither. */
static int io_make(void)
{
	io.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	io.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	io.ready = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_ring_get_memsize(IO_READY_SIZE));
	if (io.epoll_fd < 0 || io.event_fd < 0 || io.ready == NULL)
		return errno;
	/* RTS: a producer that lost its core between two stores holds up no other one. */
	rte_ring_init(io.ready, "io_ready", IO_READY_SIZE, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	TAILQ_INIT(&io.run);
	atomic_store(&io.sleeping, false);
	atomic_store(&io.request, NULL);
	if (io_watch(EPOLL_CTL_ADD, io.event_fd, NULL) != 0)
		return errno;
	return io_spawn();
}

int io_thread_start(char *err, size_t err_len)
{
	int rc;

	if (io.users++ > 0)
		return 0;
	rc = io_make();
	if (rc == 0)
		return 0;
	io_release();
	io.users--;
	snprintf(err, err_len, "cannot start the I/O thread: %s", strerror(rc));
	return -1;
}

void io_thread_stop(void)
{
	if (--io.users > 0)
		return;
	io_request(NULL);
	pthread_join(io.thread, NULL);
	io_release();
}

int io_thread_add(struct io_client *client, char *err, size_t err_len)
{
	if (io.clients == IO_THREAD_CLIENTS_MAX) {
		snprintf(err, err_len, "more than %d kernel ports and interfaces of uplinks",
			IO_THREAD_CLIENTS_MAX);
		return -1;
	}
	atomic_store(&client->queued, false);
	client->running = false;
	client->events = 0;
	if (io_watch(EPOLL_CTL_ADD, client->fd, client) != 0) {
		snprintf(err, err_len, "its descriptor cannot be watched: %s", strerror(errno));
		return -1;
	}
	io.clients++;
	return 0;
}

void io_thread_remove(struct io_client *client)
{
	io_watch(EPOLL_CTL_DEL, client->fd, client);
	io_request(client);
	io.clients--;
}
