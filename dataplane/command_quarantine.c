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

/* Who a request is about. */
struct who {
	const char *port; /* NULL: an address on another host */
	const char *network;
	struct addr addr;
	const char *tenant; /* NULL: the configuration has no such port or network */
	char name[CONFIG_NAME_MAX + ADDR_TEXT_MAX + 32]; /* as messages call it */
};

/* NULL where the configuration has no such port. */
static const char *tenant_of(const char *port)
{
	const struct config *config = transaction_config();
	const struct config_port *conf = config == NULL ? NULL : config_port(config, port);

	return conf == NULL ? NULL : config->networks[conf->network_index].tenant;
}

/* One guest's: neither many's nor nobody's (RFC 1122, 3.2.1.3; RFC 4291, 2.4). */
static bool is_unicast(struct addr a)
{
	uint8_t first = addr_is_ipv4(a) ? (uint8_t)(a.low >> 24) : (uint8_t)(a.high >> 56);

	if (addr_is_ipv4(a))
		return first != 0 && first != 127 && first < 224;
	return first != 0xff && (a.high != 0 || a.low > 1);
}

static bool read_address(
	const struct command_request *request, struct command_reply *reply, struct who *who)
{
	const char *text = command_text(request, "address");
	const struct config *config = transaction_config();
	const struct config_network *network =
		config == NULL ? NULL : config_network(config, who->network);
	char address[ADDR_TEXT_MAX];
	struct addr_span span;

	if (!addr_span_parse(text, &span) || !addr_equal(span.first, span.last) ||
		!is_unicast(span.first)) {
		command_refuse(reply,
			"`%.64s` is no address of a guest: write one, such as 10.0.0.9 or fd00::9",
			text);
		return false;
	}
	who->addr = span.first;
	who->tenant = network != NULL ? network->tenant : NULL;
	addr_format(who->addr, address);
	snprintf(who->name, sizeof(who->name), "address %s of network %.*s", address,
		CONFIG_NAME_MAX, who->network);
	return true;
}

/* A port, or a network and an address. False: refused. none: neither will do, too; then both are
 * NULL. */
static bool read_who(const struct command_request *request, struct command_reply *reply, bool none,
	struct who *who)
{
	const char *address = command_text(request, "address");

	*who = (struct who){
		.port = command_text(request, "port"),
		.network = command_text(request, "network"),
	};
	if ((who->network == NULL) != (address == NULL) || (who->port != NULL && address != NULL) ||
		(!none && who->port == NULL && address == NULL)) {
		command_refuse(reply,
			"say who: a port, or --network and --address for a guest of another host");
		return false;
	}
	if (address != NULL)
		return read_address(request, reply, who);
	if (who->port == NULL)
		return true;
	who->tenant = tenant_of(who->port);
	snprintf(who->name, sizeof(who->name), "port %.*s", CONFIG_NAME_MAX, who->port);
	return true;
}

static json_t *show(const struct who *who)
{
	return who->port != NULL ? quarantine_show(who->port)
				 : quarantine_show_remote(who->network, who->addr);
}

static void refuse_unknown(struct command_reply *reply, const struct who *who)
{
	if (who->port != NULL)
		command_refuse(reply, "there is no port `%s`, and none of the name in quarantine",
			who->port);
	else
		command_refuse(reply, "there is no network `%s`, and no such address in quarantine",
			who->network);
}

void command_quarantine_list(const struct command_request *request, struct command_reply *reply)
{
	reply->result = quarantine_list();
	warn_of_problem(reply);
}

void command_quarantine_show(const struct command_request *request, struct command_reply *reply)
{
	struct who who;

	if (!read_who(request, reply, false, &who))
		return;
	reply->result = show(&who);
	if (reply->result != NULL)
		warn_of_problem(reply);
	else if (who.tenant != NULL)
		command_refuse(reply, "%s is not in quarantine", who.name);
	else
		refuse_unknown(reply, &who);
}

static bool read_level(const struct command_request *request, struct command_reply *reply,
	bool remote, enum config_quarantine_level *level)
{
	const char *text = command_text(request, "level");

	*level = text == NULL ? CONFIG_QUARANTINE_SERVICE : quarantine_level_of(text, remote);
	if (*level != CONFIG_QUARANTINE_NONE)
		return true;
	command_refuse(reply, "level `%.64s`: write service or %s", text, remote ? "host" : "port");
	return false;
}

