/*
 * The types of configuration fields that inspection alone has, beside those of config_types; no
 * DPDK here.
 *
 * Member that each needs: mebibytes: uint64_t; file, expression: char array; remotes: struct
 * addr_span.
 */
#ifndef VS_CONFIG_INSPECTION_TYPES_H
#define VS_CONFIG_INSPECTION_TYPES_H

#include "addr.h"
#include "config_schema.h"

/* A whole number of MiB from field->min to field->max; stored in bytes. */
extern const struct config_type config_type_mebibytes;
/* An absolute path, or a name below some directory, such as et/smb.rules; ".." is refused. */
extern const struct config_type config_type_file;
/*
 * Addresses or ports as rules write them: "[10.0.0.0/8,!$DC_SERVERS]". A list in the document
 * stands for one in brackets. What it means is for config_vars.h to say.
 */
extern const struct config_type config_type_expression;
/* "any", which is config_any_address, or what config_type_span takes. */
extern const struct config_type config_type_remotes;

/* Of both families. */
extern const struct addr_span config_any_address;

#endif
