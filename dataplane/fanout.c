#include "fanout.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_random.h>

#include "fanout_targets.h"

#define SLOTS 8 /* parts of a window that attempts are counted in */
#define NIL   FANOUT_NIL

_Static_assert(FANOUT_PORTS < NIL, "16 bits number them");

/* The targets of one port. */
struct table {
	struct fanout_targets targets;
	uint16_t port; /* NO_PORT: nobody's */
	uint16_t older, newer; /* among those in use; newer also links the free ones */
};

struct fanout_port {
	uint32_t serial;
	uint16_t table; /* NIL: no targets */
	bool was_told[FANOUT_WORM + 1];
	uint64_t told[FANOUT_WORM + 1]; /* when */
	uint64_t slot; /* number of the newest one of: */
	uint16_t attempts[SLOTS];
};

struct fanout {
	uint64_t hz;
	uint16_t oldest, newest; /* tables in use, by when their port was heard of last */
	uint16_t free;
	uint16_t cursor; /* of fanout_expire() */
	struct fanout_port ports[MAX_PORTS];
	struct table tables[FANOUT_PORTS];
};

/* A port at hand. */
struct view {
	struct fanout *fanout;
	struct fanout_port *port;
	struct table *table; /* NULL: it has no targets */
	uint64_t window, answer; /* cycles */
	uint64_t now;
};

struct fanout *fanout_create(uint64_t hz)
{
	struct fanout *fanout = calloc(1, sizeof(*fanout));

	if (fanout == NULL)
		return NULL;
	fanout->hz = hz;
	fanout->oldest = fanout->newest = NIL;
	for (unsigned i = 0; i < MAX_PORTS; i++)
		fanout->ports[i].table = NIL;
	for (unsigned i = 0; i < FANOUT_PORTS; i++) {
		fanout_targets_init(&fanout->tables[i].targets, rte_rand());
		fanout->tables[i].port = NO_PORT;
		fanout->tables[i].newer = i + 1 < FANOUT_PORTS ? i + 1 : NIL;
	}
	return fanout;
}

void fanout_free(struct fanout *fanout)
{
	free(fanout);
}

/* -- tables in use -- */

static void table_unlink(struct fanout *f, const struct table *table)
{
	if (table->older != NIL)
		f->tables[table->older].newer = table->newer;
	else
		f->oldest = table->newer;
	if (table->newer != NIL)
		f->tables[table->newer].older = table->older;
	else
		f->newest = table->older;
}

static void table_append(struct fanout *f, struct table *table)
{
	uint16_t index = table - f->tables;

	table->older = f->newest;
	table->newer = NIL;
	if (f->newest != NIL)
		f->tables[f->newest].newer = index;
	else
		f->oldest = index;
	f->newest = index;
}

static void table_give(struct fanout *f, struct table *table)
{
	f->ports[table->port].table = NIL;
	table_unlink(f, table);
	if (!fanout_targets_empty(&table->targets))
		fanout_targets_init(&table->targets, rte_rand());
	table->port = NO_PORT;
	table->newer = f->free;
	f->free = table - f->tables;
}

/* For v's port, which has none. NULL: none is free, and a lookup takes nobody's away. */
static struct table *table_take(struct view *v, bool lookup)
{
	struct fanout *f = v->fanout;
	struct table *table;

	if (f->free == NIL && lookup)
		return NULL;
	if (f->free == NIL)
		table_give(f, &f->tables[f->oldest]);
	table = &f->tables[f->free];
	f->free = table->newer;
	table->port = v->port - f->ports;
	table_append(f, table);
	v->port->table = table - f->tables;
	return table;
}

/* -- what happens to targets -- */

/* Attempts count in slots of a part of the window each. Where the window has become another, slots
 * have other numbers, and what was counted is forgotten. */
static void slots_advance(struct view *v)
{
	struct fanout_port *port = v->port;
	uint64_t slot = v->now / (v->window / SLOTS), ahead = slot - port->slot;

	if (ahead >= SLOTS)
		memset(port->attempts, 0, sizeof(port->attempts));
	for (uint64_t i = 1; i <= ahead && ahead < SLOTS; i++)
		port->attempts[(port->slot + i) % SLOTS] = 0;
	port->slot = slot;
}

/* when: not after now */
static void attempts_add(struct view *v, uint64_t when, unsigned n)
{
	uint64_t slot = when / (v->window / SLOTS);
	uint16_t *count = &v->port->attempts[slot % SLOTS];

	if (v->port->slot - slot < SLOTS)
		*count = RTE_MIN(*count + n, (unsigned)UINT16_MAX);
}

static void fail(struct view *v, struct fanout_target *target, uint64_t when)
{
	if (target->service)
		attempts_add(v, when, target->tries);
	fanout_target_change(&v->table->targets, target, FANOUT_FAILED, when);
}

static bool is_over(const struct view *v, const struct fanout_target *target, uint64_t span)
{
	return (int64_t)(v->now - target->since) >= (int64_t)span;
}

