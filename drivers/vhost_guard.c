#include "vhost_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include <rte_common.h>
#include <rte_vhost.h>

#define LOG      VHOST_GUARD_REGIONS /* behind those of memory */
#define MAPPINGS (VHOST_GUARD_REGIONS + 1)

/* A slot whose seq is odd, or moves meanwhile, is being written: the reader passes it by. */
struct slot {
	_Atomic uint32_t seq;
	_Atomic(struct vhost_guard *) guard;
	struct {
		_Atomic uintptr_t start, end; /* both 0: nothing */
	} regions[MAPPINGS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of those who write */
static struct slot slots[RTE_MAX_VHOST_DEVICE]; /* by vid */
static struct sigaction before;
static __thread int entered = -1; /* vid */

/* What a page can be: of the kernel, or of hugetlbfs. */
static const size_t page_sizes[] = {4096, 2u << 20, 1u << 30};

static void write_begin(struct slot *slot)
{
	atomic_fetch_add(&slot->seq, 1);
}

static void write_end(struct slot *slot)
{
	atomic_fetch_add(&slot->seq, 1);
}

/* Both under lock, between write_begin() and write_end(). */
static void put(struct slot *slot, unsigned i, struct vhost_guard_region region)
{
	atomic_store(&slot->regions[i].start, region.start);
	atomic_store(&slot->regions[i].end, region.start + region.size);
}

static void clear(struct slot *slot, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++)
		put(slot, i, (struct vhost_guard_region){0, 0});
}

void vhost_guard_add(int vid, struct vhost_guard *guard)
{
	struct slot *slot = &slots[vid];

	pthread_mutex_lock(&lock);
	write_begin(slot);
	clear(slot, 0, MAPPINGS);
	atomic_store(&slot->guard, guard);
	write_end(slot);
	pthread_mutex_unlock(&lock);
}

void vhost_guard_remove(int vid, const struct vhost_guard *guard)
{
	struct slot *slot = &slots[vid];

	pthread_mutex_lock(&lock);
	if (atomic_load(&slot->guard) == guard) {
		write_begin(slot);
		atomic_store(&slot->guard, NULL);
		clear(slot, 0, MAPPINGS);
		write_end(slot);
	}
	pthread_mutex_unlock(&lock);
}

/* Takes out what lies where something else was mapped by now. */
static void drop_overlaps(struct vhost_guard_region region)
{
	uintptr_t end = region.start + region.size;

	for (unsigned i = 0; i < RTE_MAX_VHOST_DEVICE * MAPPINGS; i++) {
		struct slot *slot = &slots[i / MAPPINGS];
		unsigned at = i % MAPPINGS;

		if (atomic_load(&slot->regions[at].start) >= end ||
			atomic_load(&slot->regions[at].end) <= region.start)
			continue;
		write_begin(slot);
		clear(slot, at, 1);
		write_end(slot);
	}
}

static void set(int vid, unsigned first, unsigned room, const struct vhost_guard_region *regions,
	unsigned n)
{
	struct slot *slot = &slots[vid];

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < n; i++)
		drop_overlaps(regions[i]);
	write_begin(slot);
	clear(slot, first, room);
	for (unsigned i = 0; i < n; i++)
		put(slot, first + i, regions[i]);
	write_end(slot);
	pthread_mutex_unlock(&lock);
}

void vhost_guard_set_memory(int vid, const struct vhost_guard_region *regions, unsigned n)
{
	set(vid, 0, VHOST_GUARD_REGIONS, regions, n);
}

void vhost_guard_set_log(int vid, struct vhost_guard_region log)
{
	set(vid, LOG, 1, &log, 1);
}

void vhost_guard_enter(int vid)
{
	entered = vid;
}

void vhost_guard_leave(void)
{
	entered = -1;
}

