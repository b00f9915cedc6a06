#include "quarantine_state.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "state_file.h"

#define FILE_NAME "quarantines.json"
/* 2 since there are addresses; without any, it is written as before, for those who go back. */
#define VERSION         1
#define VERSION_REMOTE  2
#define MEMBERS         15
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const char *const level_names[] = {
	[CONFIG_QUARANTINE_NONE] = "none",
	[CONFIG_QUARANTINE_FLOW] = "flow",
	[CONFIG_QUARANTINE_SERVICE] = "service",
	[CONFIG_QUARANTINE_PORT] = "port",
};

const char *quarantine_level_name(unsigned level)
{
	return level <= CONFIG_QUARANTINE_PORT ? level_names[level] : "unknown";
}

const char *quarantine_remote_level_name(unsigned level)
{
	return level == CONFIG_QUARANTINE_PORT ? "host" : quarantine_level_name(level);
}

enum config_quarantine_level quarantine_level_of(const char *text, bool remote)
{
	if (strcmp(text, "service") == 0)
		return CONFIG_QUARANTINE_SERVICE;
	return strcmp(text, remote ? "host" : "port") == 0 ? CONFIG_QUARANTINE_PORT
							   : CONFIG_QUARANTINE_NONE;
}

/* One line of UTF-8 that is shorter than size. */
static bool is_text(const char *text, size_t size)
{
	json_t *json;

	if (strlen(text) >= size)
		return false;
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	}
	json = json_string(text);
	json_decref(json);
	return json != NULL;
}

bool quarantine_reason_valid(const char *text)
{
	return is_text(text, QUARANTINE_REASON_MAX);
}

