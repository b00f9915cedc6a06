/*
 * A device of an uplink, which all ports of that uplink share: each is what the device carries of
 * one network. Opened with the first of them, closed with the last.
 *
 * Made and destroyed by the control thread. Workers poll it through any of its ports: one of them
 * at a time has a queue, takes its burst, keeps what is its own port's and puts the others' into
 * their rings. Nobody ever waits for that: who finds the queue taken goes on.
 */
#ifndef VS_ETHDEV_DEVICE_H
#define VS_ETHDEV_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ring.h>
#include <rte_spinlock.h>

#include "config.h"
#include "ethdev_iface.h"
#include "ethdev_tag.h"
#include "ethdev_xdp.h"
#include "port_driver.h"

struct ethdev_port;

/* Frames that no port was to get. One writer at a time: who has the queue. */
struct ethdev_strays {
	_Atomic uint64_t unknown_vlan; /* no network of this uplink has it */
	_Atomic uint64_t untagged; /* and the uplink has no network for those */
	_Atomic uint64_t double_tag;
	_Atomic uint64_t too_short;
};

struct ethdev_queue {
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic bool taken; /* a worker has it */
	_Atomic uint64_t looked; /* when it was last found empty, in TSC cycles */
	struct ethdev_strays strays;

	/* The PMD's TX queues are for one thread each, and two workers may have to share one. */
	_Alignas(RTE_CACHE_LINE_SIZE) rte_spinlock_t tx_lock;
};

/* What describe() tells of a device; fixed while it is open. */
struct ethdev_facts {
	const char *driver;
	uint64_t rx_offloads, tx_offloads; /* in use */
	uint64_t tx_capa; /* all that it could */
	bool rss, rss_symmetric;
};

struct ethdev_device {
	struct ethdev_device *next;
	struct config_uplink_share conf; /* but for the vlan, which is each port's own */
	uint16_t eth; /* port id of ethdev */
	bool probed, started;
	unsigned n_ports;
	uint32_t tx_caps; /* PORT_TX_* */
	uint32_t longest; /* bytes of a frame on the wire, without its CRC */
	struct rte_mempool *pool;
	struct ethdev_iface iface;
	struct ethdev_xdp_sockets sockets; /* that its PMD has opened */
	struct ethdev_facts facts;
	struct rte_device *device;
	_Atomic bool gone; /* the device was removed under us */
	_Atomic(struct ethdev_port *) ports[ETHDEV_VLANS]; /* by VLAN; 0: untagged */
	struct ethdev_queue queues[PORT_QUEUES_MAX];
};

/*
 * The device that conf names, with one more port on it; opened if it is not yet. NULL with a
 * message in err. A device that could just not be opened is not tried again at once for its other
 * ports.
 */
struct ethdev_device *ethdev_device_hold(
	const struct config_uplink_share *conf, char *err, size_t err_len);

/* One port less; no worker uses that one any more. With the last one the NIC is as it was before.
 */
void ethdev_device_release(struct ethdev_device *device);

/* Whether the link is up; its speed in Mb/s (0: unknown) and duplex in what is not NULL. */
bool ethdev_device_link(const struct ethdev_device *device, uint32_t *mbps, bool *full_duplex);

/* False: the device is gone and must be closed. */
bool ethdev_device_is_there(const struct ethdev_device *device);

#endif
