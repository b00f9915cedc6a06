/*
 * The manual page and the example against the tables of fields: every field has its entry, with the
 * default and the limits that the switch has. Runs in the repository's top folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_fields.h"
#include "config_rig.h"
#include "config_types.h"

static char *page; /* the page's text, "\-" and the like undone */

static int read_page(void **state)
{
	FILE *file = fopen("dataplane/vswitchd.yaml.5", "r");
	size_t len = 0, size = 1 << 20;
	int c;

	if (!file)
		return -1;
	page = malloc(size);
	while ((c = fgetc(file)) != EOF && len < size - 1)
		if (c != '\\')
			page[len++] = (char)c;
	page[len] = '\0';
	fclose(file);
	return 0;
}

static int free_page(void **state)
{
	free(page);
	return 0;
}

/* What stands between the line `from` and the next that begins with one of two macros. */
static char *cut(const char *text, const char *from, const char *macro, const char *or_macro)
{
	char line[128];
	const char *start, *end, *other;

	snprintf(line, sizeof(line), "\n%s\n", from);
	start = strstr(text, line);
	if (!start)
		return NULL;
	start += strlen(line) - 1;
	end = strstr(start, macro);
	other = strstr(start, or_macro);
	if (!end || (other && other < end))
		end = other;
	return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

static void assert_has(const char *entry, const char *field, const char *text)
{
	if (!strstr(entry, text))
		print_message("%s: \"%s\" is not in:%s\n", field, text, entry);
	assert_non_null(strstr(entry, text));
}

static void check_numbers(const struct config_field *field, const char *entry)
{
	char text[64];

	if (field->type == &config_type_number) {
		snprintf(text, sizeof(text), "%" PRId64 " to %" PRId64, field->min, field->max);
		assert_has(entry, field->name, text);
	}
	if (field->list_max && strcmp(field->name, "workers")) {
		snprintf(text, sizeof(text), "up to %u ", field->list_max);
		assert_has(entry, field->name, text);
	}
	for (int i = 0; field->choices && field->choices[i]; i++)
		assert_has(entry, field->name, field->choices[i]);
}

/* The default as the canonical document has it; what it leaves out has a text of its own. */
static void check_default(const struct config_field *field, const char *entry, const json_t *value)
{
	char text[128];

	if (field->required || json_is_object(value))
		return;
	/* The first follows the network's name, the second is what the example stands on. */
	if (!strcmp(field->name, "tenant") || !strcmp(field->name, "device"))
		value = NULL;
	if (json_is_string(value))
		snprintf(text, sizeof(text), "Default: %s.", json_string_value(value));
	else if (json_is_boolean(value))
		snprintf(
			text, sizeof(text), "Default: %s.", json_is_true(value) ? "true" : "false");
	else if (json_is_integer(value))
		snprintf(text, sizeof(text), "Default: %" JSON_INTEGER_FORMAT ".",
			json_integer_value(value));
	else
		snprintf(text, sizeof(text), "Default: ");
	assert_has(entry, field->name, text);
}

static void check_table(const char *name, const struct config_table *table, const json_t *defaults)
{
	char line[64];
	char *section;

	snprintf(line, sizeof(line), ".SS %s", name);
	section = cut(page, line, "\n.SS ", "\n.SH ");
	if (!section)
		print_message("no section %s\n", name);
	assert_non_null(section);
	for (const struct config_field *f = table->fields; f->name; f++) {
		const json_t *value = json_object_get(defaults, f->name);
		char *entry;

		if (f->table && json_is_array(value))
			value = json_array_get(value, 0);
		snprintf(line, sizeof(line), ".TP\n.B %s", f->name);
		entry = cut(section, line, "\n.TP", "\n.SS");
		if (!entry)
			print_message("no entry %s in section %s\n", f->name, name);
		assert_non_null(entry);
		check_numbers(f, entry);
		if (f->table)
			check_table(f->name, f->table, value);
		else if (strcmp(name, "control-access") && strcmp(name, "socket-access"))
			check_default(f, entry, value);
		free(entry);
	}
	free(section);
}

static const char plain[] =
	"networks: [{name: n}]\n"
	"ports: [{name: p, network: n, vhost-user: {socket: /s}}]\n"
	"uplinks: [{name: u, device: net_ring0, vxlan: {local: 192.0.2.1/24}}]\n"
	"tenants: [{name: n}]\n"
	"groups: [{name: g, tenant: n, rules: [{direction: in, action: deny}]}]\n"
	"sets: [{name: s, tenant: n}]\n"
	"inspection: [{tenant: n, quarantine: {allow: [{protocol: tcp}]}}]\n"
	"replay: [{port: p, ips: [10.0.0.1]}]\n";

static void every_field_has_its_entry(void **state)
{
	struct config *config = decode_good(plain);
	json_t *tree = config_encode(config);

	for (const struct config_field *f = config_fields_root.fields; f->name; f++) {
		const json_t *value = json_object_get(tree, f->name);

		check_table(
			f->name, f->table, json_is_array(value) ? json_array_get(value, 0) : value);
	}
	json_decref(tree);
	config_free(config);
}

/* Fields of table and of those in it; sections of the same name are one in the page. */
static unsigned count_fields(const char *name, const struct config_table *table, json_t *seen)
{
	unsigned fields = 0;

	if (json_object_get(seen, name))
		return 0;
	json_object_set_new(seen, name, json_true());
	for (const struct config_field *f = table->fields; f->name; f++)
		fields += 1 + (f->table ? count_fields(f->name, f->table, seen) : 0);
	return fields;
}

/* Entries that the tables do not know would be fields that the switch refuses. */
static void every_entry_has_its_field(void **state)
{
	static const char tag[] = "\n.TP\n.B ";
	const char *end = strstr(page, "\n.SH FILES");
	json_t *seen = json_object();
	unsigned entries = 0;

	for (const char *at = strstr(page, tag); at && at < end; at = strstr(at + 1, tag))
		entries++;
	assert_int_equal(entries, count_fields("", &config_fields_root, seen));
	json_decref(seen);
}

static void assert_page_says(unsigned number, const char *what)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %s", number, what);
	assert_has(page, "page", text);
}

