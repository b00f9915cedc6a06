#include "inspect_log.h"

#include <stdio.h>

#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "counters.h"
#include "sizes.h"

#define RESERVED (INSPECT_LOG_RING / 4) /* of the ring, for quarantines alone */

_Static_assert(sizeof(struct inspect_record) % 4 == 0, "elements of a ring are whole words");

/* Alerts of a port. */
struct limit {
	uint64_t second; /* start of the second that left counts down in */
	uint32_t serial; /* of the port whose alerts these are */
	uint32_t suppressed; /* not told of yet */
	uint16_t left; /* to be told of in this second */
};

struct inspect_log {
	struct rte_ring *ring;
	uint64_t lost;
	uint16_t asked; /* the port that inspect_log_wants() said yes for */
	struct limit limits[MAX_PORTS + 1]; /* the last one: of no port */
};

struct inspect_log *inspect_log_create(void)
{
	static unsigned serial;
	struct inspect_log *log = rte_zmalloc("inspect_log", sizeof(*log), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (log == NULL)
		return NULL;
	snprintf(name, sizeof(name), "inspect_log%u", serial++);
	log->ring = rte_ring_create_elem(name, sizeof(struct inspect_record), INSPECT_LOG_RING,
		SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (log->ring == NULL) {
		rte_free(log);
		return NULL;
	}
	log->asked = MAX_PORTS;
	for (unsigned i = 0; i <= MAX_PORTS; i++)
		log->limits[i].left = INSPECT_LOG_PER_SECOND;
	return log;
}

static void free_packets(const struct inspect_record *record)
{
	rte_pktmbuf_free(record->packet);
	rte_pktmbuf_free(record->before);
}

void inspect_log_free(struct inspect_log *log)
{
	struct inspect_record record;

	if (log == NULL)
		return;
	while (inspect_log_take(log, &record, 1) == 1)
		free_packets(&record);
	rte_ring_free(log->ring);
	rte_free(log);
}

static struct limit *limit_of(struct inspect_log *log, uint16_t port)
{
	return &log->limits[port < MAX_PORTS ? port : MAX_PORTS];
}

static void hold_back(struct limit *limit)
{
	if (limit->suppressed < UINT32_MAX)
		limit->suppressed++;
}

bool inspect_log_wants(
	struct inspect_log *log, uint16_t port, bool quarantined, uint64_t now, uint64_t hz)
{
	struct limit *limit = limit_of(log, port);

	log->asked = port < MAX_PORTS ? port : MAX_PORTS;
	if (quarantined)
		return true;
	if (now - limit->second >= hz) {
		limit->second = now;
		limit->left = INSPECT_LOG_PER_SECOND;
	}
	if (limit->left > 0 && rte_ring_free_count(log->ring) > RESERVED)
		return true;
	if (limit->left > 0)
		counter_add(&log->lost, 1);
	hold_back(limit);
	return false;
}

/* Whose alerts were held back: another port that had the id before left none behind. */
static void meet(struct limit *limit, uint16_t port, const struct inspect_record *record)
{
	for (unsigned side = 0; side < 2; side++) {
		if (record->port[side] != port || record->serial[side] == limit->serial)
			continue;
		limit->suppressed = 0;
		limit->serial = record->serial[side];
		return;
	}
}

void inspect_log_put(struct inspect_log *log, const struct inspect_record *record)
{
	struct limit *limit = &log->limits[log->asked];
	struct inspect_record copy = *record;

	meet(limit, log->asked, record);
	if (!copy.quarantined) { /* nobody keeps them: they need not hold buffers until read */
		free_packets(&copy);
		copy.packet = copy.before = NULL;
		if (limit->left > 0)
			limit->left--;
	}
	copy.suppressed = limit->suppressed;
	if (rte_ring_sp_enqueue_elem(log->ring, &copy, sizeof(copy)) == 0) {
		limit->suppressed = 0;
		return;
	}
	free_packets(&copy);
	counter_add(&log->lost, 1);
	hold_back(limit);
}

unsigned inspect_log_take(struct inspect_log *log, struct inspect_record *records, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(log->ring, records, sizeof(*records), n, NULL);
}

uint64_t inspect_log_lost(const struct inspect_log *log)
{
	return counter_read(&log->lost);
}
