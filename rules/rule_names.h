/*
 * Names and their numbers. A name keeps its number as long as the table lives, so that flow bits
 * survive a reload of the rules: the new ruleset is loaded with the old one's table. One writer;
 * readers of numbers need no table. No DPDK.
 */
#ifndef VS_RULE_NAMES_H
#define VS_RULE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define RULE_NO_NAME       UINT16_MAX
#define RULE_BIT_NAMES_MAX 4096

struct rule_names;

/* For max names, at most UINT16_MAX - 1. NULL: out of memory. */
struct rule_names *rule_names_create(uint16_t max);
void rule_names_free(struct rule_names *names);

/* RULE_NO_NAME: the table is full, or out of memory. */
uint16_t rule_names_add(struct rule_names *names, const char *name, size_t n);
/* RULE_NO_NAME: not there. */
uint16_t rule_names_find(const struct rule_names *names, const char *name, size_t n);
const char *rule_names_text(const struct rule_names *names, uint16_t id);
uint16_t rule_names_count(const struct rule_names *names);

#endif
