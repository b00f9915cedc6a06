#include "rule_compile.h"

#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_cache.h"
#include "rule_compile_pcre.h"
#include "rule_patterns.h"

#define TARGETS (RULE_DIRS * RULE_BUFFERS)

/*
 * Hyperscan's fast matchers of literals take some 96 of them; from there on it goes on with one
 * that takes 2.5 times as long. So the patterns of a stream are in two databases up to twice that,
 * and in one beyond.
 */
#define HALVES     2
#define HALF_MAX   96
#define TARGET_DBS (HALVES * TARGETS)

struct list {
	uint32_t *rules;
	uint32_t n;
};

struct rule_db {
	const struct ruleset *ruleset;
	struct rule_patterns patterns[TARGETS]; /* by target_of() */
	struct list always[RULE_DIRS], bare[RULE_DIRS];
	hs_database_t **dbs; /* of the targets, of their second halves, of the pcres; NULL: none */
	const struct rule_pcre **pcres; /* by index; while it is built */
	unsigned n_dbs;
	bool cached; /* out of a file, not compiled */
	hs_scratch_t *scratch; /* for all of them, to be cloned */
};

struct rule_stream {
	hs_stream_t *hs[HALVES]; /* NULL: there is no such half */
	size_t bytes;
};

bool rule_buffer_is_stream(enum rule_buffer buffer)
{
	return buffer == RULE_RECORD || buffer == RULE_FILE_DATA || buffer == RULE_DCE_STUB;
}

