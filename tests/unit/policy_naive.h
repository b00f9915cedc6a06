/*
 * What policy.h and vswitchd.yaml(5) say that is decided, read off the configuration rule by rule:
 * what a compiled policy is held to. Nothing of the compiler's is used, only the configuration's
 * types and addresses. Both ends of a query are of one family, as a packet's are.
 */
#ifndef VS_POLICY_NAIVE_H
#define VS_POLICY_NAIVE_H

#include <string.h>

#include "blocks.h"
#include "config.h"
#include "policy.h"

/* An IPv6 span has no IPv4 address in it, whatever the numbers say. */
static inline bool naive_in_span(struct addr a, struct addr_span span)
{
	return addr_is_ipv4(a) == addr_is_ipv4(span.first) && addr_in(a, span);
}

static inline bool naive_is_everything(struct addr_span span)
{
	if (addr_is_ipv4(span.first))
		return (uint32_t)span.first.low == 0 && (uint32_t)span.last.low == UINT32_MAX;
	return (span.first.high | span.first.low) == 0 &&
	       (span.last.high & span.last.low) == UINT64_MAX;
}

/* What the port counts with in its groups: a pair of all addresses would open them to all. */
static inline bool naive_is_ports(const struct config_port *port, struct addr a)
{
	struct addr_span span;

	for (unsigned i = 0; i < port->n_ips; i++) {
		if (addr_span_parse(port->ips[i], &span) && addr_equal(span.first, a))
			return true;
	}
	for (unsigned i = 0; i < port->n_pairs; i++) {
		if (!naive_is_everything(port->pairs[i].span) &&
			naive_in_span(a, port->pairs[i].span))
			return true;
	}
	return false;
}

static inline const char *naive_tenant(const struct config *config, const struct config_port *port)
{
	return config_network(config, port->network)->tenant;
}

static inline bool naive_in_group(
	const struct config *config, const char *tenant, const char *name, struct addr a)
{
	for (unsigned p = 0; p < config->n_ports; p++) {
		const struct config_port *port = &config->ports[p];

		if (strcmp(naive_tenant(config, port), tenant) != 0)
			continue;
		for (unsigned g = 0; g < port->n_groups; g++) {
			if (strcmp(port->groups[g], name) == 0 && naive_is_ports(port, a))
				return true;
		}
	}
	return false;
}

static inline bool naive_in_set(
	const struct config *config, const char *tenant, const char *name, struct addr a)
{
	for (unsigned s = 0; s < config->n_sets; s++) {
		const struct config_set *set = &config->sets[s];

		if (strcmp(set->tenant, tenant) != 0 || strcmp(set->name, name) != 0)
			continue;
		for (unsigned i = 0; i < set->n_addresses; i++) {
			if (naive_in_span(a, set->addresses[i]))
				return true;
		}
	}
	return false;
}

static inline bool naive_service(const struct config_rule *rule, uint32_t service)
{
	uint16_t port = (uint16_t)service;

	if (rule->protocol >= 0 && service >> 16 != (uint32_t)rule->protocol)
		return false;
	if (rule->type >= 0 && port >> 8 != rule->type)
		return false;
	if (rule->code >= 0 && (port & 255) != rule->code)
		return false;
	for (unsigned i = 0; i < rule->n_ports; i++) {
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	}
	return rule->n_ports == 0;
}

static inline bool naive_rule(const struct config *config, const char *tenant,
	const struct config_rule *rule, struct addr remote, uint32_t service)
{
	if (rule->family != CONFIG_ANY_FAMILY &&
		addr_is_ipv4(remote) != (rule->family == CONFIG_IPV4))
		return false;
	if (!naive_service(rule, service))
		return false;
	switch (rule->remote.kind) {
	case CONFIG_REMOTE_SPAN:
		return naive_in_span(remote, rule->remote.span);
	case CONFIG_REMOTE_GROUP:
		return naive_in_group(config, tenant, rule->remote.name, remote);
	case CONFIG_REMOTE_SET:
		return naive_in_set(config, tenant, rule->remote.name, remote);
	default:
		return true;
	}
}

/* A name is that of a group or set of the port's own tenant. */
static inline bool naive_end(
	const struct config *config, const char *tenant, const struct block_end *end, struct addr a)
{
	if (end->kind == BLOCK_SPAN)
		return naive_in_span(a, end->span);
	return end->kind == BLOCK_ANY || naive_in_group(config, tenant, end->name, a) ||
	       naive_in_set(config, tenant, end->name, a);
}

