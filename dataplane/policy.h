/*
 * A port's rules as workers see them, and the decision about one packet or connection. Immutable:
 * built by policy_build.h, reached through the snapshot.
 *
 * A packet between two ports passes the sender's `out` side and then the receiver's `in` side. On
 * each: emergency blocks, then what every guest needs (DHCP as a client), then the port's groups in
 * their order and their rules in theirs, then the port's default. A trusted port has blocks only.
 * Neighbour discovery and ARP are not policy's: the guard has judged them.
 *
 * policy_decide(): any thread; no state, no DPDK: `explain` runs the same code, also in
 * vswitch-ctl.
 */
#ifndef VS_POLICY_H
#define VS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "classifier.h"
#include "config.h"
#include "set_index.h"

enum policy_direction { POLICY_OUT, POLICY_IN, POLICY_DIRECTIONS };

/* Of a rule, as far as deciding and logging need it; the rest stays in the configuration. */
struct policy_rule {
	uint16_t index; /* in its group, from 0, in the configuration's order */
	uint8_t action; /* enum config_action */
	bool log;
	uint32_t block; /* id, where it stands for an emergency block */
};

/* One direction of a group; or of the blocks, where action is CONFIG_DENY throughout. */
struct policy_table {
	struct classifier *classifier;
	struct policy_rule *rules; /* as the classifier counts them */
	unsigned n_rules;
	uint16_t *sets; /* ids that its rules name, rising */
	unsigned n_sets;
	/* Of the control thread: */
	uint32_t refs;
	uint8_t *source; /* what it was built from; see policy_table.h */
	size_t source_len;
};

struct policy_group {
	uint32_t refs; /* control thread */
	/* Moves with the direction's rules and with what is in the sets that they name; no two that
	 * differ ever had the same. */
	uint32_t version[POLICY_DIRECTIONS];
	char name[CONFIG_NAME_MAX + 1];
	const struct policy_table *tables[POLICY_DIRECTIONS]; /* NULL: no rules */
};

struct policy_blocks {
	uint32_t refs;
	uint32_t version[POLICY_DIRECTIONS]; /* as a group's */
	const struct policy_table *tables[POLICY_DIRECTIONS]; /* NULL: none */
	char tenant[CONFIG_NAME_MAX + 1]; /* whose sets they name; empty: none's */
};

struct policy_tenant {
	uint32_t refs;
	uint16_t index; /* of the tenant's quotas; stays while the tenant does */
	bool audit; /* rules deny nothing, and say what they would have */
	const struct set_index *sets; /* NULL: none */
	char name[CONFIG_NAME_MAX + 1];
};

struct policy_port {
	/*
	 * Each time that something changes which may decide otherwise at this port in this
	 * direction, it gets a number that nothing had before. 0: never.
	 */
	uint32_t epoch[POLICY_DIRECTIONS];
	uint8_t defaults[POLICY_DIRECTIONS]; /* enum config_action */
	bool trusted;
	uint8_t n_groups;
	const struct policy_blocks *blocks; /* NULL: none */
	const struct policy_tenant *tenant;
	const struct policy_group *groups[CONFIG_PORT_GROUPS_MAX];
};

/* What is decided on: always as the side that opens the connection sends it. */
struct policy_query {
	uint32_t service; /* service_key() of the destination */
	uint16_t source_port;
	struct addr from, to;
};

enum policy_source {
	POLICY_BY_DEFAULT,
	POLICY_BY_RULE,
	POLICY_BY_BLOCK,
	POLICY_BY_ALLOWANCE, /* DHCP and the like */
	POLICY_BY_TRUST,
};

struct policy_verdict {
	uint8_t action; /* enum config_action */
	uint8_t source; /* enum policy_source */
	uint8_t group; /* index into policy_port.groups */
	bool log;
	uint16_t rule; /* policy_rule.index in the group */
	uint32_t block; /* id */
};

/* The port's verdict in this direction. Audit is the caller's matter: see policy_tenant.audit. */
void policy_decide(const struct policy_port *port, enum policy_direction direction,
	const struct policy_query *query, struct policy_verdict *verdict);

/* Whether both ports decide the same on all that comes in to them. */
bool policy_same_in(const struct policy_port *a, const struct policy_port *b);

#endif
