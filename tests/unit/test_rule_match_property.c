/*
 * Rules and data by chance, over so few letters that everything meets everything: the matcher says
 * what a naive one says, which tries every place for every keyword; says it about every part of the
 * data or that it is too early; and the database never fails to find what a rule needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule_rig.h"

#define RULES    1500
#define DATA     12
#define DATA_MAX 24

static uint64_t state = 88172645463325252U;

static unsigned rnd(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

static size_t add_content(char *text, size_t size)
{
	static const char letters[] = "abAB";
	char content[4] = {0};
	size_t n;

	for (unsigned i = 0, len = 1 + rnd(3); i < len; i++)
		content[i] = letters[rnd(4)];
	n = (size_t)snprintf(text, size, "content:%s\"%s\";", rnd(5) == 0 ? "!" : "", content);
	if (rnd(3) == 0)
		n += (size_t)snprintf(text + n, size - n, " nocase;");
	if (rnd(8) == 0)
		n += (size_t)snprintf(text + n, size - n, " endswith;");
	if (rnd(2) == 0) {
		if (rnd(2))
			n += (size_t)snprintf(text + n, size - n, " distance:%d;", (int)rnd(6) - 2);
		if (rnd(2))
			n += (size_t)snprintf(text + n, size - n, " within:%u;", 3 + rnd(4));
	} else {
		if (rnd(3) == 0)
			n += (size_t)snprintf(text + n, size - n, " offset:%u;", rnd(5));
		if (rnd(3) == 0)
			n += (size_t)snprintf(text + n, size - n, " depth:%u;", 3 + rnd(5));
	}
	return n + (size_t)snprintf(text + n, size - n, " ");
}

static size_t add_keyword(char *text, size_t size, unsigned *vars)
{
	const char *relative = rnd(2) ? ",relative" : "";
	const char *from[] = {"", ",from_beginning", ",from_end,post_offset -3", ",align"};

	switch (rnd(10)) {
	case 0:
		return (size_t)snprintf(
			text, size, "isdataat:%s%u%s; ", rnd(2) ? "!" : "", rnd(8), relative);
	case 1:
		return (size_t)snprintf(text, size, "byte_test:1,%s%s,%u,%d%s; ",
			rnd(3) == 0 ? "!" : "", rnd(2) ? "=" : "&", rnd(4), (int)rnd(5) - 1,
			relative);
	case 2:
		return (size_t)snprintf(text, size, "byte_jump:1,%d%s%s; ", (int)rnd(4) - 1,
			relative, from[rnd(4)]);
	case 3:
		if (*vars == 2)
			return 0;
		(*vars)++;
		return (size_t)snprintf(text, size,
			"byte_extract:1,%u,v%u%s; content:\"a\"; "
			"offset:v%u; ",
			rnd(4), *vars, relative, *vars);
	case 4:
		return (size_t)snprintf(text, size, "pcre:%s\"/%s%s/%s\"; ", rnd(4) == 0 ? "!" : "",
			rnd(3) == 0 ? "^" : "", rnd(2) ? "a[bA]" : "(b|B)", rnd(2) ? "R" : "");
	default:
		return add_content(text, size);
	}
}

static void make_rule(char *text, size_t size)
{
	unsigned vars = 0;
	size_t n = 0;

	for (unsigned i = 0, items = 1 + rnd(4); i < items; i++)
		n += add_keyword(text + n, size - n, &vars);
	if (n == 0)
		snprintf(text, size, "content:\"ab\";");
}

static uint32_t make_data(uint8_t *data)
{
	uint32_t n = rnd(DATA_MAX + 1);

	for (uint32_t i = 0; i < n; i++)
		data[i] = rnd(4) ? (uint8_t) "abAB"[rnd(4)] : (uint8_t)rnd(6);
	return n;
}

/* The naive one: whole data only, every place, no cleverness. */
struct naive {
	const struct rule *rule;
	const uint8_t *data;
	int64_t n;
	int64_t vars[RULE_VARS_MAX];
};

static bool naive_from(struct naive *m, unsigned i, int64_t pos);

