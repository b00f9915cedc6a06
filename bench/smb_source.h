/*
 * A kind of port for benchmarks: the two ends of one TCP connection, vm1 the client and vm2 the
 * server, that speak SMB2 (pktgen_smb2.h), packet by packet as vhost copies them. Each end waits
 * for what the other sends, as real ones do, with DEPTH requests on their way, and acknowledges
 * each segment that it is sent.
 *
 * The control thread begins a conversation and asks whether it is over. All else is done by the one
 * worker that polls both ports.
 */
#ifndef VS_BENCH_SMB_SOURCE_H
#define VS_BENCH_SMB_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "pktgen_smb2.h"
#include "port_driver.h"

#define SMB_SOURCE_MTU 1460u /* bytes of payload in a segment */
#define SMB_SOURCE_TSO 62780u /* in one that is to be cut up later: 43 of those */

extern const struct port_driver smb_source_driver;

struct smb_source_order {
	const struct pktgen_smb2 *smb2;
	uint64_t messages; /* of each side; the last one has the marker */
	uint32_t segment; /* SMB_SOURCE_MTU or SMB_SOURCE_TSO */
};

/* What came of it. */
struct smb_source_result {
	bool done; /* all was sent, and arrived in order */
	uint64_t payload; /* bytes of TCP payload that were delivered, of both sides */
	uint64_t packets; /* delivered */
	uint64_t began, ended; /* TSC: the first SYN, and the last byte's arrival */
};

/* Begins a connection, of another client's port each time. order stays until it is done. */
void smb_source_begin(const struct smb_source_order *order);

struct smb_source_result smb_source_result(void);

#endif
