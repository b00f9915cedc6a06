/*
 * What the firewall does, in numbers and events. Control thread.
 */
#ifndef VS_SWITCH_FIREWALL_H
#define VS_SWITCH_FIREWALL_H

#include <jansson.h>

/*
 * Over all workers:
 * {"connections","capacity","bytes","opened","decided_again","picked_up","fetched",
 * "pushed_out","refused","log_lost"}; the caller owns the reference. Counters since the start.
 * decided_again: connections whose rules had changed; fetched: from a worker that owned them
 * before; pushed_out: not established, to make room; refused: no room for their key though there
 * was some.
 */
json_t *switch_firewall_status(void);

/* Once a tick: a `quota` event where a port, a tenant or a worker's table has come to 80 % or 100 %
 * of the connections that it may have, and when it is below again. */
void switch_firewall_tick(void);

#endif
