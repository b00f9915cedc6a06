/*
 * Reads a capture and feeds its SMB connections to smb_flow, with TCP put in order as far as a test
 * needs it: segments that are ahead wait until the gap is filled, or until the receiver
 * acknowledges what the capture does not have.
 */
#ifndef VS_SMB_CAPTURE_H
#define VS_SMB_CAPTURE_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smb_bytes.h"
#include "smb_flow.h"

#ifndef CAPTURE_FLOWS
#define CAPTURE_FLOWS 512
#endif
#define CAPTURE_WAITING 128

struct capture_segment {
	uint32_t seq, len;
	uint8_t *bytes; /* exactly len */
};

struct capture_side {
	bool started;
	uint32_t next;
	unsigned n_waiting;
	struct capture_segment waiting[CAPTURE_WAITING];
};

/* Who wants a connection's bytes themselves instead of what smb_flow tells; any may be NULL. */
struct capture_flow;
struct capture_sink {
	void (*begin)(void *arg, struct capture_flow *f);
	void (*bytes)(void *arg, struct capture_flow *f, unsigned side, const uint8_t *bytes,
		uint32_t len);
	void (*gap)(void *arg, struct capture_flow *f, unsigned side);
	void (*end)(void *arg, struct capture_flow *f);
};

struct capture_flow {
	void *user; /* of the sink */
	uint8_t key[36]; /* addresses and ports, client first as far as is known */
	unsigned number;
	bool syn, is_smb, refused, reset;
	unsigned flags; /* SMB_FLOW_* */
	struct capture_side side[2];
	struct smb_flow *smb;
};

struct capture {
	unsigned packet; /* number of the one that is being fed, from 1 */
	unsigned n_flows;
	struct capture_flow *flow; /* CAPTURE_FLOWS */
	struct capture_flow *at; /* that is being fed */
	smb_handler *handler;
	const struct capture_sink *sink; /* instead of handler */
	void *arg;
	unsigned cut; /* feed in pieces of so many bytes; 0: whole */
};

static void capture_feed(struct capture *c, struct capture_flow *f, unsigned side,
	const uint8_t *bytes, uint32_t len)
{
	c->at = f;
	if (f->smb == NULL && !f->refused) {
		unsigned port0 = be16(f->key + 32), port1 = be16(f->key + 34);
		bool netbios = port0 == 139 || port1 == 139;
		bool is_smb = netbios || port0 == 445 || port1 == 445 ||
			      smb_flow_recognise(bytes, len) == 1;

		f->refused = !is_smb;
		if (is_smb) {
			f->smb = malloc(sizeof(*f->smb));
			f->flags = (f->syn ? 0 : SMB_FLOW_PARTIAL) |
				   (netbios ? SMB_FLOW_NETBIOS : 0);
			smb_flow_init(f->smb, f->flags);
			if (c->sink != NULL && c->sink->begin != NULL)
				c->sink->begin(c->arg, f);
		}
	}
	while (len > 0 && f->smb != NULL) {
		uint32_t n = c->cut > 0 && c->cut < len ? c->cut : len;

		if (c->sink != NULL)
			c->sink->bytes(c->arg, f, side, bytes, n);
		else
			smb_flow_feed(f->smb, side, bytes, n, c->handler, c->arg);
		bytes += n;
		len -= n;
	}
}

static void capture_drain(struct capture *c, struct capture_flow *f, unsigned side)
{
	struct capture_side *s = &f->side[side];

	for (unsigned i = 0; i < s->n_waiting;) {
		struct capture_segment w = s->waiting[i];
		int32_t behind = (int32_t)(s->next - w.seq);

		if (behind < 0) {
			i++;
			continue;
		}
		s->waiting[i] = s->waiting[--s->n_waiting];
		if ((uint32_t)behind < w.len) {
			s->next = w.seq + w.len;
			capture_feed(c, f, side, w.bytes + behind, w.len - (uint32_t)behind);
		}
		free(w.bytes);
		i = 0;
	}
}

/* What is not there and will not come: begins again at the earliest that waits. */
static void capture_skip(struct capture *c, struct capture_flow *f, unsigned side)
{
	struct capture_side *s = &f->side[side];
	unsigned first = 0;

	for (unsigned i = 1; i < s->n_waiting; i++)
		if ((int32_t)(s->waiting[i].seq - s->waiting[first].seq) < 0)
			first = i;
	if (s->n_waiting == 0)
		return;
	s->next = s->waiting[first].seq;
	if (f->smb != NULL && c->sink != NULL)
		c->sink->gap(c->arg, f, side);
	else if (f->smb != NULL)
		smb_flow_gap(f->smb, side);
	capture_drain(c, f, side);
}

static void capture_data(struct capture *c, struct capture_flow *f, unsigned side, uint32_t seq,
	const uint8_t *bytes, uint32_t len)
{
	struct capture_side *s = &f->side[side];

	if (!s->started) {
		s->started = true;
		s->next = seq;
	}
	if (len == 0)
		return;
	if (s->n_waiting == CAPTURE_WAITING)
		capture_skip(c, f, side);
	s->waiting[s->n_waiting] = (struct capture_segment){seq, len, malloc(len)};
	memcpy(s->waiting[s->n_waiting++].bytes, bytes, len);
	capture_drain(c, f, side);
}

static struct capture_flow *capture_find(struct capture *c, const uint8_t *key, unsigned *side)
{
	uint8_t turned[36];

