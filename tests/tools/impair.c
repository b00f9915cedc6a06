/*
 * For system tests: a bad link. Carries frames between two interfaces of its namespace, one at a
 * time, and loses, doubles and holds some of them back, by a generator with a seed. Can also shift
 * the sequence numbers of the TCP connections that begin while it runs, so that they wrap soon.
 *
 * Frames keep their virtio-net header, so what is left to do for a receiver (segmentation, a
 * checksum) stays to be done. A frame held back follows as the 2nd to 9th after those that came
 * behind it, or after HOLD_MS. VLAN tags that the kernel has taken off are lost. Prints "ready",
 * and on SIGTERM what it did.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX (sizeof(struct virtio_net_hdr) + 65536 + 64)
#define HELD_MAX  32 /* a direction; more are not held back */
#define HOLD_MS   20
#define CONNS     1024

struct held {
	uint8_t *frame;
	size_t len;
	unsigned after; /* so many more frames */
	int64_t until; /* ms */
};

struct direction {
	int from, to;
	struct held held[HELD_MAX];
	unsigned n_held;
};

/* One end of a TCP connection, and how far what it sends is shifted. */
struct end {
	uint8_t addr[16];
	uint16_t port;
	bool known;
	uint32_t shift;
};

struct conn {
	struct end ends[2];
};

/* Where the TCP header of a frame is, and whose. */
struct segment {
	struct tcphdr *tcp;
	size_t len; /* of the header */
	struct end from, to; /* without shifts */
};

static struct {
	uint32_t loss, reorder, duplicate; /* of 2^32 */
	bool shifts;
	uint32_t base;
} settings;
static struct {
	uint64_t frames, lost, held, duplicated, shifted, wrapped, unsent;
} counts;
static uint64_t random_state = 1;
static struct conn conns[CONNS];

static void die(const char *what)
{
	fprintf(stderr, "impair: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* SplitMix64 */
static uint32_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) >> 32;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* -- sequence numbers -- */

static bool find_ipv4(uint8_t *p, size_t len, struct segment *s)
{
	struct iphdr *ip = (void *)p;

	if (len < sizeof(*ip) || ip->protocol != IPPROTO_TCP || (ntohs(ip->frag_off) & 0x3fff) ||
		ip->ihl < 5 || len < ip->ihl * 4u + sizeof(struct tcphdr))
		return false;
	memcpy(s->from.addr, &ip->saddr, 4);
	memcpy(s->to.addr, &ip->daddr, 4);
	s->tcp = (void *)(p + ip->ihl * 4);
	return true;
}

static bool find_ipv6(uint8_t *p, size_t len, struct segment *s)
{
	struct ip6_hdr *ip = (void *)p;

	if (len < sizeof(*ip) + sizeof(struct tcphdr) || ip->ip6_nxt != IPPROTO_TCP)
		return false;
	memcpy(s->from.addr, &ip->ip6_src, 16);
	memcpy(s->to.addr, &ip->ip6_dst, 16);
	s->tcp = (void *)(ip + 1);
	return true;
}

static bool find_segment(uint8_t *frame, size_t len, struct segment *s)
{
	uint8_t *p = frame + ETH_HLEN;
	uint16_t type;

	if (len < ETH_HLEN)
		return false;
	memset(s, 0, sizeof(*s));
	memcpy(&type, frame + 12, sizeof(type));
	if (ntohs(type) == ETH_P_IP ? !find_ipv4(p, len - ETH_HLEN, s)
				    : ntohs(type) != ETH_P_IPV6 || !find_ipv6(p, len - ETH_HLEN, s))
		return false;
	s->len = s->tcp->doff * 4u;
	s->from.port = s->tcp->source;
	s->to.port = s->tcp->dest;
	return s->len >= sizeof(struct tcphdr) && (uint8_t *)s->tcp + s->len <= frame + len;
}

static uint32_t hash_end(const struct end *end)
{
	uint32_t hash = end->port;

	for (unsigned i = 0; i < sizeof(end->addr); i++)
		hash = (hash ^ end->addr[i]) * 16777619u;
	return hash;
}

static bool same_end(const struct end *a, const struct end *b)
{
	return a->port == b->port && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* The segment's connection, and the side that sent it; a SYN takes the place of another. */
static struct conn *find_conn(const struct segment *s, unsigned *side)
{
	struct conn *conn = &conns[(hash_end(&s->from) + hash_end(&s->to)) % CONNS];

	for (*side = 0; *side < 2; (*side)++)
		if (same_end(&conn->ends[*side], &s->from) && same_end(&conn->ends[!*side], &s->to))
			return conn;
	if (!s->tcp->syn)
		return NULL;
	*side = 0;
	conn->ends[0] = s->from;
	conn->ends[1] = s->to;
	return conn;
}

static uint32_t sum16(const struct segment *s)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < s->len; i += 2) {
		uint16_t word;

		memcpy(&word, (uint8_t *)s->tcp + i, 2);
		sum += word;
	}
	return sum;
}

