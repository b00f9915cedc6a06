/*
 * What vswitchd starts from: the configuration file, its `vswitch:` section, and what is wrong with
 * it. Part of transaction.c; control thread only.
 */
#ifndef VS_TRANSACTION_BOOT_H
#define VS_TRANSACTION_BOOT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "transaction_state.h"

struct transaction_boot {
	char file[512]; /* empty: none was given */
	json_t *section; /* `vswitch:` as the file has it; NULL: none, or a broken one */
	struct transaction_state file_state; /* what the file says; empty: it is broken */
	struct transaction_state empty; /* no networks and ports, with that section */
	char why[640]; /* why the file cannot be used; empty: it can */
};

/* Reads file (NULL or "": none). False: out of memory. */
bool transaction_boot_read(struct transaction_boot *boot, const char *file);

void transaction_boot_free(struct transaction_boot *boot);

/*
 * The canonical document of text called name (NULL: of the file as it is now), with its own
 * `vswitch:` section if it has one. NULL with errors in report.
 */
json_t *transaction_boot_canonical(const struct transaction_boot *boot, const char *name,
	const char *text, size_t len, struct config_report *report);

/* The report's first error on one line, and how many more there are. */
void transaction_boot_first_error(const struct config_report *report, char *text, size_t len);

/* Every message of the report into the log. */
void transaction_boot_log(const struct config_report *report);

#endif
