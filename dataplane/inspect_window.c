/*
 * Holds senders back without a loss: the window that a receiver offers is made no larger than what
 * inspection keeps copies of, so that nothing has to be dropped for being too much. Worker threads;
 * no state.
 */
#include <rte_byteorder.h>
#include <rte_tcp.h>

#include "inspect_state.h"

/* A segment of 64 KiB may still be on its way when the window is used up. */
#define WINDOW_MAX (STREAM_WINDOW - 65536u)

/* Of the side's windows, as both have agreed in their SYNs (RFC 7323, 2.2). */
static unsigned scale_of(const struct inspection *x, unsigned side)
{
	const struct conn_detail *detail = conn_table_detail(x->w->firewall->table, x->conn);

	return detail->tcp[0].scales && detail->tcp[1].scales ? detail->tcp[side].scale : 0;
}

/* The checksum where one 16-bit word of what it covers changes (RFC 1624, equation 3). */
static uint16_t mended_sum(uint16_t sum, uint16_t before, uint16_t after)
{
	uint32_t s = (uint16_t)~sum + (uint16_t)~before + (uint32_t)after;

	s = (s & 0xffff) + (s >> 16);
	return (uint16_t) ~((s & 0xffff) + (s >> 16));
}

void inspect_window_bound(struct inspection *x)
{
	const uint8_t unlike = RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG;
	struct rte_mbuf *m = x->packet->m;
	struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(
		m, struct rte_tcp_hdr *, x->packet->p->l4_off);
	unsigned scale;
	uint16_t before = tcp->rx_win, after;

	/* What was picked up in the middle: nobody knows its scale. */
	if (!(x->conn->flags & CONN_FIRST) || x->packet->p->tcp_flags & unlike)
		return;
	scale = scale_of(x, x->packet->view.sender);
	if ((uint32_t)rte_be_to_cpu_16(before) << scale <= WINDOW_MAX)
		return;
	if (rte_mbuf_refcnt_read(m) != 1 || x->packet->frames != NULL)
		return; /* not ours to write */
	after = rte_cpu_to_be_16((uint16_t)(WINDOW_MAX >> scale));
	tcp->rx_win = after;
	if (!(m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)))
		tcp->cksum = mended_sum(tcp->cksum, before, after);
}