static void add32(uint8_t *at, uint32_t n)
{
	uint32_t v;

	memcpy(&v, at, 4);
	v = htonl(ntohl(v) + n);
	memcpy(at, &v, 4);
}

/* The blocks of a selective acknowledgment (RFC 2018), wherever it is among the options. */
static void shift_sack(const struct segment *s, uint32_t shift)
{
	uint8_t *p = (uint8_t *)(s->tcp + 1), *end = (uint8_t *)s->tcp + s->len;

	while (p < end && *p != TCPOPT_EOL) {
		size_t len = *p == TCPOPT_NOP ? 1 : p + 1 < end ? p[1] : 0;

		if (len == 0 || len > (size_t)(end - p) || (len == 1 && *p != TCPOPT_NOP))
			return;
		if (*p == TCPOPT_SACK)
			for (size_t i = 2; i + 4 <= len; i += 4)
				add32(p + i, shift);
		p += len;
	}
}

/*
 * What `from` sends is shifted so that its SYN has the number asked for; what it acknowledges is
 * what the other sent, shifted back. A checksum that the receiver's side fills in covers no header
 * yet, else it is corrected by the difference (RFC 1624).
 */
static void shift(uint8_t *frame, size_t len, bool needs_checksum)
{
	struct segment s;
	struct conn *conn;
	struct end *from, *to;
	unsigned side;
	uint32_t sum;

	if (!find_segment(frame, len, &s) || (conn = find_conn(&s, &side)) == NULL)
		return;
	from = &conn->ends[side];
	to = &conn->ends[!side];
	if (s.tcp->syn) {
		from->shift = settings.base - ntohl(s.tcp->seq);
		from->known = true;
	}
	sum = sum16(&s);
	if (from->known) {
		add32((uint8_t *)&s.tcp->seq, from->shift);
		counts.wrapped += ntohl(s.tcp->seq) < settings.base;
	}
	if (s.tcp->ack && to->known) {
		add32((uint8_t *)&s.tcp->ack_seq, -to->shift);
		shift_sack(&s, -to->shift);
	}
	counts.shifted++;
	if (needs_checksum)
		return;
	/* Both sums have the old checksum in them. ~m is 0xffff - m for each of 30 words at most.
	 */
	sum = (uint16_t)~s.tcp->check + (30 * UINT32_C(0xffff) - sum) + sum16(&s);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	s.tcp->check = ~sum;
}

/* -- frames -- */

static void put(const struct direction *d, const uint8_t *frame, size_t len)
{
	if (send(d->to, frame, len, 0) != (ssize_t)len)
		counts.unsent++;
}

static bool happens(uint32_t chance)
{
	return next_random() < chance;
}

static bool hold(struct direction *d, const uint8_t *frame, size_t len)
{
	struct held *held = &d->held[d->n_held];

	if (d->n_held == HELD_MAX)
		return false;
	*held = (struct held){.frame = malloc(len),
		.len = len,
		.after = 1 + next_random() % 8,
		.until = now_ms() + HOLD_MS};
	if (held->frame == NULL)
		die("memory");
	memcpy(held->frame, frame, len);
	d->n_held++;
	counts.held++;
	return true;
}

