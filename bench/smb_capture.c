/*
 * smb_capture FILE read|write MIB [MARKER]: one SMB2 connection that reads or writes so much random
 * data in blocks of 64 KiB, the last of which ends with MARKER, as a capture with both sides'
 * segments of 1460 bytes. What vswitch-pktgen sends, for programs that read files. Prints the bytes
 * of TCP payload in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_smb2.h"
#include "traffic/session.h"

#define BLOCK  65536u
#define MSS    1460u
#define CLIENT 0x0a000001u /* 10.0.0.1 */
#define SERVER 0x0a000002u

static bool parse(int argc, char **argv, enum pktgen_smb *what, uint64_t *blocks)
{
	char *end;

	if (argc != 4 && argc != 5)
		return false;
	if (strcmp(argv[2], "read") == 0)
		*what = PKTGEN_SMB_READ;
	else if (strcmp(argv[2], "write") == 0)
		*what = PKTGEN_SMB_WRITE;
	else
		return false;
	*blocks = strtoull(argv[3], &end, 10) * (1024 * 1024 / BLOCK);
	return *end == '\0' && *blocks > 0;
}

static uint64_t converse(struct session *session, const struct pktgen_smb2 *smb2, uint64_t messages)
{
	struct pktgen_smb2_at at[2] = {{0}};
	uint64_t bytes = 0;

	session_begin(session);
	for (uint64_t n = 0; n < messages; n++)
		for (unsigned side = 0; side < 2; side++) {
			uint8_t segment[MSS];
			uint32_t len;

			while ((len = pktgen_smb2_bytes(smb2, side, &at[side], n + 1, messages - 1,
					segment, MSS)) > 0) {
				session_send(session, side, segment, len);
				bytes += len;
			}
		}
	session_end(session);
	return bytes;
}

int main(int argc, char **argv)
{
	struct session session = {
		.client = CLIENT, .server = SERVER, .client_port = 50000, .server_port = 445};
	struct pktgen_smb2 smb2;
	enum pktgen_smb what;
	uint64_t blocks, bytes;

	if (!parse(argc, argv, &what, &blocks)) {
		fprintf(stderr, "usage: %s FILE read|write MIB [MARKER]\n", argv[0]);
		return 1;
	}
	session.file = session_file_open(argv[1]);
	if (session.file == NULL || !pktgen_smb2_init(&smb2, what, BLOCK, false, argv[4], SERVER)) {
		fprintf(stderr, "%s: cannot write %s, or no memory\n", argv[0], argv[1]);
		return 1;
	}
	bytes = converse(&session, &smb2, PKTGEN_SMB2_SETUP + blocks);
	pktgen_smb2_free(&smb2);
	if (!session_file_close(session.file)) {
		fprintf(stderr, "%s: cannot write all of %s\n", argv[0], argv[1]);
		return 1;
	}
	printf("%" PRIu64 "\n", bytes);
	return 0;
}
