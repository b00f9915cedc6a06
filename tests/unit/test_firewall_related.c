/*
 * Through a whole switch: ICMP errors, which belong to what they quote, and fragments, which share
 * what their whole is decided to be.
 */
#include "firewall_rig.h"

#define SMALL "vswitch: {workers: [1], connections: 4096}\n"
#define NEVER "firewall: {pick-up: 0}\n"
#define NET   "networks: [{name: n, tenant: t}]\n"
#define GROUP                                                                                      \
	"groups:\n- name: g\n  tenant: t\n  rules:\n"                                              \
	"  - {direction: in, protocol: tcp, ports: 445, action: allow}\n"                          \
	"  - {direction: in, protocol: icmp, type: 8, action: allow}\n"                            \
	"  - {direction: in, protocol: icmpv6, type: 128, action: allow}\n"
#define DNS    "  - {direction: in, protocol: udp, ports: 53, action: allow}\n"
#define PORTS  "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]") HOST(c, 3, ROUTER)
#define ROUTER ", trusted: true"
#define SIMPLE SMALL NEVER NET GROUP DNS PORTS

static int start_eal(void **state)
{
	return rig_eal("test_firewall_related", "256");
}

static const struct pkt udp_a = {UDP_A}, udp_b = {UDP_B}, ping_a = {PING_A};
static const struct pkt udp6_a = {UDP_A, .ipv6 = true};
static const struct pkt tcp_a = {TCP_A(TCP_ACK)}, tcp_b = {TCP_B(TCP_ACK)};

/* 59: it opens nothing, and without a connection it does not pass: not even where all may. */
static void test_59_error_opens_nothing(void **state)
{
	rig_start(SMALL NEVER NET "ports:\n" HOST(a, 1, ", default-in: allow")
			HOST(b, 2, ", default-in: allow"));
	fw_drops("b", icmp_unrelated, B_A, .proto = ICMP, .type = 3, .code = 1, .quoted = &udp_a);
	fw_drops("b", icmp_unrelated, B_A, .proto = ICMP, .type = 11, .quoted = &ping_a);
	fw_drops("b", icmp_unrelated, B_A, .proto = ICMP6, .type = 3, .quoted = &udp6_a,
		.ipv6 = true);
	assert_int_equal(fw_connections(), 0);
	/* In the way that it went, it is the other's. */
	fw_passes("a", "b", UDP_A);
	fw_drops("a", icmp_unrelated, A_B, .proto = ICMP, .type = 3, .quoted = &udp_a);
	fw_drops("b", icmp_unrelated, B_A, .proto = ICMP, .type = 3, .quoted = &udp_b);
	assert_int_equal(fw_connections(), 1);
	assert_string_equal(fw_state(), "first");
}

/* Of the peer or of a router on the way, whatever its address; a's port takes nothing new in. */
static void test_59_error_is_of_what_it_quotes(void **state)
{
	static const uint8_t errors[] = {3, 4, 11, 12}, errors6[] = {1, 2, 3, 4};

	rig_start(SIMPLE);
	fw_passes("a", "b", UDP_A);
	fw_passes("a", "b", UDP_A, .ipv6 = true);
	for (unsigned i = 0; i < RTE_DIM(errors); i++) {
		fw_passes("b", "a", B_A, .proto = ICMP, .type = errors[i], .quoted = &udp_a);
		fw_passes("c", "a", .from = 0x50000 + i, .mac_from = 3, .to = 1, .proto = ICMP,
			.type = errors[i], .quoted = &udp_a);
		fw_passes("c", "a", .from = 0x50000 + i, .mac_from = 3, .to = 1, .proto = ICMP6,
			.type = errors6[i], .quoted = &udp6_a, .ipv6 = true);
	}
	/* It is no answer: what was asked is as new as before. */
	assert_int_equal(fw_count((struct conn_filter){.state = "first"}), 2);
	assert_int_equal(fw_connections(), 2);
}

