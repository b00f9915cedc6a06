/*
 * The typed configuration: what a document (YAML file, saved state or edited JSON) means once it
 * has been checked. A struct config is immutable after config_decode() and owned by its caller.
 *
 * Used by the control thread and by vswitch-ctl; no DPDK here. Not for workers: they see the
 * snapshot that is built from it.
 */
#ifndef VS_CONFIG_H
#define VS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "addr.h"
#include "config_doc.h"
#include "config_report.h"

#define CONFIG_NAME_MAX          63 /* characters in a network's, port's or tenant's name */
#define CONFIG_PATH_MAX          107 /* what sun_path takes beside its NUL */
#define CONFIG_WORKERS_MAX       16
#define CONFIG_NETWORKS_MAX      1024
#define CONFIG_PORTS_MAX         1024
#define CONFIG_QUEUES_MAX        16 /* queue pairs of one port */
#define CONFIG_PORT_IPS_MAX      64
#define CONFIG_UPLINKS_MAX       16
#define CONFIG_BOND_MEMBERS_MAX  8
#define CONFIG_UPLINK_NETWORKS   256 /* that one names */
#define CONFIG_DEVICE_MAX        255 /* characters in the name of a device */
#define CONFIG_INTERFACE_MAX     15 /* and of an interface of the kernel */
#define CONFIG_PEERS_MAX         256 /* VXLAN peers of one uplink */
#define CONFIG_PEER_MACS_MAX     64 /* configured MACs of one network behind one of them */
#define CONFIG_REPLAY_MAX        256
#define CONFIG_TENANTS_MAX       1024
#define CONFIG_GROUPS_MAX        4096
#define CONFIG_SETS_MAX          4096
#define CONFIG_RULES_MAX         16384 /* of one group */
#define CONFIG_RULE_PORTS_MAX    16
#define CONFIG_SET_ADDRESSES_MAX 65536 /* of one set */
#define CONFIG_PORT_GROUPS_MAX   16
#define CONFIG_PAIRS_MAX         64
#define CONFIG_ETHERTYPES_MAX    16
#define CONFIG_ETHERTYPE_ANY     0 /* in a list: every frame, 802.3 ones too */
#define CONFIG_MTU_MIN           68
#define CONFIG_MTU_MAX           9000

/* Access to a file or socket that the switch makes. -1: leave as it is. */
struct config_access {
	uid_t owner;
	gid_t group;
	int mode; /* -1, or permission bits */
};

enum config_hugepages { CONFIG_HUGEPAGES_AUTO, CONFIG_HUGEPAGES_YES, CONFIG_HUGEPAGES_NO };

/* The `vswitch:` section: read from the file at start, changed by a restart only. */
struct config_vswitch {
	uint16_t workers[CONFIG_WORKERS_MAX]; /* cores */
	unsigned n_workers;
	char control[CONFIG_PATH_MAX + 1]; /* path of the control socket */
	struct config_access control_access; /* default: mode 0660 */
	char events[256]; /* path of the event file; empty: none */
	char state[256]; /* directory of the saved state */
	struct config_access socket_access; /* vhost-user sockets and their directories */
	enum config_hugepages hugepages;
	unsigned buffers; /* packet buffers in the pool */
	unsigned sleep_after_us; /* a worker with nothing to do for so long sleeps; 0: never */
	unsigned connections; /* that each worker has room for */
	unsigned inspected; /* connections under inspection that each worker has room for */
	unsigned inspection_memory; /* MiB for what inspection keeps, of all workers together */
	char rules[256]; /* directory in which relative names of rule files are looked for */
	char evidence[256]; /* directory of quarantines' evidence; default: below state */
	char hook[256]; /* program that is told of quarantines; empty: none */
	unsigned stats_s; /* seconds between `stats` events; 0: none */
};

/* Connections that a port or tenant opens. */
struct config_limits {
	uint32_t connections; /* at a time */
	uint32_t per_second; /* new ones */
};

struct config_tenant {
	char name[CONFIG_NAME_MAX + 1];
	bool audit; /* rules only say what they would deny */
	struct config_limits limits;
};

enum config_tcp { CONFIG_TCP_LIBERAL, CONFIG_TCP_STRICT };

