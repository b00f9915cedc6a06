/*
 * What a document means: defaults, every rule that holds fields together, with the message that
 * says what would be right, and the canonical document. For single fields see test_config_fields.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_rig.h"
#include "config_yaml_out.h"

static void defaults_are_the_documented_ones(void **state)
{
	struct config *c = decode_good("{}");

	assert_int_equal(c->vswitch.n_workers, 1);
	assert_int_equal(c->vswitch.workers[0], sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
	assert_string_equal(c->vswitch.control, "/run/vswitch/ctl.sock");
	assert_int_equal(c->vswitch.control_access.mode, 0660);
	assert_int_equal(c->vswitch.control_access.owner, (uid_t)-1);
	assert_int_equal(c->vswitch.control_access.group, (gid_t)-1);
	assert_string_equal(c->vswitch.events, "");
	assert_string_equal(c->vswitch.state, "/var/lib/vswitch");
	assert_int_equal(c->vswitch.socket_access.mode, -1);
	assert_int_equal(c->vswitch.socket_access.owner, (uid_t)-1);
	assert_int_equal(c->vswitch.hugepages, CONFIG_HUGEPAGES_AUTO);
	assert_int_equal(c->vswitch.buffers, 32768);
	assert_int_equal(c->vswitch.sleep_after_us, 50);
	assert_int_equal(c->n_networks + c->n_ports + c->n_replay, 0);
	config_free(c);
}

static const char small[] = "networks: [{name: n}]\n"
			    "ports: [{name: p, network: n, vhost-user: {socket: /s}}]\n";

static void defaults_of_a_network_and_a_port(void **state)
{
	struct config *c = decode_good(small);
	const struct config_network *n = config_network(c, "n");
	const struct config_port *p = config_port(c, "p");

	assert_string_equal(n->tenant, "n");
	assert_int_equal(n->vlan, 0);
	assert_int_equal(n->workers, 1);
	assert_int_equal(n->home, -1);
	assert_int_equal(n->mtu, 1500);
	assert_true(n->learning);
	assert_int_equal(n->unknown_unicast, CONFIG_UNKNOWN_FLOOD);
	assert_int_equal(n->mac_limit, 4096);
	assert_int_equal(n->mac_age, 300);
	assert_int_equal(p->kind, CONFIG_PORT_VHOST_USER);
	assert_false(p->vhost_user.server);
	assert_int_equal(p->vhost_user.queues, 1);
	assert_false(p->vhost_user.packed);
	assert_true(p->vhost_user.tso);
	assert_false(p->has_mac);
	assert_int_equal(p->n_ips, 0);
	assert_int_equal(p->mtu, 1500);
	assert_false(p->has_mtu);
	assert_false(p->isolated || p->promiscuous || p->tagged);
	assert_int_equal(p->flood, CONFIG_FLOOD_AUTO);
	assert_int_equal(p->mac_limit, 1024);
	assert_int_equal(p->storm.broadcast, 1000);
	assert_int_equal(p->storm.multicast, 4000);
	assert_int_equal(p->storm.unknown_unicast, 1000);
	assert_int_equal(p->tx_retries, 8);
	assert_null(config_network(c, "p"));
	assert_null(config_port(c, "n"));
	config_free(c);
}

static const char full[] =
	"vswitch:\n"
	"  workers: [3, 1]\n"
	"  control: /run//v/./ctl.sock\n"
	"  control-access: {owner: root, group: '0', mode: 0600}\n"
	"  events: /var/log/eve.json\n"
	"  state: /state/\n"
	"  socket-access: {owner: 4294967294, group: 77, mode: '770'}\n"
	"  hugepages: no\n"
	"  buffers: 1024\n"
	"  sleep-after: 2ms\n"
	"networks:\n"
	"  - {name: office, tenant: acme, vlan: 4094, workers: 2, home: 3, mtu: 9000,\n"
	"     learning: off, unknown-unicast: drop, mac-limit: 0, mac-age: 2h}\n"
	"  - {name: lab}\n"
	"ports:\n"
	"  - name: vm1\n"
	"    network: office\n"
	"    vhost-user: {socket: /run/vm1.sock, mode: server, queues: 16, packed: yes, tso: no}\n"
	"    mac: 52:54:00:aB:00:01\n"
	"    ips: [10.0.0.1, '2001:DB8:0::1']\n"
	"    isolated: yes\n"
	"    tagged: pass\n"
	"    flood: off\n"
	"    mac-limit: 1\n"
	"    storm: {broadcast: 0, multicast: 4294967295, unknown-unicast: 1}\n"
	"    tx-retries: 0\n"
	"  - {name: gw, network: lab, kernel: {interface: gw0, netns: ns.1}, mtu: 68,\n"
	"     promiscuous: true, flood: on, mac: 52:54:00:ab:00:01}\n"
	"replay:\n"
	"  - {port: vm1, macs: [02:00:00:00:00:01], ips: [10.0.0.0/8, '::/0', 1.2.3.4]}\n";

static void every_field_is_decoded(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0xab, 0x00, 0x01};
	struct config *c = decode_good(full);
	const struct config_port *p = config_port(c, "vm1"), *gw = config_port(c, "gw");

	assert_int_equal(c->vswitch.n_workers, 2);
	assert_int_equal(c->vswitch.workers[0], 3);
	assert_string_equal(c->vswitch.control, "/run/v/ctl.sock");
	assert_int_equal(c->vswitch.control_access.owner, 0);
	assert_int_equal(c->vswitch.control_access.group, 0);
	assert_int_equal(c->vswitch.control_access.mode, 0600);
	assert_string_equal(c->vswitch.state, "/state");
	assert_int_equal(c->vswitch.socket_access.owner, 4294967294);
	assert_int_equal(c->vswitch.socket_access.mode, 0770);
	assert_int_equal(c->vswitch.hugepages, CONFIG_HUGEPAGES_NO);
	assert_int_equal(c->vswitch.sleep_after_us, 2000);
	assert_int_equal(c->networks[0].home, 3);
	assert_false(c->networks[0].learning);
	assert_int_equal(c->networks[0].mac_age, 7200);
	assert_true(p->vhost_user.server && p->vhost_user.packed && !p->vhost_user.tso);
	assert_int_equal(p->vhost_user.queues, 16);
	assert_true(p->has_mac);
	assert_memory_equal(p->mac, mac, 6);
	assert_string_equal(p->ips[0], "10.0.0.1");
	assert_string_equal(p->ips[1], "2001:db8::1");
	assert_int_equal(p->mtu, 9000);
	assert_true(p->isolated && p->tagged);
	assert_int_equal(p->flood, CONFIG_FLOOD_OFF);
	assert_int_equal(p->storm.multicast, UINT32_MAX);
	assert_int_equal(gw->kind, CONFIG_PORT_KERNEL);
	assert_int_equal(gw->network_index, 1);
	assert_string_equal(gw->kernel.netns, "ns.1");
	assert_int_equal(gw->mtu, 68);
	assert_true(gw->promiscuous);
	assert_int_equal(gw->flood, CONFIG_FLOOD_ON);
	assert_int_equal(c->replay[0].n_prefixes, 3);
	assert_int_equal(c->replay[0].prefixes[0].len, 8);
	assert_int_equal(c->replay[0].prefixes[1].family, 6);
	assert_int_equal(c->replay[0].prefixes[1].len, 0);
	assert_int_equal(c->replay[0].prefixes[2].len, 32);
	assert_int_equal(c->replay[0].macs[0][5], 1);
	config_free(c);
}

/* Encoding, printing, reading and decoding again all give the same tree. */
static void assert_canonical(const char *text)
{
	struct config *c = decode_good(text), *again;
	json_t *tree = config_encode(c);
	char *yaml = config_yaml_out(tree);
	json_t *tree_again;

	assert_non_null(yaml);
	again = decode_good(yaml);
	tree_again = config_encode(again);
	assert_true(json_equal(tree, tree_again));
	config_free(c);
	config_free(again);
	json_decref(tree);
	json_decref(tree_again);
	free(yaml);
}

