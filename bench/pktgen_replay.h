/*
 * A capture, replayed as both sides of its conversations: what the side that opened one sent goes
 * out of the first port, the answers out of the second. A side speaks when what the other said
 * before has arrived, as in the capture. The first half, the capture's sides, is pure; the second
 * is a task for pktgen_run(), of one thread.
 */
#ifndef VS_PKTGEN_REPLAY_H
#define VS_PKTGEN_REPLAY_H

#include "pktgen_pace.h"
#include "pktgen_run.h"

struct pktgen_capture_frame {
	uint32_t offset, len; /* in the capture's bytes */
	uint8_t side; /* 0: opens the conversation */
};

struct pktgen_capture {
	struct pktgen_capture_frame *frames;
	uint8_t *bytes;
	uint32_t n, n_max;
	uint64_t len, len_max;
	uint64_t cut; /* packets of which the capture has only a part: not replayed */
	uint64_t other; /* and those that are too long, or not Ethernet with IP or ARP */
};

/* -1: err. */
int pktgen_capture_read(struct pktgen_capture *capture, const char *path, char err[PKTGEN_ERR]);
void pktgen_capture_free(struct pktgen_capture *capture);

struct pktgen_replay {
	struct pktgen_ports *ports;
	const struct pktgen_options *options;
	struct pktgen_capture capture;
	struct rte_mbuf **pkts; /* of each frame, ready; lasts for all loops */
	struct pktgen_pace pace;
	uint32_t at; /* frame that comes next */
	uint64_t loops; /* that are left, with this one */
	uint64_t expected[2]; /* packets that are to have come, by side that sent them */
	uint64_t given_up[2]; /* of these, that have not in time */
	uint64_t waits; /* cycles: since when it waits; 0: it does not */
};

/* Buffers that the frames take of each port. */
uint32_t pktgen_replay_buffers(const struct pktgen_capture *capture);

/* Takes the capture over. -1: err. */
int pktgen_replay_init(struct pktgen_replay *replay, struct pktgen_ports *ports,
	const struct pktgen_options *options, const struct pktgen_capture *capture,
	char err[PKTGEN_ERR]);

/* Before the run: packets a second; 0 for as fast as the sides answer. */
struct pktgen_task pktgen_replay_task(struct pktgen_replay *replay, double rate);

void pktgen_replay_free(struct pktgen_replay *replay);

#endif
