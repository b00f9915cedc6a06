/*
 * Public captures under ../shared/captures (SMB_CAPTURES=DIR for elsewhere): every exploit and
 * implant in them is found by the packet at which it must be, nothing is found in ordinary traffic,
 * and cutting every segment into single bytes changes nothing. Skipped where they are not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "smb_capture.h"

static struct capture capture;
static const char *captures = "../shared/captures";

struct found {
	unsigned first[SMB_DETECTIONS]; /* packet; 0: never */
	unsigned count[SMB_DETECTIONS];
	unsigned acted; /* packet of the first that is more than an alert */
	unsigned quarantined; /* and of the first that quarantines */
	enum smb_direction culprit; /* then */
	unsigned messages, users, trees, creates, binds, calls, encrypted;
	uint64_t file_bytes, record_bytes;
};

static void note_detection(struct found *f, const struct smb_event *e)
{
	const struct smb_invariant *invariant = smb_invariant(e->detection.what);

	if (f->count[e->detection.what]++ == 0)
		f->first[e->detection.what] = capture.packet;
	if (e->detection.doubt != SMB_SURE)
		return;
	if (invariant->action != SMB_ACTION_alert && f->acted == 0)
		f->acted = capture.packet;
	if (invariant->action == SMB_ACTION_quarantine && f->quarantined == 0) {
		f->quarantined = capture.packet;
		f->culprit = e->detection.culprit;
	}
}

static void note(void *arg, const struct smb_event *e)
{
	struct found *f = arg;

	f->messages += e->type == SMB_MESSAGE;
	f->users += e->type == SMB_USER;
	f->trees += e->type == SMB_TREE_CONNECT;
	f->creates += e->type == SMB_CREATE;
	f->binds += e->type == SMB_DCE_BIND;
	f->calls += e->type == SMB_DCE_CALL;
	f->encrypted += e->type == SMB_ENCRYPTED;
	if (e->type == SMB_FILE_DATA)
		f->file_bytes += e->file.len;
	if (e->type == SMB_RECORD_DATA)
		f->record_bytes += e->bytes.len;
	if (e->type == SMB_DETECTED)
		note_detection(f, e);
}

/* Whole segments and single bytes: the same. */
static void run(const char *name, struct found *f)
{
	char path[512];
	struct found cut = {0};

	memset(f, 0, sizeof(*f));
	snprintf(path, sizeof(path), "%s/%s", captures, name);
	if (!capture_run(&capture, path, 0, note, f))
		fail_msg("%s cannot be read", path);
	assert_true(capture_run(&capture, path, 1, note, &cut));
	if (memcmp(f, &cut, sizeof(cut)) != 0)
		fail_msg("%s: byte by byte it is something else", name);
}

static void exploits_are_found_in_time(void **state)
{
	static const struct {
		const char *name;
		unsigned by; /* packet */
		enum smb_detection what; /* first */
	} exploits[] = {
		{"derived-eternalblue-attempt-smb1flows.pcap", 10, SMB_FOUND_trans2_session_setup},
		{"derived-ms17-010-framework-attempt-smb1flows.pcap", 11,
			SMB_FOUND_nt_transact_large},
		{"doublepulsar-backdoor-connect-win7.pcap", 86, SMB_FOUND_trans2_session_setup},
		{"eternalromance-success-2008r2.pcap", 160, SMB_FOUND_transaction_overrun},
		{"wannacry.pcap", 227, SMB_FOUND_trans2_session_setup},
	};
	struct found f;
	char name[128];

	for (unsigned i = 0; i < sizeof(exploits) / sizeof(exploits[0]); i++) {
		snprintf(name, sizeof(name), "zeek-eternalsafety/%s", exploits[i].name);
		run(name, &f);
		if (f.quarantined == 0 || f.quarantined > exploits[i].by)
			fail_msg("%s: quarantined at packet %u", name, f.quarantined);
		if (f.acted != f.quarantined)
			fail_msg("%s: dropped at packet %u already, without its culprit", name,
				f.acted);
		assert_int_equal(f.first[exploits[i].what], f.quarantined);
		assert_int_equal(f.culprit, SMB_TO_SERVER);
	}
}

/* What section 6.3 of the reference counted in them, by other means. */
static void invariants_fire_as_often_as_they_must(void **state)
{
	struct found f;

	run("zeek-eternalsafety/derived-eternalblue-attempt-smb1flows.pcap", &f);
	assert_int_equal(f.count[SMB_FOUND_nt_transact_mixed], 32);
	assert_int_equal(f.count[SMB_FOUND_secondary_unmatched], 32);
	assert_int_equal(f.count[SMB_FOUND_implant_answer], 1);
	run("zeek-eternalsafety/derived-ms17-010-framework-attempt-smb1flows.pcap", &f);
	assert_int_equal(f.count[SMB_FOUND_nt_transact_mixed], 16);
	assert_int_equal(f.count[SMB_FOUND_secondary_unmatched], 16);
	run("zeek-eternalsafety/eternalromance-success-2008r2.pcap", &f);
	assert_int_equal(f.first[SMB_FOUND_write_in_transaction], 160);
	run("zeek-eternalsafety/doublepulsar-backdoor-connect-win7.pcap", &f);
	assert_int_equal(f.first[SMB_FOUND_implant_answer], 87);
	assert_int_equal(f.first[SMB_FOUND_reply_unasked], 87);
	run("zeek-eternalsafety/wannacry.pcap", &f);
	assert_int_equal(f.count[SMB_FOUND_trans2_session_setup], 28);
	assert_int_equal(f.count[SMB_FOUND_implant_answer], 3880);
	assert_int_equal(f.count[SMB_FOUND_secondary_unmatched], 0); /* midstream */
	assert_int_equal(f.count[SMB_FOUND_reply_unasked], 0);
}

