#include "ethdev_probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "config_uplinks.h"
#include "ethdev_pool.h"

#define DESCRIPTORS   1024
#define QUEUE_BUFFERS (3 * DESCRIPTORS) /* in its rings, and as many on their way */
#define RSS_KEY_MAX   64
#define TAGS_LEN      (2 * TRUNK_TAG_LEN)
#define SEGMENTS_64K  36 /* of 64 KiB as the vhost library fills buffers, and some */
#define SEGMENTS_MTU  8 /* of CONFIG_MTU_MAX, cut out of others at any byte, with headers apart */

#define WANTED_TX                                                                                  \
	(RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM |                           \
		RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |                      \
		RTE_ETH_TX_OFFLOAD_TCP_TSO)
#define CHECKSUMS (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define TSO       (RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)

static const char *device_name(const struct ethdev *device, char name[RTE_DEV_NAME_MAX_LEN])
{
	snprintf(name, RTE_DEV_NAME_MAX_LEN, "%.*s", (int)strcspn(device->name, ","), device->name);
	return name;
}

/* Before DPDK is asked, which would say so less clearly and in the log, each time anew. */
static int check_pci(const struct ethdev *device, char *err, size_t err_len)
{
	char name[RTE_DEV_NAME_MAX_LEN], path[128];

	if (!config_device_is_pci(device->name))
		return 0;
	device_name(device, name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%.60s",
		strlen(name) < sizeof("0000:00:00.0") - 1 ? "0000:" : "", name);
	if (access(path, F_OK) == 0)
		return 0;
	snprintf(err, err_len, "%s: this host has no such PCI device: see lspci -D", name);
	return -1;
}

/* The value of iface= among the arguments of net_af_packet. */
static int find_iface(struct ethdev *device, char *err, size_t err_len)
{
	const char *at = strstr(device->name, ",iface=");
	char name[IF_NAMESIZE];
	size_t len;

	if (strncmp(device->name, "net_af_packet", strlen("net_af_packet")) != 0)
		return 0;
	at = at != NULL ? at + strlen(",iface=") : "";
	len = strcspn(at, ",");
	if (len == 0 || len >= sizeof(name)) {
		snprintf(err, err_len,
			"%s: names no interface: add it, as in net_af_packet0,iface=eth1",
			device->name);
		return -1;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, at);
	if (iface_find(&device->iface, name, err, err_len) != 0)
		return -1;
	device->promiscuous = iface_is_promiscuous(&device->iface);
	return 0;
}

/* Why DPDK did not make or take the device, as far as it says. */
static void explain_probe(const struct ethdev *device, int rc, char *err, size_t err_len)
{
	/* Many drivers say -1 for anything. */
	const char *why = rc < -1 ? rte_strerror(-rc) : "it does not say why";
	char name[RTE_DEV_NAME_MAX_LEN];

	device_name(device, name);
	if (config_device_is_pci(name))
		snprintf(err, err_len,
			"%s: no driver of DPDK takes it (%s): bind it to vfio-pci, as "
			"dpdk-devbind.py -b vfio-pci %s does",
			name, rc != 0 ? why : "it is no NIC that DPDK knows", name);
	else
		snprintf(err, err_len,
			"%s: cannot be made (%s): is there a driver of DPDK of that name with such "
			"arguments?",
			device->name, why);
}

static int probe(struct ethdev *device, char *err, size_t err_len)
{
	char name[RTE_DEV_NAME_MAX_LEN];
	int rc;

	device_name(device, name);
	if (rte_eth_dev_get_port_by_name(name, &device->eth) == 0) {
		snprintf(err, err_len, "%s: another uplink has a device of that name", name);
		return -1;
	}
	rc = rte_dev_probe(device->name);
	if (rc == 0 && rte_eth_dev_get_port_by_name(name, &device->eth) == 0) {
		device->probed = true;
		return 0;
	}
	explain_probe(device, rc, err, err_len);
	return -1;
}

/* Bytes of L3. Where a device names no MTU, its longest frame goes by header and CRC. */
static uint32_t most_bytes(const struct ethdev *device, const struct rte_eth_dev_info *info)
{
	/* Without chains every packet lies in one buffer of the switch's own pool. */
	uint32_t most = device->usable & RTE_ETH_TX_OFFLOAD_MULTI_SEGS
				? UINT16_MAX
				: RTE_MBUF_DEFAULT_DATAROOM - RTE_ETHER_HDR_LEN - TRUNK_TAG_LEN;
	uint32_t extra = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != 0)
		most = RTE_MIN(most, info->max_mtu);
	if (info->max_mtu == UINT16_MAX && info->max_rx_pktlen > extra)
		most = RTE_MIN(most, info->max_rx_pktlen - extra);
	return most;
}

