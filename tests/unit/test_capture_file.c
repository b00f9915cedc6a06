/* Capture files: every format by content, and files that are damaged, hostile or none at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "capture_file.h"

#define ETHERNET 1

static char dir[] = "/tmp/vswitch-capture-XXXXXX";
static char path[sizeof(dir) + 16];
static char err[512];

/* A file being put together, in a byte order of choice. */
struct image {
	uint8_t data[8192];
	size_t len;
	bool big;
};

static void put(struct image *f, const void *data, size_t len)
{
	assert_true(f->len + len <= sizeof(f->data));
	if (len > 0)
		memcpy(f->data + f->len, data, len);
	f->len += len;
}

static void put16(struct image *f, uint16_t v)
{
	const uint8_t be[2] = {(uint8_t)(v >> 8), (uint8_t)v};
	const uint8_t le[2] = {be[1], be[0]};

	put(f, f->big ? be : le, 2);
}

static void put32(struct image *f, uint32_t v)
{
	put16(f, (uint16_t)(f->big ? v >> 16 : v));
	put16(f, (uint16_t)(f->big ? v : v >> 16));
}

static void put_pcap(struct image *f, uint32_t magic, uint32_t link_type, uint32_t snaplen)
{
	put32(f, magic);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, snaplen);
	put32(f, link_type);
}

static void put_record(struct image *f, uint32_t sec, uint32_t fraction, const void *data,
	uint32_t len, uint32_t wire_len)
{
	put32(f, sec);
	put32(f, fraction);
	put32(f, len);
	put32(f, wire_len);
	put(f, data, len);
}

static void put_section(struct image *f)
{
	put32(f, 0x0a0d0d0a);
	put32(f, 28);
	put32(f, 0x1a2b3c4d);
	put16(f, 1);
	put16(f, 0);
	put32(f, 0xffffffff);
	put32(f, 0xffffffff);
	put32(f, 28);
}

/* An interface with nanosecond time stamps. */
static void put_interface(struct image *f, uint16_t link_type)
{
	put32(f, 1);
	put32(f, 32);
	put16(f, link_type);
	put16(f, 0);
	put32(f, 65535);
	put16(f, 9);
	put16(f, 1);
	put(f, "\x09\0\0\0", 4);
	put32(f, 0);
	put32(f, 32);
}

static void put_packet(
	struct image *f, uint32_t interface, uint64_t ns, const void *data, uint32_t len)
{
	static const uint8_t zero[4];
	uint32_t padding = (4 - len % 4) % 4;

	put32(f, 6);
	put32(f, 32 + len + padding);
	put32(f, interface);
	put32(f, (uint32_t)(ns >> 32));
	put32(f, (uint32_t)ns);
	put32(f, len);
	put32(f, len);
	put(f, data, len);
	put(f, zero, padding);
	put32(f, 32 + len + padding);
}

