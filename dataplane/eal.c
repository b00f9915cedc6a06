#include <dirent.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "inspect_memory.h"
#include "log.h"

/* Beside the packet pool: MAC tables, rings, counters. Ordinary pages cost nothing until touched.
 */
#define TABLES_HUGE_MB  64
#define TABLES_PLAIN_MB 768
#define BUFFER_BYTES    (RTE_MBUF_DEFAULT_BUF_SIZE + 512) /* with mbuf, alignment and ring slot */

static unsigned pool_mb(const struct config_vswitch *conf)
{
	return ((uint64_t)conf->buffers * BUFFER_BYTES >> 20) + 1;
}

/* Taken only where something is inspected; until then ordinary pages cost nothing. */
static unsigned inspection_mb(const struct config_vswitch *conf)
{
	uint64_t flows = (uint64_t)conf->inspected * conf->n_workers * INSPECT_FLOW_BYTES;

	return conf->inspection_memory + (unsigned)(flows >> 20) + 1;
}

static unsigned read_unsigned(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned value = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%u", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* MiB in free hugepages of all sizes. */
static uint64_t free_hugepages_mb(void)
{
	DIR *dir = opendir("/sys/kernel/mm/hugepages");
	struct dirent *entry;
	uint64_t total = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[300];
		unsigned kb;

		if (sscanf(entry->d_name, "hugepages-%ukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%.40s/free_hugepages",
			entry->d_name);
		total += (uint64_t)read_unsigned(path) * kb >> 10;
	}
	if (dir != NULL)
		closedir(dir);
	return total;
}

/* 1: use hugepages, 0: ordinary pages, -1: wanted but not there. */
static int choose_memory(const struct config_vswitch *conf, char *err, size_t err_len)
{
	uint64_t need = pool_mb(conf) + TABLES_HUGE_MB, have = free_hugepages_mb();

	if (conf->hugepages == CONFIG_HUGEPAGES_NO)
		return 0;
	if (have >= need)
		return 1;
	if (conf->hugepages == CONFIG_HUGEPAGES_AUTO) {
		log_info("memory: ordinary pages (%llu MiB of hugepages free, %llu needed)",
			(unsigned long long)have, (unsigned long long)need);
		return 0;
	}
	snprintf(err, err_len,
		"vswitch.hugepages: %llu MiB are needed and %llu are free: sysctl "
		"vm.nr_hugepages=%llu, "
		"or set hugepages to auto",
		(unsigned long long)need, (unsigned long long)have,
		(unsigned long long)(need / 2 + 1));
	return -1;
}

/* "0@(0,1,5)": lcore 0, the control thread, on every core that the process may use. */
static void format_lcores(char *text, size_t len)
{
	size_t at = snprintf(text, len, "0@(");
	const char *comma = "";
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		CPU_ZERO(&cpus);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && at + 8 < len; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		at += snprintf(text + at, len - at, "%s%u", comma, cpu);
		comma = ",";
	}
	snprintf(text + at, len - at, ")");
}

/*
 * A guest with one queue pair costs some 15 descriptors, one with 16 over 100 (vhost_user.h); the
 * soft limit is often 1024.
 */
static void raise_file_limit(void)
{
	struct rlimit limit;
	rlim_t need = 64 + 16 * CONFIG_PORTS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < need)
		log_warning(
			"open files: limit is %llu; with %u ports up to %llu may be needed: raise "
			"the hard limit (LimitNOFILE= in the unit, ulimit -Hn)",
			(unsigned long long)limit.rlim_cur, CONFIG_PORTS_MAX,
			(unsigned long long)need);
}

int eal_start(const struct config_vswitch *conf, bool pci, char *err, size_t err_len)
{
	char lcores[1024], memory[16];
	char *argv[12];
	int argc = 0, hugepages = choose_memory(conf, err, err_len);

	if (hugepages < 0)
		return -1;
	raise_file_limit();
	format_lcores(lcores, sizeof(lcores));
	snprintf(memory, sizeof(memory), "%u",
		pool_mb(conf) + TABLES_PLAIN_MB + inspection_mb(conf));
	argv[argc++] = "vswitchd";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	/* Of the PCI bus only what an uplink names later: no device has this address. */
	argv[argc++] = pci ? "--allow=ffff:ff:1f.7" : "--no-pci";
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=4"; /* warnings; what matters is reported by ourselves */
	if (hugepages) {
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
		argv[argc++] = "-m";
		argv[argc++] = memory;
	}
	argv[argc] = NULL;
	if (rte_eal_init(argc, argv) < 0) {
		snprintf(err, err_len, "DPDK does not start: %s", rte_strerror(rte_errno));
		return -1;
	}
	return 0;
}

void eal_stop(void)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	/* The EAL makes a directory even where it keeps nothing in it; others may still use it. */
	if (rmdir(dir) == 0)
		rmdir(dirname(dir));
}