static int check_limits(
	const struct ethdev *device, const struct rte_eth_dev_info *info, char *err, size_t err_len)
{
	unsigned queues = RTE_MIN(info->max_rx_queues, info->max_tx_queues);
	uint32_t mtu = most_bytes(device, info);

	if (device->trunk->conf.queues > queues) {
		snprintf(err, err_len, "%s: has %u queues at most, not %u: lower queues",
			device->name, queues, device->trunk->conf.queues);
		return -1;
	}
	if (device->trunk->conf.mtu <= mtu)
		return 0;
	snprintf(err, err_len,
		"%s: takes packets of %u bytes at most, and a network of the uplink has %u as its "
		"mtu, or its vxlan: lower that, or use another device",
		device->name, mtu, device->trunk->conf.mtu);
	return -1;
}

/* Of a packet that is not cut; 0: any number. */
static uint16_t most_segments(const struct rte_eth_desc_lim *limit)
{
	return limit->nb_mtu_seg_max != 0 ? limit->nb_mtu_seg_max : limit->nb_seg_max;
}

/*
 * net_tap sums and cuts in software, and cuts IPv4 only (librte_gso): the switch does that better.
 * Chains of more buffers than a NIC takes in one packet must not be promised.
 */
static uint64_t usable_offloads(const struct rte_eth_dev_info *info)
{
	uint64_t usable = info->tx_offload_capa & WANTED_TX;
	const struct rte_eth_desc_lim *limit = &info->tx_desc_lim;

	if (strcmp(info->driver_name, "net_tap") == 0)
		usable &= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (most_segments(limit) != 0 && most_segments(limit) < SEGMENTS_MTU)
		usable &= ~(uint64_t)RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if ((limit->nb_seg_max != 0 && limit->nb_seg_max < SEGMENTS_64K) ||
		!(usable & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) || (usable & CHECKSUMS) != CHECKSUMS ||
		(usable & TSO) != TSO)
		usable &= ~(uint64_t)RTE_ETH_TX_OFFLOAD_TCP_TSO;
	if ((usable & CHECKSUMS) != CHECKSUMS)
		usable &= ~(uint64_t)(CHECKSUMS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
	return usable;
}

static uint32_t caps_of(uint64_t offloads)
{
	uint32_t caps = 0;

	if (offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
		caps |= PORT_TX_CHAINS;
	if ((offloads & CHECKSUMS) == CHECKSUMS)
		caps |= PORT_TX_CSUM;
	if (offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO)
		caps |= PORT_TX_TSO4 | PORT_TX_TSO6;
	return caps;
}

/*
 * Both directions of a connection come in at the same queue: a Toeplitz key of one 16-bit word
 * repeated makes the hash the same with sides exchanged (Woo and Park, 2012).
 */
static void choose_rss(
	struct ethdev *device, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	static uint8_t key[RSS_KEY_MAX];
	uint64_t wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

	if (device->trunk->conf.queues == 1 || (info->flow_type_rss_offloads & wanted) == 0)
		return;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = i % 2 == 0 ? 0x6d : 0x5a;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & wanted;
	device->facts.rss = true;
	if (info->hash_key_size == 0 || info->hash_key_size > sizeof(key))
		return;
	conf->rx_adv_conf.rss_conf.rss_key = key;
	conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	device->facts.rss_symmetric = true;
}

static int configure(
	struct ethdev *device, const struct rte_eth_dev_info *info, char *err, size_t err_len)
{
	struct rte_eth_conf conf = {0};
	uint16_t queues = (uint16_t)device->trunk->conf.queues;
	int rc;

	choose_rss(device, info, &conf);
	device->facts.driver = info->driver_name;
	device->facts.tx_offloads = device->usable;
	device->trunk->tx_caps = caps_of(device->facts.tx_offloads);
	device->trunk->segments = device->segments;
	device->trunk->longest = RTE_ETHER_HDR_LEN + TAGS_LEN + device->trunk->conf.mtu;
	/* No VLAN strip: tags stay in frames, and no sums: what is broken is for guests to see. */
	if (device->trunk->longest > RTE_MBUF_DEFAULT_DATAROOM)
		device->facts.rx_offloads = device->rx_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.rxmode.offloads = device->facts.rx_offloads;
	conf.rxmode.mtu = device->trunk->conf.mtu;
	conf.txmode.offloads = device->facts.tx_offloads;
	rc = rte_eth_dev_configure(device->eth, queues, queues, &conf);
	if (rc == 0)
		return 0;
	snprintf(err, err_len, "%s: does not take its configuration: %s", device->name,
		rte_strerror(-rc));
	return -1;
}

static int set_up_queues(struct ethdev *device, const struct rte_eth_dev_info *info)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	struct rte_eth_txconf txconf = info->default_txconf;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(device->eth, &rx, &tx);

	rxconf.offloads = device->facts.rx_offloads;
	txconf.offloads = device->facts.tx_offloads;
	for (uint16_t q = 0; rc == 0 && q < device->trunk->conf.queues; q++)
		rc = rte_eth_rx_queue_setup(
			device->eth, q, rx, SOCKET_ID_ANY, &rxconf, device->pool);
	for (uint16_t q = 0; rc == 0 && q < device->trunk->conf.queues; q++)
		rc = rte_eth_tx_queue_setup(device->eth, q, tx, SOCKET_ID_ANY, &txconf);
	return rc;
}

/* Queues and start: where a device that somebody else uses says so. */
static int start(
	struct ethdev *device, const struct rte_eth_dev_info *info, char *err, size_t err_len)
{
	unsigned buffers = device->trunk->conf.queues * QUEUE_BUFFERS;
	uint32_t room =
		device->facts.rx_offloads & RTE_ETH_RX_OFFLOAD_SCATTER ? 0 : device->trunk->longest;
	int rc;

	device->pool = ethdev_pool_take(buffers - 1, room, err, err_len);
	if (device->pool == NULL)
		return -1;
	rc = set_up_queues(device, info);
	if (rc == 0)
		rc = rte_eth_dev_start(device->eth);
	if (rc != 0) {
		snprintf(err, err_len,
			"%s: cannot be started: %s: is it in use by another program?", device->name,
			rte_strerror(-rc));
		return -1;
	}
	device->started = true;
	/* Guests have MACs that are not the NIC's. Rings and the like take all frames anyway. */
	rc = rte_eth_promiscuous_enable(device->eth);
	if (rc == 0 || rc == -ENOTSUP)
		return 0;
	snprintf(err, err_len, "%s: does not take frames for other MACs than its own: %s",
		device->name, rte_strerror(-rc));
	return -1;
}

/* On DPDK's interrupt thread. */
static int on_removed(uint16_t eth, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct ethdev *device = arg;

	atomic_store(&device->gone, true);
	return 0;
}

int ethdev_probe_find(struct ethdev *device, char *err, size_t err_len)
{
	struct rte_eth_dev_info info;

	atomic_store(&device->gone, false);
	memset(&device->iface, 0, sizeof(device->iface));
	if (check_pci(device, err, err_len) != 0 || find_iface(device, err, err_len) != 0 ||
		probe(device, err, err_len) != 0) {
		ethdev_probe_stop(device);
		return -1;
	}
	if (rte_eth_dev_info_get(device->eth, &info) != 0) {
		snprintf(err, err_len, "%s: says nothing about itself", device->name);
		ethdev_probe_stop(device);
		return -1;
	}
	device->device = info.device;
	device->tells_link = *info.dev_flags & RTE_ETH_DEV_INTR_LSC;
	device->usable = usable_offloads(&info);
	device->rx_capa = info.rx_offload_capa;
	device->segments = most_segments(&info.tx_desc_lim);
	rte_eth_dev_callback_register(device->eth, RTE_ETH_EVENT_INTR_RMV, on_removed, device);
	/* What touches the interface comes last: it is tried each second, and the host uses it. */
	if (check_limits(device, &info, err, err_len) == 0 &&
		(device->iface.index == 0 ||
			iface_prepare(&device->iface, device->trunk->conf.mtu, err, err_len) == 0))
		return 0;
	ethdev_probe_stop(device);
	return -1;
}

int ethdev_probe_run(struct ethdev *device, char *err, size_t err_len)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(device->eth, &info) != 0) {
		snprintf(err, err_len, "%s: says nothing about itself", device->name);
		return -1;
	}
	return configure(device, &info, err, err_len) == 0 ? start(device, &info, err, err_len)
							   : -1;
}

