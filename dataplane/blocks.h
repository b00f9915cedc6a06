/*
 * Emergency blocks: what `block` shuts at once, above all rules, until lifted or for a time. Kept
 * in a file of its own in the state directory, so that neither a restart nor the next `config
 * apply` lifts one.
 *
 * A change is made here first, then in force (switch_policy_changed()), then saved: blocks_add() or
 * blocks_remove(), blocks_undo() where it cannot be carried out, else blocks_save(). A block that
 * cannot be saved is in force all the same; blocks_problem() tells.
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
#include "config.h"
#include "service.h"

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
	char service_text[SERVICE_TEXT_MAX]; /* "tcp/445", "udp/1000-2000", "icmp", "any" */
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
	struct block *list; /* by id */
};

/*
 * Takes up what was saved in the directory; what has run out meanwhile is left out. False, with the
 * reason and what to do in blocks_problem(): the file is there and cannot be used. Then nobody
 * knows what was blocked: no packet may pass, and nothing can be blocked or unblocked, until the
 * file is mended or removed and vswitchd started again.
 */
bool blocks_load(const char *state_dir);
void blocks_free(void);

/* In force, or about to be. Good until the next change. */
const struct blocks *blocks_current(void);

/* What is wrong: the file could not be read at the start, or not be written. NULL: nothing. */
const char *blocks_problem(void);

/* Whether blocks_load() found a file that cannot be used. */
bool blocks_unknown(void);

enum blocks_result {
	BLOCKS_REFUSED,
	BLOCKS_THERE, /* already, and for as long */
	BLOCKS_EXTENDED, /* was there, and now lasts longer or has another comment */
	BLOCKS_ADDED,
};

/*
 * Adds a copy of *block, whose id it sets; since and until are the caller's. One that blocks the
 * same is not added again: it lasts until the later of both. BLOCKS_REFUSED with the reason in err.
 */
enum blocks_result blocks_add(struct block *block, struct config_error *err);

/* Removes the block of this id (not 0), or those of this service (in service_format()'s form), or
 * with 0 and NULL all. Returns how many; -1: out of memory, and none. */
int blocks_remove(uint32_t id, const char *service);

/* Removes those whose time is up at `now`. Returns as blocks_remove(). */
int blocks_expire(time_t now);

/* When the next one's time is up; 0: never. */
time_t blocks_next_expiry(void);

/* Takes the last blocks_add(), blocks_remove() or blocks_expire() back. */
void blocks_undo(void);

/* Makes what is in force outlive a restart. False with the reason in err: try again later. */
bool blocks_save(struct config_error *err);

/* "any", an address, prefix or range, or a name: as blocks are given and shown. text has room for
 * BLOCK_END_TEXT_MAX. */
#define BLOCK_END_TEXT_MAX (2 * ADDR_TEXT_MAX + 2)
bool block_end_parse(const char *text, struct block_end *end);
void block_end_format(const struct block_end *end, char *text);

/* {"id","service","from","to","tenant","port","direction","since","until","comment"}: what it does
 * not say is null, times are seconds since 1970. The caller owns it. */
json_t *block_json(const struct block *block);

#endif
