#include "capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <zlib.h>

#define READ_BUFFER (64 * 1024)
#define PACKET_MAX  (CAPTURE_FRAME_MAX - CAPTURE_LINK_ETHER) /* libpcap's MAXIMUM_SNAPLEN */
#define HEAD_LEN    8 /* bytes looked at before libpcap gets to see the file */
#define NS_PER_S    1000000000ull

#define FCS_LENGTH_PRESENT 0x04000000 /* see capture_fcs_len() */

/*
 * The file as libpcap reads it: unpacked where it is gzip, unchanged otherwise (zlib tells by the
 * first bytes).
 */
struct source {
	gzFile gz;
	uint8_t head[HEAD_LEN];
	unsigned head_len, head_used;
	char error[160]; /* of reading or unpacking; empty: none */
};

struct capture_reader {
	struct source source;
	pcap_t *pcap;
	int dlt;
	unsigned fcs_len;
	dev_t dev;
	ino_t ino;
	char link_type[32];
	char error[PCAP_ERRBUF_SIZE + 64]; /* empty: none */
	bool ended;
	struct capture_stats stats;
	uint8_t frame[CAPTURE_FRAME_MAX]; /* where a header had to be made */
};

struct capture_writer {
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	char *path;
};

static ssize_t source_read_gz(struct source *s, void *buf, size_t len)
{
	int n = gzread(s->gz, buf, (unsigned)(len > READ_BUFFER ? READ_BUFFER : len));
	int code = Z_OK;
	const char *text = gzerror(s->gz, &code), *colon;

	/* Z_BUF_ERROR comes with the last bytes of a stream that ends early: these still count. */
	if (n > 0)
		return n;
	if (code == Z_OK || code == Z_STREAM_END)
		return 0;
	if (code == Z_ERRNO) {
		snprintf(s->error, sizeof(s->error), "cannot read: %s", strerror(errno));
	} else if (code == Z_BUF_ERROR) {
		snprintf(s->error, sizeof(s->error), "the gzip stream ends early");
	} else {
		colon = strstr(text, ": "); /* behind zlib's name for the file, a descriptor */
		snprintf(s->error, sizeof(s->error), "damaged gzip stream: %s",
			colon ? colon + 2 : text);
	}
	errno = EIO;
	return -1;
}

static ssize_t source_read(void *cookie, char *buf, size_t len)
{
	struct source *s = cookie;
	size_t n = s->head_len - s->head_used;

	if (n == 0)
		return source_read_gz(s, buf, len);
	if (n > len)
		n = len;
	memcpy(buf, s->head + s->head_used, n);
	s->head_used += (unsigned)n;
	return (ssize_t)n;
}

static int source_close(void *cookie)
{
	struct source *s = cookie;

	return gzclose(s->gz) == Z_OK ? 0 : -1;
}

/* Looks at the first bytes. -1 with s->error set. */
static int source_peek(struct source *s)
{
	ssize_t n;

	do {
		n = source_read_gz(s, s->head + s->head_len, HEAD_LEN - s->head_len);
		if (n < 0)
			return -1;
		s->head_len += (unsigned)n;
	} while (n > 0 && s->head_len < HEAD_LEN);
	return 0;
}

/* Takes fd whether it succeeds or not. */
static FILE *source_open(struct source *s, int fd, const char *name, char *err, size_t err_len)
{
	static const cookie_io_functions_t io = {.read = source_read, .close = source_close};
	FILE *file;

	s->gz = gzdopen(fd, "rb");
	if (!s->gz) {
		snprintf(err, err_len, "%s: out of memory", name);
		close(fd);
		return NULL;
	}
	gzbuffer(s->gz, READ_BUFFER);
	if (source_peek(s) < 0) {
		snprintf(err, err_len, "%s: %s", name, s->error);
	} else if (s->head_len == 0) {
		snprintf(err, err_len,
			"%s: is empty; expected a capture: pcap, pcapng, or either of them "
			"gzip-compressed",
			name);
	} else {
		file = fopencookie(s, "r", io);
		if (file) {
			setvbuf(file, NULL, _IOFBF, READ_BUFFER);
			return file;
		}
		snprintf(err, err_len, "%s: out of memory", name);
	}
	gzclose(s->gz);
	return NULL;
}

