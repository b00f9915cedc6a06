/*
 * The table of commands against everything that is made from it, and requests from every side:
 * malformed, refused and right ones, answered on a fake switch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <unistd.h>

#include "commands.h"
#include "events.h"
#include "fake_switch.h"
#include "help.h"
#include "local.h"
#include "loop.h"
#include "quarantine.h"
#include "temp_dir.h"
#include "transaction.h"

static const struct control_peer peer = {1000, 1000, 42};

static int setup(void **state)
{
	char text[512];

	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	snprintf(text, sizeof(text),
		"vswitch: {state: %s/state}\nnetworks: [{name: office}]\n"
		"ports: [{name: vm1, network: office, kernel: {interface: a1}}]\n"
		"groups: [{name: web, tenant: office}]\nsets: [{name: admins, tenant: office}]\n"
		"uplinks: [{name: eth1, device: net_ring0}]\n",
		dir);
	write_text("v.yaml", text);
	events_open("");
	return transaction_load(in_dir("v.yaml")) != NULL && transaction_start() ? 0 : -1;
}

static int teardown(void **state)
{
	transaction_stop();
	quarantine_free();
	events_close();
	loop_close();
	fake_switch_reset();
	return remove_dir(state);
}

/* The reply to a line; the caller owns it. */
static json_t *ask(const char *line)
{
	json_t *reply = commands_answer(line, strlen(line), &peer);

	assert_true(json_is_object(reply));
	assert_true(json_is_boolean(json_object_get(reply, "ok")));
	assert_int_equal(json_integer_value(json_object_get(reply, "api")), COMMAND_API);
	return reply;
}

/* Whether the reply to a line is ok, or else its code. */
static const char *code_of(const char *line)
{
	static char code[32];
	json_t *reply = ask(line);
	const char *text = json_string_value(json_object_get(reply, "code"));

	assert_true((text == NULL) == json_is_true(json_object_get(reply, "ok")));
	assert_true(text == NULL || json_string_length(json_object_get(reply, "error")) > 0);
	snprintf(code, sizeof(code), "%s", text == NULL ? "ok" : text);
	json_decref(reply);
	return code;
}

static void check_args_declared(const struct command *command)
{
	bool optional = false, rest = false;

	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		const struct command_arg *arg = &command->args[i];

		assert_true(arg->help != NULL && arg->help[0] != '\0');
		assert_true(arg->type != ARG_FLAG || arg->place == ARG_OPTION);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(command->args[j].name, arg->name);
		if (command_arg_is_named(arg))
			continue;
		assert_false(rest); /* nothing can follow what takes all the rest */
		assert_false(optional && arg->place == ARG_REQUIRED);
		optional |= arg->place == ARG_OPTIONAL;
		rest |= arg->type == ARG_SETTINGS || arg->type == ARG_WORDS;
	}
}

static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < COMMANDS; i++) {
		const struct command *command = &commands[i];
		size_t len = strlen(command->help);

		assert_true(islower((unsigned char)command->words[0]));
		assert_true(len > 0 && isupper((unsigned char)command->help[0]));
		assert_int_not_equal(command->help[len - 1], '.');
		assert_true(
			command->more == NULL || command->more[strlen(command->more) - 1] == '.');
		assert_true((command->shape == SHAPE_TABLE) == (command->columns != NULL));
		assert_true(
			(command->kind == COMMAND_LOCAL) == (local_handler(command, NULL) != NULL));
		assert_ptr_equal(command_exact(command->words), command);
		check_args_declared(command);
	}
}

/* words, cut at blanks, for command_find(). */
static const struct command *find(const char *words, int *used, char *err, size_t err_len)
{
	char copy[128], *argv[8], *save = NULL;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	return command_find(argc, argv, used, err, err_len);
}

