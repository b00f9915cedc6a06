#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule_context.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

bool rule_context_keep_pcre(struct rule_context *context, void *code, uint16_t *index)
{
	if (context->n_pcres >= RULE_PCRES_MAX)
		return false;
	if (context->n_pcres == context->pcres_room) {
		unsigned room = context->pcres_room ? 2 * context->pcres_room : 64;
		void *bigger = realloc(context->pcres, room * sizeof(*context->pcres));

		if (!bigger)
			return false;
		context->pcres = bigger;
		context->pcres_room = room;
	}
	*index = (uint16_t)context->n_pcres;
	context->pcres[context->n_pcres++] = code;
	return true;
}

void rule_context_drop_pcres(struct rule_context *context, unsigned first)
{
	while (context->n_pcres > first)
		pcre2_code_free(context->pcres[--context->n_pcres]);
}

const struct rule_class *rule_context_class(
	const struct rule_context *context, const char *name, size_t n)
{
	for (unsigned i = 0; i < context->n_classes; i++)
		if (strlen(context->classes[i].name) == n &&
			memcmp(context->classes[i].name, name, n) == 0)
			return &context->classes[i];
	return NULL;
}
