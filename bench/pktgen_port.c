#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>

#include "pktgen_port.h"

#define BUFFER_ROOM   2048u /* bytes of a buffer for a frame of up to so many */
#define BUFFER_COST   512u /* bytes of a buffer beside it */
#define PAGE          4096u /* bytes */
#define PORT_MB       2u /* of a port beside its buffers: rings, and room for their headers */
#define BASE_MB       48u /* beside the buffers */
#define SPARE_BUFFERS 640u /* beside those in a ring: bursts, and a pool's cache */
#define POOL_CACHE    256u
#define AWAIT         1.0 /* seconds */
#define ARP_EVERY     100u /* times a second */

static uint32_t room(const struct pktgen_options *options)
{
	/* SMB's large frames go as long as a buffer's 16 bits of length allow. */
	uint32_t max = options->traffic == PKTGEN_SMB && options->tso > 0 ? PKTGEN_SIZE_MAX
									  : options->sizes.max;

	return max > BUFFER_ROOM ? max : BUFFER_ROOM;
}

static uint32_t rx_buffers(const struct pktgen_options *options)
{
	return (uint32_t)options->queue_size + SPARE_BUFFERS;
}

/* Of one buffer: none crosses a page, where pages are small. */
static uint64_t buffer_bytes(uint32_t data)
{
	return (data + BUFFER_COST + PAGE - 1) / PAGE * PAGE;
}

/* Large frames come in chains of small buffers, so only what is sent takes large ones. */
static uint64_t memory_mb(const struct pktgen_options *options)
{
	uint64_t port = rx_buffers(options) *
			(buffer_bytes(BUFFER_ROOM) + buffer_bytes(room(options)));

	if (options->memory > 0)
		return options->memory;
	return BASE_MB + options->n_ports * (PORT_MB + (port >> 20) + 1);
}

static uint64_t free_huge_mb(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long long pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * 2;
}

/* The core that it is to run on, or the last one that it may. */
static unsigned choose_core(const struct pktgen_options *options)
{
	unsigned core = 0;
	cpu_set_t cpus;

	if (options->core_given)
		return (unsigned)options->core;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		for (unsigned i = 0; i < CPU_SETSIZE; i++)
			if (CPU_ISSET(i, &cpus))
				core = i;
	return core;
}

int pktgen_ports_eal(const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	char lcores[32], prefix[48], memory[24];
	char *argv[16] = {"vswitch-pktgen", "--no-pci", "--no-telemetry", "--log-level=error",
		"--lcores", lcores, prefix, "-m", memory};
	uint64_t need = memory_mb(options), have = free_huge_mb();
	bool huge = options->huge || (!options->no_huge && have >= need);
	int argc = 9;

	if (options->huge && have < need) {
		snprintf(err, PKTGEN_ERR,
			"%llu MiB of hugepages are needed and %llu free: sysctl vm.nr_hugepages=N, "
			"or "
			"leave --huge out",
			(unsigned long long)need, (unsigned long long)have);
		return -1;
	}
	snprintf(lcores, sizeof(lcores), "0@%u", choose_core(options));
	snprintf(prefix, sizeof(prefix), "--file-prefix=pktgen%d", (int)getpid());
	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)need);
	/* Nothing of either is seen by other processes of DPDK. */
	argv[argc++] = huge ? "--in-memory" : "--no-huge";
	argv[argc++] = huge ? "--single-file-segments" : "--no-shconf";
	if (rte_eal_init(argc, argv) >= 0)
		return 0;
	snprintf(err, PKTGEN_ERR,
		"DPDK does not start on core %u with %s MiB (%s): see --core, "
		"--memory, --no-huge",
		choose_core(options), memory, rte_strerror(rte_errno));
	return -1;
}

