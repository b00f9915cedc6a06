/*
 * The kernel's own TCP and UDP between two kernel ports, with the switch's treatment of offloads
 * between: whole TSO frames and open checksums pass, or are completed in software and then held
 * against their checksums by the receiving kernel.
 */
#include "kernel_rig.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <linux/virtio_net.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "offload.h"
#include "packet.h"

#define STREAM_BYTES (10u << 20) /* in each direction, one after the other */
#define DATAGRAMS    50
#define SERVICE      4000

struct side {
	const char *netns;
	struct port_dev *dev;
	/* Of what the bridge took in here. */
	unsigned frames, open_checksums, tso, longest;
	/* Of what it sent out here. */
	unsigned taken, full;
};

struct bridge {
	struct side sides[2];
	uint32_t caps; /* what the outputs are said to take */
	_Atomic bool stop;
	const char *error;
};

static void bridge_send(struct side *out, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned at = 0; at < n; at += PORT_BURST_MAX) {
		uint16_t chunk = (uint16_t)RTE_MIN(n - at, (unsigned)PORT_BURST_MAX);
		uint16_t sent = out->dev->driver->tx_burst(out->dev, 0, pkts + at, chunk);

		out->taken += sent;
		out->full += chunk - sent;
		rte_pktmbuf_free_bulk(pkts + at + sent, chunk - sent);
	}
}

/* What the switch does with a packet, as far as offloads go. */
static void bridge_forward(
	struct bridge *bridge, struct side *in, struct side *out, struct rte_mbuf *m)
{
	struct rte_mbuf *frames[OFFLOAD_SEGMENTS_MAX];
	uint64_t asked = m->ol_flags;
	struct packet p;
	int n = 1;

	in->frames++;
	in->open_checksums += (asked & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
	in->tso += !!(asked & RTE_MBUF_F_RX_LRO);
	in->longest = RTE_MAX(in->longest, m->pkt_len);
	if (packet_parse(m, &p) >= 0)
		bridge->error = "a frame of the kernel's that does not parse";
	else if (offload_accept(m, &p) >= 0)
		bridge->error = "an offload of the kernel's that is not accepted";
	frames[0] = m;
	if (!offload_fits(m, bridge->caps, 1500))
		n = offload_complete(
			m, bridge->caps, 1500, port_env.pool, frames, OFFLOAD_SEGMENTS_MAX);
	if (n < 0) {
		bridge->error = "an offload that cannot be completed";
		rte_pktmbuf_free(m);
		return;
	}
	bridge_send(out, frames, (unsigned)n);
}

static void *bridge_main(void *arg)
{
	struct bridge *bridge = arg;

	while (!bridge->stop) {
		unsigned moved = 0;

		for (unsigned side = 0; side < 2; side++) {
			struct side *in = &bridge->sides[side];
			struct rte_mbuf *pkts[PORT_BURST_MAX];
			uint16_t n = in->dev->driver->rx_burst(in->dev, 0, pkts, PORT_BURST_MAX);

			for (uint16_t i = 0; i < n; i++)
				bridge_forward(bridge, in, &bridge->sides[!side], pkts[i]);
			moved += n;
		}
		if (moved == 0)
			usleep(50);
	}
	return NULL;
}

static void bridge_open(struct bridge *bridge, uint32_t caps)
{
	memset(bridge, 0, sizeof(*bridge));
	bridge->caps = caps;
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &bridge->sides[i];
		struct config_port conf = rig_conf("tap0", rig_netns(i));

		side->dev = rig_open(&conf, (uint16_t)i);
		side->netns = rig_names[i];
		assert_int_equal(netns_command("ip -n %s addr add 10.9.0.%u/24 dev tap0 && "
					       "ip -n %s addr add fd09::%u/64 dev tap0 nodad",
					 side->netns, i + 1, side->netns, i + 1),
			0);
	}
}

static void bridge_close(struct bridge *bridge)
{
	for (unsigned i = 0; i < 2; i++)
		bridge->sides[i].dev->driver->close(bridge->sides[i].dev);
	assert_int_equal(rig_in_use(), 0);
}

