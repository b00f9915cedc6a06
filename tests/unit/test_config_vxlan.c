/*
 * VXLAN of uplinks in the configuration: which ports it makes, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"

#define NETWORKS                                                                                   \
	"networks: [{name: red, vni: 5000, mtu: 1450}, {name: blue, vni: 16777215, mtu: 1400},\n"  \
	"           {name: local}, {name: old, vlan: 7}]\n"
/* Line 3, from column 12 on. */
#define UPLINK(vxlan)                                                                              \
	NETWORKS "uplinks: [{name: up, device: net_ring0, networks: [old],\n  vxlan: {" vxlan      \
		 "}}]\n"

static struct addr address(const char *text)
{
	struct addr_span span;

	assert_true(addr_span_parse(text, &span));
	return span.first;
}

static void assert_port(const struct config *c, unsigned i, const char *name, const char *network,
	uint32_t vni, const char *peer)
{
	const struct config_port *p = &c->ports[i];

	assert_string_equal(p->name, name);
	assert_string_equal(p->network, network);
	assert_string_equal(c->networks[p->network_index].name, network);
	assert_int_equal(p->kind, CONFIG_PORT_VXLAN);
	assert_int_equal(p->vxlan.vni, vni);
	assert_true(addr_equal(p->vxlan.peer, address(peer)));
	assert_string_equal(p->uplink.device, "net_ring0");
	assert_true(p->trusted && config_port_is_remote(p));
	assert_false(p->has_mac);
}

static void each_network_goes_to_each_peer(void **state)
{
	struct config *c = decode_good(UPLINK(
		"local: 192.0.2.1/24, gateway: 192.0.2.254, vlan: 9, mtu: 1500, port: 4790,\n"
		"  peers: [{address: 192.0.2.2}, {name: far, address: 198.51.100.1,\n"
		"   networks: [blue], macs: [{network: blue, mac: 02:00:00:00:00:09}]}]"));
	const struct config_underlay *underlay = &c->ports[1].vxlan.underlay;

	assert_int_equal(report.n_warnings, 0);
	assert_int_equal(c->n_ports, 4);
	assert_string_equal(c->ports[0].name, "up.7");
	assert_port(c, 1, "up.192.0.2.2.5000", "red", 5000, "192.0.2.2");
	assert_port(c, 2, "up.192.0.2.2.16777215", "blue", 16777215, "192.0.2.2");
	assert_port(c, 3, "up.far.16777215", "blue", 16777215, "198.51.100.1");
	assert_true(addr_equal(underlay->local, address("192.0.2.1")));
	assert_true(addr_equal(underlay->gateway, address("192.0.2.254")));
	assert_true(addr_in(address("192.0.2.77"), underlay->on_link));
	assert_false(addr_in(address("192.0.3.1"), underlay->on_link));
	assert_int_equal(underlay->udp_port, 4790);
	assert_int_equal(underlay->mtu, 1500);
	assert_int_equal(c->ports[1].uplink.vlan, 9);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(c->ports[i].uplink.mtu, 1500);
	assert_int_equal(c->ports[1].mtu, 1450);
	assert_int_equal(c->ports[2].mtu, 1400);
	assert_int_equal(c->ports[2].vxlan.n_macs, 0);
	assert_int_equal(c->ports[3].vxlan.n_macs, 1);
	assert_int_equal(c->ports[3].vxlan.macs[0][5], 9);
	config_free(c);
}

/* Without a list such an uplink has no VLANs, unlike others. */
static void tunnels_alone(void **state)
{
	struct config *c = decode_good(
		NETWORKS "uplinks: [{name: up, device: net_ring0, vxlan: {local: 192.0.2.1/24,\n"
			 "  peers: [{address: 192.0.2.2}]}}]\n");

	assert_int_equal(c->n_ports, 2);
	assert_int_equal(c->ports[0].kind, CONFIG_PORT_VXLAN);
	assert_int_equal(c->ports[1].kind, CONFIG_PORT_VXLAN);
	config_free(c);
}

static void ipv6_underlay(void **state)
{
	struct config *c = decode_good(
		UPLINK("local: 2001:db8::1/64, mtu: 1600, peers: [{address: 2001:db8::2}]"));

	assert_int_equal(report.n_warnings, 0);
	assert_port(c, 1, "up.2001-db8--2.5000", "red", 5000, "2001:db8::2");
	assert_int_equal(c->ports[1].mtu, 1450);
	assert_int_equal(c->ports[1].uplink.mtu, 1600);
	assert_int_equal(c->ports[0].uplink.mtu, 1600); /* one device, one MTU */
	config_free(c);
}

