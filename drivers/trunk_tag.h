/*
 * 802.1Q tags of frames on a trunk (IEEE 802.1Q-2018, 9.3 to 9.6). Any thread; no state.
 */
#ifndef VS_TRUNK_TAG_H
#define VS_TRUNK_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#define TRUNK_TAG_LEN 4
#define TRUNK_VLANS   4096 /* 0 stands for frames that belong to no VLAN */

enum trunk_tag_fault {
	TRUNK_TAG_SHORT = -1, /* no whole Ethernet header and tag in the first segment */
	TRUNK_TAG_DOUBLE = -2, /* a tag behind the tag, or an outer one that is not 802.1Q's */
};

/*
 * Takes the tag off m and keeps priority and drop eligibility in m->vlan_tci, for whoever puts one
 * on again; 0 there where m had none. A tag that the device took off counts the same. Returns the
 * VLAN, 0 for a frame without tag or with a priority tag, or an trunk_tag_fault, m unchanged. With
 * `nested` another tag may follow a VLAN's: it stays. Behind a priority tag none may: as the frame
 * of VLAN 0 it would be one of the VLAN that its second tag names.
 */
int trunk_tag_pop(struct rte_mbuf *m, bool nested);

/*
 * Puts the tag of vlan (not 0) on m, in its headroom, with the priority in m->vlan_tci. m is nobody
 * else's, has TRUNK_TAG_LEN of headroom and 12 bytes in its first segment.
 */
void trunk_tag_push(struct rte_mbuf *m, uint16_t vlan);

/* Undoes trunk_tag_push(). */
void trunk_tag_undo(struct rte_mbuf *m);

/* True where m begins with a tag of any kind. */
bool trunk_tag_is_there(const struct rte_mbuf *m);

#endif
