#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_debug.h>
#include <rte_mbuf.h>

#include "log.h"
#include "notify.h"
#include "switch.h"
#include "switch_ports.h"
#include "switch_report.h"

#define POOL_CACHE 256
#define EVENTS_MAX 16 /* of one port in a row, then one a tick: guests cause them as they like */

struct port_env port_env;

static int event_fd = -1;
static _Atomic uint64_t changed[MAX_PORTS / 64]; /* a bit a port id */
static const struct port_driver *replay_driver;
static _Atomic uint32_t pollers[MAX_PORTS]; /* workers of each port's queues, a bit each */

static void env_wake(struct port_dev *dev)
{
	uint32_t bits = atomic_load_explicit(&pollers[dev->id], memory_order_relaxed);

	for (; bits != 0; bits &= bits - 1)
		worker_wake(workers[__builtin_ctz(bits)]);
}

void switch_ports_set_pollers(uint16_t id, uint32_t bits)
{
	atomic_store_explicit(&pollers[id], bits, memory_order_relaxed);
}

uint32_t switch_ports_pollers(uint16_t id)
{
	return atomic_load_explicit(&pollers[id], memory_order_relaxed);
}

static void env_dropped_late(uint64_t packets)
{
	switch_state.late += packets;
	log_warning("uplink: %" PRIu64
		    " frames that were still to be sent are dropped with its device "
		    "(tx_full)",
		packets);
}

static void env_changed(struct port_dev *dev)
{
	uint64_t bit = 1ull << (dev->id % 64), one = 1;

	if (atomic_fetch_or(&changed[dev->id / 64], bit) & bit)
		return;
	/* Can only fail where the counter is full, and then it is readable anyway. */
	if (write(event_fd, &one, sizeof(one)) < 0)
		return;
}

int switch_ports_init(const struct config_vswitch *conf, char *err, size_t err_len)
{
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (event_fd < 0) {
		snprintf(err, err_len, "cannot make an eventfd: too many open files?");
		return -1;
	}
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", conf->buffers, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (port_env.pool == NULL) {
		snprintf(err, err_len,
			"vswitch.buffers: no memory for %u packet buffers: ask for fewer, or give "
			"the "
			"machine more hugepages (sysctl vm.nr_hugepages)",
			conf->buffers);
		switch_ports_exit();
		return -1;
	}
	port_env.state_dir = conf->state[0] != '\0' ? conf->state : NULL;
	port_env.synchronize = workers_synchronize;
	port_env.wake = env_wake;
	port_env.dropped_late = env_dropped_late;
	port_env.changed = env_changed;
	return 0;
}

void switch_ports_exit(void)
{
	if (event_fd >= 0)
		close(event_fd);
	event_fd = -1;
	for (unsigned i = 0; i < MAX_PORTS / 64; i++)
		atomic_store(&changed[i], 0);
	for (unsigned i = 0; i < MAX_PORTS; i++)
		atomic_store(&pollers[i], 0);
	rte_mempool_free(port_env.pool);
	memset(&port_env, 0, sizeof(port_env));
}

void switch_ports_use_driver(const struct port_driver *driver)
{
	replay_driver = driver;
}

const struct port_driver *port_entry_driver(const struct config_port *conf)
{
	if (replay_driver != NULL)
		return replay_driver;
	switch (conf->kind) {
	case CONFIG_PORT_VHOST_USER:
		return &vhost_user_driver;
	case CONFIG_PORT_KERNEL:
		return &kernel_driver;
	case CONFIG_PORT_UPLINK:
		return &uplink_driver;
	case CONFIG_PORT_VXLAN:
		return &vxlan_driver;
	}
	return NULL;
}

void switch_forget_ports(const struct config *past)
{
	/* A port may have been of another kind before. */
	const struct port_driver *drivers[] = {&vhost_user_driver, &kernel_driver, &uplink_driver};
	unsigned n = RTE_DIM(drivers);

	if (replay_driver != NULL) {
		drivers[0] = replay_driver;
		n = 1;
	}
	for (unsigned i = 0; i < past->n_ports; i++)
		for (unsigned d = 0; d < n; d++)
			if (drivers[d]->forget != NULL &&
				switch_find_port(past->ports[i].name) == NULL)
				drivers[d]->forget(past->ports[i].name);
}

/* Goes round all ids before it takes one again, so that late packets of an old port meet no new
 * one. */
static int take_id(void)
{
	for (unsigned i = 0; i < MAX_PORTS; i++) {
		unsigned id = switch_state.next_id;

		switch_state.next_id = (id + 1) % MAX_PORTS;
		if (switch_state.by_id[id] == NULL)
			return id;
	}
	return -1;
}

