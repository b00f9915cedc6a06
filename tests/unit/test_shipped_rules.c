/*
 * rules/smb.rules: each rule fires on what it is for and not on what is next to it, by messages
 * made by hand that are headers and nothing else; its exploit and implant rules on the public
 * captures of those and on no ordinary one (skipped where these are not at hand).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "detect.h"
#include "smb1_rig.h"
#include "smb2_rig.h"
#include "shipped_rig.h"
#include "smb_capture.h"

/* The server's NTSTATUS. */
#define MORE_PROCESSING 0xc0000016
#define NO_RESOURCES    0xc0000205
#define NOT_IMPLEMENTED 0xc0000002
#define WRONG_HANDLE    0xc0000008

static void reply(unsigned command, uint32_t status, unsigned mid)
{
	uint16_t before = smb1_with.mid;

	smb1_with.status = status;
	smb1_with.mid = (uint16_t)mid;
	smb1_empty(command, true);
	smb1_with.status = 0;
	smb1_with.mid = before;
}

/* NT_TRANSACT */

static void nt_total_too_large(void)
{
	smb1_nt_transact(2, 0x10000, 8);
}

static void nt_total_of_64k(void)
{
	smb1_nt_transact(2, 0xffff, 8);
}

static void nt_reply_with_such_numbers(void)
{
	smb1_header(0xa0, true);
	smb1_words(19);
	set32(word(3) + 1, 0x10000); /* where a request has its total */
	send_msg(SMB_TO_CLIENT);
}

static void nt_mixed(void)
{
	smb1_nt_transact(2, 0x2000, 8);
	reply(0xa0, 0, smb1_with.mid);
	smb1_secondary(0x33, 0x2000, 16, 8);
}

static void nt_continued_then_trans2(void)
{
	smb1_nt_transact(2, 0x100, 8);
	reply(0xa0, 0, smb1_with.mid);
	smb1_nt_secondary(0x100, 0xf8, 8);
	smb1_trans(0x32, 3, 0x100, 8);
	smb1_secondary(0x33, 0x100, 0xf8, 8);
}

static void nt_refused_then_trans2(void)
{
	smb1_nt_transact(2, 0x100, 8);
	reply(0xa0, MORE_PROCESSING, smb1_with.mid);
	smb1_trans(0x32, 3, 0x100, 8);
	smb1_secondary(0x33, 0x100, 0xf8, 8);
}

static void nt_whole_then_trans2(void)
{
	smb1_nt_transact(2, 0x100, 0x100);
	smb1_trans(0x32, 3, 0x100, 8);
	smb1_secondary(0x33, 0x100, 0xf8, 8);
}

static void nt_rename(void)
{
	smb1_nt_transact(5, 8, 8);
}

static void nt_security(void)
{
	smb1_nt_transact(6, 8, 8);
}

/* Secondaries */

static void trans2_beyond(void)
{
	smb1_secondary(0x33, 0x100, 0xf9, 8);
}

static void trans2_to_the_end(void)
{
	smb1_secondary(0x33, 0x100, 0xf8, 8);
}

static void trans_beyond(void)
{
	smb1_secondary(0x26, 0, 1, 0);
}

static void trans_to_the_end(void)
{
	smb1_secondary(0x26, 0x40, 0x40, 0);
}

static void nt_secondary_beyond(void)
{
	smb1_nt_secondary(0x20000, 0x10, 0x1fff1);
}

static void nt_secondary_to_the_end(void)
{
	smb1_nt_secondary(0x20000, 0x10, 0x1fff0);
}

static void trans2_of_eight_words(void)
{
	smb1_header(0x33, false);
	smb1_words(8);
	smb1_end();
	send_msg(SMB_TO_SERVER);
}

/* Probe: PeekNamedPipe, two setup words. */

static void peek(unsigned fid)
{
	smb1_header(0x25, false);
	smb1_words(16);
	msg[word(13)] = 2;
	set16(word(14), 0x23);
	set16(word(15), fid);
	put("\\PIPE\\", 7);
	smb1_end();
	send_msg(SMB_TO_SERVER);
}

static void probed(void)
{
	peek(0);
	reply(0x25, NO_RESOURCES, smb1_with.mid);
}

static void probed_in_vain(void)
{
	peek(0);
	reply(0x25, WRONG_HANDLE, smb1_with.mid);
}

