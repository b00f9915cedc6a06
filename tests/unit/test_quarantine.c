/*
 * The table of quarantines: what stands at the gate, what outlives a restart, what is over when,
 * and that nothing but a release or its time ever lowers one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "loop.h"
#include "quarantine.h"
#include "quarantine_gate.h"
#include "quarantine_hook.h"
#include "quarantine_state.h"
#include "temp_dir.h"

#define VM1 7 /* ids */
#define VM2 1023

static char err[512];
static const struct evidence no_evidence;

static bool load(void)
{
	return quarantine_load(in_dir("state"), "", "");
}

static void ports_up(void)
{
	quarantine_port_up(VM1, "vm1", "acme");
	quarantine_port_up(VM2, "vm2", "acme");
}

static int set_up(void **state)
{
	if (make_dir(state) != 0 || loop_open() != 0 || mkdir(in_dir("state"), 0700) != 0)
		return -1;
	events_open("");
	if (!load())
		return -1;
	ports_up();
	return 0;
}

static int tear_down(void **state)
{
	quarantine_free();
	events_close();
	loop_close();
	return remove_dir(state);
}

/* As the configuration has it. */
static uint32_t term(const char *tenant)
{
	assert_string_equal(tenant, "acme");
	return 3600;
}

static void tick(uint64_t at)
{
	quarantine_tick(at, term);
}

/* As after a crash: all that is left is on the disk. */
static bool restart(void)
{
	char old[128], kept[128];
	bool ok;

	strcpy(old, in_dir("state/quarantines.json"));
	strcpy(kept, in_dir("kept"));
	if (access(old, F_OK) == 0)
		assert_int_equal(link(old, kept), 0);
	quarantine_free();
	if (access(kept, F_OK) == 0)
		assert_int_equal(rename(kept, old), 0);
	unlink(kept);
	ok = load();
	ports_up();
	return ok;
}

static struct inspect_record make(enum config_quarantine_level level, uint32_t seconds)
{
	struct inspect_record record = {
		.what = INSPECT_TELLS_INVARIANT,
		.quarantined = true,
		.level = level,
		.quarantine_s = seconds,
		.key = {.port = {49152, 445}, .proto = 6},
		.id = "I1",
		.text = "harmless marker",
		.offset = 77,
	};

	record.key.addr[0] = addr_from_ipv4((uint8_t[]){10, 0, 0, 1});
	record.key.addr[1] = addr_from_ipv4((uint8_t[]){10, 0, 0, 2});
	return record;
}

/* A worker has cut vm1 off. */
static void note(enum config_quarantine_level level, uint32_t seconds)
{
	struct inspect_record record = make(level, seconds);

	quarantine_gate_raise(VM1, level);
	quarantine_note(&record, "vm1", "vm2", "office", "acme", &no_evidence);
	quarantine_settle();
}

static bool add(const char *port, enum config_quarantine_level level, uint32_t seconds)
{
	return quarantine_add(port, "acme", level, seconds, NULL, err, sizeof(err));
}

/* A member of what is shown of the port, as text; good until the next call. */
static const char *shown(const char *port, const char *member)
{
	static char text[256];
	json_t *entry = quarantine_show(port);
	const json_t *value = json_object_get(entry, member);

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%d", (int)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%s",
			json_is_string(value) ? json_string_value(value)
			: json_is_null(value) ? "null"
					      : "none");
	json_decref(entry);
	return text;
}

static size_t listed(void)
{
	json_t *list = quarantine_list();
	size_t n = json_array_size(list);

	json_decref(list);
	return n;
}

/* How many events of quarantines with this action there are. */
static unsigned told(const char *action)
{
	json_t *recent = events_recent(), *event;
	unsigned n = 0;
	size_t i;

	json_array_foreach (recent, i, event) {
		const json_t *metadata = json_object_get(event, "metadata");
		const char *of = json_string_value(json_object_get(metadata, "action"));

		n += of != NULL && strcmp(of, action) == 0;
	}
	json_decref(recent);
	return n;
}

static void test_gate(void **state)
{
	assert_true(quarantine_gate_raise(VM1, CONFIG_QUARANTINE_SERVICE));
	assert_false(quarantine_gate_raise(VM1, CONFIG_QUARANTINE_SERVICE));
	assert_true(quarantine_gate_raise(VM1, CONFIG_QUARANTINE_PORT));
	assert_false(quarantine_gate_raise(VM1, CONFIG_QUARANTINE_SERVICE));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_NONE);
}

