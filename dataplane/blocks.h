/*
 * Emergency blocks: what `block` shuts at once, above all rules, until lifted or for a time. Kept
 * in a file of its own in the state directory, so that neither a restart nor the next `config
 * apply` lifts one.
 *
 * Control thread. No DPDK.
 */
#ifndef VS_BLOCKS_H
#define VS_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "addr.h"
#include "classifier.h"
#include "config.h"

#define BLOCKS_MAX 1024

enum block_direction { BLOCK_BOTH, BLOCK_IN, BLOCK_OUT }; /* into guests, out of guests */

/* Addresses of one end: any, a span, or a group's or set's, by name. */
struct block_end {
	enum { BLOCK_ANY, BLOCK_SPAN, BLOCK_NAMED } kind;
	struct addr_span span;
	char name[CONFIG_NAME_MAX + 1];
};

struct block {
	uint32_t id; /* from 1; never used again */
	struct service_span service; /* of the connection's destination */
	char service_text[32]; /* "tcp/445", "udp/1000-2000", "icmp", "any" */
	struct block_end from, to; /* the end that opens, and its peer */
	char tenant[CONFIG_NAME_MAX + 1]; /* only its ports; empty: any tenant's */
	char port[CONFIG_NAME_MAX + 1]; /* only this one; empty: any */
	enum block_direction direction;
	time_t since, until; /* until 0: until lifted */
	char comment[128];
};

struct blocks {
	uint32_t version; /* changes with every change */
	unsigned n;
	struct block *list;
};

#endif