static void peeked(void)
{
	peek(0x4000);
	reply(0x25, NO_RESOURCES, smb1_with.mid);
}

/* Implant */

static void implant_asked(void)
{
	smb1_with.mid = 0x41;
	smb1_trans(0x32, 0xe, 0, 0);
	reply(0x32, NOT_IMPLEMENTED, 0x41);
}

static void implant_there(void)
{
	smb1_with.mid = 0x41;
	smb1_trans(0x32, 0xe, 0, 0);
	reply(0x32, NOT_IMPLEMENTED, 0x51);
}

static void implant_fed(void)
{
	smb1_with.mid = 0x42;
	smb1_trans(0x32, 0xe, 0x10, 0x10);
	reply(0x32, NOT_IMPLEMENTED, 0x52);
}

/* A client may count its MIDs from 1. */
static void trans2_of_these_mids(void)
{
	for (unsigned mid = 0x40; mid < 0x60; mid++) {
		smb1_with.mid = (uint16_t)mid;
		smb1_trans(0x32, 5, 0, 0);
		reply(0x32, 0, mid);
	}
}

/* Services */

static void pipe_put(uint32_t *len, uint8_t *out, const void *bytes, uint32_t n)
{
	memcpy(out + *len, bytes, n);
	*len += n;
}

/* A bind to an interface whose first byte is this, svcctl's is 0x81, and a call. */
static void dce_call(unsigned first, unsigned opnum)
{
	static const uint8_t bind[] = {5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xb8,
		0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0};
	static const uint8_t interface[] = {0xbb, 0x7a, 0x36, 0x44, 0x98, 0xf1, 0x35, 0xad, 0x32,
		0x98, 0xf0, 0x38, 0, 0x10, 3, 2, 0, 0, 0};
	static const uint8_t transfer[] = {4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8,
		8, 0, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0};
	uint8_t call[] = {5, 0, 0, 3, 0x10, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 0, 0,
		(uint8_t)opnum, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	uint8_t pdus[256], uuid = (uint8_t)first;
	uint32_t len = 0;

	pipe_put(&len, pdus, bind, sizeof(bind));
	pipe_put(&len, pdus, &uuid, 1);
	pipe_put(&len, pdus, interface, sizeof(interface));
	pipe_put(&len, pdus, transfer, sizeof(transfer));
	smb2_tree_connect("\\\\srv\\IPC$", true);
	smb2_header(9, false);
	smb2_write(77, 0, pdus, len);
	send_msg(SMB_TO_SERVER);
	smb2_header(9, false);
	smb2_write(77, 0, call, sizeof(call));
	send_msg(SMB_TO_SERVER);
}

static void create_service_w(void)
{
	dce_call(0x81, 12);
}

static void create_service_a(void)
{
	dce_call(0x81, 24);
}

static void open_manager(void)
{
	dce_call(0x81, 15);
}

static void other_interface(void)
{
	dce_call(0x82, 12);
}

static void smb2_create(const char *name, unsigned command)
{
	smb2_header(command, false);
	put16(57);
	put_zeros(42);
	put16(120);
	put16((uint32_t)strlen(name) * 2);
	put_zeros(8);
	put_wide(name);
	send_msg(SMB_TO_SERVER);
}

static void smb1_create(const char *name, bool wide)
{
	smb1_with.flags2 = wide ? 0xc000 : 0x4000;
	smb1_header(0xa2, false);
	smb1_words(24);
	smb1_no_andx();
	set16(word(2) + 1, (uint32_t)strlen(name) * (wide ? 2 : 1));
	if (wide) {
		put8(0);
		put_wide(name);
		put16(0);
	} else {
		put(name, (uint32_t)strlen(name) + 1);
	}
	smb1_end();
	send_msg(SMB_TO_SERVER);
	smb1_with.flags2 = 0x4000;
}

static void svcctl_smb2(void)
{
	smb2_create("SvcCtl", 5);
}

static void svcctl_smb1(void)
{
	smb1_create("\\svcctl", true);
}

static void svcctl_ascii(void)
{
	smb1_create("\\svcctl", false);
}

static void psexec_smb2(void)
{
	smb2_create("PSEXESVC-HOST-stdin", 5);
}

static void psexec_smb1(void)
{
	smb1_create("\\psexesvc.exe", true);
}

static void paexec(void)
{
	smb2_create("PAExec-1-host.exe", 5);
}

static void remcom(void)
{
	smb2_create("RemCom_communicaton", 5);
}

static void winexe(void)
{
	smb2_create("winexesvc.exe", 5);
}

static void ordinary_names(void)
{
	static const char *const names[] = {"srvsvc", "wkssvc", "docs\\psexec.txt", "paxe.exe",
		"remcon", "winexe.txt", "svc_ctl"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		smb2_create(names[i], 5);
		smb1_create(names[i], true);
		smb1_create(names[i], false);
	}
}

/* The words as data of a write. */
static void names_in_files(void)
{
	smb2_create("PSEXESVC svcctl PAExec RemCom_ winexesvc", 9);
}

/* Compressed records */

static void compressed(uint32_t original, uint32_t offset)
{
	smb2_negotiate_reply(0x311, 8u << 20, true);
	msg_len = 4;
	put("\xfcSMB", 4);
	put32(original);
	put16(1);
	put16(0);
	put32(offset);
	put_zeros(16);
	send_msg(SMB_TO_SERVER);
}

static void compressed_size(void)
{
	compressed(0xffffffff, 0x10);
}

static void compressed_offset(void)
{
	compressed(0x100, 0x80000000);
}

static void compressed_large(void)
{
	compressed((16u << 20) + 1, 0);
}

static void compressed_right(void)
{
	compressed(8u << 20, 0x10);
}

#define SIDS            4
#define CLIENT_AT_FAULT 0
#define SERVER_AT_FAULT 1

static const struct talk_case {
	const char *what;
	void (*talk)(void);
	uint8_t sids[SIDS]; /* behind 9100000; all that may fire */
} cases[] = {
	{"64 KiB in an NT_TRANSACT", nt_total_too_large, {1}},
	{"a byte less", nt_total_of_64k, {0}},
	{"a reply", nt_reply_with_such_numbers, {0}},
	{"Trans2 into NT_TRANSACT", nt_mixed, {5}},
	{"each by itself", nt_continued_then_trans2, {0}},
	{"after one that was refused", nt_refused_then_trans2, {0}},
	{"after one that was whole", nt_whole_then_trans2, {0}},
	{"Trans2 secondary over its end", trans2_beyond, {6}},
	{"to its end", trans2_to_the_end, {0}},
	{"Transaction secondary over its end", trans_beyond, {7}},
	{"to its end", trans_to_the_end, {0}},
	{"NT_TRANSACT secondary over its end", nt_secondary_beyond, {8}},
	{"to its end", nt_secondary_to_the_end, {0}},
	{"Trans2 secondary of eight words", trans2_of_eight_words, {9}},
	{"RENAME", nt_rename, {10}},
	{"QUERY_SECURITY_DESC", nt_security, {0}},
	{"a probe and who is vulnerable", probed, {11, 12}},
	{"a probe and who is not", probed_in_vain, {11}},
	{"a pipe that is open", peeked, {0}},
	{"an implant is asked for in vain", implant_asked, {20}},
	{"an implant answers", implant_there, {20, 22}},
	{"an implant is fed", implant_fed, {21, 23}},
	{"MIDs like the implant's", trans2_of_these_mids, {0}},
	{"RCreateServiceW", create_service_w, {30}},
	{"RCreateServiceA", create_service_a, {30}},
	{"ROpenSCManagerW", open_manager, {0}},
	{"call 12 of another interface", other_interface, {0}},
	{"svcctl, SMB2", svcctl_smb2, {31}},
	{"svcctl, SMB1", svcctl_smb1, {32}},
	{"svcctl, ASCII", svcctl_ascii, {33}},
	{"PSEXESVC, SMB2", psexec_smb2, {34}},
	{"PSEXESVC, SMB1", psexec_smb1, {35}},
	{"PAExec", paexec, {36}},
	{"RemCom", remcom, {37}},
	{"winexe", winexe, {38}},
	{"other names", ordinary_names, {0}},
	{"the names within data", names_in_files, {0}},
	{"compressed, size", compressed_size, {40}},
	{"compressed, offset", compressed_offset, {41}},
	{"compressed, large", compressed_large, {42}},
	{"compressed as it should be", compressed_right, {0}},
};

static bool expects(const struct talk_case *c, uint32_t n)
{
	for (unsigned i = 0; i < SIDS; i++)
		if (n != 0 && c->sids[i] == n)
			return true;
	return false;
}

static struct detect_ends ends(void)
{
	static const uint8_t client[] = {10, 0, 0, 1}, server[] = {10, 0, 0, 2};

	return (struct detect_ends){{addr_from_ipv4(client), addr_from_ipv4(server)}, {50000, 445}};
}

/* What was sent, in feeds of this many bytes at the most; 0: as sent. */
static void converse(uint32_t cut)
{
	struct detect_ends e = ends();
	struct detect_flow *f = shipped_begin(&e, 0);

	shipped_forget();
	for (unsigned i = 0; i < n_sends; i++) {
		for (uint32_t done = 0; done < sends[i].len;) {
			uint32_t n = sends[i].len - done;

			if (cut > 0 && n > cut)
				n = cut;
			shipped_feed(f, sends[i].side, talk + sends[i].from + done, n);
			done += n;
		}
	}
	shipped_end(f);
}

static int reset(void **state)
{
	smb1_with.mid = 1;
	smb1_with.status = 0;
	smb1_with.flags2 = 0x4000;
	smb2_with.id = 1;
	return rig_reset(state);
}

static void each_fires_on_what_it_is_for(void **state)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reset(state);
		cases[i].talk();
		for (uint32_t cut = 0; cut < 3; cut++) {
			converse(cut);
			assert_int_equal(fired.failures, 0);
			for (uint32_t n = 0; n < SHIPPED_SIDS; n++)
				if ((fired.alerts[n] != 0) != expects(&cases[i], n))
					fail_msg("%s, cut to %u: %u fired %u times", cases[i].what,
						cut, SHIPPED_FIRST + n, fired.alerts[n]);
		}
	}
}

