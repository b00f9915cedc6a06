/*
 * TCP connections of made-up guests through a whole switch whose tenant is inspected: segments of
 * any number, order and cut, what became of each, and the resets that came of it. Hosts are as in
 * firewall_rig.h. Rules are the tenant's own file, read and compiled as they always are.
 */
#ifndef VS_TEST_INSPECT_RIG_H
#define VS_TEST_INSPECT_RIG_H

#include "firewall_rig.h"

#include "inspect.h"
#include "inspect_state.h"
#include "inspect_store.h"
#include "quarantine.h"
#include "switch_inspect.h"
#include "temp_dir.h"

/* What the rules below are about. None means anything to anybody. */
#define MARKER  "harmless-marker-one"
#define CULPRIT "harmless-culprit-two"
#define NOTICE  "harmless-notice-three"
#define VICTIM  "harmless-answer-four"
#define STORED  "harmless-content-five"

static const char ir_rules[] =
	"drop tcp any any -> any any (msg:\"marker\"; content:\"" MARKER "\"; sid:1;)\n"
	"drop tcp any any -> any any (msg:\"culprit\"; content:\"" CULPRIT "\"; "
	"metadata:vswitch_action quarantine; target:dest_ip; sid:2;)\n"
	"alert tcp any any -> any any (msg:\"notice\"; content:\"" NOTICE "\"; sid:3;)\n"
	"drop tcp any any -> any any (msg:\"answer\"; content:\"" VICTIM "\"; "
	"metadata:vswitch_action quarantine; target:src_ip; sid:4;)\n"
	"drop smb any any -> any any (msg:\"file\"; file.data; content:\"" STORED "\"; "
	"metadata:vswitch_action quarantine; sid:5;)\n";

/* A switch of guests a to e in one network, with this in its section `inspection`. */
#define IR_HOSTS                                                                                   \
	"ports:\n" HOST(a, 1, IR_IN) HOST(b, 2, IR_IN) HOST(c, 3, IR_IN) HOST(d, 4, IR_IN)         \
		HOST(e, 5, IR_IN)
#define IR_IN         ", default-in: allow"
#define IR_SMALL      "vswitch: {inspected: 64, inspection-memory: 16}\n"
#define IR_NETWORK    IR_SMALL "networks: [{name: n, tenant: acme}]\n"
#define IR_WITH(more) "inspection: [{tenant: acme, rules: [test.rules]" more "}]\n"
#define IR_TEXT(more) IR_NETWORK IR_HOSTS IR_WITH(more)
#define IR_PREVENT    ", mode: prevent"

struct tcp {
	uint32_t host[2]; /* side 0 opens */
	uint16_t port[2];
	uint32_t isn[2];
	uint32_t next[2]; /* behind what the side has sent so far */
};

/* What the last segment came to, beside its verdict. */
static struct {
	bool reset[2]; /* the side was sent a RST ... */
	uint32_t reset_seq[2]; /* ... with this number */
	unsigned got[2]; /* frames that the side was sent */
} ir;

#define DELIVERED (-1)

static uint8_t ir_frame[FRAME_MAX];

static inline const char *ir_port(uint32_t host)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

	assert_in_range(host, 1, RTE_DIM(names));
	return names[host - 1];
}

static inline void ir_use_rules(const char *rules)
{
	write_text("test.rules", rules);
}

/* Compiles what is to be compiled, and has the workers run it. */
static inline void ir_ready(void)
{
	char err[256] = "";

	if (!inspect_store_wait(err, sizeof(err)))
		fail_msg("%s", err);
	switch_inspect_changed();
	rig_settle();
}

static inline void ir_apply(const char *text)
{
	rig_apply(text);
	ir_ready();
}

static inline void ir_prepare(const char *rules)
{
	char err[256] = "";

	ir_use_rules(rules);
	if (!inspect_store_start(dir, "", switch_inspect_changed, err, sizeof(err)))
		fail_msg("%s", err);
	assert_true(quarantine_load("", "", ""));
}

/* Starts a switch whose rules are not compiled yet. */
static inline void ir_start_bare(const char *text)
{
	ir_prepare(ir_rules);
	rig_start(text);
}

static inline void ir_start(const char *text)
{
	ir_start_bare(text);
	ir_ready();
	assert_non_null(workers[0]->inspect);
}

/* The TCP segment as a frame; returns its length. */
static inline uint32_t ir_make(const struct tcp *c, unsigned side, uint8_t flags, uint32_t seq,
	uint32_t ack, const void *data, uint32_t len)
{
	uint8_t *ip = ir_frame + 14, *tcp = ip + 20;
	uint32_t sum;

	memset(ir_frame, 0, 14 + 40);
	rig_mac(ir_frame, c->host[!side]);
	rig_mac(ir_frame + 6, c->host[side]);
	put16(ir_frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, 40 + len);
	ip[8] = 64;
	ip[9] = TCP;
	put32(ip + 12, 0x0a000000 + c->host[side]);
	put32(ip + 16, 0x0a000000 + c->host[!side]);
	put16(ip + 10, ~slow_sum(0, ip, 20) & 0xffff);
	put16(tcp, c->port[side]);
	put16(tcp + 2, c->port[!side]);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 8192);
	if (len > 0)
		memcpy(tcp + 20, data, len);
	sum = slow_pseudo(ip + 12, ip + 16, 4, TCP, 20 + len);
	put16(tcp + 16, ~slow_sum(sum, tcp, 20 + len) & 0xffff);
	return 54 + len;
}

