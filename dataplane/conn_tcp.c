#include "conn_tcp.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_tcp.h>

#define FIN RTE_TCP_FIN_FLAG
#define SYN RTE_TCP_SYN_FLAG
#define RST RTE_TCP_RST_FLAG
#define ACK RTE_TCP_ACK_FLAG

#define HEADER_LEN 20
#define OPT_END    0
#define OPT_NOP    1
#define OPT_SCALE  3
#define SCALE_MAX  14 /* RFC 7323, 2.3 */
#define ACK_BEHIND 66000 /* so old an acknowledgment may be, though the window is smaller */

struct segment {
	uint32_t seq, ack;
	uint32_t end; /* of seq + len; SYN and FIN count */
	uint32_t window; /* as it stands there */
	uint8_t flags;
};

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return rte_be_to_cpu_32(v);
}

/* Sequence numbers wrap. */
static inline bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline uint32_t later(uint32_t a, uint32_t b)
{
	return before(a, b) ? b : a;
}

static inline const uint8_t *header_of(const struct rte_mbuf *m, const struct packet *p)
{
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l4_off);
}

static void read_segment(const struct rte_mbuf *m, const struct packet *p, struct segment *s)
{
	const uint8_t *h = header_of(m, p);
	uint32_t headers = p->payload_off - p->l3_off;

	s->flags = p->tcp_flags;
	s->seq = load32(h + 4);
	s->ack = load32(h + 8);
	s->window = (uint32_t)h[14] << 8 | h[15];
	s->end = s->seq + (p->l3_len > headers ? p->l3_len - headers : 0) + !!(s->flags & SYN) +
		 !!(s->flags & FIN);
}

/* The window scale option of a SYN (RFC 7323, 2.2). packet_parse() has seen that all is there. */
static void read_scale(const struct rte_mbuf *m, const struct packet *p, struct conn_tcp_side *side)
{
	const uint8_t *h = header_of(m, p);
	unsigned len = p->payload_off - p->l4_off, off = HEADER_LEN;

	side->scales = false;
	side->scale = 0;
	while (off + 1 < len && h[off] != OPT_END) {
		if (h[off] == OPT_NOP) {
			off++;
			continue;
		}
		if (h[off + 1] < 2)
			return;
		if (h[off] == OPT_SCALE && h[off + 1] == 3 && off + 3 <= len) {
			side->scales = true;
			side->scale = h[off + 2] < SCALE_MAX ? h[off + 2] : SCALE_MAX;
			return;
		}
		off += h[off + 1];
	}
}

static bool flags_make_sense(uint8_t flags)
{
	switch (flags & (FIN | SYN | RST | ACK)) {
	case SYN:
	case SYN | ACK:
	case RST:
	case RST | ACK:
	case FIN | ACK:
	case ACK:
		return true;
	default:
		return false;
	}
}

/* Whether acknowledgment and sequence numbers are within what both sides have said. */
static bool is_in_window(const struct segment *s, uint32_t end, const struct conn_tcp_side *from,
	const struct conn_tcp_side *to)
{
	uint32_t behind = from->max_window > ACK_BEHIND ? from->max_window : ACK_BEHIND;

	if (before(from->max_end, end) || before(s->seq, from->end - to->max_window))
		return false;
	if (!(s->flags & ACK))
		return true;
	return !before(to->end, s->ack) && !before(s->ack, to->end - behind);
}

static void advance(const struct segment *s, struct conn_tcp_side *from, struct conn_tcp_side *to)
{
	uint32_t window = s->flags & SYN ? s->window : s->window << from->scale;

	if (window == 0)
		window = 1; /* probes pass */
	if (window > from->max_window)
		from->max_window = window;
	from->end = later(from->end, s->end);
	if (s->flags & ACK)
		to->max_end = later(to->max_end, s->ack + window);
}

/* A SYN of a connection that is being opened. */
static bool follow_syn(const struct rte_mbuf *m, const struct packet *p, const struct segment *s,
	struct conn_tcp_side *from, struct conn_tcp_side *to)
{
	if (s->flags & ACK &&
		(!to->seen || before(to->end, s->ack) || before(s->ack, to->end - ACK_BEHIND)))
		return false;
	*from = (struct conn_tcp_side){.seen = true, .end = s->end};
	from->max_end = s->end + to->max_window;
	read_scale(m, p, from);
	/* Only if both say so. */
	if (to->seen && (!from->scales || !to->scales))
		from->scale = to->scale = 0;
	advance(s, from, to);
	return true;
}

