/*
 * The commands block, block list and unblock, on a fake switch: what they refuse, what is in force,
 * saved, taken back, and lifted when its time is up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "block_timer.h"
#include "blocks.h"
#include "commands.h"
#include "events.h"
#include "fake_switch.h"
#include "loop.h"
#include "temp_dir.h"
#include "transaction.h"

static const struct control_peer peer = {1000, 1000, 42};

static const char document[] =
	"networks: [{name: office, tenant: acme}, {name: lab, tenant: other}]\n"
	"ports:\n"
	"  - {name: vm1, network: office, kernel: {interface: a1}}\n"
	"  - {name: vm2, network: lab, kernel: {interface: a2}}\n"
	"groups: [{name: servers, tenant: acme, rules: []}]\n"
	"sets:\n"
	"  - {name: files, tenant: acme, addresses: [10.0.0.1]}\n"
	"  - {name: files, tenant: other, addresses: [10.0.0.2]}\n";

/* Applies the document with text instead of `what`; NULL: as it is. */
static void apply(const char *what, const char *text)
{
	struct transaction_outcome outcome;
	struct transaction_how how = {0};
	char changed[1024];
	const char *at = what == NULL ? document + strlen(document) : strstr(document, what);

	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - document), document,
		what == NULL ? "" : text, what == NULL ? "" : at + strlen(what));
	transaction_apply("test.yaml", changed, strlen(changed), &how, &outcome);
	assert_true(outcome.done);
	transaction_outcome_free(&outcome);
}

static int setup(void **state)
{
	char text[128];

	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	snprintf(text, sizeof(text), "vswitch: {state: %s/state}\n", dir);
	write_text("v.yaml", text);
	events_open("");
	if (transaction_load(in_dir("v.yaml")) == NULL || !transaction_start() ||
		!blocks_load(in_dir("state")))
		return -1;
	apply(NULL, NULL);
	return 0;
}

