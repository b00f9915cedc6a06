/*
 * Public captures under ../shared/captures (SMB_CAPTURES=DIR for elsewhere), held against the rules
 * that Suricata 7.0.10 was run with there: what it found is found, whole segments or single bytes,
 * and every difference is in a table with its reason. Skipped where they are not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include "detect.h"
#include "inspect_blocks.h"
#include "ruleset.h"
#include "smb_capture.h"

#define SIDS_MAX  64
#define EICAR_SID 1

/* Of our own, in the language; 22 of the 68 bytes that are for tests of such programs. */
static const char eicar_rule[] =
	"alert smb any any -> any any (file.data; content:\"EICAR-STANDARD-ANTIVIRUS\"; sid:1;)\n";

static const char *captures = "../shared/captures";

static struct ruleset *ruleset;
static struct rule_db *db;
static struct rule_bind *bound;
static struct detect_context context;
static struct inspect_account account;
static struct capture capture;

/* What was found in one capture: sids, rising, each once. */
static uint32_t sids[SIDS_MAX];
static unsigned n_sids;
static unsigned failures;

static void note_sid(uint32_t *list, unsigned *n, uint32_t sid)
{
	unsigned at = 0;

	while (at < *n && list[at] < sid)
		at++;
	if (at < *n && list[at] == sid)
		return;
	assert_true(*n < SIDS_MAX);
	memmove(&list[at + 1], &list[at], (*n - at) * sizeof(*list));
	list[at] = sid;
	++*n;
}

static void on_found(void *arg, const struct detect_finding *finding)
{
	if (finding->kind == DETECT_RULE && finding->alert)
		note_sid(sids, &n_sids, finding->rule->sid);
	failures += finding->kind == DETECT_FAILURE &&
		    finding->failure != CONFIG_FAILURE_ENCRYPTED &&
		    finding->failure != CONFIG_FAILURE_COMPRESSED;
}

/* smb_capture.h has IPv4's in the first bytes. */
static struct addr address_of(const uint8_t *key)
{
	static const uint8_t zeros[12];

	return memcmp(key + 4, zeros, 12) == 0 ? addr_from_ipv4(key) : addr_from_ipv6(key);
}

static void begin(void *arg, struct capture_flow *f)
{
	struct detect_ends ends = {.port = {be16(f->key + 32), be16(f->key + 34)}};
	struct detect_flow *flow = malloc(sizeof(*flow));

	memset(flow, 0xa5, sizeof(*flow));
	for (unsigned side = 0; side < 2; side++)
		ends.addr[side] = address_of(f->key + 16 * side);
	detect_flow_init(flow, &ends, f->flags, ~(detect_passes)0);
	f->user = flow;
}

static void bytes(void *arg, struct capture_flow *f, unsigned side, const uint8_t *p, uint32_t len)
{
	struct rule_packet packet = {
		.to_server = side == 0, .established = true, .flags = 0x18, .size = len};
	uint8_t *exact = malloc(len);

	memcpy(exact, p, len);
	context.flow = f->number;
	detect_packet(f->user, &context, side, &packet);
	detect_feed(f->user, &context, side, exact, len);
	free(exact);
}

static void gap(void *arg, struct capture_flow *f, unsigned side)
{
	detect_gap(f->user, &context, side);
}

static void end(void *arg, struct capture_flow *f)
{
	detect_flow_end(f->user, &context);
	free(f->user);
}

static void run(const char *name, unsigned cut)
{
	static const struct capture_sink sink = {begin, bytes, gap, end};
	char path[512];

	memset(&capture, 0, sizeof(capture));
	capture.sink = &sink;
	capture.cut = cut;
	n_sids = failures = 0;
	context.xbits = rule_xbits_create(1024);
	context.counts = rule_counts_create(1024);
	snprintf(path, sizeof(path), "%s/%s", captures, name);
	if (!capture_read(&capture, path))
		fail_msg("%s cannot be read", path);
	rule_xbits_free(context.xbits);
	rule_counts_free(context.counts);
	assert_int_equal(account.used, 0);
	assert_int_equal(detect_engine_flows(context.engine), 0);
}

/* What is found and was not, or (missing) the other way round. */
static const struct difference {
	const char *name;
	uint32_t sid;
	bool missing;
	const char *why;
} differences[] = {
	{"suricata-verify/smb2-04/20171220_smb_at_schedule.pcap", 2025701, true,
		"the rule is about the name in one create request; there it begins in such a "
		"request, to another pipe, and ends in an ioctl three requests later: a chunk of "
		"the "
		"stream holds both, a record does not"},
	{"suricata-verify/bug-8629-async-oneside/input.pcap", 2010781, false,
		"one direction only: not inspected there without stream.async-oneside"},
	{"suricata-verify/bug-8629-async-oneside/input.pcap", 2025701, false, "the same"},
};

