#include "xdp_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xdp_host.h"

_Static_assert(EDGE_SERVICES_MAX >= CONFIG_SERVICES_MAX && EDGE_ALLOW_MAX >= CONFIG_ALLOWED_MAX,
	"all that a tenant can have fits");

static bool is_hosts(const struct xdp_host_macs *host, const uint8_t mac[6])
{
	for (unsigned i = 0; i < host->n; i++)
		if (memcmp(host->macs[i], mac, 6) == 0)
			return true;
	return false;
}

static int follow_macs(struct xdp_program *p, unsigned ifindex, const struct port_edge *edge)
{
	uint8_t(*macs)[6] = malloc((edge->n_macs + 1) * sizeof(*macs));
	struct xdp_host_macs host;
	unsigned n = 0;
	int rc;

	if (macs == NULL)
		return -ENOMEM;
	rc = xdp_host_macs_read(&host, ifindex);
	if (rc != 0) { /* better the old ones than the host's */
		free(macs);
		return rc;
	}
	for (unsigned i = 0; i < edge->n_macs; i++)
		if (!is_hosts(&host, edge->macs[i]))
			memcpy(macs[n++], edge->macs[i], sizeof(*macs));
	rc = xdp_program_set_macs(p, (const uint8_t(*)[6])macs, n);
	free(macs);
	return rc;
}

static void write_rules(struct edge_rules *rules, const struct port_edge *edge)
{
	*rules = (struct edge_rules){0};
	for (unsigned i = 0; i < edge->n_services; i++)
		rules->services[rules->n_services++] = edge->services[i];
	for (unsigned i = 0; i < edge->n_allow; i++)
		rules->allow[rules->n_allow++] = (struct edge_allow){
			.protocol = (uint16_t)edge->allow[i].protocol,
			.first = edge->allow[i].ports.first,
			.last = edge->allow[i].ports.last};
}

static int follow_sources(struct xdp_program *p, uint32_t network, const struct port_edge *edge)
{
	struct xdp_source *sources = calloc(edge->n_sources + 1, sizeof(*sources));
	struct edge_rules rules;
	int rc;

	if (sources == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < edge->n_sources; i++)
		sources[i] = (struct xdp_source){.addr = edge->sources[i].addr,
			.level = edge->sources[i].level == CONFIG_QUARANTINE_PORT
					 ? EDGE_SHUT_HOST
					 : EDGE_SHUT_SERVICES};
	write_rules(&rules, edge);
	rc = xdp_program_set_quarantine(p, network, &rules, sources, edge->n_sources);
	free(sources);
	return rc;
}

int xdp_follow(
	struct xdp_program *p, unsigned ifindex, uint32_t network, const struct port_edge *edge)
{
	int rc = follow_sources(p, network, edge), one = 0;

	if (network == EDGE_OF_VLAN(0))
		one = follow_macs(p, ifindex, edge);
	return rc != 0 ? rc : one;
}

uint64_t xdp_follow_drops(struct xdp_program *p, uint32_t network, struct addr source)
{
	struct edge_drops drops;

	return p != NULL && xdp_program_drops(p, network, source, &drops) ? drops.packets : 0;
}

void xdp_follow_show(struct xdp_program *p, uint32_t network, json_t *row)
{
	if (p != NULL)
		json_object_set_new(row, "xdp_sources", xdp_program_sources(p, network));
}
