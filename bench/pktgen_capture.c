#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_replay.h"

#define ETHER     14
#define HASH_BITS 16
#define LEN_MAX   9018u /* bytes of a frame */

/* The addresses of two who speak, in the order of the first packet between them. */
struct talk {
	uint8_t ends[2][16];
	uint8_t len; /* of an address; 0: unused */
};

/* Open addressing; more conversations than slots share what is found. */
struct talks {
	struct talk slot[1u << HASH_BITS];
};

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* Addresses of IPv4, IPv6 or ARP in a frame. 0: it has none. */
static unsigned addresses(
	const uint8_t *frame, uint32_t len, const uint8_t **from, const uint8_t **to)
{
	uint32_t at = ETHER;

	while (len >= at + 4 && (be16(frame + at - 2) == 0x8100 || be16(frame + at - 2) == 0x88a8))
		at += 4;
	if (len >= at + 20 && be16(frame + at - 2) == 0x0800) {
		*from = frame + at + 12;
		*to = frame + at + 16;
		return 4;
	}
	if (len >= at + 28 && be16(frame + at - 2) == 0x0806) {
		*from = frame + at + 14;
		*to = frame + at + 24;
		return 4;
	}
	if (len >= at + 40 && be16(frame + at - 2) == 0x86dd) {
		*from = frame + at + 8;
		*to = frame + at + 24;
		return 16;
	}
	return 0;
}

/* FNV-1a of both addresses, the same for either order. */
static uint32_t hash(const uint8_t *from, const uint8_t *to, unsigned len)
{
	uint32_t h = 2166136261u;

	for (unsigned i = 0; i < len; i++)
		h = (h ^ (uint32_t)(from[i] + to[i])) * 16777619u;
	return h ^ h >> HASH_BITS;
}

static bool is_talk(const struct talk *t, const uint8_t *from, const uint8_t *to, unsigned len)
{
	return t->len == len && memcmp(t->ends[0], from, len) == 0 &&
	       memcmp(t->ends[1], to, len) == 0;
}

/* Which side sends; the first packet's is side 0. */
static uint8_t side_of(struct talks *talks, const uint8_t *from, const uint8_t *to, unsigned len)
{
	uint32_t mask = (1u << HASH_BITS) - 1, at = hash(from, to, len) & mask;

	for (uint32_t tries = 0; tries <= mask; tries++, at = (at + 1) & mask) {
		struct talk *t = &talks->slot[at];

		if (is_talk(t, from, to, len))
			return 0;
		if (is_talk(t, to, from, len))
			return 1;
		if (t->len == 0) {
			memcpy(t->ends[0], from, len);
			memcpy(t->ends[1], to, len);
			t->len = (uint8_t)len;
			return 0;
		}
	}
	return memcmp(from, to, len) > 0;
}

/* Room for one more frame, of len bytes. */
static bool grow(struct pktgen_capture *c, uint32_t len)
{
	if (c->n == c->n_max) {
		uint32_t n = c->n_max > 0 ? 2 * c->n_max : 1024;
		void *more = realloc(c->frames, n * sizeof(*c->frames));

		if (more == NULL)
			return false;
		c->frames = more;
		c->n_max = n;
	}
	if (c->len + len > c->len_max) {
		uint64_t n = c->len_max > 0 ? 2 * c->len_max : 1 << 20;
		void *more = n <= UINT32_MAX ? realloc(c->bytes, n) : NULL;

		if (more == NULL)
			return false;
		c->bytes = more;
		c->len_max = n;
	}
	return true;
}

static bool add(struct pktgen_capture *c, struct talks *talks, const struct pcap_pkthdr *header,
	const uint8_t *frame)
{
	const uint8_t *from, *to;
	unsigned len = addresses(frame, header->caplen, &from, &to);

	if (header->caplen < header->len) {
		c->cut++;
		return true;
	}
	if (len == 0 || header->caplen > LEN_MAX) {
		c->other++;
		return true;
	}
	if (!grow(c, header->caplen))
		return false;
	c->frames[c->n++] = (struct pktgen_capture_frame){.offset = (uint32_t)c->len,
		.len = header->caplen,
		.side = side_of(talks, from, to, len)};
	memcpy(c->bytes + c->len, frame, header->caplen);
	c->len += header->caplen;
	return true;
}

static int read_all(struct pktgen_capture *c, pcap_t *pcap, const char *path, char *err)
{
	struct talks *talks = calloc(1, sizeof(*talks));
	struct pcap_pkthdr *header;
	const uint8_t *frame;
	bool room = talks != NULL;
	int status = 1;

	while (room && (status = pcap_next_ex(pcap, &header, &frame)) == 1)
		room = add(c, talks, header, frame);
	free(talks);
	if (!room)
		snprintf(err, PKTGEN_ERR, "%.160s: does not fit into memory", path);
	else if (status == PCAP_ERROR)
		snprintf(err, PKTGEN_ERR, "%.120s: %.120s", path, pcap_geterr(pcap));
	else if (c->n == 0)
		snprintf(err, PKTGEN_ERR, "%.160s: holds no whole frame of IP or ARP", path);
	else
		return 0;
	return -1;
}

int pktgen_capture_read(struct pktgen_capture *capture, const char *path, char err[PKTGEN_ERR])
{
	char reason[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, reason);
	int status;

	memset(capture, 0, sizeof(*capture));
	if (pcap == NULL) {
		snprintf(err, PKTGEN_ERR, "%.250s", reason);
		return -1;
	}
	if (pcap_datalink(pcap) != DLT_EN10MB) {
		snprintf(err, PKTGEN_ERR, "%.160s: is not of Ethernet", path);
		status = -1;
	} else {
		status = read_all(capture, pcap, path, err);
	}
	pcap_close(pcap);
	if (status != 0)
		pktgen_capture_free(capture);
	return status;
}

void pktgen_capture_free(struct pktgen_capture *capture)
{
	free(capture->frames);
	free(capture->bytes);
	memset(capture, 0, sizeof(*capture));
}
