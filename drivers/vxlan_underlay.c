#include "vxlan_underlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "trunk_tx.h"
#include "vxlan_kernel.h"
#include "vxlan_port.h"
#include "vxlan_resolve.h"
#include "xdp_program.h"

#define QUESTIONS       512 /* that wait to be sent; one each second for each neighbour */
#define QUESTIONS_BURST 8

/* Only the configuration chooses what is in the buckets, so no secret is needed. */
static unsigned peer_bucket(struct addr a)
{
	uint64_t mixed = (a.high ^ a.low) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(mixed >> 56) % VXLAN_PEER_BUCKETS;
}

static struct vxlan_peer *find_peer(struct vxlan_underlay *u, struct addr address)
{
	struct vxlan_peer *peer = atomic_load_explicit(
		&u->peers[peer_bucket(address)], memory_order_acquire);

	while (peer != NULL && !addr_equal(peer->address, address))
		peer = atomic_load_explicit(&peer->next, memory_order_acquire);
	return peer;
}

static struct vxlan_port *find_port(struct vxlan_peer *peer, uint32_t vni)
{
	struct vxlan_port *port = atomic_load_explicit(
		&peer->ports[vni % VXLAN_PORT_BUCKETS], memory_order_acquire);

	while (port != NULL && port->vni != vni)
		port = atomic_load_explicit(&port->next, memory_order_acquire);
	return port;
}

/* Ours alone, without tag; it is sent or freed. */
static void send_own(struct vxlan_underlay *u, struct rte_mbuf *m)
{
	bool refused;

	if (u->hook.vlan != 0) {
		m->vlan_tci = 0;
		trunk_tag_push(m, u->hook.vlan);
	}
	if (!trunk_takes(u->trunk, m) || trunk_send(u->trunk, &m, 1, &refused) == 0)
		rte_pktmbuf_free(m);
}

/* Calls fn for each port. Any thread. */
static void each_port(
	struct vxlan_underlay *u, void (*fn)(struct vxlan_port *port, void *arg), void *arg)
{
	for (unsigned b = 0; b < VXLAN_PEER_BUCKETS; b++)
		for (struct vxlan_peer *peer = atomic_load(&u->peers[b]); peer != NULL;
			peer = atomic_load(&peer->next))
			for (unsigned v = 0; v < VXLAN_PORT_BUCKETS; v++)
				for (struct vxlan_port *port = atomic_load(&peer->ports[v]);
					port != NULL; port = atomic_load(&port->next))
					fn(port, arg);
}

static void refresh(struct vxlan_port *port, void *arg)
{
	(void)arg;
	vxlan_port_refresh(port);
}

/* Whatever is no tunnel's. */
static void hear(struct vxlan_underlay *u, struct rte_mbuf *m)
{
	enum vxlan_resolve_kind kind = VXLAN_RESOLVE_NONE;
	struct vxlan_said said;

	if (u->kernel_index == 0)
		kind = vxlan_resolve_hear(m, &u->end, &said);
	if (kind == VXLAN_RESOLVE_NONE) {
		trunk_count(&u->counters.rx_other, 1);
		rte_pktmbuf_free(m);
		return;
	}
	trunk_count(&u->counters.rx_resolve, 1);
	if (said.known && vxlan_neighbours_post(&u->neighbours, said.address, &said.mac))
		each_port(u, refresh, NULL); /* who waited for this neighbour may send */
	if (kind == VXLAN_RESOLVE_ASKED)
		send_own(u, m);
	else
		rte_pktmbuf_free(m);
}

static _Atomic uint64_t *fault_counter(struct vxlan_underlay_counters *counters, int fault)
{
	switch (fault) {
	case VXLAN_FRAGMENT:
		return &counters->rx_fragment;
	case VXLAN_CHECKSUM:
		return &counters->rx_checksum;
	case VXLAN_FLAGS:
		return &counters->rx_flags;
	default:
		return &counters->rx_malformed;
	}
}

/* The port that m, in which a was found, is for; NULL with the counter of why not. */
static struct vxlan_port *find(
	struct vxlan_underlay *u, const struct vxlan_arrival *a, _Atomic uint64_t **counter)
{
	struct vxlan_peer *peer = find_peer(u, a->from);
	struct vxlan_port *port = peer != NULL ? find_port(peer, a->vni) : NULL;

	*counter = peer == NULL ? &u->counters.rx_unknown_peer : &u->counters.rx_unknown_vni;
	return port;
}

