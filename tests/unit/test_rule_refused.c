/* What is refused, and what operators are told: file, line, sid, keyword and what would be right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rule_rig.h"

struct refusal {
	const char *text, *why;
};

static const struct refusal keywords[] = {
	{"foo:1;", "foo: unknown keyword"},
	{"msg:abc;", "msg: must stand in double quotes"},
	{"msg:\"a\"b\";", "msg: a double quote within needs a \\ before it"},
	{"msg;", "msg: needs a value"},
	{"msg:\"a\"; msg:\"b\";", "msg: stands in the rule twice"},
	{"sid:0;", "sid: \"0\" is no number from 1 to 4294967295"},
	{"sid:x;", "sid: \"x\" is no number from 1 to 4294967295"},
	{"sid:4294967296;", "sid: \"4294967296\" is no number from 1 to 4294967295"},
	{"gid:0;", "gid: \"0\" is no number from 1 to 4294967295"},
	{"rev:-1;", "rev: \"-1\" is no number from 0 to 4294967295"},
	{"priority:0;", "priority: \"0\" is no number from 1 to 255"},
	{"priority:256;", "priority: \"256\" is no number from 1 to 255"},
	{"classtype:a b;", "classtype: \"a b\" is no name of a class"},
	{"classtype:one; classtype:two;", "classtype: stands in the rule twice"},
	{"reference:url;", "reference: \"url\": a kind, a comma and what it names are right, like "
			   "url,example.org"},
	{"metadata:a b, vswitch_action isolate;",
		"metadata: vswitch_action \"isolate\": quarantine is "
		"right"},
	{"metadata:vswitch_action quarantine;",
		"metadata: vswitch_action quarantine: the rule's action must be drop or reject"},
	{"target:both;", "target: \"both\": src_ip or dest_ip is right"},
	{"noalert:1;", "noalert: takes no value"},
	{"bypass:yes;", "bypass: takes no value"},
	{"content;", "content: needs a value"},
	{"content:abc;", "content: must stand in double quotes"},
	{"content:\"\";", "content: is empty"},
	{"content:\"a\"b\";", "content: a double quote within needs a \\ before it"},
	{"content:\"|4\";", "content: a single hexadecimal digit in |..|"},
	{"content:\"|4|\";", "content: a single hexadecimal digit in |..|"},
	{"content:\"|41 4|\";", "content: a single hexadecimal digit in |..|"},
	{"content:\"|4g|\";", "content: 'g' is no hexadecimal digit"},
	{"content:\"\\n\";", "content: \\ may stand before : ; \\ and \" only"},
	{"content:\"a\"; nocase; nocase;", "nocase: stands twice behind one content"},
	{"nocase;", "nocase: no content stands before it in this buffer"},
	{"offset:1;", "offset: no content stands before it in this buffer"},
	{"content:\"a\"; offset:-1;", "offset: offset \"-1\" is neither a number from 0 to 65535 "
				      "nor the result of an earlier byte_extract or byte_math"},
	{"content:\"a\"; offset:65536;",
		"offset: offset \"65536\" is neither a number from 0 to 65535 nor the result of an "
		"earlier byte_extract or byte_math"},
	{"content:\"a\"; offset:n;", "offset: offset \"n\" is neither a number from 0 to 65535 nor "
				     "the result of an earlier byte_extract or byte_math"},
	{"content:\"a\"; offset:1; offset:1;", "offset: stands twice behind one content"},
	{"content:\"a\"; offset:1; within:1;",
		"within: distance and within do not go together with offset and depth"},
	{"content:\"a\"; distance:1; depth:1;",
		"depth: offset and depth do not go together with distance and within"},
	{"content:\"a\"; depth:0;", "depth: depth \"0\" is neither a number from 1 to 65535 nor "
				    "the result of an earlier byte_extract or byte_math"},
	{"content:\"abc\"; depth:2;",
		"depth: is less than its content is long: it could never match"},
	{"content:\"abc\"; within:2;",
		"within: is less than its content is long: it could never match"},
	{"content:\"a\"; distance:70000;",
		"distance: distance \"70000\" is neither a number from -65535 to 65535 nor the "
		"result of an earlier byte_extract or byte_math"},
	{"content:\"a\"; within:-1;", "within: within \"-1\" is neither a number from 1 to 65535 "
				      "nor the result of an earlier byte_extract or byte_math"},
	{"content:\"a\"; offset:1; startswith;",
		"startswith: goes together with none of offset, depth, distance and within"},
	{"content:\"a\"; endswith; endswith;", "endswith: stands twice behind one content"},
	{"content:\"a\"; rawbytes:1;", "rawbytes: takes no value"},
	{"rawbytes;", "rawbytes: no content stands before it in this buffer"},
	{"content:!\"a\"; fast_pattern;", "fast_pattern: cannot be a content that must be absent"},
	{"content:\"abc\"; fast_pattern:1,3;", "fast_pattern: \"1,3\": nothing, only, or an offset "
					       "and a length within its content are right"},
	{"content:\"abc\"; offset:1; fast_pattern:only;",
		"fast_pattern: only: goes together with none of offset, depth, distance and "
		"within"},
	{"content:\"a\"; fast_pattern; content:\"b\"; fast_pattern;",
		"fast_pattern: stands in the rule twice"},
	{"isdataat:x;", "isdataat: position \"x\" is neither a number from 0 to 65535 nor the "
			"result of an earlier byte_extract or byte_math"},
	{"isdataat:1,rel;", "isdataat: \"rel\": relative is right"},
	{"byte_test:1;", "byte_test: the operator is missing"},
	{"byte_test:1,=;", "byte_test: the value is missing"},
	{"byte_test:1,=,2;", "byte_test: the offset is missing"},
	{"byte_test:9,=,2,0;", "byte_test: 9 bytes: 1 to 8 are right"},
	{"byte_test:0,=,2,0;", "byte_test: 0 bytes: 1 to 8 are right"},
	{"byte_test:1,==,2,0;", "byte_test: operator \"==\": <, >, =, <=, >=, & or ^, with ! "
				"before it or not, is right"},
	{"byte_test:1,=,x,0;",
		"byte_test: value \"x\" is neither a number from 0 to 9223372036854775807 nor the "
		"result of an earlier byte_extract or byte_math"},
	{"byte_test:1,=,2,0,middle;", "byte_test: \"middle\" is not known here"},
	{"byte_test:24,=,2,0,string,oct;",
		"byte_test: number of bytes \"24\" is neither a number from 0 to 23 nor the result "
		"of an earlier byte_extract or byte_math"},
	{"byte_test:21,=,2,0,string,dec;", "byte_test: 21 bytes: 1 to 20 are right"},
	{"byte_test:15,=,2,0,string,hex;", "byte_test: 15 bytes: 1 to 14 are right"},
	{"byte_test:1,=,2,0,bitmask 0;",
		"byte_test: bitmask: a number from 1 to 0xffffffff is right"},
	{"byte_jump:1;", "byte_jump: the offset is missing"},
	{"byte_jump:1,x;", "byte_jump: offset \"x\" is neither a number from -65535 to 65535 nor "
			   "the result of an earlier byte_extract or byte_math"},
	{"byte_jump:1,0,multiplier 0;", "byte_jump: multiplier: a number from 1 to 65535 is right"},
	{"byte_jump:1,0,post_offset x;",
		"byte_jump: post_offset: a number from -65535 to 65535 is right"},
	{"byte_jump:1,0,sideways;", "byte_jump: \"sideways\" is not known here"},
	{"byte_extract:1,0;", "byte_extract: the name of the result is missing"},
	{"byte_extract:1,0,2x;", "byte_extract: \"2x\" is no name for a result"},
	{"byte_extract:1,0,a; byte_extract:1,0,a;",
		"byte_extract: the name \"a\" is used twice in the rule"},
	{"byte_extract:1,0,a,align 3;", "byte_extract: align: 2 or 4 is right"},
	{"byte_math:bytes 1, offset 0, oper +, rvalue 1;", "byte_math: result is missing"},
	{"byte_math:bytes 1, offset 0, oper %, rvalue 1, result n;",
		"byte_math: oper \"%\": +, -, *, /, << or >> is right"},
	{"byte_math:bytes 1, offset 0, oper /, rvalue 0, result n;", "byte_math: divides by 0"},
	{"byte_math:offset 0, oper +, rvalue 1, result n;", "byte_math: bytes is missing"},
	{"pcre:/a/;", "pcre: must stand in double quotes"},
	{"pcre:\"a\";", "pcre: must stand between slashes"},
	{"pcre:\"/(/\";", "pcre: at character 1: missing closing parenthesis"},
	{"pcre:\"/a/q\";", "pcre: /q is not known: i, m, s, x, A, E, G and R are"},
	{"pcre:\"/a/U\";", "pcre: /U: HTTP is not inspected here"},
	{"pcre:\"/(?P<flow_x>a)/\";",
		"pcre: variables of connections and packets are not supported"},
	{"flow:sideways;", "flow: \"sideways\" is not known"},
	{"flow:to_server,to_client;", "flow: has two parts that exclude each other"},
	{"flow:established,stateless;", "flow: has two parts that exclude each other"},
	{"flow:established; flow:to_server;", "flow: stands in the rule twice"},
	{"flow:only_stream;", "flow: only_stream, but no keyword looks at the stream"},
	{"flowbits:put,a;",
		"flowbits: \"put\": set, unset, toggle, isset, isnotset or noalert is right"},
	{"flowbits:set;", "flowbits: the name is missing"},
	{"flowbits:set,a b;", "flowbits: \"a b\" is no name of a bit"},
	{"flowbits:set,a|b;", "flowbits: several names go together with isset and isnotset only"},
	{"flowbits:noalert,x;", "flowbits: noalert takes no name"},
	{"xbits:set,a;",
		"xbits: \"track ip_src\", \"track ip_dst\" or \"track ip_pair\" is missing"},
	{"xbits:set,a,track ip_any;",
		"xbits: \"track ip_src\", \"track ip_dst\" or \"track ip_pair\" is missing"},
	{"xbits:set,a,track ip_src,expire 0;",
		"xbits: behind the track only \"expire SECONDS\" is right, and with set only"},
	{"xbits:isset,a,track ip_src,expire 5;",
		"xbits: behind the track only \"expire SECONDS\" is right, and with set only"},
	{"flags:X;", "flags: 'X' is no flag: F, S, R, P, A, U, E, C and 0 are"},
	{"flags:;", "flags: needs a value"},
	{"flags:+;", "flags: no flag is named"},
	{"dsize:70000;", "dsize: a length up to 65535, with <, > or ! before it, or two with <> "
			 "between, is right"},
	{"dsize:10<>11;", "dsize: a length up to 65535, with <, > or ! before it, or two with <> "
			  "between, is right"},
	{"dsize:<0;", "dsize: a length up to 65535, with <, > or ! before it, or two with <> "
		      "between, is right"},
	{"threshold:type limit,track by_src,count 1;",
		"threshold: type, track, count and seconds are needed"},
	{"threshold:type some,track by_src,count 1,seconds 1;",
		"threshold: type \"some\": limit, threshold or both is right"},
	{"threshold:type limit,track by_net,count 1,seconds 1;",
		"threshold: track \"by_net\": by_src, by_dst, by_both, by_rule or by_flow is "
		"right"},
	{"threshold:type limit,track by_src,count 0,seconds 1;",
		"threshold: count: a number from 1 is right"},
	{"threshold:type limit,track by_src,count 1,seconds 1,x 1;",
		"threshold: \"x\" is not known here"},
	{"detection_filter:track by_src,count 1;",
		"detection_filter: track, count and seconds are needed"},
	{"detection_filter:type limit,track by_src,count 1,seconds 1;",
		"detection_filter: \"type\" is not known here"},
	{"dce_iface:1234;", "dce_iface: \"1234\" is no UUID"},
	{"dce_iface:367abb81-9844-35f1-ad32-98f038001003,~2;",
		"dce_iface: \"~2\": a version up to 65535 with <, >, = or ! before it, or "
		"any_frag, is right"},
	{"dce_opnum:x;", "dce_opnum: \"x\": a number up to 65535, or two with - between, is right"},
	{"dce_opnum:5-2;",
		"dce_opnum: \"5-2\": a number up to 65535, or two with - between, is right"},
	{"smb.version:1;", "smb.version: of SMB's fields only smb.share, smb.named_pipe and "
			   "smb.ntlmssp_user are extracted"},
	{"asn1:oversize_length 10;", "asn1: ASN.1 is not decoded here"},
	{"tag:session,5,packets;",
		"tag: packets after an alert are not recorded here; a quarantine keeps evidence"},
	{"http.uri; content:\"a\";", "http.uri: HTTP is not inspected here"},
	{"stream_size:client,=,1;", "stream_size: sizes of streams are not compared here"},
	{"ssl_version:sslv3;", "ssl_version: TLS is not inspected here"},
	{"ftpbounce;", "ftpbounce: FTP is not inspected here"},
	{"app-layer-event:smb.malformed_data;",
		"app-layer-event: events of Suricata's own parsers are not known here"},
	{"bsize:4;", "bsize: lengths of buffers are compared with isdataat here"},
	{"ttl:1;", "ttl: the IP header is not compared here"},
	{"window:1;", "window: of the TCP header only flags are compared here"},
	{"content:\"a\"; http_uri;", "http_uri: HTTP is not inspected here"},
	{"lua:x.lua;", "lua: scripts are not run here"},
	{"dataset:isset,x;", "dataset: data sets are not supported"},
};

static const struct refusal headers[] = {
	{"alert tcp any any -> any any (content:\"a\";)", "rig:1: sid: is missing"},
	{"alert tcp any any -> any any (sid:1)",
		"rig:1: sid:1: the last option does not end with a semicolon"},
	{"alert tcp any any -> any any sid:1;", "rig:1: no options between ( and ) at the end"},
	{"alert tcp any any -> any any (sid:1;) x", "rig:1: no options between ( and ) at the end"},
	{"alert tcp any any -> any (sid:1;)",
		"rig:1: sid 1: the header ends after 6 of 7 parts: action, protocol, source, its "
		"ports, ->, destination, its ports"},
	{"alert tcp any any -> any any any (sid:1;)",
		"rig:1: sid 1: \"any\" does not belong before the options"},
	{"shout tcp any any -> any any (sid:1;)",
		"rig:1: sid 1: action \"shout\": alert, drop, reject or pass is right"},
	{"alert udp any any -> any any (sid:1;)",
		"rig:1: sid 1: protocol \"udp\" is not inspected: tcp, smb and dcerpc are"},
	{"alert tcp-pkt any any -> any any (sid:1;)",
		"rig:1: sid 1: protocol \"tcp-pkt\" is not inspected: tcp, smb and dcerpc are"},
	{"alert tcp any any <- any any (sid:1;)",
		"rig:1: sid 1: direction \"<-\": -> or <> is right"},
	{"alert tcp any any => any any (sid:1;)",
		"rig:1: sid 1: direction \"=>\": -> or <> is right"},
	{"alert tcp $NET any -> any any (sid:1;)",
		"rig:1: sid 1: source: address variable $NET is not defined"},
	{"alert tcp any $PORTS -> any any (sid:1;)",
		"rig:1: sid 1: source port: port variable $PORTS is not defined"},
	{"alert tcp 10.0.0 any -> any any (sid:1;)",
		"rig:1: sid 1: source: \"10.0.0\" is no address: 10.0.0.1, 10.0.0.0/8, "
		"10.0.0.1-10.0.0.9, their like in IPv6 or any is right"},
	{"alert tcp any any -> 10.0.0.0/33 any (sid:1;)",
		"rig:1: sid 1: destination: \"10.0.0.0/33\" is no address: 10.0.0.1, 10.0.0.0/8, "
		"10.0.0.1-10.0.0.9, their like in IPv6 or any is right"},
	{"alert tcp any 65536 -> any any (sid:1;)",
		"rig:1: sid 1: source port: \"65536\" is no port: a number up to 65535, a span "
		"like 1024:2048 or any is right"},
	{"alert tcp any any -> any 10:5 (sid:1;)",
		"rig:1: sid 1: destination port: \"10:5\" is no port: a number up to 65535, a span "
		"like 1024:2048 or any is right"},
	{"alert tcp any any -> any : (sid:1;)",
		"rig:1: sid 1: destination port: \":\" is no port: a number up to 65535, a span "
		"like 1024:2048 or any is right"},
	{"alert tcp [10.0.0.1 any -> any any (sid:1;)",
		"rig:1: sid 1: the header ends after 3 of 7 parts: action, protocol, source, its "
		"ports, ->, destination, its ports"},
	{"alert tcp any any -> any [80,] (sid:1;)",
		"rig:1: sid 1: destination port: an empty port"},
	{"alert tcp any any -> any ! (sid:1;)", "rig:1: sid 1: destination port: an empty port"},
};

static void keywords_are_refused_by_name(void **state)
{
	char text[1024], why[1024], expected[1024];

	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		snprintf(text, sizeof(text), RIG_HEADER "(%s sid:1;)", keywords[i].text);
		snprintf(expected, sizeof(expected), "rig:1: sid 1: %s", keywords[i].why);
		rig_refusal(text, why, sizeof(why));
		assert_string_equal(why, expected);
	}
}

static void headers_are_refused_with_what_is_right(void **state)
{
	char why[1024];

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		rig_refusal(headers[i].text, why, sizeof(why));
		assert_string_equal(why, headers[i].why);
	}
}

static char *repeat(const char *part, unsigned n)
{
	size_t len = strlen(part);
	char *text = malloc(n * len + 64);
	char *at = text;

	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "%s", part);
	return text;
}

/* n times part, in a rule. */
static void assert_limit(const char *part, unsigned n, const char *expected)
{
	char *keywords_text = repeat(part, n), why[1024];
	char *text = malloc(strlen(keywords_text) + 128);

	sprintf(text, RIG_HEADER "(%s sid:1;)", keywords_text);
	rig_refusal(text, why, sizeof(why));
	assert_string_equal(why, expected);
	free(keywords_text);
	free(text);
}

