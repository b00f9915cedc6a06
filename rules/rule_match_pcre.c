#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule_match_pcre.h"

#include <hs/hs.h>
#include <pcre2.h>

/* What it looks at: from pos where it is relative, else all there is. */
struct subject {
	const uint8_t *bytes;
	uint32_t first, n;
	bool whole; /* its end has arrived */
	bool cut; /* its beginning is gone */
};

static enum rule_result subject_of(const struct rule_run *run, const struct rule_pcre *pcre,
	uint32_t pos, struct subject *subject)
{
	uint32_t first = pcre->relative ? pos : run->data->base;

	subject->whole = run->end == run->data->size;
	subject->cut = first < run->data->base || (!pcre->relative && first > 0);
	if (first < run->data->base || first > run->data->size)
		return RULE_NO;
	if (first > run->end)
		return RULE_WAIT;
	subject->first = first;
	subject->n = (uint32_t)(run->end - first);
	subject->bytes = run->data->bytes + (first - run->data->base);
	return RULE_YES;
}

static int note(
	unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *found)
{
	(void)id;
	(void)from;
	(void)to;
	(void)flags;
	*(bool *)found = true;
	return 1;
}

/* False: not for Hyperscan. */
static bool scan(struct rule_run *run, const struct rule_pcre *pcre, const struct subject *subject,
	enum rule_result *result)
{
	const hs_database_t *db =
		run->pcres && pcre->index < run->pcres->n ? run->pcres->dbs[pcre->index] : NULL;
	bool found = false;
	hs_error_t error;

	if (!db || !run->scratch->hs || subject->cut ||
		(!subject->whole && (pcre->end_sensitive || pcre->anchored)))
		return false;
	error = hs_scan(
		db, (const char *)subject->bytes, subject->n, 0, run->scratch->hs, note, &found);
	if (error != HS_SUCCESS && error != HS_SCAN_TERMINATED)
		*result = RULE_FAILED;
	else if (found)
		*result = RULE_YES;
	else
		*result = subject->whole ? RULE_NO : RULE_WAIT;
	return true;
}

/* From start on; where it matches in *from and *to. */
static enum rule_result search(struct rule_run *run, const struct rule_pcre *pcre,
	const struct subject *subject, uint32_t start, uint32_t *from, uint32_t *to)
{
	uint32_t options = (subject->whole ? 0 : PCRE2_PARTIAL_HARD) |
			   (subject->cut ? PCRE2_NOTBOL : 0);
	pcre2_match_data *data = run->scratch->pcre_data;
	int error;

	if (subject->cut && pcre->anchored)
		return RULE_NO;
	error = pcre2_match(pcre->code, subject->bytes, subject->n, start, options, data,
		run->scratch->pcre_context);
	switch (error) {
	case PCRE2_ERROR_NOMATCH: /* of no bytes at all PCRE2 never says that they are a part */
		return subject->whole || (pcre->anchored && start < subject->n) ? RULE_NO
										: RULE_WAIT;
	case PCRE2_ERROR_PARTIAL:
		return RULE_WAIT;
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
	case PCRE2_ERROR_NOMEMORY:
	case PCRE2_ERROR_JIT_STACKLIMIT:
		return RULE_OVER;
	default:
		if (error < 0)
			return RULE_FAILED;
		*from = (uint32_t)pcre2_get_ovector_pointer(data)[0];
		*to = (uint32_t)pcre2_get_ovector_pointer(data)[1];
		return RULE_YES;
	}
}

enum rule_result rule_match_pcre(struct rule_run *run, const struct rule_pcre *pcre, uint32_t pos)
{
	struct subject subject;
	enum rule_result result = subject_of(run, pcre, pos, &subject);
	uint32_t from, to;

	if (result == RULE_YES) {
		if (!rule_run_pay(run, subject.n))
			return RULE_OVER;
		if (!scan(run, pcre, &subject, &result))
			result = search(run, pcre, &subject, 0, &from, &to);
	}
	if (!pcre->negated || result > RULE_YES)
		return result;
	/* What is gone may have held it. */
	return result == RULE_NO && !subject.cut ? RULE_YES : RULE_NO;
}

enum rule_result rule_match_pcre_and_rest(struct rule_run *run, unsigned i, uint32_t pos)
{
	const struct rule_pcre *pcre = &run->items[i].pcre;
	struct subject subject;
	enum rule_result result = subject_of(run, pcre, pos, &subject), sum = RULE_NO;
	uint32_t start = 0, from, to;

	if (result != RULE_YES)
		return result;
	while (start <= subject.n) {
		if (!rule_run_pay(run, subject.n - start))
			return RULE_OVER;
		result = search(run, pcre, &subject, start, &from, &to);
		if (result != RULE_YES)
			return result == RULE_NO ? sum : result;
		result = rule_run(run, i + 1, subject.first + to);
		if (result != RULE_NO && result != RULE_WAIT)
			return result;
		if (result == RULE_WAIT)
			sum = RULE_WAIT;
		start = from + 1 > start ? from + 1 : start + 1;
	}
	return subject.whole ? sum : RULE_WAIT;
}