/* Every rule of the file that tells anything has its case. */
static void none_is_without_its_case(void **state)
{
	for (uint32_t r = 0; r < ruleset_count(shipped.ruleset); r++) {
		const struct rule *rule = ruleset_rule(shipped.ruleset, r);
		bool found = rule->noalert;

		for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			found = found || expects(&cases[i], rule->sid - SHIPPED_FIRST);
		if (!found)
			fail_msg("no case has %u fire", rule->sid);
	}
}

static void assert_asks(
	void (*talk_of)(void), uint32_t n, enum detect_action action, unsigned culprit)
{
	reset(NULL);
	talk_of();
	converse(0);
	assert_true(fired.alerts[n] > 0);
	assert_int_equal(fired.action[n], action);
	assert_int_equal(fired.culprit[n], culprit);
}

static void they_ask_for_what_it_is_worth(void **state)
{
	assert_asks(nt_total_too_large, 1, DETECT_QUARANTINE, CLIENT_AT_FAULT);
	assert_asks(nt_mixed, 5, DETECT_QUARANTINE, CLIENT_AT_FAULT);
	assert_asks(trans_beyond, 7, DETECT_QUARANTINE, CLIENT_AT_FAULT);
	assert_asks(nt_rename, 10, DETECT_DROP, CLIENT_AT_FAULT);
	assert_asks(probed, 11, DETECT_ALERT, CLIENT_AT_FAULT);
	assert_asks(implant_there, 20, DETECT_QUARANTINE, CLIENT_AT_FAULT);
	assert_asks(implant_there, 22, DETECT_QUARANTINE, SERVER_AT_FAULT);
	assert_asks(implant_fed, 23, DETECT_QUARANTINE, SERVER_AT_FAULT);
	assert_asks(create_service_w, 30, DETECT_ALERT, CLIENT_AT_FAULT);
	assert_asks(svcctl_smb2, 31, DETECT_ALERT, CLIENT_AT_FAULT);
	assert_asks(compressed_size, 40, DETECT_QUARANTINE, CLIENT_AT_FAULT);
	assert_asks(compressed_large, 42, DETECT_DROP, CLIENT_AT_FAULT);
}

