#include "switch_conns.h"

#include <netinet/in.h>
#include <string.h>

#include "conns.h"
#include "firewall.h"
#include "switch_policy.h"

/* A connection that was found, and its ends by opener (0) and peer (1). */
struct found {
	struct worker *w;
	struct conn conn;
	struct conn_detail detail;
	const struct port_entry *port[2]; /* NULL: gone */
};

typedef bool visit_fn(const struct found *found, void *arg); /* false: enough */

bool switch_conns_check(const struct conn_filter *filter, char *err, size_t err_len)
{
	if (filter->network != NULL && switch_find_network(filter->network) == NULL) {
		snprintf(err, err_len, "network %s does not exist: see `network list`",
			filter->network);
		return false;
	}
	if (filter->port != NULL && switch_find_port(filter->port) == NULL) {
		snprintf(err, err_len, "port %s does not exist: see `port list`", filter->port);
		return false;
	}
	return true;
}

static unsigned opener(const struct conn *conn)
{
	return conn->flags & CONN_OPENER;
}

/* Of either end: they are in one network. */
static const struct network_entry *network_of(const struct found *f)
{
	const struct port_entry *port = f->port[0] != NULL ? f->port[0] : f->port[1];

	return port != NULL && port->network->index == f->conn.key.network ? port->network : NULL;
}

static bool is_of_port(const struct found *f, const char *name)
{
	for (unsigned i = 0; i < 2; i++)
		if (f->port[i] != NULL && strcmp(f->port[i]->conf.name, name) == 0)
			return true;
	return false;
}

static bool matches(const struct found *f, const struct conn_filter *filter)
{
	const struct network_entry *net = network_of(f);
	const struct conn *conn = &f->conn;
	unsigned side = opener(conn);

	if (filter->network != NULL &&
		(net == NULL || strcmp(net->conf.name, filter->network) != 0))
		return false;
	if (filter->tenant != NULL &&
		(net == NULL || strcmp(net->conf.tenant, filter->tenant) != 0))
		return false;
	if (filter->port != NULL && !is_of_port(f, filter->port))
		return false;
	if (filter->has_from && !addr_in(conn->key.addr[side], filter->from))
		return false;
	if (filter->has_to && !addr_in(conn->key.addr[!side], filter->to))
		return false;
	if (filter->has_service &&
		(conn->service < filter->service.first || conn->service > filter->service.last))
		return false;
	return filter->state == NULL || strcmp(conn_state_name(conn->state), filter->state) == 0;
}

/* Shows visit every connection that matches. Bounded by the tables' sizes. */
static void walk(const struct conn_filter *filter, visit_fn *visit, void *arg)
{
	for (unsigned i = 0; i < n_workers; i++) {
		const struct conn_table *table = conns_table(firewall_conns(workers[i]->firewall));
		uint32_t capacity = conn_table_capacity(table);

		for (uint32_t index = 0; index < capacity; index++) {
			struct found f = {.w = workers[i]};

			if (!conn_table_read(table, index, &f.conn, &f.detail))
				continue;
			for (unsigned k = 0; k < 2; k++)
				f.port[k] = switch_state.by_id[f.conn.port[opener(&f.conn) ^ k]];
			if (matches(&f, filter) && !visit(&f, arg))
				return;
		}
	}
}

static json_t *address(struct addr addr)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	return json_string(text);
}

/* "group:3", as long as the port's rules are those that decided. */
static json_t *rule(const struct found *f, unsigned direction)
{
	const struct port_entry *port = f->port[direction];
	unsigned group = f->detail.group[direction];
	char text[CONFIG_NAME_MAX + 16];

	if (port == NULL || port->policy->epoch[direction] != f->conn.epoch[direction] ||
		group >= port->policy->n_groups)
		return json_null();
	snprintf(text, sizeof(text), "%s:%u", port->policy->groups[group]->name,
		f->detail.rule[direction]);
	return json_string(text);
}

static json_t *port_name(const struct found *f, unsigned end)
{
	return f->port[end] != NULL ? json_string(f->port[end]->conf.name) : json_null();
}

static json_t *show(const struct found *f)
{
	const struct network_entry *net = network_of(f);
	const struct conn *conn = &f->conn;
	unsigned side = opener(conn);
	uint32_t now = (uint32_t)(switch_now() / (f->w->hz / CONN_TICKS_PER_SECOND));
	uint32_t idle = now > conn->seen ? (now - conn->seen) / CONN_TICKS_PER_SECOND : 0;
	char proto[16];

	conn_proto_name(conn->key.proto, proto);
	return json_pack("{s:s?,s:s?,s:s,s:o,s:o,s:i,s:o,s:o,s:i,s:s,s:i,s:o,s:o,s:b,s:b,s:b,s:i}",
		"network", net != NULL ? net->conf.name : NULL, "tenant",
		net != NULL ? net->conf.tenant : NULL, "protocol", proto, "from", port_name(f, 0),
		"from_address", address(conn->key.addr[side]), "from_port",
		(int)conn->key.port[side], "to", port_name(f, 1), "to_address",
		address(conn->key.addr[!side]), "to_port", (int)conn->key.port[!side], "state",
		conn_state_name(conn->state), "idle_s", (int)idle, "rule_out", rule(f, 0),
		"rule_in", rule(f, 1), "picked_up", conn->flags & CONN_PICKED_UP, "denied",
		conn->flags & CONN_DENIED, "audited", conn->flags & CONN_AUDITED, "worker",
		(int)f->w->core);
}

