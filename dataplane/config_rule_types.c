#include "config_rule_types.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_addresses.h"
#include "config_types.h"

struct named {
	const char *name;
	int value;
};

static const struct named *by_name(const struct named *list, const char *name)
{
	for (; list->name; list++)
		if (!strcmp(list->name, name))
			return list;
	return NULL;
}

static const char *name_of(const struct named *list, int value)
{
	for (; list->name; list++)
		if (list->value == value)
			return list->name;
	return NULL;
}

/* A number, or text that is one: base 0 takes hex too. Without a leading zero; -1: none. */
static long number_of(const json_t *value, int base)
{
	const char *text = config_type_text(value);
	char *end;
	long n;

	if (json_is_integer(value)) {
		json_int_t integer = json_integer_value(value);

		return integer < 0 || integer > 0xffff ? -1 : (long)integer;
	}
	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	if (text[0] == '0' && text[1] && (base || (text[1] != 'x' && text[1] != 'X')))
		return -1;
	errno = 0;
	n = strtol(text, &end, base);
	return errno || *end || n > 0xffff ? -1 : n;
}

/* Ethertypes: IEEE's registry, as Linux' if_ether.h has it. */

static const struct named ethertypes[] = {{"any", CONFIG_ETHERTYPE_ANY}, {"arp", 0x0806},
	{"ipv4", 0x0800}, {"ipv6", 0x86dd}, {"rarp", 0x8035}, {"lldp", 0x88cc}, {"eapol", 0x888e},
	{"pppoe-discovery", 0x8863}, {"pppoe-session", 0x8864}, {"mpls", 0x8847}, {"ptp", 0x88f7},
	{"slow", 0x8809}, {"wake-on-lan", 0x0842}, {NULL, 0}};

static bool decode_ethertype(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	const struct named *found = text ? by_name(ethertypes, text) : NULL;
	long n = found ? found->value : number_of(value, 0);

	(void)field;
	if (!found && n < 0x0600)
		return config_type_bad(context,
			"an ethertype: arp, ipv4, ipv6, rarp, lldp, any or another by name, or a "
			"number from 0x0600 to 0xffff",
			value);
	*(uint16_t *)to = (uint16_t)n;
	return true;
}

static json_t *encode_ethertype(const struct config_field *field, const void *from)
{
	uint16_t n = *(const uint16_t *)from;
	const char *name = name_of(ethertypes, n);

	(void)field;
	return name ? json_string(name) : json_sprintf("0x%04x", n);
}

const struct config_type config_type_ethertype = {decode_ethertype, encode_ethertype, NULL};

/* Protocols: IANA's protocol numbers */

static const struct named protocols[] = {{"any", -1}, {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP},
	{"icmp", IPPROTO_ICMP}, {"icmpv6", IPPROTO_ICMPV6}, {"sctp", IPPROTO_SCTP},
	{"dccp", IPPROTO_DCCP}, {"udplite", IPPROTO_UDPLITE}, {"gre", IPPROTO_GRE},
	{"esp", IPPROTO_ESP}, {"ah", IPPROTO_AH}, {"vrrp", 112}, {"igmp", IPPROTO_IGMP},
	{"ipip", IPPROTO_IPIP}, {"sit", IPPROTO_IPV6}, {"ospf", 89}, {"pim", IPPROTO_PIM},
	{"l2tp", 115}, {NULL, 0}};

const char *config_protocol_name(int protocol)
{
	return name_of(protocols, protocol);
}

