/* Keywords about packets, connections and what was seen before. */
#include "rule_options.h"

#include <string.h>

static bool both(const struct rule *rule, uint16_t flags)
{
	return (rule->flow & flags) == flags;
}

static bool read_flow(struct rule_parser *parser, struct rule_text value)
{
	static const struct {
		const char *word;
		uint16_t flag;
	} words[] = {
		{"to_server", RULE_TO_SERVER},
		{"from_client", RULE_TO_SERVER},
		{"to_client", RULE_TO_CLIENT},
		{"from_server", RULE_TO_CLIENT},
		{"established", RULE_ESTABLISHED},
		{"not_established", RULE_NOT_ESTABLISHED},
		{"stateless", RULE_STATELESS},
		{"only_stream", RULE_ONLY_STREAM},
		{"no_stream", RULE_NO_STREAM},
		{"only_frag", RULE_ONLY_FRAG},
		{"no_frag", RULE_NO_FRAG},
	};
	struct rule *rule = parser->rule;
	struct rule_text part;

	if (!rule_once(parser, RULE_SEEN_FLOW))
		return false;
	while (rule_text_next(&value, ',', &part)) {
		uint16_t flag = 0;

		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (rule_text_is_nocase(part, words[i].word))
				flag = words[i].flag;
		if (!flag)
			return rule_refuse(parser, "\"%.*s\" is not known", RULE_TEXT_ARG(part));
		rule->flow |= flag;
	}
	if (both(rule, RULE_TO_SERVER | RULE_TO_CLIENT) ||
		both(rule, RULE_ESTABLISHED | RULE_NOT_ESTABLISHED) ||
		both(rule, RULE_ESTABLISHED | RULE_STATELESS) ||
		both(rule, RULE_NOT_ESTABLISHED | RULE_STATELESS) ||
		both(rule, RULE_ONLY_STREAM | RULE_NO_STREAM) ||
		both(rule, RULE_ONLY_FRAG | RULE_NO_FRAG))
		return rule_refuse(parser, "has two parts that exclude each other");
	return true;
}

static bool read_command(
	struct rule_parser *parser, struct rule_text part, enum rule_bit_command *command)
{
	static const char *const words[] = {"set", "unset", "toggle", "isset", "isnotset"};

	for (int i = 0; i < 5; i++)
		if (rule_text_is(part, words[i])) {
			*command = (enum rule_bit_command)i;
			return true;
		}
	return rule_refuse(parser,
		"\"%.*s\": set, unset, toggle, isset, isnotset or noalert is right",
		RULE_TEXT_ARG(part));
}

static bool add_bit(struct rule_parser *parser, struct rule_text names, const struct rule_bit *bit)
{
	bool asks = bit->command == RULE_BIT_ISSET || bit->command == RULE_BIT_ISNOTSET;
	struct rule_bit_text *text;
	struct rule_text name;

	if (parser->n_bits == RULE_BITS_MAX)
		return rule_refuse(parser, "more than %d in one rule", RULE_BITS_MAX);
	text = &parser->bits[parser->n_bits++];
	*text = (struct rule_bit_text){*bit, (uint16_t)parser->n_bit_names, 0};
	while (rule_text_next(&names, '|', &name)) {
		if (!rule_text_is_name(name))
			return rule_refuse(
				parser, "\"%.*s\" is no name of a bit", RULE_TEXT_ARG(name));
		if (parser->n_bit_names == RULE_BIT_TEXT_MAX)
			return rule_refuse(
				parser, "more than %d names in one rule", RULE_BIT_TEXT_MAX);
		parser->bit_names[parser->n_bit_names++] = name;
		text->n++;
	}
	if (text->n > 1 && !asks)
		return rule_refuse(
			parser, "several names go together with isset and isnotset only");
	return text->n > 0 || rule_refuse(parser, "the name is missing");
}

static bool read_flowbits(struct rule_parser *parser, struct rule_text value)
{
	struct rule_bit bit = {.scope = RULE_BIT_FLOW};
	struct rule_text part;

	rule_text_next(&value, ',', &part);
	if (rule_text_is(part, "noalert")) {
		parser->rule->noalert = true;
		return !value.s || rule_refuse(parser, "noalert takes no name");
	}
	return read_command(parser, part, &bit.command) &&
	       add_bit(parser, rule_text_trim(value), &bit);
}

static bool read_scope(
	struct rule_parser *parser, struct rule_text part, enum rule_bit_scope *scope)
{
	struct rule_text word;

