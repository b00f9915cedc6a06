/* The difference of two documents, and edits that make one document from another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_diff.h"
#include "config_edit.h"

static struct config_error err;

static json_t *tree(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	return json;
}

/* The difference of two texts as JSON, and as lines for people. */
static void assert_diff(const char *from, const char *to, const char *json, const char *lines)
{
	json_t *a = tree(from), *b = tree(to), *diff = config_diff(a, b);
	char *packed = json_dumps(diff, JSON_COMPACT), *printed;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	config_diff_print(diff, out);
	fclose(out);
	assert_string_equal(packed, json);
	assert_string_equal(printed, lines);
	free(packed);
	free(printed);
	json_decref(diff);
	json_decref(a);
	json_decref(b);
}

static void equal_documents_do_not_differ(void **state)
{
	assert_diff("{}", "{}", "[]", "");
	assert_diff("{\"ports\":[{\"name\":\"a\",\"mtu\":1},{\"name\":\"b\"}]}",
		"{\"ports\":[{\"name\":\"b\"},{\"mtu\":1,\"name\":\"a\"}]}", "[]", "");
}

static void fields_are_compared_by_path(void **state)
{
	assert_diff("{\"ports\":[{\"name\":\"vm1\",\"mac\":\"A\",\"s\":{\"x\":1,\"y\":2}}]}",
		"{\"ports\":[{\"name\":\"vm1\",\"mac\":\"B\",\"s\":{\"x\":1,\"z\":true}}]}",
		"[{\"path\":\"ports[vm1].mac\",\"from\":\"A\",\"to\":\"B\"},"
		"{\"path\":\"ports[vm1].s.y\",\"from\":2},"
		"{\"path\":\"ports[vm1].s.z\",\"to\":true}]",
		"~ ports[vm1].mac: A -> B\n"
		"- ports[vm1].s.y: 2\n"
		"+ ports[vm1].s.z: true\n");
}

static void objects_are_added_and_removed(void **state)
{
	assert_diff("{\"ports\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"networks\":[]}",
		"{\"ports\":[{\"name\":\"c\",\"mtu\":9},{\"name\":\"b\"}],\"replay\":[]}",
		"[{\"path\":\"ports[a]\",\"from\":{\"name\":\"a\"}},"
		"{\"path\":\"ports[c]\",\"to\":{\"name\":\"c\",\"mtu\":9}},"
		"{\"path\":\"networks\",\"from\":[]},"
		"{\"path\":\"replay\",\"to\":[]}]",
		"- ports[a]: {\"name\": \"a\"}\n"
		"+ ports[c]: {\"name\": \"c\", \"mtu\": 9}\n"
		"- networks: []\n"
		"+ replay: []\n");
	assert_diff("{\"ports\":[]}", "{\"ports\":[{\"name\":\"a\"}]}",
		"[{\"path\":\"ports[a]\",\"to\":{\"name\":\"a\"}}]",
		"+ ports[a]: {\"name\": \"a\"}\n");
}

static void replay_entries_go_by_their_port(void **state)
{
	assert_diff("{\"replay\":[{\"port\":\"a\",\"ips\":[\"x\"]},{\"port\":\"b\"}]}",
		"{\"replay\":[{\"port\":\"b\"},{\"port\":\"a\",\"ips\":[\"x\",\"y\"]}]}",
		"[{\"path\":\"replay[a].ips\",\"from\":[\"x\"],\"to\":[\"x\",\"y\"]}]",
		"~ replay[a].ips: [\"x\"] -> [\"x\", \"y\"]\n");
}

