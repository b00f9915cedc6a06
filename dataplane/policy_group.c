#include "policy_group.h"

#include <stdlib.h>
#include <string.h>

/* ICMP's type and codes. */
static struct service_span type_span(const struct config_rule *rule)
{
	uint8_t proto = (uint8_t)rule->protocol;
	uint16_t first = (uint16_t)(rule->type << 8 | (rule->code < 0 ? 0 : rule->code));
	uint16_t last = (uint16_t)(rule->type << 8 | (rule->code < 0 ? UINT8_MAX : rule->code));

	return (struct service_span){service_key(proto, first), service_key(proto, last)};
}

/* Returns how many spans; 0: any service. */
static unsigned services(
	const struct config_rule *rule, struct service_span spans[CONFIG_RULE_PORTS_MAX])
{
	uint8_t proto = (uint8_t)rule->protocol;

	if (rule->protocol < 0)
		return 0;
	for (unsigned i = 0; i < rule->n_ports; i++)
		spans[i] = (struct service_span){service_key(proto, rule->ports[i].first),
			service_key(proto, rule->ports[i].last)};
	if (rule->n_ports > 0)
		return rule->n_ports;
	spans[0] = rule->type >= 0 ? type_span(rule)
				   : (struct service_span){
					     service_key(proto, 0), service_key(proto, UINT16_MAX)};
	return 1;
}

static unsigned family_of(const struct config_rule *rule)
{
	if (rule->family == CONFIG_ANY_FAMILY)
		return 0;
	return rule->family == CONFIG_IPV4 ? 4 : 6;
}

/*
 * The rule's ends. Both ends of a packet are of one family, so what a set cannot say of the remote
 * is said of the local. False where nothing can match: an address of the other family.
 */
static bool ends(const struct config_rule *rule, const struct policy_ids *ids,
	struct policy_line *line, struct addr_span remotes[2], struct addr_span locals[2])
{
	unsigned family = family_of(rule);

	switch (rule->remote.kind) {
	case CONFIG_REMOTE_ANY:
		if (family != 0)
			line->n_remotes = (uint8_t)addr_family_spans(family, remotes);
		return true;
	case CONFIG_REMOTE_SPAN:
		line->n_remotes =
			(uint8_t)(family == 0
					  ? policy_span_parts(rule->remote.span, remotes)
					  : addr_span_split(rule->remote.span, family, remotes));
		return line->n_remotes > 0;
	case CONFIG_REMOTE_GROUP:
		line->remote_set = ids->groups[rule->remote.index];
		break;
	case CONFIG_REMOTE_SET:
		line->remote_set = ids->sets[rule->remote.index];
		break;
	}
	if (family != 0)
		line->n_locals = (uint8_t)addr_family_spans(family, locals);
	return true;
}

static void add_rule(struct policy_lines *lines, const struct config_rule *rule, unsigned index,
	const struct policy_ids *ids)
{
	struct service_span spans[CONFIG_RULE_PORTS_MAX];
	struct addr_span remotes[2], locals[2];
	struct policy_line line = {
		.index = (uint16_t)index,
		.action = (uint8_t)rule->action,
		.log = rule->log,
		.remote_set = NO_SET,
		.local_set = NO_SET,
		.n_services = (uint8_t)services(rule, spans),
	};

	if (ends(rule, ids, &line, remotes, locals))
		policy_lines_add(lines, &line, remotes, locals, spans);
}

static void add_rules(struct policy_lines *lines, const struct config_group *group,
	enum policy_direction direction, const struct policy_ids *ids)
{
	enum config_direction wanted = direction == POLICY_IN ? CONFIG_IN : CONFIG_OUT;

	policy_lines_clear(lines);
	for (unsigned i = 0; i < group->n_rules; i++) {
		if (group->rules[i].direction == wanted)
			add_rule(lines, &group->rules[i], i, ids);
	}
}

/* The version that a direction has now: before's where it decides as it did. */
static uint32_t version_of(const struct policy_group *before, const struct policy_table *table,
	enum policy_direction direction, const struct policy_sets_change *sets)
{
	if (before == NULL || before->tables[direction] != table)
		return policy_number();
	if (table != NULL && policy_sets_changed(sets, table->sets, table->n_sets))
		return policy_number();
	return before->version[direction];
}

struct policy_group *policy_group_create(const struct config_group *source,
	const struct policy_ids *ids, struct policy_group *before,
	const struct policy_sets_change *sets, struct policy_lines *lines, unsigned *built)
{
	struct policy_group *group = calloc(1, sizeof(*group));
	bool same = before != NULL;

	*built = 0;
	if (group == NULL)
		return NULL;
	group->refs = 1;
	memcpy(group->name, source->name, sizeof(group->name));
	for (unsigned d = 0; d < POLICY_DIRECTIONS; d++) {
		const struct policy_table *old = before == NULL ? NULL : before->tables[d];

		add_rules(lines, source, d, ids);
		if (!policy_table_create(lines, old, &group->tables[d])) {
			policy_group_release(group);
			return NULL;
		}
		*built += group->tables[d] != NULL && group->tables[d] != old;
		group->version[d] = version_of(before, group->tables[d], d, sets);
		same &= before != NULL && group->version[d] == before->version[d];
	}
	if (!same)
		return group;
	policy_group_release(group);
	before->refs++;
	return before;
}

void policy_group_release(struct policy_group *group)
{
	if (group == NULL || --group->refs > 0)
		return;
	for (unsigned d = 0; d < POLICY_DIRECTIONS; d++)
		policy_table_release(group->tables[d]);
	free(group);
}
