/*
 * The values of vswitch-pktgen's options out of their text, as people write them: 1.5M, 10Gbps, 64
 * to 1518 bytes, MACs, addresses. Pure; each returns 0, or -1 with what would be right in err.
 */
#ifndef VS_PKTGEN_VALUES_H
#define VS_PKTGEN_VALUES_H

#include <stddef.h>
#include <stdint.h>

#define PKTGEN_ERR 256 /* bytes that a reason needs at most */

/* What a rate is given in. */
enum pktgen_rate_unit {
	PKTGEN_RATE_MAX, /* as fast as it goes */
	PKTGEN_RATE_PACKETS, /* a second */
	PKTGEN_RATE_BITS, /* a second, with the 20 bytes that a frame takes on a wire beside itself
			   */
	PKTGEN_RATE_PERCENT, /* of the line's rate */
};

struct pktgen_rate {
	enum pktgen_rate_unit unit;
	double value;
};

/* Digits, with a fraction, and one of k, M, G (thousands) behind them. */
int pktgen_value_number(const char *text, double *value, char err[PKTGEN_ERR]);

/* The same, whole and between min and max. */
int pktgen_value_whole(
	const char *text, uint64_t min, uint64_t max, uint64_t *value, char err[PKTGEN_ERR]);

/* max, 1.5M (packets a second), 10Gbps, 50%. */
int pktgen_value_rate(const char *text, struct pktgen_rate *rate, char err[PKTGEN_ERR]);

/* In packets a second, for frames of so many bytes (mean, with FCS) on a line of so many bits a
 * second; 0 for as fast as it goes. */
double pktgen_rate_packets(const struct pktgen_rate *rate, double frame, double line);

int pktgen_value_mac(const char *text, uint8_t mac[6], char err[PKTGEN_ERR]);

/* IPv4, in host order. */
int pktgen_value_ip(const char *text, uint32_t *ip, char err[PKTGEN_ERR]);

#endif
