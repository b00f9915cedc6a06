#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "counters.h"
#include "fdb.h"

#define NIL UINT32_MAX

/*
 * What the home worker knows of an entry beside key and port; index is rte_hash's position. Lists
 * run from the port's oldest entry to its newest.
 */
struct fdb_info {
	uint64_t key;
	uint64_t seen; /* TSC cycles; moves on once a second at the most */
	uint64_t window; /* start of the window that moves_in_window counts */
	uint32_t older, newer;
	uint32_t moves;
	uint16_t port;
	uint16_t moves_in_window;
};

struct fdb_port {
	uint32_t oldest, newest;
	uint32_t count;
	uint32_t tokens; /* addresses that it may still bring in this second */
	uint64_t second; /* start of that second */
};

struct fdb {
	struct rte_hash *hash; /* key -> port */
	unsigned limit;
	uint32_t sweep; /* where fdb_age() goes on */
	uint32_t capacity; /* positions of hash */
	uint64_t age; /* TSC cycles */
	uint64_t hz;
	struct fdb_stats stats;
	struct fdb_move moves[FDB_MOVES_KEPT];
	_Atomic uint32_t flush; /* port, or FLUSH_* */
	struct fdb_port ports[MAX_PORTS];
	struct fdb_info *info;
};

#define FLUSH_NONE UINT32_MAX
#define FLUSH_ALL (UINT32_MAX - 1)

/*
 * Guests choose the keys, so not a CRC (its collisions hold for every seed). The table has no
 * overflow buckets either: a lookup is bounded, and an address whose buckets are full is refused.
 */
static uint32_t fdb_hash(const void *key, uint32_t len, uint32_t init)
{
	uint64_t mac;

	memcpy(&mac, key, sizeof(mac));
	return rte_jhash_2words(mac, mac >> 32, init);
}

struct fdb *fdb_create(unsigned limit, unsigned age, struct rte_rcu_qsbr *rcu)
{
	static unsigned serial; /* rte_hash wants names of its own */
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_rcu_config rcu_config = {.v = rcu, .mode = RTE_HASH_QSBR_MODE_DQ};
	/*
	 * A deleted entry's slot is free again after a grace period only: leave room for a burst of
	 * replacements meanwhile.
	 */
	struct rte_hash_parameters params = {
		.name = name,
		.entries = limit + limit / 4 + 256,
		.key_len = sizeof(uint64_t),
		.hash_func = fdb_hash,
		.socket_id = SOCKET_ID_ANY,
		.hash_func_init_val = rte_rand(),
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};
	struct fdb *fdb = rte_zmalloc("fdb", sizeof(*fdb), RTE_CACHE_LINE_SIZE);

	if (fdb == NULL)
		return NULL;
	snprintf(name, sizeof(name), "fdb%u", serial++);
	fdb->hash = rte_hash_create(&params);
	if (fdb->hash == NULL)
		goto fail;
	fdb->capacity = rte_hash_max_key_id(fdb->hash) + 1;
	fdb->info = rte_zmalloc("fdb_info", fdb->capacity * sizeof(*fdb->info), RTE_CACHE_LINE_SIZE);
	if (fdb->info == NULL || rte_hash_rcu_qsbr_add(fdb->hash, &rcu_config) != 0)
		goto fail;
	for (unsigned i = 0; i < fdb->capacity; i++)
		fdb->info[i].port = NO_PORT;
	for (unsigned i = 0; i < MAX_PORTS; i++)
		fdb->ports[i].oldest = fdb->ports[i].newest = NIL;
	fdb->limit = limit;
	fdb->hz = rte_get_tsc_hz();
	fdb->age = age * fdb->hz;
	fdb->flush = FLUSH_NONE;
	return fdb;
fail:
	fdb_free(fdb);
	return NULL;
}

void fdb_free(struct fdb *fdb)
{
	if (fdb == NULL)
		return;
	rte_hash_free(fdb->hash);
	rte_free(fdb->info);
	rte_free(fdb);
}

bool fdb_empty(const struct fdb *fdb)
{
	return __atomic_load_n(&fdb->stats.entries, __ATOMIC_RELAXED) == 0;
}

uint16_t fdb_lookup(const struct fdb *fdb, uint64_t key)
{
	void *data;

	if (rte_hash_lookup_data(fdb->hash, &key, &data) < 0)
		return NO_PORT;
	return (uint16_t)(uintptr_t)data;
}

bool fdb_is_fresh(const struct fdb *fdb, uint64_t key, uint16_t port, uint64_t now)
{
	void *data;
	int pos = rte_hash_lookup_data(fdb->hash, &key, &data);

	if (pos < 0 || (uint16_t)(uintptr_t)data != port)
		return false;
	return now - counter_read(&fdb->info[pos].seen) < fdb->hz;
}