/* The one whose answer is due next, of both kinds: they fail in the order of time. */
static struct fanout_target *next_due(const struct view *v)
{
	struct fanout_target *a = fanout_target_oldest(&v->table->targets, FANOUT_LOOKING);
	struct fanout_target *b = fanout_target_oldest(&v->table->targets, FANOUT_TRYING);

	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	return (int64_t)(a->since - b->since) <= 0 ? a : b;
}

/* Brings the port up to now. A target is touched twice in its life, so this is cheap on average;
 * all FANOUT_TARGETS of them at once is the worst. */
static void advance(struct view *v)
{
	struct fanout_target *target;

	slots_advance(v);
	if (v->table == NULL)
		return;
	while ((target = next_due(v)) != NULL && is_over(v, target, v->answer))
		fail(v, target, target->since + v->answer);
	for (unsigned kind = FANOUT_OPEN; kind < FANOUT_KINDS; kind++)
		while ((target = fanout_target_oldest(&v->table->targets, kind)) != NULL &&
			is_over(v, target, v->window))
			fanout_target_drop(&v->table->targets, target);
}

/* A new target; where there is no room for it, none. */
static void add(struct view *v, struct addr addr, enum fanout_kind kind)
{
	struct fanout_target *target;

	if (v->table == NULL)
		v->table = table_take(v, kind == FANOUT_LOOKING);
	if (v->table == NULL)
		return;
	target = fanout_target_add(&v->table->targets, addr, kind, v->now);
	if (target != NULL)
		target->tries = 1;
}

static void on_attempt(struct view *v, struct fanout_target *target, struct addr addr)
{
	if (target == NULL) {
		add(v, addr, FANOUT_TRYING);
	} else if (target->kind == FANOUT_LOOKING) {
		fanout_target_serves(&v->table->targets, target);
		target->tries = 1;
		fanout_target_change(&v->table->targets, target, FANOUT_TRYING, v->now);
	} else if (target->kind == FANOUT_TRYING) {
		target->tries = RTE_MIN(target->tries + 1, UINT8_MAX);
	} else if (target->kind == FANOUT_FAILED) {
		fanout_target_serves(&v->table->targets, target);
		attempts_add(v, v->now, 1);
	}
}

static void on_lookup(struct view *v, const struct fanout_target *target, struct addr addr)
{
	if (target == NULL)
		add(v, addr, FANOUT_LOOKING);
}

static void on_detected(struct view *v, struct fanout_target *target, struct addr addr)
{
	if (target == NULL) {
		add(v, addr, FANOUT_MARKED);
	} else if (target->kind != FANOUT_MARKED) {
		fanout_target_serves(&v->table->targets, target);
		fanout_target_change(&v->table->targets, target, FANOUT_MARKED, v->now);
	}
}

/* What comes back from, or about, a target. */
static void on_reply(struct view *v, struct fanout_target *target, enum fanout_event event)
{
	bool waits = target->kind == FANOUT_LOOKING || target->kind == FANOUT_TRYING;

	if (event == FANOUT_FOUND) {
		if (!target->service)
			fanout_target_drop(&v->table->targets, target);
	} else if (event == FANOUT_REFUSED) {
		if (waits)
			fail(v, target, v->now);
	} else if (target->service && (waits || target->kind == FANOUT_FAILED)) {
		fanout_target_change(&v->table->targets, target, FANOUT_OPEN, v->now);
	}
}

static void take_in(struct view *v, const struct fanout_message *message)
{
	struct fanout_target *target =
		v->table == NULL ? NULL : fanout_target_find(&v->table->targets, message->target);

	switch (message->event) {
	case FANOUT_ATTEMPT:
		on_attempt(v, target, message->target);
		break;
	case FANOUT_LOOKUP:
		on_lookup(v, target, message->target);
		break;
	case FANOUT_DETECTED:
		on_detected(v, target, message->target);
		break;
	case FANOUT_ANSWERED:
	case FANOUT_FOUND:
	case FANOUT_REFUSED:
		if (target != NULL)
			on_reply(v, target, message->event);
		break;
	}
}

/* -- what it comes to -- */

static void count(
	const struct fanout_port *port, const struct table *table, struct fanout_counts *counts)
{
	*counts = (struct fanout_counts){0};
	for (unsigned i = 0; i < SLOTS; i++)
		counts->attempts += port->attempts[i];
	if (table == NULL)
		return;
	for (unsigned kind = FANOUT_TRYING; kind < FANOUT_KINDS; kind++)
		counts->hosts += table->targets.lists[kind].count;
	counts->failed_hosts = table->targets.lists[FANOUT_FAILED].count;
	counts->detected_hosts = table->targets.lists[FANOUT_MARKED].count;
}

static unsigned share(unsigned limit, bool half)
{
	return half ? limit / 2 + limit % 2 : limit;
}

/*
 * Whether counts come to the limits, or to half of them. unresolved: hosts without a SYN. Whoever
 * sends to a guest from addresses where nobody lives has it look those up: so that no stranger
 * makes a worm of it, they count for the whole only as often as its own SYNs have failed.
 */
