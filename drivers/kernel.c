/*
 * Kernel ports: a tap device of the host's kernel as a port of the switch. Workers put and take
 * packets in the port's queues (kernel_queue.h); the I/O thread (io_thread.h) reads and writes.
 *
 * It reads no more than the rx queue holds. The device's own queue fills then, and what overflows
 * there shows as TX drops of the interface. What the kernel does not take on the way out is a late
 * drop: the interface is down or gone, or memory is short. Nothing is held back for it, as that
 * would only make the packets behind it older.
 */
#include "port_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "config.h"
#include "io_thread.h"
#include "kernel_frame.h"
#include "kernel_queue.h"
#include "kernel_tap.h"

#define KERNEL_BUDGET 32 /* packets in each direction before the next port has its turn */

/* One writer each: the I/O thread, or the control thread once that is through with the port. */
struct kernel_counters {
	_Atomic uint64_t rx_frames;
	_Atomic uint64_t rx_invalid;
	_Atomic uint64_t rx_no_buffer;
	_Atomic uint64_t tx_frames;
	_Atomic uint64_t tx_down;
	_Atomic uint64_t tx_full;
	_Atomic uint64_t tx_refused;
};

struct kernel_port {
	struct port_dev dev; /* first: a port_dev of this driver is a kernel_port */
	char interface[sizeof(((struct config_kernel *)0)->interface)]; /* as configured */
	char netns[CONFIG_NAME_MAX + 1];
	int fd;
	struct kernel_rx_queue rx;
	struct kernel_tx_queue tx;

	/* I/O thread. */
	_Alignas(RTE_CACHE_LINE_SIZE) struct io_client io;
	bool readable; /* the last read did not find the device's queue empty */
	bool closing; /* nobody is told of changes any more */
	_Atomic int error; /* errno of the last failure, 0 since the last success */
	struct kernel_counters counters;
};

/* One for all ports, since they share one thread. Made and freed by the control thread. */
static struct kernel_reader *kernel_reader;
static unsigned kernel_ports;

static inline struct kernel_port *kernel_port(struct port_dev *dev)
{
	return (struct kernel_port *)dev;
}

static inline void kernel_count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

/* The last failure, told on where it changes what an operator should know. */
static void kernel_set_error(struct kernel_port *port, int error)
{
	if (atomic_load_explicit(&port->error, memory_order_relaxed) == error)
		return;
	atomic_store_explicit(&port->error, error, memory_order_relaxed);
	if (!port->closing)
		port_env.changed(&port->dev);
}

/* The device was removed, with its namespace or by hand: no traffic until the port is reopened. */
static void kernel_set_gone(struct kernel_port *port)
{
	atomic_store(&port->dev.lost, true);
	port->readable = false;
	atomic_store(&port->dev.rx_ready, 0);
	atomic_store(&port->dev.tx_ready, 0);
	kernel_set_error(port, EBADFD);
}

/* Reads up to max frames into pkts; returns how many are good. */
static unsigned kernel_read(struct kernel_port *port, struct rte_mbuf **pkts, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < max && port->readable; i++) {
		switch (kernel_frame_read(port->fd, kernel_reader, &pkts[n])) {
		case KERNEL_READ_FRAME:
			pkts[n++]->port = port->dev.id;
			break;
		case KERNEL_READ_INVALID:
			kernel_count(&port->counters.rx_invalid);
			break;
		case KERNEL_READ_NO_BUFFER:
			kernel_count(&port->counters.rx_no_buffer);
			break;
		case KERNEL_READ_EMPTY:
			port->readable = false;
			break;
		case KERNEL_READ_ERROR:
			port->readable = false;
			if (errno == EBADFD)
				kernel_set_gone(port);
			else
				kernel_set_error(port, errno);
			break;
		}
	}
	return n;
}

/* Returns true where there may be more to read at once. */
static bool kernel_receive(struct kernel_port *port)
{
	struct rte_mbuf *pkts[KERNEL_BUDGET];
	unsigned room, n;

	if (!port->readable)
		return false;
	room = kernel_rx_queue_room(&port->rx, kernel_reader_segments(kernel_reader));
	if (room == 0)
		return false; /* the worker kicks when it has caught up */
	n = kernel_read(port, pkts, RTE_MIN(room, (unsigned)KERNEL_BUDGET));
	for (unsigned i = 0; i < n; i++)
		kernel_count(&port->counters.rx_frames);
	if (n > 0 && kernel_rx_queue_put(&port->rx, pkts, n))
		port_env.wake(&port->dev);
	return port->readable;
}

