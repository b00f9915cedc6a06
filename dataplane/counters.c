#include "counters.h"

_Static_assert(sizeof(struct port_counters) % sizeof(uint64_t) == 0, "a row of words");

void port_counters_add(struct port_counters *a, const struct port_counters *b)
{
	uint64_t *to = (uint64_t *)a;
	const uint64_t *from = (const uint64_t *)b;

	for (unsigned i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] += counter_read(&from[i]);
}

void port_counters_subtract(struct port_counters *a, const struct port_counters *b)
{
	uint64_t *to = (uint64_t *)a;
	const uint64_t *from = (const uint64_t *)b;

	for (unsigned i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] -= from[i];
}

uint64_t port_counters_dropped(const struct port_counters *c, bool output)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < DROP_REASONS; i++)
		if (drop_is_output(i) == output)
			sum += c->drops[i];
	return sum;
}
