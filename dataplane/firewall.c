#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_malloc.h>

#include "firewall_state.h"
#include "inspect.h"

#define CLOSE_RING      1024 /* connections that other threads want closed */
#define CLOSE_BUDGET    256 /* of those, in one pass */
#define EXPIRE_BUDGET   256 /* connections looked at in one pass: some 20 us */
#define FRAGMENT_BUDGET 64

struct firewall *firewall_create(uint32_t connections, unsigned buffers)
{
	static unsigned serial;
	struct firewall *fw = rte_zmalloc("firewall", sizeof(*fw), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (fw == NULL)
		return NULL;
	snprintf(name, sizeof(name), "closing%u", serial++);
	fw->conns = conns_create(connections);
	fw->fragments = fragments_create(buffers);
	fw->log = firewall_log_create();
	fw->closing = rte_ring_create_elem(name, sizeof(struct close_request), CLOSE_RING,
		SOCKET_ID_ANY, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
	if (fw->conns == NULL || fw->fragments == NULL || fw->log == NULL || fw->closing == NULL) {
		firewall_free(fw);
		return NULL;
	}
	fw->table = conns_table(fw->conns);
	return fw;
}

void firewall_free(struct firewall *fw)
{
	if (fw == NULL)
		return;
	conns_free(fw->conns);
	fragments_free(fw->fragments);
	firewall_log_free(fw->log);
	rte_ring_free(fw->closing);
	rte_free(fw);
}

struct conns *firewall_conns(struct firewall *fw)
{
	return fw->conns;
}

struct fragments *firewall_fragments(struct firewall *fw)
{
	return fw->fragments;
}

struct firewall_log *firewall_log_of(struct firewall *fw)
{
	return fw->log;
}

const struct firewall_stats *firewall_stats_of(const struct firewall *fw)
{
	return &fw->stats;
}

/* Ports of the snapshot before that are no more leave connections behind. */
static void meet_snapshot(struct firewall *fw, const struct snapshot *snapshot)
{
	for (unsigned id = 0; id < MAX_PORTS; id++) {
		const struct port *port = snapshot->ports[id];
		uint32_t serial = port != NULL ? port->serial : 0;
		struct port_memo *memo = &fw->memos[id];

		if (memo->serial != 0 && memo->serial != serial && !memo->gone) {
			memo->gone = true;
			fw->n_gone++;
			conns_close_port(fw->conns, (uint16_t)id, 0);
		}
		memo->serial = serial;
	}
	fw->met = snapshot->serial;
}

uint32_t firewall_now(const struct worker *w)
{
	return firewall_ticks(w);
}

void firewall_begin(struct worker *w)
{
	struct firewall *fw = w->firewall;

	/* A division, so not in every pass of an idle worker. */
	if (unlikely(w->now - fw->tick_began >= fw->tick_cycles)) {
		fw->tick_cycles = w->hz / CONN_TICKS_PER_SECOND;
		fw->ticks = (uint32_t)(w->now / fw->tick_cycles);
		fw->tick_began = fw->ticks * fw->tick_cycles;
	}
	if (unlikely(w->firewall->met != w->snapshot->serial))
		meet_snapshot(w->firewall, w->snapshot);
}

void firewall_look(
	struct worker *w, const struct port *from, struct firewall_packet *packets, unsigned n)
{
	const struct conn_table *table = w->firewall->table;
	uint32_t hashes[BURST];

	if (!w->snapshot->networks[from->network]->tracked)
		return;
	for (unsigned i = 0; i < n; i++) {
		firewall_see(from, &packets[i]);
		hashes[i] = packets[i].view.hash;
	}
	conn_table_prefetch(table, hashes, n);
	conn_table_prefetch_entries(table, hashes, n);
}

/* One side's verdict on a frame for many. */
static int for_many(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	enum policy_direction direction = to == NULL ? POLICY_OUT : POLICY_IN;
	const struct policy_port *policy = to == NULL ? from->policy : to->policy;
	const struct conn_view *view = &packet->view;
	struct policy_query query;
	struct opening o;
	struct decision d;

	if (!packet->looked)
		firewall_see(from, packet);
	if (view->kind == CONN_NONE)
		return -1;
	if (view->kind != CONN_PACKET)
		return DROP_icmp_unrelated;
	o = (struct opening){from, to, &view->key, view->sender, view->service, false, false};
	conn_query(&view->key, view->sender, view->service, &query);
	decision_make_one(policy, direction, &query, &d);
	if (to != NULL) {
		packet->asked = d.audited || d.verdicts[direction].log ? NULL : policy;
		packet->taken = d.reason < 0;
	}
	if (d.reason >= 0 || d.audited) {
		if (d.audited || d.verdicts[direction].log ||
			d.verdicts[direction].source == POLICY_BY_BLOCK)
			firewall_tell(w, &o, &d, direction);
	}
	return d.reason;
}

int firewall_flood(struct worker *w, const struct port *from, struct firewall_packet *packet)
{
	return from->bare ? -1 : for_many(w, from, NULL, packet);
}

bool firewall_takes_copy(struct worker *w, const struct port *from, const struct port *to,
	struct firewall_packet *packet)
{
	if (to->bare)
		return true;
	/* Most guests of a network are in the same groups: of a thousand, few need be asked. */
	if (packet->asked != NULL && policy_same_in(packet->asked, to->policy))
		return packet->taken;
	return for_many(w, from, to, packet) < 0;
}

/* Closes connections of ports that are gone, of all in one way through the table; true where some
 * are left. */
static bool close_gone(struct firewall *fw)
{
	unsigned budget = CLOSE_BUDGET;

	for (unsigned id = 0; id < MAX_PORTS && fw->n_gone > 0; id++) {
		if (!fw->memos[id].gone)
			continue;
		if (!conns_close_port(fw->conns, (uint16_t)id, budget)) {
			fw->memos[id].gone = false;
			fw->n_gone--;
		}
		budget = 0;
	}
	return fw->n_gone > 0;
}

static void close_one(struct worker *w, const struct close_request *request)
{
	struct firewall *fw = w->firewall;
	struct conn_view view = {.key = request->key, .hash = conn_key_hash(&request->key)};
	struct conn *rivals[CONN_RIVALS_MAX];
	unsigned n = conn_table_rivals(fw->table, &view, rivals);

	for (unsigned i = 0; i < n; i++) {
		if (memcmp(&rivals[i]->key, &request->key, sizeof(request->key)) != 0 ||
			memcmp(rivals[i]->port, request->port, sizeof(request->port)) != 0)
			continue;
		if (request->kill)
			firewall_kill(w, rivals[i]);
		else
			conns_close(fw->conns, rivals[i]);
	}
}

static void close_posted(struct worker *w)
{
	struct close_request request;

	for (unsigned i = 0; i < CLOSE_BUDGET; i++) {
		if (rte_ring_sc_dequeue_elem(w->firewall->closing, &request, sizeof(request)) != 0)
			return;
		close_one(w, &request);
	}
}

bool firewall_chores(struct worker *w)
{
	struct firewall *fw = w->firewall;
	bool more;

	close_posted(w);
	more = !rte_ring_empty(fw->closing);
	more |= fw->n_gone > 0 && close_gone(fw);
	more |= conns_expire(fw->conns, firewall_ticks(w), EXPIRE_BUDGET);
	more |= inspect_chores(w);
	more |= fragments_expire(fw->fragments, w, FRAGMENT_BUDGET);
	return more;
}

bool firewall_post_close(struct worker *w, const struct conn *other, bool kill)
{
	struct close_request request = {other->key, {other->port[0], other->port[1]}, kill};

	if (rte_ring_mp_enqueue_elem(w->firewall->closing, &request, sizeof(request)) != 0)
		return false;
	worker_wake(w);
	return true;
}
