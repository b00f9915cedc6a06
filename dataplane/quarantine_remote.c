#include "quarantine_remote.h"

#include "conn_key.h"

/* Twice what may be in it a bucket on average: one in 100,000 is full when the table is. */
#define BUCKETS 2048
#define WAYS    8

#define CLAIMED 0xff /* level of a slot whose address is being written */

/*
 * A slot's state: who may read its address, and whether that is still the same afterwards. `level`
 * NONE: it is free. `turn` moves whenever the slot is claimed.
 */
#define LEVEL_BITS   8
#define NETWORK_BITS 16
#define TAG_BITS     16
#define LEVEL_MASK   UINT64_C(0xff)
#define TURN_SHIFT   (LEVEL_BITS + NETWORK_BITS + TAG_BITS)
#define ONE_TURN     (UINT64_C(1) << TURN_SHIFT)

struct slot {
	_Atomic uint64_t high, low; /* the address */
	_Atomic uint64_t drops;
};

struct bucket {
	_Atomic uint64_t state[WAYS]; /* one cache line */
	struct slot slots[WAYS];
} __attribute__((aligned(64)));

_Atomic uint32_t quarantine_remote_counts[MAX_NETWORKS] __attribute__((aligned(64)));

static struct {
	struct bucket buckets[BUCKETS];
	_Atomic uint32_t total;
	const struct quarantine_remote_watcher *watchers[QUARANTINE_REMOTE_WATCHERS];
} own;

/* Where an address is, if it is. */
struct place {
	struct bucket *bucket;
	uint16_t network;
	struct addr addr;
	uint64_t tag; /* of the state: network and the hash's tag, in their places */
};

static struct place place_of(uint16_t network, struct addr addr)
{
	/* Guests choose addresses, so the hash must be one that nobody can aim. */
	const struct conn_key key = {.addr = {addr}, .network = network};
	uint32_t hash = conn_key_hash(&key);

	return (struct place){
		.bucket = &own.buckets[hash % BUCKETS],
		.network = network,
		.addr = addr,
		.tag = (uint64_t)(hash >> 16) << (LEVEL_BITS + NETWORK_BITS) |
		       (uint64_t)network << LEVEL_BITS,
	};
}

static inline uint64_t without_turn(uint64_t state)
{
	return state & (ONE_TURN - 1);
}

static inline uint8_t level_of(uint64_t state)
{
	return (uint8_t)(state & LEVEL_MASK);
}

/* The slot's level and state where it holds the address; NONE: it does not. */
static uint8_t read_slot(const struct place *at, unsigned way, uint64_t *state)
{
	struct bucket *bucket = at->bucket;
	uint64_t now = atomic_load_explicit(&bucket->state[way], memory_order_acquire);
	struct addr addr;

	if ((without_turn(now) & ~LEVEL_MASK) != at->tag || level_of(now) == CLAIMED ||
		level_of(now) == CONFIG_QUARANTINE_NONE)
		return CONFIG_QUARANTINE_NONE;
	addr.high = atomic_load_explicit(&bucket->slots[way].high, memory_order_relaxed);
	addr.low = atomic_load_explicit(&bucket->slots[way].low, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	/* Given to another meanwhile: then this one was lifted. */
	if (atomic_load_explicit(&bucket->state[way], memory_order_relaxed) >> TURN_SHIFT !=
		now >> TURN_SHIFT)
		return CONFIG_QUARANTINE_NONE;
	if (!addr_equal(addr, at->addr))
		return CONFIG_QUARANTINE_NONE;
	*state = now;
	return level_of(now);
}

enum config_quarantine_level quarantine_remote_level(uint16_t network, struct addr addr)
{
	const struct place at = place_of(network, addr);
	uint8_t level = CONFIG_QUARANTINE_NONE;
	uint64_t state;

	for (unsigned way = 0; way < WAYS; way++) {
		uint8_t one = read_slot(&at, way, &state);

		level = one > level ? one : level;
	}
	return (enum config_quarantine_level)level;
}

void quarantine_remote_count_drop(uint16_t network, struct addr addr)
{
	quarantine_remote_add_drops(network, addr, 1);
}

void quarantine_remote_add_drops(uint16_t network, struct addr addr, uint64_t packets)
{
	const struct place at = place_of(network, addr);
	uint64_t state;

	for (unsigned way = 0; way < WAYS; way++)
		if (read_slot(&at, way, &state) != CONFIG_QUARANTINE_NONE) {
			atomic_fetch_add_explicit(
				&at.bucket->slots[way].drops, packets, memory_order_relaxed);
			return;
		}
}

static void unbook(uint16_t network)
{
	atomic_fetch_sub_explicit(&quarantine_remote_counts[network], 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&own.total, 1, memory_order_relaxed);
}

/* Room for one more of the network. */
static bool book(uint16_t network)
{
	_Atomic uint32_t *count = &quarantine_remote_counts[network];
	uint32_t of_all = atomic_fetch_add_explicit(&own.total, 1, memory_order_relaxed);
	uint32_t of_network = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);

	if (of_all < QUARANTINE_REMOTE_MAX && of_network < QUARANTINE_REMOTE_NETWORK_MAX)
		return true;
	unbook(network);
	return false;
}

