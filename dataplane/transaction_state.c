#include "transaction_state.h"

#include <stdint.h>

#include "config_diff.h"

/* Decodes root; where it has no `vswitch:` of its own, that stands for the one that runs. */
static struct config *decode(const struct config_doc *doc, json_t *root, const json_t *vswitch,
	struct config_report *report)
{
	json_t *own = json_incref(json_object_get(root, "vswitch"));
	struct config *config;

	/* In place, so that the document still knows the line of everything else. */
	if (vswitch != NULL)
		json_object_set(root, "vswitch", (json_t *)(uintptr_t)vswitch);
	else
		json_object_del(root, "vswitch");
	config = config_decode(doc, report);
	if (own != NULL)
		json_object_set_new(root, "vswitch", own);
	else
		json_object_del(root, "vswitch");
	return config;
}

/* One warning for each field of the document's section that is not as it runs. */
static void warn_restart(const struct config_doc *doc, const struct config *own,
	const struct config *running, struct config_report *report)
{
	json_t *a = config_encode(running), *b = config_encode(own), *entry;
	json_t *diff = config_diff(json_object_get(a, "vswitch"), json_object_get(b, "vswitch"));
	size_t i;

	json_array_foreach (diff, i, entry) {
		char path[192];
		unsigned line, col;

		snprintf(path, sizeof(path), "vswitch.%s",
			json_string_value(json_object_get(entry, "path")));
		config_doc_where(doc, path, &line, &col);
		config_report_add(report, true, config_doc_name(doc), line, col, path,
			"is not what runs; put it into the file that vswitchd is started with, and "
			"restart vswitchd");
	}
	json_decref(a);
	json_decref(b);
	json_decref(diff);
}

bool transaction_state_make(struct transaction_state *state, const struct config_doc *doc,
	const json_t *vswitch, const struct transaction_state *before, struct config_report *report)
{
	json_t *root = (json_t *)(uintptr_t)config_doc_root(doc);
	const json_t *own_section = json_object_get(root, "vswitch");
	struct config *own = NULL;

	*state = (struct transaction_state){0};
	if (own_section != NULL && (vswitch == NULL || !json_equal(own_section, vswitch))) {
		struct config_report own_report;

		/* Faults in the section itself; its networks may name workers that don't run. */
		config_report_init(&own_report);
		own = config_decode(doc, &own_report);
		if (own == NULL) {
			*report = own_report;
			return false;
		}
	}
	state->config = json_is_object(root) ? decode(doc, root, vswitch, report)
					     : config_decode(doc, report);
	if (state->config != NULL && own != NULL)
		warn_restart(doc, own, state->config, report);
	config_free(own);
	if (state->config == NULL)
		return false;
	state->canonical = before ? config_encode_like(
					    state->config, before->config, before->canonical)
				  : config_encode(state->config);
	state->document = json_copy(root); /* trees do not change: the sections are shared */
	if (vswitch != NULL)
		json_object_set_new(state->document, "vswitch", json_deep_copy(vswitch));
	else
		json_object_del(state->document, "vswitch");
	return true;
}

bool transaction_state_empty(
	struct transaction_state *state, const json_t *vswitch, struct config_report *report)
{
	json_t *root = json_object();
	struct config_doc *doc = config_doc_from_json("(empty configuration)", root);
	bool made = doc != NULL && transaction_state_make(state, doc, vswitch, NULL, report);

	config_doc_free(doc);
	json_decref(root);
	return made;
}

void transaction_state_free(struct transaction_state *state)
{
	json_decref(state->document);
	json_decref(state->canonical);
	config_free(state->config);
	*state = (struct transaction_state){0};
}
