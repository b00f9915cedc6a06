/*
 * What inspection found in a replay, for its summary: every finding, by rule or own detection, and
 * who was cut off. One owner, one thread, no worker threads.
 */
#ifndef VS_REPLAY_INSPECT_H
#define VS_REPLAY_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"

struct replay_inspect;

/* Starts what inspection stands on, before switch_reconfigure(). NULL with a message in err. */
struct replay_inspect *replay_inspect_start(
	const struct config_vswitch *conf, char *err, size_t err_len);

/* Waits until config's rules are compiled, and has the workers run them. False with a message. */
bool replay_inspect_ready(char *err, size_t err_len);

/* Takes in what the workers have told since the last call, while frame went through, counted
 * from 1.
 */
void replay_inspect_take(struct replay_inspect *inspect, uint64_t frame);

/*
 * {"alerts": [{"gid","sid" | "id","text","count","dropped","first_frame"}], "quarantined":
 * [{"port","level","by","frame"}], "status": as switch_inspect_status()}; the caller owns the
 * reference.
 */
json_t *replay_inspect_summary(const struct replay_inspect *inspect);

/* When the switch has stopped. NULL is none. */
void replay_inspect_stop(struct replay_inspect *inspect);

#endif
