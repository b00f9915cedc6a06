#include "vhost_master.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define VERSION      1u
#define REPLY_MS     5000
#define PAGE         4096u
#define BUFFERS      (VHOST_MASTER_RING_SIZE * (size_t)VHOST_MASTER_BUFFER)
#define RING_AREA    (4 * (size_t)PAGE) /* descriptors, avail and used, a page or more each */
#define RING_BYTES   (RING_AREA + BUFFERS)
#define AVAIL_OFFSET PAGE
#define USED_OFFSET  (2 * PAGE)
#define F_PROTOCOL   (1ull << 30)
#define F_VERSION_1  (1ull << 32)
#define P_MQ         (1ull << 0)
#define P_RARP       (1ull << 2)
#define P_REPLY_ACK  (1ull << 3)
#define P_MTU        (1ull << 4)

struct header {
	uint32_t request, flags, size;
};

struct ring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct region {
	uint64_t gpa, size, user, offset;
};

struct memory_table {
	uint32_t n, padding;
	struct region regions[VHOST_MASTER_REGIONS];
};

int vhost_master_init(struct vhost_master *m, unsigned pairs)
{
	memset(m, 0, sizeof(*m));
	m->listener = m->fd = -1;
	m->gpa = 0x100000000;
	m->user = 0x7f0000000000;
	m->header = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	m->mem_size = 2 * pairs * RING_BYTES;
	for (unsigned i = 0; i < VHOST_MASTER_RINGS; i++)
		m->rings[i].kick = m->rings[i].call = -1;
	m->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (m->memfd < 0 || ftruncate(m->memfd, m->mem_size) != 0)
		return -1;
	m->mem = mmap(NULL, m->mem_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->memfd, 0);
	if (m->mem == MAP_FAILED)
		return -1;
	for (unsigned i = 0; i < 2 * pairs; i++) {
		struct vhost_master_ring *ring = &m->rings[i];
		uint8_t *base = m->mem + i * RING_BYTES;

		ring->size = VHOST_MASTER_RING_SIZE;
		ring->offset = i * RING_BYTES;
		ring->desc = (struct vring_desc *)base;
		ring->avail = (struct vring_avail *)(base + AVAIL_OFFSET);
		ring->used = (struct vring_used *)(base + USED_OFFSET);
		ring->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (ring->kick < 0 || ring->call < 0)
			return -1;
	}
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vhost_master_disconnect(struct vhost_master *m)
{
	close_fd(&m->fd);
}

void vhost_master_free(struct vhost_master *m)
{
	vhost_master_disconnect(m);
	close_fd(&m->listener);
	close_fd(&m->memfd);
	for (unsigned i = 0; i < VHOST_MASTER_RINGS; i++) {
		close_fd(&m->rings[i].kick);
		close_fd(&m->rings[i].call);
	}
	if (m->mem != NULL && m->mem != MAP_FAILED)
		munmap(m->mem, m->mem_size);
	m->mem = NULL;
}

static int stream_socket(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int vhost_master_listen(struct vhost_master *m, const char *path)
{
	struct sockaddr_un address;

	close_fd(&m->listener);
	unlink(path);
	m->listener = stream_socket(path, &address);
	if (m->listener < 0 || bind(m->listener, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	return listen(m->listener, 1);
}

static int wait_for(int fd, int timeout)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, timeout) == 1 ? 0 : -1;
}

int vhost_master_accept(struct vhost_master *m, int timeout)
{
	close_fd(&m->fd);
	if (wait_for(m->listener, timeout) != 0)
		return -1;
	m->fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);
	return m->fd >= 0 ? 0 : -1;
}

int vhost_master_connect(struct vhost_master *m, const char *path, int timeout)
{
	const struct timespec nap = {.tv_nsec = 5000000};
	struct sockaddr_un address;

	for (;; timeout -= 5) {
		close_fd(&m->fd);
		m->fd = stream_socket(path, &address);
		if (m->fd < 0)
			return -1;
		if (connect(m->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return 0;
		if (timeout <= 0)
			break;
		nanosleep(&nap, NULL);
	}
	close_fd(&m->fd);
	return -1;
}

int vhost_master_send(struct vhost_master *m, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned n_fds)
{
	struct header header = {request, VERSION | flags, size};
	struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)payload, size}};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = size > 0 ? 2 : 1};
	struct cmsghdr *cmsg;

	if (n_fds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	return sendmsg(m->fd, &msg, MSG_NOSIGNAL) == (ssize_t)(sizeof(header) + size) ? 0 : -1;
}

