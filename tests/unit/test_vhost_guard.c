/*
 * The guard by itself: what it contains, and what it must not. Ports of the test's own, and files
 * that the test cuts short. What goes with the vhost library is in test_vhost_hostile.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vhost_guard.h"

#define PAGE  4096
#define PAGES 4
#define SIZE  ((size_t)PAGES * PAGE)

struct device {
	struct port_dev dev;
	_Atomic int active;
	struct vhost_guard guard;
	int fd;
	volatile uint8_t *at;
};

static unsigned changes;

static void changed(struct port_dev *dev)
{
	(void)dev;
	changes++;
}

static void map(struct device *d)
{
	d->fd = memfd_create("guest", MFD_CLOEXEC);
	assert_true(d->fd >= 0);
	assert_int_equal(ftruncate(d->fd, SIZE), 0);
	d->at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	assert_true(d->at != MAP_FAILED);
	memset((void *)d->at, 0x5a, SIZE);
}

static void device_start(struct device *d, int vid)
{
	memset(d, 0, sizeof(*d));
	map(d);
	d->active = vid;
	d->dev.rx_ready = d->dev.tx_ready = 3;
	d->guard.dev = &d->dev;
	d->guard.active = &d->active;
	vhost_guard_add(vid, &d->guard);
}

static void device_set(struct device *d, int vid)
{
	struct vhost_guard_region region = {(uintptr_t)d->at, SIZE};

	vhost_guard_set_memory(vid, &region, 1);
}

static void device_end(struct device *d, int vid)
{
	vhost_guard_remove(vid, &d->guard);
	munmap((void *)d->at, SIZE);
	close(d->fd);
}

static int start(void **state)
{
	(void)state;
	port_env.changed = changed;
	changes = 0;
	return 0;
}

static void assert_off(const struct device *d)
{
	char text[256];

	assert_int_equal(d->dev.rx_ready, 0);
	assert_int_equal(d->dev.tx_ready, 0);
	vhost_guard_explain(&d->guard, text, sizeof(text));
	assert_non_null(strstr(text, "cut short"));
}

static void assert_on(const struct device *d)
{
	char text[256];

	assert_int_equal(d->dev.rx_ready, 3);
	assert_int_equal(d->dev.tx_ready, 3);
	vhost_guard_explain(&d->guard, text, sizeof(text));
	assert_string_equal(text, "");
}

/* Zeros where the file ends, and nothing else is touched; told once. */
static void test_cut(void **state)
{
	struct device a, b;

	device_start(&a, 3);
	device_start(&b, 700);
	device_set(&a, 3);
	device_set(&b, 700);
	vhost_guard_install();
	assert_int_equal(ftruncate(a.fd, PAGE), 0);
	assert_int_equal(a.at[3 * PAGE + 5], 0);
	a.at[2 * PAGE] = 1;
	assert_int_equal(a.at[2 * PAGE], 1);
	assert_int_equal(a.at[PAGE - 1], 0x5a);
	assert_int_equal(b.at[3 * PAGE + 5], 0x5a);
	assert_off(&a);
	assert_on(&b);
	assert_int_equal(changes, 1);
	device_end(&a, 3);
	device_end(&b, 700);
}

/* The words are those of another device of the port. */
static void test_cut_standby(void **state)
{
	struct device a;

	device_start(&a, 3);
	device_set(&a, 3);
	a.active = 4;
	vhost_guard_install();
	assert_int_equal(ftruncate(a.fd, 0), 0);
	assert_int_equal(a.at[0], 0);
	assert_int_equal(a.dev.rx_ready, 3);
	assert_int_equal(a.dev.tx_ready, 3);
	assert_int_equal(a.guard.cause, VHOST_GUARD_SHORT);
	device_end(&a, 3);
}