static struct rte_mempool *make_pool(
	const struct pktgen_port *port, const char *what, uint32_t n, uint32_t data, char *err)
{
	struct rte_mempool *pool;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", what, port->number);
	pool = rte_pktmbuf_pool_create(
		name, n, POOL_CACHE, 0, (uint16_t)(data + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
	if (pool == NULL)
		snprintf(err, PKTGEN_ERR, "no memory for %u buffers of %u bytes: see --memory", n,
			data);
	return pool;
}

/* A client needs somebody who listens; waits for that. */
static int wait_for_socket(
	const struct pktgen_port_options *conf, double seconds, char err[PKTGEN_ERR])
{
	uint64_t until = rte_rdtsc() + (uint64_t)(seconds * (double)rte_get_tsc_hz());
	struct stat st;

	if (conf->server)
		return 0;
	while (stat(conf->path, &st) != 0) {
		if (rte_rdtsc() > until) {
			snprintf(err, PKTGEN_ERR,
				"%.120s: %s; the switch must listen there, or use server=1",
				conf->path, strerror(errno));
			return -1;
		}
		usleep(10000);
	}
	return 0;
}

static int probe(
	struct pktgen_port *port, const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	const struct pktgen_port_options *conf = port->conf;
	const uint8_t *mac = conf->mac;
	char args[512];

	if (wait_for_socket(conf, options->wait, err) != 0)
		return -1;
	snprintf(port->dev, sizeof(port->dev), "net_virtio_user%u", port->number);
	snprintf(args, sizeof(args),
		"path=%s,queues=1,queue_size=%u,server=%d,mac=%02x:%02x:%02x:%02x:%02x:%02x%s%s",
		conf->path, (unsigned)options->queue_size, conf->server, mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5], options->virtio != NULL ? "," : "",
		options->virtio != NULL ? options->virtio : "");
	if (rte_eal_hotplug_add("vdev", port->dev, args) == 0 &&
		rte_eth_dev_get_port_by_name(port->dev, &port->id) == 0)
		return 0;
	port->dev[0] = '\0';
	snprintf(err, PKTGEN_ERR,
		"%.100s: no vhost-user switch answers there, or it refuses: is somebody else on "
		"the "
		"socket?",
		conf->path);
	return -1;
}

/* Offloads that the switch grants, and this traffic uses. */
static void choose_offloads(struct pktgen_port *port, const struct pktgen_options *options,
	const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	uint64_t csum = RTE_ETH_TX_OFFLOAD_TCP_CKSUM, tso = RTE_ETH_TX_OFFLOAD_TCP_TSO;

	conf->rxmode.mtu = info->max_mtu < 9000 ? info->max_mtu : 9000;
	conf->rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (pktgen_options_traffic(options, port->number) == PKTGEN_SMB || options->tso > 0) {
		port->can_csum = (info->tx_offload_capa & csum) != 0;
		conf->txmode.offloads |= info->tx_offload_capa & csum;
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	}
	if (options->tso > 0) {
		port->can_tso = port->can_csum && (info->tx_offload_capa & tso) != 0;
		conf->txmode.offloads |= info->tx_offload_capa & tso;
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_LRO;
		conf->rxmode.max_lro_pkt_size = info->max_lro_pkt_size;
	}
}

static int start(
	struct pktgen_port *port, const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	uint16_t size = (uint16_t)options->queue_size;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int status = rte_eth_dev_info_get(port->id, &info);

	if (status == 0) {
		choose_offloads(port, options, &info, &conf);
		status = rte_eth_dev_configure(port->id, 1, 1, &conf);
	}
	if (status == 0)
		status = rte_eth_rx_queue_setup(
			port->id, 0, size, SOCKET_ID_ANY, NULL, port->rx_pool);
	if (status == 0)
		status = rte_eth_tx_queue_setup(port->id, 0, size, SOCKET_ID_ANY, NULL);
	if (status == 0)
		status = rte_eth_dev_start(port->id);
	if (status != 0) {
		snprintf(err, PKTGEN_ERR, "%.100s: does not start: %s", port->conf->path,
			rte_strerror(-status));
		return -1;
	}
	if (options->tso > 0 && !port->can_tso) {
		snprintf(err, PKTGEN_ERR,
			"%.100s: the switch does not offer TSO on this port; leave --tso out",
			port->conf->path);
		return -1;
	}
	return 0;
}

static uint8_t protocol_of(const struct pktgen_options *options, enum pktgen_traffic traffic)
{
	if (traffic == PKTGEN_STORM)
		return options->protocol;
	return traffic == PKTGEN_UDP ? IPPROTO_UDP : IPPROTO_TCP;
}

static int open_port(struct pktgen_port *port, const struct pktgen_options *options,
	uint32_t buffers, char err[PKTGEN_ERR])
{
	const struct pktgen_port_options *conf = port->conf;
	enum pktgen_traffic traffic = pktgen_options_traffic(options, port->number);
	uint8_t protocol = protocol_of(options, traffic);

	pktgen_frame_init(&port->out, conf->peer_mac, conf->mac, options->vlan, protocol);
	pktgen_frame_init(&port->in, conf->mac, conf->peer_mac, options->vlan, protocol);
	port->rx_pool = make_pool(port, "rx", rx_buffers(options), BUFFER_ROOM, err);
	port->tx_pool = make_pool(port, "tx", rx_buffers(options) + buffers, room(options), err);
	if (port->rx_pool == NULL || port->tx_pool == NULL)
		return -1;
	if (probe(port, options, err) != 0 || start(port, options, err) != 0)
		return -1;
	port->out.partial = traffic == PKTGEN_SMB ? port->can_csum : port->can_tso;
	return 0;
}

int pktgen_ports_open(struct pktgen_ports *ports, const struct pktgen_options *options,
	uint32_t buffers, char err[PKTGEN_ERR])
{
	memset(ports, 0, sizeof(*ports));
	for (unsigned i = 0; i < options->n_ports; i++) {
		struct pktgen_port *port = &ports->port[i];

		port->number = i;
		port->conf = &options->ports[i];
		port->peer = (i ^ 1) < options->n_ports ? &ports->port[i ^ 1] : port;
		ports->n = i + 1;
		if (open_port(port, options, buffers, err) != 0) {
			pktgen_ports_close(ports);
			return -1;
		}
	}
	return 0;
}

void pktgen_ports_close(struct pktgen_ports *ports)
{
	for (unsigned i = 0; i < ports->n; i++) {
		struct pktgen_port *port = &ports->port[i];

		if (port->dev[0] != '\0') {
			rte_eth_dev_stop(port->id);
			rte_eth_dev_close(port->id);
			rte_eal_hotplug_remove("vdev", port->dev);
		}
		rte_mempool_free(port->rx_pool);
		rte_mempool_free(port->tx_pool);
	}
	ports->n = 0;
}

static void ask(struct pktgen_port *port)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port->tx_pool);

	if (m == NULL)
		return;
	pktgen_frame_arp(
		&port->out, rte_pktmbuf_mtod(m, uint8_t *), port->conf->ip, port->conf->peer_ip);
	m->data_len = PKTGEN_FRAME_MIN;
	m->pkt_len = PKTGEN_FRAME_MIN;
	if (rte_eth_tx_burst(port->id, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static bool heard(struct pktgen_port *port)
{
	struct rte_mbuf *pkts[PKTGEN_BURST];
	unsigned n = rte_eth_rx_burst(port->id, 0, pkts, PKTGEN_BURST);
	bool found = false;

	for (unsigned i = 0; i < n; i++)
		found |= pktgen_frame_is_arp(&port->in, rte_pktmbuf_mtod(pkts[i], uint8_t *),
			pkts[i]->data_len, port->conf->peer_ip);
	rte_pktmbuf_free_bulk(pkts, n);
	return found;
}

unsigned pktgen_ports_meet(struct pktgen_ports *ports, const struct pktgen_options *options)
{
	uint64_t hz = rte_get_tsc_hz(), next = 0;
	uint64_t until = rte_rdtsc() + (uint64_t)(options->wait * (double)hz);
	bool met[PKTGEN_PORTS] = {false};
	unsigned left = 0;

	for (unsigned i = 0; i < ports->n; i++) {
		met[i] = ports->port[i].peer == &ports->port[i];
		left += !met[i];
	}
	while (left > 0 && rte_rdtsc() < until) {
		bool again = rte_rdtsc() >= next;

		if (again)
			next = rte_rdtsc() + hz / ARP_EVERY;
		for (unsigned i = 0; i < ports->n; i++) {
			if (again)
				ask(&ports->port[i]);
			if (heard(&ports->port[i]) && !met[i]) {
				met[i] = true;
				left--;
			}
		}
		usleep(100);
	}
	return left;
}

struct fill {
	void (*write)(void *arg, uint8_t *data);
	void *arg;
};

static void fill_one(struct rte_mempool *pool, void *arg, void *object, unsigned index)
{
	struct fill *fill = arg;
	struct rte_mbuf *m = object;

	fill->write(fill->arg, (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM);
}

void pktgen_port_fill(struct pktgen_port *port, void (*write)(void *arg, uint8_t *data), void *arg)
{
	struct fill fill = {write, arg};

	rte_mempool_obj_iter(port->tx_pool, fill_one, &fill);
}

unsigned pktgen_ports_empty(struct pktgen_ports *ports)
{
	struct rte_mbuf *pkts[PKTGEN_BURST];
	unsigned sum = 0;

	for (unsigned i = 0; i < ports->n; i++) {
		unsigned n;

		do {
			n = rte_eth_rx_burst(ports->port[i].id, 0, pkts, PKTGEN_BURST);
			rte_pktmbuf_free_bulk(pkts, n);
			sum += n;
		} while (n > 0);
	}
	return sum;
}

void pktgen_ports_await(struct pktgen_ports *ports, uint64_t n)
{
	uint64_t until = rte_rdtsc() + (uint64_t)(AWAIT * (double)rte_get_tsc_hz()), sum = 0;

	while ((sum += pktgen_ports_empty(ports)) < n && rte_rdtsc() < until)
		usleep(100);
}
