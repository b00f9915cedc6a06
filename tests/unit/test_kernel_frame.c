/*
 * Frames with a vnet header between a descriptor and mbuf chains. The descriptor is a socket that
 * keeps messages apart, so that what comes from it can be anything.
 */
#include "kernel_rig.h"

#include <linux/virtio_net.h>

#include "kernel_frame.h"

#define MESSAGE_MAX (KERNEL_FRAME_MAX + 1000)

static int sockets[2];
static uint8_t message[MESSAGE_MAX];
static uint8_t copy[MESSAGE_MAX];

static int setup(void **state)
{
	if (rig_eal("test_kernel_frame") != 0)
		return -1;
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", RIG_BUFFERS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return port_env.pool != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	return rte_eal_cleanup();
}

static int open_sockets(void **state)
{
	int room = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) != 0)
		return -1;
	setsockopt(sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

static int close_sockets(void **state)
{
	close(sockets[0]);
	close(sockets[1]);
	return rig_in_use() == 0 ? 0 : -1;
}

/* Sends header and a frame of len bytes; returns what the reader makes of it. */
static enum kernel_read read_one(struct kernel_reader *reader, const struct virtio_net_hdr *header,
	unsigned len, struct rte_mbuf **m)
{
	memcpy(message, header, sizeof(*header));
	rig_fill(message + sizeof(*header), len, len);
	assert_int_equal(
		send(sockets[1], message, sizeof(*header) + len, 0), sizeof(*header) + len);
	return kernel_frame_read(sockets[0], reader, m);
}

static void assert_frame(const struct rte_mbuf *m, unsigned len)
{
	assert_int_equal(rte_mbuf_check(m, 1, &(const char *){NULL}), 0);
	assert_int_equal(m->pkt_len, len);
	assert_memory_equal(
		rte_pktmbuf_read(m, 0, len, copy), message + sizeof(struct virtio_net_hdr), len);
	for (; m->next != NULL; m = m->next)
		assert_int_equal(m->data_len, RTE_MBUF_DEFAULT_DATAROOM);
	assert_true(m->data_len > 0);
}

static void test_lengths(void **state)
{
	const unsigned lens[] = {14, 2047, 2048, 2049, 4096, 9014, 65535, KERNEL_FRAME_MAX};
	struct kernel_reader *reader = kernel_reader_new(port_env.pool);
	struct virtio_net_hdr header = {0};
	struct rte_mbuf *m;

	assert_non_null(reader);
	/* Twice, with what is left of the first round. */
	for (unsigned i = 0; i < 2 * RTE_DIM(lens); i++) {
		unsigned len = lens[i % RTE_DIM(lens)];

		assert_int_equal(read_one(reader, &header, len, &m), KERNEL_READ_FRAME);
		assert_frame(m, len);
		assert_int_equal(m->ol_flags, 0);
		assert_true(m->nb_segs <= kernel_reader_segments(reader));
		rte_pktmbuf_free(m);
	}
	assert_int_equal(kernel_frame_read(sockets[0], reader, &m), KERNEL_READ_EMPTY);
	kernel_reader_free(reader);
}

static void test_too_long_and_too_short(void **state)
{
	struct kernel_reader *reader = kernel_reader_new(port_env.pool);
	struct virtio_net_hdr header = {0};
	struct rte_mbuf *m;

	assert_int_equal(read_one(reader, &header, KERNEL_FRAME_MAX + 1, &m), KERNEL_READ_INVALID);
	assert_int_equal(
		read_one(reader, &header, KERNEL_FRAME_MAX + 900, &m), KERNEL_READ_INVALID);
	for (size_t len = 0; len <= sizeof(header); len++) {
		assert_int_equal(send(sockets[1], message, len, 0), len);
		assert_int_equal(kernel_frame_read(sockets[0], reader, &m), KERNEL_READ_INVALID);
	}
	assert_int_equal(read_one(reader, &header, 60, &m), KERNEL_READ_FRAME);
	assert_frame(m, 60);
	rte_pktmbuf_free(m);
	kernel_reader_free(reader);
}

/* Headers that lie are dropped with their frame, and nothing leaks (close_sockets() looks). */
static void test_hostile_headers(void **state)
{
	const struct virtio_net_hdr headers[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 59, .csum_offset = 0},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 1000},
		{.gso_type = 0x7f, .gso_size = 1000},
	};
	struct kernel_reader *reader = kernel_reader_new(port_env.pool);
	struct rte_mbuf *m;

	for (unsigned i = 0; i < RTE_DIM(headers); i++)
		assert_int_equal(read_one(reader, &headers[i], 60, &m), KERNEL_READ_INVALID);
	kernel_reader_free(reader);
}

