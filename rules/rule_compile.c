#include "rule_compile.h"

#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_compile_pcre.h"
#include "rule_patterns.h"

/* One direction and buffer. */
struct target {
	struct rule_patterns patterns;
	hs_database_t *db; /* NULL: no patterns */
};

struct list {
	uint32_t *rules;
	uint32_t n;
};

struct rule_db {
	const struct ruleset *ruleset;
	struct target targets[RULE_DIRS][RULE_BUFFERS];
	struct list always[RULE_DIRS], bare[RULE_DIRS];
	hs_database_t **pcres;
	unsigned n_pcres;
	hs_scratch_t *scratch; /* for all of them, to be cloned */
};

struct rule_stream {
	hs_stream_t *hs;
	size_t bytes;
};

bool rule_buffer_is_stream(enum rule_buffer buffer)
{
	return buffer == RULE_RECORD || buffer == RULE_FILE_DATA || buffer == RULE_DCE_STUB;
}

static bool goes(const struct rule *rule, enum rule_direction direction)
{
	uint16_t both = RULE_TO_SERVER | RULE_TO_CLIENT;

	return !(rule->flow & both) ||
	       rule->flow & (direction == RULE_DIR_TO_SERVER ? RULE_TO_SERVER : RULE_TO_CLIENT);
}

static void say(char *reason, size_t size, const char *what, const char *why)
{
	snprintf(reason, size, "%s: %s", what, why);
}

static bool compile_patterns(
	struct target *target, enum rule_buffer buffer, char *reason, size_t size)
{
	const struct rule_patterns *patterns = &target->patterns;
	char *texts = malloc((size_t)patterns->n * RULE_PATTERN_TEXT);
	const char **expressions = calloc(patterns->n, sizeof(*expressions));
	unsigned *flags = calloc(patterns->n, sizeof(*flags));
	unsigned *ids = calloc(patterns->n, sizeof(*ids));
	hs_compile_error_t *error = NULL;
	bool ready = texts && expressions && flags && ids;

	for (uint32_t i = 0; ready && i < patterns->n; i++) {
		const struct rule_content *content = patterns->patterns[i].content;

		expressions[i] = texts + (size_t)i * RULE_PATTERN_TEXT;
		rule_pattern_escape(content, texts + (size_t)i * RULE_PATTERN_TEXT);
		flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL |
			   (content->nocase ? HS_FLAG_CASELESS : 0);
		ids[i] = i;
	}
	if (!ready)
		say(reason, size, rule_buffer_name(buffer), "out of memory");
	else if (hs_compile_multi(expressions, flags, ids, patterns->n,
			 rule_buffer_is_stream(buffer) ? HS_MODE_STREAM : HS_MODE_BLOCK, NULL,
			 &target->db, &error) != HS_SUCCESS)
		say(reason, size, rule_buffer_name(buffer), error ? error->message : "failed");
	hs_free_compile_error(error);
	free(texts);
	free(expressions);
	free(flags);
	free(ids);
	return target->db != NULL;
}

static bool compile_target(struct rule_db *db, enum rule_direction direction,
	enum rule_buffer buffer, bool *wanted, char *reason, size_t size)
{
	struct target *target = &db->targets[direction][buffer];
	uint32_t n = ruleset_count(db->ruleset);

	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = ruleset_rule(db->ruleset, i);

		wanted[i] = goes(rule, direction) && rule->fast != RULE_NO_FAST &&
			    rule->items[rule->fast].buffer == buffer;
	}
	if (!rule_patterns_collect(&target->patterns, db->ruleset, wanted)) {
		say(reason, size, rule_buffer_name(buffer), "out of memory");
		return false;
	}
	if (target->patterns.n > 0 && !compile_patterns(target, buffer, reason, size))
		return false;
	if (target->db && hs_alloc_scratch(target->db, &db->scratch) != HS_SUCCESS) {
		say(reason, size, rule_buffer_name(buffer), "no scratch for its database");
		return false;
	}
	return true;
}

