/*
 * An interface of the kernel below a trunk, by AF_XDP sockets of our own: frames that the XDP
 * program (xdp_program.h) tells to be the switch's never reach the host's stack, and all others
 * reach it as if there were no switch.
 */
#ifndef VS_XSK_H
#define VS_XSK_H

#include "trunk.h"

extern const struct trunk_ops xsk_ops;

/* Bytes of L3 that such a trunk takes at most: a frame lies within a page. */
#define XSK_MTU_MAX 3818u

#endif