/* Those whose time has come; passed: frames that went by. */
static void let_go(struct direction *d, unsigned passed)
{
	unsigned kept = 0;
	int64_t now = d->n_held > 0 ? now_ms() : 0;

	for (unsigned i = 0; i < d->n_held; i++) {
		struct held *held = &d->held[i];

		held->after -= passed;
		if (held->after > 0 && held->until > now) {
			d->held[kept++] = *held;
			continue;
		}
		put(d, held->frame, held->len);
		free(held->frame);
	}
	d->n_held = kept;
}

static void carry(struct direction *d)
{
	static uint8_t frame[FRAME_MAX];
	const struct virtio_net_hdr *hdr = (const void *)frame;
	ssize_t len = recv(d->from, frame, sizeof(frame), MSG_DONTWAIT);

	if (len < (ssize_t)sizeof(*hdr))
		return;
	counts.frames++;
	if (settings.shifts)
		shift(frame + sizeof(*hdr), len - sizeof(*hdr),
			hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	if (happens(settings.loss)) {
		counts.lost++;
		return;
	}
	if (happens(settings.reorder) && hold(d, frame, len))
		return;
	put(d, frame, len);
	if (happens(settings.duplicate)) {
		counts.duplicated++;
		put(d, frame, len);
	}
	let_go(d, 1);
}

/* -- program -- */

static int open_interface(const char *name)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1, room = 16 << 20;
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(name)};
	struct packet_mreq all = {.mr_ifindex = addr.sll_ifindex, .mr_type = PACKET_MR_PROMISC};

	if (fd < 0 || addr.sll_ifindex == 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0 ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) != 0)
		die(name);
	return fd;
}

/* Until the next one held back is due; -1: none is. */
static int wait_ms(const struct direction directions[2])
{
	int64_t least = INT64_MAX, now = now_ms();

	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < directions[i].n_held; j++)
			if (directions[i].held[j].until < least)
				least = directions[i].held[j].until;
	return least == INT64_MAX ? -1 : least > now ? (int)(least - now) : 0;
}

/* A percentage, as a part of 2^32. */
static uint32_t chance(const char *text)
{
	char *end;
	double percent = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(percent >= 0 && percent <= 100)) {
		fprintf(stderr, "impair: %s is not a percentage\n", text);
		exit(2);
	}
	return percent / 100 * UINT32_MAX;
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"loss", required_argument, NULL, 'l'},
		{"reorder", required_argument, NULL, 'r'},
		{"duplicate", required_argument, NULL, 'd'},
		{"seed", required_argument, NULL, 's'},
		{"seq-base", required_argument, NULL, 'b'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			settings.loss = chance(optarg);
		else if (option == 'r')
			settings.reorder = chance(optarg);
		else if (option == 'd')
			settings.duplicate = chance(optarg);
		else if (option == 's')
			random_state = strtoull(optarg, NULL, 0);
		else if (option == 'b') {
			settings.shifts = true;
			settings.base = strtoul(optarg, NULL, 0);
		}
	}
	if (optind != argc - 2) {
		fprintf(stderr,
			"usage: impair [--loss PERCENT] [--reorder PERCENT] "
			"[--duplicate PERCENT] [--seed N] [--seq-base N] INTERFACE INTERFACE\n");
		exit(2);
	}
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, 0);
	if (fd < 0)
		die("signalfd");
	return fd;
}

int main(int argc, char **argv)
{
	struct direction directions[2] = {0};
	struct pollfd fds[3];

	read_options(argc, argv);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = (struct pollfd){open_interface(argv[optind + i]), POLLIN, 0};
		directions[i].from = directions[!i].to = fds[i].fd;
	}
	fds[2] = (struct pollfd){open_signals(), POLLIN, 0};
	printf("ready\n");
	fflush(stdout);
	while (poll(fds, 3, wait_ms(directions)) >= 0 && !fds[2].revents)
		for (unsigned i = 0; i < 2; i++) {
			if (fds[i].revents)
				carry(&directions[i]);
			let_go(&directions[i], 0);
		}
	for (unsigned i = 0; i < 2; i++)
		while (directions[i].n_held > 0)
			free(directions[i].held[--directions[i].n_held].frame);
	printf("%lu frames, %lu lost, %lu held back, %lu doubled, %lu shifted, %lu past the wrap, "
	       "%lu not sent\n",
		counts.frames, counts.lost, counts.held, counts.duplicated, counts.shifted,
		counts.wrapped, counts.unsent);
	return 0;
}
