/*
 * Capture files: reads pcap (micro- and nanoseconds, either byte order) and pcapng, as they are or
 * gzip-compressed, told apart by content and never by name; writes pcap with nanoseconds.
 *
 * A reader or writer has one owner and one thread at a time. Control thread, replay, tests.
 * Files are hostile: memory is bounded whatever lengths they claim and however far they unpack (a
 * stream; gzip yields at most about 1,000 bytes for one). Parsing is libpcap's.
 */
#ifndef VS_CAPTURE_FILE_H
#define VS_CAPTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture_link.h"

/* Bytes of a frame: libpcap's own bound on a packet, and a made-up Ethernet header. */
#define CAPTURE_FRAME_MAX (262144 + CAPTURE_LINK_ETHER)

struct capture_reader;
struct capture_writer;

struct capture_frame {
	uint64_t ts_ns; /* since 1970, as the file has it: may go backwards; below 2^63 */
	const uint8_t *data; /* an Ethernet frame; valid until the next call on the reader */
	uint32_t len; /* bytes captured, at most CAPTURE_FRAME_MAX; may be 0 */
	uint32_t wire_len; /* bytes that the frame had; >= len */
};

struct capture_stats {
	uint64_t frames; /* handed out */
	uint64_t truncated; /* of these, how many the capture holds only in part */
	uint64_t skipped[CAPTURE_SKIP_REASONS]; /* packets of the file that were not handed out */
};

/* NULL on error, with path and what would be right in err. */
struct capture_reader *capture_reader_open(const char *path, char *err, size_t err_len);

/* The same from a descriptor, which the reader owns from the call on, also when it fails. */
struct capture_reader *capture_reader_open_fd(int fd, const char *name, char *err, size_t err_len);

/*
 * 1: a frame. 0: the end of the file. -1: the file breaks off or is damaged here (see
 * capture_reader_error()); frames before were good, and every further call says -1 again. Packets
 * that can't become Ethernet frames are passed over and counted.
 */
int capture_reader_next(struct capture_reader *reader, struct capture_frame *frame);

/* What capture_reader_next() found wrong, or NULL. Valid until the reader is closed. */
const char *capture_reader_error(const struct capture_reader *reader);

/* The file's link type as libpcap names it ("EN10MB"), or "DLT 147" where it has no name. */
const char *capture_reader_link_type(const struct capture_reader *reader);

const struct capture_stats *capture_reader_stats(const struct capture_reader *reader);

/* True where path is the very file being read, so that writing it would destroy the input. */
bool capture_reader_is_file(const struct capture_reader *reader, const char *path);

void capture_reader_close(struct capture_reader *reader);

/* Makes path anew (a file there is overwritten). NULL on error, with a message in err. */
struct capture_writer *capture_writer_open(const char *path, char *err, size_t err_len);

/*
 * Appends one Ethernet frame. ts_ns is since 1970; a pcap file holds 32 bits of seconds. A write
 * that fails shows when the writer is closed.
 */
void capture_writer_write(
	struct capture_writer *writer, uint64_t ts_ns, const uint8_t *data, uint32_t len);

/* Flushes, closes and frees. -1 with a message in err where not everything could be written. */
int capture_writer_close(struct capture_writer *writer, char *err, size_t err_len);

#endif