static void the_canonical_document_reads_back(void **state)
{
	assert_canonical("{}");
	assert_canonical(small);
	assert_canonical(full);
}

static void the_canonical_document_says_everything(void **state)
{
	struct config *c = decode_good(
		"vswitch: {workers: [0]}\n"
		"networks: [{name: n}]\n"
		"ports: [{name: p, network: n, vhost-user: {socket: /s}}]\n");
	json_t *tree = config_encode(c);
	char *json = json_dumps(tree, JSON_COMPACT);

	assert_string_equal(json,
		"{\"vswitch\":{\"workers\":[0],\"control\":\"/run/vswitch/ctl.sock\","
		"\"control-access\":{\"mode\":\"0660\"},\"state\":\"/var/lib/vswitch\","
		"\"hugepages\":\"auto\",\"buffers\":32768,\"sleep-after\":\"50us\","
		"\"connections\":262144,\"inspected\":2048,\"inspection-memory\":256,"
		"\"rules\":\"" VS_RULES_DIR "\",\"evidence\":\"/var/lib/vswitch/evidence\","
		"\"stats-interval\":\"60s\"},"
		"\"networks\":[{\"name\":\"n\",\"tenant\":\"n\",\"vlan\":0,\"vni\":0,\"workers\":1,"
		"\"mtu\":1500,\"learning\":true,\"unknown-unicast\":\"flood\","
		"\"mac-limit\":4096,\"mac-age\":\"300s\","
		"\"ethertypes\":[\"arp\",\"ipv4\",\"ipv6\",\"rarp\"]}],"
		"\"ports\":[{\"name\":\"p\",\"network\":\"n\",\"vhost-user\":{\"socket\":\"/s\","
		"\"mode\":\"client\",\"queues\":1,\"packed\":false,\"tso\":true},\"ips\":[],"
		"\"isolated\":false,\"promiscuous\":false,\"tagged\":\"drop\","
		"\"flood\":\"auto\",\"mac-limit\":1024,\"storm\":{\"broadcast\":1000,"
		"\"multicast\":4000,\"unknown-unicast\":1000},\"tx-retries\":8,"
		"\"groups\":[],\"default-in\":\"deny\",\"default-out\":\"allow\","
		"\"trusted\":false,\"pairs\":[],\"connections\":{\"max\":50000,"
		"\"per-second\":20000}}],"
		"\"uplinks\":[],\"tenants\":[],\"groups\":[],\"sets\":[],"
		"\"firewall\":{\"tcp\":\"liberal\",\"pick-up\":\"60s\",\"timeouts\":{"
		"\"tcp-syn\":\"30s\",\"tcp-opening\":\"30s\","
		"\"tcp-established\":\"43200s\",\"tcp-fin\":\"120s\","
		"\"tcp-closing\":\"45s\",\"tcp-closed\":\"20s\",\"udp-first\":\"60s\","
		"\"udp-single\":\"30s\",\"udp-multiple\":\"60s\","
		"\"icmp-first\":\"20s\",\"icmp-replied\":\"30s\","
		"\"other-first\":\"60s\",\"other-single\":\"30s\","
		"\"other-multiple\":\"60s\"}},\"inspection\":[],"
		"\"replay\":[]}");
	free(json);
	json_decref(tree);
	config_free(c);
}

