/*
 * TCP reassembly between a sender that segments, repeats, reorders and lies at random, a network
 * that loses on both sides of us, and a receiver (stream_model.h): whatever happens, its
 * application gets no byte that the handler was not given before; and if nobody lies, all of them
 * arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "stream_model.h"
#include "stream_rig.h"

#define RUNS  400
#define STEPS 400

static uint64_t state64;

static uint32_t random32(void)
{
	state64 ^= state64 << 13;
	state64 ^= state64 >> 7;
	state64 ^= state64 << 17;
	return (uint32_t)(state64 >> 32);
}

static uint32_t below(uint32_t n)
{
	return random32() % n;
}

static bool percent(uint32_t n)
{
	return below(100) < n;
}

/* One run's dice. */
static struct {
	struct model receiver;
	uint8_t *truth;
	uint32_t sent, acked; /* as its sender knows */
	uint32_t segment; /* bytes at most */
	unsigned side; /* that sends */
	uint32_t loses_before, loses_behind, lies; /* percent */
	bool scarce; /* memory */
	bool picked_up;
} run;

static bool on_data(void *arg, unsigned side, const uint8_t *bytes, uint32_t len)
{
	assert_int_equal(side, run.side);
	model_place(&run.receiver, rig.stream.side[side].start - rig.isn[side] - 1);
	assert_true(model_given(&run.receiver, bytes, len));
	return true;
}

static void on_gap(void *arg, unsigned side, uint32_t len)
{
	assert_true(run.picked_up && run.lies == 0 && len > 0);
	model_place(&run.receiver, rig.stream.side[side].start - rig.isn[side] - 1);
	run.receiver.position += len;
}

static const struct stream_handler dice_handler = {on_data, on_gap};

/* An honest sender's segment is refused only for what it costs. */
static void check_verdict(enum stream_verdict verdict, uint32_t at)
{
	if (run.lies > 0 || run.scarce)
		return;
	if (verdict == STREAM_INVALID) {
		assert_true(run.picked_up &&
			    at < rig.stream.side[run.side].start - rig.isn[run.side] - 1);
		return;
	}
	assert_true(
		verdict == STREAM_PASS || verdict == STREAM_AHEAD || verdict == STREAM_WINDOW_FULL);
	/* Picked up, we may lag behind until the receiver acknowledges more. */
	if (verdict == STREAM_AHEAD && !run.picked_up)
		assert_true(at > run.receiver.next);
}

static void send_at(uint32_t at, uint32_t len)
{
	static uint8_t bytes[1u << 16];
	enum stream_verdict verdict;
	bool ends;

	if (len > run.receiver.size - at)
		len = run.receiver.size - at;
	ends = at + len == run.receiver.size;
	memcpy(bytes, run.truth + at, len);
	if (len > 0 && percent(run.lies))
		bytes[below(len)] ^= (uint8_t)(1 + below(255));
	if (at + len > run.sent)
		run.sent = at + len;
	if (percent(run.loses_before))
		return;
	rig.piece = percent(50) ? 0 : 1 + below(3000);
	verdict = rig_send(run.side, ACK | (ends ? FIN : 0), at, bytes, len);
	check_verdict(verdict, at);
	if (verdict == STREAM_PASS && !percent(run.loses_behind))
		assert_true(model_receive(&run.receiver, at, bytes, len));
}

/* The receiver says what it has, on its own or late. */
static void acknowledge_some(void)
{
	uint32_t ack = run.receiver.next;

	if (percent(20))
		ack = run.acked + below(ack - run.acked + 1);
	if (percent(run.loses_behind))
		return;
	if (ack == run.receiver.size && rig.stream.side[run.side].finished)
		ack++;
	is(acknowledge(!run.side, ack), PASS);
	if (percent(run.loses_before))
		return;
	if (ack > run.receiver.size)
		ack = run.receiver.size;
	if (ack > run.acked)
		run.acked = ack;
}

static void step(void)
{
	uint32_t len = 1 + below(run.segment), from = run.acked, most;

	if (percent(30)) {
		acknowledge_some();
		return;
	}
	/* In order, repeated, or anywhere. */
	if (percent(50))
		from = run.sent;
	else if (percent(50))
		from += below(run.sent - run.acked + 1);
	else
		from += below(4 * run.segment);
	if (percent(5))
		from -= from < 5 ? from : 5;
	most = run.acked + run.receiver.window;
	if (most > run.receiver.size)
		most = run.receiver.size;
	if (from >= most)
		return;
	send_at(from, len < most - from ? len : most - from);
}

