/*
 * Single changes of a configuration document, as commands make them: each gives a new tree and
 * leaves the old one untouched, so that a refused change changes nothing. Whether the result is a
 * valid configuration is config_decode()'s to say. Used by the control thread; no DPDK here.
 *
 * section is "networks" or "ports". All return a tree that the caller owns, or NULL with the reason
 * in err.
 */
#ifndef VS_CONFIG_EDIT_H
#define VS_CONFIG_EDIT_H

#include <jansson.h>

#include "config_report.h"

/* Adds object, which must have a `name` that no other of the section has. */
json_t *config_edit_add(
	const json_t *root, const char *section, const json_t *object, struct config_error *err);

/*
 * Merges patch into the object called name: its fields replace those of the object, also within
 * objects; null takes a field out (RFC 7396). The name itself stays.
 */
json_t *config_edit_set(const json_t *root, const char *section, const char *name,
	const json_t *patch, struct config_error *err);

/* Removes the object called name; a network only when no port is in it. */
json_t *config_edit_remove(
	const json_t *root, const char *section, const char *name, struct config_error *err);

#endif
