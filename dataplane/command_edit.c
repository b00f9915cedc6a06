#include "command_edit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config_edit.h"
#include "config_fields.h"
#include "settings.h"

static const struct edit_section ports = {"ports", "port", &config_fields_port};
static const struct edit_section networks = {"networks", "network", &config_fields_network};

static bool is_there(const struct edit_section *section, const char *key)
{
	return config_edit_find(transaction_document(), section->name, key) != NULL;
}

void edit_commit(const struct command_request *request, struct command_reply *reply, json_t *root,
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

/* root with the object bare, which has patch's fields; fields set to null are left out. */
static json_t *with_object(const json_t *root, const struct edit_section *section, const char *key,
	const json_t *bare, const json_t *patch, struct config_error *err)
{
	json_t *added = config_edit_add(root, section->name, bare, err), *whole;

	whole = added == NULL ? NULL : config_edit_set(added, section->name, key, patch, err);
	json_decref(added);
	return whole;
}

/* The applied document without the object called key, whatever else refers to it. */
static json_t *without_object(const struct edit_section *section, const char *key)
{
	json_t *document = json_copy((json_t *)(uintptr_t)transaction_document());
	json_t *list = json_object_get(document, section->name), *kept = json_array(), *item;
	const json_t *object = config_edit_find(document, section->name, key);
	size_t i;

	json_array_foreach (list, i, item) {
		if (item != object)
			json_array_append(kept, item);
	}
	json_object_set_new(document, section->name, kept);
	return document;
}

/* Adding what is there: done already if it would be the same, else refused. */
static void add_again(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key, const json_t *bare,
	const json_t *patch)
{
	struct transaction_how how = command_how(request);
	struct transaction_outcome outcome;
	struct config_error err;
	json_t *without = without_object(section, key);
	json_t *root = with_object(without, section, key, bare, patch, &err);

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
			section->what, key);
	} else if (outcome.done) {
		outcome.done = false;
		snprintf(outcome.text, sizeof(outcome.text),
			"%s %s exists already, with other fields: change them with `%s set`",
			section->what, key, section->what);
	}
	command_outcome(reply, &outcome);
}

json_t *edit_patch(const struct command_request *request, struct command_reply *reply,
	const struct config_table *table)
{
	const json_t *settings = json_object_get(request->args, "settings");
	json_t *patch;
	char err[256];

	patch = settings == NULL ? json_object()
				 : settings_patch(table, settings, err, sizeof(err));
	if (patch == NULL)
		command_refuse(reply, "%s", err);
	return patch;
}

void edit_add(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key, const json_t *bare)
{
	json_t *patch = edit_patch(request, reply, section->table);
	struct config_error err;

	if (patch == NULL)
		return;
	if (is_there(section, key) && !command_flag(request, "strict"))
		add_again(request, reply, section, key, bare, patch);
	else
		edit_commit(request, reply,
			with_object(transaction_document(), section, key, bare, patch, &err), &err);
	json_decref(patch);
}

void edit_set(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key)
{
	json_t *patch = edit_patch(request, reply, section->table);
	struct config_error err;

	if (patch == NULL)
		return;
	edit_commit(request, reply,
		config_edit_set(transaction_document(), section->name, key, patch, &err), &err);
	json_decref(patch);
}

void edit_del(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section, const char *key)
{
	struct config_error err;

	if (transaction_document() != NULL && !is_there(section, key) &&
		!command_flag(request, "strict")) {
		command_message(reply, "there is no %s %s: nothing to do", section->what, key);
		return;
	}
	edit_commit(request, reply,
		config_edit_remove(transaction_document(), section->name, key, &err), &err);
}

static void add_named(const struct command_request *request, struct command_reply *reply,
	const struct edit_section *section)
{
	const char *name = command_text(request, "name");
	json_t *bare = json_pack("{s:s}", "name", name);

	edit_add(request, reply, section, name, bare);
	json_decref(bare);
}

void command_port_add(const struct command_request *request, struct command_reply *reply)
{
	add_named(request, reply, &ports);
}

void command_port_set(const struct command_request *request, struct command_reply *reply)
{
	edit_set(request, reply, &ports, command_text(request, "name"));
}

void command_port_del(const struct command_request *request, struct command_reply *reply)
{
	edit_del(request, reply, &ports, command_text(request, "name"));
}

void command_network_add(const struct command_request *request, struct command_reply *reply)
{
	add_named(request, reply, &networks);
}

void command_network_set(const struct command_request *request, struct command_reply *reply)
{
	edit_set(request, reply, &networks, command_text(request, "name"));
}

void command_network_del(const struct command_request *request, struct command_reply *reply)
{
	edit_del(request, reply, &networks, command_text(request, "name"));
}