static void spelling_does_not_matter_to_the_canonical_document(void **state)
{
	struct config *a = decode_good("vswitch: {workers: [0], sleep-after: 1ms}\n"
				       "networks: [{name: n, mac-age: 5m, learning: on}]\n"
				       "ports:\n");
	struct config *b = decode_good("vswitch: {workers: [0], sleep-after: 1000, "
				       "control: //run/vswitch//ctl.sock}\n"
				       "networks: [{name: n, mac-age: 300, tenant: n}]\n");
	json_t *ja = config_encode(a), *jb = config_encode(b);

	assert_true(json_equal(ja, jb));
	json_decref(ja);
	json_decref(jb);
	config_free(a);
	config_free(b);
}

static void what_is_missing_is_named(void **state)
{
	assert_fault("networks:\n  - {tenant: t}\n", 2, 5, "networks[0]",
		"field \"name\" is missing: give the name that ports call the network by");
	assert_fault("networks: [{name: n}]\nports:\n  - {name: p, network: n}\n", 3, 5, "ports[0]",
		"needs \"vhost-user\" or \"kernel\": what the port leads to");
	assert_fault("networks: [{name: n}]\nports:\n  - {name: p, network: n, kernel: {}}\n", 3,
		27, "ports[0].kernel",
		"field \"interface\" is missing: give the name that the kernel's interface gets");
	assert_fault("networks: [{name: n}]\nports:\n"
		     "  - {name: p, network: n, vhost-user: {mode: server}}\n",
		3, 27, "ports[0].vhost-user",
		"field \"socket\" is missing: give the path of the socket that QEMU and the switch "
		"share");
	assert_fault("networks: [{name: n}]\nports:\n  - {name: p, kernel: {interface: i}}\n", 3, 5,
		"ports[0]",
		"field \"network\" is missing: give the name of the network that it belongs to");
	assert_fault("networks: [{name: n}]\n"
		     "ports: [{name: p, network: n, vhost-user: {socket: /s}}]\n"
		     "replay:\n  - {port: p, ips: []}\n",
		4, 5, "replay[0]",
		"needs \"macs\" or \"ips\": which frames of a capture enter at the port");
}

