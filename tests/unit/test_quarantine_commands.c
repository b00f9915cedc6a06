/*
 * The commands quarantine list, show, add and release, and events by number and type, on a fake
 * switch: what they refuse, what is in force and saved, and what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "commands.h"
#include "events.h"
#include "fake_switch.h"
#include "loop.h"
#include "quarantine.h"
#include "quarantine_gate.h"
#include "quarantine_remote.h"
#include "temp_dir.h"
#include "transaction.h"

#define VM1 3 /* ids */
#define VM2 4

#define OFFICE 0 /* indices */
#define LAB    1

static const struct control_peer peer = {1000, 1000, 42};

static const char document[] =
	"networks: [{name: office, tenant: acme}, {name: lab, tenant: other}]\n"
	"ports:\n"
	"  - {name: vm1, network: office, kernel: {interface: a1}, ips: [10.0.0.1]}\n"
	"  - {name: vm2, network: lab, kernel: {interface: a2}}\n";

static void apply(const char *text)
{
	struct transaction_outcome outcome;
	struct transaction_how how = {0};

	transaction_apply("test.yaml", text, strlen(text), &how, &outcome);
	assert_true(outcome.done);
	transaction_outcome_free(&outcome);
}

static bool load(void)
{
	bool ok = quarantine_load(in_dir("state"), "", "");

	quarantine_port_up(VM1, "vm1", "acme");
	quarantine_port_up(VM2, "vm2", "other");
	quarantine_network_up(OFFICE, "office", "acme");
	quarantine_network_up(LAB, "lab", "other");
	return ok;
}

static int setup(void **state)
{
	char text[128];

	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	snprintf(text, sizeof(text), "vswitch: {state: %s/state}\n", dir);
	write_text("v.yaml", text);
	events_open("");
	if (transaction_load(in_dir("v.yaml")) == NULL || !transaction_start() || !load())
		return -1;
	apply(document);
	return 0;
}

static int teardown(void **state)
{
	quarantine_free();
	transaction_stop();
	events_close();
	loop_close();
	fake_switch_reset();
	return remove_dir(state);
}

/* The reply to a command with these arguments; the caller owns it. */
static json_t *ask(const char *command, const char *args)
{
	char line[1024];
	json_t *reply;

	snprintf(line, sizeof(line), "{\"command\":\"%s\",\"args\":%s}", command, args);
	reply = commands_answer(line, strlen(line), &peer);
	assert_true(json_is_object(reply));
	return reply;
}

/* Whether the command is done; its message or error has `says` in it. */
static bool done(const char *command, const char *args, const char *says)
{
	json_t *reply = ask(command, args);
	bool ok = json_is_true(json_object_get(reply, "ok"));
	const char *text = json_string_value(
		ok ? json_object_get(json_object_get(reply, "result"), "message")
		   : json_object_get(reply, "error"));

	if (text == NULL || strstr(text, says) == NULL)
		fail_msg("%s %s: \"%s\" does not say \"%s\"", command, args, text, says);
	json_decref(reply);
	return ok;
}

/* A member of the i-th row of quarantine list, as text: good until the next call. */
static const char *listed(size_t i, const char *member)
{
	static char text[256];
	json_t *reply = ask("quarantine list", "{}");
	const json_t *value = json_object_get(
		json_array_get(json_object_get(reply, "result"), i), member);

	snprintf(text, sizeof(text), "%s",
		json_is_string(value) ? json_string_value(value)
		: json_is_null(value) ? "null"
				      : "none");
	json_decref(reply);
	return text;
}

static size_t warnings(const char *command, const char *args)
{
	json_t *reply = ask(command, args);
	size_t n = json_array_size(json_object_get(reply, "warnings"));

	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	return n;
}

static void test_add(void **state)
{
	(void)state;
	assert_true(done("quarantine add", "{\"port\":\"vm1\"}",
		"port vm1 is in quarantine, level service, until released"));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	assert_true(done("quarantine add",
		"{\"port\":\"vm2\",\"level\":\"port\",\"for\":7200,\"reason\":\"odd traffic\"}",
		"port vm2 is in quarantine, level port, until 20"));
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_PORT);
	assert_string_equal(listed(0, "port"), "vm1");
	assert_string_equal(listed(0, "tenant"), "acme");
	assert_string_equal(listed(0, "until"), "null");
	assert_string_equal(listed(0, "reason"), "by command");
	assert_string_equal(listed(1, "level"), "port");
	assert_string_equal(listed(1, "reason"), "odd traffic");
	assert_non_null(strchr(listed(1, "since"), 'T'));
	assert_string_equal(listed(2, "port"), "none");
	/* Saved when it is answered. */
	assert_int_equal(access(in_dir("state/quarantines.json"), F_OK), 0);
	/* Again, and less of it, changes nothing and is no fault. */
	assert_true(
		done("quarantine add", "{\"port\":\"vm2\",\"for\":60}", "level port, until 20"));
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_PORT);
	assert_string_equal(listed(2, "port"), "none");
}

