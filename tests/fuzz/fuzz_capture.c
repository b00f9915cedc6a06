/*
 * Fuzzes capture replay's input: the bytes as a capture file, through reader and side table, and
 * as a single packet of every link type. Frames and packets lie in exact-size heap blocks.
 *
 * libFuzzer target; its corpus is captures of a few packets.
 */
#include <pcap/pcap.h>
#include <rte_eal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture_file.h"
#include "port_driver.h"
#include "replay_side.h"

#define FRAMES_MAX 4096 /* a packed input may hold far more, all alike */

/* The switch's own where that is linked in. */
struct port_env port_env __attribute__((weak));

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char *eal[] = {"fuzz_capture", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "64", "--log-level=error"};

	return rte_eal_init(RTE_DIM(eal), eal) < 0 ? -1 : 0;
}

static uint8_t *exact_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);

	if (!copy && len > 0)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

static void fuzz_links(const uint8_t *data, size_t size)
{
	static const int types[] = {DLT_EN10MB, DLT_RAW, DLT_IPV4, DLT_IPV6, DLT_NULL, DLT_LOOP,
		DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_C_HDLC, DLT_PPP, DLT_PPP_PPPD, DLT_PPP_SERIAL};
	uint8_t *packet = exact_copy(data, size), ether[CAPTURE_LINK_ETHER];
	uint32_t strip;
	unsigned i;
	int rc;

	for (i = 0; i < RTE_DIM(types); i++) {
		rc = capture_link_convert(types[i], packet, (uint32_t)size, ether, &strip);
		if (rc >= 0 && strip > size)
			abort();
	}
	free(packet);
}

static void fuzz_file(int fd)
{
	struct capture_reader *r;
	struct replay_side *side;
	struct capture_frame f;
	char err[512];
	uint8_t *frame;
	unsigned n;

	r = capture_reader_open_fd(fd, "input", err, sizeof(err));
	if (!r)
		return;
	side = replay_side_new();
	if (!side)
		abort();
	for (n = 0; n < FRAMES_MAX && capture_reader_next(r, &f) == 1; n++) {
		if (f.len > CAPTURE_FRAME_MAX || f.wire_len < f.len || f.ts_ns > INT64_MAX)
			abort();
		frame = exact_copy(f.data, f.len);
		if (replay_side_of(side, frame, f.len) > 1)
			abort();
		free(frame);
	}
	replay_side_free(side);
	capture_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz_capture", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	fuzz_links(data, size);
	fuzz_file(fd);
	return 0;
}
