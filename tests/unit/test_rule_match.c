/* Every keyword that looks at data: what it finds, the nearest thing that it does not, and when it
 * is too early to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule_rig.h"

struct sample {
	const char *keywords;
	const char *hit, *miss; /* text; | | as in content */
};

static const struct sample samples[] = {
	{"content:\"abc\";", "xxabc", "xxabd"},
	{"content:\"aBc\";", "xxaBc", "xxabc"},
	{"content:\"aBc\"; nocase;", "xxAbC", "xxab"},
	{"content:\"a|00 01|b\";", "xa|0001|bx", "xa|0002|bx"},
	{"content:\"a\\;b\\\"\\:\\\\\";", "a;b\":\\", "a;b\":/"},
	{"content:!\"abc\";", "abxc", "xabcx"},
	{"content:\"abc\"; offset:2;", "xxabc", "xabcx"},
	{"content:\"abc\"; depth:3;", "abcx", "xabc"},
	{"content:\"abc\"; offset:1; depth:4;", "xxabc", "xxxabc"},
	{"content:!\"abc\"; offset:1; depth:4;", "xxxabc", "xxabc"},
	{"content:!\"abc\"; depth:3;", "ab", "abc"},
	{"content:\"abc\"; startswith;", "abcabc", "xabc"},
	{"content:\"abc\"; endswith;", "abcabc", "abcx"},
	{"content:!\"abc\"; endswith;", "abcx", "xabc"},
	{"content:\"abc\"; offset:2; endswith;", "xxabc", "xabc"},
	{"content:\"ab\"; content:\"cd\"; distance:0;", "abcd", "cdab"},
	{"content:\"ab\"; content:\"cd\"; distance:2;", "abxxcd", "abxcd"},
	{"content:\"ab\"; content:\"cd\"; distance:-4;", "cdab", "cdxxxab"},
	{"content:\"ab\"; content:\"cd\"; within:3;", "abxcd", "abxxcd"},
	{"content:\"ab\"; content:\"cd\"; distance:1; within:3;", "abxxcd", "abxxxcd"},
	{"content:\"ab\"; content:\"cd\"; distance:1; within:3;", "abxcd", "abcd"},
	{"content:\"ab\"; content:!\"cd\"; distance:0; within:3;", "abxxcd", "abxcd"},
	{"content:\"ab\"; content:!\"cd\"; within:2;", "ab", "abcd"},
	/* Another place of the first has to be tried. */
	{"content:\"ab\"; content:\"cd\"; distance:0; within:2;", "abxabcd", "abxabxcd"},
	{"content:\"a\"; content:\"b\"; distance:1; within:1; content:\"c\"; distance:1; within:1;",
		"axbxxaxbxc", "axbxxaxbxx"},
	{"content:\"a\"; content:!\"b\"; within:1; content:\"c\"; distance:0; within:2;", "abcaxc",
		"abcabc"},
	{"content:\"a\"; byte_test:1,=,7,0,relative;", "a|06|a|07|", "a|06|a|08|"},
	{"content:\"a\"; isdataat:2,relative;", "axx", "ax"},
	{"content:\"a\"; isdataat:!2,relative;", "ax", "axx"},
	{"isdataat:3;", "xxxx", "xxx"},
	{"isdataat:!3;", "xxx", "xxxx"},
	{"byte_test:1,>,3,1;", "x|04|", "x|03|"},
	{"byte_test:1,<,3,1;", "x|02|", "x|03|"},
	{"byte_test:2,=,258,0;", "|0102|", "|0201|"},
	{"byte_test:2,=,258,0,little;", "|0201|", "|0102|"},
	{"byte_test:2,!=,258,0;", "|0103|", "|0102|"},
	{"byte_test:2,!,258,0;", "|0103|", "|0102|"},
	{"byte_test:2,<=,258,0;", "|0102|", "|0103|"},
	{"byte_test:2,>=,258,0;", "|0102|", "|0101|"},
	{"byte_test:1,&,0x80,0;", "|81|", "|7f|"},
	{"byte_test:1,!&,128,0;", "|7f|", "|80|"},
	{"byte_test:1,^,5,0;", "|04|", "|05|"},
	{"byte_test:8,=,0xffffffffffffffff,0;", "|ffffffffffffffff|", "|fffffffffffffffe|"},
	{"byte_test:4,=,0x01020304,0,big;", "|01020304|", "|010203|"},
	{"byte_test:2,=,0x2,0,bitmask 0x0ff0;", "|f02f|", "|f01f|"},
	{"byte_test:3,=,123,0,string,dec;", "123", "124"},
	{"byte_test:4,=,123,0,string,dec;", " 123", " 124"},
	{"byte_test:2,=,0xab,0,string,hex;", "aB", "ac"},
	{"byte_test:4,=,0xab,0,string,hex;", "0xab", "xxab"},
	{"byte_test:3,=,8,0,string,oct;", "010", "008"},
	{"content:\"ab\"; byte_test:1,=,120,-3,relative;", "xab", "yab"},
	{"content:\"ab\"; byte_test:1,!=,120,-3,relative;", "yab", "ab"},
	{"byte_jump:1,0; content:\"ab\"; distance:0; within:2;", "|01|xab", "|02|xab"},
	{"byte_jump:1,0,relative; content:\"ab\"; distance:0; within:2;", "|01|xab", "|00|xab"},
	{"byte_jump:1,0,from_beginning; content:\"ab\"; distance:0; within:2;", "|02|xab",
		"|01|xab"},
	{"byte_jump:1,0,from_end,post_offset -3; content:\"ab\"; distance:0; within:2;", "|00|xabx",
		"|00|abxx"},
	{"byte_jump:1,0,multiplier 3; content:\"ab\"; distance:0; within:2;", "|01|xxxab",
		"|01|xab"},
	{"byte_jump:1,0,align; content:\"ab\"; distance:0; within:2;", "|01|xxxxab", "|01|xab"},
	{"byte_jump:1,0,post_offset -1; content:\"ab\"; distance:0; within:2;", "|02|xab",
		"|01|xab"},
	{"byte_jump:2,0,little; isdataat:0,relative;", "|0100|xy", "|0001|xy"},
	{"byte_jump:1,0;", "|02|xx", "|03|xx"},
	{"byte_jump:1,0,post_offset -9; content:\"|01|ab\"; distance:0; within:3;", "|01|ab",
		"x|01|ab"},
	{"byte_jump:2,0,string,dec; content:\"ab\"; distance:0; within:2;", "02xxab", "03xxab"},
	/* A jump that fails is tried from another place. */
	{"content:\"a\"; byte_jump:1,0,relative; content:\"z\"; distance:0; within:1;",
		"a|7f|xa|01|xz", "a|7f|xa|00|xz"},
	{"byte_extract:1,0,n; content:\"ab\"; offset:n; depth:2;", "|03|xxab", "|04|xxab"},
	{"byte_extract:1,0,n; content:\"ab\"; distance:n; within:2;", "|02|xxab", "|01|xxab"},
	{"byte_extract:1,0,n; content:\"ab\"; distance:0; within:n;", "|04|xxab", "|03|xxab"},
	{"byte_extract:1,0,n,multiplier 2; byte_test:1,=,n,1;", "|03 06|", "|03 03|"},
	{"byte_extract:1,0,n,align 4; byte_test:1,=,n,1;", "|03 04|", "|03 03|"},
	{"byte_extract:2,0,n,little; isdataat:n;", "|0300|xx", "|0300|x"},
	{"byte_extract:1,0,n; byte_extract:1,n,m; byte_test:1,=,m,0;", "|02|x|02|", "|02|x|03|"},
	{"byte_extract:2,0,n,string,dec; isdataat:!n;", "05xxx", "05xxxx"},
	{"content:\"a\"; byte_extract:1,0,n,relative; content:\"b\"; distance:n; within:1;",
		"a|05|a|01|xb", "a|05|a|02|xb"},
	{"byte_math:bytes 1, offset 0, oper +, rvalue 2, result n; byte_test:1,=,n,1;", "|02 04|",
		"|02 02|"},
	{"byte_math:bytes 1, offset 0, oper -, rvalue 2, result n; byte_test:1,=,n,1;", "|04 02|",
		"|04 06|"},
	{"byte_math:bytes 1, offset 0, oper *, rvalue 3, result n; byte_test:1,=,n,1;", "|02 06|",
		"|02 05|"},
	{"byte_math:bytes 1, offset 0, oper /, rvalue 2, result n; byte_test:1,=,n,1;", "|07 03|",
		"|07 04|"},
	{"byte_math:bytes 1, offset 0, oper <<, rvalue 2, result n; byte_test:1,=,n,1;", "|01 04|",
		"|01 02|"},
	{"byte_math:bytes 1, offset 0, oper >>, rvalue 2, result n; byte_test:1,=,n,1;", "|08 02|",
		"|08 04|"},
	{"byte_extract:1,0,d; byte_math:bytes 1, offset 1, oper /, rvalue d, result n; "
	 "byte_test:1,=,n,2;",
		"|02 08 04|", "|00 08 04|"},
	{"content:\"a\"; byte_math:bytes 2, offset 0, oper +, rvalue 0, result n, relative, "
	 "endian little; content:\"z\"; distance:n; within:1;",
		"a|0100|xz", "a|0001|xz"},
	{"pcre:\"/a.c/\";", "xabc", "xa|0a|c"},
	{"pcre:\"/a.c/s\";", "xa|0a|c", "xac"},
	{"pcre:\"/ABC/i\";", "xabc", "xabd"},
	{"pcre:\"/^b/m\";", "a|0a|b", "a b"},
	{"pcre:\"/a b/x\";", "ab", "a b"},
	{"pcre:\"/b/A\";", "ba", "ab"},
	{"pcre:\"/b$/E\";", "ab", "ab|0a|"},
	{"pcre:\"/a+?b/G\";", "xaab", "xbb"},
	{"pcre:!\"/abc/\";", "abd", "abc"},
	{"content:\"ab\"; pcre:\"/^c/R\";", "abc", "abxc"},
	{"content:\"ab\"; pcre:!\"/^c/R\";", "abxc", "abc"},
	{"content:\"ab\"; pcre:\"/^c/R\";", "abxabc", "abxabx"},
	{"pcre:\"/a[0-9]/\"; content:\"z\"; distance:0; within:1;", "a1xa2z", "a1xa2xz"},
	{"pcre:\"/(a|b)\\1/\";", "bb", "ab"},
	{"pcre:\"/a(?=b)/\"; content:\"b\"; distance:0; within:1;", "xab", "xaxb"},
	{"content:\"|00 00 00 00 00 00 00 00|\";", "x|0000000000000000|", "x|00000000000000|"},
};

