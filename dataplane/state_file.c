#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LENGTH_MAX 128

static bool fail(struct config_error *err, const char *what, const char *dir, const char *name)
{
	int why = errno;

	config_error_set(err, "cannot %s %s/%s: %s", what, dir, name, strerror(why));
	return false;
}

static bool check_name(const char *dir, const char *name, struct config_error *err)
{
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_LENGTH_MAX && name[0] != '.' && !strchr(name, '/'))
		return true;
	config_error_set(err, "%.100s is no name for a file in %.100s", name, dir);
	return false;
}

static int open_dir(const char *dir, struct config_error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		config_error_set(err, "cannot open the directory %s: %s", dir, strerror(errno));
	return fd;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* The file appears under its name only when all of it is on the disk. */
static bool write_file(
	int dir_fd, const char *dir, const char *name, const char *text, struct config_error *err)
{
	char temp[NAME_LENGTH_MAX + 8];
	bool ok;
	int fd;

	snprintf(temp, sizeof(temp), ".%s.new", name);
	unlinkat(dir_fd, temp, 0); /* left over from a crash */
	fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, "create", dir, temp);
	ok = write_all(fd, text, strlen(text)) && fsync(fd) == 0;
	if (!ok)
		fail(err, "write", dir, temp);
	close(fd);
	if (ok && renameat(dir_fd, temp, dir_fd, name) < 0)
		ok = fail(err, "replace", dir, name);
	if (ok && fsync(dir_fd) < 0)
		return fail(err, "make lasting", dir, name);
	if (!ok)
		unlinkat(dir_fd, temp, 0);
	return ok;
}

bool state_file_write(
	const char *dir, const char *name, const json_t *json, struct config_error *err)
{
	char *text;
	bool ok = false;
	int fd;

	err->text[0] = '\0';
	if (!check_name(dir, name, err))
		return false;
	text = json_dumps(json, JSON_INDENT(2));
	if (!text || strlen(text) >= STATE_FILE_SIZE_MAX) {
		config_error_set(err, "what is to be saved in %s/%s %s", dir, name,
			text ? "is larger than the 8 MiB that are read back" : "is not JSON");
		free(text);
		return false;
	}
	fd = open_dir(dir, err);
	if (fd >= 0) {
		ok = write_file(fd, dir, name, text, err);
		close(fd);
	}
	free(text);
	return ok;
}

/* The text of an open file with a NUL behind it; NULL with err set. */
static char *read_text(int fd, size_t *len, struct config_error *err)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		config_error_set(err, "is not a regular file");
		return NULL;
	}
	if (st.st_size > STATE_FILE_SIZE_MAX) {
		config_error_set(err, "is larger than the 8 MiB that are read");
		return NULL;
	}
	text = malloc((size_t)st.st_size + 1);
	for (*len = 0; text && *len < (size_t)st.st_size;) {
		ssize_t n = read(fd, text + *len, (size_t)st.st_size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	if (!text || *len < (size_t)st.st_size) {
		config_error_set(err, "cannot be read: %s", strerror(errno));
		free(text);
		return NULL;
	}
	return text;
}

static json_t *parse_file(int fd, struct config_error *err)
{
	json_error_t where;
	size_t len;
	char *text = read_text(fd, &len, err);
	json_t *json;

	if (!text)
		return NULL;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		config_error_set(err, "is no valid JSON in line %d, column %d: %s", where.line,
			where.column, where.text);
	free(text);
	return json;
}

json_t *state_file_read(const char *dir, const char *name, struct config_error *err)
{
	struct config_error why = {""};
	json_t *json = NULL;
	int dir_fd, fd;

	err->text[0] = '\0';
	if (!check_name(dir, name, err))
		return NULL;
	dir_fd = open_dir(dir, err);
	if (dir_fd < 0)
		return NULL;
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0) {
		json = parse_file(fd, &why);
		close(fd);
		if (!json)
			config_error_set(err, "%s/%s %s", dir, name, why.text);
	} else if (errno != ENOENT) {
		fail(err, "open", dir, name);
	}
	close(dir_fd);
	return json;
}

bool state_file_sync(const char *dir, struct config_error *err)
{
	int fd = open_dir(dir, err);
	bool ok;

	if (fd < 0)
		return false;
	ok = fsync(fd) == 0;
	if (!ok)
		config_error_set(err, "cannot sync %s: %s", dir, strerror(errno));
	close(fd);
	return ok;
}

bool state_file_remove(const char *dir, const char *name, struct config_error *err)
{
	int fd;
	bool ok;

	err->text[0] = '\0';
	if (!check_name(dir, name, err))
		return false;
	fd = open_dir(dir, err);
	if (fd < 0)
		return false;
	ok = unlinkat(fd, name, 0) == 0 || errno == ENOENT;
	if (!ok)
		fail(err, "remove", dir, name);
	close(fd);
	return ok;
}
