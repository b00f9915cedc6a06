/*
 * Whether a rule's keywords hold in data, in full: what the database's hit only made likely. Data
 * may still be arriving: then the answer may be that it is too early to say, and what is answered
 * otherwise stays so whatever arrives.
 *
 * Worker, with its own scratch; no locks, no allocation. Nothing is kept between calls. No DPDK.
 */
#ifndef VS_RULE_MATCH_H
#define VS_RULE_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"
#include "rule_scratch.h"

#define RULE_SIZE_UNKNOWN UINT32_MAX

enum rule_result {
	RULE_NO,
	RULE_YES,
	RULE_WAIT, /* depends on what has not arrived */
	RULE_OVER, /* the budget or a limit of pcre is used up */
	RULE_FAILED, /* an error inside Hyperscan or PCRE2 */
};

/*
 * Bytes base to base + len of a buffer that is size bytes long in the end. What lies before base,
 * and is not in its rule_head either, is gone: what depends on it is not found, and a content that
 * must be absent there counts as present.
 */
struct rule_data {
	const uint8_t *bytes;
	uint32_t base, len;
	uint32_t size; /* at least base + len, or RULE_SIZE_UNKNOWN */
};

/* A buffer's first bytes, where they are kept though its rule_data begins behind them. */
struct rule_head {
	const uint8_t *bytes;
	uint32_t len; /* at most base of the rule_data; 0: none */
};

struct rule_input {
	struct rule_data data[RULE_BUFFERS];
	struct rule_head heads[RULE_BUFFERS]; /* contents and numbers are looked for there, too */
	uint8_t given; /* bit 1 << enum rule_buffer: is there */
	uint8_t expected; /* is not there, but may come */
	bool dce_little; /* byte order of the DCERPC header */
};

/* A pcre's Hyperscan database by its index, or NULL where PCRE2 decides. */
struct rule_pcre_dbs {
	struct hs_database *const *dbs;
	unsigned n;
};

/*
 * Every item of the rule, in the buffers that they look at; header, flow and bits are not looked
 * at. *end is where the last item that has a place matched, in the rule's last buffer.
 */
enum rule_result rule_match(const struct rule *rule, const struct rule_input *input,
	const struct rule_pcre_dbs *pcres, struct rule_scratch *scratch, uint32_t *end);

/* Where needle (lower case where nocase) first begins in the n bytes of hay; n: nowhere. */
uint32_t rule_match_find(
	const uint8_t *hay, uint32_t n, const uint8_t *needle, uint32_t len, bool nocase);

#endif
