#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config_check.h"
#include "config_fields.h"

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
			"must be a mapping of the sections vswitch, networks, ports, tenants, "
			"groups, sets, firewall and replay, not %s",
			root ? config_schema_kind(root) : "nothing");
	}
	if (report->n_errors == errors)
		return config;
	config_free(config);
	return NULL;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	config_schema_free(&config_fields_root, config);
	free(config);
}

json_t *config_encode(const struct config *config)
{
	return config_schema_encode(&config_fields_root, config);
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
