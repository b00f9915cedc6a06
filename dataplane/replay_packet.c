#include "replay_packet.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#define ETHERTYPE_VLAN_OLD  0x9100
#define VLAN_TAGS_MAX       4
#define IPV6_EXTENSIONS_MAX 8

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void parse_ipv4(struct replay_packet *p)
{
	uint32_t header;
	uint16_t fragment;

	if (p->l3_len < 20 || p->l3[0] >> 4 != 4)
		return;
	p->addr_len = 4;
	p->src = p->l3 + 12;
	p->dst = p->l3 + 16;
	header = (p->l3[0] & 15u) * 4;
	if (header < 20 || header > p->l3_len)
		return;
	fragment = be16(p->l3 + 6);
	p->later = fragment & 0x1fff;
	p->fragment = p->later || (fragment & 0x2000);
	p->id = be16(p->l3 + 4);
	p->proto = p->l3[9];
	p->l4 = p->l3 + header;
	p->l4_len = p->l3_len - header;
}

/*
 * Steps over one extension header of the given type at off. Returns its length, 0 where it is none
 * or is cut off.
 */
static uint32_t ipv6_extension(struct replay_packet *p, uint8_t type, uint32_t off)
{
	const uint8_t *h = p->l3 + off;

	if (p->l3_len - off < 8)
		return 0;
	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (h[1] + 1u) * 8;
	case IPPROTO_AH:
		return (h[1] + 2u) * 4;
	case IPPROTO_FRAGMENT:
		p->fragment = true;
		p->later = be16(h + 2) & 0xfff8;
		p->id = be32(h + 4);
		return 8;
	default:
		return 0;
	}
}

static void parse_ipv6(struct replay_packet *p)
{
	uint32_t off = 40, len;
	uint8_t type;
	unsigned i;

	if (p->l3_len < 40 || p->l3[0] >> 4 != 6)
		return;
	p->addr_len = 16;
	p->src = p->l3 + 8;
	p->dst = p->l3 + 24;
	type = p->l3[6];
	for (i = 0; i < IPV6_EXTENSIONS_MAX && !p->later; i++) {
		len = ipv6_extension(p, type, off);
		if (len == 0)
			break;
		if (len > p->l3_len - off)
			return;
		type = p->l3[off];
		off += len;
	}
	p->proto = type;
	p->l4 = p->l3 + off;
	p->l4_len = p->l3_len - off;
}

/* ARP of IPv4 over Ethernet; src and dst are the addresses of sender and target. */
static void parse_arp(struct replay_packet *p)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};

	if (p->l3_len < 28 || memcmp(p->l3, head, sizeof(head)) != 0)
		return;
	p->addr_len = 4;
	p->src = p->l3 + 14;
	p->dst = p->l3 + 24;
}

void replay_packet_parse(struct replay_packet *p, const uint8_t *frame, uint32_t len)
{
	uint32_t off = 14;
	unsigned tags;

	memset(p, 0, sizeof(*p));
	if (len < off)
		return;
	p->ethertype = be16(frame + 12);
	for (tags = 0; tags < VLAN_TAGS_MAX && len - off >= 4; tags++) {
		if (p->ethertype != RTE_ETHER_TYPE_VLAN && p->ethertype != RTE_ETHER_TYPE_QINQ &&
			p->ethertype != ETHERTYPE_VLAN_OLD)
			break;
		p->ethertype = be16(frame + off + 2);
		off += 4;
	}
	p->l3 = frame + off;
	p->l3_len = len - off;
	if (p->ethertype == RTE_ETHER_TYPE_IPV4)
		parse_ipv4(p);
	else if (p->ethertype == RTE_ETHER_TYPE_IPV6)
		parse_ipv6(p);
	else if (p->ethertype == RTE_ETHER_TYPE_ARP)
		parse_arp(p);
}

void replay_packet_parse_ip(struct replay_packet *p, const uint8_t *ip, uint32_t len)
{
	memset(p, 0, sizeof(*p));
	p->l3 = ip;
	p->l3_len = len;
	if (len > 0 && ip[0] >> 4 == 4) {
		p->ethertype = RTE_ETHER_TYPE_IPV4;
		parse_ipv4(p);
	} else {
		p->ethertype = RTE_ETHER_TYPE_IPV6;
		parse_ipv6(p);
	}
}
