/* vswitch-ctl's own parts: arguments, tables and records, completion, and its side of the socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "arguments.h"
#include "client.h"
#include "complete.h"
#include "config_doc.h"
#include "local.h"
#include "render.h"
#include "temp_dir.h"

#define ARGV_MAX 16

/* Words cut at blanks. */
struct words {
	char copy[256], *argv[ARGV_MAX];
	int argc;
};

static void split(struct words *words, const char *text)
{
	char *save = NULL;

	snprintf(words->copy, sizeof(words->copy), "%s", text);
	words->argc = 0;
	for (char *w = strtok_r(words->copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		words->argv[words->argc++] = w;
}

static void assert_args(const char *command, const char *words, const char *json)
{
	json_t *expected = json_loads(json, 0, NULL), *args;
	struct words w;
	char err[512], *text;

	split(&w, words);
	args = arguments_parse(command_exact(command), w.argc, w.argv, err, sizeof(err));
	if (args == NULL)
		fail_msg("%s %s: %s", command, words, err);
	if (!json_equal(args, expected)) {
		text = json_dumps(args, 0);
		fail_msg("%s %s became %s, not %s", command, words, text, json);
	}
	assert_true(command_check_args(command_exact(command), args, err, sizeof(err)));
	json_decref(args);
	json_decref(expected);
}

static void assert_bad(const char *command, const char *words, const char *why)
{
	struct words w;
	char err[512] = "";

	split(&w, words);
	assert_null(arguments_parse(command_exact(command), w.argc, w.argv, err, sizeof(err)));
	if (strstr(err, why) == NULL)
		fail_msg("%s %s: \"%s\" does not say \"%s\"", command, words, err, why);
}

static void test_arguments(void **state)
{
	(void)state;
	assert_args("status", "", "{}");
	assert_args("stats", "", "{}");
	assert_args("stats", "vm1", "{\"port\":\"vm1\"}");
	assert_args("worker move port", "vm1 0 3", "{\"port\":\"vm1\",\"queue\":0,\"core\":3}");
	assert_args("fdb show", "--moves --port=vm1 --network a",
		"{\"moves\":true,\"port\":\"vm1\",\"network\":\"a\"}");
	assert_args("port add", "vm3 a=b --strict c=d=e f= --confirm-within 5m",
		"{\"name\":\"vm3\",\"settings\":{\"a\":\"b\",\"c\":\"d=e\",\"f\":\"\"},"
		"\"strict\":true,\"confirm-within\":300}");
	assert_args("help", "port add", "{\"command\":[\"port\",\"add\"]}");
	assert_args("config rollback", "7", "{\"revision\":7}");
	assert_args("block", "tcp/445 from servers to 10.0.0.0/8 --for 2h --in",
		"{\"service\":\"tcp/445\",\"from\":\"servers\",\"to\":\"10.0.0.0/8\","
		"\"for\":7200,\"in\":true}");
	assert_args("block", "--to=a tcp --from to",
		"{\"service\":\"tcp\",\"from\":\"to\",\"to\":\"a\"}");
	assert_args("block", "to to from", "{\"service\":\"to\",\"to\":\"from\"}");
	assert_args("explain", "--from vm1 --to 10.0.0.2 tcp/445",
		"{\"from\":\"vm1\",\"to\":\"10.0.0.2\",\"service\":\"tcp/445\"}");
	assert_args("explain", "udp/53 --from=vm1 --to vm2 --source-port 53",
		"{\"from\":\"vm1\",\"to\":\"vm2\",\"service\":\"udp/53\",\"source-port\":53}");
	assert_args("conn kill", "--tenant acme --service tcp/445 --from 10.0.0.0/24",
		"{\"tenant\":\"acme\",\"service\":\"tcp/445\",\"from\":\"10.0.0.0/24\"}");
	assert_args("conn list", "--state established --limit 5",
		"{\"state\":\"established\",\"limit\":5}");
	assert_args("conn count", "--by tenant", "{\"by\":\"tenant\"}");
	assert_args("quarantine add", "vm1 --for 8760h", "{\"port\":\"vm1\",\"for\":31536000}");
	assert_bad("quarantine add", "vm1 --for 8761h", "no time from 1s to 8760h");
	assert_bad("block", "tcp --for 25h", "no time from 1s to 24h");
	assert_bad("conn kill", "tcp/445", "does not take `tcp/445`");
	assert_bad("explain", "tcp/445 tcp/446", "does not take `tcp/446`");
	assert_bad("block", "", "needs SERVICE");
	assert_bad("block", "tcp from", "from needs a value");
	assert_bad("block", "tcp from a from b", "from is given twice");
	assert_bad("block", "tcp from a --from=b", "from is given twice");
	assert_bad("block", "tcp x", "does not take `x`");
	assert_bad("status", "x", "does not take `x`");
	assert_bad("status", "--x", "no option --x");
	assert_bad("port show", "", "needs NAME");
	assert_bad("port add", "vm3", "needs KEY=VALUE");
	assert_bad("port add", "vm3 a", "KEY=VALUE");
	assert_bad("port add", "vm3 =b", "KEY=VALUE");
	assert_bad("port add", "vm3 a=b a=c", "twice");
	assert_bad("fdb show", "--port", "needs a value");
	assert_bad("fdb show", "--moves=1", "takes no value");
	assert_bad("config rollback", "-1", "no number");
	assert_bad("config rollback", "7x", "no number");
	assert_bad("config rollback", "99999999999999999999", "no number");
	assert_bad("port set", "vm1 a=b --confirm-within 0", "no time");
}

static void test_durations(void **state)
{
	(void)state;
	assert_int_equal(arguments_duration("90", COMMAND_DURATION_MAX), 90);
	assert_int_equal(arguments_duration("90s", COMMAND_DURATION_MAX), 90);
	assert_int_equal(arguments_duration("5m", COMMAND_DURATION_MAX), 300);
	assert_int_equal(arguments_duration("24h", COMMAND_DURATION_MAX), 86400);
	assert_int_equal(arguments_duration("25h", COMMAND_DURATION_MAX), 0);
	assert_int_equal(arguments_duration("8760h", COMMAND_PERIOD_MAX), 31536000);
	assert_int_equal(arguments_duration("8761h", COMMAND_PERIOD_MAX), 0);
	assert_int_equal(arguments_duration("0", COMMAND_DURATION_MAX), 0);
	assert_int_equal(arguments_duration("-5", COMMAND_DURATION_MAX), 0);
	assert_int_equal(arguments_duration("5ms", COMMAND_DURATION_MAX), 0);
	assert_int_equal(arguments_duration("s", COMMAND_DURATION_MAX), 0);
	assert_int_equal(arguments_duration("18446744073709551617", COMMAND_DURATION_MAX), 0);
}

static void test_files(void **state)
{
	char words[256], err[512];
	json_t *args;
	struct words w;
	FILE *out;

	(void)state;
	write_text("f.yaml", "ports: []\n");
	split(&w, in_dir("f.yaml"));
	args = arguments_parse(command_exact("config diff"), w.argc, w.argv, err, sizeof(err));
	assert_non_null(args);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(args, "file"), "text")),
		"ports: []\n");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(args, "file"), "name")),
		in_dir("f.yaml"));
	json_decref(args);
	assert_bad("config diff", in_dir("none"), "No such file");
	assert_bad("config diff", dir, "no regular file");
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_bad("rules check", in_dir("fifo"), "no regular file; write - ");
	snprintf(words, sizeof(words), "%s", in_dir("latin1"));
	write_text("latin1", "name: caf\xe9\n");
	assert_bad("config diff", words, "not UTF-8");
	out = fopen(in_dir("nul"), "w");
	fwrite("a\0b", 1, 3, out);
	fclose(out);
	assert_bad("config diff", in_dir("nul"), "not UTF-8");
	assert_int_equal(truncate(in_dir("nul"), CONFIG_DOC_SIZE_MAX + 1), 0);
	assert_bad("config diff", in_dir("nul"), "is longer than");
}

