/*
 * Evidence of quarantines as libpcap reads it: the deciding packet to the byte, before it the
 * record's beginning in packets that are in order, comments, and bounds on files and bytes.
 */
#include "frames.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include "quarantine_evidence.h"
#include "temp_dir.h"

#define PACKETS_MAX 16

static struct rte_mempool *pool;
static struct frame frame;
static struct inspect_record record;
static struct evidence evidence;
static struct timespec now;

/* What libpcap read of one packet. */
static struct {
	uint32_t len;
	int64_t sec, usec;
	uint8_t data[FRAME_MAX];
} packets[PACKETS_MAX];

static int start_eal(void **state)
{
	if (frames_eal("test_quarantine_evidence") < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("evidence", 1024, 0, 0, 256, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

static int stop_eal(void **state)
{
	return rte_eal_cleanup();
}

/* A record about a TCP packet of the frames' kind, sent by side 0. */
static void make_record(bool ipv6, uint32_t payload)
{
	struct frame_spec spec = {
		.ipv6 = ipv6, .proto = TCP, .tcp_flags = TCP_ACK | TCP_PSH, .payload = payload};
	const uint8_t *ip = frame.data, *tcp;

	frame_build(&frame, &spec);
	ip += frame.l3;
	tcp = frame.data + frame.l4;
	record = (struct inspect_record){
		.what = INSPECT_TELLS_INVARIANT,
		.quarantined = true,
		.level = CONFIG_QUARANTINE_SERVICE,
		.key = {.port = {(uint16_t)get16(tcp), (uint16_t)get16(tcp + 2)}, .proto = TCP},
		.id = "I1",
		.text = "harmless marker",
		.offset = 77,
		.position = 4096,
	};
	record.key.addr[0] = ipv6 ? addr_from_ipv6(ip + 8) : addr_from_ipv4(ip + 12);
	record.key.addr[1] = ipv6 ? addr_from_ipv6(ip + 24) : addr_from_ipv4(ip + 16);
	record.packet = frames_mbuf(pool, frame.data, frame.len, 128, 2000);
	assert_non_null(record.packet);
}

/* The record's bytes before the packet: 0, 1, 2, ... */
static void add_before(uint32_t len)
{
	uint8_t *bytes = malloc(len);

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i % 251);
	record.before = frames_mbuf(pool, bytes, len, 1500, 1500);
	assert_non_null(record.before);
	free(bytes);
}

static int set_up(void **state)
{
	if (make_dir(state) != 0)
		return -1;
	record = (struct inspect_record){0};
	now = (struct timespec){.tv_sec = 1796000000, .tv_nsec = 123456789};
	evidence_open(in_dir("evidence/here"));
	return 0;
}

static int tear_down(void **state)
{
	rte_pktmbuf_free(record.packet);
	rte_pktmbuf_free(record.before);
	return remove_dir(state) != 0 || rte_mempool_avail_count(pool) != 1024 ? -1 : 0;
}

static void keep(void)
{
	evidence_keep(&record, "vm1", "vm2", &now, &evidence);
}

/* Reads the file with libpcap; how many packets it has. */
static unsigned read_packets(void)
{
	struct pcap_pkthdr *header;
	char err[PCAP_ERRBUF_SIZE];
	const uint8_t *data;
	unsigned n = 0;
	pcap_t *in = pcap_open_offline(evidence.file, err);
	int ret;

	if (in == NULL)
		fail_msg("%s", err);
	assert_int_equal(pcap_datalink(in), DLT_EN10MB);
	while ((ret = pcap_next_ex(in, &header, &data)) == 1) {
		assert_true(n < PACKETS_MAX && header->caplen <= FRAME_MAX);
		assert_int_equal(header->caplen, header->len);
		packets[n].len = header->caplen;
		packets[n].sec = header->ts.tv_sec;
		packets[n].usec = header->ts.tv_usec;
		memcpy(packets[n].data, data, header->caplen);
		n++;
	}
	assert_int_equal(ret, PCAP_ERROR_BREAK); /* the file's end, not an error */
	pcap_close(in);
	return n;
}

static bool file_has(const char *text)
{
	FILE *file = fopen(evidence.file, "r");
	static char content[1 << 20];
	size_t n;

	assert_non_null(file);
	n = fread(content, 1, sizeof(content), file);
	fclose(file);
	return memmem(content, n, text, strlen(text)) != NULL;
}

static void assert_deciding(unsigned i)
{
	assert_int_equal(packets[i].len, frame.len);
	assert_memory_equal(packets[i].data, frame.data, frame.len);
	assert_int_equal(packets[i].sec, 1796000000);
	assert_int_equal(packets[i].usec, 123456);
}

static void test_packet_alone(void **state)
{
	struct stat st;

	make_record(false, 3000);
	keep();
	assert_string_equal(evidence.error, "");
	assert_non_null(strstr(evidence.file, "/evidence/here/20261130T005320Z-vm1-I1.pcapng"));
	assert_int_equal(stat(evidence.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(read_packets(), 1);
	assert_deciding(0);
	assert_true(file_has("I1: harmless marker. Port vm1 is quarantined, its peer is vm2."));
	assert_true(file_has("found at byte 77 of the record that begins at byte 4096"));
	assert_int_equal(evidence_written(), 1);
}

/* What came before it is packets of the same connection and direction, in order, with right sums.
 */
static void check_before(bool ipv6, uint32_t len)
{
	uint32_t done = 0, seq, tcp = ipv6 ? 54 : 34;
	unsigned n;

	make_record(ipv6, 100);
	add_before(len);
	keep();
	assert_string_equal(evidence.error, "");
	n = read_packets();
	assert_true(n >= 2);
	assert_deciding(n - 1);
	seq = get32(frame.data + frame.l4 + 4) - len;
	for (unsigned i = 0; i < n - 1; i++) {
		const uint8_t *data = packets[i].data;
		uint32_t payload = packets[i].len - tcp - 20;

		assert_memory_equal(data, frame.data, 14);
		assert_memory_equal(
			data + (ipv6 ? 22 : 26), frame.data + (ipv6 ? 22 : 26), ipv6 ? 32 : 8);
		assert_memory_equal(data + tcp, frame.data + frame.l4, 4);
		assert_int_equal(get32(data + tcp + 4), seq + done);
		assert_true(frame_checksums_ok(data, 14));
		for (uint32_t b = 0; b < payload; b++)
			assert_int_equal(data[tcp + 20 + b], (done + b) % 251);
		done += payload;
	}
	assert_int_equal(done, len);
	assert_true(file_has("Made by vswitchd"));
}

static void test_before(void **state)
{
	check_before(false, 1);
}

static void test_before_long(void **state)
{
	check_before(false, 65535);
}

static void test_before_ipv6(void **state)
{
	check_before(true, 40000);
}

/* From the other side, and with a packet that says nothing of TCP: still readable. */
static void test_no_packet(void **state)
{
	make_record(false, 10);
	add_before(100);
	rte_pktmbuf_free(record.packet);
	record.packet = NULL;
	record.sender = 1;
	keep();
	assert_int_equal(read_packets(), 1);
	assert_int_equal(get16(packets[0].data + 34), record.key.port[1]);
	assert_int_equal(get32(packets[0].data + 26), record.key.addr[1].low & 0xffffffff);
	rte_pktmbuf_free(record.before);
	record.before = NULL;
	keep(); /* of a fan-out, say: there is nothing but the comment */
	assert_int_equal(read_packets(), 0);
	assert_true(file_has("harmless marker"));
}

static void test_tso(void **state)
{
	make_record(false, 65000);
	keep();
	assert_int_equal(read_packets(), 1);
	assert_deciding(0);
}

static void test_rule(void **state)
{
	make_record(false, 10);
	record.what = INSPECT_TELLS_RULE;
	record.gid = 1;
	record.sid = 2024217;
	record.rev = 3;
	keep();
	assert_non_null(strstr(evidence.file, "-vm1-2024217.pcapng"));
	assert_true(file_has("rule 1:2024217:3: harmless marker"));
}

/* Names never collide and never leave the directory. */
static void test_names(void **state)
{
	char first[sizeof(evidence.file)];

	make_record(false, 10);
	keep();
	strcpy(first, evidence.file);
	keep();
	assert_string_not_equal(first, evidence.file);
	assert_non_null(strstr(evidence.file, "-I1-2.pcapng"));
	strcpy(record.id, "../../x");
	evidence_keep(&record, "../etc", "vm2", &now, &evidence);
	assert_non_null(strstr(evidence.file, "/here/20261130T005320Z-.._etc-.._.._x.pcapng"));
	assert_int_equal(read_packets(), 1);
}

static unsigned count_files(void)
{
	DIR *list = opendir(in_dir("evidence/here"));
	const struct dirent *entry;
	unsigned n = 0;

	assert_non_null(list);
	while ((entry = readdir(list)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(list);
	return n;
}

/* The oldest goes for the newest; what is not ours stays. */
static void test_bounded_files(void **state)
{
	char first[sizeof(evidence.file)];

	make_record(false, 10);
	keep();
	strcpy(first, evidence.file);
	write_text("evidence/here/0-notes.txt", "the operator's");
	write_text("evidence/here/20000101T000000-vm1-I1.pcapng", "another's");
	for (unsigned i = 1; i < EVIDENCE_FILES; i++) {
		now.tv_sec++;
		keep();
	}
	assert_int_equal(count_files(), EVIDENCE_FILES + 2);
	assert_int_equal(access(first, F_OK), 0);
	now.tv_sec++;
	keep();
	assert_string_equal(evidence.error, "");
	assert_int_equal(count_files(), EVIDENCE_FILES + 2);
	assert_int_not_equal(access(first, F_OK), 0);
}

static void test_bounded_bytes(void **state)
{
	char first[sizeof(evidence.file)], large[128];

	make_record(false, 10);
	keep();
	strcpy(first, evidence.file);
	now.tv_sec++;
	keep();
	snprintf(
		large, sizeof(large), "%s", in_dir("evidence/here/20301130T000000Z-vm9-I1.pcapng"));
	write_text("evidence/here/20301130T000000Z-vm9-I1.pcapng", "");
	assert_int_equal(truncate(large, EVIDENCE_BYTES - 8192), 0);
	now.tv_sec++;
	keep();
	assert_string_equal(evidence.error, "");
	/* Both older ones, and the large one too: it would not fit beside. */
	assert_int_equal(count_files(), 1);
	assert_int_not_equal(access(first, F_OK), 0);
	assert_int_equal(read_packets(), 1);
}

static void test_cannot_write(void **state)
{
	make_record(false, 10);
	write_text("file", "");
	evidence_open(in_dir("file/evidence"));
	keep();
	assert_string_equal(evidence.file, "");
	assert_non_null(strstr(evidence.error, "file/evidence: Not a directory: see that"));
	assert_int_equal(evidence_lost(), 1);
	assert_int_equal(evidence_written(), 0);
}

static void test_none_is_kept(void **state)
{
	make_record(false, 10);
	evidence_open("");
	keep();
	assert_string_equal(evidence.file, "");
	assert_string_equal(evidence.error, "");
	assert_int_equal(evidence_lost(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_packet_alone),
		TEST(test_before),
		TEST(test_before_long),
		TEST(test_before_ipv6),
		TEST(test_no_packet),
		TEST(test_tso),
		TEST(test_rule),
		TEST(test_names),
		TEST(test_bounded_files),
		TEST(test_bounded_bytes),
		TEST(test_cannot_write),
		TEST(test_none_is_kept),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
