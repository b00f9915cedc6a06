#include "rule_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rule_finish.h"
#include "rule_options.h"

static const struct {
	const char *name;
	enum rule_action action;
} actions[] = {
	{"pass", RULE_PASS},
	{"drop", RULE_DROP},
	{"reject", RULE_REJECT},
	{"rejectsrc", RULE_REJECT},
	{"rejectdst", RULE_REJECT},
	{"rejectboth", RULE_REJECT},
	{"alert", RULE_ALERT},
};

bool rule_refuse(struct rule_parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->reason, RULE_REASON_MAX, format, args);
	va_end(args);
	return false;
}

bool rule_once(struct rule_parser *parser, enum rule_seen seen)
{
	if (parser->seen & seen)
		return rule_refuse(parser, "stands in the rule twice");
	parser->seen |= seen;
	return true;
}

char *rule_keep(struct rule_parser *parser, struct rule_text text)
{
	char *kept = rule_arena_text(&parser->context->arena, text.s, text.n);

	if (!kept)
		rule_refuse(parser, "out of memory");
	return kept;
}

struct rule_item *rule_last_item(struct rule_parser *parser)
{
	for (unsigned i = parser->n_items; i > 0; i--)
		if (parser->items[i - 1].buffer == parser->buffer)
			return &parser->items[i - 1];
	return NULL;
}

struct rule_item *rule_add_item(struct rule_parser *parser, enum rule_item_type type)
{
	struct rule_item *item;

	if (parser->n_items == RULE_ITEMS_MAX) {
		rule_refuse(parser, "more than %d keywords that look at data", RULE_ITEMS_MAX);
		return NULL;
	}
	item = &parser->items[parser->n_items++];
	*item = (struct rule_item){.type = type, .buffer = parser->buffer};
	return item;
}

bool rule_new_var(struct rule_parser *parser, struct rule_text name, uint8_t *var)
{
	if (!rule_text_is_name(name) || name.n > RULE_VAR_NAME_MAX)
		return rule_refuse(parser, "\"%.*s\" is no name for a result", RULE_TEXT_ARG(name));
	for (unsigned i = 0; i < parser->n_vars; i++)
		if (parser->vars[i].n == name.n && memcmp(parser->vars[i].s, name.s, name.n) == 0)
			return rule_refuse(parser, "the name \"%.*s\" is used twice in the rule",
				RULE_TEXT_ARG(name));
	if (parser->n_vars == RULE_VARS_MAX)
		return rule_refuse(parser, "more than %d results in a rule", RULE_VARS_MAX);
	*var = (uint8_t)parser->n_vars;
	parser->vars[parser->n_vars++] = name;
	return true;
}

bool rule_read_number(struct rule_parser *parser, struct rule_text text, int64_t min, int64_t max,
	const char *what, struct rule_number *number)
{
	*number = (struct rule_number){.var = RULE_NO_VAR};
	if (rule_text_number(text, min, max, &number->value))
		return true;
	for (unsigned i = 0; i < parser->n_vars; i++)
		if (parser->vars[i].n == text.n && memcmp(parser->vars[i].s, text.s, text.n) == 0) {
			number->var = (int8_t)i;
			return true;
		}
	return rule_refuse(parser,
		"%s \"%.*s\" is neither a number from %lld to %lld nor the result of an earlier "
		"byte_extract or byte_math",
		what, RULE_TEXT_ARG(text), (long long)min, (long long)max);
}

/* A word, in which a list in brackets may have blanks. */
static bool header_word(struct rule_text *rest, struct rule_text *word)
{
	int open = 0;

	*rest = rule_text_trim(*rest);
	*word = (struct rule_text){rest->s, 0};
	while (word->n < rest->n &&
		(open > 0 || (rest->s[word->n] != ' ' && rest->s[word->n] != '\t'))) {
		open += (rest->s[word->n] == '[') - (rest->s[word->n] == ']');
		word->n++;
	}
	rest->s += word->n;
	rest->n -= word->n;
	return word->n > 0;
}