int vhost_master_reply(struct vhost_master *m, void *payload, uint32_t size)
{
	struct header header;

	if (wait_for(m->fd, REPLY_MS) != 0 ||
		recv(m->fd, &header, sizeof(header), MSG_WAITALL) != sizeof(header) ||
		header.size != size)
		return -1;
	if (size > 0 && recv(m->fd, payload, size, MSG_WAITALL) != (ssize_t)size)
		return -1;
	return 0;
}

int vhost_master_send_u64(struct vhost_master *m, uint32_t request, uint64_t value)
{
	return vhost_master_send(m, request, 0, &value, sizeof(value), NULL, 0);
}

int vhost_master_get_u64(struct vhost_master *m, uint32_t request, uint64_t *value)
{
	if (vhost_master_send(m, request, 0, NULL, 0, NULL, 0) != 0)
		return -1;
	return vhost_master_reply(m, value, sizeof(*value));
}

int vhost_master_send_ring(struct vhost_master *m, uint32_t request, uint32_t index, uint32_t value)
{
	uint32_t payload[2] = {index, value};

	return vhost_master_send(m, request, 0, payload, sizeof(payload), NULL, 0);
}

int vhost_master_sync(struct vhost_master *m)
{
	uint64_t features;

	return vhost_master_get_u64(m, VHOST_GET_FEATURES, &features);
}

int vhost_master_negotiate(struct vhost_master *m, uint64_t wanted)
{
	const uint64_t protocol = P_MQ | P_RARP | P_REPLY_ACK | P_MTU;

	if (vhost_master_get_u64(m, VHOST_GET_FEATURES, &m->offered) != 0)
		return -1;
	m->features = m->offered & (wanted | F_PROTOCOL);
	if (!(m->features & (F_VERSION_1 | 1ull << VIRTIO_NET_F_MRG_RXBUF)))
		m->header = sizeof(struct virtio_net_hdr);
	if (vhost_master_get_u64(m, VHOST_GET_PROTOCOL_FEATURES, &m->protocol) != 0)
		return -1;
	m->protocol &= protocol;
	if (vhost_master_send_u64(m, VHOST_SET_PROTOCOL_FEATURES, m->protocol) != 0 ||
		vhost_master_get_u64(m, VHOST_GET_QUEUE_NUM, &m->queue_limit) != 0 ||
		vhost_master_send(m, VHOST_SET_OWNER, 0, NULL, 0, NULL, 0) != 0)
		return -1;
	return vhost_master_send_u64(m, VHOST_SET_FEATURES, m->features);
}

int vhost_master_share_memory(struct vhost_master *m, unsigned regions)
{
	struct memory_table table = {.n = regions};
	size_t each = m->mem_size / regions / PAGE * PAGE;
	int fds[VHOST_MASTER_REGIONS];
	size_t at = 0;

	for (unsigned i = 0; i < regions; i++) {
		struct region *region = &table.regions[i];

		region->gpa = m->gpa + at;
		region->user = m->user + at;
		region->offset = at;
		region->size = i + 1 < regions ? each : m->mem_size - at;
		at += region->size;
		fds[i] = m->memfd;
	}
	/* A message carries eight descriptors to the library, and sixteen in this one's buffer. */
	return vhost_master_send(m, VHOST_SET_MEM_TABLE, 0, &table,
		8 + regions * sizeof(struct region), fds, regions < 16 ? regions : 16);
}

