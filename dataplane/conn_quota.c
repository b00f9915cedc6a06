#include "conn_quota.h"

#define PER_CONN 16 /* units of conn_meter.used: what one a second gathers in a second's ticks */

struct quota {
	uint32_t limit, per_second;
	uint32_t count, peak;
	uint32_t workers; /* that share a tenant's rate; a port's network has its own */
} __attribute__((aligned(64)));

static struct quota ports[MAX_PORTS], tenants[CONFIG_TENANTS_MAX];

static void set(struct quota *q, const struct conn_limits *limits)
{
	__atomic_store_n(&q->limit, limits->connections, __ATOMIC_RELAXED);
	__atomic_store_n(&q->per_second, limits->per_second, __ATOMIC_RELAXED);
}

void conn_quota_set_port(uint16_t port, const struct conn_limits *limits)
{
	set(&ports[port], limits);
}

void conn_quota_set_tenant(uint16_t tenant, const struct conn_limits *limits)
{
	set(&tenants[tenant], limits);
}

void conn_quota_spread_tenant(uint16_t tenant, unsigned workers)
{
	__atomic_store_n(&tenants[tenant].workers, workers, __ATOMIC_RELAXED);
}

uint32_t conn_quota_port(uint16_t port)
{
	return __atomic_load_n(&ports[port].count, __ATOMIC_RELAXED);
}

uint32_t conn_quota_tenant(uint16_t tenant)
{
	return __atomic_load_n(&tenants[tenant].count, __ATOMIC_RELAXED);
}

static uint32_t peak(struct quota *q)
{
	uint32_t now = __atomic_load_n(&q->count, __ATOMIC_RELAXED);
	uint32_t most = __atomic_exchange_n(&q->peak, now, __ATOMIC_RELAXED);

	return most > now ? most : now;
}

uint32_t conn_quota_port_peak(uint16_t port)
{
	return peak(&ports[port]);
}

uint32_t conn_quota_tenant_peak(uint16_t tenant)
{
	return peak(&tenants[tenant]);
}

static bool take(struct quota *q, bool always)
{
	uint32_t n = __atomic_add_fetch(&q->count, 1, __ATOMIC_RELAXED);
	uint32_t most = __atomic_load_n(&q->peak, __ATOMIC_RELAXED);

	if (n > __atomic_load_n(&q->limit, __ATOMIC_RELAXED) && !always) {
		__atomic_sub_fetch(&q->count, 1, __ATOMIC_RELAXED);
		return false;
	}
	/* Each failure is another worker's success, which raised it. */
	while (n > most && !__atomic_compare_exchange_n(
				   &q->peak, &most, n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return true;
}

bool conn_quota_take_port(uint16_t port)
{
	return take(&ports[port], false);
}

bool conn_quota_take_tenant(uint16_t tenant)
{
	return take(&tenants[tenant], false);
}

void conn_quota_add_port(uint16_t port)
{
	take(&ports[port], true);
}

void conn_quota_add_tenant(uint16_t tenant)
{
	take(&tenants[tenant], true);
}

void conn_quota_give_port(uint16_t port)
{
	__atomic_sub_fetch(&ports[port].count, 1, __ATOMIC_RELAXED);
}

void conn_quota_give_tenant(uint16_t tenant)
{
	__atomic_sub_fetch(&tenants[tenant].count, 1, __ATOMIC_RELAXED);
}

/* Whether the bucket has one more at its share; the time since it was last asked has run out. */
static bool has_room(
	struct conn_meter *meter, const struct quota *q, unsigned workers, uint32_t now)
{
	uint64_t share = __atomic_load_n(&q->per_second, __ATOMIC_RELAXED);
	int32_t ticks = (int32_t)(now - meter->then);

	if (share == 0)
		return false;
	share = share > workers ? share / workers : 1;
	if (ticks > 0) {
		uint64_t gone = (uint64_t)ticks * share;

		meter->used = gone < meter->used ? meter->used - (uint32_t)gone : 0;
		meter->then = now;
	}
	return (uint64_t)meter->used + PER_CONN <= share * PER_CONN && meter->used <= INT32_MAX;
}

int conn_quota_meter(
	struct conn_meters *meters, uint16_t port, uint16_t tenant, unsigned workers, uint32_t now)
{
	struct conn_meter *p = &meters->ports[port], *t = &meters->tenants[tenant];
	unsigned of_tenant = __atomic_load_n(&tenants[tenant].workers, __ATOMIC_RELAXED);

	if (workers == 0)
		workers = 1;
	if (of_tenant < workers)
		of_tenant = workers;
	if (!has_room(p, &ports[port], workers, now))
		return DROP_conn_rate_port;
	if (!has_room(t, &tenants[tenant], of_tenant, now))
		return DROP_conn_rate_tenant;
	p->used += PER_CONN;
	t->used += PER_CONN;
	return -1;
}