static void test_refused(void **state)
{
	static const struct {
		const char *command, *args, *says;
	} list[] = {
		{"quarantine add", "{\"port\":\"vm3\"}", "there is no port `vm3`"},
		{"quarantine add", "{\"port\":\"vm1\",\"level\":\"flow\"}",
			"level `flow`: write service or port"},
		{"quarantine add", "{\"port\":\"vm1\",\"for\":0}", "argument `for` must be"},
		{"quarantine add", "{\"port\":\"vm1\",\"for\":31536001}", "from 1 to 31536000"},
		{"quarantine add", "{}", "port"},
		{"quarantine show", "{\"port\":\"vm1\"}", "port vm1 is not in quarantine"},
		{"quarantine show", "{\"port\":\"vm3\"}", "there is no port `vm3`"},
		{"quarantine release", "{\"port\":\"vm3\"}", "there is no port `vm3`"},
		{"quarantine release", "{}",
			"give either a port, or --network and --address, or --all"},
		{"quarantine release", "{\"port\":\"vm1\",\"all\":true}", "give either a port"},
	};
	char args[256];

	(void)state;
	snprintf(args, sizeof(args), "{\"port\":\"vm1\",\"reason\":\"%0160d\"}", 0);
	assert_false(done("quarantine add", args, "one line of up to 159 bytes"));
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		assert_false(done(list[i].command, list[i].args, list[i].says));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_string_equal(listed(0, "port"), "none");
}

static void test_show(void **state)
{
	json_t *reply;

	(void)state;
	assert_true(done("quarantine add", "{\"port\":\"vm1\"}", "vm1"));
	reply = ask("quarantine show", "{\"port\":\"vm1\"}");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(reply, "result"), "level")),
		"service");
	json_decref(reply);
}

static void test_release(void **state)
{
	(void)state;
	assert_true(done("quarantine release", "{\"port\":\"vm1\"}", "nothing to do"));
	/* What is on its way from the workers would cut it off again: it came first. */
	assert_int_equal(fake_switch.drained, 1);
	assert_true(done("quarantine release", "{\"all\":true}", "nothing to do"));
	assert_true(done("quarantine add", "{\"port\":\"vm1\"}", "vm1"));
	assert_true(done("quarantine add", "{\"port\":\"vm2\"}", "vm2"));
	assert_true(done("quarantine release", "{\"port\":\"vm1\"}", "port vm1 is released"));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_string_equal(listed(0, "port"), "vm2");
	assert_true(done(
		"quarantine release", "{\"all\":true}", "all ports and addresses are released"));
	assert_int_equal(quarantine_level(VM2), CONFIG_QUARANTINE_NONE);
	assert_string_equal(listed(0, "port"), "none");
}

/* The configuration forgets the port, the quarantine does not. */
static void test_port_is_gone(void **state)
{
	(void)state;
	assert_true(done("quarantine add", "{\"port\":\"vm1\"}", "vm1"));
	apply("networks: [{name: office, tenant: acme}]\n");
	quarantine_port_down(VM1);
	assert_non_null(strstr(listed(0, "note"), "no such port"));
	assert_true(done("quarantine release", "{\"port\":\"vm1\"}", "port vm1 is released"));
}

#define AT(network, address) "\"network\":\"" network "\",\"address\":\"" address "\""

static struct addr v4(uint8_t last)
{
	return addr_from_ipv4((uint8_t[]){10, 0, 0, last});
}

static void test_remote(void **state)
{
	json_t *reply;

	(void)state;
	assert_true(done("quarantine add", "{" AT("office", "10.0.0.9") ",\"level\":\"host\"}",
		"address 10.0.0.9 of network office is in quarantine, level host, until released"));
	assert_true(done("quarantine add", "{" AT("lab", "fd00:0::9") ",\"for\":60}",
		"address fd00::9 of network lab is in quarantine, level service, until 20"));
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), CONFIG_QUARANTINE_PORT);
	assert_int_equal(quarantine_remote_level(LAB, v4(9)), CONFIG_QUARANTINE_NONE);
	assert_string_equal(listed(0, "where"), "remote");
	assert_string_equal(listed(0, "address"), "10.0.0.9");
	assert_string_equal(listed(0, "network"), "office");
	assert_string_equal(listed(0, "tenant"), "acme");
	assert_string_equal(listed(0, "level"), "host");
	assert_string_equal(listed(0, "port"), "null");
	assert_string_equal(listed(1, "address"), "fd00::9");
	assert_true(done("quarantine add", "{\"port\":\"vm1\"}", "port vm1"));
	assert_string_equal(listed(2, "where"), "local");
	assert_string_equal(listed(2, "address"), "null");
	reply = ask("quarantine show", "{" AT("office", "10.0.0.9") "}");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(reply, "result"), "address")),
		"10.0.0.9");
	json_decref(reply);
	assert_true(done("quarantine release", "{" AT("office", "10.0.0.9") "}",
		"address 10.0.0.9 of network office is released"));
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), CONFIG_QUARANTINE_NONE);
	assert_true(done("quarantine release", "{" AT("office", "10.0.0.9") "}", "nothing to do"));
	assert_true(done("quarantine release", "{\"all\":true}", "all ports and addresses"));
	assert_int_equal(quarantine_remote_total(), 0);
	assert_string_equal(listed(0, "where"), "none");
}

