/*
 * Uplinks in the configuration: which ports they make, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"
#include "config_uplinks.h"

#define NETWORKS                                                                                   \
	"networks: [{name: red, vlan: 100}, {name: blue, vlan: 200, mtu: 9000}, {name: plain}]\n"

static void every_network_with_a_vlan_is_carried(void **state)
{
	struct config *c = decode_good(NETWORKS "uplinks:\n"
						"  - name: up\n"
						"    device: net_tap0,iface=eth1\n"
						"    queues: 3\n"
						"    untagged: plain\n"
						"    storm: {broadcast: 7}\n"
						"    mac-limit: 99\n");
	static const struct {
		const char *name, *network;
		uint16_t vlan, mtu;
	} ports[] = {{"up", "plain", 0, 1500}, {"up.100", "red", 100, 1500},
		{"up.200", "blue", 200, 9000}};

	assert_int_equal(report.n_warnings, 0);
	assert_int_equal(c->n_listed_ports, 0);
	assert_int_equal(c->n_ports, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct config_port *p = &c->ports[i];

		assert_string_equal(p->name, ports[i].name);
		assert_string_equal(p->network, ports[i].network);
		assert_string_equal(c->networks[p->network_index].name, ports[i].network);
		assert_int_equal(p->kind, CONFIG_PORT_UPLINK);
		assert_int_equal(p->mtu, ports[i].mtu);
		assert_string_equal(p->uplink.device, "net_tap0,iface=eth1");
		assert_int_equal(p->uplink.vlan, ports[i].vlan);
		assert_int_equal(p->uplink.mtu, 9000); /* the device's: the largest */
		assert_int_equal(p->uplink.queues, 3);
		assert_true(p->trusted);
		assert_false(p->uplink.qinq || p->promiscuous || p->isolated || p->has_mac);
		assert_int_equal(p->mac_limit, 99);
		assert_int_equal(p->storm.broadcast, 7);
		assert_int_equal(p->storm.multicast, 4000);
		assert_int_equal(p->limits.connections, 50000);
	}
	config_free(c);
}

static void listed_networks_only(void **state)
{
	struct config *c = decode_good(
		NETWORKS "uplinks: [{name: a, device: net_ring0, networks: [blue], qinq: pass},\n"
			 "          {name: b, device: \"0000:3b:00.0\", networks: [red], untagged: "
			 "blue}]\n");

	assert_int_equal(c->n_ports, 3);
	assert_string_equal(c->ports[0].name, "a.200");
	assert_true(c->ports[0].uplink.qinq);
	assert_true(c->ports[0].tagged);
	assert_false(c->ports[1].tagged || c->ports[2].tagged);
	assert_string_equal(c->ports[1].name, "b"); /* a network with a vlan may go without */
	assert_string_equal(c->ports[1].network, "blue");
	assert_string_equal(c->ports[2].name, "b.100");
	config_free(c);
}

/* The document has uplinks, not the ports that they make. */
static void what_is_carried_is_in_no_document(void **state)
{
	struct config *c = decode_good(
		NETWORKS "ports: [{name: p, network: red, trusted: true, kernel: {interface: i}}]\n"
			 "uplinks: [{name: up, device: net_ring0, untagged: plain}]\n");
	json_t *tree = config_encode(c), *again = config_encode_like(c, c, tree);
	struct config_doc *doc = config_doc_from_json("again", tree);
	struct config *same = config_decode(doc, &report);

	assert_int_equal(json_array_size(json_object_get(tree, "ports")), 1);
	assert_int_equal(json_array_size(json_object_get(tree, "uplinks")), 1);
	assert_true(json_equal(tree, again));
	assert_non_null(same);
	assert_int_equal(same->n_ports, 4);
	assert_string_equal(same->ports[3].name, "up.200");
	config_free(same);
	config_doc_free(doc);
	json_decref(again);
	json_decref(tree);
	config_free(c);
}

