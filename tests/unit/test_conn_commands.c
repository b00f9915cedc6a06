/*
 * The commands conn list, conn count, conn kill and explain, on a whole switch with connections:
 * every filter, what is refused, and what is left after a kill.
 */
#include "firewall_rig.h"

#include "commands.h"

#define SMALL "vswitch: {workers: [1], connections: 4096}\nfirewall: {pick-up: 0}\n"
#define NETS  "networks: [{name: n, tenant: t}, {name: m, tenant: u}]\n"
#define GROUP                                                                                      \
	"groups:\n- name: g\n  tenant: t\n  rules:\n"                                              \
	"  - {direction: in, protocol: tcp, ports: 445, action: allow}\n"                          \
	"  - {direction: in, protocol: udp, ports: 53, action: allow}\n"
#define PORTS                                                                                      \
	"ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST(c, 3, ", groups: [g]")          \
		HOST_IN(x, 1, "m", "") HOST_IN(y, 2, "m", ", default-in: allow")

static const struct control_peer peer = {1000, 1000, 42};

/* The reply to a command with args, a JSON text with ' for "; the caller owns it. */
static json_t *ask(const char *command, const char *args)
{
	char line[512];

	snprintf(line, sizeof(line), "{'command': '%s', 'args': %s}", command, args);
	for (char *c = line; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	return commands_answer(line, strlen(line), &peer);
}

static const json_t *result_of(const json_t *reply)
{
	if (!json_is_true(json_object_get(reply, "ok")))
		fail_msg("%s", json_string_value(json_object_get(reply, "error")));
	return json_object_get(reply, "result");
}

/* How many connections conn list has; those of conn count, too. */
static unsigned listed(const char *args)
{
	json_t *list = ask("conn list", args), *count = ask("conn count", args);
	size_t n = json_array_size(json_object_get(result_of(list), "connections"));

	assert_int_equal(
		json_integer_value(json_object_get(result_of(count), "connections")), (int)n);
	assert_false(json_is_true(json_object_get(result_of(list), "more")));
	json_decref(list);
	json_decref(count);
	return (unsigned)n;
}

static void refuses(const char *command, const char *args, const char *says)
{
	json_t *reply = ask(command, args);
	const char *error = json_string_value(json_object_get(reply, "error"));

	assert_false(json_is_true(json_object_get(reply, "ok")));
	if (error == NULL || strstr(error, says) == NULL)
		fail_msg("%s %s: \"%s\" does not say \"%s\"", command, args, error, says);
	json_decref(reply);
}

/* a to b: TCP, established, and UDP; a to c: TCP, a SYN; x to y, of the other tenant: UDP. */
static void make_connections(void)
{
	rig_start(SMALL NETS GROUP PORTS);
	fw_handshake();
	fw_passes("a", "b", UDP_A);
	fw_passes("a", "c", .from = 1, .to = 3, .proto = TCP, .sport = 40001, .dport = 445,
		.flags = TCP_SYN);
	fw_passes("x", "y", UDP_A);
}

static void test_filters(void **state)
{
	make_connections();
	assert_int_equal(listed("{}"), 4);
	assert_int_equal(listed("{'network': 'n'}"), 3);
	assert_int_equal(listed("{'tenant': 'u'}"), 1);
	assert_int_equal(listed("{'tenant': 'nobody'}"), 0);
	assert_int_equal(listed("{'port': 'b'}"), 2);
	assert_int_equal(listed("{'port': 'a'}"), 3);
	assert_int_equal(listed("{'from': '10.0.0.1'}"), 4);
	assert_int_equal(listed("{'from': '10.0.0.2'}"), 0);
	assert_int_equal(listed("{'to': '10.0.0.3-10.0.0.9'}"), 1);
	assert_int_equal(listed("{'to': '10.0.0.2/31'}"), 4);
	assert_int_equal(listed("{'service': 'tcp'}"), 2);
	assert_int_equal(listed("{'service': 'tcp/445'}"), 2);
	assert_int_equal(listed("{'service': 'tcp/446'}"), 0);
	assert_int_equal(listed("{'service': 'udp/53', 'network': 'm'}"), 1);
	assert_int_equal(listed("{'state': 'established'}"), 1);
	assert_int_equal(listed("{'state': 'syn', 'port': 'c'}"), 1);
	assert_int_equal(listed("{'state': 'syn', 'port': 'b'}"), 0);
}

static void test_rows(void **state)
{
	json_t *reply;
	const json_t *row;

	make_connections();
	reply = ask("conn list", "{'state': 'established'}");
	row = json_array_get(json_object_get(result_of(reply), "connections"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "from")), "a");
	assert_string_equal(json_string_value(json_object_get(row, "to")), "b");
	assert_string_equal(json_string_value(json_object_get(row, "protocol")), "tcp");
	assert_string_equal(json_string_value(json_object_get(row, "from_address")), "10.0.0.1");
	assert_int_equal(json_integer_value(json_object_get(row, "from_port")), 40000);
	assert_int_equal(json_integer_value(json_object_get(row, "to_port")), 445);
	assert_string_equal(json_string_value(json_object_get(row, "rule_in")), "g:0");
	assert_true(json_is_null(json_object_get(row, "rule_out")));
	json_decref(reply);
	reply = ask("conn list", "{'limit': 2}");
	assert_int_equal(json_array_size(json_object_get(result_of(reply), "connections")), 2);
	assert_true(json_is_true(json_object_get(result_of(reply), "more")));
	json_decref(reply);
}

