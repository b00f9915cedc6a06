/*
 * Every field of the configuration: its limits, the words it takes, and the messages that say what
 * would be right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "config_fields.h"
#include "config_rig.h"

static const char small[] = "networks: [{name: n}]\n"
			    "ports: [{name: p, network: n, vhost-user: {socket: /s}}]\n";

#define TWO "networks: [{name: n}, {name: m}]\nports:\n"
#define REPLAY                                                                                     \
	TWO "- {name: p, network: n, vhost-user: {socket: /1}}\n"                                  \
	    "- {name: q, network: n, vhost-user: {socket: /2}}\nreplay:\n"

/* A field with a bad value, on line 2 of a document that is good without it. */
struct bad_field {
	const char *before; /* what leads to the field, ends with the line */
	const char *field; /* where the message must say it is; its last part is the field */
	const char *value;
	const char *why;
};

#define VSWITCH   "vswitch:\n"
#define NETWORK   "networks: [{name: n,\n"
#define PORT      "ports: [{name: p, network: n, vhost-user: {socket: /s},\n"
#define VHOST     "ports: [{name: p, network: n, vhost-user: {\n"
#define KERNEL    "ports: [{name: p, network: n, kernel: {interface: i,\n"
#define STORM     "ports: [{name: p, network: n, vhost-user: {socket: /s}, storm: {\n"
#define MAC_RIGHT "must be a unicast MAC such as \"02:00:00:00:00:01\", not "
#define PATH_RIGHT                                                                                 \
	"must be an absolute path in printable ASCII, such as /run/vswitch/vm1.sock, not "
#define NAME_RIGHT                                                                                 \
	"must be 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit, not "
