#include "quarantine_evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "addr.h"
#include "log.h"
#include "packet.h"
#include "path.h"
#include "pcapng.h"
#include "version.h"

#define ENDING     ".pcapng"
#define TIME_CHARS 16 /* "20261130T214502Z" */
#define PIECE      32768 /* bytes of the record's beginning in one made-up packet */
#define HEADERS    (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr) + sizeof(struct rte_tcp_hdr))
#define SAME_NAMES 1000 /* files of one second, port and rule */

static struct {
	char dir[256];
	uint64_t written, lost;
	struct log_limit limit;
} own;

void evidence_open(const char *dir)
{
	memset(&own, 0, sizeof(own));
	snprintf(own.dir, sizeof(own.dir), "%s", dir);
}

uint64_t evidence_written(void)
{
	return own.written;
}

uint64_t evidence_lost(void)
{
	return own.lost;
}

/* A name that evidence_keep() made: what else is in the directory is not ours to remove. */
static bool is_ours(const char *name)
{
	size_t len = strlen(name), ending = strlen(ENDING);

	if (len <= TIME_CHARS + 1 + ending || strcmp(name + len - ending, ENDING) != 0)
		return false;
	for (unsigned i = 0; i < TIME_CHARS; i++) {
		char want = i == 8 ? 'T' : i == TIME_CHARS - 1 ? 'Z' : '0';

		if (want == '0' ? name[i] < '0' || name[i] > '9' : name[i] != want)
			return false;
	}
	return name[TIME_CHARS] == '-';
}

/* Our files: how many, how many bytes, and the oldest one's name. */
struct listing {
	unsigned n;
	uint64_t bytes;
	char oldest[NAME_MAX + 1];
};

static bool list_files(int fd, struct listing *listing)
{
	DIR *dir = fdopendir(dup(fd));
	const struct dirent *entry;
	struct stat st;

	*listing = (struct listing){0};
	if (dir == NULL)
		return false;
	rewinddir(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (!is_ours(entry->d_name) ||
			fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode))
			continue;
		listing->bytes += (uint64_t)st.st_size;
		if (listing->n++ == 0 || strcmp(entry->d_name, listing->oldest) < 0)
			snprintf(listing->oldest, sizeof(listing->oldest), "%s", entry->d_name);
	}
	closedir(dir);
	return true;
}

/* Removes the oldest until there is room for one more file of so many bytes. */
static bool make_room(int fd, uint64_t bytes)
{
	struct listing listing;

	while (list_files(fd, &listing)) {
		if (listing.n < EVIDENCE_FILES && listing.bytes + bytes <= EVIDENCE_BYTES)
			return true;
		if (listing.n == 0 || unlinkat(fd, listing.oldest, 0) != 0)
			return listing.n == 0;
	}
	return false;
}

/* What of text a file's name takes. */
static void clean(const char *text, char *to, size_t size)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = 0;

	for (; *text != '\0' && n + 1 < size; text++)
		to[n++] = (char)(strchr(characters, *text) != NULL ? *text : '_');
	to[n] = '\0';
}

