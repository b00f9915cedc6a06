/*
 * The XDP program of an uplink's interface: frames for the switch go to its
 * AF_XDP sockets, those of sources in quarantine end here, and the host gets
 * all others as if there were no switch. So it does with those for the switch
 * while that is not running, since its sockets went with it.
 *
 * Whatever can't be understood is the host's, and what is for the switch but
 * malformed inside the switch's, which drops it with a reason. All loops are
 * bounded; every map but the counters is written by the loader alone.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp_edge.h"

#define VLAN_MASK     0x0fff
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define OPTIONS_MASK  0x3c /* at most 40 bytes, in words */
#define IPV6_FRAGMENT 0xfff9
#define OFFSET_MAX    0x3fff /* headers are looked for up to here */
#define VXLAN_HAS_VNI 0x08 /* RFC 7348, 5 */
#define MULTICAST_BIT 0x01

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, EDGE_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} edge_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EDGE_VLANS);
	__type(key, __u32);
	__type(value, __u32);
} edge_vlans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EDGE_MACS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct edge_mac);
	__type(value, __u8);
} edge_macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EDGE_VNIS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} edge_vnis SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EDGE_UNDERLAY_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct edge_underlay);
	__type(value, __u8);
} edge_underlay SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, EDGE_SOURCES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct edge_source);
	__type(value, struct edge_drops);
} edge_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EDGE_RULES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct edge_rules);
} edge_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EDGE_VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} edge_counters SEC(".maps");

/* What of the frame is still to be read. */
struct cursor {
	void *at, *end;
};

struct tag {
	__be16 tci;
	__be16 type;
};

struct vxlan {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni; /* in the upper 24 bits */
};

static __always_inline void *take(struct cursor *c, __u32 bytes)
{
	void *at = c->at;

	if (at + bytes > c->end)
		return NULL;
	c->at = at + bytes;
	return at;
}

static __always_inline int count(enum edge_verdict verdict, int action)
{
	__u32 key = verdict;
	__u64 *counter = bpf_map_lookup_elem(&edge_counters, &key);

	if (counter != NULL)
		(*counter)++;
	return action;
}

static __always_inline void map_ipv4(__u8 addr[16], __be32 ipv4)
{
	__builtin_memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
	__builtin_memcpy(addr + 12, &ipv4, sizeof(ipv4));
}

/* Past what an IPv4 header has behind its first 20 bytes. */
static __always_inline bool skip_options(struct cursor *c, const struct iphdr *ip)
{
	/* The mask takes nothing away; it tells the verifier that the difference is
	 * in bounds. */
	return take(c, (ip->ihl * 4 - sizeof(*ip)) & OPTIONS_MASK) != NULL;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT;
}

/* Past one extension header (RFC 8200, 4); false where it is cut short, or the header of a fragment
 * that is not the whole packet (RFC 6946). */
static __always_inline bool skip_extension(struct cursor *c, __u8 *next)
{
	const struct {
		__u8 next, len;
		__be16 fragment;
		__u8 rest[4];
	} *head = take(c, sizeof(*head));

	if (head == NULL)
		return false;
	if (*next == IPPROTO_FRAGMENT) {
		if ((head->fragment & bpf_htons(IPV6_FRAGMENT)) != 0)
			return false;
	} else if (take(c, head->len * 8) == NULL) {
		return false;
	}
	*next = head->next;
	return true;
}

/*
 * Past extension headers, of which the first is a `next` and begins at offset: where the next one
 * begins in the upper 24 bits and what it is below, which is an extension header still where there
 * are too many. Negative: as skip_extension(). A function of its own for the verifier, too, which
 * would else follow its every turn anew with all that comes behind it.
 */
__attribute__((noinline)) int skip_extensions(struct xdp_md *ctx, __u32 offset, __u32 next)
{
	struct cursor c = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	__u8 protocol = next;

	if (offset > OFFSET_MAX || take(&c, offset) == NULL)
		return -1;
	for (int i = 0; i < EDGE_EXTENSIONS && is_extension(protocol); i++)
		if (!skip_extension(&c, &protocol))
			return -1;
	offset = c.at - (void *)(long)ctx->data;
	return offset > OFFSET_MAX ? -1 : (int)(offset << 8 | protocol);
}

/* Moves c, which is where an IPv6 header ended, and tells what is there; negative: as above. */
static __always_inline int take_extensions(struct xdp_md *ctx, struct cursor *c, __u8 next)
{
	void *data = (void *)(long)ctx->data;
	int found = skip_extensions(ctx, c->at - data, next);
	__u64 offset = ((__u32)found >> 8) & OFFSET_MAX;

	if (found < 0)
		return -1;
	barrier_var(offset); /* a number in bounds, as the verifier needs it */
	c->at = data + offset;
	c->end = (void *)(long)ctx->data_end;
	return found & 0xff;
}

