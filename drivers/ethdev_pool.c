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

static struct rte_mempool *take_parked(unsigned n, uint32_t room)
{
	for (unsigned i = 0; i < n_parked; i++) {
		struct rte_mempool *pool = parked[i];

		if (pool->size != n || rte_pktmbuf_data_room_size(pool) != room)
			continue;
		parked[i] = parked[--n_parked];
		return pool;
	}
	return NULL;
}

struct rte_mempool *ethdev_pool_take(unsigned n, uint32_t room, char *err, size_t err_len)
{
	uint32_t data_room = RTE_MAX(
		(uint32_t)RTE_MBUF_DEFAULT_BUF_SIZE, RTE_ALIGN(room, 64) + RTE_PKTMBUF_HEADROOM);
	struct rte_mempool *pool = take_parked(n, data_room);
	char name[RTE_MEMPOOL_NAMESIZE];

	if (pool != NULL)
		return pool;
	sweep();
	snprintf(name, sizeof(name), "uplink%u", serial++);
	pool = rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, (uint16_t)data_room, SOCKET_ID_ANY);
	if (pool == NULL)
		snprintf(err, err_len,
			"no memory for %u packet buffers of %u bytes: ask for fewer queues, or "
			"give the machine more hugepages (sysctl vm.nr_hugepages)",
			n, data_room);
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
