#include <getopt.h>
#include <netinet/in.h>
#include <string.h>

#include "pktgen_options.h"
#include "version.h"

#define STORM_FLOWS 3600000000u /* where a storm is not told: all that the default ports make */

enum id {
	ID_PORT = 'p',
	ID_TRAFFIC = 't',
	ID_SIZE = 's',
	ID_RATE = 'r',
	ID_FLOWS = 'f',
	ID_ONE_WAY = '1',
	ID_DURATION = 'd',
	ID_WARMUP = 'w',
	ID_COUNT = 'n',
	ID_INTERVAL = 'i',
	ID_LATENCY = 'l',
	ID_SEARCH = 'S',
	ID_JSON = 'j',
	ID_CORE = 'c',
	ID_HELP = 'h',
	ID_VERSION = 'V',
	ID_LONG = 256, /* from here on those without a letter */
	ID_SRC_PORT,
	ID_SRC_IP,
	ID_DST_PORT,
	ID_DST_IP,
	ID_PROTOCOL,
	ID_VLAN,
	ID_TSO,
	ID_LINE,
	ID_VERIFY,
	ID_KEEP,
	ID_LOSS,
	ID_RESOLUTION,
	ID_SMB,
	ID_SMB_BLOCK,
	ID_SMB_DATA,
	ID_SMB_MARKER,
	ID_SMB_SHARE,
	ID_SMB_FLOWS,
	ID_WINDOW,
	ID_CAPTURE,
	ID_LOOPS,
	ID_KEEP_MACS,
	ID_MEMORY,
	ID_QUEUE_SIZE,
	ID_HUGE,
	ID_NO_HUGE,
	ID_VIRTIO,
	ID_WAIT,
};

static const struct {
	const char *name;
	enum id id;
	const char *value; /* NULL: takes none; in brackets: may be left out */
	const char *help;
} table[] = {
	{"port", ID_PORT, "SOCKET[,KEY=VALUE...]",
		"a vhost-user port; the first and second send to each other, the third and "
		"fourth, and so on. Keys: server=1 (listen), mac, ip, peer-mac, peer-ip"},
	{"traffic", ID_TRAFFIC, "KIND", "udp (default), tcp, storm, smb, replay, mix, idle"},
	{"size", ID_SIZE, "BYTES",
		"64 (default), 64-1518, imix, or a mix such as 64:7,1518:1; with FCS"},
	{"rate", ID_RATE, "RATE", "of each port: max (default), 100k, 1.5M, 10Gbps, 50%"},
	{"flows", ID_FLOWS, "N", "of each pair of ports (default 1; connections, of tcp and smb)"},
	{"src-port", ID_SRC_PORT, "RANGE", "5000, 1024-65000, 1024-65000+2, or START:MIN:MAX:STEP"},
	{"src-ip", ID_SRC_IP, "RANGE", "the same, of addresses"},
	{"dst-port", ID_DST_PORT, "RANGE", "the same"},
	{"dst-ip", ID_DST_IP, "RANGE", "the same, of addresses"},
	{"one-way", ID_ONE_WAY, NULL, "only the first port of a pair sends"},
	{"vlan", ID_VLAN, "ID", "an 802.1Q tag on each frame"},
	{"tso", ID_TSO, "MSS", "of tcp and smb: frames up to 65400 bytes, to be cut by who must"},
	{"duration", ID_DURATION, "SECONDS", "of a run or trial (default 10)"},
	{"warmup", ID_WARMUP, "SECONDS", "before it, not counted (default 0)"},
	{"count", ID_COUNT, "N", "packets of each port, then it ends"},
	{"interval", ID_INTERVAL, "SECONDS", "figures of every so many seconds, too"},
	{"latency", ID_LATENCY, "[EVERY]",
		"a time in every 16th packet (or every EVERY-th), and percentiles"},
	{"search", ID_SEARCH, NULL,
		"the highest rate without loss (RFC 2544); --rate is the highest tried"},
	{"loss", ID_LOSS, "PERCENT", "that a search allows (default 0)"},
	{"resolution", ID_RESOLUTION, "PERCENT",
		"of the highest rate, to which a search goes (default 1)"},
	{"line-rate", ID_LINE, "RATE", "what a --rate in percent is of (default 10Gbps)"},
	{"verify", ID_VERIFY, NULL,
		"look at each packet that comes in, and count foreign ones apart"},
	{"keep", ID_KEEP, NULL, "leave connections open at the end"},
	{"protocol", ID_PROTOCOL, "NAME",
		"of a storm: udp (default), or tcp with whole handshakes"},
	{"smb", ID_SMB, "WHAT", "read, write (default) or both"},
	{"smb-block", ID_SMB_BLOCK, "BYTES", "of a read or write (default 65536)"},
	{"smb-data", ID_SMB_DATA, "KIND", "random (default) or zeros"},
	{"smb-marker", ID_SMB_MARKER, "TEXT", "that ends the last block of each connection"},
	{"smb-share", ID_SMB_SHARE, "PERCENT", "of a mixture's packets (default 10)"},
	{"smb-flows", ID_SMB_FLOWS, "N", "connections of a mixture (default 8)"},
	{"window", ID_WINDOW, "BYTES", "that one side has under way at most (default 262144)"},
	{"capture", ID_CAPTURE, "FILE", "that is replayed, pcap or pcapng"},
	{"loops", ID_LOOPS, "N", "how often it is replayed (default 1)"},
	{"keep-macs", ID_KEEP_MACS, NULL, "as they are in the capture"},
	{"core", ID_CORE, "N", "that the generator runs on (default: where it is allowed to)"},
	{"memory", ID_MEMORY, "MIB", "default: as much as the ports need"},
	{"huge", ID_HUGE, NULL, "hugepages or nothing (default: hugepages if enough are free)"},
	{"no-huge", ID_NO_HUGE, NULL, "ordinary pages"},
	{"queue-size", ID_QUEUE_SIZE, "N", "descriptors of a ring (default 1024)"},
	{"virtio", ID_VIRTIO, "ARGUMENTS",
		"more of net_virtio_user's, such as packed_vq=1,in_order=0"},
	{"wait", ID_WAIT, "SECONDS", "for sockets, and until ports hear each other (default 10)"},
	{"json", ID_JSON, NULL, "the result as JSON"},
	{"help", ID_HELP, NULL, "this"},
	{"version", ID_VERSION, NULL, "print the version"},
};

