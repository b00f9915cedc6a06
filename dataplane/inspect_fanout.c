/* What fan-out counts hear of: SYNs to services and their answers, and who asks for addresses. */
#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "inspect_state.h"

#define RING_BUDGET   64 /* messages taken in one pass */
#define EXPIRE_BUDGET 8 /* ports looked at in one pass */

#define ND_SOLICIT   135
#define ND_ADVERTISE 136
#define ND_TARGET    8 /* offset in the message */
#define ND_LEN       24

static bool is_on(const struct port *port)
{
	return port->inspect != NULL && port->inspect->fanout.on && !port->fanout_exempt;
}

static void take(struct inspect *inspect, const struct fanout_message *message)
{
	const struct port *port = inspect->w->snapshot->ports[message->port];
	enum fanout_state state;

	if (port == NULL || port->serial != message->serial || !is_on(port))
		return;
	state = fanout_note(inspect->fanout, message, &port->inspect->fanout, inspect->w->now);
	if (state != FANOUT_QUIET)
		inspect_fanout_verdict(inspect, port, state);
}

void inspect_fanout_post(
	struct worker *w, const struct port *port, enum fanout_event event, struct addr target)
{
	struct fanout_message message = {port->id, (uint16_t)event, port->serial, target};
	struct worker *home = workers[w->snapshot->networks[port->network]->home];

	if (!is_on(port))
		return;
	if (home == w)
		take(w->inspect, &message);
	else if (rte_ring_mp_enqueue_elem(home->inspect->fanout_ring, &message, sizeof(message)) !=
		 0)
		counter_add(&w->inspect->stats.fanout_lost, 1);
	else
		worker_wake(home);
}

void inspect_fanout_segment(struct inspection *x)
{
	const struct conn *conn = x->conn;
	unsigned opener = inspect_opener(conn);
	const struct port *guest = x->side == 0 ? x->from : x->to;
	uint8_t flags = x->packet->p->tcp_flags;
	struct addr target = conn->key.addr[!opener];

	if (!(flags & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG)) ||
		!inspect_is_service(x->profile, conn->key.port[!opener]))
		return;
	if (flags & RTE_TCP_SYN_FLAG && x->side == 0)
		inspect_fanout_post(x->w, guest, FANOUT_ATTEMPT, target);
	else if (flags & RTE_TCP_SYN_FLAG)
		inspect_fanout_post(x->w, guest, FANOUT_ANSWERED, target);
	else if (x->side == 1 && !(conn->flags & CONN_FIRST))
		inspect_fanout_post(x->w, guest, FANOUT_REFUSED, target);
}

void inspect_denied(struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	const struct conn_key *key = &packet->view.key;
	unsigned other = !packet->view.sender;

	if (key->proto != IPPROTO_TCP || !inspect_is_service(from->inspect, key->port[other]))
		return;
	inspect_fanout_post(w, from, FANOUT_ATTEMPT, key->addr[other]);
	inspect_fanout_post(w, from, FANOUT_REFUSED, key->addr[other]);
}

static void lookup_arp(
	struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	const struct packet *p = packet->p;
	const struct rte_arp_hdr *arp;

	if (packet->m->data_len < p->l3_off + sizeof(*arp))
		return;
	arp = rte_pktmbuf_mtod_offset(packet->m, const struct rte_arp_hdr *, p->l3_off);
	/* Neither probes for its own address (RFC 5227) nor announcements of it. */
	if (arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) && arp->arp_data.arp_sip != 0 &&
		arp->arp_data.arp_sip != arp->arp_data.arp_tip)
		inspect_fanout_post(w, from, FANOUT_LOOKUP, addr_from_ipv4(&arp->arp_data.arp_tip));
}

static void lookup_nd(
	struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	const struct packet *p = packet->p;
	static const uint8_t nobody[16];
	const struct rte_ipv6_hdr *ip;
	const uint8_t *message;

	if (packet->m->data_len < p->l4_off + ND_LEN)
		return;
	message = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, p->l4_off);
	ip = rte_pktmbuf_mtod_offset(packet->m, const struct rte_ipv6_hdr *, p->l3_off);
	/* From nobody: duplicate address detection (RFC 4862, 5.4.2). */
	if (message[0] == ND_SOLICIT && memcmp(ip->src_addr, nobody, sizeof(nobody)) != 0)
		inspect_fanout_post(w, from, FANOUT_LOOKUP, addr_from_ipv6(message + ND_TARGET));
}

void inspect_lookup(struct worker *w, const struct port *from, const struct firewall_packet *packet)
{
	if (packet->p->ethertype == RTE_ETHER_TYPE_ARP)
		lookup_arp(w, from, packet);
	else if (packet->p->flags & PACKET_IPV6 && packet->p->l4_proto == IPPROTO_ICMPV6)
		lookup_nd(w, from, packet);
}

/* to gets an answer to what it has asked: who has that address. */
static void answer_arp(
	struct worker *w, const struct port *to, const struct firewall_packet *packet)
{
	const struct packet *p = packet->p;
	const struct rte_arp_hdr *arp;

	if (packet->m->data_len < p->l3_off + sizeof(*arp))
		return;
	arp = rte_pktmbuf_mtod_offset(packet->m, const struct rte_arp_hdr *, p->l3_off);
	if (arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REPLY))
		inspect_fanout_post(w, to, FANOUT_FOUND, addr_from_ipv4(&arp->arp_data.arp_sip));
}

static void answer_nd(struct worker *w, const struct port *to, const struct firewall_packet *packet)
{
	const struct packet *p = packet->p;
	const uint8_t *message;

	if (packet->m->data_len < p->l4_off + ND_LEN)
		return;
	message = rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, p->l4_off);
	if (message[0] == ND_ADVERTISE)
		inspect_fanout_post(w, to, FANOUT_FOUND, addr_from_ipv6(message + ND_TARGET));
}

void inspect_neighbour(
	struct worker *w, const struct port *to, const struct firewall_packet *packet)
{
	if (packet->p->ethertype == RTE_ETHER_TYPE_ARP)
		answer_arp(w, to, packet);
	else if (packet->p->flags & PACKET_IPV6 && packet->p->l4_proto == IPPROTO_ICMPV6)
		answer_nd(w, to, packet);
}

static const struct config_fanout *limits_of(void *arg, uint16_t port, uint32_t serial)
{
	const struct inspect *inspect = arg;
	const struct port *p = inspect->w->snapshot->ports[port];

	return p != NULL && p->serial == serial && is_on(p) ? &p->inspect->fanout : NULL;
}

static void told(void *arg, uint16_t port, enum fanout_state state)
{
	struct inspect *inspect = arg;
	const struct port *p = inspect->w->snapshot->ports[port];

	if (p != NULL && is_on(p))
		inspect_fanout_verdict(inspect, p, state);
}

bool inspect_fanout_chores(struct inspect *inspect)
{
	struct fanout_message message;

	for (unsigned i = 0; i < RING_BUDGET; i++) {
		if (rte_ring_sc_dequeue_elem(inspect->fanout_ring, &message, sizeof(message)) != 0)
			break;
		take(inspect, &message);
	}
	if (inspect->w->now >= inspect->next_expiry) {
		if (fanout_expire(inspect->fanout, inspect->w->now, EXPIRE_BUDGET, limits_of, told,
			    inspect))
			return true;
		inspect->next_expiry = inspect->w->now + inspect->w->hz;
	}
	return !rte_ring_empty(inspect->fanout_ring);
}
