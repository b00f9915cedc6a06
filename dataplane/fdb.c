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

/* Every entry stands in two lists, each from the one seen first to the one seen last. */
enum { BY_PORT, BY_AGE, LISTS };

struct list {
	uint32_t oldest, newest; /* positions in hash */
};

/*
 * What the home worker knows of an entry beside its key and port; index is its position in hash.
 * The control thread reads `seen` and `moves`, other workers `seen`.
 */
struct fdb_info {
	uint64_t key;
	uint64_t seen; /* moves on once a second at the most */
	uint64_t window; /* start of the window that moves_in_window counts */
	uint32_t older[LISTS], newer[LISTS];
	uint32_t moves;
	uint16_t port;
	uint16_t moves_in_window;
};

struct fdb_port {
	struct list list;
	uint32_t count; /* of its entries */
	uint32_t tokens; /* addresses that it may still bring in this second */
	uint64_t second; /* start of that second */
	uint16_t before, after; /* among those with the same count */
};

/* A row of the moves: written by the home worker while the control thread may read it. */
struct move_row {
	uint64_t number; /* 0: being written */
	uint64_t key, ports, when;
};

struct fdb {
	struct rte_hash *hash; /* key -> port */
	unsigned limit;
	uint64_t age; /* written by the control thread */
	uint64_t hz;
	struct fdb_stats stats;
	struct list all;
	uint16_t *with_count; /* [limit + 1] a port that holds just so many, or NO_PORT */
	uint32_t most; /* that any port holds */
	struct move_row moves[FDB_MOVES_KEPT];
	struct fdb_port ports[MAX_PORTS];
	struct fdb_info *info;

	/* Posted by the control thread, taken back by the home worker when it is done. */
	_Atomic bool flush; /* any of these */
	_Atomic bool flush_all;
	_Atomic uint64_t flush_port[MAX_PORTS / 64];
};

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

/* Clocks of two workers may differ, so `since` may lie in the future. */
static inline bool elapsed(uint64_t since, uint64_t now, uint64_t span)
{
	return (int64_t)(now - since) >= (int64_t)span;
}

/* The parts that are not the hash. */
static bool create_books(struct fdb *fdb, unsigned limit)
{
	uint32_t capacity = rte_hash_max_key_id(fdb->hash) + 1;

	fdb->limit = limit;
	fdb->info = rte_zmalloc("fdb_info", capacity * sizeof(*fdb->info), RTE_CACHE_LINE_SIZE);
	fdb->with_count = rte_malloc(
		"fdb_counts", ((size_t)limit + 1) * sizeof(*fdb->with_count), RTE_CACHE_LINE_SIZE);
	if (fdb->info == NULL || fdb->with_count == NULL)
		return false;
	for (uint32_t i = 0; i < capacity; i++)
		fdb->info[i].port = NO_PORT;
	for (unsigned i = 0; i <= limit; i++)
		fdb->with_count[i] = NO_PORT;
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		fdb->ports[i].list = (struct list){NIL, NIL};
		fdb->ports[i].tokens = FDB_LEARNS_PER_SECOND;
	}
	fdb->all = (struct list){NIL, NIL};
	return true;
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
	fdb->hz = rte_get_tsc_hz();
	fdb_set_age(fdb, age);
	if (fdb->hash != NULL && create_books(fdb, limit) &&
		rte_hash_rcu_qsbr_add(fdb->hash, &rcu_config) == 0)
		return fdb;
	fdb_free(fdb);
	return NULL;
}

void fdb_free(struct fdb *fdb)
{
	if (fdb == NULL)
		return;
	rte_hash_free(fdb->hash);
	rte_free(fdb->info);
	rte_free(fdb->with_count);
	rte_free(fdb);
}

void fdb_set_age(struct fdb *fdb, unsigned age)
{
	__atomic_store_n(&fdb->age, age * fdb->hz, __ATOMIC_RELAXED);
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
	return !elapsed(counter_read(&fdb->info[pos].seen), now, fdb->hz);
}

static void list_unlink(struct fdb *fdb, struct list *list, unsigned which, uint32_t pos)
{
	struct fdb_info *info = &fdb->info[pos];

	if (info->older[which] != NIL)
		fdb->info[info->older[which]].newer[which] = info->newer[which];
	else
		list->oldest = info->newer[which];
	if (info->newer[which] != NIL)
		fdb->info[info->newer[which]].older[which] = info->older[which];
	else
		list->newest = info->older[which];
}