#define OPTIONS (sizeof(table) / sizeof(table[0]))

static const char *const traffics[] = {"udp", "tcp", "storm", "smb", "replay", "mix", "idle"};
#define TRAFFICS (sizeof(traffics) / sizeof(traffics[0]))
static const char *const smbs[] = {"read", "write", "both"};

const char *pktgen_traffic_name(enum pktgen_traffic traffic)
{
	return traffics[traffic];
}

enum pktgen_traffic pktgen_options_traffic(const struct pktgen_options *options, unsigned port)
{
	if (options->traffic != PKTGEN_MIX)
		return options->traffic;
	return port + 2 < options->n_ports ? PKTGEN_UDP : PKTGEN_SMB;
}

void pktgen_options_help(FILE *out)
{
	fputs("usage: vswitch-pktgen -p SOCKET -p SOCKET [OPTION...]\n\n", out);
	for (unsigned i = 0; i < OPTIONS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c --%s%s%s", table[i].id < ID_LONG ? '-' : ' ',
			table[i].id < ID_LONG ? table[i].id : ' ', table[i].name,
			table[i].value == NULL || table[i].value[0] == '[' ? "" : " ",
			table[i].value == NULL ? "" : table[i].value);
		fprintf(out, "  %-38s %s\n", left, table[i].help);
	}
}

static int one_of(const char *text, const char *const *names, unsigned n, unsigned *value,
	char err[PKTGEN_ERR])
{
	int at = snprintf(err, PKTGEN_ERR, "'%.40s' is none of", text);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, names[i]) == 0) {
			*value = i;
			return 0;
		}
		at += snprintf(err + at, PKTGEN_ERR - (size_t)at, " %s", names[i]);
	}
	return -1;
}

static int port_key(
	struct pktgen_port_options *port, const char *key, const char *value, char err[PKTGEN_ERR])
{
	uint64_t flag;
	int status;

	if (value == NULL)
		value = "1";
	if (strcmp(key, "mac") == 0)
		return port->has_mac = true, pktgen_value_mac(value, port->mac, err);
	if (strcmp(key, "peer-mac") == 0)
		return port->has_peer_mac = true, pktgen_value_mac(value, port->peer_mac, err);
	if (strcmp(key, "ip") == 0)
		return pktgen_value_ip(value, &port->ip, err);
	if (strcmp(key, "peer-ip") == 0)
		return pktgen_value_ip(value, &port->peer_ip, err);
	if (strcmp(key, "server") == 0) {
		status = pktgen_value_whole(value, 0, 1, &flag, err);
		port->server = status == 0 && flag == 1;
		return status;
	}
	snprintf(err, PKTGEN_ERR, "a port has no '%.40s': server, mac, ip, peer-mac, peer-ip", key);
	return -1;
}

