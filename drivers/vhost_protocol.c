#include "vhost_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_common.h>
#include <rte_version.h>
#include <rte_vhost.h>

/*
 * 22.11.11 has all known fixes for hostile guests. What it passes to message callbacks is not in
 * an installed header, so its layout is known for 22.11 only.
 */
#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 11, 0) || RTE_VERSION >= RTE_VERSION_NUM(22, 12, 0, 0)
#error "needs DPDK 22.11.11 or a later 22.11: Debian 12 has it in libdpdk-dev"
#endif

#ifndef VIRTIO_F_RING_PACKED
#define VIRTIO_F_RING_PACKED 34
#endif

#define MESSAGE_FDS   8
#define REGIONS_MAX   8u /* of the library, and of a SET_MEM_TABLE message */
#define NO_DESCRIPTOR (1u << 8) /* in SET_VRING_KICK, CALL and ERR */
#define RING_MASK     0xffu
#define POSITION_MASK 0x7fffu /* of a packed ring; the bit above is its wrap counter */

/* The vhost-user protocol's own numbers: QEMU, docs/interop/vhost-user.rst. */
enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_LOG_FD = 7,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SEND_RARP = 19,
	NET_SET_MTU = 20,
	SET_BACKEND_REQ_FD = 21,
	SET_STATUS = 39,
	GET_STATUS = 40,
	REQUESTS,
};

struct region {
	uint64_t guest, size, user, offset;
} __attribute__((packed));

/* Struct vhu_msg_context of the library. */
struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload */
	union {
		uint64_t u64;
		struct {
			uint32_t index;
			uint32_t num;
		} ring;
		struct {
			uint32_t regions;
			uint32_t padding;
			struct region region[REGIONS_MAX];
		} memory;
		struct {
			uint64_t size, offset;
		} log;
		uint8_t bytes[632];
	} payload;
	int32_t fds[MESSAGE_FDS];
	int32_t n_fds;
} __attribute__((packed));

enum ring_index { RING_NONE, RING_WORD, RING_BYTE };

/*
 * What a front end may ask of a net device with the protocol features that the library offers.
 * The library handles more without checking that it was negotiated: an IOTLB message, for one,
 * makes it divide by zero.
 */
static const struct {
	const char *name;
	uint8_t size; /* bytes of payload at the least */
	enum ring_index index; /* how its payload names a ring */
} requests[REQUESTS] = {
	[GET_FEATURES] = {"GET_FEATURES", 0, RING_NONE},
	[SET_FEATURES] = {"SET_FEATURES", 8, RING_NONE},
	[SET_OWNER] = {"SET_OWNER", 0, RING_NONE},
	[RESET_OWNER] = {"RESET_OWNER", 0, RING_NONE},
	[SET_MEM_TABLE] = {"SET_MEM_TABLE", 8, RING_NONE},
	[SET_LOG_BASE] = {"SET_LOG_BASE", 16, RING_NONE},
	[SET_LOG_FD] = {"SET_LOG_FD", 0, RING_NONE},
	[SET_VRING_NUM] = {"SET_VRING_NUM", 8, RING_WORD},
	[SET_VRING_ADDR] = {"SET_VRING_ADDR", 40, RING_WORD},
	[SET_VRING_BASE] = {"SET_VRING_BASE", 8, RING_WORD},
	[GET_VRING_BASE] = {"GET_VRING_BASE", 8, RING_WORD},
	[SET_VRING_KICK] = {"SET_VRING_KICK", 8, RING_BYTE},
	[SET_VRING_CALL] = {"SET_VRING_CALL", 8, RING_BYTE},
	[SET_VRING_ERR] = {"SET_VRING_ERR", 8, RING_BYTE},
	[GET_PROTOCOL_FEATURES] = {"GET_PROTOCOL_FEATURES", 0, RING_NONE},
	[SET_PROTOCOL_FEATURES] = {"SET_PROTOCOL_FEATURES", 8, RING_NONE},
	[GET_QUEUE_NUM] = {"GET_QUEUE_NUM", 0, RING_NONE},
	[SET_VRING_ENABLE] = {"SET_VRING_ENABLE", 8, RING_WORD},
	[SEND_RARP] = {"SEND_RARP", 8, RING_NONE},
	[NET_SET_MTU] = {"NET_SET_MTU", 8, RING_NONE},
	[SET_BACKEND_REQ_FD] = {"SET_BACKEND_REQ_FD", 0, RING_NONE},
	[SET_STATUS] = {"SET_STATUS", 8, RING_NONE},
	[GET_STATUS] = {"GET_STATUS", 0, RING_NONE},
};

