/*
 * Reading YAML into a tree with line numbers, and printing it again: which texts are refused and
 * why, what scalars mean, where nodes stand, and the limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_doc.h"
#include "config_yaml_out.h"

static struct config_report report;

static struct config_doc *read_text(const char *text, size_t len)
{
	config_report_init(&report);
	return config_doc_from_yaml("f.yaml", text, len, &report);
}

/* The tree that text is, as compact JSON; the caller frees it. */
static char *tree_of(const char *text)
{
	struct config_doc *doc = read_text(text, strlen(text));
	char *json;

	if (!doc)
		config_report_print(&report, stdout);
	assert_non_null(doc);
	assert_int_equal(report.n_messages, 0);
	json = json_dumps(config_doc_root(doc), JSON_COMPACT | JSON_ENCODE_ANY);
	config_doc_free(doc);
	return json;
}

static void assert_tree(const char *text, const char *expected)
{
	char *json = tree_of(text);

	assert_string_equal(json, expected);
	free(json);
}

static void assert_message(
	unsigned i, unsigned line, unsigned col, const char *field, const char *text)
{
	const struct config_message *m = &report.messages[i];

	assert_true(i < report.n_messages);
	assert_string_equal(m->text, text);
	assert_string_equal(m->field, field);
	assert_string_equal(m->file, "f.yaml");
	assert_int_equal(m->line, line);
	assert_int_equal(m->col, col);
	assert_false(m->warning);
}

/* text is refused with exactly this one message. */
static void assert_refused(
	const char *text, unsigned line, unsigned col, const char *field, const char *why)
{
	assert_null(read_text(text, strlen(text)));
	assert_message(0, line, col, field, why);
	assert_int_equal(report.n_errors, 1);
}

static void scalars_follow_the_core_schema(void **state)
{
	assert_tree("[0, 7, -7, +7, 0x1F, 0o17]", "[0,7,-7,7,31,15]");
	assert_tree("[true, True, TRUE, false]", "[true,true,true,false]");
	assert_tree("[~, null, Null, NULL]", "[null,null,null,null]");
	assert_tree("a:", "{\"a\":null}");
	assert_tree("[yes, no, on, off, y, n]", "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]");
}

static void numbers_that_are_in_dispute_stay_text(void **state)
{
	assert_tree("[0660, 00, -01, 1.5, 1e3, .inf]",
		"[\"0660\",\"00\",\"-01\",\"1.5\",\"1e3\",\".inf\"]");
	assert_tree("[02:00:00:00:00:01, 52:54:00:12:34:56]",
		"[\"02:00:00:00:00:01\",\"52:54:00:12:34:56\"]");
	assert_tree("[0x, 0o8, 0xg, -, 1_000]", "[\"0x\",\"0o8\",\"0xg\",\"-\",\"1_000\"]");
	assert_tree("[9223372036854775807, 9223372036854775808, -9223372036854775809]",
		"[9223372036854775807,\"9223372036854775808\",\"-9223372036854775809\"]");
}

/* A part of a text: what stands behind it does not count. */
static void scalars_end_at_their_length(void **state)
{
	json_t *number = config_doc_plain_scalar("12,3", 2);
	json_t *truth = config_doc_plain_scalar("trueish", 4);
	json_t *none = config_doc_plain_scalar("x", 0);
	json_t *text = config_doc_plain_scalar("12\0", 3);

	assert_int_equal(json_integer_value(number), 12);
	assert_true(json_is_true(truth));
	assert_true(json_is_null(none));
	assert_int_equal(json_string_length(text), 3);
	assert_null(config_doc_plain_scalar("\xff", 1));
	json_decref(number);
	json_decref(text);
}

static void quoted_scalars_are_text(void **state)
{
	assert_tree("['1', \"true\", '', \"null\"]", "[\"1\",\"true\",\"\",\"null\"]");
	assert_tree("a: |\n  1\n", "{\"a\":\"1\\n\"}");
	assert_tree("a: \"\\u00e9\\/\\x41\"", "{\"a\":\"\xc3\xa9/A\"}");
}