static int add_port(struct pktgen_options *options, char *text, char err[PKTGEN_ERR])
{
	struct pktgen_port_options *port = &options->ports[options->n_ports];
	char *save = NULL, *path = strtok_r(text, ",", &save), *part;

	if (options->n_ports == PKTGEN_PORTS) {
		snprintf(err, PKTGEN_ERR, "at most %u ports; start one more generator for others",
			PKTGEN_PORTS);
		return -1;
	}
	if (path == NULL || strlen(path) >= sizeof(port->path)) {
		snprintf(err, PKTGEN_ERR, "a socket's path has 1 to %zu bytes",
			sizeof(port->path) - 1);
		return -1;
	}
	strcpy(port->path, path);
	while ((part = strtok_r(NULL, ",", &save)) != NULL) {
		char *equals = strchr(part, '=');

		if (equals != NULL)
			*equals++ = '\0';
		if (port_key(port, part, equals, err) != 0)
			return -1;
	}
	options->n_ports++;
	return 0;
}

static int percent(const char *text, double *part, char err[PKTGEN_ERR])
{
	if (pktgen_value_number(text, part, err) != 0)
		return -1;
	*part /= 100;
	return 0;
}

static int line_rate(const char *text, double *line, char err[PKTGEN_ERR])
{
	struct pktgen_rate rate;

	if (pktgen_value_rate(text, &rate, err) != 0)
		return -1;
	if (rate.unit != PKTGEN_RATE_BITS) {
		snprintf(err, PKTGEN_ERR, "'%.40s' is not a line's rate in bits, such as 10Gbps",
			text);
		return -1;
	}
	*line = rate.value;
	return 0;
}

static int protocol(const char *text, uint8_t *number, char err[PKTGEN_ERR])
{
	unsigned v;

	if (one_of(text, traffics, 2, &v, err) != 0)
		return -1;
	*number = v == PKTGEN_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	return 0;
}

static int vlan(const char *text, uint16_t *tag, char err[PKTGEN_ERR])
{
	uint64_t v;

	if (pktgen_value_whole(text, 1, 4094, &v, err) != 0)
		return -1;
	*tag = (uint16_t)v;
	return 0;
}

/* Options whose value is what traffic is made of. */
static int take_traffic(
	struct pktgen_options *o, enum id id, const char *text, char err[PKTGEN_ERR])
{
	static const char *const data[] = {"random", "zeros"};
	unsigned v = 0;
	int status;

	switch (id) {
	case ID_TRAFFIC:
		status = one_of(text, traffics, TRAFFICS, &v, err);
		o->traffic = (enum pktgen_traffic)v;
		return status;
	case ID_SIZE:
		o->sizes_given = true;
		return pktgen_size_parse(text, &o->sizes, err);
	case ID_FLOWS:
		return pktgen_value_whole(text, 1, UINT32_MAX, &o->flows, err);
	case ID_SRC_PORT:
	case ID_DST_PORT:
	case ID_SRC_IP:
	case ID_DST_IP:
		return pktgen_range_parse(text, id == ID_SRC_IP || id == ID_DST_IP,
			&o->ranges[id - ID_SRC_PORT], err);
	case ID_PROTOCOL:
		return protocol(text, &o->protocol, err);
	case ID_VLAN:
		return vlan(text, &o->vlan, err);
	case ID_TSO:
		return pktgen_value_whole(text, 64, 9000, &o->tso, err);
	case ID_SMB:
		status = one_of(text, smbs, 3, &v, err);
		o->smb = (enum pktgen_smb)v;
		return status;
	case ID_SMB_BLOCK:
		return pktgen_value_whole(text, 64, 1 << 20, &o->smb_block, err);
	case ID_SMB_DATA:
		status = one_of(text, data, 2, &v, err);
		o->smb_zeros = v == 1;
		return status;
	case ID_SMB_MARKER:
		return o->smb_marker = text, 0;
	case ID_SMB_SHARE:
		return percent(text, &o->smb_share, err);
	case ID_SMB_FLOWS:
		return pktgen_value_whole(text, 1, UINT16_MAX, &o->smb_flows, err);
	case ID_WINDOW:
		return pktgen_value_whole(text, 1460, 8 << 20, &o->window, err);
	case ID_CAPTURE:
		return o->capture = text, 0;
	case ID_LOOPS:
		return pktgen_value_whole(text, 1, UINT32_MAX, &o->loops, err);
	default:
		return 1;
	}
}

