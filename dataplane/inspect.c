#include "inspect.h"

#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "inspect_state.h"

#define XBITS       65536 /* bits of addresses set at a time, of one worker */
#define COUNTS      65536 /* counts of thresholds at a time, of one worker */
#define FANOUT_RING 4096 /* messages to one worker */
#define WALKS       5 /* seconds between two ways over all flows */
#define WALK_BUDGET 64 /* flows looked at in one pass */

/* How what is beside the flows is shared out. */
#define PERCENT_PAGES 50
#define PERCENT_SMALL 20
#define PERCENT_LARGE 30

static struct inspect_memory *make_memory(uint32_t flows, uint64_t bytes)
{
	const uint32_t counts[INSPECT_BLOCKS] = {
		[INSPECT_PAGE] = (uint32_t)(bytes * PERCENT_PAGES / 100 / INSPECT_PAGE_SIZE) + 1,
		[INSPECT_SMALL] = (uint32_t)(bytes * PERCENT_SMALL / 100 / INSPECT_SMALL_SIZE) + 1,
		[INSPECT_LARGE] = (uint32_t)(bytes * PERCENT_LARGE / 100 / INSPECT_LARGE_SIZE) + 1,
		[INSPECT_FLOW] = flows,
	};

	return inspect_memory_create(counts, sizeof(struct inspect_flow));
}

_Static_assert(sizeof(struct inspect_flow) <= INSPECT_FLOW_BYTES, "what is set aside for it");

static bool make_slots(struct inspect *inspect, uint32_t flows)
{
	inspect->flows = calloc(flows, sizeof(struct inspect_flow *));
	inspect->free = calloc(flows, sizeof(uint32_t));
	if (inspect->flows == NULL || inspect->free == NULL)
		return false;
	inspect->max_flows = inspect->n_free = flows;
	for (uint32_t i = 0; i < flows; i++)
		inspect->free[i] = flows - 1 - i;
	return true;
}

static bool make_rings(struct inspect *inspect)
{
	static unsigned serial;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "fanout%u", serial++);
	inspect->fanout_ring = rte_ring_create_elem(name, sizeof(struct fanout_message),
		FANOUT_RING, SOCKET_ID_ANY, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	inspect->fanout = fanout_create(inspect->w->hz);
	inspect->log = inspect_log_create();
	inspect->flow_log = flow_log_create();
	return inspect->fanout_ring != NULL && inspect->fanout != NULL && inspect->log != NULL &&
	       inspect->flow_log != NULL;
}

struct inspect *inspect_create(struct worker *w, uint32_t flows, uint64_t bytes, bool timed)
{
	struct inspect *inspect = calloc(1, sizeof(*inspect));

	if (inspect == NULL)
		return NULL;
	inspect->w = w;
	inspect->timed = timed;
	inspect->memory = make_memory(flows, bytes);
	inspect->xbits = rule_xbits_create(XBITS);
	inspect->counts = rule_counts_create(COUNTS);
	if (inspect->memory == NULL || inspect->xbits == NULL || inspect->counts == NULL ||
		!make_slots(inspect, flows) || !make_rings(inspect)) {
		inspect_free(inspect);
		return NULL;
	}
	conns_on_end(w->firewall->conns, inspect_conn_ended, inspect);
	return inspect;
}

void inspect_free(struct inspect *inspect)
{
	if (inspect == NULL)
		return;
	inspect->w->snapshot = NULL; /* what it met last may be gone */
	for (uint32_t i = 0; inspect->flows != NULL && i < inspect->max_flows; i++)
		if (inspect->flows[i] != NULL)
			inspect_flow_end(inspect, inspect->flows[i], "stopped");
	if (inspect->w->firewall != NULL)
		conns_on_end(inspect->w->firewall->conns, NULL, NULL);
	rte_ring_free(inspect->fanout_ring);
	fanout_free(inspect->fanout);
	inspect_log_free(inspect->log);
	flow_log_free(inspect->flow_log);
	rule_xbits_free(inspect->xbits);
	rule_counts_free(inspect->counts);
	inspect_memory_free(inspect->memory);
	free(inspect->flows);
	free(inspect->free);
	free(inspect);
}

