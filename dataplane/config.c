#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_check.h"
#include "config_fields.h"

/* A list of objects in the document, as far as decoding it needs no knowledge of the object. */
struct section {
	const char *name;
	const struct config_table *table;
	size_t size; /* of an object */
	size_t max;
};

static const struct section networks_section = {
	"networks", &config_fields_network, sizeof(struct config_network), CONFIG_NETWORKS_MAX};
static const struct section ports_section = {
	"ports", &config_fields_port, sizeof(struct config_port), CONFIG_PORTS_MAX};
static const struct section replay_section = {
	"replay", &config_fields_replay, sizeof(struct config_replay), CONFIG_REPLAY_MAX};

static void default_vswitch(struct config_vswitch *vswitch)
{
	config_schema_defaults(&config_fields_vswitch, vswitch);
	vswitch->control_access.mode = 0660;
	/* Core 0 is where the kernel and everything else runs: leave it alone if there is another.
	 */
	vswitch->workers[0] = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	vswitch->n_workers = 1;
}

static void decode_vswitch(
	struct config_context *context, const json_t *root, struct config_vswitch *vswitch)
{
	const json_t *value = json_object_get(root, "vswitch");
	size_t mark;

	default_vswitch(vswitch);
	if (!value || json_is_null(value))
		return;
	mark = config_context_member(context, "vswitch");
	config_schema_decode(context, &config_fields_vswitch, value, vswitch);
	config_context_leave(context, mark);
}

/* The section's objects with defaults where they are wrong; NULL for none. */
static void *decode_items(struct config_context *context, const struct section *section,
	const json_t *list, unsigned *count)
{
	size_t n = json_array_size(list);
	char *items;

	*count = 0;
	if (n > section->max) {
		config_context_error(
			context, "has %zu entries: at most %zu are taken", n, section->max);
		n = section->max;
	}
	if (n == 0)
		return NULL;
	items = calloc(n, section->size);
	if (!items) {
		config_context_error(context, "out of memory");
		return NULL;
	}
	*count = (unsigned)n;
	for (size_t i = 0; i < n; i++) {
		size_t mark = config_context_item(context, i);
		void *item = items + i * section->size;

		config_schema_defaults(section->table, item);
		config_schema_decode(context, section->table, json_array_get(list, i), item);
		config_context_leave(context, mark);
	}
	return items;
}

static void *decode_section(struct config_context *context, const struct section *section,
	const json_t *root, unsigned *count)
{
	const json_t *list = json_object_get(root, section->name);
	size_t mark = config_context_member(context, section->name);
	void *items = NULL;

	*count = 0;
	/* "ports:" with nothing behind it is how people write an empty list. */
	if (list && !json_is_array(list) && !json_is_null(list))
		config_context_error(context, "must be a list, each entry with a dash, not %s",
			config_schema_kind(list));
	else
		items = decode_items(context, section, list, count);
	config_context_leave(context, mark);
	return items;
}

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
		decode_vswitch(&context, root, &config->vswitch);
		config->networks = decode_section(
			&context, &networks_section, root, &config->n_networks);
		config->ports = decode_section(&context, &ports_section, root, &config->n_ports);
		config->replay = decode_section(&context, &replay_section, root, &config->n_replay);
		config_schema_unknown(&context, &config_fields_root, root);
		config_check(&context, config);
	} else {
		config_context_error(&context,
			"must be a mapping of the sections vswitch, networks, ports and replay, "
			"not %s",
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
	free(config->networks);
	free(config->ports);
	free(config->replay);
	free(config);
}

static json_t *encode_section(const struct section *section, const void *items, unsigned count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, config_schema_encode(section->table,
						    (const char *)items + i * section->size));
	return list;
}

json_t *config_encode(const struct config *config)
{
	json_t *root = json_object();

	json_object_set_new(
		root, "vswitch", config_schema_encode(&config_fields_vswitch, &config->vswitch));
	json_object_set_new(root, "networks",
		encode_section(&networks_section, config->networks, config->n_networks));
	json_object_set_new(
		root, "ports", encode_section(&ports_section, config->ports, config->n_ports));
	json_object_set_new(
		root, "replay", encode_section(&replay_section, config->replay, config->n_replay));
	return root;
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
