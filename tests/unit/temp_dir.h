/*
 * For tests that write files: a directory of their own under /tmp, made and removed around each
 * test. Include it behind cmocka.h.
 */
#ifndef VS_TEMP_DIR_H
#define VS_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[40];
static char path[128];

/* The path of a file in it, good until the next call. */
static inline const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static inline int make_dir(void **state)
{
	strcpy(dir, "/tmp/vswitch-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_one(const char *name, const struct stat *st, int kind, struct FTW *at)
{
	return remove(name);
}

/* The directory and everything in it. */
static inline int remove_dir(void **state)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void write_text(const char *name, const char *text)
{
	FILE *file = fopen(in_dir(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

#endif
