#include "config_yaml_out.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "config_doc.h"

struct buffer {
	char *text;
	size_t len, size;
};

static int append(void *data, unsigned char *text, size_t len)
{
	struct buffer *b = data;

	if (b->len + len + 1 > b->size) {
		size_t size = (b->len + len + 1) * 2;
		char *grown = realloc(b->text, size);

		if (!grown)
			return 0;
		b->text = grown;
		b->size = size;
	}
	memcpy(b->text + b->len, text, len);
	b->len += len;
	b->text[b->len] = '\0';
	return 1;
}

/* The event is used up in any case. */
static bool emit(yaml_emitter_t *emitter, int initialized, yaml_event_t *event)
{
	return initialized && yaml_emitter_emit(emitter, event);
}

static bool emit_scalar(
	yaml_emitter_t *emitter, const char *text, size_t len, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(emitter,
		yaml_scalar_event_initialize(
			&event, NULL, NULL, (const yaml_char_t *)text, (int)len, 1, 1, style),
		&event);
}

/*
 * Text that another reader of YAML may take for a number: 0660 (base 8 to YAML 1.1), 12:34:56:00
 * (base 60 to it), 1.5, 1e5. An IPv4 address has too many dots.
 */
static bool like_number(const char *text)
{
	const char *dot = strchr(text, '.');

	return !text[strspn(text, "0123456789:_.+-eE")] && (!dot || !strchr(dot + 1, '.'));
}

/* Text that may stand without quotes and is the same text to every reader. */
static bool is_plain(const char *text, size_t len)
{
	json_t *read = config_doc_plain_scalar(text, len);
	bool plain = json_is_string(read) && !like_number(text);

	json_decref(read);
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			plain = false;
	return plain;
}

static bool emit_text(yaml_emitter_t *emitter, const char *text, size_t len)
{
	return emit_scalar(emitter, text, len,
		is_plain(text, len) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value);

/* A list of scalars goes on one line. */
static bool is_flat(const json_t *list)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (json_is_object(item) || json_is_array(item))
			return false;
	return true;
}

static bool emit_list(yaml_emitter_t *emitter, const json_t *list)
{
	yaml_event_t event;
	size_t i;
	json_t *item;

	if (!emit(emitter,
		    yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
			    is_flat(list) ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE),
		    &event))
		return false;
	json_array_foreach (list, i, item)
		if (!emit_value(emitter, item))
			return false;
	return emit(emitter, yaml_sequence_end_event_initialize(&event), &event);
}

static bool emit_object(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	const char *key;
	json_t *value;

	if (!emit(emitter,
		    yaml_mapping_start_event_initialize(
			    &event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE),
		    &event))
		return false;
	json_object_foreach ((json_t *)(uintptr_t)object, key, value)
		if (!emit_text(emitter, key, strlen(key)) || !emit_value(emitter, value))
			return false;
	return emit(emitter, yaml_mapping_end_event_initialize(&event), &event);
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	char number[32];

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return emit_object(emitter, value);
	case JSON_ARRAY:
		return emit_list(emitter, value);
	case JSON_STRING:
		return emit_text(emitter, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		snprintf(
			number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return emit_scalar(emitter, number, strlen(number), YAML_PLAIN_SCALAR_STYLE);
	case JSON_TRUE:
		return emit_scalar(emitter, "true", 4, YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE:
		return emit_scalar(emitter, "false", 5, YAML_PLAIN_SCALAR_STYLE);
	case JSON_NULL:
		return emit_scalar(emitter, "null", 4, YAML_PLAIN_SCALAR_STYLE);
	default:
		return false;
	}
}

static bool emit_document(yaml_emitter_t *emitter, const json_t *document)
{
	yaml_event_t event;

	return emit(emitter, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING),
		       &event) &&
	       emit(emitter, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1),
		       &event) &&
	       emit_value(emitter, document) &&
	       emit(emitter, yaml_document_end_event_initialize(&event, 1), &event) &&
	       emit(emitter, yaml_stream_end_event_initialize(&event), &event);
}

char *config_yaml_out(const json_t *document)
{
	struct buffer buffer = {0};
	yaml_emitter_t emitter;
	bool ok;

	if (!yaml_emitter_initialize(&emitter))
		return NULL;
	yaml_emitter_set_output(&emitter, append, &buffer);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1); /* no folding of long text */
	ok = emit_document(&emitter, document);
	yaml_emitter_delete(&emitter);
	if (ok)
		return buffer.text;
	free(buffer.text);
	return NULL;
}
