/*
 * The keys of one map of the XDP program, with a copy in order, so that nobody has to ask the
 * kernel what is in it. Control thread.
 *
 * Limit: the map's. What finds no room is not in the set: refused, logged once until there is room
 * again, and counted.
 */
#ifndef VS_XDP_SET_H
#define VS_XDP_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct xdp_set {
	int map;
	const char *name, *policy; /* of the log's message: what is full, and what that means */
	const void *value; /* of each key; not owned */
	size_t key_len;
	unsigned limit, n, room;
	uint8_t *keys; /* in the order of memcmp() */
	uint64_t refused;
	bool full; /* and has been logged */
};

/* The map is empty, holds `limit` keys of key_len bytes and gives each `value`. */
void xdp_set_init(struct xdp_set *set, int map, size_t key_len, unsigned limit, const void *value,
	const char *name, const char *policy);
void xdp_set_free(struct xdp_set *set);

bool xdp_set_has(const struct xdp_set *set, const void *key);

/* 0, also where it is so already; -ENOSPC: the set is full; or another negative errno. */
int xdp_set_put(struct xdp_set *set, const void *key, bool in);

/*
 * Makes those that begin with the prefix_len bytes at prefix (0: all) just the n at keys, in
 * whatever order; of more than fit at all, the first ones. 0, or the last error: all that can be
 * done was done.
 */
int xdp_set_replace(
	struct xdp_set *set, const void *prefix, size_t prefix_len, const void *keys, unsigned n);

/* The first key that begins so and those behind it, in order: next one behind key, NULL at the
 * end. key NULL: the first. */
const void *xdp_set_next(
	const struct xdp_set *set, const void *prefix, size_t prefix_len, const void *key);

/* {"used","size","refused"}; the caller owns the reference. */
json_t *xdp_set_describe(const struct xdp_set *set);

#endif
