/*
 * The learned MAC table of one network. The key is the MAC alone, since each network has a table of
 * its own: the same MAC in two networks is two entries.
 *
 * One writer: the home worker of the network. Any worker may look up at the same time (rte_hash,
 * lock-free readers, freed through the workers' RCU), and the control thread may while it is online
 * in that RCU. Addresses from the configuration are not in here: see snapshot.h.
 *
 * Limits: `limit` entries in all and a limit per port. A port at its own limit gives up its oldest
 * entry for the new one; a full table takes the oldest of the port that holds most, so that a flood
 * of addresses costs the one who sends it. New and moved addresses are also limited to
 * FDB_LEARNS_PER_SECOND per port, which bounds the work that a guest can cause. Nothing here takes
 * longer for a larger table or for more ports.
 *
 * Times are TSC cycles. They may lie a little apart between workers: one that lies in the future is
 * taken for the present.
 */
#ifndef VS_FDB_H
#define VS_FDB_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_rcu_qsbr.h>

#include "sizes.h"

#define FDB_LEARNS_PER_SECOND 1024 /* per port: new addresses and moves */
#define FDB_MOVES_HELD_AFTER  8 /* moves of one address in FDB_MOVES_WINDOW; then it stays */
#define FDB_MOVES_WINDOW      10 /* seconds */
#define FDB_MOVES_KEPT        64 /* of the last moves, for fdb_moves() */

struct fdb;

struct fdb_entry {
	struct rte_ether_addr mac;
	uint16_t port;
	uint32_t age; /* seconds since a frame came from it, at a second's resolution */
	uint32_t moves;
};

struct fdb_move {
	uint64_t number; /* from 1 */
	struct rte_ether_addr mac;
	uint16_t from, to;
	uint64_t when; /* TSC cycles */
};

struct fdb_stats {
	uint32_t entries;
	uint64_t learned, moves, moves_held, aged, evicted, refused;
};

/* NULL where memory does not suffice. age in seconds. Control thread. */
struct fdb *fdb_create(unsigned limit, unsigned age, struct rte_rcu_qsbr *rcu);

/* No thread may be using it any more. Control thread. */
void fdb_free(struct fdb *fdb);

/* MAC as the table's key. */
static inline uint64_t fdb_key(const struct rte_ether_addr *mac)
{
	uint32_t low;
	uint16_t high;

	/* Put together in registers: through memory, the reading back would wait for both stores.
	 */
	__builtin_memcpy(&low, mac->addr_bytes, sizeof(low));
	__builtin_memcpy(&high, mac->addr_bytes + sizeof(low), sizeof(high));
	return low | (uint64_t)high << 32;
}

/* Nothing learned yet, so that a lookup can be spared. Any worker. */
bool fdb_empty(const struct fdb *fdb);

/* The port where key was learned, or NO_PORT. Any worker. */
uint16_t fdb_lookup(const struct fdb *fdb, uint64_t key);

/* True where key stands at port and was refreshed in this second: nothing to learn. Any worker. */
bool fdb_is_fresh(const struct fdb *fdb, uint64_t key, uint16_t port, uint64_t now);

/*
 * A frame from key came in at port: learns, refreshes or moves it. port_limit: how many addresses
 * the port may hold. now in TSC cycles. Home worker.
 */
void fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, unsigned port_limit, uint64_t now);

/*
 * Forgets what is to be flushed and what was not seen for the table's age, no more than *budget
 * entries, which it lowers. False where more is left to do. Home worker.
 */
bool fdb_age(struct fdb *fdb, unsigned *budget, uint64_t now);

/* A new age in seconds; holds for what was learned before too. Control thread. */
void fdb_set_age(struct fdb *fdb, unsigned age);

/*
 * Forgets every address of port (NO_PORT: of all). The home worker does so in fdb_age(); until then
 * lookups may still find them, fdb_dump() does not. Control thread.
 */
void fdb_flush(struct fdb *fdb, uint16_t port);

/*
 * Fills out with up to max entries from cursor *next on (0 at first); returns how many, and leaves
 * *next for the next call; 0: that was all. The calling thread is online in the RCU, and may go
 * offline between two calls. Control thread.
 */
unsigned fdb_dump(
	const struct fdb *fdb, struct fdb_entry *out, unsigned max, uint32_t *next, uint64_t now);

/* Up to max of the last moves, oldest first. Control thread. */
unsigned fdb_moves(const struct fdb *fdb, struct fdb_move *out, unsigned max);

void fdb_stats(const struct fdb *fdb, struct fdb_stats *stats);

#endif
