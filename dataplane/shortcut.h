/*
 * Shortcuts: what the switch came to for the packets of one flow in one direction, kept by what
 * their headers say, so that the next ones need no parsing, guard, MAC table or lookup of their
 * connection: only what may have changed since is asked.
 *
 * A shortcut is about usual packets (packet_usual.h) with these MACs, addresses and ports that come
 * in at this port, and holds under one snapshot and as long as its connection is not changed. Where
 * it does not hold, the packet goes the long way, and what that finds takes its place. So losing
 * one costs time and nothing else, and the table needs neither room for all nor anything that ages.
 *
 * With many more flows than slots, lookups would only add to the long way: then they rest, port by
 * port. Its worker, which owns it.
 */
#ifndef VS_SHORTCUT_H
#define VS_SHORTCUT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "conns.h"
#include "load.h"
#include "packet_usual.h"
#include "quarantine_gate.h"

#define SHORTCUT_SLOTS_LOG2 17 /* 8 MiB a worker */
#define SHORTCUT_PREFETCH   4 /* packets ahead */

struct shortcut {
	/* Of the frame: MACs and ethertype, addresses, ports, protocol. */
	uint64_t l2[2];
	uint64_t addresses;
	uint32_t ports;
	uint16_t from; /* id of the port that it comes in at */
	uint16_t proto;

	uint64_t serial; /* of the snapshot under which it holds; 0: none, the slot is free */
	struct conn *conn; /* NULL: between two ports where nothing is tracked */
	uint32_t sequence; /* of conn, then */
	uint32_t flow_hash; /* as packet_parse() says */
	uint16_t out; /* id of the port that it goes to */
	uint8_t sender; /* side of conn */
	uint8_t worker; /* whose it is: another's is handed over, and all below serial is 0 */
	uint32_t settled; /* conn.settled, where inspection has to be through with it; 0: no matter
			   */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct shortcut) == 64, "one cache line");

/* What they bring a port's packets. One guest's many flows are no matter of the others. */
struct shortcut_use {
	uint32_t asked, taken; /* packets, since it was looked at whether they pay */
	uint32_t rest; /* packets for which none is looked for */
};

struct shortcuts {
	struct shortcut *slots;
	struct shortcut_use uses[MAX_PORTS]; /* by id */
};

/* False: no memory. Control thread. */
bool shortcuts_init(struct shortcuts *shortcuts);
void shortcuts_free(struct shortcuts *shortcuts);

/* Whether to look for those of a burst of n packets of a port, or leave it now. */
bool shortcuts_pay(struct shortcut_use *use, unsigned n);

/* Of a burst of n packets, `taken` had one that held. */
static inline void shortcuts_brought(struct shortcut_use *use, unsigned n, unsigned taken)
{
	use->asked += n;
	use->taken += taken;
}

/* The slot of a usual packet that comes in at port `from`. */
static inline struct shortcut *shortcut_slot(
	const struct shortcuts *shortcuts, const uint8_t *frame, uint16_t from)
{
	uint64_t h = (load64(frame + 26) ^ packet_secrets[0]) * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 32 ^ load32(frame + 34) ^ (uint64_t)from << 40 ^ packet_secrets[1]) *
	    0xd6e8feb86659fd93u;
	return &shortcuts->slots[h >> (64 - SHORTCUT_SLOTS_LOG2)];
}

/* Whether s is about a usual packet with this frame. */
static inline bool shortcut_fits(
	const struct shortcut *s, const uint8_t *frame, uint16_t from, uint64_t serial)
{
	return ((s->l2[0] ^ load64(frame)) | (s->l2[1] ^ load64(frame + 6)) |
		       (s->addresses ^ load64(frame + 26)) | (s->ports ^ load32(frame + 34)) |
		       (s->from ^ from) | (s->proto ^ frame[23]) | (s->serial ^ serial)) == 0;
}

/*
 * The shortcuts that fit a burst of n <= BURST packets which came in at port `from`, or NULL.
 * Whether they hold is another question: shortcut_holds().
 */
static inline void shortcuts_look(const struct shortcuts *shortcuts, uint16_t from, uint64_t serial,
	struct rte_mbuf *const *pkts, unsigned n, const struct shortcut **found)
{
	for (unsigned i = 0; i < n && i < SHORTCUT_PREFETCH; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (unsigned i = 0; i < n; i++) {
		if (i + SHORTCUT_PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + SHORTCUT_PREFETCH], void *));
		found[i] = NULL;
		if (unlikely(packet_usual(pkts[i]) == 0))
			continue;
		found[i] = shortcut_slot(
			shortcuts, rte_pktmbuf_mtod(pkts[i], const uint8_t *), from);
		rte_prefetch0(found[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(pkts[i], const uint8_t *);

		if (unlikely(found[i] == NULL || !shortcut_fits(found[i], frame, from, serial)))
			found[i] = NULL;
		else
			rte_prefetch0((const void *)((uintptr_t)found[i]->conn + CONN_STATE_OFF));
	}
}

/*
 * Whether what may have changed since has not: neither port is under quarantine, and conn is what
 * it was, goes on as conns_is_settled() says, and is still not to be inspected. m: a packet that s
 * fits.
 */
static inline bool shortcut_holds(const struct shortcut *s, const struct rte_mbuf *m, bool strict)
{
	const struct conn *conn = s->conn;
	uint8_t flags = 0;

	if (unlikely((quarantine_level(s->from) | quarantine_level(s->out)) != 0))
		return false;
	if (conn == NULL)
		return true;
	if (s->proto == IPPROTO_TCP)
		flags = *rte_pktmbuf_mtod_offset(m, const uint8_t *, USUAL_L4_OFF + 13);
	return conn->sequence == s->sequence && !(conn->flags & CONN_DENIED) &&
	       (s->settled == 0 || conn->settled == s->settled) &&
	       conns_is_settled(conn, flags, s->sender, strict);
}

/* What a shortcut is made of. */
struct shortcut_facts {
	uint64_t serial; /* of the snapshot at hand */
	struct conn *conn;
	uint8_t sender;
	uint8_t worker;
	uint16_t from, out;
	uint32_t flow_hash;
	uint32_t settled;
};

/* Keeps what was come to for the usual packet in this frame. The caller vouches for its being so
 * for all that fit the same shortcut. */
void shortcut_keep(
	struct shortcuts *shortcuts, const uint8_t *frame, const struct shortcut_facts *facts);

#endif
