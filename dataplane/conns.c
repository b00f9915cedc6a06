#include "conns.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_tcp.h>

#include "conn_quota.h"
#include "conn_tcp.h"
#include "conn_wheel.h"

/* `seen` may be so old, lest every packet writes it. */

#define ANY_TENANT UINT32_MAX

/* What one port has opened that may be pushed out, in the order in which it should be. */
struct port_list {
	uint32_t first, last, n;
	uint32_t closed_at; /* what is of an older generation is to be closed */
	uint16_t tenant; /* of the last that was opened */
	bool closing;
};

struct conns {
	struct conn_table *table;
	struct conn_wheel wheel;
	struct port_list ports[MAX_PORTS];
	struct conn_meters meters;
	uint32_t timeouts[CONN_STATES]; /* seconds; other threads write them */
	bool timeouts_changed;
	uint64_t pushed_out;
	conn_ended_fn *ended; /* of what is inspected; NULL: nobody */
	void *ended_arg;

	/* A way through the table, in pieces, for what concerns every entry. */
	uint32_t generation; /* goes up with every wish for one */
	uint32_t scan_at; /* entry */
	uint32_t scan_for; /* generation when it set out */
	uint32_t scanned; /* generation when the last one that is through set out */
	uint32_t scan_wanted; /* by new timeouts */
};

static inline bool may_be_pushed_out(unsigned state)
{
	return (1u << state) &
	       (1u << CONN_TCP_SYN | 1u << CONN_TCP_SYN_ACK | 1u << CONN_TCP_CLOSING |
		       1u << CONN_TCP_CLOSED | 1u << CONN_UDP_FIRST | 1u << CONN_UDP_SINGLE |
		       1u << CONN_ICMP_FIRST | 1u << CONN_OTHER_FIRST | 1u << CONN_OTHER_SINGLE);
}

/* What the rules do not allow any more is the first to go, whatever it had become. */
static inline bool may_go(const struct conn *conn)
{
	return (conn->flags & CONN_DENIED) || may_be_pushed_out(conn->state);
}

static inline unsigned opener_of(const struct conn *conn)
{
	return conn->flags & CONN_OPENER;
}

struct conns *conns_create(uint32_t capacity)
{
	struct conns *conns = calloc(1, sizeof(*conns));

	if (conns == NULL)
		return NULL;
	conns->table = conn_table_create(capacity);
	if (conns->table == NULL) {
		free(conns);
		return NULL;
	}
	conn_wheel_init(&conns->wheel, conns->table);
	for (unsigned i = 0; i < MAX_PORTS; i++)
		conns->ports[i].first = conns->ports[i].last = CONN_NONE_INDEX;
	return conns;
}

void conns_free(struct conns *conns)
{
	if (conns == NULL)
		return;
	for (uint32_t i = 0; i < conn_table_capacity(conns->table); i++) {
		struct conn *conn = conn_table_at(conns->table, i);

		if (conn->state != CONN_FREE)
			conns_close(conns, conn);
	}
	conn_table_free(conns->table);
	free(conns);
}

struct conn_table *conns_table(struct conns *conns)
{
	return conns->table;
}

void conns_on_end(struct conns *conns, conn_ended_fn *ended, void *arg)
{
	conns->ended = ended;
	conns->ended_arg = arg;
}

size_t conns_bytes(const struct conns *conns)
{
	return sizeof(*conns) + conn_table_bytes(conns->table);
}

uint64_t conns_pushed_out(const struct conns *conns)
{
	return __atomic_load_n(&conns->pushed_out, __ATOMIC_RELAXED);
}

static inline struct conn *at(struct conns *conns, uint32_t index)
{
	return conn_table_at(conns->table, index);
}

static inline struct port_list *list_of(struct conns *conns, const struct conn *conn)
{
	return &conns->ports[conn->port[opener_of(conn)]];
}

