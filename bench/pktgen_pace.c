#include "pktgen_pace.h"

#define BEHIND_MIN 32.0 /* packets: a burst is no delay */

void pktgen_pace_init(
	struct pktgen_pace *pace, double rate, double hz, double behind, uint64_t start)
{
	*pace = (struct pktgen_pace){
		.per_cycle = rate / hz, .behind_max = rate * behind, .start = start};
	if (pace->behind_max < BEHIND_MIN)
		pace->behind_max = BEHIND_MIN;
}

unsigned pktgen_pace_due(struct pktgen_pace *pace, uint64_t now, unsigned max)
{
	double due;
	unsigned n;

	if (pace->per_cycle == 0) {
		pace->given += max;
		return max;
	}
	due = (double)(now - pace->start) * pace->per_cycle - (double)(pace->given + pace->missed);
	if (due < 1)
		return 0;
	if (due > pace->behind_max) {
		pace->missed += (uint64_t)(due - pace->behind_max);
		due = pace->behind_max;
	}
	n = due < max ? (unsigned)due : max;
	pace->given += n;
	return n;
}