/* Creates the file under a name that no other has; its name in name. -1 with errno. */
static int create(int dir_fd, const struct inspect_record *record, const char *port,
	const struct timespec *now, char name[EVIDENCE_NAME_MAX])
{
	char when[32], plain[CONFIG_NAME_MAX + 1], id[32];
	struct tm tm;
	int fd = -1;

	gmtime_r(&now->tv_sec, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	clean(port, plain, sizeof(plain));
	if (record->what == INSPECT_TELLS_RULE)
		snprintf(id, sizeof(id), "%u", record->sid);
	else
		clean(record->id, id, sizeof(id));
	for (unsigned i = 0; i < SAME_NAMES && fd < 0; i++) {
		char number[16] = "";

		if (i > 0)
			snprintf(number, sizeof(number), "-%u", i + 1);
		snprintf(name, EVIDENCE_NAME_MAX, "%s-%s-%s%s" ENDING, when, plain, id, number);
		fd = openat(
			dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			return -1;
	}
	return fd;
}

/* What the made-up packets have in common, and where their bytes begin. */
struct made_up {
	uint8_t frame[HEADERS + PIECE];
	uint32_t headers;
	bool ipv4;
	uint32_t seq; /* of the next one */
};

static void put_addr(uint8_t *to, struct addr a, bool ipv4)
{
	uint64_t high = rte_cpu_to_be_64(a.high), low = rte_cpu_to_be_64(a.low);

	if (ipv4) {
		memcpy(to, (const uint8_t *)&low + 4, 4);
		return;
	}
	memcpy(to, &high, sizeof(high));
	memcpy(to + 8, &low, sizeof(low));
}

/* The headers that the sender's packets of this connection have, as far as is known; those that
 * depend on the length are seal()'s. */
static void begin_made_up(struct made_up *made, const struct inspect_record *record)
{
	const struct conn_key *key = &record->key;
	const struct rte_mbuf *m = record->packet;
	unsigned from = record->sender & 1, to = !from;
	uint8_t *ip = made->frame + RTE_ETHER_HDR_LEN;
	struct rte_tcp_hdr *tcp;
	struct packet p;

	made->ipv4 = addr_is_ipv4(key->addr[0]);
	made->headers = RTE_ETHER_HDR_LEN + sizeof(*tcp) +
			(made->ipv4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
	memset(made->frame, 0, made->headers);
	made->frame[12] = made->ipv4 ? 0x08 : 0x86;
	made->frame[13] = made->ipv4 ? 0x00 : 0xdd;
	ip[0] = made->ipv4 ? 0x45 : 0x60;
	ip[made->ipv4 ? 8 : 7] = 64;
	ip[made->ipv4 ? 9 : 6] = IPPROTO_TCP;
	put_addr(ip + (made->ipv4 ? 12 : 8), key->addr[from], made->ipv4);
	put_addr(ip + (made->ipv4 ? 16 : 24), key->addr[to], made->ipv4);
	tcp = (struct rte_tcp_hdr *)(made->frame + made->headers - sizeof(*tcp));
	if (m != NULL && packet_parse(m, &p) < 0 && (p.flags & PACKET_L4) != 0 &&
		p.l4_proto == IPPROTO_TCP) {
		memcpy(made->frame, rte_pktmbuf_mtod(m, const uint8_t *), 12);
		memcpy(tcp, rte_pktmbuf_mtod_offset(m, const uint8_t *, p.l4_off), sizeof(*tcp));
	}
	tcp->src_port = rte_cpu_to_be_16(key->port[from]);
	tcp->dst_port = rte_cpu_to_be_16(key->port[to]);
	tcp->data_off = sizeof(*tcp) << 2;
	tcp->tcp_flags = RTE_TCP_ACK_FLAG;
	tcp->tcp_urp = 0;
	made->seq = rte_be_to_cpu_32(tcp->sent_seq) - record->before->pkt_len;
}

/* Lengths, number and checksums for len bytes behind the headers. */
static void seal(struct made_up *made, uint32_t len)
{
	struct rte_tcp_hdr *tcp =
		(struct rte_tcp_hdr *)(made->frame + made->headers - sizeof(*tcp));
	uint8_t *ip = made->frame + RTE_ETHER_HDR_LEN;
	uint16_t tcp_len = (uint16_t)(sizeof(*tcp) + len);

	tcp->sent_seq = rte_cpu_to_be_32(made->seq);
	tcp->cksum = 0;
	if (made->ipv4) {
		struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)ip;

		v4->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*v4) + tcp_len));
		v4->hdr_checksum = 0;
		v4->hdr_checksum = rte_ipv4_cksum(v4);
		tcp->cksum = rte_ipv4_udptcp_cksum(v4, tcp);
	} else {
		struct rte_ipv6_hdr *v6 = (struct rte_ipv6_hdr *)ip;

		v6->payload_len = rte_cpu_to_be_16(tcp_len);
		tcp->cksum = rte_ipv6_udptcp_cksum(v6, tcp);
	}
	made->seq += len;
}

static void copy_out(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint8_t *to)
{
	const void *from = rte_pktmbuf_read(m, off, len, to);

	if (from != NULL && from != to)
		memcpy(to, from, len);
}

static void put_before(
	struct pcapng *out, const struct inspect_record *record, struct made_up *made, uint64_t us)
{
	const struct rte_mbuf *before = record->before;

	begin_made_up(made, record);
	for (uint32_t off = 0; off < before->pkt_len;) {
		uint32_t left = before->pkt_len - off, len = left < PIECE ? left : PIECE;
		char comment[256];

		copy_out(before, off, len, made->frame + made->headers);
		seal(made, len);
		snprintf(comment, sizeof(comment),
			"Made by vswitchd of the record as it was put together for inspection: its "
			"bytes %u to %u; the deciding packet's own may be the last of them. "
			"Headers "
			"are not as sent.",
			off, off + len - 1);
		pcapng_packet(out, us, made->frame, made->headers + len, comment);
		off += len;
	}
}