/* Options whose value says how much, how long, and where. */
static int take_run(struct pktgen_options *o, enum id id, char *text, char err[PKTGEN_ERR])
{
	switch (id) {
	case ID_PORT:
		return add_port(o, text, err);
	case ID_RATE:
		return pktgen_value_rate(text, &o->rate, err);
	case ID_LINE:
		return line_rate(text, &o->line, err);
	case ID_DURATION:
		return pktgen_value_number(text, &o->duration, err);
	case ID_WARMUP:
		return pktgen_value_number(text, &o->warmup, err);
	case ID_INTERVAL:
		return pktgen_value_number(text, &o->interval, err);
	case ID_WAIT:
		return pktgen_value_number(text, &o->wait, err);
	case ID_COUNT:
		return pktgen_value_whole(text, 1, 1ull << 50, &o->count, err);
	case ID_LATENCY:
		o->latency = 16;
		return text == NULL ? 0 : pktgen_value_whole(text, 1, 1 << 20, &o->latency, err);
	case ID_LOSS:
		return percent(text, &o->loss, err);
	case ID_RESOLUTION:
		return percent(text, &o->resolution, err);
	case ID_CORE:
		o->core_given = true;
		return pktgen_value_whole(text, 0, 1023, &o->core, err);
	case ID_MEMORY:
		return pktgen_value_whole(text, 32, 1 << 20, &o->memory, err);
	case ID_QUEUE_SIZE:
		return pktgen_value_whole(text, 64, 32768, &o->queue_size, err);
	case ID_VIRTIO:
		return o->virtio = text, 0;
	default:
		return 1;
	}
}

static void take_flag(struct pktgen_options *o, enum id id)
{
	o->one_way |= id == ID_ONE_WAY;
	o->verify |= id == ID_VERIFY;
	o->keep |= id == ID_KEEP;
	o->search |= id == ID_SEARCH;
	o->json |= id == ID_JSON;
	o->keep_macs |= id == ID_KEEP_MACS;
	o->huge |= id == ID_HUGE;
	o->no_huge |= id == ID_NO_HUGE;
}

/* The port numbered i from 0 is 10.0.0.(i + 1) with 02:00:00:00:00:(i + 1). */
static void complete_ports(struct pktgen_options *o)
{
	for (unsigned i = 0; i < o->n_ports; i++) {
		struct pktgen_port_options *port = &o->ports[i];

		if (!port->has_mac)
			memcpy(port->mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(i + 1)}, 6);
		if (port->ip == 0)
			port->ip = 0x0a000001 + i;
	}
	for (unsigned i = 0; i < o->n_ports; i++) {
		struct pktgen_port_options *port = &o->ports[i];
		/* The last of an odd number gets back what it sends, from who reflects it. */
		const struct pktgen_port_options *peer =
			&o->ports[(i ^ 1) < o->n_ports ? i ^ 1 : i];

		if (!port->has_peer_mac)
			memcpy(port->peer_mac, peer->mac, 6);
		if (port->peer_ip == 0)
			port->peer_ip = peer->ip;
	}
}

/* Neither a number of flows nor ranges that would make one. */
static void complete_flows(struct pktgen_options *o)
{
	bool given = o->flows > 0;

	for (unsigned i = 0; i < PKTGEN_FIELDS; i++)
		given |= o->ranges[i].count > 0;
	if (!given)
		o->flows = o->traffic == PKTGEN_STORM ? STORM_FLOWS : 1;
}

