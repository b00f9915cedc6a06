#include "smb_invariants.h"

static const struct smb_invariant invariants[SMB_DETECTIONS] = {
#define SMB_DETECTION(name_, id_, action_, seen, text_)                                            \
	[SMB_FOUND_##name_] = {                                                                    \
		.name = #name_,                                                                    \
		.id = id_,                                                                         \
		.text = text_,                                                                     \
		.action = SMB_ACTION_##action_,                                                    \
		.needs_whole = #seen[0] == 'w',                                                    \
	},
#include "smb_detections.def"
#undef SMB_DETECTION
};

const struct smb_invariant *smb_invariant(enum smb_detection detection)
{
	return &invariants[detection];
}

const char *smb_action_name(enum smb_action action)
{
	static const char *const names[] = {"alert", "drop", "quarantine"};

	return names[action];
}

bool smb_invariants_smb1_command(uint8_t command)
{
	static const struct {
		uint8_t first, last;
	} assigned[] = {
		{0x00, 0x14}, /* core protocol; 0x0f to 0x14 are LAN Manager's */
		{0x1a, 0x20}, /* raw and multiplexed I/O */
		{0x22, 0x2f}, /* transactions, AndX */
		{0x31, 0x35}, /* transactions, find */
		{0x70, 0x75}, /* trees and sessions */
		{0x7e, 0x7e}, /* security package */
		{0x80, 0x84}, /* disk and search */
		{0xa0, 0xa2}, /* NT transactions, create */
		{0xa4, 0xa5}, /* cancel, rename */
		{0xc0, 0xc3}, /* print */
		{0xd0, 0xda}, /* messenger, bulk */
	};

	for (unsigned i = 0; i < sizeof(assigned) / sizeof(assigned[0]); i++)
		if (command >= assigned[i].first && command <= assigned[i].last)
			return true;
	return false;
}

enum smb_detection smb_invariants_nt_function(uint16_t function)
{
	return function == 5 ? SMB_FOUND_nt_rename : SMB_DETECTIONS;
}

enum smb_detection smb_invariants_trans2_subcommand(uint16_t subcommand)
{
	switch (subcommand) {
	case 0x0004:
		return SMB_FOUND_trans2_set_fs_info;
	case 0x000e:
		return SMB_FOUND_trans2_session_setup;
	case 0x0009:
	case 0x000a:
	case 0x0011:
		return SMB_FOUND_trans2_reserved;
	default:
		return SMB_DETECTIONS;
	}
}
