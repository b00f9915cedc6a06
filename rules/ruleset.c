#include "ruleset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule_context.h"
#include "rule_file.h"
#include "rule_parse.h"
#include "ruleset_order.h"

struct ruleset {
	struct rule_context context;
	struct rule_names *own_bits;
	struct rule **rules;
	uint32_t n, room;
	uint32_t *by_sid; /* open addressing: 1 + place in the order of reading; 0: empty */
	uint32_t sid_mask;
	uint64_t hash;
};

struct loading {
	struct ruleset *ruleset;
	const struct ruleset_options *options;
	struct rule_report *report;
	bool failed; /* the whole */
};

static void refuse(struct loading *l, const char *file, uint32_t line, const char *reason)
{
	rule_report_add(l->report, file, line, 0, "", reason);
	l->failed = true;
}

static uint32_t sid_hash(uint32_t gid, uint32_t sid)
{
	uint64_t h = ((uint64_t)gid << 32 | sid) * 0x9e3779b97f4a7c15U;

	return (uint32_t)(h >> 32);
}

static uint32_t *sid_slot(const struct ruleset *set, uint32_t gid, uint32_t sid)
{
	for (uint32_t i = sid_hash(gid, sid);; i++) {
		uint32_t *slot = &set->by_sid[i & set->sid_mask];

		if (*slot == 0 ||
			(set->rules[*slot - 1]->sid == sid && set->rules[*slot - 1]->gid == gid))
			return slot;
	}
}

/* Room for one more rule, with half of by_sid empty. */
static bool grow(struct ruleset *set)
{
	uint32_t room = set->room ? 2 * set->room : 256;
	uint32_t *by_sid;
	void *bigger;

	if (set->n < set->room)
		return true;
	bigger = realloc(set->rules, room * sizeof(*set->rules));
	if (!bigger)
		return false;
	set->rules = bigger;
	by_sid = calloc((size_t)2 * room, sizeof(*by_sid));
	if (!by_sid)
		return false;
	free(set->by_sid);
	set->by_sid = by_sid;
	set->sid_mask = 2 * room - 1;
	set->room = room;
	for (uint32_t i = 0; i < set->n; i++)
		*sid_slot(set, set->rules[i]->gid, set->rules[i]->sid) = i + 1;
	return true;
}

static void add_hash(struct ruleset *set, struct rule_text text)
{
	for (size_t i = 0; i < text.n; i++)
		set->hash = (set->hash ^ (uint8_t)text.s[i]) * 1099511628211U; /* FNV-1a */
	set->hash = (set->hash ^ '\n') * 1099511628211U;
}

static void add_rule(struct loading *l, const char *name, uint32_t line, struct rule_text text)
{
	struct ruleset *set = l->ruleset;
	struct rule_arena_mark mark = rule_arena_mark(&set->context.arena);
	unsigned first_pcre = set->context.n_pcres;
	struct rule_refusal why = {0};
	struct rule *rule;
	uint32_t *slot;

	rule = rule_parse(&set->context, name, line, text, &why);
	if (rule) {
		slot = sid_slot(set, rule->gid, rule->sid);
		if (*slot == 0) {
			*slot = set->n + 1;
			set->rules[set->n++] = rule;
			add_hash(set, text);
			return;
		}
		why.sid = rule->sid;
		snprintf(why.keyword, sizeof(why.keyword), "sid");
		snprintf(why.reason, sizeof(why.reason), "is taken by the rule in %.150s:%u",
			set->rules[*slot - 1]->file, set->rules[*slot - 1]->line);
	}
	rule_context_drop_pcres(&set->context, first_pcre);
	rule_arena_roll_back(&set->context.arena, mark);
	rule_report_add(l->report, name, line, why.sid, why.keyword, why.reason);
	l->failed |= !l->options->skip_unsupported;
}

