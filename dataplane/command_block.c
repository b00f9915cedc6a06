/*
 * Emergency blocks: handlers as commands.h declares them, on blocks.h. A change is in force on all
 * workers, then saved, when it is answered; where it cannot be saved it stays in force, with a
 * warning.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "block_json.h"
#include "block_timer.h"
#include "blocks.h"
#include "commands.h"
#include "events.h"
#include "log.h"
#include "switch.h"

static void time_text(time_t when, char text[32])
{
	struct tm tm;

	gmtime_r(&when, &tm);
	if (strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
}

static const char *tenant_of_port(const struct config *config, const char *name)
{
	const struct config_port *port = config_port(config, name);

	return port == NULL ? NULL : config->networks[port->network_index].tenant;
}

static bool has_tenant(const struct config *config, const char *tenant)
{
	for (unsigned i = 0; i < config->n_networks; i++) {
		if (strcmp(config->networks[i].tenant, tenant) == 0)
			return true;
	}
	return false;
}

/* The tenant of the n-th set or group, counted over both, that has this name; NULL: no more. */
static const char *nth_with_name(const struct config *config, const char *name, unsigned n)
{
	for (unsigned i = 0; i < config->n_groups; i++) {
		if (strcmp(config->groups[i].name, name) == 0 && n-- == 0)
			return config->groups[i].tenant;
	}
	for (unsigned i = 0; i < config->n_sets; i++) {
		if (strcmp(config->sets[i].name, name) == 0 && n-- == 0)
			return config->sets[i].tenant;
	}
	return NULL;
}

static bool has_name(const struct config *config, const char *tenant, const char *name)
{
	const char *other;

	for (unsigned n = 0; (other = nth_with_name(config, name, n)) != NULL; n++) {
		if (strcmp(other, tenant) == 0)
			return true;
	}
	return false;
}

/* Refuses a name that several tenants have, and names them as far as there is room. */
static void refuse_ambiguous(
	struct command_reply *reply, const struct config *config, const char *name)
{
	char list[256] = "";
	const char *tenant;

	for (unsigned n = 0; n < 8 && (tenant = nth_with_name(config, name, n)) != NULL; n++) {
		size_t len = strlen(list);

		snprintf(list + len, sizeof(list) - len, "%s%s", n > 0 ? ", " : "", tenant);
	}
	command_refuse(reply,
		"several tenants have a set or group `%s`: say which with --tenant (%s)", name,
		list);
}

/* Sees to it that the end's name is there; a block for any tenant becomes that of the name's. */
static bool resolve(struct command_reply *reply, const struct config *config, struct block *block,
	const struct block_end *end)
{
	const char *tenant = block->tenant[0] != '\0' ? block->tenant
						      : tenant_of_port(config, block->port);

	if (end->kind != BLOCK_NAMED)
		return true;
	if (tenant != NULL && !has_name(config, tenant, end->name)) {
		command_refuse(reply, "tenant %s has no set or group `%s`", tenant, end->name);
		return false;
	}
	if (tenant != NULL)
		return true;
	tenant = nth_with_name(config, end->name, 0);
	if (tenant == NULL) {
		command_refuse(reply,
			"`%s` is neither an address, a prefix, a range nor the name of a set or "
			"group of any tenant",
			end->name);
		return false;
	}
	if (nth_with_name(config, end->name, 1) != NULL) {
		refuse_ambiguous(reply, config, end->name);
		return false;
	}
	strcpy(block->tenant, tenant);
	return true;
}

/* --tenant and --port, which must be there, and belong together. */
static bool read_scope(
	const struct command_request *request, struct command_reply *reply, struct block *block)
{
	const struct config *config = transaction_config();
	const char *tenant = command_text(request, "tenant"), *port = command_text(request, "port");

	if (tenant != NULL && (config == NULL || !has_tenant(config, tenant))) {
		command_refuse(reply, "no network is of a tenant `%s`", tenant);
		return false;
	}
	if (port != NULL && (config == NULL || config_port(config, port) == NULL)) {
		command_refuse(reply, "there is no port `%s`", port);
		return false;
	}
	if (tenant != NULL && port != NULL && strcmp(tenant_of_port(config, port), tenant) != 0) {
		command_refuse(reply, "port %s is of tenant %s, not of %s", port,
			tenant_of_port(config, port), tenant);
		return false;
	}
	strcpy(block->tenant, tenant == NULL ? "" : tenant);
	strcpy(block->port, port == NULL ? "" : port);
	return true;
}

