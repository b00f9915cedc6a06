/*
 * Commands on signatures that vswitch-ctl carries out itself.
 */
#ifndef VS_LOCAL_RULES_H
#define VS_LOCAL_RULES_H

#include <stddef.h>

#include <jansson.h>

/* See local_fn. */
json_t *local_rules_check_run(const json_t *args, char *err, size_t err_len);

#endif
