#include "trunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "ethdev.h"
#include "ethdev_bond.h"
#include "trunk_tx.h"
#include "xsk.h"

static struct trunk *trunks;

/* The device that could not be opened last: its other ports would fail for the same reason. */
static struct {
	struct config_uplink_share conf;
	char err[256];
	uint64_t when; /* TSC cycles; 0: never */
} failed;

static bool same_conf(const struct config_uplink_share *a, const struct config_uplink_share *b)
{
	return strcmp(a->device, b->device) == 0 && strcmp(a->interface, b->interface) == 0 &&
	       a->queues == b->queues && a->mtu == b->mtu && a->qinq == b->qinq &&
	       memcmp(&a->bond, &b->bond, sizeof(a->bond)) == 0;
}

static struct trunk *find(const struct config_uplink_share *conf)
{
	struct trunk *trunk = trunks;

	while (trunk != NULL && !same_conf(&trunk->conf, conf))
		trunk = trunk->next;
	return trunk;
}

static bool has_just_failed(const struct config_uplink_share *conf)
{
	return failed.when != 0 && same_conf(&failed.conf, conf) &&
	       rte_rdtsc() - failed.when < rte_get_tsc_hz() / 4;
}

/* Returns how many frames still waited in it. */
static unsigned trunk_free(struct trunk *trunk)
{
	unsigned waiting = trunk_tx_fini(trunk);

	free(trunk);
	return waiting;
}

static const struct trunk_ops *ops_for(const struct config_uplink_share *conf)
{
	if (conf->interface[0] != '\0')
		return &xsk_ops;
	return conf->bond.n_members > 0 ? &ethdev_bond_ops : &ethdev_ops;
}

static struct trunk *trunk_new(const struct config_uplink_share *conf)
{
	struct trunk *trunk = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*trunk), RTE_CACHE_LINE_SIZE));

	if (trunk == NULL)
		return NULL;
	memset(trunk, 0, sizeof(*trunk));
	trunk->conf = *conf;
	trunk->ops = ops_for(conf);
	if (trunk_tx_init(trunk) == 0)
		return trunk;
	trunk_free(trunk);
	return NULL;
}

static struct trunk *trunk_open(const struct config_uplink_share *conf, char *err, size_t err_len)
{
	struct trunk *trunk = trunk_new(conf);

	if (trunk == NULL) {
		snprintf(err, err_len, "uplink: out of memory");
		return NULL;
	}
	if (trunk->ops->open(trunk, err, err_len) == 0) {
		trunk->next = trunks;
		trunks = trunk;
		return trunk;
	}
	failed.conf = *conf;
	snprintf(failed.err, sizeof(failed.err), "%s", err);
	failed.when = rte_rdtsc();
	trunk_free(trunk);
	return NULL;
}

bool trunk_is_of(const struct trunk *trunk, const struct config_uplink_share *conf)
{
	return same_conf(&trunk->conf, conf);
}

struct trunk *trunk_hold(const struct config_uplink_share *conf, char *err, size_t err_len)
{
	struct trunk *trunk = find(conf);

	if (trunk == NULL && has_just_failed(conf)) {
		snprintf(err, err_len, "%s", failed.err);
		return NULL;
	}
	if (trunk == NULL)
		trunk = trunk_open(conf, err, err_len);
	if (trunk != NULL)
		trunk->n_ports++;
	return trunk;
}

void trunk_release(struct trunk *trunk)
{
	struct trunk **at = &trunks;
	uint64_t unsent;

	if (--trunk->n_ports > 0)
		return;
	while (*at != trunk)
		at = &(*at)->next;
	*at = trunk->next;
	unsent = trunk->ops->close(trunk);
	unsent += trunk_free(trunk);
	if (unsent > 0)
		port_env.dropped_late(unsent);
}

bool trunk_set_underlay(struct trunk *trunk, struct trunk_underlay *underlay)
{
	if (underlay != NULL && atomic_load(&trunk->underlay) != NULL)
		return false;
	atomic_store_explicit(&trunk->underlay, underlay, memory_order_release);
	if (underlay == NULL)
		port_env.synchronize();
	return true;
}

void trunk_set_port(struct trunk *trunk, uint16_t vlan, struct trunk_port *port)
{
	atomic_store_explicit(&trunk->ports[vlan], port, memory_order_release);
	if (trunk->ops->carry != NULL)
		trunk->ops->carry(trunk, vlan, port != NULL);
}

struct xdp_program *trunk_program(const struct trunk *trunk)
{
	return trunk->ops->program != NULL ? trunk->ops->program(trunk) : NULL;
}
