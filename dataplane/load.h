/*
 * Numbers out of packets, at any alignment. Any thread; no state.
 */
#ifndef VS_LOAD_H
#define VS_LOAD_H

#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

/* From network order. */
static inline uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	/* Not rte_be_to_cpu_16(): its exchange of half registers costs more than a rotation. */
	return RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN ? __builtin_bswap16(v) : v;
}

/* As they stand there: for comparing and hashing. */
static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
