#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule_compile_pcre.h"

#include <pcre2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounded repeats of a thousand and more cost Hyperscan seconds and megabytes. */
#define REPEAT_MAX 512
#define BYTES_MAX  (256U << 10)

static bool long_repeat(const char *text)
{
	for (const char *open = strchr(text, '{'); open; open = strchr(open + 1, '{')) {
		char *end;
		long low = strtol(open + 1, &end, 10);
		long high = *end == ',' ? strtol(end + 1, &end, 10) : low;

		if (low > REPEAT_MAX || high > REPEAT_MAX)
			return true;
	}
	return false;
}

/* PCRE2's options as Hyperscan's; false where there is no such. Greed does not change yes or no. */
static bool flags_of(const struct rule_pcre *pcre, unsigned *flags)
{
	*flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;
	if (pcre->options & PCRE2_CASELESS)
		*flags |= HS_FLAG_CASELESS;
	if (pcre->options & PCRE2_MULTILINE)
		*flags |= HS_FLAG_MULTILINE;
	if (pcre->options & PCRE2_DOTALL)
		*flags |= HS_FLAG_DOTALL;
	return !(pcre->options & (PCRE2_DOLLAR_ENDONLY | PCRE2_EXTENDED | PCRE2_ANCHORED));
}

hs_database_t *rule_compile_pcre(const struct rule_pcre *pcre)
{
	hs_compile_error_t *error = NULL;
	hs_database_t *db = NULL;
	size_t bytes = 0;
	unsigned flags;

	if (!flags_of(pcre, &flags) || long_repeat(pcre->text))
		return NULL;
	if (hs_compile(pcre->text, flags, HS_MODE_BLOCK, NULL, &db, &error) != HS_SUCCESS) {
		hs_free_compile_error(error);
		return NULL;
	}
	if (hs_database_size(db, &bytes) != HS_SUCCESS || bytes > BYTES_MAX) {
		hs_free_database(db);
		return NULL;
	}
	return db;
}

const struct rule_pcre **rule_compile_list_pcres(const struct ruleset *ruleset)
{
	const struct rule_pcre **list = calloc((size_t)ruleset_pcres(ruleset) + 1, sizeof(*list));

	for (uint32_t r = 0; list && r < ruleset_count(ruleset); r++) {
		const struct rule *rule = ruleset_rule(ruleset, r);

		for (unsigned i = 0; i < rule->n_items; i++) {
			const struct rule_item *item = &rule->items[i];

			if (item->type == RULE_PCRE && (item->pcre.negated || !item->position_used))
				list[item->pcre.index] = &item->pcre;
		}
	}
	return list;
}