/* Puts conn into its port's list behind `before`, or first. */
static void list_add(struct conns *conns, struct conn *conn, uint32_t before)
{
	struct port_list *list = list_of(conns, conn);
	uint32_t index = conn_table_index(conns->table, conn);

	conn->port_prev = before;
	conn->port_next = before == CONN_NONE_INDEX ? list->first : at(conns, before)->port_next;
	if (before == CONN_NONE_INDEX)
		list->first = index;
	else
		at(conns, before)->port_next = index;
	if (conn->port_next == CONN_NONE_INDEX)
		list->last = index;
	else
		at(conns, conn->port_next)->port_prev = index;
	list->n++;
}

static void list_remove(struct conns *conns, struct conn *conn)
{
	struct port_list *list = list_of(conns, conn);

	if (conn->port_prev == CONN_NONE_INDEX)
		list->first = conn->port_next;
	else
		at(conns, conn->port_prev)->port_next = conn->port_next;
	if (conn->port_next == CONN_NONE_INDEX)
		list->last = conn->port_prev;
	else
		at(conns, conn->port_next)->port_prev = conn->port_prev;
	list->n--;
}

/* In ticks. */
static inline uint64_t deadline(const struct conns *conns, const struct conn *conn)
{
	unsigned state = conn->flags & CONN_DENIED ? CONN_TCP_CLOSED : conn->state;
	uint64_t seconds = __atomic_load_n(&conns->timeouts[state], __ATOMIC_RELAXED);

	return conn->seen + seconds * CONN_TICKS_PER_SECOND;
}

static inline void file(struct conns *conns, struct conn *conn)
{
	conn_wheel_add(&conns->wheel, conn, deadline(conns, conn) / CONN_TICKS_PER_SECOND);
}

static void set_state(struct conns *conns, struct conn *conn, enum conn_state state, uint32_t now)
{
	if (may_go(conn))
		list_remove(conns, conn);
	__atomic_store_n(&conn->state, (uint8_t)state, __ATOMIC_RELAXED);
	__atomic_store_n(&conn->seen, now, __ATOMIC_RELAXED);
	if (may_go(conn))
		list_add(conns, conn,
			state == CONN_TCP_CLOSED ? CONN_NONE_INDEX : list_of(conns, conn)->last);
	conn_wheel_remove(&conns->wheel, conn);
	file(conns, conn);
}

/* What stands in no slot of the wheel. */
static void forget(struct conns *conns, struct conn *conn, enum conn_end end)
{
	if (unlikely(conn->inspected != 0) && conns->ended != NULL)
		conns->ended(conns->ended_arg, conn, end);
	if (may_go(conn))
		list_remove(conns, conn);
	conn_quota_give_port(conn->port[opener_of(conn)]);
	conn_quota_give_tenant(conn->tenant);
	conn_table_remove(conns->table, conn);
}

void conns_close(struct conns *conns, struct conn *conn)
{
	conn_wheel_remove(&conns->wheel, conn);
	forget(conns, conn, CONN_END_CLOSED);
}

static void push_out(struct conns *conns, struct conn *conn)
{
	__atomic_store_n(&conns->pushed_out, conns->pushed_out + 1, __ATOMIC_RELAXED);
	conn_wheel_remove(&conns->wheel, conn);
	forget(conns, conn, CONN_END_PUSHED_OUT);
}

/* The oldest of list; false where it has none. */
static bool push_out_first(struct conns *conns, const struct port_list *list)
{
	if (list == NULL || list->n == 0)
		return false;
	push_out(conns, at(conns, list->first));
	return true;
}

/* The port with the most that may be pushed out; first, where no other has more. NULL: none has
 * any. */
static const struct port_list *list_with_most(
	const struct conns *conns, uint32_t tenant, const struct port_list *first)
{
	const struct port_list *most = first;

	for (unsigned i = 0; i < MAX_PORTS; i++) {
		const struct port_list *list = &conns->ports[i];

		if (list->n > (most == NULL ? 0 : most->n) &&
			(tenant == ANY_TENANT || list->tenant == tenant))
			most = list;
	}
	return most;
}

