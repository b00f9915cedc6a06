#include "capture_link.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <pcap/pcap.h>
#include <rte_common.h>

#define ETHERTYPE_IPV4           0x0800
#define ETHERTYPE_IPV6           0x86dd
#define ETHERTYPE_MPLS           0x8847
#define ETHERTYPE_MPLS_MULTICAST 0x8848
#define ETHERTYPE_FIRST          0x0600 /* below: an 802.3 length */
#define ETHER_LENGTH_LAST        1500

#define SKIP(reason) (-(1 + CAPTURE_SKIP_##reason))

const char *const capture_skip_names[CAPTURE_SKIP_REASONS] = {
	[CAPTURE_SKIP_LINK_TYPE] = "link_type",
	[CAPTURE_SKIP_PAYLOAD] = "payload",
	[CAPTURE_SKIP_SHORT] = "short",
};

/* What a link header says about the payload behind it. */
struct link_payload {
	uint32_t off;
	uint16_t type; /* ethertype, or 802.3 length */
	const uint8_t *sender; /* MAC of the sender, NULL where not known */
	bool group; /* to a group or to all */
};

typedef int (*link_decoder)(const uint8_t *data, uint32_t len, struct link_payload *p);

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* DLT_RAW, DLT_IPV4, DLT_IPV6: the packet begins with its IP header. */
static int link_raw(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	if (len < 1)
		return SKIP(SHORT);
	switch (data[0] >> 4) {
	case 4:
		p->type = ETHERTYPE_IPV4;
		return 0;
	case 6:
		p->type = ETHERTYPE_IPV6;
		return 0;
	default:
		return SKIP(PAYLOAD);
	}
}

/*
 * DLT_NULL and DLT_LOOP: an address family in 4 bytes, in the capturing host's byte order or in
 * network order. Both orders are accepted: no family is above 255. The numbers for IPv6 are those
 * of Linux, NetBSD and OpenBSD, FreeBSD, and Darwin.
 */
static int link_family(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	uint32_t family;

	if (len < 4)
		return SKIP(SHORT);
	family = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 |
		 data[3];
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	p->off = 4;
	switch (family) {
	case 2:
		p->type = ETHERTYPE_IPV4;
		return 0;
	case 10:
	case 24:
	case 28:
	case 30:
		p->type = ETHERTYPE_IPV6;
		return 0;
	default:
		return SKIP(PAYLOAD);
	}
}

/* The part that LINUX_SLL and LINUX_SLL2 have in common; p->off is set. */
static int link_cooked(uint32_t len, struct link_payload *p, uint16_t hardware, uint16_t protocol,
	uint16_t packet_type, uint16_t address_len, const uint8_t *address)
{
	uint32_t payload_len = len - p->off;

	/*
	 * ARPHRD_ of netlink, Frame Relay and the three of 802.11: the protocol field is no
	 * ethertype there (tcpdump.org, LINKTYPE_LINUX_SLL).
	 */
	if (hardware == 824 || hardware == 770 || (hardware >= 801 && hardware <= 803))
		return SKIP(PAYLOAD);
	p->group = packet_type == 1 || packet_type == 2;
	if (address_len == 6 && !(address[0] & 1))
		p->sender = address;
	if (protocol >= ETHERTYPE_FIRST) {
		p->type = protocol;
		return 0;
	}
	/* 1: raw 802.3 of Novell, 4: 802.2. Behind a length in Ethernet. */
	if ((protocol != 1 && protocol != 4) || payload_len > ETHER_LENGTH_LAST)
		return SKIP(PAYLOAD);
	p->type = (uint16_t)payload_len;
	return 0;
}

static int link_sll(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	if (len < 16)
		return SKIP(SHORT);
	p->off = 16;
	return link_cooked(
		len, p, be16(data + 2), be16(data + 14), be16(data), be16(data + 4), data + 6);
}

static int link_sll2(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	if (len < 20)
		return SKIP(SHORT);
	p->off = 20;
	return link_cooked(len, p, be16(data + 8), be16(data), data[10], data[11], data + 12);
}

/* Cisco HDLC: address, control, ethertype. Its keep-alives use numbers that mean other things. */
static int link_cisco_hdlc(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	if (len < 4)
		return SKIP(SHORT);
	p->off = 4;
	p->type = be16(data + 2);
	switch (p->type) {
	case ETHERTYPE_IPV4:
	case ETHERTYPE_IPV6:
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_MULTICAST:
		return 0;
	default:
		return SKIP(PAYLOAD);
	}
}

/* The protocol number of PPP (RFC 1661, 2), one byte where it is odd, at p->off. */
static int link_ppp_protocol(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	uint16_t protocol;

	if (len <= p->off)
		return SKIP(SHORT);
	protocol = data[p->off++];
	if (!(protocol & 1)) {
		if (len <= p->off)
			return SKIP(SHORT);
		protocol = (uint16_t)(protocol << 8 | data[p->off++]);
	}
	switch (protocol) {
	case 0x0021:
		p->type = ETHERTYPE_IPV4;
		return 0;
	case 0x0057:
		p->type = ETHERTYPE_IPV6;
		return 0;
	case 0x0281:
		p->type = ETHERTYPE_MPLS;
		return 0;
	case 0x0283:
		p->type = ETHERTYPE_MPLS_MULTICAST;
		return 0;
	default:
		return SKIP(PAYLOAD);
	}
}

