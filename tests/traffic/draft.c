#include "draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned draft_random(struct draft *d, unsigned below)
{
	return (unsigned)rand_r(&d->seed) % below;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static void spoken_for(struct draft *d, int64_t end)
{
	if ((uint32_t)end > d->end)
		d->end = (uint32_t)end;
}

bool draft_put_bits(struct draft *d, int64_t at, uint8_t byte, uint8_t bits)
{
	if (at < 0 || at >= SOLVE_MAX || (d->fixed[at] & bits & (d->bytes[at] ^ byte)) != 0)
		return false;
	d->bytes[at] = (uint8_t)((d->bytes[at] & ~bits) | (byte & bits));
	d->fixed[at] |= bits;
	spoken_for(d, at + 1);
	return true;
}

bool draft_could_put(
	const struct draft *d, int64_t at, const uint8_t *bytes, uint32_t n, bool nocase)
{
	if (at < 0 || at + n > SOLVE_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		bool same = nocase && d->fixed[at + i] == 0xff &&
			    lower(d->bytes[at + i]) == lower(bytes[i]);

		if (!same && (d->fixed[at + i] & (d->bytes[at + i] ^ bytes[i])) != 0)
			return false;
	}
	return true;
}

bool draft_put(struct draft *d, int64_t at, const uint8_t *bytes, uint32_t n, bool nocase)
{
	if (!draft_could_put(d, at, bytes, n, nocase))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (d->fixed[at + i] != 0xff)
			draft_put_bits(d, at + i, bytes[i], 0xff);
	return true;
}

bool draft_put_number(
	struct draft *d, int64_t at, uint32_t n, const struct rule_read *read, uint64_t value)
{
	uint8_t bytes[32];
	char text[32];

	if (n > sizeof(bytes))
		return false;
	if (read->base != 0) {
		if (read->base == 16)
			snprintf(text, sizeof(text), "%0*llx", (int)n, (unsigned long long)value);
		else if (read->base == 8)
			snprintf(text, sizeof(text), "%0*llo", (int)n, (unsigned long long)value);
		else
			snprintf(text, sizeof(text), "%0*llu", (int)n, (unsigned long long)value);
		return strlen(text) == n && draft_put(d, at, (const uint8_t *)text, n, false);
	}
	if (n < 8 && value >> (n * 8) != 0)
		return false;
	for (uint32_t i = 0; i < n; i++)
		bytes[read->endian == RULE_LITTLE ? i : n - 1 - i] = (uint8_t)(value >> (i * 8));
	return draft_put(d, at, bytes, n, false);
}

int64_t draft_number(const struct draft *d, const struct rule_number *number)
{
	if (number->var == RULE_NO_VAR)
		return number->value;
	return d->vars[number->var] > SOLVE_MAX ? SOLVE_MAX : (int64_t)d->vars[number->var];
}
