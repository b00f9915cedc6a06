#include "explain_frame.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service.h"

#define SOURCE_PORT 49152 /* the first of those that IANA leaves to clients */

/* The ends of the packet to be. */
struct ends {
	struct addr from, to;
	uint8_t from_mac[6], to_mac[6];
	uint32_t service;
	uint16_t source_port;
};

static bool __attribute__((format(printf, 3, 4)))
refuse(char *err, size_t err_len, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err, err_len, fmt, args);
	va_end(args);
	return false;
}

static int find_port(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_ports; i++)
		if (strcmp(config->ports[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* A MAC to stand for one that is not configured: of no vendor, told apart by the port. */
static void mac_of(const struct config *config, unsigned port, uint8_t mac[6])
{
	const uint8_t stand_in[6] = {0x02, 0xff, 0xff, 0xff, (uint8_t)(port >> 8), (uint8_t)port};

	memcpy(mac, config->ports[port].has_mac ? config->ports[port].mac : stand_in, 6);
}

/* The port's first address of this family. */
static bool own_address(const struct config_port *port, bool ipv4, struct addr *addr)
{
	struct addr_span span;

	for (unsigned i = 0; i < port->n_ips; i++) {
		if (!addr_span_parse(port->ips[i], &span) || addr_is_ipv4(span.first) != ipv4)
			continue;
		*addr = span.first;
		return true;
	}
	return false;
}

static bool has_address(const struct config_port *port, struct addr addr)
{
	struct addr_span span;

	for (unsigned i = 0; i < port->n_ips; i++)
		if (addr_span_parse(port->ips[i], &span) && addr_in(addr, span))
			return true;
	for (unsigned i = 0; i < port->n_pairs; i++)
		if (addr_in(addr, port->pairs[i].span))
			return true;
	return false;
}

/* Who has addr in the network of port `from`, or -1: an own address before a pair. */
static int owner_of(const struct config *config, unsigned from, struct addr addr)
{
	unsigned network = config->ports[from].network_index;

	for (unsigned i = 0; i < config->n_ports; i++)
		if (i != from && config->ports[i].network_index == network &&
			has_address(&config->ports[i], addr))
			return (int)i;
	return -1;
}

/* `to` as a port or an address. */
static bool find_destination(const struct config *config, const struct explain_question *q,
	struct explain_frame *frame, struct ends *ends, char *err, size_t err_len)
{
	struct addr_span span;

	if (addr_span_parse(q->to, &span) && addr_equal(span.first, span.last)) {
		ends->to = span.first;
		frame->to = owner_of(config, frame->from, span.first);
		if (frame->to < 0)
			return refuse(err, err_len,
				"no other port of network %s has the address %s in its ips or "
				"pairs: name the port with --to, or give the packet with --packet",
				config->ports[frame->from].network, q->to);
	} else {
		frame->to = find_port(config, q->to);
		if (frame->to < 0)
			return refuse(err, err_len,
				"--to %s is neither an address nor a port: see `port list`", q->to);
		if (!own_address(&config->ports[frame->to], true, &ends->to) &&
			!own_address(&config->ports[frame->to], false, &ends->to))
			return refuse(err, err_len,
				"port %s has no ips in the configuration: give its address with "
				"--to",
				q->to);
	}
	mac_of(config, (unsigned)frame->to, ends->to_mac);
	return true;
}

static bool find_source(const struct config *config, const struct explain_question *q,
	const struct explain_frame *frame, struct ends *ends, char *err, size_t err_len)
{
	const struct config_port *port = &config->ports[frame->from];
	bool ipv4 = addr_is_ipv4(ends->to);
	struct addr_span span;

	mac_of(config, frame->from, ends->from_mac);
	if (q->from_address == NULL && own_address(port, ipv4, &ends->from))
		return true;
	if (q->from_address == NULL)
		return refuse(err, err_len,
			"port %s has no %s address in its ips: give one with --from-address",
			port->name, ipv4 ? "IPv4" : "IPv6");
	if (!addr_span_parse(q->from_address, &span) || !addr_equal(span.first, span.last) ||
		addr_is_ipv4(span.first) != ipv4)
		return refuse(err, err_len, "--from-address %s: give one %s address",
			q->from_address, ipv4 ? "IPv4" : "IPv6");
	ends->from = span.first;
	return true;
}

static void put_address(uint8_t *at, struct addr addr)
{
	uint64_t words[2] = {__builtin_bswap64(addr.high), __builtin_bswap64(addr.low)};

	if (addr_is_ipv4(addr))
		memcpy(at, (uint8_t *)words + 12, 4);
	else
		memcpy(at, words, 16);
}

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* The transport header of a connection's first packet; returns its length. Checksums stay zero:
 * nobody here looks at them. */
static unsigned put_transport(uint8_t *at, const struct ends *ends)
{
	uint8_t proto = (uint8_t)(ends->service >> 16);
	uint16_t detail = (uint16_t)ends->service;

	switch (proto) {
	case IPPROTO_TCP:
		put16(at, ends->source_port);
		put16(at + 2, detail);
		at[12] = 5 << 4;
		at[13] = 0x02; /* SYN */
		return 20;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		put16(at, ends->source_port);
		put16(at + 2, detail);
		put16(at + 4, 8);
		return 8;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		put16(at, ends->source_port);
		put16(at + 2, detail);
		return 16;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put16(at, detail); /* type and code */
		put16(at + 4, ends->source_port);
		return 8;
	default:
		return 8;
	}
}

static void put_frame(struct explain_frame *frame, const struct ends *ends)
{
	uint8_t *ip = frame->data + 14;
	bool ipv4 = addr_is_ipv4(ends->to);
	unsigned header = ipv4 ? 20 : 40, len;

	memcpy(frame->data, ends->to_mac, 6);
	memcpy(frame->data + 6, ends->from_mac, 6);
	put16(frame->data + 12, ipv4 ? 0x0800 : 0x86dd);
	len = put_transport(ip + header, ends);
	if (ipv4) {
		ip[0] = 0x45;
		put16(ip + 2, (uint16_t)(header + len));
		ip[8] = 64;
		ip[9] = (uint8_t)(ends->service >> 16);
	} else {
		ip[0] = 0x60;
		put16(ip + 4, (uint16_t)len);
		ip[6] = (uint8_t)(ends->service >> 16);
		ip[7] = 64;
	}
	put_address(ip + (ipv4 ? 12 : 8), ends->from);
	put_address(ip + (ipv4 ? 16 : 24), ends->to);
	frame->len = 14 + header + len;
}

/* "icmp" with no type is an echo request: what ping sends; a type with no code has code 0. */
static bool find_service(
	const struct explain_question *q, struct ends *ends, char *err, size_t err_len)
{
	struct service_span span;

	if (q->service == NULL || !service_parse(q->service, &span))
		return refuse(err, err_len,
			"%s: say what is asked about, such as tcp/445, udp/53, icmp or 47",
			q->service != NULL ? q->service : "no service is given");
	if (span.first >> 16 != span.last >> 16)
		return refuse(err, err_len, "%s: name one protocol", q->service);
	ends->service = span.first;
	if (span.last - span.first == UINT16_MAX && span.first >> 16 == IPPROTO_ICMP)
		ends->service = service_key(IPPROTO_ICMP, 8 << 8);
	if (span.last - span.first == UINT16_MAX && span.first >> 16 == IPPROTO_ICMPV6)
		ends->service = service_key(IPPROTO_ICMPV6, 128 << 8);
	if (addr_is_ipv4(ends->to) && ends->service >> 16 == IPPROTO_ICMPV6)
		return refuse(err, err_len, "icmpv6 goes between IPv6 addresses only");
	if (!addr_is_ipv4(ends->to) && ends->service == service_key(IPPROTO_ICMP, 8 << 8))
		ends->service = service_key(IPPROTO_ICMPV6, 128 << 8);
	else if (!addr_is_ipv4(ends->to) && ends->service >> 16 == IPPROTO_ICMP)
		return refuse(err, err_len,
			"icmp goes between IPv4 addresses only: say icmpv6 and its type");
	if (q->source_port > UINT16_MAX)
		return refuse(
			err, err_len, "--source-port %u: there are 1 to 65535", q->source_port);
	ends->source_port = q->source_port != 0 ? (uint16_t)q->source_port : SOURCE_PORT;
	return true;
}

/* Hex digits, blanks and colons between bytes as one likes. */
static bool parse_hex(const char *text, struct explain_frame *frame, char *err, size_t err_len)
{
	for (const char *p = text; *p != '\0';) {
		char digits[3] = {0};

		if (isspace((unsigned char)*p) || *p == ':') {
			p++;
			continue;
		}
		digits[0] = p[0];
		digits[1] = p[1];
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]))
			return refuse(err, err_len,
				"--packet: byte %u is not two hex digits: give the frame from its "
				"destination MAC on",
				frame->len);
		if (frame->len == sizeof(frame->data))
			return refuse(err, err_len, "--packet: give %zu bytes at the most",
				sizeof(frame->data));
		sscanf(digits, "%hhx", &frame->data[frame->len++]);
		p += 2;
	}
	return true;
}

bool explain_frame_make(const struct config *config, const struct explain_question *q,
	struct explain_frame *frame, char *err, size_t err_len)
{
	struct ends ends = {0};
	int from = q->from != NULL ? find_port(config, q->from) : -1;

	memset(frame, 0, sizeof(*frame));
	frame->to = -1;
	if (from < 0)
		return refuse(err, err_len, "port %s does not exist: name the sender's with --from",
			q->from != NULL ? q->from : "(none)");
	frame->from = (unsigned)from;
	frame->given = q->packet != NULL;
	if (frame->given && (q->to != NULL || q->service != NULL || q->from_address != NULL ||
				    q->source_port != 0))
		return refuse(err, err_len,
			"--packet says all but --from: leave out SERVICE, --to, --from-address and "
			"--source-port");
	if (frame->given)
		return parse_hex(q->packet, frame, err, err_len);
	if (q->to == NULL)
		return refuse(err, err_len,
			"say where it goes with --to, or give it with "
			"--packet");
	if (!find_destination(config, q, frame, &ends, err, err_len) ||
		!find_source(config, q, frame, &ends, err, err_len) ||
		!find_service(q, &ends, err, err_len))
		return false;
	put_frame(frame, &ends);
	return true;
}
