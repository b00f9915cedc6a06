/*
 * Drop reasons, from drop_reasons.def. Pure data; any thread.
 */
#ifndef VS_DROP_H
#define VS_DROP_H

#include <stdbool.h>

enum drop_reason {
#define DROP_REASON(name, stage, text) DROP_##name,
#include "drop_reasons.def"
#undef DROP_REASON
	DROP_REASONS
};

const char *drop_name(enum drop_reason reason);
const char *drop_text(enum drop_reason reason);

/* Counts at the port that it was offered to, rather than at the port that it came from. */
bool drop_is_output(enum drop_reason reason);

#endif
