/* Buffers other than the record, and fields of SMB and DCERPC. */
#include "rule_options.h"

#include <string.h>

static bool turn_to(struct rule_parser *parser, enum rule_buffer buffer)
{
	parser->buffer = buffer;
	return true;
}

static bool read_pkt_data(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return turn_to(parser, RULE_RECORD);
}

static bool read_file_data(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return turn_to(parser, RULE_FILE_DATA);
}

/* smb.* and dce_* look at SMB and DCERPC: in a tcp rule they make it one. */
static bool needs(struct rule_parser *parser, enum rule_proto proto)
{
	struct rule *rule = parser->rule;

	if (rule->proto == RULE_TCP)
		rule->proto = proto;
	if (proto == RULE_SMB && rule->proto == RULE_DCERPC)
		return rule_refuse(
			parser, "is no field of DCERPC: the protocol must be smb or tcp");
	return true;
}

static bool read_share(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return needs(parser, RULE_SMB) && turn_to(parser, RULE_SMB_SHARE);
}

static bool read_named_pipe(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return needs(parser, RULE_SMB) && turn_to(parser, RULE_SMB_NAMED_PIPE);
}

static bool read_ntlmssp_user(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return needs(parser, RULE_SMB) && turn_to(parser, RULE_SMB_NTLMSSP_USER);
}

static bool read_stub(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	return needs(parser, RULE_DCERPC) && turn_to(parser, RULE_DCE_STUB);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 8-4-4-4-12 hexadecimal digits, as written. */
static bool read_uuid(struct rule_text text, uint8_t uuid[16])
{
	size_t at = 0;

	if (text.n != 36)
		return false;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) {
			if (text.s[at++] != '-')
				return false;
		}
		if (hex(text.s[at]) < 0 || hex(text.s[at + 1]) < 0)
			return false;
		uuid[i] = (uint8_t)(hex(text.s[at]) << 4 | hex(text.s[at + 1]));
		at += 2;
	}
	return true;
}

static bool read_version(struct rule_text part, struct rule_range *range)
{
	char op = part.n > 0 ? part.s[0] : 0;
	int64_t number;

	part = rule_text_trim((struct rule_text){part.s + 1, part.n ? part.n - 1 : 0});
	if (!strchr("<>=!", op) || !op || !rule_text_number(part, 0, 65535, &number) ||
		(op == '<' && number == 0))
		return false;
	range->low = op == '<' ? 0 : (uint32_t)number + (op == '>');
	range->high = op == '>' ? 65536 : (uint32_t)number - (op == '<');
	range->negated = op == '!';
	return true;
}

static bool read_iface(struct rule_parser *parser, struct rule_text value)
{
	struct rule_dce_iface *iface = &parser->rule->dce_iface;
	struct rule_text part;

	if (!rule_once(parser, RULE_SEEN_IFACE) || !needs(parser, RULE_DCERPC))
		return false;
	rule_text_next(&value, ',', &part);
	if (!read_uuid(part, iface->uuid))
		return rule_refuse(parser, "\"%.*s\" is no UUID", RULE_TEXT_ARG(part));
	iface->given = true;
	while (rule_text_next(&value, ',', &part)) {
		if (rule_text_is(part, "any_frag"))
			iface->any_frag = true;
		else if (!read_version(part, &iface->version))
			return rule_refuse(parser,
				"\"%.*s\": a version up to 65535 with <, >, = or ! "
				"before it, or any_frag, is right",
				RULE_TEXT_ARG(part));
	}
	return true;
}

static bool read_opnum(struct rule_parser *parser, struct rule_text value)
{
	struct rule_text part;

	if (!rule_once(parser, RULE_SEEN_OPNUM) || !needs(parser, RULE_DCERPC))
		return false;
	while (rule_text_next(&value, ',', &part)) {
		struct rule_text high = part, low;
		int64_t a, b;

		rule_text_next(&high, '-', &low);
		if (!rule_text_number(low, 0, 65535, &a))
			a = -1;
		b = a;
		if (a < 0 || (high.s && !rule_text_number(rule_text_trim(high), a, 65535, &b)))
			return rule_refuse(parser,
				"\"%.*s\": a number up to 65535, or two with - "
				"between, is right",
				RULE_TEXT_ARG(part));
		if (parser->n_opnums == RULE_OPNUMS_MAX)
			return rule_refuse(parser, "more than %d numbers", RULE_OPNUMS_MAX);
		parser->opnums[parser->n_opnums++] = (struct rule_range){
			(uint32_t)a, (uint32_t)b, false};
	}
	return true;
}

const struct rule_option rule_options_smb[] = {
	{"pkt_data", RULE_VALUE_NONE, read_pkt_data},
	{"file_data", RULE_VALUE_NONE, read_file_data},
	{"file.data", RULE_VALUE_NONE, read_file_data},
	{"smb.share", RULE_VALUE_NONE, read_share},
	{"smb_share", RULE_VALUE_NONE, read_share},
	{"smb.named_pipe", RULE_VALUE_NONE, read_named_pipe},
	{"smb_named_pipe", RULE_VALUE_NONE, read_named_pipe},
	{"smb.ntlmssp_user", RULE_VALUE_NONE, read_ntlmssp_user},
	{"dce_stub_data", RULE_VALUE_NONE, read_stub},
	{"dcerpc.stub_data", RULE_VALUE_NONE, read_stub},
	{"dce_iface", RULE_VALUE_NEEDED, read_iface},
	{"dcerpc.iface", RULE_VALUE_NEEDED, read_iface},
	{"dce_opnum", RULE_VALUE_NEEDED, read_opnum},
	{"dcerpc.opnum", RULE_VALUE_NEEDED, read_opnum},
	{0},
};