static bool explained(const char *name, uint32_t sid, bool missing)
{
	for (unsigned i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
		if (strcmp(differences[i].name, name) == 0 && differences[i].sid == sid &&
			differences[i].missing == missing)
			return true;
	return false;
}

static unsigned compare(const char *name, const json_t *alerts)
{
	uint32_t expected[SIDS_MAX];
	unsigned n = 0, faults = 0;
	const json_t *alert;
	size_t i;

	json_array_foreach (alerts, i, alert) {
		uint32_t sid = (uint32_t)json_integer_value(json_array_get(alert, 0));

		if (ruleset_find(ruleset, 1, sid)) /* not app-layer-event's, which are refused */
			note_sid(expected, &n, sid);
	}
	for (unsigned a = 0, b = 0; a < n_sids || b < n;) {
		bool here = b == n || (a < n_sids && sids[a] < expected[b]);
		bool there = !here && (a == n_sids || expected[b] < sids[a]);
		uint32_t sid = here ? sids[a] : expected[b];

		if ((here || there) && sid != EICAR_SID && !explained(name, sid, there)) {
			printf("%s: %u is %s\n", name, sid, there ? "missing" : "found");
			faults++;
		}
		a += !there;
		b += !here;
	}
	return faults;
}

static void what_suricata_found_is_found(void **state)
{
	char path[512];
	json_error_t error;
	json_t *all, *one;
	unsigned faults = 0, found = 0;
	size_t i;

	snprintf(path, sizeof(path), "%s/suricata-7.0.10-alerts.json", captures);
	all = json_load_file(path, 0, &error);
	assert_non_null(all);
	json_array_foreach (all, i, one) {
		const char *name = json_string_value(json_object_get(one, "f"));
		uint32_t whole[SIDS_MAX];
		unsigned n;

		run(name, 0);
		memcpy(whole, sids, sizeof(whole));
		n = n_sids;
		found += n;
		faults += compare(name, json_object_get(one, "midstream"));
		assert_int_equal(failures, 0);
		run(name, 1);
		if (n != n_sids || memcmp(whole, sids, n * sizeof(*sids)) != 0)
			fail_msg("%s: byte by byte it is something else", name);
	}
	json_decref(all);
	assert_true(found > 20);
	assert_int_equal(faults, 0);
}

/* A file's text in writes and reads of SMB1, cut and padded in ways that have led others astray. */
static void files_are_found_in(void **state)
{
	static const char *const names[] = {
		"suricata-verify/smb-eicar-andx/smbandx.pcap",
		"suricata-verify/smb-eicar-file-segmentation-postheader/input.pcap",
		"suricata-verify/smb-eicar-file-segmentation-random/input.pcap",
		"suricata-verify/smb-eicar-overlap/input.pcap",
		"suricata-verify/smb-eicar-padding/smb1_eicar_andx_write_padding2.pcap",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (unsigned cut = 0; cut < 2; cut++) {
			run(names[i], cut);
			if (n_sids != 1 || sids[0] != EICAR_SID)
				fail_msg("%s: not found", names[i]);
		}
}

static int load(void **state)
{
	static const uint32_t counts[INSPECT_BLOCKS] = {0, 4096, 512, 0};
	struct ruleset_options options = {.skip_unsupported = true};
	struct rule_vars *vars = rule_vars_create();
	struct ruleset_source sources[] = {{0}, {"test", eicar_rule, sizeof(eicar_rule) - 1}};
	struct rule_report report;
	char path[512], reason[256];
	unsigned unknown;

	snprintf(path, sizeof(path), "%s/suricata-7.0.10.rules", captures);
	sources[0].name = path;
	rule_report_init(&report);
	ruleset = ruleset_load(sources, 2, &options, &report);
	rule_report_free(&report);
	assert_non_null(ruleset);
	/* As Suricata has them where nothing is configured. */
	assert_true(rule_vars_set(vars, RULE_VARS_ADDRESSES, "HOME_NET",
		"[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", reason, sizeof(reason)));
	assert_true(rule_vars_set(
		vars, RULE_VARS_ADDRESSES, "EXTERNAL_NET", "!$HOME_NET", reason, sizeof(reason)));
	db = rule_compile(ruleset, NULL, reason, sizeof(reason));
	bound = rule_bind_create(ruleset, vars, NULL, 0, &unknown, reason, sizeof(reason));
	rule_vars_free(vars);
	assert_true(db && bound);
	account.max = UINT64_MAX;
	context = (struct detect_context){.engine = detect_engine_create(db),
		.bind = bound,
		.memory = inspect_memory_create(counts, 64),
		.account = &account,
		.now_s = 1000,
		.found = on_found};
	assert_true(context.engine && context.memory);
	return 0;
}

static int unload(void **state)
{
	inspect_memory_free(context.memory);
	detect_engine_free(context.engine);
	rule_bind_free(bound);
	rule_db_free(db);
	ruleset_free(ruleset);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_suricata_found_is_found),
		cmocka_unit_test(files_are_found_in),
	};
	char path[512];

	if (getenv("SMB_CAPTURES") != NULL)
		captures = getenv("SMB_CAPTURES");
	snprintf(path, sizeof(path), "%s/suricata-7.0.10-alerts.json", captures);
	if (access(path, R_OK) != 0) {
		printf("no captures at %s\n", captures);
		return 77;
	}
	return cmocka_run_group_tests(tests, load, unload);
}
