#include "firewall_events.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include <jansson.h>

#include "drop.h"
#include "events.h"
#include "firewall.h"
#include "switch_state.h"

static const char *const action_names[] = {
	[CONFIG_ALLOW] = "allow",
	[CONFIG_DENY] = "deny",
	[CONFIG_REJECT] = "reject",
};

static const char *const source_names[] = {
	[POLICY_BY_DEFAULT] = "default",
	[POLICY_BY_RULE] = "rule",
	[POLICY_BY_BLOCK] = "block",
	[POLICY_BY_ALLOWANCE] = "allowance",
	[POLICY_BY_TRUST] = "trust",
};

static uint64_t lost_before;

static bool is_drop(const struct firewall_record *r)
{
	return r->verdict.action != CONFIG_ALLOW && !r->audit;
}

static enum drop_reason reason_of(const struct firewall_record *r)
{
	if (r->verdict.source == POLICY_BY_BLOCK)
		return DROP_blocked;
	return r->direction == POLICY_OUT ? DROP_policy_out : DROP_policy_in;
}

/* NULL where that port is gone. */
static const struct port_entry *port_of(uint16_t id, uint32_t serial)
{
	const struct port_entry *port = id != NO_PORT ? switch_state.by_id[id] : NULL;

	return port != NULL && port->serial == serial ? port : NULL;
}

/* NULL for several. */
static const char *port_name(uint16_t id, uint32_t serial)
{
	const struct port_entry *port = port_of(id, serial);

	if (id == NO_PORT)
		return NULL;
	return port != NULL ? port->conf.name : "(removed)";
}

/* The one that decided; where the receivers were several, the sender. NULL where it is gone. */
static const struct port_entry *deciding_port(const struct firewall_record *r)
{
	if (r->direction == POLICY_IN && r->to_port != NO_PORT)
		return port_of(r->to_port, r->to_serial);
	return port_of(r->from_port, r->from_serial);
}

/* NULL where it has none, or what runs may not be what decided. */
static const char *rule_name(const struct firewall_record *r)
{
	const struct config *config = switch_state.config;
	const struct port_entry *port = deciding_port(r);
	const struct config_rule *rule;

	if (config == NULL || port == NULL || r->when < switch_state.revision_since)
		return NULL;
	for (unsigned i = 0; i < config->n_groups; i++) {
		if (strcmp(config->groups[i].name, r->group) != 0 ||
			strcmp(config->groups[i].tenant, port->network->conf.tenant) != 0)
			continue;
		if (r->verdict.rule >= config->groups[i].n_rules)
			return NULL;
		rule = &config->groups[i].rules[r->verdict.rule];
		return rule->name[0] != '\0' ? rule->name : NULL;
	}
	return NULL;
}

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		set(object, key, json_string(text));
}

static json_t *metadata_of(const struct firewall_record *r)
{
	const struct port_entry *port = deciding_port(r);
	json_t *metadata = json_object();

	if (port != NULL) {
		set_text(metadata, "tenant", port->network->conf.tenant);
		set_text(metadata, "network", port->network->conf.name);
	}
	set_text(metadata, "from_port", port_name(r->from_port, r->from_serial));
	set_text(metadata, "to_port", port_name(r->to_port, r->to_serial));
	set_text(metadata, "side", r->direction == POLICY_OUT ? "out" : "in");
	set_text(metadata, "action", action_names[r->verdict.action]);
	set_text(metadata, "by", source_names[r->verdict.source]);
	if (r->verdict.source == POLICY_BY_RULE) {
		set_text(metadata, "group", r->group);
		set(metadata, "rule", json_integer(r->verdict.rule));
		set_text(metadata, "rule_name", rule_name(r));
	}
	if (r->verdict.source == POLICY_BY_BLOCK)
		set(metadata, "block", json_integer(r->verdict.block));
	if (r->audit) {
		set(metadata, "would_drop", json_true());
		set_text(metadata, "reason", drop_name(reason_of(r)));
	}
	if (r->picked_up)
		set(metadata, "picked_up", json_true());
	if (r->suppressed > 0)
		set(metadata, "suppressed", json_integer(r->suppressed));
	return metadata;
}

/* Suricata's names: upper case, and ICMPv6's from the registry of protocol numbers. */
static void set_proto(json_t *event, uint8_t proto)
{
	char name[16];

	if (proto == IPPROTO_ICMPV6) {
		set_text(event, "proto", "IPv6-ICMP");
		return;
	}
	conn_proto_name(proto, name);
	for (char *c = name; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	set_text(event, "proto", name);
}

static void set_tuple(json_t *event, const struct firewall_record *r)
{
	const struct conn_key *key = &r->key;
	unsigned from = r->opener, to = !from;
	char text[ADDR_TEXT_MAX];
	bool ipv4 = addr_is_ipv4(key->addr[0]);

	addr_format(key->addr[from], text);
	set_text(event, "src_ip", text);
	addr_format(key->addr[to], text);
	set_text(event, "dest_ip", text);
	set_proto(event, key->proto);
	switch (key->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_UDPLITE:
		set(event, "src_port", json_integer(key->port[from]));
		set(event, "dest_port", json_integer(key->port[to]));
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((key->proto == IPPROTO_ICMP) != ipv4)
			break; /* the other family's: no more than a number */
		set(event, "icmp_type", json_integer(r->service >> 8 & 0xff));
		set(event, "icmp_code", json_integer(r->service & 0xff));
		break;
	default:
		break;
	}
}

static json_t *verdict_of(const struct firewall_record *r)
{
	if (!is_drop(r))
		return json_pack("{s:s}", "action", "pass");
	if (r->verdict.action != CONFIG_REJECT)
		return json_pack("{s:s}", "action", "drop");
	return json_pack("{s:s,s:s,s:[s]}", "action", "drop", "reject-target", "to_client",
		"reject", r->key.proto == IPPROTO_TCP ? "tcp-reset" : "icmp-prohib");
}

static void emit(const struct firewall_record *r)
{
	const struct port_entry *from = port_of(r->from_port, r->from_serial);
	json_t *event = json_object();

	set_text(event, "in_iface", port_name(r->from_port, r->from_serial));
	if (from != NULL && from->network->conf.vlan != 0)
		set(event, "vlan", json_pack("[i]", (int)from->network->conf.vlan));
	set_tuple(event, r);
	set_text(event, "direction", "to_server");
	set(event, "verdict", verdict_of(r));
	if (is_drop(r))
		set(event, "drop", json_pack("{s:s}", "reason", drop_name(reason_of(r))));
	set(event, "metadata", metadata_of(r));
	events_emit_fields(is_drop(r) ? "drop" : "firewall", event);
}

static void tell_lost(void)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < n_workers; i++)
		lost += firewall_log_lost(firewall_log_of(workers[i]->firewall));
	if (lost > lost_before)
		events_emit(
			"firewall", json_pack("{s:I}", "lost", (json_int_t)(lost - lost_before)));
	lost_before = lost;
}

void firewall_events_poll(void)
{
	static struct firewall_record records[FIREWALL_EVENTS_BUDGET];

	for (unsigned i = 0; i < n_workers; i++) {
		struct firewall_log *log = firewall_log_of(workers[i]->firewall);
		unsigned n = firewall_log_take(log, records, FIREWALL_EVENTS_BUDGET);

		for (unsigned r = 0; r < n; r++)
			emit(&records[r]);
	}
	tell_lost();
}
