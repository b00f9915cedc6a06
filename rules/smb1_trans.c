#include "smb1_trans.h"

#include <string.h>

#define STATUS_NOT_IMPLEMENTED 0xc0000002u

/* DoublePulsar's answers have the MID of the request plus 16: of the MIDs that I9 is about. */
#define IMPLANT_FIRST 0x50
#define IMPLANT_LAST  0x5f
#define IMPLANT_STEP  0x10
#define USED_FIRST    (IMPLANT_FIRST - IMPLANT_STEP)

void smb1_open_init(struct smb1_open *o)
{
	memset(o, 0, sizeof(*o));
	memset(o->answered, 0xff, sizeof(o->answered)); /* MID 0xffff is no request's */
}

struct smb1_request *smb1_open_find(struct smb1_open *o, const struct smb1_ids *ids)
{
	for (unsigned i = o->n_requests; i-- > 0;)
		if (o->request[i].mid == ids->mid && o->request[i].pid == ids->pid)
			return &o->request[i];
	return NULL;
}

static void drop_request(struct smb1_open *o, struct smb1_request *request)
{
	unsigned i = (unsigned)(request - o->request);

	o->n_requests--;
	memmove(request, request + 1, (o->n_requests - i) * sizeof(*request));
}

struct smb1_request *smb1_open_request(struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, uint32_t at)
{
	struct smb1_request *request = smb1_open_find(o, ids);
	unsigned times = 1;

	if (request != NULL) {
		times = request->times + 1u;
		drop_request(o, request);
	}
	if (times > SMB1_TIMES) {
		times = SMB1_TIMES;
		o->forgot = true;
	}
	if (o->n_requests == SMB1_REQUESTS) {
		drop_request(o, &o->request[0]);
		o->forgot = true;
		smb_limited(sink, SMB_LIMIT_REQUESTS, at);
	}
	request = &o->request[o->n_requests++];
	*request = (struct smb1_request){
		.pid = ids->pid, .mid = ids->mid, .command = command, .times = times & SMB1_TIMES};
	return request;
}

void smb1_open_used(struct smb1_open *o, uint16_t mid)
{
	if (mid >= USED_FIRST && mid <= IMPLANT_LAST)
		o->used |= 1u << (mid - USED_FIRST);
}

void smb1_open_replied(struct smb1_open *o, const struct smb1_ids *ids)
{
	struct smb1_request *request = smb1_open_find(o, ids);

	if (request == NULL)
		return;
	if (--request->times == 0)
		drop_request(o, request);
	o->answered[o->next_answered] = (uint32_t)ids->pid << 16 | ids->mid;
	o->next_answered = (o->next_answered + 1) % SMB1_ANSWERED;
}

static bool was_answered(const struct smb1_open *o, const struct smb1_ids *ids)
{
	for (unsigned i = 0; i < SMB1_ANSWERED; i++)
		if (o->answered[i] == ((uint32_t)ids->pid << 16 | ids->mid))
			return true;
	return false;
}

/*
 * DoublePulsar answers Trans2 requests under their MID plus 16, 65 becomes 81 and 66 becomes 82,
 * with "not implemented". The request that was answered so is open still, where it was seen. A MID
 * that was ever asked under is no implant's: an honest server may be late, or answer twice.
 */
static bool is_implants(
	const struct smb1_open *o, const struct smb1_ids *ids, uint8_t command, uint32_t status)
{
	if (command != SMB1_TRANSACTION2 || ids->mid < IMPLANT_FIRST || ids->mid > IMPLANT_LAST ||
		o->used & 1u << (ids->mid - USED_FIRST))
		return false;
	for (unsigned i = 0; i < o->n_requests; i++)
		if (o->request[i].mid == ids->mid - IMPLANT_STEP && o->request[i].pid == ids->pid &&
			o->request[i].command == SMB1_TRANSACTION2)
			return true;
	return status == STATUS_NOT_IMPLEMENTED;
}

/* What was missed may have been the request for this reply, or the reply that freed these ids. */
static void detect_if_all_seen(
	const struct smb_sink *sink, bool all, enum smb_detection what, uint32_t at, uint64_t value)
{
	struct smb_sink doubtful = *sink;

	if (!all && doubtful.doubt == SMB_SURE)
		doubtful.doubt = SMB_DOUBT_MISSED;
	smb_detect(&doubtful, what, at, value);
}

void smb1_open_check_reply(const struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, uint32_t status, uint32_t at)
{
	for (unsigned i = 0; i < o->n_requests; i++)
		if (o->request[i].mid == ids->mid && o->request[i].pid == ids->pid)
			return;
	if (was_answered(o, ids))
		return;
	if (is_implants(o, ids, command, status))
		detect_if_all_seen(
			sink, sink->whole && !o->forgot, SMB_FOUND_implant_answer, at, ids->mid);
	if (!o->forgot)
		smb_detect(sink, SMB_FOUND_reply_unasked, at, ids->mid);
}

struct smb1_transaction *smb1_trans_find(struct smb1_open *o, const struct smb1_ids *ids)
{
	for (unsigned i = o->n_transactions; i-- > 0;)
		if (memcmp(&o->transaction[i].ids, ids, sizeof(*ids)) == 0)
			return &o->transaction[i];
	return NULL;
}

