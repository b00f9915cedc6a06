/*
 * DPDK's environment: which memory, which cores, how much of its log. Control thread, once.
 */
#ifndef VS_EAL_H
#define VS_EAL_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/*
 * Starts the EAL for conf. The calling thread becomes its main lcore and floats over the cores that
 * the process may use; workers are pinned later. Memory comes from hugepages where conf wants them
 * and enough are free, else from ordinary pages. pci: devices of the PCI bus may be asked for
 * later. Nothing is left in the file system. 0, or -1 with a message in err.
 */
int eal_start(const struct config_vswitch *conf, bool pci, char *err, size_t err_len);

void eal_stop(void);

#endif
