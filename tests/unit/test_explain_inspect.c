/* What explain says of packets of an inspected tenant is what becomes of them. */
#include "inspect_rig.h"

#include "switch_explain.h"

static uint8_t to_mac[6] = {2, 0, 0, 0, 0, 2}; /* of what host 1 sends */

/* What explain says of the segment, which is not sent. */
static json_t *explain(const struct tcp *c, unsigned side, uint8_t flags)
{
	uint32_t len = ir_make(c, side, flags, c->next[side], c->next[!side], "x", 1);
	char hex[256] = "", err[512];
	json_t *args, *result;
	bool negative;

	if (c->host[side] == 1)
		memcpy(ir_frame, to_mac, 6);
	for (uint32_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", ir_frame[i]);
	args = json_pack("{s:s,s:s}", "from", ir_port(c->host[side]), "packet", hex);
	result = switch_explain(args, &negative, err, sizeof(err));
	json_decref(args);
	if (result == NULL)
		fail_msg("%s", err);
	return result;
}

/* reason "": it passes; step: one that the answer has, with this in its text. */
static void says(const struct tcp *c, unsigned side, uint8_t flags, const char *reason,
	const char *step, const char *text)
{
	json_t *result = explain(c, side, flags), *each;
	const char *got = json_string_value(json_object_get(result, "reason"));
	bool found = step == NULL;
	size_t i;

	json_array_foreach (json_object_get(result, "steps"), i, each)
		if (step != NULL &&
			strcmp(json_string_value(json_object_get(each, "step")), step) == 0)
			found = strstr(json_string_value(json_object_get(each, "says")), text) !=
				NULL;
	if (strcmp(got != NULL ? got : "", reason) != 0 || !found) {
		json_dumpf(result, stderr, JSON_INDENT(1));
		fail_msg("not %s, %s: %s", reason, step, text);
	}
	json_decref(result);
}

static void test_modes(void **state)
{
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 445);
	says(&c, 0, TCP_ACK, "", "inspection", "mode prevent");
	memset(to_mac, 0xff, 6);
	says(&c, 0, TCP_ACK, "stream_invalid", "inspection", "stream_invalid");
	rig_mac(to_mac, 2);
	assert_int_equal(ir_smb(&c, 0, "hello"), DELIVERED);
	ir_apply(IR_TEXT(""));
	says(&c, 1, TCP_ACK, "", "inspection", "mode detect");
	assert_int_equal(ir_smb(&c, 1, "hello"), DELIVERED);
}

static void test_dead(void **state)
{
	struct tcp c;

	ir_start(IR_TEXT(IR_PREVENT));
	c = ir_open(1, 2, 445);
	assert_int_equal(ir_smb(&c, 0, MARKER), DROP_inspect_found);
	for (unsigned side = 0; side < 2; side++) {
		says(&c, side, TCP_ACK, "inspect_dead", "connection", "ended by inspection");
		assert_int_equal(ir_say(&c, side, "x", 1), DROP_inspect_dead);
	}
	/* A new one may be. */
	says(&c, 0, TCP_SYN, "", "inspection", "mode prevent");
	c.isn[0] += 1000000;
	c.next[0] = c.isn[0] + 1;
	ir_shake(&c);
}

static void test_cut_off(void **state)
{
	struct tcp web, smb, other;

	ir_start(IR_TEXT(IR_PREVENT));
	web = ir_open(1, 2, 80);
	smb = ir_open(1, 2, 445);
	other = ir_open(3, 1, 445);
	assert_int_equal(ir_smb(&smb, 0, CULPRIT), DROP_inspect_found);
	says(&other, 0, TCP_ACK, "quarantined", NULL, NULL);
	assert_int_equal(ir_smb(&other, 0, "hello"), DROP_quarantined);
	says(&smb, 0, TCP_SYN, "quarantined", NULL, NULL);
	says(&web, 0, TCP_ACK, "", NULL, NULL);
	assert_int_equal(ir_say(&web, 0, "GET", 3), DELIVERED);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IR_TEST(test_modes),
		IR_TEST(test_dead),
		IR_TEST(test_cut_off),
	};

	if (rig_eal(argv[0], "1024") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, rig_eal_end);
}
