/*
 * Commands about connections: handlers as commands.h declares them.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "service.h"
#include "switch_conns.h"

#define LIST_DEFAULT 1000 /* connections in one answer */
#define LIST_MAX     100000

static bool take_span(const struct command_request *request, struct command_reply *reply,
	const char *name, bool *has, struct addr_span *span)
{
	const char *text = command_text(request, name);

	*has = text != NULL;
	if (text == NULL || addr_span_parse(text, span))
		return true;
	command_refuse(reply,
		"--%s %s: give an address, a prefix or a range, such as 10.0.0.1, 10.0.0.0/24 or "
		"10.0.0.1-10.0.0.9",
		name, text);
	return false;
}

static bool is_state(const char *name)
{
	for (unsigned i = CONN_FREE + 1; i < CONN_STATES; i++)
		if (strcmp(conn_state_name(i), name) == 0)
			return true;
	return false;
}

/* What the command's options say; false: refused. */
static bool take_filter(const struct command_request *request, struct command_reply *reply,
	struct conn_filter *filter)
{
	const char *service = command_text(request, "service");
	char err[256];

	*filter = (struct conn_filter){
		.network = command_text(request, "network"),
		.tenant = command_text(request, "tenant"),
		.port = command_text(request, "port"),
		.state = command_text(request, "state"),
	};
	if (!switch_conns_check(filter, err, sizeof(err))) {
		command_refuse(reply, "%s", err);
		return false;
	}
	if (filter->state != NULL && !is_state(filter->state)) {
		command_refuse(reply,
			"--state %s: there are syn, syn-ack, established, fin, closing, closed, "
			"first, single, multiple and replied",
			filter->state);
		return false;
	}
	filter->has_service = service != NULL;
	if (service != NULL && !service_parse(service, &filter->service)) {
		command_refuse(reply, "--service %s: give tcp/445, udp/1000-2000, icmp or the like",
			service);
		return false;
	}
	return take_span(request, reply, "from", &filter->has_from, &filter->from) &&
	       take_span(request, reply, "to", &filter->has_to, &filter->to);
}

void command_conn_list(const struct command_request *request, struct command_reply *reply)
{
	long limit = command_number(request, "limit");
	struct conn_filter filter;
	json_t *rows;
	bool more;

	if (!take_filter(request, reply, &filter))
		return;
	if (limit == 0)
		limit = LIST_DEFAULT;
	if (limit > LIST_MAX)
		limit = LIST_MAX;
	rows = switch_conns_list(&filter, (unsigned)limit, &more);
	reply->result = json_pack("{s:o,s:b}", "connections", rows, "more", more);
}

void command_conn_count(const struct command_request *request, struct command_reply *reply)
{
	struct conn_filter filter;

	if (!take_filter(request, reply, &filter))
		return;
	filter.by = command_text(request, "by");
	if (filter.by != NULL && strcmp(filter.by, "tenant") != 0 &&
		strcmp(filter.by, "network") != 0 && strcmp(filter.by, "port") != 0 &&
		strcmp(filter.by, "state") != 0) {
		command_refuse(reply, "--by %s: give tenant, network, port or state", filter.by);
		return;
	}
	reply->result = switch_conns_count(&filter);
}

void command_conn_kill(const struct command_request *request, struct command_reply *reply)
{
	struct conn_filter filter;
	unsigned killed;
	bool all;

	if (!take_filter(request, reply, &filter))
		return;
	if (filter.network == NULL && filter.tenant == NULL && filter.port == NULL &&
		filter.state == NULL && !filter.has_service && !filter.has_from && !filter.has_to &&
		!command_flag(request, "all")) {
		command_refuse(reply, "say which connections, or --all");
		return;
	}
	killed = switch_conns_kill(&filter, &all);
	if (!all) {
		command_refuse(reply,
			"%u connections closed; others remain, for the workers do not keep up: "
			"try again",
			killed);
		return;
	}
	command_message(reply, "%u connection%s closed", killed, killed == 1 ? "" : "s");
}
