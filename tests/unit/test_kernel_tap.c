/* The tap device: how it is set up, and what is said where it cannot be. */
#include "kernel_rig.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/if_tun.h>

#include "kernel_tap.h"

static int setup(void **state)
{
	rig_reason = netns_unusable();
	return 0;
}

static struct kernel_tap_config tap_config(const char *interface, const char *netns)
{
	return (struct kernel_tap_config){.interface = interface, .netns = netns, .mtu = 1500};
}

static void assert_refused(const struct kernel_tap_config *config, const char *what)
{
	char err[256] = "";

	assert_int_equal(kernel_tap_open(config, err, sizeof(err)), -1);
	if (strstr(err, what) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, what);
}

static int open_tap(const struct kernel_tap_config *config)
{
	char err[256] = "";
	int fd = kernel_tap_open(config, err, sizeof(err));

	if (fd < 0)
		fail_msg("%s", err);
	return fd;
}

static void test_set_up(void **state)
{
	struct kernel_tap_config config;
	struct kernel_tap_info info;
	struct ifreq ifr = {0};
	int fd, header = 0;

	rig_skip_unless_usable();
	config = tap_config("tap0", rig_netns(0));
	config.mtu = 9000;
	config.mac = (const uint8_t *)"\x02\x11\x22\x33\x44\x55";
	fd = open_tap(&config);
	assert_int_equal(ioctl(fd, TUNGETIFF, &ifr), 0);
	assert_true(ifr.ifr_flags & IFF_TAP && ifr.ifr_flags & IFF_NO_PI);
	assert_true(ifr.ifr_flags & IFF_VNET_HDR && !(ifr.ifr_flags & IFF_PERSIST));
	assert_int_equal(ioctl(fd, TUNGETVNETHDRSZ, &header), 0);
	assert_int_equal(header, 10);
	assert_int_equal(kernel_tap_info(fd, &info), 0);
	assert_string_equal(info.interface, "tap0");
	assert_string_equal(info.netns, config.netns);
	assert_int_equal(info.mtu, 9000);
	assert_true(info.up);
	assert_true(info.ifindex > 0);
	assert_int_equal(
		netns_command("ip -n %s link show tap0 | grep -q 02:11:22:33:44:55", config.netns),
		0);
	assert_int_equal(kernel_tap_set(fd, 1400, (const uint8_t *)"\x02\x11\x22\x33\x44\x66"), 0);
	assert_int_equal(
		netns_command("ip -n %s link show tap0 | grep -q 02:11:22:33:44:66", config.netns),
		0);
	assert_int_equal(kernel_tap_set(fd, 1401, NULL), 0);
	assert_int_equal(
		netns_command("ip -n %s link show tap0 | grep -q 02:11:22:33:44:66", config.netns),
		0);
	assert_int_equal(kernel_tap_info(fd, &info), 0);
	assert_int_equal(info.mtu, 1401);
	close(fd);
	assert_true(netns_wait(
		netns_command("ip -n %s link show tap0 2>/dev/null >&2", config.netns) != 0));
}

