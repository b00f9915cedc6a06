/*
 * The scalar types of configuration fields: what text each takes, what it stores and how it is
 * written back. Named in the tables of config_fields.c; no DPDK here.
 *
 * Member that each needs: boolean: bool; number, choice: any unsigned of 1, 2 or 4 bytes, or int;
 * name, path, interface: char array; duration: unsigned.
 */
#ifndef VS_CONFIG_TYPES_H
#define VS_CONFIG_TYPES_H

#include "config_schema.h"

/* true or false, and YAML 1.1's yes, no, on and off. */
extern const struct config_type config_type_boolean;
/* A whole number from field->min to field->max. */
extern const struct config_type config_type_number;
/* One of field->choices; true and false stand for yes and no, or on and off, among them. */
extern const struct config_type config_type_choice;
/* Letters, digits, '.', '_' and '-', so that it fits in a file name, a label and a path of fields.
 */
extern const struct config_type config_type_name;
/* An absolute path, stored without double slashes and "."; ".." is refused. */
extern const struct config_type config_type_path;
/* What Linux takes as an interface's name (dev_valid_name() in net/core/dev.c), without '%'. */
extern const struct config_type config_type_interface;
/* A number of the unit, or text with us, ms, s, m or h behind it. */
extern const struct config_type config_type_microseconds;
extern const struct config_type config_type_seconds;
/*
 * For other modules with types: reports that the value must be `right`, and returns false; the
 * text that value is, NULL where it is none or has a NUL in it.
 */
bool config_type_bad(struct config_context *context, const char *right, const json_t *value);
const char *config_type_text(const json_t *value);

#endif
