/*
 * The generator's ports: DPDK's virtio-user driver on vhost-user sockets, in a DPDK of its own (its
 * own file prefix, nothing shared with other processes). One thread does it all.
 *
 * A port's transmit pool holds packets that are ready: pktgen_port_fill() writes every buffer once,
 * and a buffer that comes back from the switch still has what was written.
 */
#ifndef VS_PKTGEN_PORT_H
#define VS_PKTGEN_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "pktgen_frame.h"
#include "pktgen_meter.h"
#include "pktgen_options.h"

struct pktgen_counts {
	uint64_t sent, sent_bytes; /* bytes of frames, without FCS */
	uint64_t received, received_bytes;
	uint64_t refused; /* were due, and the ring was full */
	uint64_t missed; /* were due, and the generator was late */
	uint64_t foreign; /* received, and none of ours */
};

struct pktgen_port {
	uint16_t id; /* ethdev's */
	unsigned number; /* from 0 */
	const struct pktgen_port_options *conf;
	struct pktgen_port *peer; /* itself where it has none */
	struct rte_mempool *rx_pool, *tx_pool;
	struct pktgen_frame out, in; /* what it sends to its peer, and what comes from there */
	struct pktgen_counts counts;
	bool can_csum, can_tso;
	char dev[32]; /* its device's name */
};

struct pktgen_ports {
	struct pktgen_port port[PKTGEN_PORTS];
	unsigned n;
};

/* DPDK, on its core and memory. -1: err says why, and what to do. */
int pktgen_ports_eal(const struct pktgen_options *options, char err[PKTGEN_ERR]);

/* All ports, started. buffers: that each may send from beside those in its ring. -1: err. */
int pktgen_ports_open(struct pktgen_ports *ports, const struct pktgen_options *options,
	uint32_t buffers, char err[PKTGEN_ERR]);

void pktgen_ports_close(struct pktgen_ports *ports);

/*
 * Asks for peers by ARP until each port has heard of its own, so that the switch has learned all
 * addresses and passes packets. Returns how many have not within the time that options give.
 */
unsigned pktgen_ports_meet(struct pktgen_ports *ports, const struct pktgen_options *options);

/* Calls write for each buffer of the port's transmit pool: data is where a frame begins. */
void pktgen_port_fill(struct pktgen_port *port, void (*write)(void *arg, uint8_t *data), void *arg);

/* Frees what is waiting at all ports, and returns how many packets that were. */
unsigned pktgen_ports_empty(struct pktgen_ports *ports);

/* The same until n packets have come in, for a second at most: what is sent last must not be left
 * in a ring that ends. */
void pktgen_ports_await(struct pktgen_ports *ports, uint64_t n);

/* Sends, counts, and keeps what does not fit: returns how many were taken. */
static inline unsigned pktgen_port_send(
	struct pktgen_port *port, struct rte_mbuf **pkts, unsigned n)
{
	uint64_t bytes = 0;
	unsigned sent;

	for (unsigned i = 0; i < n; i++)
		bytes += pkts[i]->pkt_len;
	sent = rte_eth_tx_burst(port->id, 0, pkts, (uint16_t)n);
	for (unsigned i = sent; i < n; i++)
		bytes -= pkts[i]->pkt_len;
	port->counts.sent += sent;
	port->counts.sent_bytes += bytes;
	return sent;
}

/* At most PKTGEN_BURST, counted. */
static inline unsigned pktgen_port_receive(struct pktgen_port *port, struct rte_mbuf **pkts)
{
	unsigned n = rte_eth_rx_burst(port->id, 0, pkts, PKTGEN_BURST);

	for (unsigned i = 0; i < n; i++)
		port->counts.received_bytes += pkts[i]->pkt_len;
	port->counts.received += n;
	return n;
}

/* A received packet turned out to be none of ours. */
static inline void pktgen_port_foreign(struct pktgen_port *port, const struct rte_mbuf *m)
{
	port->counts.received--;
	port->counts.received_bytes -= m->pkt_len;
	port->counts.foreign++;
}

#endif
