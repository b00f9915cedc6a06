#include <string.h>

#include "pktgen_mix.h"

int pktgen_mix_init(struct pktgen_mix *mix, struct pktgen_ports *ports,
	const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	memset(mix, 0, sizeof(*mix));
	mix->share = options->smb_share;
	mix->smb_options = *options;
	mix->smb_options.flows = options->smb_flows;
	mix->smb_options.sizes_given = false;
	memset(mix->smb_options.ranges, 0, sizeof(mix->smb_options.ranges));
	if (pktgen_smb_init(&mix->smbs, ports, &mix->smb_options, err) != 0)
		return -1;
	return pktgen_streams_init(&mix->streams, ports, options, err);
}

static uint64_t sent(const struct pktgen_ports *ports, unsigned first, unsigned end)
{
	uint64_t n = 0;

	for (unsigned i = first; i < end; i++)
		n += ports->port[i].counts.sent;
	return n;
}

double pktgen_mix_share(const struct pktgen_mix *mix)
{
	const struct pktgen_ports *ports = mix->smbs.ports;
	uint64_t all = sent(ports, 0, ports->n);

	return all > 0 ? (double)sent(ports, mix->streams.n, ports->n) / (double)all : 0;
}

uint64_t pktgen_mix_others(const struct pktgen_mix *mix)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < mix->streams.n; i++)
		n += mix->streams.ports->port[i].counts.received;
	return n;
}

static unsigned step(void *arg, uint64_t now, bool sending)
{
	struct pktgen_mix *mix = arg;
	unsigned moved = mix->of_streams.step(&mix->streams, now, sending);

	if (!sending || pktgen_mix_share(mix) <= mix->share)
		moved += mix->of_smbs.step(&mix->smbs, now, sending);
	return moved;
}

static bool settled(void *arg)
{
	struct pktgen_mix *mix = arg;

	return mix->of_streams.settled(&mix->streams) && mix->of_smbs.settled(&mix->smbs);
}

struct pktgen_task pktgen_mix_task(struct pktgen_mix *mix)
{
	mix->of_streams = pktgen_streams_task(&mix->streams);
	mix->of_smbs = pktgen_smb_task(&mix->smbs);
	return (struct pktgen_task){.step = step, .settled = settled, .arg = mix};
}

void pktgen_mix_end(struct pktgen_mix *mix)
{
	pktgen_smb_end(&mix->smbs);
	pktgen_streams_end(&mix->streams);
}

void pktgen_mix_free(struct pktgen_mix *mix)
{
	pktgen_smb_free(&mix->smbs);
}
