/*
 * What is open on an SMB1 connection: requests that have no reply yet, by PID and MID, and
 * transactions, by PID, MID, TID and UID (MS-CIFS 3.2.4.1.5: the same for all messages of one).
 * Beside them the checks that need to know it: invariants I1 to I5, I7 and I9.
 *
 * Of the PID the low half, as servers look transactions up. Tables of fixed size: at the limit the
 * oldest entry makes room (SMB_LIMIT_REQUESTS, SMB_LIMIT_TRANSACTIONS). A secondary whose
 * transaction was forgotten is one without (I3), so nothing is won by filling the table; I7 is
 * silent from then on, since a reply to what was forgotten is no finding.
 *
 * Nobody is blamed for what the other end did. A transaction that the server ends before all of it
 * was sent stays in the table, closed: the rest of it may be under way. At the limit those make
 * room first, then those that are complete. A client may send requests under one PID and MID
 * without waiting, so they are counted, and I9 takes the server for an implant's only where no
 * request of the whole connection had the reply's MID.
 *
 * A struct smb1_open belongs to its connection's smb1.
 */
#ifndef VS_SMB1_TRANS_H
#define VS_SMB1_TRANS_H

#include <stdbool.h>
#include <stdint.h>

#include "smb_event.h"

#define SMB1_REQUESTS     128
#define SMB1_TIMES        127 /* a request is counted under the same PID and MID */
#define SMB1_TRANSACTIONS 128
#define SMB1_ANSWERED     32 /* requests that had their reply: another one is no finding */

enum {
	SMB1_TRANSACTION = 0x25,
	SMB1_TRANSACTION_SECONDARY = 0x26,
	SMB1_TRANSACTION2 = 0x32,
	SMB1_TRANSACTION2_SECONDARY = 0x33,
	SMB1_NT_TRANSACT = 0xa0,
	SMB1_NT_TRANSACT_SECONDARY = 0xa1,
};

struct smb1_ids {
	uint16_t pid, mid, tid, uid;
};

struct smb1_request {
	uint16_t pid, mid;
	uint8_t command; /* the block that the rest is about; of an AndX chain a read, if it has one
			  */
	bool pipe : 1; /* tree connect: to IPC$ */
	uint8_t times : 7; /* it was sent, less the replies: the last of them is what is told here
			    */
	uint16_t fid; /* read: of it */
	uint64_t position; /* read: in the file */
};

struct smb1_transaction {
	struct smb1_ids ids;
	uint32_t total[2]; /* announced: of parameters, of data */
	uint32_t sent[2]; /* of them so far, by the client */
	uint16_t fid; /* named pipe */
	uint8_t command;
	bool rename; /* NT_TRANSACT RENAME */
	bool closed; /* by the server's reply; the client may not have seen that yet */
	bool pipe; /* its data is a pipe's */
	uint32_t got[2]; /* of the reply */
};

struct smb1_open {
	uint16_t n_requests;
	uint8_t n_transactions;
	uint8_t next_answered;
	uint32_t answered[SMB1_ANSWERED]; /* PID << 16 | MID, those of the last ones */
	bool forgot; /* a request: what is not in the table may have been asked all the same */
	uint32_t used; /* MIDs 0x40 to 0x5f that a request has ever had, a bit each */
	struct smb1_request request[SMB1_REQUESTS]; /* oldest first */
	struct smb1_transaction transaction[SMB1_TRANSACTIONS]; /* oldest first */
};

/* Parts of a transaction in one message, whichever kind: 0 parameters, 1 data. */
struct smb1_part {
	uint32_t total[2], count[2], offset[2], displacement[2];
};

void smb1_open_init(struct smb1_open *o);

/* Any message of the client: its MID was used, whatever it was for. */
void smb1_open_used(struct smb1_open *o, uint16_t mid);

/* A request was sent; one that is open under the same PID and MID is told of no more, but its reply
 * is awaited, too. Never NULL. */
struct smb1_request *smb1_open_request(struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, uint32_t at);

struct smb1_request *smb1_open_find(struct smb1_open *o, const struct smb1_ids *ids);
void smb1_open_replied(struct smb1_open *o, const struct smb1_ids *ids);

/* Checks a reply, whose header is at offset at, against what is open: I7, I9. */
void smb1_open_check_reply(const struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, uint32_t status, uint32_t at);

struct smb1_transaction *smb1_trans_find(struct smb1_open *o, const struct smb1_ids *ids);

/* A primary request with its words. */
struct smb1_transaction *smb1_trans_primary(struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, const struct smb1_part *part, uint32_t at);

/* A secondary: the transaction that it continues, NULL where it has none of its kind that is open.
 */
struct smb1_transaction *smb1_trans_secondary(struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, const struct smb1_part *part, uint32_t at);

/* A WriteAndX request under these ids: I4. Once the server has begun to reply they are free. */
void smb1_trans_check_write(
	struct smb1_open *o, const struct smb_sink *sink, const struct smb1_ids *ids, uint32_t at);

/*
 * A reply to a transaction; part NULL: it has no words. failed: its status is an error. True where
 * it was the last one, and the transaction is closed.
 */
bool smb1_trans_reply(
	struct smb1_open *o, const struct smb1_ids *ids, bool failed, const struct smb1_part *part);

#endif