static void json_is_yaml(void **state)
{
	assert_tree("{\"a\":1,\"b\":[{\"c\":true},null],\"d\":\"x\\\"y\\\\z\"}",
		"{\"a\":1,\"b\":[{\"c\":true},null],\"d\":\"x\\\"y\\\\z\"}");
	assert_tree("\xef\xbb\xbf{a: 1}", "{\"a\":1}"); /* byte order mark */
	assert_tree("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
}

static const char nested[] = "vswitch:\n"
			     "  workers: [1, 22]\n"
			     "ports:\n"
			     "  - name: vm1\n"
			     "    vhost-user: {socket: /a, tso: yes}\n"
			     "  -   name: vm2\n"
			     "      mac:\n"
			     "        x\n"
			     "a.b[0]:\n"
			     "  c: 1\n";

static void lines_are_known_by_path(void **state)
{
	static const struct {
		const char *path;
		unsigned line, col;
	} places[] = {
		{"", 1, 1},
		{"vswitch", 1, 1},
		{"vswitch.workers", 2, 3},
		{"vswitch.workers[0]", 2, 13},
		{"vswitch.workers[1]", 2, 16},
		{"ports[0]", 4, 5},
		{"ports[0].vhost-user.tso", 5, 30},
		{"ports[1]", 6, 7},
		{"ports[1].mac", 7, 7},
		{"a.b[0].c", 10, 3},
		/* nearest parents of what is not there */
		{"vswitch.workers[2]", 2, 3},
		{"ports[7].name", 3, 1},
		{"ports[1].mtu", 6, 7},
		{"ports[1].mac.deeper[3]", 7, 7},
		{"vswitch[0]", 1, 1},
		{"ports[99999999999999999999]", 3, 1},
		{"ports[x]", 3, 1},
		{"vswitch.work", 1, 1},
		{"nothing", 1, 1},
	};
	struct config_doc *doc = read_text(nested, strlen(nested));

	assert_non_null(doc);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		unsigned line, col;

		config_doc_where(doc, places[i].path, &line, &col);
		print_message("%s\n", places[i].path);
		assert_int_equal(line, places[i].line);
		assert_int_equal(col, places[i].col);
	}
	assert_string_equal(config_doc_name(doc), "f.yaml");
	config_doc_free(doc);
}

static void a_tree_without_text_has_no_lines(void **state)
{
	json_t *root = json_pack("{s:i}", "a", 1);
	struct config_doc *doc = config_doc_from_json("command", root);
	unsigned line = 7, col = 7;

	config_doc_where(doc, "a", &line, &col);
	assert_int_equal(line, 0);
	assert_int_equal(col, 0);
	assert_ptr_equal(config_doc_root(doc), root);
	config_doc_free(doc);
	assert_int_equal(root->refcount, 1);
	json_decref(root);
}

static void a_second_copy_of_a_field_is_refused(void **state)
{
	assert_refused("a: 1\nb:\n  - {c: 1, d: 2,\n     c: 3}\n", 4, 6, "b[0].c",
		"is given twice, first on line 3: remove one of the two");
	assert_refused("a: {b: 1}\nx: 1\na: {b: {c: 1}}\n", 3, 1, "a",
		"is given twice, first on line 1: remove one of the two");
	/* a second mapping is not looked into: what it holds could name only places in the first */
	assert_refused("a: {b: 1}\na: {b: 2}\na: 3\n", 2, 1, "a",
		"is given twice, first on line 1: remove one of the two");
	assert_null(read_text("a: 1\na: 2\na: 3\nb: 1\nb: 2\n", 25));
	assert_int_equal(report.n_errors, 3);
	assert_message(2, 5, 1, "b", "is given twice, first on line 4: remove one of the two");
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
	assert_null(read_text("a: &x 1\nb: !!str 1\nc: [{d: !<y> {}}]\ne: *x\nf: 1", 45));
	assert_int_equal(report.n_errors, 4);
	assert_message(0, 1, 4, "a",
		"anchors and aliases are not read: write the value out where it is needed");
	assert_message(1, 2, 4, "b",
		"tags are not read: leave the tag out and quote the value if it is text");
	assert_message(2, 3, 9, "c[0].d",
		"tags are not read: leave the tag out and quote the value if it is text");
	assert_message(3, 4, 4, "e",
		"anchors and aliases are not read: write the value out where it is needed");
	assert_null(read_text("&k a: 1", 7));
	assert_null(read_text("- &l [*l]", 9));
	assert_null(read_text("- &m {a: *m}", 12));
}

