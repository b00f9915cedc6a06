/*
 * The event file: one JSON object a line in the schema of Suricata's EVE log, so that what reads
 * that reads this. Own fields stand under `metadata`. The last events are kept in memory too, each
 * with a number. Events of type `quarantine` are also written to a file of their own beside it,
 * EVENTS_QUARANTINE, which is made with the first of them. Control thread only.
 *
 * Nothing waits for the file: what can't be written is counted as lost, and the file is tried
 * again with a later event.
 */
#ifndef VS_EVENTS_H
#define VS_EVENTS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

#define EVENTS_RECENT     256 /* kept in memory */
#define EVENTS_QUARANTINE "quarantine.json"
#define EVENTS_TIME_MAX   64

/* path: empty for no file; where it is no plain file (a pipe, /dev/stderr), there is no second one.
 * Its directory is made. Errors show in events_status(). */
void events_open(const char *path);
void events_close(void);

/* Opens both files anew, after they have been renamed (log rotation). */
void events_reopen(void);

/*
 * Records an event of this type, such as "port", now. Takes over the reference to metadata, an
 * object, or NULL for none.
 */
void events_emit(const char *type, json_t *metadata);

/*
 * The same with more than metadata. fields: an object of EVE's own fields, such as "src_ip", with
 * "metadata" among them; its reference is taken over, NULL (out of memory) counts as lost.
 */
void events_emit_fields(const char *type, json_t *fields);

/*
 * text, of which at most size bytes are looked at, as one line that JSON takes: control characters,
 * and all that is not ASCII where it is not UTF-8, become '?'. to has room for to_size, and a 0 at
 * its end.
 */
void events_plain(const char *text, size_t size, char *to, size_t to_size);

/* A time as Suricata writes it: "2026-11-25T03:42:10.123456+0000". */
void events_time(struct timespec at, char text[EVENTS_TIME_MAX]);

/* The last events, oldest first; the caller owns the reference. */
json_t *events_recent(void);

/*
 * Those after the event of this number (0: all), of this type (NULL: any), each with its "number":
 * they count from 1 since the start, over all types. A number that there was not yet is that of
 * before a restart: then all. The caller owns the reference.
 */
json_t *events_since(uint64_t number, const char *type);

/* {"path","written","lost","error","quarantine":{as these}}; the caller owns the reference. */
json_t *events_status(void);

#endif
