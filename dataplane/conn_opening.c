#include "conn_opening.h"

#include <netinet/in.h>

#include <rte_tcp.h>

#include "classifier.h"

#define CLIENT_PORTS 32768 /* ip_local_port_range's first, as Linux has it */

bool conn_opening_starts(const struct packet *p, const struct conn_view *view)
{
	const uint8_t notable = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG |
				RTE_TCP_RST_FLAG;

	if (view->kind != CONN_PACKET || view->reply)
		return false;
	return view->key.proto != IPPROTO_TCP || (p->tcp_flags & notable) == RTE_TCP_SYN_FLAG;
}

bool conn_opening_may_continue(const struct packet *p, const struct conn_view *view)
{
	return view->key.proto != IPPROTO_TCP ||
	       (p->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) != RTE_TCP_SYN_FLAG;
}

static inline bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

bool conn_opening_answers(const struct conn_view *view, bool starts)
{
	if (view->key.proto == IPPROTO_TCP || view->reply)
		return !starts;
	return has_ports(view->key.proto) && view->key.port[view->sender] < CLIENT_PORTS &&
	       view->key.port[!view->sender] >= CLIENT_PORTS;
}

uint32_t conn_opening_service_turned(const struct conn_view *view)
{
	if (has_ports(view->key.proto))
		return service_key(view->key.proto, view->key.port[view->sender]);
	return view->service;
}