/* Says why libpcap took the file for no capture. */
static void source_explain(
	const struct source *s, const char *name, const char *why, char *err, size_t err_len)
{
	static const struct {
		const char *magic;
		unsigned len;
		const char *format;
	} other[] = {
		{"\xfd"
		 "7zXZ",
			5, "xz"},
		{"\x28\xb5\x2f\xfd", 4, "zstd"},
		{"\x04\x22\x4d\x18", 4, "lz4"},
		{"BZh", 3, "bzip2"},
		{"PK\x03\x04", 4, "zip"},
	};
	unsigned i;

	if (s->error[0])
		why = s->error;
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		if (s->head_len >= other[i].len &&
			memcmp(s->head, other[i].magic, other[i].len) == 0) {
			snprintf(err, err_len,
				"%s: is compressed with %s, which is not read; unpack it first, or "
				"compress it with gzip",
				name, other[i].format);
			return;
		}
	}
	snprintf(err, err_len,
		"%s: not a capture (%s); expected pcap, pcapng, or either of them gzip-compressed",
		name, why);
}

/*
 * Bytes of frame check sequence at the end of each frame, where the file's header names them
 * (draft-ietf-opsawg-pcap, LinkType field: bit F, and the length in 16-bit words). The switch never
 * sees those on its ports.
 */
static unsigned capture_fcs_len(pcap_t *pcap)
{
	unsigned ext = (unsigned)pcap_datalink_ext(pcap);

	return ext & FCS_LENGTH_PRESENT ? (ext >> 28) * 2 : 0;
}

static void reader_learn(struct capture_reader *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0) {
		r->dev = st.st_dev;
		r->ino = st.st_ino;
	}
}

static void reader_learn_link(struct capture_reader *r)
{
	const char *name;

	r->dlt = pcap_datalink(r->pcap);
	r->fcs_len = capture_fcs_len(r->pcap);
	name = pcap_datalink_val_to_name(r->dlt);
	if (name)
		snprintf(r->link_type, sizeof(r->link_type), "%s", name);
	else
		snprintf(r->link_type, sizeof(r->link_type), "DLT %d", r->dlt);
}

struct capture_reader *capture_reader_open_fd(int fd, const char *name, char *err, size_t err_len)
{
	struct capture_reader *r = calloc(1, sizeof(*r));
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *file;

	if (!r) {
		snprintf(err, err_len, "%s: out of memory", name);
		close(fd);
		return NULL;
	}
	reader_learn(r, fd);
	file = source_open(&r->source, fd, name, err, err_len);
	if (!file) {
		free(r);
		return NULL;
	}
	r->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!r->pcap) {
		source_explain(&r->source, name, why, err, err_len);
		fclose(file);
		free(r);
		return NULL;
	}
	reader_learn_link(r);
	return r;
}

struct capture_reader *capture_reader_open(const char *path, char *err, size_t err_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		snprintf(err, err_len, "%s: cannot open: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		snprintf(err, err_len, "%s: is a directory; expected a capture file", path);
		close(fd);
		return NULL;
	}
	return capture_reader_open_fd(fd, path, err, err_len);
}

static uint64_t frame_time(const struct pcap_pkthdr *h)
{
	uint64_t sec, ns;

	/* With nanosecond precision tv_usec holds nanoseconds; a damaged file puts anything in. */
	if (h->ts.tv_sec < 0)
		return 0;
	sec = (uint64_t)h->ts.tv_sec;
	ns = h->ts.tv_usec < 0 ? 0 : (uint64_t)h->ts.tv_usec;
	if (ns >= NS_PER_S)
		ns = NS_PER_S - 1;
	return sec >= INT64_MAX / NS_PER_S ? INT64_MAX : sec * NS_PER_S + ns;
}

/* True where the packet became a frame; else it has been counted as skipped. */
static bool reader_convert(struct capture_reader *r, const struct pcap_pkthdr *h,
	const uint8_t *data, struct capture_frame *frame)
{
	uint32_t len = h->caplen, wire_len = h->len, strip;
	int header;

	if (wire_len < len)
		wire_len = len;
	/* A cut frame ends before its check sequence. */
	if (wire_len == len && len >= r->fcs_len)
		wire_len = len -= r->fcs_len;
	header = capture_link_convert(r->dlt, data, len, r->frame, &strip);
	if (header < 0) {
		r->stats.skipped[-header - 1]++;
		return false;
	}
	frame->data = data;
	if (header > 0) {
		memcpy(r->frame + header, data + strip, len - strip);
		frame->data = r->frame;
	}
	frame->len = len - strip + (uint32_t)header;
	frame->wire_len = frame->len + (wire_len - len);
	frame->ts_ns = frame_time(h);
	r->stats.frames++;
	r->stats.truncated += wire_len > len;
	return true;
}