static void describe(const struct inspect_record *record, const char *port, const char *peer,
	char *text, size_t len)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], what[64];
	unsigned sender = record->sender & 1;
	int n;

	if (record->what == INSPECT_TELLS_RULE)
		snprintf(
			what, sizeof(what), "rule %u:%u:%u", record->gid, record->sid, record->rev);
	else
		snprintf(what, sizeof(what), "%.*s", (int)sizeof(record->id), record->id);
	n = snprintf(text, len, "%s: %.*s. %s %s is quarantined, its peer is %s.", what,
		INSPECT_TEXT_MAX, record->text, record->where == INSPECT_LOCAL ? "Port" : "Address",
		port, peer);
	if (record->key.proto == 0 || n < 0 || (size_t)n >= len)
		return;
	addr_format(record->key.addr[sender], from);
	addr_format(record->key.addr[!sender], to);
	snprintf(text + n, len - (size_t)n,
		" Sent from %s port %u to %s port %u; found at byte %u of the record that begins "
		"at "
		"byte %llu of the connection's data in this direction; value %#llx.",
		from, record->key.port[sender], to, record->key.port[!sender], record->offset,
		(unsigned long long)record->position, (unsigned long long)record->value);
}

static bool write_capture(FILE *file, const struct inspect_record *record, const char *port,
	const char *peer, const struct timespec *now)
{
	uint64_t us = (uint64_t)now->tv_sec * 1000000 + (uint64_t)now->tv_nsec / 1000;
	uint32_t len = record->packet != NULL ? record->packet->pkt_len : 0;
	size_t size = len > sizeof(struct made_up) ? len : sizeof(struct made_up);
	void *room = malloc(size);
	struct pcapng out;
	char comment[1024];

	if (room == NULL) {
		errno = ENOMEM;
		return false;
	}
	describe(record, port, peer, comment, sizeof(comment));
	pcapng_begin(&out, file, "vswitchd " VSWITCH_VERSION, port, comment);
	if (record->before != NULL && record->before->pkt_len > 0)
		put_before(&out, record, room, us);
	if (len > 0 && len <= PCAPNG_PACKET_MAX) {
		copy_out(record->packet, 0, len, room);
		pcapng_packet(&out, us, room, len, comment);
	}
	free(room);
	return !ferror(file) && fflush(file) == 0;
}

/* Bytes that the file may come to. */
static uint64_t file_size(const struct inspect_record *record)
{
	uint64_t size = 8192;

	if (record->packet != NULL)
		size += record->packet->pkt_len;
	if (record->before != NULL)
		size += record->before->pkt_len + record->before->pkt_len / PIECE * 512;
	return size;
}

static bool write_file(int dir_fd, const struct inspect_record *record, const char *port,
	const char *peer, const struct timespec *now, char name[EVIDENCE_NAME_MAX])
{
	FILE *file;
	bool ok;
	int fd, why;

	if (!make_room(dir_fd, file_size(record)))
		return false;
	fd = create(dir_fd, record, port, now, name);
	if (fd < 0)
		return false;
	file = fdopen(fd, "w");
	if (file == NULL) {
		close(fd);
		unlinkat(dir_fd, name, 0);
		return false;
	}
	ok = write_capture(file, record, port, peer, now);
	why = errno;
	ok = fclose(file) == 0 && ok;
	if (!ok) {
		unlinkat(dir_fd, name, 0);
		errno = why;
	}
	return ok;
}

void evidence_keep(const struct inspect_record *record, const char *port, const char *peer,
	const struct timespec *now, struct evidence *evidence)
{
	char path[sizeof(own.dir) + 1], name[EVIDENCE_NAME_MAX];
	int fd;

	*evidence = (struct evidence){0};
	if (own.dir[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/", own.dir); /* so that the last part is made, too */
	errno = 0;
	fd = path_make_parents(path) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && write_file(fd, record, port, peer, now, name)) {
		snprintf(evidence->file, sizeof(evidence->file), "%s/%s", own.dir, name);
		own.written++;
	} else {
		snprintf(evidence->error, sizeof(evidence->error),
			"cannot keep evidence in %s: %s: see that vswitchd can write there",
			own.dir, errno != 0 ? strerror(errno) : "too many files of one second");
		log_limited(
			&own.limit, LOG_LEVEL_ERROR, "quarantine of %s: %s", port, evidence->error);
		own.lost++;
	}
	if (fd >= 0)
		close(fd);
}
