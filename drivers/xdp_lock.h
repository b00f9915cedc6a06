/*
 * Who may have the XDP program of an interface: one running switch. The lock is a socket of a name
 * that the network namespace of the interface has once, and that the kernel frees when the process
 * that holds it ends, however it ends. Control thread.
 */
#ifndef VS_XDP_LOCK_H
#define VS_XDP_LOCK_H

#include <stddef.h>

/*
 * A descriptor: close() gives the interface back. -1 with a message in err: another switch has it.
 * A process of another user that took the name to be in the way is not heeded.
 */
int xdp_lock(unsigned ifindex, char *err, size_t err_len);

/* Now and then by who has it: who asked for it has had the answer, and need not be kept. */
void xdp_lock_answer(int lock);

#endif
