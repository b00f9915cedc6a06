/*
 * Checks on the vhost-user messages of one connection, before and after the vhost library handles
 * them: the limit on queue pairs, and what a hostile front end could do to the library itself.
 *
 * Called on the library's thread, with its queue locks held, through the extern message callbacks.
 * A struct vhost_session belongs to one connection; the caller keeps other threads from it.
 */
#ifndef VS_VHOST_PROTOCOL_H
#define VS_VHOST_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "port_driver.h"

#define VHOST_RINGS_MAX (2 * PORT_QUEUES_MAX)

enum vhost_remap { VHOST_REMAP_NOTHING, VHOST_REMAP_MEMORY, VHOST_REMAP_LOG };

struct vhost_session {
	unsigned queues; /* pairs that the front end may use */
	int fd; /* of the connection; -1: unknown */
	bool spoke; /* any message came */
	bool negotiated; /* SET_FEATURES */
	bool mapped; /* SET_MEM_TABLE */
	bool told_limit; /* GET_QUEUE_NUM */
	uint64_t features; /* as acknowledged last */
	unsigned mtu; /* NET_SET_MTU; 0: none */
	unsigned regions; /* in the last SET_MEM_TABLE */
	uint32_t sized; /* bit n: ring n was given a size since it was stopped last */
	uint32_t request; /* what the library is handling now; 0: nothing */
	enum vhost_remap remaps; /* what the message maps anew */
	bool announces; /* the message makes a packet: a RARP after a migration */
	int kicked; /* ring whose kick descriptor the message changed; -1: none */
	char reason[240]; /* why the last message was refused; empty: it was not */
};

/* Whether descriptors may come with a message; request as on the wire. Any thread. */
bool vhost_protocol_takes_descriptors(uint32_t request);

void vhost_protocol_init(struct vhost_session *session, unsigned queues, int fd);

/*
 * To be returned by the pre_msg_handle and post_msg_handle callbacks: an enum rte_vhost_msg_result.
 * message is what the library gave them. An error refuses the message, and closes the connection
 * where the front end does not wait for an answer.
 */
int vhost_protocol_before(struct vhost_session *session, int vid, void *message);
int vhost_protocol_after(struct vhost_session *session, int vid, void *message);

/*
 * Why the connection that has just ended did, as far as the messages tell: empty where the front
 * end simply left.
 */
void vhost_protocol_epitaph(const struct vhost_session *session, char *text, size_t len);

#endif
