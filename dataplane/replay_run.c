#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "capture.h"
#include "eal.h"
#include "fragments.h"
#include "log.h"
#include "replay.h"
#include "replay_inspect.h"
#include "replay_run.h"
#include "switch.h"
#include "switch_ports.h"

#define BUFFERS    4096 /* one frame is under way at a time; the rest is for copies and segments */
#define PICK_UP_S  (100u * 365 * 24 * 3600)
#define PASSES_MAX 64 /* until a frame and its hand-overs have come to rest */

/* What the one run needs all along. */
struct run {
	struct config *config;
	struct replay *replay;
	struct capture_writer *writer;
	struct replay_inspect *inspect;
	uint64_t frames; /* put in */
	const char *ports[MAX_PORTS]; /* names by the replay's slot */
	uint64_t start_ns; /* of the capture: keeps cycles small and a run like any other */
	uint64_t last_ns; /* of the frame put in last */
};

/* The configuration where FILE has none of its own: two ports in one network. */
static const char default_config[] =
	"networks:\n"
	"  - {name: replay}\n"
	"ports:\n"
	"  - {name: opener, network: replay, kernel: {interface: opener}}\n"
	"  - {name: peer, network: replay, kernel: {interface: peer}}\n";

static struct config *load(const char *file)
{
	struct config_report report;
	struct config_doc *doc;
	struct config *config = NULL;

	config_report_init(&report);
	doc = file != NULL ? config_doc_from_file(file, &report)
			   : config_doc_from_yaml("(replay)", default_config,
				     sizeof(default_config) - 1, &report);
	if (doc != NULL)
		config = config_decode(doc, &report);
	config_doc_free(doc);
	if (config == NULL)
		config_report_print(&report, stderr);
	return config;
}

/*
 * Without a mapping the two sides of a conversation are two ports, whatever their addresses: the
 * same host may open one conversation and answer another. So the addresses of the capture are not
 * the ports' own, and every frame goes to the other side.
 */
static void make_sides(struct config *config)
{
	struct config_network *network = &config->networks[config->ports[0].network_index];

	for (unsigned i = 0; i < 2; i++) {
		struct config_port *port = &config->ports[i];

		port->has_mac = false;
		port->flood = CONFIG_FLOOD_ON;
		port->tagged = true;
		port->isolated = false;
		port->trusted = true;
		port->storm = (struct config_storm){UINT32_MAX, UINT32_MAX, UINT32_MAX};
		port->limits = (struct config_limits){UINT32_MAX, UINT32_MAX};
		port->network_index = config->ports[0].network_index;
		memcpy(port->network, config->ports[0].network, sizeof(port->network));
	}
	network->learning = false;
	network->wire = true;
	network->unknown_unicast = CONFIG_UNKNOWN_FLOOD;
	network->ethertypes[0] = CONFIG_ETHERTYPE_ANY;
	network->n_ethertypes = 1;
	config->n_ports = 2;
	/* A capture may begin anywhere, and go on for long. */
	config->firewall.pick_up_s = PICK_UP_S;
}

static int prepare(struct run *run, const char *file, const char *in)
{
	char err[512];

	run->config = load(file);
	if (run->config != NULL && run->config->n_replay == 0 && run->config->n_ports < 2) {
		/* FILE has no two ports to stand for the sides. */
		config_free(run->config);
		run->config = load(NULL);
	}
	if (run->config == NULL)
		return -1;
	run->config->vswitch.hugepages = CONFIG_HUGEPAGES_NO;
	run->config->vswitch.buffers = BUFFERS;
	run->config->vswitch.state[0] = '\0';
	if (run->config->n_replay == 0)
		make_sides(run->config);
	for (unsigned i = 0; i < run->config->n_ports; i++)
		run->ports[i] = run->config->ports[i].name;
	if (eal_start(&run->config->vswitch, false, err, sizeof(err)) != 0 ||
		(run->replay = replay_open(in, run->config, err, sizeof(err))) == NULL) {
		fprintf(stderr, "vswitchd: %s\n", err);
		return -1;
	}
	return 0;
}