/* Seconds without a packet until a connection is forgotten. */
struct config_timeouts {
	uint32_t tcp_syn, tcp_opening, tcp_established, tcp_fin, tcp_closing, tcp_closed;
	uint32_t udp_first, udp_single, udp_multiple;
	uint32_t icmp_first, icmp_replied;
	uint32_t other_first, other_single, other_multiple;
};

struct config_firewall {
	enum config_tcp tcp;
	unsigned pick_up_s; /* so long after a start running connections are taken over; 0: never */
	struct config_timeouts timeouts;
};

/* Addresses by name. */
struct config_set {
	char name[CONFIG_NAME_MAX + 1];
	char tenant[CONFIG_NAME_MAX + 1];
	struct addr_span *addresses;
	unsigned n_addresses;
};

enum config_direction { CONFIG_IN, CONFIG_OUT }; /* into the guest, out of the guest */
enum config_family { CONFIG_ANY_FAMILY, CONFIG_IPV4, CONFIG_IPV6 };
enum config_action { CONFIG_ALLOW, CONFIG_DENY, CONFIG_REJECT };

struct config_ports {
	uint16_t first, last;
};

struct config_remote {
	enum { CONFIG_REMOTE_ANY, CONFIG_REMOTE_SPAN, CONFIG_REMOTE_GROUP, CONFIG_REMOTE_SET } kind;
	struct addr_span span;
	char name[CONFIG_NAME_MAX + 1];
	unsigned index; /* into config.groups or config.sets */
};

struct config_rule {
	char name[CONFIG_NAME_MAX + 1]; /* may be empty */
	enum config_direction direction;
	enum config_family family;
	int protocol; /* IPPROTO_*; -1: any */
	struct config_ports ports[CONFIG_RULE_PORTS_MAX]; /* destination's */
	unsigned n_ports; /* 0: any */
	int type, code; /* of ICMP and ICMPv6; -1: any */
	struct config_remote remote;
	enum config_action action;
	bool log;
};

struct config_group {
	char name[CONFIG_NAME_MAX + 1];
	char tenant[CONFIG_NAME_MAX + 1];
	struct addr_span *addresses; /* beside those of its ports: guests of other hosts */
	unsigned n_addresses;
	struct config_rule *rules;
	unsigned n_rules;
};

#define CONFIG_SERVICES_MAX     16
#define CONFIG_RULE_FILES_MAX   16
#define CONFIG_VARIABLES_MAX    64
#define CONFIG_OVERRIDES_MAX    1024
#define CONFIG_ALLOWED_MAX      32
#define CONFIG_FILE_MAX         255 /* characters in a file's path */
#define CONFIG_FANOUT_HOSTS_MAX 256 /* of one port that are told apart */

/* What cannot be inspected, by name. */
enum config_failure {
	CONFIG_FAILURE_MIDSTREAM, /* the connection's beginning was not seen */
	CONFIG_FAILURE_ENCRYPTED,
	CONFIG_FAILURE_COMPRESSED,
	CONFIG_FAILURE_MEMORY, /* the tenant's, or all that there is */
	CONFIG_FAILURE_BUDGET, /* more work than a packet, port or tenant may cause */
	CONFIG_FAILURE_ENGINE, /* an error in Hyperscan or PCRE2 */
	CONFIG_FAILURE_NO_DATABASE, /* rules are not compiled yet */
	CONFIG_FAILURES
};

/* INSPECT: only of midstream: from here on. */
enum config_on_failure { CONFIG_ON_DROP, CONFIG_ON_PASS, CONFIG_ON_INSPECT };

/* In the order of severity. */
enum config_quarantine_level {
	CONFIG_QUARANTINE_NONE,
	CONFIG_QUARANTINE_FLOW, /* the connection alone */
	CONFIG_QUARANTINE_SERVICE, /* no inspected service from or to the guest */
	CONFIG_QUARANTINE_PORT, /* nothing but what `allow` lists */
};

/* What a guest at level `port` may still reach, and be reached from. */
struct config_allow {
	int protocol; /* IPPROTO_* */
	struct config_ports ports; /* of the remote side; all where the protocol has none */
	struct addr_span remote;
};

/* `override` of a rule, by sid or classtype. */
struct config_override {
	unsigned kind; /* enum rule_override_kind */
	uint32_t gid, sid; /* sid 0: by classtype */
	char classtype[64];
	unsigned track; /* suppress: enum rule_track */
	char addresses[256]; /* suppress; empty: all */
};

