#include "policy_build.h"

#include <stdlib.h>
#include <string.h>

#include "policy_blocks.h"
#include "policy_group.h"
#include "policy_members.h"
#include "policy_sets.h"

/* A tenant and all that is its own. */
struct domain {
	struct policy_tenant *tenant;
	struct policy_sets *sets;
	const struct domain *before; /* while it is built */
	const struct policy_blocks *blocks; /* of the ports that no block names */
};

struct port {
	struct policy_port view;
	enum config_port_kind kind;
	bool named; /* by a block; while it is built */
	char name[CONFIG_NAME_MAX + 1];
	char network[CONFIG_NAME_MAX + 1];
};

/* A group with its tenant, sorted by both. */
struct group {
	const char *tenant;
	struct policy_group *group;
};

struct policy {
	unsigned n_domains, n_groups, n_ports;
	struct domain *domains; /* by name */
	struct group *groups; /* those that ports have */
	struct port *ports; /* as in the configuration */
	const struct port **by_name;
	struct policy_block_pool blocks;
	struct policy_stats stats;
};

/* What policy_create() works with. */
struct build {
	const struct config *config;
	const struct blocks *blocks;
	const struct policy *before;
	struct policy *policy;
	struct config_report *report;
	struct domain **of_network; /* by config.networks */
	struct policy_group **of_group; /* by config.groups; NULL: no port has it */
	uint16_t *group_ids, *set_ids; /* by config.groups, config.sets */
	struct policy_lines lines;
};

static int compare_domains(const void *a, const void *b)
{
	const struct domain *x = a, *y = b;

	return strcmp(x->tenant->name, y->tenant->name);
}

static struct domain *find_domain(const struct policy *policy, const char *name)
{
	struct policy_tenant tenant = {0};
	struct domain key = {.tenant = &tenant};

	if (policy == NULL || policy->n_domains == 0)
		return NULL;
	strncpy(tenant.name, name, CONFIG_NAME_MAX);
	return bsearch(&key, policy->domains, policy->n_domains, sizeof(key), compare_domains);
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = strcmp(x->tenant, y->tenant);

	return order != 0 ? order : strcmp(x->group->name, y->group->name);
}

static struct policy_group *find_group(
	const struct policy *policy, const struct config_group *source)
{
	struct policy_group group;
	struct group key = {source->tenant, &group}, *found = NULL;

	memcpy(group.name, source->name, sizeof(group.name));
	if (policy != NULL && policy->n_groups > 0)
		found = bsearch(
			&key, policy->groups, policy->n_groups, sizeof(key), compare_groups);
	return found == NULL ? NULL : found->group;
}

