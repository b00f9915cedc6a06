#include "quarantine_gate.h"

_Atomic uint8_t quarantine_levels[MAX_PORTS] __attribute__((aligned(64)));

bool quarantine_gate_raise(uint16_t port, enum config_quarantine_level level)
{
	uint8_t now = quarantine_level(port);

	while (now < level) {
		if (atomic_compare_exchange_weak_explicit(&quarantine_levels[port], &now,
			    (uint8_t)level, memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return false;
}

void quarantine_gate_set(uint16_t port, enum config_quarantine_level level)
{
	atomic_store_explicit(&quarantine_levels[port], (uint8_t)level, memory_order_relaxed);
}
