#include "flow_log.h"

#include <stdio.h>

#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "counters.h"
#include "sizes.h"

#define RESERVED (FLOW_LOG_RING / 4) /* for those with alerts */

_Static_assert(sizeof(struct flow_record) % 4 == 0, "elements of a ring are whole words");

/* What a port's connections are told of. */
struct limit {
	uint64_t second; /* start of the second that left counts down in */
	uint32_t serial; /* of the port */
	uint32_t suppressed; /* not told of yet */
	uint16_t left[2]; /* to be told of in this second: without alerts, and with */
};

struct flow_log {
	struct rte_ring *ring;
	uint64_t lost;
	struct limit limits[MAX_PORTS + 1]; /* the last one: of no port */
};

struct flow_log *flow_log_create(void)
{
	static unsigned serial;
	struct flow_log *log = rte_zmalloc("flow_log", sizeof(*log), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (log == NULL)
		return NULL;
	snprintf(name, sizeof(name), "flow_log%u", serial++);
	log->ring = rte_ring_create_elem(name, sizeof(struct flow_record), FLOW_LOG_RING,
		SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (log->ring == NULL) {
		rte_free(log);
		return NULL;
	}
	for (unsigned i = 0; i <= MAX_PORTS; i++)
		log->limits[i].left[0] = log->limits[i].left[1] = FLOW_LOG_PER_SECOND;
	return log;
}

void flow_log_free(struct flow_log *log)
{
	if (log == NULL)
		return;
	rte_ring_free(log->ring);
	rte_free(log);
}

/* The limit that the record's opener is under, brought up to now. */
static struct limit *limit_of(
	struct flow_log *log, const struct flow_record *record, uint64_t now, uint64_t hz)
{
	uint16_t port = record->port[record->opener];
	uint32_t serial = record->serial[record->opener];
	struct limit *limit = &log->limits[port < MAX_PORTS ? port : MAX_PORTS];

	if (limit->serial != serial) /* another port had the id before */
		*limit = (struct limit){.serial = serial, .second = now - hz};
	if (now - limit->second >= hz) {
		limit->second = now;
		limit->left[0] = limit->left[1] = FLOW_LOG_PER_SECOND;
	}
	return limit;
}

void flow_log_put(struct flow_log *log, const struct flow_record *record, uint64_t now, uint64_t hz)
{
	struct limit *limit = limit_of(log, record, now, hz);
	unsigned least = record->alerted ? 0 : RESERVED;
	struct flow_record copy = *record;

	copy.suppressed = limit->suppressed;
	if (limit->left[record->alerted] == 0) {
		limit->suppressed += limit->suppressed < UINT32_MAX;
		return;
	}
	limit->left[record->alerted]--;
	if (rte_ring_free_count(log->ring) > least &&
		rte_ring_sp_enqueue_elem(log->ring, &copy, sizeof(copy)) == 0) {
		limit->suppressed = 0;
		return;
	}
	counter_add(&log->lost, 1);
	limit->suppressed += limit->suppressed < UINT32_MAX;
}

unsigned flow_log_take(struct flow_log *log, struct flow_record *records, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(log->ring, records, sizeof(*records), n, NULL);
}

uint64_t flow_log_lost(const struct flow_log *log)
{
	return counter_read(&log->lost);
}
