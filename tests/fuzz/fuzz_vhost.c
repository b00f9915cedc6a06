/*
 * Fuzzes a vhost-user port from the guest's side: messages, rings and memory in any order, while a
 * worker uses the port. The input is a list of steps, a byte that names one and what it takes.
 *
 * libFuzzer target. Each input is one connection. The vhost library handles it on its own thread,
 * and has handled all of it when it connects anew.
 */
#include <dirent.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "port_driver.h"
#include "vhost_master.h"

#define BUFFERS         2047
#define PAIRS           2
#define STEPS           400 /* of one input at the most */
#define TIMEOUT         20000
#define SET_INFLIGHT_FD 32

enum step {
	MESSAGE,
	NEGOTIATE,
	SHARE_MEMORY,
	START_RING,
	ENABLE_RING,
	PUT,
	EXPOSE,
	POKE,
	WORK,
	LOOK,
	HALF_MESSAGE,
	STEP_KINDS
};

struct input {
	const uint8_t *data;
	size_t left;
};

static char temp_dir[] = "/tmp/vhost-fuzz-XXXXXX";
static struct vhost_master guest;
static struct port_dev *dev;
static unsigned buffers, descriptors;
static pthread_mutex_t worker = PTHREAD_MUTEX_INITIALIZER; /* held while a worker would work */
struct port_env port_env __attribute__((weak));

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void synchronize(void)
{
	pthread_mutex_lock(&worker);
	pthread_mutex_unlock(&worker);
}

static void ignore(struct port_dev *port)
{
}

static void clean_up(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/socket", temp_dir);
	unlink(path);
	rmdir(temp_dir);
}

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_vhost: %s\n", what);
	abort();
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t value = 0;

	for (; bytes > 0 && in->left > 0; bytes--, in->left--)
		value = value << 8 | *in->data++;
	return value;
}