#define MODE_RIGHT "must be permission bits in octal, such as \"0660\", not "
#define IFACE_RIGHT                                                                                \
	"must be an interface name of 1 to 15 characters without '/', ':', '%' or blanks, not "
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct bad_field bad_fields[] = {
	{VSWITCH, "vswitch.workers", "1", "must be a list, such as [a, b], not a number"},
	{VSWITCH, "vswitch.workers", "[]", "must name at least one core, such as [1]"},
	{VSWITCH, "vswitch.workers", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
		"has 17 items: at most 16 are taken"},
	{VSWITCH, "vswitch.control", "ctl.sock", PATH_RIGHT "\"ctl.sock\""},
	{VSWITCH, "vswitch.control", "5", "must be text: put it in quotes, \"5\""},
	{VSWITCH, "vswitch.control", "[/a]", "must be text, not a list"},
	{VSWITCH, "vswitch.control", "/run/../ctl",
		"must be a path without \"..\", not "
		"\"/run/../ctl\""},
	{VSWITCH, "vswitch.control", "//.//", "must be a path below /, not \"//.//\""},
	{VSWITCH, "vswitch.control", "\"/a\\nb\"", PATH_RIGHT "\"/a?b\""},
	{VSWITCH, "vswitch.control", "/" A63 "/" A63,
		"is a path of 128 characters: at most 107 "
		"are taken"},
	{VSWITCH, "vswitch.events", "\xc3\xa9", PATH_RIGHT "\"\xc3\xa9\""},
	{VSWITCH, "vswitch.state", "~",
		"has no value: give the directory of the saved state, or "
		"leave the field out"},
	{VSWITCH, "vswitch.control-access", "0660",
		"must be a mapping of the fields of who may use a file, not text"},
	{VSWITCH, "vswitch.hugepages", "maybe", "must be one of auto, yes, no, not \"maybe\""},
	{VSWITCH, "vswitch.hugepages", "1", "must be one of auto, yes, no, not 1"},
	{VSWITCH, "vswitch.buffers", "1023",
		"must be a whole number from 1024 to 8388608, not "
		"1023"},
	{VSWITCH, "vswitch.buffers", "8388609",
		"must be a whole number from 1024 to 8388608, not "
		"8388609"},
	{VSWITCH, "vswitch.buffers", "02048",
		"must be a whole number from 1024 to 8388608, not "
		"\"02048\""},
	{VSWITCH, "vswitch.sleep-after", "11s",
		"must be a time from 0us to 10000000us, such as "
		"50us, not \"11s\""},
	{VSWITCH, "vswitch.sleep-after", "-1",
		"must be a time from 0us to 10000000us, such as "
		"50us, not -1"},
	{VSWITCH, "vswitch.sleep-after", "5 us",
		"must be a time from 0us to 10000000us, such as "
		"50us, not \"5 us\""},
	{VSWITCH, "vswitch.sleep-after", "99999999999h",
		"must be a time from 0us to 10000000us, "
		"such as 50us, not \"99999999999h\""},
	{NETWORK, "networks[0].tenant", "a b", NAME_RIGHT "\"a b\""},
	{NETWORK, "networks[0].tenant", "''", NAME_RIGHT "\"\""},
	{NETWORK, "networks[0].tenant", "-a", NAME_RIGHT "\"-a\""},
	{NETWORK, "networks[0].tenant", "007", NULL},
	{NETWORK, "networks[0].tenant", "7", "must be text: put it in quotes, \"7\""},
	{NETWORK, "networks[0].tenant", "true", "must be text: put it in quotes, \"true\""},
	{NETWORK, "networks[0].tenant", A63, NULL},
	{NETWORK, "networks[0].tenant", A63 "b",
		NAME_RIGHT "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			   "aaaaaaaaaaaaa\""},
	{NETWORK, "networks[0].vlan", "4095", "must be a whole number from 0 to 4094, not 4095"},
	{NETWORK, "networks[0].vlan", "-1", "must be a whole number from 0 to 4094, not -1"},
	{NETWORK, "networks[0].vlan", "1.5", "must be a whole number from 0 to 4094, not \"1.5\""},
	{NETWORK, "networks[0].vlan", "yes", "must be a whole number from 0 to 4094, not \"yes\""},
	{NETWORK, "networks[0].vlan", "4294967296",
		"must be a whole number from 0 to 4094, not 4294967296"},
	{NETWORK, "networks[0].workers", "0", "must be a whole number from 1 to 16, not 0"},
	{NETWORK, "networks[0].workers", "2",
		"must be at most 1, the number of cores in vswitch.workers, not 2"},
	{NETWORK, "networks[0].home", "1023",
		"core 1023 is not in vswitch.workers: name one that "
		"is, or leave the field out"},
	{NETWORK, "networks[0].home", "-1", "must be a whole number from 0 to 1023, not -1"},
	{NETWORK, "networks[0].mtu", "67", "must be a whole number from 68 to 9000, not 67"},
	{NETWORK, "networks[0].mtu", "9001", "must be a whole number from 68 to 9000, not 9001"},
	{NETWORK, "networks[0].learning", "2", "must be true or false, not 2"},
	{NETWORK, "networks[0].learning", "maybe", "must be true or false, not \"maybe\""},
	{NETWORK, "networks[0].unknown-unicast", "no", "must be one of flood, drop, not \"no\""},
	{NETWORK, "networks[0].unknown-unicast", "false", "must be one of flood, drop, not false"},
	{NETWORK, "networks[0].mac-limit", "1048577",
		"must be a whole number from 0 to 1048576, not 1048577"},
	{NETWORK, "networks[0].mac-age", "0",
		"must be a time from 1s to 1000000s, such as 300s, "
		"not 0"},
	{NETWORK, "networks[0].mac-age", "1500ms",
		"must be a time from 1s to 1000000s, such as "
		"300s, not \"1500ms\""},
	{PORT, "ports[0].mac", "01:00:5e:00:00:01",
		"is a group address: the second digit of a unicast MAC is even, as in "
		"02:00:00:00:00:01"},
	{PORT, "ports[0].mac", "00:00:00:00:00:00", MAC_RIGHT "\"00:00:00:00:00:00\""},
	{PORT, "ports[0].mac", "02:00:00:00:00", MAC_RIGHT "\"02:00:00:00:00\""},
	{PORT, "ports[0].mac", "02-00-00-00-00-01", MAC_RIGHT "\"02-00-00-00-00-01\""},
	{PORT, "ports[0].mac", "02:00:00:00:00:0g", MAC_RIGHT "\"02:00:00:00:00:0g\""},
	{PORT, "ports[0].mac", "12", MAC_RIGHT "12"},
	{PORT, "ports[0].ips", "10.0.0.1", "must be a list, such as [a, b], not text"},
	{PORT, "ports[0].mtu", "9001", "must be a whole number from 68 to 9000, not 9001"},
	{PORT, "ports[0].tagged", "yes", "must be one of drop, pass, not \"yes\""},
	{PORT, "ports[0].flood", "sometimes", "must be one of auto, on, off, not \"sometimes\""},
	{PORT, "ports[0].storm", "5",
		"must be a mapping of the fields of the storm control, not a "
		"number"},
	{PORT, "ports[0].tx-retries", "65", "must be a whole number from 0 to 64, not 65"},
	{STORM, "ports[0].storm.broadcast", "-1",
		"must be a whole number from 0 to 4294967295, not -1"},
	{STORM, "ports[0].storm.multicast", "4294967296",
		"must be a whole number from 0 to 4294967295, not 4294967296"},
	{VHOST, "ports[0].vhost-user.socket", "vm1.sock", PATH_RIGHT "\"vm1.sock\""},
	{VHOST "socket: /s,", "ports[0].vhost-user.mode", "peer",
		"must be one of client, server, not \"peer\""},
	{VHOST "socket: /s,", "ports[0].vhost-user.queues", "17",
		"must be a whole number from 1 to 16, not 17"},
	{VHOST "socket: /s,", "ports[0].vhost-user.packed", "1", "must be true or false, not 1"},
	{KERNEL, "ports[0].kernel.netns", "a/b", NAME_RIGHT "\"a/b\""},
	{"ports: [{name: p, network: n, kernel: {\n", "ports[0].kernel.interface", "tap%d",
		IFACE_RIGHT "\"tap%d\""},
	{"ports: [{name: p, network: n, kernel: {\n", "ports[0].kernel.interface", "..",
		IFACE_RIGHT "\"..\""},
	{"ports: [{name: p, network: n, kernel: {\n", "ports[0].kernel.interface",
		"abcdefghijklmnop", IFACE_RIGHT "\"abcdefghijklmnop\""},
	{"ports: [{name: p, network: n, kernel: {\n", "ports[0].kernel.interface",
		"abcdefghijklmno", NULL},
	{"vswitch: {control-access: {\n", "vswitch.control-access.mode", "660", MODE_RIGHT "660"},
	{"vswitch: {control-access: {\n", "vswitch.control-access.mode", "0888",
		MODE_RIGHT "\"0888\""},
	{"vswitch: {control-access: {\n", "vswitch.control-access.mode", "'4755'",
		MODE_RIGHT "\"4755\""},
	{"vswitch: {control-access: {\n", "vswitch.control-access.mode", "rw", MODE_RIGHT "\"rw\""},
	{"vswitch: {control-access: {\n", "vswitch.control-access.owner", "no-such-user",
		"must be a user that this host knows (getent passwd), or a number, not "
		"\"no-such-user\""},
	{"vswitch: {control-access: {\n", "vswitch.control-access.owner", "4294967295",
		"must be a user that this host knows (getent passwd), or a number, not "
		"4294967295"},
	{"vswitch: {socket-access: {\n", "vswitch.socket-access.group", "no-such-group",
		"must be a group that this host knows (getent group), or a number, not "
		"\"no-such-group\""},
};

