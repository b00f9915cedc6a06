/*
 * A kind of port for benchmarks: what its guest sends is made on the spot, packet by packet as
 * vhost copies them, and what it is sent is counted and freed. So all that is measured beside the
 * source is the switch itself.
 *
 * One thread: it polls the worker and tells sources what to send.
 */
#ifndef VS_BENCH_SOURCE_H
#define VS_BENCH_SOURCE_H

#include <stdint.h>

#include "port_driver.h"

#define SOURCE_FRAME 60 /* bytes, without the checksum that Ethernet adds */

/*
 * Flow number n goes from vm1, port SOURCE_CLIENT + n % SOURCE_CLIENTS, to vm2, port SOURCE_SERVER
 * + n / SOURCE_CLIENTS. A source that is a server sends what comes back.
 */
#define SOURCE_CLIENT  1024u
#define SOURCE_CLIENTS 60000u
#define SOURCE_SERVER  5000u

struct source_order {
	const uint32_t
		*flows; /* one packet of each, over and over; NULL: of flow first, first + 1, ... */
	uint32_t n_flows;
	uint32_t first;
	uint8_t protocol; /* TCP or UDP */
	uint8_t tcp_flags;
	uint64_t packets; /* in all */
};

extern const struct port_driver source_driver;

/* The port called name has this to send from now on. It stands there and has sent what it had to.
 */
void source_send(const char *name, const struct source_order *order);

/* Packets that all ports were sent, ever. */
uint64_t source_sunk(void);

#endif
