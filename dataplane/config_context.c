#include "config_context.h"

#include <stdarg.h>
#include <string.h>

/* Returns where the path ended before. What does not fit is left out as a whole. */
static size_t append(struct config_context *context, const char *text, size_t len)
{
	size_t mark = context->len;

	if (len < sizeof(context->path) - mark) {
		memcpy(context->path + mark, text, len);
		context->len += len;
		context->path[context->len] = '\0';
	}
	return mark;
}

size_t config_context_member(struct config_context *context, const char *key)
{
	size_t mark = context->len;

	if (mark)
		append(context, ".", 1);
	append(context, key, strlen(key));
	return mark;
}

size_t config_context_item(struct config_context *context, size_t index)
{
	char text[24], *at = text + sizeof(text);

	*--at = ']';
	do
		*--at = (char)('0' + index % 10);
	while ((index /= 10) > 0);
	*--at = '[';
	return append(context, at, (size_t)(text + sizeof(text) - at));
}

void config_context_leave(struct config_context *context, size_t mark)
{
	context->len = mark;
	context->path[mark] = '\0';
}

static void add(struct config_context *context, bool warning, const char *path, const char *fmt,
	va_list args)
{
	char text[sizeof(((struct config_message *)0)->text)];
	unsigned line = 0, col = 0;

	vsnprintf(text, sizeof(text), fmt, args);
	/* Hostile documents hold many faults: no search for the lines of those not kept. */
	if (warning ? context->report->n_messages < CONFIG_REPORT_MAX
		    : !config_report_full(context->report))
		config_doc_where(context->doc, path, &line, &col);
	config_report_add(context->report, warning, config_doc_name(context->doc), line, col, path,
		"%s", text);
}

void config_context_error(struct config_context *context, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(context, false, context->path, fmt, args);
	va_end(args);
}

void config_context_warn(struct config_context *context, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(context, true, context->path, fmt, args);
	va_end(args);
}
