/*
 * VXLAN of an uplink in the configuration: the underlay, its peers, and a port for each network
 * that goes to each of them. Part of config_uplinks; no DPDK here.
 */
#ifndef VS_CONFIG_VXLAN_H
#define VS_CONFIG_VXLAN_H

#include "config.h"
#include "config_context.h"
#include "config_schema.h"

/* What VXLAN puts before a frame, beside the outer Ethernet header: IP, UDP, VXLAN and the inner
 * Ethernet header (RFC 7348). */
#define CONFIG_VXLAN_OVERHEAD_IPV4 (20 + 8 + 8 + 14)
#define CONFIG_VXLAN_OVERHEAD_IPV6 (40 + 8 + 8 + 14)

extern const struct config_table config_fields_vxlan;

/*
 * Checks the `vxlan` of an uplink at which the context stands, and gives peers without a name
 * theirs. False: there was a fault, and no ports can be made.
 */
bool config_vxlan_check(
	struct config_context *context, const struct config *config, struct config_uplink *uplink);

/* How many ports it makes. */
unsigned config_vxlan_count(const struct config *config, const struct config_uplink *uplink);

/*
 * Appends them to config's ports, which has room, each as a copy of share with what is its own:
 * UPLINK.PEER.VNI. Faults go to the report.
 */
void config_vxlan_append(struct config_context *context, struct config *config,
	const struct config_uplink *uplink, const struct config_port *share);

#endif