/* Whom the rules are for, and how grave they are, by priority and by the file of classes alike. */
static void classes_and_priorities_agree(void **state)
{
	struct ruleset_source source = {.name = "rules/smb.rules"};
	struct ruleset_options options = {.classes = "rules/classification.config"};
	struct rule_report report;
	struct ruleset *classed;

	rule_report_init(&report);
	classed = ruleset_load(&source, 1, &options, &report);
	rule_report_free(&report);
	assert_non_null(classed);
	for (uint32_t r = 0; r < ruleset_count(classed); r++) {
		const struct rule *rule = ruleset_rule(classed, r);

		assert_true(rule->sid > SHIPPED_FIRST && rule->sid < SHIPPED_FIRST + SHIPPED_SIDS);
		assert_string_not_equal(ruleset_class_text(classed, rule->classtype), "");
		assert_true(rule->noalert || rule->target != RULE_TARGET_NONE);
		assert_true(rule->noalert || rule->action != RULE_ALERT || rule->priority >= 2);
	}
	ruleset_free(classed);
}

/* Captures */

static struct capture capture;
static const char *captures = "../shared/captures";
static unsigned first_grave; /* packet of the first finding that drops; 0: none */

static void capture_begin(void *arg, struct capture_flow *f)
{
	struct detect_ends e = {.addr = {addr_from_ipv4(f->key), addr_from_ipv4(f->key + 16)},
		.port = {(uint16_t)be16(f->key + 32), (uint16_t)be16(f->key + 34)}};

	f->user = shipped_begin(&e, f->flags);
}

