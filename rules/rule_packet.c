#include "rule_packet.h"

#include <string.h>

static bool flow_fits(const struct rule *rule, const struct rule_packet *packet)
{
	uint16_t flow = rule->flow;

	if ((flow & RULE_TO_SERVER && !packet->to_server) ||
		(flow & RULE_TO_CLIENT && packet->to_server))
		return false;
	if ((flow & RULE_ESTABLISHED && !packet->established) ||
		(flow & RULE_NOT_ESTABLISHED && packet->established))
		return false;
	if ((flow & RULE_ONLY_STREAM && !packet->in_stream) ||
		(flow & RULE_NO_STREAM && packet->in_stream))
		return false;
	return !(flow & RULE_ONLY_FRAG); /* fragments are put together before */
}

static bool flags_fit(const struct rule *rule, uint8_t flags)
{
	uint8_t want = rule->flags_want;

	flags &= (uint8_t)~rule->flags_ignore;
	switch (rule->flags_mode) {
	case RULE_FLAGS_EXACT:
		return flags == want;
	case RULE_FLAGS_ALL:
		return (flags & want) == want;
	case RULE_FLAGS_ANY:
		return (flags & want) != 0;
	case RULE_FLAGS_NOT:
		return (flags & want) == 0;
	default:
		return true;
	}
}

bool rule_packet_fits(const struct rule *rule, const struct rule_packet *packet)
{
	return flow_fits(rule, packet) && flags_fit(rule, packet->flags) &&
	       (!rule_range_given(&rule->dsize) || rule_range_has(&rule->dsize, packet->size));
}

static bool iface_fits(const struct rule_dce_iface *iface, const struct rule_dce_call *call)
{
	return call->has_iface && (call->first_frag || iface->any_frag) &&
	       memcmp(iface->uuid, call->uuid, sizeof(iface->uuid)) == 0 &&
	       (!rule_range_given(&iface->version) ||
		       rule_range_has(&iface->version, call->version));
}

bool rule_packet_calls(const struct rule *rule, const struct rule_dce_call *call)
{
	if (rule->dce_iface.given && (!call || !iface_fits(&rule->dce_iface, call)))
		return false;
	if (rule->n_opnums == 0)
		return true;
	for (unsigned i = 0; call && call->has_opnum && i < rule->n_opnums; i++)
		if (rule_range_has(&rule->opnums[i], call->opnum))
			return true;
	return false;
}
