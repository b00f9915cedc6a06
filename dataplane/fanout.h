/*
 * How many hosts a guest tries to reach at inspected services, and how many of them fail: what
 * marks a worm even when its payload is new. By port, over a window that slides; after the
 * thresholds of public detections (Zeek's scan scripts, Snort's port_scan, Emerging Threats
 * 2001569): only what failed counts against a guest, so that file and backup servers stay quiet. A
 * port's counts belong to one worker, its network's home; others post to it. No lock, no allocation
 * after creation.
 *
 * A target is an address. Its latest outcome holds for a window: failed (refused, or nobody
 * answered for FANOUT_ANSWER_S seconds), answered (until the window is over nothing more can fail
 * there: one of two services that is closed is no failure), or detected. An address that was only
 * looked up is no target until nobody has answered: where nobody lives no SYN is ever sent, so in a
 * subnet of few hosts unresolved addresses are what a worm is seen by. A lookup may be for
 * anything, though, also to answer a stranger who sends from an address that is not there: beside a
 * SYN to a service all of them count towards an alert, but towards a worm only as many as there are
 * hosts at which SYNs failed. So nobody makes a worm of a guest whose own SYNs are answered.
 *
 * Bounds: FANOUT_TARGETS targets a port. When they are full, an answered one gives way to what is
 * new, the oldest first; a lookup also to a SYN, and anything but another detected one to a
 * detected one. Else the new one is not taken in, so that no flood pushes out what is about to
 * fail. FANOUT_PORTS ports have targets at a time: the port that was heard of least recently gives
 * its own away for a SYN or a finding of another, never for a lookup.
 */
#ifndef VS_FANOUT_H
#define VS_FANOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "config.h"
#include "fanout_targets.h"
#include "sizes.h"

#define FANOUT_PORTS    256 /* ports of a worker that have targets at a time */
#define FANOUT_ANSWER_S 3 /* by when a try must be answered */

/* An answer or a refusal counts only for what the guest has tried, so nobody can bring it into
 * quarantine by sending it some. */
enum fanout_event {
	FANOUT_ATTEMPT, /* SYN to an inspected service, repeats too */
	/* ARP request or neighbour solicitation for an address, repeats too; not those for the
	 * sender's own address (probes, announcements, duplicate address detection). */
	FANOUT_LOOKUP,
	FANOUT_ANSWERED, /* SYN/ACK */
	FANOUT_FOUND, /* ARP reply, neighbour advertisement: ends a lookup and says nothing of
			 services */
	FANOUT_REFUSED, /* RST instead, or ICMP unreachable, or our own rules denied it */
	FANOUT_DETECTED, /* an invariant or rule hit on a connection to that host */
};

struct fanout_message {
	uint16_t port; /* the guest that tries */
	uint16_t event; /* enum fanout_event */
	uint32_t serial; /* of the port */
	struct addr target;
};

/*
 * WORM, within window_s: (a) at least `hosts` targets of which at least failed_percent failed, (b)
 * at least `attempts` SYNs that were not answered and at least `failed` targets failed, or (c)
 * `detected` targets with findings. ALERT: the same at half of hosts, attempts, failed and
 * detected, rounded up. A limit of 0 turns its rule off, (b) by attempts; hosts and detected beyond
 * FANOUT_TARGETS count as that.
 */
enum fanout_state { FANOUT_QUIET, FANOUT_ALERT, FANOUT_WORM };

struct fanout; /* one of a worker: of the ports whose home it is */

/* hz: cycles a second. All of its memory is touched. NULL: no memory. Control thread. */
struct fanout *fanout_create(uint64_t hz);
void fanout_free(struct fanout *fanout);

/*
 * The owner takes a message in. now: its cycles; they never go back. limits: the tenant's, of which
 * `on` may be false: then nothing is counted. Returns what the port has just come to: each state
 * above quiet is told of once in a window, and ALERT not after WORM. Any other time FANOUT_QUIET. A
 * message of a port that had the id before is passed over.
 */
enum fanout_state fanout_note(struct fanout *fanout, const struct fanout_message *message,
	const struct config_fanout *limits, uint64_t now);

/* Of a port, or NULL where nothing of it is to be counted any more. */
typedef const struct config_fanout *fanout_limits_fn(void *arg, uint16_t port, uint32_t serial);
typedef void fanout_told_fn(void *arg, uint16_t port, enum fanout_state state);

/* Attempts that nobody has answered in time count as failed. The owner, about once a second, at
 * most `budget` ports a call; calls `told` for each port that has come to something. True where
 * ports are left that this round has not come to. */
bool fanout_expire(struct fanout *fanout, uint64_t now, unsigned budget,
	fanout_limits_fn *limits_of, fanout_told_fn *told, void *arg);

/* What a port's counts were at its last message or expiry, for events. The owner. */
struct fanout_counts {
	unsigned hosts; /* tried, and looked up in vain */
	unsigned failed_hosts;
	unsigned attempts; /* SYNs that were not answered */
	unsigned detected_hosts;
};
void fanout_counts(const struct fanout *fanout, uint16_t port, struct fanout_counts *counts);

#endif
