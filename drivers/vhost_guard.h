/*
 * What keeps the process alive when a front end cuts short a file that the switch has mapped: its
 * guest's memory, or the log for migration. The next access beyond the file's end raises SIGBUS,
 * on a worker as well as on any other thread, and would end all ports.
 *
 * Owns the process's handler of SIGBUS, and a table of what is mapped for each of the vhost
 * library's devices. An access that fails there finds zeros from then on, and the device's port is
 * switched off; any other SIGBUS goes where it would have gone without this.
 *
 * The table is written by the threads that make, use and end connections, and read in the handler
 * without a lock.
 */
#ifndef VS_VHOST_GUARD_H
#define VS_VHOST_GUARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "port_driver.h"

#define VHOST_GUARD_REGIONS 8 /* of memory, as many as the library takes */

enum vhost_guard_cause {
	VHOST_GUARD_WHOLE, /* nothing happened */
	VHOST_GUARD_SHORT, /* the file ends before the mapping does */
	VHOST_GUARD_BROKEN, /* the machine's memory has an error there */
};

struct vhost_guard_region {
	uintptr_t start;
	size_t size; /* bytes */
};

/* One device. The handler writes to it and to dev until vhost_guard_remove(). */
struct vhost_guard {
	struct port_dev *dev;
	const _Atomic int *active; /* number of the device that dev's words tell of */
	_Atomic int cause; /* enum vhost_guard_cause: the first there was */
};

/* Takes SIGBUS over, where it was not or somebody else has it again. Control thread. */
void vhost_guard_install(void);

/* vid: the library's number of the device. Nothing of it is known yet. */
void vhost_guard_add(int vid, struct vhost_guard *guard);

/* Nothing happens where vid is another's by now. */
void vhost_guard_remove(int vid, const struct vhost_guard *guard);

/*
 * What is mapped for vid now, as mmap() made it, in place of what was: its memory, in
 * n <= VHOST_GUARD_REGIONS pieces, or its log. What others had at the same place is theirs no more.
 */
void vhost_guard_set_memory(int vid, const struct vhost_guard_region *regions, unsigned n);
void vhost_guard_set_log(int vid, struct vhost_guard_region log);

/*
 * Around a call in which this thread, and no other, uses memory of vid that is being mapped and
 * that nobody could tell of yet.
 */
void vhost_guard_enter(int vid);
void vhost_guard_leave(void);

/* What happened, for an operator; empty: nothing. Any thread. */
void vhost_guard_explain(const struct vhost_guard *guard, char *text, size_t len);

#endif
