#include <stdlib.h>

#include <rte_cycles.h>

#include "pktgen_report.h"
#include "version.h"

#define HEADROOM_MIN 0.05 /* below it, the generator may be what limits */
#define LATE_MAX     0.001 /* part of the packets due that may be missed */

static const struct {
	const char *name;
	double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};

#define PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static double per_second(uint64_t n, double seconds)
{
	return seconds > 0 ? (double)n / seconds : 0;
}

/* Of frames with FCS and what a wire has between them, as RFC 2544 counts a line's rate. */
static double wire_bits(uint64_t packets, uint64_t bytes, double seconds)
{
	return per_second((bytes + packets * (PKTGEN_FCS + 20)) * 8, seconds);
}

const char *pktgen_report_limit(const struct pktgen_report *report)
{
	const struct pktgen_counts *all = &report->result.all;
	double due = (double)(all->sent + all->refused + all->missed);

	if ((double)all->missed > LATE_MAX * due ||
		pktgen_meter_headroom(&report->result.meter) < HEADROOM_MIN)
		return "generator";
	if (report->options->rate.unit != PKTGEN_RATE_MAX && all->refused == 0)
		return "rate";
	return "switch";
}

static json_t *latency_json(const struct pktgen_histogram *h)
{
	json_t *object = json_pack("{s:I, s:I, s:f, s:I}", "samples", (json_int_t)h->n, "min_ns",
		(json_int_t)h->min, "mean_ns", pktgen_histogram_mean(h), "max_ns",
		(json_int_t)h->max);

	for (unsigned i = 0; i < PERCENTILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%s_ns", percentiles[i].name);
		json_object_set_new(object, name,
			json_integer((json_int_t)pktgen_histogram_percentile(
				h, percentiles[i].percent)));
	}
	return object;
}

static json_t *counts_json(const struct pktgen_counts *c, double seconds)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "sent",
		(json_int_t)c->sent, "received", (json_int_t)c->received, "refused",
		(json_int_t)c->refused, "missed", (json_int_t)c->missed, "foreign",
		(json_int_t)c->foreign, "sent_bytes", (json_int_t)c->sent_bytes, "received_bytes",
		(json_int_t)c->received_bytes, "sent_pps", per_second(c->sent, seconds),
		"received_pps", per_second(c->received, seconds), "sent_bps",
		wire_bits(c->sent, c->sent_bytes, seconds), "received_bps",
		wire_bits(c->received, c->received_bytes, seconds));
}

static json_t *samples_json(const struct pktgen_result *result)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < result->n_samples; i++) {
		const struct pktgen_sample *s = &result->samples[i];

		json_array_append_new(
			array, json_pack("{s:f, s:I, s:I}", "seconds", s->seconds, "sent",
				       (json_int_t)s->sent, "received", (json_int_t)s->received));
	}
	return array;
}

static json_t *search_json(const struct pktgen_report *report)
{
	json_t *trials = json_array();

	for (unsigned i = 0; i < report->n_trials; i++) {
		const struct pktgen_trial *t = &report->trials[i];

		json_array_append_new(
			trials, json_pack("{s:f, s:f, s:b, s:b}", "pps", t->rate, "loss", t->loss,
					"pass", t->pass, "generator_late", t->late));
	}
	return json_pack("{s:f, s:f, s:o}", "throughput_pps", report->throughput, "allowed_loss",
		report->options->loss, "trials", trials);
}

static json_t *cost_json(const struct pktgen_report *report)
{
	const struct pktgen_meter *meter = &report->result.meter;

	return json_pack("{s:f, s:f, s:s, s:f}", "cycles_per_packet", pktgen_meter_cost(meter),
		"headroom", pktgen_meter_headroom(meter), "limit", pktgen_report_limit(report),
		"tsc_hz", (double)rte_get_tsc_hz());
}

