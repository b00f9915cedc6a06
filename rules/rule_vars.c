#include "rule_vars.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_text.h"

struct rule_var {
	char *name, *value;
};

struct rule_vars {
	struct rule_var vars[RULE_VARS_KINDS][RULE_VARS_NAMES_MAX];
	unsigned n[RULE_VARS_KINDS];
};

struct resolving {
	const struct rule_vars *vars;
	enum rule_vars_kind kind;
	char *reason;
	size_t size;
	unsigned steps; /* elements seen: variables in variables multiply */
};

/* What the elements of a list, and of the lists in it, come to. */
struct sums {
	struct rule_spans with, without;
	bool any_with; /* a list of negated elements alone starts from everything */
};

static const char *const kind_names[] = {"address", "port"};

static const char *const default_addresses[][2] = {
	{"HOME_NET", "any"},
	{"EXTERNAL_NET", "any"},
	{"HTTP_SERVERS", "$HOME_NET"},
	{"SMTP_SERVERS", "$HOME_NET"},
	{"SQL_SERVERS", "$HOME_NET"},
	{"DNS_SERVERS", "$HOME_NET"},
	{"TELNET_SERVERS", "$HOME_NET"},
	{"AIM_SERVERS", "$EXTERNAL_NET"},
	{"DC_SERVERS", "$HOME_NET"},
	{"DNP3_SERVER", "$HOME_NET"},
	{"DNP3_CLIENT", "$HOME_NET"},
	{"MODBUS_CLIENT", "$HOME_NET"},
	{"MODBUS_SERVER", "$HOME_NET"},
	{"ENIP_CLIENT", "$HOME_NET"},
	{"ENIP_SERVER", "$HOME_NET"},
};

static const char *const default_ports[][2] = {
	{"HTTP_PORTS", "80"},
	{"SHELLCODE_PORTS", "!80"},
	{"ORACLE_PORTS", "1521"},
	{"SSH_PORTS", "22"},
	{"DNP3_PORTS", "20000"},
	{"MODBUS_PORTS", "502"},
	{"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"},
	{"FTP_PORTS", "21"},
	{"GENEVE_PORTS", "6081"},
	{"VXLAN_PORTS", "4789"},
	{"TEREDO_PORTS", "3544"},
};

static bool fail(struct resolving *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool fail(struct resolving *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, r->size, format, args);
	va_end(args);
	return false;
}

static bool put(
	struct rule_vars *vars, enum rule_vars_kind kind, const char *name, const char *value)
{
	struct rule_var *var = vars->vars[kind], new = {strdup(name), strdup(value)};
	unsigned i = 0;

	while (i < vars->n[kind] && strcmp(var[i].name, name) != 0)
		i++;
	if (!new.name || !new.value || i == RULE_VARS_NAMES_MAX) {
		free(new.name);
		free(new.value);
		return false;
	}
	if (i < vars->n[kind]) {
		free(var[i].name);
		free(var[i].value);
	} else {
		vars->n[kind]++;
	}
	var[i] = new;
	return true;
}

struct rule_vars *rule_vars_create(void)
{
	struct rule_vars *vars = calloc(1, sizeof(*vars));
	bool done = vars != NULL;

	for (size_t i = 0; done && i < sizeof(default_addresses) / sizeof(*default_addresses); i++)
		done = put(vars, RULE_VARS_ADDRESSES, default_addresses[i][0],
			default_addresses[i][1]);
	for (size_t i = 0; done && i < sizeof(default_ports) / sizeof(*default_ports); i++)
		done = put(vars, RULE_VARS_PORTS, default_ports[i][0], default_ports[i][1]);
	if (!done) {
		rule_vars_free(vars);
		return NULL;
	}
	return vars;
}

struct rule_vars *rule_vars_copy(const struct rule_vars *vars)
{
	struct rule_vars *copy = calloc(1, sizeof(*copy));

	for (int kind = 0; copy && kind < RULE_VARS_KINDS; kind++)
		for (unsigned i = 0; i < vars->n[kind]; i++)
			if (!put(copy, kind, vars->vars[kind][i].name, vars->vars[kind][i].value)) {
				rule_vars_free(copy);
				return NULL;
			}
	return copy;
}

