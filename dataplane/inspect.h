/*
 * Inspection's part in a packet's way: which TCP connections are held against their tenant's rules
 * and invariants, what comes of it, and who is cut off. Called by the firewall once a packet is
 * allowed, and by forwarding for what quarantine forbids.
 *
 * A connection is inspected from its first bytes on: on the tenant's services always, on any other
 * port where its first bytes are SMB. Its bytes are put in order (stream.h) and looked at
 * (detect.h) before they are forwarded. In mode `detect` the same is done and told, and nothing is
 * held back.
 *
 * A struct inspect belongs to its worker, which alone calls the functions that take one, but for
 * those that say otherwise.
 */
#ifndef VS_INSPECT_H
#define VS_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "firewall.h"
#include "inspect_log.h"
#include "inspect_memory.h"
#include "inspect_profile.h"
#include "quarantine_gate.h"
#include "quarantine_remote.h"

struct inspect_stats {
	uint64_t flows; /* connections that were inspected, ever */
	uint64_t bytes; /* of payload */
	uint64_t segments;
	uint64_t alerts; /* told of or not */
	uint64_t ended; /* connections that it ended */
	uint64_t quarantines;
	uint64_t
		remote_unproven; /* addresses on other hosts not cut off: not proven to be theirs */
	uint64_t remote_full; /* or quarantine_remote.h had no room */
	uint64_t evasions; /* overlaps with other bytes, urgent data and the like */
	uint64_t failures[CONFIG_FAILURES]; /* times that each policy was asked */
	uint64_t fanout_lost; /* what another worker should have counted, whose ring was full */
};

/*
 * For worker w, with its firewall's connections: room for `flows` connections under inspection and
 * `bytes` of memory for what they keep. timed: work is bounded by the clock, which
 * a replay does without. NULL: no memory. Control thread, before a snapshot asks for inspection.
 */
struct inspect *inspect_create(struct worker *w, uint32_t flows, uint64_t bytes, bool timed);
/* Control thread, when its worker is gone. NULL is none. */
void inspect_free(struct inspect *inspect);

/* For the control thread to read. */
const struct inspect_stats *inspect_stats_of(const struct inspect *inspect);
const struct inspect_memory *inspect_memory_of(const struct inspect *inspect);
/* Times that a tenant's limit of memory stood in the way, in all. */
uint64_t inspect_limit_refused(const struct inspect *inspect);
struct inspect_log *inspect_log_of(struct worker *w); /* NULL: nothing is inspected */
struct flow_log *inspect_flow_log(struct worker *w); /* as above */

/* "midstream", "no-database", ...: as the configuration and events name it. */
const char *inspect_failure_name(enum config_failure failure);

/* conn.settled of a connection between two ports of one tenant that is not to be inspected. */
static inline uint32_t inspect_settled(const struct port *from, const struct port *to)
{
	return RTE_MAX(from->inspect_epoch, to->inspect_epoch);
}

/*
 * A packet of packet->conn that the firewall lets pass, between two ports of one tenant, which has
 * a profile. Returns -1, or why it must not pass.
 */
int inspect_packet(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet);

/* Whether a quarantine stands that may be about packets between the two; to may be NULL. */
static inline bool inspect_gate_concerns(const struct port *from, const struct port *to)
{
	uint8_t level = quarantine_level(from->id) | (to != NULL ? quarantine_level(to->id) : 0);

	return unlikely(level != CONFIG_QUARANTINE_NONE) ||
	       (unlikely(from->remote || (to != NULL && to->remote)) &&
		       quarantine_remote_any(from->network));
}

/* What quarantine goes by at a port with this profile, which may be NULL: its tenant's services and
 * what that allows, or those of who has no inspection. Any thread. */
const struct inspect_profile *inspect_gate_profile(const struct inspect_profile *inspect);

/*
 * Whether quarantine forbids the packet, of either port or, behind an uplink's, of the address that
 * it comes from or goes to: a slow path, asked where one stands. to NULL: the sender's part in a
 * frame for many.
 */
bool inspect_gate_forbids(
	const struct port *from, const struct port *to, struct firewall_packet *packet);

/* The higher level of both ends of an IP packet. */
uint8_t inspect_gate_level(
	const struct port *from, const struct port *to, const struct firewall_packet *packet);

/* The packet is dropped for that: counted for the address that it was for. Returns the reason. */
int inspect_gate_drop(
	const struct port *from, const struct port *to, const struct firewall_packet *packet);

/* -1, or quarantined; as inspect_gate_forbids(). */
static inline int inspect_gate(
	const struct port *from, const struct port *to, struct firewall_packet *packet)
{
	if (likely(!inspect_gate_concerns(from, to)) || !inspect_gate_forbids(from, to, packet))
		return -1;
	return inspect_gate_drop(from, to, packet);
}

/*
 * Whether inspection forbids a frame for many, by a tenant's port that has a profile: payload on an
 * inspected service. It has no connection whose stream it could be held against, and a receiver
 * whose MAC nobody knows would take it all the same. It is stream_invalid.
 */
bool inspect_flood_forbids(const struct port *from, struct firewall_packet *packet);

/* Fan-out: what may be from asking who has an address (ARP, neighbour solicitation), and an answer
 * to `to`. */
void inspect_lookup(
	struct worker *w, const struct port *from, const struct firewall_packet *packet);
void inspect_neighbour(
	struct worker *w, const struct port *to, const struct firewall_packet *packet);

/* from tried to open a connection to a service, and its rules or the receiver's deny it. */
void inspect_denied(
	struct worker *w, const struct port *from, const struct firewall_packet *packet);

/* Messages and timeouts, in pieces. True where more is to do. */
bool inspect_chores(struct worker *w);

#endif
