#include "blocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block_json.h"
#include "state_file.h"

#define FILE_NAME "blocks.json"

struct state {
	struct blocks now;
	uint32_t next_id;
};

static struct {
	char dir[256];
	struct state state, past; /* past: before the last change */
	bool unknown;
	char problem[768]; /* empty: none */
} own = {.state.next_id = 1};

/* A copy of the list with room for one more; false: out of memory. */
static bool copy_state(struct state *to, const struct state *from)
{
	*to = *from;
	to->now.list = calloc(from->now.n + 1, sizeof(*to->now.list));
	if (to->now.list == NULL)
		return false;
	if (from->now.n > 0)
		memcpy(to->now.list, from->now.list, from->now.n * sizeof(*to->now.list));
	return true;
}

static void new_version(void)
{
	static uint32_t last;

	own.state.now.version = ++last;
}

/* Before a change: what blocks_undo() goes back to. */
static bool begin(void)
{
	struct state copy;

	if (!copy_state(&copy, &own.state))
		return false;
	free(own.past.now.list);
	own.past = own.state;
	own.state = copy;
	new_version();
	return true;
}

void blocks_undo(void)
{
	free(own.state.now.list);
	own.state = own.past;
	own.past = (struct state){0};
	new_version();
}

const struct blocks *blocks_current(void)
{
	return &own.state.now;
}

const char *blocks_problem(void)
{
	return own.problem[0] != '\0' ? own.problem : NULL;
}

bool blocks_unknown(void)
{
	return own.unknown;
}

static bool same_end(const struct block_end *a, const struct block_end *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == BLOCK_SPAN)
		return addr_equal(a->span.first, b->span.first) &&
		       addr_equal(a->span.last, b->span.last);
	return a->kind == BLOCK_ANY || strcmp(a->name, b->name) == 0;
}

/* Whether both block the same, for whatever time. */
static bool same_block(const struct block *a, const struct block *b)
{
	return a->service.first == b->service.first && a->service.last == b->service.last &&
	       a->direction == b->direction && same_end(&a->from, &b->from) &&
	       same_end(&a->to, &b->to) && strcmp(a->tenant, b->tenant) == 0 &&
	       strcmp(a->port, b->port) == 0;
}

static bool lasts_longer(time_t a, time_t b)
{
	return b != 0 && (a == 0 || a > b);
}

/* Makes the i-th block last as long as *block, which it becomes. */
static enum blocks_result extend(unsigned i, struct block *block)
{
	struct block *there = &own.state.now.list[i];
	bool longer = lasts_longer(block->until, there->until);
	bool comment = block->comment[0] != '\0' && strcmp(block->comment, there->comment) != 0;

	if (!longer && !comment) {
		*block = *there;
		return BLOCKS_THERE;
	}
	if (!begin())
		return BLOCKS_REFUSED;
	there = &own.state.now.list[i];
	if (longer)
		there->until = block->until;
	if (comment)
		memcpy(there->comment, block->comment, sizeof(there->comment));
	*block = *there;
	return BLOCKS_EXTENDED;
}

enum blocks_result blocks_add(struct block *block, struct config_error *err)
{
	struct blocks *now = &own.state.now;

	config_error_set(err, "out of memory");
	if (own.unknown) {
		config_error_set(err, "%s", own.problem);
		return BLOCKS_REFUSED;
	}
	for (unsigned i = 0; i < now->n; i++) {
		if (same_block(&now->list[i], block))
			return extend(i, block);
	}
	if (now->n >= BLOCKS_MAX || own.state.next_id == UINT32_MAX) {
		config_error_set(err,
			"there are %u blocks, as many as there may be: lift some with `unblock`, "
			"or block more with one (a set, a range of ports, a tenant)",
			now->n);
		return BLOCKS_REFUSED;
	}
	if (!begin())
		return BLOCKS_REFUSED;
	block->id = own.state.next_id++;
	now->list[now->n++] = *block;
	return BLOCKS_ADDED;
}

/* Removes those that `fits` says; how many, or -1: out of memory. */
static int remove_those(bool (*fits)(const struct block *block, const void *arg), const void *arg)
{
	struct blocks *now = &own.state.now;
	unsigned n = 0, kept = 0;

	for (unsigned i = 0; i < now->n; i++)
		n += fits(&now->list[i], arg);
	if (n == 0)
		return 0;
	if (!begin())
		return -1;
	for (unsigned i = 0; i < now->n; i++) {
		if (!fits(&now->list[i], arg))
			now->list[kept++] = now->list[i];
	}
	now->n = kept;
	return (int)n;
}

