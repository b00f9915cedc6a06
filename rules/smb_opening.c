#include "smb_opening.h"

#define SMB1_NEGOTIATE 0x72
#define SMB2_NEGOTIATE 0

void smb_opening_init(struct smb_opening *o, bool whole)
{
	*o = (struct smb_opening){.agreed = whole ? SMB_OPENING_AGREED : 0};
}

bool smb_opening_seen(const struct smb_opening *o)
{
	return o->agreed == SMB_OPENING_AGREED;
}

void smb_opening_other(struct smb_opening *o)
{
	o->never = true;
}

static void begin_anew(struct smb_opening *o)
{
	o->agreed = 0;
	o->waiting = false;
	if (++o->tries == SMB_OPENING_TRIES)
		o->never = true;
}

static void on_request(struct smb_opening *o, const struct smb_event *e)
{
	if (o->waiting)
		begin_anew(o);
	o->waiting = true;
	o->id = e->message.id;
	o->version = e->message.version;
	o->command = e->message.command;
}

/* SMB1's NEGOTIATE may be answered in SMB2, with message id 0: MS-SMB2 3.3.5.3.1. */
static bool answers(const struct smb_opening *o, const struct smb_event *e)
{
	if (o->version == 1 && e->message.version == 2)
		return o->command == SMB1_NEGOTIATE && e->message.command == SMB2_NEGOTIATE &&
		       e->message.id == 0;
	return o->version == e->message.version && o->command == e->message.command &&
	       o->id == e->message.id;
}

static void on_reply(struct smb_opening *o, const struct smb_event *e)
{
	if (!o->waiting || !answers(o, e)) {
		begin_anew(o);
		return;
	}
	o->waiting = false;
	o->agreed++;
}

void smb_opening_message(struct smb_opening *o, const struct smb_event *event)
{
	/* An AndX chain or compound is its first message's. */
	if (smb_opening_seen(o) || o->never || event->message.chained)
		return;
	if (event->message.reply)
		on_reply(o, event);
	else
		on_request(o, event);
}
