#include "ethdev_tx.h"

#include <rte_ether.h>
#include <rte_lcore.h>

#define OPEN_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

static bool is_ours_alone(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

static bool is_taken_by(const struct ethdev_device *device, const struct rte_mbuf *m)
{
	uint32_t caps = device->tx_caps;

	if (m->nb_segs > 1 && !(caps & PORT_TX_CHAINS))
		return false;
	if ((m->ol_flags & OPEN_FLAGS) && !(caps & PORT_TX_CSUM))
		return false;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		return caps & PORT_TX_TSO4;
	return m->pkt_len <= device->longest;
}

/* A tag of a guest's own would make the frame one of another VLAN, or of two. */
static bool may_be_tagged(const struct ethdev_port *port, const struct rte_mbuf *m)
{
	return (port->vlan != 0 && port->device->conf.qinq) || !ethdev_tag_is_there(m);
}

/* For the NIC to write the headers of each segment anew. */
static void ask_for_segments(struct rte_mbuf *m)
{
	if ((m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) && (m->ol_flags & RTE_MBUF_F_TX_IPV4))
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
}

/*
 * What goes to the device for m: m itself, or a copy where others look at m too or it has no room
 * for the tag. NULL: no buffer. A copy need not be of one segment where m is: see is_taken_by().
 */
static struct rte_mbuf *prepare(const struct ethdev_port *port, struct rte_mbuf *m)
{
	bool written = port->vlan != 0 || (m->ol_flags & OPEN_FLAGS);
	struct rte_mbuf *out = m;

	if (written && (!is_ours_alone(m) ||
			       (port->vlan != 0 && rte_pktmbuf_headroom(m) < ETHDEV_TAG_LEN)))
		out = rte_pktmbuf_copy(m, port_env.pool, 0, UINT32_MAX);
	if (out == NULL)
		return NULL;
	if (port->vlan != 0)
		ethdev_tag_push(out, port->vlan);
	return out;
}

/* out, which prepare() made of m, does not go out now. */
static void unprepare(const struct ethdev_port *port, struct rte_mbuf *m, struct rte_mbuf *out)
{
	if (out != m)
		rte_pktmbuf_free(out);
	else if (port->vlan != 0)
		ethdev_tag_undo(out);
}

/*
 * Prepares up to n packets; returns for how many there were buffers. out[i] is NULL for one that
 * must not go out.
 */
static uint16_t prepare_all(
	struct ethdev_port *port, struct rte_mbuf **pkts, struct rte_mbuf **out, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		out[i] = NULL;
		if (unlikely(rte_pktmbuf_data_len(m) < RTE_ETHER_HDR_LEN)) {
			ethdev_count(&port->counters.tx_refused, 1);
			continue;
		}
		if (unlikely(!may_be_tagged(port, m))) {
			ethdev_count(&port->counters.tx_double_tag, 1);
			continue;
		}
		out[i] = prepare(port, m);
		if (out[i] == NULL)
			return i;
		if (unlikely(!is_taken_by(port->device, out[i]))) {
			ethdev_count(&port->counters.tx_refused, 1);
			unprepare(port, m, out[i]);
			out[i] = NULL;
		}
	}
	return n;
}

/* Offers n packets to one TX queue; returns how many went. */
static uint16_t send_all(
	struct ethdev_device *device, struct rte_mbuf **pkts, uint16_t n, bool *refused)
{
	uint16_t q = (uint16_t)(rte_lcore_id() % device->conf.queues);
	uint16_t good, sent = 0;

	for (uint16_t i = 0; i < n; i++)
		ask_for_segments(pkts[i]);
	/* The pseudo-header's sum as this NIC wants it. */
	good = rte_eth_tx_prepare(device->eth, q, pkts, n);
	*refused = good < n;
	rte_spinlock_lock(&device->queues[q].tx_lock);
	if (good > 0)
		sent = rte_eth_tx_burst(device->eth, q, pkts, good);
	rte_spinlock_unlock(&device->queues[q].tx_lock);
	*refused &= sent == good;
	return sent;
}

/* The packet counts as sent with the caller, and as dropped with the port. */
static void drop(struct ethdev_port *port, struct rte_mbuf *m)
{
	ethdev_count(&port->dev.tx_late_drops, 1);
	rte_pktmbuf_free(m);
}

/* Sends the run of packets that may go out and begins at out[0]; returns how many are done with. */
static uint16_t send_run(struct ethdev_port *port, struct rte_mbuf **pkts, struct rte_mbuf **out,
	uint16_t n, bool *full)
{
	uint16_t run = 0, sent;
	bool refused;

	while (run < n && out[run] != NULL)
		run++;
	sent = send_all(port->device, out, run, &refused);
	*full = sent < run && !refused;
	for (uint16_t i = 0; i < sent; i++)
		if (out[i] != pkts[i])
			rte_pktmbuf_free(pkts[i]);
	if (!refused)
		return sent;
	ethdev_count(&port->counters.tx_refused, 1);
	unprepare(port, pkts[sent], out[sent]);
	drop(port, pkts[sent]);
	return sent + 1;
}

uint16_t ethdev_tx_burst(struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct ethdev_port *port = ethdev_port(dev);
	struct rte_mbuf *out[PORT_BURST_MAX], *originals[PORT_BURST_MAX];
	uint16_t ready, done = 0;
	bool full = false;

	n = RTE_MIN(n, (uint16_t)PORT_BURST_MAX);
	for (uint16_t i = 0; i < n; i++)
		originals[i] = pkts[i];
	ready = prepare_all(port, originals, out, n);
	while (done < ready && !full) {
		if (out[done] != NULL)
			done += send_run(port, originals + done, out + done, ready - done, &full);
		else
			drop(port, originals[done++]);
	}
	for (uint16_t i = done; i < ready; i++)
		if (out[i] != NULL)
			unprepare(port, originals[i], out[i]);
	return done;
}
