#include <stdio.h>
#include <string.h>

#include "pktgen_size.h"

#define MIX_MAX 16u /* sizes of a mix */

struct mix {
	unsigned n;
	uint64_t size[MIX_MAX], weight[MIX_MAX], total;
};

static int size_of(const char *text, uint64_t *size, char err[PKTGEN_ERR])
{
	return pktgen_value_whole(text, PKTGEN_SIZE_MIN, PKTGEN_SIZE_MAX, size, err);
}

static int parse_mix(char *text, struct mix *mix, char err[PKTGEN_ERR])
{
	char *save = NULL;

	for (char *part = strtok_r(text, ",", &save); part != NULL;
		part = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(part, ':');

		if (colon == NULL || mix->n == MIX_MAX) {
			snprintf(err, PKTGEN_ERR,
				"a mix is SIZE:WEIGHT,SIZE:WEIGHT..., of at most %u sizes",
				MIX_MAX);
			return -1;
		}
		*colon = '\0';
		if (size_of(part, &mix->size[mix->n], err) != 0 ||
			pktgen_value_whole(
				colon + 1, 1, PKTGEN_SIZE_SLOTS, &mix->weight[mix->n], err) != 0)
			return -1;
		mix->total += mix->weight[mix->n++];
	}
	if (mix->n == 0 || mix->total > PKTGEN_SIZE_SLOTS) {
		snprintf(err, PKTGEN_ERR,
			"the weights of a mix add up to %llu, at most %u are "
			"possible",
			(unsigned long long)mix->total, PKTGEN_SIZE_SLOTS);
		return -1;
	}
	return 0;
}

/* Each size as evenly over the turn as it goes: the one that lags most behind its weight is next.
 */
static void spread(const struct mix *mix, struct pktgen_sizes *sizes)
{
	int64_t credit[MIX_MAX] = {0};

	for (sizes->n_turn = 0; sizes->n_turn < mix->total; sizes->n_turn++) {
		unsigned best = 0;

		for (unsigned i = 0; i < mix->n; i++) {
			credit[i] += (int64_t)mix->weight[i];
			if (credit[i] > credit[best])
				best = i;
		}
		credit[best] -= (int64_t)mix->total;
		sizes->turn[sizes->n_turn] = (uint16_t)mix->size[best];
	}
}

static int parse_range(char *text, struct pktgen_sizes *sizes, char err[PKTGEN_ERR])
{
	char *dash = strchr(text, '-');
	uint64_t min, max;

	if (dash != NULL)
		*dash = '\0';
	if (size_of(text, &min, err) != 0)
		return -1;
	max = min;
	if (dash != NULL && size_of(dash + 1, &max, err) != 0)
		return -1;
	if (max < min) {
		snprintf(err, PKTGEN_ERR, "sizes from %llu to %llu: the smaller comes first",
			(unsigned long long)min, (unsigned long long)max);
		return -1;
	}
	sizes->min = (uint16_t)min;
	sizes->max = (uint16_t)max;
	return 0;
}

int pktgen_size_parse(const char *text, struct pktgen_sizes *sizes, char err[PKTGEN_ERR])
{
	struct mix mix = {0};
	char copy[256];

	memset(sizes, 0, sizeof(*sizes));
	if (snprintf(copy, sizeof(copy), "%s",
		    strcmp(text, "imix") == 0 ? "64:7,570:4,1518:1" : text) >= (int)sizeof(copy)) {
		snprintf(err, PKTGEN_ERR, "that is too long for a mix of sizes");
		return -1;
	}
	if (strchr(copy, ':') == NULL)
		return parse_range(copy, sizes, err);
	if (parse_mix(copy, &mix, err) != 0)
		return -1;
	spread(&mix, sizes);
	sizes->min = sizes->max = sizes->turn[0];
	for (unsigned i = 1; i < sizes->n_turn; i++) {
		if (sizes->turn[i] < sizes->min)
			sizes->min = sizes->turn[i];
		if (sizes->turn[i] > sizes->max)
			sizes->max = sizes->turn[i];
	}
	return 0;
}

double pktgen_size_mean(const struct pktgen_sizes *sizes)
{
	double sum = 0;

	if (sizes->n_turn == 0)
		return (sizes->min + sizes->max) / 2.0;
	for (unsigned i = 0; i < sizes->n_turn; i++)
		sum += sizes->turn[i];
	return sum / sizes->n_turn;
}
