/* Changes of the configuration: all or nothing, saved or taken back, whatever fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "config_edit.h"
#include "config_store.h"
#include "events.h"
#include "fake_switch.h"
#include "loop.h"
#include "temp_dir.h"
#include "transaction.h"

static const struct transaction_how for_good = {.uid = 1000, .pid = 42};
static const struct transaction_how for_a_second = {.confirm_s = 1};
static const struct transaction_how dry = {.dry_run = true};
static char file[128], state_dir[64];

/* The file's text, with these ports (a flow sequence) and the test's own state directory. */
static const char *document(const char *ports)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		"vswitch:\n  state: %s\n  workers: [1]\n  sleep-after: 70us\n"
		"networks:\n  - {name: office}\nports: %s\n",
		state_dir, ports);
	return text;
}

static const char vm1[] = "[{name: vm1, network: office, kernel: {interface: a1}, trusted: true}]";
static const char vm1_vm2[] =
	"[{name: vm1, network: office, kernel: {interface: a1}, trusted: true}, "
	"{name: vm2, network: office, kernel: {interface: a2}, trusted: true}]";

static int setup(void **state)
{
	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	snprintf(state_dir, sizeof(state_dir), "%s/deep/state", dir);
	snprintf(file, sizeof(file), "%s/v.yaml", dir);
	write_text("v.yaml", document(vm1));
	events_open("");
	return 0;
}

static int teardown(void **state)
{
	transaction_stop();
	events_close();
	loop_close();
	fake_switch_reset();
	return remove_dir(state);
}

static bool runs(const char *port)
{
	return fake_switch_find("ports", port) != NULL;
}

/* As after kill -9: nothing is taken along but what is on disk. */
static bool restart(void)
{
	transaction_stop();
	fake_switch_reset();
	assert_non_null(transaction_load(file));
	return transaction_start();
}

static struct transaction_outcome out;

static bool apply(const char *text, const struct transaction_how *how)
{
	transaction_apply("new.yaml", text, strlen(text), how, &out);
	transaction_outcome_free(&out);
	return out.done;
}

static void run_until_taken_back(void)
{
	json_t *unconfirmed, *status;

	for (int i = 0; i < 100; i++) {
		status = transaction_status();
		unconfirmed = json_object_get(status, "unconfirmed");
		json_decref(status);
		if (unconfirmed == NULL)
			return;
		loop_run_once(100);
	}
	fail_msg("the change was never taken back");
}

/* The action of the last event. */
static const char *last_action(void)
{
	static char action[32];
	json_t *list = events_recent();
	json_t *event = json_array_get(list, json_array_size(list) - 1);
	const char *text = json_string_value(
		json_object_get(json_object_get(event, "metadata"), "action"));

	snprintf(action, sizeof(action), "%s", text == NULL ? "" : text);
	json_decref(list);
	return action;
}

static void test_file_then_saved(void **state)
{
	const struct config_vswitch *conf = transaction_load(file);

	(void)state;
	assert_int_equal(conf->sleep_after_us, 70);
	assert_true(transaction_start());
	assert_null(transaction_problem());
	assert_true(runs("vm1"));
	assert_int_equal(transaction_revision(), 1);
	/* What was applied last counts, not the file as it is now, but for `vswitch:`. */
	assert_true(apply(document(vm1_vm2), &for_good));
	assert_int_equal(out.revision, 2);
	assert_string_equal(last_action(), "applied");
	assert_true(restart());
	assert_true(runs("vm2"));
	assert_int_equal(transaction_revision(), 2);
}

