/* KEY=VALUE of commands, made into pieces of a configuration document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "config_fields.h"
#include "config_uplinks.h"
#include "settings.h"

static void assert_patch_of(
	const struct config_table *table, const char *settings, const char *patch)
{
	json_t *from = json_loads(settings, 0, NULL), *expected = json_loads(patch, 0, NULL), *made;
	char err[256], *text;

	assert_non_null(from);
	assert_non_null(expected);
	made = settings_patch(table, from, err, sizeof(err));
	assert_non_null(made);
	if (!json_equal(made, expected)) {
		text = json_dumps(made, 0);
		fail_msg("%s became %s, not %s", settings, text, patch);
	}
	json_decref(from);
	json_decref(expected);
	json_decref(made);
}

/* Whether settings (JSON) become patch (JSON) for a port. */
static void assert_patch(const char *settings, const char *patch)
{
	assert_patch_of(&config_fields_port, settings, patch);
}

static void assert_refused(const char *settings)
{
	json_t *from = json_loads(settings, 0, NULL);
	char err[256] = "";

	assert_null(settings_patch(&config_fields_port, from, err, sizeof(err)));
	assert_string_not_equal(err, "");
	json_decref(from);
}

static void test_values(void **state)
{
	(void)state;
	assert_patch("{}", "{}");
	assert_patch("{\"mtu\":\"1400\",\"isolated\":\"true\",\"tagged\":\"pass\"}",
		"{\"mtu\":1400,\"isolated\":true,\"tagged\":\"pass\"}");
	/* A name stays a name, whatever it looks like. */
	assert_patch("{\"network\":\"42\"}", "{\"network\":\"42\"}");
	assert_patch("{\"network\":\"true\"}", "{\"network\":\"true\"}");
	assert_patch("{\"mac\":\"02:00:00:00:00:01\"}", "{\"mac\":\"02:00:00:00:00:01\"}");
	assert_patch("{\"mtu\":\"\"}", "{\"mtu\":null}");
	assert_patch("{\"ips\":\"10.0.0.1\"}", "{\"ips\":[\"10.0.0.1\"]}");
	assert_patch("{\"ips\":\"10.0.0.1,fe80::1\"}", "{\"ips\":[\"10.0.0.1\",\"fe80::1\"]}");
	assert_patch("{\"ips\":\"\"}", "{\"ips\":null}");
}

static void test_inner_fields(void **state)
{
	(void)state;
	assert_patch("{\"vhost-user.socket\":\"/run/x=y\",\"vhost-user.queues\":\"4\"}",
		"{\"vhost-user\":{\"socket\":\"/run/x=y\",\"queues\":4}}");
	/* What is unknown is kept, for the configuration's own check to name. */
	assert_patch("{\"nonsense\":\"7\",\"a.b.c\":\"x\"}",
		"{\"nonsense\":7,\"a\":{\"b\":{\"c\":\"x\"}}}");
	/* The whole taken away. */
	assert_patch("{\"storm\":\"\"}", "{\"storm\":null}");
}

/* Devices have commas of their own. */
static void test_devices(void **state)
{
	(void)state;
	assert_patch_of(&config_fields_uplink,
		"{\"device\":\"net_tap0,iface=a,x=1\",\"networks\":\"red,blue\"}",
		"{\"device\":\"net_tap0,iface=a,x=1\",\"networks\":[\"red\",\"blue\"]}");
	assert_patch_of(&config_fields_uplink,
		"{\"bond.mode\":\"lacp\",\"bond.members\":\"0000:3b:00.0,0000:3b:00.1,a=1\"}",
		"{\"bond\":{\"mode\":\"lacp\",\"members\":[\"0000:3b:00.0\",\"0000:3b:00.1,a=1\"]}"
		"}");
	assert_patch_of(&config_fields_uplink,
		"{\"bond.members\":\"net_tap0,iface=a,remote=b,net_tap1,iface=c\"}",
		"{\"bond\":{\"members\":[\"net_tap0,iface=a,remote=b\",\"net_tap1,iface=c\"]}}");
}

/* Lists and objects as the configuration file has them. */
static void test_flow(void **state)
{
	(void)state;
	assert_patch_of(&config_fields_uplink,
		"{\"vxlan.peers\":\"[{name: b, address: 192.0.2.2, networks: [red, 42]}, {address: "
		"'2001:db8::2'}]\",\"vxlan.mtu\":\"1600\"}",
		"{\"vxlan\":{\"peers\":[{\"name\":\"b\",\"address\":\"192.0.2.2\",\"networks\":["
		"\"red\","
		"42]},{\"address\":\"2001:db8::2\"}],\"mtu\":1600}}");
	assert_patch("{\"vhost-user\":\"{socket: /run/x, queues: 4}\"}",
		"{\"vhost-user\":{\"socket\":\"/run/x\",\"queues\":4}}");
	assert_patch("{\"ips\":\"[]\"}", "{\"ips\":[]}");
	/* A text is a text. */
	assert_patch("{\"network\":\"[a]\"}", "{\"network\":\"[a]\"}");
	assert_refused("{\"ips\":\"[10.0.0.1\"}");
	assert_refused("{\"ips\":\"[10.0.0.1] x\"}");
	assert_refused("{\"vhost-user\":\"{a: 1, a: 2}\"}");
	assert_refused("{\"vhost-user\":\"{a: &x 1, b: *x}\"}");
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused("{\"\":\"x\"}");
	assert_refused("{\".\":\"x\"}");
	assert_refused("{\"a.\":\"x\"}");
	assert_refused("{\"a..b\":\"x\"}");
	assert_refused("{\"a.b.c.d.e\":\"x\"}");
	assert_refused("{\"kernel\":\"x\",\"kernel.interface\":\"y\"}");
	assert_refused("{\"kernel.interface\":\"y\",\"kernel\":\"x\"}");
	assert_refused("{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "\":\"x\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_inner_fields),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
