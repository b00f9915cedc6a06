#include "config_marks.h"

#include <stdlib.h>
#include <string.h>

/*
 * The children of mark i are i + 1, the `next` of that one, and so on up to the `next` of i
 * itself.
 */
struct config_mark {
	unsigned line, col;
	unsigned next; /* first mark behind this node and all that is in it; 0: still open */
	const char *key;
};

bool config_marks_add(struct config_marks *marks, unsigned line, unsigned col, const char *key)
{
	if (marks->n == marks->size) {
		unsigned size = marks->size ? marks->size * 2 : 64;
		struct config_mark *items = realloc(marks->items, size * sizeof(*items));

		if (!items)
			return false;
		marks->items = items;
		marks->size = size;
	}
	marks->items[marks->n] = (struct config_mark){line, col, marks->n + 1, key};
	marks->n++;
	return true;
}

unsigned config_marks_open(struct config_marks *marks)
{
	marks->items[marks->n - 1].next = 0;
	return marks->n - 1;
}

void config_marks_close(struct config_marks *marks, unsigned node)
{
	marks->items[node].next = marks->n;
}

void config_marks_free(struct config_marks *marks)
{
	free(marks->items);
	*marks = (struct config_marks){0};
}

/* First mark behind node i and all in it; marks of nodes still being read have no end yet. */
static unsigned mark_end(const struct config_marks *marks, unsigned i)
{
	unsigned next = marks->items[i].next;

	return next ? next : marks->n;
}

static unsigned find_item(const struct config_marks *marks, unsigned parent, const char **path)
{
	char *rest;
	unsigned long index = strtoul(*path + 1, &rest, 10);
	unsigned end = mark_end(marks, parent);
	unsigned i = parent + 1;

	if (*rest != ']')
		return 0;
	while (i < end && index-- > 0)
		i = mark_end(marks, i);
	if (i >= end || marks->items[i].key)
		return 0;
	*path = rest + 1;
	return i;
}

/* A hostile key may hold dots and brackets: the longest one that fits is meant. */
static unsigned find_member(const struct config_marks *marks, unsigned parent, const char **path)
{
	const char *start = *path + (**path == '.');
	unsigned end = mark_end(marks, parent);
	unsigned found = 0;
	size_t longest = 0;

	for (unsigned i = parent + 1; i < end; i = mark_end(marks, i)) {
		const char *key = marks->items[i].key;
		size_t len = key ? strlen(key) : 0;

		if (len > longest && !strncmp(start, key, len) && strchr(".[", start[len])) {
			longest = len;
			found = i;
		}
	}
	*path = start + longest;
	return found;
}

void config_marks_where(
	const struct config_marks *marks, const char *path, unsigned *line, unsigned *col)
{
	unsigned i = 0;

	*line = *col = 0;
	if (!marks->n)
		return;
	while (*path) {
		unsigned child = *path == '[' ? find_item(marks, i, &path)
					      : find_member(marks, i, &path);

		if (!child)
			break;
		i = child;
	}
	*line = marks->items[i].line;
	*col = marks->items[i].col;
}
