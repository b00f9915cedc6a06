/*
 * What the generator itself takes of its core, and so whether a figure is its own limit or the
 * switch's. Pure; cycles are the time-stamp counter's.
 *
 * A pass of the loop that moved nothing waited for the switch. A packet's cost is that of passes
 * that moved whole bursts, where there were such: a generator with time to spare moves packets one
 * by one, each at a higher cost that would go down if there were more of them.
 */
#ifndef VS_PKTGEN_METER_H
#define VS_PKTGEN_METER_H

#include <stdint.h>

#define PKTGEN_BURST 32

struct pktgen_meter {
	uint64_t total, busy; /* cycles */
	uint64_t packets; /* moved: sent, and received */
	uint64_t full_cycles, full_packets; /* of passes that moved a burst or more */
};

static inline void pktgen_meter_pass(struct pktgen_meter *meter, uint64_t cycles, unsigned packets)
{
	meter->total += cycles;
	if (packets == 0)
		return;
	meter->busy += cycles;
	meter->packets += packets;
	if (packets >= PKTGEN_BURST) {
		meter->full_cycles += cycles;
		meter->full_packets += packets;
	}
}

/* Cycles for a packet sent or received; 0 where none was. */
double pktgen_meter_cost(const struct pktgen_meter *meter);

/* The part of its core that the generator did not need, 0 to 1. */
double pktgen_meter_headroom(const struct pktgen_meter *meter);

#endif