static void kernel_write(struct kernel_port *port, const struct rte_mbuf *m)
{
	struct kernel_counters *counters = &port->counters;
	int rc = atomic_load(&port->dev.lost) ? -EBADFD : kernel_frame_write(port->fd, m);

	if (rc == 0) {
		kernel_count(&counters->tx_frames);
		kernel_set_error(port, 0);
		return;
	}
	kernel_count(&port->dev.tx_late_drops);
	switch (-rc) {
	case EBADFD:
		kernel_count(&counters->tx_down);
		if (!atomic_load(&port->dev.lost))
			kernel_set_gone(port);
		return;
	case EIO:
		kernel_count(&counters->tx_down);
		break;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		kernel_count(&counters->tx_full);
		break;
	default:
		kernel_count(&counters->tx_refused);
		break;
	}
	kernel_set_error(port, -rc);
}

/* Returns true where the queue holds more. */
static bool kernel_transmit(struct kernel_port *port)
{
	struct rte_mbuf *pkts[KERNEL_BUDGET];
	unsigned left;
	unsigned n = kernel_tx_queue_take(&port->tx, pkts, KERNEL_BUDGET, &left);

	if (n == 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		kernel_write(port, pkts[i]);
	kernel_tx_queue_done(&port->tx, pkts, n);
	return left > 0;
}

static bool kernel_work(struct io_client *client, uint32_t events)
{
	struct kernel_port *port = container_of(client, struct kernel_port, io);
	bool more;

	/* EPOLLERR: the device was removed. The read says so. */
	if (events != 0 && !atomic_load(&port->dev.lost))
		port->readable = true;
	more = kernel_receive(port);
	return kernel_transmit(port) || more;
}

static uint16_t kernel_rx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct kernel_port *port = kernel_port(dev);
	bool kick;

	n = (uint16_t)kernel_rx_queue_take(&port->rx, pkts, n, &kick);
	if (unlikely(kick))
		io_thread_kick(&port->io);
	return n;
}

static uint16_t kernel_tx_burst(
	struct port_dev *dev, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct kernel_port *port = kernel_port(dev);

	n = (uint16_t)kernel_tx_queue_put(&port->tx, pkts, n);
	if (n > 0)
		io_thread_kick(&port->io);
	return n;
}

static void kernel_rx_notify(struct port_dev *dev, uint16_t queue, bool on)
{
	kernel_rx_queue_arm(&kernel_port(dev)->rx, on);
}

static int kernel_rx_fd(struct port_dev *dev, uint16_t queue)
{
	return PORT_FD_WAKES;
}

static void kernel_free(struct kernel_port *port)
{
	kernel_rx_queue_exit(&port->rx);
	kernel_tx_queue_exit(&port->tx);
	free(port);
}

static struct kernel_port *kernel_new(const struct config_port *conf, uint16_t id)
{
	struct kernel_port *port = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*port));

	if (port == NULL)
		return NULL;
	memset(port, 0, sizeof(*port));
	port->dev.driver = &kernel_driver;
	snprintf(port->dev.name, sizeof(port->dev.name), "%s", conf->name);
	port->dev.id = id;
	port->dev.tx_caps = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_CHAINS;
	port->dev.mtu = conf->mtu;
	port->dev.rx_ready = 1;
	port->dev.tx_ready = 1;
	snprintf(port->interface, sizeof(port->interface), "%s", conf->kernel.interface);
	snprintf(port->netns, sizeof(port->netns), "%s", conf->kernel.netns);
	port->io.work = kernel_work;
	if (kernel_rx_queue_init(&port->rx) == 0 && kernel_tx_queue_init(&port->tx) == 0)
		return port;
	kernel_free(port);
	return NULL;
}

/* What all kernel ports share. */
static int kernel_hold(char *err, size_t err_len)
{
	if (io_thread_start(err, err_len) != 0)
		return -1;
	if (kernel_reader == NULL)
		kernel_reader = kernel_reader_new(port_env.pool);
	if (kernel_reader == NULL) {
		io_thread_stop();
		snprintf(err, err_len, "kernel: no memory to read into");
		return -1;
	}
	kernel_ports++;
	return 0;
}

static void kernel_release(void)
{
	io_thread_stop();
	if (--kernel_ports > 0)
		return;
	kernel_reader_free(kernel_reader);
	kernel_reader = NULL;
}