struct config_variable { /* config_vars.h makes something of them */
	char name[CONFIG_NAME_MAX + 1]; /* HOME_NET */
	char value[1024]; /* as in rules: [10.0.0.0/8,!10.1.0.0/16] */
};

/* Fan-out to inspected services, of one guest: what marks a worm. Alert at half. */
struct config_fanout {
	uint32_t window_s;
	uint32_t hosts; /* so many distinct ones ... */
	uint32_t failed_percent; /* ... of which so many failed */
	uint32_t attempts; /* or so many SYNs ... */
	uint32_t failed; /* ... with so many distinct ones failed */
	uint32_t detected; /* or findings on connections to so many distinct ones */
	bool on;
};

/* How a tenant's traffic is inspected. */
struct config_inspection {
	char tenant[CONFIG_NAME_MAX + 1];
	char rules[CONFIG_RULE_FILES_MAX][CONFIG_FILE_MAX + 1];
	unsigned n_rules;
	bool skip_unsupported; /* what is refused in them does not refuse the rest */
	bool prevent; /* mode: prevent; else detect */
	enum config_quarantine_level level;
	uint32_t quarantine_s; /* 0: until released */
	bool exempt_servers; /* who only answers is never cut off at level port: service at most */
	char exempt[CONFIG_ALLOWED_MAX]
		   [CONFIG_NAME_MAX + 1]; /* ports: never quarantined by themselves */
	unsigned n_exempt;
	struct addr_span exempt_addresses[CONFIG_ALLOWED_MAX]; /* nor these, on other hosts */
	unsigned n_exempt_addresses;
	struct config_allow allow[CONFIG_ALLOWED_MAX];
	unsigned n_allow;
	uint16_t services[CONFIG_SERVICES_MAX]; /* TCP ports */
	unsigned n_services;
	enum config_on_failure on[CONFIG_FAILURES];
	uint64_t memory; /* bytes */
	uint32_t packet_us; /* work that one packet may cause */
	uint32_t port_percent, tenant_percent; /* of a worker's time */
	struct config_variable *variables;
	unsigned n_variables;
	struct config_override *overrides;
	unsigned n_overrides;
	struct config_fanout fanout;
	char fanout_exempt[CONFIG_ALLOWED_MAX][CONFIG_NAME_MAX + 1]; /* ports */
	unsigned n_fanout_exempt;
};

enum config_unknown_unicast { CONFIG_UNKNOWN_FLOOD, CONFIG_UNKNOWN_DROP };

struct config_network {
	char name[CONFIG_NAME_MAX + 1];
	char tenant[CONFIG_NAME_MAX + 1];
	uint16_t vlan; /* 0: none; the tag that uplinks carry it under */
	uint32_t vni; /* 0: none; that of VXLAN; no two networks have the same */
	unsigned workers; /* over how many workers its packets are spread; at least 1 */
	int home; /* core of its home worker; -1: the switch chooses */
	uint16_t mtu;
	bool learning;
	enum config_unknown_unicast unknown_unicast;
	unsigned mac_limit; /* learned MACs in all */
	unsigned mac_age; /* seconds */
	uint16_t ethertypes[CONFIG_ETHERTYPES_MAX]; /* that its ports may send */
	unsigned n_ethertypes;
	bool wire; /* of two ports: what is for one goes from each to the other (replay only) */
};

enum config_port_kind {
	CONFIG_PORT_VHOST_USER,
	CONFIG_PORT_KERNEL,
	CONFIG_PORT_UPLINK,
	CONFIG_PORT_VXLAN
};
enum config_flood { CONFIG_FLOOD_AUTO, CONFIG_FLOOD_ON, CONFIG_FLOOD_OFF };

struct config_vhost_user {
	char socket[CONFIG_PATH_MAX + 1];
	bool server; /* false: QEMU listens, the switch connects */
	unsigned queues; /* queue pairs at the most */
	bool packed;
	bool tso;
};

struct config_kernel {
	char interface[16];
	char netns[CONFIG_NAME_MAX + 1]; /* name under /run/netns; empty: the switch's own */
};

enum config_bond_mode { CONFIG_BOND_ACTIVE_BACKUP, CONFIG_BOND_LACP };