static void lists_without_names_are_compared_whole(void **state)
{
	assert_diff("{\"w\":[1,2]}", "{\"w\":[2,1]}",
		"[{\"path\":\"w\",\"from\":[1,2],\"to\":[2,1]}]", "~ w: [1, 2] -> [2, 1]\n");
	assert_diff("{\"p\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "{\"p\":[{\"name\":\"a\"}]}",
		"[{\"path\":\"p\",\"from\":[{\"name\":\"a\"},{\"name\":\"a\"}],"
		"\"to\":[{\"name\":\"a\"}]}]",
		"~ p: [{\"name\": \"a\"}, {\"name\": \"a\"}] -> [{\"name\": \"a\"}]\n");
	assert_diff("{\"a\":1}", "{\"a\":\"1\"}", "[{\"path\":\"a\",\"from\":1,\"to\":\"1\"}]",
		"~ a: 1 -> \"1\"\n");
}

static void printed_values_cannot_forge_lines(void **state)
{
	assert_diff("{\"a\":\"x\"}", "{\"a\":\"y\\n+ b: 1\"}",
		"[{\"path\":\"a\",\"from\":\"x\",\"to\":\"y\\n+ b: 1\"}]",
		"~ a: x -> \"y\\n+ b: 1\"\n");
	assert_diff("{\"a\":\"\"}", "{\"a\":\"\\u001b[0m\\u00e9\"}",
		"[{\"path\":\"a\",\"from\":\"\",\"to\":\"\\u001B[0m\xc3\xa9\"}]",
		"~ a: \"\" -> \"\\u001B[0m\\u00E9\"\n");
}

static void deep_trees_end_in_a_whole_value(void **state)
{
	char a[512] = "", b[512] = "", *end = a;
	json_t *from, *to, *diff;

	for (int i = 0; i < 40; i++)
		end += sprintf(end, "{\"a\":");
	strcpy(b, a);
	strcpy(end, "1");
	strcat(b, "2");
	for (int i = 0; i < 40; i++) {
		strcat(a, "}");
		strcat(b, "}");
	}
	from = tree(a);
	to = tree(b);
	diff = config_diff(from, to);
	assert_int_equal(json_array_size(diff), 1);
	assert_true(json_is_object(json_object_get(json_array_get(diff, 0), "to")));
	json_decref(from);
	json_decref(to);
	json_decref(diff);
}

static const char before[] =
	"{\"vswitch\":{\"workers\":[1]},\"networks\":[{\"name\":\"n\"},{\"name\":\"m\"}],"
	"\"ports\":[{\"name\":\"vm1\",\"network\":\"n\",\"mtu\":1500,"
	"\"vhost-user\":{\"socket\":\"/s\",\"queues\":2}},{\"name\":\"vm2\",\"network\":\"n\"}]}";

enum edit { ADD, SET, REMOVE };

static json_t *edit(const json_t *root, enum edit kind, const char *section, const char *name,
	const char *object)
{
	json_t *given = object ? tree(object) : NULL, *result;

	strcpy(err.text, "left from before");
	if (kind == ADD)
		result = config_edit_add(root, section, given, &err);
	else if (kind == SET)
		result = config_edit_set(root, section, name, given, &err);
	else
		result = config_edit_remove(root, section, name, &err);
	json_decref(given);
	return result;
}

/* The edit changes exactly this, and the old tree not at all. */
static void assert_edit(enum edit kind, const char *section, const char *name, const char *object,
	const char *change)
{
	json_t *root = tree(before), *untouched = tree(before);
	json_t *result = edit(root, kind, section, name, object);
	json_t *diff = config_diff(root, result);
	char *text = json_dumps(diff, JSON_COMPACT);

	assert_non_null(result);
	assert_string_equal(err.text, "");
	assert_true(json_equal(root, untouched));
	assert_string_equal(text, change);
	/* what was not changed is shared, however long it is */
	assert_ptr_equal(json_object_get(root, "vswitch"), json_object_get(result, "vswitch"));
	free(text);
	json_decref(diff);
	json_decref(root);
	json_decref(untouched);
	json_decref(result);
}

static void assert_edit_refused(
	enum edit kind, const char *section, const char *name, const char *object, const char *why)
{
	json_t *root = tree(before), *untouched = tree(before);

	assert_null(edit(root, kind, section, name, object));
	assert_string_equal(err.text, why);
	assert_true(json_equal(root, untouched));
	json_decref(root);
	json_decref(untouched);
}

static void objects_can_be_added(void **state)
{
	assert_edit(ADD, "ports", NULL, "{\"name\":\"vm3\",\"network\":\"m\"}",
		"[{\"path\":\"ports[vm3]\",\"to\":{\"name\":\"vm3\",\"network\":\"m\"}}]");
	assert_edit(ADD, "networks", NULL, "{\"name\":\"vm1\"}",
		"[{\"path\":\"networks[vm1]\",\"to\":{\"name\":\"vm1\"}}]");
	assert_edit_refused(ADD, "ports", NULL, "{\"name\":\"vm1\"}",
		"port vm1 exists already: set its fields, or remove it first");
	assert_edit_refused(ADD, "ports", NULL, "{\"network\":\"n\"}", "a new port needs a name");
	assert_edit_refused(ADD, "networks", NULL, "{\"name\":5}", "a new network needs a name");
	assert_edit_refused(ADD, "networks", NULL, "[]", "a new network needs a name");
}

static void a_missing_section_is_made(void **state)
{
	json_t *root = tree("{\"ports\":null}");
	json_t *result = edit(root, ADD, "ports", NULL, "{\"name\":\"p\"}");
	json_t *expected = tree("{\"ports\":[{\"name\":\"p\"}]}");

	assert_true(json_equal(result, expected));
	json_decref(expected);
	json_decref(result);
	result = edit(root, ADD, "networks", NULL, "{\"name\":\"p\"}");
	expected = tree("{\"ports\":null,\"networks\":[{\"name\":\"p\"}]}");
	assert_true(json_equal(result, expected));
	json_decref(expected);
	json_decref(result);
	json_decref(root);
}

static void fields_can_be_set_and_taken_out(void **state)
{
	assert_edit(SET, "ports", "vm1",
		"{\"mtu\":null,\"mac\":\"A\",\"vhost-user\":{\"queues\":4,\"tso\":false}}",
		"[{\"path\":\"ports[vm1].mtu\",\"from\":1500},"
		"{\"path\":\"ports[vm1].vhost-user.queues\",\"from\":2,\"to\":4},"
		"{\"path\":\"ports[vm1].vhost-user.tso\",\"to\":false},"
		"{\"path\":\"ports[vm1].mac\",\"to\":\"A\"}]");
	assert_edit(SET, "ports", "vm2",
		"{\"name\":\"vm2\",\"storm\":{\"broadcast\":1,\"x\":null}}",
		"[{\"path\":\"ports[vm2].storm\",\"to\":{\"broadcast\":1}}]");
	assert_edit(SET, "ports", "vm1", "{\"vhost-user\":null,\"kernel\":{\"interface\":\"i\"}}",
		"[{\"path\":\"ports[vm1].vhost-user\",\"from\":{\"socket\":\"/s\",\"queues\":2}},"
		"{\"path\":\"ports[vm1].kernel\",\"to\":{\"interface\":\"i\"}}]");
	assert_edit(SET, "ports", "vm1", "{}", "[]");
	assert_edit_refused(SET, "ports", "vm9", "{}", "port vm9 does not exist");
	assert_edit_refused(SET, "networks", "vm1", "{}", "network vm1 does not exist");
	assert_edit_refused(
		SET, "ports", "vm1", "[1]", "a change of port vm1 must be a mapping of fields");
	assert_edit_refused(SET, "ports", "vm1", "{\"name\":\"vm7\"}",
		"the name of port vm1 cannot be changed: remove it and add another");
	assert_edit_refused(SET, "ports", "vm1", "{\"name\":null}",
		"the name of port vm1 cannot be changed: remove it and add another");
	assert_edit_refused(SET, "ports", "vm1",
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}",
		"the change of port vm1 is nested too deeply");
}

