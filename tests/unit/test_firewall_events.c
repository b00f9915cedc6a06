/* What the firewall's records become in the event file. */
#include "frames.h"

#include "addr.h"
#include "classifier.h"
#include "events.h"
#include "firewall.h"
#include "firewall_events.h"
#include "switch_state.h"

#define FROM 3 /* ids */
#define TO   9

static struct worker worker;
static struct network_entry network = {.conf = {.name = "office", .tenant = "acme", .vlan = 100}};
static struct port_entry from = {.conf.name = "vm1", .id = FROM, .serial = 31, .network = &network};
static struct port_entry to = {.conf.name = "vm2", .id = TO, .serial = 91, .network = &network};
static struct config_rule rules[] = {{.name = "web"}, {.name = ""}, {.name = "no smb"}};
static struct config_group groups[] = {{.name = "servers", .tenant = "acme"},
	{.name = "desktops", .tenant = "other"},
	{.name = "desktops", .tenant = "acme", .rules = rules, .n_rules = 3}};
static struct config config = {.groups = groups, .n_groups = 3};
static struct firewall_record record;
static json_t *recent;

static int start_eal(void **state)
{
	return frames_eal("test_firewall_events") < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

static int set_up(void **state)
{
	worker = (struct worker){.now = 1000000, .hz = 1000};
	worker.firewall = firewall_create(1024, FRAGMENTS_BUFFERS_MIN);
	assert_non_null(worker.firewall);
	workers[0] = &worker;
	n_workers = 1;
	switch_state.single_step = true;
	switch_state.by_id[FROM] = &from;
	switch_state.by_id[TO] = &to;
	switch_state.config = &config;
	record = (struct firewall_record){
		.key = {.port = {49152, 445}, .proto = TCP},
		.opener = 0,
		.direction = POLICY_IN,
		.from_port = FROM,
		.from_serial = 31,
		.to_port = TO,
		.to_serial = 91,
		.service = service_key(TCP, 445),
		.verdict = {.action = CONFIG_DENY, .source = POLICY_BY_RULE, .rule = 2},
		.group = "desktops",
		.when = worker.now,
	};
	record.key.addr[0] = addr_from_ipv4((uint8_t[]){10, 0, 0, 1});
	record.key.addr[1] = addr_from_ipv4((uint8_t[]){10, 0, 0, 2});
	return 0;
}

static int tear_down(void **state)
{
	firewall_free(worker.firewall);
	memset(&switch_state, 0, sizeof(switch_state));
	n_workers = 0;
	json_decref(recent);
	recent = NULL;
	events_close();
	return 0;
}

static void put_record(void)
{
	firewall_log_put(firewall_log_of(worker.firewall), &record, FROM, worker.now, worker.hz);
}

static unsigned poll_events(void)
{
	firewall_events_poll();
	json_decref(recent);
	recent = events_recent();
	return (unsigned)json_array_size(recent);
}

/* The event that record becomes. */
static const json_t *told(void)
{
	unsigned n = poll_events();

	put_record();
	assert_int_equal(poll_events(), n + 1);
	return json_array_get(recent, n);
}

/* Of expected, in JSON with ' for ", all is in the event and nothing else but its timestamp. */
static void expect(const json_t *event, const char *expected)
{
	char text[1024];
	json_t *want, *got = json_copy((json_t *)(uintptr_t)event);

	snprintf(text, sizeof(text), "%s", expected);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	want = json_loads(text, 0, NULL);
	assert_non_null(want);
	assert_int_equal(json_object_del(got, "timestamp"), 0);
	if (!json_equal(want, got))
		print_error("%s\n", json_dumps(got, JSON_SORT_KEYS));
	assert_true(json_equal(want, got));
	json_decref(want);
	json_decref(got);
}

static void test_denied_by_rule(void **state)
{
	expect(told(), "{'event_type': 'drop', 'in_iface': 'vm1', 'vlan': [100],"
		       "'src_ip': '10.0.0.1', 'src_port': 49152,"
		       "'dest_ip': '10.0.0.2', 'dest_port': 445, 'proto': 'TCP',"
		       "'direction': 'to_server', 'verdict': {'action': 'drop'},"
		       "'drop': {'reason': 'policy_in'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm1',"
		       "'to_port': 'vm2', 'side': 'in', 'action': 'deny', 'by': 'rule',"
		       "'group': 'desktops', 'rule': 2, 'rule_name': 'no smb'}}");
}

static void test_rejected_the_other_way_round(void **state)
{
	record.opener = 1;
	record.direction = POLICY_OUT;
	record.verdict = (struct policy_verdict){
		.action = CONFIG_REJECT, .source = POLICY_BY_DEFAULT};
	network.conf.vlan = 0;
	expect(told(), "{'event_type': 'drop', 'in_iface': 'vm1',"
		       "'src_ip': '10.0.0.2', 'src_port': 445,"
		       "'dest_ip': '10.0.0.1', 'dest_port': 49152, 'proto': 'TCP',"
		       "'direction': 'to_server', 'verdict': {'action': 'drop',"
		       "'reject-target': 'to_client', 'reject': ['tcp-reset']},"
		       "'drop': {'reason': 'policy_out'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm1',"
		       "'to_port': 'vm2', 'side': 'out', 'action': 'reject',"
		       "'by': 'default'}}");
	network.conf.vlan = 100;
}

/* A block's denial of a frame for many, of a protocol without ports. */
static void test_blocked(void **state)
{
	record.key.proto = 47;
	record.to_port = NO_PORT;
	record.direction = POLICY_OUT;
	record.verdict = (struct policy_verdict){
		.action = CONFIG_DENY, .source = POLICY_BY_BLOCK, .block = 12};
	expect(told(), "{'event_type': 'drop', 'in_iface': 'vm1', 'vlan': [100],"
		       "'src_ip': '10.0.0.1', 'dest_ip': '10.0.0.2', 'proto': '47',"
		       "'direction': 'to_server', 'verdict': {'action': 'drop'},"
		       "'drop': {'reason': 'blocked'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm1',"
		       "'side': 'out', 'action': 'deny', 'by': 'block', 'block': 12}}");
}

static void test_accepted(void **state)
{
	record.verdict = (struct policy_verdict){
		.action = CONFIG_ALLOW, .source = POLICY_BY_RULE, .rule = 1, .log = true};
	record.picked_up = true;
	expect(told(), "{'event_type': 'firewall', 'in_iface': 'vm1', 'vlan': [100],"
		       "'src_ip': '10.0.0.1', 'src_port': 49152,"
		       "'dest_ip': '10.0.0.2', 'dest_port': 445, 'proto': 'TCP',"
		       "'direction': 'to_server', 'verdict': {'action': 'pass'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm1',"
		       "'to_port': 'vm2', 'side': 'in', 'action': 'allow', 'by': 'rule',"
		       "'group': 'desktops', 'rule': 1, 'picked_up': true}}");
}

static void test_audit(void **state)
{
	record.audit = true;
	record.key.proto = 58;
	record.key.addr[0] = addr_from_ipv6((uint8_t[16]){0xfd, [15] = 1});
	record.key.addr[1] = addr_from_ipv6((uint8_t[16]){0xfd, [15] = 2});
	record.service = service_key(58, 128 << 8 | 3);
	expect(told(), "{'event_type': 'firewall', 'in_iface': 'vm1', 'vlan': [100],"
		       "'src_ip': 'fd00::1', 'dest_ip': 'fd00::2', 'proto': 'IPv6-ICMP',"
		       "'icmp_type': 128, 'icmp_code': 3,"
		       "'direction': 'to_server', 'verdict': {'action': 'pass'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm1',"
		       "'to_port': 'vm2', 'side': 'in', 'action': 'deny', 'by': 'rule',"
		       "'group': 'desktops', 'rule': 2, 'rule_name': 'no smb',"
		       "'would_drop': true, 'reason': 'policy_in'}}");
}

/* ICMP in the other family's packets has no type; UDP rejected is answered by ICMP. */
static void test_protocols(void **state)
{
	const json_t *event;

	record.key.proto = 58;
	event = told();
	assert_null(json_object_get(event, "icmp_type"));
	assert_null(json_object_get(event, "src_port"));
	record.key.proto = UDP;
	record.verdict.action = CONFIG_REJECT;
	event = told();
	assert_string_equal(json_string_value(json_object_get(event, "proto")), "UDP");
	assert_string_equal(
		json_string_value(json_array_get(
			json_object_get(json_object_get(event, "verdict"), "reject"), 0)),
		"icmp-prohib");
}

static const char *metadata(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(json_object_get(event, "metadata"), key));
}

