/*
 * Random configurations, as documents and their changes, and random emergency blocks: for tests of
 * policy. All are accepted; names repeat in both tenants, and addresses lie close together, near
 * the ends of both families, so that rules, sets and packets meet. Include it behind policy_rig.h.
 */
#ifndef VS_POLICY_RANDOM_H
#define VS_POLICY_RANDOM_H

#include <stdint.h>

#include "policy_rig.h"

#define TENANTS   2
#define GROUPS    4 /* of a tenant; the names are the same in both */
#define SETS      3
#define NETWORKS  3
#define PORTS     6
#define RULES     9
#define BLOCKS    6
#define SPAN_TEXT (2 * ADDR_TEXT_MAX + 2)

static uint64_t random_state;

/* splitmix64 */
static inline uint64_t any64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline unsigned below(unsigned n)
{
	return (unsigned)(any64() % n);
}

static inline bool one_in(unsigned n)
{
	return below(n) == 0;
}

static inline struct addr add(struct addr a, int64_t step)
{
	unsigned __int128 number = (unsigned __int128)a.high << 64 | a.low;

	number += (unsigned __int128)(__int128)step;
	return (struct addr){(uint64_t)(number >> 64), (uint64_t)number};
}

/* Near the ends of both families, and IPv6's on either side of the IPv4 addresses. */
static inline struct addr any_addr(bool ipv4)
{
	static const struct addr low = {0, 0}, high = {UINT64_MAX, UINT64_MAX - 15};
	static const struct addr before = {0, ADDR_V4_PREFIX - 16};
	static const struct addr behind = {0, ADDR_V4_PREFIX + (UINT64_C(1) << 32)};
	static const struct addr guests = {UINT64_C(0xfd00) << 48, 0};
	struct addr base;

	if (ipv4) {
		base = (struct addr){0, ADDR_V4_PREFIX | 0x0a000000};
		if (one_in(6))
			base.low = ADDR_V4_PREFIX | (one_in(2) ? 0 : 0xfffffff0);
		return add(base, below(16));
	}
	switch (below(12)) {
	case 0:
		base = low;
		break;
	case 1:
		base = high;
		break;
	case 2:
		base = before;
		break;
	case 3:
		base = behind;
		break;
	default:
		base = guests;
	}
	return add(base, below(16));
}

static inline struct addr_span any_span(void)
{
	bool ipv4 = one_in(2);
	struct addr a = any_addr(ipv4), b;
	unsigned bits = ipv4 ? 32 : 128;

	switch (below(4)) {
	case 0:
		return addr_prefix(a, bits);
	case 1: /* rather narrow ones, and wide ones now and then */
		return addr_prefix(a, one_in(3) ? below(bits + 1) : bits - below(6));
	case 2:
		return addr_prefix(a, one_in(4) ? 0 : bits - below(3));
	default:
		b = any_addr(ipv4);
		return addr_less(a, b) ? (struct addr_span){a, b} : (struct addr_span){b, a};
	}
}

static inline json_t *span_json(struct addr_span span)
{
	char text[SPAN_TEXT];

	addr_span_format(span, text);
	return json_string(text);
}

static inline json_t *named(const char *kind, unsigned i)
{
	return json_sprintf("%s%u", kind, i);
}

/* Takes item over; what is in the list already would be refused a second time. */
static inline void append_once(json_t *list, json_t *item)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (json_equal(json_array_get(list, i), item)) {
			json_decref(item);
			return;
		}
	}
	json_array_append_new(list, item);
}

static inline json_t *any_ports(void)
{
	json_t *list = json_array();

	for (unsigned n = 1 + (one_in(3) ? below(CONFIG_RULE_PORTS_MAX) : 0); n > 0; n--) {
		unsigned first = one_in(8) ? 65535 : one_in(8) ? 0 : 440 + below(12);
		unsigned last = first == 65535 || one_in(2) ? first : first + below(6);

		if (one_in(12))
			last = 65535;
		append_once(list,
			first == last ? json_integer(first) : json_sprintf("%u-%u", first, last));
	}
	return list;
}

