/* Which connections are inspected, and from where on. */
#include <netinet/in.h>
#include <string.h>

#include <rte_tcp.h>

#include "inspect_state.h"

/*
 * In conn.settled, beside an epoch. OPENED: nothing is settled; its SYN was met under that epoch,
 * and first[] holds: of the opener, with CONN_FIRST of both sides. NOT_SMB: as OPENED, and what
 * was sent first is no SMB, but nobody has acknowledged it yet. A receiver may refuse a segment
 * that passes here, and take another in its place; so only what it says to have taken settles
 * anything. BY_1: side 1 of the key has sent that; else side 0.
 */
#define OPENED  (1u << 31)
#define NOT_SMB (1u << 30)
#define BY_1    (1u << 29)

#define FAR (1u << 30) /* windows are smaller (RFC 7323, 2.3) */

static bool is_opened(const struct inspection *x)
{
	return (x->conn->settled & ~(NOT_SMB | BY_1)) == (x->epoch | OPENED);
}

static bool is_not_smb(const struct inspection *x)
{
	return is_opened(x) && x->conn->settled & NOT_SMB;
}

/* Whether first[] of the side of the key is known. */
static bool knows_first(const struct inspection *x, unsigned side)
{
	return is_opened(x) && (x->conn->flags & CONN_FIRST || side == inspect_opener(x->conn));
}

void inspect_settle(struct inspection *x)
{
	if (x->flow != NULL)
		inspect_flow_end(x->inspect, x->flow, "settled");
	x->flow = NULL;
	x->conn->settled = x->epoch;
}

void inspect_not_smb(struct inspection *x, unsigned by)
{
	if (!is_opened(x)) {
		inspect_settle(x);
		return;
	}
	if (x->flow != NULL)
		inspect_flow_end(x->inspect, x->flow, "settled");
	x->flow = NULL;
	x->conn->settled |= NOT_SMB | (by == 1 ? BY_1 : 0);
}

/* The other side says to have taken the first bytes that were no SMB. */
static bool is_taken(const struct inspection *x, const struct stream_segment *s)
{
	unsigned sender = x->packet->view.sender, by = x->conn->settled & BY_1 ? 1 : 0;
	uint32_t taken = s->ack - x->conn->first[by];

	return is_not_smb(x) && sender != by && x->conn->flags & CONN_FIRST &&
	       s->flags & RTE_TCP_ACK_FLAG && !(s->flags & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG)) &&
	       taken > 0 && taken < FAR;
}

/* Notes where each side's bytes begin, for a flow that begins later. False: that cannot be. */
static bool note_syn(struct inspection *x, const struct stream_segment *s)
{
	unsigned sender = x->packet->view.sender;
	uint32_t *first = x->conn->first;
	bool answer = s->flags & RTE_TCP_ACK_FLAG;

	/* Both have agreed: another number now could only put the data elsewhere. Its receiver says
	 * so to who has forgotten the connection (RFC 5961, 4). */
	if (is_opened(x) && x->conn->flags & CONN_FIRST)
		return (first[sender] == s->seq + 1 && (!answer || first[!sender] == s->ack)) ||
		       (!answer && s->len == 0);
	if (!is_opened(x)) {
		x->conn->flags &= (uint8_t)~CONN_FIRST;
		if (answer)
			return true; /* to a SYN that was not met */
		x->conn->settled = x->epoch | OPENED;
	}
	first[sender] = s->seq + 1;
	if (answer) {
		first[!sender] = s->ack;
		x->conn->flags |= CONN_FIRST;
	}
	return true;
}

enum stream_verdict inspect_note(struct inspection *x, const struct stream_segment *s)
{
	if (s->flags & RTE_TCP_SYN_FLAG && !note_syn(x, s))
		return STREAM_INVALID;
	/* It also says what becomes of bytes that come later. */
	if (s->flags & RTE_TCP_URG_FLAG)
		return STREAM_URGENT;
	if (is_taken(x, s))
		inspect_settle(x);
	return STREAM_PASS;
}

/* As smb_flow_recognise(), of the segment's bytes. */
static int recognise(const struct stream_segment *s)
{
	uint8_t head[INSPECT_PROBE];
	uint32_t n = 0;

	for (unsigned i = 0; i < s->n_pieces && n < sizeof(head); i++) {
		uint32_t len = RTE_MIN(s->pieces[i].len, (uint32_t)sizeof(head) - n);

		memcpy(head + n, s->pieces[i].bytes, len);
		n += len;
	}
	return smb_flow_recognise(head, n);
}

