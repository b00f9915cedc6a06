/*
 * What vswitchd tells systemd (or whoever started it with NOTIFY_SOCKET): ready, status, alive.
 * Control thread only.
 *
 * The protocol is one datagram and promised to stay (sd_notify(3), "Notes"), so libsystemd, which
 * would come with its own dependencies into a process that reads guests' memory, is not used.
 */
#ifndef VS_NOTIFY_H
#define VS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC; without them everything else here does nothing. */
void notify_open(void);
void notify_close(void);

/* READY=1, once. */
void notify_ready(void);
void notify_stopping(void);

/* STATUS=, one line of text; sent only when it differs from the last one. */
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds between two calls of notify_watchdog(), half of what is allowed; 0: none wanted. */
uint64_t notify_watchdog_ms(void);

/* WATCHDOG=1. Call it only while everything goes round. */
void notify_watchdog(void);

/*
 * From within what may take long, after each step of it: sends WATCHDOG=1 where that is due. A
 * kernel port takes some 20 ms to make or to close, and there may be a thousand of them.
 */
void notify_progress(void);

#endif
