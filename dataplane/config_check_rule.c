#include "config_check_rule.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#include "config_rule_types.h"

static const char *const family_names[] = {
	[CONFIG_ANY_FAMILY] = "any", [CONFIG_IPV4] = "ipv4", [CONFIG_IPV6] = "ipv6"};

void config_check_error(struct config_context *context, const char *member, const char *fmt, ...)
{
	size_t mark = config_context_member(context, member);
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	config_context_error(context, "%s", text);
	config_context_leave(context, mark);
}

void config_check_warn(struct config_context *context, const char *member, const char *fmt, ...)
{
	size_t mark = config_context_member(context, member);
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	config_context_warn(context, "%s", text);
	config_context_leave(context, mark);
}

/* The family that the remote's addresses have; ::/0 holds the IPv4 ones only as numbers. */
static enum config_family remote_family(const struct config_rule *rule)
{
	const struct addr_span *span = &rule->remote.span;

	if (rule->remote.kind != CONFIG_REMOTE_SPAN)
		return CONFIG_ANY_FAMILY;
	return addr_is_ipv4(span->first) && addr_is_ipv4(span->last) ? CONFIG_IPV4 : CONFIG_IPV6;
}

static void check_remote_family(struct config_context *context, struct config_rule *rule)
{
	enum config_family remote = remote_family(rule);

	if (remote == CONFIG_ANY_FAMILY)
		return;
	if (rule->family == CONFIG_ANY_FAMILY)
		rule->family = remote;
	else if (rule->family != remote)
		config_check_error(context, "remote",
			"has addresses of %s in a rule for %s: give addresses of the same family, "
			"or leave family out",
			family_names[remote], family_names[rule->family]);
}

/* Behind check_remote_family(), so that the family is known if anything tells it. */
static void check_icmp_family(struct config_context *context, struct config_rule *rule)
{
	if (rule->protocol == IPPROTO_ICMP && rule->family == CONFIG_IPV6)
		rule->protocol = IPPROTO_ICMPV6;
	if (rule->protocol == IPPROTO_ICMPV6 && rule->family == CONFIG_IPV4)
		config_check_error(context, "protocol",
			"icmpv6 is IPv6's, and the rule is for IPv4: say protocol: icmp, or "
			"family: ipv6");
	else if (rule->protocol == IPPROTO_ICMPV6)
		rule->family = CONFIG_IPV6;
	else if (rule->protocol == IPPROTO_ICMP)
		rule->family = CONFIG_IPV4;
}

static void check_service(struct config_context *context, const struct config_rule *rule)
{
	bool icmp = rule->protocol == IPPROTO_ICMP || rule->protocol == IPPROTO_ICMPV6;

	if (rule->n_ports > 0 && !config_protocol_has_ports(rule->protocol))
		config_check_error(context, "ports",
			"needs a protocol that has ports: say protocol: tcp, udp, sctp, dccp or "
			"udplite");
	if (rule->type >= 0 && !icmp)
		config_check_error(
			context, "type", "is of ICMP only: say protocol: icmp or icmpv6");
	if (rule->code >= 0 && !icmp)
		config_check_error(
			context, "code", "is of ICMP only: say protocol: icmp or icmpv6");
	else if (rule->code >= 0 && rule->type < 0)
		config_check_error(context, "code", "means nothing without a type: give both");
}

void config_check_rule(struct config_context *context, struct config_rule *rule)
{
	check_remote_family(context, rule);
	check_icmp_family(context, rule);
	check_service(context, rule);
}
