/* Rows of bits in shared pages. */
#include "oom_rig.h"

#include <string.h>

#include "bit_pages.h"

static bool bit(const struct bit_pages *p, uint32_t row, unsigned i)
{
	uint32_t id = bit_pages_rows(p)[row * bit_pages_row_pages(p) + i / BIT_PAGE_BITS];

	return bit_pages_pages(p)[id].words[i % BIT_PAGE_BITS / 64] >> i % 64 & 1;
}

static void test_rows_keep_their_bits(void **state)
{
	static const unsigned bits[] = {0, 63, 64, 511, 512, 1023, 1024, 1499};
	enum { N = sizeof(bits) / sizeof(bits[0]) };
	struct bit_pages *p = bit_pages_create(1500);
	uint32_t rows[N + 1];

	assert_int_equal(bit_pages_row_pages(p), 3);
	for (unsigned i = 0; i <= N; i++) {
		rows[i] = bit_pages_intern(p);
		assert_int_equal(rows[i], i);
		if (i < N)
			bit_pages_set(p, bits[i], true);
	}
	bit_pages_seal(p);
	assert_int_equal(bit_pages_row_count(p), N + 1);
	for (unsigned i = 0; i <= N; i++) {
		unsigned set = 0;

		for (unsigned b = 0; b < 1500; b++)
			set += bit(p, rows[i], b);
		assert_int_equal(set, i);
		for (unsigned b = 0; b < i; b++)
			assert_true(bit(p, rows[i], bits[b]));
	}
	bit_pages_free(p);
	bit_pages_free(NULL);
}

static void test_equal_rows_are_one(void **state)
{
	struct bit_pages *p = bit_pages_create(2048);
	uint32_t empty, one, other;

	empty = bit_pages_intern(p);
	bit_pages_set(p, 600, true);
	one = bit_pages_intern(p);
	bit_pages_set(p, 1600, true);
	other = bit_pages_intern(p);
	assert_true(one != empty && other != one && other != empty);
	/* The same page in another place is another row, but no other page. */
	assert_int_equal(bit_pages_rows(p)[one * 4 + 1], 1);
	assert_int_equal(bit_pages_rows(p)[other * 4 + 1], 1);
	bit_pages_set(p, 1600, false);
	assert_int_equal(bit_pages_intern(p), one);
	bit_pages_set(p, 600, true);
	assert_int_equal(bit_pages_intern(p), one);
	bit_pages_clear(p);
	assert_int_equal(bit_pages_intern(p), empty);
	bit_pages_set(p, 88, true);
	assert_int_equal(bit_pages_rows(p)[bit_pages_intern(p) * 4], 1);
	assert_int_equal(bit_pages_row_count(p), 4);
	bit_pages_free(p);
}

static void test_pages_by_themselves(void **state)
{
	struct bit_pages *p = bit_pages_create(100);
	struct bit_page page;
	uint32_t id;

	memset(&page, 0, sizeof(page));
	assert_int_equal(bit_pages_intern_page(p, &page), 0);
	page.words[7] = 1;
	id = bit_pages_intern_page(p, &page);
	assert_int_not_equal(id, 0);
	assert_int_equal(bit_pages_intern_page(p, &page), id);
	assert_memory_equal(&bit_pages_pages(p)[id], &page, sizeof(page));
	bit_pages_free(p);
}

/* Each of many pages is found again, however often the table of them has grown. */
static void test_many_pages(void **state)
{
	enum { N = 100000 };
	struct bit_pages *p = bit_pages_create(100);
	struct bit_page page;
	unsigned twice = 0;

	memset(&page, 0, sizeof(page));
	for (unsigned i = 1; i <= N; i++) {
		page.words[i % 8] = i;
		assert_int_equal(bit_pages_intern_page(p, &page), i);
	}
	memset(&page, 0, sizeof(page));
	for (unsigned i = 1; i <= N; i++) {
		page.words[i % 8] = i;
		twice += bit_pages_intern_page(p, &page) != i;
	}
	assert_int_equal(twice, 0);
	assert_in_range(bit_pages_size(p), N * sizeof(page), 4 * N * sizeof(page));
	bit_pages_seal(p);
	assert_in_range(bit_pages_size(p), N * sizeof(page), N * sizeof(page) + 4096);
	bit_pages_free(p);
}

static void test_limit(void **state)
{
	struct bit_pages *p = bit_pages_create(100);
	struct bit_page page;
	uint32_t n = BIT_PAGES_BYTES_MAX / sizeof(page);

	memset(&page, 0, sizeof(page));
	for (uint32_t i = 1; i < n; i++) {
		page.words[0] = i;
		assert_int_equal(bit_pages_intern_page(p, &page), i);
	}
	page.words[0] = n;
	assert_int_equal(bit_pages_intern_page(p, &page), BIT_PAGES_NONE);
	assert_int_equal(bit_pages_intern_page(p, &page), BIT_PAGES_NONE);
	bit_pages_set(p, 99, true);
	bit_pages_set(p, 3, true);
	assert_int_equal(bit_pages_intern(p), BIT_PAGES_NONE);
	/* A row of what there is can still be had. */
	bit_pages_set(p, 99, false);
	assert_int_equal(bit_pages_intern(p), 0);
	bit_pages_free(p);
}

static void *make_for_oom(void)
{
	struct bit_pages *p = bit_pages_create(1500);

	for (unsigned i = 0; p != NULL && i < 1500; i++) {
		bit_pages_set(p, i, true);
		if (bit_pages_intern(p) == BIT_PAGES_NONE) {
			bit_pages_free(p);
			p = NULL;
		}
	}
	return p;
}

static void free_made(void *made)
{
	bit_pages_free(made);
}

static void test_out_of_memory(void **state)
{
	assert_true(oom_each(make_for_oom, free_made) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_keep_their_bits),
		cmocka_unit_test(test_equal_rows_are_one),
		cmocka_unit_test(test_pages_by_themselves),
		cmocka_unit_test(test_many_pages),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
