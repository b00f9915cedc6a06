#include "rule_fast.h"

#include <string.h>

/* Once in every SMB message of a kind: what goes on after it decides how rare it is. */
static const char *const everywhere[] = {"\xffSMB", "\xfeSMB", "\xffsmb", "\xfesmb"};

/* Bits that a byte is worth. An estimate: zero fills headers and the high halves of UTF-16,
 * 0xff fills unused fields, letters make names. */
static unsigned weight(uint8_t byte)
{
	if (byte == 0)
		return 1;
	if (byte == 0xff || byte == ' ')
		return 3;
	if (byte == 1 || byte == 0x10 || byte == 0x20 || byte == 0x40 || byte == 0x80)
		return 4;
	if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= '0' && byte <= '9'))
		return 5;
	return 7;
}

static bool repeated(const struct rule_content *content)
{
	for (unsigned i = 1; i < content->len; i++)
		if (content->bytes[i] != content->bytes[0])
			return false;
	return true;
}

unsigned rule_fast_rarity(const struct rule_content *content)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < content->len; i++) {
		bool known = false;

		for (unsigned k = 0; k < sizeof(everywhere) / sizeof(*everywhere); k++)
			known |= content->len - i >= 4 &&
				 memcmp(content->bytes + i, everywhere[k], 4) == 0;
		if (known) {
			bits += 2;
			i += 3;
			continue;
		}
		/* A byte like the one before says little. */
		if (i > 0 && content->bytes[i] == content->bytes[i - 1])
			bits += 1;
		else
			bits += weight(content->bytes[i]);
	}
	return bits;
}

/* 0: never. Any that serves is above any that does not. */
static unsigned score(const struct rule_item *item)
{
	const struct rule_content *content = &item->content;
	unsigned rarity;

	if (item->type != RULE_CONTENT || content->negated)
		return 0;
	rarity = 1 + rule_fast_rarity(content);
	if (content->len < RULE_FAST_MIN || repeated(content))
		return rarity;
	return rarity + (content->fast ? 1U << 20 : 1U << 16);
}

uint16_t rule_fast_choose(const struct rule *rule)
{
	uint16_t best = RULE_NO_FAST;
	unsigned high = 0;

	for (uint16_t i = 0; i < rule->n_items; i++) {
		unsigned s = score(&rule->items[i]);

		if (s > high) {
			high = s;
			best = i;
		}
	}
	return best;
}
