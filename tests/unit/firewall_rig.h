/*
 * Packets for tests of the firewall on a whole switch: hosts are numbers, and host n has the MAC
 * 02:00:00:00:00:0n, the addresses 10.0.0.n and fd00::n, and the port with the n-th letter.
 */
#ifndef VS_TEST_FIREWALL_RIG_H
#define VS_TEST_FIREWALL_RIG_H

#include "switch_rig.h"

#include "conn_quota.h"
#include "firewall.h"
#include "switch_conns.h"

#define ICMP   1
#define ICMP6  58
#define NEXT   0xf4 /* a protocol without ports */
#define RST    0x04
#define PACKET 1514

#define HOST_IN(name, n, network, more)                                                            \
	"  - {name: " #name ", network: " network ", kernel: {interface: " #name "}, mac: "        \
	"\"02:00:00:00:00:0" #n "\", ips: [10.0.0." #n ", \"fd00::" #n "\"]" more "}\n"
#define HOST(name, n, more) HOST_IN(name, n, "n", more)

struct pkt {
	uint32_t from, to; /* hosts */
	uint32_t mac_from, mac_to; /* 0: theirs; mac_to: also RIG_BROADCAST */
	bool ipv6;
	uint8_t proto;
	uint8_t flags; /* TCP */
	uint16_t sport, dport;
	uint8_t type, code; /* ICMP */
	uint16_t ident;
	uint32_t seq, ack;
	uint16_t window;
	uint32_t payload; /* bytes */
	const struct pkt *quoted; /* what an ICMP error is about */
};

static uint8_t fw_frame[PACKET];
static uint32_t fw_id; /* of the last frame put in */

static inline uint32_t fw_ip(uint8_t *ip, const struct pkt *k, uint32_t len)
{
	if (k->ipv6) {
		put32(ip, 0x60000000);
		put16(ip + 4, len);
		ip[6] = k->proto;
		ip[7] = 64;
		put16(ip + 8, 0xfd00);
		put32(ip + 20, k->from);
		put16(ip + 24, 0xfd00);
		put32(ip + 36, k->to);
		return 40;
	}
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = k->proto;
	put32(ip + 12, 0x0a000000 + k->from);
	put32(ip + 16, 0x0a000000 + k->to);
	return 20;
}

static inline uint32_t fw_l4_len(const struct pkt *k)
{
	switch (k->proto) {
	case TCP:
		return 20 + k->payload;
	case UDP:
	case ICMP:
	case ICMP6:
		return 8 + k->payload;
	case SCTP:
		return 12 + k->payload;
	default:
		return k->payload;
	}
}

static inline void fw_l4(uint8_t *l4, const struct pkt *k)
{
	if (k->proto == ICMP || k->proto == ICMP6) {
		l4[0] = k->type;
		l4[1] = k->code;
		put16(l4 + 4, k->ident);
		return;
	}
	if (k->proto != TCP && k->proto != UDP && k->proto != SCTP)
		return;
	put16(l4, k->sport);
	put16(l4 + 2, k->dport);
	if (k->proto == UDP)
		put16(l4 + 4, 8 + k->payload);
	if (k->proto != TCP)
		return;
	put32(l4 + 4, k->seq);
	put32(l4 + 8, k->ack);
	l4[12] = 5 << 4;
	l4[13] = k->flags;
	put16(l4 + 14, k->window != 0 ? k->window : 8192);
}

/* Writes k's IP packet; returns its length. Of a quoted one only 8 bytes behind its header. */
static inline uint32_t fw_packet(uint8_t *ip, const struct pkt *k)
{
	uint32_t len = fw_l4_len(k), header;

	if (k->quoted != NULL)
		len = 8 + (k->quoted->ipv6 ? 40 : 20) + 8;
	header = fw_ip(ip, k, len);
	if (k->quoted != NULL) {
		uint8_t all[PACKET] = {0};

		fw_packet(all, k->quoted);
		memcpy(ip + header + 8, all, len - 8);
	}
	fw_l4(ip + header, k);
	return header + len;
}

/* Makes the frame, with an id of its own behind the packet; returns its length. */
static inline uint32_t fw_make(const struct pkt *k)
{
	uint32_t len;

	memset(fw_frame, 0, sizeof(fw_frame));
	if (k->mac_to == RIG_BROADCAST)
		memset(fw_frame, 0xff, 6);
	else
		rig_mac(fw_frame, k->mac_to != 0 ? k->mac_to : k->to);
	rig_mac(fw_frame + 6, k->mac_from != 0 ? k->mac_from : k->from);
	put16(fw_frame + 12, k->ipv6 ? 0x86dd : 0x0800);
	len = RTE_MAX(14 + fw_packet(fw_frame + 14, k) + 4, 60u);
	fw_id++;
	memcpy(fw_frame + len - 4, &fw_id, 4);
	return len;
}

