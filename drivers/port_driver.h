/*
 * The one interface between the switch and a kind of port: vhost-user, kernel, uplink, capture.
 *
 * A struct port_dev is made and destroyed by the control thread. Its atomic words are written by
 * the driver (on the driver's own threads) and read by workers, which never look further into a
 * driver. So a guest that toggles queues, restarts or dies changes a mask, and no other port
 * notices. A driver knows nothing of networks or policy.
 */
#ifndef VS_PORT_DRIVER_H
#define VS_PORT_DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_mbuf.h>

#define PORT_QUEUES_MAX 16 /* queue pairs */
#define PORT_BURST_MAX  32 /* packets in one rx or tx call; the vhost library's own bound */
#define PORT_NAME_LEN   64

#define PORT_FD_WAKES (-1)
#define PORT_FD_NONE  (-2)

struct addr;
struct config_port;
struct port_driver;
struct port_edge;

/* What the far end takes as it is; what it does not, the switch completes in software. */
#define PORT_TX_CSUM   (1u << 0) /* TCP and UDP with only the pseudo-header summed */
#define PORT_TX_TSO4   (1u << 1)
#define PORT_TX_TSO6   (1u << 2)
#define PORT_TX_CHAINS (1u << 3) /* more than one segment in an mbuf */

struct port_dev {
	const struct port_driver *driver;
	char name[PORT_NAME_LEN];
	uint16_t id; /* index of the port in the switch; set in mbuf->port by rx */

	/* Read by workers, written by the driver. Bit n stands for queue n. */
	_Atomic uint32_t rx_ready; /* queues that may be polled */
	_Atomic uint32_t tx_ready; /* queues that take packets */
	_Atomic uint32_t tx_caps; /* PORT_TX_* */
	_Atomic uint32_t mtu; /* bytes of L3 that the far end takes */
	_Atomic uint32_t
		rx_generation; /* moves when an rx queue's notification must be armed anew */

	/* What it stands on is gone for good: it must be closed and opened again. Control thread
	 * reads. */
	_Atomic bool lost;

	/*
	 * Packets that a worker had counted as sent and that the driver had to drop after all.
	 * Written by the driver: one thread of its own, or workers by atomic additions.
	 */
	_Atomic uint64_t tx_late_drops;
};

/*
 * What the switch offers its drivers; filled in once before the first port is opened. All
 * functions may be called from any thread.
 */
struct port_env {
	struct rte_mempool *pool; /* every driver allocates from it */
	const char *state_dir; /* for what must survive a restart; NULL: nothing is kept (replay) */

	/*
	 * Waits until no worker can still be using what it saw before the call. Not while holding a
	 * lock that a worker may wait for.
	 */
	void (*synchronize)(void);

	/* Wakes the workers that poll dev: a queue became ready or has packets. */
	void (*wake)(struct port_dev *dev);

	/*
	 * That many packets, which counted as sent by ports that can no longer be told, were
	 * dropped as their device was closed: late drops as those of a port. Control thread.
	 */
	void (*dropped_late)(uint64_t packets);

	/*
	 * The state that describe() shows has changed. Bounded: coalesced per port. May be called
	 * in a signal's handler.
	 */
	void (*changed)(struct port_dev *dev);
};

extern struct port_env port_env;

struct port_driver {
	const char *kind; /* as in the configuration and in `port show` */

	/*
	 * Opens a port. conf is read during the call only. NULL on error, with a message (what is
	 * wrong and what would be right) in err. Control thread.
	 */
	struct port_dev *(*open)(
		const struct config_port *conf, uint16_t id, char *err, size_t err_len);

	/*
	 * Applies what can change on a live port (mtu, mac, access of the socket). 0, or -1
	 * where the port must be closed and opened again for it. Control thread.
	 */
	int (*update)(struct port_dev *dev, const struct config_port *conf);

	/*
	 * Closes and frees. The caller has unpublished the port and waited for the workers. Called
	 * with no lock held. Returns dev's tx_late_drops as they stand in the end: what is still
	 * queued may be dropped here. Control thread.
	 */
	uint64_t (*close)(struct port_dev *dev);

	/*
	 * The port called name is gone from the configuration for good, and closed: removes what
	 * the driver kept for it in port_env.state_dir, if it ever did. NULL: the driver keeps
	 * nothing. Control thread.
	 */
	void (*forget)(const char *name);

	/*
	 * Once a second or so: what the driver would not hear of by itself, such as a link that
	 * went down or a device that is gone (lost). NULL: nothing. Control thread.
	 */
	void (*check)(struct port_dev *dev);

	/*
	 * What a filter in front of the port goes by, as it stands now (port_edge.h): after open,
	 * and whenever it may have changed. NULL: the driver has none. Control thread.
	 */
	void (*edge)(struct port_dev *dev, const struct port_edge *edge);

	/* Packets from source that the filter has dropped; NULL: as edge. Control thread. */
	uint64_t (*edge_drops)(struct port_dev *dev, struct addr source);

	/* Up to n <= PORT_BURST_MAX packets; mbuf->port is set to dev->id. One worker a queue. */
	uint16_t (*rx_burst)(
		struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

	/*
	 * Sends the first packets of pkts, in order; returns how many. Those now belong to the
	 * driver, the others still to the caller. The mbufs may be shared (reference count over 1),
	 * so the driver must not write to them. Workers.
	 */
	uint16_t (*tx_burst)(
		struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

	/*
	 * Asks for a notification when packets arrive at queue (on) or for none (off). After
	 * arming, the worker polls once more before it sleeps. Worker of the queue.
	 */
	void (*rx_notify)(struct port_dev *dev, uint16_t queue, bool on);

	/*
	 * The descriptor that becomes readable then, for epoll (edge-triggered); PORT_FD_WAKES
	 * where the driver calls port_env.wake() itself; PORT_FD_NONE where the far end gives no
	 * notification and the queue must be polled. The driver owns it. Worker of the queue.
	 */
	int (*rx_fd)(struct port_dev *dev, uint16_t queue);

	/*
	 * What `port show` prints of the driver's state: at least "state", "error" (the last, or
	 * null) and the driver's own facts. The caller owns the reference. Control thread.
	 */
	json_t *(*describe)(struct port_dev *dev);
};

extern const struct port_driver vhost_user_driver;
extern const struct port_driver kernel_driver;
extern const struct port_driver uplink_driver;
extern const struct port_driver vxlan_driver;
extern const struct port_driver capture_driver;

#endif
