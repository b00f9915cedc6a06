/*
 * Sizes of frames, in bytes with the FCS as RFC 2544 and Pktgen count them: one, a range of them,
 * or a mix by weight such as IMIX. Pure.
 */
#ifndef VS_PKTGEN_SIZE_H
#define VS_PKTGEN_SIZE_H

#include <stdint.h>

#include "pktgen_values.h"

#define PKTGEN_FCS        4 /* virtual ports carry none, but it counts */
#define PKTGEN_SIZE_MIN   64u
#define PKTGEN_SIZE_MAX   65400u /* with a buffer's headroom, what its 16-bit length holds */
#define PKTGEN_SIZE_SLOTS 64u /* in one turn of a mix */

struct pktgen_sizes {
	uint16_t turn[PKTGEN_SIZE_SLOTS]; /* of a mix: the sizes in the order of sending */
	unsigned n_turn; /* 0: min to max, one byte more each time */
	uint16_t min, max;
};

/*
 * 64, 64-1518, imix (seven of 64, four of 570, one of 1518), or a mix of one's own:
 * 64:7,570:4,1518:1. 0, or -1 with what would be right in err.
 */
int pktgen_size_parse(const char *text, struct pktgen_sizes *sizes, char err[PKTGEN_ERR]);

double pktgen_size_mean(const struct pktgen_sizes *sizes);

/* Of the packet behind the one that *at stands for; at begins with 0. */
static inline uint16_t pktgen_size_next(const struct pktgen_sizes *sizes, uint32_t *at)
{
	if (sizes->min == sizes->max)
		return sizes->min;
	if (sizes->n_turn > 0) {
		*at = *at + 1 < sizes->n_turn ? *at + 1 : 0;
		return sizes->turn[*at];
	}
	*at = *at < (uint32_t)(sizes->max - sizes->min) ? *at + 1 : 0;
	return (uint16_t)(sizes->min + *at);
}

#endif
