/*
 * Finds the first of a list of rules that a packet matches, by service (protocol with port, or ICMP
 * type and code) and by the addresses of both ends.
 *
 * How: each dimension is cut at the bounds of all rules' spans; every piece has the set of rules
 * that it satisfies as a bitmap, and a lookup intersects one bitmap a dimension. Bitmaps are kept
 * in pages of 512 rules; equal pages are one, and most pieces share nearly all of theirs, so 10,000
 * rules take a few MB and a few ms. Sets of addresses are not expanded: a rule names a set, and the
 * caller says which sets an address is in.
 *
 * Immutable once built. classifier_create(): control or compiler thread; classifier_match(): any.
 * No DPDK: vswitch-ctl links it too.
 */
#ifndef VS_CLASSIFIER_H
#define VS_CLASSIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "set_index.h"

#define CLASSIFIER_RULES_MAX 65536
#define CLASSIFIER_SPANS_MAX 1048576 /* of all rules, in each dimension */

/* Protocol in bits 16 to 23; the destination port below (TCP, UDP, SCTP, DCCP, UDP-Lite), or the
 * ICMP or ICMPv6 type (bits 8 to 15) and code, or 0. */
static inline uint32_t service_key(uint8_t proto, uint16_t detail)
{
	return (uint32_t)proto << 16 | detail;
}

/* First to last, both included. */
struct service_span {
	uint32_t first, last;
};

/*
 * Any of the services, and a remote in one of the spans or in the set, and likewise the local. A
 * span whose last is below its first has nothing in it. An IPv6 span must not go around the IPv4
 * addresses: addr_span_split().
 */
struct classifier_rule {
	const struct service_span *services;
	unsigned n_services; /* 0: any */
	const struct addr_span *remotes;
	unsigned n_remotes; /* 0 without a set: any */
	uint16_t remote_set; /* id, or NO_SET */
	const struct addr_span *locals;
	unsigned n_locals;
	uint16_t local_set;
};

struct classifier_query {
	uint32_t service;
	struct addr remote, local;
	const struct set_list *remote_sets, *local_sets; /* that the address is in; NULL: none */
};

struct classifier;

/*
 * rules are read, not kept. NULL: out of memory; or more than CLASSIFIER_RULES_MAX or
 * CLASSIFIER_SPANS_MAX; or it would take more than BIT_PAGES_BYTES_MAX (bit_pages.h) in distinct
 * pages or rows, which 16,384 rules of one port range and one remote each don't come near.
 */
struct classifier *classifier_create(const struct classifier_rule *rules, unsigned n);
void classifier_free(struct classifier *classifier);

/*
 * Index of the first rule that matches, or -1. However many sets the addresses are in, it takes no
 * longer than the number of rules says. 16 KiB of stack at the most are written to.
 */
int classifier_match(const struct classifier *classifier, const struct classifier_query *query);

/* Bytes that it takes. */
size_t classifier_size(const struct classifier *classifier);

#endif
