/* What inspection's records become: alerts in EVE's schema, quarantines, evidence. */
#include "frames.h"

#include <unistd.h>

#include "addr.h"
#include "detect.h"
#include "events.h"
#include "inspect_count.h"
#include "inspect_events.h"
#include "inspect_sids.h"
#include "inspect_state.h"
#include "loop.h"
#include "quarantine.h"
#include "quarantine_gate.h"
#include "smb_invariants.h"
#include "switch_state.h"
#include "temp_dir.h"

#define FROM 3 /* ids */
#define TO   9

static struct rte_mempool *pool;
static struct inspect inspect;
static struct worker worker;
static struct network_entry network = {.conf = {.name = "office", .tenant = "acme", .vlan = 100}};
static struct port_entry from = {.conf.name = "vm1", .id = FROM, .serial = 31, .network = &network};
static struct port_entry to = {.conf.name = "vm2", .id = TO, .serial = 91, .network = &network};
static struct config_inspection inspection = {.tenant = "acme", .prevent = true};
static struct config config = {.inspection = &inspection, .n_inspection = 1};
static struct inspect_record record;
static json_t *recent;

static int start_eal(void **state)
{
	if (frames_eal("test_inspect_events") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("events", 1024, 0, 0, 512, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

/* A rule has found something in what vm1 sent to vm2, which it opened. */
static void make_record(void)
{
	record = (struct inspect_record){
		.what = INSPECT_TELLS_RULE,
		.action = DETECT_DROP,
		.dropped = true,
		.reason = DROP_inspect_found,
		.smb = true,
		.key = {.port = {49152, 445}, .network = 5, .proto = TCP},
		.port = {FROM, TO},
		.serial = {31, 91},
		.gid = 1,
		.sid = 9000001,
		.rev = 2,
		.priority = 1,
		.text = "harmless marker",
		.category = "trojan-activity",
		.offset = 77,
		.position = 4096,
	};
	record.key.addr[0] = addr_from_ipv4((uint8_t[]){10, 0, 0, 1});
	record.key.addr[1] = addr_from_ipv4((uint8_t[]){10, 0, 0, 2});
}

static int set_up(void **state)
{
	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	worker = (struct worker){.now = 1000000, .hz = 1000, .inspect = &inspect};
	inspect.log = inspect_log_create();
	assert_non_null(inspect.log);
	workers[0] = &worker;
	n_workers = 1;
	switch_state.single_step = true;
	switch_state.by_id[FROM] = &from;
	switch_state.by_id[TO] = &to;
	switch_state.config = &config;
	events_open("");
	quarantine_load("", in_dir("evidence"), "");
	quarantine_port_up(FROM, "vm1", "acme");
	quarantine_port_up(TO, "vm2", "acme");
	inspect_count = (struct inspect_count){0};
	inspection.prevent = true;
	make_record();
	return 0;
}

static int tear_down(void **state)
{
	inspect_log_free(inspect.log);
	quarantine_free();
	memset(&switch_state, 0, sizeof(switch_state));
	n_workers = 0;
	json_decref(recent);
	recent = NULL;
	events_close();
	loop_close();
	return remove_dir(state) != 0 || rte_mempool_avail_count(pool) != 1024 ? -1 : 0;
}

static void put(void)
{
	assert_true(
		inspect_log_wants(inspect.log, FROM, record.quarantined, worker.now, worker.hz));
	inspect_log_put(inspect.log, &record);
}

static unsigned poll_events(void)
{
	inspect_events_poll();
	json_decref(recent);
	recent = events_recent();
	return (unsigned)json_array_size(recent);
}

/* The alert that record becomes. What was dropped of a connection is told of as dropped, too. */
static const json_t *told(void)
{
	unsigned n = poll_events();
	bool drops = record.dropped && record.key.proto != 0;

	put();
	assert_int_equal(poll_events(), n + 1 + drops);
	return json_array_get(recent, n);
}

/* Of expected, in JSON with ' for ", all is in the event and nothing else but its timestamp and
 * flow_id. */
static void expect(const json_t *event, const char *expected)
{
	char text[2048];
	json_t *want, *got = json_copy((json_t *)(uintptr_t)event);

	snprintf(text, sizeof(text), "%s", expected);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	want = json_loads(text, 0, NULL);
	assert_non_null(want);
	assert_int_equal(json_object_del(got, "timestamp"), 0);
	assert_int_equal(json_object_del(got, "flow_id"), 0);
	if (!json_equal(want, got))
		print_error("%s\n", json_dumps(got, JSON_SORT_KEYS));
	assert_true(json_equal(want, got));
	json_decref(want);
	json_decref(got);
}

static void test_rule(void **state)
{
	expect(told(),
		"{'event_type': 'alert', 'in_iface': 'vm1', 'vlan': [100],"
		"'src_ip': '10.0.0.1', 'src_port': 49152, 'dest_ip': '10.0.0.2',"
		"'dest_port': 445, 'proto': 'TCP', 'direction': 'to_server', 'app_proto': 'smb',"
		"'alert': {'action': 'blocked', 'gid': 1, 'signature_id': 9000001, 'rev': 2,"
		"'signature': 'harmless marker', 'category': 'trojan-activity', 'severity': 1},"
		"'verdict': {'action': 'drop'},"
		"'metadata': {'tenant': 'acme', 'network': 'office', 'mode': 'prevent',"
		"'from_port': 'vm1', 'to_port': 'vm2', 'culprit': 'vm1', 'what': 'rule',"
		"'offset': 77, 'position': 4096}}");
	assert_int_equal(inspect_count.blocked, 1);
	assert_int_equal(inspect_count.allowed, 0);
}

/* Beside the alert, with why it was dropped. */
static void test_drop(void **state)
{
	const json_t *alert;

	record.reason = DROP_stream_differs;
	alert = told();
	assert_string_equal(json_string_value(json_object_get(alert, "event_type")), "alert");
	assert_null(json_object_get(alert, "drop"));
	expect(json_array_get(recent, 1),
		"{'event_type': 'drop', 'in_iface': 'vm1', 'vlan': [100],"
		"'src_ip': '10.0.0.1', 'src_port': 49152, 'dest_ip': '10.0.0.2',"
		"'dest_port': 445, 'proto': 'TCP', 'direction': 'to_server', 'app_proto': 'smb',"
		"'alert': {'action': 'blocked', 'gid': 1, 'signature_id': 9000001, 'rev': 2,"
		"'signature': 'harmless marker', 'category': 'trojan-activity', 'severity': 1},"
		"'verdict': {'action': 'drop'}, 'drop': {'reason': 'stream_differs'},"
		"'metadata': {'tenant': 'acme', 'network': 'office', 'mode': 'prevent',"
		"'from_port': 'vm1', 'to_port': 'vm2', 'culprit': 'vm1', 'what': 'rule',"
		"'offset': 77, 'position': 4096}}");
	assert_int_equal(json_integer_value(json_object_get(alert, "flow_id")),
		json_integer_value(json_object_get(json_array_get(recent, 1), "flow_id")));
	assert_int_equal(inspect_count.blocked, 1);
}

/* In the answer, held against who answers, and in mode detect. */
static void test_other_way_round(void **state)
{
	inspection.prevent = false;
	network.conf.vlan = 0;
	record.what = INSPECT_TELLS_INVARIANT;
	record.dropped = false;
	record.sender = record.culprit = 1;
	strcpy(record.id, "I9");
	record.value = 81;
	expect(told(),
		"{'event_type': 'alert', 'in_iface': 'vm2',"
		"'src_ip': '10.0.0.2', 'src_port': 445, 'dest_ip': '10.0.0.1',"
		"'dest_port': 49152, 'proto': 'TCP', 'direction': 'to_client', 'app_proto': 'smb',"
		"'alert': {'action': 'allowed', 'gid': 1000, 'signature_id': 112, 'rev': 1,"
		"'signature': 'harmless marker', 'category': 'A Network Trojan was detected',"
		"'severity': 1}, 'verdict': {'action': 'alert'},"
		"'metadata': {'tenant': 'acme', 'network': 'office', 'mode': 'detect',"
		"'from_port': 'vm2', 'to_port': 'vm1', 'culprit': 'vm2', 'what': 'invariant',"
		"'id': 'I9', 'offset': 77, 'position': 4096, 'value': 81, 'would_drop': true}}");
	network.conf.vlan = 100;
	assert_int_equal(inspect_count.allowed, 1);
}

/* Fan-out is about a guest and no one connection. */
static void test_fanout(void **state)
{
	json_t *event;

	record = (struct inspect_record){
		.what = INSPECT_TELLS_FANOUT,
		.action = DETECT_QUARANTINE,
		.port = {FROM, NO_PORT},
		.serial = {31, 0},
		.id = "fan-out",
		.text = "tries many hosts",
	};
	strcpy(from.conf.ips[0], "10.0.0.1");
	from.conf.n_ips = 1;
	event = json_copy((json_t *)(uintptr_t)told());
	assert_null(json_object_get(event, "flow_id"));
	json_object_set_new(event, "flow_id", json_true()); /* as expect() takes it */
	expect(event,
		"{'event_type': 'alert', 'in_iface': 'vm1', 'vlan': [100], 'src_ip': '10.0.0.1',"
		"'alert': {'action': 'allowed', 'gid': 1000, 'signature_id': 500, 'rev': 1,"
		"'signature': 'tries many hosts', 'category': 'Detection of a Network Scan',"
		"'severity': 1}, 'verdict': {'action': 'alert'},"
		"'metadata': {'tenant': 'acme', 'network': 'office', 'mode': 'prevent',"
		"'from_port': 'vm1', 'culprit': 'vm1', 'what': 'fanout', 'id': 'fan-out',"
		"'would_drop': true}}");
	json_decref(event);
	from.conf.n_ips = 0;
}

/* flow_id: the same both ways, another one for another connection. */
static void test_flow_id(void **state)
{
	json_int_t first = json_integer_value(json_object_get(told(), "flow_id"));

	assert_true(first > 0 && first < INT64_C(1) << 53);
	record.sender = 1;
	assert_int_equal(json_integer_value(json_object_get(told(), "flow_id")), first);
	record.key.port[0]++;
	assert_int_not_equal(json_integer_value(json_object_get(told(), "flow_id")), first);
}

static const char *text_in(const json_t *event, const char *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(event, object), key));
}

/* Ports that are gone, or whose id is another's by now, and a record of none. */
static void test_port_is_gone(void **state)
{
	const json_t *event;

	record.serial[0] = 30;
	event = told();
	assert_string_equal(text_in(event, "metadata", "from_port"), "(removed)");
	assert_string_equal(text_in(event, "metadata", "tenant"), "acme");
	switch_state.by_id[TO] = NULL;
	event = told();
	assert_string_equal(text_in(event, "metadata", "to_port"), "(removed)");
	assert_null(text_in(event, "metadata", "tenant"));
	record.port[0] = record.port[1] = NO_PORT;
	event = told();
	assert_null(text_in(event, "metadata", "to_port"));
	assert_null(json_object_get(event, "in_iface"));
}

/* Bytes of a rule's file that are no UTF-8 cost no event. */
static void test_odd_text(void **state)
{
	strcpy(record.text, "caf\xe9");
	memset(record.category, 'x', sizeof(record.category));
	assert_string_equal(text_in(told(), "alert", "signature"), "caf?");
}

static void test_suppressed(void **state)
{
	const json_t *event;

	for (unsigned i = 0; i < INSPECT_LOG_PER_SECOND; i++)
		put();
	for (unsigned i = 0; i < 5; i++)
		assert_false(inspect_log_wants(inspect.log, FROM, false, worker.now, worker.hz));
	worker.now += worker.hz;
	event = told();
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(event, "metadata"), "suppressed")),
		5);
	assert_int_equal(inspect_count.suppressed, 5);
}