/* Whether a start with this file passes no traffic, and says why. */
static void assert_nothing_runs(const char *why)
{
	assert_false(restart());
	assert_null(fake_switch.canonical);
	assert_null(transaction_document());
	assert_non_null(transaction_problem());
	if (strstr(transaction_problem(), why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", transaction_problem(), why);
}

static void test_broken_file(void **state)
{
	(void)state;
	write_text("v.yaml", "ports: [{name: vm1, network: nowhere, kernel: {interface: a}}]\n");
	assert_nothing_runs("v.yaml:1:");
	write_text("v.yaml", "ports: [");
	assert_nothing_runs("broken");
	assert_int_equal(remove(file), 0);
	assert_nothing_runs("v.yaml");
	transaction_stop();
	assert_non_null(transaction_load(NULL));
	assert_false(transaction_start());
	assert_non_null(strstr(transaction_problem(), "-c FILE"));
}

/* With the file's other sections broken, its `vswitch:` still says where the socket is. */
static void test_broken_file_mended(void **state)
{
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), "%sreplay: nonsense\n", document(vm1));
	write_text("v.yaml", text);
	assert_nothing_runs("replay");
	transaction_stop();
	assert_int_equal(transaction_load(file)->sleep_after_us, 70);
	assert_false(transaction_start());
	assert_true(apply(document(vm1), &for_good));
	assert_true(runs("vm1"));
	assert_null(transaction_problem());
}

static void test_broken_saved_state(void **state)
{
	(void)state;
	assert_true(restart());
	assert_true(apply(document(vm1_vm2), &for_good));
	write_text("deep/state/revision-2.json", "{\"ports\": 7}");
	assert_nothing_runs("saved configuration");
	transaction_rollback(0, &for_good, &out);
	assert_true(out.done);
	transaction_outcome_free(&out);
	assert_true(runs("vm1"));
	assert_false(runs("vm2"));
	assert_null(transaction_problem());
	assert_true(restart());
}

static void test_start_refused_by_switch(void **state)
{
	(void)state;
	assert_non_null(transaction_load(file));
	fake_switch.refuse = 1;
	assert_false(transaction_start());
	assert_non_null(strstr(transaction_problem(), "no such core"));
	assert_null(transaction_document());
}

/* That so many revisions are kept. */
static void assert_saved(size_t n)
{
	json_t *history = transaction_history();

	assert_int_equal(json_array_size(history), n);
	json_decref(history);
}

static void test_refusals_change_nothing(void **state)
{
	uint64_t revision;

	(void)state;
	assert_true(restart());
	revision = fake_switch.revision;
	assert_false(apply("networks: [{name: office, mtu: 1}]\n", &for_good));
	assert_int_equal(out.report.n_errors, 1);
	assert_string_equal(out.report.messages[0].file, "new.yaml");
	assert_string_equal(out.report.messages[0].field, "networks[0].mtu");
	assert_int_equal(out.report.messages[0].line, 1);
	assert_false(apply("{", &for_good));
	assert_int_equal(fake_switch.revision, revision);
	fake_switch.refuse = 1;
	assert_false(apply(document(vm1_vm2), &for_good));
	assert_non_null(strstr(out.text, "no such core"));
	assert_saved(1);
	assert_true(apply(document(vm1_vm2), &dry));
	assert_int_equal(fake_switch.revision, revision);
	assert_int_equal(transaction_revision(), 1);
	assert_true(apply(document(vm1), &for_good)); /* as it is: nothing to do */
	assert_false(out.changed);
	assert_int_equal(fake_switch.revision, revision);
	assert_true(restart());
	assert_false(runs("vm2"));
}

/* Root may write anywhere, so the directory is taken away rather than made read-only. */
static void test_saving_fails(void **state)
{
	uint64_t revision;
	char away[80];

	(void)state;
	assert_true(restart());
	revision = fake_switch.revision;
	snprintf(away, sizeof(away), "%s.away", state_dir);
	assert_int_equal(rename(state_dir, away), 0);
	assert_false(apply(document(vm1_vm2), &for_good));
	assert_non_null(strstr(out.text, "could not be saved"));
	/* It never ran: an interface that it removed would not come back as it was. */
	assert_int_equal(fake_switch.revision, revision);
	assert_int_equal(rename(away, state_dir), 0);
	assert_true(apply(document(vm1_vm2), &for_good));
	assert_true(runs("vm2"));
}

