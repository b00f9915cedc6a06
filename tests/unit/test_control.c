/* The control socket: what a client, well-meaning or not, can and cannot do to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "loop.h"

#define ROUNDS 20000 /* of 1 ms at the most: what does not come in 20 s does not come */

static char dir[64], path[128];
static struct control_peer seen;

/* Answers {"len": bytes in the line}, or a long text to the line "big". */
static json_t *answer(const char *line, size_t len, const struct control_peer *peer)
{
	seen = *peer;
	if (len == 3 && memcmp(line, "big", 3) == 0) {
		char *text = malloc(8u << 20);
		json_t *reply;

		memset(text, 'x', 8u << 20);
		reply = json_pack("{s:s#}", "text", text, (size_t)8 << 20);
		free(text);
		return reply;
	}
	return json_pack("{s:I}", "len", (json_int_t)len);
}

static int open_control(unsigned idle_ms, char *err, size_t err_len)
{
	struct control_options options = {
		.path = path,
		.access = {(uid_t)-1, (gid_t)-1, 0640},
		.answer = answer,
		.idle_ms = idle_ms,
	};

	return control_open(&options, err, err_len);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/vs-control-XXXXXX");
	if (mkdtemp(dir) == NULL || loop_open() < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/run/ctl.sock", dir);
	return 0;
}

static int teardown(void **state)
{
	char run[80];

	(void)state;
	control_close();
	loop_close();
	snprintf(run, sizeof(run), "%s/run", dir);
	unlink(path);
	rmdir(run);
	return rmdir(dir); /* fails if control_close() left anything behind */
}

static int try_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Connects, with the other side given the chance to accept. */
static int client(void)
{
	int fd = try_connect();

	assert_true(fd >= 0);
	assert_int_equal(loop_run_once(1000), 0);
	return fd;
}

static void send_all(int fd, const char *text, size_t len)
{
	for (int i = 0; len > 0 && i < ROUNDS; i++) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else {
			assert_int_equal(errno, EAGAIN);
			loop_run_once(1);
		}
	}
	assert_int_equal(len, 0);
}

/* Reads up to a newline, or to the end. Returns the bytes read; the last size - 1 at text. */
static size_t read_line(int fd, char *text, size_t size)
{
	size_t total = 0, used = 0;
	char c[65536];

	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n = recv(fd, c, used < size - 1 && size < 1000 ? 1 : sizeof(c), 0);

		if (n == 0)
			break;
		if (n < 0) {
			if (errno == ECONNRESET)
				break;
			assert_int_equal(errno, EAGAIN);
			loop_run_once(1);
			continue;
		}
		total += (size_t)n;
		if (c[n - 1] == '\n')
			break;
		if (n == 1 && used < size - 1)
			text[used++] = c[0];
		i = 0;
	}
	text[used] = '\0';
	return total;
}

