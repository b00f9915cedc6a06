#include "session.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define ETHER       14
#define IP          20
#define TCP         20
#define SEGMENT_MAX 65000
#define START_S     1700000000
#define BETWEEN_US  20
#define FIN         1
#define SYN         2
#define PSH         8
#define ACK         16

struct session_file {
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	uint64_t now_us;
};

struct session_file *session_file_open(const char *path)
{
	struct session_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return NULL;
	file->pcap = pcap_open_dead(DLT_EN10MB, ETHER + IP + TCP + SEGMENT_MAX);
	file->dumper = file->pcap != NULL ? pcap_dump_open(file->pcap, path) : NULL;
	if (file->dumper == NULL) {
		if (file->pcap != NULL)
			pcap_close(file->pcap);
		free(file);
		return NULL;
	}
	return file;
}

bool session_file_close(struct session_file *file)
{
	bool written = pcap_dump_flush(file->dumper) == 0;

	pcap_dump_close(file->dumper);
	pcap_close(file->pcap);
	free(file);
	return written;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sum(const uint8_t *p, uint32_t n, uint32_t start)
{
	for (uint32_t i = 0; i < n; i++)
		start += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return start;
}

static uint16_t folded(uint32_t v)
{
	v = (v & 0xffff) + (v >> 16);
	return (uint16_t) ~((v & 0xffff) + (v >> 16));
}

static void headers(
	uint8_t *frame, const struct session *s, unsigned side, uint8_t flags, uint32_t len)
{
	uint8_t *ip = frame + ETHER, *tcp = ip + IP;

	memset(frame, 0, ETHER + IP + TCP);
	frame[0] = frame[6] = 2;
	frame[5] = (uint8_t)(2 - side);
	frame[11] = (uint8_t)(1 + side);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, IP + TCP + len);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + 12, side == 0 ? s->client : s->server);
	put32(ip + 16, side == 0 ? s->server : s->client);
	put16(ip + 10, folded(sum(ip, IP, 0)));
	put16(tcp, side == 0 ? s->client_port : s->server_port);
	put16(tcp + 2, side == 0 ? s->server_port : s->client_port);
	put32(tcp + 4, s->seq[side]);
	if (flags & ACK)
		put32(tcp + 8, s->seq[!side]);
	tcp[12] = TCP / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, 65535);
}

static void packet(
	struct session *s, unsigned side, uint8_t flags, const uint8_t *bytes, uint32_t len)
{
	static uint8_t frame[ETHER + IP + TCP + SEGMENT_MAX];
	uint8_t *ip = frame + ETHER, *tcp = ip + IP;
	struct pcap_pkthdr header = {.caplen = ETHER + IP + TCP + len};

	headers(frame, s, side, flags, len);
	if (len > 0)
		memcpy(tcp + TCP, bytes, len);
	put16(tcp + 16, folded(sum(tcp, TCP + len, sum(ip + 12, 8, 6 + TCP + len))));
	header.len = header.caplen;
	header.ts.tv_sec = START_S + (time_t)(s->file->now_us / 1000000);
	header.ts.tv_usec = (suseconds_t)(s->file->now_us % 1000000);
	s->file->now_us += BETWEEN_US;
	pcap_dump((u_char *)s->file->dumper, &header, frame);
	s->seq[side] += len + (flags & (SYN | FIN) ? 1 : 0);
}

void session_begin(struct session *s)
{
	s->seq[0] = s->client * 7;
	s->seq[1] = s->client * 13;
	packet(s, 0, SYN, NULL, 0);
	packet(s, 1, SYN | ACK, NULL, 0);
	packet(s, 0, ACK, NULL, 0);
}

void session_send(struct session *s, unsigned side, const uint8_t *bytes, uint32_t len)
{
	packet(s, side, PSH | ACK, bytes, len);
	packet(s, !side, ACK, NULL, 0);
}

void session_end(struct session *s)
{
	packet(s, 0, FIN | ACK, NULL, 0);
	packet(s, 1, FIN | ACK, NULL, 0);
	packet(s, 0, ACK, NULL, 0);
}