static void only_one_document_is_read(void **state)
{
	assert_refused("a: 1\n---\nb: 1\n", 2, 1, "",
		"a second document starts here: a file holds only one");
}

static void field_names_are_text(void **state)
{
	char text[CONFIG_DOC_KEY_MAX + 8];
	char *tree;

	assert_refused("a:\n  ? [x]\n  : 1\n", 2, 5, "a",
		"a field's name must be text, not a mapping or list");
	assert_refused(
		"? {x: 1}\n: 1\n", 1, 3, "", "a field's name must be text, not a mapping or list");
	assert_refused("'': 1\n", 1, 1, "", "a field's name must be text of 1 to 64 characters");
	assert_refused(
		"\"a\\0b\": 1\n", 1, 1, "", "a field's name must be text of 1 to 64 characters");
	memset(text, 'k', CONFIG_DOC_KEY_MAX + 1);
	strcpy(text + CONFIG_DOC_KEY_MAX + 1, ": 1");
	assert_refused(text, 1, 1, "", "a field's name must be text of 1 to 64 characters");
	text[0] = ' ';
	tree = tree_of(text);
	assert_non_null(strstr(tree, "kkk"));
	free(tree);
}

static void syntax_errors_name_line_and_cause(void **state)
{
	assert_refused("a: 1\nb: [1, {c: 2]\n", 2, 13, "",
		"not YAML: did not find expected ',' or '}' while parsing a flow mapping that "
		"starts on line 2");
	assert_refused("a:\n\tb: 1\n", 2, 1, "",
		"not YAML: found character that cannot start any token while scanning for the next "
		"token that starts on line 2; indent with spaces, and quote a value that starts "
		"with @, ` or %");
	assert_refused("a: 'x\n", 2, 1, "",
		"not YAML: found unexpected end of stream while scanning a quoted scalar that "
		"starts on line 1");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char utf16[] = "\xff\xfe\x61\x00\x3a\x00";

	assert_refused("a: 1\nbc: \xff\n", 2, 5, "", "not UTF-8 text: invalid leading UTF-8 octet");
	assert_refused("a: \xc3(\n", 1, 5, "", "not UTF-8 text: invalid trailing UTF-8 octet");
	assert_refused("a: \xed\xa0\x80\n", 1, 4, "", "not UTF-8 text: invalid Unicode character");
	assert_refused(
		"a: x\x01\n", 1, 5, "", "not UTF-8 text: control characters are not allowed");
	assert_null(read_text(utf16, sizeof(utf16)));
	assert_message(0, 1, 1, "", "not UTF-8 text: invalid leading UTF-8 octet");
	assert_null(read_text("a: 1\0b", 6));
	assert_message(0, 1, 5, "", "not UTF-8 text: control characters are not allowed");
	assert_refused("a: [\"x\\0y\"]\n", 1, 5, "a[0]", "must not contain a NUL character");
}

static void an_empty_file_is_not_an_empty_configuration(void **state)
{
	static const char *const texts[] = {"", "\n\n", "# all gone\n"};

	for (size_t i = 0; i < 3; i++)
		assert_refused(
			texts[i], 0, 0, "", "is empty; a file with no networks and ports says {}");
	assert_tree("{}", "{}");
	assert_tree("---\n", "null");
}

static void depth_is_limited(void **state)
{
	char text[2 * CONFIG_DOC_DEPTH_MAX + 4] = "";

	memset(text, '[', CONFIG_DOC_DEPTH_MAX);
	memset(text + CONFIG_DOC_DEPTH_MAX, ']', CONFIG_DOC_DEPTH_MAX);
	free(tree_of(text));
	memset(text, '[', CONFIG_DOC_DEPTH_MAX + 1);
	memset(text + CONFIG_DOC_DEPTH_MAX + 1, ']', CONFIG_DOC_DEPTH_MAX + 1);
	assert_null(read_text(text, strlen(text)));
	assert_int_equal(report.n_errors, 1);
	assert_string_equal(report.messages[0].text,
		"is nested too deeply: take out levels that no field asks for");
	assert_int_equal(report.messages[0].col, CONFIG_DOC_DEPTH_MAX + 1);
}