static void the_limits_are_those_of_the_switch(void **state)
{
	assert_page_says(CONFIG_DOC_SIZE_MAX >> 20, "MiB");
	assert_page_says(CONFIG_DOC_NODES_MAX, "values");
	assert_page_says(CONFIG_DOC_DEPTH_MAX, "deep");
	assert_page_says(CONFIG_NETWORKS_MAX, "networks");
	assert_page_says(CONFIG_PORTS_MAX, "ports");
	assert_page_says(CONFIG_UPLINKS_MAX, "uplinks");
	assert_page_says(CONFIG_TENANTS_MAX, "tenants");
	assert_page_says(CONFIG_GROUPS_MAX, "groups");
	assert_page_says(CONFIG_SETS_MAX, "sets");
	assert_page_says(CONFIG_REPLAY_MAX, "entries");
	assert_page_says(CONFIG_NAME_MAX, "letters");
	assert_page_says(CONFIG_PATH_MAX, "characters");
	assert_has(page, "workers", "A list of 1 to 16 cores");
	assert_int_equal(CONFIG_WORKERS_MAX, 16);
}

/* The page's own example, without what makes a line of it a manual page's. */
static void the_pages_example_is_valid(void **state)
{
	char *example = cut(page, ".EX", "\n.EE", "\n.SH");
	struct config *config;

	assert_non_null(example);
	config = decode(example);
	/* This host may lack the group kvm: then that is the only fault. */
	if (!config) {
		assert_int_equal(report.n_errors, 1);
		assert_string_equal(report.messages[0].field, "vswitch.socket-access.group");
	} else {
		assert_int_equal(config->n_ports, 3); /* with what the uplink carries */
	}
	config_free(config);
	free(example);
}

static void the_example_file_is_valid(void **state)
{
	struct config_doc *doc;
	struct config *config;

	config_report_init(&report);
	doc = config_doc_from_file("dataplane/example.yaml", &report);
	assert_non_null(doc);
	config = config_decode(doc, &report);
	config_report_print(&report, stdout);
	assert_non_null(config);
	assert_int_equal(report.n_errors, 0);
	assert_int_equal(report.n_warnings, 1); /* sensor, which has the MACs of many */
	assert_int_equal(config->n_networks, 3);
	assert_int_equal(config->n_listed_ports, 6);
	assert_string_equal(config->ports[6].name, "nic0.100");
	assert_string_equal(config->ports[7].name, "eth1.host2.5000");
	assert_int_equal(config->n_ports, 9);
	assert_int_equal(config->n_replay, 2);
	assert_true(config_port(config, "vm2")->isolated);
	assert_int_equal(config_port(config, "nas")->mtu, 9000);
	assert_int_equal(config_network(config, "lab")->mac_age, 600);
	config_free(config);
	config_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_has_its_entry),
		cmocka_unit_test(every_entry_has_its_field),
		cmocka_unit_test(the_limits_are_those_of_the_switch),
		cmocka_unit_test(the_pages_example_is_valid),
		cmocka_unit_test(the_example_file_is_valid),
	};

	return cmocka_run_group_tests_name("config_manual", tests, read_page, free_page);
}