static struct trunk_inbox *receive(struct trunk_underlay *hook, uint16_t queue, struct rte_mbuf *m)
{
	struct vxlan_underlay *u = (struct vxlan_underlay *)hook;
	struct vxlan_arrival a;
	struct vxlan_port *port = NULL;
	_Atomic uint64_t *counter;
	int fault = vxlan_parse(m, &u->end, &a);

	if (fault == VXLAN_OTHER) {
		hear(u, m);
		return TRUNK_TAKEN;
	}
	if (fault == 0)
		port = find(u, &a, &counter);
	else
		counter = fault_counter(&u->counters, fault);
	if (port != NULL && unlikely(!vxlan_pop(m, &a))) {
		port = NULL;
		counter = &u->counters.rx_malformed;
	}
	if (unlikely(port == NULL)) {
		trunk_count(counter, 1);
		rte_pktmbuf_free(m);
		return TRUNK_TAKEN;
	}
	/* What the device says of the outer packet holds nothing of the inner one. */
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	m->vlan_tci = 0;
	return &port->inbox;
}

static void add_lost(struct vxlan_port *port, void *arg)
{
	const struct vxlan_port_counters *c = &port->counters;
	uint64_t *sum = arg;

	*sum += atomic_load(&port->inbox.overflow) + atomic_load(&c->tx_unresolved) +
		atomic_load(&c->tx_double_tag) + atomic_load(&c->tx_refused);
}

static uint64_t lost(struct trunk_underlay *hook)
{
	struct vxlan_underlay *u = (struct vxlan_underlay *)hook;
	const struct vxlan_underlay_counters *c = &u->counters;
	uint64_t sum = atomic_load(&c->rx_unknown_peer) + atomic_load(&c->rx_unknown_vni) +
		       atomic_load(&c->rx_malformed) + atomic_load(&c->rx_fragment) +
		       atomic_load(&c->rx_checksum) + atomic_load(&c->rx_flags) +
		       atomic_load(&c->rx_other);

	each_port(u, add_lost, &sum);
	return sum;
}

/* Whether tunnels that conf's port is one of are u's, if the trunk is the same. */
static bool same_tunnels(const struct vxlan_underlay *u, const struct config_port *port)
{
	const struct config_underlay *conf = &port->vxlan.underlay;

	return addr_equal(u->conf.local, conf->local) &&
	       addr_equal(u->conf.on_link.first, conf->on_link.first) &&
	       addr_equal(u->conf.on_link.last, conf->on_link.last) &&
	       addr_equal(u->conf.gateway, conf->gateway) && u->conf.udp_port == conf->udp_port &&
	       u->conf.mtu == conf->mtu && u->hook.vlan == port->uplink.vlan;
}

bool vxlan_underlay_is_of(const struct vxlan_underlay *u, const struct config_port *conf)
{
	return trunk_is_of(u->trunk, &conf->uplink) && same_tunnels(u, conf);
}

static struct rte_ring *ring_new(void)
{
	struct rte_ring *ring = aligned_alloc(
		RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(QUESTIONS));

	if (ring != NULL)
		rte_ring_init(ring, "vxlan", QUESTIONS, RING_F_SP_ENQ | RING_F_MC_RTS_DEQ);
	return ring;
}

