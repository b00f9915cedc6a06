/*
 * Results as people read them: tables by a command's columns, and records. Texts may come from
 * guests, so control characters are shown as '?'.
 */
#ifndef VS_RENDER_H
#define VS_RENDER_H

#include <stdio.h>

#include <jansson.h>

/*
 * A table with a heading, a line for each row; columns as in commands.def. Numbers stand right,
 * all else left; what a row has not is "-".
 */
void render_table(FILE *out, const char *columns, const json_t *result);

/* "key: value" lines, objects inside indented. */
void render_record(FILE *out, const json_t *result);

/* text with its newlines, other control characters replaced. */
void render_text(FILE *out, const char *text);

#endif
