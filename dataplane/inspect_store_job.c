#include "inspect_store_job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define COMPILER_NICE 10

static struct {
	pthread_t thread;
	bool started;
	int fd;
	char cache_dir[512];
	struct rule_names *bits; /* the compiler thread's, between start and stop */

	pthread_mutex_t mutex; /* holds what follows */
	pthread_cond_t cond;
	struct inspect_job *todo, *done;
	bool busy, stop;
} compiler = {
	.fd = -1,
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.cond = PTHREAD_COND_INITIALIZER,
};

struct inspect_job *inspect_job_create(unsigned items)
{
	struct inspect_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->items = calloc(items + 1u, sizeof(*job->items));
	if (job->items == NULL) {
		free(job);
		return NULL;
	}
	return job;
}

void inspect_job_free(struct inspect_job *job)
{
	if (job == NULL)
		return;
	for (unsigned i = 0; i < job->n; i++) {
		inspect_files_free(job->items[i].files);
		inspect_set_free(job->items[i].set);
		rule_report_free(&job->items[i].report);
	}
	config_free(job->config);
	free(job->items);
	free(job);
}

static void fail(struct inspect_job *job, struct inspect_job_item *item, const char *error)
{
	if (error != item->error)
		snprintf(item->error, sizeof(item->error), "%s", error);
	job->failed = true;
}

/* False: it need not be compiled, or cannot be. */
static bool read_item(struct inspect_job *job, struct inspect_job_item *item)
{
	struct ruleset *ruleset;

	if (!item->files->read && !inspect_files_read(item->files, &item->report)) {
		fail(job, item, "a file of rules cannot be read");
		return false;
	}
	if (!job->reload)
		return true;
	if (item->running && item->hash == item->files->hash)
		return false;
	/* With names of its own: those of rules that are refused would stay. */
	ruleset = inspect_files_load(item->files, NULL, &item->report);
	if (ruleset == NULL)
		fail(job, item, "rules are refused");
	else
		rule_report_free(&item->report);
	ruleset_free(ruleset);
	return ruleset != NULL;
}

/* For all tenants of the configuration that the set is for; the control thread need not then. */
static void bind_item(const struct inspect_job *job, struct inspect_set *set)
{
	for (unsigned i = 0; i < job->config->n_inspection; i++) {
		const struct config_inspection *conf = &job->config->inspection[i];
		char *key = inspect_files_key(job->rules_dir, conf);
		char err[256];

		if (key != NULL && strcmp(key, set->files->key) == 0)
			(void)inspect_set_bind(set, conf, err, sizeof(err));
		free(key);
	}
}

static void build_item(struct inspect_job *job, struct inspect_job_item *item)
{
	item->set = inspect_set_build(item->files, compiler.bits, compiler.cache_dir,
		job->n_workers, &item->report, item->error, sizeof(item->error));
	if (item->set == NULL) {
		fail(job, item, item->error);
		return;
	}
	item->error[0] = '\0';
	item->files = NULL;
	bind_item(job, item->set);
}

static void run(struct inspect_job *job)
{
	bool *wanted = calloc(job->n + 1u, sizeof(*wanted));

	for (unsigned i = 0; i < job->n; i++) {
		if (wanted != NULL)
			wanted[i] = read_item(job, &job->items[i]);
		else
			fail(job, &job->items[i], "out of memory");
	}
	for (unsigned i = 0; i < job->n && !(job->reload && job->failed); i++)
		if (wanted != NULL && wanted[i])
			build_item(job, &job->items[i]);
	free(wanted);
}

static void *compiler_main(void *arg)
{
	static const uint64_t one = 1;

	/* On a core that a worker polls on, most of the time is to stay the worker's. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), COMPILER_NICE);
	pthread_mutex_lock(&compiler.mutex);
	while (!compiler.stop) {
		struct inspect_job *job = compiler.todo;

		if (job == NULL) {
			pthread_cond_wait(&compiler.cond, &compiler.mutex);
			continue;
		}
		compiler.todo = NULL;
		pthread_mutex_unlock(&compiler.mutex);
		run(job);
		pthread_mutex_lock(&compiler.mutex);
		compiler.done = job;
		while (write(compiler.fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
	pthread_mutex_unlock(&compiler.mutex);
	return arg;
}

static int spawn(void)
{
	pthread_attr_t attr;
	sigset_t all;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &all);
	rc = pthread_create(&compiler.thread, &attr, compiler_main, NULL);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_setname_np(compiler.thread, "vs-compiler");
	return rc;
}

static void clean_up(void)
{
	if (compiler.fd >= 0)
		close(compiler.fd);
	compiler.fd = -1;
	rule_names_free(compiler.bits);
	compiler.bits = NULL;
	inspect_job_free(compiler.todo);
	inspect_job_free(compiler.done);
	compiler.todo = compiler.done = NULL;
	compiler.busy = compiler.stop = compiler.started = false;
}

bool inspect_compiler_start(const char *cache_dir, char *err, size_t err_len)
{
	int rc;

	snprintf(compiler.cache_dir, sizeof(compiler.cache_dir), "%s", cache_dir);
	compiler.bits = rule_names_create(RULE_BIT_NAMES_MAX);
	compiler.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (compiler.bits == NULL || compiler.fd < 0) {
		snprintf(err, err_len, "the compiler of rules cannot start: %s",
			compiler.bits == NULL ? "out of memory" : strerror(errno));
		clean_up();
		return false;
	}
	rc = spawn();
	compiler.started = rc == 0;
	if (rc == 0)
		return true;
	snprintf(err, err_len, "the compiler of rules cannot start: %s", strerror(rc));
	clean_up();
	return false;
}

void inspect_compiler_stop(void)
{
	if (!compiler.started)
		return;
	pthread_mutex_lock(&compiler.mutex);
	compiler.stop = true;
	pthread_cond_signal(&compiler.cond);
	pthread_mutex_unlock(&compiler.mutex);
	pthread_join(compiler.thread, NULL);
	clean_up();
}

int inspect_compiler_fd(void)
{
	return compiler.fd;
}

bool inspect_compiler_busy(void)
{
	return compiler.busy;
}

void inspect_compiler_submit(struct inspect_job *job)
{
	compiler.busy = true;
	pthread_mutex_lock(&compiler.mutex);
	compiler.todo = job;
	pthread_cond_signal(&compiler.cond);
	pthread_mutex_unlock(&compiler.mutex);
}

struct inspect_job *inspect_compiler_take(void)
{
	struct inspect_job *job;
	uint64_t ends;

	pthread_mutex_lock(&compiler.mutex);
	job = compiler.done;
	compiler.done = NULL;
	(void)!read(compiler.fd, &ends, sizeof(ends));
	pthread_mutex_unlock(&compiler.mutex);
	if (job != NULL)
		compiler.busy = false;
	return job;
}
