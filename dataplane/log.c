#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"

#define WINDOW_MS    10000
#define WINDOW_LINES 5
#define LINE_MAX_LEN 2048

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	default:
		return "";
	}
}

/* One write a line, so that lines of several threads don't mix. */
static void write_line(enum log_level level, unsigned suppressed, const char *fmt, va_list ap)
{
	char line[LINE_MAX_LEN];
	int saved_errno = errno, len;

	if (getenv("JOURNAL_STREAM") != NULL)
		len = snprintf(line, sizeof(line), "<%d>", level);
	else
		len = snprintf(line, sizeof(line), "vswitchd: %s", level_word(level));
	if (suppressed > 0)
		len += snprintf(line + len, sizeof(line) - (size_t)len,
			"(%u like the next one left out) ", suppressed);
	len += vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
	if (len > (int)sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	for (int i = 0; i < len; i++) { /* texts may quote hostile input */
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len) < 0) {
		/* There is nowhere left to say so. */
	}
	errno = saved_errno;
}

void log_message(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(level, 0, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	uint64_t now = loop_now_ms();
	unsigned suppressed = 0;
	va_list ap;

	if (limit->lines == 0 || now - limit->window_ms >= WINDOW_MS) {
		suppressed = limit->suppressed;
		limit->window_ms = now;
		limit->lines = 0;
		limit->suppressed = 0;
	}
	if (limit->lines >= WINDOW_LINES) {
		limit->suppressed++;
		return;
	}
	limit->lines++;
	va_start(ap, fmt);
	write_line(level, suppressed, fmt, ap);
	va_end(ap);
}