static void test_find(void **state)
{
	char err[512];
	int used;

	(void)state;
	for (int i = 0; i < COMMANDS; i++)
		assert_ptr_equal(find(commands[i].words, &used, err, sizeof(err)), &commands[i]);
	assert_ptr_equal(find("po l", &used, err, sizeof(err)), &commands[COMMAND_port_list]);
	assert_int_equal(used, 2);
	assert_ptr_equal(find("stats vm1", &used, err, sizeof(err)), &commands[COMMAND_stats]);
	assert_int_equal(used, 1);
	assert_ptr_equal(
		find("w m n x 3", &used, err, sizeof(err)), &commands[COMMAND_worker_move_network]);
	assert_int_equal(used, 3);
	assert_null(find("s", &used, err, sizeof(err)));
	assert_non_null(strstr(err, "status, "));
	assert_non_null(strstr(err, ", stats"));
	assert_null(find("prot list", &used, err, sizeof(err)));
	assert_non_null(strstr(err, "near it: port"));
	assert_null(find("port lits", &used, err, sizeof(err)));
	assert_non_null(strstr(err, "near it: list"));
	assert_null(find("port", &used, err, sizeof(err)));
	assert_non_null(strstr(err, "list, show, add, set, del"));
	assert_null(find("xyzzyxyzzy", &used, err, sizeof(err)));
	assert_non_null(strstr(err, "there is: status"));
	assert_null(find("", &used, err, sizeof(err)));
}

static char *printed(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	print(out);
	fclose(out);
	return text;
}

/* Without roff's backslashes. */
static void strip(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text != '\\')
			*to++ = *text;
	}
	*to = '\0';
}

/* Every command, argument and exit code stands in help and manual page. */
static void test_help_and_manual(void **state)
{
	char *overview = printed(help_overview), *man = printed(help_man), line[512];

	(void)state;
	strip(man);
	for (int i = 0; i < COMMANDS; i++) {
		assert_non_null(strstr(overview, commands[i].words));
		assert_non_null(strstr(overview, commands[i].help));
		command_synopsis(&commands[i], line + 4, sizeof(line) - 4);
		memcpy(line, ".SS ", 4);
		assert_non_null(strstr(man, line));
		for (int j = 0; j < COMMAND_ARGS_MAX && commands[i].args[j].name != NULL; j++)
			assert_non_null(strstr(man, commands[i].args[j].help));
	}
#define EXIT_CODE(name, number, text)                                                              \
	assert_non_null(strstr(overview, text));                                                   \
	assert_non_null(strstr(man, text));
#include "exit_codes.def"
#undef EXIT_CODE
	free(overview);
	free(man);
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"",
		"x",
		"[]",
		"{}",
		"7",
		"null",
		"{\"command\":7}",
		"{\"command\":\"no such\"}",
		"{\"command\":\"status\",\"command\":\"stats\"}",
		"{\"command\":\"status\"",
		"{\"command\":\"status\",\"api\":2}",
		"{\"command\":\"status\",\"args\":[]}",
		"{\"command\":\"status\",\"args\":{\"x\":1}}",
		"{\"command\":\"port show\"}",
		"{\"command\":\"port show\",\"args\":{\"name\":7}}",
		"{\"command\":\"port show\",\"args\":{\"name\":\"a\\nb\"}}",
		"{\"command\":\"stats\",\"args\":{\"port\":null}}",
		"{\"command\":\"port add\",\"args\":{\"name\":\"x\",\"settings\":[]}}",
		"{\"command\":\"port add\",\"args\":{\"name\":\"x\",\"settings\":{\"a\":1}}}",
		"{\"command\":\"config rollback\",\"args\":{\"revision\":-1}}",
		"{\"command\":\"config apply\",\"args\":{\"file\":\"/etc/passwd\"}}",
		"{\"command\":\"config apply\",\"args\":{\"file\":{\"name\":\"x\"}}}",
		"{\"command\":\"config apply\",\"args\":{\"file\":{\"name\":\"x\",\"text\":\"\"},"
		"\"confirm-within\":0}}",
		"{\"command\":\"config check\",\"args\":{\"file\":{\"name\":\"x\",\"text\":\"\"}}}",
		"{\"command\":\"help\"}",
		"\xff\xfe",
		"{\"command\":\"\\ud800\"}",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strcmp(code_of(lines[i]), "usage") != 0)
			fail_msg("%s is answered %s", lines[i], code_of(lines[i]));
	}
	assert_string_equal(code_of("{\"command\":\"status\",\"api\":1}"), "ok");
}

