/* The databases: what they find, however the data is cut, and which rules that means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>

#include <cmocka.h>

#include "rule_rig.h"

struct rig {
	struct ruleset *ruleset;
	struct rule_db *db;
	struct rule_scratch *scratch;
};

static struct rig set_up(const char *text)
{
	struct rule_report report;
	struct rig rig = {.ruleset = rig_load(text, &report)};
	char reason[256];

	rule_report_free(&report);
	assert_non_null(rig.ruleset);
	rig.db = rule_compile(rig.ruleset, NULL, reason, sizeof(reason));
	if (!rig.db)
		fail_msg("%s", reason);
	rig.scratch = rule_db_scratch(rig.db);
	assert_non_null(rig.scratch);
	return rig;
}

static void tear_down(struct rig *rig)
{
	rule_scratch_free(rig->scratch);
	rule_db_free(rig->db);
	ruleset_free(rig->ruleset);
}

/* The sids of the rules of all that was found, rising. */
static unsigned sids_of(const struct rig *rig, enum rule_direction direction,
	enum rule_buffer buffer, const struct rule_hits *hits, uint32_t *sids)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < hits->n; i++) {
		uint32_t rules;
		const uint32_t *list = rule_db_rules(
			rig->db, direction, buffer, hits->hits[i].pattern, &rules);

		for (uint32_t k = 0; k < rules; k++) {
			uint32_t sid = ruleset_rule(rig->ruleset, list[k])->sid, at = n++;

			for (; at > 0 && sids[at - 1] > sid; at--)
				sids[at] = sids[at - 1];
			sids[at] = sid;
		}
	}
	return n;
}

static void assert_stream(const struct rig *rig, enum rule_direction direction, const char *data,
	uint32_t n, uint32_t piece, const uint32_t *expected, unsigned n_expected)
{
	struct rule_stream *stream = rule_stream_create(rig->db, direction, RULE_RECORD);
	struct rule_hit room[8];
	uint32_t sids[16];

	assert_non_null(stream);
	for (int round = 0; round < 2; round++) { /* a reset forgets */
		struct rule_hits hits = {room, 0, 8, 0};

		for (uint32_t at = 0; at < n; at += piece)
			assert_true(rule_stream_scan(stream, (const uint8_t *)data + at,
				n - at < piece ? n - at : piece, rig->scratch, &hits));
		assert_int_equal(hits.lost, 0);
		assert_int_equal(sids_of(rig, direction, RULE_RECORD, &hits, sids), n_expected);
		assert_memory_equal(sids, expected, n_expected * sizeof(*sids));
		assert_true(rule_stream_reset(stream, rig->scratch));
	}
	rule_stream_free(stream);
}

static void patterns_are_found_in_pieces(void **state)
{
	static const char data[] = "x abcd \0\0\0\0\0\0\0\0\x01 WXYZ abcd";
	static const uint32_t to_server[] = {1, 2, 3, 4}, to_client[] = {1, 3, 4, 5};
	struct rig rig = set_up(
		RIG_HEADER "(content:\"abcd\"; sid:1;)\n" RIG_HEADER
			   "(flow:to_server; content:\"abcd\"; sid:2;)\n" RIG_HEADER
			   "(content:\"|00 00 00 00 00 00 00 00 01|\"; sid:3;)\n" RIG_HEADER
			   "(content:\"wxyz\"; nocase; sid:4;)\n" RIG_HEADER
			   "(flow:to_client; content:\"|20|WXYZ\"; sid:5;)\n" RIG_HEADER
			   "(content:\"wxyz\"; sid:6;)\n" RIG_HEADER
			   "(content:\"abcd\"; content:\"|ff fe fd fc|\"; sid:7;)");

	for (uint32_t piece = 1; piece < sizeof(data); piece++) {
		assert_stream(
			&rig, RULE_DIR_TO_SERVER, data, sizeof(data) - 1, piece, to_server, 4);
		assert_stream(
			&rig, RULE_DIR_TO_CLIENT, data, sizeof(data) - 1, piece, to_client, 4);
	}
	tear_down(&rig);
}