static void test_noted(void **state)
{
	note(CONFIG_QUARANTINE_SERVICE, 3600);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	assert_string_equal(shown("vm1", "level"), "service");
	assert_string_equal(shown("vm1", "id"), "I1");
	assert_string_equal(shown("vm1", "reason"), "harmless marker");
	assert_string_equal(shown("vm1", "peer"), "vm2");
	assert_string_equal(shown("vm1", "network"), "office");
	assert_string_equal(shown("vm1", "src_ip"), "10.0.0.1");
	assert_string_equal(shown("vm1", "dest_port"), "445");
	assert_string_equal(shown("vm1", "offset"), "77");
	assert_non_null(strstr(shown("vm1", "until"), "T"));
	assert_string_equal(shown("vm1", "evidence"), "null");
	assert_string_equal(shown("vm2", "level"), "none");
	assert_int_equal(told("added"), 1);
	assert_int_equal(listed(), 1);
}

/* A fan-out is about no one connection. */
static void test_no_connection(void **state)
{
	struct inspect_record record = make(CONFIG_QUARANTINE_SERVICE, 0);

	record.key = (struct conn_key){0};
	quarantine_note(&record, "vm1", "", "office", "acme", &no_evidence);
	quarantine_settle();
	assert_string_equal(shown("vm1", "src_ip"), "null");
	assert_string_equal(shown("vm1", "dest_port"), "null");
	assert_true(restart());
	assert_string_equal(shown("vm1", "reason"), "harmless marker");
}

/* A connection's end is no quarantine. */
static void test_level_flow(void **state)
{
	struct inspect_record record = make(CONFIG_QUARANTINE_FLOW, 0);

	quarantine_note(&record, "vm1", "vm2", "office", "acme", &no_evidence);
	assert_int_equal(listed(), 0);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
}

static void test_restart(void **state)
{
	note(CONFIG_QUARANTINE_SERVICE, 3600);
	assert_true(add("vm2", CONFIG_QUARANTINE_PORT, 0));
	assert_true(restart());
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_PORT);
	assert_string_equal(shown("vm1", "reason"), "harmless marker");
	assert_string_equal(shown("vm1", "src_port"), "49152");
	assert_string_equal(shown("vm2", "reason"), "by command");
	assert_string_equal(shown("vm2", "until"), "null");
	assert_true(quarantine_release("vm2", "uid 0", err, sizeof(err)));
	assert_true(restart());
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_NONE);
	assert_int_equal(listed(), 1);
}

/* Text that is no UTF-8, out of a rule's file, is kept as far as it can be. */
static void test_odd_text(void **state)
{
	struct inspect_record record = make(CONFIG_QUARANTINE_SERVICE, 0);

	strcpy(record.text, "caf\xe9\nline");
	quarantine_note(&record, "vm1", "", "office", "acme", &no_evidence);
	quarantine_settle();
	assert_string_equal(shown("vm1", "reason"), "caf??line");
	assert_true(restart());
	assert_string_equal(shown("vm1", "reason"), "caf??line");
	assert_string_equal(shown("vm1", "peer"), "null");
}

/* By name and tenant: under another id, and not another tenant's port of the name. */
static void test_port_returns(void **state)
{
	note(CONFIG_QUARANTINE_PORT, 0);
	quarantine_port_down(VM1);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_non_null(strstr(shown("vm1", "note"), "waits for its return"));
	quarantine_port_up(VM1, "vm1", "other");
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	quarantine_port_down(VM1);
	quarantine_port_up(VM1, "vm3", "acme");
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	quarantine_port_up(9, "vm1", "acme");
	assert_int_equal(quarantine_level(9), CONFIG_QUARANTINE_PORT);
	assert_string_equal(shown("vm1", "note"), "none");
}

/* Said again of a port that stays, it opens no gate that a worker has shut since. */
static void test_up_again(void **state)
{
	quarantine_gate_raise(VM1, CONFIG_QUARANTINE_SERVICE);
	quarantine_port_up(VM1, "vm1", "acme");
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
}

static void test_raise_never_lowers(void **state)
{
	char until[64];

	note(CONFIG_QUARANTINE_SERVICE, 3600);
	strcpy(until, shown("vm1", "until"));
	assert_true(add("vm1", CONFIG_QUARANTINE_PORT, 60));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
	assert_string_equal(shown("vm1", "until"), until);
	assert_int_equal(told("raised"), 1);
	note(CONFIG_QUARANTINE_SERVICE, 60);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
	assert_string_equal(shown("vm1", "level"), "port");
	assert_string_equal(shown("vm1", "until"), until);
	assert_true(add("vm1", CONFIG_QUARANTINE_SERVICE, 0));
	assert_string_equal(shown("vm1", "until"), "null"); /* until released: the longest */
	assert_string_equal(shown("vm1", "level"), "port");
	assert_int_equal(told("extended"), 1);
	note(CONFIG_QUARANTINE_PORT, 3600);
	assert_string_equal(shown("vm1", "until"), "null");
	assert_int_equal(listed(), 1);
	assert_true(restart());
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
}

