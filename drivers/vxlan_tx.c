#include "vxlan_tx.h"

#include "trunk_tx.h"

#define OPEN_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

/* A packet on its way out. */
struct outgoing {
	struct rte_mbuf *m; /* the caller's */
	struct rte_mbuf *out; /* m itself or a copy, with its headers; NULL: it must not go out */
};

static bool is_ours_alone(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

/* Why m must not go out: the counter of that; NULL: it may. */
static _Atomic uint64_t *refusal(struct vxlan_port *port, const struct rte_mbuf *m)
{
	uint32_t longest = port->underlay->conf.mtu + RTE_ETHER_HDR_LEN - port->headers.len;

	if (unlikely(!port->tags && trunk_tag_is_there(m)))
		return &port->counters.tx_double_tag;
	if (unlikely((m->ol_flags & OPEN_FLAGS) || m->pkt_len > longest ||
		     rte_pktmbuf_data_len(m) < RTE_ETHER_HDR_LEN))
		return &port->counters.tx_refused;
	return NULL;
}

static void unwrap(const struct vxlan_port *port, const struct outgoing *o)
{
	if (o->out != o->m) {
		rte_pktmbuf_free(o->out);
		return;
	}
	if (port->underlay->hook.vlan != 0)
		trunk_tag_undo(o->out);
	vxlan_undo(o->out, &port->headers);
}

/* Puts o->m into headers. False: there is no buffer for its copy. */
static bool wrap(struct vxlan_port *port, const struct rte_ether_addr *next_hop, struct outgoing *o)
{
	_Atomic uint64_t *counter = refusal(port, o->m);
	uint32_t hash = o->m->hash.rss; /* forward.c: of the flow, the same for both directions */

	o->out = NULL;
	if (counter != NULL) {
		trunk_count(counter, 1);
		return true;
	}
	o->out = o->m;
	if (!is_ours_alone(o->m) || rte_pktmbuf_headroom(o->m) < port->headers.len + TRUNK_TAG_LEN)
		o->out = rte_pktmbuf_copy(o->m, port_env.pool, 0, UINT32_MAX);
	if (o->out == NULL)
		return false;
	vxlan_push(o->out, &port->headers, next_hop, hash);
	o->out->vlan_tci = 0;
	if (port->underlay->hook.vlan != 0)
		trunk_tag_push(o->out, port->underlay->hook.vlan);
	if (unlikely(!trunk_takes(port->underlay->trunk, o->out))) {
		trunk_count(&port->counters.tx_refused, 1);
		unwrap(port, o);
		o->out = NULL;
	}
	return true;
}

/* The packet counts as sent with the caller, and as dropped with the port. */
static void drop(struct vxlan_port *port, struct rte_mbuf *m)
{
	trunk_count(&port->dev.tx_late_drops, 1);
	rte_pktmbuf_free(m);
}

/* Sends those that may go out and begin at all[0]; returns how many are done with. */
static uint16_t send_run(
	struct vxlan_port *port, const struct outgoing *all, uint16_t n, bool *full)
{
	struct rte_mbuf *run[PORT_BURST_MAX];
	uint16_t len = 0, sent;
	bool refused;

	for (; len < n && all[len].out != NULL; len++)
		run[len] = all[len].out;
	sent = trunk_send(port->underlay->trunk, run, len, &refused);
	*full = sent < len && !refused;
	for (uint16_t i = 0; i < sent; i++)
		if (all[i].out != all[i].m)
			rte_pktmbuf_free(all[i].m);
	if (!refused)
		return sent;
	trunk_count(&port->counters.tx_refused, 1);
	unwrap(port, &all[sent]);
	drop(port, all[sent].m);
	return sent + 1;
}

static uint16_t drop_all(struct vxlan_port *port, struct rte_mbuf **pkts, uint16_t n)
{
	trunk_count(&port->counters.tx_unresolved, n);
	for (uint16_t i = 0; i < n; i++)
		drop(port, pkts[i]);
	return n;
}

uint16_t vxlan_tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vxlan_port *port = vxlan_port(dev);
	struct outgoing all[PORT_BURST_MAX];
	struct rte_ether_addr next_hop;
	uint16_t ready = 0, done = 0;
	bool full = false;

	n = RTE_MIN(n, (uint16_t)PORT_BURST_MAX);
	if (unlikely(!vxlan_neighbour_mac(port->next_hop, &next_hop)))
		return drop_all(port, pkts, n);
	for (; ready < n; ready++) {
		all[ready].m = pkts[ready];
		if (!wrap(port, &next_hop, &all[ready]))
			break;
	}
	while (done < ready && !full) {
		if (all[done].out != NULL)
			done += send_run(port, &all[done], ready - done, &full);
		else
			drop(port, all[done++].m);
	}
	for (uint16_t i = done; i < ready; i++)
		if (all[i].out != NULL)
			unwrap(port, &all[i]);
	return done;
}