/*
 * DLT_PPP, DLT_PPP_SERIAL and DLT_PPP_PPPD: with or without address and control; pppd puts the
 * direction, 0 or 1, where the address was.
 */
static int link_ppp(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	if (len < 2)
		return SKIP(SHORT);
	if (data[1] == 0x03 && (data[0] == 0xff || data[0] <= 1))
		p->off = 2;
	return link_ppp_protocol(data, len, p);
}

/* A serial line may speak Cisco HDLC under the same link type. */
static int link_ppp_serial(const uint8_t *data, uint32_t len, struct link_payload *p)
{
	if (len >= 1 && (data[0] == 0x0f || data[0] == 0x8f))
		return link_cisco_hdlc(data, len, p);
	return link_ppp(data, len, p);
}

static const struct {
	int dlt;
	link_decoder decode;
} link_types[] = {
	{DLT_RAW, link_raw},
	{DLT_IPV4, link_raw},
	{DLT_IPV6, link_raw},
	{DLT_NULL, link_family},
	{DLT_LOOP, link_family},
	{DLT_LINUX_SLL, link_sll},
	{DLT_LINUX_SLL2, link_sll2},
	{DLT_C_HDLC, link_cisco_hdlc},
	{DLT_PPP, link_ppp},
	{DLT_PPP_PPPD, link_ppp},
	{DLT_PPP_SERIAL, link_ppp_serial},
};

static void mac_of_ipv4(const uint8_t *ip, uint8_t mac[6])
{
	mac[0] = 0x02;
	mac[1] = 0;
	memcpy(mac + 2, ip, 4);
}

static void mac_of_ipv6(const uint8_t *ip, uint8_t mac[6])
{
	uint32_t hash = 2166136261u; /* FNV-1a: the same MAC on every run */
	unsigned i;

	for (i = 0; i < 16; i++)
		hash = (hash ^ ip[i]) * 16777619u;
	mac[0] = 0x06;
	mac[1] = 0;
	memcpy(mac + 2, &hash, 4);
}

static void ether_of_ipv4(const uint8_t *ip, uint8_t *ether)
{
	static const uint8_t all[4] = {255, 255, 255, 255};
	const uint8_t *dst = ip + 16;

	if (memcmp(dst, all, 4) == 0) {
		memset(ether, 0xff, 6);
	} else if (dst[0] >> 4 == 14) {
		const uint8_t group[6] = {0x01, 0x00, 0x5e, dst[1] & 0x7f, dst[2], dst[3]};

		memcpy(ether, group, 6);
	} else {
		mac_of_ipv4(dst, ether);
	}
	mac_of_ipv4(ip + 12, ether + 6);
}

static void ether_of_ipv6(const uint8_t *ip, uint8_t *ether)
{
	const uint8_t *dst = ip + 24;

	if (dst[0] == 0xff) {
		ether[0] = 0x33;
		ether[1] = 0x33;
		memcpy(ether + 2, dst + 12, 4);
	} else {
		mac_of_ipv6(dst, ether);
	}
	mac_of_ipv6(ip + 8, ether + 6);
}

static void link_make_ether(
	const uint8_t *data, uint32_t len, const struct link_payload *p, uint8_t *ether)
{
	static const uint8_t unknown_src[6] = {0x0a, 0, 0, 0, 0, 1};
	static const uint8_t unknown_dst[6] = {0x0a, 0, 0, 0, 0, 2};
	const uint8_t *payload = data + p->off;

	ether[12] = (uint8_t)(p->type >> 8);
	ether[13] = (uint8_t)p->type;
	if (p->type == ETHERTYPE_IPV4 && len - p->off >= 20) {
		ether_of_ipv4(payload, ether);
	} else if (p->type == ETHERTYPE_IPV6 && len - p->off >= 40) {
		ether_of_ipv6(payload, ether);
	} else {
		if (p->group)
			memset(ether, 0xff, 6);
		else
			memcpy(ether, unknown_dst, 6);
		memcpy(ether + 6, p->sender ? p->sender : unknown_src, 6);
	}
}

/* Ethernet on a loopback interface: both MACs are zero, which no port can have. */
static bool is_loopback(const uint8_t *data, uint32_t len)
{
	static const uint8_t zero[12];
	uint16_t type;

	if (len < CAPTURE_LINK_ETHER || memcmp(data, zero, sizeof(zero)) != 0)
		return false;
	type = be16(data + 12);
	return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
}

int capture_link_convert(int dlt, const uint8_t *data, uint32_t len,
	uint8_t ether[CAPTURE_LINK_ETHER], uint32_t *strip)
{
	struct link_payload p = {0};
	unsigned i;
	int rc;

	*strip = 0;
	if (dlt == DLT_EN10MB && is_loopback(data, len)) {
		p = (struct link_payload){.off = CAPTURE_LINK_ETHER, .type = be16(data + 12)};
		link_make_ether(data, len, &p, ether);
		*strip = p.off;
		return CAPTURE_LINK_ETHER;
	}
	if (dlt == DLT_EN10MB)
		return 0;
	for (i = 0; i < RTE_DIM(link_types); i++) {
		if (link_types[i].dlt != dlt)
			continue;
		rc = link_types[i].decode(data, len, &p);
		if (rc < 0)
			return rc;
		link_make_ether(data, len, &p, ether);
		*strip = p.off;
		return CAPTURE_LINK_ETHER;
	}
	return SKIP(LINK_TYPE);
}
