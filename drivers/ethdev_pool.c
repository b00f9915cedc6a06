#include "ethdev_pool.h"

#include <stdio.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#define PARKED_MAX 64
#define POOL_CACHE 256

static struct rte_mempool *parked[PARKED_MAX];
static unsigned n_parked;
static unsigned serial; /* of names */

/* Frees those whose buffers are all back. */
static void sweep(void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n_parked; i++)
		if (rte_mempool_full(parked[i]))
			rte_mempool_free(parked[i]);
		else
			parked[kept++] = parked[i];
	n_parked = kept;
}

static bool is_packed(const struct rte_mempool *pool)
{
	return pool->flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG;
}

static struct rte_mempool *take_parked(unsigned n, uint32_t room, bool packed)
{
	for (unsigned i = 0; i < n_parked; i++) {
		struct rte_mempool *pool = parked[i];

		if (pool->size != n || rte_pktmbuf_data_room_size(pool) != room ||
			is_packed(pool) != packed)
			continue;
		parked[i] = parked[--n_parked];
		return pool;
	}
	return NULL;
}

/*
 * What net_af_xdp takes for granted of a pool: all buffers within as many bytes as their sizes add
 * up to, from the page of the first. With ordinary pages a pool has each in a page of its own.
 */
static bool lies_packed(struct rte_mempool *pool)
{
	const struct rte_mempool_memhdr *chunk = STAILQ_FIRST(&pool->mem_list);
	size_t size = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);

	return pool->nb_mem_chunks == 1 && pool->populated_size == pool->size &&
	       size * pool->size + RTE_CACHE_LINE_SIZE >= chunk->len;
}

static struct rte_mempool *create_packed(const char *name, unsigned n, uint16_t room)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = room};
	struct rte_mempool *pool = rte_mempool_create_empty(name, n, sizeof(struct rte_mbuf) + room,
		POOL_CACHE, sizeof(private), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);

	if (pool == NULL)
		return NULL;
	if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		if (rte_mempool_populate_default(pool) >= 0 && lies_packed(pool)) {
			rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
			return pool;
		}
	}
	rte_mempool_free(pool);
	return NULL;
}

struct rte_mempool *ethdev_pool_take(
	unsigned n, uint32_t room, bool packed, char *err, size_t err_len)
{
	uint32_t data_room = RTE_MAX(
		(uint32_t)RTE_MBUF_DEFAULT_BUF_SIZE, RTE_ALIGN(room, 64) + RTE_PKTMBUF_HEADROOM);
	struct rte_mempool *pool = take_parked(n, data_room, packed);
	char name[RTE_MEMPOOL_NAMESIZE];

	if (pool != NULL)
		return pool;
	sweep();
	snprintf(name, sizeof(name), "uplink%u", serial++);
	pool = packed ? create_packed(name, n, (uint16_t)data_room)
		      : rte_pktmbuf_pool_create(
				name, n, POOL_CACHE, 0, (uint16_t)data_room, SOCKET_ID_ANY);
	if (pool == NULL)
		snprintf(err, err_len,
			"no memory%s for %u packet buffers of %u bytes: ask for fewer queues, or "
			"give the machine more hugepages (sysctl vm.nr_hugepages)",
			packed ? " in one piece" : "", n, data_room);
	return pool;
}

void ethdev_pool_give(struct rte_mempool *pool)
{
	if (pool == NULL)
		return;
	if (rte_mempool_full(pool) || n_parked == PARKED_MAX) {
		/* With so many parked, one that is still in use would be kept for good. */
		if (rte_mempool_full(pool))
			rte_mempool_free(pool);
		return;
	}
	parked[n_parked++] = pool;
}