static inline void fw_put(const char *port, struct pkt k)
{
	rig_put(port, fw_frame, fw_make(&k));
	rig_settle();
}

/* k goes in at port and comes out at just those in names. */
static inline void fw_passes_at(
	const char *port, const char *names, struct pkt k, const char *file, int line)
{
	fw_put(port, k);
	rig_expect_at(names, fw_id, file, line);
}

/* k goes in at port, comes out nowhere, and is counted there for this reason. */
static inline void fw_drops_at(
	const char *port, enum drop_reason reason, struct pkt k, const char *file, int line)
{
	uint64_t before = rig_drops(port, reason);

	fw_put(port, k);
	rig_expect_at("", 0, file, line);
	if (rig_drops(port, reason) == before + 1)
		return;
	print_error("not dropped as %s\n", drop_name(reason));
	_fail(file, line);
}

#define fw_passes(port, names, ...)                                                                \
	fw_passes_at(port, names, (struct pkt){__VA_ARGS__}, __FILE__, __LINE__)
#define fw_drops(port, why, ...)                                                                   \
	fw_drops_at(port, DROP_##why, (struct pkt){__VA_ARGS__}, __FILE__, __LINE__)

/* Parts of a packet: a's, host 1's, to b, host 2, and back. */
#define A_B           .from = 1, .to = 2
#define B_A           .from = 2, .to = 1
#define TCP_A(f)      A_B, .proto = TCP, .sport = 40000, .dport = 445, .flags = (f)
#define TCP_B(f)      B_A, .proto = TCP, .sport = 445, .dport = 40000, .flags = (f)
#define UDP_A         A_B, .proto = UDP, .sport = 40000, .dport = 53
#define UDP_B         B_A, .proto = UDP, .sport = 53, .dport = 40000
#define PING_A        A_B, .proto = ICMP, .type = 8, .ident = 77
#define PONG_B        B_A, .proto = ICMP, .type = 0, .ident = 77
#define SYN_ACK       (TCP_SYN | TCP_ACK)
#define FIN_ACK       (TCP_FIN | TCP_ACK)
#define FW_SECONDS(n) ((uint64_t)(n)*rig.hz)

static inline void fw_pass_seconds(unsigned n)
{
	rig_pass_time(FW_SECONDS(n));
	rig_settle();
}

/* a opens a TCP connection to b's port 445. */
static inline void fw_handshake(void)
{
	fw_passes("a", "b", TCP_A(TCP_SYN));
	fw_passes("b", "a", TCP_B(SYN_ACK));
	fw_passes("a", "b", TCP_A(TCP_ACK));
}

static inline unsigned fw_count(struct conn_filter filter)
{
	json_t *count = switch_conns_count(&filter);
	unsigned n = (unsigned)json_integer_value(json_object_get(count, "connections"));

	json_decref(count);
	return n;
}

/* How many connections there are, and that the switch's quotas know of as many. */
static inline unsigned fw_connections(void)
{
	unsigned n = fw_count((struct conn_filter){0}), counted = 0;

	for (unsigned i = 0; i < MAX_PORTS; i++)
		counted += conn_quota_port((uint16_t)i);
	assert_int_equal(counted, n);
	return n;
}

static inline struct firewall_stats fw_stats(void)
{
	struct firewall_stats sum = {0};

	for (unsigned i = 0; i < n_workers; i++) {
		const struct firewall_stats *s = firewall_stats_of(workers[i]->firewall);

		sum.opened += s->opened;
		sum.decided_again += s->decided_again;
		sum.picked_up += s->picked_up;
		sum.fetched += s->fetched;
	}
	return sum;
}

/* The state of the only connection, as listed; "" where there is none. */
static inline const char *fw_state(void)
{
	static char state[32];
	const struct conn_filter any = {0};
	bool more;
	json_t *rows = switch_conns_list(&any, 2, &more);

	assert_true(json_array_size(rows) <= 1);
	state[0] = '\0';
	if (json_array_size(rows) == 1)
		snprintf(state, sizeof(state), "%s",
			json_string_value(json_object_get(json_array_get(rows, 0), "state")));
	json_decref(rows);
	return state;
}

static inline int fw_begin(void **state)
{
	rig_begin(state);
	rig.strict = true;
	return 0;
}

#define FW_TEST(name) cmocka_unit_test_setup_teardown(name, fw_begin, rig_end)

#endif
