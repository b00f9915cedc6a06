#include "service.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum detail { DETAIL_NONE, DETAIL_PORTS, DETAIL_TYPES };

static const struct protocol {
	const char *name;
	uint8_t number;
	enum detail detail;
} protocols[] = {
	{"tcp", IPPROTO_TCP, DETAIL_PORTS},
	{"udp", IPPROTO_UDP, DETAIL_PORTS},
	{"sctp", IPPROTO_SCTP, DETAIL_PORTS},
	{"dccp", IPPROTO_DCCP, DETAIL_PORTS},
	{"udplite", IPPROTO_UDPLITE, DETAIL_PORTS},
	{"icmp", IPPROTO_ICMP, DETAIL_TYPES},
	{"icmpv6", IPPROTO_ICMPV6, DETAIL_TYPES},
};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

const char service_grammar[] =
	"tcp, tcp/445, udp/1000-2000, sctp/..., icmp, icmp/8 (type), icmp/3.4 (type.code), "
	"icmpv6/..., the number of a protocol, or any";

/* A decimal number up to max at *text, which moves behind it. */
static bool parse_number(const char **text, unsigned max, unsigned *value)
{
	const char *at = *text;

	*value = 0;
	for (; *at >= '0' && *at <= '9' && *value <= max; at++)
		*value = *value * 10 + (unsigned)(*at - '0');
	if (at == *text || *value > max)
		return false;
	*text = at;
	return true;
}

/* "445" or "1000-2000". */
static bool parse_range(const char *text, unsigned max, unsigned *first, unsigned *last)
{
	if (!parse_number(&text, max, first))
		return false;
	*last = *first;
	if (*text == '-') {
		text++;
		if (!parse_number(&text, max, last))
			return false;
	}
	return *text == '\0' && *first <= *last;
}

/* "8", "128-129", "3.4". */
static bool parse_types(const char *text, unsigned *first, unsigned *last)
{
	unsigned type, code;

	if (strchr(text, '.') == NULL) {
		if (!parse_range(text, UINT8_MAX, first, last))
			return false;
		*first <<= 8;
		*last = *last << 8 | UINT8_MAX;
		return true;
	}
	if (!parse_number(&text, UINT8_MAX, &type) || *text++ != '.' ||
		!parse_number(&text, UINT8_MAX, &code) || *text != '\0')
		return false;
	*first = *last = type << 8 | code;
	return true;
}

/* The protocol that the len characters at text name, or their number stands for. */
static bool parse_protocol(const char *text, size_t len, struct protocol *protocol)
{
	char copy[16];
	const char *at = copy;
	unsigned number = UINT8_MAX + 1;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (copy[0] >= '0' && copy[0] <= '9' &&
		(!parse_number(&at, UINT8_MAX, &number) || *at != '\0'))
		return false;
	for (unsigned i = 0; i < PROTOCOLS; i++) {
		if (protocols[i].number == number || strcmp(protocols[i].name, copy) == 0) {
			*protocol = protocols[i];
			return true;
		}
	}
	*protocol = (struct protocol){"", (uint8_t)number, DETAIL_NONE};
	return number <= UINT8_MAX;
}

bool service_parse(const char *text, struct service_span *span)
{
	size_t len = strcspn(text, "/");
	const char *detail = text[len] == '/' ? text + len + 1 : NULL;
	unsigned first = 0, last = UINT16_MAX;
	struct protocol protocol;

	*span = SERVICE_ANY;
	if (strcmp(text, "any") == 0)
		return true;
	if (!parse_protocol(text, len, &protocol))
		return false;
	if (detail != NULL && protocol.detail == DETAIL_NONE)
		return false;
	if (detail != NULL &&
		(protocol.detail == DETAIL_PORTS ? !parse_range(detail, UINT16_MAX, &first, &last)
						 : !parse_types(detail, &first, &last)))
		return false;
	span->first = service_key(protocol.number, (uint16_t)first);
	span->last = service_key(protocol.number, (uint16_t)last);
	return true;
}

static void format_detail(
	const struct protocol *protocol, unsigned first, unsigned last, char *text)
{
	char *to = text + strlen(text);
	size_t room = SERVICE_TEXT_MAX - strlen(text);

	if (protocol->detail == DETAIL_TYPES && first == last) {
		snprintf(to, room, "/%u.%u", first >> 8, first & UINT8_MAX);
		return;
	}
	if (protocol->detail == DETAIL_TYPES) {
		first >>= 8;
		last >>= 8;
	}
	if (first == last)
		snprintf(to, room, "/%u", first);
	else
		snprintf(to, room, "/%u-%u", first, last);
}

void service_format(struct service_span span, char *text)
{
	unsigned first = span.first & UINT16_MAX, last = span.last & UINT16_MAX;
	uint8_t number = (uint8_t)(span.first >> 16);

	if (span.first == 0 && span.last >= SERVICE_ANY.last) {
		strcpy(text, "any");
		return;
	}
	snprintf(text, SERVICE_TEXT_MAX, "%u", number);
	for (unsigned i = 0; i < PROTOCOLS; i++) {
		if (protocols[i].number != number)
			continue;
		strcpy(text, protocols[i].name);
		if (first != 0 || last != UINT16_MAX)
			format_detail(&protocols[i], first, last, text);
	}
}
