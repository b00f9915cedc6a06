/*
 * The store of emergency blocks: services and ends as text, adding, lifting, running out, and the
 * file, also as somebody else may have left it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block_json.h"
#include "blocks.h"
#include "state_file.h"
#include "temp_dir.h"

static int setup(void **state)
{
	return make_dir(state) == 0 && blocks_load(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	blocks_free();
	return remove_dir(state);
}

static void test_services(void **state)
{
	static const struct {
		const char *text;
		uint32_t first, last;
		const char *form; /* NULL: the text itself */
	} good[] = {
		{"any", 0, 0xffffff, NULL},
		{"tcp", 0x060000, 0x06ffff, NULL},
		{"tcp/445", 0x0601bd, 0x0601bd, NULL},
		{"6/445", 0x0601bd, 0x0601bd, "tcp/445"},
		{"udp/1000-2000", 0x1103e8, 0x1107d0, NULL},
		{"udp/7-7", 0x110007, 0x110007, "udp/7"},
		{"tcp/0-65535", 0x060000, 0x06ffff, "tcp"},
		{"sctp/1", 0x840001, 0x840001, NULL},
		{"icmp", 0x010000, 0x01ffff, NULL},
		{"icmp/8", 0x010800, 0x0108ff, NULL},
		{"icmp/3.4", 0x010304, 0x010304, NULL},
		{"icmpv6/128-129", 0x3a8000, 0x3a81ff, NULL},
		{"47", 0x2f0000, 0x2fffff, NULL},
		{"0", 0x000000, 0x00ffff, NULL},
		{"255", 0xff0000, 0xffffff, NULL},
	};
	static const char *const bad[] = {"", "tpc", "tcp/", "tcp/65536", "tcp/-1", "tcp/2-1",
		"tcp/1-", "tcp/1-2-3", "tcp/445 ", "icmp/256", "icmp/3.", "icmp/3.256",
		"icmp/3.4.5", "256", "47/1", "any/1", "/445", "99999999999999999999",
		"tcp/99999999999999999999", "icmp/3.4-3.5", "protocolprotocol"};
	struct service_span span;
	char text[SERVICE_TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!service_parse(good[i].text, &span))
			fail_msg("%s is refused", good[i].text);
		assert_int_equal(span.first, good[i].first);
		assert_int_equal(span.last, good[i].last);
		service_format(span, text);
		assert_string_equal(text, good[i].form != NULL ? good[i].form : good[i].text);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (service_parse(bad[i], &span))
			fail_msg("%s is taken", bad[i]);
	}
}

static void test_ends(void **state)
{
	static const char *const same[] = {"any", "10.0.0.1", "10.0.0.0/24", "10.0.0.2-10.0.0.9",
		"fd00::/64", "servers", "a.b-c_d"};
	static const char *const bad[] = {"", "a b", "10.0.0.1/33", "fd00::/200", "a/b",
		"0123456789012345678901234567890123456789012345678901234567890123"};
	struct block_end end;
	char text[BLOCK_END_TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(block_end_parse(same[i], &end));
		block_end_format(&end, text);
		assert_string_equal(text, same[i]);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (block_end_parse(bad[i], &end))
			fail_msg("%s is taken", bad[i]);
	}
}

static struct block make(const char *service, const char *from, time_t until)
{
	struct block block = {.since = 1000, .until = until};

	assert_true(service_parse(service, &block.service));
	service_format(block.service, block.service_text);
	assert_true(block_end_parse(from, &block.from));
	return block;
}

static enum blocks_result add(const char *service, const char *from, time_t until, uint32_t *id)
{
	struct block block = make(service, from, until);
	struct config_error err;
	enum blocks_result result = blocks_add(&block, &err);

	*id = block.id;
	return result;
}

/* Their ids, with a space behind each. */
static const char *ids(void)
{
	static char text[256];
	const struct blocks *blocks = blocks_current();

	text[0] = '\0';
	for (unsigned i = 0; i < blocks->n; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%u ", blocks->list[i].id);
	}
	return text;
}

