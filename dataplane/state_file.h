/*
 * Small JSON files that outlive the process: written whole or not at all, and read with a limit.
 * Used by the control thread, for it waits for the disk; no DPDK here.
 *
 * name is a file's name in the directory dir: no slash, no dot in front, at most 128 characters.
 * One process writes to a directory at a time.
 */
#ifndef VS_STATE_FILE_H
#define VS_STATE_FILE_H

#include <stdbool.h>

#include <jansson.h>

#include "config_report.h"

#define STATE_FILE_SIZE_MAX (8u << 20)

/*
 * Makes json, an object or list, the file's content; after a crash at any moment the file holds
 * the old content or the new one. Mode 0600. False with the reason in err: the old content
 * stays, or ("make lasting") the disk failed to keep the new one.
 */
bool state_file_write(
	const char *dir, const char *name, const json_t *json, struct config_error *err);

/*
 * The file's content, which the caller owns. NULL with an empty err: there is no such file; NULL
 * with a text: there is one that cannot be used, and why.
 */
json_t *state_file_read(const char *dir, const char *name, struct config_error *err);

/* True also where there is no such file. */
bool state_file_remove(const char *dir, const char *name, struct config_error *err);

/* Makes what was renamed, linked or removed in dir outlive a crash. */
bool state_file_sync(const char *dir, struct config_error *err);

#endif
