/* The control thread's loop: descriptors, timers and signals, and removal while they run. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "loop.h"

static int setup(void **state)
{
	(void)state;
	return loop_open();
}

static int teardown(void **state)
{
	(void)state;
	loop_close();
	return 0;
}

static void count_timer(void *arg)
{
	(*(unsigned *)arg)++;
}

static void stop_at_three(void *arg)
{
	if (++*(unsigned *)arg == 3)
		loop_stop();
}

static void test_timers(void **state)
{
	unsigned once = 0, never = 0, often = 0;
	struct loop_timer *cancelled;

	(void)state;
	assert_non_null(loop_after(1, count_timer, &once));
	cancelled = loop_after(1, count_timer, &never);
	assert_non_null(loop_every(2, stop_at_three, &often));
	loop_cancel(cancelled);
	loop_cancel(NULL);
	assert_int_equal(loop_run(), 0);
	assert_int_equal(once, 1);
	assert_int_equal(never, 0);
	assert_int_equal(often, 3);
}

static struct loop_watch *victims[2];
static unsigned calls;

/* Both descriptors are ready in one round; whichever is called first removes the other. */
static void remove_other(int fd, uint32_t events, void *arg)
{
	(void)fd;
	(void)events;
	calls++;
	loop_remove(victims[1 - (uintptr_t)arg]);
	loop_remove(victims[1 - (uintptr_t)arg]); /* twice does no harm within the round */
	victims[1 - (uintptr_t)arg] = NULL;
}

static void test_remove_in_round(void **state)
{
	int a[2], b[2];

	(void)state;
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	victims[0] = loop_add(a[0], EPOLLIN, remove_other, (void *)0);
	victims[1] = loop_add(b[0], EPOLLIN, remove_other, (void *)1);
	assert_non_null(victims[0]);
	assert_non_null(victims[1]);
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(write(b[1], "x", 1), 1);
	calls = 0;
	assert_int_equal(loop_run_once(1000), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(loop_run_once(0), 0);
	assert_int_equal(calls, 2);
	for (unsigned i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void on_signal(int signo, void *arg)
{
	*(int *)arg = signo;
	loop_stop();
}

static void test_signals(void **state)
{
	static const int signos[] = {SIGUSR1, SIGHUP};
	int got = 0;

	(void)state;
	assert_int_equal(loop_signals(signos, 2, on_signal, &got), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(loop_run(), 0);
	assert_int_equal(got, SIGHUP);
	assert_int_equal(loop_signals(signos, 2, on_signal, &got), -1);
}

static void test_bad_descriptor(void **state)
{
	(void)state;
	assert_null(loop_add(-1, EPOLLIN, remove_other, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_timers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_in_round, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_descriptor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