static int64_t num(const struct naive *m, struct rule_number number)
{
	return number.var == RULE_NO_VAR ? number.value : m->vars[number.var];
}

static bool equal_at(const struct naive *m, const struct rule_content *c, int64_t at)
{
	for (int64_t k = 0; k < c->len; k++) {
		int byte = m->data[at + k];

		if (c->nocase && byte >= 'A' && byte <= 'Z')
			byte += 32;
		if (byte != c->bytes[k])
			return false;
	}
	return true;
}

/* Whether the content stands at this place, with all that its modifiers ask. */
static bool stands(const struct naive *m, const struct rule_content *c, int64_t pos, int64_t at)
{
	int64_t end = at + c->len, low;

	if (end > m->n || !equal_at(m, c, at) || (c->ends_with && end != m->n))
		return false;
	if (c->has_distance || c->has_within) {
		low = pos + (c->has_distance ? num(m, c->distance) : 0);
		return at >= low && (!c->has_within || end <= low + num(m, c->within));
	}
	low = c->has_offset ? num(m, c->offset) : 0;
	return at >= low && (!c->has_depth || end <= low + num(m, c->depth));
}

static bool naive_content(struct naive *m, unsigned i, int64_t pos)
{
	const struct rule_content *c = &m->rule->items[i].content;

	for (int64_t at = 0; at < m->n; at++)
		if (stands(m, c, pos, at)) {
			if (c->negated)
				return false;
			if (naive_from(m, i + 1, at + c->len))
				return true;
		}
	return c->negated && naive_from(m, i + 1, pos);
}

/* a[bA] or (b|B), with ^ or without. */
static bool naive_pcre(struct naive *m, unsigned i, int64_t pos)
{
	const struct rule_pcre *p = &m->rule->items[i].pcre;
	bool tied = p->text[0] == '^', pair = strchr(p->text, 'a') != NULL;
	int64_t from = p->relative ? pos : 0;

	for (int64_t at = from; at < m->n && (!tied || at == from); at++) {
		int a = m->data[at], b = at + 1 < m->n ? m->data[at + 1] : 0;
		bool found = pair ? a == 'a' && (b == 'b' || b == 'A') : a == 'b' || a == 'B';

		if (!found)
			continue;
		if (p->negated)
			return false;
		if (naive_from(m, i + 1, at + (pair ? 2 : 1)))
			return true;
	}
	return p->negated && naive_from(m, i + 1, pos);
}

static bool naive_read(const struct naive *m, const struct rule_read *r, int64_t pos, int64_t *at)
{
	*at = r->offset.value + (r->relative ? pos : 0);
	return *at >= 0 && *at < m->n;
}

static bool naive_test(struct naive *m, unsigned i, int64_t pos)
{
	const struct rule_byte_test *t = &m->rule->items[i].byte_test;
	int64_t at;
	bool holds;

	if (!naive_read(m, &t->read, pos, &at))
		return false;
	holds = t->test == RULE_TEST_EQUAL ? m->data[at] == t->value.value
					   : (m->data[at] & t->value.value) != 0;
	return holds != t->negated && naive_from(m, i + 1, pos);
}

static bool naive_jump(struct naive *m, unsigned i, int64_t pos)
{
	const struct rule_byte_jump *j = &m->rule->items[i].byte_jump;
	int64_t at, to;

	if (!naive_read(m, &j->read, pos, &at))
		return false;
	to = m->data[at];
	while (j->align && to % 4)
		to++;
	to += j->post_offset;
	to += j->from == RULE_JUMP_HERE ? at + 1 : j->from == RULE_JUMP_END ? m->n : 0;
	return to <= m->n && naive_from(m, i + 1, to < 0 ? 0 : to);
}