/* A document of what was decoded means the same, peers' names written out. */
static void it_is_encoded(void **state)
{
	struct config *c = decode_good(
		UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2}]"));
	json_t *tree = config_encode(c);
	json_t *vxlan = json_object_get(
		json_array_get(json_object_get(tree, "uplinks"), 0), "vxlan");
	char *text = json_dumps(vxlan, JSON_COMPACT);

	assert_string_equal(text,
		"{\"local\":\"192.0.2.1/24\",\"port\":4789,\"vlan\":0,\"mtu\":1500,\"peers\":"
		"[{\"name\":\"192.0.2.2\",\"address\":\"192.0.2.2\",\"networks\":[],\"macs\":[]}]"
		"}");
	free(text);
	json_decref(tree);
	config_free(c);
	c = decode_good(NETWORKS "uplinks: [{name: up, device: net_ring0}]\n");
	tree = config_encode(c);
	assert_null(json_object_get(json_array_get(json_object_get(tree, "uplinks"), 0), "vxlan"));
	json_decref(tree);
	config_free(c);
}

static void what_does_not_fit_is_warned_of(void **state)
{
	struct config *c;

	assert_warning(UPLINK("local: 192.0.2.1/24, mtu: 1480, peers: [{address: 192.0.2.2}]"),
		"uplinks[0].vxlan.mtu",
		"network red has packets of 1450 bytes, of which 1430 fit: give it an mtu of 1430, "
		"or the uplink's vxlan one of 1500");
	c = decode_good(UPLINK("local: 192.0.2.1/24, mtu: 1480, peers: [{address: 192.0.2.2}]"));
	assert_int_equal(c->ports[1].mtu, 1430);
	assert_int_equal(c->ports[2].mtu, 1400);
	config_free(c);
	assert_warning(UPLINK("local: 192.0.2.1/24"), "uplinks[0].vxlan",
		"has no peers: list the other hosts under \"peers\"");
}

static void addresses(void **state)
{
	static const char *const wrong[] = {"192.0.2.1", "192.0.2.0/24", "192.0.2.255/24",
		"224.0.0.1/24", "0.0.0.0/0", "192.0.2.1/33", "x/24", "ff02::1/64", "::1/128",
		"192.0.2.1-192.0.2.3", "192.0.2.1/24/24"};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[512], why[256];

		snprintf(text, sizeof(text), UPLINK("local: \"%s\""), wrong[i]);
		snprintf(why, sizeof(why),
			"must be a host's address with its prefix length, such as 192.0.2.1/24 or "
			"2001:db8::1/64, not \"%s\"",
			wrong[i]);
		assert_null(decode(text));
		assert_int_equal(report.n_errors, 1);
		assert_string_equal(report.messages[0].field, "uplinks[0].vxlan.local");
		assert_string_equal(report.messages[0].text, why);
	}
	assert_fault(UPLINK("peers: []"), 4, 3, "uplinks[0].vxlan",
		"field \"local\" is missing: give this host's own address with its prefix length, "
		"such as 192.0.2.1/24");
	assert_fault(UPLINK("local: 192.0.2.1/24, gateway: 192.0.3.1"), 4, 32,
		"uplinks[0].vxlan.gateway",
		"must be another host in the prefix of \"local\", not 192.0.3.1");
	assert_fault(UPLINK("local: 192.0.2.1/24, gateway: 2001:db8::1"), 4, 32,
		"uplinks[0].vxlan.gateway",
		"2001:db8::1 is IPv6 and the uplink's own address IPv4: tunnels run over one of "
		"them; give an IPv4 address, or a second uplink");
}

/* The host's own routes lead further. */
static void behind_an_interface(void **state)
{
	struct config *c = decode_good(
		"networks: [{name: red, vni: 5000, mtu: 1450}]\n"
		"uplinks: [{name: up, interface: eth1, vxlan: {local: 192.0.2.1/24,\n"
		"  peers: [{address: 198.51.100.1}]}}]\n");

	assert_string_equal(c->ports[0].uplink.interface, "eth1");
	config_free(c);
	assert_fault("uplinks: [{name: up, interface: eth1, vxlan: {local: 192.0.2.1/24,\n"
		     "  gateway: 192.0.2.254}}]\n",
		2, 3, "uplinks[0].vxlan.gateway",
		"is for an uplink with a \"device\": the routes of the host lead to peers behind "
		"an "
		"interface of its own; leave it out");
}

static void peers(void **state)
{
	const char *at = "uplinks[0].vxlan.peers[0].address";

	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.3.1}]"), 4, 41, at,
		"192.0.3.1 is not in the prefix of \"local\", and there is no \"gateway\": give "
		"one of them");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.1}]"), 4, 41, at,
		"is the uplink's own (\"local\"): list the other hosts only");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.255}]"), 4, 41, at,
		"192.0.2.255 is that of the subnet or its broadcasts: list hosts, each gets a copy "
		"of what is for many");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 239.1.1.1}]"), 4, 41, at,
		"must be the address of one host, such as 10.0.0.1 or 2001:db8::1, not "
		"\"239.1.1.1\"");
	config_free(decode_good(UPLINK("local: 192.0.2.0/31, peers: [{address: 192.0.2.1}]")));
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 2001:db8::9}]"), 4, 41, at,
		"2001:db8::9 is IPv6 and the uplink's own address IPv4: tunnels run over one of "
		"them; give an IPv4 address, or a second uplink");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2},\n"
			    "{name: x, address: 192.0.2.2}]"),
		5, 11, "uplinks[0].vxlan.peers[1].address",
		"is that of entry [0], too: list each peer once");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{name: x, address: 192.0.2.2},\n"
			    "{name: x, address: 192.0.2.3}]"),
		5, 2, "uplinks[0].vxlan.peers[1].name",
		"\"x\" is the name of entry [0], too: names must differ");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2,\nnetworks: [no]}]"),
		5, 12, "uplinks[0].vxlan.peers[0].networks[0]",
		"network \"no\" does not exist: add it under networks, or name one that does");
	assert_fault(
		UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2,\nnetworks: [local]}]"), 5,
		12, "uplinks[0].vxlan.peers[0].networks[0]",
		"network \"local\" has no vni: give it one");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2,\n"
			    "name: a-name-that-is-really-much-too-long-for-what-is-to-come}]"),
		5, 1, "uplinks[0].vxlan.peers[0].name",
		"\"up.a-name-that-is-really-much-too-long-for-what-is-to-come.16777215\" is too "
		"long for a port's name: give the peer a shorter one");
}

