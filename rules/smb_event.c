#include "smb_event.h"

const char *smb_limit_name(enum smb_limit limit)
{
	static const char *const names[SMB_LIMITS] = {
		[SMB_LIMIT_REQUESTS] = "requests",
		[SMB_LIMIT_TRANSACTIONS] = "transactions",
		[SMB_LIMIT_PENDING] = "pending",
		[SMB_LIMIT_TREES] = "trees",
		[SMB_LIMIT_PIPES] = "pipes",
		[SMB_LIMIT_CONTEXTS] = "contexts",
		[SMB_LIMIT_STUB] = "stub",
		[SMB_LIMIT_NAME] = "name",
		[SMB_LIMIT_COMPOUND] = "compound",
	};

	return names[limit];
}

void smb_tell(const struct smb_sink *sink, struct smb_event *event)
{
	event->direction = sink->direction;
	sink->handler(sink->arg, event);
}

void smb_detect(
	const struct smb_sink *sink, enum smb_detection what, uint32_t offset, uint64_t value)
{
	struct smb_event event = {.type = SMB_DETECTED, .offset = offset};
	uint64_t bit = 1ull << what;

	if ((smb_invariant(what)->needs_whole && !sink->whole) || *sink->told & bit)
		return;
	*sink->told |= bit;
	event.detection.what = what;
	event.detection.value = value;
	event.detection.culprit = sink->direction;
	event.detection.doubt = sink->doubt;
	smb_tell(sink, &event);
}

void smb_limited(const struct smb_sink *sink, enum smb_limit limit, uint32_t offset)
{
	struct smb_event event = {.type = SMB_LIMITED, .offset = offset, .limit = limit};

	smb_tell(sink, &event);
}
