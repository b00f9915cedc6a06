#include "config_bond.h"

#include <stdio.h>
#include <string.h>

#include "config_check_rule.h"
#include "config_types.h"
#include "config_uplinks.h"

static bool has_primary(const void *object)
{
	return ((const struct config_bond *)object)->primary[0];
}

static const char *const mode_choices[] = {"active-backup", "lacp", NULL};

/* clang-format off */

static const struct config_field bond_fields[] = {
	{.name = "mode", .type = &config_type_choice, .choices = mode_choices, .required = true,
		.value = CONFIG_BOND_ACTIVE_BACKUP, CONFIG_AT(struct config_bond, mode),
		.help = "active-backup or lacp"},
	{.name = "members", .type = &config_type_device, .max = CONFIG_DEVICE_MAX, .required = true,
		CONFIG_LIST(struct config_bond, members, n_members),
		.help = "a list of devices, such as [\"0000:3b:00.0\", \"0000:3b:00.1\"]"},
	{.name = "primary", .type = &config_type_device, .max = CONFIG_DEVICE_MAX,
		CONFIG_AT(struct config_bond, primary), .present = has_primary,
		.help = "the member that is used while it has a link"},
	{0},
};

/* clang-format on */

const struct config_table config_fields_bond = {"a bond", bond_fields, NULL};

static bool is_member(const struct config_bond *bond, const char *device)
{
	for (unsigned i = 0; i < bond->n_members; i++)
		if (strcmp(bond->members[i], device) == 0)
			return true;
	return false;
}

void config_bond_check(struct config_context *context, const struct config_bond *bond)
{
	char member[32];

	if (bond->n_members == 0)
		config_check_error(context, "bond.members",
			"has none: list the devices that the uplink uses as one");
	for (unsigned i = 0; i < bond->n_members; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (!config_device_same(bond->members[i], bond->members[j]))
				continue;
			snprintf(member, sizeof(member), "bond.members[%u]", i);
			config_check_error(context, member,
				"is the same device as member %u: give each once, virtual devices "
				"with names of their own, such as net_ring0 and net_ring1",
				j);
		}
	}
	if (!bond->primary[0])
		return;
	if (bond->mode != CONFIG_BOND_ACTIVE_BACKUP)
		config_check_error(context, "bond.primary",
			"is for mode active-backup: with lacp all members are used");
	else if (!is_member(bond, bond->primary))
		config_check_error(context, "bond.primary",
			"is none of the members: write it as it is listed there");
}