/* push: others may have to go for it. */
static int take_quota(struct conns *conns, uint16_t port, uint16_t tenant, bool push)
{
	const struct port_list *own = &conns->ports[port], *most;

	if (!conn_quota_take_port(port) &&
		!(push && push_out_first(conns, own) && conn_quota_take_port(port)))
		return DROP_conn_limit_port;
	if (conn_quota_take_tenant(tenant))
		return -1;
	most = push ? list_with_most(conns, tenant, own->tenant == tenant ? own : NULL) : NULL;
	if (push_out_first(conns, most) && conn_quota_take_tenant(tenant))
		return -1;
	conn_quota_give_port(port);
	return DROP_conn_limit_tenant;
}

/* Of what shares buckets with view's key, one of the port with the most; where the key is there as
 * often as may be, one of its own. */
static bool push_out_rival(struct conns *conns, const struct conn_view *view)
{
	struct conn *rivals[CONN_RIVALS_MAX], *victim = NULL;
	unsigned n = conn_table_rivals(conns->table, view, rivals), legs = 0;

	for (unsigned i = 0; i < n; i++)
		legs += memcmp(&rivals[i]->key, &view->key, sizeof(view->key)) == 0;
	for (unsigned i = 0; i < n; i++) {
		struct conn *conn = rivals[i];

		if (!may_go(conn) || (legs >= CONN_LEGS_MAX && memcmp(&conn->key, &view->key,
								       sizeof(view->key)) != 0))
			continue;
		if (victim == NULL || list_of(conns, conn)->n > list_of(conns, victim)->n)
			victim = conn;
	}
	if (victim == NULL)
		return false;
	push_out(conns, victim);
	return true;
}

static struct conn *add(struct conns *conns, const struct conn_view *view, bool push)
{
	struct conn *conn = conn_table_add(conns->table, view);

	if (likely(conn != NULL) || !push)
		return conn;
	if (conn_table_used(conns->table) == conn_table_capacity(conns->table) &&
		!push_out_first(conns, list_with_most(conns, ANY_TENANT, NULL)))
		return NULL;
	conn = conn_table_add(conns->table, view);
	if (conn == NULL && push_out_rival(conns, view))
		conn = conn_table_add(conns->table, view);
	return conn;
}

static enum conn_state first_state(const struct conn_open *open)
{
	switch (open->view->key.proto) {
	case IPPROTO_TCP:
		return open->picked_up ? CONN_TCP_SYN_ACK : CONN_TCP_SYN;
	case IPPROTO_UDP:
		return CONN_UDP_FIRST;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return CONN_ICMP_FIRST;
	default:
		return CONN_OTHER_FIRST;
	}
}

static void fill_in(
	struct conns *conns, struct conn *conn, const struct conn_open *open, uint32_t now)
{
	unsigned sender = open->view->sender;

	conn_change_begin(conn);
	memcpy(conn->l2[sender], open->l2, sizeof(conn->l2[sender]));
	conn->port[0] = open->port[0];
	conn->port[1] = open->port[1];
	conn->service = open->view->service;
	conn->seen = now;
	conn->tenant = open->tenant;
	conn->generation = conns->generation;
	conn->flags = (open->opener ? CONN_OPENER : 0) | CONN_BOUND_0 << sender | CONN_NEW |
		      (open->picked_up ? CONN_PICKED_UP : 0);
	conn->state = first_state(open);
	conn_change_end(conn);
}

struct conn *conns_open(
	struct conns *conns, const struct conn_open *open, uint32_t now, enum drop_reason *reason)
{
	uint16_t port = open->port[open->opener];
	/* Taken over by its other side's packet: not at the cost of who is said to have opened it.
	 */
	bool turned = open->opener != open->view->sender;
	struct conn *conn;
	int why = conn_quota_meter(
		&conns->meters, open->port[open->view->sender], open->tenant, open->workers, now);

