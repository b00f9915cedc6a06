/*
 * One configuration in its three forms, from a document checked against the `vswitch:` section that
 * runs. Used by transaction.c; control thread only.
 */
#ifndef VS_TRANSACTION_STATE_H
#define VS_TRANSACTION_STATE_H

#include <stdbool.h>

#include <jansson.h>

#include "config.h"

struct transaction_state {
	json_t *document; /* as it was written, with the `vswitch:` section that runs */
	json_t *canonical; /* config_encode() of it */
	struct config *config;
};

/*
 * Checks doc and fills in state. vswitch: the section that runs, as written (NULL: the defaults);
 * doc's own is checked too, and a warning says where it differs. before: a state whose canonical
 * parts are shared where they are equal; NULL: none. False with errors in report; state is empty
 * then.
 */
bool transaction_state_make(struct transaction_state *state, const struct config_doc *doc,
	const json_t *vswitch, const struct transaction_state *before,
	struct config_report *report);

/* A state without networks and ports. */
bool transaction_state_empty(
	struct transaction_state *state, const json_t *vswitch, struct config_report *report);

/* Leaves it empty. */
void transaction_state_free(struct transaction_state *state);

#endif
