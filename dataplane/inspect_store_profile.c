#include "inspect_store_profile.h"

#include <stdlib.h>
#include <string.h>

static void fill(struct inspect_profile *profile, const struct config_inspection *conf, uint64_t hz)
{
	profile->prevent = conf->prevent;
	profile->exempt_servers = conf->exempt_servers;
	profile->level = (uint8_t)conf->level;
	profile->quarantine_s = conf->quarantine_s;
	for (unsigned i = 0; i < CONFIG_FAILURES; i++) {
		profile->on[i] = (uint8_t)conf->on[i];
		if (conf->on[i] == CONFIG_ON_PASS)
			profile->passes |= 1u << i;
	}
	memcpy(profile->services, conf->services, sizeof(profile->services));
	profile->n_services = conf->n_services;
	profile->memory = conf->memory;
	profile->packet_cycles = conf->packet_us * hz / 1000000;
	profile->port_percent = conf->port_percent;
	profile->tenant_percent = conf->tenant_percent;
	profile->fanout = conf->fanout;
	profile->n_allow = conf->n_allow;
	profile->n_exempt = conf->n_exempt_addresses;
}

struct store_profile *store_profile_create(const struct config_inspection *conf, uint16_t tenant,
	struct inspect_set *set, struct inspect_bind *bind, uint64_t hz)
{
	struct store_profile *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return NULL;
	fill(&made->profile, conf, hz);
	memcpy(made->allow, conf->allow, conf->n_allow * sizeof(made->allow[0]));
	made->profile.allow = made->allow;
	memcpy(made->exempt, conf->exempt_addresses,
		conf->n_exempt_addresses * sizeof(made->exempt[0]));
	made->profile.exempt = made->exempt;
	made->profile.tenant = tenant;
	made->set = set;
	made->bind = bind;
	if (set != NULL) {
		set->refs++;
		made->profile.revision = set->revision;
		memcpy(made->profile.engines, set->engines, sizeof(set->engines));
	}
	if (bind != NULL) {
		bind->refs++;
		bind->held = UINT32_MAX; /* by whom, the next ticks tell */
		made->profile.bind = bind->bind;
	}
	return made;
}

void store_profile_free(struct store_profile *profile)
{
	if (profile == NULL)
		return;
	if (profile->set != NULL)
		profile->set->refs--;
	if (profile->bind != NULL)
		profile->bind->refs--;
	free(profile);
}

bool store_profile_same(const struct store_profile *a, const struct store_profile *b)
{
	struct inspect_profile other = b->profile;

	/* Each has its own copy. What is padding was zeroed with the rest. */
	other.allow = a->profile.allow;
	other.exempt = a->profile.exempt;
	return memcmp(&a->profile, &other, sizeof(other)) == 0 &&
	       memcmp(a->allow, b->allow, sizeof(a->allow)) == 0 &&
	       memcmp(a->exempt, b->exempt, sizeof(a->exempt)) == 0;
}
