/* The event file: its schema, rotation, and what happens when it cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <regex.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "events.h"
#include "temp_dir.h"

static int close_events(void **state)
{
	events_close();
	return remove_dir(state);
}

static json_int_t counter(const char *name)
{
	json_t *status = events_status();
	json_int_t n = json_integer_value(json_object_get(status, name));

	json_decref(status);
	return n;
}

/* What Suricata's schema of EVE demands of a line, as far as these events use it. */
static void assert_eve(const json_t *event)
{
	static const char pattern[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\."
				      "[0-9]+[+-][0-9]+$";
	regex_t timestamp;
	const char *key;
	json_t *value;

	assert_int_equal(regcomp(&timestamp, pattern, REG_EXTENDED), 0);
	assert_int_equal(regexec(&timestamp, json_string_value(json_object_get(event, "timestamp")),
				 0, NULL, 0),
		0);
	regfree(&timestamp);
	assert_true(json_is_string(json_object_get(event, "event_type")));
	json_object_foreach ((json_t *)(uintptr_t)event, key, value) {
		assert_true(strcmp(key, "timestamp") == 0 || strcmp(key, "event_type") == 0 ||
			    (strcmp(key, "metadata") == 0 && json_is_object(value)));
	}
}

/* Every line of the file is an event; returns how many there are, and the last one's type. */
static unsigned read_events(const char *name, char *type, size_t len)
{
	char line[4096];
	unsigned n = 0;
	FILE *in = fopen(in_dir(name), "r");

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL) {
		json_t *event = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(event);
		assert_non_null(strchr(line, '\n'));
		assert_eve(event);
		snprintf(type, len, "%s", json_string_value(json_object_get(event, "event_type")));
		json_decref(event);
		n++;
	}
	fclose(in);
	return n;
}

/* Fields of EVE stand beside what every event has; without memory for them, one is lost. */
static void test_fields(void **state)
{
	json_t *recent, *event;

	(void)state;
	events_open(in_dir("eve.json"));
	events_emit_fields("drop", json_pack("{s:s,s:i,s:{s:s}}", "src_ip", "10.0.0.1", "src_port",
					   1234, "metadata", "tenant", "acme"));
	events_emit_fields("drop", NULL);
	assert_int_equal(counter("written"), 1);
	assert_int_equal(counter("lost"), 1);
	recent = events_recent();
	assert_int_equal(json_array_size(recent), 1);
	event = json_array_get(recent, 0);
	assert_int_equal(json_object_size(event), 5);
	assert_string_equal(json_string_value(json_object_get(event, "event_type")), "drop");
	assert_string_equal(json_string_value(json_object_get(event, "src_ip")), "10.0.0.1");
	assert_int_equal(json_integer_value(json_object_get(event, "src_port")), 1234);
	assert_true(json_is_object(json_object_get(event, "metadata")));
	json_decref(recent);
}

static void test_lines(void **state)
{
	char type[64];

	(void)state;
	events_open(in_dir("log/eve.json")); /* the directory is made */
	events_emit("start", NULL);
	events_emit("port", json_pack("{s:s,s:n}", "port", "vm1\n", "error"));
	assert_int_equal(read_events("log/eve.json", type, sizeof(type)), 2);
	assert_string_equal(type, "port");
	assert_int_equal(counter("written"), 2);
	assert_int_equal(counter("lost"), 0);
}

static void test_rotation(void **state)
{
	char type[64], old[128];

	(void)state;
	events_open(in_dir("eve.json"));
	events_emit("one", NULL);
	strcpy(old, in_dir("eve.json"));
	assert_int_equal(rename(old, in_dir("eve.json.1")), 0);
	events_emit("two", NULL); /* still into the renamed one */
	events_reopen();
	events_emit("three", NULL);
	assert_int_equal(read_events("eve.json.1", type, sizeof(type)), 2);
	assert_int_equal(read_events("eve.json", type, sizeof(type)), 1);
	assert_string_equal(type, "three");
}

static void test_full_disk(void **state)
{
	(void)state;
	events_open("/dev/full");
	events_emit("a", NULL);
	events_emit("b", NULL);
	assert_int_equal(counter("lost"), 2);
	assert_int_equal(counter("written"), 0);
}

/* A line that only half fits spoils no other: the next one begins on a line of its own. */
static void test_disk_fills_up(void **state)
{
	struct rlimit old, limit;
	char line[4096];
	unsigned lines = 0;
	FILE *in;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	events_open(in_dir("eve.json"));
	events_emit("one", NULL);
	limit = old;
	limit.rlim_cur = 100; /* in the middle of the second line */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	events_emit("two", NULL);
	events_emit("three", NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(counter("lost"), 2);
	events_emit("four", NULL);
	assert_int_equal(counter("written"), 2);
	in = fopen(in_dir("eve.json"), "r");
	while (fgets(line, sizeof(line), in) != NULL) {
		json_t *event = json_loads(line, 0, NULL);

		lines++;
		assert_true((event == NULL) == (lines == 2));
		json_decref(event);
	}
	fclose(in);
	assert_int_equal(lines, 3);
}

/* None of these blocks, and all of them count. */
static void test_cannot_open(void **state)
{
	json_t *status;

	(void)state;
	assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
	events_open(in_dir("pipe")); /* nobody reads */
	events_emit("a", NULL);
	assert_int_equal(counter("lost"), 1);
	events_close();
	write_text("file", "");
	events_open(in_dir("file/eve.json"));
	events_emit("b", NULL);
	assert_int_equal(counter("lost"), 1);
	status = events_status();
	assert_true(json_is_string(json_object_get(status, "error")));
	json_decref(status);
}

static void test_recent(void **state)
{
	json_t *list;

	(void)state;
	events_open("");
	for (unsigned i = 0; i < EVENTS_RECENT + 10; i++)
		events_emit("n", json_pack("{s:i}", "i", (int)i));
	list = events_recent();
	assert_int_equal(json_array_size(list), EVENTS_RECENT);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(json_array_get(list, 0), "metadata"), "i")),
		10);
	json_decref(list);
	assert_int_equal(counter("lost"), 0); /* no file is wanted */
}