static void list_unlink(struct fdb *fdb, uint32_t pos)
{
	struct fdb_info *info = &fdb->info[pos];
	struct fdb_port *port = &fdb->ports[info->port];

	if (info->older != NIL)
		fdb->info[info->older].newer = info->newer;
	else
		port->oldest = info->newer;
	if (info->newer != NIL)
		fdb->info[info->newer].older = info->older;
	else
		port->newest = info->older;
	port->count--;
}

static void list_append(struct fdb *fdb, uint32_t pos, uint16_t port_id)
{
	struct fdb_info *info = &fdb->info[pos];
	struct fdb_port *port = &fdb->ports[port_id];

	info->port = port_id;
	info->older = port->newest;
	info->newer = NIL;
	if (port->newest != NIL)
		fdb->info[port->newest].newer = pos;
	else
		port->oldest = pos;
	port->newest = pos;
	port->count++;
}

static void entry_delete(struct fdb *fdb, uint32_t pos)
{
	struct fdb_info *info = &fdb->info[pos];

	list_unlink(fdb, pos);
	rte_hash_del_key(fdb->hash, &info->key);
	info->port = NO_PORT;
	__atomic_store_n(&fdb->stats.entries, fdb->stats.entries - 1, __ATOMIC_RELAXED);
}

/* Makes room for one more entry of port; see the head of fdb.h. */
static void make_room(struct fdb *fdb, uint16_t port, unsigned port_limit)
{
	unsigned most = port;

	if (fdb->ports[port].count < port_limit) {
		if (fdb->stats.entries < fdb->limit)
			return;
		for (unsigned i = 0; i < MAX_PORTS; i++)
			if (fdb->ports[i].count > fdb->ports[most].count)
				most = i;
	}
	if (fdb->ports[most].oldest == NIL)
		return;
	entry_delete(fdb, fdb->ports[most].oldest);
	counter_add(&fdb->stats.evicted, 1);
}

static bool take_token(struct fdb *fdb, uint16_t port_id, uint64_t now)
{
	struct fdb_port *port = &fdb->ports[port_id];

	if (now - port->second >= fdb->hz || port->second == 0) {
		port->second = now;
		port->tokens = FDB_LEARNS_PER_SECOND;
	}
	if (port->tokens == 0) {
		counter_add(&fdb->stats.refused, 1);
		return false;
	}
	port->tokens--;
	return true;
}

static void learn_new(
	struct fdb *fdb, uint64_t key, uint16_t port, unsigned port_limit, uint64_t now)
{
	int pos;

	if (port_limit == 0 || fdb->limit == 0 || !take_token(fdb, port, now))
		return;
	make_room(fdb, port, port_limit);
	if (rte_hash_add_key_data(fdb->hash, &key, (void *)(uintptr_t)port) != 0) {
		counter_add(&fdb->stats.refused, 1);
		return;
	}
	pos = rte_hash_lookup(fdb->hash, &key);
	if (pos < 0)
		return; /* cannot be: this thread has just added it */
	fdb->info[pos] = (struct fdb_info){.key = key, .seen = now, .window = now};
	list_append(fdb, pos, port);
	__atomic_store_n(&fdb->stats.entries, fdb->stats.entries + 1, __ATOMIC_RELAXED);
	counter_add(&fdb->stats.learned, 1);
}

static bool move_is_held(struct fdb *fdb, struct fdb_info *info, uint64_t now)
{
	if (now - info->window >= FDB_MOVES_WINDOW * fdb->hz) {
		info->window = now;
		info->moves_in_window = 0;
	}
	if (info->moves_in_window < FDB_MOVES_HELD_AFTER) {
		info->moves_in_window++;
		return false;
	}
	counter_add(&fdb->stats.moves_held, 1);
	return true;
}

static void note_move(struct fdb *fdb, const struct fdb_info *info, uint16_t to, uint64_t now)
{
	uint64_t number = fdb->stats.moves + 1;
	struct fdb_move *move = &fdb->moves[number % FDB_MOVES_KEPT];

	/* The number comes last, and is void meanwhile: a reader then passes over the row. */
	__atomic_store_n(&move->number, 0, __ATOMIC_RELEASE);
	memcpy(&move->mac, &info->key, sizeof(move->mac));
	move->from = info->port;
	move->to = to;
	move->when = now;
	__atomic_store_n(&move->number, number, __ATOMIC_RELEASE);
	counter_add(&fdb->stats.moves, 1);
}

static void learn_move(
	struct fdb *fdb, uint32_t pos, uint16_t port, unsigned port_limit, uint64_t now)
{
	struct fdb_info *info = &fdb->info[pos];

