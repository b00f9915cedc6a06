/*
 * What is wrong with the bytes of one connection: SMB framing and invariants (rules/smb_flow.h) and
 * a tenant's rules (rules/rule_*.h), record by record. Fed in order by who reassembles; tells its
 * findings, and says whether what was fed may go on. Knows no ports, no tenants, no packets' ways.
 *
 * A struct detect_flow is its connection's, its worker's. No allocation: blocks come from
 * inspect_memory, Hyperscan's streams from the engine's pools.
 */
#ifndef VS_DETECT_H
#define VS_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "detect_engine.h"
#include "inspect_memory.h"
#include "rule_bind.h"
#include "rule_bits.h"
#include "rule_count.h"
#include "rule_packet.h"
#include "smb_flow.h"

/* What a finding asks for. In the order of gravity. */
enum detect_action {
	DETECT_ALERT,
	DETECT_DROP, /* the connection ends */
	DETECT_REJECT, /* and both ends are told */
	DETECT_QUARANTINE, /* the connection ends and the culprit is cut off */
};

enum detect_kind {
	DETECT_RULE,
	DETECT_INVARIANT,
	DETECT_FOREIGN_SHARE, /* a tree connect names another host than it goes to; value: which */
	DETECT_FAILURE, /* something was not inspected; what then is the tenant's policy */
};

struct detect_finding {
	enum detect_kind kind;
	enum detect_action action; /* of a failure: alert; the policy is the caller's */
	const struct rule *rule; /* DETECT_RULE; as long as its ruleset */
	enum smb_detection invariant; /* DETECT_INVARIANT */
	enum config_failure failure; /* DETECT_FAILURE */
	bool alert; /* to be told of: not noalert, suppressed, or above a threshold */
	bool file_content; /* it is about what a file holds, not about who moves it */
	unsigned side; /* who sent the bytes: 0 or 1, as fed */
	unsigned culprit; /* side */
	uint32_t offset; /* in the record where it ends or begins; its NetBIOS header is 0 to 3 */
	uint64_t position; /* of the record's first byte in the side's stream, since the flow began
			    */
	uint64_t value; /* of an invariant: what gave it away */
	const uint8_t *bytes; /* of the record, from its beginning, as far as they are there */
	uint32_t len;
};

/* What the caller lends for one packet. */
struct detect_context {
	struct detect_engine *engine; /* of the tenant's rules, this worker's; NULL: no rules yet */
	const struct rule_bind *bind; /* of the same rules; NULL with engine */
	struct inspect_memory *memory;
	struct inspect_account *account;
	struct rule_xbits *xbits; /* this worker's */
	struct rule_counts *counts;
	uint64_t now_s;
	uint64_t flow; /* tells connections apart, for thresholds */
	uint64_t deadline; /* rte_rdtsc() at which this packet's work must end; 0: never */
	bool begins; /* it was set just now: the clock is not looked at again for the first bytes */
	/* Asked when that is past: true where time went by without work, and deadline is another
	 * one now. NULL: it never does. */
	bool (*extended)(void *arg);
	/* While it feeds: must not touch the flow. */
	void (*found)(void *arg, const struct detect_finding *finding);
	void *arg;
};

/* The connection's ends, side 0 first: the one that opened it. */
struct detect_ends {
	struct addr addr[2];
	uint16_t port[2];
};

/* enum config_failure bits: what of this the tenant's policy lets pass. Others end the flow. */
typedef uint32_t detect_passes;

enum detect_result {
	DETECT_GO_ON,
	DETECT_STOP, /* a finding drops, or what could not be inspected must not pass */
};

#include "detect_state.h" /* struct detect_flow */

/* flags: SMB_FLOW_*. */
void detect_flow_init(struct detect_flow *flow, const struct detect_ends *ends, unsigned flags,
	detect_passes passes);

/* The tenant's policies have changed, or are told anew with each packet. */
static inline void detect_flow_let_pass(struct detect_flow *flow, detect_passes passes)
{
	flow->passes = passes;
}

/* Gives blocks and streams back. */
void detect_flow_end(struct detect_flow *flow, const struct detect_context *context);

/*
 * Whether rules that look at no data may fit the packet: where none does, and it has no bytes,
 * detect_packet() needs neither deadline nor anything else of the context, and engine may be NULL.
 */
bool detect_packet_matters(const struct detect_flow *flow, const struct detect_engine *engine,
	unsigned side, const struct rule_packet *packet);

/*
 * A packet of the connection, before its bytes are fed: what flow, flags and dsize of rules will
 * see for them; rules that look at nothing else are decided here.
 */
enum detect_result detect_packet(struct detect_flow *flow, const struct detect_context *context,
	unsigned side, const struct rule_packet *packet);

/* The next len bytes of side's stream. */
enum detect_result detect_feed(struct detect_flow *flow, const struct detect_context *context,
	unsigned side, const uint8_t *bytes, uint32_t len);

/* Bytes of side are missing: rules and invariants that need them stay silent. */
void detect_gap(struct detect_flow *flow, const struct detect_context *context, unsigned side);

/* Whether the flow still uses another engine than the context's: in the middle of a record or file.
 */
bool detect_flow_is_behind(const struct detect_flow *flow, const struct detect_context *context);

/*
 * Gives up what is left of such records and files: the rest of a record is framed, but not held
 * against rules; a file begins anew with its next bytes.
 */
void detect_flow_abandon(struct detect_flow *flow, const struct detect_context *context);

/* Whether a rule with `bypass` matched: the caller lets the rest of the connection go. */
bool detect_flow_bypassed(const struct detect_flow *flow);

/* The side that is SMB's client, as far as that is known: else the one that opened. */
unsigned detect_flow_client(const struct detect_flow *flow);

/* Whether SMB was recognised, and so what the connection is. */
bool detect_flow_is_smb(const struct detect_flow *flow);

#endif
