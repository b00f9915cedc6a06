/* Commands that edit tenants, groups, rules and sets, on a fake switch. */
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
#include "temp_dir.h"
#include "transaction.h"

static const struct control_peer peer = {1000, 1000, 42};
static char refusal[512]; /* what the last refused command said, with the first error */

static int setup(void **state)
{
	char text[512];

	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	snprintf(text, sizeof(text),
		"vswitch: {state: %s/state}\n"
		"networks: [{name: office, tenant: acme}, {name: lab, tenant: umbrella}]\n"
		"ports: [{name: vm1, network: office, kernel: {interface: a1}}]\n",
		dir);
	write_text("v.yaml", text);
	events_open("");
	return transaction_load(in_dir("v.yaml")) != NULL && transaction_start() ? 0 : -1;
}

static int teardown(void **state)
{
	transaction_stop();
	events_close();
	loop_close();
	fake_switch_reset();
	return remove_dir(state);
}

/* The result of a command whose args are given as JSON; NULL: it was refused. */
static json_t *run(const char *command, const char *args)
{
	char line[1024];
	json_t *reply, *result;

	snprintf(line, sizeof(line), "{\"command\":\"%s\",\"args\":{%s}}", command, args);
	reply = commands_answer(line, strlen(line), &peer);
	result = json_incref(json_object_get(reply, "result"));
	if (result == NULL) {
		const char *first = json_string_value(json_object_get(
			json_array_get(json_object_get(reply, "errors"), 0), "message"));

		snprintf(refusal, sizeof(refusal), "%s",
			first != NULL ? first : json_string_value(json_object_get(reply, "error")));
	}
	json_decref(reply);
	return result;
}

static void accepted(const char *command, const char *args)
{
	json_t *result = run(command, args);

	if (result == NULL)
		fail_msg("%s %s: %s", command, args, refusal);
	json_decref(result);
}

static void refused(const char *command, const char *args, const char *why)
{
	unsigned revision = transaction_revision();
	json_t *result = run(command, args);

	assert_null(result);
	if (strstr(refusal, why) == NULL)
		fail_msg("%s %s: %s", command, args, refusal);
	assert_int_equal(transaction_revision(), revision);
}

/* One column of a table, as "a b c". */
static void assert_column(
	const char *command, const char *args, const char *member, const char *expected)
{
	json_t *rows = run(command, args), *row;
	char text[256] = "";
	size_t i;

	assert_true(json_is_array(rows));
	json_array_foreach (rows, i, row) {
		char *value = json_dumps(json_object_get(row, member), JSON_ENCODE_ANY);
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", value);
		free(value);
	}
	assert_string_equal(text, expected);
	json_decref(rows);
}

#define ALLOW "\"direction\":\"in\",\"action\":\"allow\""

static void test_rules(void **state)
{
	(void)state;
	accepted("group add", "\"name\":\"web\",\"tenant\":\"acme\"");
	accepted("rule add", "\"group\":\"web\",\"settings\":{" ALLOW ",\"protocol\":\"tcp\","
			     "\"ports\":\"22,1000-2000\",\"remote\":\"10.0.0.0/24\"}");
	accepted("rule add", "\"group\":\"web\",\"at\":0,\"settings\":{" ALLOW
			     ",\"name\":\"first\",\"remote.group\":\"web\"}");
	accepted("rule add", "\"group\":\"web\",\"settings\":{" ALLOW ",\"protocol\":\"icmp\","
			     "\"type\":\"8\",\"code\":\"0\"}");
	assert_column("rule list", "\"group\":\"web\"", "service",
		"\"any\" \"tcp 22,1000-2000\" \"icmp 8/0\"");
	assert_column("rule list", "\"group\":\"acme/web\"", "peer",
		"\"group web\" \"10.0.0.0/24\" \"any\"");
	refused("rule add", "\"group\":\"web\",\"at\":4,\"settings\":{" ALLOW "}",
		"has 3 rules: --at takes 0 to 3");
	refused("rule add", "\"group\":\"web\",\"settings\":{" ALLOW ",\"remote.set\":\"x\"}",
		"set \"x\" does not exist in tenant acme");
	refused("rule add", "\"group\":\"nobody\",\"settings\":{" ALLOW "}",
		"there is no group `nobody`");
	refused("rule del", "\"group\":\"web\",\"rule\":\"3\"", "has no rule `3`");
	refused("rule del", "\"group\":\"web\",\"rule\":\"last\"", "has no rule `last`");
	accepted("rule del", "\"group\":\"web\",\"rule\":\"1\",\"dry-run\":true");
	accepted("rule del", "\"group\":\"web\",\"rule\":\"first\"");
	accepted("rule del", "\"group\":\"web\",\"rule\":\"1\"");
	assert_column("rule list", "\"group\":\"web\"", "service", "\"tcp 22,1000-2000\"");
	accepted("group set", "\"name\":\"web\",\"settings\":{\"rules\":\"\"}");
	assert_column("rule list", "\"group\":\"web\"", "service", "");
}

