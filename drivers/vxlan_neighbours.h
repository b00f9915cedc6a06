/*
 * Where peers and gateways of an underlay are: the MACs that tunnels' packets go to.
 *
 * The control thread takes and gives back neighbours and says once a second what time it is; a
 * worker that hears of an address posts it, and reads MACs, each one atomic word. Bounded: nothing
 * is kept of addresses that nobody takes.
 */
#ifndef VS_VXLAN_NEIGHBOURS_H
#define VS_VXLAN_NEIGHBOURS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#include "addr.h"
#include "config.h"

#define VXLAN_NEIGHBOURS_MAX (CONFIG_PEERS_MAX + 1) /* and the gateway */

#define VXLAN_ASK_AFTER_S    20 /* since it was last heard of: by its MAC */
#define VXLAN_FORGET_AFTER_S 40 /* asked all the while, it has not said a word */

struct vxlan_neighbour {
	struct addr address;
	unsigned users; /* control thread */
	_Atomic uint64_t mac; /* its six bytes as in memory; 0: not known */
	_Atomic uint64_t heard; /* posts; moves with each */
	uint64_t heard_seen, heard_at; /* the control thread's: heard as it saw it, and when (s) */
	char error[256]; /* why the kernel does not know where it is; control thread */
};

struct vxlan_neighbours {
	_Atomic(struct vxlan_neighbour *) list[VXLAN_NEIGHBOURS_MAX];
};

/* One more user of address. NULL: no memory, or no place. */
struct vxlan_neighbour *vxlan_neighbours_hold(struct vxlan_neighbours *all, struct addr address);

/* One less. With the last it is out of the list, and the caller frees it when no worker can be
 * looking at it any more; else NULL. */
struct vxlan_neighbour *vxlan_neighbours_release(
	struct vxlan_neighbours *all, struct vxlan_neighbour *neighbour);

/* Somebody says that address is at mac. Any worker. True where it was not known before. */
bool vxlan_neighbours_post(
	struct vxlan_neighbours *all, struct addr address, const struct rte_ether_addr *mac);

/* What is to be done for a neighbour, `now` (s) being the time; at least once a second. */
enum vxlan_neighbour_due {
	VXLAN_DUE_NOTHING,
	VXLAN_DUE_ASK_ALL, /* where it is */
	VXLAN_DUE_ASK_IT, /* whether it is still where it was */
};

enum vxlan_neighbour_due vxlan_neighbour_tick(struct vxlan_neighbour *neighbour, uint64_t now);

/* False: it is not known. Any thread. */
static inline bool vxlan_neighbour_mac(
	const struct vxlan_neighbour *neighbour, struct rte_ether_addr *mac)
{
	uint64_t word = atomic_load_explicit(&neighbour->mac, memory_order_relaxed);

	__builtin_memcpy(mac, &word, sizeof(*mac));
	return word != 0;
}

/* mac NULL: it is not known. */
void vxlan_neighbour_set(struct vxlan_neighbour *neighbour, const struct rte_ether_addr *mac);

#endif
