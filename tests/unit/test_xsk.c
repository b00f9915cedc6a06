/*
 * AF_XDP sockets and the packet socket beside them over a veth pair: frames come and go whole, a
 * queue has one socket, and of the untagged network's broadcasts the switch has a copy, whatever
 * tags they bear. In a network namespace of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "port_driver.h"
#include "trunk_tag.h"
#include "xdp_program.h"
#include "xdp_rig.h"
#include "xsk_group.h"
#include "xsk_queue.h"

#define LONGEST 3000

static const char *unusable;
static char err[256];

static int setup(void **state)
{
	char *argv[] = {"test_xsk", "--no-huge", "--no-shconf", "--allow=ffff:ff:1f.7", "-m", "64",
		"--no-telemetry", "--log-level=error", NULL};
	cpu_set_t cores;

	unusable = xdp_rig_unusable();
	if (unusable != NULL) {
		print_message("%s\n", unusable);
		return 0;
	}
	if (sched_getaffinity(0, sizeof(cores), &cores) != 0 || rte_eal_init(8, argv) < 0)
		return -1;
	sched_setaffinity(0, sizeof(cores), &cores);
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return port_env.pool != NULL
		       ? netns_command(
				 "ip link set x0 mtu %d && ip link set x1 mtu %d", LONGEST, LONGEST)
		       : -1;
}

static int teardown(void **state)
{
	return unusable == NULL ? rte_eal_cleanup() : 0;
}

/* The other end of the cable, as a program there sees it. */
static int open_wire(void)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex("x1")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void put(int wire, const void *frame, size_t len)
{
	assert_int_equal(send(wire, frame, len, 0), len);
}

/* The kernel frees a queue a little after its socket is closed. */
static struct xsk_queue *open_queue(unsigned index)
{
	long until = netns_now_ms() + NETNS_WAIT_MS;
	struct xsk_queue *queue = NULL;
	int rc;

	do {
		rc = xsk_queue_open(&queue, "x0", index, LONGEST);
	} while (rc == -EBUSY && netns_now_ms() < until);
	assert_int_equal(rc, 0);
	return queue;
}

/* A chain of `parts` buffers with `len` bytes in each, which count. */
static struct rte_mbuf *chain(unsigned parts, uint16_t len)
{
	struct rte_mbuf *m = NULL;

	for (unsigned i = 0; i < parts; i++) {
		struct rte_mbuf *part = rte_pktmbuf_alloc(port_env.pool);
		uint8_t *data = (uint8_t *)rte_pktmbuf_append(part, len);

		for (unsigned j = 0; j < len; j++)
			data[j] = (uint8_t)(i * len + j);
		if (m == NULL)
			m = part;
		else
			assert_int_equal(rte_pktmbuf_chain(m, part), 0);
	}
	rte_pktmbuf_mtod(m, uint8_t *)[12] = 0x88;
	rte_pktmbuf_mtod(m, uint8_t *)[13] = 0xb5;
	return m;
}

static void skip_unusable(void)
{
	if (unusable != NULL)
		skip();
}

static void chains_go_out_in_one_piece(void **state)
{
	struct xsk_queue_counters counters;
	struct xsk_queue *queue;
	struct rte_mbuf *m;
	uint8_t frame[4096];
	int wire;

	skip_unusable();
	queue = open_queue(0);
	wire = open_wire();
	m = chain(3, 900);
	assert_int_equal(xsk_queue_send(queue, &m, 1), 1);
	assert_true(xsk_queue_wants(queue)); /* in copy mode it always does */
	while (xsk_queue_call(queue))
		;
	assert_int_equal(recv(wire, frame, sizeof(frame), 0), 2700);
	for (unsigned i = 14; i < 2700; i++)
		assert_int_equal(frame[i], (uint8_t)i);
	xsk_queue_count(queue, &counters);
	assert_int_equal(counters.tx_packets, 1);
	assert_int_equal(counters.tx_bytes, 2700);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 0);
	close(wire);
	xsk_queue_close(queue);
}

/* All chunks come back, so it goes on for ever. */
static void many_more_frames_than_chunks(void **state)
{
	struct xsk_queue *queue;
	unsigned sent = 0;

	skip_unusable();
	queue = open_queue(1);
	for (unsigned tries = 0; sent < 10000 && tries < 1000000; tries++) {
		struct rte_mbuf *m = chain(1, 60);

		if (xsk_queue_send(queue, &m, 1) == 1)
			sent++;
		else
			rte_pktmbuf_free(m);
		xsk_queue_call(queue);
	}
	assert_int_equal(sent, 10000);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 0);
	xsk_queue_close(queue);
}

/* Without a link the kernel takes nothing. */
static void what_cannot_be_sent_is_counted(void **state)
{
	struct xsk_queue *queue;

	skip_unusable();
	queue = open_queue(0);
	assert_int_equal(netns_command("ip link set x0 down"), 0);
	for (unsigned i = 0; i < 5; i++) {
		struct rte_mbuf *m = chain(1, 60);

		assert_int_equal(xsk_queue_send(queue, &m, 1), 1);
	}
	xsk_queue_call(queue);
	assert_int_equal(xsk_queue_close(queue), 5);
	assert_int_equal(netns_command("ip link set x0 up"), 0);
	queue = open_queue(0);
	assert_int_equal(xsk_queue_close(queue), 0);
}

static void a_queue_has_one_socket(void **state)
{
	struct xsk_queue *queue, *other = NULL;

	skip_unusable();
	queue = open_queue(0);
	assert_int_equal(xsk_queue_open(&other, "x0", 0, 1514), -EBUSY);
	assert_null(other);
	assert_int_not_equal(xsk_queue_open(&other, "nosuch", 0, 1514), 0);
	assert_null(other);
	xsk_queue_close(queue);
}