static void a_flood_of_brackets_ends_early(void **state)
{
	size_t len = 4 << 20;
	char *text = malloc(len);

	memset(text, '[', len);
	assert_null(read_text(text, len));
	assert_int_equal(report.n_errors, 1);
	memset(text, '-', len);
	for (size_t i = 1; i < len; i += 2)
		text[i] = ' ';
	assert_null(read_text(text, len));
	assert_int_equal(report.n_errors, 1);
	free(text);
}

static void scalars_are_limited(void **state)
{
	char text[CONFIG_DOC_SCALAR_MAX + 8] = "a: ";

	memset(text + 3, 'x', CONFIG_DOC_SCALAR_MAX);
	free(tree_of(text));
	text[CONFIG_DOC_SCALAR_MAX + 3] = 'x';
	assert_refused(text, 1, 4, "a", "is longer than the 4096 bytes that a value may have");
}

static void nodes_are_limited(void **state)
{
	size_t len = 2 * CONFIG_DOC_NODES_MAX;
	char *text = malloc(len + 1);
	struct config_doc *doc;

	/* "[ 1,1,1]": the list itself is one node, each digit another. */
	for (size_t i = 0; i < len; i += 2)
		memcpy(text + i, "1,", 2);
	memcpy(text, "[ ", 2);
	text[len - 1] = ']';
	doc = read_text(text, len);
	assert_non_null(doc);
	assert_int_equal(json_array_size(config_doc_root(doc)), CONFIG_DOC_NODES_MAX - 1);
	config_doc_free(doc);
	memcpy(text + len - 1, ",1", 2);
	assert_null(read_text(text, len + 1));
	assert_int_equal(report.n_errors, 1);
	assert_string_equal(report.messages[0].text, "too many values: at most 1048576 are read");
	free(text);
}

static void size_is_limited(void **state)
{
	char *text = malloc(CONFIG_DOC_SIZE_MAX + 1);
	struct config_doc *doc;

	memset(text, ' ', CONFIG_DOC_SIZE_MAX + 1);
	memcpy(text, "a: 1 ", 5);
	doc = read_text(text, CONFIG_DOC_SIZE_MAX);
	assert_non_null(doc);
	config_doc_free(doc);
	assert_null(read_text(text, CONFIG_DOC_SIZE_MAX + 1));
	assert_string_equal(report.messages[0].text, "is larger than the 8 MiB that are read");
	free(text);
}

static void files_are_read(void **state)
{
	char dir[] = "/tmp/vswitch-doc-XXXXXX";
	char path[64];
	struct config_doc *doc;
	FILE *file;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.yaml", dir);
	config_report_init(&report);
	assert_null(config_doc_from_file(path, &report));
	assert_string_equal(report.messages[0].text, "cannot open it: No such file or directory");
	assert_string_equal(report.messages[0].file, path);
	assert_null(config_doc_from_file(dir, &report));
	assert_string_equal(report.messages[1].text, "is no regular file");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(config_doc_from_file(path, &report)); /* and nothing waits for a writer */
	assert_string_equal(report.messages[2].text, "is no regular file");
	unlink(path);
	file = fopen(path, "w");
	fputs("a: [1]\n", file);
	fclose(file);
	doc = config_doc_from_file(path, &report);
	assert_non_null(doc);
	assert_string_equal(config_doc_name(doc), path);
	config_doc_free(doc);
	assert_int_equal(truncate(path, CONFIG_DOC_SIZE_MAX + 1), 0);
	assert_null(config_doc_from_file(path, &report));
	assert_string_equal(report.messages[3].text, "is larger than the 8 MiB that are read");
	unlink(path);
	rmdir(dir);
}

