/*
 * Writes a small capture with comments, as pcapng (draft-ietf-opsawg-pcapng: Section Header 4.1,
 * Interface Description 4.2, Enhanced Packet 4.3, opt_comment 3.5.1), which libpcap cannot. In the
 * host's byte order; one interface of Ethernet frames. Any thread; no state but the file's.
 */
#ifndef VS_PCAPNG_H
#define VS_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

#define PCAPNG_PACKET_MAX 262144 /* bytes that readers take in one packet */

struct pcapng {
	FILE *file; /* the caller's; whoever flushes it learns of errors */
};

/* Starts the file. application, interface, comment (on the whole file): texts. */
void pcapng_begin(struct pcapng *out, FILE *file, const char *application, const char *interface,
	const char *comment);

/* A packet at time_us (microseconds since 1970), with a comment. len: up to PCAPNG_PACKET_MAX. */
void pcapng_packet(struct pcapng *out, uint64_t time_us, const uint8_t *bytes, uint32_t len,
	const char *comment);

#endif
