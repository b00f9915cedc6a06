/*
 * Fuzzes TCP reassembly. The first byte: 1 midstream, 2 segments as they are (below), 4 receivers
 * that prefer the later of two copies, the rest memory. Four bytes are side 0's first sequence
 * number. Then come segments of seven bytes: how, flags, where (two bytes, signed), acknowledgement
 * (two), length (one, the square of which is meant). Bit 0 of how is the side; the rest says
 * whether bytes are others than they should be, whether it is lost behind us, and how many bytes a
 * piece has.
 *
 * Normally both ends are honest receivers (tests/unit/stream_model.h), whatever is sent to them: no
 * byte reaches an application that the handler was not given before. With segments as they are,
 * numbers, flags and acknowledgements are the input's. Always: what is kept is bounded and in
 * order, all of it is given back, and how a segment is cut into pieces makes no difference.
 */
#include <rte_common.h>
#include <rte_eal.h>

#include "stream.h"
#include "unit/stream_model.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define URG 0x20

#define OP        7
#define OPS       200
#define BYTES     (1u << 16) /* of a side */
#define MAX_PAGES 1024
#define MAX_LEN   65025 /* 255 squared */

enum { MIDSTREAM = 1, AS_THEY_ARE = 2, LAST_WINS = 4 };
enum { SIDE = 1, LIES = 2, LOST = 4, PIECES_SHIFT = 3 };

static struct inspect_memory *memory;
static uint8_t truth[2][BYTES + MAX_LEN]; /* what each side has to say */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *eal[] = {"fuzz_stream", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};
	static const uint32_t counts[INSPECT_BLOCKS] = {[INSPECT_PAGE] = MAX_PAGES};

	for (uint32_t i = 0; i < sizeof(truth); i++)
		truth[i & 1][i / 2] = (uint8_t)(i * 131 + (i >> 8) * 7);
	if (rte_eal_init(RTE_DIM(eal), eal) < 0)
		return -1;
	memory = inspect_memory_create(counts, 64);
	return memory != NULL ? 0 : -1;
}

/* One run over an input. */
struct run {
	struct stream stream;
	struct inspect_account account;
	struct model receiver[2]; /* of what side 0 and side 1 send */
	uint32_t isn[2];
	uint8_t mode;
	uint64_t given[2]; /* bytes, gaps too */
	uint64_t sum; /* of how much was given and of verdicts, in their order */
};

static void mix(struct run *run, uint64_t v)
{
	run->sum = (run->sum ^ v) * 0x9e3779b97f4a7c15ull;
	run->sum ^= run->sum >> 29;
}

static bool on_data(void *arg, unsigned side, const uint8_t *bytes, uint32_t len)
{
	struct run *run = arg;
	struct model *m = &run->receiver[side];

	must(side < 2 && len > 0);
	run->given[side] += len;
	if (run->mode & AS_THEY_ARE)
		return true;
	model_place(m, run->stream.side[side].start - run->isn[side] - 1);
	must(model_given(m, bytes, len));
	return true;
}

static void on_gap(void *arg, unsigned side, uint32_t len)
{
	struct run *run = arg;

	must(side < 2);
	run->given[side] += len;
	model_place(&run->receiver[side], run->stream.side[side].start - run->isn[side] - 1);
	run->receiver[side].position += len;
	mix(run, len);
	/* Honest receivers of what was seen whole have no gap, and open only once. */
	must(run->mode & (AS_THEY_ARE | MIDSTREAM));
}

static void check_side(const struct stream_side *s)
{
	uint32_t sum = 0, pages = 0;

	must(s->n_ahead <= STREAM_AHEAD_SEGMENTS && s->ahead_bytes <= STREAM_AHEAD_BYTES);
	for (unsigned i = 0; i < s->n_ahead; i++) {
		const struct stream_range *r = &s->ahead[i];
		uint32_t before = i == 0 ? s->next : r[-1].to;

		must((int32_t)(r->from - before) > 0 && (int32_t)(r->to - r->from) > 0);
		must(r->to - s->acked <= STREAM_WINDOW);
		sum += r->to - r->from;
	}
	must(sum == s->ahead_bytes);
	if ((int32_t)(s->next - s->acked) > 0)
		must(s->next - s->acked <= STREAM_WINDOW && s->index != NULL);
	if (s->index != NULL)
		for (unsigned i = 0; i < STREAM_WINDOW / INSPECT_PAGE_SIZE; i++)
			pages += s->index[i] != NULL;
	must(pages == s->n_pages);
	must((pages > 0) == (s->index != NULL));
	must((s->index != NULL) == (s->n_ahead > 0 || (int32_t)(s->next - s->acked) > 0));
}

static void check(const struct run *run)
{
	uint64_t blocks = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct stream_side *s = &run->stream.side[i];

		check_side(s);
		blocks += s->n_pages + (s->index != NULL);
		must(stream_bytes(&run->stream, i) == run->given[i]);
	}
	must(inspect_memory_used(memory, INSPECT_PAGE) == blocks);
	must(run->account.used == blocks * INSPECT_PAGE_SIZE);
	must(run->account.used <= run->account.max);
}