static bool read_end(const struct command_request *request, struct command_reply *reply,
	const char *which, struct block_end *end)
{
	const char *text = command_text(request, which);

	*end = (struct block_end){.kind = BLOCK_ANY};
	if (text == NULL || block_end_parse(text, end))
		return true;
	command_refuse(reply,
		"%s: `%.64s` is no address (10.0.0.1), prefix (10.0.0.0/24), range "
		"(10.0.0.2-10.0.0.9) or name of a set or group",
		which, text);
	return false;
}

static bool read_ends(
	const struct command_request *request, struct command_reply *reply, struct block *block)
{
	static const struct config none;
	const struct config *config = transaction_config();

	if (config == NULL)
		config = &none;
	return read_end(request, reply, "from", &block->from) &&
	       read_end(request, reply, "to", &block->to) &&
	       resolve(reply, config, block, &block->from) &&
	       resolve(reply, config, block, &block->to);
}

static bool read_block(
	const struct command_request *request, struct command_reply *reply, struct block *block)
{
	const char *service = command_text(request, "service");
	const char *comment = command_text(request, "comment");
	bool in = command_flag(request, "in"), out = command_flag(request, "out");
	unsigned seconds = command_number(request, "for");

	*block = (struct block){.since = time(NULL)};
	if (!service_parse(service, &block->service)) {
		command_refuse(reply, "`%.64s` is no service: write %s", service, service_grammar);
		return false;
	}
	service_format(block->service, block->service_text);
	if (comment != NULL && !block_comment_valid(comment)) {
		command_refuse(
			reply, "the comment is longer than %zu bytes", sizeof(block->comment) - 1);
		return false;
	}
	strcpy(block->comment, comment == NULL ? "" : comment);
	block->direction = in == out ? BLOCK_BOTH : in ? BLOCK_IN : BLOCK_OUT;
	block->until = seconds == 0 ? 0 : block->since + (time_t)seconds;
	return read_scope(request, reply, block) && read_ends(request, reply, block);
}

/* Puts the change in force and saves it. False: it is taken back, and reply says why. */
static bool commit(struct command_reply *reply)
{
	struct config_report report;
	struct config_error err;

	config_report_init(&report);
	if (!switch_policy_changed(&report)) {
		blocks_undo();
		command_report(reply, &report);
		command_refuse(reply, "the blocks stay as they were: %s",
			report.n_messages > 0 ? report.messages[0].text : "out of memory");
		return false;
	}
	if (!blocks_save(&err))
		config_report_add(&report, true, "blocks.json", 0, 0, "",
			"in force, but not saved: %s; it is tried again every few seconds",
			err.text);
	command_report(reply, &report);
	block_timer_set();
	return true;
}

static void describe(const struct block *block, char *text, size_t len)
{
	char from[BLOCK_END_TEXT_MAX], to[BLOCK_END_TEXT_MAX], until[32] = "unblocked";

	block_end_format(&block->from, from);
	block_end_format(&block->to, to);
	if (block->until != 0)
		time_text(block->until, until);
	snprintf(text, len, "block %u: %s from %s to %s%s%s%s%s%s, until %s", block->id,
		block->service_text, from, to, block->tenant[0] != '\0' ? ", tenant " : "",
		block->tenant, block->port[0] != '\0' ? ", port " : "", block->port,
		block->direction == BLOCK_BOTH ? ""
		: block->direction == BLOCK_IN ? ", into guests"
					       : ", out of guests",
		until);
}

/* Log and event of what was done, and by whom. */
static void tell(const struct command_request *request, const char *action, const char *text,
	const struct block *block)
{
	log_info("%s, by uid %d, pid %d", text, (int)request->peer->uid, (int)request->peer->pid);
	events_emit("block", json_pack("{s:s,s:s,s:i,s:o*}", "action", action, "text", text, "uid",
				     (int)request->peer->uid, "block",
				     block == NULL ? NULL : block_json(block)));
}