/* Arguments that every command accepts; the caller owns the reference. */
static json_t *some_args(const struct command *command)
{
	json_t *args = json_object();

	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		const struct command_arg *arg = &command->args[i];

		/* Some want a port or something else, which is no command's to require then. */
		if (arg->place != ARG_REQUIRED &&
			(arg->place != ARG_OPTIONAL || arg->type != ARG_PORT))
			continue;
		json_object_set_new(args, arg->name,
			json_string(arg->type == ARG_NETWORK  ? "office"
				    : arg->type == ARG_GROUP  ? "web"
				    : arg->type == ARG_SET    ? "admins"
				    : arg->type == ARG_UPLINK ? "eth1"
							      : "vm1"));
	}
	return args;
}

/* What a command that looks answers has the shape that the table says it has. */
static void check_shape(const struct command *command, const json_t *result)
{
	char rows[64];

	switch (command->shape) {
	case SHAPE_TABLE:
		if (sscanf(command->columns, "/%63s", rows) == 1)
			result = json_object_get(result, rows);
		assert_true(json_is_array(result));
		break;
	case SHAPE_RECORD:
		assert_true(json_is_object(result));
		break;
	case SHAPE_TEXT:
		assert_true(json_is_string(json_object_get(result, "text")));
		break;
	case SHAPE_DONE:
		assert_true(json_is_string(json_object_get(result, "message")));
		break;
	}
}

static void test_every_reader(void **state)
{
	(void)state;
	assert_string_equal(
		code_of("{\"command\":\"quarantine add\",\"args\":{\"port\":\"vm1\"}}"), "ok");
	for (int i = 0; i < COMMANDS; i++) {
		json_t *request, *reply;
		char *line;

		if (commands[i].kind != COMMAND_READ)
			continue;
		request = json_pack(
			"{s:s,s:o}", "command", commands[i].words, "args", some_args(&commands[i]));
		line = json_dumps(request, JSON_COMPACT);
		reply = ask(line);
		if (!json_is_true(json_object_get(reply, "ok")))
			fail_msg("%s: %s", commands[i].words,
				json_string_value(json_object_get(reply, "error")));
		check_shape(&commands[i], json_object_get(reply, "result"));
		json_decref(reply);
		json_decref(request);
		free(line);
	}
}