static void test_confirm_in_time(void **state)
{
	(void)state;
	assert_true(restart());
	transaction_confirm(&for_good, &out);
	assert_false(out.done); /* nothing to confirm */
	assert_true(apply(document(vm1_vm2), &for_a_second));
	assert_string_equal(last_action(), "applied_unconfirmed");
	assert_true(runs("vm2"));
	assert_int_equal(transaction_revision(), 1);
	/* Nobody changes anything meanwhile, and is told until when. */
	assert_false(apply(document("[]"), &for_good));
	assert_non_null(strstr(out.text, "awaits its confirmation until"));
	transaction_rollback(1, &for_good, &out);
	assert_false(out.done);
	transaction_outcome_free(&out);
	transaction_confirm(&for_good, &out);
	assert_true(out.done);
	assert_int_equal(transaction_revision(), 2);
	loop_run_once(1200);
	assert_true(runs("vm2"));
	assert_true(restart());
	assert_true(runs("vm2"));
}

static void test_not_confirmed(void **state)
{
	(void)state;
	assert_true(restart());
	assert_true(apply(document(vm1_vm2), &for_a_second));
	run_until_taken_back();
	assert_false(runs("vm2"));
	assert_true(runs("vm1"));
	assert_int_equal(transaction_revision(), 1);
	assert_string_equal(last_action(), "expired");
	/* A switch that refuses to go back is asked again. */
	assert_true(apply(document(vm1_vm2), &for_a_second));
	fake_switch.refuse = 1;
	run_until_taken_back();
	assert_false(runs("vm2"));
	/* A restart takes it back too. */
	assert_true(apply(document(vm1_vm2), &for_a_second));
	assert_true(restart());
	assert_false(runs("vm2"));
}

static bool forgot(const char *ports)
{
	bool same = strcmp(fake_switch.forgotten, ports) == 0;

	if (!same)
		print_message("forgotten: %s\n", fake_switch.forgotten);
	fake_switch.forgotten[0] = '\0';
	return same;
}

/* Only what no timer and no failure can bring back. */
static void test_ports_are_forgotten(void **state)
{
	char away[80];

	(void)state;
	assert_true(restart());
	assert_true(apply(document(vm1_vm2), &for_good));
	assert_true(forgot(""));
	assert_true(apply(document(vm1), &for_good));
	assert_true(forgot("vm2 "));
	/* Removed on trial, and back. */
	assert_true(apply(document("[]"), &for_a_second));
	assert_true(forgot(""));
	run_until_taken_back();
	assert_true(runs("vm1"));
	assert_true(forgot(""));
	/* Made on trial, and gone. */
	assert_true(apply(document(vm1_vm2), &for_a_second));
	transaction_rollback(0, &for_good, &out);
	transaction_outcome_free(&out);
	assert_true(forgot("vm2 "));
	/* Removed on trial, and kept so. */
	assert_true(apply(document("[]"), &for_a_second));
	assert_true(forgot(""));
	transaction_confirm(&for_good, &out);
	assert_true(out.done);
	assert_true(forgot("vm1 "));
	/* A change that could not be saved. */
	assert_true(apply(document(vm1), &for_good));
	snprintf(away, sizeof(away), "%s.away", state_dir);
	assert_int_equal(rename(state_dir, away), 0);
	assert_false(apply(document("[]"), &for_good));
	assert_true(forgot(""));
	assert_false(apply(document(vm1_vm2), &for_good));
	assert_true(forgot("")); /* it never ran */
	assert_int_equal(rename(away, state_dir), 0);
}

static void test_rollback(void **state)
{
	(void)state;
	assert_true(restart());
	assert_int_equal(fake_switch.restored, 1);
	transaction_rollback(0, &for_good, &out);
	assert_false(out.done); /* there is nothing before */
	transaction_outcome_free(&out);
	assert_true(apply(document(vm1_vm2), &for_good));
	assert_int_equal(fake_switch.restored, 1); /* what is new must be right */
	transaction_rollback(0, &for_good, &out);
	assert_true(out.done);
	assert_int_equal(fake_switch.restored, 2);
	transaction_outcome_free(&out);
	assert_false(runs("vm2"));
	assert_int_equal(transaction_revision(), 3);
	transaction_rollback(2, &for_good, &out);
	assert_true(out.done);
	transaction_outcome_free(&out);
	assert_true(runs("vm2"));
	transaction_rollback(77, &for_good, &out);
	assert_false(out.done);
	transaction_outcome_free(&out);
	/* Of an unconfirmed change: at once. */
	assert_true(apply(document("[]"), &for_a_second));
	assert_false(runs("vm1"));
	assert_int_equal(fake_switch.restored, 3);
	transaction_rollback(0, &for_good, &out);
	assert_true(out.done);
	assert_int_equal(fake_switch.restored, 4);
	transaction_outcome_free(&out);
	assert_true(runs("vm2"));
	assert_string_equal(last_action(), "rolled_back");
	loop_run_once(1200);
	assert_true(runs("vm2"));
}