int vhost_master_set_ring_address(struct vhost_master *m, unsigned index, bool log)
{
	size_t at = m->rings[index].offset;
	struct ring_addr addr = {
		.index = index,
		.flags = log,
		.desc = m->user + at,
		.avail = m->user + at + AVAIL_OFFSET,
		.used = m->user + at + USED_OFFSET,
		.log = m->gpa + at + USED_OFFSET,
	};

	return vhost_master_send(m, VHOST_SET_VRING_ADDR, 0, &addr, sizeof(addr), NULL, 0);
}

int vhost_master_start_ring(struct vhost_master *m, unsigned index)
{
	struct vhost_master_ring *ring = &m->rings[index];
	uint64_t file = index;

	if (vhost_master_send_ring(m, VHOST_SET_VRING_NUM, index, ring->size) != 0 ||
		vhost_master_send_ring(m, VHOST_SET_VRING_BASE, index, ring->last_used) != 0 ||
		vhost_master_set_ring_address(m, index, false) != 0 ||
		vhost_master_send(
			m, VHOST_SET_VRING_CALL, 0, &file, sizeof(file), &ring->call, 1) != 0)
		return -1;
	return vhost_master_send(m, VHOST_SET_VRING_KICK, 0, &file, sizeof(file), &ring->kick, 1);
}

int vhost_master_start_log(struct vhost_master *m, int fd, uint64_t size, uint64_t offset)
{
	uint64_t payload[2] = {size, offset};

	if (vhost_master_send(m, VHOST_SET_LOG_BASE, 0, payload, sizeof(payload), &fd, 1) != 0)
		return -1;
	return vhost_master_reply(m, NULL, 0);
}

int vhost_master_stop_ring(struct vhost_master *m, unsigned index)
{
	uint32_t reply[2];

	if (vhost_master_send_ring(m, VHOST_GET_VRING_BASE, index, 0) != 0)
		return -1;
	return vhost_master_reply(m, reply, sizeof(reply));
}

int vhost_master_enable_ring(struct vhost_master *m, unsigned index, bool enable)
{
	return vhost_master_send_ring(m, VHOST_SET_VRING_ENABLE, index, enable);
}

int vhost_master_start(struct vhost_master *m, uint64_t wanted, unsigned pairs)
{
	if (vhost_master_negotiate(m, wanted) != 0 || vhost_master_share_memory(m, 1) != 0)
		return -1;
	for (unsigned i = 0; i < 2 * pairs; i++) {
		if (!(i & 1) && m->rings[i].next_avail == 0)
			vhost_master_fill(m, i / 2);
		if (vhost_master_start_ring(m, i) != 0 || vhost_master_enable_ring(m, i, true) != 0)
			return -1;
	}
	return vhost_master_sync(m);
}

void vhost_master_reset(struct vhost_master *m)
{
	for (unsigned i = 0; i < VHOST_MASTER_RINGS; i++) {
		struct vhost_master_ring *ring = &m->rings[i];

		if (ring->size == 0)
			continue;
		ring->next_avail = ring->last_used = 0;
		memset(ring->desc, 0, RING_AREA);
	}
}

void vhost_master_put(struct vhost_master *m, unsigned ring, uint16_t index, uint64_t addr,
	uint32_t len, uint16_t flags, uint16_t next)
{
	m->rings[ring].desc[index] = (struct vring_desc){addr, len, flags, next};
}

static void offer(struct vhost_master_ring *ring, uint16_t head)
{
	ring->avail->ring[ring->next_avail++ % ring->size] = head;
	__atomic_store_n(&ring->avail->idx, ring->next_avail, __ATOMIC_RELEASE);
}

void vhost_master_expose(struct vhost_master *m, unsigned index, uint16_t head)
{
	struct vhost_master_ring *ring = &m->rings[index];
	uint64_t one = 1;

	offer(ring, head);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring->used->flags & VRING_USED_F_NO_NOTIFY)
		return;
	/* Full: then it is readable, which is all that a kick is for. */
	if (write(ring->kick, &one, sizeof(one)) < 0)
		return;
}

uint64_t vhost_master_buffer(const struct vhost_master *m, unsigned ring, uint16_t index)
{
	return m->gpa + m->rings[ring].offset + RING_AREA + (size_t)index * VHOST_MASTER_BUFFER;
}