static void buffers_have_their_own_patterns(void **state)
{
	struct rig rig = set_up(
		RIG_HEADER "(content:\"reco\"; sid:1;)\n" RIG_HEADER
			   "(smb.share; content:\"IPC|24|\"; nocase; sid:2;)\n" RIG_HEADER
			   "(file.data; content:\"marker\"; content:\"rare|fe fd|\"; sid:3;)\n");
	struct rule_hit room[4];
	struct rule_hits hits = {room, 0, 4, 0};
	uint32_t sids[8];

	assert_true(rule_db_wants(rig.db, RULE_DIR_TO_SERVER, RULE_RECORD));
	assert_true(rule_db_wants(rig.db, RULE_DIR_TO_CLIENT, RULE_FILE_DATA));
	assert_false(rule_db_wants(rig.db, RULE_DIR_TO_CLIENT, RULE_DCE_STUB));
	assert_null(rule_stream_create(rig.db, RULE_DIR_TO_CLIENT, RULE_DCE_STUB));
	assert_null(rule_stream_create(rig.db, RULE_DIR_TO_CLIENT, RULE_SMB_SHARE));
	assert_true(rule_db_scan(rig.db, RULE_DIR_TO_SERVER, RULE_SMB_SHARE,
		(const uint8_t *)"\\\\reco\\ipc$", 11, rig.scratch, &hits));
	assert_int_equal(sids_of(&rig, RULE_DIR_TO_SERVER, RULE_SMB_SHARE, &hits, sids), 1);
	assert_int_equal(sids[0], 2);
	assert_int_equal(hits.hits[0].to, 11);
	hits.n = 0;
	assert_true(rule_db_scan(rig.db, RULE_DIR_TO_SERVER, RULE_SMB_NAMED_PIPE,
		(const uint8_t *)"reco", 4, rig.scratch, &hits));
	assert_int_equal(hits.n, 0);
	tear_down(&rig);
}

static void what_has_no_pattern_is_listed(void **state)
{
	struct rig rig = set_up(RIG_HEADER "(content:\"abcd\"; sid:1;)\n" RIG_HEADER
					   "(content:!\"abcd\"; sid:2;)\n" RIG_HEADER
					   "(flow:to_client; pcre:\"/a/\"; sid:3;)\n" RIG_HEADER
					   "(flow:to_server; flags:S; sid:4;)\n");
	struct rule_db_facts facts = rule_db_facts(rig.db);
	const uint32_t *list;
	uint32_t n;

	list = rule_db_always(rig.db, RULE_DIR_TO_SERVER, &n);
	assert_int_equal(n, 1);
	assert_int_equal(ruleset_rule(rig.ruleset, list[0])->sid, 2);
	rule_db_always(rig.db, RULE_DIR_TO_CLIENT, &n);
	assert_int_equal(n, 2);
	list = rule_db_bare(rig.db, RULE_DIR_TO_SERVER, &n);
	assert_int_equal(n, 1);
	assert_int_equal(ruleset_rule(rig.ruleset, list[0])->sid, 4);
	rule_db_bare(rig.db, RULE_DIR_TO_CLIENT, &n);
	assert_int_equal(n, 0);
	assert_int_equal(facts.patterns, 2); /* one in each direction */
	assert_int_equal(facts.always, 3);
	assert_int_equal(facts.hyperscan_pcres, 1);
	tear_down(&rig);
}

static void what_has_no_room_is_counted(void **state)
{
	struct rig rig = set_up(RIG_HEADER "(content:\"abcd\"; sid:1;)\n" RIG_HEADER
					   "(content:\"bcde\"; sid:2;)\n" RIG_HEADER
					   "(content:\"cdef\"; sid:3;)\n");
	struct rule_stream *stream = rule_stream_create(rig.db, RULE_DIR_TO_SERVER, RULE_RECORD);
	struct rule_hit room[1];
	struct rule_hits hits = {room, 0, 1, 0};

	assert_true(
		rule_stream_scan(stream, (const uint8_t *)"abcdefabcdef", 12, rig.scratch, &hits));
	assert_int_equal(hits.n, 1);
	assert_int_equal(hits.lost, 2); /* each once */
	assert_true(rule_stream_bytes(stream) > 0);
	rule_stream_free(stream);
	tear_down(&rig);
}

static void no_rules_are_a_database_too(void **state)
{
	struct rig rig = set_up("# nothing\n");
	struct rule_hits hits = {0};

	assert_false(rule_db_wants(rig.db, RULE_DIR_TO_SERVER, RULE_RECORD));
	assert_true(rule_db_scan(rig.db, RULE_DIR_TO_SERVER, RULE_SMB_SHARE, (const uint8_t *)"x",
		1, rig.scratch, &hits));
	tear_down(&rig);
}