/* Without a confirmation after nothing had been applied, nothing is applied again. */
static void test_first_change_not_confirmed(void **state)
{
	(void)state;
	write_text("v.yaml", "ports: 7\n");
	assert_nothing_runs("broken");
	transaction_stop();
	write_text("v.yaml", document("7"));
	assert_nothing_runs("broken");
	assert_true(apply(document(vm1), &for_a_second));
	assert_true(runs("vm1"));
	assert_null(transaction_problem());
	run_until_taken_back();
	assert_false(runs("vm1"));
	assert_null(transaction_document());
	assert_non_null(strstr(transaction_problem(), "not confirmed"));
}

static void test_edit(void **state)
{
	struct config_error err;
	json_t *root;

	(void)state;
	assert_true(restart());
	root = config_edit_remove(transaction_document(), "ports", "vm1", &err);
	assert_non_null(root);
	transaction_edit("port del", root, &for_good, &out);
	json_decref(root);
	assert_true(out.done);
	assert_int_equal(json_array_size(out.changes), 1);
	transaction_outcome_free(&out);
	assert_false(runs("vm1"));
	assert_true(restart());
	assert_false(runs("vm1"));
}

static unsigned differences(const char *text)
{
	struct config_report report;
	json_t *diff;
	unsigned n;

	config_report_init(&report);
	diff = transaction_diff(
		text == NULL ? NULL : "other.yaml", text, text == NULL ? 0 : strlen(text), &report);
	assert_non_null(diff);
	n = (unsigned)json_array_size(diff);
	json_decref(diff);
	return n;
}

static void test_diff(void **state)
{
	struct config_report report;

	(void)state;
	assert_true(restart());
	assert_int_equal(differences(NULL), 0);
	assert_int_equal(differences(document(vm1_vm2)), 1);
	assert_true(apply(document(vm1_vm2), &for_good));
	assert_int_equal(differences(NULL), 1); /* drifted from the file */
	assert_int_equal(differences(document(vm1_vm2)), 0);
	/* Without a `vswitch:` section of its own, a file leaves it as it is. */
	assert_int_equal(differences("networks: [{name: office}]\n"), 2);
	config_report_init(&report);
	assert_null(transaction_diff("x.yaml", "ports: 7", 8, &report));
	assert_int_equal(report.n_errors, 1);
}

/* Fields of `vswitch:` are not applied, and the warning says which and where. */
static void test_needs_restart(void **state)
{
	char text[2048], *line;

	(void)state;
	assert_true(restart());
	strcpy(text, document(vm1_vm2));
	line = strstr(text, "70us");
	memcpy(line, "90us", 4);
	assert_true(apply(text, &for_good));
	assert_int_equal(out.report.n_warnings, 1);
	assert_string_equal(out.report.messages[0].field, "vswitch.sleep-after");
	assert_int_equal(out.report.messages[0].line, 4);
	assert_true(runs("vm2"));
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(fake_switch.canonical, "vswitch"), "sleep-after")),
		"70us");
	/* Broken, it is refused though it would not be applied. */
	memcpy(line, "nono", 4);
	assert_false(apply(text, &for_good));
}

static void test_state_directory_in_use(void **state)
{
	struct config_error err;
	struct config_store *other;

	(void)state;
	assert_true(restart());
	transaction_stop();
	other = config_store_open(state_dir, &err);
	assert_non_null(other);
	assert_nothing_runs("another switch uses it");
	assert_false(apply(document(vm1), &for_good));
	config_store_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_file_then_saved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_file_mended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_saved_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_refused_by_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_saving_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_confirm_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rollback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_change_not_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_diff, setup, teardown),
		cmocka_unit_test_setup_teardown(test_needs_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_directory_in_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