/* Takes note of what the connection's ends were sent since the last time. */
static inline void ir_look(const struct tcp *c)
{
	memset(&ir, 0, sizeof(ir));
	for (unsigned side = 0; side < 2; side++) {
		struct rig_dev *rd = rig_port(ir_port(c->host[side]));
		const uint8_t *tcp = rd->last + 34;

		ir.got[side] = rd->n_record;
		ir.reset[side] = rd->n_record > 0 && tcp[13] & RST;
		ir.reset_seq[side] = get32(tcp + 4);
		if (ir.reset[side] && !frame_checksums_ok(rd->last, 14))
			fail_msg("reset with a wrong checksum");
		rd->n_record = 0;
	}
}

/* Why a frame that went in at the port since `before` was dropped, or DELIVERED. */
static inline int ir_verdict(const char *port, const struct port_counters *before)
{
	struct port_counters after = rig_count(port);

	for (int i = 0; i < DROP_REASONS; i++)
		if (after.drops[i] != before->drops[i])
			return i;
	assert_true(after.delivered > before->delivered);
	return DELIVERED;
}

/* Puts the n frames of one packet in; what became of it. */
static inline int ir_put(const struct tcp *c, unsigned side, struct rte_mbuf **m, unsigned n)
{
	const char *port = ir_port(c->host[side]);
	struct port_counters before = rig_count(port);

	ir_look(c);
	for (unsigned i = 0; i < n; i++)
		rig_put_mbuf(port, 0, m[i]);
	rig_settle();
	ir_look(c);
	return ir_verdict(port, &before);
}

/* Any segment; numbers are the wire's. */
static inline int ir_raw(const struct tcp *c, unsigned side, uint8_t flags, uint32_t seq,
	uint32_t ack, const void *data, uint32_t len)
{
	uint32_t n = ir_make(c, side, flags, seq, ack, data, len);
	struct rte_mbuf *m = frames_mbuf(port_env.pool, ir_frame, n, 0, 0);
	int verdict = ir_put(c, side, &m, 1);

	if (verdict == DELIVERED) {
		assert_int_equal(ir.got[!side], 1);
		assert_memory_equal(rig_port(ir_port(c->host[!side]))->last, ir_frame, n);
	}
	return verdict;
}

/* Payload at `off` behind the side's first byte, acknowledging all that the other has sent. */
static inline int ir_at(struct tcp *c, unsigned side, uint32_t off, const void *data, uint32_t len)
{
	uint32_t seq = c->isn[side] + 1 + off;
	int verdict = ir_raw(c, side, TCP_ACK, seq, c->next[!side], data, len);

	if (verdict == DELIVERED && (int32_t)(seq + len - c->next[side]) > 0)
		c->next[side] = seq + len;
	return verdict;
}

/* The next payload. */
static inline int ir_say(struct tcp *c, unsigned side, const void *data, uint32_t len)
{
	return ir_at(c, side, c->next[side] - c->isn[side] - 1, data, len);
}

/* The other side has all that side has sent. */
static inline int ir_ack(struct tcp *c, unsigned side)
{
	return ir_raw(c, !side, TCP_ACK, c->next[!side], c->next[side], NULL, 0);
}

/* A connection between two hosts, not open yet. Numbers wrap soon. */
static inline struct tcp ir_tcp(uint32_t from, uint32_t to, uint16_t port)
{
	static uint16_t ports = 30000;

	return (struct tcp){.host = {from, to},
		.port = {ports++, port},
		.isn = {0xfffffff0, 5000},
		.next = {0xfffffff1, 5001}};
}

static inline int ir_syn(const struct tcp *c)
{
	return ir_raw(c, 0, TCP_SYN, c->isn[0], 0, NULL, 0);
}

static inline int ir_syn_ack(const struct tcp *c)
{
	return ir_raw(c, 1, SYN_ACK, c->isn[1], c->isn[0] + 1, NULL, 0);
}

static inline void ir_shake(const struct tcp *c)
{
	assert_int_equal(ir_syn(c), DELIVERED);
	assert_int_equal(ir_syn_ack(c), DELIVERED);
	assert_int_equal(ir_raw(c, 0, TCP_ACK, c->isn[0] + 1, c->isn[1] + 1, NULL, 0), DELIVERED);
}

static inline struct tcp ir_open(uint32_t from, uint32_t to, uint16_t port)
{
	struct tcp c = ir_tcp(from, to, port);

	ir_shake(&c);
	return c;
}

static uint8_t ir_record[70000];

