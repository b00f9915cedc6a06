/* Counters and the list of drop reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "counters.h"

/* Every word of the row another number. */
static void fill(struct port_counters *c, uint64_t from)
{
	uint64_t *words = (uint64_t *)c;

	for (unsigned i = 0; i < sizeof(*c) / sizeof(*words); i++)
		words[i] = from + i;
}

static void test_add_and_subtract(void **state)
{
	struct port_counters a, b, c;

	fill(&a, 1000);
	fill(&b, 7);
	c = a;
	port_counters_add(&c, &b);
	assert_int_equal(c.received, a.received + b.received);
	assert_int_equal(c.sent_bytes, a.sent_bytes + b.sent_bytes);
	for (unsigned i = 0; i < DROP_REASONS; i++)
		assert_int_equal(c.drops[i], a.drops[i] + b.drops[i]);
	port_counters_subtract(&c, &b);
	assert_memory_equal(&c, &a, sizeof(a));
}

/* Each drop is in one stage's sum and not in the other's. */
static void test_dropped(void **state)
{
	uint64_t in = 0, out = 0;
	struct port_counters c;

	memset(&c, 0, sizeof(c));
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		c.drops[i] = 1ull << i;
		*(drop_is_output(i) ? &out : &in) |= 1ull << i;
	}
	assert_true(in != 0 && out != 0);
	assert_int_equal(port_counters_dropped(&c, false), in);
	assert_int_equal(port_counters_dropped(&c, true), out);
	assert_false(drop_is_output(DROP_hairpin));
	assert_true(drop_is_output(DROP_tx_full));
}

/* Names go into metrics and commands as they are. */
static void test_reasons(void **state)
{
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		for (const char *p = drop_name(i); *p != '\0'; p++)
			assert_true(islower(*p) || isdigit(*p) || *p == '_');
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(drop_name(i), drop_name(j));
		assert_true(strlen(drop_text(i)) > 10);
	}
	assert_string_equal(drop_name(DROP_src_mac_static), "src_mac_static");
}

static void test_counter(void **state)
{
	uint64_t counter = UINT64_MAX - 1;

	counter_add(&counter, 3);
	assert_int_equal(counter_read(&counter), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_subtract),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