static bool list_rules(struct rule_db *db, enum rule_direction direction)
{
	struct list *always = &db->always[direction], *bare = &db->bare[direction];
	uint32_t n = ruleset_count(db->ruleset);

	always->rules = calloc((size_t)n + 1, sizeof(*always->rules));
	bare->rules = calloc((size_t)n + 1, sizeof(*bare->rules));
	if (!always->rules || !bare->rules)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = ruleset_rule(db->ruleset, i);

		if (!goes(rule, direction))
			continue;
		if (!rule_has_items(rule))
			bare->rules[bare->n++] = i;
		else if (rule->fast == RULE_NO_FAST)
			always->rules[always->n++] = i;
	}
	return true;
}

static bool compile_all(struct rule_db *db, bool *wanted, char *reason, size_t size)
{
	for (int direction = 0; direction < RULE_DIRS; direction++) {
		if (!list_rules(db, direction)) {
			say(reason, size, "rules", "out of memory");
			return false;
		}
		for (int buffer = 0; buffer < RULE_BUFFERS; buffer++)
			if (!compile_target(db, direction, buffer, wanted, reason, size))
				return false;
	}
	db->pcres = rule_compile_pcres(db->ruleset, &db->scratch);
	db->n_pcres = ruleset_pcres(db->ruleset);
	if (!db->pcres)
		say(reason, size, "pcre", "out of memory");
	return db->pcres != NULL;
}

/* Every pattern is found in its own bytes: the library has had faults that no error told of. */
static bool check_target(struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer,
	struct rule_scratch *scratch)
{
	const struct rule_patterns *patterns = &db->targets[direction][buffer].patterns;
	struct rule_stream *stream = NULL;
	bool good = true;

	if (patterns->n == 0)
		return true;
	if (rule_buffer_is_stream(buffer)) {
		stream = rule_stream_create(db, direction, buffer);
		if (!stream)
			return false;
	}
	for (uint32_t i = 0; good && i < patterns->n; i++) {
		const struct rule_content *content = patterns->patterns[i].content;
		struct rule_hit room[64];
		struct rule_hits hits = {room, 0, 64, 0};
		bool found = false;

		good = stream ? rule_stream_scan(
					stream, content->bytes, content->len, scratch, &hits) &&
					rule_stream_reset(stream, scratch)
			      : rule_db_scan(db, direction, buffer, content->bytes, content->len,
					scratch, &hits);
		for (uint32_t k = 0; k < hits.n; k++)
			found |= room[k].pattern == i;
		good = good && (found || hits.lost > 0);
	}
	rule_stream_free(stream);
	return good;
}

static bool check(struct rule_db *db)
{
	struct rule_scratch *scratch = rule_db_scratch(db);
	bool good = scratch != NULL;

	for (int direction = 0; direction < RULE_DIRS; direction++)
		for (int buffer = 0; good && buffer < RULE_BUFFERS; buffer++)
			good = check_target(db, direction, buffer, scratch);
	rule_scratch_free(scratch);
	return good;
}

struct rule_db *rule_compile(const struct ruleset *ruleset, char *reason, size_t size)
{
	struct rule_db *db = calloc(1, sizeof(*db));
	bool *wanted = calloc((size_t)ruleset_count(ruleset) + 1, sizeof(*wanted));
	bool done = false;

	say(reason, size, "rules", "out of memory");
	if (db && wanted) {
		db->ruleset = ruleset;
		done = compile_all(db, wanted, reason, size);
		if (done && !check(db)) {
			say(reason, size, "Hyperscan",
				"a pattern is not found in its own bytes, or out of memory");
			done = false;
		}
	}
	free(wanted);
	if (!done) {
		rule_db_free(db);
		return NULL;
	}
	return db;
}

void rule_db_free(struct rule_db *db)
{
	if (!db)
		return;
	for (int direction = 0; direction < RULE_DIRS; direction++) {
		for (int buffer = 0; buffer < RULE_BUFFERS; buffer++) {
			rule_patterns_free(&db->targets[direction][buffer].patterns);
			hs_free_database(db->targets[direction][buffer].db);
		}
		free(db->always[direction].rules);
		free(db->bare[direction].rules);
	}
	for (unsigned i = 0; db->pcres && i < db->n_pcres; i++)
		hs_free_database(db->pcres[i]);
	free(db->pcres);
	hs_free_scratch(db->scratch);
	free(db);
}

struct rule_scratch *rule_db_scratch(const struct rule_db *db)
{
	hs_scratch_t *clone = NULL;