bool vhost_protocol_takes_descriptors(uint32_t request)
{
	switch (request) {
	case SET_MEM_TABLE:
	case SET_LOG_BASE:
	case SET_LOG_FD:
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR:
	case SET_BACKEND_REQ_FD:
		return true;
	default:
		return false;
	}
}

void vhost_protocol_init(struct vhost_session *session, unsigned queues, int fd)
{
	memset(session, 0, sizeof(*session));
	session->queues = queues;
	session->fd = fd;
	session->kicked = -1;
}

/* The library closes descriptors only of messages that it handles itself. */
static void close_descriptors(struct message *msg)
{
	for (int i = 0; i < msg->n_fds && i < MESSAGE_FDS; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
		msg->fds[i] = -1;
	}
	msg->n_fds = 0;
}

static int refuse(struct vhost_session *session, struct message *msg)
{
	close_descriptors(msg);
	session->request = 0;
	return RTE_VHOST_MSG_RESULT_ERR;
}

static unsigned ring_of(const struct message *msg)
{
	if (requests[msg->request].index == RING_BYTE)
		return msg->payload.u64 & RING_MASK;
	return msg->payload.ring.index;
}

static bool known(struct vhost_session *session, const struct message *msg)
{
	if (msg->request < REQUESTS && requests[msg->request].name != NULL)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side sent request %u, which was not negotiated", msg->request);
	return false;
}

static bool whole(struct vhost_session *session, const struct message *msg)
{
	uint32_t need = requests[msg->request].size;

	if (msg->request == SET_MEM_TABLE && msg->size >= need)
		need += sizeof(struct region) *
			RTE_MIN(msg->payload.memory.regions, (unsigned)REGIONS_MAX);
	if (msg->size >= need)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side sent %s with %u bytes where at least %u belong",
		requests[msg->request].name, msg->size, need);
	return false;
}

static bool within_queues(struct vhost_session *session, const struct message *msg)
{
	if (requests[msg->request].index == RING_NONE || ring_of(msg) < 2 * session->queues)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side uses queue pair %u, but this port has %u: raise `queues` of the "
		"port, or lower `queues` of the guest's interface",
		ring_of(msg) / 2 + 1, session->queues);
	return false;
}

/*
 * The library sizes its own arrays by the features that hold when a ring gets its size, and reads
 * a ring by those that hold later.
 */
static bool features_steady(struct vhost_session *session, const struct message *msg)
{
	const uint64_t fixed = 1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_RING_F_EVENT_IDX;

	if (session->sized == 0 || ((msg->payload.u64 ^ session->features) & fixed) == 0)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side changed the format of its rings while they were in use");
	return false;
}

static bool size_sound(struct vhost_session *session, const struct message *msg)
{
	if (msg->payload.ring.num != 0)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side gave ring %u no descriptors", ring_of(msg));
	return false;
}

/*
 * That a ring of its size lies in the guest's memory is checked when the library maps it, so until
 * it is stopped neither size nor position may change.
 */
static bool ring_steady(struct vhost_session *session, int vid, const struct message *msg)
{
	struct rte_vhost_vring ring;

	if (rte_vhost_get_vhost_vring(vid, ring_of(msg), &ring) != 0 || ring.desc == NULL)
		return true;
	if (msg->request == SET_VRING_NUM && msg->payload.ring.num == ring.size)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side changed the size or position of ring %u while it was in use",
		ring_of(msg));
	return false;
}

