#include "firewall_log.h"

#include <stdio.h>

#include <rte_malloc.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "counters.h"
#include "sizes.h"

_Static_assert(sizeof(struct firewall_record) % 4 == 0, "elements of a ring are whole words");

/* Denials at a port. */
struct limit {
	uint64_t second; /* start of the second that left counts down in */
	uint32_t serial; /* of the port */
	uint32_t suppressed; /* not told of yet */
	uint16_t left; /* to be told of in this second */
};

struct firewall_log {
	struct rte_ring *ring;
	uint64_t lost;
	struct limit limits[MAX_PORTS];
};

struct firewall_log *firewall_log_create(void)
{
	static unsigned serial;
	struct firewall_log *log = rte_zmalloc("firewall_log", sizeof(*log), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (log == NULL)
		return NULL;
	snprintf(name, sizeof(name), "firewall_log%u", serial++);
	log->ring = rte_ring_create_elem(name, sizeof(struct firewall_record), FIREWALL_LOG_RING,
		SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (log->ring == NULL) {
		rte_free(log);
		return NULL;
	}
	for (unsigned i = 0; i < MAX_PORTS; i++)
		log->limits[i].left = FIREWALL_LOG_PER_SECOND;
	return log;
}

void firewall_log_free(struct firewall_log *log)
{
	if (log == NULL)
		return;
	rte_ring_free(log->ring);
	rte_free(log);
}

static bool put(struct firewall_log *log, struct firewall_record *record)
{
	if (rte_ring_sp_enqueue_elem(log->ring, record, sizeof(*record)) == 0)
		return true;
	counter_add(&log->lost, 1);
	return false;
}

static void hold_back(struct limit *limit)
{
	if (limit->suppressed < UINT32_MAX)
		limit->suppressed++;
}

static void put_denial(struct firewall_log *log, struct firewall_record *record,
	struct limit *limit, uint64_t now, uint64_t hz)
{
	if (now - limit->second >= hz) {
		limit->second = now;
		limit->left = FIREWALL_LOG_PER_SECOND;
	}
	if (limit->left == 0) {
		hold_back(limit);
		return;
	}
	limit->left--;
	record->suppressed = limit->suppressed;
	if (put(log, record))
		limit->suppressed = 0;
	else
		hold_back(limit);
}

void firewall_log_put(struct firewall_log *log, const struct firewall_record *record, uint16_t port,
	uint64_t now, uint64_t hz)
{
	uint32_t serial = port == record->from_port ? record->from_serial : record->to_serial;
	struct limit *limit = &log->limits[port];
	struct firewall_record copy = *record;

	copy.suppressed = 0;
	if (copy.verdict.action == CONFIG_ALLOW) {
		/* Half of the ring is for denials, however many connections a guest opens. */
		if (rte_ring_free_count(log->ring) > FIREWALL_LOG_RING / 2)
			put(log, &copy);
		else
			counter_add(&log->lost, 1);
		return;
	}
	if (limit->serial != serial) /* another port had the id before */
		*limit = (struct limit){
			.serial = serial, .second = now, .left = FIREWALL_LOG_PER_SECOND};
	put_denial(log, &copy, limit, now, hz);
}

unsigned firewall_log_take(struct firewall_log *log, struct firewall_record *records, unsigned n)
{
	return rte_ring_sc_dequeue_burst_elem(log->ring, records, sizeof(*records), n, NULL);
}

uint64_t firewall_log_lost(const struct firewall_log *log)
{
	return counter_read(&log->lost);
}