static void load_lines(struct loading *l, const char *name, struct rule_file *file)
{
	struct ruleset *set = l->ruleset;
	char *kept = rule_arena_text(&set->context.arena, name, strlen(name));
	struct rule_text text;
	uint32_t line;

	if (!kept) {
		refuse(l, name, 0, "out of memory");
		return;
	}
	while (rule_file_next(file, &text, &line)) {
		if (set->n == RULESET_RULES_MAX) {
			char reason[64];

			snprintf(reason, sizeof(reason), "more than %d rules", RULESET_RULES_MAX);
			refuse(l, name, line, reason);
			return;
		}
		if (!grow(set)) {
			refuse(l, name, line, "out of memory");
			return;
		}
		add_rule(l, kept, line, text);
	}
}

static bool open_source(
	struct loading *l, const struct ruleset_source *source, struct rule_file *file)
{
	char reason[RULE_REASON_MAX] = "out of memory";
	bool open = source->text ? rule_file_copy(file, source->text, source->size)
				 : rule_file_open(file, source->name, RULESET_FILE_MAX, reason,
					   sizeof(reason));

	if (!open)
		refuse(l, source->name, 0, reason);
	return open;
}

static void load_source(struct loading *l, const struct ruleset_source *source)
{
	struct rule_file file;

	if (!open_source(l, source, &file))
		return;
	load_lines(l, source->name, &file);
	rule_file_close(&file);
}

/* "config classification: name,what it means,priority" */
static bool add_class(struct rule_context *context, struct rule_text line)
{
	struct rule_text rest = line, part, name, description;
	struct rule_class *class;
	int64_t priority;

	if (!rule_text_next(&rest, ':', &part) || !rule_text_is(part, "config classification") ||
		!rule_text_next(&rest, ',', &name) || !rule_text_is_name(name) ||
		!rule_text_next(&rest, ',', &description) || !rest.s ||
		!rule_text_number(rule_text_trim(rest), 1, 255, &priority) ||
		context->n_classes == RULE_CLASSES_MAX)
		return false;
	class = &context->classes[context->n_classes];
	class->name = rule_arena_text(&context->arena, name.s, name.n);
	class->description = rule_arena_text(&context->arena, description.s, description.n);
	class->priority = (uint8_t)priority;
	if (!class->name || !class->description)
		return false;
	context->n_classes++;
	return true;
}

static void load_classes(struct loading *l, const struct ruleset_source *source)
{
	char reason[RULE_REASON_MAX];
	struct rule_text line;
	struct rule_file file;
	uint32_t number;

	if (!open_source(l, source, &file))
		return;
	while (rule_file_next(&file, &line, &number))
		if (!add_class(&l->ruleset->context, line)) {
			snprintf(reason, sizeof(reason),
				"\"config classification: NAME,TEXT,PRIORITY\" with a priority "
				"from 1 to 255, at most %d times, is right",
				RULE_CLASSES_MAX);
			refuse(l, source->name, number, reason);
		}
	rule_file_close(&file);
}

static struct ruleset *create(const struct ruleset_options *options)
{
	struct ruleset *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->hash = 14695981039346656037U;
	set->own_bits = options->bits ? NULL : rule_names_create(RULE_BIT_NAMES_MAX);
	set->context.bits = options->bits ? options->bits : set->own_bits;
	set->context.addresses = rule_names_create(RULE_EXPRS_MAX);
	set->context.ports = rule_names_create(RULE_EXPRS_MAX);
	set->context.classes = calloc(RULE_CLASSES_MAX, sizeof(*set->context.classes));
	if (!set->context.bits || !set->context.addresses || !set->context.ports ||
		!set->context.classes) {
		ruleset_free(set);
		return NULL;
	}
	return set;
}

