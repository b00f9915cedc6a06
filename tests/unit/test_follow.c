/*
 * `events --follow` against a scripted vswitchd: what is asked for, what is printed, events that
 * were missed, a restart, and the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "follow.h"
#include "temp_dir.h"

#define EVENT(number, type)                                                                        \
	"{\"timestamp\":\"T" #number "\",\"event_type\":\"" type                                   \
	"\",\"metadata\":{\"port\":\"vm1\"},\"number\":" #number "}"
#define OK(events) "{\"ok\":true,\"result\":[" events "]}\n"

static char *printed, err[512];
static size_t printed_len;
static char missed[256]; /* what was said on standard error */

/* Takes a request, notes it in the file `asked`, and gives the reply. last: nobody comes in after.
 */
static void serve_one(int listener, const char *reply, bool last)
{
	int fd = accept(listener, NULL, NULL);
	FILE *asked = fopen(in_dir("asked"), "a");
	char line[512];
	ssize_t n = 0;
	size_t len = 0;

	if (fd < 0 || asked == NULL || (last && unlink(in_dir("ctl.sock")) != 0))
		_exit(1);
	while (len < sizeof(line) - 1 && (n = read(fd, line + len, sizeof(line) - 1 - len)) > 0) {
		len += (size_t)n;
		if (line[len - 1] == '\n')
			break;
	}
	fwrite(line, 1, len, asked);
	fclose(asked);
	if (write(fd, reply, strlen(reply)) != (ssize_t)strlen(reply))
		_exit(1);
	close(fd);
}

/* A vswitchd that gives these replies, up to NULL, and is gone. Returns when it listens. */
static pid_t serve(const char *const *replies)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	strcpy(addr.sun_path, in_dir("ctl.sock"));
	assert_int_equal(bind(listener, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 4), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (; *replies != NULL; replies++)
			serve_one(listener, *replies, replies[1] == NULL);
		_exit(0);
	}
	close(listener);
	return pid;
}

/* Follows with these args until the replies are used up. */
static enum exit_code follow(const char *const *replies, const char *args_text, bool json)
{
	json_t *args = json_loads(args_text, 0, NULL);
	char socket_path[128];
	enum exit_code code;
	pid_t pid = serve(replies);
	int status, real = dup(2);
	FILE *out = open_memstream(&printed, &printed_len), *in;

	strcpy(socket_path, in_dir("ctl.sock"));
	fflush(stderr);
	assert_non_null(freopen(in_dir("stderr"), "w", stderr));
	code = follow_events(socket_path, args, 10000, json, out, err, sizeof(err));
	fflush(stderr);
	dup2(real, 2);
	close(real);
	fclose(out);
	json_decref(args);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	in = fopen(in_dir("stderr"), "r");
	missed[fread(missed, 1, sizeof(missed) - 1, in)] = '\0';
	fclose(in);
	return code;
}

static int tear_down(void **state)
{
	free(printed);
	printed = NULL;
	return remove_dir(state);
}

/* How often the text stands in what was asked. */
static unsigned asked(const char *text)
{
	FILE *file = fopen(in_dir("asked"), "r");
	char line[512];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, text) != NULL;
	fclose(file);
	return n;
}

static void test_lines(void **state)
{
	static const char *const replies[] = {
		OK(EVENT(1, "start") "," EVENT(2, "quarantine")),
		OK(""),
		OK(EVENT(3, "port")),
		NULL,
	};

	assert_int_equal(follow(replies, "{\"follow\":true}", false), EXIT_UNREACHABLE);
	assert_non_null(strstr(err, "cannot reach vswitchd"));
	assert_string_equal(printed, "T1 start {\"port\":\"vm1\"}\n"
				     "T2 quarantine {\"port\":\"vm1\"}\n"
				     "T3 port {\"port\":\"vm1\"}\n");
	assert_int_equal(asked("\"since\":0"), 1);
	assert_int_equal(asked("\"since\":2"), 2);
	assert_string_equal(missed, "");
}

static void test_alert(void **state)
{
	static const char *const replies[] = {
		OK("{\"timestamp\":\"T\",\"event_type\":\"alert\",\"src_ip\":\"10.0.0.1\","
		   "\"dest_ip\":\"10.0.0.2\",\"alert\":{\"signature\":\"odd \\u001b[31m\"},"
		   "\"number\":1}"),
		NULL,
	};

	follow(replies, "{\"follow\":true}", false);
	assert_string_equal(printed, "T alert from 10.0.0.1 to 10.0.0.2: odd ?[31m\n");
}

static void test_type_and_json(void **state)
{
	static const char *const replies[] = {
		OK(EVENT(1, "start") "," EVENT(2, "quarantine")),
		NULL,
	};

	follow(replies, "{\"follow\":true,\"type\":\"quarantine\"}", true);
	assert_string_equal(printed, "{\"timestamp\":\"T2\",\"event_type\":\"quarantine\","
				     "\"metadata\":{\"port\":\"vm1\"},\"number\":2}\n");
}

/* A gap in the numbers is told of; numbers that begin anew are another vswitchd's. */
static void test_missed(void **state)
{
	static const char *const replies[] = {
		OK(EVENT(5, "start")),
		OK(EVENT(9, "port")),
		OK(EVENT(1, "start") "," EVENT(2, "port")),
		OK(EVENT(3, "stop")),
		NULL,
	};

	follow(replies, "{\"follow\":true}", true);
	assert_non_null(strstr(missed, "3 events were too fast"));
	assert_null(strstr(strstr(missed, "3 events") + 9, "events were"));
	assert_int_equal(asked("\"since\":2"), 1);
}

static void test_refused(void **state)
{
	static const char *const replies[] = {"{\"ok\":false,\"error\":\"not now\"}\n", NULL};

	assert_int_equal(follow(replies, "{\"follow\":true}", false), EXIT_REFUSED);
	assert_string_equal(err, "not now");
}

static void test_wanted(void **state)
{
	json_t *args = json_pack("{s:b}", "follow", 1);

	assert_true(follow_wanted(&commands[COMMAND_events], args));
	assert_false(follow_wanted(&commands[COMMAND_status], args));
	assert_false(follow_wanted(&commands[COMMAND_events], NULL));
	json_decref(args);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_alert),
		TEST(test_type_and_json),
		TEST(test_missed),
		TEST(test_refused),
		cmocka_unit_test(test_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
