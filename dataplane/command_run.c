/*
 * Commands that change how the switch runs without changing its configuration: handlers as
 * commands.h declares them, on switch.h.
 */
#include "commands.h"
#include "switch.h"

void command_fdb_flush(const struct command_request *request, struct command_reply *reply)
{
	char err[256];

	if (switch_fdb_flush(command_text(request, "network"), command_text(request, "port"), err,
		    sizeof(err)) != 0)
		command_refuse(reply, "%s", err);
	else
		command_message(reply, "learned MACs forgotten");
}

void command_worker_move_port(const struct command_request *request, struct command_reply *reply)
{
	const char *port = command_text(request, "port");
	unsigned queue = command_number(request, "queue"), core = command_number(request, "core");
	char err[256];

	if (switch_move_queue(port, queue, core, err, sizeof(err)) != 0)
		command_refuse(reply, "%s", err);
	else
		command_message(reply, "core %u polls queue %u of %s", core, queue, port);
}

void command_worker_move_network(const struct command_request *request, struct command_reply *reply)
{
	const char *network = command_text(request, "network");
	unsigned core = command_number(request, "core");
	char err[256];

	if (switch_move_network(network, core, err, sizeof(err)) != 0)
		command_refuse(reply, "%s", err);
	else
		command_message(reply, "core %u is the home of %s", core, network);
}
