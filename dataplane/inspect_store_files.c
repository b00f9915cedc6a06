#include "inspect_store_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_vars.h"
#include "rule_file.h"

#define CLASSES   "classification.config"
#define PATH_ROOM 768

static void path_of(const char *rules_dir, const char *name, char path[PATH_ROOM])
{
	if (name[0] == '/' || rules_dir[0] == '\0')
		snprintf(path, PATH_ROOM, "%s", name);
	else
		snprintf(path, PATH_ROOM, "%s/%s", rules_dir, name);
}

static int by_name(const void *a, const void *b)
{
	const struct config_variable *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Those that not every tenant has, by name. False: out of memory. */
static bool own_variables(const struct config_inspection *conf,
	const struct config_variable *own[CONFIG_VARIABLES_MAX], unsigned *n)
{
	struct rule_vars *all = conf->n_variables > 0 ? rule_vars_create() : NULL;

	*n = 0;
	for (unsigned i = 0; all != NULL && i < conf->n_variables; i++) {
		const char *name = conf->variables[i].name;

		if (rule_vars_get(all, config_vars_kind(name), name, strlen(name)) == NULL)
			own[(*n)++] = &conf->variables[i];
	}
	qsort(own, *n, sizeof(own[0]), by_name);
	rule_vars_free(all);
	return all != NULL || conf->n_variables == 0;
}

char *inspect_files_key(const char *rules_dir, const struct config_inspection *conf)
{
	const struct config_variable *own[CONFIG_VARIABLES_MAX];
	char path[PATH_ROOM], *key = NULL;
	unsigned n;
	size_t size;
	FILE *out;

	if (conf->n_rules == 0)
		return strdup("");
	if (!own_variables(conf, own, &n))
		return NULL;
	out = open_memstream(&key, &size);
	if (out == NULL)
		return NULL;
	for (unsigned i = 0; i < conf->n_rules; i++) {
		path_of(rules_dir, conf->rules[i], path);
		fprintf(out, "%s\n", path);
	}
	fprintf(out, "skip %d\n", conf->skip_unsupported);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "$%s\n", own[i]->name);
	if (fclose(out) == 0)
		return key;
	free(key);
	return NULL;
}

struct inspect_files *inspect_files_create(
	const char *rules_dir, const struct config_inspection *conf, char *err, size_t err_len)
{
	struct inspect_files *files = calloc(1, sizeof(*files));
	unsigned at;
	bool done;

	snprintf(err, err_len, "out of memory");
	if (files == NULL)
		return NULL;
	files->key = inspect_files_key(rules_dir, conf);
	files->skip_unsupported = conf->skip_unsupported;
	snprintf(files->dir, sizeof(files->dir), "%s", rules_dir);
	done = files->key != NULL;
	for (unsigned i = 0; done && i < conf->n_rules; i++) {
		char path[PATH_ROOM];

		path_of(rules_dir, conf->rules[i], path);
		files->relative[i] = conf->rules[i][0] != '/';
		files->sources[i].name = strdup(path);
		files->n++;
		done = files->sources[i].name != NULL;
	}
	if (done)
		files->vars = config_vars_create(conf, &at, err, err_len);
	if (done && files->vars != NULL)
		return files;
	inspect_files_free(files);
	return NULL;
}

static void forget(struct ruleset_source *source)
{
	free((char *)(uintptr_t)source->text);
	source->text = NULL;
	source->size = 0;
}

void inspect_files_forget(struct inspect_files *files)
{
	for (unsigned i = 0; i < files->n; i++)
		forget(&files->sources[i]);
	forget(&files->classes);
	files->read = false;
}

void inspect_files_free(struct inspect_files *files)
{
	if (files == NULL)
		return;
	inspect_files_forget(files);
	for (unsigned i = 0; i < files->n; i++)
		free((char *)(uintptr_t)files->sources[i].name);
	free((char *)(uintptr_t)files->classes.name);
	rule_vars_free(files->vars);
	free(files->key);
	free(files);
}

static void add_hash(struct inspect_files *files, const struct ruleset_source *source)
{
	/* FNV-1a; the size in front keeps two files apart from one of both. */
	files->hash = (files->hash ^ source->size) * 1099511628211U;
	for (size_t i = 0; i < source->size; i++)
		files->hash = (files->hash ^ (uint8_t)source->text[i]) * 1099511628211U;
}

static bool read_one(struct inspect_files *files, struct ruleset_source *source, bool relative,
	size_t *room, struct rule_report *report)
{
	size_t max = *room < RULESET_FILE_MAX ? *room : RULESET_FILE_MAX;
	char why[RULE_REASON_MAX], reason[RULE_REASON_MAX + 64];
	struct rule_file file;

	if (relative && files->dir[0] == '\0')
		snprintf(why, sizeof(why),
			"is a relative name, and vswitch.rules names no directory to look in");
	else if (rule_file_open(&file, source->name, max, why, sizeof(why))) {
		source->text = file.text;
		source->size = file.size;
		*room -= file.size;
		add_hash(files, source);
		return true;
	}
	snprintf(reason, sizeof(reason), "%s%s", why,
		relative && files->dir[0] != '\0'
			? " (a relative name is looked for in vswitch.rules)"
			: "");
	rule_report_add(report, source->name, 0, 0, "", reason);
	return false;
}

/* True also where there is none. */
static bool read_classes(struct inspect_files *files, size_t *room, struct rule_report *report)
{
	free((char *)(uintptr_t)files->classes.name);
	files->classes.name = NULL;
	for (unsigned i = 0; i < files->n; i++) {
		const char *name = files->sources[i].name, *slash = strrchr(name, '/');
		char path[PATH_ROOM + sizeof(CLASSES)];

		snprintf(path, sizeof(path), "%.*s" CLASSES,
			slash == NULL ? 0 : (int)(slash + 1 - name), name);
		if (access(path, F_OK) != 0)
			continue;
		files->classes.name = strdup(path);
		return files->classes.name != NULL &&
		       read_one(files, &files->classes, false, room, report);
	}
	return true;
}

bool inspect_files_read(struct inspect_files *files, struct rule_report *report)
{
	size_t room = INSPECT_FILES_MAX;
	bool done = true;

	inspect_files_forget(files);
	files->hash = 14695981039346656037U;
	for (unsigned i = 0; i < files->n; i++)
		done &= read_one(files, &files->sources[i], files->relative[i], &room, report);
	done = read_classes(files, &room, report) && done;
	if (!done)
		inspect_files_forget(files);
	files->read = done;
	return done;
}

struct ruleset *inspect_files_load(
	const struct inspect_files *files, struct rule_names *bits, struct rule_report *report)
{
	const struct ruleset_options options = {
		.vars = files->vars,
		.bits = bits,
		.class_source = files->classes.name != NULL ? &files->classes : NULL,
		.skip_unsupported = files->skip_unsupported,
	};

	return ruleset_load(files->sources, files->n, &options, report);
}
