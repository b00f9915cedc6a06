#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "pktgen_replay.h"

#define PATIENCE 0.3 /* seconds that one side waits for what the other has sent */
#define BEHIND   0.001 /* seconds that a sender makes up for */

uint32_t pktgen_replay_buffers(const struct pktgen_capture *capture)
{
	uint32_t count[2] = {0, 0};

	for (uint32_t i = 0; i < capture->n; i++)
		count[capture->frames[i].side]++;
	return count[0] > count[1] ? count[0] : count[1];
}

/* One frame's packet, which is never given back to its pool before the end. */
static struct rte_mbuf *make(struct pktgen_replay *replay, const struct pktgen_capture_frame *frame)
{
	struct pktgen_port *port = &replay->ports->port[frame->side];
	struct rte_mbuf *m = rte_pktmbuf_alloc(port->tx_pool);
	uint32_t len = frame->len < PKTGEN_FRAME_MIN ? PKTGEN_FRAME_MIN : frame->len;
	uint8_t *data;

	if (m == NULL || rte_pktmbuf_tailroom(m) < len)
		return NULL;
	data = rte_pktmbuf_mtod(m, uint8_t *);
	memset(data, 0, len);
	memcpy(data, replay->capture.bytes + frame->offset, frame->len);
	if (!replay->options->keep_macs) {
		if ((data[0] & 1) == 0) /* unicast */
			memcpy(data, port->out.dst, 6);
		memcpy(data + 6, port->out.src, 6);
	}
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	return m;
}

int pktgen_replay_init(struct pktgen_replay *replay, struct pktgen_ports *ports,
	const struct pktgen_options *options, const struct pktgen_capture *capture,
	char err[PKTGEN_ERR])
{
	memset(replay, 0, sizeof(*replay));
	replay->ports = ports;
	replay->options = options;
	replay->capture = *capture;
	replay->loops = options->loops;
	replay->pkts = calloc(capture->n, sizeof(struct rte_mbuf *));
	for (uint32_t i = 0; i < capture->n; i++) {
		if (replay->pkts != NULL)
			replay->pkts[i] = make(replay, &capture->frames[i]);
		if (replay->pkts == NULL || replay->pkts[i] == NULL) {
			snprintf(err, PKTGEN_ERR,
				"no buffer for frame %u of the capture, of %u bytes: see --memory, "
				"and "
				"--size for the largest",
				i + 1, capture->frames[i].len);
			return -1;
		}
	}
	return 0;
}

/* What a port has received came from the side of its peer. */
static uint64_t arrived(const struct pktgen_replay *replay, unsigned side)
{
	return replay->ports->port[!side].counts.received + replay->given_up[side];
}

/* Whether the next frame's side has heard what was said before; after a while it no longer waits.
 */
static bool may_speak(struct pktgen_replay *replay, unsigned side, uint64_t now)
{
	unsigned other = !side;

	if (arrived(replay, other) >= replay->expected[other]) {
		replay->waits = 0;
		return true;
	}
	if (replay->waits == 0)
		replay->waits = now;
	if (now - replay->waits < (uint64_t)(PATIENCE * (double)rte_get_tsc_hz()))
		return false;
	replay->given_up[other] += replay->expected[other] - arrived(replay, other);
	replay->waits = 0;
	return true;
}

static bool more(const struct pktgen_replay *replay)
{
	return replay->loops > 0;
}

static bool speak(struct pktgen_replay *replay)
{
	unsigned side = replay->capture.frames[replay->at].side;
	struct rte_mbuf *m = replay->pkts[replay->at];

	/* One reference stays: the driver's own is what it frees. */
	rte_mbuf_refcnt_update(m, 1);
	if (pktgen_port_send(&replay->ports->port[side], &m, 1) == 0) {
		rte_mbuf_refcnt_update(m, -1);
		return false;
	}
	replay->expected[side]++;
	if (++replay->at == replay->capture.n) {
		replay->at = 0;
		replay->loops--;
	}
	return true;
}

static unsigned step(void *arg, uint64_t now, bool sending)
{
	struct pktgen_replay *replay = arg;
	struct rte_mbuf *pkts[PKTGEN_BURST];
	unsigned moved = 0, n;

	for (unsigned i = 0; i < 2; i++) {
		n = pktgen_port_receive(&replay->ports->port[i], pkts);
		rte_pktmbuf_free_bulk(pkts, n);
		moved += n;
	}
	for (unsigned i = 0; sending && i < PKTGEN_BURST && more(replay); i++) {
		if (!may_speak(replay, replay->capture.frames[replay->at].side, now) ||
			pktgen_pace_due(&replay->pace, now, 1) == 0 || !speak(replay))
			break;
		moved++;
	}
	return moved;
}

static bool done(void *arg)
{
	return !more(arg);
}

static bool settled(void *arg)
{
	const struct pktgen_replay *replay = arg;

	return arrived(replay, 0) >= replay->expected[0] &&
	       arrived(replay, 1) >= replay->expected[1];
}

struct pktgen_task pktgen_replay_task(struct pktgen_replay *replay, double rate)
{
	pktgen_pace_init(&replay->pace, rate, (double)rte_get_tsc_hz(), BEHIND, rte_rdtsc());
	return (struct pktgen_task){.step = step, .done = done, .settled = settled, .arg = replay};
}

void pktgen_replay_free(struct pktgen_replay *replay)
{
	/* The packets go with their pools: the driver may still hold some. */
	free(replay->pkts);
	pktgen_capture_free(&replay->capture);
}
