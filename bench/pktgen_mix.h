/*
 * Streams of UDP on all pairs of ports but the last (pktgen_stream.h), and on that one SMB
 * (pktgen_smb.h), which gets a share of the packets: it has its turn only while it has sent less
 * than that. So the mixture stays the same however fast the switch is. A task for pktgen_run(); one
 * thread.
 */
#ifndef VS_PKTGEN_MIX_H
#define VS_PKTGEN_MIX_H

#include "pktgen_smb.h"
#include "pktgen_stream.h"

struct pktgen_mix {
	struct pktgen_streams streams;
	struct pktgen_smbs smbs;
	struct pktgen_task of_streams, of_smbs;
	struct pktgen_options smb_options; /* the same options, but for what SMB has its own */
	double share; /* of the packets sent, 0 to 1 */
};

/* -1: err; it is to be freed in any case. */
int pktgen_mix_init(struct pktgen_mix *mix, struct pktgen_ports *ports,
	const struct pktgen_options *options, char err[PKTGEN_ERR]);

struct pktgen_task pktgen_mix_task(struct pktgen_mix *mix);

/* The part of SMB in what was sent since counts began, 0 to 1. */
double pktgen_mix_share(const struct pktgen_mix *mix);

/* Packets of the streams that have come since counts began. */
uint64_t pktgen_mix_others(const struct pktgen_mix *mix);

/* Ends the connections. */
void pktgen_mix_end(struct pktgen_mix *mix);

void pktgen_mix_free(struct pktgen_mix *mix);

#endif