static void load_all(struct loading *l, const struct ruleset_source *sources, unsigned n)
{
	struct ruleset *set = l->ruleset;
	struct rule_vars *own = l->options->vars ? NULL : rule_vars_create();
	const struct ruleset_source path = {.name = l->options->classes};

	set->context.vars = l->options->vars ? l->options->vars : own;
	if (!set->context.vars)
		refuse(l, "rules", 0, "out of memory");
	else if (l->options->class_source)
		load_classes(l, l->options->class_source);
	else if (l->options->classes)
		load_classes(l, &path);
	for (unsigned i = 0; set->context.vars && i < n; i++)
		load_source(l, &sources[i]);
	set->context.vars = NULL;
	rule_vars_free(own);
	if (!l->failed && !ruleset_order(set->rules, set->n, rule_names_count(set->context.bits)))
		refuse(l, "rules", 0, "out of memory");
}

struct ruleset *ruleset_load(const struct ruleset_source *sources, unsigned n,
	const struct ruleset_options *options, struct rule_report *report)
{
	struct loading l = {create(options), options, report, false};

	if (!l.ruleset) {
		refuse(&l, "rules", 0, "out of memory");
		return NULL;
	}
	load_all(&l, sources, n);
	if (l.failed) {
		ruleset_free(l.ruleset);
		return NULL;
	}
	/* The places changed. */
	if (l.ruleset->by_sid)
		memset(l.ruleset->by_sid, 0,
			((size_t)l.ruleset->sid_mask + 1) * sizeof(*l.ruleset->by_sid));
	for (uint32_t i = 0; i < l.ruleset->n; i++)
		*sid_slot(l.ruleset, l.ruleset->rules[i]->gid, l.ruleset->rules[i]->sid) = i + 1;
	return l.ruleset;
}

void ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	rule_context_drop_pcres(&ruleset->context, 0);
	free(ruleset->context.pcres);
	free(ruleset->context.classes);
	rule_names_free(ruleset->context.addresses);
	rule_names_free(ruleset->context.ports);
	rule_names_free(ruleset->own_bits);
	rule_arena_free(&ruleset->context.arena);
	free(ruleset->by_sid);
	free(ruleset->rules);
	free(ruleset);
}

uint32_t ruleset_count(const struct ruleset *ruleset)
{
	return ruleset->n;
}

const struct rule *ruleset_rule(const struct ruleset *ruleset, uint32_t index)
{
	return ruleset->rules[index];
}

const struct rule *ruleset_find(const struct ruleset *ruleset, uint32_t gid, uint32_t sid)
{
	uint32_t place = ruleset->by_sid ? *sid_slot(ruleset, gid, sid) : 0;

	return place ? ruleset->rules[place - 1] : NULL;
}

static const struct rule_names *expressions(const struct ruleset *ruleset, enum rule_vars_kind kind)
{
	return kind == RULE_VARS_PORTS ? ruleset->context.ports : ruleset->context.addresses;
}

uint16_t ruleset_expressions(const struct ruleset *ruleset, enum rule_vars_kind kind)
{
	return rule_names_count(expressions(ruleset, kind));
}

const char *ruleset_expression(const struct ruleset *ruleset, enum rule_vars_kind kind, uint16_t id)
{
	return rule_names_text(expressions(ruleset, kind), id);
}

const char *ruleset_bit_name(const struct ruleset *ruleset, uint16_t id)
{
	return rule_names_text(ruleset->context.bits, id);
}

const char *ruleset_class_text(const struct ruleset *ruleset, const char *classtype)
{
	const struct rule_class *class = rule_context_class(
		&ruleset->context, classtype, strlen(classtype));

	return class ? class->description : "";
}

unsigned ruleset_pcres(const struct ruleset *ruleset)
{
	return ruleset->context.n_pcres;
}

uint64_t ruleset_hash(const struct ruleset *ruleset)
{
	return ruleset->hash;
}

size_t ruleset_bytes(const struct ruleset *ruleset)
{
	return ruleset->context.arena.bytes + ruleset->room * sizeof(*ruleset->rules) +
	       ((size_t)ruleset->sid_mask + 1) * sizeof(*ruleset->by_sid);
}