/* A whole document around the field: brackets closed, the network there. */
static void with_field(const struct bad_field *bad, char *text, size_t size)
{
	const char *name = strrchr(bad->field, '.') + 1;
	size_t len = (size_t)snprintf(text, size, "%s  %s: %s", bad->before, name, bad->value);
	char closing[16];
	unsigned depth = 0;

	for (const char *c = bad->before; *c; c++) {
		if (*c == '[' || *c == '{')
			closing[depth++] = *c == '[' ? ']' : '}';
		else if (*c == ']' || *c == '}')
			depth--;
	}
	while (depth > 0)
		text[len++] = closing[--depth];
	snprintf(text + len, size - len, "\n%s",
		strncmp(bad->field, "ports", 5) ? "" : "networks: [{name: n}]\n");
}

static void every_limit_is_held(void **state)
{
	char text[1024];

	for (size_t i = 0; i < sizeof(bad_fields) / sizeof(*bad_fields); i++) {
		const struct bad_field *bad = &bad_fields[i];
		/* "socket: /s," stands on the same line, in front of the field */
		unsigned col = 3 + (unsigned)strlen(strchr(bad->before, '\n') + 1);

		with_field(bad, text, sizeof(text));
		if (bad->why)
			assert_fault(text, 2, col, bad->field, bad->why);
		else
			config_free(decode_good(text));
	}
}

static void items_of_lists_are_checked(void **state)
{
	assert_fault("vswitch:\n  workers: [1, 1]\n", 2, 16, "vswitch.workers[1]",
		"is in the list twice: remove one");
	assert_fault("vswitch:\n  workers: [1024]\n", 2, 13, "vswitch.workers[0]",
		"must be a whole number from 0 to 1023, not 1024");
	assert_fault("networks: [{name: n}]\n"
		     "ports: [{name: p, network: n, vhost-user: {socket: /s},\n"
		     "  ips: [10.0.0.1, 10.0.0.256]}]\n",
		3, 19, "ports[0].ips[1]",
		"must be the address of one host, such as 10.0.0.1 or 2001:db8::1, not "
		"\"10.0.0.256\"");
	assert_fault("networks: [{name: n}]\n"
		     "ports: [{name: p, network: n, vhost-user: {socket: /s},\n"
		     "  ips: ['::1', '0::1']}]\n",
		3, 16, "ports[0].ips[1]", "is in the list twice: remove one");
}

