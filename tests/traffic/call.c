#include "call.h"

#include <string.h>

#define SMB2_HEADER  64
#define TREE         5
#define BIND         11
#define BIND_ACK     12
#define REQUEST      0
#define CALL_STUB    8
#define OPNUM_IN_PDU 22

static struct solution *out;
static uint64_t message_id;

static void put(const void *bytes, uint32_t n)
{
	memcpy(out->bytes + out->len, bytes, n);
	out->len += n;
}

static void put_number(uint64_t v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		out->bytes[out->len++] = (uint8_t)(v >> (8 * i));
}

static void zeros(uint32_t n)
{
	memset(out->bytes + out->len, 0, n);
	out->len += n;
}

static void wide(const char *text)
{
	for (; *text != 0; text++)
		put_number((uint8_t)*text, 2);
}

/* MS-SMB2 2.2.1.2. */
static void begin(struct call_record *record, unsigned command, bool reply)
{
	record->to_server = !reply;
	out = &record->record;
	out->len = out->n = out->at = 0;
	zeros(4);
	put("\xfeSMB", 4);
	put_number(SMB2_HEADER, 2);
	zeros(6);
	put_number(command, 2);
	put_number(1, 2);
	put_number(reply, 4);
	zeros(4);
	message_id += !reply;
	put_number(message_id, 8);
	zeros(4);
	put_number(TREE, 4);
	put_number(0x1122334455667788, 8);
	zeros(16);
}

static void end(void)
{
	uint32_t len = out->len - 4;

	out->bytes[1] = (uint8_t)(len >> 16);
	out->bytes[2] = (uint8_t)(len >> 8);
	out->bytes[3] = (uint8_t)len;
}

static void connect_tree(struct call_record *records)
{
	static const char path[] = "\\\\srv\\IPC$";

	begin(&records[0], 3, false);
	put_number(9, 2);
	zeros(2);
	put_number(SMB2_HEADER + 8, 2);
	put_number(2 * (sizeof(path) - 1), 2);
	wide(path);
	end();
	begin(&records[1], 3, true);
	put_number(16, 2);
	put_number(2, 2); /* a pipe */
	zeros(12);
	end();
}

static void put_file(void)
{
	put("file-id-of-pipe!", 16);
}

static void open_pipe(struct call_record *records)
{
	static const char name[] = "samr"; /* one that Suricata knows as DCERPC */

	begin(&records[0], 5, false);
	put_number(57, 2);
	zeros(42);
	put_number(SMB2_HEADER + 56, 2);
	put_number(2 * (sizeof(name) - 1), 2);
	zeros(8);
	wide(name);
	end();
	begin(&records[1], 5, true);
	put_number(89, 2);
	zeros(62);
	put_file();
	zeros(8);
	end();
}

/* C706 12.6.4: header, and what a bind and its acknowledgement hold. */
static void pdu(unsigned type, uint32_t len, unsigned call)
{
	put_number(5, 2);
	put_number(type, 1);
	put_number(3, 1);
	put_number(0x10, 4);
	put_number(len, 2);
	zeros(2);
	put_number(call, 4);
}

static void transfer_syntax(void)
{
	static const uint8_t ndr[] = {4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 8, 0,
		0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0};

	put(ndr, sizeof(ndr));
}

/* As on the wire: its first three parts are little endian. */
static void put_uuid(const uint8_t uuid[16])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	for (unsigned i = 0; i < 16; i++)
		put_number(uuid[order[i]], 1);
}

static void write_begin(struct call_record *record, uint32_t len)
{
	begin(record, 9, false);
	put_number(49, 2);
	put_number(SMB2_HEADER + 48, 2);
	put_number(len, 4);
	zeros(8);
	put_file();
	zeros(16);
}

static void write_reply(struct call_record *record, uint32_t len)
{
	begin(record, 9, true);
	put_number(17, 2);
	zeros(2);
	put_number(len, 4);
	zeros(8);
	end();
}

static void bind(struct call_record *records, const uint8_t uuid[16], uint16_t version)
{
	write_begin(&records[0], 72);
	pdu(BIND, 72, 1);
	put_number(4280, 2);
	put_number(4280, 2);
	zeros(4);
	put_number(1, 4);
	zeros(2);
	put_number(1, 2);
	put_uuid(uuid);
	put_number(version, 4);
	transfer_syntax();
	end();
	write_reply(&records[1], 72);
	begin(&records[2], 8, false); /* read */
	put_number(49, 2);
	zeros(2);
	put_number(1024, 4);
	zeros(8);
	put_file();
	zeros(17);
	end();
	begin(&records[3], 8, true);
	put_number(17, 2);
	put_number(SMB2_HEADER + 16, 2);
	put_number(60, 4);
	zeros(8);
	pdu(BIND_ACK, 60, 1);
	put_number(4280, 2);
	put_number(4280, 2);
	put_number(1, 4);
	put_number(5, 2);
	put("pipe", 5);
	zeros(1);
	put_number(1, 4);
	zeros(4); /* accepted */
	transfer_syntax();
	end();
}

void call_make(const uint8_t uuid[16], uint16_t version, uint16_t opnum,
	struct call_record records[CALL_RECORDS])
{
	uint32_t len = 24 + CALL_STUB;

	message_id = 0;
	connect_tree(records);
	open_pipe(records + 2);
	bind(records + 4, uuid, version);
	write_begin(&records[8], len);
	out->at = out->len + OPNUM_IN_PDU;
	out->n = 1;
	pdu(REQUEST, len, 2);
	put_number(CALL_STUB, 4);
	put_number(0, 2);
	put_number(opnum, 2);
	zeros(CALL_STUB);
	end();
}