struct list {
	json_t *rows;
	unsigned limit;
	bool more;
};

static bool list_one(const struct found *f, void *arg)
{
	struct list *list = arg;

	if (json_array_size(list->rows) == list->limit) {
		list->more = true;
		return false;
	}
	json_array_append_new(list->rows, show(f));
	return true;
}

json_t *switch_conns_list(const struct conn_filter *filter, unsigned limit, bool *more)
{
	struct list list = {json_array(), limit, false};

	walk(filter, list_one, &list);
	*more = list.more;
	return list.rows;
}

struct count {
	const char *by;
	json_t *groups;
	unsigned n;
};

static const char *group_of(const struct found *f, const char *by)
{
	const struct network_entry *net = network_of(f);

	if (strcmp(by, "state") == 0)
		return conn_state_name(f->conn.state);
	if (strcmp(by, "port") == 0)
		return f->port[0] != NULL ? f->port[0]->conf.name : "(removed)";
	if (net == NULL)
		return "(removed)";
	return strcmp(by, "network") == 0 ? net->conf.name : net->conf.tenant;
}

static bool count_one(const struct found *f, void *arg)
{
	struct count *count = arg;
	const char *name;

	count->n++;
	if (count->by == NULL)
		return true;
	name = group_of(f, count->by);
	json_object_set_new(count->groups, name,
		json_integer(1 + json_integer_value(json_object_get(count->groups, name))));
	return true;
}

json_t *switch_conns_count(const struct conn_filter *filter)
{
	struct count count = {filter->by, json_object(), 0};
	json_t *rows = json_array(), *number, *row;
	uint64_t capacity = 0;
	const char *name;

	walk(filter, count_one, &count);
	for (unsigned i = 0; i < n_workers; i++)
		capacity += conn_table_capacity(conns_table(firewall_conns(workers[i]->firewall)));
	json_object_foreach (count.groups, name, number) {
		row = json_pack("{s:s,s:O}", "name", name, "connections", number);
		json_array_append_new(rows, row);
	}
	if (filter->by == NULL)
		json_array_append_new(
			rows, json_pack("{s:s,s:i}", "name", "all", "connections", (int)count.n));
	json_decref(count.groups);
	return json_pack("{s:i,s:I,s:o}", "connections", (int)count.n, "capacity",
		(json_int_t)capacity, "groups", rows);
}

struct killing {
	unsigned n;
	bool all;
};

static bool kill_one(const struct found *f, void *arg)
{
	struct killing *killing = arg;

	/* Its worker takes what is posted within a pass: a full ring is no reason to give up. */
	for (unsigned tries = 0; !firewall_post_close(f->w, &f->conn, true); tries++) {
		if (tries == 1000 || switch_state.single_step) {
			killing->all = false;
			return false;
		}
		workers_synchronize();
	}
	killing->n++;
	return true;
}

unsigned switch_conns_kill(const struct conn_filter *filter, bool *all)
{
	struct killing killing = {0, true};

	walk(filter, kill_one, &killing);
	if (all != NULL)
		*all = killing.all;
	return killing.n;
}

/* One that a search finds by looking at all. */
struct sought {
	const struct conn_search *search;
	struct conn_match *match;
	bool found;
};

/* The same ends and service, whatever its source port. */
static bool is_alike(const struct found *f, const struct conn_search *search)
{
	const struct conn_key *a = &f->conn.key, *b = &search->view->key;
	unsigned side = opener(&f->conn), sender = search->view->sender;

	return a->network == b->network && a->proto == b->proto && f->port[0] == search->port &&
	       f->conn.service == search->view->service &&
	       addr_equal(a->addr[side], b->addr[sender]) &&
	       addr_equal(a->addr[!side], b->addr[!sender]);
}

static bool is_quoted(const struct found *f, const struct conn_search *search)
{
	return memcmp(&f->conn.key, &search->view->key, sizeof(f->conn.key)) == 0 &&
	       f->conn.port[search->view->sender] == search->port->id;
}

static void take_match(const struct found *f, struct conn_match *match)
{
	match->conn = f->conn;
	match->detail = f->detail;
	match->shown = show(f);
}

static bool seek(const struct found *f, void *arg)
{
	struct sought *sought = arg;
	const struct conn_search *search = sought->search;

	sought->found = search->how == CONN_SEARCH_ALIKE ? is_alike(f, search)
							 : is_quoted(f, search);
	if (sought->found)
		take_match(f, sought->match);
	return !sought->found;
}

bool switch_conns_find(const struct conn_search *search, struct conn_match *match)
{
	static const struct conn_filter any;
	struct sought sought = {search, match, false};

	if (search->how != CONN_SEARCH_EXACT) {
		walk(&any, seek, &sought);
		return sought.found;
	}
	for (unsigned i = 0; i < n_workers; i++) {
		struct found f = {.w = workers[i]};

		if (!conn_table_peek(conns_table(firewall_conns(workers[i]->firewall)),
			    search->view, search->port->id, search->l2, &f.conn, &f.detail))
			continue;
		for (unsigned k = 0; k < 2; k++)
			f.port[k] = switch_state.by_id[f.conn.port[opener(&f.conn) ^ k]];
		take_match(&f, match);
		return true;
	}
	return false;
}
