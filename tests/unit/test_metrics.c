/*
 * The metrics held against the grammar of OpenMetrics 1.0 (its sections "ABNF" and "Overall
 * structure"), with names in them that need escaping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>

#include "drop.h"
#include "events.h"
#include "fake_switch.h"
#include "loop.h"
#include "metrics.h"
#include "temp_dir.h"
#include "transaction.h"

#define FAMILIES_MAX 128
#define SAMPLES_MAX  4096

struct family {
	char name[96], type[16], unit[32];
	bool help, samples;
};

static struct family families[FAMILIES_MAX];
static unsigned n_families;
static char *samples[SAMPLES_MAX]; /* name and labels of each */
static unsigned n_samples;

static int setup(void **state)
{
	char text[512];

	if (make_dir(state) != 0 || loop_open() != 0)
		return -1;
	snprintf(text, sizeof(text),
		"vswitch: {state: %s/state}\nnetworks: [{name: office}]\n"
		"ports: [{name: vm1, network: office, kernel: {interface: a1}},\n"
		"  {name: vm2, network: office, kernel: {interface: a2}}]\n",
		dir);
	write_text("v.yaml", text);
	events_open("/dev/full");
	events_emit("lost", NULL);
	return transaction_load(in_dir("v.yaml")) != NULL && transaction_start() ? 0 : -1;
}

static int teardown(void **state)
{
	transaction_stop();
	events_close();
	loop_close();
	fake_switch_reset();
	for (unsigned i = 0; i < n_samples; i++)
		free(samples[i]);
	return remove_dir(state);
}

static size_t name_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_' || text[n] == ':')
		n++;
	assert_true(n > 0 && !isdigit((unsigned char)text[0]));
	return n;
}

/* The family that a comment or sample belongs to is always the last one begun. */
static struct family *current(void)
{
	assert_true(n_families > 0);
	return &families[n_families - 1];
}

static void check_comment(const char *line)
{
	char keyword[8], name[96];
	int used = 0;

	assert_int_equal(sscanf(line, "# %7s %95s %n", keyword, name, &used), 2);
	assert_int_equal(name_length(name), strlen(name));
	if (strcmp(keyword, "TYPE") == 0) {
		for (unsigned i = 0; i < n_families; i++)
			assert_string_not_equal(families[i].name, name);
		assert_true(n_families < FAMILIES_MAX);
		strcpy(families[n_families].name, name);
		snprintf(families[n_families].type, sizeof(families[0].type), "%s", line + used);
		n_families++;
		return;
	}
	assert_string_equal(current()->name, name);
	assert_false(current()->samples);
	if (strcmp(keyword, "UNIT") == 0) {
		const char *unit = line + used, *end = name + strlen(name) - strlen(unit);

		assert_true(end > name && end[-1] == '_');
		assert_string_equal(end, unit);
		return;
	}
	assert_string_equal(keyword, "HELP");
	assert_true(strlen(line + used) > 0);
	current()->help = true;
}

/* One label's value after its opening quote; returns what follows the closing one. */
static const char *check_value(const char *text)
{
	for (; *text != '"'; text++) {
		assert_int_not_equal(*text, '\0');
		if (*text == '\\') {
			text++;
			assert_true(*text == '\\' || *text == '"' || *text == 'n');
		}
	}
	return text + 1;
}

/* {name="value",...}; returns what follows. */
static const char *check_labels(const char *text)
{
	if (*text != '{')
		return text;
	do {
		text++;
		text += name_length(text);
		assert_memory_equal(text, "=\"", 2);
		text = check_value(text + 2);
	} while (*text == ',');
	assert_int_equal(*text, '}');
	return text + 1;
}

static void check_sample(const char *line)
{
	const char *suffix = "", *text = line + name_length(line);
	char name[128], *end;
	double value;

	if (strcmp(current()->type, "counter") == 0)
		suffix = "_total";
	else if (strcmp(current()->type, "info") == 0)
		suffix = "_info";
	else
		assert_string_equal(current()->type, "gauge");
	snprintf(name, sizeof(name), "%s%s", current()->name, suffix);
	assert_int_equal(strlen(name), text - line);
	assert_memory_equal(name, line, strlen(name));
	text = check_labels(text);
	for (unsigned i = 0; i < n_samples; i++)
		assert_false(strlen(samples[i]) == (size_t)(text - line) &&
			     memcmp(samples[i], line, (size_t)(text - line)) == 0);
	assert_true(n_samples < SAMPLES_MAX);
	samples[n_samples++] = strndup(line, (size_t)(text - line));
	assert_int_equal(*text, ' ');
	value = strtod(text + 1, &end);
	assert_int_equal(*end, '\0');
	assert_true(value >= 0);
	assert_true(strcmp(suffix, "_info") != 0 || value == 1);
	current()->samples = true;
}

static void test_grammar(void **state)
{
	char *text = metrics_text(), *line, *next;
	size_t len;

	(void)state;
	assert_non_null(text);
	len = strlen(text);
	assert_true(len > 6 && strcmp(text + len - 6, "# EOF\n") == 0);
	text[len - 6] = '\0';
	for (line = text; *line != '\0'; line = next) {
		next = strchr(line, '\n');
		assert_non_null(next);
		*next++ = '\0';
		if (line[0] == '#')
			check_comment(line);
		else
			check_sample(line);
	}
	for (unsigned i = 0; i < n_families; i++) {
		assert_true(families[i].help);
		assert_true(families[i].samples);
	}
	free(text);
}

static void test_content(void **state)
{
	char *text = metrics_text(), line[256];

	(void)state;
	assert_non_null(strstr(text, "vswitch_info{version=\"1.2.3\"} 1\n"));
	assert_non_null(strstr(text, "vswitch_port_received_packets_total{port=\"vm1\","
				     "network=\"office\",tenant=\"a\\\"b\\\\c\"} 7\n"));
	assert_non_null(strstr(text, ",reason=\"tx_full\"} 3\n"));
	assert_non_null(strstr(text, "vswitch_worker_busy_percent{core=\"1\"} 12.5\n"));
	assert_non_null(
		strstr(text, "vswitch_worker_stage_packets_total{core=\"1\",stage=\"rx\"} 100"));
	assert_non_null(strstr(text, "vswitch_configuration_revision 1\n"));
	assert_non_null(strstr(text, "vswitch_events_lost_total 2\n"));
	for (int r = 0; r < DROP_REASONS; r++) {
		snprintf(line, sizeof(line), "vswitch_drop_reason_info{reason=\"%s\",",
			drop_name((enum drop_reason)r));
		assert_non_null(strstr(text, line));
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_content),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
