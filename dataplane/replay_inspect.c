#include "replay_inspect.h"

#include <stdlib.h>
#include <string.h>

#include "inspect.h"
#include "inspect_store.h"
#include "quarantine.h"
#include "quarantine_state.h"
#include "switch.h"
#include "switch_inspect.h"

#define TAKEN 64 /* records at a time */

struct replay_inspect {
	json_t *alerts; /* by "gid:sid" or id: a list keeps the order of the first */
	json_t *index; /* name to place in alerts */
	json_t *quarantined;
};

struct replay_inspect *replay_inspect_start(
	const struct config_vswitch *conf, char *err, size_t err_len)
{
	struct replay_inspect *inspect = calloc(1, sizeof(*inspect));

	if (inspect == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	if (!inspect_store_start(conf->rules, "", switch_inspect_changed, err, err_len)) {
		free(inspect);
		return NULL;
	}
	inspect->alerts = json_array();
	inspect->index = json_object();
	inspect->quarantined = json_array();
	return inspect;
}

bool replay_inspect_ready(char *err, size_t err_len)
{
	if (!inspect_store_wait(err, err_len))
		return false;
	switch_inspect_changed();
	return true;
}

/* What names a finding in the summary. */
static void name_of(const struct inspect_record *record, char *name, size_t size)
{
	if (record->what == INSPECT_TELLS_RULE)
		snprintf(name, size, "%u:%u", record->gid, record->sid);
	else
		snprintf(name, size, "%s", record->id);
}

static json_t *make_alert(const struct inspect_record *record, uint64_t frame)
{
	json_t *alert = json_object();

	if (record->what == INSPECT_TELLS_RULE) {
		json_object_set_new(alert, "gid", json_integer(record->gid));
		json_object_set_new(alert, "sid", json_integer(record->sid));
	} else {
		json_object_set_new(alert, "id", json_string(record->id));
	}
	json_object_set_new(alert, "text", json_string(record->text));
	json_object_set_new(alert, "count", json_integer(0));
	json_object_set_new(alert, "dropped", json_integer(0));
	json_object_set_new(alert, "first_frame", json_integer((json_int_t)frame));
	return alert;
}

static void count(json_t *alert, const char *member, unsigned n)
{
	json_object_set_new(alert, member,
		json_integer(json_integer_value(json_object_get(alert, member)) + n));
}

static void take(
	struct replay_inspect *inspect, const struct inspect_record *record, uint64_t frame)
{
	char name[32];
	json_t *place, *alert;

	name_of(record, name, sizeof(name));
	place = json_object_get(inspect->index, name);
	if (place == NULL) {
		json_object_set_new(inspect->index, name,
			json_integer((json_int_t)json_array_size(inspect->alerts)));
		json_array_append_new(inspect->alerts, make_alert(record, frame));
		place = json_object_get(inspect->index, name);
	}
	alert = json_array_get(inspect->alerts, (size_t)json_integer_value(place));
	count(alert, "count", 1);
	count(alert, "dropped", record->dropped);
	if (record->quarantined)
		json_array_append_new(inspect->quarantined,
			json_pack("{s:s,s:s,s:s,s:I}", "port",
				switch_port_name(record->port[record->culprit]), "level",
				quarantine_level_name(record->level), "by", name, "frame",
				(json_int_t)frame));
}

void replay_inspect_take(struct replay_inspect *inspect, uint64_t frame)
{
	static struct inspect_record records[TAKEN];
	unsigned n;

	for (unsigned w = 0; w < n_workers; w++) {
		struct inspect_log *log = inspect_log_of(workers[w]);

		while (log != NULL && (n = inspect_log_take(log, records, TAKEN)) > 0)
			for (unsigned i = 0; i < n; i++) {
				take(inspect, &records[i], frame);
				rte_pktmbuf_free(records[i].packet);
				rte_pktmbuf_free(records[i].before);
			}
	}
}

json_t *replay_inspect_summary(const struct replay_inspect *inspect)
{
	return json_pack("{s:O,s:O,s:o}", "alerts", inspect->alerts, "quarantined",
		inspect->quarantined, "status", switch_inspect_status());
}

void replay_inspect_stop(struct replay_inspect *inspect)
{
	if (inspect == NULL)
		return;
	inspect_store_stop();
	quarantine_free();
	json_decref(inspect->alerts);
	json_decref(inspect->index);
	json_decref(inspect->quarantined);
	free(inspect);
}
