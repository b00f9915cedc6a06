#include "kernel_tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if_arp.h>

#define NETNS_DIR "/run/netns"

/* One function on a thread of its own, in another namespace where netns_fd is one. */
struct tap_job {
	int (*run)(void *arg);
	void *arg;
	int netns_fd;
	int result;
};

static void *tap_job_main(void *arg)
{
	struct tap_job *job = arg;

	if (job->netns_fd >= 0 && setns(job->netns_fd, CLONE_NEWNET) != 0)
		job->result = -errno;
	else
		job->result = job->run(job->arg);
	return NULL;
}

static int tap_job(int (*run)(void *arg), void *arg, int netns_fd)
{
	struct tap_job job = {.run = run, .arg = arg, .netns_fd = netns_fd};
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &all);
	rc = pthread_create(&thread, &attr, tap_job_main, &job);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return -rc;
	pthread_join(thread, NULL);
	return job.result;
}

struct tap_open {
	const struct kernel_tap_config *config;
	int fd; /* -1 until there is one */
	char *err;
	size_t err_len;
};

#define tap_fail(job, ...) (snprintf((job)->err, (job)->err_len, __VA_ARGS__), -1)

/* The namespace's descriptor, or -1 with a message. */
static int tap_open_netns(struct tap_open *job)
{
	const char *name = job->config->netns;
	char path[sizeof(NETNS_DIR) + 256];
	int fd;

	if (strchr(name, '/') != NULL)
		return tap_fail(job,
			"kernel.netns: \"%s\" is a path; give the name of a namespace "
			"under " NETNS_DIR,
			name);
	snprintf(path, sizeof(path), NETNS_DIR "/%.255s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return tap_fail(job,
			"kernel.netns: there is no network namespace \"%s\"; make it with \"ip "
			"netns add %s\", or give the name of one under " NETNS_DIR,
			name, name);
	return tap_fail(job, "kernel.netns: cannot open %s: %s", path, strerror(errno));
}

static int tap_fail_device(struct tap_open *job, int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return tap_fail(job, "kernel: no /dev/net/tun; load the kernel's tun module "
				     "(modprobe tun), in a container pass the device in");
	case EPERM:
	case EACCES:
		return tap_fail(job,
			"kernel: may not use /dev/net/tun: %s; vswitchd must run as root or with "
			"CAP_NET_ADMIN",
			strerror(error));
	default:
		return tap_fail(job, "kernel: cannot open /dev/net/tun: %s", strerror(error));
	}
}

static int tap_fail_name(struct tap_open *job, int error)
{
	const struct kernel_tap_config *config = job->config;

	switch (error) {
	case EBUSY:
	case EEXIST:
		return tap_fail(job,
			"kernel.interface: \"%s\" exists already in %s%s; give another name, or "
			"remove that interface",
			config->interface,
			config->netns[0] != '\0' ? "namespace " : "the switch's namespace",
			config->netns);
	case EINVAL:
		return tap_fail(job,
			"kernel.interface: \"%s\" is no interface name; 1 to 15 characters without "
			"blank, slash, colon and per cent sign",
			config->interface);
	case EPERM:
		return tap_fail(job,
			"kernel.interface: may not make \"%s\": %s; vswitchd must run as root or "
			"with CAP_NET_ADMIN",
			config->interface, strerror(error));
	default:
		return tap_fail(job, "kernel.interface: cannot make \"%s\": %s", config->interface,
			strerror(error));
	}
}

static int tap_make(struct tap_open *job)
{
	unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int header = sizeof(struct virtio_net_hdr);
	struct ifreq ifr = {0};

	/* The kernel would take a name with a per cent sign as a pattern. */
	if (job->config->interface[0] == '\0' || strchr(job->config->interface, '%') != NULL)
		return tap_fail_name(job, EINVAL);
	job->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (job->fd < 0)
		return tap_fail_device(job, errno);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", job->config->interface);
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
	if (ioctl(job->fd, TUNSETIFF, &ifr) != 0)
		return tap_fail_name(job, errno);
	if (ioctl(job->fd, TUNSETVNETHDRSZ, &header) != 0 ||
		ioctl(job->fd, TUNSETOFFLOAD, (unsigned long)offload) != 0)
		return tap_fail(job,
			"kernel: the tun driver refuses vnet header and offloads: %s; Linux 3.8 or "
			"newer is needed",
			strerror(errno));
	return 0;
}

