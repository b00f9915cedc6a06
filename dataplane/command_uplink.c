/*
 * Commands of uplinks: handlers as commands.h declares them. An uplink is no port, so what it is
 * comes out of the configuration, and what it does out of the ports that it makes.
 */
#include <stdint.h>
#include <string.h>

#include "command_edit.h"
#include "config_edit.h"
#include "config_uplinks.h"
#include "switch.h"

static const struct edit_section uplinks = {"uplinks", "uplink", &config_fields_uplink};

static const json_t *inner(const json_t *row, const char *object, const char *member)
{
	return json_object_get(json_object_get(row, object), member);
}

static json_int_t count_of(const json_t *row, const char *direction)
{
	return json_integer_value(inner(row, direction, "packets"));
}

/* The rows of all[] that are ports of the uplink called name; the caller owns the reference. */
static json_t *ports_of(const json_t *all, const char *name)
{
	json_t *own = json_array(), *row;
	size_t i;

	json_array_foreach (all, i, row) {
		const char *uplink = json_string_value(json_object_get(row, "uplink"));

		if (uplink != NULL && strcmp(uplink, name) == 0)
			json_array_append(own, row);
	}
	return own;
}

/* What is there only while the device is open is said by a port that has it: the same in all. */
static const json_t *speaker(const json_t *ports)
{
	const json_t *first = json_array_get(ports, 0);
	size_t i;
	json_t *row;

	json_array_foreach (ports, i, row) {
		if (json_object_get(row, "link") != NULL)
			return row;
	}
	return first;
}

static const char *state_of(const json_t *port)
{
	const char *state = json_string_value(json_object_get(port, "state"));

	return port == NULL ? "carries nothing" : state != NULL ? state : "unknown";
}

/* What the uplink stands on, in a few words. */
static json_t *stands_on(const json_t *uplink)
{
	const json_t *bond = json_object_get(uplink, "bond");

	if (json_object_get(uplink, "interface") != NULL)
		return json_incref(json_object_get(uplink, "interface"));
	if (bond == NULL)
		return json_incref(json_object_get(uplink, "device"));
	return json_sprintf("bond of %zu (%s)", json_array_size(json_object_get(bond, "members")),
		json_string_value(json_object_get(bond, "mode")));
}

/*
 * What is wrong with it: with its device, or else with the first port that something is wrong with
 * for reasons of its own, as tunnels have them. The caller owns the reference.
 */
static json_t *error_of(const json_t *said, const json_t *ports)
{
	json_t *own = json_object_get(said, "error"), *port;
	size_t i;

	if (json_is_string(own))
		return json_incref(own);
	json_array_foreach (ports, i, port) {
		const char *error = json_string_value(json_object_get(port, "error"));

		if (error != NULL)
			return json_sprintf(
				"%s: %s", json_string_value(json_object_get(port, "name")), error);
	}
	return json_null();
}

/* One row of a list, out of its configuration and its ports' rows. */
static json_t *summary(const json_t *uplink, const json_t *ports)
{
	const json_t *said = speaker(ports);
	json_int_t received = 0, sent = 0;
	json_t *row = json_object(), *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		received += count_of(port, "rx");
		sent += count_of(port, "tx");
	}
	json_object_set(row, "name", json_object_get(uplink, "name"));
	json_object_set_new(row, "stands_on", stands_on(uplink));
	json_object_set_new(row, "state", json_string(state_of(said)));
	json_object_set(row, "link", json_object_get(json_object_get(said, "link"), "state"));
	json_object_set(row, "queues", json_object_get(uplink, "queues"));
	json_object_set_new(row, "ports", json_integer((json_int_t)json_array_size(ports)));
	json_object_set_new(row, "rx_packets", json_integer(received));
	json_object_set_new(row, "tx_packets", json_integer(sent));
	json_object_set_new(row, "error", error_of(said, ports));
	return row;
}

static const json_t *applied(void)
{
	return json_object_get(transaction_canonical(), "uplinks");
}

void command_uplink_list(const struct command_request *request, struct command_reply *reply)
{
	json_t *rows = json_array(), *all = switch_ports(NULL), *uplink;
	size_t i;

	json_array_foreach (applied(), i, uplink) {
		json_t *ports = ports_of(all, json_string_value(json_object_get(uplink, "name")));

		json_array_append_new(rows, summary(uplink, ports));
		json_decref(ports);
	}
	json_decref(all);
	reply->result = rows;
}

/* What it carries, a line each. */
static json_t *carried(const json_t *ports)
{
	static const char *const members[] = {"name", "network", "tenant", "vlan", "mtu", "state",
		"error", "rx", "tx", "drops", "drops_out"};
	json_t *list = json_array(), *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		json_t *row = json_object();

		for (size_t m = 0; m < sizeof(members) / sizeof(*members); m++)
			json_object_set(row, members[m], json_object_get(port, members[m]));
		json_array_append_new(list, row);
	}
	return list;
}

void command_uplink_show(const struct command_request *request, struct command_reply *reply)
{
	static const char *const members[] = {
		"offloads", "offloads_emulated", "rss", "device", "members", "xdp"};
	const char *name = command_text(request, "name");
	const json_t *uplink = config_edit_find(transaction_canonical(), "uplinks", name), *said;
	json_t *all, *ports, *row;

	if (uplink == NULL) {
		command_result_of(reply, NULL, "uplink", name);
		return;
	}
	all = switch_ports(NULL);
	ports = ports_of(all, name);
	said = speaker(ports);
	row = summary(uplink, ports);
	json_object_set(row, "configuration", (json_t *)(uintptr_t)uplink);
	json_object_set(row, "link", json_object_get(said, "link"));
	for (size_t m = 0; m < sizeof(members) / sizeof(*members); m++)
		json_object_set(row, members[m], json_object_get(said, members[m]));
	json_object_set_new(row, "ports", carried(ports));
	json_decref(ports);
	json_decref(all);
	reply->result = row;
}

void command_uplink_add(const struct command_request *request, struct command_reply *reply)
{
	const char *name = command_text(request, "name");
	json_t *bare = json_pack("{s:s}", "name", name);

	edit_add(request, reply, &uplinks, name, bare);
	json_decref(bare);
}

void command_uplink_set(const struct command_request *request, struct command_reply *reply)
{
	edit_set(request, reply, &uplinks, command_text(request, "name"));
}

void command_uplink_del(const struct command_request *request, struct command_reply *reply)
{
	edit_del(request, reply, &uplinks, command_text(request, "name"));
}
