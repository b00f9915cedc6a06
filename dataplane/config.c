#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config_check.h"
#include "config_fields.h"
#include "config_fields_firewall.h"

struct config *config_decode(const struct config_doc *doc, struct config_report *report)
{
	struct config_context context = {.doc = doc, .report = report};
	const json_t *root = config_doc_root(doc);
	unsigned errors = report->n_errors;
	struct config *config = calloc(1, sizeof(*config));

	if (!config) {
		config_context_error(&context, "out of memory");
		return NULL;
	}
	if (json_is_object(root)) {
		config_schema_defaults(&config_fields_root, config);
		config_schema_decode(&context, &config_fields_root, root, config);
		config_check(&context, config);
	} else {
		config_context_error(&context,
			"must be a mapping of the sections vswitch, networks, ports, "
			"uplinks, tenants, groups, sets, firewall, inspection and replay, not %s",
			root ? config_schema_kind(root) : "nothing");
	}
	if (report->n_errors == errors)
		return config;
	config_free(config);
	return NULL;
}

void config_free(struct config *config)
{
	if (!config || config->shares-- > 0)
		return;
	config_schema_free(&config_fields_root, config);
	free(config);
}

struct config *config_share(const struct config *config)
{
	struct config *shared = (struct config *)config;

	shared->shares++;
	return shared;
}

json_t *config_encode(const struct config *config)
{
	return config_schema_encode(&config_fields_root, config);
}

json_t *config_encode_like(
	const struct config *config, const struct config *like, const json_t *encoded)
{
	return config_schema_encode_like(&config_fields_root, config, like, encoded);
}

const struct config_network *config_network(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_networks; i++)
		if (!strcmp(config->networks[i].name, name))
			return &config->networks[i];
	return NULL;
}

const struct config_port *config_port(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_ports; i++)
		if (!strcmp(config->ports[i].name, name))
			return &config->ports[i];
	return NULL;
}

const struct config_limits *config_tenant_limits(const struct config *config, const char *name)
{
	static struct config_tenant other;

	for (unsigned i = 0; i < config->n_tenants; i++)
		if (!strcmp(config->tenants[i].name, name))
			return &config->tenants[i].limits;
	if (!other.limits.connections)
		config_schema_defaults(&config_fields_tenant, &other);
	return &other.limits;
}
