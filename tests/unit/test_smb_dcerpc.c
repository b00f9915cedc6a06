/* DCERPC over pipes of SMB1 and SMB2: interfaces, calls, stub data, fragments, and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "smb1_rig.h"
#include "smb2_rig.h"

static uint8_t pdus[0x30000]; /* what a pipe is to carry */
static uint32_t pdus_len;
static uint32_t pdu_at;
static bool big_endian;

static int reset(void **state)
{
	pdus_len = 0;
	big_endian = false;
	smb1_with.mid = 1;
	smb1_with.tid = 7;
	smb1_with.status = 0;
	smb2_with.id = 1;
	smb2_with.tree = 5;
	smb2_with.status = 0;
	return rig_reset(state);
}

static void dce8(uint32_t v)
{
	pdus[pdus_len++] = (uint8_t)v;
}

static void dce16(uint32_t v)
{
	dce8(big_endian ? v >> 8 : v);
	dce8(big_endian ? v : v >> 8);
}

static void dce32(uint32_t v)
{
	dce16(big_endian ? v >> 16 : v);
	dce16(big_endian ? v : v >> 16);
}

static void dce_zeros(uint32_t len)
{
	memset(pdus + pdus_len, 0, len);
	pdus_len += len;
}

static void pdu(unsigned type, unsigned flags, unsigned auth, uint32_t call)
{
	pdu_at = pdus_len;
	dce8(5);
	dce8(0);
	dce8(type);
	dce8(flags);
	dce8(big_endian ? 0 : 0x10);
	dce_zeros(3);
	dce16(0);
	dce16(auth);
	dce32(call);
}

static void pdu_end(void)
{
	uint32_t end = pdus_len;

	pdus_len = pdu_at + 8;
	dce16(end - pdu_at);
	pdus_len = end;
}

static void context(unsigned id, unsigned transfers)
{
	dce16(id);
	dce8(transfers);
	dce8(0);
	dce32(0x367abb81);
	dce16(0x9844);
	dce16(0x35f1);
	for (unsigned i = 0; i < 8; i++)
		dce8(i);
	dce32(2); /* version */
	dce_zeros(transfers * 20);
}

static void bind_pdu(unsigned n)
{
	pdu(11, 3, 0, 1);
	dce16(4280);
	dce16(4280);
	dce32(0);
	dce8(n);
	dce_zeros(3);
	for (unsigned i = 0; i < n; i++)
		context(i, 1 + i % 2);
	pdu_end();
}

/* flags: 1 first, 2 last, 0x80 with an object. */
static void request(unsigned flags, unsigned opnum, unsigned id, uint32_t stub)
{
	pdu(0, flags, 0, 2);
	dce32(stub);
	dce16(id);
	dce16(opnum);
	if (flags & 0x80)
		dce_zeros(16);
	for (uint32_t i = 0; i < stub; i++)
		dce8(i * 7 + opnum);
	pdu_end();
}

/* What the pipe carries in writes of so many bytes, over SMB2. */
static void write_smb2(uint32_t each)
{
	for (uint32_t at = 0; at < pdus_len; at += each) {
		smb2_header(9, false);
		smb2_write(77, 0, pdus + at, pdus_len - at < each ? pdus_len - at : each);
		send_msg(0);
	}
}

static void a_call_is_told(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(2);
	request(3, 15, 1, 100);
	write_smb2(UINT16_MAX);
	run(0);
	assert_told("0 bind 367abb81-9844-35f1 v2 context 0 ");
	assert_told("0 bind 367abb81-9844-35f1 v2 context 1 ");
	assert_told("0 call 367abb81-9844-35f1 v2 context 1 opnum 15 call 2 stub 100 first last\n");
	assert_told("0 stub 100 bytes, sum ");
	assert_told(", first, last\n");
	assert_not_told("0 write"); /* a pipe is no file */
	assert_not_told("detected");
}