static void take_down(struct ethdev *device)
{
	rte_eth_dev_callback_unregister(device->eth, RTE_ETH_EVENT_INTR_RMV, on_removed, device);
	if (device->started) {
		rte_eth_promiscuous_disable(device->eth);
		rte_eth_dev_stop(device->eth);
	}
	rte_eth_dev_close(device->eth);
	if (device->device != NULL)
		rte_dev_remove(device->device);
	device->probed = device->started = false;
}

/* What fails is told by us, once, and tried again every second. */
uint32_t ethdev_probe_hush(void)
{
	uint32_t level = rte_log_get_global_level();

	rte_log_set_global_level(RTE_LOG_CRIT);
	return level;
}

void ethdev_probe_unhush(uint32_t level)
{
	rte_log_set_global_level(level);
}

int ethdev_probe_start(struct ethdev *device, char *err, size_t err_len)
{
	uint32_t level = ethdev_probe_hush();
	int rc;

	rc = ethdev_probe_find(device, err, err_len);
	if (rc == 0)
		rc = ethdev_probe_run(device, err, err_len);
	if (rc != 0)
		ethdev_probe_stop(device);
	ethdev_probe_unhush(level);
	return rc;
}

void ethdev_probe_stop(struct ethdev *device)
{
	uint32_t level = ethdev_probe_hush(); /* of a device that is gone there is little to say */

	if (device->probed)
		take_down(device);
	ethdev_probe_unhush(level);
	if (device->iface.index != 0) {
		iface_set_promiscuous(&device->iface, device->promiscuous);
		iface_restore(&device->iface);
		device->iface.index = 0;
	}
	ethdev_pool_give(device->pool);
	device->pool = NULL;
}