/* A member of the status of the quarantines' own file. */
static json_int_t second(const char *name)
{
	json_t *status = events_status();
	const json_t *own = json_object_get(status, "quarantine");
	json_int_t n = own == NULL ? -1 : json_integer_value(json_object_get(own, name));

	json_decref(status);
	return n;
}

/* Quarantines are in the event file and in one of their own, which is made with the first. */
static void test_quarantines_apart(void **state)
{
	char type[64], old[128];

	(void)state;
	events_open(in_dir("log/eve.json"));
	events_emit("start", NULL);
	assert_int_not_equal(access(in_dir("log/" EVENTS_QUARANTINE), F_OK), 0);
	events_emit("quarantine", NULL);
	events_emit("stop", NULL);
	assert_int_equal(read_events("log/eve.json", type, sizeof(type)), 3);
	assert_int_equal(read_events("log/" EVENTS_QUARANTINE, type, sizeof(type)), 1);
	assert_string_equal(type, "quarantine");
	assert_int_equal(second("written"), 1);
	/* Rotation is of both. */
	strcpy(old, in_dir("log/" EVENTS_QUARANTINE));
	assert_int_equal(rename(old, in_dir("log/old")), 0);
	events_reopen();
	events_emit("quarantine", NULL);
	assert_int_equal(read_events("log/old", type, sizeof(type)), 1);
	assert_int_equal(read_events("log/" EVENTS_QUARANTINE, type, sizeof(type)), 1);
}

/* What fails with the one file costs the other nothing. */
static void test_second_file_fails(void **state)
{
	char type[64];

	(void)state;
	assert_int_equal(symlink("/dev/full", in_dir(EVENTS_QUARANTINE)), 0);
	events_open(in_dir("eve.json"));
	events_emit("quarantine", NULL);
	events_emit("quarantine", NULL);
	assert_int_equal(read_events("eve.json", type, sizeof(type)), 2);
	assert_int_equal(counter("lost"), 0);
	assert_int_equal(second("lost"), 2);
}

/* Beside what is no plain file, and where it would be the file itself, there is none. */
static void test_no_second_file(void **state)
{
	(void)state;
	events_open("/dev/null");
	assert_int_equal(second("written"), -1);
	events_close();
	events_open("");
	assert_int_equal(second("written"), -1);
	events_close();
	events_open(in_dir(EVENTS_QUARANTINE));
	events_emit("quarantine", NULL);
	assert_int_equal(second("written"), -1);
	assert_int_equal(counter("written"), 1);
}

/* Numbers of the events after this one, of this type: the first and how many. */
static unsigned since(uint64_t number, const char *type, json_int_t *first)
{
	json_t *list = events_since(number, type);
	unsigned n = (unsigned)json_array_size(list);

	*first = json_integer_value(json_object_get(json_array_get(list, 0), "number"));
	json_decref(list);
	return n;
}

static void test_since(void **state)
{
	json_int_t first;

	(void)state;
	events_open("");
	assert_int_equal(since(0, NULL, &first), 0);
	for (unsigned i = 0; i < 10; i++)
		events_emit(i % 2 == 0 ? "even" : "odd", NULL);
	assert_int_equal(since(0, NULL, &first), 10);
	assert_int_equal(first, 1);
	assert_int_equal(since(7, NULL, &first), 3);
	assert_int_equal(first, 8);
	assert_int_equal(since(7, "even", &first), 1);
	assert_int_equal(first, 9);
	assert_int_equal(since(10, NULL, &first), 0);
	assert_int_equal(since(11, NULL, &first), 10); /* of before a restart */
	for (unsigned i = 0; i < EVENTS_RECENT; i++)
		events_emit("more", NULL);
	assert_int_equal(since(2, NULL, &first), EVENTS_RECENT);
	assert_int_equal(first, 11);
}

static void test_plain(void **state)
{
	static const struct {
		const char *text, *plain;
	} list[] = {
		{"marker", "marker"},
		{"two\nlines\x1b[31m\x7f", "two?lines?[31m?"},
		{"\xc3\xa4", "\xc3\xa4"},
		{"\xe4 Latin-1", "? Latin-1"},
		{"too long \xc3\xa4 for it: \xc3\xa4", "too long ?? for it: ?"},
	};
	char plain[22];

	(void)state;
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		events_plain(list[i].text, strlen(list[i].text) + 1, plain, sizeof(plain));
		assert_string_equal(plain, list[i].plain);
	}
	events_plain("unterminated", 4, plain, sizeof(plain));
	assert_string_equal(plain, "unte");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_lines, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_rotation, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_full_disk, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_disk_fills_up, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_cannot_open, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_recent, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_quarantines_apart, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_second_file_fails, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_no_second_file, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_since, make_dir, close_events),
		cmocka_unit_test_setup_teardown(test_plain, make_dir, close_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