static int compare_ports(const void *a, const void *b)
{
	const struct port *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static struct port *find_port(const struct policy *policy, const char *name)
{
	struct port port = {0}, *key = &port;
	struct port **found = NULL;

	strncpy(port.name, name, CONFIG_NAME_MAX);
	if (policy != NULL && policy->n_ports > 0)
		found = bsearch(&key, policy->by_name, policy->n_ports, sizeof(key), compare_ports);
	return found == NULL ? NULL : *found;
}

/* Tenants are those of the networks. */
static bool make_domains(struct build *b)
{
	const struct config *config = b->config;
	struct policy *policy = b->policy;

	policy->domains = calloc(config->n_networks + 1, sizeof(*policy->domains));
	if (policy->domains == NULL)
		return false;
	for (unsigned i = 0; i < config->n_networks; i++) {
		struct policy_tenant *tenant = calloc(1, sizeof(*tenant));

		if (tenant == NULL)
			return false;
		tenant->refs = 1;
		memcpy(tenant->name, config->networks[i].tenant, sizeof(tenant->name));
		policy->domains[policy->n_domains++].tenant = tenant;
	}
	return true;
}

/* Sorts the domains and leaves each tenant one. */
static void merge_domains(struct build *b)
{
	struct policy *policy = b->policy;
	unsigned n = 0;

	if (policy->n_domains == 0)
		return;
	qsort(policy->domains, policy->n_domains, sizeof(*policy->domains), compare_domains);
	for (unsigned i = 0; i < policy->n_domains; i++) {
		if (n > 0 && compare_domains(&policy->domains[n - 1], &policy->domains[i]) == 0)
			free(policy->domains[i].tenant);
		else
			policy->domains[n++] = policy->domains[i];
	}
	policy->n_domains = n;
	for (unsigned i = 0; i < n; i++)
		policy->domains[i].before = find_domain(b->before, policy->domains[i].tenant->name);
	for (unsigned i = 0; i < b->config->n_networks; i++)
		b->of_network[i] = find_domain(policy, b->config->networks[i].tenant);
}

/* A tenant keeps its index; a new one takes an index that nobody had just now, if there is any. */
static void number_tenants(struct build *b)
{
	bool used[CONFIG_TENANTS_MAX] = {false}, recent[CONFIG_TENANTS_MAX] = {false};
	struct policy *policy = b->policy;
	unsigned next;

	for (unsigned i = 0; b->before != NULL && i < b->before->n_domains; i++)
		recent[b->before->domains[i].tenant->index] = true;
	for (unsigned i = 0; i < policy->n_domains; i++) {
		struct domain *domain = &policy->domains[i];

		if (domain->before == NULL)
			continue;
		domain->tenant->index = domain->before->tenant->index;
		used[domain->tenant->index] = true;
	}
	for (unsigned i = 0; i < policy->n_domains; i++) {
		if (policy->domains[i].before != NULL)
			continue;
		for (next = 0; next < CONFIG_TENANTS_MAX && (used[next] || recent[next]);)
			next++;
		if (next == CONFIG_TENANTS_MAX) {
			for (next = 0; used[next];)
				next++;
		}
		policy->domains[i].tenant->index = (uint16_t)next;
		used[next] = true;
	}
}

_Static_assert(CONFIG_NETWORKS_MAX <= CONFIG_TENANTS_MAX, "every network may have its own tenant");

static bool make_sets(struct build *b, struct domain *domain, const struct policy_members *members)
{
	struct policy_sets *before = domain->before == NULL ? NULL : domain->before->sets;
	const char *why;
	unsigned n;
	const struct policy_set_source *sources = policy_members_of(
		members, domain->tenant->name, &n);

	domain->sets = policy_sets_create(sources, n, before, &why);
	if (domain->sets == NULL) {
		config_report_add(b->report, false, "policy", 0, 0, "sets", "tenant %s: %s",
			domain->tenant->name, why);
		return false;
	}
	if (domain->sets == before)
		b->policy->stats.sets_kept++;
	else
		b->policy->stats.sets_built++;
	domain->tenant->sets = policy_sets_index(domain->sets);
	return true;
}

/* Takes the tenant of the last policy where it is the same. */
static void share_tenant(struct domain *domain)
{
	struct policy_tenant *old = domain->before == NULL ? NULL : domain->before->tenant;

	if (old == NULL || domain->before->sets != domain->sets ||
		old->audit != domain->tenant->audit)
		return;
	free(domain->tenant);
	domain->tenant = old;
	old->refs++;
}

static bool make_tenants(struct build *b)
{
	struct policy_members *members = policy_members_create(b->config, b->group_ids, b->set_ids);
	struct policy *policy = b->policy;
	bool ok = members != NULL;

	for (unsigned i = 0; i < b->config->n_tenants; i++) {
		struct domain *domain = find_domain(policy, b->config->tenants[i].name);

		if (domain != NULL)
			domain->tenant->audit = b->config->tenants[i].audit;
	}
	for (unsigned i = 0; ok && i < policy->n_domains; i++) {
		ok = make_sets(b, &policy->domains[i], members);
		if (ok)
			share_tenant(&policy->domains[i]);
	}
	policy_members_free(members);
	return ok;
}

static bool make_group(struct build *b, unsigned i)
{
	const struct config_group *source = &b->config->groups[i];
	const struct domain *domain = find_domain(b->policy, source->tenant);
	const struct policy_ids ids = {b->group_ids, b->set_ids};
	struct policy_group *before = find_group(b->before, source), *group;
	struct policy_sets_change sets = {
		.before = domain->before == NULL ? NULL : domain->before->sets,
		.now = domain->sets,
	};
	unsigned built;

	group = policy_group_create(source, &ids, before, &sets, &b->lines, &built);
	if (group == NULL)
		return false;
	b->of_group[i] = group;
	b->policy->groups[b->policy->n_groups++] = (struct group){domain->tenant->name, group};
	if (built > 0)
		b->policy->stats.groups_built++;
	else
		b->policy->stats.groups_kept++;
	return true;
}

/* Those that ports have; rules of the others decide nothing. */
static bool make_groups(struct build *b)
{
	const struct config *config = b->config;
	struct policy *policy = b->policy;

	policy->groups = calloc(config->n_groups + 1, sizeof(*policy->groups));
	if (policy->groups == NULL)
		return false;
	for (unsigned p = 0; p < config->n_ports; p++) {
		for (unsigned i = 0; i < config->ports[p].n_groups; i++) {
			unsigned group = config->ports[p].group_index[i];

			if (b->of_group[group] == NULL && !make_group(b, group))
				return false;
		}
	}
	if (policy->n_groups > 0)
		qsort(policy->groups, policy->n_groups, sizeof(*policy->groups), compare_groups);
	return true;
}

static bool make_blocks(struct build *b, const struct domain *domain, const char *port,
	const struct policy_blocks **blocks)
{
	const struct policy_sets_change sets = {
		.before = domain->before == NULL ? NULL : domain->before->sets,
		.now = domain->sets,
	};
	const struct policy_block_scope scope = {b->blocks, domain->tenant->name, port, &sets};

	return policy_blocks_create(&scope, b->before == NULL ? NULL : &b->before->blocks,
		&b->policy->blocks, &b->lines, blocks);
}

static bool make_common_blocks(struct build *b)
{
	for (unsigned i = 0; i < b->policy->n_domains; i++) {
		struct domain *domain = &b->policy->domains[i];

		if (!make_blocks(b, domain, NULL, &domain->blocks))
			return false;
	}
	return true;
}

static uint32_t blocks_version(const struct policy_blocks *blocks, enum policy_direction direction)
{
	return blocks == NULL ? 0 : blocks->version[direction];
}

/* Whether the port decides in this direction as it did. */
static bool same_decisions(
	const struct policy_port *a, const struct policy_port *b, enum policy_direction direction)
{
	if (a->trusted != b->trusted || a->tenant->audit != b->tenant->audit ||
		blocks_version(a->blocks, direction) != blocks_version(b->blocks, direction))
		return false;
	if (a->trusted)
		return true;
	if (a->defaults[direction] != b->defaults[direction] || a->n_groups != b->n_groups)
		return false;
	for (unsigned i = 0; i < a->n_groups; i++) {
		if (a->groups[i]->version[direction] != b->groups[i]->version[direction])
			return false;
	}
	return true;
}

static void set_epochs(struct build *b, struct port *port)
{
	const struct port *old = find_port(b->before, port->name);

	if (old != NULL && (old->kind != port->kind || strcmp(old->network, port->network) != 0 ||
				   strcmp(old->view.tenant->name, port->view.tenant->name) != 0))
		old = NULL;
	for (unsigned d = 0; d < POLICY_DIRECTIONS; d++) {
		if (old != NULL && same_decisions(&old->view, &port->view, d)) {
			port->view.epoch[d] = old->view.epoch[d];
			continue;
		}
		port->view.epoch[d] = policy_number();
		b->policy->stats.epochs_moved++;
	}
}

static bool make_port(struct build *b, unsigned i)
{
	const struct config_port *source = &b->config->ports[i];
	const struct domain *domain = b->of_network[source->network_index];
	struct port *port = &b->policy->ports[i];
	struct policy_port *view = &port->view;

	port->kind = source->kind;
	memcpy(port->network, source->network, sizeof(port->network));
	view->tenant = domain->tenant;
	view->trusted = source->trusted;
	view->defaults[POLICY_IN] = (uint8_t)source->default_in;
	view->defaults[POLICY_OUT] = (uint8_t)source->default_out;
	view->n_groups = (uint8_t)source->n_groups;
	for (unsigned g = 0; g < source->n_groups; g++)
		view->groups[g] = b->of_group[source->group_index[g]];
	view->blocks = domain->blocks;
	if (port->named && !make_blocks(b, domain, port->name, &view->blocks))
		return false;
	set_epochs(b, port);
	return true;
}

static bool make_ports(struct build *b)
{
	struct policy *policy = b->policy;
	unsigned n = b->config->n_ports;

	policy->ports = calloc(n + 1, sizeof(*policy->ports));
	policy->by_name = calloc(n + 1, sizeof(const struct port *));
	if (policy->ports == NULL || policy->by_name == NULL)
		return false;
	for (unsigned i = 0; i < n; i++) {
		memcpy(policy->ports[i].name, b->config->ports[i].name, CONFIG_NAME_MAX + 1);
		policy->by_name[i] = &policy->ports[i];
	}
	policy->n_ports = n;
	if (n > 0)
		qsort(policy->by_name, n, sizeof(const struct port *), compare_ports);
	for (unsigned i = 0; i < b->blocks->n; i++) {
		struct port *port = find_port(policy, b->blocks->list[i].port);

		if (port != NULL)
			port->named = true;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!make_port(b, i))
			return false;
	}
	return true;
}

