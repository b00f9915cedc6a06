/*
 * vswitch-pktgen's command line: a table of options, which help is written from. Read once, before
 * anything starts; not changed afterwards.
 */
#ifndef VS_PKTGEN_OPTIONS_H
#define VS_PKTGEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pktgen_flows.h"
#include "pktgen_size.h"
#include "pktgen_values.h"

#define PKTGEN_PORTS 32u /* as many as DPDK has Ethernet devices */

enum pktgen_traffic {
	PKTGEN_UDP,
	PKTGEN_TCP, /* established connections */
	PKTGEN_STORM, /* each packet begins a connection */
	PKTGEN_SMB,
	PKTGEN_REPLAY,
	PKTGEN_MIX, /* UDP, and SMB between the last two ports */
	PKTGEN_IDLE, /* none */
};

enum pktgen_smb {
	PKTGEN_SMB_READ,
	PKTGEN_SMB_WRITE,
	PKTGEN_SMB_BOTH, /* in turn */
};

struct pktgen_port_options {
	char path[108]; /* of the vhost-user socket */
	bool server; /* the generator listens */
	bool has_mac, has_peer_mac;
	uint8_t mac[6], peer_mac[6];
	uint32_t ip, peer_ip; /* 0: not given */
};

struct pktgen_options {
	struct pktgen_port_options ports[PKTGEN_PORTS];
	unsigned n_ports;

	enum pktgen_traffic traffic;
	uint8_t protocol; /* of a storm */
	struct pktgen_sizes sizes;
	bool sizes_given;
	struct pktgen_range ranges[PKTGEN_FIELDS];
	uint64_t flows; /* 0: what the ranges make */
	uint16_t vlan;
	uint64_t tso; /* bytes of a segment; 0: no large frames */

	struct pktgen_rate rate; /* of each port that sends */
	double line; /* bits a second */
	bool one_way;
	double duration, warmup, interval; /* seconds; interval 0: no samples */
	uint64_t count; /* packets of each port that sends; 0: as time allows */
	uint64_t latency; /* a time in every so many packets; 0: none */
	bool verify, keep, search, json;
	double loss, resolution; /* of a search; parts, not percent */

	enum pktgen_smb smb;
	uint64_t smb_block;
	bool smb_zeros;
	double smb_share; /* of a mixture's packets; part, not percent */
	uint64_t smb_flows; /* connections of a mixture */
	const char *smb_marker;
	uint64_t window; /* bytes that a side has under way at most */
	const char *capture;
	uint64_t loops;
	bool keep_macs;

	uint64_t core, memory, queue_size;
	bool core_given;
	bool huge, no_huge;
	const char *virtio; /* more of the driver's arguments */
	double wait;
};

/*
 * 0: options hold. 1: there is nothing more to do (help or version, printed). -1: err says what
 * would be right.
 */
int pktgen_options_parse(
	struct pktgen_options *options, int argc, char **argv, char err[PKTGEN_ERR]);

void pktgen_options_help(FILE *out);

/* What a port, numbered from 0, has: of a mixture one of its kinds. */
enum pktgen_traffic pktgen_options_traffic(const struct pktgen_options *options, unsigned port);

/* "udp", "tcp", ... */
const char *pktgen_traffic_name(enum pktgen_traffic traffic);

#endif