static int start_switch(struct run *run)
{
	struct config_report report;
	char err[512];

	switch_state.single_step = true;
	switch_ports_use_driver(&capture_driver);
	if (switch_start(&run->config->vswitch, err, sizeof(err)) != 0) {
		fprintf(stderr, "vswitchd: %s\n", err);
		return -1;
	}
	run->inspect = replay_inspect_start(&run->config->vswitch, err, sizeof(err));
	if (run->inspect == NULL) {
		fprintf(stderr, "vswitchd: %s\n", err);
		return -1;
	}
	config_report_init(&report);
	if (switch_reconfigure(run->config, &report) != 0) {
		config_report_print(&report, stderr);
		return -1;
	}
	if (replay_inspect_ready(err, sizeof(err)))
		return 0;
	fprintf(stderr, "vswitchd: %s\n", err);
	return -1;
}

static int open_output(struct run *run, const char *out)
{
	char err[512];

	if (out == NULL)
		return 0;
	if (replay_is_input(run->replay, out)) {
		fprintf(stderr, "vswitchd: --out %s is the capture itself: name another file\n",
			out);
		return -1;
	}
	run->writer = capture_writer_open(out, err, sizeof(err));
	if (run->writer == NULL) {
		fprintf(stderr, "vswitchd: %s\n", err);
		return -1;
	}
	capture_set_output(run->writer);
	return 0;
}

static void set_time(const struct run *run, uint64_t ts_ns)
{
	/* A second's lead, since a time of 0 means "never" here and there. */
	uint64_t ns = ts_ns - run->start_ns + 1000000000;
	uint64_t cycles = (unsigned __int128)ns * rte_get_tsc_hz() / 1000000000;

	for (unsigned i = 0; i < n_workers; i++)
		workers[i]->now = cycles;
	capture_set_time(ts_ns);
}

static void settle(void)
{
	unsigned moved = 1;

	for (unsigned pass = 0; moved > 0 && pass < PASSES_MAX; pass++) {
		moved = 0;
		for (unsigned i = 0; i < n_workers; i++)
			moved += worker_pass(workers[i]) + workers[i]->chores;
	}
}

/* What still waits for its rest will not get it any more: it is dropped as it would be in time. */
static void give_up_fragments(const struct run *run)
{
	set_time(run, run->last_ns + (FRAGMENTS_TIMEOUT + 1) * UINT64_C(1000000000));
	settle();
}

/* Returns the number of frames that could not be put in. */
static uint64_t feed(struct run *run)
{
	struct capture_frame frame;
	uint64_t lost = 0;
	bool first = true;
	unsigned slot;

	while (replay_next(run->replay, &slot, &frame) == 1) {
		struct port_entry *port = switch_find_port(run->ports[slot]);

		if (first)
			run->start_ns = frame.ts_ns;
		first = false;
		run->last_ns = frame.ts_ns;
		set_time(run, frame.ts_ns);
		if (port->dev == NULL || capture_inject(port->dev, frame.data, frame.len) != 0)
			lost++;
		settle();
		replay_inspect_take(run->inspect, ++run->frames);
	}
	give_up_fragments(run);
	return lost;
}

static void print_summary(struct run *run, uint64_t lost)
{
	json_t *summary = json_object(), *ledger = switch_ledger();

	json_object_set_new(summary, "capture", replay_summary(run->replay));
	json_object_set_new(summary, "lost", json_integer((json_int_t)lost));
	json_object_set(summary, "packets_in", json_object_get(ledger, "received"));
	json_object_set(summary, "packets_out", json_object_get(ledger, "sent"));
	json_object_set(summary, "drops", json_object_get(ledger, "drops"));
	json_object_set_new(summary, "ledger", ledger);
	json_object_set_new(summary, "ports", switch_stats(NULL));
	if (run->config->n_inspection > 0)
		json_object_set_new(summary, "inspection", replay_inspect_summary(run->inspect));
	json_dumpf(summary, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(summary);
}

static int finish(struct run *run, int code)
{
	char err[512];

	capture_set_output(NULL);
	switch_stop();
	replay_inspect_stop(run->inspect);
	if (run->writer != NULL && capture_writer_close(run->writer, err, sizeof(err)) != 0) {
		fprintf(stderr, "vswitchd: %s\n", err);
		code = 2;
	}
	replay_close(run->replay);
	eal_stop();
	return code;
}

int replay_run(const char *file, const char *in, const char *out)
{
	struct run run = {0};
	int code = 2;

	if (prepare(&run, file, in) == 0 && start_switch(&run) == 0 &&
		open_output(&run, out) == 0) {
		uint64_t lost = feed(&run);

		if (replay_error(run.replay) != NULL)
			fprintf(stderr, "vswitchd: %s: %s\n", in, replay_error(run.replay));
		print_summary(&run, lost);
		code = 0;
	}
	code = finish(&run, code);
	config_free(run.config);
	return code;
}