static void list_append(struct fdb *fdb, struct list *list, unsigned which, uint32_t pos)
{
	struct fdb_info *info = &fdb->info[pos];

	info->older[which] = list->newest;
	info->newer[which] = NIL;
	if (list->newest != NIL)
		fdb->info[list->newest].newer[which] = pos;
	else
		list->oldest = pos;
	list->newest = pos;
}

/* Puts the port among those that hold `count` entries, so that who holds most needs no search. */
static void set_count(struct fdb *fdb, uint16_t id, uint32_t count)
{
	struct fdb_port *port = &fdb->ports[id];
	uint32_t old = port->count;

	if (old > 0) {
		if (port->before != NO_PORT)
			fdb->ports[port->before].after = port->after;
		else
			fdb->with_count[old] = port->after;
		if (port->after != NO_PORT)
			fdb->ports[port->after].before = port->before;
	}
	port->count = count;
	if (count > 0) {
		port->before = NO_PORT;
		port->after = fdb->with_count[count];
		if (port->after != NO_PORT)
			fdb->ports[port->after].before = id;
		fdb->with_count[count] = id;
	}
	/* Counts move by one, so where this was the last of those with most, it now leads the rest.
	 */
	if (count > fdb->most || (old == fdb->most && fdb->with_count[old] == NO_PORT))
		fdb->most = count;
}

static void entry_unlink(struct fdb *fdb, uint32_t pos)
{
	uint16_t port = fdb->info[pos].port;

	list_unlink(fdb, &fdb->ports[port].list, BY_PORT, pos);
	list_unlink(fdb, &fdb->all, BY_AGE, pos);
	set_count(fdb, port, fdb->ports[port].count - 1);
}

/* As the one seen last. */
static void entry_append(struct fdb *fdb, uint32_t pos, uint16_t port)
{
	fdb->info[pos].port = port;
	list_append(fdb, &fdb->ports[port].list, BY_PORT, pos);
	list_append(fdb, &fdb->all, BY_AGE, pos);
	set_count(fdb, port, fdb->ports[port].count + 1);
}

static void entry_delete(struct fdb *fdb, uint32_t pos)
{
	struct fdb_info *info = &fdb->info[pos];

	entry_unlink(fdb, pos);
	rte_hash_del_key(fdb->hash, &info->key);
	info->port = NO_PORT;
	__atomic_store_n(&fdb->stats.entries, fdb->stats.entries - 1, __ATOMIC_RELAXED);
}

/* Makes room for one more entry of port; see the head of fdb.h. */
static void make_room(struct fdb *fdb, uint16_t port, unsigned port_limit)
{
	uint16_t victim = port;

	if (fdb->ports[port].count < port_limit) {
		if (fdb->stats.entries < fdb->limit)
			return;
		if (fdb->ports[port].count < fdb->most)
			victim = fdb->with_count[fdb->most];
	}
	entry_delete(fdb, fdb->ports[victim].list.oldest);
	counter_add(&fdb->stats.evicted, 1);
}

