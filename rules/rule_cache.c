#include "rule_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC  "vswitch rules 1\n"
#define SUFFIX ".hsdb"

struct header {
	char magic[sizeof(MAGIC) - 1];
	uint64_t key_size, body_size, hash; /* of key and body */
	uint64_t n;
};

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * 1099511628211U; /* FNV-1a */
	return h;
}

#define HASH_BEGIN 14695981039346656037U

bool rule_cache_begin_key(FILE *stream)
{
	hs_platform_info_t platform;

	memset(&platform, 0, sizeof(platform));
	if (hs_populate_platform(&platform) != HS_SUCCESS)
		return false;
	fprintf(stream, "%s\n", hs_version());
	fwrite(&platform, sizeof(platform), 1, stream);
	return true;
}

static bool path_of(const char *dir, const void *key, size_t key_size, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%016" PRIx64 SUFFIX, dir,
		       hash(HASH_BEGIN, key, key_size)) < PATH_MAX;
}

/* The body: for each database its size, 0 for none, and its bytes. */
static bool take(const char *body, size_t size, hs_database_t **dbs, unsigned n)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t bytes;

		if (size - at < sizeof(bytes))
			return false;
		memcpy(&bytes, body + at, sizeof(bytes));
		at += sizeof(bytes);
		if (bytes > size - at)
			return false;
		if (bytes > 0 && hs_deserialize_database(body + at, bytes, &dbs[i]) != HS_SUCCESS)
			return false;
		at += bytes;
	}
	return at == size;
}

static char *read_body(
	FILE *stream, const void *key, size_t key_size, unsigned n, struct header *header)
{
	char *both;
	bool good;

	if (fread(header, sizeof(*header), 1, stream) != 1 ||
		memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0 || header->n != n ||
		header->key_size != key_size || header->body_size > RULE_CACHE_MAX)
		return NULL;
	both = malloc(key_size + header->body_size);
	good = both && fread(both, key_size + header->body_size, 1, stream) == 1 &&
	       memcmp(both, key, key_size) == 0 &&
	       hash(HASH_BEGIN, both, key_size + header->body_size) == header->hash;
	if (!good) {
		free(both);
		return NULL;
	}
	return both;
}

bool rule_cache_load(
	const char *dir, const void *key, size_t key_size, hs_database_t **dbs, unsigned n)
{
	hs_database_t **found = calloc((size_t)n + 1, sizeof(*found));
	struct header header = {0};
	char path[PATH_MAX], *both = NULL;
	FILE *stream = NULL;
	bool good = false;

	if (found && path_of(dir, key, key_size, path))
		stream = fopen(path, "re");
	if (stream) {
		both = read_body(stream, key, key_size, n, &header);
		fclose(stream);
	}
	if (both)
		good = take(both + key_size, header.body_size, found, n);
	for (unsigned i = 0; found && i < n; i++) {
		if (good)
			dbs[i] = found[i];
		else
			hs_free_database(found[i]);
	}
	if (good) /* young again: the oldest go first */
		utimensat(AT_FDCWD, path, NULL, 0);
	free(both);
	free(found);
	return good;
}

static bool add_database(FILE *body, const hs_database_t *db)
{
	char *bytes = NULL;
	size_t n = 0;
	uint64_t size;

	if (db && hs_serialize_database(db, &bytes, &n) != HS_SUCCESS)
		return false;
	size = n;
	fwrite(&size, sizeof(size), 1, body);
	if (n > 0)
		fwrite(bytes, n, 1, body);
	free(bytes);
	return true;
}

static char *make_body(hs_database_t *const *dbs, unsigned n, size_t *size)
{
	char *bytes = NULL;
	FILE *body = open_memstream(&bytes, size);
	bool good = body != NULL;

	for (unsigned i = 0; good && i < n; i++)
		good = add_database(body, dbs[i]);
	if (body && fclose(body) != 0)
		good = false;
	if (!good || *size > RULE_CACHE_MAX) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

/* A new file, then its name: a reader sees all of it or nothing. */
static bool write_file(
	const char *path, const struct header *header, const void *key, const char *body)
{
	char temporary[PATH_MAX + 8];
	bool good;
	FILE *stream;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return false;
	stream = fdopen(fd, "w");
	if (!stream) {
		close(fd);
		unlink(temporary);
		return false;
	}
	good = fwrite(header, sizeof(*header), 1, stream) == 1 &&
	       fwrite(key, header->key_size, 1, stream) == 1 &&
	       (header->body_size == 0 || fwrite(body, header->body_size, 1, stream) == 1);
	good = fclose(stream) == 0 && good;
	good = good && rename(temporary, path) == 0;
	if (!good)
		unlink(temporary);
	return good;
}

static bool is_ours(const char *name)
{
	size_t n = strlen(name);

	return n == 16 + strlen(SUFFIX) && strcmp(name + 16, SUFFIX) == 0;
}

/* Removes the oldest file of more than RULE_CACHE_FILES. False: nothing more to remove. */
static bool prune_one(const char *dir)
{
	char oldest[NAME_MAX + 1] = "";
	struct timespec since = {0};
	unsigned n = 0;
	DIR *list = opendir(dir);
	bool removed = false;

	for (struct dirent *entry = list ? readdir(list) : NULL; entry; entry = readdir(list)) {
		struct stat st;

		if (!is_ours(entry->d_name) || fstatat(dirfd(list), entry->d_name, &st, 0) != 0)
			continue;
		if (n++ == 0 || st.st_mtim.tv_sec < since.tv_sec ||
			(st.st_mtim.tv_sec == since.tv_sec && st.st_mtim.tv_nsec < since.tv_nsec)) {
			since = st.st_mtim;
			snprintf(oldest, sizeof(oldest), "%s", entry->d_name);
		}
	}
	if (list) {
		removed = n > RULE_CACHE_FILES && unlinkat(dirfd(list), oldest, 0) == 0;
		closedir(list);
	}
	return removed;
}

bool rule_cache_store(
	const char *dir, const void *key, size_t key_size, hs_database_t *const *dbs, unsigned n)
{
	struct header header = {.key_size = key_size, .n = n};
	char path[PATH_MAX], *body;
	size_t size = 0;
	bool done;

	body = make_body(dbs, n, &size);
	if (!body || !path_of(dir, key, key_size, path)) {
		free(body);
		errno = body ? ENAMETOOLONG : ENOMEM;
		return false;
	}
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.body_size = size;
	header.hash = hash(hash(HASH_BEGIN, key, key_size), body, size);
	done = write_file(path, &header, key, body);
	free(body);
	while (done && prune_one(dir))
		;
	return done;
}