json_t *pktgen_report_json(const struct pktgen_report *report)
{
	const struct pktgen_options *o = report->options;
	const struct pktgen_result *r = &report->result;
	json_t *ports = json_array(), *object;

	for (unsigned i = 0; i < o->n_ports; i++) {
		json_t *port = counts_json(&r->port[i], r->seconds);

		json_object_set_new(port, "socket", json_string(o->ports[i].path));
		json_array_append_new(ports, port);
	}
	object = json_pack("{s:s, s:s, s:f, s:I, s:f, s:f, s:I, s:f, s:o, s:o, s:o}", "version",
		VSWITCH_VERSION, "traffic", pktgen_traffic_name(o->traffic), "mean_size",
		pktgen_size_mean(&o->sizes), "flows", (json_int_t)o->flows, "rate_pps",
		pktgen_rate_packets(&o->rate, pktgen_size_mean(&o->sizes), o->line), "seconds",
		r->seconds, "lost", (json_int_t)pktgen_result_lost(r), "loss",
		pktgen_result_loss(r), "all", counts_json(&r->all, r->seconds), "ports", ports,
		"generator", cost_json(report));
	if (report->latency != NULL)
		json_object_set_new(object, "latency", latency_json(report->latency));
	if (r->n_samples > 0)
		json_object_set_new(object, "samples", samples_json(r));
	if (report->n_trials > 0)
		json_object_set_new(object, "search", search_json(report));
	if (report->more != NULL)
		json_object_set(object, pktgen_traffic_name(o->traffic), report->more);
	return object;
}

static void print_counts(const char *name, const struct pktgen_counts *c, double seconds, FILE *out)
{
	uint64_t due = c->sent + c->refused;

	fprintf(out, "%-24.24s %12llu %12llu %10llu %10.3f %10.3f %8.3f\n", name,
		(unsigned long long)due, (unsigned long long)c->received,
		(unsigned long long)c->refused, per_second(c->sent, seconds) / 1e6,
		per_second(c->received, seconds) / 1e6,
		wire_bits(c->received, c->received_bytes, seconds) / 1e9);
}

static void print_search(const struct pktgen_report *report, FILE *out)
{
	for (unsigned i = 0; i < report->n_trials; i++) {
		const struct pktgen_trial *t = &report->trials[i];

		fprintf(out, "trial %2u: %9.3f Mpps, %.4f %% lost: %s%s\n", i + 1, t->rate / 1e6,
			t->loss * 100, t->pass ? "passes" : "fails",
			t->late ? "; the generator could not offer this rate" : "");
	}
	if (report->n_trials > 0)
		fprintf(out, "throughput (RFC 2544, at most %g %% lost): %.3f Mpps\n",
			report->options->loss * 100, report->throughput / 1e6);
}

static void print_latency(const struct pktgen_histogram *h, FILE *out)
{
	fprintf(out, "latency, us: min %.1f", (double)h->min / 1e3);
	for (unsigned i = 0; i < PERCENTILES; i++)
		fprintf(out, "  %s %.1f", percentiles[i].name,
			(double)pktgen_histogram_percentile(h, percentiles[i].percent) / 1e3);
	fprintf(out, "  max %.1f  (%llu packets)\n", (double)h->max / 1e3,
		(unsigned long long)h->n);
}

static void print_more(const json_t *more, FILE *out)
{
	const char *key, *comma = "";
	json_t *value;

	json_object_foreach ((json_t *)more, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

		fprintf(out, "%s%s %s", comma, key, text != NULL ? text : "?");
		free(text);
		comma = ", ";
	}
	fputc('\n', out);
}

void pktgen_report_print(const struct pktgen_report *report, FILE *out)
{
	const struct pktgen_result *r = &report->result;
	const struct pktgen_options *o = report->options;

	fprintf(out, "%-24s %12s %12s %10s %10s %10s %8s\n", "port", "offered", "received",
		"refused", "sent Mpps", "recv Mpps", "Gbps");
	for (unsigned i = 0; i < o->n_ports; i++)
		print_counts(o->ports[i].path, &r->port[i], r->seconds, out);
	print_counts("all", &r->all, r->seconds, out);
	fprintf(out, "lost %llu (%.4f %%) in %.2f s; foreign %llu\n",
		(unsigned long long)pktgen_result_lost(r), pktgen_result_loss(r) * 100, r->seconds,
		(unsigned long long)r->all.foreign);
	if (report->latency != NULL)
		print_latency(report->latency, out);
	if (report->more != NULL)
		print_more(report->more, out);
	print_search(report, out);
	fprintf(out, "generator: %.0f cycles a packet, headroom %.0f %%, limited by: %s\n",
		pktgen_meter_cost(&r->meter), pktgen_meter_headroom(&r->meter) * 100,
		pktgen_report_limit(report));
	if (r->all.missed > 0)
		fprintf(out, "generator: %llu packets were due and not made in time\n",
			(unsigned long long)r->all.missed);
}

void pktgen_report_free(struct pktgen_report *report)
{
	free(report->result.samples);
	json_decref(report->more);
}