static inline void ir_le16(uint32_t at, uint32_t v)
{
	ir_record[at] = (uint8_t)v;
	ir_record[at + 1] = (uint8_t)(v >> 8);
}

/* An SMB1 header behind that of a NetBIOS record. */
static inline void ir_header(uint8_t command)
{
	memset(ir_record, 0, sizeof(ir_record));
	memcpy(ir_record + 4, "\xffSMB", 4);
	ir_record[8] = command;
	ir_record[13] = 0x18;
	ir_le16(14, 0x4000);
	ir_le16(28, 7); /* TID */
	ir_le16(30, 0x1234); /* PID */
	ir_le16(34, 1); /* MID */
}

static inline uint32_t ir_finish(uint32_t len)
{
	put32(ir_record, len - 4);
	return len;
}

/* ir_record is an SMB1 ECHO request of text and zeros, `size` bytes in all; returns its length. */
static inline uint32_t ir_echo(const char *text, uint32_t size)
{
	uint32_t n = size > strlen(text) ? size : (uint32_t)strlen(text);

	ir_header(0x2b);
	ir_record[36] = 1; /* words */
	ir_le16(37, 1);
	ir_le16(39, n);
	memcpy(ir_record + 41, text, strlen(text));
	return ir_finish(41 + n);
}

/* ir_record is a WRITE_ANDX of text. */
static inline uint32_t ir_write(const char *text)
{
	uint32_t n = (uint32_t)strlen(text), data = 4 + 32 + 1 + 28 + 2 + 1;

	ir_header(0x2f);
	ir_record[36] = 14;
	ir_record[37] = 0xff; /* no AndX */
	ir_le16(41, 0x4001); /* FID */
	ir_le16(57, n); /* DataLength */
	ir_le16(59, data - 4); /* DataOffset */
	ir_le16(65, n + 1); /* ByteCount, with a byte of padding */
	memcpy(ir_record + data, text, n);
	return ir_finish(data + n);
}

/* One whole record of side's with text in it. */
static inline int ir_smb(struct tcp *c, unsigned side, const char *text)
{
	uint32_t len = ir_echo(text, 0);

	if (side == 1)
		ir_record[13] |= 0x80; /* a reply */
	return ir_say(c, side, ir_record, len);
}

/* A connection that is picked up has shown where its records are: smb_opening.h. */
static inline void ir_agree(struct tcp *c)
{
	for (unsigned i = 0; i < 2 * SMB_OPENING_AGREED; i++)
		assert_int_equal(ir_smb(c, i & 1, "hello"), DELIVERED);
}

static inline struct inspect *ir_inspect(unsigned worker)
{
	return workers[worker]->inspect;
}

static inline unsigned ir_flows(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_workers; i++)
		n += ir_inspect(i)->n_flows;
	return n;
}

static inline uint64_t ir_failures(enum config_failure failure)
{
	return ir_inspect(0)->stats.failures[failure];
}

/* Takes the next record of what was found out of the log; false: there is none. */
static inline bool ir_told(struct inspect_record *record)
{
	for (unsigned i = 0; i < n_workers; i++) {
		if (inspect_log_take(inspect_log_of(workers[i]), record, 1) == 0)
			continue;
		rte_pktmbuf_free(record->packet);
		rte_pktmbuf_free(record->before);
		return true;
	}
	return false;
}

static inline void ir_forget_told(void)
{
	struct inspect_record record;

	while (ir_told(&record))
		;
}

/* How many records are there that say this: sid 0 and an id, or a sid. */
static inline unsigned ir_count_told(uint32_t sid, const char *id)
{
	struct inspect_record record;
	unsigned n = 0;

	while (ir_told(&record))
		n += sid != 0 ? record.sid == sid : strcmp(record.id, id) == 0;
	return n;
}

/* All that inspection has lent is back. */
static inline void ir_assert_all_back(void)
{
	for (unsigned i = 0; i < n_workers; i++) {
		struct inspect *inspect = ir_inspect(i);

		assert_int_equal(inspect->n_flows, 0);
		assert_int_equal(inspect->n_free, inspect->max_flows);
		for (unsigned kind = 0; kind < INSPECT_BLOCKS; kind++)
			assert_int_equal(inspect_memory_used(inspect->memory, kind), 0);
		for (unsigned t = 0; t < CONFIG_TENANTS_MAX; t++)
			assert_int_equal(inspect->accounts[t].used, 0);
	}
}

static inline int ir_begin(void **state)
{
	memset(&ir, 0, sizeof(ir));
	return make_dir(state) != 0 ? -1 : fw_begin(state);
}

/* The ledger is held to account by rig_stop(); then what only inspection has goes. */
static inline int ir_end(void **state)
{
	int ret;

	/* Evidence is in packets of the pool, too. */
	if (switch_state.started && workers[0]->inspect != NULL)
		ir_forget_told();
	ret = rig_end(state);
	quarantine_free();
	inspect_store_stop();
	return ret != 0 ? ret : remove_dir(state);
}

#define IR_TEST(name) cmocka_unit_test_setup_teardown(name, ir_begin, ir_end)

#endif
