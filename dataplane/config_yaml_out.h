/*
 * A document as YAML text for people to read and to keep: `config show`. Used by the control thread
 * and by vswitch-ctl; no DPDK here.
 */
#ifndef VS_CONFIG_YAML_OUT_H
#define VS_CONFIG_YAML_OUT_H

#include <jansson.h>

/*
 * The text of document, which config_doc_from_yaml() reads back as an equal tree; the caller frees
 * it. Text that a reader of YAML 1.1 would take for a number (a MAC of digits, "0660") is quoted.
 * NULL: out of memory, or a value that no document holds (a fraction).
 */
char *config_yaml_out(const json_t *document);

#endif
