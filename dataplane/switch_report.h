/*
 * What happens to ports and MACs, as events. Control thread.
 */
#ifndef VS_SWITCH_REPORT_H
#define VS_SWITCH_REPORT_H

#include "switch_state.h"

/* Port's state as it is now. */
void switch_report_port(const struct port_entry *port);

/* The MAC moves since the last call; no more than the table keeps. */
void switch_report_moves(struct network_entry *net);

#endif