static bool reaches(const struct fanout_counts *counts, unsigned unresolved,
	const struct config_fanout *limits, bool half)
{
	unsigned tried = counts->hosts - unresolved, in_vain = counts->failed_hosts - unresolved;
	unsigned looked_up = half ? unresolved : RTE_MIN(unresolved, in_vain);
	unsigned all = tried + looked_up, failed = in_vain + looked_up;
	unsigned hosts = share(RTE_MIN(limits->hosts, FANOUT_TARGETS), half);
	unsigned detected = share(RTE_MIN(limits->detected, FANOUT_TARGETS), half);
	unsigned attempts = share(limits->attempts, half);

	if (detected > 0 && counts->detected_hosts >= detected)
		return true;
	if (tried == 0)
		return false;
	if (hosts > 0 && all >= hosts &&
		(uint64_t)failed * 100 >= (uint64_t)all * limits->failed_percent)
		return true;
	return attempts > 0 && counts->attempts >= attempts &&
	       failed >= share(limits->failed, half);
}

static bool told_lately(const struct view *v, enum fanout_state state)
{
	return v->port->was_told[state] &&
	       (int64_t)(v->now - v->port->told[state]) < (int64_t)v->window;
}

/* What is to be told of the port now. */
static enum fanout_state judge(struct view *v, const struct config_fanout *limits)
{
	unsigned unresolved = v->table == NULL ? 0 : v->table->targets.unresolved;
	enum fanout_state state = FANOUT_QUIET;
	struct fanout_counts counts;

	count(v->port, v->table, &counts);
	if (reaches(&counts, unresolved, limits, false))
		state = FANOUT_WORM;
	else if (reaches(&counts, unresolved, limits, true))
		state = FANOUT_ALERT;
	if (state == FANOUT_QUIET || told_lately(v, FANOUT_WORM) || told_lately(v, state))
		return FANOUT_QUIET;
	v->port->was_told[state] = true;
	v->port->told[state] = v->now;
	return state;
}

static struct view view_of(
	struct fanout *f, uint16_t port, const struct config_fanout *limits, uint64_t now)
{
	struct fanout_port *p = &f->ports[port];

	return (struct view){
		.fanout = f,
		.port = p,
		.table = p->table == NIL ? NULL : &f->tables[p->table],
		.window = f->hz * RTE_MAX(limits->window_s, 1u),
		.answer = f->hz * FANOUT_ANSWER_S,
		.now = now,
	};
}

/* A table without targets is the next port's. */
static void settle(struct view *v)
{
	if (v->table != NULL && fanout_targets_empty(&v->table->targets))
		table_give(v->fanout, v->table);
}

/* False where the message is of a port that had the id before. */
static bool is_current(struct fanout *f, struct fanout_port *port, uint32_t serial)
{
	if ((int32_t)(serial - port->serial) < 0)
		return false;
	if (serial != port->serial) {
		if (port->table != NIL)
			table_give(f, &f->tables[port->table]);
		*port = (struct fanout_port){.serial = serial, .table = NIL};
	}
	return true;
}

enum fanout_state fanout_note(struct fanout *fanout, const struct fanout_message *message,
	const struct config_fanout *limits, uint64_t now)
{
	enum fanout_state state;
	struct view v;

	if (!limits->on || message->port >= MAX_PORTS ||
		!is_current(fanout, &fanout->ports[message->port], message->serial))
		return FANOUT_QUIET;
	v = view_of(fanout, message->port, limits, now);
	advance(&v);
	take_in(&v, message);
	if (v.table != NULL) {
		table_unlink(fanout, v.table);
		table_append(fanout, v.table);
	}
	state = judge(&v, limits);
	settle(&v);
	return state;
}

static void expire_port(struct fanout *f, struct table *table, uint64_t now,
	fanout_limits_fn *limits_of, fanout_told_fn *told, void *arg)
{
	uint16_t port = table->port;
	const struct config_fanout *limits = limits_of(arg, port, f->ports[port].serial);
	enum fanout_state state;
	struct view v;

	if (limits == NULL || !limits->on) {
		table_give(f, table);
		return;
	}
	v = view_of(f, port, limits, now);
	advance(&v);
	state = judge(&v, limits);
	if (state != FANOUT_QUIET)
		told(arg, port, state);
	settle(&v);
}

bool fanout_expire(struct fanout *fanout, uint64_t now, unsigned budget,
	fanout_limits_fn *limits_of, fanout_told_fn *told, void *arg)
{
	for (; fanout->cursor < FANOUT_PORTS; fanout->cursor++) {
		struct table *table = &fanout->tables[fanout->cursor];

		if (table->port == NO_PORT)
			continue;
		if (budget-- == 0)
			return true;
		expire_port(fanout, table, now, limits_of, told, arg);
	}
	fanout->cursor = 0;
	return false;
}

void fanout_counts(const struct fanout *fanout, uint16_t port, struct fanout_counts *counts)
{
	const struct fanout_port *p = &fanout->ports[port];

	count(p, p->table == NIL ? NULL : &fanout->tables[p->table], counts);
}
