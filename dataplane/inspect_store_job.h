/*
 * The compiler thread, and how work goes to it and back: one job at a time, handed over whole under
 * one mutex, and the end told by an eventfd. A job belongs to the thread that has it.
 *
 * Functions: control thread.
 */
#ifndef VS_INSPECT_STORE_JOB_H
#define VS_INSPECT_STORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "inspect_store_set.h"

struct inspect_job_item {
	struct inspect_files *files; /* read already, or to be read; NULL: set has them */
	bool running; /* a set of these files runs, of content with this hash */
	uint64_t hash;
	struct inspect_set *set; /* result; NULL: nothing new, or not to be had */
	struct rule_report report; /* of what was refused */
	char error[256]; /* empty: none */
};

struct inspect_job {
	bool reload; /* all or nothing, and only what differs from what runs */
	bool failed; /* an item has an error */
	char rules_dir[256];
	unsigned n_workers;
	unsigned n;
	struct inspect_job_item *items;
	struct config *config; /* a share: whose tenants the sets are bound for */
};

/* cache_dir: "" for none. False, with a reason. */
bool inspect_compiler_start(const char *cache_dir, char *err, size_t err_len);
/* Waits for what is being compiled, which cannot be broken off. */
void inspect_compiler_stop(void);

/* Readable when a job has ended; inspect_compiler_take() makes it unreadable. */
int inspect_compiler_fd(void);
bool inspect_compiler_busy(void); /* a job was submitted and not taken */

/* Takes over the job. Not while busy. */
void inspect_compiler_submit(struct inspect_job *job);
/* The job that has ended; the caller's again. NULL: none has. */
struct inspect_job *inspect_compiler_take(void);

/* NULL: out of memory. */
struct inspect_job *inspect_job_create(unsigned items);
void inspect_job_free(struct inspect_job *job);

#endif
