/*
 * What the firewall's modules (firewall*.c) share, and nobody else: a worker's firewall, and a
 * connection while it is decided on. Its worker.
 */
#ifndef VS_FIREWALL_STATE_H
#define VS_FIREWALL_STATE_H

#include <rte_ring.h>

#include "decision.h"
#include "firewall.h"

struct close_request {
	struct conn_key key;
	uint16_t port[2]; /* by side: tells the legs of one key apart */
	uint32_t kill; /* it must not come back; else another worker has it now */
};

/* What it keeps of a port. */
struct port_memo {
	uint32_t serial; /* of the port, in the snapshot met last */
	uint16_t rejects; /* that are left in this second */
	bool gone; /* its connections are to be closed */
	uint64_t second; /* start of the second that rejects counts down in */
};

struct firewall {
	struct conns *conns;
	struct conn_table *table;
	struct fragments *fragments;
	struct firewall_log *log;
	struct rte_ring *closing; /* struct close_request, of any thread */
	struct firewall_stats stats;
	uint32_t ticks; /* worker.now, as connections count time */
	uint64_t tick_began, tick_cycles; /* in cycles */
	uint64_t met; /* serial of the snapshot that memos are of */
	unsigned n_gone; /* memos whose port is */
	struct port_memo memos[MAX_PORTS];
};

/* A connection to be, or to be decided on again: its ends as it was opened. */
struct opening {
	const struct port *opener, *other; /* other may be NULL: a frame for many */
	const struct conn_key *key;
	unsigned side; /* of opener, in key */
	uint32_t service;
	bool picked_up;
	bool quiet; /* allowing it is nothing new */
};

static inline uint32_t firewall_ticks(const struct worker *w)
{
	return w->firewall->ticks;
}

/* Makes out what connection a packet is of. */
static inline void firewall_see(const struct port *from, struct firewall_packet *packet)
{
	packet->looked = true;
	conn_view(packet->m, packet->p, from->network, &packet->view);
}

/* Ends conn at an operator's wish. */
void firewall_kill(struct worker *w, struct conn *conn);

/* Tells the operator of one side's verdict. */
void firewall_tell(struct worker *w, const struct opening *o, const struct decision *d,
	enum policy_direction direction);

/* Tells of what in a decision is to be told of. */
void firewall_tell_all(struct worker *w, const struct opening *o, const struct decision *d);

/* The answer to what was rejected; none where the port has had enough of them. */
void firewall_answer(
	struct worker *w, const struct port *from, const struct firewall_packet *packet);

/* A reset of its own with that number, within the same limit. */
void firewall_reset(struct worker *w, const struct port *from, const struct firewall_packet *packet,
	uint32_t seq);

#endif
