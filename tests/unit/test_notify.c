/* What is told to systemd, as it would receive it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "notify.h"
#include "temp_dir.h"

static int manager; /* systemd's end */

static void listen_at(const char *address)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(address);

	memcpy(addr.sun_path, address, len);
	if (address[0] == '@')
		addr.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&addr,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	setenv("NOTIFY_SOCKET", address, 1);
}

/* The next datagram; "" for none. */
static const char *received(void)
{
	static char text[512];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static int teardown(void **state)
{
	notify_close();
	close(manager);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return remove_dir(state);
}

static void test_messages(void **state)
{
	(void)state;
	listen_at(in_dir("notify"));
	notify_open();
	notify_status("starting %d\nX=1", 1);
	assert_string_equal(received(), "STATUS=starting 1 X=1\n");
	notify_status("starting %d\nX=1", 1); /* the same again is not sent */
	notify_ready();
	notify_ready();
	assert_string_equal(received(), "READY=1\n");
	notify_watchdog();
	assert_string_equal(received(), "WATCHDOG=1\n");
	notify_stopping();
	assert_string_equal(received(), "STOPPING=1\n");
	assert_string_equal(received(), "");
}

static void test_abstract(void **state)
{
	char address[64];

	(void)state;
	snprintf(address, sizeof(address), "@vswitch-test-notify-%d", (int)getpid());
	listen_at(address);
	notify_open();
	notify_ready();
	assert_string_equal(received(), "READY=1\n");
}

static void test_watchdog(void **state)
{
	char pid[16];

	(void)state;
	listen_at(in_dir("notify"));
	notify_open();
	assert_int_equal(notify_watchdog_ms(), 0);
	notify_close();
	setenv("WATCHDOG_USEC", "10000000", 1);
	notify_open();
	assert_int_equal(notify_watchdog_ms(), 5000);
	notify_close();
	setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
	notify_open();
	assert_int_equal(notify_watchdog_ms(), 0);
	notify_close();
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	notify_open();
	assert_int_equal(notify_watchdog_ms(), 5000);
}

/* In the middle of something long: as often as is asked for, not with each step. */
static void test_progress(void **state)
{
	unsigned sent = 0, steps;

	(void)state;
	listen_at(in_dir("notify"));
	notify_open();
	notify_progress();
	assert_string_equal(received(), ""); /* no watchdog */
	notify_close();
	setenv("WATCHDOG_USEC", "100000", 1);
	notify_open();
	notify_watchdog();
	assert_string_equal(received(), "WATCHDOG=1\n");
	for (steps = 0; sent < 2; steps++) {
		notify_progress();
		sent += strcmp(received(), "WATCHDOG=1\n") == 0;
		usleep(1000);
	}
	assert_true(steps > 2);
}

/* Without a manager, or with one that has gone, nothing happens, and nothing fails. */
static void test_nobody(void **state)
{
	(void)state;
	listen_at(in_dir("notify"));
	unsetenv("NOTIFY_SOCKET");
	notify_open();
	notify_ready();
	assert_string_equal(received(), "");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_open();
	setenv("NOTIFY_SOCKET", in_dir("gone"), 1);
	notify_open();
	notify_status("x");
	notify_ready();
	assert_string_equal(received(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages, make_dir, teardown),
		cmocka_unit_test_setup_teardown(test_abstract, make_dir, teardown),
		cmocka_unit_test_setup_teardown(test_watchdog, make_dir, teardown),
		cmocka_unit_test_setup_teardown(test_progress, make_dir, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, make_dir, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