static void big_endian_calls_too(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	big_endian = true;
	bind_pdu(1);
	request(3, 0x102, 0, 10);
	write_smb2(UINT16_MAX);
	run(0);
	assert_told("0 bind 367abb81-9844-35f1 v2 context 0 ");
	assert_told("0 call 367abb81-9844-35f1 v2 context 0 opnum 258 call 2 stub 10 first last\n");
}

/* Without what depends on how the pipe's bytes were put into writes. */
static void dce_lines(char *out)
{
	out[0] = 0;
	for (const char *line = told; *line != 0; line = strchr(line, '\n') + 1) {
		size_t len = (size_t)(strchr(line, '\n') + 1 - line);

		if (strncmp(line, "0 bind", 6) == 0 || strncmp(line, "0 call", 6) == 0)
			strncat(out, line, len);
	}
}

static void writes_may_cut_it_anywhere(void **state)
{
	char whole[4096], cut[4096];

	bind_pdu(3);
	request(1, 15, 2, 300);
	request(2, 15, 2, 50);
	for (uint32_t each = UINT16_MAX; each > 0; each = each > 64 ? 64 : each - 7) {
		talk_len = n_sends = 0;
		smb2_tree_connect("\\\\srv\\IPC$", true);
		write_smb2(each);
		run(0);
		assert_not_told("detected");
		dce_lines(each == UINT16_MAX ? whole : cut);
		if (each != UINT16_MAX)
			assert_string_equal(whole, cut);
		if (each == 1)
			break;
	}
	assert_non_null(strstr(whole, "opnum 15 call 2 stub 300 first\n"));
	assert_non_null(strstr(whole, "opnum 15 call 2 stub 50 last\n"));
}

static void objects_and_verifiers_are_no_stub(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(1);
	request(0x83, 1, 0, 20);
	pdu(0, 3, 16, 3); /* with a verifier of 8 + 16 */
	dce32(0);
	dce16(0);
	dce16(2);
	dce_zeros(30 + 24);
	pdu_end();
	request(3, 3, 0, 0);
	write_smb2(UINT16_MAX);
	run(0);
	assert_told("opnum 1 call 2 stub 20 ");
	assert_told("opnum 2 call 3 stub 30 ");
	assert_told("opnum 3 call 2 stub 0 ");
	assert_not_told("detected");
}

static void replies_are_told_with_what_they_answer(void **state)
{
	uint32_t sent;

	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(1);
	request(3, 15, 0, 10);
	sent = pdus_len;
	pdu(2, 3, 0, 2);
	dce32(40);
	dce16(0);
	dce16(0);
	dce_zeros(40);
	pdu_end();
	/* As one transceive. */
	smb2_header(11, false);
	put16(57);
	put16(0);
	put32(0x11c017);
	put64(77);
	put64(78);
	put32(120);
	put32(sent);
	put_zeros(24);
	put(pdus, sent);
	send_msg(0);
	smb2_with.id--;
	smb2_header(11, true);
	put16(49);
	put16(0);
	put32(0x11c017);
	put64(77);
	put64(78);
	put32(112);
	put32(0);
	put32(112);
	put32(pdus_len - sent);
	put_zeros(8);
	put(pdus + sent, pdus_len - sent);
	send_msg(1);
	run(0);
	assert_told("0 call 367abb81-9844-35f1 v2 context 0 opnum 15 call 2 stub 10 ");
	assert_told("1 call 367abb81-9844-35f1 v2 context 0 opnum 15 call 2 stub 40 ");
	assert_told("1 stub 40 bytes");
	assert_not_told("detected");
}

static void transactions_on_pipes_of_smb1(void **state)
{
	uint32_t half;

	smb1_connect("\\\\srv\\IPC$");
	bind_pdu(1);
	request(3, 9, 0, 33);
	half = pdus_len - 20;
	smb1_header(0x25, false);
	smb1_words(16);
	set16(word(1), pdus_len);
	set16(word(11), half);
	msg[word(13)] = 2;
	set16(word(14), 0x26);
	set16(word(15), 0x4000);
	put("\\PIPE\\\0\0", 8);
	set16(word(12), msg_len - 4);
	put(pdus, half);
	smb1_end();
	send_msg(0);
	smb1_empty(0x25, true);
	smb1_header(0x26, false);
	smb1_words(8);
	set16(word(1), pdus_len);
	set16(word(5), pdus_len - half);
	set16(word(6), msg_len - 4);
	set16(word(7), half);
	put(pdus + half, pdus_len - half);
	smb1_end();
	send_msg(0);
	run(0);
	assert_told("0 bind 367abb81-9844-35f1 v2 context 0 ");
	assert_told("opnum 9 call 2 stub 33 first last\n");
	assert_not_told("detected");
}