static bool read_action(struct rule_parser *parser, struct rule_text word)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (rule_text_is(word, actions[i].name)) {
			parser->rule->action = actions[i].action;
			return true;
		}
	return rule_refuse(parser, "action \"%.*s\": alert, drop, reject or pass is right",
		RULE_TEXT_ARG(word));
}

static bool read_proto(struct rule_parser *parser, struct rule_text word)
{
	for (int proto = RULE_TCP; proto <= RULE_DCERPC; proto++)
		if (rule_text_is_nocase(word, rule_proto_name(proto))) {
			parser->rule->proto = proto;
			return true;
		}
	return rule_refuse(parser, "protocol \"%.*s\" is not inspected: tcp, smb and dcerpc are",
		RULE_TEXT_ARG(word));
}

/* Resolved with the variables at hand, to see that it can be; kept as text. */
static bool read_expression(struct rule_parser *parser, struct rule_text word,
	enum rule_vars_kind kind, const char *what, uint16_t *id)
{
	struct rule_context *context = parser->context;
	struct rule_names *names = kind == RULE_VARS_PORTS ? context->ports : context->addresses;
	char text[RULE_EXPR_MAX + 1], why[RULE_REASON_MAX];
	struct rule_spans set = {0};
	bool done;

	if (word.n > RULE_EXPR_MAX)
		return rule_refuse(parser, "%s: longer than %d characters", what, RULE_EXPR_MAX);
	*id = rule_names_find(names, word.s, word.n);
	if (*id != RULE_NO_NAME)
		return true;
	memcpy(text, word.s, word.n);
	text[word.n] = 0;
	done = rule_vars_resolve(context->vars, kind, text, &set, why, sizeof(why));
	rule_spans_free(&set);
	if (!done)
		return rule_refuse(parser, "%s: %.200s", what, why);
	*id = rule_names_add(names, word.s, word.n);
	if (*id == RULE_NO_NAME)
		return rule_refuse(parser, "%s: more than %d different ones, or out of memory",
			what, RULE_EXPRS_MAX);
	return true;
}

static bool read_header(struct rule_parser *parser, struct rule_text header)
{
	struct rule *rule = parser->rule;
	struct rule_text word[7], more;

	for (int i = 0; i < 7; i++)
		if (!header_word(&header, &word[i]))
			return rule_refuse(parser,
				"the header ends after %d of 7 parts: action, "
				"protocol, source, its ports, ->, destination, "
				"its ports",
				i);
	if (header_word(&header, &more))
		return rule_refuse(
			parser, "\"%.*s\" does not belong before the options", RULE_TEXT_ARG(more));
	rule->both_ways = rule_text_is(word[4], "<>");
	if (!rule->both_ways && !rule_text_is(word[4], "->"))
		return rule_refuse(
			parser, "direction \"%.*s\": -> or <> is right", RULE_TEXT_ARG(word[4]));
	return read_action(parser, word[0]) && read_proto(parser, word[1]) &&
	       read_expression(parser, word[2], RULE_VARS_ADDRESSES, "source", &rule->src) &&
	       read_expression(parser, word[3], RULE_VARS_PORTS, "source port", &rule->src_ports) &&
	       read_expression(parser, word[5], RULE_VARS_ADDRESSES, "destination", &rule->dst) &&
	       read_expression(
		       parser, word[6], RULE_VARS_PORTS, "destination port", &rule->dst_ports);
}

/* The option up to a semicolon that has no backslash before it, as Suricata cuts. */
static bool next_option(struct rule_text *rest, struct rule_text *option)
{
	size_t n = 0;

	*rest = rule_text_trim(*rest);
	while (n < rest->n && (rest->s[n] != ';' || (n > 0 && rest->s[n - 1] == '\\')))
		n++;
	if (n == rest->n)
		return false;
	*option = rule_text_trim((struct rule_text){rest->s, n});
	rest->s += n + 1;
	rest->n -= n + 1;
	return true;
}