static void sections_have_their_shape(void **state)
{
	assert_fault("[1]", 1, 1, "",
		"must be a mapping of the sections vswitch, networks, ports, uplinks, tenants, "
		"groups, "
		"sets, firewall, inspection and replay, not a list");
	assert_fault("---\n", 2, 1, "",
		"must be a mapping of the sections vswitch, networks, ports, uplinks, tenants, "
		"groups, "
		"sets, firewall, inspection and replay, not nothing");
	assert_fault("vswitch: []\n", 1, 1, "vswitch",
		"must be a mapping of the fields of the vswitch section, not a list");
	assert_fault("networks: {name: n}\n", 1, 1, "networks",
		"must be a list, each entry with a dash, not a mapping");
	assert_fault("ports:\n  - vm1\n", 2, 5, "ports[0]",
		"must be a mapping of the fields of a port, not text");
	config_free(decode_good("vswitch:\nnetworks:\nports:\nreplay:\n"));
}

#define TWO "networks: [{name: n}, {name: m}]\nports:\n"

static void names_are_unique(void **state)
{
	assert_fault("networks:\n- name: n\n- name: m\n- name: n\n", 4, 3, "networks[2].name",
		"\"n\" is the name of entry [0], too: names must differ");
	assert_fault(TWO "- {name: p, network: n, vhost-user: {socket: /1}}\n"
			 "- {name: p, network: m, vhost-user: {socket: /2}}\n",
		4, 4, "ports[1].name", "\"p\" is the name of entry [0], too: names must differ");
	config_free(decode_good("networks: [{name: x}]\n"
				"ports: [{name: x, network: x, vhost-user: {socket: /x}}]\n"));
}

static void a_port_belongs_to_one_network_and_is_of_one_kind(void **state)
{
	assert_fault(TWO "- {name: p, network: x, vhost-user: {socket: /1}}\n", 3, 13,
		"ports[0].network",
		"network \"x\" does not exist: add it under networks, or name one that does");
	assert_fault(TWO
		"- {name: p, network: n, vhost-user: {socket: /1}, kernel: {interface: i}}\n",
		3, 3, "ports[0]", "has both \"vhost-user\" and \"kernel\": remove one of them");
	assert_fault(TWO "- {name: p, network: n, vhost-user: {socket: /1},\n"
			 "   isolated: true, promiscuous: true}\n",
		4, 4, "ports[0].isolated",
		"a port cannot be isolated and promiscuous at once: set only one of them");
}

static void macs_are_unique_in_a_network(void **state)
{
	assert_fault(TWO
		"- {name: p, network: n, vhost-user: {socket: /1}, mac: 02:00:00:00:00:0a}\n"
		"- {name: q, network: n, vhost-user: {socket: /2}, mac: 02:00:00:00:00:0A}\n",
		4, 51, "ports[1].mac",
		"02:00:00:00:00:0a is the mac of port p in the same network: give each port its "
		"own");
	config_free(decode_good(
		TWO "- {name: p, network: n, vhost-user: {socket: /1}, mac: 02:00:00:00:00:0a}\n"
		    "- {name: q, network: m, vhost-user: {socket: /2}, mac: 02:00:00:00:00:0a}\n"));
}

