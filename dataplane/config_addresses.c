#include "config_addresses.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_types.h"

#define MAC_RIGHT "a unicast MAC such as \"02:00:00:00:00:01\""

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex(text[0]), low = hex(text[1]);

		if (high < 0 || low < 0 || (i < 5 && text[2] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool decode_mac(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	static const uint8_t zero[6];
	const char *text = config_type_text(value);
	uint8_t mac[6];

	(void)field;
	if (!text || !parse_mac(text, mac))
		return config_type_bad(context, MAC_RIGHT, value);
	if (mac[0] & 1) {
		config_context_error(context,
			"is a group address: the second digit of a unicast MAC is even, as in "
			"02:00:00:00:00:01");
		return false;
	}
	if (!memcmp(mac, zero, sizeof(mac)))
		return config_type_bad(context, MAC_RIGHT, value);
	memcpy(to, mac, sizeof(mac));
	return true;
}

static json_t *encode_mac(const struct config_field *field, const void *from)
{
	const uint8_t *mac = from;

	(void)field;
	return json_sprintf(
		"%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

const struct config_type config_type_mac = {decode_mac, encode_mac, NULL};

/* Family of the address that text is, its bytes at addr; 0 where it is none. */
static uint8_t parse_address(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, text, addr) == 1)
		return 4;
	if (inet_pton(AF_INET6, text, addr) == 1)
		return 6;
	return 0;
}

static const char *print_address(uint8_t family, const uint8_t *addr, char text[INET6_ADDRSTRLEN])
{
	return inet_ntop(family == 4 ? AF_INET : AF_INET6, addr, text, INET6_ADDRSTRLEN);
}

/* An address that a host can have: not all zeros, no group, not the broadcast one. */
static bool is_host(uint8_t family, const uint8_t addr[16])
{
	static const uint8_t zero[16];

	if (!memcmp(addr, zero, 16))
		return false;
	return family == 4 ? addr[0] < 224 : addr[0] != 0xff;
}

static bool decode_address(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	char clean[INET6_ADDRSTRLEN];
	uint8_t addr[16];
	uint8_t family = text ? parse_address(text, addr) : 0;

	if (!family || !is_host(family, addr))
		return config_type_bad(
			context, "the address of one host, such as 10.0.0.1 or 2001:db8::1", value);
	print_address(family, addr, clean);
	memcpy(to, clean, strnlen(clean, field->size - 1) + 1);
	return true;
}

static json_t *encode_address(const struct config_field *field, const void *from)
{
	(void)field;
	return json_string(from);
}

const struct config_type config_type_address = {decode_address, encode_address, NULL};

/* Splits "ADDRESS/LENGTH"; without a length it is the whole address. */
static bool parse_prefix(const char *text, struct config_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char addr[INET6_ADDRSTRLEN];
	unsigned long bits;

	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	prefix->family = parse_address(addr, prefix->addr);
	if (!prefix->family)
		return false;
	prefix->len = prefix->family == 4 ? 32 : 128;
	if (!slash)
		return true;
	len = strspn(slash + 1, "0123456789");
	if (len == 0 || len > 3 || slash[1 + len])
		return false;
	bits = strtoul(slash + 1, NULL, 10);
	if (bits > prefix->len)
		return false;
	prefix->len = (uint8_t)bits;
	return true;
}

/* Clears the bits behind the prefix. True: there were none. */
static bool mask_prefix(struct config_prefix *prefix)
{
	bool clean = true;

	for (unsigned bit = prefix->len; bit < 128; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if (prefix->addr[bit / 8] & mask)
			clean = false;
		prefix->addr[bit / 8] &= (uint8_t)~mask;
	}
	return clean;
}

static bool decode_prefix(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	struct config_prefix prefix = {0};
	char clean[INET6_ADDRSTRLEN];

	(void)field;
	if (!text || !parse_prefix(text, &prefix))
		return config_type_bad(context,
			"an address or prefix such as 10.0.0.0/24 or 2001:db8::/64", value);
	if (!mask_prefix(&prefix)) {
		config_context_error(context,
			"has bits set behind its length; %s/%u would be right",
			print_address(prefix.family, prefix.addr, clean), prefix.len);
		return false;
	}
	memcpy(to, &prefix, sizeof(prefix));
	return true;
}

static json_t *encode_prefix(const struct config_field *field, const void *from)
{
	const struct config_prefix *prefix = from;
	char text[INET6_ADDRSTRLEN];

	(void)field;
	return json_sprintf(
		"%s/%u", print_address(prefix->family, prefix->addr, text), prefix->len);
}

const struct config_type config_type_prefix = {decode_prefix, encode_prefix, NULL};

/* The range that text is the wrong way round; false where it is none. */
static bool turned_range(const char *text, char right[2 * ADDR_TEXT_MAX + 1])
{
	const char *dash = strchr(text, '-');
	char turned[2 * ADDR_TEXT_MAX + 1];
	struct addr_span span;

	if (!dash || strlen(text) >= sizeof(turned))
		return false;
	snprintf(turned, sizeof(turned), "%s-%.*s", dash + 1, (int)(dash - text), text);
	if (!addr_span_parse(turned, &span))
		return false;
	addr_span_format(span, right);
	return true;
}

/* Whether text, which is a prefix, has bits set behind its length. */
static bool has_host_bits(const char *text, const struct addr_span *span)
{
	const char *slash = strchr(text, '/');
	struct addr_span address;
	char alone[ADDR_TEXT_MAX];

	if (!slash)
		return false;
	snprintf(alone, sizeof(alone), "%.*s", (int)(slash - text), text);
	return addr_span_parse(alone, &address) && !addr_equal(address.first, span->first);
}

static bool decode_span(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	char right[2 * ADDR_TEXT_MAX + 1];
	struct addr_span span;
	bool parsed = text && addr_span_parse(text, &span);

	(void)field;
	if (text && !parsed && turned_range(text, right)) {
		config_context_error(
			context, "is a range the wrong way round: %s would be right", right);
		return false;
	}
	if (!parsed)
		return config_type_bad(context,
			"an address, a prefix such as 10.0.0.0/24 or 2001:db8::/64, or a range "
			"such as 10.0.0.2-10.0.0.9",
			value);
	if (has_host_bits(text, &span)) {
		addr_span_format(span, right);
		config_context_error(
			context, "has bits set behind its length; %s would be right", right);
		return false;
	}
	*(struct addr_span *)to = span;
	return true;
}

static json_t *encode_span(const struct config_field *field, const void *from)
{
	char text[2 * ADDR_TEXT_MAX + 1];

	(void)field;
	addr_span_format(*(const struct addr_span *)from, text);
	return json_string(text);
}

const struct config_type config_type_span = {decode_span, encode_span, NULL};
