#include "config_doc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

#include "config_marks.h"

struct config_doc {
	char *name;
	json_t *root;
	struct config_marks marks;
};

/* A mapping or list whose end has not been seen yet. */
struct frame {
	json_t *node;
	unsigned mark;
	bool has_key; /* mapping: a field's name was read, its value comes next */
	bool skip; /* ... and that value is a second one: not kept */
	char key[CONFIG_DOC_KEY_MAX + 1];
	yaml_mark_t key_mark;
};

struct reader {
	struct config_doc *doc;
	struct config_report *report;
	yaml_parser_t parser;
	struct frame stack[CONFIG_DOC_DEPTH_MAX];
	unsigned depth;
	bool failed; /* something was reported; reading on only to find more */
	bool stop; /* no sense in reading on */
	bool done;
};

static void reader_path(const struct reader *r, char *path, size_t size)
{
	size_t len = 0;

	path[0] = '\0';
	for (unsigned i = 0; i < r->depth && len < size; i++) {
		const struct frame *f = &r->stack[i];

		bool open = i + 1 < r->depth; /* its newest child is the next frame */

		if (json_is_array(f->node))
			len += (size_t)snprintf(
				path + len, size - len, "[%zu]", json_array_size(f->node) - open);
		else if (f->has_key || open)
			len += (size_t)snprintf(
				path + len, size - len, "%s%s", len ? "." : "", f->key);
	}
}

static void __attribute__((format(printf, 3, 4)))
reader_error(struct reader *r, const yaml_mark_t *at, const char *fmt, ...)
{
	char path[CONFIG_DOC_DEPTH_MAX * (CONFIG_DOC_KEY_MAX + 2)];
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	reader_path(r, path, sizeof(path));
	config_report_add(r->report, false, r->doc->name, (unsigned)at->line + 1,
		(unsigned)at->column + 1, path, "%s", text);
	r->failed = true;
}

static void reader_fatal(struct reader *r, const yaml_mark_t *at, const char *text)
{
	reader_error(r, at, "%s", text);
	r->stop = true;
}

static bool match_any(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

static json_t *plain_integer(const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');
	const char *set = "0123456789";
	int base = 10;
	long long value;

	if (!strncmp(text, "0o", 2)) {
		base = 8;
		set = "01234567";
		digits = text + 2;
	} else if (!strncmp(text, "0x", 2)) {
		base = 16;
		set = "0123456789abcdefABCDEF";
		digits = text + 2;
	} else if (digits[0] == '0' && digits[1]) {
		return NULL;
	}
	if (!*digits || digits[strspn(digits, set)])
		return NULL;
	errno = 0;
	value = strtoll(base == 10 ? text : digits, NULL, base);
	return errno ? NULL : json_integer(value);
}

json_t *config_doc_plain_scalar(const char *text, size_t len)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	char word[64]; /* longer text has no other meaning */
	json_t *integer;

	if (len >= sizeof(word) || memchr(text, '\0', len))
		return json_stringn(text, len);
	memcpy(word, text, len);
	word[len] = '\0';
	if (match_any(word, nulls))
		return json_null();
	if (match_any(word, trues))
		return json_true();
	if (match_any(word, falses))
		return json_false();
	integer = plain_integer(word);
	return integer ? integer : json_stringn(text, len);
}

static bool add_mark(struct reader *r, const yaml_mark_t *at, const char *key)
{
	struct config_marks *marks = &r->doc->marks;

	if (marks->n == CONFIG_DOC_NODES_MAX) {
		reader_error(r, at, "too many values: at most %u are read", CONFIG_DOC_NODES_MAX);
		r->stop = true;
		return false;
	}
	if (!config_marks_add(marks, (unsigned)at->line + 1, (unsigned)at->column + 1, key)) {
		reader_fatal(r, at, "out of memory");
		return false;
	}
	return true;
}

/* jansson's own copy of the key lives as long as the member does. */
static const char *member_key(json_t *object, const char *key)
{
	return json_object_iter_key(json_object_iter_at(object, key));
}

