/*
 * Which addresses on other hosts are cut off, as workers ask with packets from and to an uplink: by
 * network and address, since one port stands for all that is behind the uplink. As with
 * quarantine_gate.h the deciding packet itself sets it; the control thread's table (quarantine.h)
 * makes it lasting, decides what stands here when a network comes or goes, and lifts it.
 *
 * A fixed table of atomics in buckets of 8: who asks reads one cache line of it, and another where
 * that has the address; nobody waits. Bounds: QUARANTINE_REMOTE_MAX addresses in all,
 * QUARANTINE_REMOTE_NETWORK_MAX of one network, so that no tenant takes all. At the limit no more
 * addresses are cut off: what attacks from there has its connections ended one by one, as at level
 * `flow`, and each is counted (inspect_stats.remote_full) and told of.
 *
 * Networks are indices of the snapshot. IPv4 and IPv6.
 */
#ifndef VS_QUARANTINE_REMOTE_H
#define VS_QUARANTINE_REMOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "config.h"
#include "sizes.h"

#define QUARANTINE_REMOTE_MAX         2048
#define QUARANTINE_REMOTE_NETWORK_MAX 512

/* How many addresses of a network are cut off. */
extern _Atomic uint32_t quarantine_remote_counts[MAX_NETWORKS];

static inline bool quarantine_remote_any(uint16_t network)
{
	return atomic_load_explicit(&quarantine_remote_counts[network], memory_order_relaxed) > 0;
}

/* SERVICE or PORT (the whole host then), or NONE. Any thread. */
enum config_quarantine_level quarantine_remote_level(uint16_t network, struct addr addr);

/* A packet from or to the address was dropped for it. Any thread. */
void quarantine_remote_count_drop(uint16_t network, struct addr addr);

enum quarantine_remote_raised {
	QUARANTINE_REMOTE_NEW, /* it was lower, or not cut off at all */
	QUARANTINE_REMOTE_STANDS, /* at that level or above */
	QUARANTINE_REMOTE_FULL,
};

/* Raises the address to level (SERVICE or PORT), never lowers it. Any thread. */
enum quarantine_remote_raised quarantine_remote_raise(
	uint16_t network, struct addr addr, enum config_quarantine_level level);

/* As if that many of its packets had been dropped here. Any thread. */
void quarantine_remote_add_drops(uint16_t network, struct addr addr, uint64_t packets);

/* What follows is the control thread's. */

/* Sets it to level; NONE takes it out. False: it is full, and nothing has changed. */
bool quarantine_remote_set(uint16_t network, struct addr addr, enum config_quarantine_level level);

/* All of a network are out: it is gone, or another one's. */
void quarantine_remote_clear(uint16_t network);

/* An address that is cut off. */
struct quarantine_remote {
	uint16_t network;
	struct addr addr;
	enum config_quarantine_level level;
	uint64_t drops; /* packets, by workers, since it was cut off or vswitchd started */
};

typedef void quarantine_remote_fn(void *arg, const struct quarantine_remote *remote);

/* Calls fn for each; one may come twice where two workers cut it off at once. fn may call
 * quarantine_remote_set(). */
void quarantine_remote_each(quarantine_remote_fn *fn, void *arg);
uint32_t quarantine_remote_total(void);

/*
 * For who keeps what is cut off somewhere else, too, such as in a map of the kernel. `changed` is
 * called, on the control thread, for each address whose level may have changed, with the level now
 * (NONE: lifted) and `drops` 0; also for what a worker has cut off, as soon as the control thread
 * hears of it (milliseconds), and with NONE for all of a network that goes, before its index can be
 * another's (then it is not to be found any more). What the index stands for: switch_network_at().
 * What is there already when the watcher comes, quarantine_remote_each() tells. Level SERVICE shuts
 * the tenant's inspected services (TCP, as source or destination port); PORT all but what its
 * `allow` lists; ARP, neighbour discovery and what is not IP pass at both. `drops`, may be NULL:
 * packets of the address that were dropped there, for those who list it.
 */
struct quarantine_remote_watcher {
	quarantine_remote_fn *changed;
	uint64_t (*drops)(void *arg, uint16_t network, struct addr addr);
	void *arg;
};

/* Up to QUARANTINE_REMOTE_WATCHERS at a time; kept as it is, not copied. False: too many. */
#define QUARANTINE_REMOTE_WATCHERS 4
bool quarantine_remote_watch(const struct quarantine_remote_watcher *watcher);
void quarantine_remote_unwatch(const struct quarantine_remote_watcher *watcher);

/* Tells watchers how it stands. */
void quarantine_remote_announce(uint16_t network, struct addr addr);

/* Packets of it that were dropped, by workers and by watchers. */
uint64_t quarantine_remote_drops(uint16_t network, struct addr addr);

#endif
