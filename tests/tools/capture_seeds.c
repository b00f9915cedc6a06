/*
 * capture_seeds DIR CAPTURE...: the TCP connections of ports 139 and 445 in classic pcap files
 * (Ethernet, IPv4), each a seed of fuzz_smb in DIR: payloads in the order in which they were
 * captured, the beginning of each connection. Files of other kinds are passed over. Retransmissions
 * stay: a fuzzer does not mind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS    8 /* of a capture */
#define SEED_MAX 8192
#define FRAME    65536

struct seed {
	uint8_t key[12]; /* client's address and port, server's */
	uint32_t len;
	uint8_t bytes[SEED_MAX];
};

static struct seed seeds[FLOWS];
static unsigned n_seeds;

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static struct seed *find(const uint8_t *key)
{
	for (unsigned i = 0; i < n_seeds; i++)
		if (memcmp(seeds[i].key, key, sizeof(seeds[i].key)) == 0)
			return &seeds[i];
	if (n_seeds == FLOWS)
		return NULL;
	memcpy(seeds[n_seeds].key, key, sizeof(seeds[n_seeds].key));
	seeds[n_seeds].bytes[0] = 0; /* seen whole */
	seeds[n_seeds].len = 1;
	return &seeds[n_seeds++];
}

static void add(const uint8_t *key, bool to_client, const uint8_t *payload, uint32_t len)
{
	struct seed *s = find(key);
	uint8_t *out;

	if (s == NULL || s->len + 3 + len > SEED_MAX)
		return;
	out = s->bytes + s->len;
	out[0] = to_client;
	out[1] = (uint8_t)len;
	out[2] = (uint8_t)(len >> 8);
	memcpy(out + 3, payload, len);
	s->len += 3 + len;
}

static void frame(const uint8_t *p, uint32_t len)
{
	const uint8_t *ip = p + 14, *tcp;
	uint32_t ip_header, ip_len, header;
	uint8_t key[12];
	bool to_client;

	if (len < 34 || be16(p + 12) != 0x0800 || ip[9] != 6)
		return;
	ip_header = (ip[0] & 15) * 4u;
	ip_len = be16(ip + 2);
	if (ip_header < 20 || ip_len > len - 14 || ip_len < ip_header + 20)
		return;
	tcp = ip + ip_header;
	header = (tcp[12] >> 4) * 4u;
	to_client = be16(tcp) == 445 || be16(tcp) == 139;
	if (header < 20 || ip_len <= ip_header + header ||
		(!to_client && be16(tcp + 2) != 445 && be16(tcp + 2) != 139))
		return;
	memcpy(key, ip + (to_client ? 16 : 12), 4);
	memcpy(key + 4, tcp + (to_client ? 2 : 0), 2);
	memcpy(key + 6, ip + (to_client ? 12 : 16), 4);
	memcpy(key + 10, tcp + (to_client ? 0 : 2), 2);
	add(key, to_client, tcp + header, ip_len - ip_header - header);
}

/* False: not a pcap file of Ethernet in this byte order. */
static bool read_capture(const char *path)
{
	static uint8_t bytes[FRAME];
	uint32_t head[6], packet[4];
	FILE *file = fopen(path, "rb");
	bool ok;

	n_seeds = 0;
	if (file == NULL)
		return false;
	ok = fread(head, sizeof(head), 1, file) == 1 && head[0] == 0xa1b2c3d4 && head[5] == 1;
	while (ok && fread(packet, sizeof(packet), 1, file) == 1 && packet[2] <= FRAME &&
		fread(bytes, 1, packet[2], file) == packet[2])
		frame(bytes, packet[2]);
	fclose(file);
	return ok;
}

/* Named by its contents: the same seed is the same file. */
static bool write_seed(const char *dir, const struct seed *s)
{
	uint64_t hash = 0xcbf29ce484222325;
	char path[4096];
	FILE *file;
	bool ok;

	for (uint32_t i = 0; i < s->len; i++)
		hash = (hash ^ s->bytes[i]) * 0x100000001b3;
	snprintf(path, sizeof(path), "%s/capture-%016" PRIx64, dir, hash);
	file = fopen(path, "wb");
	ok = file != NULL && fwrite(s->bytes, 1, s->len, file) == s->len;
	if (file != NULL && fclose(file) != 0)
		ok = false;
	if (!ok)
		fprintf(stderr, "capture_seeds: %s: %s\n", path, strerror(errno));
	return ok;
}

int main(int argc, char **argv)
{
	unsigned written = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: capture_seeds DIR CAPTURE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		if (!read_capture(argv[i]))
			continue;
		for (unsigned j = 0; j < n_seeds; j++, written++)
			if (!write_seed(argv[1], &seeds[j]))
				return 1;
	}
	printf("%u seeds\n", written);
	return 0;
}
