/*
 * The port driver of capture replay (kind `capture`): what capture_inject() is given arrives at the
 * port, and what the switch sends to it goes to a capture file.
 *
 * Frames are put in by the replay engine's thread and taken out by the worker that polls the port;
 * these may be the same thread or two. The output file is shared by all capture ports, so one
 * worker serves them all. Never used together with live guests: frames are allocated from the heap.
 */
#ifndef VS_CAPTURE_H
#define VS_CAPTURE_H

#include <stdint.h>

#include "capture_file.h"
#include "port_driver.h"

#define CAPTURE_QUEUE_MAX 255 /* frames injected and not yet polled */

/*
 * Queues a copy of an Ethernet frame of len bytes (0 to CAPTURE_FRAME_MAX) at the port. -1 where
 * CAPTURE_QUEUE_MAX frames are waiting or memory is out. The replay engine's thread.
 */
int capture_inject(struct port_dev *dev, const uint8_t *data, uint32_t len);

/*
 * Where all capture ports write what they are sent from now on; NULL: nowhere. The caller keeps
 * writer and takes it away from here before it closes it. While no worker runs.
 */
void capture_set_output(struct capture_writer *writer);

/* The time that frames are written with from now on, in ns since 1970. The worker's thread. */
void capture_set_time(uint64_t ns);

#endif
