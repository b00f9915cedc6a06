/*
 * What explain's modules (explain*.c) share, and nobody else: an explanation in the making.
 */
#ifndef VS_EXPLAIN_STATE_H
#define VS_EXPLAIN_STATE_H

#include <rte_mbuf.h>

#include "conn_key.h"
#include "decision.h"
#include "explain.h"
#include "explain_conn.h"
#include "explain_frame.h"
#include "packet.h"

struct explain_answer {
	const struct explain_world *world;
	const struct explain_frame *frame;
	const struct config_port *from;
	const struct config_port *to; /* NULL: many, or not known */
	struct rte_mbuf m; /* around the frame's bytes */
	struct packet p;
	struct conn_view view;
	json_t *steps;
	int reason; /* to drop it, or -1 */
	bool is_read; /* p and view are set */
	bool failed; /* no memory */
	bool rejected;
	bool waits; /* a fragment that another one decides about */
};

/* Adds a step; says: a sentence for people. Returns it, borrowed. */
json_t *explain_step(struct explain_answer *a, const char *name, const char *verdict,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Adds the step in which the packet is dropped. */
void explain_stop(struct explain_answer *a, const char *name, int reason);

static inline unsigned explain_index(const struct explain_answer *a, const struct config_port *port)
{
	return (unsigned)(port - a->world->config->ports);
}

/* Whether a packet that goes there by its MAC finds it: it is there, and in the network. */
static inline bool explain_is_up(const struct explain_answer *a, const struct config_port *port)
{
	return a->world->is_up == NULL || a->world->is_up(explain_index(a, port));
}

/* As forward.c has it: private VLAN, and between tunnels nothing. */
static inline bool explain_may_talk(const struct config_port *a, const struct config_port *b)
{
	return !(a->isolated && !b->promiscuous) && !(b->isolated && !a->promiscuous) &&
	       !(a->kind == CONFIG_PORT_VXLAN && b->kind == CONFIG_PORT_VXLAN);
}

/* What connections and rules say of a packet for one port, a->to. */
void explain_unicast(struct explain_answer *a);

/* What rules say of a packet for many, and who gets it. */
void explain_flood(struct explain_answer *a);

#endif
