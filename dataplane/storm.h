/*
 * Storm control: how many broadcast, multicast and unknown-unicast packets a second a port may
 * send. Token buckets of rte_meter that count packets instead of bytes, a quarter of a second deep
 * (at least 16 packets, so that a neighbour's resolution always finds a token). Written by one
 * thread at a time: the home worker of the port's network. While a network changes its home, the
 * old and the new one may both write for a moment; the worst of it is a bucket full too early.
 */
#ifndef VS_STORM_H
#define VS_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_meter.h>

#include "config.h"

enum storm_kind { STORM_BROADCAST, STORM_MULTICAST, STORM_UNKNOWN, STORM_KINDS };

struct storm {
	struct rte_meter_srtcm_profile profile[STORM_KINDS];
	struct rte_meter_srtcm meter[STORM_KINDS];
	bool none[STORM_KINDS]; /* a rate of 0 */
};

/* Full buckets at time now (TSC cycles). Control thread, before the port is published. */
void storm_init(struct storm *storm, const struct config_storm *conf, uint64_t now);

/* Takes a token at time now (TSC cycles); false where there is none. */
static inline bool storm_pass(struct storm *storm, enum storm_kind kind, uint64_t now)
{
	if (storm->none[kind])
		return false;
	return rte_meter_srtcm_color_blind_check(
		       &storm->meter[kind], &storm->profile[kind], now, 1) != RTE_COLOR_RED;
}

#endif
