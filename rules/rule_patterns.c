#include "rule_patterns.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	const struct rule_content *content;
	uint32_t rule;
};

static int compare_content(const struct rule_content *x, const struct rule_content *y)
{
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->nocase != y->nocase)
		return x->nocase ? 1 : -1;
	return memcmp(x->bytes, y->bytes, x->len);
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = compare_content(x->content, y->content);

	if (order != 0)
		return order;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static bool fill(struct rule_patterns *patterns, const struct entry *entries, uint32_t n)
{
	patterns->patterns = calloc(n + 1, sizeof(*patterns->patterns));
	patterns->rules = calloc(n + 1, sizeof(*patterns->rules));
	if (!patterns->patterns || !patterns->rules) {
		rule_patterns_free(patterns);
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || compare_content(entries[i - 1].content, entries[i].content) != 0)
			patterns->patterns[patterns->n++] = (struct rule_pattern){
				entries[i].content, i, 0};
		patterns->patterns[patterns->n - 1].n++;
		patterns->rules[i] = entries[i].rule;
	}
	return true;
}

bool rule_patterns_collect(
	struct rule_patterns *patterns, const struct ruleset *ruleset, const bool *wanted)
{
	uint32_t count = ruleset_count(ruleset), n = 0;
	struct entry *entries = calloc((size_t)count + 1, sizeof(*entries));
	bool done;

	*patterns = (struct rule_patterns){0};
	if (!entries)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct rule *rule = ruleset_rule(ruleset, i);

		if (wanted[i])
			entries[n++] = (struct entry){&rule->items[rule->fast].content, i};
	}
	qsort(entries, n, sizeof(*entries), compare);
	done = fill(patterns, entries, n);
	free(entries);
	return done;
}

void rule_patterns_free(struct rule_patterns *patterns)
{
	free(patterns->patterns);
	free(patterns->rules);
	*patterns = (struct rule_patterns){0};
}

void rule_pattern_escape(const struct rule_content *content, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < content->len; i++) {
		*text++ = '\\';
		*text++ = 'x';
		*text++ = digits[content->bytes[i] >> 4];
		*text++ = digits[content->bytes[i] & 15];
	}
	*text = 0;
}
