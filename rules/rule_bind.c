#include "rule_bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_PORTS 1024

struct suppression {
	enum rule_track track;
	struct rule_spans addresses;
};

struct bound {
	uint8_t action; /* enum rule_action */
	bool disabled, quarantines, by_sid, suppressible;
};

struct rule_bind {
	const struct ruleset *ruleset;
	struct rule_spans *spans[RULE_VARS_KINDS]; /* by number of expression */
	struct bound *rules; /* by index */
	struct suppression *suppressions;
	struct rule_override *suppressing; /* of each suppression; its texts are not kept */
	char **classes;
	unsigned n_suppressions;
};

static bool bind_expressions(struct rule_bind *bind, enum rule_vars_kind kind,
	const struct rule_vars *vars, char *reason, size_t size)
{
	uint16_t n = ruleset_expressions(bind->ruleset, kind);
	char why[RULE_REASON_MAX];

	bind->spans[kind] = calloc((size_t)n + 1, sizeof(*bind->spans[kind]));
	if (!bind->spans[kind]) {
		snprintf(reason, size, "out of memory");
		return false;
	}
	for (uint16_t i = 0; i < n; i++) {
		const char *text = ruleset_expression(bind->ruleset, kind, i);

		if (!rule_vars_resolve(vars, kind, text, &bind->spans[kind][i], why, sizeof(why))) {
			snprintf(reason, size, "%.60s: %s", text, why);
			return false;
		}
	}
	return true;
}

static bool concerns(const struct rule_override *override, const struct rule *rule)
{
	if (override->sid)
		return rule->sid == override->sid &&
		       rule->gid == (override->gid ? override->gid : 1);
	return override->classtype && strcmp(rule->classtype, override->classtype) == 0;
}

static void change(struct bound *bound, const struct rule_override *override)
{
	if (override->kind == RULE_OVERRIDE_SUPPRESS) {
		bound->suppressible = true;
		return;
	}
	if (bound->by_sid && !override->sid)
		return;
	bound->by_sid = override->sid != 0;
	bound->disabled = override->kind == RULE_OVERRIDE_DISABLE;
	bound->quarantines = override->kind == RULE_OVERRIDE_QUARANTINE;
	if (override->kind == RULE_OVERRIDE_ALERT)
		bound->action = RULE_ALERT;
	else if (override->kind != RULE_OVERRIDE_DISABLE)
		bound->action = RULE_DROP;
}

static bool add_suppression(struct rule_bind *bind, const struct rule_override *override,
	const struct rule_vars *vars, char *reason, size_t size)
{
	unsigned i = bind->n_suppressions++;
	char why[RULE_REASON_MAX];

	bind->suppressions[i].track = override->track;
	bind->suppressing[i] = *override;
	if (override->classtype) {
		bind->classes[i] = strdup(override->classtype);
		if (!bind->classes[i]) {
			snprintf(reason, size, "out of memory");
			return false;
		}
	}
	bind->suppressing[i].classtype = bind->classes[i];
	if (rule_vars_resolve(vars, RULE_VARS_ADDRESSES,
		    override->addresses ? override->addresses : "any",
		    &bind->suppressions[i].addresses, why, sizeof(why)))
		return true;
	snprintf(reason, size, "suppress: %s", why);
	return false;
}

static bool bind_overrides(struct rule_bind *bind, const struct rule_vars *vars,
	const struct rule_override *overrides, unsigned n, unsigned *unknown, char *reason,
	size_t size)
{
	uint32_t count = ruleset_count(bind->ruleset);

	for (unsigned i = 0; i < n; i++) {
		unsigned found = 0;

		if (overrides[i].sid) {
			const struct rule *rule = ruleset_find(bind->ruleset,
				overrides[i].gid ? overrides[i].gid : 1, overrides[i].sid);

			if (rule) {
				change(&bind->rules[rule->index], &overrides[i]);
				found++;
			}
		} else {
			for (uint32_t r = 0; r < count; r++)
				if (concerns(&overrides[i], ruleset_rule(bind->ruleset, r))) {
					change(&bind->rules[r], &overrides[i]);
					found++;
				}
		}
		*unknown += found == 0;
		if (overrides[i].kind == RULE_OVERRIDE_SUPPRESS &&
			!add_suppression(bind, &overrides[i], vars, reason, size))
			return false;
	}
	return true;
}

static bool allocate(struct rule_bind *bind, unsigned n)
{
	uint32_t count = ruleset_count(bind->ruleset);

	bind->rules = calloc((size_t)count + 1, sizeof(*bind->rules));
	bind->suppressions = calloc((size_t)n + 1, sizeof(*bind->suppressions));
	bind->suppressing = calloc((size_t)n + 1, sizeof(*bind->suppressing));
	bind->classes = calloc((size_t)n + 1, sizeof(*bind->classes));
	if (!bind->rules || !bind->suppressions || !bind->suppressing || !bind->classes)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct rule *rule = ruleset_rule(bind->ruleset, i);

		bind->rules[i].action = (uint8_t)rule->action;
		bind->rules[i].quarantines = rule->quarantines;
	}
	return true;
}

