/*
 * What benchmarks of the whole switch share: one that runs in this process, with ports that are
 * made up (source.h). Control thread.
 */
#ifndef VS_BENCH_SETUP_H
#define VS_BENCH_SETUP_H

#include <stdbool.h>
#include <stdio.h>

#include "port_driver.h"

/* Says what is wrong, and ends the process. */
void setup_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Group `rules` of tenant `bench`: n rules, of which the last two let flows pass (source.h). */
void setup_write_rules(FILE *out, unsigned n);

/*
 * Starts a switch whose `vswitch:` section is this text, with ports of that driver. stepped:
 * without threads, for a caller that makes the passes of worker 0. Ends the process where that
 * fails.
 */
void setup_start(const char *vswitch, const struct port_driver *driver, bool stepped);
void setup_stop(void);

/* What all of `vswitch:` and more says, as YAML; ends the process where it is refused. */
void setup_apply(const char *text);

#endif
