/*
 * Commands that change one port or network: handlers as commands.h declares them. Each makes the
 * applied document with one edit, and hands it to the transaction.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config_edit.h"
#include "config_fields.h"
#include "settings.h"

struct section {
	const char *name; /* in the document */
	const char *what;
	const struct config_table *table;
};

static const struct section ports = {"ports", "port", &config_fields_port};
static const struct section networks = {"networks", "network", &config_fields_network};

static bool is_there(const struct section *section, const char *name)
{
	const json_t *list = json_object_get(transaction_document(), section->name);
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *other = json_string_value(json_object_get(item, "name"));

		if (other != NULL && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/* Hands root, which it takes over, to the transaction; NULL: refused, err says why. */
static void commit(const struct command_request *request, struct command_reply *reply, json_t *root,
	const struct config_error *err)
{
	struct transaction_how how = command_how(request);
	struct transaction_outcome outcome;

	if (root == NULL) {
		command_refuse(reply, "%s", err->text);
		return;
	}
	transaction_edit(request->command->words, root, &how, &outcome);
	json_decref(root);
	command_outcome(reply, &outcome);
}

/* root with the object called name, which has patch's fields; fields set to null are left out. */
static json_t *with_object(const json_t *root, const struct section *section, const char *name,
	const json_t *patch, struct config_error *err)
{
	json_t *object = json_pack("{s:s}", "name", name), *bare, *whole;

	bare = config_edit_add(root, section->name, object, err);
	whole = bare == NULL ? NULL : config_edit_set(bare, section->name, name, patch, err);
	json_decref(object);
	json_decref(bare);
	return whole;
}

/* The applied document without the object called name, whatever else refers to it. */
static json_t *without_object(const struct section *section, const char *name)
{
	json_t *document = json_deep_copy(transaction_document());
	json_t *list = json_object_get(document, section->name), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *other = json_string_value(json_object_get(item, "name"));

		if (other != NULL && strcmp(other, name) == 0)
			break;
	}
	json_array_remove(list, i);
	return document;
}

/* Adding what is there: done already if it would be the same, else refused. */
static void add_again(const struct command_request *request, struct command_reply *reply,
	const struct section *section, const char *name, const json_t *patch)
{
	struct transaction_how how = command_how(request);
	struct transaction_outcome outcome;
	struct config_error err;
	json_t *without = without_object(section, name);
	json_t *root = with_object(without, section, name, patch, &err);

	json_decref(without);
	if (root == NULL) {
		command_refuse(reply, "%s", err.text);
		return;
	}
	how.dry_run = true;
	transaction_edit(request->command->words, root, &how, &outcome);
	json_decref(root);
	if (outcome.done && json_array_size(outcome.changes) == 0) {
		snprintf(outcome.text, sizeof(outcome.text), "%s %s is there already",
			section->what, name);
	} else if (outcome.done) {
		outcome.done = false;
		snprintf(outcome.text, sizeof(outcome.text),
			"%s %s exists already, with other fields: change them with `%s set`",
			section->what, name, section->what);
	}
	command_outcome(reply, &outcome);
}

/* The patch in the request's settings; NULL: refused. */
static json_t *patch_of(const struct command_request *request, struct command_reply *reply,
	const struct section *section)
{
	const json_t *settings = json_object_get(request->args, "settings");
	json_t *patch;
	char err[256];

	patch = settings == NULL ? json_object()
				 : settings_patch(section->table, settings, err, sizeof(err));
	if (patch == NULL)
		command_refuse(reply, "%s", err);
	return patch;
}

static void add(const struct command_request *request, struct command_reply *reply,
	const struct section *section)
{
	const char *name = command_text(request, "name");
	json_t *patch = patch_of(request, reply, section);
	struct config_error err;

	if (patch == NULL)
		return;
	if (is_there(section, name) && !command_flag(request, "strict"))
		add_again(request, reply, section, name, patch);
	else
		commit(request, reply,
			with_object(transaction_document(), section, name, patch, &err), &err);
	json_decref(patch);
}

static void set(const struct command_request *request, struct command_reply *reply,
	const struct section *section)
{
	const char *name = command_text(request, "name");
	json_t *patch = patch_of(request, reply, section);
	struct config_error err;

	if (patch == NULL)
		return;
	commit(request, reply,
		config_edit_set(transaction_document(), section->name, name, patch, &err), &err);
	json_decref(patch);
}

static void del(const struct command_request *request, struct command_reply *reply,
	const struct section *section)
{
	const char *name = command_text(request, "name");
	struct config_error err;

	if (transaction_document() != NULL && !is_there(section, name) &&
		!command_flag(request, "strict")) {
		command_message(reply, "there is no %s %s: nothing to do", section->what, name);
		return;
	}
	commit(request, reply,
		config_edit_remove(transaction_document(), section->name, name, &err), &err);
}

void command_port_add(const struct command_request *request, struct command_reply *reply)
{
	add(request, reply, &ports);
}

void command_port_set(const struct command_request *request, struct command_reply *reply)
{
	set(request, reply, &ports);
}

void command_port_del(const struct command_request *request, struct command_reply *reply)
{
	del(request, reply, &ports);
}

void command_network_add(const struct command_request *request, struct command_reply *reply)
{
	add(request, reply, &networks);
}

void command_network_set(const struct command_request *request, struct command_reply *reply)
{
	set(request, reply, &networks);
}

void command_network_del(const struct command_request *request, struct command_reply *reply)
{
	del(request, reply, &networks);
}
