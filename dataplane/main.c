/*
 * vswitchd: reads its arguments, brings everything up in order, and runs the control thread.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_timer.h"
#include "blocks.h"
#include "commands.h"
#include "control.h"
#include "eal.h"
#include "events.h"
#include "firewall_events.h"
#include "flow_events.h"
#include "inspect_events.h"
#include "inspect_store.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "quarantine.h"
#include "replay_run.h"
#include "stats_events.h"
#include "switch.h"
#include "switch_inspect.h"
#include "transaction.h"
#include "version.h"
#include "vhost_user.h"

#define EXIT_USAGE  2
#define TICK_MS     1000
#define FIREWALL_MS 200 /* from a verdict to its event */

struct options {
	const char *file;
	const char *replay;
	const char *out;
};

static const char usage_text[] =
	"usage: vswitchd -c FILE\n"
	"       vswitchd [-c FILE] --replay CAPTURE [--out CAPTURE]\n"
	"\n"
	"  -c, --config FILE     configuration, see vswitchd.yaml(5)\n"
	"      --replay CAPTURE  run a capture (pcap, pcapng, gzip of either) through the switch,\n"
	"                        offline, print a JSON summary and end\n"
	"      --out CAPTURE     write what the ports were sent in the replay (pcap)\n"
	"      --version         print the version\n"
	"  -h, --help            print this\n"
	"\n"
	"Runs in the foreground until SIGTERM. Exit codes: 0 stopped or replayed, 1 could not "
	"start,\n"
	"2 wrong usage, or a replay of what is no capture or with a refused configuration.\n";

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"replay", required_argument, NULL, 'r'},
		{"out", required_argument, NULL, 'o'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->file = optarg;
			break;
		case 'r':
			options->replay = optarg;
			break;
		case 'o':
			options->out = optarg;
			break;
		case 'V':
			puts("vswitchd " VSWITCH_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage_text, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || (options->out != NULL && options->replay == NULL) ||
		(options->file == NULL && options->replay == NULL)) {
		fputs(usage_text, stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static void on_signal(int signo, void *arg)
{
	if (signo == SIGHUP) {
		events_reopen();
		return;
	}
	loop_stop();
}

static void on_port_event(int fd, uint32_t events, void *arg)
{
	switch_port_events();
}

static void on_tick(void *arg)
{
	const char *problem = transaction_problem();

	switch_tick();
	inspect_store_tick();
	quarantine_tick((uint64_t)time(NULL), switch_inspect_term);
	if (problem != NULL)
		notify_status("%s", problem);
	else if (inspect_store_problem() != NULL)
		notify_status("%s", inspect_store_problem());
	else
		notify_status("configuration revision %u", transaction_revision());
}

static void on_firewall(void *arg)
{
	firewall_events_poll();
	inspect_events_poll();
	flow_events_poll();
}

static void on_stats(void *arg)
{
	stats_events_emit();
}

static void on_rules(int fd, uint32_t events, void *arg)
{
	inspect_store_poll();
}

static void on_watchdog(void *arg)
{
	if (switch_workers_alive())
		notify_watchdog();
}

/* The parts that need undoing, in the order in which they come up. */
static int open_control(const struct config_vswitch *conf)
{
	struct control_options options = {
		.path = conf->control,
		.access = conf->control_access,
		.answer = commands_answer,
	};
	char err[512];

	if (control_open(&options, err, sizeof(err)) == 0)
		return 0;
	log_error("%s", err);
	return -1;
}

static int start_switch(const struct config_vswitch *conf)
{
	char err[512];

	if (eal_start(conf, true, err, sizeof(err)) != 0) {
		log_error("%s", err);
		return -1;
	}
	vhost_user_set_access(&conf->socket_access);
	if (switch_start(conf, err, sizeof(err)) == 0)
		return 0;
	log_error("%s", err);
	eal_stop();
	return -1;
}

/* What inspection stands on, before the first configuration asks for it. */
static int start_inspection(const struct config_vswitch *conf)
{
	char cache[sizeof(conf->state) + 16] = "", err[512];

	if (conf->state[0] != '\0')
		snprintf(cache, sizeof(cache), "%s/rules", conf->state);
	if (!inspect_store_start(conf->rules, cache, switch_inspect_changed, err, sizeof(err))) {
		log_error("%s", err);
		return -1;
	}
	(void)quarantine_load(conf->state, conf->evidence, conf->hook);
	if (loop_add(inspect_store_fd(), EPOLLIN, on_rules, NULL) != NULL)
		return 0;
	log_error("cannot watch the compiler thread: too many open files?");
	return -1;
}

static int run(const struct config_vswitch *conf)
{
	uint64_t watchdog_ms = notify_watchdog_ms();

	(void)blocks_load(conf->state); /* transaction_start() goes by what came of it */
	block_timer_set();
	(void)transaction_start(); /* what is wrong is in the log then, and in status */
	if (loop_add(switch_event_fd(), EPOLLIN, on_port_event, NULL) == NULL ||
		loop_every(TICK_MS, on_tick, NULL) == NULL ||
		loop_every(FIREWALL_MS, on_firewall, NULL) == NULL ||
		(conf->stats_s > 0 &&
			loop_every(conf->stats_s * UINT64_C(1000), on_stats, NULL) == NULL) ||
		(watchdog_ms > 0 && loop_every(watchdog_ms, on_watchdog, NULL) == NULL)) {
		log_error("cannot watch ports: too many open files?");
		return EXIT_FAILURE;
	}
	events_emit("start", NULL);
	notify_ready();
	loop_run();
	notify_stopping();
	events_emit("stop", NULL);
	return EXIT_SUCCESS;
}

static int serve(const char *file)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	const struct config_vswitch *conf;
	int code = EXIT_FAILURE;

	signal(SIGPIPE, SIG_IGN);
	if (loop_open() != 0 || loop_signals(signals, 3, on_signal, NULL) != 0) {
		log_error("cannot start the event loop: too many open files?");
		return code;
	}
	notify_open();
	conf = transaction_load(file);
	if (conf == NULL) {
		log_error("out of memory");
		return code;
	}
	/* The socket first: it tells whether another vswitchd is at work. */
	if (open_control(conf) == 0) {
		events_open(conf->events);
		if (start_switch(conf) == 0) {
			if (start_inspection(conf) == 0)
				code = run(conf);
			switch_stop();
			inspect_store_stop();
			quarantine_free();
			eal_stop();
		}
		control_close();
		transaction_stop();
		blocks_free();
		events_close();
	}
	notify_close();
	loop_close();
	return code;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int code = parse_options(argc, argv, &options);

	if (code >= 0)
		return code;
	if (options.replay != NULL)
		return replay_run(options.file, options.replay, options.out);
	return serve(options.file);
}