static int reader_break_off(struct capture_reader *r, const char *why)
{
	uint64_t n = r->stats.frames;
	unsigned i;

	for (i = 0; i < CAPTURE_SKIP_REASONS; i++)
		n += r->stats.skipped[i];
	snprintf(r->error, sizeof(r->error), "broken off behind packet %llu: %s",
		(unsigned long long)n, r->source.error[0] ? r->source.error : why);
	return -1;
}

int capture_reader_next(struct capture_reader *r, struct capture_frame *frame)
{
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int rc;

	if (r->error[0])
		return -1;
	while (!r->ended) {
		rc = pcap_next_ex(r->pcap, &h, &data);
		if (rc == PCAP_ERROR_BREAK) {
			r->ended = true;
			break;
		}
		if (rc != 1)
			return reader_break_off(r, pcap_geterr(r->pcap));
		/* libpcap allows some link types more; none of those becomes Ethernet. */
		if (h->caplen > PACKET_MAX) {
			r->stats.skipped[CAPTURE_SKIP_LINK_TYPE]++;
			continue;
		}
		if (reader_convert(r, h, data, frame))
			return 1;
	}
	return 0;
}

const char *capture_reader_error(const struct capture_reader *r)
{
	return r->error[0] ? r->error : NULL;
}

const char *capture_reader_link_type(const struct capture_reader *r)
{
	return r->link_type;
}

const struct capture_stats *capture_reader_stats(const struct capture_reader *r)
{
	return &r->stats;
}

bool capture_reader_is_file(const struct capture_reader *r, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == r->dev &&
	       st.st_ino == r->ino;
}

void capture_reader_close(struct capture_reader *r)
{
	if (!r)
		return;
	pcap_close(r->pcap); /* and with it the source */
	free(r);
}

static int writer_start(struct capture_writer *w, const char *path, char *err, size_t err_len)
{
	FILE *file;

	w->path = strdup(path);
	w->pcap = pcap_open_dead_with_tstamp_precision(
		DLT_EN10MB, PACKET_MAX, PCAP_TSTAMP_PRECISION_NANO);
	if (!w->path || !w->pcap) {
		snprintf(err, err_len, "%s: out of memory", path);
		return -1;
	}
	file = fopen(path, "we");
	if (!file) {
		snprintf(err, err_len, "%s: cannot write: %s", path, strerror(errno));
		return -1;
	}
	w->dumper = pcap_dump_fopen(w->pcap, file);
	if (!w->dumper) {
		snprintf(err, err_len, "%s: cannot write: %s", path, pcap_geterr(w->pcap));
		fclose(file);
		return -1;
	}
	return 0;
}

static void writer_free(struct capture_writer *w)
{
	if (w->pcap)
		pcap_close(w->pcap);
	free(w->path);
	free(w);
}

struct capture_writer *capture_writer_open(const char *path, char *err, size_t err_len)
{
	struct capture_writer *w = calloc(1, sizeof(*w));

	if (!w) {
		snprintf(err, err_len, "%s: out of memory", path);
		return NULL;
	}
	if (writer_start(w, path, err, err_len) < 0) {
		writer_free(w);
		return NULL;
	}
	return w;
}

void capture_writer_write(
	struct capture_writer *w, uint64_t ts_ns, const uint8_t *data, uint32_t len)
{
	const struct pcap_pkthdr h = {
		.ts = {.tv_sec = (time_t)(ts_ns / NS_PER_S),
			.tv_usec = (suseconds_t)(ts_ns % NS_PER_S)},
		.caplen = len > PACKET_MAX ? PACKET_MAX : len,
		.len = len,
	};

	pcap_dump((u_char *)w->dumper, &h, data);
}

int capture_writer_close(struct capture_writer *w, char *err, size_t err_len)
{
	FILE *file = pcap_dump_file(w->dumper);
	int rc = 0;

	/* A failed write leaves only the stream's error mark, and errno of the flush, if that. */
	errno = 0;
	if (pcap_dump_flush(w->dumper) < 0 || ferror(file)) {
		snprintf(err, err_len, "%s: not written whole: %s", w->path,
			errno ? strerror(errno) : "a write failed");
		rc = -1;
	}
	pcap_dump_close(w->dumper);
	writer_free(w);
	return rc;
}
