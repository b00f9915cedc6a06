/*
 * Pieces of a rule's text: cutting, numbers, quotes. Slices point into the line, which has no zeros
 * at their ends. No state, no DPDK.
 */
#ifndef VS_RULE_TEXT_H
#define VS_RULE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rule_text {
	const char *s;
	size_t n;
};

/* For printf's "%.*s"; long texts are cut. */
#define RULE_TEXT_ARG(t) ((int)((t).n > 60 ? 60 : (t).n)), (t).s

struct rule_text rule_text_of(const char *s);
/* Without blanks at both ends. */
struct rule_text rule_text_trim(struct rule_text text);
bool rule_text_is(struct rule_text text, const char *word);
/* As above, but case does not matter. */
bool rule_text_is_nocase(struct rule_text text, const char *word);
bool rule_text_starts(struct rule_text text, const char *word);
/* Whether all of it may be the name of a variable: letters, digits, "_", "." and "-", a letter or
 * "_" first. */
bool rule_text_is_name(struct rule_text text);

/* The part up to the next separator, trimmed; rest moves behind it. False where rest is used up. */
bool rule_text_next(struct rule_text *rest, char separator, struct rule_text *part);
/* The same, with any run of blanks as separator. */
bool rule_text_word(struct rule_text *rest, struct rule_text *word);

/* Takes "!" and blanks off the front. */
bool rule_text_negated(struct rule_text *text);
/* Takes double quotes off both ends; false where they are not there. */
bool rule_text_unquote(struct rule_text *text);

/* Decimal, or hexadecimal behind "0x", with a sign where min is below zero; within [min, max]. */
bool rule_text_number(struct rule_text text, int64_t min, int64_t max, int64_t *value);
/* The same without a sign, up to the largest number there is. */
bool rule_text_number64(struct rule_text text, uint64_t *value);

#endif