/* Where Hyperscan decides a pcre it says what PCRE2 says. */
static void both_engines_agree(void **state)
{
	static const char *const expressions[] = {"/a.c/", "/a.c/s", "/ABC/i", "/^b/", "/^b/m",
		"/b$/", "/b$/m", "/(a|b)+c{2,3}/", "/[^\\x00-\\x1f]\\x00/", "/\\bab\\b/", "/a*/",
		"/^$/", "/\\s\\d\\w/", "/a(?i)b/"};
	static const char *const data[] = {"", "abc", "a\nc", "aBc", "b", "a\nb\n", "ccc", "bcc",
		" 1a", "x ab y", "xab", "aB", "b\n", "\n"};
	unsigned by_hyperscan = 0;

	for (size_t i = 0; i < sizeof(expressions) / sizeof(*expressions); i++) {
		char text[256];
		struct rule_pcre_dbs pcres;
		struct rig rig;

		snprintf(text, sizeof(text), RIG_HEADER "(pcre:\"%s\"; sid:1;)", expressions[i]);
		rig = set_up(text);
		pcres = rule_db_pcres(rig.db);
		by_hyperscan += pcres.dbs[0] != NULL;
		for (size_t k = 0; k < sizeof(data) / sizeof(*data); k++) {
			uint32_t n = (uint32_t)strlen(data[k]), end;
			struct rule_input input = rig_input(RULE_RECORD, data[k], n, n);
			const struct rule *rule = ruleset_rule(rig.ruleset, 0);

			rig.scratch->budget = 100;
			if (rule_match(rule, &input, &pcres, rig.scratch, &end) !=
				rule_match(rule, &input, NULL, rig.scratch, &end))
				fail_msg("%s on \"%s\"", expressions[i], data[k]);
		}
		tear_down(&rig);
	}
	assert_true(by_hyperscan > 10);
}

/* A worst case for PCRE2 costs nothing where only yes or no is asked. */
static void hyperscan_takes_what_pcre2_gives_up(void **state)
{
	struct rig rig = set_up(RIG_HEADER "(pcre:\"/(a+)+[bc]/\"; sid:1;)");
	struct rule_pcre_dbs pcres = rule_db_pcres(rig.db);
	char *data = malloc(65536);
	struct rule_input input = rig_input(RULE_RECORD, data, 65536, 65536);
	const struct rule *rule = ruleset_rule(rig.ruleset, 0);
	uint32_t end;

	memset(data, 'a', 65536);
	rig.scratch->budget = 10000;
	assert_int_equal(rule_match(rule, &input, NULL, rig.scratch, &end), RULE_OVER);
	assert_int_equal(rule_match(rule, &input, &pcres, rig.scratch, &end), RULE_NO);
	data[65535] = 'c';
	assert_int_equal(rule_match(rule, &input, &pcres, rig.scratch, &end), RULE_YES);
	free(data);
	tear_down(&rig);
}

/* So many patterns that a stream of them is in one database, in two, and in one again. */
static void many_patterns_are_all_found(void **state)
{
	static const unsigned counts[] = {96, 97, 192, 193};

	for (unsigned c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		char *text = NULL, data[16];
		size_t size;
		FILE *out = open_memstream(&text, &size);
		struct rig rig;

		assert_non_null(out);
		for (uint32_t i = 1; i <= counts[c]; i++)
			fprintf(out,
				"alert smb any any -> any any (content:\"pattern%03u\"; sid:%u;)\n",
				i, i);
		fclose(out);
		rig = set_up(text);
		for (uint32_t i = 1; i <= counts[c]; i++) {
			snprintf(data, sizeof(data), "xpattern%03u", i);
			assert_stream(&rig, RULE_DIR_TO_SERVER, data, 11, 4, &i, 1);
		}
		tear_down(&rig);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_are_found_in_pieces),
		cmocka_unit_test(many_patterns_are_all_found),
		cmocka_unit_test(buffers_have_their_own_patterns),
		cmocka_unit_test(what_has_no_pattern_is_listed),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(no_rules_are_a_database_too),
		cmocka_unit_test(both_engines_agree),
		cmocka_unit_test(hyperscan_takes_what_pcre2_gives_up),
	};

	return cmocka_run_group_tests_name("rule_compile", tests, NULL, NULL);
}
