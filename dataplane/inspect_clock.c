#include "inspect_clock.h"

#include <sys/resource.h>

bool inspect_clock_was_away(struct inspect_clock *clock)
{
	struct rusage usage;
	bool away;

	if (getrusage(RUSAGE_THREAD, &usage) != 0)
		return false;
	away = usage.ru_nivcsw + usage.ru_nvcsw != clock->switches;
	clock->switches = usage.ru_nivcsw + usage.ru_nvcsw;
	return away;
}
