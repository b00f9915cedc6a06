#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "path.h"

#define RETRY_MS 1000

static struct {
	int fd;
	char path[256];
	bool torn; /* the file ends within a line: the disk was full */
	uint64_t failed_ms; /* when opening failed last; 0: it did not */
	uint64_t written, lost;
	int error; /* errno of the last failure; 0 once writing works again */
	json_t *recent[EVENTS_RECENT];
	unsigned next; /* in recent */
} events = {.fd = -1};

static void open_file(void)
{
	if (events.path[0] == '\0')
		return;
	/* O_NONBLOCK: a pipe without a reader is an error rather than a wait. */
	events.fd = path_make_parents(events.path) < 0
			    ? -1
			    : open(events.path,
				      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
	events.torn = false;
	events.failed_ms = 0;
	if (events.fd >= 0)
		return;
	if (events.error != errno)
		log_error("events: cannot open %s: %s", events.path, strerror(errno));
	events.error = errno;
	events.failed_ms = loop_now_ms();
}

void events_open(const char *path)
{
	snprintf(events.path, sizeof(events.path), "%s", path);
	open_file();
}

void events_reopen(void)
{
	if (events.fd >= 0)
		close(events.fd);
	events.fd = -1;
	open_file();
}

void events_close(void)
{
	if (events.fd >= 0)
		close(events.fd);
	events.fd = -1;
	for (unsigned i = 0; i < EVENTS_RECENT; i++) {
		json_decref(events.recent[i]);
		events.recent[i] = NULL;
	}
	events.next = 0;
	events.written = events.lost = 0;
	events.error = 0;
}

static void write_failed(int error)
{
	if (events.error != error)
		log_error("events: cannot write to %s: %s", events.path, strerror(error));
	events.error = error;
	events.lost++;
}

/* text ends with a newline. */
static void write_line(const char *text, size_t len)
{
	ssize_t n;

	if (events.path[0] == '\0')
		return;
	if (events.fd < 0 && loop_now_ms() - events.failed_ms >= RETRY_MS)
		open_file();
	if (events.fd < 0) {
		events.lost++;
		return;
	}
	if (events.torn) {
		if (write(events.fd, "\n", 1) != 1) {
			write_failed(errno);
			return;
		}
		events.torn = false;
	}
	n = write(events.fd, text, len);
	if (n == (ssize_t)len) {
		events.written++;
		events.error = 0;
		return;
	}
	events.torn = n > 0;
	write_failed(n < 0 ? errno : ENOSPC);
}

/* As Suricata writes it: "2026-11-25T03:42:10.123456+0000". */
static void timestamp(char *text, size_t len)
{
	char date[32], zone[8];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(text, len, "%s.%06ld%s", date, now.tv_nsec / 1000, zone);
}

/* Takes over fields. */
static json_t *make_event(const char *type, json_t *fields)
{
	char time_text[64];
	json_t *event;

	timestamp(time_text, sizeof(time_text));
	event = json_pack("{s:s,s:s}", "timestamp", time_text, "event_type", type);
	if (event != NULL && (fields == NULL || json_object_update(event, fields) < 0)) {
		json_decref(event);
		event = NULL;
	}
	json_decref(fields);
	return event;
}

void events_emit_fields(const char *type, json_t *fields)
{
	json_t *event = make_event(type, fields);
	char *text, *line;
	size_t len;

	text = event == NULL ? NULL : json_dumps(event, JSON_COMPACT);
	len = text == NULL ? 0 : strlen(text);
	line = text == NULL ? NULL : realloc(text, len + 2);
	if (line == NULL) {
		free(text);
		json_decref(event);
		events.lost++;
		return;
	}
	line[len] = '\n';
	write_line(line, len + 1);
	free(line);
	json_decref(events.recent[events.next]);
	events.recent[events.next] = event;
	events.next = (events.next + 1) % EVENTS_RECENT;
}

void events_emit(const char *type, json_t *metadata)
{
	events_emit_fields(type, json_pack("{s:o*}", "metadata", metadata));
}

json_t *events_recent(void)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < EVENTS_RECENT; i++) {
		json_t *event = events.recent[(events.next + i) % EVENTS_RECENT];

		if (event != NULL)
			json_array_append(list, event);
	}
	return list;
}

json_t *events_status(void)
{
	return json_pack("{s:s*,s:I,s:I,s:s?}", "path", events.path[0] != '\0' ? events.path : NULL,
		"written", (json_int_t)events.written, "lost", (json_int_t)events.lost, "error",
		events.error != 0 ? strerror(events.error) : NULL);
}