/*
 * Through the device's own descriptor: right in whatever namespace it is. Only where it differs,
 * for the kernel forgets the device's neighbours even when the same MAC is set again.
 */
static int tap_set_mac(int fd, const uint8_t *mac)
{
	struct ifreq ifr = {0};

	if (ioctl(fd, SIOCGIFHWADDR, &ifr) == 0 && memcmp(ifr.ifr_hwaddr.sa_data, mac, 6) == 0)
		return 0;
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return ioctl(fd, SIOCSIFHWADDR, &ifr) == 0 ? 0 : -errno;
}

static int tap_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 ? fd : -errno;
}

/* In the device's namespace. */
static int tap_set_mtu(const char *interface, uint16_t mtu)
{
	struct ifreq ifr = {.ifr_mtu = mtu};
	int fd = tap_socket();
	int rc;

	if (fd < 0)
		return fd;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	rc = ioctl(fd, SIOCSIFMTU, &ifr) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

/* In the device's namespace. */
static int tap_set_up(const char *interface)
{
	struct ifreq ifr = {0};
	int fd = tap_socket();
	int rc = 0;

	if (fd < 0)
		return fd;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0)
		rc = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

/*
 * RTM_NEWLINK with IFLA_NET_NS_FD (rtnetlink(7)), from this thread's namespace to netns_fd's. 0, or
 * a negative errno.
 */
static int tap_move(const char *interface, int netns_fd)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
		struct rtattr rta;
		int netns_fd;
	} request = {
		.nlh = {.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.ifi = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(interface)},
		.rta = {.rta_len = RTA_LENGTH(sizeof(int)), .rta_type = IFLA_NET_NS_FD},
		.netns_fd = netns_fd,
	};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (send(fd, &request, sizeof(request), 0) < 0)
		rc = -errno;
	else if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)))
		rc = -EPROTO;
	else if (answer.nlh.nlmsg_type == NLMSG_ERROR)
		rc = answer.error.error;
	close(fd);
	return rc;
}

