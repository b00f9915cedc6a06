/*
 * What can be found in SMB without a rule, by name: ids, texts, what each is worth. The list itself
 * is smb_detections.def; the facts behind it: MS-CIFS, MS-SMB2 and what is known of the exploits of
 * 2017 and CVE-2020-0796. Constant data; any thread.
 */
#ifndef VS_SMB_INVARIANTS_H
#define VS_SMB_INVARIANTS_H

#include <stdbool.h>
#include <stdint.h>

enum smb_detection {
#define SMB_DETECTION(name, id, action, seen, text) SMB_FOUND_##name,
#include "smb_detections.def"
#undef SMB_DETECTION
	SMB_DETECTIONS
};

/* They are told once a record each, by a bit in 64. */
_Static_assert(SMB_DETECTIONS <= 64, "more detections than bits");

enum smb_action {
	SMB_ACTION_alert,
	SMB_ACTION_drop,
	SMB_ACTION_quarantine,
};

struct smb_invariant {
	const char *name; /* "nt_transact_mixed" */
	const char *id; /* "I1" */
	const char *text; /* one sentence, without a stop */
	enum smb_action action; /* where there is no doubt about it (enum smb_doubt), else alert */
	bool needs_whole; /* silent on connections that were not seen from their SYN */
};

/* Never NULL. */
const struct smb_invariant *smb_invariant(enum smb_detection detection);

/* "alert", "drop", "quarantine" */
const char *smb_action_name(enum smb_action action);

/* A command of SMB1 that MS-CIFS 2.2.2.1 assigns to something. */
bool smb_invariants_smb1_command(uint8_t command);

/* What function and subcommand of a transaction say: a detection, or SMB_DETECTIONS for none. */
enum smb_detection smb_invariants_nt_function(uint16_t function);
enum smb_detection smb_invariants_trans2_subcommand(uint16_t subcommand);

#endif