/* The deciding packet is kept, the guest cut off, and both are told, the alert first. */
static void test_quarantine(void **state)
{
	struct frame_spec spec = {.proto = TCP, .tcp_flags = TCP_ACK, .payload = 100};
	const json_t *alert, *event;
	static struct frame frame;
	const char *file;

	frame_build(&frame, &spec);
	record.quarantined = true;
	record.action = DETECT_QUARANTINE;
	record.level = CONFIG_QUARANTINE_SERVICE;
	record.quarantine_s = 3600;
	record.packet = frames_mbuf(pool, frame.data, frame.len, 0, 0);
	put();
	assert_int_equal(poll_events(), 3);
	alert = json_array_get(recent, 0);
	assert_string_equal(text_in(json_array_get(recent, 1), "drop", "reason"), "inspect_found");
	event = json_array_get(recent, 2);
	file = text_in(alert, "metadata", "evidence");
	assert_non_null(file);
	assert_int_equal(access(file, R_OK), 0);
	assert_string_equal(text_in(alert, "metadata", "level"), "service");
	assert_string_equal(text_in(alert, "verdict", "reject-target"), "both");
	assert_string_equal(json_string_value(json_object_get(event, "event_type")), "quarantine");
	assert_string_equal(text_in(event, "metadata", "action"), "added");
	assert_string_equal(text_in(event, "metadata", "port"), "vm1");
	assert_string_equal(text_in(event, "metadata", "peer"), "vm2");
	assert_string_equal(text_in(event, "metadata", "id"), "1:9000001:2");
	assert_string_equal(text_in(event, "metadata", "evidence"), file);
	assert_int_equal(quarantine_level(FROM), CONFIG_QUARANTINE_SERVICE);
	assert_int_equal(quarantine_level(TO), CONFIG_QUARANTINE_NONE);
}