/* The number that conn count has of name, by what args say. */
static int counted(const char *args, const char *name)
{
	json_t *reply = ask("conn count", args);
	const json_t *each;
	int n = -1;
	size_t i;

	json_array_foreach (json_object_get(result_of(reply), "groups"), i, each)
		if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
			n = (int)json_integer_value(json_object_get(each, "connections"));
	json_decref(reply);
	return n;
}

static void test_count(void **state)
{
	make_connections();
	assert_int_equal(counted("{}", "all"), 4);
	assert_int_equal(counted("{'by': 'tenant'}", "t"), 3);
	assert_int_equal(counted("{'by': 'tenant'}", "u"), 1);
	assert_int_equal(counted("{'by': 'network'}", "n"), 3);
	assert_int_equal(counted("{'by': 'port'}", "a"), 3);
	assert_int_equal(counted("{'by': 'port'}", "b"), -1);
	assert_int_equal(counted("{'by': 'state'}", "established"), 1);
	assert_int_equal(counted("{'by': 'state', 'network': 'm'}", "established"), -1);
}

static void test_refused(void **state)
{
	make_connections();
	refuses("conn list", "{'network': 'z'}", "network z does not exist");
	refuses("conn list", "{'port': 'z'}", "port z does not exist");
	refuses("conn list", "{'state': 'open'}", "there are syn, syn-ack");
	refuses("conn list", "{'service': 'smb'}", "give tcp/445");
	refuses("conn count", "{'from': '10.0.0.300'}", "give an address, a prefix or a range");
	refuses("conn count", "{'to': 'b'}", "give an address, a prefix or a range");
	refuses("conn count", "{'by': 'rule'}", "give tenant, network, port or state");
	refuses("conn kill", "{}", "say which connections, or --all");
	refuses("conn kill", "{'port': 'z'}", "port z does not exist");
	assert_int_equal(listed("{}"), 4);
}

static void kills(const char *args, const char *message)
{
	json_t *reply = ask("conn kill", args);

	assert_string_equal(
		json_string_value(json_object_get(result_of(reply), "message")), message);
	json_decref(reply);
	rig_settle();
}

static void test_kill(void **state)
{
	make_connections();
	kills("{'state': 'established'}", "1 connection closed");
	assert_int_equal(listed("{}"), 3);
	fw_drops("a", tcp_no_connection, TCP_A(TCP_ACK));
	fw_passes("a", "b", TCP_A(TCP_SYN));
	kills("{'tenant': 'u'}", "1 connection closed");
	assert_int_equal(listed("{'network': 'm'}"), 0);
	kills("{'service': 'icmp'}", "0 connections closed");
	assert_int_equal(listed("{}"), 3);
	kills("{'all': true}", "3 connections closed");
	assert_int_equal(listed("{}"), 0);
}

/* The reply says whether the answer is no. */
static void test_explain(void **state)
{
	json_t *reply;

	make_connections();
	reply = ask("explain", "{'from': 'a', 'to': '10.0.0.2', 'service': 'tcp/445'}");
	assert_string_equal(
		json_string_value(json_object_get(result_of(reply), "verdict")), "pass");
	assert_false(json_is_true(json_object_get(reply, "negative")));
	json_decref(reply);
	reply = ask("explain", "{'from': 'a', 'to': 'b', 'service': 'tcp/446'}");
	assert_string_equal(
		json_string_value(json_object_get(result_of(reply), "reason")), "policy_in");
	assert_true(json_is_true(json_object_get(reply, "negative")));
	json_decref(reply);
	refuses("explain", "{'from': 'z', 'to': 'b', 'service': 'tcp/446'}", "port z does not");
}

static int start_eal(void **state)
{
	return rig_eal("test_conn_commands", "256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_filters),
		FW_TEST(test_rows),
		FW_TEST(test_count),
		FW_TEST(test_refused),
		FW_TEST(test_kill),
		FW_TEST(test_explain),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