/* One end of the conversation. */
struct end {
	int family;
	unsigned number; /* 1 or 2, the end of its address */
	bool server;
	const char *error;
};

static struct sockaddr_in6 end_address(int family, unsigned number)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(SERVICE)};
	char text[64];

	snprintf(text, sizeof(text), family == AF_INET ? "::ffff:10.9.0.%u" : "fd09::%u", number);
	inet_pton(AF_INET6, text, &address.sin6_addr);
	return address;
}

static uint8_t stream_byte(size_t at)
{
	return (uint8_t)((uint32_t)at * 2654435761u >> 24);
}

static const char *send_stream(int fd)
{
	static _Thread_local uint8_t block[1 << 16];

	for (size_t at = 0; at < STREAM_BYTES;) {
		size_t len = RTE_MIN(sizeof(block), STREAM_BYTES - at);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			block[i] = stream_byte(at + i);
		n = send(fd, block, len, MSG_NOSIGNAL);
		if (n <= 0)
			return "the stream cannot be sent";
		at += (size_t)n;
	}
	return NULL;
}

static const char *receive_stream(int fd)
{
	static _Thread_local uint8_t block[1 << 16];

	for (size_t at = 0; at < STREAM_BYTES;) {
		ssize_t n = recv(fd, block, RTE_MIN(sizeof(block), STREAM_BYTES - at), 0);

		if (n <= 0)
			return "the stream ends early";
		for (ssize_t i = 0; i < n; i++) {
			if (block[i] != stream_byte(at + (size_t)i))
				return "a byte of the stream is wrong";
		}
		at += (size_t)n;
	}
	return NULL;
}

static int end_socket(const struct end *end, int type)
{
	struct sockaddr_in6 address = end_address(end->family, end->number);
	struct timeval timeout = {.tv_sec = NETNS_WAIT_MS / 1000};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static const char *tcp_serve(int fd)
{
	const char *error;
	int peer;

	if (listen(fd, 1) != 0 || (peer = accept(fd, NULL, NULL)) < 0)
		return "nobody connects";
	error = receive_stream(peer);
	if (error == NULL)
		error = send_stream(peer);
	close(peer);
	return error;
}

static const char *tcp_connect(const struct end *end, int fd)
{
	struct sockaddr_in6 address = end_address(end->family, 3 - end->number);
	const char *error;

	/* The server may not listen yet. */
	if (!netns_wait(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0))
		return "cannot connect";
	error = send_stream(fd);
	return error != NULL ? error : receive_stream(fd);
}

static int end_tcp(void *arg)
{
	struct end *end = arg;
	int fd = end_socket(end, SOCK_STREAM);

	if (fd < 0)
		end->error = "cannot bind";
	else
		end->error = end->server ? tcp_serve(fd) : tcp_connect(end, fd);
	close(fd);
	return 0;
}

/* The client asks until it is answered, with datagrams of every length. */
static const char *udp_ask(const struct end *end, int fd)
{
	struct sockaddr_in6 address = end_address(end->family, 3 - end->number);
	struct timeval timeout = {.tv_usec = 200000};
	uint8_t question[1400], answer[1400];
	long give_up = netns_now_ms() + NETNS_WAIT_MS;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	for (size_t len = 1; len < sizeof(question) && netns_now_ms() < give_up;) {
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			question[i] = stream_byte(len + i);
		sendto(fd, question, len, 0, (struct sockaddr *)&address, sizeof(address));
		n = recv(fd, answer, sizeof(answer), 0);
		if (n == (ssize_t)len && memcmp(question, answer, len) == 0)
			len += sizeof(question) / DATAGRAMS;
		else if (n >= 0 && n >= (ssize_t)len)
			return "a datagram is wrong";
	}
	return netns_now_ms() < give_up ? NULL : "datagrams are not answered";
}

static const char *udp_serve(int fd)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	uint8_t block[1400];
	ssize_t n = 0;

	while (n < (ssize_t)(sizeof(block) - sizeof(block) / DATAGRAMS)) {
		n = recvfrom(fd, block, sizeof(block), 0, (struct sockaddr *)&from, &len);
		if (n < 0)
			return "no datagrams come";
		sendto(fd, block, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	return NULL;
}

static int end_udp(void *arg)
{
	struct end *end = arg;
	int fd = end_socket(end, SOCK_DGRAM);

	if (fd < 0)
		end->error = "cannot bind";
	else
		end->error = end->server ? udp_serve(fd) : udp_ask(end, fd);
	close(fd);
	return 0;
}

static void *server_main(void *arg)
{
	struct netns_job *job = arg;

	netns_run(job->netns, job->run, job->arg);
	return NULL;
}

static void talk(struct bridge *bridge, int (*run)(void *arg), int family)
{
	struct end server = {.family = family, .number = 2, .server = true};
	struct end client = {.family = family, .number = 1};
	struct netns_job job = {.netns = bridge->sides[1].netns, .run = run, .arg = &server};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, server_main, &job), 0);
	netns_run(bridge->sides[0].netns, run, &client);
	pthread_join(thread, NULL);
	if (client.error != NULL)
		fail_msg("client: %s", client.error);
	if (server.error != NULL)
		fail_msg("server: %s", server.error);
}