	if (port_limit == 0 || !take_token(fdb, port, now) || move_is_held(fdb, info, now))
		return;
	note_move(fdb, info, port, now);
	list_unlink(fdb, pos);
	if (fdb->ports[port].count >= port_limit) {
		entry_delete(fdb, fdb->ports[port].oldest);
		counter_add(&fdb->stats.evicted, 1);
	}
	rte_hash_add_key_data(fdb->hash, &info->key, (void *)(uintptr_t)port);
	list_append(fdb, pos, port);
	info->moves++;
	counter_add(&info->seen, now - info->seen);
}

void fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, unsigned port_limit, uint64_t now)
{
	void *data;
	int pos = rte_hash_lookup_data(fdb->hash, &key, &data);
	struct fdb_info *info;

	if (pos < 0) {
		learn_new(fdb, key, port, port_limit, now);
		return;
	}
	info = &fdb->info[pos];
	if (info->port != port) {
		learn_move(fdb, pos, port, port_limit, now);
		return;
	}
	if (now - info->seen < fdb->hz)
		return;
	counter_add(&info->seen, now - info->seen);
	list_unlink(fdb, pos);
	list_append(fdb, pos, port);
}

static void flush_now(struct fdb *fdb, uint32_t which)
{
	for (uint32_t pos = 0; pos < fdb->capacity; pos++) {
		if (fdb->info[pos].port == NO_PORT)
			continue;
		if (which == FLUSH_ALL || fdb->info[pos].port == which)
			entry_delete(fdb, pos);
	}
}

void fdb_age(struct fdb *fdb, unsigned budget, uint64_t now)
{
	uint32_t which = atomic_load_explicit(&fdb->flush, memory_order_relaxed);

	if (which != FLUSH_NONE) {
		flush_now(fdb, which);
		atomic_store_explicit(&fdb->flush, FLUSH_NONE, memory_order_release);
	}
	for (unsigned i = 0; i < budget && i < fdb->capacity; i++) {
		struct fdb_info *info = &fdb->info[fdb->sweep];

		if (info->port != NO_PORT && now - info->seen >= fdb->age) {
			entry_delete(fdb, fdb->sweep);
			counter_add(&fdb->stats.aged, 1);
		}
		if (++fdb->sweep == fdb->capacity)
			fdb->sweep = 0;
	}
}

void fdb_flush(struct fdb *fdb, uint16_t port)
{
	uint32_t which = port == NO_PORT ? FLUSH_ALL : port;
	uint32_t before = FLUSH_NONE;

	/* One that still waits to be done with another port: then all of it goes. */
	if (!atomic_compare_exchange_strong(&fdb->flush, &before, which) && before != which)
		atomic_store(&fdb->flush, FLUSH_ALL);
}

unsigned fdb_dump(const struct fdb *fdb, struct fdb_entry *out, unsigned max, uint32_t *next, uint64_t now)
{
	unsigned n = 0;
	const void *key;
	void *data;

	while (n < max) {
		int pos = rte_hash_iterate(fdb->hash, &key, &data, next);
		uint64_t seen;

		if (pos < 0)
			break;
		memcpy(&out[n].mac, key, sizeof(out[n].mac));
		out[n].port = (uint16_t)(uintptr_t)data;
		seen = counter_read(&fdb->info[pos].seen);
		out[n].age = now > seen ? (now - seen) / fdb->hz : 0;
		out[n].moves = __atomic_load_n(&fdb->info[pos].moves, __ATOMIC_RELAXED);
		n++;
	}
	return n;
}

unsigned fdb_moves(const struct fdb *fdb, struct fdb_move *out, unsigned max)
{
	uint64_t last = counter_read(&fdb->stats.moves);
	uint64_t kept = max < FDB_MOVES_KEPT ? max : FDB_MOVES_KEPT;
	unsigned n = 0;

	if (kept > last)
		kept = last;
	for (uint64_t number = last - kept + 1; number <= last; number++) {
		const struct fdb_move *move = &fdb->moves[number % FDB_MOVES_KEPT];

		out[n] = *move;
		rte_smp_rmb();
		if (out[n].number == number &&
			__atomic_load_n(&move->number, __ATOMIC_ACQUIRE) == number)
			n++;
	}
	return n;
}

void fdb_stats(const struct fdb *fdb, struct fdb_stats *stats)
{
	stats->entries = __atomic_load_n(&fdb->stats.entries, __ATOMIC_RELAXED);
	stats->learned = counter_read(&fdb->stats.learned);
	stats->moves = counter_read(&fdb->stats.moves);
	stats->moves_held = counter_read(&fdb->stats.moves_held);
	stats->aged = counter_read(&fdb->stats.aged);
	stats->evicted = counter_read(&fdb->stats.evicted);
	stats->refused = counter_read(&fdb->stats.refused);
}