static void test_expiry(void **state)
{
	uint64_t now = (uint64_t)time(NULL);

	note(CONFIG_QUARANTINE_SERVICE, 100);
	assert_true(add("vm2", CONFIG_QUARANTINE_SERVICE, 0));
	tick(now + 50);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	tick(now + 200);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(told("expired"), 1);
	assert_true(restart());
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_int_equal(listed(), 1);
}

static void test_release(void **state)
{
	assert_false(quarantine_release("vm1", "uid 0", err, sizeof(err)));
	assert_string_equal(err, "port vm1 is not in quarantine");
	assert_false(quarantine_release(NULL, "uid 0", err, sizeof(err)));
	note(CONFIG_QUARANTINE_PORT, 0);
	assert_true(add("vm2", CONFIG_QUARANTINE_PORT, 0));
	assert_true(quarantine_release("vm1", "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_PORT);
	note(CONFIG_QUARANTINE_PORT, 0);
	assert_true(quarantine_release(NULL, "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_NONE);
	assert_int_equal(listed(), 0);
	assert_int_equal(told("released"), 3);
}

/* Files that are none of ours: everything stays shut until that is settled. */
static void test_unreadable(void **state)
{
	static const char *const files[] = {
		"no JSON",
		"{}",
		"{\"version\":3,\"quarantines\":[]}",
		"{\"version\":1,\"quarantines\":{}}",
		"{\"version\":1,\"quarantines\":[{}]}",
		"{\"version\":1,\"quarantines\":[{\"port\":\"vm1\",\"tenant\":\"acme\",\"network\":"
		"null,\"level\":\"flow\",\"since\":1,\"until\":0,\"id\":null,\"reason\":null,"
		"\"peer\":null,\"src_ip\":null,\"src_port\":null,\"dest_ip\":null,\"dest_port\":"
		"null,\"offset\":null,\"evidence\":null}]}",
	};

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		write_text("state/quarantines.json", files[i]);
		assert_false(restart());
		assert_non_null(strstr(quarantine_problem(), "quarantines.json cannot be used"));
		assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
		assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_SERVICE);
	}
	assert_int_equal(listed(), 2);
	quarantine_port_up(9, "vm9", "acme"); /* one that comes later, too */
	assert_int_equal(quarantine_level(9), CONFIG_QUARANTINE_SERVICE);
	assert_false(quarantine_release("vm1", "uid 0", err, sizeof(err)));
	assert_non_null(strstr(err, "release --all"));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	/* What is found meanwhile holds, and the broken file is left alone. */
	note(CONFIG_QUARANTINE_PORT, 0);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
	tick((uint64_t)time(NULL));
	tick((uint64_t)time(NULL));
	assert_false(restart());
	assert_true(quarantine_release(NULL, "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_NONE);
	assert_null(quarantine_problem());
	assert_true(restart());
	assert_int_equal(listed(), 0);
}

/* No directory yet, as at the very first start, is no fault; nor is none at all, as in a replay. */
static void test_nothing_saved(void **state)
{
	assert_true(quarantine_load(in_dir("new"), "", ""));
	assert_true(quarantine_load("", "", ""));
	ports_up();
	note(CONFIG_QUARANTINE_SERVICE, 0);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	assert_null(quarantine_problem());
}

/* In force comes first; what could not be saved is saved later. */
static void test_not_saved(void **state)
{
	char old[128], away[128];

	strcpy(old, in_dir("state"));
	strcpy(away, in_dir("away"));
	assert_int_equal(rename(old, away), 0);
	note(CONFIG_QUARANTINE_SERVICE, 0);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	assert_non_null(strstr(quarantine_problem(), "could not be saved"));
	assert_true(add("vm2", CONFIG_QUARANTINE_SERVICE, 0));
	assert_int_equal(rename(away, old), 0);
	tick((uint64_t)time(NULL));
	assert_null(quarantine_problem());
	assert_true(restart());
	assert_int_equal(listed(), 2);
}

/* A gate that is shut without a word is taken up after a tick in which the word could have come,
 * for as long as if it had come. */
static void test_record_lost(void **state)
{
	quarantine_gate_raise(VM1, CONFIG_QUARANTINE_SERVICE);
	assert_non_null(strstr(shown("vm1", "reason"), "is being recorded"));
	tick((uint64_t)time(NULL));
	assert_int_equal(told("added"), 0);
	tick((uint64_t)time(NULL));
	assert_int_equal(told("added"), 1);
	assert_non_null(strstr(shown("vm1", "reason"), "found no room"));
	tick((uint64_t)time(NULL));
	assert_int_equal(told("added"), 1);
	assert_true(restart());
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	tick((uint64_t)time(NULL) + 3500);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	tick((uint64_t)time(NULL) + 3600);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
}

/* At the limit the port stays cut off, by worker or record, and can be released. */
static void test_limit(void **state)
{
	char name[16];

	for (unsigned i = 0; i < QUARANTINE_MAX; i++) {
		struct inspect_record record = make(CONFIG_QUARANTINE_SERVICE, 0);

		snprintf(name, sizeof(name), "x%u", i);
		quarantine_note(&record, name, "", "office", "acme", &no_evidence);
	}
	quarantine_settle();
	assert_int_equal(listed(), QUARANTINE_MAX);
	note(CONFIG_QUARANTINE_PORT, 3600);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
	assert_int_equal(listed(), QUARANTINE_MAX + 1);
	assert_string_equal(shown("vm1", "reason"), "not kept over a restart");
	assert_false(add("vm2", CONFIG_QUARANTINE_SERVICE, 0));
	assert_non_null(strstr(err, "release some"));
	for (unsigned i = 0; i < 4; i++)
		tick((uint64_t)time(NULL));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_PORT);
	assert_true(restart());
	assert_int_equal(listed(), QUARANTINE_MAX);
	note(CONFIG_QUARANTINE_PORT, 3600);
	assert_true(quarantine_release("vm1", "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	/* There is room again, and what is cut off takes it. */
	assert_true(quarantine_release("x5", "uid 0", err, sizeof(err)));
	assert_true(add("vm2", CONFIG_QUARANTINE_SERVICE, 0));
}

static json_int_t status(const char *object, const char *member)
{
	json_t *all = quarantine_status();
	json_int_t n = json_integer_value(
		json_object_get(object != NULL ? json_object_get(all, object) : all, member));

	json_decref(all);
	return n;
}

/* The hook hears of everything that happens to a guest. */
static void test_hook(void **state)
{
	struct hook_counts counts;
	char script[256], hook[128], state_dir[128];
	FILE *file;
	char line[1024];
	static const char *const actions[] = {"added", "raised", "released"};

	snprintf(script, sizeof(script), "#!/bin/sh\ncat >>%s/heard\n", dir);
	write_text("hook", script);
	strcpy(hook, in_dir("hook"));
	strcpy(state_dir, in_dir("state"));
	assert_int_equal(chmod(hook, 0700), 0);
	assert_true(quarantine_load(state_dir, "", hook));
	ports_up();
	for (unsigned i = 0; i < 3; i++) {
		if (i == 0)
			note(CONFIG_QUARANTINE_SERVICE, 0);
		else if (i == 1)
			note(CONFIG_QUARANTINE_PORT, 0);
		else
			assert_true(quarantine_release("vm1", "uid 0", err, sizeof(err)));
		do {
			loop_run_once(1000);
			hook_counts(&counts);
		} while (counts.running > 0);
	}
	assert_int_equal(status("hook", "started"), 3);
	assert_int_equal(status("hook", "failed"), 0);
	file = fopen(in_dir("heard"), "r");
	assert_non_null(file);
	for (unsigned i = 0; i < 3; i++) {
		json_t *document;

		assert_non_null(fgets(line, sizeof(line), file));
		document = json_loads(line, 0, NULL);
		assert_string_equal(
			json_string_value(json_object_get(document, "action")), actions[i]);
		assert_string_equal(json_string_value(json_object_get(document, "port")), "vm1");
		json_decref(document);
	}
	fclose(file);
}

static void test_status(void **state)
{
	assert_int_equal(status(NULL, "ports"), 0);
	note(CONFIG_QUARANTINE_SERVICE, 0);
	assert_true(add("vm2", CONFIG_QUARANTINE_PORT, 0));
	assert_int_equal(status(NULL, "ports"), 2);
	assert_int_equal(status(NULL, "service"), 1);
	assert_int_equal(status(NULL, "port"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gate),
		TEST(test_noted),
		TEST(test_no_connection),
		TEST(test_level_flow),
		TEST(test_restart),
		TEST(test_odd_text),
		TEST(test_port_returns),
		TEST(test_up_again),
		TEST(test_raise_never_lowers),
		TEST(test_expiry),
		TEST(test_release),
		TEST(test_unreadable),
		TEST(test_nothing_saved),
		TEST(test_not_saved),
		TEST(test_record_lost),
		TEST(test_limit),
		TEST(test_hook),
		TEST(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
