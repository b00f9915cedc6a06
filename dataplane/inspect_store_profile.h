/*
 * Profiles out of a tenant's configuration and its set. Control thread.
 */
#ifndef VS_INSPECT_STORE_PROFILE_H
#define VS_INSPECT_STORE_PROFILE_H

#include "inspect_store_state.h"

/*
 * For set (NULL: no database yet) and bind (NULL with it, and with one of no files); counts as a
 * user of both. hz: cycles a second. NULL: out of memory.
 */
struct store_profile *store_profile_create(const struct config_inspection *conf, uint16_t tenant,
	struct inspect_set *set, struct inspect_bind *bind, uint64_t hz);
void store_profile_free(struct store_profile *profile);

/* Whether workers would do the same by either. */
bool store_profile_same(const struct store_profile *a, const struct store_profile *b);

#endif