static const uint8_t *take_bytes(struct input *in, size_t *len)
{
	const uint8_t *bytes = in->data;

	*len = *len < in->left ? *len : in->left;
	in->data += *len;
	in->left -= *len;
	return bytes;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *args[] = {"fuzz", "--no-huge", "--no-shconf", "--no-pci", "-m", "128",
		"--log-level=4", "--no-telemetry"};
	struct config_port conf = {.name = "guest", .mtu = 1500};
	char err[256];

	if (rte_eal_init(8, args) < 0 || mkdtemp(temp_dir) == NULL)
		return -1;
	atexit(clean_up);
	snprintf(conf.vhost_user.socket, sizeof(conf.vhost_user.socket), "%s/socket", temp_dir);
	conf.vhost_user.queues = PAIRS;
	conf.vhost_user.tso = conf.vhost_user.packed = true;
	port_env.pool = rte_pktmbuf_pool_create(
		"packets", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port_env.synchronize = synchronize;
	port_env.wake = port_env.changed = ignore;
	check(port_env.pool != NULL && vhost_master_init(&guest, PAIRS) == 0 &&
			vhost_master_listen(&guest, conf.vhost_user.socket) == 0,
		"cannot be set up");
	dev = vhost_user_driver.open(&conf, 0, err, sizeof(err));
	check(dev != NULL && vhost_master_accept(&guest, TIMEOUT) == 0, "cannot be opened");
	check(vhost_master_sync(&guest) == 0, "gives no answer");
	buffers = rte_mempool_avail_count(port_env.pool);
	descriptors = open_descriptors();
	return 0;
}

/* Echoes what the guest sent. */
static void work(void)
{
	uint32_t rx = atomic_load(&dev->rx_ready), tx = atomic_load(&dev->tx_ready);

	pthread_mutex_lock(&worker);
	for (unsigned q = 0; q < PAIRS; q++) {
		struct rte_mbuf *pkts[PORT_BURST_MAX];
		unsigned n = 0, sent = 0;

		if (rx & (1u << q))
			n = vhost_user_driver.rx_burst(dev, q, pkts, PORT_BURST_MAX);
		if (n > 0 && (tx & (1u << q)))
			sent = vhost_user_driver.tx_burst(dev, q, pkts, n);
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
		if (rx & (1u << q))
			vhost_user_driver.rx_notify(dev, q, n & 1);
	}
	pthread_mutex_unlock(&worker);
}

/* Answers are not waited for, but make room. */
static void drain(void)
{
	uint8_t bytes[4096];

	while (recv(guest.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/*
 * The library closes no descriptors that come with a ring number it cannot have (or none, when it
 * takes what stands on its stack for one), before it asks the driver. That leak is known.
 */
static bool leaks(uint32_t request)
{
	return (request >= VHOST_SET_VRING_NUM && request <= VHOST_GET_VRING_BASE) ||
	       request == VHOST_SET_VRING_ENABLE || request == SET_INFLIGHT_FD;
}

static void message(struct input *in)
{
	uint32_t request = take(in, 1), flags = take(in, 1) & VHOST_NEED_REPLY;
	unsigned which = take(in, 1), n_fds = which & 0xf;
	size_t size = take(in, 1);
	const uint8_t *payload = take_bytes(in, &size);
	int fds[16];

	n_fds = leaks(request) ? 0 : n_fds < 10 ? n_fds : 1;
	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = which & 0x10 ? guest.memfd : guest.rings[which >> 5 & 3].kick;
	vhost_master_send(&guest, request, flags, payload, size, fds, n_fds);
}

/* The last step: whatever came behind it could be read as a message that leaks. */
static void half_message(struct input *in)
{
	size_t size = take(in, 1) % 16;
	const uint8_t *bytes = take_bytes(in, &size);

	in->left = 0;
	/* Where there is no room it is lost. */
	if (size > 0 && send(guest.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* Without reading what is offered, as another message's answer may come first. */
static void negotiate(struct input *in)
{
	guest.features = 1ull << 30 | take(in, 5);
	vhost_master_send_u64(&guest, VHOST_SET_PROTOCOL_FEATURES, 0x1f & take(in, 1));
	vhost_master_send_u64(&guest, VHOST_SET_FEATURES, guest.features);
}

static uint64_t address(struct input *in, unsigned ring)
{
	unsigned how = take(in, 1);

	if (how < 200)
		return vhost_master_buffer(&guest, ring, how) + take(in, 1);
	if (how < 230)
		return guest.gpa + guest.mem_size - take(in, 2);
	return take(in, 8);
}

static void put(struct input *in)
{
	unsigned ring = take(in, 1) % (2 * PAIRS), index = take(in, 1);
	uint64_t at = address(in, ring);
	uint32_t len = take(in, 2);
	unsigned flags = take(in, 1);

	vhost_master_put(
		&guest, ring, index, at, flags & 0x80 ? len << 16 : len, flags & 7, take(in, 1));
}

/* Anything anywhere near the rings, also while they are read. */
static void poke(struct input *in)
{
	struct vhost_master_ring *ring = &guest.rings[take(in, 1) % (2 * PAIRS)];
	size_t at = take(in, 2) % (3 * 4096), len = take(in, 1) % 64;
	const uint8_t *bytes = take_bytes(in, &len);

	memcpy((uint8_t *)ring->desc + at, bytes, len);
}

static void step(struct input *in)
{
	switch (take(in, 1) % STEP_KINDS) {
	case MESSAGE:
		message(in);
		break;
	case NEGOTIATE:
		negotiate(in);
		break;
	case SHARE_MEMORY:
		vhost_master_share_memory(&guest, 1 + take(in, 1) % 9);
		break;
	case START_RING:
		vhost_master_start_ring(&guest, take(in, 1) % (2 * PAIRS));
		break;
	case ENABLE_RING: {
		unsigned how = take(in, 1);

		vhost_master_enable_ring(&guest, how % (2 * PAIRS), !(how & 0x80));
		break;
	}
	case PUT:
		put(in);
		break;
	case EXPOSE: {
		unsigned ring = take(in, 1) % (2 * PAIRS);

		vhost_master_expose(&guest, ring, take(in, 1));
		break;
	}
	case POKE:
		poke(in);
		break;
	case WORK:
		work();
		break;
	case LOOK:
		json_decref(vhost_user_driver.describe(dev));
		break;
	case HALF_MESSAGE:
		half_message(in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	for (unsigned i = 0; i < STEPS && in.left > 0; i++) {
		step(&in);
		drain();
	}
	work();
	vhost_master_disconnect(&guest);
	/* Connects again when it is through with all that, and answers when that is settled. */
	check(vhost_master_accept(&guest, TIMEOUT) == 0 && vhost_master_sync(&guest) == 0,
		"the library hangs");
	check(atomic_load(&dev->rx_ready) == 0 && atomic_load(&dev->tx_ready) == 0,
		"queues are ready without a guest");
	check(rte_mempool_avail_count(port_env.pool) == buffers, "buffers are lost");
	check(open_descriptors() == descriptors, "descriptors are lost");
	vhost_master_reset(&guest);
	return 0;
}