/* A culprit that is gone by now leaves evidence; who has its id is another. */
static void test_quarantine_of_gone(void **state)
{
	record.quarantined = true;
	record.level = CONFIG_QUARANTINE_PORT;
	record.serial[0] = 30;
	assert_non_null(text_in(told(), "metadata", "evidence"));
	assert_int_equal(quarantine_level(FROM), CONFIG_QUARANTINE_NONE);
}

/* A culprit on another host, seen at an uplink that is gone by now: its address is its network's.
 */
static void test_remote(void **state)
{
	const json_t *event;

	network.index = record.key.network;
	switch_state.networks[0] = &network;
	switch_state.n_networks = 1;
	quarantine_network_up(network.index, "office", "acme");
	record.where = INSPECT_REMOTE;
	record.quarantined = true;
	record.action = DETECT_QUARANTINE;
	record.level = CONFIG_QUARANTINE_PORT;
	record.serial[0] = 30;
	put();
	assert_int_equal(poll_events(), 3);
	event = json_array_get(recent, 0);
	assert_string_equal(text_in(event, "metadata", "culprit_ip"), "10.0.0.1");
	assert_string_equal(text_in(event, "metadata", "level"), "host");
	assert_null(text_in(event, "metadata", "not_quarantined"));
	assert_non_null(strstr(text_in(event, "metadata", "evidence"), "10.0.0.1"));
	event = json_array_get(recent, 2);
	assert_string_equal(text_in(event, "metadata", "where"), "remote");
	assert_string_equal(text_in(event, "metadata", "address"), "10.0.0.1");
	assert_string_equal(text_in(event, "metadata", "network"), "office");
	assert_string_equal(text_in(event, "metadata", "level"), "host");
	assert_int_equal(
		quarantine_remote_level(network.index, record.key.addr[0]), CONFIG_QUARANTINE_PORT);
	assert_int_equal(quarantine_level(FROM), CONFIG_QUARANTINE_NONE);
	/* The network is gone, too, and its index another's. */
	quarantine_network_down(network.index);
	switch_state.n_networks = 0;
	record.key.addr[0].low++;
	put();
	poll_events();
	assert_int_equal(quarantine_remote_total(), 0);
}

