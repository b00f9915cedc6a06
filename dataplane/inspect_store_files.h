/*
 * The files that one set of rules is made of: which they are, what stands in them. One thread has
 * one at a time, control or compiler; nothing here is shared between them.
 */
#ifndef VS_INSPECT_STORE_FILES_H
#define VS_INSPECT_STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "rule_names.h"
#include "rule_report.h"
#include "rule_vars.h"
#include "ruleset.h"

#define INSPECT_FILES_MAX (256u << 20) /* bytes of all files of one set together */

struct inspect_files {
	char *key; /* see inspect_files_key() */
	char dir[256]; /* where relative names were looked for */
	bool skip_unsupported;
	bool read; /* the texts are there */
	unsigned n;
	bool relative[CONFIG_RULE_FILES_MAX]; /* the name in the configuration is */
	struct ruleset_source sources[CONFIG_RULE_FILES_MAX]; /* name: the path */
	struct ruleset_source classes; /* name NULL: no classification.config beside a file */
	struct rule_vars *vars; /* whose names the rules may use */
	uint64_t hash; /* of what was read; equal files have equal ones */
	struct inspect_files *next; /* the owner's list */
};

/*
 * What tells the sets of two tenants apart: paths, whether to skip, the names of variables of its
 * own. "" for no files. The caller frees it; NULL: out of memory.
 */
char *inspect_files_key(const char *rules_dir, const struct config_inspection *conf);

/* NULL, with a reason: out of memory, or a variable that is no expression. Reads nothing yet. */
struct inspect_files *inspect_files_create(
	const char *rules_dir, const struct config_inspection *conf, char *err, size_t err_len);
void inspect_files_free(struct inspect_files *files);

/* Reads all of them, and classification.config of the first directory that has one. False: report
 * says of which file why. */
bool inspect_files_read(struct inspect_files *files, struct rule_report *report);
void inspect_files_forget(struct inspect_files *files); /* the texts */

/* Of files that were read; bits NULL: a table of its own. NULL: refused, report says why. */
struct ruleset *inspect_files_load(
	const struct inspect_files *files, struct rule_names *bits, struct rule_report *report);
#endif
