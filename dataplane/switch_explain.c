#include "switch_explain.h"

#include <string.h>

#include "explain.h"
#include "fdb.h"
#include "switch_conns.h"
#include "switch_policy.h"

/* Ports stand in the configuration's order in switch_state.ports. */
static int index_of(uint16_t id)
{
	for (unsigned i = 0; i < switch_state.n_ports; i++)
		if (switch_state.ports[i]->id == id)
			return (int)i;
	return -1;
}

static int learned(unsigned network, const uint8_t mac[6])
{
	struct rte_ether_addr addr;
	uint16_t port;

	memcpy(addr.addr_bytes, mac, sizeof(addr.addr_bytes));
	rte_rcu_qsbr_thread_online(worker_rcu, MAX_WORKERS);
	port = fdb_lookup(switch_state.networks[network]->fdb, fdb_key(&addr));
	rte_rcu_qsbr_thread_offline(worker_rcu, MAX_WORKERS);
	return port == NO_PORT ? -1 : index_of(port);
}

/* view counts networks as the configuration does, and connections as the snapshot does. */
static json_t *connection(
	const struct conn_view *view, const struct config_port *from, const uint8_t *l2, bool exact)
{
	const struct port_entry *port = switch_find_port(from->name);
	struct conn_view turned = *view;

	turned.key.network = switch_state.networks[view->key.network]->index;
	turned.hash = conn_key_hash(&turned.key);
	return switch_conns_peek(&turned, port, l2, exact);
}

json_t *switch_explain(const json_t *args, bool *negative, char *err, size_t err_len)
{
	struct explain_world world = {
		.config = switch_state.config,
		.policy = switch_state.policy,
		.learned = learned,
		.connection = connection,
	};
	json_t *result;

	if (world.config == NULL) {
		snprintf(err, err_len, "no configuration is applied: nothing passes; see `status`");
		return NULL;
	}
	result = explain_command(&world, args, err, err_len);
	*negative = result != NULL && explain_is_negative(result);
	return result;
}