	rule_text_word(&part, &word);
	part = rule_text_trim(part);
	if (rule_text_is(word, "track") && rule_text_is(part, "ip_src"))
		*scope = RULE_BIT_SRC;
	else if (rule_text_is(word, "track") && rule_text_is(part, "ip_dst"))
		*scope = RULE_BIT_DST;
	else if (rule_text_is(word, "track") && rule_text_is(part, "ip_pair"))
		*scope = RULE_BIT_PAIR;
	else
		return rule_refuse(parser,
			"\"track ip_src\", \"track ip_dst\" or \"track ip_pair\" is missing");
	return true;
}

static bool read_xbits(struct rule_parser *parser, struct rule_text value)
{
	struct rule_bit bit = {0};
	struct rule_text part, name = {0}, word;
	int64_t seconds;

	rule_text_next(&value, ',', &part);
	if (rule_text_is(part, "noalert")) {
		parser->rule->noalert = true;
		return !value.s || rule_refuse(parser, "noalert takes no name");
	}
	if (!read_command(parser, part, &bit.command))
		return false;
	if (!rule_text_next(&value, ',', &name))
		return rule_refuse(parser, "the name is missing");
	part = (struct rule_text){0};
	rule_text_next(&value, ',', &part);
	if (!read_scope(parser, part, &bit.scope))
		return false;
	while (rule_text_next(&value, ',', &part)) {
		rule_text_word(&part, &word);
		if (!rule_text_is(word, "expire") || bit.command != RULE_BIT_SET ||
			!rule_text_number(rule_text_trim(part), 1, UINT32_MAX, &seconds))
			return rule_refuse(parser,
				"behind the track only \"expire SECONDS\" is right, "
				"and with set only");
		bit.seconds = (uint32_t)seconds;
	}
	return add_bit(parser, name, &bit);
}

static bool read_flag_letters(struct rule_parser *parser, struct rule_text text, uint8_t *flags)
{
	static const char letters[] = "FSRPAUEC"; /* in the order of the TCP header's bits */

	for (size_t i = 0; i < text.n; i++) {
		char c = text.s[i];
		const char *found = c ? strchr(letters, c >= 'a' && c <= 'z' ? c - 32 : c) : NULL;

		if (c == '1')
			*flags |= 0x80; /* the reserved bits' old names */
		else if (c == '2')
			*flags |= 0x40;
		else if (found)
			*flags |= (uint8_t)(1U << (found - letters));
		else if (c != '0')
			return rule_refuse(parser,
				"'%c' is no flag: F, S, R, P, A, U, E, C and 0 are",
				c >= ' ' && c <= '~' ? c : '?');
	}
	return text.n > 0 || rule_refuse(parser, "no flag is named");
}

static bool read_flags(struct rule_parser *parser, struct rule_text value)
{
	static const struct {
		char letter;
		enum rule_flags_mode mode;
	} modes[] = {{'+', RULE_FLAGS_ALL}, {'*', RULE_FLAGS_ANY}, {'!', RULE_FLAGS_NOT}};
	struct rule *rule = parser->rule;
	struct rule_text part;
	bool before = false;

	if (!rule_once(parser, RULE_SEEN_FLAGS))
		return false;
	rule_text_next(&value, ',', &part);
	rule->flags_mode = RULE_FLAGS_EXACT;
	for (int i = 0; i < 3 && part.n > 0; i++) {
		before = part.s[0] == modes[i].letter;
		if (before || part.s[part.n - 1] == modes[i].letter) {
			rule->flags_mode = modes[i].mode;
			part.s += before;
			part.n--;
			break;
		}
	}
	return read_flag_letters(parser, rule_text_trim(part), &rule->flags_want) &&
	       (!value.s || read_flag_letters(parser, rule_text_trim(value), &rule->flags_ignore));
}

static bool read_dsize(struct rule_parser *parser, struct rule_text value)
{
	struct rule_range *range = &parser->rule->dsize;
	struct rule_text low = value, high = value;
	const char *between = value.n > 2 ? memmem(value.s, value.n, "<>", 2) : NULL;
	int64_t a = 0, b = 0;
	bool good;

	if (!rule_once(parser, RULE_SEEN_DSIZE))
		return false;
	if (between) {
		low.n = (size_t)(between - value.s);
		high = (struct rule_text){between + 2, value.n - low.n - 2};
		good = rule_text_number(rule_text_trim(low), 0, 65535, &a) &&
		       rule_text_number(rule_text_trim(high), 0, 65535, &b) && b > a + 1;
		*range = (struct rule_range){(uint32_t)a + 1, (uint32_t)b - 1, false};
	} else {
		bool negated = rule_text_negated(&value);
		char op = value.n > 0 ? value.s[0] : 0;
		bool compared = op == '<' || op == '>';

		low = compared ? (struct rule_text){value.s + 1, value.n - 1} : value;
		good = rule_text_number(rule_text_trim(low), 0, 65535, &a) &&
		       !(negated && compared) && !(op == '<' && a == 0);
		range->low = op == '<' ? 0 : (uint32_t)a + (op == '>');
		range->high = op == '>' ? UINT32_MAX : (uint32_t)a - (op == '<');
		range->negated = negated;
	}
	return good ||
	       rule_refuse(parser, "a length up to 65535, with <, > or ! before it, or two with <> "
				   "between, is right");
}