/* Says so where a block's set or group goes with this configuration. */
static void warn_vanished(struct build *b, const struct block *block, const struct block_end *end)
{
	const struct port *port = find_port(b->policy, block->port);
	const char *tenant = port != NULL ? port->view.tenant->name : block->tenant;
	const struct domain *before = find_domain(b->before, tenant);
	const struct domain *now = find_domain(b->policy, tenant);

	if (before == NULL || !policy_blocks_resolves(end, before->sets) ||
		policy_blocks_resolves(end, now == NULL ? NULL : now->sets))
		return;
	config_report_add(b->report, true, "blocks", 0, 0, "",
		"block %u (%s) names %s of tenant %s, which this removes: it matches nothing until "
		"there is a set or group of that name again, or `unblock %u`",
		block->id, block->service_text, end->name, tenant, block->id);
}

static bool make(struct build *b)
{
	if (!make_domains(b))
		return false;
	merge_domains(b);
	number_tenants(b);
	if (!make_tenants(b) || !make_groups(b) || !make_common_blocks(b) || !make_ports(b))
		return false;
	for (unsigned i = 0; i < b->blocks->n; i++) {
		warn_vanished(b, &b->blocks->list[i], &b->blocks->list[i].from);
		warn_vanished(b, &b->blocks->list[i], &b->blocks->list[i].to);
	}
	return true;
}

