/*
 * Fuzzes requests: the bytes as lines of the control protocol, answered on a fake switch with a
 * configuration applied. Whatever a line is, its answer is one object that says "ok" or not, and
 * what is applied stays a valid configuration.
 *
 * libFuzzer target; its corpus is request lines.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "events.h"
#include "fake_switch.h"
#include "log.h"
#include "loop.h"
#include "transaction.h"

#define LINES_MAX 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct control_peer peer = {0, 0, 1};
static char dir[] = "/dev/shm/vswitch-fuzz-XXXXXX", file[64];

/* Instead of log.c's: what a request can write to the log, it would write a million times here. */
void log_message(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	(void)limit;
	(void)level;
	(void)fmt;
}

static void must(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* Every revision that was saved. */
static void remove_files(void)
{
	char state[64], path[384];
	struct dirent *entry;
	DIR *files;

	snprintf(state, sizeof(state), "%s/state", dir);
	files = opendir(state);
	while (files != NULL && (entry = readdir(files)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", state, entry->d_name);
		if (entry->d_type != DT_DIR)
			unlink(path);
	}
	if (files != NULL)
		closedir(files);
}

static void remove_dir(void)
{
	char state[64];

	remove_files();
	unlink(file);
	snprintf(state, sizeof(state), "%s/state", dir);
	rmdir(state);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	FILE *out;

	(void)argc;
	(void)argv;
	if (mkdtemp(dir) == NULL || loop_open() != 0)
		return -1;
	snprintf(file, sizeof(file), "%s/v.yaml", dir);
	out = fopen(file, "w");
	if (out == NULL)
		return -1;
	fprintf(out,
		"vswitch: {state: %s/state}\nnetworks: [{name: office}]\n"
		"ports: [{name: vm1, network: office, kernel: {interface: a1}}]\n",
		dir);
	fclose(out);
	atexit(remove_dir);
	return 0;
}

static void answer(const char *line, size_t len)
{
	json_t *reply = commands_answer(line, len, &peer), *ok = json_object_get(reply, "ok");
	char *text = json_dumps(reply, JSON_COMPACT);

	must(json_is_boolean(ok), "an answer without ok");
	must(json_is_true(ok) == (json_object_get(reply, "result") != NULL), "ok without result");
	must(text != NULL && strchr(text, '\n') == NULL, "an answer that is no line");
	free(text);
	json_decref(reply);
}

static void check_applied(void)
{
	const json_t *document = transaction_document();
	struct config_report report;
	struct config_doc *doc;
	struct config *config;

	if (document == NULL)
		return;
	config_report_init(&report);
	doc = config_doc_from_json("applied", (json_t *)(uintptr_t)document);
	config = config_decode(doc, &report);
	must(config != NULL, "what is applied is no valid configuration");
	config_free(config);
	config_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size;

	remove_files();
	events_open("");
	must(transaction_load(file) != NULL && transaction_start(), "the start fails");
	for (unsigned i = 0; i < LINES_MAX && line < end; i++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((newline == NULL ? end : newline) - line);
		char *copy = malloc(len); /* of exact size, so that a read behind it is seen */

		must(copy != NULL || len == 0, "out of memory");
		memcpy(copy, line, len);
		answer(copy, len);
		free(copy);
		line += len + 1;
	}
	check_applied();
	loop_run_once(0);
	transaction_stop();
	events_close();
	fake_switch_reset();
	return 0;
}