bool config_protocol_has_ports(int protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static bool decode_protocol(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	const struct named *found = text ? by_name(protocols, text) : NULL;
	long n = found ? found->value : number_of(value, 10);

	(void)field;
	if (n > 255 || (n < 0 && !found))
		return config_type_bad(context,
			"a protocol: any, tcp, udp, icmp, icmpv6, sctp or another by name, or a "
			"number from 0 to 255",
			value);
	*(int *)to = (int)n;
	return true;
}

static json_t *encode_protocol(const struct config_field *field, const void *from)
{
	int n = *(const int *)from;
	const char *name = config_protocol_name(n);

	(void)field;
	return name ? json_string(name) : json_integer(n);
}

static void reset_protocol(const struct config_field *field, void *to)
{
	*(int *)to = (int)field->value;
}

const struct config_type config_type_protocol = {decode_protocol, encode_protocol, reset_protocol};

/* Ports */

/* "22" or "1000-2000"; false where text is neither. */
static bool parse_ports(const char *text, long *first, long *last)
{
	const char *at = text;

	for (int i = 0; i < 2; i++) {
		size_t digits = strspn(at, "0123456789");

		if (digits == 0 || digits > 5)
			return false;
		*(i ? last : first) = strtol(at, NULL, 10);
		at += digits;
		if (i == 0 && *at == '\0') {
			*last = *first;
			return true;
		}
		if (i == 0 && *at++ != '-')
			return false;
	}
	return *at == '\0';
}

static bool decode_ports(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	long first = number_of(value, 10), last = first;

	(void)field;
	if (text && !parse_ports(text, &first, &last))
		first = -1;
	if (first < 0 || first > 0xffff || last > 0xffff)
		return config_type_bad(context,
			"a port from 0 to 65535, such as 22, or a range such as \"1000-2000\"",
			value);
	if (last < first) {
		config_context_error(context,
			"is a range the wrong way round: \"%ld-%ld\" would be right", last, first);
		return false;
	}
	*(struct config_ports *)to = (struct config_ports){(uint16_t)first, (uint16_t)last};
	return true;
}

static json_t *encode_ports(const struct config_field *field, const void *from)
{
	const struct config_ports *ports = from;

	(void)field;
	if (ports->first == ports->last)
		return json_integer(ports->first);
	return json_sprintf("%u-%u", ports->first, ports->last);
}

const struct config_type config_type_ports = {decode_ports, encode_ports, NULL};

/* Remote */

/* clang-format off */
static const struct config_field remote_fields[] = {
	{.name = "group", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_remote, name),
		.help = "the name of a group of the same tenant"},
	{.name = "set", .type = &config_type_name, .max = CONFIG_NAME_MAX,
		CONFIG_AT(struct config_remote, name),
		.help = "the name of a set of the same tenant"},
	{0},
};
/* clang-format on */

const struct config_table config_remote_table = {"a remote", remote_fields, NULL};

/* {group: NAME} or {set: NAME}. */
static bool decode_named(
	struct config_context *context, const json_t *value, struct config_remote *remote)
{
	const json_t *group = json_object_get(value, "group");
	struct config_remote named = {.kind = group ? CONFIG_REMOTE_GROUP : CONFIG_REMOTE_SET};
	unsigned errors = context->report->n_errors;

	if (!group == !json_object_get(value, "set")) {
		config_context_error(context,
			"must have exactly one of \"group\" and \"set\", such as {group: servers}");
		return false;
	}
	config_schema_decode(context, &config_remote_table, value, &named);
	if (context->report->n_errors != errors)
		return false;
	*remote = named;
	return true;
}

static bool decode_remote(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	struct config_remote *remote = to;
	const char *text = config_type_text(value);

	(void)field;
	if (json_is_object(value))
		return decode_named(context, value, remote);
	if (text && !strcmp(text, "any")) {
		*remote = (struct config_remote){.kind = CONFIG_REMOTE_ANY};
		return true;
	}
	if (!text)
		return config_type_bad(context,
			"any, addresses such as 10.0.0.0/24, {group: NAME} or {set: NAME}", value);
	if (!config_type_span.decode(context, field, value, &remote->span))
		return false;
	remote->kind = CONFIG_REMOTE_SPAN;
	return true;
}

static json_t *encode_remote(const struct config_field *field, const void *from)
{
	const struct config_remote *remote = from;

	switch (remote->kind) {
	case CONFIG_REMOTE_SPAN:
		return config_type_span.encode(field, &remote->span);
	case CONFIG_REMOTE_GROUP:
		return json_pack("{s:s}", "group", remote->name);
	case CONFIG_REMOTE_SET:
		return json_pack("{s:s}", "set", remote->name);
	default:
		return json_string("any");
	}
}

const struct config_type config_type_remote = {decode_remote, encode_remote, NULL};
