#include "block_timer.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "blocks.h"
#include "events.h"
#include "log.h"
#include "loop.h"
#include "switch.h"

#define RETRY_MS 5000
#define LOOK_MS  10000 /* at the latest: the clock may be set */

static struct loop_timer *timer;

static uint64_t ms_until(time_t until)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = ((int64_t)until - now.tv_sec) * 1000 - now.tv_nsec / 1000000;
	if (ms < 1)
		return 1;
	return ms < LOOK_MS ? (uint64_t)ms + 1 : LOOK_MS;
}

/* Lifts what is due. False where that could not be put in force: then nothing was lifted. */
static bool lift(void)
{
	int n = blocks_expire(time(NULL));
	struct config_report report;
	struct config_error err;

	if (n <= 0)
		return n == 0;
	config_report_init(&report);
	if (!switch_policy_changed(&report)) {
		blocks_undo();
		log_error("emergency blocks whose time is up stay: %s", report.messages[0].text);
		return false;
	}
	blocks_save(&err);
	log_info("%d emergency block%s lifted: the time is up", n, n == 1 ? "" : "s");
	events_emit("block", json_pack("{s:s,s:i}", "action", "expired", "blocks", n));
	return true;
}

static void on_timer(void *arg)
{
	struct config_error err;
	bool lifted;

	timer = NULL;
	lifted = lift();
	if (blocks_problem() != NULL && !blocks_unknown())
		blocks_save(&err);
	if (lifted)
		block_timer_set();
	else
		timer = loop_after(RETRY_MS, on_timer, NULL);
}

void block_timer_set(void)
{
	time_t next = blocks_next_expiry();
	bool unsaved = blocks_problem() != NULL && !blocks_unknown();

	loop_cancel(timer);
	timer = NULL;
	if (next != 0)
		timer = loop_after(ms_until(next), on_timer, NULL);
	else if (unsaved)
		timer = loop_after(RETRY_MS, on_timer, NULL);
}
