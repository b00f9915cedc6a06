/*
 * All counters as OpenMetrics text (OpenMetrics 1.0, prometheus.io), for `metrics`. Low
 * cardinality: labels are ports, networks, tenants, reasons, cores and stages, never flows or
 * addresses. Control thread only.
 */
#ifndef VS_METRICS_H
#define VS_METRICS_H

/* The caller frees it; NULL: out of memory. */
char *metrics_text(void);

#endif