static void objects_can_be_removed(void **state)
{
	assert_edit(REMOVE, "ports", "vm2", NULL,
		"[{\"path\":\"ports[vm2]\",\"from\":{\"name\":\"vm2\",\"network\":\"n\"}}]");
	assert_edit(REMOVE, "networks", "m", NULL,
		"[{\"path\":\"networks[m]\",\"from\":{\"name\":\"m\"}}]");
	assert_edit_refused(REMOVE, "ports", "vm9", NULL, "port vm9 does not exist");
	assert_edit_refused(REMOVE, "networks", "n", NULL,
		"network n still has ports (2, the first is vm1): remove them first");
}

static void other_sections_are_not_edited(void **state)
{
	json_t *root = tree("[]");

	assert_edit_refused(SET, "vswitch", "a", "{}",
		"section vswitch has no objects to edit: networks, ports, uplinks, tenants, groups "
		"and sets "
		"have");
	assert_edit_refused(REMOVE, "replay", "vm1", NULL,
		"section replay has no objects to edit: networks, ports, uplinks, tenants, groups "
		"and sets "
		"have");
	assert_null(edit(root, ADD, "ports", NULL, "{\"name\":\"a\"}"));
	assert_string_equal(err.text, "there is no configuration to edit: apply one first");
	assert_null(edit(NULL, REMOVE, "ports", "a", NULL));
	assert_string_equal(err.text, "there is no configuration to edit: apply one first");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_documents_do_not_differ),
		cmocka_unit_test(fields_are_compared_by_path),
		cmocka_unit_test(objects_are_added_and_removed),
		cmocka_unit_test(replay_entries_go_by_their_port),
		cmocka_unit_test(lists_without_names_are_compared_whole),
		cmocka_unit_test(printed_values_cannot_forge_lines),
		cmocka_unit_test(deep_trees_end_in_a_whole_value),
		cmocka_unit_test(objects_can_be_added),
		cmocka_unit_test(a_missing_section_is_made),
		cmocka_unit_test(fields_can_be_set_and_taken_out),
		cmocka_unit_test(objects_can_be_removed),
		cmocka_unit_test(other_sections_are_not_edited),
	};

	return cmocka_run_group_tests_name("config_diff", tests, NULL, NULL);
}
