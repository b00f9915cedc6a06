/*
 * Messages to the operator, on standard error: plain lines on a terminal, lines with a syslog
 * priority "<N>" under systemd's journal. Any thread but workers, which never log. What a guest or
 * a client can provoke is counted or goes through log_limited().
 */
#ifndef VS_LOG_H
#define VS_LOG_H

#include <stdint.h>

/* Syslog's priorities. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

void log_message(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)

/* State of one rate-limited message; zero-initialised. One thread. */
struct log_limit {
	uint64_t window_ms; /* start of the current window of 10 s */
	unsigned lines; /* written in it */
	unsigned suppressed;
};

/* At most five lines in 10 s; the first one after that says how many were left out. */
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
