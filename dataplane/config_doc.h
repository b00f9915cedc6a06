/*
 * A configuration document: a JSON tree with the file name and, where it came from YAML text, the
 * line of every node. Read by the control thread and by vswitch-ctl; no DPDK here.
 */
#ifndef VS_CONFIG_DOC_H
#define VS_CONFIG_DOC_H

#include <stddef.h>

#include <jansson.h>

#include "config_report.h"

#define CONFIG_DOC_SIZE_MAX   (8u << 20) /* bytes of text */
#define CONFIG_DOC_NODES_MAX  (1u << 20)
#define CONFIG_DOC_DEPTH_MAX  16
#define CONFIG_DOC_KEY_MAX    64 /* bytes in a field's name */
#define CONFIG_DOC_SCALAR_MAX 4096 /* bytes in a value */

struct config_doc;

/*
 * Parses YAML text (JSON is YAML). Hostile input: depth, node count, size and scalar length are
 * bounded; aliases, anchors, tags, several documents and double keys are refused. Scalars become
 * JSON strings, integers, booleans or null by YAML 1.2's core schema (section 10.3.2), with two
 * differences: a number with a leading zero stays a string, for YAML 1.1 and 1.2 disagree on what
 * 0660 means, and so does a fraction, for no field takes one. A quoted scalar stays a string.
 * NULL with an error in report where the text is not acceptable. name is what messages
 * call the file. Free with config_doc_free().
 */
struct config_doc *config_doc_from_yaml(
	const char *name, const char *text, size_t len, struct config_report *report);

/* The same from a file; "cannot open" and "too large" are errors in report. */
struct config_doc *config_doc_from_file(const char *path, struct config_report *report);

/* Wraps a tree without line numbers; takes its own reference to root. */
struct config_doc *config_doc_from_json(const char *name, json_t *root);

void config_doc_free(struct config_doc *doc);

/*
 * What an unquoted scalar of len bytes means to config_doc_from_yaml(); the caller owns the
 * reference. NULL: it is no UTF-8.
 */
json_t *config_doc_plain_scalar(const char *text, size_t len);

const json_t *config_doc_root(const struct config_doc *doc);
const char *config_doc_name(const struct config_doc *doc);

/*
 * Line and column (from 1) of the node at path, such as "ports[2].vhost-user.socket": where its
 * field name stands, or the list item itself; of its nearest known parent where the node itself is
 * not there; 0 where no lines are known.
 */
void config_doc_where(
	const struct config_doc *doc, const char *path, unsigned *line, unsigned *col);

#endif