/* What the printer writes is read back as the same tree. */
static void assert_printed(json_t *root, const char *expected)
{
	char *text = config_yaml_out(root);
	struct config_doc *doc;

	assert_non_null(text);
	doc = read_text(text, strlen(text));
	if (!doc)
		config_report_print(&report, stdout);
	assert_non_null(doc);
	assert_true(json_equal(config_doc_root(doc), root));
	if (expected)
		assert_string_equal(text, expected);
	config_doc_free(doc);
	free(text);
	json_decref(root);
}

static void printed_text_is_readable(void **state)
{
	assert_printed(json_pack("{s:[{s:s, s:[s,s], s:b}], s:[], s:{}}", "ports", "name", "vm1",
			       "ips", "10.0.0.1", "2001:db8::1", "tso", 1, "replay", "none"),
		"ports:\n"
		"- name: vm1\n"
		"  ips: [10.0.0.1, '2001:db8::1']\n"
		"  tso: true\n"
		"replay: []\n"
		"none: {}\n");
}

static void printed_text_cannot_be_taken_for_a_number(void **state)
{
	assert_printed(json_pack("[s,s,s,s,s,s,s,i]", "0660", "52:54:00:12:34:56", "1.5", "1e5",
			       "true", "", "52:54:00:aa:34:56", 5),
		"[\"0660\", \"52:54:00:12:34:56\", \"1.5\", \"1e5\", \"true\", \"\", "
		"'52:54:00:aa:34:56', 5]\n");
}

static void every_tree_survives_printing(void **state)
{
	static const char *const texts[] = {" ", " a", "a ", "a: b", "a #b", "- a", "-", "?", "? a",
		"[", "]", "{}", ",", "a,b", "&a", "*a", "!a", "|", ">", "'", "\"", "%", "@", "`",
		"---", "...", "--- a", "~", "null", "No", "0x1f", "0o7", "+1", "\n", "a\nb", "a\n",
		"\ta", "a\tb", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xf0\x9f\x98\x80",
		"\x01\x1f\x7f", "\\", "\\n", "a\\", "<<", "=", ":", "::1", "a:", ":a", "1:2"};
	json_t *list = json_array(), *object = json_object();
	char longest[CONFIG_DOC_SCALAR_MAX + 1] = "";

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		json_array_append_new(list, json_string(texts[i]));
		json_object_set_new(object, texts[i], json_string(texts[i]));
		assert_printed(json_string(texts[i]), NULL);
	}
	assert_printed(json_deep_copy(list), NULL);
	json_array_append_new(list, json_object());
	assert_printed(list, NULL);
	assert_printed(object, NULL);
	memset(longest, 'x', CONFIG_DOC_SCALAR_MAX);
	for (size_t i = 70; i < CONFIG_DOC_SCALAR_MAX; i += 70)
		longest[i] = ' ';
	assert_printed(json_pack("{s:s}", "a", longest), NULL);
	assert_printed(json_pack("[[],[[]],{},[{}],n,b,I,I]", 0, (json_int_t)INT64_MAX,
			       (json_int_t)INT64_MIN),
		NULL);
	list = json_pack("[f]", 1.5);
	assert_null(config_yaml_out(list));
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_follow_the_core_schema),
		cmocka_unit_test(numbers_that_are_in_dispute_stay_text),
		cmocka_unit_test(scalars_end_at_their_length),
		cmocka_unit_test(quoted_scalars_are_text),
		cmocka_unit_test(json_is_yaml),
		cmocka_unit_test(lines_are_known_by_path),
		cmocka_unit_test(a_tree_without_text_has_no_lines),
		cmocka_unit_test(a_second_copy_of_a_field_is_refused),
		cmocka_unit_test(anchors_aliases_and_tags_are_refused),
		cmocka_unit_test(only_one_document_is_read),
		cmocka_unit_test(field_names_are_text),
		cmocka_unit_test(syntax_errors_name_line_and_cause),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(an_empty_file_is_not_an_empty_configuration),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(a_flood_of_brackets_ends_early),
		cmocka_unit_test(scalars_are_limited),
		cmocka_unit_test(nodes_are_limited),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(printed_text_is_readable),
		cmocka_unit_test(printed_text_cannot_be_taken_for_a_number),
		cmocka_unit_test(every_tree_survives_printing),
	};

	return cmocka_run_group_tests_name("config_doc", tests, NULL, NULL);
}