static void ordinary_traffic_is_quiet(void **state)
{
	static const char *const ordinary[] = {
		"ndpi/smb_deletefile.pcap",
		"ndpi/smb_frags.pcap",
		"suricata-verify/bug-5133/input.pcap",
		"suricata-verify/bug-5162/input.pcap",
		"suricata-verify/bug-8629-async-oneside/input.pcap",
		"suricata-verify/bug-8629/input.pcap",
		"suricata-verify/dcerpc-smb-test-01/input.pcap",
		"suricata-verify/filestore-filecontainer-smb1-padding/smb_bug_padding.pcap",
		"suricata-verify/smb-dce_iface/input.pcap",
		"suricata-verify/smb-eicar-andx/smbandx.pcap",
		"suricata-verify/smb-eicar-file-segmentation-postheader/input.pcap",
		"suricata-verify/smb-eicar-file-segmentation-random/input.pcap",
		"suricata-verify/smb-eicar-overlap/input.pcap",
		"suricata-verify/smb-eicar-padding/smb1_eicar_andx_write_padding2.pcap",
		"suricata-verify/smb-named-pipe-ascii/input.pcap",
		"suricata-verify/smb-version-keyword/input.pcap",
		"suricata-verify/smb1-01/smb1.pcap",
		"suricata-verify/smb1-02/smb1_osx.pcap",
		"suricata-verify/smb1-03-midstream/smb1_osx-s1-midstream-modified.pcap",
		"suricata-verify/smb2-03-rule/smb2.pcap",
		"suricata-verify/smb2-04/20171220_smb_at_schedule.pcap",
		"suricata-verify/smb2-06/20171220_smb_net_user.pcap",
		"suricata-verify/smb2-async/input.pcap",
		"suricata-verify/smb2-frames-gap-payload-logging-02/"
		"smb2-peter-minus-p191-p192.pcap",
		"suricata-verify/smb2-named-pipe-unicode/input.pcap",
		"suricata-verify/smb3-01/input.pcap",
		"suricata-verify/smb3-03-midstream/input.pcap",
		"zeek/dce-rpc/20-fids-no-close.pcap",
		"zeek/dce-rpc/20-fids.pcap",
		"zeek/dce-rpc/kerberos445_auth.pcapng",
		"zeek/dce-rpc/mapi.pcap",
		"zeek/krb/kerberos_tso.pcapng",
		"zeek/krb/smb2_krb.pcap",
		"zeek/krb/smb_gssapi.pcap",
		"zeek/smb/raw_ntlm_in_smb.pcap",
		"zeek/smb/smb2-zero-byte-error-ioctl.pcapng",
		"zeek/smb/smb2_100_small_files.pcap",
		"zeek/smb/smb2readwrite.pcap",
		"zeek/smb/smb311.pcap",
		"zeek/smb/smb3_negotiate_context.pcap",
	};
	struct found f;

	for (unsigned i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++) {
		run(ordinary[i], &f);
		if (f.messages == 0)
			fail_msg("%s: no message in it", ordinary[i]);
		for (unsigned what = 0; what < SMB_DETECTIONS; what++)
			if (f.count[what] != 0)
				fail_msg("%s: %s at packet %u", ordinary[i],
					smb_invariant(what)->name, f.first[what]);
	}
}

/* Names, interfaces and data of a few sessions that others have described. */
static void facts_are_told(void **state)
{
	struct found f;

	run("suricata-verify/smb-eicar-file-segmentation-random/input.pcap", &f);
	assert_int_equal(f.file_bytes, 68); /* the length of EICAR's text */
	run("zeek/dce-rpc/20-fids.pcap", &f);
	assert_true(f.binds >= 20);
	assert_true(f.calls >= 20);
	run("suricata-verify/smb3-01/input.pcap", &f);
	assert_true(f.encrypted > 0);
	run("suricata-verify/bug-5162/input.pcap", &f);
	assert_true(f.users > 0 && f.trees > 0 && f.creates > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(exploits_are_found_in_time),
		cmocka_unit_test(invariants_fire_as_often_as_they_must),
		cmocka_unit_test(ordinary_traffic_is_quiet),
		cmocka_unit_test(facts_are_told),
	};
	char path[512];

	if (getenv("SMB_CAPTURES") != NULL)
		captures = getenv("SMB_CAPTURES");
	snprintf(path, sizeof(path), "%s/zeek-eternalsafety", captures);
	if (access(path, R_OK) != 0) {
		printf("no captures at %s\n", captures);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
