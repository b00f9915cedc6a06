#include "shortcut.h"

#include <string.h>
#include <sys/mman.h>

#define SIZE  (sizeof(struct shortcut) << SHORTCUT_SLOTS_LOG2)
#define TRIAL 32768u /* packets, after which it is looked at whether they pay */
#define LEAST 75 /* percent of the packets that must have one: with fewer, looking costs more */
#define REST  1048576u /* packets; so that trials in vain cost little */

bool shortcuts_init(struct shortcuts *shortcuts)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	/* Where the kernel has no large pages, small ones do. Its worker never waits for one. */
	madvise(memory, SIZE, MADV_HUGEPAGE);
	memset(memory, 0, SIZE);
	shortcuts->slots = memory;
	return true;
}

void shortcuts_free(struct shortcuts *shortcuts)
{
	if (shortcuts->slots != NULL)
		munmap(shortcuts->slots, SIZE);
	shortcuts->slots = NULL;
}

/* Looks at what they brought. */
static void judge(struct shortcut_use *use)
{
	if (use->taken * 100ull < (uint64_t)use->asked * LEAST)
		use->rest = REST;
	use->asked = use->taken = 0;
}

bool shortcuts_pay(struct shortcut_use *use, unsigned n)
{
	if (unlikely(use->asked >= TRIAL))
		judge(use);
	if (likely(use->rest == 0))
		return true;
	use->rest -= RTE_MIN(use->rest, n);
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
		.worker = facts->worker,
		.settled = facts->settled,
	};
}
