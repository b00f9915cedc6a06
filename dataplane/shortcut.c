#include "shortcut.h"

#include <rte_malloc.h>

#define SLOTS (1u << SHORTCUT_SLOTS_LOG2)
#define TRIAL 32768u /* packets, after which it is looked at whether they pay */
#define LEAST 2 /* they do where one in so many packets had one */
#define REST  1048576u /* packets; so that trials in vain cost little */

bool shortcuts_init(struct shortcuts *shortcuts)
{
	shortcuts->slots = rte_zmalloc(
		"shortcuts", SLOTS * sizeof(*shortcuts->slots), RTE_CACHE_LINE_SIZE);
	return shortcuts->slots != NULL;
}

void shortcuts_free(struct shortcuts *shortcuts)
{
	rte_free(shortcuts->slots);
	shortcuts->slots = NULL;
}

/* Looks at what they brought. */
static void judge(struct shortcuts *shortcuts)
{
	if (shortcuts->taken < shortcuts->asked / LEAST)
		shortcuts->rest = REST;
	shortcuts->asked = shortcuts->taken = 0;
}

bool shortcuts_pay(struct shortcuts *shortcuts, unsigned n)
{
	if (unlikely(shortcuts->asked >= TRIAL))
		judge(shortcuts);
	if (likely(shortcuts->rest == 0))
		return true;
	shortcuts->rest -= RTE_MIN(shortcuts->rest, n);
	return false;
}

void shortcut_keep(
	struct shortcuts *shortcuts, const uint8_t *frame, const struct shortcut_facts *facts)
{
	*shortcut_slot(shortcuts, frame, facts->from) = (struct shortcut){
		.l2 = {load64(frame), load64(frame + 6)},
		.addresses = load64(frame + 26),
		.ports = load32(frame + USUAL_L4_OFF),
		.from = facts->from,
		.proto = frame[23],
		.serial = facts->serial,
		.conn = facts->conn,
		.sequence = facts->conn != NULL ? facts->conn->sequence : 0,
		.flow_hash = facts->flow_hash,
		.out = facts->out,
		.sender = facts->sender,
		.settled = facts->settled,
	};
}
