#include "iface.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Asks the kernel about the interface, or tells it. 0 or -errno. */
static int request(const struct iface *iface, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", iface->name);
	rc = ioctl(fd, what, ifr) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

static int ethtool(const struct iface *iface, uint32_t cmd, uint32_t *data)
{
	struct ethtool_value value = {.cmd = cmd, .data = *data};
	struct ifreq ifr = {.ifr_data = (void *)&value};
	int rc = request(iface, SIOCETHTOOL, &ifr);

	*data = value.data;
	return rc;
}

static short flags_of(const struct iface *iface)
{
	struct ifreq ifr = {0};

	return request(iface, SIOCGIFFLAGS, &ifr) == 0 ? ifr.ifr_flags : 0;
}

/*
 * What is mounted at /sys may be of another network namespace than the switch is in (nsenter(1)
 * mounts none), and have another interface of the name.
 */
static bool is_in_sysfs(const struct iface *iface)
{
	char path[64];
	unsigned index = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", iface->name);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	if (fscanf(file, "%u", &index) != 1)
		index = 0;
	fclose(file);
	return index == iface->index;
}

unsigned iface_queues(const struct iface *iface)
{
	char path[64];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	if (!is_in_sysfs(iface))
		return 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", iface->name);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		n += strncmp(entry->d_name, "rx-", 3) == 0;
	if (dir != NULL)
		closedir(dir);
	return n;
}

static bool is_ethernet(const struct iface *iface)
{
	struct ifreq ifr = {0};

	return request(iface, SIOCGIFHWADDR, &ifr) == 0 && ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

int iface_find(struct iface *iface, const char *name, char *err, size_t err_len)
{
	memset(iface, 0, sizeof(*iface));
	snprintf(iface->name, sizeof(iface->name), "%s", name);
	iface->index = if_nametoindex(name);
	if (iface->index == 0)
		snprintf(err, err_len,
			"there is no interface %s: it is looked for until it is there (ip link)",
			name);
	else if (!is_ethernet(iface))
		snprintf(err, err_len,
			"%s is no Ethernet interface (a loopback brings back what is sent, a "
			"tunnel "
			"has no Ethernet headers): use a NIC, a veth or the like",
			name);
	else
		return 0;
	iface->index = 0;
	return -1;
}

static int raise_mtu(struct iface *iface, uint16_t mtu, char *err, size_t err_len)
{
	struct ifreq ifr = {0};
	uint32_t before;

	if (request(iface, SIOCGIFMTU, &ifr) != 0 || ifr.ifr_mtu >= mtu)
		return 0;
	before = (uint32_t)ifr.ifr_mtu;
	ifr.ifr_mtu = mtu;
	if (request(iface, SIOCSIFMTU, &ifr) == 0) {
		iface->mtu = before;
		return 0;
	}
	snprintf(err, err_len,
		"%s does not take packets of %u bytes, which a network of the uplink or its vxlan "
		"has as its "
		"mtu: lower that, or use another interface",
		iface->name, mtu);
	return -1;
}

static int leave_tags(struct iface *iface, char *err, size_t err_len)
{
	uint32_t flags = 0;

	if (ethtool(iface, ETHTOOL_GFLAGS, &flags) != 0 || !(flags & ETH_FLAG_RXVLAN))
		return 0;
	flags &= ~(uint32_t)ETH_FLAG_RXVLAN;
	if (ethtool(iface, ETHTOOL_SFLAGS, &flags) == 0) {
		iface->vlan_strip = true;
		return 0;
	}
	snprintf(err, err_len,
		"%s takes VLAN tags off before the switch can see them, and does not let that be "
		"turned off (ethtool -K %s rxvlan off): use another interface",
		iface->name, iface->name);
	return -1;
}

int iface_prepare(struct iface *iface, uint16_t mtu, char *err, size_t err_len)
{
	/* An MTU that is too large has changed nothing yet, however often it is asked for. */
	return raise_mtu(iface, mtu, err, err_len) != 0 ? -1 : leave_tags(iface, err, err_len);
}

/* As it is called now: it is the same under another name. False: it is gone. */
static bool find_again(const struct iface *iface, struct iface *now)
{
	*now = *iface;
	return iface->index != 0 && if_indextoname(iface->index, now->name) != NULL;
}

void iface_restore(const struct iface *iface)
{
	struct ifreq ifr = {0};
	struct iface now;
	uint32_t flags = 0;

	if (!find_again(iface, &now))
		return;
	if (now.mtu != 0) {
		ifr.ifr_mtu = (int)now.mtu;
		request(&now, SIOCSIFMTU, &ifr);
	}
	if (now.vlan_strip && ethtool(&now, ETHTOOL_GFLAGS, &flags) == 0) {
		flags |= ETH_FLAG_RXVLAN;
		ethtool(&now, ETHTOOL_SFLAGS, &flags);
	}
}

bool iface_is_promiscuous(const struct iface *iface)
{
	return flags_of(iface) & IFF_PROMISC;
}

void iface_set_promiscuous(const struct iface *iface, bool on)
{
	struct ifreq ifr = {0};
	struct iface now;

	if (!find_again(iface, &now))
		return;
	ifr.ifr_flags = flags_of(&now);
	if (!(ifr.ifr_flags & IFF_PROMISC) == !on)
		return;
	ifr.ifr_flags ^= IFF_PROMISC;
	request(&now, SIOCSIFFLAGS, &ifr);
}

bool iface_is_there(const struct iface *iface)
{
	return if_nametoindex(iface->name) == iface->index;
}

bool iface_is_running(const struct iface *iface)
{
	short flags = flags_of(iface);

	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}

uint32_t iface_speed(const struct iface *iface, bool *full_duplex)
{
	struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET};
	struct ifreq ifr = {.ifr_data = (void *)&cmd};
	uint32_t speed;

	*full_duplex = false;
	if (request(iface, SIOCETHTOOL, &ifr) != 0)
		return 0;
	*full_duplex = cmd.duplex == DUPLEX_FULL;
	speed = ethtool_cmd_speed(&cmd);
	return speed == (uint32_t)SPEED_UNKNOWN ? 0 : speed;
}

void iface_mac(const struct iface *iface, uint8_t mac[6])
{
	struct ifreq ifr = {0};

	request(iface, SIOCGIFHWADDR, &ifr);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
}
