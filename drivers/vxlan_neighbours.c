#include "vxlan_neighbours.h"

#include <stdlib.h>
#include <string.h>

static uint64_t word_of(const struct rte_ether_addr *mac)
{
	uint64_t word = 0;

	memcpy(&word, mac, sizeof(*mac));
	return word;
}

static struct vxlan_neighbour *find(struct vxlan_neighbours *all, struct addr address)
{
	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++) {
		struct vxlan_neighbour *n = atomic_load_explicit(
			&all->list[i], memory_order_acquire);

		if (n != NULL && addr_equal(n->address, address))
			return n;
	}
	return NULL;
}

struct vxlan_neighbour *vxlan_neighbours_hold(struct vxlan_neighbours *all, struct addr address)
{
	struct vxlan_neighbour *n = find(all, address);

	if (n != NULL) {
		n->users++;
		return n;
	}
	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++) {
		if (atomic_load(&all->list[i]) != NULL)
			continue;
		n = calloc(1, sizeof(*n));
		if (n == NULL)
			return NULL;
		n->address = address;
		n->users = 1;
		atomic_store_explicit(&all->list[i], n, memory_order_release);
		return n;
	}
	return NULL;
}

struct vxlan_neighbour *vxlan_neighbours_release(
	struct vxlan_neighbours *all, struct vxlan_neighbour *neighbour)
{
	if (--neighbour->users > 0)
		return NULL;
	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++)
		if (atomic_load(&all->list[i]) == neighbour)
			atomic_store(&all->list[i], NULL);
	return neighbour;
}

bool vxlan_neighbours_post(
	struct vxlan_neighbours *all, struct addr address, const struct rte_ether_addr *mac)
{
	struct vxlan_neighbour *n = find(all, address);
	uint64_t before;

	if (n == NULL)
		return false;
	before = atomic_exchange_explicit(&n->mac, word_of(mac), memory_order_relaxed);
	atomic_fetch_add_explicit(&n->heard, 1, memory_order_relaxed);
	return before == 0;
}

enum vxlan_neighbour_due vxlan_neighbour_tick(struct vxlan_neighbour *n, uint64_t now)
{
	uint64_t heard = atomic_load_explicit(&n->heard, memory_order_relaxed);

	if (heard != n->heard_seen) {
		n->heard_seen = heard;
		n->heard_at = now;
	}
	if (atomic_load(&n->mac) == 0)
		return VXLAN_DUE_ASK_ALL;
	if (now - n->heard_at < VXLAN_ASK_AFTER_S)
		return VXLAN_DUE_NOTHING;
	if (now - n->heard_at < VXLAN_FORGET_AFTER_S)
		return VXLAN_DUE_ASK_IT;
	vxlan_neighbour_set(n, NULL);
	return VXLAN_DUE_ASK_ALL;
}

void vxlan_neighbour_set(struct vxlan_neighbour *n, const struct rte_ether_addr *mac)
{
	atomic_store_explicit(&n->mac, mac != NULL ? word_of(mac) : 0, memory_order_relaxed);
}
