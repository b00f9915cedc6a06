#include <rte_common.h>

#include "storm.h"

static void storm_init_kind(struct storm *storm, enum storm_kind kind, uint32_t rate, uint64_t now)
{
	struct rte_meter_srtcm_params params = {
		.cir = rate,
		.cbs = RTE_MAX(rate / 4, 16u),
		.ebs = 0,
	};

	storm->none[kind] = rate == 0;
	if (rate == 0)
		return;
	/* Neither can fail with a rate and a depth above zero. */
	rte_meter_srtcm_profile_config(&storm->profile[kind], &params);
	rte_meter_srtcm_config(&storm->meter[kind], &storm->profile[kind]);
	storm->meter[kind].time = now; /* a replay has a clock of its own */
}

void storm_init(struct storm *storm, const struct config_storm *conf, uint64_t now)
{
	storm_init_kind(storm, STORM_BROADCAST, conf->broadcast, now);
	storm_init_kind(storm, STORM_MULTICAST, conf->multicast, now);
	storm_init_kind(storm, STORM_UNKNOWN, conf->unknown_unicast, now);
}