/* All that came in was taken from the port, all that was given to it was written. */
static void assert_ledger(struct bridge *bridge)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &bridge->sides[i];

		assert_true(
			netns_wait((unsigned)rig_counter(side->dev, "tx_frames") == side->taken));
		assert_int_equal(side->dev->tx_late_drops, 0);
		assert_int_equal(rig_counter(side->dev, "rx_invalid"), 0);
		assert_int_equal(rig_counter(side->dev, "rx_no_buffer"), 0);
		assert_true(side->frames > 0 && side->taken > 0);
	}
}

static void run_bridge(uint32_t caps, struct bridge *bridge)
{
	pthread_t thread;

	bridge_open(bridge, caps);
	assert_int_equal(pthread_create(&thread, NULL, bridge_main, bridge), 0);
	talk(bridge, end_tcp, AF_INET);
	talk(bridge, end_tcp, AF_INET6);
	talk(bridge, end_udp, AF_INET);
	talk(bridge, end_udp, AF_INET6);
	bridge->stop = true;
	pthread_join(thread, NULL);
	if (bridge->error != NULL)
		fail_msg("bridge: %s", bridge->error);
	assert_ledger(bridge);
}

static void test_offloads_pass(void **state)
{
	struct bridge bridge;

	rig_skip_unless_usable();
	run_bridge(PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS, &bridge);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(bridge.sides[i].tso > 0);
		assert_true(bridge.sides[i].open_checksums > bridge.sides[i].frames / 2);
		assert_true(bridge.sides[i].longest > 10000);
		/* 20 MB in frames of 1,500 bytes would be 14,000. */
		assert_true(bridge.sides[i].frames < 10000);
	}
	bridge_close(&bridge);
}

/* What the receiver is said not to take is completed, and its kernel verifies every checksum. */
static void test_offloads_completed(void **state)
{
	struct bridge bridge;

	rig_skip_unless_usable();
	run_bridge(0, &bridge);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(bridge.sides[i].tso > 0);
		assert_true(bridge.sides[i].taken + bridge.sides[i].full > 14000);
		assert_int_equal(netns_command("ip netns exec %s awk '/^Tcp: [0-9]/ { bad = $16 } "
					       "END { exit bad != 0 }' /proc/net/snmp",
					 bridge.sides[i].netns),
			0);
	}
	bridge_close(&bridge);
}

#define TSO_PAYLOAD 20000

