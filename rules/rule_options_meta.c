/* Keywords that describe a rule and do not look at traffic. */
#include "rule_options.h"

#include <stdio.h>
#include <string.h>

static bool read_uint(struct rule_parser *parser, struct rule_text value, int64_t min, int64_t max,
	uint32_t *number)
{
	int64_t found;

	if (!rule_text_number(value, min, max, &found))
		return rule_refuse(parser, "\"%.*s\" is no number from %lld to %lld",
			RULE_TEXT_ARG(value), (long long)min, (long long)max);
	*number = (uint32_t)found;
	return true;
}

static bool read_msg(struct rule_parser *parser, struct rule_text value)
{
	char *msg;
	size_t n = 0;

	if (!rule_once(parser, RULE_SEEN_MSG))
		return false;
	if (!rule_text_unquote(&value))
		return rule_refuse(parser, "must stand in double quotes");
	msg = rule_keep(parser, value);
	if (!msg)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		if (value.s[i] == '\\' && i + 1 < value.n && strchr("\\\";:", value.s[i + 1]))
			i++;
		else if (value.s[i] == '"')
			return rule_refuse(parser, "a double quote within needs a \\ before it");
		msg[n++] = value.s[i];
	}
	msg[n] = 0;
	parser->rule->msg = msg;
	return true;
}

static bool read_sid(struct rule_parser *parser, struct rule_text value)
{
	return rule_once(parser, RULE_SEEN_SID) &&
	       read_uint(parser, value, 1, UINT32_MAX, &parser->rule->sid);
}

static bool read_gid(struct rule_parser *parser, struct rule_text value)
{
	return rule_once(parser, RULE_SEEN_GID) &&
	       read_uint(parser, value, 1, UINT32_MAX, &parser->rule->gid);
}

static bool read_rev(struct rule_parser *parser, struct rule_text value)
{
	return rule_once(parser, RULE_SEEN_REV) &&
	       read_uint(parser, value, 0, UINT32_MAX, &parser->rule->rev);
}

static bool read_priority(struct rule_parser *parser, struct rule_text value)
{
	uint32_t priority = 0;

	if (!rule_once(parser, RULE_SEEN_PRIORITY) || !read_uint(parser, value, 1, 255, &priority))
		return false;
	parser->rule->priority = (uint8_t)priority;
	return true;
}

/* A class that is not known is kept: the file of classes is no part of the rules. */
static bool read_classtype(struct rule_parser *parser, struct rule_text value)
{
	const struct rule_class *class;

	if (!rule_once(parser, RULE_SEEN_CLASSTYPE))
		return false;
	if (!rule_text_is_name(value))
		return rule_refuse(parser, "\"%.*s\" is no name of a class", RULE_TEXT_ARG(value));
	class = rule_context_class(parser->context, value.s, value.n);
	if (class && !(parser->seen & RULE_SEEN_PRIORITY))
		parser->rule->priority = class->priority;
	parser->rule->classtype = class ? class->name : rule_keep(parser, value);
	return parser->rule->classtype != NULL;
}

/* "before, value" in the arena. */
static bool append(struct rule_parser *parser, const char **text, struct rule_text value)
{
	size_t before = strlen(*text);
	char *both;

	if (before == 0) {
		*text = rule_keep(parser, value);
		return *text != NULL;
	}
	both = rule_arena_alloc(&parser->context->arena, before + value.n + 3);
	if (!both)
		return rule_refuse(parser, "out of memory");
	snprintf(both, before + value.n + 3, "%s, %.*s", *text, (int)value.n, value.s);
	*text = both;
	return true;
}

static bool read_reference(struct rule_parser *parser, struct rule_text value)
{
	struct rule_text rest = value, type;

	rule_text_next(&rest, ',', &type);
	if (!rule_text_is_name(type) || !rest.s || rule_text_trim(rest).n == 0)
		return rule_refuse(parser,
			"\"%.*s\": a kind, a comma and what it names are right, "
			"like url,example.org",
			RULE_TEXT_ARG(value));
	return append(parser, &parser->rule->reference, value);
}

/*
 * What is ours in metadata, where Suricata takes any words: "vswitch_action quarantine", for a drop
 * whose culprit is to be cut off as well.
 */
static bool read_own(struct rule_parser *parser, struct rule_text value)
{
	struct rule_text part, name;

	while (rule_text_next(&value, ',', &part)) {
		if (!rule_text_word(&part, &name) || !rule_text_is(name, "vswitch_action"))
			continue;
		part = rule_text_trim(part);
		if (!rule_text_is(part, "quarantine"))
			return rule_refuse(parser, "vswitch_action \"%.*s\": quarantine is right",
				RULE_TEXT_ARG(part));
		if (parser->rule->action != RULE_DROP && parser->rule->action != RULE_REJECT)
			return rule_refuse(parser,
				"vswitch_action quarantine: the rule's action must be drop or "
				"reject");
		parser->rule->quarantines = true;
	}
	return true;
}

static bool read_metadata(struct rule_parser *parser, struct rule_text value)
{
	return read_own(parser, value) && append(parser, &parser->rule->metadata, value);
}

static bool read_target(struct rule_parser *parser, struct rule_text value)
{
	if (!rule_once(parser, RULE_SEEN_TARGET))
		return false;
	if (rule_text_is(value, "src_ip"))
		parser->rule->target = RULE_TARGET_SRC;
	else if (rule_text_is(value, "dest_ip"))
		parser->rule->target = RULE_TARGET_DST;
	else
		return rule_refuse(
			parser, "\"%.*s\": src_ip or dest_ip is right", RULE_TEXT_ARG(value));
	return true;
}

static bool read_noalert(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	parser->rule->noalert = true;
	return true;
}

static bool read_bypass(struct rule_parser *parser, struct rule_text value)
{
	(void)value;
	parser->rule->bypass = true;
	return true;
}

const struct rule_option rule_options_meta[] = {
	{"msg", RULE_VALUE_NEEDED, read_msg},
	{"sid", RULE_VALUE_NEEDED, read_sid},
	{"gid", RULE_VALUE_NEEDED, read_gid},
	{"rev", RULE_VALUE_NEEDED, read_rev},
	{"priority", RULE_VALUE_NEEDED, read_priority},
	{"classtype", RULE_VALUE_NEEDED, read_classtype},
	{"reference", RULE_VALUE_NEEDED, read_reference},
	{"metadata", RULE_VALUE_NEEDED, read_metadata},
	{"target", RULE_VALUE_NEEDED, read_target},
	{"noalert", RULE_VALUE_NONE, read_noalert},
	{"bypass", RULE_VALUE_NONE, read_bypass},
	{0},
};
