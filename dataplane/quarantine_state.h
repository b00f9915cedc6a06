/*
 * One quarantine, as JSON: in the file that outlives a restart (quarantines.json), and as people,
 * events and the hook see it. Control thread; no state of its own.
 */
#ifndef VS_QUARANTINE_STATE_H
#define VS_QUARANTINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "addr.h"
#include "config.h"
#include "config_report.h"
#include "inspect_log.h"

#define QUARANTINE_REASON_MAX INSPECT_TEXT_MAX /* bytes of text, its end included */

/*
 * Of the guest of a port, which port and tenant name; or of an address on another host, which
 * address, network and tenant name.
 */
struct quarantine_entry {
	char address[ADDR_TEXT_MAX]; /* empty: it is of a port */
	struct addr addr; /* the same */
	char port[CONFIG_NAME_MAX + 1]; /* of an address: where it was seen, or empty */
	char tenant[CONFIG_NAME_MAX + 1];
	char network[CONFIG_NAME_MAX + 1]; /* of a port: may be empty, as all below */
	uint8_t level; /* enum config_quarantine_level: SERVICE or PORT */
	uint64_t since, until; /* seconds since 1970; until 0: until released */
	char id[48]; /* "I1", "1:2024217:3"; empty: by command */
	char reason[QUARANTINE_REASON_MAX];
	char peer[CONFIG_NAME_MAX + 1]; /* port at the other end */
	char src_ip[ADDR_TEXT_MAX], dest_ip[ADDR_TEXT_MAX]; /* as the deciding packet went */
	uint16_t src_port, dest_port;
	uint32_t offset; /* in the record */
	char evidence[448]; /* path */
};

static inline bool quarantine_is_remote(const struct quarantine_entry *entry)
{
	return entry->address[0] != '\0';
}

/*
 * Reads dir/quarantines.json into list, which has room for max[0] of ports and max[1] of addresses;
 * *n is how many there are. What is there is hostile until checked. False with the reason in err;
 * no file: true, and none.
 */
bool quarantine_state_read(const char *dir, struct quarantine_entry *list, const unsigned max[2],
	unsigned *n, struct config_error *err);

/* Makes the n entries outlive a restart. False with the reason in err. */
bool quarantine_state_write(
	const char *dir, const struct quarantine_entry *list, unsigned n, struct config_error *err);

/* "service", "port". */
const char *quarantine_level_name(unsigned level);
/* As it is called for an address: "service", "host". */
const char *quarantine_remote_level_name(unsigned level);
/* CONFIG_QUARANTINE_NONE where text is neither. */
enum config_quarantine_level quarantine_level_of(const char *text, bool remote);

/* Whether text may be a reason: up to QUARANTINE_REASON_MAX - 1 bytes of UTF-8 in one line. */
bool quarantine_reason_valid(const char *text);

/* {"where","port","address","tenant","network","level","since","until","id","reason","peer","src_ip",...}:
 * what is not known is null, times are texts. The caller owns it. */
json_t *quarantine_entry_show(const struct quarantine_entry *entry);

#endif
