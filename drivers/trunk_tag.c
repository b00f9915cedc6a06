#include "trunk_tag.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#define TYPE_QINQ_OLD  0x9100 /* in use before 802.1ad had a number of its own */
#define VLAN_MASK      0x0fff
#define PRIORITY_MASK  0xf000 /* PCP and DEI */
#define MAC_BYTES      (2 * RTE_ETHER_ADDR_LEN)
#define DEVICE_TOOK_IT (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED)

static bool is_tag(uint16_t type)
{
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ || type == TYPE_QINQ_OLD;
}

/* The ethertype at `offset`; 0 where the first segment ends before. */
static uint16_t type_at(const struct rte_mbuf *m, uint16_t offset)
{
	rte_be16_t type;

	if (rte_pktmbuf_data_len(m) < offset + sizeof(type))
		return 0;
	memcpy(&type, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), sizeof(type));
	return rte_be_to_cpu_16(type);
}

bool trunk_tag_is_there(const struct rte_mbuf *m)
{
	return is_tag(type_at(m, MAC_BYTES));
}

static uint16_t tci_of(const struct rte_mbuf *m)
{
	return type_at(m, MAC_BYTES + 2);
}

int trunk_tag_pop(struct rte_mbuf *m, bool nested)
{
	bool taken = (m->ol_flags & DEVICE_TOOK_IT) == DEVICE_TOOK_IT;
	uint16_t tci = taken ? m->vlan_tci : 0, inner = MAC_BYTES;
	bool tagged = taken;

	if (rte_pktmbuf_data_len(m) < RTE_ETHER_HDR_LEN)
		return TRUNK_TAG_SHORT;
	if (!taken && is_tag(type_at(m, MAC_BYTES))) {
		if (type_at(m, MAC_BYTES) != RTE_ETHER_TYPE_VLAN)
			return TRUNK_TAG_DOUBLE;
		inner += TRUNK_TAG_LEN;
		if (rte_pktmbuf_data_len(m) < inner + 2)
			return TRUNK_TAG_SHORT;
		tci = tci_of(m);
		tagged = true;
	}
	if (tagged && is_tag(type_at(m, inner)) && (!nested || (tci & VLAN_MASK) == 0))
		return TRUNK_TAG_DOUBLE;
	if (inner != MAC_BYTES) {
		uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

		memmove(frame + TRUNK_TAG_LEN, frame, MAC_BYTES);
		rte_pktmbuf_adj(m, TRUNK_TAG_LEN);
	}
	m->vlan_tci = tci & PRIORITY_MASK;
	return tci & VLAN_MASK;
}

void trunk_tag_push(struct rte_mbuf *m, uint16_t vlan)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *) - TRUNK_TAG_LEN;
	rte_be16_t tag[2] = {rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN),
		rte_cpu_to_be_16((m->vlan_tci & PRIORITY_MASK) | vlan)};

	memmove(frame, frame + TRUNK_TAG_LEN, MAC_BYTES);
	memcpy(frame + MAC_BYTES, tag, sizeof(tag));
	m->data_off -= TRUNK_TAG_LEN;
	m->data_len += TRUNK_TAG_LEN;
	m->pkt_len += TRUNK_TAG_LEN;
	m->l2_len += TRUNK_TAG_LEN;
}

void trunk_tag_undo(struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	memmove(frame + TRUNK_TAG_LEN, frame, MAC_BYTES);
	rte_pktmbuf_adj(m, TRUNK_TAG_LEN);
	m->l2_len -= TRUNK_TAG_LEN;
}
