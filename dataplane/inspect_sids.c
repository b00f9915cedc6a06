#include "inspect_sids.h"

#include <string.h>

static const struct inspect_sid sids[] = {
#define INSPECT_SID(what, id, sid, severity, category)                                             \
	{INSPECT_TELLS_##what, id, sid, severity, category},
#include "inspect_sids.def"
#undef INSPECT_SID
};

#define N_SIDS (sizeof(sids) / sizeof(sids[0]))

const struct inspect_sid *inspect_sid(enum inspect_tells what, const char *id)
{
	const struct inspect_sid *kind = &sids[0];

	for (unsigned i = 0; i < N_SIDS; i++) {
		if (sids[i].what != what)
			continue;
		if (strcmp(sids[i].id, id) == 0)
			return &sids[i];
		if (sids[i].id[0] == '\0')
			kind = &sids[i];
	}
	return kind;
}

const struct inspect_sid *inspect_sids(unsigned *n)
{
	*n = N_SIDS;
	return sids;
}

const char *inspect_tells_name(enum inspect_tells what)
{
	static const char *const names[] = {
		[INSPECT_TELLS_RULE] = "rule",
		[INSPECT_TELLS_INVARIANT] = "invariant",
		[INSPECT_TELLS_EVASION] = "evasion",
		[INSPECT_TELLS_FAILURE] = "failure",
		[INSPECT_TELLS_FANOUT] = "fanout",
		[INSPECT_TELLS_FOREIGN_SHARE] = "foreign_share",
	};

	return names[what];
}
