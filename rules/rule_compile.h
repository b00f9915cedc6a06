/*
 * The rules' fast patterns as Hyperscan databases: one for each direction and buffer, so that
 * traffic is held only against what can match it. Built by the compiler thread, immutable then; any
 * worker scans with its own scratch. The ruleset must outlive it. No DPDK.
 *
 * Bytes are compiled as escaped expressions, never as literals: Hyperscan 5.4.0 fails on zeros in
 * those. Offsets stay out of the expressions, which would take minutes to compile: rule_match.h
 * looks at them.
 */
#ifndef VS_RULE_COMPILE_H
#define VS_RULE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rule_match.h"
#include "rule_scratch.h"
#include "ruleset.h"

enum rule_direction {
	RULE_DIR_TO_SERVER,
	RULE_DIR_TO_CLIENT,
	RULE_DIRS,
};

struct rule_db;

/* A pattern was found; to is the place behind it, in the stream or block. */
struct rule_hit {
	uint32_t pattern;
	uint64_t to;
};

/* Filled by a scan. What has no room is counted in lost. */
struct rule_hits {
	struct rule_hit *hits;
	uint32_t n, max, lost;
};

/*
 * cache: a directory of compiled databases (rule_cache.h), or NULL. NULL, with a reason: out of
 * memory, or Hyperscan found fault with itself.
 */
struct rule_db *rule_compile(
	const struct ruleset *ruleset, const char *cache, char *reason, size_t size);
void rule_db_free(struct rule_db *db);

/* For one worker. NULL: out of memory. */
struct rule_scratch *rule_db_scratch(const struct rule_db *db);

/* Rules, by index and rising, that a found pattern stands for. */
const uint32_t *rule_db_rules(const struct rule_db *db, enum rule_direction direction,
	enum rule_buffer buffer, uint32_t pattern, uint32_t *n);
/* Rules with items, but nothing to search for: to be evaluated on every record. */
const uint32_t *rule_db_always(
	const struct rule_db *db, enum rule_direction direction, uint32_t *n);
/* Rules that look at no data: packets, bits and DCERPC calls alone decide. */
const uint32_t *rule_db_bare(const struct rule_db *db, enum rule_direction direction, uint32_t *n);
/* Whether anything is searched for there at all. */
bool rule_db_wants(
	const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer);
struct rule_pcre_dbs rule_db_pcres(const struct rule_db *db);
const struct ruleset *rule_db_ruleset(const struct rule_db *db);

/*
 * Streams: the record, file data and DCERPC stubs come in pieces. One is made beforehand for each
 * record that may be open at a time; a reset starts the next. NULL: out of memory, or nothing is
 * searched for there (rule_db_wants()).
 */
struct rule_stream;

bool rule_buffer_is_stream(enum rule_buffer buffer);
struct rule_stream *rule_stream_create(
	const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer);
void rule_stream_free(struct rule_stream *stream);
/* Bytes that each takes, for the memory bounds of the caller. */
size_t rule_stream_bytes(const struct rule_stream *stream);

/* Each pattern is noted once at most between resets. False: the engine failed. */
bool rule_stream_scan(struct rule_stream *stream, const uint8_t *bytes, uint32_t n,
	struct rule_scratch *scratch, struct rule_hits *hits);
bool rule_stream_reset(struct rule_stream *stream, struct rule_scratch *scratch);

/* The other buffers, whole. False: the engine failed. */
bool rule_db_scan(const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer,
	const uint8_t *bytes, uint32_t n, struct rule_scratch *scratch, struct rule_hits *hits);

/* For operators: how much there is of what. */
struct rule_db_facts {
	uint32_t patterns, hyperscan_pcres, pcre2_pcres, always, bare;
	size_t bytes;
	bool cached; /* out of the cache, not compiled */
};
struct rule_db_facts rule_db_facts(const struct rule_db *db);

#endif
