/*
 * The workers' connections as the control thread sees them: listed, counted and closed by filter.
 * Reads one entry at a time while the workers go on, so a list is no picture of one moment. Control
 * thread.
 */
#ifndef VS_SWITCH_CONNS_H
#define VS_SWITCH_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "addr.h"
#include "classifier.h"
#include "conn_table.h"

struct port_entry;

/* What a connection must have of all that is set. */
struct conn_filter {
	const char *network, *tenant; /* NULL: any */
	const char *port; /* either end */
	bool has_from, has_to; /* addresses of the end that opened it, and of its peer */
	struct addr_span from, to;
	bool has_service;
	struct service_span service;
	const char *state; /* as listed */
	const char *by; /* switch_conns_count(): "tenant", "network", "port" or "state" */
};

/* Whether what the filter names is there; else a message in err. */
bool switch_conns_check(const struct conn_filter *filter, char *err, size_t err_len);

/*
 * Up to limit of them, those of each worker in no order: [{"network","tenant","protocol","from",
 * "from_address","from_port","to","to_address","to_port","state","idle_s","rule_out","rule_in",
 * "picked_up","denied","audited","worker"}]; from and to are ports of the switch. *more: there are
 * others. The caller owns the reference.
 */
json_t *switch_conns_list(const struct conn_filter *filter, unsigned limit, bool *more);

/* {"connections", "capacity", "groups": [{filter->by: name, "connections"}]}. */
json_t *switch_conns_count(const struct conn_filter *filter);

/* Closes them; both ends' next packets are those of no connection. Returns how many; *all
 * (unless NULL): none is left, as far as the workers kept up. */
unsigned switch_conns_kill(const struct conn_filter *filter, bool *all);

struct conn_search {
	const struct conn_view *view; /* its network as connections have it */
	const struct port_entry *port; /* that the packet came in at, or where its answer goes */
	const uint8_t *l2; /* 12 bytes of MACs; NULL: see how */
	enum {
		CONN_SEARCH_EXACT, /* that a packet of view is taken for, in at port with l2 */
		CONN_SEARCH_ALIKE, /* any that port opened with its addresses and service */
		CONN_SEARCH_QUOTED, /* any of view's key whose view->sender lives at port */
	} how;
};

struct conn_match {
	struct conn conn; /* copies */
	struct conn_detail detail;
	json_t *shown; /* as switch_conns_list() has it; the caller's reference */
};

/* False: there is none, and match is as it was. */
bool switch_conns_find(const struct conn_search *search, struct conn_match *match);

#endif