/* One that was not cut off, and why. */
static void test_remote_not_quarantined(void **state)
{
	record.where = INSPECT_REMOTE_UNPROVEN;
	assert_string_equal(text_in(told(), "metadata", "not_quarantined"), "unproven");
	record.where = INSPECT_REMOTE_FULL;
	assert_string_equal(text_in(told(), "metadata", "not_quarantined"), "full");
	assert_int_equal(inspect_count.unproven, 1);
	assert_int_equal(inspect_count.full, 1);
}

static void test_evidence_fails(void **state)
{
	write_text("file", "");
	quarantine_load("", in_dir("file"), "");
	record.quarantined = true;
	record.level = CONFIG_QUARANTINE_PORT;
	put();
	assert_int_equal(poll_events(), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(
			strstr(text_in(json_array_get(recent, i), "metadata", "evidence_error"),
				"Not a directory"));
}

/* More than the ring takes: an event with the number of those lost. */
static void test_lost(void **state)
{
	unsigned n = 0;
	const json_t *event;

	record.quarantined = true; /* is always wanted */
	for (unsigned i = 0; i < INSPECT_LOG_RING + 7; i++)
		put();
	do {
		n = poll_events();
		event = json_array_get(recent, n - 1);
	} while (strcmp(json_string_value(json_object_get(event, "event_type")), "inspection") !=
			 0 &&
		 inspect_count.lost == 0);
	assert_int_equal(inspect_count.lost, 7);
	record.quarantined = false;
}

/* A worker that inspects nothing has no log. */
static void test_no_log(void **state)
{
	worker.inspect = NULL;
	assert_int_equal(poll_events(), 0);
}

/* As roff has it. */
static void escape(const char *id, char *roff)
{
	for (; *id != '\0'; id++) {
		if (*id == '-')
			*roff++ = '\\';
		*roff++ = *id;
	}
	*roff = '\0';
}

/* Each of SMB's detections has a number of its own, no number is given twice, and the manual has
 * them all. */
static void test_sids(void **state)
{
	unsigned n;
	const struct inspect_sid *sids = inspect_sids(&n);
	static char page[1 << 18];
	FILE *file = fopen("dataplane/vswitchd.8", "r");
	char heading[96], name[32];

	assert_non_null(file);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	fclose(file);
	for (unsigned d = 0; d < SMB_DETECTIONS; d++) {
		const char *id = smb_invariant((enum smb_detection)d)->id;

		assert_string_equal(inspect_sid(INSPECT_TELLS_INVARIANT, id)->id, id);
	}
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(sids[i].sid, sids[j].sid);
		assert_true(sids[i].severity >= 1 && sids[i].severity <= 3);
		escape(sids[i].id, name);
		if (name[0] != '\0')
			snprintf(heading, sizeof(heading), "\n.TP\n.BR %u \" (%s)\"\n", sids[i].sid,
				name);
		else
			snprintf(heading, sizeof(heading), "\n.TP\n.B %u\n", sids[i].sid);
		if (strstr(page, heading) == NULL)
			fail_msg("vswitchd.8 lacks %s", heading);
	}
	for (unsigned v = STREAM_DIFFERS; v < STREAM_VERDICTS; v++) {
		const char *id = stream_verdict_name((enum stream_verdict)v);

		/* Memory is a failure; patience is no evasion. */
		if (v != STREAM_MEMORY && v != STREAM_AHEAD && v != STREAM_WINDOW_FULL)
			assert_string_equal(inspect_sid(INSPECT_TELLS_EVASION, id)->id, id);
	}
	for (unsigned f = 0; f < CONFIG_FAILURES; f++) {
		const char *id = inspect_failure_name((enum config_failure)f);

		assert_string_equal(inspect_sid(INSPECT_TELLS_FAILURE, id)->id, id);
	}
	assert_string_equal(inspect_sid(INSPECT_TELLS_EVASION, "checksum")->id, "checksum");
	assert_int_equal(inspect_sid(INSPECT_TELLS_EVASION, "a new one")->sid, 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rule),
		TEST(test_drop),
		TEST(test_other_way_round),
		TEST(test_fanout),
		TEST(test_flow_id),
		TEST(test_port_is_gone),
		TEST(test_odd_text),
		TEST(test_suppressed),
		TEST(test_quarantine),
		TEST(test_quarantine_of_gone),
		TEST(test_remote),
		TEST(test_remote_not_quarantined),
		TEST(test_evidence_fails),
		TEST(test_lost),
		TEST(test_no_log),
		cmocka_unit_test(test_sids),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
