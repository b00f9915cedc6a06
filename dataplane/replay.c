#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay_packet.h"
#include "replay_side.h"

struct replay {
	struct capture_reader *reader;
	char *path;
	const struct config *config; /* with a mapping, else NULL */
	struct replay_side *side; /* without one */
	uint64_t frames, unmapped, time_backwards;
	uint64_t first_ns, last_ns; /* valid if frames > 0 */
};

static int replay_start(
	struct replay *r, const char *path, const struct config *config, char *err, size_t err_len)
{
	r->path = strdup(path);
	if (config && config->n_replay > 0)
		r->config = config;
	else
		r->side = replay_side_new();
	if (!r->path || (!r->config && !r->side)) {
		snprintf(err, err_len, "%s: out of memory for the replay", path);
		return -1;
	}
	r->reader = capture_reader_open(path, err, err_len);
	return r->reader ? 0 : -1;
}

struct replay *replay_open(const char *path, const struct config *config, char *err, size_t err_len)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r) {
		snprintf(err, err_len, "%s: out of memory for the replay", path);
		return NULL;
	}
	if (replay_start(r, path, config, err, err_len) < 0) {
		replay_close(r);
		return NULL;
	}
	return r;
}

void replay_close(struct replay *r)
{
	if (!r)
		return;
	capture_reader_close(r->reader);
	replay_side_free(r->side);
	free(r->path);
	free(r);
}

static bool names_mac(const struct config_replay *entry, const uint8_t *mac)
{
	unsigned i;

	for (i = 0; i < entry->n_macs; i++)
		if (memcmp(entry->macs[i], mac, 6) == 0)
			return true;
	return false;
}

static bool prefix_holds(const uint8_t *prefix, unsigned len, const uint8_t *addr)
{
	unsigned bytes = len / 8, bits = len % 8;

	if (memcmp(prefix, addr, bytes) != 0)
		return false;
	return bits == 0 || ((prefix[bytes] ^ addr[bytes]) >> (8 - bits)) == 0;
}

/* Length of the entry's longest prefix that holds the source address, or -1. */
static int names_address(const struct config_replay *entry, const struct replay_packet *p)
{
	unsigned family = p->addr_len == 4 ? 4 : 6;
	int best = -1;
	unsigned i;

	for (i = 0; i < entry->n_prefixes; i++) {
		if (entry->prefixes[i].family == family && entry->prefixes[i].len > best &&
			prefix_holds(entry->prefixes[i].addr, entry->prefixes[i].len, p->src))
			best = entry->prefixes[i].len;
	}
	return best;
}

/* False where the mapping names no port for the frame. */
static bool replay_map(const struct replay *r, const struct capture_frame *f, unsigned *slot)
{
	const struct config *config = r->config;
	struct replay_packet p;
	int best = -1, len;
	unsigned i;

	if (f->len < 12)
		return false;
	for (i = 0; i < config->n_replay; i++) {
		if (names_mac(&config->replay[i], f->data + 6)) {
			*slot = config->replay[i].port_index;
			return true;
		}
	}
	replay_packet_parse(&p, f->data, f->len);
	if (p.addr_len == 0)
		return false;
	for (i = 0; i < config->n_replay; i++) {
		len = names_address(&config->replay[i], &p);
		if (len > best) {
			best = len;
			*slot = config->replay[i].port_index;
		}
	}
	return best >= 0;
}

static void replay_clock(struct replay *r, struct capture_frame *f)
{
	if (r->frames == 0) {
		r->first_ns = f->ts_ns;
	} else if (f->ts_ns < r->last_ns) {
		r->time_backwards++;
		f->ts_ns = r->last_ns;
	}
	r->last_ns = f->ts_ns;
	r->frames++;
}

int replay_next(struct replay *r, unsigned *slot, struct capture_frame *f)
{
	int rc;

	while ((rc = capture_reader_next(r->reader, f)) == 1) {
		if (r->side) {
			*slot = replay_side_of(r->side, f->data, f->len);
		} else if (!replay_map(r, f, slot)) {
			r->unmapped++;
			continue;
		}
		replay_clock(r, f);
		return 1;
	}
	return rc;
}

const char *replay_error(const struct replay *r)
{
	return capture_reader_error(r->reader);
}

bool replay_is_input(const struct replay *r, const char *path)
{
	return capture_reader_is_file(r->reader, path);
}

static json_t *replay_skipped(const struct capture_stats *stats)
{
	json_t *skipped = json_object();
	unsigned i;

	for (i = 0; i < CAPTURE_SKIP_REASONS; i++)
		json_object_set_new(skipped, capture_skip_names[i],
			json_integer((json_int_t)stats->skipped[i]));
	return skipped;
}

static json_t *replay_time(const struct replay *r, uint64_t ns)
{
	return r->frames > 0 ? json_integer((json_int_t)ns) : json_null();
}

json_t *replay_summary(const struct replay *r)
{
	const struct capture_stats *stats = capture_reader_stats(r->reader);

	/* A path need not be UTF-8, which a JSON string has to be: then it is null. */
	return json_pack("{s:o?, s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:o?, s:o, s:o}", "file",
		json_string(r->path), "link_type", capture_reader_link_type(r->reader), "frames",
		(json_int_t)r->frames, "unmapped", (json_int_t)r->unmapped, "truncated",
		(json_int_t)stats->truncated, "skipped", replay_skipped(stats), "time_backwards",
		(json_int_t)r->time_backwards, "forgotten",
		(json_int_t)(r->side ? replay_side_forgotten(r->side) : 0), "broken_off",
		replay_error(r) ? json_string(replay_error(r)) : NULL, "first_ns",
		replay_time(r, r->first_ns), "last_ns", replay_time(r, r->last_ns));
}