/* A TCP frame as a guest's kernel hands it over: not cut, and only its pseudo-header summed. */
static size_t tso_frame(uint8_t *frame, bool ipv6)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_ipv6_hdr *v6 = (struct rte_ipv6_hdr *)(eth + 1);
	struct rte_tcp_hdr *tcp = ipv6 ? (struct rte_tcp_hdr *)(v6 + 1)
				       : (struct rte_tcp_hdr *)(v4 + 1);
	uint16_t l4_len = sizeof(*tcp) + TSO_PAYLOAD;

	rig_fill(frame, 100 + TSO_PAYLOAD, 5);
	if (ipv6) {
		*v6 = (struct rte_ipv6_hdr){.vtc_flow = htonl(6u << 28),
			.payload_len = htons(l4_len),
			.proto = IPPROTO_TCP,
			.hop_limits = 64};
		v6->src_addr[15] = 1;
		v6->dst_addr[15] = 2;
	} else {
		*v4 = (struct rte_ipv4_hdr){.version_ihl = 0x45,
			.time_to_live = 64,
			.total_length = htons((uint16_t)(sizeof(*v4) + l4_len)),
			.next_proto_id = IPPROTO_TCP,
			.src_addr = htonl(0x0a090003),
			.dst_addr = htonl(0x0a090004)};
		v4->hdr_checksum = rte_ipv4_cksum(v4);
	}
	eth->ether_type = htons(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	*tcp = (struct rte_tcp_hdr){.src_port = htons(1),
		.dst_port = htons(2),
		.data_off = 5 << 4,
		.tcp_flags = RTE_TCP_ACK_FLAG};
	/* With the flag, the pseudo-header's length is left out: the receiver adds it. */
	tcp->cksum = ipv6 ? rte_ipv6_phdr_cksum(v6, 0) : rte_ipv4_phdr_cksum(v4, 0);
	return (size_t)((uint8_t *)(tcp + 1) - frame) + TSO_PAYLOAD;
}

static int vnet_socket(const char *netns)
{
	int fd = netns_packet_socket(netns, (char[]){"tap0"}), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	return fd;
}

static struct rte_mbuf *receive_tso(struct port_dev *dev)
{
	struct rte_mbuf *m = NULL;

	while (netns_wait(dev->driver->rx_burst(dev, 0, &m, 1) == 1)) {
		if (m->ol_flags & RTE_MBUF_F_RX_LRO)
			return m;
		rte_pktmbuf_free(m);
	}
	return NULL;
}

static void check_tso(struct bridge *bridge, int in, int out, bool ipv6)
{
	static uint8_t sent[sizeof(struct virtio_net_hdr) + 100 + TSO_PAYLOAD];
	static uint8_t got[sizeof(sent) + 1];
	struct virtio_net_hdr *header = (struct virtio_net_hdr *)sent;
	size_t len = sizeof(*header) + tso_frame(sent + sizeof(*header), ipv6);
	struct rte_mbuf *m;
	struct packet p;

	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->gso_type = ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	header->gso_size = 1000;
	header->csum_start = ipv6 ? 54 : 34;
	header->csum_offset = 16;
	header->hdr_len = header->csum_start + 20;
	assert_int_equal(send(in, sent, len, 0), len);
	m = receive_tso(bridge->sides[0].dev);
	assert_non_null(m);
	assert_int_equal(m->tso_segsz, 1000);
	assert_int_equal(m->pkt_len, len - sizeof(*header));
	assert_int_equal(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	assert_int_equal(packet_parse(m, &p), -1);
	assert_int_equal(offload_accept(m, &p), -1);
	assert_int_equal(bridge->sides[1].dev->driver->tx_burst(bridge->sides[1].dev, 0, &m, 1), 1);
	do {
		assert_true(recv(out, got, sizeof(got), 0) > 0);
	} while (((struct virtio_net_hdr *)got)->gso_type == 0);
	assert_memory_equal(got, sent, len);
}

/* Between the two, nothing of frame and header changes: not the segment size, not a byte. */
static void test_tso_is_untouched(void **state)
{
	struct bridge bridge;
	int in, out;

	rig_skip_unless_usable();
	bridge_open(&bridge, 0);
	in = vnet_socket(bridge.sides[0].netns);
	out = vnet_socket(bridge.sides[1].netns);
	check_tso(&bridge, in, out, false);
	check_tso(&bridge, in, out, true);
	close(in);
	close(out);
	bridge_close(&bridge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_offloads_pass, rig_clean),
		cmocka_unit_test_teardown(test_offloads_completed, rig_clean),
		cmocka_unit_test_teardown(test_tso_is_untouched, rig_clean),
	};

	alarm(180);
	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
