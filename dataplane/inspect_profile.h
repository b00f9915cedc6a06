/*
 * How one tenant's traffic is inspected, as workers see it: immutable, reached through the snapshot
 * (port.inspect), built by inspect_store.h out of the configuration's `inspection` and a compiled
 * ruleset. Freed by the control thread when no snapshot leads to it.
 */
#ifndef VS_INSPECT_PROFILE_H
#define VS_INSPECT_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "config.h"
#include "detect_engine.h"
#include "rule_bind.h"
#include "sizes.h"

struct inspect_profile {
	uint64_t revision; /* of the rules; rises with each load. 0: no database yet */
	uint16_t tenant; /* index: policy_tenant.index, of accounts and budgets */
	bool prevent; /* else it only tells */
	bool exempt_servers; /* a server is never cut off at level port: service at most */
	uint8_t level; /* enum config_quarantine_level */
	uint32_t quarantine_s; /* 0: until released */
	uint8_t on[CONFIG_FAILURES]; /* enum config_on_failure */
	uint32_t passes; /* bit 1 << enum config_failure: what passes uninspected, for detect.h */
	uint16_t services[CONFIG_SERVICES_MAX]; /* TCP ports, host order */
	unsigned n_services;
	const struct rule_bind *bind; /* NULL: no database yet */
	struct detect_engine *engines[MAX_WORKERS]; /* by worker; NULL: no database yet */
	uint64_t memory; /* bytes that the tenant may hold, in all workers */
	/* Work, in cycles of a worker. */
	uint64_t packet_cycles; /* of one packet */
	uint32_t port_percent, tenant_percent; /* of a worker's time; 100: no bound */
	struct config_fanout fanout;
	/* What a guest may still reach at level port. */
	const struct config_allow *allow; /* the profile's own copy */
	unsigned n_allow;
	/* Addresses on other hosts that findings never cut off. */
	const struct addr_span *exempt; /* the profile's own copy */
	unsigned n_exempt;
};

/* Whether TCP port `port`, in host order, is one of the tenant's services. */
static inline bool inspect_is_service(const struct inspect_profile *profile, uint16_t port)
{
	for (unsigned i = 0; i < profile->n_services; i++)
		if (profile->services[i] == port)
			return true;
	return false;
}

#endif