/* Through reassembly, in pieces of so many bytes, each in a block of just its size. */
static enum stream_verdict pass(struct run *run, unsigned side, const struct stream_segment *whole,
	const uint8_t *bytes, uint32_t piece)
{
	static struct stream_piece pieces[64];
	struct stream_segment segment = *whole;
	enum stream_verdict verdict;

	if (piece < (segment.len + 63) / 64)
		piece = (segment.len + 63) / 64;
	segment.pieces = pieces;
	for (uint32_t at = 0; at < segment.len; at += piece) {
		uint32_t len = RTE_MIN(piece, segment.len - at);
		uint8_t *exact = malloc(len);

		must(exact != NULL);
		memcpy(exact, bytes + at, len);
		pieces[segment.n_pieces++] = (struct stream_piece){exact, len};
	}
	verdict = stream_segment(&run->stream, memory, &run->account, side, &segment,
		&(struct stream_handler){on_data, on_gap}, run);
	must(verdict < STREAM_VERDICTS && verdict != STREAM_STOPPED);
	mix(run, verdict);
	mix(run, run->given[0]);
	mix(run, run->given[1]);
	for (unsigned i = 0; i < segment.n_pieces; i++)
		free((void *)(uintptr_t)pieces[i].bytes);
	check(run);
	return verdict;
}

static int16_t read16(const uint8_t *op)
{
	return (int16_t)(op[0] | op[1] << 8);
}

/* piece: of bytes; 0: as the input says. */
static void send_op(struct run *run, const uint8_t *op, uint32_t piece)
{
	static uint8_t bytes[MAX_LEN];
	const unsigned side = op[0] & SIDE;
	struct model *m = &run->receiver[side];
	const bool honest = !(run->mode & AS_THEY_ARE);
	struct stream_segment segment = {.flags = op[1], .len = (uint32_t)op[6] * op[6]};
	int64_t at = (int64_t)m->next + read16(op + 2);

	if (honest && (at < 0 || at > BYTES))
		at = 0;
	/* The streams' ends, and midstream beginnings, are not in question here. */
	if (honest)
		segment.flags = op[1] & (run->mode & MIDSTREAM ? RST | URG : SYN | RST | URG);
	if (honest && !(op[1] & 0x80))
		segment.flags |= ACK;
	if (honest && segment.len > BYTES - at)
		segment.len = (uint32_t)(BYTES - at);
	segment.seq = run->isn[side] + 1 + (uint32_t)at;
	segment.ack = run->isn[!side] + 1 + run->receiver[!side].next +
		      (honest ? 0 : (uint32_t)read16(op + 4));
	/* As they are, the numbers may be any. */
	memcpy(bytes, truth[side] + (uint32_t)at % BYTES, segment.len);
	if (op[0] & LIES && segment.len > 0)
		bytes[op[4] % segment.len] ^= (uint8_t)(op[5] | 1);
	if (piece == 0)
		piece = 1 + 50 * (op[0] >> PIECES_SHIFT);
	if (pass(run, side, &segment, bytes, piece) != STREAM_PASS || op[0] & LOST)
		return;
	if (!honest)
		m->next += op[1] & 0x80 ? segment.len : 0; /* so that the place moves on */
	else if ((segment.flags & (ACK | SYN | RST | URG)) == ACK)
		must(model_receive(m, at, bytes, segment.len));
}

static void open_both(struct run *run)
{
	const struct stream_segment segments[] = {
		{.flags = SYN, .seq = run->isn[0]},
		{.flags = SYN | ACK, .seq = run->isn[1], .ack = run->isn[0] + 1},
		{.flags = ACK, .seq = run->isn[0] + 1, .ack = run->isn[1] + 1},
	};

	for (unsigned i = 0; i < RTE_DIM(segments); i++)
		must(pass(run, i & 1, &segments[i], NULL, 1) == STREAM_PASS);
}

/* Its sum. */
static uint64_t run_all(const uint8_t *data, size_t size, uint32_t piece)
{
	struct run *run = calloc(1, sizeof(*run));
	uint64_t sum;

	must(run != NULL);
	run->mode = data[0];
	run->account.max = run->mode >> 3 == 0 ? UINT64_MAX / 2
					       : (run->mode >> 3) * INSPECT_PAGE_SIZE;
	memcpy(&run->isn[0], data + 1, sizeof(run->isn[0]));
	run->isn[1] = ~run->isn[0];
	for (unsigned i = 0; i < 2; i++)
		must(model_init(&run->receiver[i], BYTES, 1u << 16, run->mode & LAST_WINS));
	stream_init(&run->stream, run->mode & MIDSTREAM);
	if (!(run->mode & (AS_THEY_ARE | MIDSTREAM)))
		open_both(run);
	for (size_t at = 5; at + OP <= size && at < 5 + OP * OPS; at += OP)
		send_op(run, data + at, piece);
	stream_end(&run->stream, memory, &run->account);
	must(inspect_memory_used(memory, INSPECT_PAGE) == 0 && run->account.used == 0);
	sum = run->sum;
	model_free(&run->receiver[0]);
	model_free(&run->receiver[1]);
	free(run);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 5)
		return 0;
	must(run_all(data, size, 0) == run_all(data, size, UINT32_MAX));
	return 0;
}
