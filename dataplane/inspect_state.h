/*
 * What inspection's modules (inspect*.c) share, and nobody else: a worker's inspection, an
 * inspected connection, and a packet of one while it is looked at. Its worker.
 */
#ifndef VS_INSPECT_STATE_H
#define VS_INSPECT_STATE_H

#include <rte_ring.h>

#include "detect.h"
#include "fanout.h"
#include "firewall_state.h"
#include "flow_log.h"
#include "inspect.h"
#include "inspect_clock.h"
#include "stream.h"

#define INSPECT_PROBE 8u /* bytes that always tell whether a connection is SMB */

/* Sides of a flow: 0 is who opened the connection. */
struct inspect_flow {
	struct stream stream;
	uint32_t slot; /* in inspect.flows */
	uint32_t conn; /* index in the table */
	uint16_t tenant; /* index */
	uint16_t port; /* id: the opener's */
	bool probing; /* not known to be SMB yet; detect is not begun */
	bool partial; /* its opening was not seen */
	bool alerted;
	bool passed; /* by policy from here on */
	uint8_t strays; /* segments from before what was seen of it */
	uint8_t heard; /* bit 1 << side: a remote side that is proven to be at its address */
	bool behind; /* its rules had been replaced when it was met last */
	uint8_t prober; /* side that sent first */
	uint8_t n_probe;
	uint8_t probe[INSPECT_PROBE];
	uint32_t failures; /* that were told of, a bit 1 << enum config_failure each */
	bool dropped, ended; /* packets of it were; it was itself, by what was found */
	uint64_t since, last; /* worker.now when it began, and at its last packet */
	uint64_t bytes[2], packets[2];
	struct detect_flow detect;
};

/* Work that somebody causes, in cycles: rises with it, falls with time. */
struct inspect_meter {
	uint64_t level, when;
};

struct inspect {
	struct worker *w;
	struct inspect_memory *memory;
	struct inspect_log *log;
	struct flow_log *flow_log;
	struct rule_xbits *xbits;
	struct rule_counts *counts;
	struct fanout *fanout; /* of the ports whose home this is */
	struct rte_ring *fanout_ring; /* struct fanout_message, of any worker */
	uint64_t next_expiry; /* of fanout */
	bool timed;
	struct inspect_clock clock;
	struct inspect_stats stats;
	uint32_t n_flows, max_flows;
	uint32_t n_free, *free; /* slots */
	uint32_t walk; /* slot where the way over all flows goes on */
	uint64_t next_walk;
	uint64_t met; /* serial of the snapshot that the last way was for */
	bool aged; /* the way at hand is that of next_walk */
	struct inspect_flow **flows; /* by slot; NULL: free */
	/* Flows by who opened them. One port may have a quarter of the slots, one tenant three. */
	uint32_t of_port[MAX_PORTS], of_tenant[CONFIG_TENANTS_MAX];
	struct inspect_account accounts[CONFIG_TENANTS_MAX];
	struct inspect_meter tenants[CONFIG_TENANTS_MAX];
	struct inspect_meter ports[MAX_PORTS];
};

/* A packet at hand. */
struct inspection {
	struct worker *w;
	struct inspect *inspect;
	const struct inspect_profile *profile;
	const struct port *from, *to;
	struct firewall_packet *packet;
	struct conn *conn;
	struct inspect_flow *flow; /* NULL: not begun */
	unsigned side; /* of the flow, that sent it */
	uint32_t epoch; /* of both ports: the later port.inspect_epoch */
	uint64_t fed; /* bytes of that side that were looked at before */
	int reason; /* to drop it, or -1 */
	bool ends; /* and its connection with it */
	uint64_t start; /* rte_rdtsc() when work on it began; 0: there is none yet, nor a context */
	struct detect_context context;
};

/* The flow's side 0 is this side of the connection's key. */
static inline unsigned inspect_opener(const struct conn *conn)
{
	return conn->flags & CONN_OPENER;
}

static inline unsigned inspect_key_side(const struct conn *conn, unsigned side)
{
	return side ^ inspect_opener(conn);
}

/* inspect_which.c: what a segment says of the connection's beginning, while there is no flow;
 * STREAM_PASS where nothing is wrong with it. */
enum stream_verdict inspect_note(struct inspection *x, const struct stream_segment *s);
/* Begins a flow with the first segment that has data. x->flow stays NULL where none is to be. */
void inspect_begin(struct inspection *x, const struct stream_segment *s);
/* Passed by policy: it is not looked at any more. */
void inspect_settle(struct inspection *x);
/* Its first bytes, sent by that side of the key, are no SMB: as inspect_settle() once the other has
 * taken them. */
void inspect_not_smb(struct inspection *x, unsigned by);

/* inspect_flow.c: x's flow. False: there is no memory. partial: its beginning was not seen. */
bool inspect_make_flow(struct inspection *x, bool partial);
/* It is to be held against SMB. */
void inspect_begin_detect(struct inspection *x);
/* Gives back all that flow holds; reason: for the event, why. */
void inspect_flow_end(struct inspect *inspect, struct inspect_flow *flow, const char *reason);
/* The connection of a flow is no more: conns_on_end(). */
void inspect_conn_ended(void *arg, const struct conn *conn, enum conn_end end);

/* inspect_verdict.c: detect_context.found. */
void inspect_found(void *arg, const struct detect_finding *finding);
/* Tells of a flow that ends. */
void inspect_tell_flow(struct inspect *inspect, const struct inspect_flow *flow,
	const struct conn *conn, const char *reason);
/* What TCP reassembly holds against the segment, other than what the handler said. */
void inspect_stream_verdict(struct inspection *x, enum stream_verdict verdict);
/* Its checksum is wrong: told as an evasion, and dropped in mode prevent. */
void inspect_bad_checksum(struct inspection *x);
/* Asks the policy for failure: sets x's reason where it is to drop. True where it is to pass. */
bool inspect_failed(struct inspection *x, enum config_failure failure);
/* Tells of what a port's fan-out has come to, and cuts it off where it is a worm. */
void inspect_fanout_verdict(
	struct inspect *inspect, const struct port *port, enum fanout_state state);

/* inspect_reset.c: resets both ends of x's connection. */
void inspect_reset_both(struct inspection *x);

/* inspect_window.c: makes the window that x's packet offers no larger than what is kept. */
void inspect_window_bound(struct inspection *x);

/* inspect_fanout.c */
void inspect_fanout_post(
	struct worker *w, const struct port *port, enum fanout_event event, struct addr target);
void inspect_fanout_segment(struct inspection *x);
bool inspect_fanout_chores(struct inspect *inspect);

#endif
