/* What workers tell of connections that have ended becomes `flow` events. */
#include "frames.h"

#include <time.h>

#include "addr.h"
#include "conn_table.h"
#include "events.h"
#include "flow_events.h"
#include "flow_log.h"
#include "inspect_state.h"
#include "switch_state.h"

#define FROM 3 /* ids */
#define TO   9

static struct inspect inspect;
static struct worker worker;
static struct network_entry network = {.conf = {.name = "office", .tenant = "acme", .vlan = 100}};
static struct port_entry from = {.conf.name = "vm1", .id = FROM, .serial = 31, .network = &network};
static struct port_entry to = {.conf.name = "vm2", .id = TO, .serial = 91, .network = &network};
static struct flow_record record;
static json_t *recent;

static int start_eal(void **state)
{
	return frames_eal("test_flow_events") < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

static int set_up(void **state)
{
	worker = (struct worker){.now = 1000000, .hz = 1000, .inspect = &inspect};
	inspect.flow_log = flow_log_create();
	assert_non_null(inspect.flow_log);
	workers[0] = &worker;
	n_workers = 1;
	switch_state.single_step = true;
	switch_state.by_id[FROM] = &from;
	switch_state.by_id[TO] = &to;
	record = (struct flow_record){
		.key = {.port = {49152, 445}, .network = 5, .proto = TCP},
		.opener = 0,
		.state = CONN_TCP_CLOSED,
		.reason = "closed",
		.port = {FROM, TO},
		.serial = {31, 91},
		.since = worker.now - 90500,
		.until = worker.now - 500,
		.packets = {7, 8},
		.bytes = {700, UINT64_C(5000000000)},
	};
	record.key.addr[0] = addr_from_ipv4((uint8_t[]){10, 0, 0, 1});
	record.key.addr[1] = addr_from_ipv4((uint8_t[]){10, 0, 0, 2});
	return 0;
}

static int tear_down(void **state)
{
	flow_log_free(inspect.flow_log);
	memset(&switch_state, 0, sizeof(switch_state));
	n_workers = 0;
	json_decref(recent);
	recent = NULL;
	events_close();
	return 0;
}

static unsigned poll_events(void)
{
	flow_events_poll();
	json_decref(recent);
	recent = events_recent();
	return (unsigned)json_array_size(recent);
}

/* The event that record becomes. */
static const json_t *told(void)
{
	unsigned n = poll_events();

	flow_log_put(inspect.flow_log, &record, worker.now, worker.hz);
	assert_int_equal(poll_events(), n + 1);
	return json_array_get(recent, n);
}

static const json_t *member(const json_t *event, const char *object, const char *key)
{
	return json_object_get(json_object_get(event, object), key);
}

/* Of expected, in JSON with ' for ", all is in the event and nothing else but its times. */
static void expect(const json_t *event, const char *expected)
{
	char text[1024];
	json_t *want, *got = json_deep_copy(event), *flow = json_object_get(got, "flow");

	snprintf(text, sizeof(text), "%s", expected);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	want = json_loads(text, 0, NULL);
	assert_non_null(want);
	assert_int_equal(json_object_del(got, "timestamp"), 0);
	assert_int_equal(json_object_del(got, "flow_id"), 0);
	assert_int_equal(json_object_del(flow, "start"), 0);
	assert_int_equal(json_object_del(flow, "end"), 0);
	if (!json_equal(want, got))
		print_error("%s\n", json_dumps(got, JSON_SORT_KEYS));
	assert_true(json_equal(want, got));
	json_decref(want);
	json_decref(got);
}

static void test_closed(void **state)
{
	expect(told(), "{'event_type': 'flow', 'in_iface': 'vm1', 'vlan': [100],"
		       "'src_ip': '10.0.0.1', 'src_port': 49152,"
		       "'dest_ip': '10.0.0.2', 'dest_port': 445, 'proto': 'TCP',"
		       "'verdict': {'action': 'pass'},"
		       "'flow': {'pkts_toserver': 7, 'pkts_toclient': 8, 'bytes_toserver': 700,"
		       "'bytes_toclient': 5000000000, 'age': 90, 'state': 'closed',"
		       "'reason': 'closed', 'alerted': false, 'action': 'accept'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm1',"
		       "'to_port': 'vm2', 'state': 'closed'}}");
}

/* Opened by the key's other side, in its middle, with alerts, and cut. */
static void test_cut(void **state)
{
	record.opener = 1;
	record.partial = record.alerted = true;
	record.state = CONN_TCP_ESTABLISHED;
	record.verdict = FLOW_REJECTED;
	snprintf(record.reason, sizeof(record.reason), "found");
	network.conf.vlan = 0;
	expect(told(), "{'event_type': 'flow', 'in_iface': 'vm2',"
		       "'src_ip': '10.0.0.2', 'src_port': 445,"
		       "'dest_ip': '10.0.0.1', 'dest_port': 49152, 'proto': 'TCP',"
		       "'verdict': {'action': 'drop', 'reject-target': 'both',"
		       "'reject': ['tcp-reset']},"
		       "'flow': {'pkts_toserver': 8, 'pkts_toclient': 7,"
		       "'bytes_toserver': 5000000000, 'bytes_toclient': 700, 'age': 90,"
		       "'state': 'established', 'reason': 'found', 'alerted': true,"
		       "'action': 'drop'},"
		       "'metadata': {'tenant': 'acme', 'network': 'office', 'from_port': 'vm2',"
		       "'to_port': 'vm1', 'state': 'established', 'picked_up': true}}");
	network.conf.vlan = 100;
}

static void test_dropped_and_new(void **state)
{
	const json_t *event;

	record.verdict = FLOW_DROPPED;
	record.state = CONN_TCP_SYN_ACK;
	event = told();
	assert_string_equal(json_string_value(member(event, "verdict", "action")), "drop");
	assert_null(member(event, "verdict", "reject"));
	assert_string_equal(json_string_value(member(event, "flow", "action")), "drop");
	assert_string_equal(json_string_value(member(event, "flow", "state")), "new");
}

/* In seconds; the text is in the time zone of the machine. */
static double seconds(const json_t *event, const char *key)
{
	const char *text = json_string_value(member(event, "flow", key)), *rest;
	struct tm tm = {.tm_isdst = -1};

	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	assert_non_null(rest);
	assert_int_equal(*rest, '.');
	return (double)mktime(&tm) + strtod(rest, NULL);
}

/* The worker's clock counts from anywhere; what it says is set against the time that it is now. */
static void test_times(void **state)
{
	time_t before = time(NULL), after;
	const json_t *event = told();
	double start = seconds(event, "start"), end = seconds(event, "end");

	after = time(NULL);
	assert_true(end - start > 89.999 && end - start < 90.001);
	assert_true(end >= (double)before - 0.501 && end <= (double)after + 0.501);
	/* A clock that is ahead of ours says no more than now. */
	record.until = record.since = worker.now + 7000;
	event = told();
	assert_int_equal(json_integer_value(member(event, "flow", "age")), 0);
	assert_true(seconds(event, "end") <= (double)time(NULL) + 1);
}

/* A port is what it was, not who has its id now. */
static void test_ports_that_are_gone(void **state)
{
	const json_t *event;

	record.serial[0]--;
	event = told();
	assert_string_equal(json_string_value(json_object_get(event, "in_iface")), "(removed)");
	assert_string_equal(json_string_value(member(event, "metadata", "tenant")), "acme");
	switch_state.by_id[TO] = NULL;
	event = told();
	assert_string_equal(json_string_value(member(event, "metadata", "to_port")), "(removed)");
	assert_null(member(event, "metadata", "tenant"));
	record.port[0] = NO_PORT;
	assert_null(json_object_get(told(), "in_iface"));
}

/* The same for both directions, and for other connections another. */
static void test_flow_id(void **state)
{
	uint64_t id = conn_key_id(&record.key);

	assert_int_equal(json_integer_value(json_object_get(told(), "flow_id")), id);
	assert_true(id < UINT64_C(1) << 53);
	record.opener = 1;
	assert_int_equal(json_integer_value(json_object_get(told(), "flow_id")), id);
	record.key.port[0]++;
	assert_int_not_equal(json_integer_value(json_object_get(told(), "flow_id")), id);
}

static void test_held_back_and_lost(void **state)
{
	const json_t *last;

	for (unsigned i = 0; i < FLOW_LOG_PER_SECOND + 4; i++)
		flow_log_put(inspect.flow_log, &record, worker.now, worker.hz);
	assert_int_equal(poll_events(), FLOW_LOG_PER_SECOND);
	worker.now += worker.hz;
	assert_int_equal(json_integer_value(member(told(), "metadata", "suppressed")), 4);
	for (unsigned i = 0; i < FLOW_LOG_RING; i++) {
		record.serial[0] = 100 + i; /* each a port of its own */
		flow_log_put(inspect.flow_log, &record, worker.now, worker.hz);
	}
	poll_events();
	last = json_array_get(recent, json_array_size(recent) - 1);
	assert_int_equal(json_integer_value(member(last, "metadata", "lost")), FLOW_LOG_RING / 4);
}

/* Without inspection there is nothing to ask. */
static void test_a_worker_that_inspects_nothing(void **state)
{
	worker.inspect = NULL;
	assert_int_equal(poll_events(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dropped_and_new, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ports_that_are_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flow_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_back_and_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_worker_that_inspects_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("flow_events", tests, start_eal, stop_eal);
}
