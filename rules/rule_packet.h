/*
 * The keywords that do not look at data: flow, flags and dsize see the packet, dce_iface and
 * dce_opnum the DCERPC call. Any thread; no state, no DPDK.
 */
#ifndef VS_RULE_PACKET_H
#define VS_RULE_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"

struct rule_packet {
	bool to_server; /* from the side that opened the connection */
	bool established; /* both sides have been heard, or it was picked up midstream */
	bool in_stream; /* evaluated on data of the stream, not on the packet alone */
	uint8_t flags; /* of TCP */
	uint32_t size; /* of the TCP payload */
};

/* flow, flags and dsize. */
bool rule_packet_fits(const struct rule *rule, const struct rule_packet *packet);

/* The interface that a call's context was bound to, and the call. */
struct rule_dce_call {
	uint8_t uuid[16]; /* in the order in which it is written; not as on the wire */
	uint16_t version, opnum;
	bool has_iface; /* the bind was seen */
	bool has_opnum; /* it is a request */
	bool first_frag;
};

/* dce_iface and dce_opnum; true where the rule has neither. call is NULL where there is none. */
bool rule_packet_calls(const struct rule *rule, const struct rule_dce_call *call);

#endif