/* Who is on no way of it has nothing to say about it, whatever he knows to quote. */
static void test_59_error_of_a_stranger(void **state)
{
	rig_start(SMALL NEVER NET GROUP DNS "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]")
			HOST(c, 3, ", groups: [g]"));
	fw_passes("a", "b", UDP_A);
	fw_passes("a", "b", UDP_A, .ipv6 = true);
	fw_drops("c", icmp_unrelated, .from = 3, .to = 1, .proto = ICMP, .type = 3, .code = 3,
		.quoted = &udp_a);
	fw_drops("c", icmp_unrelated, .from = 3, .to = 1, .proto = ICMP6, .type = 2,
		.quoted = &udp6_a, .ipv6 = true);
	/* A router among the guests is: it took the packet, and has sent it on. */
	fw_passes("a", "c", UDP_A, .mac_to = 3);
	fw_passes("c", "a", .from = 3, .to = 1, .proto = ICMP, .type = 11, .quoted = &udp_a);
}

static void test_59_errors_of_all_protocols(void **state)
{
	static const struct pkt ping6 = {
		A_B, .proto = ICMP6, .type = 128, .ident = 5, .ipv6 = true};
	static const struct pkt other = {A_B, .proto = UDP, .sport = 40000, .dport = 54};

	rig_start(SIMPLE);
	fw_passes("a", "b", PING_A);
	fw_passes("c", "a", .from = 3, .to = 1, .proto = ICMP, .type = 11, .quoted = &ping_a);
	fw_passes("a", "b", A_B, .proto = ICMP6, .type = 128, .ident = 5, .ipv6 = true);
	fw_passes("c", "a", .from = 3, .to = 1, .proto = ICMP6, .type = 1, .quoted = &ping6,
		.ipv6 = true);
	fw_handshake();
	fw_passes("c", "a", .from = 3, .to = 1, .proto = ICMP, .type = 3, .code = 4,
		.quoted = &tcp_a);
	fw_passes("c", "b", .from = 3, .to = 2, .proto = ICMP, .type = 3, .code = 4,
		.quoted = &tcp_b);
	assert_int_equal(fw_count((struct conn_filter){.state = "established"}), 1);
	fw_drops("c", icmp_unrelated, .from = 3, .to = 1, .proto = ICMP, .type = 3,
		.quoted = &other);
}

/* What is quoted is not there, cut off, a fragment, or an error itself. */
static void test_59_errors_that_quote_nothing(void **state)
{
	static const struct pkt inner = {B_A, .proto = ICMP, .type = 3, .quoted = &udp_a};
	struct pkt k = {.from = 3, .to = 1, .proto = ICMP, .type = 3, .payload = 0};

	rig_start(SIMPLE);
	fw_passes("a", "b", UDP_A);
	for (k.payload = 0; k.payload < 64; k.payload += 4)
		fw_drops_at("c", DROP_icmp_unrelated, k, __FILE__, __LINE__);
	k.payload = 0;
	k.quoted = &inner;
	fw_drops_at("c", DROP_icmp_unrelated, k, __FILE__, __LINE__);
	/* To many, it is nobody's. */
	fw_drops("c", policy_in, .from = 3, .to = 1, .mac_to = RIG_BROADCAST, .proto = ICMP,
		.type = 3, .quoted = &udp_a);
}

/* The rules that end a connection end its errors as well. */
static void test_59_error_of_revoked(void **state)
{
	rig_start(SIMPLE);
	fw_passes("a", "b", UDP_A);
	rig_apply(NEVER NET GROUP PORTS);
	fw_drops("c", policy_revoked, .from = 3, .to = 1, .proto = ICMP, .type = 3,
		.quoted = &udp_a);
	rig_apply(SIMPLE);
	fw_passes("c", "a", .from = 3, .to = 1, .proto = ICMP, .type = 3, .quoted = &udp_a);
	/* With b goes what it was for. */
	rig_apply(NEVER NET GROUP DNS "ports:\n" HOST(a, 1, "") HOST(c, 3, ROUTER));
	fw_drops("c", icmp_unrelated, .from = 3, .to = 1, .proto = ICMP, .type = 3,
		.quoted = &udp_a);
}

enum { PIECE = 400 };

struct piece {
	const char *port;
	struct pkt k; /* of the whole */
	uint16_t id, offset, len;
	bool last;
};