static bool naive_from(struct naive *m, unsigned i, int64_t pos)
{
	const struct rule_item *item = &m->rule->items[i];
	int64_t at;

	if (i == m->rule->n_items)
		return true;
	switch (item->type) {
	case RULE_CONTENT:
		return naive_content(m, i, pos);
	case RULE_PCRE:
		return naive_pcre(m, i, pos);
	case RULE_BYTE_TEST:
		return naive_test(m, i, pos);
	case RULE_BYTE_JUMP:
		return naive_jump(m, i, pos);
	case RULE_BYTE_EXTRACT:
		if (!naive_read(m, &item->byte_extract.read, pos, &at))
			return false;
		m->vars[item->byte_extract.var] = m->data[at];
		return naive_from(m, i + 1, at + 1);
	case RULE_ISDATAAT:
		at = item->isdataat.at.value + (item->isdataat.relative ? pos - 1 : 0);
		return (at < m->n) != item->isdataat.negated && naive_from(m, i + 1, pos);
	default:
		fail();
		return false;
	}
}

static bool database_finds(const struct rule_db *db, const struct rule *rule,
	struct rule_scratch *scratch, const uint8_t *data, uint32_t n)
{
	struct rule_hit room[16];
	struct rule_hits hits = {room, 0, 16, 0};
	struct rule_stream *stream;

	if (rule->fast == RULE_NO_FAST)
		return true;
	stream = rule_stream_create(db, RULE_DIR_TO_SERVER, RULE_RECORD);
	assert_non_null(stream);
	for (uint32_t i = 0; i < n; i++) /* one byte at a time */
		assert_true(rule_stream_scan(stream, data + i, 1, scratch, &hits));
	rule_stream_free(stream);
	return hits.n > 0;
}

static void check_parts(const char *text, const struct rule *rule, struct rule_scratch *scratch,
	const uint8_t *data, uint32_t n, enum rule_result whole)
{
	for (int sized = 0; sized < 2; sized++)
		for (uint32_t part = 0; part < n; part++) {
			enum rule_result result = rig_match_part(
				rule, scratch, data, part, sized ? n : RULE_SIZE_UNKNOWN);

			if (result != whole && result != RULE_WAIT)
				fail_msg("%s: %d after %u of %u bytes, in the end %d", text, result,
					part, n, whole);
		}
}

static unsigned n_yes, n_all;

static void check_rule(const char *text)
{
	struct ruleset *ruleset = rig_rule(text);
	struct rule_scratch *scratch;
	const struct rule *rule;
	uint8_t data[DATA_MAX];
	struct rule_db *db;
	char reason[256];

	if (!ruleset)
		fail_msg("%s is refused", text);
	rule = ruleset_rule(ruleset, 0);
	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	if (!db)
		fail_msg("%s: %s", text, reason);
	scratch = rule_db_scratch(db);
	assert_non_null(scratch);
	for (int i = 0; i < DATA; i++) {
		struct rule_pcre_dbs pcres = rule_db_pcres(db);
		uint32_t n = make_data(data), end;
		struct naive naive = {.rule = rule, .data = data, .n = n};
		enum rule_result expected = naive_from(&naive, 0, 0) ? RULE_YES : RULE_NO;
		struct rule_input input = rig_input(RULE_RECORD, data, n, n);

		if (rig_match_part(rule, scratch, data, n, n) != expected)
			fail_msg("%s on \"%.*s\" is not %d", text, (int)n, data, expected);
		assert_int_equal(rule_match(rule, &input, &pcres, scratch, &end), expected);
		check_parts(text, rule, scratch, data, n, expected);
		if (expected == RULE_YES && !database_finds(db, rule, scratch, data, n))
			fail_msg("%s: its pattern is not found in \"%.*s\"", text, (int)n, data);
		n_yes += expected == RULE_YES;
		n_all++;
	}
	rule_scratch_free(scratch);
	rule_db_free(db);
	ruleset_free(ruleset);
}

static void the_matcher_is_the_naive_one(void **unused)
{
	char text[1024];

	for (int i = 0; i < RULES; i++) {
		make_rule(text, sizeof(text));
		check_rule(text);
	}
	printf("%u of %u match\n", n_yes, n_all);
	assert_true(n_yes > n_all / 20);
	assert_true(n_yes < n_all / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_matcher_is_the_naive_one),
	};

	return cmocka_run_group_tests_name("rule_match_property", tests, NULL, NULL);
}
