#include "xdp_follow.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_MACS_MAX 64 /* of one interface and what stands on it */

_Static_assert(EDGE_SERVICES_MAX >= CONFIG_SERVICES_MAX && EDGE_ALLOW_MAX >= CONFIG_ALLOWED_MAX,
	"all that a tenant can have fits");

struct host_macs {
	unsigned n;
	uint8_t macs[HOST_MACS_MAX][6];
};

/* The number in a file of the interface's directory; 0: none. */
static unsigned read_number(const char *interface, const char *file)
{
	char path[64 + IF_NAMESIZE];
	unsigned number = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%u", &number) != 1)
		number = 0;
	fclose(f);
	return number;
}

/* The interface is the one with this index, stands on it (macvlan, VLAN), or has it as a port. */
static bool stands_on(const char *interface, const char *lower, unsigned ifindex)
{
	return strcmp(interface, lower) == 0 || read_number(interface, "iflink") == ifindex ||
	       read_number(lower, "master/ifindex") == if_nametoindex(interface);
}

/* Where there are more than fit, the first ones: those of the interface itself come first. */
static void read_host_macs(struct host_macs *host, unsigned ifindex)
{
	char lower[IF_NAMESIZE];
	struct ifaddrs *all = NULL;

	host->n = 0;
	if (if_indextoname(ifindex, lower) == NULL || getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *at = all; at != NULL && host->n < HOST_MACS_MAX;
		at = at->ifa_next) {
		const struct sockaddr_ll *link = (const void *)at->ifa_addr;

		if (link != NULL && link->sll_family == AF_PACKET && link->sll_halen == 6 &&
			stands_on(at->ifa_name, lower, ifindex))
			memcpy(host->macs[host->n++], link->sll_addr, 6);
	}
	freeifaddrs(all);
}

static bool is_hosts(const struct host_macs *host, const uint8_t mac[6])
{
	for (unsigned i = 0; i < host->n; i++)
		if (memcmp(host->macs[i], mac, 6) == 0)
			return true;
	return false;
}

static int follow_macs(struct xdp_program *p, unsigned ifindex, const struct port_edge *edge)
{
	uint8_t(*macs)[6] = malloc((edge->n_macs + 1) * sizeof(*macs));
	struct host_macs host;
	unsigned n = 0;
	int rc;

	if (macs == NULL)
		return -ENOMEM;
	read_host_macs(&host, ifindex);
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
