/*
 * A trunk: what the ports of an uplink share. It tells frames apart by their VLAN, whatever device
 * they come from; the device stands behind a few functions (struct trunk_ops). Opened with the
 * first of its ports, closed with the last.
 *
 * Made and destroyed by the control thread. Workers poll it through any of its ports: one of them
 * at a time has a queue, takes its burst, keeps what is its own port's and puts the others' into
 * their inboxes. Nobody ever waits for that: who finds the queue taken goes on. Sending works the
 * same way: who finds the TX queue taken leaves his frames in its ring, and who has it sends them.
 */
#ifndef VS_TRUNK_H
#define VS_TRUNK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "config.h"
#include "port_driver.h"
#include "trunk_inbox.h"
#include "trunk_tag.h"

struct trunk;
struct trunk_port;
struct xdp_program;

/* What a port of a trunk is made of; one for each kind of device. */
struct trunk_ops {
	/*
	 * Opens the device that trunk->conf names and sets trunk->device, tx_caps, longest, mac and
	 * kernel_index. 0, or -1 with a message in err and nothing left behind. Control thread.
	 */
	int (*open)(struct trunk *trunk, char *err, size_t err_len);

	/*
	 * The NIC is as it was before. No worker uses the device any more. Returns how many frames
	 * that tx_burst() took it had not sent. Control thread.
	 */
	uint64_t (*close)(struct trunk *trunk);

	/*
	 * A port for frames under vlan (0: without a tag) is there from now on, or there is none
	 * any more. NULL: the device need not know. Control thread.
	 */
	void (*carry)(struct trunk *trunk, uint16_t vlan, bool on);

	/*
	 * Whether the link is up; its speed in Mb/s (0: unknown) and duplex in what is not NULL.
	 * Control thread.
	 */
	bool (*link)(const struct trunk *trunk, uint32_t *mbps, bool *full_duplex);

	/*
	 * False: the device is gone and must be closed; why, if it can be told, is in trunk->gone.
	 * Once a second. Control thread.
	 */
	bool (*is_there)(struct trunk *trunk);

	/* Up to n frames. Who has the RX queue. */
	uint16_t (*rx_burst)(
		struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

	/*
	 * Sends the first of pkts and frees them; returns how many. They are nobody else's, and
	 * trunk_takes() them. *refused: the one behind those will never go. Who has the TX queue.
	 */
	uint16_t (*tx_burst)(struct trunk *trunk, uint16_t queue, struct rte_mbuf **pkts,
		uint16_t n, bool *refused);

	/* As in struct port_driver. NULL: there is none, and the queue must be polled. */
	int (*rx_fd)(struct trunk *trunk, uint16_t queue);

	/* The XDP program in front of the device. NULL: there is never one. Control thread. */
	struct xdp_program *(*program)(const struct trunk *trunk);

	/* Adds what is the device's own to what `port show` says of it. Control thread. */
	void (*describe)(const struct trunk *trunk, json_t *row, json_t *device);
};

/*
 * The way in for frames that are for the switch itself: those of an overlay that has this trunk for
 * its underlay. It is asked before frames are told apart by networks.
 */
struct trunk_underlay {
	uint16_t vlan; /* the tag that the underlay's frames have; 0: none */

	/*
	 * The inbox that m is for now: m may be changed, its outer headers cut off. TRUNK_TAKEN: m
	 * was freed or kept. NULL: m is none of the underlay's, and unchanged. m has no tag any
	 * more, and is nobody else's. Called by who has RX queue `queue`, so one worker at a time
	 * for each queue.
	 */
	struct trunk_inbox *(*receive)(
		struct trunk_underlay *underlay, uint16_t queue, struct rte_mbuf *m);

	/* Frames that it had to drop, from the device and to it, for whatever reason. Control
	 * thread. */
	uint64_t (*lost)(struct trunk_underlay *underlay);
};

extern struct trunk_inbox trunk_taken;
#define TRUNK_TAKEN (&trunk_taken)

/* Frames that no port was to get. One writer at a time: who has the queue. */
struct trunk_strays {
	_Atomic uint64_t unknown_vlan; /* no network of this uplink has it */
	_Atomic uint64_t untagged; /* and the uplink has no network for those */
	_Atomic uint64_t double_tag;
	_Atomic uint64_t too_short;
};

struct trunk_rx_queue {
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic bool taken; /* a worker has it */
	_Atomic uint64_t looked; /* when it was last found empty, in TSC cycles */
	struct trunk_strays strays;
};

struct trunk_tx_queue {
	_Alignas(RTE_CACHE_LINE_SIZE) _Atomic bool taken;
	struct rte_ring *waiting; /* of frames, from workers that found it taken */
	_Atomic uint64_t refused; /* of those: what the device did not take after all */
};

struct trunk {
	struct trunk *next;
	const struct trunk_ops *ops;
	void *device; /* the ops' own */
	struct config_uplink_share conf; /* but for the vlan, which is each port's own */
	unsigned n_ports;
	uint32_t tx_caps; /* PORT_TX_* */
	uint32_t longest; /* bytes of a frame on the wire, without its CRC */
	uint16_t segments; /* buffers of a frame that is not cut, at the most; 0: any number */
	struct rte_ether_addr mac; /* the device's own */
	char gone[192]; /* why the device is no longer there, in a sentence; control thread */
	unsigned kernel_index; /* the kernel's interface that it shares with the host; 0: none */
	_Atomic(struct trunk_underlay *) underlay;
	_Atomic(struct trunk_port *) ports[TRUNK_VLANS]; /* by VLAN; 0: untagged */
	struct trunk_rx_queue rx[PORT_QUEUES_MAX];
	struct trunk_tx_queue tx[PORT_QUEUES_MAX];
};

/*
 * The trunk over the device that conf names, with one user more; opened if it is not yet. NULL with
 * a message in err. A device that could just not be opened is not tried again at once for the other
 * ports. Control thread.
 */
struct trunk *trunk_hold(const struct config_uplink_share *conf, char *err, size_t err_len);

/* Whether it is the trunk over the device that conf names, set up as conf says. */
bool trunk_is_of(const struct trunk *trunk, const struct config_uplink_share *conf);

/* One user less; no worker calls for that one any more. The last one closes it. Control thread. */
void trunk_release(struct trunk *trunk);

/*
 * Has underlay asked about frames from now on; NULL: nobody, and no worker asks any more on return.
 * A trunk has one: false where another one is there. Control thread.
 */
bool trunk_set_underlay(struct trunk *trunk, struct trunk_underlay *underlay);

/* What stands for vlan from now on; NULL: no port, though workers may still see it. Control thread.
 */
void trunk_set_port(struct trunk *trunk, uint16_t vlan, struct trunk_port *port);

/*
 * The XDP program that tells which frames are the switch's, as long as the trunk is open; NULL:
 * all frames are. VLANs with a port are in its map; guests' MACs, VNIs and quarantines are not the
 * trunk's to know. Control thread.
 */
struct xdp_program *trunk_program(const struct trunk *trunk);

static inline void trunk_count(_Atomic uint64_t *counter, unsigned n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