static void test_add_and_remove(void **state)
{
	uint32_t version = blocks_current()->version, id;

	(void)state;
	assert_int_equal(add("tcp/445", "any", 5000, &id), BLOCKS_ADDED);
	assert_int_equal(id, 1);
	assert_int_not_equal(blocks_current()->version, version);
	assert_int_equal(add("tcp/445", "10.0.0.0/8", 0, &id), BLOCKS_ADDED);
	assert_int_equal(add("tcp/445", "servers", 0, &id), BLOCKS_ADDED);
	assert_int_equal(add("udp", "any", 0, &id), BLOCKS_ADDED);
	assert_int_equal(id, 4);
	version = blocks_current()->version;
	/* The same again: for as long, for less, for longer, until lifted; then for less again. */
	assert_int_equal(add("6/445", "any", 5000, &id), BLOCKS_THERE);
	assert_int_equal(id, 1);
	assert_int_equal(add("tcp/445", "any", 4000, &id), BLOCKS_THERE);
	assert_int_equal(blocks_current()->version, version);
	assert_int_equal(add("tcp/445", "any", 6000, &id), BLOCKS_EXTENDED);
	assert_int_equal(blocks_current()->list[0].until, 6000);
	assert_int_equal(add("tcp/445", "any", 0, &id), BLOCKS_EXTENDED);
	assert_int_equal(blocks_current()->list[0].until, 0);
	assert_int_equal(add("tcp/445", "any", 6000, &id), BLOCKS_THERE);
	assert_string_equal(ids(), "1 2 3 4 ");
	assert_int_equal(blocks_remove(2, NULL), 1);
	assert_int_equal(blocks_remove(2, NULL), 0);
	assert_string_equal(ids(), "1 3 4 ");
	assert_int_equal(blocks_remove(0, "tcp/445"), 2);
	assert_string_equal(ids(), "4 ");
	assert_int_equal(blocks_remove(0, "udp/1"), 0);
	blocks_undo();
	assert_string_equal(ids(), "1 3 4 ");
	assert_int_equal(blocks_remove(0, NULL), 3);
	assert_string_equal(ids(), "");
	/* An id is never used again. */
	assert_int_equal(add("udp", "any", 0, &id), BLOCKS_ADDED);
	assert_int_equal(id, 5);
}

/* Blocks differ in any of the things that they say. */
static void test_what_is_the_same(void **state)
{
	struct block list[8];
	struct config_error err;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		list[i] = make("tcp/1", "a", 0);
	strcpy(list[1].from.name, "b");
	assert_true(block_end_parse("10.0.0.1", &list[2].to));
	assert_true(block_end_parse("10.0.0.2", &list[3].to));
	strcpy(list[4].tenant, "t");
	strcpy(list[5].port, "p");
	list[6].direction = BLOCK_IN;
	list[7].service.last++;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(blocks_add(&list[i], &err), BLOCKS_ADDED);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(blocks_add(&list[i], &err), BLOCKS_THERE);
	strcpy(list[3].comment, "worm");
	assert_int_equal(blocks_add(&list[3], &err), BLOCKS_EXTENDED);
	assert_string_equal(blocks_current()->list[3].comment, "worm");
}

static void test_undo(void **state)
{
	uint32_t id;

	(void)state;
	add("tcp/1", "any", 50, &id);
	add("tcp/2", "any", 0, &id);
	blocks_undo();
	assert_string_equal(ids(), "1 ");
	assert_int_equal(add("tcp/1", "any", 60, &id), BLOCKS_EXTENDED);
	blocks_undo();
	assert_int_equal(blocks_current()->list[0].until, 50);
	assert_int_equal(blocks_expire(50), 1);
	blocks_undo();
	assert_string_equal(ids(), "1 ");
}

static void test_expiry(void **state)
{
	uint32_t id;

	(void)state;
	assert_int_equal(blocks_next_expiry(), 0);
	add("tcp/1", "any", 0, &id);
	assert_int_equal(blocks_next_expiry(), 0);
	add("tcp/2", "any", 70, &id);
	add("tcp/3", "any", 50, &id);
	add("tcp/4", "any", 60, &id);
	assert_int_equal(blocks_next_expiry(), 50);
	assert_int_equal(blocks_expire(49), 0);
	assert_int_equal(blocks_expire(50), 1);
	assert_int_equal(blocks_next_expiry(), 60);
	assert_int_equal(blocks_expire(1000), 2);
	assert_string_equal(ids(), "1 ");
}

static void test_limit(void **state)
{
	struct config_error err;
	struct block block;
	char service[32];
	uint32_t id;

	(void)state;
	for (unsigned i = 0; i < BLOCKS_MAX; i++) {
		snprintf(service, sizeof(service), "tcp/%u", i);
		assert_int_equal(add(service, "any", 0, &id), BLOCKS_ADDED);
	}
	block = make("udp", "any", 0);
	assert_int_equal(blocks_add(&block, &err), BLOCKS_REFUSED);
	assert_non_null(strstr(err.text, "1024 blocks"));
	assert_int_equal(add("tcp/7", "any", 0, &id), BLOCKS_THERE);
	/* As many as there may be survive a restart. */
	assert_true(blocks_save(&err));
	assert_true(blocks_load(dir));
	assert_int_equal(blocks_current()->n, BLOCKS_MAX);
}

