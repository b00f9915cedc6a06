#include "xsk_show.h"

struct sums {
	struct xsk_queue_counters queues;
	struct xsk_group_counters groups;
	unsigned zero_copy; /* queues */
};

static void add(struct sums *sums, const struct xsk_queue *queue)
{
	struct xsk_queue_counters one;

	xsk_queue_count(queue, &one);
	sums->queues.rx_packets += one.rx_packets;
	sums->queues.rx_bytes += one.rx_bytes;
	sums->queues.tx_packets += one.tx_packets;
	sums->queues.tx_bytes += one.tx_bytes;
	sums->queues.rx_no_buffer += one.rx_no_buffer;
	sums->queues.kernel.rx_dropped += one.kernel.rx_dropped;
	sums->queues.kernel.rx_ring_full += one.kernel.rx_ring_full;
	sums->queues.kernel.tx_invalid_descs += one.kernel.tx_invalid_descs;
	sums->zero_copy += xsk_queue_is_zero_copy(queue);
}

static json_int_t quarantined(const json_t *xdp)
{
	return json_integer_value(json_object_get(json_object_get(xdp, "verdicts"), "quarantined"));
}

/* Packets that went no further than here, by reason; each is counted under just one. */
static json_t *describe_drops(const struct sums *sums, const json_t *xdp)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "xdp_quarantined", quarantined(xdp),
		"xsk_no_chunk", (json_int_t)sums->queues.kernel.rx_dropped, "xsk_ring_full",
		(json_int_t)sums->queues.kernel.rx_ring_full, "group_socket_full",
		(json_int_t)sums->groups.missed, "tx_invalid",
		(json_int_t)sums->queues.kernel.tx_invalid_descs);
}

void xsk_describe(const struct trunk *trunk, json_t *row, json_t *device)
{
	const struct xsk *xsk = trunk->device;
	struct sums sums = {0};
	json_t *xdp = xdp_program_describe(xsk->program), *counters;

	for (unsigned q = 0; q < xsk->n_queues; q++)
		add(&sums, xsk->queues[q]);
	xsk_group_count(xsk->group, &sums.groups);
	counters = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "driver",
		"af_xdp", "zero_copy", sums.zero_copy == xsk->n_queues, "rx_packets",
		(json_int_t)(sums.queues.rx_packets + sums.groups.packets), "rx_bytes",
		(json_int_t)(sums.queues.rx_bytes + sums.groups.bytes), "rx_groups",
		(json_int_t)sums.groups.packets, "rx_no_buffer",
		(json_int_t)sums.queues.rx_no_buffer, "rx_group_overflow",
		(json_int_t)sums.groups.overflow, "rx_group_unusable",
		(json_int_t)sums.groups.unusable, "tx_packets", (json_int_t)sums.queues.tx_packets,
		"tx_bytes", (json_int_t)sums.queues.tx_bytes);
	json_object_update(device, counters);
	json_decref(counters);
	json_object_set_new(device, "kernel_drops", describe_drops(&sums, xdp));
	json_object_set_new(row, "xdp", xdp);
}