/* The text, or null for an empty one. */
static json_t *optional(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* With times as they are given. */
static json_t *pack(const struct quarantine_entry *e, json_t *since, json_t *until)
{
	bool flow = e->src_ip[0] != '\0', remote = quarantine_is_remote(e);

	return json_pack("{s:o,s:s,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "port",
		optional(e->port), "tenant", e->tenant, "network", optional(e->network), "level",
		remote ? quarantine_remote_level_name(e->level) : quarantine_level_name(e->level),
		"since", since, "until", until, "id", optional(e->id), "reason",
		optional(e->reason), "peer", optional(e->peer), "src_ip", optional(e->src_ip),
		"src_port", flow ? number(e->src_port) : json_null(), "dest_ip",
		optional(e->dest_ip), "dest_port", flow ? number(e->dest_port) : json_null(),
		"offset", flow ? number(e->offset) : json_null(), "evidence",
		optional(e->evidence));
}

static json_t *time_text(uint64_t when)
{
	time_t at = (time_t)when;
	char text[32];
	struct tm tm;

	if (when == 0 || gmtime_r(&at, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

json_t *quarantine_entry_show(const struct quarantine_entry *entry)
{
	json_t *shown = pack(entry, time_text(entry->since), time_text(entry->until));
	bool remote = quarantine_is_remote(entry);

	json_object_set_new(shown, "where", json_string(remote ? "remote" : "local"));
	json_object_set_new(shown, "address", optional(entry->address));
	return shown;
}

/* A member that must be text without zeros; into the size bytes at to. Null: empty. */
static bool read_text(const json_t *json, const char *key, char *to, size_t size)
{
	const json_t *value = json_object_get(json, key);
	const char *text = json_string_value(value);

	to[0] = '\0';
	if (json_is_null(value))
		return true;
	if (text == NULL || strlen(text) != json_string_length(value) || !is_text(text, size))
		return false;
	strcpy(to, text);
	return true;
}

static bool read_name(const json_t *json, const char *key, char *to, size_t size)
{
	return read_text(json, key, to, size) && to[strspn(to, NAME_CHARACTERS)] == '\0';
}

/* Null: 0. */
static bool read_number(const json_t *json, const char *key, uint64_t max, uint64_t *n)
{
	const json_t *value = json_object_get(json, key);

	*n = (uint64_t)json_integer_value(value);
	return json_is_null(value) ||
	       (json_is_integer(value) && json_integer_value(value) >= 0 && *n <= max);
}

/* One address, or none. */
static bool read_address(
	const json_t *json, const char *key, char text[ADDR_TEXT_MAX], struct addr *addr)
{
	struct addr_span span;

	if (!read_text(json, key, text, ADDR_TEXT_MAX))
		return false;
	if (text[0] == '\0')
		return true;
	if (!addr_span_parse(text, &span) || !addr_equal(span.first, span.last))
		return false;
	*addr = span.first;
	return true;
}

static bool read_end(const json_t *json, const char *ip_key, const char *port_key,
	char ip[ADDR_TEXT_MAX], uint16_t *port)
{
	struct addr addr;
	uint64_t n;

	if (!read_address(json, ip_key, ip, &addr) || !read_number(json, port_key, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

/* Who it is of: as fault(). */
static const char *subject_fault(const json_t *json, struct quarantine_entry *e)
{
	bool remote = json_object_get(json, "address") != NULL;

	if (remote &&
		(!read_address(json, "address", e->address, &e->addr) || e->address[0] == '\0'))
		return "address";
	if (!read_name(json, "port", e->port, sizeof(e->port)) || (!remote && e->port[0] == '\0'))
		return "port";
	if (!read_name(json, "tenant", e->tenant, sizeof(e->tenant)))
		return "tenant";
	if (!read_name(json, "network", e->network, sizeof(e->network)) ||
		(remote && e->network[0] == '\0'))
		return "network";
	return NULL;
}

/* The first member that is not as it must be; NULL: none. */
static const char *fault(const json_t *json, struct quarantine_entry *e)
{
	const char *subject = subject_fault(json, e);
	char level[16];
	uint64_t offset;

	if (subject != NULL)
		return subject;
	if (!read_text(json, "level", level, sizeof(level)))
		return "level";
	e->level = quarantine_level_of(level, quarantine_is_remote(e));
	if (e->level == CONFIG_QUARANTINE_NONE)
		return "level";
	if (!read_number(json, "since", INT64_MAX, &e->since) ||
		!read_number(json, "until", INT64_MAX, &e->until))
		return "since or until";
	if (!read_text(json, "id", e->id, sizeof(e->id)) ||
		!read_text(json, "reason", e->reason, sizeof(e->reason)))
		return "id or reason";
	if (!read_name(json, "peer", e->peer, sizeof(e->peer)))
		return "peer";
	if (!read_end(json, "src_ip", "src_port", e->src_ip, &e->src_port) ||
		!read_end(json, "dest_ip", "dest_port", e->dest_ip, &e->dest_port) ||
		!read_number(json, "offset", UINT32_MAX, &offset))
		return "connection";
	e->offset = (uint32_t)offset;
	if (!read_text(json, "evidence", e->evidence, sizeof(e->evidence)))
		return "evidence";
	return json_object_size(json) == MEMBERS + (quarantine_is_remote(e) ? 1u : 0u)
		       ? NULL
		       : "number of members";
}

/* Up to max[0] of ports and max[1] of addresses. */
static bool read_list(const json_t *list, const unsigned max[2], struct quarantine_entry *entries,
	unsigned *n, struct config_error *err)
{
	unsigned counts[2] = {0};
	json_t *item;
	size_t i;

	if (json_array_size(list) > max[0] + max[1]) {
		config_error_set(err, "quarantines is no list of up to %u", max[0] + max[1]);
		return false;
	}
	json_array_foreach (list, i, item) {
		const char *member;
		bool remote;

		entries[i] = (struct quarantine_entry){0};
		member = fault(item, &entries[i]);
		if (member != NULL) {
			config_error_set(err,
				"quarantines[%zu]: its %s is not as vswitchd writes it", i, member);
			return false;
		}
		remote = quarantine_is_remote(&entries[i]);
		if (++counts[remote] > max[remote]) {
			config_error_set(err, "quarantines: more than %u are of %s", max[remote],
				remote ? "addresses" : "ports");
			return false;
		}
	}
	*n = (unsigned)json_array_size(list);
	return true;
}

/* Whether there is no such directory: then nothing was ever saved. */
static bool is_new(const char *dir)
{
	return access(dir, F_OK) != 0 && errno == ENOENT;
}

bool quarantine_state_read(const char *dir, struct quarantine_entry *list, const unsigned max[2],
	unsigned *n, struct config_error *err)
{
	const unsigned ports_only[2] = {max[0], 0};
	json_t *file = state_file_read(dir, FILE_NAME, err);
	const json_t *entries = json_object_get(file, "quarantines");
	json_int_t version = json_integer_value(json_object_get(file, "version"));
	bool ok = false;

	*n = 0;
	if (file == NULL)
		return err->text[0] == '\0' || is_new(dir);
	if ((version != VERSION && version != VERSION_REMOTE) || json_object_size(file) != 2)
		config_error_set(err, "it is not of version %d or %d", VERSION, VERSION_REMOTE);
	else if (!json_is_array(entries))
		config_error_set(err, "quarantines is no list");
	else
		ok = read_list(entries, version == VERSION ? ports_only : max, list, n, err);
	json_decref(file);
	return ok;
}

bool quarantine_state_write(
	const char *dir, const struct quarantine_entry *list, unsigned n, struct config_error *err)
{
	json_t *entries = json_array(), *file;
	int version = VERSION;
	bool ok;

	for (unsigned i = 0; i < n; i++) {
		json_t *entry = pack(&list[i], number(list[i].since), number(list[i].until));

		if (quarantine_is_remote(&list[i])) {
			json_object_set_new(entry, "address", json_string(list[i].address));
			version = VERSION_REMOTE;
		}
		json_array_append_new(entries, entry);
	}
	file = json_pack("{s:i,s:O}", "version", version, "quarantines", entries);
	ok = file != NULL && json_array_size(entries) == n;
	if (!ok)
		config_error_set(err, "out of memory");
	ok = ok && state_file_write(dir, FILE_NAME, file, err);
	json_decref(file);
	json_decref(entries);
	return ok;
}
