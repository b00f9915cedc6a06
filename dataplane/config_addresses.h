/*
 * The address types of configuration fields, beside those of config_types; no DPDK here.
 *
 * Member that each needs: mac: uint8_t[6]; address: char[46]; prefix: struct config_prefix;
 * span: struct addr_span.
 */
#ifndef VS_CONFIG_ADDRESSES_H
#define VS_CONFIG_ADDRESSES_H

#include "config_schema.h"

/* A unicast MAC, six pairs of hex digits with colons. */
extern const struct config_type config_type_mac;
/* A unicast IPv4 or IPv6 address, stored in the text form of inet_ntop(). */
extern const struct config_type config_type_address;
/* An address with a prefix length; none means that one address. */
extern const struct config_type config_type_prefix;
/* An address, a prefix or a range such as 10.0.0.2-10.0.0.9. */
extern const struct config_type config_type_span;

#endif