struct policy *policy_create(const struct config *config, const struct blocks *blocks,
	const struct policy *before, struct config_report *report)
{
	struct build b = {
		.config = config,
		.blocks = blocks,
		.before = before,
		.report = report,
		.policy = calloc(1, sizeof(struct policy)),
		.of_network = calloc(config->n_networks + 1, sizeof(*b.of_network)),
		.of_group = calloc(config->n_groups + 1, sizeof(*b.of_group)),
		.group_ids = malloc((config->n_groups + 1) * sizeof(*b.group_ids)),
		.set_ids = malloc((config->n_sets + 1) * sizeof(*b.set_ids)),
	};
	unsigned errors = report->n_errors;
	bool ok = b.policy != NULL && b.of_network != NULL && b.of_group != NULL &&
		  b.group_ids != NULL && b.set_ids != NULL;

	ok = ok && make(&b);
	free(b.of_network);
	free(b.of_group);
	free(b.group_ids);
	free(b.set_ids);
	policy_lines_free(&b.lines);
	if (ok)
		return b.policy;
	if (report->n_errors == errors)
		config_report_add(report, false, "policy", 0, 0, "groups",
			"the rules take more memory than there is, or more than 128 MiB in one "
			"group: have fewer or simpler ones");
	policy_free(b.policy);
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	for (unsigned i = 0; i < policy->n_groups; i++)
		policy_group_release(policy->groups[i].group);
	for (unsigned i = 0; i < policy->n_domains; i++) {
		if (--policy->domains[i].tenant->refs == 0)
			free(policy->domains[i].tenant);
		policy_sets_release(policy->domains[i].sets);
	}
	policy_block_pool_free(&policy->blocks);
	free(policy->groups);
	free(policy->domains);
	free(policy->ports);
	free(policy->by_name);
	free(policy);
}

const struct policy_port *policy_port(const struct policy *policy, unsigned i)
{
	return &policy->ports[i].view;
}

struct policy_stats policy_stats(const struct policy *policy)
{
	return policy->stats;
}
