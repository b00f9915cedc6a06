/* vswitch-ctl rules reload: waits for what vswitchd says of it, and no longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reload.h"
#include "temp_dir.h"

#define STATUS(reload, first, second)                                                              \
	"{\"ok\":true,\"result\":{\"workers\":[{\"core\":1,\"revision\":" #first                   \
	"},{\"core\":2,\"revision\":" #second "}],\"reload\":{\"number\":" reload "}}}\n"
#define RUNNING "2,\"state\":\"running\""
#define DONE    "2,\"state\":\"done\",\"changed\":true,\"revision\":5"
#define SAME    "2,\"state\":\"done\",\"changed\":false,\"revision\":4"
#define FAILED                                                                                     \
	"2,\"state\":\"failed\",\"error\":\"rules are refused\",\"errors\":"                       \
	"[{\"file\":\"a.rules\",\"line\":7,\"message\":\"sid 1: wat\"}]"

/* A daemon that gives these answers, one a client; then it is gone. */
struct daemon {
	int listener;
	const char *const *answers;
	unsigned asked;
};

static void *serve(void *arg)
{
	struct daemon *daemon = arg;

	for (; daemon->answers[daemon->asked] != NULL; daemon->asked++) {
		const char *answer = daemon->answers[daemon->asked];
		int fd = accept(daemon->listener, NULL, NULL);
		char request[256];
		ssize_t n;

		if (fd < 0)
			return NULL;
		n = read(fd, request, sizeof(request) - 1);
		request[n > 0 ? n : 0] = '\0';
		assert_non_null(strstr(request, "rules status"));
		assert_int_equal(write(fd, answer, strlen(answer)), strlen(answer));
		close(fd);
	}
	close(daemon->listener);
	return NULL;
}

/* How the reload with number 2 ended. */
static json_t *ended(const char *const *answers, unsigned timeout_ms, char *err, size_t len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct daemon daemon = {.answers = answers};
	pthread_t thread;
	json_t *end;

	strcpy(addr.sun_path, in_dir("sock"));
	unlink(addr.sun_path);
	daemon.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(daemon.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(daemon.listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, &daemon), 0);
	end = reload_wait(addr.sun_path, json_pack("{s:b,s:{s:i}}", "ok", 1, "result", "reload", 2),
		timeout_ms, err, len);
	shutdown(daemon.listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	return end;
}

static void until_every_worker_runs_it(void **state)
{
	static const char *const answers[] = {STATUS(RUNNING, 4, 4), STATUS(DONE, 4, 4),
		STATUS(DONE, 5, 4), STATUS(DONE, 5, 5), NULL};
	char err[512];
	json_t *end = ended(answers, 20000, err, sizeof(err)), *result;

	assert_true(json_is_true(json_object_get(end, "ok")));
	result = json_object_get(end, "result");
	assert_int_equal(json_integer_value(json_object_get(result, "revision")), 5);
	assert_string_equal(json_string_value(json_object_get(result, "message")),
		"every worker runs revision 5 of the rules");
	json_decref(end);
}

static void nothing_new_is_said_so(void **state)
{
	static const char *const answers[] = {STATUS(SAME, 4, 4), NULL};
	char err[512];
	json_t *end = ended(answers, 20000, err, sizeof(err));

	assert_true(json_is_true(json_object_get(end, "ok")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(end, "result"), "message")),
		"no file has changed: revision 4 goes on");
	json_decref(end);
}

static void faults_are_handed_on(void **state)
{
	static const char *const answers[] = {STATUS(RUNNING, 4, 4), STATUS(FAILED, 4, 4), NULL};
	char err[512];
	json_t *end = ended(answers, 20000, err, sizeof(err));

	assert_true(json_is_false(json_object_get(end, "ok")));
	assert_string_equal(json_string_value(json_object_get(end, "code")), "refused");
	assert_string_equal(json_string_value(json_object_get(end, "error")), "rules are refused");
	assert_int_equal(json_array_size(json_object_get(end, "errors")), 1);
	json_decref(end);
}

static void another_vswitchd_knows_nothing_of_it(void **state)
{
	static const char *const answers[] = {STATUS("0,\"state\":\"none\"", 1, 1), NULL};
	char err[512];
	json_t *end = ended(answers, 20000, err, sizeof(err));

	assert_non_null(
		strstr(json_string_value(json_object_get(end, "error")), "was started again"));
	json_decref(end);
}

static void time_and_patience_end(void **state)
{
	static const char *const answers[] = {STATUS(RUNNING, 4, 4), NULL};
	char err[512];

	assert_null(ended(answers, 20000, err, sizeof(err))); /* the daemon is gone */
	assert_true(strstr(err, "cannot reach") != NULL || strstr(err, "broke") != NULL);
	assert_null(ended(answers, 0, err, sizeof(err)));
	assert_non_null(strstr(err, "not compiled yet"));
}

static void only_a_reload_that_began_is_waited_for(void **state)
{
	const struct command *reload = command_exact("rules reload");
	json_t *good = json_pack("{s:b}", "ok", 1), *bad = json_pack("{s:b}", "ok", 0);
	json_t *no_wait = json_pack("{s:b}", "no-wait", 1);

	assert_true(reload_begun(reload, NULL, good));
	assert_false(reload_begun(reload, NULL, bad));
	assert_false(reload_begun(reload, NULL, NULL));
	assert_false(reload_begun(reload, no_wait, good));
	assert_false(reload_begun(command_exact("rules status"), NULL, good));
	json_decref(good);
	json_decref(bad);
	json_decref(no_wait);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(until_every_worker_runs_it, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(nothing_new_is_said_so, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(faults_are_handed_on, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			another_vswitchd_knows_nothing_of_it, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(time_and_patience_end, make_dir, remove_dir),
		cmocka_unit_test(only_a_reload_that_began_is_waited_for),
	};

	return cmocka_run_group_tests_name("ctl_reload", tests, NULL, NULL);
}
