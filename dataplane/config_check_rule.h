/*
 * One rule's fields against each other. Part of config_check_policy; no DPDK here.
 */
#ifndef VS_CONFIG_CHECK_RULE_H
#define VS_CONFIG_CHECK_RULE_H

#include "config.h"
#include "config_context.h"

/* Adds an error about member of the context's current object. */
void config_check_error(struct config_context *context, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void config_check_warn(struct config_context *context, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Checks the rule that the context stands at; names in its remote are not looked up. Gives it the
 * family that its protocol or remote implies, and ICMPv6 where it says icmp of IPv6.
 */
void config_check_rule(struct config_context *context, struct config_rule *rule);

#endif
