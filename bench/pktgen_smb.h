/*
 * SMB2 reads and writes (pktgen_smb2.h) over TCP connections between the ports of each pair: with
 * handshakes, acknowledgements, windows that both sides keep to, and what was lost sent again, as
 * an inspecting switch expects it of real ends. A task for pktgen_run(), whose end lets each
 * connection finish its last block; one thread.
 *
 * As TCP it is simple: what is lost is sent again from there on (go-back-N), after three duplicate
 * acknowledgements or a fifth of a second, without a congestion window.
 */
#ifndef VS_PKTGEN_SMB_H
#define VS_PKTGEN_SMB_H

#include "pktgen_run.h"
#include "pktgen_smb2.h"

enum pktgen_smb_state {
	PKTGEN_SMB_CLOSED,
	PKTGEN_SMB_OPENING, /* SYN sent */
	PKTGEN_SMB_OPEN,
	PKTGEN_SMB_DEAD, /* ended by a RST */
};

/* One end of a connection. */
struct pktgen_smb_end {
	struct pktgen_smb2_at next, unacked; /* to be sent; not acknowledged, of its own bytes */
	struct pktgen_smb2_at heard; /* of the other's */
	uint32_t seq, acked; /* sequence numbers of next and unacked */
	uint32_t expected; /* the other's next */
	uint32_t window; /* bytes that the other takes */
	uint8_t scale; /* of the window that the other announces */
	uint8_t duplicates; /* acknowledgements in a row that acknowledged nothing */
	uint16_t owed; /* segments that it has not acknowledged */
	uint64_t progress; /* cycles: when it last sent the first of, or had, something acknowledged
			    */
};

struct pktgen_smb_conn {
	struct pktgen_tuple tuple; /* of its client */
	enum pktgen_smb_state state;
	uint64_t last; /* message; UINT64_MAX: goes on */
	uint64_t opened; /* cycles: of the last SYN */
	struct pktgen_smb_end end[2]; /* client, server */
};

/* What waits for room in a port's ring. */
struct pktgen_smb_out {
	unsigned n;
	struct rte_mbuf *pkts[PKTGEN_BURST];
};

struct pktgen_smb_pair {
	struct pktgen_port *port[2];
	struct pktgen_flows flows;
	struct pktgen_smb2 smb2;
	struct pktgen_smb_conn *conns;
	uint32_t at; /* connection that comes next */
	struct pktgen_smb_out out[2];
};

struct pktgen_smb_counts {
	uint64_t connections; /* open */
	uint64_t reset; /* by a RST */
	uint64_t payload; /* bytes of TCP payload that came, in order, of both sides */
	uint64_t operations; /* reads and writes answered */
	uint64_t data; /* bytes of files in these */
	uint64_t repeated; /* segments sent again */
	uint64_t payload_before, repeated_before; /* the same of a warm-up */
};

struct pktgen_smbs {
	struct pktgen_ports *ports;
	const struct pktgen_options *options;
	struct pktgen_smb_pair pair[PKTGEN_PORTS / 2];
	unsigned n;
	uint32_t mss, large; /* bytes of payload: of a segment, and of a frame */
	uint32_t window; /* bytes that an end has under way at most */
	uint64_t hz;
	bool ending;
	struct pktgen_smb_counts counts;
};

/* -1: err. */
int pktgen_smb_init(struct pktgen_smbs *smbs, struct pktgen_ports *ports,
	const struct pktgen_options *options, char err[PKTGEN_ERR]);

struct pktgen_task pktgen_smb_task(struct pktgen_smbs *smbs);

/* Ends the connections with a RST from their client, unless they are to be kept. */
void pktgen_smb_end(struct pktgen_smbs *smbs);

void pktgen_smb_free(struct pktgen_smbs *smbs);

#endif
