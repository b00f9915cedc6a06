/*
 * The evidence of quarantines: one capture a quarantine (pcapng, readable by Wireshark and tcpdump)
 * with the packet that gave the guest away as it came, before it what the record had had until
 * then, and in comments which rule, where and whose. Named after time, port and rule; mode 0600,
 * for it holds what guests said to each other. At most EVIDENCE_FILES with EVIDENCE_BYTES in all:
 * the oldest are removed for new ones. Other files in the directory are left alone.
 *
 * Control thread: it waits for the disk.
 */
#ifndef VS_QUARANTINE_EVIDENCE_H
#define VS_QUARANTINE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "inspect_log.h"

#define EVIDENCE_FILES    256
#define EVIDENCE_BYTES    (64u << 20)
#define EVIDENCE_NAME_MAX 160

/* Where it went, or why not; both empty: none is kept. */
struct evidence {
	char file[256 + EVIDENCE_NAME_MAX]; /* path */
	char error[512];
};

/* dir: made when the first is written; "": none is kept. Copied. */
void evidence_open(const char *dir);

/* port, peer: names of the culprit (its address, on another host) and of the other end. now: since
 * 1970. A failure is logged. */
void evidence_keep(const struct inspect_record *record, const char *port, const char *peer,
	const struct timespec *now, struct evidence *evidence);

/* Files written, and those that could not be, since evidence_open(). */
uint64_t evidence_written(void);
uint64_t evidence_lost(void);

#endif