static void what_cannot_be_carried(void **state)
{
	assert_fault(NETWORKS "uplinks:\n  - {name: u, device: net_ring0, networks: [green]}\n", 3,
		45, "uplinks[0].networks[0]",
		"network \"green\" does not exist: add it under networks, or name one that does");
	assert_fault(NETWORKS "uplinks:\n  - {name: u, device: net_ring0, networks: [plain]}\n", 3,
		45, "uplinks[0].networks[0]",
		"network \"plain\" has no vlan: give it one, or make it the uplink's \"untagged\" "
		"one");
	assert_fault(NETWORKS "uplinks:\n  - {name: u, device: net_ring0, untagged: green}\n", 3,
		34, "uplinks[0].untagged",
		"network \"green\" does not exist: add it under networks, or name one that does");
	assert_fault(NETWORKS
		"uplinks:\n  - {name: u, device: net_ring0, networks: [red], untagged: red}\n",
		3, 51, "uplinks[0].untagged",
		"network \"red\" is listed under networks, too: it goes out either with its tag or "
		"without");
	assert_fault("networks: [{name: a, vlan: 5}, {name: b, vlan: 5}]\n"
		     "uplinks:\n  - {name: u, device: net_ring0}\n",
		3, 5, "uplinks[0].networks",
		"networks a and b both have vlan 5: the uplink can carry only one of them; list "
		"its networks, or change a vlan");
	assert_warning("networks: [{name: plain}]\nuplinks: [{name: u, device: net_ring0}]\n",
		"uplinks[0]",
		"carries nothing: give networks a vlan or vni, or name one as \"untagged\"");
}

static void names_and_devices_differ(void **state)
{
	assert_fault(NETWORKS
		"ports: [{name: u.100, network: red, trusted: true, kernel: {interface: i}}]\n"
		"uplinks:\n  - {name: u, device: net_ring0}\n",
		4, 6, "uplinks[0].name",
		"what it carries of network red would be called u.100, and a port is called that "
		"already: rename one");
	assert_fault(NETWORKS "uplinks:\n  - {name: u, device: net_ring0, networks: [red]}\n"
			      "  - {name: v, device: \"net_ring0,x=1\", networks: [blue]}\n",
		4, 15, "uplinks[1].device",
		"uplink u has a device of that name already: give each its own, such as "
		"net_tap0 and net_tap1");
}

/* Nor one that the switch makes for the host, which would bring back what goes out there. */
static void an_interface_is_taken_once(void **state)
{
	assert_fault(NETWORKS "uplinks:\n  - {name: u, interface: i, networks: [red]}\n"
			      "  - {name: v, interface: i, networks: [blue]}\n",
		4, 15, "uplinks[1].interface",
		"uplink u has that interface already: give each its own");
	assert_fault(NETWORKS
		"uplinks:\n  - {name: u, interface: i, networks: [red]}\n"
		"  - {name: v, device: \"net_af_packet0,iface=i,qpairs=1\", networks: "
		"[blue]}\n",
		3, 15, "uplinks[0].interface",
		"uplink v has that interface already: give each its own");
	assert_fault(NETWORKS
		"uplinks:\n  - {name: u, networks: [red], bond: {mode: active-backup, "
		"members: [net_ring0, \"net_af_packet0,iface=i\"]}}\n"
		"  - {name: v, interface: i, networks: [blue]}\n",
		4, 15, "uplinks[1].interface",
		"uplink u has that interface already: give each its own");
	assert_fault(NETWORKS
		"ports: [{name: p, network: red, trusted: true, kernel: {interface: i}}]\n"
		"uplinks:\n  - {name: u, interface: i}\n",
		4, 15, "uplinks[0].interface",
		"is the one of port p, by which the host is a guest: give a NIC");
	config_free(decode_good(
		NETWORKS "ports: [{name: p, network: red, trusted: true, kernel: {interface: i, "
			 "netns: n}}]\n"
			 "uplinks:\n  - {name: u, interface: i, networks: [red]}\n"
			 "  - {name: v, device: \"net_af_packet0,iface=ii\", networks: [blue]}\n"));
}

static void devices_have_a_form(void **state)
{
	static const char *const good[] = {"\"0000:3b:00.0\"", "\"3b:00.1\"",
		"\"0000:af:1f.7,arg=1\"", "net_null", "\"net_tap0,iface=x\""};
	static const char *const bad[] = {"eth1", "\"0000:3b:00.8\"", "\"3b:00\"", "crypto_null",
		"net_", "\"net_ring0 --no-pci\"", "\"0000:3b:00.0x\"", "5", "\"net_a-b\""};
	char text[256];

	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
		snprintf(
			text, sizeof(text), NETWORKS "uplinks: [{name: u, device: %s}]\n", good[i]);
		config_free(decode_good(text));
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), NETWORKS "uplinks: [{name: u, device: %s}]\n", bad[i]);
		assert_null(decode(text));
		assert_string_equal(report.messages[0].field, "uplinks[0].device");
		assert_non_null(strstr(report.messages[0].text, "must be a PCI address such as"));
	}
	assert_true(config_device_is_pci("3b:00.0"));
	assert_true(config_device_is_pci("0000:3b:00.0,x=y"));
	assert_false(config_device_is_pci("net_ring0"));
	assert_false(config_device_is_pci("00:3b:00.0"));
}

#define BOND(fields) NETWORKS "uplinks:\n  - name: u\n    bond: {" fields "}\n"

