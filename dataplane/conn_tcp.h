/*
 * How TCP moves a connection's state (RFC 9293, 3.3.2), and whether a segment can belong to it.
 *
 * Liberal tracking goes by flags alone, in both directions. Strict tracking holds sequence and
 * acknowledgment numbers against what both sides have sent and offered, by the bounds of Guido van
 * Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001), with windows scaled as the SYNs
 * say (RFC 7323). A connection that was picked up is always tracked liberally: its scaling is not
 * known.
 *
 * Its worker; keeps its numbers in the connection's conn_detail.
 */
#ifndef VS_CONN_TCP_H
#define VS_CONN_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "conn_table.h"
#include "packet.h"

/*
 * A segment of conn, sent by side `sender`. Returns the state
 * that it leads to; or CONN_FREE, with nothing changed, where it must not pass (only if strict).
 */
enum conn_state conn_tcp_follow(const struct conn *conn, struct conn_detail *detail,
	const struct rte_mbuf *m, const struct packet *p, unsigned sender, bool strict);

/*
 * Whether a SYN begins another connection in place of this one: sent by the opener of one that is
 * closed or closing, or by the other side of one that it has not just been asked to open.
 */
bool conn_tcp_is_new_attempt(const struct conn *conn, uint8_t tcp_flags, unsigned sender);

#endif
