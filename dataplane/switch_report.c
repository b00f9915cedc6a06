#include "events.h"
#include "switch_report.h"

void switch_report_port(const struct port_entry *port)
{
	json_t *metadata = json_object(), *own = port->driver->describe(port->dev);

	json_object_set_new(metadata, "port", json_string(port->conf.name));
	json_object_set_new(metadata, "network", json_string(port->conf.network));
	json_object_set_new(metadata, "tenant", json_string(port->network->conf.tenant));
	json_object_set(metadata, "state", json_object_get(own, "state"));
	json_object_set(metadata, "error", json_object_get(own, "error"));
	json_decref(own);
	events_emit("port", metadata);
}

void switch_report_moves(struct network_entry *net)
{
	struct fdb_move moves[FDB_MOVES_KEPT];
	unsigned n = fdb_moves(net->fdb, moves, FDB_MOVES_KEPT);

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *mac = moves[i].mac.addr_bytes;
		json_t *metadata;

		if (moves[i].number <= net->moves_reported)
			continue;
		net->moves_reported = moves[i].number;
		metadata = json_pack("{s:s, s:s, s:s}", "network", net->conf.name, "from",
			switch_port_name(moves[i].from), "to", switch_port_name(moves[i].to));
		json_object_set_new(metadata, "mac",
			json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
				mac[3], mac[4], mac[5]));
		events_emit("mac_move", metadata);
	}
}