	if (db->scratch && hs_clone_scratch(db->scratch, &clone) != HS_SUCCESS)
		return NULL;
	return rule_scratch_create(clone);
}

const uint32_t *rule_db_rules(const struct rule_db *db, enum rule_direction direction,
	enum rule_buffer buffer, uint32_t pattern, uint32_t *n)
{
	const struct rule_patterns *patterns = &db->targets[direction][buffer].patterns;

	*n = patterns->patterns[pattern].n;
	return patterns->rules + patterns->patterns[pattern].first;
}

const uint32_t *rule_db_always(const struct rule_db *db, enum rule_direction direction, uint32_t *n)
{
	*n = db->always[direction].n;
	return db->always[direction].rules;
}

const uint32_t *rule_db_bare(const struct rule_db *db, enum rule_direction direction, uint32_t *n)
{
	*n = db->bare[direction].n;
	return db->bare[direction].rules;
}

bool rule_db_wants(const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer)
{
	return db->targets[direction][buffer].db != NULL;
}

struct rule_pcre_dbs rule_db_pcres(const struct rule_db *db)
{
	return (struct rule_pcre_dbs){db->pcres, db->n_pcres};
}

const struct ruleset *rule_db_ruleset(const struct rule_db *db)
{
	return db->ruleset;
}

struct rule_stream *rule_stream_create(
	const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer)
{
	const struct target *target = &db->targets[direction][buffer];
	struct rule_stream *stream;

	if (!target->db || !rule_buffer_is_stream(buffer))
		return NULL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	if (hs_open_stream(target->db, 0, &stream->hs) != HS_SUCCESS) {
		free(stream);
		return NULL;
	}
	if (hs_stream_size(target->db, &stream->bytes) == HS_SUCCESS)
		stream->bytes += sizeof(*stream);
	return stream;
}

void rule_stream_free(struct rule_stream *stream)
{
	if (!stream)
		return;
	hs_close_stream(stream->hs, NULL, NULL, NULL);
	free(stream);
}

size_t rule_stream_bytes(const struct rule_stream *stream)
{
	return stream->bytes;
}

static int note(
	unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	struct rule_hits *hits = arg;

	(void)from;
	(void)flags;
	if (hits->n < hits->max)
		hits->hits[hits->n++] = (struct rule_hit){id, to};
	else
		hits->lost++;
	return 0;
}

bool rule_stream_scan(struct rule_stream *stream, const uint8_t *bytes, uint32_t n,
	struct rule_scratch *scratch, struct rule_hits *hits)
{
	return hs_scan_stream(stream->hs, (const char *)bytes, n, 0, scratch->hs, note, hits) ==
	       HS_SUCCESS;
}

bool rule_stream_reset(struct rule_stream *stream, struct rule_scratch *scratch)
{
	return hs_reset_stream(stream->hs, 0, scratch->hs, NULL, NULL) == HS_SUCCESS;
}

bool rule_db_scan(const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer,
	const uint8_t *bytes, uint32_t n, struct rule_scratch *scratch, struct rule_hits *hits)
{
	const struct target *target = &db->targets[direction][buffer];

	return !target->db || hs_scan(target->db, (const char *)bytes, n, 0, scratch->hs, note,
				      hits) == HS_SUCCESS;
}

static size_t bytes_of(const hs_database_t *db)
{
	size_t bytes = 0;

	return db && hs_database_size(db, &bytes) == HS_SUCCESS ? bytes : 0;
}

struct rule_db_facts rule_db_facts(const struct rule_db *db)
{
	struct rule_db_facts facts = {0};

	for (int direction = 0; direction < RULE_DIRS; direction++) {
		for (int buffer = 0; buffer < RULE_BUFFERS; buffer++) {
			facts.patterns += db->targets[direction][buffer].patterns.n;
			facts.bytes += bytes_of(db->targets[direction][buffer].db);
		}
		facts.always += db->always[direction].n;
		facts.bare += db->bare[direction].n;
	}
	for (unsigned i = 0; i < db->n_pcres; i++) {
		facts.hyperscan_pcres += db->pcres[i] != NULL;
		facts.pcre2_pcres += db->pcres[i] == NULL;
		facts.bytes += bytes_of(db->pcres[i]);
	}
	return facts;
}