/* A port is what it was, not who has its id now. */
static void test_ports_that_are_gone(void **state)
{
	const json_t *event;

	record.from_serial--;
	event = told();
	assert_string_equal(json_string_value(json_object_get(event, "in_iface")), "(removed)");
	assert_string_equal(metadata(event, "from_port"), "(removed)");
	assert_string_equal(metadata(event, "to_port"), "vm2");
	assert_string_equal(metadata(event, "tenant"), "acme");
	switch_state.by_id[TO] = NULL;
	event = told();
	assert_string_equal(metadata(event, "to_port"), "(removed)");
	assert_null(metadata(event, "tenant"));
}

/* What is decided under the configuration before has no name in the one that runs now. */
static void test_rule_names_after_a_change(void **state)
{
	put_record();
	worker.now += 5;
	switch_state.revision_since = worker.now;
	assert_int_equal(poll_events(), 1);
	assert_null(metadata(json_array_get(recent, 0), "rule_name"));
	assert_string_equal(metadata(json_array_get(recent, 0), "group"), "desktops");
	record.when = worker.now;
	assert_string_equal(metadata(told(), "rule_name"), "no smb");
	record.verdict.rule = 3; /* none is that far */
	assert_null(metadata(told(), "rule_name"));
	strcpy(record.group, "gone");
	assert_null(metadata(told(), "rule_name"));
}

static void test_suppressed(void **state)
{
	for (unsigned i = 0; i < FIREWALL_LOG_PER_SECOND + 5; i++)
		put_record();
	assert_int_equal(poll_events(), FIREWALL_LOG_PER_SECOND);
	worker.now += worker.hz;
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(told(), "metadata"), "suppressed")),
		5);
}

/* A call writes so many; what found no room at all is told of once. */
static void test_bounded_and_lost(void **state)
{
	static struct firewall_record left[FIREWALL_LOG_RING];

	record.verdict.action = CONFIG_ALLOW;
	/* Half of the room is for denials. */
	for (unsigned i = 0; i < FIREWALL_LOG_RING / 2 + 7; i++)
		put_record();
	poll_events();
	assert_int_equal(
		json_integer_value(json_object_get(
			json_object_get(json_array_get(recent, EVENTS_RECENT - 1), "metadata"),
			"lost")),
		7);
	assert_int_equal(firewall_log_take(firewall_log_of(worker.firewall), left, RTE_DIM(left)),
		FIREWALL_LOG_RING / 2 - FIREWALL_EVENTS_BUDGET);
	events_close();
	assert_int_equal(poll_events(), 0);
	put_record();
	assert_int_equal(poll_events(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_denied_by_rule, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_rejected_the_other_way_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_blocked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accepted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_audit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_protocols, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ports_that_are_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rule_names_after_a_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_suppressed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounded_and_lost, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("firewall_events", tests, start_eal, stop_eal);
}
