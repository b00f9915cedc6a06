#include "pktgen_search.h"

#define TRIALS_MAX 40

void pktgen_search_init(
	struct pktgen_search *search, double high, double resolution, double allowed)
{
	*search = (struct pktgen_search){
		.high = high, .resolution = resolution, .allowed = allowed};
}

bool pktgen_search_next(struct pktgen_search *search, double *rate)
{
	if (search->fail == 0 && search->pass > 0)
		return false; /* the highest passed */
	if (search->trials == TRIALS_MAX)
		return false;
	if (search->fail > 0 && search->fail - search->pass <= search->resolution * search->high)
		return false;
	search->rate = search->fail == 0 ? search->high : (search->pass + search->fail) / 2;
	*rate = search->rate;
	return true;
}

void pktgen_search_tell(struct pktgen_search *search, double loss)
{
	search->trials++;
	if (loss <= search->allowed)
		search->pass = search->rate;
	else
		search->fail = search->rate;
}