/* "x|0a 0b|" to bytes. */
static uint32_t decode(const char *text, uint8_t *bytes)
{
	bool hex = false;
	uint32_t n = 0;

	for (; *text; text++) {
		unsigned value;

		if (*text == '|') {
			hex = !hex;
		} else if (!hex) {
			bytes[n++] = (uint8_t)*text;
		} else if (*text != ' ') {
			assert_int_equal(sscanf(text, "%2x", &value), 1);
			bytes[n++] = (uint8_t)value;
			text++;
		}
	}
	return n;
}

static void assert_result(const struct sample *sample, const struct rule *rule,
	struct rule_scratch *scratch, const char *text, enum rule_result expected)
{
	uint8_t bytes[256];
	uint32_t n = decode(text, bytes);
	enum rule_result result = rig_match_part(rule, scratch, bytes, n, n);

	if (result != expected)
		fail_msg("%s on \"%s\": %d, not %d", sample->keywords, text, result, expected);
}

static void keywords_find_and_miss(void **state)
{
	struct rule_scratch *scratch = rule_scratch_create(NULL);

	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct ruleset *ruleset = rig_rule(samples[i].keywords);

		assert_non_null(ruleset);
		assert_result(
			&samples[i], ruleset_rule(ruleset, 0), scratch, samples[i].hit, RULE_YES);
		assert_result(
			&samples[i], ruleset_rule(ruleset, 0), scratch, samples[i].miss, RULE_NO);
		ruleset_free(ruleset);
	}
	rule_scratch_free(scratch);
}

