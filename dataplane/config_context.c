#include "config_context.h"

#include <stdarg.h>
#include <string.h>

static size_t append(
	struct config_context *context, const char *before, const char *text, const char *after)
{
	size_t len = strlen(context->path);

	snprintf(context->path + len, sizeof(context->path) - len, "%s%s%s", before, text, after);
	return len;
}

size_t config_context_member(struct config_context *context, const char *key)
{
	return append(context, context->path[0] ? "." : "", key, "");
}

size_t config_context_item(struct config_context *context, size_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", index);
	return append(context, "[", text, "]");
}

void config_context_leave(struct config_context *context, size_t mark)
{
	context->path[mark] = '\0';
}

static void add(struct config_context *context, bool warning, const char *path, const char *fmt,
	va_list args)
{
	char text[sizeof(((struct config_message *)0)->text)];
	unsigned line = 0, col = 0;

	vsnprintf(text, sizeof(text), fmt, args);
	/* Hostile documents hold many faults: no search for the lines of those not kept. */
	if (!config_report_full(context->report))
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
