#include "rule_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct rule_text rule_text_of(const char *s)
{
	return (struct rule_text){s, strlen(s)};
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct rule_text rule_text_trim(struct rule_text text)
{
	while (text.n > 0 && blank(text.s[0])) {
		text.s++;
		text.n--;
	}
	while (text.n > 0 && blank(text.s[text.n - 1]))
		text.n--;
	return text;
}

bool rule_text_is(struct rule_text text, const char *word)
{
	return text.n == strlen(word) && memcmp(text.s, word, text.n) == 0;
}

bool rule_text_is_nocase(struct rule_text text, const char *word)
{
	return text.n == strlen(word) && strncasecmp(text.s, word, text.n) == 0;
}

bool rule_text_starts(struct rule_text text, const char *word)
{
	size_t n = strlen(word);

	return text.n >= n && memcmp(text.s, word, n) == 0;
}

bool rule_text_is_name(struct rule_text text)
{
	if (text.n == 0 || !(isalpha((unsigned char)text.s[0]) || text.s[0] == '_'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.s[i];

		if (!isalnum(c) && c != '_' && c != '.' && c != '-')
			return false;
	}
	return true;
}

bool rule_text_next(struct rule_text *rest, char separator, struct rule_text *part)
{
	const char *end;

	if (!rest->s)
		return false;
	end = memchr(rest->s, separator, rest->n);
	*part = *rest;
	if (end) {
		part->n = (size_t)(end - rest->s);
		rest->s = end + 1;
		rest->n -= part->n + 1;
	} else {
		*rest = (struct rule_text){0};
	}
	*part = rule_text_trim(*part);
	return true;
}

bool rule_text_word(struct rule_text *rest, struct rule_text *word)
{
	*rest = rule_text_trim(*rest);
	*word = (struct rule_text){rest->s, 0};
	while (word->n < rest->n && !blank(rest->s[word->n]))
		word->n++;
	if (word->n == 0)
		return false;
	rest->s += word->n;
	rest->n -= word->n;
	return true;
}

bool rule_text_negated(struct rule_text *text)
{
	if (text->n == 0 || text->s[0] != '!')
		return false;
	text->s++;
	text->n--;
	*text = rule_text_trim(*text);
	return true;
}

bool rule_text_unquote(struct rule_text *text)
{
	if (text->n < 2 || text->s[0] != '"' || text->s[text->n - 1] != '"')
		return false;
	text->s++;
	text->n -= 2;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool rule_text_number64(struct rule_text text, uint64_t *value)
{
	uint64_t sum = 0;
	int base = 10;

	if (rule_text_starts(text, "0x") || rule_text_starts(text, "0X")) {
		base = 16;
		text.s += 2;
		text.n -= 2;
	}
	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int d = digit(text.s[i]);

		if (d >= base || __builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)d, &sum))
			return false;
	}
	*value = sum;
	return true;
}

bool rule_text_number(struct rule_text text, int64_t min, int64_t max, int64_t *value)
{
	bool minus = false;
	uint64_t sum;
	int64_t found;

	if (min < 0 && text.n > 0 && (text.s[0] == '-' || text.s[0] == '+')) {
		minus = text.s[0] == '-';
		text.s++;
		text.n--;
	}
	if (!rule_text_number64(text, &sum) || sum > INT64_MAX)
		return false;
	found = minus ? -(int64_t)sum : (int64_t)sum;
	if (found < min || found > max)
		return false;
	*value = found;
	return true;
}