/* With fewer bytes the answer is the same, or that it is too early; and it never changes again. */
static void assert_steady(const struct sample *sample, const struct rule *rule,
	struct rule_scratch *scratch, const char *text, enum rule_result whole, bool sized)
{
	uint8_t bytes[256];
	uint32_t n = decode(text, bytes);
	bool decided = false;

	for (uint32_t part = 0; part <= n; part++) {
		uint32_t size = sized || part == n ? n : RULE_SIZE_UNKNOWN;
		enum rule_result result = rig_match_part(rule, scratch, bytes, part, size);

		if (result != whole && (result != RULE_WAIT || decided))
			fail_msg("%s on %u bytes of \"%s\": %d, in the end %d", sample->keywords,
				part, text, result, whole);
		decided |= result == whole;
	}
	assert_true(decided);
}

static void answers_are_steady(void **state)
{
	struct rule_scratch *scratch = rule_scratch_create(NULL);

	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct ruleset *ruleset = rig_rule(samples[i].keywords);
		const struct rule *rule = ruleset_rule(ruleset, 0);

		for (int sized = 0; sized < 2; sized++) {
			assert_steady(&samples[i], rule, scratch, samples[i].hit, RULE_YES, sized);
			assert_steady(&samples[i], rule, scratch, samples[i].miss, RULE_NO, sized);
		}
		ruleset_free(ruleset);
	}
	rule_scratch_free(scratch);
}