/* Of an IP packet, what quarantine goes by. */
struct flow {
	__u8 protocol;
	bool has_protocol; /* else it is behind too many headers */
	bool has_ports; /* else it has none, or is a fragment without them */
	__u16 from, to;
};

/* c is where the protocol's header begins. */
static __always_inline void read_ports(struct cursor *c, struct flow *flow)
{
	const __be16 *ports;

	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
		return;
	ports = take(c, 2 * sizeof(*ports));
	if (ports == NULL)
		return;
	flow->from = bpf_ntohs(ports[0]);
	flow->to = bpf_ntohs(ports[1]);
	flow->has_ports = true;
}

static __always_inline bool read_ipv4(struct cursor *c, __u8 addr[16], struct flow *flow)
{
	const struct iphdr *ip = take(c, sizeof(*ip));

	if (ip == NULL || ip->version != 4 || ip->ihl < 5)
		return false;
	map_ipv4(addr, ip->saddr);
	flow->protocol = ip->protocol;
	flow->has_protocol = true;
	if ((ip->frag_off & bpf_htons(IPV4_FRAGMENT)) == 0 && skip_options(c, ip))
		read_ports(c, flow);
	return true;
}

static __always_inline bool read_ipv6(
	struct xdp_md *ctx, struct cursor *c, __u8 addr[16], struct flow *flow)
{
	const struct ipv6hdr *ip = take(c, sizeof(*ip));
	int protocol;

	if (ip == NULL || ip->version != 6)
		return false;
	__builtin_memcpy(addr, &ip->saddr, 16);
	protocol = take_extensions(ctx, c, ip->nexthdr);
	if (protocol < 0 || is_extension(protocol))
		return true;
	flow->protocol = protocol;
	flow->has_protocol = true;
	read_ports(c, flow);
	return true;
}

/* What the packet at c is, and where from. One tag more is stepped over: a guest's own. */
static __always_inline bool read_packet(
	struct xdp_md *ctx, struct cursor *c, __be16 type, __u8 addr[16], struct flow *flow)
{
	if (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)) {
		const struct tag *tag = take(c, sizeof(*tag));

		if (tag == NULL)
			return false;
		type = tag->type;
	}
	if (type == bpf_htons(ETH_P_IP))
		return read_ipv4(c, addr, flow);
	return type == bpf_htons(ETH_P_IPV6) && read_ipv6(ctx, c, addr, flow);
}

static __always_inline bool is_service(const struct edge_rules *rules, const struct flow *flow)
{
	if (flow->protocol != IPPROTO_TCP || !flow->has_ports)
		return false;
	for (int i = 0; i < EDGE_SERVICES_MAX && i < rules->n_services; i++)
		if (rules->services[i] == flow->from || rules->services[i] == flow->to)
			return true;
	return false;
}

/* It may be something that the source may still send; where that is not sure, it may. */
static __always_inline bool may_be_allowed(const struct edge_rules *rules, const struct flow *flow)
{
	if (!flow->has_protocol || flow->protocol == IPPROTO_ICMPV6)
		return true;
	for (int i = 0; i < EDGE_ALLOW_MAX && i < rules->n_allow; i++) {
		const struct edge_allow *allow = &rules->allow[i];

		if (allow->protocol == flow->protocol &&
			(!flow->has_ports || (allow->first <= flow->to && flow->to <= allow->last)))
			return true;
	}
	return false;
}

/* The entry of the packet's source where that may not send it. */
static __always_inline struct edge_drops *find_drops(
	struct xdp_md *ctx, struct cursor *c, __be16 type, __u32 network)
{
	const struct edge_rules *rules = bpf_map_lookup_elem(&edge_rules, &network);
	struct edge_source source = {.network = network};
	struct edge_drops *drops;
	struct flow flow = {};

	if (rules == NULL || !read_packet(ctx, c, type, source.addr, &flow))
		return NULL;
	source.level = EDGE_SHUT_HOST;
	drops = bpf_map_lookup_elem(&edge_sources, &source);
	if (drops != NULL)
		return may_be_allowed(rules, &flow) ? NULL : drops;
	source.level = EDGE_SHUT_SERVICES;
	drops = bpf_map_lookup_elem(&edge_sources, &source);
	return drops != NULL && is_service(rules, &flow) ? drops : NULL;
}

/* A frame for the switch, with its Ethernet header and the network's tag behind it. */
static __always_inline int to_switch(
	struct xdp_md *ctx, struct cursor *c, __be16 type, __u32 network, enum edge_verdict verdict)
{
	struct edge_drops *drops = find_drops(ctx, c, type, network);
	int action;

