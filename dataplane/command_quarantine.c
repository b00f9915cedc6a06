/*
 * Quarantine: handlers as commands.h declares them, on quarantine.h. A change is in force on all
 * workers at once, then saved, when it is answered; where it cannot be saved it stays in force,
 * with a warning.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "log.h"
#include "inspect_events.h"
#include "quarantine.h"
#include "quarantine_state.h"

/* A warning with what is wrong with the file of quarantines, if anything is. */
static void warn_of_problem(struct command_reply *reply)
{
	struct config_report report;

	if (quarantine_problem() == NULL)
		return;
	config_report_init(&report);
	config_report_add(&report, true, "quarantines.json", 0, 0, "", "%s", quarantine_problem());
	command_report(reply, &report);
}

/* NULL where the configuration has no such port. */
static const char *tenant_of(const char *port)
{
	const struct config *config = transaction_config();
	const struct config_port *conf = config == NULL ? NULL : config_port(config, port);

	return conf == NULL ? NULL : config->networks[conf->network_index].tenant;
}

void command_quarantine_list(const struct command_request *request, struct command_reply *reply)
{
	reply->result = quarantine_list();
	warn_of_problem(reply);
}

void command_quarantine_show(const struct command_request *request, struct command_reply *reply)
{
	const char *port = command_text(request, "port");

	reply->result = quarantine_show(port);
	if (reply->result != NULL)
		warn_of_problem(reply);
	else if (tenant_of(port) != NULL)
		command_refuse(reply, "port %s is not in quarantine", port);
	else
		command_refuse(
			reply, "there is no port `%s`, and none of the name in quarantine", port);
}

static bool read_level(const struct command_request *request, struct command_reply *reply,
	enum config_quarantine_level *level)
{
	const char *text = command_text(request, "level");

	*level = text == NULL ? CONFIG_QUARANTINE_SERVICE : quarantine_level_of(text);
	if (*level != CONFIG_QUARANTINE_NONE)
		return true;
	command_refuse(reply, "level `%.64s`: write service or port", text);
	return false;
}

/* Log of what was done, and by whom; the reply with what is in force now. */
static void answer(const struct command_request *request, struct command_reply *reply,
	const char *port, const char *text)
{
	json_t *entry = quarantine_show(port);

	log_info("%s, by uid %d, pid %d", text, (int)request->peer->uid, (int)request->peer->pid);
	reply->result = json_pack("{s:s,s:o*}", "message", text, "quarantine", entry);
	warn_of_problem(reply);
}

void command_quarantine_add(const struct command_request *request, struct command_reply *reply)
{
	const char *port = command_text(request, "port"), *reason = command_text(request, "reason");
	const char *tenant = tenant_of(port), *until;
	enum config_quarantine_level level;
	char err[256], text[256];
	json_t *entry;

	if (tenant == NULL) {
		command_refuse(reply, "there is no port `%s`", port);
		return;
	}
	if (reason != NULL && !quarantine_reason_valid(reason)) {
		command_refuse(reply, "the reason must be one line of up to %d bytes",
			QUARANTINE_REASON_MAX - 1);
		return;
	}
	if (!read_level(request, reply, &level))
		return;
	if (!quarantine_add(port, tenant, level, command_number(request, "for"), reason, err,
		    sizeof(err))) {
		command_refuse(reply, "%s", err);
		return;
	}
	entry = quarantine_show(port);
	until = json_string_value(json_object_get(entry, "until"));
	snprintf(text, sizeof(text), "port %s is in quarantine, level %s, until %s", port,
		json_string_value(json_object_get(entry, "level")),
		until != NULL ? until : "released");
	json_decref(entry);
	answer(request, reply, port, text);
}

/* One that is not there: no fault, unless its name is none. */
static void release_none(struct command_reply *reply, const char *port, const char *err)
{
	json_t *entry = port != NULL ? quarantine_show(port) : NULL;

	if (entry != NULL)
		command_refuse(reply, "%s", err);
	else if (port != NULL && tenant_of(port) == NULL)
		command_refuse(
			reply, "there is no port `%s`, and none of the name in quarantine", port);
	else
		command_message(reply, "%s: nothing to do", err);
	json_decref(entry);
}

void command_quarantine_release(const struct command_request *request, struct command_reply *reply)
{
	const char *port = command_text(request, "port");
	char by[32], err[512], text[128];

	if ((port == NULL) == !command_flag(request, "all")) {
		command_refuse(
			reply, "give either a port, or --all for all that are in quarantine");
		return;
	}
	snprintf(by, sizeof(by), "uid %d", (int)request->peer->uid);
	/* What is still on its way would cut it off again. */
	inspect_events_drain();
	if (!quarantine_release(port, by, err, sizeof(err))) {
		release_none(reply, port, err);
		return;
	}
	if (port != NULL)
		snprintf(text, sizeof(text), "port %s is released", port);
	else
		snprintf(text, sizeof(text), "all ports are released");
	log_info("%s, by uid %d, pid %d", text, (int)request->peer->uid, (int)request->peer->pid);
	command_message(reply, "%s", text);
	warn_of_problem(reply);
}