/* Everything that is still to come, one after the other: all arrives, and nothing is left here. */
static void finish(void)
{
	run.loses_before = run.loses_behind = 0;
	while (run.acked < run.receiver.size) {
		uint32_t before = run.acked;

		send_at(run.acked, run.segment);
		is(acknowledge(!run.side, run.receiver.next), PASS);
		run.acked = run.receiver.next;
		assert_true(run.acked > before);
	}
	send_at(run.receiver.size, 0);
	is(acknowledge(!run.side, run.receiver.size + 1), PASS);
	assert_memory_equal(run.receiver.value, run.truth, run.receiver.size);
	assert_int_equal(run.receiver.position, run.receiver.size);
	assert_int_equal(rig_pages(), 0);
}

static void roll(uint64_t seed)
{
	const uint32_t segments[] = {1, 3, 100, 1448, 9000, 65000};
	const uint32_t windows[] = {10, 1000, 65535, 300000, 1000000};
	uint32_t size, window;

	state64 = seed * 0x9e3779b97f4a7c15u + 1;
	memset(&run, 0, sizeof(run));
	run.segment = segments[below(6)];
	window = windows[below(5)];
	size = 1 + below((run.segment < window ? run.segment : window) * 100);
	if (size > 1u << 20)
		size = 1u << 20;
	run.truth = malloc(size);
	assert_non_null(run.truth);
	assert_true(model_init(&run.receiver, size, window, percent(50)));
	for (uint32_t i = 0; i < size; i++)
		run.truth[i] = (uint8_t)random32();
	run.side = below(2);
	run.loses_before = percent(50) ? below(30) : 0;
	run.loses_behind = percent(50) ? below(30) : 0;
}

static void run_end(void)
{
	assert_true(rig_pages() <= 2 * (STREAM_WINDOW / INSPECT_PAGE_SIZE + 1));
	rig_end();
	model_free(&run.receiver);
	free(run.truth);
}

/* From where numbers wrap soon, or anywhere. */
static uint32_t some_isn(void)
{
	return percent(70) ? 0u - below(2 * run.receiver.size + 2) : random32();
}

static void honest(void **state)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		roll(seed);
		rig_open(some_isn(), some_isn());
		rig_uses = &dice_handler;
		for (unsigned i = 0; i < STEPS; i++)
			step();
		finish();
		run_end();
	}
}

static void lying(void **state)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		roll(seed + 10000);
		run.lies = 1 + below(60);
		rig_open(some_isn(), some_isn());
		rig_uses = &dice_handler;
		for (unsigned i = 0; i < STEPS; i++)
			step();
		run_end();
	}
}

static void with_little_memory(void **state)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		roll(seed + 20000);
		run.scarce = true;
		run.lies = percent(50) ? below(20) : 0;
		rig_open(some_isn(), some_isn());
		rig.account.max = below(12) * INSPECT_PAGE_SIZE;
		rig_uses = &dice_handler;
		for (unsigned i = 0; i < STEPS; i++) {
			step();
			assert_true(rig.account.used <= rig.account.max);
		}
		run_end();
	}
}

/*
 * Half of it is over when we begin: at first the receiver holds what nobody has seen. Its window is
 * not larger than STREAM_WINDOW.
 */
static void picked_up(void **state)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		roll(seed + 30000);
		if (run.receiver.window > STREAM_WINDOW)
			run.receiver.window = STREAM_WINDOW;
		rig_open(some_isn(), some_isn());
		rig_uses = &dice_handler;
		for (unsigned i = 0; i < STEPS / 2; i++)
			step();
		stream_end(&rig.stream, rig.memory, &rig.account);
		stream_init(&rig.stream, true);
		run.picked_up = true;
		run.receiver.known = false;
		model_pick_up(&run.receiver);
		for (uint32_t i = 0; i < run.receiver.size; i++)
			run.receiver.flags[i] &= (uint8_t)~MODEL_GIVEN;
		for (unsigned i = 0; i < STEPS / 2; i++)
			step();
		run_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest),
		cmocka_unit_test(lying),
		cmocka_unit_test(with_little_memory),
		cmocka_unit_test(picked_up),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
