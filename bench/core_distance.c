/*
 * core_distance A B: how far two cores are from each other, in nanoseconds for a cache line there
 * and back. A hypervisor that moves its virtual CPUs about changes it from one second to the next,
 * by a factor of five and more, and with it what every program costs that has both cores at work.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 20000

static _Alignas(128) _Atomic unsigned ball; /* even: A's; odd: B's */
static unsigned cores[2];

static bool pin(unsigned core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

/* Takes every other turn until all are over; side: 0 or 1. */
static void play(unsigned side)
{
	for (unsigned turn = side; turn < 2 * ROUNDS; turn += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != turn)
			;
		atomic_store_explicit(&ball, turn + 1, memory_order_release);
	}
}

static void *far_end(void *unused)
{
	(void)unused;
	if (!pin(cores[1]))
		exit(1);
	play(1);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	double begin;

	if (argc != 3) {
		fprintf(stderr, "usage: %s CORE CORE\n", argv[0]);
		return 2;
	}
	for (unsigned i = 0; i < 2; i++)
		cores[i] = (unsigned)strtoul(argv[i + 1], NULL, 10);
	if (cores[0] == cores[1] || !pin(cores[0]) ||
		pthread_create(&thread, NULL, far_end, NULL) != 0) {
		fprintf(stderr, "%s: needs two cores of this machine\n", argv[0]);
		return 1;
	}
	begin = now();
	play(0);
	pthread_join(thread, NULL);
	printf("%.0f\n", (now() - begin) / ROUNDS);
	return 0;
}