/* A segment's numbers. False: it cannot be. */
static bool follow_numbers(const struct conn *conn, const struct rte_mbuf *m,
	const struct packet *p, const struct segment *s, struct conn_tcp_side *from,
	struct conn_tcp_side *to)
{
	bool opening = conn->state == CONN_TCP_SYN || conn->state == CONN_TCP_SYN_ACK;

	if (!flags_make_sense(s->flags))
		return false;
	if (s->flags & SYN && opening)
		return follow_syn(m, p, s, from, to);
	/* A peer that has started again: the other's answer says whether it is out of the window
	 * (RFC 5961, 4). */
	if (s->flags & SYN && !(s->flags & ACK))
		return true;
	/* The answer to a SYN that a side still has another connection for, or will not take. */
	if (!from->seen)
		return to->seen && s->flags & ACK && !before(to->end, s->ack) &&
		       !before(s->ack, to->end - ACK_BEHIND);
	if (!is_in_window(s, s->end, from, to) || (!to->seen && !(s->flags & RST)))
		return false;
	if (!(s->flags & RST))
		advance(s, from, to);
	return true;
}

static enum conn_state follow_fin(
	struct conn_detail *detail, const struct segment *s, unsigned sender)
{
	struct conn_tcp_side *from = &detail->tcp[sender], *to = &detail->tcp[!sender];

	if (s->flags & FIN && from->closed == 0) {
		from->closed = 1;
		from->end = s->end;
	}
	if (s->flags & ACK && to->closed == 1 && !before(s->ack, to->end))
		to->closed = 2;
	if (from->closed == 2 && to->closed == 2)
		return CONN_TCP_CLOSED;
	if (from->closed != 0 && to->closed != 0)
		return CONN_TCP_CLOSING;
	return from->closed != 0 || to->closed != 0 ? CONN_TCP_FIN : CONN_TCP_ESTABLISHED;
}

/* Whether it is the third step of opening; where it was picked up, both sides must have spoken. */
static bool completes(const struct conn *conn, const struct segment *s, unsigned sender)
{
	const uint8_t both = CONN_BOUND_0 | CONN_BOUND_1;

	if (conn->flags & CONN_PICKED_UP)
		return ((conn->flags | CONN_BOUND_0 << sender) & both) == both && !(s->flags & SYN);
	return sender == (conn->flags & CONN_OPENER) && s->flags & ACK;
}

static enum conn_state next_state(const struct conn *conn, struct conn_detail *detail,
	const struct segment *s, unsigned sender)
{
	if (s->flags & RST)
		return CONN_TCP_CLOSED;
	switch (conn->state) {
	case CONN_TCP_SYN:
		/* With ACK or without: both may open at once (RFC 9293, 3.5). */
		return sender != (conn->flags & CONN_OPENER) && s->flags & SYN ? CONN_TCP_SYN_ACK
									       : CONN_TCP_SYN;
	case CONN_TCP_SYN_ACK:
		return completes(conn, s, sender) ? follow_fin(detail, s, sender)
						  : CONN_TCP_SYN_ACK;
	case CONN_TCP_CLOSED:
		return CONN_TCP_CLOSED;
	default:
		return follow_fin(detail, s, sender);
	}
}

enum conn_state conn_tcp_follow(const struct conn *conn, struct conn_detail *detail,
	const struct rte_mbuf *m, const struct packet *p, unsigned sender, bool strict)
{
	struct segment s;

	read_segment(m, p, &s);
	if (!strict && s.flags & SYN)
		read_scale(m, p, &detail->tcp[sender]); /* inspection asks for it */
	if (strict && !(conn->flags & CONN_PICKED_UP) &&
		!follow_numbers(conn, m, p, &s, &detail->tcp[sender], &detail->tcp[!sender]))
		return CONN_FREE;
	return next_state(conn, detail, &s, sender);
}

bool conn_tcp_is_new_attempt(const struct conn *conn, uint8_t tcp_flags, unsigned sender)
{
	if ((tcp_flags & (SYN | ACK | RST | FIN)) != SYN)
		return false;
	if (sender == (conn->flags & CONN_OPENER))
		return conn->state == CONN_TCP_CLOSING || conn->state == CONN_TCP_CLOSED;
	return !(conn->state == CONN_TCP_SYN ||
		 (conn->state == CONN_TCP_SYN_ACK && !(conn->flags & CONN_PICKED_UP)));
}
