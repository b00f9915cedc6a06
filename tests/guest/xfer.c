/*
 * Runs inside a test guest: moves a seeded pseudo-random stream over TCP and checks it end to end.
 * The receiver tells the sender how many bytes with which digest arrived, so one command on the
 * sending side proves the transfer. Generator and digest are plain 64-bit arithmetic: a guest under
 * software emulation runs these at memory speed, which it does not with md5 or sha1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHUNK         (128 * 1024) /* bytes; a multiple of 8 */
#define STALL_SEC     60 /* no progress for so long ends a transfer */
#define CONNECT_TRIES 20

static uint64_t words[CHUNK / 8];
static volatile sig_atomic_t enough; /* the stream is to end where it is */

struct digest {
	uint64_t value;
	uint64_t bytes;
	uint64_t tail; /* the bytes of a word that is not whole yet */
};

static uint64_t digest_word(uint64_t value, uint64_t word)
{
	value = (value ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return value << 29 | value >> 35;
}

/* Words are taken at stream offsets that are multiples of 8, however the stream was cut by reads.
 */
static void digest_add(struct digest *digest, const void *data, size_t len)
{
	const unsigned char *at = data;

	while (len && digest->bytes % 8) {
		digest->tail |= (uint64_t)*at++ << digest->bytes++ % 8 * 8;
		len--;
		if (digest->bytes % 8 == 0) {
			digest->value = digest_word(digest->value, digest->tail);
			digest->tail = 0;
		}
	}
	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		digest->value = digest_word(digest->value, word);
		digest->bytes += 8;
	}
	while (len--)
		digest->tail |= (uint64_t)*at++ << digest->bytes++ % 8 * 8;
}

static uint64_t digest_end(const struct digest *digest)
{
	return digest_word(digest_word(digest->value, digest->tail), digest->bytes);
}

/* splitmix64: one multiply-shift chain a word, any seed is a good one. */
static void stream_fill(uint64_t *state, uint64_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		to[i] = z ^ z >> 27;
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	fprintf(stderr, "xfer: %s: %s\n", what, strerror(errno));
	return 1;
}

/* host: numeric, either family; NULL: any. Returns the length, 0 if host is no address. */
static socklen_t address(struct sockaddr_storage *to, const char *host, uint16_t port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (host && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	if (!host || inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
		return sizeof(*v6);
	return 0;
}

static void set_stall_limit(int fd)
{
	struct timeval limit = {.tv_sec = STALL_SEC};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void report(const char *what, const struct digest *digest, double seconds)
{
	printf("%s bytes=%" PRIu64 " digest=%016" PRIx64 " seconds=%.2f rate=%.1fMB/s\n", what,
		digest->bytes, digest_end(digest), seconds, digest->bytes / 1e6 / seconds);
	fflush(stdout);
}

/* Takes one stream to its end and answers with its size and digest. */
static int receive(int fd)
{
	struct digest digest = {0};
	double start = now();
	ssize_t n;

	set_stall_limit(fd);
	while ((n = read(fd, words, sizeof(words))) > 0)
		digest_add(&digest, words, n);
	if (n < 0)
		return fail("receive");
	report("received", &digest, now() - start);
	if (dprintf(fd, "%" PRIu64 " %016" PRIx64 "\n", digest.bytes, digest_end(&digest)) < 0)
		return fail("answer");
	close(fd);
	return 0;
}

/* Serves connections one beside the other, without end, or one only. */
static int serve(uint16_t port, bool once)
{
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_storage any;
	socklen_t len = address(&any, NULL, port);

	if (fd < 0)
		return fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, len) || listen(fd, 16))
		return fail("listen");
	printf("ready\n");
	fflush(stdout);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			return fail("accept");
		if (once)
			return receive(peer);
		if (fork() == 0) {
			close(fd);
			_exit(receive(peer));
		}
		close(peer);
	}
}

static int connect_to(const char *host, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = address(&to, host, port);
	int fd;

	if (!len) {
		fprintf(stderr, "xfer: %s: not an IP address\n", host);
		return -1;
	}
	for (int try = 0; try < CONNECT_TRIES; try++) {
		fd = socket(to.ss_family, SOCK_STREAM, 0);
		if (fd >= 0 && !connect(fd, (struct sockaddr *)&to, len))
			return fd;
		close(fd);
		if (errno != ECONNREFUSED)
			break;
		usleep(100 * 1000);
	}
	fail("connect");
	return -1;
}

/* 0 when the receiver's count and digest are ours. */
static int check_answer(int fd, const struct digest *sent)
{
	char expect[64], answer[64];
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(answer) - 1 &&
		(n = read(fd, answer + have, sizeof(answer) - 1 - have)) > 0)
		have += n;
	answer[have] = '\0';
	snprintf(expect, sizeof(expect), "%" PRIu64 " %016" PRIx64 "\n", sent->bytes,
		digest_end(sent));
	if (!strcmp(expect, answer))
		return 0;
	fprintf(stderr, "xfer: sent %sxfer: but the receiver got %s\n", expect,
		have ? answer : "(no answer)");
	return 1;
}

static void end_stream(int signal_number)
{
	(void)signal_number;
	enough = 1;
}

static int send_stream(const char *host, uint16_t port, uint64_t bytes, uint64_t seed)
{
	int fd = connect_to(host, port);
	struct digest digest = {0};
	double start = now();

	if (fd < 0)
		return 1;
	signal(SIGUSR1, end_stream);
	set_stall_limit(fd);
	while (digest.bytes < bytes && !enough) {
		size_t len = bytes - digest.bytes < CHUNK ? bytes - digest.bytes : CHUNK;
		const char *at = (const char *)words;

		stream_fill(&seed, words, CHUNK / 8);
		digest_add(&digest, words, len);
		while (len) {
			ssize_t n = write(fd, at, len);

			if (n <= 0)
				return fail("send");
			at += n;
			len -= n;
		}
	}
	shutdown(fd, SHUT_WR);
	if (check_answer(fd, &digest))
		return 1;
	report("sent", &digest, now() - start);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: xfer serve PORT          receive streams until killed\n"
			"       xfer recv PORT           receive one stream\n"
			"       xfer send ADDRESS PORT BYTES[k|M] [SEED]\n"
			"                                SIGUSR1: no more, and check\n");
	return 2;
}

static uint64_t parse_bytes(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	return *end == 'M' ? n * 1000000 : *end == 'k' ? n * 1000 : n;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]), false);
	if (argc == 3 && !strcmp(argv[1], "recv"))
		return serve(atoi(argv[2]), true);
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "send"))
		return send_stream(argv[2], atoi(argv[3]), parse_bytes(argv[4]),
			argc == 6 ? strtoull(argv[5], NULL, 0) : 1);
	return usage();
}
