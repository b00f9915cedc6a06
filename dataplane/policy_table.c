#include "policy_table.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *grow(struct policy_lines *lines, size_t more)
{
	size_t room = lines->room == 0 ? 4096 : lines->room;
	uint8_t *bytes;

	while (room < lines->len + more)
		room *= 2;
	if (room == lines->room)
		return lines->bytes + lines->len;
	bytes = realloc(lines->bytes, room);
	if (bytes == NULL)
		return NULL;
	lines->bytes = bytes;
	lines->room = room;
	return bytes + lines->len;
}

static uint8_t *append(uint8_t *to, const void *from, size_t len)
{
	if (len > 0)
		memcpy(to, from, len);
	return to + len;
}

void policy_lines_add(struct policy_lines *lines, const struct policy_line *line,
	const struct addr_span *remotes, const struct addr_span *locals,
	const struct service_span *services)
{
	size_t len = sizeof(*line) + line->n_remotes * sizeof(*remotes) +
		     line->n_locals * sizeof(*locals) + line->n_services * sizeof(*services);
	uint8_t *to = grow(lines, len);

	if (to == NULL) {
		lines->failed = true;
		return;
	}
	to = append(to, line, sizeof(*line));
	to = append(to, remotes, line->n_remotes * sizeof(*remotes));
	to = append(to, locals, line->n_locals * sizeof(*locals));
	append(to, services, line->n_services * sizeof(*services));
	lines->len += len;
	lines->n++;
}

void policy_lines_clear(struct policy_lines *lines)
{
	lines->len = 0;
	lines->n = 0;
}

void policy_lines_free(struct policy_lines *lines)
{
	free(lines->bytes);
	*lines = (struct policy_lines){0};
}

/* The line at `at` as the classifier takes it; returns where the next one is. */
static const uint8_t *read_line(
	const uint8_t *at, struct policy_line *line, struct classifier_rule *rule)
{
	memcpy(line, at, sizeof(*line));
	at += sizeof(*line);
	*rule = (struct classifier_rule){
		.remotes = (const struct addr_span *)at,
		.n_remotes = line->n_remotes,
		.remote_set = line->remote_set,
		.n_locals = line->n_locals,
		.local_set = line->local_set,
		.n_services = line->n_services,
	};
	at += line->n_remotes * sizeof(struct addr_span);
	rule->locals = (const struct addr_span *)at;
	at += line->n_locals * sizeof(struct addr_span);
	rule->services = (const struct service_span *)at;
	return at + line->n_services * sizeof(struct service_span);
}

/* Fills in table->sets from a bitmap of ids. */
static bool list_sets(struct policy_table *table, const uint64_t bits[SETS_MAX / 64])
{
	unsigned n = 0;

	for (unsigned i = 0; i < SETS_MAX / 64; i++)
		n += (unsigned)__builtin_popcountll(bits[i]);
	table->sets = calloc(n > 0 ? n : 1, sizeof(*table->sets));
	if (table->sets == NULL)
		return false;
	for (unsigned id = 0; id < SETS_MAX; id++) {
		if (bits[id / 64] >> id % 64 & 1)
			table->sets[table->n_sets++] = (uint16_t)id;
	}
	return true;
}

static void note_set(uint64_t bits[SETS_MAX / 64], uint16_t id)
{
	if (id != NO_SET)
		bits[id / 64] |= UINT64_C(1) << id % 64;
}

static bool build(struct policy_table *table, struct classifier_rule *rules)
{
	uint64_t bits[SETS_MAX / 64] = {0};
	const uint8_t *at = table->source;
	struct policy_line line;

	for (unsigned i = 0; i < table->n_rules; i++) {
		at = read_line(at, &line, &rules[i]);
		table->rules[i] = (struct policy_rule){
			.index = line.index,
			.action = line.action,
			.log = line.log != 0,
			.block = line.block,
		};
		note_set(bits, line.remote_set);
		note_set(bits, line.local_set);
	}
	table->classifier = classifier_create(rules, table->n_rules);
	return table->classifier != NULL && list_sets(table, bits);
}

static struct policy_table *create(const struct policy_lines *lines)
{
	struct classifier_rule *rules = calloc(lines->n, sizeof(*rules));
	struct policy_table *table = calloc(1, sizeof(*table));
	bool built = false;

	if (table != NULL) {
		table->refs = 1;
		table->n_rules = lines->n;
		table->rules = calloc(lines->n, sizeof(*table->rules));
		table->source_len = lines->len;
		table->source = malloc(lines->len);
	}
	if (rules != NULL && table != NULL && table->rules != NULL && table->source != NULL) {
		memcpy(table->source, lines->bytes, lines->len);
		built = build(table, rules);
	}
	free(rules);
	if (built)
		return table;
	policy_table_release(table);
	return NULL;
}

bool policy_table_create(const struct policy_lines *lines, const struct policy_table *before,
	const struct policy_table **table)
{
	*table = NULL;
	if (lines->failed)
		return false;
	if (lines->n == 0)
		return true;
	if (before != NULL && before->source_len == lines->len &&
		memcmp(before->source, lines->bytes, lines->len) == 0) {
		((struct policy_table *)(uintptr_t)before)->refs++;
		*table = before;
		return true;
	}
	*table = create(lines);
	return *table != NULL;
}

void policy_table_release(const struct policy_table *table)
{
	struct policy_table *own = (struct policy_table *)(uintptr_t)table;

	if (own == NULL || --own->refs > 0)
		return;
	classifier_free(own->classifier);
	free(own->rules);
	free(own->sets);
	free(own->source);
	free(own);
}

uint32_t policy_number(void)
{
	static uint32_t last;

	if (++last == 0)
		last = 1;
	return last;
}

unsigned policy_span_parts(struct addr_span span, struct addr_span parts[2])
{
	return addr_span_split(span, addr_is_ipv4(span.first) ? 4 : 6, parts);
}
