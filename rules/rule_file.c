#include "rule_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_whole(struct rule_file *file, int fd, size_t max, char *reason, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(reason, size, "is no regular file: name a file of rules");
		return false;
	}
	if ((uint64_t)st.st_size > max) {
		snprintf(reason, size, "is longer than %zu bytes", max);
		return false;
	}
	file->text = malloc((size_t)st.st_size + 1);
	if (!file->text) {
		snprintf(reason, size, "out of memory");
		return false;
	}
	while (file->size < (size_t)st.st_size) {
		ssize_t n = read(fd, file->text + file->size, (size_t)st.st_size - file->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			snprintf(reason, size, "cannot be read: %s", strerror(errno));
			rule_file_close(file);
			return false;
		}
		if (n == 0)
			break;
		file->size += (size_t)n;
	}
	return true;
}

bool rule_file_open(struct rule_file *file, const char *path, size_t max, char *reason, size_t size)
{
	/* What is no regular file may have nobody at its other end: that must not be waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool done;

	*file = (struct rule_file){.next_line = 1};
	if (fd < 0) {
		snprintf(reason, size, "cannot be opened: %s", strerror(errno));
		return false;
	}
	done = read_whole(file, fd, max, reason, size);
	close(fd);
	return done;
}

bool rule_file_copy(struct rule_file *file, const char *text, size_t n)
{
	*file = (struct rule_file){.next_line = 1, .size = n};
	file->text = malloc(n + 1);
	if (!file->text)
		return false;
	if (n > 0)
		memcpy(file->text, text, n);
	return true;
}

void rule_file_close(struct rule_file *file)
{
	free(file->text);
	file->text = NULL;
	file->size = file->at = 0;
}

/* The physical line at file->at, without what ends it. */
static struct rule_text take_line(struct rule_file *file)
{
	char *start = file->text + file->at;
	char *end = memchr(start, '\n', file->size - file->at);
	size_t n = end ? (size_t)(end - start) : file->size - file->at;

	file->at += n + (end != NULL);
	file->next_line++;
	if (n > 0 && start[n - 1] == '\r')
		n--;
	return (struct rule_text){start, n};
}

static bool continued(struct rule_text line)
{
	return line.n > 0 && line.s[line.n - 1] == '\\';
}

bool rule_file_next(struct rule_file *file, struct rule_text *line, uint32_t *number)
{
	while (file->at < file->size) {
		struct rule_text more;

		*number = file->next_line;
		*line = take_line(file);
		while (continued(*line) && file->at < file->size) {
			line->n--;
			more = take_line(file);
			memmove((char *)line->s + line->n, more.s, more.n);
			line->n += more.n;
		}
		*line = rule_text_trim(*line);
		if (line->n > 0 && line->s[0] != '#')
			return true;
	}
	return false;
}