static bool read_track(struct rule_parser *parser, struct rule_text word, enum rule_track *track)
{
	static const char *const words[] = {
		"", "by_src", "by_dst", "by_both", "by_rule", "by_flow"};

	for (int i = RULE_TRACK_SRC; i <= RULE_TRACK_FLOW; i++)
		if (rule_text_is(word, words[i])) {
			*track = (enum rule_track)i;
			return true;
		}
	return rule_refuse(parser,
		"track \"%.*s\": by_src, by_dst, by_both, by_rule or by_flow is "
		"right",
		RULE_TEXT_ARG(word));
}

static bool read_type(
	struct rule_parser *parser, struct rule_text word, enum rule_threshold_type *type)
{
	static const char *const words[] = {"", "limit", "threshold", "both"};

	for (int i = RULE_THRESHOLD_LIMIT; i <= RULE_THRESHOLD_BOTH; i++)
		if (rule_text_is(word, words[i])) {
			*type = (enum rule_threshold_type)i;
			return true;
		}
	return rule_refuse(
		parser, "type \"%.*s\": limit, threshold or both is right", RULE_TEXT_ARG(word));
}

static bool read_count(
	struct rule_parser *parser, struct rule_text word, const char *what, uint32_t *count)
{
	int64_t number;

	if (!rule_text_number(word, 1, UINT32_MAX, &number))
		return rule_refuse(parser, "%s: a number from 1 is right", what);
	*count = (uint32_t)number;
	return true;
}

static bool read_threshold_parts(
	struct rule_parser *parser, struct rule_text value, struct rule_threshold *threshold)
{
	struct rule_text part, word;

	while (rule_text_next(&value, ',', &part)) {
		bool done;

		rule_text_word(&part, &word);
		part = rule_text_trim(part);
		if (rule_text_is(word, "type") && threshold->type != RULE_THRESHOLD_FILTER)
			done = read_type(parser, part, &threshold->type);
		else if (rule_text_is(word, "track"))
			done = read_track(parser, part, &threshold->track);
		else if (rule_text_is(word, "count"))
			done = read_count(parser, part, "count", &threshold->count);
		else if (rule_text_is(word, "seconds"))
			done = read_count(parser, part, "seconds", &threshold->seconds);
		else
			done = rule_refuse(
				parser, "\"%.*s\" is not known here", RULE_TEXT_ARG(word));
		if (!done)
			return false;
	}
	if (!threshold->type || !threshold->track || !threshold->count || !threshold->seconds)
		return rule_refuse(parser, "%strack, count and seconds are needed",
			threshold->type == RULE_THRESHOLD_FILTER ? "" : "type, ");
	return true;
}

static bool read_threshold(struct rule_parser *parser, struct rule_text value)
{
	return rule_once(parser, RULE_SEEN_THRESHOLD) &&
	       read_threshold_parts(parser, value, &parser->rule->threshold);
}

static bool read_detection_filter(struct rule_parser *parser, struct rule_text value)
{
	parser->rule->filter.type = RULE_THRESHOLD_FILTER;
	return rule_once(parser, RULE_SEEN_FILTER) &&
	       read_threshold_parts(parser, value, &parser->rule->filter);
}

const struct rule_option rule_options_state[] = {
	{"flow", RULE_VALUE_NEEDED, read_flow},
	{"flowbits", RULE_VALUE_NEEDED, read_flowbits},
	{"xbits", RULE_VALUE_NEEDED, read_xbits},
	{"flags", RULE_VALUE_NEEDED, read_flags},
	{"tcp.flags", RULE_VALUE_NEEDED, read_flags},
	{"dsize", RULE_VALUE_NEEDED, read_dsize},
	{"threshold", RULE_VALUE_NEEDED, read_threshold},
	{"detection_filter", RULE_VALUE_NEEDED, read_detection_filter},
	{0},
};