static void everything_has_a_limit(void **state)
{
	char *bytes = repeat("a", 256), text[600], why[1024];

	snprintf(text, sizeof(text), RIG_HEADER "(content:\"%s\"; sid:1;)", bytes);
	rig_refusal(text, why, sizeof(why));
	assert_string_equal(why, "rig:1: sid 1: content: longer than 255 bytes");
	bytes[255] = 0;
	snprintf(text, sizeof(text), RIG_HEADER "(content:\"%s\"; sid:1;)", bytes);
	rig_refusal(text, why, sizeof(why));
	assert_string_equal(why, "it loads");
	free(bytes);

	assert_limit("content:\"a\"; ", 64, "it loads");
	assert_limit("content:\"a\"; ", 65,
		"rig:1: sid 1: content: more than 64 keywords that look at data");
	assert_limit("flowbits:set,a; ", 16, "it loads");
	assert_limit("flowbits:set,a; ", 17, "rig:1: sid 1: flowbits: more than 16 in one rule");
	assert_limit("metadata:a 1; ", 255, "it loads");
	assert_limit("metadata:a 1; ", 256, "rig:1: sid 1: more than 256 keywords");
	assert_limit("metadata:a 1; ", 5000, "rig:1: longer than 65536 characters");
}

/* A refused rule takes nothing with it, and the rest is refused with it unless told otherwise. */
static void a_fault_is_told_by_file_line_and_sid(void **state)
{
	static const char text[] = "# first\n"
				   "\n" RIG_HEADER "(sid:1;)\n" RIG_HEADER
				   "(content:\"a\"; \\\n  asn1:x; sid:2;)\n" RIG_HEADER
				   "(sid:3;)\n" RIG_HEADER "(sid:1;)\n";
	struct ruleset_source source = {"some.rules", text, sizeof(text) - 1};
	struct ruleset_options options = {0};
	struct rule_report report;
	struct ruleset *ruleset;
	char why[512];

	rule_report_init(&report);
	assert_null(ruleset_load(&source, 1, &options, &report));
	assert_int_equal(report.n, 2);
	rule_report_format(&report.refusals[0], why, sizeof(why));
	assert_string_equal(why, "some.rules:4: sid 2: asn1: ASN.1 is not decoded here");
	rule_report_format(&report.refusals[1], why, sizeof(why));
	assert_string_equal(why, "some.rules:7: sid 1: sid: is taken by the rule in some.rules:3");
	rule_report_free(&report);

	options.skip_unsupported = true;
	ruleset = ruleset_load(&source, 1, &options, &report);
	assert_non_null(ruleset);
	assert_int_equal(report.n, 2);
	assert_int_equal(ruleset_count(ruleset), 2);
	assert_non_null(ruleset_find(ruleset, 1, 3));
	assert_null(ruleset_find(ruleset, 1, 2));
	ruleset_free(ruleset);
	rule_report_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords_are_refused_by_name),
		cmocka_unit_test(headers_are_refused_with_what_is_right),
		cmocka_unit_test(everything_has_a_limit),
		cmocka_unit_test(a_fault_is_told_by_file_line_and_sid),
	};

	return cmocka_run_group_tests_name("rule_refused", tests, NULL, NULL);
}
