#include "policy.h"

#include <string.h>

#include <netinet/in.h>

#define DHCP_SERVER   67
#define DHCP_CLIENT   68
#define DHCPV6_CLIENT 546
#define DHCPV6_SERVER 547

/* The sets that each end is in, looked up when the first table asks, and not again. */
struct ends {
	const struct policy_port *port;
	struct classifier_query query;
	bool remote_known, local_known;
};

static void find_remote(struct ends *ends)
{
	if (ends->remote_known)
		return;
	ends->query.remote_sets = set_index_find(ends->port->tenant->sets, ends->query.remote);
	ends->remote_known = true;
}

static void find_local(struct ends *ends)
{
	if (ends->local_known)
		return;
	ends->query.local_sets = set_index_find(ends->port->tenant->sets, ends->query.local);
	ends->local_known = true;
}

/* As the port sees it: the remote end is the one beyond the switch. */
static void ends_init(struct ends *ends, const struct policy_port *port,
	enum policy_direction direction, const struct policy_query *query)
{
	bool out = direction == POLICY_OUT;

	*ends = (struct ends){
		.port = port,
		.query = {.service = query->service,
			.remote = out ? query->to : query->from,
			.local = out ? query->from : query->to},
	};
}

/* A guest asks for its addresses (OUT), and the answer reaches it (IN), whatever its rules say. */
static bool is_allowance(enum policy_direction direction, const struct policy_query *query)
{
	bool out = direction == POLICY_OUT;
	uint16_t client, server;

	if (query->service >> 16 != IPPROTO_UDP)
		return false;
	client = addr_is_ipv4(query->to) ? DHCP_CLIENT : DHCPV6_CLIENT;
	server = addr_is_ipv4(query->to) ? DHCP_SERVER : DHCPV6_SERVER;
	return query->source_port == (out ? client : server) &&
	       (query->service & UINT16_MAX) == (out ? server : client);
}

static bool blocked(const struct policy_blocks *blocks, enum policy_direction direction,
	struct ends *ends, struct policy_verdict *verdict)
{
	const struct policy_table *table = blocks == NULL ? NULL : blocks->tables[direction];
	int found;

	if (table == NULL)
		return false;
	if (table->n_sets > 0) {
		find_remote(ends);
		find_local(ends);
	}
	found = classifier_match(table->classifier, &ends->query);
	if (found < 0)
		return false;
	*verdict = (struct policy_verdict){
		.action = CONFIG_DENY,
		.source = POLICY_BY_BLOCK,
		.log = true, /* who blocks in an emergency wants to see whom it hits */
		.block = table->rules[found].block,
	};
	return true;
}

static bool ruled(const struct policy_port *port, enum policy_direction direction,
	struct ends *ends, struct policy_verdict *verdict)
{
	for (unsigned i = 0; i < port->n_groups; i++) {
		const struct policy_table *table = port->groups[i]->tables[direction];
		const struct policy_rule *rule;
		int found;

		if (table == NULL)
			continue;
		if (table->n_sets > 0)
			find_remote(ends);
		found = classifier_match(table->classifier, &ends->query);
		if (found < 0)
			continue;
		rule = &table->rules[found];
		*verdict = (struct policy_verdict){
			.action = rule->action,
			.source = POLICY_BY_RULE,
			.group = (uint8_t)i,
			.log = rule->log,
			.rule = rule->index,
		};
		return true;
	}
	return false;
}

void policy_decide(const struct policy_port *port, enum policy_direction direction,
	const struct policy_query *query, struct policy_verdict *verdict)
{
	struct ends ends;

	ends_init(&ends, port, direction, query);
	if (blocked(port->blocks, direction, &ends, verdict))
		return;
	*verdict = (struct policy_verdict){.action = CONFIG_ALLOW};
	if (port->trusted)
		verdict->source = POLICY_BY_TRUST;
	else if (is_allowance(direction, query))
		verdict->source = POLICY_BY_ALLOWANCE;
	else if (!ruled(port, direction, &ends, verdict))
		*verdict = (struct policy_verdict){
			.action = port->defaults[direction],
			.source = POLICY_BY_DEFAULT,
		};
}

bool policy_same_in(const struct policy_port *a, const struct policy_port *b)
{
	return a->trusted == b->trusted && a->blocks == b->blocks && a->tenant == b->tenant &&
	       a->defaults[POLICY_IN] == b->defaults[POLICY_IN] && a->n_groups == b->n_groups &&
	       memcmp(a->groups, b->groups, a->n_groups * sizeof(a->groups[0])) == 0;
}