static void assert_rendered(const char *columns, const char *json, const char *expected)
{
	json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(result);
	if (columns != NULL)
		render_table(out, columns, result);
	else
		render_record(out, result);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	json_decref(result);
}

static void test_tables(void **state)
{
	(void)state;
	assert_rendered("NAME=name RX=rx.packets UP=up", "[]", "NAME  RX  UP\n");
	assert_rendered("NAME=name RX=rx.packets UP=up",
		"[{\"name\":\"vm1\",\"rx\":{\"packets\":12345},\"up\":true},"
		"{\"name\":\"longer\",\"rx\":{\"packets\":7},\"up\":false}]",
		"NAME       RX  UP\n"
		"vm1     12345  yes\n"
		"longer      7  no\n");
	/* What no row has is left out; what one lacks is "-"; lists and objects on one line. */
	assert_rendered("A=a B=b C=c D=d",
		"[{\"a\":[\"x\",\"y\"],\"c\":null,\"d\":{\"k\":1.25,\"l\":[]}},{\"d\":\"z\"}]",
		"A    D\n"
		"x,y  k=1.2 l=-\n"
		"-    z\n");
	/* Rows in a member, and a line for each element of one of theirs. */
	assert_rendered("/rows @in A=a B=in.b",
		"{\"rows\":[{\"a\":1,\"in\":[{\"b\":2},{\"b\":3}]},"
		"{\"a\":4,\"in\":[]}]}",
		"A  B\n1  2\n1  3\n4  -\n");
	/* No guest writes on the operator's terminal. */
	assert_rendered("A=a", "[{\"a\":\"x\\u001b[31m\\n\\u007f\"}]", "A\nx?[31m??\n");
	assert_rendered("A=a", "7", "A\n");
}

