#include "policy_members.h"

#include <stdlib.h>
#include <string.h>

#include "policy_table.h"

struct policy_members {
	unsigned n;
	struct policy_set_source *sources; /* by tenant and name */
	struct addr_span *spans; /* of all of them */
};

/* Spans of each port, behind one another. */
struct port_spans {
	unsigned *first; /* by port, and one more */
	struct addr_span *spans;
};

static int compare(const void *a, const void *b)
{
	const struct policy_set_source *x = a, *y = b;
	int order = strcmp(x->tenant, y->tenant);

	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Whether span holds all of a family. */
static bool is_everything(struct addr_span span)
{
	struct addr_span whole = addr_prefix(span.first, 0);

	return addr_equal(span.first, whole.first) && !addr_less(span.last, whole.last);
}

/* Those that the port counts with in its groups; returns how many. */
static unsigned read_port(const struct config_port *port, struct addr_span *spans)
{
	struct addr_span span;
	unsigned n = 0;

	for (unsigned i = 0; i < port->n_ips; i++) {
		if (addr_span_parse(port->ips[i], &span))
			n += policy_span_parts(span, spans + n);
	}
	for (unsigned i = 0; i < port->n_pairs; i++) {
		if (!is_everything(port->pairs[i].span))
			n += policy_span_parts(port->pairs[i].span, spans + n);
	}
	return n;
}

static bool read_ports(const struct config *config, struct port_spans *ports)
{
	size_t room = 0;

	for (unsigned i = 0; i < config->n_ports; i++)
		room += config->ports[i].n_ips + 2 * (size_t)config->ports[i].n_pairs;
	ports->first = calloc(config->n_ports + 1, sizeof(*ports->first));
	/* policy_span_parts() writes two at the most. */
	ports->spans = calloc(room + 2, sizeof(*ports->spans));
	if (ports->first == NULL || ports->spans == NULL)
		return false;
	for (unsigned i = 0; i < config->n_ports; i++) {
		unsigned first = ports->first[i];

		ports->first[i + 1] = first + read_port(&config->ports[i], ports->spans + first);
	}
	return true;
}

/* How many spans there will be at the most, over all groups and sets. */
static size_t count(const struct config *config, const struct port_spans *ports)
{
	size_t n = 0;

	for (unsigned i = 0; i < config->n_ports; i++)
		n += (size_t)config->ports[i].n_groups * (ports->first[i + 1] - ports->first[i]);
	for (unsigned i = 0; i < config->n_groups; i++)
		n += 2 * (size_t)config->groups[i].n_addresses;
	for (unsigned i = 0; i < config->n_sets; i++)
		n += 2 * (size_t)config->sets[i].n_addresses;
	return n;
}

/* The groups' sources, and room behind each other for what is in them; returns where that ends. */
static struct addr_span *lay_out(const struct config *config, const struct port_spans *ports,
	struct policy_set_source *groups, struct addr_span *spans)
{
	for (unsigned i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];

		for (unsigned g = 0; g < port->n_groups; g++)
			groups[port->group_index[g]].n += ports->first[i + 1] - ports->first[i];
	}
	for (unsigned i = 0; i < config->n_groups; i++) {
		groups[i].spans = spans;
		spans += groups[i].n + 2 * (size_t)config->groups[i].n_addresses;
		groups[i].n = 0;
	}
	return spans;
}

/* Puts addresses in, of one family each. */
static void add_spans(
	struct policy_set_source *source, const struct addr_span *addresses, unsigned n)
{
	struct addr_span *spans = (struct addr_span *)(uintptr_t)source->spans;

	for (unsigned i = 0; i < n; i++)
		source->n += policy_span_parts(addresses[i], spans + source->n);
}

static void fill_groups(const struct config *config, const struct port_spans *ports,
	struct policy_set_source *groups)
{
	for (unsigned i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		unsigned n = ports->first[i + 1] - ports->first[i];

		for (unsigned g = 0; n > 0 && g < port->n_groups; g++) {
			struct policy_set_source *group = &groups[port->group_index[g]];

			memcpy((struct addr_span *)(uintptr_t)group->spans + group->n,
				ports->spans + ports->first[i], n * sizeof(struct addr_span));
			group->n += n;
		}
	}
	for (unsigned i = 0; i < config->n_groups; i++)
		add_spans(&groups[i], config->groups[i].addresses, config->groups[i].n_addresses);
}

static void fill_sets(
	const struct config *config, struct policy_set_source *sets, struct addr_span *spans)
{
	for (unsigned i = 0; i < config->n_sets; i++) {
		const struct config_set *set = &config->sets[i];

		sets[i].spans = spans;
		add_spans(&sets[i], set->addresses, set->n_addresses);
		spans += sets[i].n;
	}
}

static bool fill(struct policy_members *members, const struct config *config)
{
	struct policy_set_source *sets = members->sources + config->n_groups;
	struct port_spans ports = {0};
	bool ok = read_ports(config, &ports);
	struct addr_span *end;

	if (ok)
		members->spans = calloc(count(config, &ports) + 2, sizeof(*members->spans));
	if (members->spans != NULL) {
		end = lay_out(config, &ports, members->sources, members->spans);
		fill_groups(config, &ports, members->sources);
		fill_sets(config, sets, end);
	}
	free(ports.first);
	free(ports.spans);
	return members->spans != NULL;
}

struct policy_members *policy_members_create(
	const struct config *config, uint16_t *group_ids, uint16_t *set_ids)
{
	struct policy_members *members = calloc(1, sizeof(*members));
	struct policy_set_source *source;

	if (members == NULL)
		return NULL;
	members->n = config->n_groups + config->n_sets;
	members->sources = source = calloc(members->n + 1, sizeof(*members->sources));
	if (source == NULL || !fill(members, config)) {
		policy_members_free(members);
		return NULL;
	}
	for (unsigned i = 0; i < config->n_groups; i++, source++) {
		source->tenant = config->groups[i].tenant;
		source->name = config->groups[i].name;
		source->id = &group_ids[i];
		group_ids[i] = NO_SET;
	}
	for (unsigned i = 0; i < config->n_sets; i++, source++) {
		source->tenant = config->sets[i].tenant;
		source->name = config->sets[i].name;
		source->id = &set_ids[i];
		set_ids[i] = NO_SET;
	}
	if (members->n > 0)
		qsort(members->sources, members->n, sizeof(*members->sources), compare);
	return members;
}

const struct policy_set_source *policy_members_of(
	const struct policy_members *members, const char *tenant, unsigned *n)
{
	unsigned low = 0, high = members->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (strcmp(members->sources[middle].tenant, tenant) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (high < members->n && strcmp(members->sources[high].tenant, tenant) == 0)
		high++;
	*n = high - low;
	return members->sources + low;
}

void policy_members_free(struct policy_members *members)
{
	if (members == NULL)
		return;
	free(members->sources);
	free(members->spans);
	free(members);
}
