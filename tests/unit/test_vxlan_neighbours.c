/*
 * Where peers are: asked for until known, by their MAC before that gets old, and forgotten when
 * they are silent; bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "vxlan_neighbours.h"

static const struct rte_ether_addr mac1 = {{2, 0, 0, 0, 0, 1}}, mac2 = {{2, 0, 0, 0, 0, 2}};

static struct addr number(uint64_t n)
{
	return (struct addr){.low = ADDR_V4_PREFIX | n};
}

static void assert_at(const struct vxlan_neighbour *n, const struct rte_ether_addr *expected)
{
	struct rte_ether_addr mac;
	bool known = vxlan_neighbour_mac(n, &mac);

	assert_int_equal(known, expected != NULL);
	if (expected != NULL)
		assert_true(rte_is_same_ether_addr(&mac, expected));
}

static void test_shared_and_bounded(void **state)
{
	struct vxlan_neighbours *all = calloc(1, sizeof(*all));
	struct vxlan_neighbour *list[VXLAN_NEIGHBOURS_MAX], *first;

	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++) {
		list[i] = vxlan_neighbours_hold(all, number(i + 1));
		assert_non_null(list[i]);
	}
	assert_null(vxlan_neighbours_hold(all, number(5000)));
	assert_ptr_equal(vxlan_neighbours_hold(all, number(1)), list[0]);
	assert_null(vxlan_neighbours_release(all, list[0]));
	first = vxlan_neighbours_release(all, list[0]);
	assert_ptr_equal(first, list[0]);
	free(first);
	assert_false(vxlan_neighbours_post(all, number(1), &mac1)); /* nobody's any more */
	list[0] = vxlan_neighbours_hold(all, number(5000));
	assert_non_null(list[0]);
	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++)
		free(vxlan_neighbours_release(all, list[i]));
	free(all);
}

static void test_ages(void **state)
{
	struct vxlan_neighbours *all = calloc(1, sizeof(*all));
	struct vxlan_neighbour *n = vxlan_neighbours_hold(all, number(1));
	uint64_t now = 1000;

	assert_at(n, NULL);
	assert_int_equal(vxlan_neighbour_tick(n, now), VXLAN_DUE_ASK_ALL);
	assert_int_equal(vxlan_neighbour_tick(n, ++now), VXLAN_DUE_ASK_ALL);
	assert_true(vxlan_neighbours_post(all, number(1), &mac1));
	assert_false(vxlan_neighbours_post(all, number(1), &mac1)); /* known already */
	assert_at(n, &mac1);
	assert_int_equal(vxlan_neighbour_tick(n, now), VXLAN_DUE_NOTHING);
	assert_int_equal(vxlan_neighbour_tick(n, now + VXLAN_ASK_AFTER_S - 1), VXLAN_DUE_NOTHING);
	now += VXLAN_ASK_AFTER_S;
	assert_int_equal(vxlan_neighbour_tick(n, now), VXLAN_DUE_ASK_IT);
	assert_false(vxlan_neighbours_post(all, number(1), &mac2)); /* it has moved */
	assert_at(n, &mac2);
	assert_int_equal(vxlan_neighbour_tick(n, now), VXLAN_DUE_NOTHING);
	now += VXLAN_FORGET_AFTER_S;
	assert_at(n, &mac2);
	assert_int_equal(vxlan_neighbour_tick(n, now - 1), VXLAN_DUE_ASK_IT);
	assert_int_equal(vxlan_neighbour_tick(n, now), VXLAN_DUE_ASK_ALL);
	assert_at(n, NULL);
	free(vxlan_neighbours_release(all, n));
	free(all);
}

/* Nobody gets in who is not asked for. */
static void test_strangers(void **state)
{
	struct vxlan_neighbours *all = calloc(1, sizeof(*all));
	struct vxlan_neighbour *n = vxlan_neighbours_hold(all, number(1));

	for (unsigned i = 2; i < 10000; i++)
		assert_false(vxlan_neighbours_post(all, number(i), &mac1));
	assert_at(n, NULL);
	free(vxlan_neighbours_release(all, n));
	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++)
		assert_null(atomic_load(&all->list[i]));
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_and_bounded),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