static void bonds_have_members(void **state)
{
	struct config *c = decode_good(
		BOND("mode: active-backup, members: [\"0000:3b:00.0\", \"net_tap0,iface=x\"], "
		     "primary: \"net_tap0,iface=x\""));
	json_t *tree = config_encode(c);
	const struct config_uplink_share *share = &c->ports[0].uplink;

	assert_string_equal(share->uplink, "u");
	assert_string_equal(share->device, "");
	assert_int_equal(share->bond.mode, CONFIG_BOND_ACTIVE_BACKUP);
	assert_int_equal(share->bond.n_members, 2);
	assert_string_equal(share->bond.members[1], "net_tap0,iface=x");
	assert_string_equal(share->bond.primary, "net_tap0,iface=x");
	assert_null(json_object_get(json_array_get(json_object_get(tree, "uplinks"), 0), "device"));
	json_decref(tree);
	config_free(c);
	c = decode_good(BOND("mode: lacp, members: [net_ring0]"));
	assert_int_equal(c->ports[0].uplink.bond.mode, CONFIG_BOND_LACP);
	config_free(c);
}

static void bonds_that_are_none(void **state)
{
	assert_fault(NETWORKS "uplinks:\n  - {name: u}\n", 3, 5, "uplinks[0]",
		"stands on nothing: give it an interface of the kernel, a device, or a bond of "
		"several");
	assert_fault(BOND("mode: lacp, members: [net_ring0]") "    device: net_ring1\n", 4, 5,
		"uplinks[0].bond", "is given beside device: an uplink stands on one of them");
	assert_fault(BOND("mode: lacp, members: []"), 4, 24, "uplinks[0].bond.members",
		"has none: list the devices that the uplink uses as one");
	assert_fault(BOND("mode: lacp, members: [net_ring0, \"net_ring0,x=1\"]"), 4, 45,
		"uplinks[0].bond.members[1]",
		"is the same device as member 0: give each once, virtual devices with names of "
		"their own, such as net_ring0 and net_ring1");
	assert_fault(BOND("mode: lacp, members: [net_ring0], primary: net_ring0"), 4, 46,
		"uplinks[0].bond.primary",
		"is for mode active-backup: with lacp all members are used");
	assert_fault(BOND("mode: active-backup, members: [net_ring0], primary: net_ring1"), 4, 55,
		"uplinks[0].bond.primary",
		"is none of the members: write it as it is listed there");
	assert_fault(
		BOND("mode: lacp, members: [net_ring0, net_ring1]") "  - {name: v, device: "
								    "net_ring1, networks: [red]}\n",
		5, 15, "uplinks[1].device",
		"uplink u has a device of that name already: give each its own, such as "
		"net_tap0 and net_tap1");
	assert_fault(NETWORKS "uplinks:\n  - {name: v, device: net_ring1, networks: [red]}\n"
			      "  - {name: u, bond: {mode: lacp, members: [net_ring1]}}\n",
		4, 44, "uplinks[1].bond.members[0]",
		"uplink v has a device of that name already: give each its own, such as "
		"net_tap0 and net_tap1");
}

/* With those that uplinks make there may be no more ports than without. */
static void ports_are_limited(void **state)
{
	size_t size = 1 << 20, len;
	char *text = malloc(size);

	assert_non_null(text);
	len = (size_t)snprintf(text, size, "networks:\n");
	for (unsigned i = 1; i <= 600; i++)
		len += (size_t)snprintf(
			text + len, size - len, "  - {name: n%u, vlan: %u}\n", i, i);
	snprintf(text + len, size - len,
		"uplinks: [{name: a, device: net_ring0}, {name: b, device: net_ring1}]\n");
	assert_null(decode(text));
	assert_string_equal(report.messages[0].text,
		"makes 1200 ports with those before it, one for each network that it carries, "
		"and to each of its peers: at most 1024 are taken; list the networks that are "
		"needed");
	assert_string_equal(report.messages[0].field, "uplinks[1]");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_network_with_a_vlan_is_carried),
		cmocka_unit_test(listed_networks_only),
		cmocka_unit_test(what_is_carried_is_in_no_document),
		cmocka_unit_test(what_cannot_be_carried),
		cmocka_unit_test(names_and_devices_differ),
		cmocka_unit_test(an_interface_is_taken_once),
		cmocka_unit_test(devices_have_a_form),
		cmocka_unit_test(bonds_have_members),
		cmocka_unit_test(bonds_that_are_none),
		cmocka_unit_test(ports_are_limited),
	};

	return cmocka_run_group_tests_name("config_uplinks", tests, NULL, NULL);
}