/* What the pool has left still serves the frames that fit in it. */
static void test_pool_nearly_empty(void **state)
{
	struct rte_mbuf **all = calloc(RIG_BUFFERS, sizeof(*all));
	struct virtio_net_hdr header = {0};
	struct kernel_reader *reader;
	struct rte_mbuf *m;
	unsigned n = 0;

	assert_non_null(all);
	while (n < RIG_BUFFERS - 3 && (all[n] = rte_pktmbuf_alloc(port_env.pool)) != NULL)
		n++;
	reader = kernel_reader_new(port_env.pool);
	assert_int_equal(read_one(reader, &header, 9000, &m), KERNEL_READ_NO_BUFFER);
	assert_int_equal(read_one(reader, &header, KERNEL_FRAME_MAX + 1, &m), KERNEL_READ_INVALID);
	assert_int_equal(read_one(reader, &header, 4100, &m), KERNEL_READ_FRAME);
	assert_frame(m, 4100);
	assert_int_equal(read_one(reader, &header, 14, &all[n]), KERNEL_READ_NO_BUFFER);
	rte_pktmbuf_free(m);
	assert_int_equal(read_one(reader, &header, 2049, &m), KERNEL_READ_FRAME);
	assert_frame(m, 2049);
	assert_int_equal(read_one(reader, &header, 60, &all[n]), KERNEL_READ_FRAME);
	assert_frame(all[n++], 60);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free_bulk(all, n);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
			read_one(reader, &header, KERNEL_FRAME_MAX, &m), KERNEL_READ_FRAME);
		assert_frame(m, KERNEL_FRAME_MAX);
		rte_pktmbuf_free(m);
	}
	kernel_reader_free(reader);
	free(all);
}

static void test_pool_of_small_buffers(void **state)
{
	struct rte_mempool *small = rte_pktmbuf_pool_create(
		"small", 1023, 0, 0, RTE_PKTMBUF_HEADROOM + 64, SOCKET_ID_ANY);
	struct rte_mempool *enough = rte_pktmbuf_pool_create(
		"enough", 2047, 0, 0, RTE_PKTMBUF_HEADROOM + 65, SOCKET_ID_ANY);
	struct virtio_net_hdr header = {0};
	struct kernel_reader *reader;
	struct rte_mbuf *m;

	assert_null(kernel_reader_new(small));
	reader = kernel_reader_new(enough);
	assert_non_null(reader);
	assert_int_equal(read_one(reader, &header, KERNEL_FRAME_MAX, &m), KERNEL_READ_FRAME);
	assert_int_equal(m->pkt_len, KERNEL_FRAME_MAX);
	assert_memory_equal(rte_pktmbuf_read(m, 0, m->pkt_len, copy), message + sizeof(header),
		KERNEL_FRAME_MAX);
	rte_pktmbuf_free(m);
	kernel_reader_free(reader);
	assert_int_equal(rte_mempool_in_use_count(enough), 0);
	rte_mempool_free(small);
	rte_mempool_free(enough);
}

static void test_write(void **state)
{
	struct virtio_net_hdr header = {0};
	struct rte_mbuf *m = rig_mbuf(1000, 1000, 7);

	assert_int_equal(kernel_frame_write(sockets[0], m), 0);
	assert_int_equal(recv(sockets[1], message, sizeof(message), 0), sizeof(header) + 1000);
	assert_memory_equal(message, &header, sizeof(header));
	assert_memory_equal(rte_pktmbuf_read(m, 0, 1000, copy), message + sizeof(header), 1000);
	/* The far end does not take any more. */
	for (unsigned i = 0; i < 100000 && kernel_frame_write(sockets[0], m) == 0; i++)
		;
	assert_int_equal(kernel_frame_write(sockets[0], m), -EAGAIN);
	rte_pktmbuf_free(m);
	/* Flags that say nothing a header can say. */
	m = rig_mbuf(60, 0, 60);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	m->l2_len = 14;
	m->l3_len = 200;
	assert_int_equal(kernel_frame_write(sockets[0], m), -EINVAL);
	rte_pktmbuf_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lengths, open_sockets, close_sockets),
		cmocka_unit_test_setup_teardown(
			test_too_long_and_too_short, open_sockets, close_sockets),
		cmocka_unit_test_setup_teardown(test_hostile_headers, open_sockets, close_sockets),
		cmocka_unit_test_setup_teardown(
			test_pool_nearly_empty, open_sockets, close_sockets),
		cmocka_unit_test_setup_teardown(
			test_pool_of_small_buffers, open_sockets, close_sockets),
		cmocka_unit_test_setup_teardown(test_write, open_sockets, close_sockets),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, setup, teardown);
}
