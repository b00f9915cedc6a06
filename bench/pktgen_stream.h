/*
 * Streams of packets of many flows, UDP or TCP over connections that were opened before
 * (pktgen_connect.h), at a rate or as fast as it goes, with times in some of them. Also a storm of
 * UDP: as many flows as packets. A task for pktgen_run(); one thread.
 *
 * Of a TCP connection all segments are the same one, over and over: in the window, and no state for
 * each of a million flows.
 */
#ifndef VS_PKTGEN_STREAM_H
#define VS_PKTGEN_STREAM_H

#include "pktgen_pace.h"
#include "pktgen_run.h"

/* What one port sends. */
struct pktgen_stream {
	struct pktgen_port *port;
	struct pktgen_flows flows; /* as its pair's first port has them */
	struct pktgen_cursor cursor;
	bool turned; /* sends what comes back */
	bool sends;
	struct pktgen_pace pace;
	uint32_t size_at;
	uint32_t stamp_at; /* packets until the next time */
	uint64_t left; /* of its count */
	unsigned n_waiting; /* packets that the ring had no room for, at pkts */
	struct rte_mbuf *pkts[PKTGEN_BURST];
};

struct pktgen_streams {
	struct pktgen_ports *ports;
	const struct pktgen_options *options;
	struct pktgen_stream stream[PKTGEN_PORTS];
	unsigned n; /* of the first ports; of a mixture, those after them are SMB's */
	struct pktgen_histogram latency; /* of what was received in this run */
	double ns_per_cycle;
	uint64_t flags, offload; /* of each packet, mbuf's */
	bool plain; /* nothing changes from packet to packet */
};

/* -1: err. The ports' transmit pools are written with what streams send. */
int pktgen_streams_init(struct pktgen_streams *streams, struct pktgen_ports *ports,
	const struct pktgen_options *options, char err[PKTGEN_ERR]);

/* Before a run: rate is of each port, in packets a second; 0 for as fast as it goes. */
void pktgen_streams_rate(struct pktgen_streams *streams, double rate);

/* After the last. */
void pktgen_streams_end(struct pktgen_streams *streams);

struct pktgen_task pktgen_streams_task(struct pktgen_streams *streams);

#endif
