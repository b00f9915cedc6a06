#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_random.h>

#include "snapshot.h"
#include "worker.h"

struct static_macs {
	struct rte_hash *hash; /* key -> port; written only while it is built */
	unsigned references; /* control thread only */
	unsigned n;
	struct {
		uint64_t key;
		uint16_t port;
	} macs[];
};

static const struct snapshot *_Atomic current;

static uint32_t mac_hash(const void *key, uint32_t len, uint32_t init)
{
	uint64_t mac;

	memcpy(&mac, key, sizeof(mac));
	return rte_jhash_2words(mac, mac >> 32, init);
}

struct static_macs *static_macs_create(const uint64_t *keys, const uint16_t *ports, unsigned n)
{
	static unsigned serial;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
		.name = name,
		.entries = n < 16 ? 16 : n,
		.key_len = sizeof(*keys),
		.hash_func = mac_hash,
		.hash_func_init_val = rte_rand(),
		.socket_id = SOCKET_ID_ANY,
		/* The operator's own MACs, so overflow buckets are no risk, and all must fit. */
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct static_macs *macs = malloc(sizeof(*macs) + n * sizeof(macs->macs[0]));

	if (macs == NULL)
		return NULL;
	snprintf(name, sizeof(name), "macs%u", serial++);
	macs->hash = rte_hash_create(&params);
	macs->references = 1;
	macs->n = n;
	for (unsigned i = 0; macs->hash != NULL && i < n; i++) {
		macs->macs[i].key = keys[i];
		macs->macs[i].port = ports[i];
		if (rte_hash_add_key_data(macs->hash, &keys[i], (void *)(uintptr_t)ports[i]) == 0)
			continue;
		rte_hash_free(macs->hash);
		macs->hash = NULL;
	}
	if (macs->hash == NULL) {
		free(macs);
		return NULL;
	}
	return macs;
}

struct static_macs *static_macs_ref(struct static_macs *macs)
{
	if (macs != NULL)
		macs->references++;
	return macs;
}

void static_macs_unref(struct static_macs *macs)
{
	if (macs == NULL || --macs->references > 0)
		return;
	rte_hash_free(macs->hash);
	free(macs);
}

bool static_macs_equal(
	const struct static_macs *macs, const uint64_t *keys, const uint16_t *ports, unsigned n)
{
	if (macs == NULL || macs->n != n)
		return macs == NULL && n == 0;
	for (unsigned i = 0; i < n; i++)
		if (macs->macs[i].key != keys[i] || macs->macs[i].port != ports[i])
			return false;
	return true;
}

uint16_t static_macs_lookup(const struct static_macs *macs, uint64_t key)
{
	void *data;

	if (macs == NULL || rte_hash_lookup_data(macs->hash, &key, &data) < 0)
		return NO_PORT;
	return (uint16_t)(uintptr_t)data;
}

const struct snapshot *snapshot_publish(const struct snapshot *next)
{
	const struct snapshot *before = atomic_exchange(&current, next);

	workers_synchronize();
	for (unsigned i = 0; i < n_workers; i++)
		worker_wake(workers[i]);
	return before;
}

const struct snapshot *snapshot_current(void)
{
	return atomic_load_explicit(&current, memory_order_acquire);
}