/* Frames of a VLAN that is the switch's come to the socket of their queue, longer than a buffer. */
static void frames_come_in_whole(void **state)
{
	struct xdp_program *program;
	struct xsk_queue *queues[XDP_RIG_QUEUES];
	struct xsk_queue_counters counters;
	struct pollfd ready[XDP_RIG_QUEUES];
	struct rte_mbuf *m = NULL;
	uint8_t frame[2800] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 100};
	int wire;

	skip_unusable();
	wire = open_wire();
	for (unsigned q = 0; q < XDP_RIG_QUEUES; q++)
		queues[q] = open_queue(q);
	program = xdp_program_attach(xdp_rig_ifindex, XDP_RIG_QUEUES, err, sizeof(err));
	if (program == NULL)
		fail_msg("%s", err);
	for (unsigned q = 0; q < XDP_RIG_QUEUES; q++) {
		ready[q] = (struct pollfd){.fd = xsk_queue_fd(queues[q]), .events = POLLIN};
		assert_int_equal(xdp_program_set_socket(program, q, ready[q].fd), 0);
	}
	assert_int_equal(xdp_program_set_vlan(program, 100, true), 0);
	for (unsigned i = 16; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	put(wire, frame, sizeof(frame));
	assert_true(poll(ready, XDP_RIG_QUEUES, NETNS_WAIT_MS) > 0);
	for (unsigned q = 0; q < XDP_RIG_QUEUES && m == NULL; q++)
		if (xsk_queue_receive(queues[q], port_env.pool, &m, 1) == 1) {
			xsk_queue_count(queues[q], &counters);
			assert_int_equal(counters.rx_bytes, sizeof(frame));
		}
	assert_non_null(m);
	assert_int_equal(m->pkt_len, sizeof(frame));
	assert_true(m->nb_segs > 1);
	assert_int_equal(rte_pktmbuf_linearize(m) != 0, 1); /* it is longer than any buffer */
	for (unsigned i = 16; i < sizeof(frame); i++) {
		uint8_t byte;

		assert_int_equal(*(const uint8_t *)rte_pktmbuf_read(m, i, 1, &byte), (uint8_t)i);
	}
	rte_pktmbuf_free(m);
	xdp_program_detach(program);
	for (unsigned q = 0; q < XDP_RIG_QUEUES; q++)
		xsk_queue_close(queues[q]);
	close(wire);
}

/* A frame of 60 bytes to a group or not, with `head` behind its addresses; its last byte is id. */
static void put_frame(int wire, bool group, const uint8_t *head, size_t len, uint8_t id)
{
	uint8_t frame[60] = {group ? 0x33 : 0x02, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(frame + 12, head, len);
	frame[59] = id;
	put(wire, frame, sizeof(frame));
}

static void groups_of_the_untagged_network_only(void **state)
{
	static const uint8_t plain[] = {0x88, 0xb5}, priority[] = {0x81, 0, 0xe0, 0, 0x88, 0xb5},
			     tagged[] = {0x81, 0, 0, 100, 0x88, 0xb5},
			     provider[] = {0x88, 0xa8, 0, 0, 0x88, 0xb5},
			     hop[] = {0x81, 0, 0, 0, 0x81, 0, 0, 100, 0x88, 0xb5};
	struct xsk_group *group;
	struct rte_mbuf *pkts[8];
	unsigned n = 0;
	int wire;

	skip_unusable();
	wire = open_wire();
	group = xsk_group_open("x0", xdp_rig_ifindex, LONGEST, err, sizeof(err));
	if (group == NULL)
		fail_msg("%s", err);
	put_frame(wire, true, plain, sizeof(plain), 1); /* not wanted yet */
	assert_int_equal(xsk_group_want(group, true), 0);
	put_frame(wire, false, plain, sizeof(plain), 2);
	put_frame(wire, true, tagged, sizeof(tagged), 3);
	put_frame(wire, true, provider, sizeof(provider), 4);
	put_frame(wire, true, priority, sizeof(priority), 5);
	put_frame(wire, true, hop, sizeof(hop), 6);
	put_frame(wire, true, plain, sizeof(plain), 7);
	for (unsigned tries = 0; n < 3 && tries < 1000000; tries++) {
		xsk_group_read(group);
		n += xsk_group_receive(group, pkts + n, (uint16_t)(8 - n));
	}
	xsk_group_read(group);
	n += xsk_group_receive(group, pkts + n, (uint16_t)(8 - n));
	assert_int_equal(n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(*rte_pktmbuf_mtod_offset(
					 pkts[i], uint8_t *, rte_pktmbuf_data_len(pkts[i]) - 1),
			5 + i);
	/* The tag that the kernel took does not make a way into another VLAN. */
	assert_int_equal(trunk_tag_pop(pkts[0], true), 0);
	assert_int_equal(trunk_tag_pop(pkts[1], true), TRUNK_TAG_DOUBLE);
	assert_int_equal(trunk_tag_pop(pkts[2], true), 0);
	rte_pktmbuf_free_bulk(pkts, 3);
	xsk_group_close(group);
	assert_int_equal(rte_mempool_in_use_count(port_env.pool), 0);
	close(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_go_out_in_one_piece),
		cmocka_unit_test(many_more_frames_than_chunks),
		cmocka_unit_test(what_cannot_be_sent_is_counted),
		cmocka_unit_test(a_queue_has_one_socket),
		cmocka_unit_test(frames_come_in_whole),
		cmocka_unit_test(groups_of_the_untagged_network_only),
	};

	return cmocka_run_group_tests_name("xsk", tests, setup, teardown);
}
