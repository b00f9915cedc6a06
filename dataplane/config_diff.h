/*
 * The difference between two canonical documents (config_encode()), for `config diff` and for the
 * log of what a change does. Used by the control thread and by vswitch-ctl; no DPDK here.
 */
#ifndef VS_CONFIG_DIFF_H
#define VS_CONFIG_DIFF_H

#include <stdio.h>

#include <jansson.h>

/*
 * What turns `from` into `to`: [{"path": "ports[vm1].mac", "from": ..., "to": ...}], without "from"
 * for what is added and without "to" for what is removed; empty where the two mean the same.
 * Entries of a list are held against each other by their `name` (groups and sets: by
 * "tenant/name"; the replay section: by `port`; addresses of a set: by themselves), so that their
 * order does not matter. Rules are compared in their order, by position; other lists whole. The
 * caller owns the reference; values in it are the documents' own, which must not be changed.
 */
json_t *config_diff(const json_t *from, const json_t *to);

/* One line an entry: "+ PATH: VALUE", "- PATH: VALUE" or "~ PATH: OLD -> NEW". */
void config_diff_print(const json_t *diff, FILE *out);

#endif
