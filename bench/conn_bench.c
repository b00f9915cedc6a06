/*
 * What a connection costs: lookups in bursts of 32, in ns and cycles each, for tables of several
 * sizes, beside DPDK's rte_hash with the same keys and precomputed hashes; connections made and
 * forgotten a second; bytes each. Needs no hugepages and no root.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_prefetch.h>

#include "conn_table.h"

#define CAPACITY 1000000u
#define BURST_OF 32
#define LOOKUPS  (1u << 20)
#define ROUNDS   9 /* the best of which counts: others use this machine, too */

static const uint8_t l2[2][12] = {
	{2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa},
	{2, 0, 0, 0, 0, 0xa, 2, 0, 0, 0, 0, 0xb},
};

static const uint32_t sizes[] = {1000, 100000, CAPACITY};

static uint32_t *order; /* in which they are looked up */
static uint64_t found; /* keeps lookups from being left out */

static uint32_t random32(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

/* Of this thread's own time: what others take of the core does not count. */
static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *must(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "conn_bench: out of memory\n");
		exit(1);
	}
	return p;
}

/* Of packet number n, as conn_view() leaves it: made afresh, as packets come in, and not kept. */
static inline void view_of(struct conn_view *view, uint32_t n, uint8_t sender)
{
	*view = (struct conn_view){
		.key =
			{
				.addr = {{.low = ADDR_V4_PREFIX | 0x0a000000 | n >> 10},
					{.low = ADDR_V4_PREFIX | 0x0aff0000 | (n & 63)}},
				.port = {(uint16_t)(32768 | (n & 1023)), 445},
				.proto = IPPROTO_TCP,
			},
		.sender = sender,
	};
	view->hash = conn_key_hash(&view->key);
}

static void fill(struct conn_table *table, struct rte_hash *hash, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct conn_view view;
		struct conn *conn;

		view_of(&view, i, 0);
		conn = must(conn_table_add(table, &view));
		memcpy(conn->l2, l2, sizeof(conn->l2));
		conn->flags = CONN_BOUND_0 | CONN_BOUND_1;
		conn->state = CONN_TCP_ESTABLISHED;
		if (rte_hash_add_key_with_hash_data(hash, &view.key, view.hash, conn) != 0)
			must(NULL);
	}
}

static void find_burst(struct conn_table *table, const uint32_t *at, uint8_t sender)
{
	struct conn_view v[BURST_OF];
	uint32_t hashes[BURST_OF];

	for (unsigned i = 0; i < BURST_OF; i++) {
		view_of(&v[i], at[i], sender);
		hashes[i] = v[i].hash;
	}
	conn_table_prefetch(table, hashes, BURST_OF);
	conn_table_prefetch_entries(table, hashes, BURST_OF);
	for (unsigned i = 0; i < BURST_OF; i++)
		found += conn_table_find(table, &v[i], 0, l2[sender])->state;
}

/* As a worker would have to: held against the MACs, and what the entry says is read. */
static void hash_burst(struct rte_hash *hash, const uint32_t *at, uint8_t sender)
{
	struct conn_view v[BURST_OF];
	const void *keys[BURST_OF];
	hash_sig_t sigs[BURST_OF];
	void *data[BURST_OF];
	uint64_t hits = 0;

	for (unsigned i = 0; i < BURST_OF; i++) {
		view_of(&v[i], at[i], sender);
		keys[i] = &v[i].key;
		sigs[i] = v[i].hash;
	}
	rte_hash_lookup_with_hash_bulk_data(hash, keys, sigs, BURST_OF, &hits, data);
	for (unsigned i = 0; i < BURST_OF; i++) {
		rte_prefetch0(data[i]);
		rte_prefetch0((char *)data[i] + 64);
	}
	for (unsigned i = 0; i < BURST_OF; i++) {
		const struct conn *conn = data[i];

		if (memcmp(conn->l2[sender], l2[sender], sizeof(l2[sender])) == 0)
			found += conn->state;
	}
}

/* What making key and hash costs, which is in both. */
static void empty_burst(const uint32_t *at)
{
	struct conn_view v[BURST_OF];

	for (unsigned i = 0; i < BURST_OF; i++) {
		view_of(&v[i], at[i], 1);
	}
	for (unsigned i = 0; i < BURST_OF; i++)
		found += ((volatile struct conn_view *)&v[i])->hash;
}

enum what { EMPTY, TABLE, HASH };

