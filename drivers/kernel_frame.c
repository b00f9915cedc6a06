#include "kernel_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>
#include <rte_mempool.h>

#include "vnet_header.h"

#define FRAME_IOV_MAX 1024 /* UIO_MAXIOV */

struct kernel_reader {
	struct rte_mempool *pool;
	unsigned room; /* bytes in a segment */
	unsigned needed; /* segments for the longest frame, and a byte more */
	unsigned first; /* segments before it were given away */
	unsigned end; /* segments from it on could not be had */
	struct virtio_net_hdr header;
	/* The header, `needed` segments, or what is left of them and the waste. */
	struct iovec *iov;
	struct rte_mbuf **segments;
	char waste[KERNEL_FRAME_MAX + 1];
};

struct kernel_reader *kernel_reader_new(struct rte_mempool *pool)
{
	struct kernel_reader *reader;
	unsigned room = rte_pktmbuf_data_room_size(pool);

	/* A vector holds FRAME_IOV_MAX parts, the header and the waste among them. */
	if (room <= RTE_PKTMBUF_HEADROOM + KERNEL_FRAME_MAX / (FRAME_IOV_MAX - 3))
		return NULL;
	reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return NULL;
	reader->pool = pool;
	reader->room = room - RTE_PKTMBUF_HEADROOM;
	/* More than the longest frame, so that one that was cut off shows. */
	reader->needed = KERNEL_FRAME_MAX / reader->room + 1;
	reader->first = reader->needed;
	reader->end = reader->needed;
	reader->iov = calloc(reader->needed + 2, sizeof(*reader->iov));
	reader->segments = calloc(reader->needed, sizeof(*reader->segments));
	if (reader->iov == NULL || reader->segments == NULL) {
		kernel_reader_free(reader);
		return NULL;
	}
	reader->iov[0] = (struct iovec){&reader->header, sizeof(reader->header)};
	return reader;
}

void kernel_reader_free(struct kernel_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->end > reader->first)
		rte_pktmbuf_free_bulk(
			reader->segments + reader->first, reader->end - reader->first);
	free(reader->iov);
	free(reader->segments);
	free(reader);
}

unsigned kernel_reader_segments(const struct kernel_reader *reader)
{
	return reader->needed;
}

/* Segments [from, to) into the vector. */
static void reader_point(struct kernel_reader *reader, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		reader->iov[1 + i] = (struct iovec){
			rte_pktmbuf_mtod(reader->segments[i], void *), reader->room};
}

/* Replaces what was given away. Returns the length of the vector. */
static int reader_fill(struct kernel_reader *reader)
{
	unsigned left = reader->end - reader->first;
	unsigned n;

	if (reader->first > 0 &&
		rte_pktmbuf_alloc_bulk(reader->pool, reader->segments, reader->first) == 0) {
		reader_point(reader, 0, reader->first);
	} else if (reader->first > 0) {
		memmove(reader->segments, reader->segments + reader->first,
			left * sizeof(*reader->segments));
		reader->end = left;
		reader_point(reader, 0, left);
	}
	reader->first = 0;
	/* With the pool nearly empty, small frames still find a place. */
	n = reader->needed - reader->end;
	while (n > 0 &&
		rte_pktmbuf_alloc_bulk(reader->pool, reader->segments + reader->end, n) != 0)
		n /= 2;
	reader_point(reader, reader->end, reader->end + n);
	reader->end += n;
	if (reader->end == reader->needed)
		return 1 + (int)reader->end;
	reader->iov[1 + reader->end] = (struct iovec){reader->waste, sizeof(reader->waste)};
	return 2 + (int)reader->end;
}

/* The first n segments, with len bytes in them, as one chain. */
static struct rte_mbuf *reader_take(struct kernel_reader *reader, unsigned n, unsigned len)
{
	struct rte_mbuf *m = reader->segments[0];

	m->nb_segs = (uint16_t)n;
	m->pkt_len = len;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *segment = reader->segments[i];

		segment->data_len = (uint16_t)RTE_MIN(len, reader->room);
		segment->next = i + 1 < n ? reader->segments[i + 1] : NULL;
		len -= segment->data_len;
	}
	reader->first = n;
	return m;
}

enum kernel_read kernel_frame_read(int fd, struct kernel_reader *reader, struct rte_mbuf **m)
{
	int n_iov = reader_fill(reader);
	unsigned len, n;
	ssize_t rc;

	do {
		rc = readv(fd, reader->iov, n_iov);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return errno == EAGAIN ? KERNEL_READ_EMPTY : KERNEL_READ_ERROR;
	if (rc <= (ssize_t)sizeof(reader->header) ||
		rc > (ssize_t)sizeof(reader->header) + KERNEL_FRAME_MAX)
		return KERNEL_READ_INVALID;
	len = (unsigned)rc - (unsigned)sizeof(reader->header);
	n = (len + reader->room - 1) / reader->room;
	if (n > reader->end)
		return KERNEL_READ_NO_BUFFER;
	*m = reader_take(reader, n, len);
	if (vnet_header_to_mbuf(&reader->header, *m) == 0)
		return KERNEL_READ_FRAME;
	rte_pktmbuf_free(*m);
	return KERNEL_READ_INVALID;
}

int kernel_frame_write(int fd, const struct rte_mbuf *m)
{
	struct iovec iov[FRAME_IOV_MAX];
	struct virtio_net_hdr header;
	int n = 0;
	ssize_t rc;

	if (m->nb_segs + 1 > FRAME_IOV_MAX)
		return -EMSGSIZE;
	if (vnet_header_from_mbuf(m, &header) != 0)
		return -EINVAL;
	iov[n++] = (struct iovec){&header, sizeof(header)};
	for (const struct rte_mbuf *s = m; s != NULL && n < FRAME_IOV_MAX; s = s->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(s, void *), s->data_len};
	do {
		rc = writev(fd, iov, n);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}
