/*
 * Commands that only look: handlers as commands.h declares them, on switch.h.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "events.h"
#include "inspect_store.h"
#include "metrics.h"
#include "quarantine.h"
#include "switch.h"

static json_t *text_result(char *text)
{
	json_t *result = text == NULL ? NULL : json_pack("{s:s}", "text", text);

	free(text);
	return result;
}

void command_status(const struct command_request *request, struct command_reply *reply)
{
	json_t *status = switch_status();

	(void)request;
	if (status == NULL)
		return;
	/* What counts for the user is the configuration's revision; the switch counts its own. */
	json_object_set(status, "generation", json_object_get(status, "revision"));
	json_object_set_new(status, "revision",
		json_integer(transaction_document() != NULL ? transaction_revision() : 0));
	json_object_set_new(status, "configuration", transaction_status());
	json_object_set_new(status, "events", events_status());
	json_object_set_new(
		status, "rules", json_pack("{s:s?}", "problem", inspect_store_problem()));
	json_object_set_new(status, "quarantine", quarantine_status());
	json_object_set_new(status, "control", control_status());
	reply->result = status;
}

/* An object instead of an array of one. */
static json_t *only(json_t *list)
{
	json_t *item = json_incref(json_array_get(list, 0));

	json_decref(list);
	return item;
}

void command_port_list(const struct command_request *request, struct command_reply *reply)
{
	(void)request;
	reply->result = switch_ports(NULL);
}

void command_port_show(const struct command_request *request, struct command_reply *reply)
{
	const char *name = command_text(request, "name");

	command_result_of(reply, only(switch_ports(name)), "port", name);
}

void command_network_list(const struct command_request *request, struct command_reply *reply)
{
	(void)request;
	reply->result = switch_networks(NULL);
}

void command_network_show(const struct command_request *request, struct command_reply *reply)
{
	const char *name = command_text(request, "name");

	command_result_of(reply, only(switch_networks(name)), "network", name);
}

/* Refuses where the network or port that was named does not exist. */
static bool names_exist(struct command_reply *reply, const char *network, const char *port)
{
	json_t *found;

	if (network != NULL) {
		found = switch_networks(network);
		if (found == NULL)
			command_refuse(reply, "there is no network `%s`", network);
		json_decref(found);
	}
	if (port != NULL && reply->code == NULL) {
		found = switch_ports(port);
		if (found == NULL)
			command_refuse(reply, "there is no port `%s`", port);
		json_decref(found);
	}
	return reply->code == NULL;
}

/* Those of rows that name port as the one moved from or to. Takes over rows. */
static json_t *moves_of(json_t *rows, const char *port)
{
	json_t *list = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *from = json_string_value(json_object_get(row, "from"));
		const char *to = json_string_value(json_object_get(row, "to"));

		if ((from != NULL && strcmp(from, port) == 0) ||
			(to != NULL && strcmp(to, port) == 0))
			json_array_append(list, row);
	}
	json_decref(rows);
	return list;
}

void command_fdb_show(const struct command_request *request, struct command_reply *reply)
{
	const char *network = command_text(request, "network");
	const char *port = command_text(request, "port");

	if (!names_exist(reply, network, port))
		return;
	if (!command_flag(request, "moves"))
		reply->result = switch_fdb(network, port);
	else if (port == NULL)
		reply->result = switch_fdb_moves(network);
	else
		reply->result = moves_of(switch_fdb_moves(network), port);
}

void command_worker_list(const struct command_request *request, struct command_reply *reply)
{
	(void)request;
	reply->result = switch_workers();
}

void command_worker_stats(const struct command_request *request, struct command_reply *reply)
{
	reply->result = switch_worker_stats(command_flag(request, "reset"));
}

void command_stats(const struct command_request *request, struct command_reply *reply)
{
	const char *port = command_text(request, "port");

	if (names_exist(reply, NULL, port))
		reply->result = json_pack(
			"{s:o,s:o}", "ports", switch_stats(port), "ledger", switch_ledger());
}

void command_drops(const struct command_request *request, struct command_reply *reply)
{
	const char *port = command_text(request, "port");

	command_result_of(reply, switch_drops(port), "port", port);
}

void command_metrics(const struct command_request *request, struct command_reply *reply)
{
	(void)request;
	reply->result = text_result(metrics_text());
}

void command_events(const struct command_request *request, struct command_reply *reply)
{
	reply->result = events_since(
		command_number(request, "since"), command_text(request, "type"));
}
