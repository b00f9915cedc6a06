/*
 * What inspection keeps, out of pools that are full from the start: a worker's blocks of a few
 * sizes, and accounts that bound how much of them a tenant may hold. One per worker; its worker
 * alone takes and gives. Nothing is allocated on the way of a packet.
 */
#ifndef VS_INSPECT_MEMORY_H
#define VS_INSPECT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum inspect_block {
	INSPECT_PAGE, /* 2 KiB: copies of what is not acknowledged, and their index */
	INSPECT_SMALL, /* 8 KiB: a record's or a file's bytes for evaluation */
	INSPECT_LARGE, /* 72 KiB: a record's first 64 KiB and its last ones */
	INSPECT_FLOW, /* a connection's whole state; sizeof is the creator's to say */
	INSPECT_BLOCKS
};

#define INSPECT_PAGE_SIZE  2048u
#define INSPECT_SMALL_SIZE 8192u
#define INSPECT_LARGE_SIZE (72u << 10)
#define INSPECT_FLOW_BYTES (28u << 10) /* an INSPECT_FLOW is no larger */

/* What one tenant holds in one worker, in bytes. */
struct inspect_account {
	uint64_t used, max;
	uint64_t refused; /* times that max stood in the way, ever; any thread may read it */
};

struct inspect_memory;

/*
 * counts: blocks by kind; flow_size: of an INSPECT_FLOW. All of it is touched. NULL: no memory.
 * Control thread.
 */
struct inspect_memory *inspect_memory_create(
	const uint32_t counts[INSPECT_BLOCKS], size_t flow_size);
void inspect_memory_free(struct inspect_memory *memory);

/* NULL: none is left, or the account is at its limit. Not zeroed. */
void *inspect_take(
	struct inspect_memory *memory, struct inspect_account *account, enum inspect_block kind);
void inspect_give(struct inspect_memory *memory, struct inspect_account *account,
	enum inspect_block kind, void *block);

/* Blocks in use and in all; any thread. */
uint32_t inspect_memory_used(const struct inspect_memory *memory, enum inspect_block kind);
uint32_t inspect_memory_count(const struct inspect_memory *memory, enum inspect_block kind);
/* Times that none of the kind was left, ever; any thread. */
uint64_t inspect_memory_refused(const struct inspect_memory *memory, enum inspect_block kind);

#endif