static void test_names_that_are_not_there(void **state)
{
	static const char *const lines[] = {
		"{\"command\":\"port show\",\"args\":{\"name\":\"vm9\"}}",
		"{\"command\":\"network show\",\"args\":{\"name\":\"x\"}}",
		"{\"command\":\"stats\",\"args\":{\"port\":\"vm9\"}}",
		"{\"command\":\"drops\",\"args\":{\"port\":\"vm9\"}}",
		"{\"command\":\"fdb show\",\"args\":{\"port\":\"vm9\"}}",
		"{\"command\":\"fdb show\",\"args\":{\"network\":\"x\",\"moves\":true}}",
		"{\"command\":\"fdb flush\",\"args\":{\"network\":\"x\"}}",
		"{\"command\":\"port "
		"set\",\"args\":{\"name\":\"vm9\",\"settings\":{\"mtu\":\"9000\"}}}",
		"{\"command\":\"port del\",\"args\":{\"name\":\"vm9\",\"strict\":true}}",
		"{\"command\":\"rules list\",\"args\":{\"tenant\":\"x\"}}",
		"{\"command\":\"rules stats\",\"args\":{\"tenant\":\"x\"}}",
		"{\"command\":\"worker move "
		"network\",\"args\":{\"network\":\"office\",\"core\":9}}",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(code_of(lines[i]), "refused");
}

/* Sends a change of a port: `settings` as in JSON. */
static const char *change(const char *command, const char *name, const char *settings)
{
	char line[512];

	snprintf(line, sizeof(line), "{\"command\":\"%s\",\"args\":{\"name\":\"%s\"%s%s}}", command,
		name, settings[0] != '\0' ? "," : "", settings);
	return code_of(line);
}

/* An uplink is made, seen, changed and taken away like a port; what it carries are ports. */
static void test_uplinks(void **state)
{
	json_t *reply;

	(void)state;
	assert_string_equal(change("network add", "red", "\"settings\":{\"vlan\":\"100\"}"), "ok");
	assert_string_equal(
		change("uplink add", "eth", "\"settings\":{\"queues\":\"2\"}"), "refused");
	assert_string_equal(change("uplink add", "eth",
				    "\"settings\":{\"device\":\"net_tap0,iface=a,start_queue=1\","
				    "\"networks\":\"red\",\"storm.broadcast\":\"7\"}"),
		"ok");
	reply = ask("{\"command\":\"uplink list\"}");
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(reply, "result"), 1), "stands_on")),
		"net_tap0,iface=a,start_queue=1");
	json_decref(reply);
	assert_string_equal(
		code_of("{\"command\":\"uplink show\",\"args\":{\"name\":\"eth\"}}"), "ok");
	assert_string_equal(
		code_of("{\"command\":\"uplink show\",\"args\":{\"name\":\"red\"}}"), "refused");
	assert_string_equal(change("network del", "red", ""), "refused"); /* eth names it */
	assert_string_equal(
		change("uplink set", "eth", "\"settings\":{\"name\":\"x\"}"), "refused");
	assert_string_equal(
		change("uplink set", "eth", "\"settings\":{\"queues\":\"17\"}"), "refused");
	assert_string_equal(change("uplink set", "eth",
				    "\"settings\":{\"networks\":\"\",\"untagged\":\"office\"}"),
		"ok");
	assert_int_equal(
		json_array_size(json_object_get(fake_switch_find("uplinks", "eth"), "networks")),
		0);
	assert_string_equal(change("network del", "office", ""), "refused");
	assert_string_equal(change("network del", "red", ""), "ok");
	assert_string_equal(change("uplink del", "eth", ""), "ok");
	assert_string_equal(change("uplink del", "eth", ""), "ok"); /* gone already */
	assert_string_equal(change("uplink del", "eth", "\"strict\":true"), "refused");
}

static void test_edits(void **state)
{
	static const char a2[] = "\"settings\":{\"network\":\"office\",\"kernel.interface\":\"a2\","
				 "\"ips\":\"10.0.0.1,10.0.0.2\"}";
	json_t *port;

	(void)state;
	assert_string_equal(change("port add", "vm2", a2), "ok");
	port = fake_switch_find("ports", "vm2");
	assert_non_null(port);
	assert_int_equal(json_array_size(json_object_get(port, "ips")), 2);
	assert_int_equal(fake_switch.revision, 2);
	/* Again: done already; with other fields, or strictly: no. */
	assert_string_equal(change("port add", "vm2", a2), "ok");
	assert_int_equal(fake_switch.revision, 2);
	assert_string_equal(change("port add", "vm2",
				    "\"settings\":{\"network\":\"office\","
				    "\"kernel.interface\":\"a3\"}"),
		"refused");
	assert_string_equal(
		change("port add", "vm2", "\"strict\":true,\"settings\":{}"), "refused");
	/* Set a field, take it away again. */
	assert_string_equal(change("port set", "vm2", "\"settings\":{\"mtu\":\"1400\"}"), "ok");
	assert_int_equal(
		json_integer_value(json_object_get(fake_switch_find("ports", "vm2"), "mtu")), 1400);
	assert_string_equal(change("port set", "vm2", "\"settings\":{\"mtu\":\"\"}"), "ok");
	assert_null(json_object_get(fake_switch_find("ports", "vm2"), "mtu"));
	assert_string_equal(
		change("port set", "vm2", "\"settings\":{\"mtu\":\"1\"},\"dry-run\":true"),
		"refused");
	assert_string_equal(
		change("port set", "vm2", "\"settings\":{\"kernel\":\"x\",\"kernel.y\":\"1\"}"),
		"refused");
	assert_string_equal(change("network del", "office", ""), "refused");
	assert_string_equal(change("port del", "vm2", ""), "ok");
	assert_null(fake_switch_find("ports", "vm2"));
	assert_string_equal(change("port del", "vm2", ""), "ok"); /* gone already */
	assert_string_equal(change("network add", "lab", ""), "ok");
	assert_string_equal(change("network add", "office", ""), "ok"); /* a port is in it */
	assert_string_equal(change("network set", "lab", "\"settings\":{\"mtu\":\"9000\"}"), "ok");
	assert_string_equal(change("network del", "lab", ""), "ok");
	assert_null(fake_switch_find("networks", "lab"));
}