static void test_names_of_two_tenants(void **state)
{
	(void)state;
	refused("group add", "\"name\":\"g\"", "several tenants: say which with --tenant");
	accepted("group add", "\"name\":\"g\",\"tenant\":\"acme\"");
	accepted("group add", "\"name\":\"g\",\"settings\":{\"tenant\":\"umbrella\"}");
	refused("group show", "\"name\":\"g\"", "one of acme, umbrella");
	refused("rule add", "\"group\":\"g\",\"settings\":{" ALLOW "}", "one of acme, umbrella");
	accepted("rule add", "\"group\":\"g\",\"tenant\":\"umbrella\",\"settings\":{" ALLOW "}");
	assert_column("group list", "", "rules", "0 1");
	assert_column("group list", "\"tenant\":\"umbrella\"", "rules", "1");
	refused("set add", "\"name\":\"g\",\"tenant\":\"acme\"", "of the same tenant, too");
	refused("group set", "\"name\":\"acme/g\",\"settings\":{\"tenant\":\"umbrella\"}",
		"the tenant of group acme/g cannot be changed");
	accepted("group del", "\"name\":\"g\",\"tenant\":\"umbrella\"");
	accepted("group show", "\"name\":\"g\"");
}

static void test_what_is_used_stays(void **state)
{
	json_t *group;

	(void)state;
	accepted("group add", "\"name\":\"g\",\"tenant\":\"acme\"");
	accepted("group add", "\"name\":\"g\",\"tenant\":\"acme\""); /* there already */
	refused("group add", "\"name\":\"g\",\"tenant\":\"acme\",\"strict\":true",
		"group acme/g exists already");
	accepted("port set", "\"name\":\"vm1\",\"settings\":{\"groups\":\"g\",\"pairs\":\"10.9.0."
			     "0/16\"}");
	group = run("group show", "\"name\":\"g\"");
	assert_int_equal(json_array_size(json_object_get(group, "ports")), 1);
	json_decref(group);
	assert_column("group list", "", "ports", "1");
	refused("group del", "\"name\":\"g\"", "group acme/g is used by port vm1");
	accepted("port set", "\"name\":\"vm1\",\"settings\":{\"groups\":\"\"}");
	accepted("group del", "\"name\":\"g\"");
	accepted("group del", "\"name\":\"g\""); /* gone already */
	refused("group del", "\"name\":\"g\",\"strict\":true", "does not exist");
	refused("port set", "\"name\":\"vm1\",\"settings\":{\"groups\":\"g\"}",
		"group \"g\" does not exist in tenant acme");
}