/* Puts node, whose reference is taken over, where it belongs. False: it went nowhere. */
static bool place(struct reader *r, const yaml_mark_t *at, json_t *node)
{
	struct frame *f = r->depth ? &r->stack[r->depth - 1] : NULL;
	const char *key = NULL;

	if (!node) {
		reader_fatal(r, at, "out of memory, or text that is no UTF-8");
		return false;
	}
	if (!f) {
		r->doc->root = node;
	} else if (json_is_array(f->node)) {
		json_array_append_new(f->node, node);
	} else if (f->skip) {
		json_decref(node);
		f->has_key = f->skip = false;
		return true;
	} else {
		json_object_set_new(f->node, f->key, node);
		key = member_key(f->node, f->key);
		at = &f->key_mark;
		f->has_key = false;
	}
	return add_mark(r, at, key);
}

static void read_key(struct reader *r, const yaml_event_t *event)
{
	struct frame *f = &r->stack[r->depth - 1];
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (len == 0 || len > CONFIG_DOC_KEY_MAX || strlen(text) != len) {
		reader_error(r, &event->start_mark,
			"a field's name must be text of 1 to %d characters", CONFIG_DOC_KEY_MAX);
		r->stop = true;
		return;
	}
	memcpy(f->key, text, len + 1);
	f->key_mark = event->start_mark;
	f->has_key = true;
	if (json_object_get(f->node, f->key)) {
		char path[CONFIG_DOC_DEPTH_MAX * (CONFIG_DOC_KEY_MAX + 2)];
		unsigned line, col;

		reader_path(r, path, sizeof(path));
		config_doc_where(r->doc, path, &line, &col);
		reader_error(r, &event->start_mark,
			"is given twice, first on line %u: remove one of the two", line);
		f->skip = true;
	}
}

static void read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	json_t *node;

	if (r->depth && json_is_object(r->stack[r->depth - 1].node) &&
		!r->stack[r->depth - 1].has_key) {
		read_key(r, event);
		return;
	}
	if (len > CONFIG_DOC_SCALAR_MAX) {
		reader_error(r, &event->start_mark,
			"is longer than the %d bytes that a value may have", CONFIG_DOC_SCALAR_MAX);
		node = json_null();
	} else if (strlen(text) != len) {
		reader_error(r, &event->start_mark, "must not contain a NUL character");
		node = json_null();
	} else {
		node = plain ? config_doc_plain_scalar(text, len) : json_stringn(text, len);
	}
	place(r, &event->start_mark, node);
}

static void read_start(struct reader *r, const yaml_event_t *event, json_t *node)
{
	struct frame *up = r->depth ? &r->stack[r->depth - 1] : NULL;
	const char *fault = NULL;

	if (up && json_is_object(up->node) && !up->has_key)
		fault = "a field's name must be text, not a mapping or list";
	else if (r->depth == CONFIG_DOC_DEPTH_MAX)
		fault = "is nested too deeply: take out levels that no field asks for";
	if (fault)
		reader_fatal(r, &event->start_mark, fault);
	if (fault || (up && up->skip)) {
		json_decref(node);
		r->stop = true;
		return;
	}
	if (!place(r, &event->start_mark, node))
		return;
	r->stack[r->depth++] = (struct frame){
		.node = node, .mark = config_marks_open(&r->doc->marks)};
}

static void read_end(struct reader *r)
{
	r->depth--;
	config_marks_close(&r->doc->marks, r->stack[r->depth].mark);
}

/* Anchors and tags ask for a meaning that no field has; an alias may also explode in size. */
static void check_properties(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
	const yaml_char_t *tag)
{
	if (anchor)
		reader_error(r, &event->start_mark,
			"anchors and aliases are not read: write the value out where it is needed");
	if (tag)
		reader_error(r, &event->start_mark,
			"tags are not read: leave the tag out and quote the value if it is text");
}

static void read_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->doc->root)
			reader_fatal(r, &event->start_mark,
				"a second document starts here: a file holds only one");
		break;
	case YAML_ALIAS_EVENT:
		check_properties(r, event, event->data.alias.anchor, NULL);
		r->stop = true;
		break;
	case YAML_SCALAR_EVENT:
		check_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag);
		read_scalar(r, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		check_properties(r, event, event->data.sequence_start.anchor,
			event->data.sequence_start.tag);
		read_start(r, event, json_array());
		break;
	case YAML_MAPPING_START_EVENT:
		check_properties(
			r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		read_start(r, event, json_object());
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		read_end(r);
		break;
	case YAML_STREAM_END_EVENT:
		r->done = true;
		break;
	default:
		break;
	}
}

