#include "xdp_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "log.h"

#define ROOM_FIRST 64

void xdp_set_init(struct xdp_set *set, int map, size_t key_len, unsigned limit, const void *value,
	const char *name, const char *policy)
{
	*set = (struct xdp_set){.map = map,
		.name = name,
		.policy = policy,
		.value = value,
		.key_len = key_len,
		.limit = limit};
}

void xdp_set_free(struct xdp_set *set)
{
	free(set->keys);
	set->keys = NULL;
	set->n = set->room = 0;
}

static uint8_t *key_at(const struct xdp_set *set, unsigned i)
{
	return set->keys + i * set->key_len;
}

/* The first that is not below the len bytes at key. */
static unsigned lower_bound(const struct xdp_set *set, const void *key, size_t len)
{
	unsigned low = 0, high = set->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (memcmp(key_at(set, middle), key, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct xdp_set *set, unsigned i, const void *key, size_t len)
{
	return i < set->n && memcmp(key_at(set, i), key, len) == 0;
}

bool xdp_set_has(const struct xdp_set *set, const void *key)
{
	return is_at(set, lower_bound(set, key, set->key_len), key, set->key_len);
}

static int refuse(struct xdp_set *set, unsigned n)
{
	set->refused += n;
	if (!set->full)
		log_warning("XDP program: its map of %s is full (%u): %s", set->name, set->limit,
			set->policy);
	set->full = true;
	return -ENOSPC;
}

static bool make_room(struct xdp_set *set)
{
	unsigned room = set->room == 0 ? ROOM_FIRST : 2 * set->room;
	uint8_t *keys;

	if (set->n < set->room)
		return true;
	keys = realloc(set->keys, room * set->key_len);
	if (keys == NULL)
		return false;
	set->keys = keys;
	set->room = room;
	return true;
}

static int add(struct xdp_set *set, unsigned at, const void *key)
{
	int rc;

	if (set->n == set->limit)
		return refuse(set, 1);
	if (!make_room(set))
		return -ENOMEM;
	rc = bpf_map_update_elem(set->map, key, set->value, BPF_ANY);
	if (rc != 0)
		return rc;
	memmove(key_at(set, at + 1), key_at(set, at), (set->n - at) * set->key_len);
	memcpy(key_at(set, at), key, set->key_len);
	set->n++;
	return 0;
}

static int take_out(struct xdp_set *set, unsigned at)
{
	int rc = bpf_map_delete_elem(set->map, key_at(set, at));

	if (rc != 0 && rc != -ENOENT)
		return rc;
	set->n--;
	memmove(key_at(set, at), key_at(set, at + 1), (set->n - at) * set->key_len);
	/* Not with every key that makes room for another: guests could fill the log. */
	if (set->n < set->limit - set->limit / 8)
		set->full = false;
	return 0;
}

int xdp_set_put(struct xdp_set *set, const void *key, bool in)
{
	unsigned at = lower_bound(set, key, set->key_len);

	if (is_at(set, at, key, set->key_len) == in)
		return 0;
	return in ? add(set, at, key) : take_out(set, at);
}

/* How many bytes keys have is known where they are compared only: one thread, one call. */
static size_t sort_len;

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sort_len);
}

/* Takes out what begins so and is not among the n sorted keys. */
static int keep(
	struct xdp_set *set, const void *prefix, size_t prefix_len, const uint8_t *keys, unsigned n)
{
	unsigned at = lower_bound(set, prefix, prefix_len);
	int rc = 0;

	while (is_at(set, at, prefix, prefix_len)) {
		int one = 0;

		if (bsearch(key_at(set, at), keys, n, set->key_len, compare) != NULL)
			at++;
		else if ((one = take_out(set, at)) != 0)
			at++;
		if (one != 0)
			rc = one;
	}
	return rc;
}

int xdp_set_replace(
	struct xdp_set *set, const void *prefix, size_t prefix_len, const void *keys, unsigned n)
{
	uint8_t *sorted;
	int rc, full = 0;

	if (n > set->limit) {
		full = refuse(set, n - set->limit);
		n = set->limit;
	}
	sorted = malloc((n + 1) * set->key_len);
	if (sorted == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(sorted, keys, n * set->key_len);
	sort_len = set->key_len;
	qsort(sorted, n, set->key_len, compare);
	rc = keep(set, prefix, prefix_len, sorted, n);
	for (unsigned i = 0; i < n; i++) {
		int one = xdp_set_put(set, sorted + i * set->key_len, true);

		if (one != 0)
			rc = one;
	}
	free(sorted);
	return rc != 0 ? rc : full;
}

const void *xdp_set_next(
	const struct xdp_set *set, const void *prefix, size_t prefix_len, const void *key)
{
	unsigned at = key == NULL
			      ? lower_bound(set, prefix, prefix_len)
			      : (unsigned)(((const uint8_t *)key - set->keys) / set->key_len) + 1;

	return is_at(set, at, prefix, prefix_len) ? key_at(set, at) : NULL;
}

json_t *xdp_set_describe(const struct xdp_set *set)
{
	return json_pack("{s:i, s:i, s:I}", "used", (int)set->n, "size", (int)set->limit, "refused",
		(json_int_t)set->refused);
}
