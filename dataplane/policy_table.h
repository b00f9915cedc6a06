/*
 * One direction's rules on their way to a classifier: lines of a common form, out of a group's
 * rules or the emergency blocks, and the table built from them. A table remembers its lines, so
 * that rules which are the same next time cost a comparison and no build.
 *
 * Control thread; no DPDK.
 */
#ifndef VS_POLICY_TABLE_H
#define VS_POLICY_TABLE_H

#include "policy.h"

/* The head of a line. Behind it: its remotes, locals and services. */
struct policy_line {
	uint16_t index; /* policy_rule.index */
	uint8_t action; /* enum config_action */
	uint8_t log;
	uint16_t remote_set, local_set; /* ids, or NO_SET */
	uint8_t n_remotes, n_locals, n_services; /* 0: any, where there is no set either */
	uint8_t zero;
	uint32_t block; /* policy_rule.block */
};

_Static_assert(sizeof(struct policy_line) % 8 == 0, "spans behind it are aligned");

/* Zero-initialised. */
struct policy_lines {
	uint8_t *bytes;
	size_t len, room;
	unsigned n;
	bool failed; /* no memory: to be asked once, at the end */
};

void policy_lines_add(struct policy_lines *lines, const struct policy_line *line,
	const struct addr_span *remotes, const struct addr_span *locals,
	const struct service_span *services);

/* Forgets the lines, keeps the memory. */
void policy_lines_clear(struct policy_lines *lines);
void policy_lines_free(struct policy_lines *lines);

/*
 * The table of these lines in *table: NULL where there are none; `before` again where it has the
 * same. The caller owns a reference. False: out of memory.
 */
bool policy_table_create(const struct policy_lines *lines, const struct policy_table *before,
	const struct policy_table **table);

/* Gives a reference back. NULL is allowed. */
void policy_table_release(const struct policy_table *table);

/* A number that nothing had before; never 0. For versions and epochs. */
uint32_t policy_number(void);

/*
 * The addresses that a span means, as one span or two: one of IPv6 that reaches across
 * ::ffff:0:0/96, such as ::/0, does not mean IPv4. Returns how many.
 */
unsigned policy_span_parts(struct addr_span span, struct addr_span parts[2]);

#endif