/* libyaml's reader knows only the offset of a byte that it refuses. */
static yaml_mark_t offset_mark(const char *text, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset; i++) {
		mark.column++;
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static void syntax_error(struct reader *r, const char *text, size_t len)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "out of memory";
	const char *hint = "";
	yaml_mark_t at = p->problem_mark;

	r->depth = 0; /* what is open here says little about the place of the fault */
	if (p->error == YAML_READER_ERROR) {
		at = offset_mark(text, p->problem_offset < len ? p->problem_offset : len);
		reader_error(r, &at, "not UTF-8 text: %s", problem);
		return;
	}
	if (strstr(problem, "cannot start any token"))
		hint = "; indent with spaces, and quote a value that starts with @, ` or %";
	if (p->context)
		reader_error(r, &at, "not YAML: %s %s that starts on line %zu%s", problem,
			p->context, p->context_mark.line + 1, hint);
	else
		reader_error(r, &at, "not YAML: %s%s", problem, hint);
}

static void read_text(struct reader *r, const char *text, size_t len)
{
	yaml_event_t event;

	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	while (!r->done && !r->stop) {
		if (!yaml_parser_parse(&r->parser, &event)) {
			syntax_error(r, text, len);
			return;
		}
		read_event(r, &event);
		yaml_event_delete(&event);
	}
}

static struct config_doc *new_doc(const char *name)
{
	struct config_doc *doc = calloc(1, sizeof(*doc));

	if (doc)
		doc->name = strdup(name);
	if (doc && !doc->name) {
		free(doc);
		return NULL;
	}
	return doc;
}

static struct config_doc *report_fault(
	struct config_report *report, const char *name, const char *what, const char *why)
{
	config_report_add(report, false, name, 0, 0, "", "%s%s", what, why);
	return NULL;
}

struct config_doc *config_doc_from_yaml(
	const char *name, const char *text, size_t len, struct config_report *report)
{
	struct reader r = {.report = report};

	if (len > CONFIG_DOC_SIZE_MAX)
		return report_fault(report, name, "is larger than the 8 MiB that are read", "");
	r.doc = new_doc(name);
	if (!r.doc || !yaml_parser_initialize(&r.parser)) {
		config_doc_free(r.doc);
		return report_fault(report, name, "out of memory", "");
	}
	read_text(&r, text, len);
	yaml_parser_delete(&r.parser);
	if (!r.failed && !r.doc->root) {
		report_fault(
			report, name, "is empty; a file with no networks and ports says {}", "");
		r.failed = true;
	}
	if (r.failed) {
		config_doc_free(r.doc);
		return NULL;
	}
	return r.doc;
}

/* Reads up to size bytes; -1 with errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, text + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

struct config_doc *config_doc_from_file(const char *path, struct config_report *report)
{
	struct config_doc *doc = NULL;
	/* A FIFO would have the control thread wait for who writes to it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text;
	ssize_t len;

	if (fd < 0)
		return report_fault(report, path, "cannot open it: ", strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return report_fault(report, path, "is no regular file", "");
	}
	text = malloc(CONFIG_DOC_SIZE_MAX + 1); /* one more, to see that there is more */
	len = text ? read_all(fd, text, CONFIG_DOC_SIZE_MAX + 1) : -1;
	if (len < 0)
		report_fault(report, path, "cannot read it: ", strerror(errno));
	else
		doc = config_doc_from_yaml(path, text, (size_t)len, report);
	free(text);
	close(fd);
	return doc;
}

struct config_doc *config_doc_from_json(const char *name, json_t *root)
{
	struct config_doc *doc = new_doc(name);

	if (doc)
		doc->root = json_incref(root);
	return doc;
}

void config_doc_free(struct config_doc *doc)
{
	if (!doc)
		return;
	json_decref(doc->root);
	config_marks_free(&doc->marks);
	free(doc->name);
	free(doc);
}

const json_t *config_doc_root(const struct config_doc *doc)
{
	return doc->root;
}

const char *config_doc_name(const struct config_doc *doc)
{
	return doc->name;
}

void config_doc_where(const struct config_doc *doc, const char *path, unsigned *line, unsigned *col)
{
	config_marks_where(&doc->marks, path, line, col);
}
