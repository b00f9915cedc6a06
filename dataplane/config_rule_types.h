/*
 * The types of configuration fields that rules are made of, beside those of config_types and
 * config_addresses; no DPDK here.
 *
 * Member that each needs: ethertype: uint16_t; protocol: int; ports: struct config_ports; remote:
 * struct config_remote.
 */
#ifndef VS_CONFIG_RULE_TYPES_H
#define VS_CONFIG_RULE_TYPES_H

#include "config_schema.h"

/* A name, or a number from 0x0600 (IEEE 802.3, 3.2.6), also as text in hex. */
extern const struct config_type config_type_ethertype;
/* "any", a name or the number of an IP protocol. */
extern const struct config_type config_type_protocol;
/* A port, or a range of them such as "1000-2000". */
extern const struct config_type config_type_ports;
/* "any", addresses, {group: NAME} or {set: NAME}; config_check() finds the name. */
extern const struct config_type config_type_remote;

/* "tcp", or NULL for a protocol that has only a number. */
const char *config_protocol_name(int protocol);

/* Whether the protocol's header begins with a source and a destination port. */
bool config_protocol_has_ports(int protocol);

/* remote's own two fields, as a mapping has them. */
extern const struct config_table config_remote_table;

#endif