static void macs(void **state)
{
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2, networks: [red],\n"
			    "macs: [{network: blue, mac: 02:00:00:00:00:01}]}]"),
		5, 9, "uplinks[0].vxlan.peers[0].macs[0].network",
		"network \"blue\" is not among the peer's networks: list it there");
	assert_fault(UPLINK("local: 192.0.2.1/24, peers: [{address: 192.0.2.2,\n"
			    "macs: [{network: red, mac: 02:00:00:00:00:01}]}, {address: "
			    "192.0.2.3,\n"
			    "macs: [{network: red, mac: 02:00:00:00:00:01}]}]"),
		6, 23, "uplinks[0].vxlan.peers[1].macs[0].mac",
		"02:00:00:00:00:01 lives at peer 192.0.2.2 in the same network: a MAC has one "
		"place");
	assert_fault("ports: [{name: p, network: red, trusted: true, mac: 02:00:00:00:00:01,\n"
		     "  kernel: {interface: i}}]\n" UPLINK(
			     "local: 192.0.2.1/24, peers: [{address: 192.0.2.2,\n"
			     "macs: [{network: red, mac: 02:00:00:00:00:01}]}]"),
		7, 23, "uplinks[0].vxlan.peers[0].macs[0].mac",
		"02:00:00:00:00:01 lives at p in the same network: a MAC has one place");
}

/* No guest gets near the tunnels, and no two networks into one. */
static void networks_are_kept_apart(void **state)
{
	assert_fault(UPLINK("local: 192.0.2.1/24, vlan: 7"), 4, 32, "uplinks[0].vxlan.vlan",
		"network old has vlan 7 here, and its guests could send into the tunnels: give the "
		"underlay a VLAN of its own");
	assert_fault(NETWORKS "uplinks: [{name: up, device: net_ring0, untagged: local,\n"
			      "  vxlan: {local: 192.0.2.1/24}}]\n",
		4, 3, "uplinks[0].vxlan.vlan",
		"network local goes without a tag, as the tunnels do, and its guests could send "
		"into them: give the underlay a VLAN of its own");
	assert_fault("networks: [{name: a, vni: 5}, {name: b,\n vni: 5}]\n", 2, 2,
		"networks[1].vni", "5 is the vni of network a, too: give each network its own");
	assert_fault("networks: [{name: a,\n vni: 16777216}]\n", 2, 2, "networks[0].vni",
		"must be a whole number from 0 to 16777215, not 16777216");
}

static void ports_are_limited(void **state)
{
	char *text = malloc(1 << 20);
	size_t len = 0, size = 1 << 20;

	assert_non_null(text);
	len += (size_t)snprintf(text, size, "networks:\n");
	for (unsigned i = 1; i <= 40; i++)
		len += (size_t)snprintf(
			text + len, size - len, "  - {name: n%u, vni: %u, mtu: 1400}\n", i, i);
	len += (size_t)snprintf(text + len, size - len,
		"uplinks: [{name: up, device: net_ring0, vxlan: {local: 10.0.0.1/8, peers: [\n");
	for (unsigned i = 2; i < 28; i++)
		len += (size_t)snprintf(text + len, size - len, "  {address: 10.0.0.%u},\n", i);
	snprintf(text + len, size - len, "]}}]\n");
	assert_null(decode(text));
	assert_string_equal(report.messages[0].text,
		"makes 1040 ports with those before it, one for each network that it carries, and "
		"to each of its peers: at most 1024 are taken; list the networks that are needed");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_network_goes_to_each_peer),
		cmocka_unit_test(tunnels_alone),
		cmocka_unit_test(ipv6_underlay),
		cmocka_unit_test(it_is_encoded),
		cmocka_unit_test(what_does_not_fit_is_warned_of),
		cmocka_unit_test(addresses),
		cmocka_unit_test(behind_an_interface),
		cmocka_unit_test(peers),
		cmocka_unit_test(macs),
		cmocka_unit_test(networks_are_kept_apart),
		cmocka_unit_test(ports_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