static void test_members_of_sets(void **state)
{
	json_t *set;

	(void)state;
	accepted("set add", "\"name\":\"s\",\"tenant\":\"acme\",\"settings\":{\"addresses\":"
			    "\"10.0.0.1,10.0.0.2-10.0.0.5\"}");
	/* What is in it already, however it is written, is not added again. */
	accepted("set member add",
		"\"set\":\"s\",\"addresses\":[\"10.0.0.1/32\",\"fd00::/64,10.0.0.9\"]");
	assert_column("set list", "", "addresses", "4");
	refused("set member add", "\"set\":\"s\",\"addresses\":[\"x\"]", "`x` is no address");
	refused("set member add", "\"set\":\"s\",\"addresses\":[\"10.0.0.9/8\"]",
		"10.0.0.0/8 would be right");
	refused("set member add", "\"set\":\"r\",\"addresses\":[\"10.0.0.9\"]", "there is no set");
	accepted("set member del", "\"set\":\"s\",\"addresses\":[\"fd00:0::/64\",\"10.0.0.77\"]");
	set = run("set show", "\"name\":\"s\"");
	assert_int_equal(json_array_size(json_object_get(set, "addresses")), 3);
	json_decref(set);
	accepted("group add", "\"name\":\"g\",\"tenant\":\"acme\"");
	accepted("rule add", "\"group\":\"g\",\"settings\":{" ALLOW ",\"remote.set\":\"s\"}");
	refused("set del", "\"name\":\"s\"", "set acme/s is used by rule 0 of group g");
	accepted("rule del", "\"group\":\"g\",\"rule\":\"0\"");
	accepted("set del", "\"name\":\"s\"");
}

/* Members of groups on other hosts. */
static void test_group_members(void **state)
{
	json_t *group;

	(void)state;
	accepted("group add", "\"name\":\"g\",\"tenant\":\"acme\",\"settings\":{\"addresses\":"
			      "\"10.0.0.1,fd00::1\"}");
	accepted("rule add", "\"group\":\"g\",\"settings\":{" ALLOW ",\"remote.group\":\"g\"}");
	accepted("group member add", "\"group\":\"g\",\"addresses\":[\"10.0.0.1/32\","
				     "\"10.0.0.2-10.0.0.5,10.1.0.0/24\"]");
	assert_column("group list", "", "addresses", "4");
	refused("group member add", "\"group\":\"g\",\"addresses\":[\"vm1\"]",
		"`vm1` is no address");
	refused("group member add", "\"group\":\"h\",\"addresses\":[\"10.0.0.9\"]",
		"there is no group");
	refused("group set", "\"name\":\"g\",\"settings\":{\"addresses\":\"vm1\"}", "vm1");
	accepted("group member del", "\"group\":\"g\",\"addresses\":[\"fd00:0::1\",\"10.9.9.9\"]");
	group = run("group show", "\"name\":\"g\"");
	assert_int_equal(json_array_size(json_object_get(group, "addresses")), 3);
	assert_int_equal(json_array_size(json_object_get(group, "ports")), 0);
	assert_int_equal(json_array_size(json_object_get(group, "rules")), 1);
	json_decref(group);
}

static void test_tenants(void **state)
{
	(void)state;
	assert_column("tenant list", "", "ports", "1 0");
	accepted("tenant set", "\"name\":\"acme\",\"settings\":{\"audit\":\"yes\","
			       "\"connections.max\":\"7\"}");
	assert_column("tenant list", "", "audit", "true false");
	accepted("tenant set", "\"name\":\"acme\",\"settings\":{\"audit\":\"\"}");
	assert_column("tenant list", "", "audit", "false false");
	assert_column("tenant list", "", "connections",
		"{\"max\": 7, \"per-second\": 50000} {\"max\": 200000, \"per-second\": 50000}");
	refused("tenant set", "\"name\":\"acme\",\"settings\":{\"connections.max\":\"0\"}",
		"from 1 to 16777216, not 0");
	accepted("tenant del", "\"name\":\"acme\"");
	accepted("tenant del", "\"name\":\"acme\"");
	refused("tenant del", "\"name\":\"acme\",\"strict\":true", "does not exist");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_of_two_tenants, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_used_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_members_of_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_members, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tenants, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