void command_block(const struct command_request *request, struct command_reply *reply)
{
	static const char *const done[] = {[BLOCKS_THERE] = "there already",
		[BLOCKS_EXTENDED] = "extended",
		[BLOCKS_ADDED] = "in force"};
	enum blocks_result result;
	struct config_error err;
	struct block block;
	char what[448], text[480];

	if (!read_block(request, reply, &block))
		return;
	result = blocks_add(&block, &err);
	if (result == BLOCKS_REFUSED) {
		command_refuse(reply, "%s", err.text);
		return;
	}
	if (result != BLOCKS_THERE && !commit(reply))
		return;
	describe(&block, what, sizeof(what));
	snprintf(text, sizeof(text), "%s: %s", what, done[result]);
	if (result != BLOCKS_THERE)
		tell(request, result == BLOCKS_ADDED ? "added" : "extended", text, &block);
	reply->result = json_pack("{s:s,s:i,s:b,s:o}", "message", text, "id", (int)block.id,
		"changed", result != BLOCKS_THERE, "block", block_json(&block));
}

/* What keeps a block from matching; empty: nothing. */
static void note_of(const struct config *config, const struct block *block, char *text, size_t len)
{
	const struct block_end *ends[] = {&block->from, &block->to};
	const char *tenant = block->tenant;

	text[0] = '\0';
	if (block->port[0] != '\0') {
		tenant = tenant_of_port(config, block->port);
		if (tenant == NULL)
			snprintf(text, len, "no port %s: matches nothing", block->port);
		else if (block->tenant[0] != '\0' && strcmp(block->tenant, tenant) != 0)
			snprintf(text, len, "port %s is of tenant %s: matches nothing", block->port,
				tenant);
	} else if (tenant[0] != '\0' && !has_tenant(config, tenant)) {
		snprintf(text, len, "no tenant %s: matches nothing", tenant);
	}
	for (unsigned i = 0; i < 2 && text[0] == '\0'; i++) {
		if (ends[i]->kind == BLOCK_NAMED && !has_name(config, tenant, ends[i]->name))
			snprintf(text, len, "no set or group %s: matches nothing", ends[i]->name);
	}
}

void command_block_list(const struct command_request *request, struct command_reply *reply)
{
	static const struct config none;
	const struct config *config = transaction_config();
	const struct blocks *blocks = blocks_current();
	char text[256];

	if (blocks_unknown()) {
		command_refuse(reply, "%s", blocks_problem());
		return;
	}
	reply->result = json_array();
	for (unsigned i = 0; i < blocks->n; i++) {
		const struct block *block = &blocks->list[i];
		json_t *row = block_json(block);

		time_text(block->since, text);
		json_object_set_new(row, "since", json_string(text));
		if (block->until != 0) {
			time_text(block->until, text);
			json_object_set_new(row, "until", json_string(text));
		}
		note_of(config == NULL ? &none : config, block, text, sizeof(text));
		json_object_set_new(row, "note", text[0] == '\0' ? json_null() : json_string(text));
		json_array_append_new(reply->result, row);
	}
}

/* Removes what `what` means; as blocks_remove(). *known: it means something. */
static int remove_what(const char *what, bool *known)
{
	struct service_span span;
	char text[SERVICE_TEXT_MAX];
	unsigned long id;

	*known = true;
	if (strcmp(what, "all") == 0)
		return blocks_remove(0, NULL);
	if (what[0] != '\0' && what[strspn(what, "0123456789")] == '\0') {
		id = strlen(what) > 10 ? 0 : strtoul(what, NULL, 10);
		return id == 0 || id > UINT32_MAX ? 0 : blocks_remove((uint32_t)id, NULL);
	}
	*known = service_parse(what, &span);
	if (!*known)
		return 0;
	service_format(span, text);
	return blocks_remove(0, text);
}

void command_unblock(const struct command_request *request, struct command_reply *reply)
{
	const char *what = command_text(request, "what");
	char text[160];
	bool known;
	int n;

	if (blocks_unknown()) {
		command_refuse(reply, "%s", blocks_problem());
		return;
	}
	n = remove_what(what, &known);
	if (n < 0) {
		command_refuse(reply, "out of memory: the blocks stay as they were");
	} else if (!known) {
		command_refuse(reply,
			"`%.64s` is neither the number of a block (block list), nor all, nor a "
			"service: %s",
			what, service_grammar);
	} else if (n == 0) {
		command_message(reply, "there is no block %.64s: nothing to do", what);
	} else if (commit(reply)) {
		snprintf(text, sizeof(text), "%d block%s lifted (%.64s)", n, n == 1 ? "" : "s",
			what);
		tell(request, "lifted", text, NULL);
		command_message(reply, "%s", text);
	}
}