/* As the record's length is known from its header, much is known before its end. */
static void what_the_length_decides_is_decided_at_once(void **state)
{
	static const struct {
		const char *keywords, *data;
		uint32_t size;
		enum rule_result result;
	} cases[] = {
		{"isdataat:10;", "x", 11, RULE_YES},
		{"isdataat:10;", "x", 10, RULE_NO},
		{"isdataat:!10;", "x", 10, RULE_YES},
		{"isdataat:10;", "x", RULE_SIZE_UNKNOWN, RULE_WAIT},
		{"content:\"a\"; isdataat:5,relative;", "a", 6, RULE_YES},
		{"content:\"abc\"; offset:8;", "x", 10, RULE_NO},
		{"content:\"abc\"; offset:7;", "x", 10, RULE_WAIT},
		{"content:\"abc\"; depth:4;", "xxxx", 100, RULE_NO},
		{"content:\"abc\"; depth:4;", "xab", 100, RULE_WAIT},
		{"content:!\"abc\"; depth:4;", "xxxx", 100, RULE_YES},
		{"content:!\"abc\"; depth:4;", "xab", 100, RULE_WAIT},
		{"content:!\"abc\"; depth:4;", "abc", 100, RULE_NO},
		{"content:\"abc\"; endswith;", "abc", 100, RULE_WAIT},
		{"byte_test:4,>,1,7;", "x", 10, RULE_NO},
		{"byte_test:4,>,1,6;", "x", 10, RULE_WAIT},
		{"byte_jump:1,0;", "|08|", 10, RULE_YES},
		{"byte_jump:1,0;", "|09|", 10, RULE_YES},
		{"byte_jump:1,0;", "|0a|", 10, RULE_NO},
		{"byte_jump:1,0;", "|09|", RULE_SIZE_UNKNOWN, RULE_WAIT},
		{"content:\"ab\"; pcre:\"/^(c|d)/R\";", "abx", 100, RULE_WAIT},
		{"content:\"ab\"; depth:2; pcre:\"/^(c|d)/R\";", "abx", 100, RULE_NO},
		{"content:\"ab\"; depth:2; pcre:\"/^(c|d)/R\";", "ab", 100, RULE_WAIT},
		{"pcre:\"/ab$/\";", "ab", 100, RULE_WAIT},
		{"pcre:\"/ab/\";", "ab", 100, RULE_YES},
		{"pcre:\"/ab+/\";", "ab", 100, RULE_WAIT},
		{"pcre:!\"/ab/\";", "ab", 100, RULE_NO},
		{"pcre:!\"/ab/\";", "ax", 100, RULE_WAIT},
	};
	struct rule_scratch *scratch = rule_scratch_create(NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ruleset *ruleset = rig_rule(cases[i].keywords);
		uint8_t bytes[64];
		uint32_t n = decode(cases[i].data, bytes);
		enum rule_result result;

		result = rig_match_part(ruleset_rule(ruleset, 0), scratch, bytes, n, cases[i].size);
		if (result != cases[i].result)
			fail_msg("%s on \"%s\" of %u: %d", cases[i].keywords, cases[i].data,
				cases[i].size, result);
		ruleset_free(ruleset);
	}
	rule_scratch_free(scratch);
}

static enum rule_result match_window(const char *keywords, struct rule_scratch *scratch,
	const char *text, uint32_t base, uint32_t size)
{
	struct ruleset *ruleset = rig_rule(keywords);
	struct rule_input input = {.given = 1U << RULE_RECORD};
	enum rule_result result;
	uint32_t end;

	assert_non_null(ruleset);
	input.data[RULE_RECORD] = (struct rule_data){
		(const uint8_t *)text, base, (uint32_t)strlen(text), size};
	scratch->budget = 1000;
	result = rule_match(ruleset_rule(ruleset, 0), &input, NULL, scratch, &end);
	ruleset_free(ruleset);
	return result;
}