static inline bool naive_block(const struct config *config, const struct block *block,
	const struct config_port *port, enum policy_direction direction,
	const struct policy_query *query)
{
	const char *tenant = naive_tenant(config, port);

	if (block->direction != BLOCK_BOTH &&
		(block->direction == BLOCK_IN) != (direction == POLICY_IN))
		return false;
	if (block->tenant[0] != '\0' && strcmp(block->tenant, tenant) != 0)
		return false;
	if (block->port[0] != '\0' && strcmp(block->port, port->name) != 0)
		return false;
	return query->service >= block->service.first && query->service <= block->service.last &&
	       naive_end(config, tenant, &block->from, query->from) &&
	       naive_end(config, tenant, &block->to, query->to);
}

/* The guest as a client of DHCP: its questions, and the answers. */
static inline bool naive_is_dhcp(enum policy_direction direction, const struct policy_query *query)
{
	static const uint16_t ports[2][2] = {{546, 547}, {68, 67}}; /* client's, server's */
	const uint16_t *of = ports[addr_is_ipv4(query->to)];
	uint32_t source = direction == POLICY_OUT ? of[0] : of[1];
	uint32_t destination = direction == POLICY_OUT ? of[1] : of[0];

	return query->source_port == source && query->service == (17u << 16 | destination);
}

/* Index of the group's first rule that matches, or -1. */
static inline int naive_first_rule(const struct config *config, const struct config_group *group,
	enum policy_direction direction, struct addr remote, uint32_t service)
{
	for (unsigned i = 0; i < group->n_rules; i++) {
		const struct config_rule *rule = &group->rules[i];

		if ((rule->direction == CONFIG_OUT) == (direction == POLICY_OUT) &&
			naive_rule(config, group->tenant, rule, remote, service))
			return (int)i;
	}
	return -1;
}

static inline const struct config_group *naive_group(
	const struct config *config, const char *tenant, const char *name)
{
	for (unsigned i = 0; i < config->n_groups; i++) {
		const struct config_group *group = &config->groups[i];

		if (strcmp(group->tenant, tenant) == 0 && strcmp(group->name, name) == 0)
			return group;
	}
	return NULL;
}

/* The first of the port's groups, in its order, that has a rule which matches. */
static inline bool naive_ruled(const struct config *config, const struct config_port *port,
	enum policy_direction direction, const struct policy_query *query,
	struct policy_verdict *verdict)
{
	struct addr remote = direction == POLICY_OUT ? query->to : query->from;

	for (unsigned g = 0; g < port->n_groups; g++) {
		const struct config_group *group = naive_group(
			config, naive_tenant(config, port), port->groups[g]);
		int i = naive_first_rule(config, group, direction, remote, query->service);

		if (i < 0)
			continue;
		*verdict = (struct policy_verdict){.action = (uint8_t)group->rules[i].action,
			.source = POLICY_BY_RULE,
			.group = (uint8_t)g,
			.log = group->rules[i].log,
			.rule = (uint16_t)i};
		return true;
	}
	return false;
}

static inline struct policy_verdict naive_decide(const struct config *config,
	const struct blocks *blocks, const struct config_port *port,
	enum policy_direction direction, const struct policy_query *query)
{
	struct policy_verdict verdict = {.action = CONFIG_ALLOW};

	for (unsigned i = 0; i < blocks->n; i++) {
		if (naive_block(config, &blocks->list[i], port, direction, query))
			return (struct policy_verdict){.action = CONFIG_DENY,
				.source = POLICY_BY_BLOCK,
				.log = true,
				.block = blocks->list[i].id};
	}
	if (port->trusted) {
		verdict.source = POLICY_BY_TRUST;
	} else if (naive_is_dhcp(direction, query)) {
		verdict.source = POLICY_BY_ALLOWANCE;
	} else if (!naive_ruled(config, port, direction, query, &verdict)) {
		verdict.source = POLICY_BY_DEFAULT;
		verdict.action =
			(uint8_t)(direction == POLICY_OUT ? port->default_out : port->default_in);
	}
	return verdict;
}

static inline bool naive_same(const struct policy_verdict *a, const struct policy_verdict *b)
{
	return a->action == b->action && a->source == b->source && a->group == b->group &&
	       a->log == b->log && a->rule == b->rule && a->block == b->block;
}

#endif
