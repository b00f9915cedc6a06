#include <math.h>
#include <string.h>

#include "pktgen_histogram.h"

#define SLOTS (sizeof(((struct pktgen_histogram *)0)->count) / sizeof(uint64_t))

/* Values below PKTGEN_STEPS have a slot each; from there on each power of two has PKTGEN_STEPS. */
static unsigned slot_of(uint64_t ns)
{
	unsigned power, slot;

	if (ns < PKTGEN_STEPS)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzll(ns);
	slot = (power - PKTGEN_STEPS_LOG + 1) * PKTGEN_STEPS +
	       (unsigned)(ns >> (power - PKTGEN_STEPS_LOG)) - PKTGEN_STEPS;
	return slot < SLOTS ? slot : SLOTS - 1;
}

/* The largest value that falls into a slot. */
static uint64_t top_of(unsigned slot)
{
	unsigned power = slot / PKTGEN_STEPS;

	if (power == 0)
		return slot;
	return ((uint64_t)(slot % PKTGEN_STEPS + PKTGEN_STEPS + 1) << (power - 1)) - 1;
}

void pktgen_histogram_reset(struct pktgen_histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void pktgen_histogram_add(struct pktgen_histogram *h, uint64_t ns)
{
	h->count[slot_of(ns)]++;
	if (h->n == 0 || ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
	h->sum += (double)ns;
	h->n++;
}

uint64_t pktgen_histogram_percentile(const struct pktgen_histogram *h, double percent)
{
	uint64_t wanted = (uint64_t)ceil((double)h->n * percent / 100), seen = 0;

	if (h->n == 0)
		return 0;
	if (wanted == 0)
		return h->min;
	for (unsigned i = 0; i < SLOTS; i++) {
		seen += h->count[i];
		if (seen >= wanted) {
			uint64_t top = top_of(i);

			return top < h->max && i < SLOTS - 1 ? top : h->max;
		}
	}
	return h->max;
}

double pktgen_histogram_mean(const struct pktgen_histogram *h)
{
	return h->n > 0 ? h->sum / (double)h->n : 0;
}