/* A process that does nothing, in a nameless namespace of its own. */
static pid_t start_in_own_namespace(void)
{
	int fds[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		/* Not even where the test is killed does it outlive it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) != 0 || write(fds[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_true(pid > 0);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return pid;
}

/* The process's own namespace, and one that has no name. */
static void test_namespace_names(void **state)
{
	struct kernel_tap_config config = tap_config("tap0", "");
	struct kernel_tap_info info;
	pid_t pid;
	int fd;

	rig_skip_unless_usable();
	fd = open_tap(&config);
	assert_int_equal(kernel_tap_info(fd, &info), 0);
	assert_string_equal(info.netns, "");
	assert_int_equal(netns_command("ip link show tap0 >/dev/null"), 0);
	pid = start_in_own_namespace();
	assert_int_equal(netns_command("ip link set tap0 netns %d", (int)pid), 0);
	assert_int_equal(kernel_tap_info(fd, &info), 0);
	assert_memory_equal(info.netns, "net:[", 5);
	assert_false(info.up);
	/* The namespace goes with its only process, and the device with it. */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(netns_wait(kernel_tap_info(fd, &info) == -EBADFD));
	assert_int_equal(kernel_tap_set(fd, 1400, NULL), -EBADFD);
	close(fd);
}

static void test_name_in_use(void **state)
{
	struct kernel_tap_config config = tap_config("tap0", "");
	int fd;

	rig_skip_unless_usable();
	fd = open_tap(&config);
	assert_refused(
		&config, "kernel.interface: \"tap0\" exists already in the switch's namespace");
	config.netns = rig_netns(0);
	close(open_tap(&config));
	assert_int_equal(netns_command("ip -n %s link add tap0 type dummy 2>/dev/null ||"
				       " ip -n %s tuntap add tap0 mode tap",
				 config.netns, config.netns),
		0);
	assert_refused(&config, "\"tap0\" exists already in namespace vs-unit-");
	config.interface = "lo";
	assert_refused(&config, "kernel.interface: \"lo\"");
	close(fd);
}

static void test_bad_names(void **state)
{
	const char *names[] = {"", "tap%d", "a/b", "a b", ".", ".."};
	struct kernel_tap_config config = tap_config("", "");

	rig_skip_unless_usable();
	for (unsigned i = 0; i < RTE_DIM(names); i++) {
		config.interface = names[i];
		assert_refused(&config, "is no interface name");
	}
}

static void test_bad_namespaces(void **state)
{
	struct kernel_tap_config config = tap_config("tap0", "vs-unit-none");
	char path[64], name[32];
	int fd;

	rig_skip_unless_usable();
	assert_refused(&config, "there is no network namespace \"vs-unit-none\"; make it with");
	config.netns = "../../etc/passwd";
	assert_refused(&config, "is a path");
	config.netns = "..";
	assert_refused(&config, "is no network namespace");
	/* What is left of a namespace where the machine's mount table was tampered with. */
	config.netns = rig_netns(0);
	snprintf(name, sizeof(name), "vs-unit-%d-file", (int)getpid());
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	config.netns = name;
	assert_refused(&config, "is no network namespace");
	unlink(path);
}

static void test_bad_values(void **state)
{
	struct kernel_tap_config config = tap_config("tap0", "");

	rig_skip_unless_usable();
	config.mac = (const uint8_t *)"\x01\x00\x00\x00\x00\x01";
	assert_refused(&config, "mac: ");
	config.mac = NULL;
	config.mtu = 20;
	assert_refused(&config, "mtu: the kernel refuses 20");
}

static int open_unprivileged(void *arg)
{
	const struct kernel_tap_config *config = arg;

	/* This thread alone: the system call, not the C library's wrapper for all threads. */
	if (syscall(SYS_setresuid, 65534, 65534, 65534) != 0)
		return -errno;
	assert_refused(config, "must run as root or with CAP_");
	return 0;
}

static void test_no_permission(void **state)
{
	struct kernel_tap_config config = tap_config("tap0", "");

	rig_skip_unless_usable();
	assert_int_equal(netns_run(rig_netns(0), open_unprivileged, &config), 0);
	config.netns = rig_names[0];
	assert_int_equal(netns_run(rig_names[0], open_unprivileged, &config), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_set_up, rig_clean),
		cmocka_unit_test_teardown(test_namespace_names, rig_clean),
		cmocka_unit_test_teardown(test_name_in_use, rig_clean),
		cmocka_unit_test_teardown(test_bad_names, rig_clean),
		cmocka_unit_test_teardown(test_bad_namespaces, rig_clean),
		cmocka_unit_test_teardown(test_bad_values, rig_clean),
		cmocka_unit_test_teardown(test_no_permission, rig_clean),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, setup, NULL);
}