/* Of a long record only a window is there: places count from the record's beginning. */
static void a_window_is_a_part_of_the_record(void **state)
{
	struct rule_scratch *s = rule_scratch_create(NULL);

	assert_int_equal(match_window("content:\"abc\";", s, "xxabcx", 1000, 1006), RULE_YES);
	assert_int_equal(
		match_window("content:\"abc\"; offset:1002;", s, "xxabcx", 1000, 1006), RULE_YES);
	assert_int_equal(
		match_window("content:\"abc\"; offset:1003;", s, "xxabcx", 1000, 1006), RULE_NO);
	assert_int_equal(
		match_window("content:\"abc\"; depth:3;", s, "abcabc", 1000, 1006), RULE_NO);
	assert_int_equal(
		match_window("content:\"bcx\"; endswith;", s, "xxabcx", 1000, 1006), RULE_YES);
	assert_int_equal(match_window("byte_test:1,=,97,1002;", s, "xxabcx", 1000, 1006), RULE_YES);
	assert_int_equal(match_window("byte_test:1,!=,97,2;", s, "xxabcx", 1000, 1006), RULE_NO);
	/* What is gone may have held it. */
	assert_int_equal(match_window("content:!\"abc\";", s, "xxxxxx", 1000, 1006), RULE_NO);
	assert_int_equal(
		match_window("content:!\"abc\"; offset:1000;", s, "xxxxxx", 1000, 1006), RULE_YES);
	assert_int_equal(match_window("content:\"b\"; content:!\"abc\"; distance:0;", s, "xxabcx",
				 1000, 1006),
		RULE_YES);
	assert_int_equal(match_window("pcre:\"/abc/\";", s, "xxabcx", 1000, 1006), RULE_YES);
	assert_int_equal(match_window("pcre:\"/^xx/\";", s, "xxabcx", 1000, 1006), RULE_NO);
	assert_int_equal(match_window("pcre:!\"/abd/\";", s, "xxabcx", 1000, 1006), RULE_NO);
	assert_int_equal(match_window("content:\"a\"; pcre:!\"/abd/R\";", s, "xxabcx", 1000, 1006),
		RULE_YES);
	rule_scratch_free(s);
}

/* The first bytes are kept, the last ones are there, and what lies between is gone. */
static void a_window_may_have_a_head(void **state)
{
	static const struct {
		const char *keywords;
		enum rule_result result;
	} cases[] = {
		{"content:\"SMB\"; offset:1; depth:3; content:\"abc\";", RULE_YES},
		{"content:\"SMB\"; content:\"bcx\"; distance:0;", RULE_YES},
		{"content:\"SMB\"; content:\"abc\"; distance:0; within:900;", RULE_NO},
		{"content:\"abc\"; content:\"SMB\"; distance:0;", RULE_NO},
		{"content:\"x\"; depth:3;", RULE_NO},
		{"content:\"Bxx\";", RULE_NO}, /* not across what is gone */
		{"content:!\"x\"; depth:4; content:\"abc\";", RULE_YES},
		{"content:!\"SMB\"; depth:4; content:\"abc\";", RULE_NO},
		{"content:!\"x\"; depth:5; content:\"abc\";", RULE_NO},
		{"content:!\"y\"; content:\"abc\";", RULE_NO},
		{"byte_test:1,=,83,1; content:\"abc\";", RULE_YES},
		{"byte_test:2,=,0x4d42,2; content:\"abc\";", RULE_YES},
		{"byte_test:2,>,0,3; content:\"abc\";", RULE_NO},
		{"content:\"abc\"; byte_test:1,=,120,0,relative;", RULE_YES},
	};
	struct rule_scratch *s = rule_scratch_create(NULL);

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule_input input = {.given = 1U << RULE_RECORD};
		struct ruleset *ruleset = rig_rule(cases[i].keywords);
		enum rule_result result;
		uint32_t end;

		input.data[RULE_RECORD] = (struct rule_data){
			(const uint8_t *)"xxabcx", 1000, 6, 1006};
		input.heads[RULE_RECORD] = (struct rule_head){(const uint8_t *)"\xfeSMB", 4};
		s->budget = 1000;
		result = rule_match(ruleset_rule(ruleset, 0), &input, NULL, s, &end);
		if (result != cases[i].result)
			fail_msg("%s: %d", cases[i].keywords, result);
		ruleset_free(ruleset);
	}
	rule_scratch_free(s);
}

