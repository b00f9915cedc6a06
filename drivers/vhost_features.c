#include "vhost_features.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "log.h"
#include "port_driver.h"
#include "state_file.h"

#define BIT(n) (1ull << (n))

#ifndef VIRTIO_F_RING_PACKED
#define VIRTIO_F_RING_PACKED 34
#endif

static const char *const names[64] = {
	[VIRTIO_NET_F_CSUM] = "csum",
	[VIRTIO_NET_F_GUEST_CSUM] = "guest_csum",
	[VIRTIO_NET_F_MTU] = "mtu",
	[VIRTIO_NET_F_MAC] = "mac",
	[6] = "gso",
	[VIRTIO_NET_F_GUEST_TSO4] = "guest_tso4",
	[VIRTIO_NET_F_GUEST_TSO6] = "guest_tso6",
	[VIRTIO_NET_F_GUEST_ECN] = "guest_ecn",
	[VIRTIO_NET_F_GUEST_UFO] = "guest_ufo",
	[VIRTIO_NET_F_HOST_TSO4] = "host_tso4",
	[VIRTIO_NET_F_HOST_TSO6] = "host_tso6",
	[VIRTIO_NET_F_HOST_ECN] = "host_ecn",
	[VIRTIO_NET_F_HOST_UFO] = "host_ufo",
	[VIRTIO_NET_F_MRG_RXBUF] = "mrg_rxbuf",
	[VIRTIO_NET_F_STATUS] = "status",
	[VIRTIO_NET_F_CTRL_VQ] = "ctrl_vq",
	[VIRTIO_NET_F_CTRL_RX] = "ctrl_rx",
	[VIRTIO_NET_F_GUEST_ANNOUNCE] = "guest_announce",
	[VIRTIO_NET_F_MQ] = "mq",
	[26] = "log_all",
	[27] = "any_layout",
	[VIRTIO_RING_F_INDIRECT_DESC] = "indirect_desc",
	[VIRTIO_RING_F_EVENT_IDX] = "event_idx",
	[30] = "protocol_features",
	[32] = "version_1",
	[33] = "iommu_platform",
	[VIRTIO_F_RING_PACKED] = "ring_packed",
	[35] = "in_order",
};

uint64_t vhost_features_unwanted(const struct config_vhost_user *conf)
{
	/* Nothing here cuts UDP, and nothing keeps CWR to the first segment. */
	uint64_t bits = BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_GUEST_UFO) |
			BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_ECN);

	if (!conf->tso)
		bits |= BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
			BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6);
	/* A split ring can be taken up again after a crash, a packed one cannot. */
	if (!conf->packed)
		bits |= BIT(VIRTIO_F_RING_PACKED);
	return bits;
}

static void file_name(const char *port, char *name, size_t len)
{
	snprintf(name, len, "features-%s.json", port);
}

uint64_t vhost_features_recall(const char *port)
{
	struct config_error error = {""};
	const char *text;
	uint64_t bits = 0;
	char name[128];
	json_t *json;

	if (port_env.state_dir == NULL)
		return 0;
	file_name(port, name, sizeof(name));
	json = state_file_read(port_env.state_dir, name, &error);
	text = json_string_value(json_object_get(json, "offered"));
	if (text != NULL)
		bits = strtoull(text, NULL, 16);
	else if (json != NULL || error.text[0] != '\0')
		log_warning("port %s: %s/%s cannot be used (%s): feature bits offered before are "
			    "unknown",
			port, port_env.state_dir, name,
			error.text[0] != '\0' ? error.text : "no \"offered\"");
	json_decref(json);
	return bits;
}

int vhost_features_remember(
	const char *port, uint64_t before, uint64_t bits, char *err, size_t err_len)
{
	struct config_error error = {""};
	char name[128];
	json_t *json;
	bool written;

	if (port_env.state_dir == NULL || (bits & ~before) == 0)
		return 0;
	file_name(port, name, sizeof(name));
	json = json_pack(
		"{s:s, s:o}", "port", port, "offered", json_sprintf("%016" PRIx64, bits | before));
	written = state_file_write(port_env.state_dir, name, json, &error);
	json_decref(json);
	if (written)
		return 0;
	snprintf(err, err_len, "the features offered are not remembered: %s", error.text);
	return -1;
}

void vhost_features_forget(const char *port)
{
	struct config_error error = {""};
	char name[128];

	if (port_env.state_dir == NULL)
		return;
	file_name(port, name, sizeof(name));
	if (!state_file_remove(port_env.state_dir, name, &error))
		log_warning("port %s: %s", port, error.text);
}

json_t *vhost_features_names(uint64_t bits)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < 64; i++)
		if ((bits & BIT(i)) && names[i] != NULL)
			json_array_append_new(list, json_string(names[i]));
		else if (bits & BIT(i))
			json_array_append_new(list, json_sprintf("bit%u", i));
	return list;
}
