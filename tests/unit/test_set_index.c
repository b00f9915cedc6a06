/* Which sets an address is in: lists, their order, limits. */
#include "oom_rig.h"

#include <stdio.h>
#include <time.h>

#include "classifier_naive.h"

static struct set_member member(const char *text, uint16_t set)
{
	struct set_member m = {.set = set};

	assert_true(addr_span_parse(text, &m.span));
	return m;
}

static const struct set_list *find(const struct set_index *index, const char *text)
{
	return set_index_find(index, member(text, 0).span.first);
}

static void assert_list(const struct set_list *list, unsigned n, const uint16_t *ids)
{
	assert_non_null(list);
	assert_int_equal(list->n, n);
	assert_memory_equal(list->ids, ids, n * sizeof(*ids));
}

#define IDS(...)                                                                                   \
	sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t), (const uint16_t[])                   \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void test_no_members(void **state)
{
	struct set_index *index = set_index_create(NULL, 0);

	assert_non_null(index);
	assert_null(find(index, "10.0.0.1"));
	assert_null(find(index, "fd00::1"));
	assert_null(find(NULL, "10.0.0.1"));
	set_index_free(index);
	set_index_free(NULL);
}

static void test_members(void **state)
{
	const struct set_member members[] = {
		member("10.0.0.0/24", 700),
		member("10.0.0.7", 3),
		member("10.0.0.8-10.0.0.9", 3),
		member("10.0.0.0/8", 0),
		member("10.0.0.7", 512),
		member("10.0.0.7", 511),
		member("fd00::/64", 3),
		member("fd00::5", SETS_MAX - 1),
		member("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1),
		member("::", 2),
	};
	struct set_index *index = set_index_create(members, sizeof(members) / sizeof(members[0]));

	assert_non_null(index);
	assert_null(find(index, "9.255.255.255"));
	assert_list(find(index, "10.0.0.0"), IDS(0, 700));
	assert_list(find(index, "10.0.0.6"), IDS(0, 700));
	assert_list(find(index, "10.0.0.7"), IDS(0, 3, 511, 512, 700));
	assert_list(find(index, "10.0.0.8"), IDS(0, 3, 700));
	assert_list(find(index, "10.0.0.9"), IDS(0, 3, 700));
	assert_list(find(index, "10.0.0.10"), IDS(0, 700));
	assert_list(find(index, "10.0.0.255"), IDS(0, 700));
	assert_list(find(index, "10.0.1.0"), IDS(0));
	assert_list(find(index, "10.255.255.255"), IDS(0));
	assert_null(find(index, "11.0.0.0"));
	assert_list(find(index, "fd00::4"), IDS(3));
	assert_list(find(index, "fd00::5"), IDS(3, SETS_MAX - 1));
	assert_list(find(index, "fd00::ffff:ffff:ffff:ffff"), IDS(3));
	assert_null(find(index, "fd00:0:0:1::"));
	assert_null(find(index, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
	assert_list(find(index, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), IDS(1));
	assert_list(find(index, "::"), IDS(2));
	assert_null(find(index, "::1"));
	set_index_free(index);
}

/* The same set by spans that overlap, touch and repeat; and an empty one. */
static void test_overlaps_in_one_set(void **state)
{
	const struct set_member members[] = {
		member("10.0.0.10-10.0.0.20", 5),
		member("10.0.0.15-10.0.0.30", 5),
		member("10.0.0.12", 5),
		member("10.0.0.12", 5),
		member("10.0.0.31-10.0.0.40", 5),
		{{{0, ADDR_V4_PREFIX | 9}, {0, ADDR_V4_PREFIX | 8}}, 6},
	};
	struct set_index *index = set_index_create(members, sizeof(members) / sizeof(members[0]));
	char text[ADDR_TEXT_MAX];

	assert_non_null(index);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "10.0.0.%u", i);
		if (i < 10 || i > 40)
			assert_null(find(index, text));
		else
			assert_list(find(index, text), IDS(5));
		snprintf(text, sizeof(text), "0.0.0.%u", i);
		assert_null(find(index, text));
	}
	set_index_free(index);
}

static void test_equal_lists_are_one(void **state)
{
	const struct set_member members[] = {member("10.0.0.0/24", 1), member("10.0.0.0/24", 2),
		member("fd00::/64", 2), member("fd00::/64", 1)};
	struct set_index *index = set_index_create(members, 4);

	assert_list(find(index, "10.0.0.9"), IDS(1, 2));
	assert_ptr_equal(find(index, "10.0.0.9"), find(index, "fd00::9"));
	set_index_free(index);
}

static void test_ids_are_limited(void **state)
{
	struct set_member m = member("10.0.0.1", SETS_MAX);

	assert_null(set_index_create(&m, 1));
	m.set = NO_SET;
	assert_null(set_index_create(&m, 1));
}

static uint64_t random_state = 1;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % n);
}

