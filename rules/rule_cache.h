/*
 * Compiled databases in files, so that a second start need not compile. A file holds the whole key
 * of what was compiled, for which Hyperscan and which CPU; one that does not fit, is damaged or
 * cannot be read is as good as none. Compiler thread. No DPDK.
 */
#ifndef VS_RULE_CACHE_H
#define VS_RULE_CACHE_H

#include <hs/hs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define RULE_CACHE_FILES 8 /* kept in the directory; the oldest go */
#define RULE_CACHE_MAX   (256U << 20) /* bytes of a file */

/* The beginning of a key: this Hyperscan and CPU. The caller writes what is compiled behind it.
 * False: Hyperscan does not know the CPU. */
bool rule_cache_begin_key(FILE *stream);

/* Fills dbs, NULL where there was none when it was stored. False: dbs is as it was. */
bool rule_cache_load(
	const char *dir, const void *key, size_t key_size, hs_database_t **dbs, unsigned n);
/* dir must be there, and nobody else's. False, with errno, where it could not be written. */
bool rule_cache_store(
	const char *dir, const void *key, size_t key_size, hs_database_t *const *dbs, unsigned n);

#endif