static void sockets_files_and_interfaces_are_used_once(void **state)
{
	assert_fault(TWO "- {name: p, network: n, vhost-user: {socket: /run/1}}\n"
			 "- {name: q, network: n, vhost-user: {socket: //run/./1}}\n",
		4, 38, "ports[1].vhost-user.socket",
		"/run/1 is used by port p already: give another path");
	assert_fault(TWO "- {name: p, network: n, vhost-user: {socket: /run/vswitch/ctl.sock}}\n",
		3, 38, "ports[0].vhost-user.socket",
		"/run/vswitch/ctl.sock is used by vswitch.control already: give another path");
	assert_fault("vswitch:\n  control: /run/x\n  events: /run/x\n", 3, 3, "vswitch.events",
		"/run/x is used by vswitch.control already: give another path");
	assert_fault(TWO "- {name: p, network: n, kernel: {interface: i}}\n"
			 "- {name: q, network: m, kernel: {interface: i}}\n",
		4, 34, "ports[1].kernel.interface",
		"i is the interface of port p already: give another name");
	config_free(decode_good(TWO "- {name: p, network: n, kernel: {interface: i}}\n"
				    "- {name: q, network: m, kernel: {interface: i, netns: x}}\n"));
}

#define REPLAY                                                                                     \
	TWO "- {name: p, network: n, vhost-user: {socket: /1}}\n"                                  \
	    "- {name: q, network: n, vhost-user: {socket: /2}}\nreplay:\n"

static void replay_sources_lead_to_one_port(void **state)
{
	assert_fault(REPLAY "- {port: x, ips: [10.0.0.1]}\n", 6, 4, "replay[0].port",
		"port \"x\" does not exist: add it under ports, or name one that does");
	assert_fault(REPLAY "- {port: p, ips: [10.0.0.1]}\n- {port: p, ips: [10.0.0.2]}\n", 7, 4,
		"replay[1].port",
		"port \"p\" has the entry replay[0] already: put all its sources into one");
	assert_fault(REPLAY "- {port: p, ips: [10.0.0.1]}\n- {port: q, ips: [10.0.0.1/32]}\n", 7,
		13, "replay[1].ips", "10.0.0.1/32 is listed by replay[0], too: remove one");
	assert_fault(REPLAY "- {port: p, macs: [02:00:00:00:00:01]}\n"
			    "- {port: q, macs: [02:00:00:00:00:01]}\n",
		7, 13, "replay[1].macs",
		"02:00:00:00:00:01 is listed by replay[0], too: remove one");
	assert_fault(REPLAY "- {port: p, ips: [10.0.0.1/24]}\n", 6, 19, "replay[0].ips[0]",
		"has bits set behind its length; 10.0.0.0/24 would be right");
	assert_fault(REPLAY "- {port: p, ips: ['2001:db8::/127', '2001:db8::1/127']}\n", 6, 37,
		"replay[0].ips[1]",
		"has bits set behind its length; 2001:db8::/127 would be right");
}

static void home_workers_are_held_against_the_list(void **state)
{
	config_free(decode_good(
		"vswitch: {workers: [4, 6]}\nnetworks: [{name: n, home: 6, workers: 2}]\n"));
	assert_fault("vswitch: {workers: [4, 6]}\nnetworks: [{name: n, home: 5}]\n", 2, 22,
		"networks[0].home",
		"core 5 is not in vswitch.workers: name one that is, or leave the field out");
	/* a list with a fault of its own is no ground for more messages */
	assert_fault("vswitch: {workers: [4, x]}\nnetworks: [{name: n, home: 5, workers: 9}]\n", 1,
		24, "vswitch.workers[1]", "must be a whole number from 0 to 1023, not \"x\"");
}

static void all_faults_are_reported_at_once(void **state)
{
	static const struct {
		const char *field;
		unsigned line;
	} faults[] = {{"vswitch.control", 2}, {"networks[0].vlan", 4}, {"networks[0].mut", 5},
		{"ports[0].mac", 8}, {"ports[0].network", 7}};

	assert_null(
		decode("vswitch:\n  control: x\n"
		       "networks:\n- {name: n, vlan: 5000,\n   mut: 1}\n"
		       "ports:\n- {name: p, network: x, vhost-user: {socket: /s},\n   mac: 1}\n"));
	assert_int_equal(report.n_errors, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_string_equal(report.messages[i].field, faults[i].field);
		assert_int_equal(report.messages[i].line, faults[i].line);
	}
}

