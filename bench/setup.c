#include "setup.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "eal.h"
#include "switch.h"
#include "switch_ports.h"
#include "switch_state.h"

void setup_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* All rules but the last two are of something else. */
void setup_write_rules(FILE *out, unsigned n)
{
	fputs("groups:\n  - name: rules\n    tenant: bench\n    rules:\n", out);
	for (unsigned i = 0; i + 2 < n; i++)
		fprintf(out,
			"      - {direction: in, protocol: tcp, ports: %u, remote: 10.%u.%u.0/24, "
			"action: allow}\n",
			1 + i % 1000, 1 + i / 250, i % 250);
	fputs("      - {direction: in, protocol: tcp, ports: 5000-5099, remote: 10.0.0.0/16, "
	      "action: allow}\n"
	      "      - {direction: in, protocol: udp, ports: 5000-5099, remote: 10.0.0.0/16, "
	      "action: allow}\n",
		out);
}

static struct config *decode(const char *text)
{
	struct config_report report;
	struct config_doc *doc;
	struct config *config;

	config_report_init(&report);
	doc = config_doc_from_yaml("(bench)", text, strlen(text), &report);
	config = doc != NULL ? config_decode(doc, &report) : NULL;
	config_doc_free(doc);
	if (config == NULL) {
		config_report_print(&report, stderr);
		setup_die("its own configuration is refused");
	}
	config->vswitch.state[0] = '\0';
	return config;
}

void setup_start(const char *vswitch, const struct port_driver *driver, bool stepped)
{
	struct config *config = decode(vswitch);
	char err[512];

	if (eal_start(&config->vswitch, false, err, sizeof(err)) != 0)
		setup_die("%s", err);
	switch_state.single_step = stepped;
	switch_ports_use_driver(driver);
	if (switch_start(&config->vswitch, err, sizeof(err)) != 0)
		setup_die("%s", err);
	config_free(config);
}

void setup_stop(void)
{
	switch_stop();
	eal_stop();
}

void setup_apply(const char *text)
{
	struct config *config = decode(text);
	struct config_report report;

	config_report_init(&report);
	if (switch_reconfigure(config, &report) != 0) {
		config_report_print(&report, stderr);
		setup_die("its own configuration is refused");
	}
	config_free(config);
}
