/*
 * Uplinks: trunks that carry networks to other hosts. An uplink is no port, as it has no network of
 * its own; what it carries of each network is one. Part of config_decode(); no DPDK here.
 */
#ifndef VS_CONFIG_UPLINKS_H
#define VS_CONFIG_UPLINKS_H

#include "config.h"
#include "config_context.h"
#include "config_schema.h"

extern const struct config_table config_fields_uplink;

/* A PCI address, or a virtual device of DPDK with its arguments; config_field.max long. */
extern const struct config_type config_type_device;

/* True where text begins with what may be a device. */
bool config_device_is_one(const char *text);

/* True where both are one device: what stands ahead of the arguments. */
bool config_device_same(const char *a, const char *b);

/* True where device names a PCI device: 0000:3b:00.0, or 3b:00.0, with arguments behind a comma. */
bool config_device_is_pci(const char *device);

/*
 * Appends to config's ports one for each network that an uplink carries, called UPLINK.VLAN, or
 * UPLINK for the network without a tag. They are trusted: who is behind the other end is held to
 * the rules there, and the guests here to theirs. Faults go to the context's report. After the
 * listed networks and ports are decoded.
 */
void config_uplinks_expand(struct config_context *context, struct config *config);

#endif
