/*
 * What `config check` looks at beside the configuration itself.
 */
#ifndef VS_LOCAL_CONFIG_H
#define VS_LOCAL_CONFIG_H

#include "config.h"

/*
 * Reads the rule files that config's inspection names, by the code that vswitchd does it with, and
 * adds what is wrong with them to report. name: of the configuration's own file. A file of rules
 * that is not on this machine is a warning: the configuration may be for another one.
 */
void local_config_rules(
	const struct config *config, const char *name, struct config_report *report);

#endif