/* Protocol, and what goes with it; family: what the remote says, 0: nothing. */
static inline void add_service(json_t *rule, unsigned family)
{
	static const char *const with_ports[] = {"tcp", "udp", "sctp", "dccp", "udplite"};
	static const uint8_t numbers[] = {0, 6, 17, 47, 89, 132, 255};
	bool icmp6 = family != 4 && one_in(2);

	switch (below(6)) {
	case 0:
		break;
	case 1:
	case 2:
		json_object_set_new(rule, "protocol", json_string(with_ports[below(5)]));
		json_object_set_new(rule, "ports", any_ports());
		return;
	case 3:
		json_object_set_new(rule, "protocol", json_integer(numbers[below(7)]));
		return;
	default:
		json_object_set_new(rule, "protocol", json_string(icmp6 ? "icmpv6" : "icmp"));
		if (one_in(4))
			return;
		json_object_set_new(rule, "type", json_integer(one_in(6) ? 255 : below(4)));
		if (one_in(2))
			json_object_set_new(rule, "code", json_integer(one_in(6) ? 255 : below(3)));
		/* `icmp` of IPv6 is icmpv6. */
		if (!icmp6 && family == 0 && one_in(3))
			json_object_set_new(rule, "family", json_string("ipv6"));
		return;
	}
	if (family == 0 && one_in(2))
		json_object_set_new(rule, "family", json_string(one_in(2) ? "ipv4" : "ipv6"));
}

static inline json_t *any_rule(void)
{
	static const char *const actions[] = {"allow", "deny", "reject"};
	json_t *rule = json_pack("{s:s, s:s, s:b}", "direction", one_in(2) ? "in" : "out", "action",
		actions[below(3)], "log", one_in(3));
	struct addr_span span;
	unsigned family = 0;

	switch (below(5)) {
	case 0:
		break;
	case 1:
		json_object_set_new(
			rule, "remote", json_pack("{s:o}", "group", named("g", below(GROUPS))));
		break;
	case 2:
		json_object_set_new(
			rule, "remote", json_pack("{s:o}", "set", named("s", below(SETS))));
		break;
	default:
		span = any_span();
		family = addr_is_ipv4(span.first) ? 4 : 6;
		json_object_set_new(rule, "remote", span_json(span));
	}
	add_service(rule, family);
	return rule;
}

static inline json_t *any_rules(void)
{
	json_t *rules = json_array();

	for (unsigned n = below(RULES); n > 0; n--)
		json_array_append_new(rules, any_rule());
	return rules;
}

static inline json_t *any_addresses(void)
{
	json_t *list = json_array();

	for (unsigned n = below(5); n > 0; n--)
		append_once(list, span_json(any_span()));
	return list;
}

/* One that a guest may send from. */
static inline json_t *any_pair(void)
{
	struct addr_span span;

	if (one_in(4))
		return json_pack("{s:s}", "ip", one_in(2) ? "::/0" : "0.0.0.0/0");
	do
		span = any_span();
	while (addr_is_ipv4(span.first) ? (uint32_t)span.first.low >= 0xe0000000
					: span.first.high >> 56 == 0xff);
	/* Not the unspecified address alone. */
	if (addr_equal(span.first, span.last) && (uint32_t)span.first.low == 0)
		span.first = span.last = add(span.first, 1);
	return json_pack("{s:o}", "ip", span_json(span));
}

static inline void shuffle(unsigned *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned j = i + below(n - i), kept = list[i];

		list[i] = list[j];
		list[j] = kept;
	}
}

static inline json_t *any_port_groups(void)
{
	unsigned order[GROUPS] = {0, 1, 2, 3};
	json_t *list = json_array();

	shuffle(order, GROUPS);
	for (unsigned i = 0, n = below(GROUPS + 1); i < n; i++)
		json_array_append_new(list, named("g", order[i]));
	return list;
}

static inline json_t *any_port(unsigned i)
{
	static const char *const actions[] = {"allow", "deny", "reject"};
	json_t *ips = json_array(), *pairs = json_array();

	for (unsigned n = below(3); n > 0; n--) {
		json_array_append_new(ips, json_sprintf("10.0.0.%u", 1 + i * 2 + n % 2));
		json_array_append_new(ips, json_sprintf("fd00::%x", 1 + i * 2 + n % 2));
	}
	for (unsigned n = one_in(2) ? below(3) : 0; n > 0; n--)
		append_once(pairs, any_pair());
	return json_pack("{s:o, s:o, s:{s:o}, s:o, s:o, s:o, s:s, s:s, s:b}", "name", named("p", i),
		"network", named("n", below(NETWORKS)), "kernel", "interface", named("k", i), "ips",
		ips, "pairs", pairs, "groups", any_port_groups(), "default-in", actions[below(3)],
		"default-out", actions[below(3)], "trusted", one_in(8));
}