/* Devices that are used as one. */
struct config_bond {
	enum config_bond_mode mode;
	unsigned n_members; /* 0: no bond */
	char members[CONFIG_BOND_MEMBERS_MAX][CONFIG_DEVICE_MAX + 1];
	char primary[CONFIG_DEVICE_MAX + 1]; /* that of them which is preferred; may be empty */
};

/* A network's share of an uplink's device. What it says of the device is the same in all shares. */
struct config_uplink_share {
	char uplink[CONFIG_NAME_MAX + 1]; /* the uplink's name */
	char device[CONFIG_DEVICE_MAX + 1]; /* empty: the bond */
	struct config_bond bond;
	char interface[CONFIG_INTERFACE_MAX + 1]; /* or this one, of the kernel */
	unsigned queues;
	uint16_t mtu; /* the largest of all networks that the device carries */
	bool qinq;
	uint16_t vlan; /* the network's; 0: it goes without a tag */
};

/* The switch's own end of an uplink's VXLAN tunnels; the VLAN that it is in is the share's. */
struct config_underlay {
	struct addr local;
	struct addr_span on_link; /* addresses that are reached without the gateway */
	struct addr gateway; /* all zeros: none */
	uint16_t udp_port;
	uint16_t mtu; /* bytes of an outer packet */
};

/* A network's share of what goes to one peer. The underlay is the same in all of an uplink's. */
struct config_overlay {
	struct config_underlay underlay;
	struct addr peer;
	uint32_t vni;
	unsigned n_macs;
	uint8_t macs[CONFIG_PEER_MACS_MAX][6]; /* that live behind it */
};

/* Packets per second that a port may send of each kind; 0: none at all. */
struct config_storm {
	uint32_t broadcast;
	uint32_t multicast;
	uint32_t unknown_unicast;
};

struct config_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t len; /* prefix length */
	uint8_t addr[16];
};

struct config_peer_mac {
	char network[CONFIG_NAME_MAX + 1];
	uint8_t mac[6];
};

/* Another host's end of VXLAN tunnels. */
struct config_peer {
	char name[CONFIG_NAME_MAX + 1]; /* its address unless given, with '-' for ':' */
	char address[ADDR_TEXT_MAX];
	char (*networks)[CONFIG_NAME_MAX + 1];
	unsigned n_networks; /* 0: every one that has a vni */
	struct config_peer_mac *macs;
	unsigned n_macs;
};

struct config_vxlan {
	struct config_prefix local; /* with its host bits */
	char gateway[ADDR_TEXT_MAX]; /* empty: none */
	uint16_t udp_port;
	uint16_t vlan; /* 0: the underlay's frames have no tag */
	uint16_t mtu;
	struct config_peer *peers;
	unsigned n_peers;
};

/* A device that carries networks to other hosts; config_uplinks.h makes a port of each share. */
struct config_uplink {
	char name[CONFIG_NAME_MAX + 1];
	char device[CONFIG_DEVICE_MAX + 1]; /* a PCI address or vdev, with DPDK's arguments */
	bool has_bond;
	struct config_bond bond; /* or several */
	char interface[CONFIG_INTERFACE_MAX + 1]; /* or an interface of the kernel */
	unsigned queues;
	char networks[CONFIG_UPLINK_NETWORKS][CONFIG_NAME_MAX + 1];
	unsigned n_networks; /* 0: every one that has a vlan */
	char untagged[CONFIG_NAME_MAX + 1]; /* the network whose frames have no tag; may be empty */
	bool qinq; /* frames with a tag of their own behind the network's pass */
	bool promiscuous; /* isolated ports reach it */
	unsigned mac_limit; /* of each network */
	struct config_storm storm; /* of each network */
	bool has_vxlan;
	struct config_vxlan vxlan;
};

/* Addresses, and the MAC that they are sent with. */
struct config_pair {
	struct addr_span span;
	bool has_mac; /* else the port's own */
	uint8_t mac[6];
};

