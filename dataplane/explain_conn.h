/*
 * How explain() asks a running switch for a packet's connection, by struct explain_world. Apart
 * from explain.h, since vswitch-ctl, which has none to ask, knows no mbufs.
 */
#ifndef VS_EXPLAIN_CONN_H
#define VS_EXPLAIN_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_mbuf.h>

#include "conn_key.h"
#include "packet.h"

/* Which connection is asked for. */
enum explain_which {
	EXPLAIN_EXACT, /* that the packet would be taken for */
	EXPLAIN_ALIKE, /* any that the port opened with this source, destination and service */
	EXPLAIN_QUOTED, /* that the ICMP error's quoted packet is of, sent from port `to` */
};

struct explain_lookup {
	const struct rte_mbuf *m;
	const struct packet *p;
	const struct conn_view *view; /* its network is the configuration's index */
	unsigned from, to; /* ports, by index into config->ports */
	enum explain_which which;
};

/* What a worker holds of a connection. */
struct explain_conn {
	json_t *shown; /* as `conn list` has it; the asker's reference */
	struct conn_key key;
	uint32_t service;
	unsigned opener; /* side */
	unsigned peer; /* EXPLAIN_QUOTED: the port, by index, of the one who did not send */
	bool moved; /* its ends sit at other ports than the packet's */
	bool begins_anew; /* the packet is the start of another with the same tuple */
	bool decided; /* under the rules in force */
	bool denied;
	bool killed; /* for good, where it is denied: by an operator, ... */
	bool found; /* ... or by inspection */
	bool blocked; /* by an emergency block, where it is denied */
	bool invalid; /* the packet cannot be of it (firewall.tcp: strict) */
};

#endif