/* From the namespace that it was made in to the one that was asked for; this thread follows. */
static int tap_move_to(struct tap_open *job, int netns_fd)
{
	int rc = tap_move(job->config->interface, netns_fd);

	if (rc == -EEXIST || rc == -EBUSY)
		return tap_fail_name(job, -rc);
	if (rc == 0 && setns(netns_fd, CLONE_NEWNET) != 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	if (rc == -EINVAL)
		return tap_fail(job,
			"kernel.netns: " NETNS_DIR
			"/%s is no network namespace; make it with \"ip netns add\"",
			job->config->netns);
	return tap_fail(job, "kernel.netns: cannot move \"%s\" to namespace %s: %s",
		job->config->interface, job->config->netns, strerror(-rc));
}

static int tap_set_up_all(struct tap_open *job, int netns_fd)
{
	const struct kernel_tap_config *config = job->config;
	int rc;

	rc = config->mac != NULL ? tap_set_mac(job->fd, config->mac) : 0;
	if (rc != 0)
		return tap_fail(job,
			"mac: the kernel refuses it for \"%s\": %s; give a unicast MAC",
			config->interface, strerror(-rc));
	rc = tap_set_mtu(config->interface, config->mtu);
	if (rc != 0)
		return tap_fail(job, "mtu: the kernel refuses %u for \"%s\": %s", config->mtu,
			config->interface, strerror(-rc));
	if (netns_fd >= 0 && tap_move_to(job, netns_fd) != 0)
		return -1;
	rc = tap_set_up(config->interface);
	if (rc != 0)
		return tap_fail(job, "kernel.interface: cannot set \"%s\" up: %s",
			config->interface, strerror(-rc));
	return 0;
}

static int tap_open_main(void *arg)
{
	struct tap_open *job = arg;
	int netns_fd = -1;
	int rc = 0;

	if (job->config->netns[0] != '\0') {
		netns_fd = tap_open_netns(job);
		if (netns_fd < 0)
			return -1;
		if (unshare(CLONE_NEWNET) != 0)
			rc = tap_fail(job,
				"kernel.netns: may not enter namespace %s: %s; vswitchd must run "
				"as root or with CAP_SYS_ADMIN",
				job->config->netns, strerror(errno));
	}
	if (rc == 0)
		rc = tap_make(job);
	if (rc == 0)
		rc = tap_set_up_all(job, netns_fd);
	if (rc != 0 && job->fd >= 0)
		close(job->fd);
	if (netns_fd >= 0)
		close(netns_fd);
	return rc;
}

int kernel_tap_open(const struct kernel_tap_config *config, char *err, size_t err_len)
{
	struct tap_open job = {.config = config, .fd = -1, .err = err, .err_len = err_len};
	int rc = tap_job(tap_open_main, &job, -1);

	if (rc < -1)
		snprintf(err, err_len, "kernel: cannot start a thread: %s", strerror(-rc));
	return rc == 0 ? job.fd : -1;
}

/* Its name now, and a descriptor of the namespace that it is in; a negative errno on failure. */
static int tap_locate(int fd, char *interface)
{
	struct ifreq ifr = {0};
	int netns_fd;

	if (ioctl(fd, TUNGETIFF, &ifr) != 0)
		return -errno;
	snprintf(interface, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, ifr.ifr_name);
	netns_fd = ioctl(fd, TUNGETDEVNETNS);
	return netns_fd >= 0 ? netns_fd : -errno;
}

struct tap_set {
	char interface[IFNAMSIZ];
	uint16_t mtu;
};

static int tap_set_main(void *arg)
{
	struct tap_set *job = arg;

	return tap_set_mtu(job->interface, job->mtu);
}

int kernel_tap_set(int fd, uint16_t mtu, const uint8_t *mac)
{
	struct tap_set job = {.mtu = mtu};
	int netns_fd = tap_locate(fd, job.interface);
	int rc;

	if (netns_fd < 0)
		return netns_fd;
	rc = tap_job(tap_set_main, &job, netns_fd);
	close(netns_fd);
	if (rc == 0 && mac != NULL)
		rc = tap_set_mac(fd, mac);
	return rc;
}

static int tap_info_main(void *arg)
{
	struct kernel_tap_info *info = arg;
	struct ifreq ifr = {0};
	int fd = tap_socket();
	int rc = 0;

	if (fd < 0)
		return fd;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", info->interface);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) != 0)
		rc = -errno;
	else
		info->up = ifr.ifr_flags & IFF_UP;
	if (rc == 0 && ioctl(fd, SIOCGIFMTU, &ifr) != 0)
		rc = -errno;
	else
		info->mtu = (unsigned)ifr.ifr_mtu;
	info->ifindex = if_nametoindex(info->interface);
	close(fd);
	return rc;
}

static bool tap_same_netns(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* There are as many names as an operator made namespaces. */
static void tap_name_netns(int netns_fd, char *name, size_t len)
{
	struct stat here, other;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	name[0] = '\0';
	if (fstat(netns_fd, &here) != 0)
		return;
	if (stat("/proc/thread-self/ns/net", &other) == 0 && tap_same_netns(&here, &other))
		return;
	dir = opendir(NETNS_DIR);
	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		found = fstatat(dirfd(dir), entry->d_name, &other, 0) == 0 &&
			tap_same_netns(&here, &other);
		if (found)
			snprintf(name, len, "%s", entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	if (!found)
		snprintf(name, len, "net:[%lu]", (unsigned long)here.st_ino);
}

int kernel_tap_info(int fd, struct kernel_tap_info *info)
{
	int netns_fd;
	int rc;

	*info = (struct kernel_tap_info){0};
	netns_fd = tap_locate(fd, info->interface);
	if (netns_fd < 0)
		return netns_fd;
	rc = tap_job(tap_info_main, info, netns_fd);
	tap_name_netns(netns_fd, info->netns, sizeof(info->netns));
	close(netns_fd);
	return rc;
}