struct config_port {
	char name[CONFIG_NAME_MAX + 1];
	char network[CONFIG_NAME_MAX + 1];
	unsigned network_index; /* into config.networks */
	enum config_port_kind kind;
	struct config_vhost_user vhost_user;
	struct config_kernel kernel;
	struct config_uplink_share uplink;
	struct config_overlay vxlan;
	bool has_mac;
	uint8_t mac[6];
	char ips[CONFIG_PORT_IPS_MAX][46]; /* as text, checked */
	unsigned n_ips;
	uint16_t mtu; /* the network's unless given */
	bool has_mtu; /* given: stays when the network's changes */
	bool isolated;
	bool promiscuous; /* reachable by isolated ports */
	bool tagged; /* frames with a VLAN tag pass */
	enum config_flood flood; /* gets unknown unicast; auto: only without a `mac` */
	unsigned mac_limit; /* MACs learned on it */
	struct config_storm storm;
	unsigned tx_retries; /* while the receiver makes progress */
	char groups[CONFIG_PORT_GROUPS_MAX][CONFIG_NAME_MAX + 1]; /* in this order */
	unsigned group_index[CONFIG_PORT_GROUPS_MAX]; /* into config.groups */
	unsigned n_groups;
	enum config_action default_in, default_out; /* where no rule says anything */
	bool trusted; /* neither guard nor rules: a router, a DHCP server */
	struct config_pair pairs[CONFIG_PAIRS_MAX]; /* what it may send from beside mac and ips */
	unsigned n_pairs;
	struct config_limits limits;
};

/* Whether other hosts are behind it. */
static inline bool config_port_is_remote(const struct config_port *port)
{
	return port->kind == CONFIG_PORT_UPLINK || port->kind == CONFIG_PORT_VXLAN;
}

/* The i-th MAC that is configured to live at the port; NULL: there are no more. */
static inline const uint8_t *config_port_mac(const struct config_port *port, unsigned i)
{
	if (port->has_mac && i-- == 0)
		return port->mac;
	return i < port->vxlan.n_macs ? port->vxlan.macs[i] : NULL;
}

/* Whether frames for a MAC that nobody knows are flooded to it. */
static inline bool config_port_takes_unknown(const struct config_port *port)
{
	return port->flood == CONFIG_FLOOD_AUTO ? !port->has_mac : port->flood == CONFIG_FLOOD_ON;
}

/* --replay: which frames of a capture enter at which port. */
struct config_replay {
	char port[CONFIG_NAME_MAX + 1];
	unsigned port_index;
	uint8_t macs[8][6]; /* by source MAC ... */
	unsigned n_macs;
	struct config_prefix prefixes[8]; /* ... or else by source address */
	unsigned n_prefixes;
};

struct config {
	unsigned shares; /* beside the first */
	struct config_vswitch vswitch;
	struct config_network *networks;
	unsigned n_networks;
	struct config_port *ports; /* those listed, then the shares of uplinks */
	unsigned n_ports;
	unsigned n_listed_ports;
	struct config_uplink *uplinks;
	unsigned n_uplinks;
	struct config_tenant *tenants; /* those with settings of their own */
	unsigned n_tenants;
	struct config_firewall firewall;
	struct config_group *groups;
	unsigned n_groups;
	struct config_set *sets;
	unsigned n_sets;
	struct config_inspection *inspection; /* one a tenant */
	unsigned n_inspection;
	struct config_replay *replay;
	unsigned n_replay;
};

/*
 * Checks doc whole and decodes it. Every fault is added to report with file, line and field (up to
 * the report's own limit); warnings too. Returns NULL if there was any error. Free the result with
 * config_free().
 */
struct config *config_decode(const struct config_doc *doc, struct config_report *report);

/* Gives a share away: it is freed with the last one. */
void config_free(struct config *config);

/* Another share of config, for one who needs it longer than its owner. */
struct config *config_share(const struct config *config);

/* What the tenant called name may open, whether it has an entry of its own or not. */
const struct config_limits *config_tenant_limits(const struct config *config, const char *name);

/*
 * The canonical document of config: every field written out, defaults included, so that two
 * documents that mean the same encode to equal JSON. The caller owns the reference.
 */
json_t *config_encode(const struct config *config);

/*
 * The same, quickly: encoded, which is what the configuration `like` encodes to, gives the parts
 * that are equal, so neither tree may be changed. Both may be NULL.
 */
json_t *config_encode_like(
	const struct config *config, const struct config *like, const json_t *encoded);

/* NULL where there is none of that name. */
const struct config_network *config_network(const struct config *config, const char *name);
const struct config_port *config_port(const struct config *config, const char *name);

#endif
