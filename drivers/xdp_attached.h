/*
 * Which XDP program an interface has, and whether it is one of ours: the program of another switch
 * that was killed, say. Ours is known by the program's name and a map for sockets that it uses, of
 * our name. In the network namespace of the calling thread. Control thread.
 */
#ifndef VS_XDP_ATTACHED_H
#define VS_XDP_ATTACHED_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

struct xdp_attached {
	uint32_t id; /* 0: there is none */
	uint32_t mode; /* XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE; else 0 */
	char name[BPF_OBJ_NAME_LEN]; /* empty where it can't be told */
	bool ours;
};

/* 0, or a negative errno: the interface is not there, or may not be looked at. */
int xdp_attached_find(unsigned ifindex, struct xdp_attached *found);

/*
 * Whether a program in the interface's driver (native) can send frames to the interface's sockets.
 * A bond's program runs in its members, as frames of theirs, and its sockets take none of those:
 * in generic mode it sees the bond's.
 */
bool xdp_attached_native_will_do(unsigned ifindex);

/*
 * A descriptor of the program, for as long as it is needed; the caller closes it. Negative errno:
 * it has gone meanwhile.
 */
int xdp_attached_open(const struct xdp_attached *found);

/*
 * A descriptor of the map called name that the program uses and whose type and sizes are these; the
 * caller closes it. -ENOENT: it uses none that is like that.
 */
int xdp_attached_map(
	int program, const char *name, uint32_t type, uint32_t key_size, uint32_t value_size);

#endif
