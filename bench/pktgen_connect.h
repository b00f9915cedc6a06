/*
 * TCP connections between the ports of each pair: SYN, SYN-ACK, ACK. Either all connections of some
 * flows, with what is lost sent again, before streams use them; or a storm: always new ones, at a
 * rate or as fast as it goes, each of them once. A task for pktgen_run(); one thread.
 *
 * A connection's number is the first sequence number of both its ends, so that an end that hears a
 * packet knows whose it is, and answers it, without a table.
 */
#ifndef VS_PKTGEN_CONNECT_H
#define VS_PKTGEN_CONNECT_H

#include "pktgen_pace.h"
#include "pktgen_run.h"

struct pktgen_opening {
	struct pktgen_port *client, *server;
	struct pktgen_flows flows;
	struct pktgen_cursor cursor;
	uint8_t *state; /* of each flow; NULL in a storm */
	struct pktgen_pace pace;
	uint64_t left; /* of a storm's count */
	uint64_t opened, answered, completed; /* SYNs sent, SYN-ACKs that came, ACKs that came */
	uint64_t round; /* flows that this round has still to come to; the next is of what was lost
			 */
	uint64_t waiting; /* SYNs without an answer so far */
	uint64_t progress; /* when the last one was sent or answered, in cycles */
};

struct pktgen_connect {
	struct pktgen_ports *ports;
	const struct pktgen_options *options;
	struct pktgen_opening pair[PKTGEN_PORTS / 2];
	unsigned n;
	bool storm;
};

struct pktgen_connect_counts {
	uint64_t opened, answered, completed, wanted;
};

/* -1: err. */
int pktgen_connect_init(struct pktgen_connect *connect, struct pktgen_ports *ports,
	const struct pktgen_options *options, bool storm, char err[PKTGEN_ERR]);

/* Before a storm's run, whose counts begin anew: connections a second of each pair; 0 for as fast
 * as it goes. */
void pktgen_connect_rate(struct pktgen_connect *connect, double rate);

/* Done when every connection is open at both ends (not in a storm), or as pktgen_run() ends it. */
struct pktgen_task pktgen_connect_task(struct pktgen_connect *connect);

struct pktgen_connect_counts pktgen_connect_counts(const struct pktgen_connect *connect);

/* Ends all connections with a RST from their client. */
void pktgen_connect_reset(struct pktgen_connect *connect);

void pktgen_connect_free(struct pktgen_connect *connect);

#endif
