#include "drop.h"

enum drop_stage { STAGE_in, STAGE_out };

static const struct {
	const char *name;
	enum drop_stage stage;
	const char *text;
} drops[DROP_REASONS] = {
#define DROP_REASON(name, stage, text) {#name, STAGE_##stage, text},
#include "drop_reasons.def"
#undef DROP_REASON
};

const char *drop_name(enum drop_reason reason)
{
	return drops[reason].name;
}

const char *drop_text(enum drop_reason reason)
{
	return drops[reason].text;
}

bool drop_is_output(enum drop_reason reason)
{
	return drops[reason].stage == STAGE_out;
}