/* Bytes in the place of those that were no SMB: these must be none either. */
static void hold_against_first(struct inspection *x, const struct stream_segment *s, uint32_t first)
{
	if (first - s->seq >= s->len)
		return;
	if (s->seq != first || recognise(s) != 0)
		inspect_stream_verdict(x, STREAM_DIFFERS);
}

/* Whether to begin a flow, and whether it is one that is inspected for sure. */
static bool is_wanted(struct inspection *x, const struct stream_segment *s, bool *known)
{
	unsigned sender = x->packet->view.sender;
	uint32_t seq = s->seq + !!(s->flags & RTE_TCP_SYN_FLAG);
	int smb = -1;

	*known = inspect_is_service(x->profile, x->conn->key.port[0]) ||
		 inspect_is_service(x->profile, x->conn->key.port[1]);
	if (*known)
		return true;
	if (is_not_smb(x) && knows_first(x, sender)) {
		hold_against_first(x, s, x->conn->first[sender]);
		return false;
	}
	if (knows_first(x, sender) ? seq == x->conn->first[sender] : !is_opened(x))
		smb = recognise(s);
	*known = smb == 1;
	if (smb == 0)
		inspect_not_smb(x, sender);
	return smb != 0;
}

/* Takes the stream's beginning from what was seen of the connection's. */
static void give_opening(struct inspection *x, bool syn)
{
	const struct stream_handler none = {NULL, NULL};
	const uint32_t *first = x->conn->first;
	unsigned opener = inspect_opener(x->conn);
	struct stream_segment asks = {.seq = first[opener] - 1, .flags = RTE_TCP_SYN_FLAG};
	struct stream_segment answer = {.seq = first[!opener] - 1,
		.ack = first[opener],
		.flags = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG};
	struct inspect_account *account = &x->inspect->accounts[x->flow->tenant];

	if (syn || x->flow->partial)
		return; /* the stream meets the SYN itself, or begins anywhere */
	stream_segment(&x->flow->stream, x->inspect->memory, account, 0, &asks, &none, NULL);
	if (x->conn->flags & CONN_FIRST)
		stream_segment(
			&x->flow->stream, x->inspect->memory, account, 1, &answer, &none, NULL);
}

/* Asks the policy for a connection whose beginning was not seen. False: it is not inspected. */
static bool may_begin_midstream(struct inspection *x)
{
	if (x->profile->on[CONFIG_FAILURE_MIDSTREAM] == CONFIG_ON_INSPECT)
		return true;
	if (inspect_failed(x, CONFIG_FAILURE_MIDSTREAM))
		inspect_settle(x);
	else
		x->ends = true;
	return false;
}

/*
 * Nobody has answered the SYN here: the other direction goes another way, or the receiver has
 * another connection with this tuple, of which these bytes would be. In mode prevent that can't be
 * inspected. False: there is no flow to be.
 */
static bool may_begin_unanswered(struct inspection *x)
{
	if (!x->profile->prevent)
		return true;
	if (x->profile->on[CONFIG_FAILURE_MIDSTREAM] == CONFIG_ON_PASS)
		inspect_settle(x);
	else
		x->reason = DROP_inspect_midstream;
	return false;
}

void inspect_begin(struct inspection *x, const struct stream_segment *s)
{
	bool known, partial = !is_opened(x);

	if (!is_wanted(x, s, &known))
		return;
	if (x->profile->revision == 0) {
		if (inspect_failed(x, CONFIG_FAILURE_NO_DATABASE))
			x->conn->settled = 0; /* what follows does not begin at first[] */
		return;
	}
	if (partial && !may_begin_midstream(x))
		return;
	if (!partial && !(x->conn->flags & CONN_FIRST) && !(s->flags & RTE_TCP_SYN_FLAG)) {
		if (!may_begin_unanswered(x))
			return;
		partial = true;
	}
	if (!inspect_make_flow(x, partial)) {
		if (inspect_failed(x, CONFIG_FAILURE_MEMORY))
			inspect_settle(x);
		return;
	}
	x->flow->prober = (uint8_t)x->side;
	x->flow->probing = true;
	give_opening(x, s->flags & RTE_TCP_SYN_FLAG);
	if (known)
		inspect_begin_detect(x);
}