void rule_vars_free(struct rule_vars *vars)
{
	if (!vars)
		return;
	for (int kind = 0; kind < RULE_VARS_KINDS; kind++)
		for (unsigned i = 0; i < vars->n[kind]; i++) {
			free(vars->vars[kind][i].name);
			free(vars->vars[kind][i].value);
		}
	free(vars);
}

const char *rule_vars_get(
	const struct rule_vars *vars, enum rule_vars_kind kind, const char *name, size_t n)
{
	for (unsigned i = 0; i < vars->n[kind]; i++)
		if (strlen(vars->vars[kind][i].name) == n &&
			memcmp(vars->vars[kind][i].name, name, n) == 0)
			return vars->vars[kind][i].value;
	return NULL;
}

bool rule_vars_set(struct rule_vars *vars, enum rule_vars_kind kind, const char *name,
	const char *value, char *reason, size_t size)
{
	struct resolving r = {vars, kind, reason, size, 0};
	struct rule_spans set = {0};
	const char *old = rule_vars_get(vars, kind, name, strlen(name));
	char *kept = old ? strdup(old) : NULL;
	bool done = false;

	if (!rule_text_is_name(rule_text_of(name)))
		fail(&r, "\"%.60s\" is no name of a variable", name);
	else if (old && !kept)
		fail(&r, "out of memory");
	else if (!old && vars->n[kind] == RULE_VARS_NAMES_MAX)
		fail(&r, "more than %d variables", RULE_VARS_NAMES_MAX);
	else if (!put(vars, kind, name, value))
		fail(&r, "out of memory");
	else
		done = rule_vars_resolve(vars, kind, value, &set, reason, size);
	rule_spans_free(&set);
	if (!done && rule_vars_get(vars, kind, name, strlen(name)) != old && kept) {
		put(vars, kind, name, kept);
	} else if (!done && !old && vars->n[kind] > 0 &&
		   strcmp(vars->vars[kind][vars->n[kind] - 1].name, name) == 0) {
		struct rule_var *last = &vars->vars[kind][--vars->n[kind]];

		free(last->name);
		free(last->value);
	}
	free(kept);
	return done;
}

static bool parse_ports(struct rule_text text, struct addr_span *span)
{
	struct rule_text rest = text, part;
	int64_t first = 0, last = 65535;

	rule_text_next(&rest, ':', &part);
	if (!rest.s) {
		if (!rule_text_number(part, 0, 65535, &first))
			return false;
		last = first;
	} else {
		rest = rule_text_trim(rest);
		if ((part.n == 0 && rest.n == 0) ||
			(part.n > 0 && !rule_text_number(part, 0, 65535, &first)) ||
			(rest.n > 0 && !rule_text_number(rest, first, 65535, &last)))
			return false;
	}
	*span = (struct addr_span){{0, (uint64_t)first}, {0, (uint64_t)last}};
	return true;
}

static struct addr_span everything(enum rule_vars_kind kind)
{
	struct addr_span all = {{0, 0}, {0, 65535}};

	if (kind == RULE_VARS_ADDRESSES)
		all.last = (struct addr){UINT64_MAX, UINT64_MAX};
	return all;
}

static bool resolve_literal(struct resolving *r, struct rule_text text, struct rule_spans *set)
{
	char copy[2 * ADDR_TEXT_MAX + 2];
	struct addr_span span, parts[2];
	unsigned n = 1;

	if (rule_text_is_nocase(text, "any"))
		return rule_spans_add(set, everything(r->kind)) || fail(r, "out of memory");
	if (r->kind == RULE_VARS_PORTS) {
		if (!parse_ports(text, &parts[0]))
			return fail(r,
				"\"%.*s\" is no port: a number up to 65535, a span like 1024:2048 "
				"or any is right",
				RULE_TEXT_ARG(text));
	} else {
		snprintf(copy, sizeof(copy), "%.*s", (int)(text.n < 99 ? text.n : 99), text.s);
		if (!addr_span_parse(copy, &span))
			return fail(r,
				"\"%.*s\" is no address: 10.0.0.1, 10.0.0.0/8, "
				"10.0.0.1-10.0.0.9, their like in IPv6 or any is right",
				RULE_TEXT_ARG(text));
		n = addr_is_ipv4(span.first) ? 1 : addr_span_split(span, 6, parts);
		if (addr_is_ipv4(span.first))
			parts[0] = span;
	}
	for (unsigned i = 0; i < n; i++)
		if (!rule_spans_add(set, parts[i]))
			return fail(r, "out of memory");
	return true;
}

