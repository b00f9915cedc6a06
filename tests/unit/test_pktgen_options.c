/*
 * vswitch-pktgen's command line: what it makes of it, what it refuses and how, and that its manual
 * page knows every option.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pktgen_options.h"

static struct pktgen_options options;
static char err[PKTGEN_ERR];

/* Words apart from each other by spaces. */
static int parse(const char *line)
{
	static char copy[1024];
	char *argv[128] = {"vswitch-pktgen"}, *save = NULL;
	int argc = 1;

	err[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
		word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	return pktgen_options_parse(&options, argc, argv, err);
}

static void takes(const char *line)
{
	if (parse(line) != 0)
		fail_msg("%s: %s", line, err);
}

static void refuses(const char *line, const char *why)
{
	if (parse(line) != -1)
		fail_msg("'%s' was taken", line);
	if (strstr(err, why) == NULL)
		fail_msg("'%s': %s", line, err);
}

static void ports_are_pairs_with_addresses(void **state)
{
	takes("-p a -p b,mac=02:00:00:00:00:99,ip=10.9.9.9 -p c,server=1,peer-ip=1.2.3.4");
	assert_int_equal(options.n_ports, 3);
	assert_string_equal(options.ports[0].path, "a");
	assert_int_equal(options.ports[0].ip, 0x0a000001);
	assert_int_equal(options.ports[0].peer_ip, 0x0a090909);
	assert_int_equal(options.ports[0].peer_mac[5], 0x99);
	assert_int_equal(options.ports[1].peer_mac[5], 1);
	assert_false(options.ports[1].server);
	/* The third has no peer but itself. */
	assert_true(options.ports[2].server);
	assert_int_equal(options.ports[2].peer_mac[5], 3);
	assert_int_equal(options.ports[2].peer_ip, 0x01020304);
}

static void defaults_are_what_help_says(void **state)
{
	takes("-p a -p b");
	assert_int_equal(options.traffic, PKTGEN_UDP);
	assert_int_equal(options.flows, 1);
	assert_int_equal(options.sizes.min, 64);
	assert_int_equal(options.rate.unit, PKTGEN_RATE_MAX);
	assert_true(options.duration == 10 && !options.one_way && options.latency == 0);
	takes("-p a -p b -t storm");
	assert_int_equal(options.flows, 3600000000u);
	assert_int_equal(options.protocol, IPPROTO_UDP);
	/* Ranges make the flows where their number is not given. */
	takes("-p a -p b --src-port 1-10");
	assert_int_equal(options.flows, 0);
	takes("-p a -p b -l");
	assert_int_equal(options.latency, 16);
	takes("-p a -p b --latency=1");
	assert_int_equal(options.latency, 1);
}

static void all_kinds_of_options_are_taken(void **state)
{
	takes("-p a -p b -t tcp -s imix -r 50% --line-rate 40Gbps -f 1k --dst-ip 10.1.0.0-10.1.0.9 "
	      "-1 --vlan 7 -d 0.5 -w 1 -i 0.1 -S --loss 0.1 --resolution 2 --verify --keep -j "
	      "-c 1 --memory 64 --no-huge --queue-size 256 --virtio packed_vq=1 --wait 3");
	assert_int_equal(options.traffic, PKTGEN_TCP);
	assert_int_equal(options.flows, 1000);
	assert_int_equal(options.ranges[PKTGEN_DST_IP].count, 10);
	assert_int_equal(options.vlan, 7);
	assert_true(options.one_way && options.search && options.verify && options.keep &&
		    options.json && options.no_huge && !options.huge && !options.keep_macs);
	assert_true(options.line == 40e9 && options.warmup == 1 && options.interval == 0.1 &&
		    options.wait == 3);
	assert_true(options.loss > 0.00099 && options.loss < 0.00101);
	assert_int_equal(options.queue_size, 256);
	takes("-p a -p b -t smb --smb both --smb-block 4096 --smb-data zeros --smb-marker X "
	      "--window 64k --tso 1448");
	assert_int_equal(options.smb, PKTGEN_SMB_BOTH);
	assert_true(options.smb_zeros);
	assert_int_equal(options.window, 64000);
	takes("-p a -p b -t replay --capture f --loops 3 --keep-macs");
	assert_true(options.keep_macs && options.loops == 3);
	takes("-p a -p b -t storm --protocol tcp -n 5");
	assert_int_equal(options.protocol, IPPROTO_TCP);
}

static void what_is_wrong_is_named(void **state)
{
	refuses("", "sockets with -p");
	refuses("a b", "'a' is no option");
	refuses("-p a --nothing", "no such option");
	refuses("-p a -s", "a value is missing");
	refuses("-p a,color=red", "--port: a port has no 'color'");
	refuses("-p a,mac=red", "is not a MAC");
	refuses("-p a -s 20", "--size: '20' is not a whole number from 64");
	refuses("-p a -t tcp", "in pairs");
	refuses("-p a -p b -t http",
		"--traffic: 'http' is none of udp tcp storm smb replay mix idle");
	refuses("-p a -p b -t mix", "two pairs of ports");
	refuses("-p a -p b --smb-share 100", "--smb-share");
	refuses("-p a -p b -t replay", "--capture");
	refuses("-p a -p b --capture x", "--traffic replay");
	refuses("-p a -p b -t smb -l", "--latency is for");
	refuses("-p a -p b -t storm -S", "--search is for");
	refuses("-p a -p b --tso 1448", "--tso is for");
	refuses("-p a -p b --vlan 4095", "from 1 to 4094");
	refuses("-p a -p b --queue-size 1000", "power of two");
	refuses("-p a -p b -d 0", "more than 0");
	refuses("-p a -p b --huge --no-huge", "contradict");
	refuses("-p a -p b --line-rate 5", "a line's rate");
	refuses("-p a -p b --protocol smb", "none of udp tcp");
	refuses("-p a -p b -t smb --smb-block 64 --smb-marker "
		"0123456789012345678901234567890123456789012345678901234567890123456789",
		"does not fit");
}

static void too_many_ports_are_refused(void **state)
{
	char line[1024] = "";

	for (unsigned i = 0; i < PKTGEN_PORTS; i++)
		strcat(line, "-p a ");
	takes(line);
	strcat(line, "-p a");
	refuses(line, "at most 32 ports");
}

/* As roff has it: with a backslash before each dash. */
static bool manual_has(const char *manual, const char *option)
{
	char text[128];
	size_t at = 0;

	for (; *option != '\0'; option++) {
		if (*option == '-')
			text[at++] = '\\';
		text[at++] = *option;
	}
	text[at] = '\0';
	return strstr(manual, text) != NULL;
}

static void the_manual_page_has_every_option(void **state)
{
	FILE *file = fopen("bench/vswitch-pktgen.1", "r");
	char *help, *manual, *save = NULL;
	unsigned options_seen = 0;
	size_t len;
	FILE *out = open_memstream(&help, &len);

	if (file == NULL)
		skip();
	pktgen_options_help(out);
	fclose(out);
	manual = calloc(1, 65536);
	assert_in_range(fread(manual, 1, 65535, file), 1000, 65534);
	fclose(file);
	for (char *word = strtok_r(help, " \n", &save); word != NULL;
		word = strtok_r(NULL, " \n", &save)) {
		if (strncmp(word, "--", 2) != 0)
			continue;
		word[strcspn(word, "[,;")] = '\0';
		options_seen++;
		if (!manual_has(manual, word))
			fail_msg("the manual page lacks %s", word);
	}
	assert_in_range(options_seen, 40, 80);
	free(manual);
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_pairs_with_addresses),
		cmocka_unit_test(defaults_are_what_help_says),
		cmocka_unit_test(all_kinds_of_options_are_taken),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(too_many_ports_are_refused),
		cmocka_unit_test(the_manual_page_has_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