static double ns_per_lookup(enum what what, struct conn_table *table, struct rte_hash *hash)
{
	uint64_t best = UINT64_MAX;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), took;

		for (uint32_t i = 0; i < LOOKUPS; i += BURST_OF) {
			if (what == TABLE)
				find_burst(table, order + i, i / BURST_OF & 1);
			else if (what == HASH)
				hash_burst(hash, order + i, i / BURST_OF & 1);
			else
				empty_burst(order + i);
		}
		took = now_ns() - start;
		best = took < best ? took : best;
	}
	return (double)best / LOOKUPS;
}

static void print_line(const char *name, uint32_t n, double ns)
{
	printf("%-12s %9u connections %8.1f ns %8.1f cycles\n", name, n, ns,
		ns * (double)rte_get_tsc_hz() / 1e9);
}

static void bench_lookups(uint32_t n)
{
	struct rte_hash_parameters params = {.name = "bench",
		.entries = CAPACITY,
		.key_len = sizeof(struct conn_key),
		.socket_id = SOCKET_ID_ANY};
	struct conn_table *table = must(conn_table_create(CAPACITY));
	struct rte_hash *hash = must(rte_hash_create(&params));
	double empty;

	fill(table, hash, n);
	for (uint32_t i = 0; i < LOOKUPS; i++)
		order[i] = random32() % n;
	empty = ns_per_lookup(EMPTY, NULL, NULL);
	print_line("key and hash", n, empty);
	print_line("conn_table", n, ns_per_lookup(TABLE, table, NULL) - empty);
	print_line("rte_hash", n, ns_per_lookup(HASH, NULL, hash) - empty);
	rte_hash_free(hash);
	conn_table_free(table);
}

/* From a parsed packet to its key and hash, TCP over IPv4. */
static void bench_view(void)
{
	static uint8_t frames[BURST_OF][64];
	static struct rte_mbuf mbufs[BURST_OF];
	static struct packet packets[BURST_OF];
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < BURST_OF; i++) {
		static const uint8_t frame[64] = {[12] = 8,
			[14] = 0x45,
			[17] = 40,
			[22] = 64,
			6,
			[26] = 10,
			0,
			0,
			1,
			10,
			0,
			0,
			2,
			0x80,
			0,
			1,
			0xbd,
			[46] = 0x50,
			0x10};

		memcpy(frames[i], frame, sizeof(frame));
		frames[i][29] = (uint8_t)(i * 37 % 5);
		mbufs[i] = (struct rte_mbuf){
			.buf_addr = frames[i], .data_len = sizeof(frame), .pkt_len = sizeof(frame)};
		if (packet_parse(&mbufs[i], &packets[i]) >= 0)
			exit(1);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), took;

		for (uint32_t i = 0; i < LOOKUPS; i++) {
			struct conn_view view;

			conn_view(&mbufs[i % BURST_OF], &packets[i % BURST_OF], 1, &view);
			found += view.hash;
		}
		took = now_ns() - start;
		best = took < best ? took : best;
	}
	print_line("conn_view", 1, (double)best / LOOKUPS);
}

static void bench_adds(void)
{
	struct conn_table *table = must(conn_table_create(CAPACITY));
	struct conn **conns = must(calloc(CAPACITY, sizeof(*conns)));
	uint64_t start = now_ns(), added, removed;

	for (uint32_t i = 0; i < CAPACITY; i++) {
		struct conn_view view;

		view_of(&view, i, 0);
		conns[i] = must(conn_table_add(table, &view));
	}
	added = now_ns() - start;
	start = now_ns();
	for (uint32_t i = 0; i < CAPACITY; i++)
		conn_table_remove(table, conns[i]);
	removed = now_ns() - start;
	printf("adds         %9.0f a second, up to %u\n", CAPACITY * 1e9 / (double)added, CAPACITY);
	printf("removes      %9.0f a second\n", CAPACITY * 1e9 / (double)removed);
	printf("bytes        %9.1f each, of %u\n", (double)conn_table_bytes(table) / CAPACITY,
		CAPACITY);
	free(conns);
	conn_table_free(table);
}

int main(int argc, char **argv)
{
	char *eal[] = {argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"512", "--log-level=error", NULL};

	if (argc > 1 || rte_eal_init(8, eal) < 0) {
		fprintf(stderr, "usage: %s (without arguments)\n", argv[0]);
		return 1;
	}
	order = must(calloc(LOOKUPS, sizeof(*order)));
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		bench_lookups(sizes[i]);
	bench_view();
	bench_adds();
	free(order);
	rte_eal_cleanup();
	return found == 0;
}
