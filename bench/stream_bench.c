/*
 * What TCP reassembly costs: cycles for segments in order, with a handler that looks at nothing,
 * and beside them the bare copy of their bytes; and for a block of inspection's memory, taken and
 * given, beside one of an rte_mempool without cache. Needs no hugepages and no root.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mempool.h>

#include "stream.h"

#define ACK    0x10
#define PAGES  16384u
#define SOURCE (1u << 20) /* bytes that segments are made of, again and again */
#define PIECE  2048u
#define TOTAL  (64u << 20) /* bytes a round */
#define BLOCKS (1u << 20) /* taken a round */
#define HELD   32u /* of them at a time */
#define ROUNDS 9 /* the best of which counts: others use this machine, too */

static struct inspect_memory *memory;
static struct inspect_account account = {.max = UINT64_MAX / 2};
static uint8_t *source, *target;
static uint64_t seen; /* keeps the work from being left out */

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
		fprintf(stderr, "stream_bench: out of memory\n");
		exit(1);
	}
	return p;
}

static bool on_data(void *arg, unsigned side, const uint8_t *bytes, uint32_t len)
{
	seen += len + bytes[0];
	return true;
}

static void on_gap(void *arg, unsigned side, uint32_t len)
{
	exit(1);
}

static void pass(struct stream *stream, unsigned side, const struct stream_segment *segment)
{
	static const struct stream_handler handler = {on_data, on_gap};

	if (stream_segment(stream, memory, &account, side, segment, &handler, NULL) != STREAM_PASS)
		exit(1);
}

/* One way, an acknowledgement behind every second segment. */
static void send_all(struct stream *streams, uint32_t n_streams, uint32_t len)
{
	struct stream_piece pieces[64];
	struct stream_segment segment = {
		.seq = 1000, .ack = 1, .flags = ACK, .len = len, .pieces = pieces};
	struct stream_segment ack = {.seq = 1, .flags = ACK};

	for (uint32_t i = 0; i < n_streams; i++)
		stream_init(&streams[i], true);
	for (uint32_t done = 0, n = 1; done < TOTAL; n++) {
		for (uint32_t i = 0; i < n_streams; i++, done += len) {
			const uint8_t *bytes = source + done % (SOURCE - 65536);

			segment.n_pieces = 0;
			for (uint32_t at = 0; at < len; at += PIECE)
				pieces[segment.n_pieces++] = (struct stream_piece){
					bytes + at, len - at < PIECE ? len - at : PIECE};
			pass(&streams[i], 0, &segment);
			ack.ack = segment.seq + len;
			if (n % 2 == 0)
				pass(&streams[i], 1, &ack);
		}
		segment.seq += len;
	}
	for (uint32_t i = 0; i < n_streams; i++)
		stream_end(&streams[i], memory, &account);
}

static void copy_all(uint32_t len)
{
	for (uint32_t done = 0; done < TOTAL; done += len) {
		memcpy(target + done % 65536, source + done % (SOURCE - 65536), len);
		seen += target[done % 65536];
	}
}

static void print_line(const char *name, const char *of, double ns)
{
	printf("%-12s %-32s %9.1f ns %9.1f cycles\n", name, of, ns,
		ns * (double)rte_get_tsc_hz() / 1e9);
}

static void bench_segments(uint32_t n_streams, uint32_t len)
{
	struct stream *streams = must(calloc(n_streams, sizeof(*streams)));
	uint64_t best = UINT64_MAX, copy = UINT64_MAX;
	char of[64];

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns(), took;

		send_all(streams, n_streams, len);
		took = now_ns() - start;
		best = took < best ? took : best;
		start = now_ns();
		copy_all(len);
		took = now_ns() - start;
		copy = took < copy ? took : copy;
	}
	snprintf(of, sizeof(of), "%u bytes, %u connections", len, n_streams);
	print_line("segment", of, (double)best * len / TOTAL);
	print_line("copy", of, (double)copy * len / TOTAL);
	free(streams);
}

/* Blocks of which something is written, so that they are in the cache or not. */
static double stack_ns(void)
{
	uint8_t *held[HELD];
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < BLOCKS; i += HELD) {
		for (uint32_t j = 0; j < HELD; j++) {
			held[j] = inspect_take(memory, &account, INSPECT_PAGE);
			memset(held[j], (int)i, 64);
		}
		for (uint32_t j = 0; j < HELD; j++)
			inspect_give(memory, &account, INSPECT_PAGE, held[j]);
	}
	return (double)(now_ns() - start) / BLOCKS;
}

static double pool_ns(struct rte_mempool *pool)
{
	void *held[HELD];
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < BLOCKS; i += HELD) {
		for (uint32_t j = 0; j < HELD; j++) {
			if (rte_mempool_get(pool, &held[j]) != 0)
				exit(1);
			memset(held[j], (int)i, 64);
		}
		for (uint32_t j = 0; j < HELD; j++)
			rte_mempool_put(pool, held[j]);
	}
	return (double)(now_ns() - start) / BLOCKS;
}

static void bench_blocks(void)
{
	struct rte_mempool *pool = must(
		rte_mempool_create("bench", PAGES, INSPECT_PAGE_SIZE, 0, 0, NULL, NULL, NULL, NULL,
			SOCKET_ID_ANY, RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET));
	double stack = 1e9, mempool = 1e9;

	for (unsigned round = 0; round < ROUNDS; round++) {
		double took = stack_ns();

		stack = took < stack ? took : stack;
		took = pool_ns(pool);
		mempool = took < mempool ? took : mempool;
	}
	print_line("block", "taken, a line written, given", stack);
	print_line("rte_mempool", "the same", mempool);
	rte_mempool_free(pool);
}

int main(int argc, char **argv)
{
	static const uint32_t counts[INSPECT_BLOCKS] = {[INSPECT_PAGE] = PAGES};
	char *eal[] = {argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"256", "--log-level=error", NULL};

	if (argc > 1 || rte_eal_init(8, eal) < 0) {
		fprintf(stderr, "usage: %s (without arguments)\n", argv[0]);
		return 1;
	}
	memory = must(inspect_memory_create(counts, 64));
	source = must(malloc(SOURCE));
	target = must(malloc(2 * 65536));
	memset(source, 1, SOURCE);
	bench_segments(1, 1448);
	bench_segments(1000, 1448);
	bench_segments(1, 65000);
	bench_segments(50, 65000);
	bench_blocks();
	free(source);
	free(target);
	inspect_memory_free(memory);
	rte_eal_cleanup();
	return seen == 0;
}
