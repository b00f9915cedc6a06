/*
 * A kind of port for benchmarks: what its guest sends is made on the spot, packet by packet as
 * vhost copies them, and what it is sent is counted and freed. So all that is measured beside the
 * source is the switch itself.
 *
 * The control thread tells sources what to send; packets are made and taken by the worker that
 * polls the port, which may be the same thread.
 */
#ifndef VS_BENCH_SOURCE_H
#define VS_BENCH_SOURCE_H

#include <stdint.h>

#include "port_driver.h"

#define SOURCE_FRAME 60 /* bytes, without the checksum that Ethernet adds */

/*
 * Ports come in pairs: vm1 is the client of vm2, vm3 that of vm4. vmN is 02:00:00:00:00:N (N below
 * 10) and has the addresses 10.0.N.1 and up. Flow number n goes from the client, port SOURCE_CLIENT
 * + n % SOURCE_CLIENTS, to the server, port SOURCE_SERVER + n / SOURCE_CLIENTS; the server sends
 * what comes back.
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
	uint8_t addresses; /* of each port that flows go between in turn, in all pairs; 0: one */
	uint64_t packets; /* in all */
};

extern const struct port_driver source_driver;

/*
 * The port called name has this to send from now on, whatever it had to before. order must stay for
 * as long. Control thread.
 */
void source_send(const char *name, const struct source_order *order);

/* Whether it has sent all of that. Control thread. */
bool source_is_done(const char *name);

/* Packets that all ports were sent by the calling thread, ever. */
uint64_t source_sunk(void);

#endif