static void test_records(void **state)
{
	(void)state;
	assert_rendered(NULL,
		"{\"name\":\"vm1\",\"rx\":{\"packets\":1,\"deep\":{\"x\":true}},\"none\":null,"
		"\"list\":[1,2],\"rows\":[{\"a\":1},{\"a\":2}],\"empty\":{}}",
		"name: vm1\n"
		"rx:\n"
		"  packets: 1\n"
		"  deep:\n"
		"    x: yes\n"
		"none: -\n"
		"list: 1,2\n"
		"rows:\n"
		"  - a=1\n"
		"  - a=2\n"
		"empty: -\n");
	assert_rendered(NULL, "{\"a\":\"\\u001b\"}", "a: ?\n");
}

/* One word a line; an empty last word is written as _. */
static void assert_completed(const char *words, const char *expected)
{
	struct words w;
	char *text = NULL, empty[] = "";
	size_t size;
	FILE *out = open_memstream(&text, &size);

	split(&w, words);
	if (strcmp(w.argv[w.argc - 1], "_") == 0)
		w.argv[w.argc - 1] = empty;
	complete_words(out, w.argc, w.argv, in_dir("no socket"));
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_completion(void **state)
{
	(void)state;
	assert_completed("po", "port\n");
	assert_completed("port _", "list\nshow\nadd\nset\ndel\n");
	assert_completed("-j -s /x port s", "show\nset\n");
	assert_completed("worker move _", "port\nnetwork\n");
	assert_completed("fdb show --", "--network\n--port\n--moves\n");
	assert_completed("fdb show --port _", ""); /* nobody to ask */
	assert_completed("port set vm1 vhost-user.q", "vhost-user.queues=\n");
	assert_completed("port set vm1 mtu=1400 vl", "");
	assert_completed("network add lab vl", "vlan=\n");
	assert_completed("network add vl", "");
	assert_completed("uplink _", "list\nshow\nadd\nset\ndel\n");
	assert_completed("uplink set eth1 q", "queues=\nqinq=\n");
	assert_completed("uplink add eth1 storm.b", "storm.broadcast=\n");
	assert_completed("uplink show _", ""); /* nobody to ask */
	assert_completed("block tcp _", "from\nto\n");
	assert_completed("block tcp f", "from\n");
	assert_completed("block tcp from _", "");
	assert_completed("block tcp from x t", "to\n");
	assert_completed("block tcp --f", "--from\n--for\n");
	assert_completed("explain --from", "--from\n--from-address\n");
	assert_completed("conn _", "list\ncount\nkill\n");
	assert_completed("conn count --b", "--by\n");
	assert_completed("nonsense _", "");
}

static json_t *local(const char *command, const char *words, char *err, size_t len)
{
	struct words w;
	json_t *args, *reply;

	split(&w, words);
	args = arguments_parse(command_exact(command), w.argc, w.argv, err, len);
	assert_non_null(args);
	reply = local_handler(command_exact(command), args)(args, err, len);
	json_decref(args);
	return reply;
}

static void test_rules_check(void **state)
{
	char err[512];
	json_t *reply, *result;

	(void)state;
	write_text("smb.rules",
		"alert tcp any any -> any 445 (msg:\"m\"; content:\"harmless marker\"; sid:1;)\n"
		"alert tcp any any -> any 80 (msg:\"m\"; content:\"harmless marker\"; sid:2;)\n");
	reply = local("rules check", in_dir("smb.rules"), err, sizeof(err));
	result = json_object_get(reply, "result");
	assert_false(json_is_true(json_object_get(reply, "negative")));
	assert_int_equal(json_integer_value(json_object_get(result, "loaded")), 2);
	assert_int_equal(json_array_size(json_object_get(result, "unreachable")), 1);
	assert_non_null(
		strstr(json_string_value(json_object_get(result, "text")), "smb.rules:2: "));
	json_decref(reply);
	write_text("bad.rules", "alert tcp any any -> any 445 (msg:\"m\"; nonsense:1; sid:7;)\n");
	reply = local("rules check", in_dir("bad.rules"), err, sizeof(err));
	result = json_object_get(reply, "result");
	assert_true(json_is_true(json_object_get(reply, "negative")));
	assert_non_null(strstr(json_string_value(json_object_get(result, "text")),
		"bad.rules:1: refused: sid 7: nonsense"));
	json_decref(reply);
}

/* `config check` of an address in n sets. */
static void check_sets(unsigned n, bool good)
{
	char text[8192] = "networks: [{name: n}]\nports: [{name: p, network: n, kernel: "
			  "{interface: p}, trusted: true}]\nsets:\n",
	     err[512];
	json_t *reply;

	for (unsigned i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"- {name: s%u, tenant: n, addresses: [10.0.0.0/8]}\n", i);
	write_text("sets.yaml", text);
	reply = local("config check", in_dir("sets.yaml"), err, sizeof(err));
	assert_int_equal(json_is_true(json_object_get(reply, "ok")), good);
	assert_int_equal(json_array_size(json_object_get(reply, "errors")), !good);
	json_decref(reply);
}

/* What `config check` says of a file of rules of that name and text; "" for text: there is none. */
static void check_rules(const char *name, const char *rules, const char *kind, const char *file,
	unsigned line, const char *field, const char *says)
{
	char text[512], err[512], file_name[128];
	json_t *reply, *message;

	snprintf(file_name, sizeof(file_name), "%s", in_dir(name));
	if (rules[0] != '\0')
		write_text(name, rules);
	snprintf(text, sizeof(text),
		"networks: [{name: n}]\ninspection: [{tenant: n, skip-unsupported: %s, rules: "
		"[%s]}]\n",
		strcmp(kind, "errors") != 0 ? "yes" : "no", file_name);
	write_text("inspection.yaml", text);
	reply = local("config check", in_dir("inspection.yaml"), err, sizeof(err));
	message = json_array_get(json_object_get(reply, kind), 0);
	assert_int_equal(json_is_true(json_object_get(reply, "ok")), strcmp(kind, "errors") != 0);
	assert_int_equal(json_array_size(json_object_get(reply, kind)), 1);
	assert_string_equal(json_string_value(json_object_get(message, "file")), in_dir(file));
	assert_int_equal(json_integer_value(json_object_get(message, "line")), line);
	assert_string_equal(json_string_value(json_object_get(message, "field")), field);
	assert_non_null(strstr(json_string_value(json_object_get(message, "message")), says));
	json_decref(reply);
}

#define MARKER "alert tcp any any -> any 445 (msg:\"m\"; content:\"harmless marker\"; sid:1;)\n"

static void test_config_check_reads_rules(void **state)
{
	(void)state;
	check_rules("one.rules", MARKER "alert udp any any -> any 1 (msg:\"m\"; sid:2;)\n",
		"errors", "one.rules", 2, "inspection[0].rules[0]",
		"sid 2: protocol \"udp\" is not inspected");
	check_rules("two.rules", MARKER "alert udp any any -> any 1 (msg:\"m\"; sid:2;)\n",
		"warnings", "inspection.yaml", 0, "inspection[0].rules",
		"1 of their rules are left out");
	check_rules("none.rules", "", "warnings", "inspection.yaml", 0, "inspection[0].rules[0]",
		"none.rules is not to be read here (No such file or directory)");
}

static void test_local(void **state)
{
	char err[512], question[256];
	json_t *reply;

	(void)state;
	write_text("good.yaml", "networks: [{name: a}]\n");
	reply = local("config check", in_dir("good.yaml"), err, sizeof(err));
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	write_text("bad.yaml", "networks: [{name: a, mtu: x}]\nports: 7\n");
	reply = local("config check", in_dir("bad.yaml"), err, sizeof(err));
	assert_false(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(json_array_size(json_object_get(reply, "errors")), 2);
	json_decref(reply);
	check_sets(64, true);
	check_sets(65, false); /* what only the compiled policy tells */
	write_text("fw.yaml",
		"networks: [{name: n}]\nports:\n"
		"- {name: a, network: n, kernel: {interface: a}, ips: [10.0.0.1]}\n"
		"- {name: b, network: n, kernel: {interface: b}, ips: [10.0.0.2], default-in: "
		"reject}\n");
	snprintf(question, sizeof(question), "--from b --to 10.0.0.1 tcp/1 --config %s",
		in_dir("fw.yaml"));
	reply = local("explain", question, err, sizeof(err));
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_true(json_is_true(json_object_get(reply, "negative"))); /* default-in: deny */
	json_decref(reply);
	snprintf(question, sizeof(question), "--from a --to nobody tcp/1 --config %s",
		in_dir("fw.yaml"));
	reply = local("explain", question, err, sizeof(err));
	assert_string_equal(json_string_value(json_object_get(reply, "code")), "refused");
	json_decref(reply);
	snprintf(question, sizeof(question), "--from a --to b tcp/1 --config %s",
		in_dir("bad.yaml"));
	reply = local("explain", question, err, sizeof(err));
	assert_int_equal(json_array_size(json_object_get(reply, "errors")), 2);
	json_decref(reply);
	reply = local("help", "port", err, sizeof(err));
	assert_non_null(
		strstr(json_string_value(json_object_get(json_object_get(reply, "result"), "text")),
			"usage: vswitch-ctl port del NAME"));
	json_decref(reply);
	assert_null(local("help", "prot", err, sizeof(err)));
	assert_non_null(strstr(err, "near it: port"));
	assert_null(local("completion", "fish", err, sizeof(err)));
	reply = local("completion", "bash", err, sizeof(err));
	assert_non_null(reply);
	json_decref(reply);
}

static int listener;

/* Takes one client, reads a bit of what it sends, and answers `arg`; NULL: never. */
static void *serve_one(void *arg)
{
	int fd = accept(listener, NULL, NULL);
	char request[256];

	if (read(fd, request, sizeof(request)) > 0 && arg != NULL &&
		write(fd, arg, strlen(arg)) > 0)
		shutdown(fd, SHUT_WR);
	while (arg == NULL && read(fd, request, sizeof(request)) > 0)
		continue; /* until the client gives up */
	close(fd);
	return NULL;
}

/* The reply to a request, from a daemon that answers with this text. */
static json_t *exchange(char *answer, unsigned timeout_ms, char *err, size_t len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	json_t *request = json_pack("{s:s}", "command", "status"), *reply;
	pthread_t thread;

	strcpy(addr.sun_path, in_dir("sock"));
	unlink(addr.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_one, answer), 0);
	reply = client_request(addr.sun_path, request, timeout_ms, err, len);
	pthread_join(thread, NULL);
	close(listener);
	json_decref(request);
	return reply;
}

static void test_client(void **state)
{
	char right[] = "{\"ok\":true}\n", half[] = "{\"ok\":", other[] = "HTTP/1.1 400\n";
	char err[512];
	json_t *reply = exchange(right, 20000, err, sizeof(err)), *request;

	(void)state;
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	assert_null(exchange(half, 20000, err, sizeof(err)));
	assert_non_null(strstr(err, "broke the connection"));
	assert_null(exchange(other, 20000, err, sizeof(err)));
	assert_non_null(strstr(err, "no vswitchd"));
	assert_null(exchange(NULL, 50, err, sizeof(err)));
	assert_non_null(strstr(err, "may still be done"));
	request = json_object();
	assert_null(client_request(in_dir("nobody"), request, 50, err, sizeof(err)));
	assert_non_null(strstr(err, "is it running?"));
	json_decref(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_durations),
		cmocka_unit_test_setup_teardown(test_files, make_dir, remove_dir),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_completion),
		cmocka_unit_test_setup_teardown(
			test_config_check_reads_rules, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_local, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_rules_check, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_client, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