static double ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct set_member any_member(void)
{
	struct addr a = {0, ADDR_V4_PREFIX | 10u << 24 | below(1 << 20)};
	unsigned len = below(4) != 0 ? 32 : 12 + below(20);

	if (below(3) == 0) {
		a = (struct addr){UINT64_C(0xfd00) << 48 | below(4), below(1 << 20)};
		len += 96;
	}
	return (struct set_member){addr_prefix(a, len), (uint16_t)below(200)};
}

static void test_many_members(void **state)
{
	enum { N = 10000 };
	static struct set_member members[N];
	struct set_index *index;
	unsigned found = 0;
	double before;

	for (unsigned i = 0; i < N; i++)
		members[i] = any_member();
	before = ms();
	index = set_index_create(members, N);
	printf("%u members: %.1f ms\n", N, ms() - before);
	assert_non_null(index);
	for (unsigned i = 0; i < 1000; i++) {
		struct addr a = below(2) ? members[below(N)].span.last : any_member().span.first;
		const struct set_list *list;

		a.low += below(3) == 0;
		list = set_index_find(index, a);
		found += list != NULL;
		assert_true(naive_list_is(list, a, members, N));
	}
	assert_true(found > 500);
	set_index_free(index);
}

/* Disjoint members as many as there may be; one more is refused. */
static void test_limit_of_spans(void **state)
{
	struct set_member *members = calloc(SET_SPANS_MAX + 1, sizeof(*members));
	struct set_index *index;
	double before;

	assert_non_null(members);
	for (unsigned i = 0; i <= SET_SPANS_MAX; i++) {
		/* An odd factor: all differ, in no order; and none is next to another. */
		struct addr a = {0, ADDR_V4_PREFIX | (i * 648053 % SET_SPANS_MAX) * 2};

		members[i] = (struct set_member){{a, a}, (uint16_t)(i % 100)};
	}
	assert_null(set_index_create(members, SET_SPANS_MAX + 1));
	before = ms();
	index = set_index_create(members, SET_SPANS_MAX);
	printf("%u members: %.0f ms\n", SET_SPANS_MAX, ms() - before);
	assert_non_null(index);
	for (unsigned i = 0; i < SET_SPANS_MAX; i += 997) {
		assert_true(naive_list_is(set_index_find(index, members[i].span.first),
			members[i].span.first, &members[i], 1));
		assert_null(set_index_find(index, (struct addr){0, members[i].span.first.low + 1}));
	}
	set_index_free(index);
	free(members);
}

/* Each set inside the next: lists grow with the square of the sets, up to a limit. */
static void test_nested_sets(void **state)
{
	static struct set_member members[SETS_MAX];
	struct set_index *index;

	for (unsigned i = 0; i < SETS_MAX; i++)
		members[i] = (struct set_member){
			{{1, SETS_MAX - i}, {1, SETS_MAX + 1 + i}}, (uint16_t)i};
	assert_null(set_index_create(members, SETS_MAX));
	index = set_index_create(members, 5000);
	assert_non_null(index);
	for (unsigned i = 0; i < 5000; i += 499) {
		struct addr inside = {1, SETS_MAX - i}, outside = {1, SETS_MAX + 2 + i};
		const struct set_list *list = set_index_find(index, inside);

		assert_int_equal(list->n, 5000 - i);
		assert_int_equal(list->ids[0], i);
		assert_int_equal(list->ids[list->n - 1], 4999);
		list = set_index_find(index, outside);
		assert_int_equal(list != NULL ? list->n : 0, 5000 - i - 1);
	}
	set_index_free(index);
	/* All sets of the same addresses: one list. */
	for (unsigned i = 0; i < SETS_MAX; i++)
		members[i].span = members[0].span;
	index = set_index_create(members, SETS_MAX);
	assert_int_equal(set_index_find(index, members[0].span.last)->n, SETS_MAX);
	set_index_free(index);
}

static void *make_for_oom(void)
{
	static struct set_member members[300];

	random_state = 1;
	for (unsigned i = 0; i < 300; i++)
		members[i] = any_member();
	return set_index_create(members, 300);
}

static void free_made(void *made)
{
	set_index_free(made);
}

static void test_out_of_memory(void **state)
{
	assert_true(oom_each(make_for_oom, free_made) > 15);
}

/* What a policy is held against: SETS_PER_ADDRESS_MAX. */
static void test_most(void **state)
{
	struct set_member members[7];
	struct set_index *index;

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		members[i] = (struct set_member){
			.span = {.first = {.low = 10 * i}, .last = {.low = 10 * i + 25}},
			.set = (uint16_t)i};
	index = set_index_create(members, 7);
	assert_non_null(index);
	assert_int_equal(set_index_most(index), 3);
	set_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_no_members),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_overlaps_in_one_set),
		cmocka_unit_test(test_equal_lists_are_one),
		cmocka_unit_test(test_ids_are_limited),
		cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_limit_of_spans),
		cmocka_unit_test(test_nested_sets),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
