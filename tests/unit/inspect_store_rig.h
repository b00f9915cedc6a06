/*
 * For tests of inspect_store.h: workers without threads, which meet a snapshot when the test says
 * so, and nothing else of a switch.
 */
#ifndef VS_INSPECT_STORE_RIG_H
#define VS_INSPECT_STORE_RIG_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_rcu_qsbr.h>

#include "inspect_store.h"
#include "snapshot.h"
#include "worker.h"

#define RIG_WORKERS 2

static struct {
	unsigned changed;
	uint64_t serial;
} rig;

/* As the switch does when profiles have changed. */
static inline void rig_publish(void)
{
	struct snapshot *next = calloc(1, sizeof(*next));

	next->serial = ++rig.serial;
	free((void *)(uintptr_t)snapshot_publish(next));
	inspect_store_published();
}

static inline void rig_changed(void)
{
	rig.changed++;
	rig_publish();
}

/* Worker w goes round once. */
static inline void rig_meet(unsigned w)
{
	workers[w]->met = rig.serial;
}

static inline uint16_t rig_tenant_index(const char *tenant)
{
	return (uint16_t)(tenant[0] - 'a');
}

static inline void rig_open(void)
{
	memset(&rig, 0, sizeof(rig));
	worker_rcu = aligned_alloc(64, (rte_rcu_qsbr_get_memsize(MAX_WORKERS + 1) + 63) & ~63ul);
	rte_rcu_qsbr_init(worker_rcu, MAX_WORKERS + 1);
	n_workers = RIG_WORKERS;
	for (unsigned w = 0; w < n_workers; w++) {
		workers[w] = aligned_alloc(64, sizeof(struct worker));
		memset(workers[w], 0, sizeof(struct worker));
		workers[w]->index = (uint16_t)w;
		workers[w]->core = (uint16_t)(w + 1);
		workers[w]->hz = 2000000000;
	}
}

static inline void rig_close(void)
{
	free((void *)(uintptr_t)snapshot_publish(NULL));
	for (unsigned w = 0; w < n_workers; w++)
		free(workers[w]);
	n_workers = 0;
	free(worker_rcu);
	worker_rcu = NULL;
}

#endif
