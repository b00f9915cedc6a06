#include "xdp_attached.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>

#include "xdp_edge.h"

#define MAPS_MAX 64 /* of one program, that are looked at; ours has fewer */

int xdp_attached_open(const struct xdp_attached *found)
{
	return bpf_prog_get_fd_by_id(found->id);
}

/* Whether the map is called so. What is 0 may be anything. */
static bool is_like(
	int map, const char *name, uint32_t type, uint32_t key_size, uint32_t value_size)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(map, &info, &len) == 0 && strcmp(info.name, name) == 0 &&
	       info.type == type && (key_size == 0 || info.key_size == key_size) &&
	       (value_size == 0 || info.value_size == value_size);
}

int xdp_attached_map(
	int program, const char *name, uint32_t type, uint32_t key_size, uint32_t value_size)
{
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &len) != 0)
		return -errno;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		int map = bpf_map_get_fd_by_id(ids[i]);

		if (map < 0)
			continue;
		if (is_like(map, name, type, key_size, value_size))
			return map;
		close(map);
	}
	return -ENOENT;
}

bool xdp_attached_native_will_do(unsigned ifindex)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (void *)&info};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool bond;

	if (fd < 0)
		return true;
	bond = if_indextoname(ifindex, ifr.ifr_name) != NULL && ioctl(fd, SIOCETHTOOL, &ifr) == 0 &&
	       strcmp(info.driver, "bonding") == 0;
	close(fd);
	return !bond;
}

static void look_at(struct xdp_attached *found)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int program = xdp_attached_open(found), sockets;

	if (program < 0)
		return;
	if (bpf_obj_get_info_by_fd(program, &info, &len) == 0)
		snprintf(found->name, sizeof(found->name), "%s", info.name);
	if (strcmp(found->name, EDGE_PROGRAM) == 0) {
		sockets = xdp_attached_map(program, EDGE_SOCKETS, BPF_MAP_TYPE_XSKMAP, 0, 0);
		found->ours = sockets >= 0;
		if (sockets >= 0)
			close(sockets);
	}
	close(program);
}

int xdp_attached_find(unsigned ifindex, struct xdp_attached *found)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int rc = bpf_xdp_query((int)ifindex, 0, &query);

	memset(found, 0, sizeof(*found));
	if (rc != 0)
		return rc;
	if (query.attach_mode == XDP_ATTACHED_DRV)
		found->mode = XDP_FLAGS_DRV_MODE;
	else if (query.attach_mode == XDP_ATTACHED_SKB)
		found->mode = XDP_FLAGS_SKB_MODE;
	/* Several at once (XDP_ATTACHED_MULTI): one in the NIC itself is never ours. */
	found->id = query.attach_mode == XDP_ATTACHED_MULTI ? query.hw_prog_id : query.prog_id;
	if (found->id != 0)
		look_at(found);
	if (found->mode == 0)
		found->ours = false;
	return 0;
}
