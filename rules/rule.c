#include "rule.h"

const char *rule_action_name(enum rule_action action)
{
	static const char *const names[] = {"pass", "drop", "reject", "alert"};

	return names[action];
}

const char *rule_proto_name(enum rule_proto proto)
{
	static const char *const names[] = {"tcp", "smb", "dcerpc"};

	return names[proto];
}

const char *rule_buffer_name(enum rule_buffer buffer)
{
	static const char *const names[] = {"record", "file.data", "smb.share", "smb.named_pipe",
		"smb.ntlmssp_user", "dce_stub_data"};

	return names[buffer];
}