/* WriteAndX in message mode: the message's length is before it. */
static void writes_on_pipes_of_smb1(void **state)
{
	for (unsigned mode = 0; mode < 2; mode++) {
		reset(state);
		smb1_connect("\\\\srv\\IPC$");
		bind_pdu(1);
		smb1_header(0x2f, false);
		smb1_words(14);
		smb1_no_andx();
		set16(word(2), 0x4000);
		set16(word(7), mode ? 0x0c : 0);
		set16(word(10), pdus_len + (mode ? 2 : 0));
		set16(word(11), msg_len - 4);
		if (mode)
			put16(pdus_len);
		put(pdus, pdus_len);
		smb1_end();
		send_msg(0);
		run(0);
		assert_told("0 bind 367abb81-9844-35f1 v2 context 0 ");
		assert_not_told("detected");
	}
}

/* A pipe's data is told in order: two that overlap in one record are none. */
static void data_of_two_writes_may_not_overlap(void **state)
{
	smb1_connect("\\\\srv\\IPC$");
	bind_pdu(1);
	smb1_header(0x2f, false);
	smb1_words(14);
	set16(word(2), 0x4000);
	set16(word(10), pdus_len);
	set16(word(11), 200);
	smb1_chain(0x2f);
	smb1_words(14);
	smb1_no_andx();
	set16(word(2), 0x4001);
	set16(word(10), pdus_len);
	set16(word(11), 201);
	put_zeros(200);
	put(pdus, pdus_len);
	smb1_end();
	send_msg(0);
	run(0);
	assert_told("detected F4 culprit 0");
}

static void reads_from_pipes_are_told(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(1);
	write_smb2(UINT16_MAX);
	pdus_len = 0;
	pdu(2, 3, 0, 2);
	dce32(40);
	dce32(0);
	dce_zeros(40);
	pdu_end();
	smb2_header(8, false);
	put_zeros(16);
	put64(77);
	put64(78);
	put_zeros(16);
	send_msg(0);
	smb2_with.id--;
	smb2_header(8, true);
	put16(17);
	put16(80);
	put32(pdus_len);
	put_zeros(8);
	put(pdus, pdus_len);
	send_msg(1);
	run(0);
	assert_told("1 call 367abb81-9844-35f1 v2 context 0 opnum 65535 call 2 stub 40 ");
	assert_told("1 stub 40 bytes");
	assert_not_told("1 read");
}

static void probed_where_the_tree_is_not_known(void **state)
{
	bind_pdu(1);
	write_smb2(UINT16_MAX);
	run(SMB_FLOW_PARTIAL);
	assert_told("0 bind 367abb81");
	assert_told("0 write at 116"); /* may be a file all the same */
	assert_not_told("detected");
	/* On a disk it is data. */
	reset(state);
	smb2_tree_connect("\\\\srv\\data", false);
	bind_pdu(1);
	write_smb2(UINT16_MAX);
	run(0);
	assert_not_told("0 bind");
}

static void what_is_no_dcerpc_turns_it_off(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	memset(pdus, 'x', 40);
	pdus_len = 40;
	bind_pdu(1);
	write_smb2(UINT16_MAX);
	run(0);
	assert_not_told("0 bind");
	assert_not_told("detected");
	/* Until it is closed. */
	smb2_header(6, false);
	put16(24);
	put_zeros(6);
	put64(77);
	put64(78);
	send_msg(0);
	pdus_len = 0;
	bind_pdu(1);
	write_smb2(UINT16_MAX);
	run(0);
	assert_told("0 bind");
}

