/*
 * Lines and columns of the nodes of a document, found by path. Part of config_doc, which alone
 * uses it while and after it reads a text; no DPDK here.
 */
#ifndef VS_CONFIG_MARKS_H
#define VS_CONFIG_MARKS_H

#include <stdbool.h>

struct config_mark;

struct config_marks {
	struct config_mark *items;
	unsigned n, size;
};

/*
 * Adds the next node in document order, parents before children. key is the name it has in its
 * parent, NULL in a list; it must live as long as the marks. False: out of memory.
 */
bool config_marks_add(struct config_marks *marks, unsigned line, unsigned col, const char *key);

/* What is added from now on lies in the node that was added last ... */
unsigned config_marks_open(struct config_marks *marks);

/* ... until the number that _open() gave is closed. */
void config_marks_close(struct config_marks *marks, unsigned node);

/* See config_doc_where(). Works on marks still being added, too. */
void config_marks_where(
	const struct config_marks *marks, const char *path, unsigned *line, unsigned *col);

void config_marks_free(struct config_marks *marks);

#endif