static void underlay_free(struct vxlan_underlay *u)
{
	struct rte_mbuf *m;

	while (u->questions != NULL && rte_ring_dequeue(u->questions, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	free(u->questions);
	free(u);
}

static struct vxlan_underlay *underlay_new(struct trunk *trunk, const struct config_port *conf)
{
	struct vxlan_underlay *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->questions = ring_new();
	if (u->questions == NULL) {
		underlay_free(u);
		return NULL;
	}
	u->trunk = trunk;
	u->hook.receive = receive;
	u->hook.lost = lost;
	u->hook.vlan = conf->uplink.vlan;
	u->conf = conf->vxlan.underlay;
	u->end.address = u->conf.local;
	u->end.udp_port = u->conf.udp_port;
	u->end.mac = trunk->mac;
	return u;
}

/* Who asks for our address must be told one. */
static bool can_be_found(const struct vxlan_underlay *u, char *err, size_t err_len)
{
	if (u->kernel_index != 0 || !rte_is_zero_ether_addr(&u->end.mac))
		return true;
	snprintf(err, err_len,
		"vxlan: the device has no MAC (00:00:00:00:00:00), so no peer could find it: use "
		"one "
		"that has");
	return false;
}

/* The XDP program in front of the device must know whose frames are the switch's. */
/* 0, or -1 with a message in err. */
static int tell_underlay(struct vxlan_underlay *u, bool on, char *err, size_t err_len)
{
	struct xdp_program *program = trunk_program(u->trunk);
	int rc = program != NULL ? xdp_program_set_underlay(program, u->hook.vlan, u->conf.local,
					   u->conf.udp_port, on)
				 : 0;

	if (rc != 0)
		snprintf(err, err_len, "vxlan: the XDP program does not take the address: %s",
			strerror(-rc));
	return rc != 0 ? -1 : 0;
}

static int tell_vni(struct vxlan_underlay *u, uint32_t vni, bool on, char *err, size_t err_len)
{
	struct xdp_program *program = trunk_program(u->trunk);
	int rc = program != NULL ? xdp_program_set_vni(program, vni, on) : 0;

	if (rc != 0)
		snprintf(err, err_len, "vxlan: the XDP program does not take vni %u: %s", vni,
			strerror(-rc));
	return rc != 0 ? -1 : 0;
}

/* The underlay on trunk, which is made where there is none yet; kernel_index as in it. */
static struct vxlan_underlay *on_trunk(struct trunk *trunk, const struct config_port *conf,
	unsigned kernel_index, char *err, size_t err_len)
{
	struct trunk_underlay *hook = atomic_load(&trunk->underlay);
	struct vxlan_underlay *u = (struct vxlan_underlay *)hook;

	if (u != NULL && same_tunnels(u, conf))
		return u;
	if (u != NULL) {
		snprintf(err, err_len, "vxlan: the uplink's tunnels are just being changed");
		return NULL;
	}
	u = underlay_new(trunk, conf);
	if (u == NULL) {
		snprintf(err, err_len, "vxlan: out of memory");
		return NULL;
	}
	u->kernel_index = kernel_index;
	if (!can_be_found(u, err, err_len) || tell_underlay(u, true, err, err_len) != 0) {
		underlay_free(u);
		return NULL;
	}
	trunk_set_underlay(trunk, &u->hook);
	return u;
}

struct vxlan_underlay *vxlan_underlay_hold(
	const struct config_port *conf, char *err, size_t err_len)
{
	struct vxlan_underlay *u = NULL;
	struct trunk *trunk;
	unsigned index;

	/* Before the trunk is opened, and closed again, which its NIC would feel with each try. */
	if (vxlan_kernel_find(conf, &index, err, err_len) != 0)
		return NULL;
	trunk = trunk_hold(&conf->uplink, err, err_len);
	if (trunk != NULL)
		u = on_trunk(trunk, conf, index, err, err_len);
	if (u != NULL)
		u->n_ports++;
	else if (trunk != NULL)
		trunk_release(trunk);
	return u;
}

void vxlan_underlay_release(struct vxlan_underlay *u)
{
	struct trunk *trunk = u->trunk;

	char err[128];

	if (--u->n_ports == 0) {
		tell_underlay(u, false, err, sizeof(err));
		trunk_set_underlay(trunk, NULL);
		underlay_free(u);
	}
	trunk_release(trunk);
}

static struct vxlan_peer *hold_peer(struct vxlan_underlay *u, struct addr address)
{
	struct vxlan_peer *peer = find_peer(u, address);
	_Atomic(struct vxlan_peer *) *bucket = &u->peers[peer_bucket(address)];

	if (peer == NULL) {
		peer = calloc(1, sizeof(*peer));
		if (peer == NULL)
			return NULL;
		peer->address = address;
		atomic_store(&peer->next, atomic_load(bucket));
		atomic_store_explicit(bucket, peer, memory_order_release);
	}
	peer->n_ports++;
	return peer;
}

/* One port less. What is left without any is out of its bucket and returned, to be freed later. */
static struct vxlan_peer *release_peer(struct vxlan_underlay *u, struct vxlan_peer *peer)
{
	_Atomic(struct vxlan_peer *) *at = &u->peers[peer_bucket(peer->address)];

	if (--peer->n_ports > 0)
		return NULL;
	while (atomic_load(at) != peer)
		at = &atomic_load(at)->next;
	atomic_store(at, atomic_load(&peer->next));
	return peer;
}

static struct addr next_hop_of(const struct vxlan_underlay *u, struct addr peer)
{
	/* The kernel's routes know of gateways. */
	return u->kernel_index != 0 || addr_in(peer, u->conf.on_link) ? peer : u->conf.gateway;
}

/* Has a worker send a question for where neighbour is. */
static void ask(
	struct vxlan_underlay *u, struct vxlan_neighbour *neighbour, enum vxlan_neighbour_due due)
{
	struct rte_ether_addr mac;
	bool known = vxlan_neighbour_mac(neighbour, &mac);
	struct rte_mbuf *m = rte_pktmbuf_alloc(port_env.pool);

	if (m == NULL)
		return; /* in a second again */
	vxlan_resolve_ask(
		m, &u->end, neighbour->address, due == VXLAN_DUE_ASK_IT && known ? &mac : NULL);
	if (rte_ring_enqueue(u->questions, m) != 0)
		rte_pktmbuf_free(m);
}

static void ask_kernel(struct vxlan_underlay *u, struct vxlan_neighbour *n)
{
	struct rte_ether_addr mac;

	n->error[0] = '\0';
	if (vxlan_kernel_next_hop(u->kernel_index, u->conf.local, n->address, &mac, n->error,
		    sizeof(n->error)) == 1)
		vxlan_neighbour_set(n, &mac);
	else
		vxlan_neighbour_set(n, NULL);
}

static void look_for(
	struct vxlan_underlay *u, struct vxlan_neighbour *n, enum vxlan_neighbour_due due)
{
	if (u->kernel_index != 0)
		ask_kernel(u, n);
	else if (due != VXLAN_DUE_NOTHING)
		ask(u, n, due);
}

/* Whether a network still goes anywhere. */
static bool has_vni(struct vxlan_underlay *u, uint32_t vni)
{
	for (unsigned b = 0; b < VXLAN_PEER_BUCKETS; b++)
		for (struct vxlan_peer *peer = atomic_load(&u->peers[b]); peer != NULL;
			peer = atomic_load(&peer->next))
			if (find_port(peer, vni) != NULL)
				return true;
	return false;
}

int vxlan_underlay_add(struct vxlan_underlay *u, struct vxlan_port *port, char *err, size_t err_len)
{
	struct addr hop = next_hop_of(u, port->peer);
	struct vxlan_peer *peer;
	_Atomic(struct vxlan_port *) *bucket;

	if (tell_vni(u, port->vni, true, err, err_len) != 0)
		return -1;
	port->next_hop = vxlan_neighbours_hold(&u->neighbours, hop);
	peer = port->next_hop != NULL ? hold_peer(u, port->peer) : NULL;
	if (peer == NULL) {
		if (!has_vni(u, port->vni))
			tell_vni(u, port->vni, false, err, err_len);
		if (port->next_hop != NULL)
			free(vxlan_neighbours_release(&u->neighbours, port->next_hop));
		snprintf(err, err_len, "vxlan: out of memory");
		return -1;
	}
	bucket = &peer->ports[port->vni % VXLAN_PORT_BUCKETS];
	atomic_store(&port->next, atomic_load(bucket));
	atomic_store_explicit(bucket, port, memory_order_release);
	if (port->next_hop->users == 1)
		look_for(u, port->next_hop, VXLAN_DUE_ASK_ALL);
	port_env.wake(&port->dev);
	return 0;
}

void vxlan_underlay_remove(struct vxlan_underlay *u, struct vxlan_port *port)
{
	struct vxlan_peer *peer = find_peer(u, port->peer), *last;
	_Atomic(struct vxlan_port *) *at = &peer->ports[port->vni % VXLAN_PORT_BUCKETS];
	struct vxlan_neighbour *hop;
	char err[128];

	while (atomic_load(at) != port)
		at = &atomic_load(at)->next;
	atomic_store(at, atomic_load(&port->next));
	if (!has_vni(u, port->vni))
		tell_vni(u, port->vni, false, err, sizeof(err));
	last = release_peer(u, peer);
	hop = vxlan_neighbours_release(&u->neighbours, port->next_hop);
	port_env.synchronize();
	free(last);
	free(hop);
}

void vxlan_underlay_tick(struct vxlan_underlay *u)
{
	uint64_t now = rte_rdtsc() / rte_get_tsc_hz();

	if (u->ticked == now)
		return;
	u->ticked = now;
	u->is_there = u->trunk->ops->is_there(u->trunk);
	u->link = u->is_there && u->trunk->ops->link(u->trunk, NULL, NULL);
	if (!u->is_there)
		return;
	for (unsigned i = 0; i < VXLAN_NEIGHBOURS_MAX; i++) {
		struct vxlan_neighbour *n = atomic_load(&u->neighbours.list[i]);

		if (n != NULL)
			look_for(u, n, vxlan_neighbour_tick(n, now));
	}
}

void vxlan_underlay_poll(struct vxlan_underlay *u)
{
	struct rte_mbuf *pkts[QUESTIONS_BURST];
	unsigned n;

	if (likely(rte_ring_empty(u->questions)))
		return;
	n = rte_ring_dequeue_burst(u->questions, (void **)pkts, QUESTIONS_BURST, NULL);
	for (unsigned i = 0; i < n; i++)
		send_own(u, pkts[i]);
}