static void save(const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void save_gzip(const void *data, size_t len)
{
	gzFile f = gzopen(path, "w");

	assert_non_null(f);
	assert_int_equal(gzwrite(f, data, (unsigned)len), (int)len);
	assert_int_equal(gzclose(f), Z_OK);
}

static struct capture_reader *open_ok(void)
{
	struct capture_reader *r = capture_reader_open(path, err, sizeof(err));

	if (!r)
		fail_msg("%s", err);
	return r;
}

/* Not opened, with a message that names the file and has text in it. */
static void open_fails(const char *text)
{
	err[0] = '\0';
	assert_null(capture_reader_open(path, err, sizeof(err)));
	if (!strstr(err, path) || !strstr(err, text))
		fail_msg("message is: %s", err);
}

static const uint64_t frame_ns[3] = {
	1700000000123456000u, 1700000001000000000u, 1699999999999999000u};
static const char *const frames[3] = {"dddddd"
				      "ssssss"
				      "\x08\0one",
	"dddddd"
	"ssssss"
	"\x08\0two",
	""};

static uint32_t frame_len(unsigned i)
{
	return i < 2 ? 17 : 0;
}

static void expect_frames(void)
{
	struct capture_reader *r = open_ok();
	struct capture_frame f;
	unsigned i;

	assert_string_equal(capture_reader_link_type(r), "EN10MB");
	for (i = 0; i < 3; i++) {
		assert_int_equal(capture_reader_next(r, &f), 1);
		assert_int_equal(f.ts_ns, frame_ns[i]);
		assert_int_equal(f.len, frame_len(i));
		assert_int_equal(f.wire_len, frame_len(i) + i);
		assert_memory_equal(f.data, frames[i], f.len);
	}
	assert_int_equal(capture_reader_next(r, &f), 0);
	assert_int_equal(capture_reader_next(r, &f), 0);
	assert_null(capture_reader_error(r));
	assert_int_equal(capture_reader_stats(r)->frames, 3);
	assert_int_equal(capture_reader_stats(r)->truncated, 2);
	capture_reader_close(r);
}

static void make_pcap(struct image *f, bool ns, bool big)
{
	unsigned i;

	memset(f, 0, sizeof(*f));
	f->big = big;
	put_pcap(f, ns ? 0xa1b23c4d : 0xa1b2c3d4, ETHERNET, 65535);
	for (i = 0; i < 3; i++)
		put_record(f, (uint32_t)(frame_ns[i] / 1000000000),
			(uint32_t)(frame_ns[i] % 1000000000) / (ns ? 1 : 1000), frames[i],
			frame_len(i), frame_len(i) + i);
}

static void test_pcap(void **state)
{
	struct image f;
	unsigned i;

	for (i = 0; i < 4; i++) {
		make_pcap(&f, i & 1, i & 2);
		save(f.data, f.len);
		expect_frames();
		save_gzip(f.data, f.len);
		expect_frames();
	}
}

static void make_pcapng(struct image *f)
{
	memset(f, 0, sizeof(*f));
	put_section(f);
	put_interface(f, ETHERNET);
	put_packet(f, 0, frame_ns[0], frames[0], frame_len(0));
	put_packet(f, 0, frame_ns[1], frames[1], frame_len(1));
}

static void test_pcapng(void **state)
{
	struct capture_reader *r;
	struct capture_frame f;
	struct image file;
	unsigned zip, i;

	make_pcapng(&file);
	for (zip = 0; zip < 2; zip++) {
		if (zip)
			save_gzip(file.data, file.len);
		else
			save(file.data, file.len);
		r = open_ok();
		for (i = 0; i < 2; i++) {
			assert_int_equal(capture_reader_next(r, &f), 1);
			assert_int_equal(f.ts_ns, frame_ns[i]);
			assert_int_equal(f.len, frame_len(i));
			assert_memory_equal(f.data, frames[i], f.len);
		}
		assert_int_equal(capture_reader_next(r, &f), 0);
		capture_reader_close(r);
	}
}

/* libpcap reads one link type a file: what comes before the second one still counts. */
static void test_pcapng_mixed(void **state)
{
	struct capture_reader *r;
	struct capture_frame f;
	struct image file;

	make_pcapng(&file);
	put_interface(&file, 101);
	put_packet(&file, 1, frame_ns[2], "E", 1);
	save(file.data, file.len);
	r = open_ok();
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(capture_reader_next(r, &f), -1);
	assert_non_null(strstr(capture_reader_error(r), "broken off behind packet 2"));
	assert_int_equal(capture_reader_next(r, &f), -1);
	capture_reader_close(r);
}

static void test_written(void **state)
{
	struct capture_writer *w = capture_writer_open(path, err, sizeof(err));
	struct capture_reader *r;
	struct capture_frame f;

	assert_non_null(w);
	capture_writer_write(w, 1700000000123456789u, (const uint8_t *)frames[0], 17);
	capture_writer_write(w, 7, NULL, 0);
	assert_int_equal(capture_writer_close(w, err, sizeof(err)), 0);
	r = open_ok();
	assert_true(capture_reader_is_file(r, path));
	assert_false(capture_reader_is_file(r, "/dev/null"));
	assert_false(capture_reader_is_file(r, "/nonexistent"));
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(f.ts_ns, 1700000000123456789u);
	assert_int_equal(f.len, 17);
	assert_memory_equal(f.data, frames[0], 17);
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(f.ts_ns, 7);
	assert_int_equal(f.len, 0);
	assert_int_equal(capture_reader_next(r, &f), 0);
	capture_reader_close(r);
}

static void test_not_written(void **state)
{
	struct capture_writer *w;

	assert_null(capture_writer_open("/nonexistent/out.pcap", err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent/out.pcap"));
	w = capture_writer_open("/dev/full", err, sizeof(err));
	assert_non_null(w);
	capture_writer_write(w, 0, (const uint8_t *)frames[0], 17);
	assert_int_equal(capture_writer_close(w, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "/dev/full: not written whole: No space left"));
}

static void test_no_capture(void **state)
{
	struct image f;
	size_t len;

	unlink(path);
	open_fails("cannot open: No such file");
	save("", 0);
	open_fails("is empty; expected a capture: pcap, pcapng");
	save("../../default/pcap/1kxun.pcap", 29);
	open_fails("expected pcap, pcapng, or either of them gzip-compressed");
	save("\xfd"
	     "7zXZ\0\0\4 and so on",
		18);
	open_fails("is compressed with xz");
	save_gzip("plain text, packed", 18);
	open_fails("expected pcap, pcapng");
	save_gzip("", 0);
	open_fails("is empty");
	save("\x1f\x8b\x08\0\0\0\0\0\0\3 this is no deflate stream", 36);
	open_fails("gzip");
	/* A header cut anywhere. */
	make_pcap(&f, false, false);
	for (len = 1; len < 24; len++) {
		save(f.data, len);
		open_fails("not a capture");
	}
	assert_null(capture_reader_open(dir, err, sizeof(err)));
	assert_non_null(strstr(err, "is a directory"));
}

/* How many frames come before the file breaks off (-1, with the reason in err) or ends (0). */
static unsigned count_frames(int *end)
{
	struct capture_reader *r = open_ok();
	struct capture_frame f;
	unsigned n = 0;

	while ((*end = capture_reader_next(r, &f)) == 1) {
		assert_true(f.len <= CAPTURE_FRAME_MAX);
		assert_true(f.len <= f.wire_len);
		assert_true(f.ts_ns <= INT64_MAX);
		n++;
	}
	if (*end < 0) {
		assert_non_null(capture_reader_error(r));
		snprintf(err, sizeof(err), "%s", capture_reader_error(r));
		assert_int_equal(capture_reader_next(r, &f), -1);
	}
	capture_reader_close(r);
	return n;
}

/* Cut at every byte: what is whole comes out, and the rest is an error and never a frame. */
static void test_cut(void **state)
{
	const size_t ends[4] = {24, 24 + 33, 24 + 66, 24 + 66 + 16};
	struct image f;
	unsigned n;
	size_t len;
	int end;

	make_pcap(&f, false, false);
	assert_int_equal(f.len, ends[3]);
	for (len = 24; len <= f.len; len++) {
		save(f.data, len);
		n = count_frames(&end);
		assert_true(ends[n] <= len && (n == 3 || ends[n + 1] > len));
		assert_int_equal(end, ends[n] == len ? 0 : -1);
	}
	make_pcapng(&f);
	for (len = 60; len < f.len; len++) {
		save(f.data, len);
		count_frames(&end);
		assert_int_equal(end, len == 60 || len == 60 + 52 ? 0 : -1);
	}
}

static size_t load(uint8_t *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size, f);
	fclose(f);
	return n;
}

/* A gzip stream cut short or with a wrong checksum is not taken for the end of the capture. */
static void test_gzip_damaged(void **state)
{
	static uint8_t plain[24 + 16 + 200000], packed[2 * sizeof(plain)];
	struct image f;
	size_t len, i;
	int end;

	make_pcap(&f, false, false);
	save_gzip(f.data, f.len);
	len = load(packed, sizeof(packed));
	save(packed, len - 8);
	assert_int_equal(count_frames(&end), 3);
	assert_int_equal(end, -1);
	assert_non_null(strstr(err, "behind packet 3: the gzip stream ends early"));
	packed[len - 8] ^= 1;
	save(packed, len);
	open_fails("damaged gzip stream: incorrect data check");

	/* Where the damage comes up long after the header has been read. */
	memset(&f, 0, sizeof(f));
	put_pcap(&f, 0xa1b2c3d4, ETHERNET, 262144);
	put_record(&f, 1, 0, NULL, 0, 0);
	memcpy(plain, f.data, f.len);
	memcpy(plain + 24 + 8, "\x40\x0d\3\0\x40\x0d\3\0", 8); /* 200,000 */
	for (i = f.len; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * i >> 7);
	save_gzip(plain, sizeof(plain));
	assert_int_equal(count_frames(&end), 1);
	assert_int_equal(end, 0);
	len = load(packed, sizeof(packed));
	packed[len - 8] ^= 1;
	save(packed, len);
	count_frames(&end);
	assert_int_equal(end, -1);
}

static void test_hostile_lengths(void **state)
{
	static const uint32_t lengths[] = {262145, 0x7fffffff, 0x80000000, 0xffffffff};
	static const uint32_t snaplens[] = {0, 1, 262144, 0x7fffffff, 0xffffffff};
	struct image f;
	unsigned i, k;
	int end;

	for (i = 0; i < 5; i++) {
		for (k = 0; k < 4; k++) {
			memset(&f, 0, sizeof(f));
			put_pcap(&f, 0xa1b2c3d4, ETHERNET, snaplens[i]);
			put_record(&f, 1, 0, frames[0], 17, 0); /* "shorter" on the wire */
			put32(&f, 1);
			put32(&f, 1);
			put32(&f, lengths[k]);
			put32(&f, lengths[k]);
			put(&f, frames[0], 17);
			save(f.data, f.len);
			assert_int_equal(count_frames(&end), 1);
			assert_int_equal(end, -1);
		}
	}
}

/* Times out of range are brought into it. libpcap takes 32 bits of seconds as signed. */
static void test_hostile_times(void **state)
{
	static const uint32_t times[4] = {0, 0x7fffffff, 0x80000000, 0xffffffff};
	static const uint64_t fractions[4] = {0, 999999999, 0, 0};
	struct capture_reader *r;
	struct capture_frame frame;
	struct image f;
	unsigned i;

	memset(&f, 0, sizeof(f));
	put_pcap(&f, 0xa1b23c4d, ETHERNET, 65535);
	for (i = 0; i < 16; i++)
		put_record(&f, times[i / 4], times[i % 4], frames[0], 17, 17);
	save(f.data, f.len);
	r = open_ok();
	for (i = 0; i < 16; i++) {
		assert_int_equal(capture_reader_next(r, &frame), 1);
		assert_int_equal(frame.ts_ns,
			i >= 8 ? 0 : times[i / 4] * UINT64_C(1000000000) + fractions[i % 4]);
	}
	assert_int_equal(capture_reader_next(r, &frame), 0);
	capture_reader_close(r);

	memset(&f, 0, sizeof(f));
	put_section(&f);
	put_interface(&f, ETHERNET);
	put_packet(&f, 0, UINT64_MAX, frames[0], 17);
	save(f.data, f.len);
	r = open_ok();
	assert_int_equal(capture_reader_next(r, &frame), 1);
	assert_int_equal(frame.ts_ns, INT64_MAX);
	assert_int_equal(capture_reader_next(r, &frame), 0);
	capture_reader_close(r);
}

/* A check sequence that the file's header names is no part of the frame. */
static void test_fcs(void **state)
{
	struct capture_reader *r;
	struct capture_frame f;
	struct image file;

	memset(&file, 0, sizeof(file));
	put_pcap(&file, 0xa1b2c3d4, 0x24000000 | ETHERNET, 65535);
	put_record(&file, 1, 0, frames[0], 17, 17);
	put_record(&file, 1, 0, frames[0], 17, 18);
	put_record(&file, 1, 0, frames[0], 3, 3);
	save(file.data, file.len);
	r = open_ok();
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(f.len, 13);
	assert_int_equal(f.wire_len, 13);
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(f.len, 17); /* cut: its end is not there */
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(f.len, 3);
	assert_int_equal(capture_reader_next(r, &f), 0);
	capture_reader_close(r);
}

static void test_link_types(void **state)
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	struct capture_reader *r;
	struct capture_frame f;
	struct image file;

	memset(&file, 0, sizeof(file));
	put_pcap(&file, 0xa1b2c3d4, 101, 65535);
	put_record(&file, 1, 0, ip, sizeof(ip), 1000);
	put_record(&file, 1, 0, "\x20", 1, 1);
	put_record(&file, 1, 0, "", 0, 0);
	save(file.data, file.len);
	r = open_ok();
	assert_string_equal(capture_reader_link_type(r), "RAW");
	assert_int_equal(capture_reader_next(r, &f), 1);
	assert_int_equal(f.len, 34);
	assert_int_equal(f.wire_len, 1014);
	assert_memory_equal(f.data, "\2\0\x0a\0\0\2\2\0\x0a\0\0\1\x08\0", 14);
	assert_memory_equal(f.data + 14, ip, sizeof(ip));
	assert_int_equal(capture_reader_next(r, &f), 0);
	assert_int_equal(capture_reader_stats(r)->skipped[CAPTURE_SKIP_PAYLOAD], 1);
	assert_int_equal(capture_reader_stats(r)->skipped[CAPTURE_SKIP_SHORT], 1);
	capture_reader_close(r);

	memset(&file, 0, sizeof(file));
	put_pcap(&file, 0xa1b2c3d4, 105, 65535);
	put_record(&file, 1, 0, frames[0], 17, 17);
	save(file.data, file.len);
	r = open_ok();
	assert_string_equal(capture_reader_link_type(r), "IEEE802_11");
	assert_int_equal(capture_reader_next(r, &f), 0);
	assert_int_equal(capture_reader_stats(r)->skipped[CAPTURE_SKIP_LINK_TYPE], 1);
	capture_reader_close(r);
}

/* 64 KiB that unpack to 64 MiB, all of it packets of no length: a stream, never held in memory. */
static void test_gzip_bomb(void **state)
{
	static uint8_t zeros[1 << 20];
	struct rusage before, after;
	struct image f;
	gzFile gz;
	unsigned i;
	int end;

	memset(&f, 0, sizeof(f));
	put_pcap(&f, 0xa1b2c3d4, ETHERNET, 65535);
	gz = gzopen(path, "w9");
	assert_non_null(gz);
	assert_int_equal(gzwrite(gz, f.data, (unsigned)f.len), (int)f.len);
	for (i = 0; i < 64; i++)
		assert_int_equal(gzwrite(gz, zeros, sizeof(zeros)), (int)sizeof(zeros));
	assert_int_equal(gzclose(gz), Z_OK);
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(count_frames(&end), 64 * (sizeof(zeros) / 16));
	getrusage(RUSAGE_SELF, &after);
	assert_int_equal(end, 0);
	assert_true(after.ru_maxrss - before.ru_maxrss < 32 * 1024); /* KiB */
}

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	/* The name says nothing of the content. */
	snprintf(path, sizeof(path), "%s/some.txt", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_pcapng_mixed),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_not_written),
		cmocka_unit_test(test_no_capture),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_gzip_damaged),
		cmocka_unit_test(test_hostile_lengths),
		cmocka_unit_test(test_hostile_times),
		cmocka_unit_test(test_fcs),
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_gzip_bomb),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
