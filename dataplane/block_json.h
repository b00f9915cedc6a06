/*
 * An emergency block as JSON: in the file that outlives a restart, and as `block list` shows it.
 * Control thread; no state, no DPDK.
 */
#ifndef VS_BLOCK_JSON_H
#define VS_BLOCK_JSON_H

#include "blocks.h"

/* What block_json() wrote, checked as what it may be: hostile. False with the reason in err. */
bool block_from_json(const json_t *json, struct block *block, struct config_error *err);

/* What a block's comment may be: up to 127 bytes of text. */
bool block_comment_valid(const char *text);

#endif