	if (why < 0)
		why = take_quota(conns, port, open->tenant, !turned);
	if (why >= 0) {
		*reason = (enum drop_reason)why;
		return NULL;
	}
	conn = add(conns, open->view, !turned);
	if (conn == NULL) {
		conn_quota_give_port(port);
		conn_quota_give_tenant(open->tenant);
		*reason = DROP_conn_table_full;
		return NULL;
	}
	fill_in(conns, conn, open, now);
	conns->ports[port].tenant = open->tenant;
	list_add(conns, conn, turned ? CONN_NONE_INDEX : conns->ports[port].last);
	file(conns, conn);
	return conn;
}

struct conn *conns_adopt(
	struct conns *conns, const struct conn *other, const struct conn_detail *detail)
{
	struct conn_view view = {.key = other->key, .hash = conn_key_hash(&other->key)};
	uint16_t port = other->port[opener_of(other)];
	struct conn *conn;

	conn = add(conns, &view, true);
	if (conn == NULL)
		return NULL;
	/* Until its former worker's is closed it counts twice, which may be over the limits. */
	conn_quota_add_port(port);
	conn_quota_add_tenant(other->tenant);
	conn_change_begin(conn);
	memcpy(conn->l2, other->l2, sizeof(conn->l2));
	memcpy(conn->port, other->port, sizeof(conn->port));
	memcpy(conn->epoch, other->epoch, sizeof(conn->epoch));
	conn->service = other->service;
	conn->seen = other->seen;
	conn->tenant = other->tenant;
	conn->generation = conns->generation;
	conn->flags = other->flags & (uint8_t)~CONN_FIRST; /* what is inspected stays behind */
	conn->state = other->state;
	*conn_table_detail(conns->table, conn) = *detail;
	conn_change_end(conn);
	conns->ports[port].tenant = other->tenant;
	if (may_go(conn))
		list_add(conns, conn, conns->ports[port].last);
	file(conns, conn);
	return conn;
}

/* Any protocol but TCP: by which sides have sent. */
static enum conn_state follow_datagram(const struct conn *conn, unsigned sender)
{
	const uint8_t both = CONN_BOUND_0 | CONN_BOUND_1;
	bool answered = ((conn->flags | CONN_BOUND_0 << sender) & both) == both;

	switch (conn->state) {
	case CONN_UDP_FIRST:
	case CONN_UDP_SINGLE:
		return answered ? CONN_UDP_MULTIPLE : CONN_UDP_SINGLE;
	case CONN_ICMP_FIRST:
		return answered ? CONN_ICMP_REPLIED : CONN_ICMP_FIRST;
	case CONN_OTHER_FIRST:
	case CONN_OTHER_SINGLE:
		return answered ? CONN_OTHER_MULTIPLE : CONN_OTHER_SINGLE;
	default:
		return conn->state;
	}
}

static void bind_direction(struct conn *conn, const struct rte_mbuf *m, unsigned sender)
{
	conn_change_begin(conn);
	memcpy(conn->l2[sender], rte_pktmbuf_mtod(m, const void *), sizeof(conn->l2[sender]));
	conn->flags |= CONN_BOUND_0 << sender;
	conn_change_end(conn);
}

void conns_deny(struct conns *conns, struct conn *conn, bool denied, uint32_t now)
{
	if (denied == !!(conn->flags & CONN_DENIED))
		return;
	if (may_go(conn))
		list_remove(conns, conn);
	conn_change_begin(conn);
	conn->flags ^= CONN_DENIED;
	conn->seen = now;
	conn_change_end(conn);
	if (may_go(conn))
		list_add(conns, conn, denied ? CONN_NONE_INDEX : list_of(conns, conn)->last);
	conn_wheel_remove(&conns->wheel, conn);
	file(conns, conn);
}