static const char *contradiction(const struct pktgen_options *o)
{
	bool pairs = o->traffic != PKTGEN_UDP && o->traffic != PKTGEN_IDLE;

	if (o->n_ports == 0)
		return "no port: give the switch's vhost-user sockets with -p";
	if (pairs && o->n_ports % 2 != 0)
		return "this traffic needs ports in pairs: give an even number with -p";
	if (o->traffic == PKTGEN_MIX && o->n_ports < 4)
		return "a mixture needs two pairs of ports or more: SMB has the last";
	if (o->traffic == PKTGEN_REPLAY && (o->n_ports != 2 || o->capture == NULL))
		return "a replay needs two ports and --capture FILE";
	if (o->traffic != PKTGEN_REPLAY && o->capture != NULL)
		return "--capture is for --traffic replay";
	if (o->latency > 0 && o->traffic > PKTGEN_TCP)
		return "--latency is for udp and tcp";
	if (o->search && o->traffic > PKTGEN_TCP)
		return "--search is for udp and tcp";
	if (o->search && o->count > 0)
		return "a search's trials end with their --duration, not with a --count";
	if (o->tso > 0 && o->traffic != PKTGEN_TCP && o->traffic != PKTGEN_SMB)
		return "--tso is for tcp and smb";
	if (o->huge && o->no_huge)
		return "--huge and --no-huge contradict each other";
	if (o->duration <= 0)
		return "a --duration is more than 0 seconds";
	if (o->smb_share <= 0 || o->smb_share >= 1)
		return "--smb-share is more than 0 and less than 100 percent";
	if (o->resolution <= 0 || o->resolution >= 1 || o->loss >= 1)
		return "--resolution and --loss are less than 100 percent, --resolution more than "
		       "0";
	if ((o->queue_size & (o->queue_size - 1)) != 0)
		return "a --queue-size is a power of two";
	if (o->smb_marker != NULL && strlen(o->smb_marker) > o->smb_block)
		return "--smb-marker does not fit into a block";
	return NULL;
}

static void set_defaults(struct pktgen_options *o)
{
	*o = (struct pktgen_options){
		.protocol = IPPROTO_UDP,
		.sizes = {.min = PKTGEN_SIZE_MIN, .max = PKTGEN_SIZE_MIN},
		.line = 10e9,
		.duration = 10,
		.resolution = 0.01,
		.smb = PKTGEN_SMB_WRITE,
		.smb_block = 65536,
		.smb_share = 0.1,
		.smb_flows = 8,
		.window = 262144,
		.loops = 1,
		.queue_size = 1024,
		.wait = 10,
	};
}

/* For getopt_long(); short: the letters, with their colons. */
static void make_tables(struct option longs[OPTIONS + 1], char letters[4 * OPTIONS])
{
	char *at = letters;

	*at++ = ':';
	memset(longs, 0, (OPTIONS + 1) * sizeof(*longs));
	for (unsigned i = 0; i < OPTIONS; i++) {
		const char *value = table[i].value;

		longs[i].name = table[i].name;
		longs[i].val = (int)table[i].id;
		longs[i].has_arg = value == NULL     ? no_argument
				   : value[0] == '[' ? optional_argument
						     : required_argument;
		if (table[i].id >= ID_LONG)
			continue;
		*at++ = (char)table[i].id;
		for (int colons = longs[i].has_arg; colons > 0; colons--)
			*at++ = ':';
	}
	*at = '\0';
}

/* One option; as pktgen_options_parse(). */
static int take(struct pktgen_options *o, enum id id, char err[PKTGEN_ERR])
{
	char reason[PKTGEN_ERR];
	int status;

	if (id == ID_HELP)
		return pktgen_options_help(stdout), 1;
	if (id == ID_VERSION)
		return puts("vswitch-pktgen " VSWITCH_VERSION), 1;
	status = take_traffic(o, id, optarg, reason);
	if (status == 1)
		status = take_run(o, id, optarg, reason);
	if (status == 1)
		take_flag(o, id);
	if (status >= 0)
		return 0;
	for (unsigned i = 0; i < OPTIONS; i++)
		if (table[i].id == id)
			snprintf(err, PKTGEN_ERR, "--%s: %.*s", table[i].name, PKTGEN_ERR - 32,
				reason);
	return -1;
}

int pktgen_options_parse(
	struct pktgen_options *options, int argc, char **argv, char err[PKTGEN_ERR])
{
	struct option longs[OPTIONS + 1];
	char letters[4 * OPTIONS];
	const char *wrong;
	int id, status;

	set_defaults(options);
	make_tables(longs, letters);
	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (id == '?' || id == ':') {
			snprintf(err, PKTGEN_ERR, "%.80s: %s; see --help", argv[optind - 1],
				id == ':' ? "a value is missing" : "no such option");
			return -1;
		}
		status = take(options, (enum id)id, err);
		if (status != 0)
			return status;
	}
	if (optind < argc) {
		snprintf(err, PKTGEN_ERR, "'%.80s' is no option; sockets are given with -p",
			argv[optind]);
		return -1;
	}
	complete_flows(options);
	wrong = contradiction(options);
	if (wrong != NULL) {
		snprintf(err, PKTGEN_ERR, "%s", wrong);
		return -1;
	}
	complete_ports(options);
	return 0;
}