uint8_t *vhost_master_at(const struct vhost_master *m, uint64_t gpa)
{
	return m->mem + (gpa - m->gpa);
}

static void offer_buffer(struct vhost_master *m, unsigned index, uint16_t id)
{
	vhost_master_put(m, index, id, vhost_master_buffer(m, index, id), VHOST_MASTER_BUFFER,
		VRING_DESC_F_WRITE, 0);
	offer(&m->rings[index], id);
}

void vhost_master_fill(struct vhost_master *m, unsigned pair)
{
	for (uint16_t i = 0; i < m->rings[2 * pair].size; i++)
		offer_buffer(m, 2 * pair, i);
}

static uint16_t used_index(const struct vhost_master_ring *ring)
{
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
}

unsigned vhost_master_transmitted(const struct vhost_master *m, unsigned pair)
{
	return used_index(&m->rings[2 * pair + 1]);
}

/* Copies into the chain's buffers, which lie one behind the other, and describes them. */
int vhost_master_transmit(struct vhost_master *m, unsigned pair,
	const struct virtio_net_hdr_mrg_rxbuf *header, const void *frame, size_t len)
{
	const struct virtio_net_hdr_mrg_rxbuf none = {0};
	unsigned index = 2 * pair + 1;
	struct vhost_master_ring *ring = &m->rings[index];
	size_t total = m->header + len;
	size_t needed = (total + VHOST_MASTER_BUFFER - 1) / VHOST_MASTER_BUFFER;
	uint16_t head;
	uint8_t *at;

	/* Chains are kept apart by their place in the ring; the last lot must be back to be reused.
	 */
	if (ring->next_avail - used_index(ring) >= (int)(ring->size / 32) || needed > 32)
		return -1;
	head = ring->next_avail % (ring->size / 32) * 32;
	at = vhost_master_at(m, vhost_master_buffer(m, index, head));
	memcpy(at, header != NULL ? header : &none, m->header);
	memcpy(at + m->header, frame, len);
	for (size_t i = 0; i < needed; i++) {
		bool last = i + 1 == needed;

		vhost_master_put(m, index, head + i, vhost_master_buffer(m, index, head + i),
			last ? total - i * VHOST_MASTER_BUFFER : VHOST_MASTER_BUFFER,
			last ? 0 : VRING_DESC_F_NEXT, last ? 0 : head + i + 1);
	}
	vhost_master_expose(m, index, head);
	return 0;
}

/* The next part of a frame, at most size bytes of it; the buffer goes back. */
static size_t take_part(struct vhost_master *m, unsigned index, uint8_t *to, size_t size)
{
	struct vhost_master_ring *ring = &m->rings[index];
	const struct vring_used_elem *used = &ring->used->ring[ring->last_used++ % ring->size];
	uint16_t id = used->id % ring->size;
	size_t len = used->len < size ? used->len : size;

	memcpy(to, vhost_master_at(m, vhost_master_buffer(m, index, id)), len);
	offer_buffer(m, index, id);
	return len;
}

int vhost_master_receive(struct vhost_master *m, unsigned pair,
	struct virtio_net_hdr_mrg_rxbuf *header, void *frame, size_t size)
{
	struct vhost_master_ring *ring = &m->rings[2 * pair];
	static __thread uint8_t whole[20 * VHOST_MASTER_BUFFER];
	struct virtio_net_hdr_mrg_rxbuf first = {0};
	uint16_t parts = 1;
	size_t len = 0;

	if (ring->last_used == used_index(ring))
		return 0;
	for (unsigned i = 0; i < parts && ring->last_used != used_index(ring); i++) {
		len += take_part(m, 2 * pair, whole + len, sizeof(whole) - len);
		memcpy(&first, whole, m->header);
		if (m->header == sizeof(first))
			parts = first.num_buffers;
	}
	if (len < m->header)
		return -1;
	len -= m->header;
	if (len > size)
		return -1;
	if (header != NULL)
		*header = first;
	memcpy(frame, whole + m->header, len);
	return len;
}