/* One fragment of f->k; its frame is put in, and its id is fw_id. */
static void put_piece(struct piece f)
{
	uint8_t whole[PACKET] = {0}, *ip = fw_frame + 14;
	uint32_t header = f.k.ipv6 ? 48 : 20, len;
	struct pkt k = f.k;

	fw_packet(whole, &k);
	fw_make(&k);
	if (k.ipv6) {
		put16(ip + 4, 8 + f.len);
		ip[6] = 44;
		ip[40] = k.proto;
		ip[41] = 0;
		put16(ip + 42, f.offset | !f.last);
		put32(ip + 44, f.id);
	} else {
		put16(ip + 2, 20 + f.len);
		put16(ip + 4, f.id);
		put16(ip + 6, f.offset / 8 | (f.last ? 0 : 0x2000));
	}
	if (f.offset < sizeof(whole) - f.len - 40u)
		memcpy(ip + header, whole + (k.ipv6 ? 40 : 20) + f.offset, f.len);
	len = 14 + header + f.len;
	memcpy(fw_frame + len, &fw_id, 4);
	rig_put(f.port, fw_frame, RTE_MAX(len + 4, 60u));
	rig_settle();
}

/* Of a datagram of 3 * PIECE bytes, in this order; then `port` was sent so many. */
static void put_pieces(const char *from, struct pkt k, uint16_t id, const char *order)
{
	k.payload = 3 * PIECE - 8;
	for (; *order != '\0'; order++) {
		unsigned n = (unsigned)(*order - '0');

		put_piece((struct piece){from, k, id, n * PIECE, PIECE, n == 2});
	}
}

/* 60: the verdict on the first fragment is all fragments', in whatever order they come. */
static void test_60_one_verdict_for_all(void **state)
{
	static const char *const orders[] = {"012", "021", "102", "120", "201", "210"};
	struct pkt wrong = {A_B, .proto = UDP, .sport = 40000, .dport = 54};

	rig_start(SIMPLE);
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++)
		for (unsigned i = 0; i < RTE_DIM(orders); i++) {
			struct pkt k = {UDP_A, .ipv6 = ipv6};
			uint64_t denied = rig_drops("a", DROP_policy_in);

			put_pieces("a", k, 100 + i, orders[i]);
			assert_int_equal(rig_take("b"), 3);
			wrong.ipv6 = ipv6;
			put_pieces("a", wrong, 200 + i, orders[i]);
			assert_int_equal(rig_take("b"), 0);
			assert_int_equal(rig_drops("a", DROP_policy_in), denied + 3);
		}
	assert_int_equal(fw_connections(), 2);
	/* The answer of b's comes back in fragments, too. */
	put_pieces("b", udp_b, 7, "201");
	assert_int_equal(rig_take("a"), 3);
	assert_int_equal(fw_count((struct conn_filter){.state = "multiple"}), 1);
}

/* 61: they leave by the port, and in the order, that the whole would have. */
static void test_61_fragments_go_in_order(void **state)
{
	struct rig_dev *b;
	uint32_t first;

	rig_start(SIMPLE);
	b = rig_port("b");
	first = fw_id + 1;
	put_pieces("a", udp_a, 1, "210");
	assert_int_equal(b->n_record, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b->sent[i].id, first + 2 - i);
	assert_int_equal(rig_take("b"), 3);
	assert_int_equal(rig_take("c"), 0);
}

static void test_60_overlap_and_tiny(void **state)
{
	struct pkt k = {UDP_A, .payload = 3 * PIECE - 8};

	rig_start(SIMPLE);
	put_pieces("a", udp_a, 1, "0");
	put_piece((struct piece){"a", k, 1, PIECE - 8, PIECE, false});
	put_pieces("a", udp_a, 1, "12");
	assert_int_equal(rig_drops("a", DROP_fragment_invalid), 4);
	put_piece((struct piece){"a", k, 2, 0, 16, false});
	put_piece((struct piece){"a", k, 2, 16, 800, true});
	put_piece((struct piece){"a", k, 3, 0, 404, false}); /* no multiple of 8 */
	put_piece((struct piece){"a", k, 4, 65528, 80, true}); /* over 65535 */
	assert_int_equal(rig_drops("a", DROP_fragment_invalid), 7);
	assert_int_equal(rig_drops("a", DROP_ip_malformed), 1);
	assert_int_equal(rig_take("b"), 0);
	assert_int_equal(fw_connections(), 0);
}