int conns_follow(struct conns *conns, struct conn *conn, const struct rte_mbuf *m,
	const struct packet *p, unsigned sender, uint32_t now, bool strict)
{
	const uint8_t notable = RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG;
	enum conn_state state = conn->state;

	if (conn->key.proto == IPPROTO_TCP) {
		if (unlikely(state != CONN_TCP_ESTABLISHED || p->tcp_flags & notable || strict))
			state = conn_tcp_follow(
				conn, conn_table_detail(conns->table, conn), m, p, sender, strict);
		if (unlikely(state == CONN_FREE))
			return DROP_tcp_invalid;
	} else if (likely(!(conn->flags & CONN_NEW))) {
		state = follow_datagram(conn, sender);
	}
	if (unlikely(!(conn->flags & CONN_BOUND_0 << sender)))
		bind_direction(conn, m, sender);
	if (unlikely(conn->flags & CONN_NEW))
		conn->flags &= (uint8_t)~CONN_NEW;
	if (unlikely(state != conn->state))
		set_state(conns, conn, state, now);
	else if (likely(state != CONN_TCP_CLOSED)) /* it goes, whatever still comes */
		conns_touch(conn, now);
	return -1;
}

bool conns_is_new_attempt(const struct conn *conn, const struct packet *p, unsigned sender)
{
	return conn->key.proto == IPPROTO_TCP &&
	       conn_tcp_is_new_attempt(conn, p->tcp_flags, sender);
}

bool conns_is_left_over(const struct conns *conns, const struct conn *conn)
{
	return conn->generation < conns->ports[conn->port[0]].closed_at ||
	       conn->generation < conns->ports[conn->port[1]].closed_at;
}

/* Goes on through the table: closes what is left over, files the others by today's timeouts. */
static void scan(struct conns *conns, unsigned budget)
{
	uint32_t capacity = conn_table_capacity(conns->table);

	if (conns->scan_at == 0)
		conns->scan_for = conns->generation;
	for (; budget > 0 && conns->scan_at < capacity; budget--, conns->scan_at++) {
		struct conn *conn = at(conns, conns->scan_at);

		if (conn->state == CONN_FREE)
			continue;
		conn_wheel_remove(&conns->wheel, conn);
		if (conns_is_left_over(conns, conn))
			forget(conns, conn, CONN_END_PORT);
		else
			file(conns, conn);
	}
	if (conns->scan_at == capacity) {
		conns->scanned = conns->scan_for;
		conns->scan_at = 0;
	}
}

bool conns_close_port(struct conns *conns, uint16_t port, unsigned budget)
{
	struct port_list *list = &conns->ports[port];

	if (!list->closing) {
		list->closing = true;
		list->closed_at = ++conns->generation;
	}
	if (budget > 0 && conns->scanned < list->closed_at)
		scan(conns, budget);
	list->closing = conns->scanned < list->closed_at;
	return list->closing;
}

bool conns_expire(struct conns *conns, uint32_t now, unsigned budget)
{
	uint64_t second = now / CONN_TICKS_PER_SECOND;
	struct conn *conn;

	if (unlikely(__atomic_load_n(&conns->timeouts_changed, __ATOMIC_RELAXED))) {
		__atomic_store_n(&conns->timeouts_changed, false, __ATOMIC_SEQ_CST);
		conns->scan_wanted = ++conns->generation;
	}
	if (unlikely(conns->scanned < conns->scan_wanted)) {
		scan(conns, (budget + 1) / 2);
		budget /= 2;
	}
	while ((conn = conn_wheel_next(&conns->wheel, second, &budget)) != NULL) {
		if (deadline(conns, conn) <= now)
			forget(conns, conn, CONN_END_TIMEOUT);
		else
			file(conns, conn);
	}
	return conn_wheel_is_behind(&conns->wheel, second) || conns->scanned < conns->scan_wanted;
}

void conns_set_timeouts(struct conns *conns, const struct conn_timeouts *timeouts)
{
	bool changed = false;

	for (unsigned i = 0; i < CONN_STATES; i++) {
		changed |= conns->timeouts[i] != timeouts->seconds[i];
		__atomic_store_n(&conns->timeouts[i], timeouts->seconds[i], __ATOMIC_RELAXED);
	}
	if (changed)
		__atomic_store_n(&conns->timeouts_changed, true, __ATOMIC_RELEASE);
}