static void split_option(struct rule_text option, struct rule_text *name, struct rule_text *value)
{
	rule_text_next(&option, ':', name);
	*value = rule_text_trim(option);
}

static bool read_option(struct rule_parser *parser, struct rule_text option, char *keyword)
{
	const struct rule_option *found;
	struct rule_text name, value;
	const char *why;

	split_option(option, &name, &value);
	snprintf(keyword, RULE_KEYWORD_MAX, "%.*s", RULE_TEXT_ARG(name));
	found = rule_options_find(name);
	if (!found) {
		why = rule_options_why_not(name);
		return rule_refuse(parser, "%s", why ? why : "unknown keyword");
	}
	if (found->value == RULE_VALUE_NEEDED && value.n == 0)
		return rule_refuse(parser, "needs a value");
	if (found->value == RULE_VALUE_NONE && value.s && value.n > 0)
		return rule_refuse(parser, "takes no value");
	return found->read(parser, value);
}

/* So that a refusal that comes before the sid can name it. */
static uint32_t find_sid(struct rule_text options)
{
	struct rule_text option, name, value;
	int64_t sid = 0;

	while (next_option(&options, &option)) {
		split_option(option, &name, &value);
		if (rule_text_is(name, "sid") && rule_text_number(value, 1, UINT32_MAX, &sid))
			break;
	}
	return (uint32_t)sid;
}

static bool read_options(struct rule_parser *parser, struct rule_text options, char *keyword)
{
	struct rule_text option;
	unsigned n = 0;

	while (next_option(&options, &option)) {
		keyword[0] = 0;
		if (++n > RULE_OPTIONS_MAX)
			return rule_refuse(parser, "more than %d keywords", RULE_OPTIONS_MAX);
		if (option.n > 0 && !read_option(parser, option, keyword))
			return false;
	}
	if (options.n > 0) {
		snprintf(keyword, RULE_KEYWORD_MAX, "%.*s", RULE_TEXT_ARG(options));
		return rule_refuse(parser, "the last option does not end with a semicolon");
	}
	return true;
}

struct rule *rule_parse(struct rule_context *context, const char *file, uint32_t line,
	struct rule_text text, struct rule_refusal *refusal)
{
	struct rule_parser parser = {.context = context, .reason = refusal->reason};
	unsigned first_pcre = context->n_pcres;
	const char *open = memchr(text.s, '(', text.n);
	struct rule_text header = text, options = {0};
	struct rule *rule = rule_arena_alloc(&context->arena, sizeof(*rule));
	bool done;

	refusal->sid = 0;
	refusal->keyword[0] = 0;
	parser.rule = rule;
	if (!rule) {
		rule_refuse(&parser, "out of memory");
		return NULL;
	}
	*rule = (struct rule){.gid = 1,
		.priority = 3,
		.msg = "",
		.classtype = "",
		.metadata = "",
		.reference = "",
		.file = file,
		.line = line,
		.fast = RULE_NO_FAST,
		.dsize = {1, 0, false},
		.dce_iface.version = {1, 0, false}};
	if (text.n > RULE_LINE_MAX) {
		rule_refuse(&parser, "longer than %d characters", RULE_LINE_MAX);
		return NULL;
	}
	if (!open || text.s[text.n - 1] != ')') {
		rule_refuse(&parser, "no options between ( and ) at the end");
		return NULL;
	}
	header.n = (size_t)(open - text.s);
	options = (struct rule_text){open + 1, text.n - header.n - 2};
	refusal->sid = find_sid(options);
	done = read_header(&parser, header) && read_options(&parser, options, refusal->keyword) &&
	       rule_finish(&parser, refusal->keyword);
	if (!done)
		rule_context_drop_pcres(context, first_pcre);
	return done ? rule : NULL;
}