static int teardown(void **state)
{
	blocks_free();
	block_timer_set();
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

/* A member of the i-th row of block list, as text: good until the next call. */
static const char *listed(size_t i, const char *member)
{
	static char text[256];
	json_t *reply = ask("block list", "{}");
	const json_t *value = json_object_get(
		json_array_get(json_object_get(reply, "result"), i), member);

	snprintf(text, sizeof(text), "%s",
		json_is_string(value)    ? json_string_value(value)
		: json_is_integer(value) ? "number"
		: json_is_null(value)    ? "null"
					 : "none");
	json_decref(reply);
	return text;
}

static void test_block(void **state)
{
	(void)state;
	assert_true(done("block", "{\"service\":\"6/445\"}", "block 1: tcp/445 from any to any"));
	assert_int_equal(fake_switch.policies, 1);
	assert_true(done("block", "{\"service\":\"tcp/445\"}", "there already"));
	assert_int_equal(fake_switch.policies, 1);
	assert_true(done("block",
		"{\"service\":\"any\",\"from\":\"servers\",\"to\":\"10.0.0.0/8\",\"in\":true,"
		"\"for\":7200,\"comment\":\"worm\"}",
		"block 2: any from servers to 10.0.0.0/8, tenant acme, into guests, until 20"));
	assert_string_equal(listed(0, "tenant"), "null");
	assert_string_equal(listed(0, "until"), "null");
	assert_string_equal(listed(1, "id"), "number");
	assert_string_equal(listed(1, "from"), "servers");
	assert_string_equal(listed(1, "to"), "10.0.0.0/8");
	assert_string_equal(listed(1, "tenant"), "acme");
	assert_string_equal(listed(1, "port"), "null");
	assert_string_equal(listed(1, "direction"), "in");
	assert_string_equal(listed(1, "comment"), "worm");
	assert_string_equal(listed(1, "note"), "null");
	assert_non_null(strchr(listed(1, "since"), 'T'));
	assert_non_null(strchr(listed(1, "until"), 'T'));
	assert_string_equal(listed(2, "id"), "none");
	/* In force, and saved. */
	assert_int_equal(fake_switch.policies, 2);
	assert_true(blocks_load(in_dir("state")));
	assert_int_equal(blocks_current()->n, 2);
}

static void test_block_refused(void **state)
{
	static const struct {
		const char *args, *says;
	} list[] = {
		{"{\"service\":\"tpc\"}", "`tpc` is no service: write tcp"},
		{"{\"service\":\"tcp\",\"from\":\"a b\"}", "from: `a b` is no address"},
		{"{\"service\":\"tcp\",\"to\":\"fd00::/200\"}", "to: `fd00::/200` is no address"},
		{"{\"service\":\"tcp\",\"from\":\"sevrers\"}", "`sevrers` is neither"},
		{"{\"service\":\"tcp\",\"from\":\"files\"}", "--tenant (acme, other)"},
		{"{\"service\":\"tcp\",\"from\":\"servers\",\"tenant\":\"other\"}",
			"tenant other has no set or group `servers`"},
		{"{\"service\":\"tcp\",\"from\":\"servers\",\"port\":\"vm2\"}",
			"tenant other has no set or group `servers`"},
		{"{\"service\":\"tcp\",\"from\":\"servers\",\"to\":\"sevrers\"}",
			"tenant acme has no set or group `sevrers`"},
		{"{\"service\":\"tcp\",\"tenant\":\"amce\"}", "no network is of a tenant `amce`"},
		{"{\"service\":\"tcp\",\"port\":\"vm3\"}", "there is no port `vm3`"},
		{"{\"service\":\"tcp\",\"port\":\"vm1\",\"tenant\":\"other\"}",
			"vm1 is of tenant acme, not of other"},
		{"{\"service\":\"tcp\",\"for\":0}", "argument `for` must be"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		assert_false(done("block", list[i].args, list[i].says));
	assert_int_equal(fake_switch.policies, 0);
	assert_int_equal(blocks_current()->n, 0);
}

static void test_names_with_scope(void **state)
{
	(void)state;
	assert_true(done("block", "{\"service\":\"tcp\",\"from\":\"files\",\"tenant\":\"other\"}",
		"tenant other"));
	assert_true(done("block", "{\"service\":\"tcp\",\"from\":\"files\",\"port\":\"vm1\"}",
		"files to any, port vm1"));
	assert_string_equal(listed(1, "tenant"), "null");
	assert_true(done("block", "{\"service\":\"tcp\",\"in\":true,\"out\":true}", "any to any,"));
	assert_string_equal(listed(2, "direction"), "both");
}

/* What the switch can't carry out is as if it had not been asked. */
static void test_taken_back(void **state)
{
	(void)state;
	assert_true(done("block", "{\"service\":\"tcp/1\"}", "block 1"));
	fake_switch.refuse_policy = 2;
	assert_false(done("block", "{\"service\":\"tcp/2\"}", "stay as they were: no memory"));
	assert_int_equal(blocks_current()->n, 1);
	assert_false(done("unblock", "{\"what\":\"all\"}", "stay as they were: no memory"));
	assert_int_equal(blocks_current()->n, 1);
	assert_true(blocks_load(in_dir("state")));
	assert_int_equal(blocks_current()->n, 1);
}

static void test_unblock(void **state)
{
	(void)state;
	assert_true(done("block", "{\"service\":\"tcp/1\"}", "block 1"));
	assert_true(done("block", "{\"service\":\"tcp/1\",\"in\":true}", "block 2"));
	assert_true(done("block", "{\"service\":\"udp\"}", "block 3"));
	assert_true(done("block", "{\"service\":\"47\"}", "block 4"));
	assert_int_equal(fake_switch.policies, 4);
	assert_true(done("unblock", "{\"what\":\"9\"}", "there is no block 9"));
	assert_true(done("unblock", "{\"what\":\"0\"}", "there is no block 0"));
	assert_true(done("unblock", "{\"what\":\"4294967297\"}", "there is no block"));
	assert_true(done("unblock", "{\"what\":\"tcp/2\"}", "there is no block tcp/2"));
	assert_false(done("unblock", "{\"what\":\"\"}", "neither the number"));
	assert_false(done("unblock", "{\"what\":\"tpc\"}", "neither the number"));
	assert_int_equal(fake_switch.policies, 4);
	assert_true(done("unblock", "{\"what\":\"6/1\"}", "2 blocks lifted"));
	assert_true(done("unblock", "{\"what\":\"3\"}", "1 block lifted"));
	assert_int_equal(fake_switch.policies, 6);
	assert_true(done("unblock", "{\"what\":\"all\"}", "1 block lifted"));
	assert_true(blocks_load(in_dir("state")));
	assert_int_equal(blocks_current()->n, 0);
}

/* A block whose name goes stays, and says that it matches nothing. */
static void test_notes(void **state)
{
	(void)state;
	assert_true(done("block", "{\"service\":\"tcp\",\"from\":\"servers\"}", "block 1"));
	assert_true(done("block", "{\"service\":\"tcp\",\"port\":\"vm1\"}", "block 2"));
	assert_true(done("block", "{\"service\":\"udp\",\"tenant\":\"acme\"}", "block 3"));
	apply("{name: servers,", "{name: clients,");
	assert_string_equal(listed(0, "note"), "no set or group servers: matches nothing");
	assert_string_equal(listed(1, "note"), "null");
	apply("{name: vm1,", "{name: vm9,");
	assert_string_equal(listed(0, "note"), "null");
	assert_string_equal(listed(1, "note"), "no port vm1: matches nothing");
	assert_string_equal(listed(2, "note"), "null");
}

/* In force comes first: a full disk must not keep the operator from shutting a port. */
static void test_not_saved(void **state)
{
	json_t *reply;
	char state_dir[128], away[128];

	(void)state;
	snprintf(state_dir, sizeof(state_dir), "%s", in_dir("state"));
	snprintf(away, sizeof(away), "%s", in_dir("away"));
	assert_int_equal(rename(state_dir, away), 0);
	reply = ask("block", "{\"service\":\"tcp\"}");
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(json_array_size(json_object_get(reply, "warnings")), 1);
	json_decref(reply);
	assert_int_equal(fake_switch.policies, 1);
	assert_non_null(blocks_problem());
	assert_int_equal(rename(away, state_dir), 0);
	for (unsigned i = 0; i < 100 && blocks_problem() != NULL; i++)
		loop_run_once(200);
	assert_null(blocks_problem());
	assert_true(blocks_load(state_dir));
	assert_int_equal(blocks_current()->n, 1);
}

static void test_time_is_up(void **state)
{
	time_t until;

	(void)state;
	assert_true(done("block", "{\"service\":\"tcp\",\"for\":1}", "block 1"));
	assert_true(done("block", "{\"service\":\"udp\",\"for\":3600}", "block 2"));
	until = blocks_current()->list[0].until;
	fake_switch.refuse_policy = 1; /* then it stays, and is tried again */
	for (unsigned i = 0; i < 400 && blocks_current()->n == 2; i++)
		loop_run_once(100);
	assert_int_equal(blocks_current()->n, 1);
	assert_int_equal(fake_switch.refuse_policy, 0);
	assert_true(time(NULL) >= until);
	assert_int_equal(fake_switch.policies, 3);
	assert_true(blocks_load(in_dir("state")));
	assert_int_equal(blocks_current()->list[0].id, 2);
}

/* With a file that cannot be used, nobody blocks or lifts anything before that is settled. */
static void test_unknown(void **state)
{
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "%s", in_dir("state"));
	write_text("state/blocks.json", "{\"version\":7}");
	assert_false(blocks_load(text));
	assert_false(done("block", "{\"service\":\"tcp\"}", "nobody knows what was blocked"));
	assert_false(done("unblock", "{\"what\":\"all\"}", "nobody knows what was blocked"));
	assert_false(done("block list", "{}", "nobody knows what was blocked"));
	assert_int_equal(fake_switch.policies, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_block),
		TEST(test_block_refused),
		TEST(test_names_with_scope),
		TEST(test_taken_back),
		TEST(test_unblock),
		TEST(test_notes),
		TEST(test_not_saved),
		TEST(test_time_is_up),
		TEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
