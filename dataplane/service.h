/*
 * What a connection is for, as people write it: "tcp/445", "udp/1000-2000", "tcp", "icmp/8",
 * "icmp/3.4" (type and code), "icmpv6/128-129", "47", "any". Any thread; no state, no DPDK.
 */
#ifndef VS_SERVICE_H
#define VS_SERVICE_H

#include <stdbool.h>

#include "classifier.h"

#define SERVICE_TEXT_MAX 32

/* All that there are. */
#define SERVICE_ANY ((struct service_span){0, 0xffffff})

/* False where text is none of them. */
bool service_parse(const char *text, struct service_span *span);

/* What service_parse() says, on what would be right. */
extern const char service_grammar[];

/* span, as service_parse() gives them, in the one form that names it; text has room for
 * SERVICE_TEXT_MAX. */
void service_format(struct service_span span, char *text);

#endif
