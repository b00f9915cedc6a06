/*
 * A ruleset bound to one set of variables and overrides: a tenant's, as the caller knows and this
 * does not. The headers become spans of numbers, each rule gets the action that holds here.
 *
 * Built by the control or compiler thread, immutable then; any worker asks. The ruleset must
 * outlive it. No DPDK.
 */
#ifndef VS_RULE_BIND_H
#define VS_RULE_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "rule_vars.h"
#include "ruleset.h"

#define RULE_OVERRIDES_MAX 10000

enum rule_override_kind {
	RULE_OVERRIDE_DISABLE,
	RULE_OVERRIDE_ALERT,
	RULE_OVERRIDE_DROP,
	RULE_OVERRIDE_QUARANTINE, /* drop, and the culprit is quarantined */
	RULE_OVERRIDE_SUPPRESS, /* no alert for some addresses; what it does stays */
};

/* By sid (and gid, 0 meaning 1), or by classtype where sid is 0. */
struct rule_override {
	enum rule_override_kind kind;
	uint32_t gid, sid;
	const char *classtype;
	enum rule_track track; /* suppress: by_src, by_dst or by_both */
	const char *addresses; /* suppress: like "[10.0.0.1,$DNS_SERVERS]" */
};

struct rule_bind;

/*
 * vars and overrides are read, not kept. Later overrides win over earlier ones, by sid over by
 * classtype; suppressions add up. An override of a sid that no rule has is no error: *unknown
 * counts them. NULL, with a reason.
 */
struct rule_bind *rule_bind_create(const struct ruleset *ruleset, const struct rule_vars *vars,
	const struct rule_override *overrides, unsigned n, unsigned *unknown, char *reason,
	size_t size);
void rule_bind_free(struct rule_bind *bind);

/* A packet's addresses and ports, as it goes. */
struct rule_ends {
	struct addr src, dst;
	uint16_t src_port, dst_port;
};

/* Whether the rule's header fits, as written or turned round where it is written with <>. */
bool rule_bind_fits(
	const struct rule_bind *bind, const struct rule *rule, const struct rule_ends *ends);

enum rule_action rule_bind_action(const struct rule_bind *bind, const struct rule *rule);
bool rule_bind_disabled(const struct rule_bind *bind, const struct rule *rule);
/* By an override, or because the rule itself says so and no override says otherwise. */
bool rule_bind_quarantines(const struct rule_bind *bind, const struct rule *rule);
/* Whether the alert of a rule that fits is to be kept back. */
bool rule_bind_suppressed(
	const struct rule_bind *bind, const struct rule *rule, const struct rule_ends *ends);

/*
 * Whether traffic between a service on one of the ports and a client on a port from 1024 on can fit
 * the rule's header, or the rule is about SMB or DCERPC, which are recognised on any port. False
 * also where its addresses are nothing at all.
 */
bool rule_bind_reachable(
	const struct rule_bind *bind, const struct rule *rule, const uint16_t *ports, unsigned n);

#endif
