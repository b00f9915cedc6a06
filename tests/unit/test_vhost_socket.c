/*
 * Socket files of vhost-user ports: who may use them, what is removed and what is not. Runs as root
 * for the sake of owners; what needs it is skipped otherwise.
 */
#include "vhost_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "vhost_socket.h"

static const struct config_access anyone = {(uid_t)-1, (gid_t)-1, -1};

static int bound(const char *path, int type, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (backlog > 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void expect_refused(const struct config_port *conf, const char *message)
{
	char err[256] = "";

	assert_null(vhost_user_driver.open(conf, 0, err, sizeof(err)));
	if (strstr(err, message) == NULL)
		print_message("instead: %s\n", err);
	assert_non_null(strstr(err, message));
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void test_probe_disturbs_nobody(void **state)
{
	char path[100];
	int fd, client;

	rig_path(path, sizeof(path), "probe");
	assert_int_equal(vhost_socket_probe(path), VHOST_SOCKET_MISSING);
	fd = bound(path, SOCK_STREAM, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(vhost_socket_probe(path), VHOST_SOCKET_ALIVE);
	/* Nobody stands in the queue of those who want to connect. */
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	client = accept(fd, NULL, NULL);
	assert_int_equal(client, -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	assert_int_equal(vhost_socket_probe(path), VHOST_SOCKET_STALE);
	unlink(path);
	fd = bound(path, SOCK_DGRAM, 0);
	assert_int_equal(vhost_socket_probe(path), VHOST_SOCKET_ALIVE);
	close(fd);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(vhost_socket_probe(path), VHOST_SOCKET_OTHER);
	rmdir(path);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct config_port conf = rig_conf("stale", true);
	struct port_dev *dev;

	close(bound(conf.vhost_user.socket, SOCK_STREAM, 1));
	assert_true(exists(conf.vhost_user.socket));
	dev = rig_open(&conf);
	rig_close(dev);
	assert_false(exists(conf.vhost_user.socket));
}

static void test_socket_in_use_is_left_alone(void **state)
{
	struct config_port conf = rig_conf("used", true);
	int fd = bound(conf.vhost_user.socket, SOCK_STREAM, 1);
	unsigned descriptors = rig_descriptors();
	struct vhost_socket_id before, after;

	assert_true(vhost_socket_identify(conf.vhost_user.socket, &before));
	for (unsigned i = 0; i < 10; i++)
		expect_refused(&conf, "is in use by another process");
	assert_true(vhost_socket_identify(conf.vhost_user.socket, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(rig_descriptors(), descriptors);
	close(fd);
	unlink(conf.vhost_user.socket);
}

static void test_file_in_the_way_is_left_alone(void **state)
{
	struct config_port conf = rig_conf("document", true);
	FILE *file = fopen(conf.vhost_user.socket, "w");

	assert_non_null(file);
	fclose(file);
	expect_refused(&conf, "exists and is no socket");
	assert_true(exists(conf.vhost_user.socket));
	unlink(conf.vhost_user.socket);
}

/* Another switch has taken the path over meanwhile. */
static void test_closing_removes_only_the_ports_own_socket(void **state)
{
	struct config_port conf = rig_conf("taken", true);
	struct port_dev *dev = rig_open(&conf);
	struct vhost_socket_id before, after;
	int fd;

	unlink(conf.vhost_user.socket);
	fd = bound(conf.vhost_user.socket, SOCK_STREAM, 1);
	assert_true(vhost_socket_identify(conf.vhost_user.socket, &before));
	rig_close(dev);
	assert_true(vhost_socket_identify(conf.vhost_user.socket, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	close(fd);
	unlink(conf.vhost_user.socket);
}

/* The guest's socket in client mode is not the switch's. */
static void test_client_mode_removes_nothing(void **state)
{
	struct vhost_master m;
	struct port_dev *dev = rig_client(&m, "theirs");
	char path[100];

	rig_path(path, sizeof(path), "theirs");
	rig_close(dev);
	assert_true(exists(path));
	vhost_master_free(&m);
}

static void test_two_ports_cannot_share_a_socket(void **state)
{
	struct config_port conf = rig_conf("shared", false);
	struct port_dev *dev = rig_open(&conf);

	snprintf(conf.name, sizeof(conf.name), "other");
	expect_refused(&conf, "is port shared's");
	rig_close(dev);
}

static void test_path_must_fit(void **state)
{
	struct config_port conf = rig_conf("path", true);
	char *path = conf.vhost_user.socket;

	strcpy(path, "relative/path");
	expect_refused(&conf, "must be an absolute path");
	/* The longest one that can be. */
	snprintf(path, sizeof(conf.vhost_user.socket), "%s/%0*d", rig.dir,
		(int)(sizeof(conf.vhost_user.socket) - strlen(rig.dir) - 2), 7);
	assert_int_equal(strlen(path), CONFIG_PATH_MAX);
	rig_close(rig_open(&conf));
}

static void test_directories_that_cannot_be_made_are_told(void **state)
{
	struct config_port conf = rig_conf("plain", true);
	FILE *file = fopen(conf.vhost_user.socket, "w");

	assert_non_null(file);
	fclose(file);
	strcat(conf.vhost_user.socket, "/below/socket");
	expect_refused(&conf, "cannot make the directory");
	*strstr(conf.vhost_user.socket, "/below") = '\0';
	unlink(conf.vhost_user.socket);
}

static struct stat status(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st;
}

/* QEMU under libvirt is another user: it must reach the socket, and make its own in client mode. */
static void test_access_is_given(void **state)
{
	const struct config_access access = {1234, 2345, 0660};
	struct config_port conf = rig_conf("access", true);
	char dir[200], above[100];
	struct port_dev *dev;
	struct stat st;

	if (geteuid() != 0)
		skip();
	rig_path(above, sizeof(above), "above");
	snprintf(dir, sizeof(dir), "%s/dir", above);
	for (unsigned server = 0; server < 2; server++) {
		snprintf(conf.vhost_user.socket, sizeof(conf.vhost_user.socket), "%.90s/s", dir);
		conf.vhost_user.server = server;
		vhost_user_set_access(&access);
		dev = rig_open(&conf);
		st = status(dir);
		assert_int_equal(st.st_mode & 07777, 0770);
		assert_int_equal(st.st_uid, 1234);
		assert_int_equal(st.st_gid, 2345);
		assert_int_equal(status(above).st_gid, 2345);
		if (server) {
			st = status(conf.vhost_user.socket);
			assert_int_equal(st.st_mode & 07777, 0660);
			assert_int_equal(st.st_uid, 1234);
			assert_int_equal(st.st_gid, 2345);
		}
		vhost_user_set_access(&anyone);
		rig_close(dev);
		assert_int_equal(rmdir(dir), 0);
		assert_int_equal(rmdir(above), 0);
	}
}

static void test_access_of_what_was_there_stays(void **state)
{
	const struct config_access access = {1234, 2345, 0660};
	struct config_port conf = rig_conf("kept", true);
	struct port_dev *dev;
	struct stat before = status(rig.dir), after;

	if (geteuid() != 0)
		skip();
	vhost_user_set_access(&access);
	dev = rig_open(&conf);
	vhost_user_set_access(&anyone);
	after = status(rig.dir);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);
	rig_close(dev);
}

/* Without a mode nobody but root gets in; a new one holds at once. */
static void test_access_changes_live(void **state)
{
	const struct config_access wide = {(uid_t)-1, (gid_t)-1, 0666};
	struct config_port conf = rig_conf("live", true);
	struct port_dev *dev = rig_open(&conf);

	assert_int_equal(status(conf.vhost_user.socket).st_mode & 0777, 0600);
	vhost_user_set_access(&wide);
	assert_int_equal(vhost_user_driver.update(dev, &conf), 0);
	assert_int_equal(status(conf.vhost_user.socket).st_mode & 0777, 0666);
	vhost_user_set_access(&anyone);
	rig_close(dev);
}

/* In a directory that others may write to, a link in the socket's place leads nowhere. */
static void test_access_is_not_given_through_a_link(void **state)
{
	const struct config_access wide = {(uid_t)-1, (gid_t)-1, 0666};
	char secret[100], link[100], err[256];
	FILE *file;

	rig_path(secret, sizeof(secret), "secret");
	rig_path(link, sizeof(link), "link");
	file = fopen(secret, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(chmod(secret, 0600), 0);
	assert_int_equal(symlink(secret, link), 0);
	assert_int_equal(vhost_socket_give(link, &wide, err, sizeof(err)), -1);
	assert_int_equal(vhost_socket_give(secret, &wide, err, sizeof(err)), -1);
	assert_int_equal(status(secret).st_mode & 0777, 0600);
	unlink(link);
	unlink(secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe_disturbs_nobody),
		cmocka_unit_test(test_stale_socket_is_replaced),
		cmocka_unit_test(test_socket_in_use_is_left_alone),
		cmocka_unit_test(test_file_in_the_way_is_left_alone),
		cmocka_unit_test(test_closing_removes_only_the_ports_own_socket),
		cmocka_unit_test(test_client_mode_removes_nothing),
		cmocka_unit_test(test_two_ports_cannot_share_a_socket),
		cmocka_unit_test(test_path_must_fit),
		cmocka_unit_test(test_directories_that_cannot_be_made_are_told),
		cmocka_unit_test(test_access_is_given),
		cmocka_unit_test(test_access_of_what_was_there_stays),
		cmocka_unit_test(test_access_changes_live),
		cmocka_unit_test(test_access_is_not_given_through_a_link),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
