#include "config_vars.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum rule_vars_kind config_vars_kind(const char *name)
{
	static const char *const ends[] = {"PORT", "PORTS"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (len >= strlen(ends[i]) && !strcmp(name + len - strlen(ends[i]), ends[i]))
			return RULE_VARS_PORTS;
	return RULE_VARS_ADDRESSES;
}

/* Whether text names the variable: "$NAME", and the name ends there. */
static bool names(const char *text, const char *name)
{
	size_t len = strlen(name);

	while ((text = strchr(text, '$'))) {
		text++;
		if (!strncmp(text, name, len) && !isalnum((unsigned char)text[len]) &&
			!(text[len] && strchr("_.-", text[len])))
			return true;
	}
	return false;
}

/* Whether the i-th variable names one that is not set yet; itself too. */
static bool waits(const struct config_inspection *inspection, const bool *set, unsigned i)
{
	for (unsigned j = 0; j < inspection->n_variables; j++)
		if (!set[j] && names(inspection->variables[i].value, inspection->variables[j].name))
			return true;
	return false;
}

/* The next variable to set; n_variables: those that are left name each other in a ring. */
static unsigned next_one(const struct config_inspection *inspection, const bool *set)
{
	unsigned i = 0;

	while (i < inspection->n_variables && (set[i] || waits(inspection, set, i)))
		i++;
	return i;
}

static unsigned first_left(const struct config_inspection *inspection, const bool *set)
{
	unsigned i = 0;

	while (i < inspection->n_variables && set[i])
		i++;
	return i;
}

struct rule_vars *config_vars_create(
	const struct config_inspection *inspection, unsigned *at, char *reason, size_t size)
{
	struct rule_vars *vars = rule_vars_create();
	bool set[CONFIG_VARIABLES_MAX] = {false};

	for (unsigned n = 0; vars && n < inspection->n_variables; n++) {
		const struct config_variable *variable;

		*at = next_one(inspection, set);
		if (*at == inspection->n_variables) {
			*at = first_left(inspection, set);
			snprintf(reason, size, "is defined by itself: give addresses or ports");
			rule_vars_free(vars);
			return NULL;
		}
		variable = &inspection->variables[*at];
		set[*at] = true;
		if (!rule_vars_set(vars, config_vars_kind(variable->name), variable->name,
			    variable->value, reason, size)) {
			rule_vars_free(vars);
			return NULL;
		}
	}
	if (!vars) {
		*at = inspection->n_variables;
		snprintf(reason, size, "out of memory");
	}
	return vars;
}
