/* pcre: compiled by PCRE2 while the rule is read; rule_compile.c tries Hyperscan on it later. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule_options.h"

#include <pcre2.h>
#include <string.h>

static const struct {
	char letter;
	uint32_t option;
} letters[] = {
	{'i', PCRE2_CASELESS},
	{'m', PCRE2_MULTILINE},
	{'s', PCRE2_DOTALL},
	{'x', PCRE2_EXTENDED},
	{'A', PCRE2_ANCHORED},
	{'E', PCRE2_DOLLAR_ENDONLY},
	{'G', PCRE2_UNGREEDY},
};

static bool read_letter(struct rule_parser *parser, char letter, struct rule_pcre *pcre)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++)
		if (letters[i].letter == letter) {
			pcre->options |= letters[i].option;
			return true;
		}
	if (letter == 'R')
		pcre->relative = true;
	else if (letter && strchr("UIPQHDMCSYWVZ", letter))
		return rule_refuse(parser, "/%c: HTTP is not inspected here", letter);
	else if (letter != 'B' && letter != 'O') /* raw bytes, and Suricata's own limits */
		return rule_refuse(parser, "/%c is not known: i, m, s, x, A, E, G and R are",
			letter >= ' ' && letter <= '~' ? letter : '?');
	return true;
}

/* Conservative: a mark anywhere in the text counts. */
static bool end_sensitive(const char *text)
{
	static const char *const marks[] = {"$", "\\z", "\\Z", "\\b", "\\B", "(?=", "(?!", "(?>"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (strstr(text, marks[i]))
			return true;
	return false;
}

static bool compile(struct rule_parser *parser, struct rule_pcre *pcre)
{
	uint32_t options = pcre->options | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
			   PCRE2_NEVER_BACKSLASH_C;
	PCRE2_UCHAR8 why[128];
	pcre2_code *code;
	PCRE2_SIZE at;
	int error;

	code = pcre2_compile(
		(PCRE2_SPTR)pcre->text, strlen(pcre->text), options, &error, &at, NULL);
	if (!code) {
		pcre2_get_error_message(error, why, sizeof(why));
		return rule_refuse(parser, "at character %zu: %s", (size_t)at, (char *)why);
	}
	/* Where there is no memory that may be run, PCRE2 interprets. */
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
	if (!rule_context_keep_pcre(parser->context, code, &pcre->index)) {
		pcre2_code_free(code);
		return rule_refuse(
			parser, "more than %d in a ruleset, or out of memory", RULE_PCRES_MAX);
	}
	pcre->code = code;
	pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
	pcre->anchored = options & PCRE2_ANCHORED;
	return true;
}

/* "/", the expression, "/" and letters; names of groups that would become variables are refused. */
static bool read_pcre(struct rule_parser *parser, struct rule_text value)
{
	bool negated = rule_text_negated(&value);
	struct rule_item *item;
	size_t end;

	if (!rule_text_unquote(&value))
		return rule_refuse(parser, "must stand in double quotes");
	for (end = value.n; end > 0 && value.s[end - 1] != '/'; end--)
		;
	if (value.n == 0 || value.s[0] != '/' || end < 2)
		return rule_refuse(parser, "must stand between slashes");
	if (end - 2 > RULE_PCRE_MAX)
		return rule_refuse(parser, "longer than %d characters", RULE_PCRE_MAX);
	if (memchr(value.s + 1, 0, end - 2))
		return rule_refuse(parser, "has a zero byte in it");
	item = rule_add_item(parser, RULE_PCRE);
	if (!item)
		return false;
	item->pcre.negated = negated;
	for (size_t i = end; i < value.n; i++)
		if (!read_letter(parser, value.s[i], &item->pcre))
			return false;
	item->pcre.text = rule_keep(parser, (struct rule_text){value.s + 1, end - 2});
	if (!item->pcre.text)
		return false;
	if (strstr(item->pcre.text, "(?P<flow_") || strstr(item->pcre.text, "(?P<pkt_"))
		return rule_refuse(
			parser, "variables of connections and packets are not supported");
	item->pcre.end_sensitive = end_sensitive(item->pcre.text);
	return compile(parser, &item->pcre);
}

const struct rule_option rule_options_pcre[] = {
	{"pcre", RULE_VALUE_NEEDED, read_pcre},
	{0},
};
