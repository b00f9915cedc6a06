/*
 * Commands that add, change or remove one named object of the configuration: what those of ports,
 * networks, uplinks, tenants, groups and sets have in common. Control thread only.
 *
 * key is what config_edit.h calls an object by: its name, or "tenant/name".
 */
#ifndef VS_COMMAND_EDIT_H
#define VS_COMMAND_EDIT_H

#include "commands.h"
#include "config_report.h"
#include "config_schema.h"

struct edit_section {
	const char *name; /* in the document */
	const char *what; /* "port" */
	const struct config_table *table;
};

/* Hands root, which it takes over, to the transaction; NULL: refused, err says why. */
void edit_commit(const struct command_request *request, struct command_reply *reply, json_t *root,
	const struct config_error *err);

/* The patch in the request's settings, the caller's; NULL: refused. */
json_t *edit_patch(const struct command_request *request, struct command_reply *reply,
	const struct config_table *table);

/* Adds bare, an object with nothing but what key says, and gives it the request's settings. */
void edit_add(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key, const json_t *bare);
void edit_set(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key);
void edit_del(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key);

#endif
