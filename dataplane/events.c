#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "path.h"

#define RETRY_MS 1000

/* One file of events. */
struct stream {
	int fd; /* -1: not open */
	char path[272]; /* empty: there is none */
	bool torn; /* the file ends within a line: the disk was full */
	uint64_t failed_ms; /* when opening failed last; 0: it did not */
	uint64_t written, lost;
	int error; /* errno of the last failure; 0 once writing works again */
};

static struct {
	struct stream all, quarantine;
	json_t *recent[EVENTS_RECENT];
	uint64_t next; /* number of the next event, from 0; recent holds it modulo EVENTS_RECENT */
} events = {.all.fd = -1, .quarantine.fd = -1};

static void open_file(struct stream *stream)
{
	if (stream->path[0] == '\0')
		return;
	/* O_NONBLOCK: a pipe without a reader is an error rather than a wait. */
	stream->fd = path_make_parents(stream->path) < 0
			     ? -1
			     : open(stream->path,
				       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
				       0640);
	stream->torn = false;
	stream->failed_ms = 0;
	if (stream->fd >= 0)
		return;
	if (stream->error != errno)
		log_error("events: cannot open %s: %s", stream->path, strerror(errno));
	stream->error = errno;
	stream->failed_ms = loop_now_ms();
}

/* The second file's path: in the directory of the first, if that is a plain file or none yet. */
static void set_quarantine_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash != NULL ? (int)(slash - path) + 1 : 0;
	struct stat st;

	events.quarantine.path[0] = '\0';
	if (path[0] == '\0' || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) ||
		strcmp(path + dir, EVENTS_QUARANTINE) == 0)
		return;
	snprintf(events.quarantine.path, sizeof(events.quarantine.path), "%.*s" EVENTS_QUARANTINE,
		dir, path);
}

void events_open(const char *path)
{
	snprintf(events.all.path, sizeof(events.all.path), "%s", path);
	open_file(&events.all);
	set_quarantine_path(path);
}

static void close_file(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	stream->failed_ms = 0;
}

void events_reopen(void)
{
	close_file(&events.all);
	open_file(&events.all);
	close_file(&events.quarantine); /* the next one makes it anew */
}

static void end_stream(struct stream *stream)
{
	close_file(stream);
	*stream = (struct stream){.fd = -1};
}

void events_close(void)
{
	end_stream(&events.all);
	end_stream(&events.quarantine);
	for (unsigned i = 0; i < EVENTS_RECENT; i++) {
		json_decref(events.recent[i]);
		events.recent[i] = NULL;
	}
	events.next = 0;
}

static void write_failed(struct stream *stream, int error)
{
	if (stream->error != error)
		log_error("events: cannot write to %s: %s", stream->path, strerror(error));
	stream->error = error;
	stream->lost++;
}

/* text ends with a newline. */
static void write_line(struct stream *stream, const char *text, size_t len)
{
	ssize_t n;

	if (stream->path[0] == '\0')
		return;
	if (stream->fd < 0 &&
		(stream->failed_ms == 0 || loop_now_ms() - stream->failed_ms >= RETRY_MS))
		open_file(stream);
	if (stream->fd < 0) {
		stream->lost++;
		return;
	}
	if (stream->torn) {
		if (write(stream->fd, "\n", 1) != 1) {
			write_failed(stream, errno);
			return;
		}
		stream->torn = false;
	}
	n = write(stream->fd, text, len);
	if (n == (ssize_t)len) {
		stream->written++;
		stream->error = 0;
		return;
	}
	stream->torn = n > 0;
	write_failed(stream, n < 0 ? errno : ENOSPC);
}

void events_time(struct timespec at, char text[EVENTS_TIME_MAX])
{
	char date[32], zone[8];
	struct tm tm;

	localtime_r(&at.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(text, EVENTS_TIME_MAX, "%s.%06ld%s", date, at.tv_nsec / 1000, zone);
}

/* Takes over fields. */
static json_t *make_event(const char *type, json_t *fields)
{
	char time_text[EVENTS_TIME_MAX];
	struct timespec now;
	json_t *event;

	clock_gettime(CLOCK_REALTIME, &now);
	events_time(now, time_text);
	event = json_pack("{s:s,s:s}", "timestamp", time_text, "event_type", type);
	if (event != NULL && (fields == NULL || json_object_update(event, fields) < 0)) {
		json_decref(event);
		event = NULL;
	}
	json_decref(fields);
	return event;
}

static void lose(const char *type)
{
	events.all.lost++;
	if (strcmp(type, "quarantine") == 0)
		events.quarantine.lost++;
}

void events_emit_fields(const char *type, json_t *fields)
{
	json_t *event = make_event(type, fields), **slot;
	char *text, *line;
	size_t len;

	text = event == NULL ? NULL : json_dumps(event, JSON_COMPACT);
	len = text == NULL ? 0 : strlen(text);
	line = text == NULL ? NULL : realloc(text, len + 2);
	if (line == NULL) {
		free(text);
		json_decref(event);
		lose(type);
		return;
	}
	line[len] = '\n';
	write_line(&events.all, line, len + 1);
	if (strcmp(type, "quarantine") == 0)
		write_line(&events.quarantine, line, len + 1);
	free(line);
	slot = &events.recent[events.next++ % EVENTS_RECENT];
	json_decref(*slot);
	*slot = event;
}

void events_emit(const char *type, json_t *metadata)
{
	events_emit_fields(type, json_pack("{s:o*}", "metadata", metadata));
}

void events_plain(const char *text, size_t size, char *to, size_t to_size)
{
	size_t n = 0;
	json_t *json;

	for (; n < size && text[n] != '\0' && n + 1 < to_size; n++)
		to[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
	to[n] = '\0';
	json = json_string(to);
	for (size_t i = 0; json == NULL && i < n; i++) {
		if ((unsigned char)to[i] >= 0x80)
			to[i] = '?';
	}
	json_decref(json);
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

json_t *events_since(uint64_t number, const char *type)
{
	uint64_t first = events.next > EVENTS_RECENT ? events.next - EVENTS_RECENT : 0;
	json_t *list = json_array();

	if (number > first && number <= events.next)
		first = number;
	for (uint64_t i = first; i < events.next; i++) {
		json_t *event = events.recent[i % EVENTS_RECENT], *copy;
		const char *of = json_string_value(json_object_get(event, "event_type"));

		if (of == NULL || (type != NULL && strcmp(of, type) != 0))
			continue;
		copy = json_copy(event);
		json_object_set_new(copy, "number", json_integer((json_int_t)i + 1));
		json_array_append_new(list, copy);
	}
	return list;
}

static json_t *stream_status(const struct stream *stream)
{
	return json_pack("{s:s*,s:I,s:I,s:s?}", "path",
		stream->path[0] != '\0' ? stream->path : NULL, "written",
		(json_int_t)stream->written, "lost", (json_int_t)stream->lost, "error",
		stream->error != 0 ? strerror(stream->error) : NULL);
}

json_t *events_status(void)
{
	json_t *status = stream_status(&events.all);

	if (events.quarantine.path[0] != '\0')
		json_object_set_new(status, "quarantine", stream_status(&events.quarantine));
	return status;
}