	if (drops != NULL) {
		drops->packets++;
		drops->bytes += ctx->data_end - ctx->data;
		return count(EDGE_QUARANTINED, XDP_DROP);
	}
	action = bpf_redirect_map(&edge_sockets, ctx->rx_queue_index, XDP_PASS);
	return count(action == XDP_REDIRECT ? verdict : EDGE_NO_SOCKET, action);
}

/* To the UDP header of an IPv4 packet that is whole. */
static __always_inline bool find_udp_ipv4(struct cursor *c, __u8 addr[16])
{
	const struct iphdr *ip = take(c, sizeof(*ip));

	if (ip == NULL || ip->version != 4 || ip->ihl < 5 || ip->protocol != IPPROTO_UDP ||
		(ip->frag_off & bpf_htons(IPV4_FRAGMENT)) != 0)
		return false;
	map_ipv4(addr, ip->daddr);
	return skip_options(c, ip);
}

static __always_inline bool find_udp_ipv6(struct xdp_md *ctx, struct cursor *c, __u8 addr[16])
{
	const struct ipv6hdr *ip = take(c, sizeof(*ip));

	if (ip == NULL || ip->version != 6)
		return false;
	__builtin_memcpy(addr, &ip->daddr, 16);
	return take_extensions(ctx, c, ip->nexthdr) == IPPROTO_UDP;
}

/* Whether the packet at c is for the VXLAN port of an underlay address; c is behind UDP then. */
static __always_inline bool is_for_underlay(
	struct xdp_md *ctx, struct cursor *c, __be16 type, __u16 vlan)
{
	struct edge_underlay to = {.vlan = vlan};
	const struct udphdr *udp;

	if (type == bpf_htons(ETH_P_IP)) {
		if (!find_udp_ipv4(c, to.addr))
			return false;
	} else if (type != bpf_htons(ETH_P_IPV6) || !find_udp_ipv6(ctx, c, to.addr)) {
		return false;
	}
	udp = take(c, sizeof(*udp));
	if (udp == NULL)
		return false;
	to.port = udp->dest;
	return bpf_map_lookup_elem(&edge_underlay, &to) != NULL;
}

/* What came by VXLAN (RFC 7348, 5). */
static __always_inline int decide_inner(struct xdp_md *ctx, struct cursor *c)
{
	const struct vxlan *vxlan = take(c, sizeof(*vxlan));
	const struct ethhdr *inner = take(c, sizeof(*inner));
	__u32 vni;

	if (vxlan == NULL || inner == NULL || !(vxlan->flags & VXLAN_HAS_VNI))
		return count(EDGE_BAD_VXLAN, XDP_PASS);
	vni = bpf_ntohl(vxlan->vni) >> 8;
	if (bpf_map_lookup_elem(&edge_vnis, &vni) == NULL)
		return count(EDGE_OTHER_VNI, XDP_PASS);
	return to_switch(ctx, c, inner->h_proto, EDGE_OF_VNI(vni), EDGE_TO_SWITCH_VNI);
}

static __always_inline bool is_guests(const struct ethhdr *eth)
{
	struct edge_mac mac = {};

	__builtin_memcpy(mac.bytes, eth->h_dest, sizeof(mac.bytes));
	return bpf_map_lookup_elem(&edge_macs, &mac) != NULL;
}

SEC("xdp")
int vswitch_edge(struct xdp_md *ctx)
{
	struct cursor c = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	const struct ethhdr *eth = take(&c, sizeof(*eth));
	__u32 vlan = 0, *ours;
	__be16 type;

	if (eth == NULL)
		return count(EDGE_SHORT, XDP_PASS);
	type = eth->h_proto;
	if (type == bpf_htons(ETH_P_8021Q)) {
		const struct tag *tag = take(&c, sizeof(*tag));

		if (tag == NULL)
			return count(EDGE_SHORT, XDP_PASS);
		vlan = bpf_ntohs(tag->tci) & VLAN_MASK;
		type = tag->type;
	}
	ours = bpf_map_lookup_elem(&edge_vlans, &vlan);
	if (ours != NULL && *ours != 0) {
		if (vlan != 0)
			return to_switch(ctx, &c, type, EDGE_OF_VLAN(vlan), EDGE_TO_SWITCH_VLAN);
		if (eth->h_dest[0] & MULTICAST_BIT)
			return count(EDGE_MULTICAST, XDP_PASS);
		if (is_guests(eth))
			return to_switch(ctx, &c, type, EDGE_OF_VLAN(0), EDGE_TO_SWITCH_MAC);
	}
	if (is_for_underlay(ctx, &c, type, vlan))
		return decide_inner(ctx, &c);
	return count(EDGE_HOST, XDP_PASS);
}
