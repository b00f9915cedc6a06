#include <arpa/inet.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_values.h"

#define WIRE_OVERHEAD 20 /* preamble, start and gap (IEEE 802.3) */

static int refuse(char err[PKTGEN_ERR], const char *text, const char *right)
{
	snprintf(err, PKTGEN_ERR, "'%.80s' is not %s", text, right);
	return -1;
}

/* A number with its multiplier; what comes behind it is at *end. False: there is none. */
static bool number(const char *text, double *value, const char **end)
{
	static const char multipliers[] = "kMG";
	const char *at;
	char *behind;

	if (strspn(text, "0123456789.") == 0)
		return false;
	*value = strtod(text, &behind);
	if (behind == text || !isfinite(*value))
		return false;
	at = *behind != '\0' ? strchr(multipliers, *behind) : NULL;
	for (const char *m = multipliers; at != NULL && m <= at; m++)
		*value *= 1000;
	*end = behind + (at != NULL);
	return true;
}

int pktgen_value_number(const char *text, double *value, char err[PKTGEN_ERR])
{
	const char *end;

	if (!number(text, value, &end) || *end != '\0')
		return refuse(err, text, "a number such as 20, 0.5, 100k or 1.5M");
	return 0;
}

int pktgen_value_whole(
	const char *text, uint64_t min, uint64_t max, uint64_t *value, char err[PKTGEN_ERR])
{
	const char *end;
	double v;

	if (!number(text, &v, &end) || *end != '\0' || v != floor(v) || v < (double)min ||
		v > (double)max) {
		snprintf(err, PKTGEN_ERR, "'%.80s' is not a whole number from %llu to %llu", text,
			(unsigned long long)min, (unsigned long long)max);
		return -1;
	}
	*value = (uint64_t)v;
	return 0;
}

int pktgen_value_rate(const char *text, struct pktgen_rate *rate, char err[PKTGEN_ERR])
{
	static const char right[] =
		"a rate: max, packets a second (100k, 1.5M), bits (10Gbps) or percent of the line "
		"(50%)";
	const char *end;

	if (strcmp(text, "max") == 0) {
		*rate = (struct pktgen_rate){PKTGEN_RATE_MAX, 0};
		return 0;
	}
	if (!number(text, &rate->value, &end) || rate->value <= 0)
		return refuse(err, text, right);
	if (*end == '\0' || strcmp(end, "pps") == 0)
		rate->unit = PKTGEN_RATE_PACKETS;
	else if (strcmp(end, "bps") == 0)
		rate->unit = PKTGEN_RATE_BITS;
	else if (strcmp(end, "%") == 0 && rate->value <= 100)
		rate->unit = PKTGEN_RATE_PERCENT;
	else
		return refuse(err, text, right);
	return 0;
}

double pktgen_rate_packets(const struct pktgen_rate *rate, double frame, double line)
{
	double bits = (frame + WIRE_OVERHEAD) * 8;

	switch (rate->unit) {
	case PKTGEN_RATE_PACKETS:
		return rate->value;
	case PKTGEN_RATE_BITS:
		return rate->value / bits;
	case PKTGEN_RATE_PERCENT:
		return line * rate->value / 100 / bits;
	case PKTGEN_RATE_MAX:
		break;
	}
	return 0;
}

int pktgen_value_mac(const char *text, uint8_t mac[6], char err[PKTGEN_ERR])
{
	unsigned v[6];
	char behind;

	if (strspn(text, "0123456789abcdefABCDEF:") != strlen(text) ||
		sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
			&behind) != 6)
		return refuse(err, text, "a MAC such as 02:00:00:00:00:01");
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)v[i];
	return 0;
}

int pktgen_value_ip(const char *text, uint32_t *ip, char err[PKTGEN_ERR])
{
	struct in_addr addr;

	if (inet_pton(AF_INET, text, &addr) != 1)
		return refuse(err, text, "an IPv4 address");
	*ip = ntohl(addr.s_addr);
	return 0;
}