static inline json_t *any_document(void)
{
	json_t *networks = json_array(), *groups = json_array(), *sets = json_array();
	json_t *ports = json_array();
	unsigned order[PORTS] = {0, 1, 2, 3, 4, 5};

	for (unsigned i = 0; i < NETWORKS; i++)
		json_array_append_new(networks, json_pack("{s:o, s:o}", "name", named("n", i),
							"tenant", named("t", i % TENANTS)));
	for (unsigned i = 0; i < TENANTS * GROUPS; i++)
		json_array_append_new(
			groups, json_pack("{s:o, s:o, s:o}", "name", named("g", i / TENANTS),
					"tenant", named("t", i % TENANTS), "rules", any_rules()));
	for (unsigned i = 0; i < TENANTS * SETS; i++)
		json_array_append_new(sets,
			json_pack("{s:o, s:o, s:o}", "name", named("s", i / TENANTS), "tenant",
				named("t", i % TENANTS), "addresses", any_addresses()));
	shuffle(order, PORTS);
	for (unsigned i = 0, n = 1 + below(PORTS); i < n; i++)
		json_array_append_new(ports, any_port(order[i]));
	return json_pack("{s:o, s:o, s:o, s:o}", "networks", networks, "ports", ports, "groups",
		groups, "sets", sets);
}

static inline json_t *any_of(json_t *document, const char *section, size_t *i)
{
	json_t *list = json_object_get(document, section);

	*i = below((unsigned)json_array_size(list));
	return json_array_get(list, *i);
}

static inline void change_port(json_t *document)
{
	size_t i;
	json_t *port = any_of(document, "ports", &i);
	unsigned number = (unsigned)(json_string_value(json_object_get(port, "name"))[1] - '0');
	json_t *fresh = any_port(number);
	static const char *const fields[] = {"ips", "pairs", "groups", "default-in", "trusted"};
	const char *field = fields[below(5)];

	if (one_in(2)) /* one field only, else all of them */
		json_object_set(port, field, json_object_get(fresh, field));
	else
		json_object_update(port, fresh);
	json_decref(fresh);
}

/* The last entry of a list goes first: what counts by position counts anew. */
static inline void rotate(json_t *list)
{
	size_t last = json_array_size(list) - 1;
	json_t *entry = json_incref(json_array_get(list, last));

	json_array_remove(list, last);
	json_array_insert_new(list, 0, entry);
}

static inline void change(json_t *document)
{
	static const char *const sections[] = {"networks", "ports", "groups", "sets"};
	json_t *rules;
	size_t i;

	switch (below(6)) {
	case 0:
		json_object_set_new(any_of(document, "groups", &i), "rules", any_rules());
		break;
	case 1:
		rules = json_object_get(any_of(document, "groups", &i), "rules");
		json_array_insert_new(
			rules, below((unsigned)json_array_size(rules) + 1), any_rule());
		break;
	case 2:
		json_object_set_new(any_of(document, "sets", &i), "addresses", any_addresses());
		break;
	case 3:
		rotate(json_object_get(document, sections[below(4)]));
		break;
	case 4:
		json_object_set_new(
			any_of(document, "networks", &i), "tenant", named("t", below(TENANTS)));
		/* Groups are of a tenant: all ports of the network find theirs in the other. */
		break;
	default:
		change_port(document);
	}
}

static inline const char *any_end(char text[SPAN_TEXT])
{
	unsigned kind = below(6);

	if (kind == 0)
		snprintf(text, SPAN_TEXT, "g%u", below(GROUPS));
	else if (kind == 1)
		snprintf(text, SPAN_TEXT, "s%u", below(SETS + 1)); /* one that is not there */
	else if (kind < 4)
		addr_span_format(any_span(), text);
	else
		strcpy(text, "any");
	return text;
}

static inline void any_block(struct rig_blocks *blocks)
{
	static const char *const services[] = {"tcp/445", "udp/440-450", "tcp", "icmp/1",
		"icmpv6/0-2", "icmp/2.1", "47", "udp", "any", "sctp/65535", "icmpv6/255"};
	char from[SPAN_TEXT], to[SPAN_TEXT], tenant[16] = "", port[16] = "";

	if (one_in(3))
		snprintf(tenant, sizeof(tenant), "t%u", below(TENANTS + 1));
	if (one_in(3))
		snprintf(port, sizeof(port), "p%u", below(PORTS));
	rig_block(blocks, services[below(11)], any_end(from), any_end(to), tenant, port, below(3));
}

/* None at all, those that were, one more, or others. */
static inline void change_blocks(struct rig_blocks *blocks, const struct rig_blocks *before)
{
	*blocks = *before;
	blocks->blocks.list = blocks->list;
	if (one_in(4) || blocks->blocks.n == BLOCKS) {
		blocks->blocks.n = 0;
		for (unsigned n = one_in(2) ? 0 : below(BLOCKS); n > 0; n--)
			any_block(blocks);
	} else if (one_in(3)) {
		any_block(blocks);
	}
}

#endif
