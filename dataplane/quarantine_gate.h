/*
 * Which ports are cut off, as workers ask with every packet: one atomic byte a port beside the
 * snapshot, so that the deciding packet itself sets it. By port id; the control thread's table
 * (quarantine.h) decides what stands there when a port comes or goes, lifts it and makes it
 * lasting.
 */
#ifndef VS_QUARANTINE_GATE_H
#define VS_QUARANTINE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "sizes.h"

/* enum config_quarantine_level; FLOW never stands here. */
extern _Atomic uint8_t quarantine_levels[MAX_PORTS];

static inline uint8_t quarantine_level(uint16_t port)
{
	return atomic_load_explicit(&quarantine_levels[port], memory_order_relaxed);
}

/* Raises port to level, never lowers it. True where that is new. Any thread. */
bool quarantine_gate_raise(uint16_t port, enum config_quarantine_level level);

/* Control thread. */
void quarantine_gate_set(uint16_t port, enum config_quarantine_level level);

#endif
