/*
 * A file of rules as logical lines: a backslash at the end continues one. No DPDK.
 */
#ifndef VS_RULE_FILE_H
#define VS_RULE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rule_text.h"

struct rule_file {
	char *text; /* continued lines are joined in place */
	size_t size, at;
	uint32_t next_line;
};

/* The whole file, which must be a regular one of at most max bytes, or a copy of text; false with a
 * reason, at once also where path is a FIFO that nobody writes to. */
bool rule_file_open(
	struct rule_file *file, const char *path, size_t max, char *reason, size_t size);
bool rule_file_copy(struct rule_file *file, const char *text, size_t n);
void rule_file_close(struct rule_file *file);

/* The next line that is neither empty nor a comment, trimmed, and where it starts; false: no more.
 */
bool rule_file_next(struct rule_file *file, struct rule_text *line, uint32_t *number);

#endif
