/*
 * Quarantines of addresses on other hosts: what stands at the workers' gate, what outlives a
 * restart and the network's absence, what is over when, and what happens at the limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "loop.h"
#include "quarantine.h"
#include "quarantine_gate.h"
#include "quarantine_remote.h"
#include "temp_dir.h"

#define OFFICE 5 /* indices of networks */
#define LAB    6
#define UPLINK 7 /* id of a port */

#define NONE    CONFIG_QUARANTINE_NONE
#define SERVICE CONFIG_QUARANTINE_SERVICE
#define HOST    CONFIG_QUARANTINE_PORT

static char err[512];
static const struct evidence no_evidence;

static struct addr v4(unsigned n)
{
	return addr_from_ipv4((uint8_t[]){10, 0, (uint8_t)(n >> 8), (uint8_t)n});
}

static const struct addr v6 = {UINT64_C(0xfd) << 56, 9};

static void networks_up(void)
{
	quarantine_network_up(OFFICE, "office", "acme");
	quarantine_network_up(LAB, "lab", "acme");
	quarantine_port_up(UPLINK, "up.100", "acme");
}

static bool load(void)
{
	bool ok = quarantine_load(in_dir("state"), "", "");

	networks_up();
	return ok;
}

static int set_up(void **state)
{
	if (make_dir(state) != 0 || loop_open() != 0 || mkdir(in_dir("state"), 0700) != 0)
		return -1;
	events_open("");
	return load() ? 0 : -1;
}

static int tear_down(void **state)
{
	quarantine_free();
	events_close();
	loop_close();
	return quarantine_remote_total() == 0 ? remove_dir(state) : -1;
}

static uint32_t term(const char *tenant)
{
	assert_string_equal(tenant, "acme");
	return 3600;
}

static void tick(uint64_t at)
{
	quarantine_tick(at, term);
}

/* As after a crash: all that is left is on the disk. */
static bool restart(void)
{
	char old[128], kept[128];
	bool ok;

	strcpy(old, in_dir("state/quarantines.json"));
	strcpy(kept, in_dir("kept"));
	assert_int_equal(link(old, kept), 0);
	quarantine_free();
	assert_int_equal(quarantine_remote_total(), 0);
	assert_int_equal(rename(kept, old), 0);
	unlink(kept);
	ok = load();
	return ok;
}

/* A worker has cut the address off, which sent from behind the uplink. */
static void note(struct addr addr, enum config_quarantine_level level, uint32_t seconds)
{
	struct inspect_record record = {
		.what = INSPECT_TELLS_RULE,
		.quarantined = true,
		.where = INSPECT_REMOTE,
		.level = level,
		.quarantine_s = seconds,
		.key = {.addr = {v4(1), addr}, .port = {445, 49152}, .network = OFFICE, .proto = 6},
		.sender = 1,
		.culprit = 1,
		.gid = 1,
		.sid = 2,
		.text = "harmless marker",
	};

	quarantine_remote_raise(OFFICE, addr, level);
	quarantine_note(&record, "up.100", "vm1", "office", "acme", &no_evidence);
	quarantine_settle();
}

/* A member of what is shown, as text; good until the next call. */
static const char *shown(struct addr addr, const char *member)
{
	static char text[256];
	json_t *entry = quarantine_show_remote("office", addr);
	const json_t *value = json_object_get(entry, member);

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%d", (int)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%s",
			json_is_string(value) ? json_string_value(value)
			: json_is_null(value) ? "null"
					      : "none");
	json_decref(entry);
	return text;
}

static size_t listed(void)
{
	json_t *list = quarantine_list();
	size_t n = json_array_size(list);

	json_decref(list);
	return n;
}

static unsigned told(const char *action)
{
	json_t *recent = events_recent(), *event;
	unsigned n = 0;
	size_t i;

	json_array_foreach (recent, i, event) {
		const json_t *metadata = json_object_get(event, "metadata");
		const char *of = json_string_value(json_object_get(metadata, "action"));
		const char *where = json_string_value(json_object_get(metadata, "where"));

		n += of != NULL && strcmp(of, action) == 0 && strcmp(where, "remote") == 0;
	}
	json_decref(recent);
	return n;
}