static void each_buffer_has_its_own_data(void **state)
{
	struct rule_scratch *scratch = rule_scratch_create(NULL);
	struct ruleset *ruleset = rig_rule(
		"content:\"rec\"; file.data; content:\"fil\"; startswith; smb.share; "
		"content:\"IPC\"; nocase; pkt_data; content:\"ord\"; distance:0;");
	const struct rule *rule = ruleset_rule(ruleset, 0);
	struct rule_input input = rig_input(RULE_RECORD, "a record", 8, 8);
	uint32_t end;

	scratch->budget = 1000;
	assert_int_equal(rule_match(rule, &input, NULL, scratch, &end), RULE_NO);
	input.expected = 1U << RULE_FILE_DATA | 1U << RULE_SMB_SHARE;
	assert_int_equal(rule_match(rule, &input, NULL, scratch, &end), RULE_WAIT);
	input.given |= 1U << RULE_FILE_DATA | 1U << RULE_SMB_SHARE;
	input.data[RULE_FILE_DATA] = (struct rule_data){(const uint8_t *)"file", 0, 4, 4};
	input.data[RULE_SMB_SHARE] = (struct rule_data){(const uint8_t *)"\\\\h\\ipc$", 0, 8, 8};
	assert_int_equal(rule_match(rule, &input, NULL, scratch, &end), RULE_YES);
	assert_int_equal(end, 7);
	input.data[RULE_FILE_DATA].bytes = (const uint8_t *)"xfil";
	assert_int_equal(rule_match(rule, &input, NULL, scratch, &end), RULE_NO);
	ruleset_free(ruleset);
	rule_scratch_free(scratch);
}

static void dce_follows_the_byte_order_of_the_call(void **state)
{
	struct rule_scratch *scratch = rule_scratch_create(NULL);
	struct ruleset *ruleset = rig_rule("dce_stub_data; byte_test:2,=,258,0,dce;");
	struct rule_input input = rig_input(RULE_DCE_STUB, "\x01\x02", 2, 2);
	uint32_t end;

	scratch->budget = 1000;
	assert_int_equal(
		rule_match(ruleset_rule(ruleset, 0), &input, NULL, scratch, &end), RULE_YES);
	input.dce_little = true;
	assert_int_equal(
		rule_match(ruleset_rule(ruleset, 0), &input, NULL, scratch, &end), RULE_NO);
	ruleset_free(ruleset);
	rule_scratch_free(scratch);
}

/* All-"a" data makes every place a beginning; the work is bounded, not the answer guessed. */
static void work_is_bounded(void **state)
{
	static const char *const rules[] = {
		"content:\"a\"; content:\"a\"; distance:0; content:\"a\"; distance:0; "
		"content:\"a\"; "
		"distance:0; content:\"b\"; distance:0; within:1;",
		"content:\"a\"; pcre:\"/^(a+)+[bc]/R\"; content:\"z\"; distance:0;",
		"pcre:\"/(a+)+[bc]/\"; content:\"z\"; distance:0;",
		"pcre:\"/(.+)+\\1[bc]/\";",
	};
	struct rule_scratch *scratch = rule_scratch_create(NULL);
	char *data = malloc(65536);

	memset(data, 'a', 65536);
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct ruleset *ruleset = rig_rule(rules[i]);
		struct rule_input input = rig_input(RULE_RECORD, data, 65536, 65536);
		uint32_t end;

		scratch->budget = 20000;
		assert_int_equal(rule_match(ruleset_rule(ruleset, 0), &input, NULL, scratch, &end),
			RULE_OVER);
		ruleset_free(ruleset);
	}
	free(data);
	rule_scratch_free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords_find_and_miss),
		cmocka_unit_test(answers_are_steady),
		cmocka_unit_test(what_the_length_decides_is_decided_at_once),
		cmocka_unit_test(a_window_is_a_part_of_the_record),
		cmocka_unit_test(a_window_may_have_a_head),
		cmocka_unit_test(each_buffer_has_its_own_data),
		cmocka_unit_test(dce_follows_the_byte_order_of_the_call),
		cmocka_unit_test(work_is_bounded),
	};

	return cmocka_run_group_tests_name("rule_match", tests, NULL, NULL);
}
