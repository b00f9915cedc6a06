/*
 * Commands about tenants' rules: handlers as commands.h declares them, on inspect_store.h.
 */
#include "commands.h"
#include "inspect_store.h"

/* Takes over result; NULL: the tenant has none. */
static void answer(
	const struct command_request *request, struct command_reply *reply, json_t *result)
{
	const char *tenant = command_text(request, "tenant");

	reply->result = result;
	if (result == NULL && tenant != NULL)
		command_refuse(reply,
			"tenant `%s` is not inspected: `inspection` in the configuration has no "
			"entry for it",
			tenant);
}

void command_rules_list(const struct command_request *request, struct command_reply *reply)
{
	answer(request, reply,
		inspect_store_rules(
			command_text(request, "tenant"), command_text(request, "filter")));
}

void command_rules_stats(const struct command_request *request, struct command_reply *reply)
{
	answer(request, reply, inspect_store_stats(command_text(request, "tenant")));
}

void command_rules_status(const struct command_request *request, struct command_reply *reply)
{
	reply->result = inspect_store_status();
}

/* Only begun: vswitch-ctl waits for the end by asking for the status. */
void command_rules_reload(const struct command_request *request, struct command_reply *reply)
{
	json_t *status;
	char err[256];

	if (!inspect_store_reload(err, sizeof(err))) {
		command_refuse(reply, "%s", err);
		return;
	}
	status = inspect_store_status();
	reply->result = json_pack("{s:s,s:O}", "message",
		"reading the files again; `rules status` says how it went", "reload",
		json_object_get(json_object_get(status, "reload"), "number"));
	json_decref(status);
}