static void capture_bytes(
	void *arg, struct capture_flow *f, unsigned side, const uint8_t *bytes, uint32_t len)
{
	shipped_feed(f->user, side, bytes, len);
	for (unsigned n = 0; n < SHIPPED_SIDS && first_grave == 0; n++)
		if (fired.action[n] >= DETECT_DROP)
			first_grave = capture.packet;
}

static void capture_gap(void *arg, struct capture_flow *f, unsigned side)
{
	struct detect_context context = shipped_context();

	detect_gap(f->user, &context, side);
}

static void capture_end(void *arg, struct capture_flow *f)
{
	shipped_end(f->user);
}

static const struct capture_sink sink = {capture_begin, capture_bytes, capture_gap, capture_end};

static void play(const char *name)
{
	char path[512];

	shipped_forget();
	first_grave = 0;
	memset(&capture, 0, sizeof(capture));
	capture.sink = &sink;
	snprintf(path, sizeof(path), "%s/%s", captures, name);
	if (!capture_read(&capture, path))
		fail_msg("%s cannot be read", path);
}

static void need_captures(void)
{
	char path[512];

	if (getenv("SMB_CAPTURES") != NULL)
		captures = getenv("SMB_CAPTURES");
	snprintf(path, sizeof(path), "%s/zeek-eternalsafety", captures);
	if (access(path, R_OK) == 0)
		return;
	printf("no captures at %s\n", captures);
	skip();
}

static void exploits_are_found(void **state)
{
	static const struct {
		const char *name;
		unsigned by; /* packet at which one must have dropped */
		struct {
			uint8_t sid;
			unsigned times;
		} fires[9];
	} exploits[] = {
		{"derived-eternalblue-attempt-smb1flows.pcap", 10,
			{{1, 2}, {5, 32}, {6, 32}, {20, 4}, {23, 1}}},
		{"derived-ms17-010-framework-attempt-smb1flows.pcap", 11,
			{{1, 1}, {5, 16}, {6, 16}}},
		{"doublepulsar-backdoor-connect-win7.pcap", 86, {{20, 1}, {22, 1}}},
		{"eternalromance-success-2008r2.pcap", 158, {{7, 37}, {20, 1}}},
		{"wannacry.pcap", 227,
			{{1, 14}, {5, 50}, {6, 55}, {11, 6}, {12, 5}, {20, 26}, {21, 2}, {22, 9},
				{23, 3871}}},
	};
	char name[128];

	need_captures();
	for (unsigned i = 0; i < sizeof(exploits) / sizeof(exploits[0]); i++) {
		unsigned expected[SHIPPED_SIDS] = {0};

		snprintf(name, sizeof(name), "zeek-eternalsafety/%s", exploits[i].name);
		play(name);
		for (unsigned k = 0; k < 9; k++)
			expected[exploits[i].fires[k].sid] = exploits[i].fires[k].times;
		for (unsigned n = 1; n < SHIPPED_SIDS; n++)
			if (fired.alerts[n] != expected[n])
				fail_msg("%s: %u fired %u times, not %u", name, SHIPPED_FIRST + n,
					fired.alerts[n], expected[n]);
		if (first_grave == 0 || first_grave > exploits[i].by)
			fail_msg("%s: dropped at packet %u", name, first_grave);
	}
}

