/*
 * Feature bits that a vhost-user port offers. They are a promise to running guests: a guest that
 * was started with a bit can only reconnect to a switch that still offers it. So what a port has
 * offered is remembered in the state directory, by port name, and offered until the port is removed
 * from the configuration.
 *
 * Control thread.
 */
#ifndef VS_VHOST_FEATURES_H
#define VS_VHOST_FEATURES_H

#include <stdint.h>

#include <jansson.h>

#include "config.h"

/* Virtio feature bits that a port set up like this does not offer. */
uint64_t vhost_features_unwanted(const struct config_vhost_user *conf);

/* Bits that the port has offered before; 0 where nothing is known or port_env.state_dir is NULL. */
uint64_t vhost_features_recall(const char *port);

/* Adds bits to what the port has offered before. 0, or -1 with a message in err. */
int vhost_features_remember(
	const char *port, uint64_t before, uint64_t bits, char *err, size_t err_len);

/* The port is gone for good, and with it those whom anything was promised to. */
void vhost_features_forget(const char *port);

/* Names of bits, as in the virtio specification; the caller owns the reference. */
json_t *vhost_features_names(uint64_t bits);

#endif