/* A later fragment that no first one comes to is no way round the rules, and is not kept. */
static void test_60_never_completed(void **state)
{
	rig_start(SIMPLE);
	put_pieces("a", udp_a, 1, "12");
	put_pieces("a", udp_a, 2, "0");
	assert_int_equal(rig_take("b"), 0);
	assert_int_equal(fragments_waiting(firewall_fragments(workers[0]->firewall)), 2);
	fw_pass_seconds(FRAGMENTS_TIMEOUT - 1);
	assert_int_equal(rig_drops("a", DROP_fragment_timeout), 0);
	fw_pass_seconds(2);
	assert_int_equal(rig_drops("a", DROP_fragment_timeout), 3);
	assert_int_equal(fragments_waiting(firewall_fragments(workers[0]->firewall)), 0);
	put_pieces("a", udp_a, 2, "12");
	assert_int_equal(rig_take("b"), 0);
	fw_pass_seconds(FRAGMENTS_TIMEOUT + 1);
	assert_int_equal(rig_drops("a", DROP_fragment_timeout), 5);
}

/* 60, 64: memory is bounded, and who fills it does so at his own cost. */
static void test_60_memory_is_bounded(void **state)
{
	const struct pkt k = {.from = 3, .to = 2, .proto = UDP, .sport = 1, .dport = 53};
	unsigned sent = 3 * FRAGMENTS_PACKETS;

	rig_start(SMALL NEVER NET GROUP DNS "ports:\n" HOST(a, 1, "") HOST(b, 2, ", groups: [g]")
			HOST(c, 3, ""));
	put_pieces("a", udp_a, 1, "20");
	for (unsigned i = 0; i < sent; i++)
		put_pieces("c", k, i, "0");
	assert_in_range(fragments_waiting(firewall_fragments(workers[0]->firewall)), 2,
		FRAGMENTS_PACKETS / FRAGMENTS_SHARE + 1);
	assert_true(rig_drops("c", DROP_fragment_limit) >= sent - FRAGMENTS_PACKETS);
	assert_int_equal(rig_drops("a", DROP_fragment_limit), 0);
	put_pieces("a", udp_a, 1, "1");
	assert_int_equal(rig_take("b"), 3);
	fw_pass_seconds(FRAGMENTS_TIMEOUT + 1);
}

/* Ports that go leave none behind, and a change of rules in the middle counts for the whole. */
static void test_60_fragments_and_changes(void **state)
{
	rig_start(SIMPLE);
	put_pieces("a", udp_a, 1, "01");
	rig_apply(NEVER NET GROUP PORTS);
	put_pieces("a", udp_a, 1, "2");
	assert_int_equal(rig_take("b"), 0);
	assert_int_equal(rig_drops("a", DROP_policy_in), 3);
	put_pieces("b", udp_b, 1, "01");
	rig_apply(NEVER NET GROUP "ports:\n" HOST(a, 1, "") HOST(c, 3, ROUTER));
	rig_settle();
	assert_int_equal(fragments_waiting(firewall_fragments(workers[0]->firewall)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FW_TEST(test_59_error_opens_nothing),
		FW_TEST(test_59_error_is_of_what_it_quotes),
		FW_TEST(test_59_error_of_a_stranger),
		FW_TEST(test_59_errors_of_all_protocols),
		FW_TEST(test_59_errors_that_quote_nothing),
		FW_TEST(test_59_error_of_revoked),
		FW_TEST(test_60_one_verdict_for_all),
		FW_TEST(test_61_fragments_go_in_order),
		FW_TEST(test_60_overlap_and_tiny),
		FW_TEST(test_60_never_completed),
		FW_TEST(test_60_memory_is_bounded),
		FW_TEST(test_60_fragments_and_changes),
	};

	return cmocka_run_group_tests(tests, start_eal, rig_eal_end);
}