static void test_note(void **state)
{
	note(v4(9), SERVICE, 3600);
	assert_string_equal(shown(v4(9), "where"), "remote");
	assert_string_equal(shown(v4(9), "address"), "10.0.0.9");
	assert_string_equal(shown(v4(9), "network"), "office");
	assert_string_equal(shown(v4(9), "port"), "up.100");
	assert_string_equal(shown(v4(9), "peer"), "vm1");
	assert_string_equal(shown(v4(9), "level"), "service");
	assert_string_equal(shown(v4(9), "id"), "1:2:0");
	assert_string_equal(shown(v4(9), "src_ip"), "10.0.0.9");
	assert_string_equal(shown(v4(9), "src_port"), "49152");
	assert_string_equal(shown(v4(9), "dropped"), "0");
	quarantine_remote_count_drop(OFFICE, v4(9));
	assert_string_equal(shown(v4(9), "dropped"), "1");
	assert_int_equal(told("added"), 1);
	/* The uplink itself is many guests'. */
	assert_int_equal(quarantine_level(UPLINK), NONE);
	assert_null(quarantine_show("up.100"));
	assert_false(quarantine_release("up.100", "uid 0", err, sizeof(err)));
	note(v4(9), HOST, 0);
	assert_string_equal(shown(v4(9), "level"), "host");
	assert_string_equal(shown(v4(9), "until"), "null");
	assert_int_equal(told("raised"), 1);
	assert_int_equal(listed(), 1);
}

static void test_restart(void **state)
{
	note(v4(9), SERVICE, 3600);
	note(v6, HOST, 0);
	assert_true(quarantine_add_remote("lab", v4(9), "acme", HOST, 0, "odd", err, sizeof(err)));
	assert_true(quarantine_add("vm2", "acme", SERVICE, 0, NULL, err, sizeof(err)));
	assert_true(restart());
	assert_int_equal(listed(), 4);
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), SERVICE);
	assert_int_equal(quarantine_remote_level(OFFICE, v6), HOST);
	assert_int_equal(quarantine_remote_level(LAB, v4(9)), HOST);
	assert_int_equal(quarantine_remote_level(LAB, v6), NONE);
	assert_string_equal(shown(v6, "address"), "fd00::9");
	assert_string_equal(shown(v4(9), "reason"), "harmless marker");
	assert_true(quarantine_release_remote("office", v6, "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_remote_level(OFFICE, v6), NONE);
	assert_true(restart());
	assert_int_equal(quarantine_remote_total(), 2);
	assert_true(quarantine_release(NULL, "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_remote_total(), 0);
}

/* A file of before there were addresses; and with none in it, one that goes back to that. */
static void test_old_file(void **state)
{
	static const char old[] =
		"{\"version\":1,\"quarantines\":[{\"port\":\"up.100\",\"tenant\":\"acme\","
		"\"network\":\"office\",\"level\":\"port\",\"since\":1,\"until\":0,\"id\":null,"
		"\"reason\":\"old\",\"peer\":null,\"src_ip\":null,\"src_port\":null,\"dest_ip\":"
		"null,\"dest_port\":null,\"offset\":null,\"evidence\":null}]}";
	json_t *file;

	write_text("state/quarantines.json", old);
	assert_true(restart());
	assert_int_equal(quarantine_level(UPLINK), HOST);
	note(v4(9), SERVICE, 0);
	assert_true(restart());
	assert_int_equal(listed(), 2);
	assert_true(quarantine_release_remote("office", v4(9), "uid 0", err, sizeof(err)));
	file = json_load_file(in_dir("state/quarantines.json"), 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(file, "version")), 1);
	assert_int_equal(json_array_size(json_object_get(file, "quarantines")), 1);
	json_decref(file);
}

#define REMOTE(head, more)                                                                         \
	"{\"version\":" head ",\"quarantines\":[{\"port\":null,\"tenant\":\"acme\"," more          \
	"\"since\":1,\"until\":0,\"id\":null,\"reason\":null,\"peer\":null,\"src_ip\":null,"       \
	"\"src_port\":null,\"dest_ip\":null,\"dest_port\":null,\"offset\":null,\"evidence\":"      \
	"null}]}"

static void test_hostile_files(void **state)
{
	static const char *const files[] = {
		REMOTE("1", "\"network\":\"office\",\"level\":\"host\",\"address\":\"10.0.0.9\","),
		REMOTE("2", "\"network\":\"office\",\"level\":\"port\",\"address\":\"10.0.0.9\","),
		REMOTE("2",
			"\"network\":\"office\",\"level\":\"host\",\"address\":\"10.0.0.0/8\","),
		REMOTE("2", "\"network\":\"office\",\"level\":\"host\",\"address\":null,"),
		REMOTE("2", "\"network\":null,\"level\":\"host\",\"address\":\"10.0.0.9\","),
		REMOTE("2", "\"network\":\"office\",\"level\":\"service\","),
		REMOTE("2", "\"network\":\"office\",\"level\":\"host\",\"address\":\"10.0.0.9\","
			    "\"more\":1,"),
	};

	write_text("state/quarantines.json",
		REMOTE("2", "\"network\":\"office\",\"level\":\"host\",\"address\":\"10.0.0.9\","));
	assert_true(restart());
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), HOST);
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		write_text("state/quarantines.json", files[i]);
		assert_false(restart());
		assert_int_equal(quarantine_level(UPLINK), SERVICE); /* and who is behind it */
		assert_false(quarantine_release_remote("office", v4(9), "uid 0", err, sizeof(err)));
		assert_non_null(strstr(err, "release --all"));
	}
}