static void addresses_are_those_of_hosts(void **state)
{
	static const char *const bad[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255", "'::'",
		"'ff02::1'", "10.0.0.0/24", "10.0.0", "010.0.0.1", "fe80::1%eth0", "host"};
	char text[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct config *c;

		snprintf(text, sizeof(text), "%s", small);
		snprintf(text + strlen(text) - 3, 64, ", ips: [%s]}]\n", bad[i]);
		c = decode(text);
		print_message("%s\n", bad[i]);
		assert_null(c);
		assert_int_equal(report.n_errors, 1);
		assert_string_equal(report.messages[0].field, "ports[0].ips[0]");
	}
}

static void prefixes_are_written_in_full(void **state)
{
	static const char *const bad[] = {"10.0.0.0/33", "'::/129'", "10.0.0.0/", "10.0.0.0/-1",
		"10.0.0.0/8x", "10.0.0.0/0008", "10.0/8", "/8", "8", "''"};
	char text[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct config *c;

		snprintf(text, sizeof(text), REPLAY "- {port: p, ips: [%s]}\n", bad[i]);
		c = decode(text);
		print_message("%s\n", bad[i]);
		assert_null(c);
		assert_int_equal(report.n_errors, 1);
		assert_non_null(strstr(report.messages[0].text,
			"must be an address or prefix such as 10.0.0.0/24 or 2001:db8::/64"));
	}
}

static void unknown_fields_are_refused_with_the_known_ones(void **state)
{
	assert_fault("network: []\n", 1, 1, "network",
		"unknown field; did you mean \"networks\"? Known are vswitch, networks, ports, "
		"uplinks, tenants, groups, sets, firewall, inspection, replay");
	assert_fault("monitoring: []\n", 1, 1, "monitoring",
		"unknown field; known are vswitch, networks, "
		"ports, uplinks, tenants, groups, sets, firewall, inspection, replay");
	assert_fault("networks:\n- name: n\n  tenat: t\n", 3, 3, "networks[0].tenat",
		"unknown field; did you mean \"tenant\"? Known are name, tenant, vlan, vni, "
		"workers, home, mtu, learning, unknown-unicast, mac-limit, mac-age, ethertypes");
	assert_fault("networks: [{name: n}]\nports:\n"
		     "- {name: p, network: n, vhost-user: {socket: /s}, mirrors: [g]}\n",
		3, 51, "ports[0].mirrors",
		"unknown field; known are name, network, vhost-user, kernel, mac, ips, mtu, "
		"isolated, "
		"promiscuous, tagged, flood, mac-limit, storm, tx-retries, groups, default-in, "
		"default-out, trusted, pairs, connections");
	assert_fault("vswitch:\n  control-access: {user: root}\n", 2, 20,
		"vswitch.control-access.user", "unknown field; known are owner, group, mode");
}

static void near_names_are_found(void **state)
{
	const struct config_table *port = &config_fields_port;

	assert_string_equal(config_schema_nearest(port, "vhost_user"), "vhost-user");
	assert_string_equal(config_schema_nearest(port, "isolate"), "isolated");
	assert_string_equal(config_schema_nearest(port, "ip"), "ips");
	assert_string_equal(config_schema_nearest(port, "netwrok"), "network");
	assert_null(config_schema_nearest(port, ""));
	assert_null(config_schema_nearest(port, "zz"));
	assert_null(config_schema_nearest(port, "inspection"));
	assert_null(config_schema_nearest(
		port, "macmacmacmacmacmacmacmacmacmacmacmacmacmacmacmacmacmacmacmacmacmac"));
}

/* Another YAML writer turns `on` into true: the choice among on and off still means it. */
static void booleans_stand_for_yes_and_on(void **state)
{
	struct config *c = decode_good(
		"vswitch: {hugepages: true}\nnetworks: [{name: n}]\n"
		"ports: [{name: p, network: n, vhost-user: {socket: /s}, flood: false}]\n");

	assert_int_equal(c->vswitch.hugepages, CONFIG_HUGEPAGES_YES);
	assert_int_equal(c->ports[0].flood, CONFIG_FLOOD_OFF);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_limit_is_held),
		cmocka_unit_test(items_of_lists_are_checked),
		cmocka_unit_test(addresses_are_those_of_hosts),
		cmocka_unit_test(prefixes_are_written_in_full),
		cmocka_unit_test(unknown_fields_are_refused_with_the_known_ones),
		cmocka_unit_test(near_names_are_found),
		cmocka_unit_test(booleans_stand_for_yes_and_on),
	};

	return cmocka_run_group_tests_name("config_fields", tests, NULL, NULL);
}
