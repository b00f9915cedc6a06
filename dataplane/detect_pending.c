#include "detect_pending.h"

#include <string.h>

#define STEP_BYTES 64

unsigned detect_pending_place(const struct detect_pending *list, uint32_t rule)
{
	unsigned low = 0, high = list->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (list->waiting[mid].rule < rule)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void detect_pending_insert(struct detect_pending *list, unsigned place, uint32_t rule, bool done)
{
	struct detect_waiting *waiting = &list->waiting[place];

	memmove(waiting + 1, waiting, (list->n - place) * sizeof(*waiting));
	*waiting = (struct detect_waiting){.rule = rule, .done = done};
	list->n++;
}

static bool has(
	const uint8_t *bytes, uint32_t n, const struct rule_content *content, int64_t *steps)
{
	uint32_t at = rule_match_find(bytes, n, content->bytes, content->len, content->nocase);

	*steps -= 1 + at / STEP_BYTES;
	return at < n;
}

bool detect_pending_blocked(struct detect_waiting *waiting, const struct rule *rule,
	enum rule_buffer buffer, const struct rule_input *input, int64_t *steps)
{
	const struct rule_data *data = &input->data[buffer];
	const struct rule_content *content;
	uint32_t end = data->base + data->len, n = end - waiting->searched;

	if (waiting->blocker == 0 || !(input->given & 1u << buffer))
		return false;
	if (n == 0)
		return true;
	content = &rule->items[waiting->blocker - 1].content;
	n = n < data->len ? n + content->len - 1u : data->len;
	if (n > data->len)
		n = data->len;
	if (has(data->bytes + data->len - n, n, content, steps)) {
		waiting->blocker = 0;
		return false;
	}
	waiting->searched = end;
	return true;
}

void detect_pending_block(struct detect_waiting *waiting, const struct rule *rule,
	enum rule_buffer buffer, const struct rule_input *input, int64_t *steps)
{
	const struct rule_data *data = &input->data[buffer];
	const struct rule_head *head = &input->heads[buffer];

	if (!(input->given & 1u << buffer))
		return;
	for (unsigned i = 0; i < rule->n_items; i++) {
		const struct rule_item *item = &rule->items[i];

		if (item->type != RULE_CONTENT || item->buffer != buffer || item->content.negated ||
			has(head->bytes, head->len, &item->content, steps) ||
			has(data->bytes, data->len, &item->content, steps))
			continue;
		waiting->blocker = (uint8_t)((i + 1) & 0x7f);
		waiting->searched = data->base + data->len;
		return;
	}
}