/* A refused document's errors come back with file, line and field. */
static void test_errors_name_the_place(void **state)
{
	json_t *reply = ask("{\"command\":\"config apply\",\"args\":{\"file\":{\"name\":\"f.yaml\","
			    "\"text\":\"networks:\\n  - {name: a, mtu: 7}\\n\"}}}");
	json_t *error = json_array_get(json_object_get(reply, "errors"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(reply, "code")), "refused");
	assert_string_equal(json_string_value(json_object_get(error, "file")), "f.yaml");
	assert_string_equal(json_string_value(json_object_get(error, "field")), "networks[0].mtu");
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 2);
	assert_int_equal(fake_switch.revision, 1);
	json_decref(reply);
}

static void test_config_commands(void **state)
{
	json_t *reply;

	(void)state;
	reply = ask("{\"command\":\"config diff\"}");
	assert_null(json_object_get(reply, "negative"));
	json_decref(reply);
	reply = ask("{\"command\":\"config diff\",\"args\":{\"file\":{\"name\":\"f\",\"text\":"
		    "\"networks: [{name: office}]\"}}}");
	assert_true(json_is_true(json_object_get(reply, "negative")));
	assert_non_null(
		strstr(json_string_value(json_object_get(json_object_get(reply, "result"), "text")),
			"- ports[vm1]"));
	json_decref(reply);
	assert_string_equal(code_of("{\"command\":\"config confirm\"}"), "refused");
	assert_string_equal(code_of("{\"command\":\"config rollback\"}"), "refused");
	assert_string_equal(
		code_of("{\"command\":\"config apply\",\"args\":{\"confirm-within\":60,\"file\":"
			"{\"name\":\"f\",\"text\":\"networks: [{name: lab}]\"}}}"),
		"ok");
	assert_null(fake_switch_find("ports", "vm1"));
	assert_string_equal(change("port del", "vm1", ""), "ok"); /* gone: nothing to do */
	assert_string_equal(change("network add", "more", ""), "refused"); /* unconfirmed */
	assert_string_equal(code_of("{\"command\":\"config rollback\"}"), "ok");
	assert_non_null(fake_switch_find("ports", "vm1"));
}

/* Before anything is applied, what looks still answers, and what edits says what to do. */
static void test_rules(void **state)
{
	json_t *reply = ask("{\"command\":\"rules list\",\"args\":{\"tenant\":\"office\","
			    "\"filter\":\"worm\"}}");
	const json_t *row = json_array_get(
		json_object_get(json_object_get(reply, "result"), "rules"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(row, "msg")), "worm");
	json_decref(reply);
	reply = ask("{\"command\":\"rules reload\"}");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(reply, "result"), "reload")), 1);
	json_decref(reply);
	fake_switch.refuse_reload = 1;
	assert_string_equal(code_of("{\"command\":\"rules reload\"}"), "refused");
	assert_int_equal(fake_switch.reloads, 1);
}

static void test_nothing_applied(void **state)
{
	(void)state;
	transaction_stop();
	fake_switch_reset();
	assert_non_null(transaction_load(in_dir("no such file")));
	assert_false(transaction_start());
	assert_string_equal(code_of("{\"command\":\"status\"}"), "ok");
	assert_string_equal(code_of("{\"command\":\"port list\"}"), "ok");
	assert_string_equal(code_of("{\"command\":\"metrics\"}"), "ok");
	assert_string_equal(code_of("{\"command\":\"config show\"}"), "refused");
	assert_string_equal(code_of("{\"command\":\"config diff\"}"), "refused");
	assert_string_equal(change("network add", "office", ""), "refused");
	assert_string_equal(change("network del", "office", ""), "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_help_and_manual),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_that_are_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uplinks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_name_the_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_applied, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