static void test_remote_refused(void **state)
{
	static const struct {
		const char *command, *args, *says;
	} list[] = {
		{"quarantine add", "{\"address\":\"10.0.0.9\"}", "say who: a port, or --network"},
		{"quarantine add", "{\"network\":\"office\"}", "say who: a port, or --network"},
		{"quarantine add", "{\"port\":\"vm1\"," AT("office", "10.0.0.9") "}", "say who"},
		{"quarantine add", "{" AT("attic", "10.0.0.9") "}", "there is no network `attic`"},
		{"quarantine add", "{" AT("office", "10.0.0.0/24") "}", "is no address of a guest"},
		{"quarantine add", "{" AT("office", "0.0.0.0") "}", "is no address of a guest"},
		{"quarantine add", "{" AT("office", "255.255.255.255") "}",
			"is no address of a guest"},
		{"quarantine add", "{" AT("office", "224.0.0.1") "}", "is no address of a guest"},
		{"quarantine add", "{" AT("office", "ff02::1") "}", "is no address of a guest"},
		{"quarantine add", "{" AT("office", "::") "}", "is no address of a guest"},
		{"quarantine add", "{" AT("office", "::ffff:10.0.0.9") "}",
			"is no address of a guest"},
		{"quarantine add", "{" AT("office", "vm1") "}", "is no address of a guest"},
		{"quarantine add", "{" AT("office", "10.0.0.1") "}",
			"that of port vm1 of this host: `quarantine add vm1`"},
		{"quarantine add", "{" AT("office", "10.0.0.9") ",\"level\":\"port\"}",
			"level `port`: write service or host"},
		{"quarantine add", "{\"port\":\"vm1\",\"level\":\"host\"}",
			"level `host`: write service or port"},
		{"quarantine show", "{}", "say who"},
		{"quarantine show", "{" AT("office", "10.0.0.9") "}",
			"address 10.0.0.9 of network office is not in quarantine"},
		{"quarantine show", "{" AT("attic", "10.0.0.9") "}", "there is no network `attic`"},
		{"quarantine release", "{" AT("attic", "10.0.0.9") "}",
			"there is no network `attic`"},
		{"quarantine release", "{" AT("office", "10.0.0.9") ",\"all\":true}",
			"give either"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		assert_false(done(list[i].command, list[i].args, list[i].says));
	assert_int_equal(quarantine_remote_total(), 0);
	assert_string_equal(listed(0, "where"), "none");
}

static void test_unreadable(void **state)
{
	(void)state;
	write_text("state/quarantines.json", "{");
	assert_false(load());
	assert_int_equal(warnings("quarantine list", "{}"), 1);
	assert_string_equal(listed(0, "reason"), "nobody knows what was in quarantine");
	assert_false(done("quarantine release", "{\"port\":\"vm1\"}", "mend it and restart"));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(warnings("quarantine add", "{\"port\":\"vm1\",\"level\":\"port\"}"), 1);
	assert_true(done(
		"quarantine release", "{\"all\":true}", "all ports and addresses are released"));
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_NONE);
	assert_int_equal(warnings("quarantine list", "{}"), 0);
}

/* In force all the same, with a warning. */
static void test_not_saved(void **state)
{
	char old[128];

	(void)state;
	strcpy(old, in_dir("state"));
	assert_int_equal(rename(old, in_dir("away")), 0);
	assert_int_equal(warnings("quarantine add", "{\"port\":\"vm1\"}"), 1);
	assert_int_equal(quarantine_level(VM1), CONFIG_QUARANTINE_SERVICE);
}

/* Numbers of the events that a question gets: how many, and that of the first. */
static size_t events(const char *args, json_int_t *first)
{
	json_t *reply = ask("events", args), *list = json_object_get(reply, "result");
	size_t n = json_array_size(list);

	*first = json_integer_value(json_object_get(json_array_get(list, 0), "number"));
	json_decref(reply);
	return n;
}

static void test_events(void **state)
{
	json_int_t first, number;

	(void)state;
	assert_true(done("quarantine add", "{\"port\":\"vm1\"}", "vm1"));
	assert_int_equal(events("{\"type\":\"quarantine\"}", &number), 1);
	assert_true(number > 1); /* the configuration's are before it */
	assert_int_equal(events("{\"type\":\"none\"}", &first), 0);
	assert_true(done("quarantine release", "{\"port\":\"vm1\"}", "vm1"));
	assert_int_equal(events("{\"type\":\"quarantine\"}", &first), 2);
	assert_int_equal(first, number);
	{
		char args[64];

		snprintf(args, sizeof(args), "{\"since\":%d}", (int)number);
		assert_int_equal(events(args, &first), 1);
		assert_int_equal(first, number + 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_add),
		TEST(test_refused),
		TEST(test_show),
		TEST(test_release),
		TEST(test_port_is_gone),
		TEST(test_remote),
		TEST(test_remote_refused),
		TEST(test_unreadable),
		TEST(test_not_saved),
		TEST(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