/* The port of this host that has the address in the network; NULL: none. */
static const char *port_with(const struct who *who)
{
	const struct config *config = transaction_config();
	struct addr_span span;

	for (unsigned i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];

		for (unsigned k = 0; strcmp(port->network, who->network) == 0 && k < port->n_ips;
			k++)
			if (addr_span_parse(port->ips[k], &span) &&
				addr_equal(span.first, who->addr))
				return port->name;
	}
	return NULL;
}

/* Whether who may be cut off at all. */
static bool is_there(const struct who *who, struct command_reply *reply)
{
	const char *port;

	if (who->tenant == NULL && who->port != NULL) {
		command_refuse(reply, "there is no port `%s`", who->port);
		return false;
	}
	if (who->tenant == NULL) {
		command_refuse(reply, "there is no network `%s`", who->network);
		return false;
	}
	port = who->port == NULL ? port_with(who) : NULL;
	if (port == NULL)
		return true;
	command_refuse(reply, "%s is that of port %s of this host: `quarantine add %s` cuts it off",
		who->name, port, port);
	return false;
}

/* Log of what was done, and by whom; the reply with what is in force now. */
static void answer(
	const struct command_request *request, struct command_reply *reply, const struct who *who)
{
	json_t *entry = show(who);
	const char *until = json_string_value(json_object_get(entry, "until"));
	char text[256];

	snprintf(text, sizeof(text), "%s is in quarantine, level %s, until %s", who->name,
		json_string_value(json_object_get(entry, "level")),
		until != NULL ? until : "released");
	log_info("%s, by uid %d, pid %d", text, (int)request->peer->uid, (int)request->peer->pid);
	reply->result = json_pack("{s:s,s:o*}", "message", text, "quarantine", entry);
	warn_of_problem(reply);
}

void command_quarantine_add(const struct command_request *request, struct command_reply *reply)
{
	const char *reason = command_text(request, "reason");
	uint32_t for_s = command_number(request, "for");
	enum config_quarantine_level level;
	char err[256];
	struct who who;
	bool ok;

	if (!read_who(request, reply, false, &who) || !is_there(&who, reply))
		return;
	if (reason != NULL && !quarantine_reason_valid(reason)) {
		command_refuse(reply, "the reason must be one line of up to %d bytes",
			QUARANTINE_REASON_MAX - 1);
		return;
	}
	if (!read_level(request, reply, who.port == NULL, &level))
		return;
	if (who.port != NULL)
		ok = quarantine_add(who.port, who.tenant, level, for_s, reason, err, sizeof(err));
	else
		ok = quarantine_add_remote(
			who.network, who.addr, who.tenant, level, for_s, reason, err, sizeof(err));
	if (ok)
		answer(request, reply, &who);
	else
		command_refuse(reply, "%s", err);
}

/* One that is not there: no fault, unless its name is none. */
static void release_none(struct command_reply *reply, const struct who *who, const char *err)
{
	bool all = who->port == NULL && who->network == NULL;
	json_t *entry = all ? NULL : show(who);

	if (entry != NULL)
		command_refuse(reply, "%s", err);
	else if (!all && who->tenant == NULL)
		refuse_unknown(reply, who);
	else
		command_message(reply, "%s: nothing to do", err);
	json_decref(entry);
}

void command_quarantine_release(const struct command_request *request, struct command_reply *reply)
{
	char by[32], err[512], text[256];
	struct who who;
	bool all, ok;

	if (!read_who(request, reply, true, &who))
		return;
	all = who.port == NULL && who.network == NULL;
	if (all == !command_flag(request, "all")) {
		command_refuse(reply,
			"give either a port, or --network and --address, or --all for all that are "
			"in quarantine");
		return;
	}
	snprintf(by, sizeof(by), "uid %d", (int)request->peer->uid);
	/* What is still on its way would cut it off again. */
	inspect_events_drain();
	ok = who.network != NULL
		     ? quarantine_release_remote(who.network, who.addr, by, err, sizeof(err))
		     : quarantine_release(who.port, by, err, sizeof(err));
	if (!ok) {
		release_none(reply, &who, err);
		return;
	}
	if (all)
		snprintf(text, sizeof(text), "all ports and addresses are released");
	else
		snprintf(text, sizeof(text), "%s is released", who.name);
	log_info("%s, by uid %d, pid %d", text, (int)request->peer->uid, (int)request->peer->pid);
	command_message(reply, "%s", text);
	warn_of_problem(reply);
}