/* Puts it into a free slot. False: there is none. */
static bool claim(const struct place *at, uint8_t level)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct slot *slot = &at->bucket->slots[way];
		_Atomic uint64_t *state = &at->bucket->state[way];
		uint64_t old = atomic_load_explicit(state, memory_order_relaxed);
		uint64_t turn = (old & ~(ONE_TURN - 1)) + ONE_TURN;

		if (level_of(old) != CONFIG_QUARANTINE_NONE ||
			!atomic_compare_exchange_strong_explicit(state, &old, turn | CLAIMED,
				memory_order_acquire, memory_order_relaxed))
			continue;
		/* Who reads the new address sees the new turn, too. */
		atomic_thread_fence(memory_order_release);
		atomic_store_explicit(&slot->high, at->addr.high, memory_order_relaxed);
		atomic_store_explicit(&slot->low, at->addr.low, memory_order_relaxed);
		atomic_store_explicit(&slot->drops, 0, memory_order_relaxed);
		atomic_store_explicit(state, turn | at->tag | level, memory_order_release);
		return true;
	}
	return false;
}

/* Raises one that is there. False: it is not. */
static bool raise_present(
	const struct place *at, uint8_t level, enum quarantine_remote_raised *raised)
{
	for (unsigned way = 0; way < WAYS; way++) {
		uint64_t state;
		uint8_t now = read_slot(at, way, &state);

		if (now == CONFIG_QUARANTINE_NONE)
			continue;
		*raised = QUARANTINE_REMOTE_STANDS;
		while (now < level) {
			if (atomic_compare_exchange_strong_explicit(&at->bucket->state[way], &state,
				    (state & ~LEVEL_MASK) | level, memory_order_acq_rel,
				    memory_order_relaxed)) {
				*raised = QUARANTINE_REMOTE_NEW;
				return true;
			}
			/* Raised by another, or lifted. */
			now = read_slot(at, way, &state);
			if (now == CONFIG_QUARANTINE_NONE)
				return false;
		}
		return true;
	}
	return false;
}

enum quarantine_remote_raised quarantine_remote_raise(
	uint16_t network, struct addr addr, enum config_quarantine_level level)
{
	const struct place at = place_of(network, addr);
	enum quarantine_remote_raised raised;

	if (raise_present(&at, (uint8_t)level, &raised))
		return raised;
	if (!book(network))
		return QUARANTINE_REMOTE_FULL;
	if (claim(&at, (uint8_t)level))
		return QUARANTINE_REMOTE_NEW;
	unbook(network);
	return QUARANTINE_REMOTE_FULL;
}

/* Takes all that there are of it out. */
static void take_out(const struct place *at)
{
	for (unsigned way = 0; way < WAYS; way++) {
		uint64_t state;

		while (read_slot(at, way, &state) != CONFIG_QUARANTINE_NONE) {
			if (atomic_compare_exchange_strong_explicit(&at->bucket->state[way], &state,
				    state & ~(ONE_TURN - 1), memory_order_acq_rel,
				    memory_order_relaxed)) {
				unbook(at->network);
				break;
			}
		}
	}
}

