/*
 * The switch's own end of an uplink's tunnels: its address, who its peers are and where, and which
 * of their frames are whose. Ports (vxlan_port.h) share it; it is made with the first of them.
 *
 * Made and destroyed by the control thread, which also puts ports in and takes them out while
 * workers look: what is taken out is freed a grace period later.
 *
 * An address that the host's kernel has stays the kernel's: it is asked where peers are. Any other
 * is answered for here, and peers are asked for with ARP or neighbour discovery. Then the control
 * thread writes the questions, and whichever worker comes by sends them.
 */
#ifndef VS_VXLAN_UNDERLAY_H
#define VS_VXLAN_UNDERLAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "config.h"
#include "trunk.h"
#include "vxlan_frame.h"
#include "vxlan_neighbours.h"

#define VXLAN_PEER_BUCKETS 256
#define VXLAN_PORT_BUCKETS 64 /* of one peer */

struct vxlan_port;

/* Frames of the underlay that reached no port, and those between hosts. Any worker. */
struct vxlan_underlay_counters {
	_Atomic uint64_t rx_unknown_peer; /* from who is not in the configuration */
	_Atomic uint64_t rx_unknown_vni; /* of a network that does not go to this peer */
	_Atomic uint64_t rx_malformed;
	_Atomic uint64_t rx_fragment;
	_Atomic uint64_t rx_checksum;
	_Atomic uint64_t rx_flags;
	_Atomic uint64_t rx_resolve; /* ARP and neighbour discovery: no drops */
	_Atomic uint64_t rx_other; /* not for us, or nothing that we answer */
};

struct vxlan_peer {
	struct addr address;
	unsigned n_ports; /* control thread */
	_Atomic(struct vxlan_peer *) next; /* in its bucket */
	_Atomic(struct vxlan_port *) ports[VXLAN_PORT_BUCKETS]; /* by VNI */
};

struct vxlan_underlay {
	struct trunk_underlay hook; /* first: what the trunk calls is an underlay */
	struct trunk *trunk;
	struct config_underlay conf;
	struct vxlan_end end;
	unsigned kernel_index; /* the kernel's interface that has the address; 0: it is ours */
	unsigned n_ports;
	uint64_t ticked; /* s; control thread, as the next two, which are from then */
	bool is_there, link; /* the device; it has a link */
	struct rte_ring *questions; /* to be sent; of the control thread to any worker */
	struct vxlan_neighbours neighbours;
	_Atomic(struct vxlan_peer *) peers[VXLAN_PEER_BUCKETS];
	struct vxlan_underlay_counters counters;
};

/*
 * The underlay of the uplink that conf's device is, with one port more on it; made if it is not yet
 * there. NULL with a message in err. Control thread.
 */
struct vxlan_underlay *vxlan_underlay_hold(
	const struct config_port *conf, char *err, size_t err_len);

/* Whether it is the one that conf's port has. */
bool vxlan_underlay_is_of(const struct vxlan_underlay *underlay, const struct config_port *conf);

/* One port less, which was taken out. With the last one the trunk is let go of. Control thread. */
void vxlan_underlay_release(struct vxlan_underlay *underlay);

/*
 * Puts port (its vni and peer) in: frames for it are found from now on, and where its next hop is
 * is asked for. 0, or -1 with a message in err. Control thread.
 */
int vxlan_underlay_add(
	struct vxlan_underlay *underlay, struct vxlan_port *port, char *err, size_t err_len);

/* Takes it out; no worker looks at it any more on return. Control thread. */
void vxlan_underlay_remove(struct vxlan_underlay *underlay, struct vxlan_port *port);

/* Looks at the device and asks for neighbours that are due, once a second, however often it is
 * called. Control thread. */
void vxlan_underlay_tick(struct vxlan_underlay *underlay);

/* Sends questions that wait. Workers. */
void vxlan_underlay_poll(struct vxlan_underlay *underlay);

#endif