static bool has_id(const struct block *block, const void *id)
{
	return block->id == *(const uint32_t *)id;
}

/* service NULL: any. */
static bool has_service(const struct block *block, const void *service)
{
	return service == NULL || strcmp(block->service_text, service) == 0;
}

static bool has_run_out(const struct block *block, const void *now)
{
	return block->until != 0 && block->until <= *(const time_t *)now;
}

int blocks_remove(uint32_t id, const char *service)
{
	if (id != 0)
		return remove_those(has_id, &id);
	return remove_those(has_service, service);
}

int blocks_expire(time_t now)
{
	return remove_those(has_run_out, &now);
}

time_t blocks_next_expiry(void)
{
	const struct blocks *now = &own.state.now;
	time_t next = 0;

	for (unsigned i = 0; i < now->n; i++) {
		if (lasts_longer(next, now->list[i].until))
			next = now->list[i].until;
	}
	return next;
}

bool blocks_save(struct config_error *err)
{
	json_t *file, *list = json_array();
	bool saved;

	for (unsigned i = 0; i < own.state.now.n; i++)
		json_array_append_new(list, block_json(&own.state.now.list[i]));
	file = json_pack("{s:i,s:I,s:o}", "version", 1, "next", (json_int_t)own.state.next_id,
		"blocks", list);
	saved = file != NULL && json_array_size(list) == own.state.now.n;
	if (!saved)
		config_error_set(err, "out of memory");
	saved = saved && state_file_write(own.dir, FILE_NAME, file, err);
	json_decref(file);
	own.problem[0] = '\0';
	if (!saved)
		snprintf(own.problem, sizeof(own.problem),
			"emergency blocks are in force but could not be saved, so that a restart "
			"would bring those of before: %s",
			err->text);
	return saved;
}

/* Blocks out of the file's content; hostile until checked. */
static bool read_list(const json_t *list, struct state *state, struct config_error *err)
{
	uint32_t last = 0;
	json_t *item;
	size_t i;

	state->now.list = calloc(json_array_size(list) + 1, sizeof(*state->now.list));
	if (state->now.list == NULL) {
		config_error_set(err, "out of memory");
		return false;
	}
	json_array_foreach (list, i, item) {
		struct block *block = &state->now.list[i];

		if (!block_from_json(item, block, err))
			return false;
		if (block->id <= last || block->id >= state->next_id) {
			config_error_set(
				err, "blocks[%zu]: its id %u is out of order", i, block->id);
			return false;
		}
		last = block->id;
		state->now.n++;
	}
	return true;
}

static bool read_file(const json_t *file, struct state *state, struct config_error *err)
{
	const json_t *next = json_object_get(file, "next"), *list = json_object_get(file, "blocks");

	if (json_integer_value(json_object_get(file, "version")) != 1 ||
		json_object_size(file) != 3) {
		config_error_set(err, "it is not of version 1");
		return false;
	}
	if (!json_is_integer(next) || json_integer_value(next) < 1 ||
		json_integer_value(next) > UINT32_MAX) {
		config_error_set(err, "next is no number of a block");
		return false;
	}
	if (!json_is_array(list) || json_array_size(list) > BLOCKS_MAX) {
		config_error_set(err, "blocks is no list of up to %d", BLOCKS_MAX);
		return false;
	}
	state->next_id = (uint32_t)json_integer_value(next);
	return read_list(list, state, err);
}

/* Whether there is no such directory: then nothing was ever saved. */
static bool is_new(const char *dir)
{
	return access(dir, F_OK) != 0 && errno == ENOENT;
}

bool blocks_load(const char *state_dir)
{
	struct state state = {.next_id = 1};
	struct config_error err = {0};
	json_t *file;
	bool ok;

	blocks_free();
	snprintf(own.dir, sizeof(own.dir), "%s", state_dir);
	file = state_file_read(own.dir, FILE_NAME, &err);
	ok = file == NULL ? err.text[0] == '\0' || is_new(own.dir) : read_file(file, &state, &err);
	json_decref(file);
	if (ok) {
		own.state = state;
		new_version();
		blocks_expire(time(NULL));
		return true;
	}
	free(state.now.list);
	own.unknown = true;
	snprintf(own.problem, sizeof(own.problem),
		"no traffic passes, for nobody knows what was blocked: %s/" FILE_NAME
		" cannot be used: %s; mend it, or remove it and block anew, and restart vswitchd",
		own.dir, err.text);
	return false;
}

void blocks_free(void)
{
	free(own.state.now.list);
	free(own.past.now.list);
	memset(&own, 0, sizeof(own));
	own.state.next_id = 1;
}