/* What administrators do is told, and no more than that. */
static void ordinary_traffic_is_quiet(void **state)
{
	static const struct {
		const char *name;
		uint8_t sids[SIDS]; /* alerts that are right */
	} ordinary[] = {
		{"ndpi/smb_deletefile.pcap", {0}},
		{"ndpi/smb_frags.pcap", {0}},
		{"suricata-verify/bug-5133/input.pcap", {0}},
		{"suricata-verify/bug-5162/input.pcap", {30, 31}},
		{"suricata-verify/bug-8629-async-oneside/input.pcap", {30, 31, 34}},
		{"suricata-verify/bug-8629/input.pcap", {30, 31, 34}},
		{"suricata-verify/dcerpc-smb-test-01/input.pcap", {30, 31, 34}},
		{"suricata-verify/filestore-filecontainer-smb1-padding/smb_bug_padding.pcap", {0}},
		{"suricata-verify/smb-dce_iface/input.pcap", {0}},
		{"suricata-verify/smb-eicar-andx/smbandx.pcap", {0}},
		{"suricata-verify/smb-eicar-file-segmentation-postheader/input.pcap", {0}},
		{"suricata-verify/smb-eicar-file-segmentation-random/input.pcap", {0}},
		{"suricata-verify/smb-eicar-overlap/input.pcap", {0}},
		{"suricata-verify/smb-eicar-padding/smb1_eicar_andx_write_padding2.pcap", {0}},
		{"suricata-verify/smb-named-pipe-ascii/input.pcap", {0}},
		{"suricata-verify/smb-version-keyword/input.pcap", {0}},
		{"suricata-verify/smb1-01/smb1.pcap", {0}},
		{"suricata-verify/smb1-02/smb1_osx.pcap", {0}},
		{"suricata-verify/smb1-03-midstream/smb1_osx-s1-midstream-modified.pcap", {0}},
		{"suricata-verify/smb2-03-rule/smb2.pcap", {0}},
		{"suricata-verify/smb2-04/20171220_smb_at_schedule.pcap", {0}},
		{"suricata-verify/smb2-06/20171220_smb_net_user.pcap", {0}},
		{"suricata-verify/smb2-async/input.pcap", {0}},
		{"suricata-verify/smb2-frames-gap-payload-logging-02/"
		 "smb2-peter-minus-p191-p192.pcap",
			{0}},
		{"suricata-verify/smb2-named-pipe-unicode/input.pcap", {0}},
		{"suricata-verify/smb3-01/input.pcap", {0}},
		{"suricata-verify/smb3-03-midstream/input.pcap", {0}},
		{"zeek/dce-rpc/20-fids-no-close.pcap", {0}},
		{"zeek/dce-rpc/20-fids.pcap", {0}},
		{"zeek/dce-rpc/kerberos445_auth.pcapng", {0}},
		{"zeek/dce-rpc/mapi.pcap", {0}},
		{"zeek/krb/kerberos_tso.pcapng", {0}},
		{"zeek/krb/smb2_krb.pcap", {0}},
		{"zeek/krb/smb_gssapi.pcap", {0}},
		{"zeek/smb/raw_ntlm_in_smb.pcap", {0}},
		{"zeek/smb/smb2-zero-byte-error-ioctl.pcapng", {0}},
		{"zeek/smb/smb2_100_small_files.pcap", {0}},
		{"zeek/smb/smb2readwrite.pcap", {0}},
		{"zeek/smb/smb311.pcap", {0}},
		{"zeek/smb/smb3_negotiate_context.pcap", {0}},
	};

	need_captures();
	for (unsigned i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
		struct talk_case expected = {.what = ordinary[i].name};

		memcpy(expected.sids, ordinary[i].sids, SIDS);
		play(ordinary[i].name);
		assert_int_equal(first_grave, 0);
		for (unsigned n = 0; n < SHIPPED_SIDS; n++)
			if ((fired.alerts[n] != 0) != expects(&expected, n))
				fail_msg("%s: %u fired %u times", ordinary[i].name,
					SHIPPED_FIRST + n, fired.alerts[n]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fires_on_what_it_is_for),
		cmocka_unit_test(none_is_without_its_case),
		cmocka_unit_test(they_ask_for_what_it_is_worth),
		cmocka_unit_test(classes_and_priorities_agree),
		cmocka_unit_test(exploits_are_found),
		cmocka_unit_test(ordinary_traffic_is_quiet),
	};

	return cmocka_run_group_tests(tests, shipped_load, shipped_unload);
}