static void test_restart(void **state)
{
	struct block all = make("icmp/3.4", "10.0.0.2-10.0.0.9", 0), ended = make("udp", "any", 7);
	time_t now = time(NULL);
	struct block *loaded;
	struct config_error err;
	uint32_t id;

	(void)state;
	assert_true(block_end_parse("servers", &all.to));
	strcpy(all.tenant, "acme");
	strcpy(all.port, "vm1");
	strcpy(all.comment, "worm \xe2\x98\xa0 \"quoted\"");
	all.direction = BLOCK_OUT;
	all.until = now + 3600;
	assert_int_equal(blocks_add(&ended, &err), BLOCKS_ADDED);
	assert_int_equal(blocks_add(&all, &err), BLOCKS_ADDED);
	assert_int_equal(add("tcp", "any", 0, &id), BLOCKS_ADDED);
	assert_int_equal(blocks_remove(id, NULL), 1);
	assert_true(blocks_save(&err));
	assert_true(blocks_load(dir));
	assert_null(blocks_problem());
	assert_false(blocks_unknown());
	/* What ran out meanwhile is gone; ids of what was lifted are not used again. */
	assert_string_equal(ids(), "2 ");
	loaded = &blocks_current()->list[0];
	assert_string_equal(loaded->service_text, "icmp/3.4");
	assert_int_equal(loaded->service.first, all.service.first);
	assert_int_equal(loaded->service.last, all.service.last);
	assert_int_equal(loaded->from.kind, BLOCK_SPAN);
	assert_true(addr_equal(loaded->from.span.last, all.from.span.last));
	assert_int_equal(loaded->to.kind, BLOCK_NAMED);
	assert_string_equal(loaded->to.name, "servers");
	assert_string_equal(loaded->tenant, "acme");
	assert_string_equal(loaded->port, "vm1");
	assert_string_equal(loaded->comment, all.comment);
	assert_int_equal(loaded->direction, BLOCK_OUT);
	assert_int_equal(loaded->since, 1000);
	assert_int_equal(loaded->until, now + 3600);
	assert_int_equal(add("tcp", "any", 0, &id), BLOCKS_ADDED);
	assert_int_equal(id, 4);
}

/* A block as it stands in the file, with one member as text. */
#define FILE_WITH(next, id, service, from, tenant, direction, since, until, more)                  \
	"{\"version\":1,\"next\":" next ",\"blocks\":[{\"id\":" id ",\"service\":" service         \
	",\"from\":" from ",\"to\":\"any\",\"tenant\":" tenant                                     \
	",\"port\":null,\"direction\":" direction ",\"since\":" since ",\"until\":" until          \
	",\"comment\":null" more "}]}"

static void test_broken_file(void **state)
{
	static const char good[] = FILE_WITH(
		"2", "1", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "null", "");
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"version\":2,\"next\":1,\"blocks\":[]}",
		"{\"version\":1,\"next\":0,\"blocks\":[]}",
		"{\"version\":1,\"next\":4294967296,\"blocks\":[]}",
		"{\"version\":1,\"next\":\"1\",\"blocks\":[]}",
		"{\"version\":1,\"next\":1,\"blocks\":{}}",
		"{\"version\":1,\"next\":1,\"blocks\":[7]}",
		"{\"version\":1,\"next\":1,\"blocks\":[],\"more\":1}",
		"{\"version\":1,\"next\":1}",
		FILE_WITH("1", "1", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "0", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "-1", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1.5", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tpc\"", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH(
			"2", "1", "\"tcp\\u0000x\"", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "6", "\"any\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "\"a b\"", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "null", "null", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "\"any\"", "\"../x\"", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "\"any\"", "7", "\"in\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "\"any\"", "null", "\"up\"", "5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "\"any\"", "null", "\"in\"", "-5", "null", ""),
		FILE_WITH("2", "1", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "0", ""),
		FILE_WITH(
			"2", "1", "\"tcp\"", "\"any\"", "null", "\"in\"", "5", "null", ",\"x\":1"),
	};
	struct config_error err;
	uint32_t id;

	(void)state;
	write_text("blocks.json", good);
	assert_true(blocks_load(dir));
	assert_int_equal(blocks_current()->n, 1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_text("blocks.json", bad[i]);
		if (blocks_load(dir))
			fail_msg("%s is taken", bad[i]);
		assert_true(blocks_unknown());
		assert_non_null(strstr(blocks_problem(), "blocks.json"));
		assert_non_null(strstr(blocks_problem(), "restart vswitchd"));
	}
	/* Nothing writes over what may yet be mended. */
	assert_int_equal(add("tcp", "any", 0, &id), BLOCKS_REFUSED);
	assert_int_equal(blocks_current()->n, 0);
	write_text("blocks.json", good);
	assert_true(blocks_load(dir));
	assert_true(blocks_save(&err));
}

static void test_no_file(void **state)
{
	struct config_error err;
	uint32_t id;

	(void)state;
	assert_true(blocks_load(in_dir("not there")));
	assert_int_equal(add("tcp", "any", 0, &id), BLOCKS_ADDED);
	assert_false(blocks_save(&err));
	assert_non_null(strstr(blocks_problem(), "could not be saved"));
	assert_false(blocks_unknown());
	assert_int_equal(mkdir(in_dir("not there"), 0700), 0);
	assert_true(blocks_save(&err));
	assert_null(blocks_problem());
	/* What is there and is no directory is not "nothing was ever saved". */
	write_text("file", "x");
	assert_false(blocks_load(in_dir("file")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_services),
		TEST(test_ends),
		TEST(test_add_and_remove),
		TEST(test_what_is_the_same),
		TEST(test_undo),
		TEST(test_expiry),
		TEST(test_limit),
		TEST(test_restart),
		TEST(test_broken_file),
		TEST(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
