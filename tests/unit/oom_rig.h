/*
 * Memory that runs out at a chosen allocation. Include it in one file of a test program: it
 * replaces malloc() and its kin there. oom_each() runs a function until it no longer fails.
 */
#ifndef VS_OOM_RIG_H
#define VS_OOM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

/* What they are without this. */
#ifdef __SANITIZE_ADDRESS__
#define OOM_REAL(name) __interceptor_##name
#else
#define OOM_REAL(name) __libc_##name
#endif
void *OOM_REAL(malloc)(size_t size);
void *OOM_REAL(calloc)(size_t n, size_t size);
void *OOM_REAL(realloc)(void *block, size_t size);
void *OOM_REAL(memalign)(size_t alignment, size_t size);
void OOM_REAL(free)(void *block);

static bool oom_armed;
static unsigned oom_left; /* allocations that still succeed */
static long oom_held; /* blocks allocated and not freed while armed */

static bool oom_now(void)
{
	return oom_armed && oom_left-- == 0;
}

static void *oom_taken(void *block)
{
	oom_held += oom_armed && block != NULL;
	return block;
}

/* After the one that fails all do. */
static void *oom_failed(void)
{
	oom_left = 0;
	return NULL;
}

void *malloc(size_t size)
{
	return oom_now() ? oom_failed() : oom_taken(OOM_REAL(malloc)(size));
}

void *calloc(size_t n, size_t size)
{
	return oom_now() ? oom_failed() : oom_taken(OOM_REAL(calloc)(n, size));
}

void *realloc(void *block, size_t size)
{
	if (oom_now())
		return oom_failed();
	return block == NULL ? oom_taken(OOM_REAL(malloc)(size)) : OOM_REAL(realloc)(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return oom_now() ? oom_failed() : oom_taken(OOM_REAL(memalign)(alignment, size));
}

void free(void *block)
{
	oom_held -= oom_armed && block != NULL;
	OOM_REAL(free)(block);
}

/*
 * Calls make with memory for 0, 1, 2 ... allocations until it returns something, frees that with
 * free_made, and asserts that nothing was left behind at any time. Returns how often it failed.
 */
static inline unsigned oom_each(void *(*make)(void), void (*free_made)(void *made))
{
	void *made = NULL;
	unsigned failed;

	for (failed = 0; failed < 100000; failed++) {
		oom_left = failed;
		oom_held = 0;
		oom_armed = true;
		made = make();
		if (made != NULL)
			free_made(made);
		oom_armed = false;
		assert_int_equal(oom_held, 0);
		if (made != NULL)
			return failed;
	}
	fail_msg("it never succeeds");
	return failed;
}

#endif