static void fragments_must_hold_what_they_say(void **state)
{
	static const struct {
		unsigned type, flags, auth, len;
	} bad[] = {{0, 3, 0, 23}, {0, 0x83, 0, 39}, {0, 3, 1, 32}, {11, 3, 0, 27}, {3, 3, 0, 15},
		{2, 3, 0xffff, 0xffff}};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reset(state);
		smb2_tree_connect("\\\\srv\\IPC$", true);
		bind_pdu(1);
		pdu(bad[i].type, bad[i].flags, bad[i].auth, 2);
		dce_zeros(100);
		pdus[pdu_at + 8] = (uint8_t)bad[i].len;
		pdus[pdu_at + 9] = (uint8_t)(bad[i].len >> 8);
		write_smb2(UINT16_MAX);
		run(0);
		assert_told("detected F11 culprit 0");
		assert_not_told("call 3");
	}
}

static void contexts_are_bounded(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(DCERPC_CONTEXTS + 1);
	request(3, 1, DCERPC_CONTEXTS - 1, 4);
	request(3, 2, DCERPC_CONTEXTS, 4);
	write_smb2(UINT16_MAX);
	run(0);
	assert_int_equal(count_told("0 bind"), DCERPC_CONTEXTS + 1);
	assert_int_equal(count_told("limit contexts"), 1);
	assert_told("opnum 1 call 2 stub 4 first last\n");
	assert_told("opnum 2 call 2 stub 4 first last unknown\n");
}

static void a_bind_ends_with_its_fragment(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(2);
	pdus[24] = 255; /* contexts that are not there */
	request(3, 1, 1, 4);
	write_smb2(UINT16_MAX);
	run(0);
	assert_int_equal(count_told("0 bind"), 2);
	assert_told("opnum 1 call 2 stub 4 first last\n");
}

static void stub_data_is_bounded(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	bind_pdu(1);
	write_smb2(UINT16_MAX);
	for (unsigned i = 0; i < 18; i++) {
		pdus_len = 0;
		request(i == 0, 1, 0, 60000);
		write_smb2(UINT16_MAX);
	}
	run_cut(0, 0, NULL);
	assert_int_equal(count_told("limit stub"), 1);
	assert_int_equal(count_told("0 stub 60000"), DCERPC_STUB_MAX / 60000);
}

static void pipes_are_bounded(void **state)
{
	smb2_tree_connect("\\\\srv\\IPC$", true);
	for (unsigned i = 0; i <= SMB_PIPES; i++) {
		pdus_len = 0;
		bind_pdu(1);
		smb2_header(9, false);
		smb2_write(100 + i, 0, pdus, pdus_len);
		send_msg(0);
	}
	run(0);
	assert_int_equal(count_told("limit pipes"), 1);
	/* The one longest not used has gone; what it had bound is unknown. */
	pdus_len = 0;
	request(3, 1, 0, 4);
	for (unsigned i = 0; i < 2; i++) {
		smb2_header(9, false);
		smb2_write(101 - i, 0, pdus, pdus_len);
		send_msg(0);
	}
	run(0);
	assert_int_equal(count_told("stub 4 first last\n"), 1);
	assert_int_equal(count_told("stub 4 first last unknown\n"), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_call_is_told),
		TEST(big_endian_calls_too),
		TEST(writes_may_cut_it_anywhere),
		TEST(objects_and_verifiers_are_no_stub),
		TEST(replies_are_told_with_what_they_answer),
		TEST(transactions_on_pipes_of_smb1),
		TEST(writes_on_pipes_of_smb1),
		TEST(data_of_two_writes_may_not_overlap),
		TEST(reads_from_pipes_are_told),
		TEST(probed_where_the_tree_is_not_known),
		TEST(what_is_no_dcerpc_turns_it_off),
		TEST(fragments_must_hold_what_they_say),
		TEST(contexts_are_bounded),
		TEST(a_bind_ends_with_its_fragment),
		TEST(stub_data_is_bounded),
		TEST(pipes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
