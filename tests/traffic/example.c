/*
 * Text that an expression matches: literals, classes, groups, alternatives, repeats and the usual
 * escapes. No look-around, no references.
 */
#include "draft.h"

#include <stdlib.h>
#include <string.h>

struct example {
	const char *p; /* what is read next */
	uint8_t *out;
	bool *free_bytes;
	uint32_t n, max;
	unsigned *seed;
	bool failed;
	bool dry; /* read, but write nothing: an alternative that was not chosen */
	unsigned depth;
};

static void alternatives(struct example *e);

static void emit(struct example *e, uint8_t byte, bool is_free)
{
	if (e->dry)
		return;
	if (e->n == e->max) {
		e->failed = true;
	} else {
		e->free_bytes[e->n] = is_free;
		e->out[e->n++] = byte;
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a backslash; a byte that it stands for, or -1: none (an assertion). */
static int escaped(struct example *e)
{
	char c = *e->p++;

	switch (c) {
	case 'x':
		if (hex(e->p[0]) < 0 || hex(e->p[1]) < 0)
			break;
		e->p += 2;
		return hex(e->p[-2]) << 4 | hex(e->p[-1]);
	case 'd':
		return '7';
	case 'w':
	case 'D':
	case 'S':
		return 'w';
	case 's':
	case 'W':
		return ' ';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'b':
	case 'B':
	case 'A':
	case 'z':
	case 'Z':
		return -1;
	default:
		if (c != 0 && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
			!(c >= 'A' && c <= 'Z'))
			return (uint8_t)c;
	}
	e->failed = true;
	return -1;
}

/* Any byte of a class; e->p is behind its "[". */
static void class(struct example *e)
{
	bool in[256] = {false}, negated = *e->p == '^';
	unsigned pick, n = 0;
	int from = -1;

	e->p += negated;
	do {
		int c = (uint8_t)*e->p++, to = c;

		if (c == 0) {
			e->failed = true;
			return;
		}
		if (c == '\\')
			to = c = escaped(e);
		if (e->p[0] == '-' && e->p[1] != ']') {
			e->p++;
			to = (uint8_t)*e->p++;
			if (to == '\\')
				to = escaped(e);
		}
		for (from = c; from >= 0 && from <= to; from++)
			in[from] = true;
	} while (*e->p != ']' && *e->p != 0 && !e->failed);
	if (*e->p != ']') {
		e->failed = true;
		return;
	}
	e->p++;
	for (unsigned i = 0; i < 256; i++)
		n += in[i] != negated;
	pick = n > 0 ? (unsigned)rand_r(e->seed) % n : 0;
	for (unsigned i = 0; i < 256; i++)
		if (in[i] != negated && pick-- == 0)
			emit(e, (uint8_t)i, false);
}

static void group(struct example *e)
{
	if (*e->p == '?') {
		if (e->p[1] != ':') {
			e->failed = true;
			return;
		}
		e->p += 2;
	}
	alternatives(e);
	if (*e->p == ')')
		e->p++;
	else
		e->failed = true;
}

static void atom(struct example *e)
{
	char c = *e->p++;
	int byte;

	switch (c) {
	case '(':
		group(e);
		return;
	case '[':
		class(e);
		return;
	case '.':
		emit(e, 'x', true);
		return;
	case '^':
	case '$':
		return;
	case '\\':
		byte = escaped(e);
		if (byte >= 0)
			emit(e, (uint8_t)byte, false);
		return;
	case '*':
	case '+':
	case '?':
	case '{':
		e->failed = true;
		return;
	default:
		emit(e, (uint8_t)c, false);
	}
}

/* How often what was before is to stand, at the least; one if it may. */
static unsigned repeats(struct example *e)
{
	unsigned n = 1;
	char *end;

	if (*e->p == '*' || *e->p == '?' || *e->p == '+') {
		e->p++;
	} else if (*e->p == '{' && e->p[1] >= '0' && e->p[1] <= '9') {
		n = (unsigned)strtoul(e->p + 1, &end, 10);
		end = strchr(end, '}');
		if (end == NULL || n > SOLVE_MAX) {
			e->failed = true;
			return 1;
		}
		e->p = end + 1;
	} else {
		return 1;
	}
	if (*e->p == '?' || *e->p == '+')
		e->p++;
	return n;
}

static void sequence(struct example *e)
{
	while (*e->p != 0 && *e->p != '|' && *e->p != ')' && !e->failed) {
		const char *from = e->p, *behind;
		uint32_t before = e->n;
		unsigned times;

		atom(e);
		times = repeats(e);
		behind = e->p;
		if (times == 0)
			e->n = before;
		for (; times > 1 && !e->failed; times--) {
			e->p = from;
			atom(e);
		}
		e->p = behind;
	}
}

static void alternatives(struct example *e)
{
	bool dry = e->dry;
	const char *from = e->p;
	unsigned n = 1, pick;

	if (e->depth++ > 20) {
		e->failed = true;
		return;
	}
	e->dry = true;
	for (sequence(e); *e->p == '|' && !e->failed; n++) {
		e->p++;
		sequence(e);
	}
	pick = (unsigned)rand_r(e->seed) % n;
	e->p = from;
	for (unsigned i = 0; i < n && !e->failed; i++) {
		e->dry = dry || i != pick;
		sequence(e);
		if (i + 1 < n)
			e->p++;
	}
	e->dry = dry;
	e->depth--;
}

bool example_of(const char *pattern, bool extended, unsigned *seed, uint8_t *out, bool *free_bytes,
	uint32_t max, uint32_t *n)
{
	struct example e = {
		.p = pattern, .out = out, .free_bytes = free_bytes, .max = max, .seed = seed};

	if (extended)
		return false;
	alternatives(&e);
	*n = e.n;
	return !e.failed && *e.p == 0;
}
