#include <stdio.h>
#include <string.h>

#include "pktgen_flows.h"

/* What ports have where none are given. */
#define CLIENT_FIRST 1024u
#define CLIENTS      60000u
#define SERVER_FIRST 5000u
#define SERVERS      (65536u - SERVER_FIRST)

static int value(const char *text, bool address, uint32_t *v, char err[PKTGEN_ERR])
{
	uint64_t number;

	if (address && strchr(text, '.') != NULL)
		return pktgen_value_ip(text, v, err);
	if (pktgen_value_whole(text, 0, address ? UINT32_MAX : UINT16_MAX, &number, err) != 0)
		return -1;
	*v = (uint32_t)number;
	return 0;
}

/* min, max and step are there: how many values, and which is the first. */
static int settle(struct pktgen_range *range, uint32_t start, uint32_t min, uint32_t max,
	uint32_t step, char err[PKTGEN_ERR])
{
	if (max < min || start < min || start > max) {
		snprintf(err, PKTGEN_ERR,
			"a range's maximum is below its minimum, or its start outside of it");
		return -1;
	}
	if (step == 0) { /* Pktgen's way to say that it stays as it is */
		min = max = start;
		step = 1;
	}
	if (max - min == UINT32_MAX && step == 1)
		max--;
	range->min = min;
	range->step = step;
	range->count = (max - min) / step + 1;
	range->first = (start - min) / step;
	return 0;
}

static int parse_four(char *text, bool addresses, struct pktgen_range *range, char err[PKTGEN_ERR])
{
	uint32_t v[4];
	char *save = NULL, *part = strtok_r(text, ":", &save);
	unsigned n = 0;

	for (; part != NULL && n < 4; part = strtok_r(NULL, ":", &save))
		if (value(part, addresses, &v[n++], err) != 0)
			return -1;
	if (n != 4 || part != NULL) {
		snprintf(err, PKTGEN_ERR,
			"a range with colons has four parts: "
			"START:MIN:MAX:STEP");
		return -1;
	}
	return settle(range, v[0], v[1], v[2], v[3], err);
}

int pktgen_range_parse(
	const char *text, bool addresses, struct pktgen_range *range, char err[PKTGEN_ERR])
{
	char copy[128], *dash, *plus;
	uint32_t min, max, step = 1;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, PKTGEN_ERR,
			"a range is MIN-MAX, MIN-MAX+STEP or "
			"START:MIN:MAX:STEP");
		return -1;
	}
	strcpy(copy, text);
	if (strchr(copy, ':') != NULL)
		return parse_four(copy, addresses, range, err);
	plus = strchr(copy, '+');
	if (plus != NULL) {
		*plus = '\0';
		if (value(plus + 1, addresses, &step, err) != 0)
			return -1;
	}
	dash = strchr(copy, '-');
	if (dash != NULL)
		*dash = '\0';
	if (value(copy, addresses, &min, err) != 0)
		return -1;
	max = min;
	if (dash != NULL && value(dash + 1, addresses, &max, err) != 0)
		return -1;
	return settle(range, min, min, max, step, err);
}

static void fill(struct pktgen_range *range, uint32_t min, uint64_t count)
{
	if (range->count == 0)
		*range = (struct pktgen_range){.min = min, .step = 1, .count = (uint32_t)count};
}

/* How many values one more field needs so that n flows come of it: 1 to max. */
static uint64_t needed(uint64_t n, uint64_t without, uint64_t max)
{
	uint64_t v = n == 0 ? 1 : (n - 1) / without + 1;

	return v < max ? v : max;
}

static uint64_t times(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

int pktgen_flows_init(struct pktgen_flows *flows, const struct pktgen_range given[PKTGEN_FIELDS],
	uint64_t n, uint32_t from, uint32_t to, char err[PKTGEN_ERR])
{
	struct pktgen_range *field = flows->field;
	uint64_t product = 1, fixed;

	memcpy(field, given, sizeof(flows->field));
	fill(&field[PKTGEN_SRC_IP], from, 1);
	fill(&field[PKTGEN_DST_IP], to, 1);
	fixed = times(field[PKTGEN_SRC_IP].count, field[PKTGEN_DST_IP].count);
	if (field[PKTGEN_DST_PORT].count > 0)
		fixed = times(fixed, field[PKTGEN_DST_PORT].count);
	fill(&field[PKTGEN_SRC_PORT], CLIENT_FIRST, needed(n, fixed, CLIENTS));
	fixed = times(fixed, field[PKTGEN_SRC_PORT].count);
	fill(&field[PKTGEN_DST_PORT], SERVER_FIRST, needed(n, fixed, SERVERS));
	for (unsigned i = 0; i < PKTGEN_FIELDS; i++)
		product = times(product, field[i].count);
	if (n > product) {
		snprintf(err, PKTGEN_ERR,
			"the ranges of addresses and ports make %llu flows, not %llu: widen one, "
			"or take less flows",
			(unsigned long long)product, (unsigned long long)n);
		return -1;
	}
	flows->n = n != 0 ? n : product;
	return 0;
}

static uint32_t nth_of(const struct pktgen_range *range, uint64_t *n)
{
	uint64_t at = (*n % range->count + range->first) % range->count;

	*n /= range->count;
	return range->min + (uint32_t)at * range->step;
}

void pktgen_flows_nth(const struct pktgen_flows *flows, uint64_t n, struct pktgen_tuple *tuple)
{
	tuple->sport = (uint16_t)nth_of(&flows->field[PKTGEN_SRC_PORT], &n);
	tuple->src = nth_of(&flows->field[PKTGEN_SRC_IP], &n);
	tuple->dport = (uint16_t)nth_of(&flows->field[PKTGEN_DST_PORT], &n);
	tuple->dst = nth_of(&flows->field[PKTGEN_DST_IP], &n);
}

void pktgen_cursor_init(
	struct pktgen_cursor *cursor, const struct pktgen_flows *flows, uint64_t index)
{
	const struct pktgen_range *ports = &flows->field[PKTGEN_SRC_PORT];
	uint32_t at = (uint32_t)((index % ports->count + ports->first) % ports->count);
	uint64_t first = index % ports->count; /* of this round of source ports */
	uint64_t left = ports->count - first;

	if (ports->count - at < left) /* the range begins anew within the round */
		left = ports->count - at;
	if (flows->n - index < left)
		left = flows->n - index;
	cursor->flows = flows;
	cursor->index = index;
	cursor->left = (uint32_t)left;
	pktgen_flows_nth(flows, index, &cursor->tuple);
}
