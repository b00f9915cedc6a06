/*
 * Single changes of a configuration document, as commands make them: each gives a new tree, which
 * shares with the old one all that is equal, so that both must stay as they are. Whether the result
 * is a valid configuration is config_decode()'s to say. Used by the control thread; no DPDK here.
 *
 * section is "networks", "ports", "uplinks", "tenants", "groups" or "sets". An object is called by
 * its name, one of the last two by "tenant/name", for two tenants may use the same. All return a
 * tree that the caller owns, or NULL with the reason in err.
 */
#ifndef VS_CONFIG_EDIT_H
#define VS_CONFIG_EDIT_H

#include <jansson.h>

#include "config_report.h"

/* Adds object, which must have a `name` (and `tenant`) that no other of the section has. */
json_t *config_edit_add(
	const json_t *root, const char *section, const json_t *object, struct config_error *err);

/*
 * Merges patch into the object called name: its fields replace those of the object, also within
 * objects; null takes a field out (RFC 7396). The name and a group's or set's tenant stay.
 */
json_t *config_edit_set(const json_t *root, const char *section, const char *name,
	const json_t *patch, struct config_error *err);

/*
 * Removes the object called name; a network only when no port is in it and no uplink names it, a
 * port only when no inspection makes an exception of it, a group or set only when neither a port
 * nor another group's rule names it.
 */
json_t *config_edit_remove(
	const json_t *root, const char *section, const char *name, struct config_error *err);

/* Gives the object called name another list in the place of its member; takes over list. */
json_t *config_edit_list(const json_t *root, const char *section, const char *name,
	const char *member, json_t *list, struct config_error *err);

/* The object called name, borrowed; NULL: there is none. */
const json_t *config_edit_find(const json_t *root, const char *section, const char *name);

#endif
