/*
 * Filters in front of uplinks' ports (port_driver.edge: the XDP program) kept in step with the
 * switch: which MACs are here, who on other hosts is cut off, and what that means in a network.
 * Control thread.
 *
 * In the network that an uplink carries without a tag these are the MACs of its ports here: the
 * configured ones with those of their pairs, and, since a guest without one could not be reached
 * otherwise, what was learned at its port. A learned one counts a second after the guest's first
 * frame at the latest; until then its frames pass to the host. Limit: SWITCH_EDGE_MACS, the
 * configured ones first; what the filter itself takes is its driver's.
 */
#ifndef VS_SWITCH_EDGE_H
#define VS_SWITCH_EDGE_H

#define SWITCH_EDGE_MACS 32768

/* Hears of addresses that are cut off, from now on until switch_edge_stop(). */
void switch_edge_start(void);
void switch_edge_stop(void);

/* Tells all ports' filters how it stands: after a change of configuration, or as ports were opened.
 */
void switch_edge_update(void);

/*
 * Around the closing of ports: what their filters have dropped of addresses that are cut off counts
 * for those still. switch_edge_closing() while the ports are there, switch_edge_closed() when they
 * are not, or are opened again.
 */
void switch_edge_closing(void);
void switch_edge_closed(void);

/* Once a second: tells them what was learned, and by what rules who is cut off. */
void switch_edge_tick(void);

#endif
