/*
 * The firewall's part in a packet's way: holds it against its connection, or against both ports'
 * rules where it has none, and keeps connections up. Stands between learning and output.
 *
 * A struct firewall belongs to its worker, which alone calls the functions that take one, but for
 * those that say otherwise.
 */
#ifndef VS_FIREWALL_H
#define VS_FIREWALL_H

#include <stdbool.h>
#include <stdint.h>

#include "conns.h"
#include "firewall_log.h"
#include "fragments.h"
#include "snapshot.h"
#include "worker.h"

/* One packet at hand. */
struct firewall_packet {
	struct rte_mbuf *m; /* its first fragment, where it came in several */
	struct rte_mbuf *const *frames; /* all fragments, in order; NULL: it came whole */
	unsigned n_frames;
	const struct packet *p;
	bool looked; /* view is filled in */
	bool taken; /* what `asked` said of a copy */
	const struct policy_port *asked; /* the last receiver of a copy that was; NULL: none */
	struct conn *conn; /* that it belongs to, once it is let pass; NULL: none */
	struct conn_view view;
};

/* A packet that came whole. view is filled in when somebody asks. */
static inline void firewall_packet_init(
	struct firewall_packet *packet, struct rte_mbuf *m, const struct packet *p)
{
	packet->m = m;
	packet->frames = NULL;
	packet->n_frames = 1;
	packet->p = p;
	packet->looked = false;
	packet->asked = NULL;
	packet->conn = NULL;
}

struct firewall_stats {
	uint64_t opened; /* connections */
	uint64_t decided_again; /* after a change of rules */
	uint64_t picked_up; /* opened in the middle */
	uint64_t fetched; /* from a worker that owned them before */
};

/* Room for `connections`, and for `buffers` of fragments that wait. NULL: no memory. Control
 * thread.
 */
struct firewall *firewall_create(uint32_t connections, unsigned buffers);
void firewall_free(struct firewall *firewall);

/* What it is made of, and what it counted; for the control thread to read. */
struct conns *firewall_conns(struct firewall *firewall);
struct fragments *firewall_fragments(struct firewall *firewall);
struct firewall_log *firewall_log_of(struct firewall *firewall);
const struct firewall_stats *firewall_stats_of(const struct firewall *firewall);

/* The time as connections count it (conns.h), of this pass. */
uint32_t firewall_now(const struct worker *w);

/* At the start of each pass: worker.now has moved on, and the snapshot may be another one. */
void firewall_begin(struct worker *w);

/*
 * Prepares a burst of n packets that came in at `from`: views, and the memory that looking up their
 * connections will take. Those of `from` without rules and tracking are skipped.
 */
void firewall_look(
	struct worker *w, const struct port *from, struct firewall_packet *packets, unsigned n);

/*
 * Where a packet goes whose destination MAC no table knows any more: to the port that its
 * connection has had there so far. NO_PORT: it has none. So a guest that only listens is not lost,
 * nor what is sent to it flooded, when its address ages out (catalogue, 37).
 */
uint16_t firewall_known_port(
	struct worker *w, const struct port *from, struct firewall_packet *packet);

/* The verdict on a packet for one port: -1, or why it is dropped. */
int firewall_unicast(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet);

/* The sender's verdict on a packet for many. */
int firewall_flood(struct worker *w, const struct port *from, struct firewall_packet *packet);

/* The verdict of one receiver on its copy, which passed the sender's. */
bool firewall_takes_copy(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet);

/* Ends conn by what inspection found: its packets are answered with resets, a SYN begins anew. Its
 * worker. */
void firewall_end(struct worker *w, struct conn *conn);

/* Timeouts, and what other threads posted, in pieces. True where more is to do. */
bool firewall_chores(struct worker *w);

/* Has worker w close its connection of which other is a copy, if it is there still. kill: it must
 * not be picked up again. False where too much is posted. Any thread. */
bool firewall_post_close(struct worker *w, const struct conn *other, bool kill);

#endif
