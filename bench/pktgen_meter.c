#include "pktgen_meter.h"

#define FULL_MIN 1000 /* packets in full bursts, for their cost to be worth something */

double pktgen_meter_cost(const struct pktgen_meter *meter)
{
	if (meter->full_packets >= FULL_MIN)
		return (double)meter->full_cycles / (double)meter->full_packets;
	return meter->packets > 0 ? (double)meter->busy / (double)meter->packets : 0;
}

double pktgen_meter_headroom(const struct pktgen_meter *meter)
{
	double used, idle;

	if (meter->total == 0)
		return 0;
	used = pktgen_meter_cost(meter) * (double)meter->packets / (double)meter->total;
	idle = 1 - (double)meter->busy / (double)meter->total;
	return 1 - used > idle ? 1 - used : idle;
}