static bool take_token(struct fdb *fdb, uint16_t port_id, uint64_t now)
{
	struct fdb_port *port = &fdb->ports[port_id];

	if (elapsed(port->second, now, fdb->hz)) {
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
	struct fdb_info *info;
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
	info = &fdb->info[pos];
	info->key = key;
	info->window = now;
	info->moves_in_window = 0;
	/* The key stands in hash already, where others may find it. */
	__atomic_store_n(&info->seen, now, __ATOMIC_RELAXED);
	__atomic_store_n(&info->moves, 0, __ATOMIC_RELAXED);
	entry_append(fdb, pos, port);
	__atomic_store_n(&fdb->stats.entries, fdb->stats.entries + 1, __ATOMIC_RELAXED);
	counter_add(&fdb->stats.learned, 1);
}

static bool move_is_held(struct fdb *fdb, struct fdb_info *info, uint64_t now)
{
	if (elapsed(info->window, now, FDB_MOVES_WINDOW * fdb->hz)) {
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
	struct move_row *row = &fdb->moves[number % FDB_MOVES_KEPT];

	/* The number comes last, and is void meanwhile: a reader then passes over the row. */
	__atomic_store_n(&row->number, 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_release);
	__atomic_store_n(&row->key, info->key, __ATOMIC_RELAXED);
	__atomic_store_n(&row->ports, (uint64_t)info->port << 16 | to, __ATOMIC_RELAXED);
	__atomic_store_n(&row->when, now, __ATOMIC_RELAXED);
	__atomic_store_n(&row->number, number, __ATOMIC_RELEASE);
	counter_add(&fdb->stats.moves, 1);
}

static void learn_move(
	struct fdb *fdb, uint32_t pos, uint16_t port, unsigned port_limit, uint64_t now)
{
	struct fdb_info *info = &fdb->info[pos];

	if (port_limit == 0 || !take_token(fdb, port, now) || move_is_held(fdb, info, now))
		return;
	note_move(fdb, info, port, now);
	entry_unlink(fdb, pos);
	if (fdb->ports[port].count >= port_limit) {
		entry_delete(fdb, fdb->ports[port].list.oldest);
		counter_add(&fdb->stats.evicted, 1);
	}
	rte_hash_add_key_data(fdb->hash, &info->key, (void *)(uintptr_t)port);
	entry_append(fdb, pos, port);
	__atomic_store_n(&info->moves, info->moves + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&info->seen, now, __ATOMIC_RELAXED);
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
	if (!elapsed(info->seen, now, fdb->hz))
		return;
	__atomic_store_n(&info->seen, now, __ATOMIC_RELAXED);
	entry_unlink(fdb, pos);
	entry_append(fdb, pos, port);
}

static bool delete_all_of(struct fdb *fdb, const struct list *list, unsigned *budget)
{
	for (; list->oldest != NIL && *budget > 0; --*budget)
		entry_delete(fdb, list->oldest);
	return list->oldest == NIL;
}

static bool flush_ports(struct fdb *fdb, unsigned *budget)
{
	for (unsigned word = 0; word < MAX_PORTS / 64; word++) {
		uint64_t bits = atomic_load_explicit(&fdb->flush_port[word], memory_order_relaxed);

		for (; bits != 0; bits &= bits - 1) {
			unsigned bit = __builtin_ctzll(bits);

			if (!delete_all_of(fdb, &fdb->ports[word * 64 + bit].list, budget))
				return false;
			atomic_fetch_and(&fdb->flush_port[word], ~(1ull << bit));
		}
	}
	return true;
}

/* False where there is more to do. */
static bool flush(struct fdb *fdb, unsigned *budget)
{
	if (!atomic_load_explicit(&fdb->flush, memory_order_acquire))
		return true;
	/* Taken back first: what is posted meanwhile sets it again. */
	atomic_store(&fdb->flush, false);
	if (atomic_load(&fdb->flush_all)) {
		if (!delete_all_of(fdb, &fdb->all, budget))
			goto more;
		atomic_store(&fdb->flush_all, false);
	}
	if (flush_ports(fdb, budget))
		return true;
more:
	atomic_store(&fdb->flush, true);
	return false;
}

bool fdb_age(struct fdb *fdb, unsigned *budget, uint64_t now)
{
	uint64_t age = counter_read(&fdb->age);

	if (!flush(fdb, budget))
		return false;
	while (fdb->all.oldest != NIL && elapsed(fdb->info[fdb->all.oldest].seen, now, age)) {
		if (*budget == 0)
			return false;
		--*budget;
		entry_delete(fdb, fdb->all.oldest);
		counter_add(&fdb->stats.aged, 1);
	}
	return true;
}

void fdb_flush(struct fdb *fdb, uint16_t port)
{
	if (port == NO_PORT)
		atomic_store(&fdb->flush_all, true);
	else
		atomic_fetch_or(&fdb->flush_port[port / 64], 1ull << (port % 64));
	atomic_store(&fdb->flush, true);
}

static bool is_to_go(const struct fdb *fdb, uint16_t port)
{
	return atomic_load(&fdb->flush_all) ||
	       (atomic_load(&fdb->flush_port[port / 64]) & (1ull << (port % 64)));
}

unsigned fdb_dump(
	const struct fdb *fdb, struct fdb_entry *out, unsigned max, uint32_t *next, uint64_t now)
{
	unsigned n = 0;
	const void *key;
	void *data;

	while (n < max) {
		int pos = rte_hash_iterate(fdb->hash, &key, &data, next);
		uint64_t seen;

		if (pos < 0)
			break;
		if (is_to_go(fdb, (uint16_t)(uintptr_t)data))
			continue;
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
		const struct move_row *row = &fdb->moves[number % FDB_MOVES_KEPT];
		uint64_t key, ports;

		if (__atomic_load_n(&row->number, __ATOMIC_ACQUIRE) != number)
			continue;
		key = counter_read(&row->key);
		ports = counter_read(&row->ports);
		out[n] = (struct fdb_move){
			.number = number,
			.from = ports >> 16,
			.to = (uint16_t)ports,
			.when = counter_read(&row->when),
		};
		memcpy(&out[n].mac, &key, sizeof(out[n].mac));
		atomic_thread_fence(memory_order_acquire);
		if (counter_read(&row->number) == number)
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
