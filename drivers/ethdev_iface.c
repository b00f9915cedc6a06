#include "ethdev_iface.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ethdev_xdp.h"

/* Asks the kernel about the interface, or tells it. 0 or -errno. */
static int request(const struct ethdev_iface *iface, unsigned long what, struct ifreq *ifr)
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

static int ethtool(const struct ethdev_iface *iface, uint32_t cmd, uint32_t *data)
{
	struct ethtool_value value = {.cmd = cmd, .data = *data};
	struct ifreq ifr = {.ifr_data = (void *)&value};
	int rc = request(iface, SIOCETHTOOL, &ifr);

	*data = value.data;
	return rc;
}

static short flags_of(const struct ethdev_iface *iface)
{
	struct ifreq ifr = {0};

	return request(iface, SIOCGIFFLAGS, &ifr) == 0 ? ifr.ifr_flags : 0;
}

/* Receive queues in use; 0 where that cannot be told. */
static unsigned count_queues(const struct ethdev_iface *iface)
{
	char path[64];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", iface->name);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		n += strncmp(entry->d_name, "rx-", 3) == 0;
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* The value of iface= among the arguments. False: there is none, or it is too long for one. */
static bool read_name(struct ethdev_iface *iface, const char *device)
{
	const char *at = strstr(device, ",iface=");
	size_t len;

	if (at == NULL)
		return false;
	at += strlen(",iface=");
	len = strcspn(at, ",");
	if (len == 0 || len >= sizeof(iface->name))
		return false;
	memcpy(iface->name, at, len);
	iface->name[len] = '\0';
	return true;
}

int ethdev_iface_find(
	struct ethdev_iface *iface, const char *device, unsigned queues, char *err, size_t err_len)
{
	unsigned has;

	memset(iface, 0, sizeof(*iface));
	iface->xdp = strncmp(device, "net_af_xdp", strlen("net_af_xdp")) == 0;
	if (!iface->xdp && strncmp(device, "net_af_packet", strlen("net_af_packet")) != 0)
		return 0;
	if (!read_name(iface, device)) {
		snprintf(err, err_len,
			"%s: names no interface: add it, as in net_af_xdp0,iface=eth1", device);
		return -1;
	}
	iface->index = if_nametoindex(iface->name);
	if (iface->index == 0) {
		snprintf(err, err_len,
			"%s: there is no interface %s: it is looked for until it is there (ip "
			"link)",
			device, iface->name);
		return -1;
	}
	has = count_queues(iface);
	if (!iface->xdp)
		return 0;
	if (has == 0 || has == queues) {
		int left = ethdev_xdp_check(iface->name, iface->index, queues, err, err_len);

		iface->left_behind = left > 0;
		return left < 0 ? -1 : 0;
	}
	snprintf(err, err_len,
		"%s: %s has %u receive queues and the uplink %u, and what comes in at a queue that "
		"only one side has would be lost: ethtool -L %s combined %u, or queues: %u",
		device, iface->name, has, queues, iface->name, queues, has);
	return -1;
}

/* Both MTU and flags are where they were when the uplink goes. */
int ethdev_iface_prepare(struct ethdev_iface *iface, uint16_t mtu, char *err, size_t err_len)
{
	struct ifreq ifr = {0};
	uint32_t flags = 0;

	if (iface->name[0] == '\0')
		return 0;
	/* A switch that crashed left it promiscuous. */
	iface->promiscuous = !iface->left_behind && (flags_of(iface) & IFF_PROMISC);
	if (ethtool(iface, ETHTOOL_GFLAGS, &flags) == 0 && (flags & ETH_FLAG_RXVLAN)) {
		flags &= ~(uint32_t)ETH_FLAG_RXVLAN;
		if (ethtool(iface, ETHTOOL_SFLAGS, &flags) != 0) {
			snprintf(err, err_len,
				"%s takes VLAN tags off before the switch can see them, and does "
				"not let that be turned off (ethtool -K %s rxvlan off): use "
				"another interface",
				iface->name, iface->name);
			return -1;
		}
		iface->vlan_strip = true;
	}
	if (request(iface, SIOCGIFMTU, &ifr) != 0 || ifr.ifr_mtu >= mtu)
		return 0;
	iface->mtu = (uint32_t)ifr.ifr_mtu;
	ifr.ifr_mtu = mtu;
	if (request(iface, SIOCSIFMTU, &ifr) == 0)
		return 0;
	iface->mtu = 0;
	snprintf(err, err_len,
		"%s does not take packets of %u bytes, which a network of the uplink has as its "
		"mtu: lower that, or use another interface",
		iface->name, mtu);
	return -1;
}

void ethdev_iface_restore(const struct ethdev_iface *iface)
{
	struct ifreq ifr = {0};
	uint32_t flags = 0;

	if (iface->name[0] == '\0' || !ethdev_iface_is_there(iface))
		return;
	if (iface->mtu != 0) {
		ifr.ifr_mtu = (int)iface->mtu;
		request(iface, SIOCSIFMTU, &ifr);
	}
	if (iface->vlan_strip && ethtool(iface, ETHTOOL_GFLAGS, &flags) == 0) {
		flags |= ETH_FLAG_RXVLAN;
		ethtool(iface, ETHTOOL_SFLAGS, &flags);
	}
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = flags_of(iface);
	if (!(ifr.ifr_flags & IFF_PROMISC) != !iface->promiscuous) {
		ifr.ifr_flags ^= IFF_PROMISC;
		request(iface, SIOCSIFFLAGS, &ifr);
	}
}

bool ethdev_iface_is_there(const struct ethdev_iface *iface)
{
	return if_nametoindex(iface->name) == iface->index;
}

bool ethdev_iface_is_running(const struct ethdev_iface *iface)
{
	short flags = flags_of(iface);

	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}