static void close_transaction(struct smb1_open *o, struct smb1_transaction *t)
{
	unsigned i = (unsigned)(t - o->transaction);

	o->n_transactions--;
	memmove(t, t + 1, (o->n_transactions - i) * sizeof(*t));
}

static bool all_sent(const struct smb1_transaction *t)
{
	return t->sent[0] >= t->total[0] && t->sent[1] >= t->total[1];
}

/* The oldest of those for whose secondaries nobody would be blamed, else the oldest. */
static void make_room(struct smb1_open *o, const struct smb_sink *sink, uint32_t at)
{
	struct smb1_transaction *t = o->transaction, *complete = NULL;

	for (unsigned i = 0; i < o->n_transactions; i++) {
		if (o->transaction[i].closed) {
			close_transaction(o, &o->transaction[i]);
			return;
		}
		if (complete == NULL && all_sent(&o->transaction[i]))
			complete = &o->transaction[i];
	}
	close_transaction(o, complete != NULL ? complete : t);
	smb_limited(sink, SMB_LIMIT_TRANSACTIONS, at);
}

/* Lengths are 32 bits in NT_TRANSACT: sums are taken in 64. */
static bool overruns(const struct smb1_part *part, const uint32_t *total)
{
	for (unsigned i = 0; i < 2; i++)
		if (part->count[i] > 0 &&
			(uint64_t)part->displacement[i] + part->count[i] > total[i])
			return true;
	return false;
}

struct smb1_transaction *smb1_trans_primary(struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, const struct smb1_part *part, uint32_t at)
{
	struct smb1_transaction *t = smb1_trans_find(o, ids);

	if (command == SMB1_NT_TRANSACT && part->total[1] > UINT16_MAX)
		smb_detect(sink, SMB_FOUND_nt_transact_large, at, part->total[1]);
	if (overruns(part, part->total))
		smb_detect(sink, SMB_FOUND_transaction_overrun, at, part->count[1]);
	if (t != NULL)
		close_transaction(o, t);
	if (o->n_transactions == SMB1_TRANSACTIONS)
		make_room(o, sink, at);
	t = &o->transaction[o->n_transactions++];
	*t = (struct smb1_transaction){.ids = *ids, .command = command};
	for (unsigned i = 0; i < 2; i++) {
		t->total[i] = part->total[i];
		t->sent[i] = part->count[i];
	}
	return t;
}

static uint8_t primary_of(uint8_t secondary)
{
	return secondary - 1;
}

static void take_part(struct smb1_transaction *t, const struct smb_sink *sink,
	const struct smb1_part *part, uint32_t at)
{
	bool order = true;

	/* "MAY be less than or equal to" what the primary said: MS-CIFS 2.2.4.47.1. */
	for (unsigned i = 0; i < 2; i++) {
		if (part->total[i] < t->total[i])
			t->total[i] = part->total[i];
		if (part->count[i] > 0 && part->displacement[i] != t->sent[i])
			order = false;
	}
	if (overruns(part, t->total))
		smb_detect(sink, SMB_FOUND_transaction_overrun, at, part->displacement[1]);
	else if (!order)
		smb_detect(sink, SMB_FOUND_transaction_order, at, part->displacement[1]);
	for (unsigned i = 0; i < 2; i++)
		t->sent[i] += part->count[i];
}

struct smb1_transaction *smb1_trans_secondary(struct smb1_open *o, const struct smb_sink *sink,
	const struct smb1_ids *ids, uint8_t command, const struct smb1_part *part, uint32_t at)
{
	struct smb1_transaction *t = smb1_trans_find(o, ids);

	if (t != NULL && t->command == SMB1_NT_TRANSACT && command == SMB1_TRANSACTION2_SECONDARY)
		smb_detect(sink, SMB_FOUND_nt_transact_mixed, at, ids->mid);
	if (t != NULL && t->rename)
		smb_detect(sink, SMB_FOUND_nt_rename_secondary, at, ids->mid);
	if (t == NULL || t->command != primary_of(command)) {
		smb_detect(sink, SMB_FOUND_secondary_unmatched, at, command);
		return NULL;
	}
	take_part(t, sink, part, at);
	return t->closed ? NULL : t;
}

void smb1_trans_check_write(
	struct smb1_open *o, const struct smb_sink *sink, const struct smb1_ids *ids, uint32_t at)
{
	const struct smb1_transaction *t = smb1_trans_find(o, ids);

	if (t != NULL && !t->closed)
		detect_if_all_seen(sink, sink->whole, SMB_FOUND_write_in_transaction, at, ids->mid);
}

bool smb1_trans_reply(
	struct smb1_open *o, const struct smb1_ids *ids, bool failed, const struct smb1_part *part)
{
	struct smb1_transaction *t = smb1_trans_find(o, ids);

	if (t == NULL)
		return true;
	if (!failed && part == NULL && !all_sent(t))
		return t->closed; /* else interim: the client may send the rest */
	if (!failed && part != NULL) {
		for (unsigned i = 0; i < 2; i++)
			t->got[i] += part->count[i];
		if (t->got[0] < part->total[0] || t->got[1] < part->total[1]) {
			t->closed = true;
			return false;
		}
	}
	if (all_sent(t))
		close_transaction(o, t);
	else
		t->closed = true;
	return true;
}