struct storm *port_storm_create(const struct config_storm *conf)
{
	/* On cache lines of its own: a worker writes it with every frame for many. */
	struct storm *storm = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*storm), RTE_CACHE_LINE_SIZE));

	if (storm == NULL)
		rte_panic("out of memory\n");
	storm_init(storm, conf, switch_now());
	return storm;
}

struct port_entry *port_entry_create(const struct config_port *conf, struct network_entry *network)
{
	struct port_entry *port;
	int id = take_id();

	if (id < 0)
		return NULL;
	port = switch_alloc(1, sizeof(*port));
	switch_state.by_id[id] = port;
	port->conf = *conf;
	port->network = network;
	port->id = id;
	port->serial = ++switch_state.next_serial;
	port->driver = port_entry_driver(conf);
	port->storm = port_storm_create(&conf->storm);
	port->since = switch_now();
	port->events_left = EVENTS_MAX;
	memset(port->polled_by, POLLED_BY_DEFAULT, sizeof(port->polled_by));
	memset(port->polling, NO_WORKER, sizeof(port->polling));
	for (unsigned i = 0; i < n_workers; i++)
		port_counters_add(&port->base, &workers[i]->counters[id]);
	return port;
}

void port_entry_free(struct port_entry *port)
{
	if (port == NULL)
		return;
	switch_state.late += port->late;
	switch_state.by_id[port->id] = NULL;
	free(port->storm);
	free(port);
}

static bool is_up(const struct port_entry *port)
{
	const struct port_dev *dev = port->dev;

	return dev != NULL && (atomic_load(&dev->rx_ready) | atomic_load(&dev->tx_ready)) != 0;
}

bool port_entry_open(struct port_entry *port)
{
	char err[sizeof(port->error)] = "";

	port->dev = port->driver->open(&port->conf, port->id, err, sizeof(err));
	if (port->dev == NULL && strcmp(err, port->error) != 0)
		log_warning("port %s: %s", port->conf.name, err);
	snprintf(port->error, sizeof(port->error), "%s", err);
	port->up = is_up(port);
	notify_progress();
	return port->dev != NULL;
}

/* What drivers look at; where strings differ behind their ends, the driver is asked for nothing. */
static bool same_for_driver(const struct config_port *a, const struct config_port *b)
{
	return memcmp(&a->vhost_user, &b->vhost_user, sizeof(a->vhost_user)) == 0 &&
	       memcmp(&a->kernel, &b->kernel, sizeof(a->kernel)) == 0 &&
	       memcmp(&a->uplink, &b->uplink, sizeof(a->uplink)) == 0 &&
	       memcmp(&a->vxlan, &b->vxlan, sizeof(a->vxlan)) == 0 && a->has_mac == b->has_mac &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->mtu == b->mtu;
}

bool port_entry_update(struct port_entry *port, const struct config_port *conf)
{
	if (port->driver != port_entry_driver(conf))
		return false;
	/* Its driver could fail, and a change of other ports is no reason to make this one anew. */
	if (port->dev == NULL ||
		(same_for_driver(&port->conf, conf) && !atomic_load(&port->dev->lost)))
		return true;
	return port->driver->update(port->dev, conf) == 0;
}

int switch_event_fd(void)
{
	return event_fd;
}

static void report(struct port_entry *port)
{
	port->event_due = port->dev != NULL && port->events_left == 0;
	if (port->dev == NULL || port->event_due)
		return;
	port->events_left--;
	switch_report_port(port);
}

/* Who is gone may come up elsewhere, and be asked for until then (a migration). */
static void note_link(struct port_entry *port)
{
	bool up = is_up(port);

	if (port->up && !up)
		switch_forget(port->network, port->id);
	port->up = up;
}

static void port_changed(uint16_t id)
{
	struct port_entry *port = switch_state.by_id[id];

	if (port == NULL)
		return;
	note_link(port);
	report(port);
}

void switch_port_events(void)
{
	uint64_t count;

	if (read(event_fd, &count, sizeof(count)) < 0)
		return; /* nothing new */
	for (unsigned word = 0; word < MAX_PORTS / 64; word++) {
		uint64_t bits = atomic_exchange(&changed[word], 0);

		for (; bits != 0; bits &= bits - 1)
			port_changed(word * 64 + __builtin_ctzll(bits));
	}
}

void switch_ports_tick(void)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++) {
		struct port_entry *port = switch_state.ports[i];

		if (port->events_left < EVENTS_MAX)
			port->events_left++;
		if (port->event_due)
			report(port);
	}
}