static void test_time(void **state)
{
	uint64_t now = (uint64_t)time(NULL);

	note(v4(9), HOST, 100);
	note(v4(10), HOST, 200);
	tick(now + 99);
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), HOST);
	tick(now + 102);
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), NONE);
	assert_int_equal(quarantine_remote_level(OFFICE, v4(10)), HOST);
	assert_int_equal(told("expired"), 1);
	assert_int_equal(listed(), 1);
}

/* By name and tenant: under another index, and not another tenant's network of the name. */
static void test_network_returns(void **state)
{
	note(v4(9), HOST, 0);
	quarantine_network_down(OFFICE);
	assert_int_equal(quarantine_remote_total(), 0);
	assert_non_null(strstr(shown(v4(9), "note"), "waits for its return"));
	quarantine_network_up(OFFICE, "office", "other");
	assert_int_equal(quarantine_remote_total(), 0);
	quarantine_network_up(OFFICE, "attic", "acme");
	assert_int_equal(quarantine_remote_total(), 0);
	quarantine_network_up(9, "office", "acme");
	assert_int_equal(quarantine_remote_level(9, v4(9)), HOST);
	assert_string_equal(shown(v4(9), "note"), "none");
	/* Given to another tenant as it stands. */
	quarantine_network_up(9, "office", "other");
	assert_int_equal(quarantine_remote_level(9, v4(9)), NONE);
	quarantine_network_down(9);
}

/* Cut off by a worker whose word of it is lost: lasting after a tick in which it could have come.
 */
static void test_record_lost(void **state)
{
	quarantine_remote_raise(OFFICE, v4(9), SERVICE);
	assert_non_null(strstr(shown(v4(9), "reason"), "is being recorded"));
	tick((uint64_t)time(NULL));
	assert_int_equal(told("added"), 0);
	tick((uint64_t)time(NULL));
	assert_int_equal(told("added"), 1);
	assert_non_null(strstr(shown(v4(9), "reason"), "found no room"));
	tick((uint64_t)time(NULL));
	assert_int_equal(told("added"), 1);
	assert_true(restart());
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), SERVICE);
	tick((uint64_t)time(NULL) + 3601);
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), NONE);
	/* And can be released before that. */
	quarantine_remote_raise(OFFICE, v4(8), SERVICE);
	assert_true(quarantine_release_remote("office", v4(8), "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_remote_total(), 0);
	quarantine_remote_raise(OFFICE, v4(8), SERVICE);
	assert_true(quarantine_release(NULL, "uid 0", err, sizeof(err)));
	assert_int_equal(quarantine_remote_total(), 0);
}

/* A network with too many: what is not in force says so; the table's own limit is an error. */
static void test_limits(void **state)
{
	unsigned n = 0;

	for (; n < QUARANTINE_REMOTE_NETWORK_MAX; n++)
		note(v4(256 + n), SERVICE, 0);
	note(v4(9), SERVICE, 0);
	assert_int_equal(quarantine_remote_level(OFFICE, v4(9)), NONE);
	assert_non_null(strstr(shown(v4(9), "note"), "not in force"));
	for (n++; n < QUARANTINE_REMOTE_MAX; n++)
		assert_true(quarantine_add_remote(
			"attic", v4(256 + n), "acme", HOST, 0, NULL, err, sizeof(err)));
	assert_false(quarantine_add_remote("lab", v4(9), "acme", HOST, 0, NULL, err, sizeof(err)));
	assert_non_null(strstr(err, "release some"));
	assert_int_equal(quarantine_remote_level(LAB, v4(9)), NONE);
	/* Ports have places of their own. */
	assert_true(quarantine_add("vm2", "acme", SERVICE, 0, NULL, err, sizeof(err)));
	assert_true(restart());
	assert_int_equal(listed(), QUARANTINE_REMOTE_MAX + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_note),
		TEST(test_restart),
		TEST(test_old_file),
		TEST(test_hostile_files),
		TEST(test_time),
		TEST(test_network_returns),
		TEST(test_record_lost),
		TEST(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
