/*
 * The order in which rules are evaluated. Used by ruleset.c alone. No DPDK.
 */
#ifndef VS_RULESET_ORDER_H
#define VS_RULESET_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "rule.h"

#define RULESET_STAGES_MAX 64 /* chains of bits that set bits; circles end there */

/* Sorts and numbers the rules; bits is the number of names. False: out of memory. */
bool ruleset_order(struct rule **rules, uint32_t n, uint16_t bits);

#endif