static unsigned target_of(enum rule_direction direction, enum rule_buffer buffer)
{
	return direction * RULE_BUFFERS + buffer;
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

/* Where the patterns of the second half begin: behind all of them where there is none. */
static uint32_t middle_of(const struct rule_patterns *patterns, enum rule_buffer buffer)
{
	bool halves = rule_buffer_is_stream(buffer) && patterns->n > HALF_MAX &&
		      patterns->n <= HALVES * HALF_MAX;

	return halves ? patterns->n / 2 : patterns->n;
}

/* Patterns from `from` to before `to`, by their numbers. */
static hs_database_t *compile_patterns(const struct rule_patterns *patterns, uint32_t from,
	uint32_t to, enum rule_buffer buffer, char *reason, size_t size)
{
	hs_database_t *db = NULL;
	uint32_t n = to - from;
	char *texts = malloc((size_t)n * RULE_PATTERN_TEXT);
	const char **expressions = calloc(n, sizeof(*expressions));
	unsigned *flags = calloc(n, sizeof(*flags));
	unsigned *ids = calloc(n, sizeof(*ids));
	hs_compile_error_t *error = NULL;
	bool ready = texts && expressions && flags && ids;

	for (uint32_t i = 0; ready && i < n; i++) {
		const struct rule_content *content = patterns->patterns[from + i].content;

		expressions[i] = texts + (size_t)i * RULE_PATTERN_TEXT;
		rule_pattern_escape(content, texts + (size_t)i * RULE_PATTERN_TEXT);
		flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL |
			   (content->nocase ? HS_FLAG_CASELESS : 0);
		ids[i] = from + i;
	}
	if (!ready)
		say(reason, size, rule_buffer_name(buffer), "out of memory");
	else if (hs_compile_multi(expressions, flags, ids, n,
			 rule_buffer_is_stream(buffer) ? HS_MODE_STREAM : HS_MODE_BLOCK, NULL, &db,
			 &error) != HS_SUCCESS)
		say(reason, size, rule_buffer_name(buffer), error ? error->message : "failed");
	hs_free_compile_error(error);
	free(texts);
	free(expressions);
	free(flags);
	free(ids);
	return db;
}

static bool collect(
	struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer, bool *wanted)
{
	uint32_t n = ruleset_count(db->ruleset);

	for (uint32_t i = 0; i < n; i++) {
		const struct rule *rule = ruleset_rule(db->ruleset, i);

		wanted[i] = goes(rule, direction) && rule->fast != RULE_NO_FAST &&
			    rule->items[rule->fast].buffer == buffer;
	}
	return rule_patterns_collect(
		&db->patterns[target_of(direction, buffer)], db->ruleset, wanted);
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

static bool prepare(struct rule_db *db)
{
	bool *wanted = calloc((size_t)ruleset_count(db->ruleset) + 1, sizeof(*wanted));
	bool done = wanted != NULL;

	for (int direction = 0; direction < RULE_DIRS; direction++) {
		done = done && list_rules(db, direction);
		for (int buffer = 0; done && buffer < RULE_BUFFERS; buffer++)
			done = collect(db, direction, buffer, wanted);
	}
	free(wanted);
	db->n_dbs = TARGET_DBS + ruleset_pcres(db->ruleset);
	db->dbs = calloc(db->n_dbs, sizeof(*db->dbs));
	db->pcres = rule_compile_list_pcres(db->ruleset);
	return done && db->dbs && db->pcres;
}

static bool compile_target(struct rule_db *db, unsigned target, char *reason, size_t size)
{
	const struct rule_patterns *patterns = &db->patterns[target];
	enum rule_buffer buffer = target % RULE_BUFFERS;
	uint32_t middle = middle_of(patterns, buffer);

	if (patterns->n == 0)
		return true;
	db->dbs[target] = compile_patterns(patterns, 0, middle, buffer, reason, size);
	if (!db->dbs[target] || middle == patterns->n)
		return db->dbs[target] != NULL;
	db->dbs[TARGETS + target] = compile_patterns(
		patterns, middle, patterns->n, buffer, reason, size);
	return db->dbs[TARGETS + target] != NULL;
}

static bool compile_all(struct rule_db *db, char *reason, size_t size)
{
	for (unsigned i = 0; i < TARGETS; i++)
		if (!compile_target(db, i, reason, size))
			return false;
	for (unsigned i = TARGET_DBS; i < db->n_dbs; i++)
		if (db->pcres[i - TARGET_DBS])
			db->dbs[i] = rule_compile_pcre(db->pcres[i - TARGET_DBS]);
	return true;
}

static void write_key(const struct rule_db *db, FILE *stream)
{
	for (unsigned i = 0; i < TARGETS; i++) {
		fprintf(stream, "target %u %u %u\n", i, db->patterns[i].n,
			middle_of(&db->patterns[i], i % RULE_BUFFERS));
		for (uint32_t k = 0; k < db->patterns[i].n; k++) {
			const struct rule_content *content = db->patterns[i].patterns[k].content;

			fprintf(stream, "%u %d ", content->len, content->nocase);
			fwrite(content->bytes, content->len, 1, stream);
		}
	}
	for (unsigned i = TARGET_DBS; i < db->n_dbs; i++) {
		const struct rule_pcre *pcre = db->pcres[i - TARGET_DBS];

		if (pcre)
			fprintf(stream, "pcre %u %u %zu %s\n", i, pcre->options, strlen(pcre->text),
				pcre->text);
	}
}

/* All that the databases depend on. NULL: it is not known, or out of memory. */
static char *make_key(const struct rule_db *db, size_t *size)
{
	char *key = NULL;
	FILE *stream = open_memstream(&key, size);
	bool good = stream && rule_cache_begin_key(stream);

	if (good)
		write_key(db, stream);
	if (stream && fclose(stream) != 0)
		good = false;
	if (!good) {
		free(key);
		return NULL;
	}
	return key;
}

/* What cannot be cached is compiled; what cannot be stored will be compiled again. */
static bool load_or_compile(struct rule_db *db, const char *cache, char *reason, size_t size)
{
	size_t key_size = 0;
	char *key = cache ? make_key(db, &key_size) : NULL;
	bool done;

	db->cached = key && rule_cache_load(cache, key, key_size, db->dbs, db->n_dbs);
	done = db->cached || compile_all(db, reason, size);
	if (done && key && !db->cached)
		rule_cache_store(cache, key, key_size, db->dbs, db->n_dbs);
	free(key);
	for (unsigned i = 0; done && i < db->n_dbs; i++)
		if (db->dbs[i] && hs_alloc_scratch(db->dbs[i], &db->scratch) != HS_SUCCESS) {
			say(reason, size, "Hyperscan", "no scratch for a database");
			done = false;
		}
	return done;
}

/* Every pattern is found in its own bytes: the library has had faults that no error told of. */
static bool check_target(struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer,
	struct rule_scratch *scratch)
{
	const struct rule_patterns *patterns = &db->patterns[target_of(direction, buffer)];
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

struct rule_db *rule_compile(
	const struct ruleset *ruleset, const char *cache, char *reason, size_t size)
{
	struct rule_db *db = calloc(1, sizeof(*db));
	bool done = false;

	say(reason, size, "rules", "out of memory");
	if (db) {
		db->ruleset = ruleset;
		done = prepare(db) && load_or_compile(db, cache, reason, size);
		free(db->pcres);
		db->pcres = NULL;
	}
	if (done && !check(db)) {
		say(reason, size, "Hyperscan",
			"a pattern is not found in its own bytes, or out of memory");
		done = false;
	}
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
	for (unsigned i = 0; i < TARGETS; i++)
		rule_patterns_free(&db->patterns[i]);
	for (int direction = 0; direction < RULE_DIRS; direction++) {
		free(db->always[direction].rules);
		free(db->bare[direction].rules);
	}
	for (unsigned i = 0; db->dbs && i < db->n_dbs; i++)
		hs_free_database(db->dbs[i]);
	free(db->dbs);
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
	const struct rule_patterns *patterns = &db->patterns[target_of(direction, buffer)];

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
	return db->dbs[target_of(direction, buffer)] != NULL;
}

struct rule_pcre_dbs rule_db_pcres(const struct rule_db *db)
{
	return (struct rule_pcre_dbs){db->dbs + TARGET_DBS, db->n_dbs - TARGET_DBS};
}

const struct ruleset *rule_db_ruleset(const struct rule_db *db)
{
	return db->ruleset;
}

struct rule_stream *rule_stream_create(
	const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer)
{
	unsigned target = target_of(direction, buffer);
	struct rule_stream *stream;

	if (!db->dbs[target] || !rule_buffer_is_stream(buffer))
		return NULL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->bytes = sizeof(*stream);
	for (unsigned half = 0; half < HALVES; half++) {
		const hs_database_t *hs = db->dbs[half * TARGETS + target];
		size_t bytes = 0;

		if (hs && hs_open_stream(hs, 0, &stream->hs[half]) != HS_SUCCESS) {
			rule_stream_free(stream);
			return NULL;
		}
		if (hs && hs_stream_size(hs, &bytes) == HS_SUCCESS)
			stream->bytes += bytes;
	}
	return stream;
}

void rule_stream_free(struct rule_stream *stream)
{
	if (!stream)
		return;
	for (unsigned half = 0; half < HALVES; half++)
		if (stream->hs[half])
			hs_close_stream(stream->hs[half], NULL, NULL, NULL);
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
	const char *data = (const char *)bytes;

	return hs_scan_stream(stream->hs[0], data, n, 0, scratch->hs, note, hits) == HS_SUCCESS &&
	       (!stream->hs[1] || hs_scan_stream(stream->hs[1], data, n, 0, scratch->hs, note,
					  hits) == HS_SUCCESS);
}

bool rule_stream_reset(struct rule_stream *stream, struct rule_scratch *scratch)
{
	return hs_reset_stream(stream->hs[0], 0, scratch->hs, NULL, NULL) == HS_SUCCESS &&
	       (!stream->hs[1] ||
		       hs_reset_stream(stream->hs[1], 0, scratch->hs, NULL, NULL) == HS_SUCCESS);
}

bool rule_db_scan(const struct rule_db *db, enum rule_direction direction, enum rule_buffer buffer,
	const uint8_t *bytes, uint32_t n, struct rule_scratch *scratch, struct rule_hits *hits)
{
	const hs_database_t *target = db->dbs[target_of(direction, buffer)];

	return !target ||
	       hs_scan(target, (const char *)bytes, n, 0, scratch->hs, note, hits) == HS_SUCCESS;
}

static size_t bytes_of(const hs_database_t *db)
{
	size_t bytes = 0;

	return db && hs_database_size(db, &bytes) == HS_SUCCESS ? bytes : 0;
}

struct rule_db_facts rule_db_facts(const struct rule_db *db)
{
	struct rule_db_facts facts = {0};

	for (unsigned i = 0; i < TARGETS; i++)
		facts.patterns += db->patterns[i].n;
	for (int direction = 0; direction < RULE_DIRS; direction++) {
		facts.always += db->always[direction].n;
		facts.bare += db->bare[direction].n;
	}
	for (unsigned i = 0; i < db->n_dbs; i++)
		facts.bytes += bytes_of(db->dbs[i]);
	for (unsigned i = TARGET_DBS; i < db->n_dbs; i++) {
		facts.hyperscan_pcres += db->dbs[i] != NULL;
		facts.pcre2_pcres += db->dbs[i] == NULL;
	}
	facts.cached = db->cached;
	return facts;
}
