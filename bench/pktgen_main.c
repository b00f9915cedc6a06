/*
 * vswitch-pktgen: a load generator for vhost-user switches. See vswitch-pktgen(1).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

#include "pktgen_traffic.h"

static int fail(const char *err)
{
	fprintf(stderr, "vswitch-pktgen: %s\n", err);
	return 1;
}

static void stop(int signal)
{
	pktgen_stopped = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int run(const struct pktgen_options *options, char err[PKTGEN_ERR])
{
	static struct pktgen_ports ports;
	struct pktgen_report report = {.options = options};
	uint32_t buffers;
	unsigned strangers = 0;
	int status;

	if (pktgen_traffic_buffers(options, &buffers, err) != 0 ||
		pktgen_ports_open(&ports, options, buffers, err) != 0)
		return -1;
	if (options->traffic != PKTGEN_IDLE)
		strangers = pktgen_ports_meet(&ports, options);
	if (strangers > 0)
		fprintf(stderr,
			"vswitch-pktgen: %u ports have heard no ARP request of their peer: are "
			"they in "
			"one network of the switch, and are mac= and ip= what it lets pass?\n",
			strangers);
	pktgen_ports_empty(&ports);
	status = pktgen_traffic_run(&ports, options, &report, err);
	if (status == 0 && options->json) {
		json_t *json = pktgen_report_json(&report);

		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
		putchar('\n');
		json_decref(json);
	} else if (status == 0) {
		pktgen_report_print(&report, stdout);
	}
	pktgen_report_free(&report);
	pktgen_ports_close(&ports);
	return status;
}

int main(int argc, char **argv)
{
	static struct pktgen_options options;
	char err[PKTGEN_ERR];
	int status = pktgen_options_parse(&options, argc, argv, err);

	if (status != 0)
		return status > 0 ? 0 : fail(err);
	if (pktgen_ports_eal(&options, err) != 0)
		return fail(err);
	catch_signals();
	status = run(&options, err);
	rte_eal_cleanup();
	return status == 0 ? 0 : fail(err);
}
