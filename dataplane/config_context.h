/*
 * Where a check of a document stands: the document, the report that its faults go to and the path
 * of the field at hand. Used by the config_* modules only, for the length of one config_decode().
 */
#ifndef VS_CONFIG_CONTEXT_H
#define VS_CONFIG_CONTEXT_H

#include <stddef.h>

#include "config_doc.h"
#include "config_report.h"

struct config_context {
	const struct config_doc *doc;
	struct config_report *report;
	size_t len; /* of path */
	char path[256];
};

/*
 * Goes into a member or list item; cheap, for lists are long. Give the result to
 * config_context_leave() to come back. A path that is too long is cut: it is only for people to
 * read.
 */
size_t config_context_member(struct config_context *context, const char *key);
size_t config_context_item(struct config_context *context, size_t index);
void config_context_leave(struct config_context *context, size_t mark);

/* Adds an error or warning about the current path to the report. */
void config_context_error(struct config_context *context, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void config_context_warn(struct config_context *context, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