bool quarantine_remote_set(uint16_t network, struct addr addr, enum config_quarantine_level level)
{
	const struct place at = place_of(network, addr);
	enum config_quarantine_level now = quarantine_remote_level(network, addr);

	if (level < now)
		take_out(&at);
	if (level != CONFIG_QUARANTINE_NONE &&
		quarantine_remote_raise(network, addr, level) == QUARANTINE_REMOTE_FULL)
		return false;
	quarantine_remote_announce(network, addr);
	return true;
}

void quarantine_remote_each(quarantine_remote_fn *fn, void *arg)
{
	struct quarantine_remote remote;

	if (quarantine_remote_total() == 0)
		return;
	for (unsigned i = 0; i < BUCKETS * WAYS; i++) {
		struct bucket *bucket = &own.buckets[i / WAYS];
		struct slot *slot = &bucket->slots[i % WAYS];
		/* Only the control thread takes any out, so what is there stays. */
		uint64_t state = atomic_load_explicit(
			&bucket->state[i % WAYS], memory_order_acquire);

		if (level_of(state) == CONFIG_QUARANTINE_NONE || level_of(state) == CLAIMED)
			continue;
		remote.network = (uint16_t)(state >> LEVEL_BITS);
		remote.level = (enum config_quarantine_level)level_of(state);
		remote.addr.high = atomic_load_explicit(&slot->high, memory_order_relaxed);
		remote.addr.low = atomic_load_explicit(&slot->low, memory_order_relaxed);
		remote.drops = atomic_load_explicit(&slot->drops, memory_order_relaxed);
		fn(arg, &remote);
	}
}

static void clear_one(void *arg, const struct quarantine_remote *remote)
{
	const uint16_t *network = arg;

	if (remote->network == *network)
		(void)quarantine_remote_set(remote->network, remote->addr, CONFIG_QUARANTINE_NONE);
}

void quarantine_remote_clear(uint16_t network)
{
	if (quarantine_remote_any(network))
		quarantine_remote_each(clear_one, &network);
}

uint32_t quarantine_remote_total(void)
{
	return atomic_load_explicit(&own.total, memory_order_relaxed);
}

bool quarantine_remote_watch(const struct quarantine_remote_watcher *watcher)
{
	for (unsigned i = 0; i < QUARANTINE_REMOTE_WATCHERS; i++)
		if (own.watchers[i] == NULL) {
			own.watchers[i] = watcher;
			return true;
		}
	return false;
}

void quarantine_remote_unwatch(const struct quarantine_remote_watcher *watcher)
{
	for (unsigned i = 0; i < QUARANTINE_REMOTE_WATCHERS; i++)
		if (own.watchers[i] == watcher)
			own.watchers[i] = NULL;
}

void quarantine_remote_announce(uint16_t network, struct addr addr)
{
	const struct quarantine_remote remote = {
		.network = network,
		.addr = addr,
		.level = quarantine_remote_level(network, addr),
	};

	for (unsigned i = 0; i < QUARANTINE_REMOTE_WATCHERS; i++)
		if (own.watchers[i] != NULL)
			own.watchers[i]->changed(own.watchers[i]->arg, &remote);
}

uint64_t quarantine_remote_drops(uint16_t network, struct addr addr)
{
	const struct place at = place_of(network, addr);
	uint64_t state, drops = 0;

	for (unsigned way = 0; way < WAYS; way++)
		if (read_slot(&at, way, &state) != CONFIG_QUARANTINE_NONE)
			drops += atomic_load_explicit(
				&at.bucket->slots[way].drops, memory_order_relaxed);
	for (unsigned i = 0; i < QUARANTINE_REMOTE_WATCHERS; i++)
		if (own.watchers[i] != NULL && own.watchers[i]->drops != NULL)
			drops += own.watchers[i]->drops(own.watchers[i]->arg, network, addr);
	return drops;
}