static bool resolve_whole(
	struct resolving *r, struct rule_text text, unsigned depth, struct rule_spans *set);
static bool sum_element(
	struct resolving *r, struct rule_text text, unsigned depth, struct sums *sums);

/* Cuts at commas that are in no inner list. */
static bool sum_list(struct resolving *r, struct rule_text text, unsigned depth, struct sums *sums)
{
	struct rule_text part = {text.s, 0};
	int open = 0;

	for (size_t i = 0; i <= text.n; i++) {
		if (i < text.n && (text.s[i] != ',' || open > 0)) {
			open += (text.s[i] == '[') - (text.s[i] == ']');
			part.n++;
			continue;
		}
		if (!sum_element(r, rule_text_trim(part), depth, sums))
			return false;
		part = (struct rule_text){text.s + i + 1, 0};
	}
	return true;
}

static bool sum_element(
	struct resolving *r, struct rule_text text, unsigned depth, struct sums *sums)
{
	bool negated = rule_text_negated(&text);

	if (depth > RULE_EXPR_DEPTH)
		return fail(r, "lists and variables are nested more than %d deep", RULE_EXPR_DEPTH);
	if (++r->steps > RULE_EXPR_SPANS || sums->with.n + sums->without.n > RULE_EXPR_SPANS)
		return fail(r, "more than %d parts", RULE_EXPR_SPANS);
	if (text.n == 0)
		return fail(r, "an empty %s", kind_names[r->kind]);
	if (negated)
		return resolve_whole(r, text, depth + 1, &sums->without);
	if (text.s[0] == '[') {
		if (text.s[text.n - 1] != ']')
			return fail(r, "\"%.*s\" lacks its ]", RULE_TEXT_ARG(text));
		return sum_list(r, (struct rule_text){text.s + 1, text.n - 2}, depth + 1, sums);
	}
	if (text.s[0] == '$') {
		const char *value = rule_vars_get(r->vars, r->kind, text.s + 1, text.n - 1);

		if (!value)
			return fail(r, "%s variable %.*s is not defined", kind_names[r->kind],
				RULE_TEXT_ARG(text));
		return sum_element(r, rule_text_trim(rule_text_of(value)), depth + 1, sums);
	}
	sums->any_with = true;
	return resolve_literal(r, text, &sums->with);
}

static bool resolve_whole(
	struct resolving *r, struct rule_text text, unsigned depth, struct rule_spans *set)
{
	struct sums sums = {0};
	bool done = sum_element(r, text, depth, &sums);

	if (done && !sums.any_with)
		done = rule_spans_add(&sums.with, everything(r->kind)) || fail(r, "out of memory");
	if (done) {
		rule_spans_settle(&sums.with);
		rule_spans_settle(&sums.without);
		done = (rule_spans_subtract(&sums.with, &sums.without) &&
			       rule_spans_add_all(set, &sums.with)) ||
		       fail(r, "out of memory");
	}
	rule_spans_free(&sums.with);
	rule_spans_free(&sums.without);
	return done;
}

bool rule_vars_resolve(const struct rule_vars *vars, enum rule_vars_kind kind, const char *text,
	struct rule_spans *set, char *reason, size_t size)
{
	struct resolving r = {vars, kind, reason, size, 0};

	if (strlen(text) > RULE_EXPR_MAX)
		return fail(&r, "longer than %d characters", RULE_EXPR_MAX);
	if (!resolve_whole(&r, rule_text_trim(rule_text_of(text)), 0, set))
		return false;
	rule_spans_settle(set);
	return true;
}