/* "networks:" and n of them, then "ports:" and as many. */
static char *many(unsigned networks, unsigned ports)
{
	char *text = malloc(64 + (size_t)networks * 32 + (size_t)ports * 128);
	char *end = text + sprintf(text, "networks:\n");

	for (unsigned i = 0; i < networks; i++)
		end += sprintf(end, "- {name: n%u}\n", i);
	end += sprintf(end, "ports:\n");
	for (unsigned i = 0; i < ports; i++)
		end += sprintf(end,
			"- {name: p%u, network: n%u, vhost-user: {socket: /run/%u}, mac: "
			"02:00:00:00:%02x:%02x}\n",
			i, i % networks, i, i >> 8, i & 255);
	return text;
}

static void tables_are_limited(void **state)
{
	char *text = many(CONFIG_NETWORKS_MAX, CONFIG_PORTS_MAX);
	struct config *c = decode_good(text);

	assert_int_equal(c->n_networks, CONFIG_NETWORKS_MAX);
	assert_int_equal(c->ports[CONFIG_PORTS_MAX - 1].network_index, CONFIG_NETWORKS_MAX - 1);
	config_free(c);
	free(text);
	text = many(CONFIG_NETWORKS_MAX + 1, 1);
	assert_fault(text, 1, 1, "networks", "has 1025 entries: at most 1024 are taken");
	free(text);
	text = many(1, CONFIG_PORTS_MAX + 1);
	assert_fault(text, 3, 1, "ports", "has 1025 entries: at most 1024 are taken");
	free(text);
}

static void a_flood_of_faults_is_counted_not_kept(void **state)
{
	const unsigned n = 100000;
	char *text = malloc(n * 16 + 64);
	char *end = text + sprintf(text, "networks: [{name: n, ");

	for (unsigned i = 0; i < n; i++)
		end += sprintf(end, "f%u: 1, ", i);
	sprintf(end, "}]\n");
	assert_null(decode(text));
	assert_int_equal(report.n_errors, n);
	assert_int_equal(report.n_messages, CONFIG_REPORT_MAX);
	assert_true(config_report_full(&report));
	free(text);
}

/* A tree from the control socket may hold what no YAML text can. */
static void trees_from_elsewhere_are_checked_alike(void **state)
{
	static const char *const texts[] = {
		"{\"networks\":[{\"name\":\"a\\u0000b\"}]}",
		"{\"networks\":[{\"name\":\"n\",\"vlan\":1.0}]}",
		"{\"networks\":[{\"name\":\"n\",\"vlan\":null}]}",
		"{\"networks\":[{\"name\":\"n\",\"mac-age\":\"1s\\u0000\"}]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_t *root = json_loads(texts[i], JSON_ALLOW_NUL, NULL);
		struct config_doc *doc = config_doc_from_json("command", root);

		config_report_init(&report);
		assert_non_null(root);
		assert_null(config_decode(doc, &report));
		assert_int_equal(report.n_errors, 1);
		assert_string_equal(report.messages[0].file, "command");
		assert_int_equal(report.messages[0].line, 0);
		config_doc_free(doc);
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(defaults_of_a_network_and_a_port),
		cmocka_unit_test(every_field_is_decoded),
		cmocka_unit_test(the_canonical_document_reads_back),
		cmocka_unit_test(the_canonical_document_says_everything),
		cmocka_unit_test(spelling_does_not_matter_to_the_canonical_document),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(sections_have_their_shape),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(a_port_belongs_to_one_network_and_is_of_one_kind),
		cmocka_unit_test(macs_are_unique_in_a_network),
		cmocka_unit_test(sockets_files_and_interfaces_are_used_once),
		cmocka_unit_test(replay_sources_lead_to_one_port),
		cmocka_unit_test(home_workers_are_held_against_the_list),
		cmocka_unit_test(all_faults_are_reported_at_once),
		cmocka_unit_test(tables_are_limited),
		cmocka_unit_test(a_flood_of_faults_is_counted_not_kept),
		cmocka_unit_test(trees_from_elsewhere_are_checked_alike),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