const struct inspect_stats *inspect_stats_of(const struct inspect *inspect)
{
	return &inspect->stats;
}

const struct inspect_memory *inspect_memory_of(const struct inspect *inspect)
{
	return inspect->memory;
}

uint64_t inspect_limit_refused(const struct inspect *inspect)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < CONFIG_TENANTS_MAX; i++)
		n += counter_read(&inspect->accounts[i].refused);
	return n;
}

struct inspect_log *inspect_log_of(struct worker *w)
{
	struct inspect *inspect = __atomic_load_n(&w->inspect, __ATOMIC_ACQUIRE);

	return inspect != NULL ? inspect->log : NULL;
}

struct flow_log *inspect_flow_log(struct worker *w)
{
	struct inspect *inspect = __atomic_load_n(&w->inspect, __ATOMIC_ACQUIRE);

	return inspect != NULL ? inspect->flow_log : NULL;
}

/* The tenant's profile today; NULL: it is not inspected any more, or its ports are gone. */
static const struct inspect_profile *profile_of(
	const struct inspect *inspect, const struct inspect_flow *flow)
{
	const struct conn *conn = conn_table_at(inspect->w->firewall->table, flow->conn);

	for (unsigned i = 0; i < 2; i++) {
		const struct port *port = inspect->w->snapshot->ports[conn->port[i]];

		if (port != NULL && port->inspect != NULL)
			return port->inspect;
	}
	return NULL;
}

/*
 * Ends a flow that is to be inspected no more. aged: WALKS have passed since the last time: a
 * connection that is silent in the middle of a record must not keep old rules for ever.
 */
static void look_after(struct inspect *inspect, struct inspect_flow *flow, bool aged)
{
	const struct inspect_profile *profile = profile_of(inspect, flow);
	struct detect_context context = {
		.memory = inspect->memory,
		.account = &inspect->accounts[flow->tenant],
	};

	if (profile == NULL) {
		inspect_flow_end(inspect, flow, "off");
		return;
	}
	if (flow->probing || !aged)
		return;
	context.engine = profile->engines[inspect->w->index];
	context.bind = profile->bind;
	if (!detect_flow_is_behind(&flow->detect, &context)) {
		flow->behind = false;
	} else if (flow->behind) {
		detect_flow_abandon(&flow->detect, &context);
		flow->behind = false;
	} else {
		flow->behind = true;
	}
}

static bool walk(struct inspect *inspect)
{
	struct worker *w = inspect->w;

	if (inspect->n_flows == 0) {
		inspect->walk = 0;
		inspect->met = w->snapshot->serial;
		return false;
	}
	if (inspect->walk == 0) {
		inspect->aged = w->now >= inspect->next_walk;
		if (!inspect->aged && inspect->met == w->snapshot->serial)
			return false;
		inspect->met = w->snapshot->serial;
	}
	for (unsigned i = 0; i < WALK_BUDGET && inspect->walk < inspect->max_flows; i++) {
		struct inspect_flow *flow = inspect->flows[inspect->walk++];

		if (flow != NULL)
			look_after(inspect, flow, inspect->aged);
	}
	if (inspect->walk < inspect->max_flows)
		return true;
	inspect->walk = 0;
	if (inspect->aged)
		inspect->next_walk = w->now + WALKS * w->hz;
	return false;
}

bool inspect_chores(struct worker *w)
{
	struct inspect *inspect = __atomic_load_n(&w->inspect, __ATOMIC_ACQUIRE);
	bool more;

	if (likely(inspect == NULL))
		return false;
	more = inspect_fanout_chores(inspect);
	return walk(inspect) | more;
}
