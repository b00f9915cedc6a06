/*
 * The keywords between a rule's parentheses, as tables: name, whether a value belongs to it, and
 * what reads it. rule_parse.c walks the options of a rule through them; each rule_options_*.c has
 * the keywords of one kind. Only these include this header. No DPDK.
 */
#ifndef VS_RULE_OPTIONS_H
#define VS_RULE_OPTIONS_H

#include "rule.h"
#include "rule_context.h"
#include "rule_text.h"

#define RULE_VAR_NAME_MAX 63
#define RULE_BIT_TEXT_MAX 64 /* names of all flowbits and xbits of one rule */

/* A flowbit or xbit whose names are not numbers yet: a refused rule must leave none behind. */
struct rule_bit_text {
	struct rule_bit bit;
	uint16_t first, n; /* in rule_parser.bit_names */
};

/* One rule on its way from text. */
struct rule_parser {
	struct rule_context *context;
	struct rule *rule; /* in the context's arena */
	char *reason; /* of RULE_REASON_MAX; why it is refused */

	enum rule_buffer buffer; /* that the next content looks at */
	struct rule_item items[RULE_ITEMS_MAX];
	unsigned n_items;
	struct rule_text vars[RULE_VARS_MAX];
	unsigned n_vars;
	struct rule_bit_text bits[RULE_BITS_MAX];
	unsigned n_bits;
	struct rule_text bit_names[RULE_BIT_TEXT_MAX];
	unsigned n_bit_names;
	struct rule_range opnums[RULE_OPNUMS_MAX];
	unsigned n_opnums;
	uint32_t seen; /* enum rule_seen: what may stand in a rule only once */
};

enum rule_seen {
	RULE_SEEN_MSG = 1,
	RULE_SEEN_SID = 2,
	RULE_SEEN_REV = 4,
	RULE_SEEN_GID = 8,
	RULE_SEEN_CLASSTYPE = 16,
	RULE_SEEN_PRIORITY = 32,
	RULE_SEEN_TARGET = 64,
	RULE_SEEN_FLOW = 128,
	RULE_SEEN_DSIZE = 256,
	RULE_SEEN_FLAGS = 512,
	RULE_SEEN_THRESHOLD = 1024,
	RULE_SEEN_FILTER = 2048,
	RULE_SEEN_IFACE = 4096,
	RULE_SEEN_OPNUM = 8192,
};

enum rule_option_value {
	RULE_VALUE_NONE,
	RULE_VALUE_NEEDED,
	RULE_VALUE_MAY,
};

struct rule_option {
	const char *name;
	enum rule_option_value value;
	bool (*read)(struct rule_parser *parser, struct rule_text value);
};

/* Each ends with a row without a name. */
extern const struct rule_option rule_options_meta[];
extern const struct rule_option rule_options_content[];
extern const struct rule_option rule_options_pcre[];
extern const struct rule_option rule_options_bytes[];
extern const struct rule_option rule_options_state[];
extern const struct rule_option rule_options_smb[];

/* The keyword that is called name, or NULL. */
const struct rule_option *rule_options_find(struct rule_text name);
/* Why Suricata's keyword name is not in the language here, or NULL where it is unknown there too.
 */
const char *rule_options_why_not(struct rule_text name);

/* Writes the reason; always false. */
bool rule_refuse(struct rule_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* False, with a reason, where it was seen before. */
bool rule_once(struct rule_parser *parser, enum rule_seen seen);

/* A new item of the current buffer, or NULL with a reason. */
struct rule_item *rule_add_item(struct rule_parser *parser, enum rule_item_type type);
/* The last item of the current buffer, or NULL. */
struct rule_item *rule_last_item(struct rule_parser *parser);
/* A number within [min, max] or the name of an earlier byte_extract or byte_math. */
bool rule_read_number(struct rule_parser *parser, struct rule_text text, int64_t min, int64_t max,
	const char *what, struct rule_number *number);
/* A name for a result, new in this rule. */
bool rule_new_var(struct rule_parser *parser, struct rule_text name, uint8_t *var);
/* A copy in the arena, or NULL with a reason. */
char *rule_keep(struct rule_parser *parser, struct rule_text text);

#endif