	memcpy(turned, key + 16, 16);
	memcpy(turned + 16, key, 16);
	memcpy(turned + 32, key + 34, 2);
	memcpy(turned + 34, key + 32, 2);
	for (unsigned i = c->n_flows; i-- > 0;) {
		*side = memcmp(c->flow[i].key, turned, 36) == 0;
		if (*side == 1 || memcmp(c->flow[i].key, key, 36) == 0)
			return &c->flow[i];
	}
	return NULL;
}

static void capture_tcp(struct capture *c, const uint8_t *key, const uint8_t *tcp, uint32_t len)
{
	uint32_t header = len >= 20 ? (tcp[12] >> 4) * 4u : 0, seq, ack;
	struct capture_flow *f;
	unsigned side = 0;
	bool syn;

	if (header < 20 || header > len)
		return;
	seq = be32(tcp + 4);
	ack = be32(tcp + 8);
	syn = (tcp[13] & 0x12) == 0x02;
	f = capture_find(c, key, &side);
	if (f == NULL || (syn && f->side[side].started && f->reset)) {
		if (c->n_flows == CAPTURE_FLOWS)
			return;
		f = &c->flow[c->n_flows++];
		memset(f, 0, sizeof(*f));
		memcpy(f->key, key, 36);
		/* Picked up: the well-known port's side is the server. */
		side = !syn && be16(key + 32) < be16(key + 34);
		if (side == 1) {
			memcpy(f->key, key + 16, 16);
			memcpy(f->key + 16, key, 16);
			memcpy(f->key + 32, key + 34, 2);
			memcpy(f->key + 34, key + 32, 2);
		}
		f->number = c->n_flows;
		f->syn = syn;
	}
	if (tcp[13] & 0x05)
		f->reset = true;
	if (tcp[13] & 0x02) {
		seq++;
		if (!f->side[side].started)
			f->side[side].next = seq;
		f->side[side].started = true;
	}
	capture_data(c, f, side, seq, tcp + header, len - header);
	if (tcp[13] & 0x10 && f->side[!side].n_waiting > 0 &&
		(int32_t)(ack - f->side[!side].next) > 0)
		capture_skip(c, f, !side);
}

static void capture_ip(struct capture *c, const uint8_t *ip, uint32_t len)
{
	uint8_t key[36] = {0};
	uint32_t header, total;

	if (len >= 20 && ip[0] >> 4 == 4) {
		header = (ip[0] & 15) * 4u;
		total = be16(ip + 2);
		if (total == 0) /* left to the NIC */
			total = len;
		if (ip[9] != 6 || header < 20 || total < header || total > len ||
			be16(ip + 6) & 0x3fff)
			return;
		memcpy(key, ip + 12, 4);
		memcpy(key + 16, ip + 16, 4);
	} else if (len >= 40 && ip[0] >> 4 == 6) {
		header = 40;
		total = 40u + be16(ip + 4);
		if (ip[6] != 6 || total > len)
			return;
		memcpy(key, ip + 8, 32);
	} else {
		return;
	}
	if (total - header < 20)
		return;
	memcpy(key + 32, ip + header, 4);
	capture_tcp(c, key, ip + header, total - header);
}

static void capture_frame(struct capture *c, int link, const uint8_t *p, uint32_t len)
{
	uint32_t at = 0;

	if (link == DLT_EN10MB) {
		at = 14;
		while (len >= at && be16(p + at - 2) == 0x8100)
			at += 4;
		if (len < at || (be16(p + at - 2) != 0x0800 && be16(p + at - 2) != 0x86dd))
			return;
	} else if (link == DLT_LINUX_SLL) {
		at = 16;
	} else if (link == DLT_NULL) {
		at = 4;
	} else if (link != DLT_RAW) {
		return;
	}
	if (len > at)
		capture_ip(c, p + at, len - at);
}

static void capture_close(struct capture *c)
{
	for (unsigned i = 0; i < c->n_flows; i++) {
		for (unsigned side = 0; side < 2; side++)
			for (unsigned j = 0; j < c->flow[i].side[side].n_waiting; j++)
				free(c->flow[i].side[side].waiting[j].bytes);
		if (c->sink != NULL && c->flow[i].smb != NULL)
			c->sink->end(c->arg, &c->flow[i]);
		free(c->flow[i].smb);
	}
	free(c->flow);
}

/* False: the file cannot be read as a capture. c: zeros, and handler or sink, arg, cut. */
static bool capture_read(struct capture *c, const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, error);
	struct pcap_pkthdr *header;
	const uint8_t *frame;

	if (pcap == NULL)
		return false;
	c->flow = calloc(CAPTURE_FLOWS, sizeof(*c->flow));
	while (pcap_next_ex(pcap, &header, &frame) == 1) {
		c->packet++;
		capture_frame(c, pcap_datalink(pcap), frame, header->caplen);
	}
	pcap_close(pcap);
	capture_close(c);
	return true;
}

/* The same, of what smb_flow tells. cut: bytes a feed, 0 for whole segments. */
static inline bool capture_run(
	struct capture *c, const char *path, unsigned cut, smb_handler *handler, void *arg)
{
	memset(c, 0, sizeof(*c));
	c->handler = handler;
	c->arg = arg;
	c->cut = cut;
	return capture_read(c, path);
}

#endif