static void assert_answer(int fd, const char *line, const char *expected)
{
	char text[256];

	send_all(fd, line, strlen(line));
	read_line(fd, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_answers(void **state)
{
	char err[256], text[256];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	fd = client();
	assert_answer(fd, "hello\n", "{\"len\":5}");
	assert_int_equal(seen.uid, getuid());
	assert_int_equal(seen.pid, getpid());
	/* Three lines at once are answered in order, and an empty one is a line. */
	assert_answer(fd, "a\n\nccc\n", "{\"len\":1}");
	read_line(fd, text, sizeof(text));
	assert_string_equal(text, "{\"len\":0}");
	read_line(fd, text, sizeof(text));
	assert_string_equal(text, "{\"len\":3}");
	/* A line in pieces. */
	send_all(fd, "12", 2);
	loop_run_once(1000);
	assert_answer(fd, "34\n", "{\"len\":4}");
	/* The end of the input ends the line, and after the answer the connection. */
	send_all(fd, "last", 4);
	shutdown(fd, SHUT_WR);
	read_line(fd, text, sizeof(text));
	assert_string_equal(text, "{\"len\":4}");
	assert_int_equal(read_line(fd, text, sizeof(text)), 0);
	close(fd);
}

static void test_too_long(void **state)
{
	size_t len = CONTROL_REQUEST_MAX + 65536;
	char err[256], text[256], *line = malloc(len);
	int fd, ok;

	(void)state;
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	memset(line, 'y', len);
	line[CONTROL_REQUEST_MAX - 1] = '\n';
	fd = client();
	ok = client();
	send_all(fd, line, CONTROL_REQUEST_MAX);
	read_line(fd, text, sizeof(text));
	assert_string_equal(text, "{\"len\":16777215}");
	line[CONTROL_REQUEST_MAX - 1] = 'y';
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(fd, line + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			loop_run_once(1);
		else if (n < 0)
			break; /* cut off, as it should be */
		else
			sent += (size_t)n;
	}
	read_line(fd, text, sizeof(text));
	assert_non_null(strstr(text, "16 MiB"));
	assert_int_equal(read_line(fd, text, sizeof(text)), 0);
	assert_answer(ok, "still\n", "{\"len\":5}");
	close(fd);
	close(ok);
	free(line);
}

/* Who asks and asks but never reads holds up nobody, and gets it all once he does read. */
static void test_slow_reader(void **state)
{
	char err[256], text[2000];
	int slow, quick;

	(void)state;
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	slow = client();
	quick = client();
	send_all(slow, "big\nbig\nbig\n", 12);
	for (int i = 0; i < 5; i++)
		assert_answer(quick, "hi\n", "{\"len\":2}");
	for (int i = 0; i < 3; i++)
		assert_true(read_line(slow, text, sizeof(text)) > 8u << 20);
	close(slow);
	/* Gone in the middle of an answer. */
	slow = client();
	send_all(slow, "big\n", 4);
	loop_run_once(1000);
	close(slow);
	assert_answer(quick, "hi\n", "{\"len\":2}");
	close(quick);
}

static void test_many_clients(void **state)
{
	int fds[CONTROL_CLIENTS_MAX + 1], refused;
	char err[256], text[256];
	json_t *status;

	(void)state;
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = client();
	/* One more: an idle one makes room. */
	fds[CONTROL_CLIENTS_MAX] = client();
	assert_answer(fds[CONTROL_CLIENTS_MAX], "x\n", "{\"len\":1}");
	/* With everyone in the middle of a request nobody does. */
	for (unsigned i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		if (send(fds[i], "part", 4, MSG_NOSIGNAL) == 4)
			loop_run_once(1000);
	}
	refused = client();
	read_line(refused, text, sizeof(text));
	assert_non_null(strstr(text, "\"busy\""));
	close(refused);
	status = control_status();
	assert_int_equal(
		json_integer_value(json_object_get(status, "clients")), CONTROL_CLIENTS_MAX);
	assert_int_equal(json_integer_value(json_object_get(status, "refused_clients")), 1);
	json_decref(status);
	for (unsigned i = 0; i <= CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
}

static void test_idle(void **state)
{
	char err[256], text[64];
	int fd;

	(void)state;
	assert_int_equal(open_control(20, err, sizeof(err)), 0);
	fd = client();
	send_all(fd, "never ends", 10);
	assert_int_equal(read_line(fd, text, sizeof(text)), 0);
	close(fd);
}

static void test_socket_taken(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char err[256];
	int fd;

	(void)state;
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	control_close();
	assert_int_equal(access(path, F_OK), -1);

	/* Left over by a switch that was killed: nobody listens. */
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	control_close();

	/* Somebody listens. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(open_control(0, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "another process listens"));
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	unlink(path);

	/* A file that is no socket is never removed. */
	fclose(fopen(path, "w"));
	assert_int_equal(open_control(0, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "is no socket"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void test_second_switch(void **state)
{
	char err[256] = "";
	int status, fd;
	pid_t pid;

	(void)state;
	assert_int_equal(open_control(0, err, sizeof(err)), 0);
	pid = fork();
	if (pid == 0) {
		int failed;

		loop_open();
		failed = open_control(0, err, sizeof(err));
		_exit(failed == -1 && strstr(err, "another vswitchd is running") != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fd = client();
	assert_answer(fd, "x\n", "{\"len\":1}");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_switch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
