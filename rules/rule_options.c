#include "rule_options.h"

#include <stdlib.h>
#include <string.h>

static const struct rule_option *const tables[] = {rule_options_content, rule_options_bytes,
	rule_options_meta, rule_options_state, rule_options_pcre, rule_options_smb};

const struct rule_option *rule_options_find(struct rule_text name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct rule_option *option = tables[i]; option->name; option++)
			if (rule_text_is(name, option->name))
				return option;
	return NULL;
}

/* By the beginning of the name; "" at the end of one: the whole name. */
static const struct {
	const char *name;
	bool whole;
	const char *reason;
} refused[] = {
	{"asn1", true, "ASN.1 is not decoded here"},
	{"tag", true, "packets after an alert are not recorded here; a quarantine keeps evidence"},
	{"app-layer-", false, "events of Suricata's own parsers are not known here"},
	{"decode-event", true, "events of Suricata's own decoder are not known here"},
	{"stream-event", true, "events of Suricata's own stream engine are not known here"},
	{"engine-event", true, "events of Suricata's own engine are not known here"},
	{"stream_size", true, "sizes of streams are not compared here"},
	{"ftpbounce", true, "FTP is not inspected here"},
	{"http", false, "HTTP is not inspected here"},
	{"uricontent", true, "HTTP is not inspected here"},
	{"urilen", true, "HTTP is not inspected here"},
	{"urilen", true, "HTTP is not inspected here"},
	{"tls", false, "TLS is not inspected here"},
	{"ssl_", false, "TLS is not inspected here"},
	{"ja3", false, "TLS is not inspected here"},
	{"ja4", false, "TLS is not inspected here"},
	{"ssh", false, "SSH is not inspected here"},
	{"dns", false, "DNS is not inspected here"},
	{"smtp", false, "SMTP is not inspected here"},
	{"ftp", false, "FTP is not inspected here"},
	{"krb5", false, "Kerberos is not inspected here"},
	{"snmp", false, "SNMP is not inspected here"},
	{"sip", false, "SIP is not inspected here"},
	{"rfb", false, "RFB is not inspected here"},
	{"mqtt", false, "MQTT is not inspected here"},
	{"dnp3", false, "DNP3 is not inspected here"},
	{"modbus", true, "Modbus is not inspected here"},
	{"cip_service", true, "CIP is not inspected here"},
	{"enip", false, "ENIP is not inspected here"},
	{"ike", false, "IKE is not inspected here"},
	{"quic", false, "QUIC is not inspected here"},
	{"rpc", true, "Sun RPC is not inspected here"},
	{"filename", true, "files are not tracked by name here"},
	{"fileext", true, "files are not tracked by name here"},
	{"file.name", true, "files are not tracked by name here"},
	{"filemagic", true, "kinds of files are not recognised here"},
	{"file.magic", true, "kinds of files are not recognised here"},
	{"filemd5", true, "files are not hashed here"},
	{"filesha", false, "files are not hashed here"},
	{"filesize", true, "sizes of files are not tracked here"},
	{"filestore", true, "files are not stored here"},
	{"base64_", false, "base64 is not decoded here"},
	{"lua", false, "scripts are not run here"},
	{"luajit", true, "scripts are not run here"},
	{"dataset", true, "data sets are not supported"},
	{"datarep", true, "data sets are not supported"},
	{"iprep", true, "reputation lists are not supported; an address variable may do"},
	{"geoip", true, "places of addresses are not known here"},
	{"replace", true, "packets are dropped or passed here, never rewritten by a rule"},
	{"smb.", false,
		"of SMB's fields only smb.share, smb.named_pipe and smb.ntlmssp_user are "
		"extracted"},
	{"flowint", true, "counters of connections are not supported"},
	{"flowvar", true, "variables of connections are not supported"},
	{"pktvar", true, "variables of packets are not supported"},
	{"hostbits", true, "use xbits, track ip_src or ip_dst"},
	{"flow.", false, "ages and sizes of connections are not compared here"},
	{"bsize", true, "lengths of buffers are compared with isdataat here"},
	{"transform", false, "buffers are not transformed here"},
	{"to_", false, "buffers are not transformed here"},
	{"strip_", false, "buffers are not transformed here"},
	{"compress_whitespace", true, "buffers are not transformed here"},
	{"dotprefix", true, "buffers are not transformed here"},
	{"url_decode", true, "buffers are not transformed here"},
	{"xor", true, "buffers are not transformed here"},
	{"pcrexform", true, "buffers are not transformed here"},
	{"ttl", true, "the IP header is not compared here"},
	{"tos", true, "the IP header is not compared here"},
	{"id", true, "the IP header is not compared here"},
	{"ipopts", true, "the IP header is not compared here"},
	{"ip_proto", true, "the IP header is not compared here"},
	{"sameip", true, "the IP header is not compared here"},
	{"fragbits", true, "the IP header is not compared here"},
	{"fragoffset", true, "the IP header is not compared here"},
	{"ipv4", false, "the IP header is not compared here"},
	{"ipv6", false, "the IP header is not compared here"},
	{"l3_proto", true, "the IP header is not compared here"},
	{"seq", true, "of the TCP header only flags are compared here"},
	{"ack", true, "of the TCP header only flags are compared here"},
	{"window", true, "of the TCP header only flags are compared here"},
	{"tcp.", false, "of the TCP header only flags are compared here"},
	{"itype", true, "ICMP is not inspected here"},
	{"icode", true, "ICMP is not inspected here"},
	{"icmp", false, "ICMP is not inspected here"},
	{"udp.", false, "UDP is not inspected here"},
};

const char *rule_options_why_not(struct rule_text name)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (refused[i].whole ? rule_text_is(name, refused[i].name)
				     : rule_text_starts(name, refused[i].name))
			return refused[i].reason;
	return NULL;
}