void vhost_guard_explain(const struct vhost_guard *guard, char *text, size_t len)
{
	text[0] = '\0';
	switch (atomic_load(&guard->cause)) {
	case VHOST_GUARD_SHORT:
		snprintf(text, len,
			"the guest's memory was cut short under its rings: its side made a file "
			"smaller that it shares; restart the guest (QEMU: memory-backend-memfd "
			"with seal=on keeps this from happening)");
		break;
	case VHOST_GUARD_BROKEN:
		snprintf(text, len,
			"the guest's memory has a hardware error under its rings: look at the "
			"kernel's log, and restart the guest");
		break;
	}
}

/* All below runs in the handler. */

/*
 * Whose memory at is. A slot that is being written is not it: who uses a device's memory keeps it
 * from being mapped anew.
 */
static int find(uintptr_t at, struct vhost_guard_region *region)
{
	for (int vid = 0; vid < RTE_MAX_VHOST_DEVICE; vid++) {
		struct slot *slot = &slots[vid];
		uint32_t seq = atomic_load(&slot->seq);

		for (unsigned i = 0; i < MAPPINGS; i++) {
			uintptr_t start = atomic_load(&slot->regions[i].start);
			uintptr_t end = atomic_load(&slot->regions[i].end);

			if (at < start || at >= end || (seq & 1) || atomic_load(&slot->seq) != seq)
				continue;
			region->start = start;
			region->size = end - start;
			return vid;
		}
	}
	return -1;
}

/*
 * POSIX does not list mmap() among what a handler may call, but on Linux it is a system call and
 * nothing more. Not counted as memory that the process may want: nothing is written to most of it.
 */
static bool map_zeros(uintptr_t start, size_t size)
{
	return mmap((void *)start, size, PROT_READ | PROT_WRITE,
		       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0) != MAP_FAILED;
}

/* Only what cannot be used anyway, so no wrong belief about the mapping can harm anybody else. */
static bool replace_page(uintptr_t at)
{
	for (unsigned i = 0; i < RTE_DIM(page_sizes); i++) {
		if (map_zeros(at & ~(page_sizes[i] - 1), page_sizes[i]))
			return true;
		if (errno != EINVAL) /* EINVAL: a part of a huge page */
			return false;
	}
	return false;
}

/* First the cause, then the words: who writes these looks at the cause afterwards. */
static void switch_off(int vid, struct vhost_guard *guard, int si_code)
{
	int whole = VHOST_GUARD_WHOLE;
	int cause = si_code == BUS_MCEERR_AR || si_code == BUS_MCEERR_AO ? VHOST_GUARD_BROKEN
									 : VHOST_GUARD_SHORT;
	bool first = atomic_compare_exchange_strong(&guard->cause, &whole, cause);

	if (atomic_load(guard->active) == vid) {
		atomic_store(&guard->dev->rx_ready, 0);
		atomic_store(&guard->dev->tx_ready, 0);
	}
	if (first)
		port_env.changed(guard->dev);
}

static bool contain(const siginfo_t *info)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	struct vhost_guard_region region = {0, 0};
	int vid = entered >= 0 ? entered : find(at, &region);
	struct vhost_guard *guard = vid >= 0 ? atomic_load(&slots[vid].guard) : NULL;

	if (guard == NULL)
		return false;
	/* The process can have so many mappings and no more; in one piece it takes only one. */
	if (!replace_page(at) && (region.size == 0 || !map_zeros(region.start, region.size)))
		return false;
	switch_off(vid, guard, info->si_code);
	return true;
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
	int saved = errno;
	bool from_process = info->si_code <= 0; /* kill() and the like: there is no address */

	if (from_process || !contain(info)) {
		/* The access is made once more, and fails as if this handler had not been. */
		sigaction(SIGBUS, &before, NULL);
		if (from_process)
			raise(signo);
	}
	errno = saved;
}

void vhost_guard_install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, now;

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, NULL, &now) != 0 ||
		((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus))
		return;
	before = now;
	sigaction(SIGBUS, &action, NULL);
}