static void test_cut_log(void **state)
{
	struct device a;

	device_start(&a, 3);
	/* A size that ends inside of a page. */
	vhost_guard_set_log(3, (struct vhost_guard_region){(uintptr_t)a.at, SIZE - 100});
	vhost_guard_set_memory(3, NULL, 0);
	vhost_guard_install();
	assert_int_equal(ftruncate(a.fd, 0), 0);
	assert_int_equal(a.at[SIZE - 101], 0);
	assert_off(&a);
	device_end(&a, 3);
}

/* Memory that nobody told of yet, and that is where something else was before. */
static void test_cut_while_it_is_mapped(void **state)
{
	struct device a, b;

	device_start(&a, 3);
	device_start(&b, 4);
	device_set(&b, 4);
	munmap((void *)b.at, SIZE);
	a.at = mmap((void *)b.at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a.fd, 0);
	assert_ptr_equal(a.at, b.at);
	vhost_guard_install();
	assert_int_equal(ftruncate(a.fd, PAGE), 0);
	vhost_guard_enter(3);
	assert_int_equal(a.at[2 * PAGE], 0);
	vhost_guard_leave();
	assert_off(&a);
	assert_on(&b);
	assert_int_equal(a.at[0], 0x5a);
	vhost_guard_remove(4, &b.guard);
	close(b.fd);
	device_end(&a, 3);
}

/* Who mapped last has it. */
static void test_cut_in_reused_place(void **state)
{
	struct device a, b;

	device_start(&a, 5);
	device_start(&b, 4);
	device_set(&b, 4);
	munmap((void *)b.at, SIZE);
	a.at = mmap((void *)b.at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a.fd, 0);
	assert_ptr_equal(a.at, b.at);
	device_set(&a, 5);
	vhost_guard_install();
	assert_int_equal(ftruncate(a.fd, 0), 0);
	assert_int_equal(a.at[PAGE], 0);
	assert_off(&a);
	assert_on(&b);
	vhost_guard_remove(4, &b.guard);
	close(b.fd);
	device_end(&a, 5);
}

/* A number that the library has given to another device by now stays that one's. */
static void test_remove_what_is_anothers(void **state)
{
	struct device a, b;

	device_start(&a, 3);
	device_start(&b, 3);
	device_set(&b, 3);
	vhost_guard_remove(3, &a.guard);
	vhost_guard_install();
	assert_int_equal(ftruncate(b.fd, 0), 0);
	assert_int_equal(b.at[0], 0);
	assert_off(&b);
	assert_on(&a);
	device_end(&b, 3);
	device_end(&a, 3);
}

/* What a process that does this ends with: as without a guard. */
static int status_of(void (*deed)(void))
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGBUS, SIG_DFL);
		vhost_guard_install();
		deed();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void own_mistake(void)
{
	struct device d;

	map(&d);
	if (ftruncate(d.fd, 0) == 0)
		d.at[0] = 1;
}

static void after_removal(void)
{
	struct device d;

	device_start(&d, 3);
	device_set(&d, 3);
	vhost_guard_remove(3, &d.guard);
	if (ftruncate(d.fd, 0) == 0)
		d.at[0] = 1;
}

static void sent_by_a_process(void)
{
	struct device d;

	device_start(&d, 3);
	device_set(&d, 3);
	kill(getpid(), SIGBUS);
	pause();
}

static void test_what_is_not_a_guests_ends_the_process(void **state)
{
	static void (*const deeds[])(void) = {own_mistake, after_removal, sent_by_a_process};

	for (unsigned i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		int status = status_of(deeds[i]);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGBUS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_cut, start),
		cmocka_unit_test_setup(test_cut_standby, start),
		cmocka_unit_test_setup(test_cut_log, start),
		cmocka_unit_test_setup(test_cut_while_it_is_mapped, start),
		cmocka_unit_test_setup(test_cut_in_reused_place, start),
		cmocka_unit_test_setup(test_remove_what_is_anothers, start),
		cmocka_unit_test_setup(test_what_is_not_a_guests_ends_the_process, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
