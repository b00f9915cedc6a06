/*
 * Runs inside a test guest: what a test needs of ethtool, which would bring libraries along, and
 * the virtio feature bits as the driver negotiated them.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *interface;

static const struct {
	unsigned bit;
	const char *name;
} virtio_names[] = {
	{0, "csum"},
	{1, "guest_csum"},
	{3, "mtu"},
	{5, "mac"},
	{7, "guest_tso4"},
	{8, "guest_tso6"},
	{9, "guest_ecn"},
	{10, "guest_ufo"},
	{11, "host_tso4"},
	{12, "host_tso6"},
	{13, "host_ecn"},
	{14, "host_ufo"},
	{15, "mrg_rxbuf"},
	{16, "status"},
	{17, "ctrl_vq"},
	{18, "ctrl_rx"},
	{19, "ctrl_vlan"},
	{21, "guest_announce"},
	{22, "mq"},
	{23, "ctrl_mac_addr"},
	{28, "indirect_desc"},
	{29, "event_idx"},
	{32, "version_1"},
	{33, "access_platform"},
	{34, "ring_packed"},
	{35, "in_order"},
};

static int ethtool(void *command)
{
	struct ifreq request = {.ifr_data = command};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), result;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	result = ioctl(fd, SIOCETHTOOL, &request);
	if (result)
		fprintf(stderr, "ethctl: %s: %s\n", interface, strerror(errno));
	close(fd);
	return result;
}

/* The names of a string set, ETH_GSTRING_LEN bytes each; NULL on error. The caller frees it. */
static struct ethtool_gstrings *strings(uint32_t set, uint32_t *n)
{
	struct ethtool_sset_info *size = calloc(1, sizeof(*size) + sizeof(size->data[0]));
	struct ethtool_gstrings *names;

	size->cmd = ETHTOOL_GSSET_INFO;
	size->sset_mask = UINT64_C(1) << set;
	if (ethtool(size)) {
		free(size);
		return NULL;
	}
	*n = size->sset_mask ? size->data[0] : 0;
	free(size);
	names = calloc(1, sizeof(*names) + (size_t)*n * ETH_GSTRING_LEN);
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = set;
	names->len = *n;
	if (*n && ethtool(names)) {
		free(names);
		return NULL;
	}
	return names;
}

static int features(const char *name, const char *value)
{
	uint32_t n, blocks;
	struct ethtool_gstrings *names = strings(ETH_SS_FEATURES, &n);
	struct ethtool_gfeatures *got;
	int found = 0;

	if (!names)
		return 1;
	blocks = (n + 31) / 32;
	got = calloc(1, sizeof(*got) + blocks * sizeof(got->features[0]));
	got->cmd = ETHTOOL_GFEATURES;
	got->size = blocks;
	if (ethtool(got))
		return 1;
	for (uint32_t i = 0; i < n; i++) {
		const char *at = (const char *)names->data + i * ETH_GSTRING_LEN;
		uint32_t bit = UINT32_C(1) << i % 32;
		struct ethtool_sfeatures *set;

		if (!name)
			printf("%s: %s\n", at, got->features[i / 32].active & bit ? "on" : "off");
		if (!name || strcmp(name, at))
			continue;
		found = 1;
		set = calloc(1, sizeof(*set) + blocks * sizeof(set->features[0]));
		set->cmd = ETHTOOL_SFEATURES;
		set->size = blocks;
		set->features[i / 32].valid = bit;
		set->features[i / 32].requested = strcmp(value, "on") ? 0 : bit;
		if (ethtool(set))
			return 1;
	}
	if (name && !found) {
		fprintf(stderr, "ethctl: no feature %s\n", name);
		return 1;
	}
	return 0;
}

static int channels(const char *combined)
{
	struct ethtool_channels now = {.cmd = ETHTOOL_GCHANNELS};

	if (ethtool(&now))
		return 1;
	if (!combined) {
		printf("combined=%u max=%u\n", now.combined_count, now.max_combined);
		return 0;
	}
	now.cmd = ETHTOOL_SCHANNELS;
	now.combined_count = atoi(combined);
	return ethtool(&now) ? 1 : 0;
}

static int stats(void)
{
	uint32_t n;
	struct ethtool_gstrings *names = strings(ETH_SS_STATS, &n);
	struct ethtool_stats *got;

	if (!names)
		return 1;
	got = calloc(1, sizeof(*got) + n * sizeof(got->data[0]));
	got->cmd = ETHTOOL_GSTATS;
	got->n_stats = n;
	if (ethtool(got))
		return 1;
	for (uint32_t i = 0; i < n; i++)
		printf("%s=%llu\n", (const char *)names->data + i * ETH_GSTRING_LEN, got->data[i]);
	return 0;
}

/* sysfs has one character a bit, bit 0 first. */
static int virtio(const char *name)
{
	char path[128], bits[80] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/features", interface);
	file = fopen(path, "r");
	if (!file || !fgets(bits, sizeof(bits), file)) {
		fprintf(stderr, "ethctl: %s: %s\n", path, strerror(errno));
		return 1;
	}
	fclose(file);
	for (size_t i = 0; i < sizeof(virtio_names) / sizeof(virtio_names[0]); i++) {
		int on = bits[virtio_names[i].bit] == '1';

		if (name && !strcmp(name, virtio_names[i].name))
			return on ? 0 : 1;
		if (!name && on)
			printf("%s\n", virtio_names[i].name);
	}
	if (name)
		fprintf(stderr, "ethctl: no virtio feature %s\n", name);
	return name ? 2 : 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: ethctl INTERFACE features             NAME: on|off, one a line\n"
		"       ethctl INTERFACE set FEATURE on|off\n"
		"       ethctl INTERFACE channels [COMBINED]  show or set queue pairs\n"
		"       ethctl INTERFACE stats                the driver's counters\n"
		"       ethctl INTERFACE virtio [FEATURE]     those negotiated, or exit code "
		"0: it was, 1: not\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return usage();
	interface = argv[1];
	if (argc == 3 && !strcmp(argv[2], "features"))
		return features(NULL, NULL);
	if (argc == 5 && !strcmp(argv[2], "set"))
		return features(argv[3], argv[4]);
	if (argc <= 4 && !strcmp(argv[2], "channels"))
		return channels(argv[3]);
	if (argc == 3 && !strcmp(argv[2], "stats"))
		return stats();
	if (argc <= 4 && !strcmp(argv[2], "virtio"))
		return virtio(argv[3]);
	return usage();
}