static struct port_dev *kernel_open(
	const struct config_port *conf, uint16_t id, char *err, size_t err_len)
{
	struct kernel_tap_config tap = {
		.interface = conf->kernel.interface,
		.netns = conf->kernel.netns,
		.mtu = conf->mtu,
		.mac = conf->has_mac ? conf->mac : NULL,
	};
	struct kernel_port *port = kernel_new(conf, id);

	if (port == NULL) {
		snprintf(err, err_len, "kernel: out of memory");
		return NULL;
	}
	port->fd = kernel_tap_open(&tap, err, err_len);
	if (port->fd < 0) {
		kernel_free(port);
		return NULL;
	}
	port->io.fd = port->fd;
	if (kernel_hold(err, err_len) == 0) {
		if (io_thread_add(&port->io, err, err_len) == 0)
			return &port->dev;
		kernel_release();
	}
	close(port->fd);
	kernel_free(port);
	return NULL;
}

static int kernel_update(struct port_dev *dev, const struct config_port *conf)
{
	struct kernel_port *port = kernel_port(dev);

	if (strcmp(port->interface, conf->kernel.interface) != 0 ||
		strcmp(port->netns, conf->kernel.netns) != 0)
		return -1;
	/* A device that is gone fails here, and the port is made anew. */
	if (kernel_tap_set(port->fd, conf->mtu, conf->has_mac ? conf->mac : NULL) != 0)
		return -1;
	atomic_store(&dev->mtu, conf->mtu);
	return 0;
}

static uint64_t kernel_close(struct port_dev *dev)
{
	struct kernel_port *port = kernel_port(dev);
	uint64_t late;

	io_thread_remove(&port->io);
	port->closing = true;
	/* No other thread knows the port now. What workers counted as sent still goes out. */
	while (kernel_transmit(port))
		;
	late = atomic_load(&dev->tx_late_drops);
	close(port->fd);
	kernel_free(port);
	kernel_release();
	return late;
}

static json_t *kernel_describe_error(int error)
{
	switch (error) {
	case 0:
		return json_null();
	case EBADFD:
		return json_string("the interface was removed, by hand or with its namespace");
	case EIO:
		return json_string("packets to the interface are dropped: it is down");
	default:
		return json_string(strerror(error));
	}
}

static const char *kernel_describe_state(int rc, const struct kernel_tap_info *info)
{
	if (rc == -EBADFD)
		return "gone";
	if (rc != 0)
		return "unknown";
	return info->up ? "up" : "down";
}

static void kernel_describe_counters(const struct kernel_port *port, json_t *out)
{
	const struct kernel_counters *counters = &port->counters;
	const struct {
		const char *name;
		const _Atomic uint64_t *value;
	} fields[] = {
		{"rx_frames", &counters->rx_frames},
		{"rx_invalid", &counters->rx_invalid},
		{"rx_no_buffer", &counters->rx_no_buffer},
		{"rx_stalls", &port->rx.stalls},
		{"tx_frames", &counters->tx_frames},
		{"tx_down", &counters->tx_down},
		{"tx_full", &counters->tx_full},
		{"tx_refused", &counters->tx_refused},
	};

	for (unsigned i = 0; i < RTE_DIM(fields); i++)
		json_object_set_new(out, fields[i].name,
			json_integer((json_int_t)atomic_load_explicit(
				fields[i].value, memory_order_relaxed)));
}

static json_t *kernel_describe(struct port_dev *dev)
{
	struct kernel_port *port = kernel_port(dev);
	struct kernel_tap_info info;
	int rc = kernel_tap_info(port->fd, &info);
	int error = rc != 0 ? -rc : atomic_load(&port->error);
	json_t *out;

	/* It was set up again, and no packet has come by since. */
	if (error == EIO && info.up)
		error = 0;
	out = json_pack("{s:s, s:o, s:s, s:s?, s:i, s:i}", "state",
		kernel_describe_state(rc, &info), "error", kernel_describe_error(error),
		"interface", info.interface[0] != '\0' ? info.interface : port->interface, "netns",
		info.netns[0] != '\0' ? info.netns : NULL, "ifindex", (int)info.ifindex,
		"interface_mtu", (int)info.mtu);
	if (out != NULL)
		kernel_describe_counters(port, out);
	return out;
}

const struct port_driver kernel_driver = {
	.kind = "kernel",
	.open = kernel_open,
	.update = kernel_update,
	.close = kernel_close,
	.rx_burst = kernel_rx_burst,
	.tx_burst = kernel_tx_burst,
	.rx_notify = kernel_rx_notify,
	.rx_fd = kernel_rx_fd,
	.describe = kernel_describe,
};
