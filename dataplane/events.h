/*
 * The event file: one JSON object a line in the schema of Suricata's EVE log, so that what reads
 * that reads this. Own fields stand under `metadata`. The last events are kept in memory too.
 * Control thread only.
 *
 * Nothing waits for the file: what can't be written is counted as lost, and the file is tried
 * again with a later event.
 */
#ifndef VS_EVENTS_H
#define VS_EVENTS_H

#include <jansson.h>

#define EVENTS_RECENT 128 /* kept in memory */

/* path: empty for no file. Its directory is made. Errors show in events_status(). */
void events_open(const char *path);
void events_close(void);

/* Opens the file anew, after it has been renamed (log rotation). */
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

/* The last events, oldest first; the caller owns the reference. */
json_t *events_recent(void);

/* {"path","written","lost","error"}; the caller owns the reference. */
json_t *events_status(void);

#endif