/*
 * Workers write to a call descriptor and wait for a kick descriptor. With anything but an eventfd
 * (a full pipe, a file of a stuck file system) the front end could hold them up.
 */
static bool is_eventfd(int fd)
{
	char path[40], target[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

static bool descriptor_safe(struct vhost_session *session, const struct message *msg)
{
	int fd = msg->fds[0], flags;

	if ((msg->payload.u64 & NO_DESCRIPTOR) || msg->n_fds != 1)
		return true; /* the library checks that the number is right */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || !is_eventfd(fd)) {
		snprintf(session->reason, sizeof(session->reason),
			"the guest's side sent %s with a descriptor that is no eventfd",
			requests[msg->request].name);
		return false;
	}
	/* An eventfd whose counter is full blocks its writer otherwise. */
	return msg->request == SET_VRING_KICK || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static bool region_maps(struct vhost_session *session, const struct region *region, int fd)
{
	uint64_t size;
	struct stat st;
	void *at;

	if (fstat(fd, &st) != 0 || __builtin_add_overflow(region->size, region->offset, &size) ||
		size > INT64_MAX || (S_ISREG(st.st_mode) && size > (uint64_t)st.st_size)) {
		snprintf(session->reason, sizeof(session->reason),
			"a memory region of the guest is larger than the file behind it");
		return false;
	}
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		snprintf(session->reason, sizeof(session->reason),
			"the guest's memory cannot be mapped (%s): it must be shared (QEMU: "
			"memory-backend-memfd with share=on; libvirt: memoryBacking with access "
			"mode='shared')",
			strerror(errno));
		return false;
	}
	munmap(at, size);
	return true;
}

/*
 * Where a region cannot be mapped, the library does not close its descriptor; where its file is
 * shorter, the first access beyond would end the process.
 */
static bool memory_maps(struct vhost_session *session, const struct message *msg)
{
	uint32_t n = msg->payload.memory.regions;

	if (n > REGIONS_MAX || msg->n_fds != (int)n)
		return true; /* the library refuses it */
	for (unsigned i = 0; i < n; i++) {
		struct region region;

		memcpy(&region, &msg->payload.memory.region[i], sizeof(region));
		if (!region_maps(session, &region, msg->fds[i]))
			return false;
	}
	return true;
}

/* Workers write to the log of dirty pages; the library takes it for mapped from its start. */
static bool log_sound(struct vhost_session *session, const struct message *msg)
{
	struct stat st;

	if (msg->n_fds != 1)
		return true; /* the library refuses it */
	if (fstat(msg->fds[0], &st) == 0 && msg->payload.log.offset == 0 &&
		(!S_ISREG(st.st_mode) || msg->payload.log.size <= (uint64_t)st.st_size))
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the log for migration is larger than the file behind it, or begins inside of it");
	return false;
}

/*
 * The library runs a ring without arrays where its size was not given since it was stopped last,
 * and takes a packed ring's position as an index.
 */
static bool may_start(struct vhost_session *session, int vid, const struct message *msg)
{
	struct rte_vhost_vring ring;
	uint16_t avail, used;

	if (!(session->sized & (1u << ring_of(msg)))) {
		snprintf(session->reason, sizeof(session->reason),
			"the guest's side started ring %u without giving its size", ring_of(msg));
		return false;
	}
	if (!(session->features & (1ull << VIRTIO_F_RING_PACKED)))
		return true;
	if (rte_vhost_get_vhost_vring(vid, ring_of(msg), &ring) == 0 &&
		rte_vhost_get_vring_base(vid, ring_of(msg), &avail, &used) == 0 &&
		(avail & POSITION_MASK) < ring.size && (used & POSITION_MASK) < ring.size)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side started ring %u beyond its end", ring_of(msg));
	return false;
}

/* With a socket full of unread answers, the library's thread would wait for room. */
static bool reads_answers(struct vhost_session *session)
{
	struct pollfd room = {.fd = session->fd, .events = POLLOUT};

	if (session->fd < 0 || poll(&room, 1, 0) == 1)
		return true;
	snprintf(session->reason, sizeof(session->reason),
		"the guest's side asks and does not read the answers");
	return false;
}

static bool acceptable(struct vhost_session *session, int vid, const struct message *msg)
{
	if (!reads_answers(session) || !known(session, msg) || !whole(session, msg) ||
		!within_queues(session, msg))
		return false;
	switch (msg->request) {
	case SET_FEATURES:
		return features_steady(session, msg);
	case SET_MEM_TABLE:
		session->remaps = VHOST_REMAP_MEMORY;
		session->regions = msg->payload.memory.regions;
		return memory_maps(session, msg);
	case SET_LOG_BASE:
		session->remaps = VHOST_REMAP_LOG;
		return log_sound(session, msg);
	case SET_VRING_NUM:
		return size_sound(session, msg) && ring_steady(session, vid, msg);
	case SET_VRING_BASE:
		return ring_steady(session, vid, msg);
	case SET_VRING_ADDR:
		return may_start(session, vid, msg);
	case SET_VRING_KICK:
		return may_start(session, vid, msg) && descriptor_safe(session, msg);
	case SET_VRING_CALL:
		return descriptor_safe(session, msg);
	default:
		return true;
	}
}

int vhost_protocol_before(struct vhost_session *session, int vid, void *message)
{
	struct message *msg = message;

	session->spoke = true;
	session->kicked = -1;
	session->announces = false;
	session->reason[0] = '\0';
	session->request = msg->request;
	session->remaps = VHOST_REMAP_NOTHING;
	if (!acceptable(session, vid, msg))
		return refuse(session, msg);
	switch (msg->request) {
	case GET_QUEUE_NUM:
		close_descriptors(msg);
		session->told_limit = true;
		session->request = 0;
		msg->payload.u64 = session->queues;
		msg->size = sizeof(msg->payload.u64);
		return RTE_VHOST_MSG_RESULT_REPLY;
	case RESET_OWNER:
		/* Deprecated, and may be ignored; the library would lose the rings' memory. */
		close_descriptors(msg);
		session->request = 0;
		return RTE_VHOST_MSG_RESULT_OK;
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Called only where the library, or vhost_protocol_before(), did not refuse the message. */
int vhost_protocol_after(struct vhost_session *session, int vid, void *message)
{
	const struct message *msg = message;

	session->request = 0;
	switch (msg->request) {
	case SET_FEATURES:
		session->negotiated = true;
		session->features = msg->payload.u64;
		break;
	case SET_MEM_TABLE:
		session->mapped = true;
		break;
	case SEND_RARP:
		session->announces = true;
		break;
	case NET_SET_MTU:
		session->mtu = msg->payload.u64;
		break;
	case SET_VRING_NUM:
		session->sized |= 1u << ring_of(msg);
		break;
	case GET_VRING_BASE:
		session->sized &= ~(1u << ring_of(msg));
		session->kicked = ring_of(msg);
		break;
	case SET_VRING_KICK:
		session->kicked = ring_of(msg);
		break;
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

void vhost_protocol_epitaph(const struct vhost_session *session, char *text, size_t len)
{
	uint32_t request = session->request;

	text[0] = '\0';
	if (session->reason[0] != '\0')
		snprintf(text, len, "%s", session->reason);
	else if (request == SET_MEM_TABLE && session->regions > REGIONS_MAX)
		snprintf(text, len,
			"the guest has %u memory regions and at most %u are possible: give it "
			"fewer "
			"memory devices (DPDK in its place: --single-file-segments)",
			session->regions, REGIONS_MAX);
	else if (request == SET_FEATURES)
		snprintf(text, len,
			"the guest uses features that this switch does not offer: restart the "
			"guest, "
			"or run the switch version and configuration that it was started with");
	else if (request != 0)
		snprintf(text, len, "the vhost library refused %s of the guest's side",
			requests[request].name);
	else if (session->told_limit && !session->negotiated)
		snprintf(text, len,
			"the guest's side left when it was told the limit of %u queue pair(s): if "
			"its "
			"interface has more `queues`, lower them, or raise `queues` of the port",
			session->queues);
}