struct rule_bind *rule_bind_create(const struct ruleset *ruleset, const struct rule_vars *vars,
	const struct rule_override *overrides, unsigned n, unsigned *unknown, char *reason,
	size_t size)
{
	struct rule_bind *bind = calloc(1, sizeof(*bind));
	bool done;

	*unknown = 0;
	if (n > RULE_OVERRIDES_MAX) {
		snprintf(reason, size, "more than %d overrides", RULE_OVERRIDES_MAX);
		free(bind);
		return NULL;
	}
	if (bind)
		bind->ruleset = ruleset;
	if (!bind || !allocate(bind, n)) {
		snprintf(reason, size, "out of memory");
		rule_bind_free(bind);
		return NULL;
	}
	done = bind_expressions(bind, RULE_VARS_ADDRESSES, vars, reason, size) &&
	       bind_expressions(bind, RULE_VARS_PORTS, vars, reason, size) &&
	       bind_overrides(bind, vars, overrides, n, unknown, reason, size);
	if (!done) {
		rule_bind_free(bind);
		return NULL;
	}
	return bind;
}

void rule_bind_free(struct rule_bind *bind)
{
	if (!bind)
		return;
	for (int kind = 0; kind < RULE_VARS_KINDS; kind++) {
		uint16_t n = ruleset_expressions(bind->ruleset, kind);

		for (uint16_t i = 0; bind->spans[kind] && i < n; i++)
			rule_spans_free(&bind->spans[kind][i]);
		free(bind->spans[kind]);
	}
	for (unsigned i = 0; i < bind->n_suppressions; i++) {
		rule_spans_free(&bind->suppressions[i].addresses);
		free(bind->classes[i]);
	}
	free(bind->suppressions);
	free(bind->suppressing);
	free(bind->classes);
	free(bind->rules);
	free(bind);
}

static bool has(const struct rule_bind *bind, uint16_t expression, struct addr addr)
{
	return rule_spans_has(&bind->spans[RULE_VARS_ADDRESSES][expression], addr);
}

static bool has_port(const struct rule_bind *bind, uint16_t expression, uint16_t port)
{
	return rule_spans_has(
		&bind->spans[RULE_VARS_PORTS][expression], (struct addr){.low = port});
}

static bool fits(
	const struct rule_bind *bind, const struct rule *rule, const struct rule_ends *ends)
{
	return has_port(bind, rule->dst_ports, ends->dst_port) &&
	       has_port(bind, rule->src_ports, ends->src_port) && has(bind, rule->dst, ends->dst) &&
	       has(bind, rule->src, ends->src);
}

bool rule_bind_fits(
	const struct rule_bind *bind, const struct rule *rule, const struct rule_ends *ends)
{
	struct rule_ends turned = {ends->dst, ends->src, ends->dst_port, ends->src_port};

	return fits(bind, rule, ends) || (rule->both_ways && fits(bind, rule, &turned));
}

enum rule_action rule_bind_action(const struct rule_bind *bind, const struct rule *rule)
{
	return (enum rule_action)bind->rules[rule->index].action;
}

bool rule_bind_disabled(const struct rule_bind *bind, const struct rule *rule)
{
	return bind->rules[rule->index].disabled;
}

bool rule_bind_quarantines(const struct rule_bind *bind, const struct rule *rule)
{
	return bind->rules[rule->index].quarantines;
}

bool rule_bind_suppressed(
	const struct rule_bind *bind, const struct rule *rule, const struct rule_ends *ends)
{
	if (!bind->rules[rule->index].suppressible)
		return false;
	for (unsigned i = 0; i < bind->n_suppressions; i++) {
		const struct suppression *suppression = &bind->suppressions[i];
		bool src = suppression->track != RULE_TRACK_DST &&
			   rule_spans_has(&suppression->addresses, ends->src);
		bool dst = suppression->track != RULE_TRACK_SRC &&
			   rule_spans_has(&suppression->addresses, ends->dst);

		if (concerns(&bind->suppressing[i], rule) && (src || dst))
			return true;
	}
	return false;
}

/* Ports that clients have. */
static bool has_client(const struct rule_spans *ports)
{
	return ports->n > 0 && ports->spans[ports->n - 1].last.low >= CLIENT_PORTS;
}

bool rule_bind_reachable(
	const struct rule_bind *bind, const struct rule *rule, const uint16_t *ports, unsigned n)
{
	const struct rule_spans *addresses = bind->spans[RULE_VARS_ADDRESSES];
	const struct rule_spans *spans = bind->spans[RULE_VARS_PORTS];
	bool to_server = has_client(&spans[rule->src_ports]) &&
			 (!(rule->flow & RULE_TO_CLIENT) || rule->both_ways);
	bool to_client = has_client(&spans[rule->dst_ports]) &&
			 (!(rule->flow & RULE_TO_SERVER) || rule->both_ways);

	if (addresses[rule->src].n == 0 || addresses[rule->dst].n == 0 ||
		spans[rule->src_ports].n == 0 || spans[rule->dst_ports].n == 0)
		return false;
	if (rule->proto != RULE_TCP)
		return true;
	for (unsigned i = 0; i < n; i++)
		if ((to_server && has_port(bind, rule->dst_ports, ports[i])) ||
			(to_client && has_port(bind, rule->src_ports, ports[i])))
			return true;
	return false;
}
